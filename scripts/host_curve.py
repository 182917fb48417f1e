"""How many measurements a predictor of this machine needs, and whether choosing them actively helps.

    python scripts/host_curve.py

Measures 300 networks of the default space with our integer evaluator (`runs/host/RUNNER.csv`, resumed). In each of
five splits 60 of them are kept apart; of the others 60, 120, 180 and 240 are used, chosen at random or actively (see
predictors.measure.uncertain), and the 60 are predicted by the line alone, the trees alone and both. Rows, means over
the splits: `scripts/results/host_curve.csv`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from results import add_row
from sklearn.ensemble import HistGradientBoostingRegressor

from predictors.boosting import MOST_TREES, SEED, TREES, Own
from predictors.checks import errors
from predictors.measure import BATCH, measure, uncertain
from predictors.runners import RUNNERS
from supernet.arch import Arch
from supernet.space import default_space

TABLE, COUNT, HELD, SPLITS = "host_curve", 300, 60, 5
COUNTS = (60, 120, 180, 240)


def main() -> None:
    """Measure, and write the curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", choices=RUNNERS, default="integers")
    options = parser.parse_args()
    file = Path("runs/host") / f"{options.runner}.csv"
    rows = measure(
        default_space("temporal", 12, features="logmel"), RUNNERS[options.runner](), COUNT, file, active=False
    )
    for choice in ("random", "active"):
        said = {(count, name): [] for count in COUNTS for name in PREDICTORS}
        for split in range(SPLITS):
            order = np.random.default_rng(split).permutation(len(rows))
            held, rest = rows.iloc[order[:HELD]], rows.iloc[order[HELD:]].reset_index(drop=True)
            chosen = list(range(len(rest))) if choice == "random" else _actively(rest, split)
            for count in COUNTS:
                for name, predict in PREDICTORS.items():
                    found = predict(rest.iloc[chosen[:count]].reset_index(drop=True), held)
                    said[count, name].append(errors(found, held["latency_ms"]))
        for (count, name), found in said.items():
            mean = pd.DataFrame(found).drop(columns="rows").mean().round(2).to_dict()
            keys = {"runner": options.runner, "choice": choice, "measured": count, "predictor": name}
            add_row(TABLE, keys, {**mean, "splits": SPLITS, "held": HELD})
            print(keys, mean, flush=True)


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


PREDICTORS = {"line": _line, "trees": _trees, "ours": _ours}

if __name__ == "__main__":
    main()
