"""Checking hubs, packages and supernets: what they state, and test vectors by running them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from supernet.constants import SUPERNET_SCHEMA
from supernet.errors import EarshotError, InvalidPackage, InvalidQuery, UnknownName
from supernet.files import digest, load_tensors, read_bytes, read_json
from supernet.frontend.base import frontend_from_dict
from supernet.space import Space
from zoo.hubs.address import is_remote, open_hub
from zoo.hubs.base import MODELS, SUPERNETS, AnyHub, check_inside, checked_entry
from zoo.hubs.costs import figures
from zoo.hubs.folder import Hub, is_file
from zoo.make.files import PREDICTOR, supernet_digests, supernet_files
from zoo.package.entry import Entry, is_safe_name
from zoo.package.figures import COSTS, read_figures
from zoo.package.read import CONFIG
from zoo.run.model import Model

__all__ = ["Verdict", "check_package", "check_supernet", "verify"]

PARTS = ("trunk.safetensors", "calibration.safetensors")
"""Of a supernet, beside a head a task."""
AGAIN = "take the supernet from its source again"


@dataclass(frozen=True)
class Verdict:
    """What was found of one model or supernet. problem: None where everything holds."""

    name: str
    problem: str | None


def verify(target: str | Path | AnyHub | None = None, *, progress: bool = False) -> list[Verdict]:
    """Check a hub, one package in a folder, or one model by its name: index, digests, configurations, figures on
    devices, supernets, and test vectors by running them.

    target: by default your own hub and the bundled one. Raises InvalidQuery or UnknownName for what is none of these.
    """
    if isinstance(target, (str, Path)) and is_file(Path(target) / CONFIG):
        return [_verdict(Path(target).name, lambda: check_package(Path(target)))]
    if isinstance(target, (str, Path)) and not is_remote(target) and not Path(target).exists():
        place, entry = _named(target)
        return [_verdict(entry.name, lambda: _check_listed(place, entry))]
    place = open_hub(target)
    found = [
        _verdict(entry.name, lambda entry=entry: _check_listed(place, entry))
        for entry in tqdm(place.entries, "verify", disable=not progress)
    ]
    found += _supernet_verdicts(place)
    return found + [Verdict(name, "not in the index; `earshot rebuild` lists it") for name in _unlisted(place)]


def _named(name: str | Path) -> tuple[AnyHub, Entry]:
    """The model of what is no folder, and its hub. Raises InvalidQuery for a path, UnknownName for another name."""
    if not is_safe_name(name):
        raise InvalidQuery(f"{name}: no such folder; give the folder of a hub or of a model, or the name of a model")
    place = open_hub()
    try:
        return place, place.entry(name)
    except UnknownName as error:
        raise UnknownName(f"{name}: no such folder, and {error}") from None


def _verdict(name: str, check: Callable[[], object]) -> Verdict:
    return Verdict(name, _problem(check))


def _supernet_verdicts(place: AnyHub) -> list[Verdict]:
    try:
        folders = place.supernets()
    except EarshotError as error:
        return [Verdict(SUPERNETS, str(error))]
    return [_verdict(f"{SUPERNETS}/{folder.name}", lambda folder=folder: check_supernet(folder)) for folder in folders]


def _problem(check: Callable[[], object]) -> str | None:
    try:
        check()
    except EarshotError as error:
        return str(error)
    return None


def check_package(folder: Path) -> Entry:
    """What an index lists of a package. Raises EarshotError where digests or test vectors do not hold, or where figures
    on devices cannot be read.
    """
    entry = checked_entry(folder)
    if (folder / COSTS).is_file():
        read_figures(folder / COSTS)
    Model.from_folder(folder).verify()
    return entry


def _check_listed(place: AnyHub, entry: Entry) -> None:
    check_package(place.config(entry).folder)
    figures(place, entry)


def check_supernet(folder: Path) -> None:
    """Raise EarshotError for a supernet in a folder that does not state all that it is read by, whose files are not
    what its `config.json` says, or lead out.
    """
    check_inside(_root(folder), folder)
    digests = supernet_digests(folder)
    stated = digests | _predictor_digests(folder)
    for file in supernet_files(folder):
        data = read_bytes(folder / file)
        if file in stated and digest(data) != stated[file]:
            raise InvalidPackage(f"{folder / file}: altered; {AGAIN}")
    _check_stated(folder, digests)


def _predictor_digests(folder: Path) -> dict[str, str]:
    """Of the table that the predictor of accuracy is fitted on, as the predictor states it."""
    table, about = (folder / file for file in PREDICTOR)
    if not (table.is_file() and about.is_file()):
        return {}
    stated = read_json(about)
    return {table.name: stated.get("sha256") if isinstance(stated, dict) else None}


def _check_stated(folder: Path, digests: dict[str, str]) -> None:
    """Raise EarshotError for what no supernet can be read by. digests: of its files, as it states them."""
    config = read_json(folder / CONFIG)
    try:
        schema, tasks = config["schema"], config["tasks"]
        heads = [f"heads/{task}.safetensors" for task, about in tasks.items() if _are_labels(about["labels"])]
        Space.from_dict(config["space"])
        frontend_from_dict(config["frontend"])
    except (LookupError, TypeError, AttributeError) as error:
        raise InvalidPackage(f"{folder / CONFIG}: {error} is missing or not possible; {AGAIN}") from None
    if schema != SUPERNET_SCHEMA:
        raise InvalidPackage(f"{folder / CONFIG}: schema {schema!r:.40}; this version reads {SUPERNET_SCHEMA}")
    if len(heads) < max(1, len(tasks)):
        raise InvalidPackage(f"{folder / CONFIG}: states no task with labels; {AGAIN}")
    if lacking := sorted({*heads, *PARTS} - digests.keys()):
        raise InvalidPackage(f"{folder / CONFIG}: no digest of {', '.join(lacking)}; {AGAIN}")
    for file in (*heads, *PARTS):
        load_tensors(folder / file)


def _are_labels(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(label, str) for label in value)


def _root(folder: Path) -> Path:
    """Of the hub of a supernet; of what is downloaded the whole cache, whose snapshots are links to its blobs."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(HF_HUB_CACHE)
    inside = any(folder.absolute().is_relative_to(place) for place in (cache.absolute(), cache.resolve()))
    return cache if inside else folder.parent.parent


def _unlisted(place: AnyHub) -> list[str]:
    if not isinstance(place, Hub):
        return []
    names = set(place.index.values("name"))
    folders = {path.parent.name for path in place.folder.glob(f"{MODELS}/*/{CONFIG}")}
    return sorted(name for name in folders - names if not name.startswith("."))
