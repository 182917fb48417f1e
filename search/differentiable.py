"""Differentiable search: a distribution over the choices of each gene, trained by gradients.

Networks are drawn from it and run on batches of clips as slices of the supernet, as in ProxylessNAS (Cai et al., arXiv
1812.00332). What is minimised is the mean over the distribution of the logarithm of

    cross entropy * (cost / limit)^beta, with such a factor for each limit.

Peter et al. (arXiv 2012.10138, 2104.06666) have the factor (log ops / log target)^beta, which near the target is the
same with beta / log target. The gradient is that of REINFORCE (Williams, Machine Learning 8, 1992), which asks nothing
of a network but its loss, so families, front ends and bits are searched alike. A linear model of the losses so far
takes most of the variance away: its own mean has an exact gradient, and only what it misses is estimated from draws.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from search.problem import Problem
from search.space import EDGE_BITS, SearchSpace
from search.strategies import BATCH, Genes, Strategy
from supernet.errors import InvalidCheckpoint
from supernet.files import load_tensors, save_tensors
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits
from supernet.whole import is_whole

__all__ = ["Batches", "Differentiable", "PathLosses", "supernet_losses"]

STEPS, PATHS, LEARNING_RATE = 150, 8, 0.1
"""Of the training: steps, and the networks that each of them runs on one batch."""
COSTED = 256
"""Networks a step that costs are averaged over; these are looked up, which takes hardly any time."""
BETA_AT_ONCE, BETA_STEP = 1.0, 0.02
"""By how much the logarithm of a cost over its limit raises the exponent: in the same step, and from then on."""
DECAY, RIDGE = 0.98, 1.0
"""Of the linear model: what earlier losses count from step to step, and what holds its weights near 0."""
LEAST_LOSS = 1e-3
"""Added to losses, so that the logarithm has a floor."""
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
"""Of the softmax that candidates are drawn from."""
KEPT = "losses.safetensors"
PathLosses = Callable[[Genes, np.random.Generator], np.ndarray]
"""From genes (count, genes) to losses (count,), above 0, all on the one batch that the generator draws."""
Batches = Callable[[np.random.Generator], tuple[Tensor, Tensor]]
"""Gives features (batch, coefficients, frames) and what a network should answer."""


class Choices:
    """A distribution over networks, each gene by itself: the softmax of `logits` (genes, most choices)."""

    def __init__(self, cardinalities: np.ndarray) -> None:
        self.known = torch.from_numpy(np.arange(cardinalities.max()) < cardinalities[:, None])
        self.logits = torch.zeros(self.known.shape, dtype=torch.float64, requires_grad=True)

    def log_shares(self, temperature: float = 1.0) -> Tensor:
        """(genes, most choices) the logarithm of each choice's probability."""
        return (self.logits / temperature).masked_fill(~self.known, -1e9).log_softmax(1)

    def draw(self, rng: np.random.Generator, count: int, temperature: float = 1.0) -> Genes:
        """(count, genes) networks."""
        ends = self.log_shares(temperature).detach().exp().numpy().cumsum(1)[:, :-1]
        return (rng.random((count, len(ends), 1)) >= ends).sum(2)

    def most_probable(self) -> Genes:
        """(1, genes) of each gene the choice of the largest probability."""
        return self.log_shares().argmax(1).numpy()[None]

    def chosen(self, genes: Genes) -> Tensor:
        """(count, genes * most choices) 1 for what networks have chosen, else 0."""
        return F.one_hot(torch.from_numpy(genes), self.logits.shape[1]).double().flatten(1)


class LinearModel:
    """What each choice adds to the logarithm of the loss, by least squares over the steps so far."""

    def __init__(self, size: int) -> None:
        self.products = torch.zeros(size, size, dtype=torch.float64)
        self.sums = torch.zeros(size, dtype=torch.float64)
        self.weights, self._ridge = self.sums, RIDGE * torch.eye(size, dtype=torch.float64)

    def learn(self, x: Tensor, y: Tensor) -> None:
        """x: (paths, size) what was chosen, y: (paths,), both without their means, and so without the batch's part."""
        self.products = DECAY * self.products + x.T @ x
        self.sums = DECAY * self.sums + x.T @ y
        self.weights = torch.linalg.solve(self.products + self._ridge, self.sums)


