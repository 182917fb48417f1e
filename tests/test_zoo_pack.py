"""Packages and hubs on disk: the same bytes from the same network, and nothing altered passes."""

import dataclasses
import errno
import itertools
import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tone
from fuzzing import fuzzed
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix

import zoo
from supernet.bits import with_bits
from supernet.errors import InvalidModel, InvalidPackage, InvalidQuery, UnknownName
from supernet.files import digest, read_json, write_bytes, write_json
from supernet.folders import whole_folder
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features
from supernet.nn.network import Network, recalibrate
from supernet.quant.elastic import load_elastic_bits
from supernet.quant.fake import FakeQuantNetwork
from zoo.hubs.folder import BUNDLED, Hub
from zoo.make.package import accuracy_figures, write_package
from zoo.make.publish import publish
from zoo.package.read import CONFIG, MODEL, VECTORS, read_config, read_tensors


@pytest.fixture
def copy(package, tmp_path):
    return shutil.copytree(package, tmp_path / package.name)


def reseal(folder, values: dict) -> None:
    """Write a configuration with digests that fit the files, as someone with bad intent would."""
    if isinstance(values["digests"], dict):
        values["digests"] = {file: digest((folder / file).read_bytes()) for file in values["digests"]}
        values["name"] = values["name"][:-8] + values["digests"][MODEL][:8]
    write_json(folder / CONFIG, values)


def test_a_package_gives_back_the_integers(package, integers):
    tensors = read_tensors(read_config(package))
    for name, layer in integers.tensors.items():
        for part, array in tensors[name].items():
            assert np.array_equal(array, getattr(layer, part)), (name, part)
    model = zoo.Model.from_folder(package)
    model.verify()
    features = torch.randint(-128, 128, (3, 40, 100), dtype=torch.int8)
    assert np.array_equal(model.logits(features.numpy()), integers(features.numpy()))


def test_the_same_network_gives_the_same_bytes(package, integers, package_info, tmp_path):
    samples = zoo.package.read.read_vectors(read_config(package))["samples"]
    again = write_package(tmp_path, integers, Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40), samples, package_info)
    assert again.name == package.name
    for file in package.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_network_of_mixed_bits_is_packed_and_found_as_such(small_space, package_info, tmp_path):
    """Every layer at bits of its own, between layers too."""
    features = dequantise_features(quantise_features(torch.randn(8, 40, 100)))
    arch = small_space.smallest()
    plain = with_bits(arch, 4)
    widths = itertools.cycle((3, 8, 1, 5, 2))
    weight_bits = tuple(next(widths) for _ in plain.weight_bits)
    between = tuple(2 + index % 7 for index in range(len(plain.activation_bits) - 2))
    mixed = dataclasses.replace(plain, weight_bits=weight_bits, activation_bits=(8, *between, 16))
    network = recalibrate(Network(arch), features)
    integers = FakeQuantNetwork(network, mixed).calibrate(features).to_integer()
    samples = np.zeros((1, 16000), np.int16)
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    publish(write_package(tmp_path / "made", integers, frontend, samples, package_info), tmp_path / "hub")
    model = zoo.get(task="tones", bits="mixed", hub=tmp_path / "hub")
    model.verify()
    assert "-mixed-" in model.name
    assert "mixed-precision weights, mixed-precision activations" in repr(model)
    stored = quantise_features(features)
    assert np.array_equal(model.logits(stored.numpy()), integers(stored.numpy()))
    with pytest.raises(zoo.NoModelFits, match="ask for bits=mixed"):
        zoo.get(task="tones", bits=4, hub=tmp_path / "hub")


def test_the_name_holds_the_digest_of_the_weights(package):
    assert package.name.endswith(digest((package / MODEL).read_bytes())[:8])


