"""Conditions of an evaluation: what clips are heard in is what the name says, and the same for all models."""

import dataclasses

import numpy as np
import pytest
import soundfile
from named import smallest

import zoo
from supernet.data.audio import from_int16, to_int16
from supernet.errors import InvalidQuery
from supernet.frontend.base import quantise
from supernet.frontend.mfcc import Mfcc
from zoo.cli import main
from zoo.make.package import split_figures
from zoo.run.conditions import CONDITIONS, InCondition, Surroundings, chosen_conditions, condition_figures, vary
from zoo.run.evaluate import _noise_in

RATE = 16_000
MODEL = smallest(8)


@pytest.fixture(scope="module")
def around() -> Surroundings:
    rng, time = np.random.default_rng(0), np.arange(RATE) / RATE
    clips = np.stack([0.2 * np.sin(2 * np.pi * hertz * time) for hertz in (300, 500, 700)]).astype(np.float32)
    noise = [rng.standard_normal(3 * RATE).astype(np.float32)]
    rooms = np.zeros((2, RATE), np.float32)
    rooms[:, 0], rooms[:, 4000] = 0.8, 0.6
    return Surroundings(clips, np.array([0, 1, 1]), RATE, noise, rooms)


def level(samples: np.ndarray) -> float:
    """In dB."""
    return 10 * np.log10(np.square(samples, dtype=float).mean())


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_is_heard_repeats_and_is_within_16_bits(name, around):
    made = vary(name, around)
    assert np.array_equal(made, vary(name, around))
    assert made.shape == around.clips.shape
    steps = made * 32768
    assert np.array_equal(steps, np.round(steps))
    assert -32768 <= steps.min() <= steps.max() <= 32767


@pytest.mark.parametrize(("name", "gain"), [("clean", 0), ("fainter-20", -20), ("fainter-30", -30), ("louder-10", 10)])
def test_gains_move_the_level(name, gain, around):
    for clip, made in zip(around.clips, vary(name, around), strict=True):
        assert level(made) - level(clip) == pytest.approx(gain, abs=0.05)


def test_what_is_too_loud_is_clipped(around):
    made = vary("louder-20", around)
    assert made.max() == 32767 / 32768
    assert made.min() == -1
    assert (np.abs(made) > 0.999).mean() > 0.5


@pytest.mark.parametrize(("name", "ratio"), [("noise-20", 20), ("noise-10", 10), ("noise-5", 5), ("noise-0", 0)])
def test_noise_is_at_the_ratio_that_the_name_says(name, ratio, around):
    for clip, made in zip(around.clips, vary(name, around), strict=True):
        assert level(clip) - level(made - clip) == pytest.approx(ratio, abs=0.2)


def test_the_other_voice_is_of_another_class(around):
    for number, made in enumerate(vary("voice-10", around)):
        added = made - around.clips[number]
        assert level(around.clips[number]) - level(added) == pytest.approx(10, abs=0.1)
        hertz = np.abs(np.fft.rfft(added)).argmax()
        assert hertz in {0: (500, 700)}.get(number, (300,))


def test_silence_is_no_voice_and_gets_none(around):
    silent = dataclasses.replace(around, sounds=np.array([0, -1, -1]))
    assert np.array_equal(vary("voice-10", silent), vary("clean", silent))
    two = dataclasses.replace(around, sounds=np.array([0, 1, -1]))
    made = vary("voice-10", two)
    assert np.array_equal(made[2], vary("clean", two)[2])
    assert np.abs(np.fft.rfft(made[0] - two.clips[0])).argmax() == 500


def test_clips_in_16_bits_are_heard_the_same_and_in_parts(around):
    whole = dataclasses.replace(around, clips=to_int16(around.clips))
    for name in ("clean", "voice-10", "room"):
        made = vary(name, whole)
        np.testing.assert_allclose(made, vary(name, around), atol=2 / 32768)
        assert np.array_equal(vary(name, whole, range(1, 3)), made[1:])


def test_a_model_of_some_words_hears_what_the_whole_hears(words, monkeypatch):
    heard = []
    monkeypatch.setattr("zoo.run.evaluate.heard_in", lambda name, around, *more: (
        heard.append(vary(name, around)) or InCondition(name, 1, len(around.sounds))
    ))  # fmt: skip
    model = zoo.get(name=MODEL)
    for own in (model, model.knowing("stop")):
        own.evaluate(words, conditions=["voice-10"], progress=False)
    assert len(heard) == 4
    assert np.array_equal(heard[1], heard[3])


def test_conditions_that_were_heard_are_not_heard_again(words, tmp_path, monkeypatch):
    model = zoo.get(name=MODEL)
    first = model.evaluate(words, conditions=["noise-0"], progress=False, run_dir=tmp_path / "run")
    monkeypatch.setattr("zoo.run.evaluate.heard_in", None)
    again = model.evaluate(words, conditions=["noise-0"], progress=False, run_dir=tmp_path / "run")
    assert again.conditions == first.conditions


def test_a_room_keeps_the_level_and_adds_an_echo(around):
    for clip, made in zip(around.clips, vary("room", around), strict=True):
        assert level(made) == pytest.approx(level(clip), abs=0.1)
    impulse = np.zeros((1, RATE), np.float32)
    impulse[0, 100] = 0.5
    [heard] = vary("room", Surroundings(impulse, np.array([0]), RATE, around.noise, around.rooms))
    assert np.flatnonzero(np.abs(heard) > 1e-3).tolist() == [100, 4100]


