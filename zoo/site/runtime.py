"""What a page needs to run models: scripts that work from disk, with all data inside, and plans of models."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from zoo.export.c.write import Sources
from zoo.site.machine.binary import BINARY
from zoo.site.machine.plan import plan_of

__all__ = ["RUNTIME", "START", "STYLE", "clips_script", "model_plan", "plan_script", "runtime_files"]

STATIC, CLIPS = Path(__file__).with_name("static"), Path(__file__).parents[1] / "clips"
MACHINE = "earshot.wasm.js"
RUNTIME, START, STYLE = ("earshot.js", MACHINE, "clips.js", "try.js"), "start.js", "try.css"
"""Scripts in the order in which a page loads them; that which it loads behind the plans of its models; the style."""
WORKLET = "hear.js"
"""Which try.js loads."""


def runtime_files() -> dict[str, str]:
    """Texts of all scripts and of the style, by file name."""
    made = {MACHINE: _set("Earshot.wasm", _base64(BINARY.read_bytes())), "clips.js": clips_script()}
    return {
        name: made.get(name) or (STATIC / name).read_text(encoding="utf-8")
        for name in (*RUNTIME, START, STYLE, WORKLET)
    }


def clips_script() -> str:
    """The bundled clips as data: [{"name", "wav": base64}, ...]."""
    clips = [{"name": path.stem, "wav": _base64(path.read_bytes())} for path in sorted(CLIPS.glob("*.wav"))]
    return _set("Earshot.clips", clips)


def plan_script(model) -> str:
    """A zoo.Model as data, with its plan: Earshot.models[its name]. Raises InvalidQuery for one that is too large."""
    return _set(f"Earshot.models[{json.dumps(model.name)}]", model_plan(model))


def model_plan(model) -> dict:
    """What earshot.js reads of a model."""
    sources = Sources(model.network, model.frontend, model.detector(), model.grids, "plan")
    return {
        "name": model.name,
        "labels": list(model.knows),
        "kind": "stream" if sources.streams else "clip",
        "rate": model.sampling_rate,
        "clip_samples": model.clip_samples,
        "hop_ms": sources.detector.settings.hop_ms if sources.streams else model.clip_ms,
        "plan": _base64(plan_of(sources)),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _set(name: str, value) -> str:
    """A statement, in ASCII."""
    return f'"use strict";\n{name} = {json.dumps(value)};\n'
