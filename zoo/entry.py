"""What the index of a hub says of a model, and choosing among models by constraint. No torch here."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from supernet.families import MIXED
from zoo.errors import InvalidPackage, InvalidQuery, NoModelFits, UnknownName, nearest_names
from zoo.units import count, share, size

__all__ = [
    "BASES",
    "MEASURED",
    "PREDICTED",
    "Constraint",
    "Entry",
    "accuracy_text",
    "check_bits",
    "choose",
    "constraints",
    "is_safe_name",
    "precision",
]

KINDS = {"str": str, "int": int, "float": (int, float), "int | str": int, "float | None": (int, float)}
MEASURED, PREDICTED = BASES = "measured", "predicted"
"""How a figure came about."""
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_safe_name(name: Any) -> bool:
    """True for a name that can be a folder: letters, digits, `.`, `_` and `-`, not first a sign."""
    return isinstance(name, str) and SAFE_NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class Entry:
    """One model in an index.

    bits: of the weights of inner layers, activation_bits: between layers; MIXED where they differ. macs, params: of one
    answer on one clip; frontend_macs beside them. weight_bytes: of `model.safetensors`' tensors; flash_bytes: those and
    the runtime's. peak_ram_bytes: what the integer runtime works in. validation, test: accuracy (0 to 1) of the integer
    package; test is None where it was not measured. basis: of validation, one of BASES. config_sha256: of its
    `config.json`, which holds the digests of the rest.
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
    peak_ram_bytes: int
    validation: float
    test: float | None
    basis: str
    licence: str
    config_sha256: str

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), KINDS[field.type]
            absent = (field.type, value) in (("int | str", MIXED), ("float | None", None))
            possible = isinstance(value, kind) and not isinstance(value, bool)
            fits = possible and (value.isprintable() if kind is str else 0 <= value < 2**53)
            if not fits and not absent:
                raise InvalidPackage(f"index entry {self.name!r:.140}: {field.name} = {value!r:.60} is not possible")
        if self.basis not in BASES:
            raise InvalidPackage(f"index entry {self.name!r:.140}: basis = {self.basis!r:.60} is not of {BASES}")
        if not is_safe_name(self.name):
            raise InvalidPackage(f"index entry {self.name!r:.140}: not a safe name; rebuild the index")

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Entry:
        """The entry of `to_dict`. Raises InvalidPackage."""
        try:
            return cls(**values)
        except TypeError as error:
            raise InvalidPackage(f"not an index entry: {str(error)[:200]!r}; rebuild the index") from None

    @property
    def non_commercial(self) -> bool:
        """True where the licence forbids commercial use."""
        return "nc" in self.licence.lower().split("-")


@dataclass(frozen=True)
class Constraint:
    """One condition on entries.

    name: as the user wrote it. value: what the entry has. excess: by how much it misses, relative; 0 where it meets.
    """

    name: str
    limit: Any
    value: Callable[[Entry], Any]
    excess: Callable[[Entry], float]

    def meets(self, entry: Entry) -> bool:
        """True where the entry meets the condition."""
        return self.excess(entry) <= 0


def constraints(
    max_ops: float | str | None = None,
    max_macs: float | str | None = None,
    max_params: float | str | None = None,
    max_flash: float | str | None = None,
    max_ram: float | str | None = None,
    bits: int | str | None = None,
    min_accuracy: float | str | None = None,
    family: str | None = None,
) -> list[Constraint]:
    """The conditions of a query. Raises InvalidQuery for a value that cannot be meant."""
    found = [
        _at_most("max_ops", max_ops, "macs", count),
        _at_most("max_macs", max_macs, "macs", count),
        _at_most("max_params", max_params, "params", count),
        _at_most("max_flash", max_flash, "flash_bytes", size),
        _at_most("max_ram", max_ram, "peak_ram_bytes", size),
    ]
    if min_accuracy is not None:
        least = share("min_accuracy", min_accuracy)
        found.append(Constraint("min_accuracy", least, _measured, lambda entry: _short_of(least, _measured(entry))))
    if bits is not None:
        check_bits(bits)
        found.append(Constraint("bits", bits, _value("bits"), lambda entry: _bits_apart(entry.bits, bits)))
    if family is not None:
        found.append(Constraint("family", family, _value("family"), lambda entry: float(entry.family != family)))
    return [constraint for constraint in found if constraint is not None]


