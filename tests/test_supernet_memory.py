"""RAM from layers alone, against brute-force counts of what is alive."""

from math import prod

import numpy as np
import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from predictors.estimate import with_rest
from supernet.cost import cost_columns
from supernet.families import family
from supernet.layer import layers
from supernet.memory import clip_ram_bytes, peak_arena_bytes, plan_arena, stream_ram_bytes, stream_state_bytes
from supernet.space import default_space

SPACES = [default_space(name, 12, 1000, kind) for name in family.names for kind in family(name).features]
AHEAD, STREAMED = ([one for one in SPACES if family(one.family).streamable == streams] for streams in (False, True))

OVER = ("add", "scale")
"""Kinds of layers that are written over their first input."""


def sampled(place, seed):
    return place.from_genes(place.sample_sizes(np.random.default_rng(seed)))[0]


@pytest.mark.parametrize("place", SPACES, ids=lambda place: f"{place.family}-{place.feature_kind}")
@given(st.integers(0, 2**32 - 1))
def test_the_arena_holds_no_more_than_what_is_alive_at_once(place, seed):
    """Alive at a layer: what it writes, unless that is over its first input, and all that it or a later one reads."""
    arch = sampled(place, seed)
    specs = layers(arch)
    most = 0
    for number, spec in enumerate(specs):
        needed = {name for later in specs[number:] for name in later.inputs}
        alive = {other.name for other in specs[:number]} & needed
        size = sum(prod(other.out_shape) for other in specs if other.name in alive)
        most = max(most, size + (0 if spec.kind in OVER else prod(spec.out_shape) * (1 + (spec.kind == "linear"))))
    assert plan_arena(arch).size == peak_arena_bytes(arch) == most


@pytest.mark.parametrize("place", SPACES, ids=lambda place: f"{place.family}-{place.feature_kind}")
@examples(50)
@given(st.integers(0, 2**32 - 1))
def test_no_tensor_is_written_over_while_it_is_read(place, seed):
    """The bytes of each tensor are its own from where it is written to where it is last read."""
    arch = sampled(place, seed)
    arena = plan_arena(arch)
    owner = np.full(arena.size, "", dtype="<U40")
    places = {item.name: slice(item.offset, item.end) for item in arena.tensors}
    for spec in layers(arch):
        for name in spec.inputs:
            assert (owner[places[name]] == name).all()
        reads = [name for name in spec.inputs if spec.kind not in OVER or name != spec.inputs[0]]
        assert not np.isin(owner[places[spec.name]], reads).any()
        owner[places[spec.name]] = spec.name


@pytest.mark.parametrize("place", AHEAD, ids=lambda place: place.feature_kind)
def test_a_network_that_looks_ahead_keeps_nothing_of_a_stream(place):
    archs = [sampled(place, seed) for seed in range(20)]
    assert {stream_state_bytes(arch) for arch in archs} == {stream_ram_bytes(arch) for arch in archs} == {0}
    columns = with_rest(cost_columns(archs), [place.feature_kind], [archs[0].features.coefficients], [place.classes])
    assert columns["ram_bytes"].tolist() == [clip_ram_bytes(arch) for arch in archs]


def test_a_networks_ram_counted_by_hand():
    """The smallest network on MFCC: 16 channels at 50 frames, three depthwise kernels of 3 and a stem of 3."""
    arch = SPACES[0].smallest()
    assert arch.features.coefficients == 10
    assert peak_arena_bytes(arch) == 16 * 50 + 32 * 50  # the head and what it reads
    kept = 10 * 2 + 3 * 16 * 2 + 32 * 50
    assert stream_state_bytes(arch) == kept
    front, detector = 480 * 2 + 514 * 4 + 40 * 4, 12 * (5 * 2 + 4) + 8
    assert clip_ram_bytes(arch) == 16 * 50 + 32 * 50 + 2 * 12 + front
    features, logits, sums = 10, 2 * 12, 4 * 32 + 4
    step = 32 + 32  # a frame of the head, and the average
    whole = step + kept + features + logits + sums + front + detector
    assert stream_ram_bytes(arch) == whole + -whole % 4


@pytest.mark.parametrize("place", STREAMED, ids=lambda place: f"{place.family}-{place.feature_kind}")
@given(st.integers(0, 2**32 - 1))
def test_a_stream_holds_what_is_alive_in_one_step_and_what_it_keeps(place, seed):
    """A step makes one answer: of maps, as many frames as there are to one of the last map."""
    arch = sampled(place, seed)
    specs = layers(arch)
    answers = next(spec.in_shape[2] for spec in specs if spec.kind == "pool")

    def size(spec):
        channels, height, frames = spec.out_shape
        return channels * height * -(-frames // answers) * (spec.kind not in ("input", "linear"))

    most = 0
    for number, spec in enumerate(specs):
        needed = {name for later in specs[number:] for name in later.inputs}
        alive = sum(size(other) for other in specs[:number] if other.name in needed)
        most = max(most, alive + (0 if spec.kind in OVER else size(spec)))
    channels, height, frames = specs[0].out_shape
    apart = channels * height * -(-frames // answers) + 2 * arch.classes + 4 * specs[-1].in_shape[0] + 4
    windows = {"raw": 160 * 2 + 8, "micro": 480 * 2 + 512 * 2 + 42 * 4}
    window = windows.get(arch.features.kind, 480 * 2 + 514 * 4 + 40 * 4)
    working = window + arch.classes * 14 + 8
    whole = most + stream_state_bytes(arch) + apart + working
    assert stream_ram_bytes(arch) == whole + -whole % 4
    columns = with_rest(cost_columns([arch]), [arch.features.kind], [arch.features.coefficients], [arch.classes])
    assert columns["stream_ram_bytes"][0] == columns["ram_bytes"][0] == stream_ram_bytes(arch)
    assert columns["clip_ram_bytes"][0] == clip_ram_bytes(arch)
