"""How do networks of the five published systems compare, in our form, on the same clips?

    python scripts/study.py systems ../shared/data                                       # two core-hours each, at most
    python scripts/study.py systems ../shared/data --nets lmu-1.1M map-1.2M --hours 0.1    # a look

All hear the same words of Speech Commands in the same scenes (supernet.data.scenes), from random weights, for the
number of epochs that the slowest of them makes in so many hours of one core, and are then fine-tuned at 8 bits. Those
that read the same features are trained together: their clips are made once, all else is as alone; `seconds` are of all.
Figures are of the integers on the test list, clean and in noise at 10 dB. Systems: `mbconv` over MFCC (Peter et al.,
arXiv 2012.10138) and over log-mels (Lin et al., arXiv 2303.10351), `sinc` (Peter et al., arXiv 2104.06666), `dense`
(Zeng et al., arXiv 2207.06920), `lmu` (Blouw et al., arXiv 2009.04465), and `temporal` beside them. Nothing is chosen
here: test is measured once a network. One seed each unless told otherwise. Rows: `systems.csv`, of which older ones had
equal time instead of equal clips (`equal`).
"""

from __future__ import annotations

import argparse
import copy
from functools import partial
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from torch import Tensor

from long_run import behind_all, load_words
from pages.draw import TEXT
from studies.base import RUNS, SCENES, Shown, Study, seeds, several, value
from studies.first_layer import SCENERIES, setting_of
from studies.first_layer import archs as layered_archs
from studies.networks import Setting, condition_columns, epochs_in, step_of, uniform_archs
from studies.rows import Rows, seconds_of
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.cost import macs, params, weight_bytes
from supernet.data.clips import ClipData
from supernet.errors import InvalidData
from supernet.families.blocks import Block, Blocks, Stage
from supernet.families.dense import Dense
from supernet.families.lmu import Memories, MemoryLayer
from supernet.frontend import front_end
from supernet.memory import clip_ram_bytes, stream_ram_bytes
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_network, save_network
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.train.calibration import fit_frontend
from supernet.train.networks import Learner, train_together
from supernet.train.recipe import Recipe
from zoo.run.conditions import condition_figures

TABLE, WORDS, SCENERY = "systems", "numbers", SCENERIES["dry"]
HEARD, EQUAL = ("clean", "noise-10"), "clips"
SYSTEMS = {
    "mbconv-mfcc": "1 Peter et al. 2020", "sinc": "2 Peter et al. 2021", "dense": "3 Zeng et al.",
    "mbconv-map": "4 Lin et al.", "lmu": "5 Blouw et al.", "map": "temporal, on log-mels", "mfcc": "temporal, on MFCC",
}  # fmt: skip
"""By the beginnings of networks' names."""
COLOURS = dict(zip(SYSTEMS, ("#8c6bb1", "#c4622d", "#41ae76", "#dd77aa", "#b8860b", "#0b6e99", "#7fb8d1"), strict=True))
CELLS = {
    "mbconv-mfcc-3.8M": (FeatureSpec("mfcc", 20, 20), 24, ((24, 2, 3), (32, 3, 3), (48, 3, 3)), 96),
    "mbconv-map-0.8M": (FeatureSpec("logmel", 40, 20), 16, ((16, 1, 2), (24, 2, 2), (32, 2, 2)), 64),
}
"""Features, stem, stages of width, blocks and expansion, and head."""
MEMORIES = {
    "lmu-4.4M": (40, ((24, 12, 160, 64), (24, 12, 320, 64), (24, 12, 640, 64)), 96),
    "lmu-1.1M": (30, ((16, 8, 320, 48), (16, 8, 640, 48)), 48),
    "lmu-0.4M": (20, ((8, 6, 320, 32), (8, 8, 640, 32)), 48),
}
"""Coefficients; of each layer memories, order, window in ms and width; head: near 361, 105 and 49 kbit as published."""
CONTEXTS = {
    "dense-6M": (10, Dense(800, 40, 64, (96, 96, 96), 96)),
    "dense-1.6M": (20, Dense(400, 40, 64, (64, 64), 96)),
}
"""Step of the frames in ms, and the shape."""


