"""The command `earshot`. Data on standard output, messages on standard error; exit status 0, 1 (a clear reason) or 2
(usage)."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import zoo
from supernet.bits import MIXED
from supernet.data.walk import EXTENSIONS, printable
from supernet.errors import EarshotError, InvalidQuery, MissingExtra, nearest_names
from supernet.extras import TRAINING, missing, need
from supernet.families import family
from supernet.files import read_json
from zoo.ask.device import known_limits
from zoo.ask.limits import LIMITS, ON_DEVICE
from zoo.ask.lookup import named
from zoo.cli.devices import add_device_commands
from zoo.cli.export import add_export_commands
from zoo.cli.hub import add_hub_commands
from zoo.cli.listen import add_listen_command
from zoo.cli.listing import LIST_HELP, add_list_options, list_models, print_entries, query_of
from zoo.cli.page import add_page_command
from zoo.cli.run import add_channel, add_run_commands
from zoo.cli.search import add_search_commands
from zoo.cli.streams import STDOUT, standard_streams
from zoo.cli.told import tell_steps
from zoo.cli.tune import add_tune_command
from zoo.cli.word import add_word_command
from zoo.keeping import with_notes
from zoo.run.hear import PIPE

__all__ = ["main"]

GET_HELP = """\
Look up the best model that meets all constraints, and print where it lies with its figures.

  earshot get kws
  earshot get --task kws --max-ops 20e6 --bits 4
  earshot get --task kws --max-flash 24kB
  earshot get --task kws --min-accuracy 96% --max-macs 3M --format json
  earshot get --task kws --device stm32f746-tflm-cmsis-nn --max-latency-ms 30
  earshot get --task kws --device stm32f746-tflm-cmsis-nn --max-power-uw 6mW --every-ms 100
  earshot get kws --max-flash 32kB --cheaper                a cheaper one, where it is within noise of the best
  earshot get --words stop left --max-flash 32kB            the best model that knows these words, whatever its task
  earshot get --task kws --max-flash 15kB --max-ram 12kB --specialize

Name a task, a model or words: without, accuracies of several tasks are compared, which is told.

Where nothing published fits, --specialize searches the supernets now (which needs the extra train), and keeps what it
finds in your own hub (EARSHOT_HUB, ~/.local/share/earshot/hub), where the next look-up finds it.
"""
INFO_HELP = """\
Print everything that is known about one model: figures, accuracies with intervals, the recall of each label and what is
taken for what most often, how it was made, limits, and what it takes on devices.

  earshot info kws                                              the best model of a task
  earshot info kws-temporal-0.3M-w4a8-9a0bfe28
  earshot info kws-temporal-0.3M-w4a8-9a0bfe28 --device stm32f746-tflm-cmsis-nn
  earshot info kws-temporal-0.3M-w4a8-9a0bfe28 --format json    all of config.json, and all devices
"""
TRAIN_HELP = """\
Train the supernet on your own sounds: a folder that holds a folder of recordings for each class.

  earshot train --data doors/ --task doors                      ends with a supernet in runs/doors/supernet
  earshot train --data doors/ --task doors --publish my-hub     and with searched, quantised models in a hub:
  earshot get --task doors --hub my-hub --max-macs 1M
  earshot train --data doors/ --task doors --extend             goes on with more recordings, or more --epochs

It starts from the bundled supernet's weights, says first what it found in the data, and goes on where it was stopped
when the same command is given again.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    with standard_streams():
        try:
            return _command_line(sys.argv[1:] if arguments is None else arguments)
        except (EarshotError, OSError, ModuleNotFoundError, KeyboardInterrupt) as error:
            return _failed(error)


def _command_line(arguments: Sequence[str]) -> int:
    try:
        options = _parser().parse_args(_join_negative(arguments))
        need(*options.needs)
        return options.command(options) or 0
    finally:
        sys.stdout.flush()


def _failed(error: BaseException) -> int:
    """Say in one line what stopped a command; returns its exit status."""
    if isinstance(error, BrokenPipeError) and error.filename == STDOUT:  # who reads has had enough
        return 1
    lines = with_notes(error, _reason(error)).split("\n")  # what was found in a folder has a line each
    print("earshot: " + "\n".join(map(printable, lines)), file=sys.stderr)
    return 2 if isinstance(error, InvalidQuery) else 1


def _reason(error: BaseException) -> str:
    if isinstance(error, EarshotError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ModuleNotFoundError):
        return str(_lacking(error))
    place = f"{str(error.filename)[:200]}: " if error.filename is not None else ""
    return f"{place}{error.strerror or error}"


