"""The integer form of the mel front ends against floating point in 64 bits, and against its own bounds."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.errors import InvalidModel
from supernet.frontend import front_end
from supernet.frontend.base import quantise
from supernet.frontend.fixed import (
    SUM_BITS,
    doubled_spectrum,
    energies,
    guard_bits,
    log2_fixed,
    mel_tables,
)
from supernet.frontend.logmel import LogMel
from supernet.frontend.mel import MelFrontEnd
from supernet.frontend.mfcc import Mfcc
from supernet.frontend.tables import mel_filters
from supernet.samples import from_int16, to_int16

RATE = 16_000
CLIPS = Path(__file__).parent.parent / "zoo" / "clips"
LEAST_EQUAL = {"logmel": 0.995, "mfcc": 0.97}
EXTREMES = {
    "silence": np.zeros(RATE, np.int16),
    "full scale": np.full(RATE, 32767, np.int16),
    "lowest": np.full(RATE, -32768, np.int16),
    "alternating": np.tile(np.array([32767, -32768], np.int16), RATE // 2),
    "square of 100 Hz": np.tile(np.repeat(np.array([32767, -32768], np.int16), 80), RATE // 160),
    "impulses": np.where(np.arange(RATE) % 163 == 0, -32768, 0).astype(np.int16),
    "one step": np.tile(np.array([0, 1], np.int16), RATE // 2),
}


def recordings() -> np.ndarray:
    """(clips, samples) int16: the words that come with the package, and noise that grows louder."""
    words = [soundfile.read(path, dtype="int16")[0][:RATE] for path in sorted(CLIPS.glob("*.wav"))]
    words = [np.pad(word, (0, RATE - len(word))) for word in words]
    noise = np.random.default_rng(0).standard_normal(RATE) * np.geomspace(3, 8000, RATE)
    return np.stack([*words, noise.clip(-32768, 32767).astype(np.int16)])


def fitted(kind: str, clips: np.ndarray) -> MelFrontEnd:
    raw = front_end(kind)()(from_int16(clips))
    mean, deviation = (tuple(value.tolist()) for value in (raw.mean((0, 2)), raw.std((0, 2))))
    return front_end(kind)(mean=mean, deviation=deviation)


@pytest.mark.parametrize("kind", LEAST_EQUAL)
@pytest.mark.parametrize("gain_db", [0, -30])
@pytest.mark.parametrize("form", [(40, 10), (20, 20)])
def test_features_are_those_in_floating_point_or_the_next_step(kind, gain_db, form):
    clips = recordings()
    frontend = fitted(kind, clips).select(*form)
    heard = to_int16(from_int16(clips) * 10 ** (gain_db / 20))
    own, real = frontend.run(heard), quantise(frontend(from_int16(heard)))
    assert own.shape == (len(clips), *(form[0], 1000 // form[1]))
    assert np.abs(own.astype(int) - real).max() <= 1
    assert (own == real).mean() >= LEAST_EQUAL[kind]


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("kind", LEAST_EQUAL)
def test_extremes_do_not_overflow(name, kind):
    """Against floating point in 64 bits, which training's 32 are no measure for beside so loud tones."""
    frontend = fitted(kind, recordings())
    own, real = frontend.run(EXTREMES[name][None])[0], in_floating_point(frontend, EXTREMES[name])
    assert np.abs(own.astype(int) - real).max() <= 1


def in_floating_point(frontend: MelFrontEnd, clip: np.ndarray) -> np.ndarray:
    """(coefficients, frames) int8 by the definition."""
    padded = np.concatenate([np.zeros(frontend.window_samples - frontend.hop_samples), clip / 2**15])
    windows = np.lib.stride_tricks.sliding_window_view(padded, frontend.window_samples)[:: frontend.hop_samples]
    spectrum = np.fft.rfft(windows * (mel_tables(frontend).whole_window / 2**30), frontend.fft)
    filters = mel_filters(frontend.mels, frontend.fft, frontend.low_hz, frontend.high_hz, frontend.sampling_rate)
    logarithms = np.log(np.maximum(np.abs(spectrum) ** 2 @ filters, frontend.floor))
    values = logarithms if frontend.cosines is None else logarithms @ frontend.cosines.T
    return quantise(((values - frontend.mean) / frontend.deviation).astype(np.float32)).T


