"""The limits of a look-up: what each is called, how it is read, and what it is held against. No torch here.

A new one is one more entry of MAKERS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from supernet.bits import MIXED
from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import InvalidQuery
from zoo.ask.units import LIMITS, share
from zoo.hubs.index import Index
from zoo.package.entry import MEASURED, Entry, forbids_commerce

__all__ = ["MAKERS", "Constraint", "check_bits", "checked_words", "constraints"]


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
