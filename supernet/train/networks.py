"""Training one network: from labels, and from a teacher's outputs where there is one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network, recalibrate
from supernet.train.evaluate import accuracy
from supernet.train.loop import fit, weights_digest
from supernet.train.objective import losses_of, prior_shift
from supernet.train.recipe import Recipe

__all__ = ["train_float", "train_network"]


def train_network(
    network: nn.Module,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    identity: dict,
    calibrate: Callable[[], object],
    teacher: nn.Module | None = None,
    distillation: float = 0.7,
    progress: bool = True,
    penalty: Callable[[], Tensor] | None = None,
    measure_every: int = 1,
) -> nn.Module:
    """Train one network in place, or go on where the run in folder `run` stopped; returns it calibrated, evaluating.

    Any module from features (batch, coefficients, frames) to logits will do. It learns the labels, and for a share
    `distillation` of the loss the outputs of `teacher`, where there is one. calibrate: measures what the network
    evaluates with (norms, ranges); called before the run, and where `fit` measures. identity: what fixes the run beside
    what `fit` keeps. penalty: added to the loss. measure_every: see `fit`.
    """
    choosing, losses = data.choosing, losses_of(data, recipe, prior_shift(data, recipe))
    features = plain_features(data, choosing.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        chained = {"clips": len(targets) // len(x)} if len(targets) > len(x) else {}
        with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(x, **chained).float()
            with torch.no_grad():
                soft = None if teacher is None else teacher(x, **chained).float()
        loss = losses.labels(logits, targets)
        if soft is not None:
            loss = (1 - distillation) * loss + distillation * losses.outputs(logits, soft)
        if penalty is not None:
            loss = loss + penalty()
        loss.backward()
        return loss.detach()

    def measure() -> dict[str, float]:
        calibrate()
        return {"validation": accuracy(lambda x: network(x)[:, : len(data.labels)], features, choosing.targets)}

    if teacher is not None:
        teacher.eval()
        identity = {**identity, "teacher": weights_digest(teacher), "distillation": distillation}
    return fit(network, data, frontend, recipe, run, identity, step, measure, progress, calibrate, measure_every)


def train_float(
    network: Network,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    calibration: Tensor,
    teacher: Network | None = None,
    measure_every: int = 1,
    clips: int = 1,
) -> Network:
    """Train a Network by `train_network`, its norms measured on `calibration` (batch, coefficients, clips * frames).

    clips: see `recalibrate`.
    """
    calibrate, identity = partial(recalibrate, network, calibration, clips), {"arch": network.arch.to_dict()}
    return train_network(
        network, data, frontend, recipe, run, identity, calibrate, teacher, measure_every=measure_every
    )
