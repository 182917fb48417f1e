"""The integer form of a network: the definition that every runtime must match, bit for bit.

All of it is integers: from int8 features to int16 logits. With q the stored integers of a tensor, z its zero point and
s its scale, a real value is s (q - z). A layer computes

    acc = sum w (q - z_in) + bias                       int32; padding has q = z_in
    out = clamp(z_out + (acc M + 2^(shift - 1)) >> shift)   M in [2^30, 2^31), 1 <= shift <= 62: rounded once, ties up

with a multiplier and a shift for each output channel, and the lower clamp at z_out behind a ReLU. A ReLU6 needs no
more, since no scale reaches beyond 6; nor does a hard sigmoid, whose 0 and 1 are the least and the largest integer. A
residual sum rescales both inputs with two multipliers and one shift and rounds once; a scaling multiplies (q - z) of
both inputs and rounds once; an average has 1 / N in its multiplier; logits are 16 bits at one common scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.arch import Arch
from supernet.elastic import convolve, execute
from supernet.errors import InvalidModel
from supernet.layer import LayerSpec, layers

__all__ = [
    "Activation",
    "IntegerLayer",
    "IntegerNetwork",
    "check_accumulators",
    "encode_multiplier",
    "exact_type",
    "requantise",
]

LEAST_SCALE, LARGEST_SCALE = 1e-12, 1e6
MAX_BIAS = 2**30
MAX_ACCUMULATOR = 2**31 - 1
EXACT_FLOAT32 = 2**24


@dataclass(frozen=True)
class Activation:
    """How a tensor's reals are stored: scale (real value of one step), zero point, bits. Signed."""

    scale: float
    zero_point: int
    bits: int = 8

    def __post_init__(self) -> None:
        whole = all(type(value) is int for value in (self.zero_point, self.bits)) and 2 <= self.bits <= 16
        real = isinstance(self.scale, (int, float)) and LEAST_SCALE <= self.scale <= LARGEST_SCALE
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


