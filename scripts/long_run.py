"""Train the supernet over all words, for as long as there is time: a process of one thread that is resumed.

    python scripts/long_run.py ../shared/data --spoken runs/spoken        # all plans in turn, the teacher first
    python scripts/long_run.py ../shared/data --only teacher --epochs 2   # a look at the first
    python scripts/long_run.py ../shared/data --curve                     # where it stands
    python scripts/long_run.py ../shared/data --keep                      # its weights into scripts/checkpoints

The teacher is the largest network alone; it was trained before there were codecs and words that are none of the tasks
from text, and is tuned to these. The supernet starts from its weights, and in each step three random sub-networks learn
the labels, which was the best of all schedules at equal time (scripts/study.py schedules). All hear the words in scenes
(supernet.data.scenes), have a head for `commands` and one for `kws`, and are measured after each epoch on the clips
that networks are chosen by. After 56 of its 230 epochs the supernet's run was lost but for its weights, at a learning
rate that was still high: the last plan goes on from these and lets the rate fall to zero.

Weights that are kept serve where the state of a run is lost: a plan whose weights are there is not trained again, nor
are those before it, and the last one begins from its own. Kept are those of the last plan, and those that schedules
were compared with.

The folder of data holds speech_commands/, negatives/orders/ and rooms/; `--spoken` one of clips made from text
(scripts/speak.py), for the words of which there are few.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from supernet.constants import SILENCE, UNKNOWN
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.data.speech_commands import COMMANDS, WORDS, load
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.files import load_tensors, read_json, save_tensors
from supernet.frontend.base import frontend_from_dict
from supernet.frontend.logmel import LogMel
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.space import Space
from supernet.train.calibration import fit_frontend, scene_features
from supernet.train.recipe import Phase, SupernetRecipe
from supernet.train.supernets import train_supernet

MAPS = StageChoices((8, 16, 24), (1, 2), (3,), (1,)), StageChoices((8, 16, 24, 32), (1, 2), (3,), (1, 2))
STAGE = StageChoices((16, 24, 32, 40, 48), (1, 2, 3, 4), (3, 5, 7, 9), (1, 2, 3))
TASKS = (("kws", (*WORDS["kws"], UNKNOWN, SILENCE)),)
CALIBRATED = 512
KEPT = Path(__file__).parent / "checkpoints"
SHARED = {
    "batch": 128,
    "sandwich": True,
    "tasks": TASKS,
    "augmentation": Scenes(),
    "label_smoothing": 0.05,
    "bfloat16": False,
}
PLANS = {
    "teacher": SupernetRecipe(epochs=30, phases=(Phase(0.0, ()),), **SHARED),
    "tuned": SupernetRecipe(epochs=8, learning_rate=1e-3, phases=(Phase(0.0, ()),), **SHARED),
    "supernet": SupernetRecipe(epochs=230, random=3, learning_rate=3e-3, **{**SHARED, "sandwich": False}),
    "settled": SupernetRecipe(epochs=20, random=3, learning_rate=2.5e-3, **{**SHARED, "sandwich": False}),
}
LAST = list(PLANS)[-1]


def main() -> None:
    """Go on with what is not done."""
    options = _options()
    if options.curve:
        print_curves(options.runs)
        return
    if options.keep:
        keep(options.runs / options.only, KEPT / f"{options.only}.safetensors")
        return
    with behind_all(options.runs.parent):
        data = load_words(options.data, options.spoken)
        trained_up_to(options.only, data, fitted(data, options.runs), options.runs, options.epochs)


@contextmanager
def behind_all(runs: Path) -> Iterator[None]:
    """As `only_training`, on one thread, with what other work leaves of the processor."""
    os.nice(19 - os.nice(0))
    torch.set_num_threads(1)
    with only_training(runs):
        yield


@contextmanager
def only_training(runs: Path) -> Iterator[None]:
    """Wait until no other script trains in the folder, and let others wait."""
    runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs / "training.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{runs}: another training is going on; this one begins behind it", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def load_words(folder: Path, spoken: Path | None = None, words: str = COMMANDS) -> ClipData:
    """The clips of a set of words, with what scenes are made of; spoken: a folder of further training clips."""
    return words_in_scenes(folder / "speech_commands", beside(folder), spoken, words)


def beside(folder: Path) -> dict[str, Path]:
    """Where recordings in which no word is heard, and rooms, lie in the folder of all data."""
    return {"negatives": folder / "negatives" / "orders", "rooms": folder / "rooms"}


def words_in_scenes(folder: Path, around: dict[str, Path], spoken: Path | None, words: str) -> ClipData:
    """The same from the folder of Speech Commands itself; around: as `beside` gives it, or a part of that."""
    return load(folder, words, **around, spoken=spoken, balance=0.5, joins=True)


def fitted(data: ClipData, runs: Path) -> Mfcc:
    """The front end of the runs; where none has begun, that of weights that are kept, or fitted on scenes."""
    begun = [path for name in PLANS if (path := runs / name / "recipe.json").is_file()]
    if begun:
        return frontend_from_dict(read_json(begun[0])["frontend"])
    kept = [path for name in PLANS if (path := KEPT / f"{name}.safetensors").is_file()]
    return frontend_from_dict(load_tensors(kept[0])[1]["frontend"]) if kept else fit_frontend(data, 8, LogMel, Scenes())


def words_space(data: ClipData) -> Space:
    """0.3 M to 10 M MACs on log-mels, with a head for the data's own task and those of TASKS."""
    classes = len(data.labels) + sum(len(labels) for _, labels in TASKS)
    shapes = BlockChoices((8, 16), (*MAPS, STAGE, STAGE), (32, 64, 96, 128))
    return Space("temporal", classes, data.clip_ms, (40,), (10, 20), shapes, "logmel")


