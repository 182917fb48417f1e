"""Runs that grow: more recordings, more epochs, and starts from one's own supernet."""

import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import soundfile
import torch
from conftest import RATE, tone
from last_steps import counted, files

import supernet.train.loop
from supernet import load_supernet
from supernet.data.augment import Augmentation
from supernet.data.folder import load_folder
from supernet.data.scenes import Scenes
from supernet.errors import InvalidQuery
from supernet.files import load_tensors, read_json
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features
from supernet.nn.store import StoredSupernet, retarget
from supernet.nn.supernet import Supernet
from supernet.train.loop import weights_digest
from zoo.cli import main
from zoo.make import starts
from zoo.make import train as training
from zoo.make.starts import augmentation_of, open_start


@pytest.fixture
def tiny(small_space, monkeypatch, tmp_path):
    """Training in a folder of the test's own that starts from a tiny supernet of random weights."""
    features = dequantise_features(quantise_features(torch.randn(16, 40, 100, generator=torch.Generator())))
    config = {"name": "tiny", "licence": "cc-by-4.0", "attribution": "them"}
    config |= {"training": {"recipe": {"augmentation": asdict(Augmentation())}}}
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    begin = StoredSupernet(Supernet(small_space, features).eval(), frontend, ("bell", "b", "c", "d"), config)
    monkeypatch.setattr("supernet.data.folder.CACHE", tmp_path / "cache")
    monkeypatch.setattr(training, "open_start", lambda start: begin if start == training.START else open_start(start))
    monkeypatch.setattr(training, "STORED_CLIPS", (16, 16))
    monkeypatch.chdir(tmp_path)
    return begin


