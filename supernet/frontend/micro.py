"""Front end `micro`: that of TensorFlow Lite Micro's speech examples, microWakeWord and ESPHome, integer for integer.

    window      30 ms, Hann of 12 bits; scaled up as far as 16 bits allow
    spectrum    512 points in 16 bits, halved (or quartered) on the way
    energies    40 triangles on a mel scale from 125 to 7,500 Hz, 12 bits; their square roots
    noise       subtracted: a running mean of each band (Lim and Oppenheim, Proc. IEEE 67(12), 1979)
    gain        of each band by its noise (per-channel energy normalisation, Wang et al., ICASSP 2017), and a soft knee
    features    natural logarithm, 26 / 256 of a step of 8 bits

The noise is a slow state: a clip behind silence is not what a device hears, so training puts other sound before it.
Written from the description of its parameters; `pymicro-features` gives the same integers, which a test holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from supernet.errors import InvalidModel
from supernet.frontend.base import band_sums, by_parts, settings, windows_of
from supernet.schemas import whole

__all__ = ["FRONT_END", "Micro"]

RATE, WINDOW, POINTS, BANDS, BINS = 16_000, 480, 512, 40, 257
WINDOW_BITS = FILTER_BITS = 12
LOW_HZ, HIGH_HZ = 125.0, 7500.0
FRACTION, LARGEST = 15, 2**15 - 1
"""Bits behind the point of the transform's numbers, and the largest of them."""
SMOOTHING_BITS, NOISE_BITS = 10, 14
SMOOTHING, LEAST_SHARE = (0.025, 0.06), 0.05
"""Of even and of odd bands; what is left of a signal at least."""
STRENGTH, OFFSET, GAIN_BITS, SNR_BITS, OUTPUT_BITS = 0.95, 80.0, 21, 12, 6
CORRECTION_BITS = 3
"""By which the root of filtered squares of 512 points is too small."""
INTERVALS, INTERVAL_BITS, CURVE_BITS = 32, 10, 15
"""Of the gain's curve, one for each power of two, and bits of what is between."""
LOG_BITS, LOG_STEPS, LOG_OF_TWO, LOG_SCALE = 16, 7, 45_426, 6
STEP, STEP_BITS = 666, 8
"""Of so many logarithms as 8 bits hold."""
WORD = 2**32 - 1
SAMPLE_BYTES, WORD_BYTES, COUNTERS = 2, 4, 2
PART_FRAMES = 192
"""That are computed together: more take less time for each, until they leave the processor's cache."""


