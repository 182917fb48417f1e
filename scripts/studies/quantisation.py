"""Which method of quantisation is best at 8 bits down to 1, on two published networks, as integers on the test split?

    python scripts/study.py quantisation ../shared/data/speech_commands --spoken runs/spoken

Needs the runs of `scripts/make_hub.py`, whose fine-tuned float networks it starts from. A row is a fine-tune of so many
epochs with distillation from the supernet's largest network; 8, 4, 3, 2 and 1 bits inherit, each from the one before, 6
and 5 bits from 8, and the rows of few bits between layers from 8 and from each other; else it starts from the float
network. Other rows: `rounding` without a fine-tune; `widths` with three more epochs, in which they are learned, from
the row of 4 bits everywhere and from the float network; `labels`, LSQ without distillation; `unrecalibrated`, the
finished LSQ network with the norms and ranges that were measured before its fine-tune; `elastic`, taken from a supernet
that was trained at all widths at once. Experiments are ordered by worth; seeds but the first have LSQ alone, at 4 bits
and below. Rows: `quantisation.csv`, whose `epochs` are those of the row alone, and `quantisation_intervals.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from torch import Tensor

import make_hub
from pages import draw
from studies.base import KEYWORDS, RUNS, SPOKEN, THREADS, Shown, Study, option, seeds, several, value
from studies.rows import Rows, accuracy_columns, load_hits, paired_bootstrap, save_hits
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import mean_bits, weight_bytes
from supernet.data.augment import plain_features
from supernet.integer.runtime import IntegerNetwork
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network
from supernet.quant.elastic import ElasticBits
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.quantisers import METHODS
from supernet.quant.widths import WidthRecipe, learn_widths
from supernet.train.evaluate import hits, predict
from zoo.make.candidates import tuned_network
from zoo.make.pipeline import Build, train_bits

TABLE, SUPERNET = "quantisation", "kws-temporal-map"
NETWORKS = {"small": "3M", "large": "10M"}
"""The budgets that the networks were found within."""
INHERITING, ASIDE = (8, 4, 3, 2, 1), (6, 5)
"""Widths that start each from the one before, and widths that start from the first of them."""
PAIRS = ((4, 4), (2, 2))
MEAN_WEIGHT_BITS, MEAN_ACTIVATION_BITS = 2.5, 2.9
INHERITED, FLOAT, SUPERNET_START = "inherited", "float", "supernet"
WIDTHS, LABELS, UNRECALIBRATED, ELASTIC = "widths", "labels", "unrecalibrated", "elastic"
METHOD_NAMES = {
    "lsq": "LSQ",
    "tanh": "tanh",
    "rounding": "rounding after training",
    "straight-through": "plain straight-through",
    "two-stage": "two stages",
    "widths": "trained widths, then LSQ",
    "labels": "LSQ from labels alone",
    "unrecalibrated": "LSQ, norms and ranges of the start",
    "elastic": "elastic bits, no fine-tune",
}
INHERITED_NAMES = {method: f"{METHOD_NAMES[method]}, inherited" for method in ("lsq", "widths")}
WAYS_TO_BITS = (*INHERITED_NAMES.values(), *METHOD_NAMES.values())
LOST = (*INHERITED_NAMES.values(), *(METHOD_NAMES[method] for method in ("two-stage", "widths", "elastic")))
"""How pages call the methods, and those whose losses they show."""
ALL_METHODS = (*METHODS, WIDTHS, LABELS, UNRECALIBRATED, ELASTIC)


@dataclass(frozen=True)
class Experiment:
    """One row: a method at some bits. start: what it starts from. before: the experiment that it inherits from."""

    network: str
    method: str
    weight_bits: int
    activation_bits: int
    seed: int
    before: Experiment | None = None

    @property
    def start(self) -> str:
        """As rows have it."""
        if self.method == ELASTIC:
            return SUPERNET_START
        return INHERITED if self.before else FLOAT

    @property
    def keys(self) -> dict:
        """Of its row."""
        bits = {"weights": self.weight_bits, "activations": self.activation_bits}
        return {"network": self.network, "method": self.method, "start": self.start, **bits, "seed": self.seed}

    @property
    def name(self) -> str:
        """Of its run."""
        bits = f"w{self.weight_bits}a{self.activation_bits}" if self.weight_bits else "mixed"
        return f"{self.network}-{self.method}-{bits}-{self.start}-s{self.seed}"


def experiments() -> list[Experiment]:
    """All, in the order in which they are run."""
    found = _chain("small", 0)
    four = next(item for item in found if (item.weight_bits, item.activation_bits) == PAIRS[0])
    found += [Experiment("small", WIDTHS, 0, 0, 0, before) for before in (four, None)]
    inherited = {item.weight_bits: item for item in found if item.activation_bits == 8}
    for bits in (4, 2, 1):
        found += [Experiment("small", UNRECALIBRATED, bits, 8, 0, inherited[bits])]
        found += [Experiment("small", LABELS, bits, 8, 0, inherited[bits].before)]
    found += [Experiment(network, ELASTIC, bits, 8, 0) for network in NETWORKS for bits in INHERITING]
    found += [Experiment("small", "two-stage", bits, 8, 0) for bits in (5, 4, 2, 1)]
    found += [Experiment("small", "lsq", bits, 8, 0) for bits in (4, 2, 1)]
    others = ("rounding", "tanh", "straight-through")
    found += [Experiment("small", method, bits, 8, 0) for method in others for bits in (4, 2, 1)]
    found += _chain("large", 0)
    for seed in (1, 2):
        found += _inheriting(found[0], seed)
    return found


def _chain(network: str, seed: int) -> list[Experiment]:
    """The default method at every width, inheriting, and at few bits between layers too."""
    found = [Experiment(network, "lsq", INHERITING[0], 8, seed)]
    found += _inheriting(found[0], seed)
    last = found[0]
    for bits, between in PAIRS:
        last = Experiment(network, "lsq", bits, between, seed, last)
        found.append(last)
    return found + [Experiment(network, "lsq", bits, 8, seed, found[0]) for bits in ASIDE]


def _inheriting(last: Experiment, seed: int) -> Iterator[Experiment]:
    """Fewer bits than those of `last`, each from the one before; by other seeds from it on."""
    for bits in INHERITING[1:]:
        last = Experiment(last.network, "lsq", bits, 8, seed, last)
        yield last


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Run and measure what is asked for."""
    plan = make_hub.PLANS[SUPERNET]
    task = make_hub.word_task(options.data, plan.task, options.spoken)
    build = make_hub.train(SUPERNET, plan, task, task.load(), options.runs, options.runs / "hub")
    bench = Bench(build, options.epochs, rows)
    for item in experiments():
        wanted = item.network in options.networks and item.seed in options.seeds and item.method in options.methods
        if wanted and (not options.bits or item.weight_bits in options.bits):
            bench.run(item)


