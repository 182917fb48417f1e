"""Pictures, such as those of confusion matrices, and files for what is given out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from supernet.errors import InvalidQuery
from supernet.extras import need
from supernet.files import write_output
from supernet.metrics import poisson_upper

__all__ = [
    "KINDS",
    "Point",
    "check_file",
    "check_picture",
    "confusion_figure",
    "cost_figure",
    "detection_figure",
    "events_figure",
    "recall_figure",
    "write_picture",
]

KINDS = (".svg", ".png", ".pdf")
MOST_FRAMES = 2000
"""Of a spectrogram that are drawn."""
MOST_COUNTED = 20
"""Classes up to which the cells of a confusion matrix hold their counts."""


def check_picture(option: str, path: str | Path | None) -> None:
    """Raise InvalidQuery for a name, where there is one, that does not end as a picture's, or as `check_file` does,
    and MissingExtra where nothing here can draw.
    """
    if path is not None and Path(path).suffix not in KINDS:
        raise InvalidQuery(f"{option} {path}: give a name that ends with one of {', '.join(KINDS)}")
    check_file(option, path)
    if path is not None:
        need("matplotlib")


def check_file(option: str, path: str | Path | None) -> None:
    """Raise InvalidQuery for a name, where there is one, that no file can be written under. option: for the message."""
    if path is not None and (not os.access(Path(path).parent, os.W_OK) or Path(path).is_dir()):
        raise InvalidQuery(f"{option} {path}: not a file in a folder that exists; make the folder, and name a file")


def write_picture(figure, path: str | Path) -> None:
    """Write a matplotlib figure, of the kind that the name ends with."""
    data = BytesIO()
    figure.savefig(data, format=Path(path).suffix[1:])
    write_output(path, data.getvalue())


def confusion_figure(matrix: np.ndarray, labels: Sequence[str], title: str):
    """A matplotlib Figure of a confusion matrix (classes, classes) of counts, whose rows are the truth.

    The colour of a cell is its share of its row. With few classes cells hold their counts; beside each row stands its
    recall, or - where the class has no clips.
    """
    from matplotlib.figure import Figure

    counts = np.asarray(matrix)
    totals = counts.sum(1)
    shares = counts / np.maximum(totals, 1)[:, None]
    side = max(4.0, 2.0 + 0.42 * len(labels)) if len(labels) <= MOST_COUNTED else 11.0
    figure = Figure(figsize=(side + 1.5, side), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8, pad=0.02)
    _label_classes(axis, labels)
    _label_recalls(axis, shares.diagonal(), totals)
    if len(labels) <= MOST_COUNTED:
        _write_counts(axis, counts, shares)
    axis.set_title(title, parse_math=False)
    return figure


@dataclass(frozen=True)
class Point:
    """A model in a picture of accuracies over a cost.

    fits: it keeps all limits. interval: of its accuracy (0 to 1), None where it is not shown.
    """

    name: str
    cost: float | None
    accuracy: float
    fits: bool
    interval: tuple[float, float] | None = None


def cost_figure(
    points: Sequence[Point], axis_name: str, title: str, most: float | None = None, least: float | None = None
):
    """A matplotlib Figure of accuracies over a cost: what fits is filled, with its interval, and the best at its cost
    are named; the others are rings.

    most, least: the limits on cost and accuracy, drawn as lines.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(11.0, 6.0), layout="constrained")
    axis = figure.subplots()
    for fits, style in ((False, {"facecolors": "none", "edgecolors": "grey"}), (True, {"color": "C0"})):
        own = [point for point in points if point.fits == fits]
        label = f"{'fits' if fits else 'does not fit'} ({len(own):,})"
        axis.scatter([one.cost for one in own], [one.accuracy for one in own], label=label, zorder=3, **style)
    _draw_intervals(axis, points)
    _name_best(axis, points)
    if most is not None:
        axis.axvline(most, color="C3", linestyle="--", label=f"limit {most:,.10g}")
    if least is not None:
        axis.axhline(least, color="C3", linestyle=":", label=f"least accuracy {least:.2%}")
    axis.set(xscale="log" if all(point.cost > 0 for point in points) else "linear", ylabel="accuracy on validation")
    axis.set_xlabel(axis_name)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    axis.set_title(title, parse_math=False)
    return figure


def _draw_intervals(axis, points: Sequence[Point]) -> None:
    for point in points:
        if point.interval:
            axis.vlines(point.cost, *point.interval, color="C0", alpha=0.35)


def _name_best(axis, points: Sequence[Point]) -> None:
    """Number the fitting models of which none is better at no more cost, and name them beside the picture."""
    best, number = -1.0, 0
    for point in sorted((one for one in points if one.fits), key=lambda one: (one.cost, -one.accuracy)):
        if point.accuracy > best:
            best, number = point.accuracy, number + 1
            place = {"xytext": (5, 4), "textcoords": "offset points", "fontsize": "small"}
            axis.annotate(str(number), (point.cost, point.accuracy), **place)
            axis.plot([], [], " ", label=f"{number}  {point.name}")


