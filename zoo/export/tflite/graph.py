"""A graph of TFLite as plain values: tensors and nodes, before they are bytes (`file`) or run (`emulate`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

__all__ = ["LIMITS", "TYPES", "Graph", "Node", "Tensor"]

TYPES = {
    "int4": np.int8,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "resource": np.int32,
}
"""Types of tensors, and in which NumPy holds their values; two of 4 bits are one byte in a file."""
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
"""Least and largest integer of what layers write."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor by its identity. shape: batch, frames, height, channels of a map. scale: float32, one or, of weights,
    one a channel along `axis`. data: of a constant.
    """

    shape: tuple[int, ...]
    kind: str
    scale: np.ndarray | None = None
    zero_point: int = 0
    name: str = ""
    data: np.ndarray | None = None
    axis: int = 0

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.shape)

    @property
    def step(self) -> np.float32:
        """The scale of all its values."""
        return self.scale[0]


@dataclass(frozen=True, eq=False)
class Node:
    """An operator of TFLite by its name in the schema. options: fields of its options, by their names in the schema."""

    op: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Graph:
    """Nodes in the order in which they run; what they read first and write last are its inputs and outputs."""

    name: str
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def add(self, op: str, inputs: tuple, output: Tensor | None, **options: Any) -> Tensor | None:
        """Append a node with one output, or none; gives the output."""
        self.nodes.append(Node(op, tuple(inputs), () if output is None else (output,), options))
        return output

    @property
    def tensors(self) -> list[Tensor]:
        """Each once, in the order in which they are met."""
        met = [*self.inputs, *(one for node in self.nodes for one in (*node.inputs, *node.outputs)), *self.outputs]
        return list(dict.fromkeys(one for one in met if one is not None))
