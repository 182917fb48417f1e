"""Models as C: `export_c` writes a folder that gives the integers of the package, from samples to events."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree, which

from supernet.errors import EarshotError
from zoo.export.agreement import Agreement
from zoo.export.base import Export, Runtime
from zoo.export.c.emulator import BOARDS, check_folder, version
from zoo.export.sounds import Sounds

__all__ = ["EXPORT"]

COUNTED = re.compile(r"(\d+) of (\d+) identical")


class _Compiled(Runtime):
    """A compiler and `make`."""

    @property
    def installed(self) -> bool:
        """True where both are on the path."""
        from zoo.export.c.library import compiler

        return bool(compiler() and which("make"))


class _Emulated(Runtime):
    """A core that QEMU emulates, by its name in BOARDS."""

    @property
    def installed(self) -> bool:
        """True where its compiler and QEMU are at hand."""
        return self.missing is None

    @property
    def missing(self) -> str | None:
        """The tools that are not there, and what brings them."""
        lacking = BOARDS[self.name].missing()
        return lacking and f"{self.name}: {lacking}"


class C(Export):
    """A folder of C99 for firmware."""

    name, title, what = "c", "C for firmware", "a folder of C for firmware, from samples to events"
    runtimes = (_Compiled("make and a C compiler", how="apt-get install gcc make"),)
    boards = tuple(map(_Emulated, BOARDS))
    known_answers_alone = True

    def write(self, model, place: Path, name: str | None) -> Path:
        """See zoo.export.c.folder."""
        from zoo.export.c.folder import export_c

        return export_c(model, place, name)

    def check(self, model, place: Path, sounds: Sequence[Sounds]) -> list[Agreement]:
        """The known answers of the folder, by `make check` in a copy of it."""
        from zoo.export.c.library import compiler

        with tempfile.TemporaryDirectory() as scratch:
            copied = copytree(place, Path(scratch) / "c")
            done = subprocess.run(
                ["make", "-C", str(copied / "test"), "check", f"CC={compiler()}"],
                capture_output=True,
                text=True,
                errors="replace",
            )
        found = COUNTED.search(done.stdout)
        if not found:
            raise EarshotError(f"{place}/test: make check says {(done.stderr or done.stdout).strip()[-200:]!r}")
        return [_agreement(Path(compiler()).name, model, *map(int, found.groups()))]

    def check_on(self, board: str, model, place: Path) -> list[Agreement]:
        """The same answers in the folder's own files, built for a core and run there, with what they take."""
        machine = BOARDS[board]
        found = check_folder(place, machine)
        where = f"emulated {board} with the memory of {machine.chip} ({version(machine)})"
        return [_agreement(where, model, found.identical, found.answers, found.structure_bytes, found.stack_bytes)]

    def first_step(self, place: str) -> str:
        """The known answers."""
        return f"make -C {place}/test check"

    def sizes(self, model, place: Path) -> dict[str, int]:
        """Flash: weights, code and tables."""
        return {_form(model): model.entry.flash_bytes}


def _agreement(runtime: str, model, same: int, answers: int, *sizes: int) -> Agreement:
    """Of known answers. sizes: of the structure and the stack, where they were looked at."""
    labels, one, largest = (answers, answers, 0) if same == answers else (None, None, None)
    return Agreement(runtime, _form(model), "known answers", answers, labels, answers, same, one, largest, *sizes)


def _form(model) -> str:
    return "stream" if model.entry.streamable else "clip"


EXPORT = C()
