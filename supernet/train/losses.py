"""What networks learn by: cross entropy with labels, or with a teacher's outputs (Hinton et al., arXiv 1503.02531)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

__all__ = ["Losses", "distillation_loss", "label_loss"]


@dataclass(frozen=True)
class Losses:
    """What networks learn by. classes: how many logits; labels: from logits and targets; outputs: from logits and a
    teacher's.
    """

    classes: int
    labels: Callable[[Tensor, Tensor], Tensor]
    outputs: Callable[[Tensor, Tensor], Tensor]


def label_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0, several: bool = False) -> Tensor:
    """Cross entropy of logits (batch, classes) with class indexes (batch,), or with shares of classes (batch, classes).

    several: a clip may have several labels; targets are 0 or 1 (batch, classes), and each class is a question of its
    own.
    """
    if not several:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing)
    return F.binary_cross_entropy_with_logits(logits, targets * (1 - smoothing) + smoothing / 2)


def distillation_loss(logits: Tensor, teacher: Tensor, several: bool = False) -> Tensor:
    """Cross entropy of logits with the outputs of a teacher, both (batch, classes). several: labels a clip."""
    if several:
        return F.binary_cross_entropy_with_logits(logits, teacher.sigmoid())
    return F.cross_entropy(logits, teacher.softmax(1))
