"""The best slice of a supernet at hand, within limits: predicted, the best few measured, and kept on disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from search import Evolution, Problem, SearchSpace, measure_best, search
from search.accuracy import AccuracyPredictor
from search.sampling import PLAIN_BITS, measured_accuracy
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.files import read_json, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.supernet import Supernet
from supernet.train.loop import weights_digest
from zoo.make.recipe import MakeRecipe

__all__ = ["kept_search", "search_slices"]


def kept_search(
    path: Path,
    supernet: Supernet,
    predictor: AccuracyPredictor,
    data: ClipData,
    frontend: Mfcc,
    limits: dict[str, float],
    task: str,
    making: MakeRecipe,
) -> dict:
    """What `search_slices` finds, from the file `path` where that is of the same search, else done and kept there."""
    identity = {
        "weights": weights_digest(supernet),
        "data": data.digest,
        "samples": making.samples,
        "evaluations": making.evaluations,
        "seed": making.search_seed,
        "limits": {name: limit for name, limit in limits.items() if limit is not None},
    }
    if not path.is_file() or read_json(path).get("identity") != identity:
        finding = search_slices(supernet, predictor, data, frontend, limits, task, making)
        write_json(path, {"identity": identity, **finding})
    return read_json(path)


def search_slices(
    supernet: Supernet,
    predictor: AccuracyPredictor,
    data: ClipData,
    frontend: Mfcc,
    limits: dict[str, float],
    task: str,
    making: MakeRecipe,
) -> dict:
    """The best slice of a supernet within limits at 8 bits: by predicted accuracy, the best few by that on validation.

    Returns plain values for JSON: `arch`, without bits; its `validation` and `predicted` accuracy; `evaluations`.
    """
    validation, space = data.choosing, SearchSpace(supernet.space, PLAIN_BITS)
    features = plain_features(data, validation.rows, frontend)
    strategy = Evolution(Problem(space, limits, task=task), np.random.default_rng(making.search_seed))
    result = search(strategy, partial(predictor.predict, space), making.evaluations)
    measure = measured_accuracy(supernet, space, features, validation.targets)
    best = measure_best(result, measure, making.finalists)
    return {
        "arch": best.arch.without_bits().to_dict(),
        "validation": best.score,
        "predicted": float(predictor.predict(space, best.genes[best.order[:1]])[0]),
        "evaluations": len(result.scores),
    }