@pytest.mark.parametrize("file", [MODEL, VECTORS])
@pytest.mark.parametrize("change", ["truncated", "altered", "empty", "missing"])
def test_a_changed_file_is_named(copy, file, change):
    path = copy / file
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        write_bytes(path, {"truncated": data[:-10], "altered": flipped, "empty": b""}[change])
    with pytest.raises(InvalidPackage, match=file.replace(".", r"\.")):
        zoo.Model.from_folder(copy).verify()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.pop("labels"), "'labels' is missing"),
        (lambda v: v.update(labels=["a", "b"]), "2 labels do not fit the 4 classes"),
        (lambda v: v.update(labels=["a", "b", "c", "d\n"]), "labels[3] = 'd\\n' is not possible"),
        (lambda v: v.update(labels=["a", "a", "c", "d"]), "all different"),
        (lambda v: v.update(schema=99), "schema = 99 is newer than 2"),
        (lambda v: v.update(name="../../x-00000000"), "name = '../../x-"),
        (lambda v: v.update(arch=3), "arch = 3 is not possible"),
        (lambda v: v["arch"].update(stem=24), "15 activation_bits do not fit"),
        (lambda v: v["arch"].update(weight_bits=[]), "arch.weight_bits = []"),
        (lambda v: v["arch"]["weight_bits"].pop(), "9 weight_bits and 15 activation_bits do not fit"),
        (lambda v: v["arch"].update(classes=12), "4 labels do not fit the 12 classes"),
        (lambda v: v["frontend"].update(fft=10**9), "frontend.fft = 1000000000"),
        (lambda v: v["frontend"].update(kind="code"), "frontend.kind = 'code'"),
        (lambda v: v["quantization_config"].pop("tensors"), "quantization_config: 'tensors' is missing"),
        (lambda v: tensors(v)["head"].update(scale=-1.0), "tensors.head.scale = -1.0"),
        (lambda v: tensors(v)["head"].update(zero_point=10**6), "tensors.head.zero_point = 1000000"),
        (lambda v: tensors(v).pop("head"), "the bits of tensors are not"),
        (lambda v: v["quantization_config"]["layers"]["head"].update(grid="odd"), "its bits, grids or shapes are not"),
        (lambda v: v["costs"].pop("macs"), "costs: 'macs' is missing"),
        (lambda v: v["accuracy"]["test"].update(accuracy="high"), "accuracy.test.accuracy = 'high'"),
        (lambda v: v.update(labels="abcd"), "labels = 'abcd'"),
        (lambda v: v.update(notes=3), "notes = 3"),
        (lambda v: v.pop("notes"), "'notes' is missing"),
        (lambda v: v.pop("attribution"), "'attribution' is missing"),
        (lambda v: v.update(digests=[]), "digests = []"),
        (lambda v: v["costs"].update(macs=5), "the costs are not those"),
        (lambda v: v["costs"].update(frontend_macs=5), "frontend_macs is not that of the front end"),
        (lambda v: v["quantization_config"]["weights"].update(num_bits=1), "the bits are not those"),
        (lambda v: v["quantization_config"]["layers"]["head"].update(num_bits=1), "the bits of layers are not"),
        (lambda v: tensors(v)["head"].update(zero_point=1.5), "tensors.head.zero_point = 1.5"),
        (lambda v: tensors(v)["head"].update(num_bits=8.0), "bits 8.0 are not possible"),
        (lambda v: tensors(v)["classifier"].update(scale=1e308), "tensors.classifier.scale = 1e+308"),
        (lambda v: tensors(v)["classifier"].update(scale=1.5), "the scale of the logits, 1.5, is over 1"),
        (lambda v: v["frontend"].update(step_ms=30 - v["frontend"]["step_ms"]), "the front end is not that"),
        (lambda v: v["frontend"].update(kind="logmel"), "the front end is not that"),
        (lambda v: v.update(streamable=False), "streamable is not that"),
        (lambda v: v["arch"]["activation_bits"].__setitem__(1, 7), "the bits of tensors are not"),
        (lambda v: v["accuracy"]["test"].update(interval=[0.8, 0.9]), "an accuracy is outside"),
        (
            lambda v: v["accuracy"]["test"].update(
                conditions={"room": {"accuracy": 0.5, "interval": [0.6, 0.7], "clips": 8}}
            ),
            "an accuracy is outside",
        ),
        (
            lambda v: v["accuracy"]["test"].update(
                conditions={"room": {"accuracy": 0.5, "interval": [0.6, 0.7], "clips": 8, "basis": "predicted"}}
            ),
            "an accuracy is outside",
        ),
        (lambda v: v["accuracy"]["test"].update(interval=[0.9, 0.5]), "an accuracy is outside"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(copy, change, said):
    values = read_json(copy / CONFIG)
    change(values)
    reseal(copy, values)
    with pytest.raises(InvalidPackage, match=re.escape(said)):
        _use(copy)


def tensors(values: dict) -> dict:
    return values["quantization_config"]["tensors"]


@pytest.mark.parametrize("breaks", [None, 1, 2])
def test_a_folder_that_takes_the_place_of_another_is_whole_or_the_other_stays(tmp_path, monkeypatch, breaks):
    """breaks: the rename that fails."""
    place, calls, rename = tmp_path / "place", itertools.count(1), Path.rename
    write_bytes(place / "inside" / "old", b"old")

    def breaking(path, target):
        if next(calls) == breaks:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", breaking)
    with pytest.raises(OSError, match="busy") if breaks else nullcontext(), whole_folder(place) as part:
        write_bytes(part / "inside" / "new", b"new")
    found = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == ({"place/inside/old": "old"} if breaks else {"place/inside/new": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_name_never_means_other_weights(copy):
    values = read_json(copy / CONFIG)
    values["name"] = values["name"][:-8] + "0" * 8
    write_json(copy / CONFIG, values)
    with pytest.raises(InvalidPackage, match="the name does not end with the digest of model"):
        read_config(copy)


ONE_LABEL = [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [1, 0, 0, 0]]
MANY_LABELS = [[[4, 2], [0, 2]], [[5, 0], [1, 2]], [[8, 0], [0, 0]], [[0, 0], [0, 8]]]


@pytest.mark.parametrize(("many", "confusion"), [(False, ONE_LABEL), (True, MANY_LABELS)])
def test_a_confusion_that_fits_is_read(copy, many, confusion):
    values = read_json(copy / CONFIG)
    values["multi_label"], values["accuracy"]["test"]["confusion"] = many, confusion
    write_json(copy / CONFIG, values)
    assert read_config(copy).values["accuracy"]["test"]["confusion"] == confusion


@pytest.mark.parametrize(
    ("many", "confusion"),
    [
        (False, [[2, 0, 0, 0], *ONE_LABEL[1:]]),
        (False, [[2, 1, 0, 0], *ONE_LABEL[1:]]),
        (False, [[2, 1, -1, 0], *ONE_LABEL[1:3], [0, 1, 0, 0]]),
        (False, [[1.0, 1, 0, 0], *ONE_LABEL[1:]]),
        (False, [["1", 1, 0, 0], *ONE_LABEL[1:]]),
        (False, [[2**70, 1, 0, 0], *ONE_LABEL[1:]]),
        (False, [[2**62, 2**62, 2**62, 2**62], *ONE_LABEL[1:]]),
        (False, [[1, 1, 0], *ONE_LABEL[1:]]),
        (False, ONE_LABEL[:3]),
        (False, MANY_LABELS),
        (False, [[[[[0]]]]] * 4),
        (True, ONE_LABEL),
        (True, [[[4, 2], [0, 3]], *MANY_LABELS[1:]]),
        (True, [[[3, 2], [1, 2]], *MANY_LABELS[1:]]),
    ],
)
def test_a_confusion_that_is_not_of_its_accuracy_is_refused(copy, many, confusion):
    values = read_json(copy / CONFIG)
    values["multi_label"], values["accuracy"]["test"]["confusion"] = many, confusion
    write_json(copy / CONFIG, values)
    with pytest.raises(InvalidPackage, match="confusion"):
        read_config(copy)


@pytest.mark.parametrize("many", [False, True])
def test_confusions_are_those_of_scikit_learn(integers, many):
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.integers(-128, 128, (40, 40, 100), dtype=np.int8))
    targets = rng.integers(0, 2, (40, 4)) if many else rng.integers(0, 3, 40)  # one class without clips
    figures, logits = accuracy_figures(integers, features, targets), integers(features.numpy())
    if many:
        wanted = multilabel_confusion_matrix(targets, logits > 0)
    else:
        wanted = confusion_matrix(targets, logits.argmax(1), labels=range(4))
    assert figures["confusion"] == wanted.tolist()
    assert figures["clips"] == 40


def _use(folder) -> None:
    model = zoo.Model.from_folder(folder)
    model.features(np.zeros((1, 16000), np.float32))
    model.verify()


@fuzzed(60, place=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255), seal=st.booleans())
def test_no_altered_byte_of_the_weights_gives_another_error_or_a_traceback(package, tmp_path, place, value, seal):
    """Even with digests made to fit: a clear refusal, or integers of the right shape."""
    folder = tmp_path / "altered"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(package, folder)
    data = bytearray((folder / MODEL).read_bytes())
    data[int(place * len(data))] ^= value
    write_bytes(folder / MODEL, bytes(data))
    if seal:
        reseal(folder, read_json(folder / CONFIG))
    try:
        logits = zoo.Model.from_folder(folder).logits(np.zeros((1, 40, 100), np.int8))
    except InvalidPackage:
        return False
    assert seal
    assert logits.shape == (1, 4)
    return True


def test_a_hub_lists_what_is_published_and_refuses_what_is_altered(package, tmp_path):
    hub = publish(package, tmp_path / "hub")
    assert [entry.name for entry in hub.entries] == [package.name]
    model = zoo.get(task="tones", bits=4, hub=tmp_path / "hub")
    model.verify()
    assert zoo.get(name=package.name, hub=str(tmp_path / "hub")).name == package.name
    with pytest.raises(UnknownName, match="did you mean"):
        zoo.get(name=package.name + "x", hub=tmp_path / "hub")
    with pytest.raises(UnknownName, match=f"'tones' .*it is a task, not a model: .*{package.name}"):
        zoo.get(name="tones", hub=tmp_path / "hub")
    config = tmp_path / "hub" / "models" / package.name / CONFIG
    write_bytes(config, config.read_bytes().replace(b"Knows tones", b"Knows words"))
    with pytest.raises(InvalidPackage, match="index"):
        zoo.get(task="tones", hub=tmp_path / "hub")


def test_publishing_a_broken_package_leaves_the_hub_as_it_was(package, copy, tmp_path):
    hub = tmp_path / "hub"
    publish(package, hub)
    before = (hub / "index.json").read_bytes()
    (copy / MODEL).write_bytes(b"")
    with pytest.raises(InvalidPackage, match=r"model\.safetensors: altered"):
        publish(copy, hub)
    assert (hub / "index.json").read_bytes() == before
    assert [path.name for path in (hub / "models").iterdir()] == [package.name]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"schema": 1, "models": []}', '{"schema": 2, "models": [{"name": "x"}]}', "\x00", "[" * 10**5],
)
def test_an_index_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InvalidPackage, match=r"index\.json"):
        zoo.find(hub=tmp_path)


