"""What a look-up can ask: the limits, and all other conditions. No torch here.

A new limit is one more entry of LIMITS, with the field of an Entry that it is held against (and, where it shall limit a
search as well, of search.problem.LIMITS); the command line has it from here. Any other condition is one of MAKERS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from supernet.bits import MIXED
from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import InvalidQuery
from supernet.whole import as_whole, is_whole
from zoo.ask.units import an_hour, count, energy, milliseconds, power, share, size, truth
from zoo.hubs.index import Index
from zoo.package.entry import MEASURED, Entry, forbids_commerce
from zoo.package.facts import CHEAPER_BY

__all__ = [
    "BOUND",
    "LIMITS",
    "MAKERS",
    "ON_DEVICE",
    "Constraint",
    "Limit",
    "cheaper_within",
    "check_bits",
    "checked_words",
    "constraints",
    "limits_of",
]


@dataclass(frozen=True)
class Constraint:
    """One condition on models.

    name: as the user wrote it. value: of one model, for messages. excess: (models,) by how much each misses, relative;
    0 or less where it meets. word: it asks for a word, not for an amount. owner: the device that has no more, where
    nobody asked. remedy: what to do about a model of which the value is not known; `{}` stands for its name.
    """

    name: str
    limit: Any
    value: Callable[[Entry], Any]
    excess: Callable[[Index], np.ndarray]
    word: bool = False
    owner: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Limit:
    """A most of something.

    field: of an Entry, or of a model's DeviceFigure on the device where `sure` names its field that keeps the limit
    surely. read: what is asked, from its name and what was typed. help: of the command line.
    """

    field: str
    read: Callable[[str, float | str], float]
    help: str
    sure: str | None = None


LIMITS = {
    "max_ops": Limit("macs", count, "most multiply-accumulates (MACs) of one answer, such as 20e6 or 20M"),
    "max_macs": Limit("macs", count, "the same limit by its clear name"),
    "max_params": Limit("params", count, "most parameters, such as 100k"),
    "max_flash": Limit("flash_bytes", size, "most flash for weights, code and tables, such as 64k, 64kB or 64KiB"),
    "max_weights": Limit("weight_bytes", size, "most flash for weights alone, likewise"),
    "max_ram": Limit(
        "ram_bytes", size, "most RAM with the front end, in a stream where the model can, such as 32kB"
    ),
    "max_latency_ms": Limit(
        "latency_ms", milliseconds,
        "most time of one answer on that device with the front end, by the median, such as 20 or 20ms", "high_ms",
    ),
    "max_energy_uj": Limit(
        "energy_uj", energy, "most energy of one answer on that device with the front end, such as 500 or 0.5mJ",
        "energy_high_uj",
    ),
    "max_instructions": Limit(
        "instructions", count, "most instructions of one answer on that emulated device with the front end, such as 2M",
        "instructions_high",
    ),
    "max_power_uw": Limit(
        "power_uw", power, "most average power of an always-on stream there, with the front end, such as 500 or 0.5mW",
        "high_uw",
    ),
}  # fmt: skip
BOUND, ESTIMATE = "false_alarms_upper", "false_alarms_per_hour"
"""What is held against `max_false_alarms`, and with `unproven`."""
MEASURE = (
    "`earshot tune {} --negatives FOLDER --words FOLDER --max-false-alarms N` measures it on recordings of the place "
    "of use"
)
ON_DEVICE = {name: limit for name, limit in LIMITS.items() if limit.sure}


def limits_of(wanted: Mapping[str, float | str | None]) -> dict[str, float]:
    """Those of LIMITS that are given, in MACs, parameters, bytes, ms, uJ, instructions and uW; others are left out.

    Raises InvalidQuery for one that cannot be meant.
    """
    return {name: limit.read(name, wanted[name]) for name, limit in LIMITS.items() if wanted.get(name) is not None}


def constraints(*, unproven: bool | None = None, **wanted) -> list[Constraint]:
    """The conditions of a query, those of `zoo.get` but on a device; None is no condition.

    unproven: the estimate of false alarms keeps `max_false_alarms`, not its upper bound. Raises InvalidQuery for a
    value that cannot be meant, TypeError for a name that is none.
    """
    unknown = wanted.keys() - MAKERS.keys()
    if unknown:
        raise TypeError(f"no such constraint: {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}")
    if unproven is not None:
        truth("unproven", unproven)
    if unproven and wanted.get("max_false_alarms") is None:
        raise InvalidQuery("unproven needs max_false_alarms: it says by which figure that is kept")
    makers = {**MAKERS, "max_false_alarms": partial(_quiet, field=ESTIMATE)} if unproven else MAKERS
    return [make(name, wanted[name]) for name, make in makers.items() if wanted.get(name) is not None]


def check_bits(bits: int | str, name: str = "bits") -> int | str:
    """Bits as they are stored. Raises InvalidQuery for bits that no model can have."""
    if isinstance(bits, str) and bits == MIXED:
        return MIXED
    if not is_whole(bits, 1, 8):
        raise InvalidQuery(f"{name} = {bits!r} is not possible: give a whole number from 1 to 8, or {MIXED!r}")
    return as_whole(bits)


def _value(field: str) -> Callable[[Entry], Any]:
    return lambda entry: getattr(entry, field)


def _at_most(name: str, limit: float | str) -> Constraint:
    field, most = LIMITS[name].field, LIMITS[name].read(name, limit)
    return Constraint(name, most, _value(field), lambda index: index.limited(field) / most - 1)


def _as_printed(shares: np.ndarray) -> np.ndarray:
    """Shares rounded to 0.01 %, where that is more than they are."""
    return np.maximum(shares, np.round(shares, 4))


def _at_least(name: str, limit: float | str) -> Constraint:
    """Accuracies keep what they are and what is printed of them, to 0.01 %, so that what is shown can be asked. One
    that is only predicted keeps no promise.
    """
    least = share(name, limit)

    def excess(index: Index) -> np.ndarray:
        known = _as_printed(index.columns["validation"]) * index.has("basis", MEASURED)
        return np.where(known < round(least, 6), (least - known) / (least or 1), 0.0)

    return Constraint(name, least, lambda entry: entry.validation * (entry.basis == MEASURED), excess)


def _quiet(name: str, limit: float | str, field: str = BOUND) -> Constraint:
    """That a model has at most so many false alarms an hour. One of which that is not known keeps no promise."""
    most = an_hour(name, limit)

    def excess(index: Index) -> np.ndarray:
        rates = index.columns[field]
        return np.where(np.isnan(rates), np.inf, (rates - most) / (most or 1))

    return Constraint(name, most, _value(field), excess, remedy=MEASURE)


def _finding(name: str, limit: float | str) -> Constraint:
    """That a model finds at least such a share of words in a stream, as it is printed."""
    least = share(name, limit)

    def excess(index: Index) -> np.ndarray:
        known = _as_printed(index.columns["detection_recall"])
        return np.where(np.isnan(known), np.inf, np.where(known < round(least, 6), (least - known) / (least or 1), 0.0))

    return Constraint(name, least, _value("detection_recall"), excess, remedy=MEASURE)


def _exactly(name: str, bits: int | str) -> Constraint:
    """How far bits are from those wanted, relative; mixed ones are nearer to none."""
    bits = check_bits(bits, name)

    def apart(own: int | str) -> float:
        return float(own != bits) if MIXED in (own, bits) else abs(own - bits) / bits

    def excess(index: Index) -> np.ndarray:
        return np.array([*map(apart, index.words[name]), 0.0])[index.columns[name]]

    return Constraint(name, bits, _value(name), excess)


def _like(name: str, pattern: str) -> Constraint:
    return Constraint(name, pattern, _value(name), lambda index: 1.0 - index.like(name, pattern), word=True)


def cheaper_within(best: Entry, low: float) -> Constraint:
    """That a model takes no more MACs, flash and RAM than the best one, and has an accuracy of at least `low`, measured
    on the same task and data. The best one itself meets it.
    """

    def excess(index: Index) -> np.ndarray:
        alike = index.has("task", best.task) & index.has("dataset", best.dataset) & index.has("basis", MEASURED)
        near = alike & (index.columns["validation"] >= min(low, best.validation))
        for field in CHEAPER_BY:
            near &= index.amounts(field) <= getattr(best, field)
        return 1.0 - near

    return Constraint("cheaper", low, _value("validation"), excess)


def _knows(name: str, words: str | Iterable[str]) -> Constraint:
    """How many of the words are no labels of each model, as a share of them."""
    asked = checked_words(words, name)
    return Constraint(
        name, ", ".join(asked), lambda entry: ", ".join(word for word in asked if word in entry.labels) or "none",
        lambda index: 1.0 - index.knowing(asked) / len(asked), word=True,
    )  # fmt: skip


def checked_words(words: str | Iterable[str], name: str = "words") -> tuple[str, ...]:
    """Words that are asked for, each once, of a text or of any texts one after another; those of a set by the alphabet.

    Raises InvalidQuery for what are none.
    """
    given = _several(words)
    texts = bool(given) and all(isinstance(word, str) and word for word in given)
    if not texts:
        shown = given if isinstance(words, Iterator) else words
        raise InvalidQuery(f"{name} = {shown!r:.140} is not possible: give one word or more, such as ['stop', 'left']")
    found = tuple(dict.fromkeys(map(str, given)))
    if own := {UNKNOWN, SILENCE}.intersection(found):
        raise InvalidQuery(f"{name}: {min(own)} is no word, and answered beside the words anyway: leave it out")
    return found


def _several(words: Any) -> list:
    """What words are given, if any."""
    if isinstance(words, str):
        return [words]
    if isinstance(words, Mapping):
        return []
    try:
        return sorted(words, key=str) if isinstance(words, set | frozenset) else list(words)
    except TypeError:  # of what has no items
        return []


def _whether(name: str, wanted: bool, field: str, found: Callable[[Index], np.ndarray]) -> Constraint:
    """found: (models,) True or False."""
    truth(name, wanted)
    return Constraint(name, wanted, _value(field), lambda index: 1.0 * (found(index) != wanted), word=True)


def _may_be_sold(index: Index) -> np.ndarray:
    allowed = [not forbids_commerce(licence) for licence in index.words["licence"]]
    return np.array([*allowed, False])[index.columns["licence"]]


MAKERS: dict[str, Callable[[str, Any], Constraint]] = {
    **{name: _at_most for name in LIMITS if name not in ON_DEVICE},
    "min_accuracy": _at_least,
    "max_false_alarms": _quiet,
    "min_recall": _finding,
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
