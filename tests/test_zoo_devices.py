"""Models by what they take on a device: look-ups, the bill, and the commands."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from last_steps import AGAIN, HOWS, fails, files

import predictors
import zoo
import zoo.package.figures
from supernet.errors import InvalidPackage, InvalidQuery, NoModelFits, UnknownName
from supernet.space import default_space
from zoo.cli import main
from zoo.hubs.costs import figures, write_costs
from zoo.make.publish import publish
from zoo.package.figures import COSTS, Figure
from zoo.run.bill import Bill, Line

BOARD = "stm32f746-tflm-cmsis-nn"


@pytest.fixture
def hub(package, tmp_path, monkeypatch):
    """A hub of one model, with figures on a device of the user's."""
    for module in ("device", "settings"):
        monkeypatch.setattr(f"predictors.{module}.PROFILES", tmp_path / "profiles")
    monkeypatch.setattr("predictors.settings.BUNDLED", tmp_path / "none")
    networks = default_space("temporal", 4).from_genes(default_space("temporal", 4).sample(np.random.default_rng(0), 6))
    macs = [predictors.estimate(network).macs for network in networks]
    rows = pd.DataFrame({"macs": macs, "latency_ms": [1 + value / 1e5 for value in macs]})
    rows["energy_uj"] = 1 + rows["macs"] / 1e4
    (tmp_path / "profiles").mkdir()
    rows.assign(runtime="Earshot C 1.0", core="Cortex-M4", clock_mhz=80).to_csv(
        tmp_path / "profiles" / "board.csv", index=False
    )
    (tmp_path / "profiles" / "board.json").write_text('{"flash_bytes": 5000, "ram_bytes": 1000, "sleep_power_uw": 7}')
    written = publish(package, tmp_path / "hub")
    assert write_costs(written, written.entries) == 1
    return written


def test_a_look_up_by_latency_says_what_its_figure_stands_for():
    model = zoo.get(task="kws", max_latency_ms=30, device=BOARD)
    found = model.figure
    assert found.latency_ms <= 30 < max(figures(zoo.Hub(), entry)[BOARD].latency_ms for entry in zoo.Hub().entries)
    assert found.low_ms < found.latency_ms < found.high_ms
    assert (found.profile, found.basis, found.runtime) == (BOARD, "indicative", "TFLM + CMSIS-NN")
    assert all(text in str(model) for text in ("TFLM + CMSIS-NN", "indicative", f"{found.latency_ms:.3g} ms"))
    better = [entry for entry in zoo.find(task="kws") if entry.validation > model.entry.validation]
    assert all(figures(zoo.Hub(), entry)[BOARD].latency_ms > 30 for entry in better)
    sure = zoo.get(task="kws", max_latency_ms=30, device=BOARD, sure=True)
    assert sure.figure.high_ms <= 30 < found.high_ms


