"""Device profiles: measurements of networks on a device, at a clock, with a runtime and its version.

A profile is rows of a CSV, one measured network each, and what a file NAME.json beside it says of the device. The
columns that are needed are few: `latency_ms` or `instructions`, and `macs` or `arch`; each of the others (see COLUMNS)
improves what is predicted. In the place of a CSV a log may stand, which the firmware of predictors.bench printed. Files
are found in the folder of bundled profiles, in a folder of the user's, and in folders that other packages name as entry
points of the group `earshot.profiles`.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from predictors.bench import BASIS
from predictors.cores import core_family, doubts, possible
from predictors.logs import bench_table, is_log
from predictors.names import resolve
from predictors.settings import (
    BUNDLED,
    check_name,
    own_folders,
    profile_file,
    published_folders,
    read_settings,
    remove_profile,
)
from supernet.arch import Arch
from supernet.cost import COLUMNS as COST_COLUMNS
from supernet.cost import cost_columns
from supernet.data.table import read_text, separator_of, without_hint
from supernet.errors import EarshotError, InvalidData, InvalidProfile, nearest_names
from supernet.files import digest, write_bytes
from supernet.layer import layers
from supernet.whole import is_real

__all__ = [
    "BUNDLED",
    "COLUMNS",
    "DeviceProfile",
    "Measurements",
    "add_profile",
    "beside",
    "core_family",
    "find_profile",
    "own_profiles",
    "plain_runtime",
    "possible",
    "profile_file",
    "profiles",
    "published",
    "read_measurements",
    "remove_profile",
    "runtime_family",
    "runtime_version",
    "slug",
    "whole_bits",
    "without_empty",
]

MOST_BYTES = 64_000_000
MEASURED = ("latency_ms", "instructions")
"""What rows are of; one of them has to be there."""
COUNTED = "instructions"
MOST_PROBLEMS = 12
LEAST_CYCLES, MOST_CYCLES = 0.1, 100
"""An instruction."""
LEAST_ROWS = 2
BITS = {*range(1, 9), 16, 32}
"""Of weights; 16 and 32 of floating point."""

log = logging.getLogger(__name__)

NUMBERS = {
    "latency_ms": "of one answer, without the front end",
    "macs": "multiply-accumulates of one answer",
    "energy_uj": "of one answer",
    "instructions": "of one answer on an emulated core, without the front end",
    "clock_mhz": "of the core",
    "params": "weights, biases and norms",
    **{name: "see supernet.cost.COLUMNS" for name in COST_COLUMNS if name not in ("macs", "params")},
    "ops": "two a MAC; read where macs is missing",
    "peak_ram_bytes": "of the runtime",
    "latency_iqr_ms": "spread of the repeats, between quartiles",
    "repeats": "that latency_ms is the median of",
    "weights_bytes": "of the weights",
    "model_file_bytes": "of the model's file",
    "total_flash_bytes": "of code and weights",
}
"""Columns of numbers above zero; counts of one kind of MACs and of state may be zero."""
OPS = "ops are taken as two a MAC; where they are one, as in Earshot's limits, call the column macs"
TEXTS = {
    "arch": "the network as JSON, in the place of macs and all other counts",
    "profile": "name of the profile that the row belongs to",
    "device": "board",
    "device_key": "part number; a device by its short name",
    "core": "such as Cortex-M7",
    "runtime": "what computes the network",
    "version": "of the runtime",
    "task": "such as kws; networks for one task are alike",
    "model": "name of the network",
    "bits": "of the weights; 32 for floating point",
    "accuracy": "not used",
    "basis": "how it was measured",
    "source": "who published it, where",
    "notes": "not used",
}
COLUMNS = {**NUMBERS, **TEXTS}
"""All columns of a CSV of measurements, with what they hold."""
MAY_BE_ZERO = {name for name in COST_COLUMNS if name not in ("macs", "params", "moved_bytes")}

RUNTIMES = {
    "mvp": "tflm mvp", "esp-nn": "esp-nn", "esp-sr": "esp-sr", "cmsis": "tflm cmsis-nn", "tinyengine": "tinyengine",
    "cube": "cube.ai", "stedge": "cube.ai", "tvm": "tvm", "plumerai": "plumerai", "onnc": "onnc", "micro": "tflm",
    "tflm": "tflm", "qairt": "qairt", "tflite": "tflite",
}  # fmt: skip
OURS = ("earshot",)
"""Runtimes that load our packages; figures of all others are indicative."""


@dataclass(frozen=True)
class Measurements:
    """Rows that were read. warnings: what the user should look at; doubts: what cannot be right, by units."""

    rows: pd.DataFrame
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeviceProfile:
    """One device at one clock with one runtime of one version, and its rows of measurements.

    digest: of the rows. file: the CSV that it is from, whose profiles know each other. settings: what is known of the
    device beside them, from NAME.json: flash_bytes and ram_bytes that it has, sleep_power_uw. A file of several devices
    has these under `devices`, by device.
    """

    name: str
    device: str
    core: str
    clock_mhz: float | None
    runtime: str
    version: str
    digest: str
    rows: pd.DataFrame = field(compare=False)
    settings: dict = field(default_factory=dict, compare=False)
    file: str = ""

    @property
    def indicative(self) -> bool:
        """True where the runtime cannot load our packages, so that its figures are those of like networks."""
        return not self.runtime.lower().startswith(OURS)

    @property
    def target(self) -> str:
        """What its rows are of: latency_ms where there is any, else instructions."""
        return next(name for name in MEASURED if self.rows[name].notna().any())

    @property
    def in_steps(self) -> bool:
        """True where clips were measured in the steps of a stream."""
        return self.rows["basis"].str.startswith(BASIS.partition(":")[0]).all()

    @cached_property
    def least_bits(self) -> int:
        """The fewest bits of weights that were measured."""
        return min((bits for bits in map(whole_bits, self.rows["bits"]) if bits), default=8)

    def row_of(self, columns: dict[str, np.ndarray], task: str, bits: Sequence[int]) -> pd.DataFrame:
        """Rows to predict, of networks with these cost columns and bits, on this device.

        task: where the profile's rows say none, none is taken, since theirs holds what it is worth.
        """
        task = task if (self.rows["task"] != "").any() else ""
        known = {"device": self.device, "core": self.core, "clock_mhz": self.clock_mhz, "runtime": self.runtime}
        frame = pd.DataFrame(columns).assign(**known, profile=self.name, task=task)
        return frame.assign(bits=[str(own) for own in bits])


def runtime_family(text: str) -> str:
    """Runtimes that compute alike: without who measured, and without the version."""
    lower = plain_runtime(text).lower()
    known = next((family for key, family in RUNTIMES.items() if key in lower), None)
    return known or re.sub(r"[^a-z0-9]+", " ", re.sub(r"\bv?\d[\d.]*.*", "", lower)).strip()[:24] or lower


def plain_runtime(text: str) -> str:
    """A runtime's name without who measured it: `Krai: microTVM` is microTVM."""
    return re.sub(r"^[\w .&-]+: +(?=\S)", "", text).rstrip(": ")