def check_bits(bits: int | str) -> None:
    """Raise InvalidQuery for bits of weights that no model can have."""
    whole = isinstance(bits, int) and not isinstance(bits, bool) and 1 <= bits <= 8
    if not whole and bits != MIXED:
        raise InvalidQuery(f"bits = {bits!r} is not possible: give a whole number from 1 to 8, or {MIXED!r}")


def precision(bits: int | str) -> str:
    """Bits as people say them."""
    return "mixed-precision" if bits == MIXED else f"{bits}-bit"


def accuracy_text(entry: Entry) -> str:
    """The accuracies of a model as they are printed."""
    if entry.basis == PREDICTED:
        return f"{entry.validation:.2%} predicted for validation, not measured"
    test = "" if entry.test is None else f", {entry.test:.2%} test"
    return f"{entry.validation:.2%} validation{test}"


def _short_of(least: float, accuracy: float) -> float:
    """By how much an accuracy is too low, relative; as it is printed, to 0.01 %, so that what is shown can be asked."""
    return (least - round(accuracy, 4)) / (least or 1) if round(least, 6) > round(accuracy, 4) else 0.0


def _bits_apart(own: int | str, wanted: int | str) -> float:
    """How far bits are from those wanted, relative; mixed ones are nearer to none."""
    return float(own != wanted) if MIXED in (own, wanted) else abs(own - wanted) / wanted


def _measured(entry: Entry) -> float:
    """Accuracy on validation; none where it is only predicted, which keeps no promise."""
    return entry.validation if entry.basis == MEASURED else 0.0


def _value(field: str) -> Callable[[Entry], Any]:
    return lambda entry: getattr(entry, field)


def _at_most(name: str, limit: float | str | None, field: str, parse: Callable) -> Constraint | None:
    if limit is None:
        return None
    most = parse(name, limit)
    return Constraint(name, most, _value(field), lambda entry: getattr(entry, field) / most - 1)


def rank(entry: Entry) -> tuple:
    """Sorts the best first: validation accuracy, measured before predicted, then cheaper, then by name."""
    return (entry.basis != MEASURED, -entry.validation, entry.macs, entry.flash_bytes, entry.name)


def choose(entries: Sequence[Entry], task: str | None, wanted: Sequence[Constraint]) -> list[Entry]:
    """All entries of a task that meet all constraints, best first.

    Raises UnknownName for a task that no entry has, NoModelFits where none meets all.
    """
    if task is not None:
        tasks = {entry.task for entry in entries}
        if task not in tasks:
            raise UnknownName(f"no model for task {task!r} in this hub: {nearest_names(task, tasks)}")
        entries = [entry for entry in entries if entry.task == task]
    if not entries:
        raise UnknownName("the hub holds no models; publish one, or name another hub")
    fitting = [entry for entry in entries if all(constraint.meets(entry) for constraint in wanted)]
    if not fitting:
        raise _no_model_fits(entries, wanted)
    return sorted(fitting, key=rank)


def _no_model_fits(entries: Sequence[Entry], wanted: Sequence[Constraint]) -> NoModelFits:
    """The binding constraint is the one that the nearest model, of those that miss fewest, misses most."""

    def miss(entry: Entry) -> tuple:
        excess = [max(0.0, constraint.excess(entry)) for constraint in wanted]
        return (sum(value > 0 for value in excess), sum(excess), rank(entry))

    nearest = min(entries, key=miss)
    binding = max(wanted, key=lambda constraint: constraint.excess(nearest))
    asked = ", ".join(f"{constraint.name}={_text(constraint.limit)}" for constraint in wanted)
    missed = [constraint for constraint in wanted if not constraint.meets(nearest)]
    advice = ", ".join(f"{constraint.name}={_text(constraint.value(nearest))}" for constraint in missed)
    return NoModelFits(
        f"no model has {asked}: {binding.name} binds; the nearest is {nearest.name} with "
        f"{_text(binding.value(nearest))}; ask for {advice}, or loosen another constraint",
        binding.name,
        binding.limit,
        nearest,
    )


def _text(value: Any) -> str:
    if value == math.inf:
        return "no figure"
    return f"{value:.0f}" if isinstance(value, float) and value == round(value) else str(value)
