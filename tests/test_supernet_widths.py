"""Trained bit widths: published gradients and bits, targets that are kept, and a network that ends at them."""

import dataclasses
import re
from math import ceil, log2
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import supernet
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.cost import weight_bytes
from supernet.data.augment import plain_features
from supernet.errors import InvalidData
from supernet.families.blocks import Block, Stage
from supernet.families.lmu import Memories, MemoryLayer
from supernet.families.sinc import FilteredBlocks
from supernet.layer import layers
from supernet.nn.network import Network, execute, recalibrate
from supernet.nn.ops import float_layer
from supernet.nn.store import load_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.widths import (
    LEAST_BITS,
    MOST_BITS,
    PACE,
    PowerRecipe,
    Width,
    WidthNetwork,
    WidthRecipe,
    _LearnedGrid,
    bits_for_flash,
    learn_widths,
    products_power_uw,
    whole_bits,
)
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.evaluate import accuracy
from zoo.hubs.folder import BUNDLED


def width(step: float, top: float, signed: bool) -> Width:
    """A Width at this step and range."""
    made = Width(1.0, signed).double()
    with torch.no_grad():
        made.moved.copy_((torch.tensor([step, top], dtype=torch.float64).log2() - made.start) / PACE)
    return made


@given(st.floats(0.01, 1.0), st.floats(3.0, 100.0), st.booleans())
def test_bits_follow_the_published_formula(step, ratio, signed):
    expected = ceil(log2(ratio + 1) - 1e-4) + signed
    made = width(step, step * ratio, signed)
    assert int(made.bits) == min(max(expected, LEAST_BITS), MOST_BITS)


@pytest.mark.parametrize("signed", [True, False])
def test_values_are_whole_steps_within_the_range_and_gradients_as_published(signed):
    """Inside, d/d step is round(x / step) - x / step; outside, d/d range is 1, with the sign of x."""
    step, top = 0.3, 2.0
    made = width(step, top, signed)
    x = torch.tensor([0.4, 1.0, 5.0, -0.7, -9.0], dtype=torch.float64, requires_grad=True)
    y = made(x)
    low = -2.0 if signed else 0.0
    np.testing.assert_allclose(y.detach(), np.clip([0.3, 0.9, 2.0, -0.6, -2.0], low, 2.0), atol=1e-9)
    for index, value in enumerate(x.tolist()):
        inside = low <= value <= top
        by_x, by_moved = torch.autograd.grad(y[index], [x, made.moved], retain_graph=True)
        assert by_x[index] == inside
        by_step, by_top = (by_moved / (np.log(2) * torch.tensor([step, top]))).tolist()
        if inside:
            assert by_step == pytest.approx(np.floor(value / step + 0.5) - value / step)
            assert by_top == pytest.approx(0.0, abs=1e-9)
        else:
            assert by_step == pytest.approx(0.0, abs=1e-9)
            assert by_top == pytest.approx(1.0 if value > top else -1.0 if signed else 0.0)


@given(st.booleans(), st.integers(2, 8), st.lists(st.integers(-300, 300), max_size=20), st.integers(-6, 3))
def test_gradients_on_grid_points_and_on_the_ends_of_the_range(signed, bits, halves, exponent):
    """Exactly on an end nothing moves; steps are powers of two, so that all points are met exactly."""
    most = 2 ** (bits - signed) - 1
    least = -most if signed else 0
    ratio = np.array([least, 0, most, *(half / 2 for half in halves)])
    x, step, top = (torch.tensor(item * 2.0**exponent).requires_grad_() for item in (ratio, 1.0, float(most)))
    _LearnedGrid.apply(x, step, top, signed).sum().backward()
    inside = (least < ratio) & (ratio < most)
    assert x.grad.tolist() == inside.astype(float).tolist()
    assert float(step.grad) == ((np.floor(ratio + 0.5) - ratio) * inside).sum()
    assert float(top.grad) == (ratio > most).sum() - signed * (ratio < least).sum()


