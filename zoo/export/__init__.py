"""Models for other places than Python. An export is one folder or file; to add one, name it in EXPORTS."""

from __future__ import annotations

from pathlib import Path

from predictors.bench import Bench
from supernet.errors import InvalidQuery, nearest_names
from zoo.export.c.bench import export_bench
from zoo.export.c.folder import export_c

__all__ = ["EXPORTS", "Bench", "export", "export_bench"]

EXPORTS = {"c": export_c}
"""What writes each, from a model, a folder and a name."""


def export(model, to: str, out: str | Path, name: str | None = None) -> Path:
    """Write a model for one of EXPORTS; gives what was written. Raises InvalidQuery."""
    if to not in EXPORTS:
        raise InvalidQuery(f"to = {to!r:.80} is not possible: {nearest_names(str(to), set(EXPORTS))}")
    return EXPORTS[to](model, out, name)
