"""What an operator is: one kind of layer, in integers.

Values between layers are q - z, stored integers less their zero point: whole numbers in float32, exact as far as 24
bits reach, (batch, frames, height, channels) with the channels side by side in memory. Padding is zero in this form.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from supernet.errors import InvalidModel
from supernet.layer import LayerSpec

__all__ = ["Operator", "Ready", "Shaped", "encode_multiplier", "requantise"]

Shaped = tuple[tuple[int, ...], type]
"""Shape and type of an array."""
Ready = dict[str, np.ndarray]
"""What a layer computes with, prepared once."""


class Operator:
    """One kind of layer. All that a LayerSpec of the kind costs and computes is asked here.

    has_weights: whether it multiplies by weights, and so has biases as well. product_bits: of both factors where it
    multiplies without weights. read_bits: of what weights are multiplied by, where that is not a value between layers;
    else 0. in_place: whether it is written over its first input. per_answer: whether it makes one frame of a clip's, so
    that in a stream it and what is behind it are computed only where an answer is wanted.
    """

    has_weights = False
    product_bits = (8, 8)
    read_bits = 0
    in_place = False
    per_answer = False

    def weight_shape(self, spec: LayerSpec) -> tuple[int, ...]:
        """(out, in / groups, ...) of the weights; empty without any."""
        return ()

    def macs(self, spec: LayerSpec) -> int:
        """Multiply-accumulates for one clip; sums, averages and scalings have none."""
        return 0

    def params(self, spec: LayerSpec) -> int:
        """Parameters in floating point."""
        return 0

    def mac_kind(self, spec: LayerSpec) -> str:
        """One of supernet.cost.MAC_KINDS, which take devices unequal time; the kind where it multiplies nothing."""
        return spec.kind

    def read_values(self, spec: LayerSpec) -> int:
        """How many values of other layers are read for one clip."""
        return len(spec.inputs) * prod(spec.in_shape)

    def kept_frames(self, spec: LayerSpec) -> int:
        """Frames of its input that a stream keeps for it."""
        return 0

    def state_bytes(self, spec: LayerSpec) -> int:
        """Bytes of what a stream keeps for it: of these frames, unless it keeps something else."""
        return self.kept_frames(spec) * prod(spec.in_shape[:2])

    def sum_bytes(self, spec: LayerSpec) -> int:
        """Bytes of running sums that a stream keeps beside that."""
        return 0

    def calls(self, spec: LayerSpec) -> tuple[str, ...]:
        """The routines that compute a layer on a device, by name, of which each is there once: its kind."""
        return (spec.kind,)

    def rescaling(self, spec: LayerSpec) -> dict[str, Shaped]:
        """Tensors of the integer form beside the weights, by their names in an IntegerLayer."""
        return {"multiplier": ((1,), np.int32), "shift": ((1,), np.uint8)}

    def fixed(self, spec: LayerSpec) -> dict[str, np.ndarray]:
        """Of these tensors, those that follow from the spec alone."""
        return {}

    def least_multiplier(self) -> int:
        """Multipliers have 31 bits, and the highest is set."""
        return 2**30

    def multipliers(self, spec: LayerSpec, inputs: Sequence[float], output: float) -> tuple[np.ndarray, np.ndarray]:
        """Multiplier and shift of a layer without weights, from the scales of its inputs and its output."""
        raise NotImplementedError

    def bound(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> int:
        """The largest absolute value that an accumulator can have. tensors: an IntegerLayer. reaches: the largest
        absolute values of the inputs.
        """
        return 0

    def prepare(self, spec: LayerSpec, tensors: Any, reaches: Sequence[int]) -> Ready:
        """What `run` and `step` compute with, from an IntegerLayer."""
        return {name: getattr(tensors, name).astype(np.int64) for name in ("multiplier", "shift")}

    def run(self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray]) -> np.ndarray:
        """The output of whole clips before it is held within limits, whole numbers."""
        raise NotImplementedError

    def reset(self, spec: LayerSpec, batch: int = 1) -> np.ndarray | None:
        """What a stream keeps for the layer before its first frame; None for nothing."""
        return None

    def step(
        self, spec: LayerSpec, ready: Ready, inputs: list[np.ndarray], state: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The output of any number of frames that follow what the state holds, and the state behind them.

        Frames in whatever cut give what `run` gives.
        """
        return self.run(spec, ready, inputs), state


def requantise(total: np.ndarray, ready: Ready) -> np.ndarray:
    """(total M + 2^(shift - 1)) >> shift, in 64 bits: rounded once, ties toward plus infinity. total: whole numbers."""
    wide = total.astype(np.int64)
    wide *= ready["multiplier"]
    wide += ready.get("constant", 1 << (ready["shift"] - 1))
    wide >>= ready["shift"]
    return wide


def encode_multiplier(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive reals as M 2^-shift: int32 M in [2^30, 2^31) and uint8 shift.

    Raises InvalidModel where a shift leaves 1 .. 62.
    """
    fraction, exponent = np.frexp(np.asarray(real, dtype=np.float64))
    multiplier = np.floor(fraction * 2.0**31 + 0.5)
    full = multiplier == 2.0**31
    multiplier, exponent = np.where(full, 2.0**30, multiplier), exponent + full
    shift = 31 - exponent
    if not ((multiplier >= 2**30).all() and (shift >= 1).all() and (shift <= 62).all()):
        raise InvalidModel(f"a multiplier of {np.min(real):g} to {np.max(real):g} has no 31-bit form")
    return multiplier.astype(np.int32), shift.astype(np.uint8)
