"""What front ends of mel energies share as C."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

import numpy as np

from supernet.frontend.fixed import MelTables, mel_tables
from zoo.export.c.frontends.base import FrontEnd, source
from zoo.export.c.text import array, defines

__all__ = ["Mel"]


class Mel(FrontEnd):
    """A spectrum in place, and logarithms of the energies of its bands. picks: the file that makes coefficients."""

    picks = ""

    def macros(self, frontend) -> dict[str, int]:
        """Points of the transform, and bands."""
        return {"POINTS": frontend.fft, "MELS": frontend.mels}

    def members(self, frontend) -> list[str]:
        """What it works in."""
        return ["int32_t spectrum[NAME_POINTS];", "int32_t mels[NAME_MELS];"]

    def text(self, frontend) -> str:
        """As `supernet.frontend.fixed` has it."""
        tables = mel_tables(frontend)
        arrays = {"hann": tables.window, "cosines": tables.cosines}
        radix = 2 if int(log2(tables.points // 2)) % 2 else 4
        functions = map(source, ("wave", "mel", self.picks, "mel_features"))
        return self.whole(tables, {"LAST_RADIX": radix}, arrays, functions)

    def whole(
        self, tables: MelTables, constants: dict[str, int], arrays: dict[str, np.ndarray], functions: Iterable[str]
    ) -> str:
        """Constants and tables, those of one way to compute and those of any, and functions."""
        constants = {**_constants(tables), **constants, **self.constants(tables)}
        texts = [array(name, values) for name, values in {**arrays, **_arrays(tables), **self.arrays(tables)}.items()]
        return "\n".join([defines(constants), "\n".join(texts), *functions])

    def constants(self, tables: MelTables) -> dict[str, int]:
        """Of how coefficients are made."""
        raise NotImplementedError

    def arrays(self, tables: MelTables) -> dict[str, np.ndarray]:
        """The same."""
        return {}


def _constants(tables: MelTables) -> dict[str, int]:
    return {
        "GUARD": tables.guard,
        "POWER_SHIFT": tables.power_shift,
        "LEAST": tables.least,
        "OFFSET": tables.offset,
    }


def _arrays(tables: MelTables) -> dict[str, np.ndarray]:
    return {
        "starts": tables.starts,
        "rises": tables.rising,
        "logarithms": tables.logarithm,
        "means": tables.mean,
        "multipliers": tables.multiplier,
        "shifts": tables.shift,
    }
