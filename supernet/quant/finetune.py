"""Quantisation-aware fine-tuning of an extracted network, with distillation from a larger one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from supernet.arch import Arch
from supernet.data.clips import ClipData
from supernet.frontend.mfcc import Mfcc
from supernet.nn.network import Network
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.quantisers import method
from supernet.train.loop import tensor_digest
from supernet.train.networks import train_network
from supernet.train.recipe import Recipe

__all__ = ["QuantRecipe", "TuneRecipe", "quantise"]

HIGH_BITS_RATE, LOW_BITS_RATE = 2.5e-4, 1e-3


@dataclass(frozen=True)
class TuneRecipe(Recipe):
    """A Recipe for trained weights that are to be quantised. bfloat16: of the teacher; the network with emulated
    integers is always computed in float32.
    """

    epochs: int = 5
    learning_rate: float = 1e-3
    warmup: float = 0.02
    weight_decay: float = 0.005
    bfloat16: bool = True


@dataclass(frozen=True)
class QuantRecipe(TuneRecipe):
    """A TuneRecipe, the method of quantisation, and the share of the loss that comes from the teacher's outputs instead
    of the labels.

    epochs: of all stages of the method together.
    """

    distillation: float = 0.7
    method: str = "lsq"

    @classmethod
    def at_bits(cls, bits: int, **settings) -> QuantRecipe:
        """The recipe of published models: at 5 bits and more weights have little to move, so they learn slower."""
        return cls(learning_rate=HIGH_BITS_RATE if bits >= 5 else LOW_BITS_RATE, **settings)


def quantise(
    network: Network,
    arch: Arch,
    teacher: Network | None,
    data: ClipData,
    frontend: Mfcc,
    calibration: Tensor,
    recipe: QuantRecipe,
    run_dir: str | Path,
    progress: bool = True,
    clips: int = 1,
) -> FakeQuantNetwork:
    """Fine-tune a calibrated network at the bits of `arch`; `to_integer()` of the result is its integer form.

    teacher: a calibrated float network, or None to learn from the labels alone. calibration: features (batch,
    coefficients, clips * frames) that norms and ranges are measured on, at the start and after each epoch; clips: see
    `recalibrate`. run_dir: folder of the run, resumed where it stopped. A method of several stages spends its epochs on
    them in about equal parts; without epochs the network is rounded and calibrated.
    Raises UnknownName for a method that nobody registered.
    """
    chosen = method(recipe.method)
    fake, stages = FakeQuantNetwork(network, arch, chosen.quantiser), chosen.stages
    calibrate, measured_on = partial(fake.calibrate, calibration, clips), tensor_digest(calibration)
    for number, with_activations in enumerate(stages):
        fake.with_activations = with_activations
        epochs = (recipe.epochs + number) // len(stages)
        folder = Path(run_dir) / f"stage{number + 1}" if len(stages) > 1 else run_dir
        identity = {"arch": arch.to_dict(), "with_activations": with_activations, "calibration": measured_on}
        stage = replace(recipe, epochs=epochs)
        train_network(fake, data, frontend, stage, folder, identity, calibrate, teacher, recipe.distillation, progress)
    return fake if stages else calibrate().eval()
