"""Dense networks in floating point as C, and what their answers take beside those of the generated integers.

Both are compiled by the same compiler at the same level: for the machine at hand, with its vectors, where time of the
processor is taken, and for an emulated Cortex-M4 with its unit for floating point, where instructions are counted. The
compiler may change the order of sums of floats, since else it would have no vectors.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from studies.c_programs import Compiler, Program
from supernet.layer import LayerSpec
from supernet.nn.network import Network
from supernet.nn.ops import EPSILON
from zoo.export.c import emulator
from zoo.export.c.write import Sources

__all__ = ["FloatProgram", "integer_microseconds"]

LEVEL, ANY_ORDER = ("-O3", "-march=native"), ("-ffast-math",)
FLOAT_UNIT = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
REPEATS, RUNS = 2000, 7
CLOCK = r"""
    if (argc > 1) {
        const clock_t started = clock();
        long left;
        for (left = atol(argv[1]); left > 0; left--) {
            ANSWER;
        }
        printf("%.9g %g\n", (double)(clock() - started) / CLOCKS_PER_SEC, (double)self.logits[0]);
        return 0;
    }
"""
INTEGERS = (
    r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model.c"

static model_t self;

int main(int argc, char **argv)
{
    model_reset(&self);
    memset(self.features, 37, sizeof(self.features));
"""
    + CLOCK.replace("ANSWER", "network(&self)")
    + "    return 1;\n}\n"
)
CORE = r"""
#include <string.h>

#define NEW (STEP * COEFFICIENTS)
#define KEPT ((TAPS - STEP) * COEFFICIENTS)

@TABLES

/* All that a stream keeps and works in. */
static struct {
    float context[TAPS * COEFFICIENTS], features[NEW], work[2][WIDEST], heads[ANSWERS][HEAD], sums[HEAD];
    float logits[CLASSES];
    int next;
} self;

static void dense(const float *weights, const float *gain, const float *offset, int inputs, int outputs, int rectified,
                  const float *x, float *y)
{
    int i, o;

    for (o = 0; o < outputs; o++, weights += inputs) {
        float total = 0.0f;
        for (i = 0; i < inputs; i++) {
            total += weights[i] * x[i];
        }
        total = total * gain[o] + offset[o];
        y[o] = rectified && total < 0.0f ? 0.0f : total;
    }
}

static void answer(void)
{
    float *head = self.heads[self.next];
    int i;

    memmove(self.context, self.context + NEW, KEPT * sizeof(float));
    memcpy(self.context + KEPT, self.features, sizeof(self.features));
@CALLS
    self.next = self.next + 1 == ANSWERS ? 0 : self.next + 1;
}
"""
FLOATS = (
    r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
"""
    + CLOCK.replace("ANSWER", "answer()")
    + r"""
    while (fread(self.features, sizeof(float), NEW, stdin) == NEW) {
        answer();
        fwrite(self.logits, sizeof(float), CLASSES, stdout);
    }
    return sizeof(self) == RAM ? 0 : 2;
}
"""
)
PARTS = r"""
#include "parts.h"

static void nothing(void)
{
}

const part parts[] = {{"nothing", nothing, 1}, {"network", answer, 1}};
const uint32_t part_count = 2;

void prepare(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFU << 20; /* CPACR: floating point is on from here */
    __asm volatile("dsb\n isb");
}
"""
AVERAGE = """\
    for (i = 0; i < HEAD; i++) {
        self.sums[i] += self.work[@LAST][i] - head[i];
        head[i] = self.work[@LAST][i];
        self.work[@OTHER][i] = self.sums[i] * (1.0f / (float)ANSWERS);
    }
