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
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from plain import hits, train_plain, uniform_archs
from results import accuracy_columns, add_row, load_hits, paired_bootstrap, read_table, save_hits
from scipy.stats import bootstrap, kendalltau, spearmanr

from supernet.cost import macs, space_macs
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.elastic import Network, Supernet
from supernet.frontend import Mfcc
from supernet.space import Arch, Space
from supernet.store import load_supernet
from supernet.train import Recipe

SIZES = {"smallest": 3, "0.3M": 3, "0.9M": 3, "3M": 1}
"""Seeds of each size."""
WAYS = ("scratch", "distilled", "slice", "tuned")
RANK_SEED, RANK_SEEDS_RUN = 4, 0


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
        for way in WAYS:
            for seed in range(1 if way == "slice" else seeds):
                _measure(setting, size, archs[size], way, seed)
        _intervals(setting, size, seeds)
    _rank(setting, archs)


def _folder(setting: Setting, size: str, way: str, seed: int) -> Path:
    epochs = setting.options.tune_epochs if way == "tuned" else setting.options.epochs
    suffix = {"scratch": "", "distilled": "-distilled", "slice": "-slice", "tuned": "-tuned"}[way]
    return setting.options.runs / "plain" / f"{size}-s{seed}-e{epochs}{suffix}"


def _make(setting: Setting, arch: Arch, way: str, seed: int, folder: Path) -> Network:
    """The network of an Arch, made in one of the WAYS."""
    options, supernet = setting.options, setting.supernet
    if way == "slice":
        return supernet.extract(arch)
    start = supernet.extract(arch) if way == "tuned" else Network(arch, seed)
    epochs, rate = (options.tune_epochs, 1e-3) if way == "tuned" else (options.epochs, Recipe.learning_rate)
    recipe = Recipe(epochs=epochs, learning_rate=rate, seed=seed, bfloat16=True)
    teacher = None if way == "scratch" else setting.teacher
    return train_plain(start, setting.data, setting.frontend, recipe, folder, teacher)


def _measure(setting: Setting, size: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row."""
    folder = _folder(setting, size, way, seed)
    network = _make(setting, arch, way, seed, folder)
    right = hits(network, setting.data, setting.frontend)
    folder.mkdir(parents=True, exist_ok=True)
    save_hits(folder, **right)
    figures = {**accuracy_columns("validation", right["validation"]), **accuracy_columns("test", right["test"])}
    epochs = {"scratch": setting.options.epochs, "distilled": setting.options.epochs, "slice": 0}
    values = {"epochs": epochs.get(way, setting.options.tune_epochs), "macs": macs(arch), **figures}
    add_row("claim", {"size": size, "way": way, "seed": seed}, values)
    print(f"{size} {way} seed {seed}: {figures['validation']} % validation, {figures['test']} % test", flush=True)


def _intervals(setting: Setting, size: str, seeds: int) -> None:
    """Differences between the ways of one size on the same test clips, seeds averaged."""
    right = {
        way: np.stack([load_hits(_folder(setting, size, way, seed), "test") for seed in range(count)])
        for way, count in ((way, 1 if way == "slice" else seeds) for way in WAYS)
    }
    for first, second in combinations(WAYS[::-1], 2):
        difference, low, high = paired_bootstrap(right[first], right[second])
        values = {"difference": difference, "low": low, "high": high, "clips": right[first].shape[1]}
        add_row("claim_intervals", {"size": size, "first": first, "second": second}, values)


def _rank(setting: Setting, archs: dict[str, Arch]) -> None:
    """Slice against alone, over networks drawn by size."""
    options = setting.options
    drawn = _drawn(setting.supernet.space, options.rank_networks, options.rank_macs)
    for name, arch in {**{size: archs[size] for size in SIZES}, **drawn}.items():
        folder = _folder(setting, name, "scratch", RANK_SEEDS_RUN)
        alone = _make(setting, arch, "scratch", RANK_SEEDS_RUN, folder)
        sliced = setting.supernet.extract(arch)
        shares = [
            round(100 * float(hits(network, setting.data, setting.frontend)["validation"].mean()), 2)
            for network in (sliced, alone)
        ]
        values = {"macs": macs(arch), "slice_validation": shares[0], "alone_validation": shares[1]}
        add_row("rank", {"net": name, "epochs": options.epochs}, values)
        print(f"{name}: slice {shares[0]} %, alone {shares[1]} %", flush=True)
    table = read_table("rank")
    pairs = table[["slice_validation", "alone_validation"]].to_numpy()
    for name, correlate in (("Kendall", kendalltau), ("Spearman", spearmanr)):

        def statistic(first: np.ndarray, second: np.ndarray, correlate=correlate) -> float:
            return correlate(first, second).statistic

        spread = bootstrap(tuple(pairs.T), statistic, paired=True, vectorized=False, method="percentile", rng=0)
        low, high = spread.confidence_interval
        values = {"value": statistic(*pairs.T), "low": low, "high": high, "networks": len(pairs)}
        add_row("rank_correlation", {"correlation": name}, {key: round(value, 3) for key, value in values.items()})


def _drawn(space: Space, count: int, most: float) -> dict[str, Arch]:
    """Networks drawn by size within so many MACs."""
    genes = space.sample_sizes(np.random.default_rng(RANK_SEED), 10 * count)
    inside = genes[space_macs(space, genes) <= most][:count]
    return {f"drawn{number}": arch for number, arch in enumerate(space.from_genes(inside))}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--supernet", type=Path, default=Path("zoo/hub/supernets/kws-temporal"), help="its folder")
    parser.add_argument("--task", default="kws", help="name of the task (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="alone, each way (default: %(default)s)")
    parser.add_argument("--tune-epochs", type=int, default=3, help="after slicing (default: %(default)s)")
    parser.add_argument("--rank-networks", type=int, default=8, help="beside the sizes (default: %(default)s)")
    parser.add_argument("--rank-macs", type=float, default=3e6, help="most of each of those (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
