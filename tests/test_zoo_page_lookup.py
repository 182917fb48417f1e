"""The look-ups of the page against `zoo.get`, in a real browser: 1,000 random queries, and how limits are typed."""

import ast
import inspect
import random
import subprocess
from functools import cache

import numpy as np
import pytest
from browser import chromium, opened
from entries import entry

import zoo
from supernet.errors import InvalidQuery, NoModelFits, UnknownName
from zoo.ask import units
from zoo.ask.limits import LIMITS, MAKERS, cheaper_within, constraints
from zoo.ask.query import choose
from zoo.cli.commands import _join_negative, _parser
from zoo.hubs.base import AnyHub
from zoo.hubs.index import Index, like
from zoo.run import power
from zoo.site.data import device_data, hub_data, model_row, script
from zoo.site.write import STATIC

BARE = ("text", "data", "units", "patterns", "conditions", "power", "device", "lookup", "address", "commands")
"""What looks up, without a page around it."""


class Kept(zoo.Hub):
    """A hub whose packages are read and checked once, not in each of a thousand look-ups."""

    @cache  # noqa: B019
    def config(self, entry):
        return super().config(entry)


@pytest.fixture(scope="module")
def hub():
    return Kept()


@pytest.fixture(scope="module")
def devices(hub):
    return device_data(hub, hub.entries)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A page that has nothing but the look-ups, and no models."""
    place = tmp_path_factory.mktemp("lookup") / "page.html"
    place.write_text('<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>look-ups</title>')
    with chromium() as browser, opened(browser, place.as_uri(), "") as page:
        for name in BARE:
            page.add_script_tag(content=(STATIC / f"{name}.js").read_text(encoding="utf-8"))
        yield page


@pytest.fixture
def page(bare, hub, devices):
    """The same with the bundled hub."""
    rows = [model_row(entry, hub.config(entry), entry.name) for entry in hub.entries]
    bare.add_script_tag(content=script("earshot.data.hub", hub_data([], rows, [about for about, _ in devices])))
    for number, (_, own) in enumerate(devices):
        bare.add_script_tag(content=script("earshot.data.device", number, own))
    return bare


def queries(hub, profiles, count: int) -> list[dict]:
    """Random queries, as they are typed: most limits between the least and the most of the models, some impossible."""
    rng = random.Random(7)
    return [_query(rng, hub.entries, profiles) for _ in range(count)]


def _query(rng, entries, profiles) -> dict:
    if rng.random() < 0.1:
        return {"task": rng.choice(["kws", "kws", "aec"]), **_on_device(rng, profiles, 0.7)}
    query = {"task": rng.choice(["kws", "aec", "esc10"])} if rng.random() < 0.7 else {}
    for name, limit in LIMITS.items():
        if not limit.sure and rng.random() < 0.2:
            own = getattr(rng.choice(entries), limit.field)
            query[name] = rng.choice([str(own), str(own - 1), f"{own / 1000:.3g}k", f"{own * rng.uniform(0.5, 2):.6g}"])
    if rng.random() < 0.25:
        share = rng.choice(entries).validation
        query["min_accuracy"] = rng.choice([f"{share:.2%}", f"{share:.4f}", f"{share + 0.0001:.4f}", "0.0078125", "1"])
    choices = {
        "bits": ["1", "2", "3", "4", "5", "8", "mixed"], "activation_bits": ["8", "4"],
        "family": ["temporal", "mbconv", "t*l", "[tm]*"], "licence": ["cc-by-4.0", "cc-by-[0-9]*", "CC-BY-*", "mit"],
        "dataset": ["esc50", "speech_commands", "*c*0*"], "commercial": [True, False], "streaming": [True, False],
        "words": [["stop"], ["stop", "left"], ["dog", "stop"], ["dog"], ["rain", "cat", "siren"], ["nowhere"]],
        "max_false_alarms": ["4"], "min_recall": ["0.5"], "name": [rng.choice(entries).name, "no-such-model"],
        "max_params": ["-3", "much"],
    }  # fmt: skip
    for name, values in choices.items():
        if rng.random() < (0.02 if name in ("name", "max_params", "max_false_alarms", "min_recall") else 0.1):
            query[name] = rng.choice(values)
    query |= {"cheaper": True} if rng.random() < 0.3 else {}
    query |= {"unproven": True} if rng.random() < 0.02 else {}
    return query | (_on_device(rng, profiles) if rng.random() < 0.3 else {})


def _on_device(rng, profiles, powered: float = 0.1) -> dict:
    about, own = rng.choice(profiles)
    figures = rng.choice([row for row in own["rows"] if row])
    query = {"device": about["profile"]}
    for name, place in (("max_latency_ms", 0), ("max_energy_uj", 3), ("max_instructions", 6)):
        if rng.random() < (0.35 if powered < 0.5 else 0.1):
            query[name] = str(figures[place] or rng.choice([1, 20, 300]))
    if rng.random() < powered:
        query["max_power_uw"] = rng.choice(["500", "2mW", "30mW", "0.5W"])
    if rng.random() < 0.15:
        query["every_ms"] = rng.choice(["5", "20", "100", "333", "1s", "2s"])
    if rng.random() < 0.1:
        query["sleep_power_uw"] = rng.choice(["0", "7", "500", "1W"])
    query |= {"sure": True} if rng.random() < 0.3 else {}
    query |= {"ignore_limits": True} if rng.random() < 0.4 else {}
    if rng.random() < 0.05:
        del query["device"]
    return query


def typed(query: dict) -> dict:
    """The same as `zoo.get` takes it."""
    return {name: int(value) if "bits" in name and value.isdigit() else value for name, value in query.items()}


def answer(hub, query: dict) -> dict:
    """What `zoo.get` gives."""
    try:
        model = zoo.get(hub=hub, **typed(query))
    except NoModelFits as error:
        return {"kind": "none", "message": str(error), "constraint": error.constraint, "nearest": error.nearest.name}
    except UnknownName:
        return {"kind": "unknown"}
    except InvalidQuery:
        return {"kind": "invalid"}
    rivals = model.rivals and [model.rivals.best.name, model.rivals.cheaper.name]
    power = model.figure and model.figure.power and model.figure.power.power_uw
    return {"kind": "found", "name": model.name, "rivals": rivals, "power": power}


IN_PAGE = """(queries) => queries.map((query) => {
  const number = earshot.data.devices.findIndex((one) => one.profile === query.device);
  const found = earshot.get(query, number < 0 ? null : earshot.data.known(number));
  const name = (place) => earshot.data.models[place].name;
  if (found.kind === "none") {
    return { kind: "none", message: found.message, constraint: found.constraint, nearest: found.nearest };
  }
  if (found.kind !== "found") return { kind: found.kind };
  const rivals = found.rivals && [name(found.rivals.best), name(found.rivals.cheaper)];
  const power = found.taken && found.taken.power && found.taken.power.power_uw;
  return { kind: "found", name: name(found.chosen), rivals, power };
})"""


def test_a_thousand_queries_get_what_get_gives(hub, devices, page, monkeypatch):
    monkeypatch.setattr(
        power, "lacking", lambda *names: InvalidQuery("not needed")
    )  # of published profiles they give {}
    asked = queries(hub, devices, 1000)
    found = page.evaluate(IN_PAGE, asked)
    wrong = [(query, own, said) for query, own in zip(asked, found, strict=True) if (said := answer(hub, query)) != own]
    assert wrong == []
    kinds = [one["kind"] for one in found]
    assert min(map(kinds.count, ("found", "none", "unknown", "invalid"))) >= 20
    assert sum(bool(one.get("power")) for one in found) >= 10
    assert sum(bool(one.get("rivals")) for one in found) >= 50


class Listed(AnyHub):
    """A hub of made-up models, of which nothing but an index exists."""

    address = "made up"
    path = file = supernets = None

    def __init__(self, entries) -> None:
        self.index = Index.of(entries)


Listed.__abstractmethods__ = frozenset()


def made_up(count: int) -> Listed:
    """Models with equal figures among them, predicted ones, and some that were measured in a stream."""
    rng = random.Random(3)
    return Listed([_made_up(rng, number) for number in range(count)])


def _made_up(rng, number: int):
    macs, heard = rng.choice([1000, 2000, 2500]), rng.random() < 0.4
    rate = rng.choice([0.0, 0.5, 3.25])
    labels = tuple(rng.sample(["up", "down", "left", "_unknown_", "na\u00efve", "\u05e9\u05dc\u05d5\u05dd"], 4))
    return entry(
        f"{rng.choice('abc')}-{number:04d}", task=rng.choice(["one", "two"]), macs=macs,
        flash_bytes=macs // 2 + rng.choice([0, 7]), weight_bytes=macs // 4,
        stream_ram_bytes=rng.choice([0, 512]), clip_ram_bytes=rng.choice([512, 900]),
        bits=rng.choice([2, 4, 8, "mixed"]), validation=rng.choice([0.9, 0.90005, 0.90015, 0.95]), labels=labels,
        basis=rng.choice(["measured", "measured", "predicted"]),
        licence=rng.choice(["mit", "cc-by-NC-4.0", "CC-BY-4.0"]),
        detection_recall=rng.choice([0.5, 0.90005]) if heard else None,
        false_alarms_per_hour=rate if heard else None, false_alarms_upper=rate + 0.6 if heard else None,
    )  # fmt: skip


def row_of(one) -> dict:
    """What the page holds of a made-up model."""
    more = {"ram_bytes": one.ram_bytes, "non_commercial": one.non_commercial, "folder": one.name, "clips": 9}
    return {**one.to_dict(), **more, "low": one.validation - 0.01, "high": 1.0, "pace": None}


def _made_up_query(rng) -> dict:
    choices = {
        "task": ["one", "two"], "max_ops": ["2k", "1500"], "max_flash": ["1kB", "507", "0.49KiB"],
        "max_ram": ["512", "600"],
        "min_accuracy": ["90%", "0.90005", "90.01%", "0.9002", "0.96"], "bits": ["4", "3", "mixed"],
        "max_false_alarms": ["0", "0.6", "3.85", "1e1"], "min_recall": ["0.5", "90%", "0.9001", "1"],
        "commercial": [True, False], "licence": ["cc-*", "[!m]*", "M?T", "*-4.0"],
        "words": [["up"], ["up", "down"], ["na\u00efve", "left"], ["\u05e9\u05dc\u05d5\u05dd"]],
    }  # fmt: skip
    query = {name: rng.choice(values) for name, values in choices.items() if rng.random() < 0.3}
    return query | ({"unproven": True} if "max_false_alarms" in query and rng.random() < 0.5 else {})


def all_that_fit(hub, query: dict) -> dict:
    """What `zoo.find` gives, and of the first what `--cheaper` chooses from."""
    try:
        found = zoo.find(hub=hub, **typed(query))
    except NoModelFits as error:
        return {"message": str(error)}
    return {"names": [one.name for one in found], "cheaper": rival_of(hub, query, found[0])}


def rival_of(hub, query: dict, best) -> str | None:
    """The cheapest model within noise of the best one, where it is another."""
    if best.basis != "measured":
        return None
    wanted = {name: value for name, value in typed(query).items() if name != "task"}
    near = [*constraints(**wanted), cheaper_within(best, best.validation - 0.01)]
    cheaper = hub.index.entry(choose(hub.index, best.task, near, most=1, cheapest=True)[0])
    return None if cheaper == best else cheaper.name


ALL_IN_PAGE = """(queries) => queries.map((query) => {
  const found = earshot.get(query, null), name = (place) => earshot.data.models[place].name;
  if (found.kind !== "found") return { message: found.message };
  return { names: found.places.map(name), cheaper: found.rivals ? name(found.rivals.cheaper) : null };
})"""


def test_ties_predictions_and_streams_are_ranked_alike(bare):
    hub, rng = made_up(80), random.Random(5)
    bare.add_script_tag(content=script("earshot.data.hub", hub_data([], [row_of(one) for one in hub.entries], [])))
    asked = [_made_up_query(rng) for _ in range(300)]
    found = bare.evaluate(ALL_IN_PAGE, asked)
    assert [one for one in zip(asked, found, strict=True) if all_that_fit(hub, one[0]) != one[1]] == []
    assert min(sum("message" in one for one in found), sum(bool(one.get("cheaper")) for one in found)) > 10


def test_the_page_knows_every_limit_of_a_look_up(page):
    unknown = "names => names.filter((name) => !earshot.conditions.makers[name] && !earshot.conditions.limitOf(name))"
    assert page.evaluate(unknown, list(MAKERS)) == []
    readers = page.evaluate("earshot.data.limits.map((limit) => [limit.name, typeof earshot.units[limit.reads]])")
    assert readers == [[name, "function"] for name in LIMITS]
    parameters = {*inspect.signature(zoo.get).parameters} - {"hub", "specialize", "data"}
    whole = "names => Object.keys(earshot.address.tidy(Object.fromEntries(names.map((name) => [name, 'x']))))"
    plain = parameters - {"commercial", "streaming"}
    assert {*page.evaluate(whole, sorted(plain))} == plain


QUANTITIES = ["20e6", "20M", "64kB", "64KiB", "1_000", " 3 k ", "1__0", ".5", "5.", "-1", "0", "inf", "1e400", "12 q",
              "95.5%", "33.3%", "100.1%", "1e-7%", "0.1 uW", "2mJ", "1.5s", "20us", "3 \u00b5s",
              "0.9\u03bcs", "5e9s", "+4", "4e", ""]  # fmt: skip


@pytest.mark.parametrize("reader", ["count", "size", "share", "milliseconds", "interval", "energy", "power", "an_hour"])
def test_quantities_are_read_alike(bare, reader):
    def read(text):
        try:
            return getattr(units, reader)("x", text)
        except InvalidQuery:
            return None

    own = reader if reader != "an_hour" else "anHour"
    one = f"(text) => {{ try {{ return earshot.units.{own}('x', text); }} catch (error) {{ return null; }} }}"
    assert bare.evaluate(f"texts => texts.map({one})", QUANTITIES) == [read(text) for text in QUANTITIES]


def test_numbers_are_rounded_as_python_rounds(bare):
    values = [0.0078125, 0.5, 2.5, 123.25, 12.125, 1.0625, 1234.5, 1235.5, 123450.0, 0.1, 1e-9, 98765.4321, 3e7]
    four = bare.evaluate("values => values.map(earshot.units.digits)", values)
    assert four == [float(f"{value:.4g}") for value in values]
    six = bare.evaluate("values => values.map((value) => earshot.units.rounded(value, 6))", values)
    assert six == [round(value, 6) for value in values]
    scaled = bare.evaluate("values => values.map((value) => earshot.units.scaled(value, 4))", values)
    assert scaled == [float(np.round(value, 4)) for value in values]


def test_patterns_fit_what_they_fit_in_look_ups(bare):
    words = ["cc-by-4.0", "CC-BY-NC-3.0", "mit", "a[b]c", "a^b", "x.y", "", "a-b", "aab"]
    patterns = [
        "cc-*",
        "*",
        "?it",
        "[a-m]*",
        "[!a]*",
        "a[[]b]c",
        "a[]^]b",
        "*-*-*",
        "x?y",
        "x.y",
        "a*b",
        "[!]*",
        "*a*a*",
    ]
    found = bare.evaluate(
        "([words, patterns]) => patterns.map((one) => earshot.like(words, one, true))", [words, patterns]
    )
    assert found == [[like(word, pattern, any_case=True) for word in words] for pattern in patterns]
    assert bare.evaluate("earshot.like(['a'.repeat(5000) + 'b'], '*a'.repeat(40) + 'c', false)") == [False]


HOSTILE = [
    "it's",
    'a "b"',
    "$(touch x)",
    "`id`",
    "back\\slash",
    "a\nb",
    "\u202eevil",
    "--task",
    "-x",
    "na\u00efve",
    "*?[",
    "&;|",
]


def test_lines_to_copy_ask_the_same(page, hub, devices):
    asked = [query for query in queries(hub, devices, 150) if "max_macs" not in query]
    asked += [{"licence": text, "words": [text, "stop"], "cheaper": True} for text in HOSTILE]
    lines = page.evaluate("all => all.map((one) => [earshot.commands.python(one), earshot.commands.shell(one)])", asked)
    for query, (python, _) in zip(asked, lines, strict=True):
        [call] = [node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Call)]
        assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == typed(query)
    parser = _parser()
    for query, arguments in zip(asked, shelled([line for _, line in lines]), strict=True):
        options = vars(parser.parse_args(_join_negative(arguments[1:])))
        assert {name: value for name, value in options.items() if name in query} == typed(query)


def shelled(lines: list[str]) -> list[list[str]]:
    """The words of each line, as bash splits them."""
    script = "".join(f"printf '%s\\0' {line}; printf '\\1\\0'\n" for line in lines)
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    parts = done.stdout.decode().split("\1\0")[:-1]
    return [part.split("\0")[:-1] for part in parts]


def test_an_address_holds_the_query(page, hub, devices):
    asked = [query for query in queries(hub, devices, 200) if "max_macs" not in query]
    again = "all => all.map((one) => earshot.address.read(earshot.address.write(one)))"
    assert page.evaluate(again, asked) == asked
    assert page.evaluate("earshot.address.read('#max_macs=3M&nothing=1&commercial=maybe&cheaper=yes')") == {
        "max_ops": "3M"
    }
    both = {
        "2M&max_macs=1M": "1M",
        "1M&max_macs=2M": "1M",
        "2M&max_macs=": "2M",
        "&max_macs=2M": "2M",
        "1M&max_macs=x": "x",
    }
    for said, kept in both.items():
        assert page.evaluate("(one) => earshot.address.read(one)", f"#max_ops={said}") == {"max_ops": kept}
