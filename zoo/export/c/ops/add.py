"""Operator `add` as C: a residual sum."""

from __future__ import annotations

from math import prod

from zoo.export.c.ops.base import Fields, Operator, Step

__all__ = ["OPERATOR"]


class Add(Operator):
    """Written over its first input."""

    structure = """\
    int32_t count, first_zero, second_zero, first_multiplier, second_multiplier;
    uint32_t shift;
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Its own."""
        return ("add",)

    def fields(self, step: Step) -> Fields:
        """Both multipliers with one shift."""
        fields = {"count": prod(step.spec.out_shape[:2]) * step.out_frames}
        names = ("first_zero", "second_zero", "first_multiplier", "second_multiplier")
        fields |= dict(zip(names, [*step.zeros, *map(int, step.tensors.multiplier)], strict=True))
        return {**fields, "shift": int(step.tensors.shift[0])}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """The sum."""
        return [("add", step.layer, *step.inputs, step.out)]


OPERATOR = Add()
