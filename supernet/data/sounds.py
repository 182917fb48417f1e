"""What is heard beside and around clips: parts of recordings, coloured noise, rooms. No torch here."""

from __future__ import annotations

import numpy as np

__all__ = ["coloured_noise", "in_room", "random_part"]

COLOURED, COLOURED_SAMPLES, STEEPEST = 24, 160_000, 2.0
"""Recordings of coloured noise, their length, and the largest power of the frequency that their power falls with."""


def random_part(recordings: list[np.ndarray], samples: int, rng: np.random.Generator) -> np.ndarray:
    """(samples,) of a random recording from a random place on, repeated where it is shorter."""
    recording = recordings[rng.integers(len(recordings))]
    first = int(rng.integers(len(recording)))
    return np.take(recording, np.arange(first, first + samples), mode="wrap")


def in_room(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    """A sound (samples,) float32 as it is heard in a room (taps,), from the direct sound on."""
    size = len(sound) + len(response) - 1
    heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
    return heard[: len(sound)].astype(np.float32)


def coloured_noise(rng: np.random.Generator) -> list[np.ndarray]:
    """Recordings of noise whose power falls with a power of the frequency, from white to brown, each its own."""
    made = []
    for _ in range(COLOURED):
        spectrum = rng.standard_normal((2, COLOURED_SAMPLES // 2 + 1))
        fall = np.arange(1, COLOURED_SAMPLES // 2 + 2) ** (-rng.uniform(0, STEEPEST) / 2)
        sound = np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * fall)
        made.append((sound / np.abs(sound).max()).astype(np.float32))
    return made
