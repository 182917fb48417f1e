"""How far are the integers of linear memories from what they are trained as, and do they drift?

    python scripts/study.py memories

Memories of 16 bits (supernet.ops.memory) run without a reset beside the same recurrence in float64, on full noise, on
levels that are held and jump, on a tone and on a constant. Told is how far apart they are in steps of their 8-bit
input, over all, in the first and in the last tenth, and the bound that rounding cannot leave however long a stream is.
What training convolves with is that recurrence without rounding. Rows: `memories.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

import numpy as np

from studies.base import Shown, Study, value
from studies.rows import Rows
from supernet.ops.memory import UNIT, remember, transition

TABLE, BLOCK, SEED = "memories", 10_000, 0
SIZES = ((4, 8), (6, 16), (8, 32), (12, 32), (32, 50))
"""Orders, and windows in frames."""
LEVELS, HELD, PERIOD = 127, 40, 23.7
"""Of inputs, and frames that a level is held, and of a tone."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure what is not done."""
    for order, window in SIZES:
        keys = {"order": order, "window": window, "frames": options.frames}
        rows.once(TABLE, keys, partial(distances, order, window, options.frames))


def distances(order: int, window: int, frames: int) -> dict[str, float]:
    """How far the integers are from the recurrence without rounding, in steps of the input."""
    held, exact = transition(order, window).astype(float), None
    state, means, mosts = np.zeros((1, 4, order)), [], []
    for inputs in blocks(frames):
        found, state = remember(held, inputs[None], state)
        wanted, exact = unrounded(held / 2.0**14, inputs, exact)
        off = np.abs(found[0] - wanted) / UNIT
        means.append(off.mean())
        mosts.append(off.max())
    tenth = max(1, len(mosts) // 10)
    figures = {"mean": np.mean(means), "largest": max(mosts), "largest_first": max(mosts[:tenth])}
    figures |= {"largest_last": max(mosts[-tenth:]), "bound": bound(order, window)}
    return {name: round(float(own), 4) for name, own in figures.items()}


def blocks(frames: int) -> Iterator[np.ndarray]:
    """Inputs (frames, channels), whole numbers, a block at a time."""
    rng = np.random.default_rng(SEED)
    for first in range(0, frames, BLOCK):
        time = np.arange(first, min(first + BLOCK, frames))
        noise = rng.integers(-LEVELS - 1, LEVELS + 1, len(time))
        levels = rng.integers(-LEVELS - 1, LEVELS + 1, -(-len(time) // HELD)).repeat(HELD)[: len(time)]
        tone = np.round(LEVELS * np.sin(2 * np.pi * time / PERIOD))
        yield np.stack([noise, levels, tone, np.full(len(time), LEVELS)], 1).astype(float)


def unrounded(held: np.ndarray, inputs: np.ndarray, state: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Memories (frames, channels, order) in float64, and the last."""
    step, drive = held[:, :-1].T, UNIT * held[:, -1]
    state = np.zeros((inputs.shape[1], len(held))) if state is None else state
    found = np.empty((*inputs.shape, len(held)))
    for frame, heard in enumerate(inputs):
        state = state @ step + heard[:, None] * drive
        found[frame] = state
    return found, state


def bound(order: int, window: int) -> float:
    """The most that half a step a frame adds up to, in steps of the input."""
    step, power, total = transition(order, window)[:, :-1] / 2.0**14, np.eye(order), np.zeros(order)
    while np.abs(power).max() > 1e-9:
        total, power = total + np.abs(power).sum(1) / 2, step @ power
    return total.max() / UNIT


def table_of_distances(found: Rows) -> Shown:
    """A row an order and window."""
    names = ("mean", "largest", "largest_first", "largest_last", "bound")
    rows = [
        [f"{row.order}", f"{row.window}", f"{row.frames:,}", *(f"{getattr(row, name):.3f}" for name in names)]
        for row in found.read(TABLE).itertuples()
    ]
    return ["order", "window, frames", "frames", "mean", "largest", "in the first tenth", "in the last", "bound"], rows


STUDY = Study(
    __doc__,
    run,
    (value("--frames", 1_000_000, "of each"),),
    tables={TABLE: table_of_distances},
)
