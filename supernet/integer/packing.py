"""Integers of 1 to 8 bits on two grids, packed densely, least significant bits first. No torch here.

Grid `symmetric`: -(2^(b-1) - 1) .. 2^(b-1) - 1, stored as two's complement of b bits (b >= 2).
Grid `odd`: the odd numbers from -(2^b - 1) to 2^b - 1 (b <= 7), stored as u for 2 u - (2^b - 1); no zero.
"""

from __future__ import annotations

import numpy as np

from supernet.errors import InvalidModel

__all__ = ["default_grid", "grid_limit", "pack", "unpack"]


def default_grid(bits: int) -> str:
    """The grid of weights of that many bits: odd to 3, symmetric from 4."""
    return "odd" if bits <= 3 else "symmetric"


def grid_limit(bits: int, grid: str) -> int:
    """The largest integer of a grid. Raises InvalidModel for a grid that does not exist."""
    if grid == "symmetric" and 2 <= bits <= 8:
        return 2 ** (bits - 1) - 1
    if grid == "odd" and 1 <= bits <= 7:
        return 2**bits - 1
    raise InvalidModel(f"no grid {grid!r} at {bits} bits: symmetric has 2 to 8, odd has 1 to 7")


def pack(values: np.ndarray, bits: int, grid: str) -> np.ndarray:
    """Integers of any shape -> (ceil(size * bits / 8),) uint8.

    Raises InvalidModel for a value that is not on the grid.
    """
    limit = grid_limit(bits, grid)
    flat = np.asarray(values).astype(np.int64).ravel()
    if (np.abs(flat) > limit).any() or (grid == "odd" and (flat % 2 == 0).any()):
        raise InvalidModel(f"weights leave the {grid} grid of {bits} bits (-{limit} .. {limit})")
    codes = flat & (2**bits - 1) if grid == "symmetric" else (flat + limit) // 2
    planes = (codes[:, None] >> np.arange(bits)) & 1
    return np.packbits(planes.astype(np.uint8).ravel(), bitorder="little")


def unpack(packed: np.ndarray, shape: tuple[int, ...], bits: int, grid: str) -> np.ndarray:
    """The integers of `pack`: int8 of `shape`.

    Raises InvalidModel where the bytes do not fit the shape or hold what `pack` never writes.
    """
    limit = grid_limit(bits, grid)
    size = int(np.prod(shape, dtype=np.int64))
    if packed.dtype != np.uint8 or packed.shape != (-(-size * bits // 8),):
        raise InvalidModel(f"{packed.shape} {packed.dtype} bytes do not hold {size} weights of {bits} bits")
    planes = np.unpackbits(packed, bitorder="little")
    if planes[size * bits :].any():
        raise InvalidModel("the bits after the last weight are not zero: the file was altered")
    codes = planes[: size * bits].reshape(size, bits) @ (1 << np.arange(bits))
    if grid == "odd":
        values = 2 * codes - limit
    else:
        values = codes - np.where(codes > limit, 2**bits, 0)
        if (values < -limit).any():
            raise InvalidModel(f"a weight is below -{limit}, the least of {bits} symmetric bits: the file was altered")
    return values.reshape(shape).astype(np.int8)