def _lacking(error: ModuleNotFoundError) -> MissingExtra:
    """What a module that is not installed means. Raises the error where no extra brings it."""
    lacking = missing(error)
    if lacking is error:
        raise error
    return lacking


REQUIRED = "arguments are required: "
"""In what argparse says of missing ones."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others of the command, with the nearest choice."""

    def parse_known_args(self, args=None, namespace=None):
        self._given = sys.argv[1:] if args is None else args
        found, unknown = super().parse_known_args(args, namespace)
        options = [option for option in unknown if option.startswith("--")]
        if options:
            name = options[0].partition("=")[0]
            self.error(f"unknown option {name}: {nearest_names(name, self._option_string_actions)}")
        sounds = [one for one in unknown if one == PIPE or not one.startswith("-")]
        if sounds and "--input" in self._option_string_actions:
            self.error(f"{sounds[0]}: give what is heard by --input, as in --input {shlex.quote(sounds[0])}")
        if sounds and "--task" in self._option_string_actions:
            self.error(f"{sounds[0]}: give a task by --task, as in --task {shlex.quote(sounds[0])}")
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _several(self) -> list[str]:
        """The options among what was given that take all values behind them."""
        greedy = (action for action in self._actions if action.option_strings and action.nargs in ("+", "*", "?"))
        return [option for action in greedy for option in action.option_strings if option in self._given]

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"{value!r} is not possible: {nearest_names(value, action.choices)}")

    def _print_message(self, message, file=None):
        (file or sys.stderr).write(message)  # argparse hides that it failed

    def error(self, message: str):
        lacking = message.partition(REQUIRED)[2].split(", ")
        several = self._several() if any(name and not name.startswith("-") for name in lacking) else []
        taken = f" ({several[0]} takes what follows it: put it last)" if several else ""
        self.exit(2, f"earshot: {message}{taken}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Prints the version, which takes 40 ms to look up, so that it is looked up when it is asked for."""

    def __call__(self, parser, namespace, values, option_string=None):
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("earshot")
        except PackageNotFoundError:
            found = "not installed, run from its folder"
        print(f"earshot {found}")
        parser.exit()


def _join_negative(arguments: Sequence[str]) -> list[str]:
    """`--max-ops -20e6` as `--max-ops=-20e6`, and `--sort -macs` likewise: argparse takes the value for an option."""
    joined: list[str] = []
    for argument in arguments:
        amount = re.match(r"-\.?\d", argument) and joined and joined[-1].startswith("--") and "=" not in joined[-1]
        if amount or (joined and joined[-1] == "--sort" and re.match(r"-[a-z]", argument)):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="earshot", description="Tiny audio models, asked by constraint.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version of Earshot, and stop")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sub = _command(commands, "get", _get, GET_HELP, "which model, its figures, where it lies")
    sub.add_argument("what", nargs="?", metavar="TASK|NAME", help="the same as --task, or as --name")
    _add_query(sub)
    _add_filters(sub)
    sub.add_argument("--name", help="of exactly one model")
    sub.add_argument(
        "--cheaper", action="store_true", help="a cheaper model, where its accuracy is within noise of the best one's"
    )
    _add_specialize(sub)
    sub = _command(
        commands, "list", list_models, LIST_HELP, "all models that meet the constraints", ("text", "json", "csv")
    )
    _add_query(sub)
    _add_filters(sub)
    add_list_options(sub)
    sub = _command(commands, "info", _info, INFO_HELP, "everything about one model")
    sub.add_argument("name", metavar="NAME", help="exactly as listed, a task (its best model), or a package's folder")
    sub.add_argument("--device", help="what it takes there: a device profile, by its name or the beginning of it")
    add_hub(sub)
    add_run_commands(commands, _command, add_hub, add_words)
    add_listen_command(commands, _command, add_hub, add_words)
    add_tune_command(commands, _command, add_hub)
    sub = _command(commands, "train", _train, TRAIN_HELP, "a supernet, and models, of your own sounds", needs=TRAINING)
    _add_training(sub)
    add_word_command(commands, _command, _option, _bits)
    add_search_commands(commands, _command, _add_query)
    add_device_commands(commands, _command, add_hub)
    add_hub_commands(commands, _command)
    add_export_commands(commands, _command, add_hub)
    add_page_command(commands, _command, add_hub)
    return parser


