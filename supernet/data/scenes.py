"""Training clips in scenes: words one after another in a room, with noise, at any loudness, as a device hears them.

A scene is a chain of clips without a gap. A network runs through it without a reset, and each clip is scored on its own
frames; so of a chain of four, one clip follows a reset, and half follow two seconds of other sound or more, at no cost.
All clips of a scene share its room, noise, band and gain. What a scene has is drawn by the generator that is passed:

    playing speed or a codec, height of the voice, shift (a word may reach into its neighbours), level of each clip
    room (supernet.data.rooms)
    noise: recordings of noise, speech that is no keyword, or coloured noise, at a signal-to-noise ratio
    band: low-pass, high-pass or a telephone, so that bandwidth tells nothing
    gain, and clipping at full scale of 16 bits
    masks over time and frequency (SpecAugment, Park et al., arXiv 1904.08779)

Levels are in dB of full scale, ratios in dB.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from reprlib import repr as short_repr
from typing import Any, ClassVar

import numpy as np
import scipy.fft
import torch
from torch import Tensor
from tqdm import tqdm

from supernet.data.audio import from_int16, to_int16
from supernet.data.augment import BATCH, mask
from supernet.data.cache import cached_array
from supernet.data.clips import JOINED_ROW, NEGATIVE_ROW, SILENT_ROW, ClipData
from supernet.data.codecs import CODECS, coded, library
from supernet.data.effects import at_speed, resampler
from supernet.data.rooms import room_bank
from supernet.data.sounds import coloured_noise, random_part
from supernet.errors import InvalidCheckpoint, InvalidData
from supernet.files import digest
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features, torch_twin
from supernet.whole import is_real, is_whole

__all__ = ["SceneMaker", "Scenes"]

MADE = 3
"""In the recipes of runs: another number wherever scenes are made in another way."""
LEAST = 1e-9
ACTIVE, ACTIVE_SHARE = 320, 0.9
"""Samples of a part of which the level is taken, and the share of parts that are quieter than a scene's level."""
TELEPHONE_HZ, MU = (300.0, 3400.0), 255.0
LOW_PASS_HZ, HIGH_PASS_HZ = (2500.0, 7500.0), (60.0, 400.0)
MOST_SPEEDS, MOST_DB, MOST = 10, 200.0, 10_000
"""In a recipe from elsewhere."""
NEAR_MISS = (0.35, 0.65)
"""Where a word is cut into parts, as a share of its clip."""


@dataclass(frozen=True)
class Scenes:
    """How training clips are put into scenes.

    chain: clips of a scene. speeds: playing speeds in hundredths, one for each clip; warps: how much higher voices
    are made, one for each scene (see supernet.frontend.tables). shift_ms: largest shift either way. level_db:
    largest change of one clip's level either way. rooms: how many are drawn; room_share: of scenes in one.
    noise_share: of scenes with noise, at a ratio from `snr_db`; voice_share: of these with speech, at a ratio from
    `voice_db`. quiet_db: levels of the noise where no clip has a sound. band_share: of scenes with a narrower band;
    with such, as many clips as are played at one of the speeds come through a codec. gain_db: of a whole scene,
    from, to. time_mask: frames, mel_mask: bands, the widest masks; mask_share: of clips that get them. made: see
    MADE. Labels are never mixed.
    """

    chain: int = 4
    speeds: tuple[float, ...] = (0.88, 0.94, 1.0, 1.06, 1.12)
    warps: tuple[float, ...] = (0.9, 0.95, 1.0, 1.05, 1.1)
    shift_ms: int = 200
    level_db: float = 6.0
    rooms: int = 600
    room_share: float = 0.5
    noise_share: float = 0.8
    snr_db: tuple[float, float] = (0.0, 30.0)
    voice_share: float = 0.3
    voice_db: tuple[float, float] = (5.0, 30.0)
    quiet_db: tuple[float, float] = (-90.0, -20.0)
    band_share: float = 0.25
    gain_db: tuple[float, float] = (-30.0, 10.0)
    time_mask: int = 10
    mel_mask: int = 5
    mask_share: float = 0.5
    made: int = MADE
    mix_share: ClassVar[float] = 0.0

    def maker(self, data: ClipData, frontend: Mfcc) -> SceneMaker:
        """What makes features of the clips of `data`."""
        return SceneMaker(data, frontend, self)

    @classmethod
    def from_dict(cls, values: dict) -> Scenes:
        """The scenes that a stored recipe has; of what an older one does not say, the default.

        Raises InvalidCheckpoint for what is none.
        """
        known = {field.name: field.default for field in fields(cls)}
        made = {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}
        for key, value in made.items():
            if key not in known or not _is_possible(key, value, known[key]):
                raise InvalidCheckpoint(
                    f"scenes {key} = {short_repr(value)} are not known; take them from their source"
                )
        return cls(**made)


