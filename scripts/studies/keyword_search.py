"""What does a search find among two-dimensional bottlenecks for keywords, within the MACs of published networks?

    python scripts/study.py keyword_search ../shared/data/speech_commands
    python scripts/study.py peers ../shared/data/speech_commands --nets pless-mfcc20-4 pless-mfcc20-5

Peter et al. (arXiv 2012.10138) found networks for keywords by differentiable search. Here a supernet of their family,
`mbconv` over MFCC, is trained, and the best network is searched within the MACs of each published one that `peers`
trains. What is found is made in two ways, each by the recipe of the published ones: alone, and from its slice on. Rows
stand beside theirs in `peers.csv`, those of the supernet's ends in `keyword_supernet.csv`. Choosing is done on
validation; test is measured once a run.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from search import accuracy
from search.accuracy import AccuracyPredictor
from search.sampling import sample_accuracies, table_space
from studies.base import KEYWORDS, SEED, Study, several
from studies.networks import AS_PEERS, Setting, train_both
from studies.peer_nets import PEERS, macs
from studies.rows import Rows
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


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train the supernet, search, and train what is found."""
    data = load(options.data, "numbers")
    frontend = fit_frontend(data)
    calibration = calibration_features(data, frontend)
    supernet = Supernet(default_space("mbconv", len(data.labels), data.clip_ms, "mfcc"), calibration, SUPERNET.seed)
    place = options.runs / "kws-mbconv"
    train_supernet(supernet, data, frontend, SUPERNET, place)
    ends = {name: round(100 * read_json(place / "log.json")[-1][name], 2) for name in ("largest", "smallest")}
    rows.once("keyword_supernet", {"epochs": SUPERNET.epochs, "seed": SUPERNET.seed}, lambda: ends, place)
    predictor = _predictor(supernet, data, frontend, place)
    setting = Setting(options, rows, data, frontend, calibration)
    recipe = Recipe(epochs=options.epochs, seed=options.seed, bfloat16=True)
    for published in options.within:
        limits = {"max_macs": macs(PEERS[published](len(data.labels), frontend))}
        path = place / f"found-{published}.json"
        found = kept_search(path, supernet, predictor, data, frontend, limits, "kws", MAKING)
        arch = Arch.from_dict(found["arch"])
        for way in options.ways:
            network = Network(arch, options.seed) if way == ALONE else supernet.extract(arch, calibration)
            name = f"mbconv-{way}-{published.removeprefix('pless-')}"
            folder = place / f"{name}-s{options.seed}-e{options.epochs}"
            train_both(network, name, setting, recipe, folder)


def _predictor(supernet: Supernet, data: ClipData, frontend: Mfcc, run: Path) -> AccuracyPredictor:
    split = data.splits["validation"]
    features = plain_features(data, split.rows, frontend)
    table = sample_accuracies(
        run / "accuracies", supernet, features, split.targets, MAKING.samples, accuracy.SEED, True
    )
    return AccuracyPredictor(table_space(supernet)).fit(table)


STUDY = Study(
    __doc__,
    run,
    (
        KEYWORDS,
        several("--within", PUBLISHED, "whose MACs"),
        several("--ways", (ALONE, TUNED), "how they are made"),
        SEED,
        *AS_PEERS,
    ),
)
