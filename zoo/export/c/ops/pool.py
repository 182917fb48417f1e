"""Operator `pool` as C: the average over a clip, or in a stream over the last so many frames."""

from __future__ import annotations

from zoo.export.c.ops.base import Operator, Step

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

    def constants(self, step: Step) -> str:
        """1 / N is in the multiplier."""
        channels, height, frames = step.spec.in_shape
        fields = {"channels": channels, "places": height * frames, "in_zero": step.zeros[0]}
        fields |= {"multiplier": int(step.tensors.multiplier[0]), "shift": int(step.tensors.shift[0])}
        return step.record(fields)

    def calls(self, step: Step) -> list[str]:
        """The average."""
        if step.streams:
            return [f"average({step.layer}, &self->pool, self->{step.spec.name}_frames, {step.inputs[0]}, {step.out});"]
        return [f"pool({step.layer}, {step.inputs[0]}, {step.out});"]

    def state(self, step: Step) -> list[str]:
        """The ring; its sums stand in the structure."""
        return [f"int8_t {step.spec.name}_frames[NAME_POOL_CHANNELS * NAME_POOL_FRAMES];"] if step.streams else []

    def reset(self, step: Step) -> list[str]:
        """To the zero point; sums are of what is beyond it."""
        place = f"self->{step.spec.name}_frames"
        return [f"memset({place}, {step.zeros[0]}, sizeof({place}));"] if step.streams else []


OPERATOR = Pool()
