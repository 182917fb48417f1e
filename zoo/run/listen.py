"""A model that listens: sound from a microphone, a pipe or a file, and each event as soon as it is known.

Sound is taken 100 ms at a time, and no more than a clip and a bit of it is kept. What is heard is what `Model.detect`
gives of the same samples.
"""

from __future__ import annotations

import logging
import os
import stat
import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from itertools import chain, islice
from math import inf
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np

from supernet.data.containers import begins_frames
from supernet.errors import InvalidAudio, InvalidQuery, MissingExtra
from supernet.extras import load
from supernet.files import write_bytes
from supernet.samples import as_int16
from supernet.whole import is_real
from zoo.ask.units import whole
from zoo.keeping import check_folder
from zoo.run.base import Hearing
from zoo.run.detection import Detector
from zoo.run.hear import PIPE, SoundParts, open_sound, tell_resampled

__all__ = ["MICROPHONE", "listen", "open_source"]

MICROPHONE = "microphone"
PARTS_A_SECOND = 10
MORE_S = 0.5
"""What is saved of the sound before an event, beside the length of a clip."""
ENDLESS = 2**31 - 2**16
"""Bytes from which on the length in a WAV header is none, as where it is written into a pipe."""
SIGNS = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"caff": "CAF",
    b"ID3": "MP3",
    b"RF64": "RF64",
    b"RIFX": "WAV of high bytes first",
    b"riff": "W64",
    b"\x1aE\xdf\xa3": "WebM",
}
"""First bytes of files that cannot be read from a pipe while they come."""
MOST_FRAMES = 3 * 1441
"""Bytes of three frames of MP3, which begins without a sign."""
NO_PORTAUDIO = (
    "the microphone needs PortAudio, which is not installed: apt install libportaudio2 (Debian, Ubuntu), brew install "
    "portaudio (macOS), or send samples by --input -"
)

log = logging.getLogger(__name__)


def listen(
    model: Hearing,
    source: str | Path | BinaryIO,
    detector: Detector,
    *,
    rate: int | None = None,
    channel: int | None = None,
    resample: bool = False,
    microphone: str | int | None = None,
    seconds: float | None = None,
    count: int | None = None,
    save: str | Path | None = None,
    heard: Callable[[np.ndarray], object] | None = None,
) -> Iterator[dict]:
    """The events of a source, {"time_s", "label", "score"} each, as soon as it is known; see `Model.listen`.

    heard: is called with each part of the sound, (samples,) int16 at the model's rate. Raises InvalidQuery, and
    InvalidAudio for a pipe that ends before a clip was heard.
    """
    check_folder("--save", save)
    if count is not None:
        whole("count", count, 1)
    most = inf if seconds is None else _samples_of(seconds, model.sampling_rate)
    opened = open_source(source, model.sampling_rate, rate, resample, channel, microphone)

    def events() -> Iterator[dict]:
        with opened as sound:
            tail = _Tail(sound.name, model.sampling_rate, model.clip_samples)
            parts = tail.over(_first(map(as_int16, _told(sound, model.sampling_rate)), most), heard)
            silence = np.zeros(model.clip_samples, np.int16)
            found = chain.from_iterable(model.events_of(chain(parts, [silence]), detector))
            silent = True
            for event in islice(found, count):
                silent = False
                yield {**event, "file": str(tail.save(event, save))} if save else event
            if silent:
                tail.check_whole(most)

    return events()


def _samples_of(seconds: float, rate: int) -> int:
    if not is_real(seconds) or not 0 < seconds < inf:
        raise InvalidQuery(f"seconds = {seconds!r} is not possible: give a time above 0, such as 60")
    return max(1, round(seconds * rate))


def _told(sound: SoundParts, model_rate: int) -> Iterator[np.ndarray]:
    """The parts; with the first one, which is refused at an impossible rate, it is told that they had another."""
    for number, part in enumerate(sound.parts):
        if not number:
            tell_resampled([sound.name], sound.rate, model_rate)
        yield part


def _first(parts: Iterable[np.ndarray], left: float) -> Iterator[np.ndarray]:
    """The first so many samples."""
    for part in parts:
        yield part[: min(left, len(part))]
        left -= len(part)
        if left <= 0:
            return


