"""The C of a model as a library that Python loads, built where a compiler is at hand, and kept by its digest."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np

from supernet.errors import InvalidQuery
from supernet.files import digest
from zoo.export.c.write import Sources

__all__ = ["FLAGS", "Library", "build", "compiler"]

_OF_X86 = ("-mprefer-vector-width=128",) if platform.machine() in ("x86_64", "AMD64") else ()
FLAGS = ("-std=c99", "-O3", "-march=native", *_OF_X86, "-fPIC", "-shared")
NAME = "model"
DRIVER = """\
#include <string.h>

#include "model.h"

size_t driver_size(void);
size_t driver_run(model_t *self, const int16_t *samples, size_t count, int16_t *logits, int8_t *features,
                  model_event *events, size_t most, size_t *found);

size_t driver_size(void)
{
    return sizeof(model_t);
}

/* All answers to samples, with the features of their steps, and at most so many events; gives how many answers. */
size_t driver_run(model_t *self, const int16_t *samples, size_t count, int16_t *logits, int8_t *features,
                  model_event *events, size_t most, size_t *found)
{
    size_t used = 0, answers = 0;
    model_event event;

    *found = 0;
    while (used < count) {
        const size_t wanted = (size_t)(MODEL_STEP_FRAMES - self->frames) * MODEL_HOP - self->filled;
        const size_t left = count - used, taken = left < wanted ? left : wanted;
        used += model_push(self, samples + used, taken, &event);
        if (event.label >= 0 && *found < most) {
            events[(*found)++] = event;
        }
        if (taken == wanted) {
            memcpy(logits + answers * MODEL_CLASSES, model_logits(self), MODEL_CLASSES * sizeof(logits[0]));
            memcpy(features + answers * sizeof(self->features), model_features(self), sizeof(self->features));
            answers++;
        }
    }
    return answers;
}
"""


class _Event(ctypes.Structure):
    _fields_ = (("label", ctypes.c_int32), ("score", ctypes.c_uint32), ("answer", ctypes.c_uint32))


def compiler() -> str | None:
    """The C compiler of this machine: that of CC, or the first of cc, gcc and clang; None where there is none."""
    names = (os.environ.get("CC") or "cc", "cc", "gcc", "clang")
    return next(filter(None, map(shutil.which, names)), None)


def build(
    sources: dict[str, str], folder: Path, flags: tuple[str, ...] = FLAGS, cc: str | None = None, make: bool = True
) -> Path:
    """The library of sources, by file name, in a folder; one that is there is taken. Raises InvalidQuery where it is
    not to be built. make: whether it may be.
    """
    cc = cc or compiler()
    if cc is None:
        raise InvalidQuery("no C compiler is at hand: install gcc or clang, or name one in CC")
    place = folder / f"{digest([sorted(sources.items()), flags, cc, _processor()])[:32]}.so"
    if place.exists():
        return place
    if not make:
        raise InvalidQuery(f"{place} is not there")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for name, text in sources.items():
            Path(scratch, name).write_text(text, encoding="utf-8")
        files = sorted(name for name in sources if name.endswith(".c"))
        made = subprocess.run([cc, *flags, *files, "-o", "made.so"], cwd=scratch, capture_output=True)
        if made.returncode:
            said = made.stderr.decode(errors="replace").strip()
            raise InvalidQuery(f"{cc} does not build the model: {said[:300]}")
        os.replace(Path(scratch, "made.so"), place)
    return place


def _processor() -> list[str]:
    """What code of -march=native may hang on."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text(errors="replace").splitlines() if known.is_file() else [platform.processor()]
    return [
        platform.machine(),
        *sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}),
    ]


class Library:
    """The stream of a model in its compiled C. folder: where libraries are kept. make: whether it may be built."""

    def __init__(
        self,
        sources: Sources,
        folder: Path,
        flags: tuple[str, ...] = FLAGS,
        cc: str | None = None,
        make: bool = True,
    ) -> None:
        texts = sources.called(NAME).files()
        self.path = build({**texts, "driver.c": DRIVER}, folder, flags, cc, make)
        self._features = sources.frontend.coefficients
        self._classes, self._step = sources.network.arch.classes, sources.network.arch.frames // sources.answers
        self._hop = sources.frontend.hop_samples

    @cached_property
    def _functions(self) -> ctypes.CDLL:
        found = ctypes.CDLL(str(self.path))
        found.driver_size.restype = found.driver_run.restype = ctypes.c_size_t
        return found

    def loaded(self) -> Library:
        """Itself, once the system has loaded it. Raises OSError where it does not, and takes the file away."""
        try:
            self.reset()
        except OSError:
            self.path.unlink(missing_ok=True)
            raise
        return self

    @property
    def size(self) -> int:
        """Of the structure, in bytes."""
        return self._functions.driver_size()

    def reset(self) -> ctypes.Array:
        """The state of a stream before its first sample."""
        state = ctypes.create_string_buffer(self.size)
        self._functions.model_reset(state)
        return state

    def step(self, samples: np.ndarray, state: ctypes.Array) -> tuple[np.ndarray, np.ndarray, list[tuple]]:
        """Logits (answers, classes) int16 of samples int16 that follow, the features (answers, frames of a step,
        coefficients) int8 that they are of, and events (label, score, answer); `state` is that behind them afterwards.
        """
        samples = np.ascontiguousarray(samples, np.int16)
        most = len(samples) // (self._hop * self._step) + 1
        logits = np.zeros((most, self._classes), np.int16)
        features = np.zeros((most, self._step, self._features), np.int8)
        events, found = (_Event * most)(), ctypes.c_size_t()
        count = self._functions.driver_run(
            state, _address(samples), ctypes.c_size_t(len(samples)), _address(logits), _address(features), events,
            ctypes.c_size_t(most), ctypes.byref(found),
        )  # fmt: skip
        told = [(one.label, one.score, one.answer) for one in events[: found.value]]
        return logits[:count], features[:count], told


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
