"""Any folder of classes as a task: recordings of any rate and length, in one folder a class.

    FOLDER/CLASS/NAME.wav                           or .flac, .ogg, .opus, .mp3
    FOLDER/validation_list.txt, testing_list.txt    CLASS/NAME.wav of each clip, one a line
    FOLDER/_background_noise_/                      long recordings: added to clips, and cut into a class _silence_

Splits come from a table, from the lists, from the speaker that names begin with, or from a hash of the name, in this
order. Recordings longer than a clip give several, all in one split. What cannot be used is left out, and all that is
found is reported in a `Survey` before anything is trained.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from tqdm import tqdm

from supernet.constants import CACHE, SILENCE, UNKNOWN
from supernet.data.audio import EXTENSIONS, prepare_samples, read_audio, to_int16
from supernet.data.clips import ClipData, Split, cached_array, cut_noise, random_cut
from supernet.data.speech_commands import LISTS, NOISE, read_list
from supernet.errors import InvalidAudio, InvalidData
from supernet.files import digest, read_json, write_json

__all__ = ["Finding", "Survey", "load_folder"]

SPLITS = ("train", "validation", "test")
HELD_PERCENT = 10
"""Of the speakers or names that validation gets by hash, and the test as many."""
HELD_SHARE = 0.2
"""Of each long recording, at its end."""
LEAST_SPEAKERS = 3
"""Different beginnings of names in each class, from which on they are taken for speakers."""
SILENT_RMS, QUIET_WINDOW = 10.0, 0.01
"""Steps of 16 bits, root mean square, below which a recording is silent; share of the loudest window below which
another one is left out."""
BALANCE = 0.5
"""How far rarer classes are drawn more often (see ClipData)."""
FEWEST = {"train": 15, "validation": 3, "test": 3}
"""Clips of a class below which a finding says so."""
LONGEST_SECONDS = 24 * 3600
CUT_SEED = 2021
SEPARATOR, LONGEST_LABEL, SHOWN = ";", 100, 5


@dataclass(frozen=True)
class Finding:
    """Something that the owner of the data should know: what it is and what was done, and the files or classes."""

    text: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.names) - SHOWN} more" if len(self.names) > SHOWN else ""
        return f"{self.text}: {', '.join(self.names[:SHOWN])}{more}"


@dataclass(frozen=True)
class Survey:
    """What a folder holds. rule: where the splits come from. counts: clips by class and split.

    Clips of noise and of negatives are not counted in training, where they are drawn anew in each epoch.
    """

    root: Path
    rule: str
    counts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        width = max(map(len, self.counts))
        rows = [f"{self.root}: splits by {self.rule}", f"  {'class':{width}} {'train':>7} {'valid.':>7} {'test':>7}"]
        for label, count in self.counts.items():
            drawn = label in (SILENCE, UNKNOWN) and not count["train"]
            train = "  drawn" if drawn else f"{count['train']:7,}"
            rows.append(f"  {label:{width}} {train} {count['validation']:7,} {count['test']:7,}")
        return "\n".join(rows + [f"  found: {finding}" for finding in self.findings])


@dataclass(eq=False)
class _Recording:
    """A file of a class, and what was found when it was decoded.

    first, windows: its rows in the audio. rms: of each, in steps of 16 bits. error: why it cannot be read.
    """

    name: str
    label: str
    path: Path
    split: str = ""
    first: int = 0
    windows: int = 0
    rms: tuple[float, ...] = ()
    rate: int = 0
    digest: str = ""
    error: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, where the table gives several with ; between them."""
        return tuple(part.strip() for part in self.label.split(SEPARATOR) if part.strip())

    @property
    def rows(self) -> list[int]:
        """Rows of the windows that are not much quieter than the loudest."""
        loud = QUIET_WINDOW * max(self.rms, default=0.0)
        return [self.first + index for index, rms in enumerate(self.rms) if rms >= loud]


