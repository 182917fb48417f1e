"""How good a detector is in a stream: which words it finds, how late, and how often it is wrong.

A word has a span, from its start to some time behind its end. It is found where the first event in its span is right.
Every other event is a false alarm: wrong labels and repeats in spans, and all that is outside of them. False alarms
come by chance, so their number in some hours is taken for a Poisson number. k of them bound the rate at the one under
which k or fewer have a chance of 5 %, exactly; after none in T hours that is 3.00 / T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.metrics import poisson_upper
from zoo.run.detection import Detector

__all__ = ["Tally", "Words", "count_events", "hours_to_show", "tally"]

MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, eq=False)
class Words:
    """What is said in a stream, in order. starts_ms, ends_ms: (words,) times in the stream. right: (words, classes)
    whether an event of a class is right.
    """

    starts_ms: np.ndarray
    ends_ms: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.starts_ms)


@dataclass(frozen=True, eq=False)
class Tally:
    """What a detector made of a stream.

    found: (words,) whether each was. delays_ms: (words,) from the end of each word to the event that found it, below 0
    where it came sooner; NaN where it was not found. wrong: (words,) other events in each span. beside: events outside
    of all spans. hours: how long was heard.
    """

    found: np.ndarray
    delays_ms: np.ndarray
    wrong: np.ndarray
    beside: int
    hours: float

    @property
    def alarms(self) -> int:
        """False alarms."""
        return int(self.wrong.sum()) + self.beside

    @property
    def recall(self) -> float:
        """Share of the words that were found, 0 to 1; NaN without words."""
        return float(self.found.mean()) if len(self.found) else float("nan")

    @property
    def rate(self) -> float:
        """False alarms an hour."""
        return self.alarms / self.hours

    @property
    def upper(self) -> float:
        """The 95 % upper bound of that rate."""
        return poisson_upper(self.alarms) / self.hours

    def delay_ms(self, share: float) -> float | None:
        """The delay within which a share of the words that were found was; None where none was."""
        known = self.delays_ms[self.found]
        return float(np.quantile(known, share)) if len(known) else None


def tally(detector: Detector, scores: np.ndarray, first_ms: int, words: Words, after_ms: int) -> Tally:
    """What a detector makes of a stream.

    scores: (answers, classes), one each hop of the detector; first_ms: when the first of them is known. after_ms: how
    long behind its end a word can be found.
    """
    events, hop_ms = detector.events(scores)[0], detector.settings.hop_ms
    times = np.array([first_ms + event.answer * hop_ms for event in events], float)
    classes = np.array([event.label for event in events], int)
    word = np.searchsorted(words.starts_ms, times, "right") - 1
    inside = (word >= 0) & (times <= np.append(words.ends_ms, -np.inf)[word] + after_ms)
    own, first = np.unique(word[inside], return_index=True)
    found, delays = np.zeros(len(words), bool), np.full(len(words), np.nan)
    found[own] = words.right[own, classes[inside][first]]
    delays[own] = times[inside][first] - words.ends_ms[own]
    wrong = np.bincount(word[inside], minlength=len(words)) - found
    hours = len(scores) * hop_ms / MS_PER_HOUR
    return Tally(found, np.where(found, delays, np.nan), wrong, int((~inside).sum()), hours)


def count_events(detector: Detector, streams: Sequence[np.ndarray], loudest: np.ndarray) -> np.ndarray:
    """(streams,) events in each stream of scores (answers, classes), heard from reset.

    loudest: (streams, classes) the largest score of each; a stream that reaches no threshold is not gone through.
    """
    reaching = (loudest * detector.settings.smoothing >= detector.thresholds).any(1)
    counts = np.zeros(len(streams), int)
    for place in np.flatnonzero(reaching):
        counts[place] = len(detector.events(streams[place])[0])
    return counts


def hours_to_show(rate: float, alarms: int = 0) -> float:
    """How many hours with so many alarms show that there are at most `rate` an hour."""
    return poisson_upper(alarms) / rate
