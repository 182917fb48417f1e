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
from zoo.export.c.frontends.base import FrontEnd
from zoo.export.c.text import Member

__all__ = ["FRONT_END"]


class Micro(FrontEnd):
    """A spectrum of 16 bits, in place; the noise of each band goes on from frame to frame."""

    def members(self, frontend) -> list[Member]:
        """The noise, and what it works in."""
        noise = Member("uint32_t", "noise", frontend.coefficients, "NAME_COEFFICIENTS")
        return [noise, Member("int16_t", "spectrum", POINTS)]

    def reset(self, frontend) -> list[str]:
        """No noise."""
        return ["memset(self->noise, 0, sizeof(self->noise));"]

    def constants(self, frontend) -> dict[str, int]:
        """As `supernet.frontend.micro` has them."""
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

    def tables(self, frontend) -> dict[str, np.ndarray]:
        """The same."""
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

    def functions(self) -> tuple[str, ...]:
        """Its own, and the wave."""
        return ("wave", "micro")


FRONT_END = Micro()
