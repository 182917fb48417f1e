"""The folder of a wake word for ESPHome: a streaming TFLite file, its manifest, a page, a report."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from supernet.errors import InvalidData, InvalidQuery
from supernet.layer import parts
from supernet.memory import answer_frames
from zoo.export.c.names import c_name
from zoo.export.esphome.head import Head, fit, word_of
from zoo.export.esphome.rule import STEP_MS, Rule
from zoo.export.licences import licensed
from zoo.export.pages import about, page
from zoo.export.place import check_free, write_folder
from zoo.export.sounds import usable
from zoo.export.tflite.build import Written, build
from zoo.export.tflite.folder import beginnings, model_file
from zoo.export.tflite.graph import Node, Tensor
from zoo.export.tflite.run import arena_bytes
from zoo.run.evaluate import recordings_of

__all__ = ["OPERATORS", "VARIABLES", "export_esphome", "wake_word"]

TEMPLATES = Path(__file__).with_name("templates")
OPERATORS = (
    "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "RESHAPE", "STRIDED_SLICE", "CONCATENATION",
    "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL", "ADD", "MEAN", "LOGISTIC", "QUANTIZE",
    "AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "PACK", "SPLIT_V",
)  # fmt: skip
VARIABLES = 20
"""What ESPHome registers, and how many variables."""
FEATURE_SCALE, FEATURE_ZERO = 0.0390625 * 666 / 256, -128
"""By which pymicro-wakeword rounds features to what ESPHome makes of them with 256 / 666; ESPHome reads neither."""
ARENA_TIMES, TAIL_MS = 2, 300
FALSE_SHARE, CUTOFFS = 0.005, np.arange(0.5, 0.975, 0.01)
"""Recordings of other sounds at which a tuned word may wake, and cutoffs that are tried, the least first."""
log = logging.getLogger(__name__)
WEBSITE = "https://esphome.io/components/micro_wake_word"


def export_esphome(model, place: Path, name: str | None, word: str, tune: str, language: str) -> Path:
    """Write one word of a model into a folder. Raises InvalidQuery, InvalidData."""
    check_free(place)
    name = c_name(re.sub(r"\W", "_", place.resolve().name) if name is None else name)
    head = word_of(model.knows, model.labels, word, model.multi_label)
    rule, tuned = _rule(model, head), None
    if tune:
        head, rule, tuned = _tuned(model, head, rule, Path(tune))
    written = wake_word(model, head)
    data = model_file(model, written)
    arena = arena_bytes(data, beginnings(written))
    manifest = _manifest(model, name, head, rule, arena, language)
    report = _report(model, head, rule, tuned, data, arena, written)
    page = _page(model, name, manifest, report)
    files = {f"{name}.tflite": data, f"{name}.json": json.dumps(manifest, indent=2) + "\n", "README.md": page}
    write_folder(place, licensed(files, model, [f"{name}.tflite"]), report, "wake word")
    return place


def wake_word(model, head: Head) -> Written:
    """The graphs of one word: features (1, frames, 40) int8 -> (1, 1) uint8. Raises InvalidQuery beyond ESPHome's
    limits.
    """
    *_, before, last = model.network.specs
    written = build(model.network, "stream", end=before.name, twice=True)
    written.main.outputs = [head.write(written, last)]
    _flat_input(written)
    if lacking := sorted({*written.operators} - {*OPERATORS}):
        raise InvalidQuery(f"{model.name} needs {', '.join(lacking)}, which ESPHome does not register: use --to tflite")
    if written.variables > VARIABLES:
        raise InvalidQuery(
            f"{model.name} keeps {written.variables} variables, and ESPHome {VARIABLES}: take a model with fewer layers"
        )
    return written


def _flat_input(written: Written) -> None:
    """Read frames as ESPHome gives them; their scale and zero point are for whoever rounds them by these."""
    [own] = written.main.inputs
    _, frames, height, channels = own.shape
    flat = Tensor(
        (1, frames, height * channels), "int8", np.array([FEATURE_SCALE], np.float32), FEATURE_ZERO, "features"
    )
    node = Node("RESHAPE", (flat, written.constant(own.shape)), (own,), {"NewShape": list(own.shape)})
    written.main.inputs = [flat]
    written.main.nodes.insert(int(written.main.nodes[0].op == "CALL_ONCE"), node)


def _rule(model, head: Head) -> Rule:
    """As near to the package's own detector as that of ESPHome comes: its threshold, over the same time."""
    settings, frames = model.detection, _frames(model)
    window = 1 + (settings.smoothing - 1) * settings.hop_ms // (frames * STEP_MS)
    return Rule(min(0.97, settings.of(model.knows[head.label])), window, frames)