def load_folder(
    root: str | Path,
    table: str | Path | None = None,
    clip_ms: int = 1000,
    sampling_rate: int = 16_000,
    licence: str = "other",
    attribution: str = "the owner of the recordings",
    negatives: str | Path | None = None,
    cache: str | Path | None = None,
) -> tuple[ClipData, Survey]:
    """The recordings under `root` as a task, decoded once and cached, and what was found in them.

    table: a CSV with the columns `file` (below root) and `label`, and `split` where it fixes the splits; labels with ;
    between them, and empty ones, make a task where a clip may have several. Rarer classes are drawn more often in
    training. negatives: a folder of recordings of any length in which no class is heard: windows of them are the class
    `_unknown_`, and the last fifth of each is held out. Raises InvalidData, with what was found, where nothing can be
    trained or measured.
    """
    root, samples, cache = Path(root), sampling_rate * clip_ms // 1000, Path(cache or CACHE)
    findings: list[Finding] = []
    if not root.is_dir():
        raise InvalidData(f"{root}: no such folder; give one that holds a folder of recordings for each class")
    recordings = _from_table(root, Path(table)) if table else _from_folders(root, negatives, findings)
    noise = _long(root / NOISE, sampling_rate, samples, findings)
    others = _long(Path(negatives), sampling_rate, 2 * samples, findings) if negatives else []
    if negatives and not others:
        least = 2 * samples / sampling_rate / HELD_SHARE
        raise InvalidData(f"{negatives}: no recording of {least:g} s or more to learn from")
    held = {label: parts for label, parts in ((SILENCE, noise), (UNKNOWN, others)) if parts}
    audio, cut = _decode(root, recordings, held, sampling_rate, samples, cache)
    recordings = _usable(recordings, sampling_rate, findings)
    if not recordings:
        raise InvalidData("\n".join([*map(str, findings), f"{root}: no recording that can be used"]))
    several = any(len(item.labels) != 1 for item in recordings)
    rule = _split(root, recordings, findings)
    recordings = _without_copies(recordings, findings)
    labels = _labels(recordings, () if several else held)
    splits = _splits(recordings, labels, cut, several)
    counts = {label: {name: _count(part, index) for name, part in splits.items()} for index, label in enumerate(labels)}
    survey = Survey(root, rule, counts, (*findings, *_thin(counts)))
    _check(survey, several)
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
        digest=digest([[item.name, item.label, item.split, item.digest] for item in recordings] + [_heard(held)]),
        cache=cache,
        balance=BALANCE,
        negatives=[head for head, _ in others],
        held_negatives=[tail for _, tail in others],
        held_noise=[tail for _, tail in noise],
    ), survey


def _from_folders(root: Path, negatives: str | Path | None, findings: list[Finding]) -> list[_Recording]:
    recordings, empty, others, reserved = [], [], [], []
    apart = Path(negatives).resolve() if negatives else None
    others += [path.name for path in sorted(root.iterdir()) if path.suffix.lower() in EXTENSIONS]
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name in (NOISE,) or folder.resolve() == apart or folder.name.startswith("."):
            continue
        if folder.name.startswith("_") and folder.name != UNKNOWN:
            reserved.append(folder.name)
            continue
        if SEPARATOR in folder.name:
            raise InvalidData(f"{folder}: a class cannot have {SEPARATOR} in its name; rename the folder")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        heard = [path for path in files if path.suffix.lower() in EXTENSIONS and _is_text(path)]
        others += [str(path.relative_to(root)) for path in sorted(set(files).difference(heard))]
        empty += [] if heard else [folder.name]
        recordings += [_Recording(path.relative_to(root).as_posix(), folder.name, path) for path in heard]
    _find(findings, "folders that begin with _ and are no classes, left out", reserved)
    _find(findings, "classes without a recording, left out", empty)
    _find(findings, f"files that are in no class or not {', '.join(EXTENSIONS)}, left out", map(_as_text, others))
    if not recordings:
        raise InvalidData(
            f"{root}: no recordings; put those of each class ({' '.join(EXTENSIONS)}) into a folder of its own"
        )
    return recordings


def _is_text(path: Path) -> bool:
    return _as_text(str(path)) == str(path)


def _as_text(name: str) -> str:
    """A name with what is not UTF-8 in it made visible."""
    return name.encode("utf-8", "backslashreplace").decode()


