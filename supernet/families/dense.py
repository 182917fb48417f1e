"""Family `dense`: dense layers over a context of frames, feed-forward and without a state of its own.

In the manner of Zeng et al. (arXiv 2207.06920), who state a feed-forward, streaming, state-free network of 250,000
parameters, with tables of weights at 8, 5, 4 and 1 bits. Context, layers and widths are not stated: they are ours.

    first: all frames of the context to so many channels, each `answer_ms` anew
    dense: channels to channels, so many layers
    head -> average -> linear

The first layer is a convolution whose kernel is the context and whose stride is the time between two answers; the
others have one tap. So the operators are those of other families, and of the features a stream keeps the context alone.
A clip's logits are the mean over its answers: averaging before or behind the last layer, which is linear, is one, and
keyword spotters smooth scores so (Chen et al., ICASSP 2014). The mean is over a window, so there still is no state:
what is older than context and clip is forgotten. Where a context begins before the clip, it is padded, as in a fresh
stream; so all networks of a space have equal maps, and equal costs in a clip and in so much of a stream.

A shorter context is the newest frames of a longer one. Frames each 20 ms are every second one of those each 10 ms, and
so are the weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any

from supernet.arch import MAX_STEP_MS, Arch, FeatureSpec, check, check_choices, check_int, plain
from supernet.errors import InvalidArch
from supernet.families.base import KEPT_PARTS, Family, ending
from supernet.layer import LayerSpec, Part, Shape
from supernet.schemas import listing, whole
from supernet.space import Gene, Keep, Slot, Space, tuples
from supernet.whole import with_plain_numbers

__all__ = ["FAMILY", "Dense", "DenseChoices"]

FRONT_END_STEP = 10
MAX_CONTEXT_MS, MAX_WIDTH, MAX_LAYERS = 10_000, 1024, 64
"""Far more than any device of the zoo takes, so that an architecture from elsewhere is refused before anything is built
from it."""
FEATURES = ("coefficients", "step_ms")


@dataclass(frozen=True)
class Dense:
    """The shape of a network. context_ms: what an answer hears. answer_ms: from one answer to the next. first, dense,
    head: widths in channels. Raises InvalidArch for impossible values.
    """

    context_ms: int
    answer_ms: int
    first: int
    dense: tuple[int, ...]
    head: int

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        _check_times((self.context_ms,), self.answer_ms)
        check(0 < len(self.dense) <= MAX_LAYERS, "dense", len(self.dense), f"1 to {MAX_LAYERS} layers")
        for name, width in (("first", self.first), *(("dense", width) for width in self.dense), ("head", self.head)):
            check_int(name, width, 1, MAX_WIDTH)

    def __str__(self) -> str:
        """In one line: context, widths in their order."""
        widths = " ".join(map(str, self.dense))
        times = f"context {self.context_ms} ms, an answer each {self.answer_ms} ms"
        return f"{times}, first {self.first}, dense [{widths}], head {self.head}"

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict) -> Dense:
        """The shape of `to_dict`."""
        return cls(**tuples(values))


@dataclass(frozen=True)
class DenseChoices:
    """The choices of a space: contexts, the time between answers that all have, widths of the first layer, how many
    dense layers, of which width, and widths of the head.
    """

    contexts_ms: tuple[int, ...]
    answer_ms: int
    firsts: tuple[int, ...]
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]

    def __post_init__(self) -> None:
        with_plain_numbers(self)
        check_choices("contexts_ms", self.contexts_ms, MAX_CONTEXT_MS)
        _check_times(self.contexts_ms, self.answer_ms)
        check_choices("depths", self.depths, MAX_LAYERS)
        for name in ("firsts", "widths", "heads"):
            check_choices(name, getattr(self, name), MAX_WIDTH)

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """Context, then the first layer, depth and width of those behind it, and the head."""
        return (
            Gene("context_ms", self.contexts_ms, "kernel"),
            Gene("first", self.firsts, "width"),
            Gene("depth", self.depths, "depth"),
            Gene("width", self.widths, "width"),
            Gene("head", self.heads, "width"),
        )

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The first layer, one a dense layer, and the last ones."""
        behind = [Slot((*FEATURES, before, "width"), needs) for before, needs in self._layers]
        return (Slot((*FEATURES, "context_ms", "first")), *behind, Slot((*FEATURES, "width", "head")))

    @property
    def _layers(self) -> list[tuple[str, tuple[str, int] | None]]:
        """Of each dense layer: the width before it, and from which depth on there is one."""
        shallower = [sum(depth <= layer for depth in self.depths) for layer in range(self.depths[-1])]
        return [("width" if layer else "first", ("depth", at) if at else None) for layer, at in enumerate(shallower)]

    def decode(self, values: Sequence[Any]) -> Dense:
        """The shape of one value a gene."""
        context_ms, first, depth, width, head = values
        return Dense(context_ms, self.answer_ms, first, (width,) * depth, head)

    def encode(self, shape: Dense) -> list[Any]:
        """A value for each gene."""
        return [shape.context_ms, shape.first, len(shape.dense), shape.dense[0], shape.head]

    def shrink(self, keep: Keep) -> DenseChoices:
        """Those with fewer choices."""
        names = {"contexts_ms": "kernel", "firsts": "width", "depths": "depth", "widths": "width", "heads": "width"}
        kept = {field: keep(name, getattr(self, field)) for field, name in names.items()}
        return dataclasses.replace(self, **kept)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict) -> DenseChoices:
        """The choices of `to_dict`."""
        return cls(**tuples(values))


