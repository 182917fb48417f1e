"""Writing hubs: models come first and the index last, so that a reader never meets a name without a model.

A hub in a folder has one writer at a time; on the Hugging Face Hub a change is one commit, made again where another
came between.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from predictors import estimate
from supernet.arch import Arch
from supernet.errors import EarshotError, HubUnavailable, InvalidPackage, InvalidQuery
from supernet.files import digest, parse_json, read_bytes, write_bytes
from supernet.folders import put_back
from zoo.hubs.address import is_remote, writable_hub
from zoo.hubs.base import MODELS, SUPERNETS, AnyHub, check_inside, checked_entry
from zoo.hubs.folder import Hub, is_file
from zoo.hubs.index import INDEX, Index, NewerIndex, index_bytes, read_index, write_index
from zoo.hubs.page import hub_card, is_hub_card
from zoo.make.files import copy, package_files, supernet_files
from zoo.make.renew import renew as renew_package
from zoo.package.detected import detection_figures
from zoo.package.entry import Entry
from zoo.package.read import CARD, CONFIG

__all__ = ["address_of", "change", "check_public", "check_target", "rebuild"]

ATTEMPTS, PATIENCE_S = 8, 600
"""How often a change is made anew where others come between; how long another writer is waited for."""

log = logging.getLogger(__name__)

Gone = Callable[[AnyHub, Entry], bool]
"""Whether a model of a hub shall leave it."""


def change(
    hub: str | Path | AnyHub,
    packages: Sequence[Path],
    gone: Gone | None,
    supernets: Sequence[Path] = (),
    public: bool = False,
) -> AnyHub:
    """Put folders of packages and supernets into a hub, made where there is none, and take out what shall leave it.

    public: for a repository that is made. Returns the hub. Raises HubUnavailable for one that refuses.
    """
    address = address_of(hub)
    if is_remote(address):
        return _change_remote(address, packages, gone, supernets, public)
    folder = writable_hub(address)
    with _alone(folder):
        place = Hub(folder) if is_file(folder / INDEX) else None
        entries, old = _after(place, place.entries if place else (), packages, gone)
        for source in packages:
            copy(source, folder / MODELS / source.name, package_files(source))
        for source in supernets:
            copy(source, folder / SUPERNETS / source.name, supernet_files(source))
        _write_list(folder, entries)
        for entry in old:
            _remove(folder / MODELS / entry.name)
    return Hub(folder)


def rebuild(hub: str | Path | AnyHub, *, renew: bool = False) -> AnyHub:
    """Write the index of a hub anew from its packages alone, each checked against its digests.

    renew: write packages of an older schema by this one's first (see `zoo.make.renew.renew`). A package that is
    incomplete or altered is left out, one whose test vectors do not hold stays as it is, each with a word in the log.
    Raises InvalidPackage for a folder without packages, and for an index that a later version wrote.
    """
    address = address_of(hub)
    if is_remote(address):
        raise InvalidQuery(f"hub {address}: only a hub in a folder; download it, rebuild it, and `earshot sync` it")
    folder = Path(address)
    if not (folder / MODELS).is_dir():
        raise InvalidPackage(f"{folder}: has no folder `{MODELS}`; give the folder of a hub")
    _check_not_newer(folder / INDEX)
    with _alone(folder):
        packages = sorted(path for path in (folder / MODELS).iterdir() if path.is_dir() and path.name[0] != ".")
        if renew:
            _renew(folder, packages)
        _write_list(folder, list(_sound(packages)))
    return Hub(folder)


def _check_not_newer(path: Path) -> None:
    """Raise InvalidPackage for an index that a later version wrote for others."""
    try:
        read_index(path)
    except NewerIndex:
        raise
    except EarshotError:
        return


def _renew(hub: Path, packages: Iterable[Path]) -> None:
    for package in packages:
        try:
            check_inside(hub, package)
            renew_package(package)
        except EarshotError as error:
            log.warning("stays as it is: %s", error)


def _sound(packages: Iterable[Path]) -> Iterator[Entry]:
    for package in packages:
        try:
            yield checked_entry(package)
        except EarshotError as error:
            log.warning("left out, publish it again or delete its folder: %s", error)


def address_of(hub: str | Path | AnyHub) -> str:
    """Of a hub that is written to, without the commit that it was opened at. Raises InvalidQuery for what is none."""
    if isinstance(hub, AnyHub):
        return str(getattr(hub, "asked", hub.address))
    if not isinstance(hub, (str, Path)):
        raise InvalidQuery(f"hub = {hub!r:.140} is not possible: give a folder, or hf://OWNER/NAME")
    return str(hub)


def check_public(hub: str | Path | AnyHub, public: bool) -> None:
    """Raise InvalidQuery for what is of no use: a folder has no visibility."""
    if public and not is_remote(address_of(hub)):
        raise InvalidQuery(
            f"public: hub {address_of(hub)} is a folder; give public with an hf:// address, or leave it out"
        )


def check_target(hub: str | Path | AnyHub, public: bool) -> None:
    """Raise what a hub that cannot be written raises, before long work."""
    address = address_of(hub)
    if is_remote(address):
        from zoo.hubs.remote import RemoteHub

        RemoteHub(address, new=True, public=public)
    else:
        writable_hub(address)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _after(
    place: AnyHub | None, listed: Iterable[Entry], packages: Sequence[Path], gone: Gone | None
) -> tuple[list, list]:
    """What a hub lists after a change, and what leaves it."""
    new = [checked_entry(package) for package in packages]
    names = {entry.name for entry in new}
    others = [_as_now(place, entry) for entry in listed if entry.name not in names]
    old = [entry for entry in others if gone is not None and gone(place, entry)]
    return [*new, *(entry for entry in others if entry not in old)], old


def _as_now(place: AnyHub | None, entry: Entry) -> Entry:
    """An entry with the labels, the RAM, the flash and the detector's figures of its package, where the index is of a
    version without the first of these.
    """
    known = entry.labels and entry.stream_ram_bytes != entry.clip_ram_bytes and entry.flash_bytes > entry.weight_bytes
    if place is None or known:
        return entry
    try:
        data = read_bytes(place.file(entry, CONFIG))
        values = parse_json(data, entry.name) if digest(data) == entry.config_sha256 else {}
        cost, labels = estimate(Arch.from_dict(values["arch"])), tuple(values["labels"])
        sizes = {name: getattr(cost, name) for name in ("flash_bytes", "stream_ram_bytes", "clip_ram_bytes")}
        return replace(entry, labels=labels, **sizes, **detection_figures(values.get("detection")))
    except HubUnavailable:
        raise
    except (EarshotError, OSError, LookupError, TypeError, AttributeError) as error:
        log.warning("%s: listed as it was, without its labels, its RAM in a stream or its code (%s)", entry.name, error)
        return entry


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """As the only writer of a hub in a folder, without what one that was killed has left."""
    try:
        with _locked(folder):
            for part in [*folder.glob(".*.part"), *folder.glob("*/.*.part")]:
                _remove(part) if part.is_dir() else part.unlink()
            for kind in (MODELS, SUPERNETS):
                put_back(folder / kind)
            yield
    except OSError as error:
        if isinstance(error, EarshotError):
            raise
        what = f"{error.filename or folder}: {error.strerror}"
        raise HubUnavailable(f"hub {folder}: cannot be written ({what}); give another folder") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        log.warning("hub %s: waiting for another who writes to it", folder)
        try:
            lock.acquire(timeout=PATIENCE_S)
        except Timeout:
            raise HubUnavailable(f"hub {folder}: another writes for {PATIENCE_S} s; try again later") from None
    try:
        yield
    finally:
        lock.release()


def _write_list(folder: Path, entries: Sequence[Entry]) -> None:
    write_index(folder / INDEX, entries)
    card = folder / CARD
    if not card.is_file() or is_hub_card(read_bytes(card)):
        write_bytes(card, hub_card(Index.of(entries).entries, "FOLDER").encode())


def _change_remote(
    address: str, packages: Sequence[Path], gone: Gone | None, supernets: Sequence[Path], public: bool
) -> AnyHub:
    from zoo.hubs.remote import RemoteHub, Stale

    files = _uploads(packages, supernets)
    for attempt in range(ATTEMPTS):
        hub = RemoteHub(address, new=True, public=public)
        entries, old = _after(hub, hub.entries, packages, gone)
        index, listed = Index.of(entries), {INDEX: index_bytes(entries)}
        if hub.owns_card:
            listed[CARD] = hub_card(index.entries, address).encode()
        added = [source.name for source in (*packages, *supernets)]
        try:
            return hub.change(files | listed, [f"{MODELS}/{entry.name}" for entry in old], _message(added, old), index)
        except Stale:
            log.info("hub %s changed meanwhile; trying again", address)
            time.sleep(0.1 * 2**attempt)
        except HubUnavailable:  # the answer may have been lost after the commit was made
            now = _changed(hub, entries)
            if now is None:
                raise
            return now
    raise HubUnavailable(f"hub {address}: others changed it {ATTEMPTS} times meanwhile; try again later")


def _changed(hub: AnyHub, entries: Sequence[Entry]) -> AnyHub | None:
    """A hub as it is now, where it lists these since it was opened."""
    from zoo.hubs.remote import RemoteHub

    try:
        now = RemoteHub(hub.asked, new=True)
    except EarshotError:
        return None
    return now if now.commit != hub.commit and set(now.entries) == set(entries) else None


def _uploads(packages: Sequence[Path], supernets: Sequence[Path]) -> dict[str, Path | bytes]:
    """Files by their places in a hub."""
    parts = ((MODELS, packages, package_files), (SUPERNETS, supernets, supernet_files))
    return {
        f"{place}/{source.name}/{file}": source / file
        for place, sources, listing in parts
        for source in sources
        for file in listing(source)
    }


def _message(added: Sequence[str], removed: Sequence[Entry]) -> str:
    """Of a commit."""
    about = [*(f"add {name}" for name in added), *(f"remove {entry.name}" for entry in removed)]
    rest = f" and {len(about) - 3} more" if len(about) > 3 else ""
    text = ", ".join(about[:3]) + rest
    return text[:1].upper() + text[1:]
