"""Operator `conv` as C: dense, or of each channel by itself."""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.arch import Arch
from supernet.layer import LayerSpec, layers
from zoo.export.c.ops.base import MULTIPLYING, Fields, Operator, Step, map_size, weighted
from zoo.export.c.text import Member

__all__ = ["LONG", "LONG_VALUES", "OPERATOR", "block_of"]

BLOCK, BLOCK_BYTES = 16, 512
"""Most channels of a depthwise convolution that are computed at a time, and most bytes of stack of their weights."""
LONG, LONG_VALUES, LONG_CHANNELS = "conv_long", 160, 32
"""The routine of long rows; values of them that are multiplied at a time, whose weights fill whole bytes; and rows that
share them."""


class Conv(Operator):
    """A row of weights is (taps, kernel height, channels) of one output; depthwise, of a block of them."""

    structure = """\
    const uint8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t frames, out_frames, before, taps, stride;       /* in time; before: what the first output looks back on */
    int32_t in_height, out_height, kernel_height, stride_height, pad_top;
    int32_t in_channels, out_channels, in_zero;
    int32_t bits, odd;                                      /* of weights */
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """With what is kept, where something is."""
        behind = () if step.spec.depthwise else MULTIPLYING
        own = ("unpack", "words", *behind, "window", step.spec.operator.calls(step.spec)[0])
        return (*own, "keep") if self._kept(step) else own

    def fields(self, step: Step) -> Fields:
        """Weights with the channels side by side, and shapes."""
        return weighted(step, _rows(step.spec, step.tensors.weight, step.block)) | self.shapes(step)

    def shapes(self, step: Step) -> dict[str, int]:
        """Constants beside those of weights."""
        spec = step.spec
        fields = {"frames": step.frames, "out_frames": step.out_frames}
        fields |= {"before": self._kept(step) if step.streams else spec.pad[2], "taps": spec.kernel[1]}
        fields |= {"stride": spec.stride[1], "in_height": spec.in_shape[1], "out_height": spec.out_shape[1]}
        fields |= {"kernel_height": spec.kernel[0], "stride_height": spec.stride[0], "pad_top": spec.pad[0]}
        return fields | {"in_channels": spec.in_shape[0], "out_channels": spec.out_shape[0]}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """The convolution, and keeping what the next step looks back on."""
        kept = f"self->{step.spec.name}" if self._kept(step) else "NULL"
        name, [values] = step.spec.operator.calls(step.spec)[0], step.inputs
        found = [(name, step.layer, kept, values, step.out)]
        return [*found, ("keep", step.layer, kept, values)] if self._kept(step) else found

    def kept(self, step: Step) -> list[Member]:
        """The frames that it looks back on, silent at the zero point."""
        size = self._kept(step) * map_size(step.spec)
        return [Member("int8_t", step.spec.name, size, silence=step.zeros[0])] if size else []

    def work(self, step: Step) -> dict[str, int]:
        """What of long rows is computed at a time."""
        return (
            {"LONG_VALUES": LONG_VALUES, "LONG_CHANNELS": LONG_CHANNELS}
            if LONG in step.spec.operator.calls(step.spec)
            else {}
        )

    def _kept(self, step: Step) -> int:
        return step.spec.operator.kept_frames(step.spec) if step.streams else 0


def block_of(arch: Arch) -> int:
    """Channels of a network's depthwise convolutions that are computed at a time, a power of two."""
    places = max((prod(spec.kernel) for spec in layers(arch) if spec.depthwise), default=1)
    most = max(1, min(BLOCK, BLOCK_BYTES // places))
    return 1 << (most.bit_length() - 1)


def _rows(spec: LayerSpec, weight: np.ndarray, block: int) -> list[np.ndarray]:
    laid = weight.transpose(0, 3, 2, 1)  # (out, taps, height, in)
    if not spec.depthwise:
        return list(laid.reshape(len(laid), -1))
    blocks = np.split(laid[..., 0], range(block, len(laid), block))
    return [part.transpose(1, 2, 0).ravel() for part in blocks]


OPERATOR = Conv()
