"""The recordings of a folder of classes, decoded once into a file of the cache."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from supernet.constants import SILENCE
from supernet.data.audio import prepare_samples, read_audio, stated_seconds, to_int16
from supernet.data.cache import cached_array
from supernet.data.clips import cut_clips, cut_noise, random_cut
from supernet.data.decoded import (
    Decoded,
    begin_of,
    identity_of,
    known_files,
    read_index,
    remove_older,
    write_index,
)
from supernet.data.survey import SPLITS
from supernet.data.walk import Walk
from supernet.errors import InvalidAudio
from supernet.files import digest

__all__ = ["HELD_PERCENT", "HELD_SHARE", "LABELS", "Held", "Recording", "decode_recordings", "heard_of", "read_long"]

HELD_SHARE = 0.2
"""Of each long recording, at its end."""
HELD_PERCENT = 10
"""Of all clips that validation gets, and the test as many."""
QUIET_WINDOW = 0.01
"""Share of the loudest window below which another one is left out."""
LONGEST_SECONDS = 24 * 3600
CUT_SEED = 2021
LABELS = ";"
"""Between the labels of a recording that has several."""

log = logging.getLogger(__name__)

Held = dict[str, list[tuple[np.ndarray, np.ndarray]]]
"""Label -> the parts of each long recording: for training, and held out."""


@dataclass(eq=False)
class Recording:
    """A file of a class, and what was found when it was decoded.

    name: its path below the folder. group: who speaks, where a table says so. first, windows: its rows in the audio.
    rms: of each, in steps of 16 bits. error: why it cannot be read.
    """

    name: str
    label: str
    path: Path
    split: str = ""
    group: str = ""
    first: int = 0
    windows: int = 0
    rms: tuple[float, ...] = ()
    rate: int = 0
    digest: str = ""
    error: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, where the table gives several with ; between them."""
        return tuple(part.strip() for part in self.label.split(LABELS) if part.strip())

    @property
    def rows(self) -> list[int]:
        """Rows of the windows that are not much quieter than the loudest."""
        loud = QUIET_WINDOW * max(self.rms, default=0.0)
        return [self.first + index for index, rms in enumerate(self.rms) if rms >= loud]


def read_long(
    found: Walk, rate: int, samples: int, channel: int | None = None
) -> tuple[dict[Path, tuple[np.ndarray, np.ndarray]], list[Path]]:
    """The part of each long recording for training, and the part that is held out, int16, of at least `samples`; and
    those that are unreadable or too short. channel: hear this one, from 1 on, not the mean of all.
    """
    parts, left = {}, []
    for path in found.recordings:
        try:
            heard = to_int16(prepare_samples(*read_audio(path), rate, str(path), channel=channel))
        except InvalidAudio:
            heard = np.empty(0, np.int16)
        first = int(len(heard) * (1 - HELD_SHARE))
        if len(heard) - first >= samples:
            parts[path] = heard[:first], heard[first:]
        else:
            left.append(path)
    return parts, left


def heard_of(held: Held) -> list:
    """What the long recordings sound like, for digests."""
    return [[label, *(digest(part.tobytes()) for pair in pairs for part in pair)] for label, pairs in held.items()]


def decode_recordings(
    root: Path,
    recordings: list[Recording],
    held: Held,
    rate: int,
    samples: int,
    cache: Path,
    channel: int | None = None,
) -> tuple[np.ndarray, dict[str, list[tuple[int, str]]]]:
    """Decode all recordings into a file of the cache, or find them there, and fill in what was found in each.

    Files that were decoded before, with others of this folder, are copied from there, so that one more is decoded
    alone; what that makes needless is removed. Returns the audio (rows, samples) int16, memory-mapped, and rows with
    labels of clips that validation and test get of the held-out parts. channel: as `read_long` has it.
    """
    begin, files = begin_of(root, rate, samples, channel), [identity_of(root, item.name) for item in recordings]
    found = known_files(cache / "audio", begin)
    known = [found.get(file) for file in files]
    rows = _place(recordings, known, rate, samples)
    count = max(1, round(rows * HELD_PERCENT / 100 / len({item.label for item in recordings})))
    cuts = [(split, label) for split in SPLITS[1:] for label in held for _ in range(count)]
    path = cache / "audio" / f"{begin}-{digest([files, rows, count, heard_of(held)])}.npy"

    def fill(audio: np.ndarray) -> None:
        facts = _decode(recordings, known, audio, rate, samples, channel)
        rng = np.random.default_rng(CUT_SEED)
        for row, (split, label) in enumerate(cuts, rows):
            audio[row] = _cut(held[label], split, label, rng, samples)
        write_index(path, files, facts)

    made = not path.is_file()
    audio = cached_array(path, (rows + len(cuts), samples), np.int16, fill)
    if made:
        remove_older(root, path, begin)
    for item, facts in zip(recordings, read_index(path), strict=True):
        item.rms, item.rate = tuple(facts["rms"]), facts["rate"]
        item.digest, item.error = facts["digest"], facts["error"]
    cut = {name: [(row, label) for row, (split, label) in enumerate(cuts, rows) if split == name] for name in SPLITS}
    return audio, cut


