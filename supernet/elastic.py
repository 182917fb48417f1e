"""Networks and the supernet that holds them all, as one executor over `LayerSpec` lists.

A `Network` is built from an Arch. A `Supernet` is the largest network of a Space; a sub-network takes slices of its
weights, by `slice_layer`, the one function behind both `supernet(x, arch)` and `supernet.extract(arch)`, so both give
the same numbers. Weight sharing after Once-for-All (Cai et al., ICLR 2020, arXiv 1908.09791).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.errors import InvalidArch
from supernet.layer import LayerSpec, layers
from supernet.space import Space

__all__ = [
    "Layer",
    "Network",
    "Slice",
    "Supernet",
    "execute",
    "recalibrate",
    "select_features",
    "single_clips",
    "slice_layer",
]

EPSILON = 1e-5
GATE_WIDTH = 6
"""How far a hard sigmoid reaches from 0 to 1."""


class Slice(NamedTuple):
    """What a layer with weights computes with; `bias` only in linear layers, those of the norm only in convolutions.

    A `Layer` has the same attributes.
    """

    weight: Tensor
    gamma: Tensor | None
    beta: Tensor | None
    mean: Tensor | None
    var: Tensor | None
    bias: Tensor | None


class Layer(nn.Module):
    """The parameters of one layer, and its batch-norm statistics once they are calibrated (None before)."""

    def __init__(self, spec: LayerSpec, generator: torch.Generator | None = None) -> None:
        super().__init__()
        weight = torch.empty(spec.weight_shape)
        fan_in = weight[0].numel()
        nn.init.normal_(weight, std=(2.0 / fan_in) ** 0.5 if spec.kind == "conv" else fan_in**-0.5, generator=generator)
        norm = spec.kind == "conv"
        channels = spec.out_shape[0]
        self.weight = nn.Parameter(weight)
        self.gamma = nn.Parameter(torch.ones(channels)) if norm else None
        self.beta = nn.Parameter(torch.zeros(channels)) if norm else None
        self.bias = None if norm else nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", None)
        self.register_buffer("var", None)


def select_features(x: Tensor, spec: LayerSpec, clips: int = 1) -> Tensor:
    """The features that an input layer reads, from a map at its own frame step or at the front end's.

    x: (batch, coefficients, frames), with the frames of spec.out_shape, or those of spec.in_shape, of which it takes
    the last one of each stride; of so many `clips` in turn, that many times as many. Of more coefficients than those of
    `spec` it takes the first ones, or at a stride over them the last one of each. Returns (batch, *spec.out_shape),
    with the frames of all clips, channels last in memory. Raises InvalidArch for another map.
    """
    channels, height, frames = spec.out_shape
    rows = channels * height
    whole = x.ndim == 3 and (x.shape[1] >= rows if spec.stride[0] == 1 else x.shape[1] in (rows, spec.in_shape[1]))
    if not whole or x.shape[2] not in (clips * frames, clips * spec.in_shape[2]):
        raise InvalidArch(
            f"features of shape {tuple(x.shape)} do not fit: give (batch, {rows} "
            f"{'or more' if spec.stride[0] == 1 else f'or {spec.in_shape[1]}'} coefficients, {clips * frames} frames)"
        )
    step, skip = x.shape[2] // (clips * frames), x.shape[1] // rows if spec.stride[0] > 1 else 1
    x = x[:, skip - 1 : skip * rows : skip, step - 1 :: step].reshape(x.shape[0], channels, height, clips * frames)
    return x.contiguous(memory_format=torch.channels_last)


def single_clips(x: Tensor, spec: LayerSpec) -> Tensor:
    """What a layer that hears a clip at a time takes of several that were run through one after another.

    x: (batch, channels, height, clips * frames) -> (batch * clips, channels, height, frames), clip by clip.
    """
    frames = spec.in_shape[2]
    return x if x.shape[3] == frames else x.unflatten(3, (-1, frames)).movedim(3, 1).flatten(0, 1)


def convolve(spec: LayerSpec, x: Tensor, weight: Tensor) -> Tensor:
    """The convolution of a layer without its norm. x: (batch, channels, height, frames)."""
    if spec.depthwise:
        return DepthwiseConvolution.apply(x, weight, spec.pad, spec.stride)
    return channels_last(F.conv2d(channels_last(_pad(x, spec.pad)), weight, stride=spec.stride, groups=spec.groups))


class DepthwiseConvolution(torch.autograd.Function):
    """A padded depthwise convolution with those gradients in float32 that bfloat16 makes slower.

    On a processor the weight's gradient takes three times as long in bfloat16, that of x at a stride ten times.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, pad: tuple[int, int, int, int], stride: tuple[int, int]) -> Tensor:
        """x: (batch, channels, height, frames); weight: (channels, 1, height, taps)."""
        x, ctx.pad, ctx.stride = channels_last(_pad(x, pad)), pad, stride
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight.to(x.dtype), stride=stride, groups=len(weight))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Gradients of x and of the weight."""
        x, weight = ctx.saved_tensors
        gradient = channels_last(gradient)

        def part(gradient: Tensor, x: Tensor, weight: Tensor, mask: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
            return torch.ops.aten.convolution_backward(
                gradient, x, weight, None, ctx.stride, [0, 0], [1, 1], False, [0, 0], len(weight), mask
            )

        wide_type = x.dtype if ctx.stride == (1, 1) else torch.float32
        wide = part(*(item.to(wide_type) for item in (gradient, x, weight)), [True, False, False])[0].to(x.dtype)
        top, bottom, left, right = ctx.pad
        inner = wide[:, :, top : wide.shape[2] - bottom, left : wide.shape[3] - right]
        return inner, part(gradient.float(), x.float(), weight, [False, True, False])[1], None, None


def channels_last(x: Tensor) -> Tensor:
    """x (batch, channels, height, frames) with the channels side by side in memory, where it is not so already."""
    return x.contiguous(memory_format=torch.channels_last)


def _pad(x: Tensor, pad: tuple[int, int, int, int]) -> Tensor:
    top, bottom, left, right = pad
    return F.pad(x, (left, right, top, bottom)) if any(pad) else x


def normalise(x: Tensor, tensors: Layer | Slice, training: bool) -> Tensor:
    """Batch norm with the layer's statistics, or with the batch's own in training and before any calibration."""
    own = training or tensors.mean is None
    mean, var = (None, None) if own else (tensors.mean, tensors.var)
    return F.batch_norm(x, mean, var, tensors.gamma, tensors.beta, own, 0.0, EPSILON)


def float_layer(spec: LayerSpec, inputs: list[Tensor], tensors: Layer | Slice | None, training: bool) -> Tensor:
    """The output of one layer in floating point: (batch, channels, height, frames); logits are (batch, classes)."""
    return activate(preactivation(spec, inputs, tensors, training), spec)


def activate(x: Tensor, spec: LayerSpec) -> Tensor:
    """x within the limits of the layer's activation."""
    low, high = spec.limits
    if high < inf:
        return F.hardtanh(x, low, high)
    return F.relu(x) if spec.rectified else x


