"""The detector: events of a stream of answers, in integers, so that firmware gives the same ones.

It looks at an answer every `hop_ms`, from the first whole clip on. The scores (15 bits, see zoo.run.scores) of the last
`smoothing` of them are averaged, and before there are as many nothing is detected. A label whose mean reaches its
threshold is an event, the one with the largest mean where several do. One word is one event: afterwards its label waits
until its mean has fallen below a share `release` of its threshold, and then for `refractory_ms`, as all other labels do
from the event on. `_unknown_` and `_silence_` are never events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np

from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import InvalidQuery
from supernet.memory import SMOOTHED
from zoo.ask.units import share, whole
from zoo.run.scores import ONE, IntegerScores

__all__ = ["NEVER", "Detection", "Detector", "DetectorState", "Found"]

NEVER = (UNKNOWN, SILENCE)
"""What is never an event."""
HOP_MS, LONGEST_MS = 100, 3_600_000


@dataclass(frozen=True)
class Detection:
    """How answers become events (see above).

    threshold: of every label that `thresholds` does not name, above 0 and up to 1. smoothing: answers, up to
    `supernet.memory.SMOOTHED`. release: share of the threshold. The defaults are for models that have no settings of
    their own. Raises InvalidQuery.
    """

    threshold: float = 0.8
    smoothing: int = 3
    refractory_ms: int = 500
    hop_ms: int = HOP_MS
    release: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {label: _share(label, value) for label, value in self.thresholds.items()}
        limits = {"smoothing": (1, SMOOTHED), "refractory_ms": (0, LONGEST_MS), "hop_ms": (1, LONGEST_MS)}
        counts = {name: whole(name, getattr(self, name), *ends) for name, ends in limits.items()}
        shares = {name: _share(name, getattr(self, name)) for name in ("threshold", "release")}
        for name, value in {**shares, **counts, "thresholds": own}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Detection:
        """The settings among what `config.json` states of detection."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "thresholds": dict(self.thresholds)}

    def of(self, label: str) -> float:
        """The threshold of a label."""
        return self.thresholds.get(label, self.threshold)

    def asking(self, threshold: float | None, thresholds: Mapping[str, float]) -> Detection:
        """The same with other thresholds; one for all goes before those of the settings, not before `thresholds`."""
        if threshold is None:
            return replace(self, thresholds={**self.thresholds, **thresholds})
        return replace(self, threshold=threshold, thresholds=dict(thresholds))


def _share(name: str, given: float | str) -> float:
    found = share(name, given)
    if found <= 0:
        raise InvalidQuery(f"{name} = {given!r} is not possible: give a share above 0 and up to 1")
    return found


@dataclass(frozen=True)
class Found:
    """An event. answer: the number of the answer, from 0 on, at which it was found. label: its number. units: the mean
    score, of `ONE`, rounded down.
    """

    answer: int
    label: int
    units: int

    @property
    def score(self) -> float:
        """The mean, 0 to 1."""
        return self.units / ONE


@dataclass(frozen=True, eq=False)
class DetectorState:
    """What a detector keeps.

    ring: (smoothing - 1, classes) int32 scores of the last answers, zeros first. missing: answers until there are as
    many as are averaged. waits: (classes,) answers until each may be an event. heard: (classes,) whether it was one and
    its mean has not fallen since. answers: how many were seen.
    """

    ring: np.ndarray
    missing: int
    waits: np.ndarray
    heard: np.ndarray
    answers: int = 0


