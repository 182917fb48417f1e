"""From a trained supernet to models of a hub: search within a budget, fine-tune, quantise, publish.

Choosing is done on validation alone; the test split is measured once for each published package. Every step keeps its
state in the folder of the run, and is resumed or skipped when it is run again.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf
from pathlib import Path

import numpy as np
from torch import Tensor

from search import EVALUATIONS, FINALISTS, Evolution, Problem, SearchSpace, measure_best, search
from search.accuracy import ROWS, AccuracyPredictor, fit_predictor
from search.sampling import PLAIN_BITS, measured_accuracy
from supernet.arch import Arch
from supernet.bits import MIXED, with_bits
from supernet.cost import macs, mean_bits, weight_bytes
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.files import digest, read_json, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.integer.runtime import IntegerNetwork
from supernet.nn.network import Network
from supernet.nn.store import save_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits, ElasticBitsRecipe, save_elastic_bits, train_elastic_bits
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.widths import WidthRecipe, learn_widths
from supernet.train.calibration import calibration_features
from supernet.train.loop import weights_digest
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe, SupernetRecipe
from zoo.ask.limits import LIMITS, limits_of
from zoo.hubs.folder import Hub
from zoo.hubs.index import INDEX
from zoo.keeping import AGAIN, LAST_STEP, PACKAGES, Kept, going_on, publish_command, take_away
from zoo.make.package import measured_as, noise, packed, split_figures, vector_clips, write_package
from zoo.make.publish import publish
from zoo.package.entry import Entry
from zoo.run.detection import choose_detection
from zoo.run.model import probabilities

__all__ = [
    "Build",
    "Candidate",
    "budget_limits",
    "calibrated_clips",
    "kept_search",
    "make_candidates",
    "publish_models",
    "search_slices",
    "store",
    "train_bits",
    "tuned_network",
    "with_test",
]

TUNE_RATE = 2e-3
BITS = (8, 4)
"""Of the weights of models that are always published. Whole widths start each from the one before."""
QUANT_EPOCHS, WIDTH_EPOCHS = 5, 3
MEAN_BITS = 2.5
"""Of a weight in mixed-precision models."""
CALIBRATION_CLIPS, CALIBRATION_MS, LEAST_CLIPS = 2048, 2_048_000, 256
"""Most clips that norms and ranges of models are measured on, how long all are together, and the fewest."""
SEARCH_SEED = 0
FIGURES = "figures.jsonl"
"""In the folder of a run: what was measured of integers."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Build:
    """What models are made of, and for whom.

    name: of the supernet. recipe: that it was trained by. run: folder for what is made on the way. info: notes, limits
    and dataset as `config.json` has them, and `origin`, a sentence on how the supernet was made.
    false_alarms: most detections an hour where there is nothing, for data with negatives. samples: sub-networks that
    are measured for the accuracy predictor. quant_epochs: of a fine-tune at each width. calibration_clips: that norms
    and ranges of models are measured on. give_clips: whether packages hold test clips, for their vectors; else these
    are of noise.
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
    samples: int = ROWS
    quant_epochs: int = QUANT_EPOCHS
    calibration_clips: int = CALIBRATION_CLIPS
    give_clips: bool = True

    @property
    def folder(self) -> Path:
        """Where the hub has the supernet."""
        return self.hub / "supernets" / self.name

    @cached_property
    def predictor(self) -> AccuracyPredictor:
        """Of the accuracy of sub-networks; it is kept beside the supernet in the hub."""
        return fit_predictor(
            self.folder, self.supernet, self.frontend, self.data, self.run / "accuracies", self.samples
        )

    @cached_property
    def teacher(self) -> Network:
        """The largest network, from which all others learn."""
        return self.supernet.extract(self.supernet.space.largest())

    @cached_property
    def calibration(self) -> Tensor:
        """Features that norms and ranges are measured on."""
        return calibration_features(self.data, self.frontend, self.calibration_clips, self.recipe.seed)

    @property
    def parts(self) -> tuple[Network, ClipData, Mfcc, Tensor]:
        """What fine-tunes with emulated integers take beside a network."""
        return self.teacher, self.data, self.frontend, self.calibration

    @property
    def shared(self) -> dict:
        """What fine-tunes have of the supernet's recipe."""
        names = ("batch", "unknown", "seed", "augmentation")
        return {name: getattr(self.recipe, name) for name in names}


def store(build: Build, folder: Path) -> Path:
    """Write the supernet with its recipe and the log of its run into a folder of its own."""
    info = _stored_info(build, build.name, build.recipe, build.run)
    return save_supernet(folder, build.supernet, build.frontend, build.task, build.data.labels, info)


