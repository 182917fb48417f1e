"""What the comparisons share: plain networks of ours, the recipe at 8 bits, and how a run is measured."""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from studies.peer_nets import forget_ranges, measure_ranges, to_8_bits
from studies.rows import Rows, accuracy_columns, save_hits
from supernet.arch import Arch, FeatureSpec
from supernet.data.augment import Augmentation, plain_features
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.errors import InvalidData
from supernet.families.blocks import Block, Blocks, Stage
from supernet.families.temporal import MAP_STAGES
from supernet.files import read_json, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.store import StoredSupernet
from supernet.quant.finetune import QuantRecipe
from supernet.train.calibration import features_as_heard
from supernet.train.evaluate import hits
from supernet.train.networks import train_network
from supernet.train.recipe import Recipe, augmentation_from_dict

TIMED = 10
WAY_NAMES = {
    "alone": "alone",
    "longer": "alone, longer",
    "distilled": "alone, distilled",
    "longer distilled": "alone, distilled, longer",
    "slice": "slice",
    "tuned": "slice, fine-tuned",
}
"""What pages call the ways in which a network is made."""


@dataclass(frozen=True)
class Setting:
    """What the runs of a study share. calibration: features (clips, coefficients, frames) of clips of training."""

    options: argparse.Namespace
    rows: Rows
    data: ClipData
    frontend: Mfcc
    calibration: Tensor

    def measured(self, network: Callable[[Tensor], Tensor], run: Path) -> dict[str, float]:
        """Columns of validation and test of a finished network; its hits are kept in the folder of its run."""
        right = split_hits(network, self.data, self.frontend)
        save_hits(run, **right)
        return split_columns(right)


