"""The part of the command `earshot` that chooses settings for a place: `tune`."""

from __future__ import annotations

import argparse
import json
import sys

from zoo.cli.run import add_channel, find_model
from zoo.cli.told import tell_warnings
from zoo.keeping import command_run, options_of
from zoo.package.facts import detection_text
from zoo.package.read import read_config

__all__ = ["add_tune_command"]

TUNE_HELP = """\
Choose when a model says that it heard a word, for the place where you use it, and keep the model with these settings.

  earshot tune kws --negatives my-kitchen/ --max-false-alarms 4
  earshot tune NAME --negatives tv.flac talk/ --max-false-alarms 1 --words my-words/      FOLDER/LABEL/*.wav
  earshot tune NAME --negatives my-kitchen/ --max-false-alarms 4 --into ./kitchen-hub     for several places
  earshot tune NAME --negatives my-kitchen/ --max-false-alarms 4 --unproven

Negatives are recordings of the place in which none of the words is said: talk, television, noise; `earshot listen
--save` collects what triggered wrongly. The more hours, the fewer false alarms can be shown: not one in T hours still
allows 3 / T an hour (95 %), so that at most 4 needs 45 minutes, at most 1 three hours, and some more where there are
alarms. Where they do not show what is asked, nothing is made, and you are told what they show; --unproven takes the
estimate. The settings are chosen on all hours, and judged in five parts, each by settings chosen on the others.

With --words they are those that find most of these words, clean and between parts of the negatives; you are told how
many are found, how late, and in noise. Without, it is not known how many words are found: the least threshold that
keeps the limit is taken.

The model goes into your own hub (EARSHOT_HUB, ~/.local/share/earshot/hub) under its own name, since its weights are the
same; look-ups ask that hub first. What was stopped goes on when the same command is given again.
"""


def add_tune_command(commands, command, add_hub) -> None:
    """Add the command to a parser. command: makes one; add_hub: adds the option of which hub is asked."""
    sub = command(commands, "tune", _tune, TUNE_HELP, "settings of a detector for your own place")
    sub.add_argument("model", metavar="MODEL", help="a task, a name in the hub, or the folder of a package")
    sub.add_argument(
        "--negatives", required=True, nargs="+", metavar="FOLDER", help="recordings that must not trigger, or folders"
    )
    sub.add_argument("--max-false-alarms", required=True, metavar="N", help="most an hour, such as 4")
    sub.add_argument("--words", metavar="FOLDER", help="of FOLDER/LABEL/*.wav, words that must be found")
    sub.add_argument(
        "--unproven", action="store_true", help="let the estimate keep the limit, not its 95%% upper bound"
    )
    sub.add_argument("--into", metavar="HUB", help="folder or hf://OWNER/NAME that gets the model (default: your own)")
    sub.add_argument("--resample", action="store_true", help="accept recordings of a lower rate than the model's")
    add_channel(sub)
    add_hub(sub)


def _tune(options: argparse.Namespace) -> None:
    from zoo.make.tune import tune

    tell_warnings()
    model = find_model(options.model, options.hub)
    asked = {name: getattr(options, name) for name in ("words", "into", "unproven", "resample", "channel")}
    with command_run("tune", options_of(options)) as run:
        asked |= {"run_dir": run, "progress": sys.stderr.isatty()}
        tuned = tune(model, options.negatives, options.max_false_alarms, **asked)
        detection = read_config(tuned.path).values["detection"]
        if options.format == "json":
            where = {"name": tuned.name, "hub": tuned.hub, "path": str(tuned.path)}
            print(json.dumps({**where, "detection": detection}, indent=1))
        else:
            print(tuned.name, *(f"  {line}" for line in detection_text(detection)), f"  path {tuned.path}", sep="\n")
