"""One call for all costs of a network, without building it. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from supernet import cost
from supernet.space import Arch

__all__ = ["RUNTIME_BYTES", "Cost", "estimate"]

RUNTIME_BYTES = 0
"""Flash of the runtime's code and tables: not measured yet, so flash figures are those of the weights alone."""


@dataclass(frozen=True)
class Cost:
    """The costs of one answer on one clip.

    macs: multiply-accumulates of the network ("ops" in the publications that Earshot follows); params: parameters;
    weight_bytes: all tensors as packed; flash_bytes: those and the runtime's.
    """

    macs: int
    params: int
    weight_bytes: int
    flash_bytes: int


def estimate(arch: Arch) -> Cost:
    """The exact costs of `arch`, at its bits."""
    stored = cost.weight_bytes(arch)
    return Cost(cost.macs(arch), cost.params(arch), stored, stored + RUNTIME_BYTES)
