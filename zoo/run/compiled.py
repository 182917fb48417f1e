"""Long recordings in a stream by the model's own C, compiled where a compiler is at hand: the same integers, faster.

The first minutes are heard by NumPy. Where more follows, the C is built, hears them again, and goes on; it is kept by
its digest, so that the next recording takes it early. Where it cannot be built, NumPy goes on. EARSHOT_COMPILE=0 asks
for NumPy alone.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from supernet.constants import CACHE, COMPILE
from supernet.errors import EarshotError
from supernet.integer.packing import grid_limit
from supernet.samples import as_int16
from zoo.run.detection import Detection, Detector
from zoo.run.scores import IntegerScores
from zoo.run.stream import Stream

__all__ = ["answers"]

LOOK_SECONDS, BUILD_SECONDS = 30, 300
"""Of sound, after which it is worth to load what was built before, and to build."""

log = logging.getLogger(__name__)


def answers(stream: Stream, chunks: Iterable[np.ndarray], folder: Path = CACHE / "c") -> Iterator[np.ndarray]:
    """Logits (answers, classes) int16 of each chunk (samples,) of a stream that begins here: those of `stream`.

    folder: where what was built is kept.
    """
    state, heard, compiled = stream.reset(), _Heard(stream, folder), None
    for chunk in chunks:
        samples = as_int16(np.asarray(chunk))
        compiled = compiled or heard.compiled()
        if compiled:
            yield compiled(samples)
            continue
        logits, state = stream.step(samples, state)
        heard.add(samples)
        yield logits


class _Compiled:
    """A stream of compiled C, behind what was heard."""

    def __init__(self, library, heard: Iterable[np.ndarray]) -> None:
        self._library, self._state = library, library.reset()
        for samples in heard:
            self(samples)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Logits (answers, classes) int16."""
        return self._library.step(samples, self._state)[0]


class _Heard:
    """What a stream heard so far, for as long as it may be heard again."""

    def __init__(self, stream: Stream, folder: Path) -> None:
        self._stream, self._folder, self._samples, self._parts = stream, folder, 0, []
        rate = stream.frontend.sampling_rate
        self._waits = [(LOOK_SECONDS * rate, False), (BUILD_SECONDS * rate, True)] if COMPILE else []

    def add(self, samples: np.ndarray) -> None:
        """Hear more."""
        self._samples += len(samples)
        if self._waits:
            self._parts.append(samples.copy())  # whoever gives chunks may use their place again

    def compiled(self) -> _Compiled | None:
        """The C, where it is time for it and it is there."""
        if not self._waits or self._samples < self._waits[0][0]:
            return None
        _, build = self._waits.pop(0)
        library = _library(self._stream, self._folder, build)
        heard, self._parts = self._parts, self._parts if self._waits else []
        return None if library is None else _Compiled(library, heard)


def _library(stream: Stream, folder: Path, build: bool):
    """The C of a stream as a library, or None where it is not there, or cannot be built or loaded."""
    from zoo.export.c.host.sources import host_sources
    from zoo.export.c.library import Library

    try:
        _check_own(folder)
        return Library(host_sources(_sources(stream)), folder, make=build).loaded()
    except (EarshotError, OSError) as error:
        log.log(logging.INFO if build else logging.DEBUG, "NumPy hears the stream, not compiled C: %s", error)
        return None


def _check_own(folder: Path) -> None:
    """Raise OSError for a folder whose libraries somebody else may have written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise PermissionError(f"{folder} may be written by others; nothing is loaded from there")


def _sources(stream: Stream):
    """The C; of its detector, which is not asked, any."""
    from zoo.export.c.write import Sources

    network, arch = stream.network, stream.network.arch
    grids = {spec.name: _grid(network.tensors[spec.name].weight, spec.weight_bits)
             for spec in network.specs if spec.has_weights}  # fmt: skip
    labels = tuple(f"label {number}" for number in range(arch.classes))
    detector = Detector(Detection(hop_ms=arch.frames * arch.features.step_ms), labels, IntegerScores(1.0))
    return Sources(network, stream.frontend, detector, grids, "model")


def _grid(weight: np.ndarray, bits: int) -> str:
    """One that the weights are on."""
    if bits == 1 or np.abs(weight.astype(int)).max() > grid_limit(bits, "symmetric"):
        return "odd"
    return "symmetric"
