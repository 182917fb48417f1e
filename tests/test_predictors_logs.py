"""Logs of benches as terminals keep them, and measurements of instructions."""

import numpy as np
import pandas as pd
import pytest

import predictors
from predictors.bench import Bench, bench_networks, sealed
from predictors.boosting import Own
from predictors.checks import errors
from predictors.device import add_profile, find_profile, read_measurements
from predictors.logs import is_log, read_log
from supernet.bits import with_bits
from supernet.cost import cost_columns, mac_kind, weight_bytes
from supernet.errors import InvalidProfile, InvalidQuery
from supernet.layer import layers, parts
from supernet.memory import answer_frames, stream_ram_bytes
from supernet.space import default_space

BENCH = Bench("mfcc", 4, 3, 200_000, 30_000)
HEAD = "bench,1,0.17.0,mfcc,3,4,200000,30000"
CYCLES = {0: [1000, 1010, 990], 1: [2000, 2500, 2001], 2: [4000], 3: [9000, 9000]}
"""Of each network of the bench, round by round, in thousands."""
CRC_OF_123456789 = 0x29B1
"""Published for CRC-16 of polynomial 0x1021 from 0xFFFF (CRC-16/CCITT-FALSE)."""


def net(number, thousands, found="0BADCAFE", known="0BADCAFE", own=None):
    own = own or bench_networks(BENCH)[number].digest[:12]
    return sealed(f"net,{number},{own},{1000 * thousands},{found},{known}")


def lines(unit="cycles", clock=0):
    head = sealed(f"{HEAD},{unit},{clock}")
    rounds = [[net(number, taken[turn]) for number, taken in CYCLES.items() if turn < len(taken)] for turn in range(3)]
    return [line for one in rounds for line in (head, *one)]


def kept(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "log.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def test_lines_are_sealed_by_the_published_check_sum():
    assert sealed("123456789") == f"earshot,123456789*{CRC_OF_123456789:04X}"


@pytest.mark.parametrize("features", ["logmel", "mfcc"])
def test_a_bench_holds_different_networks_of_all_sizes_that_fit(features):
    bench = Bench(features, 12, 5, 300_000, 12_000)
    found = bench_networks(bench)
    macs = [predictors.estimate(arch).macs for arch in found]
    assert len(set(found)) == 12
    assert max(macs) > 4 * min(macs)
    assert macs == sorted(macs)
    assert max(map(stream_ram_bytes, found)) <= 12_000
    assert sum(map(weight_bytes, found)) < 300_000
    assert {bits for arch in found for bits in arch.weight_bits} == {8}
    assert found != bench_networks(Bench(features, 12, 6, 300_000, 12_000))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1}, "count = 1 is not possible"),
        ({"seed": -1}, "seed = -1 is not possible"),
        ({"features": "raw"}, "features = 'raw' is not possible"),
        ({"max_flash": 9_000}, "12 networks do not fit into 9,000 bytes of flash"),
        ({"max_ram": 100}, "do not fit .* 100 of RAM"),
    ],
)
def test_a_bench_that_cannot_be_is_refused(values, message):
    with pytest.raises(InvalidQuery, match=message):
        bench_networks(Bench(**values))


def as_typed(found):
    return "\n".join(found)


def stamped(found):
    noise = "I (31) cpu_start: app\x1b[0m\r\n"
    coloured = (f"\x1b[0;32m[12:00:{place:02}.123] {line}\x1b[0m\r\n" for place, line in enumerate(found))
    return noise + noise.join(coloured)


def wrapped(found):
    return "\r\n".join(f"{line[:50]}\r\n{line[50:]}" for line in found)


def twice(found):
    return "\r".join([*found, "", *found])


def cut(found):
    """The first network's line of the second round is cut by the next one, and another loses a digit."""
    broken = list(found)
    broken[6:8] = [broken[6][:20] + broken[7]]
    return "\n".join([net(0, 1000)[:30], *broken, found[1].replace("1000000", "100000")])


@pytest.mark.parametrize("way", [as_typed, stamped, wrapped, twice, cut])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_log_is_read_as_a_terminal_keeps_it(tmp_path, way, encoding):
    path = kept(tmp_path, way(lines()), encoding)
    assert is_log(path)
    found = read_log(path)
    medians = {number: np.median(taken) / 1000 for number, taken in found.amounts.items()}
    wanted = {number: np.median(taken) for number, taken in CYCLES.items()}
    if way is cut:
        wanted[0] = np.median([1000, 990])
    assert (found.bench, found.unit, found.clock_hz) == (BENCH, "cycles", 0)
    assert medians == pytest.approx(wanted, rel=0.01)
    assert found.broken == (3 if way is cut else 0)


