"""What is searched: the networks of a supernet's space, and their bits. No torch here.

Genes of bits stand behind those of the network, indexes into the widths at hand: one gene for all inner layers, or one
for each. First, last and depthwise layers keep 8 bits or more, as in `supernet.bits.with_bits`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from supernet.arch import Arch
from supernet.bits import FLOAT_BITS
from supernet.errors import InvalidArch
from supernet.layer import layers
from supernet.population import PopulationCosts
from supernet.space import Space
from supernet.whole import is_whole, with_plain_numbers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EDGE_BITS", "SearchSpace"]

EDGE_BITS = 8


class SearchSpace:
    """The networks of `space` at weight bits of `weight_bits`, the same in all inner layers or, `per_layer`, of each.

    activation_bits: likewise, of what is between layers. Without weight_bits the networks are in floating point.
    Raises InvalidArch for bits that no network can have.
    """

    def __init__(
        self,
        space: Space,
        weight_bits: Iterable[int] = (),
        activation_bits: Iterable[int] = (8,),
        per_layer: bool = False,
    ) -> None:
        self.space, self.per_layer = space, per_layer
        self.weight_bits = with_plain_numbers(tuple(sorted(set(weight_bits))))
        self.activation_bits = with_plain_numbers(tuple(sorted(set(activation_bits)))) if self.weight_bits else ()
        for name, choices, low in (("weight_bits", self.weight_bits, 1), ("activation_bits", self.activation_bits, 2)):
            if not all(is_whole(bits, low, 8) for bits in choices):
                raise InvalidArch(f"{name} = {choices} is not possible: give whole numbers from {low} to 8")
        self.costs_of = PopulationCosts(space)
        self._inner = np.flatnonzero(self.costs_of.inner)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each gene chooses."""
        if not self.weight_bits:
            return self.space.names
        inner = [self.costs_of.names[layer] for layer in self._inner] if self.per_layer else ["weight"]
        return (*self.space.names, *(f"{name}_bits" for name in (*inner, "activation")))

    @cached_property
    def choices(self) -> list[tuple[int, ...]]:
        """The choices of each gene."""
        count = len(self.names) - len(self.space.names)
        bits = [self.weight_bits] * (count - 1) + [self.activation_bits] if count else []
        return [*self.space.choices, *bits]

    @cached_property
    def cardinalities(self) -> np.ndarray:
        """(genes,) number of choices of each gene."""
        return np.array([len(choices) for choices in self.choices])

    @property
    def genes_of_network(self) -> int:
        """How many genes are of the network alone."""
        return len(self.space.cardinalities)

    def smallest(self) -> np.ndarray:
        """(1, genes) the cheapest network at the fewest bits."""
        return self._extreme(self.space.smallest(), last=False)

    def largest(self) -> np.ndarray:
        """(1, genes) the network that holds all weights, at the most bits."""
        return self._extreme(self.space.largest(), last=True)

    def _extreme(self, arch: Arch, last: bool) -> np.ndarray:
        bits = (self.cardinalities[self.genes_of_network :] - 1) * last
        return self.canonical(np.concatenate([self.space.to_genes([arch])[0], bits])[None])

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, genes) each gene uniform over its choices."""
        return self.canonical(rng.integers(0, self.cardinalities, (count, len(self.cardinalities))))

    def sample_sizes(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, genes) networks of all sizes (see `Space.sample_sizes`); the bits of one lean the same way, too."""
        most = self.cardinalities[self.genes_of_network :] - 1
        bits = rng.binomial(most, rng.random((count, 1)), (count, len(most)))
        return self.canonical(np.hstack([self.space.sample_sizes(rng, count), bits]))

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        """(count, genes) with genes of blocks and layers that a network lacks at 0, so equal networks are equal."""
        network = self.space.canonical(genes[:, : self.genes_of_network])
        bits = genes[:, self.genes_of_network :].copy()
        if self.per_layer and self.weight_bits:
            bits[:, :-1][~self.costs_of.present(network)[:, self._inner]] = 0
        return np.hstack([network, bits])

    def mutate(self, genes: np.ndarray, rng: np.random.Generator, probability: float | np.ndarray) -> np.ndarray:
        """(count, genes) each gene drawn anew with `probability`, one or (count, 1)."""
        fresh = rng.integers(0, self.cardinalities, genes.shape)
        return self.canonical(np.where(rng.random(genes.shape) < probability, fresh, genes))

    def crossover(self, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(count, genes) each gene from one of two parents, by a fair coin."""
        return self.canonical(np.where(rng.random(first.shape) < 0.5, first, second))

    def layer_bits(self, genes: np.ndarray) -> np.ndarray | None:
        """(count, layers) weight bits of the layers `costs_of.names`; None where networks are in floating point."""
        if not self.weight_bits:
            return None
        found = np.full((len(genes), len(self.costs_of.names)), EDGE_BITS)
        chosen = np.asarray(self.weight_bits)[genes[:, self.genes_of_network : -1]]
        found[:, self._inner] = chosen if self.per_layer else chosen[:, :1]
        return found

    def least_bits(self, genes: np.ndarray) -> np.ndarray:
        """(count,) the fewest bits of any layer's weights; 32 in floating point."""
        bits = self.layer_bits(genes)
        if bits is None:
            return np.full(len(genes), FLOAT_BITS)
        return np.where(self.costs_of.present(genes[:, : self.genes_of_network]), bits, FLOAT_BITS).min(1)

    def table(self, genes: np.ndarray) -> pd.DataFrame:
        """A column for each gene, with what it chooses."""
        import pandas as pd

        chosen = [np.asarray(choices)[column] for choices, column in zip(self.choices, genes.T, strict=True)]
        return pd.DataFrame(dict(zip(self.names, chosen, strict=True)))

    def from_table(self, table: pd.DataFrame) -> np.ndarray:
        """(count, genes) of `table`. Raises ValueError for what is not a choice, KeyError for a missing column."""
        columns = []
        for name, choices in zip(self.names, self.choices, strict=True):
            values = table[name].to_numpy()
            if not np.isin(values, choices).all():
                raise ValueError(f"column {name} has values that are not of {choices}")
            columns.append(np.searchsorted(choices, values))
        return self.canonical(np.column_stack(columns))

    def costs(self, genes: np.ndarray) -> dict[str, np.ndarray]:
        """(count,) of each of `supernet.cost.COLUMNS`."""
        return self.costs_of(genes[:, : self.genes_of_network], self.layer_bits(genes))

    def from_genes(self, genes: np.ndarray) -> list[Arch]:
        """The networks of (count, genes), with their bits."""
        archs = self.space.from_genes(genes[:, : self.genes_of_network])
        if not self.weight_bits:
            return archs
        bits, names = self.layer_bits(genes), self.costs_of.names
        between = np.asarray(self.activation_bits)[genes[:, -1]].tolist()
        return [
            _with_layer_bits(arch, dict(zip(names, row.tolist(), strict=True)), own)
            for arch, row, own in zip(archs, bits, between, strict=True)
        ]

    def to_genes(self, archs: Sequence[Arch]) -> np.ndarray:
        """(count, genes) of networks. Raises InvalidArch for one whose shape or bits are not in the space."""
        network = self.space.to_genes(archs)
        if not self.weight_bits:
            return network
        return np.hstack([network, np.array([self._bit_genes(arch) for arch in archs]).reshape(len(archs), -1)])

    def _bit_genes(self, arch: Arch) -> list[int]:
        bits = {spec.name: spec.weight_bits for spec in layers(arch) if spec.has_weights}
        inner = [bits.get(self.costs_of.names[layer], self.weight_bits[0]) for layer in self._inner]
        inner = inner if self.per_layer else [bits[self.costs_of.names[layer]] for layer in self._inner
                                              if self.costs_of.names[layer] in bits][:1]  # fmt: skip
        try:
            found = [self.weight_bits.index(own) for own in inner]
            found.append(self.activation_bits.index(arch.activation_bits[1]))
        except (ValueError, IndexError):
            raise InvalidArch(f"the network's bits are not of {self.weight_bits} and {self.activation_bits}") from None
        return found


def _with_layer_bits(arch: Arch, weight_bits: dict[str, int], between: int) -> Arch:
    specs = layers(arch)
    weights = tuple(weight_bits[spec.name] for spec in specs if spec.has_weights)
    return dataclasses.replace(arch, weight_bits=weights, activation_bits=(8, *(between for _ in specs[1:-1]), 16))
