"""Which is best after the same time on the same clips: a short supernet, published keyword spotters or plain networks?

    python scripts/study.py comparison ../shared/data          # all of them, behind a long run that is going on
    python scripts/study.py comparison ../shared/data --only supernet tc-resnet8 --hours 2

All hear the scenes of the long run (supernet.data.scenes) of the ten standard words, on one core for so many hours
each, alone and from random weights; peers get each clip cut out of its scene. How many epochs that is, is measured
before each starts. Of the supernet the best slice within the MACs of each other network is told: of SLICES drawn ones
that on the speakers that networks are chosen by. Figures are in float. One training goes on at a time: the command
waits for others. Rows: `comparison.csv`.
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
from torch import Tensor, nn

from long_run import PLANS, behind_all, load_words, words_space
from studies.base import RUNS, SCENES, Shown, Study, several, value
from studies.networks import TIMED, Setting, epochs_in, uniform_archs
from studies.peer_nets import PEERS
from studies.peer_nets import macs as peer_macs
from studies.peers import measure_norms
from studies.rows import Rows, seconds_of
from supernet.cost import macs, params
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.frontend.logmel import LogMel
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.population import PopulationCosts
from supernet.train.calibration import fit_frontend, scene_features
from supernet.train.evaluate import accuracy
from supernet.train.networks import train_float, train_network
from supernet.train.recipe import Recipe
from supernet.train.supernets import draw_archs, train_step, train_supernet

TABLE, SUPERNET = "comparison", "supernet"
CALIBRATED, SLICES, SLICE_SEED = 512, 40, 5
OURS = {name: arch for name, arch in uniform_archs(12).items() if arch.features.kind == "logmel"}
LEARNING_RATE = 4e-3


class Cut(nn.Module):
    """A network that hears a clip at a time, of scenes that hold several in turn."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """(scenes, coefficients, clips * frames) -> logits (scenes * clips, classes)."""
        return self.network(x.unflatten(2, (clips, -1)).transpose(1, 2).flatten(0, 1))


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure what is not done."""
    with behind_all(options.runs):
        data = load_words(options.data, words="kws")
        for name in options.only:
            if not rows.done(TABLE, {"net": name, "hours": options.hours}):
                setting = _setting(name, data, options, rows)
                RUNS_OF.get(name, _run_peer if name in PEERS else _run_ours)(name, setting)


def _setting(name: str, data: ClipData, options: argparse.Namespace, rows: Rows) -> Setting:
    scenes = PLANS[SUPERNET].augmentation
    frontend = fit_frontend(data, 8, Mfcc if name in PEERS else LogMel, scenes)
    return Setting(options, rows, data, frontend, scene_features(data, frontend, scenes, CALIBRATED))


def _folder(setting: Setting, name: str) -> Path:
    return setting.options.runs / TABLE / f"{setting.options.hours:g}h" / name


def _run_peer(name: str, setting: Setting) -> None:
    torch.manual_seed(0)
    network = Cut(PEERS[name](len(setting.data.labels), setting.frontend))
    recipe, run = _recipe(name, network, setting), _folder(setting, name)
    calibrate = partial(measure_norms, network, setting.calibration)
    train_network(network, setting.data, setting.frontend, recipe, run, {"net": name}, calibrate)
    costs = {"macs": peer_macs(network.network), "params": sum(one.numel() for one in network.parameters())}
    _report(name, network, costs, recipe, setting, run)


def _run_ours(name: str, setting: Setting) -> None:
    network, run = Network(OURS[name]), _folder(setting, name)
    recipe = _recipe(name, network, setting)
    train_float(network, setting.data, setting.frontend, recipe, run, setting.calibration)
    _report(name, network, _costs(network), recipe, setting, run)


def _costs(network: Network) -> dict[str, int]:
    return {"macs": macs(network.arch), "params": params(network.arch)}


