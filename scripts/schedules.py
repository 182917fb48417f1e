"""Compare the schedules of supernet training at equal wall time, on a shortened run.

    python scripts/schedules.py ../shared/data/speech_commands --minutes 8

Each schedule gets as many epochs as its share of a step's time allows, all steps timed in one go, in turn. Then
sub-networks drawn by size are measured on validation, the same ones for all. Rows: `scripts/results/schedules.csv`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from results import add_row

from supernet.cost import space_macs
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.elastic import Supernet
from supernet.evaluate import accuracy
from supernet.families import space
from supernet.frontend import Mfcc
from supernet.space import Space
from supernet.train import (
    PROGRESSIVE_SHRINKING,
    SupernetRecipe,
    calibration_features,
    draw_archs,
    fit_frontend,
    train_step,
    train_supernet,
)

SCHEDULES = {
    "sandwich": SupernetRecipe(),
    "sandwich, genes alone": SupernetRecipe(by_size=False),
    "progressive shrinking": SupernetRecipe(phases=PROGRESSIVE_SHRINKING),
    "random": SupernetRecipe(sandwich=False),
}
CLASSES = ((0.3e6, "to_0.3M"), (1e6, "to_1M"), (3e6, "to_3M"), (np.inf, "above_3M"))
TIMED_STEPS, MEASURED, MEASURED_SEED = 36, 24, 7


def main() -> None:
    """Train and measure every schedule."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data)
    frontend = fit_frontend(data)
    networks = space("temporal", len(data.labels), data.clip_ms)
    seconds = _seconds_a_step(networks)
    steps = len(data.epoch(np.random.default_rng(0))) // SupernetRecipe.batch
    for name, recipe in SCHEDULES.items():
        epochs = max(1, round(options.minutes * 60 / (seconds[name] * steps)))
        recipe = replace(recipe, epochs=epochs, seed=options.seed)
        folder = options.runs / "schedules" / f"{name.replace(', ', '-').replace(' ', '-')}-{options.minutes:g}min"
        values = _train_and_measure(data, frontend, networks, recipe, folder)
        values = {"epochs": epochs, "seconds_a_step": round(seconds[name], 3), **values}
        add_row("schedules", {"schedule": name, "minutes": options.minutes, "seed": options.seed}, values)
        print(name, values, flush=True)


def _train_and_measure(
    data: ClipData, frontend: Mfcc, networks: Space, recipe: SupernetRecipe, folder: Path
) -> dict[str, float]:
    """Validation accuracy in percent: of the ends, and the mean over the measured networks of each class of MACs."""
    calibration = calibration_features(data, frontend)
    supernet = train_supernet(Supernet(networks, calibration, recipe.seed), data, frontend, recipe, folder)
    validation = data.splits["validation"]
    features = plain_features(data, validation.rows, frontend)

    def measure(arch) -> float:
        return round(100 * accuracy(supernet.extract(arch), features, validation.targets), 2)

    genes = networks.sample_sizes(np.random.default_rng(MEASURED_SEED), MEASURED)
    cost = space_macs(networks, genes)
    shares = np.array([measure(arch) for arch in networks.from_genes(genes)])
    values, low = {"smallest": measure(networks.smallest()), "largest": measure(networks.largest())}, 0.0
    for high, name in CLASSES:
        values[name] = round(float(shares[(cost > low) & (cost <= high)].mean()), 2)
        low = high
    return {**values, "mean": round(float(shares.mean()), 2), "networks": MEASURED}


def _seconds_a_step(networks: Space) -> dict[str, float]:
    """Mean seconds of a step of each schedule, at evenly spread points of the run, schedules in turn."""
    x, targets = torch.randn(SupernetRecipe.batch, 40, 100), torch.arange(SupernetRecipe.batch) % networks.classes
    supernet = Supernet(networks).train()
    times: dict[str, list[float]] = {name: [] for name in SCHEDULES}
    for done, rng in _points():
        for name, recipe in SCHEDULES.items():
            archs = draw_archs(networks, recipe, done, rng)
            started = time.perf_counter()
            train_step(supernet, archs, x, targets, recipe)
            times[name].append(time.perf_counter() - started)
    return {name: float(np.mean(values)) for name, values in times.items()}


def _points() -> Iterator[tuple[float, np.random.Generator]]:
    """Shares of a run, and a generator for each."""
    for number in range(TIMED_STEPS):
        yield number / TIMED_STEPS, np.random.default_rng(number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--minutes", type=float, default=8.0, help="of each schedule (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
