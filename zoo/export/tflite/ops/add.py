"""Operator `add` in TFLite: ADD."""

from __future__ import annotations

from zoo.export.tflite.ops.base import ElementWise

__all__ = ["OPERATOR"]


class Add(ElementWise):
    """Both are scaled to 20 bits more, and rounded."""

    kind = "ADD"


OPERATOR = Add()
