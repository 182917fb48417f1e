"""Quantisation: the integers against a slow reference in unbounded integers, and the fake network against them."""

import copy
import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st

from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.data.augment import plain_features
from supernet.errors import InvalidArch, InvalidCheckpoint, InvalidModel, UnknownName
from supernet.families.blocks import Block, Blocks, Stage
from supernet.files import read_json
from supernet.integer.form import Activation, IntegerLayer, check_accumulators
from supernet.integer.packing import default_grid, grid_limit, pack, unpack
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import layers
from supernet.memory import stream_state_bytes
from supernet.nn.frontend import dequantise_features, quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network, recalibrate
from supernet.nn.supernet import Supernet
from supernet.ops.base import encode_multiplier, requantise
from supernet.quant.fake import FakeQuantNetwork, _weighted_layer, fake_quantise, measure_range
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.quantisers import (
    METHODS,
    Lsq,
    Quantiser,
    StraightThrough,
    Tanh,
    fit_steps,
    lsq,
    method,
    quantise_weight,
)
from supernet.train import loop
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.evaluate import accuracy
from supernet.train.loop import weights_digest

GRIDS = [(bits, grid) for grid, low, high in (("symmetric", 2, 8), ("odd", 1, 7)) for bits in range(low, high + 1)]


def features(clips: int, seed: int = 0) -> torch.Tensor:
    x = torch.randn(clips, 40, 100, generator=torch.Generator().manual_seed(seed))
    return dequantise_features(quantise_features(x))


def fake_network(space, seed: int, bits: int, quantiser: type[Quantiser] = Lsq) -> FakeQuantNetwork:
    arch = space.from_genes(space.sample(np.random.default_rng(seed)))[0]
    network = recalibrate(Network(arch, seed), features(32))
    with torch.no_grad():
        for layer in network.layers.values():
            if layer.gamma is not None:
                layer.gamma.copy_(torch.randn(len(layer.gamma), generator=torch.Generator().manual_seed(seed)))
                layer.beta.copy_(torch.randn(len(layer.beta), generator=torch.Generator().manual_seed(seed + 1)))
    return FakeQuantNetwork(network, with_bits(arch, bits), quantiser).calibrate(features(32)).eval()


