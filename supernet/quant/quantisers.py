"""Quantisers of weights, and the registry of methods that train with them.

A quantiser gives integers on a grid and the real value of one of them for each output channel; `quantiser(weight)` is
their product, with the gradient of the method's publication. All leave batch norm out of the weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UnknownName, nearest_names
from supernet.integer.packing import grid_limit

__all__ = [
    "METHODS",
    "Lsq",
    "Method",
    "Quantiser",
    "StraightThrough",
    "Tanh",
    "fit_steps",
    "lsq",
    "method",
    "quantise_weight",
    "round_through",
    "within",
]

LEAST_SCALE = 1e-8
ABOVE_ZERO = torch.finfo(torch.float32).tiny
"""The lower end of a range that excludes zero. Many values are exactly zero and none is this, so it does not matter
what torch does at an end."""


class Quantiser(nn.Module, ABC):
    """Weights (channels, ...) at so many bits on a grid (see supernet.integer.packing)."""

    def __init__(self, weight: Tensor, bits: int, grid: str) -> None:
        super().__init__()
        self.bits, self.grid, self.limit = bits, grid, grid_limit(bits, grid)

    @abstractmethod
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Integers of the shape of `weight`, and what one of them stands for, (channels,)."""

    def forward(self, weight: Tensor) -> Tensor:
        """Weights on the grid."""
        integers, unit = self.parts(weight)
        return integers * _per_channel(unit, weight)


class Lsq(Quantiser):
    """Learned steps, one an output channel (LSQ, Esser et al., arXiv 1902.08153), on the odd grid as well.

    They start where the squared error is least, which is what rounding after training uses. What is trained is their
    logarithm: AdamW moves every parameter by about the learning rate, which is more than a whole step at 8 bits.
    """

    def __init__(self, weight: Tensor, bits: int, grid: str, log_steps: Tensor | None = None) -> None:
        super().__init__(weight, bits, grid)
        self.log_steps = nn.Parameter(fit_steps(weight, bits, grid).log() if log_steps is None else log_steps)

    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """LSQ scales the gradient of a step by 1 / sqrt(N Qp), N weights to a step."""
        return _lsq_parts(weight, self.log_steps.exp(), self.bits, self.grid)


class Tanh(Quantiser):
    """tanh(w) / max |tanh(w)| in equal steps, sign(w) mean |w| at 1 bit (DoReFa-Net, Zhou et al., arXiv 1606.06160).

    On the odd grid as published; on the symmetric one in as many bits. The largest value stays that of tanh(w) instead
    of 1, so that a layer without a norm computes what it did.
    """

    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """One unit for the whole layer."""
        if self.bits == 1:
            unit = weight.detach().abs().mean().clamp(min=LEAST_SCALE)
            return _signs(weight / unit), unit.repeat(len(weight))
        bent = weight.tanh()
        largest = bent.detach().abs().max().clamp(min=LEAST_SCALE)
        integers = _nearest(bent / largest * self.limit, self.grid)
        return integers, (largest / self.limit).repeat(len(weight))


