"""Keeping what long work has made, so that a failure in its last step loses nothing. No torch here.

What a command makes lies in the folder of its run until it is where it was asked for. An error of the last steps says
where that is, and which command goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from supernet.data.walk import Spooled
from supernet.errors import EarshotError, InvalidAudio, InvalidData, InvalidQuery
from supernet.files import digest

__all__ = [
    "AGAIN",
    "FROM_OUTSIDE",
    "HEARD",
    "LAST_STEP",
    "PACKAGES",
    "RUNS",
    "Kept",
    "check_folder",
    "command_run",
    "file_state",
    "going_on",
    "options_of",
    "publish_command",
    "take_away",
    "with_notes",
    "writable",
]

RUNS, PACKAGES = Path("runs"), "packages"
"""Folder of runs, and of finished packages in the folder of a run."""
HEARD = "heard.jsonl"
"""In the folder of a run: what a model heard in recordings."""
AGAIN = "run the same command again, which goes on from there"
FROM_OUTSIDE = (OSError, KeyboardInterrupt)
"""Errors that the same command need not meet again."""
LAST_STEP = (EarshotError, *FROM_OUTSIDE)
"""Errors after which all that was made is whole."""
NOTHING_LEFT = (BrokenPipeError, InvalidAudio, InvalidData)
"""Errors after which there is nothing to go on with: who reads has had enough, or what was given cannot be used."""


@contextmanager
def going_on(
    *places: str | Path, how: str = AGAIN, errors: tuple[type[BaseException], ...] = FROM_OUTSIDE
) -> Iterator[None]:
    """Note on an error that is raised inside where what was made lies, and how to go on from there.

    places: files and folders; those that hold nothing are not named. An error that has a note keeps that one alone.
    """
    try:
        yield
    except errors as error:
        there = [str(place) for place in places if _holds(Path(place))]
        if there and not hasattr(error, "__notes__"):
            error.add_note(f"what was made is in {' and '.join(there)}: {how}")
        raise


def _holds(place: Path) -> bool:
    return place.is_file() or (place.is_dir() and any(place.iterdir()))


def with_notes(error: BaseException, text: str) -> str:
    """The text of an error, with the notes on it behind it."""
    return "; ".join([text, *getattr(error, "__notes__", ())])


def publish_command(packages: Iterable[str | Path], hub: str | Path) -> str:
    """The command that publishes packages. packages: their folders, or with `*` as the name all of a folder."""
    folders = [Path(package) for package in packages]
    words = [f"{shlex.quote(str(one.parent))}/*" if one.name == "*" else shlex.quote(str(one)) for one in folders]
    return f"`earshot publish {' '.join(words)} --hub {shlex.quote(str(hub))}`"


def writable(folder: str | Path) -> bool:
    """True where a folder, or the nearest existing one above it, can be written to."""
    absolute = Path(os.path.abspath(folder))
    there = next(place for place in (absolute, *absolute.parents) if os.path.lexists(place))
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def check_folder(name: str, folder: str | Path | None) -> None:
    """Raise InvalidQuery, before long work, for a folder, where one is given, that cannot be made or written to.

    name: of the option, for the message.
    """
    if folder is not None and not writable(folder):
        raise InvalidQuery(f"{name} {folder}: not a folder that can be written; give another")


@contextmanager
def command_run(command: str, wish: Mapping[str, Any], folder: str | Path | None = None) -> Iterator[Path | None]:
    """The folder of the run of a command, as it was given, or else one that the same wish has again.

    The latter is taken away when all went well; what goes in makes it first. None where it cannot be written.
    """
    own = RUNS / f"{command}-{digest(ascii(sorted(wish.items())).encode())[:12]}"
    place = Path(folder) if folder else own if writable(own) else None
    ended = False
    try:
        with going_on(*filter(None, [place])):
            yield place
        ended = True
    except NOTHING_LEFT:
        ended = True
        raise
    finally:
        if ended and place == own:
            take_away(own, run=own)


def take_away(*folders: Path, run: Path) -> None:
    """Remove folders of a run, and those above them, as far as RUNS, that then hold nothing."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for above in (*(folder.parent for folder in folders if folder != run), run, RUNS):
        with suppress(OSError):
            above.rmdir()


def options_of(namespace: Namespace) -> dict[str, Any]:
    """The options of a command as plain values."""
    return {name: value for name, value in vars(namespace).items() if not callable(value)}


class Kept:
    """Values that were made before, by what they are of, in a file of lines, so that none is made twice.

    path: None keeps them in memory alone. Where the file cannot be written, that costs time alone.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path, self.known = path and Path(path), {}
        for line in self.path.read_bytes().splitlines() if self.path and self.path.is_file() else ():
            with suppress(ValueError, TypeError):  # one that was cut off when the process was killed
                key, value = json.loads(line)
                self.known[key] = value

    def take(self, identity: Any, make: Callable[[], Any]) -> Any:
        """The value of an identity, or else what `make` gives, which is kept. Both are plain values for JSON."""
        key = digest(identity)
        if key not in self.known:
            self.known[key] = self._written(key, make())
        return self.known[key]

    def each(
        self, identities: Iterable[Any], items: Sequence[Any], make: Callable[[list], Iterable[Any]]
    ) -> Iterator[Any]:
        """The values of many items, in order. make: from those that are not known to their values, in order."""
        keys = [digest(identity) for identity in identities]
        new = [item for key, item in zip(keys, items, strict=True) if key not in self.known]
        return self._each(keys, iter(make(new)))

    def _each(self, keys: list[str], made: Iterator[Any]) -> Iterator[Any]:
        for key in keys:
            value = self.known[key] if key in self.known else self._written(key, next(made))
            yield value
        next(made, None)  # which ends it

    def _written(self, key: str, value: Any) -> Any:
        """A value as JSON gives it back. Its line begins with the line end, so one that was cut off spoils no other."""
        line = json.dumps([key, value])
        with suppress(OSError):
            if self.path:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab", buffering=0) as file:
                    file.write(f"\n{line}".encode())
        return json.loads(line)[1]


def file_state(file: str | Path | bytes) -> list:
    """Of a file: its name, size and time, so that another one is known; of bytes, and of a Spooled, their digest."""
    if isinstance(file, bytes):
        return [digest(file)]
    if isinstance(file, Spooled):
        with open(file, "rb") as held:
            return [hashlib.file_digest(held, "sha256").hexdigest()]
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return [ascii(str(file))]
    return [ascii(str(file)), status.st_size, status.st_mtime_ns]
