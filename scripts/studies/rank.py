"""Do predictions and slices order networks of one size as their trainings alone do, so that a search can rely on them?

    python scripts/study.py rank ../shared/data --spoken runs/spoken

Networks of nearly the same MACs are drawn from the space of a bundled supernet. Each is trained alone, all of them
together on clips that are made once, and its accuracy on the clips that networks are chosen by is set beside that of
its slice, what the supernet's predictor says, and its MACs. Rows: `rank.csv`, and correlations with bootstrap intervals
over networks: `rank_correlation.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import kendalltau, spearmanr

from long_run import load_words
from search.accuracy import load_predictor
from search.sampling import table_space
from studies.base import RUNS, SCENES, SPOKEN, THREADS, Shown, Study, option, value
from studies.networks import scenes_of
from studies.rows import Rows
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import macs
from supernet.data.augment import plain_features
from supernet.errors import InvalidQuery
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_supernet
from supernet.population import PopulationCosts
from supernet.space import Space
from supernet.train.evaluate import accuracy
from supernet.train.networks import Learner, train_together
from supernet.train.recipe import Recipe
from zoo.hubs.folder import BUNDLED

TABLE, CORRELATIONS, CALIBRATED, SEED, DRAWS = "rank", "rank_correlation", 512, 4, 2000
ORDERS = ("slice", "predicted", "macs")
NAMES = {"slice": "the slice", "predicted": "the prediction", "macs": "MACs"}


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Draw, train together, measure, correlate."""
    keys = {name: getattr(options, name) for name in ("supernet", "networks", "least", "most", "epochs")}
    if not rows.done(TABLE, *({**keys, "net": f"drawn{number}"} for number in range(options.networks))):
        _measure(options, keys, rows)
    table = rows.read(TABLE)
    table = table[np.logical_and.reduce([table[name] == value for name, value in keys.items()])]
    for name, correlate in (("Kendall", kendalltau), ("Spearman", spearmanr)):
        for order in ORDERS:
            own = correlation(correlate, table[order].to_numpy(float), table.alone.to_numpy(float))
            rows.add(CORRELATIONS, {**keys, "correlation": name, "of": order}, own)


def _measure(options: argparse.Namespace, keys: dict, rows: Rows) -> None:
    folder = BUNDLED / "supernets" / options.supernet
    task = options.supernet.split("-")[0]
    stored, data = load_supernet(folder, task), load_words(options.data, options.spoken, task)
    supernet, frontend, searched = stored.supernet, stored.frontend, table_space(stored.supernet)
    archs = drawn(supernet.space, options.networks, options.least, options.most)
    scenes, calibration = scenes_of(stored, data, CALIBRATED)
    predictor, _ = load_predictor(folder, searched)
    predicted = predictor.predict(searched, searched.to_genes([with_bits(arch, 8) for arch in archs]))
    networks = [Network(arch, 0) for arch in archs]
    learners = {
        str(number): Learner(network, partial(recalibrate, network, calibration))
        for number, network in enumerate(networks)
    }
    recipe = Recipe(options.epochs, label_smoothing=0.05, augmentation=scenes)
    run = (
        options.runs
        / TABLE
        / f"{options.supernet}-{options.networks}-{options.least:g}-{options.most:g}-e{options.epochs}"
    )
    identity = {"archs": [arch.to_dict() for arch in archs]}
    train_together(learners, data, frontend, recipe, run, identity, measure_every=options.epochs)
    features, targets = plain_features(data, data.choosing.rows, frontend), data.choosing.targets
    for number, (arch, network) in enumerate(zip(archs, networks, strict=True)):
        shares = {
            "slice": accuracy(supernet.extract(arch, calibration), features, targets),
            "predicted": float(predicted[number]),
            "alone": accuracy(network, features, targets),
        }
        figures = {name: round(100 * share, 2) for name, share in shares.items()}
        rows.add(TABLE, {**keys, "net": f"drawn{number}"}, {"macs": macs(arch), **figures}, run)


def drawn(space: Space, count: int, least: float, most: float) -> list[Arch]:
    """Different networks of between so many MACs, drawn by size."""
    rng = np.random.default_rng(SEED)
    genes = rng.permutation(np.unique(space.sample_sizes(rng, 400 * count), axis=0))
    costs = PopulationCosts(space)(genes)["macs"]
    found = genes[(costs >= least) & (costs <= most)][:count]
    if len(found) < count:
        raise InvalidQuery(
            f"{len(found)} networks of {least:g} to {most:g} MACs were drawn; ask for fewer or widen that"
        )
    return list(space.from_genes(found))


def correlation(correlate: Callable, values: np.ndarray, alone: np.ndarray) -> dict:
    """A rank correlation with its bootstrap interval over networks; draws without any order are left out."""
    draws = np.random.default_rng(0).integers(0, len(alone), (DRAWS, len(alone)))
    found = [correlate(values[draw], alone[draw]).statistic for draw in draws if _ordered(values[draw], alone[draw])]
    low, high = np.percentile(found, [2.5, 97.5])
    figures = {"value": correlate(values, alone).statistic, "low": low, "high": high}
    return {**{key: round(float(value), 3) for key, value in figures.items()}, "networks": len(alone)}


def _ordered(*series: np.ndarray) -> bool:
    return all(np.ptp(values) > 0 for values in series)


def table_of_ranks(found: Rows) -> Shown:
    """Rank correlations of slices, predictions and MACs with networks trained alone."""
    table = found.read(CORRELATIONS)
    rows = [
        [
            f"{row.supernet}, {row.least / 1e6:.3g} to {row.most / 1e6:.3g} M MACs", f"{row.networks}", f"{row.epochs}",
            f"{row.correlation}, of {NAMES[row.of]}", f"{row.value:.2f}", f"{row.low:.2f} to {row.high:.2f}",
        ]
        for row in sorted(table.itertuples(), key=lambda row: (*row[1:3], row.correlation, ORDERS.index(row.of)))
    ]  # fmt: skip
    return ["drawn from", "networks", "epochs alone", "with accuracy alone", "value", "95 % interval"], rows


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        SPOKEN,
        option("--supernet", default="kws-temporal-map", metavar="NAME", help="a bundled one (default: %(default)s)"),
        value("--networks", 20, "that are drawn"),
        value("--least", 0.95e6, "MACs"),
        value("--most", 1.05e6, "MACs"),
        value("--epochs", 10, "alone"),
        RUNS,
        THREADS,
    ),
    tables={"rank_correlation": table_of_ranks},
)
