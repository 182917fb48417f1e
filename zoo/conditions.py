"""How well a model does where it is not as quiet and near as in its test clips.

Each condition varies the clips of an evaluation: their loudness, noise, another voice, a room, or when they begin. What
is drawn depends only on the number of the clip, so all models hear the same. Ratios and gains are in dB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import nearest_names
from zoo.errors import InvalidQuery

__all__ = ["CONDITIONS", "Surroundings", "chosen_conditions", "vary"]

ROOMS, SEED = 64, 2026
"""Drawn rooms of an evaluation, and the seed of all that is drawn: training has others."""
SILENT = 1e-6
"""A level below which a clip has nothing that noise could be set against."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What clips are heard in. clips: all of the evaluation, (clips, samples) float32. rate: in Hz.

    classes: (clips,) of each. noise: recordings (samples,) float32; none for coloured noise. rooms: (rooms, taps).
    """

    clips: np.ndarray
    classes: np.ndarray
    rate: int
    noise: Sequence[np.ndarray]
    rooms: np.ndarray


Condition = Callable[[np.ndarray, int, Surroundings, np.random.Generator], np.ndarray]
"""(samples,) and the number of the clip -> (samples,), before they are clipped at full scale."""


def _gain(decibels: float) -> Condition:
    return lambda clip, number, around, rng: clip * 10 ** (decibels / 20)


def _noise(ratio: float) -> Condition:
    def noisy(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
        from supernet.data.scenes import random_part

        return _beside(clip, random_part(around.noise, len(clip), rng), ratio)

    return noisy


def _voice(ratio: float) -> Condition:
    def spoken_over(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
        others = np.flatnonzero(around.classes != around.classes[number])
        return _beside(clip, around.clips[rng.choice(others)], ratio) if len(others) else clip

    return spoken_over


def _room(clip: np.ndarray, number: int, around: Surroundings, rng: np.random.Generator) -> np.ndarray:
    from supernet.data.scenes import in_room

    heard = in_room(clip, around.rooms[rng.integers(len(around.rooms))])
    return heard * np.float32(_level(clip) / max(_level(heard), SILENT))


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


def chosen_conditions(names: Sequence[str] | bool) -> tuple[str, ...]:
    """The conditions of these names, in the order of CONDITIONS, and `clean`; True for all. Raises InvalidQuery."""
    if isinstance(names, bool):
        return tuple(CONDITIONS) if names else ()
    for name in names:
        if name not in CONDITIONS:
            raise InvalidQuery(f"condition {name!r} is unknown: {nearest_names(name, CONDITIONS)}")
    return tuple(name for name in CONDITIONS if name == "clean" or name in names)


def vary(name: str, around: Surroundings) -> np.ndarray:
    """(clips, samples) float32 in steps of 16 bits: the clips of an evaluation in a condition."""
    from supernet.data.audio import from_int16, to_int16

    made = np.empty_like(around.clips)
    for number, clip in enumerate(around.clips):
        varied = CONDITIONS[name](clip, number, around, np.random.default_rng([SEED, number]))
        made[number] = from_int16(to_int16(varied))
    return made


def _beside(clip: np.ndarray, noise: np.ndarray, ratio: float) -> np.ndarray:
    """A clip with noise at a ratio below its level; as it is where either is silent."""
    signal, own = _level(clip), _level(noise)
    return clip + noise * np.float32(signal / own / 10 ** (ratio / 20)) if min(signal, own) > SILENT else clip


def _level(samples: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
