"""What a model takes on devices: `costs.json` beside its package, which a look-up reads. No torch or scikit-learn here.

The figures are computed when a model is published and when a profile is added, by the predictors or from measurements
of the model itself, and lie outside of the package's digests, so that a new profile changes no model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from supernet.arch import Arch
from supernet.errors import EarshotError, InvalidPackage
from supernet.files import read_json, write_json
from zoo.hubs.index import state_of

__all__ = ["BASES", "COSTS", "Figure", "device_figures", "figure_of", "read_figures", "short", "write_figures"]

COSTS, SCHEMA, FORMER = "costs.json", 2, 1
BASES = ("measured", "predicted", "indicative")
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
    latency = [short(row[name]) for name in ("latency_ms", "latency_low_ms", "latency_high_ms")]
    energy = [row[name] for name in ("energy_uj", "energy_low_uj", "energy_high_uj")]
    energy = [None if math.isnan(value) else short(value) for value in energy]
    about = profile.name, profile.device, profile.clock_mhz, profile.runtime, profile.version
    return Figure(*about, *latency, *energy, bool(row["in_range"]), bool(row["energy_in_range"]), row["basis"])


def figure_of(arch: Arch, device: str, task: str, folder: str | Path | None = None) -> Figure:
    """What a network takes on a device, by the predictors. Raises UnknownName for a device without a profile."""
    from predictors import estimate_many
    from predictors.device import find_profile

    profile = find_profile(device, folder)
    return _figure(profile, estimate_many([arch], profile.name, task, folder).iloc[0])


def _text(value: float) -> str:
    """Three digits, as people write them."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def short(value: float) -> float:
    """Four digits: more say nothing, and platforms differ in the last ones."""
    return float(f"{value:.4g}")