@given(st.data(), st.sampled_from(GRIDS), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_packing_gives_back_every_integer_in_the_fewest_bytes(data, kind, shape):
    bits, grid = kind
    limit = grid_limit(bits, grid)
    size = int(np.prod(shape))
    choices = range(-limit, limit + 1, 2) if grid == "odd" else range(-limit, limit + 1)
    values = np.array(data.draw(st.lists(st.sampled_from(list(choices)), min_size=size, max_size=size))).reshape(shape)
    packed = pack(values, bits, grid)
    assert packed.nbytes == -(-size * bits // 8)
    assert np.array_equal(unpack(packed, tuple(shape), bits, grid), values)


def test_bits_are_packed_least_significant_first():
    """3 bits, symmetric: 1, -1, 3 are 001, 111, 011; the second byte holds the last bit of the third."""
    assert pack(np.array([1, -1, 3]), 3, "symmetric").tolist() == [0b11_111_001, 0b0]
    assert pack(np.array([1, -1, 1, 1]), 1, "odd").tolist() == [0b1101]


@pytest.mark.parametrize(("values", "bits", "grid"), [([8], 4, "symmetric"), ([-8], 4, "symmetric"), ([0], 2, "odd")])
def test_weights_off_the_grid_are_refused(values, bits, grid):
    with pytest.raises(InvalidModel, match="leave the"):
        pack(np.array(values), bits, grid)


def test_altered_bytes_are_refused():
    with pytest.raises(InvalidModel, match="do not hold"):
        unpack(np.zeros(3, np.uint8), (4,), 4, "symmetric")
    with pytest.raises(InvalidModel, match="not zero"):
        unpack(np.array([0x10, 0xF0], np.uint8), (3,), 4, "symmetric")
    with pytest.raises(InvalidModel, match="below -7"):
        unpack(np.array([0x08], np.uint8), (1,), 4, "symmetric")
    for bits, grid in ((1, "symmetric"), (8, "odd"), (9, "symmetric"), (4, "even")):
        with pytest.raises(InvalidModel, match="no grid"):
            grid_limit(bits, grid)


@given(st.floats(2.0**-31, 2.0**29))
def test_a_multiplier_is_the_nearest_31_bit_one(real):
    multiplier, shift = encode_multiplier(np.array([real]))
    assert 2**30 <= int(multiplier[0]) < 2**31
    stored = Fraction(int(multiplier[0])) / 2 ** int(shift[0])
    assert abs(stored / Fraction(real) - 1) <= Fraction(1, 2**31)


@pytest.mark.parametrize("real", [2.0**30, 2.0**-33, 0.0, float("nan")])
def test_a_multiplier_without_a_31_bit_form_is_refused(real):
    with pytest.raises(InvalidModel, match="has no 31-bit form"):
        encode_multiplier(np.array([real]))


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(1, 62))
def test_requantising_rounds_once_with_ties_up(accumulator, multiplier, shift):
    ready = {"multiplier": np.array([multiplier]), "shift": np.array([shift])}
    got = int(requantise(np.array([accumulator]), ready)[0])
    exact = Fraction(accumulator * multiplier, 2**shift)
    assert got == (exact + Fraction(1, 2)).__floor__() == reference.requantise(accumulator, multiplier, shift)


@pytest.mark.parametrize("bits", [8, 4, 3, 2, 1])
def test_every_integer_of_every_layer_is_the_references(small_space, bits):
    """With norms of both signs, so that channels are flipped."""
    for seed in range(2):
        integers = fake_network(small_space, 10 * bits + seed, bits).to_integer()
        x = quantise_features(4 * features(2, seed=5))[
            :, : integers.arch.features.coefficients, :: 100 // integers.arch.frames
        ]
        outputs = integers.run(x.numpy(), keep=True)
        for clip in range(2):
            expected = reference.integer_network(integers, x[clip].numpy())
            for name, values in expected.items():
                assert np.array_equal(outputs[name][clip], values.astype(np.int64)), name
        assert np.array_equal(TorchIntegers(integers)(x).numpy(), outputs["classifier"])


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_every_integer_with_excitation_is_the_references(square_space, bits):
    """ReLU6, hard sigmoids and scalings among them, and no value beyond their limits."""
    genes = square_space.sample(np.random.default_rng(bits), 200)
    rows = [
        row for row, arch in zip(genes, square_space.from_genes(genes), strict=True) if arch.shape.stages[1].excitation
    ]
    for row in rows[:2]:
        arch = square_space.from_genes(row[None])[0]
        network = recalibrate(Network(arch, 1), 3 * features(32))
        fake = FakeQuantNetwork(network, with_bits(arch, bits)).calibrate(3 * features(32)).eval()
        integers = fake.to_integer()
        step, skip = 100 // arch.frames, 40 // arch.features.coefficients
        x = quantise_features(4 * features(2, seed=5))[:, skip - 1 :: skip, step - 1 :: step]
        outputs = integers.run(x.numpy(), keep=True)
        for clip in range(2):
            for name, values in reference.integer_network(integers, x[clip].numpy()).items():
                assert np.array_equal(outputs[name][clip], values.astype(np.int64)), name
        assert np.array_equal(TorchIntegers(integers)(x).numpy(), outputs["classifier"])
        for spec in integers.specs:
            activation = integers.activations[spec.name]
            reals = (outputs[spec.name].astype(float) - activation.zero_point) * activation.scale
            assert spec.limits[0] <= float(reals.min())
            assert float(reals.max()) <= spec.limits[1] * (1 + 1e-9)
        scale = integers.activations[integers.specs[-1].name].scale
        with torch.no_grad():
            emulated = fake(dequantise_features(x))
        assert np.array_equal(integers(x.numpy()) * scale, emulated.double().numpy())


@pytest.mark.parametrize("bits", [8, 3])
def test_every_integer_on_maps_is_the_references(map_space, bits):
    arch = map_space.from_genes(map_space.sample(np.random.default_rng(2)))[0]
    x = features(9, seed=3)[:, :, :20]
    fake = FakeQuantNetwork(recalibrate(Network(arch), x), with_bits(arch, bits)).calibrate(x)
    integers, stored = fake.to_integer(), quantise_features(4 * x)
    outputs = integers.run(stored[:1].numpy(), keep=True)
    step = arch.features.step_ms // 10
    expected = reference.integer_network(integers, stored[0, :16, step - 1 :: step].numpy())
    for name, values in expected.items():
        assert np.array_equal(outputs[name][0], values.astype(np.int64)), name


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_in_any_cut_gives_what_a_clip_gives(small_space, map_space, seed):
    """From reset; before, between and after clips it answers at each frame of the average, and all that it keeps has
    one size.
    """
    rng, kept = np.random.default_rng(seed), []
    space = (small_space, map_space)[seed % 2]
    arch = space.from_genes(space.sample(rng))[0]
    shape = layers(arch)[0]
    calibration = torch.randn(
        16, space.coefficients[-1], space.clip_ms // 10, generator=torch.Generator().manual_seed(0)
    )
    fake = FakeQuantNetwork(recalibrate(Network(arch, seed), calibration), with_bits(arch, 8)).calibrate(calibration)
    integers = fake.to_integer()
    x = rng.integers(-128, 128, (2, shape.out_shape[0] * shape.out_shape[1], arch.frames)).astype(np.int8)
    for cuts in ([], [1], [7, 8, 15], list(range(1, arch.frames))):
        state, found = integers.reset(2), []
        for part in np.split(x, cuts, 2):
            logits, state = integers.step(part, state)
            found.append(logits)
        kept.append({name: value.shape for name, value in state.items()})
        assert sum(value[0].size for value in state.values()) == stream_state_bytes(arch)
        assert np.array_equal(np.concatenate(found, 1)[:, -1], integers(x))
    assert kept == [{name: value.shape for name, value in integers.reset(2).items()}] * len(kept)


def test_what_looks_ahead_answers_in_no_stream(square_space):
    arch = square_space.smallest()
    fake = FakeQuantNetwork(recalibrate(Network(arch), features(8)), with_bits(arch, 8)).calibrate(features(8))
    with pytest.raises(InvalidArch, match="family mbconv hears whole clips"):
        fake.to_integer().reset()


@pytest.mark.parametrize(
    ("bits", "quantiser"), [*[(bits, Lsq) for bits in (8, 4, 2, 1)], (4, Tanh), (1, Tanh), (3, StraightThrough)]
)
def test_the_fake_network_computes_what_the_integers_do(small_space, bits, quantiser):
    """The very same logits."""
    fake = fake_network(small_space, bits, bits, quantiser)
    integers = fake.to_integer()
    x = features(64, seed=2)
    with torch.no_grad():
        logits = fake(x) / fake.activations["classifier"].scale
    assert np.array_equal(logits.round().numpy(), integers(quantise_features(x).numpy()))


@pytest.mark.parametrize(("source", "output"), [(0.05, 0.02), (0.05, 0.01), (0.0371, 0.0123)])
def test_every_average_is_rounded_as_the_integers_do(small_space, source, output):
    """All sums that can be, of 50 and 100 values of a head, at ratios with and without ties."""
    fake = fake_network(small_space, 1, 8)
    fake.activations["head"], fake.activations["pool"] = Activation(source, -128), Activation(output, -128)
    spec = next(spec for spec in fake.specs if spec.kind == "pool")
    frames = spec.in_shape[2]
    sums = torch.arange(255 * frames + 1)
    whole = sums[:, None] // frames + (torch.arange(frames) < (sums % frames)[:, None])
    x = source * whole.double().reshape(-1, 1, 1, frames)
    multiplier, shift = (int(part[0]) for part in encode_multiplier(np.array([source / (output * frames)])))
    expected = [min(reference.requantise(value, multiplier, shift), 255) for value in sums.tolist()]
    assert torch.equal((fake._exact(spec, [x], None).ravel() / output).round(), torch.tensor(expected).double())


def test_steps_stay_alive_at_any_learning_rate(small_space):
    """AdamW takes them as far as the rate says, each step: in logarithms that never passes zero."""
    fake = fake_network(small_space, 2, 8).train()
    optimiser, x = torch.optim.AdamW(fake.parameters(), 0.05), features(16)
    for _ in range(10):
        optimiser.zero_grad()
        fake(x).square().sum().backward()
        optimiser.step()
    for quantiser in fake.quantisers.values():
        assert (quantiser.parts(torch.zeros(len(quantiser.log_steps), 1))[1] > 1e-6).all()


@pytest.mark.parametrize("taps", [64, 65])
def test_sums_are_exact_on_both_sides_of_what_float32_holds(taps):
    """A linear layer whose accumulators come close to 2^24 and beyond, at the extremes of weights and inputs."""
    arch = Arch("temporal", FeatureSpec("mfcc", 10, 20), 50, 2, Blocks(8, (Stage(8, (Block(3, 1),)),), 8 * taps))
    integers = FakeQuantNetwork(recalibrate(Network(arch), features(4)), with_bits(arch, 8)).calibrate(features(4))
    integers = integers.to_integer()
    last = integers.tensors["classifier"]
    last.weight[:] = 127
    last.weight[0, ::2] = 126
    last.multiplier[:], last.shift[:], last.bias[:] = 2**30 + 1, 46, 12345
    for layer in ("pool", "head"):
        integers.activations[layer] = Activation(0.1, -128, 8)
    integers = IntegerNetwork(arch_with_bits := integers.arch, integers.tensors, integers.activations)
    assert arch_with_bits.shape.head == 8 * taps
    kind = integers._ready["classifier"]["weight"].dtype
    assert kind == (np.float32 if 8 * taps * 127 * 255 < 2**24 else np.float64)
    x = np.full((1, 10, 50), 127, np.int8)
    expected = reference.integer_network(integers, x[0])["classifier"]
    assert np.array_equal(integers(x)[0], expected)
    assert np.array_equal(TorchIntegers(integers)(torch.from_numpy(x))[0].numpy(), expected)


def test_mixed_precision_around_a_call_changes_nothing(small_space):
    integers = TorchIntegers(fake_network(small_space, 8, 8).to_integer())
    x = quantise_features(features(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = integers(x)
    assert torch.equal(mixed, integers(x))


@given(st.integers(0, 2**32 - 1), st.sampled_from(GRIDS))
def test_quantised_weights_are_the_nearest_on_the_grid(seed, kind):
    bits, grid = kind
    rng = np.random.default_rng(seed)
    weight, step = torch.from_numpy(rng.normal(size=(3, 2, 1, 4))).float(), torch.tensor([0.1, 0.5, 2.0])
    limit = grid_limit(bits, grid)
    points = np.arange(-limit, limit + 1, 2 if grid == "odd" else 1)
    unit = step.numpy() / (2 if grid == "odd" else 1)
    chosen = quantise_weight(weight, step, bits, grid).numpy()
    distance = np.abs(weight.numpy()[..., None] - unit[:, None, None, None, None] * points)
    error = np.abs(weight.numpy() - unit[:, None, None, None] * chosen)
    assert np.isin(chosen, points).all()
    np.testing.assert_allclose(error, distance.min(-1), atol=1e-6)


@pytest.mark.parametrize(
    ("bits", "grid"), [*[(bits, "symmetric") for bits in (2, 3, 4, 8)], *[(bits, "odd") for bits in (1, 2, 3)]]
)
def test_lsq_has_the_published_gradients(bits, grid):
    """d/ds = round(w/s) - w/s inside the range, -Qn or Qp outside, over sqrt(N Qp); d/dw = 1 inside, 0 outside.

    Of the logarithm of s, s times that. The odd grid's range ends at the outer edge of the outermost integers.
    """
    weight = torch.tensor([[0.07, -0.4, 0.28, 50.0, -50.0]], dtype=torch.float64, requires_grad=True)
    quantiser = Lsq(weight, bits, grid, torch.tensor([0.3], dtype=torch.float64).log())
    quantiser(weight).sum().backward()
    positive = 2 ** (bits - 1) - (1 if grid == "symmetric" else 0.5)
    offset, edge = (0.0, positive) if grid == "symmetric" else (0.5, 2 ** (bits - 1))
    expected, passed = 0.0, []
    for value in weight[0].tolist():
        ratio = value / 0.3
        if abs(ratio) > edge:
            expected += np.sign(ratio) * positive
            passed.append(0.0)
        else:
            expected += np.floor(ratio - offset + 0.5) + offset - ratio
            passed.append(1.0)
    assert float(quantiser.log_steps.grad) == pytest.approx(0.3 * expected / np.sqrt(5 * positive))
    assert weight.grad[0].tolist() == passed


def lsq_gradients(ratio: np.ndarray, bits: int, grid: str) -> tuple[np.ndarray, np.ndarray]:
    """d/dw and d/ds of quantised weights, of w / s; ends of the range are inside, as are halves that round into it."""
    if grid == "symmetric":
        positive = 2 ** (bits - 1) - 1
        inside, nearest = abs(ratio) <= positive, np.floor(ratio + 0.5)
    else:
        positive, half = 2 ** (bits - 1) - 0.5, 2 ** (bits - 1)
        inside, nearest = (-half <= ratio) & (ratio < half), np.floor(ratio) + 0.5
    return inside.astype(float), np.where(inside, nearest - ratio, positive * np.sign(ratio))


@given(st.data(), st.sampled_from(GRIDS), st.sampled_from([torch.float32, torch.float64]), st.integers(-6, 3))
def test_weights_on_grid_points_and_bounds_have_the_gradients_of_the_formula(data, kind, dtype, exponent):
    """On integers, on halves and close to both; steps are powers of two, so that they are met exactly."""
    bits, grid = kind
    reach = 2**bits + 2
    halves = data.draw(st.lists(st.integers(-reach, reach), min_size=1, max_size=20))
    ratio = np.array(halves) / 2 + data.draw(st.sampled_from([-(2.0**-10), 0.0, 2.0**-10]))
    step = torch.tensor([2.0**exponent], dtype=dtype, requires_grad=True)
    weight = (torch.from_numpy(ratio[None]).to(dtype) * 2.0**exponent).requires_grad_()
    unit = step if grid == "symmetric" else step / 2
    (quantise_weight(weight, step, bits, grid) * unit[:, None]).sum().backward()
    by_weight, by_step = lsq_gradients(ratio, bits, grid)
    assert weight.grad[0].tolist() == by_weight.tolist()
    assert float(step.grad) == pytest.approx(by_step.sum(), abs=1e-6)


@pytest.mark.parametrize(("bits", "grid"), [(1, "odd"), (2, "odd"), (3, "odd"), (2, "symmetric"), (3, "symmetric")])
def test_weights_of_the_outermost_integers_learn(bits, grid):
    """Of few bits these are most weights, at 1 bit all."""
    limit = grid_limit(bits, grid)
    outermost = (limit if grid == "symmetric" else limit / 2) * torch.tensor([[-1.0, 1.0]])
    weight = outermost.clone().requires_grad_()
    integers = quantise_weight(weight, torch.ones(1), bits, grid)
    integers.sum().backward()
    assert integers.tolist() == [[-limit, limit]]
    assert weight.grad.tolist() == [[1.0, 1.0] if grid == "symmetric" else [2.0, 2.0]]


def dorefa(weight: np.ndarray, bits: int) -> np.ndarray:
    """The published formula: at most 1, or sign(w) mean |w| at 1 bit."""
    if bits == 1:
        return np.where(weight < 0, -1, 1) * np.abs(weight).mean()
    bent = np.tanh(weight)
    levels = 2**bits - 1
    return 2 * np.floor(levels * (bent / (2 * np.abs(bent).max()) + 0.5) + 0.5) / levels - 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_tanh_is_the_published_formula_times_the_largest_value(seed, bits):
    weight = np.random.default_rng(seed).normal(size=(3, 2, 1, 4))
    quantiser = Tanh(torch.from_numpy(weight), bits, "odd")
    largest = 1.0 if bits == 1 else np.abs(np.tanh(weight)).max()
    np.testing.assert_allclose(quantiser(torch.from_numpy(weight)).numpy(), dorefa(weight, bits) * largest, atol=1e-12)


def test_tanh_has_the_gradient_of_tanh():
    weight = torch.randn(2, 3, 1, 5, dtype=torch.float64, requires_grad=True)
    Tanh(weight, 4, "symmetric")(weight).sum().backward()
    np.testing.assert_allclose(weight.grad.numpy(), 1 / np.cosh(weight.detach().numpy()) ** 2)


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_the_plain_estimator_rounds_to_the_grid_and_passes_gradients_on(bits):
    weight = torch.randn(2, 3, 1, 5, dtype=torch.float64, requires_grad=True)
    quantiser = StraightThrough(weight, bits, default_grid(bits))
    quantised = quantiser(weight)
    quantised.sum().backward()
    assert torch.allclose(weight.grad, torch.ones_like(weight))
    size = weight.detach().abs().flatten(1)
    if bits == 1:
        assert torch.allclose(quantised.detach().abs().flatten(1), size.mean(1, keepdim=True))
    else:
        step = 2 * size.amax(1) / (2**bits - (2 if bits > 3 else 1))
        assert ((quantised - weight).detach().abs().flatten(1) <= step[:, None] / 2 + 1e-12).all()
        assert torch.allclose(quantised.detach().abs().flatten(1).amax(1), size.amax(1))


@given(st.sampled_from([Lsq, Tanh, StraightThrough]), st.sampled_from(GRIDS), st.integers(0, 2**32 - 1))
def test_every_quantiser_gives_integers_of_its_grid(quantiser, kind, seed):
    bits, grid = kind
    weight = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, 3, 1, 3)) * 10.0 ** (seed % 7 - 4))
    weight[0] = 0.0
    integers, unit = quantiser(weight, bits, grid).parts(weight)
    pack(integers.detach().numpy(), bits, grid)
    assert unit.shape == (4,)
    assert (unit > 0).all()


