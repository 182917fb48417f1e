"""Front end `micro` as C."""

from __future__ import annotations

import numpy as np

from supernet.frontend.micro import (
    LEAST_SHARE,
    POINTS,
    SMOOTHING,
    gain_at,
    gain_curve,
    hann,
    log_table,
    share_of,
    triangles,
    waves,
)
from zoo.export.c.frontends.base import FrontEnd, source
from zoo.export.c.text import array, defines

__all__ = ["FRONT_END"]


class Micro(FrontEnd):
    """A spectrum of 16 bits, in place; the noise of each band goes on from frame to frame."""

    def members(self, frontend) -> list[str]:
        """The noise, and what it works in."""
        return ["uint32_t noise[NAME_COEFFICIENTS];", f"int16_t spectrum[{POINTS}];"]

    def reset(self, frontend) -> list[str]:
        """No noise."""
        return ["memset(self->noise, 0, sizeof(self->noise));"]

    def text(self, frontend) -> str:
        """As `supernet.frontend.micro` has it."""
        arrays = "\n".join(array(name, values) for name, values in _arrays().items())
        return "\n".join([defines(_constants()), arrays, source("wave"), source("micro")])


def _constants() -> dict[str, int]:
    even, odd, least = share_of([*SMOOTHING, LEAST_SHARE])
    none, one = gain_at(np.arange(2))
    return {
        "POINTS": POINTS,
        "EVEN_SHARE": even,
        "ODD_SHARE": odd,
        "LEAST_SHARE": least,
        "GAIN_OF_NONE": none,
        "GAIN_OF_ONE": one,
    }


def _arrays() -> dict[str, np.ndarray]:
    starts, rises, _ = triangles()
    gains, slopes, bent = gain_curve()
    return {
        "hann": hann().astype(np.int16),
        "cosines": waves(2 * np.pi * np.arange(POINTS // 4 + 1) / POINTS)[0][:, 0].astype(np.int16),
        "starts": starts.astype(np.uint16),
        "rises": rises.astype(np.uint16),
        "gains": gains.astype(np.int32),
        "gain_slopes": slopes.astype(np.int32),
        "gain_bent": bent.astype(np.int32),
        "logarithms": log_table().astype(np.uint16),
    }


FRONT_END = Micro()
