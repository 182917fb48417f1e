"""Wake words for ESPHome: from samples to detections by `pymicro-wakeword`, beside the package's own integers."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from named import smallest

import zoo
from studies.esphome_events import beside, counted, heard
from supernet.bits import with_bits
from supernet.errors import InvalidQuery
from supernet.extras import has
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.frontend.micro import Micro
from supernet.space import Space
from zoo.cli import main
from zoo.export.agreement import compared
from zoo.export.esphome.folder import OPERATORS, VARIABLES, _page, wake_word
from zoo.export.esphome.head import Head, fit, word_of
from zoo.export.esphome.rule import Rule
from zoo.export.esphome.run import runners
from zoo.export.tflite.emulate import Emulator
from zoo.export.tflite.file import to_bytes
from zoo.export.tflite.graph import Graph, Tensor
from zoo.export.tflite.run import Micro as MicroInterpreter
from zoo.export.tflite.run import stepped
from zoo.hubs.folder import BUNDLED
from zoo.make.package import write_package

pytestmark = pytest.mark.skipif(
    not has("tflite_micro"), reason="tflite-micro is not installed: pip install tflite-micro"
)
OTHER, CLIPS = smallest(4), Path(__file__).parent.parent / "zoo" / "clips"


def speech():
    """Some seconds of words, in a row."""
    return np.concatenate([soundfile.read(file, dtype="int16")[0] for file in sorted(CLIPS.glob("*.wav"))])


@pytest.fixture(scope="module")
def models(tmp_path_factory, package_info):
    """A small network of random weights, whose ranges are those of words, at 8 bits and at 4; and one of other
    features.
    """
    import torch

    from supernet.nn.frontend import torch_twin
    from supernet.nn.network import Network, recalibrate
    from supernet.quant.fake import FakeQuantNetwork

    maps = StageChoices((8,), (1,), (3,), (1,))
    stages = (maps, maps, StageChoices((16,), (2,), (5,), (2,)))
    space = Space("temporal", 4, 1000, (40,), (10,), BlockChoices((8,), stages, (16,)), "micro")
    words = speech()
    clips = np.stack([words[start : start + 16_000] for start in range(0, len(words) - 16_000, 8000)])
    features = torch_twin(Micro())(torch.from_numpy(clips.astype(np.float32) / 32768))
    network, found = recalibrate(Network(space.smallest(), 5), features), {}
    for bits in (8, 4):
        integers = FakeQuantNetwork(network, with_bits(network.arch, bits)).calibrate(features).to_integer()
        place = write_package(
            tmp_path_factory.mktemp("packages"), integers, Micro(), words[None, :16_000], package_info
        )
        found[bits] = zoo.Model.from_folder(place)
    return {**found, "other": zoo.Model.from_folder(BUNDLED / "models" / OTHER)}


def head_of(place):
    return Head.from_report(json.loads((place / "report.json").read_text()))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Words of two classes, a few of each."""
    folder = tmp_path_factory.mktemp("recordings")
    for number, file in enumerate(sorted(CLIPS.glob("*.wav"))):
        samples, rate = soundfile.read(file, dtype="int16")
        label = ("up", "down")[number % 2]
        for gain in (1, 2, 4):
            (folder / label).mkdir(exist_ok=True)
            soundfile.write(folder / label / f"{file.stem}{gain}.wav", samples // gain, rate)
    return folder


@pytest.fixture(scope="module")
def tuned(models, recordings, tmp_path_factory):
    """Exports of `up`, tuned."""
    place = tmp_path_factory.mktemp("tuned")
    return {
        bits: models[bits].export("esphome", place / f"up{bits}", word="up", tune=str(recordings)) for bits in (8, 4)
    }


def clear_cutoff(sums, window):
    """The cutoff that is furthest from all sums and has some above it, so that a step of an output decides nothing."""
    margins = {
        level: np.abs(sums - level * window - 0.5).min() for level in range(sums.min() // window, sums.max() // window)
    }
    return (max(margins, key=margins.get) + 0.5) / 255


@pytest.mark.skipif(not has("pymicro_wakeword"), reason="pymicro-wakeword is not installed")
@pytest.mark.parametrize("bits", [8, 4])
def test_from_samples_on_speech_it_wakes_where_the_package_does_by_the_same_rule(models, bits, tmp_path):
    model, samples = models[bits], speech()
    place = model.export("esphome", tmp_path / "up", word="up")
    head, frames = head_of(place), 2
    found, wakes = heard(place, samples)
    logits, _ = model.step(samples, model.reset())
    own = head.outputs(logits, model.network.activations["classifier"].scale).astype(int)
    assert len(found) == len(own) == len(samples) // 160 // frames
    assert np.abs(found - own).max() <= 6
    assert len({*own}) > 15
    micro = json.loads(next(place.glob("up*.json")).read_text())["micro"]
    window = micro["sliding_window_size"]
    means = Rule(0.5, window, frames).sums(found) / (256 * window)
    expected = (means > micro["probability_cutoff"]) & (np.arange(len(found)) >= window - 1)
    np.testing.assert_array_equal(wakes[frames - 1 :: frames], expected)
    rule = Rule(clear_cutoff(Rule(0.5, window, frames).sums(own)[window:], window), window, frames)
    assert rule.events(own)
    assert rule.events(found) == rule.events(own)


@pytest.mark.skipif(not has("pymicro_wakeword"), reason="pymicro-wakeword is not installed")
def test_the_study_sets_what_pymicro_wakeword_decides_beside_the_package(models, tuned):
    words = speech()[: 2 * 40_000]
    found = beside(models[8], tuned[8], words, np.array([True, False]))
    assert (found["seconds"], found["outputs"]) == (5.0, len(words) // 160 // 2)
    assert found["within_one"] >= 0.5 * found["outputs"]
    assert found["decided_alike"] >= 0.95 * found["outputs"]


def test_the_study_counts_events_by_the_clips_in_which_they_are():
    """Clips of a second, each before a pause of one and a half; outputs each 20 ms, so 125 for each."""
    events, expected = [40, 100, 300, 510], [41, 103, 300]
    assert counted(events, expected, 320, np.array([True, True, False, True, False])) == {
        "events": 4, "expected": 3, "near": 2, "repeated": 1,
        "word_clips": 3, "found": 1, "other_clips": 2, "woken": 2,
    }  # fmt: skip


@pytest.mark.parametrize("bits", [8, 4])
def test_a_file_keeps_what_esphome_asks_for(models, tuned, bits):
    model, place = models[bits], tuned[bits]
    [file] = place.glob("*.tflite")
    written = wake_word(model, head_of(place))
    [read], [out] = written.main.inputs, written.main.outputs
    assert (read.shape, read.kind, out.shape, out.kind, out.zero_point) == ((1, 2, 40), "int8", (1, 1), "uint8", 0)
    assert out.step == np.float32(1 / 256)
    assert {*written.operators} <= {*OPERATORS}
    assert 0 < written.variables <= VARIABLES
    maps = model.features(speech()[None, :32_000])[0].T[None]
    found = stepped(MicroInterpreter(file.read_bytes()), maps, 2)
    np.testing.assert_array_equal(found, stepped(Emulator(written.graphs), maps, 2))
    manifest = json.loads(file.with_suffix(".json").read_text())
    assert (manifest["type"], manifest["version"], manifest["wake_word"], manifest["model"]) == (
        "micro",
        2,
        "up",
        file.name,
    )
    assert {"author", "website", "trained_languages"} <= {*manifest}
    report = json.loads((place / "report.json").read_text())
    assert manifest["micro"]["tensor_arena_size"] == 2 * report["arena_bytes_on_host"]
    assert report["tuned_on"]["word"] + report["tuned_on"]["others"] == 3 * len(list(CLIPS.glob("*.wav")))
    assert "not run on a board" in (place / "README.md").read_text()
    for word in ("up", 'say "hi" \\o/'):
        page = _page(model, "up", manifest, {**report, "word": word})
        [logged] = re.findall(r"logger\.log: (.*)", page)
        assert json.loads(logged) == word


def test_all_outputs_of_a_logistic_function_are_those_of_tflite_micro():
    graph = Graph("main")
    x = Tensor((1, 256), "int8", np.array([8 / 127], np.float32), 0)
    graph.inputs, out = [x], Tensor((1, 256), "int8", np.array([1 / 256], np.float32), -128)
    graph.outputs = [graph.add("LOGISTIC", (x,), out)]
    values = np.arange(-128, 128)[None]
    [found] = MicroInterpreter(to_bytes([graph], "", {})).invoke(values.astype(np.int8))
    np.testing.assert_array_equal(found, Emulator([graph]).invoke(values)[0])
    exact = 256 / (1 + np.exp(-values * 8 / 127)) - 128
    assert np.abs(found - exact).max() < 1


def test_the_command_writes_checks_and_counts(models, tmp_path, capsys):
    path = str(models[8].path)
    main(["export", path, "--to", "esphome", "--word", "down", "--out", str(tmp_path / "down"), "--check"])
    said = capsys.readouterr()
    assert "TFLite Micro" in said.out
    assert json.loads((tmp_path / "down" / "down.json").read_text())["wake_word"] == "down"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("other", {"word": "up"}, "hears mfcc features each 20 ms, and ESPHome computes micro ones"),
        (8, {}, "word is missing: ESPHome listens for one; give one of up, down"),
        (8, {"word": "_unknown_"}, "word = '_unknown_' is not possible: the model knows up, down"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_leaves_nothing(models, name, options, said, tmp_path):
    with pytest.raises(InvalidQuery, match=said) as raised:
        models[name].export("esphome", tmp_path / "out", **options)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_fit_is_the_best_of_a_grid():
    rng = np.random.default_rng(0)
    distances, is_word = np.concatenate([rng.normal(2, 1.5, 60), rng.normal(-1, 1.5, 200)]), np.arange(260) < 60
    targets = np.where(is_word, 61 / 62, 1 / 202)

    def loss(slope, offset):
        score = 1 / (1 + np.exp(-(slope * distances + offset)))
        return -(targets * np.log(score) + (1 - targets) * np.log(1 - score)).sum()

    grid = min(loss(slope, offset) for slope in np.linspace(0.2, 3, 57) for offset in np.linspace(-3, 3, 61))
    assert loss(*fit(distances, is_word)) <= grid
    assert fit(np.array([3.0, 2.0, -1.0, -4.0]), np.array([True, True, False, False]))[0] > 0.1


def test_the_rule_is_that_of_sums_counted_one_by_one():
    outputs = np.random.default_rng(1).integers(0, 256, 2000) ** 2 // 255
    rule = Rule(0.5, 5, 3)
    recent, quiet, found = [], 74, []
    for number, output in enumerate(outputs):
        recent, quiet = [*recent, output][-5:], quiet - 3
        if quiet <= 0 and sum(recent) > 127 * 5:
            found.append(number)
            recent, quiet = [], 74
    assert rule.events(outputs) == found
    assert len(found) > 5


@pytest.mark.parametrize(("several", "count"), [(False, 2), (True, 3)])
def test_heads_of_two_labels_and_of_several_at_once(several, count):
    labels = ("up", "_unknown_", "down")[:count]
    head = word_of(labels, labels, "up", several)
    logits = np.random.default_rng(0).integers(-3000, 3000, (50, count)).astype(np.int16)
    softmax = np.exp(logits * 0.001)
    score = 1 / (1 + 1 / softmax[:, 0]) if several else softmax[:, 0] / softmax.sum(1)
    assert np.abs(head.outputs(logits, 0.001) - 256 * score).max() <= 1


def test_a_model_without_words_has_no_head():
    with pytest.raises(InvalidQuery, match="knows no word"):
        word_of(("_unknown_", "_silence_"), ("_unknown_", "_silence_"), "", False)


def test_a_check_counts_wakes_by_the_cutoff_of_the_folder(models, tmp_path):
    """128 and 255 of 256 are apart only where the cutoff lies between them."""
    place = models[8].export("esphome", tmp_path / "up", word="up")
    report = json.loads((place / "report.json").read_text())
    report["rule"]["cutoff"] = 0.9
    (place / "report.json").write_text(json.dumps(report))
    [runner] = runners(models[8], place)
    expected, found = (np.array(values)[:, None] for values in ([128, 229, 255], [229, 230, 230]))
    counted = compared(runner, "outputs", [(expected, found)], several=False)
    assert (counted.answers, counted.outputs, counted.same_labels) == (3, 3, 2)
