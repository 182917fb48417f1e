"""Conditions of a look-up on a device: each model's figures are read when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import numpy as np

from predictors.names import resolve
from supernet.errors import InvalidQuery, UnknownName
from zoo.ask.limits import ON_DEVICE, Constraint, limits_of
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import figures
from zoo.hubs.index import Index
from zoo.package.entry import Entry
from zoo.package.figures import Figure

__all__ = ["DeviceLimits"]


class DeviceLimits:
    """The conditions of a query on a device; each model's figures are read when it is asked for.

    sure: the interval's upper end must keep a limit, not the median. Raises InvalidQuery for a limit without a device.
    """

    def __init__(self, hub: AnyHub, device: str | None, limits: Mapping[str, float | str | None], sure: bool) -> None:
        self.hub, self.device, self.limits = hub, device, limits_of(limits)
        self._fields = {name: limit.sure if sure else limit.field for name, limit in ON_DEVICE.items()}
        self._profile: str | None = None
        self._seen: set[str] = set()
        if device is None and (self.limits or sure):
            raise InvalidQuery(f"{next(iter(self.limits), 'sure')} needs a device; `earshot profile list` shows all")

    def value(self, entry: Entry, name: str) -> float:
        """What a model takes, infinite where it has no figure."""
        found = self._figure(entry)
        number = None if found is None else getattr(found, self._fields[name])
        return math.inf if number is None else number

    def meets(self, entry: Entry) -> bool:
        """True where a model keeps all limits."""
        return all(self.value(entry, name) <= limit for name, limit in self.limits.items())

    def check(self) -> None:
        """Raise UnknownName where no model that was asked has figures for the device."""
        if self.limits and self._profile is None:
            resolve(self.device, self._seen, self.hub.address)

    def constraints(self) -> list[Constraint]:
        """The same as conditions on all models of an index."""
        return [
            Constraint(name, limit, partial(self.value, name=name), partial(self._excess, name=name, limit=limit))
            for name, limit in self.limits.items()
        ]

    def _excess(self, index: Index, name: str, limit: float) -> np.ndarray:
        values = np.array([self.value(entry, name) for entry in index.entries])
        self.check()
        return values / limit - 1

    def _figure(self, entry: Entry) -> Figure | None:
        known = figures(self.hub, entry)
        if self._profile is None:
            self._seen |= known.keys()
            with suppress(UnknownName):
                self._profile = resolve(self.device, known)
        return known.get(self._profile)
