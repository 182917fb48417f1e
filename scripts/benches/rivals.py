"""How fast is the generated C on this machine, beside ONNX Runtime on the same integers?

    pip install -e ".[onnx]"
    python scripts/bench.py rivals
    python scripts/bench.py rivals --models NAME --rounds 21

A clip of random features through each network, by one thread: the C of its clip form; the C of its stream, all answers
of the clip, each frame once; and an ONNX model of QDQ nodes with the same integers, whose logits are compared, with
activations of int8, and of uint8, which are the same plus 128 and faster on some processors. They take turns; times are
the thread's own, so that other work on the machine hardly counts, and medians of the rounds. The stream of a whole
model, front end and detector included, stands apart. Rows: `rivals.csv`.
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from math import prod
from pathlib import Path

import numpy as np

import zoo
from studies.base import Shown, Study, option, value
from studies.bundled import models, names_at
from studies.rows import Rows
from supernet.errors import EarshotError
from supernet.extras import need
from supernet.integer.runtime import choose_features
from supernet.memory import plan_arena
from zoo.export.c.host.sources import host_sources
from zoo.export.c.library import Library, build
from zoo.export.c.write import Sources

TABLE = "rivals"
ROUND_S = 0.02
"""That a contestant computes in a round."""
HEARD_S = 20
"""Of noise, for a whole model."""
MOST_APART = 100
"""Of logits, in their steps of 16 bits: other runtimes round in floating point."""
DRIVER = """
size_t bench_size(void);
void bench_run(model_t *self, const int8_t *features, int16_t *logits);

size_t bench_size(void)
{
    return sizeof(model_t);
}

void bench_run(model_t *self, const int8_t *features, int16_t *logits)
{
    int step;

    model_reset(self);
    for (step = 0; step < @STEPS; step++) {
        memcpy(@PLACE, features + step * @SIZE, @SIZE);
        network(self);
    }
    memcpy(logits, self->logits, sizeof(self->logits));
}
"""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure and write the rows. Raises MissingExtra where ONNX Runtime is not installed."""
    need("onnx", "onnxruntime")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.models or _models():
            rows.add(TABLE, {"model": name}, _measured(zoo.get(name=name), options.rounds, Path(scratch)))


def _models() -> list[str]:
    """All of words, and the smallest and the largest of sounds, at 8 bits."""
    sounds = models("aec", 8)
    return [*names_at(8), sounds[0].name, sounds[-1].name]


def _measured(model: zoo.Model, rounds: int, folder: Path) -> dict:
    network, sources = model.network, _sources(model)
    shape = 1, network.arch.features.coefficients, network.arch.frames
    features = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    runs = {"onnx_int8_us": _onnx(model, features, np.int8), "onnx_uint8_us": _onnx(model, features, np.uint8)}
    runs["clip_us"] = _network(_clip_form(sources), features, folder)
    if sources.streams:
        runs["stream_us"] = _network(sources, features, folder)
    found = {name: round(seconds * 1e6, 1) for name, seconds in _times(runs, rounds).items()}
    return {
        "macs": model.entry.macs, **found,
        "of_int8": round(found["clip_us"] / found["onnx_int8_us"], 2),
        "of_uint8": round(found["clip_us"] / found["onnx_uint8_us"], 2),
        "whole_ms_a_s": _whole(sources, folder, rounds) if sources.streams else None,
        "rounds": rounds, "tools": f"onnxruntime {version('onnxruntime')}",
    }  # fmt: skip


def _sources(model: zoo.Model) -> Sources:
    return host_sources(Sources(model.network, model.frontend, model.detector(threshold=0.5), model.grids, "model"))


def _clip_form(sources: Sources) -> Sources:
    made = sources.called("model")
    made.streams, made.answers = False, 0
    return made


