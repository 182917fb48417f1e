"""Make the README's tables and its picture from the tables of results and the bundled hub.

    python scripts/report.py

Text between `<!-- NAME -->` and `<!-- end NAME -->` in the README is replaced. Run it after any script that writes a
table; it needs the extra `scripts` (`pip install -e ".[scripts]"`).
"""

from __future__ import annotations

import re
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from results import FOLDER, read_table

import zoo
from supernet.files import write_bytes

README = FOLDER.parent.parent / "README.md"
PICTURE = FOLDER / "accuracy.svg"
NAMES = {
    "bc-resnet-1": "BC-ResNet-1",
    "bc-resnet-2": "BC-ResNet-2",
    "ds-cnn": "DS-CNN (MLPerf Tiny)",
    "tc-resnet8": "TC-ResNet8",
    "pless-mfcc20-5": "pless_sweep_mfcc20_5",
}
WAYS = {"scratch": "alone", "distilled": "alone, distilled", "slice": "slice", "tuned": "slice, fine-tuned"}
OURS, PLAIN, PEER, TEXT = "#0b6e99", "#7fb8d1", "#c4622d", "#333333"


def main() -> None:
    """Write the picture and the README."""
    hub = pd.DataFrame([_hub_row(entry) for entry in zoo.find(task="kws", family="temporal")])
    peers = read_table("peers")
    write_bytes(PICTURE, _picture(hub, peers))
    text = README.read_text(encoding="utf-8")
    sections = {"peers": _peers_table(hub, peers)}
    if (FOLDER / "claim.csv").is_file():
        sections["claim"] = _claim_table() + "\n" + _rank_sentence()
    if (FOLDER / "schedules.csv").is_file():
        sections["schedules"] = _schedules_table()
    for name, section in sections.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"report: {README} has no place for {name}: add <!-- {name} --> and <!-- end {name} -->")
        text = pattern.sub(lambda match, section=section: match[1] + section + match[2], text)
    write_bytes(README, text.encode())


def _hub_row(entry) -> dict:
    return {
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


def _peers_table(hub: pd.DataFrame, peers: pd.DataFrame) -> str:
    rows = []
    for net, both in peers.groupby("net"):
        wide, narrow = both[both.bits == 32].iloc[0], both[both.bits == 8].iloc[0]
        name = NAMES.get(net, f"{net}, plain")
        costs = [f"{wide.macs / 1e6:.2f} M", f"{narrow.flash_bytes / 1e3:.1f} kB"]
        shares = [f"{wide.validation:.2f}", f"{wide.test:.2f}", f"{narrow.validation:.2f}", f"{narrow.test:.2f}"]
        rows.append((wide.macs, [name, *costs, *shares]))
    for _, row in hub[hub.bits == 8].iterrows():
        costs = [f"{row.macs / 1e6:.2f} M", f"{row.flash_bytes / 1e3:.1f} kB"]
        rows.append((row.macs, [f"**{row.net}**", *costs, "", "", f"{row.validation:.2f}", f"{row.test:.2f}"]))
    columns = ["network", "MACs", "flash, 8 bits", "float val. %", "float test %", "8-bit val. %", "8-bit test %"]
    return _markdown(columns, [row for _, row in sorted(rows, key=lambda item: item[0])])


def _claim_table() -> str:
    table, intervals = read_table("claim"), read_table("claim_intervals")
    rows = []
    for size, part in sorted(table.groupby("size"), key=lambda item: item[1].macs.min()):
        row = [size, f"{part.macs.iloc[0] / 1e6:.2f} M"]
        row += [f"{part[part.way == way].test.mean():.2f}" for way in WAYS]
        pair = intervals[(intervals["size"] == size) & (intervals["first"] == "tuned")]
        for second in ("scratch", "distilled"):
            one = pair[pair["second"] == second].iloc[0]
            row.append(f"{one.difference:+.2f} ({one.low:+.2f} to {one.high:+.2f})")
        rows.append(row)
    ways = [f"{name}, test %" for name in WAYS.values()]
    return _markdown(["size", "MACs", *ways, "fine-tuned - alone", "fine-tuned - distilled"], rows)


def _rank_sentence() -> str:
    if not (FOLDER / "rank_correlation.csv").is_file():
        return ""
    parts = [
        f"{row.correlation} {row.value:.2f} ({row.low:.2f} to {row.high:.2f})"
        for row in read_table("rank_correlation").itertuples()
    ]
    count = int(read_table("rank_correlation").networks.iloc[0])
    return f"Rank correlation of slice and alone on validation, {count} networks: {', '.join(parts)}.\n"


def _schedules_table() -> str:
    table = read_table("schedules").sort_values("mean", ascending=False)
    measured = ["smallest", "to_0.3M", "to_1M", "to_3M", "above_3M", "largest", "mean"]
    rows = [
        [row["schedule"], f"{row['epochs']:.0f}", *(f"{row[name]:.2f}" for name in measured)]
        for _, row in table.iterrows()
    ]
    return _markdown(["schedule", "epochs", *(name.replace("_", " ") for name in measured)], rows)


def _picture(hub: pd.DataFrame, peers: pd.DataFrame) -> bytes:
    """Test accuracy over MACs and over flash, as SVG."""
    mpl.rcParams.update(
        {"svg.hashsalt": "earshot", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
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
    axes[0].legend(loc="lower right", frameon=False)
    file = BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return file.getvalue()


def _draw(axis, hub: pd.DataFrame, peers: pd.DataFrame, column: str, unit: float) -> None:
    for bits, style in ((8, "-o"), (4, "--s")):
        part = hub[hub.bits == bits].sort_values(column)
        axis.plot(part[column] / unit, part.test, style, color=OURS, label=f"Earshot, {bits}-bit packages", zorder=3)
    narrow = peers[peers.bits == 8]
    plain = narrow[~narrow.net.isin(NAMES)].sort_values(column)
    axis.plot(plain[column] / unit, plain.test, ":^", color=PLAIN, label="Earshot, plain, 8 bits, trained as peers")
    others = narrow[narrow.net.isin(NAMES)]
    axis.plot(others[column] / unit, others.test, "D", color=PEER, label="peers, 8 bits")
    for row in others.itertuples():
        place = (getattr(row, column) / unit, row.test)
        axis.annotate(NAMES[row.net], place, (5, -11), textcoords="offset points", color=TEXT, fontsize=8)


if __name__ == "__main__":
    main()
