"""What a model takes on devices: `costs.json` beside its package, which a look-up reads. No torch or scikit-learn here.

The figures on published profiles are computed when a model is published, by the predictors or from measurements of the
model itself, and lie outside of the package's digests. Those on profiles of the user's lie beside these profiles, in
`costs/NAME.json`, so that a new profile changes nothing that was published. All are of the network alone; look-ups and
bills add the front end.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from predictors.estimate import frontend_macs
from predictors.settings import own_costs, own_folders
from supernet.arch import Arch
from supernet.bits import FLOAT_BITS
from supernet.errors import EarshotError, InvalidPackage
from supernet.files import digest, read_bytes, read_json, write_json
from supernet.whole import is_real
from zoo.hubs.index import state_of

if TYPE_CHECKING:
    from predictors.device import DeviceProfile

__all__ = [
    "BASES",
    "COSTS",
    "Figure",
    "bits_note",
    "device_figures",
    "figure_of",
    "own_figures",
    "read_figures",
    "short",
    "write_figures",
    "write_own_figures",
]

COSTS, SCHEMA, NAMED = "costs.json", 3, 1
"""File, schema, and the schema that named each value."""
BASES = ("measured", "predicted", "indicative")
REMEDY = "write the costs again with `earshot profile costs`"
NOT_STORED = ("profile", "frontend_ms")
LATENCIES = ("latency_ms", "low_ms", "high_ms")
ENERGIES = ("energy_uj", "energy_low_uj", "energy_high_uj")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Figure:
    """What one model takes on one device profile: the network alone as stored, with the front end as look-ups give it.

    latency_ms: the median; low_ms, high_ms: its interval. energy_uj: of one answer, with its interval; None where
    nobody measured energy on the device. in_range, energy_in_range: False where the model is outside of what was
    measured there. basis: one of BASES; indicative where the runtime cannot load our packages. as_bits: the fewest bits
    that were measured there, where the model has fewer, which change no figure; else None. frontend_ms: how
    much of latency_ms the front end is guessed to take.
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
    as_bits: int | None = None
    frontend_ms: float = 0.0

    def __post_init__(self) -> None:
        numbers = [self.latency_ms, self.low_ms, self.high_ms, self.clock_mhz or 0, self.as_bits or 0, self.frontend_ms]
        texts, truths = (self.profile, self.device, self.runtime, self.version), (self.in_range, self.energy_in_range)
        if self.energy_uj is not None:
            numbers += [self.energy_uj, self.energy_low_uj, self.energy_high_uj]
        real = all(is_real(number, 0, 2**53) for number in numbers)
        real = real and self.low_ms <= self.latency_ms <= self.high_ms
        if self.energy_uj is not None:
            real = real and self.energy_low_uj <= self.energy_uj <= self.energy_high_uj
        named = all(isinstance(text, str) and text.isprintable() for text in texts)
        if not (real and named and self.basis in BASES and all(isinstance(truth, bool) for truth in truths)):
            raise InvalidPackage(f"the figures for device {self.profile!r:.100} are not possible; {REMEDY}")

    def with_frontend(self, macs: int, frontend_macs: int) -> Figure:
        """The same with the front end, which is guessed to take as long and as much energy a MAC as the network."""
        whole = (macs + frontend_macs) / max(1, macs)
        more = {**self._times(LATENCIES, whole), **self._times(ENERGIES, whole)}
        return replace(self, **more, frontend_ms=short((whole - 1) * self.latency_ms))

    def in_stream(self, latency: float, energy: float, frontend: float) -> Figure:
        """The same, with the front end, of an answer in a stream: it takes such shares of the latency and energy that
        the network has on a clip, and such a share of the front end's.
        """
        part = self.frontend_ms / self.latency_ms if self.latency_ms else 0.0
        latencies = self._times(LATENCIES, (1 - part) * latency + part * frontend)
        energies = self._times(ENERGIES, (1 - part) * energy + part * frontend)
        basis = BASES[1] if self.basis == BASES[0] else self.basis
        return replace(self, **latencies, **energies, frontend_ms=short(frontend * self.frontend_ms), basis=basis)

    def _times(self, names: Sequence[str], factor: float) -> dict[str, float]:
        """Fields times a factor, without those that are not known."""
        known = {name: getattr(self, name) for name in names}
        return {name: short(factor * value) for name, value in known.items() if value is not None}

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
        return f"{latency}{energy} on {place}: {self.basis}{doubt}{self.notes}"

    @property
    def notes(self) -> str:
        """What is guessed, and what bits were not measured, each behind a semicolon."""
        front = (
            f"; {_text(self.frontend_ms)} ms of it for the front end, guessed by its MACs" if self.frontend_ms else ""
        )
        return front if self.as_bits is None else f"{front}; {bits_note(self.as_bits)}"


def bits_note(bits: int) -> str:
    """What is to be said of figures where the fewest bits that were measured are more than the model's."""
    if bits >= FLOAT_BITS:
        return "only floating point was measured there, so bits change nothing"
    return f"nothing below {bits} bits was measured there, so as at {bits} bits"


def read_figures(path: Path) -> dict[str, Figure]:
    """What a file of costs states, by profile. Raises InvalidPackage."""
    return _read(path, state_of(path))


