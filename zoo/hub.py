"""Hubs: packages with an index, in a folder or (see zoo.remote) on the Hugging Face Hub. No torch here.

HUB/index.json           what a look-up reads (see zoo.index)
HUB/models/NAME/         packages (see zoo.pack)
HUB/supernets/NAME/      supernets (see supernet.store)
HUB/README.md            what the hub holds, for people
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from supernet.constants import OWN_HUB
from supernet.errors import InvalidCheckpoint, UnknownName, nearest_names
from supernet.files import digest, read_bytes, read_json
from zoo.entry import Entry
from zoo.errors import InvalidPackage, InvalidQuery
from zoo.index import INDEX, Index, merged, read_index
from zoo.keeping import writable
from zoo.pack import CONFIG, MODEL, Config, read_config

__all__ = [
    "BUNDLED",
    "MODELS",
    "REMOTE",
    "SUPERNETS",
    "AnyHub",
    "Hub",
    "Hubs",
    "check_hub",
    "check_inside",
    "checked_entry",
    "is_remote",
    "open_hub",
    "supernets_in",
    "writable_hub",
]

BUNDLED = Path(__file__).parent / "hub"
"""The hub that is installed with the package."""
MODELS, SUPERNETS, REMOTE = "models", "supernets", "hf://"

log = logging.getLogger(__name__)


class AnyHub(ABC):
    """What is asked of a hub, wherever it is.

    address: where it is, as `open_hub` takes it; of several, all. index: its models. writable: their folders can be
    changed here.
    """

    address: str
    index: Index
    writable: bool = False

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
        own = config.entry(entry.config_sha256)
        if (own if entry.labels else replace(own, labels=())) != entry:
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


class Hub(AnyHub):
    """A hub in a folder; without an address, the bundled one.

    Raises InvalidQuery for an address that is not a folder with an index.
    """

    def __init__(self, address: str | Path | None = None) -> None:
        self.folder = BUNDLED if address is None else Path(address)
        self.address = str(self.folder)
        if not _is_file(self.folder / INDEX):
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
        return path if path.is_file() else None

    def supernets(self) -> tuple[Path, ...]:
        """The folders of its supernets."""
        return supernets_in(self.folder)


def supernets_in(folder: Path) -> tuple[Path, ...]:
    """The folders of supernets in the folder of a hub."""
    return tuple(sorted(path.parent for path in folder.glob(f"{SUPERNETS}/*/{CONFIG}")))


def check_inside(hub: Path, folder: Path) -> None:
    """Raise InvalidPackage where a folder of a hub, or something in it, is a link that leads out of the hub."""
    try:
        paths = [folder.parent, folder, *(folder.rglob("*") if folder.is_dir() else ())]
    except FileNotFoundError:
        raise InvalidPackage(f"{folder}: was taken away while it was read; ask again") from None
    for link in filter(Path.is_symlink, paths):
        if not link.resolve().is_relative_to(hub.resolve()):
            raise InvalidPackage(f"{link}: a link that leads out of the hub; put the file itself there")


def _is_file(path: Path) -> bool:
    """Raises InvalidQuery for what cannot be read."""
    try:
        return path.is_file()
    except OSError as error:
        raise InvalidQuery(f"hub {str(path.parent)[:200]}: cannot be read ({error.strerror})") from None


class Hubs(AnyHub):
    """Several hubs as one; a name that two of them have is the first one's."""

    def __init__(self, hubs: Iterable[AnyHub]) -> None:
        self.hubs = tuple(hubs)
        self.address = " and ".join(hub.address for hub in self.hubs)

    @property
    def index(self) -> Index:
        """The models of all of them."""
        return merged(tuple(hub.index for hub in self.hubs))

    @property
    def writable(self) -> bool:
        """True where the folders of all models can be changed."""
        return all(hub.writable for hub in self.hubs)

    def home(self, entry: Entry) -> AnyHub:
        """The one hub that a model is in. Raises InvalidPackage where another has other weights by the same name."""
        found = [(hub, own) for hub in self.hubs if (own := hub.index.find(entry.name)) is not None]
        if not found:
            raise InvalidPackage(f"{entry.name}: was just taken out of {self.address}; look again")
        for hub, own in found[1:]:
            if own != found[0][1] and _weights(hub, own) != _weights(*found[0]):
                places = f"{found[0][0].address} and {hub.address}"
                raise InvalidPackage(f"{entry.name}: {places} have other weights by this name; ask one of them")
        return found[0][0].home(entry)

    def path(self, entry: Entry) -> Path:
        """The folder of a model's package."""
        return self.home(entry).path(entry)

    def file(self, entry: Entry, name: str) -> Path | None:
        """One file of a model's package; None where it has no such file."""
        return self.home(entry).file(entry, name)

    def supernets(self) -> tuple[Path, ...]:
        """The folders of all supernets."""
        return tuple(path for hub in self.hubs for path in hub.supernets())


