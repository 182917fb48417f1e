"""Quantisation-aware fine-tuning of an extracted network, with distillation from a larger one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from supernet.data.clips import ClipData
from supernet.elastic import Network
from supernet.frontend import Mfcc
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import Arch
from supernet.train import Recipe, train_network

__all__ = ["QuantRecipe", "quantise"]


@dataclass(frozen=True)
class QuantRecipe(Recipe):
    """A Recipe, and the share of the loss that comes from the teacher's outputs instead of the labels.

    bfloat16: of the teacher; the network with emulated integers is always computed in float32.
    """

    epochs: int = 5
    learning_rate: float = 1e-3
    warmup: float = 0.02
    weight_decay: float = 0.005
    bfloat16: bool = True
    distillation: float = 0.7


def quantise(
    network: Network,
    arch: Arch,
    teacher: Network | None,
    data: ClipData,
    frontend: Mfcc,
    calibration: Tensor,
    recipe: QuantRecipe,
    run: str | Path,
    progress: bool = True,
) -> FakeQuantNetwork:
    """Fine-tune a calibrated network at the bits of `arch`; `to_integer()` of the result is its integer form.

    teacher: a calibrated float network, or None to learn from the labels alone. calibration: features (clips,
    coefficients, frames) that norms and ranges are measured on, at the start and after each epoch. run: folder of the
    run, resumed where it stopped.
    """
    fake = FakeQuantNetwork(network, arch)
    calibrate = partial(fake.calibrate, calibration)
    identity, share = {"arch": arch.to_dict()}, recipe.distillation
    return train_network(fake, data, frontend, recipe, run, identity, calibrate, teacher, share, progress)
