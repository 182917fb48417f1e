"""How many instructions does a MAC take in the generated C, and how many in Arm's CMSIS-NN, on the same emulated core?

    git clone https://github.com/ARM-software/CMSIS-NN /tmp/cmsis-nn
    python scripts/bench.py cmsis_nn /tmp/cmsis-nn

Layers at 8 bits on an emulated Cortex-M4, both by the same compiler at the same level, requantisation included:
pointwise ones over several columns that share weights, as in a clip, and over one, as in a stream; and depthwise ones.
Weights, biases and values are random. CMSIS-NN rounds twice, so a few of its outputs are off by one: how many is
printed. Its files are compiled where they are. Of one column its convolution and its fully connected layer are counted,
and the better is compared. Rows: `cmsis_nn.csv`.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studies.base import Shown, Study, option
from studies.rows import Rows
from supernet.errors import EarshotError, InvalidQuery
from zoo.export.c.emulator import COUNTING, FOLDER, build, counted, version
from zoo.export.c.emulator import run as emulate
from zoo.export.c.ops.base import MULTIPLYING, source
from zoo.export.c.ops.conv import BLOCK, OPERATOR
from zoo.export.c.text import array, record
from zoo.export.c.write import FOLDER as TEXTS

TABLE, LEVELS = "cmsis_nn", ("-O2", "-O3")
LIMITS, ZERO = "{5, -128, 127}", -7
"""Of outputs, and the zero point of inputs."""
FILES = (
    "ConvolutionFunctions/arm_convolve_1x1_s8_fast.c",
    "ConvolutionFunctions/arm_depthwise_conv_3x3_s8.c",
    "ConvolutionFunctions/arm_depthwise_conv_get_buffer_sizes_s8.c",
    "ConvolutionFunctions/arm_depthwise_conv_s8.c",
    "ConvolutionFunctions/arm_depthwise_conv_s8_opt.c",
    "ConvolutionFunctions/arm_depthwise_conv_wrapper_s8.c",
    "FullyConnectedFunctions/arm_fully_connected_per_channel_s8.c",
    "NNSupportFunctions/arm_nn_mat_mult_nt_t_s8.c",
    "NNSupportFunctions/arm_nn_vec_mat_mult_t_per_ch_s8.c",
    "NNSupportFunctions/arm_q7_to_q15_with_offset.c",
)
OWN = ("unpack", "words", *MULTIPLYING, "window", "conv", "depthwise")
HEAD = """\
#include <stdio.h>
#include <string.h>

#include "arm_nnfunctions.h"
#include "arm_nnsupportfunctions.h"
#include "parts.h"

