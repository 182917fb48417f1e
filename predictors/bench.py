"""A bench: a dozen networks whose firmware a board runs, and the lines that it prints. No pandas here.

`bench_networks` draws the same networks from the same Bench, so a log needs only to say which it is. Its lines are

    earshot,bench,FORMAT,VERSION,FEATURES,SEED,COUNT,FLASH,RAM,UNIT,CLOCK_HZ*CRC    at the start of each round
    earshot,net,NUMBER,DIGEST,AMOUNT,FOUND,KNOWN*CRC                                a network each

with the amount of one answer on one clip in UNIT, checksums of the logits as the board found them and as they must be,
and a CRC-16 of all between `earshot,` and the star, by which lines that a terminal cut or mixed are told.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import cost_columns
from supernet.errors import InvalidQuery
from supernet.memory import stream_ram_bytes
from supernet.space import default_space

__all__ = [
    "BASIS", "BITS", "CODE_BYTES", "FEATURES", "FIXED_BYTES", "FORMAT", "LEAST", "MARK", "RUNTIME", "UNITS", "Bench",
    "bench_networks", "crc", "sealed",
]  # fmt: skip

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
MARK = "earshot,"
"""What lines begin with."""


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


@lru_cache(maxsize=8)
def bench_networks(bench: Bench) -> tuple[Arch, ...]:
    """Networks at 8 bits, from few MACs to as many as fit, at even steps of their logarithm.

    Raises InvalidQuery where too few fit.
    """
    pool, flash, macs = _pool(bench)
    while len(pool) >= bench.count:
        chosen = _spread(macs, bench.count)
        if flash[chosen].sum() + FIXED_BYTES <= bench.max_flash:
            return tuple(pool[place] for place in chosen)
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
    return f"{MARK}{body}*{crc(body):04X}"


def crc(body: str) -> int:
    """CRC-16 of what a line says: polynomial 0x1021, from 0xFFFF."""
    return binascii.crc_hqx(body.encode(), 0xFFFF)
