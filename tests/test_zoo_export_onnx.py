"""Models as ONNX: ONNX Runtime beside the integers of the package."""

import ctypes
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from studies.c_identical import FRONT_ENDS
from studies.c_networks import SPACES, small_network
from supernet import folders
from supernet.errors import InvalidQuery, MissingExtra
from supernet.files import load_tensors
from supernet.integer.form import IntegerLayer
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import parts
from supernet.memory import answer_frames
from zoo.cli import main
from zoo.export import EXPORTS, check
from zoo.export.agreement import Runner, compared
from zoo.export.c.features import feature_files
from zoo.export.sounds import Sounds
from zoo.hubs.folder import BUNDLED
from zoo.package.read import VECTORS

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx onnxruntime")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnx onnxruntime")

from named import micro, smallest  # noqa: E402

from zoo.export.onnx.ops import TWINS, build  # noqa: E402
from zoo.export.onnx.run import runner  # noqa: E402

STREAM, CLIP = smallest(4), "esc10-mbconv-0.51M-w2a8-3692254d"
WIDTHS = [(8, "symmetric"), (4, "symmetric"), (1, "odd")]
CLIPS = 12


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


def random_features(network, clips=CLIPS):
    spec = network.specs[0]
    shape = clips, spec.out_shape[0] * spec.out_shape[1], spec.out_shape[2]
    return np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)


def untied(network):
    """The same network where sums, averages and scalings have ratios that seldom give a half, which runtimes round to
    even and the package rounds up: those of random networks are round numbers.
    """
    activations, tensors = dict(network.activations), dict(network.tensors)
    for spec in network.specs:
        if spec.inputs and not spec.has_weights:
            activations[spec.name] = replace(activations[spec.name], scale=1.0194 * activations[spec.name].scale)
            inputs = [activations[name].scale for name in spec.inputs]
            tensors[spec.name] = IntegerLayer.unweighted(spec, inputs, activations[spec.name].scale)
    return IntegerNetwork(network.arch, tensors, activations)


def beside(network, features, form, kind=np.uint8):
    """What ONNX Runtime gives beside the package."""
    run = runner(build(network, form, kind).model({}))
    if form == "clip":
        pairs = [(network(one[None]), run.logits(one)) for one in features]
    else:
        pairs = [(network.step(one[None], network.reset())[0][0], run.logits(one)) for one in features]
    return compared(run, "random features", pairs, False)


@pytest.mark.parametrize(("bits", "grid"), WIDTHS)
@pytest.mark.parametrize("name", SPACES)
def test_small_networks_of_every_family_agree_with_onnx_runtime(name, bits, grid):
    """A value in some thousands is rounded otherwise: where that is a value before the last layer, its logits move."""
    network = untied(small_network(name, bits, grid))
    features = random_features(network)
    for form in ("clip",) if name == "clips" else ("clip", "stream"):
        found = beside(network, features, form)
        assert found.answers == CLIPS * (1 if form == "clip" else answer_frames(parts(network.arch)))
        assert found.same_labels >= 0.99 * found.answers
        assert found.within_one >= 0.9 * found.outputs
        assert found.largest < 300


@pytest.mark.parametrize("name", ["rows", "samples", "memories"])
def test_a_clip_is_what_a_stream_has_heard_at_its_end_and_goes_on(name):
    network = untied(small_network(name, 4, "symmetric"))
    one, other = random_features(network, 2)
    clip, stream = (runner(build(network, form).model({})) for form in ("clip", "stream"))
    both = stream.logits(np.concatenate([one, other], 1))
    half = len(both) // 2
    np.testing.assert_array_equal(both[:half], stream.logits(one))
    assert np.abs(both[half - 1] - clip.logits(one)[0]).max() <= 1
    expected, _ = network.step(np.concatenate([one, other], 1)[None], network.reset())
    assert (np.abs(both - expected[0]) <= 1).mean() > 0.9


