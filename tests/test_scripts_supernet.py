"""The scripts that ask of a supernet whether its slices and its schedule are good, at a toy size."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supernet.data.augment import plain_features
from supernet.elastic import Supernet
from supernet.frontend import LogMel
from supernet.store import save_supernet
from supernet.train import Recipe, calibration_features, fit_frontend

SCRIPTS = str(Path(__file__).parent.parent / "scripts")
SEEDS = {"smallest": 2, "largest": 1}


@dataclass(frozen=True)
class SmallBatch(Recipe):
    batch: int = 8


@pytest.fixture
def space(map_space):
    return replace(map_space, clip_ms=1000, coefficients=(40,))


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Folder in which both scripts' rows land, as from a clean checkout."""
    monkeypatch.syspath_prepend(SCRIPTS)
    import claim
    import plain
    import results
    import schedules

    monkeypatch.setattr(results, "_commit", lambda: "0123456789")
    for module in (claim, plain, schedules):
        monkeypatch.setattr(module, "add_row", partial(results.add_row, folder=tmp_path / "results"))
    return tmp_path / "results"


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["script", *map(str, arguments)])
    module.main()


def contents(folder):
    return {path.name: path.read_text() for path in folder.glob("*.csv")}


def test_the_claim_measures_four_ways_on_the_same_clips(space, speech_data, tables, tmp_path, monkeypatch):
    import claim

    frontend = fit_frontend(speech_data, 1, LogMel)
    supernet = Supernet(space, calibration_features(speech_data, frontend, 22)).eval()
    info = {"name": "tones", "licence": "cc-by-4.0", "attribution": "the tests", "training": {}}
    folder = save_supernet(tmp_path / "supernet", supernet, frontend, "tones", speech_data.labels, info)
    monkeypatch.setattr(claim, "load", lambda root: speech_data)
    monkeypatch.setattr(claim, "Recipe", SmallBatch)
    monkeypatch.setattr(claim, "SIZES", SEEDS)
    monkeypatch.setattr(claim, "uniform_archs", lambda classes: {"largest": space.largest()})
    options = ["data", "--supernet", folder, "--task", "tones", "--epochs", 1, "--tune-epochs", 1]
    options += ["--rank-networks", 3, "--runs", tmp_path / "runs"]
    run(claim, monkeypatch, *options)
    written = contents(tables)
    rows = pd.read_csv(tables / "claim.csv")
    counts = rows.groupby(["size", "way"]).size().to_dict()
    for size, seeds in SEEDS.items():
        assert {way: counts[size, way] for way in claim.WAYS} == {
            way: 1 if way == "slice" else seeds for way in claim.WAYS
        }
    test = speech_data.splits["test"]
    answers = (
        supernet(plain_features(speech_data, test.rows, frontend).float() / 32, space.smallest()).argmax(1).numpy()
    )
    sliced = rows[(rows["size"] == "smallest") & (rows.way == "slice")].iloc[0]
    assert sliced.test == round(100 * np.mean(answers == test.targets), 2)
    means = rows[rows["size"] == "smallest"].groupby("way").test.mean()
    for row in pd.read_csv(tables / "claim_intervals.csv").query("size == 'smallest'").itertuples():
        assert row.difference == pytest.approx(means[row.first] - means[row.second], abs=0.02)
        assert row.low <= row.difference <= row.high
    assert len(pd.read_csv(tables / "rank.csv")) == len(SEEDS) + 3
    assert pd.read_csv(tables / "rank_correlation.csv").value.between(-1, 1).all()
    run(claim, monkeypatch, *options)
    assert contents(tables) == written


def test_the_schedules_are_measured_on_the_same_networks(small_space, speech_data, tables, tmp_path, monkeypatch):
    import schedules

    monkeypatch.setattr(schedules, "load", lambda root: speech_data)
    monkeypatch.setattr(schedules, "space", lambda family, classes, clip_ms: small_space)
    monkeypatch.setattr(schedules, "TIMED_STEPS", 2)
    monkeypatch.setattr(schedules, "CLASSES", {"small": (0.0, 0.2e6), "large": (0.2e6, np.inf)})
    short = {name: replace(recipe, batch=8) for name, recipe in schedules.SCHEDULES.items()}
    monkeypatch.setattr(schedules, "SCHEDULES", short)
    options = ["data", "--minutes", 0.001, "--runs", tmp_path / "runs"]
    run(schedules, monkeypatch, *options)
    written = contents(tables)
    rows = pd.read_csv(tables / "schedules.csv")
    assert set(rows.schedule) == set(short)
    assert rows["mean"].to_numpy() == pytest.approx(rows[["small", "large"]].mean(axis=1).to_numpy(), abs=0.01)
    assert (rows.epochs >= 1).all()
    run(schedules, monkeypatch, *options)
    assert contents(tables) == written
