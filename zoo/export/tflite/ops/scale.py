"""Operator `scale` in TFLite: MUL, with one factor a channel."""

from __future__ import annotations

from zoo.export.tflite.ops.base import ElementWise

__all__ = ["OPERATOR"]


class Scale(ElementWise):
    """Factors are (1, 1, 1, channels)."""

    kind = "MUL"


OPERATOR = Scale()
