"""Models as TFLite: held to TFLite Micro and LiteRT, and the emulation of their rounding to the first, bit for bit."""

import json

import numpy as np
import pytest

import zoo
from studies.c_networks import SPACES, small_network
from supernet.errors import InvalidQuery
from supernet.extras import has
from supernet.layer import parts
from supernet.memory import answer_frames
from zoo.cli import main
from zoo.export.agreement import compared
from zoo.export.tflite.build import build
from zoo.export.tflite.emulate import Emulator
from zoo.export.tflite.file import to_bytes
from zoo.export.tflite.run import LiteRT, Micro, maps_of, runner, stepped
from zoo.hubs.folder import BUNDLED

STREAM, CLIP = "kws-temporal-0.28M-w4a8-1a8f6ae0", "esc10-mbconv-0.51M-w8a8-cc5847fb"
WIDTHS = ((8, "symmetric"), (4, "symmetric"), (1, "odd"))
CLIPS = 6

micro = pytest.mark.skipif(not has("tflite_micro"), reason="tflite-micro is not installed: pip install tflite-micro")
litert = pytest.mark.skipif(not has("ai_edge_litert"), reason="ai-edge-litert is not installed")


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


def features_of(network, clips=CLIPS):
    """Random ones, (clips, coefficients, frames)."""
    channels, height, frames = network.specs[0].out_shape
    return np.random.default_rng(1).integers(-128, 128, (clips, channels * height, frames)).astype(np.int8)


def forms_of(name):
    return {"clips": ("clip",), "memories": ("stream",)}.get(name, ("clip", "stream"))


def begun(written):
    return [np.full(one.shape, one.zero_point, one.kind) for one in written.main.inputs[1:]]


@micro
@pytest.mark.parametrize(("bits", "grid"), WIDTHS)
@pytest.mark.parametrize("name", SPACES)
def test_the_emulation_gives_what_tflite_micro_gives_and_both_agree_with_the_package(name, bits, grid):
    network = small_network(name, bits, grid)
    for form in forms_of(name):
        written = build(network, form)
        data, frames, pairs = to_bytes(written.graphs, "", {}), written.main.inputs[0].shape[1], []
        for features in features_of(network):
            maps = maps_of(network, features)
            found = stepped(Micro(data), maps, frames)
            np.testing.assert_array_equal(found, stepped(Emulator(written.graphs), maps, frames))
            own = network(features[None]) if form == "clip" else network.step(features[None], network.reset())[0][0]
            pairs.append((own, found))
        assert len(found) == (1 if form == "clip" else answer_frames(parts(network.arch)))
        found = compared(runner_like(form), "random features", pairs, False)
        print(found)


def runner_like(form):
    from zoo.export.agreement import Runner

    return Runner("TFLite Micro", form, lambda features: features)