static int8_t values[32768], outputs[32768], theirs[32768], buffer[32768];
"""
POINTWISE = """\
static void convolve_@(void)
{
    const cmsis_nn_context context = {buffer, sizeof(buffer)};
    const cmsis_nn_conv_params how = {-(@ZERO), 5, {1, 1}, {0, 0}, {1, 1}, {-128, 127}};
    const cmsis_nn_per_channel_quant_params scales = {(int32_t *)@_multiplier, (int32_t *)@_exponent};
    const cmsis_nn_dims in = {1, @HEIGHT, @FRAMES, @IN}, filter = {@OUT, 1, 1, @IN}, bias = {1, 1, 1, @OUT};
    const cmsis_nn_dims out = {1, @HEIGHT, @FRAMES, @OUT};

    arm_convolve_1x1_s8_fast(&context, &how, &scales, &in, values, &filter, (const int8_t *)@_weights, &bias, @_bias,
                             &out, theirs);
}
"""
CONNECTED = """\
static void connect_@(void)
{
    const cmsis_nn_context context = {NULL, 0};
    const cmsis_nn_fc_params how = {-(@ZERO), 0, 5, {-128, 127}};
    const cmsis_nn_per_channel_quant_params scales = {(int32_t *)@_multiplier, (int32_t *)@_exponent};
    const cmsis_nn_dims in = {1, 1, 1, @IN}, filter = {@IN, 1, 1, @OUT}, bias = {1, 1, 1, @OUT}, out = {1, 1, 1, @OUT};

    arm_fully_connected_per_channel_s8(&context, &how, &scales, &in, values, &filter, (const int8_t *)@_weights, &bias,
                                       @_bias, &out, theirs);
}
"""
DEPTHWISE = """\
static void depthwise_@(void)
{
    const cmsis_nn_context context = {buffer, sizeof(buffer)};
    const cmsis_nn_dw_conv_params how = {-(@ZERO), 5, 1, {1, 1}, {@PAD, 0}, {1, 1}, {-128, 127}};
    const cmsis_nn_per_channel_quant_params scales = {(int32_t *)@_multiplier, (int32_t *)@_exponent};
    const cmsis_nn_dims in = {1, @INFRAMES, @HEIGHT, @IN}, filter = {1, @TAPS, @KERNEL, @IN}, bias = {1, 1, 1, @IN};
    const cmsis_nn_dims out = {1, @FRAMES, @HEIGHT, @IN};

    arm_depthwise_conv_wrapper_s8(&context, &how, &scales, &in, values, &filter, @_places, &bias, @_bias, &out, theirs);
}
"""
OURS = """\
static void ours_@(void)
{
    @CALL(&@_layer, NULL, values, outputs);
}
"""
FOOT = """\
static void nothing(void)
{
}

const part parts[] = {
    {"nothing", nothing, 1},
@PARTS
};
const uint32_t part_count = sizeof(parts) / sizeof(parts[0]);

static void compare(const char *name, void (*ours)(void), void (*other)(void), int32_t count)
{
    int32_t i, differ = 0, most = 0;

    ours();
    other();
    for (i = 0; i < count; i++) {
        const int32_t apart = outputs[i] < theirs[i] ? theirs[i] - outputs[i] : outputs[i] - theirs[i];
        differ += apart > 0;
        most = apart > most ? apart : most;
    }
    printf("compared %s %ld %ld %ld\\n", name, (long)differ, (long)most, (long)count);
}

void prepare(void)
{
    uint32_t drawn = 1, i;

    for (i = 0; i < sizeof(values); i++) {
        drawn = drawn * 1664525U + 1013904223U;
        values[i] = (int8_t)(drawn >> 24);
    }
@COMPARED
}
"""


@dataclass(frozen=True)
class Layer:
    """A convolution without strides over (height, frames), pointwise or of each channel by itself.

    places: of the kernel, (height, frames); it sees all frames, and the height with the zero point around.
    """

    inputs: int
    outputs: int
    height: int = 1
    frames: int = 1
    kernel: tuple[int, int] = (1, 1)

    @property
    def depthwise(self) -> bool:
        """Whether channels are apart."""
        return self.kernel != (1, 1)

    @property
    def name(self) -> str:
        """In C."""
        kernel = "x".join(map(str, self.kernel))
        return f"k{kernel}_{self.inputs}_{self.outputs}_{self.height}_{self.frames}"

    @property
    def columns(self) -> int:
        """That share weights."""
        return self.height * self.frames

    @property
    def macs(self) -> int:
        """With those of padding."""
        each = self.kernel[0] * self.kernel[1] if self.depthwise else self.inputs
        return self.columns * self.outputs * each

    @property
    def rivals(self) -> list[str]:
        """What CMSIS-NN may compute it with."""
        if self.depthwise:
            return ["depthwise"]
        return ["convolve", "connect"] if self.columns == 1 else ["convolve"]

    @property
    def kind(self) -> str:
        """In words."""
        kernel = " x ".join(map(str, self.kernel))
        return f"depthwise {kernel}, {self.inputs}" if self.depthwise else f"pointwise {self.inputs} -> {self.outputs}"


SIZES = ((24, 48), (40, 120), (120, 40), (64, 64))
LAYERS = (
    *(Layer(inputs, outputs, 10, 5) for inputs, outputs in SIZES),
    *(Layer(inputs, outputs) for inputs, outputs in SIZES),
    Layer(24, 24, 10, 1, (3, 3)),
    Layer(64, 64, 5, 1, (3, 3)),
    Layer(120, 120, 1, 1, (1, 9)),
)


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Count and write the rows. Raises InvalidQuery for a folder that is no checkout of CMSIS-NN."""
    place = Path(options.folder)
    if not (place / "Include" / "arm_nnfunctions.h").is_file():
        raise InvalidQuery(f"{place} is no checkout of CMSIS-NN: git clone https://github.com/ARM-software/CMSIS-NN")
    for level in options.levels:
        for row in _measured(place, level):
            keys = {name: row.pop(name) for name in ("layer", "columns")}
            rows.add(TABLE, {**keys, "level": level}, row | {"tools": version(flags=_flags(level))})


