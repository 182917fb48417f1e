"""Choosing among the models of an index by constraint: all at once, best first. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supernet.errors import InvalidQuery, NoModelFits, UnknownName
from supernet.whole import is_whole
from zoo.ask.limits import Constraint
from zoo.hubs.index import Index
from zoo.package.facts import CHEAPER_BY

if TYPE_CHECKING:
    from zoo.ask.device import DeviceLimits

__all__ = ["choose"]


def choose(
    index: Index,
    task: str | None,
    wanted: Sequence[Constraint],
    name: str | None = None,
    on_device: DeviceLimits | None = None,
    most: int | None = None,
    cheapest: bool = False,
) -> list[int]:
    """The rows of the best `most` models (all: None) of a task that meet all constraints, best first.

    name: a pattern of `fnmatch`. on_device is asked of as few models as possible. cheapest: those of fewest MACs come
    first, then of least flash and RAM. Raises UnknownName for a task or name that no model has, NoModelFits where none
    meets all.
    """
    if most is not None and not is_whole(most, 1, math.inf):
        raise InvalidQuery(f"most = {most!r} is not possible: give a whole number of models, such as 10")
    pool = _pool(index, task, name)
    meets = pool.copy()
    for constraint in wanted:
        meets &= constraint.excess(index) <= 0
    rows = np.flatnonzero(meets)
    if cheapest:
        rows = rows[np.lexsort([index.amounts(field)[rows] for field in reversed(CHEAPER_BY)])]
    asked = len(rows)
    if on_device and on_device.limiting:
        rows = _on_device(index, rows, on_device, most)
        on_device.check(index)
        if not len(rows) and len(on_device.without) == asked > 0:
            raise UnknownName(
                f"none of the {asked} models that fit otherwise has figures for {on_device.profile}; `earshot profile "
                "costs` computes them"
            )
    if not len(rows):
        raise _no_model_fits(index, pool, [*wanted, *(on_device.constraints(index) if on_device else [])])
    return [int(row) for row in rows[:most]]


def _pool(index: Index, task: str | None, name: str | None) -> np.ndarray:
    """(models,) those that are spoken of."""
    if not len(index):
        raise UnknownName("the hub holds no models; publish one, or name another hub")
    pool = np.ones(len(index), bool)
    if task is not None and not isinstance(task, str):
        raise InvalidQuery(f"task = {task!r:.140} is not possible: give a name, such as kws")
    if task is not None:
        pool &= index.has("task", task)
        if not pool.any():
            is_model = index.find(task) is not None
            hint = f"it is a model; give name={task!r}" if is_model else index.other_task(task)
            raise UnknownName(f"no model for task {task!r} in this hub: {hint}")
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
    asked = ", ".join(f"{one.name}={_text(one.limit)}{f' (of {one.owner})' * bool(one.owner)}" for one in wanted)
    unknown = [item for item in missed if item.remedy and item.value(nearest) in (None, math.inf)]
    plain = [item for item in missed if not (item.word or item.owner or item in unknown)]
    amounts = [f"{item.name}={_text(item.value(nearest))}" for item in plain]
    words = [item.name for item in missed if item.word]
    advice = [f"ask for {', '.join(amounts)}"] * bool(amounts) + [f"leave {' and '.join(words)} out"] * bool(words)
    advice += dict.fromkeys(item.remedy.format(nearest.name) for item in unknown)
    owners = dict.fromkeys(item.owner for item in missed if item.owner)
    advice += [f"give ignore_limits (--ignore-limits) to go beyond what {owner} has" for owner in owners]
    return NoModelFits(
        f"no model has {asked}: {binding.name} binds; the nearest is {nearest.name} with "
        f"{_text(binding.value(nearest))}; {' and '.join(advice)}, or loosen another constraint",
        binding.name,
        binding.limit,
        nearest,
    )


def _text(value: Any) -> str:
    if value is None or value == math.inf:
        return "no figure"
    return f"{value:.0f}" if isinstance(value, float) and value == round(value) else str(value)
