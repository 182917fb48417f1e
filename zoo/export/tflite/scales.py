"""Scales in float32 from which a runtime of TFLite computes our multipliers, as near as 24 bits come.

A file of TFLite states scales, and each runtime makes multipliers of 31 bits of them: s_in s_w / s_out. So the scales
of a network are solved from its multipliers, along the chain of layers: sums, averages and memories tie the scales of
what they read and write, and behind weights a scale is free, since that of the weights takes up what is left.
"""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec
from supernet.ops.memory import UNIT

__all__ = ["quantised", "solve", "weight_scales"]


def quantised(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers of 31 bits and left shifts as a runtime makes them of float64."""
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    whole = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)
    full = whole == 2**31
    return np.where(full, 2**30, whole), shift + full


def weight_scales(real: np.ndarray, read: np.float32, written: np.float32) -> np.ndarray:
    """(channels,) float32 of weights, between tensors of two scales: of each the one whose multiplier is nearest to a
    real one.
    """
    nearest = (real * np.float64(written) / np.float64(read)).astype(np.float32)
    tried = np.array([nearest, np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(np.inf))])
    off = np.abs(np.float64(read) * tried.astype(np.float64) / np.float64(written) - real)
    return tried[off.argmin(0), np.arange(len(nearest))]


def solve(network: IntegerNetwork) -> dict[str, np.float32]:
    """The scale of each layer's values by its name."""
    stated = {name: one.scale for name, one in network.activations.items()}
    found = _Tied()
    for spec in network.specs:
        found.free(spec.name, stated[spec.name])
        if spec.inputs and not spec.has_weights:
            _tie(found, spec, network.tensors[spec.name])
    return {spec.name: np.float32(found.scale(spec.name)) for spec in network.specs}


class _Tied:
    """Scales of which some are known as multiples of others."""

    def __init__(self) -> None:
        self.base: dict[str, float] = {}
        self.of: dict[str, tuple[str, float]] = {}

    def free(self, name: str, scale: float) -> None:
        self.base[name] = scale
        self.of[name] = (name, 1.0)

    def scale(self, name: str) -> float:
        root, factor = self.of[name]
        return self.base[root] * factor

    def tie(self, name: str, other: str, ratio: float) -> None:
        """Make the scale of `name` that of `other` times a ratio, with all that is tied to it."""
        root, factor = self.of[name]
        to, times = self.of[other]
        if root != to:
            change = times * ratio / factor
            self.of |= {one: (to, own * change) for one, (held, own) in self.of.items() if held == root}


def _tie(found: _Tied, spec: LayerSpec, tensors) -> None:
    first, *others = spec.inputs
    ratios = tensors.multiplier.astype(np.float64) * np.exp2(-float(tensors.shift[0]))
    if spec.kind == "scale":
        found.tie(spec.name, first, found.scale(others[0]) / ratios[0])
        return
    for other, ratio in zip(others, ratios[1:], strict=True):
        found.tie(other, first, ratio / ratios[0])
    apart = {"pool": prod(spec.in_shape[1:]), "memory": UNIT}.get(spec.kind, 1)
    found.tie(spec.name, first, 1 / (ratios[0] * apart))
