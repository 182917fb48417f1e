"""Reading recordings: any file that soundfile reads, to mono samples at one rate, whole or a block at a time."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from supernet.data.containers import Frames, Parts, block_samples, check_stream, frames_of
from supernet.data.walk import FORMATS, Spooled
from supernet.errors import InvalidAudio, TooLong
from supernet.samples import MAX_FLOAT, from_int16, to_int16
from supernet.whole import is_whole

__all__ = [
    "BLOCK",
    "CUT",
    "LONGER",
    "MAX_CHANNELS",
    "Recording",
    "from_int16",
    "prepare_blocks",
    "prepare_samples",
    "read_audio",
    "stated_seconds",
    "tell_faint",
    "to_int16",
]

RATES = (1_000, 384_000)
MAX_CHANNELS = 8
LONGER = 1.01
"""How much longer than a clip a recording may be: so much is cut off."""
CUT = "cut it, or go over it by sliding windows"
"""What to do with a longer one."""
BLOCK = 2**16
"""Samples of each channel that are decoded at a time, where a recording is not read whole."""
PADDED = ("IMA_ADPCM", "MS_ADPCM")
MPEG_PADDING = 1105 + 1152
"""Samples that an MP3 may be longer than its sound: the delay of encoder and decoder, and a last frame."""
MOST_FRAMES = 2**40
"""From here on the length that a header states is none, as of FLAC that was written into a pipe."""
LOST = "flac decoder lost sync"
"""What libsndfile says of FLAC that ends before its recording does."""
CANCELLED = 0.01
"""Power of a mix over that of its channels below which these cancel each other: -20 dB."""
FAINT = {"PCM_24": 2.0**-8, "PCM_32": 2.0**-8, "FLOAT": 2.0**-15, "DOUBLE": 2.0**-15}
"""Coding -> the loudest sample up to which a recording has probably been scaled twice, of full scale: numbers of
16 bits in 24, of 24 or 16 in 32, and floats that are silence at 16 bits.
"""
SILENT = 2.0**-15
"""A step of 16 bits, of full scale."""

log = logging.getLogger(__name__)


def read_audio(source: str | Path | bytes, max_seconds: float | None = None) -> tuple[np.ndarray, int]:
    """The samples of a file, (samples, channels) float32 from -1 to 1, and their rate in Hz.

    source: its path, or the bytes that it holds. max_seconds: refuse longer files, as TooLong; a block of a codec that
    its sound does not fill is cut off. Raises InvalidAudio, naming the file, for one that is missing, unreadable,
    empty, cut short or too long, and for one that holds several recordings.
    """
    with Recording(source, max_seconds) as recording:
        blocks = list(recording.blocks(max(1, recording.frames)))
        return blocks[0] if blocks else np.zeros((0, recording.channels), np.float32), recording.rate


class _Forward(soundfile.SoundFile):
    """A file that is read from its beginning to its end.

    soundfile seeks to where it is after each read, which starts the decoder of MP3 anew.
    """

    def seekable(self) -> bool:
        return False


class Recording:
    """A file that is open for decoding; it closes at the end of a `with`.

    Takes and raises what `read_audio` does. Attributes: name (for messages), rate (in Hz), channels, frames (samples of
    each channel), seconds.
    """

    def __init__(self, source: str | Path | bytes, max_seconds: float | None = None) -> None:
        self._source = source
        self.name = "-" if isinstance(source, (bytes, Spooled)) else str(Path(source))
        with self._errors(), ExitStack() as opened:
            _check_there(source, self.name)
            file = opened.enter_context(self._bytes())
            found = check_stream(file, self.name)
            self._file = opened.enter_context(_Forward(self._heard(file, found)))
            self.rate, self.channels = self._file.samplerate, self._file.channels
            self.frames = self._cut(self._stated(found and found.samples), max_seconds)
            self.seconds = self.frames / self.rate
            self._opened = opened.pop_all()
        if found and found.lost:
            log.warning("%s: %d bytes among its sound are none, and passed over; copy it again", self.name, found.lost)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def blocks(self, size: int = BLOCK) -> Iterator[np.ndarray]:
        """All samples, up to `size` at a time: (samples, channels) float32 from -1 to 1. Raises InvalidAudio."""
        left, peak = self.frames, 0.0
        while left:
            with self._errors():
                block = self._file.read(min(size, left), dtype="float32", always_2d=True)
            if not len(block):
                self._end(left)
                break
            left -= len(block)
            if self._file.subtype in FAINT:
                peak = max(peak, float(block.max()), -float(block.min()))
            yield block
        tell_faint(self.name, peak, self._file.subtype)

    def _end(self, left: int) -> None:
        """Raise InvalidAudio where fewer samples come than are stated; of MP3 all frames were found, and are few."""
        if self._file.format != "MP3":
            raise InvalidAudio(
                f"{self.name}: cut short ({self.frames - left:,} of {self.frames:,} samples); copy it again, or "
                "convert what is left to WAV"
            )

    def _stated(self, held: int | None) -> int:
        """How many samples of each channel the file has. held: as `check_stream` counts them."""
        frames = self._file.frames
        if frames > MOST_FRAMES:
            raise ValueError
        if held is not None and frames < held - MPEG_PADDING:
            raise InvalidAudio(
                f"{self.name}: its decoder takes its {held:,} samples for {frames:,}, since it states no length; "
                "convert it to WAV"
            )
        return frames if held is None else min(frames, held)

    def _cut(self, frames: int, max_seconds: float | None) -> int:
        """How many of them to read."""
        rate = self.rate
        if max_seconds is None or frames / rate <= max_seconds * LONGER:
            return frames
        if frames >= max_seconds * rate + self._padding():
            raise TooLong(f"{self.name}: {frames / rate:.2f} s is too long: the limit is {max_seconds:g} s; {CUT}")
        return int(max_seconds * rate)

    def _padding(self) -> int:
        """Samples that its codec may have added to fill a block."""
        if self._file.subtype == "MPEG_LAYER_III":
            return MPEG_PADDING
        if self._file.subtype not in PADDED:
            return 0
        with self._bytes() as file:
            return block_samples(file)

    def _heard(self, file: BinaryIO, frames: Frames | None) -> BinaryIO | str:
        """What the decoder gets: of MP3 the frames alone, of all else the file."""
        if frames is not None:
            return Parts(file, frames.parts)
        return BytesIO(self._source) if isinstance(self._source, bytes) else str(Path(self._source))

    def _bytes(self) -> BinaryIO:
        return BytesIO(self._source) if isinstance(self._source, bytes) else Path(self._source).open("rb")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of reading as InvalidAudio, with the name of the file."""
        try:
            yield
        except InvalidAudio:
            raise
        except UnicodeEncodeError:
            shown = self.name.encode("utf-8", "backslashreplace").decode()
            raise InvalidAudio(f"{shown}: its name is not UTF-8; rename it") from None
        except (MemoryError, ValueError) as error:
            raise InvalidAudio(
                f"{self.name}: its header states a length that no file has; convert it to WAV"
            ) from error
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            reason = getattr(error, "strerror", None) or str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
            if reason == LOST:
                raise InvalidAudio(
                    f"{self.name}: cut short, or damaged ({reason}); copy it again, or convert what is left to WAV"
                ) from None
            raise InvalidAudio(
                f"{self.name}: not a readable audio file ({reason}); convert it to WAV or FLAC"
            ) from None


