"""What a network costs, exactly, from its layers alone. No torch here.

Bytes are those of `model.safetensors` as packed: weights at their bits, and for each output channel an int32 bias, an
int32 multiplier and a uint8 shift. A float network's are 4 bytes a parameter. RAM is of the integer runtime (see
supernet.memory), at any bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np

from supernet.arch import Arch
from supernet.errors import InvalidArch, InvalidQuery
from supernet.layer import LayerSpec, Part, layers, parts
from supernet.memory import alive_bytes, answer_frames, state_bytes, stream_alive_bytes, stream_extra_bytes
from supernet.ops import operator

__all__ = [
    "COLUMNS",
    "MAC_KINDS",
    "ROUTINES",
    "LayerCost",
    "answer_interval",
    "cost_columns",
    "layer_bytes",
    "layer_costs",
    "mac_kind",
    "macs",
    "macs_per_second",
    "mean_bits",
    "packed_bytes",
    "params",
    "part_row",
    "rescale_bytes",
    "stream_macs",
    "stream_macs_by_layer",
    "weight_bytes",
]

MAC_KINDS = ("dense", "pointwise", "depthwise", "linear")
"""Kinds of multiply-accumulates, which take devices unequal time: convolutions of all channels with taps, without, of
each channel by itself, and fully connected layers."""
ROUTINES = (*(name for name in operator.names if name != "input"), "conv_long", "depthwise", "keep")
"""What a device calls for layers; see `supernet.ops.base.Operator.calls`."""
ALIGNMENT = 4
"""Channels that fast kernels take at once."""
COLUMNS = (
    "macs",
    *(f"{kind}_macs" for kind in MAC_KINDS),
    "unaligned_macs",
    "params",
    "weight_bytes",
    "moved_bytes",
    "rescaled_values",
    "single_macs",
    "rest_macs",
    "layers",
    *(f"{name}_calls" for name in ROUTINES),
    "stream_state_bytes",
    "stream_extra_bytes",
    "arena_bytes",
    "stream_arena_bytes",
)
"""Of `cost_columns`. layers: how many are computed. conv_calls and so on: how often each of ROUTINES is called.
unaligned_macs: those of layers with channels that are no multiple of 4, in or out. moved_bytes: what is read and
written between layers, and weights. rescaled_values: how many sums of products are rescaled. single_macs: of
convolutions, those at the one place of a step that is left where two share weights. rest_macs: those with weights of a
row behind a multiple of 8."""
LARGEST = ("arena_bytes", "stream_arena_bytes")
"""Of these, a network has the most of its parts, of all others their sum."""


@dataclass(frozen=True)
class LayerCost:
    """One layer's row of the bill: multiply-accumulates of one clip, parameters, bytes of weights, bytes of the arena
    that are in use while it runs, and bytes that a stream keeps for it.

    kind: one of MAC_KINDS, or the layer's own where it has none.
    """

    name: str
    kind: str
    macs: int
    params: int
    weight_bytes: int
    arena_bytes: int
    stream_state_bytes: int


def macs(arch: Arch) -> int:
    """Multiply-accumulates for one clip, the front end's not counted."""
    return sum(spec.macs for spec in layers(arch))


def answer_interval(arch: Arch) -> int:
    """How many frames of its features a stream goes on from one answer to the next: the product of all strides.

    Raises InvalidArch for a network that looks ahead, which has no stream.
    """
    return max(_intervals(arch).values())


def stream_macs(arch: Arch, every: int | None = None) -> int:
    """Multiply-accumulates of a stream from one answer to the next, the front end's not counted.

    every: frames of features between the two (default: `answer_interval`). Each layer computes the frames that are new
    once; the average and what is behind it are computed once. Where strides divide the frames of a clip, so many frames
    with one answer cost what a clip does. Raises InvalidArch as `answer_interval`, InvalidQuery for frames that are no
    multiple of it.
    """
    return sum(stream_macs_by_layer(arch, every).values())


