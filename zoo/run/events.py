"""Events in a recording: from the scores of sliding windows to labels with a beginning and an end.

What a model hears at a moment is the mean over all windows that hold it, those that begin before the recording or end
behind it, in silence, among them. A label is an event from the moment on at which that mean reaches a threshold until
it falls below. `_unknown_` and `_silence_` are never events, and in a window that is nowhere as loud as a floor nothing
is heard: a network that knows sounds alone has a name for silence, too. A window that holds a short sound hears it
wherever it lies, so that an event is longer than its sound: at a threshold of 0.5 by up to half a window at each end,
most for short sounds, and at lower ones by more, up to a window less that share of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from supernet.errors import InvalidQuery
from supernet.whole import is_real
from zoo.ask.units import share
from zoo.run.parts import Parts, parts_of

__all__ = [
    "FLOOR_DB",
    "THRESHOLD",
    "Energy",
    "Event",
    "Loudness",
    "check_floor",
    "event_hop",
    "mark_events",
    "threshold_of",
]

THRESHOLD, WINDOWS = 0.5, 10
"""Mean score from which on a label is an event; windows that hold a moment, where no hop is asked for."""
FLOOR_DB, LOWEST_DB, PART_MS = -60.0, -120.0, 20
"""Loudness of the loudest so many ms of a window, in dB of full scale, below which nothing is heard in it: the root
mean square of what they have beside a constant, which many converters add.
"""
NO_EVENTS = ("_unknown_", "_silence_")


@dataclass(frozen=True)
class Event:
    """A sound in a recording. start_s, end_s: in seconds. score: the largest mean over windows in it, 0 to 1."""

    start_s: float
    end_s: float
    label: str
    score: float


def mark_events(
    labels: Sequence[str],
    scores: np.ndarray,
    times: Sequence[tuple[float, float]],
    threshold: float = THRESHOLD,
) -> list[Event]:
    """The events of a recording, by their beginning.

    scores: (windows, classes) with (start, end) of each window in seconds, in order.
    """
    if not len(times):
        return []
    edges = np.unique(np.array(times, dtype=float).reshape(-1, 2))
    means = _means(scores, times, edges)
    found = []
    for index, label in enumerate(labels):
        if label not in NO_EVENTS:
            found += [Event(*span, label, score) for span, score in _spans(means[:, index], edges, threshold)]
    return sorted(found, key=lambda event: (event.start_s, -event.score))


def _means(scores: np.ndarray, times: Sequence[tuple[float, float]], edges: np.ndarray) -> np.ndarray:
    """(moments, classes) the mean over the windows that hold each moment, which reaches from an edge to the next."""
    starts, ends = np.array(times, dtype=float).reshape(-1, 2).T
    first, last = (np.searchsorted(values, edges[:-1], side="right") for values in (ends, starts))
    return np.array([scores[low:high].mean(0) for low, high in zip(first, last, strict=True)], dtype=float)


def _spans(means: np.ndarray, edges: np.ndarray, threshold: float) -> list[tuple[tuple[float, float], float]]:
    """((start, end), largest mean) of each run of moments from the threshold on."""
    found = []
    for above, group in groupby(range(len(means)), key=lambda moment: bool(means[moment] >= threshold)):
        run = list(group)
        if above:
            found.append(((float(edges[run[0]]), float(edges[run[-1] + 1])), float(means[run].max())))
    return found


class Sums:
    """What a measure of each 20 ms adds up to in windows of a recording that is heard a part at a time.

    measure: of samples (pieces, samples), each piece 20 ms, one number a piece. samples: how many were heard.
    """

    def __init__(self, rate: int, measure: Callable[[np.ndarray], np.ndarray]) -> None:
        self._size, self._measure = rate * PART_MS // 1000, measure
        self._found, self._rest, self.samples = [], np.zeros(0, np.float32), 0

    def over(self, recording: Parts) -> Iterator[np.ndarray]:
        """The parts of a recording, each once it was heard."""
        for part in parts_of(recording):
            heard = np.concatenate([self._rest, part])
            whole = len(heard) // self._size * self._size
            self._found.append(self._measured(heard[:whole]))
            self._rest, self.samples = heard[whole:], self.samples + len(part)
            yield part

    def of(self, starts_ms: Sequence[int], clip_ms: int) -> np.ndarray:
        """(windows,) the sum in each window."""
        rest = np.pad(self._rest, (0, -len(self._rest) % self._size), "edge" if len(self._rest) else "constant")
        so_far = np.concatenate([[0], np.cumsum(np.concatenate([*self._found, self._measured(rest)]))])
        first, last = (
            np.clip(np.asarray(ends_ms) // PART_MS, 0, len(so_far) - 1)
            for ends_ms in (np.array(starts_ms), np.array(starts_ms) + clip_ms + PART_MS - 1)
        )
        return so_far[last] - so_far[first]

    def _measured(self, samples: np.ndarray) -> np.ndarray:
        return self._measure(samples.reshape(-1, self._size))


class Loudness(Sums):
    """Where a recording is as loud as a floor."""

    def __init__(self, rate: int, floor_db: float) -> None:
        least = 10 ** (floor_db / 10)
        super().__init__(rate, lambda pieces: pieces.var(1) >= least)

    def audible(self, starts_ms: Sequence[int], clip_ms: int) -> np.ndarray:
        """(windows,) whether some 20 ms of each window are as loud as the floor."""
        return self.of(starts_ms, clip_ms) > 0


class Energy(Sums):
    """How much sound windows hold, whatever its mean."""

    def __init__(self, rate: int) -> None:
        super().__init__(rate, lambda pieces: pieces.var(1, dtype=np.float64))


def event_hop(clip_ms: int, step_ms: int) -> int:
    """From window to window in ms where none is asked for: a multiple of the front end's step."""
    return max(1, clip_ms // WINDOWS // step_ms) * step_ms


def threshold_of(threshold: float | str) -> float:
    """A threshold of scores, such as 0.5 or "50%". Raises InvalidQuery for what is none."""
    percent = isinstance(threshold, str) and threshold.endswith("%")
    found = share("threshold", threshold) if percent else threshold
    if not is_real(found, 0, 1) or found == 0:
        raise InvalidQuery(f"threshold = {threshold!r} is not possible: give a score above 0 and up to 1, such as 0.5")
    return found


def check_floor(floor_db: float) -> None:
    """Raise InvalidQuery for what is no loudness."""
    if not is_real(floor_db, LOWEST_DB, 0):
        raise InvalidQuery(
            f"floor_db = {floor_db!r} is not possible: give dB of full scale from {LOWEST_DB:g} to 0, such as "
            f"{FLOOR_DB:g}"
        )
