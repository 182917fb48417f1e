"""Codecs: what comes out is the sound that went in, at its place, with the band and the error of the codec."""

import numpy as np
import pytest

from supernet.data.codecs import CODECS, coded

RATE = 16_000


def chord(*hertz: float) -> np.ndarray:
    time = np.arange(RATE) / RATE
    return (0.2 * sum(np.sin(2 * np.pi * one * time) for one in hertz) * np.hanning(RATE)).astype(np.float32)


def power_at(sound: np.ndarray, hertz: int) -> float:
    return float(np.abs(np.fft.rfft(sound)[hertz - 2 : hertz + 3]).max())


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_keeps_the_sound_at_its_place_and_its_own_band(name):
    sound = chord(500, 1100, 6000)
    heard = coded(sound, RATE, CODECS[name])
    assert (heard.dtype, heard.shape) == (np.float32, sound.shape)
    for hertz in (500, 1100):
        assert power_at(heard, hertz) == pytest.approx(power_at(sound, hertz), rel=0.2)
    if CODECS[name].rate == 8000:
        assert power_at(heard, 6000) < 0.05 * power_at(sound, 6000)
    low = chord(500, 1100)
    lags = [np.dot(np.roll(coded(low, RATE, CODECS[name]), -lag), low) for lag in range(-40, 41)]
    assert abs(int(np.argmax(lags)) - 40) <= 8  # half a millisecond


@pytest.mark.parametrize("name", CODECS)
def test_silence_and_full_scale_pass(name):
    assert np.abs(coded(np.zeros(RATE, np.float32), RATE, CODECS[name])).max() < 0.002
    loud = np.sign(chord(300)).astype(np.float32)
    assert np.isfinite(coded(loud, RATE, CODECS[name])).all()
    assert coded(loud[:999], RATE, CODECS[name]).shape == (999,)
