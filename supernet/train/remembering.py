"""Training for another task without forgetting the one before: what is learned from few voices stays fit for others.

After Learning without Forgetting (Li and Hoiem, ECCV 2016, arXiv 1606.09282): on the clips of the new task, the head of
the old one must go on saying what it said before. No clip of the old task is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from supernet.nn.network import Network

__all__ = ["Remembering"]


class Remembering(nn.Module):
    """A network in training that remembers what it begins with. Only its parameters are trained.

    network: that begins with the weights of `start` and has a head of its own. start: with the old head, its norms
    measured; it stays as it is.
    """

    def __init__(self, network: Network, start: Network) -> None:
        super().__init__()
        self.network = network
        self._start = (start.eval().requires_grad_(False),)  # in a tuple it is no module of this one
        self._heard: tuple[Tensor, Tensor, int] | None = None

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """Logits of the new task."""
        embedding = self.network.embed(x, clips)
        self._heard = embedding, x, clips
        return self.network.classify(embedding)

    def forgotten(self) -> Tensor:
        """How far the old head is from what it said before, on what was heard last: the mean KL divergence in nats."""
        embedding, x, clips = self._heard
        (start,) = self._start
        with torch.no_grad():
            before = start(x, clips).float()
        now = start.classify(embedding).float()
        return F.kl_div(F.log_softmax(now, 1), F.log_softmax(before, 1), reduction="batchmean", log_target=True)
