"""The part of the command `earshot` that is about costs: `cost`, `fit`, `measure` and `profile`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from supernet.errors import InvalidQuery, nearest_names
from supernet.extras import TRAINING, need
from zoo.cli.run import find_model
from zoo.cli.told import tell_warnings
from zoo.hubs.costs import TABLES, write_costs, write_own_costs
from zoo.keeping import check_folder, going_on
from zoo.package.plots import check_picture, write_picture

if TYPE_CHECKING:
    from supernet.cost import LayerCost

__all__ = ["add_device_commands"]

PROFILE_HELP = """\
Device profiles: measurements of networks on a device at a clock, with a runtime and its version. Those that come with
Earshot are of published measurements; your own are kept in EARSHOT_PROFILES (~/.config/earshot/profiles).
"""
LIST_HELP = """\
List the profiles at hand.

  earshot profile list
  earshot profile list stm32f746           those whose name begins so
"""
SHOW_HELP = """\
Show one profile: its device, what was measured, and how well its own measurements are predicted.

  earshot profile show stm32f746-tflm-cmsis-nn
"""
ADD_HELP = """\
Add a profile from a CSV of measurements, one network a row. Needed columns: latency_ms (or instructions, of an emulated
core), and macs or arch (the network as JSON). Others improve what is predicted: device, core, clock_mhz, runtime,
version, task, bits, params, energy_uj. In the place of a CSV it takes what a board printed that ran the firmware of
`earshot export --bench`, as the terminal kept it.

  earshot profile add my-board measurements.csv --core Cortex-M4 --clock-mhz 80 --runtime "TFLM + CMSIS-NN"
  earshot profile add my-board log.txt --device "my board" --core Cortex-M4 --clock-mhz 80
  earshot get --task kws --device my-board --max-latency-ms 20

It prints how well unseen rows of it are predicted, beside a straight line and the median, and then computes what the
models of the hub take on it. All is kept in the folder of your profiles, and changes no figure of another device. A CSV
in which something is wrong is not added; neither are rows that no such core can do (latency in seconds, a clock in Hz),
unless --yes is given.
"""
REMOVE_HELP = """\
Take one of your own profiles away: its CSV, its figures, and what you said of it in NAME.json.

  earshot profile remove my-board
"""
CHECK_HELP = """\
Predict every row of a CSV of measurements from the profiles at hand, and print the errors.

  earshot profile check measurements.csv
  earshot profile check measurements.csv --format json

Rows belong to a profile of equal device, clock and runtime; others are predicted from like devices. Measurements that
are in a profile already are known to it, so their errors say little.
"""
COSTS_HELP = """\
Compute again what the models of a hub take: on your own profiles, kept beside these, and, where the hub is a folder of
your own, on all published ones (costs.json beside each model). What comes with Earshot stays as it is.

  earshot profile costs --hub my-hub
"""
FIT_HELP = """\
Itemise what a model takes of a device: flash, RAM, latency, energy and average power with the front end, with pass or
fail where the limit is known. The exit status is 1 where a line fails. With --every-ms, an answer of a model that
streams takes the frames that are new since the one before, not a whole clip.

  earshot fit kws --device stm32f746-tflm-cmsis-nn
  earshot fit NAME --device my-board --every-ms 100
  earshot fit NAME --device my-board --every-ms 100 --max-power-uw 0.5mW --sleep-power-uw 7
  earshot fit kws --device m4 --cycles-per-instruction 1.3 --clock-mhz 80
"""

MEASURE_HELP = """\
Measure networks of the search space on a device, and write a CSV that `earshot profile add` takes.

  earshot measure --device host --out host.csv --count 100
  earshot profile add my-host host.csv
  earshot measure --device qemu-cortex-m4 --out m4.csv --count 60
  earshot profile add m4 m4.csv

The Cortex-M4 is emulated: QEMU runs the exported C of each network and counts its instructions, which say nothing of
time (see `earshot profile add --help`); this needs gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm.

On this machine: one thread on one core; each network's latency is the median of 15 rounds that go over all networks of
a batch in turn. Runners: integers, our evaluator of packages; eager, the float network in PyTorch. The next networks to
measure are those where the predictor of the first ones is least sure. A run that was stopped goes on when the same
command is given again.
"""

COST_HELP = """\
Print what a model costs exactly, layer by layer and in total, without any device: multiply-accumulates by kind,
parameters, bytes of flash, and RAM of the integer runtime.

  earshot cost kws
  earshot cost NAME --format json
