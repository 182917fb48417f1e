"""How fast does a supernet train, where does the time go, and how does it grow with processes?

    python scripts/bench.py training                      # both cores of this machine, one process
    python scripts/bench.py training --processes 2        # and torchrun with so many processes of one thread each
    python scripts/bench.py training --scenes --threads 1 # how much of a step of the long run its scenes take

One step trains a sandwich of four networks. *Ours* reads log-mel maps computed once, keeps channels side by side in
memory, computes in bfloat16 and slices shared weights. *Plain* is the textbook's way: samples varied and features
computed in the step, weights of every sub-network made anew for each forward pass, the default layout, float32 and the
library's own depthwise gradients. Both take turns in one run; figures are medians of the rounds. Clips are noise: what
is in them does not matter here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from long_run import PLANS, words_space
from studies.base import Study, option, value
from studies.rows import Rows
from supernet.data.augment import Augmentation, Augmenter
from supernet.data.cache import cached_array
from supernet.data.clips import ClipData, Split
from supernet.frontend.logmel import LogMel
from supernet.nn import ops
from supernet.nn.frontend import torch_twin
from supernet.nn.supernet import Supernet
from supernet.space import default_space
from supernet.train import parallel
from supernet.train.calibration import fit_frontend
from supernet.train.recipe import SupernetRecipe
from supernet.train.supernets import draw_archs, train_step

CLIPS, SAMPLES, CLASSES = 512, 16_000, 12
NOISE_GAIN, SHIFT = 0.1, 1600
WARM_UP = 2


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure and print."""
    if options.worker:
        print(json.dumps(_steps_a_second(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = _data(Path(folder))
        if options.scenes:
            _scenes(data, options.rounds)
            return
        plain = _compare(data, options)
    if options.processes > 1:
        _scaling(options, plain)


def _compare(data: ClipData, options: argparse.Namespace) -> float:
    """Ours and the plain way in turn; returns the clips a second of the plain way."""
    frontend = fit_frontend(data, 1, LogMel)
    augmenter = Augmenter(data, frontend, Augmentation())
    plain = partial(_plain_features, data, frontend)
    ways = {
        "ours": (SupernetRecipe(sandwich=True), augmenter, nullcontext),
        "plain": (SupernetRecipe(sandwich=True, bfloat16=False), plain, _plain),
    }
    supernet = Supernet(default_space("temporal", CLASSES, features="logmel")).train()
    optimiser = torch.optim.AdamW(supernet.parameters())
    times: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    memory = []
    for number in range(WARM_UP + options.rounds):
        for name, (recipe, features, way) in ways.items():
            with way():
                times[name].append(_step(data, supernet, optimiser, recipe, features, number))
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    medians = {}
    for name, rows in times.items():
        medians[name] = {key: float(np.median([row[key] for row in rows[WARM_UP:]])) for key in rows[0]}
        whole = medians[name]["whole"]
        shares = "  ".join(f"{key} {medians[name][key] / whole:.0%}" for key in medians[name] if key != "whole")
        print(f"{name:6} {SupernetRecipe.batch / whole:6.0f} clips a second   {shares}")
    print(
        f"ours is {medians['plain']['whole'] / medians['ours']['whole']:.2f} times as fast, {options.threads} threads"
    )
    print(f"peak memory {memory[WARM_UP]:.0f} MiB after warming up, {memory[-1]:.0f} MiB after {options.rounds} rounds")
    return SupernetRecipe.batch / medians["plain"]["whole"]


def _scenes(data: ClipData, rounds: int) -> None:
    """Parts of a step of the long run, in place."""
    frontend, recipe = fit_frontend(data, 1, LogMel), replace(PLANS["supernet"], tasks=())
    supernet = Supernet(replace(words_space(data), classes=CLASSES)).train()
    maker, optimiser = recipe.augmentation.maker(data, frontend), torch.optim.AdamW(supernet.parameters())
    for number in range(2 * len(maker.rooms) // recipe.batch):  # until most rooms' spectra are at hand
        maker(np.arange(recipe.batch), np.random.default_rng(number))
    rows = [_step(data, supernet, optimiser, recipe, maker, number) for number in range(WARM_UP + rounds)]
    medians = {key: float(np.median([row[key] for row in rows[WARM_UP:]])) for key in rows[0]}
    share = medians["augmentation"] / medians["whole"]
    print(f"scenes {medians['augmentation']:.3f} s of a step of {medians['whole']:.3f} s: {share:.1%}")


def _step(
    data: ClipData,
    supernet: Supernet,
    optimiser: torch.optim.Optimizer,
    recipe: SupernetRecipe,
    features: Callable[[np.ndarray, np.random.Generator], Tensor],
    number: int,
) -> dict[str, float]:
    """Seconds of one step and of its parts."""
    rng, spent = np.random.default_rng(number), {"forward": 0.0}
    archs = draw_archs(supernet.space, recipe, 1.0, rng)
    started = time.perf_counter()
    clips = data.epoch(rng)
    drawn = time.perf_counter()
    x = features(clips.rows[: recipe.batch], rng)
    heard = time.perf_counter()
    forward = supernet.forward

    def timed(*arguments):
        begun = time.perf_counter()
        logits = forward(*arguments)
        spent["forward"] += time.perf_counter() - begun
        return logits

    optimiser.zero_grad()
    with patch.object(supernet, "forward", timed):
        train_step(supernet, archs, x, torch.from_numpy(clips.targets[: recipe.batch]), recipe)
    trained = time.perf_counter()
    optimiser.step()
    ended = time.perf_counter()
    return {
        "whole": ended - started,
        "data": drawn - started,
        "augmentation": heard - drawn,
        "forward": spent["forward"],
        "backward": trained - heard - spent["forward"],
        "optimiser": ended - trained,
    }


def _plain_features(data: ClipData, frontend: LogMel, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Features of samples that are shifted and get noise, all in the step."""
    samples = torch.from_numpy(data.audio[rows].astype(np.float32) / 32768)
    shifted = torch.stack([torch.roll(clip, int(rng.integers(-SHIFT, SHIFT))) for clip in samples])
    return torch_twin(frontend)(shifted + NOISE_GAIN * torch.randn_like(shifted))


@contextmanager
def _plain():
    """The library's convolutions in the default layout on weights that are made anew."""

    def convolve(spec, x: Tensor, weight: Tensor) -> Tensor:
        top, bottom, left, right = spec.pad
        padded = F.pad(x.contiguous(), (left, right, top, bottom))
        return F.conv2d(padded, weight.clone(), stride=spec.stride, groups=spec.groups)

    with patch.object(ops, "convolve", convolve):
        yield


def _scaling(options: argparse.Namespace, plain: float) -> None:
    """Clips a second of one process of one thread, and of several that share each batch."""
    rates = {}
    for processes in (1, options.processes):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command += [sys.argv[0], "training", "--worker", "--rounds", str(options.rounds)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        rates[processes] = SupernetRecipe.batch * json.loads(done.stdout.strip().splitlines()[-1])
    first, last = rates[1], rates[options.processes]
    print(f"torchrun, one thread each: {first:.0f} clips a second with 1 process, {last:.0f} with {options.processes}")
    print(f"scaling {last / first:.2f}, of at most {options.processes}")
    print(f"so it is {last / plain:.2f} times as fast as the plain way on {options.threads} threads")


def _steps_a_second(options: argparse.Namespace) -> float:
    """Of this process, which shares each batch with the others."""
    parallel.start()
    torch.set_num_threads(1)
    recipe, processes = SupernetRecipe(sandwich=True), parallel.world_size()
    supernet = Supernet(default_space("temporal", CLASSES, features="logmel")).train()
    optimiser = torch.optim.AdamW(supernet.parameters())
    x, targets = torch.randn(recipe.batch // processes, 40, 100), torch.arange(recipe.batch // processes) % CLASSES
    times = []
    for number in range(WARM_UP + options.rounds):
        archs = draw_archs(supernet.space, recipe, 1.0, np.random.default_rng(number))
        started = time.perf_counter()
        optimiser.zero_grad()
        train_step(supernet, archs, x, targets, recipe)
        parallel.average_gradients(supernet, processes)
        optimiser.step()
        times.append(time.perf_counter() - started)
    parallel.leave()
    return 1 / float(np.median(times[WARM_UP:]))


def _data(folder: Path) -> ClipData:
    """Clips of noise, with a class of silence."""
    rng = np.random.default_rng(0)

    def fill(audio: np.ndarray) -> None:
        audio[:] = rng.integers(-3000, 3000, audio.shape)

    audio = cached_array(folder / "audio" / "noise.npy", (CLIPS, SAMPLES), np.int16, fill)
    split = Split(np.arange(CLIPS), np.arange(CLIPS) % (CLASSES - 1))
    return ClipData(
        name="noise",
        labels=tuple(map(str, range(CLASSES))),
        sampling_rate=SAMPLES,
        audio=audio,
        splits=dict.fromkeys(("train", "validation", "test"), split),
        unknown=np.empty(0, dtype=np.int64),
        extra=CLIPS // CLASSES,
        noise=[rng.integers(-3000, 3000, 10 * SAMPLES).astype(np.int16)],
        unknown_class=None,
        silence_class=CLASSES - 1,
        licence="cc0-1.0",
        attribution="random numbers",
        digest="noise",
        cache=folder,
    )


STUDY = Study(
    __doc__,
    run,
    (
        value("--rounds", 9, "timed steps of each way"),
        value("--threads", torch.get_num_threads(), "of the processor"),
        value("--processes", 1, "of torchrun"),
        option("--scenes", action="store_true", help="time a step of the long run instead"),
        option("--worker", action="store_true", help=argparse.SUPPRESS),
    ),
    always=True,
)
