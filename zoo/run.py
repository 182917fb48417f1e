"""Running a model of the zoo. torch is loaded when the model is first called."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from supernet.errors import EarshotError
from zoo.devices import Bill, Figure, fit
from zoo.entry import Entry, accuracy_text, precision
from zoo.errors import InvalidAudio, InvalidPackage, InvalidQuery
from zoo.pack import REMEDY, Config, read_config, read_tensors, read_vectors

__all__ = ["Model", "probabilities"]

BATCH = 64

log = logging.getLogger(__name__)


def probabilities(logits: np.ndarray, scale: float, multi_label: bool = False) -> np.ndarray:
    """Scores (clips, classes) from integer logits: of one class each, or of each class by itself."""
    values = logits * scale
    if multi_label:
        return 1 / (1 + np.exp(-values))
    exponentials = np.exp(values - values.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


class Model:
    """A model of the zoo: figures at once, answers when called.

    >>> import zoo
    >>> model = zoo.get(task="kws", max_ops=20e6, bits=4)
    >>> model("zoo/clips/stop.wav")[0]["label"]
    'stop'

    Attributes: name, task, labels, multi_label (a clip may have several), licence, attribution, notes, path, arch,
    entry (all figures of the index), figure (what it takes on the device that was asked for, or None), hub (the address
    that it came from, with the commit where that is remote; empty for a folder of its own).
    """

    def __init__(self, config: Config, entry: Entry, figure: Figure | None = None, hub: str = "") -> None:
        values = config.values
        self._config, self.figure, self.hub = config, figure, hub
        self.entry, self.path, self.arch = entry, config.folder, config.arch
        self.name, self.task, self.labels = config.name, values["task"], config.labels
        self.licence, self.attribution = values["licence"], values["attribution"]
        self.multi_label: bool = values.get("multi_label", False)
        self.notes: tuple[str, ...] = tuple(values["notes"])

    @classmethod
    def from_folder(cls, folder: str | Path) -> Model:
        """The model of a package in a folder. Raises InvalidPackage."""
        config = read_config(folder)
        return cls(config, config.entry(""))

    def __repr__(self) -> str:
        figures = self.entry
        lines = [
            f"{self.name}: {self.task}, {precision(figures.bits)} weights, "
            f"{precision(figures.activation_bits)} activations",
            f"  {figures.macs:,} MACs, {figures.params:,} parameters, {figures.flash_bytes:,} bytes of flash, "
            f"{figures.peak_ram_bytes:,} of RAM",
            f"  accuracy {accuracy_text(figures)}; licence {self.licence}",
            f"  knows {', '.join(self.labels)}",
        ]
        on_device = [f"  {self.figure}"] if self.figure else []
        return "\n".join(lines + on_device + [f"  {note}" for note in self.notes])

    def fit(self, device: str, every_ms: float | None = None, folder: str | Path | None = None) -> Bill:
        """What the model takes of a device, line by line, against what the device has (see zoo.devices.fit)."""
        return fit(self, device, every_ms, folder)

    def __call__(
        self,
        audio: str | Path | np.ndarray | Mapping | Sequence,
        sampling_rate: int | None = None,
        *,
        top: int | None = None,
        resample: bool = False,
    ) -> list:
        """Labels of a clip with scores, best first: [{"label": ..., "score": ...}, ...]; a list of these for a batch.

        audio: a path, samples (samples,) or (samples, up to 8 channels) with their `sampling_rate` in Hz,
        {"array": samples, "sampling_rate": rate}, or a batch: a list of these, or an array (clips, samples).
        top: how many labels to give. resample: accept recordings of a lower rate than the model's.
        Raises InvalidAudio, naming the clip, for one that cannot be read or used.
        """
        if top is not None and (not isinstance(top, int) or top < 1):
            raise InvalidQuery(f"top = {top!r} is not possible: give a whole number of labels, such as 3")
        if hasattr(audio, "__array__"):
            audio = np.asarray(audio)
        single = not self._is_batch(audio)
        clips = [audio] if single else list(audio)
        answers = []
        for first in range(0, len(clips), BATCH):
            samples = [self._samples(clip, sampling_rate, resample) for clip in clips[first : first + BATCH]]
            answers += [self._answer(row)[:top] for row in self.scores(self.features(np.stack(samples)))]
        return answers[0] if single else answers

    def features(self, samples: np.ndarray) -> np.ndarray:
        """(clips, samples) float32 at the model's rate -> quantised features (clips, coefficients, frames) int8."""
        import torch

        from supernet.frontend import quantise_features

        return quantise_features(self._frontend(torch.from_numpy(samples))).numpy()

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Exact integers: features (clips, coefficients, frames) int8 -> logits (clips, classes) int16."""
        import torch

        return self._network(torch.from_numpy(np.ascontiguousarray(features))).numpy()

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (clips, classes) for quantised features: of one class each, or of each class by itself."""
        scale = self._network.activations[self._network.specs[-1].name].scale
        return probabilities(self.logits(features), scale, self.multi_label)

    def verify(self) -> None:
        """Run the package's test vectors.

        Raises InvalidPackage unless the features come out of the samples to one step, as front ends in floating point
        may differ by, and the logits out of the features exactly.
        """
        vectors = read_vectors(self._config)
        try:
            samples, features, logits = (vectors[name] for name in ("samples", "features", "logits"))
            heard = self.features(samples.astype(np.float32) / 32768)
            steps = np.abs(heard.astype(np.int16) - features)
            same = steps.max() <= 1 and np.array_equal(self.logits(features), logits)
        except (KeyError, ValueError) as error:
            raise InvalidPackage(f"{self.path}: the test vectors do not fit the model ({error})") from None
        if not same:
            raise InvalidPackage(f"{self.path}: the test vectors give other integers; {REMEDY}")

    def _answer(self, scores: np.ndarray) -> list[dict]:
        order = np.argsort(-scores, kind="stable")
        return [{"label": self.labels[index], "score": float(scores[index])} for index in order]

    @staticmethod
    def _is_batch(audio: Any) -> bool:
        if isinstance(audio, np.ndarray):
            from supernet.data.audio import MAX_CHANNELS

            return audio.ndim == 2 and audio.shape[1] > MAX_CHANNELS
        return isinstance(audio, Sequence) and not isinstance(audio, str)

    def _samples(self, clip: Any, sampling_rate: int | None, resample: bool) -> np.ndarray:
        """One clip at the model's rate and length: (samples,) float32, zeros after its end."""
        from supernet.data.audio import prepare_samples, read_audio

        rate, length = self._frontend.sampling_rate, self._length
        least = None if resample else rate
        if isinstance(clip, (str, Path)):
            name = str(clip)
            samples, sampling_rate = read_audio(clip, length / rate)
        else:
            name = "clip"
            if isinstance(clip, Mapping):
                clip, sampling_rate = clip.get("array"), clip.get("sampling_rate")
            if sampling_rate is None:
                raise InvalidAudio(f"samples without their rate; give sampling_rate, such as sampling_rate={rate}")
            samples = np.asarray(clip)
        samples = prepare_samples(samples, sampling_rate, rate, name, least)
        if sampling_rate != rate:
            log.warning("%s: resampled from %d Hz to %d Hz", name, sampling_rate, rate)
        if len(samples) > length * 1.01:
            raise InvalidAudio(
                f"{name}: {len(samples) / rate:.2f} s is too long: the limit is {length / rate:g} s; cut it"
            )
        return np.pad(samples[:length], (0, max(0, length - len(samples))))

    @cached_property
    def _frontend(self):
        from supernet.frontend import Mfcc

        try:
            frontend = Mfcc.from_dict(self._config.values["frontend"])
        except EarshotError as error:
            raise InvalidPackage(f"{self.path}: the front end: {error}") from None
        if frontend.macs(self.arch.frames) != self.entry.frontend_macs:
            raise InvalidPackage(f"{self.path}: frontend_macs is not that of the front end; {REMEDY}")
        return frontend

    @property
    def _length(self) -> int:
        return self.arch.frames * self._frontend.step

    @cached_property
    def _network(self):
        from supernet.quant.integer import Activation, IntegerLayer, IntegerNetwork

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
