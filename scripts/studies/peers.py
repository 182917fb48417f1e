"""How good are published keyword spotters, and plain ones of ours, on the same data, splits, epochs and augmentation?

    python scripts/study.py peers ../shared/data/speech_commands
    python scripts/study.py peers ../shared/data/speech_commands --nets tc-resnet8 3M --epochs 15

Each network is trained in float and then fine-tuned at 8-bit weights, a step a channel, and 8-bit activations, by the
same recipe. Peers are emulated: steps from the largest weight, ranges of tensors from their extremes. Ours are measured
as integers, with learned steps. Rows: `peers.csv`. Nothing is chosen here: test is measured once a run.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor, nn

from pages.accuracy import accuracy_picture, models_picture, peers_table
from studies.base import KEYWORDS, Study, seeds, several
from studies.networks import AS_PEERS, PEERS_TABLE, Setting, peer_keys, quant_recipe, train_both, uniform_archs
from studies.peer_nets import PEERS, flash_bytes, forget_ranges, macs, measure_ranges, to_8_bits
from studies.rows import Rows
from supernet.arch import Arch
from supernet.data.speech_commands import load
from supernet.frontend import front_end
from supernet.nn.network import Network
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.networks import train_network
from supernet.train.recipe import Recipe


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure what the command line names."""
    data = load(options.data, "numbers")
    kinds = {"mfcc", *(arch.features.kind for arch in uniform_archs(len(data.labels)).values())}
    frontends = {kind: fit_frontend(data, kind=front_end(kind)) for kind in sorted(kinds)}
    settings = {
        kind: Setting(options, rows, data, frontend, calibration_features(data, frontend))
        for kind, frontend in frontends.items()
    }
    ours = uniform_archs(len(data.labels))
    for name in options.nets:
        for seed in options.seeds:
            if name in PEERS:
                _run_peer(settings["mfcc"], name, seed)
            else:
                _run_ours(settings[ours[name].features.kind], name, ours[name], seed)


def _run_peer(setting: Setting, name: str, seed: int) -> None:
    data, frontend, options, recipe = setting.data, setting.frontend, setting.options, _recipe(setting.options, seed)
    wide, narrow = (peer_keys(name, bits, recipe) for bits in (32, 8))
    if setting.rows.done(PEERS_TABLE, wide, narrow):
        return
    torch.manual_seed(seed)
    network = PEERS[name](len(data.labels), frontend)
    params, flash = sum(parameter.numel() for parameter in network.parameters()), flash_bytes(network)
    costs = {"macs": macs(network), "params": params, "flash_bytes": 4 * params}
    folder = options.runs / "peers" / f"{name}-s{seed}-e{options.epochs}"
    calibrate = partial(measure_norms, network, setting.calibration)
    train_network(network, data, frontend, recipe, folder, {"net": name}, calibrate)
    setting.rows.add(PEERS_TABLE, wide, {"quant_epochs": 0, **costs, **setting.measured(network, folder)}, folder)

    def calibrate_both() -> None:
        forget_ranges(network)
        calibrate()
        measure_ranges(network, setting.calibration)

    to_8_bits(network, setting.calibration)
    fine, folder = quant_recipe(recipe, options.quant_epochs), folder.with_name(folder.name + "-w8")
    train_network(network, data, frontend, fine, folder, {"net": name, "bits": 8}, calibrate_both)
    figures = {"quant_epochs": options.quant_epochs, **costs, "flash_bytes": flash}
    setting.rows.add(PEERS_TABLE, narrow, {**figures, **setting.measured(network, folder)}, folder)


def _run_ours(setting: Setting, name: str, arch: Arch, seed: int) -> None:
    folder = setting.options.runs / "plain" / f"{name}-s{seed}-e{setting.options.epochs}"
    train_both(Network(arch, seed), f"temporal-{name}", setting, _recipe(setting.options, seed), folder)


@torch.no_grad()
def measure_norms(network: nn.Module, features: Tensor) -> None:
    """Set the norms' statistics to those over features of training clips, all in one batch."""
    norms = [module for module in network.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    network(features)
    network.eval()


def _recipe(options: argparse.Namespace, seed: int) -> Recipe:
    return Recipe(epochs=options.epochs, seed=seed, bfloat16=True)


STUDY = Study(
    __doc__,
    run,
    (KEYWORDS, several("--nets", [*uniform_archs(12), *PEERS], "networks"), seeds(1), *AS_PEERS),
    tables={"peers": peers_table},
    pictures={"accuracy": accuracy_picture, "models": models_picture},
)
