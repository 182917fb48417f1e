"""Quantisation-aware networks: floating point that computes what the integers will.

Weights are quantised by LSQ (Esser et al., arXiv 1902.08153), one learned step an output channel; activations on
measured ranges, asymmetric, one a tensor. Batch norm stays apart: it goes into multipliers and biases, never into
weights. `to_integer` gives the integer form.
"""

from __future__ import annotations

import copy
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.elastic import EPSILON, Network, Slice, convolve, execute, float_layer
from supernet.errors import InvalidModel
from supernet.families import layers
from supernet.frontend import FEATURE_SCALE
from supernet.quant.integer import MAX_BIAS, Activation, IntegerLayer, IntegerNetwork, encode_multiplier
from supernet.quant.packing import default_grid, grid_limit
from supernet.space import Arch, LayerSpec

__all__ = ["FakeQuantNetwork", "fit_steps", "lsq", "measure_range", "quantise_weight"]

LEAST_SCALE = 1e-8
CONSTANT_SHIFT = 16


def quantise_weight(weight: Tensor, step: Tensor, bits: int, grid: str) -> Tensor:
    """Integers of weights (channels, ...) on a grid: weight = step * integer, or step / 2 * integer on `odd`.

    The gradient passes the rounding straight through; clipping stops it.
    """
    scaled = weight / step.reshape(-1, *[1] * (weight.ndim - 1))
    if grid == "symmetric":
        limit = grid_limit(bits, grid)
        return _round(scaled.clamp(-limit, limit))
    half = 2 ** (bits - 1)
    return 2 * (_round((scaled - 0.5).clamp(-half, half - 1)) + 0.5)


def lsq(weight: Tensor, step: Tensor, bits: int, grid: str) -> Tensor:
    """Weights on the grid, with LSQ's gradient to the steps (channels,), scaled by 1 / sqrt(N Qp)."""
    scale = 1 / (weight[0].numel() * _positive_range(bits, grid)) ** 0.5
    step = (step - step * scale).detach() + step * scale
    unit = step if grid == "symmetric" else step / 2
    return quantise_weight(weight, step, bits, grid) * unit.reshape(-1, *[1] * (weight.ndim - 1))


def fit_steps(weight: Tensor, bits: int, grid: str, candidates: int = 40) -> Tensor:
    """(channels,) steps of least squared error among so many fractions of the largest weight."""
    largest = weight.detach().abs().flatten(1).amax(1).clamp(min=LEAST_SCALE)
    steps = torch.linspace(1 / candidates, 1.0, candidates)[:, None] * largest / _positive_range(bits, grid)
    if bits == 1:
        steps = steps * 2
    errors = torch.stack(
        [(lsq(weight.detach(), step, bits, grid) - weight).square().flatten(1).sum(1) for step in steps]
    )
    return steps.gather(0, errors.argmin(0)[None])[0]


