"""Architectures and the spaces that they are drawn from. No torch here.

An `Arch` is everything that fixes a network's computation: family, front end, widths, blocks, classes and bits.
`layers(arch)` of its family turns it into a list of `LayerSpec`, the one source for building, costing, packing and
evaluating. A `Space` declares the choices, and codes whole populations as integer matrices ("genes") so that
search works on all candidates at once. The elastic dimensions are those of Once-for-All (Cai et al., ICLR 2020,
arXiv 1908.09791) plus the input features.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, prod
from reprlib import repr as short_repr
from typing import Any

import numpy as np

from supernet.errors import InvalidArch

__all__ = [
    "DIMENSIONS",
    "Arch",
    "Block",
    "FeatureSpec",
    "LayerSpec",
    "Part",
    "Slot",
    "Space",
    "Stage",
    "StageChoices",
    "canonical_json",
    "digest",
]

WIDTH_MULTIPLE = 8
MAX_WIDTH, MAX_FRAMES, MAX_CLASSES, MAX_COEFFICIENTS, MAX_STEP_MS = 1024, 10_000, 10_000, 128, 1000
MAX_BLOCKS, MAX_DEPTH, MAX_KERNEL, MAX_EXPANSION = 64, 128, 31, 8
"""Stages, and blocks of one; blocks of all stages; taps; times the width. Far more than any device of the zoo takes, so
that an architecture from elsewhere is refused before anything is built from it."""


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, no NaN. Same value in, same bytes out."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of bytes, or of the canonical JSON of anything else."""
    data = value if isinstance(value, bytes) else canonical_json(value).encode()
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class FeatureSpec:
    """Which features a network reads: of the front end `kind`, one frame each `step_ms`.

    coefficients: the first so many of `mfcc`, or so many of all `logmel`, each second one, for example.
    """

    kind: str = "mfcc"
    coefficients: int = 40
    step_ms: int = 10


@dataclass(frozen=True)
class Block:
    """One inverted bottleneck: depthwise kernel in taps, expansion of the width (1 leaves the expansion out)."""

    kernel: int
    expansion: int


@dataclass(frozen=True)
class Stage:
    """Blocks of one width in channels; the first block has the stride.

    excitation: whether each block weighs its channels by what is in the whole clip (squeeze-and-excitation).
    """

    width: int
    blocks: tuple[Block, ...]
    stride: int = 1
    excitation: bool = False


@dataclass(frozen=True)
class Arch:
    """A network, complete: equal values are the same network and have the same digest everywhere.

    frames: input frames of one clip at the features' own step. stem, head: widths in channels.
    weight_bits: one entry for each layer with weights, in the order of `layers(arch)`; empty for a float network.
    activation_bits: one entry for each layer of `layers(arch)`, input first; empty for a float network.
    Raises InvalidArch where a value is outside what any family can build.
    """

    family: str
    features: FeatureSpec
    frames: int
    classes: int
    stem: int
    stages: tuple[Stage, ...]
    head: int
    weight_bits: tuple[int, ...] = ()
    activation_bits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check(isinstance(self.family, str) and self.family.isidentifier(), "family", self.family, "a plain name")
        _check_int("features.coefficients", self.features.coefficients, 1, MAX_COEFFICIENTS)
        _check_int("features.step_ms", self.features.step_ms, 1, MAX_STEP_MS)
        _check_int("frames", self.frames, 1, MAX_FRAMES)
        _check_int("classes", self.classes, 2, MAX_CLASSES)
        for name, width in (("stem", self.stem), ("head", self.head)):
            _check_width(name, width)
        _check(0 < len(self.stages) <= MAX_BLOCKS, "stages", len(self.stages), f"1 to {MAX_BLOCKS} stages")
        for number, stage in enumerate(self.stages, 1):
            _check_stage(f"stage{number}", stage)
        _check_depth(sum(len(stage.blocks) for stage in self.stages))
        for name, low in (("weight_bits", 1), ("activation_bits", 2)):
            for bits in getattr(self, name):
                _check_int(name, bits, low, 16)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hex digits."""
        return digest(self.to_dict())

    def to_dict(self) -> dict:
        """Plain values for JSON; `Arch.from_dict` gives the equal Arch back. A lack of excitation is not stated."""
        values = _plain(dataclasses.asdict(self))
        for stage in values["stages"]:
            if not stage["excitation"]:
                del stage["excitation"]
        return values

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical_json(self.to_dict())

    @classmethod
    def from_dict(cls, values: dict) -> Arch:
        """The Arch of `to_dict`. Raises InvalidArch for unknown, missing or wrong fields."""
        try:
            stages = tuple(
                Stage(**{**stage, "blocks": tuple(Block(**block) for block in stage["blocks"])})
                for stage in values["stages"]
            )
            bits = {name: tuple(values.get(name, ())) for name in ("weight_bits", "activation_bits")}
            return cls(**{**values, "features": FeatureSpec(**values["features"]), "stages": stages, **bits})
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidArch(f"not an architecture: {error}; write one with Arch.to_json") from None

    @classmethod
    def from_json(cls, text: str) -> Arch:
        """The Arch of `to_json`. Raises InvalidArch."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InvalidArch(f"not an architecture: {error}; write one with Arch.to_json") from None
        return cls.from_dict(values)

    def without_bits(self) -> Arch:
        """The float network that this one quantises: the key of float weights."""
        return dataclasses.replace(self, weight_bits=(), activation_bits=())

    def with_classes(self, classes: int) -> Arch:
        """The same trunk with a head for another number of classes."""
        return dataclasses.replace(self, classes=classes)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _check(valid: bool, name: str, value: Any, wanted: str) -> None:
    if not valid:
        raise InvalidArch(f"{name} = {short_repr(value)} is not possible: give {wanted}")


