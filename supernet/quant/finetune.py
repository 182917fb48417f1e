"""Quantisation-aware fine-tuning of an extracted network, with distillation from a larger one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.elastic import Network
from supernet.evaluate import accuracy
from supernet.frontend import Mfcc
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import Arch
from supernet.train import Recipe, fit, weights_digest

__all__ = ["QuantRecipe", "quantise"]


@dataclass(frozen=True)
class QuantRecipe(Recipe):
    """A Recipe, and the share of the loss that comes from the teacher's outputs instead of the labels."""

    epochs: int = 5
    learning_rate: float = 1e-3
    warmup: float = 0.02
    weight_decay: float = 0.005
    distillation: float = 0.7


def quantise(
    network: Network,
    arch: Arch,
    teacher: Network,
    data: ClipData,
    frontend: Mfcc,
    calibration: Tensor,
    recipe: QuantRecipe,
    run: str | Path,
    progress: bool = True,
) -> FakeQuantNetwork:
    """Fine-tune a calibrated network at the bits of `arch`; `to_integer()` of the result is its integer form.

    teacher: a calibrated float network. calibration: features (clips, coefficients, frames) that norms and ranges are
    measured on, at the start and after each epoch. run: folder of the run, resumed where it stopped.
    """
    fake = FakeQuantNetwork(network, arch)
    validation = data.splits["validation"]
    features = plain_features(data, validation.rows, frontend)
    teacher = teacher.eval()

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        logits = fake(x)
        with torch.no_grad():
            soft = teacher(x).softmax(1)
        hard = F.cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
        loss = (1 - recipe.distillation) * hard + recipe.distillation * F.cross_entropy(logits, soft)
        loss.backward()
        return loss.detach()

    def measure() -> dict[str, float]:
        fake.calibrate(calibration)
        return {"validation": accuracy(fake, features, validation.targets)}

    identity = {"arch": arch.to_dict(), "teacher": weights_digest(teacher)}
    calibrate = partial(fake.calibrate, calibration)
    return fit(fake, data, frontend, recipe, run, identity, step, measure, progress, begin=calibrate)
