"""Model cards: a package's `README.md` as the Hugging Face Hub understands it, and its picture, from `config.json`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from io import BytesIO

from supernet.arch import Arch
from supernet.bits import inner_bits
from supernet.cost import LayerCost, layer_costs, mean_bits
from supernet.families import family
from supernet.frontend.base import frontend_from_dict
from supernet.layer import LayerSpec, layers
from zoo.package.detected import curve_of
from zoo.package.facts import (
    Accuracy,
    accuracies,
    cost_rows,
    detection_rows,
    detection_text,
    device_table,
    last_confusion,
    percent,
    precision,
)
from zoo.package.figures import BASES, DeviceFigure
from zoo.package.read import CARD, CURVE, PICTURE, entry_of

__all__ = ["card", "licence_fields", "pictures"]

SEVERAL = (
    "A clip may have several of these labels, or none: each has a score of its own, and a clip counts as right where \
exactly its labels score above one half."
)
SHOWN = ("name", "labels", "multi_label", "accuracy", "detection")
"""In pictures, of a package's `config.json`."""
LICENCES = {
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "ecl-2.0", "epl-1.0", "epl-2.0",
    "etalab-2.0", "eupl-1.1", "eupl-1.2", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1",
    "lgpl-3.0", "mit", "mpl-2.0", "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "openrail", "osl-3.0", "other",
    "pddl", "postgresql", "unknown", "unlicense", "wtfpl", "zlib",
}  # fmt: skip
"""Identifiers that the Hub knows."""
CONDITIONS = (
    "Words were placed between parts of the negatives: as they were recorded (clean), fainter by so many dB, or in "
    "noise at a ratio of so many dB to the word alone, so louder than at the same ratio to a whole clip."
)
COLOURS = 256


def card(values: dict, devices: Sequence[DeviceFigure] = ()) -> str:
    """The text of a card. values: a package's `config.json`, digests not needed. devices: figures as of publishing."""
    arch = Arch.from_dict(values["arch"])
    parts = [
        f"---\n{_header(values)}\n---",
        *_introduction(values, arch),
        *_labels(values),
        *_use(values, arch),
        *_accuracy(values),
        *_conditions(values["accuracy"]),
        *_detection(values.get("detection")),
        *_costs(values, arch),
        *_devices(values["name"], devices),
        "## How it was trained and searched",
        _list(values["training"]["summary"]),
        *_check(values["name"]),
        "## Licence and attribution",
        f"{values['licence']}. {values['attribution']}.",
        *filter(None, [family(arch.family).notice]),
    ]
    return "\n\n".join(parts) + "\n"


def pictures(values: dict) -> dict[str, bytes]:
    """The pictures of a card as PNG by the names of their files: the confusion matrix, on test, else on validation, and
    misses over false alarms; each where it is known. Same values, same bytes.

    values: a package's `config.json`.
    """
    shown = {name: values[name] for name in SHOWN if name in values}
    return dict(_pictures(json.dumps(shown)))


@lru_cache(maxsize=32)
def _pictures(text: str) -> dict[str, bytes]:
    """They are kept, since a package that is made and then published has the same pictures twice."""
    values = json.loads(text)
    drawn = {PICTURE: _confusion(values), CURVE: _curve(values)}
    return {name: data for name, data in drawn.items() if data is not None}


def _confusion(values: dict) -> bytes | None:
    found = last_confusion(values["accuracy"])
    if found is None:
        return None
    from zoo.package.plots import confusion_figure, recall_figure

    draw = recall_figure if values.get("multi_label") else confusion_figure
    return _png(partial(draw, found.confusion, values["labels"], f"{values['name']}, {found.name}"))


def _curve(values: dict) -> bytes | None:
    figures = values.get("detection")
    if (found := curve_of(figures)) is None:
        return None
    from zoo.package.plots import detection_figure

    return _png(partial(detection_figure, *found, figures["hours"], values["name"]))


