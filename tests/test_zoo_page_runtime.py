"""Models in a page: the integers of their packages, by its own scripts in Node."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from named import largest

import zoo
from studies.c_identical import FRONT_ENDS, answers_of, detector_of, sounds, width_sources
from studies.c_networks import SPACES, row_family, row_network, small_network
from supernet.arch import MAX_CLASSES
from supernet.errors import InvalidQuery
from supernet.files import digest
from supernet.frontend.mel import MelFrontEnd
from supernet.samples import to_int16
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED
from zoo.site.machine import plan
from zoo.site.machine.binary import BINARY, RECORD
from zoo.site.machine.build import build_machine, compiler_version, record_of
from zoo.site.machine.layout import FUNCTIONS, HEADER
from zoo.site.machine.plan import plan_of
from zoo.site.machine.source import machine_files
from zoo.site.runtime import RUNTIME, START, STYLE, clips_script, model_plan, plan_script, runtime_files

NODE = Path(__file__).with_name("page_node.js")
CHUNKS = (1, 7, 160, 333, 20_000)
WIDTHS = ((8, "symmetric"), (4, "symmetric"), (1, "odd"))
STREAM = largest(8)
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="Node (Debian's nodejs) is not installed")


@pytest.fixture
def page(tmp_path):
    """What the scripts of a page find: a function of (plan of a model, samples) pairs."""
    (tmp_path / "scripts").mkdir()
    for name, text in runtime_files().items():
        (tmp_path / "scripts" / name).write_text(text, encoding="utf-8")

    def run(*given, chunks=CHUNKS):
        for number, (_, samples) in enumerate(given):
            samples.astype("<i2").tofile(tmp_path / f"{number}.bin")
        jobs = [{"model": one, "samples": f"{number}.bin", "chunks": chunks} for number, (one, _) in enumerate(given)]
        (tmp_path / "jobs.json").write_text(json.dumps(jobs))
        subprocess.run(["node", NODE, tmp_path], check=True)
        return json.loads((tmp_path / "found.json").read_text())

    return run


def as_plan(sources):
    """That of a network without a package."""
    arch, kind = sources.network.arch, "stream" if sources.streams else "clip"
    step_ms, rate = sources.frontend.hop_samples / sources.frontend.sampling_rate, sources.frontend.sampling_rate
    return {"name": "any", "labels": list(sources.detector.labels), "kind": kind, "rate": rate,
            "clip_samples": arch.frames * sources.frontend.hop_samples, "hop_ms": step_ms,
            "plan": base64.b64encode(plan_of(sources)).decode()}  # fmt: skip


def bundled():
    return [zoo.Model.from_folder(folder) for folder in sorted((BUNDLED / "models").iterdir())]


@needs_node
def test_every_bundled_model_gives_the_logits_of_its_test_vectors(page):
    models = bundled()
    given = [(model_plan(model), with_silence(model.vectors["samples"][0], model.clip_samples)) for model in models]
    for model, found in zip(models, page(*given), strict=True):
        vectors = model.vectors
        if "stream" in vectors:
            assert found["logits"] == vectors["stream"].tolist(), model.name
        else:
            assert found["logits"] == [vectors["logits"][0].tolist()] * 2, model.name


def with_silence(samples, length):
    """A clip, twice."""
    return np.tile(np.pad(samples, (0, length - len(samples))), 2)


@needs_node
def test_a_stream_of_the_bundled_clips_gives_the_answers_and_events_of_the_package_in_time(page):
    """Seconds of the largest bundled stream are printed: `pytest -s`."""
    model = zoo.Model.from_folder(BUNDLED / "models" / STREAM)
    clips = sorted(Path("zoo/clips").glob("*.wav"))
    samples = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in clips])
    [found] = page((model_plan(model), samples))
    expected, _ = model.step(samples, model.reset())
    assert found["logits"] == expected.tolist()
    assert found["samples"] == [320 * (number + 1) for number in range(len(expected))]
    length = len(samples) / model.sampling_rate
    detected = [one for one in model.detect(samples, model.sampling_rate) if one["time_s"] <= length]
    assert len(detected) >= 2
    assert [one["label"] for one in detected] == [model.labels[label] for label, *_ in found["events"]]
    assert [one["score"] for one in detected] == [units / 2**15 for _, units, *_ in found["events"]]
    assert [one["time_s"] for one in detected] == pytest.approx([seconds for *_, seconds in found["events"]])
    seconds = found["seconds"] / length
    print(f"{STREAM}: {1000 * seconds:.1f} ms a second of sound")
    assert seconds < 0.5


@needs_node
@pytest.mark.parametrize("name", SPACES)
def test_small_networks_of_every_family_give_their_integers_at_every_width(name, page):
    """From samples to events, or to scores of clips, on random weights."""
    sources = [small_sources(name, bits, grid) for bits, grid in WIDTHS]
    for own, found in zip(sources, page(*((as_plan(own), heard_by(own)) for own in sources)), strict=True):
        assert_same(own, found)


def small_sources(name, bits, grid):
    """With features that are spread, not at the end of their range, and activations of 8 bits."""
    network, frontend = small_network(name, bits, grid, 8), width_sources(name, bits, grid).frontend
    if isinstance(frontend, MelFrontEnd):
        count = frontend.coefficients
        frontend = replace(frontend, mean=(-5.0,) * count, deviation=(4.0,) * count)
    grids = {spec.name: grid for spec in network.specs if spec.has_weights}
    return Sources(network, frontend, detector_of(network, several_labels=bits == 4), grids, "model")


@needs_node
def test_every_front_end_gives_the_integers_of_its_network(page):
    with row_family():
        sources = [row_sources(number, name) for number, name in enumerate(FRONT_ENDS)]
        for own, found in zip(sources, page(*((as_plan(own), heard_by(own)) for own in sources)), strict=True):
            assert_same(own, found)


def row_sources(number, name):
    network = row_network(FRONT_ENDS[name], number)
    grids = {spec.name: "symmetric" for spec in network.specs if spec.has_weights}
    return Sources(network, FRONT_ENDS[name], detector_of(network, bool(number % 2)), grids, "model")


def heard_by(sources):
    clip = sources.network.arch.frames * sources.frontend.hop_samples
    return sounds(3, 3 * clip).ravel()


def assert_same(sources, found):
    wanted = answers_of(sources, heard_by(sources))
    if sources.streams:
        assert found["logits"] == wanted[1].tolist()
        assert [tuple(event[:3]) for event in found["events"]] == wanted[2]
    else:
        assert found["logits"] == wanted[0].tolist()
        assert (np.argmax(found["units"], 1) == wanted[1]).all()
        assert (np.max(found["units"], 1) == wanted[2]).all()
    assert len(np.unique(found["logits"])) > 20


def test_the_machine_is_that_of_the_sources_and_small():
    """Else run scripts/make_wasm.py."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert record["sources"] == digest(sorted(machine_files().items()))
    assert record["binary"] == digest(BINARY.read_bytes())
    assert BINARY.stat().st_size < 64_000


