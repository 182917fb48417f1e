"""Models by what they take on a device: look-ups, the bill, and the commands."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from last_steps import AGAIN, HOWS, fails, files

import predictors
import zoo
import zoo.package.figures
from supernet.bits import with_bits
from supernet.cost import cost_columns, stream_macs
from supernet.errors import InvalidPackage, InvalidQuery, MissingExtra, NoModelFits, UnknownName
from supernet.files import digest
from supernet.space import default_space
from zoo.cli import main
from zoo.hubs.costs import figures, stored_figures, write_costs
from zoo.make.publish import publish
from zoo.package.figures import COSTS, DeviceFigure
from zoo.run.bill import Bill, Line

BOARD = "stm32f746-tflm-cmsis-nn"


@pytest.fixture
def hub(package, tmp_path, monkeypatch):
    """A hub of one model, with figures on a device that is published; the user's profiles are elsewhere."""
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path / "profiles")
    monkeypatch.setattr("predictors.settings.BUNDLED", tmp_path / "published")
    networks = default_space("temporal", 4).from_genes(default_space("temporal", 4).sample(np.random.default_rng(0), 6))
    macs = [predictors.estimate(network).macs for network in networks]
    rows = pd.DataFrame({"macs": macs, "latency_ms": [1 + value / 1e5 for value in macs]})
    rows["energy_uj"] = 1 + rows["macs"] / 1e4
    (tmp_path / "published").mkdir()
    rows.assign(runtime="Earshot C 1.0", core="Cortex-M4", clock_mhz=80).to_csv(
        tmp_path / "published" / "board.csv", index=False
    )
    (tmp_path / "published" / "board.json").write_text('{"flash_bytes": 5000, "ram_bytes": 1000, "sleep_power_uw": 7}')
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
    command = ["list", "--task", "kws", "--device", BOARD, "--max-latency-ms", "30"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main([*command, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(lines) - 1 > 0
    for row, line in zip(rows, lines[1:], strict=True):
        assert row["device"]["latency_ms"] <= 30
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
        ({"device": BOARD, "max_ram": "1kB"}, NoModelFits, "max_ram binds"),
        ({"device": BOARD, "max_flash": "1kB", "max_latency_ms": 5}, NoModelFits, "max_flash binds.*max_latency_ms="),
        ({"device": BOARD, "min_accuracy": 0.999}, NoModelFits, "min_accuracy binds"),
        ({"device": "stm32h734", "max_ram": "1kB"}, UnknownName, "near: .*stm32h743"),
    ],
)
def test_what_cannot_be_meant_or_met_is_said(query, error, message):
    with pytest.raises(error, match=message):
        zoo.get(task="kws", **query)


def test_limits_of_energy_hold_where_energy_is_known(hub):
    model = zoo.get(hub=hub.folder, device="board", max_energy_uj=1e6, ignore_limits=True)
    whole = 1 + model.entry.frontend_macs / model.entry.macs
    assert model.figure.energy_uj == pytest.approx(whole * (1 + model.entry.macs / 1e4), rel=0.5)
    with pytest.raises(NoModelFits, match="max_energy_uj binds"):
        zoo.get(hub=hub.folder, device="board", max_energy_uj=1e-3, ignore_limits=True)


@pytest.fixture
def emulated(hub, tmp_path):
    """The hub, with figures on an emulated core as well: some 2 instructions a MAC and 300 a layer."""
    space = default_space("temporal", 4)
    networks = space.from_genes(space.sample_sizes(np.random.default_rng(0), 60))
    columns = cost_columns(networks)
    rows = pd.DataFrame({"arch": [network.to_json() for network in networks]})
    uneven = 1 + 0.02 * np.sin(np.arange(len(rows)))
    rows["instructions"] = uneven * (2 * columns["macs"] + 300 * columns["layers"])
    rows = rows.assign(runtime="Earshot C", version="1.0", core="Cortex-M4", basis="stream", device="QEMU")
    rows.to_csv(tmp_path / "published" / "qemu.csv", index=False)
    write_costs(hub, hub.entries)
    return hub


def instructions_of(entry, arch):
    return (2 * entry.macs + 300 * int(cost_columns([arch])["layers"][0])) * (1 + entry.frontend_macs / entry.macs)


def test_instructions_of_an_emulated_core_are_a_limit_of_their_own(emulated, capsys):
    model = zoo.get(hub=emulated.folder, device="qemu", max_instructions="1G")
    wanted, found = instructions_of(model.entry, model.arch), model.figure
    assert found.instructions == pytest.approx(wanted, rel=0.1)
    assert found.instructions_low < found.instructions < found.instructions_high
    assert (found.latency_ms, found.energy_uj, found.frontend_ms) == (None, None, 0)
    assert found.frontend_instructions == pytest.approx(
        wanted - wanted / (1 + model.entry.frontend_macs / model.entry.macs), rel=0.1
    )
    assert re.search(r"[\d,]+ instructions \([\d,]+ to [\d,]+\) on QEMU, Earshot C 1.0: predicted", str(model))
    limit = found.instructions * 1.001
    assert zoo.find(hub=emulated.folder, device="qemu", max_instructions=limit)
    for unmet in ({"max_instructions": limit / 2}, {"max_instructions": limit, "sure": True}, {"max_latency_ms": 1e6}):
        with pytest.raises(NoModelFits, match="binds"):
            zoo.get(hub=emulated.folder, device="qemu", **unmet)
    with pytest.raises(NoModelFits, match="max_instructions binds"):
        zoo.get(hub=emulated.folder, device="board", max_instructions=1e12, ignore_limits=True)
    with pytest.raises(InvalidQuery, match="max_instructions needs a device"):
        zoo.get(hub=emulated.folder, max_instructions=1e6)
    assert main(["list", "--hub", str(emulated.folder), "--device", "qemu"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("instructions")
    row = zoo.list(hub=emulated.folder, device="qemu").iloc[0]
    assert row["instructions"] == found.instructions


def test_instructions_become_milliseconds_only_where_it_is_said_how(emulated, capsys):
    model = zoo.get(hub=emulated.folder)
    counted = model.fit("qemu").figure.instructions
    assert [line.name for line in model.fit("qemu").lines][-1] == "instructions"
    timed = model.fit("qemu", cycles_per_instruction=1.5, clock_mhz=64)
    assert timed.figure.latency_ms == pytest.approx(counted * 1.5 / 64e3, rel=1e-3)
    assert timed.figure.runtime == "Earshot C, 1.5 cycles an instruction"
    assert {line.name: line.need for line in timed.lines}["latency"] == timed.figure.latency_ms
    share = stream_macs(model.arch, 10 // model.arch.features.step_ms * 10) / model.entry.macs
    part = model.fit("qemu", every_ms=100)
    assert part.figure.instructions == pytest.approx(counted * share, rel=0.05)
    assert "0% of the network's instructions" in part.notes[-1]
    command = ["fit", model.name, "--hub", str(emulated.folder), "--device", "qemu", "--clock-mhz", "64"]
    assert main([*command, "--cycles-per-instruction", "1.5"]) in (0, 1)
    assert f"{timed.figure.latency_ms:.3g} ms" in capsys.readouterr().out
    assert main(command) == 2
    assert "give both" in capsys.readouterr().err
    with pytest.raises(InvalidQuery, match="nobody counted instructions on board"):
        model.fit("board", cycles_per_instruction=1.5, clock_mhz=64)
    with pytest.raises(InvalidQuery, match="clock_mhz = -1 is not possible"):
        model.fit("qemu", cycles_per_instruction=1.5, clock_mhz=-1)


def test_figures_have_fields_of_instructions_only_where_there_are_some(hub, tmp_path):
    stored = json.loads((hub.path(hub.entries[0]) / COSTS).read_text())
    assert not [name for name in stored["fields"] if "instructions" in name]
    assert stored_figures(hub, hub.entries[0])["board"].instructions is None


def test_new_figures_change_no_model(hub, tmp_path):
    before = {path: path.read_bytes() for path in hub.folder.rglob("*") if path.is_file() and path.name != COSTS}
    (tmp_path / "published" / "other.csv").write_text("macs,latency_ms\n1000000,10\n2000000,20\n")
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


def digests(*folders) -> dict:
    """Of every file below folders."""
    return {path: digest(path.read_bytes()) for one in folders for path in sorted(one.rglob("*")) if path.is_file()}


def test_what_a_user_adds_changes_nothing_that_was_published(monkeypatch, tmp_path):
    """Two rows of an own board, slower than any of its like, and a row for a published board."""
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path / "profiles")
    package, names = Path(zoo.__file__).parent.parent, (BOARD, "esp32-s3-240mhz-tflm-esp-nn")
    installed = [package / "predictors" / "profiles", package / "zoo" / "hub"]
    entry = zoo.Hub().entries[-1]
    before, wish = digests(*installed), {"task": "kws", "device": BOARD, "max_latency_ms": 30, "sure": True}
    said = [predictors.estimate(zoo.get(task="kws").arch, name) for name in names]
    answer, taken = zoo.get(**wish), zoo.info(entry.name).devices
    table = tmp_path / "mine.csv"
    table.write_text("macs,latency_ms,device,core,runtime\n" + "".join(
        f"{macs},{macs / 5e3},STM32F746,Cortex-M7,TFLM + CMSIS-NN\n" for macs in (300_000, 900_000)
    ))  # fmt: skip
    assert main(["profile", "add", "mine", str(table)]) == 0
    assert digests(*installed) == before
    assert repr(zoo.get(**wish)) == repr(answer)
    assert [predictors.estimate(zoo.get(task="kws").arch, name) for name in names] == said
    now = zoo.info(entry.name).devices
    assert {name: now[name] for name in taken} == taken
    assert now.keys() - taken.keys() == {"mine"}
    assert now["mine"].latency_ms > 3 * taken[BOARD].latency_ms
    assert main(["profile", "costs"]) == 0
    assert digests(*installed) == before
    first = now["mine"]
    assert main(["profile", "add", "other", str(table), "--core", "Cortex-M0", "--runtime", "TFLM"]) == 0
    assert zoo.info(entry.name, device="mine").devices["mine"] == first
    assert main(["profile", "remove", "mine"]) == 0
    assert {path.name for path in digests(tmp_path / "profiles")} == {"other.csv", "other.json"}
    assert zoo.info(entry.name).devices.keys() - taken.keys() == {"other"}
    with pytest.raises(UnknownName, match="no figures for device 'mine'"):
        zoo.get(task="kws", device="mine")
    assert main(["profile", "remove", "mine"]) == main(["profile", "remove", BOARD]) == 1
    assert digests(*installed) == before


def test_models_without_figures_are_left_out_and_told(monkeypatch, tmp_path, caplog):
    """Of a board of one's own, where models were added since."""
    monkeypatch.setattr("predictors.settings.PROFILES", tmp_path / "profiles")
    entries = zoo.Hub().entries
    kws = zoo.find("kws")
    zoo.sync(zoo.Hub(), tmp_path / "hub", name=kws[-1].name)
    (tmp_path / "mine.csv").write_text("macs,latency_ms\n100000,10\n200000,20\n")
    assert main(["profile", "add", "mine", str(tmp_path / "mine.csv"), "--hub", str(tmp_path / "hub")]) == 0
    assert len(entries) > len(kws) > 2
    for query in ({"max_latency_ms": 1e6}, {"most": 3}, {"ignore_limits": True}):
        caplog.clear()
        assert [entry.name for entry in zoo.find("kws", device="mine", **query)] == [kws[-1].name]
        left = len(kws) - 1
        assert f"{left} models are left out: no figures for mine, which `earshot profile costs` computes" in caplog.text
    with pytest.raises(UnknownName, match=f"none of the {len(zoo.find('aec'))} models that fit otherwise has figures"):
        zoo.get("aec", device="mine")


def test_a_limit_of_which_nothing_is_known_is_to_be_left_out():
    with pytest.raises(NoModelFits, match=f"leave max_instructions out, of which nothing is known on {BOARD}"):
        zoo.get("kws", device=BOARD, max_instructions="20M")


def test_what_is_published_later_has_figures_on_own_profiles_but_does_not_tell_of_them(hub, package, tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.csv").write_text("macs,latency_ms\n100000,10\n200000,20\n")
    second = publish(package, tmp_path / "second")
    name = second.entries[0].name
    assert "mine" in figures(second, second.entries[0])
    assert b"mine" not in (second.folder / "models" / name / COSTS).read_bytes()
    assert "mine" not in (second.folder / "models" / name / "README.md").read_text()
    (tmp_path / "profiles" / "mine.csv").write_text("macs,latency_ms\n100000,20\n200000,40\n")
    assert "mine" not in figures(second, second.entries[0])  # figures of another table
    assert main(["profile", "costs", "--hub", str(second.folder)]) == 0
    assert "mine" in figures(second, second.entries[0])
    (tmp_path / "profiles" / "costs" / "mine.json").write_text("{")
    assert set(figures(second, second.entries[0])) == {"board"}


def test_what_a_device_has_limits_look_ups_and_the_answer_says_so(hub, capsys):
    """The board has 1,000 bytes of RAM and 5,000 of flash."""
    name = hub.entries[0].name
    with pytest.raises(NoModelFits, match=r"max_ram=1000 \(of board\).*ignore_limits \(--ignore-limits\)"):
        zoo.get(hub=hub.folder, device="board")
    with pytest.raises(NoModelFits):
        zoo.find(hub=hub.folder, device="board", max_ram="1M")
    assert main(["list", "--hub", str(hub.folder), "--device", "board"]) == 1
    assert main(["get", "--hub", str(hub.folder), "--device", "board", "--ignore-limits"]) == 0
    shown = capsys.readouterr().out
    assert "does not fit: board has 5,000 bytes of flash and 1,000 bytes of RAM, it needs" in shown
    assert main(["get", "--hub", str(hub.folder), "--device", "board", "--ignore-limits", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["device_limits"]) == (name, {"max_flash": 5000.0, "max_ram": 1000.0})
    with pytest.raises(InvalidQuery, match="ignore_limits needs a device"):
        zoo.get(hub=hub.folder, ignore_limits=True)


def test_no_model_of_a_published_device_needs_more_than_it_has():
    for device, ram in (("stm32l475", 131_072), ("stm32f446", 131_072), ("esp32-c3", 409_600)):
        every = zoo.find(task="aec", device=device, ignore_limits=True)
        assert zoo.find(task="aec", device=device) == [entry for entry in every if entry.ram_bytes <= ram]
    best = zoo.get(task="aec", device="stm32l475", ignore_limits=True)
    assert best.entry.ram_bytes > 131_072
    assert "does not fit" in repr(best)
    assert "fits into the" in repr(zoo.get(task="kws", device="stm32l475"))


@pytest.mark.parametrize("device", [BOARD, "esp32-s3-240mhz-tigris-esp-nn"])
def test_a_look_up_limits_the_latency_that_the_bill_charges(device):
    model = zoo.get(task="kws", device=device)
    lines = {line.name.strip(): line.need for line in model.fit(device).lines}
    assert lines["latency"] == pytest.approx(model.figure.latency_ms, rel=1e-3)
    assert lines["network"] + lines["front end"] == pytest.approx(lines["latency"], rel=1e-3)
    assert lines["front end"] == pytest.approx(model.figure.frontend_ms, rel=1e-3)
    share = model.entry.frontend_macs / model.entry.macs
    assert lines["front end"] == pytest.approx(share * lines["network"], rel=1e-2)
    just = {"task": "kws", "name": model.name, "device": device}
    assert zoo.get(**just, max_latency_ms=model.figure.latency_ms).name == model.name
    with pytest.raises(NoModelFits, match="max_latency_ms binds"):
        zoo.get(**just, max_latency_ms=0.999 * model.figure.latency_ms)
    assert "front end, guessed" in repr(model)


def test_a_bill_shows_its_limits_as_they_were_asked():
    bill = zoo.get(task="kws").fit(BOARD, every_ms=62.5, max_power_uw=0.4)
    shown = {line.name: line.text for line in bill.lines}
    assert re.search(r"uW +0\.4 +fail", shown["power"])
    assert re.search(r"ms +60 +pass", shown["latency"])
    part = needs(bill)
    assert f"guessed: {part['front end'] / part['network']:.0%} more MACs" in shown["front end"]


def needs(bill) -> dict[str, float]:
    """What the lines of a bill say."""
    return {line.name.strip(): line.need for line in bill.lines}


@pytest.mark.parametrize("every", [20, 100, "0.5s", 980])
def test_an_answer_in_a_stream_is_charged_the_frames_that_are_new(every):
    """A clip of a second gives a frame each 20 ms; of so many with one answer, all but the classifier is a share."""
    model = zoo.get(task="kws")
    clip, bill = model.fit(BOARD), model.fit(BOARD, every_ms=every)
    whole, part = needs(clip), needs(bill)
    times = 1000 * float(every[:-1]) if isinstance(every, str) else every
    classifier = model.arch.shape.head * model.arch.classes
    macs = (model.entry.macs - classifier) * times / 1000 + classifier
    assert part["network"] == pytest.approx(whole["network"] * macs / model.entry.macs, rel=2e-3)
    assert part["front end"] == pytest.approx(whole["front end"] * times / 1000, rel=1e-3)
    assert part["latency"] == pytest.approx(part["network"] + part["front end"], rel=2e-3)
    assert part["energy"] / whole["energy"] == pytest.approx(part["latency"] / whole["latency"], rel=1e-3)
    assert part["power"] == pytest.approx(part["energy"] * 1000 / times, rel=1e-3)
    assert whole["power"] <= part["power"] < 1.05 * whole["power"]
    assert next(line.limit for line in bill.lines if line.name == "latency") == times
    assert bill.figure.low_ms < part["latency"] < bill.figure.high_ms < clip.figure.high_ms
    new, beside = bill.notes
    assert f"{macs:,.0f} MACs in the network" in new
    runs = times / 20
    more = 0.01 * whole["network"] * (runs - macs / model.entry.macs)
    assert f"an answer would take {more:.3g}"[:-1] in beside


def test_a_bill_says_which_rate_it_assumes():
    model, whole = zoo.get(task="kws"), zoo.get(task="aec")
    assert model.fit(BOARD).notes == (
        "One answer a clip, each 1000 ms, is assumed and charged a whole clip; --every-ms states another rate.",
    )
    assert "each 5000 ms, is assumed" in str(whole.fit(BOARD))
    assert not whole.fit(BOARD, every_ms=20).notes  # whole clips is what it answers
    assert needs(whole.fit(BOARD, every_ms=20))["latency"] == needs(whole.fit(BOARD))["latency"]
    assert not model.fit(BOARD, every_ms=1000).notes
    assert needs(model.fit(BOARD, every_ms=1000)) == needs(model.fit(BOARD))
    rarely = model.fit(BOARD, every_ms=2500)
    assert rarely.notes == ("Each answer is charged a whole clip of 1000 ms; 1500 ms between clips are not heard.",)
    assert needs(rarely)["power"] == pytest.approx(needs(model.fit(BOARD))["power"] / 2.5, rel=1e-3)


def test_a_rate_that_a_stream_does_not_have_is_rounded_down_or_refused(capsys):
    model = zoo.get(task="kws")
    rounded = model.fit(BOARD, every_ms=119.9)
    assert rounded.notes[0] == "A stream of this model answers each 20 ms: every_ms = 119.9 is taken as 100."
    assert rounded.lines == model.fit(BOARD, every_ms=100).lines
    assert model.fit(BOARD, every_ms="0.58s").notes == model.fit(BOARD, every_ms=580).notes
    with pytest.raises(InvalidQuery, match="every_ms = 19 is not possible: a stream of this model answers each 20 ms"):
        model.fit(BOARD, every_ms=19)
    assert main(["fit", "kws", "--device", BOARD, "--every-ms", "5"]) == 2
    assert "give that or more" in capsys.readouterr().err


def test_a_board_with_many_measurements_charges_each_run_what_comes_with_it(tmp_path):
    """Its networks take 2 ms, 0.1 ms a layer and 1 ns a MAC; its energy is 3 uJ and 1 pJ a MAC."""
    space = default_space("temporal", 12, features="logmel")
    archs = [with_bits(one, 8) for one in space.from_genes(space.sample_sizes(np.random.default_rng(0), 40))]
    columns = cost_columns(archs)
    rows = pd.DataFrame({"arch": [arch.to_json() for arch in archs]})
    rows["latency_ms"] = 2 + 0.1 * columns["layers"] + 1e-6 * columns["macs"]
    rows["energy_uj"] = 3 + 1e-6 * columns["macs"]
    rows.assign(runtime="Earshot C", core="Cortex-M4", clock_mhz=80).to_csv(tmp_path / "own.csv", index=False)
    model = zoo.get(task="kws", bits=8)
    layers = int(cost_columns([model.arch])["layers"][0])
    bill = model.fit("own", every_ms=100, folder=tmp_path)
    macs = stream_macs(model.arch, 100 // model.arch.features.step_ms)
    assert needs(bill)["network"] == pytest.approx(5 * (2 + 0.1 * layers) + 1e-6 * macs, rel=0.02)
    front, energy = model.entry.frontend_macs / model.entry.macs / 10, 3 + 1e-6 * model.entry.macs
    assert needs(bill)["energy"] == pytest.approx(5 * 3 + 1e-6 * macs + front * energy, rel=0.03)
    assert bill.notes[1].endswith("of its energy on a clip.")
    assert "is counted, by the measurements there" in bill.notes[1]
    rarely = model.fit("own", every_ms=980, folder=tmp_path)
    assert needs(rarely)["latency"] > needs(model.fit("own", folder=tmp_path))["latency"]
    assert rarely.notes[-1].startswith("An answer on a whole clip takes less, ")


def test_without_tables_a_stream_is_charged_from_what_lies_beside_the_package(monkeypatch):
    model = zoo.get(task="kws")
    before = model.fit(BOARD, every_ms=100)
    monkeypatch.setattr("zoo.run.bill.lacking", lambda *_: MissingExtra("no tables"))
    after = model.fit(BOARD, every_ms=100)
    assert after.notes[0] == before.notes[0]
    assert needs(after) == pytest.approx(needs(before), rel=0.05)


def test_what_was_measured_is_predicted_in_a_stream():
    clip = DeviceFigure("p", "d", None, "", "", 10.0, 9.0, 12.0, 100.0, 90.0, 110.0, True, True, "measured", None, 2.0)
    part = clip.in_stream(0.5, 0.25, 0.1)
    assert (part.latency_ms, part.frontend_ms, part.basis) == (8 * 0.5 + 2 * 0.1, 0.2, "predicted")
    assert (part.energy_uj, part.low_ms, part.high_ms) == (80 * 0.25 + 20 * 0.1, 3.78, 5.04)
    assert dataclasses.replace(clip, basis="indicative").in_stream(1, 1, 1).basis == "indicative"


def test_bits_that_were_not_measured_are_said_beside_the_figure(capsys):
    few, eight = zoo.get(task="kws", bits=2, device=BOARD), zoo.get(task="kws", bits=8, device=BOARD)
    note = "nothing below 8 bits was measured there, so as at 8 bits"
    assert (few.figure.as_bits, eight.figure.as_bits) == (8, None)
    assert note in repr(few)
    assert note not in repr(eight)
    assert "as at 8 bits" in str(few.fit(BOARD))
    assert "as at 8 bits" not in str(eight.fit(BOARD))
    assert main(["list", "--task", "kws", "--bits", "2", "--device", BOARD]) == 0
    assert "nothing below 8 bits was measured there" in capsys.readouterr().err


@pytest.mark.parametrize("begin", ["stm32l4", "stm32f7", "esp32", "s", "stm32f746-216mhz"])
def test_names_that_several_have_are_narrowed_to_what_tells_them_apart(begin):
    from predictors.device import published

    names = [name for name in published() if name.startswith(begin)]
    with pytest.raises(UnknownName, match=f"has {len(names)} profiles") as caught:
        zoo.get(task="kws", device=begin)
    _, *lines = str(caught.value).splitlines()
    assert len(lines) <= 9
    shown = []
    for line in lines:
        start, followed, ends = line.strip().partition(" followed by ")
        own = [f"{start}{end}" for end in ends.split(", ")] if followed else start.split(", ")
        shown += [one for one in own if not one.startswith("and ") and " and " not in one]
    for one in shown:
        assert one in names or sum(name.startswith(one) for name in published()) == 1
    assert len(names) > 20 or len(shown) == len(names)


def test_figures_of_the_first_schema_are_read(hub):
    """It named the values of each profile."""
    path, now = hub.path(hub.entries[0]) / COSTS, figures(hub, hub.entries[0])
    values = json.loads(path.read_text())
    profiles = {name: dict(zip(values["fields"], row, strict=True)) for name, row in values["profiles"].items()}
    path.write_text(json.dumps({"schema": 1, "profiles": profiles}))
    assert figures(hub, hub.entries[0]) == now


def test_the_bill_itemises_against_what_the_device_has(hub):
    model = zoo.get(hub=hub.folder)
    bill = model.fit("board", every_ms=2000)
    lines = {line.name.strip(): line for line in bill.lines}
    exact = predictors.estimate(model.arch)
    assert (lines["flash"].need, lines["flash"].limit) == (model.entry.flash_bytes, 5000)
    assert (lines["weights"].need, lines["code"].need) == (exact.weight_bytes, exact.runtime_bytes)
    assert exact.weight_bytes + exact.runtime_bytes == exact.flash_bytes
    assert lines["RAM"].need == exact.ram_bytes > 1000
    assert lines["RAM"].verdict == "fail"
    assert not bill.passes
    assert lines["latency"].limit == 2000
    alone, whole = stored_figures(hub, model.entry)["board"], 1 + model.entry.frontend_macs / model.entry.macs
    assert lines["latency"].need == pytest.approx(whole * alone.latency_ms, rel=1e-3)
    assert lines["network"].need == pytest.approx(alone.latency_ms, rel=1e-2)
    assert lines["power"].need == pytest.approx(0.5 * whole * alone.energy_uj + 7, rel=1e-3)
    assert {line.need for line in bill.lines} >= {212.0, 8.79}
    assert "fail" in str(bill)
    with pytest.raises(InvalidQuery, match="every_ms"):
        model.fit("board", every_ms=0)


def test_a_line_without_a_limit_has_no_verdict():
    figure = DeviceFigure("p", "d", None, "", "", 1.0, 0.5, 2.0, None, None, None, True, False, "predicted")
    bill = Bill("m", figure, (Line("energy", 3.0, "uJ", None), Line("flash", 10, "bytes", 10)))
    assert [line.verdict for line in bill.lines] == ["-", "pass"]
    assert bill.passes


def test_lines_of_a_bill_are_addressed_by_their_names_in_json():
    """Each once, or by the line that it is a part of; none has a verdict without a limit."""
    values = zoo.get("kws", bits=4).fit(BOARD).to_dict()
    places = [(line["of"], line["name"]) for line in values["lines"] if line["name"] != "published"]
    assert len(set(places)) == len(places)
    assert {("flash", "weights"), (None, "flash")} <= set(places)
    assert all((line["verdict"] is None) == (line["limit"] is None) for line in values["lines"])
    assert values["name"].startswith("kws-")


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
    assert found["flash_bytes_by_bits"][str(entry.bits)] == entry.flash_bytes
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
            assert message.endswith(f".json: No space left on device; what was made is in {place}: {AGAIN}")
        assert files(hub.folder) == before
        assert profile.is_file()
        assert main(command) == 0
        assert "mine" in figures(hub, hub.entries[0])


def test_a_file_is_no_folder_of_profiles(tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("macs,latency_ms\n1000000,10\n")
    for command in (["profile", "list"], ["profile", "show", BOARD], ["fit", "kws", "--device", BOARD]):
        assert main([*command, "--profiles", str(tmp_path / "mine.csv")]) == 1
        assert "mine.csv: is no folder; give one for your profiles" in capsys.readouterr().err


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
    assert main(["measure", "--device", "qemu-cortex-m4", "--runner", "eager", "--out", str(tmp_path / "x.csv")]) == 2
    assert main(["measure", "--device", "esp32", "--out", str(tmp_path / "x.csv")]) == 2
    assert not (tmp_path / "x.csv").exists()
