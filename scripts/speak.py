"""Words from text, spoken by the voices of espeak-ng and flite, as further training clips.

    apt-get install espeak-ng flite
    python scripts/speak.py yes no on off --out runs/spoken --count 200 --others 3

Writes OUT/WORD/VOICE_N.flac, a second each with the word in the middle, and with --others so many clips of each word of
scripts/other_words.txt, OUT/_unknown_/WORD_VOICE_N.flac: words that are none of a task, so that a voice from text tells
nothing. Accents, voices, speeds and pitches are drawn by the seed. They are for training alone: a measurement on such
clips is no estimate of how real people are heard.
"""

from __future__ import annotations

import argparse
import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile

from supernet.constants import UNKNOWN
from supernet.data.audio import prepare_samples, read_audio

OTHERS = Path(__file__).parent / "other_words.txt"
RATE = 16_000
ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "whisper")
FLITE = ("kal", "awb", "rms", "slt")
FLITE_SHARE = 0.4
QUIET = 0.02
"""Of the loudest sample: what is fainter at both ends is cut off."""


def main() -> None:
    """Write the clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=200, help="of clips a word (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--others", type=int, default=0, help="clips of each other word (default: none)")
    options = parser.parse_args()
    for place, word in enumerate(options.words):
        write(options.out / word, "", word, options.count, [options.seed, place])
    for place, word in enumerate(OTHERS.read_text().split() if options.others else ()):
        write(options.out / UNKNOWN, f"{word}_", word, options.others, [options.seed, 1, place])


def write(folder: Path, begin: str, word: str, count: int, seed: list[int]) -> None:
    """Clips of a word, whose names begin so."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        name, clip = spoken(word, np.random.default_rng([*seed, number]))
        soundfile.write(folder / f"{begin}{name}_{number}.flac", clip, RATE)


def spoken(word: str, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """The voice, and a second (samples,) float32 with the word in the middle."""
    if rng.random() < FLITE_SHARE:
        name = str(rng.choice(FLITE))
        stretch, pitch = rng.uniform(0.75, 1.35), rng.uniform(85, 230)
        command = ["flite", "-voice", name, "--setf", f"duration_stretch={stretch:.2f}",
                   "--setf", f"int_f0_target_mean={pitch:.0f}", "-t", word, "-o", "/dev/stdout"]  # fmt: skip
    else:
        name = f"{rng.choice(ACCENTS)}+{rng.choice(VARIANTS)}"
        speed, pitch = rng.integers(110, 200), rng.integers(20, 80)
        command = ["espeak-ng", "-v", name, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    heard = subprocess.run(command, check=True, capture_output=True).stdout
    return name, centred(prepare_samples(*read_wave(heard), RATE, name))


def read_wave(data: bytes) -> tuple[np.ndarray, int]:
    """Samples and rate of a WAV file from a pipe, whose header may state any length."""
    try:
        return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        return read_audio(data)


def centred(samples: np.ndarray) -> np.ndarray:
    """(RATE,) with what is heard of samples in the middle, cut where it is longer, at 60 % of full scale."""
    loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max())
    word = samples[loud[0] : loud[-1] + 1][:RATE]
    first = (RATE - len(word)) // 2
    return np.pad(0.6 * word / np.abs(word).max(), (first, RATE - len(word) - first)).astype(np.float32)


if __name__ == "__main__":
    main()