"""


@dataclass(frozen=True)
class FloatProgram:
    """A calibrated network of family `dense` as C in a folder."""

    network: Network
    folder: Path

    @property
    def weight_bytes(self) -> int:
        """Weights, and a gain and an offset of each channel; the classifier has none but offsets."""
        specs = self._weighted
        return 4 * sum(int(np.prod(spec.weight_shape)) + (2 - spec.logits) * spec.out_shape[0] for spec in specs)

    @property
    def ram_bytes(self) -> int:
        """Of the structure, without a front end."""
        sizes = self._sizes
        floats = (sizes["TAPS"] + sizes["STEP"]) * sizes["COEFFICIENTS"] + 2 * sizes["WIDEST"]
        return 4 * (floats + (sizes["ANSWERS"] + 1) * sizes["HEAD"] + sizes["CLASSES"] + 1)

    def build(self) -> None:
        """Compile it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        macros = {**self._sizes, "RAM": self.ram_bytes}
        Compiler("gcc", (*LEVEL, *ANY_ORDER)).build(self.folder, self._core + FLOATS, macros, [])

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(answers, classes) float32 of a stream of features (coefficients, frames)."""
        given = np.ascontiguousarray(features.T, np.float32).tobytes()
        done = subprocess.run(["./run"], cwd=self.folder, input=given, capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.float32).reshape(-1, self.network.arch.classes)

    def microseconds(self) -> float:
        """Of an answer, at best."""
        return _microseconds(self.folder)

    def instructions(self) -> int:
        """Of an answer, on the emulated Cortex-M4. Raises InvalidQuery where tools are missing."""
        source = self.folder / "parts.c"
        source.write_text(self._core + PARTS)
        flags = (*emulator.FLAGS, *ANY_ORDER, *FLOAT_UNIT, *(f"-D{name}={size}" for name, size in self._sizes.items()))
        places = [source, emulator.FOLDER / "count.c"]
        image = emulator.build(emulator.COUNTING, places, self.folder / "count.elf", [emulator.FOLDER], flags)
        return emulator.counted(emulator.run(emulator.COUNTING, image, "-icount", "shift=0"))["network"]

    @property
    def _core(self) -> str:
        tables = "\n".join(map(self._tables, self._weighted))
        return CORE.replace("@TABLES", tables).replace("@CALLS\n", self._calls)

    @property
    def _weighted(self) -> list[LayerSpec]:
        return [spec for spec in self.network.specs if spec.has_weights]

    @property
    def _sizes(self) -> dict[str, int]:
        first, *others = self._weighted
        pool = next(spec for spec in self.network.specs if spec.kind == "pool")
        return {
            "TAPS": first.kernel[1], "STEP": first.stride[1], "COEFFICIENTS": first.in_shape[0],
            "WIDEST": max(spec.out_shape[0] for spec in (first, *others)), "ANSWERS": pool.in_shape[2],
            "HEAD": pool.in_shape[0], "CLASSES": self.network.arch.classes,
        }  # fmt: skip

    def _tables(self, spec: LayerSpec) -> str:
        layer = self.network.layers[spec.name]
        gain, offset = torch.ones(spec.out_shape[0]), layer.bias
        if offset is None:
            gain = layer.gamma / (layer.var + EPSILON).sqrt()
            offset = layer.beta - layer.mean * gain
        rows = layer.weight.flatten(2).transpose(1, 2) if layer.weight.ndim == 4 else layer.weight
        tables = {"weights": rows, "gain": gain, "offset": offset}
        return "\n".join(_table(f"{spec.name}_{part}", values.detach()) for part, values in tables.items())

    @property
    def _calls(self) -> str:
        lines, source = [], "self.context"
        for number, spec in enumerate(self._weighted[:-1]):
            lines.append(_call(spec, source, f"self.work[{number % 2}]"))
            source = f"self.work[{number % 2}]"
        other = (number + 1) % 2
        lines.append(AVERAGE.replace("@LAST", str(number % 2)).replace("@OTHER", str(other)))
        return "".join([*lines, _call(self._weighted[-1], f"self.work[{other}]", "self.logits")])


def integer_microseconds(sources: Sources, folder: Path) -> float:
    """Of an answer of generated C past its front end, at best."""
    Program(sources, folder)
    Compiler("gcc", LEVEL).build(folder, INTEGERS, {}, ["model_weights.c", "model_frontend.c"])
    return _microseconds(folder)


def _call(spec: LayerSpec, source: str, target: str) -> str:
    tables = ", ".join(f"{spec.name}_{part}" for part in ("weights", "gain", "offset"))
    sizes = f"{int(np.prod(spec.weight_shape[1:]))}, {spec.out_shape[0]}, {int(spec.rectified)}"
    return f"    dense({tables}, {sizes}, {source}, {target});\n"


def _table(name: str, values: torch.Tensor) -> str:
    numbers = ",\n".join(f"{value:.9e}f" for value in values.flatten().tolist())
    return f"static const float {name}[] = {{\n{numbers}}};\n"


def _microseconds(folder: Path) -> float:
    runs = (subprocess.run(["./run", str(REPEATS)], cwd=folder, capture_output=True, check=True) for _ in range(RUNS))
    return 1e6 * min(float(run.stdout.split()[0]) for run in runs) / REPEATS
