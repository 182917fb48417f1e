"""Models in C on emulated boards: known answers, sizes and stack on four cores, and instructions on a Cortex-M4.

QEMU emulates instructions, not the time that they take: nothing here says how long memory or a pipeline waits.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from supernet.errors import EarshotError, InvalidQuery
from supernet.files import read_json
from zoo.export.c.folder import export_c
from zoo.export.c.names import c_name
from zoo.export.c.ops import operator
from zoo.export.c.write import Sources, named
from zoo.export.place import REPORT

__all__ = [
    "BOARDS",
    "COUNTING",
    "FLAGS",
    "Board",
    "Checked",
    "build",
    "check",
    "check_folder",
    "instructions",
    "run",
    "version",
]

FOLDER = Path(__file__).with_name("boards")
FLAGS = ("-std=gnu99", "-O2", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
STACK_BYTES = 4096
"""That are kept free, for printf too."""
TICK = 40
"""Instructions of a tick of SysTick, which has 25 MHz where an instruction takes a nanosecond."""
SECONDS = 600
SELF = "model_t *const self = &state;"
SEMIHOSTING = ("-nographic", "-semihosting-config", "enable=on,target=native")


@dataclass(frozen=True)
class Board:
    """A machine of QEMU that has the flash and the RAM, in bytes, of a chip with its core.

    flash_at, ram_at: addresses. specs: the file by which the compiler finds the C library. packages: of Debian, which
    bring all that is needed.
    """

    chip: str
    flash_bytes: int
    ram_bytes: int
    flash_at: int
    ram_at: int
    compiler: str
    flags: tuple[str, ...]
    specs: str
    emulator: tuple[str, ...]
    packages: tuple[str, ...]

    def missing(self) -> str | None:
        """What to install, in one line; None where all is there."""
        lacking = [tool for tool in (self.compiler, self.emulator[0]) if not shutil.which(tool)]
        if not lacking and not Path(_said([self.compiler, f"-print-file-name={self.specs}"])).is_absolute():
            lacking = [self.specs]
        if not lacking:
            return None
        return f"{' and '.join(lacking)} not found; on Debian: apt-get install {' '.join(self.packages)}"


def _arm(core: str, machine: str, chip: str, flash_kib: int, ram_kib: int, flash_at: int, ram_at: int) -> Board:
    flags = (f"-mcpu={core}", "-mthumb", "--specs=nano.specs", "--specs=rdimon.specs", "-nostartfiles",
             f"-T{FOLDER / 'arm.ld'}", str(FOLDER / "arm.c"))  # fmt: skip
    return Board(
        chip, flash_kib << 10, ram_kib << 10, flash_at, ram_at, "arm-none-eabi-gcc", flags, "nano.specs",
        ("qemu-system-arm", "-M", machine), ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm"),
    )  # fmt: skip


BOARDS = {
    "cortex-m4": _arm("cortex-m4", "mps2-an386", "STM32F446", 512, 128, 0, 0x20000000),
    "cortex-m7": _arm("cortex-m7", "mps2-an500", "STM32F746", 1024, 320, 0, 0x20000000),
    "cortex-m33": _arm("cortex-m33", "mps2-an505", "STM32L552", 512, 256, 0x10000000, 0x38000000),
    "rv32imc": Board(
        "ESP32-C3", 4096 << 10, 400 << 10, 0x80000000, 0x80800000, "riscv64-unknown-elf-gcc",
        ("-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs", "--oslib=semihost", "--crt0=semihost"),
        "picolibc.specs", ("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
        ("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf", "qemu-system-misc"),
    ),
}  # fmt: skip
"""By core."""
COUNTING = replace(BOARDS["cortex-m4"], flash_bytes=3 << 20, ram_bytes=4 << 20)
"""Where instructions are counted: the Cortex-M4, with all memory that its machine has, but for known answers."""


@dataclass(frozen=True)
class Checked:
    """What a model said on a board.

    identical, answers: how many known answers are those of the package, of how many. structure_bytes: of its state.
    stack_bytes: that a call takes.
    """

    identical: int
    answers: int
    structure_bytes: int
    stack_bytes: int


def check(model, board: Board, flags: tuple[str, ...] = FLAGS) -> Checked:
    """Run the known answers of a zoo.Model on a board. Raises as `check_folder` does."""
    with tempfile.TemporaryDirectory() as scratch:
        return check_folder(export_c(model, Path(scratch, "model")), board, flags)


def check_folder(folder: Path, board: Board, flags: tuple[str, ...] = FLAGS) -> Checked:
    """Run the known answers of a folder that `export_c` wrote on a board. Raises InvalidQuery where tools are missing,
    EarshotError where the model does not fit into the flash and the RAM of its chip.
    """
    name, places = c_name(read_json(folder / REPORT)["name"]), [folder / "src", folder / "test"]
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch, "check.c")
        program.write_text(named((FOLDER / "check.c").read_text(encoding="utf-8"), name), encoding="utf-8")
        files = [*sorted(places[0].glob("*.c")), program]
        said = run(board, build(board, files, Path(scratch, "check.elf"), places, flags))
    found = re.search(r"(\d+) of (\d+) identical\nstructure (\d+)\nstack (\d+)\n", said)
    if not found:
        raise EarshotError(f"{board.emulator[2]} ended without its known answers: {said[-200:]!r}")
    return Checked(*map(int, found.groups()))


def instructions(sources: Sources, flags: tuple[str, ...] = FLAGS) -> dict:
    """How many instructions an answer takes on a Cortex-M4, on noise, within 0.1 %; the same in each run.

    Gives `step`, from the samples of an answer to its event; of it `front_end` and `network`; and of that `layers`, by
    name. Weights may be random: what is counted hardly depends on them. Raises InvalidQuery where tools are missing.
    """
    sources = sources.called("model")
    texts = {**sources.files(), "model_parts.c": _parts(sources)}
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts.items():
            Path(scratch, name).write_text(text, encoding="utf-8")
        files = [Path(scratch, name) for name in texts if name.endswith(".c")]
        image = build(COUNTING, [*files, FOLDER / "count.c"], Path(scratch, "count.elf"), [FOLDER], flags)
        counts = counted(run(COUNTING, image, "-icount", "shift=0"))
    frames = sources.network.arch.frames // max(1, sources.answers)
    whole = {"step": counts["step"], "front_end": counts["front_end"] * frames, "network": counts["network"]}
    return {**whole, "layers": {step.spec.name: counts[f"layer_{step.spec.name}"] for step in sources.steps}}


def counted(said: str) -> dict[str, int]:
    """Instructions by part, of what `boards/count.c` prints. Raises EarshotError where that is nothing."""
    found = re.findall(r"^part (\w+) (\d+) (\d+)$", said, re.MULTILINE)
    if not found:
        raise EarshotError(f"{COUNTING.emulator[2]} ended without counts: {said[-200:]!r}")
    each = {name: TICK * int(ticks) / int(times) for name, ticks, times in found}
    return {name: round(count - each["nothing"]) for name, count in each.items()}


def _parts(sources: Sources) -> str:
    """The C of all that is counted."""
    names = [f"layer_{step.spec.name}" for step in sources.steps]
    calls = ["\n    ".join(operator(step.spec.kind).calls(step)) for step in sources.steps]
    bodies = zip(names, calls, strict=True)
    functions = [f"static void {name}(void)\n{{\n    {SELF}\n    {call}\n}}\n" for name, call in bodies]
    rows = [f'    {{"{name}", {name}, 1}},' for name in names]
    text = (FOLDER / "model_parts.c").read_text(encoding="utf-8")
    return sources.named(text.replace("@FUNCTIONS", "\n".join(functions)).replace("@PARTS", "\n".join(rows)))


def build(
    board: Board, files: Sequence[Path], image: Path, includes: Sequence[Path] = (), flags: tuple[str, ...] = FLAGS
) -> Path:
    """The firmware of files of C, written to `image`. Raises InvalidQuery where tools are missing, EarshotError where
    it does not fit.
    """
    if lacking := board.missing():
        raise InvalidQuery(lacking)
    memory = {"flash": board.flash_at, "flash_size": board.flash_bytes, "ram": board.ram_at,
              "ram_size": board.ram_bytes, "stack_size": STACK_BYTES}  # fmt: skip
    symbols = [f"-Wl,--defsym=__{name}={value}" for name, value in memory.items()]
    command = [board.compiler, *flags, *board.flags, *symbols, *(f"-I{place}" for place in includes), *map(str, files)]
    made = subprocess.run([*command, "-o", str(image)], capture_output=True, text=True)
    if over := re.search(r"region `(\w+)' overflowed by (\d+) bytes", made.stderr):
        size = board.flash_bytes if over[1] == "flash" else board.ram_bytes
        raise EarshotError(
            f"{board.chip} has {size:,} bytes of {over[1]}, {int(over[2]):,} fewer than the model and the program that "
            "tests it take; give a larger --board, or a smaller model"
        )
    if made.returncode:
        raise EarshotError(f"{board.compiler} does not build the model: {made.stderr.strip()[-300:]}")
    return image


def run(board: Board, image: Path, *options: str) -> str:
    """What a firmware prints, to either output. options: of QEMU. Raises EarshotError where it does not end."""
    command = [*board.emulator, *SEMIHOSTING, *options, "-kernel", str(image)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise EarshotError(f"{board.emulator[2]} runs for more than {SECONDS} s: {' '.join(command)}") from None
    return done.stdout


def version(board: Board = COUNTING, flags: tuple[str, ...] = FLAGS) -> str:
    """Of what builds and emulates."""
    level = next((flag for flag in flags if flag.startswith("-O")), "-O0")
    compiler = _said([board.compiler, "-dumpfullversion"])
    emulator = re.search(r"version (\S+)", _said([board.emulator[0], "--version"]))
    return f"gcc {compiler} {level}, QEMU {emulator[1] if emulator else 'unknown'}"


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
