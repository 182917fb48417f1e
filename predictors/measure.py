"""Measuring networks on a device, through a runner that is handed in; rows of a profile come out.

One thread on one core; each network runs some times unmeasured; then rounds go over a batch of networks in turn, so
that a disturbance falls on all of them, and a network's latency is the median of its rounds. Machines drift between
batches, so the space's smallest and largest network are the first two rows and run again in every batch, which is
scaled to what they took at first. Batches are chosen actively: the first at random, each later one where the predictor
of what is measured so far is least sure. Rows are kept after each batch, so a run that is stopped goes on.

An emulated core counts instructions, which neither drift nor spread: each network runs there once.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from tqdm import tqdm

from predictors.boosting import FOLDS, Own
from predictors.device import read_measurements, without_empty
from supernet.arch import Arch
from supernet.cost import cost_columns
from supernet.errors import InvalidProfile
from supernet.files import write_bytes
from supernet.space import Space

__all__ = ["Counter", "Runner", "host", "latencies", "measure", "sample", "uncertain"]

WARM_UP, REPEATS, BATCH = 3, 15, 20
POOL = 400
"""Networks that are drawn, of which the least sure are measured."""


class Runner(Protocol):
    """What runs networks on a device. runtime, version: as rows state them."""

    runtime: str
    version: str

    def as_run(self, arch: Arch) -> Arch:
        """The network at the bits at which it runs."""

    def prepare(self, arch: Arch) -> Callable[[], None]:
        """A call that computes one answer of this network, with any weights."""


@runtime_checkable
class Counter(Protocol):
    """What counts instructions of networks on an emulated core. runtime, version: as rows state them.

    device: what rows say of the core, beside these.
    """

    runtime: str
    version: str
    device: dict[str, object]

    def as_run(self, arch: Arch) -> Arch:
        """The network at the bits at which it runs."""

    def count(self, arch: Arch) -> int:
        """The instructions of one answer on one clip, with any weights."""


def host() -> dict[str, object]:
    """What rows say of this machine: device, core and clock_mhz (NaN where it is not known)."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    fastest = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    clock = re.search(r"^cpu MHz\s*: ([\d.]+)$", text, re.MULTILINE)
    mhz = float(fastest.read_text()) / 1e3 if fastest.is_file() else float(clock[1]) if clock else np.nan
    core = name[1].strip() if name else platform.processor() or platform.machine()
    return {
        "device": f"host {platform.machine()}",
        "core": f"{core} ({platform.machine()}, one thread)",
        "clock_mhz": mhz if np.isnan(mhz) else round(mhz),
    }


def measure(
    space: Space,
    runner: Runner | Counter,
    count: int,
    path: str | Path,
    seed: int = 0,
    active: bool = True,
    device: dict[str, object] | None = None,
    task: str = "kws",
    progress: bool = True,
) -> pd.DataFrame:
    """Measure `count` networks of a space (2 or more), and keep their rows at `path` after each batch; returns them.

    Rows that the file has already count. active: False draws all at random. device: what rows say of it (default: a
    Counter's, or `host()`). Raises InvalidProfile where the file holds measurements of another device or runtime.
    """
    counts = isinstance(runner, Counter)
    device = device or (runner.device if counts else host())
    path, known = Path(path), {**device, "runtime": runner.runtime, "version": runner.version, "task": task}
    known |= {} if counts else {"repeats": REPEATS}
    anchors = [runner.as_run(arch) for arch in (space.smallest(), space.largest())]
    if count < len(anchors):
        raise InvalidProfile(f"{count} networks are too few: measure {len(anchors)} or more")
    rows = _resume(path, known, anchors)
    if "clock_mhz" in rows:
        known["clock_mhz"] = rows["clock_mhz"].iloc[0]  # processors change theirs all the time
    with tqdm(
        total=count, initial=min(count, len(rows)), desc=path.stem, unit=" networks", disable=None if progress else True
    ) as bar:
        while len(rows) < count:
            rng = np.random.default_rng([seed, len(rows)])
            batch = _batch(space, anchors, rows, min(BATCH, count - len(rows)), rng, active, runner)
            if batch.empty:
                raise InvalidProfile(f"{path}: the space has {len(rows)} networks, not {count}; measure so many")
            rows = pd.concat([rows, batch.assign(**known)], ignore_index=True)
            write_bytes(path, rows.to_csv(index=False).encode())
            rows = without_empty(read_measurements(path).rows)  # as a run that goes on has them
            bar.update(len(batch))
    return read_measurements(path).rows


