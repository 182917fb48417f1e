"""Small random networks of integers, of every kind of layer, width and grid, and a family that reads any front end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.families import family
from supernet.families.base import Family, ending
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.families.dense import DenseChoices
from supernet.families.lmu import MemoryChoices
from supernet.families.sinc import FilterChoices
from supernet.integer.form import Activation, IntegerLayer
from supernet.integer.packing import grid_limit
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, Part, layers
from supernet.ops.base import encode_multiplier
from supernet.space import Space

__all__ = ["GRIDS", "SPACES", "random_network", "row_family", "row_network", "small_network"]

GRIDS = [(bits, "odd") for bits in range(1, 8)] + [(bits, "symmetric") for bits in range(2, 9)]
"""Bits of weights, and what they stand for."""
ROWS = (StageChoices((8, 16), (1, 2), (3, 5, 9), (1, 2)), StageChoices((8, 16), (1, 2), (3, 7), (1, 3)))
MAPS = (*ROWS, StageChoices((8, 16), (1, 2), (3, 7), (1, 3)))
SQUARES = (
    StageChoices((8, 16), (1, 2), (3, 5, 7), (1, 2), 2),
    StageChoices((8, 16), (1, 2), (3, 7), (1, 3), 2, (False, True)),
)
MEMORIES = MemoryChoices((1, 2), (3, 8), (1, 5, 6), (40, 100), (8, 16), (16, 32))
FILTERS = (8, 24), (24, 200, 256), 16, "taps"
SPACES = {
    "rows": Space("temporal", 4, 200, (20,), (10,), BlockChoices((8, 16), ROWS, (16, 32))),
    "maps": Space("temporal", 4, 200, (16,), (10,), BlockChoices((8, 16), MAPS, (16, 32)), "logmel"),
    "samples": Space("sinc", 4, 200, (320,), (10,), FilterChoices((8, 16), ROWS, (16, 32), *FILTERS), "raw"),
    "clips": Space("mbconv", 4, 200, (20,), (10,), BlockChoices((8, 16), SQUARES, (16, 32)), "logmel"),
    "memories": Space("lmu", 4, 200, (20,), (10,), MEMORIES),
    "contexts": Space("dense", 4, 200, (20,), (10,), DenseChoices((40, 120, 200, 280), 40, (8,), (1, 2), (8,), (16,))),
}
"""Of streams over rows of features, over maps of them, and over samples; of whole clips; of streams with linear
memories, and over contexts."""
KINDS = {"rows": {"add"}, "maps": {"add"}, "samples": {"filters"}, "clips": {"add", "scale"}, "memories": {"memory"},
         "contexts": set()}  # fmt: skip
SPREAD, LOGIT_SPREAD = 40, 4000
"""Of what layers write, about, in steps of 8 and of 16 bits."""
LOGARITHM, LOGARITHM_SPREAD = 12 << 16, 3 << 16
"""Of noise behind filters, about."""


def small_network(name: str, bits: int, grid: str, activation: int = 8) -> IntegerNetwork:
    """A network of one of SPACES with the layers that make it hard: all of its weights of `bits` on a grid."""
    rng = np.random.default_rng([bits, grid == "odd", activation])
    while True:
        [arch] = SPACES[name].from_genes(SPACES[name].sample(rng))
        if KINDS[name] <= {spec.kind for spec in layers(arch)}:
            return random_network(with_bits(arch, bits, activation, edge=bits), grid, rng)


def random_network(arch: Arch, grid: str, rng: np.random.Generator) -> IntegerNetwork:
    """A network of random integers that uses the range of each tensor. grid: of all weights."""
    scales, tensors, activations = {}, {}, {}
    for spec in layers(arch):
        inputs = [scales[name] for name in spec.inputs]
        scales[spec.name] = _scale(spec, inputs, rng)
        activations[spec.name] = Activation(scales[spec.name], _zero_point(spec, rng), spec.activation_bits)
        if spec.has_weights:
            tensors[spec.name] = _weighted(spec, grid, rng)
        elif spec.inputs:
            tensors[spec.name] = IntegerLayer.unweighted(spec, inputs, scales[spec.name])
    return IntegerNetwork(arch, tensors, activations)


def _scale(spec: LayerSpec, inputs: list[float], rng: np.random.Generator) -> float:
    if spec.kind == "pool":
        return 0.2 * inputs[0]
    if spec.kind == "memory":
        return 0.5 * inputs[0]
    if spec.kind == "scale":
        return SPREAD * prod(inputs)
    return 1.3 * max(inputs) if spec.kind == "add" else 2.0 ** rng.uniform(-6, -4)


def _zero_point(spec: LayerSpec, rng: np.random.Generator) -> int:
    half = 2 ** (spec.activation_bits - 1)
    if not spec.inputs or spec.logits:
        return 0
    return int(rng.integers(-half, -half // 2) if spec.rectified else rng.integers(-half // 3, half // 3 + 1))


def _weighted(spec: LayerSpec, grid: str, rng: np.random.Generator) -> IntegerLayer:
    limit = grid_limit(spec.weight_bits, grid)
    values = np.arange(-limit, limit + 1, 2 if grid == "odd" else 1)
    weight = rng.choice(values, spec.weight_shape).astype(np.int8)
    logarithms = spec.kind == "filters"
    sums = SPREAD * sqrt(weight[0].size) * sqrt(np.square(values.astype(float)).mean())
    sums = LOGARITHM_SPREAD if logarithms else sums
    wanted = LOGIT_SPREAD if spec.logits else SPREAD * 2.0 ** (spec.activation_bits - 8)
    multiplier, shift = encode_multiplier(wanted / sums * rng.uniform(0.5, 2, len(weight)))
    bias = rng.integers(-int(sums), int(sums) + 1, len(weight)) - LOGARITHM * logarithms
    return IntegerLayer(multiplier, shift, weight, bias.astype(np.int32))


@dataclass(frozen=True)
class Width:
    """The shape of a network of the family `row`. ahead: it hears what comes, so it answers on whole clips."""

    width: int
    ahead: bool

    def to_dict(self) -> dict:
        """Plain values."""
        return {"width": self.width, "ahead": self.ahead}


def _parts(arch: Arch) -> list[Part]:
    """Input, a convolution over five frames, another over one; average and classifier."""
    ratio, rows, causal = arch.features.step_ms // 10, arch.features.coefficients, not arch.shape.ahead
    shape, out = (rows, 1, arch.frames), (arch.shape.width, 1, arch.frames)
    read = LayerSpec("input", "input", (), (rows, 1, ratio * arch.frames), shape, stride=(1, ratio), causal=causal)
    pad = (0, 0, 4, 0) if causal else (0, 0, 2, 2)
    conv = LayerSpec("conv", "conv", ("input",), shape, out, kernel=(1, 5), pad=pad, causal=causal)
    head = LayerSpec("head", "conv", ("conv",), out, (16, 1, arch.frames), activation="relu", causal=causal)
    return [Part((read, conv)), ending(head, arch.classes)]


@contextmanager
def row_family() -> Iterator[None]:
    """Register the family `row` for a while: it reads any front end."""
    family.register("row", Family("row", _parts, None, True, Width, None, {}))
    try:
        yield
    finally:
        family.forget("row")


def row_network(frontend, seed: int = 0, ahead: bool = False) -> IntegerNetwork:
    """A network of the family `row` over 400 ms of a front end, with weights of 4 bits; see `Width`."""
    features = FeatureSpec(frontend.kind, frontend.coefficients, frontend.step_ms)
    arch = Arch("row", features, 400 // frontend.step_ms, 4, Width(8, ahead))
    return random_network(with_bits(arch, 4, edge=4), "symmetric", np.random.default_rng(seed))
