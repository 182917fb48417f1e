"""Packages made anew for a hub, with test vectors, figures and cards as they are now."""

from __future__ import annotations

import logging
import shutil
from functools import partial
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from supernet.extras import TRAINING, has, lacking
from supernet.families import family
from supernet.files import digest, read_bytes, write_bytes, write_json
from supernet.folders import whole_folder
from supernet.frontend.base import frontend_from_dict
from supernet.frontend.mfcc import Mfcc
from zoo.keeping import Kept
from zoo.make.files import copy, package_files
from zoo.package.card import card
from zoo.package.figures import COSTS, device_figures, read_figures
from zoo.package.read import CARD, CONFIG, MODEL, SCHEMA, VECTORS, Config, read_config, read_vectors
from zoo.package.write import exact_costs, seal
from zoo.run.model import Model
from zoo.run.vectors import vector_bytes

__all__ = ["renew", "renewed"]

log = logging.getLogger(__name__)


def renewed(folders: list[Path], staging: Path, data: str | Path | None, kept: Kept, progress: bool) -> list[Path]:
    """Packages in a folder `staging`, with figures and cards as they are now.

    data: what they were trained on, to measure their accuracy again; kept: what was measured already. Where the
    packages for that are not installed (extra `train`), they are copied as they are.
    """
    return _anew(folders, staging, data, kept, progress) if has(*TRAINING) else _as_they_are(folders, staging)


def _as_they_are(folders: list[Path], staging: Path) -> list[Path]:
    """Packages byte for byte, under their own names."""
    found = []
    for folder in folders:
        if (folder / COSTS).is_file():
            read_figures(folder / COSTS)
        found.append(staging / read_config(folder).name)
        copy(folder, found[-1], package_files(folder))
    log.warning("published as they are: figures by device were not made anew; %s", lacking(*TRAINING))
    return found


def _anew(folders: list[Path], staging: Path, data: str | Path | None, kept: Kept, progress: bool) -> list[Path]:
    """Packages with figures and cards as they are now."""
    found = []
    configs = sorted((read_config(folder) for folder in folders), key=lambda config: config.values["task"])
    for task, group in groupby(configs, key=lambda config: config.values["task"]):
        own = list(group)
        taken = device_figures([config.arch for config in own], task)
        for config, devices in zip(tqdm(own, "publish", disable=not progress), taken, strict=True):
            values = {**_recomputed(config, data, kept), "schema": SCHEMA}
            found.append(seal(staging, values, (config.folder / MODEL).read_bytes(), _own_vectors(config), devices))
    return found


def _own_vectors(config: Config) -> bytes:
    """The test vectors of a package, made anew from their samples where an older version made them."""
    if config.values["schema"] == SCHEMA:
        return read_bytes(config.folder / VECTORS)
    model, samples = Model.from_folder(config.folder), read_vectors(config)["samples"]
    return vector_bytes(model.frontend, model.network, samples, read_bytes(config.folder / MODEL))


def renew(package: Path) -> bool:
    """Write an older package as this version does, in its place, once its test vectors were run: of an older schema
    with vectors made anew from their samples; of other costs with these; of another card with that. All else stays,
    byte for byte. Returns whether it was older.

    Raises InvalidPackage, and changes nothing, for a package that does not hold.
    """
    config = read_config(package)
    costs = exact_costs(config.arch, frontend_from_dict(config.values["frontend"]))
    values = {**config.values, "schema": SCHEMA, "costs": costs}
    own = _own_card(package, values)
    if values == config.values and own == read_bytes(package / CARD):
        return False
    Model.from_folder(package).verify()
    files = {VECTORS: _own_vectors(config), CARD: own}
    digests = {**values["digests"], **{name: digest(data) for name, data in files.items()}}
    with whole_folder(package) as part:
        shutil.copytree(package, part, dirs_exist_ok=True)
        for name, data in files.items():
            write_bytes(part / name, data)
        write_json(part / CONFIG, {**values, "digests": digests})
    return True


def _own_card(package: Path, values: dict) -> bytes:
    """The card of a package, with the figures by device that lie beside it."""
    figures = read_figures(package / COSTS) if (package / COSTS).is_file() else {}
    return card(values, tuple(figures.values())).encode()


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