def stated_seconds(path: str | Path) -> float:
    """How long a recording is by what it states. Raises OSError or SoundFileError for what is none."""
    with Path(path).open("rb") as file:
        frames = frames_of(file)
        information = soundfile.info(Parts(file, frames.parts) if frames else str(path))
    return information.frames / information.samplerate


def _check_there(source: str | Path | bytes, name: str) -> None:
    """Raise InvalidAudio for a file that is missing or empty."""
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InvalidAudio(f"{name}: {_why_none(Path(source))}; give the path of a recording ({FORMATS})")
    if not (len(source) if isinstance(source, bytes) else Path(source).stat().st_size):
        raise InvalidAudio(f"{name}: the file is empty; record or download it again")


def _why_none(path: Path) -> str:
    return "is a folder" if path.is_dir() else "is no regular file" if path.exists() else "no such file"


def tell_faint(name: str, peak: float, coding: str) -> None:
    """Say in the log of a recording that it has probably been scaled twice.

    peak: its loudest sample, of full scale. coding: as soundfile names it.
    """
    if 0 < peak <= FAINT.get(coding, 0):
        heard = ", which is heard as silence" if peak <= SILENT else ""
        log.warning(
            "%s: its loudest sample has %.0f dB of full scale%s; where 16-bit numbers were stored with more bits or "
            "scaled twice, store them as 16-bit (int16), else record it louder",
            name, 20 * math.log10(peak), heard,
        )  # fmt: skip


