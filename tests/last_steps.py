"""The last step of a long command failing: what tests of such commands share.

A failure is either an error, or a kill: then the folder is put back to what it was when the step began, since whatever
ran after that would not have run.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any

from zoo.cli import main

HOWS = ("full", "killed")
AGAIN = "run the same command again, which goes on from there"


class Killed(BaseException):
    """In the place of a signal."""


def fails(monkeypatch, how: str, arguments: list[str], module: Any, name: str, call: int = 1) -> int | None:
    """Run a command of which the function `name` of a module fails at its `call`-th call; returns the exit status.

    how: "full", a disk without space, or "killed".
    """
    real, calls, before = getattr(module, name), [], Path("../before").absolute()

    def failing(*values, **options):
        calls.append(values)
        if len(calls) < call:
            return real(*values, **options)
        if how == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(values[0]))
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(Path.cwd(), before, symlinks=True)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing)
        try:
            status = main(arguments)
        except Killed:
            status = None
            _put_back(before)
    assert len(calls) >= call
    return status


def _put_back(before: Path) -> None:
    for path in Path.cwd().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(before, Path.cwd(), dirs_exist_ok=True)


def counted(monkeypatch, module: Any, name: str) -> list:
    """The arguments of each call of a function from now on."""
    real: Callable = getattr(module, name)
    calls: list = []

    def counting(*values, **options):
        calls.append(values)
        return real(*values, **options)

    monkeypatch.setattr(module, name, counting)
    return calls


def advised(message: str) -> list[str]:
    """The arguments of the command that a message says, as a shell gives them to it."""
    program, *words = shlex.split(re.search(r"`(earshot [^`]*)`$", message)[1])
    assert program == "earshot"
    return [path for word in words for path in (sorted(glob(word)) if "*" in word else [word])]


def files(folder: str | Path) -> dict[str, bytes]:
    """What a folder holds, but for locks, by names below it."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
