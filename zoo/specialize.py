"""A model of one's own where nothing published fits: search, extract, calibrate, quantise, pack, keep."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from search.sampling import extract
from supernet.constants import OWN_HUB
from supernet.data.augment import Augmentation, plain_features
from supernet.data.clips import ClipData
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.integer import IntegerNetwork
from supernet.space import digest
from supernet.train import Recipe, calibration_features, train_float
from zoo.build import calibrated_clips
from zoo.entry import PREDICTED, Entry
from zoo.errors import NoModelFits
from zoo.hosting import publish
from zoo.hub import AnyHub, Hub, open_hub, writable_hub
from zoo.index import INDEX
from zoo.making import accuracy_figures, noise, write_package
from zoo.pack import CONFIG
from zoo.searching import Finding, search_hub

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
    marked so. A wish that a model of that hub was made for, by the same supernets, is not searched again. run: folder
    of the fine-tunes, which are resumed. own: folder of the hub (default: EARSHOT_HUB).

    Raises InfeasibleBudget, NoModelFits where the best found is below min_accuracy, and as `search_hub` does.
    """
    own, tuned = writable_hub(own or OWN_HUB), data is not None and epochs > 0
    wish = {"limits": dict(limits), "bits": bits, "family": family, "device": device, "sure": sure}
    wish |= {"supernets": _digests(hub), "tuned": epochs if tuned else 0}
    for entry in Hub(own).entries if (own / INDEX).is_file() else ():
        made = Hub(own).config(entry).values["training"].get("search", {}).get("wish")
        enough = min_accuracy is None or entry.validation >= min_accuracy
        if entry.task == task and made == wish and enough:
            return entry
    found = search_hub(
        task, limits, bits=bits, family=family, device=device, sure=sure, hub=hub, evaluations=evaluations, data=data,
        tuned=tuned, progress=progress,
    )  # fmt: skip
    best = found.best
    if data is None:
        _check_accuracy(best.predicted, min_accuracy, best, "predicted")
    clips = best.searched.load(data) if data is not None else None
    fake = _tuned(best, clips, epochs, Path(run), progress) if tuned else extract(best.searched.source, best.arch)
    integers = fake.to_integer()
    accuracy = _accuracy(best, integers, clips, min_accuracy)
    info = _info(best, wish, clips, accuracy)
    with tempfile.TemporaryDirectory() as folder:
        package = write_package(folder, integers, best.searched.stored.frontend, noise(best.arch), info)
        entry = publish(package, own).entry(package.name)
    tried, name = f"{len(best.result.scores):,}", best.searched.name
    log.info("%s: found among %s networks of %s, kept in %s", entry.name, tried, name, own)
    return entry


def _digests(hub: str | Path | AnyHub | None) -> list[str]:
    """Of the supernets that are searched, so that a wish is searched again where they changed."""
    return sorted(digest((path / CONFIG).read_bytes())[:16] for path in open_hub(hub).supernets())


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
    for name in ("validation", "test"):
        split = data.splits[name]
        features = plain_features(data, split.rows, best.searched.stored.frontend)
        figures[name] = accuracy_figures(integers, features, split.targets)
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
