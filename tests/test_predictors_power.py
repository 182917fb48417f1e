"""Average power of streams: by energy, by active power, and scaled from published streams."""

import numpy as np
import pandas as pd
import pytest
import torch

from predictors import estimate
from predictors.device import find_profile, published
from predictors.estimate import frontend_macs
from predictors.pace import pace_of
from predictors.power import ANCHORS, EXAMPLES, average_power_uw, draw_of, stream_power_uw, supply_of
from supernet.bits import with_bits
from supernet.cost import stream_macs
from supernet.errors import InvalidQuery, UnknownName
from supernet.space import default_space

BOARD = "stm32f746-tflm-cmsis-nn"
WINDOW_MACS = 40 * 3 * 28 + 40 * 128 * 28 + 128 * 5 * 24 + 128**2 * 24 + 128 * 10 * 15 + 128**2 * 15 + 128 * 15
WINDOW_MACS += 128 * 32 + 32 * 3
"""Of MLPerf Tiny's streaming wake word, layer by layer: depthwise taps 3, 5, 10 and 15, each with a pointwise layer."""


@pytest.fixture(scope="module")
def arch():
    return with_bits(default_space("temporal", 12, features="logmel").smallest(), 8)


def test_sleep_is_counted_for_the_rest_of_the_time():
    assert average_power_uw(100.0, 2, 5.0, latency_ms=50.0) == pytest.approx(200 + 5 * 0.9)
    assert average_power_uw(100.0, 2, 5.0, latency_ms=700.0) == 200.0
    with pytest.raises(ValueError, match="latency_ms = -1"):
        average_power_uw(1, 1, 1, -1)


@pytest.mark.parametrize("anchor", [one for one in ANCHORS if one.duty], ids=lambda one: one.name)
def test_published_streams_are_of_a_window_each_32_ms(anchor):
    """Their duty is that of the latency that the same submission published for one window, within its two digits."""
    assert anchor.macs_per_second == pytest.approx(WINDOW_MACS / 0.032)
    own = [one.rows for one in published().values() if (one.device, one.clock_mhz) == (anchor.device, anchor.clock_mhz)]
    rows = pd.concat(own)[lambda rows: rows["task"] == "sww"] if own else pd.DataFrame()
    known = {"mlperf-stm32l4r5-120mhz", "mlperf-stm32h7a3-280mhz", "mlperf-stm32u385-96mhz", "mlperf-stm32u3c5-96mhz"}
    assert len(rows) == (anchor.name in known)
    if len(rows):
        assert rows["latency_ms"].item() / 32 == pytest.approx(anchor.duty, rel=0.012)
        assert rows["macs"].item() == WINDOW_MACS


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda one: one.name)
def test_a_published_stream_is_itself_at_its_own_workload(anchor):
    for sleep in (None, 0.0, 0.3 * anchor.power_uw):
        draw = draw_of(anchor.name, sleep_power_uw=sleep)
        assert draw.power_uw(anchor.macs_per_second) == pytest.approx(anchor.power_uw)
        assert draw.power_uw(0.0) == pytest.approx(sleep or 0.0)
        assert (draw.basis, draw.sleep_power_uw) == ("scaled", sleep)
    with pytest.raises(InvalidQuery, match=r"sleep_power_uw = .* is not possible: .* give that or less"):
        draw_of(anchor.name, sleep_power_uw=1.01 * anchor.power_uw)


def test_what_is_not_published_of_a_stream_is_said():
    assert [one.power_uw for one in EXAMPLES] == [212.0, 8.79]
    assert all("not published" in one.text for one in EXAMPLES)
    assert not any("not published" in one.text for one in ANCHORS if one not in EXAMPLES)


def test_half_the_workload_has_half_the_duty():
    """Awake 10 % of the time at 1000 uW and asleep at 50: at half the MACs 5 % awake."""
    each, seconds = 0.1 * 1000 / 1e6, 0.1 / 1e6
    assert stream_power_uw(1e6, each, 50.0, seconds) == pytest.approx(0.1 * 1000 + 0.9 * 50)
    assert stream_power_uw(0.5e6, each, 50.0, seconds) == pytest.approx(0.05 * 1000 + 0.95 * 50)


