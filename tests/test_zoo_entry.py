"""Choosing among models: against a filter written from the words of the documentation, and errors that help."""

import dataclasses
import re

import pytest
from entries import entry
from fuzzing import fuzzed
from hypothesis import strategies as st

import zoo
from search import problem
from supernet.errors import InvalidPackage, InvalidQuery, NoModelFits, UnknownName
from zoo.ask.limits import LIMITS, constraints
from zoo.ask.query import choose as choose_rows
from zoo.ask.units import count, share, size
from zoo.hubs.index import Index
from zoo.package.entry import Entry, is_safe_name


def choose(entries: list[Entry], task: str | None, wanted: list, **more) -> list[Entry]:
    """The entries of the chosen rows."""
    index = Index.of(entries)
    return [index.entry(row) for row in choose_rows(index, task, wanted, **more)]


ENTRIES = st.lists(
    st.builds(
        entry,
        st.integers(0, 10**6).map(lambda number: f"m{number}"),
        bits=st.sampled_from([1, 4, 8, "mixed"]),
        macs=st.integers(1, 50),
        flash_bytes=st.integers(1, 50),
        validation=st.sampled_from([0.1, 0.5, 0.9]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda item: item.name,
)


@fuzzed(
    100,
    ENTRIES,
    st.none() | st.integers(1, 50),
    st.none() | st.integers(1, 50),
    st.none() | st.sampled_from([1, 4, 8]),
    st.none() | st.sampled_from([0.1, 0.5, 0.95]),
)
def test_the_answer_is_the_best_that_meets_everything(entries, max_ops, max_flash, bits, min_accuracy):
    wanted = constraints(max_ops=max_ops, max_flash=max_flash, bits=bits, min_accuracy=min_accuracy)
    meets = [
        item
        for item in entries
        if (max_ops is None or item.macs <= max_ops)
        and (max_flash is None or item.flash_bytes <= max_flash)
        and (bits is None or item.bits == bits)
        and (min_accuracy is None or item.validation >= min_accuracy)
    ]
    if not meets:
        with pytest.raises(NoModelFits, match=f"({'|'.join(item.name for item in wanted)}) binds") as caught:
            choose(entries, "kws", wanted)
        binding = next(item for item in wanted if item.name == caught.value.constraint)
        assert binding.excess(Index.of([caught.value.nearest]))[0] > 0
        assert caught.value.nearest in entries
        return False
    found = choose(entries, "kws", wanted)
    assert sorted(item.name for item in found) == sorted(item.name for item in meets)
    best = max(item.validation for item in meets)
    cheapest = min(item.macs for item in meets if item.validation == best)
    assert (found[0].validation, found[0].macs) == (best, cheapest)
    return True


def test_ties_are_broken_the_same_way_in_any_order():
    items = [entry("b"), entry("a"), entry("c")]
    assert [item.name for item in choose(items, None, [])] == ["a", "b", "c"]
    assert [item.name for item in choose(items[::-1], None, [])] == ["a", "b", "c"]


def test_what_binds_and_the_nearest_are_named():
    items = [entry("small", macs=300, bits=8), entry("large", macs=5000, bits=4)]
    with pytest.raises(
        NoModelFits, match=r"max_ops binds; the nearest is small with 300; ask for max_ops=300"
    ) as caught:
        choose(items, "kws", constraints(max_ops=100, bits=8))
    assert (caught.value.constraint, caught.value.limit, caught.value.nearest.name) == ("max_ops", 100, "small")
    with pytest.raises(NoModelFits, match="bits binds"):
        choose(items, "kws", constraints(bits=2))
    with pytest.raises(NoModelFits, match="min_accuracy binds"):
        choose(items, "kws", constraints(min_accuracy=0.99))


def test_taking_the_advice_of_an_error_finds_the_model():
    items = [entry("a", validation=0.953457, macs=1_234_567)]
    for query, name in (({"min_accuracy": 0.99}, "min_accuracy"), ({"max_ops": 5}, "max_ops")):
        with pytest.raises(NoModelFits, match=f"{name} binds") as caught:
            choose(items, "kws", constraints(**query))
        advised = re.search(rf"ask for {name}=([0-9.]+)", str(caught.value))[1]
        assert choose(items, "kws", constraints(**{name: advised}))[0].name == "a"


@pytest.mark.parametrize("limit", ["min_accuracy", "max_flash", "max_ram", "max_macs"])
def test_every_bundled_model_is_found_by_its_own_figure(limit):
    """And by its accuracy as it is printed, which may be rounded up."""
    fields = {"min_accuracy": "validation", "max_flash": "flash_bytes", "max_ram": "ram_bytes", "max_macs": "macs"}
    for item in zoo.find():
        own = getattr(item, fields[limit])
        for asked in (own, f"{100 * own:.2f}%") if limit == "min_accuracy" else (own,):
            assert zoo.find(name=item.name, **{limit: asked}) == [item]


def test_all_that_the_nearest_misses_is_advised():
    with pytest.raises(NoModelFits, match=r"ask for max_ops=1000, min_accuracy=0\.9,"):
        choose([entry("a")], "kws", constraints(max_ops=10, min_accuracy=0.99))
    with pytest.raises(NoModelFits, match=r"ask for max_ops=1000 and leave commercial and streaming out,"):
        choose([entry("a", licence="cc-by-nc-4.0")], "kws", constraints(max_ops=10, streaming=False, commercial=True))


def test_an_unknown_task_and_an_empty_hub_are_named():
    with pytest.raises(UnknownName, match="did you mean kws"):
        choose([entry("a")], "kwz", [])
    with pytest.raises(UnknownName, match="it is a data set, of which aec was made; known: aec, kws"):
        choose([entry("a"), entry("b", task="aec", dataset="esc50")], "esc50", [])
    for name in ("ESC-50", "Esc_50"):
        with pytest.raises(UnknownName, match="of which aec was made"):
            choose([entry("b", task="aec", dataset="esc50")], name, [])
    with pytest.raises(UnknownName, match="did you mean aec"):
        choose([entry("b", task="aec")], "AEC", [])
    with pytest.raises(UnknownName, match="no models"):
        choose([], None, [])


@pytest.mark.parametrize(
    "query",
    [
        {"max_ops": -1}, {"max_ops": 0}, {"max_ops": "lots"}, {"max_ops": float("nan")}, {"max_ops": float("inf")},
        {"max_ops": True}, {"max_ops": "20 parsecs"}, {"max_macs": "-5M"}, {"max_flash": "0kB"}, {"max_flash": []},
        {"max_ops": 10**400}, {"bits": 0}, {"bits": 9}, {"bits": 4.5}, {"bits": "4"},
        {"min_accuracy": 95}, {"min_accuracy": -0.1},
        {"max_params": ""},
    ],
)  # fmt: skip
def test_a_constraint_that_cannot_be_meant_is_named(query):
    name = next(iter(query))
    with pytest.raises(InvalidQuery, match=rf"^{name} = "):
        constraints(**query)


def test_quantities_as_people_type_them():
    assert count("x", "20e6") == count("x", "20M") == count("x", 20e6) == count("x", "20_000k") == 20e6
    assert size("x", "64kB") == 64_000
    assert size("x", "64KiB") == size("x", "65536 B") == 65_536
    assert share("x", "95.5%") == pytest.approx(0.955)
    assert share("x", 0) == 0
    assert all(share("x", f"{tenths / 10}%") == tenths / 1000 for tenths in range(1001))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a" * 200, "a b", "a\n", None, "-x"])
def test_names_that_could_leave_their_folder_are_not_safe(name):
    assert not is_safe_name(name)


@pytest.mark.parametrize(
    "changes", [{"name": "../x"}, {"macs": -1}, {"macs": 1.5}, {"validation": float("nan")}, {"task": 3}]
)
def test_an_entry_that_lies_about_its_types_is_refused(changes):
    [(name, value)] = changes.items()
    with pytest.raises(InvalidPackage, match=re.escape(f"{name} = {value!r} is not possible")):
        dataclasses.replace(entry("a"), **changes)


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("cc-by-4.0", False), ("cc-by-nc-3.0", True), ("apache-2.0", False), ("CC-BY-NC4.0", True), ("x-nce", False),
        ("PolyForm-Noncommercial-1.0.0", True), ("fair-noncommercial-research-license", True), ("other", False),
        ("cc_by_nc_sa_4.0", True), ("ncsa", False),
    ],
)  # fmt: skip
def test_non_commercial_licences_are_known(licence, forbidden):
    assert entry("a", licence=licence).non_commercial is forbidden


