"""Search keyword spotters among two-dimensional bottlenecks, and train them as published ones of as many MACs.

    python scripts/keyword_search.py ../shared/data/speech_commands
    python scripts/peers.py ../shared/data/speech_commands --nets pless-mfcc20-4 pless-mfcc20-5

Peter et al. (arXiv 2012.10138) found networks for keywords by differentiable search. Here a supernet of their family,
`mbconv` over MFCC, is trained, and the best network is searched within the MACs of each published one that `peers.py`
trains. What is found is made in two ways, each by the recipe of the published ones: alone, and from its slice on. Rows
stand beside theirs in `scripts/results/peers.csv`, those of the supernet's ends in `keyword_supernet.csv`. Choosing is
done on validation; test is measured once a run. Runs resume.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from peer_nets import PEERS, macs
from plain import add_run_options, train_both
from results import add_row

from search.accuracy import SEED, AccuracyPredictor
from search.sampling import sample_accuracies, table_space
from supernet.arch import Arch
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.files import read_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.space import default_space
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.recipe import Recipe, SupernetRecipe
from supernet.train.supernets import train_supernet
from zoo.make.recipe import HUB
from zoo.make.slices import kept_search

PUBLISHED = ("pless-mfcc20-5", "pless-mfcc20-4")
ALONE, TUNED = "alone", "tuned"
SUPERNET = SupernetRecipe(epochs=28, unknown=2, sandwich=True, random=1)
MAKING = replace(HUB, samples=100)
"""Networks that are measured for the accuracy predictor."""


def main() -> None:
    """Train the supernet, search, and train what is found."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, "numbers")
    frontend = fit_frontend(data)
    calibration = calibration_features(data, frontend)
    supernet = Supernet(default_space("mbconv", len(data.labels), data.clip_ms, "mfcc"), calibration, SUPERNET.seed)
    run = options.runs / "kws-mbconv"
    train_supernet(supernet, data, frontend, SUPERNET, run)
    ends = {name: round(100 * read_json(run / "log.json")[-1][name], 2) for name in ("largest", "smallest")}
    add_row("keyword_supernet", {"epochs": SUPERNET.epochs, "seed": SUPERNET.seed}, ends, run)
    predictor = _predictor(supernet, data, frontend, run)
    recipe = Recipe(epochs=options.epochs, seed=options.seed, bfloat16=True)
    for published in options.within:
        limits = {"max_macs": macs(PEERS[published](len(data.labels), frontend))}
        path = run / f"found-{published}.json"
        found = kept_search(path, supernet, predictor, data, frontend, limits, "kws", MAKING)
        arch = Arch.from_dict(found["arch"])
        for way in options.ways:
            network = Network(arch, options.seed) if way == ALONE else supernet.extract(arch, calibration)
            name = f"mbconv-{way}-{published.removeprefix('pless-')}"
            folder = run / f"{name}-s{options.seed}-e{options.epochs}"
            train_both(network, name, data, frontend, calibration, recipe, folder, options.quant_epochs)


def _predictor(supernet: Supernet, data: ClipData, frontend: Mfcc, run: Path) -> AccuracyPredictor:
    split = data.splits["validation"]
    features = plain_features(data, split.rows, frontend)
    table = sample_accuracies(run / "accuracies", supernet, features, split.targets, MAKING.samples, SEED, True)
    return AccuracyPredictor(table_space(supernet)).fit(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--within", nargs="+", choices=PUBLISHED, default=PUBLISHED, help="whose MACs (default: both)")
    parser.add_argument("--ways", nargs="+", choices=(ALONE, TUNED), default=(ALONE, TUNED), help="default: both")
    parser.add_argument("--seed", type=int, default=0, help="of training (default: %(default)s)")
    add_run_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