@lru_cache(maxsize=4096)
def _read(path: Path, state: tuple) -> dict[str, Figure]:
    try:
        values = read_json(path)
        if values["schema"] not in range(NAMED, SCHEMA + 1):
            raise InvalidPackage(f"written with schema {values['schema']!r:.40}; this version reads {SCHEMA}; {REMEDY}")
        if values["schema"] == NAMED:
            return {name: Figure(profile=name, **figures) for name, figures in values["profiles"].items()}
        return _from_rows(values["fields"], values["profiles"])
    except EarshotError as error:
        raise InvalidPackage(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidPackage(f"{path}: {str(error)[:200]!r} is missing or not possible; {REMEDY}") from None


def _from_rows(names: Sequence[str], rows: Mapping[str, Sequence]) -> dict[str, Figure]:
    return {profile: Figure(profile=profile, **dict(zip(names, row, strict=True))) for profile, row in rows.items()}


def _to_rows(found: Mapping[str, Figure]) -> dict[str, list]:
    return {profile: [getattr(one, name) for name in STORED] for profile, one in found.items()}


STORED = tuple(field.name for field in fields(Figure) if field.name not in NOT_STORED)


def own_figures(model: str, folder: str | Path | None = None) -> dict[str, Figure]:
    """What a model takes on the user's profiles in `folder` (default: EARSHOT_PROFILES), by profile.

    Of a CSV that has changed since its figures were computed there are none.
    """
    found: dict[str, Figure] = {}
    for table in [path for place in own_folders(folder) for path in sorted(place.glob("*.csv"))]:
        if own_costs(table).is_file():
            names, models = _read_own(table, state_of(table), state_of(own_costs(table)))
            found |= _own(own_costs(table), names, models.get(model, {}))
    return found


def _own(path: Path, names: Sequence[str], rows: Mapping[str, Sequence]) -> dict[str, Figure]:
    try:
        return _from_rows(names, rows)
    except (EarshotError, TypeError, ValueError, AttributeError) as error:
        log.warning("%s: left out (%s); %s", path, str(error)[:200], REMEDY)
        return {}


@lru_cache(maxsize=256)
def _read_own(table: Path, *states: tuple) -> tuple[list[str], dict]:
    """The fields of figures, and rows by model and profile. states: of both files, so that changes are seen."""
    path = own_costs(table)
    try:
        values = read_json(path)
        if values["schema"] != SCHEMA or values["table_sha256"] != digest(read_bytes(table)):
            return [], {}
        return list(values["fields"]), dict(values["models"])
    except (EarshotError, KeyError, TypeError, ValueError) as error:
        log.warning("%s: left out (%s); %s", path, str(error)[:200], REMEDY)
        return [], {}


def write_own_figures(table: Path, found: Mapping[str, Mapping[str, Figure]]) -> None:
    """Keep what models take on the user's profiles in a CSV, beside those of other models. found: by model, profile."""
    known: dict = {}
    if own_costs(table).is_file():
        names, models = _read_own(table, state_of(table), state_of(own_costs(table)))
        known = models if names == list(STORED) else {}
    rows = {**known, **{model: _to_rows(own) for model, own in found.items()}}
    values = {"schema": SCHEMA, "table_sha256": digest(read_bytes(table)), "fields": list(STORED), "models": rows}
    write_json(own_costs(table), values)


def device_figures(
    archs: Sequence[Arch],
    task: str,
    known: Mapping[str, DeviceProfile] | None = None,
    folder: str | Path | None = None,
) -> list[dict[str, Figure]]:
    """What networks take on profiles, of each by profile. known: by default those that are published, of which nothing
    of the user's moves a figure. folder: of the user's profiles, where some of these are known.
    """
    from predictors.device import published
    from predictors.fitted import predict
    from supernet.cost import cost_columns

    known, columns = published() if known is None else known, cost_columns(archs)
    tables = {name: predict(profile, archs, columns, task, folder) for name, profile in known.items()}
    return [
        {name: _figure(known[name], table.iloc[number], arch) for name, table in tables.items()}
        for number, arch in enumerate(archs)
    ]


def write_figures(package: Path, found: Mapping[str, Figure]) -> None:
    """Keep what a model takes, a row a profile, beside its package."""
    write_json(package / COSTS, {"schema": SCHEMA, "fields": list(STORED), "profiles": _to_rows(found)})


def _figure(profile: DeviceProfile, row, arch: Arch) -> Figure:
    """row: of `predictors.estimate_many`."""
    few = min(arch.weight_bits, default=FLOAT_BITS) < profile.least_bits and row["basis"] != BASES[0]
    latency = [short(row[name]) for name in ("latency_ms", "latency_low_ms", "latency_high_ms")]
    energy = [row[name] for name in ("energy_uj", "energy_low_uj", "energy_high_uj")]
    energy = [None if math.isnan(value) else short(value) for value in energy]
    about = profile.name, profile.device, profile.clock_mhz, profile.runtime, profile.version
    known = bool(row["in_range"]), bool(row["energy_in_range"]), row["basis"]
    return Figure(*about, *latency, *energy, *known, profile.least_bits if few else None)


def figure_of(arch: Arch, device: str, task: str, folder: str | Path | None = None) -> Figure:
    """What a network takes on a device, with its front end, by the predictors. Raises UnknownName for a device without
    a profile.
    """
    from predictors import estimate_many
    from predictors.device import find_profile

    profile, macs = find_profile(device, folder), frontend_macs(arch)
    row = estimate_many([arch], profile.name, task, folder).iloc[0]
    return _figure(profile, row, arch).with_frontend(int(row["macs"]), macs)


def _text(value: float) -> str:
    """Three digits, as people write them."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def short(value: float) -> float:
    """Four digits: more say nothing, and platforms differ in the last ones."""
    return float(f"{value:.4g}")
