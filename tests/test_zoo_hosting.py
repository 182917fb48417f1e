"""Keeping hubs: publishing from several processes, taking away, verifying, copying, and making the index anew."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import bundled
from filelock import FileLock
from last_steps import AGAIN, HOWS, counted, fails, files
from named import sized, smallest

import zoo
from predictors import estimate
from supernet.errors import EarshotError, HubUnavailable, InvalidPackage, InvalidQuery, UnknownName
from supernet.files import load_tensors, read_json, save_tensors, write_bytes, write_json
from zoo.cli import main
from zoo.hubs.folder import BUNDLED, Hub
from zoo.hubs.index import read_index, write_index
from zoo.make import change, renew
from zoo.make import files as copying
from zoo.make import package as making
from zoo.make import sync as syncing
from zoo.make.change import rebuild
from zoo.make.publish import publish, unpublish
from zoo.make.sync import sync
from zoo.make.verify import verify
from zoo.package.figures import COSTS
from zoo.package.read import CARD, CONFIG, MODEL, VECTORS

SMALL = sized(smallest(4))


@pytest.fixture
def hub(tmp_path):
    """Four models of the bundled hub."""
    sync(BUNDLED, tmp_path / "hub", name=SMALL)
    return tmp_path / "hub"


def test_commands_say_what_they_did(package, tmp_path, capsys):
    hub = str(tmp_path / "hub")
    assert main(["publish", str(package), "--hub", hub]) == 0
    assert capsys.readouterr().out == f"published 1, {hub} lists 1\n"
    assert main(["publish", str(package), "--hub", hub, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"hub": hub, "published": [package.name], "models": 1}
    assert main(["verify", hub]) == 0
    assert capsys.readouterr().out == f"{package.name}: holds\n1 of 1 hold\n"
    assert main(["sync", hub, str(tmp_path / "other"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"hub": str(tmp_path / "other"), "copied": [package.name]}
    assert main(["unpublish", package.name, "--hub", hub]) == 0
    assert capsys.readouterr().out == f"took 1 away, {hub} lists 0\n"
    assert not list((tmp_path / "hub" / "models").iterdir())
    assert main(["unpublish", package.name, "--hub", hub]) == 1
    assert f"no model '{package.name}'" in capsys.readouterr().err


def test_publishing_makes_costs_and_cards_anew(package, tmp_path):
    copy = shutil.copytree(package, tmp_path / package.name)
    values = read_json(copy / CONFIG)
    del values["costs"]["peak_ram_bytes"]
    write_json(copy / CONFIG, values)
    hub = publish(copy, tmp_path / "hub")
    [entry] = hub.entries
    made = hub.config(entry).values
    assert made["costs"]["peak_ram_bytes"] > entry.clip_ram_bytes > entry.stream_ram_bytes > 0
    assert COSTS in {path.name for path in hub.path(entry).iterdir()}
    assert (hub.path(entry) / MODEL).read_bytes() == (package / MODEL).read_bytes()
    again = publish(hub.path(entry), tmp_path / "hub")
    assert again.entries == (entry,)


def test_publishing_measures_accuracy_where_there_are_data(package, speech_folder, tmp_path, caplog, monkeypatch):
    copy = shutil.copytree(package, tmp_path / package.name)
    monkeypatch.setattr("supernet.data.speech_commands.CACHE", tmp_path / "cache")
    [entry] = publish(copy, tmp_path / "hub", data=speech_folder).entries
    accuracy = Hub(tmp_path / "hub").config(entry).values["accuracy"]
    stated = read_json(copy / CONFIG)["accuracy"]
    assert accuracy["test"] != stated["test"]
    assert f"it stated {100 * stated['test']['accuracy']:.2f} %" in caplog.text


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder that holds no more than the work of a command."""
    monkeypatch.setattr("supernet.data.speech_commands.CACHE", tmp_path / "cache")
    monkeypatch.setattr(renew, "device_figures", lambda archs, task: [{} for _ in archs])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize("how", HOWS)