class Bench:
    """Runs experiments, each once, on networks of one supernet."""

    def __init__(self, build: Build, epochs: int, rows: Rows) -> None:
        self.build, self.epochs, self.rows = build, epochs, rows
        self.tuned = {
            name: tuned_network(build, budget, make_hub.PLANS[SUPERNET].budgets[budget])[0]
            for name, budget in NETWORKS.items()
        }
        self.finished: dict[Experiment, Network] = {}

    def run(self, item: Experiment) -> Network:
        """Train and measure one experiment, and those that it inherits from; returns its weights in floating point."""
        if item not in self.finished:
            fake, run = self._train(item)
            self.finished[item] = fake.to_float()
            kept = self._kept(item) / "hits-test.npy"
            self.rows.once(TABLE, item.keys, lambda: self._measured(item, fake), run, kept)
            self._lost(item)
        return self.finished[item]

    def _train(self, item: Experiment) -> tuple[FakeQuantNetwork, Path]:
        """A finished network that emulates integers, and the folder of its run."""
        if item.method == UNRECALIBRATED:
            return self._with_first_statistics(item.before)
        build, run = self.build, self._kept(item)
        network, shared = self._start(item), {**build.shared, "seed": item.seed}
        arch = with_bits(network.arch, item.weight_bits or 8, item.activation_bits or 8)
        if item.method == ELASTIC:
            return self.elastic.extract(arch, build.calibration), build.run / "bits"
        if item.method == WIDTHS:
            targets = {"weight_bits": MEAN_WEIGHT_BITS, "activation_bits": MEAN_ACTIVATION_BITS}
            arch = learn_widths(network, *build.parts, WidthRecipe(**targets, **shared), run / "widths")
        method = item.method if item.method in METHODS else "lsq"
        recipe = QuantRecipe.at_bits(item.weight_bits, epochs=self.epochs, method=method, **shared)
        teacher = None if item.method == LABELS else build.teacher
        fake, stages = quantise(network, arch, teacher, *build.parts[1:], recipe, run), len(METHODS[method].stages)
        return fake, run / f"stage{stages}" if stages > 1 else run

    def _start(self, item: Experiment) -> Network:
        return self.run(item.before) if item.before else self.tuned[item.network]

    def _with_first_statistics(self, item: Experiment) -> tuple[FakeQuantNetwork, Path]:
        """A finished network with norms and ranges as they were measured before its fine-tune."""
        fake, run = self._train(item)
        first = FakeQuantNetwork(self._start(item), fake.arch).calibrate(self.build.calibration)
        fake.activations = first.activations
        for name, layer in fake.layers.items():
            layer.mean, layer.var = first.layers[name].mean, first.layers[name].var
        return fake, run

    @cached_property
    def elastic(self) -> ElasticBits:
        """The supernet trained at several widths."""
        return train_bits(self.build, make_hub.PLANS[SUPERNET].bits)

    def _measured(self, item: Experiment, fake: FakeQuantNetwork) -> dict:
        """Of the integers: accuracy, bytes, mean bits, and how often the fake network says the same."""
        integers, trained = fake.to_integer(), item.method not in ("rounding", ELASTIC)
        values, right = {"epochs": self.epochs * trained}, {}
        for name, (features, targets) in self.splits.items():
            right[name] = hits(_with_features(integers), features, targets)
            values.update(accuracy_columns(name, right[name]))
            values[f"float_{name}"] = round(100 * float(self.float_hits[item.network][name].mean()), 2)
        save_hits(self._kept(item), **right)
        return {**values, **_agreement(fake, integers, self.splits["test"][0]), **_size(fake.arch)}

    def _lost(self, item: Experiment) -> None:
        """Write what is lost against the float network on the same test clips, over the seeds that are there."""
        same = [other for other in experiments() if {**other.keys, "seed": 0} == {**item.keys, "seed": 0}]
        kept = [self._kept(other) for other in same]
        right = np.stack([load_hits(folder, "test") for folder in kept if (folder / "hits-test.npy").is_file()])
        floating = np.broadcast_to(self.float_hits[item.network]["test"], right.shape)
        lost = dict(zip(("lost", "low", "high"), paired_bootstrap(floating, right), strict=True))
        keys = {key: value for key, value in item.keys.items() if key != "seed"}
        self.rows.add(f"{TABLE}_intervals", keys, {"seeds": len(right), **lost})

    def _kept(self, item: Experiment) -> Path:
        return self.build.run / "quantisation" / item.name

    @cached_property
    def splits(self) -> dict[str, tuple[Tensor, np.ndarray]]:
        """Features and labels of validation and, last, of test."""
        build = self.build
        splits = {name: build.data.splits[name] for name in ("validation", "test")}
        return {
            name: (plain_features(build.data, one.rows, build.frontend), one.targets) for name, one in splits.items()
        }

    @cached_property
    def float_hits(self) -> dict[str, dict[str, np.ndarray]]:
        """Which clips of each split each network in floating point has right."""
        return {
            network: {name: hits(floating, *split) for name, split in self.splits.items()}
            for network, floating in self.tuned.items()
        }