def uniform_archs(classes: int) -> dict[str, Arch]:
    """Networks of family `temporal` with equal blocks in each stage, by the MACs that they have on one second.

    Those named `map` read the log-mel map by convolutions over frequency too.
    """
    log_mel = FeatureSpec("logmel")
    shapes = {
        "0.3M": ((16, 1, 3), (16, 1, 2), (16, 1, 2), 16, 32, FeatureSpec("mfcc", 20, 20)),
        "0.9M": ((16, 2, 3), (16, 2, 3), (24, 2, 3), 16, 64, FeatureSpec("mfcc", 30, 20)),
        "3M": ((24, 3, 3), (32, 3, 3), (32, 3, 3), 24, 96, FeatureSpec()),
        "7M": ((40, 4, 3), (40, 4, 3), (40, 4, 3), 40, 96, FeatureSpec()),
        "map-0.6M": ((8, 1, 1), (16, 1, 1), (16, 2, 2), (16, 1, 2), 8, 32, log_mel),
        "map-1M": ((16, 1, 1), (16, 1, 1), (24, 2, 3), (24, 1, 3), 8, 64, log_mel),
        "map-3M": ((24, 1, 1), (32, 1, 1), (32, 3, 3), (32, 2, 3), 16, 96, log_mel),
    }
    archs = {}
    for name, (*stages, stem, head, features) in shapes.items():
        maps = MAP_STAGES if features.kind == "logmel" else 0
        blocks = tuple(
            Stage(width, (Block(3 if number < maps else 9, expansion),) * depth)
            for number, (width, depth, expansion) in enumerate(stages)
        )
        archs[name] = Arch("temporal", features, 1000 // features.step_ms, classes, Blocks(stem, blocks, head))
    return archs


def event_archs(classes: int) -> dict[str, Arch]:
    """Networks of family `mbconv` with equal blocks in each stage on clips of five seconds, by their parameters at 50
    classes: 3 x 3 kernels, no excitation, 40 log-mels each 20 ms.
    """
    shapes = {
        "20k": ((16, 1, 2), (32, 1, 2), (32, 2, 2), 64),
        "50k": ((24, 1, 2), (32, 2, 3), (64, 2, 2), 128),
        "100k": ((24, 1, 3), (48, 2, 3), (96, 2, 2), 128),
    }
    return {
        name: Arch("mbconv", FeatureSpec("logmel", 40, 20), 250, classes, Blocks(16, tuple(
            Stage(width, (Block(3, expansion),) * depth, 2) for width, depth, expansion in stages
        ), head))
        for name, (*stages, head) in shapes.items()
    }  # fmt: skip


def epochs_in(
    hours: float,
    path: Path,
    recipe: Recipe,
    data: ClipData,
    frontend: Mfcc,
    step: Callable[[Tensor, Tensor, int], object],
) -> int:
    """How many epochs take so long on one core; measured once, and kept in a file."""
    return measured_once(path, lambda: max(1, round(3600 * hours / epoch_seconds(recipe, data, frontend, step))))


def measured_once(path: Path, measure: Callable[[], float]) -> float:
    """A figure that is kept in a file."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, measure())
    return read_json(path)


def epoch_seconds(
    recipe: Recipe, data: ClipData, frontend: Mfcc, step: Callable[[Tensor, Tensor, int], object]
) -> float:
    """What an epoch takes of one core, by the median of some steps and of making their clips.

    step: from features, targets and the number of the step.
    """
    maker, clips, seconds = recipe.augmentation.maker(data, frontend), data.epoch(np.random.default_rng(0)), []
    steps = len(clips) // recipe.batch
    for number in range(TIMED + 1):
        first, started = number % steps * recipe.batch, time.process_time()
        rows = slice(first, first + recipe.batch)
        x = maker(clips.rows[rows], np.random.default_rng(number))
        step(x, torch.from_numpy(clips.targets[rows]), number)
        seconds.append(time.process_time() - started)
    return float(np.median(seconds[1:])) * steps


def step_of(network: nn.Module, teacher: nn.Module | None = None) -> Callable[[Tensor, Tensor, int], object]:
    """A step of a copy of a network, as long as one of its training, for `epoch_seconds`."""
    timed = copy.deepcopy(network).train()

    def step(x: Tensor, targets: Tensor, number: int) -> None:
        clips = len(targets) // len(x)
        if teacher is not None:
            with torch.no_grad():
                teacher(x, clips)
        timed(x, clips).square().mean().backward()

    return step


def split_columns(right: dict[str, np.ndarray]) -> dict[str, float]:
    """Columns of validation and test, from what `split_hits` gives."""
    return {**accuracy_columns("validation", right["validation"]), **accuracy_columns("test", right["test"])}


def split_hits(network: Callable[[Tensor], Tensor], data: ClipData, frontend: Mfcc) -> dict[str, np.ndarray]:
    """Which clips of validation and test a network gets right: two arrays (clips,)."""
    return {
        name: hits(network, plain_features(data, split.rows, frontend), split.targets)
        for name, split in data.splits.items()
        if name != "train"
    }


def quant_recipe(recipe: Recipe, epochs: int) -> QuantRecipe:
    """The recipe of the 8-bit fine-tune on the labels that follows float training by `recipe`."""
    changed = {"epochs": epochs, "learning_rate": recipe.learning_rate / 16, "bfloat16": False, "distillation": 0.0}
    return QuantRecipe(**{**vars(recipe), **changed})


def measured_ways(table: pd.DataFrame) -> list[str]:
    """Those of WAY_NAMES that a table has rows of."""
    return [way for way in WAY_NAMES if (table.way == way).any()]


@torch.no_grad()
def measure_norms(network: nn.Module, features: Tensor) -> None:
    """Set the norms' statistics of a plain module to those over features of training clips, all in one batch."""
    norms = [module for module in network.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    network(features)
    network.eval()


def scenes_of(stored: StoredSupernet, data: ClipData, clips: int) -> tuple[Augmentation | Scenes, Tensor]:
    """What a stored supernet heard in training, and so many clips in it, to measure norms on.

    Raises InvalidData where the supernet knows other words than the clips are of.
    """
    if stored.labels != data.labels:
        words = ", ".join(stored.labels)
        raise InvalidData(f"supernet {stored.config['name']} knows {words}; the clips are of {', '.join(data.labels)}")
    scenes = augmentation_from_dict(stored.recipe["augmentation"])
    return scenes, features_as_heard(data, stored.frontend, scenes, clips, 0)


def condition_columns(heard: dict[str, dict]) -> dict[str, float]:
    """Columns of test, in percent, from what `condition_figures` gives, with the interval of clean clips."""
    found = {name.replace("-", "_"): round(100 * one["accuracy"], 2) for name, one in heard.items()}
    low, high = (round(100 * end, 2) for end in heard["clean"]["interval"])
    return {"test": found.pop("clean"), "test_low": low, "test_high": high, **found}


def emulated_at_8_bits(
    network: nn.Module, setting: Setting, fine: QuantRecipe, run: Path, identity: dict, teacher: nn.Module | None = None
) -> nn.Module:
    """A trained peer, fine-tuned in place at emulated 8 bits. teacher: has the share of the loss that `fine` states."""

    def calibrate() -> None:
        forget_ranges(network)
        measure_norms(network, setting.calibration)
        measure_ranges(network, setting.calibration)

    to_8_bits(network, setting.calibration)
    parts = setting.data, setting.frontend
    return train_network(network, *parts, fine, run, identity, calibrate, teacher, fine.distillation)
