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


class C(Export):
    """A folder of C99 for firmware."""

    name, title, what = "c", "C for firmware", "a folder of C for firmware, from samples to events"
    runtimes = (_Compiled("make and a C compiler", how="apt-get install gcc make"),)
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
        same, answers = map(int, found.groups())
        labels, one, largest = (answers, answers, 0) if same == answers else (None, None, None)
        what = Path(compiler()).name, _form(model), "known answers"
        return [Agreement(*what, answers, labels, answers, same, one, largest)]

    def first_step(self, place: str) -> str:
        """The known answers."""
        return f"make -C {place}/test check"

    def sizes(self, model, place: Path) -> dict[str, int]:
        """Flash: weights, code and tables."""
        return {_form(model): model.entry.flash_bytes}


def _form(model) -> str:
    return "stream" if model.entry.streamable else "clip"


EXPORT = C()