def _frames(model) -> int:
    """Of features to an answer."""
    return model.arch.frames // answer_frames(parts(model.arch))


def _tuned(model, head: Head, rule: Rule, folder: Path) -> tuple[Head, Rule, dict]:
    """Slope, offset and cutoff by recordings, and what they give there."""
    logits, is_word = _heard(model, head, folder)
    scale = model.network.activations[model.network.specs[-1].name].scale
    slope, offset = fit(np.array([head.distances(one, scale).max() for one in logits]), is_word)
    head = replace(head, slope=slope, offset=offset)
    sums = np.array([rule.sums(head.outputs(one, scale)).max() for one in logits])
    for cutoff in CUTOFFS:
        rule = replace(rule, cutoff=round(float(cutoff), 2))
        wakes = sums > rule.least
        if wakes[~is_word].mean() <= FALSE_SHARE:
            break
    if wakes[~is_word].mean() > FALSE_SHARE or not wakes[is_word].any():
        log.warning(
            "%s: at the cutoff %g it wakes at %d of %d recordings of the word and at %d of %d others; give more",
            folder, rule.cutoff, wakes[is_word].sum(), is_word.sum(), wakes[~is_word].sum(), (~is_word).sum(),
        )  # fmt: skip
    found = {"word": int(is_word.sum()), "heard": int(wakes[is_word].sum()), "others": int((~is_word).sum())}
    return head, rule, {**found, "false": int(wakes[~is_word].sum()), "folder": folder.name}


def _heard(model, head: Head, folder: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Logits (answers, classes) of each recording as a stream, and whether it says the word."""
    files, _ = recordings_of(model, folder)
    tail, logits, is_word = np.zeros(TAIL_MS * model.sampling_rate // 1000, np.int16), [], []
    word = model.knows[head.label]
    for file, samples in usable(model, files):
        found, _ = model.step(np.concatenate([samples, tail]), model.reset())
        logits.append(found)
        is_word.append(model.labels[files[file]] == word)
    if len({*is_word}) < 2:
        raise InvalidData(f"{folder}: has no recordings of both {word!r} and others to tune on")
    return logits, np.array(is_word)


def _manifest(model, name: str, head: Head, rule: Rule, arena: int, language: str) -> dict:
    """Version 2."""
    return {
        "type": "micro",
        "wake_word": model.knows[head.label],
        "author": f"made by Earshot of {model.name}",
        "website": WEBSITE,
        "model": f"{name}.tflite",
        "trained_languages": [language],
        "version": 2,
        "micro": {
            "probability_cutoff": rule.cutoff,
            "feature_step_size": STEP_MS,
            "sliding_window_size": rule.window,
            "tensor_arena_size": ARENA_TIMES * arena,
            "minimum_esphome_version": "2024.7.0",
        },
    }


def _report(model, head: Head, rule: Rule, tuned: dict | None, data: bytes, arena: int, written: Written) -> dict:
    return {
        "export": "esphome", "model": model.name, "word": model.knows[head.label], "bytes": len(data),
        "weight_bytes": model.entry.weight_bytes, "arena_bytes_on_host": arena, "variables": written.variables,
        "operators": written.operators,
        "head": asdict(head), "rule": asdict(rule), "tuned_on": tuned,
    }  # fmt: skip


def _page(model, name: str, manifest: dict, report: dict) -> str:
    """README.md."""
    rule, tuned, micro = report["rule"], report["tuned_on"], manifest["micro"]
    chosen = "Cutoff and window are those of the package's detector, and the output is nearly the word's score there."
    if tuned:
        chosen = (
            f"Slope, offset and cutoff were tuned on recordings in {tuned['folder']}: it wakes at {tuned['heard']:,} "
            f"of {tuned['word']:,} that say the word, and at {tuned['false']:,} of {tuned['others']:,} others. That is "
            "how it was chosen, no estimate of how it does elsewhere."
        )
    values = {
        "WORD": report["word"], "QUOTED": json.dumps(report["word"], ensure_ascii=False),
        "NAME": name, "BYTES": f"{report['bytes']:,}",
        "VARIABLES": str(report["variables"]), "HOST": f"{report['arena_bytes_on_host']:,}",
        "ARENA": f"{micro['tensor_arena_size']:,}", "CUTOFF": f"{rule['cutoff']:g}", "WINDOW": str(rule["window"]),
        "STEPMS": str(rule["frames"] * STEP_MS), "CHOSEN": chosen,
        "SLOPE": f"{report['head']['slope']:.4g}", "OFFSET": f"{report['head']['offset']:.4g}",
    }  # fmt: skip
    return page(TEMPLATES, ["README"], about(model) | values)
