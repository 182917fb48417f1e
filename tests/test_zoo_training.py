"""Training on one's own sounds by one command, from a folder to a hub that answers."""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from conftest import RATE, tone
from last_steps import AGAIN, HOWS, advised, counted, fails, files

import search.sampling
import supernet.nn.store
import supernet.train.loop
import zoo
from supernet import load_supernet
from supernet.data.augment import Augmentation
from supernet.errors import InvalidQuery
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features
from supernet.nn.store import StoredSupernet, retarget
from supernet.nn.supernet import Supernet
from zoo.cli import main
from zoo.hubs.folder import BUNDLED
from zoo.make import change, pipeline, renew, slices, starts
from zoo.make import train as training
from zoo.make.recipe import TRAIN
from zoo.make.starts import open_start


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    root = tmp_path_factory.mktemp("sounds")
    for number, label in enumerate(("bell", "door")):
        (root / label).mkdir()
        for clip in range(24):
            samples = tone(400 + 800 * number, seed=100 * number + clip)
            soundfile.write(root / label / f"{clip}.wav", samples, RATE)
    return root


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Short fine-tunes, a short search and a cache of the test's own."""
    monkeypatch.setattr("supernet.data.folder.CACHE", tmp_path / "cache")
    short = {"tune_epochs": 1, "tune_steps": 0, "quant_epochs": 1, "quant_steps": 0, "samples": 12}
    short |= {"calibration_clips": 24, "evaluations": 40, "finalists": 2}
    monkeypatch.setattr(training, "TRAIN", replace(TRAIN, **short))
    monkeypatch.setattr("search.accuracy.KINDS", ("boosting",))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tiny(quick, small_space, monkeypatch, tmp_path):
    """Training that starts from a supernet of random weights, of which every network is within 1M MACs."""
    features = dequantise_features(quantise_features(torch.randn(24, 40, 100, generator=torch.Generator())))
    recipe = {"augmentation": asdict(Augmentation())}
    config = {"name": "tiny", "licence": "cc-by-4.0", "attribution": "made by the tests"} | {
        "training": {"recipe": recipe}
    }
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    begin = StoredSupernet(Supernet(small_space, features).eval(), frontend, ("a", "b", "c", "d"), config)
    monkeypatch.setattr(training, "open_start", lambda start: begin if start == training.START else open_start(start))
    monkeypatch.setattr(renew, "device_figures", lambda archs, task: [{} for _ in archs])
    monkeypatch.setattr(training, "STORED_CLIPS", (16, 16))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_a_folder_becomes_a_hub_that_answers(sounds, quick, tmp_path, capsys):
    (tmp_path / "radio").mkdir()
    soundfile.write(tmp_path / "radio" / "hiss.wav", 0.1 * np.random.default_rng(0).standard_normal(30 * RATE), RATE)
    command = ["train", "--data", str(sounds), "--task", "doors", "--publish", "hub", "--max-macs", "1M"]
    command += ["--bits", "2", "8"]
    assert main([*command, "--epochs", "6", "--negatives", "radio", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(entry["bits"] for entry in said["models"]) == [2, 8]
    assert zoo.get(task="doors", hub="hub").name in {entry["name"] for entry in said["models"]}
    assert said["largest_validation"] > 0.9
    model = zoo.get(task="doors", max_macs="1M", bits=8, hub="hub", device="stm32f746-tflm-cmsis-nn")
    assert 0 < model.figure.latency_ms < 1000
    model.verify()
    assert model.labels == ("bell", "door", "_unknown_")
    config = json.loads((model.path / "config.json").read_text())
    assert config["detection"]["hours"] == pytest.approx(4.2 / 3600, rel=0.5)
    assert config["detection"]["recall"] >= 0.5
    assert "## Detection in a stream" in (model.path / "README.md").read_text()
    answers = model([str(path) for path in sorted((sounds / "bell").glob("*.wav"))])
    assert np.mean([answer[0]["label"] == "bell" for answer in answers]) > 0.9
    assert load_supernet(said["supernet"], "doors").labels == model.labels
    assert load_supernet(tmp_path / "hub" / "supernets" / "doors-temporal", "doors").labels == model.labels
    assert "splits by a hash of the name" in model.notes[0]


def test_a_new_task_starts_from_the_trunk_of_the_bundled_supernet():
    """All weights but the head's, which is new, and for clips of another length too."""
    stored = load_supernet(BUNDLED / "supernets" / training.START, "kws")
    supernet = retarget(stored, 3, 500, stored.supernet.calibration[:, :, :50])
    assert supernet.space.classes == 3
    old, new = stored.supernet.network.state_dict(), supernet.network.state_dict()
    same = [name for name in old if old[name].shape == new[name].shape and torch.equal(old[name], new[name])]
    assert set(old) - set(same) == {"layers.classifier.weight", "layers.classifier.bias"}
    arch = supernet.space.smallest()
    assert supernet.eval()(torch.zeros(1, 40, 50), arch).shape == (1, 3)


def test_clips_that_a_start_cannot_stride_over_are_told_the_nearest_lengths(sounds, quick):
    """The stages of the networks stride over 160 ms."""
    with pytest.raises(InvalidQuery, match=r"clip_ms = 1000: .* stream in whole strides; give 960 or 1120$"):
        training.train(sounds, "doors", start="esc10-temporal", clip_ms=1000)


def test_events_start_from_the_weights_of_events_and_keep_their_licence(sounds, quick, tmp_path, capsys):
    """A family of its own, clips of its length, its augmentation, and terms that allow no more than its own."""
    command = ["train", "--data", str(sounds), "--task", "doors", "--start", "esc10-mbconv", "--clip-ms", "1000"]
    assert main([*command, "--epochs", "1", "--licence", "cc0-1.0"]) == 0
    folder = tmp_path / "runs" / "doors" / "supernet"
    stored, begun = load_supernet(folder, "doors"), load_supernet(BUNDLED / "supernets" / "esc10-mbconv", "esc10")
    assert stored.supernet.space == replace(begun.supernet.space, classes=2, clip_ms=1000)
    assert stored.config["licence"] == "cc0-1.0"
    assert "starting weights: ESC-50, K. J. Piczak" in stored.config["attribution"]
    varied = stored.config["training"]["recipe"]["augmentation"]
    assert varied == begun.config["training"]["recipe"]["augmentation"]
    assert varied["mix_share"] > 0


@pytest.mark.parametrize(
    ("clip_ms", "scratch", "told"), [(2000, False, True), (1000, False, False), (2000, True, False)]
)
def test_long_clips_are_told_what_to_start_from(sounds, quick, monkeypatch, caplog, clip_ms, scratch, told):
    class Reached(Exception):
        pass

    def reach(*_):
        raise Reached

    monkeypatch.setattr(training, "_start", reach)
    with caplog.at_level("INFO"), pytest.raises(Reached):
        training.train(sounds, "doors", clip_ms=clip_ms, from_scratch=scratch)
    starts = "esc10-temporal, which streams, esc10-mbconv and, not for commercial use, aec-mbconv"
    assert (f"start from are {starts}" in caplog.text) is told


def test_weights_that_are_not_for_commercial_use_make_none_that_are():
    """A licence that is not given becomes theirs; one that allows more is refused."""
    begun = SimpleNamespace(config={"licence": "cc-by-nc-3.0", "attribution": "them"})
    for licence, bound in (("other", "cc-by-nc-3.0"), ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0")):
        assert starts.with_owner(_Clips(licence, "me"), begun) == _Clips(
            bound, "me; starting weights: them (cc-by-nc-3.0)"
        )
    for licence in ("cc-by-4.0", "x-nce"):
        with pytest.raises(InvalidQuery, match="not for commercial use"):
            starts.with_owner(_Clips(licence, "me"), begun)


@dataclass(frozen=True)
class _Clips:
    licence: str
    attribution: str


def test_strict_refuses_before_anything_is_written(sounds, quick, tmp_path, capsys):
    shutil.copytree(sounds, "torn")
    (tmp_path / "torn" / "door" / "torn.wav").write_bytes(b"RIFF")
    assert main(["train", "--data", "torn", "--task", "doors", "--strict"]) == 1
    messages = capsys.readouterr().err
    assert "torn.wav" in messages
    assert "refused for" in messages
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--task", "a/b"], 2, "task 'a/b': use"),
        (["--task", "a", "--data", "missing"], 1, "missing: no such folder"),
        (["--task", "a" * 80], 2, "up to 60"),
        (["--task", "a", "--epochs", "0"], 2, "epochs"),
        (["--task", "a", "--bits", "8", "9", "--publish", "hub"], 2, "bits = 9 is not possible"),
        (["--task", "a", "--bits", "2"], 2, "is of published models: give publish"),
        (["--task", "a", "--max-macs", "1M"], 2, "is of published models: give publish"),
        (["--task", "a", "--max-false-alarms", "2"], 2, "max_false_alarms = 2 is counted on negatives"),
        (["--task", "a", "--seed", "-1"], 2, "seed"),
        (["--task", "a", "--start", "kws-temporal-mapp"], 2, "no such bundled supernet: did you mean kws-temporal-map"),
        (["--task", "a", "--licence", "mine: all"], 2, "licence"),
        (["--task", "a", "--publish", "hf://me/hub"], 2, "hf://me/hub"),
        (["--task", "a", "--clip-ms", "5"], 2, "clip"),
        (["--task", "a", "--max-macs", "1k", "--publish", "hub"], 1, "no network meets max_macs = 1,000"),
        (["--task", "a", "--max-macs", "3M/64", "--publish", "hub"], 1, "no network meets max_ram = 64"),
        (["--task", "a", "--table", "missing.csv"], 1, "missing.csv"),
    ],
)
def test_bad_options_are_one_clear_line(sounds, quick, tmp_path, capsys, options, status, message):
    data = [] if "--data" in options else ["--data", str(sounds)]
    assert main(["train", *data, *options]) == status
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("earshot: ")
    assert message in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("seed", value) for value in (True, 1.5, "1", None, -1, 2**70)],
        *[("epochs", value) for value in (True, 2.5, "5", 0, np.bool_(True))],
        *[("clip_ms", value) for value in (1000.0, "1000", True, None, 1010)],
        *[("max_false_alarms", value) for value in ("one", True, float("nan"))],
        *[("max_macs", value) for value in (True, ("3M", True), "x", [None])],
        *[("licence", value) for value in (None, 4)],
        *[("channel", value) for value in (0, True, 1.0, "1")],
    ],
)
def test_options_that_cannot_be_meant_are_named_before_anything_is_written(sounds, quick, tmp_path, name, value):
    with pytest.raises(InvalidQuery, match=f"^{name} .*(give|is not possible)"):
        zoo.train(sounds, "doors", publish=tmp_path / "hub", **{name: value})
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize("bits", [True, np.True_, 4.0, np.float32(4), "four", (8, np.True_)])
def test_bits_that_are_none_are_named(sounds, quick, tmp_path, bits):
    with pytest.raises(InvalidQuery, match=r"^bits = .* is not possible"):
        zoo.train(sounds, "doors", bits=bits, publish=tmp_path / "hub")


