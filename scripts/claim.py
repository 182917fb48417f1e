"""Test the claim of once-for-all: is a sub-network as good as the same network trained alone?

    python scripts/claim.py ../shared/data/speech_commands

For some sizes, the same network is made in four ways: trained alone from scratch; alone with distillation from the
supernet's largest network; sliced from the supernet; sliced and fine-tuned with distillation. Rows: `claim.csv`;
differences on the same test clips with paired bootstrap intervals: `claim_intervals.csv`. For networks drawn by size,
the slice's validation accuracy beside that of the network trained alone: `rank.csv`, and their rank correlation:
`rank_correlation.csv`, all in `scripts/results`. Needs the supernet that `make_hub.py` trains. Runs resume.
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

from supernet.cost import macs
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.elastic import Network, Supernet
from supernet.frontend import Mfcc
from supernet.population import PopulationCosts
from supernet.space import Arch, Space
from supernet.store import load_supernet
from supernet.train import Recipe, train_float

SIZES = {"smallest": 3, "map-0.6M": 3, "map-1M": 1, "map-3M": 1}
"""Seeds of each size."""
RANK = "rank"
WAYS = ("scratch", "distilled", "slice", "tuned")
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
    options: argparse.Namespace


def main() -> None:
    """Run what is missing and write the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    stored = load_supernet(options.supernet, options.task)
    data = load(options.data)
    supernet = stored.supernet
    setting = Setting(supernet, supernet.extract(supernet.space.largest()), data, stored.frontend, options)
    archs = {"smallest": supernet.space.smallest(), **uniform_archs(len(data.labels))}
    for size, seeds in SIZES.items():
        if size not in options.only:
            continue
        for way in WAYS:
            for seed in range(_seeds(way, seeds)):
                _measure(setting, size, archs[size], way, seed)
        _intervals(setting, size, seeds)
    if RANK in options.only:
        _rank(setting, archs)


def _epochs(setting: Setting, way: str) -> int:
    options = setting.options
    return {"slice": 0, "tuned": options.tune_epochs}.get(way, options.epochs)


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
    teacher = None if way == "scratch" else setting.teacher
    folder, calibration = _folder(setting, size, way, seed), supernet.calibration
    return train_float(start, setting.data, setting.frontend, recipe, folder, calibration, teacher)


def _measure(setting: Setting, size: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row."""
    network = _make(setting, size, arch, way, seed)
    keys = {"size": size, "way": way, "seed": seed, "alone_epochs": setting.options.epochs}
    values = {"epochs": _epochs(setting, way), "macs": macs(arch)}
    report("claim", keys, values, network, setting.data, setting.frontend, _folder(setting, size, way, seed))


def _intervals(setting: Setting, size: str, seeds: int) -> None:
    """Differences between the ways of one size on the same test clips, seeds averaged; intervals over clips."""
    right = {
        way: np.stack([load_hits(_folder(setting, size, way, seed), "test") for seed in range(_seeds(way, seeds))])
        for way in WAYS
    }
    for first, second in combinations(WAYS[::-1], 2):
        difference, low, high = paired_bootstrap(right[first], right[second])
        keys = {"size": size, "first": first, "second": second, "alone_epochs": setting.options.epochs}
        values = {"difference": difference, "low": low, "high": high}
        counts = {"clips": right[first].shape[1], "first_seeds": len(right[first]), "second_seeds": len(right[second])}
        add_row("claim_intervals", keys, {**values, **counts})


def _seeds(way: str, seeds: int) -> int:
    """How many networks of a way there are: the supernet has one seed, and so has its slice."""
    return 1 if way == "slice" else seeds


def _rank(setting: Setting, archs: dict[str, Arch]) -> None:
    """Slice against alone, over networks drawn by size; MACs against alone beside it, which is what to beat."""
    options, triples = setting.options, []
    drawn = _drawn(setting.supernet.space, options.rank_networks, options.rank_macs)
    for name, arch in {**{size: archs[size] for size in SIZES}, **drawn}.items():
        made = (_make(setting, name, arch, way, 0) for way in ("slice", "scratch"))
        sliced, alone = (split_hits(network, setting.data, setting.frontend)["validation"].mean() for network in made)
        triples.append((macs(arch), sliced, alone))
        shares = {"slice_validation": round(100 * sliced, 2), "alone_validation": round(100 * alone, 2)}
        keys = {"net": name, "alone_epochs": options.epochs}
        add_row("rank", keys, {"macs": macs(arch), **shares}, _folder(setting, name, "scratch", 0))
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
