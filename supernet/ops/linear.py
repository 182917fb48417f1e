"""Operator `linear`: all channels of a frame to all outputs, with a bias and without a norm."""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.weighted import Weighted

__all__ = ["OPERATOR"]


class Linear(Weighted):
    """Weights (out, in)."""

    def weight_shape(self, spec: LayerSpec) -> tuple[int, ...]:
        """(out, in)."""
        return (spec.out_shape[0], spec.in_shape[0])

    def params(self, spec: LayerSpec) -> int:
        """Weights, and a bias an output."""
        return prod(self.weight_shape(spec)) + spec.out_shape[0]

    def mac_kind(self, spec: LayerSpec) -> str:
        """Fully connected."""
        return "linear"

    def arrange(self, spec: LayerSpec, weight: np.ndarray) -> np.ndarray:
        """(in, out)."""
        return np.ascontiguousarray(weight.T)

    def products(self, spec: LayerSpec, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """One product of matrices."""
        return x @ weight


OPERATOR = Linear()
