"""Front end `mfcc`: cepstral coefficients of log-mel energies (Davis and Mermelstein, IEEE TASSP 28(4), 1980)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.frontend.base import FrontEnd, frontend_from_dict
from supernet.frontend.mel import MelFrontEnd
from supernet.frontend.tables import cosine_transform

__all__ = ["FRONT_END", "Mfcc"]


@dataclass(frozen=True)
class Mfcc(MelFrontEnd):
    """The first `coefficients` cepstral coefficients."""

    kind: ClassVar[str] = "mfcc"

    @property
    def cosines(self) -> np.ndarray:
        """(coefficients, mels) of the transform."""
        return cosine_transform(self.coefficients, self.mels)

    @property
    def _transform_macs(self) -> int:
        return self.mels * self.coefficients

    def _chosen(self, values: tuple[float, ...], coefficients: int) -> tuple[float, ...]:
        """The first ones."""
        return values[:coefficients]

    @staticmethod
    def from_dict(values: dict) -> FrontEnd:
        """`supernet.frontend.frontend_from_dict`, which gives a front end of any kind."""
        return frontend_from_dict(values)


FRONT_END = Mfcc
