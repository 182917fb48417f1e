"""What a family of networks is. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supernet.space import Arch, LayerSpec, Space

__all__ = ["Family"]


@dataclass(frozen=True)
class Family:
    """A family: its layers from an Arch, its default space from (classes, clip_ms, features), whether it can stream."""

    name: str
    layers: Callable[[Arch], tuple[LayerSpec, ...]]
    space: Callable[[int, int, str], Space]
    streamable: bool
