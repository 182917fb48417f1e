"""How well a model does where it is not as quiet and near as in its test clips.

Each condition varies the clips of an evaluation: their loudness, noise, another voice, a room, or when they begin. What
is drawn depends only on the clips and their numbers, so all models hear the same.

Ratios and gains are in dB. Levels are root mean squares over whole clips, of which a word fills a part: what is called
a noise of 0 dB here is about 7 dB below the loud parts of a word, by which training's scenes are made
(supernet.data.scenes).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from supernet.constants import CACHE
from supernet.errors import InvalidQuery, nearest_names
from supernet.extras import lacking, need

if TYPE_CHECKING:
    from supernet.data.clips import ClipData
    from supernet.frontend.mfcc import Mfcc
    from supernet.integer.runtime import IntegerNetwork

__all__ = [
    "CONDITIONS",
    "SILENT",
    "InCondition",
    "Surroundings",
    "chosen_conditions",
    "condition_figures",
    "heard_in",
    "known_conditions",
    "measured_conditions",
    "unheard_rooms",
    "vary",
]

log = logging.getLogger(__name__)

BATCH = 256
ROOMS, SEED = 64, 2026
"""Drawn rooms of an evaluation, and the seed of all that is drawn: training has others."""
LEAST = 1e-6
"""A level below which a clip has nothing that noise could be set against."""
SILENT = -1
"""Of clips in which nothing is heard: no voice is set beside them, and they are none."""


@dataclass(frozen=True)
class InCondition:
    """How many of so many clips were named rightly in a condition."""

    condition: str
    right: int
    clips: int

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.right / self.clips

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        from supernet.metrics import accuracy_interval

        return accuracy_interval(self.accuracy, self.clips)

    def to_dict(self) -> dict:
        """Plain values, as `config.json` has them."""
        ends = [round(end, 6) for end in self.interval]
        return {"accuracy": round(self.accuracy, 6), "interval": ends, "clips": self.clips}


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What clips are heard in. clips: all of the evaluation, (clips, samples) int16, or float32 from -1 to 1.

    sounds: (clips,) numbers of what is heard in each, SILENT where nothing is. rate: in Hz. noise: recordings
    (samples,) float32. rooms: (rooms, taps).
    """

    clips: np.ndarray
    sounds: np.ndarray
    rate: int
    noise: Sequence[np.ndarray]
    rooms: np.ndarray

    def clip(self, number: int) -> np.ndarray:
        """(samples,) float32."""
        from supernet.data.audio import from_int16

        own = self.clips[number]
        return from_int16(own) if own.dtype == np.int16 else own


Condition = Callable[[np.ndarray, int, Surroundings, np.random.Generator], np.ndarray]
"""(samples,) and the number of the clip -> (samples,), before they are clipped at full scale."""


def _gain(decibels: float) -> Condition:
    return lambda clip, number, around, rng: clip * 10 ** (decibels / 20)


