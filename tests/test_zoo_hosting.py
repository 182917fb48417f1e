"""Keeping hubs: publishing from several processes, taking away, verifying, copying, and making the index anew."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import zoo
from supernet.files import load_tensors, read_json, save_tensors, write_bytes, write_json
from zoo.cli import main
from zoo.devices import COSTS
from zoo.errors import InvalidPackage, InvalidQuery, UnknownName
from zoo.hosting import publish, rebuild, sync, unpublish, verify
from zoo.hub import BUNDLED, Hub
from zoo.index import read_index, write_index
from zoo.pack import CARD, CONFIG, MODEL, VECTORS

SMALL = "kws-temporal-0.28M-w*"


@pytest.fixture
def hub(tmp_path):
    """Four models of the bundled hub."""
    sync(BUNDLED, tmp_path / "hub", name=SMALL)
    return tmp_path / "hub"


def test_commands_say_what_they_did(package, tmp_path, capsys):
    hub = str(tmp_path / "hub")
    assert main(["publish", str(package), "--hub", hub]) == 0
    assert capsys.readouterr().out == f"published 1, {hub} lists 1\n"
    assert main(["verify", hub]) == 0
    assert capsys.readouterr().out == f"{package.name}: holds\n1 of 1 hold\n"
    assert main(["sync", hub, str(tmp_path / "other"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"copied": [package.name]}
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
    assert made["costs"]["peak_ram_bytes"] == entry.peak_ram_bytes
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


def test_names_that_are_not_there_take_nothing_away(hub):
    names = [entry.name for entry in Hub(hub).entries]
    with pytest.raises(UnknownName, match="did you mean"):
        unpublish([names[0], names[1] + "x"], hub)
    assert [entry.name for entry in Hub(hub).entries] == names


CHANGES = {
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
    assert "3 of 4 hold" in capsys.readouterr().out


def test_verify_runs_the_vectors_of_a_package_whose_digests_were_made_to_fit(package, tmp_path):
    from test_zoo_pack import reseal

    copy = shutil.copytree(package, tmp_path / package.name)
    vectors, metadata = load_tensors(copy / VECTORS)
    vectors["logits"][0, 0] += 1
    save_tensors(copy / VECTORS, vectors, metadata)
    reseal(copy, read_json(copy / CONFIG))
    [found] = verify(copy)
    assert "the test vectors give other integers" in found.problem
    with pytest.raises(InvalidPackage):
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
    for source, task, name in ((hub, "kwz", None), (hub, None, "x*")):
        with pytest.raises(UnknownName):
            sync(source, other, task=task, name=name)
    with pytest.raises(InvalidQuery, match=r"index\.json"):
        sync(tmp_path / "nothing", other)


def test_copying_takes_supernets_where_they_are_asked_for(tmp_path):
    sync(BUNDLED, tmp_path / "hub", name="kws-temporal-0.28M-w8*", supernets=True)
    for path in (BUNDLED / "supernets").rglob("*.*"):
        assert (tmp_path / "hub" / path.relative_to(BUNDLED)).read_bytes() == path.read_bytes()


def test_several_processes_publish_and_read_and_lose_nothing(hub, tmp_path):
    """Each publisher takes its model away and puts it back; readers always find a whole index and whole models."""
    publisher = """
import sys, zoo
hub, package = sys.argv[1:]
for _ in range(3):
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
    readers = [_start(reader, hub, entries[3].name)]
    problems = [process.communicate()[1] for process in started]
    (hub / "done").touch()
    problems += [process.communicate()[1] for process in readers]
    assert [process.returncode for process in started + readers] == [0, 0, 0], problems
    assert {entry.name for entry in read_index(hub / "index.json").entries} == {entry.name for entry in entries}
    assert {one.problem for one in verify(hub)} == {None}
    assert not [path for path in hub.rglob(".*") if path.name.endswith((".part", ".old"))]


def test_a_killed_publisher_leaves_a_hub_that_holds(hub, tmp_path):
    publisher = """
import sys, zoo
hub, package = sys.argv[1:]
import zoo.hosting
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


@pytest.mark.skipif(os.name != "posix", reason="links as on POSIX")
@pytest.mark.parametrize("place", ["folder", "file"])
def test_links_that_lead_out_of_a_hub_are_refused(hub, tmp_path, place):
    name = Hub(hub).entries[0].name
    inside = hub / "models" / name / ("" if place == "folder" else MODEL)
    shutil.move(inside, tmp_path / "outside")
    Path(inside).symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidPackage, match="leads out of the hub"):
        zoo.get(name=name, hub=hub)


def test_another_hub_that_has_other_files_by_a_name_is_told(hub, tmp_path, caplog):
    name = Hub(hub).entries[0].name
    config = hub / "models" / name / CONFIG
    write_bytes(config, config.read_bytes().replace(b"ten words", b"few words"))
    rebuild(hub)
    model = zoo.get(name=name, hub=[hub, BUNDLED])
    assert model.hub == str(hub)
    assert "has other files by this name" in caplog.text
    assert zoo.get(name=name, hub=[BUNDLED, hub]).hub == str(BUNDLED)


def test_a_damaged_hub_of_the_users_own_is_left_out_with_a_word(hub, monkeypatch, caplog):
    monkeypatch.setattr("zoo.hub.OWN_HUB", hub)
    assert zoo.get("kws").hub == str(BUNDLED)
    assert len(zoo.open_hub().hubs) == 2
    write_bytes(hub / "index.json", b"{}")
    assert zoo.get("kws").hub == str(BUNDLED)
    assert "your own hub is left out" in caplog.text
