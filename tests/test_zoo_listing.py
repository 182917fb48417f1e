"""Lists as a product owner asks for them: columns, order, pictures, and what is cheaper within noise."""

import csv
import io
import json
import re
import tomllib
from pathlib import Path

import pytest
from conftest import bundled
from entries import entry

import zoo
from supernet.errors import UnknownName
from zoo.ask.limits import cheaper_within
from zoo.ask.query import choose
from zoo.cli import main
from zoo.hubs.index import Index
from zoo.package.entry import Entry
from zoo.package.facts import KINDS

BOARD = "stm32f746-tflm-cmsis-nn"


def listed(capsys, *more: str) -> list[list[str]]:
    """Cells of the rows of a list in CSV, head first."""
    assert main(["list", "--format", "csv", *more]) == 0
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


def test_a_list_shows_ram(capsys):
    assert main(["list", "--task", "kws", "--most", "1"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert "RAM bytes" in head
    assert f" {zoo.find('kws')[0].ram_bytes:,} " in row


def test_columns_are_shown_as_they_are_asked_for(capsys):
    rows = listed(capsys, "--task", "esc10", "--columns", "flash_bytes,name, ram_bytes")
    assert rows[0] == ["flash_bytes", "name", "ram_bytes"]
    assert rows[1:] == [[str(one.flash_bytes), one.name, str(one.ram_bytes)] for one in zoo.find("esc10")]
    assert main(["list", "--task", "esc10", "--columns", "name,labels,interval,clips", "--format", "json"]) == 0
    for row in json.loads(capsys.readouterr().out):
        stored = json.loads((zoo.Hub().path(zoo.Hub().entry(row["name"])) / "config.json").read_text())
        validation = stored["accuracy"]["validation"]
        assert row == {
            "name": stored["name"], "labels": stored["labels"], "interval": validation["interval"],
            "clips": validation["clips"],
        }  # fmt: skip


def test_without_columns_programs_get_all_that_the_index_knows(capsys):
    assert main(["list", "--task", "kws", "--sort", "macs", "--format", "json"]) == 0
    assert [set(row) for row in json.loads(capsys.readouterr().out)] == [set(Entry.__dataclass_fields__)] * len(
        bundled(start="kws")
    )


@pytest.mark.parametrize("column", ["macs", "flash_bytes", "name", "validation", "bits", "clips", "labels"])
def test_any_column_sorts_both_ways_and_equals_stay_best_first(capsys, column):
    order = [row[0] for row in listed(capsys)[1:]]
    shown = ["--columns", ",".join(dict.fromkeys(["name", column]))]
    for sign, step in (("", 1), ("-", -1)):
        rows = listed(capsys, *shown, "--sort", f"{sign}{column}")[1:]
        values = [row[-1] for row in rows]
        keys = [float(value) if re.fullmatch(r"[\d.]+", value) else value for value in values]
        numbers = [key for key in keys if isinstance(key, float)]
        words = [key for key in keys if isinstance(key, str)]
        assert keys == (numbers + words)[::step] if sign == "" else keys == words + numbers
        assert numbers[::step] == sorted(numbers)
        assert words[::step] == sorted(words)
        for value in set(values):
            names = [row[0] for row in rows if row[-1] == value]
            assert names == sorted(names, key=order.index)


def test_what_has_no_value_comes_last_both_ways(capsys):
    for sort in ("stream_ram_bytes", "-stream_ram_bytes"):
        values = [row[0] for row in listed(capsys, "--columns", "stream_ram_bytes", "--sort", sort)[1:]]
        assert values.count("") == 17
        assert values[-17:] == [""] * 17


def test_the_first_of_a_sorted_list_are_not_the_best(capsys):
    rows = listed(capsys, "--task", "kws", "--sort", "flash_bytes", "--most", "2", "--columns", "flash_bytes")
    assert [int(row[0]) for row in rows[1:]] == sorted(one.flash_bytes for one in zoo.find("kws"))[:2]


def test_what_a_model_takes_on_a_device_is_a_column(capsys):
    more = ["--task", "kws", "--device", BOARD, "--columns", "latency_ms,device", "--sort", "latency_ms"]
    rows = listed(capsys, *more)
    latencies = [float(row[0]) for row in rows[1:]]
    assert latencies == sorted(latencies)
    assert len(latencies) == len(bundled(start="kws"))
    assert len({row[1] for row in rows[1:]}) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--columns", "macs,ramm_bytes"], "did you mean ram_bytes"),
        (["--columns", ""], "--columns '': names none; give some, such as name,"),
        (["--columns", " , "], "--columns ' , ': names none; give some, such as name,"),
        (["--columns", "energy_uj"], "column energy_uj needs a device"),
        (["--sort", "-nam"], "column 'nam' is not known: did you mean name"),
        (["--sort", "macs", "--most", "0"], "most = 0"),
        (["--plot", "x.svg", "--cost", "licence"], "--cost licence: is no cost"),
        (["--cost", "ram_bytes"], "--cost ram_bytes: is of --plot; give that as well"),
        (["--plot", "x.txt"], "--plot x.txt: give a name that ends with one of .svg"),
        (["--family", "mbconv", "--plot", "x.svg", "--cost", "stream_ram_bytes"], "none of these models has it"),
    ],
)
def test_what_cannot_be_listed_is_one_line(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["list", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_picture_marks_what_fits(capsys, tmp_path, monkeypatch):
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    picture = tmp_path / "kws.svg"
    assert main(["list", "--task", "kws", "--max-ram", "6kB", "--cost", "ram_bytes", "--plot", str(picture)]) == 0
    fits = zoo.find("kws", max_ram="6kB")
    known = len(bundled(start="kws"))
    assert len(capsys.readouterr().out.splitlines()) == len(fits) + 1 < known
    text = picture.read_text()
    for said in (
        f"fits ({len(fits)})",
        f"does not fit ({known - len(fits)})",
        "limit 6,000",
        "RAM bytes",
        fits[0].name,
    ):
        assert said in text
    best = max(zoo.find("kws"), key=lambda one: one.validation)
    assert best.name not in text


def test_a_picture_may_be_over_what_a_device_takes(tmp_path, capsys):
    picture = tmp_path / "kws.png"
    more = ["--device", BOARD, "--max-latency-ms", "30", "--min-accuracy", "95%", "--cost", "latency_ms"]
    assert main(["list", "--task", "kws", *more, "--plot", str(picture)]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_cheapest_within_noise_takes_no_more_of_anything():
    best = entry("best", macs=1000, flash_bytes=100, stream_ram_bytes=50, validation=0.9)
    entries = [
        best,
        entry("cheap", macs=400, flash_bytes=100, stream_ram_bytes=50, validation=0.87),
        entry("cheaper", macs=300, flash_bytes=90, stream_ram_bytes=50, validation=0.86),
        entry("worse", macs=100, flash_bytes=90, stream_ram_bytes=50, validation=0.84),
        entry("large", macs=100, flash_bytes=101, stream_ram_bytes=50, validation=0.89),
        entry("hungry", macs=100, flash_bytes=90, stream_ram_bytes=51, validation=0.89),
        entry("guessed", macs=100, flash_bytes=90, stream_ram_bytes=50, validation=0.89, basis="predicted"),
        entry("elsewhere", macs=100, flash_bytes=90, stream_ram_bytes=50, validation=0.89, dataset="other"),
        entry("other", macs=100, flash_bytes=90, stream_ram_bytes=50, validation=0.89, task="aec"),
    ]
    for order in (entries, entries[::-1]):
        index = Index.of(order)
        rows = choose(index, None, [cheaper_within(best, 0.85)], cheapest=True)
        assert [index.entry(row).name for row in rows] == ["cheaper", "cheap", "best"]
        alone = choose(index, None, [cheaper_within(best, 0.9)], most=1, cheapest=True)
        assert index.entry(alone[0]) == best


@pytest.mark.parametrize("query", [{"task": "esc10"}, {"task": "kws", "bits": 4}, {"task": "kws", "max_flash": "20kB"}])
def test_a_look_up_says_what_is_cheaper_within_noise_and_takes_it_when_asked(query):
    chosen, fits = zoo.get(**query), zoo.find(**query)
    assert chosen.entry == fits[0]
    low = json.loads((chosen.path / "config.json").read_text())["accuracy"]["validation"]["interval"][0]
    near = [
        one for one in fits
        if one.validation >= low and one.macs <= fits[0].macs and one.flash_bytes <= fits[0].flash_bytes
        and one.ram_bytes <= fits[0].ram_bytes
    ]  # fmt: skip
    cheapest = min(near, key=lambda one: (one.macs, one.flash_bytes, one.ram_bytes))
    taken = zoo.get(**query, cheaper=True)
    assert taken.entry == cheapest
    assert (chosen.rivals is None) == (cheapest == fits[0])
    if cheapest != fits[0]:
        assert (chosen.rivals.best, chosen.rivals.cheaper) == (fits[0], cheapest)
        assert f"and cheaper: {cheapest.name} has {cheapest.validation:.2%}" in str(chosen)
        assert f"of {fits[0].name}, which has {fits[0].validation:.2%}" in str(taken)


def test_what_is_cheaper_keeps_the_limits_on_a_device():
    model = zoo.get("kws", device=BOARD, max_latency_ms=60, cheaper=True)
    assert model.figure.latency_ms <= 60
    assert model.rivals.best == zoo.find("kws", device=BOARD, max_latency_ms=60)[0]


def test_a_model_by_its_name_has_no_rivals():
    assert zoo.get(name=zoo.find("kws")[0].name).rivals is None


def test_get_takes_a_task_or_a_name_first(capsys):
    best = zoo.find("kws", max_flash="19kB")[0]
    for what in (["get", "kws", "--max-flash", "19kB"], ["get", "--max-flash", "19kB", "kws"], ["get", best.name]):
        assert main([*what, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["name"] == best.name
    assert main(["get", "kws", "--cheaper", "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["name"] == answer["rivals"]["cheaper"]["name"] != answer["rivals"]["best"]["name"]


def test_info_takes_a_task_and_tells_recalls_and_confusions(capsys):
    best = zoo.find("kws")[0]
    assert main(["info", "kws"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{best.name}: ")
    assert main(["info", best.name, "--format", "json"]) == 0
    known = json.loads(capsys.readouterr().out)
    matrix = known["accuracy"]["test"]["confusion"]
    shares = {
        label: row[place] / sum(row) for place, (label, row) in enumerate(zip(known["labels"], matrix, strict=True))
    }
    assert known["recall"] == pytest.approx(shares)
    worst = min(shares, key=shares.get)
    assert f"recall on test, lowest first: {worst} {shares[worst]:.2%} of " in text
    most = max(row[place] for one, row in enumerate(matrix) for place in range(len(row)) if place != one)
    first = known["confusions"][0]
    assert (
        first["clips"] == most == matrix[known["labels"].index(first["label"])][known["labels"].index(first["answer"])]
    )
    assert f"most frequent confusions: {first['label']} as {first['answer']} {most}" in text


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["get", "kws", "--task", "kws"], 2, "kws: a task or name is given twice"),
        (["get", "kwz"], 1, "no model 'kwz' and no such task in hub"),
        (["get", "--words", "no", "stop", "kws"], 1, "the word 'kws': it is a task or a model; name that before"),
        (["list", "--words", "stop,esc10"], 1, "the word 'esc10': it is a task or a model; name that before"),
        (["info", "kwz"], 1, "did you mean kws?"),
    ],
)
def test_what_is_no_task_or_name_is_one_line(arguments, status, said, capsys):
    assert main(arguments) == status
    assert said in capsys.readouterr().err
    with pytest.raises(UnknownName, match="no model"):
        zoo.info(None)


def test_info_takes_the_folder_of_a_package(package, monkeypatch, capsys):
    """And says of it what it says of a name, but for the hub; a name goes before a folder of that name."""
    name = next(entry.name for entry in zoo.find("kws", bits=4))
    folder = zoo.Hub().path(zoo.Hub().entry(name))
    found, listed = zoo.info(str(folder)).to_dict(), zoo.info(name).to_dict()
    assert found == {**listed, "hub": "", "config_sha256": "", "path": str(folder)}
    assert main(["info", str(folder), "--device", "stm32f746-tflm-cmsis-nn"]) == 0
    assert "on STM32F746" in capsys.readouterr().out
    assert zoo.info(package).devices == {}
    monkeypatch.chdir(folder.parent)
    assert zoo.info(name).hub == str(zoo.Hub().folder)


def test_info_says_what_else_a_folder_holds_and_what_takes_it(tmp_path, capsys):
    def write(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    write("words/up/1.wav", "words/up/2.flac", "words/down/1.mp3", "words/_background_noise_/fan.wav")
    write("loose/1.wav", "loose/takes/2.wav", "phone/1.m4a", "runs/doors/supernet/config.json")
    hub = zoo.Hub().folder
    for folder, said in {
        tmp_path / "words": "recordings, 3 in 2 classes (down 1, up 2); `earshot evaluate MODEL {0}` tests a model on",
        tmp_path / "loose": "recordings, 2 and no classes; `earshot run MODEL {0}` hears them",
        tmp_path / "phone": "neither a package, a supernet, a hub nor recordings (1 .m4a (such as 1.m4a)); give the",
        tmp_path / "runs" / "doors": "a run, with the supernet {0}/supernet; `earshot info` of that says more",
        hub: f"a hub of {len(bundled())} models; `earshot list --hub {{0}}` shows them",
        hub / "models": f"{len(bundled())} packages or supernets; name one, such as {{0}}/aec-mbconv-",
        hub
        / "supernets"
        / "kws-temporal-map": "a supernet of kws; `earshot train --data FOLDER --task NAME --start {0}`",
    }.items():
        assert main(["info", str(folder)]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"earshot: {folder}: is no model; it holds {said.format(folder)}")
        assert captured.err.count("\n") == 1


def test_the_version_is_that_of_the_install(capsys, monkeypatch):
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"earshot": project["version"]}[name])
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"earshot {project['version']}\n"


def test_every_fact_has_a_head_of_its_own():
    heads = [kind.head for kind in KINDS.values()]
    assert len(set(heads)) == len(heads)