def test_an_index_that_lies_about_figures_is_refused(package, tmp_path):
    publish(package, tmp_path)
    values = read_json(tmp_path / "index.json")
    values["models"][0]["macs"] = 5
    write_json(tmp_path / "index.json", values)
    with pytest.raises(InvalidPackage, match="other figures"):
        zoo.get(task="tones", max_ops=10, hub=tmp_path)


def test_publishing_beside_a_broken_neighbour_lists_both_and_replacing_removes(
    package, integers, package_info, tmp_path
):
    hub = tmp_path / "hub"
    info = {**package_info, "labels": ["a", "b", "c", "d"], "task": "letters"}
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    other = write_package(tmp_path, integers, frontend, np.zeros((1, 16_000), np.int16), info)
    publish(package, hub)
    (hub / "models" / package.name / MODEL).write_bytes(b"")
    assert {entry.task for entry in publish(other, hub).entries} == {"tones", "letters"}
    publish(package, hub)
    zoo.get(task="tones", hub=hub).verify()
    assert [entry.name for entry in publish(other, hub, replaces=lambda config: True).entries] == [other.name]
    assert [path.name for path in (hub / "models").iterdir()] == [other.name]
    assert sorted(path.name for path in hub.iterdir()) == [".lock", "README.md", "index.json", "models"]


