"""How few bits do networks over samples need, at fixed and at learned widths of weights and activations?

    python scripts/study.py sinc_widths ../shared/data                                    # behind `first_layer`
    python scripts/study.py sinc_widths ../shared/data --nets sinc-3M --epochs 4 --every 4 --scenes dry --quant-epochs 1

Peter et al. (arXiv 2104.06666) tell of 95.55 % in float, 93.76 % with learned widths at 2.51 bits a weight and 2.91 an
activation, and 90.35 % with 2 bits of both everywhere, on Speech Commands v0.01 with 12 classes; here are other data,
so that only differences can be set beside theirs. Each row begins with the network of `first_layer` in float, and is
fine-tuned by LSQ with distillation from it: `fixed`, all weights and what lies between layers at so many bits, edges
too; `edges`, first, last and depthwise layers at 8; `learned`, widths that were learned under targets of the mean bits
of both. Figures are of the integers. Rows: `sinc_widths.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from long_run import behind_all
from studies.base import Shown, Study, several, value
from studies.first_layer import OPTIONS, SCENERIES, archs, keys_of, setting_of, trained, words_of
from studies.networks import Setting
from studies.rows import Rows, seconds_of
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import mean_bits, weight_bytes
from supernet.data.scenes import Scenes
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.widths import WidthRecipe, learn_widths

TABLE, NETS = "sinc_widths", [name for name in archs(12) if not name.startswith(("map", "mfcc"))]
PUBLISHED = [
    ["Peter et al., float", "", "32", "32", "", "", "95.55", ""],
    ["Peter et al., learned widths", "", "2.51", "2.91", "", "", "93.76", "-1.79"],
    ["Peter et al., 2 bits", "", "2", "2", "", "", "90.35", "-5.20"],
]


@dataclass(frozen=True)
class Way:
    """A row. kind: `fixed`, `edges` or `learned`. weights, activations: bits, or targets of mean bits."""

    kind: str
    weights: float
    activations: float

    @property
    def name(self) -> str:
        """As rows have it."""
        return f"{self.kind} {self.weights:g}/{self.activations:g}"


WAYS = [
    Way("fixed", 8, 8),
    Way("learned", 2.5, 2.9),
    Way("fixed", 2, 2),
    Way("fixed", 4, 4),
    Way("fixed", 3, 3),
    Way("edges", 2, 2),
    Way("learned", 4, 4),
]


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train and measure what is not done."""
    with behind_all(options.runs / TABLE):
        data = words_of(options)
        for seed in options.seeds:
            for name in options.nets:
                todo = [way for way in WAYS if not rows.done(TABLE, _keys(name, way, seed, options))]
                if todo:
                    arch, scenes = archs(len(data.labels))[name], SCENERIES[options.scenes]
                    _measure(name, seed, todo, setting_of(arch, data, options, rows, scenes))


def _keys(name: str, way: Way, seed: int, options: argparse.Namespace) -> dict:
    return {**keys_of(name, seed, options), "bits": way.name, "quant_epochs": options.quant_epochs}


def _measure(name: str, seed: int, ways: list[Way], setting: Setting) -> None:
    network, folder = trained(name, archs(len(setting.data.labels))[name], seed, setting)
    in_float = setting.measured(network, folder)
    for way in ways:
        run = setting.options.runs / TABLE / f"{folder.name}-{way.name.replace(' ', '-').replace('/', '-')}"
        arch = _arch(way, network, setting, run)
        integers = tuned(network, arch, SCENERIES[setting.options.scenes], setting, run)
        weights, between = mean_bits(arch)
        figures = {"weight_bits": round(weights, 3), "activation_bits": round(between, 3)}
        figures |= {"flash_bytes": weight_bytes(arch), "float_test": in_float["test"], "seconds": seconds_of(run)}
        figures |= setting.measured(integers, run)
        setting.rows.add(TABLE, _keys(name, way, seed, setting.options), figures, run)


def _arch(way: Way, network: Network, setting: Setting, run: Path) -> Arch:
    if way.kind != "learned":
        edge = int(way.weights) if way.kind == "fixed" else 8
        return with_bits(network.arch, int(way.weights), int(way.activations), edge=edge)
    options = setting.options
    recipe = WidthRecipe(
        epochs=options.quant_epochs, weight_bits=way.weights, activation_bits=way.activations, bfloat16=False,
        augmentation=SCENERIES[options.scenes],
    )  # fmt: skip
    return learn_widths(
        network, network, setting.data, setting.frontend, setting.calibration, recipe, run.with_name(f"{run.name}-bits")
    )


def tuned(network: Network, arch: Arch, scenes: Scenes, setting: Setting, run: Path) -> Callable[[Tensor], Tensor]:
    """The integers of a network at the widths of `arch`, fine-tuned by LSQ with distillation from itself in float."""
    bits, epochs = round(min(mean_bits(arch))), setting.options.quant_epochs
    recipe = QuantRecipe.at_bits(bits, epochs=epochs, bfloat16=False, augmentation=scenes)
    parts = network, setting.data, setting.frontend, setting.calibration
    integers = TorchIntegers(quantise(network, arch, *parts, recipe, run).to_integer())
    return lambda x: integers(quantise_features(x))


def table_of_widths(found: Rows) -> Shown:
    """Figures at each width, the published ones behind."""
    table = found.read(TABLE).sort_values(["net", "weight_bits", "activation_bits"], ascending=[True, False, False])
    rows = [
        [
            row.net, row.bits, f"{row.weight_bits:.2f}", f"{row.activation_bits:.2f}",
            f"{row.flash_bytes / 1e3:.1f} kB", f"{row.validation:.2f}", f"{row.test:.2f}",
            f"{row.test - row.float_test:+.2f}",
        ]
        for row in table.itertuples()
    ]  # fmt: skip
    header = ["network", "bits of weights / activations", "mean bits of a weight", "of an activation", "flash"]
    return [*header, "validation %", "test %", "beside float"], [*rows, *PUBLISHED]


STUDY = Study(
    __doc__,
    run,
    (
        *OPTIONS,
        several("--nets", NETS, "networks"),
        value("--quant-epochs", 5, "of each fine-tune, and to learn widths"),
    ),
    tables={TABLE: table_of_widths},
)
