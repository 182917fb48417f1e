"""A network of integers as an ONNX graph: quantise-dequantise nodes around operators in floating point.

    clip      the features of a clip -> logits
    stream    the features of one step, which are the frames to one more answer, and states -> logits, and states

Every tensor between layers is uint8 at the package's own scale, its integers plus 128; the nodes say what a layer
computes of the reals that these stand for, and runtimes fuse them into kernels of integers (ONNX Runtime on x86 fuses
int8 that several layers read not at all). Weights are int8, or int4 where they
have 4 bits or fewer, at half the size; biases int32. Multipliers are in the scales of the weights. Opset 21, for int4
and int16. What layers of each kind are is in zoo.export.onnx.ops.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, parts
from supernet.memory import answer_frames

__all__ = ["Graph"]

OPSET, IR = 21, 10
FEW_BITS = 4
RAISED = 1 + 2**-22
"""Two steps of single precision."""


class Graph:
    """The nodes of a network in one form, as operators add them.

    step: how many frames of an input it hears at once, by the frames of a clip. states: by name, what each holds before
    the first frame.
    """

    def __init__(self, network: IntegerNetwork, form: str, kind: type = np.uint8) -> None:
        """kind: of values between layers; int8 are the package's own integers, which fewer processors fuse."""
        self.network, self.form, self.kind = network, form, kind
        self.streams = form == "stream"
        self.offset = 128 if kind is np.uint8 else 0
        self.answers = answer_frames(parts(network.arch)) if self.streams else 1
        self.states: dict[str, int] = {}
        self._numbers = {spec.name: number for number, spec in enumerate(network.specs)}
        self._made: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._reads: list[onnx.ValueInfoProto] = []
        self._gives: list[onnx.ValueInfoProto] = []

    def frames(self, of_clip: int) -> int:
        """Of a tensor that has so many of a clip, those that are computed at once."""
        return of_clip // self.answers

    def node(self, kind: str, inputs: Iterable[str], output: str, **how) -> str:
        """Add a node; gives the name of its output."""
        self._nodes.append(helper.make_node(kind, self.short(inputs), self.short([output]), **how))
        self._made.add(output)
        return output

    def short(self, names: Iterable[str]) -> list[str]:
        """As they are in the file: the number of a layer stands for its name, which would take as much as its weights.
        Inputs and outputs keep theirs.
        """
        kept = {one.name for one in (*self._reads, *self._gives)}
        parts = ((name, *name.partition(".")) for name in names)
        return [name if name in kept or head not in self._numbers else f"{self._numbers[head]}{dot}{tail}"
                for name, head, dot, tail in parts]  # fmt: skip

    def scan(self, inputs: list[str], outputs: list[str], frame: onnx.GraphProto) -> None:
        """Add a loop over the frames of the second input, from a state, the first one, to the state behind them and
        what each frame gives.
        """
        inputs, outputs = self.short(inputs), self.short(outputs)
        self._nodes.append(helper.make_node("Scan", inputs, outputs, body=frame, num_scan_inputs=1))

    def constant(self, name: str, values, kind: type) -> str:
        """Add a constant; gives its name."""
        array = np.asarray(values)
        array = np.ascontiguousarray(array, kind).reshape(array.shape)
        [short] = self.short([name])
        self._constants.setdefault(short, numpy_helper.from_array(array, short))
        return name

    def reads(self, name: str, kind: type, shape: tuple[int, ...]) -> str:
        """Add an input of the graph."""
        self._reads.append(_value(name, kind, shape))
        return name

    def gives(self, name: str, kind: type, shape: tuple[int, ...]) -> str:
        """Add an output of the graph."""
        self._gives.append(_value(name, kind, shape))
        return name

    @property
    def input_name(self) -> str:
        """Of what it hears."""
        return self._reads[0].name

    def state(self, spec: LayerSpec, kind: type, shape: tuple[int, ...], start: int) -> tuple[str, str]:
        """Names of what a stream keeps for a layer, before and behind a step. start: its value before the first one."""
        before, behind = f"{spec.name}.state", f"{spec.name}.next"
        self.states[before] = start
        return self.reads(before, kind, shape), self.gives(behind, kind, shape)

    def joined(self, spec: LayerSpec, value: str, kept: int) -> str:
        """A stored tensor behind its last `kept` frames, which are a state: what a layer looks back on."""
        if not kept:
            return value
        channels, height, _ = spec.in_shape
        start = self.network.activations[spec.inputs[0]].zero_point + self.offset
        before, behind = self.state(spec, self.kind, (1, channels, height, kept), start)
        both = self.node("Concat", [before, value], f"{spec.name}.both", axis=3)
        self.last(both, behind, kept, 3)
        return both

    def last(self, value: str, output: str, count: int, axis: int) -> str:
        """The last so many values along an axis."""
        starts, ends = self.integers(-count), self.integers(2**31)
        return self.node("Slice", [value, starts, ends, self.integers(axis)], output)

    def integers(self, *values: int) -> str:
        """A constant of whole numbers, such as a shape."""
        return self.constant("i" + "_".join(map(str, values)), np.array(values), np.int64)

    def real(self, value: float) -> str:
        """A constant in double precision."""
        return self.constant(f"d{value!r}", np.array(value), np.float64)

    def stored(self, name: str) -> str:
        """The name of a layer's stored integers."""
        return f"{name}.q"

    def raised(self, spec: LayerSpec, value: str) -> str:
        """The reals of stored integers `value`, an input of a layer of which none is below zero, a few bits too large:
        halves, which runtimes round to even, are rounded up as in the package.
        """
        scale, zero = self.network.activations[spec.inputs[0]].scale * RAISED, self._scale(spec.inputs[0])[1]
        by = self.constant(f"{spec.name}.xs", np.array(scale), np.float32)
        return self.node("DequantizeLinear", [value, by, zero], f"{spec.name}.x")

    def dequantised(self, spec: LayerSpec, value: str | None = None, number: int = 0) -> str:
        """The reals of an input of a layer, or of stored integers `value` in its place."""
        source = spec.inputs[number]
        if value is None or value == self.stored(source):
            value, output = self.stored(source), source
            if output in self._made:
                return output
        else:
            output = f"{spec.name}.x"
        return self.node("DequantizeLinear", [value, *self._scale(source)], output)

    def quantised(self, spec: LayerSpec, value: str) -> None:
        """Hold a layer's reals within its limits, and store them."""
        activation = self.network.activations[spec.name]
        if spec.rectified:
            value = self.node("Relu", [value], f"{spec.name}.r")
        if not spec.logits and activation.bits < 8:
            low, high = (activation.scale * one for one in activation.span(spec.rectified))
            limits = [self.constant(f"{spec.name}.{end}", np.array(one), np.float32) for end, one in
                      (("low", low), ("high", high))]  # fmt: skip
            value = self.node("Clip", [value, *limits], f"{spec.name}.c")
        self.node("QuantizeLinear", [value, *self._scale(spec.name)], self.stored(spec.name))

    def weights(self, spec: LayerSpec) -> list[str]:
        """The reals of a layer's weights and biases, from integers."""
        tensors, name = self.network.tensors[spec.name], spec.name
        read, given = (self.network.activations[one].scale for one in (spec.inputs[0], name))
        scale = tensors.multiplier * 2.0 ** -tensors.shift.astype(float) * given / read
        zeros = self.constant(f"{name}.wz", np.zeros(len(scale)), np.int8)
        stored = (self.stored_weights(spec),), (self.constant(f"{name}.b", tensors.bias, np.int32),)
        scales = (self.constant(f"{name}.{end}s", one, np.float32) for end, one in (("w", scale), ("b", scale * read)))
        inputs = zip(stored, scales, ((zeros,), ()), strict=True)
        return [self.node("DequantizeLinear", [*one, by, *zero], f"{name}.{end}r", axis=0)
                for (one, by, zero), end in zip(inputs, "wb", strict=True)]  # fmt: skip

    def stored_weights(self, spec: LayerSpec) -> str:
        """Integers of a layer's weights as int8; where they have few bits, made of int4 when the file is loaded."""
        weight, name = self.network.tensors[spec.name].weight, f"{spec.name}.w"
        if spec.weight_bits > FEW_BITS or np.abs(weight).max() > 2 ** (FEW_BITS - 1) - 1:
            return self.constant(name, weight, np.int8)
        nibbles = np.append(weight.ravel(), np.zeros(weight.size % 2, np.int8)).astype(np.uint8) & 15
        packed = (nibbles[::2] | nibbles[1::2] << 4).tobytes()
        [short] = self.short([f"{name}4"])
        self._constants[short] = helper.make_tensor(short, TensorProto.INT4, weight.shape, packed, raw=True)
        return self.node("Cast", [f"{name}4"], name, to=TensorProto.INT8)

    def model(self, metadata: dict[str, str]) -> bytes:
        """The file. metadata: texts by name, beside its form and what its states hold at first."""
        *states, logits = self._gives
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, "network", self._reads, [logits, *states], constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        made.producer_name = "earshot"
        own = {"earshot.form": self.form, "earshot.states": json.dumps(self.states)}
        helper.set_model_props(made, {**metadata, **own})
        onnx.checker.check_model(made, full_check=True)
        return made.SerializeToString(deterministic=True)

    def _scale(self, name: str) -> tuple[str, str]:
        """Scale and zero point of a layer."""
        activation = self.network.activations[name]
        wide = activation.bits > 8
        kind, zero = (np.int16, activation.zero_point) if wide else (self.kind, activation.zero_point + self.offset)
        return (
            self.constant(f"{name}.s", np.array(activation.scale), np.float32),
            self.constant(f"{name}.z", np.array(zero), kind),
        )


def _value(name: str, kind: type, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
