"""Putting models into hubs and keeping hubs sound: publish, unpublish, verify, sync, rebuild.

Models come first and the index last, so that a reader never meets a name without a model. A hub in a folder has one
writer at a time; on the Hugging Face Hub a change is one commit, made again where another came between.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from predictors import estimate
from supernet.arch import Arch
from supernet.errors import (
    EarshotError,
    HubUnavailable,
    InvalidPackage,
    InvalidQuery,
    MissingExtra,
    UnknownName,
    nearest_names,
)
from supernet.extras import TRAINING, has, lacking, need
from supernet.families import family
from supernet.files import digest, parse_json, read_bytes, read_json, write_bytes
from supernet.frontend.base import frontend_from_dict
from supernet.frontend.mfcc import Mfcc
from zoo.hubs.address import check_hub, is_remote, open_hub, writable_hub
from zoo.hubs.base import MODELS, SUPERNETS, AnyHub, check_inside, checked_entry
from zoo.hubs.costs import figures, keep_own_figures
from zoo.hubs.folder import Hub, is_file
from zoo.hubs.index import INDEX, Index, index_bytes, write_index
from zoo.hubs.page import hub_card, is_hub_card
from zoo.keeping import LAST_STEP, Kept, going_on
from zoo.make.names import warn_of_mixing
from zoo.package.entry import Entry, is_safe_name
from zoo.package.figures import COSTS, device_figures, read_figures
from zoo.package.read import CARD, CONFIG, MODEL, VECTORS, Config, read_config
from zoo.package.write import exact_costs, move_in, new_folder, seal
from zoo.run.model import Model

__all__ = ["Verdict", "publish", "rebuild", "sync", "unpublish", "verify"]

ATTEMPTS, PATIENCE_S = 8, 600
"""How often a change is made anew where others come between; how long another writer is waited for."""
SAFE_FILE = re.compile(r"([A-Za-z0-9_-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*")
PREDICTOR = ("accuracy.csv", "accuracy.json")
MEASURED = "measured.jsonl"
"""In the folder of a run of `publish`."""

log = logging.getLogger(__name__)


def publish(
    models: str | Path | Sequence[str | Path],
    hub: str | Path | AnyHub,
    *,
    data: str | Path | None = None,
    replaces: Callable[[Config], bool] | None = None,
    run: str | Path | None = None,
    progress: bool = False,
    public: bool = False,
) -> AnyHub:
    """Put packages into a hub, a folder or hf://OWNER/NAME@BRANCH, made where there is none, and list them.

    Digests must hold, and test vectors on the integer evaluator. Costs, device figures and cards are made anew; data:
    what a model was trained on, to measure its accuracy on validation and test again. Where the packages for that are
    not installed (extra `train`), models are published as they are, once their digests hold, with a warning in the log.
    replaces: which models of the hub are superseded. run: a folder in which what was measured is kept, so that it is
    not measured again. public: for a repository that is made, which is private otherwise; the hub's `visibility` says
    what one is that was there. Returns the hub. Raises InvalidPackage, before anything is written, for a model that
    does not hold; HubUnavailable for a hub that refuses.
    """
    if data is not None:
        need(*TRAINING)
    folders = [Path(models)] if isinstance(models, (str, Path)) else [Path(model) for model in models]
    twice = [folder for folder, count in Counter(folder.resolve().name for folder in folders).items() if count > 1]
    if twice:
        raise InvalidQuery(f"model {twice[0]}: given twice; give each once")
    _check_public(hub, public)
    for folder in folders:
        _check_package(folder)
    _check_target(hub, public)
    with tempfile.TemporaryDirectory() as staging:
        kept = Kept(run and Path(run) / MEASURED)
        fresh = (
            _renewed(folders, Path(staging), data, kept, progress)
            if has(*TRAINING)
            else _as_they_are(folders, Path(staging))
        )
        for folder in fresh:
            config = read_config(folder)
            warn_of_mixing(config.values["task"], config.labels, None if is_remote(_address(hub)) else _address(hub))
        _keep_own_figures(fresh)
        gone = replaces and (lambda place, entry: replaces(place.config(entry)))
        return _change(hub, fresh, gone, public=public)


def _keep_own_figures(folders: list[Path]) -> None:
    """What models take on the user's own profiles, kept beside these."""
    configs = [read_config(folder) for folder in folders]
    try:
        keep_own_figures([(config.name, config.values["task"], config.arch) for config in configs])
    except (MissingExtra, OSError) as error:
        log.warning("no figures on your own profiles (%s); `earshot profile costs` computes them", error)


