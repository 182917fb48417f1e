"""Sound that the run of a wake word is given, and what is added to it: kept in the run's folder, so that it goes on
without that of the user, and with the same of it held out.

In a folder that is added, LABEL/ holds recordings of people who say the word, and _unknown_/ such in which nobody does:
short ones are false alarms, long ones negatives. What the run has heard before is not added again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from supernet.constants import UNKNOWN
from supernet.data.walk import walk_classes
from supernet.errors import InvalidData, InvalidQuery
from supernet.files import digest, load_tensors, save_tensors
from zoo.make.spoken import RATE, read_recordings

__all__ = ["Added", "added", "keep_added", "keep_given"]

LONG_S = 5
"""Seconds from which on a recording without the word is no false alarm, but one of which any part may be heard."""
FILE = "added{number}.safetensors"
GIVEN = 0
"""The number of what the run began with."""

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


def keep_given(run: Path, recordings: Sequence[str], negatives: Sequence[str], begun: bool) -> None:
    """Keep the sound that a run begins with. begun: it did, and what is there now must be the same; folders that are
    gone are not missed. Raises InvalidData for a folder without a recording of use, InvalidQuery for another sound.
    """
    kept = run / FILE.format(number=GIVEN)
    if begun and kept.is_file() and not all(Path(folder).exists() for folder in (*recordings, *negatives)):
        return
    found = Added(*(_each_once(read_recordings(folders)) for folders in (recordings, (), negatives)))
    if begun and kept.is_file():
        now, before = ({_key(one) for one in _all(own)} for own in (found, added(run, GIVEN)))
        if now != before:
            raise InvalidQuery(
                f"{run}: the run began with other recordings ({len(now - before)} are new, {len(before - now)} are "
                "gone): add new ones by --add, or begin anew in another folder (run_dir)"
            )
    elif found or kept.is_file():
        _keep(run, GIVEN, found)


def keep_added(run: Path, folder: Path, label: str, before: int) -> int:
    """Keep what is new in a folder beside the run's `before` additions; returns how many there are now.

    Raises InvalidData for a folder of something else, or without a recording of use.
    """
    spoken, alarms = (read_recordings(folders) for folders in _parts(folder, label))
    known = {_key(one) for number in range(before + 1) for one in _all(added(run, number))}
    new = [[one for one in _each_once(part) if _key(one) not in known] for part in (spoken, alarms)]
    found = Added(new[0], *([one for one in new[1] if _is_long(one) == long] for long in (False, True)))
    if not found:
        log.warning("%s: the run knows all recordings there; it goes on as it was", folder)
        return before
    _keep(run, before + 1, found)
    return before + 1


def _keep(run: Path, number: int, found: Added) -> None:
    tensors = {f"{one.name}.{place}": item for one in fields(found)
               for place, item in enumerate(getattr(found, one.name))}  # fmt: skip
    save_tensors(run / FILE.format(number=number), tensors, {})


def added(run: Path, number: int = GIVEN) -> Added:
    """The sound of an addition, or what the run began with."""
    path = run / FILE.format(number=number)
    none = number == GIVEN and not path.is_file()
    tensors = {} if none else load_tensors(path, most=path.stat().st_size)[0]  # many hours are larger than any model
    parts: dict[str, dict[int, np.ndarray]] = {one.name: {} for one in fields(Added)}
    for key, item in tensors.items():
        name, _, place = key.partition(".")
        parts[name][int(place)] = item
    return Added(**{name: [own[place] for place in sorted(own)] for name, own in parts.items()})


def _each_once(recordings: Iterable[np.ndarray]) -> list[np.ndarray]:
    return list({_key(one): one for one in recordings}.values())


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
