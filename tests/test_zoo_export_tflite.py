"""Models as TFLite: held to TFLite Micro and LiteRT, and the emulation of their rounding to the first, bit for bit."""

import ctypes
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from named import smallest

import zoo
from studies.c_networks import SPACES, small_network
from supernet.errors import InvalidQuery
from supernet.extras import has
from supernet.files import read_json
from supernet.frontend.raw import Raw
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import parts
from supernet.memory import answer_frames
from supernet.ops import operator
from zoo.cli import main
from zoo.export import check
from zoo.export.agreement import Runner, compared
from zoo.export.c.filtered import filtered_files
from zoo.export.c.ops.base import Step
from zoo.export.tflite.build import build, first_layer
from zoo.export.tflite.emulate import Emulator
from zoo.export.tflite.file import to_bytes
from zoo.export.tflite.folder import model_file
from zoo.export.tflite.ops import operator as tflite_operator
from zoo.export.tflite.run import LiteRT, Micro, maps_of, runner, stepped
from zoo.hubs.folder import BUNDLED

tflite = pytest.importorskip("tflite", reason="tflite is not installed: pip install tflite flatbuffers")

STREAM, CLIP = smallest(4), "esc10-mbconv-0.51M-w8a8-cc5847fb"
WIDTHS = ((8, "symmetric"), (4, "symmetric"), (1, "odd"))
CLIPS = 2

micro = pytest.mark.skipif(not has("tflite_micro"), reason="tflite-micro is not installed: pip install tflite-micro")
litert = pytest.mark.skipif(not has("ai_edge_litert"), reason="ai-edge-litert is not installed")


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


def features_of(network, clips=CLIPS):
    """Random ones, (clips, coefficients, frames)."""
    channels, height, frames = network.specs[0].out_shape
    return np.random.default_rng(1).integers(-128, 128, (clips, channels * height, frames)).astype(np.int8)


def forms_of(name):
    return {"clips": ("clip",), "memories": ("stream",)}.get(name, ("clip", "stream"))


def begun(written):
    return [np.full(one.shape, one.zero_point, one.kind) for one in written.main.inputs[1:]]


def beside(network, form, found):
    """How far answers to random features agree with the package."""
    features = features_of(network)
    own = [network(one[None]) if form == "clip" else network.step(one[None], network.reset())[0][0] for one in features]
    return compared(Runner("TFLite Micro", form, None), "random features", list(zip(own, found, strict=True)), False)


@micro
@pytest.mark.parametrize("how", [{}, {"twice": True}, {"twice": True, "wide": True}], ids=["usual", "twice", "wide"])
@pytest.mark.parametrize(("bits", "grid"), WIDTHS)
@pytest.mark.parametrize("name", SPACES)
def test_the_emulation_gives_what_tflite_micro_gives_and_both_agree_with_the_package(name, bits, grid, how):
    """It rounds twice: a value in some hundreds is a step off, so logits, of some thousands of steps, move a little."""
    network = small_network(name, bits, grid)
    for form in forms_of(name):
        written = build(network, form, **how)
        data, frames = to_bytes(written.graphs, "", {}), written.main.inputs[0].shape[1]
        every = [maps_of(network, features) for features in features_of(network)]
        found = [stepped(Micro(data), maps, frames) for maps in every]
        for maps, one in zip(every, found, strict=True):
            np.testing.assert_array_equal(one, stepped(Emulator(written.graphs), maps, frames))
        agreed = beside(network, form, found)
        assert agreed.answers == CLIPS * (1 if form == "clip" else answer_frames(parts(network.arch)))
        assert agreed.same_labels >= 0.95 * agreed.answers
        assert agreed.largest < 600


def off(network, spec, **how):
    """Which values of a layer an emulated runtime has other than the package, of random features; by how much."""
    written, features = build(network, "clip", end=spec.name, **how), features_of(network)
    own = network.run(features, keep=True)[spec.name].transpose(0, 3, 2, 1)
    found = [Emulator(written.graphs).invoke(maps_of(network, one))[0][0] for one in features]
    return np.abs(np.array(found).astype(int) - own)


def test_sums_that_are_rounded_once_have_biases_of_the_package():
    """Multipliers of a half and more have no second rounding, so nothing is taken from their sums."""
    network = small_network("rows", 8, "symmetric")
    spec = next(spec for spec in network.specs if spec.kind == "conv" and spec.rectified)
    layer = network.tensors[spec.name]
    shift = np.where(np.arange(len(layer.shift)) % 2, 31, layer.shift).astype(np.uint8)
    network = IntegerNetwork(network.arch, {**network.tensors, spec.name: replace(layer, shift=shift)},
                             network.activations)  # fmt: skip
    found = [
        next(node for node in build(network, "clip", end=spec.name, twice=twice).main.nodes if "CONV" in node.op)
        for twice in (False, True)
    ]
    usual, moved = (node.inputs[2].data for node in found)
    np.testing.assert_array_equal(usual - moved, (shift > 31).astype(int))


