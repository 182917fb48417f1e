"""Folders that are written whole or not at all: filled beside their place, then renamed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["put_back", "whole_folder"]

OLD = ".old"
"""Ends the name of the hidden folder in which a folder waits while another takes its place."""


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """A new hidden folder to be filled, which takes the place of another at the end; after an error it is gone, and
    what was there stays. Raises OSError.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=place.parent))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, part, ignore_errors=True)
        part.chmod(0o755)
        yield part
        _move_in(part, place)


def _move_in(part: Path, place: Path) -> None:
    """An older folder is lost only once the new one is there."""
    if not place.exists():
        part.rename(place)
        return
    aside = Path(tempfile.mkdtemp(prefix=".", suffix=OLD, dir=place.parent))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, aside, ignore_errors=True)
        place.rename(aside / place.name)
        try:
            part.rename(place)
        except OSError:
            (aside / place.name).rename(place)
            raise


def put_back(parent: Path) -> None:
    """Give folders in `parent` their places again that wait in hidden ones, where a process was killed before another
    took its place; those whose place was taken are removed. Only for one who writes there alone. Raises OSError.
    """
    for aside in parent.glob(f".*{OLD}"):
        for folder in aside.iterdir():
            if not (parent / folder.name).exists():
                folder.rename(parent / folder.name)
        shutil.rmtree(aside, ignore_errors=True)
