"""Linear memories and the family `lmu`: matrices, bounds and integers against independent truths."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.polynomial import legendre
from scipy.signal import cont2discrete

from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.cost import layer_costs, macs, params, weight_bytes
from supernet.errors import InvalidArch, InvalidModel
from supernet.families.lmu import MAX_ORDER, MAX_WINDOW, Memories, MemoryLayer
from supernet.integer.form import MAX_ACCUMULATOR, IntegerLayer
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, layers
from supernet.memory import state_bytes
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network, recalibrate
from supernet.nn.ops import preactivation, twin
from supernet.nn.supernet import Supernet, slice_layer
from supernet.ops import operator
from supernet.ops.memory import UNIT, continuous, discrete, remember, transition
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import default_space

ORDERS, WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, MAX_ORDER), (1, 2, 5, 8, 16, 32, 50, 200, MAX_WINDOW)
REACH, LARGEST = 255, 2**15 - 1
SIZES = {
    361: (40, ((24, 12, 160, 64), (24, 12, 320, 64), (24, 12, 640, 64)), 96),
    105: (30, ((16, 8, 320, 48), (16, 8, 640, 48)), 48),
    49: (20, ((8, 6, 320, 32), (8, 8, 640, 32)), 48),
}
"""Coefficients, layers and head of networks near the published sizes, by these in kbit."""


def published_matrices(order: int) -> tuple[np.ndarray, np.ndarray]:
    """As the paper has them."""
    pairs = [[(2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1)) for j in range(order)] for i in range(order)]
    return np.array(pairs, float), np.array([(2 * i + 1) * (-1) ** i for i in range(order)], float)


def exact_memory(inputs: np.ndarray, order: int, window: int) -> np.ndarray:
    """(frames, order) of an input (frames,), by the transition in Q14 without rounding, in steps of the memory."""
    held = transition(order, window) / 2.0**14
    state, found = np.zeros(order), []
    for value in inputs:
        state = held[:, :order] @ state + held[:, order] * UNIT * value
        found.append(state)
    return np.array(found)


def rounding_bound(order: int, window: int) -> np.ndarray:
    """(order,) the most that rounding every frame by half a step can add up to, however long the stream."""
    step, power, total = transition(order, window)[:, :order] / 2.0**14, np.eye(order), np.zeros(order)
    while np.abs(power).max() > 1e-9:
        total, power = total + 0.5 * np.abs(power).sum(1), step @ power
    return total


def arch_of(size: int) -> Arch:
    coefficients, rows, head = SIZES[size]
    shape = Memories(tuple(MemoryLayer(*row) for row in rows), head)
    return Arch("lmu", FeatureSpec("mfcc", coefficients, 20), 50, 12, shape)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("window", [1, 16, 200])
def test_matrices_are_those_of_the_paper_by_a_zero_order_hold(order, window):
    """Each coefficient is the paper's, divided by the square root of 2 i + 1; SciPy holds them."""
    norm, (a, b) = np.sqrt(2.0 * np.arange(order) + 1), published_matrices(order)
    np.testing.assert_allclose(continuous(order)[0], a * norm / norm[:, None], rtol=1e-12)
    held = cont2discrete((a / window, b[:, None] / window, np.eye(order), np.zeros((order, 1))), 1.0)
    found = discrete(order, window)
    np.testing.assert_allclose(found[0], held[0] * norm / norm[:, None], atol=1e-10)
    np.testing.assert_allclose(found[1], held[1][:, 0] / norm, atol=1e-10)


def test_matrices_of_a_lower_order_are_no_slice_of_those_that_were_made_discrete():
    """Of the continuous ones they are."""
    (large, of_large), (small, of_small) = continuous(12), continuous(6)
    np.testing.assert_array_equal(large[:6, :6], small)
    np.testing.assert_array_equal(of_large[:6], of_small)
    assert np.abs(discrete(12, 16)[0][:6, :6] - discrete(6, 16)[0]).max() > 0.05
    assert (transition(12, 16)[:6, :6] != transition(6, 16)[:, :6]).any()


@pytest.mark.parametrize("window", [20, 50])
def test_a_memory_holds_the_window_that_it_has_heard(window):
    """Legendre polynomials times its coefficients are what came in, from now back to a window ago."""
    order, time = 10, np.arange(300)
    heard = 100 * np.sin(2 * np.pi * time / (1.5 * window)) + 20 * np.cos(2 * np.pi * time / window)
    held = remember(transition(order, window).astype(float), np.round(heard)[None, :, None], np.zeros((1, 1, order)))[0]
    coefficients = held[0, -1, 0] / UNIT * np.sqrt(2.0 * np.arange(order) + 1)
    past = np.arange(1, window)
    decoded = legendre.legval(2 * past / window - 1, coefficients)
    wanted = np.interp(time[-1] - past + 0.5, time, heard)
    assert np.abs(decoded - wanted).max() < 3.0
    assert np.abs(decoded).max() > 90


