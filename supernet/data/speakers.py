"""Who speaks in each recording, as far as names tell, and splits that no speaker is torn by.

A speaker is a part of the name, or a folder within a class:

    CLASS/SPEAKER_nohash_N.wav      as Speech Commands has it
    CLASS/SPEAKER/NAME.wav
    CLASS/SPEAKER_TAKE.wav          or SPEAKER-TAKE, also behind the name of the class, as in CLASS_SPEAKER_TAKE
    CLASS/speaker_SPEAKER_TAKE.wav      whatever all names begin with
    CLASS/TAKE_SPEAKER.wav              where a later part of the name has more values that repeat; told as a doubt
    CLASS/CLASS_SPEAKER.wav             or CLASSSPEAKER_TAKE, where all names of a class begin or end with it
    CLASS/SPEAKERTAKE.wav               letters before a number, where names tell no more, as in ann1 and AnnTake1

All but the first are taken for speakers only where a class has several: `take_1` and `take_2` are none. Of two numbers
the first is the speaker; where the second has more values, that is told as a doubt. A number that stands once in each
class, as in 3_CLASS, may be a speaker or a take: recordings of the same number stay together, and that is said. Folders
go before names, but where they are fewer and names are the same in several of them (sessions), what shares either stays
together. A recording without a known speaker stands for itself.
"""

from __future__ import annotations

import hashlib
import posixpath
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
BETWEEN = "-_ ."
"""What stands between a class and a speaker that it is glued to, if anything."""
COMMON_SHARE = 0.95
"""Of names that have the same beginning, or their class at an end, from which on it names nobody."""
CALLED = ("speaker", "spk", "spkr", "subject", "participant", "user", "client", "person", "id")
"""Beginnings of all names after which a single number is a speaker, not a take."""
MOST_TAKES = 10
"""What a number in front of others may count where the class stands between them; beyond it, numbers are speakers."""
GLUED = re.compile(r"([^-_ .(\d]{2,}?)(Take|Rec|Recording|Clip|Sample|Trial|Rep)?\d+\)?")
"""A name of one part: letters, and the number of a take."""
INDEX = re.compile(r"(take|t|rec|recording|clip|sample|trial|rep|no|nr)?\d*\)?", re.IGNORECASE)
"""What rather counts takes than names somebody."""
UNSURE = (
    "two parts of names or folders may be the speaker, so that one may be in several splits; give a table with a "
    "column speaker if it is not the first"
)
NUMBERS = (
    "numbers that names have once in each class, of a speaker or of a take; what has the same number is in one split; "
    "give a table with a column speaker if they are takes of several people"
)
FEW = (
    f"fewer than {LEAST_SPEAKERS} speakers in the table, too few for {len(SPLITS)} splits; record more people, or give "
    "a column split, or leave out this column: then a hash of the name splits, and figures are of voices that are known"
)
NOBODY = (
    "no speaker can be told from the names, so recordings are split by a hash of the name: one speaker may be in "
    "several splits; give a table with a column speaker"
)


def split_by_speaker(recordings: Sequence[Recording], findings: list[Finding]) -> str:
    """Put all recordings of a speaker into one split, by a hash of the speaker's name, and say by what rule.

    Speakers are the groups that a table gives, or else those of `known_speakers`; recordings without one are split by
    a hash of their own name, without its ending: one that is there in two formats is in one split.
    """
    speakers, by = _by_table(recordings, findings) if _given(recordings) else _by_names(recordings, findings)
    groups, alone = defaultdict(list), []
    for item, speaker in zip(recordings, speakers, strict=True):
        groups[speaker or stem_of(item.name)].append(item)
        alone += [] if speaker else [item.name]
    split_groups(groups)
    return f"{_rule(findings, recordings, alone, by)} ({HELD_PERCENT} % validation, {HELD_PERCENT} % test)"


def _given(recordings: Sequence[Recording]) -> bool:
    return any(item.group for item in recordings)


def _by_table(recordings: Sequence[Recording], findings: list[Finding]) -> tuple[list[str], str]:
    """The speaker of each recording as the table says, and by what that is known."""
    speakers = _by_group(recordings)
    known = sorted(set(speakers) - {""})
    find(findings, FEW, known if len(known) < LEAST_SPEAKERS else ())
    return speakers, "the speaker, as the table says"


def _by_names(recordings: Sequence[Recording], findings: list[Finding]) -> tuple[list[str], str]:
    """The speaker of each recording as names or folders say, "" where too few are known, and by what it is known."""
    speakers, doubts = _told(recordings)
    known = sorted(set(speakers) - {""})
    if len(known) < LEAST_SPEAKERS:
        _find_few(findings, recordings)
        return [""] * len(recordings), ""
    find(findings, UNSURE, doubts)
    if not _stand_alone(recordings, speakers):
        return speakers, "the speaker, as names or folders say"
    find(findings, NUMBERS, known, harmless=True)
    return speakers, "a number in names, a speaker's or a take's"