@pytest.mark.parametrize(("fft", "window_ms"), [(512, 30), (256, 16), (1024, 30), (8192, 500)])
def test_no_sum_passes_its_bits(fft, window_ms):
    """The bound, and samples at their loudest, each with the sign that a bin likes best."""
    tables = mel_tables(LogMel(fft=fft, window_ms=window_ms, mels=20, coefficients=20))
    window = tables.whole_window / 2**30
    whole = 2**15 * 2**tables.guard * window.sum()
    assert 2 * whole + fft < 2**31
    assert 4 * whole > 2**31 - 2**16, "and one more guard bit would"
    power = fft * np.square(2 * 2**15 * 2**tables.guard * window).sum()
    assert 2**60 < power / 2**tables.power_shift * 2**15 < 2**SUM_BITS * 1.01 or tables.power_shift == 2
    for bin_number in (0, 1, 7, fft // 4, fft // 2):
        wave = np.cos(2 * np.pi * bin_number * np.arange(len(window)) / fft)
        loudest = np.where(wave >= 0, 32767, -32768).astype(np.int16)[None]
        for part in doubled_spectrum(tables, loudest):
            assert np.abs(part).max() < 2**31
        assert (energies(tables, loudest, tables.least) < 2.0**SUM_BITS).all()


@pytest.mark.parametrize("fft", [8, 16, 32, 128, 512, 1024])
def test_the_spectrum_is_the_fourier_transform(fft):
    """Of the windowed samples, within their rounding; twice a power of four has a pass by two."""
    rate = 1000 * fft // 8
    frontend = MelFrontEnd(
        fft=fft, window_ms=8, step_ms=4, sampling_rate=rate, mels=1, coefficients=1, high_hz=rate / 2
    )
    tables = mel_tables(frontend)
    windows = np.random.default_rng(fft).integers(-32768, 32768, (5, tables.window_samples), np.int16)
    real, imaginary = doubled_spectrum(tables, windows)
    wanted = 2 * 2.0**tables.guard * np.fft.rfft(windows * (tables.whole_window / 2**30), fft).T
    assert np.abs(real - wanted.real).max() < 8 * np.sqrt(fft)
    assert np.abs(imaginary - wanted.imag).max() < 8 * np.sqrt(fft)


@pytest.mark.parametrize(("rate", "window_ms"), [(8000, 1), (15_000, 1), (16_000, 30), (37_000, 13)])
def test_a_whole_window_follows_from_half(rate, window_ms):
    one = {"mels": 1, "coefficients": 1, "step_ms": 1, "high_hz": rate / 2}
    tables = mel_tables(MelFrontEnd(fft=512, window_ms=window_ms, sampling_rate=rate, **one))
    samples = rate * window_ms // 1000
    wanted = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    assert np.abs(tables.whole_window - wanted * 2**30).max() <= 0.5 + 1e-6


def test_a_whole_wave_follows_from_a_quarter():
    cosines, sines = mel_tables(LogMel()).waves
    angles = 2 * np.pi * np.arange(512) / 512
    assert np.abs(cosines - np.cos(angles) * 2**30).max() <= 0.5
    assert np.abs(sines - np.sin(angles) * 2**30).max() <= 0.5


@examples(200)
@given(st.integers(1, 2**SUM_BITS - 1))
def test_logarithms_are_right_to_a_thousandth_of_a_percent_of_an_octave(value):
    found = log2_fixed(np.array([value]), mel_tables(LogMel()).logarithm)[0] / 2**16
    assert found == pytest.approx(float(np.log2(float(value))), abs=3e-5)


@pytest.mark.parametrize("bits", range(1, SUM_BITS))
def test_logarithms_beside_powers_of_two(bits):
    """Where floating point would round up to the next."""
    table = mel_tables(LogMel()).logarithm
    below, at = (log2_fixed(np.array([value]), table)[0] for value in (2**bits - 1, 2**bits))
    assert at == bits << 16
    assert below <= at


@pytest.mark.parametrize("kind", LEAST_EQUAL)
def test_tables_are_small_and_the_same_everywhere(kind):
    tables = mel_tables(fitted(kind, recordings()))
    values = (getattr(tables, field.name) for field in fields(tables))
    held = [value for value in values if isinstance(value, np.ndarray)]
    assert sum(value.nbytes for value in held) <= 6000
    assert not any(value.flags.writeable for value in (tables.window, tables.cosines, tables.rising, tables.logarithm))
    wanted = {
        "logmel": "fc66ee6797b87568d2fced283ef5d934a194e39e646941b76ac4ad9b62f1dee6",
        "mfcc": "5c769741810897c9bc9f2179578f715f012414e795fd2118f6866c21b68bfefe",
    }
    assert mel_tables(front_end(kind)()).digest == wanted[kind]


def test_a_length_that_is_no_power_of_two_has_no_integer_form():
    with pytest.raises(InvalidModel, match="fft = 480 has no integer form"):
        mel_tables(LogMel(fft=480))


def test_absurd_statistics_saturate():
    """Values that a package may state: far off and narrow, or wide."""
    clips = recordings()
    narrow = replace(Mfcc(), mean=(20_000.0,) * 40, deviation=(1e-6,) * 40)
    wide = replace(Mfcc(), mean=(-20_000.0,) * 40, deviation=(20_000.0,) * 40)
    assert (narrow.run(clips) == -128).all()
    assert (wide.run(clips) == 32).all()


def test_a_mean_that_32_bits_do_not_hold_is_refused():
    with pytest.raises(InvalidModel, match="a mean of -30000 has no integer form: give up to 20000"):
        mel_tables(Mfcc(mean=(0.0, -30_000.0) * 20, deviation=(1.0,) * 40))


def test_more_guard_bits_for_shorter_windows():
    assert guard_bits(np.hanning(481)[:480]) == 7
    assert guard_bits(np.hanning(31)[:30]) == 11
