"""Models as C: the integers of the package, on this machine's compiler."""

import errno
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from named import largest, narrowest, smallest

import zoo
from predictors.runtime import runtime_of
from studies.c_identical import FRONT_ENDS, detector_of, random_features, sounds, sources_of, width_sources
from studies.c_networks import GRIDS, SPACES, random_network, row_family, row_network
from studies.c_programs import (
    CONFIGURATIONS,
    VECTORS,
    Compiler,
    Program,
    answers_of,
    missing,
    same_answers,
    same_features,
)
from supernet import folders
from supernet.bits import with_bits
from supernet.cost import weight_bytes
from supernet.errors import InvalidQuery
from supernet.families import family
from supernet.frontend import front_end
from supernet.frontend.mfcc import Mfcc
from supernet.frontend.raw import Raw
from supernet.integer.packing import default_grid
from supernet.memory import clip_ram_bytes, stream_ram_bytes
from supernet.space import default_space
from zoo.cli import main
from zoo.export.c import folder
from zoo.export.c.host.sources import HostSources
from zoo.export.c.library import Library
from zoo.export.c.names import c_name
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED
from zoo.run.detection import Detection, Detector
from zoo.run.scores import IntegerScores

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")

STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fPIC", "-shared")
STREAMS = (smallest(2), largest("mixed"), largest(3), narrowest())
CLIPS = ("esc10-mbconv-0.51M-w2a8-3692254d", "aec-mbconv-0.98M-w8a8-f6130281")
SECONDS = 40


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


@pytest.fixture(scope="module")
def hard():
    """Words, noise of all levels, rails, silence and a constant: 40 s."""
    rng = np.random.default_rng(0)
    words = [soundfile.read(f"zoo/clips/{word}.wav", dtype="int16")[0] for word in ("stop", "left", "go", "yes")]
    levels = np.repeat(2.0 ** rng.uniform(0, 15.5, 100), 4000)
    noise = np.clip(rng.standard_normal(len(levels)) * levels, -32768, 32767).astype(np.int16)
    rails = np.tile(np.array([32767, -32768], np.int16), 8000)
    impulses = np.zeros(16_000, np.int16)
    impulses[::1111] = 32767
    parts = [*words, noise, rails, np.zeros(16_000, np.int16), np.full(16_000, -32768, np.int16), impulses]
    return np.concatenate([*parts, *words])[: SECONDS * 16_000]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_features_logits_and_events_of_the_package(name, hard, tmp_path):
    model = model_of(name)
    sources = sources_of(model)
    library = Library(sources, tmp_path, STRICT)
    assert library.size == stream_ram_bytes(model.arch)
    logits, features, events = library.step(hard, library.reset())
    expected, _ = model.step(hard, model.reset())
    np.testing.assert_array_equal(logits, expected)
    whole, _ = model.frontend.step(hard, model.frontend.reset())
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


@pytest.mark.parametrize(("bits", "grid"), GRIDS)
def test_small_networks_of_every_width_and_grid_give_their_integers(bits, grid, tmp_path):
    """Every kind of layer, strides, taps and maps, on random weights and features, past the front end."""
    name = list(SPACES)[bits % len(SPACES)]
    program = Program(width_sources(name, bits, grid), tmp_path)
    features = random_features(program.sources.network.arch, 200)
    answers, same = same_features(program, CONFIGURATIONS["gcc -O2, 64 bit"], features)
    assert answers >= 200
    assert same == answers


@pytest.mark.parametrize(("bits", "grid"), [(8, "symmetric"), (5, "odd")])
def test_memories_of_16_bits_give_their_integers_in_a_stream_of_the_size_that_is_stated(bits, grid, hard, tmp_path):
    """Behind a front end and before a detector, without a reset for 40 s."""
    sources = width_sources("memories", bits, grid)
    library = Library(sources, tmp_path, STRICT)
    logits, _, events = library.step(hard, library.reset())
    _, expected, told = answers_of(sources, hard)
    np.testing.assert_array_equal(logits, expected)
    assert events == told
    assert library.size == stream_ram_bytes(sources.network.arch)


