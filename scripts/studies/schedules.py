"""Which schedule of supernet training is best at equal time, on the recipe and the words of the long run?

    python scripts/long_run.py ../shared/data --only tuned
    python scripts/study.py schedules ../shared/data --minutes 6

All start from the weights of the long run's teacher. Each learns from the teacher, or else in place: of a sandwich the
largest network's outputs, of random networks the labels alone. Each gets as many epochs as fit into the time by what
its steps take, all of them timed in turn; the row states the seconds that training then took. Sub-networks of four
classes of MACs, as many of each, are measured on the speakers that networks are chosen by, the same ones for all. Rows:
`schedules.csv`.
"""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from long_run import PLANS, fitted, guide_of, load_words, only_training, trained_up_to
from studies.base import RUNS, SCENES, SEED, SPOKEN, THREADS, Shown, Study, several, value
from studies.rows import Rows, seconds_of
from supernet.arch import Arch
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.files import read_json, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.supernet import Supernet
from supernet.population import PopulationCosts
from supernet.space import Space
from supernet.train.calibration import scene_features
from supernet.train.evaluate import accuracy
from supernet.train.objective import losses_of
from supernet.train.recipe import PROGRESSIVE_SHRINKING, SupernetRecipe
from supernet.train.supernets import draw_archs, train_step, train_supernet

SANDWICH = replace(PLANS["supernet"], sandwich=True, random=2)
SCHEDULES = {
    "sandwich": SANDWICH,
    "progressive shrinking": replace(SANDWICH, phases=PROGRESSIVE_SHRINKING),
    "random": replace(SANDWICH, sandwich=False, random=3),
}
TAUGHT = ("teacher", "in place")
NAMES = [f"{name}, {taught}" for name in SCHEDULES for taught in TAUGHT]
CLASSES = {"to 0.5M": (0.0, 0.5e6), "to 1M": (0.5e6, 1e6), "to 3M": (1e6, 3e6), "above 3M": (3e6, np.inf)}
"""MACs of the networks that are measured: over the first figure, at most the second."""
TIMED_STEPS, MEASURED, MEASURED_SEED, CALIBRATED = 12, 6, 7, 512


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure every schedule."""
    with only_training(options.runs):
        _train(options, rows)


def _train(options: argparse.Namespace, rows: Rows) -> None:
    data = load_words(options.data, options.spoken)
    frontend = fitted(data, options.long)
    teacher = trained_up_to("tuned", data, frontend, options.long)
    folder = options.runs / "schedules" / f"{options.minutes:g}min-s{options.seed}"
    if not (folder / "seconds.json").is_file():
        write_json(folder / "seconds.json", _seconds_a_step(teacher, data, frontend))
    seconds, steps = read_json(folder / "seconds.json"), len(data.epoch(np.random.default_rng(0)))
    for name in [name for name in seconds if name in options.only]:
        schedule, taught = name.split(", ")
        recipe = replace(SCHEDULES[schedule], seed=options.seed)
        epochs = max(1, round(options.minutes * 60 / (seconds[name] * (steps // recipe.batch))))
        run = folder / re.sub(r"\W+", "-", name)
        keys = {"schedule": schedule, "taught": taught, "minutes": options.minutes, "seed": options.seed}
        parts = teacher, data, frontend, replace(recipe, epochs=epochs), run, taught == TAUGHT[0]
        rows.once("schedules", keys, partial(_train_and_measure, *parts), run)


def _train_and_measure(
    teacher: Supernet, data: ClipData, frontend: Mfcc, recipe: SupernetRecipe, run: Path, taught: bool
) -> dict[str, float]:
    """Epochs, seconds, and accuracy in percent: of the ends, the mean of each class of MACs, and the classes' mean."""
    networks = teacher.space
    supernet = Supernet(networks, scene_features(data, frontend, recipe.augmentation, CALIBRATED), recipe.seed)
    supernet.load_state_dict(teacher.state_dict())
    guide = guide_of(teacher) if taught else None
    train_supernet(supernet, data, frontend, recipe, run, teacher=guide)
    features = plain_features(data, data.choosing.rows, frontend)

    def measure(arch: Arch) -> float:
        network = supernet.extract(arch)
        return round(100 * accuracy(lambda x: network(x)[:, : len(data.labels)], features, data.choosing.targets), 2)

    ends = {"smallest": measure(networks.smallest()), "largest": measure(networks.largest())}
    means = {
        name: round(float(np.mean([measure(arch) for arch in archs])), 2) for name, archs in _measured(networks).items()
    }
    mean = round(float(np.mean(list(means.values()))), 2)
    took = {"epochs": recipe.epochs, "seconds": seconds_of(run)}
    return {**took, **ends, **means, "mean": mean, "networks": MEASURED * len(means)}


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


def _seconds_a_step(teacher: Supernet, data: ClipData, frontend: Mfcc) -> dict[str, float]:
    """Median seconds of a step of each schedule, at points spread evenly over the run, the schedules in turn."""
    supernet = Supernet(teacher.space).train()
    guides, clips = {"teacher": guide_of(teacher), "in place": None}, data.epoch(np.random.default_rng(0))
    maker, optimiser = PLANS["supernet"].augmentation.maker(data, frontend), torch.optim.AdamW(supernet.parameters())
    losses = losses_of(data, PLANS["supernet"])
    times: dict[str, list[float]] = {f"{name}, {taught}": [] for name in SCHEDULES for taught in TAUGHT}
    for number in range(TIMED_STEPS + 1):
        for name in times:
            schedule, taught = name.split(", ")
            recipe, rng, started = SCHEDULES[schedule], np.random.default_rng(number), time.process_time()
            archs = draw_archs(supernet.space, recipe, max(0, number - 1) / TIMED_STEPS, rng)
            x, targets = maker(clips.rows[: recipe.batch], rng), torch.from_numpy(clips.targets[: recipe.batch])
            optimiser.zero_grad()
            train_step(supernet, archs, x, targets, recipe, losses, guides[taught])
            optimiser.step()
            times[name].append(time.process_time() - started)
    return {name: float(np.median(values[1:])) for name, values in times.items()}


def table_of_schedules(found: Rows) -> Shown:
    """Accuracy of each schedule, the best first."""
    table = found.read("schedules").sort_values("mean", ascending=False)
    measured = ["smallest", "to 0.5M", "to 1M", "to 3M", "above 3M", "largest", "mean"]
    rows = [
        [
            row.schedule, row.taught, f"{row.minutes:g}", f"{row.epochs}", f"{row.seconds}",
            *(f"{row[name]:.2f}" for name in measured),
        ]
        for _, row in table.iterrows()
    ]  # fmt: skip
    return ["schedule", "taught", "minutes", "epochs", "seconds", *measured], rows


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        SPOKEN,
        value("--minutes", 6.0, "of each schedule"),
        several("--only", NAMES, "schedules"),
        SEED,
        value("--long", Path("runs/long"), "of the long run"),
        RUNS,
        THREADS,
    ),
    tables={"schedules": table_of_schedules},
)
