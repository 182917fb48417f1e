"""The torch twins of the operators: what each kind of layer computes in training, in floating point.

A twin also gives the sums that its integers are, so that emulated and exact integers are computed in one place each.
Maps are (batch, channels, height, frames), channels last in memory. To add one, write a Twin and name it in TWINS.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.frontend.base import FEATURE_SCALE
from supernet.frontend.fixed import LOG_BITS
from supernet.layer import LayerSpec
from supernet.nn.filters import band_pass
from supernet.ops.filters import FLOOR_BITS, fall, logarithms, positions
from supernet.ops.input import chosen
from supernet.ops.memory import memory_blocks, remember, transition

__all__ = [
    "EPSILON",
    "GATE_WIDTH",
    "Slice",
    "Twin",
    "activate",
    "convolve",
    "float_layer",
    "preactivation",
    "select_features",
    "single_clips",
    "twin",
]

EPSILON = 1e-5
MEMORY_BLOCK = 64
"""Frames of a memory that are one product of matrices."""
GATE_WIDTH = 6
"""How far a hard sigmoid reaches from 0 to 1."""
FILTER_FLOOR = 2**10 / 127
"""What is added to the size of a frame's filtered samples before its logarithm, in steps of 16 bits: what integers add
where taps of 8 bits reach to one.
"""
LEAST_GAIN = 0.02
"""Of the norm behind filters: logarithms have no other sign, and a smaller gain no integer form."""


class Slice(NamedTuple):
    """What a layer with weights computes with; `bias` only in linear layers, those of the norm only in convolutions.

    origin: what the weights were made of, where they are not parameters themselves. A supernet.nn.network.Layer has the
    same attributes.
    """

    weight: Tensor
    gamma: Tensor | None
    beta: Tensor | None
    mean: Tensor | None
    var: Tensor | None
    bias: Tensor | None
    origin: Tensor | None = None


class Twin:
    """A kind of layer in torch. norm: whether batch norm follows its product of weights, in place of a bias."""

    norm = False

    def origin_shape(self, spec: LayerSpec) -> tuple[int, ...] | None:
        """Shape of the parameters that the weights are made of; None where weights are parameters themselves."""
        return None

    def made(self, spec: LayerSpec, origin: Tensor) -> Tensor:
        """The weights that are made of parameters."""
        return origin

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """The output in floating point before it is held within limits. tensors: a Slice or a Layer."""
        raise NotImplementedError

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """The sums that integers are rescaled from, one for each multiplier, of whole numbers."""
        raise NotImplementedError

    def products(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor) -> Tensor:
        """What the norm is of, in floating point."""
        return self.totals(spec, inputs, weight)[0]

    def reading(self, spec: LayerSpec, unit: Tensor) -> tuple[Tensor, Tensor]:
        """How `products` are read from `totals`: the real value of one, and what is added; both (channels,).

        unit: (channels,) of a weight times an input.
        """
        return unit, torch.zeros_like(unit)

    def gain(self, gamma: Tensor) -> Tensor:
        """The gain of the norm, of its parameter."""
        return gamma

    def spread(self, values: Tensor) -> Tensor:
        """(channels,) values so that they multiply the output."""
        return values.reshape(-1, 1, 1)

    def slice(self, spec: LayerSpec, weight: Tensor) -> Tensor:
        """The weights of a supernet's layer that a sub-network's uses: the first channels."""
        return weight[: spec.weight_shape[0], : spec.weight_shape[1]]

    def initial_deviation(self, fan_in: int) -> float:
        """Of random weights."""
        return fan_in**-0.5


class Input(Twin):
    """Features as they are."""

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """The features."""
        return inputs[0]


class Conv(Twin):
    """A convolution with batch norm, and half of a hard sigmoid where that follows."""

    norm = True

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """Normalised products."""
        x = normalise(convolve(spec, inputs[0], tensors.weight), tensors, training)
        return x / GATE_WIDTH + 0.5 if spec.activation == "hard_sigmoid" else x

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """Products without a norm."""
        return [convolve(spec, inputs[0], weight)]

    def slice(self, spec: LayerSpec, weight: Tensor) -> Tensor:
        """The first channels, and of the kernel the taps that LayerSpec describes."""
        return super().slice(spec, weight)[:, :, *spec.taps(weight.shape[2:])]

    def initial_deviation(self, fan_in: int) -> float:
        """For layers behind rectifiers (He et al., arXiv 1502.01852)."""
        return (2.0 / fan_in) ** 0.5


class Filters(Conv):
    """A bank of filters over samples: sizes over a frame, in logarithms to base 2, with batch norm."""

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """Normalised logarithms."""
        return normalise(self.products(spec, inputs, tensors.weight), tensors, training, self.gain(tensors.gamma))

    def products(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor) -> Tensor:
        """(batch, filters, 1, frames), never in less than 32 bits, which samples need."""
        x = (inputs[0] / FEATURE_SCALE).round().to(torch.promote_types(inputs[0].dtype, torch.float32))
        with torch.autocast(x.device.type, enabled=False):
            return channels_last((_filtered(spec, x, weight.to(x.dtype)) / FILTER_FLOOR + 1).log2()[:, :, None])

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """Whole logarithms, by the definition of the integers."""
        sums = _filtered(spec, inputs[0], weight)
        found = torch.from_numpy(logarithms(spec, sums.cpu().numpy()))
        return [found.to(sums.device, sums.dtype)[:, :, None]]

    def reading(self, spec: LayerSpec, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Of logarithms; where taps reach to something else than one, the floor is a little off."""
        return torch.full_like(unit, 2.0**-LOG_BITS), (
            unit / FEATURE_SCALE * 2 ** (fall(spec) + FLOOR_BITS) / FILTER_FLOOR
        ).log2()

    def gain(self, gamma: Tensor) -> Tensor:
        """Above zero."""
        return gamma.abs().clamp(min=LEAST_GAIN)

    def origin_shape(self, spec: LayerSpec) -> tuple[int, ...] | None:
        """Two a filter, where its taps are made of cut-offs."""
        return (spec.out_shape[0], 2) if spec.cutoffs else None

    def made(self, spec: LayerSpec, origin: Tensor) -> Tensor:
        """The taps."""
        return band_pass(origin, spec.kernel[0]) if spec.cutoffs else origin

    def slice(self, spec: LayerSpec, weight: Tensor) -> Tensor:
        """The first filters: their cut-offs, of which as many taps are made as there are, or the taps in the middle."""
        return weight[: spec.out_shape[0]] if spec.cutoffs else super().slice(spec, weight)

    def initial_deviation(self, fan_in: int) -> float:
        """So that the largest taps are about one, as those of band-pass filters are."""
        return 1 / 3