def _check_public(hub: str | Path | AnyHub, public: bool) -> None:
    """Raise InvalidQuery for what is of no use: a folder has no visibility."""
    if public and not is_remote(_address(hub)):
        raise InvalidQuery(
            f"public: hub {_address(hub)} is a folder; give public with an hf:// address, or leave it out"
        )


def _check_target(hub: str | Path | AnyHub, public: bool) -> None:
    """Raise what a hub that cannot be written raises, before long work."""
    address = _address(hub)
    if is_remote(address):
        from zoo.hubs.remote import RemoteHub

        RemoteHub(address, new=True, public=public)
    else:
        writable_hub(address)


def _address(hub: str | Path | AnyHub) -> str:
    """Of a hub that is written to, without the commit that it was opened at."""
    return str(getattr(hub, "asked", hub.address) if isinstance(hub, AnyHub) else hub)


def unpublish(names: str | Sequence[str], hub: str | Path | AnyHub) -> AnyHub:
    """Take models out of a hub: first out of its index, then their folders. Returns the hub.

    Raises UnknownName, and takes none, where one of the names is not there.
    """
    names = [names] if isinstance(names, str) else list(names)
    place = open_hub(_address(hub))
    for name in names:
        place.entry(name)
    return _change(hub, [], lambda place, entry: entry.name in names)


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
    _check_public(target, public)
    place, there = open_hub(source), _opened(target)
    if not is_remote(_address(target)):
        check_hub(_address(target))
    with going_on(*_downloads(place)):
        entries = _lacking(place, there, task, name)
        folders = [_whole(place, entry) for entry in tqdm(entries, "models", disable=not progress)]
        extra = _lacking_supernets(place, there, task) if supernets else []
    if folders or extra:
        with going_on(_address(target), *_downloads(place), errors=LAST_STEP):
            there = _change(target, folders, None, extra, public)
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
    known = set(there.entries) if there else set()
    return [entry for entry in wanted if entry not in known or _lacks_costs(place, there, entry)]


def _lacks_costs(place: AnyHub, there: AnyHub, entry: Entry) -> bool:
    return there.file(entry, COSTS) is None and place.file(entry, COSTS) is not None


def _whole(place: AnyHub, entry: Entry) -> Path:
    """The folder of a model with all of its files, checked."""
    folder = place.path(entry)
    place.file(entry, COSTS)
    figures(place, entry)
    if checked_entry(folder) != entry:
        raise InvalidPackage(f"{folder}: not what the index of {place.address} lists")
    return folder


def _lacking_supernets(place: AnyHub, there: AnyHub | None, task: str | None) -> list[Path]:
    known = {path.name for path in there.supernets()} if there else set()
    found = [path for path in place.supernets() if path.name not in known]
    for folder in found:
        check_supernet(folder)
    return [folder for folder in found if task is None or task in read_json(folder / CONFIG).get("tasks", {})]


def _opened(address: str | Path | AnyHub) -> AnyHub | None:
    """A hub that may not be there yet."""
    place = _address(address)
    if not is_remote(place):
        return Hub(place) if is_file(Path(place) / INDEX) else None
    try:
        return open_hub(place)
    except UnknownName:
        return None


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
    if isinstance(target, (str, Path)) and (Path(target) / CONFIG).is_file():
        return [_verdict(Path(target).name, lambda: _check_package(Path(target)))]
    if isinstance(target, str) and is_safe_name(target) and not Path(target).exists():
        place = open_hub()
        entry = place.entry(target)
        return [_verdict(entry.name, lambda: _check_listed(place, entry))]
    place = open_hub(target)
    found = [
        _verdict(entry.name, lambda entry=entry: _check_listed(place, entry))
        for entry in tqdm(place.entries, "verify", disable=not progress)
    ]
    found += _supernet_verdicts(place)
    return found + [Verdict(name, "not in the index; `earshot rebuild` lists it") for name in _unlisted(place)]


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


def _check_package(folder: Path) -> Entry:
    entry = checked_entry(folder)
    Model.from_folder(folder).verify()
    return entry


