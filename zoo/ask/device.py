"""Conditions of a look-up on a device: each model's figures are read when it is asked for.

A device limits flash and RAM to what it has, where that is known, and latency and energy of the network with its front
end, and the average power of a stream of it, to what is asked.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np

from predictors.names import resolve
from predictors.settings import device_limits, device_settings
from supernet.errors import InvalidQuery, UnknownName
from zoo.ask.limits import LIMITS, ON_DEVICE, Constraint, limits_of
from zoo.ask.units import interval, power_or_none
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import stored_figures
from zoo.hubs.index import Index
from zoo.package.entry import Entry
from zoo.package.figures import DeviceFigure, Power
from zoo.run.power import with_power

__all__ = ["DeviceLimits", "Stream", "device_note", "known_limits"]

POWER, RATE = "max_power_uw", "every_ms"
"""The limit on the power of a stream, and the rate of that, which the device has to keep."""
OF_STREAM = {RATE: interval, "sleep_power_uw": power_or_none}

WHAT = {"max_flash": "bytes of flash", "max_ram": "bytes of RAM"}
UNMEASURED = "leave {name} out, of which nothing is known on {profile}"

log = logging.getLogger(__name__)


def known_limits(figure: DeviceFigure) -> dict[str, float]:
    """The limits that follow from what a device has, by names of LIMITS; none where that is not known."""
    return device_limits(device_settings(figure.profile, figure.device))


def device_note(entry: Entry, figure: DeviceFigure) -> str:
    """Whether a model fits into what a device has, in a line."""
    known = known_limits(figure)
    has = " and ".join(f"{most:,.0f} {WHAT[name]}" for name, most in known.items())
    over = [name for name, most in known.items() if _need(entry, name) > most]
    needs = " and ".join(f"{_need(entry, name):,} {WHAT[name]}" for name in over)
    if not known:
        return f"flash and RAM of {figure.device} are not known, so they limit nothing"
    if over:
        return f"does not fit: {figure.device} has {has}, it needs {needs}"
    return f"fits into the {has} that {figure.device} has"


def _need(entry: Entry, limit: str) -> int:
    return getattr(entry, LIMITS[limit].field)


@dataclass(frozen=True)
class Stream:
    """The always-on stream of which the power is asked: an answer each `every_ms` (None: once a clip, of which each is
    charged a whole one), and the power of the device asleep (None: as its profile says). asked: whether it is asked.
    """

    every_ms: float | None = None
    sleep_power_uw: float | None = None
    asked: bool = False

    @classmethod
    def of(cls, wanted: Mapping[str, float | str | None]) -> Stream:
        """That of a query. Raises InvalidQuery for a value that cannot be meant."""
        known = {name: read(name, wanted[name]) for name, read in OF_STREAM.items() if wanted.get(name) is not None}
        return cls(**known, asked=bool(known) or wanted.get(POWER) is not None)

    def figure(self, hub: AnyHub, entry: Entry, found: DeviceFigure) -> DeviceFigure:
        """A model's DeviceFigure with its front end, with the power where that is asked. Raises UnknownName where
        nothing is known of the device's power.
        """
        if not self.asked:
            return found
        arch = hub.home(entry).config(entry).arch
        return with_power(found, arch, entry.task, self.every_ms, self.sleep_power_uw)

    def least_ms(self, power: Power, sure: bool = False) -> float:
        """From answer to answer, as often as the model and the device can; sure: by the most that an answer takes.

        A stream answers on whole steps, so at times more often than is asked; then an answer counts for so much more.
        """
        asked = power.every_ms if self.every_ms is None else self.every_ms
        own = power.every_ms if power.every_ms > asked else 0.0
        answer = (power.answer_high_ms if sure else power.answer_ms) or 0.0
        return max(own, answer * max(1.0, asked / power.every_ms))


class DeviceLimits:
    """The conditions of a query on a device; each model's figures are read when it is asked for.

    sure: the interval's upper end must keep a limit, not the median. ignore_limits: what the device has limits nothing.
    Raises InvalidQuery for a limit without a device.
    """

    def __init__(
        self,
        hub: AnyHub,
        device: str | None,
        limits: Mapping[str, float | str | None],
        sure: bool,
        ignore_limits: bool = False,
        stream: Stream = Stream(),
    ) -> None:
        self.hub, self.device, self.limits, self.stream = hub, device, limits_of(limits), stream
        self.ignore_limits = ignore_limits
        self.sure = sure
        self._fields = {name: limit.sure if sure else limit.field for name, limit in ON_DEVICE.items()}
        self._profile: str | None = None
        self._has: dict[str, float] = {}
        self._owner = ""
        self._seen: set[str] = set()
        self._powers: dict[str, Power] = {}
        self.without: set[str] = set()
        if device is None and (self.limits or sure or ignore_limits or stream.asked):
            others = {"sure": sure, "ignore_limits": ignore_limits, RATE: stream.every_ms is not None}
            named = next(iter(self.limits), next((name for name, on in others.items() if on), "sleep_power_uw"))
            raise InvalidQuery(f"{named} needs a device; `earshot profile list` shows all")

    @property
    def limiting(self) -> bool:
        """Whether a model can miss anything, be it figures."""
        return self.device is not None

    def value(self, entry: Entry, name: str) -> float:
        """What a model with its front end takes, infinite where it has no figure."""
        found = self._figure(entry)
        if found is None:
            return math.inf
        if name == POWER:
            return self._power_value(found, entry)
        number = getattr(found.with_frontend(entry.macs, entry.frontend_macs), self._fields[name])
        return math.inf if number is None else number

    def _power_value(self, found: DeviceFigure, entry: Entry) -> float:
        number = getattr(self._power(found, entry), self._fields[POWER])
        if number is None:
            raise InvalidQuery(
                f"sure = True is not possible with {POWER}: the power of {found.device} is scaled from a published "
                "stream and has no interval; leave sure out"
            )
        return number

    def _power(self, found: DeviceFigure, entry: Entry) -> Power:
        if entry.name not in self._powers:
            whole = found.with_frontend(entry.macs, entry.frontend_macs)
            try:
                self._powers[entry.name] = self.stream.figure(self.hub, entry, whole).power
            except UnknownName as error:
                raise UnknownName(f"{POWER} = {self.limits[POWER]:g}: {error}") from None
        return self._powers[entry.name]

    def _least_ms(self, entry: Entry) -> float:
        """From answer to answer, as often as the model can on the device; infinite where it has no figure."""
        found = self._figure(entry)
        return math.inf if found is None else self.stream.least_ms(self._power(found, entry), self.sure)

    def _late(self, entry: Entry) -> float:
        """By how much a model misses the rate of the stream, relative."""
        return self._least_ms(entry) / (self.stream.every_ms or self._powers[entry.name].every_ms) - 1

    def meets(self, entry: Entry) -> bool:
        """True where a model has figures and keeps all limits."""
        if self._figure(entry) is None:
            self.without.add(entry.name)
            return False
        fits = all(_need(entry, name) <= most for name, most in self._has.items())
        kept = fits and all(self.value(entry, name) <= limit for name, limit in self.limits.items())
        return kept and (POWER not in self.limits or self._late(entry) <= 0)

    def check(self, index: Index) -> None:
        """Raise UnknownName where no model of an index has figures for the device."""
        for entry in index.entries if self.limiting else ():
            if self._profile is not None:
                return
            self._figure(entry)
        if self.limiting and self._profile is None:
            resolve(self.device, self._seen, self.hub.address)

    @property
    def profile(self) -> str | None:
        """The whole name of the profile, once a model had figures for it."""
        return self._profile

    def tell(self) -> None:
        """Say in the log of how many models that were asked nothing is known on the device."""
        if self.without:
            log.warning(
                "%d models are left out: no figures for %s, which `earshot profile costs` computes",
                len(self.without), self.profile,
            )  # fmt: skip

    def constraints(self, index: Index) -> list[Constraint]:
        """The same as conditions on all models of an index. Raises UnknownName where none has figures for it."""
        if not self.limiting:
            return []
        self.check(index)
        asked = [
            Constraint(
                name, limit, partial(self.value, name=name), partial(self._excess, name=name, limit=limit),
                remedy=UNMEASURED.format(name=name, profile=self._profile),
            )
            for name, limit in self.limits.items()
        ]  # fmt: skip
        if POWER in self.limits:
            asked.append(Constraint(RATE, self.stream.every_ms or "a clip", self._least_ms, self._lateness))
        return asked + [self._of_device(name, most) for name, most in self._has.items()]

    def _lateness(self, index: Index) -> np.ndarray:
        known = [math.inf if self._figure(entry) is None else self._late(entry) for entry in index.entries]
        return np.array(known)

    def _of_device(self, name: str, most: float) -> Constraint:
        field, need = LIMITS[name].field, partial(_need, limit=name)
        return Constraint(name, most, need, lambda index: index.amounts(field) / most - 1, owner=self._owner)

    def _excess(self, index: Index, name: str, limit: float) -> np.ndarray:
        values = np.array([self.value(entry, name) for entry in index.entries])
        return values / limit - 1

    def _figure(self, entry: Entry) -> DeviceFigure | None:
        known = stored_figures(self.hub, entry)
        if self._profile is None:
            self._seen |= known.keys()
            with suppress(UnknownName):
                self._profile = resolve(self.device, known)
                self._owner = known[self._profile].device
                self._has = {} if self.ignore_limits else known_limits(known[self._profile])
        return known.get(self._profile)
