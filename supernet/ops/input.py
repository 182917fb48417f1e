"""Operator `input`: the features that a network reads, of those that the front end gives."""

from __future__ import annotations

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, Shaped

__all__ = ["OPERATOR"]


class Input(Operator):
    """Its stride says how many coefficients and frames of the front end there are to each of its own; the values are
    those of a map that has been chosen already.
    """

    def rescaling(self, spec: LayerSpec) -> dict[str, Shaped]:
        """None: features are integers already."""
        return {}

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """As they are."""
        return inputs[0]


OPERATOR = Input()
