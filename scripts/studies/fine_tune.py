"""What does fine-tuning a bundled model by the recipe of scenes change in the places where it is heard?

    python scripts/study.py fine_tune ../shared/data --hours 2
    python scripts/study.py fine_tune ../shared/data --hours 2 --keep    # its weights into scripts/checkpoints

The network is the slice of the bundled supernet that the model was made of. It gets a head for each task: all words,
the ten of the standard task, and the ten that it knew; it learns from labels alone. Then it is quantised to 8
bits, and each of its heads is heard on the test list in all conditions, and so is the bundled model. One thread. Rows:
`conditions.csv`.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import torch

import zoo
from long_run import KEPT, TASKS, keep, load_words, only_training
from studies.base import HUB, RUNS, SCENES, SPOKEN, Shown, Study, option, value
from studies.networks import epochs_in, step_of
from studies.rows import Rows, seconds_of
from supernet.bits import with_bits
from supernet.constants import SILENCE, UNKNOWN
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.data.speech_commands import COMMANDS, WORDS
from supernet.frontend.mfcc import Mfcc
from supernet.integer.runtime import IntegerNetwork
from supernet.nn.network import Network
from supernet.nn.store import load_supernet
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.train.calibration import scene_features
from supernet.train.heads import Heads, integer_head_of, with_outputs
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe
from zoo.make.package import split_figures
from zoo.run.conditions import CONDITIONS

SUPERNET, MODEL, OLD = "kws-temporal-map", "kws-temporal-6.8M-w8a8-7523a7c4", "numbers"
RECIPE = Recipe(
    learning_rate=3e-3, label_smoothing=0.05, augmentation=Scenes(),
    tasks=(*TASKS, (OLD, (*WORDS[OLD], UNKNOWN, SILENCE))),
)  # fmt: skip
TABLE, CALIBRATED = "conditions", 2048


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train, quantise and measure, as far as that is not done."""
    folder = options.runs / "fine-tune" / f"{options.hours:g}h"
    if options.keep:
        keep(folder / "float", KEPT / "fine-tuned.safetensors")
        return
    torch.set_num_threads(1)
    with only_training(options.runs):
        _train(options, rows, folder)


def _train(options: argparse.Namespace, rows: Rows, folder: Path) -> None:
    old = zoo.Model.from_folder(options.hub / "models" / MODEL)
    stored = load_supernet(options.hub / "supernets" / SUPERNET, "kws")
    arch = old.arch.without_bits()
    data = load_words(options.data, options.spoken)
    heads = Heads(data, dict(RECIPE.tasks), data.splits["train"].targets)
    network = with_outputs(stored.supernet.extract(arch), heads.classes, heads.parts[OLD], RECIPE.seed)
    calibration = scene_features(data, stored.frontend, RECIPE.augmentation, CALIBRATED, RECIPE.seed)
    epochs = epochs_in(options.hours, folder / "epochs.json", RECIPE, data, stored.frontend, step_of(network))
    recipe = replace(RECIPE, epochs=epochs)
    trained = train_float(network, data, stored.frontend, recipe, folder / "float", calibration)
    integers = quantised(trained, data, stored.frontend, calibration, options.quant_epochs, folder / "w8")
    how = {"epochs": recipe.epochs, "seconds": seconds_of(folder / "float", folder / "w8")}
    listen(rows, old.network, OLD, load_words(options.data, words=OLD), stored.frontend, {"model": MODEL}, {})
    for task, part in reversed(heads.parts.items()):
        own = load_words(options.data, words=task or COMMANDS)
        keys = {"model": f"fine-tuned for {options.hours:g} h"}
        head = integer_head_of(integers, part)
        listen(rows, head, task or COMMANDS, own, stored.frontend, keys, how, folder / "float")


def quantised(
    network: Network, data: ClipData, frontend: Mfcc, calibration: torch.Tensor, epochs: int, run: Path
) -> IntegerNetwork:
    """The network at 8 bits, fine-tuned at these with itself as it was for a teacher."""
    recipe = QuantRecipe.at_bits(8, epochs=epochs, augmentation=RECIPE.augmentation, tasks=RECIPE.tasks, bfloat16=False)
    arch, teacher = with_bits(network.arch, 8), copy.deepcopy(network)
    return quantise(network, arch, teacher, data, frontend, calibration, recipe, run).to_integer()


def listen(
    rows: Rows,
    network: IntegerNetwork,
    task: str,
    data: ClipData,
    frontend: Mfcc,
    keys: dict,
    how: dict,
    run: Path | None = None,
) -> None:
    """Measure integers on test, as it is and in all conditions, where that is not done. how: what rows state beside
    the figures.
    """
    if rows.done(TABLE, {**keys, "task": task}):
        return
    for condition, one in split_figures(network, frontend, data, "test")["conditions"].items():
        low, high = one["interval"]
        own = {**keys, "task": task, "condition": condition}
        values = {**how, "accuracy": one["accuracy"], "low": low, "high": high, "clips": one["clips"]}
        rows.add(TABLE, own, values, run)


def table_of_conditions(found: Rows) -> Shown:
    """A row for each condition, in the order of the evaluation, and a column for each model and task."""
    table = found.read("conditions")
    table["what"] = table.model + ", " + table.task
    wide = table.pivot(index="condition", columns="what", values="accuracy").reindex(list(CONDITIONS)).dropna()
    rows = [[name, *(f"{100 * value:.1f}" for value in values)] for name, *values in wide.itertuples()]
    return ["condition", *wide.columns], rows


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        value("--hours", 2.0, "of training"),
        SPOKEN,
        option("--keep", action="store_true", help="write the weights to scripts/checkpoints, and end"),
        value("--quant-epochs", 3, "at 8 bits"),
        HUB,
        RUNS,
    ),
    tables={"conditions": table_of_conditions},
)
