"""Searching a hub's supernets, and models of one's own where nothing published fits."""

import dataclasses
import json
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import KEYWORDS, tone
from last_steps import AGAIN, HOWS, advised, counted, fails, files
from test_supernet_parallel import torchrun

import search.accuracy
import search.sampling
import supernet.train.loop
import zoo
from search.accuracy import fit_predictor
from search.sampling import extract
from supernet.constants import SILENCE
from supernet.data.augment import plain_features
from supernet.errors import InfeasibleBudget, InvalidData, InvalidQuery, NoModelFits, UnknownName
from supernet.frontend import front_end
from supernet.nn.store import load_supernet, save_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits, save_elastic_bits
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.evaluate import accuracy
from zoo.ask.limits import limits_of
from zoo.ask.query import choose
from zoo.cli import main
from zoo.cli import search as cli_search
from zoo.hubs.folder import BUNDLED
from zoo.hubs.index import Index, write_index
from zoo.make import change, renew
from zoo.make import search as searching
from zoo.make import specialize as specializing
from zoo.make.recipe import SPECIALIZE
from zoo.make.search import load_like, search_hub
from zoo.make.specialize import specialize
from zoo.run.known import Known

QUICK = {"evaluations": 200, "progress": False}


@pytest.fixture(scope="session")
def hub_of_supernets(speech_data, small_space, tmp_path_factory):
    """A hub without models, with a float supernet and one of elastic bits, random weights, and their predictors."""
    hub = tmp_path_factory.mktemp("supernets")
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    info = {
        "licence": "cc-by-4.0",
        "attribution": "made by the tests",
        "about": {"notes": ["Knows tones."], "limits": ["Of no use."],
                  "dataset": {"name": "Tones", "id": "tones", "version": "1"}},
    }  # fmt: skip
    supernet = Supernet(small_space, calibration).eval()
    elastic = ElasticBits(Supernet(small_space, calibration, 1), (8, 4, 2)).eval()
    for name, source in (("plain", supernet), ("bits", elastic)):
        folder = hub / "supernets" / name
        save = save_supernet if source is supernet else save_elastic_bits
        save(folder, source, frontend, "tones", speech_data.labels, {"name": name, **info})
        fit_predictor(folder, source, frontend, speech_data, hub / f"runs-{name}", 20, progress=False)
    write_index(hub / "index.json", [])
    return hub


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's own hub, in a folder of the test's own, and a cache."""
    monkeypatch.setattr("zoo.ask.lookup.OWN_HUB", tmp_path / "own")
    monkeypatch.setattr("zoo.hubs.address.OWN_HUB", tmp_path / "own")
    monkeypatch.setattr("zoo.make.specialize.OWN_HUB", tmp_path / "own")
    monkeypatch.setattr("supernet.data.speech_commands.CACHE", tmp_path / "cache")
    monkeypatch.setattr("supernet.data.folder.CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own"


def test_all_supernets_for_a_task_are_searched_and_the_best_answer_wins(hub_of_supernets):
    found = search_hub("tones", {"max_macs": 0.4e6}, hub=hub_of_supernets, **QUICK)
    assert [finding.searched.name for finding in found.all] == ["bits", "plain"]
    assert found.best.score == max(finding.result.scores.max() for finding in found.all)
    table = found.table()
    assert len(table) == sum(len(finding.result.scores) for finding in found.all)
    assert (table["macs"] <= 0.4e6).all()
    one = search_hub("tones", {"max_macs": 0.4e6}, hub=hub_of_supernets, supernet="plain", bits=8, **QUICK)
    assert [finding.searched.name for finding in one.all] == ["plain"]
    folder = search_hub("tones", {}, supernet=hub_of_supernets / "supernets" / "plain", **QUICK)
    assert folder.best.searched.name == "plain"


def test_a_search_keeps_the_power_of_a_stream_and_says_what_it_is_of(hub_of_supernets, own, capsys, monkeypatch):
    monkeypatch.setattr(searching, "EVALUATIONS", 100)
    device, stream = "stm32f746-tflm-cmsis-nn", ["--every-ms", "200", "--sleep-power-uw", "9"]
    command = ["search", "--task", "tones", "--hub", str(hub_of_supernets), "--evaluations", "100", "--format", "json"]
    assert main([*command, "--device", device, *stream, "--front", "power"]) == 0
    front = [row["power_uw"] for row in json.loads(capsys.readouterr().out)["front"]]
    assert front == sorted(front)
    limit = 1.05 * front[0]
    assert main([*command, "--device", device, *stream, "--max-power-uw", f"{limit}"]) == 0
    found = json.loads(capsys.readouterr().out)
    taken = found["device"]["power"]
    assert taken["power_uw"] == pytest.approx(found["power_uw"], rel=1e-3)
    assert found["power_uw"] <= limit
    assert (taken["every_ms"], taken["sleep_power_uw"], taken["basis"]) == (200, 9, "indicative")
    assert main([*command, "--max-power-uw", f"{limit}"]) == 2
    assert "max_power_uw needs a device" in capsys.readouterr().err
    wish = {"task": "tones", "hub": hub_of_supernets, "device": device, "max_power_uw": limit, "every_ms": 200}
    made = zoo.get(**wish, specialize=True)
    assert made.figure.power.power_uw <= limit
    assert zoo.get(**wish, specialize=True).name == made.name
    asked = json.loads((made.path / "config.json").read_text())["training"]["search"]["wish"]
    assert (asked["limits"]["max_power_uw"], asked["every_ms"], "sleep_power_uw" in asked) == (limit, 200, False)


def test_a_front_has_the_best_of_all_supernets_at_each_cost(hub_of_supernets):
    found = search_hub("tones", {}, hub=hub_of_supernets, objectives=("flash_bytes",), **QUICK)
    front, table = found.front(), found.table()
    assert (np.diff(front["flash_bytes"]) > 0).all()
    assert (np.diff(front["predicted"]) > 0).all()
    for _, row in front.iterrows():
        assert row["predicted"] == table[table["flash_bytes"] <= row["flash_bytes"]]["predicted"].max()


@pytest.mark.parametrize("bits", [4, "mixed", None])
def test_bits_that_are_asked_for_are_had(hub_of_supernets, bits):
    found = search_hub("tones", {}, hub=hub_of_supernets, bits=bits, **QUICK)
    names = [finding.searched.name for finding in found.all]
    assert names == (["bits", "plain"] if bits is None else ["bits"])
    space = found.all[0].result.problem.space
    tried = space.layer_bits(found.all[0].result.genes)[:, space.costs_of.inner]
    assert set(np.unique(tried)) == ({4} if bits == 4 else {8, 4, 2})
    assert (np.ptp(tried, axis=1) > 0).any() == (bits == "mixed")


@pytest.fixture
def few_steps(monkeypatch):
    """A differentiable search that hardly trains."""
    monkeypatch.setattr(searching, "Differentiable", partial(searching.Differentiable, steps=3, paths=2))


@pytest.mark.parametrize(("supernet", "bits"), [("plain", None), ("bits", "mixed"), ("bits", 4)])
def test_three_strategies_through_one_interface(hub_of_supernets, few_steps, supernet, bits):
    for strategy in searching.STRATEGIES:
        found = search_hub("tones", {"max_macs": 0.5e6}, hub=hub_of_supernets, supernet=supernet, bits=bits,
                           strategy=strategy, evaluations=64, progress=False)  # fmt: skip
        assert len(found.best.result.scores) == 64
        assert (found.best.result.costs["macs"] <= 0.5e6).all()
    with pytest.raises(UnknownName, match="unknown strategy 'evolutoin': did you mean evolution"):
        search_hub("tones", {}, hub=hub_of_supernets, strategy="evolutoin", **QUICK)


def test_what_cannot_be_searched_is_named(hub_of_supernets, tmp_path):
    with pytest.raises(UnknownName, match=r"no supernet for task 'tnes' in hub .*did you mean tones"):
        search_hub("tnes", {}, hub=hub_of_supernets, **QUICK)
    with pytest.raises(UnknownName, match=r"no supernet 'plane'.*did you mean plain"):
        search_hub("tones", {}, hub=hub_of_supernets, supernet="plane", **QUICK)
    with pytest.raises(InvalidQuery, match=r"bits = 3: the supernets for tones have \[2, 4, 8\] bits"):
        search_hub("tones", {}, hub=hub_of_supernets, bits=3, **QUICK)
    with pytest.raises(InfeasibleBudget, match="max_macs = 1,000: the smallest needs"):
        search_hub("tones", {"max_macs": 1000.0}, hub=hub_of_supernets, **QUICK)
    bare = tmp_path / "bare"
    shutil.copytree(hub_of_supernets / "supernets" / "plain", bare)
    (bare / "accuracy.json").unlink()
    with pytest.raises(InvalidQuery, match="has no accuracy predictor; fit one with `earshot predictor"):
        search_hub("tones", {}, supernet=bare, **QUICK)


def test_a_limit_that_there_is_not_is_not_left_out(hub_of_supernets):
    with pytest.raises(UnknownName, match="unknown limit 'max_flsh': did you mean max_flash"):
        search_hub("tones", {"max_flsh": 3000}, hub=hub_of_supernets, **QUICK)


def test_with_data_the_finalists_are_measured(hub_of_supernets, speech_folder, own):
    found = search_hub(
        "tones", {"max_macs": 0.4e6}, hub=hub_of_supernets, supernet="plain", data=speech_folder, **QUICK
    )
    measured = found.best.measured
    assert len(measured.scores) == 8
    assert found.best.arch == measured.arch
    clips = found.best.searched.load(speech_folder)
    features = plain_features(clips, clips.splits["validation"].rows, found.best.searched.stored.frontend)
    fake = extract(found.best.searched.source, found.best.arch)
    assert found.best.score == accuracy(fake, features, clips.splits["validation"].targets)


@pytest.mark.parametrize(("clips", "best"), [(0, 1), (2, 0), (10, 1)])
def test_on_few_other_clips_what_is_predicted_decides(hub_of_supernets, clips, best):
    """The predictor learned from 30: with 2 others it is 28 / 32 to 26 / 32, with 10 others 32 / 40 to 34 / 40."""
    found = search_hub("tones", {"max_macs": 0.4e6}, hub=hub_of_supernets, supernet="plain", **QUICK).best
    searched = SimpleNamespace(about={"clips": 30}, predict=lambda space, genes: np.array([0.9, 0.8]))
    measured = dataclasses.replace(found.result, genes=found.result.genes[:2], scores=np.array([0.5, 1.0]))
    finding = dataclasses.replace(found, searched=searched, measured=measured, clips=clips)
    assert finding.arch == measured.arch_of(best)
    assert finding.accuracy == measured.scores[best]
    assert finding.score == pytest.approx({0: 1.0, 2: 28 / 32, 10: 34 / 40}[clips])


def test_clips_that_the_predictor_did_not_hear_are_told_apart(hub_of_supernets, speech_folder, tmp_path, own):
    data = shutil.copytree(speech_folder, tmp_path / "data")
    wish = {"hub": hub_of_supernets, "supernet": "plain", **QUICK}
    assert search_hub("tones", {"max_macs": 0.4e6}, **wish, data=data).best.clips == 0
    next((data / "up").glob("00000001*")).unlink()
    best = search_hub("tones", {"max_macs": 0.4e6}, **wish, data=data).best
    assert best.clips == len(load_like(data, best.searched.stored.labels, 1000, "tests").splits["validation"])


def test_data_of_other_classes_are_refused(hub_of_supernets, speech_folder, tmp_path, own):
    stored = load_supernet(hub_of_supernets / "supernets" / "plain", "tones")
    shutil.copytree(speech_folder, tmp_path / "data")
    for name in ("validation_list.txt", "testing_list.txt"):
        (tmp_path / "data" / name).unlink()
    with pytest.raises(InvalidData, match="has the classes cat, down, up, _silence_, but supernet plain knows"):
        load_like(tmp_path / "data", stored.labels, 1000, "supernet plain")


def _named(data):
    """What each clip is, by split, row and name of its class."""
    return {
        (name, row, data.labels[target])
        for name, split in data.splits.items()
        for row, target in zip(split.rows.tolist(), split.targets, strict=True)
    }


def test_classes_of_a_folder_come_in_the_order_of_the_model(speech_folder, tmp_path, own):
    shutil.copytree(speech_folder, tmp_path / "data")
    for name in ("validation_list.txt", "testing_list.txt"):
        (tmp_path / "data" / name).unlink()
    plain = load_like(tmp_path / "data", ("cat", "down", "up", SILENCE), 1000, "tests")
    wanted = ("up", SILENCE, "cat", "down")
    data = load_like(tmp_path / "data", wanted, 1000, "tests")
    assert (data.labels, data.silence_class, data.unknown_class) == (wanted, 1, None)
    assert _named(data) == _named(plain)
    assert data.digest == plain.digest


def test_nothing_published_fits_so_one_is_made(hub_of_supernets, own, monkeypatch):
    monkeypatch.setattr(searching, "EVALUATIONS", 200)
    wanted = {"task": "tones", "hub": hub_of_supernets, "max_weights": "6kB", "max_ram": "20kB", "bits": 4}
    with pytest.raises(UnknownName, match="the hub holds no models"):
        zoo.get(**wanted)
    model = zoo.get(**wanted, specialize=True)
    model.verify()
    assert model.path.parent.parent == own
    assert (model.entry.bits, model.entry.basis, model.entry.test) == (4, "predicted", None)
    assert model.entry.weight_bytes <= 6000
    assert model.entry.ram_bytes <= 20_000
    assert "predicted for validation, not measured" in str(model)
    card = (model.path / "README.md").read_text()
    assert "validation, predicted, not measured" in card
    assert "model-index" not in card
    config = json.loads((model.path / "config.json").read_text())
    low, high = config["accuracy"]["validation"]["interval"]
    assert low <= model.entry.validation <= high
    assert config["training"]["search"]["wish"]["limits"] == {"max_weights": 6000.0, "max_ram": 20_000.0}
    assert model({"array": np.zeros(16_000, np.float32), "sampling_rate": 16_000})[0]["label"] in model.labels
    assert (model.path / "costs.json").is_file()
    found = zoo.find("tones", hub=own)
    assert [entry.name for entry in found] == [model.name]
    assert zoo.rebuild(own).entries == tuple(found)


def test_the_same_wish_gives_the_same_model_and_finds_it_the_next_time(hub_of_supernets, own, monkeypatch):
    limits = {"max_macs": 0.3e6}
    first = specialize("tones", limits, hub=hub_of_supernets, own=own, evaluations=200, progress=False)
    files = {path.name: path.read_bytes() for path in (own / "models" / first.name).iterdir()}
    again = specialize("tones", limits, hub=hub_of_supernets, own=own, evaluations=200, progress=False)
    assert again == first
    assert files == {path.name: path.read_bytes() for path in (own / "models" / first.name).iterdir()}
    monkeypatch.setattr(specializing, "search_hub", lambda *_, **__: pytest.fail("searched again"))
    assert zoo.get(task="tones", hub=hub_of_supernets, max_macs="0.3M", specialize=True).name == first.name


def test_another_wish_is_searched_for_though_an_own_model_would_do(hub_of_supernets, own, monkeypatch):
    monkeypatch.setattr(searching, "EVALUATIONS", 200)
    wish = {"task": "tones", "hub": hub_of_supernets, "specialize": True}
    small, large = (zoo.get(**wish, max_macs=limit, bits=8) for limit in ("0.2M", "0.9M"))
    assert large.entry.validation > small.entry.validation - 0.002  # 200 are few
    made = json.loads((large.path / "config.json").read_text())["training"]["search"]["wish"]
    assert made["limits"] == {"max_macs": 0.9e6}


def test_what_is_only_predicted_comes_after_what_was_measured_and_keeps_no_least_accuracy(hub_of_supernets, own):
    entry = specialize("tones", {}, hub=hub_of_supernets, own=own, evaluations=100, progress=False)
    measured = dataclasses.replace(
        entry, name="measured", validation=entry.validation - 0.1, basis="measured", test=0.1
    )
    index = Index.of([entry, measured])
    assert [index.entry(row).name for row in choose(index, "tones", [])] == ["measured", entry.name]
    with pytest.raises(NoModelFits, match="min_accuracy binds"):
        zoo.find("tones", hub=own, min_accuracy=0.01)


def test_with_data_it_is_fine_tuned_and_measured(hub_of_supernets, speech_folder, own, monkeypatch):
    short = dataclasses.replace(SPECIALIZE, calibration_clips=22, quant_epochs=1, quant_steps=0)
    monkeypatch.setattr(specializing, "SPECIALIZE", short)
    wish = {"bits": 3, "hub": hub_of_supernets, "own": own, "evaluations": 200, "progress": False}
    entry = specialize("tones", {"max_macs": 0.3e6}, **wish, data=speech_folder, epochs=1)
    assert (entry.bits, entry.basis) == (3, "measured")
    assert 0 <= entry.test <= 1
    config = json.loads((own / "models" / entry.name / "config.json").read_text())
    assert "Fine-tuned for 1 epochs in float and 1 at its bits" in " ".join(config["training"]["summary"])
    assert "basis" not in config["accuracy"]["validation"]
    note = "Fine-tuned on 18 clips of Speech Commands, and measured on others of it."  # of 2 words, 9 speakers
    assert config["notes"] == ["Knows tones.", note]
    with pytest.raises(NoModelFits, match="on validation; loosen a limit"):
        specialize("tones", {"max_macs": 0.3e6}, **wish, data=speech_folder, epochs=1, min_accuracy=0.999)
    assert [one.name for one in zoo.find("tones", hub=own)] == [entry.name]


def test_a_fine_tune_that_validation_does_not_bear_out_is_left_out(hub_of_supernets, speech_folder, own, monkeypatch):
    """At a rate that spoils the network."""
    short = dataclasses.replace(SPECIALIZE, calibration_clips=22, quant_epochs=1, quant_steps=0, tune_rate=100.0)
    monkeypatch.setattr(specializing, "SPECIALIZE", short)
    wish = {"bits": 8, "hub": hub_of_supernets, "evaluations": 200, "progress": False, "data": speech_folder}
    spoiled = specialize("tones", {"max_macs": 0.3e6}, **wish, own=own, epochs=2)
    plain = specialize("tones", {"max_macs": 0.3e6}, **wish, own=own.parent / "plain", epochs=0)
    assert (spoiled.name, spoiled.validation) == (plain.name, plain.validation)
    config = json.loads((own / "models" / spoiled.name / "config.json").read_text())
    assert "Extracted without fine-tuning" in " ".join(config["training"]["summary"])
    assert "tuning" not in config["training"]
    assert config["notes"] == ["Knows tones.", "Measured on Speech Commands."]


def test_few_clips_are_tuned_for_steps_and_one_more_is_another_fine_tune(
    hub_of_supernets, speech_folder, own, short, tmp_path, monkeypatch
):
    """In batches of 8, where the supernet's would hold all clips at once."""
    steps = dataclasses.replace(specializing.SPECIALIZE, tune_steps=9, quant_steps=5)
    monkeypatch.setattr(specializing, "SPECIALIZE", steps)
    labels = load_supernet(hub_of_supernets / "supernets" / "plain", "tones").labels
    epochs = counted(monkeypatch, supernet.train.loop, "_train_epoch")
    words = shutil.copytree(speech_folder, tmp_path / "words")
    wish = {"hub": hub_of_supernets, "own": own, "bits": 8, "evaluations": 200, "progress": False}
    for number in (1, 2):
        data = load_like(words, labels, 1000, "tests")
        an_epoch = len(data.epoch(np.random.default_rng(0))) // 8
        wanted = [max(1, -(-least // an_epoch)) for least in (9, 5)]
        entry = specialize("tones", {"max_macs": 0.3e6}, **wish, data=words)
        assert len(epochs) == number * sum(wanted)
        config = json.loads((own / "models" / entry.name / "config.json").read_text())["training"]
        assert (config["tuning"]["epochs"], config["quantisation"]["epochs"]) == tuple(wanted)
        assert config["tuning"]["batch"] == config["quantisation"]["batch"] == 8
        assert config["tuning"]["learning_rate"] == pytest.approx(SPECIALIZE.tune_rate * (8 / 128) ** 0.5)
        assert Known.of(config).split_of(data.audio[data.splits["test"].rows[0]], 16_000) == "test"
        assert specialize("tones", {"max_macs": 0.3e6}, **wish, data=words) == entry  # made before
        shutil.rmtree(own)
        soundfile.write(words / "up" / "000000aa_nohash_0.wav", tone(300, seed=99), 16_000)


def test_a_prediction_is_not_taken_where_data_were_given(hub_of_supernets, own, tmp_path):
    specialize("tones", {"max_macs": 0.3e6}, hub=hub_of_supernets, own=own, evaluations=100, progress=False)
    with pytest.raises(InvalidData, match="nowhere"):
        specialize("tones", {"max_macs": 0.3e6}, hub=hub_of_supernets, own=own, evaluations=100, data="nowhere",
                   progress=False)  # fmt: skip


def test_a_family_that_no_supernet_has_makes_nothing(hub_of_supernets, own):
    with pytest.raises(UnknownName, match="no supernet for tones of family 'resnet'"):
        zoo.get(task="tones", hub=hub_of_supernets, family="resnet", specialize=True)
    with pytest.raises(InvalidQuery, match="give a folder here"):
        specialize("tones", {}, hub=hub_of_supernets, own="hf://me/hub")
    (own.parent / "file").write_text("")
    with pytest.raises(InvalidQuery, match="not a folder that can be written"):
        specialize("tones", {}, hub=hub_of_supernets, own=own.parent / "file")
    assert not (own / "models").exists()


def test_an_altered_supernet_is_left_out_where_there_are_others(hub_of_supernets, tmp_path, caplog):
    hub = tmp_path / "hub"
    shutil.copytree(hub_of_supernets, hub)
    table = hub / "supernets" / "bits" / "accuracy.csv"
    table.write_text(table.read_text() + "\n")
    found = search_hub("tones", {}, hub=hub, **QUICK)
    assert [finding.searched.name for finding in found.all] == ["plain"]
    assert "left out" in caplog.text


def test_an_accuracy_that_no_network_is_predicted_to_have_makes_nothing(hub_of_supernets, own):
    with pytest.raises(
        NoModelFits, match=r"no model has min_accuracy = 99\.90% within the limits.*predicted; loosen a limit"
    ) as caught:
        specialize("tones", {}, min_accuracy=0.999, hub=hub_of_supernets, own=own, evaluations=100, progress=False)
    assert caught.value.constraint == "min_accuracy"
    assert not (own / "models").exists()


def test_data_without_specialize_are_refused():
    with pytest.raises(InvalidQuery, match="only specialize needs data"):
        zoo.get(task="kws", data="x")


def test_limits_are_read_in_any_unit():
    found = limits_of({"max_ops": "20e6", "max_ram": "64kB", "max_flash": "16KiB", "max_latency_ms": "0.02s",
                       "max_energy_uj": "1.5mJ", "max_params": None})  # fmt: skip
    assert found == {
        "max_ops": 20e6,
        "max_ram": 64_000,
        "max_flash": 16_384,
        "max_latency_ms": 20,
        "max_energy_uj": 1500,
    }
    with pytest.raises(InvalidQuery, match="max_latency_ms = 20kB is not possible"):
        limits_of({"max_latency_ms": "20kB"})


def command(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_prints_the_answer_and_keeps_the_front(hub_of_supernets, own, tmp_path, capsys):
    hub = ["--task", "tones", "--hub", str(hub_of_supernets), "--evaluations", "200"]
    status, out, _ = command(capsys, "search", *hub, "--max-macs", "0.4M", "--device", "stm32f746-tflm-cmsis-nn")
    assert status == 0
    assert "MACs" in out
    assert " on STM32F746, TFLM + CMSIS-NN: indicative" in out
    assert "predicted (" in out
    assert "--specialize makes a model of it" in out
    files = ["--csv", "front.csv", "--plot", "front.svg"]
    status, out, _ = command(capsys, "search", *hub, "--front", "flash", "ram", *files)
    front = pd.read_csv("front.csv")
    assert status == 0
    assert len(out.splitlines()) == min(len(front), 20) + 1
    assert {"supernet", "predicted", "bits", "flash_bytes", "stem"} <= set(front)
    assert "<svg" in (tmp_path / "front.svg").read_text()
    status, out, _ = command(capsys, "search", *hub, "--format", "json", "--bits", "4")
    found = json.loads(out)
    assert found["arch"]["family"] == "temporal"
    assert found["validation"] is None
    assert found["predicted_interval"][0] <= found["predicted"] <= found["predicted_interval"][1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("evaluations", 2.5), ("evaluations", True), ("evaluations", "9"), ("epochs", 1.5), ("epochs", -1)],
)
def test_numbers_of_a_search_are_whole(tmp_path, name, value):
    with pytest.raises(InvalidQuery, match=f"{name} = .* is not possible: give a whole number"):
        specialize("kws", {}, own=tmp_path / "own", run_dir=tmp_path / "runs", **{name: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "value"), [("seed", True), ("seed", 1.5), ("seed", "1"), ("evaluations", 2.5)])
def test_seeds_and_evaluations_are_whole(name, value):
    with pytest.raises(InvalidQuery, match=f"{name} = .* is not possible: give a whole number"):
        search_hub("kws", {"macs": 3e6}, **{name: value})


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "which task"),
        (["--task", "kws", "--front", "macs", "ram", "flash"], "give one or two costs"),
        (["--task", "kws", "--front", "latency"], "needs a device"),
        (["--task", "kws", "--plot", "x.txt"], "give a name that ends with one of"),
        (["--task", "kws", "--csv", "no/where.csv"], "not a file in a folder that exists"),
        (["--task", "kws", "--plot", "folder.svg"], "not a file in a folder that exists"),
        (["--task", "kws", "--min-accuracy", "95%"], "--min-accuracy is of look-ups"),
        (["--task", "kws", "--front", "macs", "--data", "x"], "a front is of predictions"),
        (["--task", "kws", "--sure"], "--sure needs a device"),
        (["--task", "kws", "--seed", "-1"], "seed = -1 is not possible"),
        (["--task", "kws", "--bits", "9"], "bits = 9 is not possible"),
        (["--task", "kws", "--family", "lmu", "--bits", "4"], "the supernets for kws of family lmu have [8] bits"),
        (["--task", "kws", "--max-ram", "3 parsecs"], "max_ram = 3 parsecs is not possible"),
        (["--task", "kws", "--evaluations", "0"], "evaluations = 0 is not possible"),
        (["--task", "kws", "--max-latency-ms", "20"], "max_latency_ms needs a device"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(own, capsys, arguments, what):
    Path("folder.svg").mkdir()
    status, out, err = command(capsys, "search", *arguments)
    assert (status, out) == (2, "")
    assert what in err


def test_energy_that_nobody_measured_is_refused(hub_of_supernets, own, capsys):
    query = ["--task", "tones", "--hub", str(hub_of_supernets), "--device", "stm32h743-tflm", "--evaluations", "50"]
    for more, expected in ((["--max-energy-uj", "5000"], 1), (["--front", "energy"], 2)):
        status, out, err = command(capsys, "search", *query, *more)
        assert (status, out) == (expected, "")
        assert "nobody measured it on stm32h743-tflm" in err


def test_a_predictor_is_fitted_again_by_one_command(hub_of_supernets, speech_folder, own, tmp_path, capsys):
    folder = tmp_path / "mine"
    shutil.copytree(hub_of_supernets / "supernets" / "plain", folder)
    (folder / "accuracy.json").unlink()
    arguments = ["predictor", str(folder), "--data", str(speech_folder), "--count", "20"]
    status, out, _ = command(capsys, *arguments)
    assert status == 0
    assert "on 20 networks: Kendall" in out
    assert (folder / "accuracy.csv").read_bytes() == (hub_of_supernets / "supernets/plain/accuracy.csv").read_bytes()
    assert command(capsys, *arguments[:-1], "5")[0] == 2
    assert command(capsys, "predictor", str(tmp_path), "--data", "x")[0] == 2


def test_processes_share_the_measuring_out(hub_of_supernets, speech_folder, tmp_path):
    """The table is that of one process."""
    folder = tmp_path / "mine"
    shutil.copytree(hub_of_supernets / "supernets" / "plain", folder)
    arguments = ["-m", "zoo.cli", "predictor", str(folder), "--data", str(speech_folder), "--count", "21"]
    done = torchrun(2, *arguments, EARSHOT_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("on 21 networks") == 1
    table = (folder / "accuracy.csv").read_bytes()
    assert table.startswith((hub_of_supernets / "supernets" / "plain" / "accuracy.csv").read_bytes())
    assert len(table.splitlines()) == 22


def test_the_keywords_of_the_official_layout_are_found(speech_folder, hub_of_supernets, own):
    stored = load_supernet(hub_of_supernets / "supernets" / "plain", "tones")
    assert load_like(speech_folder, stored.labels, 1000, "supernet plain").labels[:2] == KEYWORDS


@pytest.fixture
def short(own, monkeypatch):
    """Few evaluations and short fine-tunes, in a folder that holds no more than the work of the commands."""
    monkeypatch.setattr(searching, "EVALUATIONS", 200)
    few = {"tune_epochs": 1, "tune_steps": 0, "quant_epochs": 1, "quant_steps": 0, "calibration_clips": 22}
    monkeypatch.setattr(specializing, "SPECIALIZE", dataclasses.replace(SPECIALIZE, **few))
    monkeypatch.setattr(renew, "device_figures", lambda archs, task: [{} for _ in archs])
    (own.parent / "work").mkdir()
    monkeypatch.chdir(own.parent / "work")


@pytest.mark.parametrize(
    ("how", "goes_on", "data"),
    [("full", "same", False), ("killed", "same", True), ("full", "advised", True), ("killed", "advised", False)],
)
def test_a_model_that_the_own_hub_does_not_get_is_kept(
    hub_of_supernets, speech_folder, own, short, monkeypatch, capsys, how, goes_on, data
):
    arguments = ["get", "--task", "tones", "--hub", str(hub_of_supernets), "--max-macs", "0.3M", "--bits", "8"]
    arguments += ["--specialize", *(["--data", str(speech_folder)] if data else [])]
    assert fails(monkeypatch, how, arguments, change, "write_index") == (1 if how == "full" else None)
    message = capsys.readouterr().err.strip().splitlines()[-1]
    [package] = Path("runs/specialized/packages").iterdir()
    publishing = f"earshot publish {package} --hub {own}"
    if how == "full":
        assert message == (
            f"earshot: hub {own}: cannot be written ({own}/index.json: No space left on device); give another folder; "
            f"what was made is in {package}: {AGAIN}, or `{publishing}`"
        )
    searches = counted(monkeypatch, specializing, "search_hub")
    epochs = counted(monkeypatch, supernet.train.loop, "_train_epoch")
    assert main(arguments if goes_on == "same" else advised(f"`{publishing}`")) == 0
    assert (searches, epochs) == ([], [])
    after = files(own)
    shutil.rmtree(own)
    shutil.rmtree("runs", ignore_errors=True)
    assert main(arguments) == 0
    assert len(searches) == 1
    assert files(own) == after
    assert not list(Path().glob("runs/specialized/packages"))
    assert data or not Path("runs").exists()


def test_a_search_that_was_stopped_before_the_fine_tune_goes_on(
    hub_of_supernets, speech_folder, own, short, monkeypatch
):
    wish = {"hub": hub_of_supernets, "own": own, "data": speech_folder, "epochs": 1, "progress": False}

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(specializing, "_tuned", stopped)
        with pytest.raises(KeyboardInterrupt, match="what was made is in runs/specialized"):
            specialize("tones", {"max_macs": 0.3e6}, **wish)
    measured = counted(monkeypatch, search.sampling, "accuracy")
    assert specialize("tones", {"max_macs": 0.3e6}, **wish).basis == "measured"
    assert measured == []


def test_one_network_for_several_wishes_is_one_model(hub_of_supernets, own, short, monkeypatch, caplog):
    """The limits are such that all networks keep them."""
    wish = {"hub": hub_of_supernets, "own": own, "bits": 8, "progress": False}
    with caplog.at_level("INFO"):
        found = [specialize("tones", {"max_macs": limit}, **wish) for limit in (50e6, 60e6)]
    assert found[0].name == found[1].name
    assert f"{found[0].name}: the search found the same network for other limits before" in caplog.text
    monkeypatch.setattr(specializing, "search_hub", lambda *_, **__: pytest.fail("searched again"))
    assert [specialize("tones", {"max_macs": limit}, **wish) for limit in (50e6, 60e6)] == [found[1]] * 2


def test_a_package_that_was_altered_is_made_again(hub_of_supernets, own, short, monkeypatch):
    wish = {"hub": hub_of_supernets, "own": own, "progress": False}
    monkeypatch.setattr(specializing, "take_away", lambda *_, **__: None)
    entry = specialize("tones", {"max_macs": 0.3e6}, **wish)
    shutil.rmtree(own)
    with Path("runs/specialized/packages", entry.name, "README.md").open("a") as file:
        file.write("altered")
    assert specialize("tones", {"max_macs": 0.3e6}, **wish) == entry


def test_where_no_run_can_be_kept_the_package_lies_in_the_hub_until_it_is_listed(hub_of_supernets, own, short):
    Path("runs").touch()
    entry = specialize("tones", {"max_macs": 0.3e6}, hub=hub_of_supernets, own=own, progress=False)
    assert [path.name for path in (own / "models").iterdir()] == [entry.name]
    assert not (own / "runs").exists()
    with pytest.raises(InvalidQuery, match="run_dir runs/specialized: not a folder that can be written"):
        specialize("tones", {"max_macs": 0.3e6}, hub=hub_of_supernets, own=own, data="x")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("place", [None, "state"])
def test_a_search_whose_files_cannot_be_written_is_kept(
    hub_of_supernets, speech_folder, own, short, tmp_path, monkeypatch, capsys, how, place
):
    arguments = ["search", "--task", "tones", "--hub", str(hub_of_supernets), "--max-macs", "0.4M", "--csv", "all.csv"]
    arguments += ["--data", str(speech_folder), *(["--run-dir", place] if place else [])]
    assert fails(monkeypatch, how, arguments, cli_search, "write_output") == (1 if how == "full" else None)
    run = place or next(Path("runs").iterdir())
    if how == "full":
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message == f"earshot: all.csv: No space left on device; what was made is in {run}: {AGAIN}"
    measured, predicted = (counted(monkeypatch, *part) for part in MEASURING)
    capsys.readouterr()
    assert main(arguments) == 0
    assert measured == []
    assert max(len(genes) for _, _, genes in predicted) == 1  # the best alone, for the report
    said, table = capsys.readouterr().out, Path("all.csv").read_bytes()
    assert Path("state").exists() == bool(place)
    assert not Path("runs").exists()
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 0
    assert (capsys.readouterr().out, Path("all.csv").read_bytes()) == (said, table)


MEASURING = (search.sampling, "accuracy"), (searching.Searchable, "predict")


def test_other_data_are_measured_anew_in_the_folder_of_a_search(hub_of_supernets, speech_data, tmp_path, monkeypatch):
    wish = {"hub": hub_of_supernets, "supernet": "plain", "run_dir": tmp_path, **QUICK}
    measured = counted(monkeypatch, search.sampling, "accuracy")
    for data, count in ((speech_data, 8), (speech_data, 8), (dataclasses.replace(speech_data, digest="other"), 16)):
        search_hub("tones", {}, data=data, **wish)
        assert len(measured) == count


def test_limits_that_no_network_keeps_are_told_before_data_are_loaded(hub_of_supernets, monkeypatch):
    monkeypatch.setattr(searching, "load_like", lambda *_: pytest.fail("loaded"))
    with pytest.raises(InfeasibleBudget, match="no network in bits meets max_macs = 1,000"):
        search_hub("tones", {"max_macs": 1000.0}, hub=hub_of_supernets, data="data", **QUICK)


@pytest.mark.parametrize("how", HOWS)
def test_a_predictor_that_cannot_be_written_is_not_measured_again(
    hub_of_supernets, speech_folder, own, short, monkeypatch, capsys, how
):
    monkeypatch.setattr("search.accuracy.KINDS", ("boosting",))
    shutil.copytree(hub_of_supernets / "supernets" / "plain", "mine")
    Path("mine/accuracy.json").unlink()
    shutil.copytree("mine", "../other")
    arguments = ["predictor", "mine", "--data", str(speech_folder), "--count", "20"]
    status = fails(monkeypatch, how, arguments, search.accuracy, "write_json")
    assert status == (1 if how == "full" else None)
    if how == "full":
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message == (
            f"earshot: mine/accuracy.json: No space left on device; what was made is in mine-accuracies: {AGAIN}"
        )
    measured = counted(monkeypatch, search.sampling, "accuracy")
    assert main(arguments) == 0
    assert measured == []
    assert main(["predictor", "../other", *arguments[2:]]) == 0
    assert len(measured) == 20
    assert files("mine") == files("../other")


def test_a_supernet_that_cannot_be_written_gets_no_predictor(own, short, monkeypatch, capsys):
    """Nothing is measured for it."""
    shutil.copytree(BUNDLED / "supernets" / "kws-temporal", "mine")
    Path("file").touch()
    with monkeypatch.context() as patch:
        patch.setattr("zoo.keeping.os.access", lambda place, mode: False)
        assert main(["predictor", "mine", "--data", "x"]) == 2
    assert "supernet mine: not a folder that can be written" in capsys.readouterr().err
    for command in (["predictor", "mine", "--data", "x"], ["search", "--task", "kws"]):
        assert main([*command, "--run-dir", "file/run"]) == 2
        assert "--run-dir file/run: not a folder that can be written" in capsys.readouterr().err


@pytest.fixture
def hub_of_squares(speech_data, square_space, tmp_path):
    """A supernet of family mbconv whose networks read log-mels, and one whose maps differ in height, on MFCC."""
    hub = tmp_path / "squares"
    info = {"licence": "cc-by-4.0", "attribution": "made by the tests"}
    spaces = {
        "squares": square_space,
        "uneven": dataclasses.replace(square_space, feature_kind="mfcc", coefficients=(10, 20)),
    }
    for name, space in spaces.items():
        frontend = fit_frontend(speech_data, 1, front_end(space.feature_kind))
        supernet = Supernet(space, calibration_features(speech_data, frontend, 22)).eval()
        folder = save_supernet(
            hub / "supernets" / name, supernet, frontend, "tones", speech_data.labels, {"name": name, **info}
        )
        fit_predictor(folder, supernet, frontend, speech_data, tmp_path / f"runs-{name}", 20, progress=False)
    write_index(hub / "index.json", [])
    return hub


def test_networks_that_look_ahead_are_searched_and_specialised_by_the_same_code(hub_of_squares, own):
    entry = specialize("tones", {"max_ram": 40e3}, hub=hub_of_squares, own=own, evaluations=200, progress=False)
    assert (entry.family, entry.streamable) == ("mbconv", False)
    assert entry.ram_bytes <= 40e3
    model = zoo.get("tones", hub=own, max_ram="40kB", streaming=False)
    model.verify()
    assert model(np.zeros(16_000, np.float32), 16_000)[0]["label"] in model.labels
    assert "answers on whole clips only" in (model.path / "README.md").read_text()
    with pytest.raises(NoModelFits, match="streaming binds"):
        zoo.get("tones", hub=own, streaming=True)


def test_every_supernet_is_searched_by_gradients_and_a_search_that_was_killed_goes_on(
    hub_of_squares, speech_data, few_steps, tmp_path, monkeypatch
):
    """Also one whose maps differ in height; on clips as on the calibration features."""
    wish = {"hub": hub_of_squares, "strategy": "differentiable", "evaluations": 40, "progress": False}
    found = search_hub("tones", {"max_ram": 40e3}, **wish, run_dir=tmp_path / "run")
    assert [item.searched.name for item in found.all] == ["squares", "uneven"]
    assert all((item.result.costs["ram_bytes"] <= 40e3).all() for item in found.all)
    assert found.best.arch in found.best.searched.supernet.space
    with monkeypatch.context() as patch:
        patch.setattr(searching, "supernet_losses", lambda *_: lambda *_: pytest.fail("ran again"))
        again = search_hub("tones", {"max_ram": 40e3}, **wish, run_dir=tmp_path / "run")
    assert again.best.arch == found.best.arch
    with_clips = search_hub("tones", {"max_ram": 40e3}, **wish, supernet="uneven", data=speech_data)
    assert with_clips.best.measured is not None