def _png(draw: Callable) -> bytes:
    """A figure of matplotlib in few colours, a third of the bytes, and without the name of the program that drew it."""
    import matplotlib
    from matplotlib import style
    from PIL import Image

    drawn, data = BytesIO(), BytesIO()
    with matplotlib.rc_context(), style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        draw().savefig(drawn, format="png", metadata={"Software": None})
    image = Image.open(drawn).convert("RGB")
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(data, "png", optimize=True)
    return data.getvalue()


def _header(values: dict) -> str:
    """The card's YAML."""
    from huggingface_hub import ModelCardData

    results, supernet = _results(values), values["training"].get("supernet")
    data = ModelCardData(
        **licence_fields(values["licence"]),
        library_name="earshot",
        pipeline_tag="audio-classification",
        datasets=[values["dataset"]["id"]],
        base_model=supernet,
        base_model_relation="quantized" if supernet else None,
        tags=[values["task"], "tinyml", "quantized", "once-for-all"],
        model_name=values["name"] if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def licence_fields(licence: str) -> dict:
    """What the Hub is told: one of its identifiers, or the name that the licence has, and where it is told."""
    known = licence.lower()
    if known in LICENCES:
        return {"license": known}
    return {"license": "other", "license_name": known, "license_link": CARD}


def _results(values: dict) -> list:
    """Of the splits that were measured."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="audio-classification",
            dataset_type=values["dataset"]["id"],
            dataset_name=values["dataset"]["name"],
            dataset_split=one.name,
            metric_type="accuracy",
            metric_value=one.share,
        )
        for one in accuracies(values["accuracy"])
        if not one.predicted
    ]


def _introduction(values: dict, arch: Arch) -> list[str]:
    weights, activations = inner_bits(arch)
    return [
        f"# {values['name']}",
        f"A model for {values['task']}, of family `{arch.family}`, with {precision(weights)} weights in inner layers "
        f"and {precision(activations)} activations; {mean_bits(arch)[0]:.2f} bits a weight in the mean of all layers.\n"
        "It is integers only: the same answer, bit for bit, wherever it runs.",
        f'```python\nimport zoo\nmodel = zoo.get(name="{values["name"]}")\nmodel("clip.wav")\n```',
    ]


def _labels(values: dict) -> list[str]:
    several = [SEVERAL] if values.get("multi_label") else []
    return ["## What it knows", ", ".join(map(_code, values["labels"])) + ".", *several, *values["notes"]]


def _accuracy(values: dict) -> list[str]:
    dataset, known, found = values["dataset"], accuracies(values["accuracy"]), last_confusion(values["accuracy"])
    interval = "90 % interval of the prediction" if known[0].predicted else "95 % interval, by clip"
    shown = [f"![Clips by label and answer on {found.name}, with the recall of each label]({PICTURE})"] if found else []
    return [
        "## Accuracy",
        f"{_measured_how(values['accuracy'])}, on {dataset['name']} ({dataset['version']}). "
        "The zoo ranks by validation; test is shown so that choosing does not tune on it.",
        _table(("split", "accuracy", interval, "clips"), [_accuracy_row(one) for one in known]),
        *_precision(known),
        *shown,
    ]


def _measured_how(accuracy: dict) -> str:
    folds = accuracy.get("test", {}).get("folds")
    if folds is None:
        return "Of the integer package"
    return (
        f"By cross-validation over folds {', '.join(map(str, folds))}: of integer packages made in the same way "
        "without each fold in turn, and tested on it; validation is what those were chosen by. This package was made "
        "of all of these folds"
    )


def _conditions(accuracy: dict) -> list[str]:
    """The share of right answers where it is less quiet and near, of splits that were heard so."""
    parts = []
    for split in accuracies(accuracy):
        if split.conditions:
            rows = [(one.name, one.text, one.interval, _change(one, split)) for one in split.conditions]
            parts += [
                f"On {split.name}, as `earshot evaluate --conditions` makes them: fainter, louder and clipped, "
                "by so many dB; noise that training left out, or another clip, at a ratio of so many dB to the whole "
                "clip; drawn rooms; earlier and later by so many ms.",
                _table(("condition", "accuracy", "95 % interval", "points from above"), rows),
            ]
    return ["## Where it is less quiet and near", *parts] if parts else []


def _change(one: Accuracy, plain: Accuracy) -> str:
    return f"{100 * (one.share - plain.share):+.1f}"


def _precision(known: Sequence[Accuracy]) -> list[str]:
    """Mean average precision, where a clip may have several labels."""
    found = [f"{percent(one.average)} on {one.name}" for one in known if one.average is not None]
    return [f"Mean average precision: {', '.join(found)}."] if found else []


def _accuracy_row(one: Accuracy) -> tuple[str, ...]:
    name = f"{one.name}, predicted, not measured" if one.predicted else one.name
    return name, one.text, one.interval, f"{one.clips:,}"


def _detection(figures: dict | None) -> list[str]:
    """How the model is used in a stream, where that was chosen."""
    said, rows = detection_text(figures), detection_rows(figures)
    head = ("words", "found", "of", "ms after their end, median", "wrong or repeated")
    shown = [f"![Misses over false alarms an hour, by threshold]({CURVE})"] if curve_of(figures) else []
    table = [CONDITIONS, _table(head, rows)] if rows else []
    return ["## Detection in a stream", *said, *table, *shown] if said else []


def _costs(values: dict, arch: Arch) -> list[str]:
    bill = [_layer_row(cost, spec) for cost, spec in zip(layer_costs(arch), layers(arch), strict=True)]
    head = ("layer", "kind", "bits", "MACs", "parameters", "bytes")
    return [
        "## Costs of one answer",
        _table(("figure", "value"), cost_rows(entry_of(values, arch), values)),
        _fold(f"Layer by layer ({len(bill)})", _table(head, bill)),
    ]


def _layer_row(cost: LayerCost, spec: LayerSpec) -> tuple[str, ...]:
    bits = str(spec.weight_bits) if spec.has_weights else ""
    return cost.name, cost.kind, bits, f"{cost.macs:,}", f"{cost.params:,}", f"{cost.weight_bytes:,}"


def _devices(name: str, devices: Sequence[DeviceFigure]) -> list[str]:
    """Those in range first, measured before predicted before indicative."""
    if not devices:
        return []
    ordered = sorted(devices, key=lambda one: (not one.in_range, BASES.index(one.basis), one.device, one.profile))
    inside = sum(one.in_range for one in devices)
    return [
        "## On devices",
        "Of one answer, without the front end, as of publishing: "
        f"`earshot info {name} --device DEVICE` gives today's. In brackets an interval. Indicative figures are of "
        "runtimes that cannot load this package; in range: networks of its size and bits were measured there.",
        _fold(f"{len(devices)} devices, {inside} in range", _table(*device_table(ordered))),
    ]


def _use(values: dict, arch: Arch) -> list[str]:
    seconds, rate = arch.frames * arch.features.step_ms / 1000, frontend_from_dict(values["frontend"]).sampling_rate
    streams = "It streams: no layer looks ahead." if values["streamable"] else "It answers on whole clips only."
    return [
        "## Intended use and limits",
        f"For {values['task']} on small devices: it names what is in a clip of {seconds:g} s at {rate / 1000:g} kHz. "
        f"{streams}",
        _list(values["limits"]),
    ]


def _check(name: str) -> list[str]:
    return [
        "## How to check it",
        f"```sh\nearshot verify {name}\n```",
        "compares all files with their SHA-256 in `config.json`, and runs the test vectors: samples, the features that "
        f'they give, and the exact logits of these. In Python, `zoo.get(name="{name}").verify()` runs the vectors.',
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _fold(summary: str, text: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _code(text: str) -> str:
    """As it is written, whatever it holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