def _check_int(name: str, value: Any, low: int, high: int) -> None:
    valid = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _check(valid, name, value, f"a whole number from {low} to {high}")


def _check_choices(name: str, choices: Sequence[int], most: int) -> None:
    whole = all(type(choice) is int and 0 < choice <= most for choice in choices)
    valid = choices and whole and list(choices) == sorted(set(choices))
    _check(valid, name, choices, f"whole numbers from 1 to {most}, sorted, without repeats and not empty")


def _check_width(name: str, width: Any) -> None:
    _check_int(name, width, WIDTH_MULTIPLE, MAX_WIDTH)
    _check(width % WIDTH_MULTIPLE == 0, name, width, f"a multiple of {WIDTH_MULTIPLE}")


def _check_stage(name: str, stage: Stage) -> None:
    _check_width(f"{name}.width", stage.width)
    _check_int(f"{name}.stride", stage.stride, 1, 4)
    _check(isinstance(stage.excitation, bool), f"{name}.excitation", stage.excitation, "true or false")
    _check(0 < len(stage.blocks) <= MAX_BLOCKS, f"{name}.blocks", len(stage.blocks), f"1 to {MAX_BLOCKS} blocks")
    for number, block in enumerate(stage.blocks, 1):
        _check_int(f"{name}.block{number}.kernel", block.kernel, 1, MAX_KERNEL)
        _check_int(f"{name}.block{number}.expansion", block.expansion, 1, MAX_EXPANSION)


def _check_depth(blocks: int) -> None:
    _check(blocks <= MAX_DEPTH, "blocks of all stages", blocks, f"at most {MAX_DEPTH}")


