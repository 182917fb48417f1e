"""The part of the command `earshot` that searches: `search` and `predictor`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import zoo
from supernet.errors import InvalidQuery, NoModelFits, UnknownName
from supernet.extras import TRAINING
from supernet.files import read_json, write_output
from zoo.ask.device import Stream
from zoo.ask.limits import LIMITS, limits_of
from zoo.cli.told import tell_steps
from zoo.keeping import check_folder, command_run, going_on, options_of
from zoo.package.entry import MEASURED
from zoo.package.facts import accuracy_text
from zoo.package.figures import DeviceFigure, figure_of
from zoo.package.plots import check_file, check_picture, write_picture
from zoo.package.read import CONFIG
from zoo.run.power import with_power

__all__ = ["add_search_commands"]

SEARCH_HELP = """\
Search the supernets of a hub for the best sub-network within limits, by predicted accuracy, and print it.

  earshot search --task kws --max-ram 32kB --max-latency-ms 20 --device stm32f746-tflm-cmsis-nn
  earshot search --task kws --device stm32f746-tflm-cmsis-nn --max-power-uw 3mW --every-ms 100
  earshot search --task kws --bits 4 --front macs --csv front.csv --plot front.svg
  earshot search --task kws --max-flash 16kB --data speech_commands/

The third line gives the whole front of accuracy against MACs, the fourth measures the best few on the validation split
before it chooses, since predictors flatter what they select. Nothing is published: `earshot get ... --specialize` makes
a model of what is found.
"""
PREDICTOR_HELP = """\
Fit the accuracy predictor of a supernet, so that it can be searched: sub-networks of all sizes, and bits, are measured
on the validation split, and the table is kept beside the supernet with the errors of its prediction.

  earshot predictor runs/doors/supernet --data doors/
  torchrun --nproc-per-node 2 -m zoo.cli predictor runs/doors/supernet --data doors/

