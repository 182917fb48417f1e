"""What a front end is as C: what it keeps and works in, and `NAME_frontend`, which makes features of a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.export.c.text import Member, array, defines

__all__ = ["FrontEnd", "source"]

FOLDER = Path(__file__).parent


class FrontEnd:
    """One kind of front end. All get what `supernet.frontend` has of it."""

    def macros(self, frontend) -> dict[str, int]:
        """Of the public header, that its members need."""
        return {}

    def members(self, frontend) -> list[Member]:
        """Of the structure of a stream, beside the window of samples; the widest first."""
        return []

    def reset(self, frontend) -> list[str]:
        """Statements that silence members that stay from frame to frame."""
        return []

    def constants(self, frontend) -> dict[str, int]:
        """Macros of its functions."""
        return {}

    def tables(self, frontend) -> dict[str, np.ndarray]:
        """Arrays that its functions read."""
        return {}

    def functions(self) -> tuple[str, ...]:
        """The files with its functions, in their order."""
        raise NotImplementedError

    def text(self, frontend) -> str:
        """The tables and functions."""
        arrays = "\n".join(array(name, values) for name, values in self.tables(frontend).items())
        head = [defines(self.constants(frontend)), arrays] if arrays else []
        return "\n".join([*head, *map(source, self.functions())])


def source(name: str) -> str:
    """The text of a file beside this one."""
    return (FOLDER / f"{name}.c").read_text()