def recall_figure(counts: np.ndarray, labels: Sequence[str], title: str):
    """A matplotlib Figure of bars, recall and precision of each label, where a clip may have several.

    counts: (classes, 2, 2), [[true negatives, false positives], [false negatives, true positives]] of each class.
    """
    from matplotlib.figure import Figure

    right, places = counts[:, 1, 1], np.arange(len(labels))
    figure = Figure(figsize=(7.0, 1.5 + 0.4 * len(labels)), layout="constrained")
    axis = figure.subplots()
    for offset, name, clips in ((-0.2, "recall", counts[:, 1].sum(1)), (0.2, "precision", counts[:, :, 1].sum(1))):
        shares = right / np.maximum(clips, 1)
        bars = axis.barh(places + offset, shares, 0.4, label=name)
        texts = [f"{share:.1%} of {total:,}" if total else "-" for share, total in zip(shares, clips, strict=True)]
        axis.bar_label(bars, texts, padding=2, fontsize="x-small")
    axis.set_yticks(places, labels, parse_math=False)
    axis.set(xlim=(0, 1.25), xticks=(0, 0.5, 1), xlabel="share of clips")
    axis.invert_yaxis()
    axis.legend(loc="lower right", fontsize="small")
    axis.set_title(title, parse_math=False)
    return figure


def detection_figure(words: str, points: Sequence[tuple[int, float]], hours: float, title: str):
    """A matplotlib Figure of misses over false alarms an hour, by threshold, with the 95 % upper bounds of these.

    words: what they are called that are missed. points: (false alarms, recall) of each threshold. hours: that the
    alarms were counted in; points without an alarm stand at half of one in all hours, the least that can be told from
    none.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    alarms, misses = np.array([count for count, _ in points]), [1 - recall for _, recall in points]
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot(np.where(alarms > 0, alarms, 0.5) / hours, misses, "o-", markersize=4, label="counted")
    bounds = [poisson_upper(int(count)) / hours for count in alarms]
    axis.plot(bounds, misses, ":", color="C0", label="95 % upper bound")
    axis.axvline(1 / hours, color="C3", linestyle="--", label=f"one in all {hours:.3g} hours")
    axis.set(xscale="log", xlabel="false alarms an hour", ylabel=f"{words} that are missed", ylim=(0, None))
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.grid(alpha=0.3)
    axis.legend(loc="upper right", fontsize="small")
    axis.set_title(title, parse_math=False)
    return figure


def events_figure(log_mel: np.ndarray, seconds: float, events: Sequence[Mapping], frontend: Mapping, title: str):
    """A matplotlib Figure of a recording: its log-mel spectrogram, and below it a bar for each event, by label.

    log_mel: (mels, frames). seconds: length of the recording. events: as of `Model.events`. frontend: as in
    `config.json`, for the frequencies.
    """
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(event["label"] for event in events))
    figure = Figure(figsize=(11.0, 3.4 + 0.28 * len(labels)), layout="constrained")
    sound, marks = figure.subplots(2, sharex=True, height_ratios=[3.0, 0.4 + 0.28 * len(labels)])
    shown = _fewer_frames(log_mel)
    image = sound.imshow(
        10 / np.log(10) * shown, aspect="auto", origin="lower", cmap="magma", extent=(0, seconds, 0, len(shown))
    )
    figure.colorbar(image, ax=sound, label="dB", pad=0.01)
    places = np.linspace(0, len(shown), 6)
    sound.set_yticks(places, [f"{hz:,.0f}" for hz in _mel_hz(places / len(shown), frontend)])
    sound.set(ylabel="Hz")
    sound.set_title(title, parse_math=False)
    for event in events:
        row, start, score = labels.index(event["label"]), event["start_s"], event["score"]
        colour = {"color": f"C{row % 10}", "alpha": 0.3 + 0.7 * score}
        marks.barh(row, event["end_s"] - start, left=start, height=0.7, **colour)
        marks.text(start, row, f" {score:.2f}", va="center", fontsize="x-small")
    marks.set_yticks(range(len(labels)), labels, parse_math=False)
    marks.set(xlim=(0, seconds), ylim=(len(labels) - 0.5, -0.5) if labels else (0, 1), xlabel="s")
    if not labels:
        marks.text(seconds / 2, 0.5, "no events", ha="center", va="center")
    return figure


def _fewer_frames(log_mel: np.ndarray) -> np.ndarray:
    """At most MOST_FRAMES frames, each the mean of some."""
    width = max(1, -(-log_mel.shape[1] // MOST_FRAMES))
    whole = log_mel[:, : log_mel.shape[1] // width * width]
    return whole.reshape(len(log_mel), -1, width).mean(2)


def _mel_hz(shares: np.ndarray, frontend: Mapping) -> np.ndarray:
    """Frequencies in Hz at these shares of the way from the lowest to the highest on the mel scale."""
    low, high = (2595 * np.log10(1 + frontend[name] / 700) for name in ("low_hz", "high_hz"))
    return 700 * (10 ** ((low + shares * (high - low)) / 2595) - 1)


def _label_classes(axis, labels: Sequence[str]) -> None:
    text = {"fontsize": "small" if len(labels) <= MOST_COUNTED else "xx-small", "parse_math": False}
    axis.set_xticks(range(len(labels)), labels, rotation=90, **text)
    axis.set_yticks(range(len(labels)), labels, **text)
    axis.set(xlabel="answer", ylabel="truth")


def _label_recalls(axis, recalls: np.ndarray, totals: np.ndarray) -> None:
    """Percentages on the right side of the rows."""
    side = axis.secondary_yaxis("right")
    texts = [f"{recall:.1%}" if total else "-" for recall, total in zip(recalls, totals, strict=True)]
    side.set_yticks(range(len(texts)), texts, fontsize=axis.get_yticklabels()[0].get_fontsize())
    side.tick_params(length=0)
    side.set_ylabel("recall")


def _write_counts(axis, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        text = {"ha": "center", "va": "center", "fontsize": "x-small", "color": colour}
        axis.text(column, row, f"{counts[row, column]:,}", **text)
