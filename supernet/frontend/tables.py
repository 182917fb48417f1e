"""Tables of the front ends, in NumPy: the window, the mel filters and the cosine transform.

They are computed in float64 and rounded once, to float32, so that every machine and every torch gets the same ones.
Frequencies in Hz.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["cosine_transform", "hann_window", "mel_edges", "mel_filters"]


BEND = 0.6
"""Share of all frequencies from which on a warp is bent back."""


@lru_cache(maxsize=32)
def hann_window(samples: int) -> np.ndarray:
    """(samples,) float32: the periodic Hann window."""
    return _table(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples))


def mel_edges(mels: int, low_hz: float, high_hz: float) -> np.ndarray:
    """(mels + 2,) float64 frequencies, equally spaced on the HTK mel scale (O'Shaughnessy 1987): a filter rises from
    one to the next and falls to the one after it.
    """
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (low_hz, high_hz))
    return 700 * (10 ** (np.linspace(low, high, mels + 2) / 2595) - 1)


@lru_cache(maxsize=32)
def mel_filters(
    mels: int, fft: int, low_hz: float, high_hz: float, sampling_rate: int, warp: float = 1.0
) -> np.ndarray:
    """(fft // 2 + 1, mels) float32: triangles of height 1 over the bins of a power spectrum.

    warp: with another than 1, a sound is given as if its voice were that much higher, at the same speed (vocal tract
    length perturbation, Jaitly and Hinton, ICML 2013).
    """
    hertz = np.linspace(0, sampling_rate // 2, fft // 2 + 1)[:, None]
    edges = _unwarped(mel_edges(mels, low_hz, high_hz), warp, sampling_rate / 2)
    low, centre, high = (edges[first : first + mels] for first in range(3))
    return _table(np.maximum(0, np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre))))


@lru_cache(maxsize=32)
def cosine_transform(coefficients: int, mels: int) -> np.ndarray:
    """(coefficients, mels) float32: the first rows of the orthonormal DCT-II."""
    order = np.arange(coefficients)[:, None]
    basis = np.sqrt(2 / mels) * np.cos(np.pi / mels * (np.arange(mels) + 0.5) * order)
    return _table(np.where(order == 0, basis / np.sqrt(2), basis))


def _unwarped(hertz: np.ndarray, warp: float, most: float) -> np.ndarray:
    """Frequencies that a warp moves to `hertz`: it multiplies them, but that the highest ones reach `most` evenly."""
    knee = BEND * most * min(1.0, warp)
    return np.where(hertz <= knee, hertz / warp, most - (most - hertz) * (most - knee / warp) / (most - knee))


def _table(values: np.ndarray) -> np.ndarray:
    """Shared by all who ask, so nobody may write to it."""
    table = values.astype(np.float32)
    table.setflags(write=False)
    return table
