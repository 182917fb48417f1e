"""The part of the command `earshot` that lists models: `list`, as a table, sorted, and as a picture."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import inspect
import json
import sys
from collections.abc import Sequence

import zoo
from supernet.errors import InvalidQuery, UnknownName, nearest_names
from zoo.ask.device import Stream
from zoo.ask.limits import LIMITS, limits_of
from zoo.ask.lookup import device_columns
from zoo.ask.units import share
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import figure
from zoo.package.entry import Entry
from zoo.package.facts import KINDS, Fact, accuracies, column_names, facts, listed
from zoo.package.figures import DeviceFigure, bits_note
from zoo.package.plots import Point, check_picture, cost_figure, write_picture

__all__ = ["LIST_HELP", "add_list_options", "list_models", "print_entries", "query_of"]

LIST_HELP = """\
List all models that meet the constraints, best first.

  earshot list --task kws
  earshot list --name "kws-*-w4a8-*" --max-flash 32kB
  earshot list --words stop left right
  earshot list --licence "cc-by-[0-9]*" --format csv > models.csv
  earshot list --hub ./my-hub --hub hf://me/my-hub@v1.0         several hubs, the first one first
  earshot list --task kws --sort flash_bytes --columns name,flash_bytes,validation,interval,clips
  earshot list --task kws --max-ram 10kB --plot kws.svg --cost ram_bytes       accuracy over RAM, with what fits marked

Columns are the fields of --format json, and interval (95 %, of the accuracy on validation), clips, runtime_bytes,
ram_bytes, macs_per_second and frontend_macs_per_second (in a stream), detection_recall, false_alarms_per_hour, and the
settings of a detector, threshold, thresholds (of labels), smoothing, release, refractory_ms and hop_ms; with --device
also latency_ms, energy_uj, power_uw and what else is known there. The columns interval, clips, power_uw, those a second
and those of detection read the package of every model.
"""
MOST_INTERVALS = 100
"""Models of which a picture shows intervals, for which their packages are read."""


def add_list_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of what is shown of a list, and in which order."""
    sub.add_argument("--name", metavar="PATTERN", help='of such names, such as "kws-*-w4a8-*"')
    sub.add_argument("--most", type=int, help="only so many, the first")
    sub.add_argument("--columns", metavar="A,B,...", help="what to show, such as name,ram_bytes,validation,interval")
    sub.add_argument(
        "--sort", metavar="COLUMN", help="by any column, upwards; -COLUMN: downwards (default: best first)"
    )
    sub.add_argument("--plot", metavar="FILE", help="picture of accuracy over a cost: .svg, .png or .pdf")
    sub.add_argument("--cost", metavar="COLUMN", help="with --plot: over which cost (default: macs)")


def query_of(options: argparse.Namespace) -> dict:
    """What was asked for, as arguments of `zoo.get` and `zoo.find`."""
    names = {*inspect.signature(zoo.get).parameters, "most"}
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def list_models(options: argparse.Namespace) -> None:
    """The command `list`."""
    columns, column, down = _columns(options), *_order(options)
    _check_plot(options)
    hub = zoo.open_hub(options.hub)
    wanted = {**query_of(options), "hub": hub}
    entries = zoo.find(**({**wanted, "most": None} if column else wanted))
    stream = _stream(options, [*(columns or ()), column, options.cost])
    taken = {entry.name: _figure(hub, entry, options.device, stream) for entry in entries} if options.device else {}
    if column:
        entries = _sorted(hub, entries, taken, column, down)[: _most(options.most)]
    if options.plot:
        write_picture(_picture(hub, entries, options), options.plot)
    if options.format == "text":
        _print_table(hub, entries, taken, columns or [*listed(), *_taken_column(taken)])
        _print_notes(list(taken.values()))
    else:
        _write_rows(_rows(hub, entries, taken, columns, options.format), options.format)


