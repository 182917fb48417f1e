"""The errors that users meet, one tree for the whole distribution.

EarshotError
 |- InvalidArch        an architecture outside what its family allows
 |- UnknownName        a family, task or class that nobody registered
 |- InvalidAudio       a recording that cannot be read or used
 |   `- TooLong        one that is longer than a clip
 |- InvalidData        a data set whose layout or content cannot be used
 |- InvalidCheckpoint  a run or a supernet on disk that cannot be used
 |- InvalidModel       a network or front end that has no valid form
 |- InvalidProfile     measurements of a device that cannot be used
 |- Diverged           a training run whose loss is no longer a number
 |- MissingExtra       something for which a package is not installed
 |- InfeasibleBudget   no network of the space meets a constraint
 |- InvalidQuery       a constraint that cannot be meant, such as a negative budget
 |- NoModelFits        no model of the hub meets all constraints
 |- InvalidPackage     a model or hub on disk that is incomplete, altered or of another version
 `- HubUnavailable     a hub that cannot be reached or written, or that refuses what was asked

Every message says what is wrong, with name and value, and what to do next.
"""

from __future__ import annotations

import bisect
import difflib
import math
from collections.abc import Iterable, Sequence

__all__ = [
    "Diverged",
    "EarshotError",
    "HubUnavailable",
    "InfeasibleBudget",
    "InvalidArch",
    "InvalidAudio",
    "InvalidCheckpoint",
    "InvalidData",
    "InvalidModel",
    "InvalidPackage",
    "InvalidProfile",
    "InvalidQuery",
    "MissingExtra",
    "NoModelFits",
    "TooLong",
    "UnknownName",
    "listed",
    "nearest_names",
]

MOST_NAMED, MOST_COMPARED, NEAREST = 12, 500, 3
"""Names that a message lists, neighbours in the order of names that are compared with one that is not known, and those
that a message asks about.
"""


class EarshotError(Exception):
    """Base of every error that a user of Earshot is meant to see."""


class InvalidArch(EarshotError, ValueError):
    """An architecture or search space that its family cannot build."""


class UnknownName(EarshotError, LookupError):
    """A name that is not registered; the message lists the nearest that are."""


class InvalidAudio(EarshotError, ValueError):
    """A recording that cannot be read, or samples that cannot be used."""


class TooLong(InvalidAudio):
    """A recording that is longer than a clip."""


class InvalidData(EarshotError, ValueError):
    """A data set whose layout or content cannot be used."""


class InvalidCheckpoint(EarshotError, ValueError):
    """A run state or a supernet on disk that does not match what was asked for."""


class InvalidModel(EarshotError, ValueError):
    """A network or front end that has no valid form."""


class InvalidProfile(EarshotError, ValueError):
    """Measurements of a device that cannot be read or used."""


class Diverged(EarshotError, ArithmeticError):
    """A training run whose loss is no longer a number."""


class MissingExtra(EarshotError, ImportError):
    """Something for which a package is not installed; the message holds the command that installs it."""


class InfeasibleBudget(EarshotError, ValueError):
    """No network of a space meets a constraint.

    Attributes: constraint (its name), limit, smallest (the least value found in the space; where it meets the limit
    alone but not with the others, the least with these), nearest (that `Arch`). others: what else is asked for. costs:
    of the nearest, in words. where: which space, in words.
    """

    def __init__(
        self,
        constraint: str,
        limit: float,
        smallest: float,
        nearest,
        others: str = "",
        costs: str = "",
        where: str = "",
    ) -> None:
        self.constraint, self.limit, self.smallest, self.nearest = constraint, limit, smallest, nearest
        self._words = others, costs
        beside, place = f" beside {others}" if others else "", f" in {where}" if where else ""
        super().__init__(
            f"no network{place} meets {constraint} = {limit:,.10g}{beside}: the smallest needs {_number(smallest)}; "
            f"raise {constraint} to at least that" + (f" (the nearest takes {costs})" if costs else "")
        )

    def within(self, where: str) -> InfeasibleBudget:
        """The same error, said of a space by name."""
        return InfeasibleBudget(self.constraint, self.limit, self.smallest, self.nearest, *self._words, where)


class InvalidQuery(EarshotError, ValueError):
    """A constraint that cannot be meant; the message gives its name, its value and what is possible."""


class NoModelFits(EarshotError, LookupError):
    """No model of the hub meets all constraints.

    Attributes: constraint (name of the one that binds), limit (its value), nearest (the `Entry` that misses least, or
    None where a search found the best that there is).
    """

    def __init__(self, message: str, constraint: str, limit, nearest) -> None:
        self.constraint, self.limit, self.nearest = constraint, limit, nearest
        super().__init__(message)


class InvalidPackage(EarshotError, ValueError):
    """A model or hub on disk that is incomplete, altered or of another version."""


class HubUnavailable(EarshotError, OSError):
    """A hub that cannot be reached or written, or that refuses what was asked."""


def _number(value: float) -> str:
    """Rounded up where it is rounded, so that what is shown can be asked."""
    if value >= 1000 or value == round(value):
        return f"{math.ceil(value):,}"
    step = 10.0 ** (math.floor(math.log10(value)) - 3)
    return f"{math.ceil(value / step) * step:.4g}"


def listed(names: Sequence[str]) -> str:
    """Names in a row, the first few of many."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def nearest_names(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the known ones that begin so, or else the nearest, and all where they are few.

    >>> nearest_names("kwz", ["kws", "aec"])
    'did you mean kws? known: aec, kws'
    """
    known = sorted(known)
    place = bisect.bisect(known, str(name))
    like = known[max(0, place - MOST_COMPARED) : place + MOST_COMPARED]
    begun = [one for one in known[place : place + NEAREST] if name and one.startswith(str(name))]
    cases = {one.lower(): one for one in like}
    close = begun or [cases[one] for one in difflib.get_close_matches(str(name).lower(), cases, n=NEAREST)]
    if close and len(known) > MOST_NAMED:
        return f"did you mean {' or '.join(close)}?"
    listing = listed(known) if known else "none"
    return f"did you mean {' or '.join(close)}? known: {listing}" if close else f"known: {listing}"
