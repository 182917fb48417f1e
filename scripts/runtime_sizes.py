"""Measure what the generated C takes of flash beside weights, part by part, and write `predictors/runtime.json`.

    python scripts/runtime_sizes.py            # needs arm-none-eabi-gcc: the table anew, then `--check`
    python scripts/runtime_sizes.py --check    # all bundled models: linked, and added up of the table

Each model is linked for a Cortex-M4 at -Os with a program that resets it and feeds it samples; unused sections are
dropped, and what the same program takes without the model (with `memcpy`, `memset` and `memmove`, which any firmware
has) is not counted. Of what is left, the weights are `weight_bytes`; all else is `runtime_bytes`. Routines that no
bundled model calls are measured on random networks of families of which none is bundled.
"""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from predictors.runtime import TABLE, runtime_of, sizes
from studies.c_identical import detector_of
from studies.c_networks import random_network
from supernet.bits import with_bits
from supernet.cost import ROUTINES, rescale_bytes, weight_bytes
from supernet.families import family
from supernet.files import write_json
from supernet.frontend import front_end as front_end_of
from supernet.frontend.mel import MelFrontEnd
from supernet.layer import LayerSpec
from supernet.space import default_space
from zoo import Model
from zoo.export.c.frontends import front_end
from zoo.export.c.ops.base import source
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED

COMPILER, NM, SIZE = "arm-none-eabi-gcc", "arm-none-eabi-nm", "arm-none-eabi-size"
TARGET = ("-mcpu=cortex-m4", "-mthumb", "-Os")
FLAGS = ("-std=c99", *TARGET, "-ffunction-sections", "-fdata-sections")
LINKED = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,-e,main")
IN_FLASH = (".text", ".rodata", ".data", ".ARM.exidx")
NAME = "model"
SAME = {"average": "pool"}
"""Functions of another name than their routine."""
CLASSES, CLIP_MS = 4, 400
"""Of networks that are not bundled."""
COUNTS = (10, 20, 40)
"""Of coefficients, that front ends are compiled with."""
MOST = 0.02
"""Share of runtime_bytes that a model's may be apart from what is linked."""
EMPTY = """\
#include <string.h>
static char one[64], other[64];
volatile size_t count;
int main(void) { memcpy(one, other, count); memset(one, 0, count); memmove(one, one + 1, count); @BODY return one[0]; }
"""
STREAM = "static model_event event; model_reset(&state); model_push(&state, samples, count, &event);"
CLIP = "static int32_t label; static uint32_t score; model_reset(&state); model_answer(&state, samples, count, &label, \
&score);"
WITH = '#include "model.h"\nstatic model_t state;\nstatic int16_t samples[160];\n'


@dataclass(frozen=True)
class Linked:
    """What a model adds to a program. total: bytes in flash. symbols: their sizes by name."""

    total: int
    symbols: dict[str, int]


Models = Sequence[tuple[Sources, Linked]]


def linked(sources: Sources) -> Linked:
    """A model's C, compiled and linked."""
    texts = sources.called(NAME).files()
    program = WITH + EMPTY.replace("@BODY", STREAM if sources.streams else CLIP)
    total, symbols = _built({**texts, "main.c": program})
    return Linked(total - _empty(), symbols)


@cache
def _empty() -> int:
    return _built({"main.c": EMPTY.replace("@BODY", "")})[0]


def _built(texts: dict[str, str]) -> tuple[int, dict[str, int]]:
    with tempfile.TemporaryDirectory() as place:
        files = [name for name in texts if name.endswith(".c")]
        for name, text in texts.items():
            Path(place, name).write_text(text, encoding="utf-8")
        _run(place, COMPILER, *FLAGS, *LINKED, *files, "-o", "program")
        return _in_flash(place, "program"), _symbols(place, "program")


def _run(place: str, *command: str) -> str:
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout


def _in_flash(place: str, file: str) -> int:
    """Bytes of an object or a program."""
    rows = [line.split() for line in _run(place, SIZE, "-A", file).splitlines() if line.startswith(".")]
    return sum(int(row[1]) for row in rows if row[0].startswith(IN_FLASH))


