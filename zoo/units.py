"""Quantities as people type them: `20e6`, `20M`, `64kB`, `64KiB`, `95.5%`. kB is 1,000 bytes, KiB is 1,024."""

from __future__ import annotations

import math
import re

from zoo.errors import InvalidQuery

__all__ = ["count", "share", "size"]

NUMBER = re.compile(r"\s*([-+]?[0-9_.]+(?:[eE][-+]?[0-9]+)?)\s*([a-zA-Z%]*)\s*")
COUNTS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
SIZES = {"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "KiB": 1024, "MiB": 1024**2}
SHARES = {"": 1, "%": 0.01}


def count(name: str, value: float | str) -> float:
    """A positive number, such as 20e6 or "20M". name: for the message of InvalidQuery."""
    return _quantity(name, value, COUNTS, "a number above 0, such as 20e6 or 20M")


def size(name: str, value: float | str) -> float:
    """A positive number of bytes, such as 64000, "64kB" or "64KiB"."""
    return _quantity(name, value, SIZES, "a size above 0 in bytes, such as 64000, 64kB or 64KiB")


def share(name: str, value: float | str) -> float:
    """A share from 0 to 1, such as 0.955 or "95.5%"."""
    wanted = "a share from 0 to 1, such as 0.955 or 95.5%"
    result = _quantity(name, value, SHARES, wanted, least=0.0)
    if result > 1:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return result


def _quantity(name: str, value: float | str, units: dict[str, float], wanted: str, least: float = 1e-300) -> float:
    number, unit = value, ""
    if isinstance(value, str):
        match = NUMBER.fullmatch(value)
        if match:
            number, unit = match.groups()
    try:
        result = float(number) * units[unit]
    except (ValueError, TypeError, KeyError):
        result = math.nan
    if isinstance(value, bool) or not least <= result < math.inf:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return result
