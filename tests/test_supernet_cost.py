"""Costs from layers alone, against counts over networks that are really built and run."""

import numpy as np
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from predictors import estimate
from supernet import cost
from supernet.bits import with_bits
from supernet.integer.packing import default_grid
from supernet.layer import layers
from supernet.memory import peak_arena_bytes, stream_state_bytes
from supernet.nn.network import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import default_space
from zoo.package.read import model_bytes

SPACE = default_space("temporal", 12)


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
    quantised = with_bits(arch, bits)
    integers = FakeQuantNetwork(recalibrate(Network(arch), features), quantised).calibrate(features).to_integer()
    grids = {spec.name: default_grid(spec.weight_bits) for spec in integers.specs if spec.has_weights}
    arrays = safetensors.numpy.load(model_bytes(quantised, integers.tensors, grids))
    assert cost.weight_bytes(quantised) == sum(array.nbytes for array in arrays.values())


def test_the_bill_adds_up():
    arch = with_bits(sampled(1), 4)
    rows = cost.layer_costs(arch)
    whole = estimate(arch)
    assert sum(row.macs for row in rows) == whole.macs == cost.macs(arch)
    assert sum(row.params for row in rows) == whole.params
    assert sum(row.weight_bytes for row in rows) == whole.weight_bytes == whole.flash_bytes
    assert max(row.arena_bytes for row in rows) == peak_arena_bytes(arch)
    assert sum(row.stream_state_bytes for row in rows) == stream_state_bytes(arch)
    stem = next(row for row in rows if row.name == "stem")
    channels, taps = arch.shape.stem, {10: 5, 20: 3}[arch.features.step_ms]
    weights = channels * taps * arch.features.coefficients
    assert (stem.macs, stem.params, stem.weight_bytes) == (50 * weights, weights + 2 * channels, weights + 9 * channels)


def test_a_network_counted_by_hand():
    """Stem 10 x 3 x 16, depthwise 3 x 16, pointwise 16 x 16 three times, head 16 x 32, at 50 frames; linear 32 x 12."""
    arch = SPACE.smallest()
    assert cost.macs(arch) == 50 * (10 * 3 * 16 + 3 * (3 * 16 + 16 * 16) + 16 * 32) + 32 * 12


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=0, max_size=4), st.sampled_from([None, 8, 4, 1]))
def test_many_networks_cost_what_each_does(seeds, bits):
    """By kind against weights counted with torch: a depthwise kernel has one input channel, a pointwise one tap."""
    archs = [sampled(seed) if bits is None else with_bits(sampled(seed), bits) for seed in seeds]
    columns = cost.cost_columns(archs)
    assert tuple(columns) == cost.COLUMNS
    for number, arch in enumerate(archs):
        kinds, unaligned, moved = dict.fromkeys(cost.MAC_KINDS, 0), 0, 0
        weights = {name: layer.weight for name, layer in Network(arch.without_bits()).layers.items()}
        for spec in layers(arch):
            reads = sum(np.prod(spec.in_shape) for _ in spec.inputs)
            moved += reads + np.prod(spec.out_shape) + cost.layer_bytes(spec)
            if spec.name not in weights:
                continue
            weight = weights[spec.name]
            count = weight.numel() * spec.out_shape[1] * spec.out_shape[2]
            taps, inputs = weight[0, 0].numel(), weight.shape[1]
            depthwise = weight.ndim == 4 and inputs == 1 and spec.in_shape[0] > 1
            kind = "linear" if weight.ndim == 2 else "depthwise" if depthwise else "pointwise" if taps == 1 else "dense"
            kinds[kind] += count
            unaligned += count * (spec.in_shape[0] % 4 != 0 or (weight.ndim == 4 and weight.shape[0] % 4 != 0))
        found = {name: values[number] for name, values in columns.items()}
        assert {kind: found[f"{kind}_macs"] for kind in kinds} == kinds
        assert (found["macs"], found["unaligned_macs"], found["moved_bytes"]) == (sum(kinds.values()), unaligned, moved)
        assert found["layers"] == len(layers(arch)) - 1
        assert found["params"] == cost.params(arch)
        assert found["weight_bytes"] == cost.weight_bytes(arch)
        assert found["arena_bytes"] == peak_arena_bytes(arch)
        assert found["stream_state_bytes"] == stream_state_bytes(arch)
