"""What TensorFlow Lite for Microcontrollers computes of our graphs, in NumPy, bit for bit: its rounding, not ours.

Sums are multiplied by 31 bits and rounded twice: (a b + 2^30) / 2^31, then by a power of two, ties away from zero. On
16 bits with biases of 64, multipliers have 15 bits and one rounding, ties up. A logistic function is that of gemmlowp
in fixed point. The reference kernels of that runtime are the model; kernels for single chips may differ by a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from zoo.export.tflite.graph import LIMITS, Graph, Node, Tensor
from zoo.export.tflite.scales import quantised

__all__ = ["Emulator", "logistic", "rescale"]

WORD = 2**31
EXPONENTS = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401}
"""exp(-2^i) in Q31."""
EIGHTH, THIRD = 1895147668, 715827883
"""exp(-1 / 8) and 1 / 3 in Q31."""
FIRST_GUESS, GUESS_SLOPE = 1515870810, -1010580540
"""48 / 17 and -32 / 17 in Q29, of a reciprocal."""
INTEGER_BITS = 4


class Emulator:
    """An interpreter of graphs, the main one first. `invoke` gives its outputs; variables stay from call to call."""

    def __init__(self, graphs: Sequence[Graph]) -> None:
        self.graphs = graphs
        self.reset()

    def reset(self) -> None:
        """As before the first call."""
        self.variables: dict[str, np.ndarray] = {}
        self._called = False

    def invoke(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """The outputs of the main graph."""
        main = self.graphs[0]
        values = dict(zip(main.inputs, inputs, strict=True))
        self._run(main, values)
        return [values[one] for one in main.outputs]

    def _run(self, graph: Graph, values: dict[Tensor, np.ndarray]) -> None:
        for node in graph.nodes:
            if node.op in ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"):
                self._keep(node, values)
                continue
            read = [one.data if one.data is not None else values[one] for one in node.inputs]
            out = node.outputs[0]
            values[out] = KERNELS[node.op](node, read).astype(_type(out)).reshape(out.shape)

    def _keep(self, node: Node, values: dict) -> None:
        if node.op == "CALL_ONCE":
            if not self._called:
                self._called = True
                self._run(self.graphs[node.options["InitSubgraphIndex"]], {})
        elif node.op == "VAR_HANDLE":
            values[node.outputs[0]] = node.options["SharedName"]
        elif node.op == "READ_VARIABLE":
            values[node.outputs[0]] = self.variables[values[node.inputs[0]]]
        else:
            given = node.inputs[1]
            self.variables[values[node.inputs[0]]] = given.data if given.data is not None else values[given]


def _type(tensor: Tensor) -> type:
    return {"int4": np.int8, "int8": np.int8, "uint8": np.uint8, "int16": np.int16}.get(tensor.kind, np.int32)


def high_product(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """2 a b / 2^32 of 32 bits, ties away from zero, and what is just below a tie and negative too."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    moved = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.where(moved >= 0, moved // WORD, -(-moved // WORD))


def divided(x: np.ndarray, bits: np.ndarray | int) -> np.ndarray:
    """x / 2^bits, ties away from zero."""
    mask = (np.int64(1) << np.asarray(bits, np.int64)) - 1
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0))


def rescale(total: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Whole sums times multipliers of 31 bits and powers of two, rounded twice."""
    return divided(high_product(total << np.maximum(shift, 0), multiplier), np.maximum(-shift, 0))


def rescale_wide(total: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The same of sums of 64 bits: multipliers of 15 bits, rounded once."""
    reduced = np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF)
    return (total * reduced + (np.int64(1) << (14 - shift))) >> (15 - shift)


def _real(tensor: Tensor) -> np.float64 | np.ndarray:
    scale = tensor.scale.astype(np.float64)
    return scale if len(scale) > 1 else scale[0]


