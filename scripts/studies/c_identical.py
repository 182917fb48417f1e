"""Does the generated C give the integers of Python with every compiler, level, word length and chunk size?

    python scripts/study.py c_identical                                  # hours on one core
    python scripts/study.py c_identical --parts models --models NAME
    python scripts/study.py c_identical --parts widths frontends

known: `make check` of the folder of each bundled model. models: 50 inputs for each model (words, noise of all levels,
rails, silence), answer by answer and in random chunks, with events: gcc and clang, -O0, -O3 and -Os, 64 and 32 bit,
address and undefined-behaviour sanitizers, and called from C++. frontends: the same of a small network behind each kind
of front end. widths: 10,000 random inputs and rails for a small network of each kind, width and grid, past the front
end, at -O2. library, library_widths: models and widths by the code of the library for Python, with AVX2 and with VNNI.
All with -Wall -Wextra -Wpedantic -Wconversion -Werror. What a machine lacks is named and left out. Rows:
`c_identical.csv`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import soundfile

import zoo
from studies.base import HUB, Shown, Study, option, several, value
from studies.c_networks import GRIDS, SPACES, row_family, row_network, small_network
from studies.c_programs import (
    CONFIGURATIONS,
    VECTORS,
    WARNINGS,
    Program,
    answers_of,
    logits_of,
    missing,
    same_answers,
    same_features,
)
from studies.rows import Rows
from supernet.frontend import LogMel, Mfcc, Micro, Raw, front_end
from supernet.frontend.mel import MelFrontEnd
from zoo.export.c.host.sources import host_sources
from zoo.export.c.write import Sources
from zoo.run.along import answer_ms
from zoo.run.detection import Detection, Detector
from zoo.run.scores import IntegerScores

TABLE, FIRST = "c_identical", "gcc -O2, 64 bit"
PARTS = ("known", "models", "frontends", "widths", "library", "library_widths")
WORDS = Path(zoo.__file__).parent / "clips"
FRONT_ENDS = {
    "mfcc": Mfcc(coefficients=20, mean=(-5.0,) * 20, deviation=(4.0,) * 20),
    "mfcc, 20 ms": Mfcc(step_ms=20),
    "mfcc of 256 points": Mfcc(sampling_rate=8000, fft=256, mels=20, coefficients=10, high_hz=4000.0),
    "logmel": LogMel(mean=(-5.0,) * 40, deviation=(4.0,) * 40),
    "logmel, 20 of 40": LogMel(coefficients=20, mean=(-9.0,) * 20, deviation=(2.5,) * 20),
    "micro": Micro(),
    "micro, 20 ms": Micro(step_ms=20),
    "raw": Raw(),
}


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure the parts, and print the table."""
    lacking = {name: missing(name) for name in CONFIGURATIONS | VECTORS if missing(name)}
    for name, why in lacking.items():
        print(f"left out: {name}: {why}", flush=True)
    for part in options.parts:
        known = VECTORS if part.startswith("library") else CONFIGURATIONS
        with tempfile.TemporaryDirectory() as folder, row_family():
            for keys, measure in _DO[part](options, [name for name in known if name not in lacking], Path(folder)):
                rows.once(TABLE, {"part": part, **keys}, measure)
    header, lines = table(rows)
    for line in [header, *lines]:
        print(" | ".join(line))


def _known(options: argparse.Namespace, _: list[str], folder: Path) -> Iterator:
    for model in _models(options):
        yield {"what": model.name, "compiler": FIRST}, partial(_checked, model, folder / model.name)


