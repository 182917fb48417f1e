"""How much RAM a network needs, exactly, from its layers alone. No torch here.

The integer runtime computes layer by layer in one arena, whose place for a tensor is used again once its last reader is
done; a residual sum is written over its first input. Values take one byte at any bits, logits two. What a stream keeps
from frame to frame, and what the front end works in, stand beside the arena.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from supernet.families import layers
from supernet.space import Arch, LayerSpec

__all__ = ["Arena", "Placed", "peak_arena_bytes", "plan_arena", "stream_state_bytes"]


@dataclass(frozen=True)
class Placed:
    """A tensor's place in the arena: bytes from `offset` on, from the layer numbered `first` to `last` inclusive."""

    name: str
    offset: int
    size: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """The byte behind it."""
        return self.offset + self.size


@dataclass(frozen=True)
class Arena:
    """A schedule: all tensors' places, and the bytes that hold them all."""

    size: int
    tensors: tuple[Placed, ...]


def peak_arena_bytes(arch: Arch) -> int:
    """The most bytes that are in use at once: no schedule needs fewer."""
    specs = layers(arch)
    last = _last_uses(specs)
    live, peak, ends = 0, 0, [0] * (len(specs) + 1)
    for number, spec in enumerate(specs):
        size = _bytes(spec)
        if spec.kind == "add":
            ends[last[spec.inputs[0]]] -= size  # its first input's place goes on as its own
        else:
            live += size
        ends[last[spec.name]] += size
        peak = max(peak, live)
        live -= ends[number]
    return peak


def plan_arena(arch: Arch) -> Arena:
    """A place for each tensor. The arena takes no more than `peak_arena_bytes` where residuals are not nested.

    A tensor lies at the other end of what is free than the one that it is computed from, so that both ends grow towards
    each other and nothing is left between them.
    """
    specs, last, size = layers(arch), _last_uses(layers(arch)), peak_arena_bytes(arch)
    placed: dict[str, Placed] = {}
    for number, spec in enumerate(specs):
        if spec.kind == "add":
            offset = placed[spec.inputs[0]].offset
        else:
            source = placed[spec.inputs[-1]] if spec.inputs else None
            live = [item for item in placed.values() if item.last >= number]
            offset = _free(live, _bytes(spec), size, from_top=source is not None and _is_low(source, size))
        placed[spec.name] = Placed(spec.name, offset, _bytes(spec), number, last[spec.name])
    return Arena(max(item.end for item in placed.values()), tuple(placed.values()))


def stream_state_bytes(arch: Arch) -> int:
    """What is kept from frame to frame: the frames that convolutions look back on, and the window of the average."""
    return sum(_kept_frames(spec) * prod(spec.in_shape[:2]) for spec in layers(arch))


def _kept_frames(spec: LayerSpec) -> int:
    if spec.kind == "conv":
        return max(0, spec.kernel[1] - spec.stride[1])
    return spec.in_shape[2] if spec.kind == "pool" else 0


def _is_low(tensor: Placed, size: int) -> bool:
    return tensor.offset <= size - tensor.end


def _free(live: list[Placed], wanted: int, size: int, from_top: bool) -> int:
    """Where so many bytes fit between live tensors, nearest to an end; beyond all where they fit nowhere."""
    edges = sorted([(0, 0), *((item.offset, item.end) for item in live), (size, size)])
    gaps = [(before[1], after[0]) for before, after in pairwise(edges)]
    fitting = [(low, high) for low, high in gaps if high - low >= wanted]
    if not fitting:
        return max(high for _, high in edges)
    return fitting[-1][1] - wanted if from_top else fitting[0][0]


def _last_uses(specs: tuple[LayerSpec, ...]) -> dict[str, int]:
    """The number of the last layer that reads each tensor; the last tensor's own."""
    last = {spec.name: number for number, spec in enumerate(specs)}
    last.update({name: number for number, spec in enumerate(specs) for name in spec.inputs})
    return last


def _bytes(spec: LayerSpec) -> int:
    return prod(spec.out_shape) * (2 if spec.kind == "linear" else 1)
