"""Searches within the average power of an always-on stream."""

import numpy as np
import pandas as pd
import pytest

from predictors import estimate_many
from predictors.estimate import frontend_macs
from search import Problem
from search.space import SearchSpace
from supernet.cost import answer_interval, cost_columns, macs, stream_macs
from supernet.errors import InfeasibleBudget, InvalidQuery, UnknownName
from supernet.space import default_space
from zoo.package.figures import figure_of
from zoo.run.power import with_power

BOARD = "stm32f746-tflm-cmsis-nn"
SPACE = SearchSpace(default_space("temporal", 12, features="logmel"), (8, 4))
GENES = SPACE.sample_sizes(np.random.default_rng(3), 8)
ARCHS = SPACE.from_genes(GENES)
FRONT = np.array([frontend_macs(arch) for arch in ARCHS])
MACS = np.array([macs(arch) for arch in ARCHS])


def power_of(device, **stream):
    return Problem(SPACE, {}, device, **stream).costs(GENES, ["power_uw"])["power_uw"]


def test_an_answer_a_clip_takes_its_energy_and_sleep_between():
    table, whole = estimate_many(ARCHS, BOARD), 1 + FRONT / MACS
    energy, seconds = whole * table["energy_uj"], whole * table["latency_ms"] / 1000
    assert power_of(BOARD) == pytest.approx(energy)
    assert power_of(BOARD, sleep_power_uw=900.0) == pytest.approx(energy + 900 * (1 - seconds))


@pytest.mark.parametrize("every", [100.0, 250.0])
def test_a_stream_takes_the_frames_that_are_new(every):
    energy = estimate_many(ARCHS, BOARD)["energy_uj"]
    rows = []
    for arch, alone, front in zip(ARCHS, energy, FRONT, strict=True):
        frame = arch.features.step_ms
        frames = int(every / frame) // answer_interval(arch) * answer_interval(arch)
        own = alone * (stream_macs(arch, frames) / macs(arch) + front / macs(arch) * frames / arch.frames)
        rows.append(1000 * own / (frames * frame))
    assert power_of(BOARD, every_ms=every) == pytest.approx(np.array(rows))


def test_a_published_stream_is_scaled_by_macs_a_second():
    """One of 25,824,000 MACs a second took 4,320 uW there, awake 18.9 % of the time."""
    share = (MACS + FRONT) / 25.824e6
    assert power_of("stm32u3c5") == pytest.approx(4320 * share)
    asleep = 500 * (1 - 0.189 * share)
    assert power_of("stm32u3c5", sleep_power_uw=500.0) == pytest.approx((4320 - 500 * 0.811) * share + asleep)


@pytest.mark.parametrize(
    ("device", "stream"),
    [
        (BOARD, {}),
        (BOARD, {"every_ms": 120.0, "sleep_power_uw": 50.0}),
        ("stm32u3c5", {"every_ms": 100.0}),
        ("stm32h743-tflm", {"every_ms": 500.0}),
    ],
)
def test_a_search_and_a_look_up_say_the_same(device, stream, tmp_path, monkeypatch):
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path)
    (tmp_path / "stm32h743-tflm.json").write_text('{"active_power_uw": 90000, "sleep_power_uw": 20}')
    found = Problem(SPACE, {}, device, **stream).costs(GENES, ["power_uw", "power_high_uw"])
    own = [with_power(figure_of(arch, device, "kws"), arch, "kws", **stream).power for arch in ARCHS]
    assert found["power_uw"] == pytest.approx(np.array([one.power_uw for one in own]), rel=1e-3)
    high = np.array([np.nan if one.high_uw is None else one.high_uw for one in own])
    assert found["power_high_uw"] == pytest.approx(high, rel=1e-3, nan_ok=True)


def test_on_a_board_with_many_measurements_each_run_costs_what_is_beside_its_macs(tmp_path, monkeypatch):
    """Its networks take 3 uJ and 1 pJ a MAC, the 3 uJ again for each answer that a stream can give."""
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path)
    archs = SPACE.from_genes(SPACE.sample_sizes(np.random.default_rng(0), 40))
    columns = cost_columns(archs)
    rows = pd.DataFrame({"arch": [arch.to_json() for arch in archs]})
    rows["latency_ms"] = 2 + 0.1 * columns["layers"] + 1e-6 * columns["macs"]
    rows["energy_uj"] = 3 + 1e-6 * columns["macs"]
    rows.assign(runtime="Earshot C", core="Cortex-M4", clock_mhz=80).to_csv(tmp_path / "own.csv", index=False)
    expected = []
    for arch, front in zip(ARCHS, FRONT, strict=True):
        interval, frame = answer_interval(arch), arch.features.step_ms
        runs = int(200 / (interval * frame))
        new = stream_macs(arch, runs * interval)
        share = front / macs(arch) * runs * interval / arch.frames
        energy = 3 * runs + 1e-6 * new + share * (3 + 1e-6 * macs(arch))
        expected.append(1000 * energy / (runs * interval * frame))
    assert power_of("own", every_ms=200.0) == pytest.approx(np.array(expected), rel=0.05)
    own = [with_power(figure_of(arch, "own", "kws"), arch, "kws", 200.0).power.power_uw for arch in ARCHS]
    assert power_of("own", every_ms=200.0) == pytest.approx(np.array(own), rel=1e-3)


