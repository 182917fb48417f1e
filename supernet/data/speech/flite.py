"""flite: a small synthesiser with a few recorded speakers, in some ten milliseconds a word."""

from __future__ import annotations

from functools import cache

from supernet.data.speech.base import Engine, Manner, Voice, has_program, output_of, read_wave

__all__ = ["ENGINE", "Flite"]

PROGRAM = "flite"
VOICES = ("kal16", "awb", "rms", "slt")
HELD = "kal16"
"""The voice that is kept from training: the least natural one, and the others are few."""
PITCH_HZ = {"kal16": 110, "awb": 135, "rms": 100, "slt": 170}


class Flite(Engine):
    """See above."""

    name = "flite"
    licence = "BSD-like, for the program and its voices"
    weight = 0.2
    weight_of_others = 0.5

    def missing(self) -> str:
        """See Engine."""
        return "" if has_program(PROGRAM) else f"{PROGRAM} (apt-get install flite, or brew install flite)"

    def voices(self) -> tuple[Voice, ...]:
        """See Engine."""
        return _voices()

    def say(self, text: str, voice: str, manner: Manner):
        """See Engine."""
        settings = {"duration_stretch": 1 / manner.speed, "int_f0_target_mean": PITCH_HZ[voice] * manner.pitch}
        chosen = [word for name, value in settings.items() for word in ("--setf", f"{name}={value:.3f}")]
        command = [PROGRAM, "-voice", voice, *chosen, "-t", text, "-o", "/dev/stdout"]
        return read_wave(output_of(command, self.name), self.name)


@cache
def _voices() -> tuple[Voice, ...]:
    known = output_of([PROGRAM, "-lv"], Flite.name).decode("utf-8", "replace").split()
    names = [name for name in VOICES if name in known]
    return tuple(Voice(name, name == HELD and len(names) > 1) for name in names)


ENGINE = Flite()
