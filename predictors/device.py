"""Device profiles: measurements of networks on a device, at a clock, with a runtime and its version.

A profile is rows of a CSV, one measured network each, and what a file NAME.json beside it says of the device. The
columns that are needed are few: `latency_ms`, and `macs` or `arch`; each of the others (see COLUMNS) improves what is
predicted. Files are found in the folder of bundled profiles, in a folder of the user's, and in folders that other
packages name as entry points of the group `earshot.profiles`.
"""

from __future__ import annotations

import difflib
import io
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd

from supernet.constants import PROFILES
from supernet.cost import COLUMNS as COST_COLUMNS
from supernet.cost import cost_columns
from supernet.errors import InvalidArch, InvalidProfile, UnknownName, nearest_names
from supernet.files import read_json, write_bytes
from supernet.space import Arch, digest

__all__ = [
    "BUNDLED",
    "COLUMNS",
    "DeviceProfile",
    "Measurements",
    "add_profile",
    "core_family",
    "find_profile",
    "plain_runtime",
    "possible",
    "profiles",
    "read_measurements",
    "runtime_family",
    "runtime_version",
    "slug",
]

BUNDLED = Path(__file__).parent / "profiles"
ENTRY_POINTS = "earshot.profiles"
MOST_BYTES = 64_000_000
MOST_PROBLEMS = 12
LEAST_ROWS = 2

