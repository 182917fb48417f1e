"""Are smaller kernels better with a transform that is learned, as in Once-for-All, or as plain slices?

    python scripts/kernel_transform.py ../shared/data/esc50

Once-for-All (Cai et al., arXiv 1908.09791) passes the middle of a larger kernel through a matrix that each layer learns
for each smaller size; here it starts as the identity. Two supernets are trained by the recipe of the bundled one of
events, one with and one without, and the validation accuracy of the same sub-networks is compared, by the kernel that
all their blocks have. Rows: `kernel_transform.csv` in `scripts/results`. Runs resume.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from make_hub import PLANS
from results import add_row
from torch import nn

from supernet.arch import Arch
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.data.esc50 import load
from supernet.families.blocks import Block
from supernet.frontend import front_end
from supernet.frontend.mfcc import Mfcc
from supernet.layer import LayerSpec, layers
from supernet.nn.ops import Slice
from supernet.nn.supernet import Supernet
from supernet.space import Space, default_space
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.evaluate import accuracy
from supernet.train.supernets import train_supernet

TABLE, KERNELS, DRAWN, DRAW_SEED = "kernel_transform", (7, 5, 3), 24, 1
PLAN = PLANS["aec-mbconv"]


class TransformedSupernet(Supernet):
    """A Supernet whose square kernels pass through a learned matrix on their way to each smaller size."""

    def __init__(self, space: Space, calibration: torch.Tensor | None = None, seed: int = 0) -> None:
        super().__init__(space, calibration, seed)
        self.matrices = nn.ParameterDict()
        for spec in layers(space.largest()):
            if spec.depthwise:
                for size in range(3, spec.kernel[0], 2):
                    self.matrices[f"{spec.name}_{size}"] = nn.Parameter(torch.eye(size**2))

    def slice(self, spec: LayerSpec) -> Slice:
        """The middle of the next larger kernel, times the matrix of its size, from the largest on."""
        tensors = self.network.layers[spec.name]
        if not spec.depthwise:
            return super().slice(spec)
        found, weight = super().slice(spec), tensors.weight[: spec.out_shape[0]]
        for size in range(weight.shape[2] - 2, spec.kernel[0] - 1, -2):
            middle = weight[:, :, 1:-1, 1:-1].flatten(2)
            weight = (middle @ self.matrices[f"{spec.name}_{size}"]).unflatten(2, (size, size))
        return found._replace(weight=weight.contiguous())


KINDS = {"slices": Supernet, "transformed": TransformedSupernet}


def main() -> None:
    """Train both and write the rows."""
    options = _options()
    torch.set_num_threads(options.threads)
    data = load(options.data)
    frontend = fit_frontend(data, kind=front_end(PLAN.features))
    calibration = calibration_features(data, frontend, PLAN.calibration[1])
    networks = default_space(PLAN.family, len(data.labels), data.clip_ms, PLAN.features)
    recipe = replace(PLAN.recipe, epochs=options.epochs, seed=options.seed)
    for name in options.kinds:
        run = options.runs / TABLE / f"{name}-s{options.seed}-e{options.epochs}"
        supernet = KINDS[name](networks, calibration, options.seed)
        train_supernet(supernet, data, frontend, recipe, run)
        keys = {"kernels": name, "seed": options.seed, "epochs": options.epochs}
        add_row(TABLE, keys, _accuracies(supernet, data, frontend), run)


def _accuracies(supernet: Supernet, data: ClipData, frontend: Mfcc) -> dict[str, float]:
    """Mean validation accuracy in percent of the same networks with each kernel in all blocks, and over all kernels."""
    split, networks = data.splits["validation"], supernet.space
    features = plain_features(data, split.rows, frontend)
    drawn = networks.from_genes(networks.sample_sizes(np.random.default_rng(DRAW_SEED), DRAWN))
    found = {}
    for kernel in KERNELS:
        shares = [accuracy(supernet.extract(_with_kernel(arch, kernel)), features, split.targets) for arch in drawn]
        found[f"kernel_{kernel}"] = round(100 * float(np.mean(shares)), 2)
    return {**found, "mean": round(float(np.mean(list(found.values()))), 2), "networks": DRAWN}


def _with_kernel(arch: Arch, kernel: int) -> Arch:
    stages = [
        replace(stage, blocks=tuple(Block(kernel, block.expansion) for block in stage.blocks))
        for stage in arch.shape.stages
    ]
    return replace(arch, shape=replace(arch.shape, stages=tuple(stages)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of ESC-50")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="default: both")
    parser.add_argument(
        "--epochs", type=int, default=PLAN.recipe.epochs, help="of each supernet (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="state of the runs (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
