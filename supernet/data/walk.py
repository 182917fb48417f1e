"""What is in a folder: one walk for classes, noise, negatives, evaluation and running.

Links are followed, each folder is entered once, and hidden files are left out, as are those that macOS keeps beside
others (`._NAME`). What is left out is counted by its kind, so that whoever walks can report it once.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from supernet.errors import InvalidData

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "HIDDEN",
    "LINK",
    "LOCKED",
    "UNREAD",
    "Classes",
    "LeftOut",
    "Spooled",
    "Walk",
    "alike",
    "as_text",
    "printable",
    "stem_of",
    "tell_left_out",
    "twins",
    "walk",
    "walk_classes",
]

EXTENSIONS = (".wav", ".flac", ".opus", ".ogg", ".mp3", ".aiff", ".aif", ".aifc", ".wave", ".oga", ".au", ".snd",
              ".caf", ".w64", ".rf64")  # fmt: skip
"""Of recordings, in small letters."""
FORMATS = "WAV, FLAC, Opus, Ogg, MP3, AIFF, AU or CAF"
"""Of recordings, for messages."""
UNREAD = (".m4a", ".aac", ".mp4", ".m4b", ".wma", ".amr", ".3gp", ".webm", ".mka", ".mkv", ".mov", ".ape", ".wv")
"""Of recordings in formats that are not read."""
MAC_FOLDER = "__MACOSX"
"""Of archives that macOS makes: hidden files alone."""
HIDDEN, LINK, LOCKED = "hidden", "link that leads nowhere or back", "folder that cannot be opened"


class Spooled(str):
    """The path of a file that holds a recording from standard input, which is called `-`."""

    __slots__ = ()


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not heard. kind: its suffix, or HIDDEN, LINK or LOCKED."""

    kind: str
    path: Path


@dataclass(frozen=True)
class Walk:
    """The recordings below a folder, sorted, and what else is there."""

    recordings: tuple[Path, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Classes:
    """A folder of classes. walks: name of each -> its walk, sorted by name. apart: names of folders that begin with _
    and are no classes. loose: recordings beside the folders, which are in no class, and links to nothing.
    """

    walks: dict[str, Walk]
    apart: tuple[str, ...]
    loose: tuple[LeftOut, ...]

    @property
    def empty(self) -> list[str]:
        """Names of classes without a recording."""
        return [name for name, found in self.walks.items() if not found.recordings]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What is not heard, in all of them and beside them."""
        return (*self.loose, *(item for found in self.walks.values() for item in found.left_out))


def walk(folder: str | Path) -> Walk:
    """All recordings in a folder and in those below it; none where there is no such folder.

    A folder that several links lead to is entered once: by its own name, where it has one here.
    """
    start, recordings, left = Path(folder), [], []
    entered, folders, links = _above(start), deque([start]), deque()
    while folders or links:
        here = (folders or links).popleft()
        real = os.path.realpath(here)
        if real in entered:
            left.append(LeftOut(LINK, here))
            continue
        entered.add(real)
        for path in _inside(here, left):
            if path.is_dir():
                (links if path.is_symlink() else folders).append(path)
            else:
                kind = _kind(path)
                recordings += [path] if kind in EXTENSIONS else []
                left += [] if kind in EXTENSIONS else [LeftOut(kind, path)]
    return Walk(tuple(sorted(recordings)), tuple(sorted(left, key=lambda item: item.path)))


def walk_classes(root: str | Path, known: Iterable[str] = (), without: str | Path | None = None) -> Classes:
    """The folders in `root`, a class each. known: names of classes that may begin with _. without: a folder to leave
    out. Raises InvalidData where there is no such folder.
    """
    root, known = Path(root), set(known)
    if not root.is_dir():
        raise InvalidData(f"{root}: no such folder; give one that holds a folder of recordings for each class")
    away, hidden = without and os.path.realpath(without), []
    inside = [path for path in _inside(root, hidden) if not away or os.path.realpath(path) != away]
    folders = [path.name for path in inside if path.is_dir()]
    reserved = tuple(name for name in folders if name.startswith("_") and name not in known)
    beside = [LeftOut(_kind(path), path) for path in inside if not path.is_dir()]
    loose = [*hidden, *(item for item in beside if item.kind in (*EXTENSIONS, *UNREAD, LINK))]
    walks = {name: walk(root / name) for name in folders if name not in reserved}
    return Classes(walks, reserved, tuple(loose))


def tell_left_out(left: Iterable[LeftOut], examples: bool = True) -> str:
    """How many of each kind, with the name of one as an example; nothing for none.

    >>> tell_left_out([LeftOut(".m4a", Path("up/a.m4a")), LeftOut(".m4a", Path("up/b.m4a"))])
    '2 .m4a (such as a.m4a)'
    """
    kinds = defaultdict(list)
    for item in left:
        kinds[item.kind].append(as_text(item.path.name))
    such = {kind: f" (such as {names[0]})" if examples else "" for kind, names in kinds.items()}
    return ", ".join(f"{len(names):,} {kind}{such[kind]}" for kind, names in sorted(kinds.items()))


def stem_of(name: str) -> str:
    """The name of a recording without its ending.

    >>> stem_of("door/take.1.WAV"), stem_of("door/take.1")
    ('door/take.1', 'door/take.1')
    """
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in (*EXTENSIONS, *UNREAD) else name


def alike(name: str) -> str:
    """What names have in common that differ in capitals, in spaces around them, or in how accents are stored.

    >>> alike("Bed ") == alike("bed")
    True
    """
    return unicodedata.normalize("NFKC", name).casefold().strip()


def twins(names: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Pairs of names that are `alike`, as texts. known: names that are not asked about, but that others may be meant
    for.
    """
    names, groups = set(names), defaultdict(list)
    for name in sorted(names.union(known)):
        groups[alike(name)].append(name)
    several = (group for group in groups.values() if len(group) > 1 and names.intersection(group))
    return [" and ".join(group) for group in several]


def as_text(name: str) -> str:
    """A name with what is not UTF-8 in it made visible."""
    return name.encode("utf-8", "backslashreplace").decode()


def printable(name: str) -> str:
    """A name without what would move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)


def _above(folder: Path) -> set[str]:
    """The folders that hold a folder, by its path and in truth: a link to one of them leads back."""
    return set(map(os.path.realpath, [*folder.absolute().parents, *Path(os.path.realpath(folder)).parents]))


def _inside(folder: Path, left: list[LeftOut]) -> list[Path]:
    """What is in a folder, sorted, without what is hidden; hidden recordings are `left` out by name."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        left += [LeftOut(LOCKED, folder)] if folder.is_dir() else []
        return []
    left += [LeftOut(HIDDEN, path) for path in paths if _is_hidden(path) and _kind(path) in (*EXTENSIONS, *UNREAD)]
    return [path for path in paths if not _is_hidden(path)]


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name == MAC_FOLDER


def _kind(path: Path) -> str:
    if not os.path.isfile(path):
        return LINK if path.is_symlink() else "no file"
    return path.suffix.lower() or "without an ending"
