"""What front ends of mel energies share: window, spectrum, mel filters and logarithm, in NumPy.

(torchaudio's ready-made MFCC centres its frames and depends on the rest of the batch, by `top_db`.)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.errors import InvalidModel
from supernet.frontend.base import run_each, settings, windows_of
from supernet.frontend.fixed import fixed_features, mel_tables
from supernet.frontend.tables import hann_window, mel_edges, mel_filters
from supernet.schemas import listing, real, whole
from supernet.whole import is_real, is_whole, with_plain_numbers

__all__ = ["MelFrontEnd"]

LEAST_DEVIATION, LEAST_FLOOR = 1e-6, 1e-30
"""So that features are finite in 32 bits."""
PART_FRAMES = 6000
"""Of a recording that are transformed at a time."""
MARGIN = 0.01
"""Of a bin."""
SAMPLE_BYTES, WORD_BYTES = 2, 4


MOST = 1_000_000
SCHEMA = {
    "coefficients": whole("Coefficients", "A frame.", 1, 128),
    "step_ms": whole("Step", "In ms from frame to frame.", 1, 1000),
    "mean": listing(
        "Mean", "Of each coefficient over the training data; empty for raw ones.", 128,
        {"type": "number", "minimum": -MOST, "maximum": MOST}, least=0,
    ),
    "deviation": listing(
        "Deviation", "Of each coefficient over the training data; empty for raw ones.", 128,
        {"type": "number", "minimum": LEAST_DEVIATION, "maximum": MOST}, least=0,
    ),
    "sampling_rate": whole("Sampling rate", "In Hz.", 1000, 192_000),
    "window_ms": whole("Window", "In ms.", 1, 1000),
    "fft": whole("FFT", "Points.", 2, 8192),
    "mels": whole("Mels", "Bands.", 1, 256),
    "low_hz": real("Lowest frequency", "In Hz.", 0, 96_000),
    "high_hz": real("Highest frequency", "In Hz.", 1, 96_000),
    "floor": real("Floor", "Least mel energy before the logarithm, for samples from -1 to 1.", LEAST_FLOOR, 1),
}  # fmt: skip
"""JSON schemas of the values."""


@dataclass(frozen=True)
class MelFrontEnd:
    """Features of log-mel energies, each with a fixed mean and deviation.

    mean, deviation: of each coefficient, over the training data; empty for raw coefficients.
    floor: least mel energy before the logarithm, for samples from -1 to 1.
    """

    coefficients: int = 40
    step_ms: int = 10
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    sampling_rate: int = 16_000
    window_ms: int = 30
    fft: int = 512
    mels: int = 40
    low_hz: float = 20.0
    high_hz: float = 8_000.0
    floor: float = 1e-6

    kind: ClassVar[str] = ""
    schema: ClassVar[dict] = SCHEMA

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        values = [self.coefficients, self.step_ms, self.sampling_rate, self.window_ms, self.fft, self.mels]
        whole = all(is_whole(value, 1, 192_000) for value in values)
        reals = [self.low_hz, self.high_hz, self.floor, *self.mean, *self.deviation]
        finite = all(is_real(value) and abs(value) < 1e6 for value in reals)
        if not (whole and finite):
            raise InvalidModel("a front-end value is missing or out of range; take the package from its source again")
        hop, window = self.hop_samples, self.window_samples
        fits = self.coefficients <= self.mels <= 256 and self.fft <= 8192 and 0 < hop <= window <= self.fft
        bands = 0 <= self.low_hz < self.high_hz <= self.sampling_rate // 2 and self.floor >= LEAST_FLOOR
        lengths = len(self.mean) == len(self.deviation) and len(self.mean) in (0, self.coefficients)
        if not (fits and bands and lengths and all(value >= LEAST_DEVIATION for value in self.deviation)):
            raise InvalidModel("the front end's values contradict each other; take the package from its source again")
        if not self._fills_mels():
            raise InvalidModel(
                f"mels = {self.mels} cannot be had from {self.low_hz:g} to {self.high_hz:g} Hz with fft = {self.fft}, "
                "as some would be empty; give fewer, or a longer fft"
            )

    def _fills_mels(self) -> bool:
        """True where each mel has a bin of the FFT well inside, so that none is constant."""
        bins = mel_edges(self.mels, self.low_hz, self.high_hz) * (self.fft // 2) / (self.sampling_rate // 2)
        return bool((np.ceil(bins[2:] - MARGIN) - np.floor(bins[:-2] + MARGIN) >= 2).all())

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return self.sampling_rate * self.step_ms // 1000

    @property
    def window_samples(self) -> int:
        """Samples that one frame reads."""
        return self.sampling_rate * self.window_ms // 1000

    @property
    def context_frames(self) -> int:
        """Frames before one that reach into its window, and so have to be there where a recording is cut into parts."""
        return -(-self._overlap // self.hop_samples)

    @property
    def _overlap(self) -> int:
        """Samples of a frame's window that come before its hop."""
        return self.window_samples - self.hop_samples

    @property
    def ram_bytes(self) -> int:
        """A window of samples at 16 bits, its spectrum and its mels at 32."""
        return SAMPLE_BYTES * self.window_samples + WORD_BYTES * (self.fft + 2 + self.mels)

    def log_mel(self, samples: np.ndarray) -> np.ndarray:
        """(batch, samples) -> natural logarithm of the mel energies, (batch, frames, mels) float64."""
        silence = np.zeros((len(samples), self._overlap), samples.dtype)
        return self._log_mel(np.concatenate([silence, samples], 1))

    def _log_mel(self, samples: np.ndarray) -> np.ndarray:
        """The same where the samples that the first frame looks back on come first.

        In 64 bits, so that a frame is the same in any batch once it is rounded to 32.
        """
        views = np.lib.stride_tricks.sliding_window_view(samples, self.window_samples, 1)[:, :: self.hop_samples]
        spectrum = np.fft.rfft(views * hann_window(self.window_samples).astype(np.float64), self.fft)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mels = power @ mel_filters(self.mels, self.fft, self.low_hz, self.high_hz, self.sampling_rate)
        return np.log(np.maximum(mels, self.floor))

    def recording_log_mel(self, samples: np.ndarray) -> np.ndarray:
        """Of one recording, (samples,) -> (mels, samples // hop_samples), by parts: hours of it fit into memory."""
        found = []
        for first in range(0, len(samples) // self.hop_samples, PART_FRAMES):
            start = max(0, first - self.context_frames)
            part = samples[start * self.hop_samples : (first + PART_FRAMES) * self.hop_samples]
            found.append(self.log_mel(part[None])[0, first - start :].T.astype(np.float32))
        return np.concatenate(found, 1) if found else np.zeros((self.mels, 0), np.float32)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """(batch, samples) from -1 to 1 -> (batch, coefficients, samples // hop_samples) float32."""
        return self._normalised(self.log_mel(samples)).transpose(0, 2, 1)

    def run(self, samples: np.ndarray) -> np.ndarray:
        """(batch, samples) int16 -> (batch, coefficients, samples // hop_samples) int8, each after silence."""
        return run_each(self, samples)

    def reset(self) -> tuple[np.ndarray]:
        """The samples before the first frame: silence."""
        return (np.zeros(self._overlap, np.int16),)

    def step(self, samples: np.ndarray, state: tuple[np.ndarray]) -> tuple[np.ndarray, tuple[np.ndarray]]:
        """(coefficients, frames) int8 of the samples (samples,) int16 that follow, and the state behind them."""
        windows, rest = windows_of(np.concatenate([state[0], samples]), self.window_samples, self.hop_samples)
        return fixed_features(mel_tables(self), windows).T, (rest,)

    def _normalised(self, log_mel: np.ndarray) -> np.ndarray:
        """(batch, frames, mels) -> normalised coefficients (batch, frames, coefficients) float32."""
        values = self._transform(log_mel)
        if self.mean:
            values = (values - np.array(self.mean)) / np.array(self.deviation)
        return values.astype(np.float32)

    def _transform(self, log_mel: np.ndarray) -> np.ndarray:
        """(..., mels) -> (..., coefficients) before normalisation."""
        return log_mel[..., self.chosen_mels] if self.cosines is None else log_mel @ self.cosines.T

    @property
    def cosines(self) -> np.ndarray | None:
        """(coefficients, mels) of a transform of the logarithms, or None."""
        return None

    @property
    def chosen_mels(self) -> slice:
        """Which mels are features, where they are not transformed."""
        return slice(None)

    def select(self, coefficients: int, step_ms: int) -> MelFrontEnd:
        """The front end that computes only so many of its coefficients, one frame each `step_ms`."""
        return dataclasses.replace(
            self,
            coefficients=coefficients,
            step_ms=step_ms,
            mean=self._chosen(self.mean, coefficients),
            deviation=self._chosen(self.deviation, coefficients),
        )

    def _chosen(self, values: tuple[float, ...], coefficients: int) -> tuple[float, ...]:
        """Of one value a coefficient, those of the coefficients that are left."""
        raise NotImplementedError

    def macs(self, frames: int) -> int:
        """Multiply-accumulates of `frames` frames: window, FFT (2 n log2 n), power, mel filters, transform."""
        bins = self.fft // 2 + 1
        fft = 2 * self.fft * (self.fft.bit_length() - 1)
        return frames * (self.window_samples + fft + 2 * bins + 2 * bins + self._transform_macs)

    @property
    def _transform_macs(self) -> int:
        return 0

    def to_dict(self) -> dict:
        """Plain values for JSON; `frontend_from_dict` gives the equal front end back."""
        return settings(self)