def train_bits(build: Build, recipe: ElasticBitsRecipe) -> ElasticBits:
    """Train a copy of the supernet at several widths at once, or go on with it, and put it into the hub."""
    elastic, run, name = ElasticBits(copy.deepcopy(build.supernet)), build.run / "bits", f"{build.name}-bits"
    train_elastic_bits(elastic, build.teacher, build.data, build.frontend, recipe, run)
    info, folder = _stored_info(build, name, recipe, run), build.hub / "supernets" / name
    save_elastic_bits(folder, elastic, build.frontend, build.task, build.data.labels, info)
    fit_predictor(folder, elastic.eval(), build.frontend, build.data, run / "accuracies", 2 * build.samples)
    return elastic.eval()


def _stored_info(build: Build, name: str, recipe: Recipe, run: Path) -> dict:
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in read_json(run / "log.json")]
    about = {key: build.info[key] for key in ("notes", "limits", "dataset")}
    return {
        "name": name,
        "about": {**about, "multi_label": build.data.multi_label},
        "licence": build.data.licence,
        "attribution": build.data.attribution,
        "training": {"recipe": dataclasses.asdict(recipe), "log": rows},
    }


@dataclass(frozen=True, eq=False)
class Candidate:
    """A quantised network that may be published.

    budgets: that it was found within. bits: of its weights, or MIXED. accuracy: figures of the integers by split, those
    of validation at least; test is measured where it is published. training: what `config.json` states of it.
    """

    build: Build
    budgets: tuple[str, ...]
    bits: int | str
    integers: IntegerNetwork
    accuracy: dict[str, dict]
    training: dict

    @property
    def places(self) -> set[tuple]:
        """What at most one published model is for, of each budget."""
        limits = (tuple(budget_limits(budget).items()) for budget in self.budgets)
        return {(self.build.task, self.build.name, own, self.bits) for own in limits}

    @cached_property
    def model(self) -> str:
        """The digest of its integers: networks that have the same are one model."""
        return digest(packed(self.integers))

    @property
    def worth(self) -> tuple[float, int]:
        """Validation accuracy, and the bytes of flash, negative: more is better of both."""
        return self.accuracy["validation"]["accuracy"], -weight_bytes(self.integers.arch)


def make_candidates(build: Build, budgets: dict[str, int], bits: tuple[int | str, ...] = BITS) -> list[Candidate]:
    """Search within each budget, fine-tune, and quantise at each of `bits`.

    budgets: as `budget_limits` reads them, and the epochs of each model's fine-tune in float; a network that is found
    within several is made once, with the most of their epochs. bits: of the weights; each starts from the next higher
    one. MIXED learns them, starting from the network in float.
    """
    found = []
    for group in _by_network(build, budgets):
        tuned, search, tuning = tuned_network(build, group[0], budgets[group[0]])
        network, above = tuned, ()
        for own in (*sorted(set(bits) - {MIXED}, reverse=True), *({MIXED} & set(bits))):
            if own == MIXED:
                fake, how = _at_learned_bits(build, tuned, group[0])
            else:
                fake, how = _at_bits(build, network, own, above, group[0])
                network, above = fake.to_float(), (*above, own)
            integers, training = fake.to_integer(), _training(build, group, search, tuning, how)
            accuracy = {"validation": _figures(build, integers, "validation")}
            found.append(Candidate(build, group, own, integers, accuracy, training))
    return found


def _by_network(build: Build, budgets: dict[str, int]) -> list[tuple[str, ...]]:
    """The budgets, those together within which the search finds one network.

    First of these is the one of most epochs, and of equal ones the tightest: it names the network's runs.
    """
    groups: dict[Arch, list[str]] = {}
    for budget in budgets:
        groups.setdefault(Arch.from_dict(_search(build, budget)["arch"]), []).append(budget)
    for group in groups.values():
        if len(group) > 1:
            log.info("%s the search finds one network", _within_each(group))
    return [tuple(sorted(one, key=lambda own: (-budgets[own], *_tightness(own)))) for one in groups.values()]


def _tightness(budget: str) -> tuple[float, float]:
    """Less is tighter: MACs first, then RAM."""
    limits = budget_limits(budget)
    return limits["max_macs"], limits.get("max_ram", inf)


