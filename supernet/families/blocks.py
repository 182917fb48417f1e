"""What families of stages of inverted bottlenecks share: their shape, its choices as genes, and its limits.

A network has a stem, stages of blocks of one width each, and a head. The elastic dimensions are those of Once-for-All
(Cai et al., ICLR 2020, arXiv 1908.09791), and whether blocks have squeeze-and-excitation. No torch here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from supernet.arch import check, check_choices, check_int, plain
from supernet.errors import InvalidArch
from supernet.families.base import KEPT_PARTS, ending
from supernet.layer import LayerSpec, Part, Shape
from supernet.schemas import listing, record, whole
from supernet.space import Gene, Keep, Slot, tuples
from supernet.whole import with_plain_numbers

__all__ = [
    "SCHEMA",
    "WIDTH_MULTIPLE",
    "Block",
    "BlockChoices",
    "Blocks",
    "Stage",
    "StageChoices",
    "bottleneck",
    "causal_block",
    "causal_conv",
    "causal_exit",
]

WIDTH_MULTIPLE, MAX_WIDTH = 8, 1024
MAX_STAGES, MAX_BLOCKS, MAX_DEPTH, MAX_KERNEL, MAX_EXPANSION, MAX_STRIDE = 64, 64, 128, 31, 8, 4
"""Stages, and blocks of one; blocks of all stages; taps; times the width. Far more than any device of the zoo takes, so
that an architecture from elsewhere is refused before anything is built from it."""


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
class Blocks:
    """The shape of a network of stages. stem, head: widths in channels. Raises InvalidArch for impossible values."""

    stem: int
    stages: tuple[Stage, ...]
    head: int

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        for name, width in (("stem", self.stem), ("head", self.head)):
            _check_width(name, width)
        check(0 < len(self.stages) <= MAX_STAGES, "stages", len(self.stages), f"1 to {MAX_STAGES} stages")
        for number, stage in enumerate(self.stages, 1):
            _check_stage(f"stage{number}", stage)
        _check_depth(sum(len(stage.blocks) for stage in self.stages))

    def __str__(self) -> str:
        """In one line: stem, stages of kernel and expansion x width, head."""
        stages = (
            f"{stage.width} x [{' '.join(f'k{block.kernel}e{block.expansion}' for block in stage.blocks)}]"
            for stage in self.stages
        )
        return f"stem {self.stem}, {', '.join(stages)}, head {self.head}"

    def to_dict(self) -> dict:
        """Plain values for JSON. A lack of excitation is not stated."""
        values = plain(dataclasses.asdict(self))
        for stage in values["stages"]:
            if not stage["excitation"]:
                del stage["excitation"]
        return values

    @classmethod
    def from_dict(cls, values: dict) -> Blocks:
        """The shape of `to_dict`."""
        stages = tuple(
            Stage(**{**stage, "blocks": tuple(Block(**block) for block in stage["blocks"])})
            for stage in values["stages"]
        )
        return cls(**{**values, "stages": stages})


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

    def genes(self, name: str) -> list[Gene]:
        """Width, depth, excitation where there is a choice, then kernel and expansion of each block."""
        found = [Gene(f"{name}_width", self.widths, "width"), Gene(f"{name}_depth", self.depths, "depth")]
        if len(self.excitations) > 1:
            found.append(Gene(f"{name}_excitation", self.excitations, "excitation"))
        for block in range(self.depths[-1]):
            for what, choices in (("kernel", self.kernels), ("expansion", self.expansions)):
                found.append(Gene(f"{name}_block{block + 1}_{what}", choices, what, self.needs(name, block)))
        return found

    def needs(self, name: str, block: int) -> tuple[str, int] | None:
        """From which depth on there is the block of that index."""
        shallower = sum(depth <= block for depth in self.depths)
        return (f"{name}_depth", shallower) if shallower else None

    def decode(self, width: int, depth: int, *values: Any) -> Stage:
        """The stage of one value a gene."""
        excitation, *blocks = values if len(self.excitations) > 1 else (self.excitations[0], *values)
        own = tuple(Block(*blocks[2 * index : 2 * index + 2]) for index in range(depth))
        return Stage(width, own, self.stride, excitation)

    def encode(self, stage: Stage) -> list[Any]:
        """A value for each gene."""
        excitation = [stage.excitation] * (len(self.excitations) > 1)
        blocks = [value for block in stage.blocks for value in (block.kernel, block.expansion)]
        missing = [self.kernels[0], self.expansions[0]] * (self.depths[-1] - len(stage.blocks))
        return [stage.width, len(stage.blocks), *excitation, *blocks, *missing]


@dataclass(frozen=True)
class BlockChoices:
    """The choices of a space of such networks: widths of the stem and the head, and those of each stage."""

    stems: tuple[int, ...]
    stages: tuple[StageChoices, ...]
    heads: tuple[int, ...]

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        check_choices("stems", self.stems, MAX_WIDTH)
        check_choices("heads", self.heads, MAX_WIDTH)
        check(0 < len(self.stages) <= MAX_STAGES, "stages", len(self.stages), f"1 to {MAX_STAGES} stages")
        for number, stage in enumerate(self.stages, 1):
            _check_stage_choices(f"stage{number}", stage)
        _check_depth(sum(stage.depths[-1] for stage in self.stages))

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """Stem, head, and those of each stage."""
        ends = Gene("stem", self.stems, "width"), Gene("head", self.heads, "width")
        return *ends, *(gene for number, stage in self._numbered for gene in stage.genes(f"stage{number}"))

    @property
    def _numbered(self) -> list[tuple[int, StageChoices]]:
        return list(enumerate(self.stages, 1))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Of the parts of the largest network: the one before all blocks, one a block, one behind."""
        features, before = ("coefficients", "step_ms"), "stem"
        slots = [Slot((*features, before))]
        for number, stage in self._numbered:
            name = f"stage{number}"
            excitation = (f"{name}_excitation",) if len(stage.excitations) > 1 else ()
            for block in range(stage.depths[-1]):
                own = tuple(f"{name}_block{block + 1}_{what}" for what in ("kernel", "expansion"))
                genes = (*features, before, f"{name}_width", *excitation, *own)
                slots.append(Slot(genes, stage.needs(name, block)))
                before = f"{name}_width"
        return (*slots, Slot((*features, before, "head")))

    def decode(self, values: Sequence[Any]) -> Blocks:
        """The shape of one value a gene."""
        spans = zip(self.stages, pairwise(self._ends), strict=True)
        stages = tuple(stage.decode(*values[first:end]) for stage, (first, end) in spans)
        return Blocks(values[0], stages, values[1])

    @cached_property
    def _ends(self) -> list[int]:
        """The gene behind stem and head, and the one behind each stage."""
        ends = [2]
        for number, stage in self._numbered:
            ends.append(ends[-1] + len(stage.genes(f"stage{number}")))
        return ends

    def encode(self, shape: Blocks) -> list[Any]:
        """A value for each gene."""
        stages = zip(shape.stages, self.stages, strict=False)
        return [shape.stem, shape.head, *(value for stage, choices in stages for value in choices.encode(stage))]

    def shrink(self, keep: Keep) -> BlockChoices:
        """Those with fewer choices."""
        stages = tuple(_shrink_stage(stage, keep) for stage in self.stages)
        return BlockChoices(keep("width", self.stems), stages, keep("width", self.heads))

    def to_dict(self) -> dict:
        """Plain values for JSON. Stages whose blocks have no excitation do not say so."""
        values = plain(dataclasses.asdict(self))
        for stage in values["stages"]:
            if not any(stage["excitations"]):
                del stage["excitations"]
        return values

    @classmethod
    def from_dict(cls, values: dict) -> BlockChoices:
        """The choices of `to_dict`."""
        stages = tuple(StageChoices(**tuples(stage)) for stage in values["stages"])
        return cls(**{**tuples(values), "stages": stages})


