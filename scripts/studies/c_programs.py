"""Generated C as programs of any compiler and word length, and whether they give the integers of Python."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from supernet.memory import plan_arena
from zoo.export.c.write import Sources

__all__ = [
    "CONFIGURATIONS",
    "VECTORS",
    "Compiler",
    "Program",
    "answers_of",
    "logits_of",
    "missing",
    "same_answers",
    "same_features",
]

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NAME = "model"
ANY = 0
"""Of chunks: of random sizes, 1 to 700 samples."""
STREAM = r"""
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

static model_t self;
static int16_t samples[LENGTH];

/* Each input from reset, in chunks of argv[1] samples, or of random ones: what is there behind each. */
int main(int argc, char **argv)
{
    const size_t chunk = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 0;
    uint32_t random = 1;

    while (fread(samples, sizeof(samples[0]), LENGTH, stdin) == LENGTH) {
        uint32_t used = 0;
        model_reset(&self);
        while (used < LENGTH) {
            model_event event = {-1, 0, 0};
            size_t wanted = chunk;
            random = random * 1664525U + 1013904223U;
            if (wanted == 0) {
                wanted = 1 + (random >> 8) % (random >> 30 ? 700 : 5);
            }
            wanted = LENGTH - used < wanted ? LENGTH - used : wanted;
            used += (uint32_t)model_push(&self, samples + used, wanted, &event);
            fwrite(&used, 4, 1, stdout);
            fwrite(&event, 4, 3, stdout);
            fwrite(model_logits(&self), sizeof(self.logits), 1, stdout);
            fwrite(model_features(&self), sizeof(self.features), 1, stdout);
        }
    }
    return 0;
}
"""
CLIP = (
    STREAM.replace("model_event event = {-1, 0, 0};", "int32_t label;\n            uint32_t score;")
    .replace("model_push(&self, samples + used, wanted, &event)",
             "model_answer(&self, samples + used, wanted, &label, &score)")
    .replace("fwrite(&event, 4, 3, stdout);",
             "fwrite(&label, 4, 1, stdout);\n            fwrite(&score, 4, 1, stdout);\n"
             "            fwrite(&self.clips, 4, 1, stdout);")
    .replace("            fwrite(model_features(&self), sizeof(self.features), 1, stdout);\n", "")
)  # fmt: skip
LAYERS = r"""
#include <stdio.h>

#include "model.c"

#define STEP (STEP_FRAMES * MODEL_COEFFICIENTS)

static model_t self;

