"""From how many budgets on does training once for all pay, counted in core-hours?

    python scripts/study.py budgets ../shared/data --spoken runs/spoken                # six core-hours
    python scripts/study.py budgets ../shared/data --spoken runs/spoken --hours 0.1 --alone 0.02 0.05    # a look

Networks of four sizes are made in two ways, on the same clips of the standard words in scenes. Alone: each is trained
from random weights, once for each of some times. Once for all: a supernet that holds them is trained for `--hours`, or
is that of scripts/long_run.py, from its weights that are kept; each network is its slice, as it is, or fine-tuned for
some epochs from the largest network's answers. Hours are core time: epochs by the median of some steps, those of the
long run too, with its teacher's. Rows: `budgets.csv`. For N budgets the total is N times
the hours alone, or those of the supernet and N fine-tunes: that is arithmetic, over the mean error of the four. Test is
measured once a network, in float.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from torch import Tensor

from long_run import CALIBRATED, LAST, PLANS, behind_all, guide_of, kept_supernet, load_words, words_space
from pages.draw import OURS, PEER, PLAIN, TEXT
from studies.base import RUNS, SCENES, SPOKEN, Shown, Study, option, several, value
from studies.networks import TIMED, Setting, epoch_seconds, measured_once, step_of, uniform_archs
from studies.rows import Rows
from supernet.arch import Arch
from supernet.cost import macs
from supernet.frontend.logmel import LogMel
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.train.calibration import fit_frontend, scene_features
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe, SupernetRecipe
from supernet.train.supernets import draw_archs, train_step, train_supernet

TABLE, COUNTS = "budgets", (1, 3, 10, 30, 100)
SIZES = ("smallest", "map-0.6M", "map-1M", "map-3M")
ALONE, ONCE, LONG = "alone", "once for all", "once for all, the long run"
LONG_EPOCHS = {"largest": 38, "supernet": 76}
"""Of the long run: of the largest network alone, from which it began, and of the supernet."""
SUPERNET = SupernetRecipe(**{**vars(PLANS["supernet"]), "tasks": ()})
TUNE_RATE = 1e-3


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Train what is missing, the supernet last."""
    with behind_all(options.runs / TABLE):
        data = load_words(options.data, options.spoken, "kws")
        frontend = fit_frontend(data, 8, LogMel, SUPERNET.augmentation)
        heard = scene_features(data, frontend, SUPERNET.augmentation, CALIBRATED, 0)
        setting = Setting(options, rows, data, frontend, heard)
        space = words_space(data).with_classes(len(data.labels))
        archs = {"smallest": space.smallest(), **uniform_archs(len(data.labels))}
        for hours in options.alone if ALONE in options.ways else ():
            for size in SIZES:
                _alone(size, archs[size], hours, setting)
        ways = {LONG: partial(_kept, setting), ONCE: lambda: _trained(Supernet(space, heard), setting)}
        for way in options.ways:
            hours = options.hours if way == ONCE else 0.0
            keys = [_keys(way, size, hours, epochs) for epochs in (0, *options.tune) for size in SIZES]
            if way in ways and not rows.done(TABLE, *keys):
                supernet, shared = ways[way]()
                for own in keys:
                    _sliced(own, archs[own["net"]], supernet, shared, setting)


def _keys(way: str, size: str, hours: float, tuned: int) -> dict:
    return {"way": way, "net": size, "hours": hours, "tuned": tuned}


def _alone(size: str, arch: Arch, hours: float, setting: Setting) -> None:
    keys, own = _keys(ALONE, size, hours, 0), _hours_an_epoch(size, step_of(Network(arch)), setting)
    epochs = max(1, round(hours / own))
    if not setting.rows.done(TABLE, keys):
        network, run = _fitted(Network(arch), f"{size}-e{epochs}", epochs, Recipe.learning_rate, setting)
        _report(keys, network, run, {"own_hours": epochs * own, "shared_hours": 0.0}, setting)


def _trained(supernet: Supernet, setting: Setting) -> tuple[Supernet, float]:
    """The supernet trained for its hours, and how many these are."""
    own = _hours_an_epoch("supernet", _step_of_all(supernet), setting)
    epochs = max(1, round(setting.options.hours / own))
    recipe, run = SupernetRecipe(**{**vars(SUPERNET), "epochs": epochs}), _folder(f"supernet-e{epochs}", setting)
    return train_supernet(supernet, setting.data, setting.frontend, recipe, run), epochs * own


def _kept(setting: Setting) -> tuple[Supernet, float]:
    """The supernet of the long run, and how many hours its epochs, on all words, would take here."""
    supernet = kept_supernet(LAST, setting.data, "kws", CALIBRATED)[0]
    words = replace(setting, data=load_words(setting.options.data, setting.options.spoken))
    whole = Supernet(words_space(words.data), setting.calibration)
    steps = {"largest": step_of(whole.extract(whole.space.largest())), "supernet": _step_of_all(whole)}
    hours = {name: _hours_an_epoch(f"{name}-of-all-words", step, words) for name, step in steps.items()}
    return supernet, sum(LONG_EPOCHS[name] * own for name, own in hours.items())