@dataclass(frozen=True)
class IntegerLayer:
    """The integers of one layer.

    weight: of the layer's weight shape; bias: (channels,) int32; both None in sums, averages and scalings. multiplier:
    int32, one a channel, two of a sum, one of an average or scaling. shift: uint8, one a channel, else one.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None


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


def rounding_shift(total: Tensor, shift: Tensor) -> Tensor:
    """total / 2^shift, rounded once, ties toward plus infinity."""
    return (total + (1 << (shift - 1))) >> shift


def requantise(accumulator: Tensor, multiplier: Tensor, shift: Tensor) -> Tensor:
    """(accumulator M + 2^(shift - 1)) >> shift, in 64 bits: rounded once, ties toward plus infinity."""
    return rounding_shift(accumulator * multiplier, shift)


def check_accumulators(specs: tuple[LayerSpec, ...], tensors: dict, activations: dict) -> None:
    """Raise InvalidModel, naming the layer, where some input could drive an accumulator out of 32 bits."""
    for spec in specs:
        if spec.has_weights:
            tensor, reach = tensors[spec.name], activations[spec.inputs[0]].reach
            bias = np.abs(tensor.bias.astype(np.int64))
            weights = np.abs(tensor.weight.astype(np.int64)).reshape(len(bias), -1).sum(1)
            worst = int((weights * reach + bias).max())
        elif spec.kind == "pool":
            worst = activations[spec.inputs[0]].reach * prod(spec.in_shape[1:])
        elif spec.kind == "scale":
            worst = prod(activations[name].reach for name in spec.inputs)
        else:
            continue
        if worst > MAX_ACCUMULATOR:
            raise InvalidModel(f"layer {spec.name}: an accumulator can reach {worst:,}, more than {MAX_ACCUMULATOR:,}")


class IntegerNetwork:
    """A network of integers: features (batch, coefficients, frames) int8 -> logits (batch, classes) int16.

    Its arithmetic is exact: convolutions run in floating point only where every partial sum fits the mantissa.
    Raises InvalidModel where tensors do not fit the Arch or an accumulator could overflow.
    """

    def __init__(self, arch: Arch, tensors: dict[str, IntegerLayer], activations: dict[str, Activation]) -> None:
        self.arch, self.specs = arch, layers(arch)
        self.tensors, self.activations = tensors, activations
        self._check()
        check_accumulators(self.specs, tensors, activations)
        self._ready = {spec.name: self._prepare(spec) for spec in self.specs if spec.kind != "input"}

    def _check(self) -> None:
        wanted = {spec.name for spec in self.specs}
        if set(self.activations) != wanted or set(self.tensors) != wanted - {"input"}:
            raise InvalidModel("the tensors of the package are not those of its architecture")
        for spec in self.specs:
            if spec.kind == "input" and spec.activation_bits != 8:
                raise InvalidModel(f"features of {spec.activation_bits} bits are not possible: they have 8")
            if self.activations[spec.name].bits != spec.activation_bits:
                raise InvalidModel(f"layer {spec.name}: the package and its architecture differ in activation bits")
            if spec.kind != "input":
                _check_layer(spec, self.tensors[spec.name])

    def __call__(self, features: Tensor) -> Tensor:
        """(batch, coefficients, frames) int8 -> (batch, classes) int16."""
        return self.run(features)[self.specs[-1].name].to(torch.int16)

    @torch.no_grad()
    def run(self, features: Tensor, keep: bool = False) -> dict[str, Tensor]:
        """Stored integers of the last layer, or of all layers where `keep`, by layer name; int64."""
        outputs = {}

        def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            values = self._run_layer(spec, inputs)
            if keep or spec is self.specs[-1]:
                outputs[spec.name] = values.to(torch.int64) + self.activations[spec.name].zero_point
            return values

        with torch.autocast(features.device.type, enabled=False):
            execute(self.specs, features, apply)
        return outputs

    def _run_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        """q - z of a layer from those of its inputs: whole numbers in float32, as convolutions take them."""
        output = self.activations[spec.name]
        if spec.kind == "input":
            return inputs[0].to(torch.float32) - output.zero_point
        ready = self._ready[spec.name]
        multiplier, shift = ready["multiplier"], ready["shift"]
        if spec.kind == "add":
            values = rounding_shift(sum(x.to(torch.int64) * m for x, m in zip(inputs, multiplier, strict=True)), shift)
        elif spec.kind == "scale":
            values = requantise(inputs[0].to(torch.int64) * inputs[1].to(torch.int64), multiplier, shift)
        elif spec.kind == "pool":
            values = requantise(inputs[0].to(torch.int64).sum((2, 3), keepdim=True), multiplier, shift)
        else:
            x = inputs[0].to(ready["weight"].dtype)
            convolved = spec.kind == "conv"
            product = convolve(spec, x, ready["weight"]) if convolved else F.linear(x.flatten(1), ready["weight"])
            values = product.to(torch.int64).mul_(multiplier).add_(ready["constant"]).bitwise_right_shift_(shift)
        low, high = (limit - output.zero_point for limit in output.limits)
        return values.clamp_(0 if spec.rectified else low, high).to(torch.float32)

    def _prepare(self, spec: LayerSpec) -> dict[str, Tensor]:
        """What a layer computes with; constant: what of (acc M + 2^(shift - 1)) does not depend on its input."""
        layer = self.tensors[spec.name]
        ready = {name: torch.from_numpy(getattr(layer, name).astype(np.int64)) for name in ("multiplier", "shift")}
        if spec.has_weights:
            bias = torch.from_numpy(layer.bias.astype(np.int64))
            ready["constant"] = bias * ready["multiplier"] + (1 << (ready["shift"] - 1))
            if spec.kind == "conv":
                ready = {name: value[:, None, None] for name, value in ready.items()}
            ready["weight"] = torch.from_numpy(layer.weight.astype(np.float64)).to(self._exact_type(spec))
        return ready

    def _exact_type(self, spec: LayerSpec) -> torch.dtype:
        weights = np.abs(self.tensors[spec.name].weight.astype(np.int64)).reshape(spec.out_shape[0], -1).sum(1)
        return exact_type(int(weights.max()), self.activations[spec.inputs[0]])


def exact_type(largest_sum: float, source: Activation) -> torch.dtype:
    """The type in which sums of weights times whole inputs are exact. largest_sum: of a channel's absolute weights."""
    return torch.float32 if largest_sum * source.reach < EXACT_FLOAT32 else torch.float64


def _check_layer(spec: LayerSpec, layer: IntegerLayer) -> None:
    channels = spec.out_shape[0] if spec.has_weights else 1
    shapes = {"multiplier": (2,) if spec.kind == "add" else (channels,), "shift": (channels,)}
    types = {"multiplier": np.int32, "shift": np.uint8}
    if spec.has_weights:
        shapes.update(weight=spec.weight_shape, bias=(channels,))
        types.update(bias=np.int32)
    for name, shape in shapes.items():
        array = getattr(layer, name)
        if array is None or array.shape != shape or array.dtype != types.get(name, array.dtype):
            raise InvalidModel(f"layer {spec.name}: {name} is not {shape}: the package does not fit its architecture")
    low = 0 if spec.kind == "add" else 2**30
    if (layer.multiplier < low).any() or not ((layer.shift >= 1) & (layer.shift <= 62)).all():
        raise InvalidModel(f"layer {spec.name}: a multiplier or shift is out of range: the file was altered")
    if layer.bias is not None and (np.abs(layer.bias.astype(np.int64)) > MAX_BIAS).any():
        raise InvalidModel(f"layer {spec.name}: a bias leaves +-2^30; retrain it with larger norm scales")
