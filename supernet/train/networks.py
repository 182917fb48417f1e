"""Training networks: from labels, and from a teacher's outputs where there is one; one alone, or several together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.errors import Diverged
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network, recalibrate
from supernet.train.evaluate import accuracy
from supernet.train.loop import fit, weights_digest
from supernet.train.objective import losses_of, prior_shift
from supernet.train.precision import autocast
from supernet.train.recipe import Recipe

__all__ = ["Learner", "train_float", "train_network", "train_together"]


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
    loss_of = _losses(data, recipe, distillation)
    features = plain_features(data, data.choosing.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        loss = loss_of(network, x, targets, None if teacher is None else _answers(teacher, x, targets, recipe))
        if penalty is not None:
            loss = loss + penalty()
        loss.backward()
        return loss.detach()

    def measure() -> dict[str, float]:
        calibrate()
        return {"validation": _right(network, features, data)}

    if teacher is not None:
        teacher.eval()
        identity = {**identity, "teacher": weights_digest(teacher), "distillation": distillation}
    return fit(network, data, frontend, recipe, run, identity, step, measure, progress, calibrate, measure_every)


@dataclass(frozen=True)
class Learner:
    """One of several networks that are trained on the same clips. calibrate, teacher: see `train_network`."""

    network: nn.Module
    calibrate: Callable[[], object]
    teacher: nn.Module | None = None


def train_together(
    learners: dict[str, Learner],
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    identity: dict,
    distillation: float = 0.7,
    progress: bool = True,
    measure_every: int = 1,
) -> None:
    """Train several networks in place, by name, each as `train_network` does it alone, on clips that are made once.

    They must read the features of one front end, in batches of one part, on a processor. The log has `validation NAME`
    of each. Raises Diverged naming the network whose loss is no number.
    """
    if recipe.parts > 1:
        raise ValueError(f"parts = {recipe.parts}: networks are trained together on whole batches; give 1")
    loss_of, networks = _losses(data, recipe, distillation), nn.ModuleList(one.network for one in learners.values())
    features = plain_features(data, data.choosing.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        found, soft = [], {one: _answers(one, x, targets, recipe) for one in set(teachers.values())}
        drawn = torch.get_rng_state()
        for name, own in learners.items():
            torch.set_rng_state(drawn)  # so that dropout is that of a training alone
            loss = loss_of(own.network, x, targets, soft.get(own.teacher))
            if not loss.isfinite():
                raise Diverged(f"{run}: the loss of {name} is {loss.item()}; lower the learning rate")
            loss.backward()
            nn.utils.clip_grad_norm_(own.network.parameters(), recipe.clip_gradient)
            found.append(loss.detach())
        return torch.stack(found).mean()

    def calibrate() -> None:
        for own in learners.values():
            own.calibrate()

    def measure() -> dict[str, float]:
        calibrate()
        return {f"validation {name}": _right(own.network, features, data) for name, own in learners.items()}

    teachers = {name: own.teacher.eval() for name, own in learners.items() if own.teacher is not None}
    taught = {"teachers": {name: weights_digest(one) for name, one in teachers.items()}, "distillation": distillation}
    identity = {**identity, "together": list(learners), **(taught if teachers else {})}
    # each was clipped by itself, so the bound on all of them together never binds
    whole = replace(recipe, clip_gradient=2 * recipe.clip_gradient * len(learners))
    fit(networks, data, frontend, whole, run, identity, step, measure, progress, calibrate, measure_every)


def _losses(data: ClipData, recipe: Recipe, distillation: float) -> Callable[..., Tensor]:
    """The loss of a network on features and targets, with a share of a teacher's answers where there are any."""
    losses = losses_of(data, recipe, prior_shift(data, recipe))

    def loss_of(network: nn.Module, x: Tensor, targets: Tensor, soft: Tensor | None) -> Tensor:
        logits = _logits(network, x, targets, recipe)
        loss = losses.labels(logits, targets)
        return loss if soft is None else (1 - distillation) * loss + distillation * losses.outputs(logits, soft)

    return loss_of


def _logits(network: nn.Module, x: Tensor, targets: Tensor, recipe: Recipe) -> Tensor:
    """Of each clip; features of several clips in turn are run through."""
    chained = {"clips": len(targets) // len(x)} if len(targets) > len(x) else {}
    with autocast(recipe, x.device):
        return network(x, **chained).float()


@torch.no_grad()
def _answers(teacher: nn.Module, x: Tensor, targets: Tensor, recipe: Recipe) -> Tensor:
    return _logits(teacher, x, targets, recipe)


def _right(network: nn.Module, features: Tensor, data: ClipData) -> float:
    """The share of the clips that are chosen by which a network has right."""
    return accuracy(lambda x: network(x)[:, : len(data.labels)], features, data.choosing.targets)


def train_float(
    network: Network,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    calibration: Tensor,
    teacher: Network | None = None,
    measure_every: int = 1,
) -> Network:
    """Train a Network by `train_network`, its norms measured on `calibration` (batch, coefficients, frames)."""
    calibrate, identity = partial(recalibrate, network, calibration), {"arch": network.arch.to_dict()}
    return train_network(
        network, data, frontend, recipe, run, identity, calibrate, teacher, measure_every=measure_every
    )
