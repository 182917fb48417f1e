"""Front end `raw` as C."""

from __future__ import annotations

from zoo.export.c.frontends.base import FrontEnd, source
from zoo.export.c.text import defines

__all__ = ["FRONT_END"]


class Raw(FrontEnd):
    """It works in the window of samples alone."""

    def text(self, frontend) -> str:
        """A product a sample."""
        return f"{defines({'GAIN': frontend.gain})}\n{source('raw')}"


FRONT_END = Raw()
