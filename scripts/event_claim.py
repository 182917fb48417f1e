"""Test the claim of once-for-all on acoustic events, as Lin et al. make it (arXiv 2303.10351).

    python scripts/event_claim.py ../shared/data/esc50

What does a sub-network of the supernet gain on a network of the same size that is trained alone, and is it searching or
sharing that gains? For each size a plain network with equal blocks is made in four ways: trained alone; alone with
distillation from the supernet's largest network; sliced from the supernet; sliced and fine-tuned, with distillation.
Beside it stands the network that the search finds within the plain one's parameters and MACs, likewise: the plain one's
slice tells what is gained without searching, and the found one alone what is gained by searching alone. Those that are
trained alone have as many epochs as those that are fine-tuned, at a rate of 0.003 where these have 0.002, and the
supernet had its own, once for all. So plain networks are also trained alone for as many as both together, without and
with distillation, in case that it is the length that gains. Choosing is done on validation; test is fold 4.

Rows: `event_claim.csv`; relative reductions of the error on test, seeds averaged, with paired bootstrap intervals over
the recordings that the clips are cut from: `event_claim_reductions.csv`, in `scripts/results`. They tell nothing of
other supernets and searches, of which there is one each. Needs the supernet that `make_hub.py` trains. Runs resume.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from plain import event_archs, report
from results import add_row, has_row, load_hits
from torch import Tensor

from search.accuracy import AccuracyPredictor, load_predictor
from search.sampling import table_space
from supernet.arch import Arch
from supernet.cost import macs, params
from supernet.data.augment import Augmentation
from supernet.data.clips import ClipData
from supernet.data.esc50 import list_clips, load
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network
from supernet.nn.store import load_supernet
from supernet.nn.supernet import Supernet
from supernet.train.calibration import calibration_features
from supernet.train.loop import weights_digest
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe
from zoo.make.recipe import HUB
from zoo.make.slices import kept_search

TABLE = "event_claim"
LARGEST = "largest"
SEEDS = {"20k": 3, "50k": 3, "100k": 1, LARGEST: 1}
"""Of each size, by its parameters."""
ALONE, DISTILLED, SLICE, TUNED = "alone", "distilled", "slice", "tuned"
LONGER, LONGER_DISTILLED = "longer", "longer distilled"
PLAIN, FOUND = "plain", "found"
WAYS = {PLAIN: (ALONE, DISTILLED, SLICE, TUNED), FOUND: (ALONE, SLICE, TUNED)}
LONG = {LONGER: {"20k": 3, "50k": 1, "100k": 1}, LONGER_DISTILLED: {"20k": 3}}
"""Seeds of each size with which the plain network is trained for longer alone."""
COMPARED = (
    ((FOUND, TUNED), (PLAIN, ALONE)),
    ((FOUND, TUNED), (PLAIN, DISTILLED)),
    ((PLAIN, TUNED), (PLAIN, ALONE)),
    ((PLAIN, TUNED), (PLAIN, DISTILLED)),
    ((PLAIN, TUNED), (PLAIN, LONGER)),
    ((PLAIN, TUNED), (PLAIN, LONGER_DISTILLED)),
    ((FOUND, ALONE), (PLAIN, ALONE)),
    ((FOUND, TUNED), (PLAIN, TUNED)),
)
"""Searching and sharing together against both baselines; sharing alone; searching alone; searching among slices."""
ALONE_RATE, TUNE_RATE = 3e-3, 2e-3
CALIBRATED, DRAWS = 256, 10_000
MEASURE_EVERY = 10
"""Epochs; after each it would take a third of a run."""


@dataclass(frozen=True)
class Setting:
    """What all runs share."""

    supernet: Supernet
    predictor: AccuracyPredictor
    teacher: Network
    data: ClipData
    frontend: Mfcc
    calibration: Tensor
    recipe: dict
    samples: int
    options: argparse.Namespace

    @property
    def augmentation(self) -> Augmentation:
        """That of the supernet."""
        return Augmentation.from_dict(self.recipe["augmentation"])

    @property
    def folder(self) -> Path:
        """Of all runs on this supernet."""
        return self.options.runs / TABLE / weights_digest(self.supernet)[:8]


def main() -> None:
    """Run what is missing and write the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    stored = load_supernet(options.supernet, options.task)
    data, supernet = load(options.data), stored.supernet
    predictor, about = load_predictor(options.supernet, table_space(supernet))
    calibration = calibration_features(data, stored.frontend, CALIBRATED)
    recipe, samples = stored.config["training"]["recipe"], about["quality"]["rows"]
    teacher = supernet.extract(supernet.space.largest(), calibration)
    setting = Setting(supernet, predictor, teacher, data, stored.frontend, calibration, recipe, samples, options)
    plain = {**event_archs(len(data.labels)), LARGEST: supernet.space.largest()}
    for size in options.only:
        archs = {PLAIN: plain[size]}
        if size != LARGEST:
            archs[FOUND] = _found(setting, size, plain[size])
        for seed in range(SEEDS[size]):
            for kind, arch in archs.items():
                for way in _ways(size, kind):
                    if seed < _seeds(size, way):
                        _measure(setting, size, kind, arch, way, seed)
        _reductions(setting, size)


def _ways(size: str, kind: str) -> tuple[str, ...]:
    """The largest network is its own teacher, and nothing is as large: it is made alone, sliced and fine-tuned."""
    longer = [way for way in LONG if size in LONG[way] and kind == PLAIN]
    return (*(way for way in WAYS[kind] if size != LARGEST or way != DISTILLED), *longer)


