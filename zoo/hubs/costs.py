"""What models of a hub take on devices: read where it is known, computed and kept beside their packages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from predictors.names import resolve
from supernet.errors import InvalidQuery
from supernet.extras import need
from zoo.hubs.base import AnyHub
from zoo.package.entry import Entry
from zoo.package.figures import COSTS, Figure, device_figures, read_figures, write_figures

__all__ = ["check_writable", "figure", "figures", "write_costs"]


def figures(hub: AnyHub, entry: Entry) -> dict[str, Figure]:
    """All figures of a model by profile; none where they were not computed. Raises InvalidPackage."""
    path = hub.file(entry, COSTS)
    return {} if path is None else read_figures(path)


def figure(hub: AnyHub, entry: Entry, device: str) -> Figure:
    """What a model takes on a device: a profile by its name or the beginning of it. Raises UnknownName."""
    known = figures(hub, entry)
    return known[resolve(device, known, f"{hub.address}: {entry.name}")]


def write_costs(hub: AnyHub, entries: Iterable[Entry], folder: str | Path | None = None) -> int:
    """Compute the figures of models on all profiles at hand, and keep them; returns how many profiles there are.

    folder: of the user's profiles.
    """
    check_writable(hub)
    need("pandas", "sklearn")
    from predictors.device import profiles

    entries = sorted(entries, key=lambda entry: entry.task)
    for task, group in groupby(entries, key=lambda entry: entry.task):
        own = list(group)
        found = device_figures([hub.config(entry).arch for entry in own], task, folder)
        for entry, taken in zip(own, found, strict=True):
            write_figures(hub.path(entry), taken)
    return len(profiles(folder))


def check_writable(hub: AnyHub) -> None:
    """Raise InvalidQuery for a hub whose models cannot be given figures here."""
    if not hub.writable:
        raise InvalidQuery(f"hub {hub.address}: not writable; `earshot sync` copies it, so give the copy")