def prepare_samples(
    samples: np.ndarray,
    rate: int,
    sampling_rate: int,
    name: str,
    least_rate: int | None = None,
    channel: int | None = None,
) -> np.ndarray:
    """Mono float32 samples at `sampling_rate` from (samples,) or (samples, channels) at `rate`.

    Floats must be from -1 to 1, int16 and int32 are scaled to that. name: for messages. least_rate: refuse lower
    rates, in Hz. channel: take this one, from 1 on, not the mean of all. Raises InvalidAudio for samples that cannot be
    used, among them those that are not numbers. Channels that cancel each other, and int32 that holds smaller numbers,
    are said in the log.
    """
    mixer = _Mixer(name, channel)
    mono = mixer.mix(np.asarray(samples))
    _check_rate(rate, name, least_rate)
    mixer.tell()
    return mono if rate == sampling_rate else soxr.resample(mono, int(rate), sampling_rate)


def prepare_blocks(
    blocks: Iterable[np.ndarray],
    rate: int,
    sampling_rate: int,
    name: str,
    least_rate: int | None = None,
    channel: int | None = None,
) -> Iterator[np.ndarray]:
    """What `prepare_samples` gives of all blocks together, a block at a time: the same samples, resampled ones too."""
    _check_rate(rate, name, least_rate)
    mixer, heard = _Mixer(name, channel), False
    stream = None if rate == sampling_rate else soxr.ResampleStream(int(rate), sampling_rate, 1, dtype="float32")
    for block in blocks:
        mono, heard = mixer.mix(block), True
        yield stream.resample_chunk(mono) if stream else mono
    if not heard:
        raise InvalidAudio(f"{name}: no samples; record it again")
    if stream:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
    mixer.tell()


def _check_rate(rate: int, name: str, least_rate: int | None) -> None:
    if not is_whole(rate, *RATES):
        raise InvalidAudio(f"{name}: sampling rate {rate!r} is not possible; give a whole number of Hz, such as 16000")
    if least_rate is not None and rate < least_rate:
        raise InvalidAudio(
            f"{name}: {rate} Hz holds no sound above {rate // 2} Hz, which the model needs; record at {least_rate} Hz "
            "or more, or accept a poorer answer with resample (--resample)"
        )


class _Mixer:
    """Blocks to mono, and what is to be said of all of them.

    Sums and sums of squares, by channel and of the mix, tell the power beside a constant.
    """

    def __init__(self, name: str, channel: int | None) -> None:
        self.name, self.channel = name, channel
        self._count, self._peak = 0, 0.0
        self._sums = self._squares = np.zeros(1)

    def mix(self, samples: np.ndarray) -> np.ndarray:
        """(samples,) or (samples, channels), floats or integers, to (samples,) float32."""
        _check_samples(samples, self.name)
        if samples.dtype.kind == "i":
            scale, deep = np.float32(1.0 / -float(np.iinfo(samples.dtype).min)), samples.dtype == np.int32
            samples = samples.astype(np.float32) * scale
            self._peak = max(self._peak, float(np.abs(samples).max())) if deep else 0.0
        samples = samples.astype(np.float32, copy=False).reshape(len(samples), -1)
        if self.channel is not None:
            return self._chosen(samples)
        if samples.shape[1] == 1:
            return samples.reshape(-1)
        mono = samples.mean(1)
        self._add(samples, mono)
        return mono

    def _chosen(self, samples: np.ndarray) -> np.ndarray:
        if self.channel > samples.shape[1]:
            raise InvalidAudio(
                f"{self.name}: channel {self.channel} is not there, it has {samples.shape[1]}; give one of these, from "
                "1 on"
            )
        return np.ascontiguousarray(samples[:, self.channel - 1])

    def _add(self, samples: np.ndarray, mono: np.ndarray) -> None:
        self._count += len(samples)
        self._sums = self._sums + np.append(samples.sum(0, dtype=float), mono.sum(dtype=float))
        squares = np.square(samples).sum(0, dtype=float), np.square(mono).sum(dtype=float)
        self._squares = self._squares + np.append(*squares)

    def tell(self) -> None:
        """Say in the log what is probably wrong."""
        tell_faint(self.name, self._peak, "PCM_32")
        power = self._squares / max(1, self._count) - np.square(self._sums / max(1, self._count))
        of_channels = power[:-1].mean() if self._count else 0.0
        if of_channels > SILENT**2 and power[-1] < CANCELLED * of_channels:
            log.warning(
                "%s: its %d channels cancel each other when they are mixed; hear one of them (--channel 1, channel=1 "
                "in Python), or keep one in the file",
                self.name, len(power) - 1,
            )  # fmt: skip


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
