"""Running a search: candidates are asked for, evaluated and told, and all of them are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from search.pareto import non_dominated
from search.problem import Problem
from search.strategies import Strategy
from supernet.arch import Arch
from supernet.errors import InvalidCheckpoint
from supernet.files import digest, load_tensors, save_tensors
from supernet.whole import is_whole

__all__ = ["Result", "measure_best", "search"]

EVALUATIONS, FINALISTS = 20_000, 8
"""Networks that a search tries by predicted accuracy, and those of them that are measured in the end."""
PATIENCE = 3
"""Rounds in a row with hardly a new candidate, after which the networks within the limits are as good as all tried."""
Evaluate = Callable[[np.ndarray], np.ndarray]
"""From genes (count, genes) to scores (count,), of which more is better."""
EVALUATED, EACH_SECONDS = "evaluated.safetensors", 1.0


@dataclass(frozen=True, eq=False)
class Result:
    """What a search tried: genes (count, genes) and scores (count,), in the order of evaluation."""

    problem: Problem
    genes: np.ndarray
    scores: np.ndarray

    @cached_property
    def costs(self) -> dict[str, np.ndarray]:
        """(count,) of each cost that is known."""
        return self.problem.costs(self.genes)

    @cached_property
    def order(self) -> np.ndarray:
        """(count,) places, best score first, of equal ones the one of fewest MACs."""
        return np.lexsort((np.arange(len(self.scores)), self.costs["macs"], -self.scores))

    @property
    def arch(self) -> Arch:
        """The best network."""
        return self.arch_of(self.order[0])

    @property
    def score(self) -> float:
        """Of the best network."""
        return float(self.scores[self.order[0]])

    def arch_of(self, place: int) -> Arch:
        """One of the networks that were tried."""
        return self.problem.space.from_genes(self.genes[place : place + 1])[0]

    def front(self, objectives: tuple[str, ...]) -> np.ndarray:
        """Places of the networks that no other beats in score and these costs, cheapest first."""
        values = np.column_stack([-self.scores, *(self.costs[name] for name in objectives)])
        found = np.flatnonzero(non_dominated(values))
        _, first = np.unique(values[found], axis=0, return_index=True)
        found = found[first]
        return found[np.lexsort((-self.scores[found], *(self.costs[name][found] for name in objectives[::-1])))]

    def table(self):
        """A row for each network that was tried: what its genes choose, its costs, and its score."""
        return self.problem.space.table(self.genes).assign(**self.costs, score=self.scores)

    def finalists(self, count: int, apart: int = 3) -> np.ndarray:
        """Places of the best networks of which no two are equal in all but `apart` - 1 genes.

        What a predictor errs in is much the same for networks that are nearly the same, so measuring several of them
        tells little. Where there are too few, the best of the others follow.
        """
        chosen: list[int] = []
        for place in self.order:
            if len(chosen) == count:
                break
            if all((self.genes[place] != self.genes[other]).sum() >= apart for other in chosen):
                chosen.append(int(place))
        rest = [int(place) for place in self.order[: count + len(chosen)] if place not in chosen]
        return np.array((chosen + rest)[:count], int)


def search(
    strategy: Strategy,
    evaluate: Evaluate,
    evaluations: int,
    run_dir: str | Path | None = None,
    identity: dict | None = None,
    progress: bool = True,
) -> Result:
    """Let a strategy try at most so many networks, and give all of them.

    run_dir: a folder in which they are kept, so that the same search, when it was stopped, goes on there with the same
    result. identity: what else fixes the search, beside problem, strategy and number. Raises InfeasibleBudget where no
    network keeps all limits, InvalidCheckpoint where the folder holds another search.
    """
    if not is_whole(evaluations, 1, np.inf):
        raise ValueError(f"evaluations = {evaluations!r} is not possible: give a whole number, 1 or more")
    problem, genes, scores = strategy.problem, [], []
    kept = _Kept(run_dir, _identity(strategy, evaluations, identity), len(problem.space.cardinalities))
    strategy.prepare(run_dir, kept.identity, progress)
    with tqdm(total=evaluations, desc="search", unit=" networks", disable=not progress) as bar:
        few, left, best = 0, evaluations, -np.inf
        while left > 0 and few < PATIENCE:
            asked = strategy.ask()[:left]
            few = few + 1 if len(asked) < min(left, strategy.batch / 16) else 0
            if not len(asked):
                break
            found = kept.evaluated(asked, evaluate)
            strategy.tell(asked, found)
            genes.append(asked)
            scores.append(found)
            left, best = left - len(asked), max(best, float(found.max()))
            bar.set_postfix(best=f"{best:.4f}", refresh=False)
            bar.update(len(asked))
    kept.write()
    return Result(problem, np.concatenate(genes), np.concatenate(scores))


def measure_best(
    result: Result, measure: Evaluate, count: int = FINALISTS, run_dir: str | Path | None = None, progress: bool = True
) -> Result:
    """The finalists of a search with scores measured truly, since predictors flatter what they select.

    run_dir: a folder in which they are kept as they are measured.
    """
    genes = result.genes[result.finalists(count)]
    kept = _Kept(run_dir and Path(run_dir) / "measured", digest(genes.tobytes()), genes.shape[1], each_seconds=0.0)
    bar = tqdm(genes, desc="measuring", unit=" networks", disable=not progress)
    return Result(result.problem, genes, np.array([kept.evaluated(row[None], measure)[0] for row in bar]))


def _identity(strategy: Strategy, evaluations: int, more: dict | None) -> str:
    problem = strategy.problem
    state = strategy.rng.bit_generator.state
    return digest(
        {
            "strategy": type(strategy).__name__,
            "batch": strategy.batch,
            "evaluations": int(evaluations),
            "generator": {key: str(value) for key, value in state.items()},
            "choices": [list(choices) for choices in problem.space.choices],
            "limits": problem.bounds,
            "device": str(problem.device),
            "task": problem.task,
            "sure": problem.sure,
            "more": more or {},
            **({} if problem.sleep_power_uw is None else {"sleep_power_uw": problem.sleep_power_uw}),
            **strategy.settings,
        }
    )


class _Kept:
    """Scores on disk, so that what was evaluated before a search was stopped is not evaluated again.

    A search draws the same candidates again, so it goes the same way.
    """

    def __init__(self, run: str | Path | None, identity: str, genes: int, each_seconds: float | None = None) -> None:
        self.path, self.identity = run and Path(run) / EVALUATED, identity
        self.each_seconds = EACH_SECONDS if each_seconds is None else each_seconds
        self.columns, self.known = genes, {}
        if self.path and self.path.is_file():
            tensors, found = load_tensors(self.path)
            if found != identity or set(tensors) != {"genes", "scores"}:
                raise InvalidCheckpoint(f"{run}: holds another search; name another folder or delete it")
            self._learn(tensors["genes"], tensors["scores"])
        self.written = time.monotonic()

    def evaluated(self, genes: np.ndarray, evaluate: Evaluate) -> np.ndarray:
        """(count,) scores, of networks that are not known by `evaluate`."""
        keys = [row.tobytes() for row in genes]
        new = genes[[key not in self.known for key in keys]]
        if len(new):
            self._learn(new, np.asarray(evaluate(new), float))
            if time.monotonic() - self.written >= self.each_seconds:
                self.write()
        return np.array([self.known[key] for key in keys])

    def _learn(self, genes: np.ndarray, scores: np.ndarray) -> None:
        self.known.update((row.tobytes(), score) for row, score in zip(genes, scores, strict=True))

    def write(self) -> None:
        """Keep what is known."""
        if self.path:
            genes = np.frombuffer(b"".join(self.known), np.int64).reshape(-1, self.columns)
            save_tensors(self.path, {"genes": genes, "scores": np.array(list(self.known.values()))}, self.identity)
            self.written = time.monotonic()
