"""Long streams by compiled C: the integers of NumPy, and never a failure."""

import logging
import shutil

import numpy as np
import pytest
from named import narrowest

import zoo
from zoo.hubs.folder import BUNDLED
from zoo.run import compiled
from zoo.run.stream import Stream

NAME = narrowest()
CHUNKS = np.split(np.random.default_rng(3).normal(0, 2000, 64_000).astype(np.int16), [10, 9000, 9001, 30_000, 50_007])


@pytest.fixture
def stream(monkeypatch):
    model = zoo.Model.from_folder(BUNDLED / "models" / NAME)
    monkeypatch.setattr(compiled, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(compiled, "BUILD_SECONDS", 1)
    return Stream(model.frontend, model.network)


def assert_numpy(stream, found):
    for ours, theirs in zip(found, stream.answers(CHUNKS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler is installed")
def test_a_long_stream_is_built_once_and_goes_on_with_the_same_integers(stream, tmp_path):
    folder = tmp_path / "c"
    assert_numpy(stream, list(compiled.answers(stream, CHUNKS, folder)))
    [built] = folder.glob("*.so")
    time = built.stat().st_mtime_ns
    assert_numpy(stream, list(compiled.answers(stream, CHUNKS, folder)))
    assert [path.stat().st_mtime_ns for path in folder.iterdir()] == [time]


def test_a_short_stream_builds_nothing(stream, tmp_path):
    list(compiled.answers(stream, CHUNKS[:2], tmp_path / "c"))
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("reason", ["compiler", "words", "folder", "asked"])
def test_numpy_goes_on_where_nothing_is_to_be_built(reason, stream, tmp_path, monkeypatch, caplog):
    if reason == "compiler":
        monkeypatch.setenv("CC", shutil.which("false"))
    if reason == "words":
        script = tmp_path.parent / f"{tmp_path.name}_cc"
        script.write_bytes(b"#!/bin/sh\nprintf 'caf\\351' >&2\nexit 1\n")
        script.chmod(0o755)
        monkeypatch.setenv("CC", str(script))
    if reason == "folder":
        tmp_path.chmod(0o777)
    if reason == "asked":
        monkeypatch.setattr(compiled, "COMPILE", False)
    with caplog.at_level(logging.INFO):
        assert_numpy(stream, list(compiled.answers(stream, CHUNKS, tmp_path)))
    assert not list(tmp_path.iterdir())
    said = {"compiler": "does not build the model", "words": "the model: caf\ufffd",
            "folder": "may be written by others", "asked": ""}[reason]  # fmt: skip
    assert ("NumPy hears the stream" in caplog.text, said in caplog.text) == (bool(said), True)


def test_chunks_in_a_place_that_is_used_again_are_heard_as_they_were(stream, tmp_path):
    def chunks():
        place = np.empty(max(map(len, CHUNKS)), np.int16)
        for chunk in CHUNKS:
            place[: len(chunk)] = chunk
            yield place[: len(chunk)]

    assert_numpy(stream, list(compiled.answers(stream, chunks(), tmp_path / "c")))


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler is installed")
def test_a_library_that_does_not_load_is_taken_away_and_numpy_goes_on(stream, tmp_path):
    folder = tmp_path / "c"
    list(compiled.answers(stream, CHUNKS, folder))
    [built] = folder.glob("*.so")
    place = built.parent / "other"
    place.mkdir(mode=0o700)
    (place / built.name).write_bytes(b"")
    assert_numpy(stream, list(compiled.answers(stream, CHUNKS, place)))
    assert all(path.stat().st_size for path in place.iterdir())