def _step_of_all(supernet: Supernet) -> Callable:
    """A step of a copy of a supernet, as long as one of its training."""
    timed = copy.deepcopy(supernet).train()

    def step(x: Tensor, targets: Tensor, number: int) -> None:
        archs = draw_archs(supernet.space, SUPERNET, number / TIMED, np.random.default_rng(number))
        train_step(timed, archs, x, targets, SUPERNET)

    return step


def _sliced(keys: dict, arch: Arch, supernet: Supernet, shared: float, setting: Setting) -> None:
    if setting.rows.done(TABLE, keys):
        return
    size, epochs, network = keys["net"], keys["tuned"], supernet.extract(arch, setting.calibration)
    name = f"{size}-of-{'long' if keys['way'] == LONG else format(keys['hours'], 'g') + 'h'}-t{epochs}"
    if epochs:
        network, run = _fitted(network, name, epochs, TUNE_RATE, setting, guide_of(supernet))
    else:
        run = _folder(name, setting)
    own = epochs * _hours_an_epoch(f"{size}-tuned", step_of(Network(arch), guide_of(supernet)), setting)
    _report(keys, network, run, {"own_hours": own, "shared_hours": shared}, setting)


def _fitted(
    network: Network, name: str, epochs: int, rate: float, setting: Setting, teacher: Network | None = None
) -> tuple[Network, Path]:
    recipe = Recipe(epochs, learning_rate=rate, label_smoothing=0.05, augmentation=SUPERNET.augmentation)
    parts, run = (setting.data, setting.frontend), _folder(name, setting)
    train_float(network, *parts, recipe, run, setting.calibration, teacher, measure_every=epochs)
    return network, run


def _report(keys: dict, network: Network, run: Path, hours: dict[str, float], setting: Setting) -> None:
    hours = {name: round(one, 9) for name, one in hours.items()}
    setting.rows.add(TABLE, keys, {"macs": macs(network.arch), **hours, **setting.measured(network, run)}, run)


def _folder(name: str, setting: Setting) -> Path:
    return setting.options.runs / TABLE / name


def _hours_an_epoch(name: str, step: Callable, setting: Setting) -> float:
    """Measured once, and kept in a file."""
    path, recipe = _folder("epochs", setting) / f"{name}.json", Recipe(augmentation=SUPERNET.augmentation)
    return measured_once(path, lambda: epoch_seconds(recipe, setting.data, setting.frontend, step) / 3600)


def means(found: Rows) -> pd.DataFrame:
    """Of each way, hours and epochs of a fine-tune: the mean test error of the four sizes, and hours of one network."""
    table = found.read(TABLE)
    table["error"] = 100 - table.test
    groups = table.groupby(["way", "hours", "tuned"])[["error", "own_hours", "shared_hours"]]
    whole = groups.mean()[groups.size() == len(SIZES)]
    return whole.reset_index()


def total_hours(points: Any, budgets: int) -> Any:
    """Of so many networks that are made like `points`, which have own_hours and shared_hours."""
    return points.shared_hours + budgets * points.own_hours


def table_of_totals(found: Rows) -> Shown:
    """What each way reaches, and its core-hours by the number of budgets."""
    rows = []
    for row in means(found).sort_values(["shared_hours", "tuned", "hours"]).itertuples():
        how = f"each alone, {row.own_hours:.2f} h" if row.way == ALONE else f"{row.way}, {_tuned(row.tuned)}"
        rows.append([how, f"{row.error:.1f}", *(f"{total_hours(row, count):.1f}" for count in COUNTS)])
    header = ["networks of four sizes", "mean error, %", *(f"{count} budget{'s' * (count > 1)}, h" for count in COUNTS)]
    return header, rows


def _tuned(epochs: int) -> str:
    return f"slices after {epochs} epochs of fine-tuning" if epochs else "slices as they are"


def picture(found: Rows) -> plt.Figure:
    """Mean error over total core-hours, a panel for each number of budgets."""
    points = means(found)
    figure, axes = plt.subplots(1, len(COUNTS), figsize=(11, 3.2), sharey=True, layout="constrained")
    for axis, count in zip(axes, COUNTS, strict=True):
        for way, style, color in ((ALONE, "-o", PLAIN), (ONCE, "-s", OURS), (LONG, "-D", PEER)):
            own = points[points.way == way].sort_values("own_hours")
            if not len(own):
                continue
            axis.plot(
                total_hours(own, count), own.error, style, color=color, label="each alone" if way == ALONE else way
            )
        axis.set(xscale="log", xlabel="core-hours", title=f"{count} budget{'s' * (count > 1)}")
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("wrong on test, %", color=TEXT)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


STUDY = Study(
    __doc__,
    run,
    (
        SCENES,
        SPOKEN,
        several("--ways", (ALONE, ONCE, LONG), "how networks are made"),
        value("--hours", 2.0, "of the supernet that is trained here"),
        option("--alone", nargs="+", type=float, default=[0.02, 0.05, 0.1, 0.25, 0.5], metavar="HOURS",
               help="of each network alone (default: %(default)s)"),
        option("--tune", nargs="+", type=int, default=[2, 8], metavar="EPOCHS", help="default: %(default)s"),
        RUNS,
    ),
    tables={TABLE: table_of_totals},
    pictures={TABLE: picture},
)  # fmt: skip
