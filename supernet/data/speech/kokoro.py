"""Kokoro: a neural synthesiser of 82 million weights (hexgrad/kokoro, Apache-2.0), half a second a word on a processor.

Its package fetches weights and voices from the Hugging Face Hub when they are first used. Two voices with a comma
between them are a mixture of both, as the package has it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from itertools import combinations
from threading import Lock

import numpy as np

from supernet.data.speech.base import Engine, Manner, Voice, held_speakers
from supernet.errors import InvalidData
from supernet.extras import has

__all__ = ["ENGINE", "NAMES", "RATE", "Kokoro", "with_mixtures"]

RATE = 24_000
NAMES = {
    "a": ("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river",
          "af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx",
          "am_puck", "am_santa"),
    "b": ("bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george", "bm_lewis"),
}  # fmt: skip
"""Code of a language, American or British English -> its voices."""
ONE_AT_A_TIME = Lock()


class Kokoro(Engine):
    """See above."""

    name = "Kokoro"
    licence = "Apache-2.0, for the weights and voices"
    neural, weight, weight_of_others = True, 3.0, 0.25

    def missing(self) -> str:
        """See Engine."""
        return "" if has("kokoro") else "kokoro (pip install kokoro, which also needs espeak-ng)"

    def voices(self) -> tuple[Voice, ...]:
        """Each speaker alone, and mixtures of two of one language that are both held or both not."""
        return tuple(voice for names in NAMES.values() for voice in with_mixtures(names))

    def say(self, text: str, voice: str, manner: Manner):
        """Raises InvalidData where the package or its weights cannot be had. See Engine."""
        try:
            with ONE_AT_A_TIME:
                spoken = list(_pipeline(voice[0])(text, voice=voice, speed=manner.speed))
        except Exception as error:  # of a package that loads weights over a network, anything may come
            raise InvalidData(f"{self.name}: cannot speak ({ascii(str(error))[1:-1][:200]}); leave it out") from None
        parts = [np.asarray(audio, np.float32) for *_, audio in spoken if audio is not None]
        if not parts:
            raise InvalidData(f"{self.name}: says nothing for {text!r}")
        return np.concatenate(parts)[:, None], RATE


def with_mixtures(names: tuple[str, ...], known: Collection[str] | None = None) -> list[Voice]:
    """Speakers, and mixtures of any two that are both held or both not. known: those of them that are there."""
    held, names = held_speakers(names), tuple(name for name in names if known is None or name in known)
    own = [[name for name in names if (name in held) == kept] for kept in (False, True)]
    mixed = [Voice(",".join(pair), kept) for kept, group in zip((False, True), own, strict=True)
             for pair in combinations(group, 2)]  # fmt: skip
    return [*(Voice(name, name in held) for name in names), *mixed]


@cache
def _pipeline(language: str):
    from kokoro import KPipeline

    return KPipeline(lang_code=language)


ENGINE = Kokoro()