def trained(
    name: str, recipe: SupernetRecipe, data: ClipData, frontend: Mfcc, runs: Path, before: Supernet | None
) -> Supernet:
    """A supernet by a plan, from the weights of the one before it; goes on where it was stopped.

    Where its run is lost and its weights are kept, these are taken; the last plan's are trained further.
    """
    calibration = scene_features(data, frontend, recipe.augmentation, CALIBRATED, recipe.seed)
    supernet, kept = Supernet(words_space(data), calibration, recipe.seed), KEPT / f"{name}.safetensors"
    if before is not None:
        supernet.load_state_dict(before.state_dict())
    if kept.is_file() and not (runs / name / "checkpoint.safetensors").is_file():
        _with_weights(supernet, kept)
        print(f"{name}: weights taken from {kept}", file=sys.stderr, flush=True)
        if name != LAST:
            return supernet.eval()
    return train_supernet(supernet, data, frontend, recipe, runs / name)


def guide_of(supernet: Supernet) -> Network:
    """The largest network, from which others learn."""
    return supernet.extract(supernet.space.largest()).eval()


def trained_up_to(last: str, data: ClipData, frontend: Mfcc, runs: Path, epochs: int | None = None) -> Supernet:
    """The supernet of a plan, behind those before it from the latest on whose weights are kept. epochs: instead of each
    plan's own.
    """
    found, names = None, list(PLANS)[: list(PLANS).index(last) + 1]
    kept = [place for place, name in enumerate(names) if (KEPT / f"{name}.safetensors").is_file()]
    for name in names[max(kept, default=0) :]:
        recipe = replace(PLANS[name], epochs=epochs or PLANS[name].epochs)
        found = trained(name, recipe, data, frontend, runs, found)
    return found


def keep(run: Path, path: Path) -> None:
    """Write the weights of a run in half precision, with its log."""
    tensors, metadata = load_tensors(run / "checkpoint.safetensors")
    weights = {name.removeprefix("weight:"): one for name, one in tensors.items() if name.startswith("weight:")}
    path.parent.mkdir(exist_ok=True)
    about = {**metadata, "frontend": read_json(run / "recipe.json")["frontend"]}
    save_tensors(path, {name: one.astype(np.float16) for name, one in weights.items()}, about)
    print(f"{path}: {len(metadata['log'])} epochs, {path.stat().st_size:,} bytes")


def kept_supernet(name: str, data: ClipData, task: str, clips: int) -> tuple[Supernet, Mfcc, list[dict]]:
    """The supernet of a plan from the weights that are kept, with the head of one task alone; its front end and log.

    task: COMMANDS, or one of TASKS. data: the clips of the task. clips: how many of them norms are measured on.
    """
    path, recipe = KEPT / f"{name}.safetensors", PLANS[name]
    about = load_tensors(path)[1]
    frontend = frontend_from_dict(about["frontend"])
    calibration = scene_features(data, frontend, recipe.augmentation, clips, recipe.seed)
    supernet = Supernet(words_space(data).with_classes(len(data.labels)), calibration, recipe.seed)
    names = [own for own, _ in TASKS]
    first = 0 if task == COMMANDS else -sum(len(labels) for _, labels in TASKS[names.index(task) :])
    return _with_weights(supernet, path, first).eval(), frontend, about["log"]


def _with_weights(supernet: Supernet, path: Path, first: int = 0) -> Supernet:
    """The supernet with the weights of a file; of its head as many outputs as it has, from the first one on."""
    weights, head = load_tensors(path)[0], f".layers.{supernet.network.specs[-1].name}."
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            own = torch.from_numpy(weights[name].astype(np.float32))
            parameter.copy_(own[first:][: len(parameter)] if head in name else own)
    return supernet


def print_curves(runs: Path) -> None:
    """The log of each run: epoch, loss, accuracies, hours so far."""
    for name in PLANS:
        path = runs / name / "log.json"
        rows = read_json(path) if path.is_file() else []
        hours = np.cumsum([row["seconds"] for row in rows]) / 3600
        for row, own in zip(rows, hours, strict=True):
            shares = "  ".join(
                f"{key} {100 * value:.2f}" for key, value in row.items() if value <= 1 and key != "epoch"
            )
            print(f"{name:9} epoch {row['epoch'] + 1:3}  {own:5.2f} h  loss {row['loss']:.4f}  {shares}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of speech_commands/, negatives/orders/ and rooms/")
    parser.add_argument("--spoken", type=Path, metavar="FOLDER", help="clips made from text, FOLDER/WORD/*.flac")
    parser.add_argument("--only", choices=PLANS, default=LAST, help="up to this plan (default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="default: of each plan")
    parser.add_argument("--runs", type=Path, default=Path("runs/long"), help="state of the runs (default: %(default)s)")
    parser.add_argument(
        "--keep", action="store_true", help="write the weights to scripts/checkpoints, and train nothing"
    )
    parser.add_argument("--curve", action="store_true", help="print the logs, and train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
