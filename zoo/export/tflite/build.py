"""A network as graphs of TFLite: of whole clips, or of a step of a stream to its next answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from supernet.errors import InvalidQuery
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, parts
from supernet.memory import answer_frames
from zoo.export.tflite.graph import Graph, Tensor
from zoo.export.tflite.ops import operator
from zoo.export.tflite.ties import solve
from zoo.run.causal import streams

__all__ = ["STATES", "Written", "build", "first_layer"]

STATES = ("variables", "arguments")
"""Where a stream keeps what it looks back on: in the interpreter, or with the caller as inputs and outputs."""
LARGE = 256
"""Bytes of a beginning that are padded by the interpreter rather than stored."""
ALL_BUT_FRAMES = 0b1101


def first_layer(network: IntegerNetwork) -> LayerSpec:
    """The layer whose values the graph reads: the input, or one that the front end in C computes."""
    return next((spec for spec in network.specs if spec.inputs and operator(spec.kind).begins), network.specs[0])


@dataclass(eq=False)
class Written:
    """What is being written. answers: of a stream that make a clip, 0 for whole clips. state: one of STATES. step: of
    logits of 8 bits; 0 for those of 16. twice: the runtime rounds twice, so biases are moved by what that adds.
    wide: weights of few bits have 8.

    main, once: the graph, and what it calls before its first step. values: tensors by the layer that gives them.
    """

    network: IntegerNetwork
    answers: int
    state: str = "variables"
    step: float = 0.0
    twice: bool = False
    wide: bool = False
    main: Graph = field(default_factory=lambda: Graph("main"))
    once: Graph = field(default_factory=lambda: Graph("once"))
    values: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[tuple, Tensor] = field(default_factory=dict)
    states: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @cached_property
    def scales(self) -> dict[str, np.float32]:
        """Of each layer's values."""
        return solve(self.network)

    @property
    def graphs(self) -> list[Graph]:
        """All that a file holds, the main one first."""
        return [self.main, self.once] if self.once.nodes else [self.main]

    @property
    def variables(self) -> int:
        """How many a stream keeps in the interpreter."""
        return sum(node.op == "VAR_HANDLE" for node in self.main.nodes)

    @property
    def operators(self) -> list[str]:
        """Names of all that an interpreter must know."""
        return sorted({node.op for graph in self.graphs for node in graph.nodes})

    def frames(self, frames: int) -> int:
        """Of a clip's frames, those of what is computed at a time."""
        return -(-frames // max(1, self.answers))

    def like(self, spec: LayerSpec) -> Tensor:
        """A tensor for the values of a layer of 8 bits, (1, frames, height, channels)."""
        channels, height, frames = spec.out_shape
        activation = self.network.activations[spec.name]
        if activation.bits != 8:
            raise InvalidQuery(
                f"layer {spec.name} has values of {activation.bits} bits; TFLite holds them to 8: use --to c, which "
                "takes any, or a model of 8 bits between layers (--activation-bits 8)"
            )
        shape = (1, self.frames(frames), height, channels)
        return Tensor(shape, "int8", self.scale(spec.name), activation.zero_point, spec.name)

    def scale(self, name: str, times: float = 1.0) -> np.ndarray:
        """(1,) float32 of a layer's values."""
        return np.array([np.float64(self.scales[name]) * times], np.float32)

    def constant(self, values, kind: type = np.int32) -> Tensor:
        """A tensor of whole numbers, such as a shape; equal ones are one."""
        array = np.asarray(values, kind)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = Tensor(array.shape, array.dtype.name, data=array)
        return self.constants[key]

    def reshape(self, x: Tensor, shape: tuple[int, ...], name: str = "") -> Tensor:
        """The same values in another shape."""
        return self.same_bytes(x, Tensor(shape, x.kind, x.scale, x.zero_point, name))

    def same_bytes(self, x: Tensor, out: Tensor) -> Tensor:
        """What x holds, read as `out` says."""
        return self.main.add("RESHAPE", (x, self.constant(out.shape)), out, NewShape=list(out.shape))

    def quantise(self, x: Tensor, kind: str, scale: np.ndarray, zero_point: int = 0, name: str = "") -> Tensor:
        """The same reals in another type, scale or zero point."""
        return self.main.add("QUANTIZE", (x,), Tensor(x.shape, kind, scale, zero_point, name))

    def pad(self, x: Tensor, frames: tuple[int, int], height: tuple[int, int]) -> Tensor:
        """With zeros around frames and height."""
        return _pad(self.main, x, self.constant([(0, 0), frames, height, (0, 0)]))

    def behind(self, x: Tensor, kept: int, name: str) -> Tensor:
        """x behind the last `kept` frames before it, which the stream keeps; x itself where there are none."""
        if not kept:
            return x
        before = Tensor((1, kept, *x.shape[2:]), x.kind, x.scale, x.zero_point, f"{name}_before")
        joined = Tensor((1, kept + x.shape[1], *x.shape[2:]), x.kind, x.scale, x.zero_point)

        def after() -> Tensor:
            self.main.add("CONCATENATION", (before, x), joined, Axis=1)
            return self._last(joined, kept, f"{name}_after")

        self.keep(before, after)
        return joined

    def _last(self, joined: Tensor, kept: int, name: str) -> Tensor:
        out = Tensor((1, kept, *joined.shape[2:]), joined.kind, joined.scale, joined.zero_point, name)
        begin, end = joined.shape[1] - kept, joined.shape[1]
        ends = (self.constant([0, begin, 0, 0]), self.constant([0, end, 0, 0]), self.constant([1, 1, 1, 1]))
        masks = {"BeginMask": ALL_BUT_FRAMES, "EndMask": ALL_BUT_FRAMES}
        return self.main.add("STRIDED_SLICE", (joined, *ends), out, **masks)

    def keep(self, before: Tensor, after: Callable[[], Tensor]) -> None:
        """What a stream keeps from step to step. before: as a step finds it. after: writes what gives it as it leaves
        it.
        """
        if self.state == "variables":
            handle = _handle(self.main, before.name)
            self.main.add("READ_VARIABLE", (handle,), before)
            left = after()
            self.main.add("ASSIGN_VARIABLE", (handle, left), None)
            self._begin(before)
        else:
            self.main.inputs.append(before)
            left = after()
            self.main.outputs.append(left)
        self.states.append((before, left))

    def _begin(self, before: Tensor) -> None:
        """Assign silence, once."""
        stored = (1,) * len(before.shape) if before.size > LARGE else before.shape
        data = np.full(stored, before.zero_point, before.kind)
        key = ("once", stored, before.kind, before.zero_point, before.step)
        silence = self.constants.setdefault(key, Tensor(stored, before.kind, before.scale, before.zero_point, "", data))
        if stored != before.shape:
            silence = _pad(self.once, silence, self.constant([(0, size - 1) for size in before.shape]))
        self.once.add("ASSIGN_VARIABLE", (_handle(self.once, before.name), silence), None)


def _handle(graph: Graph, name: str) -> Tensor:
    return graph.add("VAR_HANDLE", (), Tensor((), "resource"), Container="", SharedName=name)


def _pad(graph: Graph, x: Tensor, pads: Tensor) -> Tensor:
    shape = tuple(size + int(pair.sum()) for size, pair in zip(x.shape, pads.data, strict=True))
    return graph.add("PAD", (x, pads), Tensor(shape, x.kind, x.scale, x.zero_point))


def build(
    network: IntegerNetwork,
    form: str,
    state: str = STATES[0],
    step: float = 0.0,
    end: str = "",
    twice: bool = False,
    wide: bool = False,
) -> Written:
    """A network as graphs: features (1, frames, height, channels) int8 -> logits (1, classes).

    form: `clip` for a whole one, `stream` for a step to the next answer. state: one of STATES. step: real value of a
    step of logits of 8 bits; 0 for 16 bits with the steps of the network. end: the layer whose values are given instead
    of logits. twice: for a runtime that rounds sums twice, as TFLite Micro does. wide: weights of 4 bits and fewer
    are held in 8, of which less is lost where sums are rounded. Raises InvalidQuery for what TFLite cannot compute.
    """
    if form == "stream" and not streams(network):
        raise InvalidQuery(f"family {network.arch.family} answers on whole clips and has no stream; ask for clip")
    answers = answer_frames(parts(network.arch)) if form == "stream" else 0
    written = Written(network, answers, state, step, twice, wide)
    first = first_layer(network)
    written.values[first.name] = written.like(first)
    written.main.inputs.append(written.values[first.name])
    for spec in network.specs[network.specs.index(first) + 1 :]:
        if spec.name not in written.values:
            written.values[spec.name] = operator(spec.kind).write(written, spec)
        if spec.name == end:
            break
    written.main.outputs.insert(0, written.values[spec.name])
    if written.once.nodes:
        _call_once(written.main)
    return written


def _call_once(main: Graph) -> None:
    main.add("CALL_ONCE", (), None, InitSubgraphIndex=1)
    main.nodes.insert(0, main.nodes.pop())
