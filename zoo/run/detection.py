"""Detection in a stream: when a model fires, and how often it does where it should not.

A window of one clip moves on by HOP_MS. The scores of the last `smoothing` windows are averaged; a label whose mean
reaches `threshold` is detected, and then nothing else for `refractory_ms`. `_unknown_` and `_silence_` are never
detected. All figures are of the integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, product

import numpy as np
from tqdm import tqdm

from supernet.constants import SILENCE, UNKNOWN
from supernet.data.clips import ClipData
from supernet.frontend.base import FrontEnd
from supernet.integer.runtime import IntegerNetwork
from supernet.samples import as_int16
from zoo.run.parts import Parts, parts_of

__all__ = ["Detection", "choose_detection", "detections", "stream_scores", "stream_windows"]

HOP_MS, BATCH = 100, 256
"""Time from window to window; windows that the network takes at a time."""
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


def stream_scores(
    network: IntegerNetwork,
    frontend: FrontEnd,
    scores: Scores,
    recording: Parts,
    hop_ms: int = HOP_MS,
    progress: bool = False,
    seconds: float = 0.0,
) -> np.ndarray:
    """Scores (windows, classes) of a recording, one window each `hop_ms`, which is a multiple of the front end's step.

    recording: (samples,) int16, or float32 from -1 to 1, or an iterable of such parts of it, of which no more than one
    is in memory. progress: show a bar on a terminal, for more than a batch; seconds: about how long the recording is.
    """
    logits = []
    hidden = None if progress and seconds * 1000 > BATCH * hop_ms else True
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of sound [{elapsed}<{remaining}]"
    with tqdm(desc="hearing", total=seconds, disable=hidden, leave=False, bar_format=form) as bar:
        for part in stream_windows(frontend, network.arch.frames, recording, hop_ms):
            logits.append(network(part))
            bar.update(len(part) * hop_ms / 1000)
    return scores(np.concatenate(logits))


def stream_windows(frontend: FrontEnd, frames: int, recording: Parts, hop_ms: int = HOP_MS) -> Iterator[np.ndarray]:
    """Quantised features (windows, coefficients, frames) int8 of the windows of a recording, a batch at a time.

    Frames hear what came before them: they are those of the whole recording.
    """
    hop, state, skipped = hop_ms // frontend.step_ms, frontend.reset(), 0
    features = np.zeros((frontend.coefficients, 0), np.int8)
    for part in chain(parts_of(recording), [None]):
        if part is not None:
            new, state = frontend.step(as_int16(part), state)
            features = np.concatenate([features, new], 1)
        first = min(skipped, features.shape[1])
        features, skipped = features[:, first:], skipped - first
        count = max(0, (features.shape[1] - frames) // hop + 1)
        whole = count if part is None else count // BATCH * BATCH
        for start in range(0, whole, BATCH):
            some = features[:, start * hop : (min(start + BATCH, whole) - 1) * hop + frames]
            yield np.lib.stride_tricks.sliding_window_view(some, frames, 1)[:, ::hop].transpose(1, 0, 2)
        skipped += whole * hop


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
    network: IntegerNetwork, frontend: FrontEnd, scores: Scores, data: ClipData, false_alarms: float
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
            if len(half[part]) >= network.arch.frames * frontend.hop_samples
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
    network: IntegerNetwork,
    frontend: FrontEnd,
    scores: Scores,
    data: ClipData,
    halves: list[np.ndarray],
    spoken: list[int],
) -> list[tuple[np.ndarray, set[int]]]:
    """Scores of each validation clip with a class that can be detected, between cuts of negatives, and its classes."""
    rng, samples = np.random.default_rng(CONTEXT_SEED), data.audio.shape[1]
    split, heard = data.splits["validation"], []
    for row, target in zip(split.rows, split.targets, strict=True):
        classes = {int(target)} if np.ndim(target) == 0 else set(np.flatnonzero(target).tolist())
        if classes & set(spoken):
            half = np.pad(halves[rng.integers(len(halves))], (0, samples))
            start = rng.integers(len(half) - samples)
            context = half[start : start + samples]
            stream = np.concatenate([context, data.audio[row], context])
            heard.append((stream_scores(network, frontend, scores, stream), classes))
    return heard


def _recall(clips: list[tuple[np.ndarray, set[int]]], settings: Detection, spoken: list[int]) -> float:
    """Share of the clips of which the first thing that is detected is right."""
    firsts = [detections(scores, settings, spoken)[:1] for scores, _ in clips]
    found = [bool(first) and first[0][1] in classes for first, (_, classes) in zip(firsts, clips, strict=True)]
    return float(np.mean(found)) if found else 0.0


def _hours(streams: list[np.ndarray]) -> float:
    return sum(map(len, streams)) * HOP_MS / 3_600_000


def _alarms_an_hour(streams: list[np.ndarray], settings: Detection, spoken: list[int]) -> float:
    return sum(len(detections(scores, settings, spoken)) for scores in streams) / max(_hours(streams), 1e-9)
