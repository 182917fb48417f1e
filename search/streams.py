"""Average power of always-on streams of whole populations on a device, as bills and look-ups have it of one model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from predictors.fitted import OnDevice
from predictors.pace import pace_of
from predictors.power import Supply, supply_of
from predictors.settings import device_settings
from search.space import SearchSpace
from supernet.space import FEATURE_GENES

__all__ = ["LEAST", "LEAST_HIGH", "POWERS", "StreamPower"]

POWERS = ("power_uw", "power_high_uw")
LEAST, LEAST_HIGH = "least_ms", "least_high_ms"
"""From answer to answer, as often as network and device can; by the most that an answer takes."""
Columns = Mapping[str, np.ndarray]


class StreamPower:
    """The power of networks of `space` on a device, with an answer each `every_ms` (None: once a clip, of a whole one).

    sleep_power_uw: of the device, in place of that in its settings. folder: of the user's profiles.
    """

    def __init__(
        self,
        space: SearchSpace,
        on_device: OnDevice,
        every_ms: float | None = None,
        sleep_power_uw: float | None = None,
        folder: Path | None = None,
    ) -> None:
        self.space, self.on_device, self.folder = space, on_device, folder
        self.every_ms, self.sleep_power_uw = every_ms, sleep_power_uw
        self._paces: dict[bytes, tuple[float, ...]] = {}

    @cached_property
    def supply(self) -> Supply:
        """By what the device's power is known. Raises UnknownName where nothing is."""
        profile, known = self.on_device.profile, self.on_device.models
        settings = profile.settings | device_settings(profile.name, profile.device, self.folder)
        measured = "energy_uj" in known, "latency_ms" in known
        return supply_of(profile.device, settings, profile.clock_mhz, *measured, self.sleep_power_uw)

    def __call__(
        self, genes: np.ndarray, bits: np.ndarray, columns: Columns, taken: Columns, whole: np.ndarray
    ) -> dict[str, np.ndarray]:
        """(count,) POWERS, LEAST and LEAST_HIGH of networks (count, genes).

        columns: their costs. taken: what they take on the device alone and on a clip, of which the front end makes it
        `whole` times as much.
        """
        network, front, every, runs, least = self._pace(genes)
        beside = {} if self.every_ms is None else self.on_device.beside_macs(columns, bits)

        def answer(name: str, target: str) -> np.ndarray:
            share = beside.get(target, 0.0)
            return taken[name] * (runs * share + (1 - share) * network + (whole - 1) * front)

        latency, most = (np.nan_to_num(answer(name, "latency_ms")) for name in ("latency_ms", "latency_high_ms"))
        high = latency if self.supply.active_power_uw is None else most
        macs = columns["macs"] * (network + (whole - 1) * front)
        energies = (answer(name, "energy_uj") for name in ("energy_uj", "energy_high_uj"))
        power = [self.supply.power_uw(*own, macs, every) for own in zip(energies, (latency, high), strict=True)]
        if self.supply.anchor:
            power[1] = np.full(len(genes), np.nan)
        asked = every if self.every_ms is None else self.every_ms
        often = np.maximum(1.0, asked / every)  # on whole steps, so at times more often than is asked
        leasts = [np.maximum(own * often, least) for own in (latency, most)]
        return dict(zip((*POWERS, LEAST, LEAST_HIGH), (*power, *leasts), strict=True))

    def _pace(self, genes: np.ndarray) -> np.ndarray:
        """(5, count) shares of a clip's network and front end that an answer takes, ms from answer to answer, runs of
        the network, and the least ms that a stream has where it cannot answer as often as is wanted.
        """
        if self.every_ms is None:
            return self._once_a_clip(genes)
        own = genes[:, : self.space.genes_of_network]
        new = {row.tobytes(): place for place, row in enumerate(own) if row.tobytes() not in self._paces}
        for key, arch in zip(new, self.space.from_genes(genes[list(new.values())]), strict=True):
            pace = pace_of(arch, self.every_ms)
            least = pace.every_ms if pace.too_often(self.every_ms) else 0.0
            self._paces[key] = pace.network, pace.frontend, pace.every_ms, pace.runs, least
        return np.array([self._paces[row.tobytes()] for row in own]).T

    def _once_a_clip(self, genes: np.ndarray) -> np.ndarray:
        networks = self.space.space
        steps = np.array(networks.steps_ms)[genes[:, networks.columns(FEATURE_GENES)[1]]]
        every, ones = networks.clip_ms // steps * steps, np.ones(len(genes))
        return np.array([ones, ones, every, ones, 0 * ones])
