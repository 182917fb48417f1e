"""Streams that models hear: negatives, words placed in them, and the logits, kept so that each is heard once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from functools import cache, partial
from io import BytesIO
from pathlib import Path

import numpy as np

from supernet.constants import NOISE
from supernet.data.audio import prepare_samples, read_audio, to_int16
from supernet.data.speech_commands import held_noise
from supernet.files import write_bytes
from zoo.make.detection import rights
from zoo.run.alarms import Words
from zoo.run.along import answer_ms, logits_along
from zoo.run.detection import Detection, Detector
from zoo.run.events import event_hop
from zoo.run.model import Model
from zoo.run.placed import CONDITIONS, Placed

__all__ = ["RATE", "Streams", "clips_of", "read_recording", "recordings"]

RATE, SEED, OTHERS = 16_000, 7, 3
"""Every so many-th recording of wake words is heard."""
CHOSEN_WORDS, REPORTED_WORDS, TARGETS = 400, 300, 50
TARGET_PAUSES = 19.0, 27.0
"""Seconds between two of 50 words in 20 minutes."""


def read_recording(path: Path) -> np.ndarray:
    """(samples,) int16 of a file at RATE."""
    samples, rate = read_audio(path)
    return to_int16(prepare_samples(samples, rate, RATE, str(path)))


@cache
def recordings(data: Path, name: str, without: frozenset = frozenset()) -> list[np.ndarray]:
    """(samples,) int16 each: `orders`, other words (`others`), or those of `wuw` that have none of some words."""
    if name == "wuw":
        with (data / "wuw" / "index.csv").open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if not without.intersection(row["words"].split())]
        return [read_recording(data / "wuw" / row["file"]) for row in rows]
    if name == "others":
        return [read_recording(path) for path in sorted((data / "wake_words").glob("*/*.opus"))[::OTHERS]]
    return [read_recording(path) for path in sorted((data / "negatives" / name).glob("*.opus"))]


@cache
def clips_of(data: Path, split: str, labels: tuple[str, ...], most: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Clips of a split, dealt over all words that can be detected, and whether an event of each class is right."""
    lists = {"validation": "validation_list.txt", "test": "testing_list.txt"}
    names = (data / "speech_commands" / lists[split]).read_text().split()
    known = [name for name in sorted(names) if name.partition("/")[0] in labels]
    chosen = [known[place] for place in np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int)]
    clips = [read_recording((data / "speech_commands" / name).with_suffix(".opus"))[:RATE] for name in chosen]
    targets = np.array([labels.index(name.partition("/")[0]) for name in chosen])
    return clips, rights(targets, labels)


def _noise(data: Path) -> list[np.ndarray]:
    return [held_noise(read_recording(path)) for path in sorted((data / "speech_commands" / NOISE).glob("*.opus"))]


class Streams:
    """What a model hears. data: folder of all data. run: where logits are kept."""

    def __init__(self, model: Model, data: Path, run: Path) -> None:
        self.model, self.data, self.run = model, data, run / "streams" / model.name
        self.hop_ms = event_hop(model.clip_ms, answer_ms(model.network))
        self._of = model.detector().scores
        self.frontend = model.frontend
        self.base = Detection(hop_ms=self.hop_ms)

    def detector(self, settings: Detection, listen: tuple[str, ...] | None = None) -> Detector:
        """Of the model, of all labels or of some."""
        return Detector(settings, self.model.labels, self._of, listen)

    def scores(self, name: str) -> np.ndarray:
        """(answers, classes) of negatives by their name, joined: there is no silence between recordings."""
        return self._scores(name, lambda: recordings(self.data, name, self._without(name)))

    def words(self, name: str) -> tuple[np.ndarray, Words]:
        """Scores of a stream of words, and the words.

        name: `chosen`, of validation between orders; one of CONDITIONS, of test between wuw; or `target-WORD`, fifty
        of test in twenty minutes of wuw.
        """
        placed = self._placed(name)
        return self._scores(name, lambda: placed.parts), placed.words

    def _without(self, name: str) -> frozenset:
        return frozenset(self.model.labels) if name == "wuw" else frozenset()

    def _placed(self, name: str) -> Placed:
        split, most = ("validation", CHOSEN_WORDS) if name == "chosen" else ("test", REPORTED_WORDS)
        target = name.removeprefix("target-") if name.startswith("target-") else None
        clips, right = clips_of(self.data, split, self.model.labels, 10**6 if target else most)
        if target:
            own = np.flatnonzero(right[:, self.model.labels.index(target)])[:TARGETS]
            clips, right = [clips[place] for place in own], right[own]
        bed = "orders" if name == "chosen" else "wuw"
        between = recordings(self.data, bed, self._without(bed))
        condition = name if name in CONDITIONS else "clean"
        settings = {"pauses": TARGET_PAUSES} if target else {}
        return Placed(clips, right, _joined(between), _noise(self.data), RATE, RATE, condition, SEED, **settings)

    def _scores(self, name: str, parts: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
        hear = partial(logits_along, self.model.network, self.frontend)
        logits = self.kept(name, lambda: np.concatenate(list(hear(iter(parts()), self.hop_ms))))
        return self.detector(self.base).scores(logits)

    def kept(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """An array that was made before, or is made now."""
        path = self.run / f"{name}.npy"
        if not path.is_file():
            self.run.mkdir(parents=True, exist_ok=True)
            data = BytesIO()
            np.save(data, make(), allow_pickle=False)
            write_bytes(path, data.getvalue())
        return np.load(path, allow_pickle=False)


def _joined(several: list[np.ndarray]) -> list[np.ndarray]:
    """As one recording, so that pauses can be longer than each."""
    return [np.concatenate(several)]
