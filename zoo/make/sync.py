"""Copying between hubs, byte for byte: what one lacks of another."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from supernet.errors import UnknownName, nearest_names
from supernet.files import read_json
from zoo.hubs.address import check_hub, is_remote, open_hub
from zoo.hubs.base import SUPERNETS, AnyHub, checked_entry
from zoo.hubs.costs import figures
from zoo.hubs.folder import Hub, is_file
from zoo.hubs.index import INDEX
from zoo.keeping import LAST_STEP, going_on
from zoo.make.change import address_of, change, check_public
from zoo.make.verify import check_supernet
from zoo.package.entry import Entry
from zoo.package.figures import COSTS
from zoo.package.read import CONFIG

__all__ = ["copied", "sync"]


def sync(
    source: str | Path | AnyHub,
    target: str | Path | AnyHub,
    *,
    task: str | None = None,
    name: str | None = None,
    supernets: bool = False,
    progress: bool = False,
    public: bool = False,
) -> list[str]:
    """Copy to a hub what it lacks of another, byte for byte; returns the names of what was copied.

    task, name: only models of a task, and of names that fit a pattern. supernets: those of the task too, as
    `supernets/NAME`. Nothing is taken away, and no supernet is replaced. public: as `publish` has it. Raises
    InvalidPackage, before anything is written, for what does not hold; HubUnavailable for a hub that cannot say what it
    has.
    """
    return copied(source, target, task=task, name=name, supernets=supernets, progress=progress, public=public)[0]


def copied(
    source: str | Path | AnyHub,
    target: str | Path | AnyHub,
    *,
    task: str | None,
    name: str | None,
    supernets: bool,
    progress: bool,
    public: bool,
) -> tuple[list[str], AnyHub | None]:
    """As `sync`, with the hub that was copied to; None where there is none and nothing was to copy."""
    check_public(target, public)
    place, there = open_hub(source), _opened(target)
    if not is_remote(address_of(target)):
        check_hub(address_of(target))
    with going_on(*_downloads(place)):
        entries = _lacking(place, there, task, name)
        folders = [_whole(place, entry) for entry in tqdm(entries, "models", disable=not progress)]
        extra = _lacking_supernets(place, there, task) if supernets else []
    if folders or extra:
        with going_on(address_of(target), *_downloads(place), errors=LAST_STEP):
            there = change(target, folders, None, extra, public)
    return [entry.name for entry in entries] + [f"{SUPERNETS}/{folder.name}" for folder in extra], there


def _downloads(place: AnyHub) -> list[Path]:
    """Where what is downloaded of a hub stays."""
    if not is_remote(place.address):
        return []
    from huggingface_hub.constants import HF_HUB_CACHE

    return [Path(HF_HUB_CACHE)]


def _lacking(place: AnyHub, there: AnyHub | None, task: str | None, name: str | None) -> list[Entry]:
    """Models of one hub that another has not, has otherwise, or has without figures on devices."""
    if task is not None and task not in place.index.words["task"]:
        known = nearest_names(task, place.index.words["task"])
        raise UnknownName(f"no model for task {task!r} in hub {place.address}: {known}")
    fits = place.index.like("name", "*" if name is None else name)
    wanted = [entry for entry, own in zip(place.entries, fits, strict=True) if own and task in (None, entry.task)]
    known = {(entry.name, entry.config_sha256) for entry in there.entries} if there else set()
    return [
        entry for entry in wanted
        if (entry.name, entry.config_sha256) not in known or _lacks_costs(place, there, entry)
    ]  # fmt: skip


def _lacks_costs(place: AnyHub, there: AnyHub, entry: Entry) -> bool:
    return there.file(entry, COSTS) is None and place.file(entry, COSTS) is not None


def _whole(place: AnyHub, entry: Entry) -> Path:
    """The folder of a model with all of its files, checked."""
    folder = place.path(entry)
    place.file(entry, COSTS)
    figures(place, entry)
    checked_entry(folder)
    place.config(entry)
    return folder


def _lacking_supernets(place: AnyHub, there: AnyHub | None, task: str | None) -> list[Path]:
    known = {path.name for path in there.supernets()} if there else set()
    found = [path for path in place.supernets() if path.name not in known]
    for folder in found:
        check_supernet(folder)
    return [folder for folder in found if task is None or task in read_json(folder / CONFIG).get("tasks", {})]


def _opened(address: str | Path | AnyHub) -> AnyHub | None:
    """A hub that may not be there yet."""
    place = address_of(address)
    if not is_remote(place):
        return Hub(place) if is_file(Path(place) / INDEX) else None
    try:
        return open_hub(place)
    except UnknownName:
        return None