@pytest.fixture
def sounds(tmp_path):
    """Two classes, of which the table says what splits they are in."""
    rows = ["file,label,split"]
    for number, label in enumerate(("bell", "door")):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for take in range(9):
            sound = tone(400 + 800 * number, 0.5, seed=100 * number + take)
            soundfile.write(tmp_path / "sounds" / label / f"{take}.wav", sound, RATE)
            split = {7: "validation", 8: "test"}.get(take, "train")
            rows.append(f"{label}/{take}.wav,{label},{split}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    return tmp_path / "sounds"


def add(label: str, take: int, split: str = "train") -> None:
    """One more recording."""
    Path("sounds", label).mkdir(exist_ok=True)
    soundfile.write(f"sounds/{label}/{take}.wav", tone(2000, 0.5, seed=take), RATE)
    with Path("table.csv").open("a") as file:
        file.write(f"\n{label}/{take}.wav,{label},{split}")


COMMAND = ["train", "--data", "sounds", "--task", "doors", "--table", "table.csv", "--epochs"]
RUN = Path("runs/doors")


def test_one_more_recording_extends_a_run_from_its_supernet(sounds, tiny, monkeypatch, capsys, caplog):
    assert main([*COMMAND, "2"]) == 0
    first = files(RUN / "supernet")
    add("bell", 10)
    assert main([*COMMAND, "2"]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"earshot: {RUN}: holds another run (data differs); --extend goes on from its supernet")
    assert files(RUN / "supernet") == first
    epochs = counted(monkeypatch, supernet.train.loop, "_train_epoch")
    with caplog.at_level("INFO"):
        assert main([*COMMAND, "2", "--extend"]) == 0
    before = RUN / "before-1" / "supernet"
    assert f"{RUN}: data differs; training goes on from its supernet, kept in {before}" in caplog.text
    assert files(before) == first
    stored, now = load_supernet(before, "doors"), load_supernet(RUN / "supernet", "doors")
    begun = retarget(stored, 2, 1000, stored.supernet.calibration, labels=("bell", "door"))
    old, new = stored.supernet.network.state_dict(), begun.network.state_dict()
    assert all(torch.equal(old[name], new[name]) for name in old)
    assert read_json(RUN / "recipe.json")["start"] == weights_digest(begun)
    assert now.config["attribution"] == "the owner of the recordings; starting weights: them (cc-by-4.0)"
    assert len(epochs) == 2
    for options in (["--extend"], []):  # is done, whichever way it is asked again
        after = files(RUN)
        assert main([*COMMAND, "2", *options]) == 0
        assert files(RUN) == after
    assert len(epochs) == 2


def test_more_epochs_and_more_classes_extend_a_run_too(sounds, tiny, capsys):
    assert main([*COMMAND, "2"]) == 0
    assert main([*COMMAND, "3"]) == 1
    assert "holds another run (recipe.epochs is 3, was 2); --extend goes on" in capsys.readouterr().err
    assert main([*COMMAND, "3", "--extend"]) == 0
    assert [row["epoch"] for row in read_json(RUN / "log.json")] == [0, 1, 2]
    for take in range(5):
        add("gong", take, ("train", "train", "train", "validation", "test")[take])
    assert main([*COMMAND, "3", "--extend"]) == 0
    assert load_supernet(RUN / "supernet", "doors").labels == ("bell", "door", "gong")
    assert [load_supernet(RUN / f"before-{n}" / "supernet", "doors").labels for n in (1, 2)] == [("bell", "door")] * 2


def test_a_run_whose_state_was_half_put_aside_goes_on(sounds, tiny):
    """As where the process was killed between two moves."""
    assert main([*COMMAND, "2"]) == 0
    first = files(RUN / "supernet")
    add("bell", 10)
    (RUN / "before-1.part").mkdir()
    (RUN / "recipe.json").rename(RUN / "before-1.part" / "recipe.json")
    assert main([*COMMAND, "2", "--extend"]) == 0
    assert files(RUN / "before-1" / "supernet") == first
    assert not list(RUN.glob("*.part"))
    stored = load_supernet(RUN / "before-1" / "supernet", "doors")
    begun = retarget(stored, 2, 1000, stored.supernet.calibration, labels=("bell", "door"))
    assert read_json(RUN / "recipe.json")["start"] == weights_digest(begun)


def stopped_in(epoch, monkeypatch):
    """Training that is killed in an epoch."""
    whole = supernet.train.loop._train_epoch

    def part(module, data, augmenter, optimiser, recipe, number, *others):
        if number == epoch:
            raise KeyboardInterrupt
        return whole(module, data, augmenter, optimiser, recipe, number, *others)

    monkeypatch.setattr(supernet.train.loop, "_train_epoch", part)


def test_a_run_that_was_stopped_before_it_had_a_supernet_is_extended_from_what_it_learned(sounds, tiny, caplog, capsys):
    with pytest.MonkeyPatch.context() as patch:
        stopped_in(1, patch)
        assert main([*COMMAND, "3"]) == 1
    learned, _ = load_tensors(RUN / "checkpoint.safetensors")
    add("bell", 10)
    before = files(RUN)
    assert main([*COMMAND, "3"]) == 1
    assert f"{RUN}: holds another run (data differs); --extend goes on" in capsys.readouterr().err
    assert files(RUN) == before
    with caplog.at_level("INFO"):
        assert main([*COMMAND, "2", "--extend"]) == 0
    place = RUN / "before-1" / "supernet"
    assert f"goes on from its supernet, which was stopped after 1 of 3 epochs, kept in {place}" in caplog.text
    stored = load_supernet(place, "doors")
    assert stored.labels == ("bell", "door")
    assert stored.config["attribution"] == "the owner of the recordings; starting weights: them (cc-by-4.0)"
    assert [row["epoch"] for row in stored.config["training"]["log"]] == [0]
    own = dict(stored.supernet.named_parameters())
    assert all(torch.equal(own[name], torch.from_numpy(learned[f"weight:{name}"])) for name in own)
    begun = retarget(stored, 2, 1000, stored.supernet.calibration, labels=("bell", "door"))
    assert read_json(RUN / "recipe.json")["start"] == weights_digest(begun)
    assert [row["epoch"] for row in read_json(RUN / "log.json")] == [0, 1]


def test_clips_that_a_stopped_run_heard_are_known_as_well(sounds, tiny, caplog, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        stopped_in(1, patch)
        assert main([*COMMAND, "3"]) == 1
    table = Path("table.csv").read_text()
    Path("table.csv").write_text(table.replace("bell/0.wav,bell,train", "bell/0.wav,bell,test"))
    assert main([*COMMAND, "2", "--extend"]) == 0
    assert "1 of 5 clips of validation and test were heard in training" in caplog.text


@pytest.mark.parametrize("added", [False, True])
def test_a_run_that_was_stopped_before_it_learned_anything_is_begun_by_extend(sounds, tiny, added):
    with pytest.MonkeyPatch.context() as patch:
        stopped_in(0, patch)
        assert main([*COMMAND, "2"]) == 1
    if added:
        add("gong", 1), add("gong", 2), add("gong", 3, "validation"), add("gong", 4, "test")
    assert main([*COMMAND, "2", "--extend"]) == 0
    assert load_supernet(RUN / "supernet", "doors").labels == ("bell", "door", "gong")[: 2 + added]
    assert read_json(RUN / "begun.json")["labels"] == ["bell", "door", "gong"][: 2 + added]
    assert not list(RUN.glob("before-*"))


def test_an_unfinished_run_of_the_same_plan_is_finished_by_extend_to_the_same_weights(sounds, tiny):
    assert main([*COMMAND, "2", "--run-dir", "whole"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        stopped_in(1, patch)
        assert main([*COMMAND, "2"]) == 1
    assert main([*COMMAND, "2", "--extend"]) == 0
    assert files(RUN / "supernet") == files(Path("whole/supernet"))


def test_a_stopped_run_of_which_nothing_says_what_it_is_of_is_left_as_it_is(sounds, tiny, capsys):
    assert main([*COMMAND, "2"]) == 0
    shutil.rmtree(RUN / "supernet")
    (RUN / "begun.json").unlink()  # as runs of earlier versions lack it
    add("bell", 10)
    before = files(RUN)
    assert main([*COMMAND, "2", "--extend"]) == 2
    assert f"extend: {RUN} was stopped before it had a supernet; finish it as it was begun" in capsys.readouterr().err
    assert files(RUN) == before


def test_ones_own_supernet_is_a_start_and_its_classes_keep_their_heads(sounds, tiny, capsys):
    assert main([*COMMAND, "2"]) == 0
    add("gong", 1), add("gong", 2), add("gong", 3, "validation"), add("gong", 4, "test")
    shutil.rmtree(sounds / "door")
    Path("table.csv").write_text(
        "\n".join(row for row in Path("table.csv").read_text().split("\n") if "door/" not in row)
    )
    assert main([*COMMAND, "2", "--start", "runs/doors/supernet", "--run-dir", "other"]) == 0
    stored = load_supernet(RUN / "supernet", "doors")
    begun = retarget(stored, 2, 1000, stored.supernet.calibration, labels=("bell", "gong"))
    assert read_json("other/recipe.json")["start"] == weights_digest(begun)
    head, old = (net.network.state_dict()["layers.classifier.weight"] for net in (begun, stored.supernet))
    assert torch.equal(head[0], old[0])
    assert not torch.equal(head[1], old[1])
    made = load_supernet("other/supernet", "doors").config
    assert made["attribution"] == "the owner of the recordings; starting weights: them (cc-by-4.0)"
    assert main(["train", "--data", "sounds", "--task", "a", "--start", "runs/doors"]) == 2
    assert "start = 'runs/doors': no supernet there; give runs/doors/supernet" in capsys.readouterr().err


def test_a_start_that_is_none_is_named(tmp_path, package):
    (tmp_path / "empty").mkdir()
    for start in (tmp_path / "empty", package):
        with pytest.raises(InvalidQuery, match=r"no supernet in this folder; give one such as runs/TASK/supernet"):
            open_start(start)
    with pytest.raises(InvalidQuery, match=r"no such bundled supernet: did you mean kws-temporal-map .*; or give the"):
        open_start("kws-temporal-mapp")


def test_clips_that_the_start_heard_do_not_measure_what_follows_unsaid(sounds, tiny, caplog, tmp_path):
    """A recording of training becomes one of the test."""
    assert main([*COMMAND, "2"]) == 0
    begin = load_supernet(RUN / "supernet", "doors")
    table = Path("table.csv").read_text()
    for moved, told in ((table, ""), (table.replace("bell/0.wav,bell,train", "bell/0.wav,bell,test"), "1 of 5 clips")):
        Path("table.csv").write_text(moved)
        caplog.clear()
        starts.told_apart(load_folder(sounds, "table.csv", cache=tmp_path / "cache")[0], begin)
        assert bool(caplog.records) is bool(told)
        assert told in caplog.text


def test_quick_training_is_shorter_and_is_extended_by_the_whole(sounds, tiny, monkeypatch):
    monkeypatch.setattr(training, "QUICK_EPOCHS", (1, 1))
    monkeypatch.setattr(training, "EPOCHS", (2, 2))
    assert main([*COMMAND[:-1], "--quick"]) == 0
    assert len(read_json(RUN / "log.json")) == 1
    assert main([*COMMAND[:-1], "--extend"]) == 0
    assert len(read_json(RUN / "log.json")) == 2
    assert (RUN / "before-1" / "supernet").is_dir()


def test_training_goes_on_without_rooms_where_these_cannot_be_drawn(monkeypatch, caplog):
    """And says so once, with the extra to install."""
    recipe = {"augmentation": asdict(Scenes())}
    assert augmentation_of(recipe) == Scenes()
    monkeypatch.setattr("supernet.extras.find_spec", lambda name: None if name == "pyroomacoustics" else name)
    with caplog.at_level("WARNING"):
        assert augmentation_of(recipe) == Scenes(rooms=0, room_share=0.0)
        assert augmentation_of({"augmentation": asdict(Augmentation())}) == Augmentation()
    [said] = caplog.messages
    assert said.startswith("not heard in rooms, and so this run stays; this needs pyroomacoustics, which is not ")