@pytest.mark.parametrize(("bits", "largest"), [(8, True), (3, False)])
def test_a_stream_of_samples_gives_the_integers_of_its_network(bits, largest, hard, tmp_path):
    """Of family `sinc`, at its largest and its smallest, in the RAM that is stated."""
    space = default_space("sinc", 4, 400)
    arch = with_bits(space.largest() if largest else space.smallest(), bits, edge=bits)
    grid = default_grid(bits)
    network = random_network(arch, grid, np.random.default_rng(0))
    grids = {spec.name: grid for spec in network.specs if spec.has_weights}
    sources = Sources(network, Raw(), detector_of(network, several_labels=False), grids, "model")
    library = Library(sources, tmp_path, STRICT)
    heard = hard[: 160_000 if largest else None]
    logits, features, events = library.step(heard, library.reset())
    wanted, expected, told = answers_of(sources, heard)
    np.testing.assert_array_equal(logits, expected)
    np.testing.assert_array_equal(features.reshape(-1, features.shape[2]), wanted)
    assert len(np.unique(logits)) > 500
    assert events == told
    assert library.size == stream_ram_bytes(arch)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_each_kind_of_front_end_gives_its_features_and_states_its_ram(name, hard, tmp_path):
    frontend = FRONT_ENDS[name]
    with row_family():
        network = row_network(frontend)
        sources = Sources(network, frontend, detector_of(network, several_labels=True), grids_of(network), "model")
        library = Library(sources, tmp_path, STRICT)
        logits, features, events = library.step(hard, library.reset())
        wanted, expected, told = answers_of(sources, hard)
        ram = stream_ram_bytes(network.arch) - type(frontend)().ram_bytes + frontend.ram_bytes
    np.testing.assert_array_equal(features.reshape(-1, features.shape[2]), wanted)
    np.testing.assert_array_equal(logits, expected)
    assert events == told
    assert len(told) > 3
    assert len(np.unique(wanted)) > 100
    assert library.size == ram


@pytest.mark.parametrize("name", ["next", "multiply", "int8", "test", "size"])
def test_a_name_that_makes_two_of_one_is_refused_and_nothing_written(name, tmp_path):
    with pytest.raises(InvalidQuery, match=f"name = '{name}' is not possible.* such as my_{name}"):
        model_of(smallest(2)).export("c", tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["micro", "raw", "logmel"])
def test_each_clip_begins_in_silence(name, hard, tmp_path):
    """Also behind others: of micro the noise is forgotten."""
    frontend = FRONT_ENDS[name]
    with row_family():
        network = row_network(frontend, ahead=True)
        sources = Sources(network, frontend, detector_of(network, several_labels=False), grids_of(network), "model")
        samples = hard[: 6400 * 92].reshape(2, -1)
        wanted = [answers_of(sources, one) for one in samples]
        program, compiler = Program(sources, tmp_path), CONFIGURATIONS["gcc, sanitizers"]
        assert same_answers(program, compiler, samples, wanted) == (184, 184)
        ram = clip_ram_bytes(network.arch)
    assert_size(tmp_path, ram)


@pytest.mark.parametrize("name", family.names)
def test_networks_of_each_family_give_their_integers_and_state_their_ram(name, tmp_path):
    kind = family(name).features[-1]
    networks, rng = default_space(name, 4, 400, kind), np.random.default_rng(0)
    [arch] = networks.from_genes(networks.sample_sizes(rng))
    network = random_network(with_bits(arch, 5, edge=5), "symmetric", rng)
    program = Program(
        Sources(network, front_end(kind)(), detector_of(network, False), grids_of(network), "model"), tmp_path
    )
    answers, same = same_features(program, CONFIGURATIONS["gcc, sanitizers"], random_features(arch, 20))
    assert same == answers >= 20
    assert_size(tmp_path, (stream_ram_bytes if family(name).streamable else clip_ram_bytes)(arch))


def assert_size(folder, ram):
    """Of the structure of the model in a folder."""
    size = folder / "size.c"
    size.write_text(f'#include "model.h"\nint main(void) {{ return sizeof(model_t) == {ram} ? 0 : 1; }}\n')
    subprocess.run(["gcc", str(size), "-o", str(folder / "size")], check=True)
    assert subprocess.run([str(folder / "size")]).returncode == 0


def grids_of(network):
    return {spec.name: "symmetric" for spec in network.specs if spec.has_weights}