@dataclass(frozen=True, eq=False)
class Detector:
    """A detector of a network's answers every `hop_ms`. labels: of its classes. listen: those that may be events."""

    settings: Detection
    labels: Sequence[str]
    scores: IntegerScores
    listen: Sequence[str] | None = None

    @property
    def refractory(self) -> int:
        """In answers; at least one, so that an answer is one event."""
        return max(1, -(-self.settings.refractory_ms // self.settings.hop_ms))

    @cached_property
    def thresholds(self) -> np.ndarray:
        """(classes,) least sums of `smoothing` scores that are events; beyond all sums where a class never is one."""
        listen = [label for label in self.labels if label not in NEVER] if self.listen is None else self.listen
        least = [ceil(self.settings.of(label) * ONE) if label in listen else ONE + 1 for label in self.labels]
        return self.settings.smoothing * np.array(least, np.int64)

    @cached_property
    def releases(self) -> np.ndarray:
        """(classes,) least sums at which a class is still heard."""
        least = [ceil(self.settings.of(label) * self.settings.release * ONE) for label in self.labels]
        return self.settings.smoothing * np.array(least, np.int64)

    def reset(self) -> DetectorState:
        """The state before the first answer."""
        kept, classes = self.settings.smoothing - 1, len(self.labels)
        ring, waits = np.zeros((kept, classes), np.int32), np.zeros(classes, np.int64)
        return DetectorState(ring, kept, waits, np.zeros(classes, bool))

    def step(self, logits: np.ndarray, state: DetectorState) -> tuple[list[Found], DetectorState]:
        """The events of any number of answers that follow, logits (answers, classes) int16, and the state behind."""
        return self.events(self.scores(logits), state)

    def events(self, scores: np.ndarray, state: DetectorState | None = None) -> tuple[list[Found], DetectorState]:
        """The same of their scores (answers, classes), 0 to `ONE`."""
        state = self.reset() if state is None else state
        rows = np.concatenate([state.ring, scores])
        sums = self._sums(rows)
        found, waits, heard = self._walk(sums, state)
        ring = rows[len(rows) - len(state.ring) :]
        after = DetectorState(ring, max(0, state.missing - len(scores)), waits, heard, state.answers + len(scores))
        count = self.settings.smoothing
        return [Found(state.answers + at, label, int(sums[at, label]) // count) for at, label in found], after

    def _sums(self, rows: np.ndarray) -> np.ndarray:
        """(answers, classes) of each answer and those before it."""
        count = len(rows) - self.settings.smoothing + 1
        return sum(rows[first : first + count].astype(np.int64) for first in range(self.settings.smoothing))

    def _walk(self, sums: np.ndarray, state: DetectorState) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
        """(answer, class) of each event; what classes wait for behind the answers, and which are still heard."""
        loud, fallen = self._loud(sums, state.missing), self._fallen(sums)
        free, heard, found = state.waits.copy(), state.heard.copy(), []

        def await_release(label: int, start: int) -> None:
            later = fallen[label][np.searchsorted(fallen[label], start) :]
            heard[label] = not len(later)
            free[label] = later[0] + self.refractory if len(later) else len(sums)

        for label in np.flatnonzero(heard):
            await_release(label, 0)
        while (event := _first(sums, loud, free)) is not None:
            found.append(event)
            np.maximum(free, event[0] + self.refractory, out=free)
            await_release(event[1], event[0] + 1)
        return found, np.maximum(free - len(sums), 0) * ~heard, heard

    def _loud(self, sums: np.ndarray, missing: int) -> list[np.ndarray]:
        """Of each class, the answers at which its threshold is reached, in order."""
        return [missing + np.flatnonzero(sums[missing:, label] >= least) for label, least in enumerate(self.thresholds)]

    def _fallen(self, sums: np.ndarray) -> list[np.ndarray]:
        """Of each class, the answers at which it is heard no more, in order."""
        return [np.flatnonzero(sums[:, label] < least) for label, least in enumerate(self.releases)]


def _first(sums: np.ndarray, loud: list[np.ndarray], free: np.ndarray) -> tuple[int, int] | None:
    """The first answer at which a class is loud that is free, and the class of these with the largest mean."""
    places = [np.searchsorted(at, start) for at, start in zip(loud, free, strict=True)]
    firsts = [int(at[place]) if place < len(at) else len(sums) for at, place in zip(loud, places, strict=True)]
    at = min(firsts, default=len(sums))
    labels = [label for label, first in enumerate(firsts) if first == at < len(sums)]
    return (at, max(labels, key=lambda label: sums[at, label])) if labels else None
