"""Family `lmu`: layers of linear memories, in the manner of Legendre Memory Unit networks for keyword spotting.

Blouw et al. (arXiv 2009.04465) spot keywords with such networks on a microcontroller and on a circuit of its own; the
unit is of Voelker et al. (NeurIPS 2019), and layers whose memories hear their input alone, so that all frames can be
trained at once, of Chilkuri and Eliasmith (arXiv 2102.11417). Their sizes and accuracy are published, their widths,
orders and windows are not: these are ours.

    features -> layers -> head 1x1 -> average -> linear
    layer:  encode 1x1 -> memory -> recall (all coefficients of all memories) -+-> sum -> ReLU
            pass 1x1 ----------------------------------------------------------+

Each memory keeps one channel of what `encode` gives as `order` coefficients of its last `theta_ms`. Nothing looks
ahead, so a network streams. Of a supernet, a network has the first memories and the lowest coefficients; the matrices
of each order and window are its own (see supernet.ops.memory).

The method may be protected by patents of Applied Brain Research, and reference implementations have licences of their
own; this one is written from the papers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from supernet.arch import MAX_STEP_MS, Arch, FeatureSpec, check, check_choices, check_int, plain
from supernet.errors import InvalidArch
from supernet.families.base import KEPT_PARTS, Family, ending
from supernet.layer import LayerSpec, Part, Shape
from supernet.schemas import listing, record, whole
from supernet.space import Gene, Keep, Slot, Space, tuples
from supernet.whole import with_plain_numbers

__all__ = ["FAMILY", "Memories", "MemoryChoices", "MemoryLayer"]

FRONT_END_STEP, LOG_MELS = 10, 40
MAX_LAYERS, MAX_WIDTH, MAX_ORDER, MAX_THETA_MS, MAX_WINDOW = 16, 1024, 32, 10 * MAX_STEP_MS, 1000
"""With these orders and windows in frames, every accumulator stays in 32 bits and no memory leaves 16."""
FEATURES = ("coefficients", "step_ms")


@dataclass(frozen=True)
class MemoryLayer:
    """One layer: how many memories it has, of which order, over how many ms; and how many channels it gives."""

    memories: int
    order: int
    theta_ms: int
    width: int


@dataclass(frozen=True)
class Memories:
    """The shape of a network. head: width in channels. Raises InvalidArch for impossible values."""

    layers: tuple[MemoryLayer, ...]
    head: int

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        check_int("head", self.head, 1, MAX_WIDTH)
        check(0 < len(self.layers) <= MAX_LAYERS, "layers", len(self.layers), f"1 to {MAX_LAYERS} layers")
        for number, layer in enumerate(self.layers, 1):
            for name, most in _MOST.items():
                check_int(f"layer{number}.{name}", getattr(layer, name), 1, most)

    def __str__(self) -> str:
        """In one line: of each layer memories x order over ms and width, then the head."""
        layers = (f"{one.memories} x {one.order} over {one.theta_ms} ms to {one.width}" for one in self.layers)
        return f"{', '.join(layers)}, head {self.head}"

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict) -> Memories:
        """The shape of `to_dict`."""
        return cls(**{**values, "layers": tuple(MemoryLayer(**layer) for layer in values["layers"])})


@dataclass(frozen=True)
class MemoryChoices:
    """The choices of a space: how many layers, what each may be, and widths of the head."""

    depths: tuple[int, ...]
    memories: tuple[int, ...]
    orders: tuple[int, ...]
    thetas_ms: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        check_choices("depths", self.depths, MAX_LAYERS)
        check_choices("heads", self.heads, MAX_WIDTH)
        for (_, choices, _), (name, most) in zip(self._of_layers, _MOST.items(), strict=True):
            check_choices(name, choices, most)

    @property
    def _of_layers(self) -> tuple[tuple[str, tuple[int, ...], str], ...]:
        """Of each field of a layer its name, choices and dimension: a memory's order and window are what a kernel is
        elsewhere, and memories an expansion.
        """
        return (
            ("memories", self.memories, "expansion"),
            ("order", self.orders, "kernel"),
            ("theta_ms", self.thetas_ms, "kernel"),
            ("width", self.widths, "width"),
        )

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """Depth, head, and those of each layer."""
        ends = Gene("depth", self.depths, "depth"), Gene("head", self.heads, "width")
        layers = range(1, self.depths[-1] + 1)
        return *ends, *(
            Gene(f"layer{number}_{name}", choices, dimension, self._needs(number))
            for number in layers
            for name, choices, dimension in self._of_layers
        )

    def _needs(self, number: int) -> tuple[str, int] | None:
        """From which depth on there is the layer of that number."""
        shallower = sum(depth < number for depth in self.depths)
        return ("depth", shallower) if shallower else None

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """One a layer, and one behind them, which reads the last one's width."""
        numbers = range(1, self.depths[-1] + 1)
        widths = ["", *(f"layer{number}_width" for number in numbers)]
        slots = []
        for number, (before, _) in zip(numbers, pairwise(widths), strict=True):
            own = (f"layer{number}_{name}" for name, _, _ in self._of_layers)
            slots.append(Slot((*FEATURES, *filter(None, [before]), *own), self._needs(number)))
        return *slots, Slot((*FEATURES, "depth", *widths[1:], "head"))

    def decode(self, values: Sequence[Any]) -> Memories:
        """The shape of one value a gene."""
        depth, head, *rest = values
        size = len(self._of_layers)
        return Memories(tuple(MemoryLayer(*rest[size * index : size * (index + 1)]) for index in range(depth)), head)

    def encode(self, shape: Memories) -> list[Any]:
        """A value for each gene."""
        layers = [value for layer in shape.layers for value in dataclasses.astuple(layer)]
        missing = [choices[0] for _, choices, _ in self._of_layers] * (self.depths[-1] - len(shape.layers))
        return [len(shape.layers), shape.head, *layers, *missing]

    def shrink(self, keep: Keep) -> MemoryChoices:
        """Those with fewer choices."""
        kept = [keep(dimension, choices) for _, choices, dimension in self._of_layers]
        return MemoryChoices(keep("depth", self.depths), *kept, keep("width", self.heads))

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict) -> MemoryChoices:
        """The choices of `to_dict`."""
        return cls(**tuples(values))


