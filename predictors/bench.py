"""A bench: a dozen networks whose firmware a board runs, and the log that comes back. No pandas here.

`bench_networks` draws the same networks from the same Bench, so a log needs only to say which it is. Its lines are

    earshot,bench,FORMAT,VERSION,FEATURES,SEED,COUNT,FLASH,RAM,UNIT,CLOCK_HZ*CRC    at the start of each round
    earshot,net,NUMBER,DIGEST,AMOUNT,FOUND,KNOWN*CRC                                a network each

with the amount of one answer on one clip in UNIT, checksums of the logits as the board found them and as they must be,
and a CRC-16 of all between `earshot,` and the star, by which lines that a terminal cut or mixed are told.
"""

from __future__ import annotations

import binascii
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import cost_columns
from supernet.errors import InvalidProfile, InvalidQuery
from supernet.memory import stream_ram_bytes
from supernet.space import default_space

__all__ = [
    "BASIS",
    "BITS",
    "CODE_BYTES",
    "FEATURES",
    "FIXED_BYTES",
    "RUNTIME",
    "UNITS",
    "Bench",
    "Log",
    "bench_networks",
    "is_log",
    "read_log",
    "sealed",
]

FORMAT, CLASSES, BITS = 1, 12, 8
FEATURES = ("logmel", "mfcc")
POOL, LEAST = 300, 2
CODE_BYTES = 8_000
"""Of flash that the code and constants of a network are reckoned to take beside its weights."""
FIXED_BYTES = 12_000
"""Of flash that features and what prints take."""
RUNTIME, BASIS = "Earshot C", "stream: a clip in steps of one answer"
UNITS = {"cycles": "latency_ms", "us": "latency_ms", "instructions": "instructions"}
"""What a board counts, and the column that it fills."""
MOST_BYTES = 16_000_000
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00\x07\x08\x0e\x0f]")
"""What terminals take for colours and moves of the cursor."""
MARK, LINE = "earshot,", re.compile(r"([\w,.+-]*)\*([0-9A-Fa-f]{4})")


@dataclass(frozen=True)
class Bench:
    """Which networks are run: `count` of the default space on `features`, drawn by `seed`.

    max_flash, max_ram: bytes of the board that all networks together, and each by itself, may take.
    Raises InvalidQuery.
    """

    features: str = "logmel"
    count: int = 12
    seed: int = 0
    max_flash: int = 512_000
    max_ram: int = 64_000

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise InvalidQuery(f"features = {self.features!r:.40} is not possible: give one of {', '.join(FEATURES)}")
        if not LEAST <= self.count <= POOL // 3:
            raise InvalidQuery(f"count = {self.count} is not possible: give a whole number from {LEAST} to {POOL // 3}")
        if not 0 <= self.seed < 2**31:
            raise InvalidQuery(f"seed = {self.seed} is not possible: give a whole number from 0 to {2**31 - 1:,}")

    @property
    def fields(self) -> tuple:
        """As the first line of a round has them."""
        return self.features, self.seed, self.count, self.max_flash, self.max_ram


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


def bench_networks(bench: Bench) -> list[Arch]:
    """Networks at 8 bits, from few MACs to as many as fit, at even steps of their logarithm.

    Raises InvalidQuery where too few fit.
    """
    pool, flash, macs = _pool(bench)
    while len(pool) >= bench.count:
        chosen = _spread(macs, bench.count)
        if flash[chosen].sum() + FIXED_BYTES <= bench.max_flash:
            return [pool[place] for place in chosen]
        kept = flash < flash[chosen].max()
        pool, flash, macs = [arch for arch, keep in zip(pool, kept, strict=True) if keep], flash[kept], macs[kept]
    raise InvalidQuery(
        f"{bench.count} networks do not fit into {bench.max_flash:,} bytes of flash and {bench.max_ram:,} of RAM; "
        "give --count fewer, or larger --max-flash and --max-ram"
    )


def _pool(bench: Bench) -> tuple[list[Arch], np.ndarray, np.ndarray]:
    """Networks that fit into the RAM, fewest MACs first, with the flash and the MACs of each."""
    space = default_space("temporal", CLASSES, features=bench.features)
    genes = space.sample_sizes(np.random.default_rng(bench.seed), POOL)
    drawn = [space.smallest(), *space.from_genes(genes), space.largest()]
    archs = list(dict.fromkeys(with_bits(arch, BITS) for arch in drawn))
    archs = [arch for arch in archs if stream_ram_bytes(arch) <= bench.max_ram]
    columns = cost_columns(archs)
    order = np.argsort(columns["macs"], kind="stable")
    return [archs[place] for place in order], (columns["weight_bytes"] + CODE_BYTES)[order], columns["macs"][order]


def _spread(macs: np.ndarray, count: int) -> np.ndarray:
    """(count,) places of different networks that are nearest to even steps between the first and the last."""
    sizes, free = np.log(macs), np.ones(len(macs), bool)
    found = []
    for wanted in np.linspace(sizes[0], sizes[-1], count):
        found.append(int(np.argmin(np.where(free, np.abs(sizes - wanted), np.inf))))
        free[found[-1]] = False
    return np.sort(found)


def sealed(body: str) -> str:
    """A line of a log, of what is between `earshot,` and the star."""
    return f"{MARK}{body}*{_crc(body):04X}"


def _crc(body: str) -> int:
    return binascii.crc_hqx(body.encode(), 0xFFFF)


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
        match = LINE.match(part)
        whole = match is not None and _crc(match[1]) == int(match[2], 16)
        yield match[1] if whole else ""


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
    except (ValueError, IndexError):
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