def _stream(options: argparse.Namespace, names: Sequence[str | None]) -> Stream:
    """The stream whose power is shown, where it is asked or a column of it is."""
    stream = Stream.of(vars(options))
    return dataclasses.replace(stream, asked=stream.asked or not {"power_uw", "power_basis"}.isdisjoint(names))


def _figure(hub: AnyHub, entry: Entry, device: str, stream: Stream) -> DeviceFigure:
    return stream.figure(hub, entry, figure(hub, entry, device))


def _taken_column(taken: dict[str, DeviceFigure]) -> list[str]:
    """Of a device: latency, or instructions where nobody measured that; and power where it is asked."""
    timed = any(own.latency_ms is not None for own in taken.values())
    powered = any(own.power for own in taken.values())
    return ["latency_ms" if timed else "instructions"] * bool(taken) + ["power_uw"] * powered


def print_entries(entries: Sequence[Entry]) -> None:
    """Print models as a table."""
    _print_lines(listed(), [facts(listed(), entry) for entry in entries])


def _most(most: int | None) -> int | None:
    if most is not None and most < 1:
        raise InvalidQuery(f"most = {most} is not possible: give a whole number of models, such as 10")
    return most


def _columns(options: argparse.Namespace) -> list[str] | None:
    if options.columns is None:
        return None
    names = [name.strip() for name in options.columns.split(",") if name.strip()]
    if not names:
        raise InvalidQuery(f"--columns {options.columns!r}: names none; give some, such as name,ram_bytes,validation")
    return column_names(names, options.device is not None)


def _order(options: argparse.Namespace) -> tuple[str | None, bool]:
    """The column to sort by, and whether downwards."""
    if options.sort is None:
        return None, False
    column = options.sort.removeprefix("-")
    column_names([column], options.device is not None)
    return column, options.sort.startswith("-")


def _facts(hub: AnyHub, entry: Entry, taken: dict[str, DeviceFigure], names: Sequence[str]) -> dict[str, Fact]:
    packaged = any(KINDS[name].packaged for name in names)
    return facts(names, entry, _values(hub, entry) if packaged else None, taken.get(entry.name))


def _values(hub: AnyHub, entry: Entry) -> dict:
    return hub.home(entry).config(entry).values


def _sorted(hub: AnyHub, entries: list[Entry], taken: dict[str, DeviceFigure], column: str, down: bool) -> list[Entry]:
    """Those of equal values stay best first, those without one come last."""
    values = {entry.name: _facts(hub, entry, taken, [column])[column].value for entry in entries}
    known = [entry for entry in entries if values[entry.name] is not None]
    ordered = sorted(known, key=lambda entry: _comparable(values[entry.name]), reverse=down)
    return ordered + [entry for entry in entries if values[entry.name] is None]


def _comparable(value) -> tuple:
    """Numbers before words, since bits may be mixed."""
    return isinstance(value, str), value


def _print_table(hub: AnyHub, entries: Sequence[Entry], taken: dict[str, DeviceFigure], columns: Sequence[str]) -> None:
    _print_lines(columns, [_facts(hub, entry, taken, columns) for entry in entries])


