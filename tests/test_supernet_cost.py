"""Costs from layers alone, against counts over networks that are really built and run."""

import dataclasses

import numpy as np
import pytest
import safetensors.numpy
import torch
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from toys import toys

from predictors import estimate
from predictors.estimate import frontend_macs
from supernet import cost
from supernet.bits import with_bits
from supernet.errors import InvalidArch, InvalidQuery
from supernet.families import family
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.frontend import front_end
from supernet.integer.packing import default_grid
from supernet.layer import layers
from supernet.memory import peak_arena_bytes, stream_state_bytes
from supernet.nn.network import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import Space, default_space
from zoo.package.read import model_bytes

SPACE = default_space("temporal", 12)


def sampled(seed: int):
    return SPACE.from_genes(SPACE.sample(np.random.default_rng(seed)))[0]


@examples(25)
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


@examples(12)
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
    assert sum(row.weight_bytes for row in rows) == whole.weight_bytes == whole.flash_bytes - whole.runtime_bytes
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


@examples(15)
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


def strided(strides, features: str = "mfcc", clip_ms: int = 240) -> Space:
    """A small space of family temporal whose stages have these strides."""
    on_maps = [StageChoices((8,), (1,), (3,), (1,))] * (2 if features == "logmel" else 0)
    stages = [StageChoices((8, 16), (1, 2), (3, 5), (1, 2), stride) for stride in strides]
    shape = BlockChoices((8,), (*on_maps, *stages), (16,))
    return Space("temporal", 3, clip_ms, (8,) if features == "logmel" else (6, 10), (10, 20), shape, features)


def integers_of(arch):
    features = torch.randn(2, arch.features.coefficients, arch.frames, generator=torch.Generator().manual_seed(0))
    quantised = FakeQuantNetwork(recalibrate(Network(arch), features), with_bits(arch, 8))
    return quantised.calibrate(features).to_integer()


def computed(integers, frames: int, first: int) -> int:
    """Multiplications of the integers' own `step`: each value that a layer gives, times the weights of one of its
    channels. Of `frames` that follow the first ones in uneven cuts; of the classifier, those of the last answer.
    """
    counts, weights = {}, {spec.name: integers.tensors[spec.name].weight for spec in integers.specs if spec.has_weights}
    held = integers._held

    def counted(spec, found):
        if spec.name in weights:
            per_value = weights[spec.name][0].size
            counts[spec.name] = counts.get(spec.name, 0) + found.size * per_value
            if spec.logits:
                counts[spec.name] = min(counts[spec.name], weights[spec.name].size)
        return held(spec, found)

    shape = (1, integers.arch.features.coefficients, first + frames)
    features = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    _, state = integers.step(features[..., :first], integers.reset())
    integers._held = counted
    for cut in np.array_split(features[..., first:], max(1, frames // 3), 2):
        _, state = integers.step(cut, state)
    del integers._held
    return sum(counts.values())


@pytest.mark.parametrize(
    "space", [strided((1, 1)), strided((2, 1)), strided((2, 3)), strided((1, 2), "logmel")], ids=["1", "2", "6", "map"]
)
def test_a_stream_multiplies_what_is_counted(space):
    """From wherever the stream is, so many frames on, with one answer."""
    for arch in space.from_genes(space.sample(np.random.default_rng(3), 2)):
        integers, interval = integers_of(arch), cost.answer_interval(arch)
        assert interval % np.prod([stage.stride for stage in arch.shape.stages]) == 0
        for every, first in ((interval, interval), (3 * interval, 7), (24 * interval, 0)):
            assert cost.stream_macs(arch, every) == computed(integers, every, first)
        assert cost.stream_macs(arch) == cost.stream_macs(arch, interval)


@pytest.mark.parametrize(("seed", "times"), [(0, 1), (1, 2), (2, 7)])
def test_a_longer_clip_costs_more_by_what_a_stream_computes(seed, times):
    """torch counts two clips of which one is longer; both answer once."""
    arch = sampled(seed)
    every, flops = times * cost.answer_interval(arch), []
    for frames in (arch.frames, arch.frames + every):
        longer = dataclasses.replace(arch, frames=frames)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            Network(longer)(torch.zeros(1, 40, frames * arch.features.step_ms // 10))
        flops.append(counter.get_total_flops() // 2)
    assert cost.stream_macs(arch, every) == flops[1] - flops[0] + arch.shape.head * arch.classes
    assert cost.stream_macs(arch, arch.frames) == cost.macs(arch) == flops[0]


def test_a_second_of_a_stream_is_fifty_answers_of_a_network_counted_by_hand():
    """A frame each 20 ms: as by hand above, the classifier each time."""
    arch = SPACE.smallest()
    frame = 10 * 3 * 16 + 3 * (3 * 16 + 16 * 16) + 16 * 32 + 32 * 12
    assert cost.macs_per_second(arch) == 50 * frame
    assert cost.stream_macs(arch) == frame
    assert cost.macs_per_second(dataclasses.replace(arch, frames=2 * arch.frames)) == 50 * frame


def test_a_family_of_ones_own_has_a_stream():
    """A network of five taps over all rows, a head of 16 and a classifier, a frame each 10 or 20 ms."""
    with toys():
        space = family("toy").space(4, 1000, "energies")
        for arch in space.from_genes(space.sample(np.random.default_rng(0), 4)):
            rows, width = arch.features.coefficients, arch.shape.width
            frame = 5 * rows * width + 16 * width
            assert cost.stream_macs(arch, 7) == 7 * frame + 16 * 4
            assert cost.macs_per_second(arch) == 1000 // arch.features.step_ms * (frame + 16 * 4)


def test_what_looks_ahead_has_no_stream(square_space):
    arch = square_space.smallest()
    assert cost.macs_per_second(arch) == 0
    for asked in (cost.answer_interval, cost.stream_macs):
        with pytest.raises(InvalidArch, match="of family mbconv hears whole clips"):
            asked(arch)


@pytest.mark.parametrize("every", [0, -6, 7, 2.5])
def test_frames_between_answers_are_a_multiple_of_the_strides(every):
    arch = strided((2, 3)).smallest()
    with pytest.raises(InvalidQuery, match=f"every = {every} frames is not possible: give a multiple of"):
        cost.stream_macs(arch, every)


@pytest.mark.parametrize("kind", front_end.names)
def test_the_front_end_of_a_stream_computes_each_frame_once(kind):
    own = front_end(kind)()
    coefficients, step_ms = (own.coefficients, own.step_ms) if kind == "raw" else (40, 20)
    features = dataclasses.replace(SPACE.smallest().features, kind=kind, coefficients=coefficients, step_ms=step_ms)
    arch = dataclasses.replace(SPACE.smallest(), features=features)
    frames = [frontend_macs(arch, count) for count in (0, 1, 3, arch.frames)]
    assert frames == [count * frames[1] for count in (0, 1, 3, arch.frames)]
    assert frames[-1] == frontend_macs(arch) == front_end(kind)().select(coefficients, step_ms).macs(50)
