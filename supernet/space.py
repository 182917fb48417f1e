"""Spaces: all networks that one supernet holds, as genes. No torch here.

A gene is one choice; a population is an integer matrix, a row of genes a network, so that search works on all
candidates at once. The family says which genes its shapes have, and how a row becomes a shape; the input features are
two genes of every space. Elastic dimensions after Once-for-All (Cai et al., ICLR 2020, arXiv 1908.09791).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np

from supernet.arch import (
    MAX_CLASSES,
    MAX_COEFFICIENTS,
    MAX_FRAMES,
    MAX_STEP_MS,
    Arch,
    FeatureSpec,
    NetworkShape,
    check_choices,
    check_int,
    plain,
)
from supernet.errors import InvalidArch
from supernet.families import family
from supernet.layer import parts
from supernet.whole import with_plain_numbers

__all__ = ["DIMENSIONS", "Gene", "ShapeChoices", "Slot", "Space", "default_space"]

DIMENSIONS = frozenset({"features", "kernel", "depth", "expansion", "width", "excitation"})
"""What can be elastic in the families that Earshot began with; others may name more."""
FEATURE_GENES = ("coefficients", "step_ms")
Keep = Callable[[str, tuple], tuple]
"""From the name of a dimension and its choices, those that are left."""


@dataclass(frozen=True)
class Gene:
    """One choice of a network. The last of its choices makes the largest network, or the first where `falls`.

    needs: the name of another gene and the least index there with which this one counts; without, it is 0.
    """

    name: str
    choices: tuple
    dimension: str
    needs: tuple[str, int] | None = None
    falls: bool = False


@dataclass(frozen=True)
class Slot:
    """The place of a part in the networks of a space, and the names of the genes that fix the part, features included.

    needs: as of a Gene, with which a network has the part.
    """

    genes: tuple[str, ...]
    needs: tuple[str, int] | None = None


class ShapeChoices(Protocol):
    """Which shapes the networks of a space may have: a frozen dataclass of the family."""

    @property
    def genes(self) -> tuple[Gene, ...]:
        """All choices, those that others need before these."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Of the parts of the largest network, in their order."""

    def decode(self, values: Sequence[Any]) -> NetworkShape:
        """The shape of one value a gene; values of genes that do not count are ignored."""

    def encode(self, shape: NetworkShape) -> list[Any]:
        """A value for each gene; of those that do not count, the first choice."""

    def shrink(self, keep: Keep) -> ShapeChoices:
        """Those with fewer choices."""

    def to_dict(self) -> dict:
        """Plain values for JSON, under names that a Space does not have itself."""

    @classmethod
    def from_dict(cls, values: dict) -> ShapeChoices:
        """The choices of `to_dict`. Raises KeyError, TypeError, AttributeError or InvalidArch for wrong values."""


