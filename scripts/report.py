"""Make the tables and pictures of the pages from the tables of results and the bundled hub.

    python scripts/report.py

A table stands between `<!-- NAME -->` and `<!-- end NAME -->` in whichever page has these marks (see `pages.py`). Run
it after any script that writes a table. It needs the extra `test`, which has pandas and matplotlib.
"""

from __future__ import annotations

from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from pages import ROOT, read_pages, with_tables
from report_events import EVENTS, WAYS, event_levels, measured_ways
from report_search import predictors, search_fronts, search_picture, search_quality, search_speed, search_truth
from report_words import WORDS_TABLES
from results import FOLDER, read_table

import zoo
from supernet.files import read_json, write_bytes

PICTURE, MODELS, CURVES, BITS, SEARCH_PICTURE = (
    FOLDER / f"{name}.svg" for name in ("accuracy", "models", "training", "quantisation", "search")
)
HUB = ROOT / "zoo" / "hub"
SIX = {
    "kws-temporal-0.28M-w4a8-1a8f6ae0": "ten words",
    "kws-temporal-1.6M-w4a8-37b35085": "ten words",
    "kws-temporal-6.8M-w4a8-6e9ce421": "ten words",
    "esc10-mbconv-0.51M-w8a8-cc5847fb": "ten sounds",
    "aec-mbconv-0.98M-w8a8-f6130281": "fifty sounds",
    "aec-mbconv-30M-w4a8-c316f97b": "fifty sounds",
}
"""Bundled models of all sizes, and what they tell apart."""
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
NETWORKS = ("small", "large")
SPLITS = {"model": "one model of network left out", "device": "one device left out", "row": "one row of a profile"}
PREDICTORS = {"line": "line", "trees": "trees alone", "ours": "ours"}
SEARCHES = {
    "search": search_quality,
    "search_fronts": search_fronts,
    "search_speed": search_speed,
    "search_truth": search_truth,
}
ERRORS = ("median error, %", "within 10 %")
INHERITED = {method: f"{METHOD_NAMES[method]}, inherited" for method in ("lsq", "widths")}
WAYS_TO_BITS = (*INHERITED.values(), *METHOD_NAMES.values())
LOST = (*INHERITED.values(), *(METHOD_NAMES[method] for method in ("two-stage", "widths", "elastic")))
AGAINST = ("alone", "longer", "distilled")
STYLE = {"svg.hashsalt": "earshot", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
BIT_COLORS = {"8": "#08306b", "4": "#2171b5", "3": "#4eb3d3", "2": "#41ae76", "1": "#8c6bb1", "mixed": "#969696"}
OURS, PLAIN, PEER, TEXT = "#0b6e99", "#7fb8d1", "#c4622d", "#333333"


def main() -> None:
    """Write the pictures, and the tables into the pages."""
    mpl.rcParams.update(STYLE)
    write_bytes(MODELS, _models_picture(_peers()))
    write_bytes(PICTURE, _picture(_hub(), _peers()))
    write_bytes(CURVES, _curves(_logs()))
    if (FOLDER / "quantisation.csv").is_file():
        write_bytes(BITS, _bits_picture(read_table("quantisation")))
    if (FOLDER / "search_fronts.csv").is_file():
        write_bytes(SEARCH_PICTURE, _svg(search_picture()))
    for page, text in with_tables(read_pages(), tables()).items():
        write_bytes(ROOT / page, text.encode())


def tables() -> dict[str, str]:
    """The tables of the pages by their names, as Markdown; of what has been run."""
    hub = _hub()
    makers = {
        "peers": lambda: _peers_table(hub, _peers()),
        "claim": _claim_table,
        "rank_correlation": _rank_table,
        "new_words": _new_words_table,
        "quantisation": lambda: _quantisation_table(read_table("quantisation")),
        "device_errors": _device_errors_table,
        "host_curve": _host_curve_table,
        "run_speed": _run_speed_table,
        "installs": _installs_table,
        "lookup": _lookup_table,
        **{name: lambda make=make: _markdown(*make()) for name, make in {**SEARCHES, **EVENTS, **WORDS_TABLES}.items()},
    }
    made = {name: make() for name, make in makers.items() if (FOLDER / f"{name}.csv").is_file()}
    if "quantisation" in made:
        made["lost"] = _lost_table(read_table("quantisation"), read_table("quantisation_intervals"))
    made["event_levels"] = _markdown(*event_levels())
    return {**made, "six": _six_table(), "picks": _picks_table(hub), "predictors": _markdown(*predictors())}


def _hub() -> pd.DataFrame:
    hub = zoo.Hub(HUB)
    return pd.DataFrame([_hub_row(hub, entry) for entry in zoo.find(task="kws", family="temporal", hub=HUB)])


def _peers() -> pd.DataFrame:
    """The rows of the longest training."""
    peers = read_table("peers")
    return peers[peers.epochs == peers.epochs.max()]


def _logs() -> dict[str, pd.DataFrame]:
    """The training log of each supernet of the hub, by its name; those of elastic bits are left out."""
    configs = {folder.name: read_json(folder / "config.json") for folder in sorted((HUB / "supernets").iterdir())}
    return {name: pd.DataFrame(one["training"]["log"]) for name, one in configs.items() if "widths" not in one}


def _hub_row(hub: zoo.Hub, entry: zoo.Entry) -> dict:
    return {
        "arch": hub.config(entry).values["arch"],
        "net": entry.name.rsplit("-", 2)[0],
        "bits": entry.bits,
        "macs": entry.macs,
        "flash_bytes": entry.weight_bytes,
        "validation": 100 * entry.validation,
        "test": 100 * entry.test,
    }


def _markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table whose first column is text and whose other columns are figures."""
    rule = "| --- |" + " ---: |" * (len(columns) - 1)
    return "\n".join(["| " + " | ".join(columns) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _six_table() -> str:
    hub, rows = zoo.open_hub(HUB), []
    for name, heard in SIX.items():
        entry = hub.index.find(name)
        low, high = (100 * end for end in hub.config(entry).values["accuracy"]["test"]["interval"])
        sizes = [f"{value / 1e3:.1f} kB" for value in (entry.flash_bytes, entry.ram_bytes)]
        share = f"{100 * entry.test:.1f} % ({low:.1f} to {high:.1f})"
        rows.append([f"`{name}`", heard, f"{entry.macs / 1e6:.2f} M", *sizes, share, entry.licence])
    return _markdown(["model", "tells apart", "MACs", "flash", "RAM", "right on test", "licence"], rows)


def _peers_table(hub: pd.DataFrame, peers: pd.DataFrame) -> str:
    rows = []
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
    return _markdown(columns, [row for _, row in sorted(rows, key=lambda item: item[0])])


def _picks_table(hub: pd.DataFrame) -> str:
    """What the search picked for each budget."""
    rows = []
    for _, row in hub[hub.bits == 8].sort_values("macs").iterrows():
        arch = row.arch
        blocks = [block for stage in arch["stages"] for block in stage["blocks"]]
        features = "{kind} {coefficients} x {step_ms} ms".format(**arch["features"])
        stages = ", ".join(f"{len(stage['blocks'])} x {stage['width']}" for stage in arch["stages"])
        means = [f"{sum(block[name] for block in blocks) / len(blocks):.1f}" for name in ("kernel", "expansion")]
        rows.append([f"{row.macs / 1e6:.2f} M", features, str(arch["stem"]), stages, *means, str(arch["head"])])
    return _markdown(["MACs", "features", "stem", "blocks x width", "mean kernel", "mean expansion", "head"], rows)


def _claim_table() -> str:
    table, intervals = read_table("claim"), read_table("claim_intervals")
    ways, rows = measured_ways(table), []
    against = [way for way in ways if way in AGAINST]
    for size, part in sorted(table.groupby("size"), key=lambda item: item[1].macs.min()):
        row = [size, f"{part.macs.iloc[0] / 1e6:.2f} M"]
        shares = part.groupby("way").test.mean()
        row += [f"{shares[way]:.2f}" if way in shares else "" for way in ways]
        pair = intervals[(intervals["size"] == size) & (intervals["first"] == "tuned")].set_index("second")
        for second in against:
            one = pair.loc[second] if second in pair.index else None
            row.append("" if one is None else f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})")
        rows.append(row)
    shares = [f"{WAYS[way]}, test %" for way in ways]
    return _markdown(["size", "MACs", *shares, *(f"fine-tuned - {WAYS[second]}" for second in against)], rows)


def _rank_table() -> str:
    table = read_table("rank_correlation")
    rows = [
        [f"{row.correlation}, of {row.of} and alone", f"{row.value:.2f}", f"{row.low:.2f} to {row.high:.2f}"]
        for row in table.sort_values("of", ascending=False).itertuples()
    ]
    return _markdown([f"rank correlation, {int(table.networks.iloc[0])} networks", "value", "95 % interval"], rows)


def _new_words_table() -> str:
    intervals, rows = read_table("new_words_intervals"), []
    for (network, clips, start), part in read_table("new_words").groupby(["network", "clips", "start"]):
        early = [f"{part[name].mean():.2f}" for name in ("validation_3", "validation_10", "validation")]
        test = ", ".join(f"{value:.2f}" for value in part.sort_values("seed").test)
        pair = intervals[(intervals.network == network) & (intervals.clips == clips)].iloc[0]
        gain = f"{pair.difference:+.2f} ({pair.low:+.2f} to {pair.high:+.2f})" if start == "bundled" else ""
        rows.append([network, f"{start} weights", *early, test, gain, f"{part.seconds.mean() / 60:.0f}"])
    early = [f"validation %, {when}" for when in ("3 epochs", "10 epochs", "end")]
    return _markdown(["network", "started from", *early, "test %, end, each seed", "gain on test", "minutes"], rows)


def _device_errors_table() -> str:
    table, rows = read_table("device_errors"), []
    for split, asked in SPLITS.items():
        part = table[table.split == split].set_index("predictor")
        for name, called in PREDICTORS.items():
            one = part.loc[name]
            figures = [
                f"{one[column]:.1f}" for column in ("median_ape_percent", "within_10_percent", "within_30_percent")
            ]
            held = "" if np.isnan(one.within_interval_percent) else f"{one.within_interval_percent:.1f}"
            rows.append([asked, called, f"{one.rows:.0f}", *figures, held])
    return _markdown(["rows that are asked for", "predictor", "rows", *ERRORS, "within 30 %", "in interval, %"], rows)


def _host_curve_table() -> str:
    table = read_table("host_curve")
    rows = []
    for choice in ("random", "active"):
        for name, called in PREDICTORS.items():
            part = table[(table.choice == choice) & (table.predictor == name)].sort_values("measured")
            if len(part):
                cells = (
                    part.within_10_percent.map("{:.1f}".format) + " / " + part.median_ape_percent.map("{:.1f}".format)
                )
                rows.append([choice, called, *cells])
    counts = [f"{count} measured" for count in sorted(table.measured.unique())]
    return _markdown(["chosen", "predictor", *counts], rows)


def _run_speed_table() -> str:
    """Files a second, and where the time goes."""
    names = ["files", "model", "files a second", "decoding, %", "features, %", "network, %"]
    columns = ["files", "model", "files_per_s", "decoding_percent", "features_percent", "network_percent"]
    rows = [[f"{value:,}" if column == "files_per_s" else str(value) for column, value in row.items()]
            for row in read_table("run_speed")[columns].to_dict("records")]  # fmt: skip
    return _markdown(names, rows)


def _installs_table() -> str:
    """What fresh environments hold, and what the tests say in them."""
    shown = {
        "environment": "environment", "torch": "torch", "torchaudio": "torchaudio", "torchaudio_loads": "it loads",
        "megabytes": "MB", "seconds": "seconds", "tests": "tests", "passed": "passed", "failed": "failed",
        "skipped": "skipped",
    }  # fmt: skip
    table = pd.read_csv(FOLDER / "installs.csv", dtype=str, keep_default_na=False)
    counts = ["megabytes", "seconds", "passed", "failed", "skipped"]
    table[counts] = table[counts].replace(r"\.0$", "", regex=True)
    return _markdown(list(shown.values()), table[list(shown)].values.tolist())


def _lookup_table() -> str:
    """Made-up indexes: reading them, and asking them."""
    table = read_table("lookup")
    names = {
        "first_load_ms": "read first, ms",
        "load_ms": "from the cache, ms",
        "columns_mb": "columns, MB",
        "process_mb": "process, MB",
        "best_ms": "task, MACs, bits",
        "five_limits_ms": "five limits",
        "none_ms": "nothing fits",
        "name_ms": "a name's pattern",
        "list_ms": "table of 1,000",
    }
    rows = [
        [f"{row['models']:,}", *(f"{row[name]:,.3g}" if row[name] < 1000 else f"{row[name]:,.0f}" for name in names)]
        for row in table[table["hub"] == "made up"].to_dict("records")
    ]
    return _markdown(["models", *names.values()], rows)


def _by_way(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of `quantisation` with `way`, how a method is called, and `bits`; the widest of LSQ is of both its ways."""
    first = (table.method == "lsq") & (table.weights == table.weights.max())
    table = pd.concat([table.assign(inherits=table.start == "inherited"), table[first].assign(inherits=True)])
    ways = [
        (INHERITED if inherits else METHOD_NAMES).get(method, METHOD_NAMES[method])
        for method, inherits in zip(table.method, table.inherits, strict=True)
    ]
    between = np.where(table.activations == 8, "", "/" + table.activations.astype(str))
    bits = np.where(table.weights == 0, "learned", table.weights.astype(str) + between)
    return table.assign(way=ways, bits=bits)


def _quantisation_table(table: pd.DataFrame) -> str:
    """Means over seeds."""
    rows = []
    columns = ["8", "6", "5", "4", "3", "2", "1", "4/4", "2/2", "learned"]
    for network in NETWORKS:
        part = _by_way(table[table.network == network])
        rows.append([network, f"float: {part.float_test.iloc[0]:.2f}", *[""] * len(columns)])
        for way in [way for way in WAYS_TO_BITS if way in set(part.way)]:
            cells = part[part.way == way].groupby("bits").test.mean()
            rows.append([network, way, *(f"{cells[bits]:.2f}" if bits in cells.index else "" for bits in columns)])
    return _markdown(["network", "method", *columns], rows)


def _lost_table(table: pd.DataFrame, intervals: pd.DataFrame) -> str:
    """What is lost against the float network, of the methods in LOST."""
    rows, keys = [], ["network", "method", "start", "weights", "activations"]
    for network in NETWORKS:
        part = _by_way(table[table.network == network])
        for way in LOST:
            own = part[part.way == way].sort_values(["activations", "weights"], ascending=False)
            for bits, seeds in own.groupby("bits", sort=False):
                first, test = seeds.iloc[0], ", ".join(f"{value:.2f}" for value in seeds.sort_values("seed").test)
                pair = intervals[(intervals[keys] == first[keys]).all(axis=1)].iloc[0]
                means = f"{first.mean_weights:.2f} / {first.mean_activations:.2f}"
                lost = f"{pair.lost:+.2f} ({pair.low:+.2f} to {pair.high:+.2f})"
                same = f"{seeds.same.min():.1f}"
                rows.append([network, way, bits, means, f"{first.flash_bytes / 1e3:.1f} kB", test, lost, same])
    columns = ["bits", "mean bits", "flash", "test %, each seed", "lost (95 % interval)", "same label, %"]
    return _markdown(["network", "method", *columns], rows)


def _picture(hub: pd.DataFrame, peers: pd.DataFrame) -> bytes:
    """Test accuracy over MACs and over flash, as SVG."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.8), sharey=True, layout="constrained")
    for axis, column, unit, label in (
        (axes[0], "macs", 1e6, "million multiply-accumulates a second of audio"),
        (axes[1], "flash_bytes", 1e3, "kB of flash"),
    ):
        _draw(axis, hub, peers, column, unit)
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("test accuracy, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return _svg(figure)


def _models_picture(peers: pd.DataFrame) -> bytes:
    """Test accuracy over flash of the bundled models, by their bits, as SVG: words beside peers, and sounds."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained", width_ratios=(3, 2))
    _draw_bits(axes[0], zoo.list("kws", hub=HUB))
    _draw_bits(axes[1], zoo.list("aec", hub=HUB))
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
        axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        low, high = axis.get_xlim()
        axis.set_xticks([tick for tick in (5, 10, 20, 50, 100, 200, 500) if low < tick < high])
        axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axis.grid(alpha=0.25)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False)
    return _svg(figure)


