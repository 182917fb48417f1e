"""A front end alone as C: from samples to the features that other runtimes of a model are fed with."""

from __future__ import annotations

from zoo.export.c.frontends import front_end
from zoo.export.c.names import c_name
from zoo.export.c.text import defines
from zoo.export.c.write import FOLDER, FRONT_END, SIZES, guarded, named

__all__ = ["feature_files", "header"]


def feature_files(frontend, name: str) -> dict[str, str]:
    """Texts by file name: NAME.h is all to include, NAME.c and NAME_frontend.c to compile. Raises InvalidQuery for a
    name that is no identifier of C.
    """
    c_name(name)
    written = front_end(frontend.kind)
    internal = f'#include "NAME.h"\n\n{_text("compilers.h")}\n{FRONT_END}'
    head = '#include <string.h>\n\n#include "NAME_internal.h"\n'
    reset = "\n".join(f"    {line}" for line in written.reset(frontend))
    body = _text("features.c").replace("@RESET\n", f"{reset}\n" if reset else "")
    texts = {
        f"{name}.h": guarded("NAME_H", header(frontend, frontend.coefficients, written.members(frontend))),
        f"{name}_internal.h": guarded("NAME_INTERNAL_H", internal),
        f"{name}_frontend.c": f"/* From a window of samples to features: integers alone. */\n{head}\n"
        f"{written.text(frontend)}",
        f"{name}.c": f"{head}\n{_text('window.c')}\n{body}",
    }
    return {file: named(text, name) for file, text in texts.items()}


def header(frontend, coefficients: int, members: list[str]) -> str:
    """The text of NAME.h. coefficients: of a frame. members: of the structure, beside the window of samples."""
    sizes = {
        "SAMPLE_RATE": frontend.sampling_rate, "COEFFICIENTS": coefficients, "HOP": frontend.hop_samples,
        "WINDOW": frontend.window_samples, "OVERLAP": frontend.window_samples - frontend.hop_samples,
        **front_end(frontend.kind).macros(frontend),
    }  # fmt: skip
    own = "".join(f"    {line}\n" for line in members)
    about = f"    /* What it works in, and goes on with. */\n{own}" if own else ""
    return _text("features.h").replace("@MACROS\n", defines(sizes, SIZES)).replace("    @FRONT_END\n", about)


def _text(name: str) -> str:
    return (FOLDER / name).read_text()
