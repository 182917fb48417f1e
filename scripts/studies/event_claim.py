"""What does a sub-network of a supernet of sounds gain on one trained alone, and is it by searching or by sharing?

    python scripts/study.py event_claim ../shared/data/esc50

The claim of once-for-all, as Lin et al. make it (arXiv 2303.10351).
For each size a plain network with equal blocks is made in four ways: trained alone; alone with
distillation from the supernet's largest network; sliced from the supernet; sliced and fine-tuned, with distillation.
Beside it stands the network that the search finds within the plain one's parameters and MACs, likewise: the plain one's
slice tells what is gained without searching, and the found one alone what is gained by searching alone. Those that are
trained alone have as many epochs as those that are fine-tuned, at a rate of 0.003 where these have 0.002, and the
supernet had its own, once for all. So plain networks are also trained alone for as many as both together, without and
with distillation, in case that it is the length that gains. Choosing is done on validation; test is fold 4.

Rows: `event_claim.csv`; relative reductions of the error on test, seeds averaged, with paired bootstrap intervals over
the recordings that the clips are cut from: `event_claim_reductions.csv`. They tell nothing of
other supernets and searches, of which there is one each. Needs the supernet that `make_hub.py` trains.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from search.accuracy import AccuracyPredictor, load_predictor
from search.sampling import table_space
from studies.base import RUNS, SOUNDS, THREADS, Shown, Study, several, value
from studies.networks import WAY_NAMES, Setting, event_archs, measured_ways
from studies.rows import Rows, load_hits
from supernet.arch import Arch
from supernet.cost import macs, params
from supernet.data.augment import Augmentation
from supernet.data.esc50 import list_clips, load
from supernet.nn.network import Network
from supernet.nn.store import load_supernet
from supernet.nn.supernet import Supernet
from supernet.train.calibration import calibration_features
from supernet.train.loop import weights_digest
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe
from zoo.make.recipe import HUB
from zoo.make.slices import kept_search

TABLE = "event_claim"
LARGEST = "largest"
SEEDS = {"20k": 3, "50k": 3, "100k": 1, LARGEST: 1}
"""Of each size, by its parameters."""
ALONE, DISTILLED, SLICE, TUNED = "alone", "distilled", "slice", "tuned"
LONGER, LONGER_DISTILLED = "longer", "longer distilled"
PLAIN, FOUND = "plain", "found"
WAYS = {PLAIN: (ALONE, DISTILLED, SLICE, TUNED), FOUND: (ALONE, SLICE, TUNED)}
LONG = {LONGER: {"20k": 3, "50k": 1, "100k": 1}, LONGER_DISTILLED: {"20k": 3}}
"""Seeds of each size with which the plain network is trained for longer alone."""
COMPARED = {
    ((FOUND, TUNED), (PLAIN, ALONE)): "searched and shared, against alone",
    ((FOUND, TUNED), (PLAIN, DISTILLED)): "searched and shared, against alone, distilled",
    ((PLAIN, TUNED), (PLAIN, ALONE)): "shared, without searching, against alone",
    ((PLAIN, TUNED), (PLAIN, DISTILLED)): "shared, without searching, against alone, distilled",
    ((PLAIN, TUNED), (PLAIN, LONGER)): "shared, without searching, against alone, longer",
    ((PLAIN, TUNED), (PLAIN, LONGER_DISTILLED)): "shared, without searching, against alone, distilled, longer",
    ((FOUND, ALONE), (PLAIN, ALONE)): "searched, without sharing, against alone",
    ((FOUND, TUNED), (PLAIN, TUNED)): "searched among slices, against the plain slice",
}
ALONE_RATE, TUNE_RATE = 3e-3, 2e-3
CALIBRATED, DRAWS = 256, 10_000
MEASURE_EVERY = 10
"""Epochs; after each it would take a third of a run."""


@dataclass(frozen=True)
class Sliced(Setting):
    """What all runs share. recipe: of the supernet. samples: networks that its predictor was fitted on."""

    supernet: Supernet
    predictor: AccuracyPredictor
    teacher: Network
    recipe: dict
    samples: int

    @property
    def augmentation(self) -> Augmentation:
        """That of the supernet."""
        return Augmentation.from_dict(self.recipe["augmentation"])

    @property
    def folder(self) -> Path:
        """Of all runs on this supernet."""
        return self.options.runs / TABLE / weights_digest(self.supernet)[:8]


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Run what is missing and write the tables."""
    stored = load_supernet(options.supernet, options.task)
    data, supernet = load(options.data), stored.supernet
    predictor, about = load_predictor(options.supernet, table_space(supernet))
    calibration = calibration_features(data, stored.frontend, CALIBRATED)
    recipe, samples = stored.config["training"]["recipe"], about["quality"]["rows"]
    teacher = supernet.extract(supernet.space.largest(), calibration)
    shared = options, rows, data, stored.frontend, calibration
    setting = Sliced(*shared, supernet, predictor, teacher, recipe, samples)
    plain = {**event_archs(len(data.labels)), LARGEST: supernet.space.largest()}
    for size in options.only:
        archs = {PLAIN: plain[size]}
        if size != LARGEST:
            archs[FOUND] = _found(setting, size, plain[size])
        for seed in range(SEEDS[size]):
            for kind, arch in archs.items():
                for way in _ways(size, kind):
                    if seed < _seeds(size, way):
                        _measure(setting, size, kind, arch, way, seed)
        _reductions(setting, size)


