"""Reading recordings: any file that soundfile reads, to mono samples at one rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from supernet.errors import InvalidAudio

__all__ = ["EXTENSIONS", "prepare_samples", "read_audio"]

EXTENSIONS = (".wav", ".flac", ".opus", ".ogg", ".mp3")
RATES = (1_000, 384_000)


def read_audio(
    path: str | Path, sampling_rate: int = 16_000, max_seconds: float | None = None, least_rate: int | None = None
) -> np.ndarray:
    """The samples of a file: (samples,) float32 from -1 to 1, mono, resampled to `sampling_rate` where needed.

    max_seconds: refuse longer files. least_rate: refuse files of a lower rate, in Hz. Raises InvalidAudio, naming the
    file, for one that is missing, unreadable, empty or too long, or that holds samples that are not numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidAudio(f"{path}: no such file; give the path of a recording ({' '.join(EXTENSIONS)})")
    if path.stat().st_size == 0:
        raise InvalidAudio(f"{path}: the file is empty; record or download it again")
    try:
        with soundfile.SoundFile(path) as file:
            seconds = file.frames / file.samplerate
            if max_seconds is not None and seconds > max_seconds * 1.01:
                raise InvalidAudio(f"{path}: {seconds:.2f} s is too long: the limit is {max_seconds:g} s; cut it first")
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        raise InvalidAudio(f"{path}: not a readable audio file ({reason}); convert it to WAV or FLAC") from None
    return prepare_samples(samples, rate, sampling_rate, str(path), least_rate)


def prepare_samples(
    samples: np.ndarray, rate: int, sampling_rate: int, name: str, least_rate: int | None = None
) -> np.ndarray:
    """Mono float32 samples at `sampling_rate` from (samples,) or (samples, channels) at `rate`.

    Integers are scaled to -1 .. 1. name: for messages. Raises InvalidAudio.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise InvalidAudio(
            f"{name}: {samples.dtype} array of shape {samples.shape} is not audio; give (samples,) or "
            "(samples, channels)"
        )
    if samples.size == 0:
        raise InvalidAudio(f"{name}: no samples; record it again")
    if not isinstance(rate, (int, np.integer)) or not RATES[0] <= rate <= RATES[1]:
        raise InvalidAudio(f"{name}: sampling rate {rate!r} is not possible; give a whole number of Hz, such as 16000")
    if least_rate is not None and rate < least_rate:
        raise InvalidAudio(
            f"{name}: {rate} Hz holds no sound above {rate // 2} Hz, which the model needs; record at {least_rate} Hz "
            "or more, or accept a poorer answer with resample"
        )
    if samples.dtype.kind == "u":
        raise InvalidAudio(f"{name}: unsigned samples are ambiguous; give floats from -1 to 1, or signed integers")
    scale = 1.0 / -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    samples = samples.astype(np.float32) * np.float32(scale)
    if not np.isfinite(samples).all():
        raise InvalidAudio(f"{name}: holds samples that are not numbers (NaN or infinite); record or export it again")
    mono = samples if samples.ndim == 1 else samples.mean(1)
    return mono if rate == sampling_rate else _resample(mono, int(rate), sampling_rate)


def _resample(samples: np.ndarray, rate: int, sampling_rate: int) -> np.ndarray:
    import torch
    import torchaudio

    return torchaudio.functional.resample(torch.from_numpy(samples), rate, sampling_rate).numpy()
