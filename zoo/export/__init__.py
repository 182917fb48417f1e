"""Models for other places than Python. To add one, write `zoo/export/NAME.py` or a folder (see zoo.export.base), and
name it in EXPORTS.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from predictors.bench import Bench
from supernet.errors import InvalidCheckpoint, InvalidQuery, MissingExtra, nearest_names
from supernet.files import read_json
from supernet.registry import Registry
from zoo.export.agreement import Agreement
from zoo.export.base import Export
from zoo.export.c.bench import export_bench
from zoo.export.place import REPORT
from zoo.export.sounds import Sounds, of_folder, of_vectors

__all__ = ["EXPORTS", "Agreement", "Bench", "Check", "Checked", "check", "export", "export_bench"]

EXPORTS: Registry[Export] = Registry("zoo.export", "export", "EXPORT", ("c", "onnx", "tflite", "esphome"))
"""`EXPORTS(name)` gives the `zoo.export.base.Export` of a place."""


@dataclass(frozen=True)
class Checked:
    """How far an export agrees with its package, and which runtimes it was not run in, with what brings them."""

    found: tuple[Agreement, ...]
    missing: tuple[str, ...]


def export(model, to: str, out: str | Path, name: str | None = None, **options: object) -> Path:
    """Write a model for one of EXPORTS; gives what was written. options: those that the export has.

    Raises InvalidQuery, and MissingExtra where what writes it is not installed.
    """
    return _export(to)(model, out, name, **options)


@dataclass(frozen=True)
class Check:
    """What an export will be checked on, found before it is written, so that bad recordings leave no folder behind.

    sounds: what is heard. missing: runtimes that it will not be run in, with what brings them. board: an emulated one
    that runs it instead.
    """

    model: object
    to: str
    sounds: tuple[Sounds, ...]
    missing: tuple[str, ...]
    board: str | None = None

    @classmethod
    def of(
        cls, model, to: str, data: str | Path | None = None, split: str | None = None, board: str | None = None
    ) -> Check:
        """Raises MissingExtra where no runtime is installed, InvalidData, InvalidQuery."""
        wanted = _export(to)
        runtimes = wanted.asked(board)
        if data is not None and wanted.known_answers_alone:
            raise InvalidQuery(f"data is not for the export {to!r}: it is held to its known answers; leave it out")
        wanted.suit(model)
        missing = tuple(filter(None, (one.missing for one in runtimes)))
        if len(missing) == len(runtimes):
            raise MissingExtra(f"nothing runs the export {to!r} here: {'; '.join(missing)}")
        sounds = of_vectors(model), *([] if data is None else [of_folder(model, data, split)])
        return cls(model, to, sounds, missing, board)

    def __call__(self, place: str | Path) -> Checked:
        """Of what was written into a folder. Raises InvalidQuery for a folder of something else, InvalidData."""
        place, written = Path(place), EXPORTS(self.to)
        _check_written(self.model, self.to, place)
        if self.board is not None:
            return Checked(tuple(written.check_on(self.board, self.model, place)), self.missing)
        return Checked(tuple(written.check(self.model, place, self.sounds)), self.missing)


def check(
    model,
    to: str,
    place: str | Path,
    data: str | Path | None = None,
    split: str | None = None,
    board: str | None = None,
) -> Checked:
    """How far what `export` wrote into a folder agrees with the package, in the runtimes that are installed.

    It hears the test vectors of the package, and with `data` the recordings that `earshot evaluate` finds in a folder,
    of a split or all. board: such as "cortex-m4" for "c": QEMU runs it there instead, with the flash and RAM of a chip
    that has this core. Raises MissingExtra where no runtime is installed, InvalidData, InvalidQuery, and EarshotError
    for a model that does not fit that chip.
    """
    return Check.of(model, to, data, split, board)(place)


def _check_written(model, to: str, place: Path) -> None:
    """Raise InvalidQuery for a folder that holds something else."""
    try:
        report = read_json(place / REPORT)
    except InvalidCheckpoint:
        report = None
    report = report if isinstance(report, dict) else {}
    if report.get("export") != to or report.get("model") != model.name:
        held = f"{report['model']} as {report['export']}" if {"model", "export"} <= {*report} else "no export"
        raise InvalidQuery(f"{str(place)!r:.200} holds {held:.200}, not {model.name} as {to}: export it there first")


def _export(to: str) -> Export:
    if to not in EXPORTS.names:
        raise InvalidQuery(f"to = {to!r:.80} is not possible: {nearest_names(str(to), set(EXPORTS.names))}")
    return EXPORTS(to)
