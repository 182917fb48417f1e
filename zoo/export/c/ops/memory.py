"""Operator `memory` as C: linear memories of 16 bits, kept in the structure of a stream."""

from __future__ import annotations

from math import prod

from zoo.export.c.ops.base import Fields, Operator, Step
from zoo.export.c.text import Member

__all__ = ["OPERATOR"]


class Memory(Operator):
    """The transition is a table of its own."""

    structure = """\
    const int16_t *transition;                              /* a row a coefficient: of those before, and of the input */
    int32_t frames, channels, order, in_zero, multiplier;
    uint32_t shift;
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Its own."""
        return ("memory",)

    def fields(self, step: Step) -> Fields:
        """The transition, and one multiplier."""
        channels, order, _ = step.spec.out_shape
        fields = {"transition": step.tensors.transition.ravel()}
        fields |= {"frames": step.frames, "channels": channels, "order": order}
        fields |= {"in_zero": step.zeros[0], "multiplier": int(step.tensors.multiplier[0])}
        return {**fields, "shift": int(step.tensors.shift[0])}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """A frame, or some."""
        return [("memory", step.layer, f"self->{step.spec.name}", step.inputs[0], step.out)]

    def kept(self, step: Step) -> list[Member]:
        """The coefficients."""
        return [Member("int16_t", step.spec.name, prod(step.spec.out_shape[:2]))]

    def work(self, step: Step) -> dict[str, int]:
        """Those of one channel are computed before any is replaced."""
        return {"ORDER": step.spec.out_shape[1]}


OPERATOR = Memory()
