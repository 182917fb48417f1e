"""The torch twins of the front ends: floating point, in batches, with what training varies. Equal within rounding.

To add one, write a twin and name it in TWINS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from supernet.frontend.base import FEATURE_SCALE, FrontEnd
from supernet.frontend.mel import MelFrontEnd
from supernet.frontend.micro import STEP, STEP_BITS, Micro
from supernet.frontend.raw import Raw
from supernet.frontend.tables import cosine_transform, hann_window, mel_filters
from supernet.samples import FULL_SCALE, to_int16

__all__ = ["TorchMel", "TorchMicro", "TorchRaw", "dequantise_features", "quantise_features", "torch_twin"]


class TorchMel:
    """A front end of mel energies in torch: (batch, samples) from -1 to 1 -> (batch, coefficients, frames).

    has_bands: whether rows of `log_mel` are bands, of which training hides some.
    """

    has_bands: ClassVar[bool] = True

    def __init__(self, frontend: MelFrontEnd) -> None:
        self.frontend = frontend

    def __call__(self, samples: Tensor) -> Tensor:
        """(batch, samples) -> (batch, coefficients, samples // hop_samples)."""
        return self.from_log_mel(self.log_mel(samples))

    def log_mel(self, samples: Tensor, warp: float = 1.0) -> Tensor:
        """(batch, samples) -> natural logarithm of the mel energies, (batch, mels, samples // hop_samples).

        warp: of voices, see `supernet.frontend.tables.mel_filters`.
        """
        own, window, rest = (
            self.frontend,
            self.frontend.window_samples,
            self.frontend.fft - self.frontend.window_samples,
        )
        padded = torch.nn.functional.pad(samples, (window - own.hop_samples, rest))
        hann = torch.nn.functional.pad(_like(hann_window(window), samples), (0, rest))  # this length is the fastest
        squares = torch.view_as_real(torch.fft.rfft(padded.unfold(1, own.fft, own.hop_samples) * hann)).square()
        power = squares[..., 0] + squares[..., 1]
        filters = mel_filters(own.mels, own.fft, own.low_hz, own.high_hz, own.sampling_rate, warp)
        return (power @ _like(filters, samples)).clamp(min=own.floor).log().transpose(1, 2)

    def from_log_mel(self, log_mel: Tensor) -> Tensor:
        """(batch, mels, frames) -> normalised coefficients (batch, coefficients, frames)."""
        values, own = self._transform(log_mel), self.frontend
        if not own.mean:
            return values
        mean, deviation = (_like(np.array(value), log_mel)[:, None] for value in (own.mean, own.deviation))
        return (values - mean) / deviation

    def fitted(self, batches: Iterable[Tensor]) -> MelFrontEnd:
        """The front end with the mean and deviation of each coefficient over batches (clips, samples)."""
        raw = torch.cat([self(batch) for batch in batches])
        mean, deviation = (tuple(round(float(v), 5) for v in fit) for fit in (raw.mean((0, 2)), raw.std((0, 2))))
        return replace(self.frontend, mean=mean, deviation=deviation)

    def _transform(self, log_mel: Tensor) -> Tensor:
        raise NotImplementedError


class TorchMfcc(TorchMel):
    """MFCC."""

    def _transform(self, log_mel: Tensor) -> Tensor:
        return _like(cosine_transform(self.frontend.coefficients, self.frontend.mels), log_mel) @ log_mel


class TorchLogMel(TorchMel):
    """Log-mels."""

    def _transform(self, log_mel: Tensor) -> Tensor:
        skip = self.frontend.mels // self.frontend.coefficients
        return log_mel[:, skip - 1 :: skip]


class TorchMicro:
    """The micro front end, computed in its integers but for the last rounding. Nothing flows back through it."""

    has_bands: ClassVar[bool] = True

    def __init__(self, frontend: Micro) -> None:
        self.frontend = frontend

    def __call__(self, samples: Tensor) -> Tensor:
        """(batch, samples) from -1 to 1 -> (batch, coefficients, samples // hop_samples)."""
        return self.from_log_mel(self.log_mel(samples))

    def log_mel(self, samples: Tensor, warp: float = 1.0) -> Tensor:
        """(batch, samples) -> logarithms of the bands (batch, bands, samples // hop_samples).

        warp: is left out, as the bands are what they are.
        """
        clips = to_int16(samples.cpu().numpy())
        found = [self.frontend.logarithms(clip, self.frontend.reset())[0].T for clip in clips]
        return torch.from_numpy(np.stack(found)).to(samples)

    def from_log_mel(self, log_mel: Tensor) -> Tensor:
        """Logarithms -> features, in the scale that 8 bits have."""
        return (log_mel * (2**STEP_BITS / STEP) - 128) * FEATURE_SCALE

    def fitted(self, batches: Iterable[Tensor]) -> Micro:
        """The front end as it is, which has nothing to fit: clips are not even read."""
        return self.frontend


class TorchRaw:
    """The raw front end: both bytes of each sample. Nothing flows back through it."""

    has_bands: ClassVar[bool] = False

    def __init__(self, frontend: Raw) -> None:
        self.frontend = frontend

    def __call__(self, samples: Tensor) -> Tensor:
        """(batch, samples) from -1 to 1 -> (batch, coefficients, samples // hop_samples)."""
        return self.from_log_mel(self.log_mel(samples))

    def log_mel(self, samples: Tensor, warp: float = 1.0) -> Tensor:
        """(batch, samples) -> the same in frames (batch, hop_samples, samples // hop_samples); no logarithms here.

        warp: is left out, as there are no bands to move.
        """
        hop = self.frontend.hop_samples
        whole = samples.shape[1] // hop * hop
        return samples[:, :whole].reshape(len(samples), -1, hop).transpose(1, 2)

    def from_log_mel(self, log_mel: Tensor) -> Tensor:
        """Samples -> features, in the scale that 8 bits have."""
        whole = (log_mel * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1)
        high = (whole / 256).floor()
        low = whole - 256 * high
        low = torch.where(low > 127, low - 256, low)
        return torch.stack([low, high], 2).flatten(1, 2) * FEATURE_SCALE

    def fitted(self, batches: Iterable[Tensor]) -> Raw:
        """The front end as it is, which has nothing to fit: clips are not even read."""
        return self.frontend


TWINS = {"mfcc": TorchMfcc, "logmel": TorchLogMel, "micro": TorchMicro, "raw": TorchRaw}
"""By kind of front end."""


def torch_twin(frontend: FrontEnd) -> TorchMel | TorchMicro | TorchRaw:
    """What computes a front end in torch."""
    return TWINS[frontend.kind](frontend)


def quantise_features(features: Tensor) -> Tensor:
    """Normalised features -> int8 steps of FEATURE_SCALE, the input of every integer network."""
    return (features / FEATURE_SCALE + 0.5).floor().clamp(-128, 127).char()


def dequantise_features(quantised: Tensor) -> Tensor:
    """int8 features -> float32 in standard deviations."""
    return quantised.float() * FEATURE_SCALE


def _like(table: np.ndarray, tensor: Tensor) -> Tensor:
    """A table in the type and on the device of a tensor."""
    return tensor.new_tensor(table)
