"""Front ends of mel energies by AVX2: tables in the order in which they are read."""

from __future__ import annotations

import numpy as np

from supernet.frontend.fixed import MelTables, mel_tables
from zoo.export.c.frontends.base import FrontEnd, source
from zoo.export.c.frontends.mel import Mel
from zoo.export.c.host.text import host_source

__all__ = ["front_end_text"]

BESIDE = 4
"""Complex numbers of a vector."""


def front_end_text(written: FrontEnd, frontend) -> str:
    """The tables and functions of a front end: that of any processor where there is no other."""
    if not isinstance(written, Mel) or not _by_fours(frontend.fft // 2):
        return written.text(frontend)
    tables = mel_tables(frontend)
    functions = [host_source(name) or source(name) for name in written.functions() if name != "wave"]
    return written.whole(tables, {}, _arrays(tables), functions)


def _by_fours(half: int) -> bool:
    """Whether a transform of so many numbers has only passes of radix 4, of whole vectors."""
    return half >= BESIDE**2 and half.bit_length() % 2 == 1


def _arrays(tables: MelTables) -> dict[str, np.ndarray]:
    half = tables.points // 2
    return {
        "whole_hann": tables.whole_window.astype(np.int32),
        "places": _places(half // BESIDE**2),
        "turns": _back_by(tables, _turns(tables.points)),
        "backs": _back_by(tables, np.arange(half + BESIDE)),
        "rises": np.pad(tables.rising, (0, -len(tables.rising) % BESIDE)),
    }


def _places(count: int) -> np.ndarray:
    """(count,) uint16: numbers below a power of four with their digits in reverse."""
    found = np.zeros(1, int)
    while len(found) < count:
        found = np.concatenate([4 * found + digit for digit in range(4)])
    return found.astype(np.uint16)


def _turns(points: int) -> np.ndarray:
    """Angles of all passes but the first: of each four numbers once, twice and three times."""
    found, done = [], BESIDE
    while done * 4 <= points // 2:
        ones = np.arange(done).reshape(-1, 1, BESIDE) * (points // (4 * done))
        found.append((ones * np.arange(1, 4).reshape(3, 1)).ravel())
        done *= 4
    return np.concatenate(found)


def _back_by(tables: MelTables, angles: np.ndarray) -> np.ndarray:
    """(2 angles,) int32: real and imaginary parts of exp(-i angle)."""
    cosines, sines = tables.waves
    angles = angles % tables.points
    return np.stack([cosines[angles], -sines[angles]], 1).ravel().astype(np.int32)