def preactivation(spec: LayerSpec, inputs: list[Tensor], tensors: Layer | Slice | None, training: bool) -> Tensor:
    """What `float_layer` gives, before it is held within limits."""
    x = inputs[0]
    if spec.kind == "conv":
        x = normalise(convolve(spec, x, tensors.weight), tensors, training)
        return x / GATE_WIDTH + 0.5 if spec.activation == "hard_sigmoid" else x
    if spec.kind == "add":
        return x + inputs[1]
    if spec.kind == "scale":
        return x * inputs[1]
    if spec.kind == "pool":
        return single_clips(x, spec).mean((2, 3), keepdim=True)
    return F.linear(x.flatten(1), tensors.weight, tensors.bias) if spec.kind == "linear" else x


def execute(
    specs: tuple[LayerSpec, ...], x: Tensor, apply: Callable[[LayerSpec, list[Tensor]], Tensor], clips: int = 1
) -> Tensor:
    """Run the layers in order and return the last one's output.

    x: features (batch, coefficients, frames). apply: gives the output of one layer from those of its inputs. clips: of
    which x holds the frames in turn; where no layer but the average looks ahead, the output is (batch * clips, ...), of
    each clip behind those before it.
    """
    last_use = {name: spec.name for spec in specs for name in spec.inputs}
    values = {}
    for spec in specs:
        values[spec.name] = apply(spec, [values[name] for name in spec.inputs] or [select_features(x, spec, clips)])
        for name in spec.inputs:
            if last_use[name] == spec.name:
                values.pop(name, None)
    return values[specs[-1].name]


def slice_layer(tensors: Layer | Slice, spec: LayerSpec) -> Slice:
    """The part of a supernet's layer that a sub-network's layer uses.

    The first channels, and of the kernel the taps that LayerSpec describes: over frequency those in the middle.
    Contiguous, so that the arithmetic that follows does not depend on the supernet's size.
    """
    outputs = spec.weight_shape[0]
    weight = tensors.weight[:outputs, : spec.weight_shape[1]]
    if spec.kind == "conv":
        weight = weight[:, :, *spec.taps(weight.shape[2:])]
    first_channels = (None if item is None else item[:outputs] for item in (tensors.gamma, tensors.beta))
    bias = None if tensors.bias is None else tensors.bias[:outputs]
    return Slice(weight.contiguous(), *first_channels, None, None, bias)


