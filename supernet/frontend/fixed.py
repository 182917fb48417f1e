"""The integer form of the mel front ends: int16 samples to int8 features, with no floating point but in their tables.

    window      30 bits; each frame moved up as far as 16 bits allow, then as many guard bits below its samples as a
                spectrum in 32 bits leaves
    spectrum    a real FFT as a complex one of half the points: decimation in time, radix 4, twiddles of 30 bits;
                nothing is scaled on the way, since no sum can pass 31 bits (see `guard_bits`)
    energies    re^2 + im^2 in 64 bits; triangles of 15 bits, each bin's rising and falling weight adding up to one
    logarithm   to base 2, 16 bits behind the point, a table of 128 steps and a straight line between them
    features    the cosine transform, where there is one, then the mean and deviation of each coefficient, rounded once

Whoever does these steps gets these integers; the generated code does. Against floating point, log-mels differ by a step
where they lie beside the middle between two.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, partial
from math import ceil, floor, log, log2

import numpy as np

from supernet.errors import InvalidModel
from supernet.files import digest
from supernet.frontend.base import FEATURE_SCALE, band_sums, by_parts
from supernet.frontend.tables import mel_edges
from supernet.ops.base import encode_multiplier

__all__ = ["MelTables", "fixed_features", "mel_tables"]

FILTER_BITS = 15
WINDOW_BITS = TWIDDLE_BITS = 30
LOG_BITS, LOG_STEPS = 16, 7
"""Behind the point of logarithms, and of their table: 2^7 steps."""
SAMPLE_BITS = 15
TRANSFORM_BITS = 24
"""Of the largest number of the cosine transform, so that sums of products with logarithms have less than 53."""
SUM_BITS = 62
"""That no sum of 64 bits may pass."""
MOST_MEAN = 2**15
"""Of a coefficient, as a logarithm to base 2, so that it fits into 32 bits."""


@dataclass(frozen=True, eq=False)
class MelTables:
    """What the integer form reads, as generated code holds it.

    window: (window_samples / 2 + 1,) int32, its first half, 2^30 is one. cosines: (points / 4 + 1,) int32, a quarter of
    a wave, 2^30 is one. starts: (mels + 2,) uint16, the first bin of each rise, and behind the last fall. rising:
    (bins,) uint16, the weight of each bin between `starts`, 2^15 is one. logarithm: (128,) uint16. transform:
    (coefficients, half of the mels) int32 of so many `transform_bits`, or None: the other half mirrors it, with the
    other sign in every second row. mean, multiplier, shift: of each coefficient. least: energy. offset: of logarithms,
    those of an energy of one. power_shift: of the squares of twice the spectrum. chosen: mels, where there is no
    transform.
    """

    window: np.ndarray
    window_samples: int
    cosines: np.ndarray
    starts: np.ndarray
    rising: np.ndarray
    logarithm: np.ndarray
    transform: np.ndarray | None
    mean: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    points: int
    guard: int
    power_shift: int
    least: int
    offset: int
    transform_bits: int
    chosen: slice

    @property
    def digest(self) -> str:
        """Of all numbers."""
        values = (getattr(self, field.name) for field in fields(self))
        return digest([value.tolist() if isinstance(value, np.ndarray) else repr(value) for value in values])

    @cached_property
    def whole_window(self) -> np.ndarray:
        """(window_samples,) int64, from its half."""
        half = self.window.astype(np.int64)
        return np.concatenate([half, half[1 : self.window_samples - len(half) + 1][::-1]])

    @cached_property
    def waves(self) -> tuple[np.ndarray, np.ndarray]:
        """(points,) int64 cosines and sines of all angles, from the quarter."""
        quarter = self.cosines.astype(np.int64)
        whole = np.concatenate([quarter, -quarter[-2::-1], -quarter[1:], quarter[-2:0:-1]])
        return whole, np.roll(whole, self.points // 4)

    @cached_property
    def whole_transform(self) -> np.ndarray:
        """(coefficients, mels) float64, from its half."""
        half, mels = self.transform, len(self.starts) - 2
        signs = np.where(np.arange(len(half)) % 2, -1.0, 1.0)[:, None]
        return np.concatenate([half.astype(np.float64), signs * half[:, : mels // 2][:, ::-1]], 1)


def guard_bits(window: np.ndarray) -> int:
    """Bits that samples may get below their own: what any sum of windowed samples leaves below 2^30.

    Every value inside the transform is the spectrum of some of the samples, so it is at most the sum of all their
    sizes; the last step doubles it.
    """
    return 29 - floor(log2(2**SAMPLE_BITS * float(window.sum())))


@lru_cache(maxsize=64)
def mel_tables(frontend) -> MelTables:
    """The tables of a `MelFrontEnd`. Raises InvalidModel where its FFT is of another length than a power of two."""
    points = frontend.fft
    if points < 8 or points & (points - 1):
        raise InvalidModel(f"fft = {points} has no integer form: give a power of two from 8 on")
    real = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frontend.window_samples) / frontend.window_samples)
    guard = guard_bits(real)
    most = log2(points * float(np.square(real).sum())) + 2 * (SAMPLE_BITS + guard)
    power_shift = max(0, ceil(most) + FILTER_BITS - SUM_BITS)
    one = 2 * (SAMPLE_BITS + guard) - power_shift + FILTER_BITS
    starts, rising = _triangles(frontend)
    transform, transform_bits = _transform(frontend)
    mean, multiplier, shift = _normalisation(frontend)
    steps = np.arange(2**LOG_STEPS) / 2**LOG_STEPS
    angles = 2 * np.pi * np.arange(points // 4 + 1) / points
    return MelTables(
        window=_rounded(real[: len(real) // 2 + 1] * 2**WINDOW_BITS, np.int32),
        window_samples=len(real),
        cosines=_rounded(np.cos(angles) * 2**TWIDDLE_BITS, np.int32),
        starts=starts,
        rising=rising,
        logarithm=_rounded(np.log2(1 + steps) * 2**LOG_BITS, np.uint16),
        transform=transform,
        mean=mean,
        multiplier=multiplier,
        shift=shift,
        points=points,
        guard=guard,
        power_shift=power_shift + 2,
        least=max(1, round(frontend.floor * 2.0**one)),
        offset=one << LOG_BITS,
        transform_bits=transform_bits,
        chosen=frontend.chosen_mels,
    )


def _triangles(frontend) -> tuple[np.ndarray, np.ndarray]:
    """The first bin of each rise and the end of the last fall, and the rising weights of the bins between.

    A filter rises to its centre where the one before it falls from its own, so one weight a bin is enough.
    """
    edges = mel_edges(frontend.mels, frontend.low_hz, frontend.high_hz)
    hertz = np.linspace(0, frontend.sampling_rate // 2, frontend.fft // 2 + 1)
    starts = np.searchsorted(hertz, edges)
    bins = hertz[starts[0] : starts[-1]]
    rise = np.searchsorted(starts, np.arange(starts[0], starts[-1]), side="right") - 1
    return starts.astype(np.uint16), _rounded(
        (bins - edges[rise]) / (edges[rise + 1] - edges[rise]) * 2**FILTER_BITS, np.uint16
    )


def _transform(frontend) -> tuple[np.ndarray | None, int]:
    """The first half of the cosine transform, as large as its bits allow, and how many are behind the point."""
    if frontend.cosines is None:
        return None, 0
    half = frontend.cosines[:, : -(-frontend.mels // 2)].astype(np.float64)
    bits = TRANSFORM_BITS - 1 - floor(log2(float(np.abs(half).max())))
    return _rounded(half * 2**bits, np.int32), bits


def _normalisation(frontend) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of each coefficient as a logarithm to base 2, and multiplier and shift from there to steps of features."""
    count = frontend.coefficients
    mean = np.array(frontend.mean or [0.0] * count) / log(2)
    if np.abs(mean).max() >= MOST_MEAN:
        raise InvalidModel(f"a mean of {max(frontend.mean, key=abs):g} has no integer form: give up to 20000")
    steps = 1 / (np.array(frontend.deviation or [1.0] * count) * FEATURE_SCALE)
    return _rounded(mean * 2**LOG_BITS, np.int32), *encode_multiplier(steps * log(2) / 2**LOG_BITS)