def _with_features(integers: IntegerNetwork) -> Callable[[Tensor], Tensor]:
    """The integers, of features in floating point."""
    own = TorchIntegers(integers)
    return lambda x: own(quantise_features(x))


def _agreement(fake: FakeQuantNetwork, integers: IntegerNetwork, features: Tensor) -> dict[str, float]:
    """Shares of clips, in percent: the same top label as the integers, all logits within one step of theirs, and the
    same label where the fake network computes as it is trained, in float32.
    """
    own, scale = predict(_with_features(integers), features), fake.activations[fake.specs[-1].name].scale
    logits = predict(fake, features) / scale
    fake.exact = False
    trained = predict(fake, features)
    fake.exact = True
    parts = {
        "same": logits.argmax(1) == own.argmax(1),
        "near": (logits - own).abs().amax(1) <= 1,
        "same_float32": trained.argmax(1) == own.argmax(1),
    }
    return {name: round(100 * float(part.double().mean()), 3) for name, part in parts.items()}


def _size(arch: Arch) -> dict[str, float]:
    """Bytes of flash, and mean bits of a weight and of a value between layers."""
    weights, between = mean_bits(arch)
    return {"flash_bytes": weight_bytes(arch), "mean_weights": round(weights, 3), "mean_activations": round(between, 3)}


