"""The tables of the front ends against scipy, against triangles drawn one by one, and against torchaudio."""

import math

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch

from supernet.frontend.tables import cosine_transform, hann_window, mel_filters

SIZES = [(40, 512, 20.0, 8000.0, 16_000), (64, 1024, 0.0, 7600.0, 16_000), (13, 256, 100.0, 4000.0, 8_000)]


def mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def triangle(band: int, hertz: float, mels: int, low: float, high: float) -> float:
    """Of a filter, how much it takes of a frequency: it rises and falls in a straight line between three neighbours."""
    spacing = (mel(high) - mel(low)) / (mels + 1)
    start, peak, end = (700 * (10 ** ((mel(low) + (band + one) * spacing) / 2595) - 1) for one in range(3))
    if hertz <= peak:
        return max(0.0, (hertz - start) / (peak - start))
    return max(0.0, (end - hertz) / (end - peak))


@pytest.mark.parametrize(("mels", "fft", "low", "high", "rate"), SIZES)
def test_mel_filters_are_triangles_between_equally_spaced_mels(mels, fft, low, high, rate):
    filters = mel_filters(mels, fft, low, high, rate)
    assert filters.dtype == np.float32
    expected = [
        [triangle(band, one * rate / fft, mels, low, high) for band in range(mels)] for one in range(fft // 2 + 1)
    ]
    np.testing.assert_allclose(filters, expected, atol=1e-7)


@pytest.mark.parametrize(("mels", "fft", "low", "high", "rate"), SIZES)
def test_mel_filters_are_torchaudios(mels, fft, low, high, rate, torchaudio):
    theirs = torchaudio.functional.melscale_fbanks(fft // 2 + 1, low, high, mels, rate, norm=None, mel_scale="htk")
    np.testing.assert_allclose(mel_filters(mels, fft, low, high, rate), theirs.numpy(), atol=2e-4)


@pytest.mark.parametrize(("coefficients", "mels"), [(40, 40), (10, 40), (13, 64)])
def test_the_cosine_transform_is_scipys(coefficients, mels):
    expected = scipy.fft.dct(np.eye(mels), type=2, norm="ortho", axis=0)[:coefficients]
    np.testing.assert_allclose(cosine_transform(coefficients, mels), expected, atol=1e-7)


def test_the_cosine_transform_is_torchaudios(torchaudio):
    theirs = torchaudio.functional.create_dct(10, 40, norm="ortho").T
    np.testing.assert_allclose(cosine_transform(10, 40), theirs.numpy(), atol=1e-6)


@pytest.mark.parametrize("samples", [480, 400, 7])
def test_the_window_is_the_periodic_hann_window(samples):
    np.testing.assert_allclose(hann_window(samples), scipy.signal.windows.hann(samples, sym=False), atol=1e-7)
    np.testing.assert_allclose(hann_window(samples), torch.hann_window(samples).numpy(), atol=1e-6)


@pytest.mark.parametrize("table", [hann_window(480), mel_filters(*SIZES[0]), cosine_transform(40, 40)])
def test_tables_are_shared_and_cannot_be_written_to(table):
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1
