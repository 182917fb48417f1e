"""Who speaks in each recording, as far as names tell, and splits that no speaker is torn by.

A speaker is a part of the name, or a folder within a class:

    CLASS/SPEAKER_nohash_N.wav      as Speech Commands has it
    CLASS/SPEAKER/NAME.wav
    CLASS/SPEAKER_TAKE.wav          or SPEAKER-TAKE, also behind the name of the class, as in CLASS_SPEAKER_TAKE
    CLASS/speaker_SPEAKER_TAKE.wav      whatever all names begin with
    CLASS/TAKE_SPEAKER.wav              where a later part of the name has more values that repeat; told as a doubt

All but the first are taken for speakers only where a class has several: `take_1` and `take_2` are none. Folders go
before names, but where they are fewer and names are the same in several of them (sessions), what shares either stays
together. A recording without a known speaker stands for itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from supernet.data.recordings import HELD_PERCENT, Recording
from supernet.data.survey import SPLITS, Finding, find
from supernet.data.walk import alike, stem_of

__all__ = ["find_torn", "known_speakers", "split_by_speaker", "split_groups"]

LEAST_SPEAKERS = 3
"""In each class, from which on beginnings of names are taken for speakers."""
NOHASH = "_nohash_"
MARKS = re.compile(r"[-_ .(]")
"""What may follow a speaker; _ before all others."""
COMMON_SHARE = 0.95
"""Of names that have the same beginning, from which on it names nobody."""
CALLED = ("speaker", "spk", "spkr", "subject", "participant", "user", "client", "person", "id")
"""Beginnings of all names after which a single number is a speaker, not a take."""
MOST_TAKES = 10
"""What a number in front of others may count; beyond it, numbers are speakers."""
INDEX = re.compile(r"(take|t|rec|recording|clip|sample|trial|rep|no|nr)?\d*\)?", re.IGNORECASE)
"""What rather counts takes than names somebody."""
UNSURE = (
    "two parts of names or folders may be the speaker, so that one may be in several splits; give a table with a "
    "column speaker if it is not the first"
)
NOBODY = (
    "no speaker can be told from the names, so recordings are split by a hash of the name: one speaker may be in "
    "several splits; give a table with a column speaker"
)


def split_by_speaker(recordings: Sequence[Recording], findings: list[Finding]) -> str:
    """Put all recordings of a speaker into one split, by a hash of the speaker's name, and say by what rule.

    Speakers are the groups that a table gives, or else those of `known_speakers`; recordings without one are split by
    a hash of their own name.
    """
    given = any(item.group for item in recordings)
    speakers, doubts = (_by_group(recordings), []) if given else _told(recordings)
    known = set(speakers) - {""}
    if given and len(known) < LEAST_SPEAKERS:
        find(findings, f"fewer than {LEAST_SPEAKERS} speakers in the table, a split for each", sorted(known))
    elif len(known) < LEAST_SPEAKERS:
        _find_few(findings, recordings)
        speakers, doubts = [""] * len(recordings), []
    find(findings, UNSURE, doubts)
    groups, alone = defaultdict(list), []
    for item, speaker in zip(recordings, speakers, strict=True):
        groups[speaker or item.name].append(item)
        alone += [] if speaker else [item.name]
    split_groups(groups)
    return f"{_rule(findings, recordings, alone, given)} ({HELD_PERCENT} % validation, {HELD_PERCENT} % test)"


def _rule(findings: list[Finding], recordings: Sequence[Recording], alone: list[str], given: bool) -> str:
    """What the splits come from, with a finding of recordings without a speaker where others have one."""
    if len(alone) == len(recordings):
        return "a hash of the name"
    find(findings, "recordings without a known speaker, split by a hash of the name", alone)
    rest = f", else a hash of the name for {len(alone):,} of {len(recordings):,} recordings" if alone else ""
    return f"the speaker, as {'the table says' if given else 'names or folders say'}{rest}"


def find_torn(findings: list[Finding], recordings: Sequence[Recording]) -> None:
    """Add a finding of speakers whose recordings are in several splits, where others than we have fixed these."""
    given = any(item.group for item in recordings)
    splits = defaultdict(set)
    for item, speaker in zip(recordings, _by_group(recordings) if given else known_speakers(recordings), strict=True):
        splits[speaker].add(item.split)
    splits.pop("", None)
    torn = (
        f"{speaker} ({', '.join(split for split in SPLITS if split in own)})"
        for speaker, own in sorted(splits.items())
        if len(own) > 1
    )
    find(findings, "speakers that are in several splits, so that figures are too good", torn)


def known_speakers(recordings: Sequence[Recording]) -> list[str]:
    """The speaker of each recording, as names and folders tell; "" where they do not."""
    return _told(recordings)[0]


def _told(recordings: Sequence[Recording]) -> tuple[list[str], list[str]]:
    """The speaker of each recording, and what may have been taken for a speaker wrongly: this against that."""
    sure, folders, *parts = _candidates(recordings)
    names, doubts = _best_part(recordings, parts)
    likely, more = _together(_plausible(recordings, folders), names)
    return _one_spelling(_first_of(sure, likely)), doubts + more


def _first_of(*kinds: list[str]) -> list[str]:
    return [next(filter(None, found), "") for found in zip(*kinds, strict=True)]


def _best_part(recordings: Sequence[Recording], parts: list[list[str]]) -> tuple[list[str], list[str]]:
    """The first part of names, or a later one that has more groups; and a doubt, where the first may have been it.

    What counts takes is not preferred to what seems to be names, or to more numbers than MOST_TAKES.
    """
    first, *later = parts
    best = _plausible(recordings, first)
    rival = _stands_beside_others(recordings, first)
    named, doubts = rival and not _counts(first), []
    for part in later:
        likely = _plausible(recordings, part)
        if len(_groups(likely)) <= len(_groups(best)) or not _repeats(likely) or (named and _counts(part)):
            continue
        if _counts(part) and len(_groups(best)) > MOST_TAKES:
            doubts = [_against(best, likely)]
        else:
            best, named, doubts = likely, not _counts(part), [_against(likely, first)] if rival else []
    return best, doubts


def _stands_beside_others(recordings: Sequence[Recording], part: list[str]) -> bool:
    """Whether a class has several values of a part of names, each in several names."""
    count = Counter(part)
    classes = _by_class(recordings, part).values()
    return any(len({name for name in own if name and count[name] > 1}) > 1 for own in classes)


def _together(folders: list[str], names: list[str]) -> tuple[list[str], list[str]]:
    """Folders, else names; but what shares either, where folders are fewer and do not hold the same names apart."""
    places = defaultdict(set)
    for folder, name in zip(folders, names, strict=True):
        places[alike(name) or None].add(folder)
    places.pop(None, None)
    torn = any(len(found - {""}) > 1 for found in places.values())
    few = len(_groups(folders)) < len(_groups(names))
    if not (torn and few):
        return _first_of(folders, names), []
    joined = _joined(folders, names)
    enough = len(set(joined) - {""}) >= LEAST_SPEAKERS
    return joined if enough else _first_of(names, folders), [_against(names, folders)]


def _joined(folders: list[str], names: list[str]) -> list[str]:
    """One group for all that shares a folder or a name, directly or through others."""
    group: dict[str, str] = {}

    def root(key: str) -> str:
        while group.setdefault(key, key) != key:
            key = group[key]
        return key

    pairs = [[key for key in (folder, name) if key] for folder, name in zip(folders, names, strict=True)]
    for keys in pairs:
        if keys:
            group[root(keys[-1])] = root(keys[0])
    return [root(keys[0]) if keys else "" for keys in pairs]


def _groups(speakers: list[str]) -> list[int]:
    """How many recordings each speaker has that has several."""
    return [count for name, count in Counter(speakers).items() if name and count > 1]


def _repeats(speakers: list[str]) -> bool:
    """Whether a speaker has two recordings on average."""
    return sum(map(bool, speakers)) >= 2 * len(set(speakers) - {""})


def _counts(part: list[str]) -> bool:
    """Whether a part of names counts takes."""
    return all(map(INDEX.fullmatch, part))


def _against(taken: list[str], other: list[str]) -> str:
    return " rather than ".join(", ".join(sorted(set(found) - {""})[:3]) for found in (taken, other))


def split_groups(groups: dict[str, list[Recording]]) -> None:
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


def _find_few(findings: list[Finding], recordings: Sequence[Recording]) -> None:
    """Add a finding of what seem to be speakers, since several classes have them, but are too few to split by; or else
    of names in whose first parts recordings repeat, as they do where these are speakers.
    """
    sure, folders, first, *_ = _candidates(recordings)
    shared = {name for speakers in (sure, folders, first) for name in _shared(recordings, speakers)}
    repeated = sorted(name for name, count in Counter(first).items() if name and count > 1)
    if len(shared) < 2 and len(repeated) >= LEAST_SPEAKERS:
        find(findings, NOBODY, repeated)
    if len(shared) > 1:
        text = f"fewer than {LEAST_SPEAKERS} speakers in a class, so that each is in several splits"
        find(findings, text, sorted(shared))


def _shared(recordings: Sequence[Recording], speakers: list[str]) -> set[str]:
    """Those of several classes."""
    count = Counter(name for own in _by_class(recordings, speakers).values() for name in set(own) if name)
    return {name for name, classes in count.items() if classes > 1}


def _candidates(recordings: Sequence[Recording]) -> list[list[str]]:
    """What may be the speaker of each recording, the surest first: before `_nohash_`, a folder, the first part of the
    name, the second and the last.
    """
    kinds = [_by_nohash(item) for item in recordings], _folders(recordings), *_places(recordings)
    return list(map(_one_spelling, kinds))


def _plausible(recordings: Sequence[Recording], speakers: list[str]) -> list[str]:
    """Those that stand beside others in a class, one of them in two names; "" for the rest."""
    likely = set()
    for own in _by_class(recordings, speakers).values():
        names = set(own) - {""}
        likely |= names if len(names) >= min(LEAST_SPEAKERS, len(own)) else set()
    count = Counter(name for name in speakers if name in likely)
    return [name if count[name] and max(count.values()) > 1 else "" for name in speakers]


def _by_class(recordings: Sequence[Recording], speakers: list[str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for item, speaker in zip(recordings, speakers, strict=True):
        found[item.label].append(speaker)
    return found


def _by_group(recordings: Iterable[Recording]) -> list[str]:
    """The speaker of each recording, as the table says."""
    return _one_spelling([item.group.strip() for item in recordings])


def _one_spelling(speakers: list[str]) -> list[str]:
    """The same name for what differs in capitals only."""
    names: dict[str, str] = {}
    for speaker in sorted(set(speakers)):
        names.setdefault(alike(speaker), speaker)
    return [names[alike(speaker)] for speaker in speakers]


def _by_nohash(item: Recording) -> str:
    speaker, mark, _ = PurePosixPath(item.name).name.partition(NOHASH)
    return speaker if mark else ""


def _folders(recordings: Sequence[Recording]) -> list[str]:
    """Of each recording the first folder below its class and below what all have in common."""
    inner = [[part for part in PurePosixPath(item.name).parts[:-1] if part not in item.labels] for item in recordings]
    common = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, zip(*filter(None, inner), strict=False)))
    return [next(iter(parts[common:]), "") for parts in inner]


def _places(recordings: Sequence[Recording]) -> list[list[str]]:
    """The first, the second and the last part of each name, without what all begin with; "" where there is one part."""
    parts, least = [_parts(item) for item in recordings], 2
    while begin := _common(parts, least):
        parts = [own[1:] if own and alike(own[0]) == begin else own for own in parts]
        least = 1 if begin in CALLED else 2
    parts = [own if len(own) >= least else [] for own in parts]
    return [[own[place] if len(own) > max(place, 0) else "" for own in parts] for place in (0, 1, -1)]


def _common(parts: list[list[str]], least: int) -> str:
    """What nearly all names of several parts begin with, if anything."""
    count = Counter(alike(own[0]) for own in parts if len(own) >= max(least, 2))
    begin, most = max(count.items(), key=lambda pair: pair[1], default=("", 0))
    return begin if most >= COMMON_SHARE * count.total() else ""


def _parts(item: Recording) -> list[str]:
    """The parts of a name, between the same marks, without its class but at the end."""
    name = PurePosixPath(item.name).name
    stem = stem_of(name)
    if NOHASH in name:
        return [_by_nohash(item), ""]
    for label in item.labels:
        if alike(stem).startswith(alike(label)) and MARKS.match(stem[len(label) :]):
            stem = stem[len(label) + 1 :]
    mark = "_" if "_" in stem else next(iter(MARKS.findall(stem)), "_")
    parts = [part for part in stem.split(mark) if part]
    labels = set(map(alike, item.labels))
    return parts[:1] + [part for part in parts[1:-1] if alike(part) not in labels] + parts[1:][-1:]