def test_whole_numbers_of_numpy_are_taken_as_plain_ones(sounds, quick, monkeypatch):
    class Reached(Exception):
        pass

    def reach(plan, run):
        raise Reached(plan)

    monkeypatch.setattr(training, "_same", reach)
    with pytest.raises(Reached) as caught:
        zoo.train(
            sounds,
            "doors",
            channel=np.int8(1),
            seed=np.int64(1),
            epochs=np.uint8(5),
            clip_ms=np.int32(1000),
            publish=sounds.parent / "hub",
            max_macs=np.float32(3e6),
        )
    plan = caught.value.args[0]
    numbers = (plan.seed, plan.epochs, plan.clips.clip_ms, plan.recipe.seed, plan.recipe.epochs)
    assert numbers == (1, 5, 1000, 1, 5)
    assert {type(number) for number in numbers} == {int}


def test_esc50_in_its_own_layout_is_told_what_to_give(tmp_path, capsys):
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").touch()
    assert main(["train", "--data", str(tmp_path), "--task", "a"]) == 1
    assert f"ESC-50 in its own layout, without a folder for each class; give {tmp_path / 'audio'} with a table" in (
        capsys.readouterr().err
    )


def test_several_labels_a_clip_are_answered_each_by_itself(sounds, quick, tmp_path, monkeypatch):
    """Both tones mixed have both labels; noise has none."""
    monkeypatch.setattr(renew, "device_figures", lambda archs, task: [{} for _ in archs])
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    rows = []
    for number in range(48):
        has = number % 2, number // 2 % 2
        parts = [tone(400 + 800 * index, seed=number) for index in (0, 1) if has[index]]
        noise = 0.01 * np.random.default_rng(number).standard_normal(RATE)
        soundfile.write(mixed / f"{number}.wav", 0.5 * sum(parts, noise), RATE)
        names = ";".join(name for name, there in zip(("low", "high"), has, strict=True) if there)
        rows.append(f"{number}.wav,{names},{('train', 'train', 'validation', 'test')[number // 4 % 4]}")
    (tmp_path / "table.csv").write_text("\n".join(["file,label,split", *rows]))
    zoo.train(mixed, "tones", table="table.csv", epochs=24, publish="hub", max_macs=("1M",), bits=8)
    model = zoo.get(task="tones", hub="hub")
    assert model.multi_label
    assert model.labels == ("high", "low")
    both, none = model(str(mixed / "3.wav")), model(str(mixed / "0.wav"))
    assert min(item["score"] for item in both) > 0.5 > max(item["score"] for item in none)
    card, figures = (model.path / "README.md").read_text(), zoo.info(model.name, hub="hub").config.values["accuracy"]
    assert "may have several" in card
    assert figures["test"]["mean_average_precision"] > 0.9
    shown = str(zoo.info(model.name, hub="hub"))
    assert "all labels right" in shown.splitlines()[2]
    assert f"mean average precision {figures['test']['mean_average_precision']:.3f}" in shown
    assert f"{figures['test']['mean_average_precision']:.2%} on test" in card


