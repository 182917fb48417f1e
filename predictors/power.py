"""Average power of an always-on stream, in uW: what its answers take, and what the device takes while it sleeps.

Known by the energy of an answer on the device; else by the time of an answer and the power of the device while it
computes; else by a published stream on such a device, scaled by MACs a second, which is an estimate. No torch here, and
no pandas but in `draw_of`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predictors.settings import device_settings
from supernet.arch import Arch
from supernet.errors import InvalidQuery, UnknownName
from supernet.whole import is_real

__all__ = [
    "ANCHORS",
    "EXAMPLES",
    "SCALED",
    "Anchor",
    "Draw",
    "Supply",
    "average_power_uw",
    "check_sleep",
    "draw_of",
    "plain",
    "stream_power_uw",
    "supply_of",
]

SCALED = "scaled"
"""The basis of what is scaled from a published stream, beside those of figures on devices."""
STEP_MACS, STEP_S = 826_368, 0.032
"""Of MLPerf Tiny's streaming wake word: a window of 30 frames is computed anew for each frame of 32 ms."""
LMU_MACS, LMU_S = 45_125, 0.02
SLEEP, ACTIVE = "sleep_power_uw", "active_power_uw"
"""What the settings of a profile may say of its device, in uW."""


@dataclass(frozen=True)
class Anchor:
    """A published figure: a keyword spotter that listens all the time.

    macs_per_second: of its network. device, clock_mhz: as profiles have them; empty and None where not stated. duty:
    the share of the time that it computes, or None. assumed: what of this is not published, in words.
    """

    name: str
    system: str
    power_uw: float
    macs_per_second: float
    source: str
    device: str = ""
    clock_mhz: float | None = None
    duty: float | None = None
    assumed: str = ""

    @property
    def text(self) -> str:
        """Where a scaled figure comes from."""
        doubt = f"; {self.assumed}" if self.assumed else ""
        own = f"{plain(self.power_uw)} uW at {plain(self.macs_per_second)} MACs a second"
        return f"{own} ({self.system}, {self.source}{doubt})"

    def draw(self, sleep_power_uw: float | None = None) -> Draw:
        """Its power for any workload. Raises InvalidQuery for more power in sleep than it took on average."""
        duty, asleep = self.duty or 0.0, sleep_power_uw or 0.0
        if asleep > self.power_uw:
            raise InvalidQuery(
                f"sleep_power_uw = {asleep:g} is not possible: {self.system} took {self.power_uw:g} uW on average "
                f"({self.source}); give that or less"
            )
        awake = self.power_uw - asleep * (1 - duty)
        each = awake / self.macs_per_second, duty / self.macs_per_second
        return Draw(self.name, *each, sleep_power_uw, SCALED, self.text)


def _mlperf(device: str, clock_mhz: float | None, milliwatts: float, duty: float) -> Anchor:
    clock = f" at {clock_mhz:g} MHz" if clock_mhz else ""
    name = f"mlperf-{device.split()[-1].lower()}" + (f"-{clock_mhz:g}mhz" if clock_mhz else "")
    return Anchor(
        name, f"streaming wake word on {device}{clock}", 1000 * milliwatts, STEP_MACS / STEP_S,
        "MLPerf Tiny v1.3, closed division", device, clock_mhz, duty,
    )  # fmt: skip


ASSUMED = "its MACs are not published; 45,125 weights, each once in 20 ms, are assumed"
BLOUW = "Blouw et al., arXiv 2009.04465"
EXAMPLES = (
    Anchor(
        "lmu-microcontroller", "a Legendre memory unit network on a microcontroller", 212.0, LMU_MACS / LMU_S, BLOUW,
        assumed=ASSUMED,
    ),
    Anchor("lmu-circuit", "the same on a circuit of its own", 8.79, LMU_MACS / LMU_S, BLOUW, assumed=ASSUMED),
)  # fmt: skip
ANCHORS = (
    _mlperf("STM32L4R5", 120, 25.6, 0.56),
    _mlperf("STM32L4R5", 70, 22.7, 0.96),
    _mlperf("STM32H7A3", 280, 30.5, 0.133),
    _mlperf("STM32H7A3", 40, 16.2, 0.93),
    _mlperf("STM32U575", 160, 11.5, 0.363),
    _mlperf("STM32U575", 60, 9.5, 0.97),
    _mlperf("STM32U385", 96, 3.98, 0.606),
    _mlperf("STM32U3C5", 96, 4.32, 0.189),
    _mlperf("Syntiant NDP9120", None, 0.507, 0.022),
    *EXAMPLES,
)
"""Published streams; those of Blouw et al. are of no device that has a profile."""


