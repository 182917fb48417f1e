"""Operator `conv`: a convolution over height and time with batch norm, folded into multipliers and biases."""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.base import Ready, requantise
from supernet.ops.weighted import Weighted

__all__ = ["OPERATOR"]

LONG_ROW = 480
"""Weights of an output beyond which a device computes some of them at a time."""


class Conv(Weighted):
    """The kernel lies over (height, frames); groups are one, or as many as channels (depthwise)."""

    def weight_shape(self, spec: LayerSpec) -> tuple[int, ...]:
        """(out, in / groups, height, taps)."""
        return (spec.out_shape[0], spec.in_shape[0] // spec.groups, *spec.kernel)

    def params(self, spec: LayerSpec) -> int:
        """Weights, and a scale and an offset a channel of the norm."""
        return prod(self.weight_shape(spec)) + 2 * spec.out_shape[0]

    def mac_kind(self, spec: LayerSpec) -> str:
        """Depthwise, pointwise or dense."""
        if spec.depthwise:
            return "depthwise"
        return "pointwise" if spec.kernel == (1, 1) else "dense"

    def kept_frames(self, spec: LayerSpec) -> int:
        """Those that the kernel looks back on; none where it looks ahead, since it does not stream."""
        return max(0, spec.kernel[1] - spec.stride[1]) if spec.causal else 0

    def calls(self, spec: LayerSpec) -> tuple[str, ...]:
        """Depthwise or not, or with long rows; and what keeps frames, where a stream keeps some."""
        own = "depthwise" if spec.depthwise else "conv_long" if _is_long(spec) else "conv"
        return (own, *["keep"] * (self.kept_frames(spec) > 0))

    def arrange(self, spec: LayerSpec, weight: np.ndarray) -> np.ndarray:
        """Depthwise (taps, kernel height, height, channels), else (taps * kernel height * in, out)."""
        if spec.depthwise:  # repeated rows make one long product of many short ones
            rows = weight[:, 0].transpose(2, 1, 0)[:, :, None]
            return np.ascontiguousarray(rows.repeat(spec.out_shape[1], 2))
        return np.ascontiguousarray(weight.transpose(3, 2, 1, 0).reshape(-1, spec.out_shape[0]))

    def padded(self, spec: LayerSpec, x: np.ndarray) -> np.ndarray:
        """With zeros around."""
        top, bottom, left, right = spec.pad
        if not any(spec.pad):
            return x
        batch, frames, height, channels = x.shape
        wide = np.zeros((batch, left + frames + right, top + height + bottom, channels), x.dtype)
        wide[:, left : left + frames, top : top + height] = x
        return wide

    def products(self, spec: LayerSpec, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Depthwise tap by tap; else one product of matrices, of each place's window."""
        if spec.depthwise:
            return _depthwise(_windows(spec, x), weight)
        windows = x if spec.kernel == (1, 1) and spec.stride == (1, 1) else _gathered(_windows(spec, x))
        return (windows.reshape(-1, len(weight)) @ weight).reshape(*windows.shape[:3], -1)

    def reset(self, spec: LayerSpec, batch: int = 1) -> np.ndarray:
        """The frames before the first one: zeros."""
        return np.zeros((batch, self.kept_frames(spec), spec.in_shape[1], spec.in_shape[0]), np.float32)

    def step(
        self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray], state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """As many outputs as there are whole strides of frames; the state holds what the next ones look back on."""
        x, stride = np.concatenate([state, inputs[0]], 1), spec.stride[1]
        count = max(0, (x.shape[1] - self.kept_frames(spec)) // stride)
        weight, (top, bottom) = ready["weight"], spec.pad[:2]
        used = x[:, : self.kept_frames(spec) + count * stride].astype(weight.dtype, copy=False)
        wide = np.pad(used, ((0, 0), (0, 0), (top, bottom), (0, 0)))
        found = requantise(self.products(spec, wide, weight), ready) if count else _nothing(spec, x)
        return found, x[:, count * stride :]


def _windows(spec: LayerSpec, x: np.ndarray) -> np.ndarray:
    """(batch, frames, height, channels, kernel height, taps), a view."""
    height, taps = spec.kernel
    view = np.lib.stride_tricks.sliding_window_view(x, (taps, height), (1, 2))
    return view[:, :: spec.stride[1], :: spec.stride[0]].swapaxes(4, 5)


def _gathered(windows: np.ndarray) -> np.ndarray:
    """(batch, frames, height, taps * kernel height * channels), in one piece."""
    return np.ascontiguousarray(windows.transpose(0, 1, 2, 5, 4, 3)).reshape(*windows.shape[:3], -1)


def _depthwise(windows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums over the kernel's places, (batch, frames, height, channels)."""
    total = windows[..., 0, 0] * weight[0, 0]
    product = np.empty_like(total)
    for row, tap in list(np.ndindex(windows.shape[4:]))[1:]:
        np.multiply(windows[..., row, tap], weight[tap, row], out=product)
        total += product
    return total


def _nothing(spec: LayerSpec, x: np.ndarray) -> np.ndarray:
    return np.zeros((len(x), 0, *spec.out_shape[1::-1]), np.int64)


def _is_long(spec: LayerSpec) -> bool:
    """Whether an output has so many weights that they are computed some at a time."""
    return prod(spec.weight_shape[1:]) > LONG_ROW


OPERATOR = Conv()
