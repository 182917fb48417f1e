"""Logs of benches, as boards print them and terminals keep them: see predictors.bench."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

import numpy as np
import pandas as pd

from predictors.bench import BASIS, FORMAT, LEAST, MARK, RUNTIME, UNITS, Bench, bench_networks, crc
from supernet.arch import Arch
from supernet.errors import InvalidProfile, InvalidQuery

__all__ = ["Log", "bench_table", "is_log", "read_log"]

MOST_BYTES = 16_000_000
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00\x07\x08\x0e\x0f]")
"""What terminals take for colours and moves of the cursor."""
LINE = re.compile(r"([\w,.+-]*)\*([0-9A-Fa-f]{4})")
WRAP, MOST_LETTERS = re.compile(r"[\r\n]+"), 200
"""Where a narrow terminal goes on in the next line, and what the longest line has."""
CLOCK_DIFFERENCE = 0.01

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Log:
    """What a log says. version: of Earshot. unit: one of UNITS. clock_hz: of the core, 0 where it is not stated.

    amounts: of each network by its number, in the order of the log. broken: lines that were cut or garbled.
    """

    bench: Bench
    version: str
    unit: str
    clock_hz: float
    amounts: dict[int, list[float]]
    broken: int


def bench_table(path: str | Path, clock_mhz: str | None = None) -> pd.DataFrame:
    """A table of texts of the log of a bench, a row a network with the median of its rounds, under names of
    predictors.device.COLUMNS. clock_mhz: of the core, by which cycles become ms, where the log does not state it.

    Raises InvalidProfile as `read_log`, and where cycles have no clock.
    """
    own = read_log(path)
    clock = _clock_of(path, own, clock_mhz)
    if own.broken:
        log.warning("%s: %d lines were cut or garbled, and are left out", path, own.broken)
    if len(own.amounts) < own.bench.count:
        missing = ", ".join(str(number) for number in range(own.bench.count) if number not in own.amounts)
        log.warning("%s: no whole line of networks %s, which are left out", path, missing)
    archs, column = bench_networks(own.bench), UNITS[own.unit]
    unit = {"cycles": 1e3 * (clock or 1.0), "us": 1e3, "instructions": 1.0}[own.unit]
    rows = [{**_middle(column, np.array(taken) / unit), "arch": archs[number].to_json()}
            for number, taken in own.amounts.items()]  # fmt: skip
    known = {"clock_mhz": f"{clock:g}" if clock else "", "runtime": RUNTIME, "version": own.version, "task": "kws"}
    table = pd.DataFrame(rows).fillna("").assign(**known, basis=BASIS)
    table.index += 1
    return table


def _middle(column: str, taken: np.ndarray) -> dict[str, str]:
    """The median of what a network took, with its spread where that is a time."""
    low, median, high = np.percentile(taken, (25, 50, 75))
    spread = {"latency_iqr_ms": f"{high - low:.9g}"} if column == "latency_ms" and high > low else {}
    return {column: f"{median:.9g}", "repeats": str(len(taken)), **spread}


def _clock_of(path: str | Path, own: Log, clock_mhz: str | None) -> float | None:
    """MHz of the core: as the user says, else as the log does. Raises InvalidProfile where cycles have none, and for
    what is no number above 0.
    """
    stated = own.clock_hz / 1e6 or None
    if clock_mhz is None and stated is None and own.unit == "cycles":
        raise InvalidProfile(
            f"{path}: counts cycles and states no clock; give --clock-mhz (clock_mhz=), at which the board ran"
        )
    if clock_mhz is None:
        return stated
    given = _mhz(clock_mhz)
    if stated and abs(stated / given - 1) > CLOCK_DIFFERENCE:
        log.warning("%s: states a clock of %g MHz; taken is the one given, %g MHz", path, stated, given)
    return given


def _mhz(text: str) -> float:
    try:
        clock = float(text)
    except ValueError:
        clock = nan
    if not 0 < clock < inf:
        raise InvalidProfile(f"clock_mhz = {text!r:.40} is not possible: give a number above 0, such as 80")
    return clock


def is_log(path: str | Path) -> bool:
    """Whether a file is a log of a bench, and no table."""
    text = _text(Path(path))
    return f"{MARK}bench," in text or f"{MARK}net," in text


def read_log(path: str | Path) -> Log:
    """What a log says, as it comes from a terminal: among other lines, with time stamps, colours and any line ends, in
    UTF-8 or UTF-16, with lines cut or repeated.

    Raises InvalidProfile, and names a network whose logits are not those that it must have.
    """
    heads, nets, broken = _lines(Path(path))
    if not heads:
        raise InvalidProfile(
            f"{path}: no whole line begins with `{MARK}bench,`; open the terminal before the board starts, or reset it"
        )
    if len(set(heads)) > 1:
        raise InvalidProfile(f"{path}: holds {len(set(heads))} benches, or one at several clocks; give a log of one")
    bench, version, unit, clock = _head(path, heads[0])
    archs, amounts = bench_networks(bench), defaultdict(list)
    for fields in nets:
        number, amount = _amount(path, fields, archs, version)
        amounts[number].append(amount)
    if len(amounts) < LEAST:
        raise InvalidProfile(f"{path}: whole lines of {len(amounts)} networks; let the board run to its last line")
    return Log(bench, version, unit, clock, dict(sorted(amounts.items())), broken)


def _text(path: Path) -> str:
    """A file as text, whatever wrote it. Raises InvalidProfile."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidProfile(f"{path}: cannot be read ({error.strerror}); give a CSV of measurements") from None
    return data.decode(_encoding(data), errors="replace")


