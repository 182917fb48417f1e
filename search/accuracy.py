"""The accuracy of sub-networks, as a search asks for it: for whole populations of genes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from supernet.elastic import Supernet
from supernet.evaluate import accuracy

__all__ = ["measured_accuracy"]


def measured_accuracy(supernet: Supernet, features: Tensor, targets: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function from genes (count, genes) to accuracies (count,) from 0 to 1.

    Each sub-network is extracted, recalibrated and measured on quantised features (clips, coefficients, frames) int8
    and their targets (clips,), those of a validation split.
    """

    def evaluate(genes: np.ndarray) -> np.ndarray:
        networks = (supernet.extract(arch) for arch in supernet.space.from_genes(genes))
        return np.array([accuracy(network, features, targets) for network in networks])

    return evaluate