def _held(node: Node, values: np.ndarray) -> np.ndarray:
    """Within the limits of the output and of the fused activation."""
    out = node.outputs[0]
    low, high = LIMITS[out.kind]
    if node.options.get("FusedActivationFunction", ("", "NONE"))[1] == "RELU":
        low = max(low, out.zero_point)
    return np.clip(values + out.zero_point, low, high)


def _centred(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64) - tensor.zero_point


def _padded(node: Node, x: np.ndarray, taps: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    if node.options["Padding"][1] == "VALID":
        return x
    pads = [(0, 0)]
    for size, count, stride in zip(x.shape[1:3], taps, strides, strict=True):
        missing = max(0, (-(-size // stride) - 1) * stride + count - size)
        pads.append((missing // 2, missing - missing // 2))
    return np.pad(x, [*pads, (0, 0)])


def _windows(node: Node, x: np.ndarray, taps: tuple[int, int]) -> np.ndarray:
    """(batch, frames, height, channels, taps over frames, taps over height)."""
    strides = node.options["StrideH"], node.options["StrideW"]
    padded = _padded(node, x, taps, strides)
    return np.lib.stride_tricks.sliding_window_view(padded, taps, (1, 2))[:, :: strides[0], :: strides[1]]


def _weighted(node: Node, total: np.ndarray, read: list[np.ndarray]) -> np.ndarray:
    """Sums behind their biases, multipliers and activation."""
    x, weight, bias = node.inputs
    multiplier, shift = quantised(_real(x) * _real(weight) / _real(node.outputs[0]))
    scaled = rescale_wide if bias.kind == "int64" else rescale
    return _held(node, scaled(total + read[2].astype(np.int64), multiplier, shift))


def conv(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """CONV_2D."""
    weight = read[1].astype(np.float64)
    windows = _windows(node, _centred(node.inputs[0], read[0]).astype(np.float64), weight.shape[1:3])
    total = np.tensordot(windows, weight, ([4, 5, 3], [1, 2, 3]))
    return _weighted(node, total.astype(np.int64), read)


def depthwise(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """DEPTHWISE_CONV_2D."""
    weight = read[1].astype(np.float64)
    windows = _windows(node, _centred(node.inputs[0], read[0]).astype(np.float64), weight.shape[1:3])
    return _weighted(node, np.einsum("bthckl,klc->bthc", windows, weight[0]).astype(np.int64), read)


def fully_connected(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """FULLY_CONNECTED, whose scales are multiplied in 32 bits where there is one for all outputs."""
    x, weight, _ = node.inputs
    total = _centred(x, read[0]).reshape(-1, weight.shape[1]) @ read[1].astype(np.int64).T + read[2]
    product = np.float64(x.step * weight.step) if len(weight.scale) == 1 else _real(x) * _real(weight)
    return _held(node, rescale(total, *quantised(product / _real(node.outputs[0]))))


def add(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """ADD: both with 20 bits more on 8, 15 on 16."""
    out, bits = node.outputs[0], 20 if node.outputs[0].kind == "int8" else 15
    twice = 2 * max(_real(one) for one in node.inputs)
    parts = [
        rescale(_centred(one, values) << bits, *quantised(_real(one) / twice))
        for one, values in zip(node.inputs, read, strict=True)
    ]
    return _held(node, rescale(sum(parts), *quantised(twice / ((1 << bits) * _real(out)))))


def mul(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """MUL."""
    first, second = (_centred(one, values) for one, values in zip(node.inputs, read, strict=True))
    real = _real(node.inputs[0]) * _real(node.inputs[1]) / _real(node.outputs[0])
    return _held(node, rescale(first * second, *quantised(real)))


def mean(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """MEAN over two axes: the sum is rescaled, then divided, ties away from zero."""
    x = _centred(node.inputs[0], read[0])
    count = x.shape[1] * x.shape[2]
    multiplier, shift = folded_mean(_real(node.inputs[0]) / _real(node.outputs[0]), count)
    return _held(node, rescale(x.sum((1, 2), keepdims=True), multiplier, shift))


def folded_mean(real: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The multiplier of a sum that is the mean's as well: 1 / count is folded into it, cut off."""
    multiplier, shift = quantised(real)
    up = min(count.bit_length() - 1, 31 + int(shift))
    return np.int64((int(multiplier) << up) // count), np.int64(int(shift) - up)


def quantize(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """QUANTIZE between integers."""
    x = node.inputs[0]
    return _held(node, rescale(_centred(x, read[0]), *quantised(_real(x) / _real(node.outputs[0]))))


def pad(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """PAD with zeros."""
    return np.pad(read[0], node.inputs[1].data, constant_values=node.outputs[0].zero_point)


def strided_slice(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """STRIDED_SLICE along one axis."""
    begin, end, _ = (one.data for one in node.inputs[1:])
    kept = node.options["BeginMask"]
    whole = [
        slice(None) if kept >> axis & 1 else slice(*ends) for axis, ends in enumerate(zip(begin, end, strict=True))
    ]
    return read[0][tuple(whole)]


def logistic_node(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """LOGISTIC on 8 bits."""
    return logistic(_centred(node.inputs[0], read[0]), _real(node.inputs[0])) - 128


def logistic(x: np.ndarray, scale: float) -> np.ndarray:
    """Of whole numbers of a scale, 0 to 255 in steps of 1 / 256."""
    multiplier, shift = quantised(scale * 2.0 ** (31 - INTEGER_BITS))
    radius = int(np.floor((2.0**INTEGER_BITS - 1) * 2.0 ** (31 - INTEGER_BITS) / 2.0 ** float(shift)))
    inner = np.clip(x, 1 - radius, radius - 1)
    found = np.minimum(divided(_logistic(rescale(inner, multiplier, shift)), 31 - 8), 255)
    return np.where(x <= -radius, 0, np.where(x >= radius, 255, found))


def _logistic(a: np.ndarray) -> np.ndarray:
    """Of Q27, in Q31."""
    positive = _reciprocal(_exponential(-np.abs(a)))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, WORD - 1 - positive))


def _exponential(a: np.ndarray) -> np.ndarray:
    """Of what is not positive, Q27, in Q31."""
    fraction = 31 - INTEGER_BITS
    quarter = 1 << (fraction - 2)
    within = (a & (quarter - 1)) - quarter
    x = (within << INTEGER_BITS) + (1 << 28)
    square = high_product(x, x)
    series = divided(high_product(square, square), 2) + high_product(square, x)
    series = divided(high_product(series, THIRD) + square, 1)
    found = EIGHTH + high_product(x + series, EIGHTH)
    for exponent, factor in EXPONENTS.items():
        found = np.where((within - a) & (1 << (fraction + exponent)), high_product(found, factor), found)
    return np.where(a == 0, WORD - 1, found)


def _reciprocal(a: np.ndarray) -> np.ndarray:
    """1 / (1 + a) of a from 0 to 1, Q31, by three steps of Newton's method."""
    half = (a + WORD - 1 + 1) // 2
    x = FIRST_GUESS + high_product(half, GUESS_SLOPE)
    for _ in range(3):
        x = x + (high_product(x, (1 << 29) - high_product(half, x)) << 2)
    return np.minimum(x << 1, WORD - 1)


KERNELS: dict[str, Callable[[Node, list[np.ndarray]], np.ndarray]] = {
    "ADD": add,
    "CONCATENATION": lambda node, read: np.concatenate(read, node.options["Axis"]),
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": fully_connected,
    "LOGISTIC": logistic_node,
    "MAX_POOL_2D": lambda node, read: read[0].max((1, 2), keepdims=True),
    "MEAN": mean,
    "MUL": mul,
    "PAD": pad,
    "QUANTIZE": quantize,
    "RESHAPE": lambda node, read: read[0],
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": lambda node, read: read[0].transpose(read[1]),
}
"""What computes each operator, from the values of its inputs."""