def _is_possible(name: str, value: Any, default: Any) -> bool:
    """Of a recipe from elsewhere: a value of the default's kind, within bounds."""
    if isinstance(default, tuple):
        low, high = (0.5, 2.0) if name in ("speeds", "warps") else (-MOST_DB, MOST_DB)
        sizes = (2, 2) if name.endswith("_db") else (1, MOST_SPEEDS)
        few = isinstance(value, tuple) and sizes[0] <= len(value) <= sizes[1]
        return few and all(is_real(one, low, high) for one in value)
    if isinstance(default, int):
        return is_whole(value, 1 if name == "chain" else 0, MOST)
    return is_real(value, 0, 1 if name.endswith("_share") else MOST_DB)


class SceneMaker:
    """Makes the features of training clips in scenes, which run through (scenes, coefficients, chain * frames).

    Clips at all speeds, clips through codecs, and rooms are read from the cache of `data`, which is filled when first
    needed.
    """

    def __init__(self, data: ClipData, frontend: Mfcc, scenes: Scenes) -> None:
        self.twin, self.scenes, self.samples = torch_twin(frontend), scenes, data.audio.shape[1]
        self.masks = scenes if self.twin.has_bands else replace(scenes, mel_mask=0)
        self.versions = [_at_speed(data, speed) for speed in scenes.speeds]
        if scenes.band_share:
            self.versions.append(_through_codecs(data))
        self.rooms = room_bank(scenes.rooms, 0, data.cache, data.rooms, data.sampling_rate, progress=True)
        self.spectra: dict[int, Tensor] = {}
        self.noise = [from_int16(item) for item in data.noise]
        self.voices = [from_int16(item) for item in data.negatives]
        self.coloured = coloured_noise(np.random.default_rng(0))
        self.rate = data.sampling_rate
        if data.silence_class is not None and not self.noise:
            raise InvalidData(f"{data.name}: no noise of {data.clip_ms} ms or more; silence is cut from it: add some")

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """(len(rows) / chain, coefficients, chain * frames) float32, in the steps of quantised features.

        rows: into the audio of the data, or SILENT_ROW, NEGATIVE_ROW, JOINED_ROW; each `chain` of them are a scene.
        """
        chains = rows.reshape(-1, self.scenes.chain)
        samples = np.stack([self.scene(chain, rng) for chain in chains])
        warps = rng.permutation(np.resize(np.asarray(self.scenes.warps), len(chains)))
        log_mel = self._log_mel(torch.from_numpy(samples), warps)
        features = self.twin.from_log_mel(self._masked(log_mel, rng))
        return dequantise_features(quantise_features(features))

    def scene(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(chain * samples,) float32 from -1 to 1, in steps of 16 bits: what a microphone gives of a chain of clips."""
        scenes = self.scenes
        sound = self._words(rows, rng)
        if rng.random() < scenes.room_share and len(self.rooms):
            sound = self._in_room(sound, int(rng.integers(len(self.rooms))))
        if rng.random() < scenes.noise_share:
            sound = sound + self._noise(sound, rng)
        if rng.random() < scenes.band_share:
            sound = narrowed(sound, self.rate, rng)
        return from_int16(to_int16(sound * 10 ** (rng.uniform(*scenes.gain_db) / 20)))

    def _in_room(self, sound: np.ndarray, room: int) -> np.ndarray:
        """A sound in a room, whose spectrum is kept."""
        size = filtered_size(len(sound), self.rooms.shape[1])
        if room not in self.spectra:
            self.spectra[room] = spectrum_of(self.rooms[room], size)
        return filtered(sound, self.spectra[room], self.rooms.shape[1])

    def _words(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The clips one after another, each moved by its shift."""
        length, reach = self.samples, self.scenes.shift_ms * self.rate // 1000
        sound = np.zeros(len(rows) * length + 2 * reach, np.float32)
        for number, row in enumerate(rows):
            if row == SILENT_ROW:
                continue
            first = number * length + int(rng.integers(0, 2 * reach + 1))
            level = 10 ** (rng.uniform(-1, 1) * self.scenes.level_db / 20)
            sound[first : first + length] += np.float32(level) * self._clip(int(row), rng)
        return sound[reach : len(sound) - reach]

    def _clip(self, row: int, rng: np.random.Generator) -> np.ndarray:
        """(samples,) float32: a clip at one of the speeds, or through a codec."""
        if row == NEGATIVE_ROW:
            return random_part(self.voices, self.samples, rng)
        if row == JOINED_ROW:
            return self._near_miss(rng)
        return from_int16(self.versions[rng.integers(len(self.versions))][row])

    def _near_miss(self, rng: np.random.Generator) -> np.ndarray:
        """No word: the beginning of one and the end of another, or one of these alone."""
        version = self.versions[rng.integers(len(self.versions))]
        first, second = (from_int16(version[rng.integers(len(version))]) for _ in range(2))
        cut = round(rng.uniform(*NEAR_MISS) * self.samples)
        kept, rising = rng.integers(3), np.clip((np.arange(self.samples) - cut) / ACTIVE + 0.5, 0, 1).astype(np.float32)
        return first * (1 - rising) * (kept != 1) + second * rising * (kept != 0)

    def _noise(self, sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noise or speech as long as a sound, at a drawn ratio below its level."""
        speaks = bool(self.voices) and rng.random() < self.scenes.voice_share
        recordings = self.voices if speaks else self.coloured if rng.random() < 0.3 else self.noise or self.coloured
        noise = random_part(recordings, len(sound), rng)
        level = level_of(sound)
        if level <= LEAST:
            wanted = 10 ** (rng.uniform(*self.scenes.quiet_db) / 20)
        else:
            wanted = level / 10 ** (rng.uniform(*(self.scenes.voice_db if speaks else self.scenes.snr_db)) / 20)
        return noise * np.float32(wanted / max(level_of(noise), LEAST))

    def _log_mel(self, samples: Tensor, warps: np.ndarray) -> Tensor:
        """(scenes, mels, frames), each scene at its warp; by itself, so that what is made on the way stays in cache."""
        scenes = zip(samples.split(1), warps, strict=True)
        return torch.cat([self.twin.log_mel(scene, float(warp)) for scene, warp in scenes])

    def _masked(self, log_mel: Tensor, rng: np.random.Generator) -> Tensor:
        """Log-mels (scenes, mels, chain * frames) with masks on some clips."""
        scenes, mels, frames = log_mel.shape
        clips = log_mel.reshape(scenes, mels, self.scenes.chain, -1).transpose(1, 2)
        masked = mask(clips.reshape(scenes * self.scenes.chain, mels, -1), self.masks, rng)
        return masked.reshape(scenes, self.scenes.chain, mels, -1).transpose(1, 2).reshape(scenes, mels, frames)


def _at_speed(data: ClipData, speed: float) -> np.ndarray:
    """(rows, samples) int16, memory-mapped: the training clips at a speed."""
    rows = data.training_rows
    if speed == 1:
        return data.audio[:rows]
    key = digest([data.audio_key, rows, speed, resampler()])

    def fill(audio: np.ndarray) -> None:
        for first in range(0, rows, BATCH):
            played = at_speed(torch.from_numpy(from_int16(data.audio[first : min(first + BATCH, rows)])), speed)
            audio[first : first + BATCH] = to_int16(played.numpy())

    return cached_array(data.cache / "speeds" / f"{key}.npy", (rows, data.audio.shape[1]), np.int16, fill)


def _through_codecs(data: ClipData) -> np.ndarray:
    """(rows, samples) int16, memory-mapped: the training clips, each through one of CODECS in turn."""
    rows, codecs = data.training_rows, list(CODECS.values())

    def fill(audio: np.ndarray) -> None:
        for row in tqdm(range(rows), "coding clips", unit=" clips", mininterval=1):
            clip = from_int16(data.audio[row])
            audio[row] = to_int16(coded(clip, data.sampling_rate, codecs[row % len(codecs)]))

    key = digest([data.audio_key, rows, [list(vars(codec).values()) for codec in codecs], library()])
    return cached_array(data.cache / "codecs" / f"{key}.npy", (rows, data.audio.shape[1]), np.int16, fill)


def filtered_size(samples: int, taps: int) -> int:
    """Samples of the transform by which `filtered` runs."""
    return scipy.fft.next_fast_len(-(-samples // 2) + taps - 1)


def spectrum_of(response: np.ndarray, size: int) -> Tensor:
    """The spectrum of a filter's response (taps,), as `filtered` takes it."""
    return torch.fft.fft(torch.from_numpy(response), size)


def filtered(sound: np.ndarray, spectrum: Tensor, taps: int) -> np.ndarray:
    """A sound (samples,) through a filter of so many taps, cut to its length.

    Its halves are the real and the imaginary part of one complex transform, which takes an eighth of the time that one
    of real numbers takes here; a real filter keeps them apart.
    """
    first, half = -(-len(sound) // 2), len(sound) // 2
    halves = np.zeros(len(spectrum), np.complex64)
    halves.real[:first], halves.imag[:half] = sound[:first], sound[first:]
    heard = torch.fft.ifft(torch.fft.fft(torch.from_numpy(halves)) * spectrum).numpy()
    made, reach = np.concatenate([heard.real[:first], heard.imag[:half]]), min(taps - 1, half)
    made[first : first + reach] += heard.real[first : first + reach]
    return made


def narrowed(sound: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A sound (samples,) with less of its low or high frequencies, or as a telephone gives it."""
    low, high = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (HIGH_PASS_HZ, LOW_PASS_HZ))
    telephone = rng.random() < 0.3
    if telephone:
        low, high = TELEPHONE_HZ
    size = scipy.fft.next_fast_len(len(sound))
    hertz = np.maximum(scipy.fft.rfftfreq(size, 1 / rate).astype(np.float32), np.float32(1))
    response = 1 / np.sqrt((1 + _steep(low / hertz)) * (1 + np.square(_steep(hertz / high))))
    both = torch.from_numpy(np.concatenate([response, response[1 : size - len(response) + 1][::-1]]))
    spectrum = torch.fft.fft(torch.from_numpy(sound.astype(np.complex64)), size) * both
    heard = torch.fft.ifft(spectrum).real[: len(sound)].numpy()
    return companded(heard) if telephone else heard


def _steep(ratio: np.ndarray) -> np.ndarray:
    """The eighth power."""
    return np.square(np.square(np.square(ratio)))


def companded(sound: np.ndarray) -> np.ndarray:
    """Through 8 bits by the mu-law of ITU-T G.711."""
    loudest = max(float(np.abs(sound).max()), LEAST)
    bent = np.sign(sound) * np.log1p(MU * np.abs(sound) / loudest) / np.log1p(MU)
    bent = np.round(bent * 127) / 127
    return (np.sign(bent) * np.expm1(np.abs(bent) * np.log1p(MU)) / MU * loudest).astype(np.float32)


def level_of(sound: np.ndarray) -> float:
    """Root mean square of a sound's louder parts, which is that of its words where it has some."""
    parts = sound[: len(sound) // ACTIVE * ACTIVE].reshape(-1, ACTIVE)
    powers = np.einsum("ij,ij->i", parts, parts) / ACTIVE
    return float(np.sqrt(np.partition(powers, int(ACTIVE_SHARE * len(powers)))[int(ACTIVE_SHARE * len(powers))]))
