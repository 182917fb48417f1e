"""The files of packages and supernets, and their copies: a folder appears as a whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from supernet.errors import InvalidPackage
from supernet.files import read_bytes, read_json, write_bytes
from supernet.folders import whole_folder
from zoo.package.figures import COSTS
from zoo.package.read import CONFIG, read_config

__all__ = ["PREDICTOR", "copy", "package_files", "supernet_digests", "supernet_files"]

SAFE_FILE = re.compile(r"([A-Za-z0-9_-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*")
PREDICTOR = ("accuracy.csv", "accuracy.json")


def package_files(package: Path) -> list[str]:
    """The files of a package, those alone that it states and its costs."""
    files = [CONFIG, *read_config(package).files]
    return files + [COSTS] * (package / COSTS).is_file()


def supernet_files(folder: Path) -> list[str]:
    """The files of a supernet: those that it states, and what its accuracy predictor was fitted on."""
    return [CONFIG, *supernet_digests(folder), *(file for file in PREDICTOR if (folder / file).is_file())]


def supernet_digests(folder: Path) -> dict[str, str]:
    """The files that a supernet states, with their SHA-256. Raises InvalidPackage for names that lead elsewhere."""
    config = read_json(folder / CONFIG)
    stated = config.get("digests") if isinstance(config, dict) else None
    if not isinstance(stated, dict) or not all(map(SAFE_FILE.fullmatch, stated)):
        raise InvalidPackage(f"{folder / CONFIG}: names files that cannot be there; take the supernet from its source")
    return stated


def copy(source: Path, place: Path, files: Sequence[str]) -> None:
    """Copy files to a folder that appears, or takes the place of another, as a whole; one that is the same stays."""
    if place.is_symlink():
        place.unlink()
    there = {str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir()}
    if there == {*files} and all(_is_same(source / file, place / file) for file in files):
        return
    with whole_folder(place) as part:
        for file in files:
            write_bytes(part / file, read_bytes(source / file))


def _is_same(source: Path, place: Path) -> bool:
    return place.is_file() and not place.is_symlink() and read_bytes(place) == read_bytes(source)
