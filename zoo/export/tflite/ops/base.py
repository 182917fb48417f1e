"""What an operator is in TFLite: nodes that give a layer's values from those of its inputs."""

from __future__ import annotations

import numpy as np

from supernet.errors import InvalidQuery
from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.scales import quantised, weight_scales

__all__ = ["ElementWise", "Operator", "activation", "weights"]

NARROW = 7
"""The largest weight of 4 bits; grids without a zero reach it with 3 bits."""
WIDE = 127
"""That of 8."""
MOST = 2**31 - 1
"""The largest sum."""


class Operator:
    """One kind of layer."""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """Append its nodes to a zoo.export.tflite.build.Written; gives the tensor of its values. Raises InvalidQuery
        for what TFLite cannot compute.
        """
        raise NotImplementedError


class ElementWise(Operator):
    """A node whose output has a value for each of its input. kind: its name in TFLite."""

    kind = ""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """The node."""
        inputs = [written.values[name] for name in spec.inputs]
        return written.main.add(self.kind, inputs, written.like(spec), FusedActivationFunction=activation(spec))


def activation(spec: LayerSpec) -> tuple[str, str]:
    """The fused one: none, or what is below zero cut off, to which scales have brought all others."""
    return ("ActivationFunctionType", "RELU" if spec.rectified else "NONE")


def weights(
    written, spec: LayerSpec, x: Tensor, out: Tensor, arranged: np.ndarray, axis: int, raised: int = 0
) -> tuple[Tensor, Tensor]:
    """Weights, as arranged along an axis of channels, and biases, whose multipliers are those of the layer.

    Weights of 4 bits and less are held in 4 where what they multiply has 8, if they may be. raised: by how much all
    values are to be higher than those of the layer.
    """
    layer = written.network.tensors[spec.name]
    multiplier, to = layer.multiplier, np.float64(written.scales[spec.name]) / np.float64(out.step)
    real = multiplier.astype(np.float64) * np.exp2(-layer.shift.astype(np.float64)) * to
    narrow = not written.wide and x.kind == "int8" and spec.weight_bits <= 4 and np.abs(arranged).max() <= NARROW
    times = _times(arranged, axis, NARROW if narrow else WIDE)
    if x.kind == "int8":
        most = _bound(written, spec) + np.ceil(raised / real).astype(np.int64)
        times = np.minimum(times, np.maximum(1, MOST // most))
    scale = weight_scales(real / times, x.step, out.step)
    _check_shift(written, spec, quantised(real)[1])
    data = (arranged * times.reshape([-1 if one == axis else 1 for one in range(4)])).astype(np.int8)
    kind, wide = "int4" if narrow else "int8", "int32" if x.kind == "int8" else "int64"
    steps = (scale.astype(np.float64) * np.float64(x.step)).astype(np.float32)
    bias = layer.bias.astype(np.int64) * times
    if written.twice and x.kind == "int8":
        bias += _downwards(real / times, raised)
    bias = bias.astype(wide)
    return Tensor(data.shape, kind, scale, 0, "", data, axis), Tensor(bias.shape, wide, steps, 0, "", bias)


def _downwards(real: np.ndarray, raised: int) -> np.ndarray:
    """What is added to sums so that values are `raised` higher, and half a unit of the first rounding lower: so this
    rounds down, which leaves the second one to decide as the package does. It does of positive values.
    """
    return np.round(raised / real - 1 / (2 * np.frexp(real)[0])).astype(np.int64)


def _times(arranged: np.ndarray, axis: int, most: int) -> np.ndarray:
    """By how much the weights of each channel may be multiplied, so that what rounds sums twice rounds larger ones."""
    largest = np.abs(arranged).max(tuple(one for one in range(4) if one != axis))
    return most // np.maximum(largest.astype(np.int64), 1)


def _bound(written, spec: LayerSpec) -> int:
    return max(1, spec.operator.bound(spec, written.network.tensors[spec.name], written.network.reaches(spec)))


def _check_shift(written, spec: LayerSpec, shift: np.ndarray) -> None:
    """Runtimes shift sums left before they multiply, in 32 bits."""
    if _bound(written, spec) << max(0, int(shift.max())) > MOST:
        raise InvalidQuery(f"layer {spec.name} has a multiplier whose sums leave the 32 bits of TFLite; use --to c")
