"""What is chosen when models are made, by how many clips there are."""

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import pytest

from search.accuracy import LEAST_ROWS
from zoo.make import names
from zoo.make.names import warn_of_mixing
from zoo.make.recipe import HUB, QUICK, SPECIALIZE, TRAIN, fitting_batch, networks_told_apart


@pytest.mark.parametrize(("drawn", "batch"), [(28_000, 128), (2048, 128), (2047, 64), (176, 8), (3, 8)])
def test_few_clips_are_heard_in_small_batches(drawn, batch):
    assert fitting_batch(drawn) == batch


def test_few_clips_are_heard_in_more_epochs_and_many_in_those_of_the_recipe():
    """176 clips in batches of 8 are 22 steps an epoch: nine steps were too few for them."""
    for recipe in (TRAIN, SPECIALIZE):
        assert recipe.epochs_to_tune(10_000) == recipe.tune_epochs
        assert recipe.epochs_to_quantise(10_000) == recipe.quant_epochs
        for steps in (1, 5, 22):
            assert steps * recipe.epochs_to_tune(steps) >= 240
            assert steps * recipe.epochs_to_quantise(steps) >= 80
            assert steps * (recipe.epochs_to_tune(steps) - 1) < max(recipe.tune_steps, steps * recipe.tune_epochs)
    assert (HUB.epochs_to_tune(1), HUB.epochs_to_quantise(1)) == (HUB.tune_epochs, HUB.quant_epochs)
    assert TRAIN.epochs_to_tune(0) == 240


@pytest.mark.parametrize(("clips", "most", "measured"), [(33, 120, 34), (5, 120, LEAST_ROWS), (4000, 120, 120)])
def test_no_more_networks_are_measured_than_the_clips_tell_apart(clips, most, measured):
    assert networks_told_apart(clips, most) == measured
    assert replace(TRAIN, samples=most).fitted(1000, clips).samples == measured


@pytest.mark.parametrize(("clip_ms", "clips"), [(200, 2048), (1000, 2048), (5000, 409), (10_000, 256)])
def test_calibration_fits_into_memory(clip_ms, clips):
    assert TRAIN.fitted(clip_ms, 100).calibration_clips == clips
    assert replace(TRAIN, calibration_clips=100).fitted(clip_ms, 100).calibration_clips == 100


def test_recipes_are_frozen_and_quick_is_less_of_everything():
    with pytest.raises(FrozenInstanceError):
        TRAIN.samples = 3
    for name in ("tune_epochs", "tune_steps", "quant_epochs", "quant_steps", "samples", "evaluations", "finalists"):
        assert getattr(QUICK, name) < getattr(TRAIN, name)


@pytest.fixture
def hubs(tmp_path, monkeypatch):
    """A bundled hub that knows up and down as `tones`; the user's own has none."""
    entries = {tmp_path / "bundled": [SimpleNamespace(task="tones", labels=("up", "down", "_unknown_"))]}
    (tmp_path / "bundled").mkdir()
    (tmp_path / "bundled" / "index.json").touch()
    monkeypatch.setattr(names, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(names, "OWN_HUB", tmp_path / "own")
    monkeypatch.setattr(names, "Hub", lambda folder: SimpleNamespace(entries=entries[folder]))


@pytest.mark.parametrize(
    ("task", "labels", "told"),
    [
        ("tones", ("bell", "door", "_unknown_"), True),
        ("tones", ("down", "up", "_silence_"), False),
        ("doors", ("bell", "door"), False),
    ],
)
def test_a_task_whose_name_stands_for_other_labels_is_told(hubs, caplog, tmp_path, task, labels, told):
    warn_of_mixing(task, labels, tmp_path / "new")
    said = f"hub {tmp_path / 'bundled'} has models of it that know down, up, not bell, door; a look-up over both mixes"
    assert (said in caplog.text) is told
    assert bool(caplog.records) is told