def plain(value: float) -> str:
    """Four digits, and no exponent."""
    return f"{float(f'{value:.4g}'):,.0f}" if value >= 1000 else f"{value:.4g}"


def average_power_uw(
    energy_uj: float, answers_per_second: float, sleep_power_uw: float = 0.0, latency_ms: float = 0.0
) -> float:
    """Microwatts: energy of one answer in uJ, times answers a second, and the power of sleep for the rest of the time.

    latency_ms: of one answer, in which the device does not sleep. Raises ValueError for a quantity below zero.
    """
    given = {"energy_uj": energy_uj, "answers_per_second": answers_per_second, "sleep_power_uw": sleep_power_uw}
    for name, value in (given | {"latency_ms": latency_ms}).items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} = {value!r} is not possible: give a number from 0 up")
    asleep = max(0.0, 1 - latency_ms * answers_per_second / 1000)
    return energy_uj * answers_per_second + sleep_power_uw * asleep


def stream_power_uw(
    macs_per_second: Any, uj_per_mac: float, sleep_power_uw: float = 0.0, seconds_per_mac: float = 0.0
) -> Any:
    """Average power in uW of a stream by its workload: uj_per_mac a MAC, and sleep while nothing is computed.

    macs_per_second: of the network and its front end; a number, an array, or a tensor, whose gradient it keeps, since
    the power is linear in it. seconds_per_mac: in which the device does not sleep.
    """
    return sleep_power_uw + macs_per_second * (uj_per_mac - sleep_power_uw * seconds_per_mac)


@dataclass(frozen=True)
class Draw:
    """What a device draws by workload. sleep_power_uw: None where it is not known, which counts as 0. basis: as that of
    figures, or SCALED; by: what it is from, in words.
    """

    device: str
    uj_per_mac: float
    seconds_per_mac: float
    sleep_power_uw: float | None
    basis: str
    by: str

    def power_uw(self, macs_per_second: Any) -> Any:
        """See `stream_power_uw`."""
        return stream_power_uw(macs_per_second, self.uj_per_mac, self.sleep_power_uw or 0.0, self.seconds_per_mac)


@dataclass(frozen=True)
class Supply:
    """By what the power on a device is known: the energy of an answer, or active_power_uw, or an anchor."""

    device: str
    sleep_power_uw: float | None = None
    active_power_uw: float | None = None
    anchor: Anchor | None = None

    @property
    def by(self) -> str:
        """The same in words."""
        if self.anchor:
            return self.anchor.text
        active = self.active_power_uw
        return "the energy of an answer" if active is None else f"{plain(active)} uW while it computes"

    def power_uw(self, energy_uj: Any, latency_ms: Any, macs: Any, every_ms: Any) -> Any:
        """Average power of answers that take so much each, the front end with them, each `every_ms`.

        Numbers or arrays (count,); energy, latency: NaN where they are not known. An answer takes no less than the
        device would asleep in that time.
        """
        if self.anchor:
            return self.anchor.draw(self.sleep_power_uw).power_uw(1000 * macs / every_ms)
        duty, asleep = np.nan_to_num(np.asarray(latency_ms, float)) / every_ms, self.sleep_power_uw or 0.0
        awake = 1000 * energy_uj / every_ms if self.active_power_uw is None else self.active_power_uw * duty
        return np.maximum(awake, asleep * duty) + asleep * np.maximum(0.0, 1 - duty)


