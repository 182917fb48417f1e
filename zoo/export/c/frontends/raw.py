"""Front end `raw` as C."""

from __future__ import annotations

from zoo.export.c.frontends.base import FrontEnd, source

__all__ = ["FRONT_END"]


class Raw(FrontEnd):
    """It works in the window of samples alone."""

    def text(self, frontend) -> str:
        """Two bytes a sample."""
        return source("raw")


FRONT_END = Raw()
