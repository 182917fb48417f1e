"""How much RAM a network needs, exactly, from its layers alone. No torch here.

The integer runtime computes layer by layer in one arena, whose place for a tensor is used again once its last reader is
done; residual sums and scalings are written over their first input. Values take one byte at any bits, logits two. On a
whole clip the arena holds maps of all frames. In a stream it holds those of one step, which are the frames to one more
answer, and beside it is kept what layers look back on; a network that sees what comes later has no such form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from supernet.arch import Arch
from supernet.frontend import front_end
from supernet.layer import LayerSpec, Part, Shape, last_uses, layers, parts

__all__ = [
    "LOGIT_BYTES",
    "Arena",
    "Placed",
    "alive_bytes",
    "answer_frames",
    "clip_ram_bytes",
    "peak_arena_bytes",
    "plan_arena",
    "plan_step",
    "state_bytes",
    "step_arena_bytes",
    "stream_alive_bytes",
    "stream_extra_bytes",
    "stream_ram_bytes",
    "stream_state_bytes",
    "whole_words",
]

WORD, LOGIT_BYTES = 4, 2
SMOOTHED, SCORE_BYTES, COUNTER_BYTES = 5, 2, 4
"""Of the detector: the most answers that it averages, what it keeps of a score, and its counters."""


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
    return _alive(part, 1)


def stream_alive_bytes(part: Part, answers: int) -> list[int]:
    """The same in one step of a stream, of which so many make a clip, but for features and logits, which have places of
    their own there (see `stream_extra_bytes`); zeros where a layer looks ahead.

    answers: see `answer_frames`.
    """
    return _alive(part, answers, apart=True) if all(spec.causal for spec in part) else [0] * len(part)


def answer_frames(found: Sequence[Part]) -> int:
    """How many frames of a clip reach the end of a network in parts: a stream answers at each of them."""
    return found[-1][0].in_shape[2]


def stream_extra_bytes(part: Part, answers: int) -> int:
    """What a stream holds beside its arena and its state: the features of a step, logits, and sums of averages."""
    return sum(spec.operator.sum_bytes(spec) + (_bytes(spec, answers) if _is_apart(spec) else 0) for spec in part)


def _is_apart(spec: LayerSpec) -> bool:
    """Whether a tensor has a place of its own in a stream."""
    return spec.logits or not spec.inputs


def _alive(part: Part, steps: int, apart: bool = False) -> list[int]:
    """apart: leave features and logits out."""
    last = last_uses(part)
    sizes = {spec.name: 0 if apart and _is_apart(spec) else _bytes(spec, steps) for spec in part}
    if part[0].inputs:
        sizes[part[0].inputs[0]] = _values(part[0].in_shape, steps)
    alive, found = set(part[0].inputs), []
    for number, spec in enumerate(part):
        alive.add(spec.name)
        written_over = spec.inputs[0] if spec.operator.in_place else None
        found.append(sum(sizes[name] for name in alive if name != written_over))
        alive = {name for name in alive if last[name] > number} | {spec.name}
    return found


def plan_arena(arch: Arch) -> Arena:
    """A place for each tensor of a clip, in no more than `peak_arena_bytes` where residuals are not nested.

    A tensor lies at the other end of what is free than the one that it is computed from, so that both ends grow towards
    each other and nothing is left between them.
    """
    return _plan(layers(arch), 1, peak_arena_bytes(arch))


def plan_step(arch: Arch) -> Arena:
    """A place for each tensor of one step of a stream but its features and logits."""
    found = parts(arch)
    specs = [spec for spec in layers(arch) if not _is_apart(spec)]
    return _plan(specs, answer_frames(found), step_arena_bytes(arch))


def step_arena_bytes(arch: Arch) -> int:
    """The most bytes that are in use at once in one step of a stream."""
    found = parts(arch)
    return max(max(stream_alive_bytes(part, answer_frames(found))) for part in found)


def _plan(specs: Sequence[LayerSpec], steps: int, size: int) -> Arena:
    """By the half of the arena that a tensor's source lies in; where that leaves gaps, by the end that the source was
    laid from, which is another where several lie at one end.
    """
    plans = (_laid(specs, steps, size, by_half) for by_half in (True, False))
    first = next(plans)
    return first if first.size <= size else min(first, *plans, key=lambda plan: plan.size)


def _laid(specs: Sequence[LayerSpec], steps: int, size: int, by_half: bool) -> Arena:
    last, placed, laid_low = last_uses(specs), {}, {}
    for number, spec in enumerate(specs):
        source = spec.inputs[0 if spec.operator.in_place else -1] if spec.inputs else None
        if spec.operator.in_place:
            offset, laid_low[spec.name] = placed[source].offset, laid_low[source]
        else:
            low = source in placed and (_is_low(placed[source], size) if by_half else laid_low[source])
            live = [item for item in placed.values() if item.last >= number]
            offset, laid_low[spec.name] = _free(live, _bytes(spec, steps), size, from_top=low), not low
        placed[spec.name] = Placed(spec.name, offset, _bytes(spec, steps), number, last[spec.name])
    return Arena(max(item.end for item in placed.values()), tuple(placed.values()))


def clip_ram_bytes(arch: Arch) -> int:
    """What answering on whole clips takes: the arena, logits, and what the front end works in. It is the size of the
    structure in C, a multiple of 4.
    """
    return whole_words(peak_arena_bytes(arch) + LOGIT_BYTES * arch.classes + frontend_bytes(arch.features.kind))


def stream_ram_bytes(arch: Arch) -> int:
    """What answering in a stream takes: the arena of one step, what is kept from step to step, and what the front end
    and the detector work in; 0 for a network that cannot. It is the size of the structure in C, a multiple of 4.
    """
    found = parts(arch)
    if not all(spec.causal for part in found for spec in part):
        return 0
    kept = stream_state_bytes(arch) + sum(stream_extra_bytes(part, answer_frames(found)) for part in found)
    return whole_words(
        step_arena_bytes(arch) + kept + frontend_bytes(arch.features.kind) + detector_bytes(arch.classes)
    )


def whole_words(size):
    """Bytes, or an array of them, up to a multiple of 4."""
    return -(-size // WORD) * WORD


@cache
def frontend_bytes(kind: str) -> int:
    """What the front end of a kind works in."""
    return front_end(kind)().ram_bytes


def detector_bytes(classes: int) -> int:
    """What makes events of answers keeps: the scores that it averages, their sums, and counters."""
    return classes * (SMOOTHED * SCORE_BYTES + COUNTER_BYTES) + 2 * COUNTER_BYTES


def stream_state_bytes(arch: Arch) -> int:
    """What is kept from frame to frame: the frames that convolutions look back on, and the window of the average."""
    return sum(state_bytes(spec) for spec in layers(arch))


def state_bytes(spec: LayerSpec) -> int:
    """What a stream keeps for one layer; nothing where there is no stream, since a layer looks ahead."""
    return spec.operator.state_bytes(spec)


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


def _bytes(spec: LayerSpec, steps: int = 1) -> int:
    return _values(spec.out_shape, steps) * spec.value_bytes


def _values(shape: Shape, steps: int) -> int:
    """Of a map, the values of one of so many steps that make a clip."""
    return shape[0] * shape[1] * -(-shape[2] // steps)
