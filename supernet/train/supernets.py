"""Training supernets: a step trains random sub-networks, which all learn the labels (as in arXiv 2204.09210).

Two other schedules are here as well: the sandwich rule with in-place distillation, where the largest sub-network learns
the labels, the smallest and some random ones learn the largest one's outputs (Yu and Huang, arXiv 1903.05134), and
progressive shrinking, where the range that the random ones are drawn from widens phase by phase (Cai et al., arXiv
1908.09791).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.errors import InvalidData
from supernet.frontend.mfcc import Mfcc
from supernet.nn.supernet import Supernet
from supernet.space import Space
from supernet.train.evaluate import accuracy
from supernet.train.loop import fit, weights_digest
from supernet.train.losses import Losses, distillation_loss, label_loss
from supernet.train.objective import losses_of, prior_shift
from supernet.train.parallel import share_out
from supernet.train.precision import autocast
from supernet.train.recipe import Recipe, SupernetRecipe

__all__ = ["draw_archs", "train_step", "train_supernet"]


FROM_TEACHER = 0.7
"""Share of the loss of a network that learns labels and a teacher's outputs."""


def train_supernet(
    supernet: Supernet,
    data: ClipData,
    frontend: Mfcc,
    recipe: SupernetRecipe,
    run_dir: str | Path,
    progress: bool = True,
    teacher: nn.Module | None = None,
) -> Supernet:
    """Train `supernet` in place, or go on where the run in folder `run_dir` stopped; returns it in evaluation mode.

    The head's bias is corrected for unknown clips that were drawn more often; figures in the log are from before.
    teacher: gives outputs of the same classes for the same features, which all networks of a step learn, the first of
    them beside the labels; without one, those of a sandwich learn the first one's.
    Raises InvalidCheckpoint where the folder holds a run of another recipe or space.
    """
    space, choosing, losses = supernet.space, data.choosing, losses_of(data, recipe)
    if losses.classes != space.classes:
        raise InvalidData(f"the space has {space.classes} classes, and the tasks {losses.classes}")
    features = plain_features(data, choosing.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        return train_step(supernet, draw_archs(space, recipe, done, rng), x, targets, recipe, losses, teacher)

    def measure(arch: Arch) -> float:
        device = next(supernet.parameters()).device
        return accuracy(lambda x: supernet(x.to(device), arch)[:, : len(data.labels)], features, choosing.targets)

    def measure_ends() -> dict[str, float]:
        return share_out({name: partial(measure, getattr(space, name)()) for name in ("largest", "smallest")})

    identity = {"space": space.to_dict(), **({"teacher": weights_digest(teacher)} if teacher else {})}
    fit(supernet, data, frontend, recipe, run_dir, identity, step, measure_ends, progress)
    if recipe.tasks:
        return supernet
    head = supernet.network.layers[supernet.network.specs[-1].name]
    with torch.no_grad():
        head.bias -= prior_shift(data, recipe).to(head.bias)
    return supernet


def draw_archs(space: Space, recipe: SupernetRecipe, done: float, rng: np.random.Generator) -> list[Arch]:
    """The networks of one step without repeats, drawn from what is elastic by now; of a sandwich, the largest first."""
    elastic = [phase.elastic for phase in recipe.phases if phase.start <= done][-1]
    current = space.shrink(set(elastic))
    draw = current.sample_sizes if recipe.by_size else current.sample
    drawn = current.from_genes(draw(rng, recipe.random))
    ends = [space.largest(), current.smallest()] if recipe.sandwich else []
    return list(dict.fromkeys([*ends, *drawn]))


def train_step(
    supernet: Supernet,
    archs: list[Arch],
    x: Tensor,
    targets: Tensor,
    recipe: SupernetRecipe,
    losses: Losses | None = None,
    teacher: nn.Module | None = None,
) -> Tensor:
    """Add up the gradients of one step and return the first network's loss.

    x: (batch, coefficients, frames), or scenes of several clips for as many targets. archs: the first learns the
    labels, and from a teacher for a share FROM_TEACHER of its loss; the others the teacher's outputs, or else the first
    one's in a sandwich, and the labels too without one. losses: by default of one task, with one label a clip.
    """
    losses = losses or Losses(
        supernet.space.classes, partial(label_loss, smoothing=recipe.label_smoothing), distillation_loss
    )
    soft = None if teacher is None else _outputs(teacher, x, len(targets) // len(x), recipe)

    def learn(arch: Arch, loss_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        with autocast(recipe, x.device):
            logits = supernet(x, arch, len(targets) // len(x))
        loss = loss_of(logits.float())
        loss.backward()
        return logits.detach().float(), loss.detach()

    def from_labels(logits: Tensor) -> Tensor:
        return losses.labels(logits, targets)

    def from_both(logits: Tensor) -> Tensor:
        return (1 - FROM_TEACHER) * from_labels(logits) + FROM_TEACHER * losses.outputs(logits, soft)

    logits, loss = learn(archs[0], from_labels if soft is None else from_both)
    taught = recipe.sandwich or soft is not None
    soft = logits if soft is None else soft
    for arch in archs[1:]:
        learn(arch, (lambda logits: losses.outputs(logits, soft)) if taught else from_labels)
    return loss


@torch.no_grad()
def _outputs(teacher: nn.Module, x: Tensor, clips: int, recipe: Recipe) -> Tensor:
    with autocast(recipe, x.device):
        return teacher(x, clips).float()