/* Each input of features from reset, past the front end: logits of each step. */
int main(void)
{
    static int8_t features[STEP];
    int step = 0;

    while (fread(features, 1, STEP, stdin) == STEP) {
        if (step == 0) {
            model_reset(&self);
        }
        memcpy(PLACE, features, STEP);
        network(&self);
        fwrite(self.logits, sizeof(self.logits), 1, stdout);
        step = step + 1 == STEPS ? 0 : step + 1;
    }
    return 0;
}
"""


@dataclass(frozen=True)
class Compiler:
    """A way to make a program. cxx: compiles the program that calls the model as C++."""

    cc: str
    flags: tuple[str, ...]
    cxx: str = ""

    def build(self, folder: Path, driver: str, macros: dict[str, object], sources: list[str]) -> None:
        """`folder/run` of sources there. Raises CalledProcessError, with what the compiler said."""
        objects, defined = [], [f"-D{name}={value}" for name, value in macros.items()]
        (folder / "driver.c").write_text(driver)
        for file in [*sources, "driver.c"]:
            plus = self.cxx and file == "driver.c"
            how = [self.cxx, "-x", "c++", "-std=c++11"] if plus else [self.cc, "-std=c99"]
            objects.append(f"{file}.o")
            _do([*how, *self.flags, *WARNINGS, *defined, "-c", file, "-o", objects[-1]], folder)
        _do([self.cxx or self.cc, *self.flags, *objects, "-o", "run"], folder)


def _configurations() -> dict[str, Compiler]:
    found = {}
    for cc, cxx in (("gcc", "g++"), ("clang", "clang++")):
        for level in ("-O0", "-O3", "-Os"):
            for bits in ("64", "32"):
                found[f"{cc} {level}, {bits} bit"] = Compiler(cc, (level, f"-m{bits}"))
        found[f"{cc}, sanitizers"] = Compiler(cc, SANITIZED)
        found[f"{cxx} -O2 calls C"] = Compiler(cc, ("-O2",), cxx)
    return found


CONFIGURATIONS = {"gcc -O2, 64 bit": Compiler("gcc", ("-O2", "-m64")), **_configurations()}
"""By what rows call them."""
VECTORS = {
    "gcc -O3, AVX2": Compiler("gcc", ("-O3", "-mavx2")),
    "gcc -O3, AVX-512 VNNI": Compiler("gcc", ("-O3", "-mavx2", "-mavx512vl", "-mavx512vnni")),
}
"""Those of the library for Python, on processors that have them."""
INFO = Path("/proc/cpuinfo")


@cache
def missing(name: str) -> str:
    """Why a configuration does not work on this machine, or nothing."""
    compiler = (CONFIGURATIONS | VECTORS)[name]
    known = INFO.read_text(errors="replace").split() if name in VECTORS and INFO.is_file() else []
    for flag in (flag.removeprefix("-m") for flag in compiler.flags if name in VECTORS and flag.startswith("-m")):
        if flag.replace("512vnni", "512_vnni") not in known:
            return f"this processor has no {flag}"
    for tool in filter(None, (compiler.cc, compiler.cxx)):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    line = [compiler.cc, *compiler.flags, "-x", "c", "-", "-o", "/dev/null"]
    if subprocess.run(line, input=b"int main(void) { return 0; }", capture_output=True).returncode:
        return f"{' '.join(line[:2])} does not link here (Debian: apt-get install gcc-multilib)"
    return ""


class Program:
    """The C of a model in a folder, in which its files are written. step: frames from one answer to the next."""

    def __init__(self, sources: Sources, folder: Path) -> None:
        self.sources, self.folder = sources, folder
        self.step = sources.network.arch.frames // max(1, sources.answers)
        texts = sources.called(NAME).files()
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)

    def driver(self, length: int) -> tuple[str, dict, list[str]]:
        """What `Compiler.build` takes for inputs of so many samples."""
        files = [f"{NAME}.c", f"{NAME}_weights.c", f"{NAME}_frontend.c"]
        return STREAM if self.sources.streams else CLIP, {"LENGTH": length}, files

    def heard(self, samples: np.ndarray, chunk: int) -> np.ndarray:
        """(records,) of all inputs (inputs, samples) int16 one behind another, in chunks of so many samples, or ANY."""
        out = _do(["./run", str(chunk)], self.folder, np.ascontiguousarray(samples, "<i2").tobytes())
        return np.frombuffer(out, self._record)

    def layers(self, compiler: Compiler, features: np.ndarray) -> np.ndarray:
        """(inputs, answers, classes) logits of features (inputs, coefficients, frames) int8, past the front end."""
        arch = self.sources.network.arch
        steps, place = self.sources.answers or 1, "self.features"
        if not self.sources.streams:
            offset = {item.name: item.offset for item in plan_arena(arch).tensors}[self.sources.input.name]
            place = f"self.arena+{offset}"
        macros = {"STEP_FRAMES": self.step, "STEPS": steps, "PLACE": place}
        compiler.build(self.folder, LAYERS, macros, [f"{NAME}_weights.c", f"{NAME}_frontend.c"])
        out = _do(["./run"], self.folder, np.ascontiguousarray(features.transpose(0, 2, 1)).tobytes())
        return np.frombuffer(out, "<i2").reshape(len(features), steps, arch.classes)

    @property
    def _record(self) -> np.dtype:
        arch = self.sources.network.arch
        fields = [("used", "<u4"), ("label", "<i4"), ("score", "<u4"), ("number", "<u4"),
                  ("logits", "<i2", (arch.classes,))]  # fmt: skip
        features = ("features", "i1", (self.step, arch.features.coefficients))
        return np.dtype([*fields, features] if self.sources.streams else fields)


def same_features(
    program: Program, compiler: Compiler, features: np.ndarray, wanted: np.ndarray | None = None
) -> tuple[int, int]:
    """How many answers there are to features (inputs, coefficients, frames), and how many are those of Python.

    wanted: what `logits_of` gives.
    """
    found = program.layers(compiler, features)
    wanted = logits_of(program.sources, features) if wanted is None else wanted
    return found.shape[0] * found.shape[1], int((found == wanted).all(2).sum())


def logits_of(sources: Sources, features: np.ndarray) -> np.ndarray:
    """(inputs, answers, classes) of features (inputs, coefficients, frames)."""
    network = sources.network
    if sources.streams:
        return network.step(features, network.reset(len(features)))[0]
    return network(features)[:, None]


def same_answers(program: Program, compiler: Compiler, samples: np.ndarray, wanted: list) -> tuple[int, int]:
    """The same of samples (inputs, samples), with features, scores and events: step by step, and in chunks of any size.

    wanted: of each input, what `answers_of` gives.
    """
    compiler.build(program.folder, *program.driver(samples.shape[1]))
    size = program.step * program.sources.frontend.hop_samples
    counts = [_same(program, samples, wanted, chunk) for chunk in (size, ANY)]
    return tuple(map(sum, zip(*counts, strict=True)))


def _same(program: Program, samples: np.ndarray, wanted: list, chunk: int) -> tuple[int, int]:
    records, length = program.heard(samples, chunk), samples.shape[1]
    ends = np.flatnonzero(records["used"] == length) + 1
    if len(ends) != len(samples):
        return len(samples), 0
    check = _stream if program.sources.streams else _clip
    counts = [check(program, *pair, chunk) for pair in zip(np.split(records, ends[:-1]), wanted, strict=True)]
    return tuple(map(sum, zip(*counts, strict=True)))


def answers_of(sources: Sources, samples: np.ndarray) -> tuple:
    """Of an input (samples,) from reset: features of each frame, logits of each answer, events (label, score, look); of
    whole clips, logits, labels and scores.
    """
    network, frontend = sources.network, sources.frontend
    if not sources.streams:
        clips = samples.reshape(-1, network.arch.frames * frontend.hop_samples)
        logits = network(frontend.run(clips))
        scores = sources.detector.scores(logits)
        return logits, scores.argmax(1), scores.max(1)
    features = frontend.step(samples, frontend.reset())[0]
    logits = network.step(features[None], network.reset())[0][0]
    arch = network.arch
    every = sources.detector.settings.hop_ms * sources.answers // (arch.frames * arch.features.step_ms)
    events = sources.detector.step(logits[sources.answers - 1 :: every], sources.detector.reset())[0]
    return features.T, logits, [(one.label, one.units, one.answer) for one in events]


def _stream(program: Program, records: np.ndarray, wanted: tuple, chunk: int) -> tuple[int, int]:
    features, logits, events = wanted
    size = program.step * program.sources.frontend.hop_samples
    answers = records["used"] // size
    told = [tuple(map(int, one)) for one in records[records["label"] >= 0][["label", "score", "number"]]]
    same = (records["logits"] == np.concatenate([0 * logits[:1], logits])[answers]).all(1)
    if chunk == size:
        whole = features[: len(records) * program.step].reshape(len(records), *records["features"].shape[1:])
        same &= (records["features"] == whole).all((1, 2))
    return len(records) + 1, int(same.sum()) + (told == events)


def _clip(program: Program, records: np.ndarray, wanted: tuple, chunk: int) -> tuple[int, int]:
    logits, labels, scores = wanted
    found = records[records["label"] >= 0]
    if len(found) != len(logits):
        return len(logits), 0
    same = (found["logits"] == logits).all(1) & (found["label"] == labels) & (found["score"] == scores)
    return len(logits), int(same.sum())


def _do(command: list[str], folder: Path, given: bytes = b"") -> bytes:
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stderr.decode(errors='replace')[:2000]}")
    return done.stdout