Shape = tuple[int, int, int]
"""Channels, height, width; the last is time."""
ACTIVATIONS = {"none": (-inf, inf), "relu": (0.0, inf), "relu6": (0.0, 6.0), "hard_sigmoid": (0.0, 1.0)}
"""Least and largest value behind each. The hard sigmoid is x / 6 + 1 / 2 within its limits (Howard et al., ICCV 2019,
arXiv 1905.02244)."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a network; shapes are (channels, height, width), and the last axis is time.

    kind: `input`, `conv` (with batch norm), `add` (residual sum), `pool` (average over height and width), `scale` (the
    first input times the second, one factor a channel) or `linear`. inputs: names of the layers that it reads. pad:
    zeros at (top, bottom, left, right). causal: no output sees what comes later. tap_steps: how far apart the taps of
    the supernet's kernel are that it takes, over height and width; over time the last ones where it is causal, else
    those in the middle. activation: one of ACTIVATIONS. stride: of an input, how many coefficients and frames of the
    front end there are to each of its own.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    tap_steps: tuple[int, int] = (1, 1)
    causal: bool = True
    activation: str = "none"
    weight_bits: int | None = None
    activation_bits: int | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest value behind the activation."""
        return ACTIVATIONS[self.activation]

    @property
    def rectified(self) -> bool:
        """True where no value is below zero."""
        return self.activation != "none"

    @cached_property
    def has_weights(self) -> bool:
        """True for convolutions and linear layers."""
        return self.kind in ("conv", "linear")

    @cached_property
    def depthwise(self) -> bool:
        """True where each channel has its own kernel."""
        return self.groups > 1 and self.groups == self.in_shape[0] == self.out_shape[0]

    @cached_property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (out, in / groups, height, width), or (out, in) of a linear layer."""
        if self.kind == "linear":
            return (self.out_shape[0], self.in_shape[0])
        return (self.out_shape[0], self.in_shape[0] // self.groups, *self.kernel)

    def taps(self, sizes: tuple[int, int]) -> tuple[slice, slice]:
        """Which taps it takes of a kernel of these sizes over height and width."""
        found = []
        for axis, (size, taps, step) in enumerate(zip(sizes, self.kernel, self.tap_steps, strict=True)):
            step = step if taps > 1 else 1
            spare = size - 1 - step * (taps - 1)
            first = spare if axis == 1 and self.causal else spare // 2
            found.append(slice(first, first + step * (taps - 1) + 1, step))
        return found[0], found[1]

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one clip; sums, averages and scalings have none."""
        return prod(self.weight_shape) * prod(self.out_shape[1:]) if self.has_weights else 0

    @cached_property
    def params(self) -> int:
        """Weights, and two values a channel of a norm or one bias an output of a linear layer."""
        if not self.has_weights:
            return 0
        return prod(self.weight_shape) + self.out_shape[0] * (2 if self.kind == "conv" else 1)


class Part(tuple[LayerSpec, ...]):
    """Layers in a row that share one tensor with those before, its last, which only the first and sums read.

    Networks of a population share most of their parts, so a family gives the same object for the same part, and what is
    computed from one is kept with it.
    """

    def kept(self, function: Callable, *arguments: Any) -> Any:
        """function(part, *arguments), computed once."""
        key = function, arguments
        if key not in self._kept:
            self._kept[key] = function(self, *arguments)
        return self._kept[key]

    @cached_property
    def _kept(self) -> dict[tuple, Any]:
        return {}


