"""A model as C that gives the integers of its package, from samples to events, or clip by clip."""

from __future__ import annotations

import re
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from supernet.errors import InvalidQuery
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, layers, parts
from supernet.memory import SMOOTHED, Arena, answer_frames, plan_arena, plan_step
from zoo.export.c.frontends import front_end
from zoo.export.c.names import c_name
from zoo.export.c.ops import operator
from zoo.export.c.ops.base import Operator, Step, source
from zoo.export.c.ops.conv import LONG, LONG_VALUES, block_of
from zoo.export.c.text import array, defines, quoted
from zoo.run.causal import streams
from zoo.run.detection import Detector
from zoo.run.scores import ONE, exponential_tables

__all__ = ["FOLDER", "FRONT_END", "SIZES", "Sources", "guarded", "named", "score_tables", "weights_at_a_time"]

FOLDER = Path(__file__).with_name("sources")
WORD = re.compile(r"\w+")
NAME, MACRO = re.compile(r"\bNAME(?=\b|_)"), re.compile(r"\bNAME_(?=[A-Z][A-Z0-9_]*\b)")
SIZES = {
    "SAMPLE_RATE": "in Hz, one channel",
    "CLASSES": "labels",
    "COEFFICIENTS": "features of a frame",
    "HOP": "samples from one frame to the next",
    "WINDOW": "samples that a frame hears",
    "OVERLAP": "of them, those that the frame before heard too",
    "POINTS": "of the transform",
    "MELS": "bands of the spectrum",
    "ARENA": "bytes that the layers work in, one after another",
    "STEP_FRAMES": "frames from one answer of the network to the next",
    "STEP_SAMPLES": "the same in samples",
    "CLIP_ANSWERS": "answers of a clip, which the detector waits for",
    "SMOOTHED": "looks of the detector that are kept",
    "POOL_CHANNELS": "of the average over time",
    "POOL_FRAMES": "that it is over",
    "CLIP_FRAMES": "frames of a clip",
    "CLIP_SAMPLES": "samples of a clip",
}
CONSTANTS = {
    "BUFFER": "bytes in which rows of weights are unpacked",
    "SPAN": "values that rows of weights are multiplied by, of each of two places",
    "BLOCK": "channels of a depthwise convolution that are computed at a time",
    "BLOCK_BUFFER": "bytes in which their weights are unpacked",
    "LONG_VALUES": "of long rows of weights, that are computed at a time",
    "LONG_CHANNELS": "outputs that share them",
    "HEARD": "samples that filters hear for a frame",
    "PLACES": "of a depthwise kernel, at most",
    "ORDER": "coefficients of a memory, at most",
    "SCORE_MULTIPLIER": "from a distance of logits to an exponent, in 1 / 1024 of a power of two",
    "SCORE_SHIFT": "right, behind the multiplication",
    "SEVERAL": "1 where a clip may have several labels",
    "SMOOTHING": "looks of the detector whose mean is compared with its threshold",
    "EVERY": "answers from one look of the detector to the next",
    "REFRACTORY": "looks without an event behind an event",
}
"""What macros are, in the header and in the code."""
FRONT_END = """\
/* The features of the window of samples that is there. */
void NAME_frontend(NAME_t *self, int8_t *features);
"""
WORK, BUFFER = 500, 240
"""Bytes of stack for rows of weights and what they are multiplied by, and of them for rows of less than 8 bits, which
are unpacked; longer rows take more."""
NEVER, MOST_LOOKS = 2**32 - 1, 2**16 - 1
"""A sum that no label reaches, and looks that are counted in 16 bits."""


