"""The index as columns: the same answers as one entry at a time, in any order, from the cache too."""

import dataclasses
import fnmatch
import json
import re

import numpy as np
import pytest
from fuzzing import fuzzed
from hypothesis import given
from hypothesis import strategies as st
from test_zoo_entry import ENTRIES, entry

import zoo
from supernet.errors import InvalidPackage, InvalidQuery, UnknownName
from zoo.hubs import index as indexing
from zoo.hubs.folder import Hub
from zoo.hubs.index import Index, index_bytes, like, merged, read_index, write_index

TEXT = st.text("ab.-_", min_size=1, max_size=5)
PATTERN = st.text("ab.-_*?", min_size=1, max_size=6)
LIKELY = PATTERN.map(lambda text: f"a*{text[-1]}*")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(indexing, "LARGE_BYTES", 1)
    return tmp_path / "cache" / "indexes"


@given(ENTRIES)
def test_columns_give_back_the_entries_best_first(entries):
    entries = [
        dataclasses.replace(item, test=None if item.macs % 2 else 0.5, streamable=bool(item.macs % 3))
        for item in entries
    ]
    index = Index.of(entries)
    best = sorted(entries, key=lambda item: (-item.validation, item.macs, item.flash_bytes, item.name))
    assert list(index.entries) == best
    assert all(type(value) in (int, str, float, bool, list, type(None)) for value in best[0].to_dict().values())
    assert [index.find(item.name) for item in entries] == entries
    assert index.find("nobody") is None


@fuzzed(
    100, st.lists(TEXT.map(lambda text: f"a{text}"), min_size=1, max_size=20, unique=True), st.one_of(PATTERN, LIKELY)
)
def test_patterns_are_those_of_fnmatch(names, pattern):
    index = Index.of([entry(name) for name in names])
    expected = {name for name in names if fnmatch.fnmatchcase(name, pattern)}
    assert {name for name in names if like(name, pattern)} == expected
    if not expected:
        with pytest.raises(UnknownName, match=re.escape(f"no model of name {pattern!r}")):
            index.like("name", pattern)
        return False
    assert set(index.values("name", index.like("name", pattern))) == expected
    return True


@pytest.mark.parametrize("pattern", ["[ab]1", "[!ab]1", "x[a-c]*", "[]1", "[!]1]x", "a[", "[^a]1", "[\\]1", "[a"])
def test_sets_in_patterns_are_those_of_fnmatch(pattern):
    names = ["a1", "b1", "c1", "xa", "xb2", "xd", "a"]
    assert [name for name in names if like(name, pattern)] == fnmatch.filter(names, pattern)


@pytest.mark.parametrize("pattern", ["[z-a]", "[a--b]"])
def test_a_pattern_that_is_none_is_refused(pattern):
    with pytest.raises(InvalidQuery, match=f"pattern '{re.escape(pattern)}'"):
        zoo.find(name=pattern)


def test_patterns_are_of_letters_not_of_bytes():
    assert like("café", "caf?")
    assert like("café", "caf[é]")
    assert not like("café", "caf[!é]")


def test_no_pattern_takes_long_on_any_name():
    """With a name that is looked through again for each star this would take years."""
    assert not like("a" * 120 + "-x1", "*a" * 20 + "*b")


@given(ENTRIES, ENTRIES)
def test_of_two_indexes_the_first_one_has_a_name_for_itself(first, second):
    second = [dataclasses.replace(item, licence="other", bits=3) for item in second]
    names = {item.name for item in first}
    expected = Index.of([*first, *(item for item in second if item.name not in names)])
    both = merged((Index.of(first), Index.of(second)))
    assert both.entries == expected.entries
    assert both.has("licence", "other").sum() == expected.has("licence", "other").sum()


