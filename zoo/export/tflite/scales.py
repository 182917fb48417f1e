"""Scales in float32 from which a runtime of TFLite computes our multipliers, as near as 24 bits come.

A file of TFLite states scales, and each runtime makes multipliers of 31 bits of them: s_in s_w / s_out.
"""

from __future__ import annotations

import numpy as np

__all__ = ["quantised", "weight_scales"]


def quantised(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers of 31 bits and left shifts as a runtime makes them of float64."""
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    whole = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)
    full = whole == 2**31
    return np.where(full, 2**30, whole), shift + full


def weight_scales(real: np.ndarray, read: np.float32, written: np.float32) -> np.ndarray:
    """(channels,) float32 of weights, between tensors of two scales: of each the one whose multiplier is nearest to a
    real one.
    """
    nearest = (real * np.float64(written) / np.float64(read)).astype(np.float32)
    tried = np.array([nearest, np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(np.inf))])
    off = np.abs(np.float64(read) * tried.astype(np.float64) / np.float64(written) - real)
    return tried[off.argmin(0), np.arange(len(nearest))]
