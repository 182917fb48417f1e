"""Measuring, with runners whose time is a formula."""

import dataclasses

import numpy as np
import pytest
from last_steps import AGAIN, HOWS, counted, fails, files

import predictors
from predictors import measure as module
from predictors.boosting import Own
from predictors.device import add_profile
from predictors.measure import REPEATS, WARM_UP, host, latencies, measure
from predictors.runners import RUNNERS
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import macs
from supernet.errors import InvalidProfile
from supernet.families.dense import DenseChoices
from supernet.layer import layers
from supernet.space import default_space
from zoo.cli import main

SPACE = default_space("temporal", 12, features="logmel")
BOARD = {"device": "board", "core": "Cortex-M4", "clock_mhz": 100}


class Formula:
    """1 ms and 1 ns a MAC, on a machine that gets slower from batch to batch."""

    runtime, version = "Earshot formula", "1"

    def as_run(self, arch):
        return arch

    def prepare(self, arch):
        return 1 + 1e-6 * macs(arch)


class Emulated:
    """8 instructions a MAC and 1,000 a layer; fails at a network beyond `most`."""

    runtime, version, device = "Earshot formula", "1", {"device": "emulated", "core": "Cortex-M4"}

    def __init__(self, most=1000):
        self.most = most

    def as_run(self, arch):
        return with_bits(arch, 8)

    def count(self, arch):
        self.most -= 1
        if self.most < 0:
            raise KeyboardInterrupt
        return 8 * macs(arch) + 1000 * len(layers(arch))


@pytest.fixture
def drifting(monkeypatch):
    """`latencies` of a Formula; fails when it is called more often than `most`."""
    state = {"calls": 0, "most": 100}

    def said(runs):
        state["calls"] += 1
        if state["calls"] > state["most"]:
            raise KeyboardInterrupt
        return np.repeat(np.array(runs)[:, None], REPEATS, axis=1) * (1 + 0.2 * state["calls"])

    monkeypatch.setattr(module, "latencies", said)
    return state


def test_rounds_go_over_all_networks_in_turn_and_warm_up_is_not_counted():
    now, order = [0.0], []

    def run(name, seconds):
        def call():
            order.append(name)
            now[0] += seconds if len(order) > 2 * WARM_UP else 100.0

        return call

    times = latencies([run("a", 0.002), run("b", 0.005)], clock=lambda: now[0])
    assert times.shape == (2, REPEATS)
    assert np.allclose(times, [[2.0], [5.0]])
    assert order == ["a", "b"] * (WARM_UP + REPEATS)


def test_what_drifts_between_batches_is_taken_out(drifting, tmp_path):
    rows = measure(SPACE, Formula(), 50, tmp_path / "board.csv", device=BOARD, progress=False)
    expected = 1.2 * (1 + 1e-6 * rows["macs"])
    assert np.allclose(rows["latency_ms"], expected, rtol=1e-4)
    assert rows["arch"].nunique() == 50
    assert rows["arch"].tolist()[:2] == [SPACE.smallest().to_json(), SPACE.largest().to_json()]


def test_a_run_that_was_stopped_ends_with_the_same_rows(drifting, tmp_path):
    whole = measure(SPACE, Formula(), 70, tmp_path / "whole.csv", device=BOARD, progress=False)
    drifting.update(calls=0, most=2)
    with pytest.raises(KeyboardInterrupt):
        measure(SPACE, Formula(), 70, tmp_path / "stopped.csv", device=BOARD, progress=False)
    drifting.update(most=100, calls=2)
    resumed = measure(SPACE, Formula(), 70, tmp_path / "stopped.csv", device=BOARD, progress=False)
    assert resumed["arch"].tolist() == whole["arch"].tolist()
    assert np.allclose(resumed["latency_ms"], whole["latency_ms"])


def test_a_file_of_another_device_is_not_gone_on_with(drifting, tmp_path):
    measure(SPACE, Formula(), 4, tmp_path / "board.csv", device=BOARD, progress=False)
    mfcc = default_space("temporal", 12)
    with pytest.raises(InvalidProfile, match="of another space"):
        measure(mfcc, Formula(), 8, tmp_path / "board.csv", device=BOARD, progress=False)
    with pytest.raises(InvalidProfile, match="device 'board', not 'other'"):
        measure(SPACE, Formula(), 8, tmp_path / "board.csv", device={**BOARD, "device": "other"}, progress=False)