A run that was stopped goes on when the same command is given again, and a larger --count adds to it.
"""
OBJECTIVES = {"macs": "macs", "params": "params", "weights": "weight_bytes", "flash": "flash_bytes", "ram": "ram_bytes",
              "latency": "latency_ms", "energy": "energy_uj", "instructions": "instructions",
              "power": "power_uw"}  # fmt: skip
NAMES = {"macs": "MACs", "params": "parameters", "weight_bytes": "weights, bytes", "flash_bytes": "flash, bytes",
         "ram_bytes": "RAM, bytes", "latency_ms": "latency, ms", "energy_uj": "energy, uJ",
         "instructions": "instructions", "power_uw": "power, uW"}  # fmt: skip
SHOWN = 20


def add_search_commands(commands, command, add_query) -> None:
    """Add the commands to a parser. command: makes one; add_query: adds the options of a look-up to one."""
    summary = "the best sub-network for a budget, or the whole front"
    sub = command(commands, "search", _search, SEARCH_HELP, summary, needs=TRAINING)
    add_query(sub)
    sub.add_argument(
        "--supernet", help="one supernet, by its name in the hub or its folder (default: all for the task)"
    )
    sub.add_argument(
        "--front", nargs="+", choices=OBJECTIVES, default=[], metavar="COST",
        help=f"the front of accuracy against one or two costs: {', '.join(OBJECTIVES)}",
    )  # fmt: skip
    sub.add_argument("--csv", metavar="FILE", help="keep the front there; without --front all candidates")
    sub.add_argument(
        "--plot", metavar="FILE", help="picture of candidates, front and published models: .svg, .png, .pdf"
    )
    sub.add_argument("--strategy", default="evolution", help="evolution, random or differentiable (default: evolution)")
    sub.add_argument("--evaluations", type=int, help="networks a supernet (default: 20,000)")
    sub.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    sub.add_argument(
        "--data", metavar="FOLDER", help="what the supernet was trained on: the best few are measured on it"
    )
    sub.add_argument(
        "--run-dir", metavar="FOLDER",
        help="keep the state there: a search that was stopped goes on (default: below runs/ until it has ended)",
    )  # fmt: skip
    summary = "fit the accuracy predictor of a supernet"
    sub = command(commands, "predictor", _predictor, PREDICTOR_HELP, summary, needs=TRAINING)
    sub.add_argument("supernet", metavar="SUPERNET", help="its folder")
    sub.add_argument("--data", required=True, metavar="FOLDER", help="what it was trained on")
    sub.add_argument("--task", help="whose head is measured (default: its only one)")
    sub.add_argument(
        "--count", type=int, help="of networks that are measured (default: as the clips can tell apart, at most 200)"
    )
    sub.add_argument("--run-dir", metavar="FOLDER", help="of the run's state (default: beside the supernet)")


def _search(options: argparse.Namespace) -> None:
    from zoo.make.search import supernet_digests

    _check(options)
    hub = zoo.open_hub(options.hub)
    wish = options_of(options) | {"supernets": supernet_digests(hub, options.supernet)}
    with command_run("search", wish, options.run_dir) as run:
        _give(options, run, hub)
        sys.stdout.flush()


def _give(options: argparse.Namespace, run: Path | None, hub: zoo.hubs.base.AnyHub) -> None:
    """Search, and give what is found. run: where the state of the search is kept."""
    from zoo.make.search import search_hub

    limits, stream = limits_of(vars(options)), Stream.of(vars(options))
    tell_steps()
    objectives = tuple(OBJECTIVES[name] for name in dict.fromkeys(options.front))
    began = time.monotonic()
    findings = search_hub(
        options.task,
        limits,
        bits=options.bits,
        family=options.family,
        device=options.device,
        sure=options.sure,
        ignore_limits=options.ignore_limits,
        every_ms=stream.every_ms,
        sleep_power_uw=stream.sleep_power_uw,
        hub=hub,
        supernet=options.supernet,
        objectives=objectives,
        strategy=options.strategy,
        evaluations=options.evaluations,
        seed=options.seed,
        data=options.data,
        run_dir=run,
    )
    seconds = time.monotonic() - began
    if options.csv:
        table = findings.front() if objectives else findings.table()
        write_output(options.csv, table.to_csv(index=False, lineterminator="\n").encode())
    if options.plot:
        _plot(findings, objectives or ("macs",), limits, options)
    if options.format == "json":
        print(json.dumps(_to_json(findings, objectives, options), indent=1))
        return
    tried = sum(len(finding.result.scores) for finding in findings.all)
    names = " and ".join(finding.searched.name for finding in findings.all)
    print(f"{tried:,} networks of {names} in {seconds:.1f} s", file=sys.stderr)
    if objectives:
        _print_front(findings)
    else:
        print(_best_text(findings.best, options))
        _print_published(options, findings.best)


def _check(options: argparse.Namespace) -> None:
    if options.task is None:
        raise InvalidQuery("which task? give --task, such as --task kws")
    if options.min_accuracy:
        raise InvalidQuery("--min-accuracy is of look-ups: a search gives the most accurate network within the limits")
    if options.front and options.data:
        raise InvalidQuery("--front with --data: a front is of predictions; give --data with limits for one answer")
    of_device = ("sure", "ignore_limits", "every_ms", "sleep_power_uw")
    for name, given in ((f"--{own.replace('_', '-')}", getattr(options, own)) for own in of_device):
        if given and not options.device:
            raise InvalidQuery(f"{name} needs a device; `earshot profile list` shows all")
    if len(set(options.front)) > 2:
        raise InvalidQuery(f"--front {' '.join(options.front)}: give one or two costs")
    check_picture("--plot", options.plot)
    check_file("--csv", options.csv)
    check_folder("--run-dir", options.run_dir)
    limits_of(vars(options))
    Stream.of(vars(options))


def _taken(finding, options: argparse.Namespace) -> DeviceFigure:
    """What a network that was found takes on the device, with the power of a stream where that is asked."""
    task, stream = finding.result.problem.task, Stream.of(vars(options))
    found = figure_of(finding.arch, options.device, task)
    if not (stream.asked or "power" in options.front):
        return found
    return with_power(found, finding.arch, task, stream.every_ms, stream.sleep_power_uw)


def _best_text(finding, options: argparse.Namespace) -> str:
    arch, searched = finding.arch, finding.searched
    costs = {name: column[0] for name, column in finding.result.problem.costs(finding.genes).items()}
    low, high = searched.predictor.interval(finding.predicted)
    lines = [
        f"{searched.name}: {_bits_text(arch)}",
        f"  {_shape(arch)}",
        f"  {costs['macs']:,} MACs, {costs['params']:,} parameters, {costs['flash_bytes']:,} bytes of flash, "
        f"{costs['ram_bytes']:,} of RAM",
    ]
    if options.device:
        taken = _taken(finding, options)
        lines += [f"  {text}" for text in (taken, taken.power) if text is not None]
    lines.append(f"  accuracy {finding.predicted:.2%} predicted ({low:.2%} to {high:.2%}), without fine-tuning")
    if finding.measured is not None:
        count, how = len(finding.measured.scores), "chosen by both from" if finding.clips else "the best of"
        lines.append(f"  accuracy {finding.accuracy:.2%} measured on validation, {how} {count} measured")
    return "\n".join(lines)


def _bits_text(arch) -> str:
    from supernet.bits import inner_bits
    from zoo.package.facts import precision

    weights, between = inner_bits(arch)
    return f"{precision(weights)} weights, {precision(between)} activations"


def _shape(arch) -> str:
    """A network in one line: features, then what its family says of it."""
    features = arch.features
    return f"{features.kind} {features.coefficients} x {features.step_ms} ms, {arch.shape}"


def _print_published(options: argparse.Namespace, best) -> None:
    """The best published model within the same limits, where there is one: it was fine-tuned."""
    query = {
        name: getattr(options, name)
        for name in (
            *LIMITS,
            "task",
            "bits",
            "family",
            "device",
            "sure",
            "hub",
            "ignore_limits",
            "every_ms",
            "sleep_power_uw",
        )
    }
    try:
        entry = zoo.find(**query)[0]
    except (NoModelFits, UnknownName):
        print("nothing published fits: `earshot get` with the same limits and --specialize makes a model of it")
        return
    print(f"published within the same limits: {entry.name}, {accuracy_text(entry)}")


def _print_front(findings) -> None:
    rows = findings.front()
    names = [name for name in NAMES if name in rows and rows[name].notna().any()]
    width = max(map(len, rows["supernet"]))
    shown = (
        rows
        if len(rows) <= SHOWN
        else rows.iloc[[round(place * (len(rows) - 1) / (SHOWN - 1)) for place in range(SHOWN)]]
    )
    print(f"{'supernet':{width}}  bits " + " ".join(f"{NAMES[name]:>13}" for name in names) + "  predicted")
    for _, row in shown.iterrows():
        costs = " ".join(f"{row[name]:13,.0f}" if row[name] >= 1000 else f"{row[name]:13.3g}" for name in names)
        print(f"{row['supernet']:{width}} {row['bits']:5.3g} {costs}  {row['predicted']:9.2%}")
    if len(shown) < len(rows):
        print(f"{len(shown)} of {len(rows)} on the front; --csv keeps all", file=sys.stderr)


def _to_json(findings, objectives: tuple[str, ...], options: argparse.Namespace) -> dict:
    best = findings.best
    costs = {name: column[0].item() for name, column in best.result.problem.costs(best.genes).items()}
    costs = {name: None if value != value else value for name, value in costs.items()}
    if options.device:
        costs["device"] = asdict(_taken(best, options))
    found = {
        "supernet": best.searched.name,
        "evaluations": sum(len(finding.result.scores) for finding in findings.all),
        "arch": best.arch.to_dict(),
        **costs,
        "predicted": best.predicted,
        "predicted_interval": list(best.searched.predictor.interval(best.predicted)),
        "validation": best.accuracy,
    }
    return {**found, "front": json.loads(findings.front().to_json(orient="records"))} if objectives else found


def _plot(findings, objectives: tuple[str, ...], limits: dict, options: argparse.Namespace) -> None:
    """Accuracy over the first cost: all candidates, the front, published models and the limit."""
    from matplotlib.figure import Figure

    from search.problem import LIMITS as COST_OF

    cost, figure = objectives[0], Figure(figsize=(8, 5), layout="constrained")
    axis, rows = figure.subplots(), findings.table()
    for name, part in rows.groupby("supernet"):
        axis.plot(part[cost], 100 * part["predicted"], ".", markersize=2, alpha=0.3, label=f"{name}, predicted")
    front = findings.front((cost,))
    axis.plot(front[cost], 100 * front["predicted"], "k-", linewidth=1, label=f"front against {NAMES[cost]}")
    if cost in ("macs", "params", "weight_bytes", "flash_bytes", "ram_bytes"):
        entries = [entry for entry in zoo.open_hub(options.hub).entries if entry.task == options.task]
        entries = [entry for entry in entries if entry.basis == MEASURED]
        costs, shares = [getattr(entry, cost) for entry in entries], [100 * entry.validation for entry in entries]
        axis.plot(costs, shares, "*", color="tab:red", markersize=8, label="published, measured")
    for name, limit in limits.items():
        if COST_OF[name] == cost:
            axis.axvline(limit, color="grey", linestyle="--", linewidth=1, label=f"{name} {limit:g}")
    axis.set(xscale="log", xlabel=NAMES[cost], ylabel="accuracy on validation, %")
    axis.set_ylim(bottom=max(0.0, 100 * float(rows["predicted"].quantile(0.02))))
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    write_picture(figure, options.plot)


def _predictor(options: argparse.Namespace) -> None:
    from search.accuracy import LEAST_ROWS, ROWS, fit_predictor
    from supernet.train import parallel
    from zoo.make.recipe import networks_told_apart
    from zoo.make.search import load_like, open_supernet

    folder = Path(options.supernet)
    if not (folder / CONFIG).is_file():
        raise InvalidQuery(f"supernet {folder}: no {CONFIG} there; give the folder of a supernet")
    if options.count is not None and options.count < LEAST_ROWS:
        raise InvalidQuery(f"--count {options.count} is too few: give {LEAST_ROWS} or more")
    config = read_json(folder / CONFIG)
    tasks = list(config.get("tasks", {}))
    if options.task is None and len(tasks) != 1:
        raise InvalidQuery(f"--task: the supernet knows {', '.join(tasks)}; say which")
    run = Path(options.run_dir or folder.parent / f"{folder.name}-accuracies")
    check_folder("supernet", folder)
    check_folder("--run-dir", run)
    tell_steps()
    task = options.task or tasks[0]
    parallel.start()
    source, stored = open_supernet(folder, task)
    about = stored.labels, stored.supernet.space.clip_ms, f"supernet {folder}"
    data = parallel.once_a_machine(lambda: load_like(options.data, *about))
    count = networks_told_apart(len(data.choosing), ROWS) if options.count is None else options.count
    with going_on(run):
        predictor = fit_predictor(folder, source, stored.frontend, data, run, count)
    first = parallel.rank() == 0
    parallel.leave()
    if first:
        quality = predictor.quality_
        print(json.dumps(vars(quality), indent=1) if options.format == "json" else f"{folder}: {quality}")