def work(monkeypatch) -> list[list]:
    """Calls of what takes long: epochs, searches, and measuring."""
    measuring = [(slices, "search_slices"), (pipeline, "split_figures"), (pipeline, "choose_detection")]
    training = [(supernet.train.loop, "_train_epoch"), (search.sampling, "_one")]
    return [counted(monkeypatch, *part) for part in (*training, *measuring)]


def test_one_network_for_several_budgets_is_one_model(sounds, tiny, monkeypatch, caplog, capsys):
    tunes, quantised = counted(monkeypatch, pipeline, "train_float"), counted(monkeypatch, pipeline, "quantise")
    command = ["train", "--data", str(sounds), "--task", "doors", "--publish", "hub", "--epochs", "1"]
    with caplog.at_level("INFO"):
        assert main([*command, "--max-macs", "3M", "1M", "2M/64kB", "--format", "json"]) == 0
    said = "within 3M MACs and within 1M MACs and within 2M MACs and 64kB of RAM the search finds one network"
    assert said in caplog.text
    assert (len(tunes), len(quantised)) == (1, 2)
    models = json.loads(capsys.readouterr().out)["models"]
    assert sorted(entry["bits"] for entry in models) == [4, 8]
    values = zoo.info(models[0]["name"], hub="hub").config.values["training"]
    assert values["search"]["max_macs"] == 1e6
    assert values["search"]["also"] == [{"max_macs": 2e6, "max_ram": 64e3}, {"max_macs": 3e6}]
    assert "within 1M MACs, and the same network within 2M MACs and 64kB of RAM and within 3M MACs: " in (
        " ".join(values["summary"])
    )
    assert main([*command, "--max-macs", "3M"]) == 0  # the model for 1M MACs is the same as that for 3M, and stays one
    assert {entry.name for entry in zoo.find("doors", hub="hub")} == {entry["name"] for entry in models}


