"""What a family of networks is. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supernet.space import Arch, Part, Space

__all__ = ["Family"]


@dataclass(frozen=True)
class Family:
    """A family: its layers from an Arch, its default space from (classes, clip_ms, features), whether it can stream.

    parts: the layers in the order in which they run, in parts that it keeps, so that networks share them.
    """

    name: str
    parts: Callable[[Arch], list[Part]]
    space: Callable[[int, int, str], Space]
    streamable: bool
