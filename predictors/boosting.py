"""Latency and energy of networks on devices, learned from measurements: boosted trees on a linear base.

Two levels. Devices with few measurements are predicted by one model of all devices (`Pooled`): logarithms, linear in
the network's size, with an effect for each core, runtime, device and profile that is held the closer to those of its
like the fewer rows speak for it, so that a board with two measurements already gets a sensible figure. A device with
many measurements of known networks has a model of its own (`Own`): an overhead and a cost for each kind of MAC, each
byte moved and each layer, and of instructions each value that is rescaled, none below zero. On both, trees learn what
is left, as many as cross-validation finds useful; since they correct a line, figures beyond what was measured go on
along it. More MACs never take less time.

Intervals are conformal: quantiles of errors that cross-validation made on rows as far from all others as the row asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge

from predictors.device import core_family, runtime_family
from supernet.cost import MAC_KINDS

__all__ = ["COVERAGE", "OWN_ROWS", "Own", "Pooled", "PooledAt", "Prediction", "folds", "splits"]

COVERAGE = 0.9
"""Of the intervals."""
UNKNOWN = 4.0
LEVELS = ("other", "device", "one", "two", "outside", "inside")
"""How much is known of a row: nothing of its device, something of it, one or two rows of its profile, or more, of other
sizes or around its own."""
LEAST_ERRORS = 20
OWN_ROWS = 30
"""Measurements from which on a device has a model of its own."""
FOLDS, SEED = 5, 0
MOST_TREES = 80
TREES = {"learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 10, "loss": "absolute_error"}

EFFECTS = {
    ("core",): 2.0,
    ("runtime",): 1.5,
    ("device",): 1.0,
    ("profile",): 1.2,
    ("task",): 0.7,
    ("core", "runtime"): 0.7,
    ("runtime", "task"): 0.5,
    ("core", "task"): 0.5,
}
"""How far effects may be from zero, in logarithms: the inverse of how hard they are held there."""
SLOPE, RATIO, CLOCK, FLOATING, CURVE = 0.3, 0.3, 0.3, 0.5, 0.3
CENTRES, WIDTH = np.linspace(9, 19, 8), 1.3
"""Bumps over the logarithm of MACs, from which a curve is made."""
NOISE = 0.1
MIDDLE_SIZE, MIDDLE_RATIO, MIDDLE_CLOCK = 14.5, -3.5, 5.0
GRID = np.linspace(0, np.log(1e16), 160)
TYPICAL_CLOCK = 500.0


@dataclass(frozen=True)
class Prediction:
    """(rows,) of each: the median, the interval of COVERAGE, and whether the row is within what was measured."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    in_range: np.ndarray