def test_what_was_measured_for_a_hub_that_cannot_be_written_is_kept(
    package, speech_folder, work, monkeypatch, capsys, how
):
    arguments = ["publish", str(package), "--hub", "hub", "--data", str(speech_folder)]
    assert fails(monkeypatch, how, arguments, change, "write_index") == (1 if how == "full" else None)
    [run] = Path("runs").iterdir()
    if how == "full":
        assert capsys.readouterr().err.strip().splitlines()[-1] == (
            "earshot: hub hub: cannot be written (hub/index.json: No space left on device); give another folder; "
            f"what was made is in {run}: {AGAIN}"
        )
    measured = counted(monkeypatch, making, "accuracy_figures")
    assert main(arguments) == 0
    assert measured == []
    assert not Path("runs").exists()
    zoo.publish(package, "other", data=speech_folder)
    assert len(measured) == 2
    assert files("hub") == files("other")


def test_what_was_measured_of_another_model_is_not_taken(package, speech_folder, work, tmp_path, monkeypatch):
    measured = counted(monkeypatch, making, "accuracy_figures")
    copy = shutil.copytree(package, tmp_path / package.name)
    for note, count in (("One.", 2), ("One.", 2), ("Another.", 4)):
        write_json(copy / CONFIG, {**read_json(copy / CONFIG), "notes": [note]})
        publish(copy, "hub", data=speech_folder, run_dir="run")
        assert len(measured) == count


@pytest.mark.parametrize("how", HOWS)
def test_copying_goes_on_where_the_target_could_not_be_written(hub, work, monkeypatch, capsys, how):
    arguments = ["sync", str(hub), "copy", "--name", SMALL]
    assert fails(monkeypatch, how, arguments, change, "write_index") == (1 if how == "full" else None)
    if how == "full":
        assert capsys.readouterr().err.strip().splitlines()[-1] == (
            "earshot: hub copy: cannot be written (copy/index.json: No space left on device); give another folder; "
            f"what was made is in copy: {AGAIN}"
        )
    copies, lists = (counted(monkeypatch, module, "write_bytes") for module in (copying, change))
    assert main(arguments) == 0
    assert [Path(path).name for path, _ in copies + lists] == [CARD]
    assert files("copy") == files(hub)


def test_a_target_that_cannot_be_written_is_told_before_anything_is_read(hub, work, monkeypatch, capsys):
    Path("file").touch()
    monkeypatch.setattr(syncing, "_whole", lambda *_: pytest.fail("read"))
    assert main(["sync", str(hub), "file/copy"]) == 2
    assert "hub file/copy: not a folder that can be written" in capsys.readouterr().err


def test_names_that_are_not_there_take_nothing_away(hub):
    names = [entry.name for entry in Hub(hub).entries]
    with pytest.raises(UnknownName, match="did you mean"):
        unpublish([names[0], names[1] + "x"], hub)
    assert [entry.name for entry in Hub(hub).entries] == names


def list_less(hub, name):
    """An index of today that counts a model as an older version did, and states no RAM in a stream."""
    place = Hub(hub)
    cost = estimate(place.config(place.entry(name)).arch)
    fewer = {"flash_bytes": cost.weight_bytes, "stream_ram_bytes": 1, "clip_ram_bytes": cost.peak_ram_bytes}
    write_index(hub / "index.json", [replace(one, **fewer) if one.name == name else one for one in place.entries])


