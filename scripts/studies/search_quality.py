"""Which search is best on one supernet, by one accuracy predictor, after the same number of evaluations?

    pip install pymoo
    python scripts/study.py search_quality            # hours on one core
    python scripts/study.py search_quality --speed    # ours and the published algorithm, one candidate at a time

Ten budgets: five of MACs, five of weights, over the networks of `kws-temporal-map-bits` at 8, 4, 3, 2 and 1 bits. Ours;
random search, uniform and with our sizes and repair; regularised evolution (Real et al., arXiv 1802.01548: population
100, samples of 25, children of 10 workers at a time); the evolution of once-for-all as published (Cai et al., arXiv
1908.09791: population 100, 500 generations, mutation probability 0.1, a quarter as parents, half of the children
mutants); and NSGA-II of pymoo (population 100, integer variables by rounding), whose best within a budget is that of
all networks of its run. Those reject what is over a budget, as published, which does not count as an evaluation. Rows:
`search.csv`, `search_fronts.csv` and `search_speed.csv`.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from search import Evolution, Problem, Random, search
from search.pareto import hypervolume
from studies.base import Shown, Study, option, seeds, several
from studies.rows import Rows
from zoo.hubs.folder import BUNDLED
from zoo.make.search import Searchable, searchable

SUPERNET = "kws-temporal-map-bits"
BUDGETS = [("max_macs", 1e6 * size) for size in (0.5, 1, 2, 3, 5)]
BUDGETS += [("max_weights", 1e3 * size) for size in (5, 8, 12, 20, 35)]
FRONTS = {"macs": (0.3e6, 8e6), "weight_bytes": (2e3, 110e3)}
"""The costs that fronts are against, and the ends that their logarithms are measured between."""
NAMES = {
    "ours": "ours",
    "once-for-all": "once-for-all",
    "regularised": "regularised",
    "nsga2": "NSGA-II (pymoo)",
    "random": "random",
    "random, our sizes": "random, our sizes",
}
COSTS = {"macs": "MACs", "weight_bytes": "weights"}
UNITS = {"max_macs": (1e6, "M MACs"), "max_weights": (1e3, "kB of weights")}
"""How pages call searches, costs and limits."""
LEAST_ACCURACY, BEST_ACCURACY = 0.8, 1.0
EVALUATIONS, SEEDS = 50_000, 5
CHECKPOINTS = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
BATCH, WORKERS, DRAWN, MOST_DRAWS = 100, 10, 4096, 500
SPEED_CANDIDATES, SPEED_ALONE, SPEED_ROUNDS = 50_000, 1000, 5

Genes = np.ndarray
Tried = tuple[Genes, np.ndarray]
"""Genes and scores, in the order of evaluation."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Run what is asked for."""
    item = searchable(BUNDLED / "supernets" / SUPERNET, "kws")
    if options.speed:
        _speed(item, rows)
        return
    for seed, (limit, budget), method in product(options.seeds, BUDGETS, METHODS):
        keys = {"limit": limit, "budget": int(budget), "method": method, "seed": seed}
        if method in options.methods:
            rows.once("search", keys, partial(_best, item, method, limit, budget, seed))
    for seed, cost, method in product(options.seeds, FRONTS, FRONT_METHODS):
        keys = {"cost": cost, "method": method, "seed": seed}
        if method in options.methods and not rows.done("search_fronts", keys):
            problem = Problem(item.space(None), {})
            genes, scores = FRONT_METHODS[method](problem, item, np.random.default_rng(seed), cost)
            costs = problem.costs(genes)
            rows.add("search_fronts", keys, _hypervolumes(costs[cost], scores, cost))
            for limit, budget in BUDGETS:
                if method == "nsga2" and (cost == "macs") == (limit == "max_macs"):
                    inside = costs[cost] <= budget
                    own = {"limit": limit, "budget": int(budget), "method": method, "seed": seed}
                    rows.add("search", own, _best_so_far(np.where(inside, scores, 0.0)))


def _best(item: Searchable, method: str, limit: str, budget: float, seed: int) -> dict:
    problem = Problem(item.space(None), {limit: budget})
    return _best_so_far(METHODS[method](problem, item, np.random.default_rng(seed))[1])


