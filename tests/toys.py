"""A family, an operator and a front end of the tests' own: each in as few lines as a new one takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from supernet.arch import Arch
from supernet.families import family
from supernet.families.base import Family, ending
from supernet.frontend import front_end
from supernet.frontend.mel import MelFrontEnd
from supernet.layer import LayerSpec, Part
from supernet.nn import frontend as torch_frontends
from supernet.nn import ops as torch_ops
from supernet.ops import operator
from supernet.ops.base import Operator, encode_multiplier, requantise
from supernet.schemas import whole
from supernet.space import Gene, Slot, Space, tuples

__all__ = ["toys"]


class Magnitude(Operator):
    """|x|."""

    def multipliers(self, spec, inputs, output):
        return encode_multiplier(np.array([inputs[0] / output]))

    def bound(self, spec, tensors, reaches):
        return reaches[0]

    def run(self, spec, ready, inputs):
        return requantise(np.abs(inputs[0]), ready)


class TorchMagnitude(torch_ops.Twin):
    def preactivation(self, spec, inputs, tensors, training):
        return inputs[0].abs()

    def totals(self, spec, inputs, weight=None):
        return [inputs[0].abs()]


@dataclass(frozen=True)
class Width:
    """The shape of a network of one convolution."""

    width: int

    def __str__(self) -> str:
        return f"{self.width} wide"

    def to_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values):
        return cls(**values)


@dataclass(frozen=True)
class Widths:
    """Its choices."""

    widths: tuple[int, ...]

    @property
    def genes(self):
        return (Gene("width", self.widths, "width"),)

    @property
    def slots(self):
        genes = ("coefficients", "step_ms", "width")
        return Slot(genes), Slot(genes)

    def decode(self, values):
        return Width(values[0])

    def encode(self, shape):
        return [shape.width]

    def shrink(self, keep):
        return Widths(keep("width", self.widths))

    def to_dict(self):
        return {"widths": list(self.widths)}

    @classmethod
    def from_dict(cls, values):
        return cls(**tuples(values))


def parts(arch: Arch) -> list[Part]:
    """Input, a convolution over five frames, its magnitude; average and classifier."""
    ratio, rows = arch.features.step_ms // 10, arch.features.coefficients
    shape, out = (rows, 1, arch.frames), (arch.shape.width, 1, arch.frames)
    read = LayerSpec("input", "input", (), (rows, 1, ratio * arch.frames), shape, stride=(1, ratio))
    conv = LayerSpec("conv", "conv", ("input",), shape, out, kernel=(1, 5), pad=(0, 0, 4, 0))
    size = LayerSpec("magnitude", "magnitude", ("conv",), out, out)
    head = LayerSpec("head", "conv", ("magnitude",), out, (16, 1, arch.frames), activation="relu")
    return [Part((read, conv, size)), ending(head, arch.classes)]


def space(classes: int, clip_ms: int, features: str) -> Space:
    return Space("toy", classes, clip_ms, (20, 40), (10, 20), Widths((8, 16, 24)), features)


FAMILY = Family(
    "toy", parts, space, True, Width, Widths, {"width": whole("Width", "In channels.", 1, 100)}, ("energies",)
)


@dataclass(frozen=True)
class Energies(MelFrontEnd):
    """Log-mels turned upside down, of all bands."""

    kind: ClassVar[str] = "energies"

    @property
    def chosen_mels(self):
        return slice(None, None if self.coefficients == self.mels else self.mels - 1 - self.coefficients, -1)

    def _chosen(self, values, coefficients):
        return values[:coefficients]


class TorchEnergies(torch_frontends.TorchMel):
    def _transform(self, log_mel):
        return torch.flip(log_mel, (1,))[:, : self.frontend.coefficients]


@contextmanager
def toys() -> Iterator[None]:
    """Register all three for a while."""
    family.register("toy", FAMILY)
    operator.register("magnitude", Magnitude())
    front_end.register("energies", Energies)
    torch_ops.TWINS["magnitude"], torch_frontends.TWINS["energies"] = TorchMagnitude(), TorchEnergies
    try:
        yield
    finally:
        family.forget("toy"), operator.forget("magnitude"), front_end.forget("energies")
        del torch_ops.TWINS["magnitude"], torch_frontends.TWINS["energies"]
