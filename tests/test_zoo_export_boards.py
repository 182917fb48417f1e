"""Models as C on emulated boards: what they answer, what they take, and how many instructions they run."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from named import smallest

import zoo
from predictors.device import add_profile, read_measurements
from supernet.arch import Arch
from supernet.errors import EarshotError, InvalidQuery, MissingExtra
from supernet.memory import clip_ram_bytes, stream_ram_bytes
from zoo.cli import main
from zoo.export.c import emulator
from zoo.export.c.counter import random_sources
from zoo.export.c.emulator import BOARDS, COUNTING
from zoo.export.c.stack import stack_of
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED
from zoo.package.read import read_config

STREAM, CLIP = smallest(2), "esc10-mbconv-0.51M-w2a8-3692254d"
WIDE = "aec-mbconv-2.9M-w4a8-6dfc08e8"
"""Of kernels of 7 by 7, whose weights would take most of the stack."""
EXACT = """\
#include "parts.h"

static void nothing(void)
{
}

static void thousand(void)
{
    __asm__ volatile(".rept 1000\\n nop\\n .endr");
}

static void loop(void) /* of four instructions, 12,500 times */
{
    uint32_t left = 12500;
    __asm__ volatile("1: nop\\n nop\\n subs %0, %0, #1\\n bne 1b" : "+l"(left) : : "cc");
}

const part parts[] = {
    {"nothing", nothing, 1}, {"thousand", thousand, 1}, {"loop", loop, 1}, {"over_a_wrap", thousand, 700000}
};
const uint32_t part_count = sizeof(parts) / sizeof(parts[0]);

