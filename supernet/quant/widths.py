"""Trained bit widths: how many bits each layer's weights and activations need, learned under a target.

Step and range of each tensor are parameters, and the bits follow from them (Uhlich et al., arXiv 1905.11452, as Peter
et al., arXiv 2104.06666, train them). Here steps are not held to powers of two, the loss grows with what the mean bits
are above a target, and the widths that come out are an Arch like any other: `quantise` fine-tunes it on the default
grids, with a step for each channel.

Where a device's power is known, it can be in the loss as well (Blouw et al., arXiv 2009.04465): see PowerRecipe.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil, inf, prod
from operator import mul
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import answer_interval, stream_macs_by_layer, weight_bytes
from supernet.data.clips import ClipData
from supernet.errors import InvalidData
from supernet.frontend.mfcc import Mfcc
from supernet.layer import LayerSpec, layers
from supernet.nn.network import Network, execute
from supernet.nn.ops import Slice, float_layer, twin
from supernet.quant.finetune import TuneRecipe
from supernet.quant.quantisers import ABOVE_ZERO, LEAST_SCALE
from supernet.train.loop import tensor_digest
from supernet.train.networks import train_network
from supernet.whole import is_real

__all__ = [
    "PowerRecipe",
    "Width",
    "WidthNetwork",
    "WidthRecipe",
    "bits_for_flash",
    "learn_widths",
    "products_power_uw",
    "whole_bits",
]

LEAST_BITS, MOST_BITS, START_BITS = 2, 8, 5
PACE = 30.0
"""How much faster than weights the logarithms of steps and ranges move: they have bits to cross, not fractions."""


@dataclass(frozen=True)
class WidthRecipe(TuneRecipe):
    """A TuneRecipe, and the targets of the mean bits: of a weight, and of a value between layers.

    An activation_bits of 8 leaves all of them at 8. flash_bytes: of the packed network, in the place of the target of a
    weight; 0 for none. penalty: added to the loss for each bit that a mean is above its target. distillation: share of
    the loss that comes from the teacher's outputs.
    """

    epochs: int = 3
    distillation: float = 0.7
    weight_bits: float = 2.5
    activation_bits: float = 2.9
    flash_bytes: int = 0
    penalty: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("weight_bits", "activation_bits"):
            value = getattr(self, name)
            if not is_real(value, LEAST_BITS, MOST_BITS):
                raise ValueError(f"a mean of {value!r:.40} {name} is not possible: give {LEAST_BITS} to {MOST_BITS}")

    @property
    def learns_values(self) -> bool:
        """Whether the bits between layers are learned as well."""
        return self.activation_bits < MOST_BITS

    @property
    def power_target_uw(self) -> float:
        """Of a stream; 0 for none."""
        return 0.0

    @property
    def targets(self) -> dict[str, float]:
        """Mean bits by kind of tensor."""
        return {"weights": self.weight_bits, "activations": self.activation_bits}


@dataclass(frozen=True)
class PowerRecipe(WidthRecipe):
    """A WidthRecipe with the predicted power of a stream in its loss: hardware-aware training.

    uj_per_mac: microjoules that a device takes for a product of 8 bits by 8, as predictors know of devices; those of
    fewer bits take their share, w a / 64. power_uw: the target of the network's products in a stream that answers as
    often as it can, without front end and sleep; the penalty is added for each time that the power is twice the target.
    All widths are learned; the means of bits have targets beside it, 8 unless given.
    """

    weight_bits: float = float(MOST_BITS)
    activation_bits: float = float(MOST_BITS)
    uj_per_mac: float = 0.0
    power_uw: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("uj_per_mac", "power_uw"):
            value = getattr(self, name)
            if not (is_real(value) and 0 < value < inf):
                raise ValueError(f"{name} = {value!r} is not possible: give a number above 0")

    @property
    def learns_values(self) -> bool:
        """Always."""
        return True

    @property
    def power_target_uw(self) -> float:
        """`power_uw`."""
        return self.power_uw


class _ClampInward(torch.autograd.Function):
    """x within limits; where it is beyond, the gradient passes that brings it back, and no other."""

    @staticmethod
    def forward(ctx, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,), (low, high) = ctx.saved_tensors, ctx.limits
        outward = ((x < low) & (gradient > 0)) | ((x > high) & (gradient < 0))
        return torch.where(outward, 0.0, gradient), None, None


class _LearnedGrid(torch.autograd.Function):
    """x in whole steps up to `top`, beyond it top itself; the gradients are by hand, since they go over every value.

    To x within the range; to the step what rounding moved, in steps, within the range; to top the sign, beyond it. A
    value that lies exactly on an end of the range moves nothing.
    """

    @staticmethod
    def forward(ctx, x: Tensor, step: Tensor, top: Tensor, signed: bool) -> Tensor:
        """step, top: ()."""
        size, most = float(step), float(top)
        ctx.least, ctx.most = (-most if signed else 0.0), most
        q = torch.clamp(x, ctx.least, most).div_(size).add_(0.5).floor_().mul_(size)
        q = torch.where(x > most, most, q)
        q = torch.where(x < -most, -most, q) if signed else q
        ctx.save_for_backward(x, q, step)
        return q

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of x, step and top."""
        x, q, step = ctx.saved_tensors
        inside = torch.ops.aten.hardtanh_backward(gradient, x, ctx.least or ABOVE_ZERO, ctx.most)
        of_step = (q - x).mul_(inside).sum() / step
        of_top = torch.ops.aten.hardtanh_backward(gradient, x, ctx.most, float("inf")).sum()
        if ctx.least:
            of_top = of_top - torch.ops.aten.hardtanh_backward(gradient, x, -float("inf"), ctx.least).sum()
        return inside, of_step, of_top, None


