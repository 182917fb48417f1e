"""Is a sub-network of a supernet as good as the same network trained alone, as once-for-all claims?

    python scripts/study.py claim ../shared/data --spoken runs/spoken
    python scripts/study.py claim ../shared/data --spoken runs/spoken --task commands

For some sizes, the same network is made in four ways: trained alone from scratch; alone with distillation from the
supernet's largest network; sliced from the supernet; sliced and fine-tuned with distillation. Some are also trained
from scratch for longer, in case that it is the length that gains. All hear scenes as the supernet did. Rows:
`claim.csv`; differences on the same test clips with paired bootstrap intervals: `claim_intervals.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from long_run import load_words
from studies.base import RUNS, SCENES, SPOKEN, THREADS, Shown, Study, option, several, value
from studies.networks import WAY_NAMES, Setting, measured_ways, scenes_of, uniform_archs
from studies.rows import NoRows, Rows, load_hits, paired_bootstrap
from supernet.arch import Arch
from supernet.cost import macs
from supernet.data.augment import Augmentation
from supernet.data.scenes import Scenes
from supernet.nn.network import Network
from supernet.nn.store import load_supernet
from supernet.nn.supernet import Supernet
from supernet.train.loop import weights_digest
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe
from zoo.hubs.folder import BUNDLED

TABLE, INTERVALS, TASKS, CALIBRATED = "claim", "claim_intervals", ("kws", "commands"), 512
BEFORE = "numbers"
"""Ten other words, without scenes, of which rows are kept."""
SIZES = {"smallest": 3, "map-0.6M": 3, "map-1M": 1, "map-3M": 1}
"""Seeds of each size."""
LONG = {"smallest": 1, "map-0.6M": 1, "map-3M": 1}
"""Seeds of each size with which it is trained from scratch for longer."""
WAYS = ("alone", "longer", "distilled", "slice", "tuned")
AGAINST = ("alone", "longer", "distilled")
TUNE_RATE = 1e-3


@dataclass(frozen=True)
class Sliced(Setting):
    """What all runs share."""

    supernet: Supernet
    teacher: Network
    scenes: Augmentation | Scenes

    @property
    def weights(self) -> str:
        """The beginning of the digest of the supernet's."""
        return weights_digest(self.supernet)[:12]


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Run what is missing and write the tables."""
    stored = load_supernet(options.supernet or BUNDLED / "supernets" / f"{options.task}-temporal-map", options.task)
    data, supernet = load_words(options.data, options.spoken, options.task), stored.supernet
    scenes, calibration = scenes_of(stored, data, CALIBRATED)
    teacher = supernet.extract(supernet.space.largest(), calibration)
    setting = Sliced(options, rows, data, stored.frontend, calibration, supernet, teacher, scenes)
    archs = {"smallest": supernet.space.smallest(), **uniform_archs(len(data.labels))}
    for size in options.only:
        for way in WAYS:
            for seed in range(_seeds(setting, size, way)):
                _measure(setting, size, archs[size], way, seed)
        _intervals(setting, size)


def _epochs(setting: Sliced, way: str) -> int:
    options = setting.options
    return {"slice": 0, "tuned": options.tune_epochs, "longer": options.longer}.get(way, options.epochs)


def _folder(setting: Sliced, size: str, way: str, seed: int) -> Path:
    return (
        setting.options.runs
        / TABLE
        / setting.options.task
        / setting.weights
        / f"{size}-s{seed}-e{_epochs(setting, way)}-{way}"
    )


def _make(setting: Sliced, size: str, arch: Arch, way: str, seed: int) -> Network:
    """The network of an Arch, made in one of the WAYS."""
    supernet = setting.supernet
    if way == "slice":
        return supernet.extract(arch, setting.calibration)
    start = supernet.extract(arch, setting.calibration) if way == "tuned" else Network(arch, seed)
    rate, epochs = TUNE_RATE if way == "tuned" else Recipe.learning_rate, _epochs(setting, way)
    recipe = Recipe(epochs, learning_rate=rate, label_smoothing=0.05, seed=seed, augmentation=setting.scenes)
    teacher = None if way in ("alone", "longer") else setting.teacher
    folder = _folder(setting, size, way, seed)
    parts = setting.data, setting.frontend
    return train_float(start, *parts, recipe, folder, setting.calibration, teacher, measure_every=epochs)


def _measure(setting: Sliced, size: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row."""
    keys = {"task": setting.options.task, "supernet": setting.weights, "size": size, "way": way, "seed": seed}
    keys["epochs"] = _epochs(setting, way)
    folder = _folder(setting, size, way, seed)

    def measure() -> dict:
        return {"macs": macs(arch), **setting.measured(_make(setting, size, arch, way, seed), folder)}

    setting.rows.once(TABLE, keys, measure, folder, folder / "hits-test.npy")