def _rule(findings: list[Finding], recordings: Sequence[Recording], alone: list[str], by: str) -> str:
    """What the splits come from, with a finding of recordings without a speaker where others have one."""
    if len(alone) == len(recordings):
        return "a hash of the name"
    find(findings, "recordings without a known speaker, split by a hash of the name", alone)
    return by + (f", else a hash of the name for {len(alone):,} of {len(recordings):,} recordings" if alone else "")


def find_torn(findings: list[Finding], recordings: Sequence[Recording]) -> None:
    """Add a finding of speakers whose recordings are in several splits, where others than we have fixed these."""
    speakers, splits = _by_group(recordings) if _given(recordings) else known_speakers(recordings), defaultdict(set)
    for item, speaker in zip(recordings, speakers, strict=True):
        splits[speaker].add(item.split)
    splits.pop("", None)
    torn = [
        f"{speaker} ({', '.join(split for split in SPLITS if split in own)})"
        for speaker, own in sorted(splits.items())
        if len(own) > 1
    ]
    if not _given(recordings) and _stand_alone(recordings, speakers):
        find(findings, "numbers that are in several splits; if they are speakers, figures are too good", torn, True)
    else:
        find(findings, "speakers that are in several splits, so that figures are too good", torn)


def known_speakers(recordings: Sequence[Recording]) -> list[str]:
    """The speaker of each recording, as names and folders tell; "" where they do not."""
    return _told(recordings)[0]


def _told(recordings: Sequence[Recording]) -> tuple[list[str], list[str]]:
    """The speaker of each recording, and what may have been taken for a speaker wrongly: this against that."""
    sure, folders, *parts = _candidates(recordings)
    names, doubts = _best_part(recordings, parts)
    glued = _plausible(recordings, _glued(recordings))
    if any(glued) and _repeats(glued) and not _takes_several(recordings, names):
        names, doubts = glued, []
    likely, more = _together(_plausible(recordings, folders), names)
    return _one_spelling(_first_of(sure, likely)), doubts + more


def _glued(recordings: Sequence[Recording]) -> list[str]:
    """The letters before the number in each name of one part, "" where these rather count takes."""
    found = [GLUED.fullmatch(own[0]) if len(own) == 1 else None for own in _parts(recordings)[0]]
    return [match[1] if match and not INDEX.fullmatch(match[1]) else "" for match in found]


def _takes_several(recordings: Sequence[Recording], speakers: list[str]) -> bool:
    """Whether a speaker has several recordings in a class."""
    return any(_groups(own) for own in _by_class(recordings, speakers).values())


def _first_of(*kinds: list[str]) -> list[str]:
    return [next(filter(None, found), "") for found in zip(*kinds, strict=True)]


def _best_part(recordings: Sequence[Recording], parts: list[list[str]]) -> tuple[list[str], list[str]]:
    """The first part of names, or a later one that has more groups; and a doubt, where the first may have been it.

    What counts takes is not preferred to what seems to be names, to numbers in front that are no takes, or to a first
    part that is always the same where the count is.
    """
    first, *later = parts
    best = _plausible(recordings, first)
    rival = _stands_beside_others(recordings, first)
    named, doubts = rival and not _counts(first), []
    for part in later:
        likely = _plausible(recordings, part)
        if len(_groups(likely)) <= len(_groups(best)) or not _repeats(likely) or (named and _counts(part)):
            continue
        if rival and _counts(part) and _is_within(part, first):
            continue
        if _counts(part) and _in_front(recordings, best, part):
            doubts = [_against(best, likely)]
        else:
            best, named, doubts = likely, not _counts(part), [_against(likely, first)] if rival else []
    return best, doubts


def _is_within(part: list[str], whole: list[str]) -> bool:
    """Whether all recordings of one value of a part have one of another part as well."""
    pairs = {pair for pair in zip(part, whole, strict=True) if pair[0]}
    return len(pairs) == len({value for value, _ in pairs})


def _in_front(recordings: Sequence[Recording], first: list[str], second: list[str]) -> bool:
    """Whether the first of two numbers is rather the speaker: not where the second alone is filled with zeros, and
    where the class stands between them only if they are many.
    """
    if len(_groups(first)) > MOST_TAKES:
        return True
    filled = _digits(second) is not None and any(number.startswith("0") for number in second)
    if not any(first) or (filled and _digits(first) is None):
        return False
    return not any(set(map(alike, item.labels)) & set(map(alike, _cut(_stem(item))[1:-1])) for item in recordings)


def _digits(numbers: list[str]) -> int | None:
    """How many all of them have, where it is more than one."""
    found = {len(number) for number in numbers if number}
    return found.pop() if len(found) == 1 and max(found) > 1 else None


