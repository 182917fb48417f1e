"""Operator `pool`: the average over height and the frames of a clip; in a stream, of the last so many frames."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, encode_multiplier, requantise

__all__ = ["OPERATOR"]

SUM_BYTES = 4


class Pool(Operator):
    """1 / N of its N values is in the multiplier."""

    per_answer = True

    def kept_frames(self, spec: LayerSpec) -> int:
        """The window that is averaged."""
        return spec.in_shape[2] if spec.causal else 0

    def sum_bytes(self, spec: LayerSpec) -> int:
        """A sum a channel, and the place of the oldest frame."""
        return SUM_BYTES * (spec.in_shape[0] + 1) if spec.causal else 0

    def multipliers(self, spec: LayerSpec, inputs: Sequence[float], output: float) -> tuple[np.ndarray, np.ndarray]:
        """Of a sum."""
        return encode_multiplier(np.array([inputs[0] / output / prod(spec.in_shape[1:])]))

    def bound(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> int:
        """A sum of as many values."""
        return reaches[0] * prod(spec.in_shape[1:])

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """(batch, 1, 1, channels)."""
        return requantise(inputs[0].sum((1, 2), dtype=np.float64, keepdims=True), ready)

    def reset(self, spec: LayerSpec, batch: int = 1) -> np.ndarray:
        """Sums over height of the frames before the first one: zeros."""
        return np.zeros((batch, self.kept_frames(spec), 1, spec.in_shape[0]), np.float32)

    def step(
        self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray], state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each frame, the average of it and those before it."""
        x, window = np.concatenate([state, inputs[0].sum(2, keepdims=True)], 1), spec.in_shape[2]
        sums = np.cumsum(x, 1, dtype=np.float64)
        return requantise(sums[:, window:] - sums[:, :-window], ready), x[:, -window:]


OPERATOR = Pool()
