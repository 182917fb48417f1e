"""Operator `filters`: a bank of filters over samples, each rectified, averaged over a frame and put in logarithms.

    frames      (1, 320 bytes, frames): both bytes of each of 160 samples, as the front end `raw` gives them
    filters     taps of up to 8 bits over the last samples, at every `stride[0]`-th sample: sums of 32 bits with a sign
    rectified   sizes of the sums, added up over the frame in 64 bits
    logarithm   log2((sum >> (bits - 1)) / 8 + 1) with 16 bits behind the point, by a table (supernet.frontend.fixed)

and then as behind any layer with weights: bias, multiplier and shift of each filter, rounded once to 8 bits. Amplitudes
on a linear scale would need more: a voice that is 20 dB fainter would be left with less than five of its eight bits.
The shift keeps the floor, which a network hears in silence, at one level whatever bits the taps have: a tenth of what
noise of one step of 16 bits gives. A stream keeps the samples that the first taps of the next frame look back on.

No tap can carry a sum out of 32 bits: the taps of a filter add up to at most 65,000 in size, and a sample to 32,768.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from supernet.frontend.fixed import LOG_BITS, LOG_STEPS, log2_fixed
from supernet.layer import LayerSpec
from supernet.ops.base import Ready, requantise
from supernet.ops.weighted import Weighted, largest_sum

__all__ = ["FLOOR_BITS", "LOGARITHMS", "OPERATOR", "SAMPLE_BYTES", "fall", "logarithms", "positions"]

SAMPLE_BYTES, SAMPLE_REACH = 2, 2**15
FLOOR_BITS = 3
"""Of the floor, which is added to sums before their logarithms, as they are then."""
LOGARITHMS = np.floor(np.log2(1 + np.arange(2**LOG_STEPS) / 2**LOG_STEPS) * 2**LOG_BITS + 0.5).astype(np.uint16)
"""(128,) between one and two, 16 bits behind the point."""
LOGARITHMS.setflags(write=False)


class Filters(Weighted):
    """Weights (filters, 1, taps, 1)."""

    read_bits = 8 * SAMPLE_BYTES

    def weight_shape(self, spec: LayerSpec) -> tuple[int, ...]:
        """(filters, 1, taps, 1)."""
        return (spec.out_shape[0], 1, *spec.kernel)

    def macs(self, spec: LayerSpec) -> int:
        """Each tap once for each place of a frame; sizes, sums and logarithms have none."""
        return prod(self.weight_shape(spec)) * positions(spec) * spec.out_shape[2]

    def params(self, spec: LayerSpec) -> int:
        """Two cut-offs a filter, or its taps, and a scale and an offset of the norm."""
        return spec.out_shape[0] * ((2 if spec.cutoffs else spec.kernel[0]) + 2)

    def mac_kind(self, spec: LayerSpec) -> str:
        """All filters read the same samples."""
        return "dense"

    def state_bytes(self, spec: LayerSpec) -> int:
        """The samples before a frame that its first place looks back on."""
        return SAMPLE_BYTES * _kept(spec)

    def bound(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> int:
        """The filter whose taps reach furthest; logarithms and biases stay below."""
        return largest_sum(tensors.weight) * SAMPLE_REACH

    def exact(self, largest: float, reach: int) -> str:
        """Samples have 16 bits, whatever their bytes have."""
        return "float64"

    def arrange(self, spec: LayerSpec, weight: np.ndarray) -> np.ndarray:
        """(taps, filters)."""
        return np.ascontiguousarray(weight[:, 0, :, 0].T)

    def padded(self, spec: LayerSpec, x: np.ndarray) -> np.ndarray:
        """(batch, frames, bytes, 1) -> (batch, samples), with silence before."""
        return np.pad(_samples(x), ((0, 0), (_kept(spec), 0)))

    def products(self, spec: LayerSpec, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Logarithms (batch, frames, 1, filters) of samples (batch, samples) that begin with what is looked back on."""
        places = np.lib.stride_tricks.sliding_window_view(x, len(weight), 1)[:, :: spec.stride[0]]
        sizes = np.abs(places @ weight).reshape(len(x), -1, positions(spec), weight.shape[1])
        return logarithms(spec, sizes.sum(2))[:, :, None]

    def reset(self, spec: LayerSpec, batch: int = 1) -> np.ndarray:
        """Bytes of silence."""
        return np.zeros((batch, self.state_bytes(spec)), np.int8)

    def step(
        self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray], state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """An output for each frame; the state holds the last samples."""
        x = np.concatenate([state.view("<i2"), _samples(inputs[0])], 1)
        after = np.ascontiguousarray(x[:, x.shape[1] - _kept(spec) :], "<i2").view(np.int8)
        return requantise(self.products(spec, x.astype(ready["weight"].dtype), ready["weight"]), ready), after


def positions(spec: LayerSpec) -> int:
    """Places of a frame at which filters are computed."""
    return spec.in_shape[1] // SAMPLE_BYTES // spec.stride[0]


def fall(spec: LayerSpec) -> int:
    """By how many bits a sum is shifted right before its logarithm."""
    return spec.weight_bits - 1


def logarithms(spec: LayerSpec, sums: np.ndarray) -> np.ndarray:
    """Of whole sums, with LOG_BITS behind the point, int64; 0 of 0."""
    found = log2_fixed((sums.astype(np.int64) >> fall(spec)) + (1 << FLOOR_BITS), LOGARITHMS)
    return found - (FLOOR_BITS << LOG_BITS)


def _kept(spec: LayerSpec) -> int:
    return spec.kernel[0] - spec.stride[0]


def _samples(x: np.ndarray) -> np.ndarray:
    """Bytes (batch, frames, bytes, 1), low ones first, as whole numbers -> samples (batch, samples) int16."""
    pairs = x.astype(np.int8).reshape(len(x), x.shape[1], -1)
    return np.ascontiguousarray(pairs).view("<i2").reshape(len(x), -1)


OPERATOR = Filters()