def fixed_features(tables: MelTables, windows: np.ndarray) -> np.ndarray:
    """(frames, window) int16 -> (frames, coefficients) int8."""
    if not len(windows):
        return np.zeros((0, len(tables.mean)), np.int8)
    return by_parts(partial(_features, tables), windows)


def _features(tables: MelTables, windows: np.ndarray) -> np.ndarray:
    up = spare_bits(windows)
    found = log2_fixed(energies(tables, windows << up[:, None], tables.least << 2 * up), tables.logarithm)
    logarithms = found - tables.offset - (2 * up[:, None] << LOG_BITS)
    if tables.transform is None:
        return _normalised(tables, logarithms[:, tables.chosen])
    sums = logarithms.astype(np.float64) @ tables.whole_transform.T  # below 2^53: exact
    half = 1 << (tables.transform_bits - 1)
    return _normalised(tables, (sums.astype(np.int64) + half) >> tables.transform_bits)


def _normalised(tables: MelTables, values: np.ndarray) -> np.ndarray:
    shift = tables.shift.astype(np.int64)
    scaled = (values - tables.mean) * tables.multiplier + (np.int64(1) << (shift - 1))
    return np.clip(scaled >> shift, -128, 127).astype(np.int8)


def spare_bits(windows: np.ndarray) -> np.ndarray:
    """(frames,) int16: how many bits the samples (frames, window) int16 of each frame may be moved up."""
    peaks = np.abs(windows.astype(np.int32)).max(1)
    return np.maximum(0, SAMPLE_BITS - np.frexp(peaks)[1]).astype(np.int64)


