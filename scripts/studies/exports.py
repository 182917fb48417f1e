"""Which bundled model goes into which other runtime, at what cost, and how far does it agree there?

    python scripts/study.py exports                                        # all models, on their test vectors
    python scripts/study.py exports --exports onnx --models NAME
    python scripts/study.py exports --models --data speech_commands/       # some models of keywords, on clips of test

Each export is written, and run in each runtime that is installed, as `earshot export --check` does: answers beside
those of the package, share with equal labels, share of outputs that are identical and at most one of their own steps
apart, the largest distance in such steps; and the size of its file, or of its code and weights in flash, beside the
packed weights. Exports are the usual ones, with an example of what has to be chosen, such as a word. What a model
cannot be exported to is a row with the reason. A runtime that is not installed is named and left out. Rows:
`exports.csv`.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from studies.base import HUB, Shown, Study, option, several
from studies.bundled import names_at
from studies.rows import Rows
from supernet.bits import MIXED
from supernet.errors import InvalidQuery, MissingExtra
from zoo.export import EXPORTS
from zoo.export.agreement import Agreement
from zoo.export.sounds import VECTORS, of_folder, of_vectors

if TYPE_CHECKING:
    import pandas as pd

TABLE, HEARD = "exports", "exports_heard"
COUNTS = ["answers", "same_labels", "outputs", "identical", "within_one", "largest"]
MICRO = {"runtime": "micro"}
WAYS = {"tflite": ({}, MICRO, {**MICRO, "weights": "8"}, {"weights": "8"}, {**MICRO, "logits": "8", "form": "clip"})}
"""Sets of options of exports on recordings, where there are others than the usual ones. Those of weights are for models
of few bits."""
FEW_BITS = 4
CLIPS, SPLIT = "clips of test", "test"
RELEASE = re.compile(r" (\d\S*)$")
"""Of a runtime, behind its name."""


def _recorded(hub: Path) -> list[str]:
    """Words of three sizes, the largest at 8 bits alone."""
    narrow, wide = (names_at(bits, hub) for bits in (4, 8))
    return [narrow[0], wide[0], narrow[len(narrow) // 2], wide[len(wide) // 2], wide[-1]]


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Add the rows."""
    place = zoo.open_hub(options.hub)
    names = place.index.values("name") if options.models is None else options.models
    for name in names:
        for to in options.exports:
            _add(rows, zoo.get(name=name, hub=place), to, VECTORS, None, {})
    for name in options.recorded or _recorded(options.hub) if options.data else ():
        for to in options.exports:
            model = zoo.get(name=name, hub=place)
            for how in () if EXPORTS(to).known_answers_alone else _ways(model, to):
                _add(rows, model, to, CLIPS, options.data, how)


def _ways(model, to: str) -> Iterator[dict[str, str]]:
    """Sets of options on recordings."""
    few = model.entry.bits == MIXED or model.entry.bits <= FEW_BITS
    return (options for options in WAYS.get(to, ({},)) if few or "weights" not in options)


def _add(rows: Rows, model, to: str, what: str, data: Path | None, how: dict[str, str]) -> None:
    """The rows of one export on one kind of sounds, one a form and runtime. how: its options."""
    named = " ".join([to, *(f"--{name} {value}" for name, value in how.items())])
    keys = {"model": model.name, "export": named, "sounds": what}
    if rows.done(TABLE, keys):
        return
    try:
        for own, values in _measured(model, to, data, how):
            rows.add(TABLE, {**keys, **own}, values)
    except MissingExtra as error:
        print(f"left out: {to}: {error}", flush=True)


