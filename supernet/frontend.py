"""Front ends: samples to MFCC or log-mel features. Frequencies in Hz, times in ms, samples from -1 to 1.

A frame reads only the `window_ms` before its end, so it is the same alone, in a batch and in a stream. (torchaudio's
ready-made MFCC centres its frames and depends on the rest of the batch, by `top_db`.) A clip of one second has 100
frames of 10 ms; frames of 20 ms are every second one of them. Describing a front end needs no torch, running it does.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from supernet.errors import InvalidModel
from supernet.filters import cosine_transform, hann_window, mel_edges, mel_filters

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FEATURE_SCALE", "FRONT_ENDS", "LogMel", "Mfcc", "dequantise_features", "quantise_features"]

LEAST_DEVIATION, LEAST_FLOOR = 1e-6, 1e-30
"""So that features are finite in 32 bits."""
PART_FRAMES = 6000
"""Of a recording that are transformed at a time."""
MARGIN = 0.01
"""Of a bin."""
FEATURE_SCALE = 1 / 32
"""One step of quantised features, in standard deviations; 8 bits reach from -4 to almost 4, zero point 0."""


@dataclass(frozen=True)
class Mfcc:
    """The first `coefficients` cepstral coefficients of log-mel energies, each with a fixed mean and deviation.

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

    kind: ClassVar[str] = "mfcc"

    def __post_init__(self) -> None:
        values = [self.coefficients, self.step_ms, self.sampling_rate, self.window_ms, self.fft, self.mels]
        whole = all(isinstance(value, int) and 0 < value <= 192_000 for value in values)
        reals = [self.low_hz, self.high_hz, self.floor, *self.mean, *self.deviation]
        finite = all(isinstance(value, (int, float)) and abs(value) < 1e6 for value in reals)
        if not (whole and finite):
            raise InvalidModel("a front-end value is missing or out of range; take the package from its source again")
        fits = self.coefficients <= self.mels <= 256 and self.fft <= 8192 and 0 < self.step <= self.window <= self.fft
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
    def step(self) -> int:
        """Samples from one frame to the next."""
        return self.sampling_rate * self.step_ms // 1000

    @property
    def window(self) -> int:
        """Samples that one frame reads."""
        return self.sampling_rate * self.window_ms // 1000

    @property
    def context_frames(self) -> int:
        """Frames before one that reach into its window, and so have to be there where a recording is cut into parts."""
        return -(-(self.window - self.step) // self.step)

    def log_mel(self, samples: Tensor, warp: float = 1.0) -> Tensor:
        """(batch, samples) -> natural logarithm of the mel energies, (batch, mels, samples // step).

        warp: of voices, see `supernet.filters.mel_filters`.
        """
        import torch

        padded = torch.nn.functional.pad(samples, (self.window - self.step, 0))
        windows = padded.unfold(1, self.window, self.step) * _like(hann_window(self.window), samples)
        spectrum = torch.fft.rfft(windows, self.fft)
        power = spectrum.real.square() + spectrum.imag.square()
        filters = mel_filters(self.mels, self.fft, self.low_hz, self.high_hz, self.sampling_rate, warp)
        return (power @ _like(filters, samples)).clamp(min=self.floor).log().transpose(1, 2)

    def recording_log_mel(self, samples: Tensor) -> Tensor:
        """`log_mel` of one recording, (samples,) -> (mels, samples // step), by parts: hours of it fit into memory."""
        import torch

        found = []
        for first in range(0, len(samples) // self.step, PART_FRAMES):
            start = max(0, first - self.context_frames)
            part = samples[start * self.step : (first + PART_FRAMES) * self.step]
            found.append(self.log_mel(part[None])[0, :, first - start :])
        return torch.cat(found, 1) if found else samples.new_zeros(self.mels, 0)

    def from_log_mel(self, log_mel: Tensor) -> Tensor:
        """(batch, mels, frames) -> normalised coefficients (batch, coefficients, frames)."""
        values = self._transform(log_mel)
        if not self.mean:
            return values
        mean, deviation = (_like(np.array(value), log_mel)[:, None] for value in (self.mean, self.deviation))
        return (values - mean) / deviation

    def __call__(self, samples: Tensor) -> Tensor:
        """(batch, samples) at `sampling_rate`, -1 to 1 -> (batch, coefficients, samples // step)."""
        return self.from_log_mel(self.log_mel(samples))

    def select(self, coefficients: int, step_ms: int) -> Mfcc:
        """The front end that computes only so many of its coefficients, one frame each `step_ms`."""
        return dataclasses.replace(
            self,
            coefficients=coefficients,
            step_ms=step_ms,
            mean=self._chosen(self.mean, coefficients),
            deviation=self._chosen(self.deviation, coefficients),
        )

    def _chosen(self, values: tuple[float, ...], coefficients: int) -> tuple[float, ...]:
        """The values of the first coefficients."""
        return values[:coefficients]

    def macs(self, frames: int) -> int:
        """Multiply-accumulates of `frames` frames: window, FFT (2 n log2 n), power, mel filters, cosine transform."""
        bins = self.fft // 2 + 1
        fft = 2 * self.fft * (self.fft.bit_length() - 1)
        return frames * (self.window + fft + 2 * bins + 2 * bins + self._transform_macs)

    @property
    def _transform_macs(self) -> int:
        return self.mels * self.coefficients

    def _transform(self, log_mel: Tensor) -> Tensor:
        return _like(cosine_transform(self.coefficients, self.mels), log_mel) @ log_mel

    def to_dict(self) -> dict:
        """Plain values for JSON; `Mfcc.from_dict` gives the equal front end back."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(values: dict) -> Mfcc:
        """The front end of `to_dict`, of the kind that it states. Raises InvalidModel."""
        try:
            fields = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            return FRONT_ENDS[fields.pop("kind")](**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidModel(f"not a front end that this version knows: {error}") from None


@dataclass(frozen=True)
class LogMel(Mfcc):
    """The log-mel energies themselves, without the cosine transform: a map that convolutions over frequency can read.

    coefficients: how many of the mels are given, all of them or the last of each two, three, ...
    """

    kind: ClassVar[str] = "logmel"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mels % self.coefficients:
            raise InvalidModel(
                f"a log-mel front end gives each, or each second, third, ... of its {self.mels} mels, "
                f"not {self.coefficients} of them"
            )

    @property
    def _transform_macs(self) -> int:
        return 0

    def _transform(self, log_mel: Tensor) -> Tensor:
        skip = self.mels // self.coefficients
        return log_mel[:, skip - 1 :: skip]

    def _chosen(self, values: tuple[float, ...], coefficients: int) -> tuple[float, ...]:
        if not 1 <= coefficients <= self.coefficients or self.coefficients % coefficients:
            raise InvalidModel(f"{coefficients} of {self.coefficients} log-mels cannot be had: give a divisor of these")
        skip = self.coefficients // coefficients
        return values[skip - 1 :: skip]


FRONT_ENDS = {kind.kind: kind for kind in (Mfcc, LogMel)}


def quantise_features(features: Tensor) -> Tensor:
    """Normalised features -> int8 steps of FEATURE_SCALE, the input of every integer network."""
    return (features / FEATURE_SCALE + 0.5).floor().clamp(-128, 127).char()


def dequantise_features(quantised: Tensor) -> Tensor:
    """int8 features -> float32 in standard deviations."""
    return quantised.float() * FEATURE_SCALE


def _like(table: np.ndarray, tensor: Tensor) -> Tensor:
    """A table in the type and on the device of a tensor."""
    return tensor.new_tensor(table)
