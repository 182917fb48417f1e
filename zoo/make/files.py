"""The files of packages and supernets, and their copies: a folder that is new appears as a whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from supernet.errors import InvalidPackage
from supernet.files import read_bytes, read_json, write_bytes
from supernet.folders import whole_folder
from zoo.package.figures import COSTS
from zoo.package.read import CONFIG, read_config

__all__ = ["copy", "package_files", "supernet_digests", "supernet_files"]

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
    """Copy files to a folder that is new as a whole, or else one by one, the configuration last."""
    if place.is_symlink():
        place.unlink()
    if place.exists():
        for file in sorted(files, key=lambda file: file == CONFIG):
            _copy_file(source / file, place / file)
        for path in place.iterdir():
            if path.is_file() and path.name not in files:
                path.unlink()
        return
    with whole_folder(place) as part:
        for file in files:
            write_bytes(part / file, read_bytes(source / file))


def _copy_file(source: Path, place: Path) -> None:
    """Copy a file, where the same is not there yet."""
    data = read_bytes(source)
    if not place.is_file() or place.is_symlink() or place.stat().st_size != len(data) or place.read_bytes() != data:
        write_bytes(place, data)
