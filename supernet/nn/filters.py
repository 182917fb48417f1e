"""Band-pass filters of learned cut-offs, in torch (SincNet, Ravanelli and Bengio, SLT 2018, arXiv 1808.00158).

A filter is the difference of two ideal low-pass filters, sin(2 pi f t) / (pi t) with a lower and an upper cut-off f, in
a Hamming window and divided by its middle, so that any two have about one peak. What is learned of each is how far it
moved from where it began, and how much wider it became, on the mel scale: weight decay draws both back. Filters begin
as wide as 40 equal bands on that scale are, at places that halve the largest gaps between those before (van der
Corput), so that the first of them reach over all frequencies, however many there are.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from supernet.frontend.raw import RATE

__all__ = ["band_edges", "band_pass"]

LOWEST_MEL, HIGHEST_MEL = 31.75, 2840.0
"""20 Hz and 8,000 Hz."""
PLACES, BANDS = 64, 40
"""Places at which filters begin before they fall between those, and how many begin side by side without a gap."""
STRIDE_MEL, LEAST_MEL = 100.0, 20.0
"""How far a parameter of one moves a filter, and the narrowest one."""


def band_pass(moved: Tensor, taps: int) -> Tensor:
    """(filters, 1, taps, 1) filters of `moved` (filters, 2): in 100 mels, and in octaves of the width."""
    low, high = (edge[:, None] for edge in band_edges(moved))
    times = torch.arange(taps, dtype=moved.dtype, device=moved.device) - (taps - 1) / 2
    waves = ((2 * pi * high * times).sin() - (2 * pi * low * times).sin()) / (2 * pi * (high - low) * times)
    window = 0.54 + 0.46 * (2 * pi / taps * times).cos()
    return (waves * window)[:, None, :, None]


def band_edges(moved: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper cut-off of each filter (filters,), in cycles a sample."""
    count = len(moved)
    middles = HIGHEST_MEL * (van_der_corput(count).to(moved) + 0.5 / PLACES) + STRIDE_MEL * moved[:, 0]
    widths = HIGHEST_MEL / BANDS * moved[:, 1].exp2()
    low = (middles - widths / 2).clamp(LOWEST_MEL, HIGHEST_MEL - LEAST_MEL)
    high = torch.maximum((middles + widths / 2).clamp(max=HIGHEST_MEL), low + LEAST_MEL)
    return _hertz(low) / RATE, _hertz(high) / RATE


def van_der_corput(count: int) -> Tensor:
    """(count,) the first numbers of the sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    whole = torch.arange(count)
    digits = [(whole >> place & 1) / 2 ** (place + 1) for place in range(max(1, count.bit_length()))]
    return torch.stack(digits).sum(0)


def _hertz(mel: Tensor) -> Tensor:
    return 700 * (10 ** (mel / 2595) - 1)
