"""What an export is: one place that models go to, how it is written, and how what was written is run again.

To add one, write `zoo/export/NAME.py` or a folder, end it with `EXPORT =`, and name it in `zoo.export.EXPORTS`.
Packages that only it needs are imported inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from supernet.errors import InvalidQuery, nearest_names
from supernet.extras import has, need
from zoo.export.agreement import CLIP, STREAM, Agreement, Runner, agreement
from zoo.export.sounds import Sounds

__all__ = ["BOTH", "FORM", "FORMS", "Export", "Option", "Runtime", "earshot_version", "identity"]

FORMS, BOTH = (CLIP, STREAM), "both"


@dataclass(frozen=True)
class Option:
    """A choice of how an export is written: a keyword in Python, `--NAME` of the command. choices: what it may be;
    empty for any text. default: the usual one.
    """

    name: str
    help: str
    default: str
    choices: tuple[str, ...] = ()

    def check(self, value: str) -> None:
        """Raise InvalidQuery for what is no choice."""
        if self.choices and value not in self.choices:
            known = nearest_names(str(value), self.choices)
            raise InvalidQuery(f"{self.name} = {value!r:.80} is not possible: {known}")


FORM = Option("form", "clips, a stream, or both where the model has both", BOTH, (*FORMS, BOTH))
"""Of exports with a file a form."""


@dataclass(frozen=True)
class Runtime:
    """Something that runs what was written. packages: what it needs, as imported; how: the command that brings it."""

    name: str
    packages: tuple[str, ...] = ()
    how: str = ""

    @property
    def installed(self) -> bool:
        """True where it is at hand."""
        return has(*self.packages)

    @property
    def missing(self) -> str | None:
        """That it is not installed, and what brings it; None where it is at hand."""
        return None if self.installed else f"{self.name} is not installed: {self.how}"


class Export:
    """One place that models go to.

    name: as in `--to`. title: in pages. what: it writes, in words. packages: those that it needs to write, as imported.
    options: beside a name. runtimes: which run what was written. boards: emulated ones, which run it where they are
    asked for by name. known_answers_alone: whether recordings add nothing to its check.
    """

    name = ""
    title = ""
    what = ""
    packages: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    runtimes: tuple[Runtime, ...] = ()
    boards: tuple[Runtime, ...] = ()
    known_answers_alone = False

    def __call__(self, model, out: str | Path, name: str | None = None, **options: object) -> Path:
        """Write a model; gives what was written. options: None is the default. Raises InvalidQuery, and MissingExtra
        where a package is missing.
        """
        self.suit(model)
        options = {key: str(value) for key, value in options.items() if value is not None}
        known = {option.name: option for option in self.options}
        for key, value in options.items():
            if key not in known:
                raise InvalidQuery(f"{key} is no option of the export {self.name!r}: leave it out")
            known[key].check(value)
        need(*self.packages)
        return self.write(model, Path(out), name, **{option.name: option.default for option in self.options} | options)

    def suit(self, model) -> None:
        """Raise InvalidQuery for a model that cannot go there, whatever is installed."""

    def write(self, model, place: Path, name: str | None, **options: str) -> Path:
        """Write a model into a folder, whole or not at all (zoo.export.place); gives the folder."""
        raise NotImplementedError

    def runners(self, model, place: Path) -> Iterator[Runner]:
        """What runs each written form in each runtime that is installed."""
        raise NotImplementedError

    def check(self, model, place: Path, sounds: Sequence[Sounds]) -> list[Agreement]:
        """How far what was written into a folder agrees with the package, by form, runtime and sounds."""
        return [agreement(model, runner, some) for runner in self.runners(model, place) for some in sounds]

    def check_on(self, board: str, model, place: Path) -> list[Agreement]:
        """The same on one of `boards`, by its name."""
        raise NotImplementedError

    def asked(self, board: str | None) -> tuple[Runtime, ...]:
        """The runtimes of a check: on a board that one alone. Raises InvalidQuery for a board that it has not."""
        if board is None:
            return self.runtimes
        known = {one.name: one for one in self.boards}
        if not known:
            raise InvalidQuery(f"board is not for the export {self.name!r}: no board is emulated for it; leave it out")
        if board not in known:
            raise InvalidQuery(f"board = {board!r:.80} is not possible: {nearest_names(str(board), known)}")
        return (known[board],)

    def first_step(self, place: str) -> str:
        """What to try next, in words. place: the folder, quoted for a shell."""
        return f"{place}/README.md"

    def sizes(self, model, place: Path) -> dict[str, int]:
        """Bytes of what was written that a device or program needs, by form; weights as they are stored."""
        raise NotImplementedError

    def example(self, model) -> dict[str, str]:
        """Options without which a model is not written, with a choice for each; most need none."""
        return {}


def identity(model) -> dict[str, str]:
    """Which model a file holds, as texts for its metadata: package, version of Earshot, digest of its weights."""
    return {
        "earshot.model": model.name,
        "earshot.task": model.task,
        "earshot.version": earshot_version(),
        "earshot.weights_sha256": model.weights_sha256,
        "earshot.labels": "\n".join(model.knows),
        "earshot.licence": model.licence,
    }


def earshot_version() -> str:
    """As installed; `source` where it is not."""
    try:
        return version("earshot")
    except PackageNotFoundError:
        return "source"
