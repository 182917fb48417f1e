"""What a family of networks is. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supernet.space import Arch, LayerSpec, Part, Space

__all__ = ["Family", "ending"]


@dataclass(frozen=True)
class Family:
    """A family: its layers from an Arch, its default space from (classes, clip_ms, features), whether it can stream.

    parts: the layers in the order in which they run, in parts that it keeps, so that networks share them.
    """

    name: str
    parts: Callable[[Arch], list[Part]]
    space: Callable[[int, int, str], Space]
    streamable: bool


def ending(head: LayerSpec, classes: int) -> Part:
    """The last part of a network: its head, the average over height and time, and the classifier."""
    mean, causal = (head.out_shape[0], 1, 1), head.causal
    pool = LayerSpec("pool", "pool", (head.name,), head.out_shape, mean, causal=causal)
    return Part([head, pool, LayerSpec("classifier", "linear", (pool.name,), mean, (classes, 1, 1), causal=causal)])
