"""What models of a hub take on devices: read where it is known, computed and kept beside packages or profiles.

What is published with a hub is of published profiles, and is written only into a hub of one's own. Figures on the
user's profiles are kept beside these, and merged in by look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from predictors.names import resolve
from predictors.settings import own_folders
from supernet.arch import Arch
from supernet.extras import need
from zoo.hubs.base import AnyHub
from zoo.hubs.folder import BUNDLED
from zoo.package.entry import Entry
from zoo.package.figures import (
    COSTS,
    DeviceFigure,
    device_figures,
    own_figures,
    read_figures,
    write_figures,
    write_own_figures,
)

__all__ = ["TABLES", "figure", "figures", "keep_own_figures", "stored_figures", "write_costs", "write_own_costs"]

TABLES = ("pandas", "sklearn")
"""What reading and fitting measurements needs."""


def stored_figures(place: AnyHub | Path, entry: Entry) -> dict[str, DeviceFigure]:
    """All figures of a model's network alone by profile, those on the user's profiles among them; none where they were
    not computed. place: its hub, or the folder of its package. Raises InvalidPackage.
    """
    path = place.file(entry, COSTS) if isinstance(place, AnyHub) else _there(place / COSTS)
    return ({} if path is None else read_figures(path)) | own_figures(entry.name)


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def figures(place: AnyHub | Path, entry: Entry) -> dict[str, DeviceFigure]:
    """All figures of a model with its front end by profile, as `stored_figures` has them. Raises InvalidPackage."""
    stored = stored_figures(place, entry)
    return {name: own.with_frontend(entry.macs, entry.frontend_macs) for name, own in stored.items()}


def figure(place: AnyHub | Path, entry: Entry, device: str) -> DeviceFigure:
    """What a model with its front end takes on a device: a profile by its name or the beginning of it.

    Raises UnknownName.
    """
    known = stored_figures(place, entry)
    where = place.address if isinstance(place, AnyHub) else place
    found = known[resolve(device, known, f"{where}: {entry.name}")]
    return found.with_frontend(entry.macs, entry.frontend_macs)


def write_costs(hub: AnyHub, entries: Iterable[Entry], bundled: bool = False) -> int:
    """Compute the figures of models on all published profiles, and keep them beside their packages where a hub can be
    written; returns on how many profiles. bundled: in the installed hub too, which stays as it is otherwise.
    """
    need(*TABLES)
    from predictors.device import published

    entries = [entry for entry in entries if _is_open(hub.home(entry), bundled)]
    for task, own in _by_task(entries):
        for entry, taken in zip(own, device_figures(_archs(hub, own), task), strict=True):
            write_figures(hub.path(entry), taken)
    return len(published()) if entries else 0


def _is_open(home: AnyHub, bundled: bool) -> bool:
    return home.writable and (bundled or Path(home.address).resolve() != BUNDLED.resolve())


def write_own_costs(
    hub: AnyHub, entries: Sequence[Entry], folder: str | Path | None = None, name: str | None = None
) -> int:
    """Compute the figures of models on the user's profiles, and keep them beside these; returns how many profiles there
    are. folder: of the user's profiles. name: of one CSV alone, without its suffix.
    """
    archs = [(entry.name, entry.task, hub.config(entry).arch) for entry in entries if own_folders(folder)]
    return keep_own_figures(archs, folder, name)


def keep_own_figures(
    models: Iterable[tuple[str, str, Arch]], folder: str | Path | None = None, name: str | None = None
) -> int:
    """The same for models by name, task and network."""
    if not any(any(place.glob("*.csv")) for place in own_folders(folder)):
        return 0
    need(*TABLES)
    from predictors.device import own_profiles

    known = {own: one for own, one in own_profiles(folder).items() if name in (None, Path(one.file).stem)}
    models = sorted(models, key=lambda model: model[1])
    for file in sorted({profile.file for profile in known.values()}):
        own = {name: one for name, one in known.items() if one.file == file}
        found: dict[str, dict[str, DeviceFigure]] = {}
        for task, group in groupby(models, key=lambda model: model[1]):
            names, _, archs = zip(*group, strict=True)
            found |= zip(names, device_figures(archs, task, own, folder), strict=True)
        write_own_figures(Path(file), found)
    return len(known)


def _by_task(entries: Iterable[Entry]) -> Iterable[tuple[str, list[Entry]]]:
    ordered = sorted(entries, key=lambda entry: entry.task)
    return [(task, list(group)) for task, group in groupby(ordered, key=lambda entry: entry.task)]


def _archs(hub: AnyHub, entries: Iterable[Entry]) -> list[Arch]:
    return [hub.config(entry).arch for entry in entries]
