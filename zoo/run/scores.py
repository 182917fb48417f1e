"""Scores in integers: what a detector computes of a network's logits, on any device the same.

A score has 15 bits, 0 to 32,768. Exponentials are powers of two from two tables of 32 entries. With d the distance of a
logit from the largest one and s their scale, t = d s log2(e) in steps of 1 / 1024 is (d M + 2^(shift - 1)) >> shift;
2^-t is the product of the entries for the upper and the lower five bits of its fraction, shifted right by its whole
part. Each is rounded once, ties up. A softmax divides by the sum of all; where a clip may have several labels, each has
a logistic function of its own. Scores are within 4 units of those in floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log2

import numpy as np

__all__ = ["ONE", "IntegerScores", "exponential_tables"]

ONE_BITS, PART_BITS = 15, 5
ONE = 2**ONE_BITS
"""A score of 1."""
FRACTION_BITS = 2 * PART_BITS
LARGEST_T = (ONE_BITS + 2) << FRACTION_BITS
"""From here on an exponential is 0."""
STEPS_OF_ONE = log2(np.e) * 2**FRACTION_BITS


def exponential_tables() -> tuple[np.ndarray, np.ndarray]:
    """(32,) uint16 each: 2^-(i / 32) and 2^-(i / 1024), where 32,768 is 1."""
    i = np.arange(2**PART_BITS)
    return tuple(
        np.floor(ONE * 2.0 ** -(i / size) + 0.5).astype(np.uint16) for size in (2**PART_BITS, 2**FRACTION_BITS)
    )


@dataclass(frozen=True)
class IntegerScores:
    """From logits (answers, classes) int16 of a scale to scores (answers, classes), 0 to `ONE`, int32.

    several: a clip may have several labels.
    """

    scale: float
    several: bool = False

    @cached_property
    def multiplier(self) -> tuple[int, int]:
        """M in [2^30, 2^31) and the shift, 0 to 62, by which a distance of logits becomes t."""
        fraction, exponent = np.frexp(self.scale * STEPS_OF_ONE)
        return int(min(fraction * 2.0**31 + 0.5, 2.0**31 - 1)), int(np.clip(31 - exponent, 0, 62))

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """See above."""
        return self._logistic(logits) if self.several else self._softmax(logits)

    def _softmax(self, logits: np.ndarray) -> np.ndarray:
        powers = self._exponentials(logits.max(1, keepdims=True).astype(np.int64) - logits)
        return _divided(powers, powers.sum(1, keepdims=True))

    def _logistic(self, logits: np.ndarray) -> np.ndarray:
        powers = self._exponentials(np.abs(logits.astype(np.int64)))
        return _divided(np.where(logits >= 0, ONE, powers), ONE + powers)

    def _exponentials(self, distances: np.ndarray) -> np.ndarray:
        """exp(-s d), where `ONE` is 1, of distances of 0 and more."""
        coarse, fine = (table.astype(np.int64) for table in exponential_tables())
        multiplier, shift = self.multiplier
        t = np.minimum((distances * multiplier + ((1 << shift) >> 1)) >> shift, LARGEST_T)
        part = t & (2**FRACTION_BITS - 1)
        power = (coarse[part >> PART_BITS] * fine[part & (2**PART_BITS - 1)] + ONE // 2) >> ONE_BITS
        whole = t >> FRACTION_BITS
        return (power + ((1 << whole) >> 1)) >> whole


def _divided(powers: np.ndarray, sums: np.ndarray) -> np.ndarray:
    return (((powers << ONE_BITS) + (sums >> 1)) // sums).astype(np.int32)
