"""Operators as ONNX nodes: the twins of supernet.ops.

Each adds the nodes of one layer to a graph, from the stored integers of its inputs to its own. Reals are those that
the integers stand for; where a layer goes on in more than 8 bits (filters over samples, memories), its numbers are
whole ones in double precision, in which sums are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
from onnx import TensorProto, helper

from supernet.frontend.fixed import LOG_BITS
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec
from supernet.ops.filters import FLOOR_BITS, SAMPLE_BYTES, fall, positions
from supernet.ops.memory import FRACTION, LEAST, MOST, UNIT
from zoo.export.onnx.graph import Graph
from zoo.export.onnx.names import FEATURES, LOGITS, SAMPLES

__all__ = ["TWINS", "build"]

HIGH_BYTE = 256


def build(network: IntegerNetwork, form: str, kind: type = np.uint8) -> Graph:
    """A network in a form, `clip` or `stream`. kind: of values between layers, see Graph."""
    graph = Graph(network, form, kind)
    for spec in network.specs:
        TWINS[spec.kind](graph, spec)
    return graph


def _input(graph: Graph, spec: LayerSpec) -> None:
    """Features (1, coefficients, frames) int8; or samples (1, samples) int16, where that is what is read."""
    channels, height, frames = spec.out_shape
    frames = graph.frames(frames)
    if any(spec.name in reader.inputs and reader.operator.read_bits == 16 for reader in graph.network.specs):
        graph.reads(SAMPLES, np.int16, (1, frames * height // SAMPLE_BYTES))
        return
    found = graph.reads(FEATURES, np.int8, (1, channels * height, frames))
    if graph.offset:
        found = graph.node("Cast", [found], "input.i", to=TensorProto.INT32)
        found = graph.node("Add", [found, graph.constant("input.o", np.array(graph.offset), np.int32)], "input.u")
        found = graph.node("Cast", [found], "input.8", to=TensorProto.UINT8)
    shape = graph.integers(1, channels, height, frames)
    graph.node("Reshape", [found, shape], graph.stored(spec.name))


def _conv(graph: Graph, spec: LayerSpec) -> None:
    top, bottom, left, right = spec.pad
    value = graph.stored(spec.inputs[0])
    if graph.streams:
        left, right, value = 0, 0, graph.joined(spec, value, spec.operator.kept_frames(spec))
    how = {"strides": spec.stride[:], "pads": (top, left, bottom, right), "group": spec.groups}
    inputs = [graph.dequantised(spec, value), *graph.weights(spec)]
    graph.quantised(spec, graph.node("Conv", inputs, f"{spec.name}.f", name=spec.name, kernel_shape=spec.kernel, **how))


def _linear(graph: Graph, spec: LayerSpec) -> None:
    flat = graph.node("Flatten", [graph.dequantised(spec)], f"{spec.name}.x")
    graph.quantised(spec, graph.node("Gemm", [flat, *graph.weights(spec)], f"{spec.name}.f", name=spec.name, transB=1))
    if spec.logits:
        graph.node("Identity", [graph.stored(spec.name)], graph.gives(LOGITS, np.int16, (1, spec.out_shape[0])))


def _pool(graph: Graph, spec: LayerSpec) -> None:
    """In a stream of the frame of one answer and those before it."""
    value = graph.stored(spec.inputs[0])
    if graph.streams:
        value = graph.joined(spec, value, spec.operator.kept_frames(spec) - 1)
    source = next(one for one in graph.network.specs if one.name == spec.inputs[0])
    found = graph.raised(spec, value) if source.rectified else graph.dequantised(spec, value)
    graph.quantised(spec, graph.node("GlobalAveragePool", [found], f"{spec.name}.f", name=spec.name))


def _both(kind: str) -> Callable[[Graph, LayerSpec], None]:
    def twin(graph: Graph, spec: LayerSpec) -> None:
        inputs = [graph.dequantised(spec, number=number) for number in (0, 1)]
        graph.quantised(spec, graph.node(kind, inputs, f"{spec.name}.f", name=spec.name))

    return twin


def _filters(graph: Graph, spec: LayerSpec) -> None:
    """Both bytes of samples by themselves, which leaves sums exact in single precision; then in double."""
    name, samples = spec.name, _heard(graph, spec)
    wide = graph.node("Cast", [samples], f"{name}.x", to=TensorProto.FLOAT)
    step = graph.constant(f"{name}.256", np.array(HIGH_BYTE), np.float32)
    high = graph.node("Floor", [graph.node("Div", [wide, step], f"{name}.d")], f"{name}.h")
    low = graph.node("Sub", [wide, graph.node("Mul", [high, step], f"{name}.m")], f"{name}.l")
    both = graph.node("Unsqueeze", [graph.node("Concat", [low, high], f"{name}.lh", axis=0), graph.integers(1)],
                      f"{name}.y")  # fmt: skip
    taps = graph.node("Cast", [graph.stored_weights(spec)], f"{name}.wr", to=TensorProto.FLOAT)
    taps = graph.node("Reshape", [taps, graph.integers(spec.out_shape[0], 1, spec.kernel[0])], f"{name}.t")
    sums = graph.node("Conv", [both, taps], f"{name}.f", kernel_shape=[spec.kernel[0]], strides=[spec.stride[0]])
    _logarithms(graph, spec, graph.node("Cast", [sums], f"{name}.fd", to=TensorProto.DOUBLE))


def _heard(graph: Graph, spec: LayerSpec) -> str:
    """The samples of all frames, behind those that the first one looks back on."""
    kept = spec.kernel[0] - spec.stride[0]
    if not kept:
        return SAMPLES
    if graph.streams:
        before, behind = graph.state(spec, np.int16, (1, kept), 0)
    else:
        before, behind = graph.constant(f"{spec.name}.0", np.zeros((1, kept)), np.int16), None
    both = graph.node("Concat", [before, SAMPLES], f"{spec.name}.both", axis=1)
    if behind:
        graph.last(both, behind, kept, 1)
    return both


def _logarithms(graph: Graph, spec: LayerSpec, sums: str) -> None:
    """Of rectified sums (low and high byte, filters, places) over each frame; then bias, multiplier and shift."""
    name, frames, tensors = spec.name, graph.frames(spec.out_shape[2]), graph.network.tensors[spec.name]
    weights = graph.constant(f"{name}.by", np.array([1, HIGH_BYTE]).reshape(2, 1, 1), np.float64)
    whole = graph.node("ReduceSum", [graph.node("Mul", [sums, weights], f"{name}.g"), graph.integers(0)], f"{name}.i",
                       keepdims=0)  # fmt: skip
    shape = graph.integers(spec.out_shape[0], 1, frames, positions(spec))
    sizes = graph.node("Reshape", [graph.node("Abs", [whole], f"{name}.a"), shape], f"{name}.p")
    over = graph.node("ReduceSum", [sizes, graph.integers(3)], f"{name}.e", keepdims=0)
    fallen = graph.node("Floor", [graph.node("Mul", [over, graph.real(2.0 ** -fall(spec))], f"{name}.j")], f"{name}.k")
    logs = graph.node("Log", [graph.node("Add", [fallen, graph.real(2.0**FLOOR_BITS)], f"{name}.n")], f"{name}.o")
    real = tensors.multiplier * 2.0 ** -tensors.shift.astype(float) * graph.network.activations[name].scale
    per, bias = real * 2.0**LOG_BITS / log(2), real * (tensors.bias - (FLOOR_BITS << LOG_BITS))
    per, bias = (graph.constant(f"{name}.{end}", one.reshape(-1, 1, 1), np.float64) for end, one in
                 (("per", per), ("bias", bias)))  # fmt: skip
    scaled = graph.node("Add", [graph.node("Mul", [logs, per], f"{name}.u"), bias], f"{name}.v")
    _stored_real(graph, spec, graph.node("Unsqueeze", [scaled, graph.integers(0)], f"{name}.1d"))


def _memory(graph: Graph, spec: LayerSpec) -> None:
    """Frame by frame, in whole numbers, rounded as in the package."""
    name, (channels, order, _) = spec.name, spec.out_shape
    if graph.streams:
        before, behind = graph.state(spec, np.int16, (channels, order), 0)
    else:
        before, behind = graph.constant(f"{name}.0", np.zeros((channels, order)), np.int16), None
    start = graph.node("Cast", [before], f"{name}.m0", to=TensorProto.DOUBLE)
    end, every = f"{name}.m1", f"{name}.every"
    inputs = [start, _steps(graph, spec)]
    graph.scan(inputs, [end, every], _remembered(graph, spec))
    if behind:
        graph.node("Cast", [end], behind, to=TensorProto.INT16)
    tensors, scale = graph.network.tensors[name], graph.network.activations[name].scale
    real = float(tensors.multiplier[0]) * 2.0 ** -float(tensors.shift[0]) * scale
    found = graph.node("Mul", [every, graph.real(real)], f"{name}.u")
    turned = graph.node("Transpose", [found], f"{name}.v", perm=(1, 2, 0))
    _stored_real(graph, spec, graph.node("Unsqueeze", [turned, graph.integers(0)], f"{name}.1d"))


def _steps(graph: Graph, spec: LayerSpec) -> str:
    """The stored input less its zero point, (frames, channels, 1) in double precision."""
    name, zero = spec.name, graph.network.activations[spec.inputs[0]].zero_point + graph.offset
    wide = graph.node("Cast", [graph.stored(spec.inputs[0])], f"{name}.w", to=TensorProto.DOUBLE)
    steps = graph.node("Sub", [wide, graph.real(float(zero))], f"{name}.d")
    shape = graph.integers(spec.in_shape[0], graph.frames(spec.in_shape[2]), 1)
    return graph.node("Transpose", [graph.node("Reshape", [steps, shape], f"{name}.p")], f"{name}.x", perm=(1, 0, 2))


def _remembered(graph: Graph, spec: LayerSpec):
    """One frame: memories (channels, order), and the input (channels, 1), to the memories behind it, twice."""
    name, (channels, order, _) = spec.name, spec.out_shape
    transition = graph.network.tensors[name].transition.astype(np.float64)
    before = graph.constant(f"{name}.A", transition[:, :-1].T, np.float64)
    drive = graph.constant(f"{name}.B", UNIT * transition[None, :, -1], np.float64)
    unit, half = graph.real(2.0**-FRACTION), graph.real(0.5)
    nodes = [
        ("MatMul", ["m", before], "a"), ("Mul", ["u", drive], "b"), ("Add", ["a", "b"], "c"),
        ("Mul", ["c", unit], "d"), ("Add", ["d", half], "e"), ("Floor", ["e"], "f"),
        ("Clip", ["f", graph.real(float(LEAST)), graph.real(float(MOST))], "after"), ("Identity", ["after"], "out"),
    ]  # fmt: skip
    double = TensorProto.DOUBLE
    memories = [helper.make_tensor_value_info(one, double, (channels, order)) for one in ("m", "after", "out")]
    heard = helper.make_tensor_value_info("u", double, (channels, 1))
    made = [helper.make_node(kind, graph.short(inputs), [output]) for kind, inputs, output in nodes]
    return helper.make_graph(made, f"{name}.frame", [memories[0], heard], memories[1:])


def _stored_real(graph: Graph, spec: LayerSpec, value: str) -> None:
    graph.quantised(spec, graph.node("Cast", [value], f"{spec.name}.f32", to=TensorProto.FLOAT))


TWINS: dict[str, Callable[[Graph, LayerSpec], None]] = {
    "input": _input,
    "conv": _conv,
    "linear": _linear,
    "pool": _pool,
    "add": _both("Add"),
    "scale": _both("Mul"),
    "filters": _filters,
    "memory": _memory,
}
"""By kind: what adds a layer to a graph."""
