"""The registry of network families. A family is one file that says which layers an `Arch` has. No torch here.

To add one, write `families/NAME.py` with functions `parts(arch)` and `space(classes, clip_ms, features)`, end it with
`FAMILY = Family(...)`, and name it in `MODULES` below.
"""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache
from importlib import import_module
from itertools import chain, islice

from supernet.errors import InvalidArch, UnknownName, nearest_names
from supernet.families.base import Family
from supernet.space import Arch, LayerSpec, Part, Space

__all__ = ["FLOAT_BITS", "MIXED", "Family", "families", "family", "inner_bits", "layers", "parts", "space", "with_bits"]

MODULES = ("temporal", "mbconv")
FLOAT_BITS = 32
"""What weights in floating point have."""
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
    return tuple(chain.from_iterable(parts(arch)))


def parts(arch: Arch) -> list[Part]:
    """The same layers in parts that networks share, so that a population is costed quickly. Raises InvalidArch."""
    found = family(arch.family).parts(arch)
    if not arch.weight_bits and not arch.activation_bits:
        return found
    counts = [part.kept(_weighted) for part in found]
    if len(arch.weight_bits) != sum(counts) or len(arch.activation_bits) != sum(map(len, found)):
        raise InvalidArch(
            f"{len(arch.weight_bits)} weight_bits and {len(arch.activation_bits)} activation_bits do not fit "
            f"{sum(counts)} layers with weights of {sum(map(len, found))} layers; let with_bits set them"
        )
    weights, between = iter(arch.weight_bits), iter(arch.activation_bits)
    return [
        part.kept(_at_bits, tuple(islice(weights, count)), tuple(islice(between, len(part))))
        for part, count in zip(found, counts, strict=True)
    ]


def _weighted(part: Part) -> int:
    return sum(spec.has_weights for spec in part)


def _at_bits(part: Part, weight_bits: tuple[int, ...], activation_bits: tuple[int, ...]) -> Part:
    weights = iter(weight_bits)
    return Part(
        dataclasses.replace(spec, weight_bits=next(weights) if spec.has_weights else None, activation_bits=bits)
        for spec, bits in zip(part, activation_bits, strict=True)
    )


def space(name: str, classes: int, clip_ms: int = 1000, features: str = "mfcc") -> Space:
    """The family's default space on a kind of features, for so many classes and clips of so many ms."""
    return family(name).space(classes, clip_ms, features)


def with_bits(arch: Arch, weight: int, activation: int = 8, edge: int = 8) -> Arch:
    """The network at `weight` bits in its inner dense layers and `activation` bits between layers.

    edge: bits of the first, the last and the depthwise layers, which are few bytes and sensitive; the logits have 16.
    """
    specs = layers(arch.without_bits())
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
