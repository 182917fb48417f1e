"""Stack that a call of a model's C takes: measured once of bundled models on an emulated core, and shipped.

`stack.json` has it by the digest of architectures; `scripts/stack_sizes.py` measures it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from supernet.arch import Arch
from supernet.files import read_json

__all__ = ["DIGITS", "TABLE", "stack_measured", "stack_of", "stack_range"]

TABLE = Path(__file__).with_name("stack.json")
DIGITS = 12
"""Of digests."""


@cache
def _table() -> dict:
    return read_json(TABLE)


def stack_of(arch: Arch) -> int | None:
    """Bytes; None for an architecture that was not measured."""
    return _table()["bytes"].get(arch.digest[:DIGITS])


def stack_range() -> tuple[int, int]:
    """The least and the most bytes of all that were measured."""
    found = _table()["bytes"].values()
    return min(found), max(found)


def stack_measured() -> str:
    """Core, compiler and emulator in words."""
    return _table()["measured"]