def _encoding(data: bytes) -> str:
    """UTF-16 by its mark, or by the zeros of plain letters in it."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    zeros = np.frombuffer(data[: len(data) // 2 * 2], np.uint8).reshape(-1, 2) == 0
    shares = zeros.mean(0) if len(zeros) else np.zeros(2)
    return "utf-16-be" if shares[0] > 0.4 else "utf-16-le" if shares[1] > 0.4 else "utf-8"


def _lines(path: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]], int]:
    """The fields of whole lines `bench` and `net`, and how many lines were broken."""
    found: dict[str, list[tuple[str, ...]]] = {"bench": [], "net": []}
    broken = 0
    for body in _bodies(_text(path)):
        kind, *fields = body.split(",") if body else [""]
        if kind in found:
            found[kind].append(tuple(fields))
        broken += not body
    return found["bench"], found["net"], broken


def _bodies(text: str) -> Iterator[str]:
    """What whole lines say, an empty text for each broken one."""
    for part in ESCAPES.sub("", text).split(MARK)[1:]:
        matches = [LINE.match(part), LINE.match(WRAP.sub("", part[:MOST_LETTERS]))]
        yield next((one[1] for one in matches if one and crc(one[1]) == int(one[2], 16)), "")


def _head(path: str | Path, fields: Sequence[str]) -> tuple[Bench, str, str, float]:
    try:
        form, version, features, *numbers, unit, clock = fields
        seed, count, flash, ram = map(int, numbers)
        if int(form) != FORMAT or unit not in UNITS:
            raise ValueError
        return Bench(features, count, seed, flash, ram), version, unit, float(clock)
    except (ValueError, InvalidQuery):
        raise InvalidProfile(f"{path}: `{','.join(fields):.100}` is of no bench that this version knows") from None


def _amount(path: str | Path, fields: Sequence[str], archs: Sequence[Arch], version: str) -> tuple[int, float]:
    """The number of a network, and what it took. Raises InvalidProfile where it is another, or computed wrongly."""
    try:
        number, own, amount, found, known = fields
        place, taken = int(number), float(int(amount))
        arch = archs[place]
    except (ValueError, IndexError, OverflowError):
        raise InvalidProfile(f"{path}: `{','.join(fields):.100}` is no network of this bench") from None
    if arch.digest[: len(own)] != own:
        raise InvalidProfile(
            f"{path}: network {place} is {own}, not {arch.digest[: len(own)]}: Earshot {version} drew others than "
            "this version; write the bench anew with `earshot export --bench`"
        )
    if found != known:
        raise InvalidProfile(
            f"{path}: network {place} gave logits of checksum {found}, not {known}: the board computes something else, "
            "so its times say nothing; check compiler flags, stack and memory, and try `make run` on a PC"
        )
    if taken <= 0:
        raise InvalidProfile(f"{path}: network {place} took 0: fill in `cycles` in board.c with a counter that runs")
    return place, taken
