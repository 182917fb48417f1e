"""A model of one's own where nothing published fits: search, extract, calibrate, quantise, pack, keep."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from search.sampling import extract
from supernet.constants import OWN_HUB
from supernet.data.augment import Augmentation
from supernet.data.clips import ClipData
from supernet.errors import EarshotError, NoModelFits
from supernet.files import digest
from supernet.integer.runtime import IntegerNetwork
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.train.calibration import calibration_features
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe
from zoo.hubs.address import writable_hub
from zoo.hubs.base import AnyHub, checked_entry
from zoo.hubs.folder import Hub
from zoo.hubs.index import INDEX
from zoo.keeping import (
    AGAIN,
    LAST_STEP,
    PACKAGES,
    RUNS,
    check_folder,
    going_on,
    publish_command,
    take_away,
    writable,
)
from zoo.make.package import noise, package_name, split_figures, write_package
from zoo.make.pipeline import calibrated_clips
from zoo.make.publish import publish
from zoo.make.search import Finding, search_hub, supernet_digests
from zoo.package.entry import PREDICTED, Entry
from zoo.package.read import Config, read_config

__all__ = ["specialize"]

TUNE_EPOCHS, QUANT_EPOCHS, TUNE_RATE, TUNE_BATCH = 6, 3, 2e-3, 128
BATCHES = (16, 32, 64, 128)
"""Of supernets, that fine-tuning takes over."""
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
    hub: str | Path | AnyHub | None = None,
    data: str | Path | None = None,
    epochs: int = TUNE_EPOCHS,
    evaluations: int | None = None,
    own: str | Path | None = None,
    run: str | Path = "runs/specialized",
    progress: bool = True,
) -> Entry:
    """Search the supernets of a hub within limits, and put the best network as a package into the user's own hub.

    limits: see `search.problem.LIMITS`. bits: of the weights, "mixed", or None for the best. data: what the supernet
    was trained on: with it the finalists of the search are measured on validation, the winner is fine-tuned, for
    `epochs` in float and then some at its bits, and the integers are measured on validation and, once, on test.
    Without, norms and ranges come from the supernet's calibration set, and the accuracy is what its predictor says,
    marked so. A wish that a model of that hub was made for, by the same supernets, is not searched again; a network
    that is the best for several wishes is one model. run: folder of searches and fine-tunes, which are resumed, and of
    the package until the hub has it (in the hub, where that cannot be written). own: folder of the hub (default:
    EARSHOT_HUB).

    Raises InfeasibleBudget, NoModelFits where the best found is below min_accuracy, and as `search_hub` does.
    """
    own, tuned = writable_hub(own or OWN_HUB), data is not None and epochs > 0
    wish = {"limits": dict(limits), "bits": bits, "family": family, "device": device, "sure": sure}
    wish |= {"supernets": supernet_digests(hub), "tuned": epochs if tuned else 0}
    place = Hub(own) if (own / INDEX).is_file() else None
    for entry in place.entries if place else ():
        if _answers(place.config(entry), entry, task, wish, min_accuracy):
            return entry
    run = Path(run) if data is not None or writable(run) else own / RUNS
    check_folder("run", run)
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
    asked = {name: wish[name] for name in ("bits", "family", "device", "sure")}
    best = search_hub(
        task, wish["limits"], **asked, hub=hub, evaluations=evaluations, data=data, run=state,
        tuned=wish["tuned"] > 0, progress=progress,
    ).best  # fmt: skip
    if data is None:
        _check_accuracy(best.predicted, min_accuracy, best, "predicted")
    clips = best.searched.load(data) if data is not None else None
    fake = _tuned(best, clips, wish["tuned"], run, progress) if wish["tuned"] else _extracted(best)
    integers = fake.to_integer()
    info = _info(best, wish, clips, _accuracy(best, integers, clips, min_accuracy))
    _add_wishes(info, own, package_name(task, integers))
    log.info("found among %s networks of %s", f"{len(best.result.scores):,}", best.searched.name)
    return write_package(run / PACKAGES, integers, best.searched.stored.frontend, noise(best.arch), info)


def _extracted(best: Finding) -> FakeQuantNetwork:
    return extract(best.searched.source, best.arch)


def _add_wishes(info: dict, own: Hub | None, name: str) -> None:
    """Where the hub has the same network, made for other wishes, state these as well: it is one model."""
    same = own.index.find(name) if own else None
    if same:
        search = info["training"]["search"]
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


def _tuned(best: Finding, data: ClipData, epochs: int, run: Path, progress: bool) -> FakeQuantNetwork:
    """The network, fine-tuned in float and then at its bits, with distillation from the supernet's largest."""
    supernet, arch, frontend = best.searched.supernet, best.arch, best.searched.stored.frontend
    calibration = calibration_features(data, frontend, calibrated_clips(data.clip_ms), SEED)
    network, teacher = (supernet.extract(own, calibration) for own in (arch.without_bits(), supernet.space.largest()))
    trained = best.searched.stored.recipe
    batch = trained.get("batch") if trained.get("batch") in BATCHES else TUNE_BATCH
    shared = {"batch": batch, "seed": SEED, "augmentation": Augmentation.from_dict(trained.get("augmentation", {}))}
    place = run / arch.digest[:12]
    tuning = Recipe(epochs=epochs, learning_rate=TUNE_RATE, bfloat16=True, **shared)
    train_float(network, data, frontend, tuning, place / "float", calibration, teacher)
    recipe = QuantRecipe.at_bits(min(arch.weight_bits), epochs=QUANT_EPOCHS, **shared)
    return quantise(network, arch, teacher, data, frontend, calibration, recipe, place / "bits", progress)


