"""Front end `raw`: the samples themselves, for networks that learn their filters.

Such as SincNet (Ravanelli and Bengio, SLT 2018, arXiv 1808.00158; for keywords Mittermaier et al., ICASSP 2020).

    frames      the 160 samples of 10 ms, one after another; a frame hears no other, as the network looks back itself
    features    both bytes of each sample, the low one first, each as 8 bits with a sign: no bit of a sample is lost

A quiet voice in eight bits of a loud one's range would be steps of noise, so samples keep their 16.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.errors import InvalidModel
from supernet.frontend.base import run_each, settings, windows_of
from supernet.schemas import whole
from supernet.whole import with_plain_numbers

__all__ = ["FRONT_END", "RATE", "Raw"]

RATE, STEP_MS, FRAME = 16_000, 10, 160
BYTES = 2 * FRAME
COUNTER_BYTES = 8


@dataclass(frozen=True)
class Raw:
    """Samples of 16 bits, as two features of 8 bits each. There is nothing to choose and nothing to fit."""

    coefficients: int = BYTES
    step_ms: int = STEP_MS

    kind: ClassVar[str] = "raw"
    sampling_rate: ClassVar[int] = RATE
    hop_samples: ClassVar[int] = FRAME
    window_samples: ClassVar[int] = FRAME
    schema: ClassVar[dict] = {
        "coefficients": whole("Coefficients", "Bytes of a frame, two a sample.", BYTES, BYTES),
        "step_ms": whole("Step", "In ms from frame to frame.", STEP_MS, STEP_MS),
    }

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        if self.coefficients != BYTES or self.step_ms != STEP_MS:
            raise InvalidModel(
                f"a raw front end has frames of {BYTES} bytes each {STEP_MS} ms, not {self.coefficients!r:.20} each "
                f"{self.step_ms!r:.20}"
            )

    @property
    def ram_bytes(self) -> int:
        """The samples of a frame that is not complete, and counters."""
        return BYTES + COUNTER_BYTES

    def macs(self, frames: int) -> int:
        """Multiply-accumulates of `frames` frames: none."""
        return 0

    def select(self, coefficients: int, step_ms: int) -> Raw:
        """The front end itself. Raises InvalidModel for other frames."""
        return dataclasses.replace(self, coefficients=coefficients, step_ms=step_ms)

    def run(self, samples: np.ndarray) -> np.ndarray:
        """(batch, samples) int16 -> (batch, coefficients, samples // hop_samples) int8, each after silence."""
        return run_each(self, samples)

    def reset(self) -> tuple[np.ndarray]:
        """No samples."""
        return (np.zeros(0, np.int16),)

    def step(self, samples: np.ndarray, state: tuple[np.ndarray]) -> tuple[np.ndarray, tuple[np.ndarray]]:
        """(coefficients, frames) int8 of the samples (samples,) int16 that follow, and the state behind them."""
        frames, rest = windows_of(np.concatenate([state[0], samples]), FRAME, FRAME)
        return np.ascontiguousarray(frames, "<i2").view(np.int8).T, (rest,)

    def to_dict(self) -> dict:
        """Plain values for JSON; `frontend_from_dict` gives the equal front end back."""
        return settings(self)


FRONT_END = Raw