def _shrink_stage(stage: StageChoices, keep: Callable[[str, tuple], tuple]) -> StageChoices:
    names = {"widths": "width", "depths": "depth", "kernels": "kernel", "expansions": "expansion"}
    kept = {field: keep(name, getattr(stage, field)) for field, name in names.items()}
    return dataclasses.replace(stage, **kept, excitations=keep("excitation", stage.excitations))


def _check_width(name: str, width: Any) -> None:
    check_int(name, width, WIDTH_MULTIPLE, MAX_WIDTH)
    check(width % WIDTH_MULTIPLE == 0, name, width, f"a multiple of {WIDTH_MULTIPLE}")


def _check_stage(name: str, stage: Stage) -> None:
    _check_width(f"{name}.width", stage.width)
    check_int(f"{name}.stride", stage.stride, 1, MAX_STRIDE)
    check(isinstance(stage.excitation, bool), f"{name}.excitation", stage.excitation, "true or false")
    check(0 < len(stage.blocks) <= MAX_BLOCKS, f"{name}.blocks", len(stage.blocks), f"1 to {MAX_BLOCKS} blocks")
    for number, block in enumerate(stage.blocks, 1):
        check_int(f"{name}.block{number}.kernel", block.kernel, 1, MAX_KERNEL)
        check_int(f"{name}.block{number}.expansion", block.expansion, 1, MAX_EXPANSION)


def _check_stage_choices(name: str, stage: StageChoices) -> None:
    check_choices(f"{name}.widths", stage.widths, MAX_WIDTH)
    check_choices(f"{name}.depths", stage.depths, MAX_BLOCKS)
    check_choices(f"{name}.kernels", stage.kernels, MAX_KERNEL)
    check_choices(f"{name}.expansions", stage.expansions, MAX_EXPANSION)
    valid = stage.excitations in ((False,), (True,), (False, True))
    check(valid, f"{name}.excitations", stage.excitations, "false, true, or both in this order")