def publish_models(candidates: list[Candidate], always: tuple[int | str, ...] = BITS) -> None:
    """Publish candidates of a task of the bits `always`, and others that no model beats in both accuracy on validation
    and flash.

    They replace what earlier runs published for the same supernets, budgets and bits; so does a candidate that is not
    published. Packages stay in the folders of their runs until the hub has them.
    """
    replaced = {place for item in candidates for place in item.places}
    rivals = [item.worth for item in candidates]
    for folder in {item.build.hub for item in candidates}:
        kept, _ = _kept_and_gone(folder, replaced)
        rivals += [(entry.validation, -entry.weight_bytes) for entry in kept if entry.task == candidates[0].build.task]
    chosen = [item for item in candidates if item.bits in always or not any(_beats(one, item.worth) for one in rivals)]
    for folder in {item.build.hub for item in chosen}:
        _publish(_each_once(item for item in chosen if item.build.hub == folder), folder, replaced)


def _kept_and_gone(folder: Path, replaced: set[tuple]) -> tuple[list[Entry], list[Entry]]:
    """The models of a hub, where there is one, that stay, and those that are for nothing else than `replaced`."""
    hub = Hub(folder) if (folder / INDEX).is_file() else None
    entries = hub.entries if hub else ()
    gone = [entry for entry in entries if _places(hub.config(entry).values) <= replaced]
    return [entry for entry in entries if entry not in gone], gone


def _each_once(items: Iterable[Candidate]) -> list[Candidate]:
    """Without those that are the same network as one before."""
    first: dict[str, Candidate] = {}
    for item in items:
        own = first.setdefault(item.model, item)
        if own is not item:
            log.info("at %s and at %s bits the network is the same: it is one model", own.bits, item.bits)
    return list(first.values())


def _publish(items: list[Candidate], hub: Path, replaced: set[tuple]) -> None:
    """Publish candidates to a hub, in the place of its models that are for nothing else than `replaced`."""
    packages = list(dict.fromkeys(map(_package, items)))
    folders = list(dict.fromkeys(package.parent for package in packages))
    kept, gone = _kept_and_gone(hub, replaced)
    listed = {entry.name for entry in (*kept, *gone)}
    for left in {path for folder in folders for path in folder.iterdir()}.difference(packages):
        if left.name in listed:  # of an earlier run, which was killed behind the last step
            shutil.rmtree(left, ignore_errors=True)
    names = {package.name for package in packages}
    alone = all(entry.name in names for entry in gone)  # the command takes nothing away
    how = f"{AGAIN}, or {publish_command([folder / '*' for folder in folders], hub)}" if alone else AGAIN
    with going_on(*folders, how=how, errors=LAST_STEP):
        publish(packages, hub, replaces=lambda config: _places(config.values) <= replaced)
    take_away(*packages, run=folders[0].parent)