def _report(name: str, network: nn.Module, costs: dict, recipe: Recipe, setting: Setting, run: Path) -> None:
    figures = {"epochs": recipe.epochs, "seconds": seconds_of(run), **costs}
    keys = {"net": name, "hours": setting.options.hours}
    setting.rows.add(TABLE, keys, {**figures, **setting.measured(network, run)}, run)


def _run_supernet(name: str, setting: Setting) -> None:
    """Its row is of the largest slice, and there is one for the best slice within each other network's MACs."""
    data, frontend = setting.data, setting.frontend
    networks = replace(words_space(data), classes=len(data.labels))
    supernet, run = Supernet(networks, setting.calibration), _folder(setting, name)
    recipe = replace(PLANS[SUPERNET], tasks=())

    def step(x: Tensor, targets: Tensor, number: int) -> None:
        archs = draw_archs(networks, recipe, number / TIMED, np.random.default_rng(number))
        train_step(timed, archs, x, targets, recipe)

    timed = copy.deepcopy(supernet).train()
    recipe = replace(recipe, epochs=_epochs(name, step, recipe, setting))
    train_supernet(supernet, data, frontend, recipe, run)
    rng = np.random.default_rng(SLICE_SEED)
    drawn = networks.sample_sizes(rng, 100 * SLICES)
    costs, features = PopulationCosts(networks)(drawn)["macs"], plain_features(data, data.choosing.rows, frontend)
    for rival, most in _rivals(setting).items():
        near = drawn[costs <= most][np.argsort(-costs[costs <= most], kind="stable")[:SLICES]]
        slices = [supernet.extract(arch) for arch in networks.from_genes(near)]
        best = max(slices, key=lambda own: accuracy(own, features, data.choosing.targets))
        _report(f"{name} within {rival}", best, _costs(best), recipe, setting, run)
    largest = supernet.extract(networks.largest())
    _report(name, largest, _costs(largest), recipe, setting, run)


RUNS_OF = {SUPERNET: _run_supernet}


def _rivals(setting: Setting) -> dict[str, int]:
    """MACs of the networks that slices are set beside."""
    peers = {name: peer_macs(make(len(setting.data.labels), setting.frontend)) for name, make in PEERS.items()}
    return {**peers, **{name: macs(arch) for name, arch in OURS.items()}}


def _recipe(name: str, network: nn.Module, setting: Setting) -> Recipe:
    """Of one network alone, with the epochs that fit into the time."""
    recipe = Recipe(learning_rate=LEARNING_RATE, label_smoothing=0.05, augmentation=PLANS[SUPERNET].augmentation)
    timed = copy.deepcopy(network).train()

    def step(x: Tensor, targets: Tensor, number: int) -> None:
        nn.functional.cross_entropy(timed(x, len(targets) // len(x)), targets).backward()

    return replace(recipe, epochs=_epochs(name, step, recipe, setting))


def _epochs(name: str, step: Callable[[Tensor, Tensor, int], None], recipe: Recipe, setting: Setting) -> int:
    """How many epochs take the hours."""
    path = _folder(setting, "epochs") / f"{name}.json"
    return epochs_in(setting.options.hours, path, recipe, setting.data, setting.frontend, step)


def table_of_networks(found: Rows) -> Shown:
    """Figures of each network, the largest first."""
    table = found.read("comparison").sort_values("macs", ascending=False)
    rows = [
        [
            row.net, f"{row.hours:g}", f"{row.epochs}", f"{row.macs / 1e6:.2f}", f"{row.validation:.2f}",
            f"{row.test:.2f} ({row.test_low:.2f} to {row.test_high:.2f})",
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    return ["network", "hours", "epochs", "M MACs", "validation", "test"], rows


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        several("--only", [SUPERNET, *PEERS, *OURS], "networks"),
        value("--hours", 2.0, "of each, on one core"),
        RUNS,
    ),
    tables={"comparison": table_of_networks},
)
