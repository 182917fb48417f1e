"""What a family of networks is. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supernet.arch import Arch, NetworkShape
from supernet.layer import LayerSpec, Part
from supernet.space import ShapeChoices, Space

__all__ = ["KEPT_PARTS", "Family", "ending"]

KEPT_PARTS = 65_536
"""Parts of each kind that a family keeps: more than a space has."""


@dataclass(frozen=True)
class Family:
    """A family of networks.

    parts: the layers of an Arch in the order in which they run, in parts that the family keeps, so that networks share
    them. space: its default space from (classes, clip_ms, features). streamable: whether it can answer in a stream.
    shape, choices: the types of `Arch.shape` and `Space.shapes`. schema: JSON schemas of the values of a shape by name.
    features: the kinds that its default spaces are on. notice: what the licence of a model does not say, for its card.
    """

    name: str
    parts: Callable[[Arch], list[Part]]
    space: Callable[[int, int, str], Space]
    streamable: bool
    shape: type[NetworkShape]
    choices: type[ShapeChoices]
    schema: dict
    features: tuple[str, ...] = ("mfcc", "logmel")
    notice: str = ""


def ending(head: LayerSpec, classes: int) -> Part:
    """The last part of a network: its head, the average over height and time, and the classifier."""
    mean, causal = (head.out_shape[0], 1, 1), head.causal
    pool = LayerSpec("pool", "pool", (head.name,), head.out_shape, mean, causal=causal)
    return Part(
        (head, pool, LayerSpec("classifier", "linear", (pool.name,), mean, (classes, 1, 1), causal=causal, logits=True))
    )
