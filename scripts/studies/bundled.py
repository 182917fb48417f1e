"""Which bundled models studies and benches take where none is named: they change whenever the hub is made anew."""

from __future__ import annotations

from pathlib import Path

import zoo
from zoo.hubs.folder import BUNDLED
from zoo.package.entry import Entry

__all__ = ["keywords", "micro_models", "names_at"]


def keywords(
    bits: int | str | None = None, hub: Path = BUNDLED, family: str = "temporal", micro: bool = False
) -> list[Entry]:
    """The models of `kws` of a family, at so many bits, the smallest first.

    micro: those on the front end of that name, instead of those that hear log-mels or MFCC.
    """
    opened = zoo.open_hub(hub)
    found = [one for one in zoo.find(task="kws", family=family, hub=opened) if bits in (None, one.bits)]
    heard = [one for one in found if (opened.config(one).values["arch"]["features"]["kind"] == "micro") == micro]
    return sorted(heard, key=lambda one: (one.macs, one.name))


def names_at(bits: int | str, hub: Path = BUNDLED) -> list[str]:
    """Names of the keyword models at so many bits."""
    return [one.name for one in keywords(bits, hub)]


def micro_models(hub: Path = BUNDLED) -> list[str]:
    """Names of those on the front end of microcontrollers' examples."""
    return [one.name for one in keywords(hub=hub, micro=True)]
