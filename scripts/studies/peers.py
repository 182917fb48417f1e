"""How good are published keyword spotters and plain networks of ours after the same clips of the standard words?

    python scripts/study.py peers ../shared/data --spoken runs/spoken                     # half a day of a core
    python scripts/study.py peers ../shared/data --nets tc-resnet8 map-1M --hours 0.1     # a look

All hear the same scenes (supernet.data.scenes) from random weights, for the number of epochs that the slowest of them
makes in so many hours of one core: once with the labels alone, once with the largest network of the long run's supernet
as a teacher as well. All read its log-mels, MFCC where that is what was published, so they are trained together on
clips that are made once; peers get each clip cut out of its scene. Each is then fine-tuned at 8-bit weights, a step a
channel, and 8-bit activations. Peers are emulated: steps from the largest weight, ranges of tensors from their
extremes. Ours are measured as integers, with learned steps. The settings of the optimiser are those that were chosen
for ours. Rows: `peers.csv`, figures of the test list, clean, in
noise at 10 dB and 20 dB fainter. Nothing is chosen here: test is measured once a network.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from long_run import LAST, PLANS, behind_all, guide_of, kept_supernet, load_words
from pages.accuracy import accuracy_picture, models_picture, peers_table
from studies.base import RUNS, SCENES, SPOKEN, Study, seeds, several, value
from studies.networks import (
    Setting,
    condition_columns,
    emulated_at_8_bits,
    epochs_in,
    measure_norms,
    quant_recipe,
    step_of,
    uniform_archs,
)
from studies.peer_nets import PEERS, Cut, flash_bytes, macs, reading
from studies.rows import Rows, seconds_of
from supernet.bits import with_bits
from supernet.cost import macs as arch_macs
from supernet.cost import weight_bytes
from supernet.nn.frontend import dequantise_features
from supernet.nn.network import Network, recalibrate
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.train.calibration import scene_features
from supernet.train.networks import Learner, train_together
from supernet.train.recipe import Recipe
from zoo.run.conditions import condition_figures

TABLE, CALIBRATED = "peers", 512
HEARD = ("clean", "fainter-20", "noise-10")
LABELS, DISTILLED, SHARE = "labels", "distilled", 0.7
"""Of the loss that comes from the teacher."""
OURS = {name: arch for name, arch in uniform_archs(12).items() if arch.features.kind == "logmel"}
NETS = (*PEERS, *OURS)
Scores = Callable[[np.ndarray], np.ndarray]
"""From int8 features (clips, coefficients, frames) to logits (clips, classes)."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train what is asked for together, and measure what is not done."""
    with behind_all(options.runs / TABLE):
        data = load_words(options.data, options.spoken, "kws")
        supernet, frontend, _ = kept_supernet(LAST, data, "kws", CALIBRATED)
        calibration = scene_features(data, frontend, PLANS[LAST].augmentation, CALIBRATED, 0)
        setting, teacher = Setting(options, rows, data, frontend, calibration), guide_of(supernet)
        for seed in options.seeds:
            asked = {f"{net} {way}": _keys(net, way, seed, options) for net in options.nets for way in options.ways}
            if not all(rows.done(TABLE, {**keys, "bits": bits}) for keys in asked.values() for bits in (32, 8)):
                _measured(asked, seed, setting, teacher)


def _keys(net: str, way: str, seed: int, options: argparse.Namespace) -> dict:
    return {"net": net, "way": way, "hours": options.hours, "quant_epochs": options.quant_epochs, "seed": seed}


