"""Any folder of classes as a task: recordings of any rate and length, in one folder a class.

    FOLDER/CLASS/NAME.wav                           or .flac, .ogg, .opus, .mp3, .aiff (see supernet.data.walk)
    FOLDER/validation_list.txt, testing_list.txt    CLASS/NAME.wav of each clip, one a line
    FOLDER/_background_noise_/                      long recordings: added to clips, and cut into a class _silence_

Splits come from a table (its column of splits, or of speakers), from the lists, from the speaker (see
supernet.data.speakers), or from a hash of the name, in this order. Recordings longer than a clip give several, all in
one split. What cannot be used is left out, and all that is found is reported in a `Survey` before anything is trained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from supernet.constants import CACHE, NOISE, SILENCE, UNKNOWN
from supernet.data.clips import ClipData, Split
from supernet.data.recordings import HELD_PERCENT, HELD_SHARE, LABELS, Recording, decode_recordings, heard_of, read_long
from supernet.data.speakers import find_torn, split_by_speaker
from supernet.data.survey import SPLITS, Finding, Survey, check_counts, find, find_left_out, find_thin
from supernet.data.table import LISTS, named_files, read_list, read_table, tidy_name
from supernet.data.walk import FORMATS, LeftOut, as_text, stem_of, twins, walk, walk_classes
from supernet.errors import InvalidData
from supernet.files import digest

__all__ = ["Finding", "Survey", "load_folder"]

SILENT_RMS = 10.0
"""Steps of 16 bits, root mean square, below which a recording is silent."""
BALANCE = 0.5
"""How far rarer classes are drawn more often (see ClipData)."""
GROUPS = ("speaker", "group")
"""Columns of a table that say which recordings belong together; one of them at most."""
GROUP_ALIASES = ("speaker_id", "client_id")
"""Other headers of such a column, of which the first counts where there is none of GROUPS."""
LONGEST_LABEL = 100


def load_folder(
    root: str | Path,
    table: str | Path | None = None,
    clip_ms: int = 1000,
    sampling_rate: int = 16_000,
    licence: str = "other",
    attribution: str = "the owner of the recordings",
    negatives: str | Path | None = None,
    cache: str | Path | None = None,
    channel: int | None = None,
) -> tuple[ClipData, Survey]:
    """The recordings under `root` as a task, decoded once and cached, and what was found in them.

    table: a CSV with the columns `file` (below root) and `label`, `split` where it fixes the splits, and `speaker` or
    `group` (else `speaker_id`, `client_id`) where it says which recordings must be in one split; labels with ; between
    them, and empty ones, make a task where a clip may have several. Rarer classes are drawn more often in training.
    negatives: a folder of recordings of any length in which no class is heard: windows of them are the class
    `_unknown_`, and the last fifth of each is held out. channel: hear this one of all recordings, from 1 on, not the
    mean of all. Raises InvalidData, with what was found, where nothing can be trained or measured.
    """
    root, samples, cache = Path(root), sampling_rate * clip_ms // 1000, Path(cache or CACHE)
    findings: list[Finding] = []
    left: list[LeftOut] = []
    if not root.is_dir():
        raise InvalidData(f"{root}: no such folder; give one that holds a folder of recordings for each class")
    if negatives and not Path(negatives).is_dir():
        raise InvalidData(f"{negatives}: no such folder; give one of recordings in which no class is heard")
    recordings = _from_table(root, Path(table), findings) if table else _from_folders(root, negatives, findings, left)
    noise = _long(root / NOISE, (sampling_rate, samples, channel), findings, left)
    others = _long(Path(negatives), (sampling_rate, 2 * samples, channel), findings, left) if negatives else {}
    both = [noise[key].name for key in noise.keys() & others.keys()]
    find(findings, f"recordings of {NOISE} that are negatives as well, taken for negatives alone", sorted(both))
    noise = [one.parts for key, one in noise.items() if key not in others]
    others = [one.parts for one in others.values()]
    find_left_out(findings, root, left)
    if negatives and not others:
        least = 2 * samples / sampling_rate / HELD_SHARE
        raise InvalidData(f"{negatives}: no recording of {least:g} s or more to learn from")
    held = {label: parts for label, parts in ((SILENCE, noise), (UNKNOWN, others)) if parts}
    audio, cut = decode_recordings(root, recordings, held, sampling_rate, samples, cache, channel)
    wanted = {label for item in recordings for label in item.labels}
    recordings = _usable(recordings, sampling_rate, findings)
    if not recordings:
        raise InvalidData("\n".join([*map(str, findings), f"{root}: no recording that can be used"]))
    several = any(len(item.labels) != 1 for item in recordings)
    rule = _split(root, recordings, findings)
    recordings = _without_copies(recordings, findings)
    labels = _labels(recordings, () if several else held)
    find(findings, "classes of which no recording can be used, left out", sorted(wanted.difference(labels)))
    find(findings, "names of classes that differ in capitals or spaces only, taken for different ones", twins(labels))
    splits = _splits(recordings, labels, cut, several)
    counts = {label: {name: _count(part, index) for name, part in splits.items()} for index, label in enumerate(labels)}
    find_thin(findings, counts)
    survey = Survey(root, rule, counts, tuple(findings))
    check_counts(survey, several)
    place = {label: index for index, label in enumerate(labels)}
    return ClipData(
        name=root.resolve().name,
        labels=tuple(labels),
        sampling_rate=sampling_rate,
        audio=audio,
        splits=splits,
        unknown=np.empty(0, dtype=np.int64),
        extra=round(len(splits["train"]) / len(labels)),
        noise=[head for head, _ in noise],
        unknown_class=None if several else place.get(UNKNOWN),
        silence_class=None if several else place.get(SILENCE),
        licence=licence,
        attribution=attribution,
        digest=digest([[item.name, item.label, item.split, item.digest] for item in recordings] + [heard_of(held)]),
        cache=cache,
        balance=BALANCE,
        negatives=[head for head, _ in others],
        held_negatives=[tail for _, tail in others],
        held_noise=[tail for _, tail in noise],
    ), survey


def _from_folders(
    root: Path, negatives: str | Path | None, findings: list[Finding], left: list[LeftOut]
) -> list[Recording]:
    classes = walk_classes(root, (UNKNOWN,), negatives)
    several = [name for name in classes.walks if LABELS in name]
    if several:
        raise InvalidData(f"{root / several[0]}: a class cannot have {LABELS} in its name; rename the folder")
    files = [(label, path) for label, found in classes.walks.items() for path in found.recordings]
    heard = [(label, path) for label, path in files if as_text(str(path)) == str(path)]
    apart = [name for name in classes.apart if name != NOISE]
    find(findings, "folders that begin with _ and are no classes, left out", map(_meant, apart))
    find(findings, "classes without a recording, left out", classes.empty)
    left += classes.left_out
    unnamed = (as_text(path.relative_to(root).as_posix()) for _, path in files if as_text(str(path)) != str(path))
    find(findings, "recordings whose names are not UTF-8, left out; rename them", unnamed)
    if not heard:
        find_left_out(findings, root, left)
        advice = f"put those of each class ({FORMATS}) into a folder of its own"
        raise InvalidData("\n".join([*map(str, findings), f"{root}: no recordings; {advice}"]))
    return [Recording(path.relative_to(root).as_posix(), label, path) for label, path in heard]


def _meant(name: str) -> str:
    """A name, with that which it differs from in capitals only."""
    known = [other for other in (NOISE, UNKNOWN) if twins([name], [other])]
    return f"{name} (rename it to {known[0]}, if it is that)" if known else name


def _from_table(root: Path, table: Path, findings: list[Finding]) -> list[Recording]:
    rows = read_table(table, ("file", "label"))
    if not rows:
        raise InvalidData(f"{table}: no rows; give one for each recording")
    groups = [column for column in GROUPS if column in rows[0]]
    if len(groups) > 1:
        raise InvalidData(f"{table}: has the columns {' and '.join(groups)}; give one of them")
    groups = groups or [column for column in GROUP_ALIASES if column in rows[0]]
    unread = [column for column in rows[0] if column not in ("", "file", "label", "split", *groups[:1])]
    find(findings, "columns of the table that are not read", unread, harmless=True)
    files = _files_of(root, [_name_below(root, table, row["file"]) for row in rows])
    recordings = []
    for row, file in zip(rows, files, strict=True):
        split = row.get("split", "").strip().lower()
        if "split" in row and split not in SPLITS:
            raise InvalidData(f"{table}: split {row['split']!r} of {row['file']} is not one of {', '.join(SPLITS)}")
        group = row[groups[0]] if groups else ""
        recordings.append(Recording(file, row["label"], root / file, split, group))
    if not any(item.labels for item in recordings):
        raise InvalidData(f"{table}: no recording has a label; fill the column label")
    return recordings


def _name_below(root: Path, table: Path, text: str) -> str:
    """The name of a file below the folder, of what a table says."""
    name = tidy_name(text)
    for place in (root.absolute(), root.resolve()):
        name = name.removeprefix(f"{place.as_posix()}/")
    if not name or name == ".." or name.startswith(("/", "../")):
        raise InvalidData(f"{table}: {text.strip() or 'an empty name of a file'} is not below {root}")
    return name


def _files_of(root: Path, names: list[str]) -> list[str]:
    """The files that a table means: another ending, where there is none of the name."""
    if all((root / name).is_file() for name in names):
        return names
    there = (path.relative_to(root).as_posix() for path in walk(root).recordings)
    means = named_files(names, there)
    return [name if (root / name).is_file() else next(iter(means[name]), name) for name in names]


class _Long(NamedTuple):
    """A long recording: its name, and the parts of it for training and for the other splits."""

    name: str
    parts: tuple[np.ndarray, np.ndarray]


def _long(
    folder: Path, wanted: tuple[int, int, int | None], findings: list[Finding], left: list[LeftOut]
) -> dict[str, _Long]:
    """The long recordings in a folder, each once, by digests of what is heard. wanted: rate, samples and channel (see
    read_long).
    """
    rate, samples, _ = wanted
    found = walk(folder)
    left += found.left_out
    parts, short = read_long(found, *wanted)
    least = samples / rate / HELD_SHARE
    once: dict[str, _Long] = {}
    copies = []
    for path, own in parts.items():
        one = _Long(_name_in(folder, path), own)
        if once.setdefault(digest([digest(part.tobytes()) for part in own]), one) is not one:
            copies.append(one.name)
    names = (_name_in(folder, path) for path in short)
    find(findings, f"recordings in {folder.name} that are unreadable or shorter than {least:g} s, left out", names)
    find(findings, f"recordings in {folder.name} that are copies of others, left out", copies)
    return once


def _name_in(folder: Path, path: Path) -> str:
    return as_text(path.relative_to(folder).as_posix())


def _usable(recordings: list[Recording], rate: int, findings: list[Finding]) -> list[Recording]:
    """Those that can be read and heard."""
    readable = [item for item in recordings if not item.error]
    silent = {item for item in readable if max(item.rms) < SILENT_RMS}
    find(findings, "unreadable recordings, left out", (item.error for item in recordings if item.error))
    find(findings, "recordings of silence only, left out", sorted(item.name for item in silent))
    usable = [item for item in readable if item not in silent]
    low = (item.name for item in usable if item.rate < rate)
    find(findings, f"recordings below {rate} Hz, which lack what others have, used all the same", low)
    long = (item.name for item in usable if item.windows > 1)
    find(findings, "recordings longer than a clip, cut into several", long)
    return usable


def _split(root: Path, recordings: list[Recording], findings: list[Finding]) -> str:
    """Put each recording into a split, where a table has not, and say by what rule."""
    if any(item.split for item in recordings):
        rule = "the table's column split"
    elif any(item.group for item in recordings):
        find(findings, "lists that are not used, since the table says who speaks", map(LISTS.get, _listed(root)))
        return split_by_speaker(recordings, findings)
    elif not (listed := _listed(root)):
        return split_by_speaker(recordings, findings)
    else:
        rule = _split_as_listed(recordings, listed, findings)
    find_torn(findings, recordings)
    return rule


def _split_as_listed(recordings: list[Recording], listed: dict[str, tuple[str, ...]], findings: list[Finding]) -> str:
    names = {split: named_files(lines, (item.name for item in recordings)) for split, lines in listed.items()}
    missing = {stem_of(line) for files in names.values() for line, found in files.items() if not found}
    find(findings, "lines of the lists that name no recording that is used", sorted(missing))
    files = {split: {file for found in own.values() for file in found} for split, own in names.items()}
    both = set.intersection(*files.values()) if len(files) > 1 else set()
    find(findings, "recordings in both lists, taken for validation", sorted(both))
    for item in recordings:
        item.split = next((split for split, own in files.items() if item.name in own), "train")
    return " and ".join(LISTS[split] for split in listed) + "".join(
        f", {split} by {_split_off(split, recordings, findings)}" for split in LISTS if split not in listed
    )


def _split_off(split: str, recordings: list[Recording], findings: list[Finding]) -> str:
    """Draw the split that no list names from what the other list leaves, and say by what rule."""
    rest = [item for item in recordings if item.split == "train"]
    rule, _, _ = split_by_speaker(rest, findings).partition(" (")
    for item in rest:
        item.split = split if item.split == split else "train"
    return f"{rule} ({HELD_PERCENT} % of the rest)"


def _listed(root: Path) -> dict[str, tuple[str, ...]]:
    """Split -> the lines of its list, of the lists that are there."""
    return {name: read_list(root / file) for name, file in LISTS.items() if (root / file).is_file()}


def _without_copies(recordings: list[Recording], findings: list[Finding]) -> list[Recording]:
    """One of each recording that is there more than once, that of the test before that of validation and training."""
    same = defaultdict(list)
    for item in sorted(recordings, key=lambda item: -SPLITS.index(item.split)):
        same[item.digest].append(item)
    torn = {item for items in same.values() if len({item.labels for item in items}) > 1 for item in items}
    copies = [item for items in same.values() for item in items[1:] if item not in torn]
    crossing = [item for item in copies if item.split != same[item.digest][0].split]
    find(findings, "the same recording in two classes, left out", sorted(item.name for item in torn))
    find(findings, "copies of clips of another split, left out", (item.name for item in crossing))
    find(findings, "copies, left out", sorted(item.name for item in set(copies).difference(crossing)))
    return [item for item in recordings if item not in torn.union(copies)]


def _labels(recordings: list[Recording], held: Iterable[str]) -> list[str]:
    """All classes by name, those of no word or sound of interest last. Raises InvalidData for a name of no use."""
    own = {label for item in recordings for label in item.labels} | set(held)
    for label in own:
        if not label.isprintable() or len(label) > LONGEST_LABEL:
            raise InvalidData(f"class {label[:80]!r} is not possible: give up to {LONGEST_LABEL} printable characters")
    last = (UNKNOWN, SILENCE)
    return sorted(own.difference(last)) + [label for label in last if label in own]


def _splits(
    recordings: list[Recording], labels: list[str], cut: dict[str, list[tuple[int, str]]], several: bool
) -> dict[str, Split]:
    """Rows and targets of each split, with the clips of held-out parts, which have no label where several may."""
    place, splits = {label: index for index, label in enumerate(labels)}, {}
    for name in SPLITS:
        pairs = [(row, item.labels) for item in recordings if item.split == name for row in item.rows]
        pairs += [(row, () if several else (label,)) for row, label in cut[name]]
        one_of = np.zeros((len(pairs), len(labels)), dtype=np.float32)
        for row, (_, own) in zip(one_of, pairs, strict=True):
            row[[place[label] for label in own]] = 1
        rows = np.array([row for row, _ in pairs], dtype=np.int64)
        splits[name] = Split(rows, one_of if several else one_of.argmax(1))
    return splits


def _count(split: Split, index: int) -> int:
    """Clips of a class."""
    return int((split.targets[:, index] if split.targets.ndim > 1 else split.targets == index).sum())