def test_an_unknown_method_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="lsq"):
        method("lqs")


@pytest.mark.parametrize(("bits", "grid"), GRIDS)
def test_fitted_steps_are_about_the_best(bits, grid):
    weight = torch.randn(4, 64, generator=torch.Generator().manual_seed(bits))
    error = lambda step: float((lsq(weight, step, bits, grid) - weight).square().sum())  # noqa: E731
    fitted = fit_steps(weight, bits, grid)
    assert all(error(fitted) <= 1.05 * error(fitted * factor) for factor in (0.5, 0.7, 1.4, 2.0))


@given(st.floats(0.01, 100), st.floats(-3, 3), st.sampled_from([2, 4, 8]))
def test_a_measured_range_holds_zero_exactly(spread, shift, bits):
    x = torch.randn(500, generator=torch.Generator().manual_seed(1)) * spread + shift
    activation = measure_range(x, bits, relu=False)
    low, high = activation.limits
    assert low <= activation.zero_point <= high
    assert measure_range(x.relu(), bits, relu=True).zero_point == low


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_range_is_about_the_best(bits):
    """Of values with a long tail, as activations have them."""
    x = torch.randn(5000, generator=torch.Generator().manual_seed(bits)).relu() ** 2

    def error(scale: float) -> float:
        whole = torch.floor(x / scale + 0.5).clamp(0, 2**bits - 1)
        return float((whole * scale - x).square().mean())

    fitted = error(measure_range(x, bits, relu=True).scale)
    assert all(fitted <= 1.05 * error(scale) for scale in np.geomspace(0.02, 2, 200) * float(x.max()) / 2**bits)


