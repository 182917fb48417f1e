"""What a folder holds that is no package of a model, and which command takes it."""

from __future__ import annotations

from pathlib import Path

from supernet.data.walk import EXTENSIONS, Classes, tell_left_out, walk_classes
from supernet.files import read_json
from zoo.hubs.folder import Hub
from zoo.hubs.index import INDEX
from zoo.package.read import CONFIG

__all__ = ["about_folder", "holds_package"]

SHOWN = 12
"""Classes that are listed."""
TASKS = "tasks"
"""What `config.json` has of a supernet alone."""


def holds_package(folder: Path) -> bool:
    """True for the folder of a model, whole or not. Raises InvalidCheckpoint for what is no JSON."""
    return (folder / CONFIG).is_file() and TASKS not in read_json(folder / CONFIG)


def about_folder(folder: Path) -> str:
    """What is in a folder without a package, and what to do with it, in one line. Raises InvalidPackage or
    InvalidCheckpoint for a hub or a supernet that cannot be read.
    """
    return f"{folder}: is no model; it holds {_of_ours(folder) or _of_recordings(folder)}"


def _of_ours(folder: Path) -> str | None:
    """Of what Earshot made."""
    if (folder / CONFIG).is_file():
        return _of_supernet(folder)
    if (folder / INDEX).is_file():
        models = len(Hub(folder).index)
        return f"a hub of {models:,} models; `earshot list --hub {folder}` shows them"
    if (folder / "supernet" / CONFIG).is_file():
        return f"a run, with the supernet {folder / 'supernet'}; `earshot info` of that says more"
    packages = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
    return f"{len(packages):,} packages or supernets; name one, such as {folder / packages[0]}" if packages else None


def _of_supernet(folder: Path) -> str:
    tasks = list(read_json(folder / CONFIG)[TASKS])
    return (
        f"a supernet of {', '.join(tasks)}; `earshot train --data FOLDER --task NAME --start {folder}` goes on from "
        f"it, and where it is in a hub `earshot get {tasks[0]} --specialize` and `earshot search` take it"
    )


def _of_recordings(folder: Path) -> str:
    from supernet.data import esc50

    if esc50.is_layout(folder):
        return f"ESC-50; `earshot evaluate aec {folder} --split test` tests a model on it"
    classes = walk_classes(folder)
    counts = {name: len(found.recordings) for name, found in classes.walks.items() if found.recordings}
    return _of_classes(folder, counts) if len(counts) > 1 else _of_others(folder, sum(counts.values()), classes)


def _of_classes(folder: Path, counts: dict[str, int]) -> str:
    listed = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN])
    more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
    return (
        f"recordings, {sum(counts.values()):,} in {len(counts):,} classes ({listed}{more}); `earshot evaluate MODEL "
        f"{folder}` tests a model on them, `earshot train --data {folder} --task NAME` makes one"
    )


def _of_others(folder: Path, below: int, classes: Classes) -> str:
    """Of recordings that are in no classes, or none. below: how many are in folders."""
    count = below + sum(item.kind in EXTENSIONS for item in classes.loose)
    if count:
        return f"recordings, {count:,} and no classes; `earshot run MODEL {folder}` hears them"
    left = f" ({tell_left_out(classes.left_out)})" if classes.left_out else ""
    return (
        f"neither a package, a supernet, a hub nor recordings{left}; give the folder of a package, or a name that "
        "`earshot list` shows"
    )