def _intervals(setting: Sliced, size: str) -> None:
    """Differences between the ways of one size on the same test clips, seeds averaged; intervals over clips."""
    right = {}
    for way in (way for way in WAYS if _seeds(setting, size, way)):
        folders = [_folder(setting, size, way, seed) for seed in range(_seeds(setting, size, way))]
        right[way] = np.stack([load_hits(folder, "test") for folder in folders])
    for first, second in combinations(reversed(right), 2):
        difference, low, high = paired_bootstrap(right[first], right[second])
        epochs = {"first_epochs": _epochs(setting, first), "second_epochs": _epochs(setting, second)}
        values = {"difference": difference, "low": low, "high": high}
        counts = {"clips": right[first].shape[1], "first_seeds": len(right[first]), "second_seeds": len(right[second])}
        keys = {
            "task": setting.options.task,
            "supernet": setting.weights,
            "size": size,
            "first": first,
            "second": second,
            **epochs,
        }
        setting.rows.add(INTERVALS, keys, {**values, **counts})


def _seeds(setting: Sliced, size: str, way: str) -> int:
    """How many networks of a way there are: the supernet has one seed, and so has its slice."""
    longer = LONG.get(size, 0) if setting.options.longer else 0
    return {"slice": 1, "longer": longer}.get(way, min(SIZES[size], setting.options.seeds))


def table_of_ways(task: str, found: Rows) -> Shown:
    """Test accuracy by size and way, means over seeds, and what fine-tuned slices gain on networks alone."""
    table, intervals = (own[own.task == task] for own in map(found.read, (TABLE, INTERVALS)))
    if not len(table):
        raise NoRows(task)
    ways, rows = measured_ways(table), []
    against = [way for way in ways if way in AGAINST]
    for size, part in sorted(table.groupby("size"), key=lambda item: item[1].macs.min()):
        row = [size, f"{part.macs.iloc[0] / 1e6:.2f} M"]
        shares = part.groupby("way").test.mean()
        row += [f"{shares[way]:.2f}" if way in shares else "" for way in ways]
        pair = intervals[(intervals["size"] == size) & (intervals["first"] == "tuned")].set_index("second")
        for second in against:
            one = pair.loc[second] if second in pair.index else None
            row.append("" if one is None else f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})")
        rows.append(row)
    shares = [f"{WAY_NAMES[way]}, test %" for way in ways]
    return ["size", "MACs", *shares, *(f"fine-tuned - {WAY_NAMES[second]}" for second in against)], rows


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        SPOKEN,
        option("--supernet", type=Path, metavar="FOLDER", help="default: the bundled one of the task"),
        option("--task", choices=TASKS, default="kws", help="default: %(default)s"),
        value("--epochs", 12, "alone, each way"),
        value("--tune-epochs", 4, "after slicing"),
        value("--longer", 80, "epochs alone, in case that it is the length that gains; 0: not tried"),
        value("--seeds", 3, "of a size at most"),
        several("--only", SIZES, "sizes"),
        RUNS,
        THREADS,
    ),
    tables={f"claim_{task}": partial(table_of_ways, task) for task in (*TASKS, BEFORE)},
)
