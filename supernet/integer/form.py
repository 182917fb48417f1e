"""The integer form of a network: the definition that every runtime must match, bit for bit. No torch here.

All of it is integers: from int8 features to int16 logits. With q the stored integers of a tensor, z its zero point and
s its scale, a real value is s (q - z). A layer computes

    acc = sum w (q - z_in) + bias                       int32; padding has q = z_in
    out = clamp(z_out + (acc M + 2^(shift - 1)) >> shift)   M in [2^30, 2^31), 1 <= shift <= 62: rounded once, ties up

with a multiplier and a shift for each output channel, and the lower clamp at z_out behind a ReLU. A ReLU6 needs no
more, since no scale reaches beyond 6; nor does a hard sigmoid, whose 0 and 1 are the least and the largest integer. A
residual sum rescales both inputs with two multipliers and one shift and rounds once; a scaling multiplies (q - z) of
both inputs and rounds once; an average has 1 / N in its multiplier; filters over samples have a logarithm for acc (see
supernet.ops.filters); a memory goes on in 16 bits (see supernet.ops.memory) and has one multiplier; logits are 16 bits
at one common scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supernet.arch import Arch
from supernet.errors import InvalidModel
from supernet.layer import LayerSpec, layers
from supernet.whole import as_whole, is_real, is_whole, with_plain_numbers

__all__ = ["MAX_BIAS", "Activation", "IntegerForm", "IntegerLayer", "check_accumulators"]

LEAST_SCALE, LARGEST_SCALE = 1e-12, 1e6
MAX_BIAS = 2**30
MAX_ACCUMULATOR = 2**31 - 1
FEATURE_BITS = 8


@dataclass(frozen=True)
class Activation:
    """How a tensor's reals are stored: scale (real value of one step), zero point, bits. Signed."""

    scale: float
    zero_point: int
    bits: int = 8

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        whole = as_whole(self.zero_point) is not None and is_whole(self.bits, 2, 16)
        real = is_real(self.scale, LEAST_SCALE, LARGEST_SCALE)
        if not (whole and real and self.limits[0] <= self.zero_point <= self.limits[1]):
            raise InvalidModel(
                f"scale {self.scale!r}, zero point {self.zero_point!r} and bits {self.bits!r} are not possible"
            )

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest stored integer."""
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1

    @property
    def reach(self) -> int:
        """The largest absolute value of q - z."""
        low, high = self.limits
        return max(high - self.zero_point, self.zero_point - low)

    def span(self, rectified: bool) -> tuple[int, int]:
        """Least and largest q - z behind a layer."""
        low, high = (limit - self.zero_point for limit in self.limits)
        return (0 if rectified else low), high


@dataclass(frozen=True)
class IntegerLayer:
    """The integers of one layer.

    weight: of the layer's weight shape; bias: (channels,) int32; both None in sums, averages and scalings. multiplier:
    int32, one a channel, two of a sum, one of an average or scaling. shift: uint8, one a channel, else one.
    transition: of a memory, see supernet.ops.memory.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    transition: np.ndarray | None = None

    @classmethod
    def unweighted(cls, spec: LayerSpec, inputs: Sequence[float], output: float) -> IntegerLayer:
        """Of a layer without weights, from the scales of its inputs and its output."""
        multiplier, shift = spec.operator.multipliers(spec, inputs, output)
        return cls(multiplier, shift, **spec.operator.fixed(spec))


class IntegerForm:
    """The integers of a network: its Arch, an IntegerLayer for each layer but the input, an Activation for each layer.

    Raises InvalidModel where they do not fit the Arch or an accumulator could overflow.
    """

    def __init__(self, arch: Arch, tensors: Mapping[str, IntegerLayer], activations: Mapping[str, Activation]) -> None:
        self.arch, self.specs = arch, layers(arch)
        self.tensors, self.activations = dict(tensors), dict(activations)
        self._check()
        check_accumulators(self.specs, self.tensors, self.activations)

    def _check(self) -> None:
        wanted = {spec.name for spec in self.specs}
        computed = {spec.name for spec in self.specs if spec.inputs}
        if set(self.activations) != wanted or set(self.tensors) != computed:
            raise InvalidModel("the tensors of the package are not those of its architecture")
        for spec in self.specs:
            if not spec.inputs and spec.activation_bits != FEATURE_BITS:
                raise InvalidModel(f"features of {spec.activation_bits} bits are not possible: they have 8")
            if self.activations[spec.name].bits != spec.activation_bits:
                raise InvalidModel(f"layer {spec.name}: the package and its architecture differ in activation bits")
            if spec.inputs:
                _check_layer(spec, self.tensors[spec.name])

    def reaches(self, spec: LayerSpec) -> list[int]:
        """The largest absolute values of q - z that a layer reads."""
        return [self.activations[name].reach for name in spec.inputs]


def check_accumulators(
    specs: tuple[LayerSpec, ...], tensors: Mapping[str, IntegerLayer], activations: Mapping[str, Activation]
) -> None:
    """Raise InvalidModel, naming the layer, where some input could drive an accumulator out of 32 bits."""
    for spec in specs:
        reaches = [activations[name].reach for name in spec.inputs]
        worst = spec.operator.bound(spec, tensors.get(spec.name), reaches)
        if worst > MAX_ACCUMULATOR:
            raise InvalidModel(f"layer {spec.name}: an accumulator can reach {worst:,}, more than {MAX_ACCUMULATOR:,}")


def _check_layer(spec: LayerSpec, layer: IntegerLayer) -> None:
    weight = {"weight": (spec.weight_shape, None)} if spec.has_weights else {}
    for name, (shape, kind) in {**spec.operator.rescaling(spec), **weight}.items():
        array = getattr(layer, name)
        if array is None or array.shape != shape or array.dtype != (kind or array.dtype):
            raise InvalidModel(f"layer {spec.name}: {name} is not {shape}: the package does not fit its architecture")
    low = spec.operator.least_multiplier()
    if (layer.multiplier < low).any() or not ((layer.shift >= 1) & (layer.shift <= 62)).all():
        raise InvalidModel(f"layer {spec.name}: a multiplier or shift is out of range: the file was altered")
    if layer.bias is not None and (np.abs(layer.bias.astype(np.int64)) > MAX_BIAS).any():
        raise InvalidModel(f"layer {spec.name}: a bias leaves +-2^30; retrain it with larger norm scales")
