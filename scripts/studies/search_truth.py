"""Does the accuracy predictor tell the truth on networks that are chosen by it?

    python scripts/study.py search_truth ../shared/data/speech_commands

For each budget two networks: the one that a search over all bundled supernets finds now, whose best few are measured on
validation before one is chosen, as integers without any fine-tuning; and the published one of 8 bits (of family
`temporal`, on MFCC or log-mels), as such a slice and as published, fine-tuned. What is predicted of them stands beside
what they have on validation and on test, which is measured once for each. Rows: `search_truth.csv`.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

import zoo
from search.sampling import extract
from studies.base import KEYWORDS, THREADS, Shown, Study
from studies.bundled import keywords
from studies.networks import split_columns, split_hits
from studies.rows import Rows
from supernet.arch import Arch
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from zoo.hubs.folder import BUNDLED, Hub
from zoo.make.search import Searchable, limits_of, search_hub, searchable

TABLE, TASK = "search_truth", "kws"
BUDGETS = [{"max_macs": size} for size in ("0.15M", "0.3M", "0.4M", "1M", "3M", "10M")]
BUDGETS += [{"max_weights": "8kB"}, {"max_ram": "16kB"}, {"max_ram": "32kB", "max_latency_ms": "20ms"}]
TRUTH = {
    "searched": "searched, no fine-tune",
    "published slice": "published one's slice, no fine-tune",
    "published": "published, fine-tuned",
}
BOARD = "stm32f746-tflm-cmsis-nn"


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure all budgets that have no row yet."""
    data = load(options.data, "kws")
    for wanted in BUDGETS:
        budget = ", ".join(f"{name} {value}" for name, value in wanted.items())
        rows.once(TABLE, {"budget": budget, "network": "searched"}, partial(_searched, wanted, data))
    for entry in keywords(8):
        config = Hub(BUNDLED).config(entry).values
        _published(entry, config, BUNDLED / "supernets" / config["training"]["supernet"], data, rows)


def _searched(wanted: dict, data: ClipData) -> dict:
    """What a search finds now."""
    device = BOARD if "max_latency_ms" in wanted else None
    best = search_hub(TASK, limits_of(wanted), device=device, hub=BUNDLED, data=data).best
    flattered = float(best.result.scores.max())
    return {**_slice(best.searched, best.arch, data), "best_predicted": _percent(flattered)}


def _published(entry: zoo.Entry, config: dict, folder: Path, data: ClipData, rows: Rows) -> None:
    """A published network of 8 bits: as a slice of its supernet, and as it is."""
    budget = f"max_macs {config['training']['search']['max_macs'] / 1e6:g}M"
    sliced, whole = ({"budget": budget, "network": name} for name in ("published slice", "published"))
    rows.once(TABLE, sliced, lambda: _slice(searchable(folder, TASK), Arch.from_dict(config["arch"]), data))
    figures = config["accuracy"]
    shares = {
        key: _percent(value)
        for name in ("validation", "test")
        for key, value in zip(
            (name, f"{name}_low", f"{name}_high"),
            (figures[name]["accuracy"], *figures[name]["interval"]),
            strict=True,
        )
    }
    values = {"supernet": folder.name, "macs": entry.macs, "bits": str(entry.bits), **shares}
    rows.once(TABLE, whole, lambda: values)


def _slice(item: Searchable, arch: Arch, data: ClipData) -> dict:
    """Predicted and measured accuracy of the integers of a slice."""
    space = item.space(None)
    genes = space.to_genes([arch])
    predicted = float(item.predict(space, genes)[0])
    low, high = item.predictor.interval(predicted)
    integers = TorchIntegers(extract(item.source, arch).to_integer())
    values = {
        "supernet": item.name,
        "macs": int(space.costs(genes)["macs"][0]),
        "bits": ",".join(sorted({str(bits) for bits in np.unique(space.layer_bits(genes)[:, space.costs_of.inner])})),
        "predicted": _percent(predicted),
        "predicted_low": _percent(low),
        "predicted_high": _percent(high),
    }
    right = split_hits(lambda x: integers(quantise_features(x)), data, item.stored.frontend)
    return {**values, **split_columns(right)}


def _percent(share: float) -> float:
    return round(100 * share, 2)


def table_of_truth(found: Rows) -> Shown:
    """Predicted and measured accuracies by budget."""
    table, rows = found.read(TABLE), []
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


STUDY = Study(__doc__, run, (KEYWORDS, THREADS), tables={TABLE: table_of_truth})
