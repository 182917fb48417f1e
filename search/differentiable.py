"""Differentiable search over a supernet: architecture weights, trained by gradients.

Each gene has a weight a choice; networks are drawn from their softmax, and the loss is the cross-entropy times
(log MACs / log target)^beta, as Peter et al. have it (arXiv 2012.10138), who search as ProxylessNAS does (Cai et al.,
arXiv 1812.00332). Where they train one operation a choice, the choices of a supernet are slices of one, so a network is
drawn as gates on the largest one: on channels, on taps, and on layers that it lacks (as in FBNetV2, Wan et al., arXiv
2004.05565). With gates of 0 and 1 that is the sub-network itself; gradients pass straight through the drawing
(Gumbel-softmax, Jang et al., arXiv 1611.01144).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from search.problem import Problem
from search.strategies import BATCH, Strategy
from supernet.errors import InvalidArch
from supernet.layer import LayerSpec, layers
from supernet.nn.network import execute
from supernet.nn.ops import Slice, float_layer, largest_gate, twin
from supernet.nn.supernet import Supernet

__all__ = ["Differentiable", "GatedSupernet"]

BETA_STEP = 0.3
"""How fast the exponent follows the logarithm of MACs over their target."""
TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
"""Of the softmax that candidates are drawn from."""
Batches = Callable[[np.random.Generator], tuple[Tensor, Tensor]]
"""Features (batch, coefficients, frames) and targets: classes (batch,), or logits (batch, classes) to learn from."""


@dataclass(frozen=True)
class Gate:
    """What genes make of a layer. genes: their columns. table: (choices of each gene..., values)."""

    genes: tuple[int, ...]
    table: Tensor

    def __call__(self, weights: list[Tensor]) -> Tensor:
        """(values,) the mean of the table under weights of each gene's choices."""
        found = self.table
        for gene in self.genes:
            found = torch.tensordot(weights[gene], found, 1)
        return found


