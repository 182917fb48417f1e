"""Conditions of a look-up on a device: each model's figures are read when it is asked for.

A device limits flash and RAM to what it has, where that is known, and latency and energy of the network with its front
end to what is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import numpy as np

from predictors.names import resolve
from predictors.settings import device_limits, device_settings
from supernet.errors import InvalidQuery, UnknownName
from zoo.ask.limits import LIMITS, ON_DEVICE, Constraint, limits_of
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import stored_figures
from zoo.hubs.index import Index
from zoo.package.entry import Entry
from zoo.package.figures import Figure

__all__ = ["DeviceLimits", "device_note", "known_limits"]

WHAT = {"max_flash": "bytes of flash", "max_ram": "bytes of RAM"}


def known_limits(figure: Figure) -> dict[str, float]:
    """The limits that follow from what a device has, by names of LIMITS; none where that is not known."""
    return device_limits(device_settings(figure.profile, figure.device))


def device_note(entry: Entry, figure: Figure) -> str:
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
    ) -> None:
        self.hub, self.device, self.limits = hub, device, limits_of(limits)
        self.ignore_limits = ignore_limits
        self._fields = {name: limit.sure if sure else limit.field for name, limit in ON_DEVICE.items()}
        self._profile: str | None = None
        self._has: dict[str, float] = {}
        self._owner = ""
        self._seen: set[str] = set()
        if device is None and (self.limits or sure or ignore_limits):
            named = next(iter(self.limits), "sure" if sure else "ignore_limits")
            raise InvalidQuery(f"{named} needs a device; `earshot profile list` shows all")

    @property
    def limiting(self) -> bool:
        """Whether a model can miss anything."""
        return bool(self.limits) or not (self.device is None or self.ignore_limits)

    def value(self, entry: Entry, name: str) -> float:
        """What a model with its front end takes, infinite where it has no figure."""
        found = self._figure(entry)
        if found is None:
            return math.inf
        number = getattr(found.with_frontend(entry.macs, entry.frontend_macs), self._fields[name])
        return math.inf if number is None else number

    def meets(self, entry: Entry) -> bool:
        """True where a model keeps all limits."""
        self._figure(entry)
        fits = all(_need(entry, name) <= most for name, most in self._has.items())
        return fits and all(self.value(entry, name) <= limit for name, limit in self.limits.items())

    def check(self) -> None:
        """Raise UnknownName where no model that was asked has figures for the device."""
        if self.limiting and self._profile is None:
            resolve(self.device, self._seen, self.hub.address)

    def constraints(self, index: Index) -> list[Constraint]:
        """The same as conditions on all models of an index. Raises UnknownName where none has figures for it."""
        for entry in index.entries:
            if self._profile is None:
                self._figure(entry)
        self.check()
        asked = [
            Constraint(name, limit, partial(self.value, name=name), partial(self._excess, name=name, limit=limit))
            for name, limit in self.limits.items()
        ]
        return asked + [self._of_device(name, most) for name, most in self._has.items()]

    def _of_device(self, name: str, most: float) -> Constraint:
        field, need = LIMITS[name].field, partial(_need, limit=name)
        return Constraint(name, most, need, lambda index: index.amounts(field) / most - 1, owner=self._owner)

    def _excess(self, index: Index, name: str, limit: float) -> np.ndarray:
        values = np.array([self.value(entry, name) for entry in index.entries])
        return values / limit - 1

    def _figure(self, entry: Entry) -> Figure | None:
        known = stored_figures(self.hub, entry)
        if self._profile is None:
            self._seen |= known.keys()
            with suppress(UnknownName):
                self._profile = resolve(self.device, known)
                self._owner = known[self._profile].device
                self._has = {} if self.ignore_limits else known_limits(known[self._profile])
        return known.get(self._profile)
