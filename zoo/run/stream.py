"""A model in a stream: samples in as they come, logits out frame by frame, in integers alone.

A clip is a stream from `reset`: its logits are the last answer to its samples. In any cut the answers are the same, and
the state stays as large as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from supernet.errors import InvalidAudio
from supernet.frontend.base import FrontEnd
from supernet.frontend.base import State as FrontEndState
from supernet.integer.runtime import IntegerNetwork, State
from supernet.samples import MAX_FLOAT, as_int16

__all__ = ["Stream", "StreamState"]


@dataclass(frozen=True)
class StreamState:
    """What a stream keeps: samples that the next frame looks back on, and what the layers look back on."""

    samples: FrontEndState
    layers: State


@dataclass(frozen=True)
class Stream:
    """A front end and a network, both in integers, frame by frame."""

    frontend: FrontEnd
    network: IntegerNetwork

    def reset(self) -> StreamState:
        """The state before the first sample. Raises InvalidArch for a network that hears whole clips."""
        return StreamState(self.frontend.reset(), self.network.reset())

    def step(self, samples: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Logits (answers, classes) int16 of any number of samples that follow, and the state behind them.

        samples: (samples,) int16, or float32 from -1 to 1. There is an answer for each frame that reaches the end of
        the network, on the last clip's length of sound; none where the samples complete no such frame.
        """
        features, heard = self.frontend.step(_checked(samples), state.samples)
        logits, layers = self.network.step(features[None], state.layers)
        return logits[0], StreamState(heard, layers)

    def answers(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Logits (answers, classes) int16 of each chunk of a stream that begins here."""
        state = self.reset()
        for chunk in chunks:
            logits, state = self.step(chunk, state)
            yield logits


def _checked(given: np.ndarray) -> np.ndarray:
    """Samples as int16. Raises InvalidAudio."""
    samples = np.asarray(given)
    known = samples.dtype == np.int16 or samples.dtype.kind == "f"
    if samples.ndim != 1 or not known or not np.isfinite(samples).all():
        raise InvalidAudio(
            f"samples {samples.shape} {samples.dtype} are not possible in a stream: give (samples,) int16, or finite "
            "floats from -1 to 1"
        )
    if samples.dtype.kind == "f" and len(samples) and np.abs(samples).max() > MAX_FLOAT:
        raise InvalidAudio(f"floats reach {np.abs(samples).max():.3g}; scale them to -1 to 1 (int16 / 32768)")
    return as_int16(samples)