@given(st.integers(0, 2**31), st.sampled_from([2, 3, 4, 8, 16]), st.floats(0.5, 6), st.booleans(), st.booleans())
def test_no_fraction_of_a_range_that_is_left_out_is_better(seed, bits, tail, relu, twice):
    """Against all of 32, with tails from none to long ones."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=300) * np.exp(rng.normal(size=300) * tail / 3) + rng.normal()
    x = np.maximum(x, 0) if relu else x
    x = x.astype(np.float64 if twice else np.float32)
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    errors, scales = [], (high - low) * np.geomspace(1.0, 0.08, 32) / (2**bits - 1)
    for scale in scales:
        zero = 0 if relu else -round(-(2 ** (bits - 1)) - low / (high - low) * (2**bits - 1)) - 2 ** (bits - 1)
        errors.append(np.square(np.clip(np.floor(x / scale + 0.5), zero, zero + 2**bits - 1) * scale - x).mean())
    found = measure_range(torch.from_numpy(x), bits, relu).scale
    assert errors[np.abs(scales - found).argmin()] == pytest.approx(min(errors), rel=1e-5)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_a_range_holds_its_values_at_any_bits(bits):
    x = torch.rand(500, generator=torch.Generator().manual_seed(1)) + 4.5
    activation = measure_range(x, bits, relu=False)
    reached = (activation.limits[1] - activation.zero_point) * activation.scale
    assert reached >= 4.5
    assert activation.scale * (2**bits - 1) <= 6


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bits", [2, 8])
def test_activations_have_the_values_and_gradients_of_torchs_emulation(bits, relu):
    x = (3 * torch.randn(2000, generator=torch.Generator().manual_seed(0))).requires_grad_()
    other = x.detach().clone().requires_grad_()
    activation = Activation(0.037 * 2 ** (8 - bits), -(2 ** (bits - 1)) if relu else 0, bits)
    ours = fake_quantise(x, activation, relu)
    theirs = torch.fake_quantize_per_tensor_affine(
        other.relu() if relu else other, activation.scale, activation.zero_point, *activation.limits
    )
    torch.testing.assert_close(ours, theirs)
    gradient = torch.randn(2000, generator=torch.Generator().manual_seed(1))
    ours.backward(gradient)
    theirs.backward(gradient)
    assert (x.grad == 0).any()
    assert torch.equal(x.grad, other.grad)


@given(st.data(), st.booleans(), st.sampled_from([2, 3, 4, 8]), st.integers(-6, 3))
def test_activations_on_grid_points_and_bounds_have_the_gradients_of_the_formula(data, relu, bits, exponent):
    """Half a step beyond the outermost grid points, where the range ends, and at a rectified zero, it is 0.

    Torch's emulation rounds halves to even, so at these ends it passes the gradient at every other width.
    """
    half = 2 ** (bits - 1)
    zero = -half if relu else data.draw(st.integers(-half, half - 1))
    activation = Activation(2.0**exponent, zero, bits)
    least, most = (limit - zero for limit in activation.limits)
    quarters = data.draw(st.lists(st.integers(4 * least - 8, 4 * most + 8), min_size=1, max_size=20))
    ratio = np.array([0, 4 * least - 2, 4 * least, 4 * most, 4 * most + 2, *quarters]) / 4
    x = (torch.from_numpy(ratio).float() * activation.scale).requires_grad_()
    fake_quantise(x, activation, relu).sum().backward()
    inside = (least - 0.5 < ratio) & (ratio < most + 0.5) & (not relu or ratio > 0)
    assert x.grad.tolist() == inside.astype(float).tolist()
    other = x.detach().clone().requires_grad_()
    limits = activation.scale, activation.zero_point, *activation.limits
    torch.fake_quantize_per_tensor_affine(other.relu() if relu else other, *limits).sum().backward()
    alike = (ratio != least - 0.5) & (ratio != most + 0.5)
    assert x.grad.numpy()[alike].tolist() == other.grad.numpy()[alike].tolist()


@pytest.mark.parametrize(
    "values",
    [(0.0, 0, 8), (-1.0, 0, 8), (float("nan"), 0, 8), (1e308, 0, 8), (0.1, 1.5, 8), (0.1, True, 8), (0.1, 0, 8.0),
     (0.1, 128, 8), (0.1, 0, 1), ("0.1", 0, 8)],
)  # fmt: skip
def test_impossible_scales_and_zero_points_are_refused(values):
    with pytest.raises(InvalidModel, match="not possible"):
        Activation(*values)


def test_a_channel_without_gain_becomes_its_constant(small_space):
    fake = fake_network(small_space, 3, 8)
    with torch.no_grad():
        fake.layers["head"].gamma[1], fake.layers["head"].beta[1] = 0.0, 0.8
    integers = fake.calibrate(features(32)).to_integer()
    values = integers.run(quantise_features(features(2)).numpy(), keep=True)["head"]
    activation = integers.activations["head"]
    assert np.abs((values[:, 1] - activation.zero_point) * activation.scale - 0.8).max() <= activation.scale / 2


def test_a_constant_channel_has_no_place_on_the_odd_grid(small_space):
    fake = fake_network(small_space, 3, 2)
    with torch.no_grad():
        fake.layers["head"].gamma[1], fake.layers["head"].beta[1] = 0.0, 0.8
    with pytest.raises(InvalidModel, match="layer head: channel 1 is a constant"):
        fake.calibrate(features(32)).to_integer()


def test_an_accumulator_that_could_overflow_is_refused_by_name(small_space):
    integers = fake_network(small_space, 0, 8).to_integer()
    tensors = dict(integers.tensors)
    stem = copy.deepcopy(tensors["stem"])
    stem.bias[0] = 2**30
    tensors["stem"] = stem
    IntegerNetwork(integers.arch, tensors, integers.activations)
    stem.bias[0] += 1
    with pytest.raises(InvalidModel, match=r"layer stem: a bias leaves"):
        IntegerNetwork(integers.arch, tensors, integers.activations)
    wide = IntegerLayer(stem.multiplier, stem.shift, np.full(stem.weight.shape, 2**22), np.zeros_like(stem.bias))
    with pytest.raises(InvalidModel, match="layer stem: an accumulator can reach"):
        check_accumulators(layers(integers.arch)[:2], {"stem": wide}, integers.activations)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("missing", "the tensors of the package are not those of its architecture"),
        ("shape", "layer head: multiplier is not"),
        ("dtype", "layer head: bias is not"),
        ("multiplier", "layer head: a multiplier or shift is out of range"),
        ("shift", "layer head: a multiplier or shift is out of range"),
        ("bits", "layer head: .* differ in activation bits"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(small_space, change, said):
    integers = fake_network(small_space, 0, 4).to_integer()
    tensors, activations = copy.deepcopy(integers.tensors), dict(integers.activations)
    head = tensors["head"]
    if change == "missing":
        del tensors["head"]
    elif change == "shape":
        tensors["head"] = IntegerLayer(head.multiplier[:-1], head.shift, head.weight, head.bias)
    elif change == "dtype":
        tensors["head"] = IntegerLayer(head.multiplier, head.shift, head.weight, head.bias.astype(np.int64))
    elif change == "multiplier":
        head.multiplier[0] = 5
    elif change == "shift":
        head.shift[0] = 63
    else:
        activations["head"] = Activation(0.1, 0, 7)
    with pytest.raises(InvalidModel, match=said):
        IntegerNetwork(integers.arch, tensors, activations)


def test_a_bias_that_has_no_form_is_refused_where_its_channel_matters():
    """The gain is far from nothing: the weights move the output by more than half a step."""
    weight = np.full((1, 1024), 127)
    layer = (np.array([1e-6]), np.array([1.0]), np.array([2000.0]))
    with pytest.raises(InvalidModel, match=r"bias of channel 0 leaves"):
        _weighted_layer(weight, *layer, 10.0, "symmetric")
    assert not _weighted_layer(weight, layer[0], np.array([1e-9]), layer[2], 10.0, "symmetric").weight.any()


def test_features_have_8_bits(small_space):
    fake = fake_network(small_space, 1, 8)
    fake.arch = dataclasses.replace(fake.arch, activation_bits=(4, *fake.arch.activation_bits[1:]))
    with pytest.raises(InvalidModel, match="features of 4 bits are not possible"):
        fake.to_integer()


def test_bits_must_be_those_of_the_network(small_space):
    network = recalibrate(Network(small_space.smallest()), features(4))
    with pytest.raises(InvalidModel, match="with_bits"):
        FakeQuantNetwork(network, small_space.smallest())
    with pytest.raises(InvalidModel, match="with_bits"):
        FakeQuantNetwork(network, with_bits(small_space.largest(), 4))


def test_fine_tuning_improves_and_a_killed_run_ends_the_same(speech_data, small_space, tmp_path, monkeypatch):
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    supernet = Supernet(small_space, calibration).eval()
    arch = small_space.largest()
    recipe = QuantRecipe(epochs=4, batch=8, learning_rate=5e-3)

    def run(folder, network=None):
        network = network or supernet.extract(arch)
        bits, teacher = with_bits(arch, 4), supernet.extract(arch)
        return quantise(network, bits, teacher, speech_data, frontend, calibration, recipe, folder, progress=False)

    whole = run(tmp_path / "whole")
    split = speech_data.splits["train"]
    features = plain_features(speech_data, split.rows, frontend)
    before = FakeQuantNetwork(supernet.extract(arch), with_bits(arch, 4)).calibrate(calibration).eval()
    assert accuracy(whole, features, split.targets) >= accuracy(before, features, split.targets) + 0.2

    calls = 0
    real = loop._descend

    def dies(*arguments):
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(loop, "_descend", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed")
    resumed = run(tmp_path / "killed")
    assert weights_digest(resumed) == weights_digest(whole)
    assert resumed.activations == whole.activations
    with pytest.raises(InvalidCheckpoint, match="start"):
        run(tmp_path / "whole", whole.to_float())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_ends_in_integers(name, speech_data, small_space, tmp_path):
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    network = Supernet(small_space, calibration).eval().extract(small_space.smallest())
    recipe = QuantRecipe(epochs=3, batch=8, method=name)
    bits = with_bits(network.arch, 2)
    fake = quantise(network, bits, None, speech_data, frontend, calibration, recipe, tmp_path, progress=False)
    integers = fake.to_integer()
    arrays = [vars(layer) for layer in integers.tensors.values()]
    types = {(key, array.dtype.name) for layer in arrays for key, array in layer.items() if array is not None}
    assert types == {("weight", "int8"), ("bias", "int32"), ("multiplier", "int32"), ("shift", "uint8")}
    assert integers(quantise_features(calibration).numpy()).dtype == np.int16
    epochs = [len(read_json(path)) for path in sorted(tmp_path.rglob("log.json"))]
    assert epochs == {"rounding": [], "two-stage": [1, 2]}.get(name, [3])
    same = all(torch.equal(layer.weight, fake.layers[key].weight) for key, layer in network.layers.items())
    assert same == (name == "rounding")
