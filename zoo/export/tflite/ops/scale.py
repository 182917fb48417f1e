"""Operator `scale` in TFLite: MUL, with one factor a channel."""

from __future__ import annotations

from supernet.layer import LayerSpec
from zoo.export.tflite.ops.base import ElementWise, multipliers

__all__ = ["OPERATOR"]


class Scale(ElementWise):
    """Factors are (1, 1, 1, channels)."""

    kind = "MUL"

    def tie(self, scales, spec: LayerSpec, tensors) -> None:
        """By the scale of the factors."""
        first, factors = spec.inputs
        scales.tie(spec.name, first, scales.scale(factors) / multipliers(tensors)[0])


OPERATOR = Scale()
