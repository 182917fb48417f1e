"""Strategies of search, by ask and tell: evolution, and random search to compare it with.

Evolution is NSGA-II (Deb et al., IEEE TEC 6(2), 2002) where a front is wanted, and ranks by the score alone where one
network is. Beside crossovers and mutants of tournament winners it proposes the whole neighbourhood of the best networks
that have not been tried so yet (Pareto local search, Paquete et al., 2004): on a predictor, which answers at once, that
ends at a network that no change of one gene improves. Candidates over a limit are repaired (see search.problem).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from search.pareto import crowding, ranks
from search.problem import Problem

__all__ = ["Evolution", "Random", "Strategy"]

Genes = np.ndarray
BATCH, FIRST_BATCHES, GROWTH = 1024, 16, 1.1
"""Candidates a round at most; evolution begins with a part of it and takes more each round: at first it learns most
from few, and later large rounds are quicker on a predictor."""
PARENTS, FRONT = 64, 128
"""Networks that evolution keeps: for the best, and for a front."""
TRIES = 8
"""Rounds of proposals after which fewer new candidates than wanted are given."""


class Strategy(ABC):
    """`ask` for candidates that keep all limits and were not given before, evaluate them, `tell` their scores.

    batch: candidates a round. Raises InfeasibleBudget where no network keeps all limits.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, batch: int = BATCH) -> None:
        self.problem, self.space, self.rng, self.batch = problem, problem.space, rng, batch
        self._seen: set[bytes] = set()

    def ask(self) -> Genes:
        """Up to `batch` new candidates, (count, genes); fewer, or none, where hardly any are left."""
        fresh: dict[bytes, np.ndarray] = {}
        for _ in range(TRIES):
            for row in self.problem.repair(self.propose(self.batch), self.rng):
                if (key := row.tobytes()) not in self._seen:
                    fresh.setdefault(key, row)
            if len(fresh) >= self.batch:
                break
        chosen = list(fresh.items())[: self.batch]
        self._seen.update(key for key, _ in chosen)
        return np.array([row for _, row in chosen], int).reshape(len(chosen), len(self.space.cardinalities))

    @property
    def settings(self) -> dict:
        """What fixes the candidates beside problem, generator and batch; a search that is kept must have the same."""
        return {}

    def prepare(  # noqa: B027 (most strategies have nothing to do)
        self, run_dir: str | Path | None = None, identity: str = "", progress: bool = False
    ) -> None:
        """What is to do before the first candidates, kept in folder `run_dir` as of the search `identity`.

        Raises InvalidCheckpoint where the folder holds another search.
        """

    @abstractmethod
    def propose(self, count: int) -> Genes:
        """(count, genes) candidates, which may be over limits or known; other counts do no harm."""

    def tell(self, genes: Genes, scores: np.ndarray) -> None:  # noqa: B027 (not all strategies learn)
        """The scores (count,) of candidates; more is better."""


class Random(Strategy):
    """Networks of all sizes, drawn at random."""

    def propose(self, count: int) -> Genes:
        """Half drawn by size, half uniformly."""
        return spread(self.problem, self.rng, count)


class Evolution(Strategy):
    """Evolution with neighbourhoods.

    objectives: costs that a front is wanted against, of `search.problem.COSTS`; none: the best score is wanted, and of
    equal ones that of fewest MACs. parents: networks that are kept from round to round. batch: candidates of the last
    rounds; the first have fewer.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        objectives: tuple[str, ...] = (),
        batch: int = BATCH,
        parents: int | None = None,
    ) -> None:
        super().__init__(problem, rng, max(1, batch // FIRST_BATCHES))
        self.largest_batch, self.size = batch, float(self.batch)
        self.parents = parents or (FRONT if objectives else PARENTS)
        self.objectives = objectives
        self.genes = np.empty((0, len(self.space.cardinalities)), int)
        self.values = np.empty((0, 1 + max(1, len(objectives))))
        self._expanded: set[bytes] = set()
        self._near = self.genes

    def propose(self, count: int) -> Genes:
        """At first networks across the range of costs; then children, and neighbours of the best."""
        if not len(self.genes):
            return spread(self.problem, self.rng, count)
        near = self._neighbours(count // 2)
        return np.concatenate([near, self._children(count - len(near))])

    def tell(self, genes: Genes, scores: np.ndarray) -> None:
        """Keep the best of what is known: by score, or by rank and crowding."""
        self.size = min(self.largest_batch, self.size * GROWTH)
        self.batch = round(self.size)
        costs = self.problem.costs(genes, self.objectives or ("macs",))
        values = np.column_stack([-np.asarray(scores), *(np.asarray(cost, float) for cost in costs.values())])
        genes, values = np.concatenate([self.genes, genes]), np.concatenate([self.values, values])
        if self.objectives:
            rank = ranks(values)
            keys = (-_crowding_by_rank(values, rank), rank)
        else:
            keys = values.T[::-1]
        order = np.lexsort(keys)[: self.parents]
        self.genes, self.values = genes[order], values[order]

    def _children(self, count: int) -> Genes:
        """Mutants of crossovers of tournament winners, with a rate of mutation drawn for each."""
        first, second = (self.genes[self._winners(count)] for _ in range(2))
        mixed = np.where(self.rng.random((count, 1)) < 0.5, self.space.crossover(first, second, self.rng), first)
        least = 1 / len(self.space.cardinalities)
        return self.space.mutate(mixed, self.rng, np.exp(self.rng.uniform(np.log(least), np.log(0.3), (count, 1))))

    def _winners(self, count: int) -> np.ndarray:
        """(count,) places in the population, which is in order: the better one of two."""
        return self.rng.integers(len(self.genes), size=(count, 2)).min(1)

    def _neighbours(self, count: int) -> Genes:
        """Neighbours of the best network whose own were not all proposed yet."""
        while len(self._near) < count:
            new = next((row for row in self.genes if row.tobytes() not in self._expanded), None)
            if new is None:
                break
            self._expanded.add(new.tobytes())
            self._near = np.concatenate([self._near, self.rng.permutation(self.problem.neighbours(new))])
        given, self._near = self._near[:count], self._near[count:]
        return given


def spread(problem: Problem, rng: np.random.Generator, count: int) -> Genes:
    """(count, genes) across the range of costs: the largest network and others, by size and uniformly."""
    space = problem.space
    sized = space.sample_sizes(rng, count - count // 2)
    return np.concatenate([space.largest(), sized[1:], space.sample(rng, count // 2)])


def _crowding_by_rank(values: np.ndarray, rank: np.ndarray) -> np.ndarray:
    found = np.zeros(len(values))
    for own in np.unique(rank):
        found[rank == own] = crowding(values[rank == own])
    return found
