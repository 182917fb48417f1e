"""From a trained supernet to models of a hub: search within a budget, fine-tune, quantise, publish.

Choosing is done on validation alone; the test split is measured once for each published package. Every step keeps its
state in the folder of the run, and is resumed or skipped when it is run again.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from torch import Tensor

from search import evolve
from search.accuracy import measured_accuracy
from supernet.cost import macs, space_macs
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.elastic import Network, Supernet
from supernet.families import with_bits
from supernet.files import read_json, write_json
from supernet.frontend import Mfcc
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.space import Arch
from supernet.store import save_supernet
from supernet.train import Recipe, SupernetRecipe, calibration_features, train_float, weights_digest
from zoo.detect import choose_detection
from zoo.publish import accuracy_figures, publish, write_package
from zoo.run import probabilities
from zoo.units import count

__all__ = ["Build", "build_models", "store", "tuned_network"]

TUNE_RATE = 2e-3
QUANT = {8: {"epochs": 1, "learning_rate": 2.5e-4}, 4: {"epochs": 3, "learning_rate": 1e-3}}
"""The widths of the weights, each starting from the one before, and how they are fine-tuned."""
CALIBRATION_CLIPS = 2048
EVALUATIONS, SEARCH_SEED = 64, 0


@dataclass(frozen=True)
class Build:
    """What models are made of, and for whom.

    name: of the supernet. recipe: that it was trained by. run: folder for what is made on the way. info: notes, limits
    and dataset as `config.json` has them, and `origin`, a sentence on how the supernet was made.
    false_alarms: most detections an hour where there is nothing, for data with negatives.
    """

    name: str
    task: str
    supernet: Supernet
    recipe: SupernetRecipe
    data: ClipData
    frontend: Mfcc
    run: Path
    hub: Path
    info: dict
    false_alarms: float = 1.0

    @cached_property
    def teacher(self) -> Network:
        """The largest network, from which all others learn."""
        return self.supernet.extract(self.supernet.space.largest())

    @cached_property
    def calibration(self) -> Tensor:
        """Features that norms and ranges are measured on."""
        return calibration_features(self.data, self.frontend, CALIBRATION_CLIPS, self.recipe.seed)

    @property
    def shared(self) -> dict:
        """What fine-tunes have of the supernet's recipe."""
        return {"batch": self.recipe.batch, "unknown": self.recipe.unknown, "seed": self.recipe.seed}


def store(build: Build, folder: Path) -> Path:
    """Write the supernet with its recipe and the log of its run into a folder of its own."""
    log = read_json(build.run / "log.json")
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in log]
    info = {
        "name": build.name,
        "licence": build.data.licence,
        "attribution": build.data.attribution,
        "training": {"recipe": dataclasses.asdict(build.recipe), "log": rows},
    }
    return save_supernet(folder, build.supernet, build.frontend, build.task, build.data.labels, info)


def build_models(build: Build, budgets: dict[str, int]) -> None:
    """Search, fine-tune, quantise and publish for each budget.

    budgets: most MACs of each model, and the epochs of its fine-tune in float.
    """
    for budget, epochs in budgets.items():
        network, found, tuning = tuned_network(build, budget, epochs)
        for bits in QUANT:
            network = _publish(build, network, bits, budget, found, tuning)


def tuned_network(build: Build, budget: str, epochs: int) -> tuple[Network, dict, Recipe]:
    """The best sub-network within a budget of MACs, fine-tuned in float with distillation from the largest network.

    Returns it with the findings of the search and the recipe of the fine-tune.
    """
    found = _search(build, budget)
    recipe = Recipe(epochs=epochs, learning_rate=TUNE_RATE, bfloat16=True, **build.shared)
    network, run = build.supernet.extract(Arch.from_dict(found["arch"])), build.run / "tuned" / budget
    train_float(network, build.data, build.frontend, recipe, run, build.calibration, build.teacher)
    return network, found, recipe


def _search(build: Build, budget: str) -> dict:
    """The best sub-network within a budget of MACs by validation accuracy, and all that were tried; kept on disk."""
    path, supernet = build.run / "search" / f"{budget}.json", build.supernet
    identity = {
        "weights": weights_digest(supernet),
        "data": build.data.digest,
        "evaluations": EVALUATIONS,
        "seed": SEARCH_SEED,
    }
    if not path.is_file() or read_json(path)["identity"] != identity:
        validation = build.data.splits["validation"]
        features = plain_features(build.data, validation.rows, build.frontend)
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


def _publish(build: Build, network: Network, bits: int, budget: str, found: dict, tuning: Recipe) -> Network:
    """Fine-tune at `bits`, publish the package, and return the float network for fewer bits to start from."""
    data, frontend = build.data, build.frontend
    recipe = QuantRecipe(**QUANT[bits], **build.shared)
    run = build.run / "quant" / f"{budget}-w{bits}"
    arch = with_bits(network.arch, bits)
    fake = quantise(network, arch, build.teacher, data, frontend, build.calibration, recipe, run)
    integers = fake.to_integer()
    selected = frontend.select(arch.features.coefficients, arch.features.step_ms)
    figures = {}
    for name in ("validation", "test"):
        split = data.splits[name]
        figures[name] = accuracy_figures(integers, plain_features(data, split.rows, selected), split.targets)
    info = {**_package_info(build, recipe, bits, budget, found, tuning), "accuracy": figures}
    if data.held_negatives:
        scale = integers.activations[integers.specs[-1].name].scale
        scores = partial(probabilities, scale=scale, multi_label=data.multi_label)
        info["detection"] = choose_detection(integers, selected, scores, data, build.false_alarms)
    test = data.splits["test"].rows
    samples = data.audio[test[:: max(1, len(test) // 4)][:4]]
    package = write_package(build.run / "packages", integers, frontend, samples, info)
    publish(package, build.hub, lambda config: _same_place(config.values, info, bits))
    shutil.rmtree(package)
    shares = ", ".join(f"{figures[name]['accuracy']:.2%} {name}" for name in figures)
    print(f"{package.name}: {macs(arch):,} MACs, {shares}", file=sys.stderr)
    return fake.to_float()


def _package_info(build: Build, recipe: QuantRecipe, bits: int, budget: str, found: dict, tuning: Recipe) -> dict:
    """What `config.json` and the card state of a model, but its accuracies."""
    tried, first = len(found["scores"]), next(iter(QUANT))
    return {
        "task": build.task,
        "labels": list(build.data.labels),
        "multi_label": build.data.multi_label,
        "licence": build.data.licence,
        "attribution": build.data.attribution,
        **{key: build.info[key] for key in ("notes", "limits", "dataset")},
        "training": {
            "supernet": build.name,
            "supernet_seed": build.recipe.seed,
            "search": {"max_macs": count("budget", budget), "seed": SEARCH_SEED, "evaluations": tried},
            "tuning": dataclasses.asdict(tuning),
            "quantisation": dataclasses.asdict(recipe),
            "calibration_clips": CALIBRATION_CLIPS,
            "summary": [
                build.info["origin"],
                f"Found by evolutionary search within {budget} MACs: {tried} sub-networks measured on validation, "
                f"seed {SEARCH_SEED}; the float slice had {found['validation']:.2%}.",
                f"Fine-tuned in float for {tuning.epochs} epochs, then for {recipe.epochs} epochs at {bits}-bit "
                f"weights by LSQ, both with distillation from the supernet's largest network, seed {recipe.seed}"
                + ("." if bits == first else f", the latter starting from the {first}-bit model."),
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