def _checked(model, folder: Path) -> dict:
    model.export("c", folder, "model")
    command = ["make", "-s", "-C", str(folder / "test"), "CC=gcc", f"CFLAGS={' '.join(('-O2', *WARNINGS))}", "check"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = re.fullmatch(r"(\d+) of (\d+) identical\n", done.stdout)
    if not said:
        raise RuntimeError(done.stdout + done.stderr)
    return {"inputs": 1, "answers": int(said[2]), "identical": int(said[1])}


def _of_models(options: argparse.Namespace, configurations: list[str], folder: Path) -> Iterator:
    for model in _models(options):
        own = Inputs(sources_of(model), folder / model.name, model.clip_samples, options.inputs)
        yield from own.rows(model.name, configurations)


def _of_front_ends(options: argparse.Namespace, configurations: list[str], folder: Path) -> Iterator:
    for number, (name, frontend) in enumerate(FRONT_ENDS.items()):
        network = row_network(frontend, number)
        detector = detector_of(network, bool(number % 2))
        grids = {spec.name: "symmetric" for spec in network.specs if spec.has_weights}
        sources = Sources(network, frontend, detector, grids, "model")
        own = Inputs(sources, folder / str(number), frontend.sampling_rate, options.inputs)
        yield from own.rows(name, configurations)


def _widths(options: argparse.Namespace, _: list[str], folder: Path) -> Iterator:
    for name in SPACES:
        for bits, grid in GRIDS:
            keys = {"what": f"{name}, {bits} bits, {grid}", "compiler": FIRST}
            yield keys, partial(_one_width, name, bits, grid, options.many, folder / f"{name}-{bits}-{grid}")


def _of_library(options: argparse.Namespace, configurations: list[str], folder: Path) -> Iterator:
    for model in _models(options):
        sources = host_sources(sources_of(model))
        own = Inputs(sources, folder / model.name, model.clip_samples, options.library_inputs)
        yield from own.rows(model.name, configurations)


def _widths_of_library(options: argparse.Namespace, configurations: list[str], folder: Path) -> Iterator:
    for name in SPACES:
        for bits, grid in GRIDS:
            own = Widths(host_sources(width_sources(name, bits, grid)), folder / f"{name}-{bits}-{grid}", options.many)
            yield from own.rows(f"{name}, {bits} bits, {grid}", configurations)


def _one_width(name: str, bits: int, grid: str, count: int, folder: Path) -> dict:
    program = Program(width_sources(name, bits, grid), folder)
    answers, same = same_features(program, CONFIGURATIONS[FIRST], random_features(program.sources.network.arch, count))
    return {"inputs": count, "answers": answers, "identical": same}


class Inputs:
    """Inputs of a model, and what they must give, computed once where it is asked for."""

    def __init__(self, sources: Sources, folder: Path, clip: int, count: int) -> None:
        self.sources, self.folder, self.clip, self.count = sources, folder, clip, count

    def rows(self, name: str, configurations: list[str]) -> Iterator:
        """Keys and how to measure them, a configuration each."""
        for one in configurations:
            yield {"what": name, "compiler": one}, partial(self.measure, one)

    def measure(self, name: str) -> dict:
        """One configuration."""
        answers, same = same_answers(self.program, (CONFIGURATIONS | VECTORS)[name], self.samples, self.wanted)
        return {"inputs": len(self.samples), "answers": answers, "identical": same}

    @cached_property
    def program(self) -> Program:
        """Its files."""
        return Program(self.sources, self.folder)

    @cached_property
    def samples(self) -> np.ndarray:
        """Two clips an input of a stream, so that there are events."""
        return sounds(self.count, 2 * self.clip if self.sources.streams else self.clip)

    @cached_property
    def wanted(self) -> list[tuple]:
        """By Python."""
        return [answers_of(self.sources, samples) for samples in self.samples]


class Widths:
    """Random features of a network, and what they must give, computed once where it is asked for."""

    def __init__(self, sources: Sources, folder: Path, count: int) -> None:
        self.sources, self.folder, self.count = sources, folder, count

    def rows(self, name: str, configurations: list[str]) -> Iterator:
        """Keys and how to measure them, a configuration each."""
        for one in configurations:
            yield {"what": name, "compiler": one}, partial(self.measure, one)

    def measure(self, name: str) -> dict:
        """One configuration."""
        program = Program(self.sources, self.folder)
        answers, same = same_features(program, VECTORS[name], self.features, self.wanted)
        return {"inputs": self.count, "answers": answers, "identical": same}

    @cached_property
    def features(self) -> np.ndarray:
        """Random ones."""
        return random_features(self.sources.network.arch, self.count)

    @cached_property
    def wanted(self) -> np.ndarray:
        """By Python."""
        return logits_of(self.sources, self.features)


def sources_of(model) -> Sources:
    """Of a bundled model, with a threshold that random sounds pass."""
    return Sources(model.network, model.frontend, model.detector(threshold=0.4), model.grids, "model")


def detector_of(network, several_labels: bool) -> Detector:
    """With settings that make many events of random answers."""
    settings = Detection(0.3, 3, 200, max(20, answer_ms(network)), 0.8, {"a": 0.7})
    return Detector(settings, tuple("abcd"[: network.arch.classes]), IntegerScores(0.0003, several_labels))


def width_sources(name: str, bits: int, grid: str) -> Sources:
    """The small network of a kind, width and grid."""
    network = small_network(name, bits, grid, 8 if bits % 2 else bits + 1 if bits < 7 else 8)
    features = network.arch.features
    kind = front_end(features.kind)
    mels = {"mels": features.coefficients} if 40 % features.coefficients and issubclass(kind, MelFrontEnd) else {}
    grids = {spec.name: grid for spec in network.specs if spec.has_weights}
    frontend = kind(coefficients=features.coefficients, **mels)
    return Sources(network, frontend, detector_of(network, False), grids, "model")


def random_features(arch, count: int) -> np.ndarray:
    """(count, coefficients, frames) int8: over the whole range, about zero, and in one of ten only the ends of it."""
    rng, shape = np.random.default_rng(0), (count, arch.features.coefficients, arch.frames)
    levels = np.where(np.arange(count) % 2, rng.uniform(1, 60, count), 0)[:, None, None]
    found = np.where(levels, rng.standard_normal(shape) * levels, rng.integers(-128, 128, shape))
    rails = rng.choice([-128, 127], (-(-count // 10), *shape[1:]))
    rails[:2] = np.array([-128, 127])[:, None, None]
    found[::10] = rails
    return np.clip(found, -128, 127).astype(np.int8)


def sounds(count: int, length: int) -> np.ndarray:
    """(count, length) int16: words, noise of all levels, rails and silence, one part behind another in each."""
    rng = np.random.default_rng(0)
    words = [soundfile.read(path, dtype="int16")[0] for path in sorted(WORDS.glob("*.wav"))]
    return np.stack([_sound(rng, words, length) for _ in range(count)])


def _sound(rng: np.random.Generator, words: list[np.ndarray], length: int) -> np.ndarray:
    parts = []
    while sum(map(len, parts)) < length:
        size = int(rng.integers(1, length))
        noise = rng.standard_normal(size) * 2.0 ** rng.uniform(-1, 16)
        kinds = [words[rng.integers(len(words))], noise, noise, np.zeros(size), rng.choice([-32768, 32767], size),
                 np.full(size, rng.choice([-32768, 32767])), np.where(np.arange(size) % 163, 0, -32768)]  # fmt: skip
        parts.append(kinds[rng.integers(len(kinds))])
    return np.clip(np.concatenate(parts)[:length], -32768, 32767).astype(np.int16)


def _models(options: argparse.Namespace) -> list:
    folders = sorted((options.hub / "models").iterdir())
    chosen = [folder for folder in folders if not options.models or folder.name in options.models]
    return [zoo.Model.from_folder(folder) for folder in chosen[:: options.each]]


def table(rows: Rows) -> Shown:
    """Counts by part and configuration."""
    found = rows.read(TABLE)
    summed = found.groupby(["part", "compiler"], sort=False)
    lines = [
        [part, compiler, f"{len(own)}", f"{own.inputs.sum():,}", f"{own.answers.sum():,}",
         f"{own.identical.sum():,}"]
        for (part, compiler), own in summed
    ]  # fmt: skip
    return ["part", "compiler", "models", "inputs", "answers", "identical"], lines


_DO = {
    "known": _known,
    "models": _of_models,
    "frontends": _of_front_ends,
    "widths": _widths,
    "library": _of_library,
    "library_widths": _widths_of_library,
}
STUDY = Study(
    __doc__,
    run,
    (
        several("--parts", PARTS, "what is compared"),
        option("--models", nargs="+", default=[], metavar="NAME", help="of bundled models (default: all)"),
        value("--each", 1, "of bundled models only each so many"),
        value("--inputs", 50, "of a model"),
        value("--library-inputs", 10, "of a model in the library for Python"),
        value("--many", 10_000, "inputs of a width"),
        HUB,
    ),
    tables={TABLE: table},
)
