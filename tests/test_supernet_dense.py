"""Family `dense`: answers of a context alone, whatever was heard before it."""

import dataclasses

import numpy as np
import pytest
import torch

from supernet.arch import Arch, FeatureSpec
from supernet.bits import inner_bits, with_bits
from supernet.cost import answer_interval, macs, macs_per_second, params
from supernet.errors import InvalidArch
from supernet.families.dense import Dense, DenseChoices
from supernet.layer import layers
from supernet.memory import stream_ram_bytes, stream_state_bytes
from supernet.nn.network import Network, recalibrate
from supernet.nn.ops import EPSILON
from supernet.nn.supernet import Supernet
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import default_space


def made(context_ms: int = 400, step_ms: int = 10, frames: int | None = None, answer_ms: int = 40, **shape) -> Arch:
    widths = {"first": 8, "dense": (12, 6), "head": 10, **shape}
    features = FeatureSpec("logmel", 40, step_ms)
    return Arch("dense", features, frames or 1000 // step_ms, 5, Dense(context_ms, answer_ms, **widths))


def calibrated(arch: Arch, seed: int = 0, rows: int = 40) -> Network:
    generator = torch.Generator().manual_seed(seed)
    return recalibrate(Network(arch, seed), torch.randn(12, rows, arch.frames, generator=generator)).eval()


def naive_answers(network: Network, x: np.ndarray) -> np.ndarray:
    """(answers, classes) of frames (rows, frames) from a reset on: stacked frames through matrices, in float64."""
    shape, stride = network.arch.shape, network.arch.shape.answer_ms // network.arch.features.step_ms
    taps = shape.context_ms // network.arch.features.step_ms
    padded = np.pad(x, ((0, 0), (taps, 0)))
    tensors = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}
    found = []
    for end in range(stride, x.shape[1] + 1, stride):
        values = padded[:, end : end + taps].ravel()
        for name in ["first", *(f"dense{number + 1}" for number in range(len(shape.dense))), "head"]:
            weight, gamma, beta = (tensors[f"layers.{name}.{part}"] for part in ("weight", "gamma", "beta"))
            mean, var = (getattr(network.layers[name], part).double().numpy() for part in ("mean", "var"))
            product = weight.reshape(len(weight), -1) @ values
            values = np.maximum(0, gamma * (product - mean) / np.sqrt(var + EPSILON) + beta)
        found.append(tensors["layers.classifier.weight"] @ values + tensors["layers.classifier.bias"])
    return np.array(found)


