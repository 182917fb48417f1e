"""Rooms: impulse responses from a speaker to a microphone, recorded ones and ones that are drawn.

Drawn rooms are boxes whose early echoes are those of the image method (Allen and Berkley, JASA 1979, by
pyroomacoustics), followed by a tail of noise that fades as the reverberation time says (Lehmann and Johansson, IEEE
TASLP 2010). Lengths in metres, times in seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from supernet.data.audio import prepare_samples, read_audio
from supernet.data.cache import cached_array
from supernet.data.walk import FORMATS, walk
from supernet.errors import InvalidData
from supernet.extras import need
from supernet.files import digest

__all__ = ["draw_room", "recorded_rooms", "room_bank"]

SOUND_M_S = 343.0
LEAST_SIZE, LARGEST_SIZE = (3.0, 2.5, 2.3), (10.0, 8.0, 4.0)
T60_S, DISTANCE_M, WALL_M = (0.1, 1.0), (0.3, 5.0), 0.25
ORDER = 12
"""Most reflections of the image method; what comes later is the tail."""
LEAD = 8
"""Samples kept before the direct sound."""
FADE_S = 0.02
KIND = 2
"""Of drawn rooms in the cache: another number wherever they are drawn in another way."""


def room_bank(
    count: int, seed: int, cache: Path, folder: str | Path | None = None, rate: int = 16_000, progress: bool = False
) -> np.ndarray:
    """(rooms, taps) float32 of energy 1, each with the direct sound at its beginning: `count` drawn ones, from the
    cache where they are there, and those recorded in `folder`, if one is given.

    Raises InvalidData for a folder without recordings.
    """
    taps = round(T60_S[1] * rate)
    drawn = cached_array(
        cache / "rooms" / f"{digest([KIND, count, seed, rate])}.npy",
        (count, taps),
        np.float32,
        lambda rooms: _fill(rooms, seed, rate, progress),
    )
    recorded = recorded_rooms(folder, rate, taps) if folder else drawn[:0]
    return np.concatenate([drawn, recorded])


def _fill(rooms: np.ndarray, seed: int, rate: int, progress: bool) -> None:
    for number in tqdm(range(len(rooms)), "drawing rooms", disable=not progress, unit=" rooms"):
        response = draw_room(np.random.default_rng([seed, number]), rate)[: rooms.shape[1]]
        rooms[number, : len(response)] = response
        rooms[number, len(response) :] = 0


def recorded_rooms(folder: str | Path, rate: int, taps: int) -> np.ndarray:
    """(rooms, taps) float32: the impulse responses in a folder, one a file. Raises InvalidData where there are none."""
    paths = walk(folder).recordings
    if not paths:
        raise InvalidData(f"{folder}: no impulse responses; give a folder of recordings ({FORMATS})")
    rooms = np.zeros((len(paths), taps), np.float32)
    for room, path in zip(rooms, paths, strict=True):
        response = prepare_samples(*read_audio(path), rate, str(path))
        start = max(0, int(np.abs(response).argmax()) - LEAD)
        kept = _unit(response[start : start + taps])
        room[: len(kept)] = kept
    return rooms


def draw_room(rng: np.random.Generator, rate: int = 16_000) -> np.ndarray:
    """(taps,) float32: the response of a box of random size and walls, between two random points."""
    need("pyroomacoustics")
    import pyroomacoustics

    size = rng.uniform(LEAST_SIZE, LARGEST_SIZE)
    volume, surface = size.prod(), 2 * (size * np.roll(size, 1)).sum()
    deadest = 1.01 * 24 * np.log(10) / SOUND_M_S * volume / surface
    t60 = rng.uniform(max(T60_S[0], deadest), T60_S[1])
    absorption, order = pyroomacoustics.inverse_sabine(t60, size, c=SOUND_M_S)
    microphone, source = _places(rng, size)
    room = pyroomacoustics.ShoeBox(
        size, rate, materials=pyroomacoustics.Material(absorption), max_order=min(order, ORDER)
    )
    room.set_sound_speed(SOUND_M_S)
    room.add_source(source)
    room.add_microphone(microphone)
    room.compute_rir()
    direct = (
        round(np.linalg.norm(source - microphone) / SOUND_M_S * rate)
        + pyroomacoustics.constants.get("frac_delay_length") // 2
    )
    early = room.rir[0][0][max(0, direct - LEAD) :].astype(np.float64)
    whole = order <= ORDER
    return _unit(early if whole else _with_tail(early, t60, ORDER * size.min() / SOUND_M_S, rate, rng))


def _places(rng: np.random.Generator, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A microphone, and a source at a distance from it in a random direction, as far as the walls allow."""
    microphone = rng.uniform(2 * WALL_M, size - 2 * WALL_M)
    direction = rng.standard_normal(3) * (1, 1, 0.3)
    direction /= np.linalg.norm(direction)
    walls = np.where(direction > 0, size - WALL_M, WALL_M)
    reach = np.min((walls - microphone) / np.where(direction == 0, 1e-9, direction))
    distance = rng.uniform(*DISTANCE_M)
    return microphone, microphone + direction * min(distance, reach)


def _with_tail(early: np.ndarray, t60: float, until_s: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Early echoes, which are complete until a time, and noise that fades from there on, as loud as they are there."""
    taps, fade, cut = round(t60 * rate), round(FADE_S * rate), round(until_s * rate)
    cut = min(cut, len(early) - 1)
    time = np.arange(taps) / rate
    tail = rng.standard_normal(taps) * 10 ** (-3 * time / t60)
    span = slice(max(0, cut - fade), cut)
    level = np.sqrt(np.square(early[span]).mean() / max(np.square(tail[span]).mean(), 1e-30))
    rising = np.clip((np.arange(taps) - cut + fade) / fade, 0, 1)
    made = tail * level * np.sqrt(rising)
    made[: len(early)] += early[:taps] * np.sqrt(1 - rising[: len(early)])
    return made


def _unit(response: np.ndarray) -> np.ndarray:
    """At energy 1."""
    return (response / max(np.sqrt(np.square(response).sum()), 1e-12)).astype(np.float32)
