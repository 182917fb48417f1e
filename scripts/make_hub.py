"""Make the bundled hub again from the data: train the supernets, search, fine-tune, quantise, publish.

    python scripts/make_hub.py ../shared/data/speech_commands

Every step keeps its state under `runs/` and is resumed or skipped when it is run again. Choosing is done on validation
alone; the test split is measured once for each published package. The seeds are those of the recipes below.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from search import evolve
from search.accuracy import measured_accuracy
from supernet.cost import macs, space_macs
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import WORDS, load
from supernet.elastic import Network, Supernet
from supernet.errors import EarshotError
from supernet.families import space, with_bits
from supernet.files import read_json, write_json
from supernet.frontend import FRONT_ENDS, Mfcc
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.space import Arch
from supernet.store import save_supernet
from supernet.train import (
    Recipe,
    SupernetRecipe,
    calibration_features,
    fit_frontend,
    train_float,
    train_supernet,
    weights_digest,
)
from zoo.publish import accuracy_figures, publish, write_package
from zoo.units import count

FAMILY = "temporal"


@dataclass(frozen=True)
class Plan:
    """A supernet on a kind of features, and what is made of it.

    budgets: most MACs of each model, and the epochs of its fine-tune in float: small networks gain most from them.
    """

    features: str
    recipe: SupernetRecipe
    budgets: dict[str, int]


PLANS = {
    "kws-temporal-map": Plan(
        "logmel", SupernetRecipe(epochs=40, unknown=2), {"20M": 6, "3M": 12, "2M": 12, "1M": 20, "0.6M": 20}
    ),
    "kws-temporal": Plan("mfcc", SupernetRecipe(epochs=48), {"0.3M": 30}),
}
TUNE_RATE = 2e-3
QUANT = {8: {"epochs": 1, "learning_rate": 2.5e-4}, 4: {"epochs": 3, "learning_rate": 1e-3}}
"""The widths of the weights, each starting from the one before, and how they are fine-tuned."""
CALIBRATION_CLIPS = 2048
EVALUATIONS, SEARCH_SEED = 64, 0
NOTES = {
    "kws": "Bundled `kws` knows ten words; there was no training audio for the standard words yes, no, on and off.",
    "standard": "The ten words of the standard Speech Commands task.",
}
LIMITS = (
    "Made for one spoken word in a clip of one second at 16 kHz; it answers on nothing else.",
    "Trained on crowd-sourced English recordings; accents, children and far microphones are not measured.",
    "No detection threshold is set and false alarms an hour are not measured: test it in its place of use.",
)


@dataclass(frozen=True)
class Setting:
    """What all steps after the training of a supernet work with."""

    name: str
    plan: Plan
    supernet: Supernet
    teacher: Network
    data: ClipData
    frontend: Mfcc
    calibration: Tensor
    options: argparse.Namespace


def main() -> None:
    """Run all steps."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, options.words)
    for name, plan in PLANS.items():
        budgets = [budget for budget in plan.budgets if budget in options.budgets]
        if budgets:
            make_models(train(name, plan, data, options), budgets)


def train(name: str, plan: Plan, data: ClipData, options: argparse.Namespace) -> Setting:
    """Train a supernet, or go on with it, and publish it."""
    frontend, recipe = fit_frontend(data, kind=FRONT_ENDS[plan.features]), plan.recipe
    calibration = calibration_features(data, frontend, seed=recipe.seed)
    networks = space(FAMILY, len(data.labels), data.clip_ms, plan.features)
    supernet, run = Supernet(networks, calibration, recipe.seed), options.runs / name
    train_supernet(supernet, data, frontend, recipe, run)
    info = _supernet_info(name, data, recipe, run)
    save_supernet(options.hub / "supernets" / name, supernet, frontend, options.task, data.labels, info)
    calibration = calibration_features(data, frontend, CALIBRATION_CLIPS, recipe.seed)
    return Setting(name, plan, supernet, supernet.extract(networks.largest()), data, frontend, calibration, options)


def make_models(setting: Setting, budgets: list[str]) -> None:
    """Search, fine-tune, quantise and publish for each budget."""
    for budget in budgets:
        found = search_budget(setting, budget)
        network = tune(setting, Arch.from_dict(found["arch"]), budget)
        for bits in QUANT:
            network = make_model(setting, network, bits, budget, found)


def search_budget(setting: Setting, budget: str) -> dict:
    """The best sub-network within a budget of MACs by validation accuracy, and all that were tried; kept on disk."""
    path = setting.options.runs / setting.name / "search" / f"{budget}.json"
    supernet, data = setting.supernet, setting.data
    identity = {
        "weights": weights_digest(supernet),
        "data": data.digest,
        "evaluations": EVALUATIONS,
        "seed": SEARCH_SEED,
    }
    if not path.is_file() or read_json(path)["identity"] != identity:
        validation = data.splits["validation"]
        features = plain_features(data, validation.rows, setting.frontend)
        result = evolve(
            supernet.space,
            measured_accuracy(supernet, features, validation.targets),
            lambda genes: space_macs(supernet.space, genes),
            count("budget", budget),
            evaluations=EVALUATIONS,
            seed=SEARCH_SEED,
        )
        tried = {"genes": result.genes.tolist(), "scores": result.scores.tolist(), "macs": result.costs.tolist()}
        write_json(path, {"identity": identity, "arch": result.arch.to_dict(), "validation": result.score, **tried})
    return read_json(path)


