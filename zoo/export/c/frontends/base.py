"""What a front end is as C: what it keeps and works in, and `NAME_frontend`, which makes features of a window."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FrontEnd", "source"]

FOLDER = Path(__file__).parent


class FrontEnd:
    """One kind of front end. All get what `supernet.frontend` has of it."""

    def macros(self, frontend) -> dict[str, int]:
        """Of the public header, that its members need."""
        return {}

    def members(self, frontend) -> list[str]:
        """Of the structure of a stream, beside the window of samples; the widest first."""
        return []

    def reset(self, frontend) -> list[str]:
        """Statements that make members other than zero."""
        return []

    def text(self, frontend) -> str:
        """The tables and functions."""
        raise NotImplementedError


def source(name: str) -> str:
    """The text of a file beside this one."""
    return (FOLDER / f"{name}.c").read_text()