def _command(
    commands,
    name: str,
    command,
    text: str,
    summary: str,
    formats: Sequence[str] = ("text", "json"),
    needs: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """needs: packages of extras (see supernet.extras), without which the command is refused before any work."""
    sub = commands.add_parser(
        name, help=summary, description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    sub.add_argument("--format", choices=formats, default="text", help="of the output (default: %(default)s)")
    sub.set_defaults(command=command, needs=needs)
    return sub


def _add_query(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--task", help="what the model is for, such as kws")
    for name in [name for name in LIMITS if name not in ON_DEVICE]:
        sub.add_argument(_option(name), help=LIMITS[name].help)
    sub.add_argument("--bits", type=_bits, help="bits of the weights in inner layers, or mixed")
    sub.add_argument("--min-accuracy", help="least accuracy on validation, such as 0.955 or 95.5%%")
    sub.add_argument("--family", help=f"family of networks: {', '.join(family.names)}")
    sub.add_argument("--device", help="a device profile, by its name or the beginning of it; `earshot profile list`")
    for name, limit in ON_DEVICE.items():
        sub.add_argument(_option(name), help=limit.help)
    sub.add_argument(
        "--every-ms", help="of --max-power-uw: from answer to answer, such as 100 (default: one a clip, of a whole one)"
    )
    sub.add_argument("--sleep-power-uw", help="of the device between answers (default: as its profile says, else 0)")
    sub.add_argument("--sure", action="store_true", help="let the interval's upper end keep limits on a device")
    sub.add_argument(
        "--ignore-limits", action="store_true", help="let the flash and RAM that the device has limit nothing"
    )
    add_hub(sub)


def _option(name: str) -> str:
    """The option of a limit."""
    return f"--{name.replace('_', '-')}"


def _add_filters(sub: argparse.ArgumentParser) -> None:
    add_words(sub, "that the model knows all of these, such as: stop left")
    sub.add_argument("--activation-bits", type=_bits, help="bits between layers, or mixed")
    sub.add_argument("--licence", help='such as cc-by-4.0 or "cc-by-[0-9]*"')
    sub.add_argument(
        "--commercial", action=argparse.BooleanOptionalAction, default=None,
        help="that its licence does not forbid commercial use, or does",
    )  # fmt: skip
    sub.add_argument("--dataset", help="what it was trained on, such as speech_commands")
    sub.add_argument(
        "--max-false-alarms", metavar="N",
        help="most false alarms an hour in a stream, by their 95%% upper bound with the package's settings, such as 4",
    )  # fmt: skip
    sub.add_argument("--min-recall", help="least share of words found in a stream, such as 0.9 or 90%%")
    sub.add_argument("--unproven", action="store_true", help="let the estimate keep --max-false-alarms, not its bound")
    sub.add_argument(
        "--streaming", action=argparse.BooleanOptionalAction, default=None, help="that it streams, or does not"
    )


class _AddWords(argparse.Action):
    """Words one by one, with commas between them, or by an option that is given again."""

    def __call__(self, parser, namespace, values, option_string=None):
        found = [word for value in values for word in value.split(",")]
        files = [word for word in found if _is_file(word)]
        if files:
            raise argparse.ArgumentError(self, f"{files[0]} is a file, not a word; put files before {option_string}")
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or ()), *found])


def _is_file(word: str) -> bool:
    return ("/" in word or Path(word).suffix.lower() in EXTENSIONS) and Path(word).exists()


def add_words(sub: argparse.ArgumentParser, what: str, option: str = "--words", metavar: str = "WORD") -> None:
    """Add an option of words that are asked for."""
    sub.add_argument(option, nargs="+", action=_AddWords, metavar=metavar, help=what)


def add_hub(sub: argparse.ArgumentParser) -> None:
    """Add the option of which hub is asked."""
    sub.add_argument(
        "--hub", action="append", metavar="ADDRESS",
        help="a folder or hf://OWNER/NAME@REVISION; given again, several, the first one first (default: your own, "
        "EARSHOT_HUB, and the bundled one)",
    )  # fmt: skip