def _onnx(model: zoo.Model, features: np.ndarray, kind: type) -> Callable[[], object]:
    """A call of ONNX Runtime, which has given the logits of the package."""
    import onnxruntime

    from zoo.export.onnx.ops import build

    network, how = model.network, onnxruntime.SessionOptions()
    how.intra_op_num_threads = how.inter_op_num_threads = 1
    made = build(network, "clip", kind).model({})
    session = onnxruntime.InferenceSession(made, how, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: features}
    apart = np.abs(session.run(None, feed)[0].astype(int) - network(features)).max()
    if apart > MOST_APART:
        raise EarshotError(f"{model.name}: logits of ONNX Runtime are {apart:.0f} apart: not the same network")
    return lambda: session.run(None, feed)


def _network(sources: Sources, features: np.ndarray, folder: Path) -> Callable[[], object]:
    """A call of the network in C, which has given the logits of the package."""
    network, texts = sources.network, sources.files()
    first, place, steps, data = network.specs[0], "self->features", max(1, sources.answers), features.transpose(0, 2, 1)
    if not sources.streams:
        offset = {item.name: item.offset for item in plan_arena(network.arch).tensors}[first.name]
        place, data = f"self->arena + {offset}", choose_features(features, first)
    marks = {"@PLACE": place, "@STEPS": str(steps), "@SIZE": str(prod(data.shape) // steps)}
    driver = DRIVER
    for mark, text in marks.items():
        driver = driver.replace(mark, text)
    library = ctypes.CDLL(str(build({**texts, "model.c": texts["model.c"] + driver}, folder)))
    library.bench_size.restype = ctypes.c_size_t
    state, data = ctypes.create_string_buffer(library.bench_size()), np.ascontiguousarray(data)
    logits = np.zeros(network.arch.classes, np.int16)
    reads, gives = (ctypes.c_void_p(one.ctypes.data) for one in (data, logits))

    def call(kept=(data, logits)) -> None:
        library.bench_run(state, reads, gives)

    call()
    if not np.array_equal(logits, network(features)[0]):
        raise EarshotError(f"{network.arch.digest[:8]}: the C gives other integers than the package")
    return call


def _times(runs: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Seconds of a call of each, which take turns: medians of the rounds."""
    calls = {name: max(1, round(ROUND_S / _seconds(call, 3))) for name, call in runs.items()}
    found = {name: [] for name in runs}
    for _ in range(rounds):
        for name, call in runs.items():
            found[name].append(_seconds(call, calls[name]))
    return {name: float(np.median(values)) for name, values in found.items()}


def _seconds(call: Callable[[], object], calls: int) -> float:
    started = time.thread_time()
    for _ in range(calls):
        call()
    return (time.thread_time() - started) / calls


def _whole(sources: Sources, folder: Path, rounds: int) -> float:
    """Milliseconds that a second of noise takes, from samples to events."""
    library, rate = Library(sources, folder), sources.frontend.sampling_rate
    samples = np.random.default_rng(0).integers(-9000, 9000, HEARD_S * rate).astype(np.int16)
    each = [_seconds(lambda: library.step(samples, library.reset()), 1) for _ in range(rounds)]
    return round(float(np.median(each)) * 1000 / HEARD_S, 3)


def table_of_rivals(found: Rows) -> Shown:
    """Microseconds of a clip."""
    columns = ["clip_us", "stream_us", "onnx_int8_us", "onnx_uint8_us"]
    names = ["model", "C, us a clip", "C, in a stream", "ONNX Runtime, int8", "uint8", "C / int8", "C / uint8"]
    return names, [
        [row["model"], *("" if np.isnan(row[name]) else f"{row[name]:.0f}" for name in columns),
         f"{row['of_int8']:.2f}", f"{row['of_uint8']:.2f}"]
        for row in found.read(TABLE).to_dict("records")
    ]  # fmt: skip


STUDY = Study(
    __doc__,
    run,
    (
        option("--models", nargs="+", metavar="NAME", help="default: words, and the ends of sounds, at 8 bits"),
        value("--rounds", 11, "of each contestant in turn"),
    ),
    always=True,
    tables={TABLE: table_of_rivals},
)