def _noise(ratio: float) -> Condition:
    def noisy(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
        from supernet.data.sounds import random_part

        return _beside(clip, random_part(around.noise, len(clip), rng), ratio)

    return noisy


def _voice(ratio: float) -> Condition:
    def spoken_over(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
        own = around.sounds[number]
        others = np.flatnonzero((around.sounds != own) & (around.sounds != SILENT))
        return _beside(clip, around.clip(rng.choice(others)), ratio) if own != SILENT and len(others) else clip

    return spoken_over


def _room(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
    from supernet.data.sounds import in_room

    heard = in_room(clip, around.rooms[rng.integers(len(around.rooms))])
    return heard * np.float32(_level(clip) / max(_level(heard), LEAST))


def _shift(ms: int) -> Condition:
    def shifted(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
        count = ms * around.rate // 1000
        silence = np.zeros(abs(count), np.float32)
        return np.concatenate([silence, clip[:-count]] if count > 0 else [clip[-count:], silence])

    return shifted


CONDITIONS: dict[str, Condition] = {
    "clean": _gain(0),
    "fainter-20": _gain(-20),
    "fainter-30": _gain(-30),
    "louder-10": _gain(10),
    "louder-20": _gain(20),
    "noise-20": _noise(20),
    "noise-10": _noise(10),
    "noise-5": _noise(5),
    "noise-0": _noise(0),
    "voice-10": _voice(10),
    "room": _room,
    "early-200": _shift(-200),
    "late-200": _shift(200),
}
"""fainter, louder: by so many dB, clipped at full scale; noise, voice: at a ratio of so many dB; room: one that no
training heard, at the clip's level; early, late: by so many ms."""


def chosen_conditions(names: Iterable[str] | str | bool) -> tuple[str, ...]:
    """The conditions of these names, in the order of CONDITIONS, and `clean`; True for all that can be measured here.

    Raises InvalidQuery for an unknown one, MissingExtra for `room` where pyroomacoustics is not installed.
    """
    if isinstance(names, (bool, np.bool_)):
        return measured_conditions() if names else ()
    names = [names] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
    for name in names:
        if name not in CONDITIONS:
            raise InvalidQuery(f"condition {name!r} is unknown: {nearest_names(name, CONDITIONS)}")
    if "room" in names:
        need("pyroomacoustics")
    return tuple(name for name in CONDITIONS if name == "clean" or name in names)


def known_conditions(figures: dict) -> dict[str, dict]:
    """Condition -> figures, of the figures of a split in `config.json`, in the order of CONDITIONS."""
    found = figures.get("conditions", {})
    return {name: found[name] for name in CONDITIONS if name in found}


def vary(name: str, around: Surroundings, numbers: Sequence[int] | None = None) -> np.ndarray:
    """(clips, samples) float32 in steps of 16 bits: clips of an evaluation, by default all, in a condition."""
    from supernet.data.audio import from_int16, to_int16

    chosen = range(len(around.clips)) if numbers is None else numbers
    made = np.empty((len(chosen), around.clips.shape[1]), np.float32)
    for place, number in enumerate(chosen):
        rng = np.random.default_rng([SEED, number])
        made[place] = from_int16(to_int16(CONDITIONS[name](around.clip(number), number, around, rng)))
    return made


def unheard_noise(recordings: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """The recordings (samples,) float32 of noise, or coloured noise where there are none."""
    from supernet.data.sounds import coloured_noise

    return recordings or coloured_noise(np.random.default_rng(SEED))


def unheard_rooms(names: Sequence[str], rate: int) -> np.ndarray:
    """(rooms, taps) float32 that no training has, where one of the conditions needs them."""
    from supernet.data.rooms import room_bank

    return room_bank(ROOMS, SEED, CACHE, rate=rate) if "room" in names else np.empty((0, 0), np.float32)


def heard_in(
    name: str, around: Surroundings, targets: np.ndarray, scores: Callable[[np.ndarray], np.ndarray]
) -> InCondition:
    """How many clips are named rightly in a condition.

    targets: (clips,) class indexes. scores: (clips, classes) of (clips, samples) float32.
    """
    right = 0
    for first in range(0, len(targets), BATCH):
        part = range(first, min(first + BATCH, len(targets)))
        right += int((scores(vary(name, around, part)).argmax(1) == targets[part.start : part.stop]).sum())
    return InCondition(name, right, len(targets))


def measured_conditions() -> tuple[str, ...]:
    """Those that can be measured with what is installed: `room` needs pyroomacoustics, and the log says so."""
    error = lacking("pyroomacoustics")
    if error:
        log.warning("not measured in rooms; %s", error)
    return tuple(name for name in CONDITIONS if not (error and name == "room"))


def condition_figures(
    network: IntegerNetwork, frontend: Mfcc, data: ClipData, split: str, progress: bool, names: Sequence[str] = ()
) -> dict:
    """Condition -> accuracy, its interval and the clips, of the integers on a split of clips of one label each.

    In noise that training does not hear, where the data have such. progress: show a bar on a terminal. names: of the
    conditions, instead of all that can be measured.
    """
    from tqdm import tqdm

    from supernet.data.audio import from_int16
    from supernet.samples import as_int16

    names, clips = names or measured_conditions(), data.splits[split]
    noise = unheard_noise([from_int16(item) for item in data.held_noise])
    sounds = np.where(clips.targets == data.silence_class, SILENT, clips.targets)
    around = Surroundings(
        data.audio[clips.rows], sounds, data.sampling_rate, noise, unheard_rooms(names, data.sampling_rate)
    )

    def scores(samples: np.ndarray) -> np.ndarray:
        return network(frontend.run(as_int16(samples)))

    bar = tqdm(names, "conditions", disable=None if progress else True, leave=False)
    found = [heard_in(name, around, clips.targets, scores) for name in bar]
    return {one.condition: one.to_dict() for one in found}


def _beside(clip: np.ndarray, noise: np.ndarray, ratio: float) -> np.ndarray:
    """A clip with noise at a ratio below its level; as it is where either is silent."""
    signal, own = _level(clip), _level(noise)
    return clip + noise * np.float32(signal / own / 10 ** (ratio / 20)) if min(signal, own) > LEAST else clip


def _level(samples: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