def test_what_may_be_sold_can_be_asked_for():
    items = [entry("free"), entry("bound", licence="cc-by-nc-3.0"), entry("own", licence="other")]
    for wanted, names in ((True, ["free", "own"]), (False, ["bound"])):
        assert [item.name for item in choose(items, "kws", constraints(commercial=wanted))] == names
    with pytest.raises(NoModelFits, match=r"nearest is bound with cc-by-nc-3\.0; leave commercial out, or loosen"):
        choose(items[1:2], "kws", constraints(commercial=True))
    with pytest.raises(InvalidQuery, match="commercial = 'yes' is not possible: give True or False"):
        constraints(commercial="yes")


@pytest.mark.parametrize("licence", ["CC-BY-4.0", "cc-BY-*", "cc-by-4.0", "[A-D]c-by*"])
def test_a_licence_is_asked_for_in_any_case(licence):
    items = [entry("a"), entry("b", licence="MIT")]
    assert [item.name for item in choose(items, None, constraints(licence=licence))] == ["a"]
    assert [item.name for item in choose(items, None, constraints(licence="mit"))] == ["b"]


def test_the_accuracy_that_is_printed_can_be_asked_for():
    for known in zoo.find(task="kws"):
        shown = f"{known.validation:.2%}"
        assert zoo.find(task="kws", min_accuracy=shown)[0].validation >= known.validation
        assert known in zoo.find(task="kws", min_accuracy=shown)


def test_limits_of_look_ups_and_of_searches_are_on_the_same_costs():
    assert {name: limit.field for name, limit in LIMITS.items()} == problem.LIMITS