@pytest.mark.parametrize("rectified", [True, False])
def test_biases_for_a_runtime_that_rounds_twice_take_most_of_it_back(rectified):
    """By themselves half a unit of the first rounding is lost; a whole step of a bias leaves a quarter on average."""
    usual, moved, wide = [], [], []
    for name in (name for name in SPACES if name != "memories"):
        network = small_network(name, 4, "symmetric")
        spec = next((one for one in network.specs if one.kind == "conv" and one.rectified == rectified), None)
        if spec is not None:
            usual.append(off(network, spec))
            moved.append(off(network, spec, twice=True))
            wide.append(off(network, spec, twice=True, wide=True))
    assert max(one.max() for one in usual + moved + wide) <= (1 if rectified else 3)  # behind other layers
    share = [np.concatenate([one.ravel() for one in found]).mean() for found in (usual, moved, wide)]
    assert share[0] > 0.005
    assert share[1] < 0.8 * share[0]
    assert share[2] < 0.3 * share[0]


@micro
@litert
def test_weights_of_few_bits_in_eight_are_rounded_once_by_litert_and_read_alike_by_micro():
    network = model_of(STREAM).network
    features = model_of(STREAM).vectors["features"]
    own = network(features)
    for how, kind in (({"wide": True}, LiteRT), ({"wide": True, "twice": True}, Micro)):
        written = build(network, "clip", **how)
        data, frames = to_bytes(written.graphs, "", {}), written.main.inputs[0].shape[1]
        found = np.array([stepped(kind(data), maps_of(network, one), frames)[0] for one in features])
        assert (found.argmax(1) == own.argmax(1)).all()
        if kind is LiteRT:
            assert np.abs(found - own).max() < 100
        else:
            for one, same in zip(features, found, strict=True):
                np.testing.assert_array_equal(same, stepped(Emulator(written.graphs), maps_of(network, one), frames)[0])


@litert
@pytest.mark.parametrize("name", [name for name in SPACES if name != "memories"])
def test_litert_rounds_once_as_the_package(name):
    """What is left are sums whose halves it rounds to even."""
    network = small_network(name, 8, "symmetric")
    written = build(network, "clip")
    data = to_bytes(written.graphs, "", {})
    found = [
        stepped(LiteRT(data), maps_of(network, one), written.main.inputs[0].shape[1]) for one in features_of(network)
    ]
    agreed = beside(network, "clip", found)
    assert agreed.same_labels == agreed.answers
    assert agreed.largest < 300


def test_multipliers_are_ours_as_far_as_float32_holds_them():
    network = model_of(STREAM).network
    written = build(network, "clip")
    layers = {node.outputs[0].name: node for node in written.main.nodes if "CONV" in node.op}
    for spec in (spec for spec in network.specs if spec.kind == "conv"):
        x, weight, out = (*layers[spec.name].inputs[:2], layers[spec.name].outputs[0])
        own = network.tensors[spec.name]
        made = np.float64(x.step) * weight.scale.astype(np.float64) / np.float64(out.step)
        times = np.abs(weight.data.astype(int)).reshape(-1).max() // np.abs(own.weight.astype(int)).max()
        wanted = own.multiplier * 2.0 ** -own.shift.astype(float)
        assert times >= 1
        assert np.abs(made * np.round(wanted / made) / wanted - 1).max() < 2.0**-24


