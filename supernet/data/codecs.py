"""Sounds as codecs of telephones, radios and files give them, at their low rates: by libsndfile."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

__all__ = ["CODECS", "Codec", "coded", "library"]


@dataclass(frozen=True)
class Codec:
    """container, coding: names of libsndfile. rate: at which it codes, in Hz. squeeze: 0 to 1, the fewest bits."""

    container: str
    coding: str
    rate: int
    squeeze: float | None = None


CODECS = {
    "gsm": Codec("WAV", "GSM610", 8000),
    "adpcm-8k": Codec("WAV", "IMA_ADPCM", 8000),
    "adpcm": Codec("WAV", "IMA_ADPCM", 16_000),
    "vorbis": Codec("OGG", "VORBIS", 16_000, 1.0),
    "mp3": Codec("MP3", "MPEG_LAYER_III", 16_000, 0.95),
}


def coded(sound: np.ndarray, rate: int, codec: Codec) -> np.ndarray:
    """A sound (samples,) float32 from -1 to 1 after a codec, of the same length."""
    own = sound if codec.rate == rate else soxr.resample(sound, rate, codec.rate)
    squeeze = {} if codec.squeeze is None else {"compression_level": codec.squeeze}
    file = io.BytesIO()
    soundfile.write(file, np.clip(own, -1, 1), codec.rate, codec.coding, format=codec.container, **squeeze)
    file.seek(0)
    heard = soundfile.read(file, dtype="float32")[0]
    heard = heard if codec.rate == rate else soxr.resample(heard, codec.rate, rate)
    return np.pad(heard[: len(sound)], (0, max(0, len(sound) - len(heard))))


def library() -> str:
    """Who codes: other versions may give other sounds."""
    return soundfile.__libsndfile_version__