def _symbols(place: str, file: str) -> dict[str, int]:
    """Sizes by name, without what a compiler puts behind names."""
    rows = [line.split() for line in _run(place, NM, "-S", "--size-sort", file).splitlines()]
    found: dict[str, int] = {}
    for _, size, _, name in rows:
        plain = name.split(".")[0]
        found[plain] = found.get(plain, 0) + int(size, 16)
    return found


def front_end_sizes(kind: str, sources: Sources) -> dict[str, int]:
    """Code and tables of a front end, and what each coefficient adds. sources: of any stream."""
    whole = front_end_of(kind)()
    ends = [whole.select(count, whole.step_ms) for count in COUNTS] if issubclass(type(whole), MelFrontEnd) else [whole]
    counts, totals = [end.coefficients for end in ends], [_front_end_total(end, sources) for end in ends]
    each = (totals[-1] - totals[0]) / max(1, counts[-1] - counts[0])
    return {"code": round(np.mean(totals) - each * np.mean(counts)), "coefficient": round(each)}


def _front_end_total(frontend, sources: Sources) -> int:
    texts = Sources(sources.network, frontend, sources.detector, sources.grids, NAME).files()
    with tempfile.TemporaryDirectory() as place:
        for name, text in texts.items():
            Path(place, name).write_text(text, encoding="utf-8")
        _run(place, COMPILER, *FLAGS, "-c", f"{NAME}_frontend.c", "-o", "object")
        return _in_flash(place, "object")


@cache
def routine_of(symbol: str) -> str | None:
    """The routine that a function of C belongs to; None for what several share."""
    for file in (*SAME, *ROUTINES):
        if re.search(rf"^static .*\b{re.escape(symbol)}\(", source(file), re.MULTILINE):
            return SAME.get(file, file)
    return None


def form_sizes(models: Models, ends: dict[str, dict[str, int]]) -> dict:
    """What models of one form take: shared code, of each routine its code and what a layer adds, and of each class."""
    code: dict[str, int] = {}
    for _, found in models:
        for name, size in _routines(found).items():
            code[name] = max(size, code.get(name, 0))
    classes = {_class_bytes(sources, found) for sources, found in models}
    records = {name: size for sources, found in models for name, size in _records(sources, found).items()}
    call, keep = _slope(models, "network", len), _slope(models, "reset_network", lambda calls: calls.count("keep"))
    layer = {name: round(records.get(name, 0) + call + keep * (name == "keep")) for name in code}
    shared = []
    for sources, found in models:
        calls, end = _calls(sources), ends[sources.frontend.kind]
        known = weight_bytes(sources.network.arch) + end["code"] + end["coefficient"] * sources.frontend.coefficients
        known += sum(code[name] for name in {*calls}) + sum(layer[name] for name in calls)
        shared.append(found.total - known - max(classes) * sources.network.arch.classes)
    return {"code": round(np.mean(shared)), "class": max(classes),
            "routines": {name: {"code": code[name], "layer": layer[name]} for name in sorted(code)}}  # fmt: skip


def _calls(sources: Sources) -> list[str]:
    names = [name for spec in sources.specs for name in spec.operator.calls(spec)]
    return names if sources.streams else [name for name in names if name != "keep"]


def _slope(models: Models, symbol: str, count: Callable[[list[str]], int]) -> float:
    """What each of so many calls adds to a function; 0 where no model has any."""
    counts = np.array([count(_calls(sources)) for sources, _ in models], float)
    values = np.array([found.symbols.get(symbol, 0) for _, found in models], float)
    return float(np.polyfit(counts, values, 1)[0]) if np.ptp(counts) else 0.0


def _routines(found: Linked) -> dict[str, int]:
    """Bytes of code by routine."""
    sizes: dict[str, int] = {}
    for symbol, size in found.symbols.items():
        if (name := routine_of(symbol)) is not None:
            sizes[name] = sizes.get(name, 0) + size
    return sizes


