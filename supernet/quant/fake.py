"""Quantisation-aware networks: floating point that computes what the integers will.

Weights are quantised by a method of `supernet.quant.quantisers`; activations on measured ranges, asymmetric, one a
tensor. Batch norm stays apart: it goes into multipliers and biases, never into weights. `to_integer` gives the integer
form.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.errors import InvalidModel
from supernet.frontend.base import FEATURE_SCALE
from supernet.integer.form import MAX_BIAS, Activation, IntegerLayer
from supernet.integer.packing import default_grid
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, layers
from supernet.nn.network import Network, execute
from supernet.nn.ops import EPSILON, GATE_WIDTH, Slice, activate, float_layer, preactivation, twin
from supernet.ops.base import encode_multiplier
from supernet.quant.quantisers import ABOVE_ZERO, LEAST_SCALE, Lsq, Quantiser

__all__ = ["FakeQuantNetwork", "fake_quantise", "measure_range"]

CONSTANT_SHIFT = 16
LEAST_SHARE = 0.08
"""Of a tensor's range, that activations of few bits may have."""


def measure_range(x: Tensor, bits: int, relu: bool, candidates: int = 32, sample: int = 100_000) -> Activation:
    """The scale and zero point of least squared error among so many fractions of the range of `x`.

    What a smaller fraction clips, it clips further: none is tried once that alone is a greater error than the least.
    """
    values = x.flatten()
    values = values[:: max(1, len(values) // sample)]
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    levels = 2**bits - 1
    best, least = None, float("inf")
    for share in np.geomspace(1.0, LEAST_SHARE, candidates):
        scale = max((high - low) * share / levels, LEAST_SCALE)
        zero = -(2 ** (bits - 1)) if relu else round(-(2 ** (bits - 1)) - low * share / scale)
        activation = Activation(scale, zero, bits)
        error = _squared_error(values, activation)
        if error < least:
            best, least = activation, error
        if error - scale**2 / 4 > least:  # rounding is off by half a step at most, clipping by the rest
            break
    return best


class _Grid(torch.autograd.Function):
    """x on whole steps within limits; the gradient passes rounding straight through, and clipping stops it.

    Of a rectified x, it stops at zero. In place and with the rectifier in one, this takes a quarter of the time of
    torch's own emulation.
    """

    @staticmethod
    def forward(ctx, x: Tensor, step: float, low: int, high: int, relu: bool) -> Tensor:
        """low, high: least and largest in steps."""
        ctx.save_for_backward(x)
        ctx.edges = ABOVE_ZERO if relu else (low - 0.5) * step, (high + 0.5) * step
        return torch.mul(x, 1 / step).clamp_(0 if relu else low, high).round_().mul_(step)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Gradient of x."""
        return torch.ops.aten.hardtanh_backward(gradient, *ctx.saved_tensors, *ctx.edges), None, None, None, None


def fake_quantise(x: Tensor, activation: Activation, relu: bool) -> Tensor:
    """x, rectified where `relu`, on the activation's grid, with the gradient of training."""
    return _Grid.apply(x, activation.scale, *activation.span(False), relu)


def _squared_error(x: Tensor, activation: Activation) -> float:
    """Of x on the activation's grid, ties up as in the integer form; in place, for large x in half the time."""
    steps = (x / activation.scale).add_(0.5).floor_().clamp_(*activation.span(False))
    return float(steps.mul_(activation.scale).sub_(x).square_().mean())


class FakeQuantNetwork(nn.Module):
    """A calibrated float network at the bits of `arch`, ready for quantisation-aware training.

    arch: the network's Arch with bits. quantiser: of the weights. Call it with features (batch, coefficients, frames);
    it returns logits. Ranges of activations are measured by `calibrate`, which must come first and again after
    training. with_activations: False leaves them in floating point, so that there is no integer form. exact: False
    evaluates as training computes, in float32.
    """

    def __init__(self, network: Network, arch: Arch, quantiser: type[Quantiser] = Lsq) -> None:
        super().__init__()
        if arch.without_bits() != network.arch or not arch.weight_bits:
            raise InvalidModel("the architecture with bits is not that of the network; give with_bits(network.arch, 4)")
        self.arch, self.specs = arch, layers(arch)
        self.layers = copy.deepcopy(network.layers)
        self.quantisers = nn.ModuleDict(
            {
                spec.name: quantiser(self.layers[spec.name].weight, spec.weight_bits, default_grid(spec.weight_bits))
                for spec in self.specs
                if spec.has_weights
            }
        )
        self.activations: dict[str, Activation] = {}
        self.with_activations = self.exact = True

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """(batch, coefficients, clips * frames) -> logits (batch * clips, classes).

        In training in float32, never bfloat16, which hides the rounding. Else with exact sums and in float64, so that
        it rounds as the integers do.
        """
        exact = self.exact and self.with_activations and not self.training
        with torch.autocast(x.device.type, enabled=False):
            apply = self._exact_layer if exact else self._float_layer
            return execute(self.specs, x.double() if exact else x, apply, clips)

    def _float_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        tensors = self._quantised(spec) if spec.has_weights else None
        if not self.with_activations:
            return float_layer(spec, inputs, tensors, self.training)
        output = preactivation(spec, inputs, tensors, self.training)
        return fake_quantise(output, self.activations[spec.name], spec.rectified)

    def _exact_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        return self._exact(spec, inputs, self._accumulators(spec, inputs[0]) if spec.has_weights else None)

    def _exact(self, spec: LayerSpec, inputs: list[Tensor], accumulators: Tensor | None) -> Tensor:
        """The layer's output in float64, rounded by the multipliers that the integer form has."""
        output = self.activations[spec.name]
        whole = [torch.round(x / self.activations[name].scale) for x, name in zip(inputs, spec.inputs, strict=False)]
        if not spec.inputs:
            steps = inputs[0] / output.scale
        elif spec.has_weights:
            steps = self._steps(spec, accumulators, output.scale)
        else:
            multiplier, shift = spec.operator.multipliers(spec, *self._scales(spec))
            real = (multiplier * 2.0 ** -shift.astype(float)).tolist()
            steps = sum(x * item for x, item in zip(twin(spec).totals(spec, whole), real, strict=True))
        return torch.floor(steps + 0.5).clamp(*output.span(spec.rectified)) * output.scale

    def _scales(self, spec: LayerSpec) -> tuple[list[float], float]:
        """Of the inputs of a layer, and of its output."""
        return [self.activations[name].scale for name in spec.inputs], self.activations[spec.name].scale

    def _accumulators(self, spec: LayerSpec, x: Tensor) -> Tensor:
        """Whole numbers in float64: what the layer's integers add up to, without the bias."""
        source = self.activations[spec.inputs[0]]
        weight = self._parts(spec)[0]
        exact = getattr(torch, spec.operator.exact(float(weight.abs().flatten(1).sum(1).max()), source.reach))
        whole = torch.round(x / source.scale).to(exact)
        weight = torch.round(weight).to(exact)
        return twin(spec).totals(spec, [whole], weight)[0].double()

    def _steps(self, spec: LayerSpec, accumulators: Tensor, scale: float) -> Tensor:
        """The layer's output in steps of its scale, before rounding: (accumulator + whole bias) * multiplier."""
        weight, unit, gain, offset = self._affine(spec)
        real = unit * gain.abs()
        constant = _is_constant(weight.abs().flatten(1).sum(1).double(), real, offset, scale)
        multiplier = torch.where(constant, 0.0, _representable(real / scale))
        bias = torch.where(constant, offset / scale, torch.floor(offset / real + 0.5) * multiplier)
        spread = twin(spec).spread
        return accumulators * spread(multiplier * gain.sign()) + spread(bias)

    def _affine(self, spec: LayerSpec) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The layer's integers, and (channels,) float64: the real value of one accumulator unit; gain and offset of
        y = gain conv + offset.
        """
        layer, (weight, unit) = self.layers[spec.name], self._parts(spec)
        if not twin(spec).norm:
            return weight, unit, torch.ones_like(unit), layer.bias.double()
        unit, added = twin(spec).reading(spec, unit)
        gain = twin(spec).gain(layer.gamma).double() / (layer.var.double() + EPSILON).sqrt()
        offset = layer.beta.double() - gain * (layer.mean.double() - added)
        if spec.activation == "hard_sigmoid":
            gain, offset = gain / GATE_WIDTH, offset / GATE_WIDTH + 0.5
        return weight, unit, gain, offset

    def _parts(self, spec: LayerSpec) -> tuple[Tensor, Tensor]:
        """The layer's integers, and the real value of one accumulator unit, (channels,) float64."""
        weight, unit = self.quantisers[spec.name].parts(self.layers[spec.name].weight)
        return weight, unit.double() * self.activations[spec.inputs[0]].scale

    def _quantised(self, spec: LayerSpec) -> Slice:
        layer = self.layers[spec.name]
        return Slice(
            self.quantisers[spec.name](layer.weight), layer.gamma, layer.beta, layer.mean, layer.var, layer.bias
        )

    @torch.no_grad()
    def calibrate(self, features: Tensor, clips: int = 1) -> FakeQuantNetwork:
        """Measure norms and ranges in one pass over (batch, coefficients, clips * frames), each on quantised inputs.

        clips: see `recalibrate`.
        """
        execute(self.specs, features.double() if self.with_activations else features, self._measure, clips)
        return self

    def _measure(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        if not self.with_activations:
            if twin(spec).norm:
                self._keep_norm(spec, twin(spec).products(spec, inputs, self._quantised(spec).weight))
            return float_layer(spec, inputs, self._quantised(spec) if spec.has_weights else None, training=False)
        accumulators = self._accumulators(spec, inputs[0]) if spec.has_weights else None
        if twin(spec).norm:
            unit, added = map(twin(spec).spread, twin(spec).reading(spec, self._parts(spec)[1]))
            self._keep_norm(spec, accumulators * unit + added)
        if spec.has_weights:
            output = activate(self._steps(spec, accumulators, 1.0), spec)
        else:
            output = float_layer(spec, inputs, None, training=False)
        self.activations[spec.name] = self._range(spec, output)
        return self._exact(spec, inputs, accumulators)

    def _keep_norm(self, spec: LayerSpec, product: Tensor) -> None:
        layer = self.layers[spec.name]
        layer.var, layer.mean = (part.float() for part in torch.var_mean(product, (0, 2, 3), unbiased=False))

    def _range(self, spec: LayerSpec, output: Tensor) -> Activation:
        if not spec.inputs:
            return Activation(FEATURE_SCALE, 0, spec.activation_bits)
        if spec.logits:
            headroom = 2.0 * float(output.abs().max()) / 2 ** (spec.activation_bits - 1)
            return Activation(max(headroom, LEAST_SCALE), 0, spec.activation_bits)
        if spec.activation == "hard_sigmoid":
            levels = 2**spec.activation_bits
            return Activation(1 / (levels - 1), -levels // 2, spec.activation_bits)
        return measure_range(output, spec.activation_bits, spec.rectified or float(output.min()) >= 0)

    def to_float(self) -> Network:
        """The network without quantisers, with the weights as they are now: where fewer bits can start from."""
        network = Network(self.arch.without_bits())
        network.layers = copy.deepcopy(self.layers)
        return network.train(self.training)

    @torch.no_grad()
    def to_integer(self) -> IntegerNetwork:
        """The integer form. Raises InvalidModel, naming the layer, where there is none."""
        tensors = {}
        for spec in self.specs:
            if spec.inputs:
                try:
                    tensors[spec.name] = self._integer_layer(spec)
                except InvalidModel as error:
                    raise InvalidModel(f"layer {spec.name}: {error}") from None
        return IntegerNetwork(self.arch, tensors, dict(self.activations))

    def _integer_layer(self, spec: LayerSpec) -> IntegerLayer:
        if not spec.has_weights:
            return IntegerLayer.unweighted(spec, *self._scales(spec))
        output, grid = self.activations[spec.name].scale, self.quantisers[spec.name].grid
        return _weighted_layer(*(part.numpy() for part in self._affine(spec)), output, grid)


def _is_constant(size, real, offset, output: float):
    """(channels,) where a channel has no form but its constant, and its weights are too small to be missed.

    size: sums of the weights' absolute integers; NumPy arrays or tensors.
    """
    formless = (abs(offset) >= real * MAX_BIAS) | (real < output * 2.0**-31)
    return formless & (size * 255 * real < output / 2)


def _representable(real: Tensor) -> Tensor:
    """The nearest multiplier of 31 bits, of float64 reals at least 0."""
    fraction, exponent = torch.frexp(real)
    return torch.ldexp(torch.floor(fraction * 2.0**31 + 0.5), exponent - 31)


def _weighted_layer(
    weight: np.ndarray, unit: np.ndarray, gain: np.ndarray, offset: np.ndarray, output: float, grid: str
) -> IntegerLayer:
    """Integers for y = gain * conv + offset, where conv is `unit` times the integer accumulator.

    A channel of negative gain has the signs of its weights flipped. One of so little gain that its weights move the
    output by less than half a step, and that has no other form, is a constant: its weights become zero and its bias
    carries the constant.
    """
    sign = np.where(gain < 0, -1, 1)
    weight = weight.astype(np.int64) * sign.reshape(-1, *[1] * (weight.ndim - 1))
    real = unit * np.abs(gain)
    constant = _is_constant(np.abs(weight).reshape(len(weight), -1).sum(1), real, offset, output)
    if constant.any() and grid == "odd":
        raise InvalidModel(f"channel {int(np.argmax(constant))} is a constant, which the odd grid cannot hold")
    weight[constant] = 0
    real = np.where(constant, output * 2.0**-CONSTANT_SHIFT, real)
    bias = np.floor(offset / real + 0.5)
    if (np.abs(bias) > MAX_BIAS).any():
        raise InvalidModel(f"the bias of channel {int(np.argmax(np.abs(bias)))} leaves +-2^30")
    multiplier, shift = encode_multiplier(real / output)
    return IntegerLayer(multiplier, shift, weight.astype(np.int8), bias.astype(np.int32))
