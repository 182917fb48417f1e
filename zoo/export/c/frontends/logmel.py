"""Front end `logmel` as C."""

from __future__ import annotations

from supernet.frontend.fixed import MelTables
from zoo.export.c.frontends.mel import Mel

__all__ = ["FRONT_END"]


class LogMel(Mel):
    """Each of the bands, or the last of so many."""

    picks = "mel_chosen"

    def picking(self, tables: MelTables) -> dict[str, int]:
        """Which bands."""
        return {"FIRST_MEL": tables.chosen.start or 0, "MEL_STEP": tables.chosen.step or 1}


FRONT_END = LogMel()
