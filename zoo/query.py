"""Choosing among the models of an index by constraint: all at once, best first. No torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from supernet.bits import MIXED
from supernet.constants import SILENCE, UNKNOWN
from zoo.entry import MEASURED, Entry, forbids_commerce
from zoo.errors import InvalidQuery, NoModelFits, UnknownName
from zoo.index import Index
from zoo.units import LIMITS, share

if TYPE_CHECKING:
    from zoo.devices import DeviceLimits

__all__ = ["Constraint", "check_bits", "checked_words", "choose", "constraints"]


@dataclass(frozen=True)
class Constraint:
    """One condition on models.

    name: as the user wrote it. value: of one model, for messages. excess: (models,) by how much each misses, relative;
    0 or less where it meets. word: it asks for a word, not for an amount.
    """

    name: str
    limit: Any
    value: Callable[[Entry], Any]
    excess: Callable[[Index], np.ndarray]
    word: bool = False


def constraints(**wanted) -> list[Constraint]:
    """The conditions of a query, those of `zoo.get` but on a device; None is no condition.

    Raises InvalidQuery for a value that cannot be meant, TypeError for a name that is none.
    """
    unknown = wanted.keys() - MAKERS.keys()
    if unknown:
        raise TypeError(f"no such constraint: {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}")
    return [make(name, wanted[name]) for name, make in MAKERS.items() if wanted.get(name) is not None]


def check_bits(bits: int | str, name: str = "bits") -> None:
    """Raise InvalidQuery for bits that no model can have."""
    whole = isinstance(bits, int) and not isinstance(bits, bool) and 1 <= bits <= 8
    if not whole and bits != MIXED:
        raise InvalidQuery(f"{name} = {bits!r} is not possible: give a whole number from 1 to 8, or {MIXED!r}")


def _value(field: str) -> Callable[[Entry], Any]:
    return lambda entry: getattr(entry, field)


def _at_most(name: str, limit: float | str, field: str) -> Constraint:
    most = LIMITS[name](name, limit)
    return Constraint(name, most, _value(field), lambda index: index.columns[field] / most - 1)


def _in_ram(name: str, limit: float | str) -> Constraint:
    """Of the stream where there is one, else of clips."""
    most = LIMITS[name](name, limit)

    def excess(index: Index) -> np.ndarray:
        stream, clip = index.columns["stream_ram_bytes"], index.columns["clip_ram_bytes"]
        return np.where(stream > 0, stream, clip) / most - 1

    return Constraint(name, most, _value("ram_bytes"), excess)


def _at_least(name: str, limit: float | str) -> Constraint:
    """Accuracies are compared as they are printed, to 0.01 %, so that what is shown can be asked. One that is only
    predicted keeps no promise.
    """
    least = share(name, limit)

    def excess(index: Index) -> np.ndarray:
        known = np.round(index.columns["validation"], 4) * index.has("basis", MEASURED)
        return np.where(known < round(least, 6), (least - known) / (least or 1), 0.0)

    return Constraint(name, least, lambda entry: entry.validation * (entry.basis == MEASURED), excess)


def _exactly(name: str, bits: int | str) -> Constraint:
    """How far bits are from those wanted, relative; mixed ones are nearer to none."""
    check_bits(bits, name)

    def apart(own: int | str) -> float:
        return float(own != bits) if MIXED in (own, bits) else abs(own - bits) / bits

    def excess(index: Index) -> np.ndarray:
        return np.array([*map(apart, index.words[name]), 0.0])[index.columns[name]]

    return Constraint(name, bits, _value(name), excess)


def _like(name: str, pattern: str) -> Constraint:
    return Constraint(name, pattern, _value(name), lambda index: 1.0 - index.like(name, pattern), word=True)


def _knows(name: str, words: str | Sequence[str]) -> Constraint:
    """How many of the words are no labels of each model, as a share of them."""
    asked = checked_words(words, name)
    return Constraint(
        name, ", ".join(asked), lambda entry: ", ".join(word for word in asked if word in entry.labels) or "none",
        lambda index: 1.0 - index.knowing(asked) / len(asked), word=True,
    )  # fmt: skip


def checked_words(words: str | Sequence[str], name: str = "words") -> tuple[str, ...]:
    """Words that are asked for, each once. Raises InvalidQuery for what are none."""
    if isinstance(words, set | frozenset):
        words = sorted(words, key=str)
    found = (words,) if isinstance(words, str) else tuple(dict.fromkeys(words)) if isinstance(words, Sequence) else ()
    texts = bool(found) and all(isinstance(word, str) and word for word in found)
    if not texts:
        raise InvalidQuery(f"{name} = {words!r:.140} is not possible: give one word or more, such as ['stop', 'left']")
    if own := {UNKNOWN, SILENCE}.intersection(found):
        raise InvalidQuery(f"{name}: {min(own)} is no word, and answered beside the words anyway: leave it out")
    return found


def _whether(name: str, wanted: bool, field: str, found: Callable[[Index], np.ndarray]) -> Constraint:
    """found: (models,) True or False."""
    if not isinstance(wanted, bool):
        raise InvalidQuery(f"{name} = {wanted!r} is not possible: give True or False")
    return Constraint(name, wanted, _value(field), lambda index: 1.0 * (found(index) != wanted), word=True)


def _may_be_sold(index: Index) -> np.ndarray:
    allowed = [not forbids_commerce(licence) for licence in index.words["licence"]]
    return np.array([*allowed, False])[index.columns["licence"]]


MAKERS: dict[str, Callable[[str, Any], Constraint]] = {
    "max_ops": partial(_at_most, field="macs"),
    "max_macs": partial(_at_most, field="macs"),
    "max_params": partial(_at_most, field="params"),
    "max_flash": partial(_at_most, field="flash_bytes"),
    "max_ram": _in_ram,
    "min_accuracy": _at_least,
    "bits": _exactly,
    "activation_bits": _exactly,
    "words": _knows,
    "family": _like,
    "licence": _like,
    "dataset": _like,
    "commercial": partial(_whether, field="licence", found=_may_be_sold),
    "streaming": partial(_whether, field="streamable", found=lambda index: index.columns["streamable"]),
}
"""What makes each condition of its name and what is wanted."""


def choose(
    index: Index,
    task: str | None,
    wanted: Sequence[Constraint],
    name: str | None = None,
    on_device: DeviceLimits | None = None,
    most: int | None = None,
) -> list[int]:
    """The rows of the best `most` models (all: None) of a task that meet all constraints, best first.

    name: a pattern of `fnmatch`. on_device is asked of as few models as possible. Raises UnknownName for a task or name
    that no model has, NoModelFits where none meets all.
    """
    if most is not None and (type(most) is not int or most < 1):
        raise InvalidQuery(f"most = {most!r} is not possible: give a whole number of models, such as 10")
    pool = _pool(index, task, name)
    meets = pool.copy()
    for constraint in wanted:
        meets &= constraint.excess(index) <= 0
    rows = np.flatnonzero(meets)
    if on_device and on_device.limits:
        rows = _on_device(index, rows, on_device, most)
    if not len(rows):
        raise _no_model_fits(index, pool, [*wanted, *(on_device.constraints() if on_device else [])])
    return [int(row) for row in rows[:most]]


def _pool(index: Index, task: str | None, name: str | None) -> np.ndarray:
    """(models,) those that are spoken of."""
    if not len(index):
        raise UnknownName("the hub holds no models; publish one, or name another hub")
    pool = np.ones(len(index), bool)
    if task is not None:
        pool &= index.has("task", task)
        if not pool.any():
            raise UnknownName(f"no model for task {task!r} in this hub: {index.other_task(task)}")
    if name is not None:
        pool &= index.like("name", name)
        if not pool.any():
            raise UnknownName(f"no model of name {name!r} for task {task!r}; leave one of them out")
    return pool


def _on_device(index: Index, rows: np.ndarray, on_device: DeviceLimits, most: int | None) -> np.ndarray:
    kept: list[int] = []
    for row in rows.tolist():
        if most is not None and len(kept) == most:
            break
        if on_device.meets(index.entry(row)):
            kept.append(row)
    on_device.check()
    return np.array(kept, int)


def _no_model_fits(index: Index, pool: np.ndarray, wanted: Sequence[Constraint]) -> NoModelFits:
    """The binding constraint is the one that the nearest model, of those that miss fewest, misses most."""
    excess = np.stack([np.maximum(0.0, constraint.excess(index)) for constraint in wanted])
    misses, amount = (excess > 0).sum(0), excess.sum(0)
    rows = np.flatnonzero(pool)
    rows = rows[misses[rows] == misses[rows].min()]
    row = int(rows[amount[rows].argmin()])
    nearest, missed = index.entry(row), [item for item, own in zip(wanted, excess[:, row], strict=True) if own > 0]
    binding = wanted[int(excess[:, row].argmax())]
    asked = ", ".join(f"{constraint.name}={_text(constraint.limit)}" for constraint in wanted)
    amounts = [f"{item.name}={_text(item.value(nearest))}" for item in missed if not item.word]
    words = [item.name for item in missed if item.word]
    advice = [f"ask for {', '.join(amounts)}"] * bool(amounts) + [f"leave {' and '.join(words)} out"] * bool(words)
    return NoModelFits(
        f"no model has {asked}: {binding.name} binds; the nearest is {nearest.name} with "
        f"{_text(binding.value(nearest))}; {' and '.join(advice)}, or loosen another constraint",
        binding.name,
        binding.limit,
        nearest,
    )


def _text(value: Any) -> str:
    if value == math.inf:
        return "no figure"
    return f"{value:.0f}" if isinstance(value, float) and value == round(value) else str(value)
