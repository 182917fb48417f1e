"""Fine-tune a bundled model by the recipe of scenes for some hours, and measure what that changes where it is heard.

    python scripts/fine_tune.py ../shared/data --hours 2
    python scripts/fine_tune.py ../shared/data --hours 2 --keep    # its weights into scripts/checkpoints

The network is the slice of the bundled supernet that the model was made of. It gets a head for each task: all words,
the ten of the standard task, and the ten that it knew; it learns from labels alone. Then it is quantised to 8
bits, and each of its heads is heard on the test list in all conditions, and so is the bundled model. One thread; runs
resume. Rows: `scripts/results/conditions.csv`.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import torch
from long_run import KEPT, TASKS, keep, load_words, only_training
from plain import epochs_in
from results import add_row, has_row, seconds_of

import zoo
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

SUPERNET, MODEL, OLD = "kws-temporal-map", "kws-temporal-6.8M-w8a8-7523a7c4", "numbers"
RECIPE = Recipe(
    learning_rate=3e-3, label_smoothing=0.05, augmentation=Scenes(),
    tasks=(*TASKS, (OLD, (*WORDS[OLD], UNKNOWN, SILENCE))),
)  # fmt: skip
TABLE, CALIBRATED = "conditions", 2048


def main() -> None:
    """Train, quantise and measure, as far as that is not done."""
    options = _options()
    folder = options.runs / f"{options.hours:g}h"
    if options.keep:
        keep(folder / "float", KEPT / "fine-tuned.safetensors")
        return
    torch.set_num_threads(1)
    with only_training(options.runs.parent):
        _run(options, folder)


def _run(options: argparse.Namespace, folder: Path) -> None:
    old = zoo.Model.from_folder(options.hub / "models" / MODEL)
    stored = load_supernet(options.hub / "supernets" / SUPERNET, "kws")
    arch = old.arch.without_bits()
    data = load_words(options.data, options.spoken)
    heads = Heads(data, dict(RECIPE.tasks), data.splits["train"].targets)
    network = with_outputs(stored.supernet.extract(arch), heads.classes, heads.parts[OLD], RECIPE.seed)
    calibration = scene_features(data, stored.frontend, RECIPE.augmentation, CALIBRATED, RECIPE.seed)
    timed = copy.deepcopy(network).train()

    def step(x: torch.Tensor, targets: torch.Tensor, number: int) -> None:
        timed(x, len(targets) // len(x)).square().mean().backward()

    epochs = epochs_in(options.hours, folder / "epochs.json", RECIPE, data, stored.frontend, step)
    recipe = replace(RECIPE, epochs=epochs)
    trained = train_float(network, data, stored.frontend, recipe, folder / "float", calibration)
    integers = quantised(trained, data, stored.frontend, calibration, options.quant_epochs, folder / "w8")
    how = {"epochs": recipe.epochs, "seconds": seconds_of(folder / "float", folder / "w8")}
    listen(old.network, OLD, load_words(options.data, words=OLD), stored.frontend, {"model": MODEL}, {})
    for task, part in reversed(heads.parts.items()):
        own = load_words(options.data, words=task or COMMANDS)
        keys = {"model": f"fine-tuned for {options.hours:g} h"}
        listen(integer_head_of(integers, part), task or COMMANDS, own, stored.frontend, keys, how, folder / "float")


def quantised(
    network: Network, data: ClipData, frontend: Mfcc, calibration: torch.Tensor, epochs: int, run: Path
) -> IntegerNetwork:
    """The network at 8 bits, fine-tuned at these with itself as it was for a teacher."""
    recipe = QuantRecipe.at_bits(8, epochs=epochs, augmentation=RECIPE.augmentation, tasks=RECIPE.tasks, bfloat16=False)
    arch, teacher = with_bits(network.arch, 8), copy.deepcopy(network)
    return quantise(network, arch, teacher, data, frontend, calibration, recipe, run).to_integer()


def listen(
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
    if has_row(TABLE, {**keys, "task": task}):
        return
    for condition, one in split_figures(network, frontend, data, "test")["conditions"].items():
        low, high = one["interval"]
        own = {**keys, "task": task, "condition": condition}
        values = {**how, "accuracy": one["accuracy"], "low": low, "high": high, "clips": one["clips"]}
        add_row(TABLE, own, values, run)
        print(*own.values(), f"{one['accuracy']:.2%}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of speech_commands/, negatives/orders/ and rooms/")
    parser.add_argument("--hours", type=float, default=2.0, help="of training (default: %(default)s)")
    parser.add_argument("--spoken", type=Path, metavar="FOLDER", help="clips made from text, FOLDER/WORD/*.flac")
    parser.add_argument("--keep", action="store_true", help="write the weights to scripts/checkpoints, and end")
    parser.add_argument("--quant-epochs", type=int, default=3, help="at 8 bits (default: %(default)s)")
    parser.add_argument("--hub", type=Path, default=Path("zoo/hub"), help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=Path("runs/fine-tune"), help="state of the run (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
