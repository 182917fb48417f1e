"""Recordings on their way through a model: files, arrays and bytes in; labels with scores, and times, out.

Files are decoded in threads ahead of the network, which takes a batch of clips at a time. A recording that is longer
than a clip is heard by sliding windows when its turn comes, and decoded meanwhile: no more than a part of it is in
memory.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from supernet.data.walk import Spooled, tell_left_out, walk
from supernet.errors import InvalidAudio, InvalidQuery, TooLong
from supernet.whole import as_list, as_whole, is_whole
from zoo.ask.units import milliseconds
from zoo.run.base import Hearing
from zoo.run.detection import Detector
from zoo.run.events import Energy, mark_events

__all__ = [
    "BATCH",
    "PIPE",
    "Heard",
    "Sound",
    "SoundParts",
    "answers",
    "check_channel",
    "check_top",
    "find_recordings",
    "hear",
    "hop_of",
    "is_batch",
    "open_sound",
    "read_sound",
    "tell_resampled",
    "windows",
]

BATCH, AHEAD, THREADS = 64, 128, 8
"""Clips that the network takes at a time; files that are decoded before it asks for them, by so many threads."""
SHOWN = 5
"""Files up to which no progress bar is shown."""
PIPE = "-"
"""Name of a recording that came as bytes, as of standard input."""
TAKEN = (
    "give the path of a recording, the bytes of an audio file, a file that is open for reading bytes, samples with "
    'their sampling_rate, or {"array": samples, "sampling_rate": rate}'
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording at a model's rate. samples: (samples,) float32 from -1 to 1. rate: that it had before, in Hz."""

    name: str
    samples: np.ndarray
    rate: int


@dataclass(frozen=True, eq=False)
class SoundParts:
    """A recording at a model's rate, to be heard once. parts: (samples,) float32 from -1 to 1 each. rate: that it had
    before, in Hz. seconds: how long it is, as far as that is known.
    """

    name: str
    parts: Iterator[np.ndarray]
    rate: int
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Heard:
    """What a model heard in a file: scores (windows, classes) with (start, end) of each window in seconds.

    times: empty for a clip, which has one window. error: why the file cannot be used. rate: of the file, in Hz.
    detected: the events of a detector, in the place of scores.
    """

    file: str
    scores: np.ndarray | None = None
    times: Sequence[tuple[float, float]] = ()
    rate: int | None = None
    error: InvalidAudio | None = None
    detected: list[dict] | None = None

    def rows(self, labels: Sequence[str], top: int | None = None) -> list[list]:
        """[start_s, end_s, label, score, label, score, ...] of each window: what `windows` gives, in less memory."""
        return [
            [*span, *chain.from_iterable(one.values() for one in answers(labels, row, top))]
            for span, row in zip(self.times, self.scores, strict=True)
        ]

    def to_dict(self, labels: Sequence[str], top: int | None = None, threshold: float | None = None) -> dict:
        """{"file", "answers"}, {"file", "windows"} or {"file", "error"}; with a threshold {"file", "events"}, and of a
        detector {"file", "detected"}.
        """
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        if self.detected is not None:
            return {"file": self.file, "detected": self.detected}
        if threshold is not None:
            found = mark_events(labels, self.scores, self.times, threshold)
            return {"file": self.file, "events": [asdict(event) for event in found]}
        if self.times:
            return {"file": self.file, "windows": windows(labels, self.scores, self.times, top)}
        return {"file": self.file, "answers": answers(labels, self.scores[0], top)}


def answers(labels: Sequence[str], scores: np.ndarray, top: int | None = None) -> list[dict]:
    """Labels with scores, best first. scores: (classes,)."""
    order = np.argsort(-scores, kind="stable")[:top]
    return [{"label": labels[index], "score": float(scores[index])} for index in order]


def windows(labels: Sequence[str], scores: np.ndarray, times: Sequence, top: int | None = None) -> list[dict]:
    """Times and answers of windows. scores: (windows, classes)."""
    return [
        {"start_s": start, "end_s": end, "answers": answers(labels, row, top)}
        for (start, end), row in zip(times, scores, strict=True)
    ]


