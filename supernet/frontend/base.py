"""What a front end is: samples to features, frame by frame, each frame hearing only its past. No torch here.

Frequencies in Hz, times in ms. A front end is defined by its integer form, from 16-bit samples to the int8 input of
networks; training computes the same in floating point (supernet.nn.frontend), within a stated distance. A clip of one
second has 100 frames of 10 ms; frames of 20 ms are every second one of them. A frame is the same alone, in a batch and
in a stream.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Protocol

import numpy as np

from supernet.errors import InvalidModel
from supernet.frontend import front_end

__all__ = ["FEATURE_SCALE", "FrontEnd", "dequantise", "frontend_from_dict", "quantise"]

State = tuple[np.ndarray, ...]
PART_FRAMES = 64
"""That are computed at a time."""

FEATURE_SCALE = 1 / 32
"""One step of quantised features, in standard deviations; 8 bits reach from -4 to almost 4, zero point 0."""


class FrontEnd(Protocol):
    """A front end with its settings: a frozen dataclass that checks itself, and raises InvalidModel.

    kind: its name. schema: JSON schemas of its values by name. sampling_rate: in Hz. step_ms: from frame to frame.
    coefficients: values of a frame.
    """

    kind: ClassVar[str]
    schema: ClassVar[dict]
    sampling_rate: int
    step_ms: int
    coefficients: int

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""

    @property
    def window_samples(self) -> int:
        """Samples that one frame reads."""

    @property
    def ram_bytes(self) -> int:
        """What it works in, on a device: a window of samples and scratch."""

    def macs(self, frames: int) -> int:
        """Multiply-accumulates of so many frames."""

    def select(self, coefficients: int, step_ms: int) -> FrontEnd:
        """The front end that computes only so many of its coefficients, one frame each `step_ms`."""

    def run(self, samples: np.ndarray) -> np.ndarray:
        """(batch, samples) int16 -> (batch, coefficients, samples // hop_samples) int8, each clip after silence."""

    def reset(self) -> State:
        """What a stream keeps before its first sample, silence first: arrays, together no larger than `ram_bytes`."""

    def step(self, samples: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """(coefficients, frames) int8 of any number of samples (samples,) int16 that follow, and the state behind them.

        In any cut the frames are those of `run`.
        """

    def to_dict(self) -> dict:
        """Plain values for JSON; `frontend_from_dict` gives the equal front end back."""


def frontend_from_dict(values: dict) -> FrontEnd:
    """The front end of `to_dict`, of the kind that it states. Raises InvalidModel."""
    try:
        settings = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        kind = settings.pop("kind")
        if kind not in front_end.names:
            raise InvalidModel(f"not a front end that this version knows: {kind!r:.80}; known: {front_end.names}")
        return front_end(kind)(**settings)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidModel(f"not a front end that this version knows: {error}") from None


def run_each(frontend: FrontEnd, samples: np.ndarray) -> np.ndarray:
    """`run` of a front end, by its `step` on each clip."""
    clips = [frontend.step(clip, frontend.reset())[0] for clip in samples]
    return np.stack(clips) if clips else np.zeros((0, frontend.coefficients, 0), np.int8)


def windows_of(samples: np.ndarray, window: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """(frames, window) views of samples that begin with what the first window looks back on, and what is left over:
    the samples that the next window looks back on, and those that have no window yet.
    """
    frames = max(0, (len(samples) - (window - hop)) // hop)
    if not frames:
        return np.zeros((0, window), samples.dtype), samples
    return np.lib.stride_tricks.sliding_window_view(samples, window)[: frames * hop : hop], samples[frames * hop :]


def by_parts(compute: Callable[[np.ndarray], np.ndarray], windows: np.ndarray, most: int = PART_FRAMES) -> np.ndarray:
    """What is computed of windows (frames, window), so many at a time that they stay in the processor's cache."""
    firsts = range(0, max(1, len(windows)), most)
    return np.concatenate([compute(windows[first : first + most]) for first in firsts])


def band_sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(bins, frames) int64 -> (len(starts) - 1, frames): of the values from each start to the next."""
    running = np.zeros((len(values) + 1, values.shape[1]), np.int64)
    np.cumsum(values, 0, out=running[1:])
    return np.diff(running[starts], axis=0)


def settings(frontend: FrontEnd) -> dict:
    """`to_dict` of a front end that is a dataclass."""
    return {"kind": frontend.kind, **dataclasses.asdict(frontend)}


def quantise(features: np.ndarray) -> np.ndarray:
    """Normalised features -> int8 steps of FEATURE_SCALE, the input of every integer network."""
    return np.clip(np.floor(features / np.float32(FEATURE_SCALE) + np.float32(0.5)), -128, 127).astype(np.int8)


def dequantise(quantised: np.ndarray) -> np.ndarray:
    """int8 features -> float32 in standard deviations."""
    return quantised.astype(np.float32) * np.float32(FEATURE_SCALE)
