"""Costs from layers alone, against counts over networks that are really built and run."""

import numpy as np
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from predictors import estimate
from supernet import cost, families
from supernet.elastic import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.packing import default_grid
from zoo.pack import model_bytes

SPACE = families.space("temporal", 12)


def sampled(seed: int):
    return SPACE.from_genes(SPACE.sample(np.random.default_rng(seed)))[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_macs_and_params_are_those_of_the_network_that_runs(seed):
    """torch counts the operations that it really runs, two a MAC; padding is computed like any other input."""
    arch = sampled(seed)
    network = Network(arch)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 40, 100))
    assert cost.macs(arch) == counter.get_total_flops() // 2
    assert cost.params(arch) == sum(parameter.numel() for parameter in network.parameters())
    assert cost.weight_bytes(arch) == 4 * cost.params(arch)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 4, 5, 8]))
def test_bytes_are_those_of_the_packed_tensors(seed, bits):
    arch = sampled(seed)
    features = torch.randn(4, 40, 100, generator=torch.Generator().manual_seed(0))
    quantised = families.with_bits(arch, bits)
    integers = FakeQuantNetwork(recalibrate(Network(arch), features), quantised).calibrate(features).to_integer()
    grids = {spec.name: default_grid(spec.weight_bits) for spec in integers.specs if spec.has_weights}
    arrays = safetensors.numpy.load(model_bytes(quantised, integers.tensors, grids))
    assert cost.weight_bytes(quantised) == sum(array.nbytes for array in arrays.values())


def test_the_bill_adds_up():
    arch = families.with_bits(sampled(1), 4)
    rows = cost.layer_costs(arch)
    whole = estimate(arch)
    assert sum(row.macs for row in rows) == whole.macs == cost.macs(arch)
    assert sum(row.params for row in rows) == whole.params
    assert sum(row.weight_bytes for row in rows) == whole.weight_bytes == whole.flash_bytes
    stem = next(row for row in rows if row.name == "stem")
    channels, taps = arch.stem, {10: 5, 20: 3}[arch.features.step_ms]
    weights = channels * taps * arch.features.coefficients
    assert (stem.macs, stem.params, stem.weight_bytes) == (50 * weights, weights + 2 * channels, weights + 9 * channels)


def test_a_network_counted_by_hand():
    """Stem 10 x 3 x 16, depthwise 3 x 16, pointwise 16 x 16 three times, head 16 x 32, at 50 frames; linear 32 x 12."""
    arch = SPACE.smallest()
    assert cost.macs(arch) == 50 * (10 * 3 * 16 + 3 * (3 * 16 + 16 * 16) + 16 * 32) + 32 * 12
