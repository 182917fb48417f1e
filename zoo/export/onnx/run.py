"""Files of ONNX in ONNX Runtime, on one thread, as a check of an export and benchmarks run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from supernet.errors import EarshotError
from zoo.export.agreement import Runner
from zoo.export.onnx.names import SAMPLES

__all__ = ["runner", "session_of"]

KINDS = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int16)": np.int16}


def session_of(file: str | bytes):
    """A session of one thread, whose kernels of 8 bits do not saturate."""
    import onnxruntime

    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = how.inter_op_num_threads = 1
    how.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(file, how, providers=["CPUExecutionProvider"])


def runner(file: str | Path | bytes) -> Runner:
    """A form of a model, from its file or its bytes. Raises EarshotError for what ONNX Runtime cannot load."""
    import onnxruntime

    try:
        session = session_of(file if isinstance(file, bytes) else str(file))
    except Exception as error:  # its errors have no common class but this
        what = "the model" if isinstance(file, bytes) else f"{str(file)!r:.200}"
        raise EarshotError(f"ONNX Runtime does not load {what}: {' '.join(str(error).split())[:200]}") from None
    about = session.get_modelmeta().custom_metadata_map
    starts = json.loads(about["earshot.states"])
    run = _stream(session, starts) if about["earshot.form"] == "stream" else _clip(session)
    return Runner(f"ONNX Runtime {onnxruntime.__version__}", about["earshot.form"], run)


def _clip(session) -> Callable[[np.ndarray], np.ndarray]:
    return lambda features: session.run(["logits"], _fed(session, features))[0].astype(np.int64)


def _stream(session, starts: dict[str, int]) -> Callable[[np.ndarray], np.ndarray]:
    read, *states = session.get_inputs()
    fresh = {one.name: np.full(one.shape, starts[one.name], KINDS[one.type]) for one in states}

    def run(features: np.ndarray) -> np.ndarray:
        step = _frames(read, features)
        kept, found = fresh, []
        for first in range(0, features.shape[1], step):
            logits, *behind = session.run(None, {**_fed(session, features[:, first : first + step]), **kept})
            kept, found = dict(zip(kept, behind, strict=True)), [*found, logits]
        return np.concatenate(found).astype(np.int64)

    return run


def _frames(read, features: np.ndarray) -> int:
    """Of a step."""
    return read.shape[-1] * 2 // len(features) if read.name == SAMPLES else read.shape[-1]


def _fed(session, features: np.ndarray) -> dict[str, np.ndarray]:
    """What a file reads of features (coefficients, frames) int8: of the front end `raw` these are bytes of samples."""
    name = session.get_inputs()[0].name
    if name == SAMPLES:
        return {name: np.ascontiguousarray(features.T).view("<i2").reshape(1, -1)}
    return {name: np.ascontiguousarray(features[None])}