def test_a_large_index_is_parsed_once_and_is_the_same_from_its_columns(tmp_path, cache, monkeypatch):
    path, entries = tmp_path / "index.json", [entry(f"m{number}", macs=number, test=None) for number in range(50)]
    write_index(path, entries)
    first = read_index(path)
    assert len(list(cache.glob("*.safetensors"))) == 1
    monkeypatch.setattr(indexing, "_parsed", None)
    indexing._read_index.cache_clear()
    again = read_index(path)
    assert again is not first
    assert again.entries == first.entries == Index.of(entries).entries
    assert again.words == first.words


@pytest.mark.parametrize("change", ["cut", "other", "empty"])
def test_a_cache_that_was_altered_is_made_anew(tmp_path, cache, change):
    path, entries = tmp_path / "index.json", [entry(f"m{number}") for number in range(5)]
    write_index(path, entries)
    read_index(path)
    [kept] = cache.glob("*.safetensors")
    data = kept.read_bytes()
    kept.write_bytes({"cut": data[:-50], "other": data.replace(b"kws", b"x"), "empty": b""}[change])
    indexing._read_index.cache_clear()
    assert read_index(path).entries == Index.of(entries).entries
    assert kept.read_bytes() == data


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(indexing, "CACHE", tmp_path / "file")
    monkeypatch.setattr(indexing, "LARGE_BYTES", 1)
    write_index(tmp_path / "index.json", [entry("a")])
    assert read_index(tmp_path / "index.json").entries == (entry("a"),)


def test_an_index_that_changed_is_read_again(tmp_path):
    path = tmp_path / "index.json"
    for name in ("a", "b", "c"):
        write_index(path, [entry(name)])
        assert read_index(path).entries == (entry(name),)


def test_the_text_of_an_index_is_one_model_a_line_whatever_the_order():
    entries = [entry(name) for name in "cab"]
    text = index_bytes(entries)
    assert text == index_bytes(entries[::-1])
    assert [json.loads(line.rstrip(b","))["name"] for line in text.splitlines()[1:-1]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.append(rows[0]), "lists a name twice"),
        (lambda rows: rows[0].pop("macs"), "not an entry"),
        (lambda rows: rows[0].update(more=1), "not an entry"),
        (lambda rows: rows.append(3), "not an entry"),
        (lambda rows: rows[1].update(name="../x"), r"name = '\.\./x' is not possible"),
        (lambda rows: rows[1].update(macs=True), "macs = True is not possible"),
        (lambda rows: rows[1].update(macs=10**400), "macs = 1000"),
        (lambda rows: rows[1].update(validation=1.5), "validation = 1.5"),
        (lambda rows: rows[1].update(bits=0), "bits = 0"),
        (lambda rows: rows[1].update(bits="many"), "bits = 'many'"),
        (lambda rows: rows[1].update(task="a\nb"), "task = "),
        (lambda rows: rows[1].update(task=["kws"]), "task = "),
        (lambda rows: rows[1].update(config_sha256="0"), "config_sha256 = '0'"),
        (lambda rows: rows[1].update(streamable=1), "streamable = 1"),
    ],
)
def test_an_index_with_what_cannot_be_is_refused_by_name(tmp_path, change, said):
    rows = [entry("a").to_dict(), entry("b").to_dict()]
    change(rows)
    (tmp_path / "index.json").write_text(json.dumps({"schema": 6, "models": rows}))
    with pytest.raises(InvalidPackage, match=f"index.json.*{said}"):
        read_index(tmp_path / "index.json")


@pytest.mark.parametrize("schema", [1, 2, True, None])
def test_an_index_of_another_version_is_refused_with_what_to_do(tmp_path, schema):
    (tmp_path / "index.json").write_text(json.dumps({"schema": schema, "models": []}))
    with pytest.raises(InvalidPackage, match=r"this version reads 3, 4, 5, 6; `earshot rebuild` writes it anew"):
        Hub(tmp_path).entries  # noqa: B018


def test_an_index_of_a_newer_version_is_not_lost_by_this_one(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "index.json").write_text(text := json.dumps({"schema": 7, "models": [], "more": 1}))
    for act in (lambda: Hub(tmp_path).entries, lambda: zoo.rebuild(tmp_path)):
        with pytest.raises(InvalidPackage, match=r"index\.json: written by a newer Earshot \(schema 7, not 6\)"):
            act()
    assert (tmp_path / "index.json").read_text() == text