@pytest.mark.parametrize("context_ms", [40, 400, 1000, 1200])
@pytest.mark.parametrize("step_ms", [10, 20])
def test_a_clip_is_the_average_of_its_answers(context_ms, step_ms):
    """Also where one context is as long as the clip, or longer."""
    network = calibrated(made(context_ms, step_ms))
    x = torch.randn(2, 40, network.arch.frames, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = network(x).numpy()
    wanted = np.stack([naive_answers(network, clip).mean(0) for clip in x.double().numpy()])
    np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("context_ms", [40, 400, 1000])
def test_what_is_older_than_context_and_clip_is_forgotten(context_ms):
    """There is no state: two streams that differ before answer alike as soon as context and clip are of equal sound."""
    arch = made(context_ms)
    fake = FakeQuantNetwork(calibrated(arch), with_bits(arch, 4))
    integers = fake.calibrate(torch.randn(8, 40, 100, generator=torch.Generator().manual_seed(2))).to_integer()
    sounds = np.random.default_rng(3).integers(-128, 128, (2, 40, 360)).astype(np.int8)
    sounds[1, :, 80:] = sounds[0, :, 80:]
    logits, _ = integers.step(sounds, integers.reset(2))
    assert logits.shape[1] == 90
    same = (logits[0] == logits[1]).all(1)
    first = (80 + context_ms // 10 - 4 + 100) // 4 - 1
    assert same[first:].all()
    assert not same[20 : first - 5].any()  # of the last few, differences may be less than a step


def test_a_shorter_context_is_the_newest_frames_of_a_longer_one():
    """With weights of zero for the older frames, the longer one computes the same; at 20 ms, for every other frame."""
    space = default_space("dense", 5, 1000, "logmel")
    supernet = Supernet(space, seed=3)
    long, short = (dataclasses.replace(space.largest().shape, context_ms=context) for context in (800, 200))
    for step_ms in (10, 20):
        arch = dataclasses.replace(space.largest(), features=FeatureSpec("logmel", 40, step_ms), frames=1000 // step_ms)
        weight = supernet.slices(dataclasses.replace(arch, shape=short)).layers["first"].weight
        whole = supernet.network.layers["first"].weight
        assert torch.equal(weight, whole[..., -20:] if step_ms == 10 else whole[..., -19::2])
    assert supernet.network.layers["first"].weight.shape[3] == long.context_ms // 10


def test_costs_are_counted_by_hand():
    """25 answers of contexts of 40 frames in a clip of 100; a stream keeps 36 old frames, and 25 heads."""
    arch = made(400)
    weights = (40 * 40 * 8, 8 * 12, 12 * 6, 6 * 10)
    assert macs(arch) == 25 * sum(weights) + 10 * 5
    assert params(arch) == sum(weights) + 2 * (8 + 12 + 6 + 10) + 10 * 5 + 5
    assert answer_interval(arch) == 4
    assert macs_per_second(arch) == 25 * (sum(weights) + 10 * 5)
    assert stream_state_bytes(arch) == 36 * 40 + 25 * 10
    front, detector = 480 * 2 + 514 * 4 + 40 * 4, 5 * (5 * 2 + 4) + 8
    whole = 20 + stream_state_bytes(arch) + 4 * 40 + 2 * 5 + 4 * 10 + 4 + front + detector  # 20: the head and its mean
    assert stream_ram_bytes(arch) == whole + -whole % 4


def test_the_first_layer_takes_the_bits_of_inner_ones():
    """It has most of the weights; the last layer keeps 8 bits."""
    arch = with_bits(default_space("dense", 12).largest(), 4)
    assert arch.weight_bits == (4, 4, 4, 4, 4, 8)
    assert inner_bits(arch) == (4, 8)


@pytest.mark.parametrize(("classes", "kind"), [(12, "mfcc"), (12, "logmel")])
def test_the_default_space_stays_within_250_000_parameters(classes, kind):
    assert 200_000 < params(default_space("dense", classes, features=kind).largest()) <= 250_000


@pytest.mark.parametrize(
    ("clip_ms", "answer_ms"), [(200, 40), (1000, 40), (1500, 20), (5000, 40), (1010, 40), (990, 20)]
)
def test_the_default_space_answers_so_that_clips_are_whole_answers(clip_ms, answer_ms):
    space = default_space("dense", 3, clip_ms)
    for arch in (space.smallest(), space.largest()):
        assert arch.shape.answer_ms == answer_ms
        assert layers(arch)[-1].out_shape == (3, 1, 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: made(410), "context_ms = 410 is not possible: give a multiple of answer_ms = 40"),
        (lambda: made(20), "context_ms = 20"),
        (lambda: made(answer_ms=15), "answer_ms = 15"),
        (lambda: made(dense=()), "dense = 0"),
        (lambda: made(dense=(8, 0)), "dense = 0"),
        (lambda: made(head=True), "head = True"),
        (lambda: layers(made(frames=150)), "a clip of 1500 ms is no multiple of the 40 ms"),
        (lambda: layers(made(step_ms=16, frames=60)), "family dense reads mfcc or logmel frames each 10 ms"),
        (lambda: layers(dataclasses.replace(made(), features=FeatureSpec("raw"))), "family dense reads mfcc or logmel"),
        (lambda: DenseChoices((200, 410), 40, (8,), (1,), (8,), (8,)), "context_ms = 410"),
        (lambda: DenseChoices((400, 200), 40, (8,), (1,), (8,), (8,)), "contexts_ms"),
        (lambda: DenseChoices((200,), 40, (8,), (0, 1), (8,), (8,)), "depths"),
        (lambda: dataclasses.replace(default_space("dense", 3), clip_ms=1050), "no multiple of the 40 ms"),
    ],
)
def test_what_the_family_cannot_build_is_refused(make, said):
    with pytest.raises(InvalidArch, match=said):
        make()


def test_networks_of_unequal_dense_layers_are_none_of_a_space():
    space = default_space("dense", 5, 1000, "logmel")
    shape = dataclasses.replace(space.largest().shape, dense=(96, 64))
    assert dataclasses.replace(space.largest(), shape=dataclasses.replace(shape, dense=(96, 96))) in space
    assert dataclasses.replace(space.largest(), shape=shape) not in space