@pytest.mark.parametrize("name", [STREAMS[0], CLIPS[0]])
@pytest.mark.parametrize("how", ["gcc -Os, 32 bit", "clang -O3, 64 bit", "gcc, sanitizers", "g++ -O2 calls C"])
def test_other_compilers_word_lengths_and_languages_give_the_same(name, how, tmp_path):
    if missing(how):
        pytest.skip(missing(how))
    model = model_of(name)
    sources = sources_of(model)
    samples = sounds(3, 2 * model.clip_samples if sources.streams else model.clip_samples)
    wanted = [answers_of(sources, one) for one in samples]
    answers, same = same_answers(Program(sources, tmp_path), CONFIGURATIONS[how], samples, wanted)
    assert answers > (600 if sources.streams else 5)
    assert same == answers


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
    assert sum(report["ram"].values()) == ram
    runtime = runtime_of(model.arch)
    assert (report["runtime_bytes"], report["flash_bytes"]) == (runtime, runtime + weight_bytes(model.arch))
    text = (folder / "README.md").read_text()
    assert f"code and tables {runtime:,}" in text
    assert 500 < report["stack_bytes"] < 1400
    assert f"stack of a call: {report['stack_bytes']:,} bytes ({report['stack_measured']})" in text
    rate = f"false alarms: {model.entry.false_alarms_per_hour:g} an hour" if name in STREAMS else "false alarms"
    assert (rate in text) == (name in STREAMS)
    assert report["step_samples"] == (320 if form == "stream" else model.clip_samples)
    size = tmp_path / "size.c"
    size.write_text(f'#include "my_model.h"\nint main(void) {{ return sizeof(my_model_t) == {ram} ? 0 : 1; }}\n')
    subprocess.run(["gcc", f"-I{folder}/src", str(size), "-o", str(tmp_path / "size")], check=True)
    assert subprocess.run([str(tmp_path / "size")]).returncode == 0


@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
def test_known_answers_without_an_event_compile_without_a_warning(level, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_known_samples", lambda *_: np.zeros(16_000, np.int16))
    out = model_of(STREAMS[0]).export("c", tmp_path / "m")
    assert "#define KNOWN_EVENTS 0\n" in (out / "test" / "known_answers.h").read_text()
    done = check(out, f"{level} -Wall -Wextra -Wpedantic -Wconversion -Wtype-limits -Werror")
    assert (done.stdout, done.stderr) == ("55 of 55 identical\n", "")


@pytest.mark.parametrize("column", [0, 1])
def test_a_wrong_label_or_score_of_a_clip_fails_the_known_answers(column, tmp_path, monkeypatch):
    known = folder._known

    def wrong(samples, logits, name, rows):
        return known(samples, logits, name, [(label + (column == 0), score + (column == 1)) for label, score in rows])

    monkeypatch.setattr(folder, "_known", wrong)
    assert check(model_of(CLIPS[0]).export("c", tmp_path / "m"), "-O1").stdout == "0 of 3 identical\n"


def test_the_stack_of_a_shape_that_was_not_measured_is_said_to_be_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "stack_of", lambda _: None)
    out = model_of(STREAMS[0]).export("c", tmp_path / "m")
    assert json.loads((out / "report.json").read_text())["stack_bytes"] is None
    assert re.search(
        r"stack of a call: not measured; bundled models take [\d,]+ to [\d,]+ bytes", (out / "README.md").read_text()
    )


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
    library, hard = Library(sources_of(model_of(STREAMS[0])), tmp_path), hard[:160_000]
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
    Path("my_kws/src/notes.txt").unlink()
    example = next(Path("my_kws/examples").rglob("*.ino"))
    example.write_text("my microphone")
    assert main(["export", STREAMS[0], "--to", "c", "--out", "my_kws"]) == 2
    assert f"holds '{example.relative_to('my_kws')}', which was edited since it was exported" in capsys.readouterr().err
    assert example.read_text() == "my microphone"
    example.unlink()
    assert main(["export", STREAMS[0], "--to", "c", "--out", "my_kws"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["my_kws"]


@pytest.mark.parametrize("name", ["9lives", "a-b", "", "a b", "é", "a" * 64])
def test_names_that_c_does_not_take_are_refused(name, tmp_path):
    with pytest.raises(InvalidQuery, match=r"is not possible: give an identifier of C"):
        model_of(STREAMS[0]).export("c", tmp_path / "x", name=name)
    assert not list(tmp_path.iterdir())


def test_names_with_which_types_of_libraries_begin_are_refused(tmp_path):
    """NAME_t would be one: off_t, clock_t."""
    for name in ("off", "clock", "fpos", "int_least8", "size"):
        with pytest.raises(InvalidQuery, match=f"name = '{name}' is not possible, it is taken by C.* my_{name}"):
            model_of(STREAMS[0]).export("c", tmp_path / "x", name=name)
    included = tmp_path / "all.c"
    headers = ["stdio", "stdlib", "stdint", "time", "wchar", "wctype", "uchar", "threads"]
    included.write_text("".join(f"#include <{name}.h>\n" for name in headers))
    shown = subprocess.run(["cc", "-std=c11", "-E", included], capture_output=True, text=True, check=True).stdout
    types = {name for name in re.findall(r"\btypedef\b[^;]*?\b([a-z]\w*)_t;", shown) if not name.startswith("_")}
    assert {"fpos", "size", "clock"} < types
    for name in sorted(types):
        with pytest.raises(InvalidQuery, match="is not possible"):
            c_name(name)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        *((word, "a word of C") for word in ("int", "register", "class")),
        ("string", "<string.h>"),
        ("Math", "<math.h>"),
        *((word, "taken by C or CMake") for word in ("preinstall", "ALL_BUILD")),
    ],
)
def test_words_of_c_and_headers_are_no_names(name, what, tmp_path):
    """The name may be that of the folder."""
    with pytest.raises(InvalidQuery, match=rf"name = '{name}' is not possible, it is .*{what}.* such as my_{name}"):
        model_of(STREAMS[0]).export("c", tmp_path / name)
    assert not list(tmp_path.iterdir())


