"""What do models take as C on four emulated cores, and how many instructions are their layers?

    python scripts/bench.py boards
    python scripts/bench.py boards --models NAME --cores cortex-m4

On each core, with the flash and the RAM of a chip: how many known answers are those of the package, the bytes of the
structure, and the stack of a call. On the Cortex-M4 all instructions of an answer, three times, which must be equal: by
layer, with requantisation, and a MAC of those that the answer needs. Rows: `boards.csv` and `instructions.csv`.
"""

from __future__ import annotations

import argparse

import zoo
from studies.base import Shown, Study, option, several
from studies.bundled import keywords
from studies.rows import Rows
from supernet.errors import EarshotError
from zoo.export.c.emulator import BOARDS, Checked, check, instructions, version
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED

RUNS = 3
STACK_BYTES = 1024
"""That a call may take."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Check and count all models."""
    for name in options.models or _models():
        model = zoo.get(name=name)
        for core in options.cores:
            rows.add("boards", {"core": core, "model": name}, _checked(model, core))
        if "cortex-m4" in options.cores:
            _count(model, rows)


def _models() -> list[str]:
    """The smallest and the largest of words, and one of sounds."""
    words = [entry.name for entry in keywords()]
    return [words[0], words[-1], zoo.find(task="aec", bits=8, hub=BUNDLED)[-1].name]


def _checked(model: zoo.Model, core: str) -> dict:
    """A row. Raises EarshotError where a board says anything but what the package does."""
    found, board = check(model, BOARDS[core]), BOARDS[core]
    entry = model.entry
    expected = Checked(found.answers, found.answers, entry.stream_ram_bytes or entry.clip_ram_bytes, found.stack_bytes)
    if found != expected or found.stack_bytes >= STACK_BYTES:
        raise EarshotError(f"{model.name} on {core}: {found}; expected {expected}, and a stack below {STACK_BYTES}")
    row = {"chip": board.chip, "identical": found.identical, "answers": found.answers}
    return {**row, "structure_bytes": found.structure_bytes, "stack_bytes": found.stack_bytes, "tools": version(board)}


def _count(model: zoo.Model, rows: Rows) -> None:
    sources = Sources(model.network, model.frontend, model.detector(), model.grids, "model")
    found = [instructions(sources) for _ in range(RUNS)]
    if any(other != found[0] for other in found):
        raise EarshotError(f"{model.name}: instructions differ between runs: {found}")
    macs = {step.spec.name: step.spec.macs // step.spec.out_shape[2] * step.out_frames for step in sources.steps}
    parts = {name: count for name, count in found[0].items() if name != "layers"}
    for place, (part, count) in enumerate((parts | found[0]["layers"]).items()):
        own = sum(macs.values()) if part == "network" else macs.get(part, 0)
        values = {"part": part, "instructions": count, "macs": own, "a_mac": round(count / own, 2) if own else None}
        rows.add("instructions", {"model": model.name, "place": place}, values | {"tools": version()})


def table_of_boards(found: Rows) -> Shown:
    """Of each model on each core."""
    columns = ["core", "chip", "model", "identical", "answers", "structure_bytes", "stack_bytes"]
    rows = found.read("boards")[columns].to_dict("records")
    names = ["core", "flash and RAM of", "model", "answers identical", "structure, bytes", "stack, bytes"]
    return names, [
        [row["core"], row["chip"], row["model"], f"{row['identical']} of {row['answers']}",
         f"{row['structure_bytes']:,}", f"{row['stack_bytes']:,}"]
        for row in rows
    ]  # fmt: skip


def table_of_instructions(found: Rows) -> Shown:
    """Of an answer of each model."""
    rows = found.read("instructions")
    wide = rows[rows["part"].isin(["step", "front_end", "network"])].pivot(
        index="model", columns="part", values="instructions"
    )
    own = rows[rows["part"] == "network"].set_index("model")
    names = ["model", "an answer", "its front end", "its network", "MACs of the network", "instructions a MAC"]
    return names, [
        [name, *(f"{int(row[part]):,}" for part in ("step", "front_end", "network")), f"{own['macs'][name]:,}",
         f"{own['a_mac'][name]:.2f}"]
        for name, row in wide.iterrows()
    ]  # fmt: skip


STUDY = Study(
    __doc__,
    run,
    (
        option("--models", nargs="+", metavar="NAME", help="default: three of them"),
        several("--cores", tuple(BOARDS), "cores"),
    ),
    always=True,
    tables={"boards": table_of_boards, "instructions": table_of_instructions},
)