def _seeds(size: str, way: str) -> int:
    """How often a network is made; a slice is the same each time."""
    if way in LONG:
        return LONG[way].get(size, 0)
    return 1 if way == SLICE else SEEDS[size]


def _found(setting: Setting, size: str, plain: Arch) -> Arch:
    """The best one within the plain one's parameters and MACs."""
    limits = {"max_params": params(plain), "max_macs": macs(plain)}
    parts = setting.supernet, setting.predictor, setting.data, setting.frontend
    path = setting.folder / f"{size}-found.json"
    making = replace(HUB, samples=setting.samples)
    return Arch.from_dict(kept_search(path, *parts, limits, setting.options.task, making)["arch"])


def _epochs(setting: Setting, way: str) -> int:
    tuned = setting.options.tune_epochs
    if way in LONG:
        return setting.recipe["epochs"] + tuned
    return {SLICE: 0, TUNED: tuned}.get(way, setting.options.epochs)


def _folder(setting: Setting, size: str, kind: str, way: str, seed: int) -> Path:
    return setting.folder / f"{size}-{kind}-{way.replace(' ', '-')}-s{seed}-e{_epochs(setting, way)}"


def _measure(setting: Setting, size: str, kind: str, arch: Arch, way: str, seed: int) -> None:
    """Make a network, measure it, and write its row; one that is there is left."""
    folder = _folder(setting, size, kind, way, seed)
    keys = {"size": size, "network": kind, "way": way, "seed": seed, "epochs": _epochs(setting, way)}
    if has_row(TABLE, keys) and (folder / "hits-test.npy").is_file():
        return
    values = {"params": params(arch), "macs": macs(arch)}
    report(TABLE, keys, values, _make(setting, arch, way, seed, folder), setting.data, setting.frontend, folder)


def _make(setting: Setting, arch: Arch, way: str, seed: int, folder: Path) -> Network:
    """The network of an Arch, made in one of the ways."""
    sliced = setting.supernet.extract(arch, setting.calibration)
    if way == SLICE:
        return sliced
    rate = TUNE_RATE if way == TUNED else ALONE_RATE
    recipe = Recipe(
        epochs=_epochs(setting, way), batch=32, learning_rate=rate, seed=seed, bfloat16=True,
        augmentation=setting.augmentation,
    )  # fmt: skip
    start, teacher = (
        (sliced if way == TUNED else Network(arch, seed)),
        (None if way in (ALONE, LONGER) else setting.teacher),
    )
    return train_float(
        start, setting.data, setting.frontend, recipe, folder, setting.calibration, teacher, MEASURE_EVERY
    )


def _reductions(setting: Setting, size: str) -> None:
    """Relative reductions of the error between ways, seeds averaged, with intervals over the test recordings."""
    clips = list_clips(setting.options.data)
    sources = clips.src_file[clips.split == "test"].to_numpy()
    for first, second in COMPARED:
        known = [kind in _kinds(size) and way in _ways(size, kind) for kind, way in (first, second)]
        if not all(known):
            continue
        wrong = [_wrong(setting, size, kind, way) for kind, way in (first, second)]
        value, low, high = _reduction(*wrong, sources)
        epochs = {"first_epochs": _epochs(setting, first[1]), "second_epochs": _epochs(setting, second[1])}
        keys = {"size": size, "first": " ".join(first), "second": " ".join(second), **epochs}
        seeds = min(_seeds(size, way) for _, way in (first, second))
        add_row(f"{TABLE}_reductions", keys, {"reduction": value, "low": low, "high": high, "seeds": seeds})


def _wrong(setting: Setting, size: str, kind: str, way: str) -> np.ndarray:
    """(clips,) shares of the seeds that are wrong on test."""
    folders = [_folder(setting, size, kind, way, seed) for seed in range(_seeds(size, way))]
    return 1.0 - np.mean([load_hits(folder, "test") for folder in folders], 0)


def _kinds(size: str) -> tuple[str, ...]:
    return (PLAIN,) if size == LARGEST else (PLAIN, FOUND)


def _reduction(first: np.ndarray, second: np.ndarray, sources: np.ndarray) -> tuple[float, float, float]:
    """By how many percent the first has fewer errors than the second, and the 95 % bootstrap interval.

    first, second: (clips,) shares of seeds that are wrong on the same clips. sources: (clips,) the recording of each;
    those of one are drawn together. Draws in which the second has none are left out: there is nothing to compare with.
    """
    names, own = np.unique(sources, return_inverse=True)
    errors = np.stack([np.bincount(own, wrong) for wrong in (first, second)])
    drawn = errors[:, np.random.default_rng(0).integers(0, len(names), (DRAWS, len(names)))].sum(2)
    drawn = drawn[:, drawn[1] > 0]
    values = (1 - first.sum() / second.sum(), *np.percentile(1 - drawn[0] / drawn[1], [2.5, 97.5]))
    return tuple(round(100 * float(value), 1) for value in values)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of ESC-50")
    parser.add_argument("--supernet", type=Path, default=Path("zoo/hub/supernets/aec-mbconv"), help="its folder")
    parser.add_argument("--task", default="aec", help="name of the task (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=100, help="alone, each way (default: %(default)s)")
    parser.add_argument("--tune-epochs", type=int, default=100, help="after slicing (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=SEEDS, default=list(SEEDS), help="sizes (default: all)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