def supply_of(
    device: str,
    settings: Mapping[str, float],
    clock_mhz: float | None,
    with_energy: bool,
    with_latency: bool,
    sleep_power_uw: float | None = None,
) -> Supply:
    """By what the power on a device is known. settings: of its profile. with_energy, with_latency: whether anybody
    measured these there. sleep_power_uw: in place of that in the settings. Raises UnknownName where nothing is known,
    InvalidQuery for a sleep that takes more than computing.
    """
    asleep, active = settings.get(SLEEP) if sleep_power_uw is None else sleep_power_uw, settings.get(ACTIVE)
    if with_energy:
        return Supply(device, asleep)
    if active is not None and with_latency:
        if (asleep or 0.0) > active:
            raise InvalidQuery(
                f"{SLEEP} = {asleep:g} is not possible: {device} takes {active:g} uW while it computes ({ACTIVE} of "
                "its profile); give that or less"
            )
        return Supply(device, asleep, active_power_uw=active)
    anchor = _nearest(device, clock_mhz)
    if anchor is None:
        raise UnknownName(
            f"the power of {device} is not known: nobody measured energy there, and no published stream is of it; say "
            "active_power_uw, its power in uW while it computes, in NAME.json in the folder of your profiles (NAME: of "
            "the profile), or take another device"
        )
    return Supply(device, asleep, anchor=anchor)


def _nearest(device: str, clock_mhz: float | None) -> Anchor | None:
    """The anchor of a device whose clock is nearest; of one whose clock is not known the first."""
    own = [anchor for anchor in ANCHORS if anchor.device == device]
    if clock_mhz is None or not own:
        return next(iter(own), None)
    return min(own, key=lambda one: abs((one.clock_mhz or 0.0) - clock_mhz))


def draw_of(
    device: str,
    like: Arch | None = None,
    task: str = "kws",
    sleep_power_uw: float | None = None,
    folder: str | Path | None = None,
) -> Draw:
    """What a device draws by workload, as a loss may have it: `draw_of("my-board").power_uw(macs_per_second)`.

    device: a profile, by its name or the beginning of it, or the name of one of ANCHORS. like: a network, at whose size
    it is what is predicted there; without, a MAC takes the median of those that were measured. sleep_power_uw: in place
    of that in the profile's settings. folder: of the user's profiles. Raises UnknownName where there is no such device,
    or nothing is known of its power.
    """
    check_sleep(sleep_power_uw)
    named = next((anchor for anchor in ANCHORS if anchor.name == device), None)
    return named.draw(sleep_power_uw) if named else _of_profile(device, like, task, sleep_power_uw, folder)


def check_sleep(sleep_power_uw: float | None) -> None:
    """Raise InvalidQuery for what no device takes asleep; None is what its settings say."""
    if sleep_power_uw is not None and not is_real(sleep_power_uw, 0, 1e12):
        raise InvalidQuery(f"{SLEEP} = {sleep_power_uw!r:.40} is not possible: give a number of uW, 0 or more")


def _of_profile(device: str, like: Arch | None, task: str, sleep: float | None, folder: str | Path | None) -> Draw:
    from predictors.device import find_profile
    from predictors.estimate import estimate_many

    profile = find_profile(device, folder)
    rows = profile.rows if like is None else estimate_many([like], profile.name, task, folder)
    known = [rows[name].notna().any() for name in ("energy_uj", "latency_ms")]
    settings = profile.settings | device_settings(profile.name, profile.device, folder)
    supply = supply_of(profile.device, settings, profile.clock_mhz, *known, sleep)
    if supply.anchor:
        return supply.anchor.draw(supply.sleep_power_uw)
    energy, ms = (float((rows[name] / rows["macs"]).median()) if there else 0.0
                  for name, there in zip(("energy_uj", "latency_ms"), known, strict=True))  # fmt: skip
    seconds = ms / 1000
    awake = energy if supply.active_power_uw is None else supply.active_power_uw * seconds
    each = max(awake, (supply.sleep_power_uw or 0.0) * seconds)
    basis = "measured" if like is None else rows["basis"].iloc[0]
    return Draw(profile.name, each, seconds, supply.sleep_power_uw, basis, supply.by)
