"""Features of clips: as they are, and varied for training.

Training varies clips on their log-mel maps, which are computed once and cached: playing speed (Ko et al., Interspeech
2015), time shift, loudness, colour (as FilterAugment, Nam et al., arXiv 2110.03282), background noise, whose energies
add to those of the clip, and SpecAugment (Park et al., arXiv 1904.08779). Clips can be mixed with one another, by
shares that their labels get too (between-class learning, Tokozume et al., arXiv 1711.10282). All randomness comes from
the generator that is passed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from reprlib import repr as short_repr
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from supernet.data.audio import from_int16
from supernet.data.cache import cached_array
from supernet.data.clips import NEGATIVE_ROW, SILENT_ROW, ClipData
from supernet.data.effects import at_speed, resampler
from supernet.errors import InvalidCheckpoint, InvalidData, InvalidModel
from supernet.files import digest
from supernet.frontend.mel import MelFrontEnd
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features, torch_twin
from supernet.whole import as_whole, is_real

__all__ = ["Augmentation", "Augmenter", "Masks", "mask", "plain_features"]

LEAST_POWER = (1 / 32768) ** 2
"""Noise below one step of 16 bits, root mean square, is not made any louder."""
FLOOR_MARGIN = 1.01
"""The energy floor comes back from half precision a little off."""
COLOURS = 5
"""Frequencies at which a colour is drawn."""
MOST_SPEEDS, LARGEST = 10, 100_000
"""In a recipe from elsewhere."""
MASKED = 2
"""No mask hides more than one part in so many of a clip, however short it is."""
BATCH = 8
"""Clips a batch of the front end: its temporaries stay in the processor's cache."""


class Masks(Protocol):
    """What masks are drawn by: the widest, in frames and bands, and the share of clips that get them."""

    time_mask: int
    mel_mask: int
    mask_share: float


@dataclass(frozen=True)
class Augmentation:
    """How training clips are varied.

    speeds: playing speeds in hundredths, one drawn for each clip (0.9 is longer and lower). shift_ms: largest shift
    either way, in whole frames. roll: what a shift pushes out at one end comes in at the other. gain_db: largest change
    of loudness either way. colour_db: largest change of a frequency against the others, between COLOURS of which it is
    interpolated. mix_share: of clips that are mixed with another of the batch. noise_share: of clips that get noise, at
    a gain up to `noise_gain`. noise_rms: least and largest root mean square, in steps of 16 bits, of noise before that
    gain and of silent clips, drawn log-uniformly. time_mask: frames, mel_mask: bands, the widest masks; mask_share: of
    clips that get them.
    """

    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)
    shift_ms: int = 100
    roll: bool = False
    gain_db: float = 0.0
    colour_db: float = 0.0
    mix_share: float = 0.0
    noise_share: float = 0.8
    noise_gain: float = 0.1
    noise_rms: tuple[float, float] = (1.0, 6000.0)
    time_mask: int = 10
    mel_mask: int = 5
    mask_share: float = 0.5

    def maker(self, data: ClipData, frontend: Mfcc) -> Augmenter:
        """What makes features of the clips of `data`. Raises InvalidModel for a front end of something else."""
        if not isinstance(frontend, MelFrontEnd):
            raise InvalidModel(f"a front end {frontend.kind} has no log-mels that can be varied: train it in Scenes")
        return Augmenter(data, frontend, self)

    @classmethod
    def from_dict(cls, values: dict) -> Augmentation:
        """The augmentation that a stored recipe has; of what an older one does not say, the default.

        Raises InvalidCheckpoint for what is none.
        """
        if not isinstance(values, dict):
            raise InvalidCheckpoint(f"augmentation {short_repr(values)} is not known; take it from its source")
        known = {field.name: field.default for field in fields(cls)}
        made = {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}
        for key, value in made.items():
            if key not in known or not _is_like(value, known[key]):
                raise InvalidCheckpoint(
                    f"augmentation {key} = {short_repr(value)} is not known; take it from its source"
                )
        found = cls(**made)
        shares = (getattr(found, name) for name in known if name.endswith("_share"))
        speeds = all(0.5 <= speed <= 2 for speed in found.speeds)
        if not (speeds and all(share <= 1 for share in shares) and len(found.noise_rms) == 2):
            raise InvalidCheckpoint(f"{found}: its values are out of range; take it from its source")
        return found


