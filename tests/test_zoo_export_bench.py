"""A bench as firmware: built here, run, read back as a profile, and told where it computes something else."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import predictors.settings
import zoo
from predictors.bench import Bench, bench_networks
from predictors.logs import read_log
from supernet.bits import with_bits
from supernet.errors import InvalidQuery
from supernet.space import default_space
from zoo.cli import main
from zoo.export import export_bench
from zoo.export.c.bench import random_network
from zoo.make.publish import publish

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")

BENCH = Bench("mfcc", 3, 1, 60_000, 12_000)
SAFE = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Wpedantic -Wconversion -Werror"
CORES = {
    "cortex-m4": ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"),
    "cortex-m33": ("arm-none-eabi-gcc", "-mcpu=cortex-m33", "-mthumb"),
    "riscv": ("riscv64-unknown-elf-gcc", "-march=rv32imc_zicsr", "-mabi=ilp32", "--specs=picolibc.specs"),
}


def run(folder, flags="-O1", *more):
    command = ["make", "-s", "-C", str(folder), "run", f"CFLAGS={flags}", *more]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bench that was built under sanitizers and has run."""
    place = export_bench(tmp_path_factory.mktemp("bench") / "my_bench", BENCH)
    done = run(place, SAFE)
    assert (done.returncode, done.stderr) == (0, "")
    (place.parent / "log.txt").write_text(done.stdout)
    return place


def test_it_runs_here_as_it_is_and_prints_what_is_read_back(folder):
    found = read_log(folder.parent / "log.txt")
    assert (found.bench, found.unit, found.broken) == (BENCH, "us", 0)
    assert {number: len(taken) for number, taken in found.amounts.items()} == {0: 3, 1: 3, 2: 3}
    assert np.median(found.amounts[2]) > np.median(found.amounts[0])


def test_same_bench_same_bytes_and_what_make_left_is_replaced(folder, tmp_path):
    again = export_bench(tmp_path / "my_bench", BENCH)
    before = {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert {place: (folder / place).read_bytes() for place in before} == before
    (again / "bench").write_text("built")
    export_bench(again, BENCH)
    assert not (again / "bench").exists()
    (again / "notes.txt").write_text("mine")
    with pytest.raises(InvalidQuery, match=r"holds 'notes.txt', which no export wrote"):
        export_bench(again, BENCH)


def test_it_is_a_sketch_and_a_project_of_esp_idf(folder):
    sketch = (folder / "my_bench.ino").read_text()
    assert '#include "src/bench.h"' in sketch
    text = (folder / "esp-idf" / "main" / "CMakeLists.txt").read_text()
    sources = re.search(r"\$\{CMAKE_CURRENT_LIST_DIR\}/(\S+)/\*\.c", text)[1]
    assert (folder / "esp-idf" / "main" / sources).resolve() == (folder / "src").resolve()
    readme = (folder / "README.md").read_text()
    assert "my_bench.ino" in readme
    assert "@" not in readme


def test_a_build_that_computes_something_else_is_found(folder, tmp_path):
    wrong = tmp_path / "my_bench"
    shutil.copytree(folder, wrong, ignore=shutil.ignore_patterns("bench"))
    weights = wrong / "src" / "net01_weights.c"
    text = weights.read_text()
    place = re.search(r"classifier_weights\[\d+\] = \{\s+(\d+)", text)
    weights.write_text(text[: place.start(1)] + str(int(place[1]) ^ 64) + text[place.end(1) :])
    done = run(wrong)
    assert done.returncode != 0
    assert done.stdout.endswith("WRONG: networks computed something else\n")
    (tmp_path / "log.txt").write_text(done.stdout)
    with pytest.raises(zoo.EarshotError, match="network 1 gave logits of checksum"):
        read_log(tmp_path / "log.txt")


@pytest.mark.parametrize("core", CORES)
def test_boards_compile_it_without_a_warning(folder, core, tmp_path):
    compiler, *flags = CORES[core]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    strict = [
        "-std=c99",
        "-Os",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Wconversion",
        "-Werror",
        "-DBOARD_CLOCK_HZ=80000000",
    ]
    for name in ("board", "bench", "networks", "net00"):
        command = [compiler, *flags, *strict, "-c", str(folder / "src" / f"{name}.c"), "-o", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("cmake"), reason="cmake is not installed")
def test_plain_cmake_builds_it(folder, tmp_path):
    built = str(tmp_path / "built")
    for command in (["cmake", "-S", str(folder), "-B", built], ["cmake", "--build", built]):
        subprocess.run(command, check=True, capture_output=True)
    assert "done" in subprocess.run([f"{built}/bench"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("features", ["mfcc", "logmel"])
def test_random_networks_use_the_width_of_their_values(features):
    arch = with_bits(default_space("temporal", 12, features=features).smallest(), 8)
    network = random_network(arch, np.random.default_rng(0))
    heard = np.random.default_rng(1).integers(-128, 128, (4, arch.features.coefficients, arch.frames)).astype(np.int8)
    found = network.run(heard, keep=True)
    for spec in network.specs[1:]:
        values = found[spec.name]
        assert len(np.unique(values)) > (4 if spec.kind == "pool" else 30), spec.name
        assert (np.abs(values) == 128).mean() < 0.9


def test_the_commands_go_from_a_bench_to_a_profile(folder, package, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predictors.settings, "PROFILES", tmp_path / "own")
    (tmp_path / "published").mkdir()
    monkeypatch.setattr(predictors.settings, "BUNDLED", tmp_path / "published")
    size = ["--max-flash", "60kB", "--max-ram", "12kB", "--features", "mfcc", "--count", "3", "--seed", "1"]
    assert main(["export", "--bench", "--out", str(tmp_path / "my_bench"), *size, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == str(tmp_path / "my_bench")
    assert (tmp_path / "my_bench" / "report.json").read_bytes() == (folder / "report.json").read_bytes()
    publish(package, tmp_path / "hub")
    log = (folder.parent / "log.txt").read_text().replace("\n", "\r\n")
    (tmp_path / "log.txt").write_bytes(log.encode("utf-16"))
    command = ["profile", "add", "my-board", str(tmp_path / "log.txt"), "--device", "my board", "--yes"]
    assert main([*command, "--hub", str(tmp_path / "hub"), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["device"], told["runtime"], told["rows"], told["indicative"]) == ("my board", "Earshot C", 3, False)
    assert (tmp_path / "own" / "costs" / "my-board.json").is_file()
    found = predictors.estimate(bench_networks(BENCH)[0], "my-board", folder=tmp_path / "own")
    assert found.basis == "measured"
    assert found.latency_ms == pytest.approx(np.median(read_log(folder.parent / "log.txt").amounts[0]) / 1000)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--bench", "kws"], "--bench takes no MODEL"),
        (["kws"], "export needs MODEL and --to"),
        (["kws", "--to", "c", "--count", "3"], "--count is of a bench"),
        (["--bench", "--max-flash", "lots"], "--max-flash = lots is not possible"),
        (["--bench", "--count", "1"], "count = 1 is not possible"),
        (["--bench", "--max-flash", "5k"], "do not fit into 5,000 bytes of flash"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(given, message, tmp_path, capsys):
    assert main(["export", *given, "--out", str(tmp_path / "x")]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())
