"""What an engine is that speaks a text, and how programs are run that do.

Engines are optional: each says what is missing and how it is installed. A voice belongs to a speaker, and some speakers
of each engine are held out, so that what is trained on the others can be judged by voices that it never heard.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from supernet.data.audio import read_audio
from supernet.errors import InvalidAudio, InvalidData
from supernet.files import digest

__all__ = ["Engine", "Manner", "Voice", "held_speakers", "last_line", "output_of", "read_wave"]

HELD_SHARE = 0.2
"""Of the speakers of an engine."""
SECONDS = 120
"""After which a program that speaks is stopped."""


@dataclass(frozen=True)
class Voice:
    """A voice of an engine. held: whether it is kept from training."""

    name: str
    held: bool = False


@dataclass(frozen=True)
class Manner:
    """How a text is said. speed, pitch: factors of what is usual, 1 in the middle. take: a number by which an engine
    that says a text in several ways chooses one.
    """

    speed: float = 1.0
    pitch: float = 1.0
    take: int = 0


class Engine:
    """Speaks a text with one of its voices.

    name: in caches and cards. licence: what it says of the sound that it makes, in a few words. weight: how often it is
    drawn beside others. weight_of_others: the same for texts that are not the word to be learned, where that is less.
    neural: whether it learned to speak from recordings of people, and so is heard more like them.
    """

    name: str
    licence: str
    neural: bool = False
    weight: float = 1.0
    weight_of_others: float | None = None

    def missing(self) -> str:
        """What is not installed and how it is; nothing where the engine can speak."""
        return ""

    def identity(self) -> list:
        """What other sounds than its name, a voice, a manner and a text hang on, for caches."""
        return []

    def voices(self) -> Sequence[Voice]:
        """All that it has, in a fixed order."""
        raise NotImplementedError

    def says(self, text: str) -> Sequence[Voice]:
        """The voices that can say a text."""
        return self.voices()

    def say(self, text: str, voice: str, manner: Manner) -> tuple[np.ndarray, int]:
        """(samples, channels) float32 from -1 to 1, and their rate. Raises InvalidData where it fails."""
        raise NotImplementedError


def held_speakers(speakers: Sequence[str]) -> frozenset[str]:
    """Those that are kept from training: a fifth, the same ones wherever they are, and none of a single one."""
    names = sorted(set(speakers), key=lambda name: digest(name.encode()))
    return frozenset(names[: max(1, round(HELD_SHARE * len(names)))] if len(names) > 1 else ())


def has_program(name: str) -> bool:
    """True where it can be started."""
    return shutil.which(name) is not None


def output_of(command: Sequence[str], name: str) -> bytes:
    """What a program writes to standard output. name: of who speaks, for messages. Raises InvalidData."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise InvalidData(f"{name}: {command[0]} did not end within {SECONDS} s; run it by itself to see why") from None
    except OSError as error:
        raise InvalidData(f"{name}: {command[0]} cannot be started ({error.strerror}); is it installed?") from None
    if done.returncode:
        raise InvalidData(f"{name}: {command[0]} failed with status {done.returncode}{last_line(done.stderr)}")
    return done.stdout


def last_line(text: bytes) -> str:
    """What a program said last, for a message."""
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return f": {ascii(lines[-1])[1:-1][:200]}" if lines else ""


def read_wave(data: bytes, name: str) -> tuple[np.ndarray, int]:
    """Samples and rate of a WAV file from a pipe, whose header may state any length. Raises InvalidData."""
    try:
        return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        pass
    try:
        return read_audio(data)
    except InvalidAudio:
        raise InvalidData(f"{name}: gave {len(data):,} bytes that are no recording; run it by itself to see") from None
