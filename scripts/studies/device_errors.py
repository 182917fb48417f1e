"""How well is latency predicted on the published measurements: by a line for each profile, trees alone, and ours?

    python scripts/study.py device_errors

Each is asked for rows that it has not seen: all of one model of network, all of one device, and single rows within
profiles that measured eight networks or more for one task. `line` is a + b MACs of the profile (of least relative
error), or the median cycles a MAC of all rows where the profile has none; `trees` are boosted trees on the same
features as ours; `base` is ours without its trees; the interval of ours states 90 %. Rows: `device_errors.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from predictors.boosting import SEED, Pooled
from predictors.checks import errors
from predictors.checks import line as within_profile
from predictors.device import BUNDLED, read_measurements
from studies.base import Shown, Study
from studies.rows import Rows

TABLE = "device_errors"
SPLITS = {"model": "one model of network left out", "device": "one device left out", "row": "one row of a profile"}
SHOWN = {"line": "line", "trees": "trees alone", "ours": "ours"}
ERRORS = ("median error, %", "within 10 %")
LEAST_ROWS = 8
Predictor = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]
"""Of (train, test): logarithms of latency, (rows,) or, with an interval, (3, rows)."""


def run(options: argparse.Namespace, table: Rows) -> None:
    """Write the errors of each predictor on each split."""
    rows = read_measurements(BUNDLED / "published.csv").rows
    rows["device"] = rows["device_key"].where(rows["device_key"] != "", rows["device"])
    alike = rows.groupby("profile")["task"].transform(lambda own: len(own) >= LEAST_ROWS and own.nunique() == 1)
    splits = {"model": (rows["model"], None), "device": (rows["device"], None), "row": (rows.index.astype(str), alike)}
    for split, (groups, asked) in splits.items():
        for name in PREDICTORS:
            table.once(TABLE, {"split": split, "predictor": name}, partial(_errors, name, rows, groups, asked))


def _errors(name: str, rows: pd.DataFrame, groups: pd.Series, asked: pd.Series | None) -> dict:
    """Of a predictor that is asked for each group of rows by the others. asked: which rows count (default: all)."""
    said = np.full((3, len(rows)), np.nan)
    for group in pd.unique(groups if asked is None else groups[asked]):
        held = np.asarray(groups == group)
        found = np.atleast_2d(PREDICTORS[name](rows[~held], rows[held]))
        said[: len(found), held] = found
    known = ~np.isnan(said[0])
    measured, (median, low, high) = rows["latency_ms"][known], np.exp(said[:, known])
    values = errors(median, measured)
    if name == "ours":
        inside = (low <= measured) & (measured <= high)
        values["within_interval_percent"] = round(100 * float(inside.mean()), 1)
    return values


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


def table_of_errors(found: Rows) -> Shown:
    """Errors by what is left out and predictor."""
    table, rows = found.read(TABLE), []
    for split, asked in SPLITS.items():
        part = table[table.split == split].set_index("predictor")
        for name, called in SHOWN.items():
            one = part.loc[name]
            figures = [
                f"{one[column]:.1f}" for column in ("median_ape_percent", "within_10_percent", "within_30_percent")
            ]
            held = "" if np.isnan(one.within_interval_percent) else f"{one.within_interval_percent:.1f}"
            rows.append([asked, called, f"{one.rows:.0f}", *figures, held])
    return ["rows that are asked for", "predictor", "rows", *ERRORS, "within 30 %", "in interval, %"], rows


PREDICTORS: dict[str, Predictor] = {"line": line, "trees": trees, "base": base, "ours": ours}
STUDY = Study(__doc__, run, tables={TABLE: table_of_errors})
