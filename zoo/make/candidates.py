"""Models of a supernet for a hub: one for each budget and bits, and which of them are published, in whose place."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from supernet.arch import Arch
from supernet.bits import MIXED, with_bits
from supernet.cost import macs, mean_bits, weight_bytes
from supernet.files import digest
from supernet.integer.runtime import IntegerNetwork
from supernet.nn.network import Network
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe
from supernet.train.recipe import Recipe
from zoo.ask.limits import LIMITS
from zoo.hubs.folder import Hub
from zoo.hubs.index import INDEX
from zoo.keeping import AGAIN, LAST_STEP, going_on, publish_command, take_away
from zoo.make.budgets import budget_limits, file_name, tightness, within, within_each
from zoo.make.package import packed
from zoo.make.pipeline import Build, make_package, measured, quantised, tuned, with_learned_bits, with_silence
from zoo.make.publish import publish
from zoo.make.recipe import HUB
from zoo.make.slices import kept_search
from zoo.package.entry import Entry

__all__ = ["Candidate", "make_candidates", "publish_models", "tuned_network", "with_test"]

log = logging.getLogger(__name__)


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


def make_candidates(
    build: Build, budgets: dict[str, int | None], bits: tuple[int | str, ...] = HUB.bits
) -> list[Candidate]:
    """Search within each budget, fine-tune, and quantise at each of `bits`.

    budgets: as `budget_limits` reads them, and the epochs of each model's fine-tune in float, or None for those of the
    recipe; a network that is found within several is made once, with the most of their epochs. bits: of the weights;
    each starts from the next higher one. MIXED learns them, starting from the network in float.
    """
    found = []
    for group in _by_network(build, budgets):
        first, search, tuning = tuned_network(build, group[0], budgets[group[0]])
        network, above = first, ()
        for own in (*sorted(set(bits) - {MIXED}, reverse=True), *({MIXED} & set(bits))):
            if own == MIXED:
                fake, how = _at_learned_bits(build, first, group[0])
            else:
                fake, how = _at_bits(build, network, own, above, group[0])
                network, above = fake.to_float(), (*above, own)
            integers, training = with_silence(build, fake), _training(build, group, search, tuning, how)
            accuracy = {"validation": measured(build, integers, "validation")}
            found.append(Candidate(build, group, own, integers, accuracy, training))
    return found


def tuned_network(build: Build, budget: str, epochs: int | None) -> tuple[Network, dict, Recipe]:
    """The best sub-network within a budget, fine-tuned in float with distillation from the largest network.

    Returns it with the findings of the search and the recipe of the fine-tune.
    """
    found = _search(build, budget)
    network, recipe = tuned(build, Arch.from_dict(found["arch"]), file_name(budget), epochs)
    return network, found, recipe


def _by_network(build: Build, budgets: dict[str, int | None]) -> list[tuple[str, ...]]:
    """The budgets, those together within which the search finds one network.

    First of these is the one of most epochs, and of equal ones the tightest: it names the network's runs.
    """
    groups: dict[Arch, list[str]] = {}
    for budget in budgets:
        groups.setdefault(Arch.from_dict(_search(build, budget)["arch"]), []).append(budget)
    for group in groups.values():
        if len(group) > 1:
            log.info("%s the search finds one network", within_each(group))
    return [tuple(sorted(one, key=lambda own: (-(budgets[own] or 0), *tightness(own)))) for one in groups.values()]


def _search(build: Build, budget: str) -> dict:
    """The best sub-network within a budget: by predicted accuracy, the best few of them by their own.

    The finding is kept on disk; the predictor stands beside the supernet, which was stored anew, all the same.
    """
    path, predictor = build.run / "search" / f"{file_name(budget)}.json", build.predictor
    limits = budget_limits(budget)
    return kept_search(path, build.supernet, predictor, build.data, build.frontend, limits, build.task, build.making)


Made = tuple[FakeQuantNetwork, dict]
"""A network that emulates integers; the recipes that it was made by and the like, and a `summary` of them."""


def _at_bits(build: Build, network: Network, bits: int, above: tuple[int, ...], budget: str) -> Made:
    """A network fine-tuned at `bits`. above: the bits that it was fine-tuned at before."""
    name = f"{file_name(budget)}-w{bits}" + (f"-from-w{above[-1]}" if above else "")
    fake, recipe = quantised(build, network, with_bits(network.arch, bits), bits, name)
    return fake, {"quantisation": recipe, "inherited_bits": list(above), "summary": _summary(recipe, (*above, bits))}


def _summary(recipe: QuantRecipe, bits: tuple[int, ...]) -> str:
    if len(bits) == 1:
        return f"for {recipe.epochs} epochs at {bits[0]}-bit weights by LSQ"
    others = ", ".join(map(str, bits[:-1]))
    return f"for {recipe.epochs} epochs each at {others} and {bits[-1]}-bit weights by LSQ, each from the one before"


def _at_learned_bits(build: Build, network: Network, budget: str) -> Made:
    """The same with a width for each layer's weights, which is learned first."""
    arch, widths = with_learned_bits(build, network, f"{file_name(budget)}-widths")
    fake, recipe = quantised(build, network, arch, round(build.making.mean_bits), f"{file_name(budget)}-mixed")
    learned = (
        f"for {widths.epochs} epochs to learn the bits of each layer, {mean_bits(arch)[0]:.2f} a weight in the mean"
    )
    how = {"widths": widths, "quantisation": recipe, "inherited_bits": []}
    return fake, {**how, "summary": f"{learned}, then for {recipe.epochs} epochs at these by LSQ"}