def check_top(top: Any) -> None:
    """Raise InvalidQuery for what is no number of labels; None is all."""
    if top is not None and not is_whole(top, 1, inf):
        raise InvalidQuery(f"top = {top!r} is not possible: give a whole number of labels, such as 3")


def check_channel(channel: Any) -> int | None:
    """A number of a channel, from 1 on; None is the mean of all. Raises InvalidQuery for what is none."""
    if channel is None:
        return None
    if not is_whole(channel, 1, inf):
        raise InvalidQuery(f"channel = {channel!r} is not possible: give a whole number from 1 on, 1 for the left one")
    return as_whole(channel)


def hop_of(model: Hearing, hop_ms: float | str | None = None) -> int:
    """From one sliding window to the next in ms; without a wish, half a clip. Raises InvalidQuery."""
    step = model.arch.features.step_ms
    if hop_ms is None:
        return max(1, model.arch.frames // 2) * step
    hop = milliseconds("hop_ms", hop_ms)
    if hop % step or hop > model.clip_ms:
        raise InvalidQuery(f"hop_ms = {hop_ms} is not possible: give a multiple of {step} up to {model.clip_ms}")
    return int(hop)


def is_batch(audio: Any) -> bool:
    """True for a list of clips, or an array (clips, samples)."""
    if isinstance(audio, np.ndarray):
        from supernet.data.audio import MAX_CHANNELS

        return audio.ndim == 2 and audio.shape[1] > MAX_CHANNELS
    return isinstance(audio, Sequence) and not isinstance(audio, (str, bytes))


def read_sound(
    audio: Any,
    sampling_rate: int | None,
    model_rate: int,
    resample: bool = False,
    length: int | None = None,
    channel: int | None = None,
) -> Sound:
    """A recording in any form that a model takes, at its rate and 16 bits.

    length: of a clip in samples; zeros follow a shorter one. channel: hear this one, from 1 on, not the mean of all.
    Raises InvalidAudio, and TooLong for what is no clip.
    """
    from supernet.data.audio import CUT, LONGER, prepare_samples, read_audio

    audio = _source(audio)
    if _is_file(audio):
        name, (samples, rate) = _name_of(audio), read_audio(audio, length and length / model_rate)
        _check_same(name, rate, sampling_rate)
    else:
        name, (samples, rate) = "clip", _array(audio, sampling_rate, model_rate)
    samples = prepare_samples(samples, rate, model_rate, name, None if resample else model_rate, channel)
    samples = _at_16_bits(samples)
    if length is None:
        return Sound(name, samples, rate)
    if len(samples) > length * LONGER:
        seconds, limit = len(samples) / model_rate, length / model_rate
        raise TooLong(f"{name}: {seconds:.2f} s is too long: the limit is {limit:g} s; {CUT}")
    return Sound(name, np.pad(samples[:length], (0, max(0, length - len(samples)))), rate)


@contextmanager
def open_sound(
    audio: Any, sampling_rate: int | None, model_rate: int, resample: bool = False, channel: int | None = None
) -> Iterator[SoundParts]:
    """What `read_sound` gives of a recording of any length, a part at a time; each may raise InvalidAudio, too."""
    from supernet.data.audio import Recording, prepare_blocks

    audio, least = _source(audio), None if resample else model_rate
    if not _is_file(audio):
        samples, rate = _array(audio, sampling_rate, model_rate)
        parts = prepare_blocks(_cut(samples), rate, model_rate, "clip", least, channel)
        yield SoundParts("clip", map(_at_16_bits, parts), rate)
        return
    with Recording(audio) as file:
        name = _name_of(audio)
        _check_same(name, file.rate, sampling_rate)
        parts = prepare_blocks(file.blocks(), file.rate, model_rate, name, least, channel)
        yield SoundParts(name, map(_at_16_bits, parts), file.rate, file.seconds)


def _cut(samples: np.ndarray) -> Iterable[np.ndarray]:
    from supernet.data.audio import BLOCK

    cut = samples.ndim and len(samples) > BLOCK
    return (samples[first : first + BLOCK] for first in range(0, len(samples), BLOCK)) if cut else [samples]


def _at_16_bits(samples: np.ndarray) -> np.ndarray:
    """As all clips of training and of published figures are."""
    from supernet.data.audio import from_int16, to_int16

    return from_int16(to_int16(samples))


def _source(audio: Any) -> Any:
    """The same; of an open file its bytes, and of {"path", "bytes"}, as of datasets that are not decoded, either."""
    if hasattr(audio, "read"):
        return _read(audio)
    if isinstance(audio, Mapping) and audio.get("array") is None and audio.get("raw") is None:
        held = audio.get("path") if audio.get("bytes") is None else audio["bytes"]
        if not _is_file(held):
            raise InvalidAudio(f"a dict of {', '.join(map(repr, audio)) or 'nothing'} is not audio; {TAKEN}")
        return held
    return audio


def _read(file: Any) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        what = f"an open {type(file).__name__} that gives {type(data).__name__}, not bytes"
        raise InvalidAudio(f'{what}, is not audio; open it with mode "rb", or give its path')
    return data


def _is_file(audio: Any) -> bool:
    return isinstance(audio, (str, Path, bytes))


def _name_of(file: str | Path | bytes) -> str:
    return PIPE if isinstance(file, (bytes, Spooled)) else str(file)


def _array(audio: Any, sampling_rate: int | None, model_rate: int) -> tuple[np.ndarray, int]:
    """Samples (samples,) or (samples, channels), and their rate."""
    audio = _as_mapping(audio)
    if isinstance(audio, Mapping):
        own = audio.get("sampling_rate")
        _check_same("clip", own, sampling_rate)
        audio, sampling_rate = audio.get("array", audio.get("raw")), own
    if audio is None or np.ndim(audio) == 0:
        raise InvalidAudio(f"{audio!r:.80} is not audio; {TAKEN}")
    if sampling_rate is None:
        raise InvalidAudio(f"samples without their rate; give sampling_rate, such as sampling_rate={model_rate}")
    return _told(np.asarray(audio)), sampling_rate


def _told(samples: np.ndarray) -> np.ndarray:
    """The same; floats that are silence at 16 bits are said in the log."""
    from supernet.data.audio import tell_faint

    if samples.dtype.kind == "f" and samples.size:
        tell_faint("clip", float(max(samples.max(), -samples.min())), "FLOAT")
    return samples


def _as_mapping(audio: Any) -> Any:
    """What is no mapping and has ["array"] and ["sampling_rate"], as decoded audio of Hugging Face datasets, as one."""
    if isinstance(audio, Mapping | Sequence | np.ndarray) or not hasattr(audio, "__getitem__"):
        return audio
    try:
        return {name: audio[name] for name in ("array", "sampling_rate")}
    except (TypeError, LookupError, ValueError):
        return audio


def _check_same(name: str, own: int, sampling_rate: int | None) -> None:
    if sampling_rate is not None and sampling_rate != own:
        raise InvalidAudio(f"{name}: its own rate is {own} Hz, not sampling_rate = {sampling_rate!r}; leave that out")


def tell_resampled(names: Sequence[str], rate: int, model_rate: int) -> None:
    """Say in the log of recordings that they had another rate than the model's."""
    if rate != model_rate:
        what = names[0] if len(names) == 1 else f"{len(names):,} recordings"
        log.warning("%s: resampled from %d Hz to %d Hz", what, rate, model_rate)


def find_recordings(files: str | Path | bytes | Iterable) -> list[str | Path | bytes]:
    """The files, with all recordings of a folder in its place; a folder that has none stays.

    What else is in a folder is told in the log.
    """
    if not isinstance(files, (str, Path, bytes, Iterable)):
        raise InvalidAudio(f"{files!r:.80} is no recording; give a file, a folder, or several")
    return [path for file in as_list(files) for path in (_recordings_below(file) if _is_folder(file) else [file])]


def _recordings_below(folder: str | Path) -> Sequence[str | Path]:
    found = walk(folder)
    if found.recordings and found.left_out:
        log.warning("%s: left out: %s", folder, tell_left_out(found.left_out))
    return found.recordings or [folder]


def _is_folder(file: str | Path | bytes) -> bool:
    return not isinstance(file, bytes) and os.path.isdir(file)


def hear(
    model: Hearing,
    files: Sequence,
    hop_ms: int,
    resample: bool,
    progress: bool,
    floor_db: float | None = None,
    channel: int | None = None,
    detector: Detector | None = None,
    whole: bool = False,
) -> Iterator[Heard]:
    """What a model hears in each of `find_recordings`, in order, as soon as its batch is done.

    floor_db: slide over clips, too, as `Model.event_scores` does. progress: show bars on standard error, where it is a
    terminal, of more than a few files, and of long ones. channel: hear this one, from 1 on, not the mean of all.
    detector: give its events, of clips as well. whole: of a long recording one row of scores, the mean over its
    windows, which weigh as much as the sound that they hold.
    """
    from tqdm import tqdm

    way = _Way(hop_ms, resample, progress, floor_db, channel, detector, whole)
    rates, own = defaultdict(list), model.sampling_rate
    bar = tqdm(total=len(files), unit=" files", disable=None if progress and len(files) > SHOWN else True)
    with bar, ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as threads:
        clips = zip(files, _ahead(threads, partial(_clip, model, way), files), strict=True)
        while batch := list(islice(clips, BATCH)):
            for heard in _hear_batch(model, batch, way):
                rates[heard.rate or own].append(heard.file)
                yield heard
                bar.update()
    for rate, names in rates.items():
        tell_resampled(names, rate, own)


@dataclass(frozen=True)
class _Way:
    """How files are heard: see `hear`."""

    hop_ms: int
    resample: bool
    progress: bool
    floor_db: float | None
    channel: int | None
    detector: Detector | None
    whole: bool


def _ahead(threads: ThreadPoolExecutor, function: Callable, items: Iterable) -> Iterator:
    """The function of each item, in order; AHEAD of them are under way before they are asked for."""
    waiting: deque = deque()
    for item in items:
        waiting.append(threads.submit(function, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _clip(model: Hearing, way: _Way, file: str | Path | bytes) -> Sound | InvalidAudio | None:
    """A file as a clip, or why it is none; None where windows slide over all."""
    try:
        if _is_folder(file):
            left = tell_left_out(walk(file).left_out)
            inside = f", but {left}" if left else ""
            raise InvalidAudio(f"{file}: no recordings in this folder{inside}; give one that has some, or a file")
        if way.floor_db is not None or way.detector:
            return None
        return read_sound(file, None, model.sampling_rate, way.resample, model.clip_samples, way.channel)
    except InvalidAudio as error:
        return error


def _hear_batch(model: Hearing, batch: list[tuple], way: _Way) -> Iterator[Heard]:
    clips = [sound.samples for _, sound in batch if isinstance(sound, Sound)]
    scores = iter(model.scores(model.features(np.stack(clips)))) if clips else iter(())
    for file, sound in batch:
        if isinstance(sound, Sound):
            yield Heard(_name_of(file), next(scores)[None], rate=sound.rate)
        elif sound is None or isinstance(sound, TooLong):
            yield _hear_long(model, file, way)
        else:
            yield Heard(_name_of(file), error=sound)


def _hear_long(model: Hearing, file: str | Path | bytes, way: _Way) -> Heard:
    try:
        with open_sound(file, None, model.sampling_rate, way.resample, way.channel) as sound:
            if way.detector:
                found = model.detected(sound.parts, way.detector, way.progress, sound.seconds)
                return Heard(_name_of(file), rate=sound.rate, detected=found)
            if way.whole:
                return Heard(_name_of(file), _weighed(model, sound, way), rate=sound.rate)
            if way.floor_db is None:
                heard = model.slide_scores(sound.parts, way.hop_ms, way.progress, sound.seconds)
            else:
                heard = model.event_scores(sound.parts, way.hop_ms, way.floor_db, way.progress, sound.seconds)
            return Heard(_name_of(file), *heard, sound.rate)
    except InvalidAudio as error:
        return Heard(_name_of(file), error=error)


def _weighed(model: Hearing, sound: SoundParts, way: _Way) -> np.ndarray:
    """(1, classes)"""
    energy = Energy(model.sampling_rate)
    scores, times = model.slide_scores(energy.over(sound.parts), way.hop_ms, way.progress, sound.seconds)
    held = np.maximum(0, energy.of([round(1000 * start) for start, _ in times], model.clip_ms))
    return np.average(scores, axis=0, weights=held if held.any() else None, keepdims=True)
