"""What the machine and the plans agree on: the head of a plan, functions by number, front ends, and most sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from supernet.arch import MAX_CLASSES
from zoo.export.c.frontends import front_end
from zoo.export.c.ops.conv import LONG_CHANNELS, LONG_VALUES

__all__ = ["ARGUMENTS", "FUNCTIONS", "HEADER", "MOST", "UNITS", "Unit", "fields_of", "numbers_of"]

HEADER = (
    "bytes", "work", "relocations", "relocation_count", "calls", "call_count", "silences", "silence_count",
    "streams", "classes", "coefficients", "hop", "window", "step_frames", "clip_answers", "clip_frames",
    "several", "score_multiplier", "score_shift", "smoothing", "every", "refractory", "thresholds", "releases",
    "logits", "features", "arena", "input", "frontend", "numbers", "tables",
)  # fmt: skip
"""Fields of 32 bits. bytes: of the plan. work: of what is worked in, which lies behind it."""
FUNCTIONS = {
    "conv": 4, "conv_long": 4, "depthwise": 4, "keep": 3, "filters": 4, "linear": 3, "average": 5, "pool": 3, "add": 4,
    "scale": 4, "memory": 4,
}  # fmt: skip
"""Of layers, each with how many arguments it takes; plans hold their places in this order."""
ARGUMENTS = max(FUNCTIONS.values())
MOST = {
    "BUFFER": 8192, "SPAN": 4096, "BLOCK": 16, "BLOCK_BUFFER": 16 * 1024, "PLACES": 1024, "HEARD": 8192, "ORDER": 64,
    "LONG_VALUES": LONG_VALUES, "LONG_CHANNELS": LONG_CHANNELS,
}  # fmt: skip
"""What layers work in, under the names that the C of a model has for it."""
MOST_CLASSES, MOST_SAMPLES = MAX_CLASSES, 8192
DECLARED = re.compile(r"(?:const )?(u?int(?:8|16|32)_t) ([^;]+);")
NAMED = re.compile(r"(\*?)(\w+)(?:\[(\d+)\])?")


@dataclass(frozen=True)
class Unit:
    """A front end's C with numbers that its preprocessor asks for. odd: whether the number of its mels is."""

    name: str
    kind: str
    last_radix: int = 0
    odd: bool = False

    def fits(self, kind: str, numbers: dict[str, int]) -> bool:
        """Whether it is that of a front end with such numbers."""
        radix = numbers.get("LAST_RADIX", 0)
        return (kind, radix) == (self.kind, self.last_radix) and (not self.odd or numbers["MELS"] % 2 == 1)


UNITS = (
    Unit("logmel2", "logmel", 2),
    Unit("logmel4", "logmel", 4),
    Unit("mfcc2odd", "mfcc", 2, odd=True),
    Unit("mfcc4odd", "mfcc", 4, odd=True),
    Unit("mfcc2", "mfcc", 2),
    Unit("mfcc4", "mfcc", 4),
    Unit("micro", "micro"),
    Unit("raw", "raw"),
)
"""The first that fits is taken."""


def numbers_of(frontend) -> dict[str, int]:
    """What the functions of a front end read as macros."""
    written, sizes = (
        front_end(frontend.kind),
        {"WINDOW": frontend.window_samples, "COEFFICIENTS": frontend.coefficients},
    )
    return {**sizes, **written.macros(frontend), **written.constants(frontend)}


def fields_of(structure: str) -> Iterator[tuple[str, str, int]]:
    """Names, types and counts of the fields of a structure in C, in their order; the type of a pointer is `*`."""
    for kind, names in DECLARED.findall(structure):
        for pointer, name, count in (NAMED.fullmatch(one.strip()).groups() for one in names.split(",")):
            yield name, pointer or kind, int(count or 1)
