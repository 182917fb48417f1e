"""Running models: right on the bundled clips, however a clip is handed in; clear errors for what is no clip."""

import io
from decimal import MAX_EMAX, MIN_EMIN, Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from named import micro, smallest

import zoo
from supernet.errors import InvalidAudio, InvalidQuery
from zoo.run import along
from zoo.run.model import probabilities

CLIPS = Path(zoo.__file__).parent / "clips"
WORDS = {path.stem: path for path in sorted(CLIPS.glob("*.wav"))}


@pytest.fixture(scope="module")
def model() -> zoo.Model:
    return zoo.get(task="kws", max_ops=20e6, bits=4)


def exact_scores(logits: np.ndarray, scale: float, multi_label: bool) -> list[list[float]]:
    """By decimals, which do not overflow."""
    with localcontext(Emax=MAX_EMAX, Emin=MIN_EMIN):
        powers = [[(Decimal(scale) * int(logit)).exp() for logit in row] for row in logits]
        sums = [[1 + power for power in row] if multi_label else [sum(row)] * len(row) for row in powers]
        return [[float(a / b) for a, b in zip(*rows, strict=True)] for rows in zip(powers, sums, strict=True)]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("scale", [1e-12, 0.01, 1.0, 1e6])
def test_scores_are_exact_at_any_scale_of_logits(scale, multi_label):
    logits = np.array([[-32768, 32767, 0, -1], [-710, -700, -699, 5], [32766, 32767, 32767, 0]], np.int16)
    expected = exact_scores(logits, scale, multi_label)
    np.testing.assert_allclose(probabilities(logits, scale, multi_label), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("word", WORDS)
def test_it_is_right_on_the_bundled_clips(model, word):
    answers = model(WORDS[word])
    assert answers[0]["label"] == (word if word in model.labels else "_unknown_")
    assert [item["score"] for item in answers] == sorted((item["score"] for item in answers), reverse=True)
    assert sum(item["score"] for item in answers) == pytest.approx(1)
    assert {item["label"] for item in answers} == set(model.labels)


def test_a_path_an_array_a_mapping_and_a_batch_give_the_same(model):
    samples = {word: soundfile.read(path)[0] for word, path in WORDS.items()}
    stop, left = samples["stop"], samples["left"]
    expected = model(str(WORDS["stop"]))
    assert model(WORDS["stop"]) == expected
    assert model(stop, sampling_rate=16_000) == expected
    assert model(stop.astype(np.float32), 16_000) == expected
    assert model(np.round(stop * 32768).astype(np.int16), 16_000) == expected
    assert model(np.stack([stop, stop], 1), 16_000) == expected
    assert model({"array": stop, "sampling_rate": 16_000}) == expected
    assert model({"raw": stop, "sampling_rate": 16_000}) == expected
    assert model(WORDS["stop"].read_bytes()) == expected
    both = [expected, model(WORDS["left"])]
    assert model([WORDS["stop"], WORDS["left"]]) == both
    assert model(np.stack([stop, left]), 16_000) == both
    assert model([stop, left], 16_000) == both
    assert model([WORDS["stop"].read_bytes(), {"raw": left, "sampling_rate": 16_000}]) == both
    assert model([]) == []
    assert model(torch.from_numpy(np.stack([stop, left])), 16_000) == both
    assert model([WORDS["stop"]] * 70) == [expected] * 70
    assert model(stop, 16_000, top=2) == expected[:2]


class Decoded:
    """Audio as Hugging Face datasets decode it: no mapping, but these names are answered."""

    def __init__(self, **values) -> None:
        self.values = values

    def __getitem__(self, name):
        return self.values[name]


def test_decoded_audio_is_heard_by_its_names(model):
    stop, left = (soundfile.read(WORDS[word])[0] for word in ("stop", "left"))
    decoded = [Decoded(array=samples, sampling_rate=16_000) for samples in (stop, left)]
    assert model(decoded[0]) == model(WORDS["stop"])
    assert model(decoded) == model([WORDS["stop"], WORDS["left"]])
    assert model.slide(decoded[1]) == model.slide(WORDS["left"])
    with pytest.raises(InvalidAudio, match="its own rate is 16000 Hz"):
        model(decoded[0], 8_000)
    for nothing in (Decoded(array=stop), object()):
        with pytest.raises(InvalidAudio, match="is not audio; give the path"):
            model(nothing)


def test_a_higher_rate_is_resampled_and_said_and_a_lower_one_needs_consent(model, tmp_path, caplog):
    stop, _ = soundfile.read(WORDS["stop"], dtype="float32")
    for rate in (8_000, 48_000):
        samples = scipy.signal.resample(stop, len(stop) * rate // 16_000)
        soundfile.write(tmp_path / f"{rate}.wav", np.stack([samples, samples], 1), rate)
    assert model(tmp_path / "48000.wav")[0]["label"] == "stop"
    assert "48000.wav: resampled from 48000 Hz to 16000 Hz" in caplog.text
    with pytest.raises(InvalidAudio, match=r"8000\.wav: 8000 Hz holds no sound above 4000 Hz"):
        model(tmp_path / "8000.wav")
    assert len(model(tmp_path / "8000.wav", resample=True)) == len(model.labels)


def test_a_short_clip_is_padded(model):
    samples, rate = soundfile.read(WORDS["stop"])
    assert model(samples[:-2000], rate) == model(np.pad(samples[:-2000], (0, 2000)), rate)


@pytest.mark.parametrize(
    ("audio", "rate", "said"),
    [
        ("missing.wav", None, "missing.wav: no such file"),
        (np.zeros(16_000), None, "give sampling_rate"),
        (np.zeros(16_000), 0, "sampling rate 0"),
        ("zoo/clips/stop.wav", 0.3, r"stop\.wav: its own rate is 16000 Hz, not sampling_rate = 0\.3"),
        ({"array": np.zeros(16_000), "sampling_rate": 16_000}, 8_000, "its own rate is 16000 Hz"),
        (np.zeros(32_000), 16_000, "2.00 s is too long"),
        (np.full(16_000, np.nan), 16_000, "not numbers"),
        (np.zeros(0), 16_000, "no samples"),
        ({"array": np.zeros(16_000)}, None, "give sampling_rate"),
        ({"sampling_rate": 16_000}, None, "not audio"),
        ([np.zeros((2, 2, 2))], 16_000, "not audio"),
        (b"", None, "-: the file is empty"),
        (b"no sound", None, "not a readable audio file"),
        (3, 16_000, "not audio"),
        ([3, 4], 16_000, "not audio"),
        ({"array": [3, 4], "sampling_rate": 16_000}, None, "no known scale"),
        ({"array": np.zeros((2, 16_000)), "sampling_rate": 16_000}, None, "16000 channels"),
        (np.full(16_000, 3e4), 16_000, "scale them"),
    ],
)
def test_what_is_no_clip_is_named(model, audio, rate, said):
    with pytest.raises(InvalidAudio, match=said):
        model(audio, rate)


def test_bytes_of_a_recorder_that_did_not_know_the_length_are_read(model):
    data = WORDS["stop"].read_bytes()
    for unknown in (0x80000000, 0x7FFFF000, 0xFFFFFFFF):
        streamed = data[:4] + min(unknown + 36, 0xFFFFFFFF).to_bytes(4, "little") + data[8:40]
        assert model(streamed + unknown.to_bytes(4, "little") + data[44:]) == model(data)
    with pytest.raises(InvalidAudio, match="cut short"):
        model(data[:-100])


def sentence(*words, silence=0):
    parts = [soundfile.read(WORDS[word], dtype="float32")[0] for word in words]
    return np.concatenate([*parts, np.zeros(silence, np.float32)])


def test_a_recording_of_one_clip_has_one_window_with_the_answer_of_the_clip(model):
    whole = [{"start_s": 0.0, "end_s": 1.0, "answers": model(WORDS["stop"])}]
    assert model.slide(WORDS["stop"]) == whole
    assert model.slide(sentence("stop"), 16_000, hop_ms="20ms") == whole
    half = sentence("stop")[:8_000]
    assert model.slide(half, 16_000) == [{"start_s": 0.0, "end_s": 0.5, "answers": model(half, 16_000)}]


def test_windows_tell_the_words_and_their_times(model):
    found = model.slide(sentence("stop", "left", "yes", silence=3_200), 16_000, hop_ms=500, top=1)
    assert [(window["start_s"], window["end_s"]) for window in found] == [
        (0.0, 1.0), (0.5, 1.5), (1.0, 2.0), (1.5, 2.5), (2.0, 3.0), (2.5, 3.2)
    ]  # fmt: skip
    assert [found[place]["answers"][0]["label"] for place in (0, 2, 4)] == ["stop", "left", "yes"]
    mapping = {"raw": sentence("stop", "left", "yes", silence=3_200), "sampling_rate": 16_000}
    assert found == model.slide(mapping, top=1)


@pytest.mark.parametrize("task", ["kws", "aec"])
def test_events_are_marked_by_answers_of_the_stream_unless_a_hop_is_given(task, monkeypatch):
    """Of all that stream: windows would be slower, and be marked otherwise than a detector hears them."""

    def windows(*_):
        raise AssertionError("heard as windows")

    monkeypatch.setattr(along, "clip_windows", windows)
    for name in zoo.list(task).query("streamable").name:
        model = zoo.get(name=name)
        assert isinstance(model.events(np.zeros(40_000, np.int16), 16_000), list)


@pytest.mark.parametrize("hop_ms", [20, 500, 1000])
def test_windows_are_the_answers_of_a_stream_where_the_hop_allows(model, monkeypatch, hop_ms):
    monkeypatch.setattr("zoo.run.parts.PART", 1234)
    samples = sentence("stop", "go", silence=1_111)
    found, _times = model.slide_scores(samples, hop_ms)
    answers, _ = model.step(np.pad(samples, (0, 32_000)), model.reset())
    expected = model._probabilities(answers[49 :: hop_ms // 20])[: len(found)]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[0], model.scores(model.features(samples[None, :16_000]))[0])


@pytest.mark.parametrize(
    ("name", "hop_ms"),
    [*((smallest(8, "dense"), hop_ms) for hop_ms in (20, 140, 500)), *((micro(), hop_ms) for hop_ms in (10, 70, 510))],
)
def test_windows_are_cut_from_the_features_of_the_whole_recording(name, monkeypatch, hop_ms):
    """Where a stream, which answers every second frame, does not meet the hop; however it is cut into blocks; the last
    window hears the end, and silence after it.
    """
    model = zoo.get(name=name)
    monkeypatch.setattr("zoo.run.along.BATCH", 3)
    monkeypatch.setattr("zoo.run.parts.PART", 1234)
    samples = sentence("stop", "go", silence=1_111)
    found, times = model.slide_scores(samples, hop_ms)
    frames, step = model.arch.frames, hop_ms // model.arch.features.step_ms
    whole = model.features(np.pad(samples, (0, 32_000))[None])[0]
    assert len(found) == next(count for count in range(1, 999) if (count - 1) * hop_ms * 16 + 16_000 >= len(samples))
    cut = np.stack([whole[:, place * step : place * step + frames] for place in range(len(found))])
    np.testing.assert_array_equal(found, model.scores(cut))
    assert times[-1][1] == pytest.approx(len(samples) / 16_000, abs=0.001)


@pytest.mark.parametrize("hop_ms", [0, -10, 15, 10.5, 1010, "soon", float("nan"), True])
def test_a_hop_that_is_not_possible_is_named(model, hop_ms):
    with pytest.raises(InvalidQuery, match=f"hop_ms = {hop_ms} is not possible"):
        model.slide(WORDS["stop"], hop_ms=hop_ms)


@pytest.fixture
def folder(tmp_path):
    """Three clips, one of them deeper; a recording of 2.2 s; and what is none."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name, word in (("z.wav", "stop"), ("b/left.WAV", "left"), ("b/c/yes.flac", "yes")):
        soundfile.write(tmp_path / name, sentence(word), 16_000)
    soundfile.write(tmp_path / "b" / "long.wav", sentence("go", "stop", silence=3_200), 16_000)
    (tmp_path / "b" / "bad.wav").write_text("no sound")
    (tmp_path / "b" / "._hidden.wav").write_text("no sound")
    (tmp_path / "b" / "notes.txt").write_text("no sound")
    return tmp_path


def test_a_folder_is_run_in_order_and_what_cannot_be_used_does_not_stop_it(model, folder, monkeypatch):
    names = ["b/bad.wav", "b/c/yes.flac", "b/left.WAV", "b/long.wav", "z.wav"]
    found = list(model.run(folder, top=2))
    assert [item["file"] for item in found] == [str(folder / name) for name in names]
    assert isinstance(found[0].pop("error"), InvalidAudio)
    assert found[0].keys() == {"file"}
    for place in (1, 2, 4):
        assert found[place]["answers"] == model(folder / names[place], top=2)
    assert found[3]["windows"] == model.slide(folder / "b" / "long.wav", top=2)
    monkeypatch.setattr("zoo.run.hear.BATCH", 2)
    monkeypatch.setattr("zoo.run.hear.AHEAD", 1)
    again = list(model.run([folder, WORDS["go"], WORDS["go"].read_bytes()], hop_ms=100, top=2))
    assert [item.get("answers") for item in again[:3]] == [item.get("answers") for item in found[:3]]
    assert again[3]["windows"] == model.slide(folder / "b" / "long.wav", hop_ms=100, top=2)
    assert [item["file"] for item in again[5:]] == [str(WORDS["go"]), "-"]
    assert again[5]["answers"] == again[6]["answers"] == model(WORDS["go"], top=2)


def test_results_come_before_all_files_are_read(model, folder, monkeypatch):
    from zoo.run import hear as recordings

    read, real = [], recordings.read_sound
    monkeypatch.setattr(recordings, "read_sound", lambda file, *args, **named: read.append(file) or real(file, *args))
    monkeypatch.setattr(recordings, "BATCH", 2)
    monkeypatch.setattr(recordings, "AHEAD", 2)
    next(model.run([WORDS["stop"]] * 50))
    assert len(read) <= 5


def test_many_resampled_recordings_are_said_once(model, tmp_path, caplog):
    for index in range(3):
        soundfile.write(tmp_path / f"{index}.wav", np.zeros(48_000), 48_000)
    list(model.run(tmp_path))
    assert [record.getMessage() for record in caplog.records] == ["3 recordings: resampled from 48000 Hz to 16000 Hz"]


@pytest.mark.parametrize("top", [0, -1, 1.5])
def test_top_must_be_a_number_of_labels(model, top):
    with pytest.raises(InvalidQuery, match="top"):
        model(WORDS["stop"], top=top)


def test_printing_a_model_tells_what_it_is_and_knows(model):
    text = repr(model)
    for part in (model.name, "MACs", "flash", "test", "cc-by-4.0", "knows yes, no", "few recordings of yes"):
        assert part in text


def test_a_non_commercial_licence_is_said(package, package_info, integers, tmp_path, caplog):
    from supernet.frontend.mfcc import Mfcc
    from zoo.make.package import write_package
    from zoo.make.publish import publish

    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    info = {**package_info, "licence": "cc-by-nc-3.0"}
    publish(write_package(tmp_path, integers, frontend, np.zeros((1, 16_000), np.int16), info), tmp_path / "hub")
    zoo.get(task="tones", hub=tmp_path / "hub")
    assert "does not allow commercial use" in caplog.text


def test_a_package_runs_without_the_training_code(package):
    """Neither the trainer nor the supernet's data modules are loaded to answer."""
    import subprocess
    import sys

    code = (
        "import sys, zoo; m = zoo.Model.from_folder(sys.argv[1]); m(sys.argv[2]);"
        "print([n for n in sys.modules if n in ('supernet.train.loop', 'supernet.quant.fake')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, package, WORDS["stop"]], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def stereo(tmp_path):
    """Four seconds: on the left words, on the right the same upside down."""
    words = sentence("stop", "left", "go", "yes")
    soundfile.write(tmp_path / "stereo.wav", np.stack([words, -words], 1), 16_000, subtype="FLOAT")
    return tmp_path / "stereo.wav"


def test_channels_that_cancel_are_said_and_one_is_heard(model, stereo, caplog):
    words = soundfile.read(stereo, dtype="float32")[0][:, 0]
    model.slide(stereo)
    assert "stereo.wav: its 2 channels cancel each other" in caplog.text
    caplog.clear()
    found = model.slide(stereo, channel=1)
    assert found == model.slide(words, 16_000)
    assert [window["answers"][0]["label"] for window in found[::2]] == ["stop", "left", "go", "yes"]
    assert model.events(stereo, channel=np.int64(1)) == model.events(words, 16_000)
    assert next(model.run(stereo, channel=1))["windows"] == found
    first = np.stack([words[:16_000], np.zeros(16_000, np.float32)], 1)
    assert model(first, 16_000, channel=1) == model(words[:16_000], 16_000)
    assert not caplog.text
    with pytest.raises(InvalidAudio, match=r"stereo\.wav: channel 3 is not there, it has 2"):
        model.slide(stereo, channel=3)
    assert "channel 3" in str(next(model.run(stereo, channel=3))["error"])


@pytest.mark.parametrize("channel", [0, -1, 1.0, True, "left"])
def test_a_channel_must_be_a_number_from_1_on(model, channel):
    for ask in (model, model.slide, model.events, model.log_mel, model.run, model.evaluate):
        with pytest.raises(InvalidQuery, match=f"channel = {channel!r} is not possible"):
            ask(WORDS["stop"], channel=channel)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_long_recording_is_heard_in_parts_as_it_is_whole(model, tmp_path, monkeypatch, rate):
    """No more than a part is asked of the decoder or the front end; scores are the same bit for bit."""
    from supernet.data.audio import Recording, prepare_samples
    from supernet.frontend.mel import MelFrontEnd

    words = sentence("stop", "left", "go", "yes", "stop", silence=1_111)
    samples = np.stack([words, 0.5 * words], 1)
    if rate != 16_000:
        samples = scipy.signal.resample_poly(samples, rate, 16_000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", samples, rate)
    decoded, _ = soundfile.read(tmp_path / "long.wav", dtype="float32")
    mono = np.round(prepare_samples(decoded, rate, 16_000, "x") * 32768).clip(-32768, 32767) / 32768
    whole = model.slide_scores(mono.astype(np.float32), 100)
    events = model.events(mono.astype(np.float32), 16_000, threshold=0.1)

    asked, heard, blocks, step = [], [], Recording.blocks, MelFrontEnd.step
    monkeypatch.setattr(Recording, "blocks", lambda self: (asked.append(b.shape) or b for b in blocks(self, 3000)))
    monkeypatch.setattr(MelFrontEnd, "step", lambda self, x, state: heard.append(len(x)) or step(self, x, state))
    monkeypatch.setattr("zoo.run.parts.PART", 1000)
    monkeypatch.setattr("zoo.run.along.BATCH", 4)
    [found] = model.run(tmp_path / "long.wav", hop_ms=100)
    assert [(window["start_s"], window["end_s"]) for window in found["windows"]] == whole[1]
    for window, row in zip(found["windows"], whole[0], strict=True):
        assert {answer["label"]: answer["score"] for answer in window["answers"]} == dict(
            zip(model.labels, row.tolist(), strict=True)
        )
    assert model.events(tmp_path / "long.wav", threshold=0.1) == events
    assert max(asked) == (3000, 2)
    assert max(heard) <= 1000
    assert sum(size for size, _ in asked) == 2 * len(decoded)


def test_a_spectrogram_of_any_length_has_few_columns(model, monkeypatch):
    monkeypatch.setattr("zoo.run.parts.PART", 1234)
    samples = sentence("stop", "left", silence=900)
    recording = {"array": samples, "sampling_rate": 16_000}
    frames = model.log_mel(recording)
    np.testing.assert_array_equal(frames, model.frontend.recording_log_mel(samples))
    columns, seconds = model.spectrogram(recording)
    np.testing.assert_array_equal(columns, frames)
    assert seconds == 2.04
    for most, width in ((100, 2), (30, 4), (102, 2), (103, 1)):
        monkeypatch.setattr("zoo.run.model.MOST_COLUMNS", most)
        columns, seconds = model.spectrogram(recording)
        count = 102 // width
        assert columns.shape == (40, count)
        wanted = frames[:, : count * width].reshape(40, count, width).mean(2)
        np.testing.assert_allclose(columns, wanted, rtol=1e-5)
        assert seconds == 2.04


def test_files_that_are_open_and_datasets_that_are_not_decoded_are_heard():
    """As `Audio(decode=False)` of Hugging Face datasets gives them."""
    model, data = zoo.get(task="kws"), (CLIPS / "stop.wav").read_bytes()
    path = str(CLIPS / "stop.wav")
    with open(path, "rb") as file:
        forms = [file, {"path": path, "bytes": None}, {"path": "gone.wav", "bytes": data}, {"bytes": data}]
        assert model(forms) == [model(path)] * 4
    assert model.slide({"path": None, "bytes": data}) == model.slide(path)


@pytest.mark.parametrize("nothing", [5, None, 0.5, {}, {"path": None, "bytes": None}, {"file": "x.wav"}])
def test_what_is_no_audio_is_told_what_is_taken(nothing):
    for hear in (zoo.get(task="kws"), zoo.get(task="kws").slide):
        with pytest.raises(InvalidAudio, match="is not audio; give the path of a recording, the bytes"):
            hear(nothing, sampling_rate=16_000)


def test_a_file_that_is_open_for_text_is_refused():
    with pytest.raises(InvalidAudio, match="gives str, not bytes, is not audio; open it with mode"):
        zoo.get(task="kws")(io.StringIO("text"))
