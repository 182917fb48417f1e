"""A command of the user's own that speaks: `say -o {out} {text}`. It is run without a shell.

{text} is the text, one argument or part of one; {out} the WAV file to write, where it is not written to standard
output; {speed} a factor, 1 in the middle. A command that does not take a speed says a text in one way.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from supernet.data.audio import read_audio
from supernet.data.speech.base import Engine, Manner, Voice, output_of, read_wave
from supernet.errors import InvalidAudio, InvalidData, InvalidQuery

__all__ = ["Command"]

TEXT, OUT, SPEED = "{text}", "{out}", "{speed}"


class Command(Engine):
    """See above. Raises InvalidQuery for a command that cannot speak, before it is run."""

    licence = "that of the voice, which its owner must know"

    def __init__(self, line: str, held: bool = False) -> None:
        try:
            self.words = shlex.split(line)
        except ValueError as error:
            raise InvalidQuery(f"voice command {line!r:.140}: {error}; give words as a shell takes them") from None
        if not self.words or not any(TEXT in word for word in self.words):
            raise InvalidQuery(f"voice command {line!r:.140}: no {TEXT} in it; give one such as 'say -o {OUT} {TEXT}'")
        if any(placeholder in self.words[0] for placeholder in (TEXT, OUT, SPEED)):
            raise InvalidQuery(f"voice command {line!r:.140}: begins with no program")
        self.name, self._held = f"command {Path(self.words[0]).name}", held

    def missing(self) -> str:
        """See Engine."""
        return "" if shutil.which(self.words[0]) else f"{self.words[0]} (the voice command names it)"

    def identity(self) -> list:
        """Its words, and of those that are files the state: a program or a voice that was changed says other sounds."""
        files = [Path(shutil.which(self.words[0]) or self.words[0]), *map(Path, self.words[1:])]
        return [*self.words, *(_state(file) for file in files)]

    def voices(self) -> tuple[Voice, ...]:
        """See Engine."""
        return (Voice("own", self._held),)

    def say(self, text: str, voice: str, manner: Manner):
        """See Engine."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "spoken.wav"
            values = {TEXT: text, OUT: str(out), SPEED: f"{manner.speed:.2f}"}
            heard = output_of([_filled(word, values) for word in self.words], self.name)
            if not any(OUT in word for word in self.words):
                return read_wave(heard, self.name)
            try:
                return read_audio(out)
            except InvalidAudio as error:
                raise InvalidData(f"{self.name}: made no recording in {OUT} ({error})") from None


def _state(file: Path) -> list[int]:
    """Size and time of a file; nothing where there is none of that name."""
    with suppress(OSError):
        if file.is_file():
            return [file.stat().st_size, file.stat().st_mtime_ns]
    return []


def _filled(word: str, values: dict[str, str]) -> str:
    """A word with what placeholders stand for; the text goes in last, so that nothing in it is a placeholder."""
    for placeholder in (OUT, SPEED, TEXT):
        word = word.replace(placeholder, values[placeholder])
    return word