class Sources:
    """The C of a model: of its stream where it has one, else of its clips.

    grids: of weights, by layer. name: what public names begin with.
    """

    def __init__(self, network: IntegerNetwork, frontend, detector: Detector, grids: dict[str, str], name: str) -> None:
        self.network, self.frontend, self.detector, self.grids = network, frontend, detector, grids
        self.name, self.streams = c_name(name), streams(network)
        self.answers = answer_frames(parts(network.arch)) if self.streams else 0
        self.input, *self.specs = layers(network.arch)

    def called(self, name: str) -> Sources:
        """The same with another name."""
        return type(self)(self.network, self.frontend, self.detector, self.grids, name)

    def files(self) -> dict[str, str]:
        """Texts by file name."""
        texts = {".h": self._header(), "_internal.h": self._internal(), ".c": self._body()}
        texts |= {"_weights.c": self._weights(), "_frontend.c": self._front_end()}
        self._check_name("".join(texts.values()))
        labels = ", ".join(map(quoted, self.detector.labels))
        named = {f"{self.name}{ending}": self.named(text) for ending, text in texts.items()}
        return {file: text.replace("@LABELS", f"{{{labels}}}") for file, text in named.items()}

    def _check_name(self, text: str) -> None:
        """Raise InvalidQuery for a name that makes two of one: `next`, of NAME_rows, the function next_rows."""
        words = {*WORD.findall(text)}
        if twice := {self.named(word) for word in words if word.startswith("NAME_")} & words:
            raise InvalidQuery(
                f"name = {self.name!r} is not possible, {sorted(twice)[0]} is another thing in the C of a model: give "
                f"another name, such as my_{self.name}"
            )

    def named(self, text: str) -> str:
        """A text with the model's name where it says NAME."""
        return named(text, self.name)

    @cached_property
    def steps(self) -> list[Step]:
        """Of all layers that compute."""
        grids, places, block = self.grids, self._places, block_of(self.network.arch)
        return [Step(self.network, spec, self.answers, places, grids.get(spec.name, ""), block) for spec in self.specs]

    @cached_property
    def arena(self) -> Arena:
        """What layers work in."""
        return plan_step(self.network.arch) if self.streams else plan_arena(self.network.arch)

    @property
    def offsets(self) -> dict[str, int]:
        """Of tensors in the arena."""
        return {item.name: item.offset for item in self.arena.tensors}

    @property
    def _places(self) -> dict[str, str]:
        found = {name: f"self->arena + {offset}" for name, offset in self.offsets.items()}
        return {self.input.name: "self->features", **found, self.specs[-1].name: "self->logits"}

    def _header(self) -> str:
        text = _text("stream.h" if self.streams else "clip.h").replace("@MACROS\n", defines(self._sizes, SIZES))
        own = [f"    {line}\n" for line in self._written.members(self.frontend)]
        members = "".join(["    /* The front end. */\n", *own]) if own else ""
        return guarded("NAME_H", self._with_states(text).replace("    @FRONT_END\n", members))

    def _with_states(self, text: str) -> str:
        """With the members of what layers keep."""
        wide, states = (
            "".join(f"    {line}\n" for step in self.steps for line in getattr(self._of(step), kind)(step))
            for kind in ("wide_state", "state")
        )
        about = "    /* The network: what layers keep in 16 bits. */\n" if wide else ""
        return text.replace("    @WIDE_STATES\n", about + wide).replace("    @STATES\n", states)

    @property
    def _sizes(self) -> dict[str, int]:
        arch, front = self.network.arch, self.frontend
        sizes = {
            "SAMPLE_RATE": front.sampling_rate, "CLASSES": arch.classes, "COEFFICIENTS": front.coefficients,
            "HOP": front.hop_samples, "WINDOW": front.window_samples,
            "OVERLAP": front.window_samples - front.hop_samples, **self._written.macros(front),
            "ARENA": self.arena.size,
        }  # fmt: skip
        if not self.streams:
            return {**sizes, "CLIP_FRAMES": arch.frames, "CLIP_SAMPLES": arch.frames * front.hop_samples}
        return {
            **sizes,
            "STEP_SAMPLES": arch.frames // self.answers * front.hop_samples,
            "CLIP_ANSWERS": self.answers,
            "SMOOTHED": SMOOTHED,
            **self._step_sizes,
        }

    @property
    def _step_sizes(self) -> dict[str, int]:
        """Of a step of a stream."""
        pool = next(spec for spec in self.specs if spec.operator.per_answer)
        return {
            "STEP_FRAMES": self.network.arch.frames // self.answers,
            "POOL_CHANNELS": prod(pool.in_shape[:2]),
            "POOL_FRAMES": pool.in_shape[2],
        }

    def _internal(self) -> str:
        kinds = {step.spec.kind: self._of(step).structure for step in self.steps}
        text = _text("internal.h").replace("@COMPILERS\n", f"{_text('compilers.h')}\n")
        found = [f"typedef struct {{\n{fields}    NAME_limits to;\n}} NAME_{kind};\n" for kind, fields in kinds.items()]
        known = [f"extern const NAME_{step.spec.kind} NAME_{step.spec.name}_layer;" for step in self.steps]
        text = text.replace("@STRUCTURES\n", "\n".join(found)).replace("@LAYERS\n", "\n".join(known) + "\n")
        return guarded("NAME_INTERNAL_H", text.replace("@FRONT_END\n", self._declared))

    @property
    def _declared(self) -> str:
        """Functions of other files than the first."""
        return FRONT_END

    def _weights(self) -> str:
        found = [f"/* {_described(step)} */\n{self._of(step).constants(step)}" for step in self.steps]
        return "\n".join(["/* The layers: weights, as many bits as they have, and what they are rescaled by. */",
                          '#include "NAME_internal.h"\n', *found])  # fmt: skip

    def _body(self) -> str:
        functions = dict.fromkeys(name for step in self.steps for name in self._of(step).functions(step))
        network = [*map(self._function, ("common", *functions)), self._reset(), self._network()]
        head = f'#include <string.h>\n\n#include "NAME_internal.h"\n\n{defines(self._constants, CONSTANTS)}'
        return "\n".join([head, *network, *self._around()])

    def _around(self) -> list[str]:
        """What feeds the network, and makes scores and events of its logits."""
        ends = ["detector.c", "window.c", "stream.c"] if self.streams else ["window.c", "clip.c"]
        tables = self._detector_tables() if self.streams else score_tables()
        texts = [tables, _text("scores.c"), *map(_text, ends)]
        return [text.replace("@INPUT", str(self.offsets.get(self.input.name, 0))) for text in texts]

    @property
    def _work(self) -> dict[str, int]:
        """Of what layers compute in."""
        dense = [spec for spec in self.specs if spec.has_weights and not spec.depthwise]
        row = max(map(weights_at_a_time, dense))
        packed = max(map(weights_at_a_time, filter(_packed, dense)), default=0)
        apart = [spec for spec in self.specs if spec.depthwise]
        places, unpacked = ([prod(spec.kernel) for spec in some] for some in (apart, filter(_packed, apart)))
        buffer = max(1, packed, min(2 * packed, BUFFER))
        found = {
            "BUFFER": buffer,
            "SPAN": max(_fours((row + 1) // 2), min(_fours(row), (WORK - buffer) // 16 * 4)),
            "BLOCK": block_of(self.network.arch),
            "BLOCK_BUFFER": max(1, block_of(self.network.arch) * max(unpacked, default=0)),
            "PLACES": max(places, default=1),
        }
        for step in self.steps:
            found |= {name: max(size, found.get(name, 0)) for name, size in self._of(step).work(step).items()}
        return found

    @property
    def _constants(self) -> dict[str, int | str]:
        multiplier, shift = self.detector.scores.multiplier
        found = {
            **self._work,
            "SCORE_MULTIPLIER": f"{multiplier}U",
            "SCORE_SHIFT": shift,
            "SEVERAL": int(self.detector.scores.several),
        }
        return found | self.looks if self.streams else found

    @property
    def looks(self) -> dict[str, int]:
        """How the detector of a stream looks at answers. Raises InvalidQuery for looks between two of them, and for a
        rest that is too long.
        """
        clip_ms, hop_ms = self.network.arch.frames * self.network.arch.features.step_ms, self.detector.settings.hop_ms
        every, between = divmod(hop_ms * self.answers, clip_ms)
        if between:
            raise InvalidQuery(
                f"hop_ms = {hop_ms} is not possible in C, where the stream answers each {clip_ms / self.answers:g} ms: "
                "choose settings anew by `earshot tune`"
            )
        if self.detector.refractory > MOST_LOOKS:
            raise InvalidQuery(
                f"refractory_ms = {self.detector.settings.refractory_ms} is not possible in C: give at most "
                f"{MOST_LOOKS * self.detector.settings.hop_ms}, {MOST_LOOKS:,} looks"
            )
        return {"SMOOTHING": self.detector.settings.smoothing, "EVERY": every, "REFRACTORY": self.detector.refractory}

    @property
    def sums(self) -> dict[str, np.ndarray]:
        """(classes,) uint32 each: sums of scores at which a label is an event, and below which it ends."""
        settings, sums = self.detector.settings, self.detector.thresholds
        least = np.where(sums > ONE * settings.smoothing, NEVER, sums)
        found = {"thresholds": least, "releases": self.detector.releases}
        return {name: values.astype(np.uint32) for name, values in found.items()}

    def _reset(self) -> str:
        lines = [f"    {line}\n" for step in self.steps for line in self._of(step).reset(step)]
        lines += [f"    {line}\n" for line in self._heard()] or ["    (void)self;\n"] * (not lines)
        head = "/* What layers and the front end look back on: silence. */\nNAME_APART\n"
        head += "static void reset_network(NAME_t *self)\n{\n"
        return f"{head}{''.join(lines)}}}\n"

    def _heard(self) -> list[str]:
        """Statements that silence the front end."""
        return self._written.reset(self.frontend)

    def _of(self, step: Step) -> Operator:
        """What writes a layer."""
        return operator(step.spec.kind)

    def _function(self, name: str) -> str:
        """The text of functions of the network, by the name of their file."""
        return source(name)

    def _network(self) -> str:
        calls = [f"    /* {_described(step)} */\n" + "".join(f"    {call}\n" for call in self._of(step).calls(step))
                 for step in self.steps]  # fmt: skip
        what = "an answer" if self.streams else "a whole clip"
        about = f"/* The layers, to {what}. Maps are (frames, height, channels); their places in the arena overlap. */"
        return f"{about}\nNAME_APART\nstatic void network(NAME_t *self)\n{{\n{''.join(calls)}}}\n"

    def _detector_tables(self) -> str:
        about = "/* Of each label: a sum of NAME_SMOOTHING scores that is an event, and that below which it ends. */"
        found = "".join(array(name, values) for name, values in self.sums.items())
        return f"{score_tables()}\n{about}\n{found}"

    def _front_end(self) -> str:
        head = "/* From a window of samples to features: integers alone. */\n#include <string.h>\n"
        return f'{head}\n#include "NAME_internal.h"\n\n{self._features_text()}'

    def _features_text(self) -> str:
        """Tables and functions of the front end."""
        return self._written.text(self.frontend)

    @property
    def _written(self):
        return front_end(self.frontend.kind)


def score_tables() -> str:
    """The tables of exponentials."""
    coarse, fine = exponential_tables()
    about = "/* 2^-(i / 32) and 2^-(i / 1024), 2^15 is one. */"
    return "\n".join([about, array("coarse", coarse) + array("fine", fine)])


def weights_at_a_time(spec: LayerSpec) -> int:
    """Weights of a row that are computed at a time."""
    return LONG_VALUES if LONG in spec.operator.calls(spec) else prod(spec.weight_shape[1:])


def _packed(spec: LayerSpec) -> bool:
    return spec.weight_bits < 8


def _fours(count: int) -> int:
    return -(-count // 4) * 4


def _described(step: Step) -> str:
    """A layer in a line: what it reads and writes at a time, (frames, height, channels)."""
    spec = step.spec
    kind = "depthwise conv" if spec.depthwise else spec.kind
    reads, writes = (
        " x ".join(map(str, (frames, *shape[1::-1])))
        for frames, shape in ((step.frames, spec.in_shape), (step.out_frames, spec.out_shape))
    )
    bits = f", {spec.weight_bits} bits" if spec.has_weights else ""
    return f"{spec.name}: {kind}, {reads} -> {writes}{bits}"


def _text(name: str) -> str:
    return (FOLDER / name).read_text()


def named(text: str, name: str) -> str:
    """A text with a name where it says NAME."""
    return NAME.sub(name, MACRO.sub(f"{name.upper()}_", text))


def guarded(guard: str, text: str) -> str:
    """A header that is read once."""
    return f"#ifndef {guard}\n#define {guard}\n\n{text}\n#endif\n"