@micro
def test_a_clip_is_what_a_stream_has_heard_at_its_end_wherever_its_state_is():
    model = model_of(STREAM)
    maps = maps_of(model.network, model.features(np.tile(model.vectors["samples"][0], 2)[None])[0])
    frames = model.arch.frames
    clip = build(model.network, "clip")
    whole = stepped(Micro(to_bytes(clip.graphs, "", {})), maps[:, :frames], frames)[0]
    streams = []
    for state in ("variables", "arguments"):
        written = build(model.network, "stream", state)
        step = written.main.inputs[0].shape[1]
        streams.append(stepped(Micro(to_bytes(written.graphs, "", {})), maps, step, begun(written)))
    np.testing.assert_array_equal(*streams)
    np.testing.assert_array_equal(streams[0][frames // step - 1], whole)
    assert len(streams[0]) == 2 * frames // step


@micro
@litert
def test_an_export_is_counted_beside_its_package_in_all_interpreters(tmp_path, capsys):
    out = tmp_path / "kws"
    main(
        [
            "export",
            smallest(8),
            "--to",
            "tflite",
            "--out",
            str(out),
            "--check",
            "--format",
            "json",
        ]
    )
    found = json.loads(capsys.readouterr().out)
    counted = {(one["runtime"].rpartition(" ")[0], one["form"]): one for one in found["check"]}
    assert len(counted) == 6
    for form in ("clip", "stream"):
        assert counted["LiteRT with XNNPACK", form]["within_one_share"] > 0.99
        assert counted["TFLite Micro", form]["label_share"] > 0.95
    report = json.loads((out / "report.json").read_text())
    for form in report["forms"].values():
        assert form["bytes"] == (out / form["file"]).stat().st_size
        assert form["arena_bytes_on_host"] > 4000
    page = (out / "README.md").read_text()
    assert "resource variables" in page
    assert "@" not in page


def about(data):
    """The metadata of a file."""
    model = tflite.Model.GetRootAs(data, 0)
    [one] = [model.Metadata(number) for number in range(model.MetadataLength())]
    return one.Name().decode(), json.loads(model.Buffers(one.Buffer()).DataAsNumpy().tobytes())


@micro
def test_files_for_one_runtime_are_smaller_and_logits_may_have_eight_bits(tmp_path):
    model = model_of(STREAM)
    usual, lean = (model.export("tflite", tmp_path / how, "kws", form="clip", runtime=how) for how in ("any", "micro"))
    data = [(place / "kws_clip.tflite").read_bytes() for place in (usual, lean)]
    assert len(data[1]) < 0.9 * len(data[0])
    for runtime, weights in product(("any", "micro"), ("packed", "8")):
        model.export("tflite", lean, "kws", form="clip", runtime=runtime, weights=weights)
        written = build(model.network, "clip", twice=runtime == "micro", wide=weights == "8")
        assert (lean / "kws_clip.tflite").read_bytes() == model_file(model, written, runtime == "micro")
        report, page = read_json(lean / "report.json"), (lean / "README.md").read_text()
        assert (report["runtime"], report["weights"]) == (runtime, weights)
        assert ("LiteRT" in page) == (runtime == "any")
    name, values = about(data[0])
    assert name == "earshot"
    assert (values["earshot.model"], values["earshot.weights_sha256"]) == (model.name, model.weights_sha256)
    model.export("tflite", lean, "kws", form="clip", logits="8")
    data = (lean / "kws_clip.tflite").read_bytes()
    counted = runner(model, data, "clip", Micro, "TFLite Micro")
    found, own = counted.logits(model.vectors["features"][0]), counted.own(model.vectors["logits"][:1])
    assert 40 < np.abs(own).max() <= 127
    assert np.abs(found - own).max() <= 4
    assert found.argmax() == own.argmax()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (CLIP, {"form": "stream"}, "answers on whole clips"),
        (STREAM, {"state": "elsewhere"}, "state = 'elsewhere'"),
        (STREAM, {"name": "no name"}, "name = 'no name'"),
        (STREAM, {"name": "a" * 60}, "give an identifier of C of at most 54 signs"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_leaves_nothing(name, options, said, tmp_path):
    with pytest.raises(InvalidQuery, match=said) as raised:
        model_of(name).export("tflite", tmp_path / "out", **options)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_what_tflite_has_no_kernels_for_says_so():
    with pytest.raises(InvalidQuery, match="gets the stream, not clips"):
        build(small_network("memories", 8, "symmetric"), "clip")
    with pytest.raises(InvalidQuery, match="values of 5 bits; TFLite holds them to 8"):
        build(small_network("rows", 8, "symmetric", activation=5), "clip")


def test_every_operator_has_a_twin():
    assert {*operator.names} == {*tflite_operator.names, "input"}


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
@pytest.mark.parametrize(("bits", "grid"), [(8, "symmetric"), (3, "odd")])
def test_filters_are_in_the_front_end_in_c(bits, grid, tmp_path):
    network = small_network("samples", bits, grid)
    first = first_layer(network)
    for file, text in filtered_files(Raw(), Step(network, first, first.in_shape[2], {}, grid), "bank").items():
        (tmp_path / file).write_text(text)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fPIC", "-shared", "-o", "bank.so"]
    subprocess.run(["gcc", *flags, "bank.c", "bank_frontend.c"], cwd=tmp_path, check=True)
    library, state = ctypes.CDLL(str(tmp_path / "bank.so")), ctypes.create_string_buffer(1 << 14)
    library.bank_push.restype = ctypes.c_size_t
    samples = np.random.default_rng(0).integers(-3000, 3000, 4000).astype(np.int16)
    whole, frame, found, used = ctypes.c_int(), (ctypes.c_int8 * first.out_shape[0])(), [], 0
    library.bank_reset(state)
    while used < len(samples):
        left = samples[used : used + 70]
        taken = library.bank_push(
            state, left.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(left)), frame, ctypes.byref(whole)
        )
        used += taken
        found += [list(frame)] if whole.value else []
    np.testing.assert_array_equal(found, maps_of(network, Raw().run(samples[None])[0])[0, :, 0])


@micro
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(("rectified", "bias", "shift"), [(True, 1 << 28, 53), (False, 1 << 28, 54), (False, 0, 58)])
def test_sums_of_channels_without_weights_stay_within_32_bits(rectified, bias, shift, twice):
    """Their biases may be large, and weights that are multiplied multiply these, too; so is what raises values."""
    network = small_network("rows", 8, "symmetric")
    spec = next(spec for spec in network.specs if spec.kind == "conv" and spec.rectified == rectified)
    layer, channel = network.tensors[spec.name], 0
    changed = {name: getattr(layer, name).copy() for name in ("weight", "bias", "shift")}
    changed["weight"][channel], changed["bias"][channel], changed["shift"][channel] = 0, bias, shift
    network = IntegerNetwork(network.arch, {**network.tensors, spec.name: replace(layer, **changed)},
                             network.activations)  # fmt: skip
    written, features = build(network, "clip", end=spec.name, twice=twice), features_of(network)[0]
    maps = maps_of(network, features)
    [found] = Micro(to_bytes(written.graphs, "", {})).invoke(maps)
    own = network.run(features[None], keep=True)[spec.name][0].transpose(2, 1, 0)[None]
    zero = network.activations[spec.name].zero_point
    assert (1 if bias else 0) <= own[0, 0, 0, channel] - zero < 200
    np.testing.assert_array_equal(found[..., channel], own[..., channel])
    assert (found == own).mean() > (0.95 if rectified else 0.8)  # behind other layers


@micro
@pytest.mark.parametrize("name", [STREAM, CLIP])
def test_the_example_of_the_page_runs(name, tmp_path):
    place = model_of(name).export("tflite", tmp_path / "kws")
    page = (place / "README.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example + "print(logits.shape)"], cwd=place, capture_output=True, text=True
    )
    assert done.stdout == f"({len(model_of(name).labels)},)\n", done.stderr
    assert "@" not in page


@micro
def test_only_what_was_exported_is_checked(tmp_path):
    place, model = model_of(STREAM).export("tflite", tmp_path / "kws", logits=8, state=None), model_of(STREAM)
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "report.json").write_text("[]")
    for other, to, folder, said in (
        (model_of(CLIP), "tflite", place, f"kws' holds {STREAM} as tflite, not {CLIP} as tflite: export it"),
        (model, "onnx", place, f"kws' holds {STREAM} as tflite, not {STREAM} as onnx"),
        (model, "c", tmp_path / "none", "none' holds no export, not"),
        (model, "tflite", tmp_path / "list", "list' holds no export, not"),
    ):
        with pytest.raises(InvalidQuery, match=said):
            check(other, to, folder)


@micro
@litert
def test_the_study_of_exports_has_rows_and_a_table_of_all_places(tmp_path):
    from studies import exports
    from studies.rows import Rows

    exports.STUDY.start(["--models", CLIP, "--exports", "tflite", "esphome", "--hub", BUNDLED], folder=tmp_path)
    rows = Rows(tmp_path).read("exports", keep_default_na=False)
    files = {"clip": (model_of(CLIP).export("tflite", tmp_path / "kws") / "kws_clip.tflite").stat().st_size}
    found = rows[rows.export == "tflite"]
    assert {*found.form} == {*files}
    assert {*found.runtime} >= {"TFLite Micro", "LiteRT with XNNPACK"}
    assert {int(one) for one in found.bytes.astype(float)} == {*files.values()}
    assert found.release.str.match(r"\d").all()
    assert "ESPHome computes micro ones" in rows[rows.export == "esphome"].why.item()
    head, [shown] = exports.table(Rows(tmp_path))
    assert head[2:] == ["tflite, bytes", "tflite agrees"]
    assert shown[2] == f"{files['clip']:,}"
    assert shown[3] == f"labels 100%, {int(found.largest.astype(float).max()):,} steps at most"
