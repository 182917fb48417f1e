"""Choosing a detector's settings on streams, and judging the choice on sound that it was not made on.

The negatives are cut into equal stretches of time, and the words dealt into as many parts. Each part is judged by
settings that were chosen on all others, so that every hour counts once and none was chosen on (cross-fitting); the
settings that are kept are chosen on all. Chosen are, of those that are quiet enough, the settings with most words found
less wrong and repeated events at words, and of these the least threshold: words that were not heard are like those that
were found last. Without words, or with too few to tell settings apart, it is the least threshold alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise, product
from math import exp

import numpy as np

from supernet.metrics import poisson_upper
from zoo.run.alarms import MS_PER_HOUR, Tally, Words, count_events, tally
from zoo.run.detection import Detection, Detector

__all__ = ["FINE_THRESHOLDS", "PARTS", "THRESHOLDS", "Trials"]

PARTS = 5
"""Of cross-fitting."""
THRESHOLDS = (
    *(round(0.3 + 0.04 * step, 2) for step in range(16)),
    *(0.92, 0.94, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999),
)
FINE_THRESHOLDS = tuple(round(1 / (1 + exp(-logit / 6)), 5) for logit in range(-22, 55))
"""Even steps of the logit, from 0.025 to 0.9999: what learned from text alone may be surer of speech that is not the
word, or less sure of people who say it, than 0.3 and 0.97 can tell."""
ENOUGH_WORDS = 50
"""From which on more than the threshold is chosen."""
SMOOTHINGS, REFRACTORIES_MS, RELEASES, HOPS = (1, 2, 3, 5), (500, 1000, 2000), (0.3, 0.5, 0.8), (1, 2)
"""What is tried. Hops are of so many answers."""


@dataclass(frozen=True, eq=False)
class _Counts:
    """What settings give: false alarms of each part of the negatives (parts,), and of the words, if there are any."""

    alarms: np.ndarray
    words: Tally | None


@dataclass(eq=False)
class Trials:
    """Streams that a model has heard, and the settings tried on them.

    detector_of: a detector of some settings. base: settings that are kept where nothing is chosen; its hop is that of
    the answers. negatives: scores (answers, classes) of recordings in order. spoken: condition -> scores of a stream,
    and its words; `clean` is chosen on. limit: most false alarms an hour. sure: the 95 % upper bound keeps it where it
    can, not the estimate.
    """

    detector_of: Callable[[Detection], Detector]
    base: Detection
    clip_ms: int
    negatives: Sequence[np.ndarray]
    spoken: Mapping[str, tuple[np.ndarray, Words]]
    limit: float
    sure: bool = False
    thresholds: Sequence[float] = THRESHOLDS
    _known: dict = field(default_factory=dict)

    @cached_property
    def hours(self) -> np.ndarray:
        """(parts,) of negatives."""
        answers = np.array([sum(map(len, part)) for part in self._parts])
        return answers * self.base.hop_ms / MS_PER_HOUR

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self._parts)

    def choose(self, parts: Iterable[int] | None = None) -> Detection:
        """The best settings on some parts, or on all."""
        own = list(range(self.parts)) if parts is None else list(parts)
        if not self.spoken or len(self.spoken["clean"][1]) < ENOUGH_WORDS:
            return self._best(own, (replace(self.base, threshold=one) for one in self.thresholds))
        tried = product(self.thresholds, SMOOTHINGS, REFRACTORIES_MS)
        first = self._best(own, (replace(self.base, threshold=t, smoothing=s, refractory_ms=r) for t, s, r in tried))
        hops = [self.base.hop_ms * hop for hop in HOPS if self.base.hop_ms * hop <= self.clip_ms]
        tried = product(self.thresholds, RELEASES, hops)
        return self._best(own, (replace(first, threshold=t, release=r, hop_ms=h) for t, r, h in tried))

    def figures(self) -> dict:
        """The settings that are chosen on all, and what the choice reaches, as `config.json` states it."""
        chosen = self.choose()
        judges = [self.choose([other for other in range(self.parts) if other != part] or [0])
                  for part in range(self.parts)]  # fmt: skip
        alarms = sum(int(self._counts(one).alarms[part]) for part, one in enumerate(judges))
        hours = round(float(self.hours.sum()), 4)
        return {
            **asdict(chosen),
            "false_alarms_per_hour": round(alarms / hours, 3),
            "false_alarms_upper": round(poisson_upper(alarms) / hours, 3),
            "alarms": alarms,
            "hours": hours,
            "chosen_on_hours": round(hours * (self.parts - 1) / self.parts, 4),
            "parts": self.parts,
            **(self._at_words(chosen, judges) if self.spoken else {}),
            "curve": self.curve(chosen),
        }

    def curve(self, settings: Detection) -> list[dict]:
        """False alarms on all negatives, and the recall where there are words, by threshold."""
        found = []
        for threshold in self.thresholds:
            counts = self._counts(replace(settings, threshold=threshold))
            recall = {"recall": round(counts.words.recall, 4)} if counts.words else {}
            found.append({"threshold": threshold, "alarms": int(counts.alarms.sum()), **recall})
        return found

    def _at_words(self, chosen: Detection, judges: Sequence[Detection]) -> dict:
        """The recall of clean words, by settings that were not chosen on them, and that of the others by the chosen."""
        tallies = [self._counts(one).words for one in judges]
        part = self._word_parts
        rows = np.arange(len(part))
        found, delays, wrong = (
            np.array([getattr(one, name) for one in tallies])[part, rows] for name in ("found", "delays_ms", "wrong")
        )
        clean = Tally(found, delays, wrong, 0, tallies[0].hours)
        others = {name: self._tally(chosen, name) for name in self.spoken if name != "clean"}
        conditions = {name: _of_words(one) for name, one in {"clean": clean, **others}.items()}
        return {"recall": round(clean.recall, 4), "recall_clips": len(part), "conditions": conditions}

    def _best(self, parts: list[int], tried: Iterable[Detection]) -> Detection:
        return max(tried, key=lambda settings: self._worth(settings, parts))

    def _worth(self, settings: Detection, parts: list[int]) -> tuple:
        """Quiet enough, then most words, then soonest."""
        counts = self._counts(settings)
        alarms, hours = int(counts.alarms[parts].sum()), float(self.hours[parts].sum())
        expected = poisson_upper(alarms) if self.sure else alarms
        quiet = -max(expected / hours, self.limit)
        if counts.words is None:
            return quiet, -settings.threshold
        own = np.isin(self._word_parts, parts)
        worth = int(counts.words.found[own].sum()) - int(counts.words.wrong[own].sum())
        return quiet, worth, -settings.smoothing, -settings.hop_ms, -settings.refractory_ms, -settings.threshold

    def _counts(self, settings: Detection) -> _Counts:
        key = repr(settings)
        if key not in self._known:
            words = self._tally(settings, "clean") if self.spoken else None
            self._known[key] = _Counts(self._alarms(settings), words)
        return self._known[key]

    def _alarms(self, settings: Detection) -> np.ndarray:
        every, detector = settings.hop_ms // self.base.hop_ms, self.detector_of(settings)
        streams = [piece[::every] for part in self._parts for piece in part]
        counts = count_events(detector, streams, self._loudest)
        part = np.repeat(np.arange(self.parts), [len(pieces) for pieces in self._parts])
        return np.bincount(part, counts, self.parts).astype(int)

    def _tally(self, settings: Detection, condition: str) -> Tally:
        scores, words = self.spoken[condition]
        every = settings.hop_ms // self.base.hop_ms
        return tally(self.detector_of(settings), scores[::every], self.clip_ms, words, self.clip_ms)

    @cached_property
    def _word_parts(self) -> np.ndarray:
        """(words,) the part of each."""
        return np.arange(len(self.spoken["clean"][1])) % self.parts

    @cached_property
    def _parts(self) -> list[list[np.ndarray]]:
        """The negatives as equal stretches of time; a recording that reaches over an end is cut there."""
        ends = np.cumsum([0, *map(len, self.negatives)])
        count = max(1, min(PARTS, int(ends[-1])))
        edges = np.round(np.linspace(0, ends[-1], count + 1)).astype(int)
        return [
            [one[max(0, low - start) : high - start]
             for one, start in zip(self.negatives, ends[:-1], strict=True) if start < high and start + len(one) > low]
            for low, high in pairwise(edges)
        ]  # fmt: skip

    @cached_property
    def _loudest(self) -> np.ndarray:
        """(streams, classes) the largest scores of each piece."""
        return np.array([piece.max(0) for part in self._parts for piece in part])


def _of_words(one: Tally) -> dict:
    """Of a condition."""
    delays = {name: one.delay_ms(share) for name, share in (("delay_ms", 0.5), ("late_ms", 0.95))}
    known = {name: round(delay) for name, delay in delays.items() if delay is not None}
    return {"recall": round(one.recall, 4), "words": len(one.found), "wrong": int(one.wrong.sum()), **known}