class _Tail:
    """The last sound that was heard: what an event is heard in."""

    def __init__(self, name: str, rate: int, clip_samples: int) -> None:
        self._name, self._rate, self._began = name, rate, datetime.now()
        self._clip, self._most, self._samples = clip_samples, clip_samples + round(MORE_S * rate), 0
        self._held = np.zeros(0, np.int16)

    def over(self, parts: Iterable[np.ndarray], heard: Callable | None) -> Iterator[np.ndarray]:
        """The parts, each once it is held."""
        for part in parts:
            self._held = np.concatenate([self._held[-self._most :], part])
            self._samples += len(part)
            if heard:
                heard(part)
            yield part

    def check_whole(self, most: float) -> None:
        """Raise InvalidAudio where a pipe ended before a clip. most: samples that were asked for."""
        if self._from_pipe and self._samples < min(self._clip, most):
            raise InvalidAudio(
                f"{self._name}: ended after {self._samples / self._rate:.2f} s, before one clip of "
                f"{self._clip / self._rate:g} s was heard; send more, raw samples of 16 bits or WAV, as of arecord"
            )

    @property
    def _from_pipe(self) -> bool:
        return self._name == PIPE or _is_pipe(self._name)

    def save(self, event: dict, folder: str | Path) -> Path:
        """Write the sound up to an event as a WAV file; returns its path."""
        import soundfile

        end = round(event["time_s"] * self._rate) - (self._samples - len(self._held))
        data = BytesIO()
        soundfile.write(data, self._held[max(0, end - self._most) : end], self._rate, "PCM_16", format="WAV")
        label = "".join(sign if sign.isalnum() or sign in "_.-" else "_" for sign in event["label"])
        return write_bytes(Path(folder) / f"{self._when(event['time_s'])}-{label}.wav", data.getvalue())

    def _when(self, time_s: float) -> str:
        """Of a file its name and the time in it, else the time of day."""
        if self._name == MICROPHONE or self._from_pipe:
            return f"{self._began + timedelta(seconds=time_s):%Y%m%d-%H%M%S.%f}"[:-4]
        return f"{Path(self._name).stem}-{time_s:08.2f}"


@contextmanager
def open_source(
    source: str | Path | BinaryIO,
    model_rate: int,
    rate: int | None = None,
    resample: bool = False,
    channel: int | None = None,
    microphone: str | int | None = None,
) -> Iterator[SoundParts]:
    """The sound of a source at a model's rate, as it comes; each part may raise InvalidAudio.

    source: MICROPHONE, a file that is open for reading bytes, or a path. What is open, and what a path names that is no
    ordinary file, holds WAV or raw samples: 16 bits, little-endian, one channel. rate: of raw samples (default: the
    model's), or to record at. resample: accept lower rates. channel: hear this one. microphone: another than the
    default one. Raises InvalidAudio, and MissingExtra where what records is not installed.
    """
    from supernet.data.audio import prepare_blocks

    least = None if resample else model_rate

    def prepared(name: str, blocks: Iterator[np.ndarray], own: int) -> SoundParts:
        return SoundParts(name, prepare_blocks(blocks, own, model_rate, name, least, channel), own)

    if isinstance(source, str) and source == MICROPHONE:
        with _recording(model_rate, rate, channel or 1, microphone) as recorded:
            yield prepared(MICROPHONE, *recorded)
    elif not isinstance(source, (str, Path)) and not hasattr(source, "read"):
        raise InvalidAudio(f"source = {source!r:.80} is no sound; give {MICROPHONE!r}, a file, or what has read()")
    elif hasattr(source, "read"):
        yield prepared(PIPE, *_piped(source, PIPE, rate, model_rate))
    elif _is_pipe(source):
        with open(source, "rb") as file:
            yield prepared(str(source), *_piped(file, str(source), rate, model_rate))
    else:
        with open_sound(source, rate, model_rate, resample, channel) as sound:
            yield sound


def _is_pipe(source: str | Path) -> bool:
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


class _Ahead:
    """What is open for reading, with a look at its first bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._held = file, b""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end alone."""
        data = self.peek(size)
        self._held = self._held[size:]
        return data

    def hold(self, data: bytes) -> None:
        """Read other bytes in the place of the first ones."""
        self._held = data + self._held[len(data) :]

    def peek(self, size: int) -> bytes:
        """The same, which are read again."""
        while len(self._held) < size and (more := self._file.read(size - len(self._held))):
            self._held += more
        return self._held[:size]