class Network(nn.Module):
    """One network, built from its Arch.

    seed: of the initial weights. Call it with features (batch, coefficients, frames) of its own or of the full front
    end; it returns logits (batch, classes). Norms use the batch's statistics in training and before `recalibrate`.
    """

    def __init__(self, arch: Arch, seed: int = 0) -> None:
        super().__init__()
        self.arch = arch
        self.specs = layers(arch)
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleDict({spec.name: Layer(spec, generator) for spec in self.specs if spec.has_weights})

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """(batch, coefficients, clips * frames) -> logits (batch * clips, classes), see `execute`."""
        return execute(self.specs, x, self._run_layer, clips)

    def _run_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        return float_layer(spec, inputs, self.layers[spec.name] if spec.has_weights else None, self.training)


@torch.no_grad()
def recalibrate(network: Network, features: Tensor) -> Network:
    """Measure the batch-norm statistics of a network in one pass over `features` and keep them in it.

    features: (clips, coefficients, frames) of training clips; some hundreds are enough. Each layer sees the outputs
    of already calibrated ones. Without this a slice of a supernet is near chance.
    """

    def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        layer = network.layers[spec.name] if spec.has_weights else None
        if spec.kind == "conv":
            var, mean = torch.var_mean(convolve(spec, inputs[0], layer.weight), (0, 2, 3), unbiased=False)
            layer.mean, layer.var = mean, var
        return float_layer(spec, inputs, layer, training=False)

    execute(network.specs, features, apply)
    return network


class Supernet(nn.Module):
    """A weight-sharing network over a Space.

    `supernet(x, arch)` runs a sub-network in place; `supernet.extract(arch)` gives it as a Network of its own, with
    the same numbers, bit for bit at equal batch size. In training both normalise with the batch's statistics. In
    evaluation they use the statistics of that sub-network over `calibration`, measured when first needed; without
    calibration features, the batch's own.

    calibration: (clips, coefficients, frames) features of training clips.
    """

    def __init__(self, space: Space, calibration: Tensor | None = None, seed: int = 0) -> None:
        super().__init__()
        self.space = space
        self.register_buffer("calibration", calibration, persistent=False)
        self.network = Network(space.largest(), seed)
        self._statistics: dict[str, Mapping[str, tuple[Tensor, Tensor]]] = {}
        self._version = 0

    def forward(self, x: Tensor, arch: Arch, clips: int = 1) -> Tensor:
        """Logits (batch, classes) of the sub-network `arch` for features x (batch, coefficients, frames).

        Of several clips in turn, (batch, coefficients, clips * frames), logits are (batch * clips, classes).
        """
        specs = self.layers_of(arch)
        statistics = {} if self.training else self.statistics(arch)

        def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            tensors = self.slice(spec) if spec.has_weights else None
            if spec.name in statistics:
                mean, var = statistics[spec.name]
                tensors = tensors._replace(mean=mean, var=var)
            return float_layer(spec, inputs, tensors, self.training)

        return execute(specs, x, apply, clips)

    def statistics(self, arch: Arch) -> Mapping[str, tuple[Tensor, Tensor]]:
        """Mean and variance of each norm of a sub-network over the calibration features; empty without them.

        They are measured once for each network and version of the weights.
        """
        if self.calibration is None:
            return {}
        version = sum(parameter._version for parameter in self.parameters())
        if version != self._version:
            self._statistics.clear()
            self._version = version
        key = arch.without_bits().digest
        if key not in self._statistics:
            network = recalibrate(self.slices(arch), self.calibration)
            norms = {name: layer for name, layer in network.layers.items() if layer.mean is not None}
            self._statistics[key] = {name: (layer.mean, layer.var) for name, layer in norms.items()}
        return self._statistics[key]

    @torch.no_grad()
    def extract(self, arch: Arch, calibration: Tensor | None = None) -> Network:
        """The sub-network as a Network of its own, recalibrated in this call, in the supernet's mode.

        calibration: features to measure the norms on instead of the supernet's own.
        Raises InvalidArch for an Arch outside the space.
        """
        network = self.slices(arch)
        if calibration is not None:
            recalibrate(network, calibration)
        elif not self.training:
            for name, (mean, var) in self.statistics(arch).items():
                network.layers[name].mean, network.layers[name].var = mean.clone(), var.clone()
        return network.train(self.training)

    @torch.no_grad()
    def slices(self, arch: Arch) -> Network:
        """The sub-network as a Network of its own, before any recalibration. Raises InvalidArch."""
        network = Network(arch)
        for spec in self.layers_of(arch):
            if spec.has_weights:
                for name, tensor in self.slice(spec)._asdict().items():
                    if tensor is not None:
                        getattr(network.layers[spec.name], name).copy_(tensor)
        return network.to(next(self.parameters()).device)

    def slice(self, spec: LayerSpec) -> Slice:
        """What a sub-network's layer uses of the largest network's."""
        return slice_layer(self.network.layers[spec.name], spec)

    def layers_of(self, arch: Arch) -> tuple[LayerSpec, ...]:
        """The layers of a sub-network. Raises InvalidArch for an Arch outside the space."""
        if arch not in self.space:
            raise InvalidArch(
                f"the network {arch.digest[:12]} is not in the supernet's space; draw from supernet.space"
            )
        return layers(arch)