def test_lists_are_tables_with_the_same_models(tmp_path):
    table = zoo.list("kws", bits=4)
    found = zoo.find("kws", bits=4)
    assert list(table["name"]) == [item.name for item in found]
    assert table.to_dict("records") == [dataclasses.asdict(item) for item in found]
    on_device = zoo.list("kws", device="stm32f746-tflm-cmsis-nn", max_latency_ms=30, most=3)
    assert len(on_device) == 3
    assert (on_device["latency_ms"] <= 30).all()
    assert set(on_device["device_basis"]) == {"indicative"}


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ({"name": "*-w4a8-*"}, lambda item: "-w4a8-" in item.name),
        ({"licence": "cc-by-*"}, lambda item: item.licence.startswith("cc-by-")),
        ({"dataset": "speech_commands"}, lambda item: item.dataset == "speech_commands"),
        ({"streaming": True}, lambda item: item.streamable),
        ({"activation_bits": 8}, lambda item: item.activation_bits == 8),
        ({"family": "temp*", "bits": "mixed"}, lambda item: item.bits == "mixed"),
    ],
)
def test_filters_keep_what_they_say(query, keeps):
    assert zoo.find(**query) == [item for item in zoo.find() if keeps(item)]


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        ({"licence": "cc-by-4"}, UnknownName, r"licence 'cc-by-4': did you mean cc-by-4\.0"),
        ({"dataset": "speech_command"}, UnknownName, "did you mean speech_commands"),
        ({"family": "temporel"}, UnknownName, "did you mean temporal"),
        ({"name": "kws-x*"}, UnknownName, "no model of name"),
        ({"streaming": "yes"}, InvalidQuery, "streaming = 'yes'"),
        ({"activation_bits": 9}, InvalidQuery, "activation_bits = 9"),
        ({"most": 0}, InvalidQuery, "most = 0"),
        ({"task": "esc10", "family": "mbconv", "streaming": True}, zoo.NoModelFits, "streaming binds"),
    ],
)
def test_filters_that_nothing_keeps_name_the_nearest(query, error, said):
    with pytest.raises(error, match=said):
        zoo.find(**query)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("aec-mb", "did you mean aec-mbconv-a or aec-mbconv-b?"),
        ("aec-mbcnv-a", "did you mean aec-mbconv-a"),
        ("AEC-MBCONV-B", "did you mean aec-mbconv-b"),
        ("zzz", "known: aec-mbconv-a, aec-mbconv-b"),
    ],
)
def test_a_name_is_answered_by_those_that_begin_so_or_are_alike(name, said):
    """All are listed where they are few, or where none is alike."""
    few, many = ["aec-mbconv-a", "aec-mbconv-b"], [f"kws-{number}" for number in range(30)]
    assert zoo.hubs.base.nearest_names(name, few).startswith(said)
    hint = zoo.hubs.base.nearest_names(name, few + many)
    assert hint.startswith(said)
    assert ("known" in hint) is (name == "zzz")
    assert "known: aec-mbconv-a, aec-mbconv-b" in zoo.hubs.base.nearest_names(name, few)


def test_names_of_a_million_models_give_a_short_message():
    names = np.char.add("model-", np.arange(100_000).astype(str)).tolist()
    with pytest.raises(UnknownName, match="did you mean model-4242") as caught:
        raise UnknownName(zoo.hubs.base.nearest_names("model-4242x", names))
    assert len(str(caught.value)) < 1000


def test_what_is_published_needs_no_search():
    """Filters that a model which is made cannot be given are asked of the published ones first."""
    wish = {"commercial": True, "specialize": True}
    assert zoo.get("kws", **wish).name == zoo.get("kws", commercial=True).name
    with pytest.raises(InvalidQuery, match="commercial = True: no published model fits, and one that is made has no"):
        zoo.get("aec", **wish)
