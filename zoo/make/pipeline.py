"""From a network, data and a recipe to a package: the way that all models are made.

Fine-tuned in float, fine-tuned at its bits, measured, packed. Choosing is done on validation alone; the test split is
measured once for each package. Every step keeps its state in the folder of the run, and is resumed or skipped when it
is run again.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from search.accuracy import AccuracyPredictor, fit_predictor
from supernet.arch import Arch
from supernet.data.clips import ClipData
from supernet.files import digest, read_json
from supernet.frontend.mfcc import Mfcc
from supernet.integer.runtime import IntegerNetwork
from supernet.nn.network import Network
from supernet.nn.store import round_to_half, save_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits, ElasticBitsRecipe, save_elastic_bits, train_elastic_bits
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.widths import WidthRecipe, learn_widths
from supernet.train.calibration import features_as_heard
from supernet.train.networks import train_float
from supernet.train.objective import silence_shift
from supernet.train.recipe import Recipe
from zoo.keeping import PACKAGES, Kept
from zoo.make.detection import choose_detection
from zoo.make.package import known_clips, measured_as, noise, packed, split_figures, vector_clips, write_package
from zoo.make.recipe import HUB, MakeRecipe
from zoo.package.detected import limits_with_detection
from zoo.run.scores import IntegerScores

__all__ = [
    "Build",
    "make_package",
    "measured",
    "quantised",
    "store",
    "stored_info",
    "train_bits",
    "tuned",
    "with_learned_bits",
    "with_silence",
]

FIGURES = "figures.jsonl"
"""In the folder of a run: what was measured of integers."""


@dataclass(frozen=True)
class Build:
    """What models are made of, and for whom.

    name: of the supernet. recipe: that it was trained by; its batch, seed and the like are those of fine-tunes. data:
    None where there are none: then nothing is fine-tuned or measured. run: folder for what is made on the way. info:
    labels, notes, limits, dataset and the like as `config.json` has them, which go before those of the data, and
    `origin`, a sentence on how the supernet was made. making: how models are made. false_alarms: most detections an
    hour where there is nothing, for data with negatives. give_clips: whether packages hold test clips, for their
    vectors; else these are of noise.
    """

    name: str
    task: str
    supernet: Supernet
    recipe: Recipe
    data: ClipData | None
    frontend: Mfcc
    run: Path
    hub: Path
    info: dict
    making: MakeRecipe = field(default=HUB)
    false_alarms: float = 1.0
    give_clips: bool = True

    @property
    def folder(self) -> Path:
        """Where the hub has the supernet."""
        return self.hub / "supernets" / self.name

    @cached_property
    def predictor(self) -> AccuracyPredictor:
        """Of the accuracy of sub-networks; it is kept beside the supernet in the hub."""
        run = self.run / "accuracies"
        return fit_predictor(self.folder, self.supernet, self.frontend, self.data, run, self.making.samples)

    @cached_property
    def teacher(self) -> Network:
        """The largest network, from which all others learn."""
        return self.supernet.extract(self.supernet.space.largest())

    @cached_property
    def calibration(self) -> Tensor:
        """Features that norms and ranges are measured on."""
        heard = self.data, self.frontend, self.recipe.augmentation
        return features_as_heard(*heard, self.making.calibration_clips, self.recipe.seed)

    @property
    def parts(self) -> tuple[Network, ClipData, Mfcc, Tensor]:
        """What fine-tunes with emulated integers take beside a network."""
        return self.teacher, self.data, self.frontend, self.calibration

    @property
    def shared(self) -> dict:
        """What fine-tunes have of the supernet's recipe."""
        names = ("batch", "unknown", "seed", "augmentation")
        return {name: getattr(self.recipe, name) for name in names}

    @cached_property
    def clips(self) -> dict:
        """What is stated of the clips, by their digests, where it is."""
        return known_clips(self.data) if self.making.clip_digests and self.data is not None else {}

    @cached_property
    def steps(self) -> int:
        """Of an epoch of a fine-tune."""
        return len(self.data.epoch(np.random.default_rng(0), self.recipe.unknown)) // self.recipe.batch


def store(build: Build, folder: Path) -> Path:
    """Write the supernet with its recipe and the log of its run into a folder of its own."""
    info = stored_info(build, build.name, build.recipe, _log(build.run))
    return save_supernet(folder, build.supernet, build.frontend, build.task, build.data.labels, info)


def train_bits(build: Build, recipe: ElasticBitsRecipe) -> ElasticBits:
    """Train a copy of the supernet at several widths at once, or go on with it, and put it into the hub."""
    elastic, run, name = ElasticBits(copy.deepcopy(build.supernet)), build.run / "bits", f"{build.name}-bits"
    train_elastic_bits(elastic, build.teacher, build.data, build.frontend, recipe, run)
    round_to_half(elastic.supernet)
    info, folder = stored_info(build, name, recipe, _log(run)), build.hub / "supernets" / name
    save_elastic_bits(folder, elastic, build.frontend, build.task, build.data.labels, info)
    fit_predictor(folder, elastic.eval(), build.frontend, build.data, run / "accuracies", 2 * build.making.samples)
    return elastic.eval()


