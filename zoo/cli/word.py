"""The part of the command `earshot` that makes a wake word from its text: `word`."""

from __future__ import annotations

import argparse
import json

from supernet.data.speech import engine
from supernet.extras import TRAINING
from zoo.ask.limits import LIMITS, ON_DEVICE
from zoo.cli.told import tell_steps

__all__ = ["add_word_command"]

WORD_HELP = """\
Make a model that detects a word or phrase, from its text.

  earshot word "hey robin" --task robin
  earshot word "hey robin" --task robin --max-flash 32kB --max-false-alarms 4 --bits 4
  earshot word "hey robin" --task robin --negatives my-room/ --recordings said/     recordings of your own help most
  earshot word "hey robin" --task robin --data speech_commands/                     words that real people say
  earshot word "hey robin" --task robin --voice-command 'say -o {out} {text}'       further voices
  earshot word --add more/ --task robin            goes on with more/hey_robin/*.wav and more/_unknown_/*.wav

Voices speak English, by the engines that are installed: apt-get install espeak-ng flite, and pip install
'earshot[voices]' for neural ones, by which more people are heard. Some are kept from training, to judge by. What sounds
like the word becomes negatives, and so does what the model takes for it. The model goes into your own hub
(EARSHOT_HUB, ~/.local/share/earshot/hub), and `earshot listen robin` runs it.

At the end you are told how many words of held-out voices are found, which is no estimate of how real people are heard,
how many recordings of people, where you gave some, and how many false alarms there were in how many hours. What
`earshot listen robin --save more/_unknown_` kept while nobody said the word are false alarms to --add, and longer
recordings there are of a room in which nobody says it. The new model takes the former one's place in the hub.

From text alone it is a start: add recordings of people before you rely on it. It takes about half an hour on two cores,
with --quick less; what was stopped goes on when the same command is given again. It needs the extra word.
"""
GIVEN = ("text", "task", "voices", "recordings", "negatives", "data", "add", "device", "sure", "bits",
         "max_false_alarms", "start", "quick", "seed", "run_dir", "hub", "licence")  # fmt: skip
"""Options that `zoo.word` has under the same name."""


def add_word_command(commands, command, option_of, bits) -> None:
    """Add the command to a parser. command: makes one; option_of: the option of a limit; bits: reads a width."""
    sub = command(commands, "word", _word, WORD_HELP, "a wake word from its text", needs=TRAINING)
    sub.add_argument("text", nargs="*", metavar="TEXT", help="the word or phrase, such as 'hey robin'")
    sub.add_argument("--task", required=True, help="what the model is for: its name in hubs")
    _add_sounds(sub)
    for name in LIMITS:
        sub.add_argument(option_of(name), help=LIMITS[name].help)
    sub.add_argument("--device", help=f"a device profile, for {', '.join(map(option_of, ON_DEVICE))}")
    sub.add_argument("--sure", action="store_true", help="let the interval's upper end keep limits on a device")
    sub.add_argument("--bits", type=bits, default=8, help="of the weights, 1 to 8, or mixed (default: %(default)s)")
    sub.add_argument("--max-false-alarms", default="1", metavar="N", help="most an hour (default: %(default)s)")
    sub.add_argument("--quick", action="store_true", help="a first model in a fraction of the time")
    sub.add_argument("--start", default=argparse.SUPPRESS, metavar="SUPERNET",
                     help="a bundled one, such as kws-micro, or its folder (default: that of most words)")  # fmt: skip
    sub.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    sub.add_argument("--run-dir", metavar="FOLDER", help="where the run keeps its state (default: runs/word-TASK)")
    sub.add_argument("--hub", metavar="FOLDER", help="that gets the model (default: your own)")
    sub.add_argument("--licence", help="of the model, for its card (default: that of the run, or other)")


def _add_sounds(sub: argparse.ArgumentParser) -> None:
    """Options of what is heard."""
    sub.add_argument("--voices", nargs="+", choices=engine.names, help="engines (default: all that are installed)")
    sub.add_argument(
        "--voice-command", action="append", default=[], metavar="COMMAND",
        help="a program that speaks {text} into {out}, or to standard output, at {speed}; given again, several",
    )  # fmt: skip
    sub.add_argument(
        "--voice-folder", action="append", default=[], metavar="FOLDER",
        help="of clips that were spoken elsewhere, FOLDER/TEXT/VOICE_NUMBER.wav",
    )  # fmt: skip
    sub.add_argument("--recordings", nargs="+", default=[], metavar="FOLDER", help="of people who say it")
    sub.add_argument("--negatives", nargs="+", default=[], metavar="FOLDER", help="in which nobody says it")
    sub.add_argument("--data", metavar="FOLDER", help="Speech Commands: its other words and noise are negatives")
    sub.add_argument(
        "--add",
        metavar="FOLDER",
        help="go on with FOLDER/TEXT/*.wav of people and FOLDER/_unknown_/*.wav of others",
    )


def _word(options: argparse.Namespace) -> None:
    from zoo.make.word import word

    tell_steps()
    given = {name: getattr(options, name) for name in GIVEN if hasattr(options, name)}
    given["text"] = " ".join(options.text) or None
    limits = {name: getattr(options, name) for name in LIMITS}
    report = word(**given, **limits, voice_commands=options.voice_command, voice_folders=options.voice_folder)
    print(json.dumps(report.to_dict(), indent=1) if options.format == "json" else "\n".join(report.lines()))