@pytest.mark.parametrize("sure", [False, True])
@pytest.mark.parametrize("every", [39.0, 100.0])
def test_the_rate_is_kept_by_what_a_stream_computes_that_answers_on_whole_steps(every, sure, tmp_path, monkeypatch):
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path)
    sizes = np.linspace(0.5, 4, 8) * np.median(MACS)
    rows = pd.DataFrame({"macs": sizes, "latency_ms": sizes / np.median(MACS) * 500}).assign(bits=8)
    rows.assign(runtime="C", core="Cortex-M0+", clock_mhz=16).to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "own.json").write_text('{"active_power_uw": 9000}')
    problem = Problem(SPACE, {"max_power_uw": 1e9}, "own", sure=sure, every_ms=every)
    late = problem.excesses(GENES)[:, list(problem.bounds).index("every_ms")] > 0
    own = [with_power(figure_of(arch, "own", "kws"), arch, "kws", every).power for arch in ARCHS]
    taken = [one.answer_high_ms if sure else one.answer_ms for one in own]
    expected = [one.every_ms > every or most > one.every_ms for one, most in zip(own, taken, strict=True)]
    assert late.tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_power_is_a_limit_that_repairs_keep():
    limit = float(np.median(power_of(BOARD, every_ms=100.0)))
    problem = Problem(SPACE, {"max_power_uw": limit}, BOARD, every_ms=100.0)
    assert (problem.excesses(GENES)[:, 0] > 0).any()
    repaired = problem.repair(GENES, np.random.default_rng(0))
    assert (problem.costs(repaired, ["power_uw"])["power_uw"] <= limit).all()
    sure = Problem(SPACE, {"max_power_uw": 2 * limit}, BOARD, sure=True, every_ms=100.0)
    most = sure.costs(GENES, ["power_high_uw"])["power_high_uw"]
    assert sure.excesses(GENES)[:, 0] == pytest.approx(most / (2 * limit) - 1)


def test_the_rate_is_a_limit_beside_it():
    with pytest.raises(
        InfeasibleBudget, match=r"meets every_ms = 5 beside max_power_uw = .*the smallest needs"
    ) as caught:
        _ = Problem(SPACE, {"max_power_uw": 1e9}, BOARD, every_ms=5.0).anchor
    least = caught.value.smallest
    assert least == min(answer_interval(arch) * arch.features.step_ms for arch in [*ARCHS, caught.value.nearest])
    _ = Problem(SPACE, {"max_power_uw": 1e9}, BOARD, every_ms=least).anchor
    with pytest.raises(InfeasibleBudget, match=r"meets max_power_uw = 1 beside every_ms = 100: .*raise max_power_uw"):
        _ = Problem(SPACE, {"max_power_uw": 1.0}, BOARD, every_ms=100.0).anchor


@pytest.mark.parametrize("asleep", [-5.0, float("nan"), float("inf")])
def test_a_sleep_that_cannot_be_meant_is_refused(asleep):
    with pytest.raises(InvalidQuery, match=r"sleep_power_uw = .* is not possible"):
        Problem(SPACE, {"max_power_uw": 1e9}, BOARD, sleep_power_uw=asleep)


def test_power_that_is_not_known_is_no_limit():
    with pytest.raises(UnknownName, match=r"max_power_uw = 900: the power of STM32H743 is not known"):
        Problem(SPACE, {"max_power_uw": 900.0}, "stm32h743-tflm")
    with pytest.raises(InvalidQuery, match="max_power_uw needs a device"):
        Problem(SPACE, {"max_power_uw": 900.0})
    with pytest.raises(InvalidQuery, match=r"max_power_uw = 900 with sure: .*no interval; leave sure out"):
        Problem(SPACE, {"max_power_uw": 900.0}, "stm32u3c5", sure=True)
    assert np.isnan(power_of("stm32h743-tflm")).all()
