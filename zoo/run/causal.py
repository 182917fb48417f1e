"""Whether a network hears only its past."""

from __future__ import annotations

from supernet.integer.runtime import IntegerNetwork

__all__ = ["streams"]


def streams(network: IntegerNetwork) -> bool:
    """Whether a network hears only its past."""
    return all(spec.causal for spec in network.specs)