def parts(arch: Arch) -> list[Part]:
    """The layers of a network: the first with its input, one part a dense layer, one behind.

    Raises InvalidArch where features or clips are not of this family."""
    _check(arch)
    shape, step = arch.shape, arch.features.step_ms
    stride = shape.answer_ms // step
    found = [_entry(arch.features, arch.frames, shape.context_ms // step, stride, shape.first)]
    for number, width in enumerate(shape.dense, 1):
        found.append(_layer(f"dense{number}", found[-1][-1].name, found[-1][-1].out_shape, width))
    return [*found, _exit(found[-1][-1].name, found[-1][-1].out_shape, shape.head, arch.classes)]


@lru_cache(maxsize=KEPT_PARTS)
def _entry(features: FeatureSpec, frames: int, taps: int, stride: int, width: int) -> Part:
    """The input, and the first layer over all frames of the context."""
    ratio, rows = features.step_ms // FRONT_END_STEP, features.coefficients
    shape, out = (rows, 1, frames), (width, 1, frames // stride)
    read = LayerSpec("input", "input", (), (rows, 1, frames * ratio), shape, stride=(1, ratio))
    first = LayerSpec(
        "first", "conv", ("input",), shape, out, kernel=(1, taps), stride=(1, stride), pad=(0, 0, taps - stride, 0),
        tap_steps=(1, ratio), activation="relu", bulk=True,
    )  # fmt: skip
    return Part((read, first))


@lru_cache(maxsize=KEPT_PARTS)
def _layer(name: str, source: str, in_shape: Shape, width: int) -> Part:
    return Part((_dense(name, source, in_shape, width),))


@lru_cache(maxsize=KEPT_PARTS)
def _exit(source: str, in_shape: Shape, width: int, classes: int) -> Part:
    return ending(_dense("head", source, in_shape, width), classes)


def _dense(name: str, source: str, in_shape: Shape, width: int) -> LayerSpec:
    return LayerSpec(name, "conv", (source,), in_shape, (width, 1, in_shape[2]), activation="relu")


def _check(arch: Arch) -> None:
    features, answer_ms = arch.features, arch.shape.answer_ms
    if features.kind not in ("mfcc", "logmel") or features.step_ms % FRONT_END_STEP or answer_ms % features.step_ms:
        raise InvalidArch(
            f"family dense reads mfcc or logmel frames each {FRONT_END_STEP} ms, or at a multiple of it that divides "
            f"the {answer_ms} ms between answers, not {features}"
        )
    clip_ms = arch.frames * features.step_ms
    if clip_ms % answer_ms:
        raise InvalidArch(
            f"a clip of {clip_ms} ms is no multiple of the {answer_ms} ms between answers of family dense: "
            "change one of them"
        )


def _check_times(contexts_ms: Sequence[int], answer_ms: int) -> None:
    check_int("answer_ms", answer_ms, FRONT_END_STEP, MAX_STEP_MS)
    check(answer_ms % FRONT_END_STEP == 0, "answer_ms", answer_ms, f"a multiple of {FRONT_END_STEP}")
    for context_ms in contexts_ms:
        check_int("context_ms", context_ms, answer_ms, MAX_CONTEXT_MS)
        check(context_ms % answer_ms == 0, "context_ms", context_ms, f"a multiple of answer_ms = {answer_ms}")


def space(classes: int, clip_ms: int, features: str = "mfcc") -> Space:
    """The default space, on `mfcc` or `logmel`: up to 250,000 parameters at twelve classes, and 0.1 M to 6 M MACs on
    clips of one second. It answers each 40 ms; where the frames of a clip are no multiple of that, each 20 or 10 ms,
    and so computes more often.
    """
    answer_ms, steps = next(filter(itemgetter(1), ((every, _steps(clip_ms, every)) for every in (40, 20, 10))))
    coefficients = (10, 20, 30, 40) if features == "mfcc" else (40,)
    shapes = DenseChoices((200, 400, 600, 800), answer_ms, (16, 32, 48, 64), (1, 2, 3), (32, 48, 64, 96), (32, 64, 96))
    return Space("dense", classes, clip_ms, coefficients, steps, shapes, features)


def _steps(clip_ms: int, answer_ms: int) -> tuple[int, ...]:
    """Of frames, of which an answer and a clip are multiples."""
    return tuple(step for step in (10, 20) if answer_ms % step == 0 and clip_ms // step * step % answer_ms == 0)


def _width(title: str, description: str) -> dict:
    return whole(title, description, 1, MAX_WIDTH)


SCHEMA = {
    "context_ms": whole("Context", "What an answer hears, in ms.", FRONT_END_STEP, MAX_CONTEXT_MS),
    "answer_ms": whole("Answers", "From one to the next, in ms.", FRONT_END_STEP, MAX_STEP_MS),
    "first": _width("First", "Width of the layer over the context, in channels."),
    "dense": listing("Dense layers", "Widths behind it.", MAX_LAYERS, _width("Width", "In channels.")),
    "head": _width("Head", "Width in channels."),
}
FAMILY = Family("dense", parts, space, streamable=True, shape=Dense, choices=DenseChoices, schema=SCHEMA)