@dataclass(frozen=True)
class Space:
    """All networks that one supernet holds. Choices are sorted, so the last is the largest.

    clip_ms: the clip's length in ms. shapes: of the family's own type. Genes are indexes into the choices, one row a
    network: coefficients, step, then those of the shapes; genes that do not count are 0, so equal networks have equal
    genes.
    """

    family: str
    classes: int
    clip_ms: int
    coefficients: tuple[int, ...]
    steps_ms: tuple[int, ...]
    shapes: ShapeChoices
    feature_kind: str = "mfcc"

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        check_int("classes", self.classes, 2, MAX_CLASSES)
        check_int("clip_ms", self.clip_ms, 1, MAX_FRAMES * MAX_STEP_MS)
        check_choices("coefficients", self.coefficients, MAX_COEFFICIENTS)
        check_choices("steps_ms", self.steps_ms, MAX_STEP_MS)
        _check_parts(self)

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """What there is to choose, a column each."""
        features = zip(FEATURE_GENES, (self.coefficients, self.steps_ms), (False, True), strict=True)
        return *(Gene(name, own, "features", falls=falls) for name, own, falls in features), *self.shapes.genes

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each gene chooses."""
        return tuple(gene.name for gene in self.genes)

    @cached_property
    def choices(self) -> list[tuple]:
        """The choices of each gene."""
        return [gene.choices for gene in self.genes]

    @cached_property
    def cardinalities(self) -> np.ndarray:
        """(genes,) number of choices of each gene."""
        return np.array([len(choices) for choices in self.choices])

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Of the parts of the largest network, in their order."""
        return self.shapes.slots

    def columns(self, names: Sequence[str]) -> list[int]:
        """The columns of genes."""
        return [self._column[name] for name in names]

    @cached_property
    def _column(self) -> dict[str, int]:
        return {name: column for column, name in enumerate(self.names)}

    @cached_property
    def _falling(self) -> np.ndarray:
        return np.array([gene.falls for gene in self.genes])

    @cached_property
    def _needing(self) -> dict[tuple[int, int], list[int]]:
        """The genes that need another one, by its column and the least index there."""
        found: dict[tuple[int, int], list[int]] = {}
        for column, gene in enumerate(self.genes):
            if gene.needs and gene.needs[1] > 0:
                found.setdefault((self._column[gene.needs[0]], gene.needs[1]), []).append(column)
        return found

    @cached_property
    def size(self) -> int:
        """How many different networks the space holds."""
        needing = {column for columns in self._needing.values() for column in columns}
        return prod(self._kinds(column) for column in range(len(self.genes)) if column not in needing)

    def _kinds(self, column: int) -> int:
        """How many networks differ in a gene, and in those that need it."""
        needing = [
            (least, prod(map(self._kinds, columns))) for (own, least), columns in self._needing.items() if own == column
        ]
        choices = range(len(self.genes[column].choices))
        return sum(prod(kinds for least, kinds in needing if choice >= least) for choice in choices)

    def smallest(self) -> Arch:
        """The cheapest network: every choice at its least, the frame step at its longest."""
        return self.from_genes(self._extreme(largest=False)[None])[0]

    def largest(self) -> Arch:
        """The network that holds all weights: every choice at its most, the frame step at its shortest."""
        return self.from_genes(self._extreme(largest=True)[None])[0]

    def _extreme(self, largest: bool) -> np.ndarray:
        genes = np.where(self._falling != largest, self.cardinalities - 1, 0)
        return self.canonical(genes[None])[0]

    def sample(self, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, genes) networks, each gene uniform over its choices."""
        return self.canonical(rng.integers(0, self.cardinalities, (count, len(self.cardinalities))))

    def sample_sizes(self, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """(count, genes) networks of all sizes: each gene by itself is uniform over its choices, but the genes of one
        network lean the same way, by a size drawn for it.

        Independent genes give middling networks, hardly ever one near the smallest or the largest.
        """
        most = self.cardinalities - 1
        genes = rng.binomial(most, rng.random((count, 1)), (count, len(most)))
        return self.canonical(np.where(self._falling, most - genes, genes))

    def mutate(self, genes: np.ndarray, rng: np.random.Generator, probability: float = 0.1) -> np.ndarray:
        """(count, genes) each gene drawn anew with `probability`."""
        fresh = rng.integers(0, self.cardinalities, genes.shape)
        return self.canonical(np.where(rng.random(genes.shape) < probability, fresh, genes))

    def crossover(self, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(count, genes) each gene from one of the two parents, by a fair coin."""
        return self.canonical(np.where(rng.random(first.shape) < 0.5, first, second))

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        """(count, genes) with the genes that do not count set to 0."""
        genes = genes.copy()
        for (column, least), needing in self._needing.items():
            genes[:, needing] *= (genes[:, column] >= least)[:, None]
        return genes

    def from_genes(self, genes: np.ndarray) -> list[Arch]:
        """The networks of (count, genes)."""
        return [self._decode(row) for row in np.asarray(genes).tolist()]

    def _decode(self, row: list[int]) -> Arch:
        coefficients, step_ms, *values = [choices[gene] for choices, gene in zip(self.choices, row, strict=True)]
        features = FeatureSpec(self.feature_kind, coefficients, step_ms)
        return Arch(self.family, features, self.clip_ms // step_ms, self.classes, self.shapes.decode(values))

    def to_genes(self, archs: Sequence[Arch]) -> np.ndarray:
        """(count, genes) of networks. Raises InvalidArch for one that is not in the space."""
        genes = np.array([self._encode(arch) for arch in archs], int).reshape(len(archs), len(self.cardinalities))
        for arch, decoded in zip(archs, self.from_genes(genes), strict=True):
            if arch.without_bits() != decoded:
                raise InvalidArch(f"the network {arch.digest[:12]} is not in this space of family {self.family}")
        return genes

    def _encode(self, arch: Arch) -> list[int]:
        try:
            values = [arch.features.coefficients, arch.features.step_ms, *self.shapes.encode(arch.shape)]
            return [choices.index(value) for choices, value in zip(self.choices, values, strict=True)]
        except (ValueError, AttributeError) as error:
            raise InvalidArch(f"the network is not in this space of family {self.family}: {error}") from None

    def __contains__(self, arch: Arch) -> bool:
        try:
            self.to_genes([arch])
        except InvalidArch:
            return False
        return True

    def with_classes(self, classes: int) -> Space:
        """The same trunks with heads for another number of classes."""
        return dataclasses.replace(self, classes=classes)

    def shrink(self, elastic: frozenset[str] | set[str]) -> Space:
        """The space in which only the named dimensions vary and all others are at their largest.

        elastic: any of DIMENSIONS, or of the family's own. Progressive shrinking widens this set.
        """
        known = DIMENSIONS | {gene.dimension for gene in self.genes}
        unknown = set(elastic) - known
        if unknown:
            raise InvalidArch(f"unknown dimensions {sorted(unknown)}: choose from {sorted(known)}")

        def keep(name: str, choices: tuple) -> tuple:
            return choices if name in elastic else choices[-1:]

        return dataclasses.replace(
            self,
            coefficients=keep("features", self.coefficients),
            steps_ms=keep("features", self.steps_ms[::-1])[::-1],
            shapes=self.shapes.shrink(keep),
        )

    def to_dict(self) -> dict:
        """Plain values for JSON, those of the shapes among them."""
        own = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "shapes"}
        return {**plain(own), **self.shapes.to_dict()}

    @classmethod
    def from_dict(cls, values: dict) -> Space:
        """The Space of `to_dict`. Raises InvalidArch, or UnknownName for a family that nobody registered."""
        try:
            names = {item.name for item in dataclasses.fields(cls)} - {"shapes"}
            shapes = family(values["family"]).choices.from_dict({k: v for k, v in values.items() if k not in names})
            return cls(**tuples({k: v for k, v in values.items() if k in names}), shapes=shapes)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidArch(f"not a space: {error}; write one with Space.to_dict") from None


def _check_parts(space: Space) -> None:
    """Raise InvalidArch where a choice makes no network with the features: each is built once at each step."""
    most, step = int(space.cardinalities.max()), space.columns(FEATURE_GENES[1:])[0]
    genes = np.minimum(np.arange(most)[:, None], space.cardinalities - 1).repeat(len(space.steps_ms), 0)
    genes[:, step] = np.tile(np.arange(len(space.steps_ms)), most)
    for arch in Space.from_genes(space, space.canonical(genes)):
        parts(arch)


def tuples(values: dict) -> dict:
    """The values with tuples for lists, as frozen dataclasses hold them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def default_space(name: str, classes: int, clip_ms: int = 1000, features: str | None = None) -> Space:
    """The default space of a family on a kind of features (default: its first), for so many classes and clips of so
    many ms. Raises InvalidArch for features that the family does not read.
    """
    own = family(name)
    if features is not None and features not in own.features:
        raise InvalidArch(f"family {name} has no default space on {features!r:.80}: give {' or '.join(own.features)}")
    return own.space(classes, clip_ms, features or own.features[0])
