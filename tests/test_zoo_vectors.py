"""Test vectors: what they hold against a truth of its own, what gives them away, and packages of schema 1."""

import errno
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from test_registries import calibrated, drawn
from test_zoo_pack import reseal
from toys import Width, toys

import zoo
from supernet import folders
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.errors import EarshotError, InvalidPackage
from supernet.files import digest, load_tensors, read_json, save_tensors, write_json
from supernet.frontend.logmel import LogMel
from supernet.frontend.micro import Micro
from supernet.frontend.raw import Raw
from supernet.nn.network import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork
from supernet.samples import from_int16
from zoo.cli import main
from zoo.hubs.folder import BUNDLED
from zoo.make import renew
from zoo.make.package import noise, write_package
from zoo.package.plots import events_figure
from zoo.package.read import CARD, CONFIG, MODEL, VECTORS, read_config, read_vectors

KEPT = Path(__file__).parent / "kept" / "tones-temporal-0.077M-w4a8-5c711e96"
"""Written by version 0.16: schema 1."""


@pytest.fixture
def kept(tmp_path):
    return Path(shutil.copytree(KEPT, tmp_path / "hub" / "models" / KEPT.name))


@pytest.fixture
def copy(package, tmp_path):
    return Path(shutil.copytree(package, tmp_path / package.name))


def altered(folder: Path, **changes) -> None:
    """Test vectors with other values, as somebody would write them on purpose; without those that are None."""
    vectors, metadata = load_tensors(folder / VECTORS)
    vectors = {name: array for name, array in (vectors | changes).items() if array is not None}
    save_tensors(folder / VECTORS, vectors, metadata)
    reseal(folder, read_json(folder / CONFIG))


