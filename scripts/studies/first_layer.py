"""Which first layer reads samples best at equal MACs: filters with learned cut-offs, a plain convolution, or log-mels?

    python scripts/study.py first_layer ../shared/data                                   # all, hours each
    python scripts/study.py first_layer ../shared/data --nets sinc-3M taps-3M --epochs 4 --every 4 --scenes dry

Each pair `sinc` and `taps` is one network of family `sinc` that differs in what is learned of its filters alone: two
cut-offs each, or all taps (Peter et al., arXiv 2104.06666, found the plain convolution worse). `map` is family
`temporal` on log-mels of at most as many MACs, its front end's counted; `mfcc` has the blocks of `sinc` behind MFCC,
and so fewer. All hear the same scenes of the ten standard words (supernet.data.scenes) for as many epochs, alone and
from random weights. Figures are in float; `faint` is the test list 20 dB fainter. One seed each unless told otherwise.
Rows: `first_layer.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from long_run import behind_all, load_words
from studies.base import RUNS, SCENES, Shown, Study, option, seeds, several, value
from studies.networks import Setting
from studies.rows import Rows, accuracy_columns, seconds_of
from supernet.arch import Arch, FeatureSpec
from supernet.cost import macs, params
from supernet.data.clips import ClipData, Split
from supernet.data.scenes import Scenes
from supernet.families.blocks import Block, Blocks, Stage
from supernet.families.sinc import FilteredBlocks
from supernet.frontend import front_end
from supernet.frontend.base import FrontEnd
from supernet.nn.network import Network
from supernet.train.calibration import fit_frontend, scene_features
from supernet.train.evaluate import hits
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe

TABLE, CALIBRATED, FAINT, BATCH = "first_layer", 512, 0.1, 64
SCENERIES = {"full": Scenes(), "dry": Scenes(rooms=0, speeds=(1.0,), warps=(1.0,), band_share=0.0)}
"""dry: without rooms, speeds and codecs, which take minutes to be made for the first time."""
FILTERS = {"3M": (24, 96, 16), "13M": (40, 256, 16)}
"""Filters, taps and stride by the MACs of the whole networks; 13 M are about as many as the published one has."""
TRUNKS = {"3M": ((16, 2, 3), (16, 2, 3), (24, 2, 3), 16, 64), "13M": ((24, 3, 3), (32, 3, 3), (32, 3, 3), 24, 96)}
MAPS = {
    "3M": ((24, 1, 1), (24, 1, 1), (24, 3, 3), (32, 2, 2), 16, 96),
    "13M": ((24, 2, 2), (32, 2, 2), (48, 4, 3), (48, 3, 3), 24, 128),
}
"""Stages of width, blocks and expansion, then stem and head: behind channels, and with log-mels read as a map."""


def archs(classes: int) -> dict[str, Arch]:
    """All networks on clips of a second, by name."""
    found = {}
    for size, (filters, taps, stride) in FILTERS.items():
        behind = _blocks(TRUNKS[size])
        for bank in ("sinc", "taps"):
            shape = FilteredBlocks(behind.stem, behind.stages, behind.head, filters, taps, stride, bank)
            found[f"{bank}-{size}"] = Arch("sinc", FeatureSpec("raw", 320, 10), 100, classes, shape)
        found[f"map-{size}"] = Arch("temporal", FeatureSpec("logmel"), 100, classes, _blocks(MAPS[size], 2))
        found[f"mfcc-{size}"] = Arch("temporal", FeatureSpec(), 100, classes, behind)
    return found


def _blocks(numbers: tuple, maps: int = 0) -> Blocks:
    *stages, stem, head = numbers
    return Blocks(stem, tuple(
        Stage(width, (Block(3 if number < maps else 9, expansion),) * depth)
        for number, (width, depth, expansion) in enumerate(stages)
    ), head)  # fmt: skip


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure what is not done."""
    with behind_all(options.runs / TABLE):
        data = words_of(options)
        for seed in options.seeds:
            for name in options.nets:
                keys = keys_of(name, seed, options)
                if not rows.done(TABLE, keys):
                    arch, scenes = archs(len(data.labels))[name], SCENERIES[options.scenes]
                    _measured(name, seed, keys, setting_of(arch, data, options, rows, scenes))


