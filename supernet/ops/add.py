"""Operator `add`: a residual sum. Both inputs are rescaled with one shift, and the sum is rounded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supernet.errors import InvalidModel
from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, Shaped

__all__ = ["OPERATOR"]


class Add(Operator):
    """Two inputs of one shape."""

    in_place = True

    def rescaling(self, spec: LayerSpec) -> dict[str, Shaped]:
        """A multiplier for each input."""
        return {"multiplier": ((2,), np.int32), "shift": ((1,), np.uint8)}

    def least_multiplier(self) -> int:
        """One of the two may be small."""
        return 0

    def multipliers(self, spec: LayerSpec, inputs: Sequence[float], output: float) -> tuple[np.ndarray, np.ndarray]:
        """Two with one shift, as large as 31 bits hold."""
        ratios = np.array(inputs) / output
        exponent = int(np.frexp(ratios.max())[1])
        pair = np.floor(ratios * 2.0 ** (31 - exponent) + 0.5)
        if pair.max() >= 2**31:
            exponent, pair = exponent + 1, np.floor(pair / 2 + 0.5)
        if not 1 <= 31 - exponent <= 62:
            raise InvalidModel(f"a residual sum at ratios {ratios[0]:g} and {ratios[1]:g} has no 31-bit form")
        return pair.astype(np.int32), np.array([31 - exponent], np.uint8)

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """The sum, rounded once."""
        first, second = (x.astype(np.int64) * m for x, m in zip(inputs, ready["multiplier"], strict=True))
        first += second
        first += 1 << (ready["shift"] - 1)
        first >>= ready["shift"]
        return first


OPERATOR = Add()