def test_a_loss_can_have_the_power():
    workload = torch.tensor([1e5, 3e6], requires_grad=True)
    draw = draw_of(BOARD, sleep_power_uw=100.0)
    draw.power_uw(workload).sum().backward()
    assert workload.grad == pytest.approx((draw.power_uw(2.0) - draw.power_uw(1.0)), rel=1e-4)
    assert draw.power_uw(np.array([0.0, 1e6]))[0] == 100.0


def test_without_a_network_a_mac_takes_the_median_of_what_was_measured():
    rows = find_profile(BOARD).rows
    each = sorted(
        energy / macs for energy, macs in zip(rows["energy_uj"], rows["macs"], strict=True) if energy == energy
    )
    assert draw_of(BOARD).uj_per_mac == pytest.approx(np.median(each))
    assert draw_of(BOARD).basis == "measured"


def test_like_a_network_it_is_what_is_predicted_of_that(arch):
    cost, draw = estimate(arch, BOARD), draw_of(BOARD, like=arch, sleep_power_uw=40.0)
    whole = 1 + frontend_macs(arch) / cost.macs
    seconds = arch.frames * arch.features.step_ms / 1000
    power = whole * cost.energy_uj / seconds + 40.0 * (1 - whole * cost.latency_ms / 1000 / seconds)
    assert draw.power_uw(whole * cost.macs / seconds) == pytest.approx(power)
    assert draw.basis == "indicative"


def test_active_power_counts_while_an_answer_takes(tmp_path):
    (tmp_path / "stm32h743-tflm.json").write_text('{"active_power_uw": 200000, "sleep_power_uw": 300}')
    rows, draw = find_profile("stm32h743-tflm").rows, draw_of("stm32h743-tflm", folder=tmp_path)
    each = np.median(rows["latency_ms"] / rows["macs"]) / 1000
    assert draw.power_uw(1e6) == pytest.approx(300 + 1e6 * each * (200_000 - 300))
    assert "200,000 uW while it computes" in draw.by


def test_of_several_clocks_the_nearest_is_taken():
    chosen = {clock: supply_of("STM32L4R5", {}, clock, False, True).anchor.clock_mhz for clock in (60, 100, 120, None)}
    assert chosen == {60: 70, 100: 120, 120: 120, None: 120}


def test_a_device_of_which_nothing_is_known_says_what_to_do():
    with pytest.raises(UnknownName, match=r"the power of STM32H743 is not known: .* say active_power_uw"):
        draw_of("stm32h743-tflm")
    with pytest.raises(UnknownName, match="no profile for device 'nowhere'"):
        draw_of("nowhere")
    with pytest.raises(InvalidQuery, match="sleep_power_uw = -1 is not possible: give a number of uW, 0 or more"):
        draw_of(BOARD, sleep_power_uw=-1)


def test_a_pace_counts_what_an_answer_computes(arch):
    clip, own = arch.frames * arch.features.step_ms, pace_of(arch, 1).own_ms
    assert pace_of(arch) == pace_of(arch, clip)
    assert (pace_of(arch).every_ms, pace_of(arch).runs, pace_of(arch).network) == (clip, 1, 1.0)
    three = pace_of(arch, 3.5 * own)
    assert (three.every_ms, three.runs) == (3 * own, 3)
    assert three.macs == stream_macs(arch, round(3 * own / arch.features.step_ms))
    assert three.macs_per_second == pytest.approx((three.macs + three.frontend_macs) / (3 * own / 1000))
    assert pace_of(arch, 0.5 * own).too_often(0.5 * own)
    assert not three.too_often(3.5 * own)
    assert pace_of(arch, 3 * clip).macs_per_second == pytest.approx(pace_of(arch).macs_per_second / 3)
