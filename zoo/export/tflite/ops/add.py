"""Operator `add` in TFLite: ADD."""

from __future__ import annotations

from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.ops.base import Operator, activation

__all__ = ["OPERATOR"]


class Add(Operator):
    """Both are scaled to 20 bits more, and rounded."""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """The sum."""
        inputs = [written.values[name] for name in spec.inputs]
        return written.main.add("ADD", inputs, written.like(spec), FusedActivationFunction=activation(spec))


OPERATOR = Add()
