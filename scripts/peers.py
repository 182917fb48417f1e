"""Train published keyword spotters, and plain ones of ours, on the same data, splits, epochs and augmentation.

    python scripts/peers.py ../shared/data/speech_commands
    python scripts/peers.py ../shared/data/speech_commands --nets tc-resnet8 3M --epochs 15

Each network is trained in float and then fine-tuned at 8-bit weights, a step a channel, and 8-bit activations, by the
same recipe. Peers are emulated: steps from the largest weight, ranges of tensors from their extremes. Ours are measured
as integers, with learned steps. Each result is a row of `scripts/results/peers.csv`. Nothing is chosen here: test is
measured once a run. Runs resume.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from peer_nets import PEERS, flash_bytes, forget_ranges, macs, measure_ranges, to_8_bits
from plain import add_run_options, quant_recipe, report_peer, train_both, uniform_archs
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.frontend import front_end
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.networks import train_network
from supernet.train.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """What all runs on a kind of features share."""

    data: ClipData
    frontend: Mfcc
    calibration: Tensor
    options: argparse.Namespace


def main() -> None:
    """Train and measure what the command line names."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, "numbers")
    frontends = {kind: fit_frontend(data, kind=front_end(kind)) for kind in front_end.names}
    settings = {
        kind: Setting(data, frontend, calibration_features(data, frontend), options)
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
    data, frontend, options = setting.data, setting.frontend, setting.options
    torch.manual_seed(seed)
    network = PEERS[name](len(data.labels), frontend)
    params, flash = sum(parameter.numel() for parameter in network.parameters()), flash_bytes(network)
    costs = {"macs": macs(network), "params": params, "flash_bytes": 4 * params}
    recipe, folder = _recipe(options, seed), options.runs / "peers" / f"{name}-s{seed}-e{options.epochs}"
    calibrate = partial(measure_norms, network, setting.calibration)
    train_network(network, data, frontend, recipe, folder, {"net": name}, calibrate)
    report_peer(name, 32, recipe, {"quant_epochs": 0, **costs}, network, data, frontend, folder)

    def calibrate_both() -> None:
        forget_ranges(network)
        calibrate()
        measure_ranges(network, setting.calibration)

    to_8_bits(network, setting.calibration)
    narrow, folder = quant_recipe(recipe, options.quant_epochs), folder.with_name(folder.name + "-w8")
    train_network(network, data, frontend, narrow, folder, {"net": name, "bits": 8}, calibrate_both)
    figures = {"quant_epochs": options.quant_epochs, **costs, "flash_bytes": flash}
    report_peer(name, 8, recipe, figures, network, data, frontend, folder)


def _run_ours(setting: Setting, name: str, arch: Arch, seed: int) -> None:
    data, frontend, options = setting.data, setting.frontend, setting.options
    folder = options.runs / "plain" / f"{name}-s{seed}-e{options.epochs}"
    recipe = _recipe(options, seed)
    train_both(Network(arch, seed), f"temporal-{name}", data, frontend, setting.calibration, recipe, folder,
               options.quant_epochs)  # fmt: skip


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    names = [*uniform_archs(12), *PEERS]
    parser.add_argument("--nets", nargs="+", choices=names, default=names, metavar="NET", help=", ".join(names))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    add_run_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
