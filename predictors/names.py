"""Names: finding a device profile by its own, and units. No pandas here, so that look-ups stay light."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from supernet.errors import UnknownName

__all__ = ["UNITS", "resolve"]

UNITS = {"latency": "ms", "energy": "uj"}
"""Of what a device takes, as columns end with them."""

MOST_NAMED = 8


def resolve(name: str, known: Iterable[str], place: str = "") -> str:
    """The known name that is meant: equal, or the only one that begins so, in small letters.

    place: where they are known, for the message. Raises UnknownName, with those that begin so or are near.
    """
    known, wanted = sorted(known), str(name).lower()
    begin = [own for own in known if own.lower().startswith(wanted)]
    for own in (name, wanted):
        if own in known:
            return own
    if wanted and len(begin) == 1:
        return begin[0]
    if wanted and begin:
        more = f", and {len(begin) - MOST_NAMED} more" if len(begin) > MOST_NAMED else ""
        raise UnknownName(f"device {name!r} has {len(begin)} profiles: {', '.join(begin[:MOST_NAMED])}{more}; name one")
    close = ", ".join(difflib.get_close_matches(wanted, known, n=4, cutoff=0.3)) or "none"
    where = f"{place} has no figures for" if place else "no profile for"
    hint = "; of a profile that you added, `earshot profile costs --hub ...` computes them" if place else ""
    raise UnknownName(f"{where} device {name!r}; near: {close}; `earshot profile list` shows all{hint}")