@pytest.mark.parametrize("order", ORDERS)
def test_sums_hold_in_32_bits_memories_in_16_and_nothing_grows(order):
    """Whatever comes in, for every order and window of the family."""
    for window in WINDOWS:
        spec = LayerSpec("m", "memory", ("x",), (1, 1, 1), (1, order, 1), window=window)
        tensors = IntegerLayer(None, None, **operator("memory").fixed(spec))
        assert operator("memory").bound(spec, tensors, [REACH]) <= MAX_ACCUMULATOR
        step = tensors.transition[:, :order] / 2.0**14
        assert np.abs(np.linalg.eigvals(step)).max() < 1
        left, total = tensors.transition[:, order] / 2.0**14, np.zeros(order)
        while np.abs(left).max() > 1e-9:
            total, left = total + np.abs(left), step @ left
        assert (total * UNIT * REACH + rounding_bound(order, window)).max() < LARGEST


@pytest.mark.parametrize(("order", "window"), [(4, 8), (8, 32), (12, 16), (32, 50)])
def test_rounding_stays_within_its_bound_and_does_not_drift(order, window):
    """Noise, then silence, the largest step, and a tone: 6,000 frames; memories of the last are no farther off."""
    rng, bound = np.random.default_rng(order), rounding_bound(order, window)
    tone = 127 * np.sin(np.arange(3000) / window * 2.7)
    inputs = np.round(np.concatenate([rng.uniform(-255, 255, 1500), np.zeros(500), np.full(1000, 255), tone]))
    held = remember(transition(order, window).astype(float), inputs[None, :, None], np.zeros((1, 1, order)))[0][0, :, 0]
    off = np.abs(held - exact_memory(inputs, order, window))
    assert 0.5 < off.max() < UNIT / 4
    assert (off <= bound).all()
    assert off[3000:].max() < 2 * off[:3000].max()


def test_a_memory_is_what_its_definition_says_in_whole_numbers_of_any_size():
    rng = np.random.default_rng(0)
    spec = LayerSpec("m", "memory", ("x",), (3, 1, 40), (3, 5, 40), window=7)
    layer = IntegerLayer.unweighted(spec, [0.02], 0.017)
    x = rng.integers(-255, 256, (2, 40, 1, 3))
    ready = spec.operator.prepare(spec, layer, [REACH])
    found = spec.operator.run(spec, ready, [x.astype(np.float32)])
    assert found.shape == (2, 40, 5, 3)
    rows, multiplier, shift = layer.transition.tolist(), int(layer.multiplier[0]), int(layer.shift[0])
    for clip, channel in np.ndindex(2, 3):
        held = [0] * 5
        for frame in range(40):
            heard = [*held, 64 * int(x[clip, frame, 0, channel])]
            sums = [sum(a * b for a, b in zip(row, heard, strict=True)) for row in rows]
            held = [min(32767, max(-32768, (total + 8192) >> 14)) for total in sums]
            wanted = [(value * multiplier + (1 << (shift - 1))) >> shift for value in held]
            assert found[clip, frame, :, channel].tolist() == wanted


