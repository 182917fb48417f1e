"""Predicting the accuracy of sub-networks from measured ones: for whole populations, at once.

What is learned is the logarithm of the share of wrong answers, from the genes, the costs, and how coarse each layer's
weights are. Boosted trees, or their mean with a Gaussian process, whichever predicts unseen networks better in
cross-validation. What is kept on disk is the table of measurements and what cross-validation found, from which the
predictor is fitted when it is needed, in a second; nothing is pickled.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController

from predictors.boosting import FOLDS, folds, splits
from search.sampling import TABLE, read_table, sample_accuracies, table_bytes, table_space
from search.space import EDGE_BITS, SearchSpace
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.errors import InvalidCheckpoint
from supernet.files import digest, read_json, write_bytes, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits
from supernet.train.parallel import rank
from supernet.whole import as_whole, is_real

__all__ = [
    "KINDS",
    "LEAST_ROWS",
    "ROWS",
    "AccuracyPredictor",
    "Quality",
    "fit_predictor",
    "has_predictor",
    "load_predictor",
    "save_predictor",
]

KINDS = ("boosting", "ensemble")
"""The last has the others in it."""
LEAST_ROWS, ROWS = 20, 200
KERNEL_VALUES, MANY_ROWS = 5, 20_000
SEED, RESAMPLES = 0, 1000
LEAST_ERROR = 0.002
"""Added to the share of wrong answers, so that its logarithm has a floor."""
COVERAGE = 0.9
TREES = {"max_iter": 300, "learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 8, "l2_regularization": 1.0}
COSTS = ("macs", "params", "dense_macs", "pointwise_macs", "depthwise_macs", "weight_bytes")
PREDICTOR, CONFIG = "accuracy.json", "config.json"
REMEDY = "measure it again with `earshot predictor`"


@dataclass(frozen=True)
class Quality:
    """What cross-validation found of a predictor, on networks that it had not seen.

    kind: one of KINDS. rows: networks measured. kendall: rank correlation of predicted and measured. error: the mean
    absolute error of an accuracy, 0 to 1. Both with their 95 % bootstrap intervals. low, high: between these factors
    times the predicted share of wrong answers lies the measured one of COVERAGE of networks. kernel: the logarithms of
    the Gaussian process's parameters, none for boosting.
    """

    kind: str
    rows: int
    kendall: float
    kendall_interval: tuple[float, float]
    error: float
    error_interval: tuple[float, float]
    low: float
    high: float
    kernel: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (
            self.rows,
            self.kendall,
            *self.kendall_interval,
            self.error,
            *self.error_interval,
            self.low,
            self.high,
        )
        whole = all(is_real(value) and np.isfinite(value) for value in (*numbers, *self.kernel))
        known = self.kind in KINDS and len(self.kernel) == KERNEL_VALUES * (self.kind == "ensemble")
        pairs = len(self.kendall_interval) == len(self.error_interval) == 2
        if (
            not known
            or not whole
            or not pairs
            or not 0 < self.low <= self.high
            or max(map(abs, self.kernel), default=0) > 20
        ):
            raise InvalidCheckpoint(f"a predictor's quality is not possible: {self.kind}, {numbers}, {self.kernel}")

    def __str__(self) -> str:
        rank, error = (tuple(self.kendall_interval), tuple(100 * value for value in self.error_interval))
        return (
            f"{self.kind} on {self.rows} networks: Kendall {self.kendall:.2f} ({rank[0]:.2f} to {rank[1]:.2f}), mean "
            f"error {100 * self.error:.2f} points ({error[0]:.2f} to {error[1]:.2f}) in {FOLDS}-fold cross-validation"
        )


class AccuracyPredictor:
    """A predictor for networks of a supernet. space: that of its table (see `search.sampling.table_space`)."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def fit(self, table: pd.DataFrame, quality: Quality | None = None) -> AccuracyPredictor:
        """Fit on measured networks. quality: what an earlier fit on the same table found, so that it is not sought
        again. Raises InvalidCheckpoint for fewer than LEAST_ROWS rows.
        """
        if len(table) < LEAST_ROWS:
            raise InvalidCheckpoint(f"{len(table)} measured networks are too few; measure {LEAST_ROWS} or more")
        x = self._features(self.space, self.space.from_table(table))
        y = np.log(1 - table["accuracy"].to_numpy() + LEAST_ERROR)
        self.quality_ = quality or self._cross_validate(x, y)
        self.model_ = _Model(self.quality_.kind, self.quality_.kernel).fit(x, y)
        return self

    def predict(self, space: SearchSpace, genes: np.ndarray) -> np.ndarray:
        """(count,) accuracies from 0 to 1 of networks (count, genes) of `space`, one over the same supernet."""
        return np.clip(1 + LEAST_ERROR - np.exp(self.model_.predict(self._features(space, genes))), 0.0, 1.0)

    def interval(self, accuracy: float) -> tuple[float, float]:
        """Between what the measured accuracy of COVERAGE of networks lies that are predicted so."""
        wrong = 1 - accuracy
        return max(0.0, 1 - wrong * self.quality_.high), min(1.0, 1 - wrong * self.quality_.low)

    @staticmethod
    def _features(space: SearchSpace, genes: np.ndarray) -> np.ndarray:
        network = genes[:, : space.genes_of_network]
        shape = network / np.maximum(1, space.space.cardinalities - 1)
        bits = space.layer_bits(genes)
        if bits is None:  # floating point is as good as 8 bits
            bits = np.full((len(genes), len(space.costs_of.names)), EDGE_BITS)
        costs, present = space.costs_of.with_presence(network, bits)
        sizes = np.log(np.column_stack([costs[name] for name in COSTS]) + 1.0)
        there = present[:, space.costs_of.inner]
        step = np.where(there, 2.0 ** -bits[:, space.costs_of.inner], 0.0)
        layers = np.maximum(1, there.sum(1))
        rounding = [np.sqrt((step**2).sum(1)), step.max(1), step.sum(1) / layers, np.log(step.sum(1) / layers)]
        return np.column_stack([shape, sizes, *rounding, step])

    def _cross_validate(self, x: np.ndarray, y: np.ndarray) -> Quality:
        said = {kind: np.empty(len(y)) for kind in KINDS}
        for train, test in splits(folds(len(y))):
            model = _Model(KINDS[-1]).fit(x[train], y[train])
            for kind in KINDS:
                said[kind][test] = model.predict(x[test], kind)
        missed = {kind: np.abs(np.exp(values) - np.exp(y)).mean() for kind, values in said.items()}
        kind = min(KINDS, key=missed.get)
        kernel = _Model(kind).fit_process(x, y).kernel if kind == "ensemble" else ()
        return _quality(kind, said[kind], y, kernel)


