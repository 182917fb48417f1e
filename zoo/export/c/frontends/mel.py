"""What front ends of mel energies share as C."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

import numpy as np

from supernet.frontend.fixed import MelTables, mel_tables
from zoo.export.c.frontends.base import FrontEnd
from zoo.export.c.text import Member, array, defines

__all__ = ["Mel"]


class Mel(FrontEnd):
    """A spectrum in place, and logarithms of the energies of its bands. picks: the file that makes coefficients."""

    picks = ""

    def macros(self, frontend) -> dict[str, int]:
        """Points of the transform, and bands."""
        return {"POINTS": frontend.fft, "MELS": frontend.mels}

    def members(self, frontend) -> list[Member]:
        """What it works in."""
        spectrum = Member("int32_t", "spectrum", frontend.fft, "NAME_POINTS")
        return [spectrum, Member("int32_t", "mels", frontend.mels, "NAME_MELS")]

    def constants(self, frontend) -> dict[str, int]:
        """As `supernet.frontend.fixed` has them."""
        tables = mel_tables(frontend)
        radix = 2 if int(log2(tables.points // 2)) % 2 else 4
        return {**_constants(tables), "LAST_RADIX": radix, **self.picking(tables)}

    def whole(
        self, tables: MelTables, constants: dict[str, int], arrays: dict[str, np.ndarray], functions: Iterable[str]
    ) -> str:
        """Constants and tables, those of any way to compute and those of one in their place, and functions."""
        constants = {**_constants(tables), **constants, **self.picking(tables)}
        texts = [array(name, values) for name, values in {**_arrays(tables), **self.arrays(tables), **arrays}.items()]
        return "\n".join([defines(constants), "\n".join(texts), *functions])

    def tables(self, frontend) -> dict[str, np.ndarray]:
        """The same."""
        tables = mel_tables(frontend)
        return {"hann": tables.window, "cosines": tables.cosines, **_arrays(tables), **self.arrays(tables)}

    def functions(self) -> tuple[str, ...]:
        """Those that all share, around what makes coefficients."""
        return ("wave", "mel", "logarithm", "mel_bands", self.picks, "mel_features")

    def picking(self, tables: MelTables) -> dict[str, int]:
        """Macros of how coefficients are made."""
        raise NotImplementedError

    def arrays(self, tables: MelTables) -> dict[str, np.ndarray]:
        """Arrays of that."""
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
