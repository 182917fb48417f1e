"""Playing speeds, by torchaudio and by soxr where it does not load."""

import logging
import sys

import numpy as np
import pytest
import torch

from supernet.data import effects

RATE = 16_000
BROKEN = "raise OSError('undefined symbol: torch_exception_get_what_without_backtrace')\n"


@pytest.fixture(params=["torchaudio", "soxr"])
def by(request, monkeypatch):
    """Who resamples."""
    functional = request.getfixturevalue("torchaudio").functional if request.param == "torchaudio" else None
    monkeypatch.setattr(effects, "_torchaudio", lambda: functional)
    assert effects.resampler() == request.param
    return request.param


def sines(*hertz: float) -> torch.Tensor:
    """A second of each, which swells and fades."""
    time = torch.arange(RATE) / RATE
    return torch.stack([torch.sin(2 * torch.pi * one * time) * torch.sin(torch.pi * time) ** 2 for one in hertz])


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_a_speed_moves_pitch_and_length_of_each_clip(by, speed):
    played = effects.play(sines(300, 1000), speed)
    assert played.dtype == torch.float32
    assert abs(played.shape[1] - RATE / speed) <= 1
    spectrum = torch.fft.rfft(played, n=4 * RATE).abs().argmax(1) / 4
    np.testing.assert_allclose(spectrum.numpy(), [300 * speed, 1000 * speed], atol=0.5)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_both_make_the_same_sound(torchaudio, monkeypatch, speed):
    made = []
    for functional in (torchaudio.functional, None):
        monkeypatch.setattr(effects, "_torchaudio", lambda found=functional: found)
        made.append(effects.play(sines(300, 3000), speed))
    length = min(one.shape[1] for one in made)
    assert (made[0][:, :length] - made[1][:, :length]).abs().max() < 0.01


def test_a_torchaudio_that_does_not_load_is_said_once_and_done_without(monkeypatch, tmp_path, caplog):
    package, about = tmp_path / "torchaudio", tmp_path / "torchaudio-9.9.dist-info"
    for folder in (package, about):
        folder.mkdir()
    (package / "__init__.py").write_text(BROKEN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torchaudio\nVersion: 9.9\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    _check_done_without(caplog, f"torchaudio 9.9 does not load beside torch {torch.__version__} (undefined symbol")


def test_no_torchaudio_is_said_once_and_done_without(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    _check_done_without(caplog, "torchaudio is not installed")


def _check_done_without(caplog, said: str) -> None:
    effects._torchaudio.cache_clear()
    try:
        with caplog.at_level(logging.INFO):
            for _ in range(2):
                assert effects.resampler() == "soxr"
                assert effects.play(sines(300), 0.9).shape == (1, round(RATE / 0.9))
        [record] = caplog.records
        assert said in record.getMessage()
        assert record.getMessage().endswith("soxr makes playing speeds")
    finally:
        effects._torchaudio.cache_clear()