@dataclass(frozen=True)
class Micro:
    """Logarithms of 40 bands after noise reduction and gain control. step_ms: 10, or 20 as older models have it."""

    coefficients: int = BANDS
    step_ms: int = 10

    kind: ClassVar[str] = "micro"
    sampling_rate: ClassVar[int] = RATE
    window_samples: ClassVar[int] = WINDOW
    schema: ClassVar[dict] = {
        "coefficients": whole("Coefficients", "A frame.", BANDS, BANDS),
        "step_ms": whole("Step", "In ms from frame to frame, 10 or 20.", 10, 20),
    }

    def __post_init__(self) -> None:
        if self.coefficients != BANDS or self.step_ms not in (10, 20):
            raise InvalidModel(
                f"a micro front end has {BANDS} coefficients each 10 or 20 ms, not {self.coefficients!r:.20} each "
                f"{self.step_ms!r:.20}"
            )

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return RATE * self.step_ms // 1000

    @property
    def ram_bytes(self) -> int:
        """A window of samples, the spectrum at 16 bits, the noise of each band at 32, and two counters."""
        return SAMPLE_BYTES * (WINDOW + POINTS) + WORD_BYTES * (BANDS + COUNTERS)

    def macs(self, frames: int) -> int:
        """Multiply-accumulates of `frames` frames: window, FFT (2 n log2 n), squares, filters, noise and gain."""
        return frames * (WINDOW + 2 * POINTS * (POINTS.bit_length() - 1) + 4 * BINS + 6 * BANDS)

    def select(self, coefficients: int, step_ms: int) -> Micro:
        """The front end with another step. Raises InvalidModel for fewer coefficients."""
        return dataclasses.replace(self, coefficients=coefficients, step_ms=step_ms)

    def run(self, samples: np.ndarray) -> np.ndarray:
        """(batch, samples) int16 -> (batch, coefficients, samples // hop_samples) int8, each after silence."""
        heard = np.pad(samples, ((0, 0), (WINDOW - self.hop_samples, 0)))
        windows = [windows_of(clip, WINDOW, self.hop_samples)[0] for clip in heard]
        if not windows:
            return np.zeros((0, BANDS, samples.shape[1] // self.hop_samples), np.int8)
        logarithms, _ = _logarithms(np.stack(windows, 1), np.zeros((len(windows), BANDS), np.int64))
        return as_steps(logarithms).transpose(1, 2, 0)

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        """Silence, and no noise."""
        return np.zeros(WINDOW - self.hop_samples, np.int16), np.zeros(BANDS, np.int64)

    def step(self, samples: np.ndarray, state: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, tuple]:
        """(coefficients, frames) int8 of the samples (samples,) int16 that follow, and the state behind them."""
        logarithms, state = self.logarithms(samples, state)
        return as_steps(logarithms).T, state

    def logarithms(self, samples: np.ndarray, state: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, tuple]:
        """(frames, bands) as the front end of the examples gives them, 0 to some 670, and the state behind them."""
        windows, rest = windows_of(np.concatenate([state[0], samples]), WINDOW, self.hop_samples)
        found, noise = _logarithms(windows, state[1])
        return found, (rest, noise)

    def to_dict(self) -> dict:
        """Plain values for JSON; `frontend_from_dict` gives the equal front end back."""
        return settings(self)


def _logarithms(windows: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(frames, ..., window) and noises (..., bands) before them -> (frames, ..., bands), and the noises behind them."""
    signals = by_parts(band_signals, windows.reshape(-1, WINDOW), PART_FRAMES)
    reduced, noises, last = without_noise(signals.reshape(*windows.shape[:-1], BANDS), noise)
    return natural_log(with_gain(reduced, noises)), last


def as_steps(logarithms: np.ndarray) -> np.ndarray:
    """Logarithms -> int8, as ESPHome rounds them."""
    return np.clip(((logarithms << STEP_BITS) + STEP // 2) // STEP - 128, -128, 127).astype(np.int8)


def band_signals(windows: np.ndarray) -> np.ndarray:
    """(frames, window) int16 -> (frames, bands): the root of each band's energy."""
    weighted = (windows.T * hann()[:, None]) >> WINDOW_BITS
    up = FRACTION - bit_length(_short(np.abs(weighted)).max(0, initial=0))
    real, imaginary = real_transform(np.pad(_short(weighted << up), ((0, POINTS - WINDOW), (0, 0))))
    starts, rising, falling = triangles()
    energy = (real * real + imaginary * imaginary)[starts[0] : starts[-1]]
    rises, falls = (band_sums(energy * weights[:, None], starts - starts[0]) for weights in (rising, falling))
    return (_root(rises[:-1] + falls[1:]) >> up).T


def _root(values: np.ndarray) -> np.ndarray:
    """The nearest square root, but that one in 32 bits has 16 bits at most."""
    below = np.floor(np.sqrt(values.astype(np.float64))).astype(np.int64)  # exact to 52 bits
    return below + ((values - below * below > below) & ~((values <= WORD) & (below == 0xFFFF)))


def without_noise(signals: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frames, ..., bands) signals less the noise of each band, the noises by then, and the last of these."""
    smoothing, noises = share_of(SMOOTHING)[np.arange(BANDS) % 2], np.empty_like(signals)
    scaled = (signals << SMOOTHING_BITS) & WORD
    fresh = scaled * smoothing
    for frame, own in enumerate(fresh):
        noise = ((own + noise * ((1 << NOISE_BITS) - smoothing)) >> NOISE_BITS) & WORD
        noises[frame] = noise
    left = (scaled - np.minimum(noises, scaled)) >> SMOOTHING_BITS
    return np.maximum(left, (signals * share_of([LEAST_SHARE])) >> NOISE_BITS), noises, noise


def share_of(values: Sequence[float]) -> np.ndarray:
    """Of one, with NOISE_BITS behind the point, cut off."""
    return (np.array(values, np.float32) * np.float32(1 << NOISE_BITS)).astype(np.int64)


def with_gain(signals: np.ndarray, noises: np.ndarray) -> np.ndarray:
    """(frames, ..., bands) signals against their noises, in steps of OUTPUT_BITS; small ones are made smaller."""
    ratio = ((signals * gain_of(noises)) >> (GAIN_BITS - CORRECTION_BITS - SNR_BITS)) & WORD
    small = (ratio * ratio) >> (2 + 2 * SNR_BITS - OUTPUT_BITS)
    return np.where(ratio < 2 << SNR_BITS, small, (ratio >> (SNR_BITS - OUTPUT_BITS)) - (1 << OUTPUT_BITS))


def gain_of(noises: np.ndarray) -> np.ndarray:
    """The gain for each noise, by a parabola in its power of two."""
    first, linear, bent = gain_curve()
    interval = np.maximum(bit_length(noises), 1) - 1
    wide = interval - INTERVAL_BITS
    between = np.where(wide < 0, noises << np.maximum(-wide, 0), noises >> np.maximum(wide, 0))
    between &= (1 << INTERVAL_BITS) - 1
    rise = ((bent[interval] * between) >> 5) + (linear[interval] << 5)
    rise = (rise * between + (1 << CURVE_BITS - 1)) >> CURVE_BITS
    return np.where(noises <= 1, gain_at(noises), first[interval] + rise)


def natural_log(values: np.ndarray) -> np.ndarray:
    """Natural logarithms with LOG_SCALE bits behind the point, by a table of their base-2 fractions."""
    values, table, half = (values << CORRECTION_BITS) & WORD, log_table(), 1 << (LOG_BITS - 1)
    whole = np.maximum(bit_length(values), 1) - 1
    fraction = ((values << LOG_BITS) >> whole) - (1 << LOG_BITS)
    step = fraction >> (LOG_BITS - LOG_STEPS)
    between = fraction & (1 << LOG_BITS - LOG_STEPS) - 1
    binary = (whole << LOG_BITS) + fraction + table[step] + (((table[step + 1] - table[step]) * between) >> LOG_BITS)
    natural = (LOG_OF_TWO * binary + half) >> LOG_BITS
    return np.where(values > 1, ((natural << LOG_SCALE) + half) >> LOG_BITS, 0)


def real_transform(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(points, frames) of 16 bits -> the spectrum, halved: two samples are one number of a complex transform.

    No product of numbers of 16 bits leaves 32: cosine and sine of an angle are on a circle, as both parts of a number.
    """
    half = POINTS // 2
    real, imaginary = complex_transform(*(samples[first::2].astype(np.int32) for first in range(2)))
    ends = np.arange(1, half // 2 + 1)
    mirror = half - ends
    near = _divided(real[ends], 2), _divided(imaginary[ends], 2)
    far = _divided(real[mirror], 2), _divided(_short(-imaginary[mirror]), 2)
    even, odd = ([_short(sign * two + one) for one, two in zip(near, far, strict=True)] for sign in (1, -1))
    turned = _product(*odd, *waves(-np.pi * (ends / half + 0.5)))
    found = np.zeros((2, half + 1, samples.shape[1]), np.int64)
    first, side = _divided(real[0], 2), _divided(imaginary[0], 2)
    found[0, 0], found[0, half] = _short(first + side), _short(first - side)
    found[0, mirror], found[1, mirror] = (even[0] - turned[0]) >> 1, (turned[1] - even[1]) >> 1
    found[0, ends], found[1, ends] = (even[0] + turned[0]) >> 1, (even[1] + turned[1]) >> 1
    return found[0], found[1]


def complex_transform(real: np.ndarray, imaginary: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(points, frames), points a power of four: decimation in time, quartered in each pass."""
    points, done = len(real), 1
    real, imaginary = (part.reshape(1, *part.shape) for part in (real, imaginary))
    while done < points:
        parts = [(_divided(one, 4), _divided(two, 4))
                 for one, two in zip(np.split(real, 4, 1), np.split(imaginary, 4, 1), strict=True)]  # fmt: skip
        for way in range(1, 4):
            cosines, sines = waves(-2 * np.pi * np.arange(done) * way / (4 * done))
            parts[way] = _product(*parts[way], cosines[:, None], sines[:, None])
        (a, ai), (b, bi), (c, ci), (d, di) = parts
        real = _short(np.concatenate([a + c + b + d, a - c + bi - di, a + c - b - d, a - c - bi + di]))
        imaginary = _short(np.concatenate([ai + ci + bi + di, ai - ci - b + d, ai + ci - bi - di, ai - ci + b - d]))
        done *= 4
    return real[:, 0], imaginary[:, 0]


def _product(real: np.ndarray, imaginary: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> tuple:
    return (
        _short(_rounded(real * cosines - imaginary * sines)),
        _short(_rounded(real * sines + imaginary * cosines)),
    )


def _divided(values: np.ndarray, by: int) -> np.ndarray:
    return _rounded(values * (LARGEST // by))


def _rounded(products: np.ndarray) -> np.ndarray:
    return (products + (1 << FRACTION - 1)) >> FRACTION


def _short(values: np.ndarray) -> np.ndarray:
    """As 16 bits hold them."""
    return ((values + 2**15) & 0xFFFF) - 2**15


def bit_length(values: np.ndarray) -> np.ndarray:
    """Of integers below 2^53: 0 of 0, 1 of 1, 2 of 2 and 3, ..."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64) * (values > 0)


@cache
def _waves(angles: bytes) -> tuple[np.ndarray, np.ndarray]:
    turns = np.frombuffer(angles)[:, None]
    return tuple(np.floor(wave(turns) * LARGEST + 0.5).astype(np.int32) for wave in (np.cos, np.sin))


def waves(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of float64 angles (count,), kept: (count, 1) int32 in steps of LARGEST."""
    return _waves(angles.tobytes())


@cache
def hann() -> np.ndarray:
    """(window,) of 12 bits, computed in 32-bit floating point, as all tables here."""
    turn = np.float32(np.pi) * np.float32(2) / np.float32(WINDOW)
    wave = np.cos(turn * (np.arange(WINDOW, dtype=np.float32) + np.float32(0.5)))
    return _nearest((np.float32(0.5) - np.float32(0.5) * wave) * np.float32(1 << WINDOW_BITS))


@cache
def triangles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bands + 2,) first bins of each rise, and (bins,) the rising and the falling weights of all bins between."""
    low, high = mel(LOW_HZ), mel(HIGH_HZ)
    centres = low + (high - low) / np.float32(BANDS + 1) * np.arange(1, BANDS + 2, dtype=np.float32)
    hertz = np.float32(0.5) * np.float32(RATE) / np.float32(BINS - 1)
    mels = mel(np.arange(BINS, dtype=np.float32) * hertz)
    first = int(np.float32(1.5) + np.float32(LOW_HZ) / hertz)
    starts = np.concatenate([[first], np.searchsorted(mels, centres, side="right")])
    band = np.searchsorted(starts, np.arange(first, starts[-1]), side="right") - 1
    before = np.concatenate([[low], centres[:-1]])
    share = (centres[band] - mels[first : starts[-1]]) / (centres[band] - before[band])
    one = np.float32(1 << FILTER_BITS)
    return starts, _nearest((np.float32(1) - share) * one), _nearest(share * one)


def mel(hertz: np.ndarray | float) -> np.ndarray:
    """On the mel scale with natural logarithms, float32."""
    return np.float32(1127) * np.log1p(np.asarray(hertz, np.float32) / np.float32(700))


@cache
def gain_curve() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each power of two: the gain at its beginning, and the first and second coefficient of a parabola."""
    start = 1 << np.arange(INTERVALS)
    last = np.append(2 * start[:-1], 2 * start[-1] - 1)
    first, middle, end = (gain_at(at) for at in (start, start + (start >> 1), last))
    linear = 4 * (middle - first) - (end - first)
    return first, linear, end - first - linear


def gain_at(noise: np.ndarray) -> np.ndarray:
    """The gain for a noise with SMOOTHING_BITS - CORRECTION_BITS behind the point."""
    level = noise.astype(np.float32) / np.float32(1 << (SMOOTHING_BITS - CORRECTION_BITS)) + np.float32(OFFSET)
    gain = np.float32(1 << GAIN_BITS) * np.power(level, np.float32(-STRENGTH))
    return np.minimum(gain + np.float32(0.5), np.float32(LARGEST)).astype(np.int64)


@cache
def log_table() -> np.ndarray:
    """(129,) of log2(1 + x) - x with LOG_BITS behind the point."""
    share = np.arange((1 << LOG_STEPS) + 1) / (1 << LOG_STEPS)
    return _nearest((np.log2(1 + share) - share) * (1 << LOG_BITS))


def _nearest(values: np.ndarray) -> np.ndarray:
    return np.floor(values + values.dtype.type(0.5)).astype(np.int64)


FRONT_END = Micro
