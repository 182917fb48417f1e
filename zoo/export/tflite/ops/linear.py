"""Operator `linear` in TFLite: a CONV_2D of one place, since FULLY_CONNECTED has one scale for all outputs in older
runtimes. Logits have 16 bits, as ours, behind values of 16 bits; or 8, where all shall have 8.
"""

from __future__ import annotations

import numpy as np

from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.ops.base import Operator
from zoo.export.tflite.ops.conv import convolve

__all__ = ["OPERATOR"]


class Linear(Operator):
    """The last layer."""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """Logits (1, classes)."""
        x, shape = written.values[spec.inputs[0]], (1, 1, 1, spec.out_shape[0])
        if written.step:
            out = Tensor(shape, "int8", np.array([written.step], np.float32))
        else:
            x, out = written.quantise(x, "int16", x.scale), Tensor(shape, "int16", written.scale(spec.name))
        return written.reshape(convolve(written, spec, x, out), (1, spec.out_shape[0]), "logits")


OPERATOR = Linear()