def _best_so_far(scores: np.ndarray) -> dict:
    best = np.maximum.accumulate(scores)
    return {f"best_{count}": round(100 * float(best[min(count, len(best)) - 1]), 4) for count in CHECKPOINTS}


def _hypervolumes(costs: np.ndarray, scores: np.ndarray, cost: str) -> dict:
    low, high = np.log(FRONTS[cost])
    values = np.column_stack([(np.log(costs) - low) / (high - low), (1 - scores) / (1 - LEAST_ACCURACY)])
    return {f"hypervolume_{count}": round(hypervolume(values[:count], np.ones(2)), 6) for count in CHECKPOINTS}


def ours(problem: Problem, item: Searchable, rng: np.random.Generator, cost: str | None = None) -> Tried:
    """Our evolution; with a cost, for the front."""
    strategy = Evolution(problem, rng, (cost,) if cost else ())
    return _searched(strategy, item)


def random_sizes(problem: Problem, item: Searchable, rng: np.random.Generator, cost: str | None = None) -> Tried:
    """Our random search."""
    return _searched(Random(problem, rng), item)


def _searched(strategy, item: Searchable) -> Tried:
    space = strategy.problem.space
    result = search(strategy, lambda genes: item.predict(space, genes), EVALUATIONS, progress=False)
    return result.genes, result.scores


def random_uniform(problem: Problem, item: Searchable, rng: np.random.Generator, cost: str | None = None) -> Tried:
    """Uniform sampling."""
    genes = _valid(problem, lambda: problem.space.sample(rng, DRAWN), EVALUATIONS)
    return genes, item.predict(problem.space, genes)


def _valid(problem: Problem, draw: Callable[[], Genes], count: int) -> Genes:
    """So many networks that keep all limits, by drawing again; fewer where there are hardly any."""
    found, total = [], 0
    for _ in range(MOST_DRAWS):
        genes = draw()
        found.append(genes[problem.keeps(genes)])
        total += len(found[-1])
        if total >= count:
            break
    return np.concatenate(found)[:count]