def test_bytes_that_are_no_text_are_passed_over(tmp_path):
    found = read_log(kept(tmp_path, b"\xff\x00\xfe\x81boot\n" + "\n".join(lines()).encode() + b"\n\xc3"))
    assert len(found.amounts) == 4


def test_cycles_become_milliseconds_at_the_clock(tmp_path, caplog):
    path, own = kept(tmp_path, "\n".join(lines())), tmp_path / "own"
    with pytest.raises(InvalidProfile, match="states no clock; give --clock-mhz"):
        add_profile("mine", path, own)
    for clock in ("80MHz", "-80", "0", "nan", "inf"):
        with pytest.raises(InvalidProfile, match=rf"clock_mhz = '{clock}' is not possible: give a number above 0"):
            add_profile("mine", path, own, clock_mhz=clock)
    assert not own.exists()
    [profile] = add_profile("mine", path, own, clock_mhz="80", device="my board", core="Cortex-M4")
    assert profile.rows["latency_ms"].tolist() == pytest.approx([12.5, 25.0125, 50, 112.5])
    assert profile.rows["repeats"].tolist() == [3, 3, 1, 2]
    assert profile.rows["arch"].tolist() == [arch.to_json() for arch in bench_networks(BENCH)]
    assert (profile.device, profile.clock_mhz, profile.runtime, profile.version) == (
        "my board", 80, "Earshot C", "0.17.0"
    )  # fmt: skip
    assert profile.in_steps
    assert not profile.indicative
    stated = kept(tmp_path, "\n".join(lines(clock=160_000_000)))
    [profile] = add_profile("mine", stated, own)
    assert (profile.clock_mhz, profile.rows["latency_ms"][0]) == (160, pytest.approx(6.25))
    caplog.clear()
    [profile] = add_profile("mine", stated, own, clock_mhz="40")
    assert (profile.clock_mhz, profile.rows["latency_ms"][0]) == (40, pytest.approx(25))
    assert "states a clock of 160 MHz; taken is the one given, 40 MHz" in caplog.text


def test_microseconds_and_instructions_need_no_clock(tmp_path):
    [profile] = add_profile("mine", kept(tmp_path, "\n".join(lines("us"))), tmp_path / "own", yes=True)
    assert (profile.rows["latency_ms"][0], profile.clock_mhz) == (1000, None)
    [profile] = add_profile("mine", kept(tmp_path, "\n".join(lines("instructions"))), tmp_path / "own")
    assert (profile.target, profile.rows["instructions"][0]) == ("instructions", 1e6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found[1:5], "no whole line begins with `earshot,bench,`"),
        (lambda found: found[:2], "whole lines of 1 networks"),
        (
            lambda found: [*found, net(1, 1, found="00000001")],
            "network 1 gave logits of checksum 00000001, not 0BADCAFE",
        ),
        (lambda found: [*found, net(1, 0)], "network 1 took 0: fill in `cycles`"),
        (lambda found: [*found, net(2, 5, own="0123456789ab")], "Earshot 0.17.0 drew others"),
        (lambda found: [*found, sealed("net,7,0123456789ab,5,A,A")], "is no network of this bench"),
        (lambda found: [*found, sealed(f"net,0,0123456789ab,{'9' * 400},A,A")], "is no network of this bench"),
        (lambda found: [*found, sealed(f"{HEAD},cycles,8000000")], "holds 2 benches, or one at several clocks"),
        (lambda found: [sealed("bench,2,9.9,opus"), *found[1:5]], "of no bench that this version knows"),
    ],
)
def test_a_log_that_says_nothing_sure_adds_nothing(tmp_path, change, message):
    path = kept(tmp_path, "\n".join(change(lines())))
    with pytest.raises(InvalidProfile, match=message):
        add_profile("mine", path, tmp_path / "own", clock_mhz="80")
    assert not (tmp_path / "own").exists()


def test_networks_without_a_line_are_named(tmp_path, caplog):
    text = "\n".join(line for line in lines() if ",net,2," not in line.replace("earshot", ""))
    [profile] = add_profile("mine", kept(tmp_path, text + "\nearshot,net,2,ab"), tmp_path / "own", clock_mhz="80")
    assert len(profile.rows) == 3
    assert "no whole line of networks 2, which are left out" in caplog.text
    assert "1 lines were cut or garbled" in caplog.text


EACH = {"dense": 1.9, "pointwise": 1.5, "depthwise": 6.5, "linear": 2.2}
"""Instructions of a MAC."""


def counted(arch):
    """Instructions of a made-up core: of a layer's start at each answer, of rescaling each value, and of each MAC."""
    found = 0
    for spec in layers(arch):
        frames, values = spec.out_shape[2], int(np.prod(spec.out_shape))
        found += 180 * frames + (38 * values if spec.has_weights else 12 * values)
        found += EACH[mac_kind(spec)] * spec.macs if spec.macs else 0
        found += 140 * frames * spec.depthwise
    return round(found)