def _stand_alone(recordings: Sequence[Recording], speakers: list[str]) -> bool:
    """Whether speakers are numbers that stand in names once in each class, where nothing calls them speakers."""
    known = [(item.label, speaker) for item, speaker in zip(recordings, speakers, strict=True) if speaker]
    if not known or len(known) > len(set(known)) or not _counts(speakers):
        return False
    folders = _one_spelling(_folders(recordings))
    return not any(_plausible(recordings, folders)) and _shortened(recordings)[1] > 1


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
    shared = {name for speakers in (sure, folders, first, _glued(recordings)) for name in _shared(recordings, speakers)}
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
    repeated = max(count.values(), default=0) > 1
    return [name if repeated and count[name] else "" for name in speakers]


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
    speaker, mark, _ = posixpath.basename(item.name).partition(NOHASH)
    return speaker if mark else ""


def _folders(recordings: Sequence[Recording]) -> list[str]:
    """Of each recording the first folder below its class and below what all have in common."""
    inner = [[part for part in PurePosixPath(item.name).parts[:-1] if part not in item.labels] for item in recordings]
    common = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, zip(*filter(None, inner), strict=False)))
    firsts = [next(iter(parts[common:]), "") for parts in inner]
    return _without_class(recordings, _without_class(recordings, firsts, front=True), front=False)


def _without_class(recordings: Sequence[Recording], names: list[str], front: bool) -> list[str]:
    """The same without the class in front, or else behind, where nearly all have it there."""
    has = str.startswith if front else str.endswith
    labels = [alike(item.label) for item in recordings]
    found = [has(alike(name), label) for name, label in zip(names, labels, strict=True) if name]
    if not found or sum(found) < COMMON_SHARE * len(found):
        return names
    return [
        (name[len(label) :] if front else name[: -len(label)]).strip(BETWEEN) or name
        if has(alike(name), label)
        else name
        for name, label in zip(names, labels, strict=True)
    ]


def _places(recordings: Sequence[Recording]) -> list[list[str]]:
    """The first, the second and the last part of each name, without what all begin with; "" where there is one part."""
    parts, _ = _shortened(recordings)
    return [[own[place] if len(own) > max(place, 0) else "" for own in parts] for place in (0, 1, -1)]


def _shortened(recordings: Sequence[Recording]) -> tuple[list[list[str]], int]:
    """The parts of each name without what all begin with, none where they are too few; and how few they may be.

    One part is enough behind the class, where it is no number.
    """
    parts, behind = _parts(recordings)
    least = 2
    while begin := _common(parts, least):
        parts = [own[1:] if own and alike(own[0]) == begin else own for own in parts]
        least = 1 if begin in CALLED else 2
    enough = [
        len(own) >= (1 if own and end and not _counts(own) else least) for own, end in zip(parts, behind, strict=True)
    ]
    return [own if has else [] for own, has in zip(parts, enough, strict=True)], least


def _common(parts: list[list[str]], least: int) -> str:
    """What nearly all names of several parts begin with, if anything."""
    count = Counter(alike(own[0]) for own in parts if len(own) >= max(least, 2))
    begin, most = max(count.items(), key=lambda pair: pair[1], default=("", 0))
    return begin if most >= COMMON_SHARE * count.total() else ""


def _parts(recordings: Sequence[Recording]) -> tuple[list[list[str]], list[bool]]:
    """The parts of each name without its class but at the end, and whether the class was in front of them."""
    stems = list(map(_stem, recordings))
    behind = [_behind_class(*pair) for pair in zip(recordings, _without_class(recordings, stems, True), strict=True)]
    parts = [_without_middle(item, _cut(stem)) for item, stem in zip(recordings, behind, strict=True)]
    firsts = _without_class(recordings, [next(iter(own), "") for own in parts], front=False)
    cut = [own and [first, *own[1:]] for first, own in zip(firsts, parts, strict=True)]
    return cut, [short != stem for short, stem in zip(behind, stems, strict=True)]


def _stem(item: Recording) -> str:
    return stem_of(posixpath.basename(item.name))


def _behind_class(item: Recording, stem: str) -> str:
    """A name without its class in front."""
    for label in item.labels:
        if alike(stem).startswith(alike(label)) and MARKS.match(stem[len(label) :]):
            stem = stem[len(label) + 1 :]
    return stem


def _without_middle(item: Recording, parts: list[str]) -> list[str]:
    labels = set(map(alike, item.labels))
    return parts[:1] + [part for part in parts[1:-1] if alike(part) not in labels] + parts[1:][-1:]


def _cut(stem: str) -> list[str]:
    """The parts of a name, between the same marks."""
    speaker, nohash, _ = stem.partition(NOHASH)
    if nohash:
        return [speaker, ""]
    mark = "_" if "_" in stem else next(iter(MARKS.findall(stem)), "_")
    return [part for part in stem.split(mark) if part]