def energies(tables: MelTables, windows: np.ndarray, least: np.ndarray | int) -> np.ndarray:
    """(frames, window) int16 -> (frames, mels) int64 energies, of each frame `least` at least."""
    first, last = int(tables.starts[0]), int(tables.starts[-1])
    real, imaginary = (part[first:last] for part in doubled_spectrum(tables, windows))
    half = 1 << (tables.power_shift - 1)
    power = (real * real + imaginary * imaginary + half) >> tables.power_shift
    rising = power * tables.rising[:, None]
    rises, falls = (band_sums(value, tables.starts - first) for value in (rising, (power << FILTER_BITS) - rising))
    return np.maximum(rises[:-1] + falls[1:], least).T


def log2_fixed(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Logarithms to base 2 of integers from 1 on, with LOG_BITS behind the point, int64."""
    whole, rest = np.zeros(values.shape, np.int64), values
    for bits in (32, 16, 8, 4, 2, 1):
        large = rest >= 1 << bits
        whole += large * bits
        rest = np.where(large, rest >> bits, rest)
    fraction = values << (SUM_BITS - whole)
    step = fraction >> (SUM_BITS - LOG_STEPS) & (1 << LOG_STEPS) - 1
    between = fraction >> (SUM_BITS - LOG_STEPS - LOG_BITS) & (1 << LOG_BITS) - 1
    ends = np.append(table.astype(np.int64), 1 << LOG_BITS)
    rise = (ends[step + 1] - ends[step]) * between + (1 << LOG_BITS - 1) >> LOG_BITS
    return (whole << LOG_BITS) + ends[step] + rise


def doubled_spectrum(tables: MelTables, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(frames, window) int16 -> twice the spectrum of the windowed samples, (points / 2 + 1, frames) real, imaginary.

    Two samples are one complex number of the transform (Sorensen et al., IEEE TASSP 35(6), 1987).
    """
    half, drop = tables.points // 2, WINDOW_BITS - tables.guard
    cosines, sines = (wave[:, None] for wave in tables.waves)
    padded = np.zeros((tables.points, len(windows)), np.int64)
    padded[: windows.shape[1]] = (windows.T * tables.whole_window[:, None] + (1 << (drop - 1))) >> drop
    real, imaginary = complex_transform(padded[0::2], padded[1::2], cosines[::2], sines[::2])
    ends = np.arange(half + 1) % half
    mirror = -ends % half
    even = real[ends] + real[mirror], imaginary[ends] - imaginary[mirror]
    odd = imaginary[ends] + imaginary[mirror], real[mirror] - real[ends]
    turned = turned_back(*odd, cosines[: half + 1], sines[: half + 1])
    return even[0] + turned[0], even[1] + turned[1]


def turned_back(real: np.ndarray, imaginary: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> tuple:
    """Complex numbers times exp(-i angle), rounded once."""
    half = 1 << (TWIDDLE_BITS - 1)
    return (
        (real * cosines + imaginary * sines + half) >> TWIDDLE_BITS,
        (imaginary * cosines - real * sines + half) >> TWIDDLE_BITS,
    )


def complex_transform(real: np.ndarray, imaginary: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> tuple:
    """The complex transform of (points, frames), points a power of two. cosines, sines: (points, 1) of all angles.

    Decimation in time: transforms of `done` points of all interleaved parts become those of four times as many, or of
    twice where only two parts are left.
    """
    points, done = len(real), 1
    real, imaginary = (part.reshape(1, *part.shape) for part in (real, imaginary))
    while done < points:
        ways = 4 if points // done % 4 == 0 else 2
        parts = list(zip(np.split(real, ways, 1), np.split(imaginary, ways, 1), strict=True))
        for way in range(1, ways):
            turn = np.arange(done) * way * (points // (done * ways))
            parts[way] = turned_back(*parts[way], cosines[turn, None], sines[turn, None])
        real, imaginary = _butterfly(parts)
        done *= ways
    return real[:, 0], imaginary[:, 0]


def _butterfly(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The discrete transform over two or four parts, one after another along the first axis."""
    (a, ai), (b, bi), *rest = parts
    if not rest:
        return np.concatenate([a + b, a - b]), np.concatenate([ai + bi, ai - bi])
    (c, ci), (d, di) = rest
    whole, side, other, cross = (a + c, ai + ci), (a - c, ai - ci), (b + d, bi + di), (b - d, bi - di)
    return (
        np.concatenate([whole[0] + other[0], side[0] + cross[1], whole[0] - other[0], side[0] - cross[1]]),
        np.concatenate([whole[1] + other[1], side[1] - cross[0], whole[1] - other[1], side[1] + cross[0]]),
    )


def _rounded(values: np.ndarray, dtype: type) -> np.ndarray:
    table = np.floor(values + 0.5).astype(dtype)
    table.setflags(write=False)
    return table