def foreign(place):
    """Folders that hold what no export wrote."""
    for name, text in (("other", ""), ("list", "[]"), ("broken", "{"), ("text", '{"files": "report.json"}')):
        (place / name).mkdir()
        (place / name / ("report.json" if text else "notes.txt")).write_text(text)
    (place / "linked").mkdir()
    (place / "linked" / "data").symlink_to("nowhere")


@pytest.mark.parametrize("name", ["other", "list", "broken", "text", "linked"])
def test_folders_of_others_are_left_alone(name, tmp_path):
    foreign(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidQuery, match=rf"out = .*{name}' holds .*, which no export wrote"):
        model_of(STREAMS[0]).export("c", tmp_path / name, name="m")
    assert sorted(tmp_path.rglob("*")) == before


def test_files_and_what_lies_inside_them_are_no_folders(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidQuery, match="file' is a file; give a folder"):
        model_of(STREAMS[0]).export("c", tmp_path / "file", name="m")
    with pytest.raises(InvalidQuery, match=r"is not possible: '.*file' is a file, not a folder"):
        model_of(STREAMS[0]).export("c", tmp_path / "file" / "a" / "b", name="m")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "mine")]


def test_a_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for _ in range(2):
        model_of(STREAMS[0]).export("c", tmp_path / "link", name="m")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "src" / "m.h").is_file()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_leave_to_write_is_one_line(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["export", STREAMS[0], "--to", "c", "--out", str(tmp_path / "x")]) == 2
    assert re.fullmatch(r"earshot: .*x: Permission denied; no C was written\n", capsys.readouterr().err)


