"""Reading recordings: any file that soundfile reads, to mono samples at one rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from supernet.errors import InvalidAudio

__all__ = ["EXTENSIONS", "MAX_CHANNELS", "prepare_samples", "read_audio", "to_int16"]

EXTENSIONS = (".wav", ".flac", ".opus", ".ogg", ".mp3")
RATES = (1_000, 384_000)
MAX_CHANNELS = 8
MAX_FLOAT = 10.0
FINEST_RATIO = 1000
"""Denominator of the ratio of two rates: odd rates are taken for ones that are off by less than a thousandth."""


def read_audio(path: str | Path, max_seconds: float | None = None) -> tuple[np.ndarray, int]:
    """The samples of a file, (samples, channels) float32 from -1 to 1, and their rate in Hz.

    max_seconds: refuse longer files. Raises InvalidAudio, naming the file, for one that is missing, unreadable,
    empty or too long.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InvalidAudio(f"{path}: no such file; give the path of a recording ({' '.join(EXTENSIONS)})")
        if path.stat().st_size == 0:
            raise InvalidAudio(f"{path}: the file is empty; record or download it again")
        _check_whole(path)
        with soundfile.SoundFile(path) as file:
            seconds = file.frames / file.samplerate
            if max_seconds is not None and seconds > max_seconds * 1.01:
                raise InvalidAudio(f"{path}: {seconds:.2f} s is too long: the limit is {max_seconds:g} s; cut it first")
            return file.read(dtype="float32", always_2d=True), file.samplerate
    except InvalidAudio:
        raise
    except (MemoryError, ValueError) as error:
        raise InvalidAudio(f"{path}: its header states a length that no file has; convert it to WAV") from error
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        raise InvalidAudio(f"{path}: not a readable audio file ({reason}); convert it to WAV or FLAC") from None


def _check_whole(path: Path) -> None:
    """Raise InvalidAudio for a WAV file that ends before its header says; libsndfile would read what is left."""
    with path.open("rb") as file:
        header = file.read(12)
    said = 8 + int.from_bytes(header[4:8], "little")
    unknown = said in (8, 8 + 0xFFFFFFFF)
    if header[:4] == b"RIFF" and header[8:] == b"WAVE" and not unknown and path.stat().st_size < said:
        raise InvalidAudio(f"{path}: cut short ({path.stat().st_size:,} of {said:,} bytes); copy it again")


def prepare_samples(
    samples: np.ndarray, rate: int, sampling_rate: int, name: str, least_rate: int | None = None
) -> np.ndarray:
    """Mono float32 samples at `sampling_rate` from (samples,) or (samples, channels) at `rate`.

    Floats must be from -1 to 1, int16 and int32 are scaled to that. name: for messages. least_rate: refuse lower
    rates, in Hz. Raises InvalidAudio for samples that cannot be used, among them those that are not numbers.
    """
    samples = np.asarray(samples)
    _check_samples(samples, name)
    if not isinstance(rate, (int, np.integer)) or not RATES[0] <= rate <= RATES[1]:
        raise InvalidAudio(f"{name}: sampling rate {rate!r} is not possible; give a whole number of Hz, such as 16000")
    if least_rate is not None and rate < least_rate:
        raise InvalidAudio(
            f"{name}: {rate} Hz holds no sound above {rate // 2} Hz, which the model needs; record at {least_rate} Hz "
            "or more, or accept a poorer answer with resample"
        )
    scale = 1.0 / -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    samples = samples.astype(np.float32) * np.float32(scale)
    mono = samples if samples.ndim == 1 else samples.mean(1)
    return mono if rate == sampling_rate else _resample(mono, int(rate), sampling_rate)


def _check_samples(samples: np.ndarray, name: str) -> None:
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise InvalidAudio(
            f"{name}: {samples.dtype} array of shape {samples.shape} is not audio; give (samples,) or "
            "(samples, channels)"
        )
    if samples.size == 0:
        raise InvalidAudio(f"{name}: no samples; record it again")
    if samples.ndim == 2 and samples.shape[1] > MAX_CHANNELS:
        raise InvalidAudio(f"{name}: {samples.shape[1]} channels; give (samples, channels), at most {MAX_CHANNELS}")
    if samples.dtype.kind != "f":
        if samples.dtype not in (np.int16, np.int32):
            raise InvalidAudio(f"{name}: {samples.dtype} has no known scale; give floats from -1 to 1, or int16")
        return
    if not np.isfinite(samples).all():
        raise InvalidAudio(f"{name}: holds samples that are not numbers (NaN or infinite); record or export it again")
    if np.abs(samples).max() > MAX_FLOAT:
        raise InvalidAudio(f"{name}: floats reach {np.abs(samples).max():.3g}; scale them to -1 to 1 (int16 / 32768)")


def _resample(samples: np.ndarray, rate: int, sampling_rate: int) -> np.ndarray:
    import torch
    import torchaudio

    ratio = Fraction(rate, sampling_rate).limit_denominator(FINEST_RATIO)
    return torchaudio.functional.resample(torch.from_numpy(samples), ratio.numerator, ratio.denominator).numpy()


def to_int16(samples: np.ndarray, scale: int = 32768) -> np.ndarray:
    """Floats from -1 to 1 as 16-bit integers; what is louder is clipped."""
    return np.round(samples * scale).clip(-32768, 32767).astype(np.int16)