def runtime_version(text: str) -> str:
    """The version in a runtime's name, or an empty text."""
    found = re.findall(r"\bv?(\d+(?:\.\d+)+)", text)
    return found[-1] if found else ""


def read_measurements(path: str | Path, complete: bool = True) -> Measurements:
    """Rows of a CSV, checked and with the counts of each `arch` filled in.

    complete: whether each row must have latency and MACs; else rows without them are left out, with a warning.
    Raises InvalidProfile with every problem by line and column.
    """
    return _checked(Path(path), _read_csv(Path(path)), complete)


def _checked(path: Path, table: pd.DataFrame, complete: bool = True) -> Measurements:
    """The same of a table of texts, whose index is the line in the file."""
    _check_columns(path, table)
    rows, problems = table.copy(), []
    for name in NUMBERS:
        if name in rows:
            rows[name] = _numbers(rows[name], name, problems)
    for name in TEXTS:
        rows[name] = rows[name].str.strip() if name in rows else ""
        problems += [
            f"line {row}, column {name}: {text[:40]!r}; give letters that can be printed, in one line"
            for row, text in rows[name].items()
            if name != "arch" and not text.isprintable()
        ]
    rows["bits"] = rows["bits"].str.replace(r"\.0+$", "", regex=True)
    problems += [
        f"line {row}, column bits: {text[:40]!r}; give a whole number of 1 to 8, 16, or 32 for floating point"
        for row, text in rows["bits"].items()
        if _is_number(text) and whole_bits(text) not in BITS
    ]
    _fill_archs(rows, problems)
    if problems:
        raise InvalidProfile(_report(path, problems))
    for name in NUMBERS:
        rows[name] = rows[name].astype(float) if name in rows else np.nan
    notes: list[str] = []
    by_ops = (rows["macs"].isna() & rows["ops"].notna()).any()
    rows["macs"] = rows["macs"].fillna(rows["ops"] / 2)
    rows = _only_complete(path, rows, complete, notes)
    notes += [OPS] if by_ops else []
    doubled = rows.duplicated()
    if doubled.any():
        count = int(doubled.sum())
        notes.append(f"{count} rows are the same as others before them (first: {_line(doubled)}); left out")
        rows = rows[~doubled]
    if rows.empty:
        raise InvalidProfile(
            f"{path}: no row of measurements; give latency_ms (or instructions) and macs, a row for each network"
        )
    doubtful = tuple(doubts(rows))
    warned = (*notes, *(f"WARNING: {text}" for text in doubtful))
    return Measurements(rows.reset_index(drop=True), warned, doubtful)