def tune_recipe(plan: Plan, budget: str) -> Recipe:
    """How the slice for a budget is fine-tuned in float."""
    return Recipe(epochs=plan.budgets[budget], learning_rate=TUNE_RATE, unknown=plan.recipe.unknown, bfloat16=True)


def tune(setting: Setting, arch: Arch, budget: str) -> Network:
    """The slice of the supernet, fine-tuned in float with distillation from the largest network."""
    run, recipe = setting.options.runs / setting.name / "tuned" / budget, tune_recipe(setting.plan, budget)
    network, calibration = setting.supernet.extract(arch), setting.calibration
    return train_float(network, setting.data, setting.frontend, recipe, run, calibration, setting.teacher)


def make_model(setting: Setting, network: Network, bits: int, budget: str, found: dict) -> Network:
    """Fine-tune at `bits`, publish the package, and return the float network for fewer bits to start from."""
    data, frontend, options = setting.data, setting.frontend, setting.options
    recipe = QuantRecipe(**QUANT[bits], unknown=setting.plan.recipe.unknown)
    run = options.runs / setting.name / "quant" / f"{budget}-w{bits}"
    arch = with_bits(network.arch, bits)
    fake = quantise(network, arch, setting.teacher, data, frontend, setting.calibration, recipe, run)
    integers = fake.to_integer()
    selected = frontend.select(arch.features.coefficients, arch.features.step_ms)
    figures = {}
    for name in ("validation", "test"):
        split = data.splits[name]
        figures[name] = accuracy_figures(integers, plain_features(data, split.rows, selected), split.targets)
    info = {**_package_info(setting, recipe, bits, budget, found), "accuracy": figures}
    test = data.splits["test"].rows
    package = write_package(
        options.runs / "packages", integers, frontend, data.audio[test[:: len(test) // 4][:4]], info
    )
    publish(package, options.hub, lambda config: _same_place(config.values, info, bits))
    shutil.rmtree(package)
    shares = ", ".join(f"{figures[name]['accuracy']:.2%} {name}" for name in figures)
    print(f"{package.name}: {macs(arch):,} MACs, {shares}")
    return fake.to_float()


def _supernet_info(name: str, data: ClipData, recipe: SupernetRecipe, run: Path) -> dict:
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in read_json(run / "log.json")]
    return {
        "name": name,
        "licence": data.licence,
        "attribution": data.attribution,
        "training": {"recipe": dataclasses.asdict(recipe), "log": rows},
    }


def _package_info(setting: Setting, recipe: QuantRecipe, bits: int, budget: str, found: dict) -> dict:
    """What `config.json` and the card state of a model, but its accuracies."""
    data, options, first = setting.data, setting.options, next(iter(QUANT))
    whole, tuning = setting.plan.recipe, tune_recipe(setting.plan, budget)
    return {
        "task": options.task,
        "labels": list(data.labels),
        "licence": data.licence,
        "attribution": data.attribution,
        "notes": [NOTES[options.words]],
        "limits": list(LIMITS),
        "dataset": {"name": data.name, "id": "speech_commands", "version": options.data_version},
        "training": {
            "supernet": setting.name,
            "supernet_seed": whole.seed,
            "search": {"max_macs": count("budget", budget), "seed": SEARCH_SEED, "evaluations": len(found["scores"])},
            "tuning": dataclasses.asdict(tuning),
            "quantisation": dataclasses.asdict(recipe),
            "calibration_clips": CALIBRATION_CLIPS,
            "summary": [
                f"Slice of the supernet {setting.name}: {whole.epochs} epochs of sandwich training with in-place "
                f"distillation, seed {whole.seed}.",
                f"Found by evolutionary search within {budget} MACs: {len(found['scores'])} sub-networks measured on "
                f"validation, seed {SEARCH_SEED}; the float slice had {found['validation']:.2%}.",
                f"Fine-tuned in float for {tuning.epochs} epochs, then for {recipe.epochs} epochs at "
                f"{bits}-bit weights by LSQ, both with distillation from the supernet's largest network, seed "
                f"{recipe.seed}" + ("." if bits == first else f", the latter starting from the {first}-bit model."),
            ],
        },
    }


def _same_place(old: dict, new: dict, bits: int) -> bool:
    """True for a model that an earlier run published for the same supernet, budget and bits."""
    places = [
        (values["task"], values["training"].get("supernet"), values["training"].get("search", {}).get("max_macs"))
        for values in (old, new)
    ]
    return places[0] == places[1] and old["quantization_config"]["weights"]["num_bits"] == bits


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of Speech Commands in its official layout")
    parser.add_argument("--words", choices=WORDS, default="kws", help="the keywords (default: %(default)s)")
    parser.add_argument("--task", default="kws", help="name of the task in the hub (default: %(default)s)")
    parser.add_argument("--data-version", default="v0.01 and v0.02, part", help="as the card states it")
    parser.add_argument("--hub", type=Path, default=Path("zoo/hub"), help="where to publish (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    budgets = [budget for plan in PLANS.values() for budget in plan.budgets]
    parser.add_argument(
        "--budgets", nargs="+", choices=budgets, default=budgets, metavar="MACS", help="default: %(default)s"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except EarshotError as error:
        sys.exit(f"make_hub: {error}")
