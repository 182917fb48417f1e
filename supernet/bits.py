"""Bits of a network: how many its weights and the values between its layers have. No torch here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from supernet.arch import Arch
from supernet.layer import LayerSpec, layers

__all__ = ["FLOAT_BITS", "MIXED", "inner_bits", "inner_layers", "with_bits"]

FLOAT_BITS = 32
"""What weights in floating point have."""
MIXED = "mixed"
"""In the place of bits: they differ from layer to layer."""


def with_bits(arch: Arch, weight: int, activation: int = 8, edge: int = 8) -> Arch:
    """The network at `weight` bits in its inner dense layers and `activation` bits between layers.

    edge: bits of the first, the last and the depthwise layers, which are few bytes and sensitive; the logits have 16.
    """
    specs = layers(arch.without_bits())
    weight_bits = tuple(weight if inner else max(edge, weight) for inner in inner_layers(specs))
    activation_bits = (8, *(activation for _ in specs[1:-1]), 16)
    return dataclasses.replace(arch, weight_bits=weight_bits, activation_bits=activation_bits)


def inner_bits(arch: Arch) -> tuple[int | str, int | str]:
    """Bits of the weights of inner dense layers, and bits between layers; MIXED where they differ."""
    inner = inner_layers(layers(arch))
    weights = {bits for bits, is_inner in zip(arch.weight_bits, inner, strict=True) if is_inner}
    between = set(arch.activation_bits[1:-1])
    return tuple(bits.pop() if len(bits) == 1 else MIXED for bits in (weights, between))


def inner_layers(specs: Sequence[LayerSpec]) -> list[bool]:
    """For each layer with weights: true unless it is the first, the last or depthwise; a first one of many weights is
    an inner one.
    """
    weighted = [spec for spec in specs if spec.has_weights]
    edges = weighted[-1:] if weighted[0].bulk else (weighted[0], weighted[-1])
    return [spec not in edges and not spec.depthwise for spec in weighted]
