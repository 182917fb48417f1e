"""What a recipe's networks learn: the data's own task, or several, at the proportions that clips are drawn in."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from supernet.data.clips import ClipData
from supernet.train.heads import Heads
from supernet.train.losses import Losses, distillation_loss, label_loss
from supernet.train.recipe import Recipe

__all__ = ["losses_of", "prior_shift", "silence_shift"]


def losses_of(data: ClipData, recipe: Recipe, shift: Tensor | None = None) -> Losses:
    """What is learned by a recipe: the data's own task, or several. shift: see `prior_shift`; several tasks have their
    own.
    """
    own = torch.zeros(()) if shift is None else shift
    if recipe.tasks:
        heads = Heads(data, dict(recipe.tasks), data.epoch(np.random.default_rng(0), recipe.unknown).targets)
        return Losses(heads.classes, partial(heads.loss, smoothing=recipe.label_smoothing), heads.distillation)

    def labels(logits: Tensor, targets: Tensor) -> Tensor:
        return label_loss(logits + own.to(logits), targets, recipe.label_smoothing, data.multi_label)

    def outputs(logits: Tensor, teacher: Tensor) -> Tensor:
        return distillation_loss(logits + own.to(logits), teacher + own.to(logits), data.multi_label)

    return Losses(len(data.labels), labels, outputs)


def prior_shift(data: ClipData, recipe: Recipe) -> Tensor:
    """How much likelier each class is drawn in training than by `data` itself: (classes,) natural logarithms."""
    shift = torch.zeros(len(data.labels))
    if len(data.unknown):
        drawn = [
            np.bincount(data.epoch(np.random.default_rng(0), times).targets)[data.unknown_class]
            for times in (1, recipe.unknown)
        ]
        shift[data.unknown_class] = math.log(drawn[1] / drawn[0])
    return shift


def silence_shift(data: ClipData, recipe: Recipe) -> float:
    """The logarithm of how many clips of other words, other recordings and joins an epoch draws for each clip of noise,
    beyond what `prior_shift` corrects: what the logit of silence is raised by, and never lowered.

    0 for data without either class, and for clips of `_unknown_` that are the user's own: how many there are is theirs
    to say. Words of the task become as much less likely than silence.
    """
    if data.multi_label or data.silence_class is None or data.unknown_class is None:
        return 0.0
    drawn = data.epoch(np.random.default_rng(0), recipe.unknown)
    beside = ~np.isin(drawn.rows, data.splits["train"].rows)
    others = ((drawn.targets == data.unknown_class) & beside).sum()
    silence = (drawn.targets == data.silence_class).sum()
    corrected = float(prior_shift(data, recipe)[data.unknown_class])
    return max(0.0, math.log(others / silence) - corrected) if others and silence else 0.0
