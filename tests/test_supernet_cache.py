"""The cache of decoded audio: one more recording is decoded alone, and what is not used goes."""

import os
import time

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone

from supernet.data import recordings
from supernet.data.cache import cached_array, trim
from supernet.data.folder import load_folder

DAY = 24 * 3600


@pytest.fixture
def sounds(tmp_path):
    """Two classes of 20 clips at a rate of their own, one of two windows, and one that cannot be read."""
    for number, label in enumerate(("bell", "door")):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for take in range(20):
            add(tmp_path / "sounds", f"{label}/{take}.wav", 100 * number + take)
    add(tmp_path / "sounds", "bell/long.wav", 7, 2.0)
    (tmp_path / "sounds" / "door" / "bad.wav").write_bytes(b"RIFF no sound")
    return tmp_path / "sounds"


def add(root, name, seed, seconds=0.5):
    soundfile.write(root / name, tone(700, seconds, seed), 22_050)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded from here on."""
    names, decode = [], recordings._decode_one

    def counting(item, *others):
        names.append(item.name)
        return decode(item, *others)

    monkeypatch.setattr(recordings, "_decode_one", counting)
    return names


def arrays(cache):
    return sorted(path.name for path in (cache / "audio").glob("*.npy"))


def assert_as_fresh(root, cache, fresh, **options):
    """What comes from the cache is what is decoded without one; returns it."""
    data, survey = load_folder(root, cache=cache, **options)
    anew, told = load_folder(root, cache=fresh, **options)
    assert np.array_equal(data.audio, anew.audio)
    assert (data.digest, str(survey)) == (anew.digest, str(told))
    assert all(np.array_equal(data.splits[name].rows, anew.splits[name].rows) for name in data.splits)
    return data


def test_one_more_recording_is_decoded_alone(sounds, tmp_path, decoded):
    cache = tmp_path / "cache"
    load_folder(sounds, cache=cache)
    assert len(decoded) == 42
    decoded.clear()
    add(sounds, "bell/10b.wav", 999)  # in the middle of the others, so that the rows of those behind it move
    load_folder(sounds, cache=cache)
    assert sorted(decoded) == ["bell/10b.wav", "door/bad.wav"]
    decoded.clear()
    assert_as_fresh(sounds, cache, tmp_path / "fresh")
    assert len(decoded) == 43
    assert len(arrays(cache)) == 1


def test_changed_and_removed_recordings_are_not_taken_from_before(sounds, tmp_path, decoded):
    load_folder(sounds, cache=tmp_path / "cache")
    decoded.clear()
    add(sounds, "bell/3.wav", 555, 1.7)
    (sounds / "door" / "5.wav").unlink()
    (sounds / "door" / "6.wav").rename(sounds / "door" / "60.wav")
    (sounds / "door" / "bad.wav").unlink()
    load_folder(sounds, cache=tmp_path / "cache")
    assert sorted(decoded) == ["bell/3.wav", "door/60.wav"]
    assert_as_fresh(sounds, tmp_path / "cache", tmp_path / "fresh")
    assert len(arrays(tmp_path / "cache")) == 1


def test_noise_clips_of_another_length_and_another_folder_are_as_fresh(sounds, tmp_path, decoded, monkeypatch):
    cache = tmp_path / "cache"
    load_folder(sounds, cache=cache)
    (sounds / "_background_noise_").mkdir()
    soundfile.write(sounds / "_background_noise_" / "hum.wav", tone(50, 12, 1), RATE)
    decoded.clear()
    load_folder(sounds, cache=cache)
    assert decoded == ["door/bad.wav"]
    assert_as_fresh(sounds, cache, tmp_path / "fresh")
    assert_as_fresh(sounds, cache, tmp_path / "fresh", clip_ms=500)
    assert len(arrays(cache)) == 2
    decoded.clear()
    monkeypatch.chdir(tmp_path)
    load_folder("sounds", cache=cache)  # however the folder is called
    assert decoded == []


def test_tables_of_parts_of_a_folder_keep_what_the_others_lack(sounds, tmp_path, decoded):
    cache, tables = tmp_path / "cache", []
    for part in (range(12), range(8, 20), range(20)):
        tables.append(tmp_path / f"{len(tables)}.csv")
        rows = [f"{label}/{take}.wav,{label}" for label in ("bell", "door") for take in part]
        tables[-1].write_text("\n".join(["file,label", *rows]))
    load_folder(sounds, tables[0], cache=cache)
    load_folder(sounds, tables[1], cache=cache)
    assert len(decoded) == 40
    assert len(arrays(cache)) == 2
    assert_as_fresh(sounds, cache, tmp_path / "fresh", table=tables[2])
    assert len(arrays(cache)) == 1
    decoded.clear()
    load_folder(sounds, tables[0], cache=cache)
    assert decoded == []


def test_an_entry_that_another_process_removes_is_decoded_again(sounds, tmp_path, decoded):
    cache = tmp_path / "cache"
    load_folder(sounds, cache=cache)
    for path in (cache / "audio").glob("*.json"):
        path.unlink()
    add(sounds, "bell/more.wav", 999)
    assert_as_fresh(sounds, cache, tmp_path / "fresh")


def test_the_cache_keeps_to_its_limit_but_for_what_was_used_within_an_hour(tmp_path):
    names = [f"{number:064x}" for number in range(4)]
    for number, name in enumerate(names):
        cached_array(tmp_path / "speeds" / f"{name}.npy", (1000,), np.int16, lambda array: None)
        age = time.time() - (10 - number) * DAY
        os.utime(tmp_path / "speeds" / f"{name}.npy", (age, age))
    (tmp_path / "speeds" / f"{names[0]}.json").write_text("{}")
    for other in ("mine.npy", f"{names[0]}.wav"):
        (tmp_path / "speeds" / other).write_bytes(bytes(9000))
    cached_array(tmp_path / "speeds" / f"{names[1]}.npy", (1000,), np.int16, lambda array: None)  # is used now
    trim(tmp_path, 3 * 2128)
    left = {path.name for path in (tmp_path / "speeds").iterdir() if path.suffix != ".lock"}
    assert left == {"mine.npy", f"{names[0]}.wav", *(f"{name}.npy" for name in names[1:])}
    trim(tmp_path, 0)
    assert [path.stem for path in (tmp_path / "speeds").glob("0*.npy")] == [names[1]]


def test_a_new_array_makes_room_and_parts_of_killed_processes_go(tmp_path, monkeypatch):
    monkeypatch.setattr("supernet.data.cache.MOST_BYTES", 3000)
    part = tmp_path / "audio" / f"{7:064x}.part"
    part.parent.mkdir()
    part.write_bytes(bytes(5000))
    os.utime(part, (1, 1))
    made = cached_array(tmp_path / "rooms" / f"{8:064x}.npy", (1000,), np.int16, lambda array: array.fill(3))
    assert not part.exists()
    assert (made == 3).all()