def _draw_bits(axis, models: pd.DataFrame) -> None:
    """A line for each number of bits, through the sizes of network."""
    for bits, color in BIT_COLORS.items():
        part = models[models.bits.astype(str) == bits].sort_values("macs")
        label = "mixed bits" if bits == "mixed" else "1 bit" if bits == "1" else f"{bits} bits"
        axis.plot(part.flash_bytes / 1e3, 100 * part.test, "-o", color=color, markersize=5, label=label)


def _curves(logs: dict[str, pd.DataFrame]) -> bytes:
    """Validation accuracy of each supernet's two ends over the epochs, as SVG."""
    figure, axes = plt.subplots(1, len(logs), figsize=(2.6 * len(logs), 3.2), squeeze=False, layout="constrained")
    for axis, (supernet, log) in zip(axes[0], logs.items(), strict=True):
        for name, color in (("largest", OURS), ("smallest", PEER)):
            axis.plot(log.epoch + 1, 100 * log[name], color=color)
            axis.annotate(name, (log.epoch.iloc[-1] + 1, 100 * log[name].iloc[-1]), (4, -3), textcoords="offset points")
        axis.set(xlabel="epoch", ylim=(80, 100) if log.smallest.iloc[-1] > 0.8 else (0, 100), title=supernet)
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylabel("validation accuracy, %")
    return _svg(figure)


def _bits_picture(table: pd.DataFrame) -> bytes:
    """Share of wrong answers on test over the bits of the weights, by method, as SVG."""
    figure, axes = plt.subplots(1, len(NETWORKS), figsize=(10, 4.2), sharey=True, layout="constrained")
    colors = {way: f"C{number}" for number, way in enumerate(WAYS_TO_BITS)}
    for axis, network in zip(axes, NETWORKS, strict=True):
        part = _by_way(table[table.network == network])
        axis.axhline(100 - part.float_test.iloc[0], color=TEXT, linewidth=0.8, linestyle=":", label="float")
        for way, color in colors.items():
            means = part[(part.way == way) & part.bits.str.isdecimal()].groupby("weights").test.mean()
            if len(means):
                axis.plot(means.index, 100 - means, "-o", color=color, markersize=4, label=way)
        axis.set(xlabel="bits of inner weights", title=f"{network} network", yscale="log")
        axis.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axis.invert_xaxis()
        axis.grid(alpha=0.25, which="both")
    axes[0].set_ylabel("wrong on test, %")
    lines = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, frameon=False)
    return _svg(figure)


def _svg(figure: plt.Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return file.getvalue()


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


if __name__ == "__main__":
    main()
