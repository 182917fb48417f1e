"""How fast is the NumPy runtime of integer networks beside torch's evaluator, and are features the same, on one thread?

    python scripts/bench.py runtime                          # all bundled models, in turn
    python scripts/bench.py runtime --data speech_commands/  # and features of the test split in NumPy and torch

Both compute the same random features, a batch of 64 clips and one clip; medians of rounds in turn, as ratios.
Features of the models' front ends are compared at 8 bits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import zoo
from studies.base import Study, option, value
from studies.rows import Rows
from supernet.data.audio import from_int16
from supernet.data.speech_commands import load
from supernet.frontend.base import frontend_from_dict, quantise
from supernet.nn.frontend import quantise_features, torch_twin
from supernet.nn.integer import TorchIntegers

BATCHES, ROUNDS, PART = {64: 2, 1: 20}, 5, 256
"""Clips at a time and calls of a round; rounds; clips whose features are made at a time."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Print a line a model, then one a front end."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        ratios = [_ratios(zoo.get(name=entry.name)) for entry in zoo.Hub().entries]
        for clips, column in zip(BATCHES, np.array(ratios).T, strict=True):
            middle, ends = np.median(column), f"{column.min():.2f} to {column.max():.2f}"
            print(f"{clips} clips: {ends} times torch, median {middle:.2f}")
        if options.data:
            _compare(options.data, options.task)


def _ratios(model: zoo.Model) -> list[float]:
    ours, theirs = model.network, TorchIntegers(model.network)
    arch, found = model.arch, []
    for clips, calls in BATCHES.items():
        shape = clips, arch.features.coefficients, arch.frames
        x = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
        both = partial(ours, x), partial(theirs, torch.from_numpy(x))
        if not np.array_equal(*(run() for run in both)):
            raise SystemExit(f"{model.name}: NumPy and torch give other integers")
        times = np.median([[_seconds(run, calls) for run in both] for _ in range(ROUNDS)], 0)
        found.append(times[0] / times[1])
    print(f"{model.name:36} " + "  ".join(f"{ratio:.2f}" for ratio in found), flush=True)
    return found


def _seconds(run: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - started


def _compare(folder: Path, task: str) -> None:
    data = load(folder, task)
    rows = data.splits["test"].rows
    kept = {str(model.frontend): model for model in (zoo.get(name=entry.name) for entry in zoo.find("kws"))}
    for model in kept.values():
        frontend, values, differ, far = frontend_from_dict(model.frontend), 0, 0, 0
        for first in range(0, len(rows), PART):
            samples = from_int16(data.audio[rows[first : first + PART]])
            own = quantise(frontend(samples)).astype(int)
            apart = np.abs(own - quantise_features(torch_twin(frontend)(torch.from_numpy(samples))).numpy())
            values, differ, far = values + apart.size, differ + int((apart > 0).sum()), max(far, int(apart.max()))
        name = f"{frontend.kind} {frontend.coefficients}"
        print(f"{name}: {differ} of {values:,} differ, by {far} at most; {len(rows)} clips")


STUDY = Study(
    __doc__,
    run,
    (
        option("--data", type=Path, help="Speech Commands, whose test split is compared"),
        value("--task", "numbers", "whose clips"),
    ),
    always=True,
)
