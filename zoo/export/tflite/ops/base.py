"""What an operator is in TFLite: nodes that give a layer's values from those of its inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supernet.errors import InvalidQuery
from supernet.layer import LayerSpec
from zoo.export.tflite.graph import LIMITS, Tensor
from zoo.export.tflite.scales import quantised, weight_scales

__all__ = ["ElementWise", "Operator", "activation", "multipliers", "weights"]

NARROW = 7
"""The largest weight of 4 bits; grids without a zero reach it with 3 bits."""
WIDE = 127
"""That of 8."""
MOST = 2**31 - 1
"""The largest sum."""


class Operator:
    """One kind of layer.

    clips: whether TFLite computes it of whole clips, too, and not of a stream alone. begins: whether what is written
    begins behind it, and the front end in C computes it.
    """

    clips = True
    begins = False

    def write(self, written, spec: LayerSpec) -> Tensor:
        """Append its nodes to a zoo.export.tflite.build.Written; gives the tensor of its values. Raises InvalidQuery
        for what TFLite cannot compute.
        """
        raise NotImplementedError

    def units(self, spec: LayerSpec) -> int:
        """How many of what a layer without weights adds up stand for one of its inputs."""
        return 1

    def tie(self, scales, spec: LayerSpec, tensors) -> None:
        """Tie the scales of what a layer without weights reads and writes (zoo.export.tflite.ties), by the multipliers
        of its inputs.
        """
        first, *others = spec.inputs
        ratios = multipliers(tensors)
        for other, ratio in zip(others, ratios[1:], strict=True):
            scales.tie(other, first, ratio / ratios[0])
        scales.tie(spec.name, first, 1 / (ratios[0] * self.units(spec)))


class ElementWise(Operator):
    """A node whose output has a value for each of its input. kind: its name in TFLite."""

    kind = ""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """The node."""
        inputs = [written.values[name] for name in spec.inputs]
        return written.main.add(self.kind, inputs, written.like(spec), FusedActivationFunction=activation(spec))


def multipliers(tensors) -> np.ndarray:
    """Those of a layer as real numbers: of its channels, or of its inputs. tensors: an IntegerLayer."""
    return tensors.multiplier.astype(np.float64) * np.exp2(-tensors.shift.astype(np.float64))


def activation(spec: LayerSpec) -> tuple[str, str]:
    """The fused one: none, or what is below zero cut off, to which scales have brought all others."""
    return ("ActivationFunctionType", "RELU" if spec.rectified else "NONE")


def weights(
    written, spec: LayerSpec, x: Tensor, out: Tensor, arranged: np.ndarray, axis: int
) -> tuple[Tensor, Tensor, int]:
    """Weights, as arranged along an axis of channels, biases, whose multipliers are those of the layer, and by how much
    what they give is higher than the layer's values.

    Weights of 4 bits and less are held in 4 where what they multiply has 8, if they may be.
    """
    layer = written.network.tensors[spec.name]
    real = multipliers(layer) * (np.float64(written.scales[spec.name]) / np.float64(out.step))
    narrow = not written.wide and x.kind == "int8" and spec.weight_bits <= 4 and np.abs(arranged).max() <= NARROW
    sums = _sums(written, spec, x, out, real, _times(arranged, axis, NARROW if narrow else WIDE))
    scale = weight_scales(real / sums.times, x.step, out.step)
    _check_shift(written, spec, quantised(real)[1], int(np.abs(sums.added).max()))
    data = (arranged * sums.times.reshape([-1 if one == axis else 1 for one in range(4)])).astype(np.int8)
    kind, long = "int4" if narrow else "int8", "int32" if x.kind == "int8" else "int64"
    steps = (scale.astype(np.float64) * np.float64(x.step)).astype(np.float32)
    bias = (layer.bias.astype(np.int64) * sums.times + sums.added).astype(long)
    held = Tensor(data.shape, kind, scale, 0, "", data, axis), Tensor(bias.shape, long, steps, 0, "", bias)
    return *held, sums.raised


@dataclass(frozen=True)
class _Sums:
    """What a layer's sums become. times: factors of weights (channels,). added: to sums (channels,). raised: by how
    much values are higher for it.
    """

    times: np.ndarray
    added: np.ndarray
    raised: int = 0


def _sums(written, spec: LayerSpec, x: Tensor, out: Tensor, real: np.ndarray, times: np.ndarray) -> _Sums:
    """For a runtime that rounds twice, such as are off least.

    Its first rounding is to go down, which leaves the second one to decide as the package does, of values above zero.
    So a layer that is not rectified is raised above it, where its sums then fit and fewer are expected to be off.
    """
    none = np.zeros(len(real), np.int64)
    if x.kind != "int8":
        return _Sums(times, none)
    bound = _bound(written, spec)
    plain = np.minimum(times, max(1, MOST // bound))
    if not written.twice:
        return _Sums(plain, none)
    if spec.rectified:
        return _Sums(plain, _downwards(real / plain, 0)[0])
    raised = out.zero_point - LIMITS["int8"][0]
    room = MOST // (bound + np.ceil(raised / real).astype(np.int64) + 1)
    if room.min() < 1:
        return _Sums(plain, none)
    raising = np.minimum(times, room)
    added, off = _downwards(real / raising, raised)
    if off.mean() < np.exp2(np.minimum(np.frexp(real / plain)[1], 0)).mean() / 2:
        return _Sums(raising, added, raised)
    return _Sums(plain, none)


def _downwards(real: np.ndarray, raised: int) -> tuple[np.ndarray, np.ndarray]:
    """What is added to sums so that values are `raised` higher and the first of two roundings goes down, half a unit of
    its own; and the share of values that are a step off nonetheless, since whole numbers alone can be added.
    """
    fraction, shift = np.frexp(real)
    wanted = raised / real - np.where(shift < 0, 1 / (2 * fraction), 0)
    added = np.round(wanted)
    return added.astype(np.int64), np.abs(added - wanted) * fraction * np.exp2(np.minimum(shift, 0))


def _times(arranged: np.ndarray, axis: int, most: int) -> np.ndarray:
    """By how much the weights of each channel may be multiplied, so that what rounds sums twice rounds larger ones."""
    largest = np.abs(arranged).max(tuple(one for one in range(4) if one != axis))
    return most // np.maximum(largest.astype(np.int64), 1)


def _bound(written, spec: LayerSpec) -> int:
    return max(1, spec.operator.bound(spec, written.network.tensors[spec.name], written.network.reaches(spec)))


def _check_shift(written, spec: LayerSpec, shift: np.ndarray, added: int) -> None:
    """Runtimes shift sums left before they multiply, in 32 bits."""
    if _bound(written, spec) + added * (shift.max() > 0) << max(0, int(shift.max())) > MOST:
        raise InvalidQuery(f"layer {spec.name} has a multiplier whose sums leave the 32 bits of TFLite; use --to c")
