"""Bundled models beside published and plain networks: a table and two pictures."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import ticker

import zoo
from pages.draw import OURS, PEER, PLAIN, TEXT
from pages.hub import bundled_keywords
from studies.base import Shown
from studies.rows import Rows
from zoo.hubs.folder import BUNDLED

__all__ = ["accuracy_picture", "models_picture", "peers_table"]

NAMES = {
    "bc-resnet-1": "BC-ResNet-1",
    "bc-resnet-2": "BC-ResNet-2",
    "ds-cnn": "DS-CNN (MLPerf Tiny)",
    "tc-resnet8": "TC-ResNet8",
    "pless-mfcc20-4": "pless_sweep_mfcc20_4",
    "pless-mfcc20-5": "pless_sweep_mfcc20_5",
}
FOUND = {
    f"mbconv-{way}-mfcc20-{number}": f"mbconv, found within the MACs of mfcc20_{number}{how}"
    for number in (4, 5)
    for way, how in (("alone", ""), ("tuned", ", from its slice"))
}
BIT_COLORS = {"8": "#08306b", "4": "#2171b5", "3": "#4eb3d3", "2": "#41ae76", "1": "#8c6bb1", "mixed": "#969696"}


def peers_table(found: Rows) -> Shown:
    """Costs and accuracies, the smallest network first."""
    hub, peers, rows = bundled_keywords(), _peers(found), []
    for net, runs in peers.groupby("net"):
        wide, narrow = (runs[runs.bits == bits].mean(numeric_only=True) for bits in (32, 8))
        name = {**NAMES, **FOUND}.get(net, f"{net}, plain")
        costs = [f"{wide.macs / 1e6:.2f} M", f"{narrow.flash_bytes / 1e3:.1f} kB"]
        shares = [f"{wide.validation:.2f}", f"{wide.test:.2f}", f"{narrow.validation:.2f}", f"{narrow.test:.2f}"]
        rows.append((wide.macs, [name, *costs, *shares]))
    for _, row in hub[hub.bits == 8].iterrows():
        costs = [f"{row.macs / 1e6:.2f} M", f"{row.flash_bytes / 1e3:.1f} kB"]
        rows.append((row.macs, [f"**{row.net}**", *costs, "", "", f"{row.validation:.2f}", f"{row.test:.2f}"]))
    columns = ["network", "MACs", "flash, 8 bits", "float val. %", "float test %", "8-bit val. %", "8-bit test %"]
    return columns, [row for _, row in sorted(rows, key=lambda item: item[0])]


def _peers(found: Rows) -> pd.DataFrame:
    """The rows of the longest training."""
    peers = found.read("peers")
    return peers[peers.epochs == peers.epochs.max()]


def accuracy_picture(found: Rows) -> plt.Figure:
    """Test accuracy over MACs and over flash."""
    hub, peers = bundled_keywords(), _peers(found)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.8), sharey=True, layout="constrained")
    for axis, column, unit, label in (
        (axes[0], "macs", 1e6, "million multiply-accumulates a second of audio"),
        (axes[1], "flash_bytes", 1e3, "kB of flash"),
    ):
        _draw(axis, hub, peers, column, unit)
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("test accuracy, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw(axis, hub: pd.DataFrame, peers: pd.DataFrame, column: str, unit: float) -> None:
    for bits, style in ((8, "-o"), (4, "--s")):
        part = hub[hub.bits == bits].sort_values(column)
        axis.plot(part[column] / unit, part.test, style, color=OURS, label=f"Earshot, {bits}-bit packages", zorder=3)
    narrow = peers[peers.bits == 8]
    plain = narrow[~narrow.net.isin((*NAMES, *FOUND))].sort_values(column)
    on_maps = plain.net.str.contains("-map-")
    for part, style, features in ((plain[on_maps], ":v", "log-mel maps"), (plain[~on_maps], ":^", "MFCC")):
        label = f"Earshot, plain on {features}, 8 bits, trained as peers"
        axis.plot(part[column] / unit, part.test, style, color=PLAIN, label=label)
    few = hub[~hub.bits.isin((8, 4))]
    axis.plot(few[column] / unit, few.test, "*", color=OURS, label="Earshot, fewer and mixed bits", zorder=3)
    for style, way, how in (("P", "alone", "trained as peers"), ("X", "tuned", "from its slice")):
        part = narrow[narrow.net.isin(FOUND) & narrow.net.str.contains(f"-{way}-")]
        axis.plot(part[column] / unit, part.test, style, color=PLAIN, label=f"Earshot, mbconv, 8 bits, {how}")
    others = narrow[narrow.net.isin(NAMES)]
    axis.plot(others[column] / unit, others.test, "D", color=PEER, label="peers, 8 bits")
    for row in others.itertuples():
        place = (getattr(row, column) / unit, row.test)
        name = NAMES[row.net].removeprefix("pless_sweep_")
        axis.annotate(name, place, (5, -11), textcoords="offset points", color=TEXT, fontsize=8)


def models_picture(found: Rows) -> plt.Figure:
    """Test accuracy over flash of the bundled models, by their bits: words beside peers, and sounds."""
    peers = _peers(found)
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained", width_ratios=(3, 2))
    _draw_bits(axes[0], zoo.list("kws", hub=BUNDLED))
    _draw_bits(axes[1], zoo.list("aec", hub=BUNDLED))
    narrow = peers[(peers.bits == 8) & peers.net.isin(NAMES)]
    axes[0].plot(narrow.flash_bytes / 1e3, narrow.test, "D", color=PEER, label="published networks, 8 bits")
    for row in narrow.itertuples():
        place = (row.flash_bytes / 1e3, row.test)
        name = NAMES[row.net].removeprefix("pless_sweep_").removesuffix(" (MLPerf Tiny)")
        offset, side = ((-7, -3), "right") if row.net == "bc-resnet-2" else ((6, -9), "left")
        axes[0].annotate(name, place, offset, textcoords="offset points", color=PEER, fontsize=7.5, ha=side)
    axes[0].set(title="ten keywords (kws)", ylabel="right on test, %", xlim=(4, 320), ylim=(91, 97.4))
    axes[1].set(title="fifty sounds of ESC-50 (aec)", xlim=(15, 520), ylim=(66, 86))
    for axis in axes:
        axis.set(xscale="log", xlabel="flash for weights, kB")
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        low, high = axis.get_xlim()
        axis.set_xticks([tick for tick in (5, 10, 20, 50, 100, 200, 500) if low < tick < high])
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        axis.grid(alpha=0.25)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False)
    return figure


def _draw_bits(axis, models: pd.DataFrame) -> None:
    """A line for each number of bits, through the sizes of network."""
    for bits, color in BIT_COLORS.items():
        part = models[models.bits.astype(str) == bits].sort_values("macs")
        label = "mixed bits" if bits == "mixed" else "1 bit" if bits == "1" else f"{bits} bits"
        axis.plot(part.flash_bytes / 1e3, 100 * part.test, "-o", color=color, markersize=5, label=label)
