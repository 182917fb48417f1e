"""C as text: constants and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

__all__ = ["Member", "array", "defines", "quoted", "record"]

WIDTH = 112
TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
         "uint32": "uint32_t"}  # fmt: skip
LEAST = -(2**31)
GLUE = "\0"
"""A space at which no line ends."""


@dataclass(frozen=True)
class Member:
    """An array in the structure of a stream or of clips.

    kind: its type in C. count: values. size: how C writes that, where it is no plain number. silence: what its bytes
    are before the first sample.
    """

    kind: str
    name: str
    count: int
    size: str = ""
    silence: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.name}[{self.size or self.count}];"


def _lines(values: Sequence[int] | np.ndarray) -> str:
    """Numbers in lines, indented."""
    shown = ", ".join("INT32_MIN" if value == LEAST else str(int(value)) for value in np.ravel(values))
    return "\n".join(f"    {line}" for line in wrap(shown, WIDTH))


def array(name: str, values: np.ndarray) -> str:
    """The definition of a constant array, of one dimension or two."""
    kind, sizes = TYPES[values.dtype.name], "".join(f"[{size}]" for size in values.shape)
    if values.ndim == 1:
        return f"static const {kind} {name}{sizes} = {{\n{_lines(values)}\n}};\n"
    rows = ",\n".join(f"    {{\n{_lines(row)}\n    }}" for row in values)
    return f"static const {kind} {name}{sizes} = {{\n{rows}\n}};\n"


def record(kind: str, name: str, fields: Mapping[str, Any]) -> str:
    """The definition of a constant structure."""
    shown = ", ".join(f".{field}{GLUE}={GLUE}{value}" for field, value in fields.items())
    lines = "\n".join(f"    {line}" for line in wrap(shown, WIDTH)).replace(GLUE, " ")
    return f"const {kind} {name} = {{\n{lines}\n}};\n"


def defines(values: Mapping[str, int | str], about: Mapping[str, str] | None = None) -> str:
    """Macros of a model, a line each. about: what some of them are."""
    notes = {name: f" /* {note} */" for name, note in (about or {}).items()}
    return "".join(f"#define NAME_{name} {value}{notes.get(name, '')}\n" for name, value in values.items())


def quoted(text: str) -> str:
    """A string literal: what is not a plain sign of ASCII, as octal numbers of its bytes in UTF-8."""
    plain = (chr(one) if 32 <= one < 127 and chr(one) not in '"\\?' else f"\\{one:03o}" for one in text.encode())
    return f'"{"".join(plain)}"'
