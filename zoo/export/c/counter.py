"""Instructions of networks of any shape on the emulated Cortex-M4, for predictors.measure."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from predictors.bench import BASIS, BITS, RUNTIME
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.errors import InvalidQuery
from supernet.frontend import front_end
from supernet.integer.packing import default_grid
from supernet.layer import layers, parts
from supernet.memory import answer_frames
from zoo.export.c.bench import random_network
from zoo.export.c.emulator import COUNTING, instructions, version
from zoo.export.c.write import Sources
from zoo.run.detection import Detection, Detector
from zoo.run.scores import IntegerScores

__all__ = ["CortexM4", "random_sources"]

SCALE = 0.01
"""Of random logits."""
MEAN, DEVIATION = -5.0, 4.0
"""Of the energies of noise, roughly."""


class CortexM4:
    """A predictors.measure.Counter, of networks at 8 bits with random weights. Raises InvalidQuery without tools."""

    runtime = RUNTIME

    def __init__(self) -> None:
        if lacking := COUNTING.missing():
            raise InvalidQuery(lacking)
        self.device = {"device": f"QEMU {COUNTING.emulator[2]}", "core": "Cortex-M4", "basis": BASIS}

    @cached_property
    def version(self) -> str:
        """Of the compiler and the emulator."""
        return version()

    def as_run(self, arch: Arch) -> Arch:
        """At 8 bits."""
        return with_bits(arch.without_bits(), BITS)

    def count(self, arch: Arch) -> int:
        """Of a clip in the steps of a stream, without the front end."""
        sources = random_sources(arch)
        return instructions(sources)["network"] * sources.answers


def random_sources(arch: Arch) -> Sources:
    """The C of a network with random weights, from samples to events of labels that have no names."""
    features = arch.features
    kind = front_end(features.kind)
    whole = kind()
    levels = {"mean": (MEAN,) * whole.coefficients, "deviation": (DEVIATION,) * whole.coefficients}
    frontend = kind(**levels).select(features.coefficients, features.step_ms)
    network = random_network(arch, np.random.default_rng(0))
    clip_ms, answers = arch.frames * features.step_ms, answer_frames(parts(arch))
    labels = tuple(f"label{number}" for number in range(arch.classes))
    detector = Detector(Detection(hop_ms=clip_ms // answers), labels, IntegerScores(SCALE))
    grids = {spec.name: default_grid(spec.weight_bits) for spec in layers(arch) if spec.has_weights}
    return Sources(network, frontend, detector, grids, "model")