def test_a_full_disk_is_one_line_and_the_old_folder_stays(tmp_path, monkeypatch, capsys):
    out = tmp_path / "m"
    model_of(STREAMS[0]).export("c", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr(folders, "_move_in", full)
    status = main(["export", STREAMS[0], "--to", "c", "--out", str(out)])
    assert (status, capsys.readouterr().err) == (1, f"earshot: {out}: No space left on device; no C was written\n")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [out]


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_looks_between_two_answers_are_refused(tmp_path, monkeypatch):
    """Python hears windows there, which C does not have."""
    model = zoo.get(name=smallest(family="dense"))
    monkeypatch.setitem(model._config.values["detection"], "hop_ms", 100)
    with pytest.raises(InvalidQuery, match="hop_ms = 100 is not possible in C, where the stream answers each 40 ms"):
        model.export("c", tmp_path / "m")
    assert not [*tmp_path.iterdir()]


def test_what_make_check_leaves_is_replaced_too(tmp_path):
    model = model_of(STREAMS[0])
    out = model.export("c", tmp_path / "m")
    assert check(out, "-O1").stdout == "80 of 80 identical\n"
    model.export("c", out)
    assert not (out / "test" / "run").exists()


SAY = """
#include <stdio.h>
#include "robin.h"
static const char *const labels[] = ROBIN_LABELS;
int main(void)
{
    for (int i = 0; i < ROBIN_CLASSES; i++) {
        puts(labels[i]);
    }
    return 0;
}
"""


def test_labels_are_strings_of_c(tmp_path):
    """Quotes, backslashes, what looks like a trigraph or a template's word, and other letters."""
    labels = ('say "hi"', "back\\slash??!", "NAME", "grün 1")
    with row_family():
        network = row_network(FRONT_ENDS["raw"])
        detector = Detector(Detection(0.3, 2, 100, 20, 0.9), labels, IntegerScores(0.01))
        texts = Sources(network, FRONT_ENDS["raw"], detector, grids_of(network), "robin").files()
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "say.c").write_text(SAY)
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Werror", "say.c", "-o", "say"], cwd=tmp_path, check=True)
    said = subprocess.run(["./say"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert said.decode().splitlines() == list(labels)


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


ACLE = """\
#include <stdint.h>
typedef int32_t int16x2_t, int8x4_t;
static int half(int32_t pair, int which) { return (int16_t)((uint32_t)pair >> 16 * which); }
static int byte(int32_t word, int which) { return (int8_t)((uint32_t)word >> 8 * which); }
static int32_t both(int low, int high) { return (int32_t)((uint16_t)low | (uint32_t)(uint16_t)high << 16); }
static int32_t __smlad(int16x2_t a, int16x2_t b, int32_t sum)
{
    return sum + half(a, 0) * half(b, 0) + half(a, 1) * half(b, 1);
}
static int16x2_t __sxtb16(int8x4_t word) { return both(byte(word, 0), byte(word, 2)); }
static int16x2_t __sxtab16(int16x2_t add, int8x4_t word)
{
    return both(half(add, 0) + byte(word, 0), half(add, 1) + byte(word, 2));
}
static int16x2_t __sadd16(int16x2_t a, int16x2_t b)
{
    return both(half(a, 0) + half(b, 0), half(a, 1) + half(b, 1));
}
static int32_t __smlabb(int32_t a, int32_t b, int32_t sum) { return sum + half(a, 0) * half(b, 0); }
static int32_t __smlatt(int32_t a, int32_t b, int32_t sum) { return sum + half(a, 1) * half(b, 1); }
static uint32_t __ror(uint32_t word, uint32_t bits) { return word >> bits | word << (32 - bits); }
"""


@pytest.mark.parametrize(("bits", "grid"), GRIDS[::3])
@pytest.mark.parametrize("name", SPACES)
def test_kernels_of_two_products_an_instruction_give_the_same_on_every_kind_of_layer(name, bits, grid, tmp_path):
    """The intrinsics of Arm's DSP extension, as its manual defines them, in C."""
    (tmp_path / "arm_acle.h").write_text(ACLE)
    program = Program(width_sources(name, bits, grid), tmp_path)
    how = Compiler("gcc", ("-O2", "-D__ARM_FEATURE_DSP", "-isystem", str(tmp_path)))
    answers, same = same_features(program, how, random_features(program.sources.network.arch, 20))
    assert answers >= 20
    assert same == answers


@pytest.mark.parametrize(("kernels", "width"), [("gcc -O3, AVX2", GRIDS[-1]), ("gcc -O3, AVX-512 VNNI", GRIDS[3])])
@pytest.mark.parametrize("name", SPACES)
def test_kernels_of_this_processor_give_the_same_on_every_kind_of_layer(name, kernels, width, tmp_path):
    if missing(kernels):
        pytest.skip(missing(kernels))
    plain = width_sources(name, *width)
    sources = HostSources(plain.network, plain.frontend, plain.detector, plain.grids, "model")
    flags = (*VECTORS[kernels].flags, "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    features = random_features(sources.network.arch, 20)
    answers, same = same_features(Program(sources, tmp_path), Compiler("gcc", flags), features)
    assert answers >= 20
    assert same == answers


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_front_ends_of_this_processor_give_the_same(name, hard, tmp_path):
    """On the rails, too; kinds that have no code of their own take that of any processor."""
    kernels = "gcc -O3, AVX2"
    if missing(kernels):
        pytest.skip(missing(kernels))
    frontend, flags = FRONT_ENDS[name], (*VECTORS[kernels].flags, "-std=c99", "-Wall", "-Wextra", "-Wconversion")
    with row_family():
        network = row_network(frontend)
        detector = detector_of(network, several_labels=True)
        sources = HostSources(network, frontend, detector, grids_of(network), "model")
        library = Library(sources, tmp_path, (*flags, "-Werror", "-fPIC", "-shared"))
        logits, features, events = library.step(hard, library.reset())
        wanted, expected, told = answers_of(sources, hard)
    np.testing.assert_array_equal(features.reshape(-1, features.shape[2]), wanted)
    np.testing.assert_array_equal(logits, expected)
    assert events == told


@pytest.mark.parametrize("low_hz", [20.0, 100.0])
def test_a_front_end_of_this_processor_reads_its_tables_alone(low_hz, hard, tmp_path):
    """Of 256 bins, and of 253, which are read in fours."""
    kernels = "gcc -O3, AVX2"
    if missing(kernels):
        pytest.skip(missing(kernels))
    frontend, flags = Mfcc(low_hz=low_hz), (*VECTORS[kernels].flags, *SAFE.split())
    with row_family():
        network = row_network(frontend)
        sources = HostSources(network, frontend, detector_of(network, False), grids_of(network), "model")
        samples = hard[None, :160_000]
        wanted = [answers_of(sources, samples[0])]
        answers, same = same_answers(Program(sources, tmp_path), Compiler("gcc", flags), samples, wanted)
    assert same == answers > 1000


def test_exported_folders_have_no_code_of_this_processor(tmp_path):
    model = model_of(STREAMS[0])
    out = model.export("c", tmp_path / "m")
    text = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert not re.search("AVX|immintrin|_mm256", text)
    host = HostSources(model.network, model.frontend, model.detector(), model.grids, "model")
    assert "_mm256" in "".join(host.files().values())


@pytest.mark.parametrize("name", [smallest(8), STREAMS[2]])
def test_kernels_of_two_products_an_instruction_give_the_same(name, hard, tmp_path):
    """The intrinsics of Arm's DSP extension, as its manual defines them, in C."""
    (tmp_path / "arm_acle.h").write_text(ACLE)
    model = model_of(name)
    flags = ("-std=c99", "-O2", "-D__ARM_FEATURE_DSP", f"-I{tmp_path}", "-fPIC", "-shared")
    library = Library(sources_of(model), tmp_path, flags)
    expected, _ = model.step(hard, model.reset())
    np.testing.assert_array_equal(library.step(hard, library.reset())[0], expected)


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="arm-none-eabi-gcc is not installed")
@pytest.mark.parametrize(("order", "halves"), [("-mlittle-endian", True), ("-mbig-endian", False)])
def test_kernels_of_halves_of_words_are_for_low_bytes_first(order, halves, tmp_path):
    model_of(STREAMS[0]).export("c", tmp_path / "m", name="m")
    flags = ["-mcpu=cortex-r5", "-mthumb", "-std=c99", "-O2", order, "-S", "-o", "-"]
    said = subprocess.run(
        ["arm-none-eabi-gcc", *flags, tmp_path / "m" / "src" / "m.c"], capture_output=True, text=True, check=True
    )
    assert ("smlad" in said.stdout) == halves


@pytest.mark.skipif(not shutil.which("clang"), reason="clang is not installed")
def test_an_int_of_16_bits_is_refused(tmp_path):
    model_of(STREAMS[0]).export("c", tmp_path / "m", name="m")
    (tmp_path / "string.h").write_text("#include <stddef.h>\n")
    command = ["clang", "--target=msp430", "-ffreestanding", "-fsyntax-only", f"-I{tmp_path}"]
    said = subprocess.run([*command, tmp_path / "m" / "src" / "m.c"], capture_output=True, text=True)
    assert "products are computed in int, which must have 32 bits" in said.stderr


def test_clips_say_that_they_are_answered_by_all_labels(tmp_path):
    model = zoo.get(task="esc10", words=["rain", "dog"], family="mbconv")
    out = model.export("c", tmp_path / "m")
    assert "answers are of all of these, not of rain, dog alone" in " ".join((out / "README.md").read_text().split())