@pytest.mark.parametrize(("name", "moved"), [("early-200", -3200), ("late-200", 3200)])
def test_shifts_move_the_sound_and_leave_silence(name, moved, around):
    for clip, made in zip(around.clips, vary(name, around), strict=True):
        kept = slice(max(0, moved), RATE + min(0, moved))
        np.testing.assert_allclose(made[kept], np.roll(clip, moved)[kept], atol=1 / 32768)
        assert not np.delete(made, np.arange(RATE)[kept]).any()


def test_silence_stays_silence_in_noise(around):
    silent = Surroundings(np.zeros((1, RATE), np.float32), np.array([0]), RATE, around.noise, around.rooms)
    assert not any(vary(name, silent).any() for name in CONDITIONS)


def test_names_are_chosen_in_order_and_wrong_ones_are_refused():
    assert chosen_conditions(True) == tuple(CONDITIONS)
    assert chosen_conditions(False) == ()
    assert chosen_conditions("noise-10") == ("clean", "noise-10")
    assert chosen_conditions(name for name in ("room",)) == ("clean", "room")
    with pytest.raises(InvalidQuery, match="condition 3 is unknown"):
        chosen_conditions(3)
    assert chosen_conditions(["room", "noise-10"]) == ("clean", "noise-10", "room")
    with pytest.raises(InvalidQuery, match="condition 'rom' is unknown: did you mean room"):
        chosen_conditions(["rom"])


@pytest.fixture
def words(tmp_path):
    for path in (zoo.Hub().folder.parent / "clips").glob("*.wav"):
        (tmp_path / path.stem).mkdir()
        (tmp_path / path.stem / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_an_evaluation_states_its_conditions(words):
    model = zoo.get(name=MODEL)
    found = model.evaluate(words, conditions=["noise-0", "fainter-20"], progress=False)
    assert [one.condition for one in found.conditions] == ["clean", "fainter-20", "noise-0"]
    assert found.conditions[0].accuracy == found.accuracy
    assert {one.clips for one in found.conditions} == {found.clips}
    stated = found.to_dict()["conditions"]["clean"]
    assert stated == {"accuracy": 1.0, "interval": [round(end, 6) for end in found.interval], "clips": found.clips}
    assert "conditions" not in model.evaluate(words, progress=False).to_dict()


def test_the_command_prints_a_line_for_each_condition(words, capsys):
    assert main(["evaluate", MODEL, str(words), "--conditions", "fainter-30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "% to " in line][-2:] == ["clean", "fainter-30"]
    assert main(["evaluate", MODEL, str(words), "--conditions", "loud"]) == 2
    assert "condition 'loud' is unknown" in capsys.readouterr().err


def test_figures_of_test_have_all_conditions(speech_data, integers):
    found = split_figures(integers, Mfcc(), speech_data, "test")
    assert tuple(found["conditions"]) == tuple(CONDITIONS)
    plain = {key: found[key] for key in ("accuracy", "interval", "clips")}
    assert found["conditions"]["clean"] == plain
    rows, targets = speech_data.splits["test"].rows, speech_data.splits["test"].targets
    quiet = from_int16(to_int16(from_int16(speech_data.audio[rows]) / 10))
    answers = integers(quantise(Mfcc()(quiet))).argmax(1)
    assert found["conditions"]["fainter-20"]["accuracy"] == round((answers == targets).mean(), 6)
    assert "conditions" not in split_figures(integers, Mfcc(), speech_data, "validation")


def test_without_rooms_the_others_are_measured(speech_data, integers, monkeypatch, caplog):
    monkeypatch.setattr("zoo.run.conditions.lacking", lambda name: f"{name} is missing")
    assert set(CONDITIONS) - set(condition_figures(integers, Mfcc(), speech_data, "test", False)) == {"room"}
    assert "not measured in rooms; pyroomacoustics is missing" in caplog.text


def test_without_rooms_all_others_are_evaluated_and_a_named_one_is_refused(words, monkeypatch, capsys, caplog):
    monkeypatch.setattr("supernet.extras.find_spec", lambda name: None if name == "pyroomacoustics" else name)
    assert main(["evaluate", MODEL, str(words), "--conditions"]) == 0
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "% to " in line]
    assert lines[-12:] == [name for name in CONDITIONS if name != "room"]
    [said] = caplog.messages
    assert said.startswith("not measured in rooms; this needs pyroomacoustics, which is not installed: ")
    assert main(["evaluate", MODEL, str(words), "--conditions", "room"]) == 1
    assert "this needs pyroomacoustics, which is not installed" in capsys.readouterr().err


def test_noise_is_what_training_does_not_hear(speech_data, words):
    """The last fifth of each recording."""
    assert speech_data.held_noise
    for heard, held in zip(speech_data.noise, speech_data.held_noise, strict=True):
        assert len(heard) == 4 * len(held)
    (words / "_background_noise_").mkdir()
    long = np.concatenate([np.zeros(8 * RATE), np.full(2 * RATE, 0.5)])
    for name, samples in (("long", long), ("short", np.full(RATE // 2, 0.25))):
        soundfile.write(words / "_background_noise_" / f"{name}.wav", samples, RATE)
    found = _noise_in(zoo.get(name=MODEL), words)
    assert [(len(item), item.max()) for item in found] == [(2 * RATE, 0.5), (RATE // 10, 0.25)]
