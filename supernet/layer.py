"""Layers: what an architecture computes, one after another. No torch here.

`layers(arch)` is the one source for building, costing, packing, running and generated code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import chain, islice
from math import inf

from supernet.arch import Arch
from supernet.errors import InvalidArch
from supernet.families import family
from supernet.ops import operator

__all__ = ["ACTIVATIONS", "LayerSpec", "Part", "Shape", "last_uses", "layers", "parts"]

Shape = tuple[int, int, int]
"""Channels, height, width; the last is time."""
ACTIVATIONS = {"none": (-inf, inf), "relu": (0.0, inf), "relu6": (0.0, 6.0), "hard_sigmoid": (0.0, 1.0)}
"""Least and largest value behind each. The hard sigmoid is x / 6 + 1 / 2 within its limits (Howard et al., ICCV 2019,
arXiv 1905.02244)."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a network; shapes are (channels, height, width), and the last axis is time.

    kind: of its operator (supernet.ops): `input`, `conv` (with batch norm), `add` (residual sum), `pool` (average over
    height and width), `scale` (the first input times the second, one factor a channel), `linear`, `memory` (of each
    channel's past so many coefficients, one below another) or `filters` (of samples). inputs: names of the layers
    that it reads. pad: zeros at (top, bottom, left, right). causal: no output sees what comes later. tap_steps: how
    far apart the taps of the supernet's kernel are that it takes, over height and width; over time the last ones
    where it is causal, over height the first ones where `first_rows`, else those in the middle. window: frames that
    a memory reaches back. activation: one of ACTIVATIONS. stride: of an input, how many coefficients and frames of
    the front end there are to each of its own. logits: whether it is the last layer, whose values have 16 bits.
    bulk: whether a first layer holds so much of the weights that it takes the bits of inner ones. cutoffs: of
    filters, whether their taps are made of two cut-offs each (see supernet.nn.filters).
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    tap_steps: tuple[int, int] = (1, 1)
    first_rows: bool = False
    window: int = 0
    causal: bool = True
    activation: str = "none"
    logits: bool = False
    bulk: bool = False
    cutoffs: bool = False
    weight_bits: int | None = None
    activation_bits: int | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest value behind the activation."""
        return ACTIVATIONS[self.activation]

    @property
    def rectified(self) -> bool:
        """True where no value is below zero."""
        return self.activation != "none"

    @cached_property
    def operator(self):
        """The supernet.ops.base.Operator of the kind, which says all about its layers."""
        return operator(self.kind)

    @property
    def has_weights(self) -> bool:
        """True where the layer multiplies by weights."""
        return self.operator.has_weights

    @property
    def value_bytes(self) -> int:
        """Bytes of one value behind the layer: one up to 8 bits, two for logits and other wide ones."""
        return 2 if self.logits or (self.activation_bits or 0) > 8 else 1

    @cached_property
    def depthwise(self) -> bool:
        """True where each channel has its own kernel."""
        return self.groups > 1 and self.groups == self.in_shape[0] == self.out_shape[0]

    @cached_property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights, outputs first; empty without any."""
        return self.operator.weight_shape(self)

    def taps(self, sizes: tuple[int, int]) -> tuple[slice, slice]:
        """Which taps it takes of a kernel of these sizes over height and width."""
        found = []
        for axis, (size, taps, step) in enumerate(zip(sizes, self.kernel, self.tap_steps, strict=True)):
            step = step if taps > 1 else 1
            spare = size - 1 - step * (taps - 1)
            first = (spare if self.causal else spare // 2) if axis == 1 else 0 if self.first_rows else spare // 2
            found.append(slice(first, first + step * (taps - 1) + 1, step))
        return found[0], found[1]

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one clip; sums, averages and scalings have none."""
        return self.operator.macs(self)

    @cached_property
    def params(self) -> int:
        """Parameters in floating point: weights, and those of a norm or biases."""
        return self.operator.params(self)


@dataclass(frozen=True, eq=False)
class Part:
    """Layers in a row that share one tensor with those before, its last.

    Networks of a population share most of their parts, so a family gives the same object for the same part. Parts are
    told apart by identity, so what is computed from one is quickly found again (`functools.cache`).
    """

    specs: tuple[LayerSpec, ...]

    def __iter__(self) -> Iterator[LayerSpec]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def __getitem__(self, index: int) -> LayerSpec:
        return self.specs[index]


@lru_cache(maxsize=4096)
def layers(arch: Arch) -> tuple[LayerSpec, ...]:
    """The layers of a network in the order in which they run, with their bits where the Arch has bits.

    Raises InvalidArch where the family cannot build it, or where the bits do not fit the layers.
    """
    return tuple(chain.from_iterable(parts(arch)))


def parts(arch: Arch) -> list[Part]:
    """The same layers in parts that networks share, so that a population is costed quickly. Raises InvalidArch."""
    found = family(arch.family).parts(arch)
    if not arch.weight_bits and not arch.activation_bits:
        return found
    counts = [_weighted(part) for part in found]
    if len(arch.weight_bits) != sum(counts) or len(arch.activation_bits) != sum(map(len, found)):
        raise InvalidArch(
            f"{len(arch.weight_bits)} weight_bits and {len(arch.activation_bits)} activation_bits do not fit "
            f"{sum(counts)} layers with weights of {sum(map(len, found))} layers; let with_bits set them"
        )
    weights, between = iter(arch.weight_bits), iter(arch.activation_bits)
    return [
        _at_bits(part, tuple(islice(weights, count)), tuple(islice(between, len(part))))
        for part, count in zip(found, counts, strict=True)
    ]


def last_uses(specs: Sequence[LayerSpec]) -> dict[str, int]:
    """The number of the last layer that reads each tensor; of one that none of them reads, its own."""
    last = {spec.name: number for number, spec in enumerate(specs)}
    last.update({name: number for number, spec in enumerate(specs) for name in spec.inputs})
    return last


@cache
def _weighted(part: Part) -> int:
    return sum(spec.has_weights for spec in part)


@cache
def _at_bits(part: Part, weight_bits: tuple[int, ...], activation_bits: tuple[int, ...]) -> Part:
    weights = iter(weight_bits)
    return Part(
        tuple(
            dataclasses.replace(spec, weight_bits=next(weights) if spec.has_weights else None, activation_bits=bits)
            for spec, bits in zip(part, activation_bits, strict=True)
        )
    )
