"""A network of integers as an ONNX model of QDQ nodes, which ONNX Runtime fuses into its kernels of int8."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec

__all__ = ["qdq_model"]

OPSET, IR = 17, 8
"""Versions that all runtimes of today read."""
OFFSET = {np.int8: 0, np.uint8: 128}
"""Of stored integers."""


def qdq_model(network: IntegerNetwork, kind: type = np.int8) -> bytes:
    """The ONNX model that reads the chosen features (1, channels, height, frames) and gives logits in floating point.

    Weights are int8, one scale a channel, biases int32; batch norms and multipliers are in the scales of the weights.
    kind: of activations, int8 as here or uint8, the same integers plus 128.
    """
    return _Graph(network, kind).model().SerializeToString()


class _Graph:
    def __init__(self, network: IntegerNetwork, kind: type) -> None:
        self._network, self._kind = network, kind
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        first, *specs = self._network.specs
        self._quantise(first.name)
        for spec in specs:
            self._add(spec)
        element = TensorProto.INT8 if self._kind is np.int8 else TensorProto.UINT8
        reads = helper.make_tensor_value_info(f"{first.name}_q", element, (1, *first.out_shape))
        gives = helper.make_tensor_value_info(specs[-1].name, TensorProto.FLOAT, (1, specs[-1].out_shape[0]))
        graph = helper.make_graph(self._nodes, "network", [reads], [gives], self._constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(made)
        return made

    def _add(self, spec: LayerSpec) -> None:
        if spec.kind == "linear":
            self._linear(spec)
            return
        result = f"{spec.name}_f"
        made = {"conv": self._conv, "add": self._add_maps, "scale": self._scale, "pool": self._pool}[spec.kind]
        made(spec, f"{spec.name}_sum" if spec.rectified else result)
        if spec.rectified:
            self._node("Relu", [f"{spec.name}_sum"], result)
        scale, zero = self._stored(spec.name)
        self._node("QuantizeLinear", [result, scale, zero], f"{spec.name}_q")
        self._quantise(spec.name)

    def _conv(self, spec: LayerSpec, result: str) -> None:
        top, bottom, left, right = spec.pad
        how = {"kernel_shape": spec.kernel, "strides": spec.stride, "pads": (top, left, bottom, right)}
        self._node("Conv", [spec.inputs[0], *self._weights(spec)], result, **how, group=spec.groups)

    def _linear(self, spec: LayerSpec) -> None:
        self._node("Flatten", [spec.inputs[0]], f"{spec.name}_flat")
        self._node("Gemm", [f"{spec.name}_flat", *self._weights(spec)], spec.name, transB=1)

    def _add_maps(self, spec: LayerSpec, result: str) -> None:
        self._node("Add", spec.inputs, result)

    def _scale(self, spec: LayerSpec, result: str) -> None:
        self._node("Mul", spec.inputs, result)

    def _pool(self, spec: LayerSpec, result: str) -> None:
        self._node("GlobalAveragePool", spec.inputs, result)

    def _weights(self, spec: LayerSpec) -> list[str]:
        """Names of the weights and biases of a layer, in floating point."""
        tensors, name = self._network.tensors[spec.name], spec.name
        reads, gives = (self._network.activations[one].scale for one in (spec.inputs[0], name))
        scale = tensors.multiplier * 2.0 ** -tensors.shift.astype(float) * gives / reads
        zeros = np.zeros(len(scale))
        parts = {"weight": (tensors.weight, scale, np.int8), "bias": (tensors.bias, scale * reads, np.int32)}
        for part, (values, scales, kind) in parts.items():
            names = [self._constant(f"{name}_{part}_{end}", array, dtype) for end, array, dtype in
                     (("q", values, kind), ("scale", scales, np.float32), ("zero", zeros, kind))]  # fmt: skip
            self._node("DequantizeLinear", names, f"{name}_{part}", axis=0)
        return [f"{name}_{part}" for part in parts]

    def _quantise(self, name: str) -> None:
        self._node("DequantizeLinear", [f"{name}_q", *self._stored(name)], name)

    def _stored(self, name: str) -> tuple[str, str]:
        activation = self._network.activations[name]
        zero = np.array(activation.zero_point + OFFSET[self._kind])
        return (
            self._constant(f"{name}_scale", np.array(activation.scale), np.float32),
            self._constant(f"{name}_zero", zero, self._kind),
        )

    def _constant(self, name: str, values: np.ndarray, kind: type) -> str:
        if all(one.name != name for one in self._constants):
            self._constants.append(
                numpy_helper.from_array(np.ascontiguousarray(values, kind).reshape(values.shape), name)
            )
        return name

    def _node(self, kind: str, inputs, output: str, **how) -> None:
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **how))
