"""The part of the command `earshot` that writes models for other places than Python: `export`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from shlex import quote

from predictors.bench import FEATURES
from supernet.errors import InvalidQuery
from zoo.ask.units import size
from zoo.cli.run import find_model
from zoo.export import EXPORTS, Bench, Check, Checked, export_bench
from zoo.export.base import Option

__all__ = ["add_export_commands"]

EXPORT_HELP = """\
Write a model for another place than Python.

@EXPORTS

  earshot export kws --to c --out my_kws            a folder of C for firmware, from samples to events
  earshot export NAME --to c --out firmware/kws --name my_kws
  make -C my_kws/test check                         its known answers: the integers of the package, bit for bit
  earshot export kws --to c --out my_kws --check --board cortex-m4      the same, on an emulated core
  earshot export kws --to onnx --out my_kws_onnx --check
  earshot export kws --to onnx --out my_kws_onnx --check --data speech_commands/ --split test
  earshot export kws --to tflite --out my_kws_micro --runtime micro --check
  earshot export NAME --to esphome --word stop --out stop
  earshot export --bench --out my_bench             a dozen networks that a board runs, to make a profile of it

A folder that was exported before is replaced whole; one that holds anything else is left alone.

With --check what was written is run in each runtime that is installed, on the test vectors of the package and, with
--data, on the recordings that `earshot evaluate` finds in a folder. Printed are how many answers were compared, the
share with equal labels, and how far outputs are apart, in their own steps. Other runtimes round in ways of their own:
labels are equal on nearly all clips of words, on fewer of fifty sounds, and on fewer answers of a stream, most of which
are to half a word.

With --check --board the C that was written is built for a core that QEMU emulates, with the flash and RAM of a chip
that has it, and run there. Printed are how many of its known answers are identical, the bytes of its structure, and
those of the stack of a call. Where its compiler or QEMU is missing, what brings them is told, and nothing is written.

The C is C99 without allocation, floating point or writable globals: my_kws_reset and my_kws_push are all that there is
to call. The folder builds with plain CMake, ESP-IDF, PlatformIO, Arduino and Zephyr.

A bench needs no model. `make -C my_bench run` tries it here, my_bench/README.md says how it gets onto a board, and
`earshot profile add my-board log.txt` takes what the board prints.
"""
PLAIN, SIZES = ("count", "features", "seed"), ("max_flash", "max_ram")


def add_export_commands(commands, command, add_hub) -> None:
    """Add the command to a parser. command: makes one; add_hub: adds the option of which hub is asked."""
    every = [EXPORTS(name) for name in EXPORTS.names]
    listed = "\n".join(f"  --to {one.name:10}{one.what}" for one in every)
    about = EXPORT_HELP.replace("@EXPORTS", listed)
    sub = command(commands, "export", _export, about, "a model for firmware and for other runtimes")
    sub.add_argument("model", nargs="?", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    sub.add_argument("--to", choices=EXPORTS.names, help="what is written")
    sub.add_argument("--out", required=True, metavar="DIR", help="the folder, made or replaced")
    sub.add_argument("--name", help="what public names of C begin with (default of c: the name of the folder)")
    add_hub(sub)
    for option in _options():
        sub.add_argument(f"--{option.name}", choices=option.choices or None, help=_help_of(option))
    sub.add_argument("--check", action="store_true", help="run what was written, and count how far it agrees")
    sub.add_argument("--board", choices=_boards(), help="emulated core to check on, instead of here (c; with --check)")
    sub.add_argument("--data", metavar="FOLDER", help="recordings to check on, FOLDER/CLASS/*.wav (with --check)")
    sub.add_argument("--split", help="of the recordings, such as test (with --data)")
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
    if options.model or options.to or options.name or options.check or _given(options):
        raise InvalidQuery("--bench takes no MODEL, --to, --name and --check: its networks are random")
    _check_check(options)
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


def _options() -> list[Option]:
    """Of all exports, one of each name."""
    return list({option.name: option for name in EXPORTS.names for option in EXPORTS(name).options}.values())


def _help_of(option: Option) -> str:
    places = [name for name in EXPORTS.names if option.name in {one.name for one in EXPORTS(name).options}]
    return f"{option.help} ({', '.join(places)}; default: {option.default or 'none'})"


def _export_model(options: argparse.Namespace) -> None:
    if options.model is None or options.to is None:
        raise InvalidQuery("export needs MODEL and --to, such as kws --to c; or --bench")
    if given := _of_bench(options):
        raise InvalidQuery(
            f"--{next(iter(given)).replace('_', '-')} is of a bench; give --bench as well, or leave it out"
        )
    _check_check(options)
    model = find_model(options.model, options.hub)
    checked = Check.of(model, options.to, options.data, options.split, options.board) if options.check else None
    place = model.export(options.to, options.out, options.name, **_given(options))
    if options.format != "json":
        print(place)
        print(f"earshot: {model.name} as {options.to}; {_next(options, place)}", file=sys.stderr)
    found = checked(place) if checked else None
    if options.format == "json":
        _print_json({"name": model.name, "to": options.to, "out": str(place)}, found)
    elif found:
        _print_checked(found)


def _boards() -> list[str]:
    """Of all exports."""
    return list(dict.fromkeys(board.name for name in EXPORTS.names for board in EXPORTS(name).boards))


def _check_check(options: argparse.Namespace) -> None:
    """Raise InvalidQuery for options that go with another one alone, or not with an export."""
    for name, needed in (("data", "check"), ("board", "check"), ("split", "data")):
        if getattr(options, name) is not None and not getattr(options, needed):
            raise InvalidQuery(f"--{name} is for --{needed} alone; give that as well")
    if options.data is not None and EXPORTS(options.to).known_answers_alone:
        raise InvalidQuery(f"--data is not for --to {options.to}: that is held to its known answers; leave it out")
    if options.board is not None:
        EXPORTS(options.to).asked(options.board)


def _given(options: argparse.Namespace) -> dict[str, str]:
    """What is given of the options of exports."""
    every = {option.name: getattr(options, option.name) for option in _options()}
    return {name: value for name, value in every.items() if value is not None}


def _next(options: argparse.Namespace, place: Path) -> str:
    return f"see {place}/README.md" if options.check else f"try {EXPORTS(options.to).first_step(quote(str(place)))}"


def _print_json(about: dict, found: Checked | None) -> None:
    checked = {"check": [one.to_dict() for one in found.found], "missing": list(found.missing)} if found else {}
    print(json.dumps({**about, **checked}, indent=1))


def _print_checked(found: Checked) -> None:
    for one in found.found:
        print(one)
    for one in found.missing:
        print(f"earshot: not checked: {one}", file=sys.stderr)
