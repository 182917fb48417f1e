"""Operator `pool` as C: the average over a clip, or in a stream over the last so many frames."""

from __future__ import annotations

from math import prod

from zoo.export.c.ops.base import Fields, Operator, Step
from zoo.export.c.text import Member

__all__ = ["OPERATOR"]


class Pool(Operator):
    """In a stream, a ring of frames and the sums of what is in it."""

    structure = """\
    int32_t channels, places, in_zero, multiplier;          /* places: frames of a stream, all places of a clip */
    uint32_t shift;
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Of a stream or of clips."""
        return ("average",) if step.streams else ("pool",)

    def fields(self, step: Step) -> Fields:
        """1 / N is in the multiplier."""
        channels, height, frames = step.spec.in_shape
        fields = {"channels": channels, "places": height * frames, "in_zero": step.zeros[0]}
        return {**fields, "multiplier": int(step.tensors.multiplier[0]), "shift": int(step.tensors.shift[0])}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """The average."""
        if step.streams:
            frames = f"self->{step.spec.name}_frames"
            return [("average", step.layer, "&self->pool", frames, step.inputs[0], step.out)]
        return [("pool", step.layer, step.inputs[0], step.out)]

    def kept(self, step: Step) -> list[Member]:
        """The ring, silent at the zero point; its sums, of what is beyond that, stand in the structure."""
        name, size = f"{step.spec.name}_frames", "NAME_POOL_CHANNELS * NAME_POOL_FRAMES"
        return [Member("int8_t", name, prod(step.spec.in_shape), size, step.zeros[0])] if step.streams else []


OPERATOR = Pool()
