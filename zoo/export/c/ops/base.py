"""What an operator is as C: constants, a call in the step of a network, and what it keeps in a stream."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from supernet.integer.packing import pack
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec
from zoo.export.c.text import Member, array, record

__all__ = ["MULTIPLYING", "Fields", "Operator", "Step", "source", "weighted"]

MULTIPLYING = ("rows", "multiply_dsp", "multiply_plain", "multiply")
"""Files with what multiplies rows of weights."""

FOLDER = Path(__file__).parent
Fields = dict[str, int | tuple[int, ...] | np.ndarray]


@dataclass(frozen=True)
class Step:
    """A layer in one step of a network: to one answer of a stream, or over a whole clip.

    answers: of a stream that make a clip, 0 where there is none. places: of tensors, expressions of C. grid: of its
    weights. block: channels of a depthwise convolution whose weights lie together.
    """

    network: IntegerNetwork
    spec: LayerSpec
    answers: int
    places: dict[str, str]
    grid: str = ""
    block: int = 1

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
    def to(self) -> tuple[int, int, int]:
        """The zero point and the limits of what it writes."""
        activation = self.network.activations[self.spec.name]
        low, high = (end + activation.zero_point for end in activation.span(self.spec.rectified))
        return activation.zero_point, low, high

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

    def fields(self, step: Step) -> Fields:
        """The constants of a layer, by the names in `structure`: numbers, arrays of their own, and tuples within."""
        raise NotImplementedError

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """What it calls: a function, and expressions of its arguments."""
        raise NotImplementedError

    def kept(self, step: Step) -> list[Member]:
        """What a stream keeps of it: of 8 bits, or of 16, which are zeros in silence."""
        return []

    def constants(self, step: Step) -> str:
        """Definitions of its fields, in the structure `NAME_<kind>`."""
        fields, name = {**self.fields(step), "to": step.to}, step.spec.name
        arrays = {part: values for part, values in fields.items() if isinstance(values, np.ndarray)}
        text = "".join(array(f"{name}_{part}", values) for part, values in arrays.items())
        shown = {part: f"{name}_{part}" if part in arrays else _shown(value) for part, value in fields.items()}
        return text + record(f"NAME_{step.spec.kind}", f"NAME_{name}_layer", shown)

    def calls(self, step: Step) -> list[str]:
        """Statements."""
        return [f"{function}({', '.join(arguments)});" for function, *arguments in self.runs(step)]

    def state(self, step: Step) -> list[str]:
        """Members of the structure of a stream, of 8 bits."""
        return [str(member) for member in self.kept(step) if member.kind == "int8_t"]

    def wide_state(self, step: Step) -> list[str]:
        """Those of 16 bits."""
        return [str(member) for member in self.kept(step) if member.kind != "int8_t"]

    def reset(self, step: Step) -> list[str]:
        """Statements that silence members of 8 bits."""
        places = {f"self->{member.name}": member for member in self.kept(step) if member.kind == "int8_t"}
        return [f"memset({place}, {member.silence}, sizeof({place}));" for place, member in places.items()]

    def work(self, step: Step) -> dict[str, int]:
        """Sizes of what its functions work in, by macro; the largest of all layers holds."""
        return {}


def source(name: str) -> str:
    """The text of a file beside this one."""
    return (FOLDER / f"{name}.c").read_text()


def weighted(step: Step, rows: list[np.ndarray]) -> Fields:
    """The first constants of a layer with weights. rows: of weights, each starts at a byte."""
    spec, tensors = step.spec, step.tensors
    return {
        "weights": np.concatenate([pack(row, spec.weight_bits, step.grid) for row in rows]),
        "bias": tensors.bias.astype(np.int32),
        "multiplier": tensors.multiplier.astype(np.int32),
        "shift": tensors.shift.astype(np.uint8),
        "bits": spec.weight_bits,
        "odd": int(step.grid == "odd"),
        "in_zero": step.zeros[0],
    }


def _shown(value: int | tuple[int, ...]) -> int | str:
    return f"{{{', '.join(map(str, value))}}}" if isinstance(value, tuple) else value


def map_size(spec: LayerSpec) -> int:
    """Values of a frame of what a layer reads."""
    return prod(spec.in_shape[:2])
