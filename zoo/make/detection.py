"""Choosing how a model detects in a stream, and what that reaches on what it was not chosen on."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product

import numpy as np

from supernet.constants import SILENCE, UNKNOWN
from supernet.data.clips import ClipData
from supernet.frontend.base import FrontEnd
from supernet.integer.runtime import IntegerNetwork
from zoo.run.along import logits_along
from zoo.run.detection import HOP_MS, Detection, Detector
from zoo.run.scores import IntegerScores

__all__ = ["choose_detection"]

THRESHOLDS = (*(round(0.3 + 0.02 * step, 2) for step in range(35)), 0.99, 0.995)
SMOOTHINGS, REFRACTORIES_MS = (1, 2, 3, 5), (500, 1000, 2000)
CONTEXT_SEED = 2021


def choose_detection(
    network: IntegerNetwork, frontend: FrontEnd, scores: IntegerScores, data: ClipData, false_alarms: float
) -> dict:
    """The settings that find most validation clips at no more than `false_alarms` an hour, and what they reach.

    They are chosen on the first half of each held-out negative; the false alarms an hour that are given, and the hours
    that they rest on, are of the second half. Clips are heard between negatives of the first half. Where no setting is
    quiet enough, the quietest is taken.
    """
    heard = _Heard(network, frontend, scores, data.labels)
    halves = [np.array_split(recording, 2) for recording in data.held_negatives]
    least = network.arch.frames * frontend.hop_samples
    first, second = ([heard.scores(half[part]) for half in halves if len(half[part]) >= least] for part in (0, 1))
    clips = _clips_in_context(heard, data, [half[0] for half in halves], least)
    figures = {}
    for settings in (Detection(*values) for values in product(THRESHOLDS, SMOOTHINGS, REFRACTORIES_MS)):
        detector = heard.detector(settings)
        alarms = _alarms_an_hour(first, detector)
        figures[detector] = (min(-alarms, -false_alarms), _recall(clips, detector))
    best = max(figures, key=lambda one: (*figures[one], *_preferred(one.settings)))
    return {
        **asdict(best.settings),
        "recall": round(figures[best][1], 4),
        "recall_clips": len(clips),
        "false_alarms_per_hour": round(_alarms_an_hour(second, best), 3),
        "hours": round(_hours(second), 4),
        "chosen_on_hours": round(_hours(first), 4),
    }


class _Heard:
    """A network that hears recordings."""

    def __init__(self, network, frontend, scores, labels) -> None:
        self.network, self.frontend, self.of, self.labels = network, frontend, scores, labels

    def scores(self, recording: np.ndarray) -> np.ndarray:
        return self.of(np.concatenate(list(logits_along(self.network, self.frontend, recording, HOP_MS))))

    def detector(self, settings: Detection) -> Detector:
        return Detector(settings, self.labels, self.of)


def _preferred(settings: Detection) -> tuple:
    return -settings.smoothing, -settings.refractory_ms, settings.threshold


def _clips_in_context(
    heard: _Heard, data: ClipData, halves: list[np.ndarray], samples: int
) -> list[tuple[np.ndarray, set[int]]]:
    """Scores of each validation clip with a class that can be detected, between cuts of negatives, and its classes."""
    rng, found = np.random.default_rng(CONTEXT_SEED), []
    spoken = {number for number, label in enumerate(data.labels) if label not in (UNKNOWN, SILENCE)}
    split = data.splits["validation"]
    for row, target in zip(split.rows, split.targets, strict=True):
        classes = {int(target)} if np.ndim(target) == 0 else set(np.flatnonzero(target).tolist())
        if classes & spoken:
            half = np.pad(halves[rng.integers(len(halves))], (0, samples))
            start = rng.integers(len(half) - samples)
            context = half[start : start + samples]
            found.append((heard.scores(np.concatenate([context, data.audio[row], context])), classes))
    return found


def _recall(clips: list[tuple[np.ndarray, set[int]]], detector: Detector) -> float:
    """Share of the clips of which the first thing that is detected is right."""
    firsts = [detector.events(scores)[0][:1] for scores, _ in clips]
    found = [bool(first) and first[0].label in classes for first, (_, classes) in zip(firsts, clips, strict=True)]
    return float(np.mean(found)) if found else 0.0


def _hours(streams: list[np.ndarray]) -> float:
    return sum(map(len, streams)) * HOP_MS / 3_600_000


def _alarms_an_hour(streams: list[np.ndarray], detector: Detector) -> float:
    return sum(len(detector.events(scores)[0]) for scores in streams) / max(_hours(streams), 1e-9)
