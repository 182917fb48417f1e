"""The part of the command `earshot` that hears a microphone or a pipe: `listen`."""

from __future__ import annotations

import argparse
import json
import math
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from supernet.data.walk import printable
from supernet.errors import InvalidQuery, MissingExtra
from zoo.cli.run import add_detection, add_model, check_pipe, detector_of, find_model
from zoo.run.hear import PIPE
from zoo.run.listen import MICROPHONE

__all__ = ["add_listen_command"]

LISTEN_HELP = """\
Say what a model hears while sound comes: the time of each event in seconds, its label and its score.

  earshot listen kws                                                 the microphone, until Ctrl-C
  arecord -f S16_LE -r 16000 -t raw | earshot listen kws --input -   raw samples from a pipe, or WAV
  earshot listen kws --input night.flac                              a recording, as `earshot run --detect` hears it
  earshot listen kws --labels stop left --threshold 0.8 --threshold stop=0.9
  earshot listen kws --save triggers/ --format json                  keeps the sound of each event as a WAV file
  earshot listen kws --count 1 && ./wake-up                          until the first event

An event is known after its sound, when the mean of some scores reaches a threshold: --threshold, or the settings of the
model, which `earshot info` shows. Each line is written at once; with --format json it is a JSON object.

Raw samples are 16 bits, little-endian, one channel, at the model's rate or at --rate. The microphone needs the extra
listen; one that cannot record at the model's rate is resampled. A terminal shows the level. A pipe that ends before one
clip of sound is an error.
"""
QUIETEST_DB = -60
"""Of the level meter."""


def add_listen_command(commands, command, add_hub, add_words) -> None:
    """Add the command to a parser. command: makes one; add_hub, add_words: add the options of which hub is asked, and
    of words.
    """
    sub = command(commands, "listen", _listen, LISTEN_HELP, "events of a microphone or a pipe, while sound comes")
    add_model(sub, add_hub)
    sub.add_argument(
        "--input", default=MICROPHONE, metavar="FILE",
        help="a recording, - for raw samples or WAV on standard input, or a named pipe (default: %(default)s)",
    )  # fmt: skip
    sub.add_argument("--rate", type=int, metavar="HZ", help="of raw samples, or of the microphone, if not the model's")
    sub.add_argument("--microphone", metavar="NAME", help="another one: a part of its name, or its number")
    add_detection(sub, add_words)
    sub.add_argument("--save", metavar="FOLDER", help="keep the sound of each event there as a WAV file")
    sub.add_argument("--seconds", type=float, metavar="N", help="end after so much sound")
    sub.add_argument("--count", type=int, metavar="N", help="end after so many events")


def _listen(options: argparse.Namespace) -> None:
    model = find_model(options.model, options.hub)
    detector = detector_of(model, options)
    number = options.microphone
    if number is not None and options.input != MICROPHONE:
        raise InvalidQuery(f"--microphone {number} is not heard with --input {options.input}; leave one of them out")
    way = {name: getattr(options, name) for name in ("rate", "channel", "resample", "seconds", "count", "save")}
    way["microphone"] = int(number) if number and number.isdecimal() else number
    with _meter() as heard, _naming_pipe(options.input):
        for event in model.listen(_source(options.input), detector, **way, heard=heard):
            _write(event, options.format)


def _source(name: str):
    """What is heard: standard input, or what the name says."""
    if name != PIPE:
        return name
    check_pipe()
    return sys.stdin.buffer


@contextmanager
def _naming_pipe(name: str) -> Iterator[None]:
    """Note on a microphone that cannot be heard how standard input is, where that is a pipe or a file."""
    try:
        yield
    except MissingExtra as error:
        if name == MICROPHONE and _is_fed():
            error.add_note(f"or, for what is piped into standard input, --input {PIPE}")
        raise


def _is_fed() -> bool:
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _write(event: dict, form: str) -> None:
    """A line, above the meter where there is one."""
    from tqdm import tqdm

    saved = [printable(event["file"])] if "file" in event else []
    text = "\t".join([f"{event['time_s']:.2f} s", f"{event['label']} {event['score']:.3f}", *saved])
    tqdm.write(json.dumps(event) if form == "json" else text, file=sys.stdout)
    sys.stdout.flush()


@contextmanager
def _meter() -> Iterator:
    """What shows the level of each part of the sound on standard error, where that is a terminal."""
    from tqdm import tqdm

    with tqdm(total=-QUIETEST_DB, disable=None, leave=False, bar_format="{desc} |{bar:40}|") as bar:

        def show(samples: np.ndarray) -> None:
            power = float(np.square(samples / 32768.0).mean()) if len(samples) else 0.0
            level = 10 * math.log10(power) if power else -math.inf
            bar.n = min(max(0.0, level - QUIETEST_DB), bar.total)
            bar.set_description_str(f"{max(level, QUIETEST_DB):4.0f} dB")

        yield None if bar.disable else show
