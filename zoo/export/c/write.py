"""A model as C that gives the integers of its package in a stream, from samples to events."""

from __future__ import annotations

import re
from functools import cached_property
from math import ceil
from pathlib import Path

import numpy as np

from supernet.constants import SILENCE, UNKNOWN
from supernet.errors import InvalidQuery
from supernet.frontend.fixed import MelTables, mel_tables
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, layers, parts
from supernet.memory import answer_frames, plan_step
from zoo.export.c.layers import BLOCK, KINDS, LIMITS, Step, kind_of
from zoo.export.c.text import array
from zoo.run.along import streams
from zoo.run.detection import Detector
from zoo.run.scores import ONE, exponential_tables

__all__ = ["Sources", "c_name"]

SOURCES = Path(__file__).with_name("sources")
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
MACRO = re.compile(r"\bNAME_([A-Z][A-Z0-9_]*)\b")
GUARDED = """\
#ifndef {guard}
#define {guard}

{text}
#endif
"""


def c_name(name: str) -> str:
    """The same, where it can begin names of C. Raises InvalidQuery."""
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise InvalidQuery(f"name = {name!r:.80} is not possible: give an identifier of C, such as my_model")
    return name


class Sources:
    """The C of a model that streams. name: what public names begin with. grids: of weights, by layer."""

    def __init__(self, network: IntegerNetwork, frontend, detector: Detector, grids: dict[str, str], name: str) -> None:
        if not streams(network):
            raise InvalidQuery("this model hears whole clips: it has no form in a stream")
        self.network, self.frontend, self.detector, self.grids = network, frontend, detector, grids
        self.name = c_name(name)

    def files(self) -> dict[str, str]:
        """Texts by file name."""
        name = self.name
        texts = {f"{name}.h": self._header(), f"{name}_internal.h": self._internal(), f"{name}.c": self._body(),
                 f"{name}_weights.c": self._weights(), f"{name}_frontend.c": self._frontend()}  # fmt: skip
        return {file: self._named(text) for file, text in texts.items()}

    def _named(self, text: str) -> str:
        text = MACRO.sub(lambda found: f"{self.name.upper()}_{found[1]}", text)
        return re.sub(r"\bNAME(?=\b|_)", self.name, text)

    @cached_property
    def specs(self) -> tuple[LayerSpec, ...]:
        """Those that compute something."""
        return tuple(spec for spec in layers(self.network.arch) if spec.inputs)

    @cached_property
    def answers(self) -> int:
        """In a clip."""
        return answer_frames(parts(self.network.arch))

    @cached_property
    def tables(self) -> MelTables:
        """Of the front end."""
        return mel_tables(self.frontend)

    @cached_property
    def arena(self) -> dict[str, tuple[int, int]]:
        """Offset and size of each tensor in the arena of a step."""
        return {item.name: (item.offset, item.size) for item in plan_step(self.network.arch).tensors}

    @cached_property
    def places(self) -> dict[str, str]:
        """Where each tensor is."""
        found = {name: f"self->arena + {offset}" for name, (offset, _) in self.arena.items()}
        first, last = layers(self.network.arch)[0].name, self.specs[-1].name
        return found | {first: "self->features", last: "self->logits"}

    def _step(self, spec: LayerSpec) -> Step:
        frames = max(1, spec.in_shape[2] // self.answers)
        return Step(self.network, spec, frames, self.places, self.grids.get(spec.name, ""))

    @property
    def _frames(self) -> int:
        """Of features, in a step."""
        return layers(self.network.arch)[0].out_shape[2] // self.answers

    def _header(self) -> str:
        labels = "".join(f"    NAME_LABEL_{number} /* {label} */,\n" for number, label in enumerate(self.detector.labels))
        del labels
        arch, front = self.network.arch, self.frontend
        rows = len(self.detector.labels)
        names = ", ".join(f'"{label}"' for label in self.detector.labels)
        text = _source("api.h").replace("{ LABELS }", f"{{ {names} }}")
        states = [KINDS[kind_of(spec)].state(spec) for spec in self.specs]
        values = {
            "SAMPLE_RATE": front.sampling_rate,
            "CLASSES": rows,
            "COEFFICIENTS": front.coefficients,
            "HOP": front.hop_samples,
            "WINDOW": front.window_samples,
            "OVERLAP": front.window_samples - front.hop_samples,
            "POINTS": front.fft,
            "MELS": front.mels,
            "STEP": self._frames,
            "CLIP_ANSWERS": self.answers,
            "SMOOTHING": self.detector.settings.smoothing,
            "POOLED": self._pool.in_shape[0],
            "POOL_WINDOW": self._pool.in_shape[2],
            "ARENA": max(offset + size for name, (offset, size) in self.arena.items() if name != self.specs[-1].name),
        }
        macros = "".join(f"#define NAME_{key} {value}\n" for key, value in values.items())
        text = text.replace("MACROS\n", macros).replace("STATES\n", "".join(f"    {state}\n" for state in states if state))
        del arch
        return GUARDED.format(guard=f"{self.name.upper()}_H", text=text)

    @property
    def _pool(self) -> LayerSpec:
        return next(spec for spec in self.specs if spec.kind == "pool")

    def _internal(self) -> str:
        kinds = list(dict.fromkeys(KINDS[kind_of(spec)].structure for spec in self.specs))
        known = "".join(f"extern const {_type(spec)} NAME_{spec.name};\n" for spec in self.specs)
        text = f'#include "NAME.h"\n\n{LIMITS}{"".join(kinds)}\n{known}\nvoid NAME_frontend(NAME_t *self, int8_t *features);\n'
        return GUARDED.format(guard=f"{self.name.upper()}_INTERNAL_H", text=text)

    def _weights(self) -> str:
        found = [KINDS[kind_of(spec)].constants(self._step(spec)) for spec in self.specs]
        return '#include "NAME_internal.h"\n\n' + "\n".join(found)

    def _body(self) -> str:
        kinds = [kind_of(spec) for spec in self.specs]
        wanted = dict.fromkeys(["common", *(source for kind in kinds for source in KINDS[kind].source), *self._keep])
        if "depthwise" in wanted and "conv" not in wanted:
            wanted = dict.fromkeys(["common", "conv", *wanted])
        parts = ['#include <string.h>\n#include "NAME_internal.h"\n\n' + self._macros()]
        parts += [_source(f"{name}.c") for name in wanted]
        parts += [self._reset(), self._network(), self._detector_tables(), _source("detector.c")]
        return "\n".join([*parts, _source("frame.c"), _source("stream.c")])

    @property
    def _keep(self) -> list[str]:
        return ["keep"] if any(spec.kind == "conv" and spec.operator.kept_frames(spec) for spec in self.specs) else []

    def _macros(self) -> str:
        dense = [spec for spec in self.specs if kind_of(spec) in ("conv", "linear")]
        deep = [spec for spec in self.specs if kind_of(spec) == "depthwise"]
        settings, (multiplier, shift) = self.detector.settings, self.detector.scores.multiplier
        values = {
            "ROW": max(int(np.prod(spec.weight_shape[1:])) for spec in dense),
            "BLOCK": BLOCK,
            "PLACES": max((spec.kernel[0] * spec.kernel[1] for spec in deep), default=1),
            "EVERY": settings.hop_ms * self.answers // (self.network.arch.frames * self.network.arch.features.step_ms),
            "REFRACTORY": self.detector.refractory,
            "SCORE_MULTIPLIER": f"{multiplier}U",
            "SCORE_SHIFT": shift,
            "SEVERAL": int(self.detector.scores.several),
        }
        return "".join(f"#define NAME_{key} {value}\n" for key, value in values.items()) + "\n"

    def _reset(self) -> str:
        lines = []
        for spec in self.specs:
            if KINDS[kind_of(spec)].state(spec):
                zero = self.network.activations[spec.inputs[0]].zero_point
                place = f"self->{spec.name}.frames" if spec.kind == "pool" else f"self->{spec.name}"
                lines.append(f"    memset({place}, {zero}, sizeof({place}));\n")
        head = "/* What layers look back on: silence. */\nstatic void reset_network(NAME_t *self)\n{\n"
        return head + "".join(lines) + "}\n"

    def _network(self) -> str:
        head = f"/* One step: {self._frames} frame(s) of features, one answer. */\nstatic void network(NAME_t *self)\n{{\n"
        calls = [call for spec in self.specs for call in KINDS[kind_of(spec)].calls(self._step(spec))]
        return head + "".join(f"    {call}\n" for call in calls) + "}\n"

    def _detector_tables(self) -> str:
        coarse, fine = exponential_tables()
        never = np.iinfo(np.uint32).max
        least = np.where(self.detector.thresholds > ONE * self.detector.settings.smoothing, never, self.detector.thresholds)
        tables = {"coarse": coarse, "fine": fine, "thresholds": least.astype(np.uint32),
                  "releases": self.detector.releases.astype(np.uint32)}  # fmt: skip
        return "".join(array(name, values) for name, values in tables.items())

    def _frontend(self) -> str:
        tables, front = self.tables, self.frontend
        one_way = front.cosines is None
        values = {
            "GUARD": tables.guard,
            "POWER_SHIFT": tables.power_shift,
            "LEAST": tables.least,
            "OFFSET": tables.offset,
            "LAST_RADIX": 2 if ceil(np.log2(tables.points // 2)) % 2 else 4,
        }
        arrays = {"hann": tables.window, "cosines": tables.cosines, "starts": tables.starts, "rises": tables.rising,
                  "logarithms": tables.logarithm, "means": tables.mean, "multipliers": tables.multiplier,
                  "shifts": tables.shift}  # fmt: skip
        if one_way:
            values |= {"FIRST_MEL": tables.chosen.start or 0, "MEL_STEP": tables.chosen.step or 1}
        else:
            values |= {"TRANSFORM_BITS": tables.transform_bits}
            arrays["cosine_rows"] = tables.transform
        macros = "".join(f"#define NAME_{key} {value}\n" for key, value in values.items())
        texts = [array(name, part) for name, part in arrays.items()]
        pick = _source("mel_chosen.c" if one_way else "mel_cosines.c")
        first, last = _source("mel.c").split("/* ---- */\n")
        return "\n".join(['#include <string.h>\n#include "NAME_internal.h"\n', macros, *texts, first, pick, last])


def _type(spec: LayerSpec) -> str:
    return {"depthwise": "conv"}.get(kind_of(spec), kind_of(spec)) + "_t"


def _source(name: str) -> str:
    return (SOURCES / name).read_text()


NEVER = (UNKNOWN, SILENCE)
