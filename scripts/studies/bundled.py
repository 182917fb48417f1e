"""Which bundled models studies and benches take where none is named: they change whenever the hub is made anew."""

from __future__ import annotations

from pathlib import Path

import zoo
from zoo.hubs.folder import BUNDLED
from zoo.package.entry import Entry

__all__ = ["keywords", "micro_models", "names_at"]


def keywords(bits: int | str | None = None, hub: Path = BUNDLED) -> list[Entry]:
    """The models of `kws` of family `temporal` that hear log-mels or MFCC, at so many bits, the smallest first."""
    return [one for one, micro in _temporal(hub) if not micro and bits in (None, one.bits)]


def micro_models(hub: Path = BUNDLED) -> list[str]:
    """Names of those on the front end of microcontrollers' examples, the smallest first."""
    return [one.name for one, micro in _temporal(hub) if micro]


def _temporal(hub: Path) -> list[tuple[Entry, bool]]:
    """With whether each hears by `micro`."""
    opened = zoo.open_hub(hub)
    found = sorted(zoo.find(task="kws", family="temporal", hub=opened), key=lambda one: (one.macs, one.name))
    return [(one, opened.config(one).values["arch"]["features"]["kind"] == "micro") for one in found]


def names_at(bits: int | str, hub: Path = BUNDLED) -> list[str]:
    """Names of those."""
    return [one.name for one in keywords(bits, hub)]
