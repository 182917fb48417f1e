"""Front end `raw`: the samples themselves, for networks that learn their filters.

Such as SincNet (Ravanelli and Bengio, SLT 2018; for keywords Mittermaier et al., ICASSP 2020).

    frames      the 160 samples of 10 ms, one after another; a frame hears no other, as the network looks back itself
    features    sample * gain / 2^16, rounded once, in 8 bits: what is louder is cut off
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.errors import InvalidModel
from supernet.frontend.base import run_each, settings, windows_of
from supernet.schemas import whole
from supernet.whole import is_whole, with_plain_numbers

__all__ = ["FRONT_END", "GAINS", "GAIN_BITS", "Raw"]

RATE, STEP_MS, FRAME = 16_000, 10, 160
GAIN_BITS = 16
GAINS = 2**8, 2**GAIN_BITS
"""The least keeps the highest 8 bits of a sample, the most the lowest; products fit into 32 bits with all of these."""
SAMPLE_BYTES, COUNTER_BYTES = 2, 8


@dataclass(frozen=True)
class Raw:
    """Samples in 8 bits. gain: in 1 / 65,536; training chooses it by the level of its clips."""

    coefficients: int = FRAME
    step_ms: int = STEP_MS
    gain: int = 2**10

    kind: ClassVar[str] = "raw"
    sampling_rate: ClassVar[int] = RATE
    hop_samples: ClassVar[int] = FRAME
    window_samples: ClassVar[int] = FRAME
    schema: ClassVar[dict] = {
        "coefficients": whole("Coefficients", "Samples of a frame.", FRAME, FRAME),
        "step_ms": whole("Step", "In ms from frame to frame.", STEP_MS, STEP_MS),
        "gain": whole("Gain", "Of a sample of 16 bits, in 1 / 65,536, before 8 bits cut it off.", *GAINS),
    }

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        if self.coefficients != FRAME or self.step_ms != STEP_MS:
            raise InvalidModel(
                f"a raw front end has frames of {FRAME} samples each {STEP_MS} ms, not {self.coefficients!r:.20} each "
                f"{self.step_ms!r:.20}"
            )
        if not is_whole(self.gain, *GAINS):
            raise InvalidModel(
                f"gain = {self.gain!r:.20} of a raw front end is not possible: give a whole number from {GAINS[0]} to "
                f"{GAINS[1]:,}"
            )

    @property
    def ram_bytes(self) -> int:
        """The samples of a frame that is not complete, and counters."""
        return SAMPLE_BYTES * FRAME + COUNTER_BYTES

    def macs(self, frames: int) -> int:
        """Multiply-accumulates of `frames` frames: one a sample."""
        return frames * FRAME

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
        return self._scaled(frames).T, (rest,)

    def _scaled(self, samples: np.ndarray) -> np.ndarray:
        """int16 -> int8."""
        products = samples.astype(np.int32) * np.int32(self.gain) + np.int32(1 << GAIN_BITS - 1)
        return np.clip(products >> GAIN_BITS, -128, 127).astype(np.int8)

    def to_dict(self) -> dict:
        """Plain values for JSON; `frontend_from_dict` gives the equal front end back."""
        return settings(self)


FRONT_END = Raw
