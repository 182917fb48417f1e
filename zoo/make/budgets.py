"""Budgets of models, as commands and plans name them: "3M" MACs, or "3M/64kB" with at most so much RAM."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from zoo.ask.limits import limits_of

__all__ = ["budget_limits", "file_name", "tightness", "within", "within_each"]


def budget_limits(budget: str) -> dict[str, float]:
    """The limits of a search: most MACs, such as of "3M", or MACs and bytes of RAM, such as of "3M/64kB".

    Raises InvalidQuery.
    """
    most, slash, ram = budget.partition("/")
    return limits_of({"max_macs": most, "max_ram": ram if slash else None})


def tightness(budget: str) -> tuple[float, float]:
    """Less is tighter: MACs first, then RAM."""
    limits = budget_limits(budget)
    return limits["max_macs"], limits.get("max_ram", inf)


def file_name(budget: str) -> str:
    """Of the runs of a budget."""
    return budget.replace("/", "-")


def within(budget: str) -> str:
    """A budget in words."""
    most, _, ram = budget.partition("/")
    return f"{most} MACs and {ram} of RAM" if ram else f"{most} MACs"


def within_each(budgets: Sequence[str]) -> str:
    """Several budgets in words."""
    if any("/" in budget for budget in budgets):
        return " and ".join(f"within {within(budget)}" for budget in budgets)
    return " and ".join(f"within {budget}" for budget in budgets) + " MACs"