@pytest.mark.parametrize("frames", [1, 30, 64, 150])
def test_training_hears_all_frames_at_once_what_a_recurrence_gives(frames):
    """In blocks, in float64 exactly, in float32 nearly; with its gradient."""
    spec = LayerSpec("m", "memory", ("x",), (2, 1, frames), (2, 6, frames), window=16)
    x = torch.randn(1, 2, 1, frames, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = np.stack([exact_memory(x[0, channel, 0].numpy(), 6, 16).T / UNIT for channel in range(2)])
    np.testing.assert_allclose(preactivation(spec, [x], None, True)[0].numpy(), wanted, atol=1e-12)
    np.testing.assert_allclose(preactivation(spec, [x.float()], None, True)[0].numpy(), wanted, atol=1e-5)
    x.requires_grad_()
    preactivation(spec, [x], None, True)[0, 1, 3, -1].backward()
    impulse = exact_memory(np.eye(1, frames)[0], 6, 16)[:, 3] / UNIT
    np.testing.assert_allclose(x.grad[0, 1, 0].numpy(), impulse[::-1], atol=1e-12)
    assert not x.grad[0, 0].any()


def test_the_convolution_of_training_is_near_the_recurrence_of_the_integers():
    """Less than a tenth of a step of its input apart, in the mean of random ones."""
    spec = LayerSpec("m", "memory", ("x",), (4, 1, 200), (4, 8, 200), window=32)
    x = torch.randint(-128, 128, (3, 4, 1, 200), generator=torch.Generator().manual_seed(1)).double()
    off = (twin(spec).totals(spec, [x])[0] / UNIT - preactivation(spec, [x], None, False)).abs()
    assert 0 < off.mean() < 0.1
    assert off.max() < 0.25


def test_a_supernet_gives_its_first_memories_and_lowest_coefficients():
    space = default_space("lmu", 4, 400)
    supernet, arch = Supernet(space), space.smallest()
    recall = next(spec for spec in layers(arch) if spec.name == "layer1_recall")
    whole = supernet.network.layers["layer1_recall"]
    assert (whole.weight.shape, recall.weight_shape) == ((64, 24, 12, 1), (16, 4, 4, 1))
    assert torch.equal(slice_layer(whole, recall).weight, whole.weight[:16, :4, :4])


@pytest.mark.parametrize("size", SIZES)
def test_networks_near_the_published_sizes_are_in_the_space(size):
    """In kbit of all that is stored, at 4 bits."""
    arch = arch_of(size)
    assert arch in default_space("lmu", 12)
    assert 8 * weight_bytes(with_bits(arch, 4)) / 1000 == pytest.approx(size, rel=0.06)


def test_a_layer_costs_what_is_counted_by_hand():
    """16 memories of order 8 from 30 to 48 channels, at 50 frames."""
    arch = arch_of(105)
    bill = {cost.name: cost for cost in layer_costs(with_bits(arch, 4))}
    assert bill["layer1_encode"].macs == 50 * 30 * 16
    assert bill["layer1_memory"].macs == 50 * 16 * 8 * 9
    assert bill["layer1_recall"].macs == 50 * 16 * 8 * 48
    assert bill["layer1_pass"].macs == 50 * 30 * 48
    assert macs(arch) == 50 * (30 * 64 + 48 * 64 + 2 * (16 * 8 * (9 + 48)) + 48 * 48) + 48 * 12
    assert params(arch) == 30 * 64 + 48 * 64 + 2 * 16 * 8 * 48 + 48 * 48 + 4 * (16 + 48 + 48) + 96 + 49 * 12
    assert (bill["layer1_memory"].params, bill["layer1_memory"].weight_bytes) == (0, 2 * 8 * 9 + 4 + 1)
    assert bill["layer1_memory"].stream_state_bytes == 2 * 16 * 8
    assert state_bytes(layers(arch)[1]) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": FeatureSpec("logmel", 20, 20)}, "40 logmel frames"),
        ({"features": FeatureSpec("mfcc", 20, 15)}, "multiple of 10 ms"),
        ({"features": FeatureSpec("mfcc", 20, 30)}, r"layer1.theta_ms = 320 .* a multiple of the step of 30 ms"),
    ],
)
def test_features_and_windows_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(InvalidArch, match=said):
        layers(dataclasses.replace(arch_of(105), **changes))


@pytest.mark.parametrize(("field", "value"), [("memories", 0), ("order", 33), ("theta_ms", 20_000), ("width", 2000)])
def test_a_layer_that_is_not_possible_is_refused_by_its_number_and_field(field, value):
    layer = dataclasses.replace(MemoryLayer(8, 6, 320, 32), **{field: value})
    with pytest.raises(InvalidArch, match=rf"layer2.{field} = {value} is not possible"):
        Memories((MemoryLayer(8, 6, 320, 32), layer), 32)


@pytest.fixture(scope="module")
def integers() -> IntegerNetwork:
    """Of the smallest of the three, on random weights."""
    arch = dataclasses.replace(arch_of(49), classes=4)
    features = torch.randn(16, 20, 50, generator=torch.Generator().manual_seed(0))
    network = recalibrate(Network(arch), features)
    return FakeQuantNetwork(network, with_bits(arch, 4)).calibrate(features).to_integer()


def with_transition(integers: IntegerNetwork, change) -> IntegerNetwork:
    own = integers.tensors["layer1_memory"]
    changed = dataclasses.replace(own, transition=change(own.transition))
    return IntegerNetwork(integers.arch, {**integers.tensors, "layer1_memory": changed}, integers.activations)


@pytest.mark.parametrize("steps", [(20, 30), (30,)])
def test_a_space_whose_windows_are_no_whole_frames_is_refused(steps):
    known = default_space("lmu", 4)
    with pytest.raises(InvalidArch, match=r"theta_ms = \d+ is not possible: give a multiple of the step of 30 ms"):
        dataclasses.replace(known, steps_ms=steps)


def test_what_a_package_holds_goes_before_what_a_machine_would_make(integers):
    """A transition that is off by one here and there gives other integers, the same ones in NumPy and torch."""
    near = with_transition(integers, lambda held: (held + (np.indices(held.shape).sum(0) % 2)).astype(np.int16))
    x = np.random.default_rng(0).integers(-128, 128, (4, 20, 50)).astype(np.int8)
    assert np.array_equal(TorchIntegers(near)(torch.from_numpy(x)).numpy(), near(x))
    assert not np.array_equal(near(x), integers(x))


def test_a_transition_that_could_leave_32_bits_or_does_not_fit_is_refused(integers):
    with pytest.raises(InvalidModel, match="layer layer1_memory: an accumulator can reach"):
        with_transition(integers, lambda held: np.full_like(held, 2**15 - 1))
    with pytest.raises(InvalidModel, match="layer layer1_memory: transition is not"):
        with_transition(integers, lambda held: held[:-1])
