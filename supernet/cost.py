"""What a network costs, exactly, from its layers alone. No torch here.

Bytes are those of `model.safetensors` as packed: weights at their bits, and for each output channel an int32 bias, an
int32 multiplier and a uint8 shift. A float network's are 4 bytes a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from supernet.families import layers
from supernet.space import Arch, LayerSpec, Space

__all__ = [
    "LayerCost",
    "layer_bytes",
    "layer_costs",
    "macs",
    "mean_bits",
    "packed_bytes",
    "params",
    "space_macs",
    "weight_bytes",
]

RESCALE_BYTES = 4 + 1
"""An int32 multiplier and a uint8 shift."""


@dataclass(frozen=True)
class LayerCost:
    """One layer's row of the bill: multiply-accumulates of one clip, parameters, and bytes of weights."""

    name: str
    kind: str
    macs: int
    params: int
    weight_bytes: int


def macs(arch: Arch) -> int:
    """Multiply-accumulates for one clip, the front end's not counted."""
    return sum(spec.macs for spec in layers(arch))


def params(arch: Arch) -> int:
    """Weights, norms' scales and offsets, and biases."""
    return sum(spec.params for spec in layers(arch))


def weight_bytes(arch: Arch) -> int:
    """Bytes of all tensors of the network: packed where the Arch has bits, else 4 a parameter."""
    return sum(layer_bytes(spec) for spec in layers(arch))


def mean_bits(arch: Arch) -> tuple[float, float]:
    """Of a weight, and of a value between layers; features and logits are not counted."""
    specs = layers(arch)
    weights = np.average(arch.weight_bits, weights=[prod(spec.weight_shape) for spec in specs if spec.has_weights])
    between = np.average(arch.activation_bits[1:-1], weights=[prod(spec.out_shape) for spec in specs[1:-1]])
    return float(weights), float(between)


def packed_bytes(values: int, bits: int) -> int:
    """Bytes of so many values packed densely."""
    return -(-values * bits // 8)


def layer_bytes(spec: LayerSpec) -> int:
    """Bytes of one layer's tensors."""
    if spec.activation_bits is None:
        return 4 * spec.params
    if spec.has_weights:
        return packed_bytes(prod(spec.weight_shape), spec.weight_bits) + spec.out_shape[0] * (4 + RESCALE_BYTES)
    return {"input": 0, "add": 4 + RESCALE_BYTES, "pool": RESCALE_BYTES}[spec.kind]


def layer_costs(arch: Arch) -> list[LayerCost]:
    """The bill layer by layer; its sums are `macs`, `params` and `weight_bytes`."""
    return [LayerCost(spec.name, spec.kind, spec.macs, spec.params, layer_bytes(spec)) for spec in layers(arch)]


def space_macs(space: Space, genes: np.ndarray) -> np.ndarray:
    """(count,) MACs of the networks of (count, genes)."""
    return np.array([macs(arch) for arch in space.from_genes(genes)])