def checksum(values: np.ndarray) -> int:
    """Of a map (channels, height, frames), integer by integer."""
    channels, height, frames = values.shape
    found = 0
    for frame in range(frames):
        for row in range(height):
            for channel in range(channels):
                number = int(values[channel, row, frame]) % 2**16
                found = zlib.crc32(bytes([number % 256, number // 256]), found)
    return found


def test_vectors_are_what_the_network_gives_layer_by_layer_and_in_a_stream(package):
    model, vectors = zoo.Model.from_folder(package), read_vectors(read_config(package))
    features = model.features(vectors["samples"])
    assert np.array_equal(features, vectors["features"])
    outputs = model.network.run(features, keep=True)
    for number, spec in enumerate(model.network.specs[:-1]):
        for clip, values in enumerate(outputs[spec.name]):
            assert vectors["layers"][clip, number] == checksum(values), spec.name
    for clip, logits in enumerate(vectors["logits"]):
        assert np.array_equal(logits, model.logits(features[clip : clip + 1])[0])
        assert vectors["layers"][clip, -1] == zlib.crc32(logits.astype("<i2").tobytes())
    clip = vectors["samples"][0]
    [once], [whole] = model.stream([clip]), model.stream([np.concatenate([clip, clip])])
    assert np.array_equal(vectors["stream"], whole)
    assert np.array_equal(vectors["stream"][len(once) - 1], vectors["logits"][0])
    assert not np.array_equal(vectors["stream"][len(once) :], once), "what came before is heard"


@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("features", (1, 2, 30), "features"),
        ("layers", (1, 4), "layer "),
        ("layers", (0, -1), "layer classifier"),
        ("logits", (1, 2), "logits"),
        ("stream", (60, 1), "stream"),
        ("samples", (0, 5000), "features"),
    ],
)
def test_one_other_integer_is_named(copy, name, place, said):
    vectors = read_vectors(read_config(copy))
    vectors[name][place] += 100
    altered(copy, **{name: vectors[name]})
    with pytest.raises(InvalidPackage, match=f"the test vectors give other integers, first in {said}"):
        zoo.Model.from_folder(copy).verify()


def test_the_first_layer_that_differs_is_named(copy):
    vectors, specs = read_vectors(read_config(copy)), zoo.Model.from_folder(copy).network.specs
    vectors["layers"][1, 5:] += 1
    altered(copy, layers=vectors["layers"])
    with pytest.raises(InvalidPackage, match=f"first in layer {specs[5].name};"):
        zoo.Model.from_folder(copy).verify()


@pytest.mark.parametrize("lacking", ["layers", "stream"])
def test_vectors_without_all_that_their_schema_has_are_refused(copy, lacking):
    altered(copy, **{lacking: None})
    with pytest.raises(InvalidPackage, match="not 1 to 16 clips of the architecture"):
        zoo.Model.from_folder(copy).verify()


def test_networks_of_whole_clips_have_no_stream(package_info, tmp_path):
    arch = drawn("mbconv")[1][0]
    frontend = LogMel(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    folder = write_package(tmp_path, calibrated(arch).to_integer(), frontend, noise(arch), package_info)
    zoo.Model.from_folder(folder).verify()
    assert set(read_vectors(read_config(folder))) == {"samples", "features", "layers", "logits"}


@pytest.mark.parametrize("frontend", [Micro(), Raw()])
def test_front_ends_without_mean_and_deviation_have_vectors_too(frontend, package_info, tmp_path):
    features = FeatureSpec(frontend.kind, frontend.coefficients, frontend.step_ms)
    arch = Arch("toy", features, 100, 4, Width(8))
    maps = torch.randn(8, frontend.coefficients, 100, generator=torch.Generator().manual_seed(0))
    with toys():
        network = FakeQuantNetwork(recalibrate(Network(arch), maps), with_bits(arch, 8)).calibrate(maps).to_integer()
        model = zoo.Model.from_folder(write_package(tmp_path, network, frontend, noise(arch), package_info))
        model.verify()
        assert model.entry.frontend_macs == frontend.macs(100)
        clip = (np.random.default_rng(0).standard_normal(16_000) * 3000).astype(np.int16)
        [answers] = model.stream([clip])
        assert np.array_equal(answers[-1], model.logits(model.features(clip[None]))[0])
        recording = {"array": np.tile(from_int16(clip), 3), "sampling_rate": 16_000}
        assert model.spectrogram(recording)[0].shape == (40, 300)
        assert events_figure(*model.spectrogram(recording), [], model.drawn.to_dict(), "").axes


def test_a_package_of_schema_1_runs_and_holds(kept, capsys):
    assert read_json(kept / CONFIG)["schema"] == 1
    model = zoo.Model.from_folder(kept)
    model.verify()
    clip = np.zeros(16_000, np.float32)
    assert {answer["label"] for answer in model(clip, 16_000)} == {"up", "down", "_unknown_", "_silence_"}
    assert set(read_vectors(read_config(kept))) == {"samples", "features", "logits"}
    zoo.rebuild(kept.parent.parent)
    assert main(["verify", str(kept.parent.parent)]) == 0
    assert "1 of 1 hold" in capsys.readouterr().out


@pytest.mark.parametrize("steps", [1, 2])
def test_features_of_schema_1_hold_within_a_step(kept, steps):
    """As front ends in floating point differed; the logits are of the features that are stored."""
    model, vectors = zoo.Model.from_folder(kept), read_vectors(read_config(kept))
    features = vectors["features"].copy()
    features[0, 3, 20:30] += np.where(features[0, 3, 20:30] < 0, steps, -steps).astype(np.int8)
    altered(kept, features=features, logits=model.logits(features))
    model = zoo.Model.from_folder(kept)
    if steps == 1:
        model.verify()
    else:
        with pytest.raises(InvalidPackage, match="first in features"):
            model.verify()


def test_logits_of_schema_1_hold_exactly(kept):
    altered(kept, logits=read_vectors(read_config(kept))["logits"] + np.int16(1))
    with pytest.raises(InvalidPackage, match="first in logits"):
        zoo.Model.from_folder(kept).verify()


def test_a_hub_of_older_models_is_renewed_and_nothing_else_changes(kept, package, capsys):
    hub = kept.parent.parent
    zoo.rebuild(hub)
    before = {path.relative_to(hub): path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    assert main(["rebuild", str(hub), "--renew"]) == 0
    assert f"{hub} lists 1" in capsys.readouterr().out
    after = {path.relative_to(hub): path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed == {CONFIG, VECTORS, CARD, "index.json"}
    assert after.keys() == before.keys()
    assert [one.problem for one in zoo.verify(hub)] == [None]
    old, new = (read_json(folder / CONFIG) for folder in (KEPT, kept))
    assert {key for key in old if old[key] != new[key]} == {"schema", "digests", "costs"}
    runtime = new["costs"]["runtime_bytes"]
    assert runtime > old["costs"]["runtime_bytes"] == 0
    assert new["costs"] == {
        **old["costs"],
        "runtime_bytes": runtime,
        "flash_bytes": runtime + old["costs"]["weight_bytes"],
    }
    assert f"| {runtime:,} bytes |" in (kept / CARD).read_text()
    assert new["schema"] == 2
    written = {name: digest((kept / name).read_bytes()) for name in (VECTORS, CARD)}
    assert new["digests"] == old["digests"] | written
    assert np.array_equal(read_vectors(read_config(kept))["samples"], read_vectors(read_config(KEPT))["samples"])
    zoo.rebuild(hub, renew=True)
    assert after == {path.relative_to(hub): path.read_bytes() for path in hub.rglob("*") if path.is_file()}


def test_what_does_not_hold_stays_as_it_is_and_is_told(kept, caplog):
    altered(kept, logits=read_vectors(read_config(kept))["logits"] + np.int16(1))
    data = (kept / CONFIG).read_bytes()
    zoo.rebuild(kept.parent.parent, renew=True)
    assert "stays as it is" in caplog.text
    assert "first in logits" in caplog.text
    assert (kept / CONFIG).read_bytes() == data


def test_another_card_is_written_as_now_and_nothing_else_changes(kept):
    hub = kept.parent.parent
    zoo.rebuild(hub, renew=True)
    now = {path: path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    config = read_json(kept / CONFIG)
    (kept / CARD).write_bytes(now[kept / CARD].replace(b"MACs", b"macs"))
    write_json(kept / CONFIG, {**config, "digests": {**config["digests"], CARD: digest((kept / CARD).read_bytes())}})
    zoo.rebuild(hub)
    assert {path for path in now if path.read_bytes() != now[path]} == {kept / CARD, kept / CONFIG, hub / "index.json"}
    zoo.rebuild(hub, renew=True)
    assert {path: path.read_bytes() for path in hub.rglob("*") if path.is_file()} == now


@pytest.mark.parametrize("step", [(renew, "write_json"), (folders, "_move_in")])
def test_renewing_that_breaks_off_changes_nothing(kept, monkeypatch, step):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    hub = kept.parent.parent
    zoo.rebuild(hub)
    before = {path: path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    monkeypatch.setattr(*step, full)
    with pytest.raises(EarshotError, match="No space left on device"):
        zoo.rebuild(hub, renew=True)
    assert before == {path: path.read_bytes() for path in hub.rglob("*") if path.is_file()}


def test_renewing_follows_no_link_out_of_the_hub(kept, tmp_path, caplog):
    models = tmp_path / "other" / "models"
    models.mkdir(parents=True)
    (models / kept.name).symlink_to(kept)
    data = (kept / CONFIG).read_bytes()
    zoo.rebuild(tmp_path / "other", renew=True)
    assert "leads out of the hub" in caplog.text
    assert (kept / CONFIG).read_bytes() == data


def test_publishing_an_older_model_renews_it(kept, tmp_path):
    place = zoo.publish(kept, tmp_path / "new")
    folder = tmp_path / "new" / "models" / kept.name
    assert read_json(folder / CONFIG)["schema"] == 2
    assert (folder / MODEL).read_bytes() == (KEPT / MODEL).read_bytes()
    assert (folder / CARD).is_file()
    assert {"layers", "stream"} <= set(read_vectors(read_config(folder)))
    assert [one.problem for one in zoo.verify(place)] == [None]


def test_bundled_models_are_of_this_schema():
    folders = sorted((BUNDLED / "models").iterdir())
    assert len(folders) == len(zoo.list(hub=BUNDLED))
    for folder in folders:
        config = read_config(folder)
        assert config.values["schema"] == 2
        assert ("stream" in read_vectors(config)) == config.values["streamable"]