def _accuracy(best: Finding, integers: IntegerNetwork, data: ClipData | None, least: float | None) -> dict:
    """The figures of `config.json`: measured where there are data, or as predicted, with the interval of that.

    Test is measured only where validation has the least accuracy that is wanted.
    """
    if data is None:
        share = best.predicted
        ends = [round(value, 6) for value in best.searched.predictor.interval(share)]
        clips = best.searched.about["clips"]
        return {"validation": {"accuracy": round(share, 6), "interval": ends, "clips": clips, "basis": PREDICTED}}
    figures = {}
    for name in [name for name in ("validation", "test") if name in data.splits]:
        figures[name] = split_figures(integers, best.searched.stored.frontend, data, name)
        _check_accuracy(figures["validation"]["accuracy"], least, best, "on validation")
    return figures


def _info(best: Finding, wish: dict, data: ClipData | None, accuracy: dict) -> dict:
    """What `config.json` and the card state, beside the network."""
    config, tried, quality = best.searched.stored.config, len(best.result.scores), best.searched.predictor.quality_
    asked = ", ".join(f"{name} = {limit:g}" for name, limit in wish["limits"].items()) or "no limit"
    place, epochs = f" on {wish['device']}" if wish["device"] else "", wish["tuned"]
    chosen = "the best few were measured on validation" if data is not None else "the best predicted one was taken"
    how = (
        f"Fine-tuned for {epochs} epochs in float and {QUANT_EPOCHS} at its bits by LSQ, with distillation from the "
        f"supernet's largest network."
    )
    plain = "Extracted without fine-tuning; norms and ranges measured on the supernet's calibration set."
    about = config.get("about", {})
    return {
        "task": best.result.problem.task,
        "labels": list(best.searched.stored.labels),
        "multi_label": about.get("multi_label", False),
        "licence": config["licence"],
        "attribution": config["attribution"],
        "notes": list(about.get("notes", [])),
        "limits": [*about.get("limits", []), *([] if data is not None else [NO_DATA])],
        "dataset": about.get("dataset", {"name": config["name"], "id": config["name"], "version": "unknown"}),
        "accuracy": accuracy,
        "training": {
            "supernet": best.searched.name,
            "search": {"wish": wish, "evaluations": tried, "seed": SEED},
            "predictor": asdict(quality),
            "summary": [
                f"Slice of the supernet {best.searched.name}, found by evolutionary search within {asked}{place}: "
                f"{tried:,} sub-networks by predicted accuracy, of which {chosen}, seed {SEED}.",
                f"The predictor: {quality}.",
                how if epochs else plain,
            ],
        },
    }
