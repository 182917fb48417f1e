"""How much RAM a network needs, exactly, from its layers alone. No torch here.

The integer runtime computes layer by layer in one arena, whose place for a tensor is used again once its last reader is
done; residual sums and scalings are written over their first input. Values take one byte at any bits, logits two. What
a stream keeps from frame to frame, and what the front end works in, stand beside the arena; a network that sees what
comes later answers on whole clips, and keeps nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from supernet.arch import Arch
from supernet.layer import LayerSpec, Part, last_uses, layers, parts

__all__ = [
    "FRONTEND_BYTES",
    "Arena",
    "Placed",
    "alive_bytes",
    "peak_arena_bytes",
    "plan_arena",
    "state_bytes",
    "stream_state_bytes",
]

FRONTEND_BYTES = 480 * 2 + 514 * 4 + 40 * 4
"""What the front end works in: a window of samples at 16 bits, its spectrum and its mels at 32."""


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
    return max(max(alive_bytes(part)) for part in parts(arch))


def alive_bytes(part: Part) -> list[int]:
    """Bytes in use while each layer of a part runs: what it writes, and all that it or a later one reads."""
    last, sizes = last_uses(part), {spec.name: _bytes(spec) for spec in part}
    if part[0].inputs:
        sizes[part[0].inputs[0]] = prod(part[0].in_shape)
    alive, found = set(part[0].inputs), []
    for number, spec in enumerate(part):
        alive.add(spec.name)
        written_over = spec.inputs[0] if spec.operator.in_place else None
        found.append(sum(sizes[name] for name in alive if name != written_over))
        alive = {name for name in alive if last[name] > number} | {spec.name}
    return found


def plan_arena(arch: Arch) -> Arena:
    """A place for each tensor. The arena takes no more than `peak_arena_bytes` where residuals are not nested.

    A tensor lies at the other end of what is free than the one that it is computed from, so that both ends grow towards
    each other and nothing is left between them.
    """
    specs, last, size = layers(arch), last_uses(layers(arch)), peak_arena_bytes(arch)
    placed: dict[str, Placed] = {}
    for number, spec in enumerate(specs):
        if spec.operator.in_place:
            offset = placed[spec.inputs[0]].offset
        else:
            source = placed[spec.inputs[-1]] if spec.inputs else None
            live = [item for item in placed.values() if item.last >= number]
            offset = _free(live, _bytes(spec), size, from_top=source is not None and _is_low(source, size))
        placed[spec.name] = Placed(spec.name, offset, _bytes(spec), number, last[spec.name])
    return Arena(max(item.end for item in placed.values()), tuple(placed.values()))


def stream_state_bytes(arch: Arch) -> int:
    """What is kept from frame to frame: the frames that convolutions look back on, and the window of the average."""
    return sum(state_bytes(spec) for spec in layers(arch))


def state_bytes(spec: LayerSpec) -> int:
    """What a stream keeps for one layer; nothing where there is no stream, since a layer looks ahead."""
    return spec.operator.kept_frames(spec) * prod(spec.in_shape[:2])


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


def _bytes(spec: LayerSpec) -> int:
    return prod(spec.out_shape) * spec.value_bytes
