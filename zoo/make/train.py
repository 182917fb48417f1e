"""Retraining a supernet on one's own sounds, and publishing what it gives to a hub of one's own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from torch import Tensor

from search import Problem, SearchSpace
from search.sampling import PLAIN_BITS
from supernet.data import esc50
from supernet.data.augment import Augmentation
from supernet.data.clips import ClipData
from supernet.data.folder import Survey, load_folder
from supernet.data.scenes import Scenes
from supernet.errors import InvalidArch, InvalidCheckpoint, InvalidData, InvalidQuery
from supernet.extras import TRAINING, need
from supernet.frontend.mfcc import Mfcc
from supernet.layer import layers
from supernet.nn.store import StoredSupernet, retarget
from supernet.nn.supernet import Supernet
from supernet.space import Space, default_space
from supernet.train import parallel
from supernet.train.calibration import features_as_heard, fit_frontend
from supernet.train.recipe import SupernetRecipe
from supernet.train.supernets import train_supernet
from supernet.whole import as_whole, is_real, is_whole
from zoo.ask.limits import check_bits
from zoo.ask.units import an_hour, seed_of, whole
from zoo.hubs.address import check_hub, writable_hub
from zoo.keeping import check_folder, going_on
from zoo.make.budgets import budget_limits
from zoo.make.candidates import make_candidates, publish_models
from zoo.make.names import name_in_cards, warn_of_mixing
from zoo.make.pipeline import Build, store
from zoo.make.recipe import QUICK, TRAIN, MakeRecipe, fitting_batch
from zoo.make.starts import (
    STORED,
    already_measured,
    augmentation_of,
    differences,
    earlier,
    is_bundled,
    open_start,
    put_aside,
    told_apart,
    with_owner,
)
from zoo.make.unfinished import note_begin, store_unfinished
from zoo.package.entry import is_safe_name
from zoo.package.read import CONFIG
from zoo.run.hear import check_channel

__all__ = ["START", "check_names", "train"]

log = logging.getLogger(__name__)

START = "kws-temporal-map"
"""The bundled supernet to start from."""
BUDGETS = ("3M", "1M")
STEPS, EPOCHS = 1500, (10, 60)
"""Steps to train for, and the fewest and most epochs."""
QUICK_STEPS, QUICK_EPOCHS = 500, (4, 20)
RATES = {"scratch": 4e-3, "start": 2e-3}
LONGEST_TASK = 60
STORED_CLIPS, STORED_MS = (64, 512), 512_000
"""Fewest and most clips whose features are stored with the supernet, and how long all are together."""
EVENTS = "esc10-temporal, which streams, esc10-mbconv and, not for commercial use, aec-mbconv"
CLIP_MS, STEP_MS, LONG_MS, LONGEST_STRIDE_MS = (200, 10_000), 20, 2_000, 1_000
LIMITS = ["Trained on the recordings of one data set; test it in its place of use."]
NO_DETECTION = "No detection threshold is set and false alarms an hour are not measured: there were no negatives."


def train(
    data: str | Path,
    task: str,
    *,
    table: str | Path | None = None,
    clip_ms: int = 1000,
    channel: int | None = None,
    start: str | Path = START,
    from_scratch: bool = False,
    strict: bool = False,
    epochs: int | None = None,
    extend: bool = False,
    quick: bool = False,
    seed: int = 0,
    run_dir: str | Path | None = None,
    publish: str | Path | None = None,
    max_macs: tuple[str, ...] | str | float | None = None,
    bits: tuple[int | str, ...] | None = None,
    negatives: str | Path | None = None,
    max_false_alarms: float | str | None = None,
    licence: str = "other",
    attribution: str = "the owner of the recordings",
) -> Path | None:
    """Train a supernet on a folder of classes, and return the folder that it is in.

    data: DATA/CLASS/*.wav, .flac, .ogg, .opus, .mp3 or .aiff, of any rate and length (see supernet.data.folder). task:
    its name in hubs. table: a CSV with the columns file, label, to fix the splits split, and to keep the recordings of
    a speaker in one split speaker or group. clip_ms: length of the clips that the network hears. channel: hear this one
    of all recordings, from 1 on, not the mean of all. start: the supernet
    whose weights, family and augmentation are used: the name of a bundled one, or the folder of any, such as
    runs/TASK/supernet. from_scratch: start from random weights instead, with the same family and augmentation. strict:
    refuse data in which something was found but hidden files. epochs: by the number of clips, where not given. extend:
    where the run in the folder was of other data or epochs, go on from its supernet, whose state is kept in `before-N`
    there. quick: a first model in a fraction of the time. run_dir: folder of the run (default: runs/TASK); a run that
    was stopped goes on. publish: folder of a hub that gets the best network within each of `max_macs`, such as "3M", or
    "3M/64kB" with at most so much RAM (default: "3M" and "1M"), with weights of each of `bits` (1 to 8, or "mixed";
    default: 8 and 4), for `zoo.get(task=..., hub=...)`. A network that is the best within several is one model. Until
    the hub has them, models are in `packages` in the folder of the run.

    negatives: a folder of recordings of any length that must not trigger: windows of them are a class `_unknown_`. On
    the held-out fifth of each, published models get a threshold, smoothing and refractory time, for at most
    `max_false_alarms` an hour (default: 1).

    Under torchrun the processes share each batch while the supernet is trained; the first one does all else, and the
    others get None. Each normalises over its own share, so another number of processes is another run.

    Raises InvalidData, with what was found, for data that cannot be used; InfeasibleBudget for what no network keeps;
    InvalidQuery, before anything is written, for an option that cannot be meant.
    """
    need(*TRAINING)
    budgets, bits = _budgets(max_macs, publish), _bits(bits, publish)
    check_names(task, licence)
    if max_false_alarms is not None and negatives is None:
        raise InvalidQuery(f"max_false_alarms = {max_false_alarms} is counted on negatives: give these as well")
    most_alarms = an_hour("max_false_alarms", 1.0 if max_false_alarms is None else max_false_alarms)
    clip_ms, seed = _clip_ms(clip_ms), seed_of(seed)
    epochs, channel = None if epochs is None else whole("epochs", epochs, 1), check_channel(channel)
    run = Path(run_dir or Path("runs") / task)
    _check_places(data, table, run, publish)
    device = parallel.start()
    before = parallel.once_a_machine(partial(earlier, run))
    own = before is not None or not is_bundled(start)
    begin = open_start(before or start)
    heard, anew = augmentation_of(begin.recipe), from_scratch and before is None
    if not anew:
        _check_strides(begin.supernet.space, clip_ms)
    about = {"licence": licence, "attribution": attribution, "negatives": negatives, "channel": channel}
    load = partial(load_folder, data, table, clip_ms, **about)
    clips, survey = parallel.once_a_machine(load)
    plan = _Plan(clips, begin, heard, own, anew, epochs, quick, seed)
    plan.owned()  # so that a licence is refused before anything is done
    if publish:
        _check_budgets(budgets, plan.begin.supernet.space, clips)
    if strict and survey.faults:
        found = len(survey.faults)
        raise InvalidData(f"{survey}\n{data}: refused for {found} finding(s); mend them, or train without strict")
    if publish:
        writable_hub(publish)
    first = parallel.rank() == 0
    if first:
        log.info("%s", survey)
        warn_of_mixing(task, clips.labels, publish)
        if clip_ms >= LONG_MS and start == START and not from_scratch:
            log.info("clips of %g s: supernets for sounds of seconds to start from are %s", clip_ms / 1000, EVENTS)
    plan = (_extended(plan, run) if extend else _same(plan, run)).owned()
    if first:
        told_apart(plan.clips, plan.begin)
    supernet, frontend = _start(plan)
    build = Build(
        f"{task}-{supernet.space.family}", task, supernet, plan.recipe, plan.clips, frontend, run,
        Path(publish or run / "hub"), _info(plan, survey), plan.making(run), most_alarms,
    )  # fmt: skip
    with going_on(run):
        if first:
            note_begin(build)
        train_supernet(supernet.to(device), plan.clips, frontend, plan.recipe, run)
    supernet.cpu()
    parallel.leave()
    if not first:
        return None
    with going_on(run):
        folder = store(build, run / STORED)
        if publish:
            store(build, build.folder)
            publish_models(make_candidates(build, dict.fromkeys(budgets), bits), always=bits)
    return folder


def _budgets(given: tuple[str, ...] | str | float | None, publish: str | Path | None) -> tuple[str, ...]:
    """Of published models. Raises InvalidQuery for what cannot be meant."""
    if given is None:
        return BUDGETS
    if not publish:
        raise InvalidQuery(f"max_macs = {given} is of published models: give publish, the folder of a hub, as well")
    several = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    for budget in several:
        if not (isinstance(budget, str) or is_real(budget)):
            raise InvalidQuery(f"max_macs = {budget!r:.140} is not possible: give MACs such as 3M, or 3M/64kB with RAM")
        budget_limits(str(budget))
    return tuple(map(str, several))


def _bits(given: tuple[int | str, ...] | int | str | None, publish: str | Path | None) -> tuple[int | str, ...]:
    """Of the weights of published models, each once. Raises InvalidQuery."""
    if given is not None and not publish:
        raise InvalidQuery(f"bits = {given} is of published models: give publish, the folder of a hub, as well")
    several = TRAIN.bits if given is None else given
    one = isinstance(several, str) or not isinstance(several, Iterable)
    bits = (several,) if one else tuple(several) or TRAIN.bits
    return tuple(dict.fromkeys(map(check_bits, bits)))


def _check_places(data: str | Path, table: str | Path | None, run: Path, publish: str | Path | None) -> None:
    """Raise InvalidQuery or InvalidData for folders that would fail later."""
    check_folder("run_dir", run)
    if publish:
        check_hub(publish)
    if table is None and esc50.is_layout(Path(data)):
        raise InvalidData(
            f"{data}: is ESC-50 in its own layout, without a folder for each class; give {Path(data) / 'audio'} with a "
            "table of columns file, label and split (train, validation, test), made of filename, category and fold"
        )


@dataclass(frozen=True)
class _Plan:
    """What a supernet is trained on, from what, and how its clips are heard. own: whether that is a supernet of one's
    own.
    """

    clips: ClipData
    begin: StoredSupernet
    heard: Augmentation | Scenes
    own: bool
    from_scratch: bool
    epochs: int | None
    quick: bool
    seed: int

    @cached_property
    def recipe(self) -> SupernetRecipe:
        return _recipe(self)

    @property
    def space(self) -> Space:
        """Of the networks."""
        begun, clips = self.begin.supernet.space, self.clips
        if self.from_scratch:
            return default_space(begun.family, len(clips.labels), clips.clip_ms, self.begin.frontend.kind)
        return replace(begun, classes=len(clips.labels), clip_ms=clips.clip_ms)

    def making(self, run: Path) -> MakeRecipe:
        """How models are made of it; networks that the run has measured already are all used."""
        whole = QUICK if self.quick else TRAIN
        fitted = whole.fitted(self.clips.clip_ms, len(self.clips.choosing))
        return replace(fitted, samples=max(fitted.samples, min(whole.samples, already_measured(run))))

    def calibration(self, frontend: Mfcc) -> Tensor:
        """Features of training clips that are stored with the supernet."""
        fewest, most = STORED_CLIPS
        stored = max(fewest, min(most, STORED_MS // self.clips.clip_ms))
        return features_as_heard(self.clips, frontend, self.heard, stored, self.seed)

    def owned(self) -> _Plan:
        """The same, with the owner of the weights at the start named."""
        return self if self.from_scratch else replace(self, clips=with_owner(self.clips, self.begin))

    def differs_from(self, run: Path) -> list[str]:
        """What is other in the run in a folder."""
        return differences(run, self.recipe, self.space, self.clips)


def _same(plan: _Plan, run: Path) -> _Plan:
    """The plan, where the folder holds no run of another one. Raises InvalidCheckpoint."""
    differs = plan.differs_from(run)
    if differs:
        raise InvalidCheckpoint(
            f"{run}: holds another run ({', '.join(differs)}); --extend goes on from its supernet, or name "
            "another folder or delete it"
        )
    return plan


def _extended(plan: _Plan, run: Path) -> _Plan:
    """The plan, from the supernet of the run in the folder where that was of another plan."""
    place = parallel.once_a_machine(partial(_put_aside, plan, run))
    if not place:
        return plan
    begin = open_start(place)
    return replace(plan, begin=begin, heard=augmentation_of(begin.recipe), own=True, from_scratch=False)


def _put_aside(plan: _Plan, run: Path) -> Path | None:
    """The supernet of the run in the folder, out of the way of the one that follows; None where there is none."""
    differs = plan.differs_from(run)
    if not differs:
        if parallel.rank() == 0:
            log.info("%s: nothing to extend, no run of other data or epochs is there", run)
        return earlier(run)
    early = "" if (run / STORED / CONFIG).is_file() else store_unfinished(run, plan.clips.clip_ms, plan.calibration)
    place, stopped = put_aside(run), early and f", which was stopped after {early}"
    log.info("%s: %s; training goes on from its supernet%s, kept in %s", run, ", ".join(differs), stopped, place)
    return place


def check_names(task: str, licence: str) -> None:
    """Raise InvalidQuery for names that hubs cannot have: of a task, and of a licence."""
    if not isinstance(task, str) or not is_safe_name(task) or len(task) > LONGEST_TASK:
        raise InvalidQuery(f"task {task!r}: use up to {LONGEST_TASK} letters, digits, - and _")
    if not isinstance(licence, str) or not re.fullmatch(r"[A-Za-z0-9.+-]{1,60}", licence):
        raise InvalidQuery(f"licence {licence!r}: give an identifier as hubs have it, such as cc-by-4.0")


def _clip_ms(given: int) -> int:
    """The length of clips. Raises InvalidQuery."""
    least, most = CLIP_MS
    if not is_whole(given, least, most) or given % STEP_MS:
        raise InvalidQuery(
            f"clip_ms = {given!r:.140}: give a whole number, a multiple of {STEP_MS} ms from {least} to {most}"
        )
    return as_whole(given)


def _check_strides(space: Space, clip_ms: int) -> None:
    """Raise InvalidQuery for clips that the networks of the start cannot stride over in whole steps."""

    def fits(length: int) -> bool:
        try:
            return bool(layers(replace(space, clip_ms=length).largest()))
        except InvalidArch:
            return False

    if fits(clip_ms):
        return
    around = range(STEP_MS, LONGEST_STRIDE_MS, STEP_MS)
    near = [next(filter(fits, (clip_ms + sign * more for more in around)), None) for sign in (-1, 1)]
    if told := " or ".join(str(length) for length in near if length):
        raise InvalidQuery(f"clip_ms = {clip_ms}: networks of this start stream in whole strides; give {told}")


def _check_budgets(budgets: tuple[str, ...], begin: Space, clips: ClipData) -> None:
    """Raise InfeasibleBudget for one that no network keeps."""
    networks = SearchSpace(replace(begin, classes=len(clips.labels), clip_ms=clips.clip_ms), PLAIN_BITS)
    for budget in budgets:
        _ = Problem(networks, budget_limits(budget)).anchor


def _start(plan: _Plan) -> tuple[Supernet, Mfcc]:
    """The supernet before training and its front end: of the start, whose weights know its features, or new.

    Classes that one's own supernet knows keep their part of its head.
    """
    clips, begin, seed = plan.clips, plan.begin, plan.seed
    if plan.from_scratch:
        frontend = fit_frontend(clips, 1, type(begin.frontend))
        return Supernet(plan.space, plan.calibration(frontend), seed), frontend
    calibration = plan.calibration(begin.frontend)
    known = clips.labels if plan.own else ()
    return retarget(begin, len(clips.labels), clips.clip_ms, calibration, seed, known), begin.frontend


def _recipe(plan: _Plan) -> SupernetRecipe:
    """Batches small enough for some steps an epoch, as many epochs as make the steps, and the start's augmentation."""
    drawn = len(plan.clips.epoch(np.random.default_rng(0)))
    batch, (fewest, most) = fitting_batch(drawn), QUICK_EPOCHS if plan.quick else EPOCHS
    wanted = max(fewest, min(most, round((QUICK_STEPS if plan.quick else STEPS) * batch / drawn)))
    rate, parts = RATES["scratch" if plan.from_scratch else "start"], parallel.world_size()
    if batch % parts:
        raise InvalidQuery(f"{parts} processes cannot share batches of {batch} clips; start 1, 2, 4 or 8")
    return SupernetRecipe(
        epochs=plan.epochs or wanted, batch=batch, parts=parts, learning_rate=rate, seed=plan.seed,
        augmentation=plan.heard,
    )  # fmt: skip


def _info(plan: _Plan, survey: Survey) -> dict:
    """What cards say of the data and of how the supernet was made."""
    clips, recipe = plan.clips, plan.recipe
    begun = "random weights" if plan.from_scratch else f"the weights of the supernet {plan.begin.config['name']}"
    name = name_in_cards(clips.name)
    return {
        "notes": [f"Trained on {len(clips.splits['train']):,} clips of {name}; splits by {survey.rule}."],
        "limits": LIMITS if clips.held_negatives else [*LIMITS, NO_DETECTION],
        "dataset": {"name": name, "id": re.sub(r"\W", "-", name), "version": clips.digest[:12]},
        "origin": f"Slice of a supernet trained from {begun}: {recipe.epochs} epochs of {recipe.schedule}, "
        f"seed {recipe.seed}.",
    }
