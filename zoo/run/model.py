"""Running a model of the zoo."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import EarshotError, InvalidPackage, UnknownName, nearest_names
from supernet.frontend.base import FrontEnd
from supernet.frontend.logmel import LogMel
from supernet.frontend.mel import MelFrontEnd
from supernet.samples import as_int16
from zoo.ask.device import device_note
from zoo.ask.limits import checked_words
from zoo.package.entry import Entry
from zoo.package.facts import Rivals, accuracy_text, costs_text, precision
from zoo.package.figures import Figure
from zoo.package.read import REMEDY, Config, read_config, read_tensors, read_vectors
from zoo.run.along import answer_ms, logits_along, shown
from zoo.run.bill import Bill, fit
from zoo.run.detection import NEVER, Detection, Detector, Found
from zoo.run.evaluate import Evaluation, evaluate
from zoo.run.events import FLOOR_DB, THRESHOLD, Loudness, check_floor, check_threshold, event_hop, mark_events
from zoo.run.hear import (
    BATCH,
    Heard,
    answers,
    check_channel,
    check_top,
    find_recordings,
    hear,
    hop_of,
    is_batch,
    open_sound,
    read_sound,
    tell_resampled,
    windows,
)
from zoo.run.listen import MICROPHONE, listen
from zoo.run.parts import Parts, Whole, few_columns, log_mel_parts, parts_of
from zoo.run.scores import IntegerScores
from zoo.run.stream import Stream, StreamState
from zoo.run.vectors import difference

__all__ = ["Model", "probabilities"]

MOST_COLUMNS = 4000
"""From here on columns of a spectrogram are joined."""
MAX_EXPONENT = 700.0
"""Of what does not overflow; scores are 0 there in any format."""
UNTUNED = (
    "%s has no settings of its own: threshold %g on the mean of %d answers, one each %d ms, and %d ms of rest; "
    "`earshot tune` makes some"
)

log = logging.getLogger(__name__)


def probabilities(logits: np.ndarray, scale: float, multi_label: bool = False) -> np.ndarray:
    """Scores (clips, classes) from integer logits: of one class each, or of each class by itself."""
    values = logits * scale
    if multi_label:
        return 1 / (1 + np.exp(np.minimum(-values, MAX_EXPONENT)))
    exponentials = np.exp(values - values.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


class Model:
    """A model of the zoo: figures at once, answers when called.

    >>> import zoo
    >>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
    >>> model("zoo/clips/stop.wav")[0]["label"]
    'stop'

    Attributes: name, task, labels, multi_label (a clip may have several), licence, attribution, notes, path, arch,
    entry (all figures of the index; accuracies are of all that it knows), knows (the labels of all that it knows, which
    are those of `labels` unless it was asked for some words; see `knowing`), words (these), figure (what it takes with
    its front end on the device that was asked for, or None), hub (the address that it came from, with the commit where
    that is remote; empty for a folder of its own), rivals (the best model of the look-up and a cheaper one within noise
    of it, or None).
    """

    def __init__(
        self,
        config: Config,
        entry: Entry,
        figure: Figure | None = None,
        hub: str = "",
        rivals: Rivals | None = None,
    ) -> None:
        values = config.values
        self._config, self.figure, self.hub, self.rivals = config, figure, hub, rivals
        self.entry, self.path, self.arch = entry, config.folder, config.arch
        self.name, self.task, self.labels = config.name, values["task"], config.labels
        self.licence, self.attribution = values["licence"], values["attribution"]
        self.multi_label: bool = values.get("multi_label", False)
        self.notes: tuple[str, ...] = tuple(values["notes"])
        self.knows, self.words = config.labels, ()

    @classmethod
    def from_folder(cls, folder: str | Path) -> Model:
        """The model of a package in a folder. Raises InvalidPackage."""
        config = read_config(folder)
        return cls(config, config.entry(""))

    def knowing(self, words: str | Iterable[str]) -> Model:
        """The same model, answering with these words of its labels, `_unknown_` for all others, and `_silence_` where
        it knows that.

        The score of `_unknown_` is the sum of all that it stands for. Where a clip may have several labels, others are
        left out. Raises UnknownName for a word that the model does not know.
        """
        chosen = checked_words(words)
        for word in chosen:
            if word not in self.knows:
                known = set(self.knows) - {UNKNOWN, SILENCE}
                raise UnknownName(f"{self.name} does not know the word {word!r:.140}: {nearest_names(word, known)}")
        model = copy(self)
        others = set(self.knows) - {*chosen, SILENCE}
        heard = [UNKNOWN] * bool(others) + [SILENCE] * (SILENCE in self.knows)
        model.words, model.labels = chosen, chosen if self.multi_label else (*chosen, *heard)
        return model

    def __repr__(self) -> str:
        figures, share = self.entry, "all labels right" if self.multi_label else "accuracy"
        lines = [
            f"{self.name}: {self.task}, {precision(figures.bits)} weights, "
            f"{precision(figures.activation_bits)} activations",
            f"  {costs_text(figures)}",
            f"  {share} {accuracy_text(figures)}; licence {self.licence}",
            f"  {'answers' if self.words else 'knows'} {', '.join(self.labels)}",
        ]
        lines += [f"  {self.rivals.text(self.name)}"] if self.rivals else []
        on_device = [f"  {self.figure}", f"  {device_note(figures, self.figure)}"] if self.figure else []
        return "\n".join(lines + on_device + [f"  {note}" for note in self.notes])

    def fit(self, device: str, every_ms: float | None = None, folder: str | Path | None = None) -> Bill:
        """What the model takes of a device, line by line, against what the device has (see zoo.package.figures.fit)."""
        return fit(self, device, every_ms, folder)

    def __call__(
        self,
        audio: str | Path | bytes | np.ndarray | Mapping | Sequence,
        sampling_rate: int | None = None,
        *,
        top: int | None = None,
        resample: bool = False,
        channel: int | None = None,
    ) -> list:
        """Labels of a clip with scores, best first: [{"label": ..., "score": ...}, ...]; a list of these for a batch.

        audio: a path, the bytes of an audio file, a file that is open for reading bytes, samples (samples,) or
        (samples, up to 8 channels) with their `sampling_rate` in Hz, {"array": samples, "sampling_rate": rate} (or
        "raw" for "array"), or what answers to these names, as decoded audio of Hugging Face datasets, {"path", "bytes"}
        of theirs that is not decoded, or a batch: a list of these, or an array (clips, samples).
        top: how many labels to give. resample: accept recordings of a lower rate than the model's. channel: hear this
        one, 1 for the left one, not the mean of all.
        Raises InvalidAudio, naming the clip, for one that cannot be read or used; TooLong for what is no clip, but a
        recording for `slide`.
        """
        check_top(top)
        channel = check_channel(channel)
        if hasattr(audio, "__array__"):
            audio = np.asarray(audio)
        single = not is_batch(audio)
        clips, found = [audio] if single else list(audio), []
        for first in range(0, len(clips), BATCH):
            samples = [self._clip(clip, sampling_rate, resample, channel) for clip in clips[first : first + BATCH]]
            scores = self.scores(self.features(np.stack(samples)))
            found += [answers(self.labels, row, top) for row in scores]
        return found[0] if single else found

    def slide(
        self,
        recording: str | Path | bytes | np.ndarray | Mapping,
        sampling_rate: int | None = None,
        *,
        hop_ms: float | str | None = None,
        top: int | None = None,
        resample: bool = False,
        channel: int | None = None,
    ) -> list[dict]:
        """Answers along a recording of any length: [{"start_s": ..., "end_s": ..., "answers": [...]}, ...].

        A window of one clip moves on by `hop_ms` (default: half a clip), a multiple of the front end's step. It hears
        what came before it, as in a stream; after the end of the recording there is silence. Times are in seconds.
        A file is decoded meanwhile: no more than a part of it is in memory. recording, sampling_rate, top, resample,
        channel: as in a call. Raises InvalidAudio, and InvalidQuery for a hop that is not possible.
        """
        check_top(top)
        hop = hop_of(self, hop_ms)
        with self._open(recording, sampling_rate, resample, channel) as parts:
            return windows(self.labels, *self.slide_scores(parts, hop), top)

    def events(
        self,
        recording: str | Path | bytes | np.ndarray | Mapping,
        sampling_rate: int | None = None,
        *,
        threshold: float = THRESHOLD,
        floor_db: float = FLOOR_DB,
        hop_ms: float | str | None = None,
        resample: bool = False,
        channel: int | None = None,
    ) -> list[dict]:
        """What is heard along a recording, and when: [{"start_s", "end_s", "label", "score"}, ...], see zoo.run.events.

        threshold: mean score of the windows that hold a moment, from which on a label is an event. floor_db: windows
        whose loudest 20 ms are fainter, in dB of full scale, hold no events; give less for faint microphones. hop_ms:
        from window to window (default: a tenth of a clip). The rest is as for `slide`.
        """
        check_threshold(threshold)
        check_floor(floor_db)
        hop = self._event_hop(hop_ms)
        with self._open(recording, sampling_rate, resample, channel) as parts:
            heard = self.event_scores(parts, hop, floor_db)
        return [asdict(event) for event in mark_events(self.labels, *heard, threshold)]

    def log_mel(
        self,
        recording: str | Path | bytes | np.ndarray | Mapping,
        *,
        resample: bool = False,
        channel: int | None = None,
    ) -> np.ndarray:
        """(mels, frames) natural logarithms of the mel energies of a recording, at the `step_ms` of `drawn`."""
        with self._open(recording, None, resample, channel) as parts:
            return np.concatenate(list(log_mel_parts(self.drawn, parts)), 1)

    def spectrogram(
        self,
        recording: str | Path | bytes | np.ndarray | Mapping,
        *,
        resample: bool = False,
        channel: int | None = None,
    ) -> tuple[np.ndarray, float]:
        """The same for a picture, (mels, columns), each column the mean of some frames, and the seconds they take.

        Columns are frames up to some thousands; of longer recordings no more than so many are in memory.
        """
        with self._open(recording, None, resample, channel) as parts:
            columns, frames = few_columns(log_mel_parts(self.drawn, parts), self.drawn.mels, MOST_COLUMNS)
        return columns, frames * self.drawn.step_ms / 1000

    def _event_hop(self, hop_ms: float | str | None) -> int:
        return event_hop(self.clip_ms, self.arch.features.step_ms) if hop_ms is None else hop_of(self, hop_ms)

    def run(
        self,
        files: str | Path | bytes | Sequence[str | Path | bytes],
        *,
        hop_ms: float | str | None = None,
        top: int | None = None,
        events: float | None = None,
        floor_db: float = FLOOR_DB,
        detect: bool | Detector = False,
        resample: bool = False,
        progress: bool = False,
        channel: int | None = None,
    ) -> Iterator[dict]:
        """Answers for many files and whole folders, in order, each as soon as its batch is done.

        files: paths of recordings, of folders that are searched for them, or the bytes of an audio file, which is
        called `-`. Yields {"file", "answers"} for a clip, {"file", "windows"} for a longer recording (see `slide`), and
        {"file", "error"} with the InvalidAudio of what cannot be used. events: a threshold, with which there are
        {"file", "events"} instead, as of `events`, which floor_db is for, too. detect: {"file", "detected"} instead, as
        of `detect`, by the settings of the package or by another `detector`. progress: show a bar on a terminal.
        channel: as in a call. Raises InvalidQuery for a hop that is not possible.
        """
        check_top(top)
        wish = {"hop_ms": hop_ms, "events": events, "floor_db": floor_db, "detect": detect}
        found = self.heard(files, **wish, resample=resample, progress=progress, channel=channel)
        return (heard.to_dict(self.labels, top, events) for heard in found)

    def heard(
        self,
        files: str | Path | bytes | Sequence[str | Path | bytes],
        *,
        hop_ms: float | str | None = None,
        events: float | None = None,
        floor_db: float = FLOOR_DB,
        detect: bool | Detector = False,
        resample: bool = False,
        progress: bool = False,
        channel: int | None = None,
    ) -> Iterator[Heard]:
        """What `run` makes its answers of: the scores of each file as one array, which takes less memory."""
        channel = check_channel(channel)
        detector = self.detector() if detect is True else detect or None
        if events is not None:
            check_threshold(events)
            check_floor(floor_db)
        hop = hop_of(self, hop_ms) if events is None else self._event_hop(hop_ms)
        floor = None if events is None else floor_db
        return hear(self, find_recordings(files), hop, resample, progress, floor, channel, detector)

    def listen(
        self,
        source: str | Path | BinaryIO = MICROPHONE,
        detector: Detector | None = None,
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
        """The events that `detect` gives, {"time_s", "label", "score"} each, as soon as it is known.

        source: "microphone", which needs `earshot[listen]`, the path of a recording, or what is open for reading bytes
        and holds WAV or raw samples: 16 bits, little-endian, one channel. detector: by default that of the package's
        settings. rate: of raw samples, and of the microphone (default: the model's). channel, resample: as in a call.
        microphone: its number or a part of its name. seconds, count: of sound and of events, after which it ends.
        save: a folder where the clip's length of sound before each event is kept as a WAV file, "file" of the event.
        heard: is called with each part of the sound, (samples,) int16 at the model's rate. Raises InvalidAudio,
        InvalidQuery, and MissingExtra where what records is not installed.
        """
        way = {"rate": rate, "channel": check_channel(channel), "resample": resample, "microphone": microphone}
        ends = {"seconds": seconds, "count": count}
        return listen(self, source, detector or self.detector(), **way, **ends, save=save, heard=heard)

    def evaluate(
        self,
        folder: str | Path,
        *,
        split: str | None = None,
        resample: bool = False,
        progress: bool = True,
        run: str | Path | None = None,
        conditions: Sequence[str] | bool = False,
        channel: int | None = None,
    ) -> Evaluation:
        """How often the model is right on the recordings of a folder, FOLDER/CLASS/*.wav; see zoo.run.evaluate."""
        return evaluate(self, folder, split, resample, progress, run, conditions, check_channel(channel))

    def features(self, samples: np.ndarray) -> np.ndarray:
        """(clips, samples) int16, or float32 from -1 to 1, at its rate -> features (clips, coefficients, frames)
        int8, the same integers everywhere.
        """
        return self._frontend.run(as_int16(samples))

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Exact integers: features (clips, coefficients, frames) int8 -> logits (clips, classes) int16."""
        return self.network(np.asarray(features))

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (clips, classes) for quantised features: of one class each, or of each class by itself."""
        return self._probabilities(self.logits(features))

    def reset(self) -> StreamState:
        """The state of a stream before its first sample. Raises InvalidArch for a model that hears whole clips."""
        return self._stream.reset()

    def step(self, samples: np.ndarray, state: StreamState) -> tuple[np.ndarray, StreamState]:
        """Logits (answers, classes) int16 of samples that follow in a stream, and the state behind them; see
        `zoo.run.stream`.
        """
        return self._stream.step(samples, state)

    def stream(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Logits (answers, classes) int16 of each chunk (samples,) of a stream, at the model's rate."""
        return self._stream.answers(chunks)

    def slide_scores(
        self, recording: Parts, hop_ms: int, progress: bool = False, seconds: float = 0.0
    ) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """Scores (windows, classes) along a recording, with start and end of each window in s.

        recording: (samples,) float32, or parts of it. progress: show a bar on a terminal, where the recording is long,
        about so many seconds.
        """
        whole = Whole(recording, self.clip_samples, hop_ms * self.sampling_rate // 1000)
        parts = logits_along(self.network, self._frontend, whole, hop_ms)
        found = self._probabilities(np.concatenate(list(shown(parts, hop_ms, progress, seconds))))
        end_ms = round(1000 * whole.samples / self.sampling_rate)
        starts = range(0, hop_ms * len(found), hop_ms)
        return found, [(start / 1000, min(start + self.clip_ms, end_ms) / 1000) for start in starts]

    def event_scores(
        self, recording: Parts, hop_ms: int, floor_db: float, progress: bool = False, seconds: float = 0.0
    ) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """The same for `mark_events`: 0 for windows that are below the floor.

        Windows begin before the recording and end behind it, in silence, so that as many hold its ends as hold its
        middle.
        """
        lead = (self.clip_ms - 1) // hop_ms * hop_ms
        silence = np.zeros(lead * self.sampling_rate // 1000, np.float32)
        loudness = Loudness(self.sampling_rate, floor_db)
        around = chain([silence], loudness.over(recording), [silence])
        scores, times = self.slide_scores(around, hop_ms, progress, seconds)
        starts = hop_ms * np.arange(len(scores)) - lead
        scores = scores * loudness.audible(starts, self.clip_ms)[:, None]
        last = round(1000 * loudness.samples / self.sampling_rate)
        ends = [tuple(min(max(0, round(1000 * one) - lead), last) / 1000 for one in span) for span in times]
        kept = [number for number, (start, end) in enumerate(ends) if start < end]
        return scores[kept], [ends[number] for number in kept]

    def verify(self) -> None:
        """Run the package's test vectors.

        Raises InvalidPackage, with what differs first, unless features, all layers, logits and those of a stream in
        uneven chunks come out of the samples bit for bit; of packages of schema 1 features may differ by a step.
        """
        vectors = read_vectors(self._config)
        try:
            wrong = difference(self._frontend, self.network, vectors)
        except (KeyError, ValueError) as error:
            raise InvalidPackage(f"{self.path}: the test vectors do not fit the model ({error})") from None
        if wrong:
            raise InvalidPackage(f"{self.path}: the test vectors give other integers, first in {wrong}; {REMEDY}")

    @cached_property
    def detection(self) -> Detection:
        """The settings of the detector: those of the package, or where it has none, those of `Detection`, which is said
        in the log.
        """
        stated = self._config.values.get("detection")
        if stated:
            return Detection.from_dict(stated)
        usual = Detection(hop_ms=event_hop(self.clip_ms, answer_ms(self.network)))
        log.warning(UNTUNED, self.name, usual.threshold, usual.smoothing, usual.hop_ms, usual.refractory_ms)
        return usual

    def detector(
        self,
        threshold: float | None = None,
        thresholds: Mapping[str, float] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Detector:
        """The detector of the model, with other thresholds than the settings have, of these labels or of all that it
        answers. Raises UnknownName for a label that the model does not know, InvalidQuery.
        """
        known = [label for label in self.labels if label not in NEVER]
        for label in [*(labels or ()), *(thresholds or ())]:
            if label not in known:
                raise UnknownName(f"{self.name} does not detect {label!r:.140}: {nearest_names(label, set(known))}")
        settings = self.detection.asking(threshold, thresholds or {})
        return Detector(settings, self.knows, self._integer_scores, labels or known)

    def detect(
        self,
        recording: str | Path | bytes | np.ndarray | Mapping,
        sampling_rate: int | None = None,
        *,
        threshold: float | None = None,
        thresholds: Mapping[str, float] | None = None,
        labels: Sequence[str] | None = None,
        resample: bool = False,
        channel: int | None = None,
    ) -> list[dict]:
        """The words or sounds of a recording as firmware detects them: [{"time_s", "label", "score"}, ...].

        time_s: when it is known, which is after the sound. The recording is followed by a clip of silence. threshold,
        thresholds, labels: as of `detector`; by default the settings of the package. The rest is as for `slide`.
        """
        detector = self.detector(threshold, thresholds, labels)
        with self._open(recording, sampling_rate, resample, channel) as parts:
            return self.detected(parts, detector)

    def detected(
        self, recording: Parts, detector: Detector, progress: bool = False, seconds: float = 0.0
    ) -> list[dict]:
        """What `detect` gives of a recording at the model's rate, or of its parts. progress, seconds: as for
        `slide_scores`.
        """
        whole = chain(parts_of(recording), [np.zeros(self.clip_samples, np.int16)])
        return [found for some in self.events_of(whole, detector, progress, seconds) for found in some]

    def events_of(
        self, chunks: Iterable[np.ndarray], detector: Detector, progress: bool = False, seconds: float = 0.0
    ) -> Iterator[list[dict]]:
        """The events of each chunk of a stream, as they come."""
        hop_ms, state = detector.settings.hop_ms, detector.reset()
        for logits in shown(logits_along(self.network, self._frontend, chunks, hop_ms), hop_ms, progress, seconds):
            found, state = detector.step(logits, state)
            yield [self._event(one, hop_ms) for one in found]

    def _event(self, found: Found, hop_ms: int) -> dict:
        time_s = (self.clip_ms + found.answer * hop_ms) / 1000
        return {"time_s": time_s, "label": self.knows[found.label], "score": found.score}

    @property
    def _integer_scores(self) -> IntegerScores:
        return IntegerScores(self._logit_scale, self.multi_label)

    @property
    def _logit_scale(self) -> float:
        return self.network.activations[self.network.specs[-1].name].scale

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        known = probabilities(logits, self._logit_scale, self.multi_label)
        return known @ self._answered if self.words else known

    @property
    def _answered(self) -> np.ndarray:
        """(classes, labels) 1 where a class of the network is answered with a label."""
        own = [label if label in self.labels else UNKNOWN for label in self.knows]
        return np.array([[float(label == name) for name in self.labels] for label in own])

    def _clip(self, audio, sampling_rate: int | None, resample: bool, channel: int | None) -> np.ndarray:
        """A clip (samples,) float32 at the model's rate."""
        sound = read_sound(audio, sampling_rate, self.sampling_rate, resample, self.clip_samples, channel)
        tell_resampled([sound.name], sound.rate, self.sampling_rate)
        return sound.samples

    @contextmanager
    def _open(self, audio, sampling_rate: int | None, resample: bool, channel: int | None) -> Iterator[Iterator]:
        """The parts of a recording (samples,) float32 at the model's rate."""
        with open_sound(audio, sampling_rate, self.sampling_rate, resample, check_channel(channel)) as sound:
            yield sound.parts
        tell_resampled([sound.name], sound.rate, self.sampling_rate)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds of its data set that training heard all of; empty where test was kept apart."""
        return tuple(self._config.values["dataset"].get("folds", ()))

    @property
    def frontend(self) -> dict:
        """The front end's values, as in `config.json`."""
        return self._config.values["frontend"]

    @property
    def drawn(self) -> MelFrontEnd:
        """What pictures of sound are of: the front end, or log-mels where it has no mels."""
        return self._frontend if isinstance(self._frontend, MelFrontEnd) else LogMel(sampling_rate=self.sampling_rate)

    @property
    def grids(self) -> dict[str, str]:
        """Of the weights, by layer: `symmetric` or `odd`."""
        layers = self._config.values["quantization_config"]["layers"]
        return {name: layer["grid"] for name, layer in layers.items()}

    @property
    def vectors(self) -> dict[str, np.ndarray]:
        """The test vectors of the package."""
        return read_vectors(self._config)

    def export(self, to: str, out: str | Path, name: str | None = None) -> Path:
        """Write the model for another place than Python; gives the folder.

        to: `c`, a folder of C that gives the same integers, from samples to events, and goes into firmware. out: the
        folder, made, or one that was exported before. name: what its public names begin with. Raises InvalidQuery.
        """
        from zoo.export import export

        return export(self, to, out, name)

    @property
    def sampling_rate(self) -> int:
        """Of what the model hears, in Hz."""
        return self._frontend.sampling_rate

    @property
    def clip_ms(self) -> int:
        """Length of a clip."""
        return self.arch.frames * self.arch.features.step_ms

    @property
    def clip_samples(self) -> int:
        """Samples of a clip."""
        return self.arch.frames * self._frontend.hop_samples

    @property
    def _stream(self) -> Stream:
        return Stream(self._frontend, self.network)

    @property
    def front_end(self) -> FrontEnd:
        """What makes features of samples."""
        return self._frontend

    @cached_property
    def _frontend(self):
        from supernet.frontend.base import frontend_from_dict

        try:
            frontend = frontend_from_dict(self._config.values["frontend"])
        except EarshotError as error:
            raise InvalidPackage(f"{self.path}: the front end: {error}") from None
        if frontend.macs(self.arch.frames) != self.entry.frontend_macs:
            raise InvalidPackage(f"{self.path}: frontend_macs is not that of the front end; {REMEDY}")
        return frontend

    @cached_property
    def network(self):
        from supernet.integer.form import Activation, IntegerLayer
        from supernet.integer.runtime import IntegerNetwork

        tensors = {name: IntegerLayer(**arrays) for name, arrays in read_tensors(self._config).items()}
        try:
            stored = self._config.values["quantization_config"]["tensors"]
            activations = {
                name: Activation(value["scale"], value["zero_point"], value["num_bits"])
                for name, value in stored.items()
            }
            return IntegerNetwork(self.arch, tensors, activations)
        except (KeyError, TypeError, AttributeError, EarshotError) as error:
            raise InvalidPackage(f"{self.path}: {error}; {REMEDY}") from None
