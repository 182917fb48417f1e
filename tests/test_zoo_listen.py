"""A model that listens: the events of `detect`, while sound comes, from a file, a pipe or a microphone."""

import io
import json
import re
import struct
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from named import smallest

import zoo
from supernet.errors import InvalidAudio, InvalidQuery, MissingExtra, UnknownName
from zoo.cli import main
from zoo.package.facts import detection_text, facts

MODEL, LOOKS_AHEAD = smallest(8), "esc10-mbconv-0.51M-w8a8-cc5847fb"
RATE, CLIPS = 16_000, Path(__file__).parent.parent / "zoo" / "clips"
SPOKEN = ("stop", "yes", "go")
SOUND = np.concatenate(
    [
        part
        for word in SPOKEN
        for part in (np.zeros(RATE, np.int16), soundfile.read(CLIPS / f"{word}.wav", dtype="int16")[0])
    ]
)
SAID = f"{MODEL} has no settings of its own: unless others are given, threshold 0.8"


@pytest.fixture(scope="module")
def model() -> zoo.Model:
    return zoo.get(name=MODEL)


@pytest.fixture(scope="module")
def detector(model):
    return model.detector(threshold=0.6)


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("listen") / "night.wav"
    soundfile.write(path, SOUND, RATE)
    return path


