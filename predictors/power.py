"""Average power of always-on use: what each answer takes, and what the device takes while it sleeps. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["EXAMPLES", "Example", "average_power_uw"]


@dataclass(frozen=True)
class Example:
    """A published figure: a keyword spotter that listens all the time."""

    system: str
    power_uw: float
    source: str


EXAMPLES = (
    Example("a Legendre memory unit network on a microcontroller", 212.0, "Blouw et al., arXiv 2009.04465"),
    Example("the same on a circuit of its own", 8.79, "Blouw et al., arXiv 2009.04465"),
)


def average_power_uw(energy_uj: float, answers_per_second: float, sleep_power_uw: float = 0.0) -> float:
    """Microwatts: energy of one answer in uJ, times answers a second, and the power of sleep.

    Raises ValueError for a quantity below zero.
    """
    given = {"energy_uj": energy_uj, "answers_per_second": answers_per_second, "sleep_power_uw": sleep_power_uw}
    for name, value in given.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} = {value!r} is not possible: give a number from 0 up")
    return energy_uj * answers_per_second + sleep_power_uw
