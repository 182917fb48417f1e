"""What do networks of linear memories lose at fewer bits, and where the power of their products is in the loss?

    python scripts/study.py systems ../shared/data --nets lmu-4.4M lmu-1.1M lmu-0.4M    # trains them in float
    python scripts/study.py memory_power ../shared/data

Blouw et al. (arXiv 2009.04465) trained with the widths of weights and values and the power of their circuit in the
loss, and tell of 96.9, 95.9, 95.0 and 92.7 % with weights of 1683, 361, 105 and 49 kbit, on Speech Commands of twelve
classes; here are other data, so that only what is lost can be set beside theirs. Each row begins with a network of
`systems` in float, near one of their sizes, and is fine-tuned by LSQ with distillation from it: `fixed`, inner layers
at so many bits, first and last ones at 8; `power`, widths that were learned under a target of the power of all products
(supernet.quant.widths.PowerRecipe), as a share of what they take at 8 bits. A product of 8 bits by 8 takes what a
weight took on their circuit, 3.9 pJ. Figures are of the integers. Rows: `memory_power.csv`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from long_run import behind_all, load_words
from predictors.power import draw_of
from studies.base import RUNS, SCENES, Shown, Study, seeds, several, value
from studies.first_layer import SCENERIES, setting_of
from studies.networks import Setting
from studies.rows import Rows, seconds_of
from studies.sinc_widths import tuned
from studies.systems import MEMORIES, kept
from studies.systems import archs as networks
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import macs, mean_bits, weight_bytes
from supernet.nn.network import Network
from supernet.quant.widths import PowerRecipe, learn_widths, products_power_uw

TABLE, WORDS, SCENERY = "memory_power", "numbers", SCENERIES["dry"]
UJ_PER_MAC = draw_of("lmu-circuit").uj_per_mac
PUBLISHED = {"lmu-4.4M": (361, 95.9), "lmu-1.1M": (105, 95.0), "lmu-0.4M": (49, 92.7)}
"""Kbit of weights, and accuracy, by the network that is near them."""


@dataclass(frozen=True)
class Way:
    """A row: `fixed` at so many bits, or `power` at so much of that of 8 bits."""

    kind: str
    value: float

    @property
    def name(self) -> str:
        """As rows have it."""
        return f"{self.kind} {self.value:g}"


WAYS = [Way("fixed", 8), Way("fixed", 4), Way("fixed", 2), Way("power", 0.75), Way("power", 0.5)]


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Tune and measure what is not done."""
    with behind_all(options.runs / TABLE):
        data = load_words(options.data, words=WORDS)
        for seed in options.seeds:
            for name in options.nets:
                todo = [way for way in WAYS if not rows.done(TABLE, _keys(name, way, seed, options))]
                if todo:
                    arch = networks(len(data.labels))[name]
                    _measure(name, seed, todo, setting_of(arch, data, options, rows, SCENERY))


def _keys(name: str, way: Way, seed: int, options: argparse.Namespace) -> dict:
    return {"net": name, "way": way.name, "hours": options.hours, "seed": seed, "quant_epochs": options.quant_epochs}


def _measure(name: str, seed: int, ways: list[Way], setting: Setting) -> None:
    options, folder = setting.options, setting.options.runs / TABLE
    network = kept(name, seed, options, setting.calibration)
    in_float = setting.measured(network, folder / f"{name}-s{seed}")
    for way in ways:
        run = folder / f"{name}-s{seed}-{way.name.replace(' ', '-')}"
        arch = _arch(way, network, setting, run)
        weights, between = mean_bits(arch)
        figures = {"macs": macs(arch), "weight_bits": round(weights, 3), "activation_bits": round(between, 3)}
        figures |= {"flash_bytes": weight_bytes(arch), "power_uw": round(products_power_uw(arch, UJ_PER_MAC), 4)}
        integers = tuned(network, arch, SCENERY, setting, run)
        figures |= {"float_test": in_float["test"], "seconds": seconds_of(run), **setting.measured(integers, run)}
        setting.rows.add(TABLE, _keys(name, way, seed, options), figures, run)


def _arch(way: Way, network: Network, setting: Setting, run: Path) -> Arch:
    if way.kind == "fixed":
        return with_bits(network.arch, int(way.value))
    recipe = PowerRecipe(
        epochs=setting.options.quant_epochs, uj_per_mac=UJ_PER_MAC, bfloat16=False, augmentation=SCENERY,
        power_uw=way.value * products_power_uw(with_bits(network.arch, 8), UJ_PER_MAC),
    )  # fmt: skip
    parts = setting.data, setting.frontend, setting.calibration
    return learn_widths(network, network, *parts, recipe, run.with_name(f"{run.name}-bits"))


def table_of_power(found: Rows) -> Shown:
    """Figures of each network, the largest first, behind it what is published of one near its size."""
    table = found.read(TABLE).sort_values(["macs", "flash_bytes"], ascending=False)
    rows = []
    for name, part in table.groupby("net", sort=False):
        rows += [
            [
                name, row.way, f"{row.weight_bits:.2f}", f"{row.activation_bits:.2f}", f"{row.power_uw:.2f}",
                f"{8 * row.flash_bytes / 1e3:.0f}", f"{row.validation:.2f}", f"{row.test:.2f}",
                f"{row.test - row.float_test:+.2f}",
            ]
            for row in part.itertuples()
        ]  # fmt: skip
        size, right = PUBLISHED[name]
        rows.append(["Blouw et al.", "", "", "", "", f"{size}", "", f"{right}", ""])
    header = ["network", "bits, or power", "mean bits of a weight", "of an activation", "uW of products", "kbit"]
    return [*header, "validation %", "test %", "beside float"], rows


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        value("--hours", 2.0, "as of `systems`, which trained the networks"),
        value("--quant-epochs", 3, "of each fine-tune, and to learn widths"),
        seeds(1),
        RUNS,
        several("--nets", [*MEMORIES], "networks"),
    ),
    tables={TABLE: table_of_power},
)
