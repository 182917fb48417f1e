"""Average power of an always-on stream of a model on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from predictors.pace import Pace
from predictors.power import SCALED, supply_of
from predictors.settings import device_settings
from supernet.arch import Arch
from supernet.extras import lacking
from zoo.package.figures import DeviceFigure, Power, short
from zoo.run.rate import Rate, rate_at

__all__ = ["power_of", "with_power"]


def power_of(
    taken: DeviceFigure, pace: Pace, settings: Mapping[str, float], sleep_power_uw: float | None = None
) -> Power:
    """The average power of answers that take so much each, at a pace.

    taken: of an answer at that pace, with the front end. settings: of the device's profile. sleep_power_uw: in place of
    that in the settings. Raises UnknownName and InvalidQuery as `supply_of`.
    """
    known = taken.energy_uj is not None, taken.latency_ms is not None
    supply = supply_of(taken.device, settings, taken.clock_mhz, *known, sleep_power_uw)
    macs, timed = pace.macs + pace.frontend_macs, (taken.low_ms, taken.high_ms) if known[1] else (None, None)
    times = 2 * (taken.latency_ms,) if supply.active_power_uw is None else timed
    energies = (taken.energy_low_uj, taken.energy_high_uj)

    def spent(energy: float | None, latency: float | None) -> float:
        numbers = (np.nan if value is None else value for value in (energy, latency))
        return short(float(supply.power_uw(*numbers, macs, pace.every_ms)))

    low, high = (None, None) if supply.anchor else map(spent, energies, times)
    basis = SCALED if supply.anchor else taken.basis
    about = supply.by, supply.sleep_power_uw, pace.every_ms, taken.latency_ms, short(pace.macs_per_second)
    return Power(spent(taken.energy_uj, taken.latency_ms), low, high, basis, *about, taken.high_ms)


def with_power(
    found: DeviceFigure,
    arch: Arch,
    task: str,
    every_ms: float | None = None,
    sleep_power_uw: float | None = None,
    folder: str | Path | None = None,
) -> DeviceFigure:
    """A DeviceFigure of an answer on a clip, with the front end, and the power of a stream that answers each `every_ms`
    (default: once a clip, each charged a whole one). Raises as `power_of`.
    """
    rate = rate_at(arch, every_ms)
    taken = rate.charged(found, _beside(found, arch, task, rate, folder))
    return replace(
        found, power=power_of(taken, rate, device_settings(found.profile, found.device, folder), sleep_power_uw)
    )


def _beside(found: DeviceFigure, arch: Arch, task: str, rate: Rate, folder: str | Path | None) -> dict[str, float]:
    """What comes with each run of a network, where profiles can be read and a clip is cut into answers."""
    if rate.own_ms is None or lacking("pandas", "sklearn") is not None:
        return {}
    from predictors.device import find_profile
    from predictors.fitted import beside_macs

    return beside_macs(find_profile(found.profile, folder), arch, task, folder)
