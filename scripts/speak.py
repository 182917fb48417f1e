"""Words from text, spoken by the engines that are installed (supernet.data.speech), as further training clips.

    apt-get install espeak-ng flite
    python scripts/speak.py yes no on off --out runs/spoken --count 200 --others 3

Writes OUT/WORD/VOICE_N.flac, a second each with the word in the middle, and with --others so many clips of each common
word, OUT/_unknown_/WORD_VOICE_N.flac: words that are none of a task, so that a voice from text tells nothing. Voices,
speeds and pitches are drawn by the seed. They are for training alone: a measurement on such clips is no estimate of how
real people are heard.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile

from supernet.constants import UNKNOWN
from supernet.data.speech.clips import Speech, Spoken, installed
from supernet.data.speech.neighbours import common_words

RATE = 16_000


def main() -> None:
    """Write the clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=200, help="of clips a word (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--others", type=int, default=0, help="clips of each other word (default: none)")
    options = parser.parse_args()
    speech = Speech(installed(), RATE)
    for word in options.words:
        write(options.out / word, "", speech.clips([word] * options.count, [options.seed]))
    for word in common_words() if options.others else ():
        write(options.out / UNKNOWN, f"{word}_", speech.clips([word] * options.others, [options.seed, 1]))


def write(folder: Path, begin: str, spoken: list[Spoken]) -> None:
    """Clips of a word, whose names begin so."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(spoken):
        soundfile.write(folder / f"{begin}{one.voice}_{number}.flac", centred(one.samples), RATE)


def centred(samples: np.ndarray) -> np.ndarray:
    """(RATE,) with samples in the middle, cut where they are longer."""
    first = (RATE - len(samples[:RATE])) // 2
    return np.pad(samples[:RATE], (first, RATE - len(samples[:RATE]) - first))


if __name__ == "__main__":
    main()
