"""Is a sub-network of a supernet as good as the same network trained alone, as once-for-all claims?

    python scripts/study.py claim ../shared/data/speech_commands

For some sizes, the same network is made in four ways: trained alone from scratch; alone with distillation from the
supernet's largest network; sliced from the supernet; sliced and fine-tuned with distillation. Two are also trained from
scratch for as many epochs as supernet and fine-tune have together, in case that it is the length that gains. Rows:
`claim.csv`; differences on the same test clips with paired bootstrap intervals: `claim_intervals.csv`. For networks
drawn by size, the slice's validation accuracy beside that of the network trained alone: `rank.csv`, and their rank
correlation: `rank_correlation.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from studies.base import KEYWORDS, RUNS, THREADS, Shown, Study, several, value
from studies.networks import WAY_NAMES, Setting, measured_ways, split_hits, uniform_archs
from studies.rows import Rows, load_hits, paired_bootstrap
from supernet.arch import Arch
from supernet.cost import macs
from supernet.data.speech_commands import load
from supernet.nn.network import Network
from supernet.nn.store import load_supernet
from supernet.nn.supernet import Supernet
from supernet.population import PopulationCosts
from supernet.space import Space
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe

SIZES = {"smallest": 3, "map-0.6M": 3, "map-1M": 1, "map-3M": 1}
"""Seeds of each size."""
RANK = "rank"
LONG = {"smallest": 1, "map-0.6M": 1}
"""Seeds of each size with which it is trained from scratch for longer."""
WAYS = ("alone", "longer", "distilled", "slice", "tuned")
AGAINST = ("alone", "longer", "distilled")
TUNE_RATE, RANK_SEED, BOOTSTRAP_DRAWS = 1e-3, 4, 2000
UNKNOWN = 2
"""Recipe.unknown of all ways, which is that of the bundled supernet."""


@dataclass(frozen=True)
class Sliced(Setting):
    """What all runs share."""

    supernet: Supernet
    teacher: Network
    supernet_epochs: int


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Run what is missing and write the tables."""
    stored, data = load_supernet(options.supernet, options.task), load(options.data, "numbers")
    supernet, epochs = stored.supernet, stored.config["training"]["recipe"]["epochs"]
    shared = options, rows, data, stored.frontend, supernet.calibration
    setting = Sliced(*shared, supernet, supernet.extract(supernet.space.largest()), epochs)
    archs = {"smallest": supernet.space.smallest(), **uniform_archs(len(data.labels))}
    for size in (size for size in SIZES if size in options.only):
        for way in WAYS:
            for seed in range(_seeds(size, way)):
                _measure(setting, size, archs[size], way, seed)
        _intervals(setting, size)
    if RANK in options.only:
        _rank(setting, archs)


def _epochs(setting: Sliced, way: str) -> int:
    tuned = setting.options.tune_epochs
    return {"slice": 0, "tuned": tuned, "longer": setting.supernet_epochs + tuned}.get(way, setting.options.epochs)


def _folder(setting: Sliced, size: str, way: str, seed: int) -> Path:
    return setting.options.runs / "claim" / f"{size}-s{seed}-e{_epochs(setting, way)}-{way}"


def _make(setting: Sliced, size: str, arch: Arch, way: str, seed: int) -> Network:
    """The network of an Arch, made in one of the WAYS."""
    supernet = setting.supernet
    if way == "slice":
        return supernet.extract(arch)
    start = supernet.extract(arch) if way == "tuned" else Network(arch, seed)
    rate = TUNE_RATE if way == "tuned" else Recipe.learning_rate
    recipe = Recipe(epochs=_epochs(setting, way), learning_rate=rate, unknown=UNKNOWN, seed=seed, bfloat16=True)
    teacher = None if way in ("alone", "longer") else setting.teacher
    folder = _folder(setting, size, way, seed)
    return train_float(start, setting.data, setting.frontend, recipe, folder, setting.calibration, teacher)