def _weights(hub: AnyHub, entry: Entry) -> str | None:
    """The digest of a model's weights; None where its configuration cannot be read."""
    path = hub.file(entry, CONFIG)
    try:
        return path and read_json(path)["digests"][MODEL]
    except (InvalidCheckpoint, KeyError, TypeError):
        return None


def open_hub(address: str | Path | AnyHub | Sequence[str | Path | AnyHub] | None = None) -> AnyHub:
    """The hub of an address: a folder or hf://OWNER/NAME@REVISION; of several, all of them, the first one first.

    Without an address the user's own (EARSHOT_HUB), where there is one, and the bundled one. Raises InvalidQuery for
    what is no hub, and as `zoo.remote.RemoteHub` does.
    """
    if isinstance(address, AnyHub):
        return address
    if address is None:
        return _default()
    if not isinstance(address, (str, Path)):
        hubs = [open_hub(one) for one in address]
        if not hubs:
            raise InvalidQuery("hub = []: give one hub or more, or None for your own and the bundled one")
        return hubs[0] if len(hubs) == 1 else Hubs(hubs)
    if is_remote(address):
        from zoo.remote import RemoteHub

        return RemoteHub(str(address))
    return Hub(address)


def is_remote(address: str | Path) -> bool:
    """True for hf://...; raises InvalidQuery for what is meant so and is none."""
    text = str(address)
    if text[:3].lower() == "hf:" and not text.startswith(REMOTE):
        raise InvalidQuery(f"hub {text}: give {REMOTE}OWNER/NAME, or a folder")
    return text.startswith(REMOTE)


def _default() -> AnyHub:
    try:
        if not _is_file(OWN_HUB / INDEX):
            return Hub()
        _ = Hub(OWN_HUB).index
    except (InvalidPackage, InvalidQuery) as error:
        log.warning("your own hub is left out: %s", error)
        return Hub()
    return Hubs([Hub(OWN_HUB), Hub()])


def writable_hub(address: str | Path) -> Path:
    """The folder of a hub to publish to, made where there is none. Raises as `check_hub` does."""
    folder = check_hub(address)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidQuery(f"hub {address}: not a folder that can be written ({error.strerror})") from None
    return folder


def check_hub(address: str | Path) -> Path:
    """The folder of a hub to publish to, which need not be there yet.

    Raises InvalidQuery or InvalidPackage for a hub that cannot be published to.
    """
    folder = Path(address)
    if not str(address).strip():
        raise InvalidQuery("hub '': give a folder, or hf://OWNER/NAME")
    if is_remote(address):
        raise InvalidQuery(f"hub {address}: give a folder here, and upload it with `earshot sync FOLDER {address}`")
    if not writable(folder):
        raise InvalidQuery(f"hub {address}: not a folder that can be written; give another")
    if (folder / INDEX).is_file():
        _ = Hub(folder).index
    return folder


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