def _read_csv(path: Path) -> pd.DataFrame:
    """A table of texts; the index is the line in the file."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InvalidProfile(f"{path}: {size:,} bytes; a CSV of measurements has at most {MOST_BYTES:,}")
        whole = read_text(path)
    except OSError as error:
        raise InvalidProfile(f"{path}: cannot be read ({error.strerror}); give a CSV of measurements") from None
    except InvalidData as error:
        raise InvalidProfile(str(error)) from None
    text = without_hint(whole)
    first = text.partition("\n")[0]
    if not any(name in first.lower() for name in MEASURED):
        raise InvalidProfile(f"{path}: no column latency_ms or instructions in the first line, which is {first[:80]!r}")
    separator = separator_of(text)
    if separator not in first:
        raise InvalidProfile(
            f"{path}: one column alone, {first[:80]!r}; separate columns by commas, semicolons or tabs"
        )
    reading = {"dtype": str, "keep_default_na": False, "skipinitialspace": True, "skip_blank_lines": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(io.StringIO(text), sep=separator, index_col=False, **reading)
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _check_cells(path, text, separator)
        raise InvalidProfile(f"{path}: not a CSV ({str(error).strip()[:200]})") from None
    table = table.rename(columns=lambda name: name.strip().lower()).fillna("")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InvalidProfile(f"{path}: two columns are {twice[0][:40]!r}; rename or remove one")
    table.index += 2 + (text != whole)
    return table[(table != "").any(axis=1)]


def _check_cells(path: Path, text: str, separator: str) -> None:
    """Raise InvalidProfile for a line with more cells than the first one."""
    lines = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    columns = 0
    with suppress(csv.Error):  # which pandas tells of
        for cells in lines:
            columns = columns or len(cells)
            if len(cells) > columns:
                raise InvalidProfile(
                    f"{path}: line {lines.line_num} has {len(cells)} cells, more than the {columns} columns; no "
                    "separators within numbers"
                )


def _check_columns(path: Path, table: pd.DataFrame) -> None:
    unknown = [name for name in table if name not in COLUMNS]
    if unknown:
        known = ", ".join(f"{name[:40]!r}: {nearest_names(name[:40], COLUMNS)}" for name in unknown[:5])
        raise InvalidProfile(f"{path}: unknown columns ({len(unknown)}): {known}; rename or remove them")
    if not {"macs", "ops", "arch"} & set(table):
        raise InvalidProfile(f"{path}: no column says how large the networks are; give macs, or arch")


def _numbers(column: pd.Series, name: str, problems: list[str]) -> pd.Series:
    """A column as numbers, NaN where it is empty."""
    text = column.str.strip()
    values = pd.to_numeric(text.where(text != ""), errors="coerce")
    least = 0.0 if name in MAY_BE_ZERO else np.nextafter(0, 1)
    wrong = (text != "") & ~((values >= least) & (values < 1e15))
    wanted = "0 or more" if name in MAY_BE_ZERO else "a number above 0, with a point and no commas"
    problems += [f"line {row}, column {name}: {text[row][:40]!r}; give {wanted}" for row in text.index[wrong]]
    return values


def _fill_archs(rows: pd.DataFrame, problems: list[str]) -> None:
    """The counts of networks that are given as `arch`, in the place of what the row says."""
    archs = {}
    for row in rows.index[rows["arch"] != ""]:
        try:
            archs[row] = Arch.from_json(rows["arch"][row])
            layers(archs[row])
        except EarshotError as error:
            problems.append(f"line {row}, column arch: {error}")
    if archs and not problems:
        for name, values in cost_columns(list(archs.values())).items():
            if name not in rows:
                rows[name] = np.nan
            rows.loc[list(archs), name] = values.astype(float)
        for row, arch in archs.items():
            rows.loc[row, "bits"] = rows["bits"][row] or str(min(arch.weight_bits, default=32))
            rows.loc[row, "arch"] = arch.to_json()


def _only_complete(path: Path, rows: pd.DataFrame, complete: bool, notes: list[str]) -> pd.DataFrame:
    measured = rows[list(MEASURED)].notna().any(axis=1)
    target = MEASURED[int(rows["latency_ms"].isna().all() and measured.any())]
    for name, missing in ((target, ~measured), ("macs", rows["macs"].isna())):
        if missing.any() and complete:
            lines = [f"line {row}, column {name}: empty" for row in rows.index[missing]]
            raise InvalidProfile(_report(path, lines))
    missing = ~measured | rows["macs"].isna()
    if missing.any():
        notes.append(f"{int(missing.sum())} rows without {target} or macs are left out (first: {_line(missing)})")
    return rows[~missing]


def _line(flags: pd.Series) -> str:
    return f"line {flags.index[flags][0]}"


def _report(path: Path, problems: list[str]) -> str:
    more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
    return f"{path}: nothing was read, since\n  " + "\n  ".join(problems[:MOST_PROBLEMS]) + more


def whole_bits(text: str) -> int | None:
    """Bits of weights as a number; None where they are not one, as of `hybrid 8/1`."""
    return int(text) if re.fullmatch(r"\d{1,2}", str(text)) else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.,]+(e[-+]?\d+)?", text, re.IGNORECASE) is not None


def profiles(folder: str | Path | None = None) -> dict[str, DeviceProfile]:
    """All profiles by name: the user's in `folder` (default: EARSHOT_PROFILES), of other packages, and the bundled.

    One of the user's takes the place of another of its name.
    """
    return published() | own_profiles(folder)


def published() -> dict[str, DeviceProfile]:
    """The profiles that come with Earshot or another package, by name. What is said of them depends on them alone."""
    return _in_folders(published_folders())


def own_profiles(folder: str | Path | None = None) -> dict[str, DeviceProfile]:
    """The user's profiles in `folder` (default: EARSHOT_PROFILES), by name."""
    return _in_folders(own_folders(folder))


