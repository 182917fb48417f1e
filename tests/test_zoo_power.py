"""Models by the average power of an always-on stream: look-ups, bills and the commands."""

import json
import math

import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

import zoo
from predictors.estimate import frontend_macs
from supernet.cost import macs
from supernet.errors import InvalidQuery, NoModelFits, UnknownName
from zoo.ask.device import Stream
from zoo.cli import main
from zoo.hubs.costs import figures
from zoo.package.figures import Power

BOARD, ESTIMATED, UNKNOWN = "stm32f746-tflm-cmsis-nn", "stm32u3c5", "stm32h743-tflm"


@pytest.fixture(autouse=True)
def own_profiles(tmp_path, monkeypatch):
    """The folder of the user's profiles."""
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path)
    return tmp_path


def test_models_are_found_by_their_energy_a_second():
    """A clip is a second, so microjoules of an answer are microwatts."""
    energy = {entry.name: figures(zoo.Hub(), entry)[BOARD].energy_uj for entry in zoo.find(task="kws", hub=zoo.Hub())}
    limit = sorted(energy.values())[len(energy) // 2]
    found = {entry.name for entry in zoo.find(task="kws", hub=zoo.Hub(), device=BOARD, max_power_uw=limit)}
    assert found == {name for name, own in energy.items() if own <= limit}
    assert 0 < len(found) < len(energy)


def test_sleep_is_counted_where_it_is_given_or_known_and_else_said(own_profiles):
    awake = zoo.get(task="kws", device=BOARD, max_power_uw="1W")
    taken = awake.figure
    assert (taken.power.power_uw, taken.power.low_uw) == (taken.energy_uj, taken.energy_low_uj)
    assert taken.power.sleep_power_uw is None
    assert "power asleep not known, taken as 0" in repr(awake)
    asleep = zoo.get(task="kws", device=BOARD, max_power_uw="1W", sleep_power_uw="2mW")
    expected = taken.energy_uj + 2000 * (1 - taken.latency_ms / 1000)
    assert asleep.figure.power.power_uw == pytest.approx(expected, rel=1e-3)
    assert "2,000 uW asleep" in repr(asleep)
    (own_profiles / f"{BOARD}.json").write_text('{"sleep_power_uw": 2000}')
    known = zoo.get(task="kws", device=BOARD, max_power_uw="1W")
    assert known.figure.power == asleep.figure.power
    assert "that STM32F746 has" in repr(known)  # what else was known of the device
    assert zoo.get(task="kws", device=BOARD, max_power_uw="1W", sleep_power_uw=0).figure.power.sleep_power_uw == 0


@pytest.mark.parametrize("every", [None, 100, "0.5s"])
def test_a_look_up_limits_the_power_that_the_bill_charges(every):
    just = {"name": zoo.get(task="kws").name, "device": BOARD, "every_ms": every, "sleep_power_uw": 33}
    power = zoo.get(**just, max_power_uw="1W").figure.power
    bill = zoo.get(task="kws").fit(BOARD, every_ms=every, sleep_power_uw=33, max_power_uw=power.power_uw)
    line = next(line for line in bill.lines if line.name == "power")
    assert (line.need, line.verdict) == (pytest.approx(power.power_uw, rel=1e-3), "pass")
    asked = 1000 * (1 if every is None else 0.5 if every == "0.5s" else 0.1)
    latency, energy = bill.figure.latency_ms, bill.figure.energy_uj
    assert line.need == pytest.approx(1000 * energy / asked + 33 * (1 - latency / asked), rel=1e-3)
    assert power.every_ms == asked
    zoo.get(**just, max_power_uw=power.power_uw)
    with pytest.raises(NoModelFits, match="max_power_uw binds") as caught:
        zoo.get(**just, max_power_uw=0.99 * power.power_uw)
    assert caught.value.constraint == "max_power_uw"
    sure = zoo.get(**just, max_power_uw=power.high_uw, sure=True)
    assert sure.figure.power.high_uw == power.high_uw
    with pytest.raises(NoModelFits, match="max_power_uw binds"):
        zoo.get(**just, max_power_uw=0.99 * power.high_uw, sure=True)


def test_a_device_with_a_published_stream_is_an_estimate_by_macs_a_second():
    """4,320 uW were published there for a window of 826,368 MACs each 32 ms."""
    model = zoo.get(task="kws", device=ESTIMATED, max_power_uw="1W")
    power, workload = model.figure.power, macs(model.arch) + frontend_macs(model.arch)
    assert power.power_uw == pytest.approx(4320 * workload / (826_368 / 0.032), rel=1e-3)
    assert (power.basis, power.low_uw, power.high_uw) == ("scaled", None, None)
    assert "scaled from 4,320 uW at 25,820,000 MACs a second" in repr(model)
    assert "an estimate" in repr(model)
    with pytest.raises(InvalidQuery, match=r"sure = True is not possible with max_power_uw: .*leave sure out"):
        zoo.get(task="kws", device=ESTIMATED, max_power_uw="1W", sure=True)


def test_a_sleep_above_what_computing_takes_orders_no_models(own_profiles):
    """A larger model is asleep for less of the time, and must not be cheaper for it."""
    query = {"task": "kws", "device": BOARD, "every_ms": 1000, "sleep_power_uw": "1W"}
    small, large = (zoo.get(name=name, **query).figure.power for name in _by_size())
    assert small.power_uw == large.power_uw == 1e6
    (own_profiles / f"{UNKNOWN}.json").write_text('{"active_power_uw": 1000}')
    with pytest.raises(InvalidQuery, match="sleep_power_uw = 50000 is not possible: STM32H743 takes 1000 uW while it"):
        zoo.get(task="kws", device=UNKNOWN, max_power_uw="1W", sleep_power_uw="50mW")


def _by_size() -> tuple[str, str]:
    """The models of the fewest and of the most MACs."""
    found = sorted(zoo.find(task="kws", family="temporal"), key=lambda entry: entry.macs)
    return found[0].name, found[-1].name


def test_a_micro_is_an_u():
    for micro in "\u00b5\u03bc":
        query = {"device": BOARD, "max_power_uw": f"900000 {micro}W", "every_ms": f"200000 {micro}s"}
        assert zoo.get(task="kws", **query).figure.power.every_ms == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"active_power_uw": "150mW"}', "active_power_uw = '150mW' is not possible: give a number above 0"),
        ('{"active_power_uw": 0}', "active_power_uw = 0 is not possible: give a number above 0"),
        ('{"active_power_uw": 100, "sleep_power_uw": 101}', "sleep_power_uw is above active_power_uw"),
        ('{"active_power_uw": 100', "JSON"),
    ],
)
def test_a_file_of_settings_that_cannot_be_used_is_told_of(own_profiles, caplog, text, said):
    (own_profiles / f"{UNKNOWN}.json").write_text(text)
    with pytest.raises(UnknownName, match="the power of STM32H743 is not known"):
        zoo.get(task="kws", device=UNKNOWN, max_power_uw="5mW")
    assert [said in line and f"{UNKNOWN}.json" in line for line in caplog.messages] == [True]


