"""Opening hubs by their addresses: a folder, hf://OWNER/NAME@REVISION, or several as one. No torch here."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from supernet.constants import DEFAULT_HUB, OWN_HUB
from supernet.errors import InvalidCheckpoint, InvalidPackage, InvalidQuery
from supernet.files import read_json
from zoo.hubs.base import REMOTE, AnyHub
from zoo.hubs.folder import Hub, is_file
from zoo.hubs.index import INDEX, Index, merged
from zoo.keeping import RUNS, writable
from zoo.package.entry import Entry
from zoo.package.read import CONFIG, MODEL

__all__ = ["Hubs", "check_hub", "is_remote", "open_hub", "writable_hub"]

FOREIGN = re.compile(r"hf:|[a-z]+://", re.IGNORECASE)
"""What no folder is called, unless by mistake, such as the address of a page."""

log = logging.getLogger(__name__)


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
    what is no hub, and as `zoo.hubs.remote.RemoteHub` does.
    """
    if isinstance(address, AnyHub):
        return address
    if address is None:
        return _default()
    if not isinstance(address, (str, Path, Iterable)):
        raise InvalidQuery(f"hub = {address!r:.140} is not possible: give a folder, hf://OWNER/NAME, or several")
    if not isinstance(address, (str, Path)):
        hubs = [open_hub(one) for one in address]
        if not hubs:
            raise InvalidQuery("hub = []: give one hub or more, or None for your own and the bundled one")
        return hubs[0] if len(hubs) == 1 else Hubs(hubs)
    if is_remote(address):
        from zoo.hubs.remote import RemoteHub

        return RemoteHub(str(address))
    return Hub(address)


def is_remote(address: str | Path) -> bool:
    """True for hf://...; raises InvalidQuery for what is meant so and is none."""
    text = str(address)
    if FOREIGN.match(text) and not text.startswith(REMOTE):
        raise InvalidQuery(f"hub {text}: give {REMOTE}OWNER/NAME, or a folder")
    return text.startswith(REMOTE)


def _default() -> AnyHub:
    try:
        if not is_file(OWN_HUB / INDEX):
            _check_place(OWN_HUB)
            _tell_absent(OWN_HUB)
            return Hub()
        _ = Hub(OWN_HUB).index
    except (InvalidPackage, InvalidQuery, OSError) as error:
        log.warning("your own hub is left out: %s", error)
        return Hub()
    return Hubs([Hub(OWN_HUB), Hub()])


def _check_place(folder: Path) -> None:
    """Raise InvalidQuery for a place that was named in EARSHOT_HUB, and neither is nor can become one's own hub."""
    if folder in (DEFAULT_HUB, Path(os.devnull)):
        return
    advice = "; give the folder of a hub, or one to be made in a folder that is there"
    if folder.exists() and not folder.is_dir():
        raise InvalidQuery(f"EARSHOT_HUB = {folder}: is no folder{advice}")
    if folder.is_dir() and any(path.name != RUNS.name for path in folder.iterdir()):
        raise InvalidQuery(f"EARSHOT_HUB = {folder}: has no {INDEX}{advice}")
    if not folder.parent.is_dir():
        raise InvalidQuery(f"EARSHOT_HUB = {folder}: there is no folder {folder.parent}{advice}")


def _tell_absent(folder: Path) -> None:
    """Say of a place that was named that nothing is there yet, since its name may be misspelt."""
    if folder != DEFAULT_HUB and not folder.exists():
        log.warning(
            "EARSHOT_HUB = %s: is not there yet, and made by --specialize; the bundled hub alone is asked", folder
        )


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
    if is_file(folder / INDEX):
        _ = Hub(folder).index
    return folder
