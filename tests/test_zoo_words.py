"""Look-ups by words: which models know them, and answers with these words alone."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
import soundfile
from conftest import bundled
from named import smallest

import zoo
from predictors import estimate
from supernet.errors import InvalidPackage, InvalidQuery, NoModelFits, UnknownName
from zoo.cli import main
from zoo.hubs.index import DETECTION, read_index

CLIP = zoo.Hub().folder.parent / "clips" / "stop.wav"


def test_the_best_model_that_knows_all_words_is_found_whatever_its_task():
    found = zoo.find(words=["stop", "left"], max_flash="32kB")
    assert found == [entry for entry in zoo.find(max_flash="32kB") if entry.task in ("kws", "commands")]
    assert {entry.task for entry in found} == {"kws", "commands"}
    assert {entry.task for entry in zoo.find(words=["dog"])} == {"aec", "esc10"}
    assert zoo.find(words="dog", max_flash="32kB") == zoo.find(words=["dog", "dog"], max_flash="32kB")
    for entry in zoo.find(words={"dog", "clock_tick"}):
        assert {"dog", "clock_tick"} <= set(entry.labels)


def test_the_answer_is_the_words_and_the_sum_of_all_others():
    model = zoo.get(words=["stop", "left"], max_flash="32kB")
    whole = zoo.get(name=model.name)
    assert model.labels == ("stop", "left", "_unknown_", "_silence_")
    assert (model.words, model.knows, whole.words) == (("stop", "left"), whole.labels, ())
    features = np.random.default_rng(0).integers(-128, 128, (3, 40, 100), np.int8)
    for own, all_of in zip(model.scores(features), whole.scores(features), strict=True):
        score = dict(zip(whole.labels, all_of, strict=True))
        kept = [score.pop(name) for name in ("stop", "left", "_silence_")]
        np.testing.assert_allclose(own, [*kept[:2], sum(score.values()), kept[2]], rtol=1e-12)
    assert np.array_equal(model.logits(features), whole.logits(features))
    assert model(CLIP)[0]["label"] == "stop"
    assert model.knowing("left")(CLIP)[0]["label"] == "_unknown_"
    model.verify()


def test_a_model_without_unknown_gets_it_only_where_labels_are_left():
    model = zoo.get("esc10", words=["dog"], max_flash="18kB")
    assert model.labels == ("dog", "_unknown_")
    assert model.knowing(list(model.knows)).labels == model.knows


def test_a_recording_is_heard_by_words(tmp_path):
    model = zoo.get(name=smallest(8)).knowing("stop")
    samples, rate = soundfile.read(CLIP, dtype="float32")
    soundfile.write(tmp_path / "long.wav", np.concatenate([samples] * 3), rate)
    for window in model.slide(tmp_path / "long.wav"):
        assert {own["label"] for own in window["answers"]} == {"stop", "_unknown_", "_silence_"}
        assert sum(own["score"] for own in window["answers"]) == pytest.approx(1)
    assert {event["label"] for event in model.events(tmp_path / "long.wav")} == {"stop"}


def test_words_that_nobody_knows_are_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="no model knows the word 'stp': did you mean stop"):
        zoo.get(words=["stp"])
    with pytest.raises(UnknownName, match=r"the word 'sheila': known: backward, bed, cat, .*, no and 10 more$"):
        zoo.get(words=["sheila", "no"])
    with pytest.raises(UnknownName, match="the word 'dogg': did you mean dog"):
        zoo.get(words=["dogg"])
    with pytest.raises(UnknownName, match=r"the word 'sheila': .*airplane"):
        zoo.get(words=["dog", "sheila"])
    with pytest.raises(NoModelFits, match=r"no model has words=stop, dog: words binds; the nearest is .* with stop"):
        zoo.get(words=["stop", "dog"])
    with pytest.raises(UnknownName, match="does not know the word 'dog': known: "):
        zoo.get("kws").knowing("dog")


@pytest.mark.parametrize(
    "make",
    [
        list, tuple, np.array, iter,
        lambda words: (word for word in words), lambda words: dict.fromkeys(words).keys(),
        lambda words: dict(enumerate(words)).values(),
    ],
)  # fmt: skip
def test_any_texts_one_after_another_are_words(make):
    for ask in (lambda words: zoo.get("kws", words=words), zoo.get("kws").knowing):
        words = ask(make(["stop", "left"])).words
        assert sorted(words) == ["left", "stop"]
        assert {type(word) for word in words} == {str}
    assert zoo.find("kws", words=make(["stop"])) == zoo.find("kws", words="stop")


@pytest.mark.parametrize(
    "words",
    [
        [],
        "",
        ["stop", ""],
        3,
        ["stop", 3],
        {"stop": 1},
        b"stop",
        np.array([]),
        np.array("stop"),
        iter(["stop", 3]),
        iter(()),
    ],
)
def test_what_are_no_words_is_refused(words):
    with pytest.raises(InvalidQuery, match="give one word or more"):
        zoo.get(words=words)


@pytest.mark.parametrize("word", ["_unknown_", "_silence_"])
def test_classes_that_come_by_themselves_are_no_words(word):
    with pytest.raises(InvalidQuery, match=f"words: {word} is no word"):
        zoo.get(words=["stop", word])


def test_the_commands_take_words(tmp_path, capsys):
    assert main(["get", "--words", "stop", "left", "--max-flash", "32kB", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["words"], found["labels"]) == (["stop", "left"], ["stop", "left", "_unknown_", "_silence_"])
    assert main(["list", "--words", "dog", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [tuple(json.loads(row["labels"])) for row in rows] == [entry.labels for entry in zoo.find(words=["dog"])]
    folder = zoo.Hub().path(zoo.Hub().entry(found["name"]))
    for model in ("kws", found["name"], str(folder)):
        assert main(["run", model, str(CLIP), "--words", "left"]) == 0
        assert capsys.readouterr().out.split("\t")[1].startswith("_unknown_ ")
    for name in ("stop", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").write_bytes(CLIP.with_name(f"{name}.wav").read_bytes())
    assert main(["evaluate", "kws", str(tmp_path), "--conditions", "clean", "--format", "json", "--words", "left"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == ["left", "_unknown_", "_silence_"]
    assert found["accuracy"] == found["conditions"]["clean"]["accuracy"] == 1
    assert "counted as _unknown_: stop" in found["notes"]
    assert main(["run", "kws", str(CLIP), "--words", "dog"]) == 1


def test_an_index_of_before_is_read_and_knows_no_words(tmp_path, caplog):
    values = json.loads((zoo.Hub().folder / "index.json").read_text())
    for row in values["models"]:
        del row["labels"], row["clip_ram_bytes"], row["stream_ram_bytes"]
        del row["detection_recall"], row["false_alarms_per_hour"], row["false_alarms_upper"]
        row["peak_ram_bytes"] = estimate(zoo.Hub().config(zoo.Hub().entry(row["name"])).arch).peak_ram_bytes
    (tmp_path / "index.json").write_text(json.dumps({**values, "schema": 3}))
    shutil.copytree(zoo.Hub().folder / "models", tmp_path / "models")
    assert zoo.get("kws", hub=tmp_path).name == zoo.get("kws").name
    assert "index.json: an older Earshot wrote it, with flash and RAM as it counted them" in caplog.text
    with pytest.raises(UnknownName, match="no model knows the word 'stop'"):
        zoo.get(words="stop", hub=tmp_path)
    assert zoo.get("kws", hub=tmp_path).entry.ram_bytes == 18_000 + 10_784 + 3_176
    stated = {row["name"]: row["peak_ram_bytes"] for row in values["models"]}
    found = zoo.find("kws", hub=tmp_path)
    assert {one.name for one in found} == {one.name for one in zoo.find("kws")}
    assert [one.ram_bytes for one in found] == [stated[one.name] for one in found]
    with pytest.raises(NoModelFits, match="max_ram binds"):
        zoo.get("kws", max_ram="4kB", hub=tmp_path)
    assert f"{len(bundled())} models are left out: listed without labels, which `earshot rebuild` adds" in caplog.text
    package = next((zoo.Hub().folder / "models").glob("esc10-*"))
    zoo.publish([package], tmp_path)  # which reads the labels of all others
    assert zoo.find(words="stop", hub=tmp_path) == zoo.find(words="stop")
    assert zoo.get("kws", max_ram="8kB", hub=tmp_path).name == zoo.get("kws", max_ram="8kB").name


def test_an_index_that_counts_ram_as_before_is_read(tmp_path):
    """Without logits, sums of averages and places of their own for features."""
    values = json.loads((zoo.Hub().folder / "index.json").read_text()) | {"schema": 5}
    for row in values["models"]:
        for field in DETECTION:
            del row[field]
        cost = estimate(zoo.Hub().config(zoo.Hub().entry(row["name"])).arch)
        row["clip_ram_bytes"] = cost.peak_ram_bytes - cost.stream_state_bytes
        row["stream_ram_bytes"] -= 100 if row["stream_ram_bytes"] else 0
    (tmp_path / "index.json").write_text(json.dumps(values))
    shutil.copytree(zoo.Hub().folder / "models", tmp_path / "models")
    model = zoo.get("kws", hub=tmp_path)
    assert model.entry.stream_ram_bytes == zoo.get("kws").entry.stream_ram_bytes - 100
    zoo.sync(tmp_path, tmp_path / "copy", name=model.name)
    assert zoo.get(name=model.name, hub=tmp_path / "copy").entry == zoo.get("kws").entry
    assert zoo.sync(tmp_path, tmp_path / "copy", name=model.name) == []
    (tmp_path / "alone").mkdir()
    alone = {**values, "models": [row for row in values["models"] if row["name"] == model.name]}
    (tmp_path / "alone" / "index.json").write_text(json.dumps(alone))
    shutil.copytree(tmp_path / "models" / model.name, tmp_path / "alone" / "models" / model.name)
    assert [one.problem for one in zoo.verify(tmp_path / "alone")] == [None]
    values["models"][0]["clip_ram_bytes"] += 4
    (tmp_path / "index.json").write_text(json.dumps(values))
    with pytest.raises(InvalidPackage, match="states other figures"):
        zoo.info(values["models"][0]["name"], hub=tmp_path)


def test_sets_of_words_have_an_order_and_options_add_up(capsys):
    assert zoo.get(words={"stop", "yes", "left"}).words == ("left", "stop", "yes")
    for options in (["stop", "left"], ["stop,left"], ["stop", "--words", "left"]):
        assert main(["get", "--format", "json", "--words", *options]) == 0
        assert json.loads(capsys.readouterr().out)["words"] == ["stop", "left"]


def test_what_is_made_for_a_wish_may_be_asked_for_words_that_its_supernet_knows(tmp_path, monkeypatch):
    asked = []

    def specialize(task, limits, **wish):
        asked.append(limits)
        return zoo.find("kws")[0]

    monkeypatch.setattr("zoo.make.specialize.specialize", specialize)
    monkeypatch.setattr("zoo.ask.lookup.Hub", lambda folder: zoo.Hub())
    model = zoo.get("kws", words=["stop"], max_flash="3kB", specialize=True)
    assert (len(asked), model.words) == (1, ("stop",))
    with pytest.raises(UnknownName, match="no supernet for task 'kws' knows the word 'stp': did you mean stop"):
        zoo.get("kws", words=["stp"], max_flash="3kB", specialize=True)
    assert len(asked) == 1


@pytest.mark.parametrize("labels", ["stop", [3], [["stop"]], ["a\nb"], None])
def test_labels_of_an_index_that_are_none_are_refused(tmp_path, labels):
    values = json.loads((zoo.Hub().folder / "index.json").read_text())
    values["models"][0]["labels"] = labels
    (tmp_path / "index.json").write_text(json.dumps(values))
    with pytest.raises(InvalidPackage, match=r"labels .* not possible"):
        read_index(tmp_path / "index.json")
