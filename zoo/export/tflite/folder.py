"""The folder of a model as TFLite: a file a form, the front end in C, a page that says how to use them, a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from zoo.export.base import identity
from zoo.export.c.features import feature_files
from zoo.export.c.filtered import filtered_files
from zoo.export.c.names import c_name
from zoo.export.c.ops.base import Step
from zoo.export.licences import licensed
from zoo.export.pages import about, page
from zoo.export.place import check_free, write_folder
from zoo.export.tflite.build import Written, build, first_layer
from zoo.export.tflite.file import to_bytes
from zoo.export.tflite.ops import operator
from zoo.export.tflite.run import LEAN, arena_bytes
from zoo.run.causal import streams

__all__ = ["export_tflite", "logit_step", "model_file"]

TEMPLATES = Path(__file__).with_name("templates")
METADATA = "earshot"
FEATURES = "_features"
"""Behind a model's name in those of what computes its features."""
SPARE = 1.25
"""How much further logits of 8 bits reach than those of the test vectors."""


def export_tflite(
    model, place: Path, name: str | None, forms: tuple[str, ...], state: str, logits: str, runtime: str, weights: str
) -> Path:
    """Write a model's forms into a folder, as `zoo.export.tflite.EXPORT` says. Raises InvalidQuery."""
    check_free(place)
    name = c_name(re.sub(r"\W", "_", place.resolve().name) if name is None else name, FEATURES)
    step = logit_step(model) if logits == "8" else 0.0
    written = {
        form: build(model.network, form, state, step, twice=runtime == LEAN, wide=weights == "8")
        for form in _forms(model, forms)
    }
    files: dict[str, str | bytes] = {
        f"{name}_{form}.tflite": model_file(model, one, runtime == LEAN) for form, one in written.items()
    }
    front = front_end_files(model, name + FEATURES)
    options = {"state": state, "logits_bits": logits, "runtime": runtime, "weights": weights}
    report = {"export": "tflite", "model": model.name, **options, **_report(model, written, files)}
    files |= {f"frontend/{file}": text for file, text in front.items()}
    files["README.md"] = _page(model, name, written, report)
    forms = [one["file"] for one in report["forms"].values()]
    write_folder(place, licensed(files, model, forms, _filters(model, name)), report, "TFLite")
    return place


def _forms(model, forms: tuple[str, ...]) -> list[str]:
    """Those that the model has; one alone must be had, and says what it lacks when it is built."""
    if len(forms) == 1:
        return list(forms)
    if not streams(model.network):
        return ["clip"]
    whole = all(operator(spec.kind).clips for spec in model.network.specs if spec.inputs)
    return list(forms) if whole else ["stream"]


def logit_step(model) -> float:
    """Real value of a step of logits of 8 bits: those of the package's test vectors, and a quarter more, are 127."""
    largest = max(
        int(np.abs(model.vectors[one].astype(np.int64)).max()) for one in ("logits", "stream") if one in model.vectors
    )
    return SPARE * largest * model.network.activations[model.network.specs[-1].name].scale / 127


def model_file(model, written: Written, lean: bool = False) -> bytes:
    """The bytes of one form, with the package's name, version and digest in its metadata. lean: for TFLite Micro."""
    about = {**identity(model), "earshot.frontend": json.dumps(model.frontend.to_dict(), sort_keys=True)}
    return to_bytes(written.graphs, f"{model.name} by Earshot", {METADATA: json.dumps(about).encode()}, lean)


def front_end_files(model, name: str) -> dict[str, str]:
    """Texts of the C of all that a graph is fed with, by file name."""
    if (first := first_layer(model.network)).inputs:
        return filtered_files(
            model.frontend, Step(model.network, first, first.in_shape[2], {}, model.grids[first.name]), name
        )
    return feature_files(model.frontend, name)


def _filters(model, name: str) -> list[str]:
    """The file of C that holds weights beside code."""
    return [f"frontend/{name}{FEATURES}_frontend.c"] if first_layer(model.network).inputs else []


