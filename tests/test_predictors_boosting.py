"""Predictors against laws that are known: made-up devices whose latency is a formula."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

import predictors
from predictors.boosting import COVERAGE, Own, Pooled
from predictors.checks import check, cross_validate, errors, line
from predictors.device import BUNDLED, find_profile, profiles, read_measurements
from predictors.power import EXAMPLES, average_power_uw
from supernet.bits import with_bits
from supernet.cost import cost_columns
from supernet.errors import UnknownName
from supernet.space import default_space

SPACE = default_space("temporal", 12, features="logmel")
KINDS = {"dense_macs": 2e-6, "pointwise_macs": 1e-6, "depthwise_macs": 4e-6, "layers": 0.05}


def networks(count, seed=0):
    return SPACE.from_genes(SPACE.sample_sizes(np.random.default_rng(seed), count))


def measured(archs, noise=0.0, seed=0):
    """Rows of a device that takes 0.3 ms, and so much for each MAC of a kind and each layer."""
    rows = pd.DataFrame(cost_columns(archs)).astype(float)
    exact = 0.3 + sum(rows[name] * each for name, each in KINDS.items())
    varied = exact * np.exp(noise * np.random.default_rng(seed).standard_normal(len(rows)))
    return rows.assign(latency_ms=varied), exact.to_numpy()


def fleet(devices=6, rows=10, seed=0):
    """Rows of several devices with one core and runtime, whose speeds differ by half."""
    rng, found = np.random.default_rng(seed), []
    for number in range(devices):
        macs, speed = np.exp(rng.uniform(12, 17, rows)), np.exp(rng.normal(0, 0.4))
        known = {"device": f"d{number}", "profile": f"p{number}", "core": "Cortex-M4", "clock_mhz": 100.0}
        known |= {"runtime": "TFLM", "task": "kws", "bits": "8"}
        latency = (0.5 + 3e-5 * macs) * speed * np.exp(rng.normal(0, 0.03, rows))
        found.append(pd.DataFrame({"macs": macs, "params": macs / 33, "latency_ms": latency}).assign(**known))
    return pd.concat(found, ignore_index=True)


@pytest.fixture(scope="module")
def published():
    rows = read_measurements(BUNDLED / "published.csv").rows
    return rows.assign(device=rows["device_key"].where(rows["device_key"] != "", rows["device"]))


@pytest.fixture(scope="module")
def pooled(published):
    return Pooled().fit(published)


def test_a_device_of_its_own_is_its_formula():
    rows, _ = measured(networks(60))
    others, exact = measured(networks(200, seed=1))
    said = Own().fit(rows).predict(others)
    assert np.abs(said.median / exact - 1).max() < 0.02
    larger = others.assign(**{name: 10 * others[name] for name in rows if name != "latency_ms"})
    beyond = Own().fit(rows).predict(larger)
    assert np.abs(beyond.median / (10 * (exact - 0.3) + 0.3) - 1).max() < 0.05
    assert not beyond.in_range.any()


def test_what_comes_with_each_run_is_its_start_its_layers_and_its_weights():
    rows, exact = measured(networks(60))
    beside = (0.3 + 0.05 * rows["layers"]) / exact
    assert np.abs(Own().fit(rows).beside_macs(rows) / beside - 1).max() < 0.05
    moving = rows.assign(latency_ms=exact + 2e-4 * rows["moved_bytes"])
    beside = (0.3 + 0.05 * rows["layers"] + 2e-4 * rows["weight_bytes"]) / moving["latency_ms"]
    assert np.abs(Own().fit(moving).beside_macs(moving) / beside - 1).max() < 0.1
    bare = pd.DataFrame({"macs": rows["macs"], "latency_ms": 2 + rows["macs"] / 1e5}).reindex(columns=rows.columns)
    found = Own().fit(bare).beside_macs(rows)
    assert np.abs(found / (2 / bare["latency_ms"]) - 1).max() < 0.01


def test_trees_learn_what_no_line_can():
    """A device that is 1.5 times as slow from 1.5 million MACs on, as one whose cache is full."""
    rows, _ = measured(networks(240))
    test, _ = measured(networks(100, seed=1))
    for table in (rows, test):
        table["latency_ms"] *= np.where(table["macs"] > 1.5e6, 1.5, 1.0)
    both, alone = (Own(trees=trees).fit(rows).predict(test).median for trees in (True, False))
    gain = (
        errors(both, test["latency_ms"])["median_ape_percent"] / errors(alone, test["latency_ms"])["median_ape_percent"]
    )
    assert gain < 0.8


def covered(said, test):
    return ((said.low <= test["latency_ms"]) & (test["latency_ms"] <= said.high)).tolist()


def test_intervals_hold_what_they_state():
    rows, _ = measured(networks(150), noise=0.1)
    test, _ = measured(networks(300, seed=1), noise=0.1, seed=1)
    assert np.mean(covered(Own().fit(rows).predict(test), test)) == pytest.approx(COVERAGE, abs=0.06)
    inside = []
    for seed in range(6):
        devices = fleet(rows=30, seed=seed)
        held = np.random.default_rng(seed).random(len(devices)) < 0.5
        inside += covered(Pooled().fit(devices[~held]).predict(devices[held]), devices[held])
    assert np.mean(inside) == pytest.approx(COVERAGE, abs=0.06)


def test_two_measurements_place_a_board_among_its_like():
    rows = fleet()
    board = fleet(devices=1, rows=40, seed=7).assign(device="mine", profile="mine")
    board["latency_ms"] *= 1.8
    known = pd.concat([rows, board[:2]], ignore_index=True)
    off = np.abs(np.log(Pooled().fit(known).predict(board[2:]).median / board["latency_ms"][2:]))
    blind = np.abs(np.log(Pooled().fit(rows).predict(board[2:]).median / board["latency_ms"][2:]))
    assert np.median(off) < 0.15 < np.median(blind)


@examples(25)
@given(st.data())
def test_more_macs_never_take_less_time(pooled, published, data):
    row = published.iloc[[data.draw(st.integers(0, len(published) - 1))] * 40]
    macs = np.sort(np.exp(data.draw(st.lists(st.floats(7, 21), min_size=40, max_size=40))))
    said = pooled.predict(row.assign(macs=macs)).median
    assert (np.diff(said) >= -1e-9 * said[:-1]).all()


def test_the_same_rows_give_the_same_figures_twice(pooled, published):
    again = Pooled().fit(published).predict(published[:20])
    assert np.array_equal(again.median, pooled.predict(published[:20]).median)


def test_a_line_is_the_one_through_its_points():
    train = pd.DataFrame({"macs": [1e6, 2e6, 5e6], "latency_ms": [3.0, 5.0, 11.0]})
    test = pd.DataFrame({"macs": [3e6, 10e6]})
    assert line(train, test) == pytest.approx([7.0, 21.0])
    assert line(train[:1], test) == pytest.approx([9.0, 30.0])


def test_errors_are_counted_as_stated():
    found = errors(np.array([1.05, 0.8, 2.0, 1.0]), np.ones(4))
    assert found == {"rows": 4, "median_ape_percent": 12.5, "within_10_percent": 50.0, "within_30_percent": 75.0}


def test_a_networks_figures_on_a_device_and_their_doubts():
    archs = [with_bits(arch, bits) for arch in networks(3) for bits in (8, 4)]
    table = predictors.estimate_many(archs, "stm32f746-tflm-cmsis-nn", folder="/nowhere")
    assert (table["latency_low_ms"] < table["latency_ms"]).all()
    assert (table["latency_ms"] < table["latency_high_ms"]).all()
    assert not table["in_range"][1::2].any()
    assert set(table["basis"]) == {"indicative"}
    one = predictors.estimate(archs[0], "stm32f746-tflm-cmsis-nn", folder="/nowhere")
    exact = predictors.estimate(archs[0])
    assert one.latency_ms == pytest.approx(table["latency_ms"][0])
    assert (one.macs, one.flash_bytes, one.ram_bytes) == (exact.macs, exact.flash_bytes, exact.ram_bytes)
    assert table["ram_bytes"][0] == exact.ram_bytes


def test_a_network_that_was_measured_keeps_its_figure(tmp_path):
    arch = with_bits(networks(1)[0], 8)
    rows = pd.DataFrame({"arch": [arch.to_json(), SPACE.largest().to_json()], "latency_ms": [3.0, 9.0]})
    rows.assign(latency_iqr_ms=0.2, runtime="Earshot C", bits="8").to_csv(tmp_path / "board.csv", index=False)
    found = predictors.estimate(arch, "board", folder=tmp_path)
    assert (found.latency_ms, found.basis) == (3.0, "measured")
    assert found.interval == pytest.approx((2.8, 3.2))
    assert predictors.estimate(SPACE.smallest(), "board", folder=tmp_path).basis == "predicted"


def test_a_network_of_which_only_the_latency_was_measured_is_not_called_measured(tmp_path):
    archs = [with_bits(networks(1)[0], 8), SPACE.largest()]
    rows = pd.DataFrame({"arch": [arch.to_json() for arch in archs], "latency_ms": [3.0, 9.0], "energy_uj": ["", 90]})
    rows.assign(runtime="Earshot C", bits="8").to_csv(tmp_path / "board.csv", index=False)
    found = [predictors.estimate(arch, "board", folder=tmp_path) for arch in archs]
    assert [(one.latency_ms, one.basis) for one in found] == [(3.0, "predicted"), (9.0, "measured")]
    assert found[0].energy_uj > 0


def test_a_network_like_a_measured_one_takes_about_its_time(tmp_path):
    """On a board of which the CSV says neither task nor runtime."""
    archs = [with_bits(arch, 8) for arch in networks(8)]
    macs = cost_columns(archs)["macs"]
    pd.DataFrame({"macs": macs, "latency_ms": 1 + macs / 5e4}).to_csv(tmp_path / "board.csv", index=False)
    said = predictors.estimate_many(archs, "board", folder=tmp_path)["latency_ms"]
    assert np.median(np.abs(said / (1 + macs / 5e4) - 1)) < 0.1


def test_rows_are_checked_against_the_profile_of_their_device(published):
    known = published[published["profile"] == "stm32f767-tflm-cmsis-nn"].assign(profile="")
    found = check(known, "/nowhere")
    assert set(found["profile"]) == {"stm32f767-tflm-cmsis-nn"}
    assert errors(found["said"], found["latency_ms"])["median_ape_percent"] < 20
    other = check(known.assign(device="another board", device_key=""), "/nowhere")
    assert not other["in_range"].any()


def test_where_no_profile_has_instructions_rows_of_them_cannot_be_checked(published):
    counted = published.head(3).assign(latency_ms=np.nan, instructions=1e6)
    with pytest.raises(UnknownName, match="no profile at hand has instructions; `earshot profile add`"):
        check(counted, "/nowhere")


def test_cross_validation_never_sees_the_row():
    """One row of a profile is ten times too slow: no method says so of it."""
    known = find_profile("stm32f767-tflm-cmsis-nn", "/nowhere")
    profile = dataclasses.replace(known, rows=known.rows.copy())
    profile.rows.loc[3, "latency_ms"] *= 10
    table = cross_validate(profile, "/nowhere")
    assert (table.loc[3, ["ours", "line", "constant"]] < table["latency_ms"][3] / 3).all()


def test_average_power_adds_sleep():
    assert average_power_uw(100.0, 2, 5.0) == 205.0
    assert {example.power_uw for example in EXAMPLES} == {212.0, 8.79}
    with pytest.raises(ValueError, match="energy_uj = -1"):
        average_power_uw(-1, 1)


def test_ours_beats_a_line_on_devices_with_few_rows():
    """The four published profiles with most networks, each row from the others."""
    known = profiles("/nowhere")
    largest = sorted(known.values(), key=lambda one: -len(one.rows))[:4]
    tables = pd.concat([cross_validate(profile, "/nowhere") for profile in largest])
    ours, straight = (errors(tables[name], tables["latency_ms"]) for name in ("ours", "line"))
    assert ours["median_ape_percent"] < straight["median_ape_percent"]
