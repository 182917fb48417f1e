"""The micro front end against the C code of TensorFlow Lite Micro's examples, as `pymicro-features` wraps it."""

from pathlib import Path

import numpy as np
import pymicro_features
import pytest
import soundfile
import torch
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.data.audio import from_int16
from supernet.errors import InvalidModel
from supernet.frontend.micro import Micro, as_steps
from supernet.nn.frontend import quantise_features, torch_twin

RATE = 16_000
CLIPS = Path(__file__).parent.parent / "zoo" / "clips"
RNG = np.random.default_rng(0)
SOUNDS = {
    **{f"noise of {scale}": (RNG.standard_normal(2 * RATE) * scale) for scale in (1, 30, 3000, 30_000)},
    "silence": np.zeros(RATE),
    "full scale": np.full(RATE, 32767),
    "lowest": np.full(RATE, -32768),
    "alternating": np.tile([32767, -32768], RATE // 2),
    "square of 100 Hz": np.tile(np.repeat([32767, -32768], 80), RATE // 160),
    "impulses": np.where(np.arange(RATE) % 163 == 0, -32768, 0),
    "noise that stops": RNG.standard_normal(2 * RATE) * np.where(np.arange(2 * RATE) < RATE, 9000, 2),
    "noise that begins": RNG.standard_normal(2 * RATE) * np.where(np.arange(2 * RATE) < RATE, 2, 9000),
}


def theirs(samples: np.ndarray) -> np.ndarray:
    """(frames, 40) logarithms, from the first window on, which looks back on silence."""
    frontend, found, at = pymicro_features.MicroFrontend(), [], 0
    data = np.concatenate([np.zeros(320, np.int16), samples[: len(samples) // 160 * 160]]).tobytes()
    while at < len(data):
        output = frontend.process_samples(data[at : at + 320])
        at += 2 * output.samples_read
        found += [output.features] if output.features else []
    return np.round(np.array(found) / 0.0390625).astype(int)


def own(samples: np.ndarray) -> np.ndarray:
    return Micro().logarithms(samples, Micro().reset())[0]


@pytest.mark.parametrize("name", SOUNDS)
def test_logarithms_are_those_of_the_examples(name):
    samples = SOUNDS[name].clip(-32768, 32767).astype(np.int16)
    assert np.array_equal(own(samples), theirs(samples))


def test_words_one_after_another_are_those_of_the_examples():
    words = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in sorted(CLIPS.glob("*.wav"))])
    assert np.array_equal(own(words), theirs(words))
    faint = (words // 64).astype(np.int16)
    assert np.array_equal(own(faint), theirs(faint))


@examples(30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 15), st.integers(480, 4000))
def test_any_samples_are_those_of_the_examples(seed, loudness, count):
    samples = (np.random.default_rng(seed).standard_normal(count) * 2**loudness).clip(-32768, 32767).astype(np.int16)
    assert np.array_equal(own(samples), theirs(samples))


def test_eight_bits_are_rounded_as_esphome_does():
    """(raw * 256 + 333) / 666 - 128, cut to 8 bits, as its component computes it."""
    raw = np.arange(0, 700)
    wanted = np.clip((raw * 256 + 333) // 666 - 128, -128, 127)
    assert np.array_equal(as_steps(raw), wanted)


def test_its_twin_in_torch_gives_the_same_steps():
    samples = np.stack([SOUNDS["noise of 3000"], SOUNDS["noise that begins"]]).clip(-32768, 32767).astype(np.int16)
    twin = torch_twin(Micro())(torch.from_numpy(from_int16(samples)))
    assert np.array_equal(quantise_features(twin).numpy(), Micro().run(samples))


def test_the_noise_before_changes_what_a_clip_is():
    """So training puts other sound before it."""
    word = soundfile.read(CLIPS / "stop.wav", dtype="int16")[0]
    before = (np.random.default_rng(1).standard_normal(RATE) * 1000).astype(np.int16)
    cold = Micro().run(word[None])[0]
    warm = Micro().run(np.concatenate([before, word])[None])[0][:, 100:]
    assert (cold != warm).mean() > 0.2


def test_frames_of_20_ms_have_noise_of_their_own():
    samples = SOUNDS["noise of 3000"].astype(np.int16)
    assert Micro(step_ms=20).run(samples[None]).shape == (1, 40, 100)


@pytest.mark.parametrize("changes", [{"coefficients": 20}, {"step_ms": 15}, {"step_ms": "10"}])
def test_what_it_has_not_is_refused(changes):
    with pytest.raises(InvalidModel, match="a micro front end has 40 coefficients each 10 or 20 ms"):
        Micro(**changes)