def _resume(path: Path, known: dict[str, object], anchors: list[Arch]) -> pd.DataFrame:
    if path.is_dir():
        raise InvalidProfile(f"{path}: a folder; name a file for the measurements")
    if not path.is_file():
        return pd.DataFrame()
    rows = read_measurements(path).rows
    for name in ("device", "core", "runtime", "version", "task"):
        other = rows[name][rows[name] != known[name]]
        if len(other):
            raise InvalidProfile(f"{path}: holds measurements of {name} {other.iloc[0]!r}, not {known[name]!r}")
    if rows["arch"].iloc[: len(anchors)].tolist() != [arch.to_json() for arch in anchors]:
        raise InvalidProfile(f"{path}: holds networks of another space; name another file")
    return without_empty(rows)


def _batch(
    space: Space,
    anchors: list[Arch],
    rows: pd.DataFrame,
    count: int,
    rng: np.random.Generator,
    active: bool,
    runner: Runner | Counter,
) -> pd.DataFrame:
    """Rows of the next networks; the anchors' own are first in the first batch."""
    first = anchors if rows.empty else []
    seen = {arch.to_json() for arch in anchors} | set(rows["arch"] if len(rows) else ())
    drawn = list(dict.fromkeys(runner.as_run(arch) for arch in sample(space, POOL, rng)))
    drawn = [arch for arch in drawn if arch.to_json() not in seen]
    wanted = count - len(first)
    if active and len(rows) >= 2 * FOLDS:
        drawn = [drawn[place] for place in uncertain(rows, drawn, wanted, rng)]
    if isinstance(runner, Counter):
        return _counted([*first, *drawn[:wanted]], runner)
    found = _measured([*anchors, *drawn[:wanted]], runner)
    return found if first else _scaled(found, rows, anchors)


def _scaled(found: pd.DataFrame, rows: pd.DataFrame, anchors: list[Arch]) -> pd.DataFrame:
    """What was found, without the anchors, by which it is scaled to what was found first."""
    once = rows["latency_ms"].iloc[: len(anchors)].to_numpy()
    scale = np.mean(once / found["latency_ms"][: len(anchors)].to_numpy())
    for name in ("latency_ms", "latency_iqr_ms"):
        found[name] = (found[name] * scale).round(6)
    return found[len(anchors) :]


def sample(space: Space, count: int, rng: np.random.Generator) -> list[Arch]:
    """Different networks of all sizes."""
    return list(dict.fromkeys(space.from_genes(space.sample_sizes(rng, 2 * count))))[:count]


def uncertain(rows: pd.DataFrame, archs: list[Arch], count: int, rng: np.random.Generator) -> list[int]:
    """Which networks to measure next: half by how much models of parts of the rows disagree, half at random.

    Those of the first half alone would lie side by side, at the edge of the space.
    """
    target = "latency_ms" if "latency_ms" in rows else "instructions"
    spread = Own(target).fit(rows).spread(pd.DataFrame(cost_columns(archs)))
    chosen = list(np.argsort(-spread, kind="stable")[: (count + 1) // 2])
    others = rng.permutation([place for place in range(len(archs)) if place not in set(chosen)])
    return [*map(int, chosen), *map(int, others[: count - len(chosen)])]


def _measured(archs: list[Arch], runner: Runner) -> pd.DataFrame:
    runs = [runner.prepare(arch) for arch in archs]
    with _one_core():
        times = latencies(runs)
    low, median, high = np.percentile(times, (25, 50, 75), axis=1)
    rows = pd.DataFrame({"latency_ms": median.round(5), "latency_iqr_ms": (high - low).round(6) + 1e-6})
    return _with_costs(rows, archs)


def _counted(archs: list[Arch], counter: Counter) -> pd.DataFrame:
    return _with_costs(pd.DataFrame({"instructions": [counter.count(arch) for arch in archs]}), archs)


def _with_costs(rows: pd.DataFrame, archs: list[Arch]) -> pd.DataFrame:
    return rows.join(pd.DataFrame(cost_columns(archs))).assign(arch=[arch.to_json() for arch in archs])


def latencies(runs: list[Callable[[], None]], clock: Callable[[], float] = time.perf_counter) -> np.ndarray:
    """(runs, REPEATS) ms: each run in turn, round by round, after WARM_UP rounds that are not counted."""
    times = np.zeros((len(runs), REPEATS))
    for number in range(-WARM_UP, REPEATS):
        for place, run in enumerate(runs):
            started = clock()
            run()
            if number >= 0:
                times[place, number] = 1e3 * (clock() - started)
    return times


@contextmanager
def _one_core() -> Iterator[None]:
    """Hold the process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