def stream_macs_by_layer(arch: Arch, every: int | None = None) -> dict[str, int]:
    """The same of each layer, by its name."""
    intervals, interval = _intervals(arch), answer_interval(arch)
    every = interval if every is None else every
    if every < 1 or every % interval:
        raise InvalidQuery(f"every = {every!r:.40} frames is not possible: give a multiple of {interval}")
    times = {name: every // frames for name, frames in intervals.items()}
    return {spec.name: spec.macs // spec.out_shape[2] * times.get(spec.name, 1) for spec in layers(arch)}


def macs_per_second(arch: Arch) -> int:
    """Multiply-accumulates of a second of a stream that answers as often as it can, rounded; 0 for a network that looks
    ahead. The front end's are not counted.
    """
    if not all(spec.causal for spec in layers(arch)):
        return 0
    return round(1000 * stream_macs(arch) / (answer_interval(arch) * arch.features.step_ms))


def params(arch: Arch) -> int:
    """Weights, norms' scales and offsets, and biases."""
    return sum(spec.params for spec in layers(arch))


def weight_bytes(arch: Arch) -> int:
    """Bytes of all tensors of the network: packed where the Arch has bits, else 4 a parameter."""
    return sum(layer_bytes(spec) for spec in layers(arch))


def mean_bits(arch: Arch) -> tuple[float, float]:
    """Of a weight, and of a value between layers; features and logits are not counted."""
    specs = layers(arch)
    weights = np.average(arch.weight_bits, weights=[prod(spec.weight_shape) for spec in specs if spec.has_weights])
    between = np.average(arch.activation_bits[1:-1], weights=[prod(spec.out_shape) for spec in specs[1:-1]])
    return float(weights), float(between)


def packed_bytes(values: int, bits: int) -> int:
    """Bytes of so many values packed densely; of arrays, too."""
    return -(-values * bits // 8)


def layer_bytes(spec: LayerSpec) -> int:
    """Bytes of one layer's tensors."""
    if spec.activation_bits is None:
        return 4 * spec.params
    packed = packed_bytes(prod(spec.weight_shape), spec.weight_bits) if spec.has_weights else 0
    return packed + rescale_bytes(spec)


def rescale_bytes(spec: LayerSpec) -> int:
    """Bytes of a quantised layer's biases, multipliers and shifts, whatever its bits."""
    return sum(prod(shape) * np.dtype(kind).itemsize for shape, kind in spec.operator.rescaling(spec).values())


def mac_kind(spec: LayerSpec) -> str:
    """One of MAC_KINDS, or the layer's kind where it multiplies nothing."""
    return spec.operator.mac_kind(spec)


def layer_costs(arch: Arch) -> list[LayerCost]:
    """The bill layer by layer; its sums are `macs`, `params`, `weight_bytes` and the state of a stream."""
    return [
        LayerCost(spec.name, mac_kind(spec), spec.macs, spec.params, layer_bytes(spec), alive, state_bytes(spec))
        for part in parts(arch)
        for spec, alive in zip(part, alive_bytes(part), strict=True)
    ]


def cost_columns(archs: Sequence[Arch]) -> dict[str, np.ndarray]:
    """(count,) whole numbers by name of COLUMNS, of many networks at once: 10,000 take less than a second."""
    rows, numbers, ends = [], {}, []
    picked = []
    for arch in archs:
        found = parts(arch)
        answers = answer_frames(found)
        for part in found:
            row = part_row(part, answers)
            number = numbers.get(id(row))
            if number is None:
                number = numbers[id(row)] = len(rows)
                rows.append(row)
            picked.append(number)
        ends.append(len(picked))
    if not ends:
        return {name: np.zeros(0, np.int64) for name in COLUMNS}
    table, starts = np.array(rows)[picked], [0, *ends[:-1]]
    first = -len(LARGEST)
    sums, most = np.add.reduceat(table[:, :first], starts), np.maximum.reduceat(table[:, first:], starts)
    return dict(zip(COLUMNS, [*sums.T, *most.T], strict=True))


@cache
def part_row(part: Part, answers: int) -> tuple[int, ...]:
    """A part's COLUMNS: sums over its layers; of arenas, the most. answers: see `supernet.memory.answer_frames`."""
    by_kind = [sum(spec.macs for spec in part if mac_kind(spec) == kind) for kind in MAC_KINDS]
    calls = [name for spec in part for name in spec.operator.calls(spec)]
    return (
        sum(by_kind),
        *by_kind,
        sum(spec.macs for spec in part if not _aligned(spec)),
        sum(spec.params for spec in part),
        sum(layer_bytes(spec) for spec in part),
        sum(_moved_bytes(spec) for spec in part),
        sum(prod(spec.out_shape) for spec in part if spec.has_weights),
        sum(_single_macs(spec, max(1, answers)) for spec in part),
        sum(_rest_macs(spec) for spec in part),
        sum(bool(spec.inputs) for spec in part),
        *map(calls.count, ROUTINES),
        sum(state_bytes(spec) for spec in part),
        stream_extra_bytes(part, answers),
        max(alive_bytes(part)),
        max(stream_alive_bytes(part, answers)),
    )


def _shared(spec: LayerSpec) -> bool:
    """Whether places share the weights of all channels."""
    return mac_kind(spec) in ("dense", "pointwise")


def _single_macs(spec: LayerSpec, answers: int) -> int:
    places = max(1, prod(spec.out_shape[1:]) // answers)
    return spec.macs // places * (places % 2) if _shared(spec) else 0


def _rest_macs(spec: LayerSpec) -> int:
    row = prod(spec.weight_shape[1:])
    return spec.macs // row * (row % 8) if _shared(spec) else 0


def _intervals(arch: Arch) -> dict[str, int]:
    """Frames of features between two of each layer's own, of the layers before those that an answer alone needs."""
    found: dict[str, int] = {}
    for spec in layers(arch):
        if not spec.causal:
            raise InvalidArch(f"layer {spec.name} of family {arch.family} hears whole clips; it answers in no stream")
        if not spec.inputs:
            found[spec.name] = 1
        elif not spec.operator.per_answer and spec.inputs[0] in found:
            found[spec.name] = found[spec.inputs[0]] * spec.stride[1]
    return found


def _aligned(spec: LayerSpec) -> bool:
    return spec.in_shape[0] % ALIGNMENT == 0 and (spec.out_shape[0] % ALIGNMENT == 0 or spec.logits)


def _moved_bytes(spec: LayerSpec) -> int:
    return spec.operator.read_values(spec) + prod(spec.out_shape) + layer_bytes(spec)
