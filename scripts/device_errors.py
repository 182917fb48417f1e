"""Compare predictors of latency on the published measurements: a line for each profile, trees alone, and ours.

    python scripts/device_errors.py

Each is asked for rows that it has not seen: all of one model of network, all of one device, and single rows within
profiles that measured eight networks or more for one task. `line` is a + b MACs of the profile (of least relative
error), or the median cycles a MAC of all rows where the profile has none; `trees` are boosted trees on the same
features as ours; `base` is ours without its trees; the interval of ours states 90 %. Rows:
`scripts/results/device_errors.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
from results import add_row
from sklearn.ensemble import HistGradientBoostingRegressor

from predictors.boosting import SEED, Pooled
from predictors.checks import errors
from predictors.checks import line as within_profile
from predictors.device import BUNDLED, read_measurements

TABLE = "device_errors"
LEAST_ROWS = 8
Predictor = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]
"""Of (train, test): logarithms of latency, (rows,) or, with an interval, (3, rows)."""


def main() -> None:
    """Write the errors of each predictor on each split."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = read_measurements(BUNDLED / "published.csv").rows
    rows["device"] = rows["device_key"].where(rows["device_key"] != "", rows["device"])
    alike = rows.groupby("profile")["task"].transform(lambda own: len(own) >= LEAST_ROWS and own.nunique() == 1)
    splits = {"model": (rows["model"], None), "device": (rows["device"], None), "row": (rows.index.astype(str), alike)}
    for split, (groups, asked) in splits.items():
        for name, predict in PREDICTORS.items():
            said = np.full((3, len(rows)), np.nan)
            for group in pd.unique(groups if asked is None else groups[asked]):
                held = np.asarray(groups == group)
                found = np.atleast_2d(predict(rows[~held], rows[held]))
                said[: len(found), held] = found
            known = ~np.isnan(said[0])
            measured, (median, low, high) = rows["latency_ms"][known], np.exp(said[:, known])
            values = errors(median, measured)
            if name == "ours":
                inside = (low <= measured) & (measured <= high)
                values["within_interval_percent"] = round(100 * float(inside.mean()), 1)
            add_row(TABLE, {"split": split, "predictor": name}, values)
            print(split, name, values, flush=True)


def line(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """(rows,) logarithms by a + b MACs of each row's profile."""
    usual = np.median(train["latency_ms"] * train["clock_mhz"].fillna(train["clock_mhz"].median()) / train["macs"])
    clock = test["clock_mhz"].fillna(train["clock_mhz"].median())
    found = np.array(usual * test["macs"] / clock)
    for profile, places in test.groupby("profile").indices.items():
        own = train[train["profile"] == profile]
        if len(own):
            found[places] = within_profile(own, test.iloc[places])
    return np.log(np.maximum(found, 1e-4))


def trees(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """(rows,) logarithms by boosted trees on the latency itself."""
    described = Pooled(trees=False).fit(train)
    frames = [described._describe(rows) for rows in (train, test)]
    codes = {own: code for code, own in enumerate(sorted(set(frames[0]["profile"])))}
    features = [
        np.column_stack([described._features(frame), frame["profile"].map(codes).fillna(-1)]) for frame in frames
    ]
    model = HistGradientBoostingRegressor(
        max_iter=200, learning_rate=0.05, min_samples_leaf=5, loss="absolute_error", random_state=SEED
    )
    return model.fit(features[0], np.log(train["latency_ms"])).predict(features[1])


def base(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """(rows,) logarithms by ours without its trees."""
    return Pooled(trees=False).fit(train).predict_log(test)


def ours(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """(3, rows) logarithms by ours: the median, and the ends of its interval."""
    said = Pooled().fit(train).predict(test)
    return np.log([said.median, said.low, said.high])


PREDICTORS: dict[str, Predictor] = {"line": line, "trees": trees, "base": base, "ours": ours}

if __name__ == "__main__":
    main()
