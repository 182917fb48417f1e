"""Speech Commands (Pete Warden, arXiv 1804.03209, CC BY 4.0) in its official folder layout, as the task `kws`.

    ROOT/WORD/SPEAKER_nohash_N.wav (or .flac, .opus, ...)   one-second clips
    ROOT/testing_list.txt, ROOT/validation_list.txt         speaker-disjoint splits, taken as given
    ROOT/_background_noise_/                                long recordings of noise
    ROOT/_silence_/                                         clips of noise for testing (of the official test set)

Ten keywords, `_unknown_` (all other words) and `_silence_`; unknown and silence are each 10 % of the keyword clips of
a split. Validation and test are drawn once with a fixed seed; training draws its unknown and silence anew each epoch.
The last 20 % of each noise recording serves validation only (and testing, where there is no `_silence_`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from supernet.constants import CACHE
from supernet.data.audio import EXTENSIONS, prepare_samples, read_audio, to_int16
from supernet.data.clips import SILENCE, UNKNOWN, ClipData, Source, Split, cut_noise, decode_clips
from supernet.errors import InvalidData, nearest_names
from supernet.space import digest

__all__ = ["LISTS", "NOISE", "WORDS", "list_files", "load", "read_list"]

WORDS = {
    "kws": ("zero", "one", "two", "three", "four", "five", "left", "right", "stop", "forward"),
    "standard": ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"),
}
"""The keyword sets by name: those of the bundled task `kws`, and the ten of the standard task."""

SAMPLING_RATE, CLIP_SECONDS = 16_000, 1.0
SAMPLES = int(SAMPLING_RATE * CLIP_SECONDS)
SPLIT_SEED, EXTRA_SHARE, VALIDATION_NOISE = 2021, 0.1, 0.2
NOISE = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}

Entries = list[tuple[Source, int]]
"""Clips with their class indexes."""


def load(root: str | Path, words: str | tuple[str, ...] = "kws", cache: str | Path | None = None) -> ClipData:
    """The data set under `root` as a task of keywords, unknown and silence, decoded once and cached.

    words: a name of WORDS, or the keywords themselves. cache: folder of decoded audio (default: constants.CACHE).
    Raises InvalidData for a folder in another layout, InvalidAudio naming a clip that cannot be used.
    """
    root, cache = Path(root), Path(cache or CACHE)
    keywords = _keywords(words)
    files = list_files(root, keywords)
    noise = [(item[:cut], item[cut:]) for item in _noise(root) for cut in [int(len(item) * (1 - VALIDATION_NOISE))]]
    held = [tail for _, tail in noise if len(tail) >= SAMPLES]
    rng = np.random.default_rng(SPLIT_SEED)
    spoken = {name: _spoken(files[name], keywords) for name in files}
    unknown = {name: _unknown(files[name], keywords) for name in files}
    count = {name: round(EXTRA_SHARE * len(entries)) for name, entries in spoken.items()}
    entries = {"train": spoken["train"], "unknown": unknown["train"]}
    for name in ("validation", "test"):
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
        unknown_class=len(keywords),
        silence_class=len(keywords) + 1,
        licence="cc-by-4.0",
        attribution="Speech Commands, Pete Warden (Google), CC BY 4.0, arXiv 1804.03209",
        digest=_digest(root, keywords, entries),
        cache=cache,
    )


def _keywords(words: str | tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(words, str):
        return tuple(words)
    if words not in WORDS:
        raise InvalidData(f"unknown set of words {words!r}: {nearest_names(words, WORDS)}")
    return WORDS[words]


def list_files(root: Path, keywords: tuple[str, ...]) -> dict[str, dict[str, list[Path]]]:
    """The recordings: split -> word -> files, sorted. Raises InvalidData where a split has none of a keyword."""
    if not root.is_dir():
        raise InvalidData(f"{root}: no such folder; give the folder of the extracted Speech Commands data set")
    listed = {name: read_list(root / file) for name, file in LISTS.items()}
    files: dict[str, dict[str, list[Path]]] = {"train": {}, "validation": {}, "test": {}}
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith("_"):
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in EXTENSIONS:
                    name = f"{folder.name}/{path.stem}"
                    split = next((split for split, names in listed.items() if name in names), "train")
                    files[split].setdefault(folder.name, []).append(path)
    for split, by_word in files.items():
        missing = [word for word in keywords if word not in by_word]
        if missing:
            raise InvalidData(
                f"{root}: no {split} clips of {', '.join(missing)}; choose words that are there "
                f"({', '.join(sorted(by_word)) or 'none'}), or complete the data set"
            )
    return files


def read_list(path: Path) -> frozenset[str]:
    """CLASS/NAME of each recording that a list names, without its ending. Raises InvalidData."""
    if not path.is_file():
        raise InvalidData(f"{path}: no such list; the data set must have {' and '.join(LISTS.values())}")
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InvalidData(f"{path}: not a text in UTF-8; save it as such") from None
    names = (line.strip().replace("\\", "/").removeprefix("./") for line in lines)
    return frozenset(line.rsplit(".", 1)[0] for line in names if line)


def _noise(root: Path) -> list[np.ndarray]:
    folder = root / NOISE
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in EXTENSIONS)
    recordings = [to_int16(prepare_samples(*read_audio(path), SAMPLING_RATE, str(path)), 32767) for path in paths]
    if not any(len(item) * VALIDATION_NOISE >= SAMPLES for item in recordings):
        raise InvalidData(f"{folder}: no recording of 5 s or more; silence is cut from there, so add one")
    return recordings


def _spoken(files: dict[str, list[Path]], keywords: tuple[str, ...]) -> Entries:
    return [(path, target) for target, word in enumerate(keywords) for path in files.get(word, [])]


def _unknown(files: dict[str, list[Path]], keywords: tuple[str, ...]) -> Entries:
    return [(path, len(keywords)) for word in sorted(files) if word not in keywords for path in files[word]]


def _silence_files(root: Path, target: int) -> Entries:
    folder = root / "_silence_"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [(path, target) for path in paths if path.suffix.lower() in EXTENSIONS]


def _draw(entries: Entries, count: int, rng: np.random.Generator) -> Entries:
    return [entries[index] for index in sorted(rng.permutation(len(entries))[:count])]


def _digest(root: Path, keywords: tuple[str, ...], entries: dict[str, Entries]) -> str:
    """Of the names, sizes and classes of all clips, wherever the data set lies."""

    def identity(source: Source) -> list:
        if isinstance(source, np.ndarray):
            return [digest(source.tobytes())]
        return [source.relative_to(root).as_posix(), source.stat().st_size]

    parts = {name: [[*identity(source), target] for source, target in part] for name, part in entries.items()}
    return digest([list(keywords), parts])


def _number(entries: dict[str, Entries]) -> dict[str, Split]:
    """Rows of each part in one array that holds all parts, one after the other."""
    splits, first = {}, 0
    for name, part in entries.items():
        rows = np.arange(first, first + len(part))
        splits[name] = Split(rows, np.array([target for _, target in part], dtype=np.int64))
        first += len(part)
    return splits