def beside(profile: DeviceProfile, folder: str | Path | None = None) -> dict[str, DeviceProfile]:
    """The profiles, by name, from which one is predicted: what is published, and those of its own file.

    So a user's profile moves the figures of no other device. folder: of the user's profiles.
    """
    own = own_profiles(folder)
    file = own[profile.name].file if profile.name in own else None
    return published() | {name: one for name, one in own.items() if one.file == file}


def _in_folders(places: Iterable[Path]) -> dict[str, DeviceProfile]:
    found: dict[str, DeviceProfile] = {}
    for place in places:
        found.update(_in_folder(place, _stamp(place)))
    return found


def find_profile(name: str, folder: str | Path | None = None) -> DeviceProfile:
    """The profile of that name, or the only one whose name begins so. Raises UnknownName."""
    known = profiles(folder)
    return known[resolve(name, known)]


def add_profile(
    name: str,
    path: str | Path,
    folder: str | Path | None = None,
    *,
    yes: bool = False,
    cycles_per_instruction: float | None = None,
    **known: str,
) -> list[DeviceProfile]:
    """Check a CSV, or the log of a bench, and keep it as NAME.csv in the user's folder; returns its profiles.

    known: what the CSV does not say of its rows, such as device, core, clock_mhz, runtime and version. A CSV of several
    devices, clocks, runtimes or versions becomes several profiles, NAME-1 and so on, or NAME-PROFILE by its column.
    yes: take rows that cannot be right by what any such core can do (see predictors.cores), with a warning.
    cycles_per_instruction: of the core, by which and by clock_mhz rows of instructions get their latency_ms.
    Raises InvalidProfile, and keeps nothing.
    """
    check_name(name)
    if name in published():
        raise InvalidProfile(f"name {name!r} is that of a profile that comes with Earshot; give another")
    table = bench_table(path, known.get("clock_mhz")) if is_log(path) else _read_csv(Path(path))
    target, checked = profile_file(name, folder), _checked(Path(path), _named(name, table, known))
    if cycles_per_instruction is not None:
        checked = replace(checked, rows=_timed(path, checked.rows, cycles_per_instruction))
    if checked.doubts and not yes:
        listed = "\n  ".join(checked.doubts)
        raise InvalidProfile(
            f"{path}: not added, since this cannot be right:\n  {listed}\ncorrect it, or give --yes (yes=True) "
            "to add it as it is"
        )
    found = _grouped(name, checked.rows, {})
    for profile in found.values():
        if profile.rows["macs"][profile.rows[profile.target].notna()].nunique() < LEAST_ROWS:
            raise InvalidProfile(
                f"{path}: profile {profile.name} has {profile.target} of one size of network; measure {LEAST_ROWS} or "
                "more of unequal size"
            )
    for doubt in checked.warnings:
        log.warning("%s: %s", path, doubt)
    if target.is_file():
        log.warning("%s: takes the place of the profile that was there", target)
    write_bytes(target, without_empty(checked.rows).to_csv(index=False).encode())
    own = own_profiles(folder)
    return [own[one] for one in found]


