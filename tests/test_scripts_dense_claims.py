"""What the claims of dense networks are compared by: floating point as C, which hears what integers hear."""

import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from studies.dense_claims import FloatHearing, heard_by
from studies.float_c import FloatProgram
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.families.dense import Dense
from supernet.frontend.logmel import LogMel
from supernet.nn.network import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork
from supernet.samples import from_int16
from zoo.run.along import logits_along

SHAPE = Dense(400, 40, 16, (24, 8), 12)


def calibrated(step_ms: int = 20) -> tuple[Network, torch.Tensor]:
    arch = Arch("dense", FeatureSpec("logmel", 40, step_ms), 1000 // step_ms, 3, SHAPE)
    features = torch.randn(32, 40, arch.frames, generator=torch.Generator().manual_seed(0))
    return recalibrate(Network(arch, 1), features).eval(), features


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@pytest.mark.parametrize("step_ms", [10, 20])
def test_floating_point_as_c_gives_the_logits_of_torch(step_ms, tmp_path):
    network, features = calibrated(step_ms)
    program = FloatProgram(network, tmp_path)
    program.build()
    for clip in features[:3]:
        found = program.logits(clip.numpy())
        assert found.shape == (25, 3)
        with torch.no_grad():
            np.testing.assert_allclose(found[-1], network(clip[None])[0], rtol=1e-3, atol=1e-3)
    weights = 40 * 400 // step_ms * 16 + 16 * 24 + 24 * 8 + 8 * 12 + 12 * 3
    assert program.weight_bytes == 4 * (weights + 2 * (16 + 24 + 8 + 12) + 3)
    assert subprocess.run(["./run"], cwd=tmp_path, input=b"").returncode == 0  # else sizeof is not what it states


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_floating_point_is_heard_as_integers_are(tmp_path):
    """At the same places of a stream; the first answer is that of torch on the first clip."""
    network, features = calibrated()
    sound = (3000 * np.random.default_rng(0).standard_normal(80_000)).astype(np.int16)
    raw = LogMel()(from_int16(sound[None]))[0]
    frontend = LogMel(mean=tuple(raw.mean(1).tolist()), deviation=tuple(raw.std(1).tolist()))
    integers = FakeQuantNetwork(network, with_bits(network.arch, 8)).calibrate(features).eval().to_integer()
    program = FloatProgram(network, tmp_path / "c")
    program.build()
    setting = SimpleNamespace(frontend=frontend, data=SimpleNamespace(labels=("a", "b", "c")))
    scale = integers.activations["classifier"].scale
    hearing = FloatHearing(heard_by("own", network, scale, setting), program, scale, tmp_path, tmp_path)
    hearing._scores("noise", lambda: [sound[:30_001], sound[30_001:]])
    logits = np.load(tmp_path / "streams" / "own" / "noise.npy").astype(float)
    stream = np.concatenate(list(logits_along(integers, hearing.frontend, sound, hearing.hop_ms)))
    assert logits.shape == stream.shape == ((5000 - 1000) // hearing.hop_ms + 1, 3)
    assert np.median(np.abs(logits - stream)) < 0.02 * np.abs(logits).max()
    first = torch.from_numpy(hearing.frontend.run(sound[None, :16_000]).astype(np.float32) / 32)
    with torch.no_grad():
        np.testing.assert_allclose(logits[0] * scale, network(first)[0], atol=scale)