@pytest.mark.parametrize("name", SPACES)
def test_weights_of_eight_bits_have_a_zero_point(name):
    """Without, ONNX Runtime before 1.30 reads past the inputs of a node: it computes something else, or breaks off."""
    graph = onnx.load_from_string(build(small_network(name, 8, "symmetric"), "clip").model({})).graph
    eight_bits = {one.name for one in graph.initializer if one.data_type == onnx.TensorProto.INT8}
    read = [node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in eight_bits]
    assert read
    assert all(len(node.input) == 3 for node in read)


def test_signed_values_between_layers_are_the_same():
    network = untied(small_network("clips", 8, "symmetric"))
    assert beside(network, random_features(network, 4), "clip", np.int8).within_one == 4 * network.arch.classes


def test_fewer_bits_between_layers_are_held_within_their_limits():
    network = untied(small_network("rows", 8, "symmetric", activation=5))
    found = beside(network, random_features(network), "clip")
    assert found.same_labels == found.answers
    assert found.identical > 0.9 * found.outputs


def test_every_operator_has_a_twin():
    from supernet.ops import operator

    assert set(TWINS) == set(operator.names)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    return {name: model_of(name).export("onnx", folder / name) for name in (STREAM, CLIP)}


def test_the_command_exports_checks_and_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = tmp_path / "words"
    for word in ("stop", "left"):
        (words / word).mkdir(parents=True)
        shutil.copy(Path(zoo.__file__).parent / "clips" / f"{word}.wav", words / word)
    command = ["export", STREAM, "--to", "onnx", "--out", "my_kws", "--check", "--data", "words"]
    assert main([*command, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    stored = load_tensors(BUNDLED / "models" / STREAM / VECTORS)[0]
    vectors = len(stored["samples"]) + len(stored["stream"]) // 50
    assert [(one["form"], one["sounds"], one["answers"]) for one in told["check"]] == [
        ("clip", "test vectors", vectors), ("clip", "2 recordings", 2), ("stream", "test vectors", 50 * vectors),
        ("stream", "2 recordings", 100),
    ]  # fmt: skip
    assert all(one["label_share"] == 1 and one["within_one_share"] > 0.8 for one in told["check"])
    assert main(command) == 0
    told = rf"my_kws\nONNX Runtime [\d.]+, clip, test vectors: {vectors} answers, "
    assert re.match(told, capsys.readouterr().out)
    assert [path.name for path in tmp_path.iterdir() if path != words] == ["my_kws"]


@pytest.mark.parametrize("name", [STREAM, CLIP])
def test_files_are_valid_with_shapes_and_say_what_they_are(name, exported):
    model, forms = model_of(name), []
    for file in sorted(exported[name].glob("*.onnx")):
        made = onnx.load(file)
        onnx.checker.check_model(made, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True).graph
        shapes = {one.name: one.type.tensor_type for one in inferred.value_info}
        for node in made.graph.node:
            for output in set(node.output) - {one.name for one in made.graph.output}:
                assert all(size.dim_value > 0 for size in shapes[output].shape.dim), output
        about = {one.key: one.value for one in made.metadata_props}
        assert about["earshot.model"] == model.name
        assert model.name.endswith(about["earshot.weights_sha256"][:8])
        assert about["earshot.labels"].split("\n") == list(model.labels)
        assert about["earshot.version"]
        forms.append(about["earshot.form"])
    assert forms == (["clip", "stream"] if name == STREAM else ["clip"])


def test_few_bits_take_half_the_bytes(exported):
    """Inner layers of the model have 4 bits."""
    made = onnx.load(exported[STREAM] / "clip.onnx")
    bits = model_of(STREAM).network
    expected = {spec.weight_shape for spec in bits.specs if spec.has_weights and spec.weight_bits <= 4}
    stored = [one for one in made.graph.initializer if one.data_type == onnx.TensorProto.INT4]
    assert {tuple(one.dims) for one in stored} == expected
    assert all(len(one.raw_data) == -(-int(np.prod(one.dims)) // 2) for one in stored)


@pytest.mark.parametrize("name", [STREAM, CLIP])
def test_the_examples_of_the_page_run(name, exported, monkeypatch, capsys):
    monkeypatch.chdir(exported[name])
    page = Path("README.md").read_text()
    assert not re.search(r"@[A-Z]", page)
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for example in examples:
        exec(example, {})
    assert len(examples) == (2 if name == STREAM else 1)
    assert set(capsys.readouterr().out.split()) <= set(model_of(name).labels)


@pytest.mark.parametrize("name", ["samples", "memories"])
def test_networks_over_samples_and_with_memories_have_folders_that_agree(name, tmp_path, monkeypatch):
    """No such model is bundled: a network with what the export asks of a model."""
    network, frontend = untied(small_network(name, 4, "symmetric")), FRONT_ENDS["raw" if name == "samples" else "mfcc"]
    length = network.arch.frames * frontend.hop_samples
    model = SimpleNamespace(
        name="m", task="t", knows=("a", "b", "c", "d"), licence="x", attribution="us", multi_label=False,
        weights_sha256="0" * 64,
        network=network, arch=network.arch, frontend=frontend, logits=network,
        sampling_rate=frontend.sampling_rate, clip_samples=length, entry=SimpleNamespace(weight_bytes=1),
    )  # fmt: skip
    folder = EXPORTS("onnx")(model, tmp_path / "m")
    assert (folder / "frontend").exists() == (name == "memories")
    noise = np.random.default_rng(0).integers(-9000, 9000, 2 * length).astype(np.int16)
    sounds = Sounds("noise", lambda: iter(frontend.run(noise[None])))
    for found in EXPORTS("onnx").check(model, folder, [sounds]):
        assert found.same_labels == found.answers
    monkeypatch.chdir(folder)
    for example in re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL):
        exec(example, {})


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@pytest.mark.parametrize("name", ["mfcc, 20 ms", "micro", "raw"])
def test_the_front_end_in_c_gives_its_features(name, tmp_path):
    frontend = FRONT_ENDS[name]
    for file, text in feature_files(frontend, "mine").items():
        (tmp_path / file).write_text(text)
    flags = "-std=c99 -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror -fPIC -shared -o mine.so mine.c mine_frontend.c"
    subprocess.run(["gcc", *flags.split()], cwd=tmp_path, check=True)
    library, state = ctypes.CDLL(str(tmp_path / "mine.so")), ctypes.create_string_buffer(1 << 16)
    library.mine_push.restype = ctypes.c_size_t
    samples = np.random.default_rng(0).integers(-9000, 9000, frontend.sampling_rate).astype(np.int16)
    library.mine_reset(state)
    row, whole, found, used = np.zeros(frontend.coefficients, np.int8), ctypes.c_int(), [], 0
    while used < len(samples):
        part = samples[used : used + 333].copy()
        heard, features = (ctypes.c_void_p(one.ctypes.data) for one in (part, row))
        used += library.mine_push(state, heard, ctypes.c_size_t(len(part)), features, ctypes.byref(whole))
        found += [row.copy()] if whole.value else []
    np.testing.assert_array_equal(np.array(found).T, frontend.run(samples[None])[0])


def test_agreement_is_counted():
    expected, found = np.array([[5, 1], [0, 9], [3, 3]]), np.array([[4, 1], [7, 9], [3, 4]])
    run = Runner("R", "clip", lambda features: features)
    one = compared(run, "sounds", [(expected[:1], found[:1]), (expected[1:], found[1:])], False)
    assert (one.answers, one.same_labels, one.outputs, one.identical, one.within_one, one.largest) == (3, 2, 6, 3, 5, 7)
    assert "66.67 % with equal labels" in str(one)
    several = compared(run, "sounds", [(expected - 3, found - 3)], True)
    assert several.same_labels == 1


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (STREAM, {"form": "chunks"}, r"form = 'chunks' is not possible: .*clip"),
        (CLIP, {"form": "stream"}, r"form = 'stream' is not possible: .* hears whole clips; ask for clip"),
        (STREAM, {"layout": "x"}, r"layout is no option of the export 'onnx': leave it out"),
        (STREAM, {"name": "a b"}, r"name = 'a b' is not possible: give an identifier of C"),
    ],
)
def test_what_is_not_possible_is_one_line_and_nothing_is_written(name, options, said, tmp_path):
    with pytest.raises(InvalidQuery, match=said) as error:
        model_of(name).export("onnx", tmp_path / "x", **options)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["c", "onnx", "tflite", "esphome"])
