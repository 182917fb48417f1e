"""Running models: right on the bundled clips, however a clip is handed in; clear errors for what is no clip."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio

import zoo
from zoo.errors import InvalidAudio, InvalidQuery

CLIPS = Path(zoo.__file__).parent / "clips"
WORDS = {path.stem: path for path in sorted(CLIPS.glob("*.wav"))}


@pytest.fixture(scope="module")
def model() -> zoo.Model:
    return zoo.get(task="kws", max_ops=20e6, bits=4)


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
    both = [expected, model(WORDS["left"])]
    assert model([WORDS["stop"], WORDS["left"]]) == both
    assert model(np.stack([stop, left]), 16_000) == both
    assert model([stop, left], 16_000) == both
    assert model([]) == []
    assert model(torch.from_numpy(np.stack([stop, left])), 16_000) == both
    assert model([WORDS["stop"]] * 70) == [expected] * 70
    assert model(stop, 16_000, top=2) == expected[:2]


def test_a_higher_rate_is_resampled_and_said_and_a_lower_one_needs_consent(model, tmp_path, caplog):
    stop, _ = soundfile.read(WORDS["stop"], dtype="float32")
    for rate in (8_000, 48_000):
        samples = torchaudio.functional.resample(torch.from_numpy(stop), 16_000, rate).numpy()
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
        (np.zeros(32_000), 16_000, "2.00 s is too long"),
        (np.full(16_000, np.nan), 16_000, "not numbers"),
        (np.zeros(0), 16_000, "no samples"),
        ({"array": np.zeros(16_000)}, None, "give sampling_rate"),
        ({"sampling_rate": 16_000}, None, "not audio"),
        ([np.zeros((2, 2, 2))], 16_000, "not audio"),
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


@pytest.mark.parametrize("top", [0, -1, 1.5])
def test_top_must_be_a_number_of_labels(model, top):
    with pytest.raises(InvalidQuery, match="top"):
        model(WORDS["stop"], top=top)


def test_printing_a_model_tells_what_it_is_and_knows(model):
    text = repr(model)
    for part in (model.name, "MACs", "flash", "test", "cc-by-4.0", "knows zero, one", "no training audio for"):
        assert part in text


def test_a_non_commercial_licence_is_said(package, package_info, integers, tmp_path, caplog):
    from supernet.frontend import Mfcc
    from zoo.hosting import publish
    from zoo.making import write_package

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
        "print([n for n in sys.modules if n in ('supernet.train', 'supernet.quant.fake', 'supernet.quant.finetune')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, package, WORDS["stop"]], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