def _from_table(root: Path, table: Path) -> list[_Recording]:
    try:
        rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InvalidData(f"{table}: not a readable CSV ({error})") from None
    missing = {"file", "label"} - set(rows.columns)
    if missing:
        raise InvalidData(f"{table}: no column {' and '.join(sorted(missing))}; it has {', '.join(rows.columns)}")
    if rows.empty:
        raise InvalidData(f"{table}: no rows; give one for each recording")
    recordings = []
    for row in rows.itertuples():
        path, split = root / row.file, getattr(row, "split", "")
        if not path.resolve().is_relative_to(root.resolve()):
            raise InvalidData(f"{table}: {row.file} is not below {root}")
        if "split" in rows and split not in SPLITS:
            raise InvalidData(f"{table}: split {split!r} of {row.file} is not one of {', '.join(SPLITS)}")
        recordings.append(_Recording(row.file, row.label, path, split))
    return recordings


def _find(findings: list[Finding], text: str, names: Iterable[str]) -> None:
    names = tuple(names)
    if names:
        findings.append(Finding(text, names))


def _long(folder: Path, rate: int, samples: int, findings: list[Finding]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The part of each long recording in a folder for training, and the part that is held out: int16."""
    parts, left = [], []
    for path in sorted(item for item in folder.rglob("*") if item.suffix.lower() in EXTENSIONS):
        try:
            heard = to_int16(prepare_samples(*read_audio(path), rate, str(path)))
        except InvalidAudio:
            heard = np.empty(0, np.int16)
        first = int(len(heard) * (1 - HELD_SHARE))
        if len(heard) - first >= samples:
            parts.append((heard[:first], heard[first:]))
        else:
            left.append(path.relative_to(folder).as_posix())
    least = samples / rate / HELD_SHARE
    _find(findings, f"recordings in {folder.name} that are unreadable or shorter than {least:g} s, left out", left)
    return parts


Held = dict[str, list[tuple[np.ndarray, np.ndarray]]]
"""Label -> the parts of each long recording."""


def _heard(held: Held) -> list:
    """What the long recordings sound like, for digests."""
    return [[label, *(digest(part.tobytes()) for pair in pairs for part in pair)] for label, pairs in held.items()]


def _decode(
    root: Path, recordings: list[_Recording], held: Held, rate: int, samples: int, cache: Path
) -> tuple[np.ndarray, dict[str, list[tuple[int, str]]]]:
    """Decode all recordings into a file of the cache, or find them there, and fill in what was found in each.

    Returns the audio (rows, samples) int16, memory-mapped, and rows with labels of clips that validation and test get
    of the held-out parts.
    """
    rows = _place(recordings, rate, samples)
    count = max(1, round(rows * HELD_PERCENT / 100 / len({item.label for item in recordings})))
    cuts = [(split, label) for split in SPLITS[1:] for label in held for _ in range(count)]
    files = [_identity(item.path) for item in recordings]
    path = cache / "audio" / f"{digest([str(root.resolve()), rate, samples, files, count, _heard(held)])}.npy"

    def fill(audio: np.ndarray) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            facts = threads.map(lambda item: _decode_one(item, audio, rate, samples), recordings)
            facts = list(tqdm(facts, "decoding recordings", len(recordings), unit=" files", mininterval=1))
        rng = np.random.default_rng(CUT_SEED)
        for row, (split, label) in enumerate(cuts, rows):
            audio[row] = _cut(held[label], split, label, rng, samples)
        write_json(path.with_suffix(".json"), facts)

    audio = cached_array(path, (rows + len(cuts), samples), np.int16, fill)
    for item, facts in zip(recordings, read_json(path.with_suffix(".json")), strict=True):
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


def _place(recordings: list[_Recording], rate: int, samples: int) -> int:
    """Give each recording its rows, by the length that its header states, and return how many there are."""
    rows = 0
    for item in recordings:
        try:
            information = soundfile.info(item.path)
            seconds = information.frames / information.samplerate
        except (soundfile.SoundFileError, OSError):
            seconds = 0.0
        if seconds > LONGEST_SECONDS:
            seconds, item.error = 0.0, f"{item.path}: longer than {LONGEST_SECONDS / 3600:g} hours; cut it first"
        item.first, item.windows = rows, max(1, round(seconds * rate / samples))
        rows += item.windows
    return rows


def _identity(path: Path) -> list:
    try:
        status = path.stat()
    except OSError:
        return [str(path)]
    return [str(path), status.st_size, status.st_mtime_ns]


def _decode_one(item: _Recording, audio: np.ndarray, rate: int, samples: int) -> dict:
    """Fill the rows of one recording; of one that is little longer than a clip, the loudest part."""
    if item.error:
        return {"rms": [], "rate": 0, "digest": "", "error": item.error}
    try:
        heard, own_rate = read_audio(item.path)
        mono = prepare_samples(heard, own_rate, rate, str(item.path))
    except InvalidAudio as error:
        return {"rms": [], "rate": 0, "digest": "", "error": str(error)}
    clip = to_int16(mono)
    whole = digest(clip.tobytes())
    if item.windows == 1 and len(clip) > samples:
        power = np.concatenate([[0.0], np.cumsum(clip.astype(float) ** 2)])
        start = int((power[samples:] - power[:-samples]).argmax())
        clip = clip[start : start + samples]
    padded = np.pad(clip[: item.windows * samples], (0, max(0, item.windows * samples - len(clip))))
    rows = padded.reshape(item.windows, samples)
    audio[item.first : item.first + item.windows] = rows
    return {"rms": np.sqrt((rows.astype(float) ** 2).mean(1)).tolist(), "rate": own_rate, "digest": whole, "error": ""}


def _usable(recordings: list[_Recording], rate: int, findings: list[Finding]) -> list[_Recording]:
    """Those that can be read and heard."""
    readable = [item for item in recordings if not item.error]
    silent = {item for item in readable if max(item.rms) < SILENT_RMS}
    _find(findings, "unreadable recordings, left out", (item.error for item in recordings if item.error))
    _find(findings, "recordings of silence only, left out", sorted(item.name for item in silent))
    usable = [item for item in readable if item not in silent]
    low = (item.name for item in usable if item.rate < rate)
    _find(findings, f"recordings below {rate} Hz, which lack what others have, used all the same", low)
    long = (item.name for item in usable if item.windows > 1)
    _find(findings, "recordings longer than a clip, cut into several", long)
    return usable


def _split(root: Path, recordings: list[_Recording], findings: list[Finding]) -> str:
    """Put each recording into a split, where a table has not, and say by what rule."""
    if any(item.split for item in recordings):
        return "the table's column split"
    listed = _listed(root)
    if listed:
        stems = {item.name.rsplit(".", 1)[0] for item in recordings}
        unmatched = sorted(set().union(*listed.values()) - stems)
        _find(findings, "lines of the lists that name no recording that is used", unmatched)
        for item in recordings:
            stem = item.name.rsplit(".", 1)[0]
            item.split = next((name for name, names in listed.items() if stem in names), "train")
        return " and ".join(LISTS.values())
    speakers = _has_speakers(recordings)
    groups = defaultdict(list)
    for item in recordings:
        groups[Path(item.name).stem.split("_")[0] if speakers else item.name].append(item)
    _split_groups(groups)
    what = "the speaker, which is what names have before the first _" if speakers else "a hash of the name"
    return f"{what} ({HELD_PERCENT} % validation, {HELD_PERCENT} % test)"


def _listed(root: Path) -> dict[str, frozenset[str]]:
    """Split -> CLASS/NAME without its ending, as the lists say; nothing where there are none."""
    there = [file for file in LISTS.values() if (root / file).is_file()]
    if there and len(there) < len(LISTS):
        raise InvalidData(f"{root}: {there[0]} without the other list; give both {' and '.join(LISTS.values())}")
    return {name: read_list(root / file) for name, file in LISTS.items()} if there else {}


def _has_speakers(recordings: list[_Recording]) -> bool:
    """True where the names of every class begin with several different things, and one of them stands in two names."""
    begins = defaultdict(Counter)
    for item in recordings:
        begin, mark, _ = Path(item.name).stem.partition("_")
        begins[item.label][begin if mark else ""] += 1
    several = all("" not in count and len(count) >= min(LEAST_SPEAKERS, count.total()) for count in begins.values())
    together = sum(begins.values(), Counter())
    return several and max(together.values()) > 1


def _split_groups(groups: dict[str, list[_Recording]]) -> None:
    """Split by a hash of the groups' names, then move groups into splits that a class of three or more lacks.

    A group moves only where no class loses its last one in a split by it.
    """
    rank = {name: int(hashlib.sha256(name.encode()).hexdigest(), 16) for name in groups}
    place = {name: _by_hash(rank[name] % 100) for name in groups}
    labels = {name: {label for item in items for label in item.labels} for name, items in groups.items()}
    classes = defaultdict(list)
    for name in sorted(groups, key=rank.__getitem__):
        for label in labels[name]:
            classes[label].append(name)
    filled = Counter((label, place[name]) for name in groups for label in labels[name])
    for label in sorted(label for label, names in classes.items() if len(names) >= len(SPLITS)):
        for split in SPLITS:
            spare = (name for name in classes[label] if all(filled[other, place[name]] > 1 for other in labels[name]))
            moved = None if filled[label, split] else next(spare, None)
            if moved:
                filled.subtract((other, place[moved]) for other in labels[moved])
                filled.update((other, split) for other in labels[moved])
                place[moved] = split
    for name, items in groups.items():
        for item in items:
            item.split = place[name]


def _by_hash(percent: int) -> str:
    return "validation" if percent < HELD_PERCENT else "test" if percent < 2 * HELD_PERCENT else "train"


def _without_copies(recordings: list[_Recording], findings: list[Finding]) -> list[_Recording]:
    """One of each recording that is there more than once, that of the test before that of validation and training."""
    same = defaultdict(list)
    for item in sorted(recordings, key=lambda item: -SPLITS.index(item.split)):
        same[item.digest].append(item)
    torn = {item for items in same.values() if len({item.labels for item in items}) > 1 for item in items}
    copies = [item for items in same.values() for item in items[1:] if item not in torn]
    crossing = [item for item in copies if item.split != same[item.digest][0].split]
    _find(findings, "the same recording in two classes, left out", sorted(item.name for item in torn))
    _find(findings, "copies of clips of another split, left out", (item.name for item in crossing))
    _find(findings, "copies, left out", sorted(item.name for item in set(copies).difference(crossing)))
    return [item for item in recordings if item not in torn.union(copies)]


def _labels(recordings: list[_Recording], held: Iterable[str]) -> list[str]:
    """All classes by name, those of no word or sound of interest last. Raises InvalidData for a name of no use."""
    own = {label for item in recordings for label in item.labels} | set(held)
    for label in own:
        if not label.isprintable() or len(label) > LONGEST_LABEL:
            raise InvalidData(f"class {label[:80]!r} is not possible: give up to {LONGEST_LABEL} printable characters")
    last = (UNKNOWN, SILENCE)
    return sorted(own.difference(last)) + [label for label in last if label in own]


def _splits(
    recordings: list[_Recording], labels: list[str], cut: dict[str, list[tuple[int, str]]], several: bool
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


def _thin(counts: dict[str, dict[str, int]]) -> list[Finding]:
    """Classes that cannot be learned or measured."""
    findings: list[Finding] = []
    spoken = {label: count for label, count in counts.items() if label not in (SILENCE, UNKNOWN)}
    for name, why in zip(SPLITS, ("learned", "chosen by", "measured"), strict=True):
        _find(findings, f"classes without a {name} clip, so not {why}", (k for k, v in spoken.items() if not v[name]))
    for name, fewest in FEWEST.items():
        few = (label for label, count in spoken.items() if 0 < count[name] < fewest)
        _find(findings, f"classes of fewer than {fewest} {name} clips", few)
    return findings


def _check(survey: Survey, several: bool) -> None:
    spoken = {label: count for label, count in survey.counts.items() if label not in (SILENCE, UNKNOWN)}
    learned = [label for label, count in spoken.items() if count["train"]]
    if not learned or len(learned) + len(survey.counts.keys() & {SILENCE, UNKNOWN}) + several < 2:
        raise InvalidData(f"{survey}\n{survey.root}: {len(learned)} classes with a training clip; give two or more")
    for name in SPLITS[1:]:
        if not any(count[name] for count in spoken.values()):
            raise InvalidData(f"{survey}\n{survey.root}: no {name} clip; add recordings or give a table of splits")
