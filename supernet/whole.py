"""Whole numbers as people and libraries give them: `int`, and the integers of NumPy and others, but no booleans."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

__all__ = ["as_whole"]


def as_whole(value: Any) -> int | None:
    """A whole number as `int`, or None for what is none: booleans, numbers with a fraction or a point, texts."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
