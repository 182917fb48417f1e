"""The recipe of the hub on a tiny data set: from clips to an answer, killed on the way and run again."""

import importlib.util
import runpy
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import soundfile
import torch
from conftest import KEYWORDS, RATE, tone

import zoo
from search.accuracy import load_predictor
from search.sampling import table_space
from supernet.bits import MIXED, with_bits
from supernet.data import esc50, speech_commands
from supernet.data.scenes import Scenes
from supernet.errors import InvalidQuery
from supernet.families.blocks import StageChoices
from supernet.frontend.logmel import LogMel
from supernet.nn.frontend import dequantise_features
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_supernet
from supernet.quant.elastic import ElasticBitsRecipe, load_elastic_bits
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import default_space
from supernet.train.loop import weights_digest
from supernet.train.recipe import Recipe, SupernetRecipe, augmentation_from_dict
from zoo.make import candidates, pipeline, renew
from zoo.make.recipe import HUB

SCRIPT = Path(__file__).parent.parent / "scripts" / "make_hub.py"


@pytest.fixture
def recipe(speech_folder, small_space, map_space, tmp_path, monkeypatch):
    """The script as a module, with short recipes and small spaces."""
    spec = importlib.util.spec_from_file_location("make_hub", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "make_hub", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(speech_commands, "CACHE", tmp_path / "cache")
    monkeypatch.setitem(speech_commands.WORDS, "tones", KEYWORDS)
    monkeypatch.setitem(module.NOTES, "tones", "Knows two tones.")
    short = SupernetRecipe(epochs=2, batch=8, unknown=2)
    spaces = {"mfcc": small_space, "logmel": replace(map_space, clip_ms=1000, coefficients=(40,))}
    budgets = {"mfcc": {"0.2M": 1}, "logmel": {"0.5M": 1}}
    bits = {"mfcc": ElasticBitsRecipe(epochs=1, batch=8), "logmel": None}
    making = replace(HUB, samples=20, quant_epochs=1, width_epochs=1, calibration_clips=22, evaluations=40, finalists=2)
    plans = {
        f"tones-{kind}": module.Plan(
            "tones", "temporal", kind, short, budgets[kind], making, bits[kind],
            few_bits=(2, MIXED), stored=64,
        )
        for kind in spaces
    }  # fmt: skip
    monkeypatch.setattr(module, "PLANS", plans)
    monkeypatch.setattr(renew, "device_figures", lambda archs, task: [{} for _ in archs])
    monkeypatch.setattr("search.accuracy.KINDS", ("boosting",))
    monkeypatch.setattr(pipeline, "Recipe", lambda **recipe: Recipe(**{**recipe, "epochs": 1, "batch": 8}))
    monkeypatch.setattr(module, "default_space", lambda family, classes, clip_ms, features: spaces[features])
    arguments = ["make_hub.py", str(speech_folder)]
    arguments += ["--hub", str(tmp_path / "hub"), "--runs", str(tmp_path / "runs"), "--threads", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    return module


def test_the_recipe_makes_a_hub_that_answers_and_goes_on_after_a_kill(
    recipe, speech_folder, tmp_path, monkeypatch, capsys
):
    real = candidates.publish

    def dies(*arguments, **options):
        monkeypatch.setattr(candidates, "publish", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(candidates, "publish", dies)
    with pytest.raises(KeyboardInterrupt):
        recipe.main()
    recipe.main()
    first = {path.name: path.read_bytes() for path in (tmp_path / "hub").rglob("*.safetensors")}
    assert [entry.bits for entry in zoo.find(task="tones", hub=tmp_path / "hub", max_macs="0.2M")].count(4) == 1
    supernets = tmp_path / "hub" / "supernets"
    assert sorted(path.name for path in supernets.iterdir()) == ["tones-logmel", "tones-mfcc", "tones-mfcc-bits"]
    for name in ("tones-logmel", "tones-mfcc"):  # whose searches were done before the kill
        load_predictor(supernets / name, table_space(load_supernet(supernets / name, "tones").supernet))
    elastic, stored = load_elastic_bits(supernets / "tones-mfcc-bits", "tones")
    assert elastic.extract(with_bits(stored.supernet.space.smallest(), 2)).to_integer()
    model = zoo.get(task="tones", bits=8, hub=tmp_path / "hub")
    model.verify()
    assert model.labels == (*KEYWORDS, "_unknown_", "_silence_")
    assert model(next((speech_folder / "up").glob("*.wav")))[0]["label"] in model.labels
    recipe.main()
    assert {path.name: path.read_bytes() for path in (tmp_path / "hub").rglob("*.safetensors")} == first
    told = [line for line in capsys.readouterr().err.splitlines() if "% validation" in line]
    entries = zoo.find(task="tones", hub=tmp_path / "hub")
    assert len(told) == 3 * len(entries)  # the run that died, too
    for entry in entries:
        rivals = [other for other in entries if other.weight_bytes < entry.weight_bytes]
        assert entry.bits in (8, 4) or all(other.validation < entry.validation for other in rivals)


def test_a_supernet_over_samples_becomes_models(recipe, speech_folder, tmp_path, monkeypatch):
    """Family `sinc`, trained in scenes, by the same steps: search, fine-tunes, learned widths, elastic bits."""
    dry = Scenes(rooms=0, speeds=(1.0,), warps=(1.0,), band_share=0.0)
    whole, stages = default_space("sinc", len(KEYWORDS) + 2), (StageChoices((16,), (1,), (3,), (1, 2)),)
    shapes = replace(whole.shapes, stems=(16,), stages=stages, heads=(16, 32), filters=(8, 16), taps=(64, 128))
    monkeypatch.setattr(
        recipe, "default_space", lambda family, classes, clip_ms, features: replace(whole, shapes=shapes)
    )
    plan = recipe.PLANS["tones-mfcc"]
    short, bits = (replace(one, augmentation=dry) for one in (plan.recipe, plan.bits))
    making = replace(plan.making, bits=(8,), calibration_clips=8)
    own = replace(plan, family="sinc", features="raw", recipe=replace(short, epochs=1), making=making, bits=bits)
    own = replace(own, budgets={"1M": 1}, few_bits=(MIXED,), stored=8)
    monkeypatch.setattr(recipe, "PLANS", {"tones-sinc": own})
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--budgets", "1M", "--supernets", "tones-sinc"])
    recipe.main()
    model = zoo.get(task="tones", bits=8, hub=tmp_path / "hub")
    model.verify()
    assert (model.arch.family, model.entry.frontend_macs) == ("sinc", 0)
    recording = next((speech_folder / "up").glob("*.wav"))
    assert model(recording)[0]["label"] in model.labels
    assert len(list(model.stream([soundfile.read(recording, dtype="int16")[0]]))) == 1
    elastic, stored = load_elastic_bits(tmp_path / "hub" / "supernets" / "tones-sinc-bits", "tones")
    assert elastic.extract(with_bits(stored.supernet.space.smallest(), 2)).to_integer()
    assert augmentation_from_dict(stored.recipe["augmentation"]) == dry


def test_words_are_heard_with_what_lies_beside_them_and_training_goes_on_from_another_hub(
    recipe, speech_folder, tmp_path, monkeypatch, capsys
):
    """Owners of all that is heard are named, and what is not there is told; the plan says how training goes on."""
    data = tmp_path / "data"
    shutil.copytree(speech_folder, data / "speech_commands")
    alone = recipe.word_task(data / "speech_commands", "tones").load()
    assert f"scenes without {data}/negatives/orders and {data}/rooms" in capsys.readouterr().err
    assert not any(owner in alone.attribution for owner in recipe.OWNERS.values())
    for folder in ("negatives/orders", "rooms", "spoken/up"):
        (data / folder).mkdir(parents=True)
        for seed, name in enumerate("abc"):
            soundfile.write(data / folder / f"{name}.wav", tone(440, 1.0, seed=seed), RATE)
    task = recipe.word_task(data / "speech_commands", "tones", data / "spoken")
    heard = task.load()
    assert all(owner in heard.attribution for owner in recipe.OWNERS.values())
    assert recipe.SPOKEN_NOTE in task.notes
    plan = replace(recipe.PLANS["tones-mfcc"], stored=8)
    further = replace(plan, further=replace(plan.recipe, epochs=1, learning_rate=1e-4))
    first = recipe.train("tones-mfcc", plan, task, heard, tmp_path / "runs1", tmp_path / "hub1")
    went_on = recipe.train("tones-mfcc", further, task, heard, tmp_path / "runs2", tmp_path / "hub2", tmp_path / "hub1")
    assert (went_on.recipe.epochs, went_on.recipe.learning_rate) == (1, 1e-4)
    assert went_on.info["origin"].endswith("They began from the weights of a supernet of the same name.")
    anew = recipe.train("tones-mfcc", plan, task, heard, tmp_path / "runs3", tmp_path / "hub3", tmp_path / "hub1")
    assert weights_digest(anew.supernet) == weights_digest(first.supernet) != weights_digest(went_on.supernet)


def test_events_are_cross_validated_and_then_trained_on_all_folds(recipe, map_space, tmp_path, monkeypatch):
    """With one network, whatever it was trained on, the figures are those of all clips."""
    folder, hub, trained_on = tmp_path / "esc", tmp_path / "events-hub", []
    write_events(folder, (1, 2))
    monkeypatch.setattr(esc50, "CACHE", tmp_path / "cache")
    features = dequantise_features(torch.randint(-100, 100, (8, 40, 500), generator=torch.Generator().manual_seed(0)))
    arch = replace(map_space, clip_ms=5000, coefficients=(40,), classes=2).smallest()
    network = FakeQuantNetwork(recalibrate(Network(arch, seed=2), features), with_bits(arch, 8)).calibrate(features)

    def train(name, plan, task, data, runs, hub, start=None):
        trained_on.append({data.audio[row].tobytes() for row in data.splits["train"].rows})
        info = {"notes": task.notes, "limits": task.limits, "dataset": task.dataset}
        return pipeline.Build(name, task.name, None, None, data, LogMel(), runs / name, hub, info, give_clips=False)

    def make_candidates(own, budgets, bits):
        accuracy = {"validation": pipeline.measured(own, network.to_integer(), "validation")}
        training = {"supernet": own.name, "search": {"max_macs": 1e6}, "summary": ["Made by a test."]}
        return [candidates.Candidate(own, tuple(budgets), 8, network.to_integer(), accuracy, training)]

    plan = recipe.Plan(recipe.EVENTS, "temporal", "logmel", SupernetRecipe(), {"1M": 1}, HUB)
    for name, value in {"PLANS": {"events": plan}, "train": train, "make_candidates": make_candidates}.items():
        monkeypatch.setattr(recipe, name, value)
    arguments = ["make_hub.py", "--esc50", str(folder), "--folds", "1", "2", "--supernets", "events"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--only", "models", "--hub", str(hub), "--runs", str(tmp_path)])
    recipe.main()
    [entry] = zoo.find(task="aec", hub=hub)
    values = zoo.info(entry.name, hub=hub).config.values
    assert not trained_on[0] & trained_on[1]
    assert [len(own) for own in trained_on] == [10, 10, 22]  # a tenth validates
    model, stated = zoo.get(name=entry.name, hub=hub), values["accuracy"]["test"]
    heard = model.evaluate(folder, progress=False, conditions=["fainter-30", "room"])
    assert stated["confusion"] == heard.matrix.tolist()
    assert (stated["accuracy"], stated["clips"]) == (round(heard.accuracy, 6), 24)
    assert stated["conditions"]["fainter-30"]["accuracy"] == round(heard.conditions[1].accuracy, 6)
    assert "By cross-validation over folds 1, 2" in (hub / "models" / entry.name / "README.md").read_text()
    assert model.folds == tuple(values["dataset"]["folds"]) == (1, 2)
    with pytest.raises(InvalidQuery, match="was trained on all of folds 1, 2; name another fold"):
        model.evaluate(folder, split="test")
    note = "clips of training are among them: name a fold that it was not trained on"
    assert note in str(model.evaluate(folder, split="fold1", progress=False))


def test_events_that_stream_are_tested_on_what_training_never_heard(recipe, tmp_path, monkeypatch):
    """In clips of whole strides."""
    folder = tmp_path / "esc"
    write_events(folder, (1, 2, 3, 4))
    monkeypatch.setattr(esc50, "CACHE", tmp_path / "cache")
    task = recipe.event_tasks(folder)[recipe.EVENTS + recipe.IN_A_STREAM]
    data = task.load(test_fold=4)
    parts = [{data.audio[row].tobytes() for row in data.splits[name].rows} for name in ("train", "validation", "test")]
    assert (task.name, task.folds, list(map(len, parts))) == ("aec", (1, 2, 3, 4), [32, 4, 12])
    assert not parts[2] & (parts[0] | parts[1])
    assert data.audio.shape[1] == 5.12 * RATE
    assert "a clip of 5.12 seconds" in task.limits[0]
    silence = bytes(2 * (data.audio.shape[1] - 5 * RATE))
    heard = {soundfile.read(path, dtype="int16")[0].tobytes() + silence for path in folder.glob("audio/4-*.wav")}
    assert parts[2] == heard


def write_events(folder: Path, folds: tuple[int, ...]) -> None:
    """ESC-50 of two classes, six clips of each in a fold."""
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in folds:
        for target, label in enumerate(("dog", "rain")):
            for take in range(6):
                name = f"{fold}-{10 * fold + take}-A-{target}"
                samples = tone(300 * 2**target, 5.0, seed=10 * fold + take)
                soundfile.write(folder / "audio" / f"{name}.wav", samples, RATE)
                lines.append(f"{name}.wav,{fold},{target},{label},True,{fold}{target}{take},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(lines))


def test_quantisation_is_compared_on_what_the_recipe_fine_tuned(recipe, speech_folder, tmp_path, monkeypatch):
    from studies import quantisation
    from studies import rows as results

    chosen = [quantisation.Experiment("small", "lsq", 4, 8, 0)]
    task = recipe.word_task(speech_folder, "tones")
    monkeypatch.setattr(quantisation, "make_hub", recipe)
    monkeypatch.setattr(recipe, "word_task", lambda *given: task)
    monkeypatch.setattr(results, "_commit", lambda: "0123456789")
    changed = {"SUPERNET": "tones-mfcc", "NETWORKS": {"small": "0.2M"}, "experiments": lambda: chosen}
    for name, value in changed.items():
        monkeypatch.setattr(quantisation, name, value)
    monkeypatch.setattr(quantisation.QuantRecipe, "at_bits", partial(quantisation.QuantRecipe.at_bits, batch=8))
    rows = results.Rows(tmp_path / "results")
    arguments = ["data", "--epochs", "1", "--runs", tmp_path / "runs"]
    quantisation.STUDY.start(arguments, folder=rows.folder)
    (measured,), (lost,) = (rows.read(name).itertuples() for name in ("quantisation", "quantisation_intervals"))
    assert (measured.epochs, measured.same) == (1, 100.0)
    assert lost.lost == pytest.approx(measured.float_test - measured.test, abs=0.02)
    written = (rows.folder / "quantisation.csv").read_text()
    quantisation.STUDY.start(arguments, folder=rows.folder)
    assert (rows.folder / "quantisation.csv").read_text() == written


def test_a_wrong_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, str(tmp_path / "missing"), "--threads", "1"])
    with pytest.raises(SystemExit, match=rf"^make_hub: {tmp_path / 'missing'}: no such folder; give .*$"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
