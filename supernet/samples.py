"""Samples as numbers: 16-bit integers, which front ends are defined on, and floats from -1 to 1."""

from __future__ import annotations

import numpy as np

__all__ = ["FULL_SCALE", "MAX_FLOAT", "as_int16", "from_int16", "to_int16"]

FULL_SCALE = 32768
"""Steps of 16 bits from 0 to 1."""
MAX_FLOAT = 10.0
"""What floats of sound may reach, though it is clipped at 1: more is of another scale."""


def to_int16(samples: np.ndarray, scale: int = FULL_SCALE) -> np.ndarray:
    """Floats from -1 to 1 as 16-bit integers; what is louder is clipped."""
    return np.round(samples * scale).clip(-32768, 32767).astype(np.int16)


def from_int16(samples: np.ndarray) -> np.ndarray:
    """16-bit integers as float32 from -1 to 1."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def as_int16(samples: np.ndarray) -> np.ndarray:
    """16-bit integers as they are, and floats from -1 to 1 by `to_int16`."""
    return samples if samples.dtype == np.int16 else to_int16(samples)
