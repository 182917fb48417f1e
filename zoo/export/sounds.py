"""What a check of an export hears: the test vectors of the package, or recordings in folders of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from supernet.errors import InvalidAudio, InvalidData
from supernet.samples import as_int16
from zoo.package.read import STREAMED_CLIPS
from zoo.run.evaluate import recordings_of
from zoo.run.hear import read_sound

__all__ = ["VECTORS", "Sounds", "of_folder", "of_vectors", "usable"]

VECTORS = "test vectors"


@dataclass(frozen=True)
class Sounds:
    """what: they are, in words. features: gives (coefficients, frames) int8 of each, whole clips, one after another."""

    what: str
    features: Callable[[], Iterator[np.ndarray]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return self.features()


def of_vectors(model) -> Sounds:
    """The clips of the package's test vectors, each after silence, and the first one twice without a reset."""

    def features() -> Iterator[np.ndarray]:
        clips = _whole_clips(model, model.vectors["samples"])
        yield from model.features(clips)
        yield _features(model, np.tile(clips[0], STREAMED_CLIPS))

    return Sounds(VECTORS, features)


def of_folder(model, folder: str | Path, split: str | None = None) -> Sounds:
    """The recordings that `earshot evaluate` finds in a folder, one stream each. Raises InvalidData."""
    files, _ = recordings_of(model, Path(folder), split)

    def features() -> Iterator[np.ndarray]:
        found = 0
        for _, samples in usable(model, files):
            found += 1
            yield _features(model, _whole_clips(model, samples[None])[0])
        if not found:
            raise InvalidData(f"{folder}: none of its {len(files):,} recordings can be used; earshot evaluate says why")

    return Sounds(f"{len(files):,} recordings", features)


def usable(model, files: Iterable[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    """Each file that can be heard, with its samples (samples,) int16; `earshot evaluate` tells of the others."""
    for file in files:
        try:
            yield file, as_int16(read_sound(file, None, model.sampling_rate).samples)
        except InvalidAudio:
            continue


def _whole_clips(model, samples: np.ndarray) -> np.ndarray:
    """(recordings, samples), with silence up to whole clips."""
    short = -samples.shape[1] % model.clip_samples if samples.shape[1] else model.clip_samples
    return np.pad(samples, ((0, 0), (0, short)))


def _features(model, samples: np.ndarray) -> np.ndarray:
    return model.features(samples[None])[0]
