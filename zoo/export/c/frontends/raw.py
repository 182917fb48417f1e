"""Front end `raw` as C."""

from __future__ import annotations

from zoo.export.c.frontends.base import FrontEnd

__all__ = ["FRONT_END"]


class Raw(FrontEnd):
    """It works in the window of samples alone."""

    def functions(self) -> tuple[str, ...]:
        """Two bytes a sample."""
        return ("raw",)


FRONT_END = Raw()