def _measured(model, to: str, data: Path | None, how: dict[str, str]) -> Iterator[tuple[dict, dict]]:
    """Keys and values of rows."""
    export = EXPORTS(to)
    weights = {"weight_bytes": model.entry.weight_bytes}
    with tempfile.TemporaryDirectory() as folder:
        try:
            place = export(model, Path(folder) / "model", **export.example(model), **how)
        except InvalidQuery as error:
            yield {"form": "", "runtime": ""}, {**weights, "why": str(error)}
            return
        sounds = of_vectors(model) if data is None else of_folder(model, data, SPLIT)
        sizes = export.sizes(model, place)
        if not any(runtime.installed for runtime in export.runtimes):
            raise MissingExtra(", ".join(f"{one.name} is not installed" for one in export.runtimes))
        for found in export.check(model, place, [sounds]):
            own = {"form": found.form, "runtime": RELEASE.sub("", found.runtime)}
            yield own, {**weights, "bytes": sizes[found.form], **_counted(found), "why": ""}


def _counted(found: Agreement) -> dict:
    counts, release = found.to_dict(), RELEASE.search(found.runtime)
    wanted = ("answers", "same_labels", "outputs", "identical", "within_one", "largest")
    return {"release": release[1] if release else "", **{name: counts[name] for name in wanted}}


def table(found: Rows) -> Shown:
    """A row a model: bytes, and how far it agrees on its test vectors; of each place to which some model goes."""
    rows = found.read(TABLE, keep_default_na=False)
    rows = rows[rows.sounds == VECTORS]
    known = [to for to in EXPORTS.names if to in set(rows.export[rows.why == ""])]
    names = ["model", "packed weights, bytes"]
    names += [name for to in known for name in (f"{to}, bytes", f"{to} agrees")]
    return names, [
        [str(model), f"{int(own.weight_bytes.iloc[0]):,}",
         *(text for to in known for text in _cells(own[own.export == to]))]
        for model, own in rows.groupby("model", sort=True)
    ]  # fmt: skip


def _cells(rows: pd.DataFrame) -> tuple[str, str]:
    """Bytes by form, and agreement, the least of all forms and runtimes."""
    if not len(rows):
        return "", ""
    rows = rows[rows.why == ""]
    if not len(rows):
        return "none", "cannot go there"
    counts = rows[[*COUNTS, "bytes"]].apply(_whole)
    size = " / ".join(f"{int(one):,}" for one in dict.fromkeys(counts.bytes))
    if (counts.identical == counts.outputs).all():
        return size, "identical"
    labels = (counts.same_labels / counts.answers).min()
    return size, f"labels {_percent(labels)}, {int(counts.largest.max()):,} steps at most"


def heard(found: Rows) -> Shown:
    """On recordings: a row a model, export, form and runtime."""
    rows = found.read(TABLE, keep_default_na=False)
    rows = rows[(rows.sounds == CLIPS) & (rows.why == "")]
    names = [
        "model",
        "export",
        "form",
        "runtime",
        "answers",
        "equal labels",
        "outputs identical",
        "at most one step",
        "largest, steps",
    ]
    return names, [
        [*own, f"{int(answers):,}", _percent(same / answers), _percent(identical / outputs), _percent(one / outputs),
         f"{int(largest):,}"]
        for own, (answers, same, outputs, identical, one, largest) in zip(
            rows[["model", "export", "form", "runtime"]].values.tolist(), rows[COUNTS].apply(_whole).values, strict=True
        )
    ]  # fmt: skip


def _whole(column: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(column)


def _percent(share: float) -> str:
    """Never rounded up to 100."""
    return "100%" if share == 1 else f"{min(100 * share, 99.99):.2f}%"


STUDY = Study(
    __doc__,
    run,
    (
        HUB,
        option("--models", nargs="*", metavar="NAME", help="models of the hub, on their test vectors (default: all)"),
        several("--exports", EXPORTS.names, "what they are exported to"),
        option("--data", type=Path, metavar="FOLDER", help="Speech Commands, of which some models hear the test"),
        option("--recorded", nargs="+", metavar="NAME", help="default: words of three sizes at 8 and 4 bits"),
    ),
    tables={TABLE: table, HEARD: heard},
)
