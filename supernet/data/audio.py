"""Reading recordings: any file that soundfile reads, to mono samples at one rate."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
import soxr

from supernet.data.walk import FORMATS
from supernet.errors import InvalidAudio, TooLong

__all__ = [
    "CUT",
    "LONGER",
    "MAX_CHANNELS",
    "from_int16",
    "prepare_samples",
    "read_audio",
    "to_int16",
]

RATES = (1_000, 384_000)
MAX_CHANNELS = 8
MAX_FLOAT = 10.0
LONGER = 1.01
"""How much longer than a clip a recording may be: so much is cut off."""
CUT = "cut it, or go over it by sliding windows"
"""What to do with a longer one."""
UNKNOWN_BYTES = 2**31 - 2**16
"""From here on the length that a WAV file states is what recorders write into a pipe, before they know it."""


def read_audio(source: str | Path | bytes, max_seconds: float | None = None) -> tuple[np.ndarray, int]:
    """The samples of a file, (samples, channels) float32 from -1 to 1, and their rate in Hz.

    source: its path, or the bytes that it holds. max_seconds: refuse longer files, as TooLong. Raises InvalidAudio,
    naming the file, for one that is missing, unreadable, empty or too long.
    """
    name = "-" if isinstance(source, bytes) else str(Path(source))
    try:
        _check_whole(source, name)
        with soundfile.SoundFile(BytesIO(source) if isinstance(source, bytes) else name) as file:
            seconds = file.frames / file.samplerate
            if max_seconds is not None and seconds > max_seconds * LONGER:
                raise TooLong(f"{name}: {seconds:.2f} s is too long: the limit is {max_seconds:g} s; {CUT}")
            return file.read(dtype="float32", always_2d=True), file.samplerate
    except InvalidAudio:
        raise
    except UnicodeEncodeError:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise InvalidAudio(f"{shown}: its name is not UTF-8; rename it") from None
    except (MemoryError, ValueError) as error:
        raise InvalidAudio(f"{name}: its header states a length that no file has; convert it to WAV") from error
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        raise InvalidAudio(f"{name}: not a readable audio file ({reason}); convert it to WAV or FLAC") from None


def _check_whole(source: str | Path | bytes, name: str) -> None:
    """Raise InvalidAudio for a file that is missing or empty, or for WAV that ends before its header says, of which
    libsndfile would read what is left.
    """
    size, header = _begin(source, name)
    if size == 0:
        raise InvalidAudio(f"{name}: the file is empty; record or download it again")
    said = 8 + int.from_bytes(header[4:8], "little")
    unknown = said == 8 or said >= UNKNOWN_BYTES
    if header[:4] == b"RIFF" and header[8:] == b"WAVE" and not unknown and size < said:
        raise InvalidAudio(f"{name}: cut short ({size:,} of {said:,} bytes); copy it again")


def _begin(source: str | Path | bytes, name: str) -> tuple[int, bytes]:
    """How many bytes a file has, and the first twelve."""
    if isinstance(source, bytes):
        return len(source), source[:12]
    path = Path(source)
    if not path.is_file():
        raise InvalidAudio(f"{name}: no such file; give the path of a recording ({FORMATS})")
    with path.open("rb") as file:
        return path.stat().st_size, file.read(12)


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
    if samples.dtype.kind == "i":
        samples = samples.astype(np.float32) * np.float32(1.0 / -float(np.iinfo(samples.dtype).min))
    samples = samples.astype(np.float32, copy=False)
    mono = samples.reshape(-1) if samples.size == len(samples) else samples.mean(1)
    return mono if rate == sampling_rate else soxr.resample(mono, int(rate), sampling_rate)


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
    reach = max(samples.max(), -samples.min())
    if reach > MAX_FLOAT:
        raise InvalidAudio(f"{name}: floats reach {reach:.3g}; scale them to -1 to 1 (int16 / 32768)")


def to_int16(samples: np.ndarray, scale: int = 32768) -> np.ndarray:
    """Floats from -1 to 1 as 16-bit integers; what is louder is clipped."""
    return np.round(samples * scale).clip(-32768, 32767).astype(np.int16)


def from_int16(samples: np.ndarray) -> np.ndarray:
    """16-bit integers as float32 from -1 to 1."""
    return samples.astype(np.float32) / np.float32(32768)
