"""What an operator is as C: constants, a call in the step of a network, and what it keeps in a stream."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from supernet.integer.packing import pack
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec
from zoo.export.c.text import array, record

__all__ = ["MULTIPLYING", "Operator", "Step", "source", "weighted"]

MULTIPLYING = ("rows", "multiply_dsp", "multiply_plain", "multiply")
"""Files with what multiplies rows of weights."""

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Step:
    """A layer in one step of a network: to one answer of a stream, or over a whole clip.

    answers: of a stream that make a clip, 0 where there is none. places: of tensors, expressions of C. grid: of its
    weights.
    """

    network: IntegerNetwork
    spec: LayerSpec
    answers: int
    places: dict[str, str]
    grid: str = ""

    @property
    def streams(self) -> bool:
        """Whether frames come one after another."""
        return self.answers > 0

    @property
    def frames(self) -> int:
        """Of its input."""
        return -(-self.spec.in_shape[2] // max(1, self.answers))

    @property
    def out_frames(self) -> int:
        """Of its output."""
        return -(-self.spec.out_shape[2] // max(1, self.answers))

    @property
    def inputs(self) -> list[str]:
        """Expressions of what it reads."""
        return [self.places[name] for name in self.spec.inputs]

    @property
    def out(self) -> str:
        """That of what it writes."""
        return self.places[self.spec.name]

    @property
    def zeros(self) -> list[int]:
        """The zero points of what it reads."""
        return [self.network.activations[name].zero_point for name in self.spec.inputs]

    @property
    def tensors(self):
        """The IntegerLayer."""
        return self.network.tensors[self.spec.name]

    @property
    def to(self) -> str:
        """The zero point and the limits of what it writes."""
        activation = self.network.activations[self.spec.name]
        low, high = (end + activation.zero_point for end in activation.span(self.spec.rectified))
        return f"{{{activation.zero_point}, {low}, {high}}}"

    def record(self, fields: dict) -> str:
        """The definition of its constants, of the structure `NAME_<kind>`."""
        return record(f"NAME_{self.spec.kind}", f"NAME_{self.spec.name}_layer", {**fields, "to": self.to})

    @property
    def layer(self) -> str:
        """The address of its constants."""
        return f"&NAME_{self.spec.name}_layer"


class Operator:
    """One kind of layer. structure: of its constants, fields of C."""

    structure = ""

    def functions(self, step: Step) -> tuple[str, ...]:
        """The files with the functions that it calls, in their order."""
        raise NotImplementedError

    def constants(self, step: Step) -> str:
        """Definitions."""
        raise NotImplementedError

    def calls(self, step: Step) -> list[str]:
        """Statements."""
        raise NotImplementedError

    def state(self, step: Step) -> list[str]:
        """Members of the structure of a stream, of 8 bits."""
        return []

    def wide_state(self, step: Step) -> list[str]:
        """Those of 16 bits, which are zeros in silence."""
        return []

    def reset(self, step: Step) -> list[str]:
        """Statements that silence members of 8 bits."""
        return []

    def work(self, step: Step) -> dict[str, int]:
        """Sizes of what its functions work in, by macro; the largest of all layers holds."""
        return {}


def source(name: str) -> str:
    """The text of a file beside this one."""
    return (FOLDER / f"{name}.c").read_text()


def weighted(step: Step, rows: list[np.ndarray]) -> tuple[str, dict]:
    """The arrays of a layer with weights, and the constants that name them. rows: of weights, each starts at a byte."""
    spec, tensors, name = step.spec, step.tensors, step.spec.name
    arrays = {
        "weights": np.concatenate([pack(row, spec.weight_bits, step.grid) for row in rows]),
        "bias": tensors.bias.astype(np.int32),
        "multiplier": tensors.multiplier.astype(np.int32),
        "shift": tensors.shift.astype(np.uint8),
    }
    text = "".join(array(f"{name}_{part}", values) for part, values in arrays.items())
    fields = {part: f"{name}_{part}" for part in arrays}
    fields |= {"bits": spec.weight_bits, "odd": int(step.grid == "odd"), "in_zero": step.zeros[0]}
    return text, fields


def map_size(spec: LayerSpec) -> int:
    """Values of a frame of what a layer reads."""
    return prod(spec.in_shape[:2])
