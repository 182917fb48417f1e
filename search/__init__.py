"""Finding the best sub-network for a budget: `search.evolve`."""

from search.evolve import Evolution, Result, evolve

__all__ = ["Evolution", "Result", "evolve"]
