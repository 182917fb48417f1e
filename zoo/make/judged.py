"""What a wake word's network reaches in streams: the settings of its detector, by sound that training never heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from supernet.data.audio import from_int16
from supernet.data.clips import ClipData
from supernet.frontend.mfcc import Mfcc
from supernet.integer.runtime import IntegerNetwork
from supernet.memory import SMOOTHED
from zoo.make.spoken import NOTHING, RATE, Material
from zoo.make.trials import FINE_THRESHOLDS, Trials
from zoo.package.detected import MADE_RECALL
from zoo.run.alarms import Tally, Words, tally
from zoo.run.along import answer_ms, logits_along
from zoo.run.detection import Detection, Detector
from zoo.run.events import event_hop
from zoo.run.placed import CONDITIONS, Placed
from zoo.run.scores import IntegerScores

__all__ = ["Judge", "base_detection"]

AVERAGED = 0.5
"""Of a clip, over which scores are averaged: in trials, fewer recordings of people were missed at the threshold of the
loudest other speech (scripts/README.md, "Wake words from their text").
"""
SEED_PLACES = 2026
ENOUGH_HOURS = 0.25
"""Of what people say, from which on thresholds are chosen on it alone: speech from text scores higher, so that a
threshold that is quiet on it misses most people (scripts/README.md, "Wake words from their text").
"""


def base_detection(integers: IntegerNetwork, clip_ms: int) -> Detection:
    """The settings of a word's detector of which only the threshold is chosen, where few recordings of it are held."""
    hop_ms = event_hop(clip_ms, answer_ms(integers))
    return Detection(hop_ms=hop_ms, smoothing=min(SMOOTHED, max(1, round(AVERAGED * clip_ms / hop_ms))))


@dataclass(frozen=True, eq=False)
class Judge:
    """Hears a network of a word beside all else. frontend: of its supernet. limit: most false alarms an hour."""

    integers: IntegerNetwork
    frontend: Mfcc
    clips: ClipData
    material: Material
    limit: float

    def figures(self) -> dict:
        """`detection` as `config.json` has it; recall on held-out voices (`synthetic`) and on recordings (`real`), each
        with how many there were, or None; `real_hours` of recordings among the negatives; whether these were trained
        on (`trained_on`), for lack of others.
        """
        negatives = [self._heard(one) for one in self.quiet]
        recorded = self._held.recordings
        spoken = {name: self._placed(recorded, name) for name in CONDITIONS} if recorded else {}
        trials = Trials(self._detector, self._base, self.clips.clip_ms, negatives, spoken, self.limit,
                        thresholds=FINE_THRESHOLDS)  # fmt: skip
        found = trials.figures()
        chosen, made = Detection.from_dict(found), self._placed(self._held.words) if self._held.words else None
        if made and not spoken:
            found["curve"] = [
                {**one, MADE_RECALL: self._recall(replace(chosen, threshold=one["threshold"]), made)}
                for one in found["curve"]
            ]
        return {
            "detection": {**found, "sound": _sound(self._real_hours, found["hours"])},
            "synthetic": made and (self._recall(chosen, made), len(self._held.words)),
            "real": (found["recall"], found["recall_clips"]) if spoken else None,
            "real_hours": round(self._real_hours, 4),
            "trained_on": self._apart is self.material,
        }

    @property
    def quiet(self) -> list[np.ndarray]:
        """The negatives that thresholds are chosen on: of people alone, where there are enough."""
        return self._real if self._real_hours >= ENOUGH_HOURS else [*self._real, *self._made]

    @property
    def _real_hours(self) -> float:
        return sum(map(len, self._real)) / RATE / 3600

    @property
    def _held(self) -> Material:
        return self.material.held or NOTHING

    @property
    def _apart(self) -> Material:
        """What negatives are of: held out, but where there is one voice alone and nothing was recorded."""
        return self._held if self._held.negatives or self._held.real_negatives else self.material

    @cached_property
    def _base(self) -> Detection:
        return base_detection(self.integers, self.clips.clip_ms)

    @cached_property
    def _real(self) -> list[np.ndarray]:
        return _whole(self._apart.real_negatives, self.clips.audio.shape[1])

    @cached_property
    def _made(self) -> list[np.ndarray]:
        return _whole(self._apart.negatives, self.clips.audio.shape[1])

    @cached_property
    def _scores(self) -> IntegerScores:
        return IntegerScores(self.integers.activations[self.integers.specs[-1].name].scale)

    def _detector(self, settings: Detection) -> Detector:
        return Detector(settings, self.clips.labels, self._scores)

    def _heard(self, parts) -> np.ndarray:
        """Scores (answers, classes) of a recording, or of its parts in turn."""
        features = self.integers.arch.features
        frontend = self.frontend.select(features.coefficients, features.step_ms)
        found = [*logits_along(self.integers, frontend, parts, self._base.hop_ms)]
        return self._scores(np.concatenate([np.zeros((0, len(self.clips.labels)), np.int16), *found]))

    def _placed(self, words: list[np.ndarray], condition: str = "clean") -> tuple[np.ndarray, Words]:
        right, between = np.tile([True, False, False], (len(words), 1)), [np.concatenate([*self._made, *self._real])]
        under = [from_int16(one) for one in self.clips.held_noise]
        stream = Placed(words, right, between, under, RATE, self.clips.audio.shape[1], condition, SEED_PLACES)
        return self._heard(stream.parts), stream.words

    def _recall(self, settings: Detection, heard: tuple[np.ndarray, Words]) -> float:
        scores, words = heard
        every, clip_ms = settings.hop_ms // self._base.hop_ms, self.clips.clip_ms
        own: Tally = tally(self._detector(settings), scores[::every], clip_ms, words, clip_ms)
        return round(own.recall, 4)


def _whole(recordings: Sequence[np.ndarray], samples: int) -> list[np.ndarray]:
    """Recordings of a clip and more, and shorter ones as one, where together they are as long."""
    long, short = ([one for one in recordings if (len(one) >= samples) == whole] for whole in (True, False))
    return [*long, *([np.concatenate(short)] if sum(map(len, short)) >= samples else [])]


def _sound(real: float, hours: float) -> str:
    return f"{real:.2g} hours of recordings, {max(0.0, hours - real):.2g} hours of speech made from text"
