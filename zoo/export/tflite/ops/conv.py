"""Operator `conv` in TFLite: CONV_2D or DEPTHWISE_CONV_2D over (frames, height)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supernet.layer import LayerSpec
from zoo.export.tflite.graph import LIMITS, Tensor
from zoo.export.tflite.ops.base import Operator, activation, weights

__all__ = ["OPERATOR", "convolve"]


class Conv(Operator):
    """In a stream, behind the frames that it looks back on."""

    def write(self, written, spec: LayerSpec) -> Tensor:
        """Padding where that of TFLite is another."""
        x, pads = written.values[spec.inputs[0]], (spec.pad[2:], spec.pad[:2])
        if written.answers:
            x, pads = written.behind(x, spec.operator.kept_frames(spec), spec.name), ((0, 0), spec.pad[:2])
        same = _is_same(spec, x, pads)
        if not same and any(map(any, pads)):
            x = written.pad(x, *pads)
        return convolve(written, spec, x, written.like(spec), "SAME" if same else "VALID")


def convolve(written, spec: LayerSpec, x: Tensor, out: Tensor, padding: str = "VALID") -> Tensor:
    """The node, with weights and biases.

    A runtime that rounds twice is off least where nothing is negative. So layers that are not rectified write to the
    least zero point, and what they wrote is read with their own.
    """
    positive = written.twice and x.kind == "int8" and not spec.rectified
    to = replace(out, zero_point=LIMITS["int8"][0]) if positive else out
    raised = out.zero_point - to.zero_point
    weight = written.network.tensors[spec.name].weight
    weight = weight.reshape(*weight.shape, *(1,) * (4 - weight.ndim)).transpose(0, 3, 2, 1)
    strides = {"StrideH": spec.stride[1], "StrideW": spec.stride[0], "Padding": ("Padding", padding)}
    options = {**strides, "FusedActivationFunction": activation(spec), "DilationHFactor": 1, "DilationWFactor": 1}
    if spec.depthwise:
        held = weights(written, spec, x, out, np.ascontiguousarray(weight.transpose(3, 1, 2, 0)), 3, raised)
        written.main.add("DEPTHWISE_CONV_2D", (x, *held), to, **options, DepthMultiplier=1)
    else:
        written.main.add("CONV_2D", (x, *weights(written, spec, x, out, weight, 0, raised)), to, **options)
    return written.same_bytes(to, out) if raised else to


def _is_same(spec: LayerSpec, x: Tensor, pads) -> bool:
    """Whether the padding is that which TFLite calls SAME."""
    sizes = zip(x.shape[1:3], spec.kernel[::-1], spec.stride[::-1], pads, strict=True)
    return any(map(any, pads)) and all(_same(*one) == tuple(one[3]) for one in sizes)


def _same(size: int, taps: int, stride: int, _) -> tuple[int, int]:
    missing = max(0, (-(-size // stride) - 1) * stride + taps - size)
    return missing // 2, missing - missing // 2


OPERATOR = Conv()
