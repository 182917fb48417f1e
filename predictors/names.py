"""Names: finding a device profile by its own, and units. No pandas here, so that look-ups stay light."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from supernet.errors import UnknownName

__all__ = ["TARGETS", "resolve"]

TARGETS = {
    "latency_ms": ("latency_low_ms", "latency_high_ms", "in_range"),
    "energy_uj": ("energy_low_uj", "energy_high_uj", "energy_in_range"),
    "instructions": ("instructions_low", "instructions_high", "instructions_in_range"),
}
"""What a device takes: of each column those of its interval, and of whether it is within what was measured."""

MOST_NAMED = 8
"""Lines, and names in each of them."""


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
        lines = _narrowed(begin, known)
        more = [f"and {len(lines) - MOST_NAMED} lines more"] * (len(lines) > MOST_NAMED)
        listed = "\n  ".join([*lines[:MOST_NAMED], *more])
        raise UnknownName(f"device {name!r} has {len(begin)} profiles; give as much as tells one of them:\n  {listed}")
    close = ", ".join(difflib.get_close_matches(wanted, known, n=4, cutoff=0.3)) or "none"
    what, where = ("figures", f" in {place}") if place else ("profile", "")
    hint = "; of a profile that you added, `earshot profile costs --hub ...` computes them" if place else ""
    raise UnknownName(f"no {what} for device {name!r}{where}; near: {close}; `earshot profile list` shows all{hint}")


def _narrowed(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Lines of beginnings that tell each name from all that are known; what several begin with is written once."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_shared(name, known), []).append(_shortest(name, known))
    return [_line(start, short) for start, short in groups.items()]


def _shortest(name: str, known: Iterable[str]) -> str:
    """As many whole words of a name as no other begins with; all of it, where another goes on."""
    words = name.split("-")
    starts = ("-".join(words[:count]) for count in range(1, len(words)))
    return next((start for start in starts if sum(own.startswith(start) for own in known) == 1), name)


def _shared(name: str, known: Iterable[str]) -> str:
    """The whole words that the shortest form of a name shares with others."""
    head, dash, _ = _shortest(name, known).rpartition("-")
    return head + dash


def _line(start: str, short: list[str]) -> str:
    ends = [own.removeprefix(start) for own in short]
    more = f", and {len(ends) - MOST_NAMED} more" if len(ends) > MOST_NAMED else ""
    listed = ", ".join(ends[:MOST_NAMED]) + more
    return f"{start} followed by {listed}" if start and len(ends) > 1 else f"{start}{listed}"
