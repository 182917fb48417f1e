"""Running a model of the zoo: recordings in, answers, events and figures out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import InvalidQuery, UnknownName, nearest_names
from zoo.ask.device import device_note
from zoo.ask.limits import checked_words
from zoo.package.entry import Entry
from zoo.package.facts import Rivals, accuracy_text, costs_text, precision
from zoo.package.figures import DeviceFigure
from zoo.package.read import Config, read_config
from zoo.run.along import answer_ms
from zoo.run.bill import fit
from zoo.run.core import Core, probabilities
from zoo.run.detection import Detector
from zoo.run.evaluate import Evaluation, evaluate
from zoo.run.events import FLOOR_DB, THRESHOLD, check_floor, event_hop, mark_events, threshold_of
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
from zoo.run.parts import few_columns, log_mel_parts

__all__ = ["Model", "probabilities"]

MOST_COLUMNS = 4000
"""From here on columns of a spectrogram are joined."""


class Model(Core):
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
    of it, or None), tasks (those of all models that fit, where none was named and they are several).
    """

    def __init__(
        self,
        config: Config,
        entry: Entry,
        figure: DeviceFigure | None = None,
        hub: str = "",
        rivals: Rivals | None = None,
    ) -> None:
        super().__init__(config, entry)
        values = config.values
        self.figure, self.hub, self.rivals = figure, hub, rivals
        self.task, self.licence, self.attribution = values["task"], values["licence"], values["attribution"]
        self.tasks: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = tuple(values["notes"])

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
        on_device = (
            [f"  {self.figure}", *self._power(), f"  {device_note(figures, self.figure)}"] if self.figure else []
        )
        return "\n".join(lines + on_device + [f"  {note}" for note in self.notes])

    def _power(self) -> list[str]:
        return [f"  {self.figure.power}"] if self.figure.power else []

    fit = fit

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
        threshold: float | str = THRESHOLD,
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
        threshold = threshold_of(threshold)
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
        return event_hop(self.clip_ms, answer_ms(self.network)) if hop_ms is None else hop_of(self, hop_ms)

    def run(
        self,
        files: str | Path | bytes | Sequence[str | Path | bytes],
        *,
        hop_ms: float | str | None = None,
        top: int | None = None,
        events: float | str | None = None,
        floor_db: float | None = None,
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
        channel: as in a call. Raises InvalidQuery for a hop that is not possible, and for what is not for both of two
        ways.
        """
        check_top(top)
        if top is not None and (detect or events is not None):
            raise InvalidQuery(f"top = {top}: detections and events have one label each; leave it, or these, out")
        threshold = None if events is None else threshold_of(events)
        wish = {"hop_ms": hop_ms, "events": threshold, "floor_db": floor_db, "detect": detect}
        found = self.heard(files, **wish, resample=resample, progress=progress, channel=channel)
        return (heard.to_dict(self.labels, top, threshold) for heard in found)

    def heard(
        self,
        files: str | Path | bytes | Sequence[str | Path | bytes],
        *,
        hop_ms: float | str | None = None,
        events: float | None = None,
        floor_db: float | None = None,
        detect: bool | Detector = False,
        resample: bool = False,
        progress: bool = False,
        channel: int | None = None,
    ) -> Iterator[Heard]:
        """What `run` makes its answers of: the scores of each file as one array, which takes less memory."""
        channel = check_channel(channel)
        detector = self.detector() if detect is True else detect or None
        if detector and (events is not None or hop_ms is not None):
            raise InvalidQuery("detect hears by the hop and threshold of its detector; give no events or hop_ms beside")
        if floor_db is not None and events is None:
            raise InvalidQuery(f"floor_db = {floor_db!r:.140}: is of events; give these as well")
        if events is not None:
            threshold_of(events)
            floor_db = FLOOR_DB if floor_db is None else floor_db
            check_floor(floor_db)
        hop = hop_of(self, hop_ms) if events is None else self._event_hop(hop_ms)
        return hear(self, find_recordings(files), hop, resample, progress, floor_db, channel, detector)

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

        source: "microphone", which needs the extra `listen`, the path of a recording, or what is open for reading bytes
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
        run_dir: str | Path | None = None,
        conditions: Sequence[str] | bool = False,
        channel: int | None = None,
    ) -> Evaluation:
        """How often the model is right on the recordings of a folder, FOLDER/CLASS/*.wav; see zoo.run.evaluate."""
        return evaluate(self, folder, split, resample, progress, run_dir, conditions, check_channel(channel))

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

    def export(self, to: str, out: str | Path, name: str | None = None, **options: str) -> Path:
        """Write the model for another place than Python; gives the folder.

        to: one of `zoo.export.EXPORTS`, such as `c`, a folder of C that gives the same integers, from samples to
        events, and goes into firmware. out: the folder, made, or one that was exported before. name: what its public
        names begin with. options: what the export has, such as `form` of `onnx`. `zoo.export.check` runs what was
        written. Raises InvalidQuery, and MissingExtra where what writes it is not installed.
        """
        from zoo.export import export

        return export(self, to, out, name, **options)

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