class Linear(Twin):
    """All channels of the average to all outputs, (batch, outputs)."""

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """Products and bias."""
        return F.linear(inputs[0].flatten(1), tensors.weight, tensors.bias)

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """Products without the bias."""
        return [F.linear(inputs[0].flatten(1), weight)]

    def spread(self, values: Tensor) -> Tensor:
        """One an output."""
        return values


class Pool(Twin):
    """The average over height and the frames of each clip."""

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """The mean."""
        return single_clips(inputs[0], spec).mean((2, 3), keepdim=True)

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """The sum."""
        return [single_clips(inputs[0], spec).sum((2, 3), keepdim=True)]


class Add(Twin):
    """A residual sum."""

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """The sum."""
        return inputs[0] + inputs[1]

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """Both, since each has a multiplier of its own."""
        return inputs


class Scale(Twin):
    """A map times one factor a channel."""

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """The product."""
        return inputs[0] * inputs[1]

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """The product."""
        return [inputs[0] * inputs[1]]


class Memory(Twin):
    """A linear memory of each channel. In floating point it is a convolution over all frames at once, as Chilkuri and
    Eliasmith train it (arXiv 2102.11417), of what the transition in Q14 makes of an impulse; its integers are what
    rounding a frame at a time leaves.
    """

    def preactivation(self, spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
        """(batch, channels, order, frames)."""
        x = inputs[0].squeeze(2).contiguous()
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.dtype == torch.float64 else x.float()
            return channels_last(_remembered(spec, x).to(inputs[0].dtype))

    def totals(self, spec: LayerSpec, inputs: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
        """The memories, frame by frame. weight: the transition; without, that of the spec."""
        held = transition(spec.out_shape[1], spec.window) if weight is None else weight.cpu().numpy()
        x = inputs[0].detach().squeeze(2).transpose(1, 2).double().cpu().numpy()
        state = np.zeros((len(x), *spec.out_shape[:2]))
        found = torch.from_numpy(remember(held.astype(np.float64), x, state)[0])
        return [found.permute(0, 2, 3, 1).to(inputs[0].device)]


TWINS: dict[str, Twin] = {
    "input": Input(),
    "conv": Conv(),
    "filters": Filters(),
    "linear": Linear(),
    "pool": Pool(),
    "add": Add(),
    "scale": Scale(),
    "memory": Memory(),
}
"""By kind of operator."""


def twin(spec: LayerSpec) -> Twin:
    """What computes a layer in torch."""
    return TWINS[spec.kind]


def preactivation(spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
    """What `float_layer` gives, before it is held within limits."""
    return twin(spec).preactivation(spec, inputs, tensors, training)


def float_layer(spec: LayerSpec, inputs: list[Tensor], tensors: Slice | None, training: bool) -> Tensor:
    """The output of one layer in floating point: (batch, channels, height, frames); logits are (batch, classes)."""
    return activate(preactivation(spec, inputs, tensors, training), spec)


def activate(x: Tensor, spec: LayerSpec) -> Tensor:
    """x within the limits of the layer's activation."""
    low, high = spec.limits
    if high < inf:
        return F.hardtanh(x, low, high)
    return F.relu(x) if spec.rectified else x


def select_features(x: Tensor, spec: LayerSpec, clips: int = 1) -> Tensor:
    """The features that an input layer reads, (batch, coefficients, frames) -> (batch, *spec.out_shape), with the
    frames of all clips, channels last in memory.

    clips: of which x holds the frames in turn. Raises InvalidArch for a map that it cannot read, as
    `supernet.ops.input.chosen` does.
    """
    channels, height, frames = spec.out_shape
    read = x[:, *chosen(x.shape, spec, clips)].reshape(x.shape[0], channels, height, clips * frames)
    return read.contiguous(memory_format=torch.channels_last)


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


def _remembered(spec: LayerSpec, x: Tensor) -> Tensor:
    """What memories make of x (batch, channels, frames), blocks of frames at a time: (batch, channels, order, frames).

    A block is one product with what each of its frames leaves in each later one, and with what was there before.
    """
    order, frames = spec.out_shape[1], x.shape[2]
    within, after = (
        torch.from_numpy(part).to(x) for part in memory_blocks(order, spec.window, min(frames, MEMORY_BLOCK))
    )
    found, state = [], None
    for block in x.split(MEMORY_BLOCK, 2):
        size = block.shape[2]
        held = torch.einsum("bct,tif->bcif", block, within[:size, :, :size])
        if state is not None:
            held = held + torch.einsum("bcj,jif->bcif", state, after[:, :, :size])
        state = held[..., -1]
        found.append(held)
    return torch.cat(found, 3)


def _filtered(spec: LayerSpec, x: Tensor, weight: Tensor) -> Tensor:
    """Sizes (batch, filters, frames) of filtered samples, added up over each frame.

    x: whole bytes (batch, 1, bytes, frames), low ones first.
    """
    low, high = x[:, 0].unflatten(1, (-1, 2)).unbind(2)
    samples = (256 * high + low + 256 * (low < 0)).transpose(1, 2).flatten(1)
    padded = F.pad(samples, (spec.kernel[0] - spec.stride[0], 0))
    sums = F.conv1d(padded[:, None], weight[:, :, :, 0], stride=spec.stride[0])
    return sums.abs().unflatten(2, (-1, positions(spec))).sum(3)


def normalise(x: Tensor, tensors: Slice, training: bool, gain: Tensor | None = None) -> Tensor:
    """Batch norm with the layer's statistics, or with the batch's own in training and before any calibration.

    gain: in the place of the layer's own.
    """
    own = training or tensors.mean is None
    mean, var = (None, None) if own else (tensors.mean, tensors.var)
    return F.batch_norm(x, mean, var, tensors.gamma if gain is None else gain, tensors.beta, own, 0.0, EPSILON)
