"""Front end `logmel`: the log-mel energies themselves, a map that convolutions over frequency can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from supernet.errors import InvalidModel
from supernet.frontend.mel import MelFrontEnd

__all__ = ["FRONT_END", "LogMel"]


@dataclass(frozen=True)
class LogMel(MelFrontEnd):
    """coefficients: how many of the mels are given, all of them or the last of each two, three, ..."""

    kind: ClassVar[str] = "logmel"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mels % self.coefficients:
            raise InvalidModel(
                f"a log-mel front end gives each, or each second, third, ... of its {self.mels} mels, "
                f"not {self.coefficients} of them"
            )

    @property
    def chosen_mels(self) -> slice:
        """The last of each so many."""
        skip = self.mels // self.coefficients
        return slice(skip - 1, None, skip)

    def _chosen(self, values: tuple[float, ...], coefficients: int) -> tuple[float, ...]:
        """The last of each so many."""
        if not 1 <= coefficients <= self.coefficients or self.coefficients % coefficients:
            raise InvalidModel(f"{coefficients} of {self.coefficients} log-mels cannot be had: give a divisor of these")
        skip = self.coefficients // coefficients
        return values[skip - 1 :: skip]


FRONT_END = LogMel