def _training(build: Build, budgets: tuple[str, ...], found: dict, tuning: Recipe, how: dict) -> dict:
    """What `config.json` states of how a model was made. how: recipes and the like by their names, and `summary`."""
    tried, (first, *others), making = found["evaluations"], budgets, build.making
    also = {"also": [budget_limits(budget) for budget in others]} if others else {}
    same = f", and the same network {within_each(others)}" if others else ""
    made = {name: dataclasses.asdict(one) if dataclasses.is_dataclass(one) else one for name, one in how.items()}
    summary = made.pop("summary")
    return {
        "supernet": build.name,
        "supernet_seed": build.recipe.seed,
        "search": {**budget_limits(first), **also, "seed": making.search_seed, "evaluations": tried},
        "tuning": dataclasses.asdict(tuning),
        **made,
        "calibration_clips": making.calibration_clips,
        "summary": [
            build.info["origin"],
            f"Found by evolutionary search within {within(first)}{same}: {tried:,} sub-networks by predicted "
            f"accuracy, the best {making.finalists} measured on validation, seed {making.search_seed}; the slice had "
            f"{found['validation']:.2%} at 8 bits, {found['predicted']:.2%} predicted.",
            f"Fine-tuned in float for {tuning.epochs} epochs, then {summary}; all with distillation from the "
            f"supernet's largest network, seed {build.recipe.seed}.",
        ],
    }


def with_test(item: Candidate) -> Candidate:
    """A candidate with its figures on test."""
    if "test" in item.accuracy:
        return item
    return dataclasses.replace(item, accuracy={**item.accuracy, "test": measured(item.build, item.integers, "test")})


def publish_models(candidates: list[Candidate], always: tuple[int | str, ...] = HUB.bits) -> None:
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


def _beats(first: tuple, second: tuple) -> bool:
    """True where the first is as good in everything, and better in something."""
    return first != second and all(own >= other for own, other in zip(first, second, strict=True))


def _package(item: Candidate) -> Path:
    """Measure a candidate on test, and make it a package."""
    accuracy = with_test(item).accuracy
    package = make_package(item.build, item.integers, accuracy, item.training)
    shares = ", ".join(f"{figures['accuracy']:.2%} {name}" for name, figures in accuracy.items())
    print(f"{package.name}: {macs(item.integers.arch):,} MACs, {shares}", file=sys.stderr)
    return package


def _places(values: dict) -> set[tuple]:
    """What a model of these `config.json` values is for."""
    training, bits = values["training"], values["quantization_config"]["weights"]["num_bits"]
    found = training.get("search", {})
    limits = (tuple((name, one[name]) for name in LIMITS if name in one) for one in (found, *found.get("also", ())))
    return {(values["task"], training.get("supernet"), own, bits) for own in limits}
