"""Putting models into hubs and keeping hubs sound: publish, unpublish, verify, sync, rebuild.

Models come first and the index last, so that a reader never meets a name without a model. A hub in a folder has one
writer at a time; on the Hugging Face Hub a change is one commit, made again where another came between.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from supernet.data.augment import plain_features
from supernet.families import family
from supernet.files import write_bytes
from supernet.frontend import Mfcc
from zoo.card import hub_card
from zoo.devices import COSTS, device_figures
from zoo.entry import Entry, is_safe_name
from zoo.errors import EarshotError, HubUnavailable, InvalidPackage, InvalidQuery, UnknownName
from zoo.hub import MODELS, REMOTE, SUPERNETS, AnyHub, Hub, checked_entry, open_hub, writable_hub
from zoo.index import INDEX, Index, index_bytes, like, write_index
from zoo.making import accuracy_figures, exact_costs, move_in, new_folder, seal
from zoo.pack import CARD, CONFIG, MODEL, VECTORS, Config, read_config
from zoo.run import Model

__all__ = ["Verdict", "publish", "rebuild", "sync", "unpublish", "verify"]

ATTEMPTS = 8
"""How often a change is made anew where others come between."""

log = logging.getLogger(__name__)


def publish(
    models: str | Path | Sequence[str | Path],
    hub: str | Path,
    *,
    data: str | Path | None = None,
    replaces: Callable[[Config], bool] | None = None,
    progress: bool = False,
) -> AnyHub:
    """Put packages into a hub, a folder or hf://OWNER/NAME@BRANCH, made where there is none, and list them.

    Digests must hold, and test vectors on the integer evaluator. Costs, device figures and cards are made anew; data:
    what a model was trained on, to measure its accuracy on validation and test again. replaces: which models of the
    hub are superseded. Returns the hub. Raises InvalidPackage, before anything is written, for a model that does not
    hold; HubUnavailable for a hub that refuses.
    """
    folders = [Path(models)] if isinstance(models, (str, Path)) else [Path(model) for model in models]
    with tempfile.TemporaryDirectory() as staging:
        fresh = _renewed(folders, Path(staging), data, progress)
        return _change(hub, fresh, replaces and (lambda place, entry: replaces(place.config(entry))))


def unpublish(names: str | Sequence[str], hub: str | Path) -> AnyHub:
    """Take models out of a hub: first out of its index, then their folders. Returns the hub.

    Raises UnknownName, and takes none, where one of the names is not there.
    """
    names = [names] if isinstance(names, str) else list(names)
    place = open_hub(hub)
    for name in names:
        place.entry(name)
    return _change(hub, [], lambda place, entry: entry.name in names)


def sync(
    source: str | Path,
    target: str | Path,
    *,
    task: str | None = None,
    name: str | None = None,
    supernets: bool = False,
    progress: bool = False,
) -> list[str]:
    """Copy to a hub what it lacks of another, byte for byte; returns the names of the models that were copied.

    task, name: only models of a task, and of names that fit a pattern. supernets: them too. Nothing is taken away.
    """
    place, lacking = open_hub(source), _lacking(open_hub(source), target, task, name)
    folders = [place.path(entry) for entry in tqdm(lacking, "models", disable=not progress)]
    for folder, entry in zip(folders, lacking, strict=True):
        if checked_entry(folder) != entry:
            raise InvalidPackage(f"{folder}: not what the index of {place.address} lists")
    if folders or supernets:
        _change(target, folders, None, place.supernets() if supernets else ())
    return [entry.name for entry in lacking]


def _lacking(place: AnyHub, target: str | Path, task: str | None, name: str | None) -> list[Entry]:
    if task is not None and task not in place.index.words["task"]:
        raise UnknownName(f"no model for task {task!r} in hub {place.address}")
    if name is not None:
        place.index.like("name", name)
    there = _listed(target)
    return [
        entry
        for entry in place.entries
        if task in (None, entry.task) and (name is None or like(entry.name, name)) and entry not in there
    ]


def _listed(address: str | Path) -> set[Entry]:
    """What a hub that may not be there yet lists."""
    try:
        return set(open_hub(address).entries)
    except (InvalidQuery, UnknownName, HubUnavailable):
        return set()


@dataclass(frozen=True)
class Verdict:
    """What was found of one model or supernet. problem: None where everything holds."""

    name: str
    problem: str | None


def verify(target: str | Path | None = None, *, progress: bool = False) -> list[Verdict]:
    """Check a hub, one package in a folder, or one model by its name: index, digests, configurations, and test vectors
    by running them.

    target: by default your own hub and the bundled one. Raises InvalidQuery or UnknownName for what is none of these.
    """
    if target is not None and (Path(target) / CONFIG).is_file():
        return [Verdict(Path(target).name, _problem(lambda: _check_package(Path(target))))]
    if target is not None and is_safe_name(str(target)) and not Path(target).exists():
        place = open_hub()
        entry = place.entry(str(target))
        return [Verdict(entry.name, _problem(lambda: _check_listed(place, entry)))]
    place = open_hub(target)
    found = [
        Verdict(entry.name, _problem(lambda entry=entry: _check_listed(place, entry)))
        for entry in tqdm(place.entries, "verify", disable=not progress)
    ]
    return found + [Verdict(name, "not in the index; `earshot rebuild` lists it") for name in _unlisted(place)]


def _problem(check: Callable[[], object]) -> str | None:
    try:
        check()
    except EarshotError as error:
        return str(error)
    return None


def _check_package(folder: Path) -> Entry:
    entry = checked_entry(folder)
    Model.from_folder(folder).verify()
    return entry


def _check_listed(place: AnyHub, entry: Entry) -> None:
    config = place.config(entry)
    if _check_package(config.folder) != entry:
        raise InvalidPackage(f"{config.folder}: the index states other figures; `earshot rebuild` writes it anew")


def _unlisted(place: AnyHub) -> list[str]:
    if not isinstance(place, Hub):
        return []
    names = set(place.index.values("name"))
    return sorted({path.parent.name for path in place.folder.glob(f"{MODELS}/*/{CONFIG}")} - names)


def rebuild(hub: str | Path) -> AnyHub:
    """Write the index of a hub anew from its packages alone, each checked against its digests.

    Raises InvalidPackage for a folder without packages or a package that is incomplete or altered.
    """
    if str(hub).startswith(REMOTE):
        raise InvalidQuery(f"hub {hub}: only a hub in a folder; download it, rebuild it, and `earshot sync` it")
    folder = Path(hub)
    if not (folder / MODELS).is_dir():
        raise InvalidPackage(f"{folder}: has no folder `{MODELS}`; give the folder of a hub")
    with _alone(folder):
        packages = sorted(path for path in (folder / MODELS).iterdir() if path.is_dir() and path.name[0] != ".")
        _write_list(folder, [checked_entry(package) for package in packages])
    return Hub(folder)


def _renewed(folders: list[Path], staging: Path, data: str | Path | None, progress: bool) -> list[Path]:
    """Packages with figures and cards as they are now, checked."""
    for folder in folders:
        _check_package(folder)
    found = []
    configs = sorted((read_config(folder) for folder in folders), key=lambda config: config.values["task"])
    for task, group in groupby(configs, key=lambda config: config.values["task"]):
        own = list(group)
        taken = device_figures([config.arch for config in own], task)
        for config, devices in zip(tqdm(own, "publish", disable=not progress), taken, strict=True):
            values = _recomputed(config, data)
            model, vectors = ((config.folder / file).read_bytes() for file in (MODEL, VECTORS))
            found.append(seal(staging, values, model, vectors, devices))
    return found


def _recomputed(config: Config, data: str | Path | None) -> dict:
    """The values of a configuration, with all figures that can be computed or, with data, measured."""
    frontend = Mfcc.from_dict(config.values["frontend"])
    streamable = family(config.arch.family).streamable
    values = {**config.values, "streamable": streamable, "costs": exact_costs(config.arch, frontend)}
    return values if data is None else {**values, "accuracy": _measured(config, frontend, data)}


def _measured(config: Config, frontend: Mfcc, data: str | Path) -> dict:
    from zoo.searching import load_like

    arch = config.arch
    clips = load_like(data, config.labels, arch.frames * arch.features.step_ms, config.name)
    network, figures = Model.from_folder(config.folder).network, {}
    for name in ("validation", "test"):
        split = clips.splits[name]
        figures[name] = accuracy_figures(network, plain_features(clips, split.rows, frontend), split.targets)
        before = config.values["accuracy"].get(name, figures[name])["accuracy"]
        if before != figures[name]["accuracy"]:
            log.warning(
                "%s: %s accuracy is %.2f %%, it stated %.2f %%",
                config.name,
                name,
                100 * figures[name]["accuracy"],
                100 * before,
            )
    return figures


Gone = Callable[[AnyHub, Entry], bool]
"""Whether a model of a hub shall leave it."""


def _change(hub: str | Path, packages: Sequence[Path], gone: Gone | None, supernets: Sequence[Path] = ()) -> AnyHub:
    if str(hub).startswith(REMOTE):
        return _change_remote(str(hub), packages, gone, supernets)
    folder = writable_hub(hub)
    with _alone(folder):
        listed = Hub(folder).entries if (folder / INDEX).is_file() else ()
        entries, old = _after(Hub(folder) if listed else None, listed, packages, gone)
        for source in packages:
            _copy(source, folder / MODELS / source.name, package_files(source))
        for source in supernets:
            _copy(source, folder / SUPERNETS / source.name, tree_files(source))
        _write_list(folder, entries)
        for entry in old:
            shutil.rmtree(folder / MODELS / entry.name)
    return Hub(folder)


def _after(
    place: AnyHub | None, listed: Iterable[Entry], packages: Sequence[Path], gone: Gone | None
) -> tuple[list, list]:
    """What a hub lists after a change, and what leaves it."""
    new = [checked_entry(package) for package in packages]
    names = {entry.name for entry in new}
    others = [entry for entry in listed if entry.name not in names]
    old = [entry for entry in others if gone is not None and gone(place, entry)]
    return [*new, *(entry for entry in others if entry not in old)], old


def package_files(package: Path) -> list[str]:
    """The files of a package, those alone that it states and its costs."""
    files = [CONFIG, *read_config(package).values["digests"]]
    return files + [COSTS] * (package / COSTS).is_file()


def tree_files(folder: Path) -> list[str]:
    """All files below a folder, but hidden ones."""
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]


def _copy(source: Path, place: Path, files: Sequence[str]) -> None:
    """Copy files to a folder that is new as a whole, or else one by one, the configuration last."""
    if place.exists():
        for file in sorted(files, key=lambda file: file == CONFIG):
            write_bytes(place / file, (source / file).read_bytes())
        for file in set(tree_files(place)) - set(files):
            (place / file).unlink()
        return
    part = new_folder(place.parent)
    for file in files:
        (part / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, part / file)
    move_in(part, place)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """As the only writer of a hub in a folder, without what one that was killed has left."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for part in folder.glob("*/.*.part"):
            shutil.rmtree(part)
        yield


