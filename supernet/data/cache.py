"""Arrays that are made once and then read memory-mapped from a cache, which keeps to a limit.

    CACHE/KIND/KEY.npy      KEY: a digest of all that the array is made of
    CACHE/KIND/KEY.json     what else is known of it, where there is something

Whenever an array was made and there are more than MOST_BYTES, those that were not used for an hour are removed, the
longest unused first. A file's time is that of its last use, and whoever has it open keeps it.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock

__all__ = ["MADE", "cached_array", "remove_array", "trim"]

MADE = 2
"""In the keys of decoded audio, and so of features: another number wherever either is made in another way."""
MOST_BYTES = 20_000_000_000
KEPT_SECONDS = 3600
"""After its last use, for which an array is not removed: somebody may be about to open it once more."""
KEY = re.compile(r"([0-9a-f]{16}-)?[0-9a-f]{64}")
ARRAY, PART = ".npy", ".part"

log = logging.getLogger(__name__)


def cached_array(path: Path, shape: tuple[int, ...], dtype: type, fill: Callable[[np.ndarray], object]) -> np.ndarray:
    """The array in a .npy file, memory-mapped; `fill` makes it, in another file that is renamed, where there is none.

    One process makes it while others wait. What a killed one left is written over.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.is_file():
                _make(path, shape, dtype, fill)
        trim(path.parents[1])
    with suppress(OSError):  # of a cache that may only be read
        os.utime(path)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _make(path: Path, shape: tuple[int, ...], dtype: type, fill: Callable[[np.ndarray], object]) -> None:
    part = path.with_suffix(PART)
    try:
        array = np.lib.format.open_memmap(part, "w+", dtype, shape)
        fill(array)
        array.flush()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def trim(cache: Path, most: int | None = None) -> None:
    """Remove arrays of a cache, the longest unused first, until there are at most so many bytes (MOST_BYTES).

    Those of the last hour stay in any case, and so does every file that is no array of ours.
    """
    found = {path: status for path in cache.glob("*/*") if (status := _status(path))}
    excess = sum(status.st_size for status in found.values()) - (MOST_BYTES if most is None else most)
    for path, status in sorted(found.items(), key=lambda pair: pair[1].st_mtime):
        if excess <= 0 or status.st_mtime > time.time() - KEPT_SECONDS:
            return
        log.info("%s: not used for an hour, removed as the cache is full", path)
        remove_array(path)
        excess -= status.st_size


def _status(path: Path) -> os.stat_result | None:
    """Of an array, or of a part of one that a killed process left."""
    if path.suffix in (ARRAY, PART) and KEY.fullmatch(path.stem):
        with suppress(OSError):  # of one that another process removes
            return path.stat()
    return None


def remove_array(path: Path) -> None:
    """Remove an array and what is known of it. Whoever has it open keeps it, or else it stays until another time."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