class StraightThrough(Quantiser):
    """Equal steps to the largest weight of each channel, or its mean |w| at 1 bit.

    The gradient is that of the identity: the plain estimator (Bengio et al., arXiv 1308.3432), the baseline.
    """

    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The unit follows the weights, without a gradient."""
        size = weight.detach().abs().flatten(1)
        if self.bits == 1:
            unit = size.mean(1).clamp(min=LEAST_SCALE)
            return _signs(weight / _per_channel(unit, weight)), unit
        unit = (size.amax(1) / self.limit).clamp(min=LEAST_SCALE)
        return _nearest(weight / _per_channel(unit, weight), self.grid), unit


@dataclass(frozen=True)
class Method:
    """A way to quantise a network. stages: of training, whether each quantises activations too; none only rounds."""

    quantiser: type[Quantiser]
    stages: tuple[bool, ...] = (True,)


METHODS = {
    "lsq": Method(Lsq),
    "tanh": Method(Tanh),
    "straight-through": Method(StraightThrough),
    "rounding": Method(Lsq, stages=()),
    "two-stage": Method(Tanh, stages=(False, True)),
}
"""two-stage: first the weights alone, then all else (Zeng et al., arXiv 2207.06920)."""


def method(name: str) -> Method:
    """The method of that name. Raises UnknownName."""
    if name not in METHODS:
        raise UnknownName(f"unknown method {name!r} of quantisation: {nearest_names(name, METHODS)}")
    return METHODS[name]


def lsq(weight: Tensor, steps: Tensor, bits: int, grid: str) -> Tensor:
    """Weights (channels, ...) on the grid, as `Lsq` gives them with these steps (channels,)."""
    integers, unit = _lsq_parts(weight, steps, bits, grid)
    return integers * _per_channel(unit, weight)


def _lsq_parts(weight: Tensor, steps: Tensor, bits: int, grid: str) -> tuple[Tensor, Tensor]:
    scale = 1 / (weight[0].numel() * _positive_range(bits, grid)) ** 0.5
    steps = (steps - steps * scale).detach() + steps * scale
    return quantise_weight(weight, steps, bits, grid), steps if grid == "symmetric" else steps / 2


def quantise_weight(weight: Tensor, steps: Tensor, bits: int, grid: str) -> Tensor:
    """Integers of weights (channels, ...): weight = step * integer, or step / 2 * integer on `odd`.

    The gradient passes the rounding straight through; clipping stops it. On the odd grid that begins at the outer edge
    of the outermost integers. On `symmetric` it begins beyond these integers; in LSQ's publication, on them.
    """
    scaled = weight / _per_channel(steps, weight)
    if grid == "symmetric":
        limit = grid_limit(bits, grid)
        return round_through(within(scaled, -limit, limit))
    half = 2 ** (bits - 1)
    return 2 * (within(round_through(scaled - 0.5), -half, half - 1) + 0.5)


def fit_steps(weight: Tensor, bits: int, grid: str, candidates: int = 40) -> Tensor:
    """(channels,) steps of least squared error among so many fractions of the largest weight."""
    weight = weight.detach()
    largest = weight.abs().flatten(1).amax(1).clamp(min=LEAST_SCALE)
    steps = torch.linspace(1 / candidates, 1.0, candidates)[:, None].to(weight) * largest
    steps = steps / _positive_range(bits, grid)
    unit = 1 if grid == "symmetric" else 0.5
    tried, repeated = steps.flatten(), weight.repeat(candidates, *[1] * (weight.ndim - 1))
    errors = quantise_weight(repeated, tried, bits, grid) * _per_channel(tried * unit, weight) - repeated
    best = errors.square().flatten(1).sum(1).reshape(steps.shape).argmin(0)
    return steps.gather(0, best[None])[0]


def within(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """x clipped to limits; the gradient passes between them and on them.

    Rounded weights lie on the limits, and there `clamp` passes a gradient up to torch 2.13, and none from 2.14 on.
    """
    return torch.where((low <= x) & (x <= high), x, x.detach().clamp(low, high))


def round_through(x: Tensor) -> Tensor:
    """Nearest integers, halves up, with the gradient of the identity."""
    return x + (torch.floor(x + 0.5) - x).detach()


def _nearest(x: Tensor, grid: str) -> Tensor:
    """Nearest integers of a grid, of values within its limits."""
    return round_through(x) if grid == "symmetric" else 2 * round_through((x - 1) / 2) + 1


def _signs(weight: Tensor) -> Tensor:
    """-1 or 1, with the gradient of the identity."""
    return weight + (torch.where(weight < 0, -1.0, 1.0) - weight).detach()


def _per_channel(values: Tensor, weight: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (weight.ndim - 1))


def _positive_range(bits: int, grid: str) -> float:
    """Qp of LSQ's formulas: how many steps a weight can be above zero."""
    return 2 ** (bits - 1) - (1 if grid == "symmetric" else 0.5)