def test_the_recorded_compiler_builds_the_machine_byte_for_byte():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    version = compiler_version()
    if version != record["compiler"]:
        pytest.skip(f"built by {record['compiler']}; here is {version or 'no clang with wasm-ld'}")
    binary = build_machine()
    assert binary == BINARY.read_bytes()
    assert record == record_of(version, binary)


def test_scripts_are_ascii_data_that_no_label_leaves():
    model = zoo.Model.from_folder(BUNDLED / "models" / STREAM)
    model.knows = ("</script><b>", "ü☃\u2028", *model.knows[2:])
    text = plan_script(model)
    name, value = re.fullmatch(r'"use strict";\nEarshot\.models\[(.*?)\] = (.*);\n', text).groups()
    assert text.isascii()
    assert json.loads(name) == model.name
    assert json.loads(value)["labels"] == list(model.knows)
    clips = json.loads(re.fullmatch(r'"use strict";\nEarshot\.clips = (.*);\n', clips_script())[1])
    assert [base64.b64decode(clip["wav"]) for clip in clips] == [
        (Path("zoo/clips") / f"{clip['name']}.wav").read_bytes() for clip in clips
    ]
    assert [*runtime_files()] == [*RUNTIME, START, STYLE, "hear.js"]


def test_a_plan_holds_no_more_than_a_model_and_its_head():
    sources = width_sources("rows", 8, "symmetric")
    data = plan_of(sources)
    head = dict(zip(HEADER, np.frombuffer(data, "<i4", len(HEADER)).tolist(), strict=True))
    assert head["bytes"] == len(data)
    assert head["classes"] == sources.network.arch.classes
    assert head["call_count"] >= len(sources.steps)
    weights = sum(sources.network.tensors[spec.name].weight.size for spec in sources.specs if spec.has_weights)
    assert weights < len(data) < 2 * weights + 12_000


