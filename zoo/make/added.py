"""Sound that is added to the run of a wake word: kept in the run's folder, so that it goes on without that of the user.

In the folder that is given, LABEL/ holds recordings of people who say the word, and _unknown_/ such in which nobody
does: short ones are false alarms, long ones negatives. What the run has heard before is not added again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from supernet.constants import UNKNOWN
from supernet.data.walk import walk_classes
from supernet.errors import InvalidData
from supernet.files import digest, load_tensors, save_tensors
from zoo.make.spoken import RATE, read_recordings

__all__ = ["Added", "added", "keep_added"]

LONG_S = 5
"""Seconds from which on a recording without the word is no false alarm, but one of which any part may be heard."""
FILE = "added{number}.safetensors"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Added:
    """Recordings (samples,) int16 each. spoken: of the word; alarms: that were taken for it; negatives: without it."""

    spoken: Sequence[np.ndarray]
    alarms: Sequence[np.ndarray]
    negatives: Sequence[np.ndarray]

    def __bool__(self) -> bool:
        """True where there are any."""
        return any(len(getattr(self, one.name)) for one in fields(self))


def keep_added(run: Path, folder: Path, label: str, before: int) -> int:
    """Keep what is new in a folder beside the run's `before` additions; returns how many there are now.

    Raises InvalidData for a folder of something else, or without a recording of use.
    """
    spoken, alarms = (read_recordings(folders) for folders in _parts(folder, label))
    known = {_key(one) for number in range(1, before + 1) for one in _all(added(run, number))}
    new = [[one for one in part if _key(one) not in known] for part in (spoken, alarms)]
    found = Added(new[0], *([one for one in new[1] if _is_long(one) == long] for long in (False, True)))
    if not found:
        log.warning("%s: the run knows all recordings there; it goes on as it was", folder)
        return before
    tensors = {f"{one.name}.{place}": item for one in fields(found)
               for place, item in enumerate(getattr(found, one.name))}  # fmt: skip
    save_tensors(run / FILE.format(number=before + 1), tensors, {})
    return before + 1


def added(run: Path, number: int) -> Added:
    """The sound of an addition."""
    tensors, _ = load_tensors(run / FILE.format(number=number))
    parts: dict[str, dict[int, np.ndarray]] = {one.name: {} for one in fields(Added)}
    for key, item in tensors.items():
        name, _, place = key.partition(".")
        parts[name][int(place)] = item
    return Added(**{name: [own[place] for place in sorted(own)] for name, own in parts.items()})


def _all(one: Added) -> list[np.ndarray]:
    return [*one.spoken, *one.alarms, *one.negatives]


def _key(samples: np.ndarray) -> str:
    return digest(samples.tobytes())


def _is_long(samples: np.ndarray) -> bool:
    return len(samples) >= LONG_S * RATE


def _parts(folder: Path, label: str) -> tuple[list[Path], list[Path]]:
    """Where the word is, and where it is not. Raises InvalidData."""
    walks = walk_classes(folder, (UNKNOWN,)).walks
    spoken = [
        folder / name for name, own in walks.items() if own.recordings and name in (label, label.replace("_", " "))
    ]
    alarms = [folder / name for name, own in walks.items() if own.recordings and name == UNKNOWN]
    others = [name for name in walks if folder / name not in [*spoken, *alarms]]
    if others or not (spoken or alarms):
        beside = f", not {others[0]}" if others else ""
        raise InvalidData(f"{folder}: give {label}/ with recordings of the word, {UNKNOWN}/ without it{beside}")
    return spoken, alarms