def _measure(setting: Sliced, size: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row."""
    keys = {"size": size, "way": way, "seed": seed, "epochs": _epochs(setting, way)}
    folder = _folder(setting, size, way, seed)

    def measure() -> dict:
        return {"macs": macs(arch), **setting.measured(_make(setting, size, arch, way, seed), folder)}

    setting.rows.once("claim", keys, measure, folder, folder / "hits-test.npy")


def _intervals(setting: Sliced, size: str) -> None:
    """Differences between the ways of one size on the same test clips, seeds averaged; intervals over clips."""
    right = {}
    for way in (way for way in WAYS if _seeds(size, way)):
        folders = [_folder(setting, size, way, seed) for seed in range(_seeds(size, way))]
        right[way] = np.stack([load_hits(folder, "test") for folder in folders])
    for first, second in combinations(reversed(right), 2):
        difference, low, high = paired_bootstrap(right[first], right[second])
        epochs = {"first_epochs": _epochs(setting, first), "second_epochs": _epochs(setting, second)}
        values = {"difference": difference, "low": low, "high": high}
        counts = {"clips": right[first].shape[1], "first_seeds": len(right[first]), "second_seeds": len(right[second])}
        keys = {"size": size, "first": first, "second": second, **epochs}
        setting.rows.add("claim_intervals", keys, {**values, **counts})


def _seeds(size: str, way: str) -> int:
    """How many networks of a way there are: the supernet has one seed, and so has its slice."""
    return {"slice": 1, "longer": LONG.get(size, 0)}.get(way, SIZES[size])


def _rank(setting: Sliced, archs: dict[str, Arch]) -> None:
    """Slice against alone, over networks drawn by size; MACs against alone beside it, which is what to beat."""
    options, rows = setting.options, setting.rows
    drawn = _drawn(setting.supernet.space, options.rank_networks, options.rank_macs)
    named = {**{size: archs[size] for size in SIZES}, **drawn}
    for name, arch in named.items():
        keys = {"net": name, "alone_epochs": options.epochs}
        rows.once("rank", keys, partial(_both, setting, name, arch), _folder(setting, name, "alone", 0))
    table = rows.read("rank")
    table = table[table["alone_epochs"] == options.epochs].set_index("net").loc[list(named)]
    cost, sliced, alone = table[["macs", "slice_validation", "alone_validation"]].to_numpy(float).T
    for name, correlate in (("Kendall", kendalltau), ("Spearman", spearmanr)):
        for other, values in (("slice", sliced), ("MACs", cost)):
            keys = {"correlation": name, "of": other, "alone_epochs": options.epochs}
            rows.add("rank_correlation", keys, _correlation(correlate, values, alone))


def _both(setting: Sliced, name: str, arch: Arch) -> dict:
    """MACs of a network, and its validation accuracy as a slice and alone."""
    shares = {}
    for way in ("slice", "alone"):
        right = split_hits(_make(setting, name, arch, way, 0), setting.data, setting.frontend)
        shares[f"{way}_validation"] = round(100 * float(right["validation"].mean()), 2)
    return {"macs": macs(arch), **shares}


def _correlation(correlate: Callable, values: np.ndarray, alone: np.ndarray) -> dict:
    """A rank correlation with its bootstrap interval over networks; draws without any order are left out."""
    draws = np.random.default_rng(0).integers(0, len(alone), (BOOTSTRAP_DRAWS, len(alone)))
    drawn = [correlate(values[draw], alone[draw]).statistic for draw in draws if _ordered(values[draw], alone[draw])]
    low, high = np.percentile(drawn, [2.5, 97.5])
    figures = {"value": correlate(values, alone).statistic, "low": low, "high": high}
    return {**{key: round(float(value), 3) for key, value in figures.items()}, "networks": len(alone)}


def _ordered(*series: np.ndarray) -> bool:
    return all(np.ptp(values) > 0 for values in series)


def _drawn(space: Space, count: int, most: float) -> dict[str, Arch]:
    """Networks drawn by size within so many MACs, no two alike."""
    rng = np.random.default_rng(RANK_SEED)
    genes = rng.permutation(np.unique(space.sample_sizes(rng, 50 * count), axis=0))
    inside = genes[PopulationCosts(space)(genes)["macs"] <= most][:count]
    return {f"drawn{number}": arch for number, arch in enumerate(space.from_genes(inside))}


def table_of_ways(found: Rows) -> Shown:
    """Test accuracy by size and way, means over seeds, and what fine-tuned slices gain on networks alone."""
    table, intervals = found.read("claim"), found.read("claim_intervals")
    ways, rows = measured_ways(table), []
    against = [way for way in ways if way in AGAINST]
    for size, part in sorted(table.groupby("size"), key=lambda item: item[1].macs.min()):
        row = [size, f"{part.macs.iloc[0] / 1e6:.2f} M"]
        shares = part.groupby("way").test.mean()
        row += [f"{shares[way]:.2f}" if way in shares else "" for way in ways]
        pair = intervals[(intervals["size"] == size) & (intervals["first"] == "tuned")].set_index("second")
        for second in against:
            one = pair.loc[second] if second in pair.index else None
            row.append("" if one is None else f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})")
        rows.append(row)
    shares = [f"{WAY_NAMES[way]}, test %" for way in ways]
    return ["size", "MACs", *shares, *(f"fine-tuned - {WAY_NAMES[second]}" for second in against)], rows


def table_of_ranks(found: Rows) -> Shown:
    """Rank correlations of slices, and of MACs, with networks trained alone."""
    table = found.read("rank_correlation")
    rows = [
        [f"{row.correlation}, of {row.of} and alone", f"{row.value:.2f}", f"{row.low:.2f} to {row.high:.2f}"]
        for row in table.sort_values("of", ascending=False).itertuples()
    ]
    return [f"rank correlation, {int(table.networks.iloc[0])} networks", "value", "95 % interval"], rows


STUDY = Study(
    __doc__,
    run,
    (
        KEYWORDS,
        value("--supernet", Path("zoo/hub/supernets/kws-temporal-map"), "its folder"),
        value("--task", "kws", "name of the task"),
        value("--epochs", 8, "alone, each way"),
        value("--tune-epochs", 3, "after slicing"),
        several("--only", [*SIZES, RANK], "one after the other"),
        value("--rank-networks", 5, "beside the sizes"),
        value("--rank-macs", 3e6, "most of each of those"),
        RUNS,
        THREADS,
    ),
    tables={"claim": table_of_ways, "rank_correlation": table_of_ranks},
)