class Pooled:
    """One model of all devices. target: of predictors.names.TARGETS. trees: False leaves the base alone."""

    def __init__(self, target: str = "latency_ms", trees: bool = True) -> None:
        self.target, self.trees = target, trees

    def fit(self, rows: pd.DataFrame) -> Pooled:
        """Fit on measurements of any devices, each with macs, core, runtime, device, profile and the target."""
        self.rows_ = rows.reset_index(drop=True)
        self.clocks_ = rows.groupby(rows["core"].map(core_family))["clock_mhz"].median().to_dict()
        self.frame_, self.y_ = self._describe(self.rows_), np.log(self.rows_[self.target].to_numpy())
        self.base_ = self._fit_base(np.ones(len(self.y_), bool))
        self.trees_ = _Trees([1, 0, 0, 0, 0, 0])
        if self.trees:
            said, _ = self._left_out(np.arange(len(self.y_)))
            self.trees_.fit(self._features(self.frame_), self.y_ - said)
        return self

    def _fit_base(self, train: np.ndarray) -> _PooledBase:
        """The linear part, of these rows."""
        return _PooledBase(timed=self.target == "latency_ms").fit(self.frame_[train], self.y_[train])

    def predict_log(self, rows: pd.DataFrame) -> np.ndarray:
        """(rows,) logarithms of the target."""
        frame = self._describe(rows)
        return self.base_.predict(frame) + self.trees_.predict(self._features(frame))

    def predict(self, rows: pd.DataFrame) -> Prediction:
        """Medians, with intervals by how much is known of each row's profile (see LEVELS)."""
        median, in_range = self.predict_log(rows), _in_range(rows, self.rows_)
        ends = np.array([self._errors[level] for level in _levels(rows, self.rows_)]).reshape(-1, 2)
        return Prediction(np.exp(median), np.exp(median + ends[:, 0]), np.exp(median + ends[:, 1]), in_range)

    def at(self, row: pd.DataFrame) -> PooledAt:
        """The same for networks of one profile, task and kind of numbers, those of `row`, which has one row."""
        return PooledAt(self, row)

    @cached_property
    def _errors(self) -> dict[str, tuple[float, float]]:
        """The ends of intervals by level, from errors of models that did not see the network, profile or device.

        A level of few rows gets the ends of the next one of which less is known, where these are wider.
        """
        rows, y = self.rows_, self.y_
        several = (rows.groupby("device")["profile"].transform("nunique") > 1).to_numpy()
        own, levels = self._left_out(_networks(rows))
        found = {level: (y - own)[levels == level] for level in LEVELS}
        found["other"] = y - self._left_out(pd.factorize(rows["device"])[0])[0]
        found["device"] = (y - self._left_out(pd.factorize(rows["profile"])[0])[0])[several]
        ends, wider = {}, (-np.log(UNKNOWN), np.log(UNKNOWN))
        for level in LEVELS:
            low, high = _conformal(found[level])
            if len(found[level]) < LEAST_ERRORS:
                low, high = min(low, wider[0]), max(high, wider[1])
            ends[level] = wider = low, high
        return ends

    def _left_out(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) what a model that saw no row of the same group says of each, and how much it knew of it."""
        count, rows = groups.max() + 1, self.rows_
        if count == 1:
            return self.y_ - np.log(UNKNOWN), np.full(len(rows), "other", object)
        said, levels = np.zeros(len(rows)), np.empty(len(rows), object)
        for train, test in splits(folds(count)[groups]):
            said[test] = self._fit_base(train).line(self.frame_[test])
            levels[test] = _levels(rows[test], rows[train])
        return said, levels

    def _describe(self, rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.reset_index(drop=True)
        core = rows["core"].map(core_family)
        clock = rows["clock_mhz"].astype(float).fillna(core.map(self.clocks_).astype(float)).fillna(TYPICAL_CLOCK)
        size = np.log(rows["macs"].astype(float))
        params = np.log(rows["params"].astype(float)).fillna(size + MIDDLE_RATIO)
        frame = pd.DataFrame({"size": size, "params": params, "clock": np.log(clock)})
        bits = rows["bits"].astype(str) == "32"
        names = {name: rows[name].astype(str) for name in ("device", "profile", "task")}
        return frame.assign(floating=bits, core=core, runtime=rows["runtime"].map(runtime_family), **names)

    def _features(self, frame: pd.DataFrame) -> np.ndarray:
        """(rows, 6) of the trees; more MACs with all else equal never predict less."""
        codes = [
            frame[name].map({own: code for code, own in enumerate(sorted(self.base_.names_[name,]))}).fillna(-1)
            for name in ("core", "runtime", "task")
        ]
        return np.column_stack([frame["size"], frame["params"], frame["clock"], *codes])


class PooledAt:
    """What `Pooled` says of networks of one profile, task and kind of numbers, quickly for whole populations."""

    def __init__(self, model: Pooled, row: pd.DataFrame) -> None:
        frame = model._describe(row)
        self.model, self.curve = model, model.base_.curve(frame)
        self.codes = model._features(frame)[0, 2:]
        known = model.rows_["macs"][model.rows_["profile"] == row["profile"].iloc[0]]
        self.least, self.most = known.min(), known.max()
        own = row["device"].iloc[0] in set(model.rows_["device"])
        self.ends = [model._errors[_level(len(known), own, within)] for within in (False, True)]

    def predict(self, columns: Mapping[str, np.ndarray]) -> Prediction:
        """Of networks with these columns of costs, as `Pooled.predict`."""
        sizes = {"size": np.log(columns["macs"]), "params": np.log(columns["params"])}
        features = np.column_stack([*sizes.values(), np.tile(self.codes, (len(sizes["size"]), 1))])
        median = self.model.base_.along(sizes, *self.curve) + self.model.trees_.predict(features)
        in_range = (columns["macs"] >= self.least) & (columns["macs"] <= self.most)
        low, high = np.array(self.ends)[in_range.astype(int)].T
        return Prediction(np.exp(median), np.exp(median + low), np.exp(median + high), in_range)


class _PooledBase:
    """The linear part of `Pooled`: ridge regression of log cycles a MAC, robust to rows that are far off.

    timed: False where the target does not fall with the clock, as energy.
    """

    def __init__(self, timed: bool) -> None:
        self.timed = timed

    def fit(self, frame: pd.DataFrame, y: np.ndarray) -> _PooledBase:
        self.names_ = {names: sorted(set(_joined(frame, names))) for names in EFFECTS}
        off = self._offset(frame)
        self.middle_ = float(np.median(y - off))
        design, aim, weight = self._design(frame), y - off - self.middle_, np.ones(len(y))
        for _ in range(3):
            self.ridge_ = Ridge(alpha=NOISE, fit_intercept=False).fit(design, aim, sample_weight=weight)
            missed = np.abs(aim - self.ridge_.predict(design))
            weight = np.minimum(1.0, (1.5 * np.median(missed) + 0.05) / np.maximum(missed, 1e-9))
        return self

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """(rows,) made monotone in MACs: for each context, the running maximum over a grid of sizes."""
        found = np.zeros(len(frame))
        contexts = ["clock", "floating", "core", "runtime", "device", "profile", "task"]
        for _, places in frame.groupby(contexts, sort=False).indices.items():
            part = frame.iloc[places]
            found[places] = self.along(part, *self.curve(part))
        return found

    def curve(self, frame: pd.DataFrame) -> tuple[np.ndarray, float]:
        """For the context of the first row: logarithms over GRID, and their slope over that of the parameters."""
        grid = frame.iloc[[0] * len(GRID)].assign(size=GRID, params=GRID + MIDDLE_RATIO)
        tilt = self.line(grid.iloc[[0, 0]].assign(params=[MIDDLE_RATIO, MIDDLE_RATIO + 1]))
        tilt = float(tilt[1] - tilt[0])
        return np.maximum.accumulate(self.line(grid) - tilt * GRID), tilt

    @staticmethod
    def along(sizes: Mapping[str, np.ndarray], curve: np.ndarray, tilt: float) -> np.ndarray:
        """(rows,) of a curve, at the logarithms `size` and `params`."""
        return np.interp(sizes["size"], GRID, curve) + tilt * (np.asarray(sizes["params"]) - MIDDLE_RATIO)

    def line(self, frame: pd.DataFrame) -> np.ndarray:
        """(rows,) as fitted, before it is made monotone."""
        return self.ridge_.predict(self._design(frame)) + self.middle_ + self._offset(frame)

    def _offset(self, frame: pd.DataFrame) -> np.ndarray:
        """What the target would be at the same cycles, or energy, a MAC everywhere."""
        return (frame["size"] - self.timed * frame["clock"]).to_numpy()

    def _design(self, frame: pd.DataFrame) -> np.ndarray:
        size = frame["size"].to_numpy()[:, None]
        ratio = frame["params"].to_numpy()[:, None] - size - MIDDLE_RATIO
        bumps = np.exp(-0.5 * ((size - CENTRES) / WIDTH) ** 2)
        flags = {names: self._flags(frame, names) for names in EFFECTS}
        curves = [flags[names][:, :, None] * bumps[:, None] for names in (("core",), ("runtime",))]
        return np.hstack(
            [
                np.full((len(frame), 1), 3.0),
                SLOPE * (size - MIDDLE_SIZE),
                RATIO * ratio,
                CLOCK * (frame["clock"].to_numpy()[:, None] - MIDDLE_CLOCK),
                FLOATING * frame["floating"].to_numpy(float)[:, None],
                CURVE * bumps,
                *(scale * flags[names] for names, scale in EFFECTS.items()),
                SLOPE * flags["profile",] * (size - MIDDLE_SIZE),
                RATIO * flags["runtime",] * ratio,
                *(CURVE * curve.reshape(len(frame), -1) for curve in curves),
            ]
        )

    def _flags(self, frame: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
        """(rows, known) 1 where a row is of it; none where it is not known."""
        codes, found = pd.factorize(_joined(frame, names))
        return (found.to_numpy()[:, None] == np.array(self.names_[names], object)).astype(float)[codes]


COUNTED = ("rescaled_values", "single_macs", "rest_macs")
"""What instructions follow and time hides."""


class Own:
    """The model of one device with many measurements. target: `latency_ms`, `energy_uj` or `instructions`."""

    def __init__(self, target: str = "latency_ms", trees: bool = True) -> None:
        self.target, self.trees = target, trees

    def fit(self, rows: pd.DataFrame) -> Own:
        """Fit on measurements of one device, each with macs and the target; kinds of MACs and bytes where known."""
        kinds = [f"{kind}_macs" for kind in MAC_KINDS]
        counted = [*COUNTED] if self.target == "instructions" else []
        whole = rows[[*kinds, "moved_bytes", *counted, "layers"]].notna().all(axis=1)
        known = 2 * int(whole.sum()) > len(rows)
        self.rows_ = (rows[whole] if known else rows).reset_index(drop=True)
        self.columns_ = [*kinds, "unaligned_macs", "moved_bytes", *counted, "layers"] if known else ["macs"]
        y = self.rows_[self.target].to_numpy()
        self.line_ = self._fit_line(self.rows_, y)
        self.trees_ = _Trees([1] * len(self.columns_) + [0] * known)
        self.errors_ = np.log(y) - self._out_of_fold()
        if self.trees:
            self.trees_.fit(self._features(self.rows_), self.errors_)
            self.errors_ = self.errors_ - self.trees_.out_of_fold_
        return self

    def _fit_line(self, rows: pd.DataFrame, y: np.ndarray) -> LinearRegression:
        """Costs of which none is below zero, of least relative error."""
        design = np.column_stack([np.ones(len(rows)), rows[self.columns_].fillna(0.0)]) / y[:, None]
        scale = np.maximum(np.abs(design).mean(0), 1e-30)
        line = LinearRegression(positive=True, fit_intercept=False).fit(design / scale, np.ones(len(rows)))
        line.coef_ = line.coef_ / scale
        return line

    def _out_of_fold(self) -> np.ndarray:
        y, found = self.rows_[self.target].to_numpy(), np.zeros(len(self.rows_))
        for train, test in splits(folds(len(y))):
            found[test] = self._line(self._fit_line(self.rows_[train], y[train]), self.rows_[test])
        return found

    def _line(self, line: LinearRegression, rows: pd.DataFrame) -> np.ndarray:
        """(rows,) logarithms of what the linear part says."""
        design = np.column_stack([np.ones(len(rows)), rows[self.columns_].fillna(0.0)])
        return np.log(np.maximum(design @ line.coef_, 1e-12))

    def _features(self, rows: pd.DataFrame) -> np.ndarray:
        columns = [*self.columns_, "params"] if len(self.columns_) > 1 else self.columns_
        return rows[columns].to_numpy(float)

    def predict_log(self, rows: pd.DataFrame) -> np.ndarray:
        """(rows,) logarithms of the target."""
        return self._line(self.line_, rows) + self.trees_.predict(self._features(rows))

    def predict(self, rows: pd.DataFrame) -> Prediction:
        """Medians and intervals, and whether each column is within what was measured."""
        median, (low, high) = self.predict_log(rows), _conformal(self.errors_)
        inside = np.ones(len(rows), bool)
        for column in self.columns_:
            values, seen = rows[column].to_numpy(), self.rows_[column]
            inside &= (values >= seen.min()) & (values <= seen.max())
        return Prediction(np.exp(median), np.exp(median + low), np.exp(median + high), inside)

    def beside_macs(self, rows: pd.DataFrame) -> np.ndarray:
        """(rows,) of what the linear part says, the share that a run takes however few frames it computes: its start,
        each layer, and reading the weights.
        """
        costs = dict(zip(self.columns_, self.line_.coef_[1:], strict=True))
        layers = costs.get("layers", 0.0) * rows["layers"].to_numpy()
        weights = costs.get("moved_bytes", 0.0) * rows["weight_bytes"].to_numpy()
        return (self.line_.coef_[0] + layers + weights) / np.exp(self._line(self.line_, rows))

    def spread(self, rows: pd.DataFrame) -> np.ndarray:
        """(rows,) how much models of other parts of the measurements disagree: where to measure next."""
        parts = [train for train, _ in splits(folds(len(self.rows_)))]
        return np.std([Own(self.target).fit(self.rows_[train]).predict_log(rows) for train in parts], axis=0)


class _Trees:
    """Boosted trees on what a line misses, as many as cross-validation finds useful, which may be none."""

    def __init__(self, monotonic: list[int]) -> None:
        self.monotonic, self.model_, self.out_of_fold_ = monotonic, None, 0.0

    def fit(self, features: np.ndarray, missed: np.ndarray) -> _Trees:
        """features: (rows, columns). missed: (rows,) out-of-fold errors of the line."""
        said = np.zeros((MOST_TREES + 1, len(missed)))
        if len(missed) < 2 * TREES["min_samples_leaf"]:
            return self
        for train, test in splits(folds(len(missed))):
            model = self._new(MOST_TREES).fit(features[train], missed[train])
            for number, values in enumerate(model.staged_predict(features[test]), 1):
                said[number, test] = values
        best = int(np.abs(missed - said).mean(1).argmin())
        if best:
            self.model_, self.out_of_fold_ = self._new(best).fit(features, missed), said[best]
        return self

    def _new(self, trees: int) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            max_iter=trees, monotonic_cst=self.monotonic, early_stopping=False, random_state=SEED, **TREES
        )

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(rows,) what is added to the line."""
        return np.zeros(len(features)) if self.model_ is None else self.model_.predict(features)


