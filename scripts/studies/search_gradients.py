"""Does a search by gradients find better networks than evolution, when both run as many networks on as many clips?

    python scripts/study.py search_gradients ../shared/data/speech_commands

On the supernet `kws-temporal-map-bits`, whose bits are searched, too. `gradients` is the most probable network after
the training of a differentiable search: 1,200 networks, eight each on a batch of 64 of the 512 calibration clips, whose
outputs are those of the largest network. `evolution` has 1,200 evaluations of the same loss, all on 64 of the same
clips, so that scores can be compared. `evolution, predictor` is what `earshot search` does, with as many evaluations by
the accuracy predictor, for which 600 networks heard all of validation; `gradients, predictor` is the best by it of as
many candidates of the differentiable search. What is found is measured as integers, without any fine-tuning.
Rows: `search_gradients.csv`.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from itertools import product

import numpy as np

from search import Evolution, Problem, search
from search.differentiable import PATHS, STEPS, Differentiable
from search.sampling import extract
from studies.base import KEYWORDS, THREADS, Shown, Study, seeds
from studies.networks import split_columns, split_hits
from studies.rows import Rows
from supernet.arch import Arch
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from zoo.hubs.folder import BUNDLED
from zoo.make.search import Searchable, searchable

TABLE, SUPERNET = "search_gradients", "kws-temporal-map-bits"
BUDGETS = [{"max_macs": 1e6}, {"max_weights": 20e3}]
UNITS = {"max_macs": (1e6, "M MACs"), "max_weights": (1e3, "kB of weights")}
"""How pages call limits."""
EVALUATIONS = STEPS * PATHS


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Search within all budgets that have no rows yet, and measure what is found."""
    data, item = load(options.data, "kws"), searchable(BUNDLED / "supernets" / SUPERNET, "kws")
    for seed, limits, methods in product(options.seeds, BUDGETS, METHODS):
        keys = [{"budget": _named(limits), "method": method, "seed": seed} for method in methods]
        if not rows.done(TABLE, *keys):
            problem = Problem(item.space(None), limits)
            began = time.process_time()
            found = METHODS[methods](problem, item, seed)
            for own, arch in zip(keys, found, strict=True):
                took = {"seconds": round(time.process_time() - began, 1)} if own["method"] == methods[0] else {}
                rows.add(TABLE, own, {**took, **_measured(item, arch, data)})


def _named(limits: dict) -> str:
    return ", ".join(f"{name} {limit:g}" for name, limit in limits.items())


def by_gradients(problem: Problem, item: Searchable, seed: int) -> list[Arch]:
    """The most probable network, and the best candidate by the predictor."""
    strategy = Differentiable(problem, np.random.default_rng(seed), losses=item.losses(problem.space, None))
    result = search(strategy, partial(item.predict, problem.space), EVALUATIONS, progress=False)
    return [result.arch_of(0), result.arch]


def by_evolution(problem: Problem, item: Searchable, seed: int) -> list[Arch]:
    """The best on one batch."""
    losses, strategy = item.losses(problem.space, None), Evolution(problem, np.random.default_rng(seed))

    def score(genes: np.ndarray) -> np.ndarray:
        return -losses(genes, np.random.default_rng(seed))

    return [search(strategy, score, EVALUATIONS, progress=False).arch]


def by_predictor(problem: Problem, item: Searchable, seed: int) -> list[Arch]:
    """The best by the predictor."""
    strategy = Evolution(problem, np.random.default_rng(seed))
    return [search(strategy, partial(item.predict, problem.space), EVALUATIONS, progress=False).arch]


METHODS = {
    ("gradients", "gradients, predictor"): by_gradients,
    ("evolution",): by_evolution,
    ("evolution, predictor",): by_predictor,
}


def _measured(item: Searchable, arch: Arch, data: ClipData) -> dict:
    """What a network costs, and the accuracy of its integers."""
    genes = item.predictor.space.to_genes([arch])
    costs = item.predictor.space.costs(genes)
    integers = TorchIntegers(extract(item.source, arch).to_integer())
    values = {"macs": int(costs["macs"][0]), "weight_bytes": int(costs["weight_bytes"][0])}
    values |= {
        "bits": min(arch.weight_bits),
        "predicted": round(100 * float(item.predict(item.predictor.space, genes)[0]), 2),
    }
    right = split_hits(lambda x: integers(quantise_features(x)), data, item.stored.frontend)
    return {**values, **split_columns(right)}


def table_of_gradients(found: Rows) -> Shown:
    """Medians over seeds, with the least and the most where these differ."""
    table, rows = found.read(TABLE), []
    for budget, part in table.groupby("budget"):
        for method in [method for methods in METHODS for method in methods]:
            own = part[part.method == method]
            spans = [_span(own[name]) for name in ("predicted", "validation", "test")]
            seconds = f"{own.seconds.median():.2g}" if own.seconds.notna().any() else ""
            bits = ", ".join(map(str, sorted(set(own.bits), reverse=True)))
            rows.append([_shown(budget), method, bits, *spans, seconds])
    return ["within", "search", "bits", "predicted %", "validation %", "test %", "seconds of one core"], rows


def _shown(budget: str) -> str:
    name, limit = budget.split(" ")
    unit, what = UNITS[name]
    return f"{float(limit) / unit:g} {what}"


def _span(values) -> str:
    ends = f" ({values.min():.2f} to {values.max():.2f})" if values.min() < values.max() else ""
    return f"{values.median():.2f}{ends}"


STUDY = Study(__doc__, run, (KEYWORDS, THREADS, seeds(1)), tables={TABLE: table_of_gradients})