NUMBERS = {
    "latency_ms": "of one answer, without the front end",
    "macs": "multiply-accumulates of one answer",
    "energy_uj": "of one answer",
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

CORE = re.compile(r"(?<![a-z])(m0|m33|m3|m4|m55|m7|m85|lx6|lx7|a7|a9|a53|a55)(?!\d)")
ACCELERATORS = ("npu", "accel", "hifi")
OTHER_CORES = {
    **dict.fromkeys(ACCELERATORS, "npu"),
    "risc": "risc-v", "andes": "risc-v", "xuantie": "risc-v", "big": "phone",
    "oryon": "phone", "kryo": "phone", "cortex-a": "phone", "x86": "host", "epyc": "host", "xeon": "host",
    "ryzen": "host", "intel": "host",
}  # fmt: skip
MOST_MACS_A_CYCLE = {"m0": 1.0, "m3": 1.0, "m4": 2.0, "m33": 2.0, "m7": 2.0}
"""What these cores can do at 8 bits: one or two multiply-accumulates in an instruction."""
RUNTIMES = {
    "mvp": "tflm mvp", "esp-nn": "esp-nn", "esp-sr": "esp-sr", "cmsis": "tflm cmsis-nn", "tinyengine": "tinyengine",
    "cube": "cube.ai", "stedge": "cube.ai", "tvm": "tvm", "plumerai": "plumerai", "onnc": "onnc", "micro": "tflm",
    "tflm": "tflm", "qairt": "qairt", "tflite": "tflite",
}  # fmt: skip
OURS = ("earshot",)
"""Runtimes that load our packages; figures of all others are indicative."""


@dataclass(frozen=True)
class Measurements:
    """Rows that were read. warnings: what the user should look at."""

    rows: pd.DataFrame
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeviceProfile:
    """One device at one clock with one runtime of one version, and its rows of measurements.

    digest: of the rows. settings: what is known of the device beside them, from NAME.json: flash_bytes and ram_bytes
    that it has, sleep_power_uw. A file of several devices has these under `devices`, by device.
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

    @property
    def indicative(self) -> bool:
        """True where the runtime cannot load our packages, so that its figures are those of like networks."""
        return not self.runtime.lower().startswith(OURS)

    @cached_property
    def least_bits(self) -> int:
        """The fewest bits of weights that were measured."""
        return min((bits for bits in map(_whole_bits, self.rows["bits"]) if bits), default=8)

    def row_of(self, columns: dict[str, np.ndarray], task: str, bits: Sequence[int]) -> pd.DataFrame:
        """Rows to predict, of networks with these cost columns and bits, on this device."""
        known = {"device": self.device, "core": self.core, "clock_mhz": self.clock_mhz, "runtime": self.runtime}
        frame = pd.DataFrame(columns).assign(**known, profile=self.name, task=task)
        return frame.assign(bits=[str(own) for own in bits])


def core_family(text: str) -> str:
    """Cores that compute alike: `m4` for any way to write Cortex-M4."""
    lower = text.lower().replace("no accelerator", "")
    found, helped = CORE.search(lower), any(key in lower for key in ACCELERATORS)
    if found and not helped:
        return found[1]
    return next((family for key, family in OTHER_CORES.items() if key in lower), "other")


def runtime_family(text: str) -> str:
    """Runtimes that compute alike: without who measured, and without the version."""
    lower = plain_runtime(text).lower()
    known = next((family for key, family in RUNTIMES.items() if key in lower), None)
    return known or re.sub(r"[^a-z0-9]+", " ", re.sub(r"\bv?\d[\d.]*.*", "", lower)).strip()[:24] or lower


def plain_runtime(text: str) -> str:
    """A runtime's name without who measured it: `Krai: microTVM` is microTVM."""
    return re.sub(r"^[^:]*: *(?=.)", "", text).rstrip(": ")


def runtime_version(text: str) -> str:
    """The version in a runtime's name, or an empty text."""
    found = re.findall(r"\bv?(\d+(?:\.\d+)+)", text)
    return found[-1] if found else ""


def possible(rows: pd.DataFrame) -> np.ndarray:
    """(rows,) False where a row cannot be right: more multiply-accumulates a cycle than the core can do."""
    family = rows["core"].fillna("").map(core_family)
    most = family.map(MOST_MACS_A_CYCLE).astype(float).fillna(np.inf).to_numpy()
    rate = (rows["macs"] / (rows["latency_ms"] * rows["clock_mhz"] * 1e3)).astype(float).fillna(0.0).to_numpy()
    return rate <= most


def read_measurements(path: str | Path, complete: bool = True) -> Measurements:
    """Rows of a CSV, checked and with the counts of each `arch` filled in.

    complete: whether each row must have latency and MACs; else those that have not are left out, with a warning.
    Raises InvalidProfile with every problem by row and column.
    """
    path = Path(path)
    table = _read_csv(path)
    _check_columns(path, table)
    rows, problems = table.copy(), []
    for name in NUMBERS:
        if name in rows:
            rows[name] = _numbers(rows[name], name, problems)
    for name in TEXTS:
        rows[name] = rows[name].str.strip() if name in rows else ""
    _fill_archs(rows, problems)
    if problems:
        raise InvalidProfile(_report(path, problems))
    for name in NUMBERS:
        rows[name] = rows[name].astype(float) if name in rows else np.nan
    rows["macs"] = rows["macs"].fillna(rows["ops"] / 2)
    doubts = []
    rows = _only_complete(path, rows, complete, doubts)
    doubled = rows.duplicated()
    if doubled.any():
        doubts.append(
            f"{int(doubled.sum())} rows are the same as others before them (first: {_line(doubled)}); left out"
        )
        rows = rows[~doubled]
    if rows.empty:
        raise InvalidProfile(f"{path}: no row of measurements; give latency_ms and macs, a row for each network")
    return Measurements(rows.reset_index(drop=True), (*doubts, *_doubtful_units(rows)))


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidProfile(
                f"{path}: {path.stat().st_size:,} bytes; a CSV of measurements has at most {MOST_BYTES:,}"
            )
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InvalidProfile(f"{path}: cannot be read ({error.strerror}); give a CSV of measurements") from None
    except UnicodeDecodeError:
        raise InvalidProfile(f"{path}: not text in UTF-8; give a CSV of measurements") from None
    if "\0" in text or "latency_ms" not in text.partition("\n")[0]:
        first = text.partition("\n")[0][:80]
        raise InvalidProfile(
            f"{path}: the first line has no column latency_ms, it is {first!r}; columns: latency_ms, macs, ..."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False
            )
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise InvalidProfile(f"{path}: not a CSV ({str(error).strip()[:200]})") from None


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
    wanted = "0 or more" if name in MAY_BE_ZERO else "a number above 0"
    problems += [f"row {row + 1}, column {name}: {text[row][:40]!r}; give {wanted}" for row in np.flatnonzero(wrong)]
    return values


def _fill_archs(rows: pd.DataFrame, problems: list[str]) -> None:
    """The counts of networks that are given as `arch`, in the place of what the row says."""
    archs = {}
    for row in np.flatnonzero(rows["arch"] != ""):
        try:
            archs[row] = Arch.from_json(rows["arch"][row])
        except InvalidArch as error:
            problems.append(f"row {row + 1}, column arch: {error}")
    if archs and not problems:
        try:
            columns = cost_columns(list(archs.values()))
        except InvalidArch as error:
            problems.append(f"column arch: {error}")
            return
        for name, values in columns.items():
            if name not in rows:
                rows[name] = np.nan
            rows.loc[list(archs), name] = values.astype(float)


def _only_complete(path: Path, rows: pd.DataFrame, complete: bool, doubts: list[str]) -> pd.DataFrame:
    for name in ("latency_ms", "macs"):
        missing = rows[name].isna()
        if missing.any() and complete:
            lines = [f"row {row + 1}, column {name}: empty" for row in np.flatnonzero(missing)]
            raise InvalidProfile(_report(path, lines))
    missing = rows["latency_ms"].isna() | rows["macs"].isna()
    if missing.any():
        doubts.append(f"{int(missing.sum())} rows without latency_ms or macs are left out (first: {_line(missing)})")
    return rows[~missing]


def _line(flags: pd.Series) -> str:
    return f"row {int(np.flatnonzero(flags)[0]) + 1}"


def _report(path: Path, problems: list[str]) -> str:
    more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
    return f"{path}: nothing was read, since\n  " + "\n  ".join(problems[:MOST_PROBLEMS]) + more


def _doubtful_units(rows: pd.DataFrame) -> list[str]:
    """What is far from anything that was ever measured, and which unit would explain it."""
    clock = rows["clock_mhz"].median()
    cycles = (rows["latency_ms"] * rows["clock_mhz"].fillna(200.0) * 1e3 / rows["macs"]).median()
    power = (rows["energy_uj"] / rows["latency_ms"]).median()
    doubts = [
        (rows["macs"].median() < 2000, f"macs: median {rows['macs'].median():g}", "are these millions?"),
        (clock > 20_000, f"clock_mhz: median {clock:g}", "is this in Hz or kHz?"),
        (clock < 1, f"clock_mhz: median {clock:g}", "is this in GHz?"),
        (cycles > 300, f"latency_ms: {cycles:,.0f} cycles a MAC", "is this in microseconds?"),
        (cycles < 3e-3, f"latency_ms: {cycles:.2g} cycles a MAC", "is this in seconds?"),
        (power > 30_000, f"energy_uj: {power:,.0f} mW on average", "is this in nJ?"),
        (power < 0.03, f"energy_uj: {power:.2g} mW on average", "is this in mJ?"),
    ]
    return [
        f"WARNING: {what} is far from all that is known: {question}" for doubtful, what, question in doubts if doubtful
    ]


def _whole_bits(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d+", str(text)) else None


def profiles(folder: str | Path | None = None) -> dict[str, DeviceProfile]:
    """All profiles by name: the user's in `folder` (default: EARSHOT_PROFILES), of other packages, and the bundled.

    One of the user's takes the place of another of its name.
    """
    found: dict[str, DeviceProfile] = {}
    for place in (BUNDLED, *_of_packages(), Path(folder or PROFILES)):
        if Path(place).is_dir():
            found.update(_in_folder(Path(place), _stamp(Path(place))))
    return found


def find_profile(name: str, folder: str | Path | None = None) -> DeviceProfile:
    """The profile of that name, or the only one whose name begins so. Raises UnknownName."""
    known = profiles(folder)
    wanted = slug(name)
    begin = [profile for own, profile in known.items() if own.startswith(wanted)]
    if wanted in known or len(begin) == 1:
        return known.get(wanted) or begin[0]
    if begin:
        most = max(begin, key=lambda profile: (not profile.indicative, len(profile.rows)))
        names = ", ".join(profile.name for profile in begin[:8])
        raise UnknownName(f"device {name!r} has {len(begin)} profiles: {names}; name one, such as {most.name}")
    close = difflib.get_close_matches(wanted, known, n=4, cutoff=0.3)
    raise UnknownName(f"no profile {name!r}; near: {', '.join(close) or 'none'}; `earshot profile list` shows all")


def add_profile(name: str, path: str | Path, folder: str | Path | None = None, **known: str) -> list[DeviceProfile]:
    """Check a CSV and keep it as NAME.csv in the user's folder; returns its profiles.

    known: columns that all rows have, such as device, core, clock_mhz, runtime and version.
    Raises InvalidProfile, and keeps nothing.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name):
        raise InvalidProfile(f"name {name!r} is not possible: give small letters, digits, `.`, `_` and `-`")
    rows = read_measurements(path).rows
    for column, value in known.items():
        rows[column] = float(value) if column in NUMBERS else value
    networks = rows.drop_duplicates(["macs", "latency_ms"])
    if len(networks) < LEAST_ROWS:
        raise InvalidProfile(
            f"{path}: one network alone fixes no profile; measure {LEAST_ROWS} or more of unequal size"
        )
    target = Path(folder or PROFILES) / f"{name}.csv"
    used = [column for column in rows if rows[column].notna().any() and (rows[column] != "").any()]
    write_bytes(target, rows[used].to_csv(index=False).encode())
    return list(_read_profiles(target).values())


def _of_packages() -> Iterable[Path]:
    for point in entry_points(group=ENTRY_POINTS):
        yield Path(point.load())


def _stamp(folder: Path) -> tuple:
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.glob("*.csv")))


@lru_cache(maxsize=16)
def _in_folder(folder: Path, stamp: tuple) -> dict[str, DeviceProfile]:
    """All profiles of a folder; stamp: of its files, so that a changed one is read again."""
    found: dict[str, DeviceProfile] = {}
    for name, *_ in stamp:
        found.update(_read_profiles(folder / name))
    return found


def _read_profiles(path: Path) -> dict[str, DeviceProfile]:
    """The profiles of a file: by the column `profile`, else by device, clock, runtime and version."""
    rows, beside = read_measurements(path).rows, path.with_suffix(".json")
    settings = read_json(beside) if beside.is_file() else {}
    named = rows["profile"] != ""
    groups = rows.groupby(["device", "clock_mhz", "runtime", "version"], dropna=False).ngroup()
    several = groups[~named].nunique() > 1
    own = [f"{path.stem}-{group + 1}" if several else path.stem for group in groups]
    names = rows["profile"].where(named, own)
    return {
        name: _profile(name, part.reset_index(drop=True), settings)
        for name, part in rows.assign(profile=names).groupby("profile", sort=True)
    }


def _profile(name: str, rows: pd.DataFrame, settings: dict) -> DeviceProfile:
    first = rows.iloc[0]
    device = first["device_key"] or first["device"] or name
    clock = None if np.isnan(first["clock_mhz"]) else float(first["clock_mhz"])
    version = first["version"] or runtime_version(first["runtime"])
    known = settings["devices"].get(device, {}) if "devices" in settings else settings
    rows = rows.assign(device=device)
    own = digest(rows.to_csv(index=False).encode())
    return DeviceProfile(name, device, first["core"], clock, first["runtime"], version, own, rows, known)


def slug(text: str) -> str:
    """A text as a name."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
