"""Flash of a network's code and tables as C: sizes of its parts, measured once and shipped, are added up.

`runtime.json` has them: bytes that a Cortex-M4 takes at -Os, with compiler and version; `scripts/runtime_sizes.py`
measures them anew. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from supernet.arch import Arch
from supernet.cost import ROUTINES, cost_columns
from supernet.files import read_json

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TABLE", "measured_with", "runtime_bytes", "runtime_of", "sizes"]

TABLE = Path(__file__).with_name("runtime.json")


@cache
def sizes() -> dict:
    """The table. frontends: by kind, their code with tables, and what each coefficient adds. forms: of streams and of
    clips, the code that all have, what each class adds, and by routine (supernet.cost.ROUTINES) its code, which is
    there once, and what each layer adds: its constants and its call.
    """
    return read_json(TABLE)


def measured_with() -> str:
    """Target, compiler and version in words."""
    return f"{sizes()['target']}, {sizes()['compiler']}"


def runtime_bytes(
    columns: Mapping[str, np.ndarray], kinds: Sequence[str], coefficients: Sequence[int], classes: Sequence[int]
) -> np.ndarray:
    """(count,) bytes of code and tables: of the stream where there is one, else of clips.

    columns: (count,) each, of `supernet.cost.COLUMNS`. kinds, coefficients: of front ends. classes: of the networks.
    One of each for all, or one each.
    """
    import numpy as np

    forms, classes = sizes()["forms"], np.array(classes)
    stream, clip = (_form(forms[name], columns, classes) for name in ("stream", "clip"))
    front = np.array([_front_end(*own) for own in zip(kinds, coefficients, strict=True)])
    return front + np.where(columns["stream_arena_bytes"] > 0, stream, clip)


def runtime_of(arch: Arch) -> int:
    """Those of one network."""
    own = arch.features
    return int(runtime_bytes(cost_columns([arch]), [own.kind], [own.coefficients], [arch.classes])[0])


def _form(form: Mapping, columns: Mapping[str, np.ndarray], classes: np.ndarray) -> np.ndarray:
    total = form["code"] + form["class"] * classes
    for name in ROUTINES:
        if name in form["routines"]:
            own, calls = form["routines"][name], columns[f"{name}_calls"]
            total = total + own["code"] * (calls > 0) + own["layer"] * calls
    return total


def _front_end(kind: str, coefficients: int) -> int:
    """0 for a kind that has no C."""
    own = sizes()["frontends"].get(kind, {"code": 0, "coefficient": 0})
    return own["code"] + own["coefficient"] * coefficients