def _print_lines(columns: Sequence[str], rows: Sequence[dict[str, Fact]]) -> None:
    """Words to the left, amounts to the right."""
    cells = [[KINDS[name].head for name in columns], *(list(map(_text, row.values())) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    signs = ["<" if KINDS[name].words else ">" for name in columns]
    for line in cells:
        texts = [f"{cell:{sign}{width}}" for cell, sign, width in zip(line, signs, widths, strict=True)]
        print("  ".join(texts).rstrip())


def _text(fact: Fact) -> str:
    """What is known on a device has its unit in the cell, all else in the head."""
    return f"{fact.text} {fact.unit}".rstrip() if KINDS[fact.name].on_device and fact.value is not None else fact.text


def _print_notes(taken: Sequence[DeviceFigure]) -> None:
    """What is to be known of latencies in a table, on standard error."""
    if taken:
        print("earshot: latency is with the front end, which is guessed by its MACs", file=sys.stderr)
    for about in dict.fromkeys(own.power.about for own in taken if own.power):
        print(f"earshot: power is {about}", file=sys.stderr)
    for bits in sorted({own.as_bits for own in taken if own.as_bits is not None}):
        print(f"earshot: {bits_note(bits)}", file=sys.stderr)


def _rows(
    hub: AnyHub, entries: Sequence[Entry], taken: dict[str, DeviceFigure], columns: list[str] | None, form: str
) -> list[dict]:
    """Plain values of each model: of the columns, or all that the index knows, and what it takes on the device."""
    if columns:
        shown = [_facts(hub, entry, taken, columns) for entry in entries]
        return [{name: fact.value for name, fact in row.items()} for row in shown]
    return [{**entry.to_dict(), **_on_device(entry, taken, form)} for entry in entries]


def _on_device(entry: Entry, taken: dict[str, DeviceFigure], form: str) -> dict:
    if not taken:
        return {}
    own = taken[entry.name]
    return {"device": dataclasses.asdict(own)} if form == "json" else device_columns(entry, own)


def _write_rows(rows: Sequence[dict], form: str) -> None:
    if form == "json":
        print(json.dumps(rows, indent=1))
        return
    table = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value):
    return json.dumps(value) if isinstance(value, list | tuple) else value


def _check_plot(options: argparse.Namespace) -> None:
    """Raise InvalidQuery for a picture that cannot be drawn."""
    check_picture("--plot", options.plot)
    if options.cost is None:
        return
    column_names([options.cost], options.device is not None)
    if not KINDS[options.cost].cost:
        costs = [name for name, kind in KINDS.items() if kind.cost]
        raise InvalidQuery(f"--cost {options.cost}: is no cost; {nearest_names(options.cost, costs)}")
    if options.plot is None:
        raise InvalidQuery(f"--cost {options.cost}: is of --plot; give that as well, or sort by --sort {options.cost}")


def _picture(hub: AnyHub, fitting: Sequence[Entry], options: argparse.Namespace):
    """All models of the tasks of those that fit, and which these are."""
    cost = options.cost or "macs"
    names, tasks = {entry.name for entry in fitting}, {entry.task for entry in fitting}
    everything = [entry for entry in zoo.find(hub=hub) if entry.task in tasks]
    asked = options.device, _stream(options, [cost]), cost
    points = [_point(hub, entry, asked, entry.name in names, len(names)) for entry in everything]
    known = [point for point in points if point.cost is not None]
    if not any(point.fits for point in known):
        raise InvalidQuery(f"--cost {cost}: none of these models has it; name another cost")
    limits = [value for name, value in limits_of(vars(options)).items() if LIMITS[name].field == cost]
    least = None if options.min_accuracy is None else share("min_accuracy", options.min_accuracy)
    title = f"{', '.join(sorted(tasks))}: {len(names):,} of {len(everything):,} models fit"
    return cost_figure(known, KINDS[cost].head, title, min(limits, default=None), least)


def _point(hub: AnyHub, entry: Entry, asked: tuple[str | None, Stream, str], fits: bool, count: int) -> Point:
    """asked: device, stream and cost. count: of the models that fit."""
    interval = None
    if fits and count <= MOST_INTERVALS:
        validation = accuracies(_values(hub, entry)["accuracy"])[0]
        interval = validation.low, validation.high
    return Point(entry.name, _cost(hub, entry, *asked), entry.validation, fits, interval)


def _cost(hub: AnyHub, entry: Entry, device: str | None, stream: Stream, name: str) -> float | None:
    """What a model costs; None where it has no such figure, on that device or at all."""
    taken = {}
    if KINDS[name].on_device:
        try:
            taken = {entry.name: _figure(hub, entry, device, stream)}
        except UnknownName:
            return None
    return _facts(hub, entry, taken, [name])[name].value
