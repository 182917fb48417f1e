"""What the predictor says of the networks that are chosen by it, beside what they have on validation and on test.

    python scripts/search_truth.py ../shared/data/speech_commands

For each budget two networks: the one that a search over all bundled supernets finds now, whose best few are measured on
validation before one is chosen, as integers without any fine-tuning; and the published one of 8 bits, as such a slice
and as published, fine-tuned. Test is measured once for each. Rows: `scripts/results/search_truth.csv`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from results import accuracy_columns, add_row, has_row

import zoo
from search.sampling import extract
from supernet.arch import Arch
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.train.evaluate import hits
from zoo.hubs.folder import BUNDLED, Hub
from zoo.make.search import Searchable, limits_of, search_hub, searchable

TABLE, TASK = "search_truth", "kws"
BUDGETS = [{"max_macs": size} for size in ("0.3M", "1M", "2M", "3M", "20M")]
BUDGETS += [{"max_flash": "8kB"}, {"max_ram": "16kB"}, {"max_ram": "32kB", "max_latency_ms": "20ms"}]
BOARD = "stm32f746-tflm-cmsis-nn"


def main() -> None:
    """Measure all budgets that have no row yet."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, "numbers")
    for wanted in BUDGETS:
        budget = ", ".join(f"{name} {value}" for name, value in wanted.items())
        if not has_row(TABLE, {"budget": budget, "network": "searched"}):
            device = BOARD if "max_latency_ms" in wanted else None
            best = search_hub(TASK, limits_of(wanted), device=device, hub=BUNDLED, data=data).best
            values = _slice(best.searched, best.arch, data)
            flattered = float(best.result.scores.max())
            add_row(TABLE, {"budget": budget, "network": "searched"}, {**values, "best_predicted": _percent(flattered)})
    for folder in Hub(BUNDLED).supernets():
        _published(folder, data)


def _published(folder: Path, data: ClipData) -> None:
    """The published networks of 8 bits of a supernet: as slices, and as they are."""
    for entry in zoo.find(TASK, bits=8, hub=BUNDLED):
        config = Hub(BUNDLED).config(entry).values
        budget = f"max_macs {config['training']['search']['max_macs'] / 1e6:g}M"
        if config["training"]["supernet"] != folder.name or has_row(TABLE, {"budget": budget, "network": "published"}):
            continue
        item, arch = searchable(folder, TASK), Arch.from_dict(config["arch"])
        add_row(TABLE, {"budget": budget, "network": "published slice"}, _slice(item, arch, data))
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
        values = {"supernet": item.name, "macs": entry.macs, "bits": str(entry.bits), **shares}
        add_row(TABLE, {"budget": budget, "network": "published"}, values)


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
    for name in ("validation", "test"):
        split = data.splits[name]
        features = plain_features(data, split.rows, item.stored.frontend)
        values |= accuracy_columns(name, hits(lambda x: integers(quantise_features(x)), features, split.targets))
    return values


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
