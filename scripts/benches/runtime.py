"""How fast is the NumPy runtime beside torch's evaluator, and a stream beside windows? How far off are its features?

    python scripts/bench.py runtime                          # all bundled models, in turn
    python scripts/bench.py runtime --data speech_commands/  # and features of the test split in floating point

Both compute the same random features, a batch of 64 clips and one clip; medians of rounds in turn, as ratios. Networks
that hear only their past compute an answer each 100 ms of a minute in a stream, each frame once, and by windows of one
clip; the front end, which computes each frame once for both, stands apart.
Features in integers, which are the definition, are compared with those in floating point, which training hears, at the
clips' own level and fainter, and so are the labels that the models of words give.
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
from supernet.data.speech_commands import load
from supernet.frontend.base import FrontEnd
from supernet.nn.frontend import quantise_features, torch_twin
from supernet.nn.integer import TorchIntegers
from supernet.samples import from_int16, to_int16
from zoo.run.along import answer_ms
from zoo.run.causal import streams

BATCHES, ROUNDS, PART = {64: 2, 1: 20}, 5, 256
"""Clips at a time and calls of a round; rounds; clips whose features are made at a time."""
STREAM_S, HOP_MS = 60, 100
"""Of features that stream, and from answer to answer."""
LEVELS_DB = (0, -30)
"""At which features are compared."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Print a line a model, then one a front end."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        ratios = [_ratios(model) for model in map(_model, zoo.Hub().entries)]
        for clips, column in zip(BATCHES, np.array(ratios).T, strict=True):
            middle, ends = np.median(column), f"{column.min():.2f} to {column.max():.2f}"
            print(f"{clips} clips: {ends} times torch, median {middle:.2f}")
        found = [_streamed(model) for model in map(_model, zoo.Hub().entries) if streams(model.network)]
        print(f"streams: {min(found):.1f} to {max(found):.1f} times as fast as windows, median {np.median(found):.1f}")
        if options.data:
            _compare(options.data, options.task)


def _model(entry) -> zoo.Model:
    return zoo.get(name=entry.name)


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


def _streamed(model: zoo.Model) -> float:
    """Time of windows over that of the stream, of the network alone; both give the same answer to the first clip."""
    network, arch, rng = model.network, model.arch, np.random.default_rng(0)
    frames, own_ms = STREAM_S * 1000 // arch.features.step_ms, answer_ms(network)
    x = rng.integers(-128, 128, (arch.features.coefficients, frames)).astype(np.int8)
    samples = rng.integers(-9000, 9000, STREAM_S * model.sampling_rate).astype(np.int16)
    windows = np.lib.stride_tricks.sliding_window_view(x, arch.frames, 1)[:, :: HOP_MS // arch.features.step_ms]
    three = (
        partial(network, windows.transpose(1, 0, 2)),
        lambda: network.step(x[None], network.reset())[0][0, model.clip_ms // own_ms - 1 :: HOP_MS // own_ms],
        lambda: model.frontend.step(samples, model.frontend.reset()),
    )
    if not np.array_equal(three[0]()[0], three[1]()[0]):
        raise SystemExit(f"{model.name}: a stream and windows give other integers")
    by_windows, stream, heard = np.median([[_seconds(run, 1) for run in three] for _ in range(ROUNDS)], 0)
    ms = f"{1000 * stream / STREAM_S:.2f} ms a second of sound, front end {1000 * heard / STREAM_S:.2f}"
    print(f"{model.name:36} stream {by_windows / stream:.1f} times as fast as windows: {ms}", flush=True)
    return by_windows / stream


def _seconds(run: Callable[[], object], calls: int) -> float:
    """Of this process alone, so that other work on the machine does not count."""
    started = time.process_time()
    for _ in range(calls):
        run()
    return time.process_time() - started


def _compare(folder: Path, task: str) -> None:
    """Features in integers against those in floating point, and the labels that each model gives by either."""
    data = load(folder, task)
    clips = data.audio[data.splits["test"].rows]
    models = [zoo.get(name=entry.name) for entry in zoo.find("kws")]
    for level in LEVELS_DB:
        heard = to_int16(from_int16(clips) * np.float32(10 ** (level / 20)))
        made = {}
        for model in models:
            frontend = model.frontend
            if frontend not in made:
                made[frontend] = frontend.run(heard), _in_floats(frontend, heard)
                apart = np.abs(made[frontend][0].astype(int) - made[frontend][1])
                equal, far = (apart == 0).mean(), apart.max()
                name = f"{frontend.kind} {frontend.coefficients}"
                print(f"{level} dB: {name}: {equal:.2%} of {apart.size:,} equal, others by {far} at most")
            own, other = (model.logits(features).argmax(1) for features in made[frontend])
            print(f"{level} dB: {model.name}: {(own != other).mean():.2%} of {len(own)} clips another label")


def _in_floats(frontend: FrontEnd, clips: np.ndarray) -> np.ndarray:
    twin = torch_twin(frontend)
    parts = (torch.from_numpy(from_int16(clips[first : first + PART])) for first in range(0, len(clips), PART))
    return np.concatenate([quantise_features(twin(part)).numpy() for part in parts])


STUDY = Study(
    __doc__,
    run,
    (
        option("--data", type=Path, help="Speech Commands, whose test split is compared"),
        value("--task", "numbers", "whose clips"),
    ),
    always=True,
)
