"""Front end `mfcc` as C."""

from __future__ import annotations

import numpy as np

from supernet.frontend.fixed import MelTables
from zoo.export.c.frontends.mel import Mel

__all__ = ["FRONT_END"]


class Mfcc(Mel):
    """The cosine transform of the bands."""

    picks = "mel_cosines"

    def picking(self, tables: MelTables) -> dict[str, int]:
        """Bits of the transform."""
        return {"TRANSFORM_BITS": tables.transform_bits}

    def arrays(self, tables: MelTables) -> dict[str, np.ndarray]:
        """The first half of its rows."""
        return {"cosine_rows": tables.transform}


FRONT_END = Mfcc()