CHANGES = {
    "less in the index": list_less,
    "altered weights": lambda hub, name: write_bytes(
        hub / "models" / name / MODEL, (hub / "models" / name / MODEL).read_bytes()[:-1] + b"x"
    ),
    "lost card": lambda hub, name: (hub / "models" / name / CARD).unlink(),
    "lost folder": lambda hub, name: shutil.rmtree(hub / "models" / name),
    "altered configuration": lambda hub, name: write_bytes(
        hub / "models" / name / CONFIG,
        (hub / "models" / name / CONFIG).read_bytes().replace(b"ten words", b"all words"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_verify_names_what_does_not_hold_and_nothing_else(hub, change, capsys):
    names = [entry.name for entry in Hub(hub).entries]
    CHANGES[change](hub, names[1])
    found = {one.name: one.problem for one in verify(hub)}
    assert {name for name, problem in found.items() if problem} == {names[1]}
    assert main(["verify", str(hub)]) == 1
    assert f"{len(names) - 1} of {len(names)} hold" in capsys.readouterr().out


def test_verify_says_that_there_is_neither_folder_nor_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for target in ("./hub2", "hubs/hub2"):
        assert main(["verify", target]) == 2
        assert f"{target}: no such folder; give the folder of a hub" in capsys.readouterr().err
    assert main(["verify", "hub2"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("earshot: hub2: no such folder, and no model 'hub2' in hub ")
    assert error.count("-w") == 12
    assert error.endswith(" more\n")


def test_verify_runs_the_vectors_of_a_package_whose_digests_were_made_to_fit(package, tmp_path):
    from test_zoo_pack import reseal

    copy = shutil.copytree(package, tmp_path / package.name)
    vectors, metadata = load_tensors(copy / VECTORS)
    vectors["logits"][0, 0] += 1
    save_tensors(copy / VECTORS, vectors, metadata)
    reseal(copy, read_json(copy / CONFIG))
    [found] = verify(copy)
    assert "the test vectors give other integers" in found.problem
    with pytest.raises(InvalidPackage, match="the test vectors give other integers"):
        publish(copy, tmp_path / "hub")
    assert not (tmp_path / "hub" / "index.json").exists()


def test_the_index_is_made_anew_from_the_models_alone(hub, capsys):
    text = (hub / "index.json").read_bytes()
    for broken in (b"", b'{"schema": 2, "models": []}'):
        write_bytes(hub / "index.json", broken)
        with pytest.raises(InvalidPackage, match="earshot rebuild"):
            zoo.find(hub=hub)
        assert main(["rebuild", str(hub)]) == 0
        assert (hub / "index.json").read_bytes() == text
    with pytest.raises(InvalidPackage, match="has no folder `models`"):
        rebuild(hub / "models" / Hub(hub).entries[0].name)


def test_a_model_that_the_index_lacks_is_told(hub):
    entries = Hub(hub).entries
    write_index(hub / "index.json", entries[1:])
    assert [one.name for one in verify(hub) if one.problem] == [entries[0].name]


def test_copying_takes_what_is_lacking_and_only_what_was_asked_for(hub, tmp_path):
    other = tmp_path / "other"
    [copied] = sync(hub, other, name="*-w4a8-*")
    assert sync(hub, other, name="*-w4a8-*") == []
    assert set(sync(hub, other)) == {entry.name for entry in Hub(hub).entries} - {copied}
    assert (other / "index.json").read_bytes() == (hub / "index.json").read_bytes()
    for chosen, said in (({"task": "kwz"}, "no model for task 'kwz'"), ({"name": "x*"}, r"no model of name 'x\*'")):
        with pytest.raises(UnknownName, match=said):
            sync(hub, other, **chosen)
    with pytest.raises(InvalidQuery, match=r"index\.json"):
        sync(tmp_path / "nothing", other)


def test_copying_takes_supernets_where_they_are_asked_for(tmp_path):
    sync(BUNDLED, tmp_path / "hub", name=smallest(8), supernets=True)
    for path in (BUNDLED / "supernets").rglob("*.*"):
        assert (tmp_path / "hub" / path.relative_to(BUNDLED)).read_bytes() == path.read_bytes()


def test_several_processes_publish_and_read_and_lose_nothing(hub, tmp_path):
    """Each publisher takes its model away and puts it back; readers always find a whole index and whole models."""
    publisher = """
import sys, zoo
hub, package = sys.argv[1:]
zoo.publish(package, hub)
zoo.unpublish(package.rsplit("/", 1)[1], hub)
zoo.publish(package, hub)
"""
    reader = """
import sys, time, zoo
hub, end = sys.argv[1], time.time() + 60
import pathlib
while not pathlib.Path(hub, "done").exists() and time.time() < end:
    names = {entry.name for entry in zoo.find("kws", hub=hub)}
    assert sys.argv[2] in names, names
    zoo.get("kws", hub=hub)
    zoo.get(name=sys.argv[2], hub=hub)
"""
    entries = Hub(hub).entries
    moving = [shutil.copytree(Hub(hub).path(entry), tmp_path / "moving" / entry.name) for entry in entries[:2]]
    unpublish([entry.name for entry in entries[:2]], hub)
    started = [_start(publisher, hub, package) for package in moving]
    readers = [_start(reader, hub, entries[-1].name)]
    problems = [process.communicate()[1] for process in started]
    (hub / "done").touch()
    problems += [process.communicate()[1] for process in readers]
    assert [process.returncode for process in started + readers] == [0, 0, 0], problems
    assert {entry.name for entry in read_index(hub / "index.json").entries} == {entry.name for entry in entries}
    assert {one.problem for one in verify(hub)} == {None}
    assert not [path for path in hub.rglob(".*") if path.name.endswith((".part", ".old"))]


def test_a_model_that_is_taken_away_while_it_is_opened_is_looked_up_again(hub, monkeypatch):
    """Its folder is there when it is looked for, and gone when it is listed."""
    best, second = sorted(Hub(hub).entries, key=lambda entry: (-entry.validation, entry.macs))[:2]
    folder, real, taken = Hub(hub).path(best), os.scandir, []

    def scandir(path="."):
        if path == folder and not taken:
            taken.append(path)
            unpublish(best.name, hub)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert zoo.get(best.task, hub=hub).name == second.name
    assert taken


def test_a_killed_publisher_leaves_a_hub_that_holds(hub, tmp_path):
    publisher = """
import sys, zoo
hub, package = sys.argv[1:]
import zoo.make.publish
print("ready", flush=True)
while True:
    zoo.publish(package, hub)
    zoo.unpublish(package.rsplit("/", 1)[1], hub)
"""
    entries = Hub(hub).entries
    moving = shutil.copytree(Hub(hub).path(entries[0]), tmp_path / "moving" / entries[0].name)
    for seconds in (0.5, 1.3):
        process = subprocess.Popen([sys.executable, "-c", publisher, hub, moving], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        process.communicate()
        listed = {entry.name for entry in Hub(hub).entries}
        assert {one.name for one in verify(hub) if one.problem} <= {entries[0].name} - listed
    (hub / "models" / ".left.part").mkdir()
    publish(moving, hub)
    assert {entry.name for entry in Hub(hub).entries} == {entry.name for entry in entries}
    assert {one.problem for one in verify(hub)} == {None}
    assert not list((hub / "models").glob(".*"))


def test_a_model_whose_place_was_being_taken_by_another_comes_back(hub):
    """Killed between two renames; and after both, when the older one is still there."""
    entries = Hub(hub).entries
    for entry, place in ((entries[0], ".a.old"), (entries[1], ".b.old")):
        (hub / "models" / place).mkdir()
        shutil.copytree(Hub(hub).path(entry), hub / "models" / place / entry.name)
    shutil.rmtree(hub / "models" / entries[0].name)
    assert main(["rebuild", str(hub)]) == 0
    assert Hub(hub).entries == entries
    assert {one.problem for one in verify(hub)} == {None}
    assert not [path for path in (hub / "models").iterdir() if path.name.startswith(".")]


def test_figures_that_cannot_be_read_do_not_hold_in_a_package_either(hub):
    package = Hub(hub).path(Hub(hub).entries[0])
    (package / COSTS).write_text("garbage{")
    [found] = verify(package)
    assert "costs.json: not readable JSON" in found.problem


def test_publishing_again_takes_away_files_that_are_no_longer_of_the_model(hub):
    entry = Hub(hub).entries[0]
    package = Hub(hub).path(entry)
    (package / "notes.txt").write_text("of somebody")
    publish(package, hub)
    assert not (package / "notes.txt").exists()
    assert {one.problem for one in verify(hub)} == {None}


def test_a_model_that_is_taken_out_meanwhile_is_told(hub):
    place = zoo.Hubs([Hub(hub)])
    entry = place.entries[0]
    unpublish(entry.name, hub)
    with pytest.raises(InvalidPackage, match="was just taken out"):
        place.path(entry)


def _start(code: str, *arguments) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("place", ["folder", "file"])
def test_links_that_lead_out_of_a_hub_are_refused(hub, tmp_path, place):
    name = Hub(hub).entries[0].name
    inside = hub / "models" / name / ("" if place == "folder" else MODEL)
    shutil.move(inside, tmp_path / "outside")
    Path(inside).symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidPackage, match="leads out of the hub"):
        zoo.get(name=name, hub=hub)


def test_of_two_hubs_that_have_a_model_the_first_is_asked_and_other_weights_by_its_name_are_refused(hub, monkeypatch):
    name = Hub(hub).entries[0].name
    config = hub / "models" / name / CONFIG
    write_bytes(config, config.read_bytes().replace(b"ten words", b"few words"))
    rebuild(hub)
    model = zoo.get(name=name, hub=[hub, BUNDLED])
    assert model.hub == str(hub)
    assert zoo.get(name=name, hub=[BUNDLED, hub]).hub == str(BUNDLED)
    weights = iter("ab" * 9)  # no two files can be found here whose digests begin alike
    monkeypatch.setattr("zoo.hubs.address._weights", lambda hub, entry: next(weights))
    with pytest.raises(InvalidPackage, match="have other weights by this name"):
        zoo.get(name=name, hub=[hub, BUNDLED])


def test_a_damaged_hub_of_the_users_own_is_left_out_with_a_word(hub, monkeypatch, caplog):
    monkeypatch.setattr("zoo.hubs.address.OWN_HUB", hub)
    assert zoo.get("kws").hub == str(BUNDLED)
    assert len(zoo.open_hub().hubs) == 2
    write_bytes(hub / "index.json", b"{}")
    assert zoo.get("kws").hub == str(BUNDLED)
    assert "your own hub is left out" in caplog.text


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file", "EARSHOT_HUB = {}: is no folder"),
        ("full", "EARSHOT_HUB = {}: has no index.json"),
        ("no/where", "EARSHOT_HUB = {}: there is no folder"),
        ("empty", ""),
        ("later", "EARSHOT_HUB = {}: is not there yet"),
        ("worked", ""),
        (os.devnull, ""),
    ],
)
def test_a_place_that_cannot_be_ones_own_hub_is_said(tmp_path, monkeypatch, caplog, place, said):
    for made in ("full/songs", "empty", "worked/runs"):
        (tmp_path / made).mkdir(parents=True)
    (tmp_path / "file").touch()
    monkeypatch.setattr("zoo.hubs.address.OWN_HUB", tmp_path / place)
    assert zoo.get("kws").hub == str(BUNDLED)
    assert [said.format(tmp_path / place) in text for text in caplog.messages] == [True] * bool(said)


def test_the_command_says_that_the_hub_of_the_environment_is_none(tmp_path):
    (tmp_path / "file").touch()
    for value, said in ((str(tmp_path / "file"), True), ("", False), (os.devnull, False)):
        env = {**os.environ, "EARSHOT_HUB": value, "HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-m", "zoo.cli", "get", "kws"], env=env, capture_output=True, text=True)
        assert (done.returncode, "EARSHOT_HUB = " in done.stderr) == (0, said)


@pytest.mark.parametrize("text", ["# My own page\n", ""])
def test_a_page_of_somebodys_own_is_left_as_it_is(hub, tmp_path, text):
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text(text)
    sync(hub, other)
    assert (other / "README.md").read_text() == text
    assert "Written by `earshot publish`" in (hub / "README.md").read_text()


def test_figures_on_devices_are_copied_and_are_lacking_where_they_are_not_there(hub, tmp_path):
    names = set(sync(hub, tmp_path / "other"))
    path = tmp_path / "other" / "models" / min(names) / COSTS
    assert path.read_bytes() == (hub / "models" / min(names) / COSTS).read_bytes()
    path.unlink()
    assert sync(hub, tmp_path / "other") == [min(names)]
    assert path.is_file()


@pytest.mark.parametrize("text", ['{"garbage', '{"profiles": {"x": {}}, "schema": 1}', "wrong order"])
def test_figures_on_devices_that_cannot_be_are_found(hub, tmp_path, text):
    name = Hub(hub).entries[0].name
    costs = read_json(hub / "models" / name / COSTS)
    row = next(iter(costs["profiles"].values()))
    for field, value in {"latency_ms": 1.0, "low_ms": 5.0, "high_ms": 9.0}.items():
        row[costs["fields"].index(field)] = value
    write_bytes(hub / "models" / name / COSTS, json.dumps(costs).encode() if text == "wrong order" else text.encode())
    assert [one.name for one in verify(hub) if one.problem] == [name]
    with pytest.raises(InvalidPackage, match=COSTS):
        sync(hub, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.fixture
def supernets(tmp_path):
    """A hub of one model with all supernets."""
    sync(BUNDLED, tmp_path / "hub", name=smallest(8), supernets=True)
    return tmp_path / "hub"


def test_supernets_are_verified_and_copied_where_they_are_lacking(supernets, tmp_path):
    assert {one.problem for one in verify(supernets)} == {None}
    words = [f"supernets/{name}" for name in bundled("supernets", "kws")]
    assert len(words) > 4
    assert sync(supernets, tmp_path / "other", task="kws", supernets=True)[1:] == words
    others = [f"supernets/{name}" for name in bundled("supernets") if not name.startswith("kws")]
    assert sync(supernets, tmp_path / "other", supernets=True) == others
    assert sync(supernets, tmp_path / "other", supernets=True) == []
    trunk = supernets / "supernets" / "kws-temporal" / "trunk.safetensors"
    write_bytes(trunk, trunk.read_bytes() + b"x")
    write_bytes(supernets / "supernets" / "kws-temporal-map" / "config.json", b'{"schema":')
    problems = {one.name: one.problem for one in verify(supernets) if one.problem}
    assert set(problems) == {"supernets/kws-temporal", "supernets/kws-temporal-map"}
    with pytest.raises(EarshotError, match=r"altered|JSON"):
        sync(supernets, tmp_path / "third", supernets=True)
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digests": {}}, "no digest of calibration.safetensors, heads/kws.safetensors, trunk.safetensors"),
        ({"tasks": 5}, "is missing or not possible"),
        ({"tasks": {}}, "states no task with labels"),
        ({"tasks": {"kws": {"labels": [1]}}}, "states no task with labels"),
        ({"space": {}}, "not a space"),
        ({"frontend": {}}, "not a front end"),
        ({"schema": 2}, "schema 2; this version reads 1"),
    ],
)
def test_a_supernet_that_does_not_state_what_it_is_read_by_does_not_hold(supernets, tmp_path, changes, said):
    config = supernets / "supernets" / "kws-lmu" / "config.json"
    write_json(config, read_json(config) | changes)
    [problem] = [one.problem for one in verify(supernets) if one.problem]
    assert said in problem
    with pytest.raises(EarshotError, match=re.escape(said)):
        sync(supernets, tmp_path / "other", supernets=True, task="kws")


def test_the_table_of_a_predictor_is_the_one_that_it_was_fitted_on(supernets):
    table = supernets / "supernets" / "kws-lmu" / "accuracy.csv"
    table.write_text(table.read_text().replace(",0.", ",0.9", 1))
    assert [one.name for one in verify(supernets) if one.problem] == ["supernets/kws-lmu"]


@pytest.mark.parametrize("file", ["accuracy.csv", "trunk.safetensors", "heads"])
def test_no_link_of_a_supernet_takes_files_from_elsewhere(supernets, tmp_path, file):
    path = supernets / "supernets" / "kws-temporal" / file
    shutil.move(path, tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidPackage, match="leads out of the hub"):
        sync(supernets, tmp_path / "other", supernets=True)
    assert not (tmp_path / "other").exists()


def test_files_that_a_supernet_does_not_state_stay_where_they_are(supernets, tmp_path):
    (supernets / "supernets" / "kws-temporal" / "notes.txt").write_text("secret")
    sync(supernets, tmp_path / "other", supernets=True)
    assert not list((tmp_path / "other").rglob("notes.txt"))
    config = supernets / "supernets" / "kws-temporal" / "config.json"
    values = read_json(config)
    for digests in ({**values["digests"], "../../../x": "0"}, None, ["x"]):
        write_json(config, {**values, "digests": digests})
        with pytest.raises(InvalidPackage, match="names files that cannot be there"):
            sync(supernets, tmp_path / "third", supernets=True)


def test_look_ups_in_two_hubs_never_fail_while_one_is_written(hub, tmp_path):
    entries = Hub(hub).entries
    moving = shutil.copytree(Hub(hub).path(entries[0]), tmp_path / "moving" / entries[0].name)
    publisher = """
import sys, zoo
hub, package = sys.argv[1:]
for _ in range(2):
    zoo.unpublish(package.rsplit("/", 1)[1], hub)
    zoo.publish(package, hub)
"""
    process = _start(publisher, hub, moving)
    asked = 0
    while process.poll() is None:
        assert zoo.get("kws", max_weights="8kB", hub=[hub, BUNDLED])
        asked += 1
    assert (process.communicate()[1], process.returncode) == ("", 0)
    assert asked > 10


@pytest.mark.parametrize(
    ("act", "error", "said"),
    [
        (lambda hub, package: publish([package, package], hub), InvalidQuery, "given twice"),
        (lambda hub, package: publish(package, ""), InvalidQuery, "hub ''"),
        (lambda hub, package: publish(package, "HF://me/x"), InvalidQuery, "give hf://OWNER/NAME"),
        (lambda hub, package: sync(hub, "hf:/me/x"), InvalidQuery, "give hf://OWNER/NAME"),
        (lambda hub, package: publish(package, "https://huggingface.co/me/x"), InvalidQuery, "give hf://OWNER/NAME"),
        (lambda hub, package: zoo.get(hub="https://huggingface.co/me/x"), InvalidQuery, "give hf://OWNER/NAME"),
        (lambda hub, package: publish(package, package / CONFIG), InvalidQuery, "not a folder"),
        (lambda hub, package: zoo.get(hub=[]), InvalidQuery, "give one hub or more"),
        (lambda hub, package: zoo.get(hub=5), InvalidQuery, "hub = 5 is not possible"),
        (lambda hub, package: zoo.get(5, hub=hub), InvalidQuery, "task = 5 is not possible"),
        (lambda hub, package: publish(package, None), InvalidQuery, "hub = None is not possible: give a folder"),
        (lambda hub, package: sync(hub, ["a", "b"]), InvalidQuery, "hub = .* is not possible"),
        (lambda hub, package: zoo.rebuild(5), InvalidQuery, "hub = 5 is not possible"),
        (lambda hub, package: zoo.get(name="\udcff", hub=hub), UnknownName, "no model"),
        (lambda hub, package: zoo.find(name="\udcff*", hub=hub), UnknownName, "no model of name"),
        (lambda hub, package: zoo.find(licence="\udcff*", hub=hub), UnknownName, "no model of licence"),
        (lambda hub, package: zoo.find(licence=3, hub=hub), InvalidQuery, "licence = 3"),
        (lambda hub, package: zoo.info(None, hub=hub), UnknownName, "no model None"),
        (lambda hub, package: zoo.info(Hub(hub).entries[0].name + "\0", hub=hub), UnknownName, "no model"),
        (lambda hub, package: zoo.find(most=True, hub=hub), InvalidQuery, "most = True"),
        (lambda hub, package: zoo.get(specialize=True, max_flash="3kB"), InvalidQuery, "needs a task"),
        (lambda hub, package: zoo.get("kws", name="x", specialize=True), InvalidQuery, "needs a task and no name"),
    ],
)
def test_what_cannot_be_meant_is_told(hub, package, act, error, said):
    before = {path: path.stat().st_mtime_ns for path in hub.rglob("*")}
    with pytest.raises(error, match=said):
        act(hub, package)
    assert {path: path.stat().st_mtime_ns for path in hub.rglob("*")} == before


def test_hubs_that_are_open_are_taken_as_addresses(hub, package, tmp_path):
    place = zoo.open_hub(hub)
    names = publish(package, place).index.values("name")
    assert package.name in names
    assert {one.problem for one in verify(place)} == {None}
    assert len(sync(place, tmp_path / "other")) == len(names)
    assert package.name not in unpublish(package.name, place).index.values("name")


def test_a_model_whose_folder_is_gone_or_a_link_can_be_taken_out(hub, tmp_path):
    first, second, *_ = (hub / "models" / entry.name for entry in Hub(hub).entries)
    shutil.move(first, tmp_path / "elsewhere")
    first.symlink_to(tmp_path / "elsewhere")
    shutil.rmtree(second)
    unpublish([first.name, second.name], hub)
    assert (tmp_path / "elsewhere" / MODEL).is_file()
    assert {one.problem for one in verify(hub)} == {None}


def test_rebuilding_leaves_out_what_does_not_hold_and_says_so(hub, capsys):
    names = [entry.name for entry in Hub(hub).entries]
    (hub / "models" / names[1] / CARD).unlink()
    assert main(["rebuild", str(hub)]) == 0
    assert {entry.name for entry in Hub(hub).entries} == set(names) - {names[1]}


def test_a_hub_that_is_being_written_is_waited_for_and_given_up(hub, package, monkeypatch, caplog):
    monkeypatch.setattr(change, "PATIENCE_S", 0.1)
    with FileLock(hub / ".lock"), pytest.raises(HubUnavailable, match="another writes"):
        publish(package, hub)
    assert "waiting for another" in caplog.text


@pytest.mark.parametrize("name", ["index.json", "costs.json", "supernets"])
def test_what_cannot_be_read_is_not_taken_for_absent(hub, package, tmp_path, name):
    """A link to itself, which nobody can read, root included."""
    entry = Hub(hub).entries[0]
    path = hub / "models" / entry.name / name if name == COSTS else hub / name
    path.unlink(missing_ok=True)
    path.symlink_to(path)
    acts = {
        "index.json": [
            lambda: publish(package, hub),
            lambda: sync(BUNDLED, hub, name=SMALL),
            lambda: zoo.find(hub=hub),
        ],
        COSTS: [lambda: zoo.info(entry.name, hub=hub), lambda: zoo.find(device="stm32", max_latency_ms=9, hub=hub)],
        "supernets": [lambda: sync(hub, tmp_path / "other", supernets=True)],
    }
    for act in acts[name]:
        with pytest.raises((InvalidPackage, InvalidQuery), match="cannot be read"):
            act()
    assert path.is_symlink()
    assert not (tmp_path / "other").exists()