def test_two_publishers_at_once_lose_nothing(package, integers, package_info, tmp_path):
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    packages = []
    for letter in "abc":
        info = {**package_info, "task": f"task{letter}"}
        packages.append(write_package(tmp_path, integers, frontend, np.zeros((1, 16_000), np.int16), info))
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda item: publish(item, tmp_path / "hub"), packages))
    assert {entry.task for entry in Hub(tmp_path / "hub").entries} == {f"task{letter}" for letter in "abc"}


def test_rebuilding_what_is_no_hub_is_refused_and_strays_are_passed_over(package, tmp_path):
    with pytest.raises(InvalidPackage, match="models"):
        zoo.rebuild(tmp_path)
    publish(package, tmp_path)
    (tmp_path / "models" / "notes.txt").write_text("a stray file")
    assert [entry.name for entry in zoo.rebuild(tmp_path).entries] == [package.name]


@pytest.mark.parametrize("metadata", ["[" * 100_000, "3", "null", "{"])
def test_metadata_of_any_shape_is_no_traceback(copy, metadata):
    import safetensors.numpy

    arrays = safetensors.numpy.load((copy / MODEL).read_bytes())
    (copy / MODEL).write_bytes(safetensors.numpy.save(arrays, {"earshot": metadata}))
    reseal(copy, read_json(copy / CONFIG))
    with pytest.raises(InvalidPackage, match=r"model\.safetensors"):
        zoo.Model.from_folder(copy).verify()


