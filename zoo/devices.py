"""What models take on devices: `costs.json` beside each package, which a look-up reads. No torch or scikit-learn here.

The figures are computed when a model is published and when a profile is added, by the predictors or from measurements
of the model itself, and lie outside of the package's digests, so that a new profile changes no model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path

import numpy as np

from predictors.names import resolve
from supernet.arch import Arch
from supernet.extras import need
from supernet.files import read_json, write_json
from zoo.entry import Entry
from zoo.errors import EarshotError, InvalidPackage, InvalidQuery, UnknownName
from zoo.hub import AnyHub
from zoo.index import Index, state_of
from zoo.query import Constraint
from zoo.units import limits_of, milliseconds

__all__ = [
    "COSTS",
    "Bill",
    "DeviceLimits",
    "Figure",
    "Line",
    "check_writable",
    "device_figures",
    "figure",
    "figure_of",
    "figures",
    "fit",
    "read_figures",
    "write_costs",
    "write_figures",
]

COSTS, SCHEMA, FORMER = "costs.json", 2, 1
BASES = ("measured", "predicted", "indicative")
FIELDS = {"max_latency_ms": "latency_ms", "max_energy_uj": "energy_uj"}
SURE_FIELDS = {"max_latency_ms": "high_ms", "max_energy_uj": "energy_high_uj"}
"""What a limit is held against: the median, and the upper end of its interval."""
REMEDY = "write the costs again with `earshot profile costs`"


@dataclass(frozen=True)
class Figure:
    """What one model takes on one device profile, without the front end.

    latency_ms: the median; low_ms, high_ms: its interval. energy_uj: of one answer, with its interval; None where
    nobody measured energy on the device. in_range, energy_in_range: False where the model is outside of what was
    measured there. basis: one of BASES; indicative where the runtime cannot load our packages.
    """

    profile: str
    device: str
    clock_mhz: float | None
    runtime: str
    version: str
    latency_ms: float
    low_ms: float
    high_ms: float
    energy_uj: float | None
    energy_low_uj: float | None
    energy_high_uj: float | None
    in_range: bool
    energy_in_range: bool
    basis: str

    def __post_init__(self) -> None:
        numbers = [self.latency_ms, self.low_ms, self.high_ms, self.clock_mhz or 0]
        texts, truths = (self.profile, self.device, self.runtime, self.version), (self.in_range, self.energy_in_range)
        if self.energy_uj is not None:
            numbers += [self.energy_uj, self.energy_low_uj, self.energy_high_uj]
        real = all(isinstance(number, (int, float)) and 0 <= number < 2**53 for number in numbers)
        real = real and self.low_ms <= self.latency_ms <= self.high_ms
        if self.energy_uj is not None:
            real = real and self.energy_low_uj <= self.energy_uj <= self.energy_high_uj
        named = all(isinstance(text, str) and text.isprintable() for text in texts)
        if not (real and named and self.basis in BASES and all(isinstance(truth, bool) for truth in truths)):
            raise InvalidPackage(f"the figures for device {self.profile!r:.100} are not possible; {REMEDY}")

    def __str__(self) -> str:
        clock = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
        runtime = self.runtime if not self.version or self.version in self.runtime else f"{self.runtime} {self.version}"
        energy = ""
        if self.energy_uj is not None:
            low, high = _text(self.energy_low_uj), _text(self.energy_high_uj)
            energy = f", {_text(self.energy_uj)} uJ ({low} to {high})"
        doubt = "" if self.in_range else "; outside of what was measured there"
        if self.in_range and self.energy_uj is not None and not self.energy_in_range:
            doubt = "; energy outside of what was measured there"
        latency = f"{_text(self.latency_ms)} ms ({_text(self.low_ms)} to {_text(self.high_ms)})"
        place = f"{self.device}{clock}, {runtime or 'runtime unknown'}"
        return f"{latency}{energy} on {place}: {self.basis}{doubt}"


def figures(hub: AnyHub, entry: Entry) -> dict[str, Figure]:
    """All figures of a model by profile; none where they were not computed. Raises InvalidPackage."""
    path = hub.file(entry, COSTS)
    return {} if path is None else read_figures(path)


def read_figures(path: Path) -> dict[str, Figure]:
    """What a file of costs states, by profile. Raises InvalidPackage."""
    return _read(path, state_of(path))


@lru_cache(maxsize=4096)
def _read(path: Path, state: tuple) -> dict[str, Figure]:
    try:
        values = read_json(path)
        if values["schema"] not in (FORMER, SCHEMA):
            raise InvalidPackage(f"written with schema {values['schema']!r:.40}; this version reads {SCHEMA}; {REMEDY}")
        profiles = values["profiles"].items()
        if values["schema"] == FORMER:
            return {name: Figure(profile=name, **figures) for name, figures in profiles}
        return {name: Figure(profile=name, **dict(zip(values["fields"], row, strict=True))) for name, row in profiles}
    except EarshotError as error:
        raise InvalidPackage(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidPackage(f"{path}: {str(error)[:200]!r} is missing or not possible; {REMEDY}") from None


def figure(hub: AnyHub, entry: Entry, device: str) -> Figure:
    """What a model takes on a device: a profile by its name or the beginning of it. Raises UnknownName."""
    known = figures(hub, entry)
    return known[resolve(device, known, f"{hub.address}: {entry.name}")]


class DeviceLimits:
    """The conditions of a query on a device; each model's figures are read when it is asked for.

    sure: the interval's upper end must keep a limit, not the median. Raises InvalidQuery for a limit without a device.
    """

    def __init__(self, hub: AnyHub, device: str | None, limits: Mapping[str, float | str | None], sure: bool) -> None:
        self.hub, self.device, self.limits = hub, device, limits_of(limits)
        self._fields = SURE_FIELDS if sure else FIELDS
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


def write_costs(hub: AnyHub, entries: Iterable[Entry], folder: str | Path | None = None) -> int:
    """Compute the figures of models on all profiles at hand, and keep them; returns how many profiles there are.

    folder: of the user's profiles.
    """
    check_writable(hub)
    need("pandas", "sklearn")
    from predictors.device import profiles

    entries = sorted(entries, key=lambda entry: entry.task)
    for task, group in groupby(entries, key=lambda entry: entry.task):
        own = list(group)
        found = device_figures([hub.config(entry).arch for entry in own], task, folder)
        for entry, taken in zip(own, found, strict=True):
            write_figures(hub.path(entry), taken)
    return len(profiles(folder))


def check_writable(hub: AnyHub) -> None:
    """Raise InvalidQuery for a hub whose models cannot be given figures here."""
    if not hub.writable:
        raise InvalidQuery(f"hub {hub.address}: not writable; `earshot sync` copies it, so give the copy")


def device_figures(archs: Sequence[Arch], task: str, folder: str | Path | None = None) -> list[dict[str, Figure]]:
    """What networks take on all profiles at hand, of each by profile. folder: of the user's profiles."""
    from predictors.device import profiles
    from predictors.fitted import predict
    from supernet.cost import cost_columns

    known, columns = profiles(folder), cost_columns(archs)
    tables = {name: predict(profile, archs, columns, task, folder) for name, profile in known.items()}
    return [
        {name: _figure(known[name], table.iloc[number]) for name, table in tables.items()}
        for number in range(len(archs))
    ]


