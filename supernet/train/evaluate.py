"""Accuracy of networks in torch on a split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from supernet.metrics import right
from supernet.nn.frontend import dequantise_features

__all__ = ["accuracy", "hits", "predict"]


@torch.no_grad()
def predict(network: Callable[[Tensor], Tensor], features: Tensor, batch: int = 256) -> Tensor:
    """Logits (clips, classes) of a network for quantised features (clips, coefficients, frames) int8."""
    parts = [network(dequantise_features(features[first : first + batch])) for first in range(0, len(features), batch)]
    return torch.cat(parts)


def accuracy(network: Callable[[Tensor], Tensor], features: Tensor, targets: np.ndarray) -> float:
    """Share of clips (0 to 1) that are right, as in `hits`."""
    return float(hits(network, features, targets).mean())


def hits(network: Callable[[Tensor], Tensor], features: Tensor, targets: np.ndarray) -> np.ndarray:
    """(clips,) True where a clip is right, as in `right`. features: int8."""
    return right(predict(network, features).cpu().numpy(), targets)
