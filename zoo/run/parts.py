"""Recordings a part at a time: hours of sound, of which no more than a part is in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from supernet.frontend.mel import MelFrontEnd

__all__ = ["Parts", "Whole", "few_columns", "log_mel_parts", "parts_of"]

PART = 2**16
"""Samples that are worked on at a time."""
Parts = np.ndarray | Iterable[np.ndarray]
"""A recording (samples,), or the parts of one."""


def parts_of(recording: Parts) -> Iterator[np.ndarray]:
    """The samples of a recording, at most PART at a time."""
    for block in [recording] if isinstance(recording, np.ndarray) else recording:
        yield from (block[first : first + PART] for first in range(0, len(block), PART))


class Whole:
    """A recording, and silence behind it up to the end of its last window.

    window, hop: in samples. samples: how many the recording has, once it was heard.
    """

    def __init__(self, recording: Parts, window: int, hop: int) -> None:
        self.recording, self.window, self.hop, self.samples = recording, window, hop, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for part in parts_of(self.recording):
            self.samples += len(part)
            yield part
        beyond = -(-max(0, self.samples - self.window) // self.hop)
        yield np.zeros(self.window + beyond * self.hop - self.samples, np.float32)


def log_mel_parts(frontend: MelFrontEnd, recording: Parts) -> Iterator[np.ndarray]:
    """Of the parts of a recording (mels, frames) float32: together the same as of the whole."""
    kept, known = np.zeros(0, np.float32), 0
    for part in parts_of(recording):
        heard = np.concatenate([kept, part])
        frames = len(heard) // frontend.hop_samples
        yield frontend.recording_log_mel(heard)[:, known:]
        first = max(0, frames - frontend.context_frames)
        kept, known = heard[first * frontend.hop_samples :], frames - first


def few_columns(parts: Iterable[np.ndarray], mels: int, most: int) -> tuple[np.ndarray, int]:
    """The parts of a spectrogram (mels, frames) as fewer than `most` columns, each the mean of equally many frames, and
    how many frames there are.

    Where there are fewer than `most` frames, columns are frames. At the end of a longer recording less than a column is
    left out.
    """
    columns = rest = np.zeros((mels, 0), np.float32)
    frames, width = 0, 1
    for part in parts:
        frames += part.shape[1]
        rest = np.concatenate([rest, part], 1)
        columns = np.concatenate([columns, _means(rest, width)], 1)
        rest = rest[:, rest.shape[1] // width * width :]
        while columns.shape[1] >= most:
            odd = columns[:, columns.shape[1] // 2 * 2 :]  # waits for its other half
            rest = np.concatenate([odd.repeat(width, 1), rest], 1)
            columns, width = _means(columns, 2), 2 * width
    return columns, frames


def _means(values: np.ndarray, width: int) -> np.ndarray:
    """Of so many columns each; what is left at the end is left out."""
    return values[:, : values.shape[1] // width * width].reshape(len(values), -1, width).mean(2)