def once_for_all(problem: Problem, item: Searchable, rng: np.random.Generator) -> Tried:
    """The evolution of once-for-all."""
    space, half = problem.space, BATCH // 2
    genes = _valid(problem, lambda: space.sample(rng, DRAWN), BATCH)
    scores = item.predict(space, genes)
    tried = [(genes, scores)]
    for _ in range(EVALUATIONS // BATCH - 1):
        parents = genes[np.argsort(-scores, kind="stable")[: BATCH // 4]]
        mutants = _valid(problem, lambda parents=parents: space.mutate(_picked(parents, rng), rng, 0.1), half)
        crossed = _valid(
            problem, lambda parents=parents: space.crossover(_picked(parents, rng), _picked(parents, rng), rng), half
        )
        kept = np.argsort(-scores, kind="stable")[: BATCH // 4]
        children = np.concatenate([mutants, crossed])
        new = item.predict(space, children)
        tried.append((children, new))
        genes, scores = np.concatenate([genes[kept], children]), np.concatenate([scores[kept], new])
    return tuple(np.concatenate(part) for part in zip(*tried, strict=True))


def _picked(parents: Genes, rng: np.random.Generator) -> Genes:
    return parents[rng.integers(len(parents), size=4 * BATCH)]


def regularised(problem: Problem, item: Searchable, rng: np.random.Generator) -> Tried:
    """Regularised evolution: the best of a sample gets a child, the oldest dies."""
    space, sample = problem.space, 25
    genes = _valid(problem, lambda: space.sample(rng, DRAWN), BATCH)
    scores = item.predict(space, genes)
    alive, tried = deque(zip(genes, scores, strict=True), maxlen=BATCH), [(genes, scores)]
    for _ in range((EVALUATIONS - BATCH) // WORKERS):
        rows, values = np.array([row for row, _ in alive]), np.array([value for _, value in alive])
        drawn = rng.integers(len(rows), size=(WORKERS, sample))
        parents = rows[drawn[np.arange(WORKERS), values[drawn].argmax(1)]]
        children = np.concatenate([_child(problem, parent, rng) for parent in parents])
        new = item.predict(space, children)
        tried.append((children, new))
        alive.extend(zip(children, new, strict=True))
    return tuple(np.concatenate(part) for part in zip(*tried, strict=True))


def _child(problem: Problem, parent: np.ndarray, rng: np.random.Generator, tries: int = 64) -> Genes:
    """(1, genes) the parent with one gene drawn anew, within the limits."""
    space = problem.space
    genes = np.repeat(parent[None], tries, 0)
    column = rng.integers(len(parent), size=tries)
    genes[np.arange(tries), column] = rng.integers(0, space.cardinalities[column])
    genes = space.canonical(genes)
    inside = genes[problem.keeps(genes)]
    return inside[:1] if len(inside) else parent[None]


def nsga2(problem: Problem, item: Searchable, rng: np.random.Generator, cost: str) -> Tried:
    """NSGA-II of pymoo."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem as PymooProblem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    space, tried = problem.space, []

    class Networks(PymooProblem):
        def __init__(self) -> None:
            count = len(space.cardinalities)
            super().__init__(n_var=count, n_obj=2, xl=np.zeros(count), xu=space.cardinalities - 1, vtype=int)

        def _evaluate(self, x, out, *_, **__) -> None:
            genes = space.canonical(x.astype(int))
            scores = item.predict(space, genes)
            tried.append((genes, scores))
            out["F"] = np.column_stack([1 - scores, np.log(problem.costs(genes)[cost])])

    whole = {"vtype": float, "repair": RoundingRepair()}
    algorithm = NSGA2(
        pop_size=BATCH,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, **whole),
        mutation=PM(prob=1.0, eta=3.0, **whole),
        eliminate_duplicates=True,
    )
    minimize(Networks(), algorithm, ("n_eval", EVALUATIONS), seed=int(rng.integers(2**31)), verbose=False)
    return tuple(np.concatenate(part) for part in zip(*tried, strict=True))


METHODS = {
    "ours": ours,
    "random": random_uniform,
    "random, our sizes": random_sizes,
    "regularised": regularised,
    "once-for-all": once_for_all,
}
FRONT_METHODS = {"ours": ours, "nsga2": nsga2, "random": random_uniform, "random, our sizes": random_sizes}


def _speed(item: Searchable, rows: Rows) -> None:
    """Seconds for 50,000 candidates of ours, and of the published algorithm one at a time, in turn."""
    problem = Problem(item.space(None), {"max_macs": 2e6})
    for number in range(SPEED_ROUNDS):
        for method, count, run in (
            ("ours", SPEED_CANDIDATES, lambda seed: ours(problem, item, np.random.default_rng(seed))),
            ("once-for-all, one at a time", SPEED_ALONE, lambda seed: one_at_a_time(problem, item, seed, SPEED_ALONE)),
        ):
            rows.once("search_speed", {"method": method, "round": number}, partial(_seconds, run, number, count))


def _seconds(run: Callable[[int], object], number: int, count: int) -> dict:
    """Seconds for SPEED_CANDIDATES by those of `count`."""
    began = time.perf_counter()
    run(number)
    seconds = (time.perf_counter() - began) * SPEED_CANDIDATES / count
    return {"seconds": round(seconds, 2), "timed": count}


def one_at_a_time(problem: Problem, item: Searchable, seed: int, count: int) -> float:
    """The evolution of once-for-all, as published: each candidate drawn, costed, predicted by itself."""
    space, rng = problem.space, np.random.default_rng(seed)

    def child(draw: Callable[[], Genes]) -> tuple[float, Genes]:
        while not problem.keeps(genes := draw())[0]:
            pass
        return float(item.predict(space, genes)[0]), genes

    population = [child(lambda: space.sample(rng, 1)) for _ in range(min(count, BATCH))]
    tried = len(population)
    while tried < count:
        parents = sorted(population, key=lambda one: -one[0])[: BATCH // 4]

        def pick(parents=parents) -> Genes:
            return parents[rng.integers(len(parents))][1]

        mutants = [child(lambda: space.mutate(pick(), rng, 0.1)) for _ in range(BATCH // 2)]
        crossed = [child(lambda: space.crossover(pick(), pick(), rng)) for _ in range(BATCH // 2)]
        population, tried = parents + mutants + crossed, tried + BATCH
    return max(score for score, _ in population)


def table_of_budgets(found: Rows) -> Shown:
    """Medians over seeds, with the least and the most, and how soon ours is as good as the best of the others."""
    table, rows = found.read("search"), []
    last, counts = _columns(table, "best")[-1], _counts(table, "best")
    for limit, (unit, name) in UNITS.items():
        for budget, part in table[table.limit == limit].groupby("budget"):
            ends = {method: part[part.method == method][last] for method in NAMES}
            cells = [f"{own.median():.2f} ({own.min():.2f} to {own.max():.2f})" for own in ends.values()]
            best = max(own.median() for method, own in ends.items() if method != "ours")
            ours = part[part.method == "ours"][_columns(table, "best")].median()
            soon = [count for count, value in zip(counts, ours, strict=True) if value >= best]
            rows.append([f"{budget / unit:g} {name}", *cells, f"{soon[0]:,}" if soon else "not"])
    return ["within", *NAMES.values(), "ours as good as the best other after"], rows


def table_of_fronts(found: Rows) -> Shown:
    """Hypervolumes of fronts after so many evaluations, medians over seeds."""
    table, rows = found.read("search_fronts"), []
    columns, counts = _columns(table, "hypervolume"), _counts(table, "hypervolume")
    for cost, name in COSTS.items():
        for method in NAMES:
            part = table[(table.cost == cost) & (table.method == method)]
            if len(part):
                last = part[columns[-1]]
                cells = [f"{part[column].median():.4f}" for column in columns]
                rows.append([name, NAMES[method], *cells, f"{last.min():.4f} to {last.max():.4f}"])
    return ["front against", "method", *(f"{count:,}" for count in counts), "least to most"], rows


def table_of_speed(found: Rows) -> Shown:
    """Medians of the rounds, and their ratio."""
    table = found.read("search_speed")
    seconds = table.groupby("method").seconds.agg(["median", "min", "max"])
    alone, ours = (seconds.loc[method] for method in ("once-for-all, one at a time", "ours"))
    rows = [
        [name, f"{row['median']:.1f} ({row['min']:.1f} to {row['max']:.1f})", f"{alone['median'] / row['median']:.0f}"]
        for name, row in (("ours", ours), ("once-for-all, one at a time", alone))
    ]
    return ["50,000 candidates", "seconds", "times as fast"], rows


def picture(found: Rows) -> plt.Figure:
    """What each method misses of the best that any found, and the hypervolume of fronts, over evaluations."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    table, fronts = found.read("search"), found.read("search_fronts")
    columns, counts = _columns(table, "best"), _counts(table, "best")
    best = table.groupby(["limit", "budget"])[columns[-1]].transform("max")
    missed = -table[columns].sub(best, axis=0)
    for number, (method, name) in enumerate(NAMES.items()):
        own = missed[table.method == method]
        axes[0].plot(counts, own.mean(), "-o", color=f"C{number}", markersize=3, label=name)
        for axis, cost in zip(axes[1:], COSTS, strict=True):
            part = fronts[(fronts.cost == cost) & (fronts.method == method)][_columns(fronts, "hypervolume")]
            if len(part):
                axis.plot(counts, part.median(), "-o", color=f"C{number}", markersize=3)
                axis.fill_between(counts, part.min(), part.max(), color=f"C{number}", alpha=0.2)
    axes[0].set(ylabel="points below the best that any found", title="ten budgets, mean")
    for axis, name in zip(axes[1:], COSTS.values(), strict=True):
        axis.set(ylabel="hypervolume", title=f"front against {name}")
    for axis in axes:
        axis.set(xscale="log", xlabel="evaluations")
        axis.grid(alpha=0.25)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    return figure


def _columns(table: pd.DataFrame, kind: str) -> list[str]:
    return [column for column in table if column.startswith(f"{kind}_")]


def _counts(table: pd.DataFrame, kind: str) -> np.ndarray:
    return np.array([int(column.rsplit("_", 1)[1]) for column in _columns(table, kind)])


STUDY = Study(
    __doc__,
    run,
    (
        several("--methods", [*dict.fromkeys([*METHODS, *FRONT_METHODS])], "searches"),
        seeds(SEEDS),
        option("--speed", action="store_true", help="measure speed instead"),
    ),
    tables={"search": table_of_budgets, "search_fronts": table_of_fronts, "search_speed": table_of_speed},
    pictures={"search": picture},
)
