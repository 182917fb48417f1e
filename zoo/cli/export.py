"""The part of the command `earshot` that writes models for other places than Python: `export`."""

from __future__ import annotations

import argparse
import json
import sys
from shlex import quote

from predictors.bench import FEATURES
from supernet.errors import InvalidQuery
from zoo.ask.units import size
from zoo.cli.run import find_model
from zoo.export import EXPORTS, Bench, export_bench

__all__ = ["add_export_commands"]

EXPORT_HELP = """\
Write a model for another place than Python.

  earshot export kws --to c --out my_kws            a folder of C for firmware, from samples to events
  earshot export NAME --to c --out firmware/kws --name my_kws
  make -C my_kws/test check                         its known answers: the integers of the package, bit for bit
  earshot export --bench --out my_bench             a dozen networks that a board runs, to make a profile of it

The C is C99 without allocation, floating point or writable globals: my_kws_reset and my_kws_push are all that there is
to call. The folder builds with plain CMake, ESP-IDF, PlatformIO, Arduino and Zephyr. A folder that was exported before
is replaced whole; one that holds anything else is left alone.

A bench needs no model. `make -C my_bench run` tries it here, my_bench/README.md says how it gets onto a board, and
`earshot profile add my-board log.txt` takes what the board prints.
"""
PLAIN, SIZES = ("count", "features", "seed"), ("max_flash", "max_ram")


def add_export_commands(commands, command, add_hub) -> None:
    """Add the command to a parser. command: makes one; add_hub: adds the option of which hub is asked."""
    sub = command(commands, "export", _export, EXPORT_HELP, "a model as C for firmware")
    sub.add_argument("model", nargs="?", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    sub.add_argument("--to", choices=sorted(EXPORTS), help="what is written")
    sub.add_argument("--out", required=True, metavar="DIR", help="the folder, made or replaced")
    sub.add_argument("--name", help="what public names begin with (default: the name of the folder)")
    add_hub(sub)
    usual = Bench()
    sub.add_argument("--bench", action="store_true", help="networks that a board runs, in the place of a model")
    sub.add_argument("--count", type=int, help=f"of them (default: {usual.count})")
    sub.add_argument("--features", choices=FEATURES, help=f"that they hear (default: {usual.features})")
    sub.add_argument("--seed", type=int, help=f"by which they are drawn (default: {usual.seed})")
    sub.add_argument("--max-flash", help=f"of the board, for all of them (default: {usual.max_flash // 1000}kB)")
    sub.add_argument("--max-ram", help=f"of the board, for each of them (default: {usual.max_ram // 1000}kB)")


def _export(options: argparse.Namespace) -> None:
    if options.bench:
        _export_bench(options)
    else:
        _export_model(options)


def _export_bench(options: argparse.Namespace) -> None:
    """Raises InvalidQuery for what belongs to a model."""
    if options.model or options.to or options.name:
        raise InvalidQuery("--bench takes no MODEL, --to and --name: its networks are random")
    place = export_bench(options.out, Bench(**_of_bench(options)))
    if options.format == "json":
        print(json.dumps({"bench": True, "out": str(place)}, indent=1))
        return
    print(place)
    print(f"earshot: a bench; try make -C {quote(str(place))} run, then see {place}/README.md", file=sys.stderr)


def _of_bench(options: argparse.Namespace) -> dict:
    """What is given of a bench, by fields of Bench."""
    given = {name: getattr(options, name) for name in (*PLAIN, *SIZES) if getattr(options, name) is not None}
    return {
        name: int(size(f"--{name.replace('_', '-')}", one)) if name in SIZES else one for name, one in given.items()
    }


def _export_model(options: argparse.Namespace) -> None:
    if options.model is None or options.to is None:
        raise InvalidQuery("export needs MODEL and --to, such as kws --to c; or --bench")
    if given := _of_bench(options):
        raise InvalidQuery(
            f"--{next(iter(given)).replace('_', '-')} is of a bench; give --bench as well, or leave it out"
        )
    model = find_model(options.model, options.hub)
    place = model.export(options.to, options.out, options.name)
    if options.format == "json":
        print(json.dumps({"model": model.name, "to": options.to, "out": str(place)}, indent=1))
        return
    print(place)
    print(f"earshot: {model.name} as {options.to}; try make -C {quote(f'{place}/test')} check", file=sys.stderr)
