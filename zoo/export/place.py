"""The folders that exports write: whole or not at all, and never over what somebody else put there."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from supernet.errors import InvalidCheckpoint, InvalidQuery
from supernet.files import digest, read_json
from supernet.folders import whole_folder

__all__ = ["REPORT", "check_above", "check_free", "listed", "write_folder"]

REPORT = "report.json"
"""What lists the files of an export by their digests."""


def write_folder(place: Path, files: Mapping[str, str | bytes], report: dict, what: str) -> None:
    """Write files by their paths, and a report that names them, in the place of a folder, whole or not at all.

    what: is written, for errors. Raises OSError.
    """
    written = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    listed = {**report, "files": {path: digest(data) for path, data in written.items()}}
    try:
        _write(place.resolve(), {**written, REPORT: (json.dumps(listed, indent=1) + "\n").encode()})
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; no {what} was written", str(place)) from None


def _write(place: Path, written: dict[str, bytes]) -> None:
    with whole_folder(place) as part:
        for path, data in written.items():
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_bytes(data)


def check_free(place: Path, made: Collection[str] = ()) -> None:
    """Raise InvalidQuery where a folder holds what was not exported. made: files that may be there beside what the
    report lists.
    """
    check_above(place)
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    if not place.is_dir():
        raise InvalidQuery(f"out = {str(place)!r:.200} is a file; give a folder, or a name that is not taken")
    found = [path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_symlink() or path.is_file()]
    written, made = listed(place / REPORT), {REPORT, *made}
    foreign = sorted({*found} - ({*written, *made} if written else set()))
    if foreign:
        raise InvalidQuery(
            f"out = {str(place)!r:.200} holds {foreign[0]!r:.80}, which no export wrote; give another folder, or take "
            "it away"
        )
    edited = sorted(path for path in {*found} - made if _edited(place / path, written[path]))
    if edited:
        raise InvalidQuery(
            f"out = {str(place)!r:.200} holds {edited[0]!r:.80}, which was edited since it was exported; give another "
            "folder, or take it away"
        )


def _edited(file: Path, written: str) -> bool:
    return file.is_symlink() or digest(file.read_bytes()) != written


def check_above(place: Path) -> None:
    """Raise InvalidQuery for a folder that would be inside a file, or that one is in, which would be taken away."""
    within = next((str(parent) for parent in place.parents if parent.is_file()), None)
    if within:
        raise InvalidQuery(f"out = {str(place)!r:.200} is not possible: {within!r:.200} is a file, not a folder")
    if place.exists() and Path.cwd().is_relative_to(place.resolve()):
        raise InvalidQuery(f"out = {str(place)!r:.200} is the folder that you are in, or above it; name one in it")


def listed(report: Path) -> dict[str, str]:
    """Digests of the files of a folder by their paths, as its report has them; none where there is no such report."""
    try:
        found = read_json(report)
    except InvalidCheckpoint:
        return {}
    files = found.get("files") if isinstance(found, dict) else None
    return files if isinstance(files, dict) else {}