def _is_like(value: Any, default: Any) -> bool:
    """True for a value of the default's kind: true or false, a number within bounds, or a few of these."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, tuple):
        few = isinstance(value, tuple) and 1 <= len(value) <= MOST_SPEEDS
        return few and all(_is_like(one, default[0]) and one > 0 for one in value)
    number = as_whole(value) is not None if isinstance(default, int) else is_real(value)
    return number and 0 <= value <= LARGEST


UNVARIED = Augmentation(speeds=(1.0,), shift_ms=0, noise_share=0.0, mask_share=0.0)


class Augmenter:
    """Makes the features of training clips, varied.

    The log-mel maps of all training clips are read from the cache of `data`, which is filled when first needed.
    """

    def __init__(self, data: ClipData, frontend: Mfcc, augmentation: Augmentation = UNVARIED) -> None:
        self.frontend, self.twin = frontend, torch_twin(frontend)
        self.augmentation, self.classes = augmentation, len(data.labels)
        self.clips = [_training_log_mels(data, frontend, speed) for speed in augmentation.speeds]
        self.frames = data.audio.shape[1] // frontend.hop_samples
        self.noise = [_noise_energies(recording, frontend) for recording in data.noise]
        self.negatives = [_noise_energies(recording, frontend)[0] for recording in data.negatives]
        if data.silence_class is not None and not self.noise:
            raise InvalidData(
                f"{data.name}: no noise of {data.clip_ms} ms or more, from which silence is cut; add some"
            )

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """(rows, coefficients, frames) float32, in the steps of quantised features.

        rows: into the audio of the data; SILENT_ROW for a clip of the noise, NEGATIVE_ROW for one of the negatives.
        """
        return self._features(self._shifted(rows, rng), rows, rng)

    def mixed(self, rows: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Features as of a call, some clips mixed with others of them, and targets (rows, classes) float32.

        targets: class indexes (rows,), of which each clip gets the shares of its mixture; or 0 and 1 (rows, classes),
        where a mixture has the labels of both. Clips of the noise or the negatives are never mixed.
        """
        several, partners = targets.ndim > 1, rng.permutation(len(rows))
        labels = targets if several else np.eye(self.classes, dtype=np.float32)[targets]
        alone = rng.random(len(rows)) >= self.augmentation.mix_share
        alone |= (rows < 0) | (rows[partners] < 0)
        shares = np.where(alone, 1.0, rng.random(len(rows))).astype(np.float32)
        energies = self._shifted(rows, rng)
        energies = _mix(energies, energies[partners], shares[:, None, None], self.frontend.floor)
        if several:
            labels = np.where(alone[:, None], labels, np.maximum(labels, labels[partners]))
        else:
            labels = shares[:, None] * labels + (1 - shares)[:, None] * labels[partners]
        return self._features(energies, rows, rng), torch.from_numpy(labels)

    def _features(self, energies: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """The features of energies (rows, mels, frames), with noise."""
        energies *= self._gains(len(rows), rng)
        noisy = rng.random(len(rows)) < self.augmentation.noise_share
        for energy, row, add_noise in zip(energies, rows, noisy, strict=True):
            if row == NEGATIVE_ROW:
                energy += self._negative(rng)
            if row == SILENT_ROW or (add_noise and self.noise):
                energy += self._noise(rng) * (1.0 if row == SILENT_ROW else self.augmentation.noise_gain**2)
        log_mel = torch.from_numpy(energies).clamp_(min=self.frontend.floor).log_()
        features = self.twin.from_log_mel(mask(log_mel, self.augmentation, rng))
        return dequantise_features(quantise_features(features))

    def _shifted(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(rows, mels, frames) energies at a random speed, moved in time, zero where there was nothing."""
        reach = min(self.augmentation.shift_ms // self.frontend.step_ms, self.frames)
        varied = self.augmentation
        amplified = varied.gain_db or varied.colour_db or varied.mix_share
        versions = rng.integers(0, len(self.clips), len(rows))
        shifts = rng.integers(-reach, reach + 1, len(rows))
        energies = np.zeros((len(rows), self.frontend.mels, self.frames), dtype=np.float32)
        for energy, row, version, shift in zip(energies, rows, versions, shifts, strict=True):
            if row >= 0 and self.augmentation.roll:
                np.exp(np.roll(self.clips[version][row], shift, 1), out=energy, dtype=np.float32)
            elif row >= 0:
                start = max(0, shift)
                part = self.clips[version][row, :, max(0, -shift) : self.frames - start]
                np.exp(part, out=energy[:, start : start + part.shape[1]], dtype=np.float32)
        if amplified:  # the floor stands for silence, which stays silent at any gain
            np.maximum(energies - self.frontend.floor * FLOOR_MARGIN, 0, out=energies)
        return energies

    def _gains(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, mels, 1) factors of energies: of loudness and colour."""
        decibels = np.zeros((count, self.frontend.mels))
        if self.augmentation.gain_db:
            decibels += self.augmentation.gain_db * rng.uniform(-1, 1, (count, 1))
        if self.augmentation.colour_db:
            knots = self.augmentation.colour_db * rng.uniform(-1, 1, (count, COLOURS))
            places = np.linspace(0, COLOURS - 1, self.frontend.mels)
            decibels += np.stack([np.interp(places, np.arange(COLOURS), row) for row in knots])
        return (10 ** (decibels / 10)).astype(np.float32)[:, :, None]

    def _negative(self, rng: np.random.Generator) -> np.ndarray:
        """(mels, frames) energies of a random window of the negatives, each second of them as likely."""
        windows = np.array([energies.shape[1] - self.frames + 1 for energies in self.negatives])
        first = int(rng.integers(windows.sum()))
        which = int(np.searchsorted(np.cumsum(windows), first, side="right"))
        first -= int(windows[:which].sum())
        return self.negatives[which][:, first : first + self.frames]

    def _noise(self, rng: np.random.Generator) -> np.ndarray:
        """(mels, frames) energies of a random cut of a random recording, at a random level."""
        energies, powers = self.noise[rng.integers(len(self.noise))]
        first = rng.integers(len(powers) - self.frames + 1)
        part = slice(first, first + self.frames)
        low, high = self.augmentation.noise_rms
        level = low * (high / low) ** rng.random() / 32768
        return energies[:, part] * (level**2 / max(float(powers[part].mean()), LEAST_POWER))


def _mix(first: np.ndarray, second: np.ndarray, shares: np.ndarray, least: float) -> np.ndarray:
    """Energies (rows, mels, frames) of two sounds at once, heard by `shares` and the rest, as loud as the first.

    A share is of amplitudes at equal loudness, as between-class learning has it. least: mean energy below which a sound
    is not made any louder.
    """
    levels = [np.maximum(energy.mean((1, 2), keepdims=True), least) for energy in (first, second)]
    parts = shares**2 * first, (1 - shares) ** 2 * second * (levels[0] / levels[1])
    return (parts[0] + parts[1]) / (shares**2 + (1 - shares) ** 2)


def plain_features(data: ClipData, rows: np.ndarray, frontend: Mfcc) -> Tensor:
    """Quantised features of clips as they are, computed once and cached: (rows, coefficients, frames) int8."""
    key = digest([data.audio_key, digest(rows.astype(np.int64).tobytes()), frontend.to_dict(), "in integers"])
    path = data.cache / "features" / f"{key}.npy"
    frames = data.audio.shape[1] // frontend.hop_samples

    def fill(features: np.ndarray) -> None:
        for first in range(0, len(rows), BATCH):
            features[first : first + BATCH] = frontend.run(data.audio[rows[first : first + BATCH]])

    return torch.from_numpy(np.array(cached_array(path, (len(rows), frontend.coefficients, frames), np.int8, fill)))


def _training_log_mels(data: ClipData, frontend: Mfcc, speed: float) -> np.ndarray:
    """(rows, mels, frames) float16 log-mel energies at a speed, memory-mapped; of all rows to the last for training."""
    rows = data.training_rows
    unfitted = replace(frontend, coefficients=frontend.mels, mean=(), deviation=()).to_dict()
    player = None if speed == 1 else resampler()
    key = digest([data.audio_key, rows, {**unfitted, "kind": "log_mel"}, speed, player])
    path = data.cache / "log_mels" / f"{key}.npy"

    def fill(log_mels: np.ndarray) -> None:
        for first in range(0, rows, BATCH):
            samples = at_speed(_samples(data.audio[first : min(first + BATCH, rows)]), speed)
            log_mels[first : first + BATCH] = torch_twin(frontend).log_mel(samples).numpy()

    return cached_array(path, (rows, frontend.mels, data.audio.shape[1] // frontend.hop_samples), np.float16, fill)


def _samples(audio: np.ndarray) -> Tensor:
    return torch.from_numpy(from_int16(audio))


def _noise_energies(recording: np.ndarray, frontend: Mfcc) -> tuple[np.ndarray, np.ndarray]:
    """Mel energies (mels, frames) of a recording, and the mean square of the samples of each frame's step (frames,)."""
    samples = from_int16(recording)
    energies = np.maximum(np.exp(frontend.recording_log_mel(samples)) - np.float32(frontend.floor), 0)
    frames = samples[: energies.shape[1] * frontend.hop_samples].reshape(-1, frontend.hop_samples)
    return energies, np.square(frames).mean(1)


def mask(log_mel: Tensor, augmentation: Masks, rng: np.random.Generator) -> Tensor:
    """Set a band of mels and a span of frames of some clips to the clip's mean; half of a clip is always heard."""
    batch, mels, frames = log_mel.shape
    masked = rng.random(batch) < augmentation.mask_share
    hidden = np.zeros((batch, mels, frames), dtype=bool)
    for axis, size, widest in ((1, mels, augmentation.mel_mask), (2, frames, augmentation.time_mask)):
        width = rng.integers(0, min(widest, size // MASKED) + 1, batch) * masked
        first = (rng.random(batch) * (size - width + 1)).astype(int)
        inside = (np.arange(size) >= first[:, None]) & (np.arange(size) < (first + width)[:, None])
        hidden |= inside[:, :, None] if axis == 1 else inside[:, None, :]
    return torch.where(torch.from_numpy(hidden), log_mel.mean((1, 2), keepdim=True), log_mel)