def test_a_model_that_answers_with_some_words_is_exported_with_all_its_labels(to, tmp_path):
    """Logits are of all that it knows: what computes and names them is that of the whole model."""
    whole = model_of(micro() if to == "esphome" else STREAM)
    some, how = whole.knowing(["stop", "go"]), {"word": "stop"} if to == "esphome" else {}
    folders = [model.export(to, tmp_path / f"m{number}", "m", **how) for number, model in enumerate((whole, some))]
    if to != "c":
        first, second = (
            {path.name: path.read_bytes() for path in folder.glob("*.[ojt]*") if path.name != "report.json"}
            for folder in folders
        )
        assert first == second != {}
    if to == "c":
        lines = [line for folder in folders for line in (folder / "README.md").read_text().splitlines()]
        labels = f"- labels: {', '.join(whole.knows)}"
        assert [line for line in lines if line.startswith("- labels")] == [
            labels, f"{labels}; events of stop, go alone"
        ]  # fmt: skip
    if to != "esphome":
        assert ", ".join(whole.knows) in (folders[1] / "README.md").read_text().replace("\n", " ")
    else:
        with pytest.raises(InvalidQuery, match="'yes' is not possible: the model knows stop, go"):
            some.export(to, tmp_path / "other", word="yes")


def test_the_folder_that_one_is_in_is_not_taken_away(tmp_path, monkeypatch, capsys):
    (tmp_path / "here" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "deeper")
    for out in (".", "", ".."):
        assert main(["export", STREAM, "--to", "c", "--name", "m", "--out", out]) == 2
        assert "is the folder that you are in, or above it; name one in it" in capsys.readouterr().err
    with pytest.raises(InvalidQuery, match="is the folder that you are in"):
        zoo.page(".", exports=[])
    assert not list((tmp_path / "here" / "deeper").iterdir())


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidQuery, match=r"holds 'notes.txt', which no export wrote"):
        model_of(STREAM).export("onnx", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, capsys):
    def refused(*_):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(folders, "_move_in", refused)
    out = tmp_path / "x"
    assert main(["export", STREAM, "--to", "onnx", "--out", str(out)]) == 1
    assert capsys.readouterr().err == f"earshot: {out}: Permission denied; no ONNX was written\n"
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_named_with_what_brings_it(tmp_path, monkeypatch, exported):
    model = model_of(STREAM)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"nothing runs the export 'onnx' here: ONNX Runtime is not installed: pip"):
        check(model, "onnx", exported[STREAM])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match="this needs onnx, which is not installed"):
        model.export("onnx", tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", EXPORTS.names)
def test_every_export_says_what_it_writes(name):
    found = EXPORTS(name)
    assert found.name == name
    assert found.what
    assert found.runtimes
    assert all(not option.choices or option.default in option.choices for option in found.options)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", "x"], "--data is for --check alone; give that as well"),
        (["--split", "test"], "--split is for --data alone; give that as well"),
    ],
)
def test_options_that_need_another_are_told(more, said, tmp_path, capsys):
    assert main(["export", STREAM, "--to", "onnx", "--out", str(tmp_path / "x"), *more]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", ["nowhere", "empty"])
def test_recordings_that_cannot_be_heard_are_told_before_anything_is_written(data, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    command = ["export", STREAM, "--to", "onnx", "--out", str(tmp_path / "out"), "--check"]
    assert main([*command, "--data", str(tmp_path / data)]) == 1
    assert str(tmp_path / data) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["c", "onnx"])
def test_what_a_licence_does_not_say_of_a_method_is_in_the_folder(to, tmp_path):
    folder = model_of(smallest(4, "lmu")).export(to, tmp_path / "lmu")
    assert "licence of the weights: cc-by-4.0; networks of linear memories may be protected by patents" in " ".join(
        (folder / "README.md").read_text().split()
    )