def words_of(options: argparse.Namespace) -> ClipData:
    """The clips of the ten standard words, of training each n-th."""
    data = load_words(options.data, words="kws")
    train, every = data.splits["train"], options.every
    own = {**data.splits, "train": Split(train.rows[::every], train.targets[::every])}
    return replace(data, splits=own, extra=data.extra // every, joins=data.joins // every) if every > 1 else data


def keys_of(name: str, seed: int, options: argparse.Namespace) -> dict:
    """Of the row of a network."""
    how = {"scenes": options.scenes, "epochs": options.epochs, "every": options.every}
    return {"net": name, **how, "seed": seed}


def setting_of(arch: Arch, data: ClipData, options: argparse.Namespace, rows: Rows, scenes: Scenes) -> Setting:
    """Data, front end and features that norms are measured on."""
    frontend = fit_frontend(data, 8, front_end(arch.features.kind), scenes)
    return Setting(options, rows, data, frontend, scene_features(data, frontend, scenes, CALIBRATED))


def trained(name: str, arch: Arch, seed: int, setting: Setting) -> tuple[Network, Path]:
    """A network of its own, in float, and the folder of its run; goes on where that stopped."""
    options, network = setting.options, Network(arch, seed)
    recipe = Recipe(
        epochs=options.epochs, label_smoothing=0.05, seed=seed, augmentation=SCENERIES[options.scenes]
    )  # fmt: skip
    run = options.runs / TABLE / f"{name}-{options.scenes}-e{options.epochs}-n{options.every}-s{seed}"
    parts = setting.data, setting.frontend
    return train_float(network, *parts, recipe, run, setting.calibration, measure_every=options.epochs), run


def _measured(name: str, seed: int, keys: dict, setting: Setting) -> None:
    arch = archs(len(setting.data.labels))[name]
    network, run = trained(name, arch, seed, setting)
    costs = {"macs": macs(arch), "frontend_macs": setting.frontend.macs(arch.frames), "params": params(arch)}
    costs |= {"clips": keys["epochs"] * len(setting.data.epoch(np.random.default_rng(0))), "seconds": seconds_of(run)}
    faint = accuracy_columns("faint", faint_hits(network, setting.data, setting.frontend))
    setting.rows.add(TABLE, keys, {**costs, **setting.measured(network, run), **faint}, run)


def faint_hits(network, data: ClipData, frontend: FrontEnd) -> np.ndarray:
    """(clips,) of the test list 20 dB fainter, rounded to 16 bits again."""
    test, found = data.splits["test"], []
    for first in range(0, len(test), BATCH):
        samples = np.round(data.audio[test.rows[first : first + BATCH]] * FAINT).astype(np.int16)
        found.append(hits(network, torch.from_numpy(frontend.run(samples)), test.targets[first : first + BATCH]))
    return np.concatenate(found)


def table_of_layers(found: Rows) -> Shown:
    """Figures of each network, those of a size beside each other."""
    table = found.read(TABLE)
    table = table.assign(whole=table.macs + table.frontend_macs).sort_values(["every", "epochs", "whole", "net"])
    rows = [
        [
            row.net, f"{row.clips:,}", f"{row.macs / 1e6:.2f}", f"{row.frontend_macs / 1e6:.2f}", f"{row.params:,}",
            f"{row.validation:.2f}", f"{row.test:.2f} ({row.test_low:.2f} to {row.test_high:.2f})", f"{row.faint:.2f}",
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["network", "clips seen", "M MACs", "M MACs of the front end", "parameters", "validation %", "test %"]
    return [*header, "test 20 dB fainter %"], rows


OPTIONS = (
    SCENES,
    seeds(1),
    value("--epochs", 20, "of each network"),
    value("--every", 1, "each n-th training clip alone, for a trial"),
    option("--scenes", choices=SCENERIES, default="full", help="what training hears (default: %(default)s)"),
    RUNS,
)
STUDY = Study(
    __doc__, run, (*OPTIONS, several("--nets", [*archs(12)], "networks")), tables={"first_layer": table_of_layers}
)