def _check_depth(blocks: int) -> None:
    check(blocks <= MAX_DEPTH, "blocks of all stages", blocks, f"at most {MAX_DEPTH}")


def bottleneck(
    conv: Callable[..., LayerSpec],
    before: tuple[str, str, Shape],
    width: int,
    expansion: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    excite: Callable[[str, LayerSpec], list[LayerSpec]] | None = None,
) -> Part:
    """An inverted bottleneck (MobileNetV2, Sandler et al., CVPR 2018, arXiv 1801.04381) of a family's convolutions.

    before: the block's name, and name and shape of the layer that it reads. excite: gives the layers behind the
    depthwise convolution.
    """
    name, source, in_shape = before
    channels = in_shape[0] * expansion
    specs = [conv(f"{name}_expand", source, in_shape, channels)] if expansion > 1 else []
    inner = (specs[-1].name, specs[-1].out_shape) if specs else (source, in_shape)
    specs.append(conv(f"{name}_depthwise", *inner, channels, kernel=kernel, stride=stride, groups=channels))
    specs += excite(name, specs[-1]) if excite else []
    specs.append(conv(f"{name}_project", specs[-1].name, specs[-1].out_shape, width, activation="none"))
    if stride == (1, 1) and in_shape[0] == width:
        last = specs[-1]
        inputs = source, last.name
        specs.append(LayerSpec(f"{name}_add", "add", inputs, last.out_shape, last.out_shape, causal=last.causal))
    return Part(tuple(specs))


def causal_conv(
    name: str,
    source: str,
    in_shape: Shape,
    channels: int,
    *,
    kernel: tuple[int, int] = (1, 1),
    stride: tuple[int, int] = (1, 1),
    tap_step: int = 1,
    groups: int = 1,
    activation: str = "relu",
    pad: bool = True,
) -> LayerSpec:
    """A convolution with batch norm behind the layer `source`, causal in time and centred in frequency.

    pad: whether the frequencies are padded; without, the kernel takes them all. Raises InvalidArch where frames are no
    multiple of the stride: a clip would be heard at other frames than a stream that begins with it.
    """
    if in_shape[2] % stride[1]:
        raise InvalidArch(
            f"{name}: {in_shape[2]} frames are no multiple of its stride of {stride[1]}, so it cannot stream"
        )
    height = -(-in_shape[1] // stride[0]) if pad else 1
    out_shape = (channels, height, -(-in_shape[2] // stride[1]))
    missing, left = ((out_shape[axis] - 1) * stride[axis - 1] + kernel[axis - 1] - in_shape[axis] for axis in (1, 2))
    return LayerSpec(
        name,
        "conv",
        (source,),
        in_shape,
        out_shape,
        kernel=kernel,
        stride=stride,
        pad=(missing // 2, missing - missing // 2, left, 0),
        groups=groups,
        tap_steps=(1, tap_step),
        activation=activation,
    )


@lru_cache(maxsize=KEPT_PARTS)
def causal_block(name: str, source: str, in_shape: Shape, *block) -> Part:
    """An inverted bottleneck of causal convolutions behind the layer `source`: of a width, an expansion, a kernel and a
    stride.
    """
    return bottleneck(causal_conv, (name, source, in_shape), *block)


@lru_cache(maxsize=KEPT_PARTS)
def causal_exit(source: str, in_shape: Shape, width: int, classes: int) -> Part:
    """The last part of a network of causal convolutions: its head behind the layer `source`, and what answers."""
    return ending(causal_conv("head", source, in_shape, width), classes)


def _width(title: str, description: str) -> dict:
    return whole(title, description, WIDTH_MULTIPLE, MAX_WIDTH, multipleOf=WIDTH_MULTIPLE)


_BLOCK = {
    "kernel": whole("Kernel", "Taps of the depthwise convolution.", 1, MAX_KERNEL),
    "expansion": whole("Expansion", "Of the width; 1 leaves the expansion out.", 1, MAX_EXPANSION),
}
_STAGE = {
    "width": _width("Width", "In channels."),
    "excitation": {
        "title": "Excitation",
        "description": "Whether channels are weighed by what is in the clip. Missing: false.",
        "type": "boolean",
    },
    "stride": whole("Stride", "Of the first block, in frames.", 1, MAX_STRIDE),
    "blocks": listing("Blocks", "Inverted bottlenecks, in their order.", MAX_BLOCKS, record(_BLOCK)),
}
_ALL_STAGES = f"Blocks of one width each, at most {MAX_DEPTH} blocks in all."
SCHEMA = {
    "stem": _width("Stem", "Width in channels."),
    "stages": listing("Stages", _ALL_STAGES, MAX_STAGES, record(_STAGE, optional=("excitation",))),
    "head": _width("Head", "Width in channels."),
}
"""JSON schemas of the values of the shape."""
