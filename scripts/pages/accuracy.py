"""Published networks beside plain ones of ours, a table and a picture; and a picture of the bundled models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import ticker

import zoo
from pages.draw import OURS, PEER, TEXT
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
    "mixednet": "after microWakeWord",
}
WAYS, MAP, WHOLE_CLIPS = ("labels", "distilled"), "logmel", "mbconv"
BIT_COLORS = {"8": "#08306b", "4": "#2171b5", "3": "#4eb3d3", "2": "#41ae76", "1": "#8c6bb1", "mixed": "#969696"}


def peers_table(found: Rows) -> Shown:
    """Costs and accuracies, the smallest network first."""
    rows = []
    for (net, macs), runs in _peers(found).groupby(["net", "macs"]):
        wide, narrow, taught = (
            runs[(runs.bits == bits) & (runs.way == way)].mean(numeric_only=True)
            for bits, way in ((32, WAYS[0]), (8, WAYS[0]), (8, WAYS[1]))
        )
        shares = [wide.test, narrow.test, narrow.noise_10, narrow.fainter_20, taught.test, taught.noise_10]
        shown = [f"{share:.1f}" if share == share else "" for share in shares]
        shown[1] += f" ({narrow.test_low:.1f} to {narrow.test_high:.1f})" * bool(shown[1])
        name = NAMES.get(net, f"temporal-{net}, plain")
        rows.append((macs, [name, f"{macs / 1e6:.2f} M", f"{narrow.flash_bytes / 1e3:.1f} kB", *shown]))
    columns = [
        "network", "MACs", "flash, 8 bits", "float test %", "8-bit test %", "in noise of 10 dB", "20 dB fainter",
        "distilled, 8 bits", "in noise of 10 dB",
    ]  # fmt: skip
    return columns, [row for _, row in sorted(rows, key=lambda item: item[0])]


def _peers(found: Rows) -> pd.DataFrame:
    """The rows of the longest training."""
    peers = found.read("peers")
    return peers[peers.hours == peers.hours.max()]


def accuracy_picture(found: Rows) -> plt.Figure:
    """Test accuracy over MACs and over flash."""
    peers = _peers(found)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.8), sharey=True, layout="constrained")
    for axis, column, unit, label in (
        (axes[0], "macs", 1e6, "million multiply-accumulates a second of audio"),
        (axes[1], "flash_bytes", 1e3, "kB of flash"),
    ):
        _draw(axis, peers, column, unit)
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("test accuracy, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw(axis, peers: pd.DataFrame, column: str, unit: float) -> None:
    narrow = peers[peers.bits == 8]
    for way, styles, how in zip(WAYS, (("--o", "D"), ("-o", "d")), ("", ", distilled"), strict=True):
        own = narrow[narrow.way == way].sort_values(column)
        plain, others = own[~own.net.isin(NAMES)], own[own.net.isin(NAMES)]
        axis.plot(plain[column] / unit, plain.test, styles[0], color=OURS, label=f"Earshot, plain{how}")
        axis.plot(others[column] / unit, others.test, styles[1], color=PEER, label=f"published{how}")
    for row in narrow[narrow.net.isin(NAMES) & (narrow.way == WAYS[0])].itertuples():
        place = (getattr(row, column) / unit, row.test)
        offset = (5, 6) if row.net == "mixednet" else (5, -11)
        axis.annotate(_short(row.net), place, offset, textcoords="offset points", color=TEXT, fontsize=8)


def _short(net: str) -> str:
    return NAMES[net].removeprefix("pless_sweep_").split(" (")[0]


def models_picture(_: Rows) -> plt.Figure:
    """Test accuracy over flash of the bundled models, by their bits: words, and sounds."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained", width_ratios=(3, 2))
    sounds = zoo.list("aec", hub=BUNDLED)
    sounds = sounds.assign(flash_bytes=sounds.weight_bytes, test=100 * sounds.test)
    _draw_bits(axes[0], bundled_keywords())
    _draw_bits(axes[1], sounds.assign(heard=sounds.family.replace(WHOLE_CLIPS, MAP)))
    axes[0].set(title="ten keywords (kws)", ylabel="right on test, %")
    axes[1].set(title="fifty sounds of ESC-50 (aec)")
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
    """A line for each number of bits, through the sizes of network, over the bytes of weights; MFCC has its own,
    and sounds that stream have.
    """
    for bits, color in BIT_COLORS.items():
        label = "mixed bits" if bits == "mixed" else "1 bit" if bits == "1" else f"{bits} bits"
        own = models[models.bits.astype(str) == bits].sort_values("macs")
        for heard, part in own.groupby("heard", sort=False):
            style, named = ("-o", label) if heard == MAP else (":o", None)
            axis.plot(part.flash_bytes / 1e3, part.test, style, color=color, markersize=5, label=named)
