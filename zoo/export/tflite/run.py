"""Files of TFLite in the interpreters that are installed, on one thread: for checks, and the arena of a report."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from supernet.errors import EarshotError
from supernet.extras import has
from supernet.files import read_json
from zoo.export.agreement import CLIP, Runner
from zoo.export.place import REPORT
from zoo.export.tflite.build import first_layer

__all__ = ["INTERPRETERS", "LiteRT", "Micro", "arena_bytes", "form_of", "runners", "stepped"]

ARENA = 1 << 23
LEAN = "micro"
"""The runtime of files that are for TFLite Micro alone."""
TOTAL = re.compile(rb"Arena allocation total (\d+) bytes")


class Micro:
    """TensorFlow Lite for Microcontrollers on this machine. Raises EarshotError for what it does not take."""

    def __init__(self, data: bytes) -> None:
        from tflite_micro import runtime

        try:
            self.own = runtime.Interpreter.from_bytes(data, arena_size=ARENA)
        except RuntimeError as error:
            raise EarshotError(f"TFLite Micro does not load the model: {str(error)[:200]}") from None

    def invoke(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """All outputs."""
        for number, values in enumerate(inputs):
            self.own.set_input(np.ascontiguousarray(values), number)
        self.own.invoke()
        return [self.own.get_output(number).copy() for number in range(max(1, len(inputs)))]


class LiteRT:
    """LiteRT with its delegate for processors (XNNPACK), or without. Raises EarshotError for what it does not take."""

    delegates = True

    def __init__(self, data: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        plain, usual = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, OpResolverType.AUTO
        how = usual if self.delegates else plain
        try:
            self.own = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=how)
            self.own.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise EarshotError(f"LiteRT does not load the model: {str(error)[:200]}") from None
        self.ends = [
            [one["index"] for one in ends] for ends in (self.own.get_input_details(), self.own.get_output_details())
        ]

    def invoke(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """All outputs."""
        for number, values in zip(self.ends[0], inputs, strict=True):
            self.own.set_tensor(number, np.ascontiguousarray(values))
        self.own.invoke()
        return [self.own.get_tensor(number) for number in self.ends[1]]


class _Plain(LiteRT):
    delegates = False


INTERPRETERS = {
    "TFLite Micro": (Micro, "tflite_micro", "tflite-micro"),
    "LiteRT with XNNPACK": (LiteRT, "ai_edge_litert", "ai-edge-litert"),
    "LiteRT without XNNPACK": (_Plain, "ai_edge_litert", "ai-edge-litert"),
}
"""By their names: the class, its package as imported and as installed."""


def runners(model, place: Path) -> Iterator[Runner]:
    """Each written form in each interpreter that is installed, and that it is for."""
    lean = read_json(place / REPORT)["runtime"] == LEAN
    for file in sorted(place.glob("*.tflite")):
        form = form_of(file)
        for name, (kind, package, installed) in INTERPRETERS.items():
            if has(package) and (kind is Micro or not lean):
                yield runner(model, file.read_bytes(), form, kind, f"{name} {version(installed)}")


def form_of(file: Path) -> str:
    """`clip` or `stream`, by its name."""
    return file.stem.rpartition("_")[2]


def runner(model, data: bytes, form: str, kind: type, name: str) -> Runner:
    """One form in one interpreter."""
    logits = _tensors(data)
    step = logits["step"] / model.network.activations[model.network.specs[-1].name].scale

    def own(expected: np.ndarray) -> np.ndarray:
        return expected if logits["wide"] else np.clip(np.floor(expected / step + 0.5), -128, 127).astype(np.int64)

    kept = kind(data) if form == CLIP else None  # clips have no state; streams begin anew

    def run(features: np.ndarray) -> np.ndarray:
        maps = maps_of(model.network, features)
        return stepped(kept or kind(data), maps, logits["frames"], logits["states"])

    return Runner(name, form, run, own)


def stepped(interpreter, maps: np.ndarray, frames: int, states: Sequence[np.ndarray] = ()) -> np.ndarray:
    """Logits (answers, classes) of maps (1, frames, height, channels), so many frames at a time. states: which go in
    and out beside them, as they begin.
    """
    found = []
    for first in range(0, maps.shape[1] - frames + 1, frames):
        logits, *states = interpreter.invoke(maps[:, first : first + frames], *states)
        found.append(logits[0])
    return np.array(found).astype(np.int64)


def maps_of(network, features: np.ndarray) -> np.ndarray:
    """What a graph reads, (1, frames, height, channels) int8, of the features (coefficients, frames) of a recording."""
    first = first_layer(network)
    if first.inputs:
        return _filtered(network, first, features)
    channels, height, _ = first.out_shape
    return features.reshape(1, channels, height, -1).transpose(0, 3, 2, 1)


def _filtered(network, first, features: np.ndarray) -> np.ndarray:
    """Behind the filters, as the front end in C has them."""
    source, own = network.activations[first.inputs[0]], network.activations[first.name]
    frames = features.T[None, :, :, None].astype(np.float32) - source.zero_point
    ready = first.operator.prepare(first, network.tensors[first.name], network.reaches(first))
    values, _ = first.operator.step(first, ready, [frames], first.operator.reset(first))
    return (np.clip(values, *own.span(first.rectified)) + own.zero_point).astype(np.int8)


def _tensors(data: bytes) -> dict:
    """Of a file: how many frames its input has, states as they begin, and steps of logits."""
    import tflite

    graph = tflite.Model.GetRootAs(data, 0).Subgraphs(0)
    inputs = [graph.Tensors(graph.Inputs(number)) for number in range(graph.InputsLength())]
    logits = graph.Tensors(graph.Outputs(0))
    kinds = {tflite.TensorType.INT8: np.int8, tflite.TensorType.INT16: np.int16}
    states = [np.full(one.ShapeAsNumpy(), one.Quantization().ZeroPoint(0), kinds[one.Type()]) for one in inputs[1:]]
    return {
        "frames": inputs[0].Shape(1),
        "states": states,
        "wide": logits.Type() == tflite.TensorType.INT16,
        "step": logits.Quantization().Scale(0),
    }


def arena_bytes(data: bytes, inputs: Sequence[np.ndarray]) -> int | None:
    """What TFLite Micro says that it takes on this machine; None where it is not installed."""
    if not has("tflite_micro"):
        return None
    interpreter = Micro(data)
    interpreter.invoke(*inputs)
    found = TOTAL.search(_said(interpreter.own.print_allocations))
    return int(found[1]) if found else None


def _said(call: Callable[[], None]) -> bytes:
    """What a call of a library writes on standard error."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as told:
        kept = os.dup(2)
        try:
            os.dup2(told.fileno(), 2)
            call()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        told.seek(0)
        return told.read()
