"""Streams of words: clips placed in other sound, as near and clear as they were recorded or not.

Clips follow one another with parts of other recordings between them, at any moment of a hop. What is drawn depends only
on the seed, so all models and conditions hear the same. Where a word begins and ends in its clip is told by loudness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from supernet.samples import as_int16, from_int16, to_int16
from zoo.run.alarms import Words

__all__ = ["CONDITIONS", "Placed", "word_span"]

CONDITIONS = {"clean": (0, None), "noise-10": (0, 10), "noise-0": (0, 0), "fainter-12": (-12, None)}
"""Name -> gain of a word in dB, and by how many dB noise under its clip is below it, if there is any. The level of a
word is the root mean square over its span."""
BETWEEN = 1.25, 2.25
PART_MS, BELOW_DB = 20, 25
"""Parts of a word are at most so many dB below its loudest one."""
LEAST = 1e-6


def word_span(clip: np.ndarray, rate: int) -> tuple[int, int]:
    """First sample of the word in a clip (samples,), and that behind its last one; the whole clip where it is silent.

    That is from the first to the last 20 ms that are at most 25 dB fainter than the loudest ones.
    """
    size = rate * PART_MS // 1000
    padded = np.pad(clip.astype(np.float64), (0, -len(clip) % size)).reshape(-1, size)
    power = padded.var(1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-BELOW_DB / 10)) if power.max() > 0 else range(len(power))
    return int(loud[0]) * size, min(len(clip), (int(loud[-1]) + 1) * size)


@dataclass(frozen=True, eq=False)
class Placed:
    """Clips in a stream.

    clips: (clips, samples), or a list of (samples,), int16 or float32 from -1 to 1. right: (clips, classes) whether an
    event of a class is right. between, noise: recordings that parts are cut from; none is silence. rate: in Hz.
    condition: one of CONDITIONS. pauses: least and most of what is between two words, in lengths of a clip.
    """

    clips: Sequence[np.ndarray]
    right: np.ndarray
    between: Sequence[np.ndarray]
    noise: Sequence[np.ndarray]
    rate: int
    clip_samples: int
    condition: str = "clean"
    seed: int = 0
    pauses: tuple[float, float] = BETWEEN

    @cached_property
    def words(self) -> Words:
        """When each is said."""
        per_ms = self.rate / 1000
        spans = np.array([word_span(clip, self.rate) for clip in self.clips]).reshape(-1, 2)
        lengths = np.array([len(clip) for clip in self.clips])
        starts = np.cumsum(self._pauses[:-1] + np.append(0, lengths[:-1]).astype(int))
        return Words((starts + spans[:, 0]) / per_ms, (starts + spans[:, 1]) / per_ms, self.right)

    @property
    def parts(self) -> Iterator[np.ndarray]:
        """The stream, (samples,) int16 a part."""
        rng = np.random.default_rng([self.seed, 1])
        for pause, clip in zip(self._pauses, self.clips, strict=False):
            yield as_int16(_cut(self.between, int(pause), rng))
            yield self._heard(clip, _cut(self.noise, len(clip), rng))
        yield as_int16(_cut(self.between, int(self._pauses[-1]), rng))

    @cached_property
    def _pauses(self) -> np.ndarray:
        """(clips + 1,) samples of other sound before each clip, and behind the last."""
        low, high = (round(share * self.clip_samples) for share in self.pauses)
        return np.random.default_rng(self.seed).integers(low, high, len(self.clips) + 1, endpoint=True)

    def _heard(self, clip: np.ndarray, noise: np.ndarray) -> np.ndarray:
        gain, ratio = CONDITIONS[self.condition]
        first, last = word_span(clip, self.rate)
        word = from_int16(as_int16(clip)) * np.float32(10 ** (gain / 20))
        if ratio is None:
            return to_int16(word)
        under = from_int16(as_int16(noise))
        level = _level(word[first:last]) / max(_level(under), LEAST) / 10 ** (ratio / 20)
        return to_int16(word + np.float32(level) * under)


def _level(samples: np.ndarray) -> float:
    """Root mean square beside a constant."""
    return float(samples.std(dtype=np.float64))


def _cut(recordings: Sequence[np.ndarray], samples: int, rng: np.random.Generator) -> np.ndarray:
    """A part of a recording, each moment of all as likely; silence follows one that is shorter, and is where there is
    none.
    """
    if not recordings:
        return np.zeros(samples, np.int16)
    places = np.maximum(1, [len(one) - samples + 1 for one in recordings])
    ends = np.cumsum(places)
    place = int(rng.integers(ends[-1]))
    which = int(np.searchsorted(ends, place, "right"))
    first = place - int(ends[which] - places[which])
    part = recordings[which][first : first + samples]
    return np.pad(part, (0, samples - len(part)))
