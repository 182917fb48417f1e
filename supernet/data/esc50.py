"""ESC-50 (K. J. Piczak, ACM MM 2015, CC BY-NC 3.0) and its subset ESC-10 (CC BY 3.0), as the tasks `aec` and `esc10`.

    ROOT/meta/esc50.csv      filename, fold, target, category, esc10, src_file, take
    ROOT/audio/NAME.ogg      five-second clips (official: .wav); the table's endings do not matter

Of folds 1 to 4 one is for testing, or none, and the others for training but for a tenth of them, which validates. That
tenth is drawn by source recording within each class, with a fixed seed, so that no recording is heard in training and
counted afterwards. Recordings that stand in the test fold too, under another class, are left out of the rest. Fold 5 is
in no split unless it is named: bundled models never heard it.

Many clips are padded with digital silence, which no microphone gives: training adds noise of several colours to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from supernet.constants import CACHE
from supernet.data.clips import ClipData, Split, decode_clips
from supernet.data.table import named_files, read_table, tidy_name
from supernet.data.walk import stem_of, walk
from supernet.errors import InvalidData, nearest_names
from supernet.files import digest

__all__ = ["FOLDS", "SUBSETS", "TEST_FOLD", "Clips", "fold_clips", "is_layout", "list_clips", "load", "subset_of"]

FOLDS, TEST_FOLD = (1, 2, 3, 4), 4
"""Those that are split, and that which is tested where no other is named."""

SUBSETS = {"esc50": "cc-by-nc-3.0", "esc10": "cc-by-3.0"}
"""Their licences."""
ATTRIBUTION = "ESC-50, K. J. Piczak, ACM MM 2015, doi 10.1145/2733373.2806390; clips by many authors of freesound.org"
TABLE = Path("meta") / "esc50.csv"
SAMPLING_RATE, CLIP_MS = 16_000, 5000
VALIDATION_SHARE, SPLIT_SEED = 0.1, 2021
COLUMNS = ("file", "fold", "target", "category", "esc10", "src_file")
COLOURS, NOISE_SECONDS, NOISE_LEVEL = (0.0, 0.5, 1.0), 10, 1000.0
"""Of the noise: exponents of the frequency that amplitudes fall with (white, pink, brown); length; steps of 16 bits."""


@dataclass(frozen=True, eq=False)
class Clips:
    """Rows of the table, column by column, each (clips,). target: 0 and up, in the data set's order; split: "" where
    there is none; path: of the files that were found, "" before they are looked for.
    """

    file: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    category: np.ndarray
    esc10: np.ndarray
    src_file: np.ndarray
    split: np.ndarray
    path: np.ndarray

    def __len__(self) -> int:
        return len(self.file)

    def where(self, chosen: np.ndarray) -> Clips:
        """The rows (clips,) that are True."""
        return Clips(*(getattr(self, column.name)[chosen] for column in fields(self)))


def load(
    root: str | Path,
    subset: str = "esc50",
    test_fold: int | None = TEST_FOLD,
    cache: str | Path | None = None,
    folds: Sequence[int] = FOLDS,
    clip_ms: int = CLIP_MS,
) -> ClipData:
    """The data set under `root`, decoded once and cached. subset: a name of SUBSETS. folds: those that are split.
    test_fold: one of them, or None: then there is no split `test`. clip_ms: of clips, behind which silence follows
    where that is more than the data set's five seconds.

    Raises InvalidData for a folder in another layout, InvalidAudio naming a clip that cannot be used.
    """
    root, cache = Path(root), Path(cache or CACHE)
    table = list_clips(root, subset, test_fold, folds)
    labels = tuple(table.category[np.unique(table.target, return_index=True)[1]].tolist())
    names = ("train", "validation", *["test"] * (test_fold is not None))
    rows = {name: np.flatnonzero(table.split == name) for name in names}
    identity = [[path.name, path.stat().st_size, *row] for path, row in zip(table.path, _identity(table), strict=True)]
    return ClipData(
        name="ESC-10" if subset == "esc10" else "ESC-50",
        labels=labels,
        sampling_rate=SAMPLING_RATE,
        audio=decode_clips(root, list(table.path), SAMPLING_RATE, clip_ms / 1000, cache),
        splits={name: Split(own, table.target[own]) for name, own in rows.items()},
        unknown=np.zeros(0, np.int64),
        extra=0,
        noise=_coloured_noise(),
        unknown_class=None,
        silence_class=None,
        licence=SUBSETS[subset],
        attribution=ATTRIBUTION,
        digest=digest([list(labels), identity]),
        cache=cache,
    )


def list_clips(
    root: str | Path, subset: str = "esc50", test_fold: int | None = TEST_FOLD, folds: Sequence[int] = FOLDS
) -> Clips:
    """The clips of all splits.

    Raises as `load` does.
    """
    table = _read_subset(Path(root), subset)
    if test_fold is None and (missing := sorted(set(folds) - set(table.fold.tolist()))):
        raise InvalidData(f"{Path(root) / TABLE}: has no fold {', '.join(map(str, missing))}; give those that it has")
    table = table.where(np.isin(table.fold, list(folds)))
    table = replace(table, split=_splits(table, test_fold))
    return _with_paths(Path(root), table.where(table.split != ""))


def fold_clips(root: str | Path, subset: str = "esc50", fold: int | None = None) -> Clips:
    """The clips of a fold, or all, whatever split they are of.

    Raises as `load` does.
    """
    table = _read_subset(Path(root), subset)
    folds = sorted(set(table.fold.tolist()))
    if fold is not None and fold not in folds:
        raise InvalidData(f"{Path(root) / TABLE}: has no fold {fold}; it has {', '.join(map(str, folds))}")
    return _with_paths(Path(root), table if fold is None else table.where(table.fold == fold))


def is_layout(root: Path) -> bool:
    """True for a folder of the data set."""
    return (root / TABLE).is_file()


def subset_of(labels: Sequence[str]) -> str:
    """The name of the subset that has so many classes."""
    return "esc10" if len(labels) == 10 else "esc50"


def _read_table(root: Path) -> Clips:
    path = root / TABLE
    if not path.is_file():
        raise InvalidData(f"{path}: no such file; give the folder of the extracted ESC-50 data set")
    try:
        return _checked(read_table(path, COLUMNS))
    except (ValueError, OverflowError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InvalidData(f"{path}: not the table of ESC-50 ({why}); take it from the data set again") from None


def _checked(rows: list[dict[str, str]]) -> Clips:
    """Raises ValueError for what the table cannot hold."""
    for number, row in enumerate(rows, 2):
        if not all(row[name] for name in COLUMNS):
            raise ValueError(f"row {number} lacks a value")
        if row["esc10"].lower() not in ("true", "false"):
            raise ValueError(f"row {number}: esc10 is {row['esc10']!r}, neither True nor False")
    pairs = {(row["target"], row["category"]) for row in rows}
    if not len(pairs) == len({target for target, _ in pairs}) == len({category for _, category in pairs}):
        raise ValueError("a target has several categories, or the other way round")
    file, category, source = (np.array([row[name] for row in rows], str) for name in ("file", "category", "src_file"))
    fold, target = (np.array([int(row[name]) for row in rows], np.int64) for name in ("fold", "target"))
    esc10, empty = np.array([row["esc10"].lower() == "true" for row in rows], bool), np.full(len(rows), "")
    return Clips(file, fold, target, category, esc10, source, empty, empty)


def _read_subset(root: Path, subset: str) -> Clips:
    """The table of a subset, its targets numbered from 0."""
    if subset not in SUBSETS:
        raise InvalidData(f"unknown subset {subset!r} of ESC-50: {nearest_names(subset, SUBSETS)}")
    table = _read_table(root)
    table = table.where(table.esc10) if subset == "esc10" else table
    if not len(table):
        raise InvalidData(f"{root / TABLE}: names no clip of {subset}; take it from the data set again")
    return replace(table, target=np.unique(table.target, return_inverse=True)[1])


def _with_paths(root: Path, table: Clips) -> Clips:
    return replace(table, path=np.array(_find_clips(root, table.file.tolist()), dtype=object))


def _splits(table: Clips, test_fold: int | None) -> np.ndarray:
    """The split of each row; "" for those of recordings that are tested under another class."""
    folds = sorted(set(table.fold.tolist()))
    if test_fold is not None and (test_fold not in folds or len(folds) < 2):
        asked = f"there must be fold {test_fold} to test on, and another"
        raise InvalidData(f"{asked}: of the folds to be split the table has {folds}")
    test = table.fold == test_fold if test_fold is not None else np.zeros(len(table), bool)
    splits = np.where(test, "test", np.where(np.isin(table.src_file, table.src_file[test]), "", "train")).astype("<U10")
    rng = np.random.default_rng(SPLIT_SEED)
    train = splits == "train"
    for target in np.unique(table.target[train]):
        own = table.src_file[train & (table.target == target)]
        held, wanted = [], round(VALIDATION_SHARE * len(own))
        for source in rng.permutation(np.unique(own))[:-1]:
            if np.isin(own, held).sum() < wanted:
                held.append(source)
        splits[np.isin(table.src_file, held) & train] = "validation"
    if not {"train", "validation"} <= set(splits):
        raise InvalidData("too few recordings to hold some out for validation; complete the data set")
    return splits


def _find_clips(root: Path, names: Sequence[str]) -> list[Path]:
    """The files of the table's names, whatever their endings and folders. Raises InvalidData."""
    found = {path.name: path for path in walk(root / "audio").recordings}
    names = [tidy_name(name).rpartition("/")[2] for name in names]
    means = named_files(names, found)
    missing = [stem_of(name) for name in names if not means[name]]
    if missing:
        raise InvalidData(
            f"{root / 'audio'}: {len(missing)} clips of the table are missing, such as {missing[0]}; "
            "complete the data set"
        )
    return [found[means[name][0]] for name in names]


def _identity(table: Clips) -> list[list]:
    return [[int(target), str(split)] for target, split in zip(table.target, table.split, strict=True)]


def _coloured_noise() -> list[np.ndarray]:
    """White, pink and brown noise, int16, always the same."""
    rng, count = np.random.default_rng(SPLIT_SEED), SAMPLING_RATE * NOISE_SECONDS
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLING_RATE), 20.0)
    found = []
    for exponent in COLOURS:
        noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * frequencies**-exponent, count)
        found.append(np.round(noise / noise.std() * NOISE_LEVEL).astype(np.int16))
    return found