class Width(nn.Module):
    """A quantiser of which step and range are learned, and with them its bits.

    top: the largest absolute value. signed: whether there are values below zero. bits: to start with.
    """

    def __init__(self, top: float, signed: bool, bits: int = START_BITS) -> None:
        super().__init__()
        self.signed = signed
        levels = 2 ** (bits - signed) - 1
        top = max(top, LEAST_SCALE * levels)
        self.register_buffer("start", torch.tensor([top / levels, top]).log2())
        self.moved = nn.Parameter(torch.zeros(2))
        self.moved.register_hook(lambda gradient: gradient / PACE)  # so that it does not fill the norm of all gradients

    @property
    def step_and_top(self) -> Tensor:
        """(2,): such that the bits stay within LEAST_BITS and MOST_BITS."""
        step, top = self.start + PACE * self.moved
        least, most = (2 ** (bits - int(self.signed)) - 1 for bits in (LEAST_BITS, MOST_BITS))
        ratio = _ClampInward.apply((top - step).exp2(), least, most)
        return torch.stack([top.exp2() / ratio, top.exp2()])

    def forward(self, x: Tensor) -> Tensor:
        """x in whole steps within the range; gradients to x, step and range as published, by straight-through."""
        return _LearnedGrid.apply(x, *self.step_and_top, self.signed)

    @property
    def real_bits(self) -> Tensor:
        """Bits before rounding up."""
        step, top = self.step_and_top
        return torch.log2(top / step + 1) + self.signed

    @property
    def bits(self) -> Tensor:
        """Whole bits, with the gradient of the real ones."""
        real = self.real_bits
        return real + (torch.ceil(real - 1e-4) - real).detach()


