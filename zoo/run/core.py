"""What a package computes: from samples to features, logits, scores and events, without files of sound."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain

import numpy as np

from supernet.constants import UNKNOWN
from supernet.errors import EarshotError, InvalidPackage, InvalidQuery, UnknownName, nearest_names
from supernet.frontend.base import FrontEnd
from supernet.frontend.logmel import LogMel
from supernet.frontend.mel import MelFrontEnd
from supernet.samples import as_int16
from supernet.whole import as_list
from zoo.package.entry import Entry
from zoo.package.read import MODEL, REMEDY, Config, read_tensors, read_vectors
from zoo.run.along import answer_ms, logits_along, shown
from zoo.run.detection import NEVER, Detection, Detector, Found
from zoo.run.events import Loudness, event_hop
from zoo.run.parts import Parts, Whole, parts_of
from zoo.run.scores import IntegerScores
from zoo.run.stream import Stream, StreamState
from zoo.run.vectors import difference

__all__ = ["Core", "probabilities"]

MAX_EXPONENT = 700.0
"""Of what does not overflow; scores are 0 there in any format."""
UNTUNED = (
    "%s has no settings of its own: unless others are given, threshold %g on the mean of %d answers, one each %d ms, "
    "and %d ms of rest; `earshot tune` makes some"
)

log = logging.getLogger(__name__)


def probabilities(logits: np.ndarray, scale: float, multi_label: bool = False) -> np.ndarray:
    """Scores (clips, classes) from integer logits: of one class each, or of each class by itself."""
    values = logits * scale
    if multi_label:
        return 1 / (1 + np.exp(np.minimum(-values, MAX_EXPONENT)))
    exponentials = np.exp(values - values.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


class Core:
    """The front end and the network of a package, and what its labels mean.

    Attributes: name, labels, multi_label, path, arch, entry, knows and words, as of `zoo.Model`.
    """

    def __init__(self, config: Config, entry: Entry) -> None:
        self._config, self.entry, self.path, self.arch = config, entry, config.folder, config.arch
        self.name, self.labels = config.name, config.labels
        self.multi_label: bool = config.values.get("multi_label", False)
        self.knows, self.words = config.labels, ()

    def features(self, samples: np.ndarray) -> np.ndarray:
        """(clips, samples) int16, or float32 from -1 to 1, at its rate -> features (clips, coefficients, frames)
        int8, the same integers everywhere.
        """
        return self.frontend.run(as_int16(samples))

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
        parts = logits_along(self.network, self.frontend, whole, hop_ms)
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
            wrong = difference(self.frontend, self.network, vectors)
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
        labels = None if labels is None else as_list(labels)
        for label in [*(labels or ()), *(thresholds or ())]:
            if label not in known:
                raise UnknownName(f"{self.name} does not detect {label!r:.140}: {nearest_names(label, set(known))}")
        for label in thresholds or ():
            if labels is not None and label not in labels:
                raise InvalidQuery(
                    f"threshold of {label!r:.140}, which labels leave out: give it in both or in neither"
                )
        settings = self.detection.asking(threshold, thresholds or {})
        return Detector(settings, self.knows, self._integer_scores, known if labels is None else labels)

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
        for logits in shown(logits_along(self.network, self.frontend, chunks, hop_ms), hop_ms, progress, seconds):
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

    @property
    def drawn(self) -> MelFrontEnd:
        """What pictures of sound are of: the front end, or log-mels where it has no mels."""
        return self.frontend if isinstance(self.frontend, MelFrontEnd) else LogMel(sampling_rate=self.sampling_rate)

    @property
    def grids(self) -> dict[str, str]:
        """Of the weights, by layer: `symmetric` or `odd`."""
        layers = self._config.values["quantization_config"]["layers"]
        return {name: layer["grid"] for name, layer in layers.items()}

    @property
    def weights_sha256(self) -> str:
        """The digest of the file of its weights."""
        return self._config.values["digests"][MODEL]

    @property
    def vectors(self) -> dict[str, np.ndarray]:
        """The test vectors of the package."""
        return read_vectors(self._config)

    @property
    def sampling_rate(self) -> int:
        """Of what the model hears, in Hz."""
        return self.frontend.sampling_rate

    @property
    def clip_ms(self) -> int:
        """Length of a clip."""
        return self.arch.frames * self.arch.features.step_ms

    @property
    def clip_samples(self) -> int:
        """Samples of a clip."""
        return self.arch.frames * self.frontend.hop_samples

    @property
    def _stream(self) -> Stream:
        return Stream(self.frontend, self.network)

    @cached_property
    def frontend(self) -> FrontEnd:
        """What makes features of samples. Raises InvalidPackage for one that is not as stated."""
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
