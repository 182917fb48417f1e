"""The raw front end against the definition, sample by sample in Python's own integers."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supernet.data.scenes import Scenes
from supernet.errors import InvalidModel
from supernet.frontend.raw import GAINS, Raw
from supernet.nn.frontend import quantise_features, torch_twin
from supernet.samples import from_int16
from supernet.train.calibration import fit_frontend

EXTREMES = [-32768, -32767, -1, 0, 1, 127, 128, 32767]


def wanted(sample: int, gain: int) -> int:
    """The nearest step, ties up, within 8 bits."""
    return max(-128, min(127, floor(Fraction(sample * gain, 2**16) + Fraction(1, 2))))


@given(st.lists(st.integers(-32768, 32767), min_size=80, max_size=80), st.integers(*GAINS))
def test_features_are_samples_times_the_gain(samples, gain):
    clip = np.array([*samples, *EXTREMES, *samples[:72]], np.int16)
    features = Raw(gain=gain).run(clip[None])
    assert features.shape == (1, 160, 1)
    assert features[0, :, 0].tolist() == [wanted(int(sample), gain) for sample in clip]


@pytest.mark.parametrize(("gain", "loudest"), [(256, (-128, 127)), (1024, (-128, 127)), (65_536, (-128, 127))])
def test_rails_keep_their_signs_at_any_gain(gain, loudest):
    rails = np.tile(np.array([-32768, 32767], np.int16), 80)
    assert np.array_equal(np.unique(Raw(gain=gain).run(rails[None])), loudest)


def test_the_least_gain_keeps_the_high_bits_and_the_most_the_low_ones():
    samples = np.arange(-160, 160, dtype=np.int16)
    high = Raw(gain=GAINS[0]).run(samples[None] * 200)[0].T.ravel()
    assert np.array_equal(high, (samples.astype(int) * 200 + 128) >> 8)
    assert np.array_equal(Raw(gain=GAINS[1]).run(samples[None])[0].T.ravel(), samples.clip(-128, 127))


def test_frames_follow_each_other_in_time():
    samples = np.arange(480, dtype=np.int16)
    features = Raw(gain=65_536).run(samples[None] // 4)[0]
    assert np.array_equal(features.T.ravel(), samples // 4)


@pytest.mark.parametrize("gain", [256, 1310, 65_536])
def test_its_twin_in_torch_gives_the_same_steps(gain):
    clips = np.random.default_rng(0).integers(-32768, 32768, (3, 1600)).astype(np.int16)
    twin = torch_twin(Raw(gain=gain))(torch.from_numpy(from_int16(clips)))
    assert np.array_equal(quantise_features(twin).numpy(), Raw(gain=gain).run(clips))


def test_gradients_flow_back_to_the_samples():
    samples = torch.zeros(2, 400, requires_grad=True)
    torch_twin(Raw(gain=2048))(samples).sum().backward()
    assert (samples.grad[:, :320] == 2048 / 2**16 * 2**15 / 32).all()
    assert (samples.grad[:, 320:] == 0).all()


@pytest.mark.parametrize("scenes", [None, Scenes(rooms=0, warps=(1.0,), speeds=(1.0,), band_share=0.0)])
def test_training_chooses_the_gain_by_the_level_of_its_clips(speech_data, scenes):
    frontend = fit_frontend(speech_data, 1, Raw, scenes)
    clips = speech_data.audio[speech_data.splits["train"].rows]
    if scenes is None:
        level = np.sqrt(np.square(clips.astype(float)).mean())
        assert frontend.gain == pytest.approx(32 * 65_536 / level, rel=1e-3)
        assert frontend.run(clips).astype(float).std() == pytest.approx(32, rel=0.05)
    else:
        features = scenes.maker(speech_data, frontend)(speech_data.splits["train"].rows[:4], np.random.default_rng(0))
        assert features.shape == (1, 160, 400)
        assert GAINS[0] < frontend.gain < GAINS[1]


def test_silence_has_the_most_gain():
    silence = [torch.zeros(2, 1600)]
    assert torch_twin(Raw()).fitted(silence) == Raw(gain=65_536)


@pytest.mark.parametrize("changes", [{"coefficients": 80}, {"step_ms": 20}, {"coefficients": "160"}])
def test_other_frames_are_refused(changes):
    with pytest.raises(InvalidModel, match="a raw front end has frames of 160 samples each 10 ms, not "):
        Raw(**changes)
    with pytest.raises(InvalidModel, match="not 320 each 20"):
        Raw().select(320, 20)


@pytest.mark.parametrize("gain", [255, 65_537, 1024.5, "1024", True, None])
def test_other_gains_are_refused(gain):
    with pytest.raises(InvalidModel, match="front end is not possible: give a whole number from 256 to 65,536"):
        Raw(gain=gain)