_MOST = {"memories": MAX_WIDTH, "order": MAX_ORDER, "theta_ms": MAX_THETA_MS, "width": MAX_WIDTH}
"""Most of each field of a layer."""


def parts(arch: Arch) -> list[Part]:
    """The layers of a network: one part a layer of the shape, one behind. Raises InvalidArch for features and windows
    that are not of this family.
    """
    features = arch.features
    _check(features)
    read = _input(features, arch.frames)
    found, before = [], read
    for number, layer in enumerate(arch.shape.layers, 1):
        window = _window(f"layer{number}", layer.theta_ms, features.step_ms)
        own = (layer.memories, layer.order, window, layer.width)
        found.append(_layer(f"layer{number}", before.name, before.out_shape, read if number == 1 else None, own))
        before = found[-1][-1]
    return [*found, _exit(before.name, before.out_shape, arch.shape.head, arch.classes)]


@lru_cache(maxsize=KEPT_PARTS)
def _input(features: FeatureSpec, frames: int) -> LayerSpec:
    ratio = features.step_ms // FRONT_END_STEP
    shapes = (features.coefficients, 1, frames * ratio), (features.coefficients, 1, frames)
    return LayerSpec("input", "input", (), *shapes, stride=(1, ratio))


@lru_cache(maxsize=KEPT_PARTS)
def _layer(name: str, source: str, in_shape: Shape, read: LayerSpec | None, own: tuple[int, int, int, int]) -> Part:
    """A layer behind the layer `source`, which is the input where that is given."""
    memories, order, window, width = own
    frames = in_shape[2]
    held, out = (memories, order, frames), (width, 1, frames)
    encode = _conv(f"{name}_encode", source, in_shape, memories)
    memory = LayerSpec(f"{name}_memory", "memory", (encode.name,), encode.out_shape, held, window=window)
    recall = _conv(f"{name}_recall", memory.name, held, width)
    beside = _conv(f"{name}_pass", source, in_shape, width)
    total = LayerSpec(f"{name}_sum", "add", (recall.name, beside.name), out, out, activation="relu")
    return Part((*([read] if read else []), encode, memory, recall, beside, total))


@lru_cache(maxsize=KEPT_PARTS)
def _exit(source: str, in_shape: Shape, width: int, classes: int) -> Part:
    return ending(_conv("head", source, in_shape, width, "relu"), classes)


def _conv(name: str, source: str, in_shape: Shape, channels: int, activation: str = "none") -> LayerSpec:
    """A convolution with batch norm over all rows of a frame."""
    out_shape, kernel = (channels, 1, in_shape[2]), (in_shape[1], 1)
    return LayerSpec(
        name, "conv", (source,), in_shape, out_shape, kernel=kernel, first_rows=True, activation=activation
    )


def _window(name: str, theta_ms: int, step_ms: int) -> int:
    """In frames."""
    whole_frames = theta_ms % step_ms == 0 and theta_ms // step_ms <= MAX_WINDOW
    wanted = f"a multiple of the step of {step_ms} ms, at most {MAX_WINDOW} of them"
    check(whole_frames, f"{name}.theta_ms", theta_ms, wanted)
    return theta_ms // step_ms


def _check(features: FeatureSpec) -> None:
    whole_map = features.kind == "logmel" and features.coefficients == LOG_MELS
    if not (features.kind == "mfcc" or whole_map) or features.step_ms % FRONT_END_STEP:
        raise InvalidArch(
            f"family lmu reads mfcc or {LOG_MELS} logmel frames each multiple of {FRONT_END_STEP} ms, not {features}"
        )


def space(classes: int, clip_ms: int, features: str = "mfcc") -> Space:
    """The default space: 0.1 M to 6 M MACs on clips of one second; in its middle are sizes as published."""
    choices = MemoryChoices(
        depths=(1, 2, 3, 4), memories=(4, 8, 12, 16, 24), orders=(4, 6, 8, 12), thetas_ms=(160, 320, 640),
        widths=(16, 24, 32, 48, 64), heads=(32, 48, 64, 96),
    )  # fmt: skip
    coefficients = (10, 20, 30, 40) if features == "mfcc" else (LOG_MELS,)
    return Space("lmu", classes, clip_ms, coefficients, (20,), choices, features)


_LAYER = {
    "memories": whole("Memories", "How many channels are remembered.", 1, MAX_WIDTH),
    "order": whole("Order", "Coefficients of each memory.", 1, MAX_ORDER),
    "theta_ms": whole("Window", "That a memory reaches back, in ms.", 1, MAX_THETA_MS),
    "width": whole("Width", "In channels.", 1, MAX_WIDTH),
}
SCHEMA = {
    "layers": listing("Layers", "Linear memories, in their order.", MAX_LAYERS, record(_LAYER)),
    "head": whole("Head", "Width in channels.", 1, MAX_WIDTH),
}
"""JSON schemas of the values of the shape."""

NOTICE = (
    "Networks of linear memories may be protected by patents of Applied Brain Research, whatever this licence says; "
    "whether you may use them is for you to find out."
)
FAMILY = Family("lmu", parts, space, True, Memories, MemoryChoices, SCHEMA, notice=NOTICE)
