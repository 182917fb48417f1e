"""Operator `linear` as C."""

from __future__ import annotations

from zoo.export.c.ops.base import MULTIPLYING, Fields, Operator, Step, weighted

__all__ = ["OPERATOR"]


class Linear(Operator):
    """Logits of 16 bits."""

    structure = """\
    const uint8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t in_channels, out_channels, in_zero;
    int32_t bits, odd;                                      /* of weights */
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Its own, and those of weights."""
        return ("unpack", "words", *MULTIPLYING, "linear")

    def fields(self, step: Step) -> Fields:
        """Weights and sizes."""
        return weighted(step, list(step.tensors.weight)) | self.shapes(step)

    def shapes(self, step: Step) -> dict[str, int]:
        """Constants beside those of weights."""
        outputs, inputs = step.tensors.weight.shape
        return {"in_channels": inputs, "out_channels": outputs}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """The product."""
        return [("linear", step.layer, step.inputs[0], step.out)]


OPERATOR = Linear()