def write_figures(package: Path, found: Mapping[str, Figure]) -> None:
    """Keep what a model takes, a row a profile, beside its package."""
    names = [field.name for field in fields(Figure) if field.name != "profile"]
    rows = {profile: [getattr(one, name) for name in names] for profile, one in found.items()}
    write_json(package / COSTS, {"schema": SCHEMA, "fields": names, "profiles": rows})


def _figure(profile, row) -> Figure:
    """row: of `predictors.estimate_many`."""
    latency = [_short(row[name]) for name in ("latency_ms", "latency_low_ms", "latency_high_ms")]
    energy = [row[name] for name in ("energy_uj", "energy_low_uj", "energy_high_uj")]
    energy = [None if math.isnan(value) else _short(value) for value in energy]
    about = profile.name, profile.device, profile.clock_mhz, profile.runtime, profile.version
    return Figure(*about, *latency, *energy, bool(row["in_range"]), bool(row["energy_in_range"]), row["basis"])


def figure_of(arch: Arch, device: str, task: str, folder: str | Path | None = None) -> Figure:
    """What a network takes on a device, by the predictors. Raises UnknownName for a device without a profile."""
    from predictors import estimate_many
    from predictors.device import find_profile

    profile = find_profile(device, folder)
    return _figure(profile, estimate_many([arch], profile.name, task, folder).iloc[0])