@pytest.fixture
def radio(tmp_path):
    (tmp_path / "radio").mkdir()
    soundfile.write(tmp_path / "radio" / "hiss.wav", 0.1 * np.random.default_rng(0).standard_normal(30 * RATE), RATE)
    return str(tmp_path / "radio")


@pytest.mark.parametrize(("how", "goes_on"), [("full", "same"), ("killed", "same"), ("full", "advised")])
def test_a_hub_that_cannot_be_written_in_the_end_costs_nothing(
    sounds, radio, tiny, tmp_path, monkeypatch, capsys, how, goes_on
):
    command = ["train", "--data", str(sounds), "--task", "doors", "--publish", "my hub", "--epochs", "1"]
    command += ["--bits", "8", "--negatives", radio]
    assert fails(monkeypatch, how, command, change, "write_index") == (1 if how == "full" else None)
    message = capsys.readouterr().err.strip().splitlines()[-1]
    publishing = "earshot publish runs/doors/packages/* --hub 'my hub'"
    if how == "full":
        assert message == (
            "earshot: hub my hub: cannot be written (my hub/index.json: No space left on device); give another folder; "
            f"what was made is in runs/doors/packages: {AGAIN}, or `{publishing}`"
        )
    done = work(monkeypatch)
    assert main(command if goes_on == "same" else advised(f"`{publishing}`")) == 0
    assert done == [[]] * 5
    after = files("my hub")
    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    assert files("my hub") == after
    assert not (tmp_path / "runs" / "doors" / "packages").exists()