def _ways(size: str, kind: str) -> tuple[str, ...]:
    """The largest network is its own teacher, and nothing is as large: it is made alone, sliced and fine-tuned."""
    longer = [way for way in LONG if size in LONG[way] and kind == PLAIN]
    return (*(way for way in WAYS[kind] if size != LARGEST or way != DISTILLED), *longer)


def _seeds(size: str, way: str) -> int:
    """How often a network is made; a slice is the same each time."""
    if way in LONG:
        return LONG[way].get(size, 0)
    return 1 if way == SLICE else SEEDS[size]


def _found(setting: Sliced, size: str, plain: Arch) -> Arch:
    """The best one within the plain one's parameters and MACs."""
    limits = {"max_params": params(plain), "max_macs": macs(plain)}
    parts = setting.supernet, setting.predictor, setting.data, setting.frontend
    path = setting.folder / f"{size}-found.json"
    making = replace(HUB, samples=setting.samples)
    return Arch.from_dict(kept_search(path, *parts, limits, setting.options.task, making)["arch"])


def _epochs(setting: Sliced, way: str) -> int:
    tuned = setting.options.tune_epochs
    if way in LONG:
        return setting.recipe["epochs"] + tuned
    return {SLICE: 0, TUNED: tuned}.get(way, setting.options.epochs)


def _folder(setting: Sliced, size: str, kind: str, way: str, seed: int) -> Path:
    return setting.folder / f"{size}-{kind}-{way.replace(' ', '-')}-s{seed}-e{_epochs(setting, way)}"


