"""The C of the machine: the kernels and front ends of exported models, their text as it is, around which sizes, tables
and the order of layers come from a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from supernet.arch import MAX_COEFFICIENTS
from supernet.frontend import front_end as definition
from supernet.memory import SMOOTHED
from zoo.export.c.frontends import front_end
from zoo.export.c.frontends.base import source as frontend_source
from zoo.export.c.ops import operator
from zoo.export.c.ops.base import MULTIPLYING, source
from zoo.export.c.text import TYPES, defines
from zoo.export.c.write import FOLDER as SOURCES
from zoo.export.c.write import named, score_tables
from zoo.site.machine.layout import (
    ARGUMENTS,
    FUNCTIONS,
    HEADER,
    MOST,
    MOST_CLASSES,
    MOST_SAMPLES,
    UNITS,
    Unit,
    numbers_of,
)

__all__ = ["machine_files"]

FOLDER = Path(__file__).parent
HEAD = '#include <string.h>\n\n#include "machine.h"\n'
BEFORE = ("common", "unpack", "words", *MULTIPLYING, "window")
"""Files that functions of layers call."""
SIZES = {
    "CLASSES": "plan->classes", "COEFFICIENTS": "plan->coefficients", "HOP": "plan->hop",
    "OVERLAP": "(plan->window - plan->hop)", "STEP_FRAMES": "plan->step_frames", "CLIP_ANSWERS": "plan->clip_answers",
    "CLIP_FRAMES": "plan->clip_frames", "SCORE_MULTIPLIER": "(uint32_t)plan->score_multiplier",
    "SCORE_SHIFT": "plan->score_shift", "SMOOTHING": "plan->smoothing", "EVERY": "plan->every",
    "REFRACTORY": "plan->refractory", "SMOOTHED": SMOOTHED, "MOST_CLASSES": MOST_CLASSES, "MOST_SAMPLES": MOST_SAMPLES,
}  # fmt: skip
SUMS = """\
#define thresholds ((const uint32_t *)at(plan->thresholds))
#define releases ((const uint32_t *)at(plan->releases))
"""
CHOSEN = """\
static void scores_of(const int16_t *logits, uint16_t *scores)
{
    if (plan->several) {
        scores_of_several(logits, scores);
    } else {
        scores_of_one(logits, scores);
    }
}
"""
ODD = "(number_MELS - number_MELS % 2 + 1)"
"""The number of mels, of which the preprocessor, which takes names for 0, finds that it is odd."""


def machine_files() -> dict[str, str]:
    """Texts by file name."""
    return {
        **{name: _own(name) for name in ("string.h", "string.c")},
        "machine.h": _own("machine.h", header="".join(f"    int32_t {name};\n" for name in HEADER)),
        "layers.c": _layers(),
        "stream.c": _hearing("stream", "detector", "window", "stream"),
        "clip.c": _hearing("clip", "window", "clip"),
        "frontends.c": _frontends(),
        **{f"{unit.name}.c": _frontend(unit) for unit in UNITS},
        "exports.c": _own("exports.c", most_classes=str(MOST_CLASSES)),
    }


def _own(name: str, **texts: str) -> str:
    """The text of a file beside this one, with others at each @."""
    return _filled((FOLDER / name).read_text(encoding="utf-8"), **texts)


def _exported(name: str, **texts: str) -> str:
    """That of one of the C of models."""
    return _filled((SOURCES / name).read_text(encoding="utf-8"), **texts)


def _filled(text: str, **texts: str) -> str:
    for place, other in texts.items():
        text = text.replace(f"@{place.upper()}", other)
    return text


def _layers() -> str:
    """All kinds of layers, and what runs them in their order."""
    structures = ((kind, operator(kind).structure) for kind in operator.names)
    kinds = "\n".join(f"typedef struct {{\n{own}    NAME_limits to;\n}} NAME_{kind};\n" for kind, own in structures)
    compilers = f"{_exported('compilers.h')}\n"
    head = _exported("internal.h", compilers=compilers, structures=kinds, layers="", front_end="")
    kernels = map(source, (*BEFORE, *FUNCTIONS))
    calls = "".join(map(_call, range(len(FUNCTIONS)), FUNCTIONS.items()))
    macros = defines({**MOST, "ARGUMENTS": ARGUMENTS})
    return named("\n".join(["#include <string.h>", head, macros, *kernels, _own("run.c", calls=calls)]), "machine")


def _call(number: int, function: tuple[str, int]) -> str:
    name, count = function
    arguments = ", ".join(f"at(to[{place}])" for place in range(count))
    return f"        case {number}: {name}({arguments}); break;\n"


def _hearing(name: str, *ends: str) -> str:
    """What feeds the layers, and makes scores and events of their logits."""
    texts = [_exported(f"{end}.c", input="plan->input") for end in ends]
    head = [HEAD, defines(SIZES), SUMS, _own("hearing.c"), score_tables(), *_scores(), CHOSEN]
    return named("\n".join([*head, *texts, _own(f"{name}_hear.c")]), name)


def _scores() -> Iterator[str]:
    """Those of clips with one label and with several, of which models have one or the other."""
    for several, which in enumerate(("one", "several")):
        renamed = {word: f"{word}_{which}" for word in ("exponential", "scores_of", "NAME_logits")}
        before = "".join(f"#define {word} {other}\n" for word, other in renamed.items())
        behind = "".join(f"#undef {word}\n" for word in (*renamed, "NAME_SEVERAL"))
        yield f"#define NAME_SEVERAL {several}\n{before}{_exported('scores.c')}{behind}"


def _frontends() -> str:
    names = [unit.name for unit in UNITS]
    takes = "const int16_t *samples, int8_t *features"
    return _own(
        "frontends.c",
        declared="".join(f"void {name}_prepare(void);\nvoid {name}_features({takes});\n" for name in names),
        prepared="".join(f"    case {place}: {name}_prepare(); break;\n" for place, name in enumerate(names)),
        features="".join(f"    case {place}: {name}_features(samples, features); break;\n"
                         for place, name in enumerate(names)),
    )  # fmt: skip


def _frontend(unit: Unit) -> str:
    """A front end whose numbers, tables and members are where a plan says."""
    written, example = front_end(unit.kind), definition(unit.kind)()
    members, tables, numbers = written.members(example), written.tables(example), numbers_of(example)
    shown = {name: f"number_{name}" for name in numbers}
    shown |= {"LAST_RADIX": str(unit.last_radix)} if unit.last_radix else {}
    shown |= {"MELS": ODD} if unit.odd else {}
    taken = [f"number_{name} = numbers[{place}];" for place, name in enumerate(numbers)]
    taken += [_taken(name, values.ndim, 2 * place) for place, (name, values) in enumerate(tables.items())]
    taken += [f"own.{one.name} = at(places[{2 * place}]);" for place, one in enumerate(members, len(tables))]
    text = _own(
        "frontend.c",
        declared="\n".join([*(f"static int64_t number_{name};" for name in numbers), *map(_declared, *_pairs(tables))]),
        numbers=defines(shown),
        members="".join(f"    {one.kind} *{one.name};\n" for one in members),
        prepared="".join(f"    {line}\n" for line in taken),
        functions="\n".join(map(frontend_source, written.functions())),
    )
    return named(text, unit.name)


def _pairs(tables: dict) -> tuple:
    return tuple(tables), tuple(tables.values())


def _declared(name: str, values) -> str:
    """A table, or pointers to the rows of one."""
    kind = TYPES[values.dtype.name]
    return f"static const {kind} *{name};" if values.ndim == 1 else f"static const {kind} *{name}[{MAX_COEFFICIENTS}];"


def _taken(name: str, dimensions: int, place: int) -> str:
    one = f"{name} = at(places[{place}]);"
    return one if dimensions == 1 else f"rows_at({name}, places + {place}, number_COEFFICIENTS);"