def _quality(kind: str, said: np.ndarray, y: np.ndarray, kernel: tuple[float, ...]) -> Quality:
    errors, rng = np.abs(np.exp(said) - np.exp(y)), np.random.default_rng(SEED)
    drawn = rng.integers(len(y), size=(RESAMPLES, len(y)))
    rank_ends = np.quantile([_kendall(said[rows], y[rows]) for rows in drawn[: RESAMPLES // 4]], (0.025, 0.975))
    error_ends = np.quantile(errors[drawn].mean(1), (0.025, 0.975))
    low, high = np.quantile(np.exp(y - said), ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2))
    rounded = [round(float(value), 4) for value in (_kendall(said, y), *rank_ends, low, high)]
    shares = [round(float(value), 6) for value in (errors.mean(), *error_ends)]
    return Quality(kind, len(y), rounded[0], tuple(rounded[1:3]), shares[0], tuple(shares[1:]), *rounded[3:], kernel)


def _kendall(said: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation; none where all networks are equally good."""
    return float(np.nan_to_num(kendalltau(said, y)[0]))


class _Model:
    """Boosted trees, or their mean with a Gaussian process. kernel: its parameters, where they are known."""

    def __init__(self, kind: str, kernel: tuple[float, ...] = ()) -> None:
        self.kind, self.kernel = kind, tuple(kernel)

    def fit(self, x: np.ndarray, y: np.ndarray) -> _Model:
        self.threads_ = ThreadpoolController()
        with self.threads_.limit(limits=1, user_api="openmp"):
            self.trees_ = HistGradientBoostingRegressor(random_state=SEED, early_stopping=False, **TREES).fit(x, y)
        return self.fit_process(x, y) if self.kind == "ensemble" else self

    def fit_process(self, x: np.ndarray, y: np.ndarray) -> _Model:
        """Fit the Gaussian process alone."""
        kernel = ConstantKernel() * Matern(10.0, (1.0, 1e3), nu=1.5) + ConstantKernel() * DotProduct()
        kernel = kernel + WhiteKernel(0.1)
        kernel = kernel.clone_with_theta(self.kernel) if self.kernel else kernel
        self.scaler_, self.mean_, self.scale_ = StandardScaler().fit(x), float(y.mean()), float(y.std()) or 1.0
        aim = (y - self.mean_) / self.scale_
        self.process_ = _fitted(kernel, self.scaler_.transform(x), aim, optimise=not self.kernel)
        self.kernel = tuple(round(float(value), 6) for value in self.process_.kernel_.theta)
        return self

    def predict(self, x: np.ndarray, kind: str | None = None) -> np.ndarray:
        """(rows,) Each tree shares its rows out to threads, which takes longer than a small population's rows.

        kind: of the model (default: its own); an ensemble has the trees of boosting.
        """
        threads = 1 if len(x) < MANY_ROWS else None
        with self.threads_.limit(limits=threads, user_api="openmp"):
            said = self.trees_.predict(x)
        alone = (kind or self.kind) == "boosting"
        return said if alone else (said + self._process(self.scaler_.transform(x))) / 2

    def _process(self, x: np.ndarray) -> np.ndarray:
        """(rows,) the process's mean: its kernel by one matrix product, a third of the time of its own `predict`."""
        matern, linear = self.process_.kernel_.k1.k1, self.process_.kernel_.k1.k2
        known = self.process_.X_train_
        inner = x @ known.T
        squares = (x**2).sum(1)[:, None] + (known**2).sum(1) - 2 * inner
        steps = np.sqrt(3 * np.maximum(squares, 0)) / matern.k2.length_scale
        kernel = matern.k1.constant_value * (1 + steps) * np.exp(-steps)
        kernel += linear.k1.constant_value * (linear.k2.sigma_0**2 + inner)
        return kernel @ self.process_.alpha_ * self.scale_ + self.mean_


def _fitted(kernel, x: np.ndarray, y: np.ndarray, optimise: bool) -> GaussianProcessRegressor:
    """A parameter that ends at a bound is as good as beyond it, so the warning of that is left out."""
    optimiser = "fmin_l_bfgs_b" if optimise else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, optimizer=optimiser).fit(x, y)


def fit_predictor(
    folder: str | Path,
    source: Supernet | ElasticBits,
    frontend: Mfcc,
    data: ClipData,
    run: str | Path,
    count: int = ROWS,
    progress: bool = True,
) -> AccuracyPredictor:
    """Measure networks of a supernet on the validation split, or go on with that in folder `run`, fit a predictor on
    them, and keep it beside the supernet stored in `folder`. Processes of torchrun share the measuring.
    """
    split = data.choosing
    features = plain_features(data, split.rows, frontend)
    table = sample_accuracies(Path(run), source, features, split.targets, count, SEED, progress)
    predictor = AccuracyPredictor(table_space(source)).fit(table)
    if rank() == 0:
        about = {"data": data.name, "data_digest": data.digest, "split": "validation", "clips": len(split)}
        save_predictor(folder, table, predictor.quality_, about)
    return predictor


def save_predictor(folder: str | Path, table: pd.DataFrame, quality: Quality, about: dict) -> None:
    """Keep a predictor beside a stored supernet. about: what the table was measured on, such as split and clips."""
    folder, data = Path(folder), table_bytes(table)
    write_bytes(folder / TABLE, data)
    write_json(folder / PREDICTOR, {**about, "sha256": digest(data), "quality": asdict(quality)})
    config = read_json(folder / CONFIG)
    config["digests"][PREDICTOR] = digest((folder / PREDICTOR).read_bytes())
    write_json(folder / CONFIG, config)


def has_predictor(folder: str | Path) -> bool:
    """True where a supernet has its predictor beside it."""
    return (Path(folder) / PREDICTOR).is_file()


def load_predictor(folder: str | Path, space: SearchSpace) -> tuple[AccuracyPredictor, dict]:
    """The predictor beside a stored supernet, fitted, and what it was measured on. space: its `table_space`.

    Raises InvalidCheckpoint for files that are missing, altered, or not of this supernet.
    """
    folder = Path(folder)
    config, about, path = read_json(folder / CONFIG), read_json(folder / PREDICTOR), folder / TABLE
    try:
        for file, wanted in ((folder / PREDICTOR, config["digests"].get(PREDICTOR)), (path, about["sha256"])):
            if digest(file.read_bytes()) != wanted:
                raise InvalidCheckpoint(f"{file}: altered (its digest differs); {REMEDY}")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in about["quality"].items()}
        quality, table = Quality(**values), read_table(path, space)
        if quality.rows != len(table) or as_whole(about["clips"]) is None:
            raise InvalidCheckpoint(f"{folder / PREDICTOR}: not of the table beside it; {REMEDY}")
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise InvalidCheckpoint(f"{folder / PREDICTOR}: {error!r}; {REMEDY}") from None
    return AccuracyPredictor(space).fit(table, quality), about