def _write_list(folder: Path, entries: Sequence[Entry]) -> None:
    write_bytes(folder / CARD, hub_card(Index.of(entries).entries, str(folder)).encode())
    write_index(folder / INDEX, entries)


def _change_remote(address: str, packages: Sequence[Path], gone: Gone | None, supernets: Sequence[Path]) -> AnyHub:
    from zoo.remote import RemoteHub, Stale

    files: dict[str, Path | bytes] = {}
    for place, sources, listing in ((MODELS, packages, package_files), (SUPERNETS, supernets, tree_files)):
        for source in sources:
            files |= {f"{place}/{source.name}/{file}": source / file for file in listing(source)}
    for attempt in range(ATTEMPTS):
        hub = RemoteHub(address, new=True)
        entries, old = _after(hub, hub.entries, packages, gone)
        about = [*(f"add {package.name}" for package in packages), *(f"remove {entry.name}" for entry in old)]
        listed = {CARD: hub_card(Index.of(entries).entries, address).encode(), INDEX: index_bytes(entries)}
        try:
            return hub.change(files | listed, [f"{MODELS}/{entry.name}" for entry in old], _message(about))
        except Stale:
            log.info("hub %s changed meanwhile; trying again", address)
            time.sleep(0.1 * 2**attempt)
        except HubUnavailable:  # the answer may have been lost after the commit was made
            if _listed(address) != set(entries):
                raise
            return RemoteHub(address)
    raise HubUnavailable(f"hub {address}: others changed it {ATTEMPTS} times meanwhile; try again later")


def _message(about: Sequence[str]) -> str:
    """Of a commit."""
    rest = f" and {len(about) - 3} more" if len(about) > 3 else ""
    text = ", ".join(about[:3]) + rest or "copy supernets"
    return text[0].upper() + text[1:]