def test_active_power_of_the_profile_counts_while_it_computes(own_profiles):
    with pytest.raises(
        UnknownName, match=r"max_power_uw = 5000: the power of STM32H743 is not known: .*active_power_uw"
    ):
        zoo.get(task="kws", device=UNKNOWN, max_power_uw="5mW")
    with pytest.raises(UnknownName, match=r"max_power_uw = 5000: the power of STM32H743 is not known"):
        zoo.get(task="kws").fit(UNKNOWN, max_power_uw="5mW")
    assert "power" not in {line.name for line in zoo.get(task="kws").fit(UNKNOWN).lines}
    (own_profiles / f"{UNKNOWN}.json").write_text('{"active_power_uw": 150000, "sleep_power_uw": 40}')
    found = zoo.get(task="kws", device=UNKNOWN, max_power_uw="1W").figure
    duty = found.latency_ms / 1000
    assert found.power.power_uw == pytest.approx(150_000 * duty + 40 * (1 - duty), rel=1e-3)
    assert found.power.high_uw == pytest.approx((150_000 - 40) * found.high_ms / 1000 + 40, rel=1e-3)
    assert found.power.by == "150,000 uW while it computes"
    assert found.power.basis == found.basis


def test_what_cannot_keep_up_keeps_no_power():
    """A model of whole clips takes as long for each answer, however often one is wanted."""
    latency = min(figures(zoo.Hub(), entry)[BOARD].latency_ms for entry in zoo.find(task="aec", hub=zoo.Hub()))
    query = {"task": "aec", "device": BOARD, "max_power_uw": "10W", "ignore_limits": True}
    with pytest.raises(NoModelFits, match=r"every_ms=.* binds|every_ms binds") as caught:
        zoo.get(**query, every_ms=0.5 * latency)
    assert caught.value.constraint == "every_ms"
    assert f"ask for every_ms={latency:.6g}" in str(caught.value)
    zoo.get(**query, every_ms=latency)
    slow = zoo.get(task="aec", device=BOARD, every_ms=0.5 * latency)  # shown, where it is no limit
    assert f"too slow, since an answer takes {float(f'{slow.figure.latency_ms:.3g}'):,.0f} ms" in repr(slow)


