"""Train published keyword spotters, and plain ones of ours, on the same data, splits, epochs and augmentation.

    python scripts/peers.py ../shared/data/speech_commands
    python scripts/peers.py ../shared/data/speech_commands --nets tc-resnet8 3M --epochs 15

Each network is trained in float and then fine-tuned with 8-bit weights (symmetric, a step a channel) and 8-bit
activations. Peers are emulated with a step and a zero point a tensor; ours are measured as integers. Each result is a
row of `scripts/results/peers.csv`. Nothing is chosen here: test is measured once a run. Runs resume.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from peer_nets import PEERS, flash_bytes, macs, to_8_bits
from plain import hits, quant_recipe, train_plain, uniform_archs
from results import accuracy_columns, add_row, save_hits
from torch import Tensor, nn

from supernet import cost
from supernet.data.clips import ClipData
from supernet.data.speech_commands import WORDS, load
from supernet.elastic import Network
from supernet.families import with_bits
from supernet.frontend import Mfcc, quantise_features
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.train import Recipe, calibration_features, fit_frontend, train_network

BATCH = 128


def main() -> None:
    """Train and measure what the command line names."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, options.words)
    frontend = fit_frontend(data)
    for name in options.nets:
        for seed in options.seeds:
            run = _run_ours if name in uniform_archs(12) else _run_peer
            run(name, seed, data, frontend, options)


def _run_peer(name: str, seed: int, data: ClipData, frontend: Mfcc, options: argparse.Namespace) -> None:
    torch.manual_seed(seed)
    network = PEERS[name](len(data.labels), frontend)
    costs = {"macs": macs(network), "params": sum(parameter.numel() for parameter in network.parameters())}
    flash = flash_bytes(network)
    calibration = calibration_features(data, frontend)
    recipe, folder = _recipe(options, seed), options.runs / "peers" / f"{name}-s{seed}-e{options.epochs}"
    calibrate = partial(_calibrate, network, calibration)
    train_network(network, data, frontend, recipe, folder, {"net": name}, calibrate)
    _report(name, 32, seed, options, network, data, frontend, folder, {**costs, "flash_bytes": 4 * costs["params"]})
    to_8_bits(network, calibration)
    recipe, folder = quant_recipe(recipe, options.quant_epochs), folder.with_name(folder.name + "-w8")
    train_network(network, data, frontend, recipe, folder, {"net": name, "bits": 8}, calibrate)
    _report(name, 8, seed, options, network, data, frontend, folder, {**costs, "flash_bytes": flash})


def _run_ours(name: str, seed: int, data: ClipData, frontend: Mfcc, options: argparse.Namespace) -> None:
    network = Network(uniform_archs(len(data.labels))[name], seed)
    arch = with_bits(network.arch, 8)
    costs = {"macs": cost.macs(arch), "params": cost.params(arch)}
    recipe, folder = _recipe(options, seed), options.runs / "plain" / f"{name}-s{seed}-e{options.epochs}"
    train_plain(network, data, frontend, recipe, folder)
    flash = {"flash_bytes": cost.weight_bytes(network.arch)}
    _report(f"temporal-{name}", 32, seed, options, network, data, frontend, folder, {**costs, **flash})
    plain = quant_recipe(recipe, options.quant_epochs)
    recipe = QuantRecipe(epochs=plain.epochs, learning_rate=plain.learning_rate, seed=seed, distillation=0.0)
    folder = folder.with_name(folder.name + "-w8")
    calibration = calibration_features(data, frontend)
    integers = quantise(network, arch, network, data, frontend, calibration, recipe, folder).to_integer()
    flash = {"flash_bytes": cost.weight_bytes(arch)}

    def exact(x: Tensor) -> Tensor:
        return integers(quantise_features(x))

    _report(f"temporal-{name}", 8, seed, options, exact, data, frontend, folder, {**costs, **flash})


def _report(name, bits, seed, options, network, data, frontend, folder, costs) -> None:
    """Measure a finished run and write its row."""
    right = hits(network, data, frontend)
    save_hits(folder, **right)
    figures = {**accuracy_columns("validation", right["validation"]), **accuracy_columns("test", right["test"])}
    epochs = {"epochs": options.epochs, "quant_epochs": options.quant_epochs if bits < 32 else 0}
    add_row(
        "peers", {"net": name, "bits": bits, "seed": seed, "epochs": options.epochs}, {**epochs, **costs, **figures}
    )
    print(f"{name} at {bits} bits: {figures['validation']} % validation, {figures['test']} % test", flush=True)


@torch.no_grad()
def _calibrate(network: nn.Module, features: Tensor) -> None:
    """Measure the norms' statistics over features of training clips, as is done with ours."""
    norms = [module for module in network.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for part in features.split(BATCH):
        network(part)
    network.eval()


def _recipe(options: argparse.Namespace, seed: int) -> Recipe:
    return Recipe(epochs=options.epochs, batch=BATCH, seed=seed, bfloat16=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--words", choices=WORDS, default="kws", help="the keywords (default: %(default)s)")
    names = [*uniform_archs(12), *PEERS]
    parser.add_argument("--nets", nargs="+", choices=names, default=names, metavar="NET", help=", ".join(names))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=10, help="in float (default: %(default)s)")
    parser.add_argument("--quant-epochs", type=int, default=2, help="at 8 bits, after them (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
