"""Test the claim of once-for-all: is a sub-network as good as the same network trained alone?

    python scripts/claim.py ../shared/data/speech_commands

For some sizes, the same network is made in four ways: trained alone from scratch; alone with distillation from the
supernet's largest network; sliced from the supernet; sliced and fine-tuned with distillation. Two are also trained from
scratch for as many epochs as supernet and fine-tune have together, in case that it is the length that gains. Rows:
`claim.csv`; differences on the same test clips with paired bootstrap intervals: `claim_intervals.csv`. For networks
drawn by size, the slice's validation accuracy beside that of the network trained alone: `rank.csv`, and their rank
correlation: `rank_correlation.csv`, all in `scripts/results`. Runs resume.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from plain import report, split_hits, uniform_archs
from results import add_row, load_hits, paired_bootstrap
from scipy.stats import kendalltau, spearmanr

from supernet.arch import Arch
from supernet.cost import macs
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.frontend.mfcc import Mfcc
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
TUNE_RATE, RANK_SEED, BOOTSTRAP_DRAWS = 1e-3, 4, 2000
UNKNOWN = 2
"""Recipe.unknown of all ways, which is that of the bundled supernet."""


@dataclass(frozen=True)
class Setting:
    """What all runs share."""

    supernet: Supernet
    teacher: Network
    data: ClipData
    frontend: Mfcc
    supernet_epochs: int
    options: argparse.Namespace


def main() -> None:
    """Run what is missing and write the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    stored = load_supernet(options.supernet, options.task)
    data = load(options.data, "numbers")
    supernet = stored.supernet
    teacher, epochs = supernet.extract(supernet.space.largest()), stored.config["training"]["recipe"]["epochs"]
    setting = Setting(supernet, teacher, data, stored.frontend, epochs, options)
    archs = {"smallest": supernet.space.smallest(), **uniform_archs(len(data.labels))}
    for size in (size for size in SIZES if size in options.only):
        for way in WAYS:
            for seed in range(_seeds(size, way)):
                _measure(setting, size, archs[size], way, seed)
        _intervals(setting, size)
    if RANK in options.only:
        _rank(setting, archs)


def _epochs(setting: Setting, way: str) -> int:
    tuned = setting.options.tune_epochs
    return {"slice": 0, "tuned": tuned, "longer": setting.supernet_epochs + tuned}.get(way, setting.options.epochs)


def _folder(setting: Setting, size: str, way: str, seed: int) -> Path:
    return setting.options.runs / "claim" / f"{size}-s{seed}-e{_epochs(setting, way)}-{way}"


def _make(setting: Setting, size: str, arch: Arch, way: str, seed: int) -> Network:
    """The network of an Arch, made in one of the WAYS."""
    supernet = setting.supernet
    if way == "slice":
        return supernet.extract(arch)
    start = supernet.extract(arch) if way == "tuned" else Network(arch, seed)
    rate = TUNE_RATE if way == "tuned" else Recipe.learning_rate
    recipe = Recipe(epochs=_epochs(setting, way), learning_rate=rate, unknown=UNKNOWN, seed=seed, bfloat16=True)
    teacher = None if way in ("alone", "longer") else setting.teacher
    folder, calibration = _folder(setting, size, way, seed), supernet.calibration
    return train_float(start, setting.data, setting.frontend, recipe, folder, calibration, teacher)


def _measure(setting: Setting, size: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row."""
    network = _make(setting, size, arch, way, seed)
    keys = {"size": size, "way": way, "seed": seed, "epochs": _epochs(setting, way)}
    folder = _folder(setting, size, way, seed)
    report("claim", keys, {"macs": macs(arch)}, network, setting.data, setting.frontend, folder)


def _intervals(setting: Setting, size: str) -> None:
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
        add_row("claim_intervals", {"size": size, "first": first, "second": second, **epochs}, {**values, **counts})


def _seeds(size: str, way: str) -> int:
    """How many networks of a way there are: the supernet has one seed, and so has its slice."""
    return {"slice": 1, "longer": LONG.get(size, 0)}.get(way, SIZES[size])


def _rank(setting: Setting, archs: dict[str, Arch]) -> None:
    """Slice against alone, over networks drawn by size; MACs against alone beside it, which is what to beat."""
    options, triples = setting.options, []
    drawn = _drawn(setting.supernet.space, options.rank_networks, options.rank_macs)
    for name, arch in {**{size: archs[size] for size in SIZES}, **drawn}.items():
        made = (_make(setting, name, arch, way, 0) for way in ("slice", "alone"))
        sliced, alone = (split_hits(network, setting.data, setting.frontend)["validation"].mean() for network in made)
        triples.append((macs(arch), sliced, alone))
        shares = {"slice_validation": round(100 * sliced, 2), "alone_validation": round(100 * alone, 2)}
        keys = {"net": name, "alone_epochs": options.epochs}
        add_row("rank", keys, {"macs": macs(arch), **shares}, _folder(setting, name, "alone", 0))
        print(name, shares, flush=True)
    cost, sliced, alone = np.array(triples, dtype=float).T
    for name, correlate in (("Kendall", kendalltau), ("Spearman", spearmanr)):
        for other, values in (("slice", sliced), ("MACs", cost)):
            _correlation(name, other, correlate, values, alone, options.epochs)


def _correlation(
    name: str, other: str, correlate: Callable, values: np.ndarray, alone: np.ndarray, epochs: int
) -> None:
    """A rank correlation with its bootstrap interval over networks, as a row; draws without any order are left out."""
    draws = np.random.default_rng(0).integers(0, len(alone), (BOOTSTRAP_DRAWS, len(alone)))
    drawn = [correlate(values[draw], alone[draw]).statistic for draw in draws if _ordered(values[draw], alone[draw])]
    low, high = np.percentile(drawn, [2.5, 97.5])
    figures = {"value": correlate(values, alone).statistic, "low": low, "high": high}
    row = {**{key: round(float(value), 3) for key, value in figures.items()}, "networks": len(alone)}
    add_row("rank_correlation", {"correlation": name, "of": other, "alone_epochs": epochs}, row)


def _ordered(*series: np.ndarray) -> bool:
    return all(np.ptp(values) > 0 for values in series)


def _drawn(space: Space, count: int, most: float) -> dict[str, Arch]:
    """Networks drawn by size within so many MACs, no two alike."""
    rng = np.random.default_rng(RANK_SEED)
    genes = rng.permutation(np.unique(space.sample_sizes(rng, 50 * count), axis=0))
    inside = genes[PopulationCosts(space)(genes)["macs"] <= most][:count]
    return {f"drawn{number}": arch for number, arch in enumerate(space.from_genes(inside))}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--supernet", type=Path, default=Path("zoo/hub/supernets/kws-temporal-map"), help="its folder")
    parser.add_argument("--task", default="kws", help="name of the task (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="alone, each way (default: %(default)s)")
    parser.add_argument("--tune-epochs", type=int, default=3, help="after slicing (default: %(default)s)")
    steps = [*SIZES, RANK]
    parser.add_argument("--only", nargs="+", choices=steps, default=steps, help="default: all, one after the other")
    parser.add_argument("--rank-networks", type=int, default=5, help="beside the sizes (default: %(default)s)")
    parser.add_argument("--rank-macs", type=float, default=3e6, help="most of each of those (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