class Differentiable(Strategy):
    """Draws candidates from a distribution over each gene's choices that is trained by gradients first.

    losses: of networks on a batch, such as `supernet_losses` gives. beta: the exponent of each limit; more of it gives
    smaller networks, and where none is given each is raised while networks are over its limit, and lowered while they
    are below, so that they end near it. steps: of the training. paths: networks that each of them runs, 2 or more.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        batch: int = BATCH,
        *,
        losses: PathLosses,
        beta: float | None = None,
        steps: int = STEPS,
        paths: int = PATHS,
        learning_rate: float = LEARNING_RATE,
    ) -> None:
        super().__init__(problem, rng, batch)
        if not is_whole(paths, 2, np.inf):
            raise ValueError(f"paths = {paths!r} is not possible: give a whole number, 2 or more")
        self.losses, self.beta, self.steps, self.paths = losses, beta, steps, paths
        self.learning_rate = learning_rate
        self.choices: Choices | None = None

    @property
    def settings(self) -> dict:
        """Of the training."""
        return {"beta": self.beta, "steps": self.steps, "paths": self.paths, "learning_rate": self.learning_rate}

    def prepare(self, run_dir: str | Path | None = None, identity: str = "", progress: bool = False) -> None:
        """Train the distribution, once. Losses are kept, so that a training that was stopped goes on the same way.

        Raises InfeasibleBudget where no network keeps all limits, InvalidCheckpoint where the folder holds another
        search.
        """
        _ = self.problem.anchor
        if self.choices is not None:
            return
        self.choices = Choices(self.space.cardinalities)
        self._model, self._betas = LinearModel(self.choices.logits.numel()), np.zeros(len(self.problem.bounds))
        optimiser = torch.optim.Adam([self.choices.logits], lr=self.learning_rate)
        seed, kept = int(self.rng.integers(2**62)), _KeptLosses(run_dir, identity, self.paths)
        bar = tqdm(range(self.steps), desc="distribution", unit=" steps", disable=not progress)
        for number in bar:
            genes = self.choices.draw(self.rng, self.paths)
            found = kept.of(number, lambda genes=genes, number=number: self._run(genes, [seed, number]))
            optimiser.zero_grad()
            (self._mean_loss(genes, found) + self._mean_factor()).backward()
            optimiser.step()
            bar.set_postfix(loss=f"{found.mean():.3f}", refresh=False)
        self._best = self._most_probable()

    def _run(self, genes: Genes, seed: list[int]) -> np.ndarray:
        """(paths,) the losses of networks; of equal ones one runs."""
        rows, places = np.unique(self.space.canonical(genes), axis=0, return_inverse=True)
        return np.asarray(self.losses(rows, np.random.default_rng(seed)), float)[places.ravel()]

    def _mean_loss(self, genes: Genes, losses: np.ndarray) -> Tensor:
        """Has the gradient of the mean logarithm of losses over the distribution."""
        shares, chosen = self.choices.log_shares().flatten(), self.choices.chosen(genes)
        logs, weights = torch.from_numpy(np.log(losses + LEAST_LOSS)), self._model.weights
        centred, above = chosen - chosen.mean(0), logs - logs.mean()
        self._model.learn(centred, above)
        missed = (above - centred @ weights) / (1 - 1 / self.paths)  # as if each were compared with the others' mean
        return shares.exp() @ weights + (missed * (chosen @ shares)).mean()

    def _mean_factor(self) -> Tensor:
        """Has the gradient of the mean logarithm of the factors of limits."""
        genes = self.choices.draw(self.rng, COSTED)
        over = np.log1p(self.problem.excesses(self.space.canonical(genes)))
        factors = torch.from_numpy(over @ self._exponents(over.mean(0)))
        drawn = self.choices.chosen(genes) @ self.choices.log_shares().flatten()
        return ((factors - factors.mean()) * drawn).mean()

    def _exponents(self, over: np.ndarray) -> np.ndarray:
        """(limits,) from the mean logarithm of each cost over its limit."""
        if self.beta is not None:
            return np.full(len(over), float(self.beta))
        self._betas = np.maximum(0.0, self._betas + BETA_STEP * over)
        return np.maximum(0.0, self._betas + BETA_AT_ONCE * over)

    def propose(self, count: int) -> Genes:
        """The most probable network, and others drawn: the first as was trained, later ones more evenly."""
        self.prepare()
        parts = np.array_split(np.arange(count), len(TEMPERATURES))
        drawn = [self.choices.draw(self.rng, len(part), own) for part, own in zip(parts, TEMPERATURES, strict=True)]
        return self.space.canonical(np.concatenate([self._best, *drawn])[:count])

    def _most_probable(self) -> Genes:
        """(1, genes) the most probable network, with single genes changed until it keeps the limits.

        Each change is the one that costs the least probability for what it brings; where none brings anything, the
        network is still over a limit.
        """
        genes, logs = self.space.canonical(self.choices.most_probable()), self.choices.log_shares().detach().numpy()
        while (over := self._over(genes)[0]) > 0:
            near = self.problem.neighbours(genes[0])
            brought, lost = over - self._over(near), _probability(logs, genes) - _probability(logs, near)
            if not (brought > 0).any():
                break
            genes = near[np.where(brought > 0, lost / np.where(brought > 0, brought, 1), np.inf).argmin()][None]
        return genes

    def _over(self, genes: Genes) -> np.ndarray:
        """(count,) by how much limits are missed, all together."""
        return np.maximum(self.problem.excesses(genes), 0).sum(1)


def _probability(logs: np.ndarray, genes: Genes) -> np.ndarray:
    """(count,) logarithms. logs: (genes, most choices)."""
    return logs[np.arange(genes.shape[1]), genes].sum(1)


def supernet_losses(
    source: Supernet | ElasticBits, space: SearchSpace, batches: Batches, loss: Callable[[Tensor, Tensor], Tensor]
) -> PathLosses:
    """Losses of slices of a supernet, run as in training: norms and ranges are those of the batch.

    loss: of logits and what `batches` gives. Networks run at their bits where the space has a choice of these, else in
    floating point; a supernet that was not trained at several widths is rounded to them.
    """
    network = _with_choices(source, space)

    @torch.no_grad()
    def losses(genes: Genes, rng: np.random.Generator) -> np.ndarray:
        (x, targets), archs = batches(rng), space.from_genes(genes)
        archs = archs if isinstance(network, ElasticBits) else [arch.without_bits() for arch in archs]
        before = network.training
        network.train()
        try:
            return np.array([float(loss(network(x, arch), targets)) for arch in archs])
        finally:
            network.train(before)

    return losses


def _with_choices(source: Supernet | ElasticBits, space: SearchSpace) -> Supernet | ElasticBits:
    """What runs the networks of a space."""
    if max(len(space.weight_bits), len(space.activation_bits)) < 2:
        return source.supernet if isinstance(source, ElasticBits) and not space.weight_bits else source
    widths = tuple(sorted({*space.weight_bits, EDGE_BITS}, reverse=True))
    return source if isinstance(source, ElasticBits) else ElasticBits(source, widths)


class _KeptLosses:
    """Losses of the steps so far on disk. Steps draw the same networks again, so they need not run again."""

    def __init__(self, run: str | Path | None, identity: str, paths: int) -> None:
        self.path, self.identity, self.known = run and Path(run) / KEPT, identity, np.empty((0, paths))
        if self.path and self.path.is_file():
            tensors, found = load_tensors(self.path)
            if found != identity or set(tensors) != {"losses"}:
                raise InvalidCheckpoint(f"{run}: holds another search; name another folder or delete it")
            self.known = tensors["losses"]

    def of(self, number: int, evaluate: Callable[[], np.ndarray]) -> np.ndarray:
        """(paths,) of a step, by `evaluate` where they are not known."""
        if number == len(self.known):
            self.known = np.concatenate([self.known, evaluate()[None]])
            if self.path:
                save_tensors(self.path, {"losses": self.known}, self.identity)
        return self.known[number]
