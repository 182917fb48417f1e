"""Impulse responses: what is drawn has the reverberation that it should, and what is recorded is read."""

import numpy as np
import pytest
import soundfile

from supernet.data import rooms
from supernet.data.rooms import draw_room, recorded_rooms, room_bank
from supernet.errors import InvalidData

RATE = 16_000


def reverberation_time(response: np.ndarray) -> float:
    """T60 in s by backward integration (Schroeder, JASA 1965), from 5 to 25 dB below the beginning."""
    energy = np.cumsum(np.square(response, dtype=np.float64)[::-1])[::-1]
    decibels = 10 * np.log10(energy / energy[0] + 1e-12)
    return 3 * (np.argmax(decibels < -25) - np.argmax(decibels < -5)) / RATE


@pytest.mark.parametrize("t60", [0.2, 0.5, 0.9])
def test_a_drawn_room_has_the_reverberation_time_that_is_drawn(t60, monkeypatch):
    monkeypatch.setattr(rooms, "T60_S", (t60, t60 + 1e-6))
    monkeypatch.setattr(rooms, "LARGEST_SIZE", (6.0, 5.0, 3.0))
    found = [reverberation_time(draw_room(np.random.default_rng(seed))) for seed in range(12)]
    assert np.median(found) == pytest.approx(t60, rel=0.35)


def test_a_drawn_room_begins_with_its_direct_sound_and_has_energy_one():
    for seed in range(8):
        response = draw_room(np.random.default_rng(seed))
        assert np.square(response).sum() == pytest.approx(1, rel=1e-4)
        assert np.abs(response[: 2 * rooms.LEAD]).max() > 0.2 * np.abs(response).max()


def test_a_bank_is_drawn_once_and_repeats(tmp_path, monkeypatch):
    first = room_bank(3, 5, tmp_path)
    monkeypatch.setattr(rooms, "draw_room", None)
    again = room_bank(3, 5, tmp_path)
    assert np.array_equal(first, again)
    assert first.shape == (3, RATE)


def test_recorded_rooms_join_the_drawn_ones(tmp_path):
    (tmp_path / "rooms").mkdir()
    response = np.zeros(4000, np.float32)
    response[[1000, 1500]] = 0.5, 0.25
    soundfile.write(tmp_path / "rooms" / "hall.wav", response, RATE)
    bank = room_bank(2, 5, tmp_path, tmp_path / "rooms")
    assert len(bank) == 3
    own = bank[2]
    assert np.flatnonzero(np.abs(own) > 0.01).tolist() == [rooms.LEAD, rooms.LEAD + 500]
    assert own[rooms.LEAD] / own[rooms.LEAD + 500] == pytest.approx(2, rel=1e-3)
    assert np.array_equal(bank[:2], room_bank(2, 5, tmp_path))


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(InvalidData, match="no impulse responses"):
        recorded_rooms(tmp_path, RATE, 100)