class GatedSupernet:
    """The largest network of a supernet with gates that weights of the genes' choices open.

    Raises InvalidArch for a space in which a gene changes more than channels, taps and layers.
    """

    def __init__(self, supernet: Supernet) -> None:
        self.supernet, self.space = supernet, supernet.space
        self.specs = supernet.network.specs
        self._names = {spec.name for spec in self.specs}
        self._base = self.space.to_genes([self.space.largest()])[0]
        self._known: dict[bytes, dict[str, LayerSpec]] = {}
        alone = [self._specs_with((gene,), (choice,)) for gene, count in enumerate(self.space.cardinalities)
                 for choice in range(count)]  # fmt: skip
        owners = np.repeat(np.arange(len(self._base)), self.space.cardinalities)
        self._channels, self._taps = {}, {}
        for spec in self.specs:
            self._check(spec, alone)
            for gates, value in ((self._channels, _open_channels), (self._taps, _open_taps)):
                if value is _open_taps and not spec.has_weights:
                    continue
                whole = value(spec, spec)
                changes = [not torch.equal(value(specs.get(spec.name), spec), whole) for specs in alone]
                gates[spec.name] = self._gate(spec, value, tuple(sorted(set(owners[changes].tolist()))))

    def __call__(self, x: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (batch, classes) and MACs of the network that weights (choices,) of each gene stand for.

        x: features (batch, coefficients, frames). With weights of 0 and 1 these are those of the sub-network, in
        training as it is in training.
        """
        open_: dict[str, Tensor] = {}
        macs = []

        def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            gate = self._channels[spec.name](weights)
            sources = [open_[name] for name in spec.inputs]
            if not spec.has_weights:
                output, open_[spec.name] = twin(spec).relaxed(spec, inputs, sources, gate)
                return output
            taps, layer = self._taps[spec.name](weights), self.supernet.network.layers[spec.name]
            reads = 1.0 if spec.depthwise else sources[0].sum()
            macs.append(gate.sum() * reads * taps.sum() * prod(spec.out_shape[1:]))
            kernel = layer.weight.detach() * taps.reshape((1, 1, *spec.kernel)[: layer.weight.ndim])
            tensors = Slice(kernel, layer.gamma, layer.beta, None, None, layer.bias)
            output = float_layer(spec, inputs, tensors, training=True) * twin(spec).spread(gate)
            missing = len(gate) - len(sources[0])
            open_[spec.name] = gate
            if missing < 0 or spec.depthwise or spec.logits or not _absent(self._channels[spec.name]):
                return output
            passed = 1 - largest_gate(gate)  # an expansion of 1 has no expanding layer: what it reads passes by
            open_[spec.name] = gate + passed * F.pad(sources[0], (0, missing))
            return output + passed * F.pad(inputs[0], (0, 0, 0, 0, 0, missing))

        logits = execute(self.specs, x, apply)
        return logits, sum(macs)

    def _gate(self, spec: LayerSpec, value: Callable, genes: tuple[int, ...]) -> Gate:
        counts = [self.space.cardinalities[gene] for gene in genes]
        rows = [
            value(self._specs_with(genes, choices).get(spec.name), spec) for choices in product(*map(range, counts))
        ]
        return Gate(genes, torch.stack(rows).reshape(*counts, -1))

    def _specs_with(self, genes: tuple[int, ...], choices: tuple[int, ...]) -> dict[str, LayerSpec]:
        """The layers, by name, of the largest network with some genes changed."""
        changed = self._base.copy()
        changed[list(genes)] = choices
        changed = self.space.canonical(changed[None])
        key = changed.tobytes()
        if key not in self._known:
            self._known[key] = {spec.name: spec for spec in layers(self.space.from_genes(changed)[0])}
        return self._known[key]

    def _check(self, spec: LayerSpec, alone: list[dict[str, LayerSpec]]) -> None:
        """Heights and frames may change only in the input, which leaves some out, and no network has more layers."""
        for specs in alone:
            if not specs.keys() <= self._names:
                raise InvalidArch("differentiable search needs all layers, sums among them, in the largest network")
            other = specs.get(spec.name)
            if other and spec.inputs and other.out_shape[1:] != spec.out_shape[1:]:
                raise InvalidArch(f"layer {spec.name}: differentiable search needs equal maps in all networks")


def _open_channels(own: LayerSpec | None, spec: LayerSpec) -> Tensor:
    """(channels,) 1 for those of `spec`, the largest's, that a network's own layer has."""
    return (torch.arange(spec.out_shape[0]) < (own.out_shape[0] if own else 0)).float()


def _open_taps(own: LayerSpec | None, spec: LayerSpec) -> Tensor:
    """(height * taps,) 1 for the taps that a network's own layer has, of one that it lacks all."""
    found = torch.zeros(spec.kernel)
    if own is None:
        return found.flatten() + 1
    found[own.taps(spec.kernel)] = 1
    return found.flatten()


def _absent(gate: Gate) -> bool:
    return bool((gate.table.amax(-1) == 0).any())


class Differentiable(Strategy):
    """Draws candidates from architecture weights that were trained on batches of clips.

    batches: gives one. target: MACs that the loss compares with (default: the limit on them, else the largest's).
    beta: of the loss; more of it gives smaller networks, and where none is given it is raised while networks are above
    the target, and lowered while they are below, so that they end near it. steps: of gradients, all before the first
    candidates. Bits are not trained: candidates have the most that keep the limits.
    """

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        batch: int = BATCH,
        *,
        supernet: Supernet,
        batches: Batches,
        target: float | None = None,
        beta: float | None = None,
        steps: int = 150,
        learning_rate: float = 0.2,
        progress: bool = True,
    ) -> None:
        super().__init__(problem, rng, batch)
        self.gated, self.batches, self.beta, self.steps = GatedSupernet(supernet), batches, beta, steps
        self.learning_rate, self.progress = learning_rate, progress
        limits = [limit for name, limit in problem.limits.items() if name in ("max_ops", "max_macs")]
        self.target = target or min(limits, default=float(problem.costs(self.space.largest())["macs"][0]))
        self.logits: list[Tensor] | None = None

    def propose(self, count: int) -> np.ndarray:
        """The most probable network, and others drawn: the first as it was trained, later ones more evenly."""
        if self.logits is None:
            self._train()
        genes = np.repeat(self.space.largest(), count, 0)
        for gene, logits in enumerate(self.logits):
            parts = np.array_split(np.arange(count), len(TEMPERATURES))
            for part, temperature in zip(parts, TEMPERATURES, strict=True):
                shares = _float64((logits / temperature).softmax(0))
                genes[part, gene] = self.rng.choice(len(logits), len(part), p=shares)
            genes[0, gene] = int(logits.argmax())
        return self.space.canonical(genes)

    def _train(self) -> None:
        cards = self.space.space.cardinalities
        self.logits = [torch.zeros(count, requires_grad=True) for count in cards.tolist()]
        optimiser = torch.optim.Adam(self.logits, lr=self.learning_rate)
        generator = torch.Generator().manual_seed(int(self.rng.integers(2**62)))
        power = 0.0
        bar = tqdm(range(self.steps), desc="architecture weights", unit=" steps", disable=not self.progress)
        for _ in bar:
            x, targets = self.batches(self.rng)
            output, macs = self.gated(x, [_drawn(logits, generator) for logits in self.logits])
            loss = F.cross_entropy(output, targets if targets.ndim == 1 else targets.softmax(1))
            above = float(macs.detach().log() - np.log(self.target))
            power = max(0.0, power + BETA_STEP * above) if self.beta is None else self.beta
            loss = loss * (macs.log() / np.log(self.target)) ** power
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            bar.set_postfix(loss=f"{float(loss.detach()):.3f}", macs=f"{float(macs.detach()):.3g}", refresh=False)


def _drawn(logits: Tensor, generator: torch.Generator) -> Tensor:
    """(choices,) 1 for the choice that was drawn; the gradient is that of the softmax."""
    noise = -torch.empty_like(logits).exponential_(generator=generator).log()
    soft = (logits + noise).softmax(0)
    hard = F.one_hot(soft.argmax(), len(soft)).to(soft.dtype)
    return hard + soft - soft.detach()


def _float64(shares: Tensor) -> np.ndarray:
    values = shares.detach().double().numpy()
    return values / values.sum()