@dataclass(frozen=True)
class Line:
    """One line of a bill. limit: what the device has, or None where that is not known."""

    name: str
    need: float
    unit: str
    limit: float | None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`pass`, `fail`, or `-` where there is no limit."""
        return "-" if self.limit is None else "pass" if self.need <= self.limit else "fail"

    @property
    def text(self) -> str:
        """The line as it is printed."""
        need = f"{self.need:,.0f}" if self.unit == "bytes" else _text(self.need)
        limit = "" if self.limit is None else f"{self.limit:,.0f}"
        return f"{self.name:14} {need + ' ' + self.unit:>22} {limit:>14}  {self.verdict:4}  {self.note}".rstrip()


@dataclass(frozen=True)
class Bill:
    """What a model takes of a device."""

    model: str
    figure: Figure
    lines: tuple[Line, ...]

    @property
    def passes(self) -> bool:
        """True where no line fails."""
        return all(line.verdict != "fail" for line in self.lines)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        lines = [{**asdict(line), "verdict": line.verdict} for line in self.lines]
        return {"model": self.model, "passes": self.passes, "device": asdict(self.figure), "lines": lines}

    def __str__(self) -> str:
        text = [line.text for line in self.lines]
        head = f"{'':14} {'takes':>22} {'limit':>14}"
        return "\n".join([f"{self.model}", f"  {self.figure}", head, *text])


def fit(model, device: str, every_ms: float | None = None, folder: str | Path | None = None) -> Bill:
    """What a model takes of a device, against what the device has.

    device: a profile, by its name or the beginning of it. every_ms: how often an answer is wanted (default: once a
    clip), which latency must keep and average power is counted by. folder: of the user's profiles.
    Raises UnknownName for a device without a profile, InvalidQuery for an every_ms that cannot be meant.
    """
    need("pandas", "sklearn")
    from predictors import estimate
    from predictors.device import find_profile
    from predictors.power import EXAMPLES, average_power_uw

    profile, arch, macs = find_profile(device, folder), model.arch, model.entry.macs
    every = arch.frames * arch.features.step_ms if every_ms is None else milliseconds("every_ms", every_ms)
    cost, has, found = estimate(arch), profile.settings, figure_of(arch, profile.name, model.task, folder)
    whole, span = (macs + model.entry.frontend_macs) / macs, f"{_text(found.low_ms)} to {_text(found.high_ms)}"
    form = "in a stream" if cost.stream_ram_bytes else "on whole clips"
    lines = [
        Line("flash", model.entry.flash_bytes, "bytes", has.get("flash_bytes"), "weights, without the runtime's code"),
        Line("RAM", cost.ram_bytes, "bytes", has.get("ram_bytes"), f"answering {form}, with the front end"),
        Line("  as a stream", cost.stream_ram_bytes, "bytes", None) if cost.stream_ram_bytes else None,
        Line("  on clips", cost.clip_ram_bytes, "bytes", None),
        Line("latency", found.latency_ms, "ms", every, f"{span}; an answer is wanted every {every:g} ms"),
        Line("  + front end", _short(whole * found.latency_ms), "ms", every, f"guessed: {whole - 1:.0%} more MACs"),
    ]
    if found.energy_uj is not None:
        with_frontend = whole * found.energy_uj
        power = average_power_uw(with_frontend, 1000 / every, has.get("sleep_power_uw", 0.0))
        asleep = "" if "sleep_power_uw" in has else "; sleep not known, taken as 0"
        lines.append(Line("energy", found.energy_uj, "uJ", None, "of one answer"))
        lines.append(Line("  + front end", _short(with_frontend), "uJ", None, "guessed likewise"))
        lines.append(Line("power", _short(power), "uW", None, f"on average, with the front end{asleep}"))
        lines += [Line("  published", one.power_uw, "uW", None, f"{one.system} ({one.source})") for one in EXAMPLES]
    return Bill(model.name, found, tuple(line for line in lines if line))


def _text(value: float) -> str:
    """Three digits, as people write them."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def _short(value: float) -> float:
    """Four digits: more say nothing, and platforms differ in the last ones."""
    return float(f"{value:.4g}")