def _records(sources: Sources, found: Linked) -> dict[str, int]:
    """Bytes of a layer's constants by routine, without those that count as weights."""
    return {
        spec.operator.calls(spec)[0]: found.symbols[f"{NAME}_{spec.name}_layer"]
        - (0 if spec.has_weights else rescale_bytes(spec) - _fixed_bytes(spec))
        for spec in sources.specs
    }


def _fixed_bytes(spec: LayerSpec) -> int:
    """Of tables that count as weights and stand beside a layer's constants."""
    return sum(values.nbytes for values in spec.operator.fixed(spec).values())


def _class_bytes(sources: Sources, found: Linked) -> int:
    tables = found.symbols.get("thresholds", 0) + found.symbols.get("releases", 0)
    return tables // sources.network.arch.classes


def bundled() -> Iterable[Sources]:
    """All bundled models."""
    for place in sorted((BUNDLED / "models").iterdir()):
        model = Model.from_folder(place)
        yield Sources(model.network, model.frontend, model.detector(threshold=0.5), model.grids, NAME)


def unbundled() -> Iterable[Sources]:
    """The smallest and the largest network of families of which no model is bundled, on random weights."""
    known = {sources.network.arch.family for sources in bundled()}
    for name in (name for name in family.names if name not in known):
        space = default_space(name, CLASSES, CLIP_MS)
        for arch in (space.smallest(), space.largest()):
            network = random_network(with_bits(arch, 8), "symmetric", np.random.default_rng(0))
            grids = {spec.name: "symmetric" for spec in network.specs if spec.has_weights}
            frontend = front_end_of(arch.features.kind)().select(arch.features.coefficients, arch.features.step_ms)
            yield Sources(network, frontend, detector_of(network, several_labels=False), grids, NAME)


def measure(models: Models, others: Models) -> dict:
    """The table of models, with the routines of other networks that none of them has."""
    stream, clip = (_of_form(models, streams) for streams in (True, False))
    ends = {kind: front_end_sizes(kind, stream[0][0]) for kind in front_end.names}
    forms = {"stream": form_sizes(stream, ends), "clip": form_sizes(clip, ends)}
    for form, streams in (("stream", True), ("clip", False)):
        whole = form_sizes(_of_form([*models, *others], streams), ends)
        forms[form]["routines"] = whole["routines"] | forms[form]["routines"]
    for one, other in (("stream", "clip"), ("clip", "stream")):  # what no model of a form uses
        found = {name: sizes for name, sizes in forms[other]["routines"].items() if name != "keep"}
        forms[one]["routines"] = found | forms[one]["routines"]
    version = _run(".", COMPILER, "-dumpfullversion").strip()
    return {"compiler": f"{COMPILER} {version}", "target": "Cortex-M4, -Os", "frontends": ends, "forms": forms}


def _of_form(models: Models, streams: bool) -> list[tuple[Sources, Linked]]:
    return [one for one in models if one[0].streams == streams]


def check(models: Models) -> float:
    """Print each model's bytes as measured and as added up; gives the largest difference, as a share."""
    worst = 0.0
    for sources, found in models:
        arch = sources.network.arch
        real, added = found.total - weight_bytes(arch), runtime_of(arch)
        worst = max(worst, abs(added / real - 1))
        print(f"{real:7,} measured {added:7,} added up {added / real - 1:+.2%}  {arch.family} {arch.digest[:8]}")
    print(f"largest difference: {worst:.2%} of {len(models)} models")
    return worst


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="measure the bundled models, and write nothing")
    options = parser.parse_args()
    if shutil.which(COMPILER) is None:
        print(
            f"{COMPILER} is not installed: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi", file=sys.stderr
        )
        return 1
    logging.disable(logging.WARNING)
    models, others = ([(one, linked(one)) for one in found] for found in (bundled(), unbundled()))
    if not options.check:
        write_json(TABLE, measure(models, others))
        sizes.cache_clear()
    return int(check([*models, *others]) > MOST)


if __name__ == "__main__":
    sys.exit(main())