def _log(run: Path) -> list[dict]:
    return read_json(run / "log.json")


def stored_info(build: Build, name: str, recipe: Recipe, log: list[dict]) -> dict:
    """What `config.json` of a supernet states beside its tensors. log: rows of its run, a row an epoch."""
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in log]
    about = {key: build.info[key] for key in ("notes", "limits", "dataset")}
    return {
        "name": name,
        "about": {**about, "multi_label": build.data.multi_label},
        "licence": build.data.licence,
        "attribution": build.data.attribution,
        "training": {"recipe": dataclasses.asdict(recipe), "log": rows, **build.clips},
    }


def tuned(build: Build, arch: Arch, name: str, epochs: int | None = None) -> tuple[Network, Recipe]:
    """A sub-network, fine-tuned in float with distillation from the largest network, and how.

    name: of its run. epochs: where not given, by the recipe and the number of clips.
    """
    epochs = build.making.epochs_to_tune(build.steps) if epochs is None else epochs
    recipe = Recipe(epochs=epochs, learning_rate=build.making.tune_rate, bfloat16=True, **build.shared)
    network, run = build.supernet.extract(arch), build.run / "tuned" / name
    train_float(network, build.data, build.frontend, recipe, run, build.calibration, build.teacher)
    return network, recipe


def quantised(build: Build, network: Network, arch: Arch, bits: int, name: str) -> tuple[FakeQuantNetwork, QuantRecipe]:
    """A network in float, fine-tuned at the bits of `arch`, and how. bits: by which the rate is chosen."""
    epochs = build.making.epochs_to_quantise(build.steps)
    recipe = QuantRecipe.at_bits(bits, epochs=epochs, **build.shared)
    return quantise(network, arch, *build.parts, recipe, build.run / "quant" / name), recipe


def with_learned_bits(build: Build, network: Network, name: str) -> tuple[Arch, WidthRecipe]:
    """The architecture of a network with a width for each layer's weights that it learned, and how."""
    making = build.making
    recipe = WidthRecipe(epochs=making.width_epochs, weight_bits=making.mean_bits, activation_bits=8, **build.shared)
    return learn_widths(network, *build.parts, recipe, build.run / "quant" / name), recipe


def with_silence(build: Build, fake: FakeQuantNetwork) -> IntegerNetwork:
    """The integers of a network, with the logit of silence raised as `silence_shift` says."""
    shift = silence_shift(build.data, build.recipe)
    if not shift:
        return fake.to_integer()
    moved = copy.deepcopy(fake)
    with torch.no_grad():
        moved.layers[moved.specs[-1].name].bias[build.data.silence_class] += shift
    return moved.to_integer()


def measured(build: Build, integers: IntegerNetwork, name: str) -> dict:
    """Accuracy of the integers on a split."""
    measure = partial(split_figures, integers, build.frontend, build.data, name)
    return _kept(build, integers, measured_as(build.data, name), measure)


def _detection(build: Build, integers: IntegerNetwork) -> dict:
    """How the integers detect in a stream, where there are negatives."""
    data, features = build.data, integers.arch.features
    scale = integers.activations[integers.specs[-1].name].scale
    scores = IntegerScores(scale, data.multi_label)
    selected = build.frontend.select(features.coefficients, features.step_ms)
    choose = partial(choose_detection, integers, selected, scores, data, build.false_alarms)
    return _kept(build, integers, f"detection, {build.false_alarms} false alarms an hour", choose)


def _kept(build: Build, integers: IntegerNetwork, what: str | dict, measure: Callable[[], dict]) -> dict:
    """What `measure` gives of the integers, from the folder of the run where it was measured before."""
    known = {"model": digest(packed(integers)), "what": what, "frontend": build.frontend.to_dict()}
    return Kept(build.run / FIGURES).take({**known, "data": build.data.digest, "audio": build.data.audio_key}, measure)


def make_package(build: Build, integers: IntegerNetwork, accuracy: dict, training: dict) -> Path:
    """A package of integers in the folder of the run. accuracy: by split. training: how they were made."""
    info = {**_about(build), "training": {**training, **build.clips}, "accuracy": accuracy}
    if build.data is not None and build.data.held_negatives:
        info |= {"detection": _detection(build, integers), "limits": limits_with_detection(info["limits"])}
    return write_package(build.run / PACKAGES, integers, build.frontend, _samples(build, integers.arch), info)


def _about(build: Build) -> dict:
    """What `config.json` and the card state of a model, but its accuracies and how it was made."""
    data = build.data
    known = {} if data is None else {
        "labels": list(data.labels),
        "multi_label": data.multi_label,
        "licence": data.licence,
        "attribution": data.attribution,
    }  # fmt: skip
    stated = {key: value for key, value in build.info.items() if key != "origin"}
    return {"task": build.task, **known, **stated}


def _samples(build: Build, arch: Arch) -> np.ndarray:
    """(clips, samples) int16 for test vectors."""
    if not build.give_clips:
        return noise(arch)
    test, count = build.data.splits["test"].rows, vector_clips(build.data.audio.shape[1])
    return build.data.audio[test[:: max(1, len(test) // count)][:count]]