def test_a_list_shows_what_each_takes(capsys):
    command = ["list", "--task", "kws", "--device", BOARD, "--max-latency-ms", "10"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main([*command, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(lines) - 1 > 0
    for row, line in zip(rows, lines[1:], strict=True):
        assert row["device"]["latency_ms"] <= 10
        assert line.endswith(f"{row['device']['latency_ms']:.3g} ms")


def test_every_bundled_model_has_figures_on_every_bundled_profile():
    from predictors.device import profiles

    names = set(profiles("/nowhere"))
    for entry in zoo.Hub().entries:
        assert set(figures(zoo.Hub(), entry)) == names


def test_a_look_up_by_device_loads_nothing_heavy():
    code = (
        f"import sys, zoo; zoo.get(task='kws', max_latency_ms=30, device={BOARD!r});"
        "print([m for m in ('torch', 'sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ({"max_latency_ms": 30}, InvalidQuery, "max_latency_ms needs a device"),
        ({"sure": True}, InvalidQuery, "sure needs a device"),
        ({"device": "stm32f746", "max_latency_ms": 30}, UnknownName, "has 5 profiles"),
        ({"device": "esp99", "max_latency_ms": 30}, UnknownName, "no figures for device 'esp99'"),
        ({"device": BOARD, "max_latency_ms": -1}, InvalidQuery, "max_latency_ms = -1 is not possible"),
        ({"device": BOARD, "max_latency_ms": "fast"}, InvalidQuery, "give a number above 0"),
        ({"device": BOARD, "max_latency_ms": 1e-3}, NoModelFits, "max_latency_ms binds"),
    ],
)
def test_what_cannot_be_meant_or_met_is_said(query, error, message):
    with pytest.raises(error, match=message):
        zoo.get(task="kws", **query)


def test_limits_of_energy_hold_where_energy_is_known(hub):
    model = zoo.get(hub=hub.folder, device="board", max_energy_uj=1e6)
    assert model.figure.energy_uj == pytest.approx(1 + model.entry.macs / 1e4, rel=0.5)
    with pytest.raises(NoModelFits, match="max_energy_uj binds"):
        zoo.get(hub=hub.folder, device="board", max_energy_uj=1e-3)


def test_new_figures_change_no_model(hub, tmp_path):
    before = {path: path.read_bytes() for path in hub.folder.rglob("*") if path.is_file() and path.name != COSTS}
    (tmp_path / "profiles" / "other.csv").write_text("macs,latency_ms\n1000000,10\n2000000,20\n")
    assert write_costs(hub, hub.entries) == 2
    assert {path: path.read_bytes() for path in before} == before
    assert set(figures(hub, hub.entries[0])) == {"board", "other"}


@pytest.mark.parametrize("change", ["schema", "number", "missing", "field", "text"])
def test_altered_figures_are_refused(hub, change):
    path = hub.path(hub.entries[0]) / COSTS
    values = json.loads(path.read_text())
    if change == "schema":
        values["schema"] = 99
    elif change == "number":
        values["profiles"]["board"][values["fields"].index("latency_ms")] = -1
    elif change == "missing":
        values["profiles"]["board"].pop()
    elif change == "field":
        values["fields"][0] = "colour"
    path.write_text("{" if change == "text" else json.dumps(values))
    with pytest.raises(InvalidPackage, match=r"costs\.json.*" + ("" if change == "text" else "earshot profile costs")):
        zoo.get(hub=hub.folder, device="board", max_latency_ms=1000)


def test_figures_of_the_first_schema_are_read(hub):
    """It named the values of each profile."""
    path, now = hub.path(hub.entries[0]) / COSTS, figures(hub, hub.entries[0])
    values = json.loads(path.read_text())
    profiles = {name: dict(zip(values["fields"], row, strict=True)) for name, row in values["profiles"].items()}
    path.write_text(json.dumps({"schema": 1, "profiles": profiles}))
    assert figures(hub, hub.entries[0]) == now


def test_the_bill_itemises_against_what_the_device_has(hub):
    model = zoo.get(hub=hub.folder)
    bill = model.fit("board", every_ms=500)
    lines = {line.name.strip(): line for line in bill.lines}
    exact = predictors.estimate(model.arch)
    assert (lines["flash"].need, lines["flash"].limit) == (model.entry.flash_bytes, 5000)
    assert lines["RAM"].need == exact.ram_bytes > 1000
    assert lines["RAM"].verdict == "fail"
    assert not bill.passes
    assert lines["latency"].limit == 500
    whole = 1 + model.entry.frontend_macs / model.entry.macs
    assert lines["power"].need == pytest.approx(2 * whole * bill.figure.energy_uj + 7, rel=1e-3)
    assert {line.need for line in bill.lines} >= {212.0, 8.79}
    assert "fail" in str(bill)
    with pytest.raises(InvalidQuery, match="every_ms"):
        model.fit("board", every_ms=0)


def test_a_line_without_a_limit_has_no_verdict():
    figure = Figure("p", "d", None, "", "", 1.0, 0.5, 2.0, None, None, None, True, False, "predicted")
    bill = Bill("m", figure, (Line("energy", 3.0, "uJ", None), Line("flash", 10, "bytes", 10)))
    assert [line.verdict for line in bill.lines] == ["-", "pass"]
    assert bill.passes


def test_fit_ends_with_1_where_a_line_fails(hub, capsys):
    name = hub.entries[0].name
    assert main(["fit", name, "--hub", str(hub.folder), "--device", "board"]) == 1
    assert "RAM" in capsys.readouterr().out


def test_costs_are_printed_by_layer_and_add_up(capsys):
    assert main(["cost", "kws", "--format", "json"]) == 0
    found, entry = json.loads(capsys.readouterr().out), zoo.get(task="kws").entry
    for total, column in (("macs", "macs"), ("params", "params"), ("weight_bytes", "weight_bytes")):
        assert sum(row[column] for row in found["layers"]) == found[total] == getattr(entry, total)
    assert sum(found[f"{kind}_macs"] for kind in ("dense", "pointwise", "depthwise", "linear")) == entry.macs
    assert found["flash_bytes_by_bits"]["8"] == entry.flash_bytes
    assert max(row["arena_bytes"] for row in found["layers"]) == found["arena_bytes"]
    assert main(["cost", entry.name]) == 0
    assert f"{entry.macs:,}" in capsys.readouterr().out


def test_fit_takes_a_task_and_gives_json(capsys):
    assert main(["fit", "kws", "--device", BOARD, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["passes"]


def test_a_profile_is_added_shown_and_asked(hub, tmp_path, capsys):
    table, plot = tmp_path / "mine.csv", tmp_path / "mine.svg"
    macs = np.linspace(2e5, 8e6, 12).round()
    pd.DataFrame({"macs": macs, "latency_ms": 2 + macs / 1e5}).to_csv(table, index=False)
    command = [
        "profile",
        "add",
        "mine",
        str(table),
        "--core",
        "Cortex-M4",
        "--hub",
        str(hub.folder),
        "--plot",
        str(plot),
    ]
    assert main([*command, "--format", "json"]) == 0
    added = json.loads(capsys.readouterr().out)
    assert added["errors"]["line"]["median_ape_percent"] < 1
    assert added["errors"]["ours"]["median_ape_percent"] < added["errors"]["constant"]["median_ape_percent"]
    assert b"<svg" in plot.read_bytes()
    assert zoo.get(hub=hub.folder, device="mine", max_latency_ms=1000).figure.profile == "mine"
    assert main(["profile", "list", "mi"]) == 0
    assert capsys.readouterr().out.count("mine") == 1
    assert main(["profile", "show", "mine"]) == 0
    assert "unseen rows" in capsys.readouterr().out


def test_a_bad_file_adds_nothing(hub, tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    bad.write_text("macs,latency_ms\n1000000,-1\n2000000,4\n")
    before = (hub.path(hub.entries[0]) / COSTS).read_bytes()
    assert main(["profile", "add", "bad", str(bad), "--hub", str(hub.folder)]) == 1
    assert "line 2, column latency_ms" in capsys.readouterr().err
    assert not (tmp_path / "profiles" / "bad.csv").exists()
    assert (hub.path(hub.entries[0]) / COSTS).read_bytes() == before


@pytest.mark.parametrize("how", HOWS)
def test_a_profile_whose_figures_cannot_be_written_is_kept(hub, tmp_path, monkeypatch, capsys, how):
    (tmp_path / "mine.csv").write_text("macs,latency_ms\n1000000,10\n2000000,20\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    profile = tmp_path / "profiles" / "mine.csv"
    for command, place in (
        (["profile", "add", "mine", "../mine.csv", "--hub", str(hub.folder)], profile),
        (["profile", "costs", "--hub", str(hub.folder)], hub.folder),
    ):
        before = files(hub.folder)
        assert fails(monkeypatch, how, command, zoo.package.figures, "write_json") == (1 if how == "full" else None)
        if how == "full":
            message = capsys.readouterr().err.strip().splitlines()[-1]
            assert message.endswith(f"{COSTS}: No space left on device; what was made is in {place}: {AGAIN}")
        assert files(hub.folder) == before
        assert profile.is_file()
        assert main(command) == 0
        assert "mine" in figures(hub, hub.entries[0])


@pytest.mark.parametrize("wrong", [["--plot", "x.jpg"], ["--hub", "nowhere"], ["--clock-mhz", "-5"]])
def test_a_wrong_option_adds_nothing(hub, tmp_path, wrong):
    table = tmp_path / "mine.csv"
    table.write_text("macs,latency_ms\n1000000,10\n2000000,20\n")
    assert main(["profile", "add", "mine", str(table), "--hub", str(hub.folder), *wrong]) == 2
    assert not (tmp_path / "profiles" / "mine.csv").exists()


def test_measurements_are_checked_by_profile_and_in_total(tmp_path, capsys):
    rows = "device_key,core,clock_mhz,runtime,task,model,macs,latency_ms,notes\n"
    rows += "STM32F767,Cortex-M7,,TFLM + CMSIS-NN,kws,a,8000000,100,\nSTM32F767,Cortex-M7,,TFLM + CMSIS-NN,kws,b,,90,\n"
    rows += "Other,Cortex-M4,100,TFLM,kws,c,8000000,300,\n"
    (tmp_path / "rows.csv").write_text(rows)
    assert main(["profile", "check", str(tmp_path / "rows.csv"), "--format", "json"]) == 0
    output = capsys.readouterr()
    found = json.loads(output.out)
    assert {"median_ape_percent", "within_10_percent", "within_30_percent", "rows"} <= set(found)
    assert found["rows"] == 2
    assert found["profiles"]["stm32f767-tflm-cmsis-nn"]["rows"] == 1
    assert "1 rows without latency_ms or macs" in output.err
    assert main(["profile", "check", str(tmp_path / "rows.csv")]) == 0
    assert "in total" in capsys.readouterr().out


def test_this_machine_is_measured_by_a_command(tmp_path, capsys):
    command = ["measure", "--device", "host", "--runner", "eager", "--count", "3", "--out", str(tmp_path / "host.csv")]
    assert main(command) == 0
    assert "3 networks" in capsys.readouterr().out
    assert main([*command[:-1], str(tmp_path / "x.csv"), "--runner", "fast"]) == 2
    assert main(["measure", "--device", "esp32", "--out", str(tmp_path / "x.csv")]) == 2
    assert not (tmp_path / "x.csv").exists()
