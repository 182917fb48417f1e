"""The tables of acoustic events in the pages."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from results import read_table

import zoo

__all__ = ["EVENTS", "WAYS", "event_levels", "measured_ways"]

HUB = Path(__file__).resolve().parent.parent / "zoo" / "hub"
TASKS = {"aec": "ESC-50", "esc10": "ESC-10"}
PUBLISHED = [
    ["Micro-ACDNet, published, another protocol", "ESC-50", "14.8 M a window", "131 k", "", "", "83.65", ""],
    ["Micro-ACDNet, published, another protocol", "ESC-10", "14.8 M a window", "131 k", "", "", "96.25", ""],
]
SIZES = ("20k", "50k", "100k", "largest")
NETWORKS = ("plain", "found")
WAYS = {
    "alone": "alone",
    "longer": "alone, longer",
    "distilled": "alone, distilled",
    "longer distilled": "alone, distilled, longer",
    "slice": "slice",
    "tuned": "slice, fine-tuned",
}
COMPARED = {
    ("found tuned", "plain alone"): "searched and shared, against alone",
    ("found tuned", "plain distilled"): "searched and shared, against alone, distilled",
    ("plain tuned", "plain alone"): "shared, without searching, against alone",
    ("plain tuned", "plain distilled"): "shared, without searching, against alone, distilled",
    ("plain tuned", "plain longer"): "shared, without searching, against alone, longer",
    ("plain tuned", "plain longer distilled"): "shared, without searching, against alone, distilled, longer",
    ("found alone", "plain alone"): "searched, without sharing, against alone",
    ("found tuned", "plain tuned"): "searched among slices, against the plain slice",
}


def event_levels() -> tuple[list[str], list[list[str]]]:
    """Packages of the bundled hub, with the published network beside them."""
    hub, rows = zoo.open_hub(HUB), []
    for task, dataset in TASKS.items():
        for entry in sorted(zoo.find(task, hub=hub), key=lambda one: (-one.macs, -int(one.bits))):
            low, high = hub.config(entry).values["accuracy"]["test"]["interval"]
            costs = [f"{entry.macs / 1e6:.2f} M", f"{entry.params / 1e3:.0f} k", f"{entry.flash_bytes / 1e3:.1f} kB"]
            shares = [
                f"{100 * entry.validation:.1f}",
                f"{100 * entry.test:.1f}",
                f"{100 * low:.1f} to {100 * high:.1f}",
            ]
            rows.append([entry.name, dataset, *costs, *shares])
        rows += [row for row in PUBLISHED if row[1] == dataset]
    return ["model", "data", "MACs", "parameters", "flash", "validation %", "test %", "95 % interval"], rows


def event_claim() -> tuple[list[str], list[list[str]]]:
    """Test accuracy by size, network and way, means over seeds."""
    table, rows = read_table("event_claim"), []
    ways = measured_ways(table)
    for size in SIZES:
        for network in NETWORKS:
            part = table[(table["size"] == size) & (table.network == network)]
            if len(part):
                shares = part.groupby("way").test.mean()
                costs = [f"{part.params.iloc[0] / 1e3:.0f} k", f"{part.macs.iloc[0] / 1e6:.2f} M"]
                cells = [f"{shares[way]:.2f}" if way in shares else "" for way in ways]
                rows.append([f"{size}, {network}", *costs, str(part.seed.nunique()), *cells])
    return ["size, network", "parameters", "MACs", "seeds", *(f"{WAYS[way]}, test %" for way in ways)], rows


def measured_ways(table: pd.DataFrame) -> list[str]:
    """Those of WAYS that a table has rows of."""
    return [way for way in WAYS if (table.way == way).any()]


def event_reductions() -> tuple[list[str], list[list[str]]]:
    """Relative reductions of the error on test, in percent, by size."""
    table = read_table("event_claim_reductions")
    sizes, rows = [size for size in SIZES if (table["size"] == size).any()], []
    for (first, second), name in COMPARED.items():
        part = table[(table["first"] == first) & (table["second"] == second)].set_index("size")
        cells = [_with_interval(part.loc[size]) if size in part.index else "" for size in sizes]
        if any(cells):
            rows.append([name, *cells])
    return ["fewer errors on test, %", *sizes], rows


def event_marks() -> tuple[list[str], list[list[str]]]:
    """Shares of validation clips of one sound in which it is marked, and events of other labels, by the threshold."""
    table, rows = read_table("event_marks"), []
    thresholds = sorted(set(table.threshold))
    for task in TASKS:
        for entry in sorted(zoo.find(task, hub=HUB), key=lambda one: -one.macs):
            part = table[table.model == entry.name].sort_values("threshold")
            if len(part):
                cells = [f"{row.marked:.0f} ({row.others:.2f})" for row in part.itertuples()]
                rows.append([entry.name, f"{part.clips.iloc[0]}", f"{part.named.iloc[0]:.0f}", *cells])
    marked = [f"marked at {threshold:g}, % (others a clip)" for threshold in thresholds]
    return ["model", "clips", "named rightly as clips, %", *marked], rows


def kernel_transform() -> tuple[list[str], list[list[str]]]:
    """Validation accuracy of the same slices by the kernel of their blocks, with and without a transform."""
    names = {"slices": "middles of larger ones", "transformed": "middles, transformed"}
    table, kernels = read_table("kernel_transform").sort_values(["seed", "kernels"]), (7, 5, 3)
    rows = [
        [names[row.kernels], str(row.seed), *(f"{getattr(row, f'kernel_{kernel}'):.2f}" for kernel in kernels)]
        for row in table.itertuples()
    ]
    return ["smaller kernels", "seed", *(f"kernels of {kernel}, val. %" for kernel in kernels)], rows


def _with_interval(row: pd.Series) -> str:
    return f"{row.reduction:.1f} ({row.low:.1f} to {row.high:.1f})"


EVENTS = {
    "event_marks": event_marks,
    "event_claim": event_claim,
    "event_claim_reductions": event_reductions,
    "kernel_transform": kernel_transform,
}
"""Table of results -> what gives the header and the rows that stand in a page."""
