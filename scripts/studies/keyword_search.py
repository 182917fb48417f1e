"""What does a search find among two-dimensional bottlenecks for keywords, within the MACs of published networks?

    python scripts/study.py keyword_search ../shared/data/speech_commands

Peter et al. (arXiv 2012.10138) found networks for keywords by differentiable search. Here a supernet of their family,
`mbconv` over MFCC, is trained, and the best network is searched within the MACs of each published one, which is trained
as well. What is found is made in two ways, each by the same recipe: alone, and from its slice on. The words are zero to
five, left, right, stop and forward, of which there are most recordings. Rows: `keyword_search.csv`, where others that
were trained so stand as well, those of the supernet's ends in `keyword_supernet.csv`. Choosing is done on validation;
test is measured once a run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from pages.accuracy import NAMES as PEER_NAMES
from search import accuracy
from search.accuracy import AccuracyPredictor
from search.sampling import sample_accuracies, table_space
from studies.base import KEYWORDS, RUNS, SEED, THREADS, Shown, Study, several, value
from studies.networks import Setting, emulated_at_8_bits, measure_norms, quant_recipe
from studies.peer_nets import PEERS, flash_bytes, macs
from studies.rows import Rows
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import macs as macs_of
from supernet.cost import params as params_of
from supernet.cost import weight_bytes
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import load
from supernet.files import read_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.quant.finetune import quantise
from supernet.space import default_space
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.networks import train_float, train_network
from supernet.train.recipe import Recipe, SupernetRecipe
from supernet.train.supernets import train_supernet
from zoo.make.recipe import HUB
from zoo.make.slices import kept_search

PUBLISHED = ("pless-mfcc20-5", "pless-mfcc20-4")
TABLE, ALONE, TUNED = "keyword_search", "alone", "tuned"
NAMES = {f"pless-mfcc20-{number}": f"pless_sweep_mfcc20_{number}" for number in (4, 5)} | {
    f"mbconv-{way}-mfcc20-{number}": f"mbconv, found within the MACs of mfcc20_{number}{how}"
    for number in (4, 5)
    for way, how in ((ALONE, ""), (TUNED, ", from its slice"))
}
SUPERNET = SupernetRecipe(epochs=28, unknown=2, sandwich=True, random=1)
MAKING = replace(HUB, samples=100)
"""Networks that are measured for the accuracy predictor."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train the supernet, search, and train what is found."""
    data = load(options.data, "numbers")
    frontend = fit_frontend(data)
    calibration = calibration_features(data, frontend)
    supernet = Supernet(default_space("mbconv", len(data.labels), data.clip_ms, "mfcc"), calibration, SUPERNET.seed)
    place = options.runs / "kws-mbconv"
    train_supernet(supernet, data, frontend, SUPERNET, place)
    ends = {name: round(100 * read_json(place / "log.json")[-1][name], 2) for name in ("largest", "smallest")}
    rows.once("keyword_supernet", {"epochs": SUPERNET.epochs, "seed": SUPERNET.seed}, lambda: ends, place)
    predictor = _predictor(supernet, data, frontend, place)
    setting = Setting(options, rows, data, frontend, calibration)
    recipe = Recipe(epochs=options.epochs, seed=options.seed, bfloat16=True)
    for published in options.within:
        _run_published(published, setting, recipe, place)
        limits = {"max_macs": macs(PEERS[published](len(data.labels), frontend))}
        path = place / f"found-{published}.json"
        found = kept_search(path, supernet, predictor, data, frontend, limits, "kws", MAKING)
        arch = Arch.from_dict(found["arch"])
        for way in options.ways:
            network = Network(arch, options.seed) if way == ALONE else supernet.extract(arch, calibration)
            name = f"mbconv-{way}-{published.removeprefix('pless-')}"
            _run_found(network, name, setting, recipe, place)


def _keys(name: str, bits: int, recipe: Recipe) -> dict:
    return {"net": name, "bits": bits, "seed": recipe.seed, "epochs": recipe.epochs}