def beginnings(written: Written) -> list[np.ndarray]:
    """Zeros for each input, in steps of its own."""
    return [np.full(one.shape, one.zero_point, one.kind) for one in written.main.inputs]


def _report(model, written: dict[str, Written], files: dict) -> dict:
    forms = {form: _form(one, file, files[file]) for (form, one), file in zip(written.items(), files, strict=True)}
    logits = next(iter(written.values())).main.outputs[0]
    return {"weight_bytes": model.entry.weight_bytes,
            "logits": {"type": logits.kind, "scale": float(logits.step)}, "forms": forms}  # fmt: skip


def _form(written: Written, file: str, data: bytes) -> dict:
    return {
        "file": file,
        "bytes": len(data),
        "arena_bytes_on_host": arena_bytes(data, beginnings(written)),
        "state_bytes": sum(before.size * np.dtype(before.kind).itemsize for before, _ in written.states),
        "variables": written.variables,
        "operators": written.operators,
        "input": list(written.main.inputs[0].shape),
    }


def _page(model, name: str, written: dict[str, Written], report: dict) -> str:
    """README.md."""
    hop, logits = model.frontend.hop_samples, report["logits"]
    step = written["stream"].main.inputs[0].shape[1] if "stream" in written else 0
    values = {
        "NAME": name, "UPPER": name.upper(), "COEFFICIENTS": _frame_size(next(iter(written.values()))),
        "FIRST": next(iter(written)), "TYPE": logits["type"], "SCALE": repr(logits["scale"]),
        "SFRAMES": f"{step} frame{'s' * (step != 1)}", "STEPMS": step * hop * 1000 // model.sampling_rate,
        "TABLE": "\n".join(_row(one) for one in report["forms"].values()),
        **_shapes(report["forms"]),
        "STATES": _states(written.get("stream")),
        **_runtimes(report["runtime"] == LEAN),
        "OPERATORS": ", ".join(sorted({op for one in written.values() for op in one.operators})),
    }  # fmt: skip
    return page(TEMPLATES, ["head", *written, "features", "end"], about(model) | values)


def _runtimes(lean: bool) -> dict[str, str]:
    """Which ones a file is for, and how those round."""
    if lean:
        return {
            "RUNTIMES": "TensorFlow Lite for Microcontrollers alone, to whose rounding biases are fitted",
            "ONCE": "",
        }
    rounds = "; LiteRT with XNNPACK rounds once, where weights are int8"
    return {"RUNTIMES": "TensorFlow Lite for Microcontrollers and LiteRT", "ONCE": rounds}


def _shapes(forms: dict[str, dict]) -> dict[str, str]:
    """Of what the first form reads, a clip and a step of a stream."""
    shapes = {form: ", ".join(map(str, one["input"])) for form, one in forms.items()}
    return {"SHAPE": next(iter(shapes.values())), "CSHAPE": shapes.get("clip", ""), "SSHAPE": shapes.get("stream", "")}


def _frame_size(one: Written) -> int:
    """Features of a frame."""
    _, _, height, channels = one.main.inputs[0].shape
    return height * channels


def _row(form: dict) -> str:
    arena = "not measured" if form["arena_bytes_on_host"] is None else f"{form['arena_bytes_on_host']:,}"
    return f"| `{form['file']}` | {form['bytes']:,} | {arena} | {form['variables']} |"


def _states(stream: Written | None) -> str:
    if stream is None:
        return ""
    if stream.state == "variables":
        return (
            f"What it looks back on is in {stream.variables} resource variables of the interpreter, which begin as "
            f"silence: give `MicroResourceVariables` {stream.variables}, and make the interpreter anew to reset it."
        )
    return (
        f"What it looks back on goes in and out: inputs 1 to {len(stream.states)} begin as their zero points, and "
        "after each step are the outputs of the same numbers."
    )
