"""Operator `scale` as C: a map times one factor a channel."""

from __future__ import annotations

from zoo.export.c.ops.base import Operator, Step

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

    def constants(self, step: Step) -> str:
        """One multiplier."""
        channels, height, _ = step.spec.out_shape
        zeros = dict(zip(("map_zero", "factor_zero"), step.zeros, strict=True))
        fields = {"places": height * step.out_frames, "channels": channels, **zeros}
        fields |= {"multiplier": int(step.tensors.multiplier[0]), "shift": int(step.tensors.shift[0])}
        return step.record(fields)

    def calls(self, step: Step) -> list[str]:
        """The product."""
        return [f"scale({step.layer}, {', '.join(step.inputs)}, {step.out});"]


OPERATOR = Scale()
