"""Operator `input`: the features that a network reads, of those that the front end gives."""

from __future__ import annotations

import numpy as np

from supernet.errors import InvalidArch
from supernet.layer import LayerSpec
from supernet.ops.base import Operator, Ready, Shaped

__all__ = ["OPERATOR", "chosen"]


class Input(Operator):
    """Its stride says how many coefficients and frames of the front end there are to each of its own; the values are
    those of a map that has been chosen already.
    """

    def rescaling(self, spec: LayerSpec) -> dict[str, Shaped]:
        """None: features are integers already."""
        return {}

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """As they are."""
        return inputs[0]


def chosen(shape: tuple[int, ...], spec: LayerSpec, clips: int = 1) -> tuple[slice, slice]:
    """The coefficients and frames that an input layer reads of features (batch, coefficients, frames) of a shape.

    Their frames are those of spec.out_shape, or those of spec.in_shape, of which it takes the last one of each stride;
    of so many `clips` in turn, that many times as many. Of more coefficients than those of `spec` it takes the first
    ones, or at a stride over them the last one of each. Raises InvalidArch for features of another shape.
    """
    channels, height, frames = spec.out_shape
    rows, frames, strided = channels * height, clips * frames, spec.stride[0] > 1
    fits = len(shape) == 3 and (shape[1] in (rows, spec.in_shape[1]) if strided else shape[1] >= rows)
    if not fits or shape[2] not in (frames, clips * spec.in_shape[2]):
        raise InvalidArch(
            f"features of shape {tuple(shape)} do not fit: give (batch, {rows} "
            f"{f'or {spec.in_shape[1]}' if strided else 'or more'} coefficients, {frames} frames)"
        )
    skip, step = shape[1] // rows if strided else 1, shape[2] // frames
    return slice(skip - 1, skip * rows, skip), slice(step - 1, None, step)


OPERATOR = Input()
