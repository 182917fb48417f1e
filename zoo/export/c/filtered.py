"""A bank of filters over samples as C, as `features` has front ends: from samples to what runtimes without it read."""

from __future__ import annotations

from zoo.export.c.features import header
from zoo.export.c.frontends import front_end
from zoo.export.c.names import c_name
from zoo.export.c.ops import operator
from zoo.export.c.ops.base import Step, source
from zoo.export.c.text import defines
from zoo.export.c.write import CONSTANTS, FOLDER, FRONT_END, guarded, named

__all__ = ["filtered_files"]

LIMITS = """\
/* What a layer writes: its zero point, and the least and the largest value. */
typedef struct {
    int32_t zero, low, high;
} NAME_limits;
"""
BOTH = """\
void NAME_frontend(NAME_t *self, int8_t *features)
{
    bytes_of(self, self->bytes);
    filters(&NAME_@LAYER_layer, self->@LAYER, self->bytes, features);
}
"""
ALONE = "void NAME_frontend(NAME_t *self"


def filtered_files(frontend, step: Step, name: str) -> dict[str, str]:
    """Texts by file name, as those of `feature_files`. frontend: `raw`. step: of the filters, frame by frame."""
    c_name(name)
    bank, layer = operator(step.spec.kind), step.spec.name
    structure = f"typedef struct {{\n{bank.structure}    NAME_limits to;\n}} NAME_{step.spec.kind};\n"
    macros = defines({**bank.work(step), "BUFFER": step.spec.kernel[0]}, CONSTANTS)
    parts = [
        "/* From a window of samples to what filters give: integers alone. */",
        "#include <string.h>\n",
        '#include "NAME_internal.h"\n',
        macros,
    ]
    parts += [LIMITS, structure, source("common"), *map(source, bank.functions(step)), bank.constants(step)]
    parts += [
        front_end(frontend.kind).text(frontend).replace(ALONE, "static void bytes_of(NAME_t *self"),
        BOTH.replace("@LAYER", layer),
    ]
    members = [f"int8_t bytes[{2 * frontend.window_samples}];", *bank.state(step)]
    head = '#include <string.h>\n\n#include "NAME_internal.h"\n'
    texts = {
        f"{name}.h": guarded("NAME_H", header(frontend, step.spec.out_shape[0], members)),
        f"{name}_internal.h": guarded("NAME_INTERNAL_H", f'#include "NAME.h"\n\n{_text("compilers.h")}\n{FRONT_END}'),
        f"{name}_frontend.c": "\n".join(parts),
        f"{name}.c": f"{head}\n{_text('window.c')}\n{_text('features.c').replace('@RESET', '')}",
    }
    return {file: named(text, name) for file, text in texts.items()}


def _text(name: str) -> str:
    return (FOLDER / name).read_text()
