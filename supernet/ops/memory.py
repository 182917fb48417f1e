"""Operator `memory`: each channel's past, as coefficients of Legendre polynomials over the last so many frames.

A linear memory of an order d over a window of theta frames, that of a Legendre Memory Unit (Voelker et al., NeurIPS
2019), written from the paper. Here polynomials have equal norms: a coefficient is the paper's over sqrt(2 i + 1).

    m' = (A m + B u) / theta    A[i][j] = sqrt(2i + 1) sqrt(2j + 1) (-1 if i < j else (-1)^(i - j + 1))
                                B[i] = sqrt(2i + 1) (-1)^i

So A + A^T has no positive eigenvalue, no step lengthens a memory, and all coefficients are of one range. Made discrete
with a zero-order hold in float64 and kept in Q14, a frame is

    m = (transition [m, 64 u] + 2^13) >> 14    m: int16, in 1 / 64 of a step of the input

rounded once. The transition follows from order and window and is not trained, but a package holds it, so that it is the
same on all machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, log2, prod
from typing import Any

import numpy as np

from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, Shaped, encode_multiplier, requantise

__all__ = ["OPERATOR", "UNIT", "continuous", "discrete", "memory_blocks", "remember", "transition"]

FRACTION, UNIT = 14, 64
"""Bits behind the point of the transition, and steps of the memory to one of its input."""
LEAST, MOST = -(2**15), 2**15 - 1
STATE_BYTES = 2
TERMS = 24
"""Of a power series of a matrix of norm at most 1 / 8: what is left is beyond float64."""


def continuous(order: int) -> tuple[np.ndarray, np.ndarray]:
    """A (order, order) and B (order,) of a window of 1."""
    index = np.arange(order)
    norm, column = np.sqrt(2.0 * index + 1), index[:, None]
    sign = np.where(column < index, -1.0, (-1.0) ** (column - index + 1))
    return sign * np.outer(norm, norm), norm * (-1.0) ** index


def discrete(order: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """A (order, order) and B (order,) from frame to frame of a window of so many frames, by a zero-order hold.

    Those of fewer orders are no part of them: continuous ones are sliced first.
    """
    both = np.zeros((order + 1, order + 1))
    both[:order, :order], both[:order, order] = continuous(order)
    held = _exponential(both / window)
    return held[:order, :order], held[:order, order]


def _exponential(matrix: np.ndarray) -> np.ndarray:
    """By a power series of a fraction of the matrix, squared as often as that was halved."""
    halved = max(0, ceil(log2(np.abs(matrix).sum(1).max())) + 3)
    term = total = np.eye(len(matrix))
    for power in range(1, TERMS):
        term = term @ matrix / (power * 2.0**halved)
        total = total + term
    return np.linalg.matrix_power(total, 2**halved)


@cache
def transition(order: int, window: int) -> np.ndarray:
    """(order, order + 1) int16 in Q14: of each coefficient, factors of those before and of the input."""
    return np.floor(np.column_stack(discrete(order, window)) * 2**FRACTION + 0.5).astype(np.int16)


@cache
def memory_blocks(order: int, window: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """What so many frames in a row leave in the memory, by the transition in Q14, without rounding.

    Of an input of 1 at frame t, (t, order, frames) coefficients after each frame; of a coefficient of 1 before them,
    (coefficient, order, frames).
    """
    held = transition(order, window) / 2.0**FRACTION
    powers = [np.eye(order)]
    for _ in range(frames):
        powers.append(held[:, :order] @ powers[-1])
    response = np.array([power @ held[:, order] for power in powers[:frames]])
    within = np.zeros((frames, order, frames))
    for first in range(frames):
        within[first, :, first:] = response[: frames - first].T
    return within, np.array(powers[1:]).transpose(2, 1, 0)


def remember(transition: np.ndarray, inputs: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The memories (batch, frames, channels, order) after each frame, and the last one.

    transition: (order, order + 1) float64, whole numbers. inputs: (batch, frames, channels). state: (batch, channels,
    order). Sums are exact in float64.
    """
    found, before, drive = np.empty((*inputs.shape, len(transition))), transition[:, :-1].T, UNIT * transition[:, -1]
    for frame in range(inputs.shape[1]):
        total = state @ before + inputs[:, frame, :, None] * drive
        state = np.clip(np.floor(total * 2.0**-FRACTION + 0.5), LEAST, MOST)
        found[:, frame] = state
    return found, state


class Memory(Operator):
    """Of each channel (channels, 1, frames) its `order` coefficients, (channels, order, frames)."""

    product_bits = (16, 16)

    def macs(self, spec: LayerSpec) -> int:
        """Each coefficient from all those before and the input."""
        return prod(spec.out_shape) * (spec.out_shape[1] + 1)

    def mac_kind(self, spec: LayerSpec) -> str:
        """Of each channel by itself."""
        return "depthwise"

    def state_bytes(self, spec: LayerSpec) -> int:
        """The coefficients, of 16 bits."""
        return STATE_BYTES * prod(spec.out_shape[:2])

    def rescaling(self, spec: LayerSpec) -> dict[str, Shaped]:
        """The transition as well."""
        order = spec.out_shape[1]
        return {**super().rescaling(spec), "transition": ((order, order + 1), np.int16)}

    def fixed(self, spec: LayerSpec) -> dict[str, np.ndarray]:
        """The transition."""
        return {"transition": transition(spec.out_shape[1], spec.window)}

    def multipliers(self, spec: LayerSpec, inputs: Sequence[float], output: float) -> tuple[np.ndarray, np.ndarray]:
        """Of a coefficient."""
        return encode_multiplier(np.array([inputs[0] / UNIT / output]))

    def bound(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> int:
        """Of all coefficients at their limits."""
        sums = np.abs(tensors.transition.astype(np.int64))
        return int((sums[:, :-1].sum(1) * -LEAST + sums[:, -1] * UNIT * reaches[0]).max()) + 2 ** (FRACTION - 1)

    def prepare(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> Ready:
        """The transition in float64, in which sums are exact."""
        return {**super().prepare(spec, tensors, reaches), "weight": tensors.transition.astype(np.float64)}

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """As a stream from its beginning."""
        return self.step(spec, ready, inputs, self.reset(spec, len(inputs[0])))[0]

    def reset(self, spec: LayerSpec, batch: int = 1) -> np.ndarray:
        """(batch, channels, order): nothing."""
        return np.zeros((batch, *spec.out_shape[:2]), np.int16)

    def step(
        self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray], state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The coefficients after each frame."""
        found, last = remember(ready["weight"], inputs[0][:, :, 0].astype(np.float64), state)
        return requantise(found.swapaxes(2, 3), ready), last.astype(np.int16)


OPERATOR = Memory()
