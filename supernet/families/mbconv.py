"""Family `mbconv`: mobile inverted bottlenecks over maps of frequency and time.

Two-dimensional cells as in MobileNetV2 (Sandler et al., CVPR 2018, arXiv 1801.04381), over MFCC as Peter et al. search
them for keywords (arXiv 2012.10138), and over log-mel maps for acoustic events, as the supernet of Lin et al. (arXiv
2303.10351) does. Squeeze-and-excitation with a hard sigmoid is that of MobileNetV3 (Howard et al., arXiv 1905.02244).

    mfcc:   stem conv 5 x 11 -> stages -> head 1x1 -> average -> linear
    logmel: stem conv 3 x 3  -> stages -> head 1x1 -> average -> linear
    stage:  [expand 1x1, depthwise k x k, (excitation,) project 1x1, + residual] for each block

Kernels are centred and padding is on both sides, so a network answers on whole clips only. All activations are ReLU6.
The stem reads frames each 20 ms at stride 2, or each 10 ms at stride 4 with a tap between each two; and 20 log-mels at
stride 1, or 40 at stride 2 likewise: so all later layers see equal maps. Of MFCC it reads the first coefficients, at
stride 1. With 51 frames and the widths of the publication these are the networks that Peter et al. found.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from supernet.arch import Arch, FeatureSpec
from supernet.errors import InvalidArch
from supernet.families.base import KEPT_PARTS, Family, ending
from supernet.families.blocks import SCHEMA, WIDTH_MULTIPLE, BlockChoices, Blocks, StageChoices, bottleneck
from supernet.layer import LayerSpec, Part, Shape
from supernet.space import Space

__all__ = ["FAMILY"]

FRONT_END_MELS = 40
KERNELS, EXPANSIONS, STRIDES = (3, 5, 7), (1, 2, 3, 4, 5, 6), (1, 2)
STEMS = {"mfcc": (5, 11), "logmel": (3, 3)}
"""Taps over frequency and time, at frames each 20 ms and 20 log-mels."""
STEM_STRIDES = {10: 4, 20: 2}
"""Over time, by the step of the frames."""
LOG_MELS = (20, 40)
SQUEEZE = 4
"""How many times fewer channels there are between the two convolutions of an excitation."""


def parts(arch: Arch) -> list[Part]:
    """The layers of a network: one part before all blocks, one a block, one behind.

    Raises InvalidArch where kernels, expansions or features are not of this family."""
    _check(arch)
    found = [_entry(arch.features, arch.frames, arch.shape.stem)]
    for number, stage in enumerate(arch.shape.stages, 1):
        for index, block in enumerate(stage.blocks, 1):
            before, stride = found[-1][-1], stage.stride if index == 1 else 1
            place = f"stage{number}_block{index}", before.name, before.out_shape
            found.append(_block(*place, stage.width, block.kernel, block.expansion, stride, stage.excitation))
    return [*found, _exit(found[-1][-1].name, found[-1][-1].out_shape, arch.shape.head, arch.classes)]


@lru_cache(maxsize=KEPT_PARTS)
def _entry(features: FeatureSpec, frames: int, width: int) -> Part:
    """The input, whose stride says what it leaves out of the front end's, and the stem."""
    coarser = FRONT_END_MELS // features.coefficients if features.kind == "logmel" else 1, features.step_ms // 10
    finest = FRONT_END_MELS // LOG_MELS[0] if features.kind == "logmel" else 1, 2
    finer = tuple(most // own for most, own in zip(finest, coarser, strict=True))
    taps = tuple((size - 1) * times + 1 for size, times in zip(STEMS[features.kind], finer, strict=True))
    shape = 1, features.coefficients, frames
    whole = 1, features.coefficients * coarser[0], frames * coarser[1]
    read = LayerSpec("input", "input", (), whole, shape, stride=coarser, causal=False)
    stem = _conv("stem", "input", shape, width, kernel=taps, stride=(finer[0], STEM_STRIDES[features.step_ms]))
    return Part((read, replace(stem, tap_steps=coarser)))


@lru_cache(maxsize=KEPT_PARTS)
def _block(
    name: str, source: str, in_shape: Shape, width: int, kernel: int, expansion: int, stride: int, excitation: bool
) -> Part:
    """An inverted bottleneck behind the layer `source`."""
    excite, before = _excitation if excitation else None, (name, source, in_shape)
    return bottleneck(_conv, before, width, expansion, (kernel, kernel), (stride, stride), excite)


def _excitation(name: str, source: LayerSpec) -> list[LayerSpec]:
    """The channels of `source`, each times a factor from 0 to 1 that follows from the means of all."""
    shape, channels = source.out_shape, source.out_shape[0]
    squeezed = max(WIDTH_MULTIPLE, channels // SQUEEZE // WIDTH_MULTIPLE * WIDTH_MULTIPLE)
    mean = LayerSpec(f"{name}_mean", "pool", (source.name,), shape, (channels, 1, 1), causal=False)
    squeeze = _conv(f"{name}_squeeze", mean.name, mean.out_shape, squeezed, activation="relu")
    excite = _conv(f"{name}_excite", squeeze.name, squeeze.out_shape, channels, activation="hard_sigmoid")
    scale = LayerSpec(f"{name}_scale", "scale", (source.name, excite.name), shape, shape, causal=False)
    return [mean, squeeze, excite, scale]


@lru_cache(maxsize=KEPT_PARTS)
def _exit(source: str, in_shape: Shape, width: int, classes: int) -> Part:
    return ending(_conv("head", source, in_shape, width), classes)


def _conv(
    name: str,
    source: str,
    in_shape: Shape,
    channels: int,
    *,
    kernel: tuple[int, int] = (1, 1),
    stride: tuple[int, int] = (1, 1),
    groups: int = 1,
    activation: str = "relu6",
) -> LayerSpec:
    """A convolution with batch norm behind the layer `source`, padded on all sides."""
    out_shape = (channels, *(-(-size // step) for size, step in zip(in_shape[1:], stride, strict=True)))
    high, wide = ((out_shape[axis] - 1) * stride[axis - 1] + kernel[axis - 1] - in_shape[axis] for axis in (1, 2))
    pad = (high // 2, high - high // 2, wide - wide // 2, wide // 2)
    return LayerSpec(
        name, "conv", (source,), in_shape, out_shape,
        kernel=kernel, stride=stride, pad=pad, groups=groups, causal=False, activation=activation,
    )  # fmt: skip


def _check(arch: Arch) -> None:
    features = arch.features
    known = features.kind in STEMS and features.step_ms in STEM_STRIDES
    if not known or (features.kind == "logmel" and features.coefficients not in LOG_MELS):
        raise InvalidArch(f"family mbconv reads mfcc, or {LOG_MELS} logmel, each 10 or 20 ms, not {features}")
    for stage in arch.shape.stages:
        if stage.stride not in STRIDES:
            raise InvalidArch(f"a stage of stride {stage.stride} is not of family mbconv: strides {STRIDES}")
        for block in stage.blocks:
            if block.kernel not in KERNELS or block.expansion not in EXPANSIONS:
                raise InvalidArch(f"{block} is not of family mbconv: kernels {KERNELS}, expansions {EXPANSIONS}")


def space(classes: int, clip_ms: int, features: str = "logmel") -> Space:
    """The default space on `logmel`, for clips of seconds (0.4 M to 32 M MACs on five), or on `mfcc`, about the
    networks of Peter et al. (1 M to 45 M MACs on one).
    """
    either = (False, True)
    if features == "mfcc":
        stages = (
            StageChoices((48, 72), (1, 2), KERNELS, (1, 2, 3), 2),
            StageChoices((48, 72), (1, 2, 3), KERNELS, (1, 2, 3), 1, either),
            StageChoices((48, 72, 96), (1, 2, 3), KERNELS, (1, 2, 3), 2, either),
        )
        return Space("mbconv", classes, clip_ms, (10, 20), (10, 20), BlockChoices((40, 56, 72), stages, (96, 144, 192)))
    stages = (
        StageChoices((8, 16, 24), (1, 2), KERNELS, (1, 2, 3), 2),
        StageChoices((16, 32, 48), (1, 2, 3), KERNELS, (1, 2, 3), 2, either),
        StageChoices((32, 64, 96), (1, 2, 3), KERNELS, (1, 2, 3), 2, either),
    )
    return Space(
        "mbconv", classes, clip_ms, LOG_MELS, (10, 20), BlockChoices((8, 16, 24), stages, (64, 128, 192)), features
    )


FAMILY = Family("mbconv", parts, space, streamable=False, shape=Blocks, choices=BlockChoices, schema=SCHEMA)
