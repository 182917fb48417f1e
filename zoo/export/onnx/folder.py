"""The folder of a model as ONNX: a file a form, the front end in C, a page that says how they go together, a report."""

from __future__ import annotations

import json
from pathlib import Path

from supernet.errors import InvalidQuery
from zoo.export.base import identity
from zoo.export.c.features import feature_files
from zoo.export.licences import licensed
from zoo.export.onnx.graph import OPSET, Graph
from zoo.export.onnx.names import SAMPLES
from zoo.export.onnx.ops import build
from zoo.export.pages import about, page
from zoo.export.place import check_free, write_folder
from zoo.run.causal import streams

__all__ = ["export_onnx", "form_file"]

TEMPLATES = Path(__file__).with_name("templates")
USUAL_NAME = "front_end"


def export_onnx(model, place: Path, name: str | None, forms: tuple[str, ...], strict: bool) -> Path:
    """Write a model's forms into a folder. name: of the front end in C. strict: a form that it lacks is an error, and
    not left out. Raises InvalidQuery.
    """
    has = [form for form in forms if form == "clip" or streams(model.network)]
    if strict and len(has) < len(forms):
        raise InvalidQuery(f"form = {forms[-1]!r} is not possible: {model.name} hears whole clips; ask for clip")
    check_free(place)
    graphs = {form: build(model.network, form) for form in has}
    files: dict[str, str | bytes] = {f"{form}.onnx": form_file(model, graph) for form, graph in graphs.items()}
    own = feature_files(model.frontend, USUAL_NAME if name is None else name)
    by_samples = any(graph.input_name == SAMPLES for graph in graphs.values())
    files |= {} if by_samples else {f"frontend/{file}": text for file, text in own.items()}
    files["README.md"] = _page(model, graphs, by_samples, next(iter(own)))
    forms = [f"{form}.onnx" for form in graphs]
    write_folder(place, licensed(files, model, forms), _report(model, files), "ONNX")
    return place


def form_file(model, graph: Graph) -> bytes:
    """One form of a model as a file, with what a program needs to know of it in its metadata."""
    logits = model.network.activations[model.network.specs[-1].name]
    return graph.model(
        {
            **identity(model),
            "earshot.frontend": json.dumps(model.frontend.to_dict(), sort_keys=True),
            "earshot.logit_scale": repr(logits.scale),
            "earshot.several_labels": str(int(model.multi_label)),
        }
    )


def _report(model, files: dict) -> dict:
    sizes = {name: len(data) for name, data in files.items() if isinstance(data, bytes)}
    return {"export": "onnx", "model": model.name, "opset": OPSET, "bytes": sizes,
            "weight_bytes": model.entry.weight_bytes}  # fmt: skip


def _page(model, graphs: dict[str, Graph], by_samples: bool, header: str) -> str:
    """README.md. header: of the front end in C."""
    parts = ["head", "samples" if by_samples else "features"]
    parts += [f"{form}.samples" if by_samples else form for form in graphs]
    name = Path(header).stem
    values = {"COEFFICIENTS": model.frontend.coefficients, "HEADER": header, "NAME": name, "UPPER": name.upper()}
    return page(TEMPLATES, [*parts, "end"], about(model) | values | _of_forms(model, graphs))


def _of_forms(model, graphs: dict[str, Graph]) -> dict[str, object]:
    """What it says of files: frames and samples of a clip, and of a step of a stream."""
    stream, hop = graphs.get("stream"), model.frontend.hop_samples
    step = stream.frames(model.arch.frames) if stream else 0
    return {
        "FILES": ", ".join(f"`{form}.onnx`" for form in graphs),
        "CSAMPLES": model.clip_samples, "SFRAMES": step, "SSAMPLES": step * hop,
        "STEPMS": step * hop * 1000 // model.sampling_rate, "STATES": len(stream.states) if stream else 0,
    }  # fmt: skip
