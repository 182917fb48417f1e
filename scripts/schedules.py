"""Compare the schedules of supernet training at equal wall time, on a shortened run.

    python scripts/schedules.py ../shared/data/speech_commands --minutes 8

Each schedule gets as many epochs as fit into the time by what its steps take, all of them timed in turn, once; the row
states the seconds that training then took. Sub-networks of four classes of MACs, as many of each, are measured on
validation, the same ones for all. Rows: `scripts/results/schedules.csv`. Runs resume.
"""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from results import add_row

from supernet.data.augment import Augmentation, Augmenter, plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.elastic import Supernet
from supernet.evaluate import accuracy
from supernet.families import space
from supernet.files import read_json, write_json
from supernet.frontend import Mfcc
from supernet.population import PopulationCosts
from supernet.space import Arch, Space
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
    "sandwich": SupernetRecipe(sandwich=True),
    "sandwich, genes alone": SupernetRecipe(sandwich=True, by_size=False),
    "progressive shrinking": SupernetRecipe(sandwich=True, phases=PROGRESSIVE_SHRINKING),
    "random": SupernetRecipe(),
}
CLASSES = {"to 0.3M": (0.0, 0.3e6), "to 1M": (0.3e6, 1e6), "to 3M": (1e6, 3e6), "above 3M": (3e6, np.inf)}
"""MACs of the networks that are measured: over the first figure, at most the second."""
TIMED_STEPS, MEASURED, MEASURED_SEED = 40, 6, 7


def main() -> None:
    """Train and measure every schedule."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, "numbers")
    frontend = fit_frontend(data)
    networks = space("temporal", len(data.labels), data.clip_ms)
    folder = options.runs / "schedules" / f"{options.minutes:g}min-s{options.seed}"
    if not (folder / "seconds.json").is_file():
        write_json(folder / "seconds.json", _seconds_a_step(networks, data, frontend))
    seconds = read_json(folder / "seconds.json")
    clips = len(data.epoch(np.random.default_rng(0)))
    for name, recipe in SCHEDULES.items():
        if name not in options.only:
            continue
        epochs = max(1, round(options.minutes * 60 / (seconds[name] * (clips // recipe.batch))))
        recipe, run = replace(recipe, epochs=epochs, seed=options.seed), folder / re.sub(r"\W+", "-", name)
        values = _train_and_measure(data, frontend, networks, recipe, run)
        keys = {"schedule": name, "minutes": options.minutes, "seed": options.seed}
        taken = round(sum(row["seconds"] for row in read_json(run / "log.json")))
        add_row("schedules", keys, {"epochs": epochs, "seconds": taken, **values}, run)
        print(name, values, flush=True)


def _train_and_measure(
    data: ClipData, frontend: Mfcc, networks: Space, recipe: SupernetRecipe, run: Path
) -> dict[str, float]:
    """Validation accuracy in percent: of the ends, the mean of each class of MACs, and the mean of the classes."""
    calibration = calibration_features(data, frontend)
    supernet = train_supernet(Supernet(networks, calibration, recipe.seed), data, frontend, recipe, run)
    validation = data.splits["validation"]
    features = plain_features(data, validation.rows, frontend)

    def measure(arch: Arch) -> float:
        return round(100 * accuracy(supernet.extract(arch), features, validation.targets), 2)

    ends = {"smallest": measure(networks.smallest()), "largest": measure(networks.largest())}
    means = {
        name: round(float(np.mean([measure(arch) for arch in archs])), 2) for name, archs in _measured(networks).items()
    }
    return {**ends, **means, "mean": round(float(np.mean(list(means.values()))), 2), "networks": MEASURED * len(means)}


def _measured(networks: Space) -> dict[str, list[Arch]]:
    """MEASURED networks of each class of MACs, half of them drawn by size and half gene by gene where there are any."""
    rng, costs = np.random.default_rng(MEASURED_SEED), PopulationCosts(networks)
    drawn = [draw(rng, 1000) for draw in (networks.sample_sizes, networks.sample)]
    chosen = {}
    for name, (low, high) in CLASSES.items():
        inside = [genes[(cost > low) & (cost <= high)] for genes in drawn for cost in [costs(genes)["macs"]]]
        alone = inside[1][: MEASURED // 2]
        chosen[name] = networks.from_genes(np.concatenate([inside[0][: MEASURED - len(alone)], alone]))
    return chosen


def _seconds_a_step(networks: Space, data: ClipData, frontend: Mfcc) -> dict[str, float]:
    """Mean seconds of a step of each schedule, at points spread evenly over the run, the schedules in turn."""
    supernet = Supernet(networks).train()
    augmenter, optimiser = Augmenter(data, frontend, Augmentation()), torch.optim.AdamW(supernet.parameters())
    clips = data.epoch(np.random.default_rng(0))
    times: dict[str, list[float]] = {name: [] for name in SCHEDULES}
    for number in range(TIMED_STEPS + 1):
        rng = np.random.default_rng(number)
        for name, recipe in SCHEDULES.items():
            started = time.perf_counter()
            archs = draw_archs(networks, recipe, max(0, number - 1) / TIMED_STEPS, rng)
            x = augmenter(clips.rows[: recipe.batch], rng)
            optimiser.zero_grad()
            train_step(supernet, archs, x, torch.from_numpy(clips.targets[: recipe.batch]), recipe)
            optimiser.step()
            times[name].append(time.perf_counter() - started)
    return {name: float(np.mean(values[1:])) for name, values in times.items()}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--minutes", type=float, default=8.0, help="of each schedule (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=SCHEDULES, default=list(SCHEDULES), help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
