"""Plain networks: trained one at a time, without a supernet, by the recipe that all comparisons share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.elastic import Network, recalibrate
from supernet.evaluate import predict
from supernet.frontend import Mfcc
from supernet.space import Arch, Block, FeatureSpec, Stage
from supernet.train import Recipe, calibration_features, fit, weights_digest

__all__ = ["hits", "train", "train_plain", "uniform_archs"]


def uniform_archs(classes: int) -> dict[str, Arch]:
    """Networks of family `temporal` with equal blocks in each stage, by the MACs that they have on one second."""
    shapes = {
        "0.3M": ((16, 1, 3), (16, 1, 2), (16, 1, 2), 16, 32, FeatureSpec("mfcc", 20, 20)),
        "0.9M": ((16, 2, 3), (16, 2, 3), (24, 2, 3), 16, 64, FeatureSpec("mfcc", 30, 20)),
        "3M": ((24, 3, 3), (32, 3, 3), (32, 3, 3), 24, 96, FeatureSpec()),
        "7M": ((40, 4, 3), (40, 4, 3), (40, 4, 3), 40, 96, FeatureSpec()),
    }
    archs = {}
    for name, (*stages, stem, head, features) in shapes.items():
        blocks = tuple(Stage(width, (Block(9, expansion),) * depth) for width, depth, expansion in stages)
        archs[name] = Arch("temporal", features, 1000 // features.step_ms, classes, stem, blocks, head)
    return archs


def train(
    network: nn.Module,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: Path,
    calibrate: Callable[[], object],
    identity: dict,
    teacher: Network | None = None,
    distillation: float = 0.7,
) -> nn.Module:
    """Train any module on the labels, or on the teacher's outputs for a share `distillation` of the loss.

    calibrate: measures the norms before each evaluation. identity: what else fixes the run.
    """
    validation = data.splits["validation"]
    features = plain_features(data, validation.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(x)
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=recipe.label_smoothing)
        if teacher is not None:
            with torch.no_grad():
                soft = teacher(x).softmax(1)
            loss = (1 - distillation) * loss + distillation * F.cross_entropy(logits.float(), soft)
        loss.backward()
        return loss.detach()

    def measure() -> dict[str, float]:
        calibrate()
        return {"validation": float(hits_on(network, features, validation.targets).mean())}

    if teacher is not None:
        identity = {**identity, "teacher": weights_digest(teacher), "distillation": distillation}
    fit(network, data, frontend, recipe, run, identity, step, measure)
    calibrate()
    return network


def train_plain(
    network: Network, data: ClipData, frontend: Mfcc, recipe: Recipe, run: Path, teacher: Network | None = None
) -> Network:
    """Train a network of ours in float, by `train`."""
    calibration = calibration_features(data, frontend)
    identity = {"arch": network.arch.to_dict()}
    return train(network, data, frontend, recipe, run, lambda: recalibrate(network, calibration), identity, teacher)


def hits(network: Callable[[Tensor], Tensor], data: ClipData, frontend: Mfcc) -> dict[str, np.ndarray]:
    """Which clips of validation and test a network gets right: two arrays (clips,)."""
    return {
        name: hits_on(network, plain_features(data, split.rows, frontend), split.targets)
        for name, split in data.splits.items()
        if name != "train"
    }


def hits_on(network: Callable[[Tensor], Tensor], features: Tensor, targets: np.ndarray) -> np.ndarray:
    """(clips,) True where the top class is the target. features: int8."""
    return predict(network, features).argmax(1).numpy() == targets


def quant_recipe(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe of the 8-bit fine-tune that follows float training by `recipe`."""
    return replace(recipe, epochs=epochs, learning_rate=recipe.learning_rate / 4, bfloat16=False)