def test_values_that_are_rescaled_are_counted():
    arch = default_space("temporal", 12, features="logmel").largest()
    weighted = [spec for spec in layers(arch) if spec.has_weights]
    assert cost_columns([arch])["rescaled_values"] == [sum(int(np.prod(spec.out_shape)) for spec in weighted)]


def test_macs_at_places_without_a_pair_and_behind_whole_eights_are_counted():
    """By walking over all places of a step, and over all weights of a row."""
    arch = default_space("temporal", 12, features="logmel").largest()
    single, rest, steps = 0, 0, answer_frames(parts(arch))
    for spec in layers(arch):
        if mac_kind(spec) in ("dense", "pointwise"):
            channels, height, frames = spec.out_shape
            row, places = int(np.prod(spec.kernel)) * spec.in_shape[0], [*range(height * frames // steps)]
            single += steps * channels * row * len(places[len(places) // 2 * 2 :])
            rest += channels * height * frames * len(range(row)[row // 8 * 8 :])
    columns = cost_columns([arch])
    assert (columns["single_macs"], columns["rest_macs"]) == ([single], [rest])
    assert single > 0 < rest


@pytest.fixture(scope="module")
def table():
    """70 networks with their instructions."""
    space = default_space("temporal", 12, features="logmel")
    archs = space.from_genes(space.sample_sizes(np.random.default_rng(1), 90))
    archs = list(dict.fromkeys(with_bits(arch, 8) for arch in archs))[:70]
    return pd.DataFrame({"arch": [arch.to_json() for arch in archs], "instructions": [counted(arch) for arch in archs]})


def test_instructions_are_predicted_layer_by_layer_within_5_percent(table, tmp_path):
    table[:45].to_csv(tmp_path / "emulated.csv", index=False)
    [profile] = add_profile("emulated", tmp_path / "emulated.csv", tmp_path, core="Cortex-M4", runtime="Earshot C")
    table[45:].to_csv(tmp_path / "held.csv", index=False)
    held = read_measurements(tmp_path / "held.csv").rows
    said = Own("instructions").fit(profile.rows).predict(held)
    off = np.abs(said.median / held["instructions"] - 1)
    assert off.max() < 0.1
    assert errors(said.median, held["instructions"])["median_ape_percent"] < 2
    assert (off < 0.05).mean() > 0.95


def test_a_device_of_instructions_gives_no_milliseconds(table, tmp_path):
    table.to_csv(tmp_path / "emulated.csv", index=False)
    arch = default_space("temporal", 12, features="logmel").smallest()
    found = predictors.estimate(with_bits(arch, 8), "emulated", folder=tmp_path)
    assert (found.latency_ms, found.interval, found.energy_uj) == (None, None, None)
    low, high = found.instructions_interval
    assert low < counted(arch) < high
    assert found.instructions == pytest.approx(counted(arch), rel=0.1)
    assert find_profile("emulated", tmp_path).target == "instructions"


def test_instructions_take_time_at_cycles_each_and_a_clock(table, tmp_path):
    path, own = tmp_path / "emulated.csv", tmp_path / "own"
    table.to_csv(path, index=False)
    [profile] = add_profile("mine", path, own, cycles_per_instruction=1.5, clock_mhz="100", runtime="Earshot C")
    assert profile.target == "latency_ms"
    assert profile.runtime == "Earshot C, 1.5 cycles an instruction"
    np.testing.assert_allclose(profile.rows["latency_ms"], table["instructions"] * 1.5 / 1e5, rtol=1e-6)
    assert profile.rows["instructions"].tolist() == table["instructions"].tolist()


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("macs,instructions\n1e6,2e6\n2e6,4e6\n", {"cycles_per_instruction": 1.5}, "needs a clock as well"),
        (
            "macs,instructions\n1e6,2e6\n2e6,4e6\n",
            {"cycles_per_instruction": 0, "clock_mhz": "80"},
            "cycles_per_instruction = 0 is not possible",
        ),
        (
            "macs,latency_ms\n1e6,20\n2e6,40\n",
            {"cycles_per_instruction": 1.5, "clock_mhz": "80"},
            "needs a column instructions",
        ),
        ("macs,instructions\n1e6,4e4\n2e6,8e4\n", {}, "of one step of a stream, not of a whole clip"),
        ("macs,instructions\n1e6,4e9\n2e6,8e9\n", {}, "of several clips"),
        ("macs,instructions\n1e6,\n2e6,8e6\n", {}, "line 2, column instructions: empty"),
    ],
)
def test_instructions_that_cannot_be_meant_are_refused(tmp_path, text, given, message):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(InvalidProfile, match=message):
        add_profile("mine", path, tmp_path / "own", **given)
