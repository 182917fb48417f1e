"""The folder of a model in C: sources, build files, examples, known answers, and a report of its sizes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from predictors.runtime import measured_with, runtime_of
from supernet.arch import Arch
from supernet.layer import parts
from supernet.memory import (
    LOGIT_BYTES,
    answer_frames,
    clip_ram_bytes,
    detector_bytes,
    frontend_bytes,
    peak_arena_bytes,
    step_arena_bytes,
    stream_extra_bytes,
    stream_ram_bytes,
    stream_state_bytes,
)
from zoo.export.c.names import c_name
from zoo.export.c.stack import stack_measured, stack_of, stack_range
from zoo.export.c.text import array
from zoo.export.c.write import Sources
from zoo.export.licences import licence, licensed, of_both
from zoo.export.place import check_free, write_folder
from zoo.package.detected import rounded_up

__all__ = ["MADE", "export_c"]

TEMPLATES = Path(__file__).with_name("templates")
MADE = ("test/run", "bench")
"""Beside what the report lists: by `make`."""
STATED = re.compile(r"@([A-Z]+)\b")
STREAM = {
    "HEARS": "Events of",
    "STATE": "stream",
    "DECLARED": "NAME_event event;",
    "HEAR": "NAME_push(&stream, samples + used, count - used, &event)",
    "LABEL": "event.label",
    "SCORE": "event.score",
}
CLIP = {
    "HEARS": "Answers, clip by clip, to",
    "STATE": "clip",
    "DECLARED": "int32_t label; uint32_t score;",
    "HEAR": "NAME_answer(&clip, samples + used, count - used, &label, &score)",
    "LABEL": "label",
    "SCORE": "score",
}
"""What the examples of a stream and of clips say at each @."""
KNOWN_SAMPLES = 16_000
"""Of known answers at the least; of a model of longer clips, a clip."""


def export_c(model, folder: str | Path, name: str | None = None) -> Path:
    """Write a model as C that gives the integers of its package; see the README.md in the folder.

    model: a zoo.Model. folder: made, or one that was exported before, which is replaced. name: what all public names
    begin with, by default that of the folder. Raises InvalidQuery for a name that is no identifier of C, or a folder
    that holds anything else.
    """
    place = Path(folder)
    name = c_name(re.sub(r"\W", "_", place.resolve().name) if name is None else name)
    check_free(place, MADE)
    write_folder(place, *_files(model, name), "C")
    return place


def _files(model, name: str) -> tuple[dict[str, str], dict]:
    """Texts by path, and the report."""
    sources = Sources(model.network, model.frontend, model.detector(), model.grids, name)
    texts = {f"src/{file}": text for file, text in sources.files().items()}
    texts["test/known_answers.h"] = sources.named(_known_answers(model, sources))
    values = _values(model, sources)
    for path, file in _templates(sources.streams):
        text = sources.named(file.read_text(encoding="utf-8"))
        texts[path.replace("NAME", name)] = STATED.sub(lambda found: values[found[1]], text)
    made_of_data = f"src/{name}_weights.c", "test/known_answers.h"
    return licensed(texts, model, made_of_data), _report(model, sources)


def _templates(streams: bool) -> list[tuple[str, Path]]:
    """Paths in the folder, and what they are made of."""
    found, other = [], ".clip." if streams else ".stream."
    for file in sorted(TEMPLATES.rglob("*")):
        path = file.relative_to(TEMPLATES).as_posix()
        if file.is_file() and other not in path:
            found.append((path.replace(".stream.", ".").replace(".clip.", "."), file))
    return found


def _known_answers(model, sources: Sources) -> str:
    """Samples, and the integers that they must give."""
    samples = _known_samples(model, sources)
    if not sources.streams:
        logits = model.logits(model.features(samples[None]))
        scores = sources.detector.scores(logits)
        return _known(samples, logits, "known_labels", [(int(one.argmax()), int(one.max())) for one in scores])
    logits, _ = model.step(samples, model.reset())
    every = sources.looks["EVERY"]
    found, _ = sources.detector.step(logits[sources.answers - 1 :: every], sources.detector.reset())
    rows = [(one.label, one.units, one.answer) for one in found]
    return _known(samples, logits, "known_events", rows)


def _known_samples(model, sources: Sources) -> np.ndarray:
    """A clip of the test vectors; in a stream, half a second of silence behind it, and whole steps."""
    clip = np.pad(model.vectors["samples"][0], (0, model.clip_samples))[: model.clip_samples]
    if not sources.streams:
        return clip
    step = model.clip_samples // sources.answers
    wanted = -(-(max(KNOWN_SAMPLES, len(clip)) + model.sampling_rate // 2) // step) * step
    return np.pad(clip, (0, wanted))[:wanted]


def _known(samples: np.ndarray, logits: np.ndarray, name: str, rows: list[tuple[int, ...]]) -> str:
    """name: of the array of rows, which has one of zeros where there are none."""
    counts = {"known_samples": len(samples), "known_answers": len(logits), name: len(rows)}
    sizes = [f"#define {known.upper()} {count}" for known, count in counts.items()]
    arrays = {"known_samples": samples, "known_logits_of": logits, name: np.array(rows or [(0, 0, 0)], np.int32)}
    return "\n".join(["#include <stdint.h>\n", *sizes, "", *(array(*one) for one in arrays.items())])


def _values(model, sources: Sources) -> dict[str, str]:
    """What templates say with a @."""
    return {
        "MODEL": model.name,
        "UPPER": sources.name.upper(),
        "TASK": model.task,
        "LABELS": ", ".join(model.knows),
        "LICENCE": of_both(model.licence),
        "RATE": str(model.sampling_rate),
        "RAM": f"{model.entry.ram_bytes:,}",
        "WHAT": "events" if sources.streams else "labels of clips",
        "FIGURES": "\n".join(f"- {line}" for line in _figures(model, sources)),
        **{key: sources.named(text) for key, text in (STREAM if sources.streams else CLIP).items()},
    }


def _figures(model, sources: Sources) -> list[str]:
    entry, settings = model.entry, model.detection
    runtime = runtime_of(model.arch)
    lines = [
        f"flash {entry.weight_bytes + runtime:,} bytes: weights {entry.weight_bytes:,}, code and tables {runtime:,} "
        f"({measured_with()}); "
        f"RAM {entry.ram_bytes:,} bytes",
        _stack(model.arch),
        f"labels: {', '.join(model.knows)}{_asked(model, sources)}",
    ]
    if sources.streams:
        lines.append(
            f"an event at a mean score of {settings.threshold:g} over {settings.smoothing} answers, one each "
            f"{settings.hop_ms} ms; then a pause of {settings.refractory_ms} ms"
        )
        lines.append(_alarms(entry))
    return [*lines, f"licence of the weights: {licence(model)}; {model.attribution}"]


def _asked(model, sources: Sources) -> str:
    """What becomes of some words that a model was asked for."""
    if not model.words:
        return ""
    words = ", ".join(model.words)
    return f"; events of {words} alone" if sources.streams else f"; answers are of all of these, not of {words} alone"


def _stack(arch: Arch) -> str:
    if (found := stack_of(arch)) is not None:
        return f"stack of a call: {found:,} bytes ({stack_measured()})"
    least, most = stack_range()
    return f"stack of a call: not measured; bundled models take {least:,} to {most:,} bytes ({stack_measured()})"


def _alarms(entry) -> str:
    if entry.false_alarms_per_hour is None:
        return "false alarms: not measured; `earshot tune` does, on recordings of yours"
    rate, most = entry.false_alarms_per_hour, rounded_up(entry.false_alarms_upper)
    return f"false alarms: {rate:g} an hour, at most {most:g} (95 %), on what was heard for the package"


def _report(model, sources: Sources) -> dict:
    """All sizes, and what it was made of."""
    entry, runtime = model.entry, runtime_of(model.arch)
    sizes = ("weight_bytes", "stream_ram_bytes", "clip_ram_bytes", "macs")
    found = {"export": "c", "model": model.name, "name": sources.name, "form": "stream" if sources.streams else "clip"}
    found |= {size: getattr(entry, size) for size in sizes}
    found |= {"runtime_bytes": runtime, "flash_bytes": entry.weight_bytes + runtime}
    found |= {"stack_bytes": stack_of(model.arch), "stack_measured": stack_measured()}
    found |= {"false_alarms_per_hour": entry.false_alarms_per_hour, "false_alarms_upper": entry.false_alarms_upper}
    found |= {"ram": _ram(model.arch, sources.streams), "runtime_measured": measured_with()}
    found |= {"sampling_rate": model.sampling_rate}
    found |= {"clip_samples": model.clip_samples, "step_samples": model.clip_samples // (sources.answers or 1)}
    layers = {step.spec.name: {"kind": step.spec.kind, "bits": step.spec.weight_bits} for step in sources.steps}
    return {**found, "labels": list(model.knows), "detection": model.detection.to_dict(), "layers": layers}


def _ram(arch: Arch, streaming: bool) -> dict[str, int]:
    """Bytes of the parts of the structure."""
    frontend = frontend_bytes(arch.features.kind)
    if not streaming:
        found = {"arena": peak_arena_bytes(arch), "logits": LOGIT_BYTES * arch.classes, "frontend": frontend}
        return {**found, "padding": clip_ram_bytes(arch) - sum(found.values())}
    steps = parts(arch)
    found = {
        "arena": step_arena_bytes(arch),
        "kept_frames": stream_state_bytes(arch),
        "features_logits_sums": sum(stream_extra_bytes(part, answer_frames(steps)) for part in steps),
        "frontend": frontend,
        "detector": detector_bytes(arch.classes),
    }
    return {**found, "padding": stream_ram_bytes(arch) - sum(found.values())}
