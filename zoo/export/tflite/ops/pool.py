"""Operator `pool` in TFLite: MEAN over frames and height; in a stream, of the frames of a clip that it keeps."""

from __future__ import annotations

from math import prod

from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.ops.base import Operator

__all__ = ["OPERATOR"]


class Pool(Operator):
    """The average and the change of scale are one node."""

    def units(self, spec: LayerSpec) -> int:
        """The values of a mean."""
        return prod(spec.in_shape[1:])

    def write(self, written, spec: LayerSpec) -> Tensor:
        """(1, 1, 1, channels)."""
        x = written.values[spec.inputs[0]]
        if written.answers:
            x = written.behind(x, spec.in_shape[2] - x.shape[1], spec.name)
        like = written.like(spec)
        out = Tensor((1, 1, 1, spec.out_shape[0]), "int8", like.scale, like.zero_point, spec.name)
        return written.main.add("MEAN", (x, written.constant([1, 2])), out, KeepDims=True)


OPERATOR = Pool()
