"""Operator `memory` in TFLite: two CONV_2D on 16 bits whose sum is the next memory.

The transition has 16 bits and weights in TFLite have 8, so it is 256 times one matrix and another. Each product is
rounded by itself, where ours rounds the sum: a coefficient is off by at most one step of a 64th of an input's step.
"""

from __future__ import annotations

import numpy as np

from supernet.errors import InvalidQuery
from supernet.layer import LayerSpec
from supernet.ops.memory import FRACTION, UNIT
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.ops.base import Operator

__all__ = ["OPERATOR"]

PART = 8
"""Bits of the lower matrix."""


class Memory(Operator):
    """Of a stream of single frames."""

    clips = False

    def units(self, spec: LayerSpec) -> int:
        """Of a coefficient."""
        return UNIT

    def write(self, written, spec: LayerSpec) -> Tensor:
        """(1, 1, order, channels). Raises InvalidQuery for clips, whose frames follow one another."""
        if not written.answers or written.frames(spec.out_shape[2]) > 1:
            raise InvalidQuery(
                f"layer {spec.name} is a memory, which hears one frame after another: of family "
                f"{written.network.arch.family}, TFLite gets the stream, not clips"
            )
        channels, order, _ = spec.out_shape
        scale = written.scale(spec.inputs[0], 1 / UNIT)
        before = Tensor((1, 1, channels, order), "int16", scale, 0, f"{spec.name}_before")
        held: list[Tensor] = []

        def after() -> Tensor:
            held.append(self._next(written, spec, before))
            return held[0]

        written.keep(before, after)
        turned = Tensor((1, 1, order, channels), "int16", scale)
        written.main.add("TRANSPOSE", (held[0], written.constant([0, 1, 3, 2])), turned)
        like = written.like(spec)
        return written.quantise(turned, "int8", like.scale, like.zero_point, spec.name)

    def _next(self, written, spec: LayerSpec, before: Tensor) -> Tensor:
        """The memory behind a frame."""
        x, (_, _, channels, order) = written.values[spec.inputs[0]], before.shape
        fresh = written.reshape(written.quantise(x, "int16", before.scale), (1, 1, channels, 1))
        joined = Tensor((1, 1, channels, order + 1), "int16", before.scale)
        written.main.add("CONCATENATION", (before, fresh), joined, Axis=3)
        transition = written.network.tensors[spec.name].transition.astype(np.int64)
        high = (transition + (1 << PART - 1)) >> PART
        parts = ((high, 2.0 ** (PART - FRACTION)), (transition - (high << PART), 2.0**-FRACTION))
        products = [self._product(written, joined, *part, before) for part in parts]
        out = Tensor(before.shape, "int16", before.scale, 0, f"{spec.name}_after")
        return written.main.add("ADD", products, out, FusedActivationFunction=("ActivationFunctionType", "NONE"))

    def _product(self, written, joined: Tensor, matrix: np.ndarray, step: float, like: Tensor) -> Tensor:
        order = len(matrix)
        data = matrix.reshape(order, 1, 1, order + 1).astype(np.int8)
        weight = Tensor(data.shape, "int8", np.full(order, step, np.float32), 0, "", data)
        steps = np.full(order, np.float32(step) * like.step, np.float32)
        bias = Tensor((order,), "int64", steps, 0, "", np.zeros(order, np.int64))
        options = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        options |= {"Padding": ("Padding", "VALID"), "FusedActivationFunction": ("ActivationFunctionType", "NONE")}
        return written.main.add("CONV_2D", (joined, weight, bias), Tensor(like.shape, "int16", like.scale), **options)


OPERATOR = Memory()
