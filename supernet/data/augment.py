"""Augmentation of training clips: time shift, background noise, and SpecAugment on the log-mel map.

SpecAugment: Park et al., arXiv 1904.08779. All randomness comes from the generator that is passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from supernet.data.clips import ClipData, cut_noise, random_cut, write_array
from supernet.frontend import Mfcc, dequantise_features, quantise_features
from supernet.space import digest

__all__ = ["Augmentation", "augmented_features", "plain_features"]


@dataclass(frozen=True)
class Augmentation:
    """How training clips are varied.

    shift_ms: largest shift either way. noise_share: of clips that get noise, at a gain up to `noise_gain`. noise_rms:
    least and largest root mean square, in steps of 16 bits, of noise before that gain and of silent clips, drawn
    log-uniformly; where None, noise has its recorded level at a random gain from 0 to 1. time_mask: frames, mel_mask:
    bands, the widest masks; mask_share: of clips that get them.
    """

    shift_ms: int = 100
    noise_share: float = 0.8
    noise_gain: float = 0.1
    noise_rms: tuple[float, float] | None = None
    time_mask: int = 10
    mel_mask: int = 5
    mask_share: float = 0.5


def augmented_features(
    data: ClipData, rows: np.ndarray, frontend: Mfcc, augmentation: Augmentation, rng: np.random.Generator
) -> Tensor:
    """Features of training clips, varied, in the steps of quantised ones: (rows, coefficients, frames) float32.

    rows: into data.audio; -1 for a silent clip, cut from the noise.
    """
    samples = torch.from_numpy(_augmented_samples(data, rows, augmentation, rng))
    log_mel = _mask(frontend.log_mel(samples), augmentation, rng)
    return dequantise_features(quantise_features(frontend.cepstra(log_mel)))


def plain_features(data: ClipData, rows: np.ndarray, frontend: Mfcc, batch: int = 256) -> Tensor:
    """Quantised features of clips as they are, computed once and cached: (rows, coefficients, frames) int8."""
    key = digest([data.digest, digest(rows.astype(np.int64).tobytes()), frontend.to_dict()])
    path = data.cache / "features" / f"{key}.npy"
    if not path.is_file():
        frames = data.audio.shape[1] // frontend.step

        def fill(features: np.ndarray) -> None:
            for first in range(0, len(rows), batch):
                samples = torch.from_numpy(data.audio[rows[first : first + batch]].astype(np.float32) / 32768)
                features[first : first + batch] = quantise_features(frontend(samples)).numpy()

        write_array(path, (len(rows), frontend.coefficients, frames), np.int8, fill)
    return torch.from_numpy(np.load(path, allow_pickle=False))


def _augmented_samples(data: ClipData, rows: np.ndarray, augmentation: Augmentation, rng: np.random.Generator):
    length = data.audio.shape[1]
    reach = augmentation.shift_ms * data.sampling_rate // 1000
    samples = np.zeros((len(rows), length), dtype=np.float32)
    shifts = rng.integers(-reach, reach + 1, len(rows))
    noisy = rng.random(len(rows)) < augmentation.noise_share
    for clip, row, shift, add_noise in zip(samples, rows, shifts, noisy, strict=True):
        if row < 0:
            clip[:] = _noise(data, augmentation, rng)
            continue
        start = max(0, shift)
        part = data.audio[row, max(0, -shift) : length - start]
        clip[start : start + len(part)] = part
        if add_noise and data.noise:
            clip += augmentation.noise_gain * _noise(data, augmentation, rng)
    return samples / 32768


def _noise(data: ClipData, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """(samples,) noise in steps of 16 bits."""
    length = data.audio.shape[1]
    if augmentation.noise_rms is None:
        return cut_noise(data.noise, rng, length)
    low, high = augmentation.noise_rms
    cut = random_cut(data.noise, rng, length).astype(np.float32)
    level = low * (high / low) ** rng.random()
    return np.clip(cut * (level / max(1.0, float(np.sqrt(np.mean(cut**2))))), -32768, 32767)


def _mask(log_mel: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    """Set a band of mels and a span of frames of some clips to the clip's mean."""
    batch, mels, frames = log_mel.shape
    masked = rng.random(batch) < augmentation.mask_share
    hidden = np.zeros((batch, mels, frames), dtype=bool)
    for axis, size, widest in ((1, mels, augmentation.mel_mask), (2, frames, augmentation.time_mask)):
        width = rng.integers(0, widest + 1, batch) * masked
        first = (rng.random(batch) * (size - width + 1)).astype(int)
        inside = (np.arange(size) >= first[:, None]) & (np.arange(size) < (first + width)[:, None])
        hidden |= inside[:, :, None] if axis == 1 else inside[:, None, :]
    return torch.where(torch.from_numpy(hidden), log_mel.mean((1, 2), keepdim=True), log_mel)