def _measured(asked: dict[str, dict], seed: int, setting: Setting, teacher: Network) -> None:
    """Train networks together, then each at 8 bits, and write the rows."""
    options, data, frontend = setting.options, setting.data, setting.frontend
    epochs = _epochs_of_all(setting)
    recipe = Recipe(epochs=epochs, label_smoothing=0.05, seed=seed, augmentation=PLANS[LAST].augmentation)
    learners = {
        name: _learner(keys["net"], seed, setting, teacher if keys["way"] == DISTILLED else None)
        for name, keys in asked.items()
    }
    which = f"{'+'.join(options.nets)}-{'+'.join(options.ways)}-{options.hours:g}h-s{seed}"
    folder = options.runs / TABLE / which.replace(".", "_")
    train_together(learners, data, frontend, recipe, folder, {}, SHARE, measure_every=epochs)
    shared = {"data": data.digest[:12], "epochs": epochs, "clips": epochs * len(data.epoch(np.random.default_rng(0)))}
    shared["seconds"] = seconds_of(folder)
    for name, keys in asked.items():
        own = learners[name]
        costs = _costs(own.network)
        floats = {**costs, "flash_bytes": 4 * costs["params"]}
        if not setting.rows.done(TABLE, {**keys, "bits": 32}):
            figures = _figures(_float_scores(own.network), setting)
            setting.rows.add(TABLE, {**keys, "bits": 32}, {**floats, **figures, **shared}, folder)
        if not setting.rows.done(TABLE, {**keys, "bits": 8}):
            fine = replace(quant_recipe(recipe, options.quant_epochs), distillation=SHARE if own.teacher else 0.0)
            make = _integers if isinstance(own.network, Network) else _emulated
            figures = _figures(
                make(own, fine, setting, folder / f"{name.replace(' ', '-')}-w8-e{fine.epochs}"), setting
            )
            setting.rows.add(TABLE, {**keys, "bits": 8}, {**costs, **figures, **shared}, folder)


def _learner(name: str, seed: int, setting: Setting, teacher: Network | None) -> Learner:
    torch.manual_seed(seed)
    if name in OURS:
        network = Network(OURS[name], seed)
        return Learner(network, partial(recalibrate, network, setting.calibration), teacher)
    network = Cut(reading(name, len(setting.data.labels), setting.frontend, setting.calibration))
    return Learner(network, partial(measure_norms, network, setting.calibration), teacher)


def _epochs_of_all(setting: Setting) -> int:
    """The epochs that each network makes in time, however slow it is; measured once."""
    options, recipe = setting.options, Recipe(augmentation=PLANS[LAST].augmentation)
    path = options.runs / TABLE / f"epochs-{options.hours:g}h"
    return min(
        epochs_in(
            options.hours, path / f"{name}.json", recipe, setting.data, setting.frontend,
            step_of(_learner(name, 0, setting, None).network),
        )
        for name in NETS
    )  # fmt: skip


def _emulated(own: Learner, fine: QuantRecipe, setting: Setting, run: Path) -> Scores:
    """A peer at 8 bits, fine-tuned as it was trained."""
    network = copy.deepcopy(own.network)
    return _float_scores(emulated_at_8_bits(network, setting, fine, run, {"bits": 8}, own.teacher))


def _integers(own: Learner, fine: QuantRecipe, setting: Setting, run: Path) -> Scores:
    """The integers of a network of ours, fine-tuned as it was trained."""
    network, arch = copy.deepcopy(own.network), with_bits(own.network.arch, 8)
    parts = setting.data, setting.frontend, setting.calibration
    return quantise(network, arch, own.teacher, *parts, fine, run).to_integer()


def _float_scores(network: nn.Module) -> Scores:
    @torch.no_grad()
    def scores(features: np.ndarray) -> np.ndarray:
        return network.eval()(dequantise_features(torch.from_numpy(features))).numpy()

    return scores


def _costs(network: nn.Module) -> dict[str, int]:
    params = sum(one.numel() for one in network.parameters())
    if isinstance(network, Network):
        return {
            "macs": arch_macs(network.arch),
            "params": params,
            "flash_bytes": weight_bytes(with_bits(network.arch, 8)),
        }
    return {"macs": macs(network), "params": params, "flash_bytes": flash_bytes(network)}


def _figures(scores: Scores, setting: Setting) -> dict[str, float]:
    """Right answers in percent, of validation and, in each condition, of test."""
    parts = setting.frontend, setting.data
    [kept] = condition_figures(scores, *parts, "validation", True, HEARD[:1]).values()
    heard = condition_figures(scores, *parts, "test", True, HEARD)
    return {"validation": round(100 * kept["accuracy"], 2), **condition_columns(heard)}


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        SPOKEN,
        several("--nets", NETS, "networks"),
        several("--ways", (LABELS, DISTILLED), "what they learn"),
        value("--hours", 2.0, "of one core for the slowest network, in float"),
        value("--quant-epochs", 2, "at 8 bits, after them"),
        seeds(1),
        RUNS,
    ),
    tables={"peers": peers_table},
    pictures={"accuracy": accuracy_picture, "models": models_picture},
)
