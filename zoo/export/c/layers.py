"""Layers as C: one entry a kind of operator, by the same LayerSpec as all else.

A kind has a structure for its constants, the text of its function (a file in `sources`), and what a layer of it writes:
its constants, and its call in the step of a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from supernet.errors import InvalidModel
from supernet.integer.packing import pack
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec
from zoo.export.c.text import array, record

__all__ = ["BLOCK", "KINDS", "Kind", "Step", "kind_of"]

BLOCK = 16
"""Channels of a depthwise convolution that are computed at a time."""
MOST = 2**31 - 1
LIMITS = "typedef struct { int32_t zero, low, high; } limits_t;\n"
CONV = """\
typedef struct {
    const uint8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t frames, kept, taps, stride;                          /* in time */
    int32_t in_height, out_height, kernel_height, stride_height, pad_top;
    int32_t in_channels, out_channels, in_zero;
    int32_t bits, odd;                                          /* of weights */
    limits_t to;
} conv_t;
"""
LINEAR = """\
typedef struct {
    const uint8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t in_channels, out_channels;
    int32_t bits, odd;                                          /* of weights */
    limits_t to;
} linear_t;
"""
ADD = """\
typedef struct {
    int32_t count, first_zero, second_zero, first_multiplier, second_multiplier;
    uint32_t shift;
    limits_t to;
} add_t;
"""
POOL = """\
typedef struct {
    int32_t channels, window, multiplier;
    uint32_t shift;
    limits_t to;
} pool_t;
"""


@dataclass(frozen=True)
class Step:
    """A layer in one step of a stream.

    frames: of its input that a step has. place: of each tensor, an expression of C. grids: of weights, by layer.
    """

    network: IntegerNetwork
    spec: LayerSpec
    frames: int
    place: dict[str, str]
    grid: str

    @property
    def inputs(self) -> list[str]:
        """Expressions of what it reads."""
        return [self.place[name] for name in self.spec.inputs]

    @property
    def zeros(self) -> list[int]:
        """The zero points of what it reads."""
        return [self.network.activations[name].zero_point for name in self.spec.inputs]

    @property
    def to(self) -> str:
        """The limits of what it writes."""
        activation = self.network.activations[self.spec.name]
        low, high = (end + activation.zero_point for end in activation.span(self.spec.rectified))
        return f"{{{activation.zero_point}, {low}, {high}}}"


@dataclass(frozen=True)
class Kind:
    """How layers of a kind are written. source: files of their functions. structure: of their constants."""

    source: tuple[str, ...]
    structure: str
    constants: Callable[[Step], str]
    calls: Callable[[Step], list[str]]
    state: Callable[[LayerSpec], str] = lambda spec: ""


def kind_of(spec: LayerSpec) -> str:
    """One of KINDS."""
    return "depthwise" if spec.kind == "conv" and spec.depthwise else spec.kind


def _weighted(step: Step, rows: list[np.ndarray]) -> tuple[str, dict]:
    """The arrays of a layer with weights, and the constants that name them. rows: each starts at a byte."""
    name, spec, tensors = step.spec.name, step.spec, step.network.tensors[step.spec.name]
    packed = np.concatenate([pack(row, spec.weight_bits, step.grid) for row in rows])
    sums = tensors.weight.astype(np.int64).reshape(len(tensors.weight), -1).sum(1)
    bias = tensors.bias.astype(np.int64) - step.zeros[0] * sums
    reach = np.abs(tensors.weight.astype(np.int64)).reshape(len(bias), -1).sum(1) * 128 + np.abs(bias)
    if reach.max() > MOST:
        raise InvalidModel(f"layer {name}: a sum can reach {reach.max():,} in C, more than {MOST:,}")
    arrays = {"weights": packed, "bias": bias.astype(np.int32), "multiplier": tensors.multiplier.astype(np.int32),
              "shift": tensors.shift.astype(np.uint8)}  # fmt: skip
    text = "".join(array(f"{name}_{part}", values) for part, values in arrays.items())
    fields = {part: f"{name}_{part}" for part in arrays}
    return text, fields | {"bits": spec.weight_bits, "odd": int(step.grid == "odd")}


def _conv(step: Step) -> str:
    spec, weight = step.spec, step.network.tensors[step.spec.name].weight
    laid = weight.transpose(0, 3, 2, 1)  # (out, taps, height, in)
    rows = list(laid.reshape(len(laid), -1))
    if spec.depthwise:
        blocks = np.split(laid[..., 0], range(BLOCK, len(laid), BLOCK))
        rows = [block.transpose(1, 2, 0).ravel() for block in blocks]
    text, fields = _weighted(step, rows)
    fields |= {
        "frames": step.frames,
        "kept": spec.operator.kept_frames(spec),
        "taps": spec.kernel[1],
        "stride": spec.stride[1],
        "in_height": spec.in_shape[1],
        "out_height": spec.out_shape[1],
        "kernel_height": spec.kernel[0],
        "stride_height": spec.stride[0],
        "pad_top": spec.pad[0],
        "in_channels": spec.in_shape[0],
        "out_channels": spec.out_shape[0],
        "in_zero": step.zeros[0],
        "to": step.to,
    }
    return text + record("conv_t", f"NAME_{spec.name}", fields)


def _conv_calls(step: Step) -> list[str]:
    spec, [values] = step.spec, step.inputs
    kept = spec.operator.kept_frames(spec)
    before = f"self->{spec.name}" if kept else values
    calls = [f"{kind_of(spec)}(&NAME_{spec.name}, {before}, {values}, {step.place[spec.name]});"]
    return [*calls, f"keep(&NAME_{spec.name}, {before}, {values});"] if kept else calls


def _conv_state(spec: LayerSpec) -> str:
    size = spec.operator.kept_frames(spec) * prod(spec.in_shape[:2])
    return f"int8_t {spec.name}[{size}];" if size else ""


def _linear(step: Step) -> str:
    weight = step.network.tensors[step.spec.name].weight
    text, fields = _weighted(step, list(weight))
    fields |= {"in_channels": weight.shape[1], "out_channels": weight.shape[0], "to": step.to}
    return text + record("linear_t", f"NAME_{step.spec.name}", fields)


def _linear_calls(step: Step) -> list[str]:
    return [f"linear(&NAME_{step.spec.name}, {step.inputs[0]}, {step.place[step.spec.name]});"]


def _add(step: Step) -> str:
    tensors = step.network.tensors[step.spec.name]
    names = ("first_zero", "second_zero", "first_multiplier", "second_multiplier")
    fields = {"count": prod(step.spec.out_shape[:2]) * step.frames}
    fields |= dict(zip(names, [*step.zeros, *map(int, tensors.multiplier)], strict=True))
    return record("add_t", f"NAME_{step.spec.name}", fields | {"shift": int(tensors.shift[0]), "to": step.to})


def _add_calls(step: Step) -> list[str]:
    return [f"add(&NAME_{step.spec.name}, {', '.join(step.inputs)}, {step.place[step.spec.name]});"]


def _pool(step: Step) -> str:
    spec, tensors = step.spec, step.network.tensors[step.spec.name]
    fields = {"channels": spec.in_shape[0], "window": spec.in_shape[2], "multiplier": int(tensors.multiplier[0])}
    return record("pool_t", f"NAME_{spec.name}", fields | {"shift": int(tensors.shift[0]), "to": step.to})


def _pool_calls(step: Step) -> list[str]:
    return [f"pool(&NAME_{step.spec.name}, &self->{step.spec.name}, {step.inputs[0]}, {step.place[step.spec.name]});"]


KINDS = {
    "conv": Kind(("conv",), CONV, _conv, _conv_calls, _conv_state),
    "depthwise": Kind(("depthwise",), CONV, _conv, _conv_calls, _conv_state),
    "linear": Kind(("linear",), LINEAR, _linear, _linear_calls),
    "add": Kind(("add",), ADD, _add, _add_calls),
    "pool": Kind(("pool",), POOL, _pool, _pool_calls, lambda spec: f"NAME_ring {spec.name};"),
}
