"""What a model takes on devices: `costs.json` beside its package, which a look-up reads. No torch or scikit-learn here.

The figures on published profiles are computed when a model is published, by the predictors or from measurements of the
model itself, and lie outside of the package's digests. Those on profiles of the user's lie beside these profiles, in
`costs/NAME.json`, so that a new profile changes nothing that was published. All are of the network alone; look-ups and
bills add the front end.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from predictors.estimate import frontend_macs
from predictors.names import TARGETS
from predictors.power import SCALED
from predictors.settings import own_costs, own_folders
from supernet.arch import Arch
from supernet.bits import FLOAT_BITS
from supernet.errors import EarshotError, InvalidPackage, InvalidQuery
from supernet.files import digest, read_bytes, read_json, state_of, write_json
from supernet.whole import is_real

if TYPE_CHECKING:
    from predictors.device import DeviceProfile

__all__ = [
    "BASES",
    "COSTS",
    "DeviceFigure",
    "Power",
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
NOT_STORED = ("profile", "frontend_ms", "frontend_instructions", "power")
LATENCIES = ("latency_ms", "low_ms", "high_ms")
ENERGIES = ("energy_uj", "energy_low_uj", "energy_high_uj")
INSTRUCTIONS = ("instructions", "instructions_low", "instructions_high")
LARGEST = 2**53

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Power:
    """Average power of an always-on stream of a model with its front end.

    low_uw, high_uw: the interval, None where it is scaled from a published stream. basis: as that of a DeviceFigure, or
    `scaled`; by: what it is from, in words. sleep_power_uw: that is counted, None where it is not known and taken as 0.
    every_ms: from answer to answer; where a stream cannot answer as often as is wanted, as often as it can. answer_ms:
    what an answer takes, and answer_high_ms at most, None where that is not known. macs_per_second: of the network and
    the front end.
    """

    power_uw: float
    low_uw: float | None
    high_uw: float | None
    basis: str
    by: str
    sleep_power_uw: float | None
    every_ms: float
    answer_ms: float | None
    macs_per_second: float
    answer_high_ms: float | None = None

    @property
    def estimate(self) -> bool:
        """True where it is scaled from a published stream."""
        return self.basis == SCALED

    @property
    def about(self) -> str:
        """What it stands for, of any model on that device."""
        told = f"scaled from {self.by}, an estimate" if self.estimate else f"{self.basis}, by {self.by}"
        known = self.sleep_power_uw is not None
        asleep = f"{_text(self.sleep_power_uw)} uW asleep" if known else "power asleep not known, taken as 0"
        return f"{told}; {asleep}"

    def __str__(self) -> str:
        span = "" if self.low_uw is None else f" ({_text(self.low_uw)} to {_text(self.high_uw)})"
        late = (self.answer_ms or 0.0) > self.every_ms
        slow = f"; too slow, since an answer takes {_text(self.answer_ms)} ms" if late else ""
        return f"power {_text(self.power_uw)} uW{span} on average, {self.workload}: {self.about}{slow}"

    @property
    def workload(self) -> str:
        """What it is of."""
        return f"an answer each {self.every_ms:g} ms, {self.macs_per_second:,.0f} MACs a second"


@dataclass(frozen=True)
class DeviceFigure:
    """What one model takes on one device profile: the network alone as stored, with the front end as look-ups give it.

    latency_ms: the median; low_ms, high_ms: its interval. energy_uj, instructions: of one answer, with their intervals.
    Each is None where nobody measured it on the device; of an emulated core there are instructions alone, which `timed`
    makes milliseconds. in_range, energy_in_range: False where the model is outside of what was measured there. basis:
    one of BASES; indicative where the runtime cannot load our packages. as_bits: the fewest bits that were measured
    there, where the model has fewer, which change no figure; else None. frontend_ms, frontend_instructions: how much of
    these the front end is guessed to take. power: of a stream, where a look-up asks for it (see zoo.run.power).
    """

    profile: str
    device: str
    clock_mhz: float | None
    runtime: str
    version: str
    latency_ms: float | None
    low_ms: float | None
    high_ms: float | None
    energy_uj: float | None
    energy_low_uj: float | None
    energy_high_uj: float | None
    in_range: bool
    energy_in_range: bool
    basis: str
    as_bits: int | None = None
    frontend_ms: float = 0.0
    instructions: float | None = None
    instructions_low: float | None = None
    instructions_high: float | None = None
    frontend_instructions: float = 0.0
    power: Power | None = None

    def __post_init__(self) -> None:
        numbers = [self.clock_mhz or 0, self.as_bits or 0, self.frontend_ms, self.frontend_instructions]
        texts, truths = (self.profile, self.device, self.runtime, self.version), (self.in_range, self.energy_in_range)
        known = self.latency_ms is not None or self.instructions is not None
        real = known and all(is_real(number, 0, LARGEST) for number in numbers)
        real = real and all(map(self._is_span, (LATENCIES, ENERGIES, INSTRUCTIONS)))
        named = all(isinstance(text, str) and text.isprintable() for text in texts)
        if not (real and named and self.basis in BASES and all(isinstance(truth, bool) for truth in truths)):
            raise InvalidPackage(f"the figures for device {self.profile!r:.100} are not possible; {REMEDY}")

    def _is_span(self, names: Sequence[str]) -> bool:
        """Whether a value lies within its interval, or is not known."""
        value, low, high = (getattr(self, name) for name in names)
        return value is None or (
            all(is_real(number, 0, LARGEST) for number in (value, low, high)) and low <= value <= high
        )

    def with_frontend(self, macs: int, frontend_macs: int) -> DeviceFigure:
        """The same with the front end, which is guessed to take as much of everything a MAC as the network."""
        whole = (macs + frontend_macs) / max(1, macs)
        more = self._times((*LATENCIES, *ENERGIES, *INSTRUCTIONS), whole)
        front = {"frontend_ms": self.latency_ms, "frontend_instructions": self.instructions}
        return replace(self, **more, **{name: short((whole - 1) * (own or 0.0)) for name, own in front.items()})

    def in_stream(self, latency: float, energy: float, frontend: float, instructions: float = 0.0) -> DeviceFigure:
        """The same, with the front end, of an answer in a stream: it takes such shares of the latency, energy and
        instructions that the network has on a clip, and such a share of the front end's.
        """
        part = self._front_share
        shares = {LATENCIES: latency, ENERGIES: energy, INSTRUCTIONS: instructions}
        values = {"basis": BASES[1] if self.basis == BASES[0] else self.basis}
        for names, share in shares.items():
            values |= self._times(names, (1 - part) * share + part * frontend)
        return replace(self, **values, **self._times(("frontend_ms", "frontend_instructions"), frontend))

    @property
    def _front_share(self) -> float:
        """Of the front end, in what an answer takes."""
        if self.latency_ms:
            return self.frontend_ms / self.latency_ms
        return self.frontend_instructions / self.instructions if self.instructions else 0.0

    def timed(self, cycles_per_instruction: float, clock_mhz: float) -> DeviceFigure:
        """The same with the latency of its instructions, at so many cycles each and a clock. Raises InvalidQuery where
        nobody counted instructions, or for numbers that cannot be meant.
        """
        for name, value in {"cycles_per_instruction": cycles_per_instruction, "clock_mhz": clock_mhz}.items():
            if not is_real(value, 1e-3, 1e6):
                raise InvalidQuery(f"{name} = {value!r:.40} is not possible: give a number above 0")
        if self.instructions is None:
            raise InvalidQuery(f"nobody counted instructions on {self.device}; leave cycles_per_instruction out")
        each = cycles_per_instruction / (1e3 * clock_mhz)
        times = {name: short(each * getattr(self, own)) for name, own in zip(LATENCIES, INSTRUCTIONS, strict=True)}
        runtime = f"{self.runtime}, {cycles_per_instruction:g} cycles an instruction".removeprefix(", ")
        front = short(each * self.frontend_instructions)
        return replace(self, **times, frontend_ms=front, clock_mhz=clock_mhz, runtime=runtime)

    def _times(self, names: Sequence[str], factor: float) -> dict[str, float]:
        """Fields times a factor, without those that are not known."""
        known = {name: getattr(self, name) for name in names}
        return {name: short(factor * value) for name, value in known.items() if value is not None}

    def __str__(self) -> str:
        clock = f" at {self.clock_mhz:g} MHz" if self.clock_mhz else ""
        runtime = self.runtime if not self.version or self.version in self.runtime else f"{self.runtime} {self.version}"
        spans = {"ms": LATENCIES, "instructions": INSTRUCTIONS, "uJ": ENERGIES}
        taken = ", ".join(
            self._span(unit, names) for unit, names in spans.items() if getattr(self, names[0]) is not None
        )
        doubt = "" if self.in_range else "; outside of what was measured there"
        if self.in_range and self.energy_uj is not None and not self.energy_in_range:
            doubt = "; energy outside of what was measured there"
        place = f"{self.device}{clock}, {runtime or 'runtime unknown'}"
        return f"{taken} on {place}: {self.basis}{doubt}{self.notes}"

    def _span(self, unit: str, names: Sequence[str]) -> str:
        value, low, high = (_text(getattr(self, name)) for name in names)
        return f"{value} {unit} ({low} to {high})"

    @property
    def notes(self) -> str:
        """What is guessed, and what bits were not measured, each behind a semicolon."""
        shares = {"ms": self.frontend_ms, "instructions": 0.0 if self.frontend_ms else self.frontend_instructions}
        told = [f"{_text(share)} {unit}" for unit, share in shares.items() if share]
        front = "".join(f"; {share} of it for the front end, guessed by its MACs" for share in told)
        return front if self.as_bits is None else f"{front}; {bits_note(self.as_bits)}"


def bits_note(bits: int) -> str:
    """What is to be said of figures where the fewest bits that were measured are more than the model's."""
    if bits >= FLOAT_BITS:
        return "only floating point was measured there, so bits change nothing"
    return f"nothing below {bits} bits was measured there, so as at {bits} bits"