GUID = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the kind of sound in an extensible header."""


class Pipe:
    """What is read a few bytes at a time. taken: how many bytes were read."""

    def __init__(self, data: bytes, sizes=(10**9,)) -> None:
        self.data, self.sizes, self.taken, self.reads = data, sizes, 0, 0

    def read(self, size: int) -> bytes:
        size = min(size, self.sizes[self.reads % len(self.sizes)])
        found = self.data[self.taken : self.taken + size]
        self.taken, self.reads = self.taken + len(found), self.reads + 1
        return found


def wav(data: bytes, channels=1, rate=RATE, bits=16, size=None, before=b"", kind=1, extensible=False) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 65534 if extensible else kind, channels, rate, rate * frame, frame, bits)
    form += struct.pack("<HHIH14s", 22, bits, 4, kind, GUID) * extensible
    size = len(data) if size is None else size
    return b"".join(
        [b"RIFF", struct.pack("<I", 0xFFFFFFFF), b"WAVE", before, b"fmt ", struct.pack("<I", len(form)), form, b"data",
         struct.pack("<I", size), data]
    )  # fmt: skip


def listened(model, detector, source, **way) -> list[dict]:
    return list(model.listen(source, detector, **way))


def test_detect_run_and_listen_give_the_same_events(model, detector, recording):
    events = model.detect(SOUND, RATE, threshold=0.6)
    assert [event["label"] for event in events] == list(SPOKEN)
    starts = [second + 1 for second in (0, 2, 4)]
    assert all(start < event["time_s"] < start + 1.6 for start, event in zip(starts, events, strict=True))
    assert listened(model, detector, recording) == events
    assert listened(model, detector, Pipe(SOUND.tobytes())) == events
    assert listened(model, detector, Pipe(wav(SOUND.tobytes()))) == events
    assert listened(model, detector, Pipe(wav(SOUND.tobytes(), extensible=True))) == events
    assert list(model.run(recording, detect=detector)) == [{"file": str(recording), "detected": events}]


@pytest.mark.parametrize("sizes", [(1,), (7, 320, 3), (4096,), (100_001,)])
def test_the_sizes_of_what_comes_do_not_matter(model, detector, sizes):
    data = SOUND[: 2 * RATE] if sizes == (1,) else SOUND
    events = model.detect(data, RATE, threshold=0.6)
    assert events
    assert listened(model, detector, Pipe(data.tobytes(), sizes)) == events


def test_an_event_is_told_before_more_than_a_tenth_of_a_second_has_come(model, detector):
    pipe = Pipe(SOUND.tobytes())
    for event in model.listen(pipe, detector):
        known = round(event["time_s"] * RATE)
        assert known <= pipe.taken // 2 <= known + RATE // 10


def test_a_model_that_looks_ahead_answers_meanwhile_too():
    model = zoo.get(name=LOOKS_AHEAD)
    samples = np.resize(SOUND, 8 * RATE)
    detector = model.detector(threshold=0.01)
    pipe, events = Pipe(samples.tobytes()), []
    for event in model.listen(pipe, detector):
        assert pipe.taken // 2 <= round(event["time_s"] * RATE) + RATE // 10
        events.append(event)
    assert events
    assert events == model.detect(samples, RATE, threshold=0.01)


def test_it_ends_after_so_much_sound_or_so_many_events(model, detector):
    assert listened(model, detector, Pipe(SOUND.tobytes()), count=1) == model.detect(SOUND, RATE, threshold=0.6)[:1]
    pipe = Pipe(SOUND.tobytes())
    assert listened(model, detector, pipe, seconds=3.95) == model.detect(SOUND[: int(3.95 * RATE)], RATE, threshold=0.6)
    assert pipe.taken == 2 * 4 * RATE
    for wrong in ({"seconds": 0}, {"seconds": float("nan")}, {"count": 0}, {"count": 1.5}, {"seconds": True}):
        with pytest.raises(InvalidQuery, match=f"^{next(iter(wrong))} = "):
            model.listen(pipe, detector, **wrong)


def test_sound_of_events_is_kept(model, detector, recording, tmp_path):
    parts = []
    events = listened(model, detector, recording, save=tmp_path / "kept", heard=parts.append)
    assert np.array_equal(np.concatenate(parts), SOUND)
    for event in events:
        samples, rate = soundfile.read(event["file"], dtype="int16")
        end = round(event["time_s"] * RATE)
        assert rate == RATE
        assert np.array_equal(samples, SOUND[max(0, end - 3 * RATE // 2) : end])
        assert Path(event["file"]).name == f"night-{event['time_s']:08.2f}-{event['label']}.wav"
    assert len(list((tmp_path / "kept").iterdir())) == len(events) == 3
    (event,) = listened(model, detector, Pipe(SOUND.tobytes()), save=tmp_path, count=1)
    assert Path(event["file"]).stem.endswith("-stop")
    assert Path(event["file"]).stem[:8].isdigit()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidQuery, match=r"^--save .*file: not a folder"):
        listened(model, detector, recording, save=tmp_path / "file")


def test_wav_from_a_pipe_is_known_by_its_header(model, detector):
    sound = SOUND[: 2 * RATE]
    events = model.detect(sound, RATE, threshold=0.6)
    assert [event["label"] for event in events] == ["stop"]
    two = np.stack([sound, 0 * sound], 1)
    wide = np.ascontiguousarray(sound.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    noise = np.random.default_rng(0).integers(-9000, 9000, 3 * RATE).astype(np.int16).tobytes()
    for data, channel in [
        (wav(sound.tobytes(), size=0xFFFFFFFF), None),
        (wav(sound.tobytes(), size=0), None),
        (wav(sound.tobytes(), size=0x7FFFF000, before=b"LIST\x04\0\0\0INFO"), None),
        (wav(sound.tobytes()) + b"LIST" + noise, None),
        (wav(two.tobytes(), 2), 1),
        (wav(wide, bits=24), None),
        (wav((sound.astype("<i4") << 16).tobytes(), bits=32), None),
        (wav(sound.tobytes()) + b"\0", None),
    ]:
        assert listened(model, detector, Pipe(data), channel=channel) == events


def test_what_a_pipe_holds_is_refused_by_its_fault(model, detector, recording, caplog):
    eight = np.clip(SOUND[::2] // 256 + 128, 0, 255).astype(np.uint8).tobytes()
    raw, mp3 = SOUND.tobytes(), io.BytesIO()
    soundfile.write(mp3, SOUND, RATE, format="MP3")
    for data, way, message in [
        (b"", {}, "^-: no samples"),
        (b"\0", {}, "^-: no samples"),
        (b"fLaC" + raw, {}, "^-: FLAC is not heard while it comes; send raw samples or WAV"),
        (b"RIFX" + raw, {}, "^-: WAV of high bytes first is not heard while it comes"),
        (b"riff" + raw, {}, "^-: W64 is not heard while it comes"),
        (b"\x1aE\xdf\xa3" + raw, {}, "^-: WebM is not heard while it comes"),
        (mp3.getvalue(), {}, "^-: MP3 is not heard while it comes; send raw samples or WAV"),
        (wav(raw, kind=3, bits=32, extensible=True), {}, r"^-: no WAV that can be heard while it comes"),
        (wav(raw)[:30], {}, r"^-: no WAV that can be heard while it comes \(its header is cut short\)"),
        (wav(raw, kind=3, bits=32), {}, r"^-: no WAV that can be heard .*unknown format: 3"),
        (wav(eight, rate=8000, bits=8), {}, "^-: 8000 Hz holds no sound above 4000 Hz"),
        (raw, {"rate": 8000}, "^-: 8000 Hz holds"),
        (raw, {"rate": 0}, "^-: sampling rate 0 is not possible"),
        (wav(raw), {"rate": 8000}, "^-: its own rate is 16000 Hz, not 8000; leave rate out"),
        (raw, {"channel": 2}, "^-: channel 2 is not there"),
    ]:
        with pytest.raises(InvalidAudio, match=message):
            listened(model, detector, Pipe(data), **way)
    with pytest.raises(InvalidAudio, match="its own rate is 16000 Hz"):
        listened(model, detector, recording, rate=8000)
    with pytest.raises(InvalidAudio, match="no such file"):
        listened(model, detector, "nowhere.wav")
    assert not caplog.messages  # nothing was resampled


def test_sound_of_another_rate_is_resampled(model, detector, caplog):
    eight = np.clip(SOUND[::2] // 256 + 128, 0, 255).astype(np.uint8).tobytes()
    listened(model, detector, Pipe(wav(eight, rate=8000, bits=8)), resample=True)
    assert caplog.messages == ["-: resampled from 8000 Hz to 16000 Hz"]
    fast = np.repeat(SOUND, 3)
    assert listened(model, detector, Pipe(fast.tobytes()), rate=48_000) == model.detect(fast, 48_000, threshold=0.6)


class Microphone(types.ModuleType):
    """A sounddevice whose microphone hears SOUND at one rate. lost: parts before which samples are lost."""

    PortAudioError, busy = type("PortAudioError", (Exception,), {}), False

    def __init__(self, rate: int, lost=()) -> None:
        super().__init__("sounddevice")
        self.rate, self.lost, self.closed = rate, lost, False

    def check_input_settings(self, samplerate, **_) -> None:
        if samplerate != self.rate:
            raise self.PortAudioError("Invalid sample rate")

    def query_devices(self, device, kind) -> dict:
        return {"default_samplerate": float(self.rate)}

    def InputStream(self, samplerate, device, channels, dtype):  # noqa: N802
        self.check_input_settings(samplerate)
        if device == "none":
            raise ValueError("No input device matching 'none'")
        assert (channels, dtype) == (1, "int16")
        self.parts, self.count = np.repeat(SOUND, self.rate // RATE)[:, None], 0
        return self

    def __enter__(self):
        if self.busy:
            raise self.PortAudioError("Device unavailable")
        return self

    def __exit__(self, *_) -> None:
        self.closed = True

    def read(self, size: int) -> tuple[np.ndarray, bool]:
        part = self.parts[self.count * size : (self.count + 1) * size]
        self.count += 1
        if len(part) < size:
            raise KeyboardInterrupt
        return part, self.count in self.lost


def test_a_microphone_is_heard_at_its_own_rate(model, detector, monkeypatch, caplog):
    for rate in (RATE, 48_000):
        device = Microphone(rate, lost=(2, 5) if rate == RATE else ())
        monkeypatch.setitem(sys.modules, "sounddevice", device)
        heard = listened(model, detector, "microphone", seconds=5.9)
        assert heard == model.detect(np.repeat(SOUND, rate // RATE)[: int(5.9 * rate)], rate, threshold=0.6)
        assert device.closed
    assert caplog.messages == [
        "microphone: samples were lost, since they came faster than they were heard",
        "microphone: samples were lost 2 times",
        "microphone: resampled from 48000 Hz to 16000 Hz",
        "clip: resampled from 48000 Hz to 16000 Hz",
    ]
    for way in ({"microphone": "none"}, {"rate": 44_100}):
        with pytest.raises(InvalidAudio, match=r"^microphone: .*; `python -m sounddevice` lists what there is"):
            listened(model, detector, "microphone", **way)


def test_a_microphone_that_does_not_start_is_one_line(model, detector, monkeypatch):
    device = Microphone(RATE)
    device.busy = True
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    with pytest.raises(InvalidAudio, match=r"^microphone: Device unavailable; `python -m sounddevice` lists"):
        listened(model, detector, "microphone")


def test_what_a_microphone_needs_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["listen", MODEL, "--threshold", "0.5"]) == 1
    assert "this needs sounddevice, which is not installed" in capsys.readouterr().err
    monkeypatch.setattr(
        "zoo.run.listen.load", lambda name: (_ for _ in ()).throw(OSError("PortAudio library not found"))
    )
    assert main(["listen", MODEL, "--threshold", "0.5"]) == 1
    assert (
        "the microphone needs PortAudio, which is not installed: apt install libportaudio2" in capsys.readouterr().err
    )
    with pytest.raises(MissingExtra):
        next(zoo.get(name=MODEL).listen())


DEAF = f"""
import sys
sys.modules["sounddevice"] = None
from zoo.cli import main
sys.exit(main(["listen", {MODEL!r}, "--threshold", "0.5"]))
"""


@pytest.mark.parametrize("way", ["pipe", "file", "nothing"])
def test_without_a_microphone_what_is_piped_in_is_told_how_it_is_heard(way, recording):
    with recording.open("rb") as file:
        fed = {"pipe": subprocess.PIPE, "file": file, "nothing": subprocess.DEVNULL}[way]
        done = subprocess.run([sys.executable, "-c", DEAF], stdin=fed, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    more = "" if way == "nothing" else "; or, for what is piped into standard input, --input -"
    assert (
        re.fullmatch(r"earshot: this needs sounddevice, which is not installed: [^;\n]*(.*)\n", done.stderr)[1] == more
    )


@pytest.mark.parametrize(
    ("given", "how"), [(["-"], "-"), (["--count", "1", "-"], "-"), (["my night.flac"], "'my night.flac'")]
)
def test_what_is_heard_is_no_word_of_its_own(given, how, capsys):
    with pytest.raises(SystemExit) as end:
        main(["listen", MODEL, *given])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert (
        said == f"earshot: {given[-1]}: give what is heard by --input, as in --input {how}; see earshot listen --help\n"
    )


def test_a_pipe_that_ends_before_a_clip_is_an_error(model, detector, monkeypatch, capsys, tmp_path):
    for data, said in ((b"hello\n", "0.00"), (bytes(2 * RATE - 2), "1.00"), (wav(bytes(RATE)), "0.50")):
        with pytest.raises(
            InvalidAudio, match=rf"^-: ended after {said} s, before one clip of 1 s was heard; send more"
        ):
            listened(model, detector, Pipe(data))
    assert listened(model, detector, Pipe(bytes(2 * RATE))) == []
    assert listened(model, detector, Pipe(bytes(RATE)), seconds=0.25) == []
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))
    assert main(["listen", MODEL, "--input", "-", "--threshold", "0.5"]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "earshot: -: ended after 0.00 s, before one clip of 1 s was heard" in found.err


def test_a_short_recording_is_heard_to_its_end(model, detector, tmp_path):
    """With silence behind it, as `earshot run` hears it."""
    soundfile.write(tmp_path / "short.wav", SOUND[: RATE // 2], RATE)
    assert listened(model, detector, tmp_path / "short.wav") == []


def test_the_command_ends_cleanly_when_it_is_interrupted(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", Microphone(RATE))
    monkeypatch.setattr(sys, "stderr", shown := io.StringIO())
    shown.isatty = lambda: True
    assert main(["listen", MODEL, "--threshold", "0.6"]) == 1
    assert [line.split("\t")[1].split()[0] for line in capsys.readouterr().out.splitlines()] == list(SPOKEN)
    assert " dB |" in shown.getvalue()
    assert shown.getvalue().endswith("\rearshot: interrupted\n")


def test_the_command_gives_a_line_an_event(recording, capsys, caplog):
    events = zoo.get(name=MODEL).detect(recording, threshold=0.6)
    asked = ["listen", MODEL, "--input", str(recording), "--threshold", "0.6"]
    assert main([*asked, "--format", "json"]) == 0
    found = capsys.readouterr()
    assert [json.loads(line) for line in found.out.splitlines()] == events
    assert found.err == ""
    assert main([*asked, "--labels", "stop,go", "--threshold", "go=1"]) == 0
    first = events[0]
    assert capsys.readouterr().out == f"{first['time_s']:.2f} s\tstop {first['score']:.3f}\n"
    assert main([*asked, "--count", "1", "--labels", "yes"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_run_detects_in_text_json_and_csv(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, np.zeros(RATE, np.int16), RATE)
    events = zoo.get(name=MODEL).detect(recording, threshold=0.6)
    asked = ["run", MODEL, str(recording), str(quiet), "--detect", "--threshold", "0.6"]
    assert main(asked) == 0
    lines = [f"{recording}\t{one['time_s']:.2f} s\t{one['label']} {one['score']:.3f}" for one in events]
    assert capsys.readouterr().out.splitlines() == [*lines, f"{quiet}\tno events"]
    assert main([*asked, "--format", "json"]) == 0
    found = [{"file": str(recording), "detected": events}, {"file": str(quiet), "detected": []}]
    assert json.loads(capsys.readouterr().out) == found
    assert main([*asked, "--format", "csv"]) == 0
    rows = [f"{recording},{one['time_s']},{one['label']},{one['score']:.6f}" for one in events]
    assert capsys.readouterr().out.splitlines() == ["file,time_s,label,score", *rows]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "stop"], "--labels is for --detect alone"),
        (["--detect", "--events", "0.5"], "--events is not for --detect"),
        (["--detect", "--top", "2"], "--top is not for --detect"),
        (["--detect", "--threshold", "2"], "--threshold = 2 is not possible: give a share from 0 to 1"),
        (["--detect", "--threshold", "stop=x"], "--threshold stop = x is not possible"),
        (["--detect", "--threshold", "0"], "threshold = 0.0 is not possible: give a share above 0"),
        (["--detect", "--threshold", "0.5", "--threshold", "0.6"], "--threshold is given twice"),
        (["--detect", "--threshold", "a=0.5", "--threshold", "a=0.6"], "--threshold a is given twice"),
        (["--detect", "--threshold", "go=0.5", "--labels", "stop"], "threshold of 'go', which labels leave out"),
    ],
)
def test_options_that_do_not_go_together_are_named(recording, capsys, options, message):
    assert main(["run", MODEL, str(recording), *options]) == 2
    assert capsys.readouterr().err.startswith(f"earshot: {message}")


def test_one_label_is_a_label_and_not_its_letters(model, recording):
    alone = model.detect(recording, threshold="60%", labels="stop")
    assert alone == model.detect(recording, threshold=0.6, labels=["stop"]) != []


def test_a_microphone_is_not_named_beside_another_source(recording, capsys):
    assert main(["listen", MODEL, "--input", str(recording), "--microphone", "3"]) == 2
    assert capsys.readouterr().err.startswith(f"earshot: --microphone 3 is not heard with --input {recording}")


def test_that_a_package_has_no_settings_is_said_once(caplog, monkeypatch):
    model = zoo.get(name=MODEL)
    monkeypatch.delitem(model._config.values, "detection")
    for _ in range(2):
        model.detector()
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(SAID)
    assert caplog.messages[0].endswith("`earshot tune` makes some")
    with pytest.raises(UnknownName, match="does not detect 'zero'"):
        model.detector(labels=["zero"])
    assert not model.detected(zoo.get(name=MODEL).vectors["samples"][0], model.detector(0.01, labels=[]))


def test_settings_are_columns_and_a_sentence():
    stated = {"threshold": 0.9, "smoothing": 2, "refractory_ms": 500, "hop_ms": 100, "thresholds": {"stop": 0.95}}
    figures = {"false_alarms_per_hour": 1.0, "hours": 2.0, "recall": 0.9, "recall_clips": 10, "chosen_on_hours": 2.0}
    names = ("threshold", "thresholds", "smoothing", "release", "refractory_ms", "hop_ms")
    entry = zoo.Hub().entry(MODEL)
    texts = {name: fact.text for name, fact in facts(names, entry, {"detection": {**stated, **figures}}).items()}
    assert texts == dict(zip(names, ("0.9", "stop=0.95", "2", "-", "500", "100"), strict=True))
    assert {fact.text for fact in facts(names, entry, {}).values()} == {"-"}
    said = detection_text({**stated, **figures, "release": 0.5})[0]
    assert "from 0.9 on (stop from 0.95), then nothing for 500 ms, again once it has fallen below 0.5 of that" in said
