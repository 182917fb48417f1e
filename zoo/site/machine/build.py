"""The machine as WebAssembly: built by clang and wasm-ld without any library, the same bytes from the same compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from supernet.errors import InvalidQuery
from supernet.files import digest
from zoo.site.machine.source import machine_files

__all__ = ["build_machine", "compiler_version", "record_of"]

TARGET = ("--target=wasm32", "-mbulk-memory")
FLAGS = (*TARGET, "-std=c99", "-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Werror", "-Wno-unused-function")
OF_STRING = ("-fno-builtin",)
LINKED = ("--no-entry", "--gc-sections", "--strip-all", "--stack-first", "-z", "stack-size=262144")


def compiler_version() -> str | None:
    """Of clang and wasm-ld, or None where one is missing."""
    if not (shutil.which("clang") and shutil.which("wasm-ld")):
        return None
    said = (subprocess.run([tool, "--version"], capture_output=True, text=True).stdout for tool in ("clang", "wasm-ld"))
    return ", ".join(text.splitlines()[0].strip() for text in said)


def record_of(version: str, binary: bytes) -> dict:
    """What stands beside the binary: compiler, flags, and digests of the sources and of the binary."""
    sources = digest(sorted(machine_files().items()))
    return {"compiler": version, "flags": [*FLAGS], "linked": [*LINKED], "sources": sources, "binary": digest(binary)}


def build_machine() -> bytes:
    """The WebAssembly. Raises InvalidQuery where clang or wasm-ld is missing or does not build it."""
    if compiler_version() is None:
        raise InvalidQuery("clang and wasm-ld are needed: install the Debian packages clang and lld")
    with tempfile.TemporaryDirectory() as scratch:
        folder, files = Path(scratch), machine_files()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        sources = sorted(name for name in files if name.endswith(".c"))
        for name in sources:
            _done(["clang", *FLAGS, *(OF_STRING * (name == "string.c")), "-I.", "-c", name], folder)
        objects = [f"{name.removesuffix('.c')}.o" for name in sources]
        _done(["wasm-ld", *LINKED, *objects, "-o", "earshot.wasm"], folder)
        return (folder / "earshot.wasm").read_bytes()


def _done(command: list[str], folder: Path) -> None:
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if made.returncode:
        raise InvalidQuery(f"{command[0]} does not build {command[-1]}: {made.stderr.strip()[:2000]}")
