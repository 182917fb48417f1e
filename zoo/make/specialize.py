"""A model of one's own where nothing published fits: search, then make a package of what is found, and keep it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from math import sqrt
from pathlib import Path

import numpy as np

from search.sampling import extract
from supernet.constants import OWN_HUB
from supernet.data.clips import ClipData
from supernet.errors import EarshotError, NoModelFits
from supernet.files import digest
from supernet.integer.runtime import IntegerNetwork
from supernet.train.recipe import Recipe
from zoo.ask.units import whole
from zoo.hubs.address import writable_hub
from zoo.hubs.base import AnyHub, checked_entry
from zoo.hubs.folder import Hub
from zoo.hubs.index import INDEX
from zoo.keeping import AGAIN, LAST_STEP, PACKAGES, RUNS, check_folder, going_on, publish_command, take_away, writable
from zoo.make.names import name_in_cards
from zoo.make.package import package_name
from zoo.make.pipeline import Build, make_package, measured, quantised, tuned, with_silence
from zoo.make.publish import publish
from zoo.make.recipe import BATCHES, SPECIALIZE, fitting_batch
from zoo.make.search import Finding, limits_on, search_hub, supernet_digests
from zoo.make.starts import augmentation_of
from zoo.package.entry import PREDICTED, Entry
from zoo.package.read import Config, read_config

__all__ = ["specialize"]

SEED = 0
NO_DATA = "Its accuracy is predicted, not measured: test it on recordings of your own."

log = logging.getLogger(__name__)


def specialize(
    task: str,
    limits: Mapping[str, float],
    *,
    bits: int | str | None = None,
    family: str | None = None,
    min_accuracy: float | None = None,
    device: str | None = None,
    sure: bool = False,
    ignore_limits: bool = False,
    every_ms: float | None = None,
    sleep_power_uw: float | None = None,
    hub: str | Path | AnyHub | None = None,
    data: str | Path | None = None,
    epochs: int | None = None,
    evaluations: int | None = None,
    own: str | Path | None = None,
    run_dir: str | Path = "runs/specialized",
    progress: bool = True,
) -> Entry:
    """Search the supernets of a hub within limits, and put the best network as a package into the user's own hub.

    limits: see `search.problem.LIMITS`; those of the device's flash and RAM, where they are known, join them unless
    ignore_limits. every_ms, sleep_power_uw: of the stream whose power is limited (see `search.Problem`). bits: of the
    weights, "mixed", or None for the best. data: what the supernet was trained on: with it the finalists of the search
    are measured on validation, the winner is fine-tuned, for `epochs` in float (by default by the number of clips; 0
    for no fine-tune) and then some at its bits, and the integers are measured on validation and, once, on test.
    Without, norms and ranges come from the supernet's calibration set, and the accuracy is what its predictor says,
    marked so. A wish that a model of that hub was made for, by the same supernets, is not searched again; a network
    that is the best for several wishes is one model. run_dir: folder of searches and fine-tunes, which are resumed, and
    of the package until the hub has it (in the hub, where that cannot be written). own: folder of the hub (default:
    EARSHOT_HUB).

    Raises InfeasibleBudget, NoModelFits where the best found is below min_accuracy, and as `search_hub` does.
    """
    epochs = None if epochs is None else whole("epochs", epochs, 0)
    evaluations = None if evaluations is None else whole("evaluations", evaluations, 1)
    own = writable_hub(own or OWN_HUB)
    limits = limits_on(limits, device, ignore_limits)
    wish = {"limits": limits, "bits": bits, "family": family, "device": device, "sure": sure}
    stream = {"every_ms": every_ms, "sleep_power_uw": sleep_power_uw}
    wish |= {name: value for name, value in stream.items() if value is not None}
    wish |= {"supernets": supernet_digests(hub), **_wanted_tuning(epochs if data is not None else 0)}
    place = Hub(own) if (own / INDEX).is_file() else None
    for entry in place.entries if place else ():
        if _answers(place.config(entry), entry, task, wish, min_accuracy):
            log.info("%s: made for the same wish before; `earshot unpublish` it to make it anew", entry.name)
            return entry
    run = Path(run_dir) if data is not None or writable(run_dir) else own / RUNS
    check_folder("run_dir", run)
    state = run / "search" / digest([task, wish, evaluations, data is None])[:12]
    with going_on(run):
        package = _made(run, task, wish, min_accuracy)
        if package is None:
            package = _make(task, wish, hub, place, data, evaluations, min_accuracy, run, state, progress)
    with going_on(package, how=f"{AGAIN}, or {publish_command([package], own)}", errors=LAST_STEP):
        entry = publish(package, own).entry(package.name)
    take_away(package, state, run=run)
    log.info("%s: kept in %s", entry.name, own)
    return entry


def _wanted_tuning(epochs: int | None) -> dict:
    """What a wish says of the fine-tune: its epochs, and the fewest steps where these go by the number of clips."""
    if epochs is None:
        return {"tuned": SPECIALIZE.tune_epochs, "steps": SPECIALIZE.tune_steps}
    return {"tuned": epochs}


def _answers(config: Config, entry: Entry, task: str, wish: dict, min_accuracy: float | None) -> bool:
    """True for a model that was made for this wish."""
    enough = min_accuracy is None or entry.validation >= min_accuracy
    return entry.task == task and wish in _wishes(config) and enough


def _wishes(config: Config) -> list:
    """What a model was made for."""
    found = config.values["training"].get("search", {})
    return [*([found["wish"]] if "wish" in found else []), *found.get("also", [])]


def _made(run: Path, task: str, wish: dict, min_accuracy: float | None) -> Path | None:
    """A package in the folder of the run that was made for a wish, and that no hub got."""
    for package in sorted((run / PACKAGES).glob("*")):
        try:
            if _answers(read_config(package), checked_entry(package), task, wish, min_accuracy):
                return package
        except EarshotError:  # it is made again
            continue
    return None


def _make(
    task: str,
    wish: dict,
    hub: str | Path | AnyHub | None,
    own: Hub | None,
    data: str | Path | None,
    evaluations: int | None,
    min_accuracy: float | None,
    run: Path,
    state: Path,
    progress: bool,
) -> Path:
    """Search, and make a package of the best in the folder of the run. own: the hub that will get it."""
    names = ("bits", "family", "device", "sure", "every_ms", "sleep_power_uw")
    asked = {name: wish[name] for name in names if name in wish}
    best = search_hub(
        task, wish["limits"], **asked, hub=hub, evaluations=evaluations, data=data, run_dir=state,
        tuned=wish["tuned"] > 0, progress=progress, ignore_limits=True,
    ).best  # fmt: skip
    if data is None:
        _check_accuracy(best.predicted, min_accuracy, best, "predicted")
    clips = best.searched.load(data) if data is not None else None
    build = _build(best, clips, wish, run)
    integers, how = _better(build, best) if wish["tuned"] else (_extracted(best), {})
    build = replace(build, info=_with_note(build, how))
    accuracy, training = _accuracy(build, best, integers, min_accuracy), _training(best, wish, clips is not None, how)
    _add_wishes(training, own, package_name(task, integers))
    log.info("found among %s networks of %s", f"{len(best.result.scores):,}", best.searched.name)
    return make_package(build, integers, accuracy, training)


def _build(best: Finding, data: ClipData | None, wish: dict, run: Path) -> Build:
    """What the model is made of. Batches smaller than those of the supernet are noisier, so their rate is lower."""
    stored, making = best.searched.stored, SPECIALIZE
    if data is not None:
        making = making.fitted(data.clip_ms, len(data.choosing))
    if "steps" not in wish:
        making = replace(making, tune_epochs=wish["tuned"], tune_steps=0)
    recipe = _as_trained(stored.recipe, data)
    making = replace(making, tune_rate=making.tune_rate * sqrt(recipe.batch / _batch(stored.recipe)))
    return Build(
        best.searched.name, best.result.problem.task, best.searched.supernet, recipe, data,
        stored.frontend, run, run, _about(best, data is None), making, give_clips=False,
    )  # fmt: skip


def _as_trained(recipe: dict, data: ClipData | None) -> Recipe:
    """Of the recipe of a supernet what fine-tunes take over; few clips are heard in smaller batches."""
    batch = _batch(recipe)
    fitting = batch if data is None else fitting_batch(len(data.epoch(np.random.default_rng(SEED))))
    return Recipe(batch=min(batch, fitting), seed=SEED, augmentation=augmentation_of(recipe))


def _batch(recipe: dict) -> int:
    """Of the recipe of a supernet."""
    return recipe["batch"] if recipe.get("batch") in BATCHES else max(BATCHES)


def _extracted(best: Finding) -> IntegerNetwork:
    return extract(best.searched.source, best.arch).to_integer()


def _better(build: Build, best: Finding) -> tuple[IntegerNetwork, dict]:
    """The network, fine-tuned, and how; or as it is in the supernet, where that is better on validation.

    A supernet has heard many more clips than those at hand may be.
    """
    integers, how = _tuned(build, best)
    if not best.has_bits:
        return integers, how
    plain = _extracted(best)
    ours, others = (measured(build, one, "validation")["accuracy"] for one in (integers, plain))
    if ours >= others:
        return integers, how
    log.info("fine-tuned it has %.2f %% on validation, and %.2f %% as it was: it stays so", 100 * ours, 100 * others)
    return plain, {}


def _tuned(build: Build, best: Finding) -> tuple[IntegerNetwork, dict]:
    """The network, fine-tuned in float and then at its bits, and how. Other data or another recipe is another run."""
    arch = best.arch
    place = digest([arch.digest, build.data.digest, asdict(build.making), asdict(build.recipe)])[:12]
    network, tuning = tuned(build, arch.without_bits(), place)
    fake, recipe = quantised(build, network, arch, min(arch.weight_bits), place)
    return with_silence(build, fake), {"tuning": tuning, "quantisation": recipe}


def _add_wishes(training: dict, own: Hub | None, name: str) -> None:
    """Where the hub has the same network, made for other wishes, state these as well: it is one model."""
    same = own.index.find(name) if own else None
    if same:
        search = training["search"]
        search["also"] = [wish for wish in _wishes(own.config(same)) if wish != search["wish"]]
        log.info("%s: the search found the same network for other limits before", name)


def _check_accuracy(share: float, least: float | None, best: Finding, how: str) -> None:
    if least is not None and share < least:
        raise NoModelFits(
            f"no model has min_accuracy = {least:.2%} within the limits: the best of {len(best.result.scores):,} "
            f"searched networks of {best.searched.name} has {share:.2%} {how}; loosen a limit",
            "min_accuracy",
            least,
            None,
        )


def _accuracy(build: Build, best: Finding, integers: IntegerNetwork, least: float | None) -> dict:
    """The figures of `config.json`: measured where there are data, or as predicted, with the interval of that.

    Test is measured only where validation has the least accuracy that is wanted.
    """
    if build.data is None:
        share = best.predicted
        ends = [round(value, 6) for value in best.searched.predictor.interval(share)]
        clips = best.searched.about["clips"]
        return {"validation": {"accuracy": round(share, 6), "interval": ends, "clips": clips, "basis": PREDICTED}}
    figures = {}
    for name in [name for name in ("validation", "test") if name in build.data.splits]:
        figures[name] = measured(build, integers, name)
        _check_accuracy(figures["validation"]["accuracy"], least, best, "on validation")
    return figures


def _about(best: Finding, predicted: bool) -> dict:
    """What `config.json` and the card state of a slice of a supernet, but its accuracies and how it was made."""
    config = best.searched.stored.config
    about = config.get("about", {})
    return {
        "labels": list(best.searched.stored.labels),
        "multi_label": about.get("multi_label", False),
        "licence": config["licence"],
        "attribution": config["attribution"],
        "notes": list(about.get("notes", [])),
        "limits": [*about.get("limits", []), *([NO_DATA] if predicted else [])],
        "dataset": about.get("dataset", {"name": config["name"], "id": config["name"], "version": "unknown"}),
    }


def _with_note(build: Build, how: dict) -> dict:
    """What is stated of a model, with a note on the clips at hand, which may be others than those of the supernet."""
    if build.data is None:
        return build.info
    name, count = name_in_cards(build.data.name), len(build.data.splits["train"])
    heard = f"Fine-tuned on {count:,} clips of {name}, and measured on others of it." if how else f"Measured on {name}."
    return {**build.info, "notes": [*build.info["notes"], heard]}


def _training(best: Finding, wish: dict, with_data: bool, how: dict) -> dict:
    """What `config.json` states of how a model was made. how: the recipes of its fine-tunes by their names."""
    tried, quality = len(best.result.scores), best.searched.predictor.quality_
    asked = ", ".join(f"{name} = {limit:g}" for name, limit in wish["limits"].items()) or "no limit"
    place = f" on {wish['device']}" if wish["device"] else ""
    chosen = "the best few were measured on validation" if with_data else "the best predicted one was taken"
    return {
        "supernet": best.searched.name,
        "search": {"wish": wish, "evaluations": tried, "seed": SEED},
        "predictor": asdict(quality),
        **{name: asdict(recipe) for name, recipe in how.items()},
        "summary": [
            f"Slice of the supernet {best.searched.name}, found by evolutionary search within {asked}{place}: "
            f"{tried:,} sub-networks by predicted accuracy, of which {chosen}, seed {SEED}.",
            f"The predictor: {quality}.",
            _tuning_text(how),
        ],
    }


def _tuning_text(how: dict) -> str:
    if not how:
        return "Extracted without fine-tuning; norms and ranges measured on the supernet's calibration set."
    return (
        f"Fine-tuned for {how['tuning'].epochs} epochs in float and {how['quantisation'].epochs} at its bits by LSQ, "
        f"with distillation from the supernet's largest network."
    )
