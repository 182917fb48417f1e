"""Evolutionary search for the most accurate network within a budget, by ask and tell.

Tournament-free evolution as in Once-for-All (Cai et al., arXiv 1908.09791): the best part of the population are the
parents of mutants and crossovers. Candidates over the budget are repaired, not rejected: their genes are lowered until
they fit, so that every round costs the same and the search ends whatever the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from supernet.errors import InfeasibleBudget
from supernet.space import Arch, Space

__all__ = ["Evolution", "Result", "evolve"]

Genes = np.ndarray
Evaluate = Callable[[Genes], np.ndarray]


@dataclass(frozen=True)
class Result:
    """What a search found: the best network, its score and cost, and every candidate that was evaluated.

    genes: (count, genes), scores and costs: (count,), in the order of evaluation.
    """

    arch: Arch
    score: float
    cost: float
    genes: Genes
    scores: np.ndarray
    costs: np.ndarray


class Evolution:
    """The state of a search: `ask` for candidates, evaluate them, `tell` their scores.

    cost: (count, genes) -> (count,), the limited cost. limit: its most. population: candidates a round.
    Raises InfeasibleBudget where even the smallest network is over the limit.
    """

    def __init__(
        self,
        space: Space,
        cost: Evaluate,
        limit: float,
        rng: np.random.Generator,
        population: int = 16,
        parents: float = 0.25,
        mutation: float = 0.1,
        constraint: str = "max_macs",
        seeds: Genes | None = None,
    ) -> None:
        self.space, self.cost, self.limit, self.rng = space, cost, limit, rng
        self.population, self.parents, self.mutation = population, parents, mutation
        self.smallest = space.to_genes([space.smallest()])
        least = float(cost(self.smallest)[0])
        if least > limit:
            raise InfeasibleBudget(constraint, limit, least, space.smallest())
        self.seeds = seeds
        self.genes, self.scores = np.empty((0, self.smallest.shape[1]), int), np.empty(0)
        self._seen: set[bytes] = set()

    def ask(self) -> Genes:
        """Up to `population` new candidates within the limit, (count, genes); fewer where the space has no more."""
        candidates = [] if self.seeds is None else list(self.repair(self.seeds))
        self.seeds = None
        for _ in range(8):
            candidates += list(self.repair(self._propose(self.population)))
            fresh = {row.tobytes(): row for row in candidates if row.tobytes() not in self._seen}
            if len(fresh) >= self.population:
                break
        chosen = list(fresh.values())[: self.population]
        return np.array(chosen, int).reshape(len(chosen), self.smallest.shape[1])

    def tell(self, genes: Genes, scores: np.ndarray) -> None:
        """The scores (count,) of candidates; more is better."""
        self._seen.update(row.tobytes() for row in genes)
        self.genes = np.concatenate([self.genes, genes])
        self.scores = np.concatenate([self.scores, scores])

    def repair(self, genes: Genes) -> Genes:
        """Lower random genes, one a round, of each candidate over the limit until it fits."""
        genes = genes.copy()
        over = np.arange(len(genes))
        while len(over := over[self.cost(genes[over]) > self.limit]):
            part = genes[over]
            target = np.broadcast_to(self.smallest, part.shape)
            differs = part != target
            column = np.argmax(self.rng.random(part.shape) * differs, 1)
            rows = np.arange(len(part))
            part[rows, column] -= np.sign(part[rows, column] - target[rows, column])
            genes[over] = self.space.canonical(part)
        return genes

    def _propose(self, count: int) -> Genes:
        if not len(self.scores):
            return self._spread(count)
        best = self.genes[np.argsort(-self.scores, kind="stable")[: max(2, int(self.parents * self.population))]]
        first, second = (best[self.rng.integers(len(best), size=count)] for _ in range(2))
        crossed = self.space.crossover(first, second, self.rng)
        use_crossover = self.rng.random(count) < 0.5
        return self.space.mutate(np.where(use_crossover[:, None], crossed, first), self.rng, self.mutation)

    def _spread(self, count: int) -> Genes:
        """Networks across the range of costs, from the largest, which is repaired, to one drawn uniformly.

        Each takes a smaller share of its genes from the largest; drawn uniformly alone, all would lie close together.
        """
        largest = self.space.to_genes([self.space.largest()])
        sampled = self.space.sample(self.rng, count)
        take = self.rng.random(sampled.shape) < np.linspace(1, 0, count)[:, None]
        return self.space.canonical(np.where(take, largest, sampled))


def evolve(
    space: Space,
    evaluate: Evaluate,
    cost: Evaluate,
    limit: float,
    *,
    evaluations: int = 64,
    population: int = 16,
    seed: int = 0,
    constraint: str = "max_macs",
    seeds: Genes | None = None,
    progress: bool = True,
) -> Result:
    """The best network within `limit`, after at most `evaluations` calls for a score.

    evaluate, cost: (count, genes) -> (count,) scores (more is better) and costs. seeds: (count, genes) to start from,
    repaired where they are over the limit. The same seed gives the same result.
    Raises InfeasibleBudget where even the smallest network is over the limit.
    """
    if evaluations < 1 or population < 1:
        raise ValueError(f"evaluations = {evaluations} and population = {population} must both be at least 1")
    evolution = Evolution(
        space, cost, limit, np.random.default_rng(seed), population, constraint=constraint, seeds=seeds
    )
    with tqdm(total=evaluations, desc=f"search {limit / 1e6:g}M", unit=" networks", disable=not progress) as bar:
        while (left := evaluations - len(evolution.scores)) > 0:
            genes = evolution.ask()[:left]
            if not len(genes):
                break
            evolution.tell(genes, evaluate(genes))
            bar.set_postfix(best=f"{evolution.scores.max():.4f}", refresh=False)
            bar.update(len(genes))
    best = int(np.argmax(evolution.scores))
    genes, scores = evolution.genes, evolution.scores
    costs = cost(genes)
    return Result(
        space.from_genes(genes[best : best + 1])[0], float(scores[best]), float(costs[best]), genes, scores, costs
    )
