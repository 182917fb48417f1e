"""Family `sinc`: band-pass filters over samples, with learned cut-offs, then causal inverted bottlenecks over time.

In the manner of Peter, Roth and Pernkopf (arXiv 2104.06666), who put the filters of SincNet (Ravanelli and Bengio, SLT
2018, arXiv 1808.00158) before cells of mobile inverted bottlenecks. What they state of the topology is that; numbers
and lengths of filters, strides and all that is behind them are ours.

    samples -> filters, rectified, averaged over 10 ms, in logarithms -> stem conv -> stages -> head 1x1 -> average
            -> linear

The filters are windowed differences of two sinc functions, with a lower and an upper cut-off each; nothing else of them
is learned (see supernet.nn.filters). A shorter filter is made anew of the same cut-offs, and fewer filters are the
first ones, which spread over all frequencies however many they are. With `bank` "taps" it is a plain first convolution
instead: the taps themselves are learned. What is packed, costed and run is the convolution that both are (see
supernet.ops.filters). Behind it, all is as in family `temporal` over channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import Any

from supernet.arch import Arch, check, check_choices, check_int
from supernet.errors import InvalidArch
from supernet.families.base import KEPT_PARTS, Family
from supernet.families.blocks import (
    MAX_WIDTH,
    SCHEMA,
    WIDTH_MULTIPLE,
    BlockChoices,
    Blocks,
    StageChoices,
    causal_block,
    causal_conv,
    causal_exit,
)
from supernet.layer import LayerSpec, Part
from supernet.schemas import whole
from supernet.space import Gene, Keep, Slot, Space

__all__ = ["BANKS", "FAMILY", "FilterChoices", "FilteredBlocks"]

FRAME_BYTES, FRAME_SAMPLES, STEP_MS = 320, 160, 10
KERNELS, EXPANSIONS, WIDTHS = (3, 5, 7, 9), (1, 2, 3, 4), (16, 24, 32, 40, 48)
STEM_TAPS, STEM_STRIDE = 5, 2
STRIDES = (8, 10, 16, 20, 32, 40)
"""In samples; whole ones of a frame."""
TAP_MULTIPLE, MOST_TAPS = 8, 504
"""Of 8 bits, the taps of a filter then add up to 64,008 in size at most, so that no sum leaves 32 bits."""
BANKS = ("sinc", "taps")
"""What is learned of filters: cut-offs, or all taps."""


@dataclass(frozen=True)
class FilteredBlocks(Blocks):
    """The shape of a network: of its filters, and of the stages behind them.

    filters: how many. taps: samples that each hears. stride: samples from one place of a filter to the next. bank: one
    of BANKS. Raises InvalidArch for impossible values.
    """

    filters: int
    taps: int
    stride: int
    bank: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_bank(self.stride, self.bank)
        _check_filters(self.filters, self.taps, self.stride)

    def __str__(self) -> str:
        """In one line: the filters, and what is behind them."""
        return f"{self.filters} filters ({self.bank}) of {self.taps} each {self.stride}, {super().__str__()}"


@dataclass(frozen=True)
class FilterChoices(BlockChoices):
    """The choices of a space of such networks: filters and taps beside those of the stages; all have one stride and one
    bank.
    """

    filters: tuple[int, ...]
    taps: tuple[int, ...]
    stride: int
    bank: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_bank(self.stride, self.bank)
        check_choices("filters", self.filters, MAX_WIDTH)
        check_choices("taps", self.taps, MOST_TAPS)
        for filters, taps in zip_longest(self.filters, self.taps):
            _check_filters(filters or self.filters[0], taps or self.taps[0], self.stride)

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """Filters, taps, and those of the stages."""
        return Gene("filters", self.filters, "width"), Gene("taps", self.taps, "kernel"), *super().genes

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The filters are in the first part."""
        first, *others = super().slots
        return replace(first, genes=(*first.genes, "filters", "taps")), *others

    def decode(self, values: Sequence[Any]) -> FilteredBlocks:
        """The shape of one value a gene."""
        filters, taps, *others = values
        behind = super().decode(others)
        return FilteredBlocks(behind.stem, behind.stages, behind.head, filters, taps, self.stride, self.bank)

    def encode(self, shape: FilteredBlocks) -> list[Any]:
        """A value for each gene."""
        return [shape.filters, shape.taps, *super().encode(shape)]

    def shrink(self, keep: Keep) -> FilterChoices:
        """Those with fewer choices."""
        behind, filters, taps = super().shrink(keep), keep("width", self.filters), keep("kernel", self.taps)
        return FilterChoices(behind.stems, behind.stages, behind.heads, filters, taps, self.stride, self.bank)