def test_ranges_start_at_the_quantile_of_many_values(small_space):
    """NumPy's, in float64: the place among 100,000 values has more digits than float32."""
    x = torch.randn(120, 40, 100, generator=torch.Generator().manual_seed(0))
    network, seen = recalibrate(Network(small_space.largest()), x).eval(), {}

    def keep(spec, inputs):
        seen[spec.name] = float_layer(spec, inputs, network.layers[spec.name] if spec.has_weights else None, False)
        return seen[spec.name]

    with torch.no_grad():
        execute(network.specs, x, keep)
    made = WidthNetwork(network, x, WidthRecipe())
    for name, width in made.activations.items():
        values = seen[name].abs().flatten().numpy().astype(np.float64)
        sample = values[:: max(1, len(values) // 100_000)]
        assert width.start[1].item() == pytest.approx(np.log2(np.quantile(sample, 0.999)), abs=6e-7)


@given(st.lists(st.tuples(st.floats(1.0, 9.0), st.integers(1, 1000)), min_size=1, max_size=8), st.floats(2.0, 8.0))
def test_whole_bits_keep_the_target_and_are_no_lower_than_it_asks(pairs, target):
    real, counts = map(list, zip(*pairs, strict=True))
    bits = whole_bits(real, counts, target)
    assert np.average(bits, weights=counts) <= target + 1e-6
    highest = [min(MOST_BITS, max(LEAST_BITS, ceil(value))) for value in real]
    assert all(LEAST_BITS <= own <= most for own, most in zip(bits, highest, strict=True))
    most = target * sum(counts)
    for index, own in enumerate(bits):
        raised = sum(bit * count for bit, count in zip(bits, counts, strict=True)) + counts[index]
        assert own >= real[index] - 1e-3 or own == MOST_BITS or raised > most - 1e-6


@given(st.integers(0, 100), st.floats(1.0, 4.0))
def test_a_target_of_bytes_is_kept(small_space, seed, factor):
    arch = small_space.from_genes(small_space.sample(np.random.default_rng(seed)))[0]
    flash = factor * weight_bytes(with_bits(arch, LEAST_BITS, edge=LEAST_BITS)) + 100
    specs = [spec for spec in layers(arch) if spec.has_weights]
    counts = [int(np.prod(spec.weight_shape)) for spec in specs]
    bits = whole_bits([8.0] * len(counts), counts, bits_for_flash(arch, flash))
    packed = dataclasses.replace(with_bits(arch, 8), weight_bits=tuple(bits))
    assert weight_bytes(packed) <= flash


def test_bytes_that_hold_no_network_are_refused(small_space):
    with pytest.raises(InvalidData, match="give as many or a smaller network"):
        bits_for_flash(small_space.largest(), 100)


@pytest.mark.parametrize("values", [{"weight_bits": 1.0}, {"activation_bits": 9.0}])
def test_impossible_targets_are_refused(values):
    with pytest.raises(ValueError, match="give 2 to 8"):
        WidthRecipe(**values)


def test_a_tensor_at_the_least_bits_can_rise_again_and_falls_no_further():
    made = width(1.0, 1.0, True)
    assert made.bits.item() == LEAST_BITS
    for sign, moves in ((-1, True), (1, False)):
        with torch.no_grad():
            made.moved[1] = (torch.tensor(0.9).log2().item() - made.start[1]) / PACE
        made.moved.grad = None
        (sign * made.bits).backward()
        assert (made.moved.grad[0].item() != 0) == moves


def test_bits_above_the_targets_cost_and_training_takes_them_away(speech_data, small_space):
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    recipe = WidthRecipe(weight_bits=3.0, activation_bits=4.5, penalty=2.0)
    made = WidthNetwork(Supernet(small_space, calibration).eval().extract(small_space.smallest()), calibration, recipe)
    assert made.excess().item() == pytest.approx(2.0 * (5 - 3.0 + 5 - 4.5))
    optimiser = torch.optim.Adam([width.moved for width in made.modules() if isinstance(width, Width)], 1e-3)
    for _ in range(150):
        optimiser.zero_grad()
        made.excess().backward()
        optimiser.step()
    assert made.excess().item() < 0.2
    assert made.mean_bits("weights").item() > 2.5


def test_bits_at_their_target_have_no_gradient(speech_data, small_space):
    """All tensors start at 5 bits."""
    calibration = calibration_features(speech_data, fit_frontend(speech_data, 1), 22)
    network = Supernet(small_space, calibration).eval().extract(small_space.smallest())
    made = WidthNetwork(network, calibration, WidthRecipe(weight_bits=5.0, activation_bits=4.0))
    made.excess().backward()
    assert made.excess().item() == 1.0
    assert not any(width.moved.grad.any() for width in made.weights.values())
    assert all(width.moved.grad.any() for width in made.activations.values())


@pytest.mark.parametrize("target", [3.0, 8.0])
def test_a_target_of_8_bits_leaves_8_bits(speech_data, small_space, target):
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    network = Supernet(small_space, calibration).eval().extract(small_space.smallest())
    made = WidthNetwork(network, calibration, WidthRecipe(weight_bits=target, activation_bits=8))
    assert not made.activations
    arch = made.arch()
    assert set(arch.activation_bits[:-1]) == {8}
    assert set(arch.weight_bits) == {8} if target == 8 else max(arch.weight_bits) <= 5


def test_widths_are_learned_under_their_targets_and_packed(speech_data, small_space, tmp_path):
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    network = Supernet(small_space, calibration).eval().extract(small_space.smallest())
    recipe = WidthRecipe(epochs=2, batch=8, weight_bits=3.0, activation_bits=4.0)
    before = WidthNetwork(network, calibration, recipe)
    assert [before.mean_bits(kind).item() for kind in ("weights", "activations")] == [5.0, 5.0]
    arch = learn_widths(network, None, speech_data, frontend, calibration, recipe, tmp_path / "widths", progress=False)
    specs = layers(arch)
    counts = [np.prod(spec.weight_shape) for spec in specs if spec.has_weights]
    assert 2 <= np.average(arch.weight_bits, weights=counts) <= 3.0
    assert np.average(arch.activation_bits[1:-1], weights=[np.prod(spec.out_shape) for spec in specs[1:-1]]) <= 4.0
    assert (arch.activation_bits[0], arch.activation_bits[-1]) == (8, 16)
    assert arch.without_bits() == network.arch
    tuning = QuantRecipe(epochs=5, batch=8, learning_rate=1e-2)
    fake = quantise(network, arch, None, speech_data, frontend, calibration, tuning, tmp_path / "q", progress=False)
    train = speech_data.splits["train"]
    features = plain_features(speech_data, train.rows, frontend)
    assert accuracy(fake, features, train.targets) > 0.5
    assert fake.to_integer().arch == arch


def memory_network(features):
    """Of two layers of memories, calibrated."""
    shape = Memories((MemoryLayer(4, 3, 80, 8), MemoryLayer(4, 3, 160, 8)), 8)
    return recalibrate(Network(Arch("lmu", FeatureSpec("mfcc", 10, 20), 50, 4, shape)), features).eval()


def test_power_is_that_of_all_products_of_a_second_by_their_bits():
    """50 frames and answers a second: encode 10 x 4 and 8 x 4, recall 12 x 8, pass 10 x 8 and 8 x 8, head 8 x 8, linear
    8 x 4, of 4 bits by 8, edges 8 by 8; memories 4 x 3 x 4 of 16 by 16.
    """
    arch = with_bits(memory_network(torch.randn(8, 10, 50)).arch, 4)
    edges, inner, memories = 10 * 4 + 8 * 4, 8 * 4 + 2 * 12 * 8 + 10 * 8 + 8 * 8 + 8 * 8, 2 * 4 * 3 * 4
    products = 50 * (edges + inner / 2 + memories * 4)
    assert products_power_uw(arch, 3e-6) == pytest.approx(3e-6 * products)


def test_samples_count_with_their_16_bits():
    """100 frames a second: 8 filters of 64 taps at 10 places, of 8 bits by 16; 50 frames and answers a second: stem
    5 x 8 x 8, depthwise 3 x 8, project and head 8 x 8, linear 8 x 4, of 8 bits by 8.
    """
    shape = FilteredBlocks(8, (Stage(8, (Block(3, 1),)),), 8, 8, 64, 16, "sinc")
    arch = with_bits(Arch("sinc", FeatureSpec("raw", 320, 10), 100, 4, shape), 8)
    filters, others = 100 * 8 * 64 * 10, 5 * 8 * 8 + 3 * 8 + 2 * 8 * 8 + 8 * 4
    assert products_power_uw(arch, 1.0) == pytest.approx(2 * filters + 50 * others)


def test_the_power_of_the_page_is_one_that_widths_must_come_to():
    """supernet/README.md trains the smallest network of the bundled space by it."""
    page = (Path(supernet.__file__).parent / "README.md").read_text(encoding="utf-8")
    uj_per_mac, power_uw = map(float, re.search(r"PowerRecipe\(uj_per_mac=(\S+), power_uw=(\S+)\)", page).groups())
    arch = load_supernet(BUNDLED / "supernets" / "kws-temporal-map", "kws").supernet.space.smallest()
    at = [products_power_uw(with_bits(arch, bits, bits, edge=bits), uj_per_mac) for bits in (2, 8)]
    assert at[0] < power_uw < 0.7 * at[1]


@pytest.mark.parametrize("value", [0, -1.0, True, "4e-6", np.nan, np.inf])
def test_a_power_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"power_uw = .* is not possible: give a number above 0"):
        PowerRecipe(uj_per_mac=1e-6, power_uw=value)
    with pytest.raises(ValueError, match=r"uj_per_mac = .* is not possible: give a number above 0"):
        PowerRecipe(uj_per_mac=value, power_uw=1.0)


def test_power_above_its_target_costs_and_training_takes_it_away():
    features = torch.randn(16, 10, 50, generator=torch.Generator().manual_seed(0))
    network = memory_network(features)
    whole = products_power_uw(with_bits(network.arch, 8), 2e-6)
    recipe = PowerRecipe(uj_per_mac=2e-6, power_uw=0.6 * whole, penalty=1.5)
    made = WidthNetwork(network, features, recipe)
    assert made.power_uw().item() == pytest.approx(whole)
    assert made.excess().item() == pytest.approx(1.5 * np.log2(1 / 0.6))
    optimiser = torch.optim.Adam([width.moved for width in made.modules() if isinstance(width, Width)], 3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        made.excess().backward()
        optimiser.step()
    assert made.power_uw().item() < 0.65 * whole
    assert made.mean_bits("weights").item() < 8 > made.mean_bits("activations").item()


@pytest.mark.parametrize("share", [0.6, 0.8, 1.0])
def test_the_widths_that_come_out_have_the_power_of_the_target(share):
    """Also where training has not come there: bits fall one by one."""
    features = torch.randn(16, 10, 50, generator=torch.Generator().manual_seed(0))
    network = memory_network(features)
    most = share * products_power_uw(with_bits(network.arch, 8), 1e-6)
    arch = WidthNetwork(network, features, PowerRecipe(uj_per_mac=1e-6, power_uw=most)).arch()
    assert 0.9 * most < products_power_uw(arch, 1e-6) <= most
    assert (set(arch.weight_bits) == {8}) == (share == 1.0)


def test_power_that_no_widths_have_is_refused(speech_data, tmp_path):
    features = torch.randn(16, 10, 50, generator=torch.Generator().manual_seed(0))
    recipe = PowerRecipe(uj_per_mac=1e-6, power_uw=0.001)
    with pytest.raises(InvalidData, match=r"0.001 uW are too few .* at 2 bits its products take 0\.0"):
        learn_widths(memory_network(features), None, speech_data, None, features, recipe, tmp_path / "run")
    with pytest.raises(ValueError, match=r"power_uw = 0\.0 is not possible: give a number above 0"):
        PowerRecipe(uj_per_mac=1e-6)
