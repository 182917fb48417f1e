"""Retraining a supernet on one's own sounds, and publishing what it gives to a hub of one's own."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from search import Problem, SearchSpace
from search.sampling import PLAIN_BITS
from supernet.data import esc50
from supernet.data.augment import Augmentation
from supernet.data.clips import ClipData
from supernet.data.folder import Survey, load_folder
from supernet.errors import InvalidData, InvalidQuery, nearest_names
from supernet.extras import TRAINING, need
from supernet.files import read_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.store import StoredSupernet, load_supernet, retarget
from supernet.nn.supernet import Supernet
from supernet.space import Space, default_space
from supernet.train import parallel
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.recipe import SupernetRecipe
from supernet.train.supernets import train_supernet
from zoo.ask.limits import check_bits
from zoo.hubs.address import check_hub, writable_hub
from zoo.hubs.folder import BUNDLED, Hub
from zoo.keeping import check_folder, going_on
from zoo.make.pipeline import (
    BITS,
    QUANT_EPOCHS,
    Build,
    budget_limits,
    calibrated_clips,
    make_candidates,
    publish_models,
    store,
)
from zoo.package.entry import forbids_commerce, is_safe_name
from zoo.package.read import CONFIG

__all__ = ["train"]

log = logging.getLogger(__name__)

START = "kws-temporal-map"
"""The bundled supernet to start from."""
BUDGETS = ("3M", "1M")
BATCHES, LEAST_STEPS = (128, 64, 32, 16, 8), 16
"""The batch is the largest of these that gives an epoch so many steps."""
STEPS, EPOCHS = 1500, (10, 60)
"""Steps to train for, and the fewest and most epochs."""
RATES = {"scratch": 4e-3, "start": 2e-3}
TUNE_EPOCHS, SAMPLES, STORED, LONGEST_TASK = 15, 120, "supernet", 60
STORED_CLIPS, STORED_MS = (64, 512), 512_000
"""Fewest and most clips whose features are stored with the supernet, and how long all are together."""
OTHER = "other"
"""A licence that was not named."""
EVENTS = "esc10-mbconv and, not for commercial use, aec-mbconv"
CLIP_MS, LONG_MS = (200, 10_000), 2_000
LIMITS = ["Trained on the recordings of one data set; test it in its place of use."]
NO_DETECTION = "No detection threshold is set and false alarms an hour are not measured: there were no negatives."


def train(
    data: str | Path,
    task: str,
    *,
    table: str | Path | None = None,
    clip_ms: int = 1000,
    start: str = START,
    from_scratch: bool = False,
    strict: bool = False,
    epochs: int | None = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    publish: str | Path | None = None,
    max_macs: tuple[str, ...] = BUDGETS,
    bits: tuple[int | str, ...] | None = None,
    negatives: str | Path | None = None,
    max_false_alarms: float = 1.0,
    licence: str = "other",
    attribution: str = "the owner of the recordings",
) -> Path | None:
    """Train a supernet on a folder of classes, and return the folder that it is in.

    data: DATA/CLASS/*.wav, .flac, .ogg, .opus, .mp3 or .aiff, of any rate and length (see supernet.data.folder). task:
    its name in hubs. table: a CSV with the columns file, label, to fix the splits split, and to keep the recordings of
    a speaker in one split speaker or group. clip_ms: length of the clips that the network hears. start: the bundled
    supernet whose weights, family and augmentation are used. from_scratch: start from random weights instead, with the
    same family and augmentation. strict: refuse data in which something was found but hidden files. epochs: by the
    number of clips, where not given. run_dir: folder of the run (default: runs/TASK); a run that was stopped goes on.
    publish: folder of a hub that gets the best network within each of `max_macs`, such as "3M", or "3M/64kB" with at
    most so much RAM, with weights of each of `bits` (1 to 8, or "mixed"; default: 8 and 4), for `zoo.get(task=...,
    hub=...)`. A network that is the best within several is one model. Until the hub has them, models are in `packages`
    in the folder of the run.

    negatives: a folder of recordings of any length that must not trigger: windows of them are a class `_unknown_`. On
    the held-out fifth of each, published models get a threshold, smoothing and refractory time, for at most
    `max_false_alarms` an hour.

    Under torchrun the processes share each batch while the supernet is trained; the first one does all else, and the
    others get None. Each normalises over its own share, so another number of processes is another run.

    Raises InvalidData, with what was found, for data that cannot be used; InfeasibleBudget for what no network keeps.
    """
    need(*TRAINING)
    budgets = tuple(map(str, (max_macs,) if isinstance(max_macs, (str, int, float)) else max_macs))
    if bits is not None and not publish:
        raise InvalidQuery(f"bits = {bits} is of published models: give publish, the folder of a hub, as well")
    bits = (bits,) if isinstance(bits, (int, str)) else tuple(dict.fromkeys(bits or BITS))
    for own in bits:
        check_bits(own)
    _check_options(task, clip_ms, epochs, seed, max_false_alarms, licence)
    run = Path(run_dir or Path("runs") / task)
    check_folder("run_dir", run)
    if publish:
        check_hub(publish)
    if table is None and esc50.is_layout(Path(data)):
        raise InvalidData(
            f"{data}: is ESC-50 in its own layout, without a folder for each class; give {Path(data) / 'audio'} with a "
            "table of columns file, label and split (train, validation, test), made of filename, category and fold"
        )
    device = parallel.start()
    load = partial(load_folder, data, table, clip_ms, licence=licence, attribution=attribution, negatives=negatives)
    clips, survey = parallel.once_a_machine(load)
    begin = _bundled(start)
    clips = clips if from_scratch else _with_owner(clips, begin)
    if publish:
        _check_budgets(budgets, begin.supernet.space, clips)
    if strict and survey.faults:
        found = len(survey.faults)
        raise InvalidData(f"{survey}\n{data}: refused for {found} finding(s); mend them, or train without strict")
    if publish:
        writable_hub(publish)
    first = parallel.rank() == 0
    if first:
        log.info("%s", survey)
        if clip_ms >= LONG_MS and start == START and not from_scratch:
            log.info("clips of %g s: supernets for sounds of seconds to start from are %s", clip_ms / 1000, EVENTS)
    supernet, frontend = _start(clips, begin, from_scratch, seed)
    recipe = _recipe(clips, begin, from_scratch, epochs, seed)
    with going_on(run):
        train_supernet(supernet.to(device), clips, frontend, recipe, run)
    supernet.cpu()
    parallel.leave()
    if not first:
        return None
    name = f"{task}-{supernet.space.family}"
    hub = Path(publish or run / "hub")
    info = _info(clips, survey, recipe, None if from_scratch else start)
    build = Build(name, task, supernet, recipe, clips, frontend, run, hub, info, max_false_alarms, SAMPLES,
                  QUANT_EPOCHS, calibrated_clips(clip_ms))  # fmt: skip
    with going_on(run):
        folder = store(build, run / STORED)
        if publish:
            store(build, build.folder)
            publish_models(make_candidates(build, dict.fromkeys(budgets, TUNE_EPOCHS), bits), always=bits)
    return folder


def _check_options(
    task: str, clip_ms: int, epochs: int | None, seed: int, max_false_alarms: float, licence: str
) -> None:
    """Raise InvalidQuery for options that would fail later."""
    least, most = CLIP_MS
    for valid, message in (
        (
            is_safe_name(task) and len(task) <= LONGEST_TASK,
            f"task {task!r}: use up to {LONGEST_TASK} letters, digits, - and _",
        ),
        (
            least <= clip_ms <= most and clip_ms % 20 == 0,
            f"clip_ms = {clip_ms}: give a multiple of 20 ms from {least} to {most}",
        ),
        (epochs is None or epochs >= 1, f"epochs = {epochs}: give 1 or more"),
        (seed >= 0, f"seed = {seed}: give 0 or more"),
        (0 <= max_false_alarms < float("inf"), f"max_false_alarms = {max_false_alarms}: give 0 or more an hour"),
        (
            re.fullmatch(r"[A-Za-z0-9.+-]{1,60}", licence),
            f"licence {licence!r}: give an identifier as hubs have it, such as cc-by-4.0",
        ),
    ):
        if not valid:
            raise InvalidQuery(message)


def _bundled(name: str) -> StoredSupernet:
    """A bundled supernet. Raises InvalidQuery for an unknown name."""
    known = {path.name: path for path in Hub(BUNDLED).supernets()}
    if name not in known:
        raise InvalidQuery(f"start = {name!r}: no such bundled supernet: {nearest_names(name, known)}")
    return load_supernet(known[name], next(iter(read_json(known[name] / CONFIG)["tasks"])))


def _with_owner(clips: ClipData, begin: StoredSupernet) -> ClipData:
    """The clips, with the owner of the weights that training starts from named beside their own.

    Where those are not for commercial use, clips of licence OTHER get theirs, as what is made is bound by it. Raises
    InvalidQuery where the clips' licence allows more.
    """
    licence, owner = begin.config["licence"], begin.config["attribution"]
    if forbids_commerce(licence) and clips.licence == OTHER:
        clips = replace(clips, licence=licence)
    if forbids_commerce(licence) and not forbids_commerce(clips.licence):
        raise InvalidQuery(
            f"licence {clips.licence}: the weights that training starts from are {licence}, not for commercial use, "
            f"and so is what is made from them; give such a licence, or {OTHER}, or start from others"
        )
    return replace(clips, attribution=f"{clips.attribution}; starting weights: {owner} ({licence})")


def _check_budgets(budgets: tuple[str, ...], begin: Space, clips: ClipData) -> None:
    """Raise InfeasibleBudget for one that no network keeps."""
    networks = SearchSpace(replace(begin, classes=len(clips.labels), clip_ms=clips.clip_ms), PLAIN_BITS)
    for budget in budgets:
        _ = Problem(networks, budget_limits(budget)).anchor


def _start(clips: ClipData, begin: StoredSupernet, from_scratch: bool, seed: int) -> tuple[Supernet, Mfcc]:
    """The supernet before training and its front end: of the bundled one, whose weights know its features, or new."""
    fewest, most = STORED_CLIPS
    stored = max(fewest, min(most, STORED_MS // clips.clip_ms))
    if from_scratch:
        frontend = fit_frontend(clips, 1, type(begin.frontend))
        networks = default_space(begin.supernet.space.family, len(clips.labels), clips.clip_ms, frontend.kind)
        return Supernet(networks, calibration_features(clips, frontend, stored, seed), seed), frontend
    calibration = calibration_features(clips, begin.frontend, stored, seed)
    return retarget(begin, len(clips.labels), clips.clip_ms, calibration, seed), begin.frontend


def _recipe(
    clips: ClipData, begin: StoredSupernet, from_scratch: bool, epochs: int | None, seed: int
) -> SupernetRecipe:
    """Batches small enough for some steps an epoch, as many epochs as make the steps, and the bundled augmentation."""
    drawn = len(clips.epoch(np.random.default_rng(0)))
    batch = next((size for size in BATCHES if drawn >= size * LEAST_STEPS), BATCHES[-1])
    fewest, most = EPOCHS
    wanted = max(fewest, min(most, round(STEPS * batch / drawn)))
    rate, parts = RATES["scratch" if from_scratch else "start"], parallel.world_size()
    if batch % parts:
        raise InvalidQuery(f"{parts} processes cannot share batches of {batch} clips; start 1, 2, 4 or 8")
    varied = Augmentation.from_dict(begin.recipe["augmentation"])
    return SupernetRecipe(
        epochs=epochs or wanted, batch=batch, parts=parts, learning_rate=rate, seed=seed, augmentation=varied
    )


def _info(clips: ClipData, survey: Survey, recipe: SupernetRecipe, start: str | None) -> dict:
    """What cards say of the data and of how the supernet was made. start: the bundled one whose weights it had."""
    start = f"from the weights of the bundled supernet {start}" if start else "from random weights"
    name = re.sub(r"[^\w .-]", "-", clips.name)
    return {
        "notes": [f"Trained on {len(clips.splits['train']):,} clips of {name}; splits by {survey.rule}."],
        "limits": LIMITS if clips.held_negatives else [*LIMITS, NO_DETECTION],
        "dataset": {"name": name, "id": re.sub(r"\W", "-", name), "version": clips.digest[:12]},
        "origin": f"Slice of a supernet trained {start}: {recipe.epochs} epochs of {recipe.schedule}, "
        f"seed {recipe.seed}.",
    }
