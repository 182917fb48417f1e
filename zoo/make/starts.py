"""What training starts from: a bundled supernet, one of one's own, or that of the same run, which is extended."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path

from search.sampling import TABLE
from supernet.data.augment import Augmentation
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.errors import InvalidQuery, nearest_names
from supernet.extras import lacking
from supernet.files import canonical_json, read_json
from supernet.nn.store import StoredSupernet, load_supernet
from supernet.space import Space
from supernet.train.loop import differing, read_recipe
from supernet.train.recipe import Recipe, augmentation_from_dict
from zoo.hubs.folder import BUNDLED, Hub
from zoo.package.entry import forbids_commerce
from zoo.package.read import CONFIG
from zoo.run.known import Known

__all__ = [
    "BEGUN",
    "CHECKPOINT",
    "RECIPE",
    "STORED",
    "already_measured",
    "augmentation_of",
    "differences",
    "earlier",
    "is_bundled",
    "open_start",
    "put_aside",
    "start_folder",
    "told_apart",
    "with_owner",
]

STORED = "supernet"
"""In the folder of a run: the supernet that it ended with."""
RECIPE, CHECKPOINT, BEGUN = "recipe.json", "checkpoint.safetensors", "begun.json"
"""There, of its training, and what the supernet is to state."""
STATE = (RECIPE, CHECKPOINT, BEGUN, "log.json", "figures.jsonl", STORED, "accuracies", "search", "tuned",
         "quant", "packages", f"{STORED}-accuracies")  # fmt: skip
"""What a run keeps in its folder."""
ASIDE, PART = "before-", ".part"
OTHER = "other"
"""A licence that was not named."""

log = logging.getLogger(__name__)


def augmentation_of(recipe: dict) -> Augmentation | Scenes:
    """What is heard in training that goes on from a supernet of such a recipe: the same, but without rooms where these
    cannot be drawn, and the log says so.
    """
    heard = augmentation_from_dict(recipe.get("augmentation", {}))
    error = lacking("pyroomacoustics") if isinstance(heard, Scenes) and heard.room_share else None
    if error:
        log.warning("not heard in rooms, and so this run stays; %s", error)
        return replace(heard, room_share=0.0, rooms=0)
    return heard


def is_bundled(start: str | Path) -> bool:
    """True for the name of a bundled supernet."""
    return str(start) in _bundled()


def _bundled() -> dict[str, Path]:
    return {path.name: path for path in Hub(BUNDLED).supernets()}


def start_folder(start: str | Path) -> Path:
    """Where a bundled supernet of that name is, or else what is meant for the folder of one."""
    return _bundled().get(str(start), Path(start))


def open_start(start: str | Path) -> StoredSupernet:
    """A bundled supernet by its name, or any by its folder, with its first task's head. Raises InvalidQuery."""
    known, folder = _bundled(), start_folder(start)
    tasks = read_json(folder / CONFIG).get("tasks") if (folder / CONFIG).is_file() else None
    if tasks:
        return load_supernet(folder, next(iter(tasks)))
    if (folder / STORED / CONFIG).is_file():
        raise InvalidQuery(f"start = {str(start)!r}: no supernet there; give {folder / STORED}")
    if folder.is_dir():
        raise InvalidQuery(f"start = {str(start)!r}: no supernet in this folder; give one such as runs/TASK/{STORED}")
    raise InvalidQuery(
        f"start = {str(start)!r}: no such bundled supernet: {nearest_names(Path(start).name, known)}; or give the "
        f"folder of one, such as runs/TASK/{STORED}"
    )


def with_owner(clips: ClipData, begin: StoredSupernet) -> ClipData:
    """The clips, with the owner of the weights that training starts from named beside their own.

    Where those are not for commercial use, clips of licence OTHER get theirs, as what is made is bound by it. Raises
    InvalidQuery where the clips' licence allows more.
    """
    licence, owner = begin.config["licence"], begin.config["attribution"]
    if forbids_commerce(licence) and clips.licence == OTHER:
        clips = replace(clips, licence=licence)
    if forbids_commerce(licence) and not forbids_commerce(clips.licence):
        raise InvalidQuery(
            f"licence {clips.licence}: the weights that training starts from are {licence}, not for commercial use, "
            f"and so is what is made from them; give such a licence, or {OTHER}, or start from others"
        )
    if owner == clips.attribution or owner.startswith(f"{clips.attribution}; starting weights: "):
        return replace(clips, attribution=owner)
    return replace(clips, attribution=f"{clips.attribution}; starting weights: {owner} ({licence})")


def told_apart(clips: ClipData, begin: StoredSupernet) -> None:
    """Warn where clips that are chosen or measured by were heard in the training of the weights at the start."""
    known = Known.of(begin.config.get("training"))
    rows = [row for name in ("validation", "test") for row in clips.splits[name].rows] if known else []
    heard = sum(known.split_of(clips.audio[row], clips.audio.shape[1]) == "train" for row in rows)
    if heard:
        log.warning(
            "%d of %d clips of validation and test were heard in training by the supernet that this starts from: "
            "figures will flatter it; a table can keep them in train", heard, len(rows),
        )  # fmt: skip


def earlier(run: Path) -> Path | None:
    """The supernet that a run was extended from, the newest, where it was."""
    for part in run.glob(f"{ASIDE}*{PART}"):  # of a process that was killed
        _move(run, part)
    last = _last(run)
    return run / f"{ASIDE}{last}" / STORED if last else None


def _last(run: Path) -> int:
    """How often the run was extended."""
    numbers = (path.name.removeprefix(ASIDE) for path in run.glob(f"{ASIDE}*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def already_measured(run: Path) -> int:
    """How many networks the run has measured for the predictor of accuracy."""
    table = run / "accuracies" / TABLE
    return max(0, len(table.read_bytes().splitlines()) - 1) if table.is_file() else 0


def differences(run: Path, recipe: Recipe, space: Space, clips: ClipData) -> list[str]:
    """What of a run in a folder is other than this, in words; nothing where there is none."""
    if not (run / RECIPE).is_file() or not (run / CHECKPOINT).is_file():
        return []
    now = {"recipe": asdict(recipe), "space": space.to_dict(), "data": clips.digest}
    now, then = json.loads(canonical_json(now)), read_recipe(run)
    return differing({name: then.get(name) for name in now}, now)


def put_aside(run: Path) -> Path:
    """Move the state of a run that has a supernet into a folder of its own inside it; returns that supernet."""
    part = run / f"{ASIDE}{_last(run) + 1}{PART}"
    part.mkdir()
    return _move(run, part) / STORED


def _move(run: Path, part: Path) -> Path:
    for name in STATE:
        if (run / name).exists():
            (run / name).rename(part / name)
    return part.rename(part.with_suffix(""))
