"""The registry of network families. A family is one file that says which layers an `Arch` has. No torch here.

To add one, write `families/NAME.py` with functions `layers(arch)` and `space(classes, clip_ms, features)`, end it with
`FAMILY = Family(...)`, and name it in `MODULES` below.
"""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache
from importlib import import_module

from supernet.errors import InvalidArch, UnknownName, nearest_names
from supernet.families.base import Family
from supernet.space import Arch, LayerSpec, Space

__all__ = ["MIXED", "Family", "families", "family", "inner_bits", "layers", "space", "with_bits"]

MODULES = ("temporal",)
MIXED = "mixed"
"""In the place of bits: they differ from layer to layer."""


def families() -> tuple[str, ...]:
    """Names of all families."""
    return MODULES


@cache
def family(name: str) -> Family:
    """The family of that name. Raises UnknownName."""
    if name not in MODULES:
        raise UnknownName(f"unknown family {name!r}: {nearest_names(name, MODULES)}")
    return import_module(f"supernet.families.{name}").FAMILY


@lru_cache(maxsize=4096)
def layers(arch: Arch) -> tuple[LayerSpec, ...]:
    """The layers of a network in the order in which they run, with their bits where the Arch has bits.

    Raises InvalidArch where the family cannot build it, or where the bits do not fit the layers.
    """
    specs = family(arch.family).layers(arch)
    if not arch.weight_bits and not arch.activation_bits:
        return specs
    weighted = [spec.name for spec in specs if spec.has_weights]
    if len(arch.weight_bits) != len(weighted) or len(arch.activation_bits) != len(specs):
        raise InvalidArch(
            f"{len(arch.weight_bits)} weight_bits and {len(arch.activation_bits)} activation_bits do not fit "
            f"{len(weighted)} layers with weights of {len(specs)} layers; let with_bits set them"
        )
    weight_bits = dict(zip(weighted, arch.weight_bits, strict=True))
    return tuple(
        spec.at_bits(weight_bits.get(spec.name), bits) for spec, bits in zip(specs, arch.activation_bits, strict=True)
    )


def space(name: str, classes: int, clip_ms: int = 1000, features: str = "mfcc") -> Space:
    """The family's default space on a kind of features, for so many classes and clips of so many ms."""
    return family(name).space(classes, clip_ms, features)


def with_bits(arch: Arch, weight: int, activation: int = 8, edge: int = 8) -> Arch:
    """The network at `weight` bits in its inner dense layers and `activation` bits between layers.

    edge: bits of the first, the last and the depthwise layers, which are few bytes and sensitive; the logits have 16.
    """
    specs = family(arch.family).layers(arch.without_bits())
    weight_bits = tuple(weight if inner else max(edge, weight) for inner in _inner(specs))
    activation_bits = (8, *(activation for _ in specs[1:-1]), 16)
    return dataclasses.replace(arch, weight_bits=weight_bits, activation_bits=activation_bits)


def inner_bits(arch: Arch) -> tuple[int | str, int | str]:
    """Bits of the weights of inner dense layers, and bits between layers; MIXED where they differ."""
    inner = _inner(layers(arch))
    weights = {bits for bits, is_inner in zip(arch.weight_bits, inner, strict=True) if is_inner}
    between = set(arch.activation_bits[1:-1])
    return tuple(bits.pop() if len(bits) == 1 else MIXED for bits in (weights, between))


def _inner(specs: tuple[LayerSpec, ...]) -> list[bool]:
    """For each layer with weights: true unless it is the first, the last or depthwise."""
    weighted = [spec for spec in specs if spec.has_weights]
    return [spec not in (weighted[0], weighted[-1]) and not spec.depthwise for spec in weighted]