def _by_way(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of `quantisation` with `way`, how a method is called, and `bits`; the widest of LSQ is of both its ways."""
    first = (table.method == "lsq") & (table.weights == table.weights.max())
    table = pd.concat([table.assign(inherits=table.start == "inherited"), table[first].assign(inherits=True)])
    ways = [
        (INHERITED_NAMES if inherits else METHOD_NAMES).get(method, METHOD_NAMES[method])
        for method, inherits in zip(table.method, table.inherits, strict=True)
    ]
    between = np.where(table.activations == 8, "", "/" + table.activations.astype(str))
    bits = np.where(table.weights == 0, "learned", table.weights.astype(str) + between)
    return table.assign(way=ways, bits=bits)


def table_of_methods(found: Rows) -> Shown:
    """Means over seeds."""
    table, rows = found.read(TABLE), []
    columns = ["8", "6", "5", "4", "3", "2", "1", "4/4", "2/2", "learned"]
    for network in NETWORKS:
        part = _by_way(table[table.network == network])
        rows.append([network, f"float: {part.float_test.iloc[0]:.2f}", *[""] * len(columns)])
        for way in [way for way in WAYS_TO_BITS if way in set(part.way)]:
            cells = part[part.way == way].groupby("bits").test.mean()
            rows.append([network, way, *(f"{cells[bits]:.2f}" if bits in cells.index else "" for bits in columns)])
    return ["network", "method", *columns], rows


def table_of_losses(found: Rows) -> Shown:
    """What is lost against the float network, of the methods in LOST."""
    table, intervals = found.read(TABLE), found.read(f"{TABLE}_intervals")
    rows, keys = [], ["network", "method", "start", "weights", "activations"]
    for network in NETWORKS:
        part = _by_way(table[table.network == network])
        for way in LOST:
            own = part[part.way == way].sort_values(["activations", "weights"], ascending=False)
            for bits, repeats in own.groupby("bits", sort=False):
                first, test = repeats.iloc[0], ", ".join(f"{value:.2f}" for value in repeats.sort_values("seed").test)
                pair = intervals[(intervals[keys] == first[keys]).all(axis=1)].iloc[0]
                means = f"{first.mean_weights:.2f} / {first.mean_activations:.2f}"
                lost = f"{pair.lost:+.2f} ({pair.low:+.2f} to {pair.high:+.2f})"
                same = f"{repeats.same.min():.1f}"
                rows.append([network, way, bits, means, f"{first.flash_bytes / 1e3:.1f} kB", test, lost, same])
    columns = ["bits", "mean bits", "flash", "test %, each seed", "lost (95 % interval)", "same label, %"]
    return ["network", "method", *columns], rows


def picture(found: Rows) -> plt.Figure:
    """Share of wrong answers on test over the bits of the weights, by method."""
    table = found.read(TABLE)
    figure, axes = plt.subplots(1, len(NETWORKS), figsize=(10, 4.2), sharey=True, layout="constrained")
    colors = {way: f"C{number}" for number, way in enumerate(WAYS_TO_BITS)}
    for axis, network in zip(axes, NETWORKS, strict=True):
        part = _by_way(table[table.network == network])
        axis.axhline(100 - part.float_test.iloc[0], color=draw.TEXT, linewidth=0.8, linestyle=":", label="float")
        for way, color in colors.items():
            means = part[(part.way == way) & part.bits.str.isdecimal()].groupby("weights").test.mean()
            if len(means):
                axis.plot(means.index, 100 - means, "-o", color=color, markersize=4, label=way)
        axis.set(xlabel="bits of inner weights", title=f"{network} network", yscale="log")
        axis.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.invert_xaxis()
        axis.grid(alpha=0.25, which="both")
    axes[0].set_ylabel("wrong on test, %")
    lines = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, frameon=False)
    return figure


STUDY = Study(
    __doc__,
    run,
    (
        KEYWORDS,
        SPOKEN,
        several("--networks", NETWORKS, "networks"),
        several("--methods", ALL_METHODS, "methods"),
        option("--bits", nargs="+", type=int, help="of the weights; 0 where they are learned (default: all)"),
        seeds(3),
        value("--epochs", 5, "of each fine-tune"),
        RUNS,
        THREADS,
    ),
    tables={TABLE: table_of_methods, "lost": table_of_losses},
    pictures={"quantisation": picture},
)
