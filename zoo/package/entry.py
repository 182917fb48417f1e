"""What the index of a hub says of a model. No torch here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supernet.bits import MIXED
from supernet.errors import InvalidPackage

__all__ = [
    "BASES",
    "MEASURED",
    "PREDICTED",
    "Entry",
    "forbids_commerce",
    "is_safe_name",
    "possible",
]

MEASURED, PREDICTED = BASES = "measured", "predicted"
"""How a figure came about."""
Rate = float
"""An amount of 0 or more."""
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
PATTERNS = {"name": SAFE_NAME, "config_sha256": re.compile(r"([0-9a-f]{64})?")}
MOST, LONGEST = 2**53, 200


def is_safe_name(name: Any) -> bool:
    """True for a name that can be a folder: letters, digits, `.`, `_` and `-`, not first a sign."""
    return isinstance(name, str) and SAFE_NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class Entry:
    """One model in an index.

    bits: of the weights of inner layers, activation_bits: between layers; MIXED where they differ. macs, params: of one
    answer on one clip; frontend_macs beside them. weight_bytes: of `model.safetensors`' tensors; flash_bytes: those,
    and code and tables of the generated C. stream_ram_bytes, clip_ram_bytes: what answering in a stream and on whole
    clips takes, with the front end; the first is 0 where there is no such form. streamable: no layer looks ahead.
    dataset: what it was trained and measured on. validation, test: accuracy (0 to 1) of the integer package; test is
    None where it was not measured. basis: of validation, one of BASES. config_sha256: of its `config.json`, which holds
    the digests of the rest. labels: what it answers; () where the index is older than this field, and says nothing of
    it. detection_recall: share (0 to 1) of words that its detector finds in a stream, with the settings of the package;
    false_alarms_per_hour: of what it hears beside these, and false_alarms_upper the 95 % upper bound of that rate. None
    where they were not measured.
    """

    name: str
    task: str
    family: str
    bits: int | str
    activation_bits: int | str
    macs: int
    params: int
    frontend_macs: int
    weight_bytes: int
    flash_bytes: int
    stream_ram_bytes: int
    clip_ram_bytes: int
    streamable: bool
    dataset: str
    validation: float
    test: float | None
    basis: str
    licence: str
    config_sha256: str
    labels: tuple[str, ...] = ()
    detection_recall: float | None = None
    false_alarms_per_hour: Rate | None = None
    false_alarms_upper: Rate | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not possible(field.name, [value]):
                raise InvalidPackage(f"index entry {self.name!r:.140}: {field.name} = {value!r:.80} is not possible")

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {**dataclasses.asdict(self), "labels": list(self.labels)}

    @property
    def ram_bytes(self) -> int:
        """What `max_ram` limits: RAM of the stream where there is one, else of clips."""
        return self.stream_ram_bytes or self.clip_ram_bytes

    @property
    def non_commercial(self) -> bool:
        """True where the licence forbids commercial use."""
        return forbids_commerce(self.licence)


def forbids_commerce(licence: str) -> bool:
    """True for a licence whose name says that it forbids commercial use, such as cc-by-nc-4.0."""
    name = licence.lower()
    return "nc" in re.split(r"[^a-z]", name) or "noncommercial" in re.sub(r"[^a-z]", "", name)


KINDS = {field.name: field.type for field in dataclasses.fields(Entry)}
"""The type of each field, as it is written."""


def possible(field: str, values: Sequence) -> bool:
    """True where a field of entries can have all of these values."""
    kinds = set(map(type, values))
    match KINDS[field]:
        case "str":
            return kinds <= {str} and _are_texts(field, values)
        case "bool":
            return kinds <= {bool}
        case "int":
            return kinds <= {int} and _within(values)
        case "int | str":
            return kinds <= {int, str} and set(values) <= {*range(1, 17), MIXED}
        case "float":
            return kinds <= {int, float} and _within(values, 1)
        case "Rate | None":
            known = [value for value in values if value is not None]
            return set(map(type, known)) <= {int, float} and _within(known)
        case "tuple[str, ...]":
            return kinds <= {tuple} and all(possible("task", own) for own in set(values))
        case _:
            known = [value for value in values if value is not None]
            return set(map(type, known)) <= {int, float} and _within(known, 1)


def _are_texts(field: str, values: Sequence[str]) -> bool:
    if field in PATTERNS:
        return all(map(PATTERNS[field].fullmatch, values))
    words = set(values)
    return (
        words <= set(BASES) if field == "basis" else all(text.isprintable() and len(text) <= LONGEST for text in words)
    )


def _within(values: Sequence, most: float = MOST) -> bool:
    try:
        numbers = np.array(values, float)
    except OverflowError:
        return False
    return bool(((numbers >= 0) & (numbers <= most)).all())
