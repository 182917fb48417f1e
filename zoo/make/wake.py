"""The network of a wake word: a slice of a supernet within limits, trained in rounds, each with what the last one took
for the word, and then at its bits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from predictors.device import find_profile
from search import Evolution, Problem, SearchSpace, search
from search.accuracy import has_predictor, load_predictor
from search.sampling import PLAIN_BITS, table_space
from supernet.arch import Arch
from supernet.bits import MIXED, with_bits
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.errors import InvalidQuery
from supernet.files import read_json, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.integer.runtime import IntegerNetwork
from supernet.nn.frontend import dequantise_features
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import StoredSupernet, load_network, retarget, save_network
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.widths import WidthRecipe, learn_widths
from supernet.space import Space
from supernet.train.calibration import scene_features
from supernet.train.networks import train_network
from supernet.train.recipe import Recipe
from supernet.train.remembering import Remembering
from zoo.ask.limits import limits_of
from zoo.make.spoken import CLASSES, LENGTHS_MS
from zoo.make.starts import start_folder

__all__ = [
    "Plan",
    "Wake",
    "check_limits",
    "chosen_arch",
    "fired",
    "is_done",
    "quantised",
    "reopened",
    "started",
    "trained",
]

DEFAULT_LIMITS = {"max_macs": 3e6}
"""Where no limit is asked for."""
MEAN_BITS = 2.5
ROUNDED = 8
"""Bits that weights are rounded to as they are: a fine-tune moves the scores of what is rarely heard further than
rounding does (scripts/README.md, "Wake words from their text").
"""
UNKNOWN_TIMES = 4
"""How many times as many clips of other sounds are drawn as of silence."""
CALIBRATED = 512
SCORE, MOST_HARD, APART_MS, HOP_MS = 0.2, 200, 800, 200
"""From which score on a window of the negatives is one that fires, how many are taken at most, and how far apart."""
FLOAT = "float.safetensors"
"""In the folder of a round: the weights that it ended with."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How long is trained. epochs: of the first round, again: of each further one, quant_epochs: at fewer bits than
    ROUNDED, and at mixed ones. evaluations: networks that a search tries. rate, again_rate: of learning; low, since
    what starts from many words learns the few voices of engines by heart otherwise. remember: the weight of what
    keeps the answers of the supernet on its own words (supernet.train.remembering), for the same end. rooms: how many
    are drawn for scenes.
    """

    epochs: int = 40
    again: int = 12
    rounds: int = 3
    quant_epochs: int = 3
    rate: float = 5e-4
    again_rate: float = 2.5e-4
    remember: float = 0.5
    batch: int = 64
    evaluations: int = 4000
    rooms: int = 600


@dataclass(frozen=True, eq=False)
class Wake:
    """What is trained. start: the supernet that it is a slice of. run: folder of what is made on the way."""

    start: StoredSupernet
    frontend: Mfcc
    run: Path
    plan: Plan
    seed: int = 0

    def recipe(self, epochs: int, rate: float) -> Recipe:
        """Of a round."""
        return Recipe(epochs=epochs, learning_rate=rate, **self.shared)

    @property
    def scenes(self) -> Scenes:
        """What clips are heard in."""
        return Scenes(rooms=self.plan.rooms)

    @property
    def shared(self) -> dict:
        """What all recipes have: words in scenes, twice as many other sounds as words. Labels are not smoothed:
        that keeps the scores of all that sounds like the word within a few hundredths, which thresholds cannot tell.
        """
        return {"batch": self.plan.batch, "unknown": UNKNOWN_TIMES, "seed": self.seed, "augmentation": self.scenes,
                "label_smoothing": 0.0}  # fmt: skip

    def calibration(self, data: ClipData, cut: bool = False) -> Tensor:
        """Features that norms and ranges are measured on: of whole scenes, as a stream hears clips, or of each clip."""
        drawn, chain = len(data.epoch(np.random.default_rng(self.seed))), self.scenes.chain
        clips = min(CALIBRATED, drawn // chain * chain)
        return scene_features(data, self.frontend, self.scenes, clips, self.seed, cut)


def chosen_arch(
    wake: Wake, start: str, data: ClipData, limits: Mapping, bits: int | str, device: str | None, sure: bool
) -> Arch:
    """The slice of the supernet `start` that its predictor says most of, within limits; without bits.

    Raises InfeasibleBudget, and UnknownName or InvalidQuery for limits that cannot be meant.
    """
    path, asked = wake.run / "arch.json", {**(limits_of(limits) or DEFAULT_LIMITS)}
    identity = {"limits": asked, "bits": bits, "device": device, "clip_ms": data.clip_ms, "seed": wake.seed,
                "start": wake.start.config["digests"]}  # fmt: skip
    kept = read_json(path) if path.is_file() else None
    if not isinstance(kept, dict) or kept.get("identity") != identity or "arch" not in kept:
        found = _searched(wake, start_folder(start), data, asked, bits, device, sure)
        kept = {"identity": identity, "arch": found.to_dict()}
        write_json(path, kept)
    return Arch.from_dict(kept["arch"])


def check_limits(begin: StoredSupernet, limits: Mapping, bits: int | str, device: str | None, sure: bool) -> None:
    """Raise, before a word is said, for limits that cannot be meant, or that no network keeps on the shortest clips."""
    if sure and device is None:
        raise InvalidQuery("sure is of limits on a device: give device as well; `earshot profile list` shows all")
    if device is not None:
        find_profile(device)
    least = replace(begin.supernet.space, classes=CLASSES, clip_ms=LENGTHS_MS[0])
    _ = _problem(least, {**(limits_of(limits) or DEFAULT_LIMITS)}, bits, device, sure).anchor


def _problem(space: Space, limits: Mapping, bits: int | str, device: str | None, sure: bool) -> Problem:
    return Problem(SearchSpace(space, PLAIN_BITS if bits == MIXED else (bits,)), limits, device, sure=sure)


def _searched(wake: Wake, folder: Path, data: ClipData, limits: Mapping, bits, device: str | None, sure: bool) -> Arch:
    begun = wake.start.supernet.space
    problem = _problem(replace(begun, classes=len(data.labels), clip_ms=data.clip_ms), limits, bits, device, sure)
    _ = problem.anchor
    known, score = SearchSpace(begun, problem.space.weight_bits), _by_size(problem.space)
    if has_predictor(folder):
        predictor, _ = load_predictor(folder, table_space(wake.start.supernet))
        score = partial(predictor.predict, known)
    result = search(Evolution(problem, np.random.default_rng(wake.seed)), score, wake.plan.evaluations)
    return result.arch.without_bits()


def _by_size(space: SearchSpace):
    """What a supernet without a predictor is searched by: more MACs are better."""
    return lambda genes: np.log(space.costs(genes)["macs"])


def started(wake: Wake, arch: Arch, data: ClipData) -> Network:
    """The slice with the weights of the supernet, and a new head."""
    begun, calibration = wake.start, wake.calibration(data, cut=True)
    supernet = retarget(begun, len(data.labels), data.clip_ms, calibration, wake.seed)
    return supernet.extract(arch)


def trained(wake: Wake, network: Network, data: ClipData, name: str, again: bool = False) -> Network:
    """A network after a round, from the folder of the run where that is done."""
    epochs, rate = (wake.plan.again, wake.plan.again_rate) if again else (wake.plan.epochs, wake.plan.rate)
    calibration, chain = wake.calibration(data), wake.scenes.chain
    path, identity = wake.run / name, {"arch": network.arch.to_dict(), "remember": wake.plan.remember}
    both = Remembering(network, _before(wake, network.arch, data, calibration)) if wake.plan.remember else None
    train_network(
        both or network, data, wake.frontend, wake.recipe(epochs, rate), path, identity,
        partial(recalibrate, network, calibration, chain), measure_every=epochs,
        penalty=both and (lambda: wake.plan.remember * both.forgotten()),
    )  # fmt: skip
    save_network(path / FLOAT, network)
    return network


def _before(wake: Wake, arch: Arch, data: ClipData, calibration: Tensor) -> Network:
    """The slice as the supernet has it, with the head that it begins with."""
    begun, cut = wake.start, wake.calibration(data, cut=True)
    supernet = retarget(begun, len(begun.labels), data.clip_ms, cut, labels=begun.labels)
    start = supernet.extract(replace(arch, classes=len(begun.labels)))
    return recalibrate(start, calibration, wake.scenes.chain)


def is_done(wake: Wake, name: str) -> bool:
    """Whether a round of that name has ended."""
    return (wake.run / name / FLOAT).is_file()


def reopened(wake: Wake, name: str, data: ClipData) -> Network:
    """The network that a round ended with."""
    network = load_network(wake.run / name / FLOAT)
    return recalibrate(network, wake.calibration(data), wake.scenes.chain).eval()


@torch.no_grad()
def fired(wake: Wake, network: Network, data: ClipData) -> list[np.ndarray]:
    """Windows of the negatives that a network takes for the word in a stream, (samples,) int16, those with the largest
    scores.
    """
    found, samples = [], data.audio.shape[1]
    for recording in data.negatives:
        scores, starts = _scores(wake, network, recording, data)
        order = [place for place in np.argsort(-scores) if scores[place] >= SCORE]
        kept: list[int] = []
        for place in order:
            if all(abs(starts[place] - starts[other]) >= APART_MS * data.sampling_rate // 1000 for other in kept):
                kept.append(place)
        found += [(scores[place], recording[starts[place] : starts[place] + samples]) for place in kept]
    found.sort(key=lambda pair: -pair[0])
    return [window for _, window in found[:MOST_HARD]]


def _scores(wake: Wake, network: Network, recording: np.ndarray, data: ClipData) -> tuple[np.ndarray, np.ndarray]:
    """Of the word in each window of a stream, and where these begin: windows that follow one another are clips of one
    row, and rows begin a hop apart.
    """
    samples, hop = data.audio.shape[1], HOP_MS * data.sampling_rate // 1000
    scores, starts = [np.zeros(0)], [np.zeros(0, int)]
    for first in range(0, samples, hop):
        count = (len(recording) - first) // samples
        if count > 0:
            features = torch.from_numpy(wake.frontend.run(recording[None, first : first + count * samples]))
            scores.append(network(dequantise_features(features), count).softmax(1)[:, 0].numpy())
            starts.append(first + samples * np.arange(count))
    return np.concatenate(scores), np.concatenate(starts)


def quantised(wake: Wake, network: Network, data: ClipData, bits: int | str, name: str) -> tuple[IntegerNetwork, str]:
    """The network in integers, at fewer bits than ROUNDED and mixed fine-tuned with itself in float as the teacher,
    and how, in words.
    """
    shared, epochs = wake.shared, 0 if bits == ROUNDED else wake.plan.quant_epochs
    parts = (network, data, wake.frontend)
    if bits == MIXED:
        widths = WidthRecipe(epochs=epochs, weight_bits=MEAN_BITS, activation_bits=8, **shared)
        arch = learn_widths(network, *parts, wake.calibration(data, cut=True), widths, wake.run / f"{name}-widths")
    else:
        arch = with_bits(network.arch, bits)
    recipe = QuantRecipe.at_bits(round(MEAN_BITS) if bits == MIXED else bits, epochs=epochs, **shared)
    folder, chain = wake.run / f"{name}-w{bits}", wake.scenes.chain
    fake = quantise(network, arch, *parts, wake.calibration(data), recipe, folder, epochs > 0, chain)
    times = f"for {epochs} epoch{'s' * (epochs != 1)}"
    return fake.to_integer(), f"{times} at {bits}-bit weights by LSQ" if epochs else f"rounded to {bits}-bit weights"
