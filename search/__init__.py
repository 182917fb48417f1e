"""Finding the best sub-networks for a budget: `search.search`."""

from search.evolve import EVALUATIONS, FINALISTS, Result, measure_best, search
from search.problem import Problem
from search.space import SearchSpace
from search.strategies import Evolution, Random, Strategy

__all__ = [
    "EVALUATIONS",
    "FINALISTS",
    "Evolution",
    "Problem",
    "Random",
    "Result",
    "SearchSpace",
    "Strategy",
    "measure_best",
    "search",
]