def calibrated_clips(clip_ms: int) -> int:
    """How many clips of this length norms and ranges are measured on, so that they fit into memory."""
    return max(LEAST_CLIPS, min(CALIBRATION_CLIPS, CALIBRATION_MS // clip_ms))


def budget_limits(budget: str) -> dict[str, float]:
    """The limits of a search: most MACs, such as of "3M", or MACs and bytes of RAM, such as of "3M/64kB".

    Raises InvalidQuery.
    """
    most, slash, ram = budget.partition("/")
    return limits_of({"max_macs": most, "max_ram": ram if slash else None})


def _beats(first: tuple, second: tuple) -> bool:
    """True where the first is as good in everything, and better in something."""
    return first != second and all(own >= other for own, other in zip(first, second, strict=True))


def tuned_network(build: Build, budget: str, epochs: int) -> tuple[Network, dict, Recipe]:
    """The best sub-network within a budget, fine-tuned in float with distillation from the largest network.

    Returns it with the findings of the search and the recipe of the fine-tune.
    """
    found = _search(build, budget)
    recipe = Recipe(epochs=epochs, learning_rate=TUNE_RATE, bfloat16=True, **build.shared)
    network, run = build.supernet.extract(Arch.from_dict(found["arch"])), build.run / "tuned" / _file_name(budget)
    train_float(network, build.data, build.frontend, recipe, run, build.calibration, build.teacher)
    return network, found, recipe


def _search(build: Build, budget: str) -> dict:
    """The best sub-network within a budget: by predicted accuracy, the best few of them by their own.

    The finding is kept on disk; the predictor stands beside the supernet, which was stored anew, all the same.
    """
    path, predictor = build.run / "search" / f"{_file_name(budget)}.json", build.predictor
    limits = budget_limits(budget)
    return kept_search(path, build.supernet, predictor, build.data, build.frontend, limits, build.task, build.samples)


def kept_search(
    path: Path,
    supernet: Supernet,
    predictor: AccuracyPredictor,
    data: ClipData,
    frontend: Mfcc,
    limits: dict[str, float],
    task: str,
    samples: int,
) -> dict:
    """What `search_slices` finds, from the file `path` where that is of the same search, else done and kept there.

    samples: measured networks that the predictor is fitted on.
    """
    identity = {
        "weights": weights_digest(supernet),
        "data": data.digest,
        "samples": samples,
        "evaluations": EVALUATIONS,
        "seed": SEARCH_SEED,
        "limits": {name: limit for name, limit in limits.items() if limit is not None},
    }
    if not path.is_file() or read_json(path).get("identity") != identity:
        finding = search_slices(supernet, predictor, data, frontend, limits, task)
        write_json(path, {"identity": identity, **finding})
    return read_json(path)


def search_slices(
    supernet: Supernet,
    predictor: AccuracyPredictor,
    data: ClipData,
    frontend: Mfcc,
    limits: dict[str, float],
    task: str,
) -> dict:
    """The best slice of a supernet within limits at 8 bits: by predicted accuracy, the best few by that on validation.

    Returns plain values for JSON: `arch`, without bits; its `validation` and `predicted` accuracy; `evaluations`.
    """
    validation, space = data.choosing, SearchSpace(supernet.space, PLAIN_BITS)
    features = plain_features(data, validation.rows, frontend)
    strategy = Evolution(Problem(space, limits, task=task), np.random.default_rng(SEARCH_SEED))
    result = search(strategy, partial(predictor.predict, space), EVALUATIONS)
    best = measure_best(result, measured_accuracy(supernet, space, features, validation.targets), FINALISTS)
    return {
        "arch": best.arch.without_bits().to_dict(),
        "validation": best.score,
        "predicted": float(predictor.predict(space, best.genes[best.order[:1]])[0]),
        "evaluations": len(result.scores),
    }


def _at_bits(build: Build, network: Network, bits: int, above: tuple[int, ...], budget: str) -> tuple:
    """A network fine-tuned at `bits`, and how. above: the bits that it was fine-tuned at before."""
    recipe = QuantRecipe.at_bits(bits, epochs=build.quant_epochs, **build.shared)
    name = f"{_file_name(budget)}-w{bits}" + (f"-from-w{above[-1]}" if above else "")
    fake = _quantise(build, network, with_bits(network.arch, bits), recipe, name)
    return fake, {"quantisation": recipe, "inherited_bits": list(above), "summary": _summary(recipe, (*above, bits))}


def _summary(recipe: QuantRecipe, bits: tuple[int, ...]) -> str:
    if len(bits) == 1:
        return f"for {recipe.epochs} epochs at {bits[0]}-bit weights by LSQ"
    others = ", ".join(map(str, bits[:-1]))
    return f"for {recipe.epochs} epochs each at {others} and {bits[-1]}-bit weights by LSQ, each from the one before"


def _at_learned_bits(build: Build, network: Network, budget: str) -> tuple:
    """The same with a width for each layer's weights, which is learned first."""
    widths = WidthRecipe(epochs=WIDTH_EPOCHS, weight_bits=MEAN_BITS, activation_bits=8, **build.shared)
    arch = learn_widths(network, *build.parts, widths, build.run / "quant" / f"{_file_name(budget)}-widths")
    recipe = QuantRecipe.at_bits(round(MEAN_BITS), epochs=build.quant_epochs, **build.shared)
    learned = (
        f"for {widths.epochs} epochs to learn the bits of each layer, {mean_bits(arch)[0]:.2f} a weight in the mean"
    )
    fake = _quantise(build, network, arch, recipe, f"{_file_name(budget)}-mixed")
    how = {"widths": widths, "quantisation": recipe, "inherited_bits": []}
    return fake, {**how, "summary": f"{learned}, then for {recipe.epochs} epochs at these by LSQ"}


def _quantise(build: Build, network: Network, arch: Arch, recipe: QuantRecipe, name: str) -> FakeQuantNetwork:
    return quantise(network, arch, *build.parts, recipe, build.run / "quant" / name)


def _figures(build: Build, integers: IntegerNetwork, name: str) -> dict:
    """Accuracy of the integers on a split."""
    measure = partial(split_figures, integers, build.frontend, build.data, name)
    return _kept(build, integers, measured_as(build.data, name), measure)


def _detection(build: Build, integers: IntegerNetwork) -> dict:
    """How the integers detect in a stream, where there are negatives."""
    data, features = build.data, integers.arch.features
    scale = integers.activations[integers.specs[-1].name].scale
    scores = partial(probabilities, scale=scale, multi_label=data.multi_label)
    selected = build.frontend.select(features.coefficients, features.step_ms)
    choose = partial(choose_detection, integers, selected, scores, data, build.false_alarms)
    return _kept(build, integers, f"detection, {build.false_alarms} false alarms an hour", choose)


def _kept(build: Build, integers: IntegerNetwork, what: str | dict, measure: Callable[[], dict]) -> dict:
    """What `measure` gives of the integers, from the folder of the run where it was measured before."""
    known = {"model": digest(packed(integers)), "what": what, "frontend": build.frontend.to_dict()}
    return Kept(build.run / FIGURES).take({**known, "data": build.data.digest, "audio": build.data.audio_key}, measure)


def with_test(item: Candidate) -> Candidate:
    """A candidate with its figures on test."""
    if "test" in item.accuracy:
        return item
    return dataclasses.replace(item, accuracy={**item.accuracy, "test": _figures(item.build, item.integers, "test")})


def _package(item: Candidate) -> Path:
    """Measure a candidate on test, and make it a package."""
    build, integers = item.build, item.integers
    accuracy = with_test(item).accuracy
    info = {**_package_info(item), "accuracy": accuracy}
    if build.data.held_negatives:
        info["detection"] = _detection(build, integers)
    package = write_package(build.run / PACKAGES, integers, build.frontend, _samples(build, integers.arch), info)
    shares = ", ".join(f"{figures['accuracy']:.2%} {name}" for name, figures in accuracy.items())
    print(f"{package.name}: {macs(integers.arch):,} MACs, {shares}", file=sys.stderr)
    return package


def _samples(build: Build, arch: Arch) -> np.ndarray:
    """(clips, samples) int16 for test vectors."""
    if not build.give_clips:
        return noise(arch)
    test, count = build.data.splits["test"].rows, vector_clips(build.data.audio.shape[1])
    return build.data.audio[test[:: max(1, len(test) // count)][:count]]


def _package_info(item: Candidate) -> dict:
    """What `config.json` and the card state of a model, but its accuracies."""
    data = item.build.data
    return {
        "task": item.build.task,
        "labels": list(data.labels),
        "multi_label": data.multi_label,
        "licence": data.licence,
        "attribution": data.attribution,
        **{key: item.build.info[key] for key in ("notes", "limits", "dataset")},
        "training": item.training,
    }


def _training(build: Build, budgets: tuple[str, ...], found: dict, tuning: Recipe, how: dict) -> dict:
    """What `config.json` states of how a model was made. how: recipes and the like by their names, and `summary`."""
    tried, (first, *others) = found["evaluations"], budgets
    also = {"also": [budget_limits(budget) for budget in others]} if others else {}
    same = f", and the same network {_within_each(others)}" if others else ""
    made = {name: dataclasses.asdict(one) if dataclasses.is_dataclass(one) else one for name, one in how.items()}
    summary = made.pop("summary")
    return {
        "supernet": build.name,
        "supernet_seed": build.recipe.seed,
        "search": {**budget_limits(first), **also, "seed": SEARCH_SEED, "evaluations": tried},
        "tuning": dataclasses.asdict(tuning),
        **made,
        "calibration_clips": build.calibration_clips,
        "summary": [
            build.info["origin"],
            f"Found by evolutionary search within {_within(first)}{same}: {tried:,} sub-networks by predicted "
            f"accuracy, the best {FINALISTS} measured on validation, seed {SEARCH_SEED}; the slice had "
            f"{found['validation']:.2%} at 8 bits, {found['predicted']:.2%} predicted.",
            f"Fine-tuned in float for {tuning.epochs} epochs, then {summary}; all with distillation from the "
            f"supernet's largest network, seed {build.recipe.seed}.",
        ],
    }


def _file_name(budget: str) -> str:
    return budget.replace("/", "-")


def _within(budget: str) -> str:
    """A budget in words."""
    most, _, ram = budget.partition("/")
    return f"{most} MACs and {ram} of RAM" if ram else f"{most} MACs"


def _within_each(budgets: Sequence[str]) -> str:
    """Several budgets in words."""
    if any("/" in budget for budget in budgets):
        return " and ".join(f"within {_within(budget)}" for budget in budgets)
    return " and ".join(f"within {budget}" for budget in budgets) + " MACs"


def _places(values: dict) -> set[tuple]:
    """What a model of these `config.json` values is for."""
    training, bits = values["training"], values["quantization_config"]["weights"]["num_bits"]
    found = training.get("search", {})
    limits = (tuple((name, one[name]) for name in LIMITS if name in one) for one in (found, *found.get("also", ())))
    return {(values["task"], training.get("supernet"), own, bits) for own in limits}
