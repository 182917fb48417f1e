"""Settings for a place: shown or refused, kept under the same name, and promises that look-ups hold models to."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone
from entries import entry
from hypothesis import given
from hypothesis import strategies as st

import zoo
from supernet.errors import InvalidAudio, InvalidData, InvalidPackage, InvalidQuery, NoModelFits
from supernet.metrics import poisson_upper
from zoo.ask.limits import constraints
from zoo.ask.query import choose
from zoo.cli import main
from zoo.hubs.folder import BUNDLED
from zoo.hubs.index import Index, read_index, write_index
from zoo.package.card import card, pictures
from zoo.package.detected import detection_figures, has_bound, rounded_up
from zoo.package.plots import detection_figure
from zoo.package.read import read_config


def named(entries, **wanted):
    index = Index.of(entries)
    return [index.entry(row).name for row in choose(index, "kws", constraints(**wanted))]


def promising(name, recall, rate, upper, **others):
    return entry(
        name, detection_recall=recall, false_alarms_per_hour=rate, false_alarms_upper=upper, **others
    )  # fmt: skip


MODELS = [
    promising("quiet", 0.8, 0.0, 2.0, validation=0.7),
    promising("short", 0.9, 0.0, 9.0, validation=0.8),
    promising("loud", 0.95, 8.0, 12.0, validation=0.9),
    entry("unknown", validation=0.95),
]


def test_the_upper_bound_keeps_a_limit_of_false_alarms_and_only_if_asked_the_estimate():
    assert named(MODELS, max_false_alarms=4) == ["quiet"]
    assert named(MODELS, max_false_alarms="12") == ["loud", "short", "quiet"]
    assert named(MODELS, max_false_alarms=4, unproven=True) == ["short", "quiet"]
    assert named(MODELS, max_false_alarms=0, unproven=True) == ["short", "quiet"]
    assert named(MODELS, min_recall="90%") == ["loud", "short"]
    assert named(MODELS, min_recall=0.9, max_false_alarms=10) == ["short"]


def test_a_model_without_figures_keeps_no_promise_and_it_is_said_what_to_do():
    with pytest.raises(NoModelFits, match="nearest is unknown with no figure; `earshot tune unknown --negatives"):
        named([MODELS[-1]], max_false_alarms=100)
    with pytest.raises(NoModelFits, match=r"the nearest is loud with 0\.95; ask for min_recall=0\.95"):
        named(MODELS, min_recall=0.99)
    with pytest.raises(InvalidQuery, match="unproven needs max_false_alarms"):
        constraints(unproven=True)
    for wrong in (-1, "many", float("nan"), True):
        with pytest.raises(InvalidQuery, match=r"max_false_alarms = .* is not possible: give a number an hour"):
            constraints(max_false_alarms=wrong)


def test_an_index_keeps_promises_and_one_of_before_has_none(tmp_path):
    path = tmp_path / "index.json"
    write_index(path, MODELS)
    assert set(read_index(path).entries) == set(MODELS)
    values = json.loads(path.read_text())
    for row in values["models"]:
        for name in ("detection_recall", "false_alarms_per_hour", "false_alarms_upper"):
            del row[name]
    path.write_text(json.dumps({**values, "schema": 5}))
    assert {one.false_alarms_upper for one in read_index(path).entries} == {None}
    with pytest.raises(InvalidPackage, match="false_alarms_upper = -1"):
        promising("a", 0.5, 0.0, -1.0)


def test_bounds_follow_from_what_packages_of_before_state():
    stated = {"recall": 0.9, "false_alarms_per_hour": 2.0, "hours": 1.5}
    found = detection_figures(stated)
    assert found["false_alarms_upper"] == pytest.approx(7.754 / 1.5, abs=1e-3)
    assert has_bound(stated)
    assert has_bound({**stated, "alarms": 3, "false_alarms_upper": 5.169})
    assert not has_bound({**stated, "alarms": 3, "false_alarms_upper": 4.0})
    assert not has_bound({**stated, "alarms": 0})
    assert set(detection_figures(None).values()) == {None}


@pytest.fixture
def negatives(tmp_path):
    """Two minutes of tones and noise in three files, and one that cannot be used."""
    folder, rng = tmp_path / "place", np.random.default_rng(0)
    folder.mkdir()
    for number, seconds in enumerate((60, 40, 20)):
        sound = [tone(rng.uniform(200, 4000), 0.5, seed) for seed in range(2 * seconds)]
        soundfile.write(folder / f"{number}.wav", np.concatenate(sound), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


@pytest.fixture
def words(tmp_path):
    for label, frequency in (("up", 300), ("down", 600), ("sideways", 900)):
        (tmp_path / "words" / label).mkdir(parents=True)
        for seed in range(3):
            soundfile.write(tmp_path / "words" / label / f"{seed}.wav", tone(frequency, 0.8, seed), RATE)
    return tmp_path / "words"


def test_too_few_hours_are_refused_with_what_they_can_show_and_nothing_is_made(package, negatives, tmp_path):
    with pytest.raises(InvalidData, match=r"0.0333 hours .* at most 4 .* at 89.9 .* at least 0.749 hours, ask for 89"):
        zoo.tune(package, negatives, 4, into=tmp_path / "hub")
    with pytest.raises(InvalidData, match="no number of hours does"):
        zoo.tune(package, negatives, 0, into=tmp_path / "hub")
    assert not list((tmp_path / "hub").glob("models/*"))
    with pytest.raises(InvalidQuery, match="holds the bundled models"):
        zoo.tune(package, negatives, 100, into=BUNDLED)


def test_copies_count_once_and_clips_are_heard_to_their_ends(package, negatives, tmp_path, caplog):
    """A recording of one clip is as long as it is, and its copy adds nothing."""
    clip = tmp_path / "clips"
    clip.mkdir()
    for number in range(4):
        soundfile.write(clip / f"{number}.wav", tone(300 + 400 * number, 1.0, number), RATE)
    shutil.copy(clip / "0.wav", clip / "copy.wav")
    tuned = zoo.tune(package, [clip, clip / "1.wav"], 1e6, into=tmp_path / "hub")
    stated = read_config(tuned.path).values["detection"]
    assert stated["hours"] == pytest.approx(4 / 3600, rel=0.03)
    assert "2 of 6 negatives are copies of others, and count once" in caplog.text
    events = [event for path in sorted(clip.glob("?.wav")) for event in tuned.detect(path)]
    assert stated["alarms"] >= len(events) - 1


def test_the_same_weights_get_settings_of_the_place(package, negatives, words, tmp_path):
    before = {path.name: path.read_bytes() for path in package.iterdir()}
    tuned = zoo.tune(package, negatives, 1e6, words=words, into=tmp_path / "hub")
    assert {path.name: path.read_bytes() for path in package.iterdir()} == before
    assert tuned.name == package.name
    assert (tuned.path / "model.safetensors").read_bytes() == before["model.safetensors"]
    stated = read_config(tuned.path).values["detection"]
    assert stated["hours"] == pytest.approx(120 / 3600, rel=0.01)
    assert stated["recall_clips"] == 6
    assert stated["sound"] == "place, words"
    assert set(stated["conditions"]) == {"clean", "noise-10", "noise-0", "fainter-12"}
    assert tuned.detection.threshold == stated["threshold"]
    found = zoo.get(task="tones", max_false_alarms=1e6, hub=tmp_path / "hub")
    assert found.entry.false_alarms_upper == pytest.approx(poisson_upper(stated["alarms"]) / stated["hours"], abs=1e-3)
    assert all(not one.problem for one in zoo.verify(tmp_path / "hub"))
    assert "| clean |" in (tuned.path / "README.md").read_text()


def test_what_was_heard_is_not_heard_again(package, negatives, tmp_path, monkeypatch, caplog):
    first = zoo.tune(package, negatives, 1, into=tmp_path / "a", unproven=True, run_dir=tmp_path / "run")
    assert "broken.wav" in caplog.text
    assert "how many words are found is not known" in caplog.text
    monkeypatch.setattr("zoo.make.tune.logits_along", None)
    again = zoo.tune(
        package, sorted(negatives.glob("?.wav")), 1, into=tmp_path / "b", unproven=True, run_dir=tmp_path / "run"
    )
    pair = [read_config(one.path).values["detection"] for one in (first, again)]
    assert {**pair[0], "sound": ""} == {**pair[1], "sound": ""}
    assert "recall" not in pair[0]


def test_the_command_tells_what_is_shown(package, negatives, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["tune", str(package), "--negatives", str(negatives), "--into", "hub", "--max-false-alarms"]
    assert main([*command, "2"]) == 1
    assert "give at least 1.5 hours" in capsys.readouterr().err
    assert main([*command, "2", "--unproven", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["name"] == package.name
    assert said["detection"]["parts"] == 5
    assert main([*command, "2", "--unproven"]) == 0
    shown = capsys.readouterr().out
    assert "how many words are found was not measured" in shown
    assert f"{said['detection']['alarms']:,} in 0.033 held-out hours" in shown
    assert not (tmp_path / "runs").exists()


@given(st.integers(1, 10**7).map(lambda thousandths: thousandths / 1000))
def test_a_bound_that_is_printed_can_be_asked_for(bound):
    """What is printed has three digits, is not less than the bound, and no more than its third digit tells above it."""
    shown = rounded_up(bound)
    assert bound <= shown <= bound * 1.01
    assert float(f"{shown:.3g}") == shown == float(f"{shown:g}")
    assert rounded_up(0) == 0


def test_a_card_draws_the_curve(package_info, package):
    values = read_config(package).values
    curve = [{"threshold": one, "alarms": count, "recall": recall}
             for one, count, recall in ((0.3, 90, 0.95), (0.6, 4, 0.8), (0.9, 0, 0.5))]  # fmt: skip
    conditions = {"clean": {"recall": 0.8, "words": 40, "wrong": 1, "delay_ms": 120, "late_ms": 310}}
    stated = {"threshold": 0.6, "smoothing": 2, "refractory_ms": 500, "hop_ms": 100, "false_alarms_per_hour": 2.0,
              "hours": 2.0, "chosen_on_hours": 1.6, "alarms": 4, "parts": 5, "recall": 0.8, "recall_clips": 40,
              "conditions": conditions, "curve": curve}  # fmt: skip
    told = card({**values, "detection": stated})
    assert "2 false alarms an hour (95 %: at most 4.58), 4 in 2 held-out hours" in told
    assert "120 ms after its end in the median, 95 % of those found within 310 ms" in told
    assert "(detection.png)" in told
    assert pictures({**values, "detection": stated})["detection.png"][:4] == b"\x89PNG"
    assert "detection.png" not in pictures(values)
    axis = detection_figure("words", [(90, 0.95), (4, 0.8), (0, 0.5)], 2.0, "x").axes[0]
    counted, bounds, resolution = (line.get_xdata() for line in axis.lines)
    np.testing.assert_allclose(counted, [45, 2, 0.25])
    assert bounds[2] == pytest.approx(2.996 / 2, rel=1e-3)
    assert list(resolution) == [0.5, 0.5]
    assert axis.get_xscale() == "log"


def test_a_package_whose_bound_is_not_that_of_its_alarms_is_refused(package, tmp_path):
    place = tmp_path / package.name
    shutil.copytree(package, place)
    config = json.loads((place / "config.json").read_text())
    config["detection"] = {
        "threshold": 0.5, "smoothing": 1, "refractory_ms": 500, "hop_ms": 100, "false_alarms_per_hour": 0.0,
        "hours": 1.0, "chosen_on_hours": 1.0, "alarms": 0, "false_alarms_upper": 0.5,
    }  # fmt: skip
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidPackage, match="not those of their number and hours"):
        read_config(place)


def test_what_cannot_be_heard_is_told_by_name(package, negatives, tmp_path):
    with pytest.raises(InvalidAudio, match="nowhere"):
        zoo.tune(package, tmp_path / "nowhere", 4, into=tmp_path / "hub")
    with pytest.raises(InvalidAudio, match="broken"):
        zoo.tune(package, negatives / "broken.wav", 4, into=tmp_path / "hub")
    soundfile.write(tmp_path / "short.wav", tone(900, 0.125), RATE)
    with pytest.raises(InvalidData, match="no recording of the negatives is as long as a clip, 1 s"):
        zoo.tune(package, tmp_path / "short.wav", 1, into=tmp_path / "hub", unproven=True)
    (tmp_path / "words" / "sideways").mkdir(parents=True)
    soundfile.write(tmp_path / "words" / "sideways" / "0.wav", tone(900), RATE)
    with pytest.raises(InvalidData, match=r"no clip of a word that .* detects; give FOLDER/LABEL/\*.wav: up, down"):
        zoo.tune(package, negatives, 1e6, into=tmp_path / "hub", words=tmp_path / "words")
