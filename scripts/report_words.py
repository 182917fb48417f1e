"""Tables of what was measured on the way to models of all words in real rooms: schedules, rare words, conditions, and
networks that were trained for the same time.
"""

from __future__ import annotations

import pandas as pd
from results import read_table

__all__ = ["WORDS_TABLES"]


def _schedules() -> tuple[list[str], list[list[str]]]:
    table = read_table("schedules").sort_values("mean", ascending=False)
    measured = ["smallest", "to 0.5M", "to 1M", "to 3M", "above 3M", "largest", "mean"]
    rows = [
        [
            row.schedule, row.taught, f"{row.minutes:g}", f"{row.epochs}", f"{row.seconds}",
            *(f"{row[name]:.2f}" for name in measured),
        ]
        for _, row in table.iterrows()
    ]  # fmt: skip
    return ["schedule", "taught", "minutes", "epochs", "seconds", *measured], rows


def _rare_words() -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            row.way,
            *(text for name in ("rare", "others", "unknown") for text in (f"{row[name]:.2f}", _change(row, name))),
        ]
        for _, row in read_table("rare_words").iterrows()
    ]
    return ["way", "rare words", "change", "other words", "change", "no words of the task", "change"], rows


def _change(row: pd.Series, name: str) -> str:
    change, low, high = (row[f"{name}_{end}"] for end in ("change", "low", "high"))
    return f"{change:+.2f} ({low:+.2f} to {high:+.2f})"


def _conditions() -> tuple[list[str], list[list[str]]]:
    """A row for each condition, in the order of the evaluation, and a column for each model and task."""
    from zoo.run.conditions import CONDITIONS

    table = read_table("conditions")
    table["what"] = table.model + ", " + table.task
    wide = table.pivot(index="condition", columns="what", values="accuracy").reindex(list(CONDITIONS)).dropna()
    rows = [[name, *(f"{100 * value:.1f}" for value in values)] for name, *values in wide.itertuples()]
    return ["condition", *wide.columns], rows


def _comparison() -> tuple[list[str], list[list[str]]]:
    table = read_table("comparison").sort_values("macs", ascending=False)
    rows = [
        [
            row.net, f"{row.hours:g}", f"{row.epochs}", f"{row.macs / 1e6:.2f}", f"{row.validation:.2f}",
            f"{row.test:.2f} ({row.test_low:.2f} to {row.test_high:.2f})",
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    return ["network", "hours", "epochs", "M MACs", "validation", "test"], rows


WORDS_TABLES = {
    "schedules": _schedules,
    "rare_words": _rare_words,
    "conditions": _conditions,
    "comparison": _comparison,
}
