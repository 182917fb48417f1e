"""How many measurements does a predictor of this machine need, and does choosing them actively help?

    python scripts/study.py host_curve

Measures 300 networks of the default space with our integer evaluator (`runs/host/RUNNER.csv`, resumed). In each of
five splits 60 of them are kept apart; of the others 60, 120, 180 and 240 are used, chosen at random or actively (see
predictors.measure.uncertain), and the 60 are predicted by the line alone, the trees alone and both. Rows, means over
the splits: `host_curve.csv`.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from predictors.boosting import MOST_TREES, SEED, TREES, Own
from predictors.checks import errors
from predictors.measure import BATCH, measure, uncertain
from predictors.runners import RUNNERS
from studies.base import RUNS, Shown, Study, option
from studies.rows import Rows
from supernet.arch import Arch
from supernet.space import default_space

TABLE, COUNT, HELD, SPLITS = "host_curve", 300, 60, 5
SHOWN = {"line": "line", "trees": "trees alone", "ours": "ours"}
COUNTS = (60, 120, 180, 240)


def run(options: argparse.Namespace, table: Rows) -> None:
    """Measure, and write the curve."""
    file, space = options.runs / "host" / f"{options.runner}.csv", default_space("temporal", 12, features="logmel")
    rows = measure(space, RUNNERS[options.runner](), COUNT, file, active=False)
    for choice in ("random", "active"):
        keys = {
            (count, name): {"runner": options.runner, "choice": choice, "measured": count, "predictor": name}
            for count in COUNTS
            for name in PREDICTORS
        }
        if not table.done(TABLE, *keys.values()):
            for key, found in _curve(rows, choice).items():
                mean = pd.DataFrame(found).drop(columns="rows").mean().round(2).to_dict()
                table.add(TABLE, keys[key], {**mean, "splits": SPLITS, "held": HELD})


def _curve(rows: pd.DataFrame, choice: str) -> dict[tuple[int, str], list[dict]]:
    """Errors in each split, by the count of measurements and the predictor."""
    said = {(count, name): [] for count in COUNTS for name in PREDICTORS}
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(len(rows))
        held, rest = rows.iloc[order[:HELD]], rows.iloc[order[HELD:]].reset_index(drop=True)
        chosen = list(range(len(rest))) if choice == "random" else _actively(rest, split)
        for count, name in said:
            found = PREDICTORS[name](rest.iloc[chosen[:count]].reset_index(drop=True), held)
            said[count, name].append(errors(found, held["latency_ms"]))
    return said


def _actively(rows: pd.DataFrame, seed: int) -> list[int]:
    """All rows in the order in which they would be measured."""
    rng = np.random.default_rng([seed, 1])
    chosen = list(map(int, rng.permutation(len(rows))[:BATCH]))
    while len(chosen) < len(rows):
        left = [place for place in range(len(rows)) if place not in set(chosen)]
        archs = [Arch.from_json(rows["arch"][place]) for place in left]
        known = rows.iloc[chosen].reset_index(drop=True)
        chosen += [left[place] for place in uncertain(known, archs, min(BATCH, len(left)), rng)]
    return chosen


def _ours(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    return np.exp(Own().fit(train).predict_log(test))


def _line(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    return np.exp(Own(trees=False).fit(train).predict_log(test))


def _trees(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    columns = [*Own().fit(train).columns_, "params"]
    model = HistGradientBoostingRegressor(max_iter=4 * MOST_TREES, random_state=SEED, early_stopping=False, **TREES)
    return np.exp(model.fit(train[columns], np.log(train["latency_ms"])).predict(test[columns]))


def table_of_counts(found: Rows) -> Shown:
    """Errors by choice, predictor and count of measurements."""
    table = found.read(TABLE)
    rows = []
    for choice in ("random", "active"):
        for name, called in SHOWN.items():
            part = table[(table.choice == choice) & (table.predictor == name)].sort_values("measured")
            if len(part):
                cells = (
                    part.within_10_percent.map("{:.1f}".format) + " / " + part.median_ape_percent.map("{:.1f}".format)
                )
                rows.append([choice, called, *cells])
    counts = [f"{count} measured" for count in sorted(table.measured.unique())]
    return ["chosen", "predictor", *counts], rows


PREDICTORS = {"line": _line, "trees": _trees, "ours": _ours}
RUNNER = option("--runner", choices=RUNNERS, default="integers", help="default: %(default)s")
STUDY = Study(__doc__, run, (RUNNER, RUNS), tables={TABLE: table_of_counts})
