"""Operator `conv` in TFLite: CONV_2D or DEPTHWISE_CONV_2D over (frames, height)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supernet.layer import LayerSpec
from zoo.export.tflite.graph import Tensor
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
    """The node, with weights and biases. What they raise is read with the zero point of the layer."""
    weight = written.network.tensors[spec.name].weight
    weight = weight.reshape(*weight.shape, *(1,) * (4 - weight.ndim)).transpose(0, 3, 2, 1)
    kind, axis = ("DEPTHWISE_CONV_2D", 3) if spec.depthwise else ("CONV_2D", 0)
    arranged = np.ascontiguousarray(weight.transpose(3, 1, 2, 0)) if spec.depthwise else weight
    *held, raised = weights(written, spec, x, out, arranged, axis)
    options = {"StrideH": spec.stride[1], "StrideW": spec.stride[0], "Padding": ("Padding", padding)}
    options |= {"FusedActivationFunction": activation(spec), "DilationHFactor": 1, "DilationWFactor": 1}
    options |= {"DepthMultiplier": 1} if spec.depthwise else {}
    to = replace(out, zero_point=out.zero_point - raised)
    written.main.add(kind, (x, *held), to, **options)
    return written.same_bytes(to, out) if raised else to


def _is_same(spec: LayerSpec, x: Tensor, pads) -> bool:
    """Whether the padding is that which TFLite calls SAME."""
    sizes = zip(x.shape[1:3], spec.kernel[::-1], spec.stride[::-1], pads, strict=True)
    return any(map(any, pads)) and all(_same(*one) == tuple(one[3]) for one in sizes)


def _same(size: int, taps: int, stride: int, _) -> tuple[int, int]:
    missing = max(0, (-(-size // stride) - 1) * stride + taps - size)
    return missing // 2, missing - missing // 2


OPERATOR = Conv()
