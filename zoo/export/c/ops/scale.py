"""Operator `scale` as C: a map times one factor a channel."""

from __future__ import annotations

from zoo.export.c.ops.base import Fields, Operator, Step

__all__ = ["OPERATOR"]


class Scale(Operator):
    """Written over its first input."""

    structure = """\
    int32_t places, channels, map_zero, factor_zero, multiplier;
    uint32_t shift;
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Its own."""
        return ("scale",)

    def fields(self, step: Step) -> Fields:
        """One multiplier."""
        channels, height, _ = step.spec.out_shape
        zeros = dict(zip(("map_zero", "factor_zero"), step.zeros, strict=True))
        fields = {"places": height * step.out_frames, "channels": channels, **zeros}
        return {**fields, "multiplier": int(step.tensors.multiplier[0]), "shift": int(step.tensors.shift[0])}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """The product."""
        return [("scale", step.layer, *step.inputs, step.out)]


OPERATOR = Scale()