class WidthNetwork(nn.Module):
    """A calibrated float network in which widths are learned: those of weights, one a layer, and of what is between
    layers, but for features (8 bits) and logits (16).

    recipe: of which the targets are used. Widths start at 5 bits, or at the target where that is higher. Raises
    InvalidData for a target of power that no widths have.
    """

    def __init__(self, network: Network, features: Tensor, recipe: WidthRecipe) -> None:
        super().__init__()
        _check_power(network.arch, recipe)
        self.recipe = recipe
        self.network, self.specs = network, network.specs
        weighted, bits = [spec for spec in self.specs if spec.has_weights], self._start("weights")
        self.weights = nn.ModuleDict(
            {
                spec.name: Width(float(network.layers[spec.name].weight.detach().abs().max()), True, bits)
                for spec in weighted
            }
        )
        self.activations = nn.ModuleDict()
        self.counts = {
            "weights": torch.tensor([float(prod(spec.weight_shape)) for spec in weighted]),
            "activations": torch.tensor([float(prod(spec.out_shape)) for spec in self.specs[1:-1]]),
        }
        if recipe.learns_values:
            with torch.no_grad():
                execute(self.specs, features, self._measure)

    def _measure(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        output = float_layer(spec, inputs, self.network.layers[spec.name] if spec.has_weights else None, False)
        if spec.inputs and not spec.logits:
            signed = float(output.min()) < 0
            spread = output.abs().flatten()
            sample = spread[:: max(1, len(spread) // 100_000)].double()  # in float32, versions of torch differ
            top = float(sample.quantile(0.999))
            self.activations[spec.name] = Width(top, signed, self._start("activations"))
        return output

    def _start(self, kind: str) -> int:
        return max(START_BITS, ceil(self.recipe.targets[kind]))

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """(batch, coefficients, clips * frames) -> logits (batch * clips, classes)."""
        with torch.autocast(x.device.type, enabled=False):
            return execute(self.specs, x, self._run_layer, clips)

    def _run_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        tensors = self._quantised(spec) if spec.has_weights else None
        output = float_layer(spec, inputs, tensors, self.training)
        return self.activations[spec.name](output) if spec.name in self.activations else output

    def _quantised(self, spec: LayerSpec) -> Slice:
        layer = self.network.layers[spec.name]
        weight = self.weights[spec.name](layer.weight)
        return Slice(weight, layer.gamma, layer.beta, layer.mean, layer.var, layer.bias)

    @torch.no_grad()
    def calibrate(self, features: Tensor) -> WidthNetwork:
        """Measure the norms in one pass over (clips, coefficients, frames), each on quantised inputs."""

        def measure(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            if twin(spec).norm:
                layer = self.network.layers[spec.name]
                product = twin(spec).products(spec, inputs, self.weights[spec.name](layer.weight))
                layer.var, layer.mean = torch.var_mean(product, (0, 2, 3), unbiased=False)
            return self._run_layer(spec, inputs)

        execute(self.specs, features, measure)
        return self

    def mean_bits(self, kind: str) -> Tensor:
        """Mean bits of `weights` or `activations`, each value counted once."""
        counts = self.counts[kind]
        bits = torch.stack([width.bits for width in getattr(self, kind).values()])
        return (bits * counts.to(bits)).sum() / counts.sum()

    def power_uw(self) -> Tensor:
        """Predicted microwatts of a stream at the widths as they are; of a PowerRecipe."""
        found = ({name: width.bits for name, width in kind.items()} for kind in (self.weights, self.activations))
        return self.recipe.uj_per_mac * _products(self.network.arch, *found)

    def excess(self) -> Tensor:
        """What is added to the loss: bits above both targets, and doublings of the power, times the penalty."""
        learned = {kind: most for kind, most in self.recipe.targets.items() if len(getattr(self, kind))}
        above = [self.mean_bits(kind) - most for kind, most in learned.items()]
        if self.recipe.power_target_uw:
            above.append(torch.log2(self.power_uw() / self.recipe.power_target_uw))
        return self.recipe.penalty * sum(bits * (bits > 0) for bits in above)  # bits at the target have no gradient

    @torch.no_grad()
    def arch(self) -> Arch:
        """The Arch with the widths as they are now, whole and with means at most the targets."""
        found = {}
        for kind, target in self.recipe.targets.items():
            counts = self.counts[kind].tolist()
            real = [float(width.real_bits) for width in getattr(self, kind).values()] or [MOST_BITS] * len(counts)
            found[kind] = whole_bits(real, counts, target)
        return self._within_power(found["weights"], found["activations"])

    def _within_power(self, weights: list[int], values: list[int]) -> Arch:
        """The Arch at these bits, or at fewer of a layer's weights after another until it has the target's power."""
        most = self.recipe.power_target_uw
        while True:
            bits = {"weight_bits": tuple(weights), "activation_bits": (8, *values, 16)}
            arch = dataclasses.replace(self.network.arch, **bits)
            if not most or products_power_uw(arch, self.recipe.uj_per_mac) <= most:
                return arch
            weights, values = self._fewer(weights, values)

    def _fewer(self, weights: list[int], values: list[int]) -> tuple[list[int], list[int]]:
        """One bit less, where the least is lost."""
        real = [float(width.real_bits) for width in (*self.weights.values(), *self.activations.values())]
        bits = [*weights, *values]
        spare = [index for index, own in enumerate(bits) if own > LEAST_BITS]
        bits[min(spare, key=lambda index: real[index] - bits[index])] -= 1
        return bits[: len(weights)], bits[len(weights) :]


def whole_bits(real: list[float], counts: list[float], target: float) -> list[int]:
    """Bits rounded up, then down again where the least is lost, until their mean is at most `target`.

    real: bits of each tensor before rounding. counts: values of each. What the last step down leaves room for is given
    back, where most was lost first.
    """
    wanted = [min(MOST_BITS, max(LEAST_BITS, ceil(value - 1e-4))) for value in real]
    bits, most = list(wanted), target * sum(counts) * (1 + 1e-9)
    while sum(map(mul, bits, counts)) > most:
        spare = [index for index, own in enumerate(bits) if own > LEAST_BITS]
        bits[min(spare, key=lambda index: real[index] - bits[index])] -= 1
    for index in sorted(range(len(bits)), key=lambda index: bits[index] - real[index]):
        room = int((most - sum(map(mul, bits, counts))) / counts[index])
        bits[index] += max(0, min(room, wanted[index] - bits[index]))
    return bits


def products_power_uw(arch: Arch, uj_per_mac: float) -> float:
    """Predicted microwatts of the products of a network with bits in a stream that answers as often as it can.

    uj_per_mac: see PowerRecipe. Raises InvalidArch for a network that looks ahead.
    """
    specs = layers(arch)
    weights = {spec.name: spec.weight_bits for spec in specs if spec.has_weights}
    return uj_per_mac * _products(arch, weights, {spec.name: spec.activation_bits for spec in specs})


def _products(arch: Arch, weights: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Products a second of a stream, counted in those of 8 bits by 8. weights, values: bits by layer, else 8."""
    counts, total = stream_macs_by_layer(arch), 0.0
    for spec in layers(arch):
        bits = _factors(spec, weights, values) if spec.has_weights else spec.operator.product_bits
        total = total + counts[spec.name] * bits[0] * bits[1]
    return total / MOST_BITS**2 * 1000 / (answer_interval(arch) * arch.features.step_ms)


def _factors(spec: LayerSpec, weights: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[Any, Any]:
    """Bits of a weight, and of what it is multiplied by."""
    return weights[spec.name], spec.operator.read_bits or values.get(spec.inputs[0], MOST_BITS)


def _check_power(arch: Arch, recipe: WidthRecipe) -> None:
    """Raise InvalidData where the network has more power than the target at any bits."""
    if recipe.power_target_uw:
        least = products_power_uw(with_bits(arch, LEAST_BITS, LEAST_BITS, edge=LEAST_BITS), recipe.uj_per_mac)
        if least > recipe.power_target_uw:
            raise InvalidData(
                f"{recipe.power_target_uw:g} uW are too few for the network: at {LEAST_BITS} bits its products take "
                f"{least:.3g}; give as many or a smaller network"
            )


def bits_for_flash(arch: Arch, flash_bytes: float) -> float:
    """The mean bits of a weight with which the network has at most so many bytes.

    Raises InvalidData where it has more at any bits.
    """
    sizes = [prod(spec.weight_shape) for spec in layers(arch) if spec.has_weights]
    others = weight_bytes(with_bits(arch, 8)) - sum(sizes) + len(sizes)
    mean = 8 * (flash_bytes - others) / sum(sizes)
    if mean < LEAST_BITS:
        least = others + sum(sizes) * LEAST_BITS / 8
        raise InvalidData(
            f"{flash_bytes:,.0f} bytes do not hold the network: at {LEAST_BITS} bits a weight it takes {least:,.0f}; "
            "give as many or a smaller network"
        )
    return min(mean, float(MOST_BITS))


def learn_widths(
    network: Network,
    teacher: Network | None,
    data: ClipData,
    frontend: Mfcc,
    calibration: Tensor,
    recipe: WidthRecipe,
    run: str | Path,
    progress: bool = True,
) -> Arch:
    """Learn the widths of a calibrated network by training a copy of it; returns its Arch with these bits.

    calibration: features (clips, coefficients, frames). run: folder of the run, resumed where it stopped.
    Raises InvalidData for a target of bytes or of power that the network cannot have.
    """
    if recipe.flash_bytes:
        recipe = dataclasses.replace(recipe, weight_bits=bits_for_flash(network.arch, recipe.flash_bytes))
    widths = WidthNetwork(copy.deepcopy(network), calibration, recipe)
    calibrate = partial(widths.calibrate, calibration)
    identity = {"arch": network.arch.to_dict(), "calibration": tensor_digest(calibration)}
    train_network(
        widths,
        data,
        frontend,
        recipe,
        run,
        identity,
        calibrate,
        teacher,
        recipe.distillation,
        progress,
        penalty=widths.excess,
    )
    return widths.arch()
