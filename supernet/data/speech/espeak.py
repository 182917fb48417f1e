"""espeak-ng: a formant synthesiser with many accents and variants of its voice, in some milliseconds a word."""

from __future__ import annotations

from functools import cache

from supernet.data.speech.base import Engine, Manner, Voice, has_program, held_speakers, output_of, read_wave

__all__ = ["ENGINE", "Espeak"]

PROGRAM = "espeak-ng"
ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
VARIANTS = (
    *(f"m{number}" for number in range(1, 9)), *(f"f{number}" for number in range(1, 6)),
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Gene", "Hugo", "Jacky", "Lee", "Michael", "Mike", "anika",
    "belinda", "david", "ed", "grandma", "grandpa", "john", "klatt", "klatt4", "linda", "max", "paul", "quincy", "rob",
    "robert", "steph", "travis", "victor", "whisper",
)  # fmt: skip
"""Speakers, as far as an installation has them: a variant changes the voice of an accent."""
WORDS_A_MINUTE, PITCH = 155, 50
SPEEDS, PITCHES = (80, 400), (0, 99)


class Espeak(Engine):
    """See above."""

    name = "espeak-ng"
    licence = "GPL-3.0 for the program, which says nothing of the sound that it makes"
    weight = 1.0

    def missing(self) -> str:
        """See Engine."""
        return "" if has_program(PROGRAM) else f"{PROGRAM} (apt-get install espeak-ng, or brew install espeak-ng)"

    def voices(self) -> tuple[Voice, ...]:
        """See Engine."""
        return _voices()

    def say(self, text: str, voice: str, manner: Manner):
        """See Engine."""
        speed = min(max(round(WORDS_A_MINUTE * manner.speed), SPEEDS[0]), SPEEDS[1])
        pitch = min(max(round(PITCH * manner.pitch), PITCHES[0]), PITCHES[1])
        command = [PROGRAM, "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", "--", text]
        return read_wave(output_of(command, self.name), self.name)


@cache
def _voices() -> tuple[Voice, ...]:
    accents = [name for name in ACCENTS if name in _column("en", 1)]
    known = {file.removeprefix("!v/") for file in _column("variant", 4)}
    variants = [name for name in VARIANTS if name in known]
    held = held_speakers(VARIANTS)
    return tuple(Voice(f"{accent}+{variant}", variant in held) for accent in accents for variant in variants)


def _column(kind: str, column: int) -> set[str]:
    """Of the table of voices that the program prints."""
    rows = output_of([PROGRAM, f"--voices={kind}"], Espeak.name).decode("utf-8", "replace").splitlines()[1:]
    return {row.split()[column] for row in rows if len(row.split()) > column}


ENGINE = Espeak()