def test_an_index_that_lists_a_name_twice_is_refused(package, tmp_path):
    publish(package, tmp_path)
    values = read_json(tmp_path / "index.json")
    values["models"] *= 2
    (tmp_path / "index.json").write_text(json.dumps(values))
    with pytest.raises(InvalidPackage, match="twice"):
        zoo.find(hub=tmp_path)


def test_a_hub_that_cannot_be_read_is_named():
    with pytest.raises(InvalidQuery, match="/nowhere"):
        zoo.find(hub="/nowhere")


def test_the_bundled_hub_is_whole():
    """Every package verifies, and the index is the one that its packages give."""
    hub = Hub()
    assert {entry.task for entry in hub.entries} == {"kws", "commands", "aec", "esc10", "jarvis"}
    asked = ("kws", 0.12e6, 20e6, 5), ("commands", 1e6, 20e6, 2), ("aec", 1e6, 40e6, 4), ("esc10", 5e6, 40e6, 2)
    for task, least, most, sizes in asked:
        for bits in (4, 8):
            macs = sorted(entry.macs for entry in hub.entries if (entry.task, entry.bits) == (task, bits))
            assert macs[0] <= least
            assert macs[-1] <= most
            assert len(macs) >= sizes
    for entry in hub.entries:
        model = zoo.get(name=entry.name)
        model.verify()
        assert model._config.entry(entry.config_sha256) == entry
        words = dict.fromkeys(("kws", "commands"), "cc-by-4.0")
        assert entry.licence == {**words, "aec": "cc-by-nc-3.0", "esc10": "cc-by-3.0", "jarvis": "other"}[entry.task]


def test_the_bundled_index_is_the_one_of_its_packages(tmp_path):
    copy = shutil.copytree(BUNDLED, tmp_path / "hub")
    before = (copy / "index.json").read_bytes()
    assert zoo.rebuild(copy).entries == Hub().entries
    assert (copy / "index.json").read_bytes() == before


