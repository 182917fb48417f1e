"""Finding the best sub-networks for a budget: `search.search`. Names are loaded when they are first used."""

from __future__ import annotations

from supernet.extras import lazy_names

_HOME = {
    "EVALUATIONS": "search.evolve",
    "FINALISTS": "search.evolve",
    "Evolution": "search.strategies",
    "Problem": "search.problem",
    "Random": "search.strategies",
    "Result": "search.evolve",
    "SearchSpace": "search.space",
    "Strategy": "search.strategies",
    "measure_best": "search.evolve",
    "search": "search.evolve",
}

__all__ = sorted(_HOME)

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
