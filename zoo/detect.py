"""Detection in a stream: when a model fires, and how often it does where it should not.

A window of one clip moves on by HOP_MS. The scores of the last `smoothing` windows are averaged; a label whose mean
reaches `threshold` is detected, and then nothing else for `refractory_ms`. `_unknown_` and `_silence_` are never
detected. All figures are of the integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import torch

from supernet.data.clips import ClipData
from supernet.data.folder import SILENCE, UNKNOWN
from supernet.frontend import Mfcc, quantise_features
from supernet.quant.integer import IntegerNetwork

__all__ = ["Detection", "choose_detection", "detections", "stream_scores"]

HOP_MS, BATCH = 100, 256
THRESHOLDS = (*(round(0.3 + 0.02 * step, 2) for step in range(35)), 0.99, 0.995)
SMOOTHINGS, REFRACTORIES_MS = (1, 2, 3, 5), (500, 1000, 2000)
CONTEXT_SEED = 2021
Scores = Callable[[np.ndarray], np.ndarray]
"""From logits (windows, classes) int16 to probabilities."""


@dataclass(frozen=True)
class Detection:
    """How a stream of scores becomes detections (see above). smoothing: windows."""

    threshold: float
    smoothing: int
    refractory_ms: int
    hop_ms: int = HOP_MS


def stream_scores(network: IntegerNetwork, frontend: Mfcc, scores: Scores, recording: np.ndarray) -> np.ndarray:
    """Scores (windows, classes) of a recording (samples,) int16, one window each HOP_MS."""
    samples = torch.from_numpy(recording.astype(np.float32) / 32768)
    features = quantise_features(frontend(samples[None])[0])
    windows = features.unfold(1, network.arch.frames, HOP_MS // frontend.step_ms).permute(1, 0, 2)
    parts = [network(part.contiguous()).numpy() for part in windows.split(BATCH)]
    return scores(np.concatenate(parts))


def detections(scores: np.ndarray, settings: Detection, spoken: Sequence[int]) -> list[tuple[int, int]]:
    """(window, class) of each detection. scores: (windows, classes). spoken: classes that can be detected."""
    smooth = _smooth(scores[:, spoken], settings.smoothing)
    found, free = [], 0
    for window in np.flatnonzero(smooth.max(1, initial=0.0) >= settings.threshold):
        if window >= free:
            found.append((int(window), int(spoken[smooth[window].argmax()])))
            free = window + -(-settings.refractory_ms // settings.hop_ms)
    return found


def _smooth(scores: np.ndarray, windows: int) -> np.ndarray:
    """The mean over the last windows, over fewer at the start."""
    sums = np.cumsum(np.pad(scores.astype(float), ((1, 0), (0, 0))), axis=0)
    ends = np.arange(1, len(scores) + 1)
    starts = np.maximum(ends - windows, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)[:, None]


def choose_detection(
    network: IntegerNetwork, frontend: Mfcc, scores: Scores, data: ClipData, false_alarms: float
) -> dict:
    """The settings that find most validation clips at no more than `false_alarms` an hour, and what they reach.

    They are chosen on the first half of each held-out negative; the false alarms an hour that are given, and the hours
    that they rest on, are of the second half. Clips are heard between negatives of the first half. Where no setting is
    quiet enough, the quietest is taken.
    """
    spoken = [index for index, label in enumerate(data.labels) if label not in (UNKNOWN, SILENCE)]
    halves = [np.array_split(recording, 2) for recording in data.held_negatives]
    first, second = (
        [
            stream_scores(network, frontend, scores, half[part])
            for half in halves
            if len(half[part]) >= network.arch.frames * frontend.step
        ]
        for part in (0, 1)
    )
    clips = _clips_in_context(network, frontend, scores, data, [half[0] for half in halves], spoken)
    figures = {}
    for settings in (Detection(*values) for values in product(THRESHOLDS, SMOOTHINGS, REFRACTORIES_MS)):
        alarms = _alarms_an_hour(first, settings, spoken)
        figures[settings] = (min(-alarms, -false_alarms), _recall(clips, settings, spoken))
    best = max(figures, key=lambda item: (*figures[item], -item.smoothing, -item.refractory_ms, item.threshold))
    return {
        **asdict(best),
        "recall": round(figures[best][1], 4),
        "recall_clips": len(clips),
        "false_alarms_per_hour": round(_alarms_an_hour(second, best, spoken), 3),
        "hours": round(_hours(second), 4),
        "chosen_on_hours": round(_hours(first), 4),
    }


def _clips_in_context(
    network: IntegerNetwork, frontend: Mfcc, scores: Scores, data: ClipData, halves: list[np.ndarray], spoken: list[int]
) -> list[tuple[np.ndarray, int]]:
    """Scores of each validation clip of a class that can be detected, between cuts of negatives, and its class."""
    rng, samples = np.random.default_rng(CONTEXT_SEED), data.audio.shape[1]
    split, heard = data.splits["validation"], []
    targets = split.targets if split.targets.ndim == 1 else np.where(split.targets.any(1), split.targets.argmax(1), -1)
    for row, target in zip(split.rows, targets, strict=True):
        if target in spoken:
            half = np.pad(halves[rng.integers(len(halves))], (0, samples))
            start = rng.integers(len(half) - samples)
            context = half[start : start + samples]
            stream = np.concatenate([context, data.audio[row], context])
            heard.append((stream_scores(network, frontend, scores, stream), int(target)))
    return heard


def _recall(clips: list[tuple[np.ndarray, int]], settings: Detection, spoken: list[int]) -> float:
    """Share of the clips whose own class is the first that is detected."""
    firsts = [(detections(scores, settings, spoken) or [(0, -1)])[0][1] == target for scores, target in clips]
    return float(np.mean(firsts)) if firsts else 0.0


def _hours(streams: list[np.ndarray]) -> float:
    return sum(map(len, streams)) * HOP_MS / 3_600_000


def _alarms_an_hour(streams: list[np.ndarray], settings: Detection, spoken: list[int]) -> float:
    return sum(len(detections(scores, settings, spoken)) for scores in streams) / max(_hours(streams), 1e-9)