def test_only_errors_of_the_zoo_come_out_of_a_folder_of_anything(tmp_path):
    for content, said in (
        (b"", "not readable JSON"),
        (b"{}", "schema = None: this is no package"),
        (b"\xff\xfe", "not readable JSON"),
        (b'{"schema": 1}', "'name' is missing"),
    ):
        (tmp_path / CONFIG).write_bytes(content)
        with pytest.raises(InvalidPackage, match=said):
            zoo.Model.from_folder(tmp_path)


def test_the_bundled_hub_answers_by_flash():
    best, by_weights = zoo.find(task="kws", max_flash="24kB")[0], zoo.find(task="kws", max_weights="16kB")[0]
    assert best.weight_bytes < best.flash_bytes <= 24_000
    assert by_weights.weight_bytes <= 16_000 < by_weights.flash_bytes
    assert min(best.validation, by_weights.validation) > 0.94


def test_no_bundled_model_of_few_bits_is_beaten_by_another():
    """Of its family: whether another's method is free to use is for users to find out."""
    entries = Hub(BUNDLED).entries
    assert {8, 4, 2} <= {entry.bits for entry in entries}
    for entry in entries:
        if entry.bits not in (8, 4):
            rivals = [other for other in entries if (other.task, other.family) == (entry.task, entry.family)]
            rivals.remove(entry)
            smaller = [other for other in rivals if other.weight_bytes <= entry.weight_bytes]
            assert all(other.validation < entry.validation for other in smaller)


def test_the_bundled_elastic_bits_give_integers_at_every_width():
    elastic, stored = load_elastic_bits(BUNDLED / "supernets" / "kws-temporal-map-bits", "kws")
    arch = stored.supernet.space.smallest()
    for bits in elastic.widths:
        integers = elastic.extract(with_bits(arch, bits), stored.supernet.calibration[:64]).to_integer()
        assert integers(quantise_features(stored.supernet.calibration[:2]).numpy()).shape == (2, arch.classes)


@pytest.mark.parametrize("name", [entry.name for entry in Hub(BUNDLED).entries])
def test_no_input_drives_an_accumulator_of_a_bundled_model_out_of_32_bits(name):
    """Each weight meets the input that moves its sum furthest up, then the one that moves it furthest down."""
    hub = Hub(BUNDLED)
    config = hub.config(hub.entry(name))
    tensors, scales = read_tensors(config), config.values["quantization_config"]["tensors"]
    for spec in config.layers:
        if not spec.has_weights:
            continue
        source = scales[spec.inputs[0]]
        ends = np.array([-(2 ** (source["num_bits"] - 1)), 2 ** (source["num_bits"] - 1) - 1]) - source["zero_point"]
        weight = tensors[spec.name]["weight"].astype(object).reshape(spec.out_shape[0], -1)
        moved = weight[..., None] * ends.astype(object)
        for end in (moved.max(-1), moved.min(-1)):
            assert (np.abs(end.sum(1) + tensors[spec.name]["bias"].astype(object)) < 2**31).all(), spec.name


@pytest.mark.parametrize("count", [1, 4000, 16_000])
def test_vectors_may_hold_less_than_a_clip_and_silence_follows(integers, package_info, tmp_path, count):
    samples = np.round(tone(300) * 32767).astype(np.int16)[None, :count]
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    model = zoo.Model.from_folder(write_package(tmp_path, integers, frontend, samples, package_info))
    model.verify()
    vectors = zoo.package.read.read_vectors(read_config(model.path))
    assert vectors["samples"].shape == (1, count)
    padded = np.pad(samples[0] / np.float32(32768), (0, 16_000 - count))
    assert np.array_equal(model.logits(model.features(padded[None].astype(np.float32))), vectors["logits"])


def test_vectors_of_more_than_a_clip_are_refused(integers, package_info, tmp_path):
    samples = np.zeros((1, 16_001), np.int16)
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    with pytest.raises(InvalidModel, match="give 1 to 16,000"):
        write_package(tmp_path, integers, frontend, samples, package_info)