def read_figures(path: Path) -> dict[str, DeviceFigure]:
    """What a file of costs states, by profile. Raises InvalidPackage."""
    return _read(path, state_of(path))


@lru_cache(maxsize=4096)
def _read(path: Path, state: tuple) -> dict[str, DeviceFigure]:
    try:
        values = read_json(path)
        if values["schema"] not in range(NAMED, SCHEMA + 1):
            raise InvalidPackage(f"written with schema {values['schema']!r:.40}; this version reads {SCHEMA}; {REMEDY}")
        if values["schema"] == NAMED:
            return {name: DeviceFigure(profile=name, **figures) for name, figures in values["profiles"].items()}
        return _from_rows(values["fields"], values["profiles"])
    except EarshotError as error:
        raise InvalidPackage(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except KeyError as error:
        raise InvalidPackage(f"{path}: {str(error)[:200]} is missing; {REMEDY}") from None
    except (TypeError, ValueError, AttributeError):
        raise InvalidPackage(f"{path}: not the figures of devices, or of another version; {REMEDY}") from None


def _from_rows(names: Sequence[str], rows: Mapping[str, Sequence]) -> dict[str, DeviceFigure]:
    return {
        profile: DeviceFigure(profile=profile, **dict(zip(names, row, strict=True))) for profile, row in rows.items()
    }


def _to_rows(found: Mapping[str, DeviceFigure], names: Sequence[str]) -> dict[str, list]:
    return {profile: [getattr(one, name) for name in names] for profile, one in found.items()}


def _stored(found: Iterable[DeviceFigure]) -> list[str]:
    """The fields that a file of figures has: those of instructions only where any has some."""
    counted = any(one.instructions is not None for one in found)
    names = (field.name for field in fields(DeviceFigure) if field.name not in NOT_STORED)
    return [name for name in names if counted or name not in INSTRUCTIONS]


def own_figures(model: str, folder: str | Path | None = None) -> dict[str, DeviceFigure]:
    """What a model takes on the user's profiles in `folder` (default: EARSHOT_PROFILES), by profile.

    Of a CSV that has changed since its figures were computed there are none.
    """
    found: dict[str, DeviceFigure] = {}
    for table in [path for place in own_folders(folder) for path in sorted(place.glob("*.csv"))]:
        if own_costs(table).is_file():
            names, models = _read_own(table, state_of(table), state_of(own_costs(table)))
            found |= _own(own_costs(table), names, models.get(model, {}))
    return found


def _own(path: Path, names: Sequence[str], rows: Mapping[str, Sequence]) -> dict[str, DeviceFigure]:
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


def write_own_figures(table: Path, found: Mapping[str, Mapping[str, DeviceFigure]]) -> None:
    """Keep what models take on the user's profiles in a CSV, beside those of other models. found: by model, profile."""
    known, stored = {}, _stored(one for own in found.values() for one in own.values())
    if own_costs(table).is_file():
        names, models = _read_own(table, state_of(table), state_of(own_costs(table)))
        known = models if names == stored else {}
    rows = {**known, **{model: _to_rows(own, stored) for model, own in found.items()}}
    values = {"schema": SCHEMA, "table_sha256": digest(read_bytes(table)), "fields": stored, "models": rows}
    write_json(own_costs(table), values)


def device_figures(
    archs: Sequence[Arch],
    task: str,
    known: Mapping[str, DeviceProfile] | None = None,
    folder: str | Path | None = None,
) -> list[dict[str, DeviceFigure]]:
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


def write_figures(package: Path, found: Mapping[str, DeviceFigure]) -> None:
    """Keep what a model takes, a row a profile, beside its package."""
    stored = _stored(found.values())
    write_json(package / COSTS, {"schema": SCHEMA, "fields": stored, "profiles": _to_rows(found, stored)})


def _figure(profile: DeviceProfile, row, arch: Arch) -> DeviceFigure:
    """row: of `predictors.estimate_many`."""
    few = min(arch.weight_bits, default=FLOAT_BITS) < profile.least_bits and row["basis"] != BASES[0]
    latency, energy, instructions = (_known(row, target, *ends[:2]) for target, ends in TARGETS.items())
    about = profile.name, profile.device, profile.clock_mhz, profile.runtime, profile.version
    known = bool(row[TARGETS[profile.target][-1]]), bool(row["energy_in_range"]), row["basis"]
    return DeviceFigure(*about, *latency, *energy, *known, profile.least_bits if few else None, 0.0, *instructions)


def _known(row, *names: str) -> list[float | None]:
    return [None if math.isnan(row[name]) else short(row[name]) for name in names]


def figure_of(arch: Arch, device: str, task: str, folder: str | Path | None = None) -> DeviceFigure:
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
