"""Tables and the picture of what is bundled: models, what searches pick, predictors of accuracy, training curves."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

import zoo
from pages.draw import OURS, PEER
from studies.base import Shown
from studies.bundled import keywords, models
from studies.rows import Rows
from supernet.files import read_json
from zoo.hubs.folder import BUNDLED
from zoo.run.conditions import known_conditions

__all__ = ["PICTURES", "TABLES", "bundled_keywords"]

TASKS = {"aec": "ESC-50", "esc10": "ESC-10"}
PUBLISHED = [
    ["Micro-ACDNet, published, another protocol", "ESC-50", "14.8 M a window", "131 k", "", "", "83.65", ""],
    ["Micro-ACDNet, published, another protocol", "ESC-10", "14.8 M a window", "131 k", "", "", "96.25", ""],
]


def bundled_keywords() -> pd.DataFrame:
    """The models of `kws` of family `temporal` that hear log-mels or MFCC, accuracies in percent."""
    hub = zoo.Hub(BUNDLED)
    return pd.DataFrame([_hub_row(hub, entry) for entry in keywords()])


def _hub_row(hub: zoo.Hub, entry: zoo.Entry) -> dict:
    return {
        "arch": (arch := hub.config(entry).values["arch"]),
        "heard": arch["features"]["kind"],
        "net": entry.name.rsplit("-", 2)[0],
        "bits": entry.bits,
        "macs": entry.macs,
        "flash_bytes": entry.weight_bytes,
        "validation": 100 * entry.validation,
        "test": 100 * entry.test,
    }


def _six(found: Rows) -> Shown:
    """Words of three sizes at 4 bits, and three of sounds."""
    hub, rows, words = zoo.open_hub(BUNDLED), [], keywords(4)
    fifty, ten = (models(task, 8) for task in TASKS)
    streaming = [entry for entry in fifty if entry.streamable][-1]
    six = [(entry, "ten words") for entry in (words[0], words[len(words) // 2], words[-1])]
    six += [(ten[0], "ten sounds"), (streaming, "fifty sounds, in a stream"), (fifty[-1], "fifty sounds")]
    for entry, heard in six:
        name = entry.name
        low, high = (100 * end for end in hub.config(entry).values["accuracy"]["test"]["interval"])
        sizes = [f"{value / 1e3:.1f} kB" for value in (entry.flash_bytes, entry.ram_bytes)]
        share = f"{100 * entry.test:.1f} % ({low:.1f} to {high:.1f})"
        rows.append([f"`{name}`", heard, f"{entry.macs / 1e6:.2f} M", *sizes, share, entry.licence])
    return ["model", "tells apart", "MACs", "flash", "RAM", "right on test", "licence"], rows


def _conditions(found: Rows) -> Shown:
    """Right on test in each condition of the evaluation, models of words at 8 bits."""
    hub = zoo.open_hub(BUNDLED)
    entries = [*keywords(8), *models("commands", 8)]
    heard = [known_conditions(hub.config(entry).values["accuracy"]["test"]) for entry in entries]
    rows = [[name, *(f"{100 * one[name]['accuracy']:.1f}" for one in heard)] for name in heard[0]]
    return ["condition", *(f"`{entry.name.rsplit('-', 2)[0]}`" for entry in entries)], rows


def _picks(found: Rows) -> Shown:
    """What the search picked for each budget."""
    hub, rows = bundled_keywords(), []
    for _, row in hub[hub.bits == 8].sort_values("macs").iterrows():
        arch = row.arch
        blocks = [block for stage in arch["stages"] for block in stage["blocks"]]
        features = "{kind} {coefficients} x {step_ms} ms".format(**arch["features"])
        stages = ", ".join(f"{len(stage['blocks'])} x {stage['width']}" for stage in arch["stages"])
        means = [f"{sum(block[name] for block in blocks) / len(blocks):.1f}" for name in ("kernel", "expansion")]
        rows.append([f"{row.macs / 1e6:.2f} M", features, str(arch["stem"]), stages, *means, str(arch["head"])])
    return ["MACs", "features", "stem", "blocks x width", "mean kernel", "mean expansion", "head"], rows


def _event_levels(found: Rows) -> Shown:
    """Packages of the bundled hub, with the published network beside them."""
    hub, rows = zoo.open_hub(BUNDLED), []
    for task, dataset in TASKS.items():
        for entry in sorted(zoo.find(task, hub=hub), key=lambda one: (-one.macs, -int(one.bits))):
            low, high = hub.config(entry).values["accuracy"]["test"]["interval"]
            costs = [f"{entry.macs / 1e6:.2f} M", f"{entry.params / 1e3:.0f} k", f"{entry.flash_bytes / 1e3:.1f} kB"]
            shares = [
                f"{100 * entry.validation:.1f}",
                f"{100 * entry.test:.1f}",
                f"{100 * low:.1f} to {100 * high:.1f}",
            ]
            rows.append([entry.name, dataset, *costs, *shares])
        rows += [row for row in PUBLISHED if row[1] == dataset]
    return ["model", "data", "MACs", "parameters", "flash", "validation %", "test %", "95 % interval"], rows


def _predictors(found: Rows) -> Shown:
    """What cross-validation found of the accuracy predictor of each bundled supernet."""
    rows = []
    for path in sorted((BUNDLED / "supernets").glob("*/accuracy.json")):
        quality = read_json(path)["quality"]
        rank, error = quality["kendall_interval"], [100 * value for value in quality["error_interval"]]
        kendall = f"{quality['kendall']:.2f} ({rank[0]:.2f} to {rank[1]:.2f})"
        missed = f"{100 * quality['error']:.2f} ({error[0]:.2f} to {error[1]:.2f})"
        rows.append([path.parent.name, quality["kind"], str(quality["rows"]), kendall, missed])
    return ["supernet", "predictor", "networks", "Kendall", "mean error, points"], rows


def _logs() -> dict[str, pd.DataFrame]:
    """The training log of each supernet of the hub, by its name; those of elastic bits are left out."""
    configs = {folder.name: read_json(folder / "config.json") for folder in sorted((BUNDLED / "supernets").iterdir())}
    return {name: pd.DataFrame(one["training"]["log"]) for name, one in configs.items() if "widths" not in one}


def _curves(found: Rows) -> plt.Figure:
    """Validation accuracy of each supernet's two ends over the epochs."""
    logs = _logs()
    figure, axes = plt.subplots(1, len(logs), figsize=(2.6 * len(logs), 3.2), squeeze=False, layout="constrained")
    for axis, (supernet, log) in zip(axes[0], logs.items(), strict=True):
        for name, color in (("largest", OURS), ("smallest", PEER)):
            axis.plot(log.epoch + 1, 100 * log[name], color=color)
            axis.annotate(name, (log.epoch.iloc[-1] + 1, 100 * log[name].iloc[-1]), (4, -3), textcoords="offset points")
        axis.set(xlabel="epoch", ylim=(60, 100) if log.smallest.iloc[-1] > 0.7 else (0, 100), title=supernet)
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylabel("validation accuracy, %")
    return figure


def _kernel_transform(found: Rows) -> Shown:
    """Validation accuracy of the same slices by the kernel of their blocks; that study is closed, its rows stay."""
    names = {"slices": "middles of larger ones", "transformed": "middles, transformed"}
    table, kernels = found.read("kernel_transform").sort_values(["seed", "kernels"]), (7, 5, 3)
    rows = [
        [names[row.kernels], str(row.seed), *(f"{getattr(row, f'kernel_{kernel}'):.2f}" for kernel in kernels)]
        for row in table.itertuples()
    ]
    return ["smaller kernels", "seed", *(f"kernels of {kernel}, val. %" for kernel in kernels)], rows


TABLES = {
    "conditions": _conditions,
    "six": _six,
    "picks": _picks,
    "event_levels": _event_levels,
    "predictors": _predictors,
    "kernel_transform": _kernel_transform,
}
PICTURES = {"training": _curves}
"""As those of a study (`studies.base.Study`)."""
