"""A model as a plan: the bytes that the machine of a page runs, made of the same data as the C of the model.

    head          zoo.site.machine.layout.HEADER, 32 bits each, little-endian
    front end     its numbers, 64 bits each; the place of each table with the bytes of a row, and of what it works in
    layers        their arrays, and their structures as C has them where pointers have 32 bits
    lists         calls: the number of a function and the places of its arguments, in the order of the layers;
                  silences: place, bytes and value of what a stream begins with; relocations: places of pointers

What is worked in lies behind the plan and takes no bytes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from supernet.errors import InvalidQuery
from supernet.layer import LayerSpec
from supernet.memory import LOGIT_BYTES
from zoo.export.c.frontends import front_end
from zoo.export.c.ops import operator
from zoo.export.c.ops.base import Step
from zoo.export.c.text import Member
from zoo.export.c.write import Sources, weights_at_a_time
from zoo.site.machine.layout import (
    ARGUMENTS,
    FUNCTIONS,
    HEADER,
    MOST,
    MOST_CLASSES,
    MOST_SAMPLES,
    UNITS,
    fields_of,
    numbers_of,
)

__all__ = ["plan_of"]

UNIT, WORD = 16, 4
"""Bytes at whose multiples things lie, and of a pointer."""
BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4}
LIMITS = "int32_t to[3];"
RING = "&self->pool"
MOST_BYTES = 2**28
"""Of a plan and what is worked in."""


def plan_of(sources: Sources) -> bytes:
    """The plan of a stream or of clips. Raises InvalidQuery for a model that is too large for the machine."""
    steps = _steps(sources)
    _check(sources, steps)
    plan = _Plan()
    fields = {**_heard(sources), **_detector(plan, sources), **_front_end(plan, sources), **_places(plan, sources)}
    for step in steps:
        for member in operator(step.spec.kind).kept(step):
            plan.keep(member)
        plan.add_layer(step)
    return plan.finished(fields, [call for step in steps for call in operator(step.spec.kind).runs(step)])


def _steps(sources: Sources) -> list[Step]:
    """Of all layers, with names for the places of tensors."""
    places = {name: f"@{name}" for name in (sources.input.name, *(spec.name for spec in sources.specs))}
    return [replace(step, places=places, block=MOST["BLOCK"]) for step in sources.steps]


class _Plan:
    """The bytes so far, places by their names in C, and what lies behind."""

    def __init__(self) -> None:
        self.data, self.work, self.places = bytearray(WORD * len(HEADER)), 0, {"NULL": 0}
        self._pointers: list[int] = []
        self._silences: list[tuple[int, int, int]] = []

    def add(self, values: np.ndarray) -> int:
        """Values at the end; gives their place."""
        self.data += bytes(-len(self.data) % UNIT)
        place = len(self.data)
        self.data += np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        return place

    def reserve(self, name: str, size: int) -> int:
        """So many bytes to work in; gives their place."""
        place = self.places[name] = ~self.work
        self.work += -(-size // UNIT) * UNIT
        return place

    def keep(self, member: Member) -> int:
        """A member of the structure in C."""
        return self.silent(f"self->{member.name}", BYTES[member.kind] * member.count, member.silence)

    def silent(self, name: str, size: int, value: int = 0) -> int:
        """Bytes of one value in silence."""
        place = self.reserve(name, size)
        self._silences.append((place, size, value))
        return place

    def add_layer(self, step: Step) -> None:
        """The constants of a layer."""
        values = {**operator(step.spec.kind).fields(step), "to": step.to}
        record, pointers = bytearray(), []
        for name, kind, count in fields_of(operator(step.spec.kind).structure + LIMITS):
            if kind == "*":
                pointers.append(len(record))
                record += np.int32(self.add(values[name])).tobytes()
            else:
                record += np.array(values[name], f"{kind.removesuffix('_t')}").reshape(count).tobytes()
        place = self.places[step.layer] = self.add(np.frombuffer(record, np.uint8))
        self._pointers += [place + offset for offset in pointers]

    def finished(self, fields: dict[str, int], calls: Sequence[tuple[str, ...]]) -> bytes:
        """All of it. fields: of the head, but those of lists and sizes."""
        lists = {"relocations": self._pointers, "calls": list(map(self._call, calls)), "silences": self._silences}
        fields = fields | {name: self.add(np.array(values, np.int32)) for name, values in lists.items()}
        fields |= {f"{name.removesuffix('s')}_count": len(values) for name, values in lists.items()}
        self.data += bytes(-len(self.data) % UNIT)
        fields |= {"bytes": len(self.data), "work": self.work}
        if len(self.data) + self.work > MOST_BYTES:
            raise _too_large("bytes", len(self.data) + self.work, MOST_BYTES)
        head = np.array([fields[name] for name in HEADER], "<i4").tobytes()
        return head + bytes(self.data[len(head) :])

    def _call(self, call: tuple[str, ...]) -> list[int]:
        function, *arguments = call
        places = [self.places[argument] for argument in arguments]
        return [list(FUNCTIONS).index(function), *places, *[0] * (ARGUMENTS - len(places))]


def _heard(sources: Sources) -> dict[str, int]:
    """Sizes of frames, steps and clips."""
    arch, front = sources.network.arch, sources.frontend
    return {
        "streams": int(sources.streams),
        "classes": arch.classes,
        "coefficients": front.coefficients,
        "hop": front.hop_samples,
        "window": front.window_samples,
        "step_frames": arch.frames // max(1, sources.answers),
        "clip_answers": sources.answers,
        "clip_frames": arch.frames,
    }


def _detector(plan: _Plan, sources: Sources) -> dict[str, int]:
    """What makes scores of logits, and in a stream events of scores."""
    scores = sources.detector.scores
    multiplier, shift = scores.multiplier
    fields = {"several": int(scores.several), "score_multiplier": multiplier, "score_shift": shift}
    looks = sources.looks if sources.streams else {"SMOOTHING": 0, "EVERY": 0, "REFRACTORY": 0}
    sums = {name: plan.add(values) if sources.streams else 0 for name, values in sources.sums.items()}
    return {**fields, **{name.lower(): value for name, value in looks.items()}, **sums}


def _front_end(plan: _Plan, sources: Sources) -> dict[str, int]:
    """Which it is, its numbers and tables, and what it works in."""
    front, written = sources.frontend, front_end(sources.frontend.kind)
    numbers, tables = numbers_of(front), written.tables(front).values()
    rows = [value for table in tables for value in (plan.add(table), table.strides[0])]
    rows += [value for member in written.members(front) for value in (plan.keep(member), 0)]
    unit = next(place for place, unit in enumerate(UNITS) if unit.fits(front.kind, numbers))
    values = np.array(list(numbers.values()), np.int64)
    return {"frontend": unit, "numbers": plan.add(values), "tables": plan.add(np.array([*rows, 0], np.int32))}


def _places(plan: _Plan, sources: Sources) -> dict[str, int]:
    """Of tensors, of the average over time, and of what is worked in."""
    arch, input_name = sources.network.arch, sources.input.name
    logits = plan.reserve(f"@{sources.specs[-1].name}", LOGIT_BYTES * arch.classes)
    step_features = arch.frames // sources.answers * arch.features.coefficients if sources.streams else 0
    features = plan.reserve(f"@{input_name}", step_features)
    pool = next(spec for spec in sources.specs if spec.operator.per_answer)
    plan.silent(RING, WORD * (1 + prod(pool.in_shape[:2])))
    arena = plan.reserve("arena", sources.arena.size)
    found = {name: ~(~arena + offset) for name, offset in sources.offsets.items() if name != sources.specs[-1].name}
    plan.places |= {f"@{name}": place for name, place in found.items()}
    given = sources.offsets.get(input_name, 0)
    return {"logits": logits, "features": features, "arena": arena, "input": given}


def _check(sources: Sources, steps: Sequence[Step]) -> None:
    """Raise InvalidQuery for what the machine does not know, or has no room for."""
    known = {*FUNCTIONS, *(unit.kind for unit in UNITS)}
    for name in [sources.frontend.kind, *(call[0] for step in steps for call in operator(step.spec.kind).runs(step))]:
        if name not in known:
            raise InvalidQuery(f"{name!r} does not run in a page, which runs {', '.join(sorted(known))}")
    most = {"classes": MOST_CLASSES, "samples of a window": MOST_SAMPLES, **MOST}
    found = {"classes": sources.network.arch.classes, "samples of a window": sources.frontend.window_samples}
    for step in steps:
        for name, size in [*found.items(), *_needs(step.spec), *operator(step.spec.kind).work(step).items()]:
            if size > most[name]:
                raise _too_large(name, size, most[name])


def _needs(spec: LayerSpec) -> list[tuple[str, int]]:
    """What a layer with weights works in."""
    if not spec.has_weights:
        return []
    return [("PLACES", prod(spec.kernel))] if spec.depthwise else [("BUFFER", weights_at_a_time(spec))]


def _too_large(what: str, size: int, most: int) -> InvalidQuery:
    return InvalidQuery(
        f"the model is too large to run in a page: {what} = {size:,}, of at most {most:,}; `earshot export --to c` has "
        "no such limit"
    )
