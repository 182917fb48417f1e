"""The front end against a float64 transform written from the definition, and its independence of what is around."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.errors import InvalidModel
from supernet.frontend import front_end, mel
from supernet.frontend.base import FEATURE_SCALE, dequantise, frontend_from_dict, quantise
from supernet.frontend.logmel import LogMel
from supernet.frontend.mfcc import Mfcc
from supernet.integer.runtime import choose_features
from supernet.layer import layers
from supernet.nn.frontend import dequantise_features, quantise_features, torch_twin
from supernet.nn.ops import select_features
from supernet.space import default_space

KINDS = ("mfcc", "logmel")
RATE, WINDOW, STEP, FFT, MELS = 16_000, 480, 160, 512, 40
CONTRADICTION, OUT_OF_RANGE = "values contradict each other", "value is missing or out of range"


def noise(samples: int = RATE, clips: int = 2, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((clips, samples), np.float32)


def naive_mfcc(samples: np.ndarray) -> np.ndarray:
    """(samples,) -> (40, frames): a plain DFT, triangles on the HTK mel scale, a logarithm, a cosine transform."""
    padded = np.concatenate([np.zeros(WINDOW - STEP), samples.astype(np.float64)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    bins = np.arange(FFT // 2 + 1)
    kernel = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW), bins) / FFT)
    edges_mel = np.linspace(*(2595 * np.log10(1 + np.array([20.0, 8000.0]) / 700)), MELS + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    hertz = bins * RATE / FFT
    filters = np.zeros((MELS, len(bins)))
    for index in range(MELS):
        low, centre, high = edges[index : index + 3]
        filters[index] = np.maximum(0, np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre)))
    basis = np.cos(np.pi / MELS * (np.arange(MELS) + 0.5)[None] * np.arange(MELS)[:, None]) * np.sqrt(2 / MELS)
    basis[0] /= np.sqrt(2)
    columns = []
    for first in range(0, len(samples), STEP):
        power = np.abs((padded[first : first + WINDOW] * hann) @ kernel) ** 2
        columns.append(basis @ np.log(np.maximum(filters @ power, 1e-6)))
    return np.array(columns).T


def test_coefficients_are_those_of_the_definition():
    samples = noise(clips=1)
    samples[:, 4000:6000] = 0
    np.testing.assert_allclose(Mfcc()(samples)[0], naive_mfcc(samples[0]), atol=2e-3)


def test_log_mels_are_the_coefficients_before_the_cosine_transform():
    samples = noise(clips=1)
    basis = np.cos(np.pi / MELS * (np.arange(MELS) + 0.5)[None] * np.arange(MELS)[:, None]) * np.sqrt(2 / MELS)
    basis[0] /= np.sqrt(2)
    frontend = LogMel(mean=(1.0,) * 40, deviation=(2.0,) * 40)
    np.testing.assert_allclose(basis @ (2 * frontend(samples)[0] + 1), naive_mfcc(samples[0]), atol=2e-3)
    assert frontend_from_dict(frontend.to_dict()) == frontend
    assert Mfcc().macs(100) - frontend.macs(100) == 100 * MELS * MELS
    with pytest.raises(InvalidModel, match="40 mels, not 12"):
        LogMel(coefficients=12)
    for coefficients in (0, 15, 80):
        with pytest.raises(InvalidModel, match=f"{coefficients} of 40 log-mels cannot be had"):
            LogMel().select(coefficients, 10)


def test_fewer_log_mels_are_every_second_and_frames_likewise():
    """What a network of a supernet takes of the whole map is what a front end of its own computes."""
    mean, deviation = (tuple(float(value) for value in range(first, first + 40)) for first in (0, 1))
    whole, own = (LogMel(mean=mean, deviation=deviation), LogMel(mean=mean, deviation=deviation).select(20, 20))
    samples = noise(clips=2)
    assert np.array_equal(own(samples), whole(samples)[:, 1::2, 1::2])
    assert (own.mean, own.mels, own.coefficients) == (mean[1::2], 40, 20)
    arch = default_space("mbconv", 4, 1000, "logmel").smallest()
    spec, made = layers(arch)[0], (whole(samples), own(samples))
    chosen = [select_features(torch.from_numpy(np.ascontiguousarray(one)), spec) for one in made]
    assert torch.equal(*chosen)
    maps = [choose_features(one, spec) for one in made]
    assert np.array_equal(*maps)
    assert np.array_equal(maps[0].transpose(0, 3, 2, 1), chosen[0].numpy())


def test_one_second_is_100_frames_and_silence_is_finite():
    values = Mfcc()(np.zeros((1, RATE), np.float32))
    assert values.shape == (1, 40, 100)
    assert np.isfinite(values).all()


@examples(20)
@given(st.integers(0, 99))
def test_a_frame_is_the_same_alone_in_a_batch_and_in_a_stream(frame):
    frontend = Mfcc()
    samples = noise(clips=3)
    whole = frontend(samples)
    alone = frontend(samples[1:2])
    np.testing.assert_allclose(whole[1:2], alone, atol=1e-5)
    end = (frame + 1) * STEP
    heard = np.pad(samples[1], (WINDOW, 0))[end : end + WINDOW]
    streamed = frontend(heard[None])[..., -1]
    np.testing.assert_allclose(streamed[0], alone[0, :, frame], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_features_in_numpy_are_those_in_torch(kind):
    """Within rounding; of 8 bits equal, but for ties."""
    clips = np.concatenate([noise(clips=8), noise(clips=8) * 1e-3, np.zeros((1, RATE), np.float32)])
    plain = front_end(kind)()
    raw = plain(clips)
    frontend = replace(plain, mean=tuple(raw.mean((0, 2)).tolist()), deviation=tuple((raw.std((0, 2)) + 0.1).tolist()))
    own, twin = frontend(clips), torch_twin(frontend)(torch.from_numpy(clips))
    np.testing.assert_allclose(own, twin.numpy(), atol=2e-4)
    steps, theirs = quantise(own), quantise_features(twin).numpy()
    ties = np.abs(own / FEATURE_SCALE - np.floor(own / FEATURE_SCALE) - 0.5) < 0.01
    assert (steps == theirs)[~ties].all()
    assert np.abs(steps.astype(int) - theirs).max() <= 1
    assert np.array_equal(dequantise(steps), dequantise_features(torch.from_numpy(steps)).numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_transformed_by_parts(kind, monkeypatch):
    monkeypatch.setattr(mel, "PART_FRAMES", 17)
    frontend, samples = front_end(kind)(), noise(clips=1)[0]
    np.testing.assert_allclose(frontend.recording_log_mel(samples), frontend.log_mel(samples[None])[0].T, atol=1e-4)
    assert frontend.recording_log_mel(samples[:5]).shape == (MELS, 0)


def test_a_loud_end_does_not_change_the_start():
    quiet = noise(clips=1)
    loud = quiet.copy()
    loud[:, 8000:] *= 1000
    assert np.array_equal(Mfcc()(quiet)[..., :50], Mfcc()(loud)[..., :50])


def test_frames_of_20_ms_are_every_second_one():
    fit = Mfcc(mean=tuple(range(40)), deviation=tuple(range(1, 41)))
    whole, selected = fit(noise()), fit.select(13, 20)(noise())
    np.testing.assert_allclose(selected, whole[:, :13, 1::2], atol=1e-4, rtol=1e-4)


def test_a_front_end_survives_json():
    fit = Mfcc(mean=(0.5,) * 40, deviation=(2.0,) * 40).select(10, 20)
    assert frontend_from_dict(fit.to_dict()) == fit


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"coefficients": 41}, CONTRADICTION),
        ({"fft": 256}, CONTRADICTION),
        ({"step_ms": 0}, OUT_OF_RANGE),
        ({"high_hz": 9000.0}, CONTRADICTION),
        ({"mean": (1.0,), "deviation": (1.0,)}, CONTRADICTION),
        ({"mean": (0.0,) * 40, "deviation": (0.0,) * 40}, CONTRADICTION),
        ({"floor": 0.0}, CONTRADICTION),
        ({"floor": float("nan")}, OUT_OF_RANGE),
        ({"mels": "40"}, OUT_OF_RANGE),
    ],
)
def test_values_that_contradict_each_other_are_refused(changes, said):
    with pytest.raises(InvalidModel, match=said):
        Mfcc(**changes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "'kind'"),
        ({"kind": "log-mel"}, "'log-mel'; known: "),
        ({"kind": "mfcc", "extra": 1}, "unexpected keyword argument 'extra'"),
        ({"kind": "mfcc", "mean": 3}, "must be an iterable, not int"),
    ],
)
def test_a_description_of_no_front_end_is_refused(values, said):
    with pytest.raises(InvalidModel, match=f"not a front end that this version knows: .*{said}"):
        frontend_from_dict(values)


@given(st.floats(-10, 10, width=32))
def test_quantised_features_are_the_nearest_step(value):
    step = int(quantise_features(torch.tensor([value])))
    assert -128 <= step <= 127
    if -4 <= value <= 127 / 32:
        assert abs(float(dequantise_features(torch.tensor([step]))) - value) <= 1 / 64


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mels": 200}, "mels = 200 cannot be had"),
        ({"mels": 100, "fft": 256, "window_ms": 10}, "mels = 100 cannot be had"),
        ({"sampling_rate": 50, "high_hz": 25.0}, CONTRADICTION),
        (
            {"fft": 1, "window_ms": 1, "step_ms": 1, "sampling_rate": 1000, "high_hz": 500.0},
            "mels = 40 cannot be had from 20 to 500 Hz with fft = 1",
        ),
        ({"mean": (0.0,) * 40, "deviation": (1e-30,) * 40}, CONTRADICTION),
        ({"floor": 1e-300}, CONTRADICTION),
    ],
)
def test_a_front_end_whose_features_would_be_constant_or_infinite_is_refused(changes, said):
    with pytest.raises(InvalidModel, match=said):
        Mfcc(**changes)