"""
EMULATED = "qemu-cortex-m4"
FLASH_BITS = (8, 6, 5, 4, 3, 2, 1)
EXAMPLES = {"clock_mhz": 80, "cycles_per_instruction": 1.3}


def add_device_commands(commands, command, add_hub) -> None:
    """Add the commands to a parser.

    command: makes one of (subparsers, name, function, help, summary). add_hub: adds the option of which hub is asked.
    """
    sub = command(commands, "cost", _cost, COST_HELP, "what a model costs, layer by layer")
    sub.add_argument("model", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    add_hub(sub)
    fit = command(commands, "fit", _fit, FIT_HELP, "what a model takes of a device")
    fit.add_argument("model", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    fit.add_argument("--device", required=True, help="a profile, by its name or the beginning of it")
    _add_core(fit)
    fit.add_argument("--max-power-uw", help="that the average power of the stream must keep, such as 500 or 0.5mW")
    fit.add_argument("--sleep-power-uw", help="of the device between answers (default: as its profile says, else 0)")
    fit.add_argument("--every-ms", help="how often an answer is wanted (default: once a clip, of all its frames)")
    add_hub(fit)
    _add_folder(fit)
    sub = command(commands, "measure", _measure, MEASURE_HELP, "measurements of networks on a device")
    sub.add_argument("--device", required=True, help=f"host: this machine; {EMULATED}: instructions, emulated")
    sub.add_argument("--out", required=True, metavar="FILE.csv", help="measurements; goes on where it holds some")
    sub.add_argument("--count", type=int, default=100, help="of networks (default: %(default)s)")
    sub.add_argument("--runner", metavar="NAME", help="of --device host: integers or eager (default: integers)")
    sub.add_argument("--features", choices=("mfcc", "logmel"), default="logmel", help="of the networks (%(default)s)")
    sub.add_argument("--random", action="store_true", help="draw all networks at random")
    sub.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    style = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    profile = commands.add_parser("profile", help="device profiles", description=PROFILE_HELP, **style)
    parts = profile.add_subparsers(required=True, metavar="COMMAND")
    sub = command(parts, "list", _list, LIST_HELP, "the profiles at hand", needs=TABLES)
    sub.add_argument("begin", nargs="?", default="", metavar="NAME", help="only those whose name begins so")
    _add_folder(sub)
    sub = command(parts, "show", _show, SHOW_HELP, "one profile", needs=TABLES)
    sub.add_argument("name", metavar="NAME")
    _add_plot(sub)
    sub = command(parts, "add", _add, ADD_HELP, "a new one from a CSV, or from the log of a board", needs=TABLES)
    sub.add_argument("name", metavar="NAME", help="small letters, digits, `.`, `_` and `-`")
    sub.add_argument("file", metavar="FILE", help="CSV of measurements, or what a board printed")
    for name, text in (("device", "board or part number"), ("core", "such as Cortex-M7"), ("runtime", "what computes"),
                       ("version", "of the runtime"), ("task", "such as kws")):  # fmt: skip
        sub.add_argument(f"--{name}", help=f"{text}, where the CSV does not say")
    _add_core(sub)
    sub.add_argument("--yes", action="store_true", help="add rows that no such core can do as they are")
    add_hub(sub)
    _add_plot(sub)
    sub = command(parts, "remove", _remove, REMOVE_HELP, "one of your own")
    sub.add_argument("name", metavar="NAME", help="as it was added")
    _add_folder(sub)
    sub = command(parts, "check", _check, CHECK_HELP, "errors on measurements of one's own", needs=TABLES)
    sub.add_argument("file", metavar="FILE.csv")
    _add_folder(sub)
    sub = command(parts, "costs", _costs, COSTS_HELP, "compute what models take again", needs=TABLES)
    add_hub(sub)
    _add_folder(sub)


def _add_core(sub: argparse.ArgumentParser) -> None:
    """What makes milliseconds of cycles and of instructions."""
    sub.add_argument("--clock-mhz", help="of the core, such as 80, where it is not stated")
    sub.add_argument(
        "--cycles-per-instruction", help="of the core, such as 1.3: with a clock, milliseconds of emulated instructions"
    )


def _core(options: argparse.Namespace) -> dict[str, float]:
    """What was given of the core. Raises InvalidQuery."""
    given = {name: getattr(options, name) for name in ("clock_mhz", "cycles_per_instruction")}
    for name, text in given.items():
        if text is not None and not re.fullmatch(r"\d+(\.\d+)?", text):
            raise InvalidQuery(f"--{name.replace('_', '-')} {text}: give a number above 0, such as {EXAMPLES[name]}")
    return {name: float(text) for name, text in given.items() if text is not None}


def _add_folder(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--profiles", metavar="FOLDER", help="of your own profiles (default: EARSHOT_PROFILES)")


def _add_plot(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--plot", metavar="FILE", help="picture of predicted over measured: .svg, .png or .pdf")
    _add_folder(sub)


def _cost(options: argparse.Namespace) -> None:
    from predictors.estimate import estimate, frontend_macs_per_second
    from predictors.runtime import measured_with
    from supernet.bits import with_bits
    from supernet.cost import MAC_KINDS, answer_interval, cost_columns, layer_costs, macs_per_second

    model = find_model(options.model, options.hub)
    arch, rows, exact = model.arch, layer_costs(model.arch), asdict(estimate(model.arch))
    columns = cost_columns([arch])
    kinds = {f"{kind}_macs": int(columns[f"{kind}_macs"][0]) for kind in MAC_KINDS}
    by_bits = {str(bits): estimate(with_bits(arch.without_bits(), bits)).flash_bytes for bits in FLASH_BITS}
    rate = {"macs_per_second": macs_per_second(arch), "frontend_macs_per_second": frontend_macs_per_second(arch)}
    if options.format == "json":
        totals = {**exact, **kinds, "frontend_macs": model.entry.frontend_macs, "flash_bytes_by_bits": by_bits}
        print(json.dumps({"name": model.name, **totals, **rate, "layers": [asdict(row) for row in rows]}, indent=1))
        return
    _print_layers(model.name, rows, exact)
    print("MACs by kind: " + ", ".join(f"{kinds[f'{kind}_macs']:,} {kind}" for kind in MAC_KINDS))
    print(f"flash: {exact['weight_bytes']:,} bytes of weights, {exact['runtime_bytes']:,} of code and tables "
          f"({measured_with()})")  # fmt: skip
    print("flash by bits of inner weights: " + ", ".join(f"{bits}: {count:,}" for bits, count in by_bits.items()))
    stream = f"{exact['stream_ram_bytes']:,} bytes in a stream, " if exact["stream_ram_bytes"] else ""
    print(f"RAM with the front end: {stream}{exact['clip_ram_bytes']:,} bytes on whole clips")
    print(f"front end: {model.entry.frontend_macs:,} MACs beside the network's")
    if model.entry.streamable:
        every = answer_interval(arch) * arch.features.step_ms
        own, front = (f"{count:,} MACs" for count in rate.values())
        print(f"a second in a stream, with an answer each {every} ms: {own}, front end {front}")


def _print_layers(name: str, rows: Sequence[LayerCost], exact: Mapping[str, int]) -> None:
    width = max(len(row.name) for row in rows)
    header = f"{'layer':{width}}  {'kind':9} {'MACs':>10} {'params':>8} {'flash':>8} {'arena':>8} {'stream':>7}"
    print(f"{name}\n{header}")
    for row in rows:
        counts = (
            f"{row.macs:10,} {row.params:8,} {row.weight_bytes:8,} {row.arena_bytes:8,} {row.stream_state_bytes:7,}"
        )
        print(f"{row.name:{width}}  {row.kind:9} {counts}")
    whole = f"{exact['macs']:10,} {exact['params']:8,} {exact['weight_bytes']:8,}"
    print(f"{'in total':{width}}  {'':9} {whole} {exact['arena_bytes']:8,} {exact['stream_state_bytes']:7,}")


def _fit(options: argparse.Namespace) -> int:
    power = {name: getattr(options, name) for name in ("max_power_uw", "sleep_power_uw")}
    bill = find_model(options.model, options.hub).fit(
        options.device, options.every_ms, options.profiles, **_core(options), **power
    )
    print(json.dumps(bill.to_dict(), indent=1) if options.format == "json" else bill)
    return int(not bill.passes)


def _measure(options: argparse.Namespace) -> None:
    need(*(TABLES if options.device == EMULATED else TRAINING))
    from predictors.measure import measure
    from supernet.space import default_space

    if options.count < 2 or options.seed < 0:
        raise InvalidQuery("--count takes 2 or more, and --seed 0 or more")
    check_folder("--out", Path(options.out).parent)
    runner, networks = _runner(options), default_space("temporal", 12, features=options.features)
    with going_on(options.out):
        rows = measure(networks, runner, options.count, options.out, options.seed, not options.random)
    if options.format == "json":
        print(json.dumps({"file": options.out, "rows": len(rows), "runtime": runner.runtime}, indent=1))
    else:
        print(f"{options.out}: {len(rows)} networks, {_range(rows)}, {runner.runtime} {runner.version}")


def _runner(options: argparse.Namespace):
    """What measures. Raises InvalidQuery."""
    if options.device == EMULATED:
        if options.runner:
            raise InvalidQuery(f"--runner {options.runner}: is of --device host; leave one of them out")
        from zoo.export.c.counter import CortexM4

        return CortexM4()
    if options.device != "host":
        raise InvalidQuery(
            f"--device {options.device}: this version measures host and {EMULATED}; fill a CSV for other devices, or "
            "try `earshot export --bench`"
        )
    from predictors.runners import RUNNERS

    runner = options.runner or "integers"
    if runner not in RUNNERS:
        raise InvalidQuery(f"--runner {runner}: {nearest_names(runner, RUNNERS)}")
    return RUNNERS[runner]()


def _range(rows) -> str:
    """The least and the most of what was measured."""
    if rows["latency_ms"].notna().any():
        return f"{rows['latency_ms'].min():.3g} to {rows['latency_ms'].max():.3g} ms"
    return f"{rows['instructions'].min():,.0f} to {rows['instructions'].max():,.0f} instructions"


def _list(options: argparse.Namespace) -> None:
    from predictors.device import profiles

    found = [one for name, one in sorted(profiles(options.profiles).items()) if name.startswith(options.begin.lower())]
    if options.format == "json":
        print(json.dumps([_about(profile) for profile in found], indent=1))
        return
    width = max((len(profile.name) for profile in found), default=4)
    print(f"{'name':{width}}  rows  {'MHz':>6}  core")
    for profile in found:
        clock = f"{profile.clock_mhz:g}" if profile.clock_mhz else ""
        print(f"{profile.name:{width}}  {len(profile.rows):4}  {clock:>6}  {profile.core}")


def _about(profile) -> dict:
    names = ("name", "device", "core", "clock_mhz", "runtime", "version", "indicative", "digest")
    return {**{name: getattr(profile, name) for name in names}, "rows": len(profile.rows), **profile.settings}


def _show(options: argparse.Namespace) -> None:
    from predictors.device import find_profile

    check_picture("--plot", options.plot)
    _report([find_profile(options.name, options.profiles)], options)


def _report(found: list, options: argparse.Namespace) -> None:
    """Profiles, with the errors of each method on rows that it has not seen."""
    from predictors.checks import cross_validate, errors

    several = [profile.rows[profile.target].notna().sum() > 1 for profile in found]
    tables = [cross_validate(one, options.profiles) if many else None for one, many in zip(found, several, strict=True)]
    missed = [
        {name: errors(table[name], table[one.target]) for name in ("ours", "line", "constant") if table is not None}
        for one, table in zip(found, tables, strict=True)
    ]
    if options.plot:
        _plot({profile.name: table for profile, table in zip(found, tables, strict=True)}, Path(options.plot))
    if options.format == "json":
        made = [{**_about(profile), "errors": own} for profile, own in zip(found, missed, strict=True)]
        print(json.dumps(made[0] if len(made) == 1 else made, indent=1))
        return
    for profile, own in zip(found, missed, strict=True):
        _print_profile(profile, own)


def _print_profile(profile, found: dict) -> None:
    """found: errors by method."""
    low, high = profile.rows["macs"].min(), profile.rows["macs"].max()
    print(f"{profile.name}: {len(profile.rows)} networks of {low:,.0f} to {high:,.0f} MACs")
    for name, value in _about(profile).items():
        if name not in ("name", "rows", "digest") and value not in (None, ""):
            print(f"  {name:12} {value}")
    if found:
        print(f"  unseen rows   {'median error':>14} {'within 10 %':>12} {'within 30 %':>12}")
        for name, own in found.items():
            shares = f"{own['within_10_percent']:11.1f}% {own['within_30_percent']:11.1f}%"
            print(f"  {name:12} {own['median_ape_percent']:14.1f}% {shares}")


def _add(options: argparse.Namespace) -> None:
    from predictors.device import add_profile, profile_file

    hub = zoo.open_hub(options.hub)
    check_picture("--plot", options.plot)
    cycles = _core(options).get("cycles_per_instruction")
    tell_warnings()
    names = ("device", "core", "clock_mhz", "runtime", "version", "task")
    known = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    kept = profile_file(options.name, options.profiles)
    check_folder("--profiles", kept.parent)
    added = add_profile(
        options.name, options.file, options.profiles, yes=options.yes, cycles_per_instruction=cycles, **known
    )
    with going_on(kept):
        _report(added, options)
        write_own_costs(hub, hub.entries, options.profiles, options.name)
    print(f"earshot: the {len(hub.entries)} models of {hub.address} now have figures for it", file=sys.stderr)
    if options.profiles:
        print(f"earshot: look-ups find them with EARSHOT_PROFILES={options.profiles}", file=sys.stderr)


def _remove(options: argparse.Namespace) -> None:
    from predictors.settings import remove_profile

    removed = remove_profile(options.name, options.profiles)
    if options.format == "json":
        print(json.dumps({"removed": [str(path) for path in removed]}, indent=1))
    else:
        print(f"removed {', '.join(str(path) for path in removed)}")


def _check(options: argparse.Namespace) -> None:
    from predictors.checks import check, errors, measured
    from predictors.device import read_measurements

    found = read_measurements(options.file, complete=False)
    for warning in found.warnings:
        print(f"earshot: {options.file}: {warning}", file=sys.stderr)
    table = check(found.rows, options.profiles)
    target = measured(table)
    held = (table["low"] <= table[target]) & (table[target] <= table["high"])
    whole = errors(table["said"], table[target]) | {"within_interval_percent": round(100 * held.mean(), 2)}
    whole |= {"in_range": int(table["in_range"].sum())}
    own = {name: errors(part["said"], part[target]) for name, part in table.groupby("profile")}
    if options.format == "json":
        print(json.dumps({**whole, "profiles": own}, indent=1))
        return
    width = max(len("in total"), *map(len, own))
    print(f"{'profile':{width}}  rows  median error  within 10 %  within 30 %")
    for name, item in {**own, "in total": whole}.items():
        shares = f"{item['within_10_percent']:10.1f}%  {item['within_30_percent']:10.1f}%"
        print(f"{name:{width}}  {item['rows']:4}  {item['median_ape_percent']:11.1f}%  {shares}")
    print(
        f"{whole['in_range']} rows are within what was measured; intervals hold {whole['within_interval_percent']:.0f}%"
    )


def _costs(options: argparse.Namespace) -> None:
    hub = zoo.open_hub(options.hub)
    with going_on(hub.address):
        count = write_costs(hub, hub.entries) + write_own_costs(hub, hub.entries, options.profiles)
    if options.hub and hub.entries and not count:
        raise InvalidQuery(
            f"hub {hub.address}: not writable; `earshot sync` copies it to a folder of your own, and `earshot profile "
            "add` makes a profile of your own, whose figures are kept beside it"
        )
    found = {"hub": hub.address, "models": len(hub.entries), "profiles": count}
    print(json.dumps(found, indent=1) if options.format == "json" else f"{len(hub.entries)} models on {count} profiles")


def _plot(tables: dict, path: Path) -> None:
    """Predicted over measured, of rows that were not seen, a picture a profile; written beside and renamed."""
    from matplotlib.figure import Figure

    from predictors.checks import measured

    tables = {name: table for name, table in tables.items() if table is not None}
    figure = Figure((5 * max(1, len(tables)), 5), layout="constrained")
    for place, (name, table) in enumerate(tables.items(), 1):
        axes = figure.add_subplot(1, len(tables), place)
        target = measured(table)
        for method, mark in (("line", "x"), ("ours", "o")):
            axes.plot(table[target], table[method], mark, label=method, markersize=4)
        ends = [table[target].min() / 1.5, table[target].max() * 1.5]
        unit = "ms" if target == "latency_ms" else target
        axes.plot(ends, ends, color="grey", linewidth=0.8)
        axes.set(
            xscale="log", yscale="log", xlabel=f"measured, {unit}", ylabel=f"predicted without having seen it, {unit}"
        )
        axes.set_title(name)
        axes.legend()
    write_picture(figure, path)
