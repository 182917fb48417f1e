"""Labelled clips of one length, decoded once into a cache that an epoch reads from memory-mapped."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from supernet.data.audio import prepare_samples, read_audio, to_int16
from supernet.data.cache import MADE, cached_array
from supernet.errors import InvalidAudio
from supernet.files import digest

__all__ = [
    "JOINED_ROW",
    "NEGATIVE_ROW",
    "SILENT_ROW",
    "ClipData",
    "Source",
    "Split",
    "cut_clips",
    "cut_noise",
    "decode_clips",
    "random_cut",
]

SILENT_ROW, NEGATIVE_ROW, JOINED_ROW = -1, -2, -3
"""In the place of a row: a clip of noise, one of the negatives, or parts of words, put together."""

log = logging.getLogger(__name__)

Source = Path | np.ndarray
"""Where a clip comes from: a file, or int16 samples at hand."""


@dataclass(frozen=True)
class Split:
    """Rows into the audio (clips,), and their class indexes (clips,).

    Where a clip may have several labels, targets are 0 or 1, (clips, classes) float32.
    """

    rows: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class ClipData:
    """A task's clips.

    name: of the data set. labels: of the classes. audio: (rows, samples) int16, shorter clips padded with zeros.
    splits: `train`, `validation`, `test`. unknown: rows that training may draw for `unknown_class`. extra: how many
    unknown and how many silent clips an epoch draws. noise: training recordings, int16, at least one clip long.
    licence, attribution: of the audio. digest: of all that training sees, the same wherever the files lie. cache:
    folder for what is made of the audio. balance: how far an epoch repeats clips of rarer classes of `train`, from 0,
    not at all, to 1, until all classes have as many as the largest. negatives: recordings, int16, of which windows are
    the unknown class in training; held_negatives, held_noise: such recordings, and noise, that training does not hear.
    joins: how many clips of the unknown class an epoch puts together of parts of words. rooms: folder of impulse
    responses for training.
    """

    name: str
    labels: tuple[str, ...]
    sampling_rate: int
    audio: np.ndarray
    splits: dict[str, Split]
    unknown: np.ndarray
    extra: int
    noise: list[np.ndarray]
    unknown_class: int | None
    silence_class: int | None
    licence: str
    attribution: str
    digest: str
    cache: Path
    balance: float = 0.0
    negatives: list[np.ndarray] = field(default_factory=list)
    held_negatives: list[np.ndarray] = field(default_factory=list)
    held_noise: list[np.ndarray] = field(default_factory=list)
    joins: int = 0
    rooms: Path | None = None

    @property
    def audio_key(self) -> str:
        """Of the decoded audio: another one wherever a recording was changed, by name, size or time."""
        return Path(self.audio.filename).stem

    @property
    def clip_ms(self) -> int:
        """Length of a clip."""
        return self.audio.shape[1] * 1000 // self.sampling_rate

    @property
    def training_rows(self) -> int:
        """Rows of the audio up to the last one that training hears."""
        return 1 + int(max(self.splits["train"].rows.max(), self.unknown.max(initial=0)))

    @property
    def choosing(self) -> Split:
        """What is chosen by: clips of other speakers than those of `validation`, where there are enough; else these."""
        return self.splits.get("choosing", self.splits["validation"])

    @property
    def multi_label(self) -> bool:
        """True where a clip may have several labels, or none."""
        return self.splits["train"].targets.ndim > 1

    def in_order(self, labels: tuple[str, ...]) -> ClipData:
        """The same clips, with the same classes in another order."""
        moved = np.array([labels.index(label) for label in self.labels])
        place = {None: None, **dict(enumerate(moved.tolist()))}
        return replace(
            self,
            labels=labels,
            splits={name: Split(part.rows, self._moved(part.targets, moved)) for name, part in self.splits.items()},
            unknown_class=place[self.unknown_class],
            silence_class=place[self.silence_class],
        )

    def _moved(self, targets: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Targets for classes of which each has another place."""
        return targets[:, np.argsort(moved)] if self.multi_label else moved[targets].astype(targets.dtype)

    def epoch(self, rng: np.random.Generator, unknown: int = 1) -> Split:
        """The training clips of one epoch, shuffled: all of `train`, with unknown and silent ones drawn anew.

        unknown: how many times `extra` unknown clips, as far as there are so many. Silent clips have row -1: they are
        cut from the noise by the augmentation, windows of the negatives row -2, and joins row -3.
        """
        clips = self._balanced(rng)
        rows, targets = [clips.rows], [clips.targets]
        if len(self.unknown):
            drawn = rng.permutation(self.unknown)[: unknown * self.extra]
            rows.append(drawn)
            targets.append(np.full(len(drawn), self.unknown_class))
        for count, row, label in (
            (self.extra * bool(self.noise), SILENT_ROW, self.silence_class),
            (self.extra * bool(self.negatives), NEGATIVE_ROW, self.unknown_class),
            (self.joins, JOINED_ROW, self.unknown_class),
        ):
            if count and (label is not None or self.multi_label):
                rows.append(np.full(count, row))
                none = np.zeros((count, len(self.labels)), dtype=np.float32)
                targets.append(none if self.multi_label else np.full(count, label))
        order = rng.permutation(sum(map(len, rows)))
        return Split(np.concatenate(rows)[order], np.concatenate(targets)[order])

    def _balanced(self, rng: np.random.Generator) -> Split:
        """The clips of `train`, those of rarer classes repeated; how many there are is the same in every epoch."""
        train = self.splits["train"]
        if not self.balance:
            return train
        classes = np.unique(train.targets, axis=0, return_inverse=True)[1].reshape(-1)  # numpy 2.0 gives columns
        counts = np.bincount(classes)
        wanted = np.round(counts * (counts.max() / counts) ** self.balance).astype(int)
        drawn = [train.rows[:0]]
        for target, (count, more) in enumerate(zip(counts, wanted, strict=True)):
            own = np.flatnonzero(classes == target)
            drawn += [own] * (more // count) + [rng.permutation(own)[: more % count]]
        index = np.concatenate(drawn)
        return Split(train.rows[index], train.targets[index])


def cut_clips(samples: np.ndarray, clip_samples: int, count: int | None = None) -> np.ndarray:
    """A recording (samples,) int16 as clips (clips, clip_samples), one after the other, the last followed by zeros.

    count: of clips, by default the nearest to its length. Where it is one, a longer recording gives its loudest part.
    """
    count = max(1, round(len(samples) / clip_samples)) if count is None else count
    if count == 1 and len(samples) > clip_samples:
        power = np.concatenate([[0.0], np.cumsum(samples.astype(float) ** 2)])
        start = int((power[clip_samples:] - power[:-clip_samples]).argmax())
        samples = samples[start : start + clip_samples]
    padded = np.pad(samples[: count * clip_samples], (0, max(0, count * clip_samples - len(samples))))
    return padded.reshape(count, clip_samples)


def cut_noise(noise: list[np.ndarray], rng: np.random.Generator, samples: int) -> np.ndarray:
    """A random cut of a random recording, at a random gain from 0 to 1: (samples,) int16."""
    cut = random_cut(noise, rng, samples)
    return (cut * rng.random()).astype(np.int16)


def random_cut(noise: list[np.ndarray], rng: np.random.Generator, samples: int) -> np.ndarray:
    """A random cut of a random recording: (samples,) int16."""
    recording = noise[rng.integers(len(noise))]
    first = rng.integers(len(recording) - samples + 1)
    return recording[first : first + samples]


def decode_clips(root: Path, sources: Sequence[Source], sampling_rate: int, seconds: float, cache: Path) -> np.ndarray:
    """Decode all clips into a file of the cache, or find them there: (clips, samples) int16, memory-mapped.

    The cache is keyed by names, sizes and times of the files. Raises InvalidAudio naming a file that cannot be used.
    """
    samples = int(sampling_rate * seconds)
    path = cache / "audio" / f"{_key(root, sources, sampling_rate, samples)}.npy"
    return cached_array(
        path, (len(sources), samples), np.int16, lambda audio: _decode(audio, sources, sampling_rate, seconds)
    )


def _key(root: Path, sources: Sequence[Source], sampling_rate: int, samples: int) -> str:
    def identity(source: Source) -> list:
        if isinstance(source, np.ndarray):
            return [digest(source.tobytes())]
        status = source.stat()
        name = source.relative_to(root) if source.is_relative_to(root) else source.resolve()
        return [name.as_posix(), status.st_size, status.st_mtime_ns]

    return digest([MADE, str(root.resolve()), sampling_rate, samples, [identity(source) for source in sources]])


def _decode(audio: np.ndarray, sources: Sequence[Source], sampling_rate: int, seconds: float) -> None:
    """Fill the rows of `audio` in parallel."""

    def decode(source: Source) -> tuple[np.ndarray, int]:
        if isinstance(source, np.ndarray):
            return source, sampling_rate
        samples, rate = read_audio(source, seconds)
        clip = prepare_samples(samples, rate, sampling_rate, str(source))
        return to_int16(clip), rate

    resampled: dict[int, int] = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        decoded = tqdm(threads.map(decode, sources), "decoding clips", len(sources), unit=" clips", mininterval=1)
        try:
            for row, (clip, rate) in enumerate(decoded):
                audio[row, : len(clip)] = clip[: audio.shape[1]]
                if rate != sampling_rate:
                    resampled[rate] = resampled.get(rate, 0) + 1
        except InvalidAudio:
            threads.shutdown(cancel_futures=True)
            raise
    for rate, count in resampled.items():
        log.warning("resampled %d clips from %d Hz to %d Hz", count, rate, sampling_rate)
