"""What a network costs: `predictors.estimate(arch)`."""

from predictors.estimate import Cost, estimate

__all__ = ["Cost", "estimate"]