def measure_range(x: Tensor, bits: int, relu: bool, candidates: int = 20, sample: int = 100_000) -> Activation:
    """The scale and zero point of least squared error among so many fractions of the range of `x`."""
    values = x.flatten()
    values = values[:: max(1, len(values) // sample)]
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    levels = 2**bits - 1
    best, least = None, float("inf")
    for share in np.linspace(1.0, 0.4, candidates):
        scale = max((high - low) * share / levels, LEAST_SCALE)
        zero = -(2 ** (bits - 1)) if relu else round(-(2 ** (bits - 1)) - low * share / scale)
        activation = Activation(scale, zero, bits)
        error = float((_fake_quantise(values, activation) - values).square().mean())
        if error < least:
            best, least = activation, error
    return best


def _positive_range(bits: int, grid: str) -> float:
    """Qp of LSQ's formulas: how many steps a weight can be above zero."""
    return 2 ** (bits - 1) - (1 if grid == "symmetric" else 0.5)


def _round(x: Tensor) -> Tensor:
    """Nearest integers, halves up, with the gradient of the identity."""
    return x + (torch.floor(x + 0.5) - x).detach()


def _fake_quantise(x: Tensor, activation: Activation) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(x, activation.scale, activation.zero_point, *activation.limits)


class FakeQuantNetwork(nn.Module):
    """A calibrated float network at the bits of `arch`, ready for quantisation-aware training.

    arch: the network's Arch with bits. Call it with features (batch, coefficients, frames); it returns logits.
    Ranges of activations are measured by `calibrate`, which must come first and again after training.
    """

    def __init__(self, network: Network, arch: Arch) -> None:
        super().__init__()
        if arch.without_bits() != network.arch or not arch.weight_bits:
            raise InvalidModel("the architecture with bits is not that of the network; give with_bits(network.arch, 4)")
        self.arch, self.specs = arch, layers(arch)
        self.layers = copy.deepcopy(network.layers)
        self.grids = {spec.name: default_grid(spec.weight_bits) for spec in self.specs if spec.has_weights}
        self.steps = nn.ParameterDict(
            {
                spec.name: nn.Parameter(
                    fit_steps(self.layers[spec.name].weight, spec.weight_bits, self.grids[spec.name])
                )
                for spec in self.specs
                if spec.has_weights
            }
        )
        self.activations: dict[str, Activation] = {}

    def forward(self, x: Tensor) -> Tensor:
        """(batch, coefficients, frames) -> logits (batch, classes). In float32 always: bfloat16 hides the rounding."""
        with torch.autocast(x.device.type, enabled=False):
            return execute(self.specs, x, self._run_layer)

    def _run_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        if spec.has_weights and not self.training:
            output = self._rounded_layer(spec, self._product(spec, inputs[0]))
        else:
            output = float_layer(spec, inputs, self._quantised(spec) if spec.has_weights else None, self.training)
        return _fake_quantise(output, self.activations[spec.name])

    def _product(self, spec: LayerSpec, x: Tensor) -> Tensor:
        """The layer without norm and bias."""
        weight = self._quantised(spec).weight
        return convolve(spec, x, weight) if spec.kind == "conv" else F.linear(x, weight)

    def _rounded_layer(self, spec: LayerSpec, product: Tensor) -> Tensor:
        """The layer's output from its product, with the bias rounded to whole accumulator units, as integers are."""
        unit, gain, offset = self._affine(spec)
        unit = unit * gain.abs()
        offset = torch.where(unit > 0, torch.floor(offset / unit + 0.5) * unit, offset)
        shape = (-1, 1, 1) if spec.kind == "conv" else (-1,)
        output = product * gain.to(product).reshape(shape) + offset.to(product).reshape(shape)
        return F.relu(output) if spec.relu else output

    def _affine(self, spec: LayerSpec) -> tuple[Tensor, Tensor, Tensor]:
        """(channels,) float64: the real value of one accumulator unit; gain and offset of y = gain conv + offset."""
        layer, step = self.layers[spec.name], self.steps[spec.name].clamp(min=LEAST_SCALE).double()
        unit = step * self.activations[spec.inputs[0]].scale / (2 if self.grids[spec.name] == "odd" else 1)
        if spec.kind == "linear":
            return unit, torch.ones_like(unit), layer.bias.double()
        gain = layer.gamma.double() / (layer.var.double() + EPSILON).sqrt()
        return unit, gain, layer.beta.double() - gain * layer.mean.double()

    def _quantised(self, spec: LayerSpec) -> Slice:
        layer, step = self.layers[spec.name], self.steps[spec.name].clamp(min=LEAST_SCALE)
        weight = lsq(layer.weight, step, spec.weight_bits, self.grids[spec.name])
        return Slice(weight, layer.gamma, layer.beta, layer.mean, layer.var, layer.bias)

    @torch.no_grad()
    def calibrate(self, features: Tensor) -> FakeQuantNetwork:
        """Measure norms and ranges in one pass over (clips, coefficients, frames), each on quantised inputs."""

        def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            if spec.has_weights:
                product = self._product(spec, inputs[0])
                if spec.kind == "conv":
                    layer = self.layers[spec.name]
                    layer.var, layer.mean = torch.var_mean(product, (0, 2, 3), unbiased=False)
                output = self._rounded_layer(spec, product)
            else:
                output = float_layer(spec, inputs, None, training=False)
            self.activations[spec.name] = self._range(spec, output)
            return _fake_quantise(output, self.activations[spec.name])

        execute(self.specs, features, apply)
        return self

    def _range(self, spec: LayerSpec, output: Tensor) -> Activation:
        if spec.kind == "input":
            return Activation(FEATURE_SCALE, 0, spec.activation_bits)
        if spec.kind == "linear":
            headroom = 2.0 * float(output.abs().max()) / 2 ** (spec.activation_bits - 1)
            return Activation(max(headroom, LEAST_SCALE), 0, spec.activation_bits)
        return measure_range(output, spec.activation_bits, spec.relu or spec.kind == "pool")

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
            if spec.kind != "input":
                try:
                    tensors[spec.name] = self._integer_layer(spec)
                except InvalidModel as error:
                    raise InvalidModel(f"layer {spec.name}: {error}") from None
        return IntegerNetwork(self.arch, tensors, dict(self.activations))

    def _integer_layer(self, spec: LayerSpec) -> IntegerLayer:
        inputs = [self.activations[name].scale for name in spec.inputs]
        output = self.activations[spec.name].scale
        if spec.kind == "add":
            return _sum_layer(inputs[0] / output, inputs[1] / output)
        if spec.kind == "pool":
            return IntegerLayer(*encode_multiplier(np.array([inputs[0] / (output * prod(spec.in_shape[1:]))])))
        step, grid = self.steps[spec.name].clamp(min=LEAST_SCALE), self.grids[spec.name]
        weight = quantise_weight(self.layers[spec.name].weight, step, spec.weight_bits, grid)
        return _weighted_layer(weight.numpy(), *(part.numpy() for part in self._affine(spec)), output, grid)


def _sum_layer(first: float, second: float) -> IntegerLayer:
    """Two multipliers with one shift, for a residual sum of inputs at these ratios to the output's scale."""
    exponent = int(np.frexp(max(first, second))[1])
    pair = np.floor(np.array([first, second]) * 2.0 ** (31 - exponent) + 0.5)
    if pair.max() >= 2**31:
        exponent, pair = exponent + 1, np.floor(pair / 2 + 0.5)
    if not 1 <= 31 - exponent <= 62:
        raise InvalidModel(f"a residual sum at ratios {first:g} and {second:g} has no 31-bit form")
    return IntegerLayer(pair.astype(np.int32), np.array([31 - exponent], np.uint8))


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
    formless = (np.abs(offset) >= real * MAX_BIAS) | (real < output * 2.0**-31)
    moved = np.abs(weight).reshape(len(weight), -1).sum(1) * 255 * real
    constant = formless & (moved < output / 2)
    if constant.any() and grid == "odd":
        raise InvalidModel(f"channel {int(np.argmax(constant))} is a constant, which the odd grid cannot hold")
    weight[constant] = 0
    real = np.where(constant, output * 2.0**-CONSTANT_SHIFT, real)
    bias = np.floor(offset / real + 0.5)
    if (np.abs(bias) > MAX_BIAS).any():
        raise InvalidModel(f"the bias of channel {int(np.argmax(np.abs(bias)))} leaves +-2^30")
    multiplier, shift = encode_multiplier(real / output)
    return IntegerLayer(multiplier, shift, weight.astype(np.int8), bias.astype(np.int32))
