"""A wake word from its text: made by stand-in voices, published, gone on with, and what cannot be meant refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from conftest import RATE, tone
from named import smallest

import zoo
from supernet.bits import MIXED
from supernet.constants import SILENCE, UNKNOWN
from supernet.data.speech import engine
from supernet.data.speech.base import Engine, Voice
from supernet.data.speech.clips import Speech
from supernet.errors import InfeasibleBudget, InvalidCheckpoint, InvalidData, InvalidQuery, MissingExtra, UnknownName
from supernet.files import load_tensors, read_json, write_bytes, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features
from supernet.nn.network import recalibrate
from supernet.nn.store import save_supernet
from supernet.nn.supernet import Supernet
from zoo.cli import main
from zoo.make import judged, spoken
from zoo.make import word as making
from zoo.make.added import added, keep_added, keep_given
from zoo.make.judged import Judge, _whole, base_detection
from zoo.make.spoken import HARD_TIMES, Amounts, Material, clip_data, clip_length, gathered, with_recordings
from zoo.make.starts import is_bundled
from zoo.make.wake import Plan, Wake, quantised, reopened
from zoo.make.word import Report, word
from zoo.package.detected import curve_of, rounded_up
from zoo.package.read import read_config

AMOUNTS = Amounts(
    words=24, held_words=8, near_texts=12, near=20, held_near=4, others=12, held_others=4, sentences=6,
    held_sentences=8, each_recorded=2,
)  # fmt: skip
PLAN = Plan(epochs=1, again=1, quant_epochs=1, batch=8, evaluations=40, rooms=2)


class Letters(Engine):
    """A stand-in: each letter is a tone of its own for 60 ms, higher or lower by voice."""

    name, licence = "letters", "made by the tests"

    def voices(self):
        return tuple(Voice(f"v{number}", number == 3) for number in range(4))

    def say(self, text, voice, manner):
        time = np.arange(int(0.06 * RATE / manner.speed)) / RATE
        high = 1 + 0.1 * int(voice[1])
        tones = [np.sin(2 * np.pi * (300 + 90 * (ord(letter) % 32)) * high * time) for letter in text]
        return np.concatenate(tones).astype(np.float32)[:, None], RATE


@pytest.fixture(scope="module", autouse=True)
def letters():
    """A speech engine that needs no program."""
    engine.register("letters", Letters())
    yield
    engine.forget("letters")


@pytest.fixture(scope="module")
def places(tmp_path_factory, small_space):
    """A supernet of random weights, and folders for a run, a hub and the cache."""
    root = tmp_path_factory.mktemp("word")
    features = dequantise_features(quantise_features(torch.randn(16, 20, 100, generator=torch.Generator())))
    info = {"name": "tiny", "licence": "cc-by-4.0", "attribution": "made by the tests", "training": {}}
    frontend = Mfcc(coefficients=20, mean=(0.0,) * 20, deviation=(5.0,) * 20)
    save_supernet(root / "start", Supernet(small_space, features), frontend, "x", ("a", "b", "c", "d"), info)
    for number in range(5):
        (root / "room").mkdir(exist_ok=True)
        soundfile.write(root / "room" / f"{number}.wav", tone(900, 3, seed=number), RATE)
    return SimpleNamespace(root=root, run=root / "run", hub=root / "hub", made=None)


@pytest.fixture
def asked(places, monkeypatch):
    """What all runs here ask for, with a cache of their own."""
    for module in ("supernet.data.speech.clips", "zoo.make.spoken"):
        monkeypatch.setattr(f"{module}.CACHE", places.root / "cache")
    monkeypatch.setattr("zoo.make.publish.keep_own_figures", lambda models: None)
    monkeypatch.setattr("zoo.make.renew.device_figures", lambda archs, task: [{} for _ in archs])
    return {"voices": ["letters"], "start": places.root / "start", "amounts": AMOUNTS, "plan": PLAN,
            "negatives": [places.root / "room"], "run_dir": places.run, "hub": places.hub}  # fmt: skip


@pytest.fixture
def made(asked, places):
    """The first model, which is made once."""
    if places.made is None:
        places.made = word("hey robin", "robin", **asked)
    return places.made


def test_a_text_becomes_a_quantised_streaming_model_in_a_hub(made, places):
    model = zoo.get(name=made.model, hub=places.hub)
    assert made.model in [entry.name for entry in zoo.find(task="robin", hub=places.hub)]
    assert (model.labels[0], model.entry.bits) == ("hey_robin", 8)
    assert set(model.labels[1:]) == {UNKNOWN, SILENCE}
    assert model.entry.streamable
    assert [verdict.problem for verdict in zoo.verify(model.path)] == [None]
    stated = read_config(model.path).values["detection"]
    assert stated["threshold"] == made.detection["threshold"] == model.detection.threshold
    assert list(model.detect(np.zeros(2 * RATE, np.int16), 16000)) == []


def test_the_card_tells_what_the_model_rests_on(made, places):
    values = read_config(zoo.get(name=made.model, hub=places.hub).path).values
    assert any("letters: made by the tests" in note for note in values["notes"])
    assert any("no estimate of how real people are heard" in line for line in values["limits"])
    assert values["attribution"].startswith("speech by letters")
    assert "starting weights: made by the tests (cc-by-4.0)" in values["attribution"]
    assert "then rounded to 8-bit weights" in values["training"]["summary"][0]
    assert "recall" not in values["detection"]  # speech made from text is no measurement of it


def test_the_report_has_hours_bound_and_advice(made):
    assert made.synthetic[1] == AMOUNTS.held_words
    assert made.real is None
    hours = made.detection["hours"]
    assert made.real_hours == pytest.approx(3 / 3600, abs=1e-4)
    assert hours > made.real_hours
    text = "\n".join(made.lines())
    assert "made from text: no estimate" in text
    assert "recordings of people unknown" in text
    assert f"at most {rounded_up(made.detection['false_alarms_upper']):g} (95 %)" in text
    assert "--add FOLDER" in text
    assert "an hour of your own room" in text
    assert " finds " in text


def test_fewer_bits_than_eight_are_tuned_at_them(made, places):
    """The rounds are done; only what is made of the last one differs."""
    state = read_json(places.run / making.STATE)
    begin = making.open_start(state["start"])
    wake = Wake(begin, begin.frontend, places.run, PLAN)
    material = making._with_given(making._from_text(state), places.run)
    clips = clip_data("hey_robin", material)
    rounds = sorted(path.parent.name for path in places.run.glob("round*/float.safetensors"))
    network = reopened(wake, rounds[-1], clips)
    chains, apart = (wake.calibration(clips, cut) for cut in (False, True))
    norm = next(name for name, layer in network.layers.items() if layer.gamma is not None)
    heard = network.layers[norm].mean
    assert torch.equal(recalibrate(network, chains, wake.scenes.chain).layers[norm].mean, heard)
    assert not torch.equal(recalibrate(network, apart).layers[norm].mean, heard)  # of clips alone they are others
    recalibrate(network, chains, wake.scenes.chain)
    for bits, epochs, how in ((8, 0, "rounded to 8-bit"), (4, 1, "for 1 epoch at 4"), ("mixed", 1, "for 1 epoch at m")):
        integers, said = quantised(wake, network, clips, bits, f"once-{bits}")
        log = places.run / f"once-{bits}-w{bits}" / "log.json"
        assert (len(read_json(log)) if log.is_file() else 0) == epochs
        assert said.startswith(how)
        least = min(spec.weight_bits for spec in integers.specs if spec.has_weights)
        assert least == bits or (bits == MIXED and least < 8)


def test_a_run_of_another_version_is_not_gone_on_with(made, asked, places, tmp_path):
    state = read_json(places.run / making.STATE)
    for other in ({name: value for name, value in state.items() if name != "recipe"}, {**state, "recipe": 1}):
        write_json(tmp_path / "run" / making.STATE, other)
        for text, more in (("hey robin", {}), (None, {"add": places.root / "room"})):
            with pytest.raises(InvalidQuery, match="a run of another version of Earshot; name another folder"):
                word(text, "robin", **{**asked, **more, "run_dir": tmp_path / "run"})


def test_the_same_command_again_does_nothing_twice(made, asked, monkeypatch):
    def refuse(*args, **others):
        raise AssertionError("trained again")

    monkeypatch.setattr(making, "trained", refuse)
    assert word("hey robin", "robin", **asked).model == made.model


def test_a_run_goes_on_with_the_sound_and_the_voices_that_it_began_with(made, asked, places, monkeypatch, tmp_path):
    monkeypatch.setattr(making, "trained", lambda *_, **__: pytest.fail("trained again"))
    room = places.root / "room"
    away = room.rename(tmp_path / "away")
    assert word("hey robin", "robin", **asked).model == made.model  # it was kept
    away.rename(room)
    soundfile.write(room / "9.wav", tone(700, 1.0), RATE)
    with pytest.raises(
        InvalidQuery, match=r"began with other recordings \(1 are new, 0 are gone\): add new ones by --add"
    ):
        word("hey robin", "robin", **asked)
    (room / "9.wav").unlink()
    monkeypatch.setattr(Letters, "identity", lambda self: ["other"])
    with pytest.raises(InvalidQuery, match=r"the run began with other voices \(letters has others\)"):
        word("hey robin", "robin", **asked)


def test_engines_that_are_new_are_not_heard_in_a_run_that_began_without(monkeypatch):
    old, new = Letters(), Letters()
    new.name = "new"
    monkeypatch.setattr(making, "installed", lambda names=None: [old, new])
    state = {"voice_folders": [], "voice_commands": [], "voices": None}
    assert making.engines_of(state) == [old, new]
    assert making.engines_of({**state, "speakers": {"letters": "0"}}) == [old]


@pytest.mark.parametrize("other", [[], None, {"recipe": making.RECIPE}, "added"])
def test_a_damaged_state_is_told(made, asked, places, tmp_path, other):
    shutil.copytree(places.run, tmp_path / "run")
    state = read_json(places.run / making.STATE)
    write_json(tmp_path / "run" / making.STATE, {**state, "added": "x"} if other == "added" else other)
    with pytest.raises(InvalidCheckpoint, match=r"word\.json: not the state of a run; delete the folder"):
        word("hey robin", "robin", **{**asked, "run_dir": tmp_path / "run"})
    (tmp_path / "run" / making.STATE).unlink()
    with pytest.raises(InvalidQuery, match=r"holds rounds of a run, but no word\.json"):
        word("hey robin", "robin", **{**asked, "run_dir": tmp_path / "run"})


def test_what_a_run_began_with_is_not_added_again(tmp_path, caplog):
    folder = tmp_path / "more" / "hey_robin"
    folder.mkdir(parents=True)
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", tone(300 + 50 * number, 0.8), RATE)
    keep_given(tmp_path, [folder], [], False)
    assert len(added(tmp_path).spoken) == 3
    assert keep_added(tmp_path, tmp_path / "more", "hey_robin", 0) == 0
    assert "the run knows all recordings there" in caplog.text
    shutil.copy(folder / "0.wav", folder / "copy.wav")
    soundfile.write(folder / "new.wav", tone(900, 0.8), RATE)
    shutil.copy(folder / "new.wav", folder / "twice.wav")
    assert keep_added(tmp_path, tmp_path / "more", "hey_robin", 0) == 1
    assert len(added(tmp_path, 1).spoken) == 1


def test_a_run_may_begin_with_more_sound_than_a_model_has_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo.make.added, "load_tensors", lambda path, most=1000: load_tensors(path, most=most))
    soundfile.write(tmp_path / "a.wav", tone(300, 1.0), RATE)
    keep_given(tmp_path, [], [tmp_path / "a.wav"], False)
    assert [len(one) for one in added(tmp_path).negatives] == [RATE]


def test_another_word_in_the_same_folder_is_refused(made, asked):
    with pytest.raises(
        InvalidQuery, match=r"holds another run: text = 'hey sparrow' \(was 'hey robin'\); name another folder"
    ):
        word("hey sparrow", "robin", **asked)
    with pytest.raises(InvalidQuery, match=r"bits = 4 \(was 8\)"):
        word("hey robin", "robin", **asked, bits=4)


def test_recordings_and_false_alarms_continue_a_run(made, asked, places, monkeypatch, tmp_path):
    place = {"run_dir": tmp_path / "run", "hub": tmp_path / "hub"}
    for own, folder in zip((places.run, places.hub), place.values(), strict=True):
        shutil.copytree(own, folder)
    more, voice = tmp_path / "more", Letters()
    for number in range(10):
        said, _ = voice.say("hey robin", f"v{number % 3}", SimpleNamespace(speed=1))
        (more / "hey_robin").mkdir(parents=True, exist_ok=True)
        soundfile.write(more / "hey_robin" / f"{number}.wav", np.pad((0.5 - 0.02 * number) * said[:, 0], 4000), RATE)
    (more / UNKNOWN).mkdir(exist_ok=True)
    soundfile.write(more / UNKNOWN / "20260101-hey_robin.wav", tone(500, 1.5), RATE)
    rounds, heard, trained = [], [], making.trained

    def train(wake, network, data, name, **how):
        rounds.append(name)
        heard.append(data.audio[data.unknown])
        return trained(wake, network, data, name, **how)

    monkeypatch.setattr(making, "trained", train)
    monkeypatch.setattr(making, "fired", lambda _, network, data: [np.full(data.audio.shape[1], 321, np.int16)])
    found = word(None, "robin", add=more, **place)
    assert rounds == ["added1"]
    assert (heard[0] == 321).all(1).sum() == HARD_TIMES
    assert found.model != made.model
    assert found.real[1] == 2
    assert read_json(tmp_path / "run" / "word.json")["added"] == 1
    assert read_config(zoo.get(name=found.model, hub=tmp_path / "hub").path).values["detection"]["recall_clips"] == 2
    left = [entry.name for entry in zoo.find(task="robin", hub=tmp_path / "hub")]
    assert left == [found.model]  # the former one is gone
    shutil.rmtree(more)
    again = word(None, "robin", add=_room(tmp_path / "later"), **place)
    assert rounds == ["added1", "added2"]
    assert again.real_hours == pytest.approx((3 + 2 * 12) / 3600, abs=1e-4)  # the last fifth of two minutes


def _room(folder):
    """Two minutes in which nobody says anything, to add."""
    (folder / UNKNOWN).mkdir(parents=True)
    soundfile.write(folder / UNKNOWN / "room.wav", tone(900, 120, seed=9), RATE)
    return folder


def test_sound_is_added_once_and_kept(tmp_path, caplog):
    folder = tmp_path / "more"
    (folder / "hey_robin").mkdir(parents=True)
    for number in range(3):
        soundfile.write(folder / "hey_robin" / f"{number}.wav", tone(300 + number, 1), RATE)
    assert keep_added(tmp_path, folder, "hey_robin", 0) == 1
    assert keep_added(tmp_path, folder, "hey_robin", 1) == 1
    assert "the run knows all recordings there" in caplog.text
    for number in range(3, 5):
        soundfile.write(folder / "hey_robin" / f"{number}.wav", tone(300 + number, 1), RATE)
    (folder / UNKNOWN).mkdir()
    for seconds in (1, 4.9, 5, 30):
        soundfile.write(folder / UNKNOWN / f"{seconds}.wav", tone(700, seconds), RATE)
    assert keep_added(tmp_path, folder, "hey_robin", 1) == 2
    shutil.rmtree(folder)
    assert [len(added(tmp_path, number).spoken) for number in (1, 2)] == [3, 2]
    found = added(tmp_path, 2)
    assert sorted(len(one) / RATE for one in found.alarms) == [1, 4.9]
    assert sorted(len(one) / RATE for one in found.negatives) == [5, 30]


def test_what_cannot_be_added_leaves_the_run_as_it_is(made, places, tmp_path):
    before = (places.run / making.STATE).read_bytes()
    (tmp_path / "hey_robin").mkdir()
    (tmp_path / "hey_robin" / "a.wav").write_text("no recording")
    with pytest.raises(InvalidData, match="no recordings that can be used"):
        word(None, "robin", add=tmp_path, run_dir=places.run, hub=places.hub)
    assert (places.run / making.STATE).read_bytes() == before


def test_before_training_a_run_may_be_asked_for_anew(asked, tmp_path, monkeypatch):
    def stopped(*args):
        raise InvalidData("stopped")

    monkeypatch.setattr(making, "_from_text", stopped)
    for text in ("hey robin", "hey sparrow"):
        with pytest.raises(InvalidData, match="stopped"):
            word(text, "robin", **{**asked, "run_dir": tmp_path / "run"})
    assert read_json(tmp_path / "run" / making.STATE)["text"] == "hey sparrow"


def test_one_voice_alone_makes_a_model_and_says_what_that_means(asked, places, tmp_path):
    class One(Letters):
        name = "one"

        def voices(self):
            return (Voice("v1"),)

    engine.register("one", One())
    try:
        whole = {**asked, "voices": ["one"], "negatives": [], "run_dir": tmp_path / "run", "hub": tmp_path / "hub"}
        found = word("hey robin", "robin", **whole)
    finally:
        engine.forget("one")
    assert found.synthetic is None
    assert found.detection["hours"] > 0
    limits = read_config(found.path).values["limits"]
    assert any("counted on speech that was trained on" in line for line in limits)


def test_short_negatives_are_heard_as_one(material):
    short = [np.full(RATE * 9 // 10, 50 + number, np.int16) for number in range(50)]
    held = with_recordings(material, [], short, []).held
    assert len(held.real_negatives) == 10
    heard = _whole(held.real_negatives, 2 * RATE)
    assert [len(one) for one in heard] == [9 * RATE]
    assert _whole(short[:2], 2 * RATE) == []


def test_a_phrase_that_no_clip_holds_is_refused(asked, caplog):
    with pytest.raises(
        InvalidQuery, match=r"takes 2\.\d s to say in the median, and a clip has at most 2 s: give a sh"
    ):
        gathered("a" * 20 + " " + "b" * 20, Speech([Letters()]), AMOUNTS, 0, None)
    gathered("a" * 15 + " " + "b" * 13, Speech([Letters()]), AMOUNTS, 0, None)
    assert "of what is said is cut" in caplog.text


def test_what_begins_as_the_word_is_none_of_its_negatives(asked, monkeypatch, tmp_path):
    """In Speech Commands, `forward` and `four` begin as `for` does, and `backward` as `back`."""
    monkeypatch.setattr(spoken, "begins_as", lambda text, phrase: text.startswith(phrase))
    for name in ("validation", "testing"):
        write_bytes(tmp_path / "data" / f"{name}_list.txt", b"")
    for name in ("back", "backward", "bird"):
        (tmp_path / "data" / name).mkdir()
        soundfile.write(tmp_path / "data" / name / "0_nohash_0.wav", tone(440, 1), RATE)
    monkeypatch.setattr(spoken, "common_words", lambda: ("backpack", "car", "bus"))
    said = []
    clips = Speech.clips
    monkeypatch.setattr(Speech, "clips", lambda self, texts, *how: clips(self, said.append([*texts]) or said[-1], *how))
    found = gathered("back", Speech([Letters()]), AMOUNTS, 0, tmp_path / "data")
    assert len(found.others) == 1
    assert {"car", "bus"} <= {*said[-2]}
    assert "backpack" not in said[-2]


def test_words_that_people_said_are_what_thresholds_are_chosen_on(asked, tmp_path, monkeypatch):
    for name in ("validation", "testing"):
        listed = "bird/b_nohash_0.wav\nrobin/a_nohash_0.wav\n" if name == "validation" else ""
        write_bytes(tmp_path / "data" / f"{name}_list.txt", listed.encode())
    for word_said in ("bird", "robin"):
        (tmp_path / "data" / word_said).mkdir()
        for speaker in "abc":
            path = tmp_path / "data" / word_said / f"{speaker}_nohash_0.wav"
            soundfile.write(path, tone(440, 1.5, seed=ord(speaker)), RATE)
    found = gathered("robin", Speech([Letters()]), AMOUNTS, 0, tmp_path / "data")
    assert [len(one) / RATE for one in found.held.real_negatives] == [1.5]  # of bird, by its listed speaker alone
    found = replace(found, held=replace(found.held, real_negatives=[np.zeros(RATE * 60, np.int16)]))
    judge = Judge(None, None, SimpleNamespace(audio=np.zeros((1, RATE)), clip_ms=1000), found, 1.0)
    for least, alone in ((1 / 60, True), (0.1, False)):
        monkeypatch.setattr(judged, "ENOUGH_HOURS", least)
        assert (len(judge.quiet) == 1) == alone


def test_a_model_from_text_alone_has_a_curve_of_held_out_voices(made, places):
    values = read_config(zoo.get(name=made.model, hub=places.hub).path).values
    points = values["detection"]["curve"]
    assert len(points) > 50
    at = next(point for point in points if point["threshold"] == made.detection["threshold"])
    assert at["synthetic_recall"] == made.synthetic[0]
    assert curve_of(values["detection"])[0] == "words that held-out voices made from text"
    assert (Path(made.path) / "detection.png").is_file()


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"text": None}, InvalidQuery, "give the word, such as"),
        ({"text": "rm; x"}, InvalidQuery, "cannot be said"),
        ({"task": "a/b"}, InvalidQuery, "task 'a/b'"),
        ({"bits": 9}, InvalidQuery, "bits = 9 is not possible"),
        ({"max_false_alarms": -1}, InvalidQuery, "max_false_alarms = -1"),
        ({"voice_commands": ["say"]}, InvalidQuery, r"no \{text\} in it"),
        ({"voices": ["nobody"]}, UnknownName, "unknown speech engine 'nobody'"),
        ({"negatives": ["missing"]}, InvalidData, "missing: no recordings"),
        ({"recordings": ["missing"]}, InvalidData, "missing: no recordings"),
        ({"data": "missing"}, InvalidData, "missing: no such folder"),
        ({"add": "missing"}, InvalidQuery, "holds no run to go on with"),
        ({"start": "missing"}, InvalidQuery, "no such bundled supernet"),
        ({"start": "esc10-mbconv"}, InvalidQuery, "family mbconv hear whole clips"),
        ({"voices": "nobody"}, UnknownName, "unknown speech engine 'nobody'"),
        ({"negatives": "missing"}, InvalidData, "missing: no recordings"),
        ({"max_flsh": "1kB"}, InvalidQuery, "max_flsh is neither an option nor a limit: did you mean max_flash"),
        ({"max_macs": 10}, InfeasibleBudget, "raise max_macs"),
        ({"max_flash": "banana"}, InvalidQuery, "max_flash = banana"),
        ({"max_latency_ms": 5, "device": "nowhere"}, UnknownName, "nowhere"),
        ({"device": "nowhere"}, UnknownName, "nowhere"),
        ({"max_latency_ms": 5}, InvalidQuery, "max_latency_ms needs a device"),
        ({"sure": True}, InvalidQuery, "sure is of limits on a device"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(given, error, told, asked, tmp_path):
    whole = {"text": "hey robin", "task": "robin", **asked, "run_dir": tmp_path / "run", **given}
    with pytest.raises(error, match=told):
        word(whole.pop("text"), whole.pop("task"), **whole)
    assert not list(tmp_path.glob("run/packages/*"))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_added_says_what_is_what(made, places, tmp_path):
    with pytest.raises(InvalidData, match="give hey_robin/ with recordings of the word"):
        word(None, "robin", add=tmp_path, run_dir=places.run, hub=places.hub)
    with pytest.raises(InvalidQuery, match=r"bits = 4 \(was 8\)"):
        word(None, "robin", add=tmp_path, run_dir=places.run, hub=places.hub, bits=4)
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "a.wav", tone(500), RATE)
    with pytest.raises(InvalidData, match=r"not other$"):
        word(None, "robin", add=tmp_path, run_dir=places.run, hub=places.hub)


def test_the_command_prints_the_report_and_errors_in_one_line(made, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(making, "word", lambda *args, **how: (asked.append(how), made)[1])
    command = [
        "word",
        "hey robin",
        "--task",
        "robin",
        "--max-flash",
        "32kB",
        "--bits",
        "4",
        "--voice-command",
        "say {text}",
    ]
    assert main(command) == 0
    assert capsys.readouterr().out == "\n".join(made.lines()) + "\n"
    how = asked[0]
    assert (how["text"], how["bits"], how["max_flash"]) == ("hey robin", 4, "32kB")
    assert how["voice_commands"] == ["say {text}"]
    assert main([*command, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == made.model
    monkeypatch.undo()
    assert main(["word", "hey; robin", "--task", "robin"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def material(asked):
    return gathered("hey robin", Speech([Letters()]), AMOUNTS, 0, None)


def test_words_in_validation_are_of_voices_that_training_never_hears(asked, monkeypatch):
    said = {True: set(), False: set()}
    clips = Speech.clips

    def noted(self, texts, seed, held=False, what="", others=False):
        found = clips(self, texts, seed, held, what, others)
        said[held] |= {one.voice for one in found}
        return found

    monkeypatch.setattr(Speech, "clips", noted)
    gathered("hey robin", Speech([Letters()]), AMOUNTS, 0, None)
    assert said == {True: {"v3"}, False: {"v0", "v1", "v2"}}


def test_clips_are_of_the_word_alone_and_others_are_unknown(material):
    data = clip_data("hey_robin", material)
    assert data.labels == ("hey_robin", UNKNOWN, SILENCE)
    assert len(data.splits["train"]) == AMOUNTS.words
    assert not data.splits["train"].targets.any()
    near, running = np.split(data.audio[data.unknown], [AMOUNTS.near + AMOUNTS.others])
    assert len(running) == AMOUNTS.words // 2  # of sentences; there are no recordings
    speech = b"".join(one.tobytes() for one in material.negatives)
    assert [one.tobytes() in speech for one in (*near, *running)] == [False] * len(near) + [True] * len(running)
    validation = np.bincount(data.splits["validation"].targets)
    assert list(validation[:2]) == [AMOUNTS.held_words, AMOUNTS.held_near + AMOUNTS.held_others]
    rows = [set(data.splits["train"].rows), set(data.unknown), set(data.splits["validation"].rows)]
    assert not rows[0] & rows[1]
    assert not (rows[0] | rows[1]) & rows[2]
    word_clip = next(clip for clip in material.words if len(clip) < data.audio.shape[1])
    found = [row for row in data.splits["train"].rows if set(word_clip) <= set(data.audio[row])]
    assert found


def test_recordings_count_as_much_as_is_asked_and_every_fifth_is_held_out(material):
    real = [np.full(RATE, 100 + number, np.int16) for number in range(10)]
    more = with_recordings(material, real, [np.full(100 * RATE, 7, np.int16)], [np.full(RATE, 55, np.int16)])
    assert [int(one[0]) for one in more.held.recordings] == [104, 109]
    assert [len(one) // RATE for one in (*more.real_negatives, *more.held.real_negatives)] == [80, 20]
    data = clip_data("hey_robin", more, share=0.5)
    train = data.splits["train"].rows
    levels = data.audio[train, data.audio.shape[1] // 2]
    assert np.isin(levels, [int(one[0]) for one in more.recordings]).mean() == pytest.approx(0.5, abs=0.02)
    assert (data.audio[data.unknown, data.audio.shape[1] // 2] == 55).sum() == HARD_TIMES


def test_long_words_get_longer_clips():
    words = [np.full(int(1.42 * RATE), 9, np.int16)] * 10
    own = replace(Material(0, words, [], []), clip_ms=clip_length(words))
    assert own.clip_ms == 1500
    assert clip_length([np.zeros(RATE // 2)]) == 1000
    assert clip_length([np.zeros(9 * RATE)]) == 2000


@pytest.mark.parametrize("name", [smallest(4), smallest(8, "dense")])
def test_scores_are_averaged_over_half_a_clip_as_far_as_a_detector_can(name):
    network, longest = zoo.get(name=name).network, 5
    for clip_ms in range(1000, 2001, 100):
        found = base_detection(network, clip_ms)
        assert abs(found.smoothing * found.hop_ms - clip_ms / 2) <= found.hop_ms or found.smoothing == longest
        assert 1 <= found.smoothing <= longest


def test_a_word_begins_with_a_bundled_supernet():
    assert is_bundled(making.START)


@pytest.mark.parametrize(
    ("start", "quick", "rate"), [(None, False, 5e-4), ("kws-micro", False, 2e-3), (None, True, 2e-3)]
)
def test_what_starts_from_many_words_learns_slowly(start, quick, rate, tmp_path, monkeypatch):
    met = []

    def made(state, *arguments):
        met.append(state["plan"])
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "_made", made)
    monkeypatch.setattr(making, "_checked_start", lambda state: None)
    monkeypatch.setattr(making, "_speakers", lambda *_: {})
    with pytest.raises(KeyboardInterrupt):
        word(
            "robin", "robin", run_dir=tmp_path / "run", hub=tmp_path, quick=quick, **({"start": start} if start else {})
        )
    assert (met[0]["rate"], met[0]["again_rate"]) == (rate, rate / 2)


def test_a_report_says_what_the_hours_cannot_show():
    detection = {
        "alarms": 0,
        "hours": 1.0,
        "false_alarms_per_hour": 0.0,
        "threshold": 0.9,
        "smoothing": 3,
        "hop_ms": 100,
        "curve": [{"threshold": 0.3, "alarms": 4, "recall": 0.9}, {"threshold": 0.5, "alarms": 1, "recall": 0.8},
                  {"threshold": 0.6, "alarms": 1, "recall": 0.75}, {"threshold": 0.9, "alarms": 0, "recall": 0.5}],
    }  # fmt: skip
    report = Report("m", "h", "p", "l", detection, (0.9, 10), (0.8, 5), 0.5, 12.0, 1.0)
    text = "\n".join(report.lines())
    assert "at most 3 (95 %); at most 1 is not shown: that takes 3 hours without one" in text
    assert "80.0 % of 5" in text
    points = [line.strip() for line in report.lines() if " finds " in line]
    assert points == [
        "threshold 0.9 finds 50.0 % with 0 alarms in all of them, 0 an hour",
        "threshold 0.5 finds 80.0 % with 1 alarms in all of them, 1 an hour",
        "threshold 0.3 finds 90.0 % with 4 alarms in all of them, 4 an hour",
    ]
    assert "is not shown" not in "\n".join(replace(report, limit=3.0).lines())


def test_commands_alone_hold_out_the_last(monkeypatch):
    def none(names=None):
        raise MissingExtra("no voices")

    monkeypatch.setattr(making, "installed", none)
    state = {"voice_folders": [], "voice_commands": ["one {text}", "two {text}"], "voices": None}
    found = making.engines_of(state)
    assert [[voice.held for voice in one.voices()] for one in found] == [[False], [True]]
    with pytest.raises(MissingExtra):
        making.engines_of({**state, "voices": ["espeak"]})


@pytest.mark.parametrize(("named", "neural"), [(False, False), (False, True), (True, False)])
def test_voices_of_rules_alone_are_told(monkeypatch, caplog, named, neural):
    ruled, other = Letters(), Letters()
    other.neural = neural
    monkeypatch.setattr(making, "installed", lambda names=None: [ruled, other])
    monkeypatch.setattr(making, "gathered", lambda *_: None)
    state = {"voice_folders": [], "voice_commands": [], "voices": ["letters"] if named else None}
    making._from_text({**state, "data": None, "text": "hey", "amounts": {}, "seed": 0})
    assert ("pip install 'earshot[voices]'" in caplog.text) == (not named and not neural)


def test_a_folder_of_the_word_alone_is_not_enough(monkeypatch, tmp_path):
    def none(names=None):
        raise MissingExtra("no voices")

    monkeypatch.setattr(making, "installed", none)
    (tmp_path / "hey_robin").mkdir()
    soundfile.write(tmp_path / "hey_robin" / "anna_0.wav", tone(300, 1), RATE)
    with pytest.raises(MissingExtra, match="other words than those of the folder must be said, too: no voices"):
        making.engines_of({"voice_folders": [str(tmp_path)], "voice_commands": [], "voices": None})
