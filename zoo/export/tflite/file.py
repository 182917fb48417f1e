"""Graphs as the bytes of a .tflite file, by the published schema; no TensorFlow.

Equal vectors, constants and quantisations are written once. A lean file is for TFLite Micro alone: LiteRT wants a scale
of each bias and a zero point of each channel, which Micro does not read. Needs `flatbuffers`, and `tflite` for the
schema.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.export.tflite.graph import Graph, Node, Tensor

__all__ = ["to_bytes"]

IDENTIFIER, SCHEMA, ALIGNMENT = b"TFL3", 3, 16
OPTIONS = {
    "ADD": "AddOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "LOGISTIC": None,
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "QUANTIZE": "QuantizeOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "RESHAPE": "ReshapeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "TRANSPOSE": "TransposeOptions",
    "VAR_HANDLE": "VarHandleOptions",
}
"""The table of options of each operator that is written."""
VERSIONS = {"ADD": 2, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "LOGISTIC": 2,
            "MAX_POOL_2D": 2, "MEAN": 2, "MUL": 2, "PAD": 2, "STRIDED_SLICE": 2, "TRANSPOSE": 2}  # fmt: skip
"""Of operators on 8 bits, where not 1."""


NARROW_VERSIONS, WIDE_VERSIONS = {"CONV_2D": 7, "DEPTHWISE_CONV_2D": 7}, {"CONV_2D": 4}
"""With weights of 4 bits, and on values of 16."""


def to_bytes(graphs: Sequence[Graph], about: str, metadata: Mapping[str, bytes], lean: bool = False) -> bytes:
    """The file of a main graph and those that it calls. about: its description. metadata: by name."""
    import flatbuffers

    return _File(flatbuffers.Builder(1 << 16), lean).finish(graphs, about, metadata)


class _File:
    """One file under way; what is equal is kept by its key."""

    def __init__(self, builder, lean: bool) -> None:
        import tflite

        self.builder, self.schema, self.lean = builder, tflite, lean
        self.kept: dict[Hashable, int] = {}
        self.buffers: dict[bytes, int] = {b"": 0}
        self.codes: dict[tuple[str, int], int] = {}

    def finish(self, graphs: Sequence[Graph], about: str, metadata: Mapping[str, bytes]) -> bytes:
        subgraphs = self._tables([self._graph(graph) for graph in graphs])
        named = [self._metadata(name, value) for name, value in metadata.items()]
        codes = self._tables([self._code(*code) for code in self.codes])
        buffers = self._tables([self._buffer(data) for data in self.buffers])
        values = {
            "OperatorCodes": codes,
            "Subgraphs": subgraphs,
            "Description": self.builder.CreateString(about),
            "Buffers": buffers,
            "Metadata": self._tables(named),
        }
        model = self._table("Model", {"Version": SCHEMA, **values})
        self.builder.Finish(model, IDENTIFIER)
        return bytes(self.builder.Output())

    def _table(self, name: str, values: Mapping[str, Any]) -> int:
        """A table of fields by their names in the schema."""
        module = self.schema
        getattr(module, f"{name}Start")(self.builder)
        for field, value in values.items():
            getattr(module, f"{name}Add{field}")(self.builder, value)
        return getattr(module, f"{name}End")(self.builder)

    def _once(self, key: Hashable, make) -> int:
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def _vector(self, values: Sequence[int] | np.ndarray, kind: type) -> int:
        array = np.ascontiguousarray(values, kind)
        return self._once((array.dtype.str, array.tobytes()), lambda: self.builder.CreateNumpyVector(array))

    def _tables(self, offsets: Sequence[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def _buffer(self, data: bytes) -> int:
        if not data:
            return self._table("Buffer", {})
        self.builder.StartVector(1, len(data), ALIGNMENT)
        self.builder.head -= len(data)
        self.builder.Bytes[self.builder.head : self.builder.head + len(data)] = data
        return self._table("Buffer", {"Data": self.builder.EndVector()})

    def _code(self, op: str, version: int) -> int:
        number = getattr(self.schema.BuiltinOperator, op)
        values = {"DeprecatedBuiltinCode": min(number, 127), "Version": version, "BuiltinCode": number}
        return self._table("OperatorCode", values)

    def _metadata(self, name: str, value: bytes) -> int:
        return self._table("Metadata", {"Name": self.builder.CreateString(name), "Buffer": self._number(value)})

    def _number(self, data: bytes) -> int:
        """Of a buffer, which is written last."""
        return self.buffers.setdefault(data, len(self.buffers))

    def _graph(self, graph: Graph) -> int:
        tensors, outer = graph.tensors, {*graph.inputs, *graph.outputs}
        numbers = {tensor: number for number, tensor in enumerate(tensors)}
        ends = [self._vector([numbers[one] for one in some], np.int32) for some in (graph.inputs, graph.outputs)]
        values = {
            "Tensors": self._tables([self._tensor(tensor, tensor not in outer) for tensor in tensors]),
            "Inputs": ends[0],
            "Outputs": ends[1],
            "Operators": self._tables([self._node(node, numbers) for node in graph.nodes]),
            "Name": self.builder.CreateString(graph.name),
        }
        return self._table("SubGraph", values)

    def _tensor(self, tensor: Tensor, inner: bool) -> int:
        kind = getattr(self.schema.TensorType, tensor.kind.upper())
        values = {"Shape": self._vector(tensor.shape, np.int32), "Type": kind}
        if tensor.data is not None:
            values["Buffer"] = self._number(_packed(tensor))
        if tensor.name and not (self.lean and inner):
            values["Name"] = self._once(tensor.name, lambda: self.builder.CreateString(tensor.name))
        bias = tensor.data is not None and tensor.data.ndim == 1
        if tensor.scale is not None and not (self.lean and bias):
            values["Quantization"] = self._quantisation(tensor)
        return self._table("Tensor", {**values, "HasRank": True})

    def _quantisation(self, tensor: Tensor) -> int:
        zeros = np.full(1 if self.lean else len(tensor.scale), tensor.zero_point)
        vectors = self._vector(tensor.scale, np.float32), self._vector(zeros, np.int64)
        values = {"Scale": vectors[0], "ZeroPoint": vectors[1], "QuantizedDimension": tensor.axis}
        return self._once((vectors, tensor.axis), lambda: self._table("QuantizationParameters", values))

    def _node(self, node: Node, numbers: Mapping[Tensor, int]) -> int:
        code = (node.op, _version(node))
        values = {
            "OpcodeIndex": self.codes.setdefault(code, len(self.codes)),
            "Inputs": self._vector([-1 if one is None else numbers[one] for one in node.inputs], np.int32),
            "Outputs": self._vector([numbers[one] for one in node.outputs], np.int32),
        }
        if table := OPTIONS[node.op]:
            values["BuiltinOptionsType"] = getattr(self.schema.BuiltinOptions, table)
            values["BuiltinOptions"] = self._options(table, node.options)
        return self._table("Operator", values)

    def _options(self, table: str, options: Mapping[str, Any]) -> int:
        read = {name: self._option(value) for name, value in options.items()}
        key = (table, *read.items())
        return self._once(key, lambda: self._table(table, read))

    def _option(self, value: Any) -> Any:
        """Numbers as they are, text and lists as what is written apart, enumerations by their names."""
        if isinstance(value, tuple):
            kind, name = value
            return getattr(getattr(self.schema, kind), name)
        if isinstance(value, str):
            return self._once(value, lambda: self.builder.CreateString(value))
        return self._vector(value, np.int32) if isinstance(value, list) else value


def _packed(tensor: Tensor) -> bytes:
    """Little endian; of 4 bits the first of two is the low half of a byte."""
    if tensor.kind != "int4":
        return np.ascontiguousarray(tensor.data).astype(tensor.data.dtype.newbyteorder("<")).tobytes()
    flat = np.ascontiguousarray(tensor.data, np.int8).reshape(-1)
    halves = np.pad(flat, (0, len(flat) % 2)).view(np.uint8) & 15
    return (halves[0::2] | (halves[1::2] << 4)).astype(np.uint8).tobytes()


def _version(node: Node) -> int:
    """Of the operator's definition, which grew with the types that it takes."""
    kinds = {one.kind for one in (*node.inputs, *node.outputs) if one is not None}
    wider = NARROW_VERSIONS if "int4" in kinds else WIDE_VERSIONS if "int16" in kinds else {}
    return wider.get(node.op, VERSIONS.get(node.op, 1))