def archs(classes: int) -> dict[str, Arch]:
    """All networks on clips of a second, by name."""
    cells = {
        name: Arch("mbconv", features, 1000 // features.step_ms, classes, Blocks(stem, tuple(
            Stage(width, (Block(3, expansion),) * depth, 2) for width, depth, expansion in stages
        ), head))
        for name, (features, stem, stages, head) in CELLS.items()
    }  # fmt: skip
    memories = {
        name: Arch("lmu", FeatureSpec("mfcc", coefficients, 20), 50, classes, Memories(
            tuple(MemoryLayer(*layer) for layer in shape), head
        ))
        for name, (coefficients, shape, head) in MEMORIES.items()
    }  # fmt: skip
    dense = {
        name: Arch("dense", FeatureSpec("logmel", 40, step), 1000 // step, classes, shape)
        for name, (step, shape) in CONTEXTS.items()
    }
    plain, layered = uniform_archs(classes), layered_archs(classes)
    beside = {"map-1.2M": plain["map-1M"], "map-3M": plain["map-3M"], "mfcc-1M": plain["0.9M"]}
    return {**cells, "sinc-3M": layered["sinc-3M"], **dense, **memories, **beside}


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure what is not done; networks that read the same features are trained together."""
    with behind_all(options.runs / TABLE):
        data = load_words(options.data, words=WORDS)
        nets = archs(len(data.labels))
        for seed, kind in product(options.seeds, dict.fromkeys(nets[name].features.kind for name in options.nets)):
            names = [name for name in options.nets if nets[name].features.kind == kind]
            keys = {name: {"net": name, "hours": options.hours, "seed": seed, "equal": EQUAL} for name in names}
            missing = {name: own for name, own in keys.items() if not rows.done(TABLE, own)}
            if missing:
                setting = setting_of(nets[names[0]], data, options, rows, SCENERY)
                epochs = epochs_of_all(nets, data, options)
                _measured({name: nets[name] for name in names}, missing, epochs, seed, setting)


def epochs_of_all(nets: dict[str, Arch], data: ClipData, options: argparse.Namespace) -> int:
    """The epochs that each network makes in time, however slow it is; measured once."""
    path, recipe, found = options.runs / TABLE / f"epochs-{options.hours:g}h", Recipe(augmentation=SCENERY), []
    for name, arch in nets.items():
        own = path / f"{name}.json"
        frontend = None if own.is_file() else fit_frontend(data, 8, front_end(arch.features.kind), SCENERY)
        found.append(epochs_in(options.hours, own, recipe, data, frontend, step_of(Network(arch, 0))))
    return min(found)


def _measured(nets: dict[str, Arch], missing: dict[str, dict], epochs: int, seed: int, setting: Setting) -> None:
    """Train networks together, and write the rows that are missing."""
    options, data, frontend = setting.options, setting.data, setting.frontend
    folder = options.runs / TABLE / f"{'+'.join(nets)}-{options.hours:g}h-s{seed}"
    recipe = Recipe(epochs=epochs, label_smoothing=0.05, seed=seed, augmentation=SCENERY)
    learners = {name: _learner(arch, seed, setting) for name, arch in nets.items()}
    identity = {"archs": {name: arch.to_dict() for name, arch in nets.items()}}
    train_together(learners, data, frontend, recipe, folder, identity, measure_every=epochs)
    clips = epochs * len(data.epoch(np.random.default_rng(0)))
    for name, keys in missing.items():
        save_network(weights_of(name, seed, options), learners[name].network)
        figures = _figures(learners[name].network, folder, name, seed, setting)
        setting.rows.add(TABLE, keys, {**figures, "clips": clips, "seconds": seconds_of(folder)}, folder)


def weights_of(name: str, seed: int, options: argparse.Namespace) -> Path:
    """Where the weights of a network that was trained are kept, in float, for studies of what becomes of it."""
    return options.runs / TABLE / f"{name}-{options.hours:g}h-s{seed}.safetensors"


def kept(name: str, seed: int, options: argparse.Namespace, calibration: Tensor) -> Network:
    """A network that was trained here, its norms measured. Raises InvalidData where it was not."""
    path = weights_of(name, seed, options)
    if not path.is_file():
        raise InvalidData(f"{path}: not there; train it first: python scripts/study.py {TABLE} DATA --nets {name}")
    return recalibrate(load_network(path), calibration).eval()


def _learner(arch: Arch, seed: int, setting: Setting) -> Learner:
    network = Network(arch, seed)
    return Learner(network, partial(recalibrate, network, setting.calibration))


def _figures(network: Network, folder: Path, name: str, seed: int, setting: Setting) -> dict:
    """Costs of a trained network, and how often it is right in float and, after a fine-tune, as integers."""
    data, frontend, arch = setting.data, setting.frontend, network.arch
    wide = setting.measured(network, folder / name)
    fine = QuantRecipe.at_bits(
        8, epochs=setting.options.quant_epochs, seed=seed, bfloat16=False, augmentation=SCENERY
    )  # fmt: skip
    parts = copy.deepcopy(network), data, frontend, setting.calibration
    integers = quantise(network, with_bits(arch, 8), *parts, fine, folder / f"{name}-w8").to_integer()
    heard = condition_figures(integers, frontend, data, "test", True, HEARD)
    costs = {"macs": macs(arch), "frontend_macs": frontend.macs(arch.frames), "params": params(arch)}
    costs |= {"flash_bytes": weight_bytes(with_bits(arch, 8)), "ram_bytes": _ram(arch)}
    right = {"validation": wide["validation"], "float_test": wide["test"], **condition_columns(heard)}
    return {**costs, **right}


def _ram(arch: Arch) -> int:
    """Of a stream, or of a clip where there is none."""
    return stream_ram_bytes(arch) or clip_ram_bytes(arch)


def system_of(name: str) -> str:
    """The key of SYSTEMS that a network is of."""
    return next(start for start in SYSTEMS if name.startswith(f"{start}-"))


def compared(found: Rows) -> pd.DataFrame:
    """The rows of the longest training of one kind that the most networks have behind them."""
    table = found.read(TABLE)
    kinds = [(rows.net.nunique(), hours, rows) for (hours, _), rows in table.groupby(["hours", "equal"])]
    return max(kinds, key=lambda kind: kind[:2])[2]


def table_of_systems(found: Rows) -> Shown:
    """A row a network, in the order of the systems."""
    table = compared(found)
    order = list(SYSTEMS)
    rows = [
        [
            SYSTEMS[system_of(row.net)], row.net, f"{row.clips:,}", f"{row.macs / 1e6:.2f}",
            f"{row.flash_bytes / 1e3:.1f} kB", f"{row.ram_bytes / 1e3:.1f} kB",
            f"{row.test:.1f} ({row.test_low:.1f} to {row.test_high:.1f})", f"{row.noise_10:.1f}",
        ]
        for row in sorted(table.itertuples(), key=lambda row: (order.index(system_of(row.net)), -row.macs))
    ]  # fmt: skip
    header = ["after", "network", "clips heard", "M MACs", "weights, 8 bits", "RAM", "test %", "in noise of 10 dB"]
    return header, rows


def picture_of_systems(found: Rows) -> plt.Figure:
    """Accuracy over MACs, weights and RAM, clean and in noise."""
    table = compared(found)
    figure, axes = plt.subplots(1, 3, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, (column, unit, label) in zip(axes, (
        ("macs", 1e6, "M MACs of a second"), ("flash_bytes", 1e3, "kB of weights"), ("ram_bytes", 1e3, "kB of RAM"),
    ), strict=True):  # fmt: skip
        for start, name in SYSTEMS.items():
            part = table[[system_of(net) == start for net in table.net]].sort_values(column)
            axis.plot(part[column] / unit, part.test, "-o", color=COLOURS[start], label=name)
            axis.plot(part[column] / unit, part.noise_10, "--v", color=COLOURS[start], markersize=4, alpha=0.7)
        axis.set(xscale="log", xlabel=label)
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("right on test, %; dashed: in noise of 10 dB", color=TEXT)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        value("--hours", 2.0, "of one core for the slowest network, in float"),
        value("--quant-epochs", 1, "at 8 bits, after them"),
        seeds(1),
        RUNS,
        several("--nets", [*archs(12)], "networks"),
    ),
    tables={TABLE: table_of_systems},
    pictures={TABLE: picture_of_systems},
)
