"""Clips made from text: drawn by a seed from the voices of engines, and kept in the cache, so that none is made twice.

Who speaks, how fast, how high, with which pauses and how loud depends on the seed, the text and the number of the clip
alone. Clips are (samples,) int16 without silence around what is said.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from tqdm import tqdm

from supernet.constants import CACHE
from supernet.data.audio import prepare_samples, to_int16
from supernet.data.speech import engine
from supernet.data.speech.base import Engine, Manner, Voice
from supernet.errors import InvalidData, InvalidQuery, MissingExtra
from supernet.files import digest, write_bytes

__all__ = ["LONGEST_TEXT", "Speech", "Spoken", "checked_text", "installed", "trimmed"]

LONGEST_TEXT = 60
WORDS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*(?: [^\W\d_]+(?:['-][^\W\d_]+)*)*")
"""Letters, with ' and - inside of words and a space between them: no engine takes such a text for anything else."""
SPEEDS, PITCHES, PEAKS = (0.75, 1.35), (0.7, 1.5), (0.25, 0.9)
"""Least and most that are drawn: factors of what is usual, and the loudest sample of full scale."""
PAUSED = 0.25
"""Share of clips of several words with a pause between them."""
QUIET, LONGEST_S = 0.02, 30
"""Of the loudest sample, below which both ends are cut off; and of a clip."""
MADE = 1
"""In the keys of clips: another number wherever they are made in another way."""


@dataclass(frozen=True, eq=False)
class Spoken:
    """A text that was said: (samples,) int16, and by whom."""

    text: str
    engine: str
    voice: str
    samples: np.ndarray


def checked_text(text: str) -> str:
    """A text that engines can say: words of letters, single spaces between them. Raises InvalidQuery."""
    found = " ".join(unicodedata.normalize("NFC", text).casefold().split()) if isinstance(text, str) else ""
    if not WORDS.fullmatch(found) or len(found) > LONGEST_TEXT:
        raise InvalidQuery(
            f"text {text!r:.140} cannot be said: give words of letters, up to {LONGEST_TEXT} signs, such as 'hey robin'"
        )
    if other := next((sign for sign in found if sign.isalpha() and "LATIN" not in unicodedata.name(sign, "")), None):
        raise InvalidQuery(
            f"text {text!r:.140} cannot be said: voices speak English, which has no {other!r}; write it in Latin "
            "letters, as an English speaker would read it"
        )
    return found


def installed(names: Sequence[str] | None = None) -> list[Engine]:
    """The engines of the registry that can speak, or those of these names.

    Raises MissingExtra, with what to install, where none can, or where one that was named cannot.
    """
    asked = [engine(name) for name in (engine.names if names is None else names)]
    lacking = [missing for one in asked if (missing := one.missing())]
    if lacking and (names is not None or len(lacking) == len(asked)):
        raise MissingExtra(f"no voices: install {' or '.join(lacking)}; or bring your own, a command or a folder")
    return [one for one in asked if not one.missing()]


class Speech:
    """Speaks texts by some engines, at one rate in Hz. cache: its folder `speech` keeps what was said."""

    def __init__(self, engines: Sequence[Engine], rate: int = 16_000, cache: str | Path | None = None) -> None:
        for one in engines:
            if missing := one.missing():
                raise MissingExtra(f"{one.name} cannot speak: install {missing}")
        self.engines, self.rate = tuple(engines), rate
        self.folder = Path(cache or CACHE) / "speech"

    @property
    def has_held(self) -> bool:
        """True where some voices are kept from training."""
        return any(voice.held for one in self.engines for voice in one.voices())

    def clips(
        self, texts: Iterable[str], seed: Sequence[int], held: bool = False, what: str = "", others: bool = False
    ) -> list[Spoken]:
        """Each of the texts as one clip; the same one given again is said by another voice.

        held: by voices that are kept from training, else by all others. what: the name of a bar on a terminal. others:
        these are not the word to be learned, so that engines that take long say fewer. A text that no engine can say
        is left out. Raises InvalidData where no engine can say any.
        """
        counts: dict[str, int] = {}
        asked = []
        for text in texts:
            counts[text] = counts.get(text, 0) + 1
            asked.append((text, counts[text]))
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            said = threads.map(lambda pair: self._clip(pair[0], [*seed, pair[1]], held, others), asked)
            bar = tqdm(said, what, len(asked), disable=None if what else True, leave=False, unit=" clips")
            found = [one for one in bar if one is not None]
        if asked and not found:
            raise InvalidData(f"no voice says {asked[0][0]!r}; bring one that does, or leave other voices out")
        return found

    def _clip(self, text: str, seed: list[int], held: bool, others: bool) -> Spoken | None:
        rng = np.random.default_rng([*seed, int(held), int(digest(text.encode())[:12], 16)])
        able = [(one, voices) for one in self.engines if (voices := _voices(one, text, held))]
        if not able:
            return None
        weights = np.array([_weight(one, others) for one, _ in able])
        speaker, voices = able[rng.choice(len(able), p=weights / weights.sum())]
        voice = voices[rng.integers(len(voices))]
        take = int(rng.integers(2**31))
        manner = Manner(round(rng.uniform(*SPEEDS), 2), round(rng.uniform(*PITCHES), 2), take)
        paused = text.replace(" ", ", ") if rng.random() < PAUSED else text
        peak = rng.uniform(*PEAKS)
        sound = self._said(speaker, paused if speaker.says(paused) else text, voice.name, manner)
        return Spoken(text, speaker.name, voice.name, to_int16(sound * np.float32(peak)))

    def _said(self, speaker: Engine, text: str, voice: str, manner: Manner) -> np.ndarray:
        """(samples,) float32, the loudest of 1, from the cache where it is there."""
        about = [MADE, speaker.name, speaker.identity(), voice, asdict(manner), text, self.rate]
        path = self.folder / f"{digest(about)}.npy"
        if (kept := _kept(path)) is not None:
            return kept
        heard, rate = speaker.say(text, voice, manner)
        sound = trimmed(prepare_samples(heard, rate, self.rate, speaker.name))
        if not len(sound) or len(sound) > LONGEST_S * self.rate:
            raise InvalidData(f"{speaker.name}: says {text!r} by voice {voice!r} in {len(sound) / self.rate:g} s")
        sound = sound / np.abs(sound).max()
        data = BytesIO()
        np.save(data, np.round(sound * 32767).astype(np.int16), allow_pickle=False)
        with suppress(OSError):  # of a cache that cannot be written
            write_bytes(path, data.getvalue())
        return np.round(sound * 32767).astype(np.float32) / 32767


def _kept(path: Path) -> np.ndarray | None:
    """(samples,) float32 of a clip in the cache; None where it is not there, or is none."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        samples = np.lib.format.read_array(file, allow_pickle=False)
        if samples.dtype == np.int16 and samples.ndim == 1 and len(samples):
            return samples.astype(np.float32) / 32767
    return None


def _weight(one: Engine, others: bool) -> float:
    return one.weight_of_others if others and one.weight_of_others is not None else one.weight


def _voices(one: Engine, text: str, held: bool) -> list[Voice]:
    return [voice for voice in one.says(text) if voice.held == held]


def trimmed(samples: np.ndarray) -> np.ndarray:
    """What is heard of samples (samples,), without silence at both ends; nothing of silence."""
    loud = np.flatnonzero(np.abs(samples) > QUIET * max(np.abs(samples).max(initial=0), 1e-6))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]
