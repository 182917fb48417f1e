"""What hearing and evaluating ask of a model: `zoo.Model` has it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from supernet.arch import Arch
from zoo.run.detection import Detector
from zoo.run.parts import Parts

__all__ = ["Hearing"]


class Hearing(Protocol):
    """A model that names sounds.

    labels: what it answers; knows: what it could; words: what it was asked for. path: of its package. folds: of the
    data that it was trained on. sampling_rate: in Hz. clip_ms, clip_samples: length of a clip.
    """

    name: str
    arch: Arch
    labels: tuple[str, ...]
    knows: tuple[str, ...]
    words: tuple[str, ...]
    multi_label: bool
    path: Path
    folds: tuple[int, ...]
    sampling_rate: int
    clip_ms: int
    clip_samples: int

    def features(self, samples: np.ndarray) -> np.ndarray:
        """(clips, samples) int16 or float32 -> quantised features (clips, coefficients, frames) int8."""

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (clips, classes) for quantised features."""

    def slide_scores(
        self, recording: Parts, hop_ms: int, progress: bool = False, seconds: float = 0.0
    ) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """Scores (windows, classes) along a recording, with start and end of each window in s."""

    def event_scores(
        self, recording: Parts, hop_ms: int, floor_db: float, progress: bool = False, seconds: float = 0.0
    ) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """The same for `zoo.run.events.mark_events`: 0 for windows that are below the floor."""

    def detected(
        self, recording: Parts, detector: Detector, progress: bool = False, seconds: float = 0.0
    ) -> list[dict]:
        """The events of a detector in a recording, {"time_s", "label", "score"} each."""

    def events_of(self, chunks: Iterable[np.ndarray], detector: Detector) -> Iterator[list[dict]]:
        """The same in a stream, as its chunks come."""
