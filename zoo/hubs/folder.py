"""Hubs in folders, such as the one that is installed with the package. No torch here."""

from __future__ import annotations

import os
from pathlib import Path

from supernet.errors import InvalidPackage, InvalidQuery
from zoo.hubs.base import MODELS, AnyHub, check_inside, is_there, supernets_in
from zoo.hubs.index import INDEX, Index, read_index
from zoo.package.entry import Entry

__all__ = ["BUNDLED", "Hub", "is_file"]

BUNDLED = Path(__file__).parent.parent / "hub"
"""The hub that is installed with the package."""


class Hub(AnyHub):
    """A hub in a folder; without an address, the bundled one.

    Raises InvalidQuery for an address that is not a folder with an index.
    """

    def __init__(self, address: str | Path | None = None) -> None:
        self.folder = BUNDLED if address is None else Path(address)
        self.address = str(self.folder)
        if not is_file(self.folder / INDEX):
            raise InvalidQuery(
                f"hub {self.folder}: no {INDEX} there; give the folder of a hub, or none for the bundled"
            )

    @property
    def index(self) -> Index:
        """Its models as columns, read again where it has changed."""
        return read_index(self.folder / INDEX)

    @property
    def writable(self) -> bool:
        """True where its models' folders can be changed."""
        return all(os.access(self.folder / MODELS / name, os.W_OK) for name in self.index.values("name"))

    def path(self, entry: Entry) -> Path:
        """The folder of a model's package. Raises InvalidPackage for links that lead out of the hub."""
        folder = self.folder / MODELS / entry.name
        check_inside(self.folder, folder)
        return folder

    def file(self, entry: Entry, name: str) -> Path | None:
        """One file of a model's package; None where it has no such file."""
        path = self.folder / MODELS / entry.name / name
        try:
            return path if is_there(path) else None
        except OSError as error:
            raise InvalidPackage(f"{path}: cannot be read ({error.strerror})") from None

    def supernets(self) -> tuple[Path, ...]:
        """The folders of its supernets."""
        return supernets_in(self.folder)


def is_file(path: Path) -> bool:
    """Raises InvalidQuery for what cannot be read."""
    try:
        return is_there(path)
    except ValueError:  # of a name that no file can have
        return False
    except OSError as error:
        raise InvalidQuery(f"hub {str(path.parent)[:200]}: cannot be read ({error.strerror})") from None