def _flags(level: str) -> tuple[str, ...]:
    return ("-std=gnu99", level, "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-DNDEBUG")


def _measured(place: Path, level: str) -> list[dict]:
    """Rows of all layers."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch, "layers.c")
        program.write_text(_program(LAYERS), encoding="utf-8")
        files = [program, FOLDER / "count.c", *(place / "Source" / file for file in FILES)]
        includes = [FOLDER, place / "Include"]
        image = build(COUNTING, files, Path(scratch, "layers.elf"), includes, _flags(level))
        said = emulate(COUNTING, image, "-icount", "shift=0")
    return [_row(layer, counted(said), said) for layer in LAYERS]


def _row(layer: Layer, counts: dict[str, int], said: str) -> dict:
    compared = re.findall(rf"^compared {layer.name} (\d+) (\d+) (\d+)$", said, re.MULTILINE)
    differ, most, values = max(tuple(map(int, found)) for found in compared)
    if most > 1:
        raise EarshotError(f"{layer.name}: outputs of CMSIS-NN are up to {most} apart: not the same layer")
    ours = counts[f"ours_{layer.name}"]
    theirs = min(counts[f"{rival}_{layer.name}"] for rival in layer.rivals)
    return {
        "layer": layer.kind, "columns": layer.columns, "ours": round(ours / layer.macs, 3),
        "theirs": round(theirs / layer.macs, 3), "ratio": round(ours / theirs, 3), "off_by_one": differ,
        "values": values,
    }  # fmt: skip


def _program(layers: Sequence[Layer]) -> str:
    """The C of both, and of what counts them."""
    internal = (TEXTS / "internal.h").read_text().replace('#include "NAME.h"', "")
    kind = f"typedef struct {{\n{OPERATOR.structure}    NAME_limits to;\n}} NAME_conv;\n"
    for mark, text in {"@STRUCTURES": kind, "@LAYERS": "", "@FRONT_END": ""}.items():
        internal = internal.replace(mark, text)
    work = {"BUFFER": 1, "SPAN": 120, "BLOCK": BLOCK, "BLOCK_BUFFER": 1, "PLACES": 9}
    sizes = "".join(f"#define NAME_{name} {value}\n" for name, value in work.items())
    own = "\n".join([HEAD, internal, sizes, source("common"), *map(source, OWN), *map(_constants, layers)])
    calls = [(f"{who}_{layer.name}", layer) for layer in layers for who in ("ours", *layer.rivals)]
    functions = "\n".join(_function(name, layer) for name, layer in calls)
    parts = "\n".join(f'    {{"{name}", {name}, 1}},' for name, _ in calls)
    compared = "\n".join(
        f'    compare("{layer.name}", ours_{layer.name}, {rival}_{layer.name}, {layer.columns * layer.outputs});'
        for layer in layers
        for rival in layer.rivals
    )
    text = "\n".join([own, functions, FOOT.replace("@PARTS", parts).replace("@COMPARED", compared)])
    return re.sub(r"\bNAME(?=\b|_)", "model", text)


def _function(name: str, layer: Layer) -> str:
    who = name.partition("_")[0]
    text = {"ours": OURS, "convolve": POINTWISE, "connect": CONNECTED, "depthwise": DEPTHWISE}[who]
    known = {
        "CALL": "depthwise" if layer.depthwise else "conv", "ZERO": ZERO,
        "INFRAMES": layer.frames + layer.kernel[1] - 1,
        "HEIGHT": layer.height, "FRAMES": layer.frames, "IN": layer.inputs, "OUT": layer.outputs,
        "KERNEL": layer.kernel[0], "TAPS": layer.kernel[1], "PAD": layer.kernel[0] // 2,
    }  # fmt: skip
    for mark in sorted(known, key=len, reverse=True):
        text = re.sub(f"@{mark}\\b", str(known[mark]), text)
    return text.replace("@", layer.name)


def _constants(layer: Layer) -> str:
    """Of both, by the name of the layer."""
    rng, name = np.random.default_rng(0), layer.name
    count = layer.macs // layer.columns
    weights = rng.integers(-127, 128, count).astype(np.int8)
    scale = 60 / (74 * 74 * np.sqrt(count / layer.outputs))
    mantissa, exponent = np.frexp(scale * rng.uniform(0.7, 1.4, layer.outputs))
    arrays = {
        "bias": rng.integers(-20_000, 20_000, layer.outputs).astype(np.int32),
        "multiplier": np.round(mantissa * 2**31).astype(np.int64).astype(np.int32),
        "shift": (31 - exponent).astype(np.uint8),
        "exponent": exponent.astype(np.int32),
    }
    fields = {part: f"{name}_{part}" for part in ("weights", "bias", "multiplier", "shift")} | {
        "bits": 8, "odd": 0, "in_zero": ZERO, "frames": layer.frames + layer.kernel[1] - 1, "out_frames": layer.frames,
        "before": 0, "taps": layer.kernel[1], "stride": 1, "in_height": layer.height, "out_height": layer.height,
        "kernel_height": layer.kernel[0], "stride_height": 1, "pad_top": layer.kernel[0] // 2,
        "in_channels": layer.inputs, "out_channels": layer.outputs, "to": LIMITS,
    }  # fmt: skip
    text = "".join(array(f"{name}_{part}", values) for part, values in arrays.items())
    return text + _weights(layer, weights) + f"static {record('NAME_conv', f'{name}_layer', fields)}"


def _weights(layer: Layer, weights: np.ndarray) -> str:
    """In the order of each: that of CMSIS-NN has all channels of a place together."""
    name = layer.name
    if not layer.depthwise:
        return array(f"{name}_weights", weights.view(np.uint8))
    laid = weights.reshape(layer.kernel[1], layer.kernel[0], layer.outputs)  # (taps, height, channels)
    blocks = np.split(laid, range(BLOCK, layer.outputs, BLOCK), axis=2)
    own = np.concatenate([block.ravel() for block in blocks]).view(np.uint8)
    return array(f"{name}_weights", own) + array(f"{name}_places", laid.ravel())


def table(found: Rows) -> Shown:
    """Instructions a MAC, by the compiler at -O2."""
    names = ["layer", "columns", "ours", "CMSIS-NN", "ours / CMSIS-NN"]
    rows = found.read(TABLE).query("level == '-O2'").to_dict("records")
    return names, [
        [row["layer"], str(row["columns"]), f"{row['ours']:.2f}", f"{row['theirs']:.2f}", f"{row['ratio']:.2f}"]
        for row in rows
    ]


STUDY = Study(
    __doc__,
    run,
    (
        option("folder", help="a checkout of CMSIS-NN"),
        option("--levels", nargs="+", choices=LEVELS, default=list(LEVELS), help="of the compiler (default: all)"),
    ),
    always=True,
    tables={TABLE: table},
)