def _check_listed(place: AnyHub, entry: Entry) -> None:
    config = place.config(entry)
    if _check_package(config.folder) != entry:
        raise InvalidPackage(f"{config.folder}: the index states other figures; `earshot rebuild` writes it anew")
    figures(place, entry)


def check_supernet(folder: Path) -> None:
    """Raise EarshotError for a supernet in a folder whose files are not what its `config.json` says, or lead out."""
    check_inside(_root(folder), folder)
    for file in supernet_files(folder):
        read_bytes(folder / file)
    for file, sha256 in _supernet_digests(folder).items():
        if digest(read_bytes(folder / file)) != sha256:
            raise InvalidPackage(f"{folder / file}: altered; take the supernet from its source again")


def _root(folder: Path) -> Path:
    """Of the hub of a supernet; of what is downloaded the whole cache, whose snapshots are links to its blobs."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) if folder.is_relative_to(HF_HUB_CACHE) else folder.parent.parent


def _unlisted(place: AnyHub) -> list[str]:
    if not isinstance(place, Hub):
        return []
    names = set(place.index.values("name"))
    folders = {path.parent.name for path in place.folder.glob(f"{MODELS}/*/{CONFIG}")}
    return sorted(name for name in folders - names if not name.startswith("."))


def rebuild(hub: str | Path | AnyHub) -> AnyHub:
    """Write the index of a hub anew from its packages alone, each checked against its digests.

    A package that is incomplete or altered is left out, with a word in the log. Raises InvalidPackage for a folder
    without packages.
    """
    address = _address(hub)
    if is_remote(address):
        raise InvalidQuery(f"hub {address}: only a hub in a folder; download it, rebuild it, and `earshot sync` it")
    folder = Path(address)
    if not (folder / MODELS).is_dir():
        raise InvalidPackage(f"{folder}: has no folder `{MODELS}`; give the folder of a hub")
    with _alone(folder):
        packages = sorted(path for path in (folder / MODELS).iterdir() if path.is_dir() and path.name[0] != ".")
        _write_list(folder, list(_sound(packages)))
    return Hub(folder)


def _sound(packages: Iterable[Path]) -> Iterator[Entry]:
    for package in packages:
        try:
            yield checked_entry(package)
        except EarshotError as error:
            log.warning("left out, publish it again or delete its folder: %s", error)


def _as_they_are(folders: list[Path], staging: Path) -> list[Path]:
    """Packages byte for byte, under their own names."""
    found = []
    for folder in folders:
        if (folder / COSTS).is_file():
            read_figures(folder / COSTS)
        found.append(staging / read_config(folder).name)
        _copy(folder, found[-1], package_files(folder))
    log.warning("published as they are: figures by device were not made anew; %s", lacking(*TRAINING))
    return found


def _renewed(folders: list[Path], staging: Path, data: str | Path | None, kept: Kept, progress: bool) -> list[Path]:
    """Packages with figures and cards as they are now."""
    found = []
    configs = sorted((read_config(folder) for folder in folders), key=lambda config: config.values["task"])
    for task, group in groupby(configs, key=lambda config: config.values["task"]):
        own = list(group)
        taken = device_figures([config.arch for config in own], task)
        for config, devices in zip(tqdm(own, "publish", disable=not progress), taken, strict=True):
            values = _recomputed(config, data, kept)
            model, vectors = ((config.folder / file).read_bytes() for file in (MODEL, VECTORS))
            found.append(seal(staging, values, model, vectors, devices))
    return found


def _recomputed(config: Config, data: str | Path | None, kept: Kept) -> dict:
    """The values of a configuration, with all figures that can be computed or, with data, measured."""
    frontend = frontend_from_dict(config.values["frontend"])
    streamable = family(config.arch.family).streamable
    values = {**config.values, "streamable": streamable, "costs": exact_costs(config.arch, frontend)}
    return values if data is None else {**values, "accuracy": _measured(config, frontend, data, kept)}


def _measured(config: Config, frontend: Mfcc, data: str | Path, kept: Kept) -> dict:
    from zoo.make.package import measured_as, split_figures
    from zoo.make.search import load_like

    arch = config.arch
    stated = config.values["accuracy"]
    if any("folds" in figures for figures in stated.values()):
        log.warning("%s: its accuracies are by cross-validation, and stay", config.name)
        return stated
    folds = config.values["dataset"].get("folds", ())
    clips = load_like(data, config.labels, arch.frames * arch.features.step_ms, config.name, folds)
    network, found = Model.from_folder(config.folder).network, {}
    known = {"model": digest(read_bytes(config.folder / CONFIG)), "data": clips.digest, "audio": clips.audio_key}

    for name in [name for name in ("validation", "test") if name in clips.splits]:
        measure = partial(split_figures, network, frontend, clips, name)
        found[name] = kept.take({**known, **measured_as(clips, name)}, measure)
        now, before = (100 * one.get(name, found[name])["accuracy"] for one in (found, config.values["accuracy"]))
        if now != before:
            log.warning("%s: %s accuracy is %.2f %%, it stated %.2f %%", config.name, name, now, before)
    return found


Gone = Callable[[AnyHub, Entry], bool]
"""Whether a model of a hub shall leave it."""


def _change(
    hub: str | Path | AnyHub,
    packages: Sequence[Path],
    gone: Gone | None,
    supernets: Sequence[Path] = (),
    public: bool = False,
) -> AnyHub:
    address = _address(hub)
    if is_remote(address):
        return _change_remote(address, packages, gone, supernets, public)
    folder = writable_hub(address)
    with _alone(folder):
        place = Hub(folder) if is_file(folder / INDEX) else None
        entries, old = _after(place, place.entries if place else (), packages, gone)
        for source in packages:
            _copy(source, folder / MODELS / source.name, package_files(source))
        for source in supernets:
            _copy(source, folder / SUPERNETS / source.name, supernet_files(source))
        _write_list(folder, entries)
        for entry in old:
            _remove(folder / MODELS / entry.name)
    return Hub(folder)


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
    """An entry with the labels and the RAM of its package, where the index is of a version without these."""
    if place is None or (entry.labels and entry.stream_ram_bytes != entry.clip_ram_bytes):
        return entry
    try:
        data = read_bytes(place.file(entry, CONFIG))
        values = parse_json(data, entry.name) if digest(data) == entry.config_sha256 else {}
        cost, labels = estimate(Arch.from_dict(values["arch"])), tuple(values["labels"])
        return replace(entry, labels=labels, stream_ram_bytes=cost.stream_ram_bytes, clip_ram_bytes=cost.clip_ram_bytes)
    except HubUnavailable:
        raise
    except (EarshotError, OSError, LookupError, TypeError, AttributeError) as error:
        log.warning("%s: listed as it was, without its labels or its RAM in a stream (%s)", entry.name, error)
        return entry


def package_files(package: Path) -> list[str]:
    """The files of a package, those alone that it states and its costs."""
    files = [CONFIG, *read_config(package).files]
    return files + [COSTS] * (package / COSTS).is_file()


def supernet_files(folder: Path) -> list[str]:
    """The files of a supernet: those that it states, and what its accuracy predictor was fitted on."""
    return [CONFIG, *_supernet_digests(folder), *(file for file in PREDICTOR if (folder / file).is_file())]


def _supernet_digests(folder: Path) -> dict[str, str]:
    config = read_json(folder / CONFIG)
    stated = config.get("digests") if isinstance(config, dict) else None
    if not isinstance(stated, dict) or not all(map(SAFE_FILE.fullmatch, stated)):
        raise InvalidPackage(f"{folder / CONFIG}: names files that cannot be there; take the supernet from its source")
    return stated


def _copy(source: Path, place: Path, files: Sequence[str]) -> None:
    """Copy files to a folder that is new as a whole, or else one by one, the configuration last."""
    if place.is_symlink():
        place.unlink()
    if place.exists():
        for file in sorted(files, key=lambda file: file == CONFIG):
            _copy_file(source / file, place / file)
        for path in place.iterdir():
            if path.is_file() and path.name not in files:
                path.unlink()
        return
    part = new_folder(place.parent)
    try:
        for file in files:
            write_bytes(part / file, read_bytes(source / file))
        move_in(part, place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy_file(source: Path, place: Path) -> None:
    """Copy a file, where the same is not there yet."""
    data = read_bytes(source)
    if not place.is_file() or place.is_symlink() or place.stat().st_size != len(data) or place.read_bytes() != data:
        write_bytes(place, data)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """As the only writer of a hub in a folder, without what one that was killed has left."""
    try:
        with _locked(folder):
            for part in [*folder.glob(".*.part"), *folder.glob("*/.*.part")]:
                _remove(part) if part.is_dir() else part.unlink()
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