def _add_specialize(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--specialize", action="store_true", help="where nothing fits, search the supernets: a minute")
    sub.add_argument(
        "--data", metavar="FOLDER", help="with it, what was found is measured and fine-tuned: minutes to an hour"
    )


def _bits(text: str) -> int | str:
    try:
        return text if text == MIXED else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 to 8, or {MIXED}") from None


def _add_training(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--data", required=True, metavar="FOLDER", help="FOLDER/CLASS/*.wav (.flac, .ogg, .opus, .mp3, .aiff)"
    )
    sub.add_argument("--task", required=True, help="what the models are for: their name in hubs")
    sub.add_argument(
        "--table",
        metavar="CSV",
        help="with columns file and label, split to fix the splits, speaker to keep them apart",
    )
    sub.add_argument("--clip-ms", type=int, default=1000, help="length of a clip (default: %(default)s)")
    add_channel(sub)
    sub.add_argument(
        "--start", default="kws-temporal-map", metavar="NAME",
        help="the supernet to start from: a bundled one, such as esc10-temporal for sounds of seconds, or the folder "
        "of your own, such as runs/TASK/supernet (default: %(default)s)",
    )  # fmt: skip
    sub.add_argument("--from-scratch", action="store_true", help="random weights, with that one's family of networks")
    sub.add_argument("--strict", action="store_true", help="refuse data in which something was found")
    sub.add_argument("--epochs", type=int, help="default: by the number of clips")
    sub.add_argument(
        "--extend", action="store_true",
        help="where the run was of fewer recordings or epochs, go on from its supernet; its state stays in before-N",
    )  # fmt: skip
    sub.add_argument("--quick", action="store_true", help="a first model in a fraction of the time; --extend goes on")
    sub.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    sub.add_argument("--run-dir", metavar="FOLDER", help="where the run keeps its state (default: runs/TASK)")
    sub.add_argument("--publish", metavar="HUB", help="folder of a hub, made where there is none, for quantised models")
    sub.add_argument(
        "--max-macs", nargs="+", metavar="MACS",
        help="most MACs of each of them, such as 3M, or 3M/64kB with at most so much RAM (default: 3M 1M)",
    )  # fmt: skip
    sub.add_argument(
        "--bits",
        type=_bits,
        nargs="+",
        help="of the weights of each: 1 to 8, or mixed; a width starts from the next wider one (default: 8 4)",
    )
    sub.add_argument("--negatives", metavar="FOLDER", help="recordings of any length that must not trigger")
    sub.add_argument("--max-false-alarms", metavar="N", help="most an hour, on held-out negatives (default: 1)")
    sub.add_argument("--licence", default="other", help="of the recordings, for the cards (default: %(default)s)")
    sub.add_argument("--attribution", default="the owner of the recordings", help="default: %(default)s")


def _train(options: argparse.Namespace) -> None:
    from zoo.make.train import train

    tell_steps()
    folder = train(**{name: getattr(options, name) for name in inspect.signature(train).parameters})
    if folder is None:  # not the first process under torchrun
        return
    last = read_json(folder.parent / "log.json")[-1]
    models = zoo.find(options.task, hub=options.publish) if options.publish else []
    if options.format == "json":
        shares = {f"{name}_validation": last[name] for name in ("largest", "smallest")}
        print(
            json.dumps({"supernet": str(folder), **shares, "models": [entry.to_dict() for entry in models]}, indent=1)
        )
        return
    print(f"supernet {folder}: validation {last['largest']:.2%} largest, {last['smallest']:.2%} smallest network")
    if models:
        print_entries(models)


def _asked(options: argparse.Namespace) -> dict:
    """The query of `get`, with the task or name that is given first."""
    query, what = query_of(options), options.what
    if what is None:
        return query
    if options.task is not None or options.name is not None:
        raise InvalidQuery(f"{what}: a task or name is given twice; leave --task and --name out")
    if options.specialize:
        return {**query, "task": what}
    hub = zoo.open_hub(options.hub)
    return {**query, **named(hub, what), "hub": hub}


def _get(options: argparse.Namespace) -> None:
    if options.specialize:
        tell_steps()
    model = zoo.get(**_asked(options))
    if options.format == "json":
        extra = {"path": str(model.path), "hub": model.hub, "labels": model.labels, "notes": model.notes}
        extra |= {"words": model.words} if model.words else {}
        extra |= {"tasks": model.tasks} if model.tasks else {}
        if model.rivals:
            extra["rivals"] = model.rivals.to_dict()
        if model.figure:
            extra["device"] = dataclasses.asdict(model.figure)
            extra["device_limits"] = known_limits(model.figure)
        print(json.dumps({**model.entry.to_dict(), **extra}, indent=1))
    else:
        print(f"{model}\n  path {model.path}")


def _info(options: argparse.Namespace) -> None:
    found = zoo.info(options.name, hub=options.hub, device=options.device)
    print(json.dumps(found.to_dict(), indent=1) if options.format == "json" else found)


if __name__ == "__main__":
    sys.exit(main())
