"""The errors of the zoo, beside those of `supernet.errors`.

EarshotError
 |- InvalidQuery    a constraint that cannot be meant, such as a negative budget
 |- NoModelFits     no model of the hub meets all constraints
 |- InvalidPackage  a model or hub on disk that is incomplete, altered or of another version
 `- HubUnavailable  a hub that cannot be reached or written, or that refuses what was asked
"""

from __future__ import annotations

from supernet.errors import (
    EarshotError,
    InfeasibleBudget,
    InvalidArch,
    InvalidAudio,
    InvalidCheckpoint,
    InvalidData,
    InvalidModel,
    TooLong,
    UnknownName,
    nearest_names,
)

__all__ = [
    "EarshotError",
    "HubUnavailable",
    "InfeasibleBudget",
    "InvalidArch",
    "InvalidAudio",
    "InvalidCheckpoint",
    "InvalidData",
    "InvalidModel",
    "InvalidPackage",
    "InvalidQuery",
    "NoModelFits",
    "TooLong",
    "UnknownName",
    "nearest_names",
]


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
