"""Values as people and libraries give them: numbers of Python, NumPy and others, but no booleans; one or several."""

from __future__ import annotations

import math
import operator
import os
from numbers import Real
from typing import Any

import numpy as np

__all__ = ["as_list", "as_whole", "for_json", "is_real", "is_whole", "with_plain_numbers"]

PLAIN = frozenset({bool, float, int, str, type(None)})


def as_list(given: Any) -> list:
    """Several, of which a text or a path alone is one and not its letters; none of None."""
    if given is None:
        return []
    return [given] if isinstance(given, (str, bytes, os.PathLike)) else list(given)


def as_whole(value: Any) -> int | None:
    """A whole number as `int`, or None for what is none: booleans, numbers with a fraction or a point, texts."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def is_whole(value: Any, low: int, high: float) -> bool:
    """True for a whole number from `low` to `high`."""
    whole = as_whole(value)
    return whole is not None and low <= whole <= high


def is_real(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """True for a real number from `low` to `high`; NaN is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(low <= value <= high)


def for_json(value: Any) -> int | float:
    """The number that JSON can hold for one of NumPy's. Raises TypeError for what is none."""
    if isinstance(value, np.floating):
        return float(value)
    whole = as_whole(value)
    if whole is None:
        raise TypeError(f"{type(value).__name__} is no value of JSON")
    return whole


def with_plain_numbers(value: Any) -> Any:
    """Tuples and frozen dataclasses with plain values where NumPy's are: its numbers overflow at their width."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is tuple:
        return value if PLAIN.issuperset(map(type, value)) else tuple([with_plain_numbers(item) for item in value])
    if isinstance(value, np.generic):
        return value.item()
    for name in getattr(kind, "__dataclass_fields__", ()):
        own = getattr(value, name)
        if type(own) not in PLAIN:
            object.__setattr__(value, name, with_plain_numbers(own))
    return value
