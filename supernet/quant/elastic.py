"""Elastic bits: a supernet of which every sub-network can be had at several bit widths without training of its own.

The weights are shared by all widths, and each width has LSQ's steps of its own: one vector a layer over the largest
layer's output channels, sliced like the weights. Norms and ranges belong to the sub-network at its bits, and are
measured when it is extracted. On disk such a supernet has one more file, `steps.safetensors`. After quantisation-aware
once-for-all training (Shen et al., arXiv 2010.04354; Bulat and Tzimiropoulos, arXiv 2104.06066).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.errors import InvalidCheckpoint, InvalidModel
from supernet.frontend.mfcc import Mfcc
from supernet.integer.form import Activation
from supernet.integer.packing import default_grid
from supernet.layer import LayerSpec, layers
from supernet.nn.network import Network, execute
from supernet.nn.ops import preactivation
from supernet.nn.store import StoredSupernet, load_file, load_supernet, save_supernet
from supernet.nn.supernet import Supernet, slice_layer
from supernet.quant.fake import FakeQuantNetwork, fake_quantise
from supernet.quant.finetune import TuneRecipe
from supernet.quant.quantisers import LEAST_SCALE, Lsq, fit_steps, lsq
from supernet.space import Space
from supernet.train.evaluate import accuracy
from supernet.train.loop import fit, weights_digest
from supernet.train.losses import distillation_loss
from supernet.train.parallel import share_out
from supernet.train.precision import autocast

__all__ = [
    "WIDTHS",
    "ElasticBits",
    "ElasticBitsRecipe",
    "load_elastic_bits",
    "save_elastic_bits",
    "train_elastic_bits",
]

WIDTHS, EDGE_BITS = (8, 4, 3, 2, 1), 8
STEPS = "steps.safetensors"


@dataclass(frozen=True)
class ElasticBitsRecipe(TuneRecipe):
    """A TuneRecipe, and what a step trains: the largest and the smallest network and so many `random` ones, at
    different widths. All learn the outputs of the largest network in floating point.
    """

    random: int = 1


class ElasticBits(nn.Module):
    """A supernet with steps for each of `widths`, 8 among them for the edges. Trains the supernet's own weights.

    `elastic(x, arch)` runs a sub-network at the bits of its Arch as training does, with ranges of the batch;
    `extract(arch)` gives it ready for integers.
    """

    def __init__(self, supernet: Supernet, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        if EDGE_BITS not in widths:
            raise InvalidModel(f"widths {widths}: first, last and depthwise layers need {EDGE_BITS} as well")
        self.supernet, self.widths = supernet, widths
        self.log_steps = nn.ParameterDict()
        for bits in widths:
            for spec in layers(with_bits(supernet.space.largest(), bits, edge=EDGE_BITS)):
                if spec.has_weights and _key(spec) not in self.log_steps:
                    weight = supernet.network.layers[spec.name].weight
                    steps = fit_steps(weight, spec.weight_bits, default_grid(spec.weight_bits))
                    self.log_steps[_key(spec)] = nn.Parameter(steps.log())

    def forward(self, x: Tensor, arch: Arch, clips: int = 1) -> Tensor:
        """Logits (batch * clips, classes) of a sub-network for features x (batch, coefficients, clips * frames).

        Raises as `extract` does.
        """
        self._check(arch)

        def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            tensors = None
            if spec.has_weights:
                tensors = slice_layer(self.supernet.network.layers[spec.name], spec)
                bits, steps = spec.weight_bits, self._log_steps(spec).exp()
                tensors = tensors._replace(weight=lsq(tensors.weight, steps, bits, default_grid(bits)))
            output = preactivation(spec, inputs, tensors, training=True)
            return output if spec.logits or not spec.inputs else _at_own_range(output, spec)

        with torch.autocast(x.device.type, enabled=False):
            return execute(layers(arch), x, apply, clips)

    @torch.no_grad()
    def extract(self, arch: Arch, calibration: Tensor | None = None) -> FakeQuantNetwork:
        """The sub-network at the bits of its Arch, with norms and ranges measured in this call.

        calibration: features to measure on instead of the supernet's own. Raises InvalidArch for a network outside the
        space, InvalidModel for bits that were not trained.
        """
        self._check(arch)
        calibration = self.supernet.calibration if calibration is None else calibration
        fake = FakeQuantNetwork(self.supernet.slices(arch.without_bits()), arch, Lsq)
        for spec in fake.specs:
            if spec.has_weights:
                fake.quantisers[spec.name].log_steps.copy_(self._log_steps(spec))
        return fake.calibrate(calibration).eval()

    def _log_steps(self, spec: LayerSpec) -> Tensor:
        return self.log_steps[_key(spec)][: spec.out_shape[0]]

    def _check(self, arch: Arch) -> None:
        self.supernet.layers_of(arch.without_bits())
        missing = [spec for spec in layers(arch) if spec.has_weights and _key(spec) not in self.log_steps]
        if missing:
            raise InvalidModel(
                f"layer {missing[0].name} was not trained at {missing[0].weight_bits or 'no'} bits: "
                f"give with_bits(arch, bits) with bits of {self.widths}"
            )


def _key(spec: LayerSpec) -> str:
    return f"{spec.name}_w{spec.weight_bits}"


def _at_own_range(x: Tensor, spec: LayerSpec) -> Tensor:
    """x, rectified where the layer is, on all levels of its bits, from its least value, or zero, to its largest."""
    low, high = (float(value) for value in x.detach().aminmax())
    least, most = spec.limits
    low, high = max(min(low, 0.0), least), min(max(high, 0.0), most)
    scale = max((high - low) / (2**spec.activation_bits - 1), LEAST_SCALE)
    zero = -(2 ** (spec.activation_bits - 1)) - round(low / scale)
    return fake_quantise(x, Activation(scale, zero, spec.activation_bits), spec.rectified)


def train_elastic_bits(
    elastic: ElasticBits,
    teacher: Network,
    data: ClipData,
    frontend: Mfcc,
    recipe: ElasticBitsRecipe,
    run: str | Path,
    progress: bool = True,
) -> ElasticBits:
    """Fine-tune a supernet at all widths, or go on where the run in folder `run` stopped.

    teacher: its largest network in floating point, calibrated, from before.
    """
    space, validation = elastic.supernet.space, data.choosing
    features, device = plain_features(data, validation.rows, frontend), next(elastic.parameters()).device
    teacher.to(device).eval()

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        clips = max(1, len(targets) // len(x))
        with torch.no_grad(), autocast(recipe, x.device):
            soft = teacher(x, clips).float()
        losses = []
        for arch in draw_at_bits(space, elastic.widths, recipe.random, rng):
            loss = distillation_loss(elastic(x, arch, clips), soft, data.multi_label)
            loss.backward()
            losses.append(loss.detach())
        return losses[0]

    def measure(bits: int) -> float:
        fake = elastic.extract(with_bits(space.largest(), bits))
        return accuracy(lambda x: fake(x.to(device)), features, validation.targets)

    def measure_widths() -> dict[str, float]:
        ends = {max(elastic.widths), min(elastic.widths)}
        return share_out({f"largest, {bits} bits": partial(measure, bits) for bits in sorted(ends)})

    identity = {"space": space.to_dict(), "widths": list(elastic.widths), "teacher": weights_digest(teacher)}
    fit(elastic, data, frontend, recipe, run, identity, step, measure_widths, progress)
    return elastic


def save_elastic_bits(
    folder: str | Path, elastic: ElasticBits, frontend: Mfcc, task: str, labels: tuple[str, ...], info: dict
) -> Path:
    """Write a supernet with its steps at all widths; the rest is as for `save_supernet`."""
    steps = {key: value.detach().numpy() for key, value in elastic.log_steps.items()}
    info = {**info, "widths": list(elastic.widths)}
    return save_supernet(folder, elastic.supernet, frontend, task, labels, info, {STEPS: steps})


def load_elastic_bits(folder: str | Path, task: str) -> tuple[ElasticBits, StoredSupernet]:
    """A supernet with its steps at all widths, and the supernet as it is without them.

    Raises InvalidCheckpoint for a folder whose supernet has no such steps, and as `load_supernet` does.
    """
    stored = load_supernet(folder, task)
    widths = stored.config.get("widths")
    if widths is None:
        raise InvalidCheckpoint(f"{folder}: not trained at several widths; train_elastic_bits does that")
    if not isinstance(widths, list) or EDGE_BITS not in widths or not all(bits in range(1, 9) for bits in widths):
        raise InvalidCheckpoint(
            f"{folder}: widths {widths!r} are not possible; take the supernet from its source again"
        )
    elastic = ElasticBits(stored.supernet, tuple(widths))
    steps = load_file(folder, STEPS, stored.config)
    try:
        elastic.log_steps.load_state_dict({name: torch.from_numpy(array) for name, array in steps.items()})
    except RuntimeError as error:
        raise InvalidCheckpoint(f"{folder}: the steps do not fit the space: {str(error).splitlines()[-1]}") from None
    return elastic.eval(), stored


def draw_at_bits(space: Space, widths: tuple[int, ...], count: int, rng: np.random.Generator) -> list[Arch]:
    """The largest, the smallest and `count` networks drawn by size, at different widths as long as there are enough."""
    archs = [space.largest(), space.smallest(), *space.from_genes(space.sample_sizes(rng, count))]
    shuffled = np.concatenate([rng.permutation(widths) for _ in range(-(-len(archs) // len(widths)))])
    return [with_bits(arch, int(bits)) for arch, bits in zip(archs, shuffled, strict=False)]
