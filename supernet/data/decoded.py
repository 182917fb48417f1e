"""What was decoded of a folder before: rows of audio by file, so that one more recording is decoded alone.

Beside each array of decoded recordings lies a JSON with what is known of each file: its path, size and time, its rows,
and what was found in it. Arrays of the same folder, rate and length of clips begin with the same 16 digits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from supernet.data.cache import MADE, remove_array
from supernet.errors import InvalidCheckpoint
from supernet.files import digest, read_json, write_json

__all__ = ["Decoded", "Identity", "begin_of", "identity_of", "known_files", "read_index", "remove_older", "write_index"]

Identity = tuple[str, int, int]
"""Of a file: its path below the folder, its size and its time in ns, which are -1 where it cannot be read."""


@dataclass(frozen=True)
class Decoded:
    """A file that was decoded: its rows in `audio`, (windows, samples) int16, and what was found in it."""

    audio: np.ndarray
    facts: dict


def begin_of(root: Path, rate: int, samples: int, channel: int | None = None) -> str:
    """What the names of all arrays of a folder begin with: the same while decoding gives the same. channel: the one
    that is heard, None for the mean of all.
    """
    versions = soundfile.__libsndfile_version__, soxr.__version__
    return digest([MADE, str(root.resolve()), rate, samples, versions, channel])[:16]


def identity_of(root: Path, name: str) -> Identity:
    """Another one wherever a file was changed."""
    path = root / name
    if not os.access(path, os.R_OK):
        return name, -1, -1
    status = path.stat()
    return name, status.st_size, status.st_mtime_ns


def write_index(path: Path, files: Iterable[Identity], facts: Iterable[dict]) -> None:
    """Beside the array in `path`, what is known of each file. facts: `first` row, number of `windows`, and others."""
    write_json(_index(path), [{"file": list(file), **own} for file, own in zip(files, facts, strict=True)])


def read_index(path: Path) -> list[dict]:
    """What `write_index` wrote."""
    return read_json(_index(path))


def known_files(folder: Path, begin: str) -> dict[Identity, Decoded]:
    """All files that were decoded, by the arrays in `folder` whose names begin so. What could not be read is none."""
    known = {}
    for path in folder.glob(f"{begin}-*.npy"):
        with suppress(OSError, ValueError, InvalidCheckpoint):  # of one that another process removes
            audio = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
            known |= {tuple(facts["file"]): _decoded(audio, facts) for facts in read_index(path) if not facts["error"]}
    return known


def _decoded(audio: np.ndarray, facts: dict) -> Decoded:
    return Decoded(audio[facts["first"] : facts["first"] + facts["windows"]], facts)


def remove_older(root: Path, path: Path, begin: str) -> None:
    """Remove the arrays of a folder that hold no file, as it is now, which that in `path` does not hold."""
    held = _files(path)
    for other in path.parent.glob(f"{begin}-*.npy"):
        with suppress(InvalidCheckpoint):  # of one that another process removes
            more = _files(other) - held
            if other != path and not any(identity_of(root, file[0]) == file for file in more):
                remove_array(other)


def _files(path: Path) -> set[Identity]:
    """Those that could be read."""
    return {tuple(facts["file"]) for facts in read_index(path) if not facts["error"]}


def _index(path: Path) -> Path:
    return path.with_suffix(".json")
