"""Quantities as people type them: `20e6`, `20M`, `64k`, `64kB`, `64KiB`, `95.5%`, `20ms`, `0.5mJ`.

k (or K) is 1,000, alone as in kB, and M 1,000,000; Ki is 1,024 and Mi 1,024 of these, alone as in KiB and MiB.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from supernet.errors import InvalidQuery
from supernet.whole import as_whole, is_whole

__all__ = [
    "an_hour",
    "count",
    "energy",
    "interval",
    "milliseconds",
    "power",
    "power_or_none",
    "seed_of",
    "share",
    "size",
    "truth",
    "whole",
]

NUMBER = re.compile(r"\s*([-+]?[0-9_.]+(?:[eE][-+]?[0-9]+)?)\s*([a-zA-Z%]*)\s*")
MICRO = re.compile("[\u00b5\u03bc]")
"""The sign of a millionth, and the Greek letter that looks like it."""
COUNTS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}
PREFIXES = {**COUNTS, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
SIZES = {f"{prefix}{unit}": factor for prefix, factor in PREFIXES.items() for unit in ("", "B")}
SHARES = {"": 1, "%": 100}
TIMES = {"": 1, "us": 1e-3, "ms": 1, "s": 1e3}
LEAST_MS, MOST_MS = 1e-3, 86_400_000
LARGEST_SEED = 2**63 - 1
"""The largest that all generators of random numbers take."""
ENERGIES = {"": 1, "nJ": 1e-3, "uJ": 1, "mJ": 1e3, "J": 1e6}

POWERS = {"": 1, "nW": 1e-3, "uW": 1, "mW": 1e3, "W": 1e6}


def count(name: str, value: float | str) -> float:
    """A positive number, such as 20e6 or "20M". name: for the message of InvalidQuery."""
    return _quantity(name, value, COUNTS, "a number above 0, such as 20e6 or 20M")


def size(name: str, value: float | str) -> float:
    """A positive number of bytes, such as 64000, "64k", "64kB" or "64KiB"."""
    return _quantity(name, value, SIZES, "a size above 0 in bytes, such as 64000, 64k, 64kB or 64KiB")


def milliseconds(name: str, value: float | str) -> float:
    """A positive time in ms, such as 20, "20ms" or "1.5s"."""
    return _quantity(name, value, TIMES, "a number above 0 in ms, such as 20, 20ms or 0.5s")


def interval(name: str, value: float | str) -> float:
    """A time in ms from answer to answer, such as 20, "20ms" or "1.5s": a microsecond to a day."""
    wanted = "a time from 0.001 ms to a day, such as 20, 20ms or 0.5s"
    found = _quantity(name, value, TIMES, wanted)
    if not LEAST_MS <= found <= MOST_MS:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return found


def energy(name: str, value: float | str) -> float:
    """A positive energy in uJ, such as 500, "500uJ" or "0.5mJ"."""
    return _quantity(name, value, ENERGIES, "a number above 0 in uJ, such as 500, 500uJ or 0.5mJ")


def power(name: str, value: float | str) -> float:
    """A positive power in uW, such as 500, "500uW" or "0.5mW"."""
    return _quantity(name, value, POWERS, "a number above 0 in uW, such as 500, 500uW or 0.5mW")


def power_or_none(name: str, value: float | str) -> float:
    """The same, or 0."""
    wanted = "a number in uW, 0 or more, such as 7, 7uW or 0.1mW"
    number, unit = _number(name, value, POWERS, wanted)
    if not 0 <= number * POWERS[unit] < math.inf:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return number * POWERS[unit]


def share(name: str, value: float | str) -> float:
    """A share from 0 to 1, such as 0.955 or "95.5%"."""
    wanted = "a share from 0 to 1, such as 0.955 or 95.5%"
    number, unit = _number(name, value, SHARES, wanted)
    result = float(Decimal(repr(number)) / SHARES[unit])
    if not 0 <= result <= 1:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return result


def whole(name: str, value: Any, low: int, high: float = math.inf) -> int:
    """A whole number from `low` to `high`, as `int`; texts are none. name: for the message of InvalidQuery."""
    if not is_whole(value, low, high):
        wanted = f"{low} or more" if high == math.inf else f"from {low} to {high}"
        raise InvalidQuery(f"{name} = {value!r:.140} is not possible: give a whole number, {wanted}")
    return as_whole(value)


def seed_of(value: Any) -> int:
    """A seed of random numbers, as `int`. Raises InvalidQuery."""
    return whole("seed", value, 0, LARGEST_SEED)


def truth(name: str, value: Any) -> bool:
    """True or False, no text and no number. Raises InvalidQuery."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidQuery(f"{name} = {value!r:.140} is not possible: give True or False")
    return bool(value)


def an_hour(name: str, value: float | str) -> float:
    """A number of events an hour, 0 or more, such as 4 or "0.5"."""
    wanted = "a number an hour, 0 or more, such as 4 or 0.5"
    number, _ = _number(name, value, {"": 1}, wanted)
    if not 0 <= number < math.inf:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return number


def _quantity(name: str, value: float | str, units: Mapping[str, float], wanted: str) -> float:
    number, unit = _number(name, value, units, wanted)
    if not 0 < number * units[unit] < math.inf:
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}")
    return number * units[unit]


def _number(name: str, value: float | str, units: Mapping[str, float], wanted: str) -> tuple[float, str]:
    match = NUMBER.fullmatch(MICRO.sub("u", value)) if isinstance(value, str) else None
    number, unit = match.groups() if match else (value, "")
    try:
        if isinstance(value, (bool, np.bool_)) or unit not in units:
            raise ValueError
        return float(number), unit
    except (ValueError, TypeError, OverflowError):
        raise InvalidQuery(f"{name} = {value} is not possible: give {wanted}") from None
