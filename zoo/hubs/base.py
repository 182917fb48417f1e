"""What a hub is: packages with an index, wherever they are. No torch here.

HUB/index.json           what a look-up reads (see zoo.hubs.index)
HUB/models/NAME/         packages (see zoo.package.read)
HUB/supernets/NAME/      supernets (see supernet.nn.store)
HUB/README.md            what the hub holds, for people
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

from predictors import estimate
from supernet.errors import InvalidCheckpoint, InvalidPackage, UnknownName, nearest_names
from supernet.files import digest, read_bytes
from zoo.hubs.index import Index
from zoo.package.entry import Entry
from zoo.package.read import CONFIG, Config, read_config

__all__ = ["MODELS", "REMOTE", "SUPERNETS", "AnyHub", "check_inside", "checked_entry", "is_there", "supernets_in"]

MODELS, SUPERNETS, REMOTE = "models", "supernets", "hf://"


class AnyHub(ABC):
    """What is asked of a hub, wherever it is.

    address: where it is, as `open_hub` takes it; of several, all. index: its models. writable: their folders can be
    changed here. visibility: "private" or "public" on the Hugging Face Hub, where that is known.
    """

    address: str
    index: Index
    writable: bool = False
    visibility: str | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All models, best first. Raises InvalidPackage for an index that cannot be read."""
        return self.index.entries

    def entry(self, name: str) -> Entry:
        """The model of exactly that name. Raises UnknownName."""
        found = self.index.find(name)
        if found is None:
            task = name in self.index.words["task"]
            hint = "it is a task, not a model: list its models, or ask by task; " if task else ""
            raise UnknownName(
                f"no model {name!r} in hub {self.address}: {hint}{nearest_names(name, self.index.values('name'))}"
            )
        return found

    def config(self, entry: Entry) -> Config:
        """The model's checked configuration. Raises InvalidPackage where it is not what the index lists."""
        config = read_config(self.path(entry), entry.config_sha256)
        own = without_unlisted(config.entry(entry.config_sha256), entry)
        if (as_counted_before(own, entry, config) if self.index.former else own) != entry:
            raise InvalidPackage(
                f"{self.address}: the index states other figures than {entry.name}; `earshot rebuild` writes it anew"
            )
        return config

    def home(self, entry: Entry) -> AnyHub:
        """The one hub that a model is in."""
        return self

    @abstractmethod
    def path(self, entry: Entry) -> Path:
        """The folder of a model's package."""

    @abstractmethod
    def file(self, entry: Entry, name: str) -> Path | None:
        """One file of a model's package; None where it has no such file."""

    @abstractmethod
    def supernets(self) -> tuple[Path, ...]:
        """The folders of the supernets."""


def supernets_in(folder: Path) -> tuple[Path, ...]:
    """The folders of supernets in the folder of a hub. Raises InvalidPackage where they cannot be read."""
    try:
        found = sorted((folder / SUPERNETS).iterdir())
        return tuple(path for path in found if path.name[0] != "." and is_there(path / CONFIG))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise InvalidPackage(f"{error.filename}: cannot be read ({error.strerror})") from None


def is_there(path: Path) -> bool:
    """True for a file, False for none. Raises OSError where neither can be known."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def check_inside(hub: Path, folder: Path) -> None:
    """Raise InvalidPackage where a folder of a hub, or something in it, is a link that leads out of the hub."""
    try:
        paths = [folder.parent, folder, *(folder.rglob("*") if folder.is_dir() else ())]
    except FileNotFoundError:
        raise InvalidPackage(f"{folder}: was taken away while it was read; ask again") from None
    for link in filter(Path.is_symlink, paths):
        if not Path(os.path.realpath(link)).is_relative_to(hub.resolve()):  # which takes links in a ring as they are
            raise InvalidPackage(f"{link}: a link that leads out of the hub; put the file itself there")


def without_unlisted(own: Entry, listed: Entry) -> Entry:
    """What an index says of a package, without labels and how it detects, where entries of an older version that a
    newer one kept lack these.
    """
    if not listed.labels:
        own = replace(own, labels=())
    if listed.false_alarms_upper is None:
        own = replace(own, detection_recall=None, false_alarms_per_hour=None, false_alarms_upper=None)
    return own


def as_counted_before(own: Entry, listed: Entry, config: Config) -> Entry:
    """The same as an older version counted it: one figure of RAM, and flash as the package states it, or of the weights
    alone.
    """
    cost, flash = estimate(config.arch), (config.values["costs"]["flash_bytes"], own.weight_bytes)
    if listed.clip_ram_bytes in (cost.peak_ram_bytes, cost.peak_ram_bytes - cost.stream_state_bytes):
        own = replace(own, stream_ram_bytes=listed.stream_ram_bytes, clip_ram_bytes=listed.clip_ram_bytes)
    return replace(own, flash_bytes=listed.flash_bytes) if listed.flash_bytes in flash else own


def checked_entry(package: str | Path) -> Entry:
    """What an index says of a package, after checking its files against their digests. Raises InvalidPackage."""
    package = Path(package)
    config = read_config(package)
    if config.name != package.resolve().name:
        raise InvalidPackage(f"{package}: holds the model {config.name}; name the folder so")
    for file, sha256 in config.values["digests"].items():
        try:
            same = digest(read_bytes(package / file)) == sha256
        except InvalidCheckpoint as error:
            raise InvalidPackage(f"{error}; publish the model again") from None
        if not same:
            raise InvalidPackage(f"{package / file}: altered; publish the model again")
    return config.entry(digest((package / CONFIG).read_bytes()))
