"""Recipes: how weights are trained, and which sub-networks a supernet's step trains. No loop here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from supernet.data.augment import Augmentation
from supernet.data.scenes import Scenes

__all__ = ["PROGRESSIVE_SHRINKING", "Phase", "Recipe", "SupernetRecipe", "augmentation_from_dict", "learning_rate"]


@dataclass(frozen=True)
class Recipe:
    """How weights are trained: AdamW, a learning rate that rises over the share `warmup` of the run and then falls as
    a cosine to zero, label smoothing, and gradients clipped to a norm.

    unknown: how many times as many clips of the unknown class as of silence an epoch draws; 1 is the test's proportion.
    What is trained answers at that proportion all the same (logit adjustment, Menon et al., arXiv 2007.07314).
    parts: into how many equal parts a batch is split, each with batch statistics of its own; processes share them.
    bfloat16: whether convolutions and what lies between them are computed in bfloat16 while training, where the device
    has instructions for it (see supernet.train.precision); weights, their gradients and all evaluation stay float32.
    tasks: names and labels of tasks that are trained beside the data's own, with heads of their own (see
    supernet.train.heads).
    """

    epochs: int = 40
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    warmup: float = 0.05
    label_smoothing: float = 0.1
    clip_gradient: float = 5.0
    unknown: int = 1
    parts: int = 1
    seed: int = 0
    bfloat16: bool = False
    augmentation: Augmentation | Scenes = field(default_factory=Augmentation)
    tasks: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        if self.parts < 1 or self.batch % self.parts:
            raise ValueError(f"a batch of {self.batch} has no {self.parts} equal parts: give a divisor")


def augmentation_from_dict(values: dict) -> Augmentation | Scenes:
    """The augmentation that a stored recipe has: in scenes, where it states their chain. Raises InvalidCheckpoint."""
    return (Scenes if isinstance(values, dict) and "chain" in values else Augmentation).from_dict(values)


@dataclass(frozen=True)
class Phase:
    """From this share of the run on, the named dimensions are elastic (see Space.shrink)."""

    start: float
    elastic: tuple[str, ...]


ALL_ELASTIC = (Phase(0.0, ("kernel", "features", "depth", "expansion", "excitation", "width")),)
PROGRESSIVE_SHRINKING = (
    Phase(0.0, ()),
    Phase(0.05, ("kernel", "features")),
    Phase(0.10, ("kernel", "features", "depth")),
    Phase(0.15, ("kernel", "features", "depth", "expansion", "excitation")),
    Phase(0.20, ("kernel", "features", "depth", "expansion", "excitation", "width")),
)


@dataclass(frozen=True)
class SupernetRecipe(Recipe):
    """A Recipe, and which sub-networks a step trains.

    sandwich: the largest and the smallest one in every step, and all others learn the largest one's outputs; else only
    random ones, which learn the labels. random: how many are drawn. by_size: draw them by Space.sample_sizes, as many
    large as small ones, instead of each gene by itself, which gives middling ones. phases: what is elastic, when.
    """

    bfloat16: bool = True
    sandwich: bool = False
    random: int = 2
    by_size: bool = True
    phases: tuple[Phase, ...] = ALL_ELASTIC

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.random < 1 and not self.sandwich:
            raise ValueError(f"random = {self.random} without a sandwich trains nothing: give 1 or more")

    @property
    def schedule(self) -> str:
        """What cards call it."""
        return "sandwich training with in-place distillation" if self.sandwich else "training random sub-networks"


def learning_rate(recipe: Recipe, done: float) -> float:
    """Learning rate at a share `done` (0 to 1) of the run."""
    if done < recipe.warmup:
        return recipe.learning_rate * done / recipe.warmup
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup)))
