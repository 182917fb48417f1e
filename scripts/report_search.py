"""The tables and the picture of searches in the pages, from the tables of results."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from results import read_table

from supernet.files import read_json
from zoo.hubs.folder import BUNDLED

__all__ = ["predictors", "search_fronts", "search_picture", "search_quality", "search_speed", "search_truth"]

METHODS = {
    "ours": "ours",
    "once-for-all": "once-for-all",
    "regularised": "regularised",
    "nsga2": "NSGA-II (pymoo)",
    "random": "random",
    "random, our sizes": "random, our sizes",
}
COSTS = {"macs": "MACs", "flash_bytes": "flash"}
UNITS = {"max_macs": (1e6, "M MACs"), "max_flash": (1e3, "kB of flash")}
TRUTH = {
    "searched": "searched, no fine-tune",
    "published slice": "published one's slice, no fine-tune",
    "published": "published, fine-tuned",
}

Rows = tuple[list[str], list[list[str]]]
"""The head of a table, and its rows."""


def search_quality() -> Rows:
    """Medians over seeds, with the least and the most, and how soon ours is as good as the best of the others."""
    table, rows = read_table("search"), []
    last, counts = _columns(table, "best")[-1], _counts(table, "best")
    for limit, (unit, name) in UNITS.items():
        for budget, part in table[table.limit == limit].groupby("budget"):
            ends = {method: part[part.method == method][last] for method in METHODS}
            cells = [f"{own.median():.2f} ({own.min():.2f} to {own.max():.2f})" for own in ends.values()]
            best = max(own.median() for method, own in ends.items() if method != "ours")
            ours = part[part.method == "ours"][_columns(table, "best")].median()
            soon = [count for count, value in zip(counts, ours, strict=True) if value >= best]
            rows.append([f"{budget / unit:g} {name}", *cells, f"{soon[0]:,}" if soon else "not"])
    return ["within", *METHODS.values(), "ours as good as the best other after"], rows


def search_fronts() -> Rows:
    """Hypervolumes of fronts after so many evaluations, medians over seeds."""
    table, rows = read_table("search_fronts"), []
    columns, counts = _columns(table, "hypervolume"), _counts(table, "hypervolume")
    for cost, name in COSTS.items():
        for method in METHODS:
            part = table[(table.cost == cost) & (table.method == method)]
            if len(part):
                last = part[columns[-1]]
                cells = [f"{part[column].median():.4f}" for column in columns]
                rows.append([name, METHODS[method], *cells, f"{last.min():.4f} to {last.max():.4f}"])
    return ["front against", "method", *(f"{count:,}" for count in counts), "least to most"], rows


def predictors() -> Rows:
    """What cross-validation found of the accuracy predictor of each bundled supernet."""
    rows = []
    for path in sorted((BUNDLED / "supernets").glob("*/accuracy.json")):
        quality = read_json(path)["quality"]
        rank, error = quality["kendall_interval"], [100 * value for value in quality["error_interval"]]
        kendall = f"{quality['kendall']:.2f} ({rank[0]:.2f} to {rank[1]:.2f})"
        missed = f"{100 * quality['error']:.2f} ({error[0]:.2f} to {error[1]:.2f})"
        rows.append([path.parent.name, quality["kind"], str(quality["rows"]), kendall, missed])
    return ["supernet", "predictor", "networks", "Kendall", "mean error, points"], rows


def search_speed() -> Rows:
    """Medians of the rounds, and their ratio."""
    table = read_table("search_speed")
    seconds = table.groupby("method").seconds.agg(["median", "min", "max"])
    alone, ours = (seconds.loc[method] for method in ("once-for-all, one at a time", "ours"))
    rows = [
        [name, f"{row['median']:.1f} ({row['min']:.1f} to {row['max']:.1f})", f"{alone['median'] / row['median']:.0f}"]
        for name, row in (("ours", ours), ("once-for-all, one at a time", alone))
    ]
    return ["50,000 candidates", "seconds", "times as fast"], rows


def search_truth() -> Rows:
    """Predicted and measured accuracies by budget."""
    table, rows = read_table("search_truth"), []
    table["order"] = table["network"].map(list(TRUTH).index)
    for budget, part in sorted(table.groupby("budget"), key=lambda item: _budget_order(item[0])):
        for row in part.sort_values("order").itertuples():
            predicted = f"{row.predicted:.2f} ({row.predicted_low:.2f} to {row.predicted_high:.2f})"
            cells = [f"{row.validation:.2f}", f"{row.test:.2f} ({row.test_low:.2f} to {row.test_high:.2f})"]
            known = row.predicted == row.predicted
            rows.append(
                [budget.replace("max_", "").replace("_ms", ""), TRUTH[row.network], f"{row.macs / 1e6:.2f} M",
                 str(row.bits), predicted if known else "", *cells]
            )  # fmt: skip
    return ["budget", "network", "MACs", "bits", "predicted %", "validation %", "test %"], rows


def _budget_order(budget: str) -> tuple:
    kind, size = budget.split(" ")[:2]
    return kind != "max_macs", kind, float("".join(sign for sign in size if sign.isdigit() or sign == "."))


def search_picture() -> plt.Figure:
    """What each method misses of the best that any found, and the hypervolume of fronts, over evaluations."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    table, fronts = read_table("search"), read_table("search_fronts")
    columns, counts = _columns(table, "best"), _counts(table, "best")
    best = table.groupby(["limit", "budget"])[columns[-1]].transform("max")
    missed = -table[columns].sub(best, axis=0)
    for number, (method, name) in enumerate(METHODS.items()):
        own = missed[table.method == method]
        axes[0].plot(counts, own.mean(), "-o", color=f"C{number}", markersize=3, label=name)
        for axis, cost in zip(axes[1:], COSTS, strict=True):
            part = fronts[(fronts.cost == cost) & (fronts.method == method)][_columns(fronts, "hypervolume")]
            if len(part):
                axis.plot(counts, part.median(), "-o", color=f"C{number}", markersize=3)
                axis.fill_between(counts, part.min(), part.max(), color=f"C{number}", alpha=0.2)
    axes[0].set(ylabel="points below the best that any found", title="ten budgets, mean")
    for axis, name in zip(axes[1:], COSTS.values(), strict=True):
        axis.set(ylabel="hypervolume", title=f"front against {name}")
    for axis in axes:
        axis.set(xscale="log", xlabel="evaluations")
        axis.grid(alpha=0.25)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    return figure


def _columns(table: pd.DataFrame, kind: str) -> list[str]:
    return [column for column in table if column.startswith(f"{kind}_")]


def _counts(table: pd.DataFrame, kind: str) -> np.ndarray:
    return np.array([int(column.rsplit("_", 1)[1]) for column in _columns(table, kind)])