def _cut(pairs: list, split: str, label: str, rng: np.random.Generator, samples: int) -> np.ndarray:
    """A clip of the held-out parts: silence at a random gain; validation and test from other halves where they fit."""
    tails = [tail for _, tail in pairs]
    halves = [tail[: len(tail) // 2] if split == "validation" else tail[len(tail) // 2 :] for tail in tails]
    fit = [half for half in halves if len(half) >= samples] or tails
    return (cut_noise if label == SILENCE else random_cut)(fit, rng, samples)


def _place(recordings: list[Recording], known: list[Decoded | None], rate: int, samples: int) -> int:
    """Give each recording its rows, by the length that its header states, and return how many there are."""
    rows = 0
    for item, before in zip(recordings, known, strict=True):
        item.first = rows
        item.windows = len(before.audio) if before else _windows(item, rate, samples)
        rows += item.windows
    return rows


def _windows(item: Recording, rate: int, samples: int) -> int:
    """Of how many clips a recording is; one of those that cannot be used."""
    try:
        seconds = stated_seconds(item.path)
    except (soundfile.SoundFileError, OSError):
        seconds = 0.0
    if seconds > LONGEST_SECONDS:
        seconds, item.error = 0.0, f"{item.path}: longer than {LONGEST_SECONDS / 3600:g} hours; cut it first"
    return max(1, round(seconds * rate / samples))


def _decode(
    recordings: list[Recording],
    known: list[Decoded | None],
    audio: np.ndarray,
    rate: int,
    samples: int,
    channel: int | None,
) -> list[dict]:
    """Fill the rows of all recordings, those that are known first, and say what was found in each."""
    new = [item for item, before in zip(recordings, known, strict=True) if before is None]
    if len(new) < len(recordings):
        log.info("%d of %d recordings were decoded before", len(recordings) - len(new), len(recordings))
    for item, before in zip(recordings, known, strict=True):
        if before is not None:
            audio[item.first : item.first + item.windows] = before.audio
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = threads.map(lambda item: _decode_one(item, audio, rate, samples, channel), new)
        found = iter(list(tqdm(found, "decoding recordings", len(new), unit=" files", mininterval=1)))
    facts = [next(found) if before is None else before.facts for before in known]
    rows = ({"first": item.first, "windows": item.windows} for item in recordings)
    return [{**own, **place} for own, place in zip(facts, rows, strict=True)]


def _decode_one(item: Recording, audio: np.ndarray, rate: int, samples: int, channel: int | None) -> dict:
    """Fill the rows of one recording; of one that is little longer than a clip, the loudest part."""
    if item.error:
        return {"rms": [], "rate": 0, "digest": "", "error": item.error}
    try:
        heard, own_rate = read_audio(item.path)
        mono = prepare_samples(heard, own_rate, rate, str(item.path), channel=channel)
    except InvalidAudio as error:
        return {"rms": [], "rate": 0, "digest": "", "error": str(error)}
    clip = to_int16(mono)
    whole = digest(clip.tobytes())
    rows = cut_clips(clip, samples, item.windows)
    audio[item.first : item.first + item.windows] = rows
    return {"rms": np.sqrt((rows.astype(float) ** 2).mean(1)).tolist(), "rate": own_rate, "digest": whole, "error": ""}