void prepare(void)
{
}
"""


def board_of(core):
    """A board, where its tools are installed."""
    if lacking := BOARDS[core].missing():
        pytest.skip(lacking)
    return BOARDS[core]


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


def sources_of(model):
    return Sources(model.network, model.frontend, model.detector(), model.grids, "robin")


@pytest.mark.parametrize(
    ("core", "name"), [*((core, STREAM) for core in BOARDS), ("cortex-m4", WIDE), ("rv32imc", CLIP)]
)
def test_a_model_gives_its_known_answers_on_the_flash_and_ram_of_a_chip(core, name):
    board, model = board_of(core), model_of(name)
    found = emulator.check(model, board)
    assert found.identical == found.answers == (80 if name == STREAM else 3)
    assert found.structure_bytes == (stream_ram_bytes if name == STREAM else clip_ram_bytes)(model.arch)
    assert 100 < found.stack_bytes < 1100


@pytest.mark.parametrize(("core", "name"), [("cortex-m4", STREAM), ("rv32imc", CLIP)])
def test_the_command_checks_the_folder_that_it_wrote_on_a_board(core, name, tmp_path, capsys):
    board_of(core)
    model, out = model_of(name), tmp_path / "my_robin"
    asked = ["export", str(model.path), "--to", "c", "--out", str(out), "--check", "--board", core]
    assert main(asked) == 0
    answers, ram = (80, stream_ram_bytes(model.arch)) if name == STREAM else (3, clip_ram_bytes(model.arch))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == str(out)
    assert f"known answers: {answers} answers, all identical; structure {ram:,} bytes, stack of a call " in said[1]
    assert said[1].startswith(f"emulated {core} with the memory of {BOARDS[core].chip} (gcc ")
    assert main([*asked, "--format", "json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["check"]
    assert (found["identical"], found["structure_bytes"]) == (answers, ram)
    assert 100 < found["stack_bytes"] < 1100


def test_what_a_board_runs_is_the_folder_as_it_is(tmp_path):
    board_of("cortex-m4")
    model, out = model_of(STREAM), tmp_path / "m"
    weights = zoo.export.export(model, "c", out) / "src" / "m_weights.c"
    text = weights.read_text()
    place = re.search(r"classifier_weights\[\d+\] = \{\s+(\d+)", text)
    weights.write_text(text[: place.start(1)] + str(int(place[1]) ^ 64) + text[place.end(1) :])
    [found] = zoo.export.check(model, "c", out, board="cortex-m4").found
    assert found.identical < found.answers == 80
    assert f", {found.identical} identical; structure " in str(found)


def test_without_the_tools_of_a_board_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "m"
    assert main(["export", STREAM, "--to", "c", "--out", str(out), "--check", "--board", "cortex-m4"]) == 1
    assert (
        "nothing runs the export 'c' here: cortex-m4: arm-none-eabi-gcc and qemu-system-arm not found; on Debian: "
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
    ) in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(MissingExtra, match="rv32imc: riscv64-unknown-elf-gcc and qemu-system-riscv32 not found"):
        zoo.export.check(model_of(STREAM), "c", out, board="rv32imc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "c", "--board", "cortex-m4"], "--board is for --check alone"),
        (["--bench", "--board", "cortex-m4"], "--board is for --check alone"),
        (["--to", "onnx", "--check", "--board", "cortex-m4"], "board is not for the export 'onnx'"),
        (["--to", "c", "--check", "--board", "cortex-m3"], "'cortex-m3' is not possible: did you mean cortex-m"),
    ],
)
def test_a_board_that_is_not_for_what_is_asked_is_refused(options, message, tmp_path, capsys):
    model = [] if "--bench" in options else [STREAM]
    try:
        status = main(["export", *model, "--out", str(tmp_path / "m"), *options])
    except SystemExit as stopped:  # of argparse
        status = stopped.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_board_is_asked_for_by_its_name(tmp_path):
    with pytest.raises(InvalidQuery, match=r"board = 'stm32' is not possible: known: cortex-m33, cortex-m4"):
        zoo.export.check(model_of(STREAM), "c", tmp_path, board="stm32")
    with pytest.raises(InvalidQuery, match="board is not for the export 'tflite': no board is emulated for it"):
        zoo.export.check(model_of(STREAM), "tflite", tmp_path, board="cortex-m4")


def test_a_wrong_integer_is_told(monkeypatch):
    board, model = board_of("cortex-m4"), model_of(STREAM)
    step = type(model).step
    monkeypatch.setattr(type(model), "step", lambda *given: (step(*given)[0] + np.int16(1), step(*given)[1]))
    assert emulator.check(model, board).identical < 10


@pytest.mark.parametrize(("memory", "size"), [("flash", 20_000), ("ram", 9_000)])
def test_what_does_not_fit_fails_to_link(memory, size):
    board = replace(board_of("cortex-m4"), **{f"{memory}_bytes": size})
    with pytest.raises(EarshotError, match=rf"STM32F446 has {size:,} bytes of {memory}, [\d,]+ fewer than") as told:
        emulator.check(model_of(STREAM), board)
    assert not isinstance(told.value, InvalidQuery)


def test_known_answers_take_nothing_of_the_flash_of_a_chip():
    model, board = model_of(STREAM), replace(board_of("cortex-m4"), flash_bytes=50_000)
    assert model.vectors["samples"].nbytes > 50_000
    found = emulator.check(model, board)
    assert found.identical == found.answers > 0


def test_the_stack_of_every_bundled_model_is_known():
    """`scripts/stack_sizes.py` measures what is new."""
    unknown = [place.name for place in (BUNDLED / "models").iterdir() if stack_of(read_config(place).arch) is None]
    assert not unknown


def test_ticks_are_counted_to_a_thousandth(tmp_path):
    board_of("cortex-m4")
    (tmp_path / "exact.c").write_text(EXACT)
    files = [tmp_path / "exact.c", emulator.FOLDER / "count.c"]
    image = emulator.build(COUNTING, files, tmp_path / "exact.elf", [emulator.FOLDER])
    said = {emulator.run(COUNTING, image, "-icount", "shift=0") for _ in range(3)}
    assert len(said) == 1
    found = emulator.counted(said.pop())
    assert found["nothing"] == 0
    assert found["thousand"] == pytest.approx(1000, abs=1)
    assert found["over_a_wrap"] == pytest.approx(1000, abs=1)  # of the counter's 24 bits
    assert found["loop"] == pytest.approx(50_000, rel=1e-3)


def test_parts_of_a_stream_add_up_and_are_the_same_in_each_run():
    board_of("cortex-m4")
    sources = sources_of(model_of(STREAM))
    found = emulator.instructions(sources)
    assert list(found["layers"]) == [step.spec.name for step in sources.steps]
    assert sum(found["layers"].values()) == pytest.approx(found["network"], rel=0.01)
    assert 0 < found["step"] - found["front_end"] - found["network"] < 5000  # the window of samples, and the detector
    assert emulator.instructions(sources) == found


def test_a_clip_has_the_front_end_of_all_its_frames():
    board_of("cortex-m4")
    model = model_of(CLIP)
    found = emulator.instructions(sources_of(model))
    assert sum(found["layers"].values()) == pytest.approx(found["network"], rel=0.01)
    rest = found["step"] - found["front_end"] - found["network"]
    assert 0 < rest / model.arch.frames < 5000
    assert json.loads(json.dumps(found)) == found


def test_missing_tools_are_named_with_their_packages():
    lacking = replace(BOARDS["cortex-m4"], compiler="no-such-gcc", emulator=("no-such-qemu", "-M", "none"))
    assert lacking.missing() == (
        "no-such-gcc and no-such-qemu not found; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi "
        "qemu-system-arm"
    )
    with pytest.raises(InvalidQuery, match="no-such-gcc and no-such-qemu not found"):
        emulator.check(model_of(STREAM), lacking)


def test_a_missing_c_library_is_named():
    board = replace(board_of("rv32imc"), specs="no-such.specs")
    assert board.missing().startswith("no-such.specs not found; on Debian: apt-get install gcc-riscv64-unknown-elf")


def test_networks_of_the_space_are_counted_into_a_profile(tmp_path, capsys):
    board_of("cortex-m4")
    path = tmp_path / "m4.csv"
    command = ["measure", "--device", "qemu-cortex-m4", "--out", str(path), "--count", "2", "--format", "json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    rows = read_measurements(path).rows
    small, large = (Arch.from_json(text) for text in rows["arch"])
    assert rows["instructions"][0] == instructions_of_a_clip(small)
    assert 2 < rows["instructions"][1] / rows["macs"][1] < 20
    assert set(large.weight_bits) == {8}
    assert rows["device"].tolist() == ["QEMU mps2-an386"] * 2
    assert main([*command[:-3], "2"]) == 0  # all there
    assert "2 networks" in capsys.readouterr().out
    (profile,) = add_profile("m4", path, tmp_path / "kept")
    assert profile.in_steps


def instructions_of_a_clip(arch):
    sources = random_sources(arch)
    return emulator.instructions(sources)["network"] * sources.answers


def test_random_weights_take_as_many_instructions_as_trained_ones():
    board_of("cortex-m4")
    model = model_of(smallest(8))
    trained = emulator.instructions(sources_of(model))["network"]
    assert emulator.instructions(random_sources(model.arch))["network"] == pytest.approx(trained, rel=0.01)


def test_measuring_names_the_devices_that_there_are(tmp_path, capsys):
    assert main(["measure", "--device", "stm32", "--out", str(tmp_path / "x.csv")]) == 2
    assert "--device stm32: this version measures host and qemu-cortex-m4" in capsys.readouterr().err
