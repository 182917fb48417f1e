"""Who speaks in each recording, as far as names tell, and splits that no speaker is torn by.

A speaker is what names begin with, or a folder within a class:

    CLASS/SPEAKER_nohash_N.wav      as Speech Commands has it
    CLASS/SPEAKER/NAME.wav
    CLASS/SPEAKER_TAKE.wav          or SPEAKER-TAKE, also behind the name of the class, as in CLASS_SPEAKER_TAKE

The last two are taken for speakers only where a class has several: `take_1` and `take_2` are none. A recording without
a known speaker stands for itself.
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


def split_by_speaker(recordings: Sequence[Recording], findings: list[Finding]) -> str:
    """Put all recordings of a speaker into one split, by a hash of the speaker's name, and say by what rule.

    Speakers are the groups that a table gives, or else those of `known_speakers`; recordings without one are split by
    a hash of their own name.
    """
    given = any(item.group for item in recordings)
    speakers = _by_group(recordings) if given else known_speakers(recordings)
    known = set(speakers) - {""}
    if given and len(known) < LEAST_SPEAKERS:
        find(findings, f"fewer than {LEAST_SPEAKERS} speakers in the table, a split for each", sorted(known))
    elif len(known) < LEAST_SPEAKERS:
        _find_few(findings, recordings)
        speakers = [""] * len(recordings)
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
    sure, *likely = _candidates(recordings)
    kinds = [sure, *(_plausible(recordings, speakers) for speakers in likely)]
    return _one_spelling([next(filter(None, found), "") for found in zip(*kinds, strict=True)])


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
    """Add a finding of what seem to be speakers, since several classes have them, but are too few to split by."""
    shared = {name for speakers in _candidates(recordings) for name in _shared(recordings, speakers)}
    if len(shared) > 1:
        text = f"fewer than {LEAST_SPEAKERS} speakers in a class, so that each is in several splits"
        find(findings, text, sorted(shared))


def _shared(recordings: Sequence[Recording], speakers: list[str]) -> set[str]:
    """Those of several classes."""
    count = Counter(name for own in _by_class(recordings, speakers).values() for name in set(own) if name)
    return {name for name, classes in count.items() if classes > 1}


def _candidates(recordings: Sequence[Recording]) -> list[list[str]]:
    """What may be the speaker of each recording, the surest first: before `_nohash_`, a folder, what the name begins
    with.
    """
    kinds = [_by_nohash(item) for item in recordings], _folders(recordings), [_begin(item) for item in recordings]
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


def _begin(item: Recording) -> str:
    """What the name of a recording begins with, behind its class."""
    stem = stem_of(PurePosixPath(item.name).name)
    for label in item.labels:
        if alike(stem).startswith(alike(label)) and MARKS.match(stem[len(label) :]):
            stem = stem[len(label) + 1 :]
    mark = "_" if "_" in stem else next(iter(MARKS.findall(stem)), None)
    return stem.partition(mark)[0] if mark else ""