def test_instructions_are_counted_once_and_go_on_where_they_stopped(tmp_path):
    rows = measure(SPACE, Emulated(50), 50, tmp_path / "m4.csv", progress=False)
    archs = [Arch.from_json(text) for text in rows["arch"]]
    assert rows["instructions"].tolist() == [Emulated().count(arch) for arch in archs]
    assert archs[:2] == [with_bits(arch, 8) for arch in (SPACE.smallest(), SPACE.largest())]
    assert len(set(archs)) == 50
    assert rows["latency_ms"].isna().all()
    with pytest.raises(KeyboardInterrupt):
        measure(SPACE, Emulated(30), 50, tmp_path / "stopped.csv", progress=False)
    assert len(module.read_measurements(tmp_path / "stopped.csv").rows) == 20
    again = measure(SPACE, Emulated(30), 50, tmp_path / "stopped.csv", progress=False)
    assert again["arch"].tolist() == rows["arch"].tolist()
    (profile,) = add_profile("m4", tmp_path / "m4.csv", tmp_path / "kept")
    assert (profile.device, profile.core, profile.clock_mhz) == ("emulated", "Cortex-M4", None)
    said = predictors.estimate_many(module.sample(SPACE, 20, np.random.default_rng(1)), "m4", folder=tmp_path / "kept")
    assert np.allclose(said["instructions"], 8 * said["macs"] + 1000 * said["layers"], rtol=0.05)
    with pytest.raises(InvalidProfile, match="device 'emulated', not 'other'"):
        measure(SPACE, Emulated(), 60, tmp_path / "m4.csv", device={**BOARD, "device": "other"}, progress=False)


def test_a_space_of_fewer_networks_than_are_wanted_ends(tmp_path):
    dense = default_space("dense", 12)
    few = dataclasses.replace(dense, shapes=DenseChoices((200,), 20, (32, 64), (1,), (32, 64), (32,)))
    with pytest.raises(InvalidProfile, match=r"the space has \d+ networks, not 60; measure so many"):
        measure(few, Emulated(), 60, tmp_path / "few.csv", progress=False)


@pytest.mark.parametrize("name", RUNNERS)
def test_runners_of_this_machine_measure_and_their_rows_make_a_profile(name, tmp_path):
    rows = measure(SPACE, RUNNERS[name](), 4, tmp_path / "host.csv", progress=False)
    assert (rows["latency_ms"] > 0).all()
    assert rows["runtime"].unique().tolist() == [RUNNERS[name]().runtime]
    (profile,) = add_profile("host", tmp_path / "host.csv", tmp_path / "kept")
    assert profile.indicative == (name == "eager")
    assert profile.device == host()["device"]
    assert profile.least_bits == (32 if name == "eager" else 8)
    arch = module.Arch.from_json(rows["arch"][0])
    assert (arch.weight_bits == ()) == (name == "eager")
    assert predictors.estimate(arch, "host", folder=tmp_path / "kept").basis == "measured"


def test_the_next_networks_are_those_that_models_disagree_on():
    """All rows are small networks, so that the large ones are the least known."""
    rng = np.random.default_rng(0)
    archs = module.sample(SPACE, 200, rng)
    rows = module.pd.DataFrame(module.cost_columns(archs)).astype(float)
    rows["latency_ms"] = 1 + 1e-6 * rows["macs"] * np.exp(0.1 * rng.standard_normal(len(rows)))
    small = rows["macs"] < rows["macs"].median()
    chosen = module.uncertain(rows[small].reset_index(drop=True), archs, 20, rng)
    assert len(set(chosen)) == 20
    assert (~small).to_numpy()[chosen[:10]].mean() > 0.8
    assert Own().fit(rows[small]).spread(rows).shape == (200,)


@pytest.fixture
def steady(tmp_path, monkeypatch):
    """The command `measure` with a Formula, always on the same board, in a folder of its own."""
    monkeypatch.setattr(module, "latencies", lambda runs: np.repeat(np.array(runs)[:, None], REPEATS, axis=1))
    monkeypatch.setattr(module, "host", lambda: BOARD)
    monkeypatch.setitem(RUNNERS, "formula", Formula)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return ["measure", "--device", "host", "--runner", "formula", "--count", "40", "--out"]


@pytest.mark.parametrize("how", HOWS)
def test_batches_that_were_measured_stay_where_the_last_cannot_be_written(steady, monkeypatch, capsys, how):
    assert fails(monkeypatch, how, [*steady, "board.csv"], module, "write_bytes", call=2) == (
        1 if how == "full" else None
    )
    if how == "full":
        assert capsys.readouterr().err.strip().splitlines()[-1] == (
            f"earshot: board.csv: No space left on device; what was made is in board.csv: {AGAIN}"
        )
    measured = counted(monkeypatch, module, "latencies")
    assert main([*steady, "board.csv"]) == 0
    assert [len(runs) for (runs,) in measured] == [22]  # the second batch, and the anchors
    assert main([*steady, "new/whole.csv"]) == 0
    assert files("new")["whole.csv"] == files(".")["board.csv"]


def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(steady, monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "latencies", lambda runs: pytest.fail("measured"))
    assert main([*steady, "../file/board.csv"]) == 2
    assert "--out ../file: not a folder that can be written; give another" in capsys.readouterr().err
