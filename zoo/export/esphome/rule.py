"""When ESPHome wakes, in NumPy: the rule of its `micro_wake_word` on the outputs of a model, 0 to 255.

It wakes where the sum of the last `window` outputs is above int(cutoff 255) window. Then the window is emptied, and
outputs are ignored for a while, as they are after a start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["IGNORED_SLICES", "STEP_MS", "Rule"]

STEP_MS = 10
"""Of the features of a frame."""
IGNORED_SLICES = 74
"""Frames of features that are ignored after a start and after an event; newer versions ignore some more."""


@dataclass(frozen=True)
class Rule:
    """cutoff: 0 to 1. window: outputs. frames: of features to one output. ignored: frames without an event after a
    start and after an event.
    """

    cutoff: float
    window: int
    frames: int
    ignored: int = IGNORED_SLICES

    @property
    def least(self) -> int:
        """The largest sum of a window that is no event."""
        return int(self.cutoff * 255) * self.window

    def sums(self, outputs: np.ndarray) -> np.ndarray:
        """Of each output and those before it in the window, zeros first."""
        whole = np.concatenate([np.zeros(self.window, np.int64), np.cumsum(outputs.astype(np.int64))])
        return whole[self.window :] - whole[: -self.window]

    def events(self, outputs: np.ndarray) -> list[int]:
        """The outputs (answers,) uint8 at which it wakes, by their numbers from 0 on."""
        recent, found, quiet = np.zeros(self.window, np.int64), [], self.ignored
        for number, output in enumerate(outputs.astype(np.int64)):
            recent[number % self.window] = output
            quiet = max(0, quiet - self.frames)
            if not quiet and recent.sum() > self.least:
                found.append(number)
                recent[:], quiet = 0, self.ignored
        return found
