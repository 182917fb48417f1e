"""Operator `scale`: the first input times the second, one factor a channel; the product is rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, encode_multiplier, requantise

__all__ = ["OPERATOR"]


class Scale(Operator):
    """A map, and (channels, 1, 1) factors."""

    in_place = True

    def read_values(self, spec: LayerSpec) -> int:
        """The map and the factors."""
        return prod(spec.in_shape) + spec.in_shape[0]

    def multipliers(self, spec: LayerSpec, inputs: Sequence[float], output: float) -> tuple[np.ndarray, np.ndarray]:
        """Of a product."""
        return encode_multiplier(np.array([prod(inputs) / output]))

    def bound(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> int:
        """The largest product."""
        return prod(reaches)

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """The product, rounded once."""
        return requantise(inputs[0].astype(np.float64) * inputs[1], ready)


OPERATOR = Scale()
