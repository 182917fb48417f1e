"""Operator `filters` in TFLite: none. Its sums of 32 bits and its logarithm have no kernels there, so what is written
begins behind it, and the front end in C computes it.
"""

from __future__ import annotations

from supernet.errors import InvalidQuery
from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.ops.base import Operator

__all__ = ["OPERATOR"]


class Filters(Operator):
    """Of the front end."""

    begins = True

    def write(self, written, spec: LayerSpec) -> Tensor:
        """Raises InvalidQuery where it is not the first layer."""
        raise InvalidQuery(f"layer {spec.name} is of filters behind other layers, for which TFLite has no kernels")


OPERATOR = Filters()
