"""The raw front end against the definition, sample by sample in Python's own integers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supernet.data.scenes import Scenes
from supernet.errors import InvalidModel
from supernet.frontend.raw import Raw
from supernet.nn.frontend import quantise_features, torch_twin
from supernet.samples import from_int16
from supernet.train.calibration import fit_frontend

EXTREMES = [-32768, -32767, -256, -1, 0, 1, 127, 128, 255, 256, 32640, 32767]


@given(st.lists(st.integers(-32768, 32767), min_size=80, max_size=80))
def test_features_are_the_bytes_of_samples_low_ones_first(samples):
    clip = np.array([*samples, *EXTREMES, *samples[:68]], np.int16)
    features = Raw().run(clip[None])
    assert features.shape == (1, 320, 1)
    wanted = b"".join(int(sample).to_bytes(2, "little", signed=True) for sample in clip)
    assert features[0, :, 0].tobytes() == wanted


def test_frames_follow_each_other_in_time():
    samples = np.arange(480, dtype=np.int16)
    features = Raw().run(samples[None])[0]
    assert features.T.tobytes() == samples.astype("<i2").tobytes()


def test_its_twin_in_torch_gives_the_same_bytes():
    clips = np.random.default_rng(0).integers(-32768, 32768, (3, 1600)).astype(np.int16)
    clips[0, : len(EXTREMES)] = EXTREMES
    twin = torch_twin(Raw())(torch.from_numpy(from_int16(clips)))
    assert np.array_equal(quantise_features(twin).numpy(), Raw().run(clips))


@pytest.mark.parametrize("scenes", [None, Scenes(rooms=0, warps=(1.0,), speeds=(1.0,), band_share=0.0)])
def test_there_is_nothing_to_fit(speech_data, scenes):
    frontend = fit_frontend(speech_data, 1, Raw, scenes)
    assert frontend == Raw()
    if scenes is not None:
        maker, rows = scenes.maker(speech_data, frontend), speech_data.splits["train"].rows[:4]
        features = maker(rows, np.random.default_rng(0))
        assert features.shape == (1, 320, 400)
        assert len(np.unique(features)) == 256


@pytest.mark.parametrize("changes", [{"coefficients": 160}, {"step_ms": 20}, {"coefficients": "320"}])
def test_other_frames_are_refused(changes):
    with pytest.raises(InvalidModel, match="a raw front end has frames of 320 bytes each 10 ms, not "):
        Raw(**changes)
    with pytest.raises(InvalidModel, match="not 160 each 20"):
        Raw().select(160, 20)
