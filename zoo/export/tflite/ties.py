"""The scale of each layer's values, so that a runtime of TFLite computes our multipliers (zoo.export.tflite.scales).

They are solved from the multipliers, along the chain of layers: sums, averages and memories tie the scales of what they
read and write, and behind weights a scale is free, since that of the weights takes up what is left.
"""

from __future__ import annotations

import numpy as np

from supernet.integer.runtime import IntegerNetwork
from zoo.export.tflite.ops import operator

__all__ = ["solve"]


def solve(network: IntegerNetwork) -> dict[str, np.float32]:
    """The scale of each layer's values by its name."""
    stated = {name: one.scale for name, one in network.activations.items()}
    found = _Tied()
    for spec in network.specs:
        found.free(spec.name, stated[spec.name])
        if spec.inputs and not spec.has_weights:
            operator(spec.kind).tie(found, spec, network.tensors[spec.name])
    return {spec.name: np.float32(found.scale(spec.name)) for spec in network.specs}


class _Tied:
    """Scales of which some are known as multiples of others."""

    def __init__(self) -> None:
        self.base: dict[str, float] = {}
        self.of: dict[str, tuple[str, float]] = {}

    def free(self, name: str, scale: float) -> None:
        self.base[name] = scale
        self.of[name] = (name, 1.0)

    def scale(self, name: str) -> float:
        root, factor = self.of[name]
        return self.base[root] * factor

    def tie(self, name: str, other: str, ratio: float) -> None:
        """Make the scale of `name` that of `other` times a ratio, with all that is tied to it."""
        root, factor = self.of[name]
        to, times = self.of[other]
        if root != to:
            change = times * ratio / factor
            self.of |= {one: (to, own * change) for one, (held, own) in self.of.items() if held == root}