def _networks(rows: pd.DataFrame) -> np.ndarray:
    """(rows,) the number of each row's network; a row without the name of its network is one of its own."""
    own = rows.index.astype(str).to_series(index=rows.index)
    named = rows["model"].fillna("") if "model" in rows else pd.Series("", index=rows.index)
    return pd.factorize(named.where(named != "", own))[0]


def _levels(rows: pd.DataFrame, known: pd.DataFrame) -> list[str]:
    """Of LEVELS, for each row: what measurements tell of it."""
    counts = rows["profile"].map(known["profile"].value_counts()).fillna(0).astype(int)
    device, inside = rows["device"].isin(known["device"]), _in_range(rows, known)
    return [_level(*known) for known in zip(counts, device, inside, strict=True)]


def _level(count: int, own: bool, within: bool) -> str:
    """Of a row with `count` measurements in its profile; own: its device was measured; within: around its size."""
    return ("device" if own else "other", "one", "two", "inside" if within else "outside")[min(count, 3)]


def _in_range(rows: pd.DataFrame, known: pd.DataFrame) -> np.ndarray:
    """(rows,) within the sizes measured in the profile, and nowhere without one."""
    spans = known.groupby("profile")["macs"].agg(["min", "max"]).reindex(rows["profile"])
    macs = rows["macs"].to_numpy()
    return (macs >= spans["min"].to_numpy()) & (macs <= spans["max"].to_numpy())


def _joined(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    return frame[names[0]] if len(names) == 1 else frame[names[0]] + "|" + frame[names[1]]


def folds(count: int) -> np.ndarray:
    """(count,) which of FOLDS parts each belongs to."""
    return np.random.default_rng(SEED).permutation(np.arange(count) % FOLDS)


def splits(parts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each part, (rows,) all others and itself."""
    for part in np.unique(parts):
        yield parts != part, parts == part


def _conformal(errors: np.ndarray) -> tuple[float, float]:
    """Ends that hold COVERAGE of errors like these; for few errors, all of them, for none a factor of UNKNOWN."""
    count = len(errors)
    if not count:
        return -np.log(UNKNOWN), np.log(UNKNOWN)
    rank = min(1.0, (1 + 1 / count) * (1 + COVERAGE) / 2)
    return float(np.quantile(errors, 1 - rank)), float(np.quantile(errors, rank))
