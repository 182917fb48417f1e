"""Make the bundled hub again from the data: train the supernet, search, fine-tune, quantise, publish.

    python scripts/make_hub.py ../shared/data/speech_commands

Every step keeps its state under `runs/` and is resumed or skipped when it is run again. Choosing is done on validation
alone; the test split is measured once for each published package. The seeds are those of the recipes below.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

import torch

from search import evolve
from search.accuracy import measured_accuracy
from supernet.cost import macs, space_macs
from supernet.data.augment import Augmentation, plain_features
from supernet.data.clips import ClipData
from supernet.data.speech_commands import WORDS, load
from supernet.elastic import Network, Supernet
from supernet.errors import EarshotError
from supernet.families import space, with_bits
from supernet.files import read_json, write_json
from supernet.frontend import Mfcc
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.space import Arch
from supernet.store import save_supernet
from supernet.train import SupernetRecipe, calibration_features, fit_frontend, train_supernet, weights_digest
from zoo.publish import accuracy_figures, publish, write_package
from zoo.units import count

FAMILY, SUPERNET = "temporal", "kws-temporal"
RECIPE = SupernetRecipe(epochs=36)
NOISE = Augmentation(noise_rms=(1.0, 6000.0))
BITS = (8, 4)
BUDGETS = {"20M": 2, "8M": 3, "3M": 4, "1M": 6, "0.3M": 6}
"""Most MACs of each model, and the epochs of its fine-tune at each width: small networks gain most from them."""
EVALUATIONS, SEARCH_SEED = 96, 0
NOTES = {
    "kws": "Bundled `kws` knows ten words; there was no training audio for the standard words yes, no, on and off.",
    "standard": "The ten words of the standard Speech Commands task.",
}
LIMITS = (
    "Made for one spoken word in a clip of one second at 16 kHz; it answers on nothing else.",
    "Trained on crowd-sourced English recordings; accents, children and far microphones are not measured.",
    "No detection threshold is set and false alarms an hour are not measured: test it in its place of use.",
)


def main() -> None:
    """Run all steps."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data, options.words)
    frontend = fit_frontend(data)
    calibration = calibration_features(data, frontend, seed=RECIPE.seed)
    supernet = Supernet(space(FAMILY, len(data.labels), data.clip_ms), calibration, RECIPE.seed)
    train_supernet(supernet, data, frontend, RECIPE, options.runs / SUPERNET)
    log = read_json(options.runs / SUPERNET / "log.json")
    for row in log:
        del row["seconds"]
    info = {
        "name": SUPERNET,
        "licence": data.licence,
        "attribution": data.attribution,
        "training": {"recipe": dataclasses.asdict(RECIPE), "log": log},
    }
    save_supernet(options.hub / "supernets" / SUPERNET, supernet, frontend, options.task, data.labels, info)
    teacher = supernet.extract(supernet.space.largest())
    for budget in options.budgets:
        found = search_budget(supernet, data, frontend, budget, options.runs)
        network = supernet.extract(found["arch"])
        recipe = QuantRecipe(epochs=BUDGETS.get(budget, 4), augmentation=NOISE)
        for bits in BITS:
            network = make_model(network, bits, recipe, budget, found, teacher, data, frontend, calibration, options)


def search_budget(supernet: Supernet, data: ClipData, frontend: Mfcc, budget: str, runs: Path) -> dict:
    """The best sub-network within a budget of MACs by validation accuracy, kept in `runs`."""
    path = runs / "search" / f"{budget}.json"
    identity = {
        "weights": weights_digest(supernet),
        "data": data.digest,
        "evaluations": EVALUATIONS,
        "seed": SEARCH_SEED,
    }
    if not path.is_file() or read_json(path)["identity"] != identity:
        validation = data.splits["validation"]
        features = plain_features(data, validation.rows, frontend)
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
    found = read_json(path)
    return {**found, "arch": Arch.from_dict(found["arch"])}


def make_model(
    network: Network,
    bits: int,
    recipe: QuantRecipe,
    budget: str,
    found: dict,
    teacher: Network,
    data: ClipData,
    frontend: Mfcc,
    calibration: torch.Tensor,
    options: argparse.Namespace,
) -> Network:
    """Fine-tune at `bits`, publish the package, and return the float network for fewer bits to start from."""
    run = options.runs / "quant" / f"{budget}-w{bits}"
    arch = with_bits(network.arch, bits)
    fake = quantise(network, arch, teacher, data, frontend, calibration, recipe, run)
    integers = fake.to_integer()
    selected = frontend.select(arch.features.coefficients, arch.features.step_ms)
    figures = {}
    for name in ("validation", "test"):
        split = data.splits[name]
        figures[name] = accuracy_figures(integers, plain_features(data, split.rows, selected), split.targets)
    info = {
        "task": options.task,
        "labels": list(data.labels),
        "licence": data.licence,
        "attribution": data.attribution,
        "notes": [NOTES[options.words]],
        "limits": list(LIMITS),
        "dataset": {"name": data.name, "id": "speech_commands", "version": options.data_version},
        "accuracy": figures,
        "training": {
            "supernet": SUPERNET,
            "supernet_seed": RECIPE.seed,
            "search": {"max_macs": count("budget", budget), "seed": SEARCH_SEED, "evaluations": len(found["scores"])},
            "quantisation": dataclasses.asdict(recipe),
            "summary": [
                f"Slice of the supernet {SUPERNET}: {RECIPE.epochs} epochs of sandwich training with in-place "
                f"distillation and progressive shrinking, seed {RECIPE.seed}.",
                f"Found by evolutionary search within {budget} MACs: {len(found['scores'])} sub-networks measured on "
                f"validation, seed {SEARCH_SEED}; the float slice had {found['validation']:.2%}.",
                f"Fine-tuned for {recipe.epochs} epochs at {bits}-bit weights by LSQ with distillation from the "
                f"supernet's largest network, seed {recipe.seed}"
                + ("." if bits == 8 else ", starting from the 8-bit model."),
            ],
        },
    }
    samples = data.audio[data.splits["test"].rows[:: len(data.splits["test"]) // 4][:4]]
    package = write_package(options.runs / "packages", integers, frontend, samples, info)
    publish(package, options.hub, lambda config: _same_place(config.values, info, bits))
    print(f"{package.name}: {macs(arch):,} MACs, {figures['validation']['accuracy']:.2%} validation, "
          f"{figures['test']['accuracy']:.2%} test")  # fmt: skip
    shutil.rmtree(package)
    return fake.to_float()


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
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS), metavar="MACS", help="default: all of the hub")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except EarshotError as error:
        sys.exit(f"make_hub: {error}")
