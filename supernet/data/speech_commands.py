"""Speech Commands (Pete Warden, arXiv 1804.03209, CC BY 4.0) in its official folder layout, as the task `kws`.

    ROOT/WORD/SPEAKER_nohash_N.wav (or .flac, .opus, ...)   one-second clips
    ROOT/testing_list.txt, ROOT/validation_list.txt         speaker-disjoint splits, taken as given
    ROOT/_background_noise_/                                long recordings of noise
    ROOT/_silence_/                                         clips of noise for testing (of the official test set)

Keywords, `_unknown_` (all other words) and `_silence_`; unknown and silence are each 10 % of the keyword clips of a
split. Validation and test are drawn once with a fixed seed; training draws its unknown and silence anew each epoch.
The last 20 % of each noise recording serves validation only (and testing, where there is no `_silence_`).

Tasks: `kws`, the ten words of the standard task; `commands`, every word with LEAST_CLIPS training clips or more.
Half of the speakers of the validation list are the split `choosing`, by which networks are chosen; `validation`, which
is shown, has the other half.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from supernet.constants import CACHE, NOISE, SILENCE, UNKNOWN
from supernet.data.audio import prepare_samples, read_audio, to_int16
from supernet.data.clips import ClipData, Source, Split, cut_noise, decode_clips
from supernet.data.table import LISTS, named_files, read_list
from supernet.data.walk import tell_left_out, walk, walk_classes
from supernet.errors import InvalidData, nearest_names
from supernet.files import digest

__all__ = ["COMMANDS", "WORDS", "held_noise", "list_files", "load"]

COMMANDS = "commands"
WORDS = {
    "kws": ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"),
    "numbers": ("zero", "one", "two", "three", "four", "five", "left", "right", "stop", "forward"),
    COMMANDS: (),
}
"""The keyword sets by name: the ten of the standard task; ten of which there are most clips at hand; all that are not
rare."""
LEAST_CLIPS = 80
"""Training clips of a word that is no rare one."""

SAMPLING_RATE, CLIP_SECONDS = 16_000, 1.0
SAMPLES = int(SAMPLING_RATE * CLIP_SECONDS)
SPLIT_SEED, EXTRA_SHARE, VALIDATION_NOISE = 2021, 0.1, 0.2
HELD_NEGATIVE = 5
"""Each so many-th recording of negatives is kept from training."""

log = logging.getLogger(__name__)

Entries = list[tuple[Source, int]]
"""Clips with their class indexes."""


def load(
    root: str | Path,
    words: str | tuple[str, ...] = "kws",
    cache: str | Path | None = None,
    *,
    negatives: str | Path | None = None,
    rooms: str | Path | None = None,
    spoken: str | Path | None = None,
    balance: float = 0.0,
    joins: bool = False,
) -> ClipData:
    """The data set under `root` as a task of keywords, unknown and silence, decoded once and cached.

    words: a name of WORDS, or the keywords themselves. cache: folder of decoded audio (default: constants.CACHE).
    negatives: a folder of recordings in which no keyword is heard; every fifth is kept from training. rooms: a folder
    of impulse responses. spoken: a folder with one of further training clips for each word, such as made from text;
    those of other words are unknown, as is a folder `_unknown_` of WORD_NAME.*.
    balance, joins: see ClipData; with joins as many as unknown clips.
    Raises InvalidData for a folder in another layout, InvalidAudio naming a clip that cannot be used.
    """
    root, cache = Path(root), Path(cache or CACHE)
    keywords = _keywords(root, words)
    files = list_files(root, keywords)
    if left := tell_left_out(walk_classes(root).left_out):
        log.warning("%s: left out: %s", root, left)
    for word, paths in _from_text(Path(spoken), keywords).items() if spoken else ():
        files["train"].setdefault(word, []).extend(paths)
    others = [] if negatives is None else _decoded(Path(negatives))
    noise = [(item[: len(item) - len(tail)], tail) for item in _noise(root) for tail in [held_noise(item)]]
    held = [tail for _, tail in noise if len(tail) >= SAMPLES]
    rng = np.random.default_rng(SPLIT_SEED)
    spoken = {name: _spoken(files[name], keywords) for name in files}
    unknown = {name: _unknown(files[name], keywords) for name in files}
    count = {name: round(EXTRA_SHARE * len(entries)) for name, entries in spoken.items()}
    entries = {"train": spoken["train"], "unknown": unknown["train"]}
    for name in [name for name in ("choosing", "validation", "test") if name in files]:
        recorded = _silence_files(root, len(keywords) + 1) if name == "test" else []
        silence = recorded or [(cut_noise(held, rng, SAMPLES), len(keywords) + 1) for _ in range(count[name])]
        entries[name] = spoken[name] + _draw(unknown[name], count[name], rng) + _draw(silence, count[name], rng)
    audio = decode_clips(
        root, [source for part in entries.values() for source, _ in part], SAMPLING_RATE, CLIP_SECONDS, cache
    )
    splits = _number(entries)
    return ClipData(
        name="Speech Commands",
        labels=(*keywords, UNKNOWN, SILENCE),
        sampling_rate=SAMPLING_RATE,
        audio=audio,
        unknown=splits.pop("unknown").rows,
        splits=splits,
        extra=count["train"],
        noise=[head for head, _ in noise if len(head) >= SAMPLES],
        negatives=[item for number, item in enumerate(others) if number % HELD_NEGATIVE],
        held_negatives=others[::HELD_NEGATIVE],
        held_noise=held,
        balance=balance,
        joins=count["train"] * joins,
        rooms=None if rooms is None else Path(rooms),
        unknown_class=len(keywords),
        silence_class=len(keywords) + 1,
        licence="cc-by-4.0",
        attribution="Speech Commands, Pete Warden (Google), CC BY 4.0, arXiv 1804.03209",
        digest=_digest(root, keywords, entries, [balance, joins, *_heard([head for head, _ in noise], others, rooms)]),
        cache=cache,
    )


def _keywords(root: Path, words: str | tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(words, str):
        return tuple(words)
    if words not in WORDS:
        raise InvalidData(f"unknown set of words {words!r}: {nearest_names(words, WORDS)}")
    if words != COMMANDS:
        return WORDS[words]
    known = list_files(root, ())
    return tuple(word for word, paths in sorted(known["train"].items()) if len(paths) >= LEAST_CLIPS)


def list_files(root: Path, keywords: tuple[str, ...]) -> dict[str, dict[str, list[Path]]]:
    """The recordings: split -> word -> files, sorted; `choosing` has half of the speakers of the validation list, where
    either half has clips of each keyword.

    Raises InvalidData where a split has none of a keyword.
    """
    if not root.is_dir():
        raise InvalidData(f"{root}: no such folder; give the folder of the extracted Speech Commands data set")
    listed = {name: read_list(root / file) for name, file in LISTS.items()}
    words = {name: found.recordings for name, found in walk_classes(root).walks.items()}
    there = {path.relative_to(root).as_posix(): path for paths in words.values() for path in paths}
    split_of: dict[Path, str] = {}
    for name, lines in listed.items():
        for file in [file for found in named_files(lines, there).values() for file in found]:
            split_of.setdefault(there[file], name)
    files: dict[str, dict[str, list[Path]]] = {"train": {}, "validation": {}, "test": {}}
    for word, paths in words.items():
        for path in paths:
            files[split_of.get(path, "train")].setdefault(word, []).append(path)
    for split, by_word in files.items():
        missing = [word for word in keywords if word not in by_word]
        if missing:
            raise InvalidData(
                f"{root}: no {split} clips of {', '.join(missing)}; choose words that are there "
                f"({', '.join(sorted(by_word)) or 'none'}), or complete the data set"
            )
    return files | _halves(files["validation"], keywords)


def _halves(files: dict[str, list[Path]], keywords: tuple[str, ...]) -> dict[str, dict[str, list[Path]]]:
    """The recordings of the validation list by speakers, or nothing where these are too few."""
    halves: dict[str, dict[str, list[Path]]] = {"choosing": {}, "validation": {}}
    for word, paths in files.items():
        for path in paths:
            speaker = path.stem.partition("_nohash_")[0]
            chooses = int(digest(speaker.encode())[:8], 16) % 2 == 0
            halves["choosing" if chooses else "validation"].setdefault(word, []).append(path)
    return halves if all(word in half for word in keywords for half in halves.values()) else {}


def _from_text(folder: Path, keywords: tuple[str, ...]) -> dict[str, list[Path]]:
    """Word -> clips, of a folder of words, and of other words in one that is named `_unknown_`."""
    found = {name: list(found.recordings) for name, found in walk_classes(folder, (UNKNOWN,)).walks.items()}
    others = [path for path in found.pop(UNKNOWN, []) if path.stem.partition("_")[0] not in keywords]
    return {**found, UNKNOWN: others}


def _decoded(folder: Path) -> list[np.ndarray]:
    """The recordings in a folder, (samples,) int16 each. Raises InvalidData where there are none of a second."""
    paths = walk(folder).recordings
    found = [to_int16(prepare_samples(*read_audio(path), SAMPLING_RATE, str(path))) for path in paths]
    found = [item for item in found if len(item) >= SAMPLES]
    if not found:
        raise InvalidData(f"{folder}: no recordings of a second or more; give a folder of some")
    return found


def _noise(root: Path) -> list[np.ndarray]:
    folder = root / NOISE
    paths = walk(folder).recordings
    recordings = [to_int16(prepare_samples(*read_audio(path), SAMPLING_RATE, str(path)), 32767) for path in paths]
    if not any(len(item) * VALIDATION_NOISE >= SAMPLES for item in recordings):
        raise InvalidData(f"{folder}: no recording of 5 s or more; silence is cut from there, so add one")
    return recordings


def held_noise(recording: np.ndarray) -> np.ndarray:
    """The part of a recording of noise (samples,) that training does not hear."""
    return recording[int(len(recording) * (1 - VALIDATION_NOISE)) :]


def _spoken(files: dict[str, list[Path]], keywords: tuple[str, ...]) -> Entries:
    return [(path, target) for target, word in enumerate(keywords) for path in files.get(word, [])]


def _unknown(files: dict[str, list[Path]], keywords: tuple[str, ...]) -> Entries:
    return [(path, len(keywords)) for word in sorted(files) if word not in keywords for path in files[word]]


def _silence_files(root: Path, target: int) -> Entries:
    return [(path, target) for path in walk(root / SILENCE).recordings]


def _draw(entries: Entries, count: int, rng: np.random.Generator) -> Entries:
    return [entries[index] for index in sorted(rng.permutation(len(entries))[:count])]


def _digest(root: Path, keywords: tuple[str, ...], entries: dict[str, Entries], heard: list) -> str:
    """Of the names, sizes and classes of all clips, wherever the data set lies, and of what else training hears."""

    def identity(source: Source) -> list:
        if isinstance(source, np.ndarray):
            return [digest(source.tobytes())]
        inside = source.is_relative_to(root)
        return [source.relative_to(root).as_posix() if inside else source.name, source.stat().st_size]

    parts = {name: [[*identity(source), target] for source, target in part] for name, part in entries.items()}
    return digest([list(keywords), parts, heard])


def _heard(noise: list[np.ndarray], negatives: list[np.ndarray], rooms: str | Path | None) -> list:
    """What tells recordings of noise, negatives and rooms from others."""
    files = walk(rooms).recordings if rooms else []
    sounds = [[digest(item.tobytes()) for item in own] for own in (noise, negatives)]
    return [*sounds, [[path.name, path.stat().st_size] for path in files]]


def _number(entries: dict[str, Entries]) -> dict[str, Split]:
    """Rows of each part in one array that holds all parts, one after the other."""
    splits, first = {}, 0
    for name, part in entries.items():
        rows = np.arange(first, first + len(part))
        splits[name] = Split(rows, np.array([target for _, target in part], dtype=np.int64))
        first += len(part)
    return splits