def test_a_command_that_would_leave_older_models_is_not_advised(sounds, tiny, monkeypatch, capsys):
    command = ["train", "--data", str(sounds), "--task", "doors", "--publish", "hub", "--bits", "8", "--epochs"]
    assert main([*command, "1"]) == 0
    old = zoo.find("doors", hub="hub")
    assert fails(monkeypatch, "full", [*command, "2", "--run-dir", "other"], change, "write_index") == 1
    assert capsys.readouterr().err.strip().endswith(f"what was made is in other/packages: {AGAIN}")
    assert zoo.find("doors", hub="hub") == old
    assert main([*command, "2", "--run-dir", "other"]) == 0
    assert len(zoo.find("doors", hub="hub")) == len(old) == 1


@pytest.mark.parametrize("how", HOWS)
def test_a_supernet_that_cannot_be_written_in_the_end_costs_nothing(sounds, tiny, tmp_path, monkeypatch, capsys, how):
    command = ["train", "--data", str(sounds), "--task", "doors", "--epochs", "1"]
    assert fails(monkeypatch, how, command, supernet.nn.store, "write_json") == (1 if how == "full" else None)
    if how == "full":
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message == (
            "earshot: runs/doors/supernet/config.json: No space left on device; "
            f"what was made is in runs/doors: {AGAIN}"
        )
    done = work(monkeypatch)
    assert main(command) == 0
    assert done[0] == []
    after = files("runs/doors/supernet")
    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    assert files("runs/doors/supernet") == after


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--publish", "file"], "hub file: not a folder that can be written"),
        (["--publish", "file/hub"], "hub file/hub: not a folder that can be written"),
        (["--publish", "hf://me/hub"], "hub hf://me/hub: give a folder here"),
        (["--run-dir", "file/run"], "run_dir file/run: not a folder that can be written"),
    ],
)
def test_what_would_fail_in_the_end_fails_at_once(sounds, tiny, monkeypatch, capsys, options, said):
    Path("file").touch()
    monkeypatch.setattr(training, "load_folder", lambda *_, **__: pytest.fail("loaded"))
    assert main(["train", "--data", str(sounds), "--task", "doors", *options]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["file"]
