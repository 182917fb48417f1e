"""What a study is, and how it is found and started.

A new one is one new file in this folder. Its docstring begins with the question and says what `--help` is to say; its
last statement is `STUDY = Study(__doc__, run, options, tables, pictures)`. Benches are studies of speed in a folder of
their own. This file and `rows.py` load nothing heavy, since benches measure the memory of processes that load them.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from studies.rows import FOLDER, Rows
from supernet.errors import EarshotError
from supernet.extras import missing, need
from zoo.keeping import with_notes

Option = tuple[tuple[str, ...], dict[str, Any]]
"""Names and keywords of `argparse.ArgumentParser.add_argument`."""
Shown = tuple[list[str], list[list[str]]]
"""The header of a table in a page, and its rows."""


def option(*names: str, **how: Any) -> Option:
    """An option or an argument, as argparse takes it."""
    return names, how


def value(name: str, default: Any, what: str, **how: Any) -> Option:
    """An option with one value of the type of its default. what: its help, to which the default is added."""
    return option(name, type=type(default), default=default, help=f"{what} (default: %(default)s)", **how)


def several(name: str, choices: Sequence, what: str) -> Option:
    """An option with some of several values. what: its help, to which the values are added; the default is all."""
    known = ", ".join(map(str, choices))
    return option(name, nargs="+", type=type(next(iter(choices))), choices=choices, default=list(choices),
                  metavar="NAME", help=f"{what}: {known} (default: all)")  # fmt: skip


def seeds(count: int) -> Option:
    """The option of several seeds, by default the first ones."""
    return option("--seeds", nargs="+", type=int, default=list(range(count)), help="default: %(default)s")


KEYWORDS = option("data", type=Path, help="folder of Speech Commands in its official layout")
SOUNDS = option("data", type=Path, help="folder of ESC-50")
SCENES = option("data", type=Path, help="folder of speech_commands/, negatives/orders/ and rooms/")
SPOKEN = option("--spoken", type=Path, metavar="FOLDER", help="clips made from text, FOLDER/WORD/*.flac")
HUB = value("--hub", Path("zoo/hub"), "folder of the hub")
RUNS = value("--runs", Path("runs"), "state of the runs")
SEED = value("--seed", 0, "of training")
THREADS = value("--threads", 1, "of the processor")


@dataclass(frozen=True)
class Study:
    """A question, and how it is answered.

    about: what `--help` says, the question first. run: from its options and the rows that it adds to. tables: of the
    pages, by the name of their marks. pictures: figures of matplotlib, by their names in `results/NAME.svg`; both from
    rows. always: its rows are measured each time, as those of time are.
    """

    about: str
    run: Callable[[argparse.Namespace, Rows], object]
    options: tuple[Option, ...] = ()
    tables: dict[str, Callable[[Rows], Shown]] = field(default_factory=dict)
    pictures: dict[str, Callable[[Rows], object]] = field(default_factory=dict)
    always: bool = False

    def parser(self, prog: str | None = None) -> argparse.ArgumentParser:
        """The parser of its command line."""
        parser = argparse.ArgumentParser(
            prog, description=self.about, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        for names, how in self.options:
            parser.add_argument(*names, **how)
        if not self.always:
            parser.add_argument("--again", action="store_true", help="measure rows that are there again, too")
        return parser

    def start(self, arguments: Sequence[str], prog: str | None = None, folder: Path = FOLDER) -> None:
        """Run it. arguments: of its command line. folder: where its rows go. Raises MissingExtra where these cannot be
        written, before any work.
        """
        options = self.parser(prog).parse_args([*map(str, arguments)])
        if self.tables or self.pictures:
            need("pandas")
        if hasattr(options, "threads"):
            _use_threads(options.threads)
        self.run(options, Rows(folder, self.always or options.again))


def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


@dataclass(frozen=True)
class Folder:
    """A folder of studies. kind: what one is called, as its script is. package: of the files."""

    kind: str
    package: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(__file__).parent.parent / self.package

    def questions(self) -> dict[str, str]:
        """The first line of each study's docstring, by its name; no study is loaded for it."""
        texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(self.path.glob("*.py"))}
        found = {name: text for name, text in texts.items() if re.search(r"^STUDY = ", text, re.MULTILINE)}
        return {name: ast.get_docstring(ast.parse(text)).partition("\n\n")[0] for name, text in found.items()}

    def study(self, name: str) -> Study:
        """A study by its name."""
        return import_module(f"{self.package}.{name}").STUDY


STUDIES, BENCHES = Folder("study", "studies"), Folder("bench", "benches")


def main(folder: Folder, about: str, arguments: list[str]) -> None:
    """Run the study that the first argument names; without one, list all."""
    questions = folder.questions()
    if not arguments or arguments[0] in ("-h", "--help"):
        print(about, *(f"{name:16} {question}" for name, question in questions.items()), sep="\n")
        return
    name, *others = arguments
    if name not in questions:
        print(f"{folder.kind}: no {folder.kind} {name!r}; there are {', '.join(questions)}", file=sys.stderr)
        raise SystemExit(2)
    try:
        folder.study(name).start(others, f"{folder.kind}.py {name}")
    except (EarshotError, ModuleNotFoundError) as error:
        sys.exit(f"{folder.kind} {name}: {with_notes(error, str(_told(error)))}")


def _told(error: Exception) -> Exception:
    """An error, or which extra brings a package that is not installed. Raises it again where none does."""
    if not isinstance(error, ModuleNotFoundError):
        return error
    lacking = missing(error)
    if lacking is error:
        raise error
    return lacking
