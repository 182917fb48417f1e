"""Texts of C for this processor."""

from __future__ import annotations

from pathlib import Path

__all__ = ["host_source"]

FOLDER = Path(__file__).parent


def host_source(name: str) -> str | None:
    """The text of a file beside this one; None where there is none."""
    file = FOLDER / f"{name}.c"
    return file.read_text() if file.is_file() else None