def _timed(path: str | Path, rows: pd.DataFrame, cycles: float) -> pd.DataFrame:
    """Rows whose instructions are times as well, at so many cycles an instruction and their clock."""
    if not is_real(cycles, LEAST_CYCLES, MOST_CYCLES):
        raise InvalidProfile(
            f"cycles_per_instruction = {cycles!r:.40} is not possible: give {LEAST_CYCLES} to {MOST_CYCLES}"
        )
    if rows[COUNTED].isna().any():
        raise InvalidProfile(f"{path}: cycles_per_instruction needs a column instructions, filled in each row")
    if rows["clock_mhz"].isna().any():
        raise InvalidProfile(f"{path}: cycles_per_instruction needs a clock as well; give --clock-mhz (clock_mhz=)")
    times = rows[COUNTED] * cycles / (1e3 * rows["clock_mhz"])
    runtimes = [f"{own}, {cycles:g} cycles an instruction".removeprefix(", ") for own in rows["runtime"]]
    return rows.assign(latency_ms=rows["latency_ms"].fillna(times), runtime=runtimes)


def _named(name: str, table: pd.DataFrame, known: Mapping[str, str]) -> pd.DataFrame:
    """A table with what is known beside it in its empty cells, and profiles whose names begin with its own."""
    for column, value in known.items():
        cells = table[column] if column in table else pd.Series("", index=table.index)
        table[column] = cells.where(cells.str.strip() != "", str(value))
    if "profile" in table:
        own = table["profile"].map(slug)
        table["profile"] = [f"{name}-{one}" if one and one != name else name for one in own]
    return table


def without_empty(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without the columns that hold nothing."""
    return rows[[column for column in rows if rows[column].notna().any() and (rows[column] != "").any()]]


def _stamp(folder: Path) -> tuple:
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.json")])
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)


@lru_cache(maxsize=16)
def _in_folder(folder: Path, stamp: tuple) -> dict[str, DeviceProfile]:
    """All profiles of a folder, without files that cannot be used; stamp: of its files, so that changes are seen."""
    found: dict[str, DeviceProfile] = {}
    for name in (name for name, *_ in stamp if name.endswith(".csv")):
        try:
            rows = read_measurements(folder / name).rows
            settings = read_settings((folder / name).with_suffix(".json"))
            found.update(_grouped(Path(name).stem, rows, settings, str(folder / name)))
        except EarshotError as error:
            log.warning("left out: %s", error)
    return found


def _grouped(stem: str, rows: pd.DataFrame, settings: dict, file: str = "") -> dict[str, DeviceProfile]:
    """The profiles of a file: by the column `profile`, else by device, clock, runtime and version."""
    groups = rows.groupby(["device", "clock_mhz", "runtime", "version"], dropna=False).ngroup()
    named = rows["profile"] != ""
    several = groups[~named].nunique() > 1
    own = [f"{stem}-{group + 1}" if several else stem for group in groups]
    names = rows["profile"].where(named, own)
    return {
        name: _profile(name, part.reset_index(drop=True), settings, file)
        for name, part in rows.assign(profile=names).groupby("profile", sort=True)
    }


def _profile(name: str, rows: pd.DataFrame, settings: dict, file: str) -> DeviceProfile:
    first = rows.iloc[0]
    device = first["device_key"] or first["device"] or name
    clock = None if np.isnan(first["clock_mhz"]) else float(first["clock_mhz"])
    version = first["version"] or runtime_version(first["runtime"])
    known = settings["devices"].get(device, {}) if "devices" in settings else settings
    rows = rows.assign(device=device)
    counted = rows if rows[COUNTED].notna().any() else rows.drop(columns=COUNTED)
    own = digest(counted.to_csv(index=False).encode())
    return DeviceProfile(name, device, first["core"], clock, first["runtime"], version, own, rows, known, file)


def slug(text: str) -> str:
    """A text as a name."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
