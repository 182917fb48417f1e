"""What operators with weights share: sums of products, each channel rescaled by itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, Shaped, requantise

__all__ = ["Weighted", "exact_type", "largest_sum"]

EXACT_FLOAT32 = 2**24
"""Whole numbers below this are exact in float32, and so are sums of them in any order."""


class Weighted(Operator):
    """An operator that multiplies by weights and adds a bias, one a channel."""

    has_weights = True

    def macs(self, spec: LayerSpec) -> int:
        """Each weight once for each place of the output."""
        return prod(spec.weight_shape) * prod(spec.out_shape[1:])

    def rescaling(self, spec: LayerSpec) -> dict[str, Shaped]:
        """One bias, multiplier and shift a channel."""
        channels = (spec.out_shape[0],)
        return {"multiplier": (channels, np.int32), "shift": (channels, np.uint8), "bias": (channels, np.int32)}

    def bound(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> int:
        """The channel whose weights and bias reach furthest."""
        bias = np.abs(tensors.bias.astype(np.int64))
        return int((_sums(tensors.weight) * reaches[0] + bias).max())

    def prepare(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> Ready:
        """Weights in the type in which their sums are exact; constant: what of (acc M + 2^(shift - 1)) is not acc's."""
        ready = super().prepare(spec, tensors, reaches)
        ready["constant"] = tensors.bias.astype(np.int64) * ready["multiplier"] + (1 << (ready["shift"] - 1))
        exact = self.exact(largest_sum(tensors.weight), reaches[0])
        return {**ready, "weight": self.arrange(spec, tensors.weight.astype(exact))}

    def exact(self, largest: float, reach: int) -> str:
        """The type of floating point in which sums are exact; see `exact_type`."""
        return exact_type(largest, reach)

    def arrange(self, spec: LayerSpec, weight: np.ndarray) -> np.ndarray:
        """The weights as `products` takes them."""
        raise NotImplementedError

    def products(self, spec: LayerSpec, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Sums of products, exact, of frames with all that they look back on: (batch, frames, height, channels)."""
        raise NotImplementedError

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """The layer's output, whole numbers."""
        weight = ready["weight"]
        return requantise(
            self.products(spec, self.padded(spec, inputs[0]).astype(weight.dtype, copy=False), weight), ready
        )

    def padded(self, spec: LayerSpec, x: np.ndarray) -> np.ndarray:
        """x with what the layer reads beyond its edges."""
        return x


def exact_type(largest_sum: float, reach: int) -> str:
    """The type of floating point in which sums of weights times whole inputs are exact.

    largest_sum: of a channel's absolute weights. reach: the largest absolute value of an input.
    """
    return "float32" if largest_sum * reach < EXACT_FLOAT32 else "float64"


def largest_sum(weight: np.ndarray) -> int:
    """Of a channel's absolute weights."""
    return int(_sums(weight).max())


def _sums(weight: np.ndarray) -> np.ndarray:
    """(channels,) sums of absolute weights."""
    return np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(1)