def test_what_is_too_large_or_unknown_is_said(monkeypatch):
    sources = width_sources("rows", 8, "symmetric")
    monkeypatch.setitem(plan.MOST, "PLACES", 2)
    with pytest.raises(InvalidQuery, match="too large to run in a page: PLACES = 5, of at most 2"):
        plan_of(sources)
    monkeypatch.setitem(plan.MOST, "PLACES", 1024)
    monkeypatch.setattr(plan, "MOST_BYTES", 1000)
    with pytest.raises(InvalidQuery, match="too large to run in a page: bytes = "):
        plan_of(sources)
    monkeypatch.setattr(plan, "FUNCTIONS", {name: count for name, count in FUNCTIONS.items() if name != "keep"})
    with pytest.raises(InvalidQuery, match="'keep' does not run in a page"):
        plan_of(sources)


@needs_node
def test_recordings_are_read_as_they_are_and_rounded_as_earshot_rounds(tmp_path):
    """16-bit WAV of one channel at any rate; floats to the nearest, ties to even."""
    rng = np.random.default_rng(0)
    whole = rng.integers(-32768, 32768, 500).astype(np.int16)
    floats = np.concatenate([rng.uniform(-1.1, 1.1, 300), (np.arange(-9, 9) + 0.5) / 32768])
    for name, channels, kind in (("mono", 1, "PCM_16"), ("stereo", 2, "PCM_16"), ("wide", 1, "PCM_24")):
        soundfile.write(tmp_path / f"{name}.wav", np.repeat(whole[:, None], channels, 1), 8000, kind)
    (tmp_path / "short.wav").write_bytes((tmp_path / "mono.wav").read_bytes()[:30])
    script = (
        runtime_files()["earshot.js"]
        + "const fs = require('fs'), found = {};\n"
        + "for (const name of ['mono', 'stereo', 'wide', 'short']) {\n"
        + "const read = Earshot.wavOf(new Uint8Array(fs.readFileSync(`${process.argv[2]}/${name}.wav`)).buffer);\n"
        + "found[name] = read && [read.rate, ...read.samples];\n}\n"
        + f"found.rounded = [...Earshot.asInt16({json.dumps(floats.tolist())})];\nconsole.log(JSON.stringify(found));\n"
    )
    (tmp_path / "read.js").write_text(script, encoding="utf-8")
    said = subprocess.run(["node", tmp_path / "read.js", tmp_path], check=True, capture_output=True, text=True).stdout
    found = json.loads(said)
    assert found["mono"] == [8000, *whole.tolist()]
    assert [found[name] for name in ("stereo", "wide", "short")] == [None] * 3
    assert found["rounded"] == to_int16(floats).tolist()


@needs_node
def test_the_machine_asks_a_page_for_nothing():
    script = "const m = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));"
    script += "console.log(WebAssembly.Module.imports(m).length)"
    said = subprocess.run(["node", "-e", script, BINARY], check=True, capture_output=True, text=True).stdout
    assert said == "0\n"


def test_as_many_classes_fit_as_networks_have():
    sources = width_sources("rows", 8, "symmetric")
    assert plan.MOST_CLASSES == MAX_CLASSES >= sources.network.arch.classes
