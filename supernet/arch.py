"""Architectures: everything that fixes a network's computation. No torch here.

An `Arch` states the family, what features the network reads, its classes and bits, and its `shape`, a frozen dataclass
that the family owns. `supernet.layer` turns it into layers. In JSON the values of the shape stand beside the others.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from reprlib import repr as short_repr
from typing import Any, Protocol

from supernet.errors import InvalidArch
from supernet.families import family
from supernet.files import canonical_json, digest
from supernet.whole import is_whole, with_plain_numbers

__all__ = ["Arch", "FeatureSpec", "NetworkShape", "check", "check_choices", "check_int", "plain"]

MAX_FRAMES, MAX_CLASSES, MAX_COEFFICIENTS, MAX_STEP_MS = 10_000, 10_000, 320, 1000
"""Far more than any device of the zoo takes, so that an architecture from elsewhere is refused before anything is built
from it."""


class NetworkShape(Protocol):
    """What a family's networks differ in, beside features, classes and bits: a frozen dataclass that checks itself."""

    def __str__(self) -> str:
        """In one line, for people."""

    def to_dict(self) -> dict:
        """Plain values for JSON, under names that an Arch does not have itself."""

    @classmethod
    def from_dict(cls, values: dict) -> NetworkShape:
        """The shape of `to_dict`. Raises KeyError, TypeError, AttributeError or InvalidArch for wrong values."""


@dataclass(frozen=True)
class FeatureSpec:
    """Which features a network reads: of the front end `kind`, one frame each `step_ms`.

    coefficients: the first so many of `mfcc`, or so many of all `logmel`, each second one, for example.
    """

    kind: str = "mfcc"
    coefficients: int = 40
    step_ms: int = 10


@dataclass(frozen=True)
class Arch:
    """A network, complete: equal values are the same network and have the same digest everywhere.

    frames: input frames of one clip at the features' own step. shape: of the family's own type.
    weight_bits: one entry for each layer with weights, in the order of `layers(arch)`; empty for a float network.
    activation_bits: one entry for each layer of `layers(arch)`, input first; empty for a float network.
    Raises InvalidArch where a value is outside what any family can build.
    """

    family: str
    features: FeatureSpec
    frames: int
    classes: int
    shape: NetworkShape
    weight_bits: tuple[int, ...] = ()
    activation_bits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_family(self.family)
        for name in ("features", "frames", "classes", "weight_bits", "activation_bits"):
            object.__setattr__(self, name, with_plain_numbers(getattr(self, name)))
        check_int("features.coefficients", self.features.coefficients, 1, MAX_COEFFICIENTS)
        check_int("features.step_ms", self.features.step_ms, 1, MAX_STEP_MS)
        check_int("frames", self.frames, 1, MAX_FRAMES)
        check_int("classes", self.classes, 2, MAX_CLASSES)
        for name, low in (("weight_bits", 1), ("activation_bits", 2)):
            for bits in getattr(self, name):
                check_int(name, bits, low, 16)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hex digits."""
        return digest(self.to_dict())

    def to_dict(self) -> dict:
        """Plain values for JSON, those of the shape among them; `Arch.from_dict` gives the equal Arch back."""
        own = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "shape"}
        return {**plain({**own, "features": dataclasses.asdict(self.features)}), **self.shape.to_dict()}

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical_json(self.to_dict())

    @classmethod
    def from_dict(cls, values: dict) -> Arch:
        """The Arch of `to_dict`. Raises InvalidArch for unknown, missing or wrong fields, UnknownName for a family that
        nobody registered.
        """
        try:
            names = {item.name for item in dataclasses.fields(cls)} - {"shape"}
            _check_family(values["family"])
            shape = family(values["family"]).shape.from_dict({k: v for k, v in values.items() if k not in names})
            own = {key: value for key, value in values.items() if key in names}
            bits = {name: tuple(values.get(name, ())) for name in ("weight_bits", "activation_bits")}
            return cls(**{**own, "features": FeatureSpec(**values["features"]), "shape": shape, **bits})
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidArch(f"not an architecture: {error}; write one with Arch.to_json") from None

    @classmethod
    def from_json(cls, text: str) -> Arch:
        """The Arch of `to_json`. Raises InvalidArch, UnknownName."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidArch(f"not an architecture: {error}; write one with Arch.to_json") from None
        return cls.from_dict(values)

    def without_bits(self) -> Arch:
        """The float network that this one quantises: the key of float weights."""
        return dataclasses.replace(self, weight_bits=(), activation_bits=())

    def with_classes(self, classes: int) -> Arch:
        """The same trunk with a head for another number of classes."""
        return dataclasses.replace(self, classes=classes)


def plain(value: Any) -> Any:
    """Dictionaries and lists where there are mappings and tuples, for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def check(valid: bool, name: str, value: Any, wanted: str) -> None:
    """Raise InvalidArch with name, value and what is wanted, unless `valid`."""
    if not valid:
        raise InvalidArch(f"{name} = {short_repr(value)} is not possible: give {wanted}")


def check_int(name: str, value: Any, low: int, high: int) -> None:
    """Raise InvalidArch unless the value is a whole number within limits."""
    check(
        (type(value) is int and low <= value <= high) or is_whole(value, low, high),
        name,
        value,
        f"a whole number from {low} to {high}",
    )


def check_choices(name: str, choices: Sequence[int], most: int) -> None:
    """Raise InvalidArch unless the choices are positive, sorted, different and at most `most`."""
    whole = all(is_whole(choice, 1, most) for choice in choices)
    valid = choices and whole and list(choices) == sorted(set(choices))
    check(valid, name, choices, f"whole numbers from 1 to {most}, sorted, without repeats and not empty")


def _check_family(name: Any) -> None:
    check(isinstance(name, str) and name.isidentifier(), "family", name, "a plain name")
