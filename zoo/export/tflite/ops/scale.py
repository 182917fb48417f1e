"""Operator `scale` in TFLite: MUL, with one factor a channel."""

from __future__ import annotations

from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.ops.base import Operator, activation

__all__ = ["OPERATOR"]


class Scale(Operator):
    """Factors are (1, 1, 1, channels)."""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """The product."""
        inputs = [written.values[name] for name in spec.inputs]
        return written.main.add("MUL", inputs, written.like(spec), FusedActivationFunction=activation(spec))


OPERATOR = Scale()