@examples(200)
@given(st.floats(5, 500), st.integers(1, 25), st.floats(0.1, 900), st.floats(1, 3))
def test_a_stream_keeps_a_rate_where_each_answer_ends_before_the_next(asked, steps, answer, spread):
    """It answers on whole steps, so at times more often than is asked, and never less often."""
    power = Power(1.0, None, None, "predicted", "energy", None, 20.0 * steps, answer, 1e6, answer * spread)
    for sure, most in ((False, answer), (True, answer * spread)):
        late = power.every_ms > asked or most > power.every_ms
        assert (Stream(asked).least_ms(power, sure) > asked) == late or most == pytest.approx(power.every_ms)
    assert Stream().least_ms(power) == answer


def test_a_stream_that_answers_less_often_says_so():
    with pytest.raises(NoModelFits, match=r"every_ms=7.*every_ms binds.*with 20; ask for every_ms=20"):
        zoo.get(task="kws", device=BOARD, max_power_uw="1W", every_ms=7)
    assert zoo.get(task="kws", device=BOARD, every_ms=7).figure.power.every_ms == 20
    assert zoo.get(task="kws", device=BOARD).figure.power is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"max_power_uw": 500}, "max_power_uw needs a device"),
        ({"every_ms": 100}, "every_ms needs a device"),
        ({"sleep_power_uw": 0}, "sleep_power_uw needs a device"),
        ({"device": BOARD, "max_power_uw": 0}, "max_power_uw = 0 is not possible: give a number above 0 in uW"),
        ({"device": BOARD, "max_power_uw": "5 mA"}, "max_power_uw = 5 mA is not possible"),
        ({"device": BOARD, "every_ms": -1}, "every_ms = -1 is not possible: give a time from 0.001 ms"),
        ({"device": BOARD, "every_ms": 1e300}, "every_ms = 1e.300 is not possible: give a time from 0.001 ms to a day"),
        ({"device": BOARD, "every_ms": 1e-320}, "every_ms = .* is not possible: give a time from 0.001 ms to a day"),
        (
            {"device": BOARD, "sleep_power_uw": -1},
            "sleep_power_uw = -1 is not possible: give a number in uW, 0 or more",
        ),
        ({"device": BOARD, "sleep_power_uw": math.nan}, "sleep_power_uw = nan is not possible"),
        (
            {"device": ESTIMATED, "max_power_uw": 1e4, "sleep_power_uw": 5000},
            "sleep_power_uw = 5000 .*give that or less",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(query, message):
    with pytest.raises(InvalidQuery, match=message):
        zoo.get(task="kws", **query)


def test_commands_say_what_a_power_is_of(capsys):
    asked = ["--device", BOARD, "--max-power-uw", "8mW", "--every-ms", "200", "--sleep-power-uw", "12"]
    assert main(["get", "kws", *asked, "--format", "json"]) == 0
    power = json.loads(capsys.readouterr().out)["device"]["power"]
    assert power["power_uw"] <= 8000
    assert (power["basis"], power["by"], power["every_ms"]) == ("indicative", "the energy of an answer", 200)
    assert power["sleep_power_uw"] == 12
    assert main(["list", "--task", "kws", *asked, "--sort", "power_uw", "--columns", "name,power_uw,power_basis"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "power", "power", "basis"]
    assert [row.split()[2:] for row in rows] == [["uW", "indicative"]] * len(rows)
    assert main(["list", "--task", "kws", *asked]) == 0
    out, told = capsys.readouterr()
    assert all(line.endswith(" uW") for line in out.splitlines()[1:])
    assert "power is indicative, by the energy of an answer; 12 uW asleep" in told
    assert main(["fit", "kws", "--device", BOARD, "--max-power-uw", "1mW", "--format", "json"]) == 1
    bill = json.loads(capsys.readouterr().out)
    line = next(line for line in bill["lines"] if line["name"] == "power")
    assert (line["limit"], line["verdict"], bill["device"]["power"]["sleep_power_uw"]) == (1000, "fail", None)


def test_a_table_has_power_where_it_is_asked():
    table = zoo.list("kws", device=BOARD, max_power_uw="6mW", every_ms=100)
    assert (table["power_uw"] <= 6000).all()
    assert set(table["power_basis"]) == {"indicative"}
    assert "power_uw" not in zoo.list("kws", device=BOARD)