def _measure(setting: Sliced, size: str, kind: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row."""
    folder = _folder(setting, size, kind, way, seed)
    keys = {"size": size, "network": kind, "way": way, "seed": seed, "epochs": _epochs(setting, way)}

    def measure() -> dict:
        network = _make(setting, arch, way, seed, folder)
        return {"params": params(arch), "macs": macs(arch), **setting.measured(network, folder)}

    setting.rows.once(TABLE, keys, measure, folder, folder / "hits-test.npy")


def _make(setting: Sliced, arch: Arch, way: str, seed: int, folder: Path) -> Network:
    """The network of an Arch, made in one of the ways."""
    sliced = setting.supernet.extract(arch, setting.calibration)
    if way == SLICE:
        return sliced
    rate = TUNE_RATE if way == TUNED else ALONE_RATE
    recipe = Recipe(
        epochs=_epochs(setting, way), batch=32, learning_rate=rate, seed=seed, bfloat16=True,
        augmentation=setting.augmentation,
    )  # fmt: skip
    start, teacher = (
        (sliced if way == TUNED else Network(arch, seed)),
        (None if way in (ALONE, LONGER) else setting.teacher),
    )
    return train_float(
        start, setting.data, setting.frontend, recipe, folder, setting.calibration, teacher, MEASURE_EVERY
    )


def _reductions(setting: Sliced, size: str) -> None:
    """Relative reductions of the error between ways, seeds averaged, with intervals over the test recordings."""
    clips = list_clips(setting.options.data)
    sources = clips.src_file[clips.split == "test"]
    for first, second in COMPARED:
        known = [kind in _kinds(size) and way in _ways(size, kind) for kind, way in (first, second)]
        if not all(known):
            continue
        wrong = [_wrong(setting, size, kind, way) for kind, way in (first, second)]
        reduction, low, high = _reduction(*wrong, sources)
        epochs = {"first_epochs": _epochs(setting, first[1]), "second_epochs": _epochs(setting, second[1])}
        keys = {"size": size, "first": " ".join(first), "second": " ".join(second), **epochs}
        seeds = min(_seeds(size, way) for _, way in (first, second))
        values = {"reduction": reduction, "low": low, "high": high, "seeds": seeds}
        setting.rows.add(f"{TABLE}_reductions", keys, values)


def _wrong(setting: Sliced, size: str, kind: str, way: str) -> np.ndarray:
    """(clips,) shares of the seeds that are wrong on test."""
    folders = [_folder(setting, size, kind, way, seed) for seed in range(_seeds(size, way))]
    return 1.0 - np.mean([load_hits(folder, "test") for folder in folders], 0)


def _kinds(size: str) -> tuple[str, ...]:
    return (PLAIN,) if size == LARGEST else (PLAIN, FOUND)


def _reduction(first: np.ndarray, second: np.ndarray, sources: np.ndarray) -> tuple[float, float, float]:
    """By how many percent the first has fewer errors than the second, and the 95 % bootstrap interval.

    first, second: (clips,) shares of seeds that are wrong on the same clips. sources: (clips,) the recording of each;
    those of one are drawn together. Draws in which the second has none are left out: there is nothing to compare with.
    """
    names, own = np.unique(sources, return_inverse=True)
    errors = np.stack([np.bincount(own, wrong) for wrong in (first, second)])
    drawn = errors[:, np.random.default_rng(0).integers(0, len(names), (DRAWS, len(names)))].sum(2)
    drawn = drawn[:, drawn[1] > 0]
    values = (1 - first.sum() / second.sum(), *np.percentile(1 - drawn[0] / drawn[1], [2.5, 97.5]))
    return tuple(round(100 * float(value), 1) for value in values)


def table_of_ways(found: Rows) -> Shown:
    """Test accuracy by size, network and way, means over seeds."""
    table, rows = found.read(TABLE), []
    ways = measured_ways(table)
    for size in SEEDS:
        for network in WAYS:
            part = table[(table["size"] == size) & (table.network == network)]
            if len(part):
                shares = part.groupby("way").test.mean()
                costs = [f"{part.params.iloc[0] / 1e3:.0f} k", f"{part.macs.iloc[0] / 1e6:.2f} M"]
                cells = [f"{shares[way]:.2f}" if way in shares else "" for way in ways]
                rows.append([f"{size}, {network}", *costs, str(part.seed.nunique()), *cells])
    return ["size, network", "parameters", "MACs", "seeds", *(f"{WAY_NAMES[way]}, test %" for way in ways)], rows


def table_of_reductions(found: Rows) -> Shown:
    """Relative reductions of the error on test, in percent, by size."""
    table = found.read(f"{TABLE}_reductions")
    sizes, rows = [size for size in SEEDS if (table["size"] == size).any()], []
    for pair, name in COMPARED.items():
        first, second = map(" ".join, pair)
        part = table[(table["first"] == first) & (table["second"] == second)].set_index("size")
        cells = [_with_interval(part.loc[size]) if size in part.index else "" for size in sizes]
        if any(cells):
            rows.append([name, *cells])
    return ["fewer errors on test, %", *sizes], rows


def _with_interval(row: pd.Series) -> str:
    return f"{row.reduction:.1f} ({row.low:.1f} to {row.high:.1f})"


STUDY = Study(
    __doc__,
    run,
    (
        SOUNDS,
        value("--supernet", Path("zoo/hub/supernets/aec-mbconv"), "its folder"),
        value("--task", "aec", "name of the task"),
        value("--epochs", 100, "alone, each way"),
        value("--tune-epochs", 100, "after slicing"),
        several("--only", list(SEEDS), "sizes"),
        RUNS,
        THREADS,
    ),
    tables={"event_claim": table_of_ways, "event_claim_reductions": table_of_reductions},
)
