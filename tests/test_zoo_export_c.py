"""Models as C: the integers of the package, on this machine's compiler."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import zoo
from supernet.bits import with_bits
from supernet.errors import InvalidQuery
from supernet.frontend.logmel import LogMel
from supernet.frontend.mfcc import Mfcc
from supernet.integer.packing import default_grid
from supernet.memory import clip_ram_bytes, stream_ram_bytes
from supernet.nn.frontend import dequantise_features
from supernet.nn.network import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork
from zoo.cli import main
from zoo.export.c.library import Library
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED
from zoo.run.detection import Detection, Detector
from zoo.run.scores import IntegerScores

STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fPIC", "-shared")
STREAMS = ("kws-temporal-0.28M-w3a8-8247aed0", "kws-temporal-0.92M-mixed-9ad492c7", "kws-temporal-6.8M-w1a8-427aab52")
CLIPS = ("esc10-mbconv-0.51M-w2a8-3692254d", "aec-mbconv-0.98M-w8a8-f6130281")
SECONDS = 40


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


@pytest.fixture(scope="module")
def hard():
    """Words, noise of all levels, rails, silence and a constant: 40 s."""
    rng = np.random.default_rng(0)
    words = [soundfile.read(f"zoo/clips/{word}.wav", dtype="int16")[0] for word in ("stop", "left", "five", "zero")]
    levels = np.repeat(2.0 ** rng.uniform(0, 15.5, 100), 4000)
    noise = np.clip(rng.standard_normal(len(levels)) * levels, -32768, 32767).astype(np.int16)
    rails = np.tile(np.array([32767, -32768], np.int16), 8000)
    impulses = np.zeros(16_000, np.int16)
    impulses[::1111] = 32767
    parts = [*words, noise, rails, np.zeros(16_000, np.int16), np.full(16_000, -32768, np.int16), impulses]
    return np.concatenate([*parts, *words])[: SECONDS * 16_000]


def sources_of(model, name="model"):
    return Sources(model.network, model.front_end, model.detector(threshold=0.4), model.grids, name)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_features_logits_and_events_of_the_package(name, hard, tmp_path):
    model = model_of(name)
    sources = sources_of(model)
    library = Library(sources, tmp_path, STRICT)
    assert library.size == stream_ram_bytes(model.arch)
    logits, features, events = library.step(hard, library.reset())
    expected, _ = model.step(hard, model.reset())
    np.testing.assert_array_equal(logits, expected)
    whole, _ = model.front_end.step(hard, model.front_end.reset())
    np.testing.assert_array_equal(
        features.reshape(-1, features.shape[2]), whole.T[: features.shape[0] * features.shape[1]]
    )
    settings = sources.detector.settings
    looks = expected[sources.answers - 1 :: settings.hop_ms * sources.answers // model.clip_ms]
    found, _ = sources.detector.step(looks, sources.detector.reset())
    assert len(found) > 5
    assert events == [(one.label, one.units, one.answer) for one in found]


def test_any_cut_of_a_stream_gives_the_same(hard, tmp_path):
    model = model_of(STREAMS[0])
    library = Library(sources_of(model), tmp_path)
    whole = library.step(hard, library.reset())
    rng, state, parts, events, place = np.random.default_rng(1), library.reset(), [], [], 0
    while place < len(hard):
        count = int(rng.choice([1, 7, 160, 333, 16_000]))
        logits, _, found = library.step(hard[place : place + count], state)
        parts, events, place = [*parts, logits], [*events, *found], place + count
    np.testing.assert_array_equal(np.concatenate(parts), whole[0])
    assert events == whole[2]


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("space", ["small_space", "map_space"])
def test_small_networks_of_every_width_give_their_integers(bits, space, request, hard, tmp_path):
    """Every operator of a stream, strides, taps and maps, on random weights."""
    space = request.getfixturevalue(space)
    rng = np.random.default_rng(bits)
    arch = space.from_genes(space.sample(rng))[0]
    kind = LogMel if arch.features.kind == "logmel" else Mfcc
    mels = 40 if kind is Mfcc else 16
    whole = kind(coefficients=mels, mels=mels, mean=(-5.0,) * mels, deviation=(4.0,) * mels)
    frontend = whole.select(arch.features.coefficients, arch.features.step_ms)
    features = frontend.run(hard[: 20 * arch.frames * frontend.hop_samples].reshape(20, -1))
    network = quantised(arch, bits, dequantise_features(torch.from_numpy(features)))
    detector = Detector(Detection(0.3, 2, 100, 20, 0.9), tuple("abcd"), IntegerScores(0.01))
    library = Library(Sources(network, frontend, detector, grids_of(network), "model"), tmp_path, STRICT)
    assert library.size == stream_ram_bytes(network.arch)
    logits, _, _ = library.step(hard, library.reset())
    whole, _ = frontend.step(hard, frontend.reset())
    expected, _ = network.step(whole[None], network.reset())
    assert len(np.unique(expected)) > 100
    np.testing.assert_array_equal(logits, expected[0])


def grids_of(network):
    return {spec.name: default_grid(spec.weight_bits) for spec in network.specs if spec.has_weights}


def quantised(arch, bits, features):
    torch.manual_seed(bits)
    network = recalibrate(Network(arch), features)
    return FakeQuantNetwork(network, with_bits(arch, bits)).calibrate(features).to_integer()


SAFE = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Wpedantic -Wconversion -Werror"


def check(folder, flags=SAFE, cc="gcc"):
    command = ["make", "-s", "-C", str(folder / "test"), "check", f"CC={cc}", f"CFLAGS={flags}"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("name", [STREAMS[1], *CLIPS])
def test_the_folder_checks_itself_under_sanitizers(name, tmp_path):
    model = model_of(name)
    folder = model.export("c", tmp_path / "my_model")
    done = check(folder)
    said = re.fullmatch(r"(\d+) of (\d+) identical\n", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert said[1] == said[2]
    assert int(said[1]) == (80 if name in STREAMS else 3)
    report = json.loads((folder / "report.json").read_text())
    form = "stream" if name in STREAMS else "clip"
    ram = {"stream": stream_ram_bytes, "clip": clip_ram_bytes}[form](model.arch)
    assert (report["form"], report["model"], report[f"{form}_ram_bytes"]) == (form, name, ram)
    size = tmp_path / "size.c"
    size.write_text(f'#include "my_model.h"\nint main(void) {{ return sizeof(my_model_t) == {ram} ? 0 : 1; }}\n')
    subprocess.run(["gcc", f"-I{folder}/src", str(size), "-o", str(tmp_path / "size")], check=True)
    assert subprocess.run([str(tmp_path / "size")]).returncode == 0


def test_an_altered_weight_fails_the_known_answers(tmp_path):
    folder = model_of(STREAMS[0]).export("c", tmp_path / "m")
    weights = folder / "src" / "m_weights.c"
    text = weights.read_text()
    place = re.search(r"classifier_weights\[\d+\] = \{\s+(\d+)", text)
    weights.write_text(text[: place.start(1)] + str(int(place[1]) ^ 64) + text[place.end(1) :])
    done = check(folder, "-O1")
    assert done.returncode != 0
    assert not done.stdout.startswith("80 of 80")


def test_c_has_no_floating_point_no_allocation_and_its_own_names_alone(tmp_path):
    folder = model_of(STREAMS[1]).export("c", tmp_path / "out", name="robin")
    assert {path.name for path in (folder / "src").iterdir()} == {
        "robin.c", "robin.h", "robin_internal.h", "robin_weights.c", "robin_frontend.c"
    }  # fmt: skip
    objects = []
    for source in sorted((folder / "src").glob("*.c")):
        objects.append(tmp_path / f"{source.stem}.o")
        subprocess.run(["gcc", "-std=c99", "-O2", "-fno-pic", "-c", str(source), "-o", str(objects[-1])], check=True)
        assert not re.search(r"\b(float|double|malloc|printf)\b", source.read_text())
    symbols = subprocess.run(["nm", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    public = {line.split()[-1] for line in symbols.splitlines() if re.search(r" [TRDB] ", line)}
    outside = {line.split()[-1] for line in symbols.splitlines() if " U " in line} - public
    assert all(name.startswith("robin_") for name in public)
    assert outside - {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"} <= {"memcpy", "memset"}
    assert not re.search(r" [DdBbC] ", symbols)


def test_two_streams_run_beside_each_other(hard, tmp_path):
    library = Library(sources_of(model_of(STREAMS[0])), tmp_path)
    alone = library.step(hard, library.reset())[0]
    one, other, parts = library.reset(), library.reset(), []
    for part in np.split(hard, 20):
        parts.append(library.step(part, one)[0])
        library.step(part[::-1], other)
    np.testing.assert_array_equal(np.concatenate(parts), alone)


def test_the_command_writes_a_folder_and_replaces_only_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", STREAMS[0], "--to", "c", "--out", "my_kws"]) == 0
    assert capsys.readouterr().out == "my_kws\n"
    before = {path: path.read_bytes() for path in Path("my_kws").rglob("*") if path.is_file()}
    assert main(["export", STREAMS[0], "--to", "c", "--out", "my_kws", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == "my_kws"
    assert {path: path.read_bytes() for path in Path("my_kws").rglob("*") if path.is_file()} == before
    Path("my_kws/src/notes.txt").write_text("mine")
    assert main(["export", STREAMS[0], "--to", "c", "--out", "my_kws"]) == 2
    assert "holds 'src/notes.txt', which no export wrote" in capsys.readouterr().err
    assert Path("my_kws/src/notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["my_kws"]


@pytest.mark.parametrize("name", ["9lives", "a-b", "", "a b", "é"])
def test_names_that_c_does_not_take_are_refused(name, tmp_path):
    with pytest.raises(InvalidQuery, match=r"is not possible: give an identifier of C"):
        model_of(STREAMS[0]).export("c", tmp_path / "x", name=name)
    assert not list(tmp_path.iterdir())


def test_other_exports_are_named(tmp_path):
    with pytest.raises(InvalidQuery, match="to = 'd' is not possible"):
        model_of(STREAMS[0]).export("d", tmp_path / "x")


@pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
def test_plain_cmake_builds_and_tests_it(tmp_path):
    folder = model_of(STREAMS[0]).export("c", tmp_path / "my_model")
    built = str(tmp_path / "built")
    for command in (["cmake", "-S", str(folder), "-B", built], ["cmake", "--build", built]):
        subprocess.run(command, check=True, capture_output=True)
    assert "100% tests passed" in subprocess.run(["ctest"], cwd=built, capture_output=True, text=True).stdout
