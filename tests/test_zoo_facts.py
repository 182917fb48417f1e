"""Facts of models: cards say what they said, and a new fact is one entry that is shown everywhere."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from named import smallest

import zoo
from supernet.errors import InvalidQuery
from supernet.files import read_json
from supernet.layer import parts
from supernet.memory import answer_frames
from zoo.cli import main
from zoo.hubs.page import hub_card
from zoo.package import facts as known
from zoo.package.card import card
from zoo.package.entry import Entry
from zoo.package.facts import KINDS, Kind, Rivals, accuracies, column_names, confusions, facts, recalls
from zoo.package.figures import COSTS, read_figures
from zoo.package.read import CARD, CONFIG, entry_of, read_config

PACKAGES = sorted((Path(zoo.__file__).parent / "hub" / "models").iterdir())
CONFUSION = [[5, 3, 0], [1, 6, 1], [0, 0, 0]]


def per_second(lines: list[str], answers: int, seconds: float) -> list[str]:
    """What a stream computes in a second, by a card's own bill: in a clip's length of so many seconds and answers, all
    that a clip does, and the classifier for each answer but one more.
    """
    count = {line.split(" | ")[0]: line.split(" | ")[-1].strip(" |") for line in lines if line.startswith("| ")}
    bill = {cells[0]: cells[3] for line in lines if len(cells := line.strip("| ").split(" | ")) == 6}
    macs, classifier, frontend = (
        int(text.replace(",", ""))
        for text in (
            count['| multiply-accumulates (MACs, "ops")'],
            bill["classifier"],
            count["| front end, beside them"],
        )
    )
    whole = (macs + (answers - 1) * classifier) / seconds
    return [
        f"| MACs a second in a stream that answers as often as it can | {round(whole):,} |",
        *([f"| front end a second, beside them | {round(frontend / seconds):,} |"] if frontend else []),
    ]


def test_every_bundled_card_is_told_again():
    """With what a stream computes in a second and takes of RAM, each by its own sum."""
    assert {one.name for one in PACKAGES} == {*zoo.Hub().index.values("name")}
    for package in PACKAGES:
        values, figures = read_json(package / CONFIG), read_figures(package / COSTS)
        entry, text = zoo.Hub().index.find(package.name), (package / CARD).read_text()
        assert card(values, tuple(figures.values())) == text
        lines = text.splitlines()
        assert f"| RAM on whole clips, with the front end | {entry.clip_ram_bytes:,} bytes |" in lines
        assert len(figures) > 80
        if entry.streamable:
            assert f"| RAM in a stream, with the front end | {entry.stream_ram_bytes:,} bytes |" in lines
            arch = read_config(package).arch
            seconds = arch.frames * arch.features.step_ms / 1000
            assert {*per_second(lines, answer_frames(parts(arch)), seconds)} < {*lines}


def test_the_page_of_the_bundled_hub_is_told_again():
    text = hub_card(zoo.Hub().index.entries, "FOLDER")
    [task, most] = re.search(r'zoo.get\(task="(.*)", max_flash="(.*)", hub="FOLDER"\)', text).groups()
    assert zoo.find(task, max_flash=most)  # what it shows has an answer
    assert text == (PACKAGES[0].parent.parent / CARD).read_text()


def test_all_that_an_index_knows_is_a_fact():
    for entry in zoo.find(most=None):
        found = facts([field.name for field in dataclasses.fields(Entry)], entry)
        values = {name: fact.value for name, fact in found.items()}
        assert values == {**entry.to_dict(), "stream_ram_bytes": entry.stream_ram_bytes or None}


def test_facts_have_values_units_and_texts(package):
    config = read_config(package)
    entry = config.entry("")
    found = facts(["macs", "flash_bytes", "validation", "test", "interval", "clips"], entry, config.values)
    assert found["flash_bytes"] == known.Fact("flash_bytes", entry.flash_bytes, "bytes", f"{entry.flash_bytes:,}")
    assert [fact.text for fact in found.values()][2:] == ["75.00%", "75.00%", "50.00% to 90.00%", "8"]
    guessed = dataclasses.replace(entry, basis="predicted", test=None)
    texts = [fact.text for fact in facts(["validation", "test"], guessed).values()]
    assert texts == ["75.00% predicted", "-"]


def test_a_new_fact_is_one_entry_that_is_shown_everywhere(package, monkeypatch, capsys):
    toy = Kind(
        "toy", lambda entry: entry.macs + 1, "bricks", "{:,}".format,
        listed=True, card="toy of a model", line=lambda entry: f"{entry.macs + 1:,} bricks",
    )  # fmt: skip
    monkeypatch.setitem(KINDS, "toy", toy)
    entry = zoo.find("kws", most=1)[0]
    bricks = f"{entry.macs + 1:,}"
    assert f", {bricks} bricks" in str(zoo.get("kws", name=entry.name))
    assert f"| {bricks} |" in hub_card([entry], "FOLDER")
    values = read_json(package / CONFIG)
    assert f"| toy of a model | {values['costs']['macs'] + 1:,} bricks |" in card(values)
    assert main(["list", "--task", "kws", "--most", "1"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "toy"
    assert row.split()[-1] == bricks
    assert main(["list", "--sort", "-toy", "--columns", "toy", "--format", "csv"]) == 0
    numbers = capsys.readouterr().out.split()
    assert numbers == ["toy", *map(str, sorted((one.macs + 1 for one in zoo.find()), reverse=True))]


def test_a_second_of_a_stream_is_a_column_and_a_line(capsys):
    """A clip of a second answers once, the stream each 20 ms: 49 more classifiers of 32 x 12."""
    name = smallest(4)
    assert main(["list", "--name", name, "--columns", "macs,macs_per_second,frontend_macs_per_second"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split("  ")[-2:] == ["MACs a second", "front end MACs a second"]
    assert row.split() == ["119,584", f"{119_584 + 49 * 32 * 12:,}", "576,200"]
    assert "  138,400 MACs a second in a stream that answers as often as it can, front end 576,200" in str(
        zoo.info(name)
    )
    assert zoo.info(name).to_dict()["macs_per_second"] == 138_400
    assert main(["cost", name]) == 0
    said = "a second in a stream, with an answer each 20 ms: 138,400 MACs, front end 576,200 MACs"
    assert capsys.readouterr().out.splitlines()[-1] == said
    assert main(["cost", name, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["macs_per_second"] == 138_400


def test_what_hears_whole_clips_has_no_second_of_a_stream(capsys):
    whole = zoo.info(zoo.get("esc10", family="mbconv").name)
    assert (whole.to_dict()["macs_per_second"], whole.to_dict()["frontend_macs_per_second"]) == (None, None)
    assert "in a stream" not in str(whole)
    assert main(["list", "--name", whole.entry.name, "--columns", "name,macs_per_second"]) == 0
    assert capsys.readouterr().out.split()[-1] == "-"
    assert main(["cost", whole.entry.name]) == 0
    assert "in a stream" not in capsys.readouterr().out


def test_recalls_and_confusions_are_counts_of_the_matrix():
    figures = {"accuracy": 11 / 16, "interval": [0.4, 0.9], "clips": 16}
    values = {
        "labels": ["a", "b", "c"],
        "accuracy": {"test": {**figures, "confusion": CONFUSION}, "validation": figures},
    }
    assert recalls(values) == {"a": (5 / 8, 8), "b": (6 / 8, 8), "c": (None, 0)}
    assert confusions(values) == [("a", "b", 3), ("b", "a", 1), ("b", "c", 1)]
    assert confusions(values, 1) == [("a", "b", 3)]
    values["accuracy"]["test"] = figures
    assert (recalls(values), confusions(values)) == ({}, [])


def test_of_clips_with_several_labels_each_has_its_recall():
    figures = {"accuracy": 0.5, "interval": [0.1, 0.9], "clips": 4}
    counts = [[[1, 0], [1, 2]], [[4, 0], [0, 0]]]
    values = {"labels": ["a", "b"], "accuracy": {"validation": {**figures, "confusion": counts}}}
    assert recalls(values) == {"a": (2 / 3, 3), "b": (None, 0)}
    assert confusions(values) == []


def test_accuracies_are_of_splits_and_of_what_was_heard_on_them():
    plain = {"accuracy": 0.5, "interval": [0.4, 0.6], "clips": 9}
    room = {"accuracy": 0.25, "interval": [0.2, 0.3], "clips": 9}
    both = {"test": {**plain, "conditions": {"room": room}}, "validation": {**plain, "basis": "predicted"}}
    validation, test = accuracies(both)
    assert (validation.name, validation.predicted, validation.conditions) == ("validation", True, ())
    assert [(one.name, one.text, one.interval) for one in test.conditions] == [("room", "25.00%", "20.00% to 30.00%")]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["macs", "flsh_bytes"], "column 'flsh_bytes' is not known: did you mean flash_bytes"),
        (["latency_ms"], "column latency_ms needs a device"),
        (["macs", "macs"], "column macs is given twice"),
        ([""], "column '' is not known"),
    ],
)
def test_columns_that_cannot_be_meant_are_named(names, said):
    with pytest.raises(InvalidQuery, match=said):
        column_names(names)


def test_rivals_say_which_was_chosen_and_why(package):
    best = entry_of(read_json(package / CONFIG), read_config(package).arch)
    cheap = dataclasses.replace(best, name="cheap", macs=1, validation=0.6)
    pair = Rivals(best, cheap, 0.5, 0.9, 8)
    assert pair.text(best.name).startswith("within noise (50.00% to 90.00% on 8 clips), and cheaper: cheap has 60.00%")
    assert pair.text("cheap").endswith(f"of {best.name}, which has 75.00%")
    assert pair.to_dict()["cheaper"] == {"name": "cheap", "validation": 0.6}
