"""Searching the supernets of a hub: the best sub-network for a task within limits, or the whole front."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from predictors.device import find_profile
from predictors.settings import device_limits
from search import EVALUATIONS, Evolution, Problem, Random, Result, SearchSpace, Strategy, measure_best, search
from search.accuracy import AccuracyPredictor, has_predictor, load_predictor
from search.differentiable import Differentiable, PathLosses, supernet_losses
from search.pareto import non_dominated
from search.problem import COSTS, LIMITS, ON_DEVICE
from search.sampling import measured_accuracy, table_space
from supernet.arch import Arch
from supernet.bits import MIXED
from supernet.constants import SILENCE, UNKNOWN
from supernet.data import esc50
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.folder import load_folder
from supernet.data.speech_commands import load as load_speech_commands
from supernet.data.table import LISTS
from supernet.errors import (
    InfeasibleBudget,
    InvalidCheckpoint,
    InvalidData,
    InvalidQuery,
    UnknownName,
    nearest_names,
)
from supernet.files import digest, read_bytes, read_json
from supernet.nn.frontend import dequantise_features
from supernet.nn.store import StoredSupernet, load_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits, load_elastic_bits
from supernet.train.losses import distillation_loss, label_loss
from zoo.ask.limits import check_bits, limits_of
from zoo.ask.units import seed_of, whole
from zoo.hubs.address import open_hub
from zoo.hubs.base import AnyHub
from zoo.package.read import CONFIG

__all__ = [
    "STRATEGIES",
    "Findings",
    "Searchable",
    "load_like",
    "open_supernet",
    "search_hub",
    "searchable",
    "supernet_digests",
]

STRATEGIES = ("evolution", "random", "differentiable")
BATCH = 64
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Searchable:
    """A supernet with its accuracy predictor. about: what the predictor was measured on."""

    folder: Path
    stored: StoredSupernet
    source: Supernet | ElasticBits
    predictor: AccuracyPredictor
    about: dict

    @property
    def name(self) -> str:
        """The supernet's name."""
        return self.stored.config["name"]

    @property
    def supernet(self) -> Supernet:
        """The supernet in floating point."""
        return self.source.supernet if isinstance(self.source, ElasticBits) else self.source

    def load(self, folder: str | Path) -> ClipData:
        """What it was trained on, from a folder. Raises InvalidData for other classes."""
        folds = self.stored.config.get("about", {}).get("dataset", {}).get("folds", ())
        return load_like(folder, self.stored.labels, self.supernet.space.clip_ms, f"supernet {self.name}", folds)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of weights that its slices have without any fine-tuning."""
        return self.predictor.space.weight_bits

    def space(self, bits: int | str | None, tuned: bool = False) -> SearchSpace | None:
        """Its networks at these bits (None: at any, the same in all layers), or None where it has none.

        tuned: a fine-tune will follow, so any bits are possible.
        """
        if bits == MIXED:
            return SearchSpace(self.supernet.space, self.widths, per_layer=True) if len(self.widths) > 1 else None
        if bits is None:
            return SearchSpace(self.supernet.space, self.widths)
        return SearchSpace(self.supernet.space, (bits,)) if tuned or bits in self.widths else None

    def measurable(self, space: SearchSpace) -> SearchSpace:
        """The same networks at widths that were trained; widths that were not use the next wider one."""
        if set(space.weight_bits) <= set(self.widths):
            return space
        higher = [width for width in self.widths if width >= space.weight_bits[0]]
        return SearchSpace(self.supernet.space, (min(higher, default=max(self.widths)),))

    def predict(self, space: SearchSpace, genes: np.ndarray) -> np.ndarray:
        """(count,) accuracies."""
        return self.predictor.predict(space, genes)

    def losses(self, space: SearchSpace, data: ClipData | None) -> PathLosses:
        """For differentiable search: cross entropy of training clips with their labels, or without data of the
        calibration clips with the outputs of the largest network.
        """
        if data is None:
            x, loss = self.supernet.calibration, distillation_loss
            several = self.stored.config.get("about", {}).get("multi_label", False)
            with torch.no_grad():
                targets = self.supernet.extract(self.supernet.space.largest())(x)
        else:
            train, loss, several = data.splits["train"], label_loss, data.multi_label
            x, targets = plain_features(data, train.rows, self.stored.frontend), torch.from_numpy(train.targets)

        def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
            rows = rng.choice(len(x), min(BATCH, len(x)), replace=False)
            return x[rows] if x.is_floating_point() else dequantise_features(x[rows]), targets[rows]

        return supernet_losses(self.source, self.measurable(space), batch, partial(loss, several=several))


def searchable(folder: str | Path, task: str) -> Searchable:
    """A supernet in a folder with its predictor. Raises InvalidCheckpoint, UnknownName for a task it has no head for,
    and InvalidQuery where it has no predictor.
    """
    folder = Path(folder)
    if not has_predictor(folder):
        raise InvalidQuery(
            f"supernet {folder}: has no accuracy predictor; fit one with `earshot predictor {folder} --data FOLDER`"
        )
    source, stored = open_supernet(folder, task)
    predictor, about = load_predictor(folder, table_space(source))
    return Searchable(folder, stored, source, predictor, about)


def open_supernet(folder: str | Path, task: str) -> tuple[Supernet | ElasticBits, StoredSupernet]:
    """A supernet in a folder, with its elastic bits where it has them. Raises as `load_supernet` does."""
    if read_json(Path(folder) / CONFIG).get("widths"):
        return load_elastic_bits(folder, task)
    stored = load_supernet(folder, task)
    return stored.supernet, stored


def supernets_of(task: str, hub: str | Path | AnyHub | None, supernet: str | Path | None) -> list[Searchable]:
    """The supernets of a hub that know a task and have a predictor, or one by its folder or name."""
    place = open_hub(hub)
    if supernet is not None and (Path(supernet) / CONFIG).is_file():
        return [searchable(supernet, task)]
    by_name = {path.name: path for path in reversed(place.supernets())}
    if supernet is not None:
        if str(supernet) not in by_name:
            raise UnknownName(
                f"no supernet {str(supernet)!r} in hub {place.address}: {nearest_names(supernet, by_name)}"
            )
        return [searchable(by_name[str(supernet)], task)]
    tasks = {path: read_json(path / CONFIG).get("tasks", {}) for path in sorted(by_name.values())}
    knowing = [path for path, known in tasks.items() if task in known]
    if not knowing:
        known = {name for names in tasks.values() for name in names}
        raise UnknownName(f"no supernet for task {task!r} in hub {place.address}: {nearest_names(task, known)}")
    ready = [path for path in knowing if has_predictor(path)]
    return _usable(ready, task) if ready else [searchable(knowing[0], task)]


def supernet_digests(hub: str | Path | AnyHub | None, supernet: str | Path | None = None) -> list[str]:
    """Of the supernets that are searched, so that a search is done again where they changed."""
    one = supernet is not None and (Path(supernet) / CONFIG).is_file()
    folders = [Path(supernet)] if one else open_hub(hub).supernets()
    return sorted(digest(read_bytes(folder / CONFIG))[:16] for folder in folders)


def _usable(folders: list[Path], task: str) -> list[Searchable]:
    """The supernets in folders; one that was altered is left out with a warning, where there are others."""
    found = []
    for folder in folders:
        try:
            found.append(searchable(folder, task))
        except InvalidCheckpoint as error:
            if folder == folders[-1] and not found:
                raise
            log.warning("left out: %s", error)
    return found


@dataclass(frozen=True, eq=False)
class Finding:
    """What was found in one supernet.

    measured: the finalists by their true accuracy, where there were data. clips: how many of these chose, where they
    are not those that the predictor learned from; else 0.
    """

    searched: Searchable
    result: Result
    measured: Result | None
    clips: int = 0

    @cached_property
    def chosen(self) -> Result:
        """What the best is taken from: candidates as predicted, or the finalists as measured.

        On other clips than those of the predictor both count, each by its number of clips, since few clips tell little.
        """
        if self.measured is None or not self.clips:
            return self.measured or self.result
        known, space = self.searched.about["clips"], self.result.problem.space
        predicted = self.searched.predict(space, self.measured.genes)
        both = (self.clips * self.measured.scores + known * predicted) / (self.clips + known)
        return replace(self.measured, scores=both)

    @property
    def score(self) -> float:
        """Accuracy of the best, by which it is chosen."""
        return self.chosen.score

    @property
    def accuracy(self) -> float | None:
        """The measured one of the best, where there were data."""
        return None if self.measured is None else float(self.measured.scores[self.chosen.order[0]])

    @property
    def arch(self) -> Arch:
        """The best network, with its bits."""
        return self.chosen.arch

    @property
    def genes(self) -> np.ndarray:
        """(1, genes) of the best network."""
        return self.chosen.genes[self.chosen.order[:1]]

    @property
    def has_bits(self) -> bool:
        """Whether the supernet has the best network at its bits without any fine-tuning."""
        return self.searched.measurable(self.result.problem.space) is self.result.problem.space

    @property
    def predicted(self) -> float:
        """What the predictor says of the best network."""
        return float(self.searched.predict(self.result.problem.space, self.genes)[0])


@dataclass(frozen=True, eq=False)
class Findings:
    """What a search of supernets found, one of each that has a network within the limits; objectives: of the front."""

    all: tuple[Finding, ...]
    objectives: tuple[str, ...]

    @cached_property
    def best(self) -> Finding:
        """The finding of the best score."""
        return max(self.all, key=lambda finding: finding.score)

    def table(self) -> pd.DataFrame:
        """Every candidate of every supernet: its costs, mean bits and predicted accuracy."""
        return pd.concat([_rows(finding) for finding in self.all], ignore_index=True)

    def front(self, objectives: tuple[str, ...] = ()) -> pd.DataFrame:
        """The candidates that no other beats in accuracy and all objectives, cheapest first; without any, in those
        that were searched for.
        """
        objectives = objectives or self.objectives
        rows = [_rows(finding).iloc[finding.result.front(objectives)] for finding in self.all]
        rows = pd.concat(rows, ignore_index=True)
        values = np.column_stack([-rows["predicted"], *(rows[name] for name in objectives)])
        rows = rows[non_dominated(values)].drop_duplicates(["predicted", *objectives])
        return rows.sort_values([*objectives, "predicted"], ignore_index=True)


def _rows(finding: Finding) -> pd.DataFrame:
    result, space = finding.result, finding.result.problem.space
    inner = space.costs_of.present(result.genes[:, : space.genes_of_network]) & space.costs_of.inner
    mean = (space.layer_bits(result.genes) * inner).sum(1) / np.maximum(1, inner.sum(1))
    table = result.table().drop(columns=["weight_bits", "activation_bits"], errors="ignore")
    first = {"supernet": finding.searched.name, "predicted": table.pop("score").round(6), "bits": mean.round(2)}
    return pd.concat([pd.DataFrame(first), table], axis=1)


def search_hub(
    task: str,
    limits: Mapping[str, float],
    *,
    bits: int | str | None = None,
    family: str | None = None,
    device: str | None = None,
    sure: bool = False,
    ignore_limits: bool = False,
    every_ms: float | None = None,
    sleep_power_uw: float | None = None,
    hub: str | Path | AnyHub | None = None,
    supernet: str | Path | None = None,
    objectives: tuple[str, ...] = (),
    strategy: str = "evolution",
    evaluations: int | None = None,
    seed: int = 0,
    data: ClipData | str | Path | None = None,
    run_dir: str | Path | None = None,
    tuned: bool = False,
    progress: bool = True,
) -> Findings:
    """Search all supernets for a task, or one of them, within limits (see `search.problem.LIMITS`).

    limits: in any unit; those of the device's flash and RAM, where they are known, join them unless ignore_limits.
    every_ms, sleep_power_uw: of the stream whose power is limited (see `search.Problem`). bits: of the weights, "mixed"
    for bits of each layer, or None for the best. family: of its networks. objectives: costs that a front is wanted
    against. data: with it the best few are measured on its validation split before one is chosen. run_dir: a folder in
    which scores are kept, so that a search that was stopped goes on. tuned: fine-tuning will follow, so any bits do.

    Raises InfeasibleBudget where no network of any supernet keeps the limits, UnknownName, and InvalidQuery for bits
    that no supernet has.
    """
    evaluations = EVALUATIONS if evaluations is None else whole("evaluations", evaluations, 1)
    seed = seed_of(seed)
    limits = {**limits, **limits_of(limits)}
    _check(strategy, limits, objectives, device)
    limits = limits_on(limits, device, ignore_limits)
    bits = None if bits is None else check_bits(bits)
    candidates = supernets_of(task, hub, supernet)
    found, infeasible = [], []
    for item, space in _fitting(candidates, task, bits, family, tuned):
        problem = Problem(space, limits, device, task, sure, None, every_ms, sleep_power_uw)
        _check_known(problem, objectives)
        place = run_dir and Path(run_dir) / item.name
        try:
            _ = problem.anchor  # before data are loaded for nothing
            clips = item.load(data) if isinstance(data, (str, Path)) else data
            method = _strategy(strategy, problem, item, clips, objectives, seed)
            identity = {"supernet": item.stored.config["digests"], "predictor": item.about["sha256"]}
            if strategy == "differentiable" and clips is not None:
                identity["clips"] = clips.digest
            result = search(
                method, lambda genes, item=item, space=space: item.predict(space, genes), evaluations, place, identity,
                progress,
            )  # fmt: skip
        except InfeasibleBudget as error:
            infeasible.append(error.within(item.name))
            continue
        measured = clips and _measured(item, result, clips, place, progress)
        found.append(Finding(item, result, measured, _others(item, clips)))
    if not found:
        raise min(infeasible, key=lambda error: error.smallest / error.limit)
    return Findings(tuple(found), objectives)


def limits_on(limits: Mapping[str, float], device: str | None, ignore_limits: bool = False) -> dict[str, float]:
    """Limits and those that follow from what a device has, the lower of both. Raises UnknownName for the device."""
    if device is None or ignore_limits:
        return dict(limits)
    profile = find_profile(device)
    known = device_limits(profile.settings)
    if known:
        has = " and ".join(f"{name} = {most:,.0f}" for name, most in known.items())
        log.info("%s has %s, which are limits; --ignore-limits leaves them out", profile.device, has)
    return {**limits, **{name: min(most, limits.get(name, most)) for name, most in known.items()}}


def _check(
    strategy: str,
    limits: Mapping[str, float],
    objectives: tuple[str, ...],
    device: str | None,
) -> None:
    """Raise InvalidQuery or UnknownName for what would fail later."""
    if strategy not in STRATEGIES:
        raise UnknownName(f"unknown strategy {strategy!r}: {nearest_names(strategy, STRATEGIES)}")
    for name in limits:
        if name not in LIMITS:
            raise UnknownName(f"unknown limit {name!r}: {nearest_names(name, LIMITS)}")
        if LIMITS[name] in ON_DEVICE and device is None:
            raise InvalidQuery(f"{name} needs a device; `earshot profile list` shows all")
    for name in objectives:
        if name not in COSTS:
            raise UnknownName(f"unknown cost {name!r} of a front: {nearest_names(name, COSTS)}")
        if name in ON_DEVICE and device is None:
            raise InvalidQuery(f"a front against {name} needs a device; `earshot profile list` shows all")


def _check_known(problem: Problem, objectives: tuple[str, ...]) -> None:
    """Raise InvalidQuery where a front is wanted against something that nobody measured on the device."""
    for name, values in problem.costs(problem.space.smallest(), objectives).items():
        if np.isnan(values).any():
            raise InvalidQuery(f"{name}: nobody measured it on {problem.device}; leave it out, or take another device")


def _fitting(
    candidates: list[Searchable], task: str, bits: int | str | None, family: str | None, tuned: bool
) -> list[tuple[Searchable, SearchSpace]]:
    """The supernets that have a family and bits, with their spaces.

    Where a fine-tune will follow any bits are possible, but a supernet that was trained at them comes first: the
    predictors of others know nothing of these bits.
    """
    own = [item for item in candidates if family in (None, item.supernet.space.family)]
    if not own:
        known = {item.supernet.space.family for item in candidates}
        raise UnknownName(f"no supernet for {task} of family {family!r}: {nearest_names(str(family), known)}")
    for follows in (False, True) if tuned else (False,):
        found = [(item, space) for item in own if (space := item.space(bits, follows)) is not None]
        if found:
            return found
    known = sorted({width for item in own for width in item.widths})
    those = f"{task} of family {family}" if family else task
    raise InvalidQuery(
        f"bits = {bits}: the supernets for {those} have {known} bits without fine-tuning; give one of these, or "
        f"`earshot get --specialize --data FOLDER`, which fine-tunes"
    )


def _strategy(
    name: str,
    problem: Problem,
    item: Searchable,
    data: ClipData | None,
    objectives: tuple[str, ...],
    seed: int,
) -> Strategy:
    rng = np.random.default_rng(seed)
    if name == "evolution":
        return Evolution(problem, rng, objectives)
    if name == "random":
        return Random(problem, rng)
    return Differentiable(problem, rng, losses=item.losses(problem.space, data))


def _measured(item: Searchable, result: Result, data: ClipData, run: Path | None, progress: bool) -> Result:
    """The finalists, measured on validation."""
    split = data.choosing
    features = plain_features(data, split.rows, item.stored.frontend)
    space = item.measurable(result.problem.space)
    measure = measured_accuracy(item.source, space, features, split.targets)
    return measure_best(result, measure, run_dir=run and run / data.digest[:12], progress=progress)


def _others(item: Searchable, data: ClipData | None) -> int:
    """How many clips choose, where the predictor did not learn from these."""
    return 0 if data is None or data.digest == item.about.get("data_digest") else len(data.choosing)


def load_like(
    folder: str | Path, labels: tuple[str, ...], clip_ms: int, knower: str, folds: Sequence[int] = ()
) -> ClipData:
    """The data of a task in a folder: Speech Commands or ESC-50 in their official layouts, or a folder of classes.

    Its classes are in the order of `labels`. knower: who knows these, for the message. folds: of ESC-50, if training
    heard all of them: then there is no split `test`. Raises InvalidData where the classes are others.
    """
    folder = Path(folder)
    keywords = tuple(label for label in labels if label not in (UNKNOWN, SILENCE))
    official = (folder / LISTS["validation"]).is_file() and {UNKNOWN, SILENCE} <= set(labels)
    if official:
        data = load_speech_commands(folder, keywords)
    elif esc50.is_layout(folder):
        whole = {"test_fold": None, "folds": folds} if folds else {}
        data = esc50.load(folder, esc50.subset_of(labels), clip_ms=clip_ms, **whole)
    else:
        data, survey = load_folder(folder, clip_ms=clip_ms)
        log.info("%s", survey)
    if set(data.labels) != set(labels):
        raise InvalidData(
            f"{folder}: has the classes {', '.join(data.labels)}, but {knower} knows "
            f"{', '.join(labels)}; give the data that it was trained on"
        )
    return data if data.labels == labels else data.in_order(labels)