@dataclass(frozen=True)
class StageChoices:
    """The choices of one stage: widths, depths in blocks, kernels and expansions of every block, and whether blocks
    have excitation.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    stride: int = 1
    excitations: tuple[bool, ...] = (False,)


@dataclass(frozen=True)
class _Columns:
    """Where the genes of a stage are. excitation: None where there is no choice. blocks: of each block's kernel, which
    its expansion follows.
    """

    width: int
    depth: int
    excitation: int | None
    blocks: range

    @property
    def end(self) -> int:
        """The column behind the stage."""
        return self.blocks.stop


@dataclass(frozen=True)
class Slot:
    """The place of a part in the networks of a space, and the genes that fix the part.

    genes: their columns. depth: the column of the depth of a block's stage, and least_depth: the gene there from which
    on a network has the block.
    """

    genes: tuple[int, ...]
    depth: int | None = None
    least_depth: int = 0


@dataclass(frozen=True)
class Space:
    """All networks that one supernet holds. Choices are sorted, so the last is the largest.

    clip_ms: the clip's length in ms. Genes are indexes into the choices, one row a network: coefficients, step,
    stem, head, then for each stage width, depth, excitation where there is a choice, and (kernel, expansion) of each
    block; genes of blocks beyond the depth are 0, so equal networks have equal genes.
    """

    family: str
    classes: int
    clip_ms: int
    coefficients: tuple[int, ...]
    steps_ms: tuple[int, ...]
    stems: tuple[int, ...]
    stages: tuple[StageChoices, ...]
    heads: tuple[int, ...]
    feature_kind: str = "mfcc"

    def __post_init__(self) -> None:
        _check_int("classes", self.classes, 2, MAX_CLASSES)
        _check_int("clip_ms", self.clip_ms, 1, MAX_FRAMES * MAX_STEP_MS)
        _check_choices("coefficients", self.coefficients, MAX_COEFFICIENTS)
        _check_choices("steps_ms", self.steps_ms, MAX_STEP_MS)
        _check_choices("stems", self.stems, MAX_WIDTH)
        _check_choices("heads", self.heads, MAX_WIDTH)
        _check(0 < len(self.stages) <= MAX_BLOCKS, "stages", len(self.stages), f"1 to {MAX_BLOCKS} stages")
        for number, stage in enumerate(self.stages, 1):
            _check_choices(f"stage{number}.widths", stage.widths, MAX_WIDTH)
            _check_choices(f"stage{number}.depths", stage.depths, MAX_BLOCKS)
            _check_choices(f"stage{number}.kernels", stage.kernels, MAX_KERNEL)
            _check_choices(f"stage{number}.expansions", stage.expansions, MAX_EXPANSION)
            valid = stage.excitations in ((False,), (True,), (False, True))
            _check(valid, f"stage{number}.excitations", stage.excitations, "false, true, or both in this order")
        _check_depth(sum(stage.depths[-1] for stage in self.stages))

    @cached_property
    def choices(self) -> list[tuple[int, ...]]:
        """The choices of each gene."""
        columns = [self.coefficients, self.steps_ms, self.stems, self.heads]
        for stage, place in zip(self.stages, self._columns, strict=True):
            columns += [stage.widths, stage.depths] + [stage.excitations] * (place.excitation is not None)
            columns += [stage.kernels, stage.expansions] * stage.depths[-1]
        return columns

    @cached_property
    def _columns(self) -> tuple[_Columns, ...]:
        """Where the genes of each stage are."""
        found, column = [], 4
        for stage in self.stages:
            chosen = len(stage.excitations) > 1
            first = column + 2 + chosen
            blocks = range(first, first + 2 * stage.depths[-1], 2)
            found.append(_Columns(column, column + 1, column + 2 if chosen else None, blocks))
            column = found[-1].end
        return tuple(found)

    @cached_property
    def cardinalities(self) -> np.ndarray:
        """(genes,) number of choices of each gene."""
        return np.array([len(choices) for choices in self.choices])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each gene chooses."""
        names = ["coefficients", "step_ms", "stem", "head"]
        for number, place in enumerate(self._columns, 1):
            names += [f"stage{number}_width", f"stage{number}_depth"]
            names += [f"stage{number}_excitation"] * (place.excitation is not None)
            for block in range(1, len(place.blocks) + 1):
                names += [f"stage{number}_block{block}_kernel", f"stage{number}_block{block}_expansion"]
        return tuple(names)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Of the parts of the largest network, in their order: the one before all blocks, one a block, one behind."""
        features, before = (0, 1), 2
        slots = [Slot((*features, before))]
        for stage, place in zip(self.stages, self._columns, strict=True):
            excitation = () if place.excitation is None else (place.excitation,)
            for block, column in enumerate(place.blocks):
                deep = sum(depth <= block for depth in stage.depths)
                genes = (*features, before, place.width, *excitation, column, column + 1)
                slots.append(Slot(genes, place.depth, deep))
                before = place.width
        return (*slots, Slot((*features, before, 3)))

    @cached_property
    def size(self) -> int:
        """How many different networks the space holds."""
        count = len(self.coefficients) * len(self.steps_ms) * len(self.stems) * len(self.heads)
        for stage in self.stages:
            kinds = len(stage.kernels) * len(stage.expansions)
            count *= len(stage.widths) * len(stage.excitations) * sum(kinds**depth for depth in stage.depths)
        return count

    def smallest(self) -> Arch:
        """The cheapest network: every choice at its least, the frame step at its longest."""
        return self.from_genes(self._extreme(largest=False)[None])[0]

    def largest(self) -> Arch:
        """The network that holds all weights: every choice at its most, the frame step at its shortest."""
        return self.from_genes(self._extreme(largest=True)[None])[0]

    def _extreme(self, largest: bool) -> np.ndarray:
        genes = self.cardinalities - 1 if largest else np.zeros_like(self.cardinalities)
        genes[1] = 0 if largest else len(self.steps_ms) - 1
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
        genes[:, 1] = most[1] - genes[:, 1]
        return self.canonical(genes)

    def mutate(self, genes: np.ndarray, rng: np.random.Generator, probability: float = 0.1) -> np.ndarray:
        """(count, genes) each gene drawn anew with `probability`."""
        fresh = rng.integers(0, self.cardinalities, genes.shape)
        return self.canonical(np.where(rng.random(genes.shape) < probability, fresh, genes))

    def crossover(self, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(count, genes) each gene from one of the two parents, by a fair coin."""
        return self.canonical(np.where(rng.random(first.shape) < 0.5, first, second))

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        """(count, genes) with the genes of blocks beyond the depth set to 0."""
        genes = genes.copy()
        for stage, place in zip(self.stages, self._columns, strict=True):
            depth = np.asarray(stage.depths)[genes[:, place.depth]]
            blocks = genes[:, place.blocks.start : place.end]
            blocks[np.arange(blocks.shape[1])[None] // 2 >= depth[:, None]] = 0
        return genes

    def from_genes(self, genes: np.ndarray) -> list[Arch]:
        """The networks of (count, genes)."""
        return [self._decode([int(gene) for gene in row]) for row in np.asarray(genes)]

    def _decode(self, row: list[int]) -> Arch:
        values = [choices[gene] for choices, gene in zip(self.choices, row, strict=True)]
        coefficients, step_ms, stem, head = values[:4]
        stages = []
        for choices, place in zip(self.stages, self._columns, strict=True):
            columns = place.blocks[: values[place.depth]]
            blocks = tuple(Block(values[column], values[column + 1]) for column in columns)
            excitation = choices.excitations[0] if place.excitation is None else values[place.excitation]
            stages.append(Stage(values[place.width], blocks, choices.stride, excitation))
        features = FeatureSpec(self.feature_kind, coefficients, step_ms)
        return Arch(self.family, features, self.clip_ms // step_ms, self.classes, stem, tuple(stages), head)

    def to_genes(self, archs: Sequence[Arch]) -> np.ndarray:
        """(count, genes) of networks. Raises InvalidArch for one that is not in the space."""
        genes = np.array([self._encode(arch) for arch in archs], int).reshape(len(archs), len(self.cardinalities))
        for arch, decoded in zip(archs, self.from_genes(genes), strict=True):
            if arch.without_bits() != decoded:
                raise InvalidArch(f"the network {arch.digest[:12]} is not in this space of family {self.family}")
        return genes

    def _encode(self, arch: Arch) -> list[int]:
        values = [arch.features.coefficients, arch.features.step_ms, arch.stem, arch.head]
        for stage, choices in zip(arch.stages, self.stages, strict=False):
            pairs = [value for block in stage.blocks for value in (block.kernel, block.expansion)]
            missing = choices.depths[-1] - len(stage.blocks)
            values += [stage.width, len(stage.blocks)] + [stage.excitation] * (len(choices.excitations) > 1) + pairs
            values += [choices.kernels[0], choices.expansions[0]] * missing
        try:
            return [choices.index(value) for choices, value in zip(self.choices, values, strict=True)]
        except ValueError as error:
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

        elastic: any of features, kernel, depth, expansion, width, excitation. Progressive shrinking widens this set.
        """
        unknown = set(elastic) - DIMENSIONS
        if unknown:
            raise InvalidArch(f"unknown dimensions {sorted(unknown)}: choose from {sorted(DIMENSIONS)}")

        def keep(name: str, choices: tuple) -> tuple:
            return choices if name in elastic else choices[-1:]

        stages = tuple(
            StageChoices(
                keep("width", stage.widths),
                keep("depth", stage.depths),
                keep("kernel", stage.kernels),
                keep("expansion", stage.expansions),
                stage.stride,
                keep("excitation", stage.excitations),
            )
            for stage in self.stages
        )
        return dataclasses.replace(
            self,
            coefficients=keep("features", self.coefficients),
            steps_ms=self.steps_ms if "features" in elastic else self.steps_ms[:1],
            stems=keep("width", self.stems),
            heads=keep("width", self.heads),
            stages=stages,
        )

    def to_dict(self) -> dict:
        """Plain values for JSON. Stages whose blocks have no excitation do not say so."""
        values = _plain(dataclasses.asdict(self))
        for stage in values["stages"]:
            if not any(stage["excitations"]):
                del stage["excitations"]
        return values

    @classmethod
    def from_dict(cls, values: dict) -> Space:
        """The Space of `to_dict`. Raises InvalidArch."""
        try:
            stages = tuple(StageChoices(**_tuples(stage)) for stage in values["stages"])
            return cls(**{**_tuples(values), "stages": stages})
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidArch(f"not a space: {error}; write one with Space.to_dict") from None


DIMENSIONS = frozenset({"features", "kernel", "depth", "expansion", "width", "excitation"})
"""What can be elastic."""


def _tuples(values: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
