"""The part of the command `earshot` that writes models for other places than Python: `export`."""

from __future__ import annotations

import argparse
import json
import sys

from zoo.cli.run import find_model
from zoo.export import EXPORTS

__all__ = ["add_export_commands"]

EXPORT_HELP = """\
Write a model for another place than Python.

  earshot export kws --to c --out my_kws            a folder of C for firmware, from samples to events
  earshot export NAME --to c --out firmware/kws --name my_kws
  make -C my_kws/test check                         its known answers: the integers of the package, bit for bit

The C is C99 without allocation, floating point or writable globals: my_kws_reset and my_kws_push are all that there is
to call. The folder builds with plain CMake, ESP-IDF, PlatformIO, Arduino and Zephyr. A folder that was exported before
is replaced whole; one that holds anything else is left alone.
"""


def add_export_commands(commands, command, add_hub) -> None:
    """Add the command to a parser. command: makes one; add_hub: adds the option of which hub is asked."""
    sub = command(commands, "export", _export, EXPORT_HELP, "a model as C for firmware")
    sub.add_argument("model", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    sub.add_argument("--to", required=True, choices=sorted(EXPORTS), help="what is written")
    sub.add_argument("--out", required=True, metavar="DIR", help="the folder, made or replaced")
    sub.add_argument("--name", help="what public names begin with (default: the name of the folder)")
    add_hub(sub)


def _export(options: argparse.Namespace) -> None:
    model = find_model(options.model, options.hub)
    place = model.export(options.to, options.out, options.name)
    if options.format == "json":
        print(json.dumps({"model": model.name, "to": options.to, "out": str(place)}, indent=1))
        return
    print(place)
    print(f"earshot: {model.name} as {options.to}; try make -C {place}/test check", file=sys.stderr)