def _run_published(name: str, setting: Setting, recipe: Recipe, place: Path) -> None:
    """Train a published network in float, then at emulated 8 bits."""
    data, frontend, rows, wide, narrow = setting.data, setting.frontend, setting.rows, *_both(name, recipe)
    if rows.done(TABLE, wide, narrow):
        return
    torch.manual_seed(recipe.seed)
    network, folder = PEERS[name](len(data.labels), frontend), _folder(place, name, recipe)
    params, flash = sum(parameter.numel() for parameter in network.parameters()), flash_bytes(network)
    costs = {"macs": macs(network), "params": params, "flash_bytes": 4 * params}
    calibrate = partial(measure_norms, network, setting.calibration)
    train_network(network, data, frontend, recipe, folder, {"net": name}, calibrate)
    rows.add(TABLE, wide, {"quant_epochs": 0, **costs, **setting.measured(network, folder)}, folder)

    epochs, folder = setting.options.quant_epochs, folder.with_name(folder.name + "-w8")
    emulated_at_8_bits(network, setting, quant_recipe(recipe, epochs), folder, {"net": name, "bits": 8})
    figures = {"quant_epochs": epochs, **costs, "flash_bytes": flash}
    rows.add(TABLE, narrow, {**figures, **setting.measured(network, folder)}, folder)


def _run_found(network: Network, name: str, setting: Setting, recipe: Recipe, place: Path) -> None:
    """Train a network that was found in float, then its integers at 8 bits."""
    (wide, narrow), rows, epochs = _both(name, recipe), setting.rows, setting.options.quant_epochs
    if rows.done(TABLE, wide, narrow):
        return
    costs = {"macs": macs_of(network.arch), "params": params_of(network.arch)}

    def write(keys: dict, epochs: int, own: Callable[[Tensor], Tensor], arch: Arch, run: Path) -> None:
        figures = {"quant_epochs": epochs, **costs, "flash_bytes": weight_bytes(arch)}
        rows.add(TABLE, keys, {**figures, **setting.measured(own, run)}, run)

    parts, folder = (setting.data, setting.frontend), _folder(place, name, recipe)
    train_float(network, *parts, recipe, folder, setting.calibration)
    write(wide, 0, network, network.arch, folder)
    arch, run = with_bits(network.arch, 8), folder.with_name(folder.name + "-w8")
    fake = quantise(network, arch, None, *parts, setting.calibration, quant_recipe(recipe, epochs), run)
    integers = TorchIntegers(fake.to_integer())
    write(narrow, epochs, lambda x: integers(quantise_features(x)), arch, run)


def _both(name: str, recipe: Recipe) -> tuple[dict, dict]:
    """Keys of the rows in float and at 8 bits."""
    return _keys(name, 32, recipe), _keys(name, 8, recipe)


def _folder(place: Path, name: str, recipe: Recipe) -> Path:
    return place / f"{name}-s{recipe.seed}-e{recipe.epochs}"


def _predictor(supernet: Supernet, data: ClipData, frontend: Mfcc, run: Path) -> AccuracyPredictor:
    split = data.splits["validation"]
    features = plain_features(data, split.rows, frontend)
    table = sample_accuracies(
        run / "accuracies", supernet, features, split.targets, MAKING.samples, accuracy.SEED, True
    )
    return AccuracyPredictor(table_space(supernet)).fit(table)


def table_of_networks(found: Rows) -> Shown:
    """Costs and accuracies, the smallest network first."""
    table, rows = found.read(TABLE), []
    table = table[table.epochs == table.epochs.max()]
    for net, runs in sorted(table.groupby("net"), key=lambda one: one[1].macs.min()):
        wide, narrow = (runs[runs.bits == bits].mean(numeric_only=True) for bits in (32, 8))
        shares = [f"{share:.2f}" for one in (wide, narrow) for share in (one.validation, one.test)]
        rows.append(
            [
                {**PEER_NAMES, **NAMES}.get(net, f"{net}, plain"),
                f"{wide.macs / 1e6:.2f} M",
                f"{narrow.flash_bytes / 1e3:.1f} kB",
                *shares,
            ]
        )
    return ["network", "MACs", "flash, 8 bits", "float val. %", "float test %", "8-bit val. %", "8-bit test %"], rows


STUDY = Study(
    __doc__,
    run,
    (
        KEYWORDS,
        several("--within", PUBLISHED, "whose MACs"),
        several("--ways", (ALONE, TUNED), "how they are made"),
        SEED,
        value("--epochs", 10, "in float"),
        value("--quant-epochs", 1, "at 8 bits, after them"),
        RUNS,
        THREADS,
    ),
    tables={TABLE: table_of_networks},
)
