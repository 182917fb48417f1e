"""Operators with weights by AVX2: weights of 8 bits in blocks of eight outputs."""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.layer import LayerSpec
from zoo.export.c.ops.base import Fields, Operator, Step
from zoo.export.c.ops.conv import Conv
from zoo.export.c.ops.linear import Linear

__all__ = ["HOST_OPERATORS", "span_of"]

OUTPUTS, VALUES = 8, 4
"""Beside each other."""
RAISED = 128
"""What bytes without a sign are above values."""


class HostConv(Conv):
    """Rows are (taps, kernel height, channels), or of a depthwise layer (taps, kernel height)."""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Of any length of rows one."""
        own = ("eight", "window", "depthwise" if step.spec.depthwise else "conv")
        return (*own, "keep") if self._kept(step) else own

    def fields(self, step: Step) -> Fields:
        """Weights, and shapes."""
        weight = step.tensors.weight
        return _blocks(step, weight.transpose(0, 3, 2, 1).reshape(len(weight), -1)) | self.shapes(step)

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """Those of short rows."""
        return [(name.replace("conv_long", "conv"), *arguments) for name, *arguments in super().runs(step)]

    def work(self, step: Step) -> dict[str, int]:
        """Channels and height of the largest maps of depthwise layers."""
        return {"WIDEST": step.spec.in_shape[0], "TALLEST": step.spec.out_shape[1]} if step.spec.depthwise else {}


class HostLinear(Linear):
    """Logits of 16 bits."""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Its own."""
        return ("eight", "linear")

    def fields(self, step: Step) -> Fields:
        """Weights and sizes."""
        return _blocks(step, step.tensors.weight) | self.shapes(step)


HOST_OPERATORS: dict[str, Operator] = {"conv": HostConv(), "linear": HostLinear()}
"""By kind, those that are not as they are anywhere."""


def span_of(spec: LayerSpec) -> int:
    """Bytes that a row of a layer is multiplied by."""
    return -(-prod(spec.weight_shape[1:]) // VALUES) * VALUES


def _blocks(step: Step, rows: np.ndarray) -> Fields:
    """The first constants of a layer, in whole blocks of outputs. rows: (outputs, values)."""
    tensors, zero = step.tensors, step.zeros[0]
    behind = -len(rows) % OUTPUTS
    whole = np.pad(rows, ((0, behind), (0, -rows.shape[1] % VALUES)))
    laid = whole.reshape(len(whole) // OUTPUTS, OUTPUTS, -1, VALUES).transpose(0, 2, 1, 3)
    bias = tensors.bias.astype(np.int64) - (RAISED + zero) * rows.astype(np.int64).sum(1)
    return {
        "weights": np.ascontiguousarray(laid).ravel().astype(np.int8).view(np.uint8),
        "bias": np.pad(bias, (0, behind)).astype(np.int32),
        "multiplier": np.pad(tensors.multiplier.astype(np.int32), (0, behind)),
        "shift": np.pad(tensors.shift.astype(np.uint8), (0, behind), mode="edge"),
        "bits": 8,
        "odd": 0,
        "in_zero": zero,
    }
