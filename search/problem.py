"""What a search is asked for: the networks, the limits that they must keep, and what their costs are.

Limits are hard. A candidate over one is repaired: its genes are moved towards the cheapest network, step by step in an
order drawn for it, as few as needed. Bisection finds how few, so that a population is repaired in some seven looks at
its costs, and a search ends whatever the limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from predictors.device import find_profile
from predictors.estimate import frontend_macs_of, with_rest
from predictors.fitted import OnDevice
from predictors.names import TARGETS
from predictors.power import check_sleep
from search.space import SearchSpace
from search.streams import LEAST, LEAST_HIGH, POWERS, StreamPower
from supernet.errors import InfeasibleBudget, InvalidQuery, UnknownName, nearest_names
from supernet.space import FEATURE_GENES

__all__ = ["COSTS", "LIMITS", "ON_DEVICE", "Problem"]

LIMITS = {
    "max_ops": "macs",
    "max_macs": "macs",
    "max_params": "params",
    "max_weights": "weight_bytes",
    "max_flash": "flash_bytes",
    "max_ram": "ram_bytes",
    "max_latency_ms": "latency_ms",
    "max_energy_uj": "energy_uj",
    "max_instructions": "instructions",
    "max_power_uw": "power_uw",
}
"""The cost that each limit is on."""
COSTS = tuple(dict.fromkeys(LIMITS.values()))
ON_DEVICE = (*TARGETS, "power_uw")
SURE = {**{target: high for target, (_, high, _) in TARGETS.items()}, "power_uw": "power_high_uw", LEAST: LEAST_HIGH}
POWER, RATE = "max_power_uw", "every_ms"
"""The limit on the power of a stream, and the rate of that, which is a limit then as well."""
OF_STREAM = (*POWERS, LEAST, LEAST_HIGH)


@dataclass(frozen=True, eq=False)
class Problem:
    """The networks of `space` that keep all limits.

    limits: by names of LIMITS, in MACs, parameters, bytes, ms, uJ, instructions and uW. device: a device profile, for
    the last four, which are with the front end, whose part is guessed by its MACs as in look-ups.
    task: what the networks are for, as predictors of latency take it. sure: the upper ends of their
    intervals must keep the limits, not the medians. folder: of the user's profiles. every_ms: from answer to answer of
    the stream whose power is limited, which networks and device have to keep up with (default: an answer a clip, of a
    whole one). sleep_power_uw: of the device, in place of that in its settings.
    Raises UnknownName for an unknown limit, and for a limit on a device that is not named or was not measured, and
    InvalidQuery for one that is not above 0.
    """

    space: SearchSpace
    limits: Mapping[str, float]
    device: str | None = None
    task: str = "kws"
    sure: bool = False
    folder: Path | None = None
    every_ms: float | None = None
    sleep_power_uw: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if name not in LIMITS:
                raise UnknownName(f"unknown limit {name!r}: {nearest_names(name, LIMITS)}")
            if not limit > 0:
                raise InvalidQuery(f"{name} = {limit:g} is not possible: give a number above 0")
            if LIMITS[name] in ON_DEVICE and self.device is None:
                raise InvalidQuery(f"{name} needs a device; `earshot profile list` shows all")
            if LIMITS[name] in TARGETS and LIMITS[name] not in self._on_device.models:
                raise UnknownName(f"{name}: nobody measured it on {self.device}; leave it out, or take another device")
        if self.every_ms is not None and not self.every_ms > 0:
            raise InvalidQuery(f"every_ms = {self.every_ms:g} is not possible: give a number above 0")
        check_sleep(self.sleep_power_uw)
        if POWER in self.limits:
            self._check_power()

    def _check_power(self) -> None:
        limit = f"{POWER} = {self.limits[POWER]:g}"
        try:
            supply = self._stream.supply
        except UnknownName as error:
            raise UnknownName(f"{limit}: {error}") from None
        if self.sure and supply.anchor:
            raise InvalidQuery(
                f"{limit} with sure: the power of {supply.device} is scaled from a published stream and has no "
                "interval; leave sure out"
            )

    @cached_property
    def bounds(self) -> dict[str, float]:
        """The limits, and the rate of the stream where its power is limited."""
        rate = self.space.space.clip_ms if self.every_ms is None else self.every_ms
        return {**self.limits, RATE: rate} if POWER in self.limits else dict(self.limits)

    def _exact(self, genes: np.ndarray) -> dict[str, np.ndarray]:
        networks, count = self.space.space, len(genes)
        chosen = np.array(networks.coefficients)[genes[:, networks.columns(FEATURE_GENES[:1])[0]]]
        kinds, classes = [networks.feature_kind] * count, [networks.classes] * count
        return with_rest(self.space.costs(genes), kinds, chosen.tolist(), classes)

    def costs(self, genes: np.ndarray, names: Iterable[str] = COSTS) -> dict[str, np.ndarray]:
        """(count,) of each cost in `names`, of networks (count, genes); NaN where nobody measured it on the device."""
        names, columns = tuple(names), self._exact(genes)
        if self.device is not None and set(names) & {*ON_DEVICE, *SURE.values(), LEAST}:
            bits = self.space.least_bits(genes)
            table, whole = self._on_device(columns, bits), self._with_frontend(genes, columns["macs"])
            taken = {name: table[name].to_numpy() for ends in TARGETS.items() for name in (ends[0], *ends[1][:2])}
            if set(names) & set(OF_STREAM):
                columns |= self._with_stream(genes, bits, columns, taken, whole)
            columns |= {name: values * whole for name, values in taken.items()}
        return {name: columns[name] for name in names if name in columns}

    def _with_frontend(self, genes: np.ndarray, macs: np.ndarray) -> np.ndarray:
        """(count,) how many times as much a network takes with its front end, by MACs, as look-ups guess it."""
        networks = self.space.space
        chosen = genes[:, networks.columns(FEATURE_GENES)]
        pairs, which = np.unique(chosen, axis=0, return_inverse=True)
        kinds = [(networks.coefficients[first], networks.steps_ms[second]) for first, second in pairs.tolist()]
        front = [frontend_macs_of(networks.feature_kind, *own, networks.clip_ms // own[1]) for own in kinds]
        return 1 + np.array(front)[which.ravel()] / macs

    @cached_property
    def _stream(self) -> StreamPower:
        return StreamPower(self.space, self._on_device, self.every_ms, self.sleep_power_uw, self.folder)

    def _with_stream(self, genes: np.ndarray, bits: np.ndarray, columns: dict, taken: dict, whole: np.ndarray) -> dict:
        """The power of a stream; NaN where nothing is known of the device's."""
        try:
            return self._stream(genes, bits, columns, taken, whole)
        except UnknownName:
            return dict.fromkeys(OF_STREAM, np.full(len(genes), np.nan))

    @cached_property
    def _on_device(self) -> OnDevice:
        return OnDevice(find_profile(self.device, self.folder), self.task, self.folder)

    def excesses(self, genes: np.ndarray) -> np.ndarray:
        """(count, bounds) by how much each of `bounds` is missed, relative; 0 or less where it is kept."""
        wanted = [self._limited(name) for name in self.bounds]
        costs = self.costs(genes, wanted)
        found = [costs[name] / limit - 1 for name, limit in zip(wanted, self.bounds.values(), strict=True)]
        return np.column_stack(found) if found else np.zeros((len(genes), 0))

    def _limited(self, limit: str) -> str:
        cost = LEAST if limit == RATE else LIMITS[limit]
        return SURE.get(cost, cost) if self.sure else cost

    def keeps(self, genes: np.ndarray) -> np.ndarray:
        """(count,) True where all limits are kept."""
        return (self.excesses(genes) <= 0).all(1)

    @cached_property
    def anchor(self) -> np.ndarray:
        """(genes,) a network that keeps all limits: the cheapest, or one near it.

        Raises InfeasibleBudget where there is none.
        """
        genes = self.space.smallest()
        if not self.keeps(genes)[0]:
            genes = self._descend(genes, lambda row: np.maximum(self.excesses(row), 0).sum(1))
        excess = self.excesses(genes)[0]
        if (excess > 0).any():
            raise self._infeasible(genes, list(self.bounds)[int(excess.argmax())])
        return genes[0]

    def _descend(self, genes: np.ndarray, value) -> np.ndarray:
        """(1, genes) where no other choice of a single gene has less of `value`, from `genes`."""
        best = value(genes)[0]
        while True:
            near = self.neighbours(genes[0])
            values = value(near)
            if not len(near) or values.min() >= best:
                return genes
            genes, best = near[values.argmin()][None], values.min()

    def neighbours(self, genes: np.ndarray) -> np.ndarray:
        """(count, genes) all other networks that differ from one in a single gene."""
        cards = self.space.cardinalities
        column = np.repeat(np.arange(len(cards)), cards)
        near = np.repeat(genes[None], len(column), 0)
        near[np.arange(len(column)), column] = np.concatenate([np.arange(count) for count in cards])
        near = self.space.canonical(near)
        return np.unique(near[(near != genes).any(1)], axis=0)

    def _infeasible(self, nearest: np.ndarray, name: str) -> InfeasibleBudget:
        """The error for limits of which the nearest network misses `name` most."""
        place = list(self.bounds).index(name)
        alone = self._descend(self.space.smallest(), lambda row: self.excesses(row)[:, place])
        shown = nearest if self.excesses(alone)[0, place] <= 0 else alone
        cost = self._limited(name)
        smallest = self.costs(shown, [cost])[cost][0].item()
        others = [f"{other} = {limit:,.10g}" for other, limit in self.bounds.items() if other != name]
        others += [f"weights of {self.space.weight_bits[0]} bits"] * (len(self.space.weight_bits) == 1)
        return InfeasibleBudget(
            name, self.bounds[name], smallest, self.space.from_genes(shown)[0], " and ".join(others), self._text(shown)
        )

    def _text(self, genes: np.ndarray) -> str:
        """What a network costs, in short."""
        costs = {cost: column[0] for cost, column in self.costs(genes).items()}
        exact = f"{costs['macs']:,} MACs, {costs['flash_bytes']:,} bytes of flash, {costs['ram_bytes']:,} of RAM"
        return ", ".join([exact, *(text for name, text in _texts(costs) if not np.isnan(costs[name]))])

    def repair(self, genes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(count, genes) that keep all limits: each candidate over one goes as few steps to the anchor as it takes.

        Steps that no missed limit depends on come last. Raises InfeasibleBudget.
        """
        genes, anchor = genes.copy(), self.anchor
        excess = self.excesses(genes)
        over = np.flatnonzero((excess > 0).any(1))
        if not len(over):
            return genes
        part = genes[over]
        way = anchor - part
        order = self._order(way, (excess[over] > 0) @ self._relevant, rng)
        low, high = np.zeros(len(over), int), np.abs(way).sum(1)
        while (open_ := np.flatnonzero(high - low > 1)).size:
            middle = (low[open_] + high[open_]) // 2
            kept = self.keeps(self._moved(part[open_], way[open_], order[open_], middle))
            high[open_], low[open_] = np.where(kept, middle, high[open_]), np.where(kept, low[open_], middle)
        genes[over] = self._moved(part, way, order, high)
        return genes

    def _moved(self, genes: np.ndarray, way: np.ndarray, order: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Candidates after so many steps (count,) of their ways."""
        return self.space.canonical(genes + np.sign(way) * (order < steps[:, None, None]).sum(2))

    def _order(self, way: np.ndarray, relevant: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(count, genes, steps) the place of each unit step of a gene in its candidate's random order."""
        most = max(1, int(np.abs(way).max()))
        keys = rng.random((*way.shape, most)) + 1.0 * ~relevant[:, :, None]
        keys[np.arange(most) >= np.abs(way)[:, :, None]] = np.inf
        return keys.reshape(len(way), -1).argsort(1, kind="stable").argsort(1, kind="stable").reshape(keys.shape)

    @cached_property
    def _relevant(self) -> np.ndarray:
        """(bounds, genes) True where a limit's cost depends on the gene, at the largest or the smallest network."""
        found = np.zeros((len(self.bounds), len(self.space.cardinalities)), bool)
        for base in (self.space.largest(), self.space.smallest()):
            for gene, count in enumerate(self.space.cardinalities):
                changed = np.repeat(base, count, 0)
                changed[:, gene] = np.arange(count)
                found[:, gene] |= np.ptp(self.excesses(self.space.canonical(changed)), axis=0) > 0
        return found


def _texts(costs: Mapping[str, float]) -> list[tuple[str, str]]:
    """Of latency, instructions and power, where a device is asked: their names and texts."""
    forms = {"latency_ms": "{:.3g} ms", "instructions": "{:,.0f} instructions", "power_uw": "{:,.4g} uW"}
    return [(name, form.format(costs[name])) for name, form in forms.items() if name in costs]
