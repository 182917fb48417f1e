"""Which bundled models studies and benches take where none is named: they change whenever the hub is made anew."""

from __future__ import annotations

from pathlib import Path

import zoo
from zoo.hubs.folder import BUNDLED
from zoo.package.entry import Entry

__all__ = ["keywords", "micro_models", "models", "names_at"]


def models(task: str, bits: int | str | None = None, hub: Path = BUNDLED, **wanted) -> list[Entry]:
    """The models of a task, at so many bits, the smallest first. wanted: as `zoo.find` takes it."""
    found = [one for one in zoo.find(task, hub=hub, **wanted) if bits in (None, one.bits)]
    return sorted(found, key=lambda one: (one.macs, one.name))


def keywords(
    bits: int | str | None = None, hub: Path = BUNDLED, family: str = "temporal", micro: bool = False
) -> list[Entry]:
    """The models of `kws` of a family, at so many bits, the smallest first.

    micro: those on the front end of that name, instead of those that hear log-mels or MFCC.
    """
    opened = zoo.open_hub(hub)
    kinds = {
        one: opened.config(one).values["arch"]["features"]["kind"] for one in models("kws", bits, hub, family=family)
    }
    return [one for one, kind in kinds.items() if (kind == "micro") == micro]


def names_at(bits: int | str, hub: Path = BUNDLED) -> list[str]:
    """Names of the keyword models at so many bits."""
    return [one.name for one in keywords(bits, hub)]


def micro_models(hub: Path = BUNDLED) -> list[str]:
    """Names of those on the front end of microcontrollers' examples."""
    return [one.name for one in keywords(hub=hub, micro=True)]
