"""Hubs: a folder of packages with an index. No torch here.

HUB/index.json           what a look-up reads
HUB/models/NAME/         packages (see zoo.pack)
HUB/supernets/NAME/      supernets (see supernet.store)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from supernet.constants import OWN_HUB
from supernet.errors import EarshotError, UnknownName, nearest_names
from supernet.files import read_json, write_json
from supernet.space import digest
from zoo.entry import Entry
from zoo.errors import InvalidPackage, InvalidQuery
from zoo.pack import CONFIG, Config, read_config

__all__ = ["BUNDLED", "INDEX", "Hub", "Hubs", "checked_entry", "open_hub", "writable_hub"]

BUNDLED = Path(__file__).parent / "hub"
"""The hub that is installed with the package."""

INDEX, INDEX_SCHEMA = "index.json", 2


class _Models:
    """What a look-up asks of one hub or of several."""

    folder: Path | str
    entries: tuple[Entry, ...]

    def entry(self, name: str) -> Entry:
        """The model of exactly that name. Raises UnknownName."""
        by_name = {entry.name: entry for entry in self.entries}
        if name not in by_name:
            raise UnknownName(f"no model {name!r} in hub {self.folder}: {nearest_names(name, by_name)}")
        return by_name[name]


class Hub(_Models):
    """A hub in a folder; without an address, the bundled one.

    Raises InvalidQuery for an address that is not a folder with an index.
    """

    def __init__(self, address: str | Path | None = None) -> None:
        if str(address or "").startswith("hf://"):
            raise InvalidQuery(f"hub {address}: this version reads hubs in folders; download it and give the folder")
        self.folder = BUNDLED if address is None else Path(address)
        if not (self.folder / INDEX).is_file():
            raise InvalidQuery(
                f"hub {self.folder}: no {INDEX} there; give the folder of a hub, or none for the bundled"
            )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What the index lists. Raises InvalidPackage for an index that cannot be read."""
        status = (self.folder / INDEX).stat()
        return _read_index(self.folder / INDEX, status.st_mtime_ns, status.st_size)

    def path(self, entry: Entry) -> Path:
        """The folder of a model's package."""
        return self.folder / "models" / entry.name

    def config(self, entry: Entry) -> Config:
        """The model's checked configuration. Raises InvalidPackage where it is not what the index lists."""
        config = read_config(self.path(entry), entry.config_sha256)
        if config.entry(entry.config_sha256) != entry:
            raise InvalidPackage(f"{self.folder / INDEX}: states other figures than {entry.name}; rebuild the index")
        return config

    def supernets(self) -> tuple[Path, ...]:
        """The folders of its supernets."""
        return tuple(sorted(path.parent for path in self.folder.glob(f"supernets/*/{CONFIG}")))

    @staticmethod
    def rebuild(folder: str | Path) -> Hub:
        """Write the index of a hub anew from its packages alone, each checked against its digests.

        Raises InvalidPackage for a folder without packages or a package that is incomplete or altered.
        """
        folder = Path(folder)
        if not (folder / "models").is_dir():
            raise InvalidPackage(f"{folder}: has no folder `models`; give the folder of a hub")
        packages = sorted(path for path in (folder / "models").iterdir() if path.is_dir())
        return Hub.write(folder, [checked_entry(package) for package in packages])

    @staticmethod
    def write(folder: str | Path, entries: Iterable[Entry]) -> Hub:
        """Write the index of a hub."""
        models = [entry.to_dict() for entry in sorted(entries, key=lambda entry: entry.name)]
        write_json(Path(folder) / INDEX, {"schema": INDEX_SCHEMA, "models": models})
        return Hub(folder)


class Hubs(_Models):
    """Several hubs as one; a name that two of them have is the first one's."""

    def __init__(self, hubs: Iterable[Hub]) -> None:
        self.hubs = tuple(hubs)
        self.folder = " and ".join(str(hub.folder) for hub in self.hubs)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What the indexes list."""
        return tuple(entry for entry, _ in self._owned.values())

    @property
    def _owned(self) -> dict[str, tuple[Entry, Hub]]:
        return {entry.name: (entry, hub) for hub in reversed(self.hubs) for entry in hub.entries}

    def path(self, entry: Entry) -> Path:
        """The folder of a model's package."""
        return self._owned[entry.name][1].path(entry)

    def config(self, entry: Entry) -> Config:
        """The model's checked configuration. Raises InvalidPackage where it is not what its index lists."""
        return self._owned[entry.name][1].config(entry)

    def supernets(self) -> tuple[Path, ...]:
        """The folders of all supernets."""
        return tuple(path for hub in self.hubs for path in hub.supernets())


def open_hub(address: str | Path | None = None) -> Hub | Hubs:
    """The hub of an address; without one the user's own, where there is one, and the bundled one."""
    if address is not None or not (OWN_HUB / INDEX).is_file():
        return Hub(address)
    return Hubs([Hub(OWN_HUB), Hub()])


def writable_hub(address: str | Path) -> Path:
    """The folder of a hub to publish to, made where there is none.

    Raises InvalidQuery or InvalidPackage for a hub that cannot be published to.
    """
    folder = Path(address)
    if str(address).startswith("hf:"):
        raise InvalidQuery(f"hub {address}: this version publishes to folders; give one, and upload it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidQuery(f"hub {address}: not a folder that can be written ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise InvalidQuery(f"hub {address}: not writable; give another folder")
    if (folder / INDEX).is_file():
        _ = Hub(folder).entries
    return folder


def checked_entry(package: str | Path) -> Entry:
    """What an index says of a package, after checking its files against their digests. Raises InvalidPackage."""
    package = Path(package)
    config = read_config(package)
    if config.name != package.name:
        raise InvalidPackage(f"{package}: holds the model {config.name}; name the folder so")
    for file in config.files:
        path = package / file
        if not path.is_file() or digest(path.read_bytes()) != config.values["digests"][file]:
            raise InvalidPackage(f"{path}: missing or altered; publish the model again")
    return config.entry(digest((package / CONFIG).read_bytes()))


@lru_cache(maxsize=8)
def _read_index(path: Path, mtime_ns: int, size: int) -> tuple[Entry, ...]:
    try:
        values = read_json(path)
        if values["schema"] != INDEX_SCHEMA:
            raise InvalidPackage(
                f"of schema {values['schema']!r:.40}, not {INDEX_SCHEMA}; zoo.Hub.rebuild(FOLDER) writes it anew"
            )
        entries = tuple(Entry.from_dict(model) for model in values["models"])
    except (KeyError, TypeError) as error:
        raise InvalidPackage(f"{path}: {str(error)[:200]!r} is missing; rebuild the index") from None
    except EarshotError as error:
        raise InvalidPackage(f"{path}: {error}") from None
    if len({entry.name for entry in entries}) != len(entries):
        raise InvalidPackage(f"{path}: lists a name twice; rebuild the index")
    return entries