def _piped(file: BinaryIO, name: str, rate: int | None, model_rate: int) -> tuple[Iterator[np.ndarray], int]:
    """Blocks of WAV or of raw samples, and their rate."""
    ahead = _Ahead(file)
    sign = ahead.peek(4)
    if sign == b"RIFF":
        _take_extensible(ahead)
        return _wav(ahead, name, rate)
    for start, kind in SIGNS.items():
        if sign.startswith(start):
            raise InvalidAudio(f"{name}: {kind} is not heard while it comes; send raw samples or WAV, as of arecord")
    if begins_frames(ahead.peek(MOST_FRAMES)):
        raise InvalidAudio(f"{name}: MP3 is not heard while it comes; send raw samples or WAV, as of arecord")
    own = model_rate if rate is None else rate
    return _blocks(ahead, 2, 1, own, inf), own


def _take_extensible(ahead: _Ahead) -> None:
    """Read the extensible header of integers as the plain one, as `wave` does from Python 3.12 on."""
    head = ahead.peek(46)
    if head[12:16] == b"fmt " and head[20:22] == b"\xfe\xff" and head[44:46] == b"\x01\x00":
        ahead.hold(head[:20] + b"\x01\x00" + head[22:])


def _wav(file: _Ahead, name: str, rate: int | None) -> tuple[Iterator[np.ndarray], int]:
    try:
        with wave.open(file, "rb") as header:
            own, width, channels = header.getframerate(), header.getsampwidth(), header.getnchannels()
            size = header.getnframes() * width * channels
    except (wave.Error, EOFError) as error:
        what = str(error) or "its header is cut short"
        raise InvalidAudio(f"{name}: no WAV that can be heard while it comes ({what}); send 16-bit samples") from None
    if rate is not None and rate != own:
        raise InvalidAudio(f"{name}: its own rate is {own} Hz, not {rate!r}; leave rate out")
    return _blocks(file, width, channels, own, size if 0 < size < ENDLESS else inf), own


def _blocks(file: _Ahead, width: int, channels: int, rate: int, left: float) -> Iterator[np.ndarray]:
    """(samples, channels) integers, a tenth of a second each. width: bytes of a sample. left: bytes to read at most."""
    frame = width * channels
    size = max(1, rate // PARTS_A_SECOND) * frame
    while left > 0 and (data := file.read(int(min(size, left)))):
        left -= len(data)
        whole = data[: len(data) // frame * frame]
        if whole:
            yield _samples(whole, width).reshape(-1, channels)


def _samples(data: bytes, width: int) -> np.ndarray:
    """Integers of so many bytes each, as WAV has them, in 16 or 32 bits."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) * 256
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4")
    return np.frombuffer(data, f"<i{width}")


@contextmanager
def _recording(
    model_rate: int, rate: int | None, channels: int, device: str | int | None
) -> Iterator[tuple[Iterator[np.ndarray], int]]:
    """Blocks of a microphone, and their rate."""
    sounddevice = _sounddevice()
    asked = {"device": device, "channels": channels, "dtype": "int16"}
    with ExitStack() as started:
        try:
            own = _rate_of(sounddevice, model_rate, asked) if rate is None else rate
            stream = started.enter_context(sounddevice.InputStream(samplerate=own, **asked))
        except (sounddevice.PortAudioError, ValueError) as error:
            raise _unheard(error) from None
        yield _recorded(sounddevice, stream, max(1, own // PARTS_A_SECOND)), own


def _unheard(error: Exception) -> InvalidAudio:
    return InvalidAudio(
        f"{MICROPHONE}: {error}; `python -m sounddevice` lists what there is: give one by --microphone, or samples by "
        "--input -"
    )


def _sounddevice() -> ModuleType:
    try:
        return load("sounddevice")
    except OSError:
        raise MissingExtra(NO_PORTAUDIO) from None


def _rate_of(sounddevice: ModuleType, model_rate: int, asked: dict) -> int:
    """The model's rate where the microphone has it, else its own."""
    try:
        sounddevice.check_input_settings(samplerate=model_rate, **asked)
        return model_rate
    except sounddevice.PortAudioError:
        return int(sounddevice.query_devices(asked["device"], "input")["default_samplerate"])


def _recorded(sounddevice: ModuleType, stream, size: int) -> Iterator[np.ndarray]:
    lost = 0
    try:
        while True:
            block, overflowed = stream.read(size)
            if overflowed and not lost:
                log.warning("%s: samples were lost, since they came faster than they were heard", MICROPHONE)
            lost += overflowed
            yield block
    except sounddevice.PortAudioError as error:
        raise _unheard(error) from None
    finally:
        if lost > 1:
            log.warning("%s: samples were lost %d times", MICROPHONE, lost)
