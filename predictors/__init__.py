"""What a network costs: `predictors.estimate(arch)`, and on a device `predictors.estimate(arch, device="...")`."""

from predictors.estimate import Cost, DeviceCost, estimate, estimate_many

__all__ = ["Cost", "DeviceCost", "estimate", "estimate_many"]