def _check_filters(filters: int, taps: int, stride: int) -> None:
    check_int("filters", filters, 1, MAX_WIDTH)
    _check_multiple("filters", filters, WIDTH_MULTIPLE)
    check_int("taps", taps, stride + 1, MOST_TAPS)
    _check_multiple("taps", taps, TAP_MULTIPLE)


def _check_multiple(name: str, value: int, multiple: int) -> None:
    check(value % multiple == 0, name, value, f"a multiple of {multiple}")


def _check_bank(stride: int, bank: str) -> None:
    check(type(stride) is int and stride in STRIDES, "stride", stride, f"one of {STRIDES}")
    check(isinstance(bank, str) and bank in BANKS, "bank", bank, f"one of {BANKS}")


def parts(arch: Arch) -> list[Part]:
    """The layers of a network: one part before all blocks, one a block, one behind.

    Raises InvalidArch where kernels, expansions or features are not of this family."""
    _check(arch)
    shape = arch.shape
    found = [_entry(arch.frames, shape.filters, shape.taps, shape.stride, shape.bank, shape.stem)]
    for number, stage in enumerate(shape.stages, 1):
        for index, block in enumerate(stage.blocks, 1):
            name, before = f"stage{number}_block{index}", found[-1][-1]
            stride = stage.stride if index == 1 else 1
            own = (stage.width, block.expansion, (1, block.kernel), (1, stride))
            found.append(causal_block(name, before.name, before.out_shape, *own))
    return [*found, causal_exit(found[-1][-1].name, found[-1][-1].out_shape, shape.head, arch.classes)]


@lru_cache(maxsize=KEPT_PARTS)
def _entry(frames: int, filters: int, taps: int, stride: int, bank: str, width: int) -> Part:
    read, out = (1, FRAME_BYTES, frames), (filters, 1, frames)
    bank_spec = LayerSpec(
        "filters", "filters", ("input",), read, out, kernel=(taps, 1), stride=(stride, 1), cutoffs=bank == "sinc"
    )
    stem = causal_conv("stem", "filters", out, width, kernel=(1, STEM_TAPS), stride=(1, STEM_STRIDE))
    return Part((LayerSpec("input", "input", (), read, read), bank_spec, stem))


def _check(arch: Arch) -> None:
    features, stages = arch.features, arch.shape.stages
    if (features.kind, features.coefficients, features.step_ms) != ("raw", FRAME_BYTES, STEP_MS):
        raise InvalidArch(f"family sinc reads raw frames of {FRAME_BYTES} bytes each {STEP_MS} ms, not {features}")
    if any(stage.excitation for stage in stages):
        raise InvalidArch("family sinc has no excitation, which hears the whole clip; family mbconv has")
    for block in (block for stage in stages for block in stage.blocks):
        if block.kernel not in KERNELS or block.expansion not in EXPANSIONS:
            raise InvalidArch(f"{block} is not of family sinc: kernels {KERNELS}, expansions {EXPANSIONS}")


def space(classes: int, clip_ms: int, features: str = "raw") -> Space:
    """The default space: 0.6 M to 20 M MACs on clips of one second, of which filters take 0.5 M to 10 M."""
    stage = StageChoices(WIDTHS, (1, 2, 3, 4), KERNELS, EXPANSIONS[:3])
    shapes = FilterChoices(
        WIDTHS, (stage,) * 3, (32, 64, 96, 128), (8, 16, 24, 32, 40), (64, 128, 192, 256), 16, BANKS[0]
    )
    return Space("sinc", classes, clip_ms, (FRAME_BYTES,), (STEP_MS,), shapes, features)


SHAPE_SCHEMA = {
    "filters": whole("Filters", "How many.", WIDTH_MULTIPLE, MAX_WIDTH, multipleOf=WIDTH_MULTIPLE),
    "taps": whole("Taps", "Samples that a filter hears.", TAP_MULTIPLE, MOST_TAPS, multipleOf=TAP_MULTIPLE),
    "stride": {"title": "Stride", "description": "Samples between places of a filter.", "enum": list(STRIDES)},
    "bank": {"title": "Bank", "description": "What is learned: cut-offs, or all taps.", "enum": list(BANKS)},
    **SCHEMA,
}
FAMILY = Family("sinc", parts, space, True, FilteredBlocks, FilterChoices, SHAPE_SCHEMA, features=("raw",))
