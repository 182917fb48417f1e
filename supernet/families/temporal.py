"""Family `temporal`: causal inverted bottlenecks over time.

Convolutions over time alone, as TC-ResNet (Choi et al., arXiv 1904.03814) and TENet (Li et al., arXiv 2010.09960)
have them: cheap, because the feature axis is channels. MFCC are channels from the start. A log-mel map is first read by
two stages of convolutions over frequency and time, since a voice that is higher moves along frequency (as BC-ResNet
uses it, Kim et al., arXiv 2106.04140), and then gathered into channels.

    mfcc:   stem conv -> stages -> head 1x1 -> average -> linear
    logmel, micro: stem conv 5 x k -> two stages on maps -> gather -> stages -> head 1x1 -> average -> linear
    stage:  [expand 1x1, depthwise k (on maps 3 x k), project 1x1, + residual] for each block

All padding in time is on the left and nothing looks at the whole clip but the final average, so a network streams: a
freshly reset stream gives the same integers as a clip. The stem takes 5 taps in time at stride 2 of a frame each 10 ms,
or every second of these taps at stride 1 of a frame each 20 ms, so that all later layers run at 20 ms either way.
"""

from __future__ import annotations

from functools import lru_cache

from supernet.arch import Arch, FeatureSpec
from supernet.errors import InvalidArch
from supernet.families.base import KEPT_PARTS, Family
from supernet.families.blocks import SCHEMA, BlockChoices, Blocks, StageChoices, causal_block, causal_conv, causal_exit
from supernet.layer import LayerSpec, Part, Shape
from supernet.space import Space

__all__ = ["FAMILY", "MAP_STAGES"]

FRONT_END_STEP = 10
MAPS = ("logmel", "micro")
"""Front ends whose coefficients are bands of the spectrum."""
STEM_TAPS, STEM_STRIDE = {10: 5, 20: 3}, {10: 2, 20: 1}
KERNELS, EXPANSIONS, WIDTHS = (3, 5, 7, 9), (1, 2, 3, 4), (16, 24, 32, 40, 48)
MAP_STAGES = 2
"""Stages on maps, where the features are a log-mel map; each halves the frequencies."""
LONG_MS = 2000
"""From which on clips are of sounds, not of words: then stages stride, since a network of words hears too little at a
time, and takes as much for each second as for a word.
"""
STEM_HEIGHT, MAP_HEIGHT = 5, 3
"""Taps over frequency of the stem and of depthwise convolutions on maps."""


def parts(arch: Arch) -> list[Part]:
    """The layers of a network: one part before all blocks, one a block, one behind.

    Raises InvalidArch where kernels, expansions or features are not of this family."""
    _check(arch)
    maps = MAP_STAGES if arch.features.kind in MAPS else 0
    found = [_entry(arch.features, arch.frames, arch.shape.stem)]
    for number, stage in enumerate(arch.shape.stages, 1):
        on_maps, gathers = number <= maps, maps and number == maps + 1
        for index, block in enumerate(stage.blocks, 1):
            height, fall = (MAP_HEIGHT, 2) if on_maps else (1, 1)
            stride = (fall, stage.stride) if index == 1 else (1, 1)
            name, before = f"stage{number}_block{index}", found[-1][-1]
            make, kernel = _gathered_block if gathers and index == 1 else causal_block, (height, block.kernel)
            found.append(make(name, before.name, before.out_shape, stage.width, block.expansion, kernel, stride))
    return [*found, causal_exit(found[-1][-1].name, found[-1][-1].out_shape, arch.shape.head, arch.classes)]


@lru_cache(maxsize=KEPT_PARTS)
def _entry(features: FeatureSpec, frames: int, width: int) -> Part:
    ratio, on_maps = features.step_ms // FRONT_END_STEP, features.kind in MAPS
    channels, height = (1, features.coefficients) if on_maps else (features.coefficients, 1)
    shapes = (channels, height, frames * ratio), (channels, height, frames)
    kernel, fall = (STEM_HEIGHT, 2) if on_maps else (1, 1)
    taps, stride = STEM_TAPS[features.step_ms], STEM_STRIDE[features.step_ms]
    stem = causal_conv("stem", "input", shapes[1], width, kernel=(kernel, taps), stride=(fall, stride), tap_step=ratio)
    return Part((LayerSpec("input", "input", (), *shapes, stride=(1, ratio)), stem))


@lru_cache(maxsize=KEPT_PARTS)
def _gathered_block(name: str, source: str, in_shape: Shape, width: int, *block) -> Part:
    """An inverted bottleneck behind the convolution that makes channels of a map."""
    gather = causal_conv("gather", source, in_shape, width, kernel=(in_shape[1], 1), pad=False)
    return Part((gather, *causal_block(name, gather.name, gather.out_shape, width, *block)))


def _check(arch: Arch) -> None:
    features = arch.features
    if features.kind not in ("mfcc", *MAPS) or features.step_ms not in STEM_TAPS:
        raise InvalidArch(f"family temporal reads mfcc, logmel or micro frames each 10 or 20 ms, not {features}")
    stages = arch.shape.stages
    if features.kind in MAPS and len(stages) <= MAP_STAGES:
        raise InvalidArch(f"on {features.kind}, family temporal needs more than {MAP_STAGES} stages, not {len(stages)}")
    if any(stage.excitation for stage in stages):
        raise InvalidArch("family temporal has no excitation, which hears the whole clip; family mbconv has")
    for stage in stages:
        for block in stage.blocks:
            if block.kernel not in KERNELS or block.expansion not in EXPANSIONS:
                raise InvalidArch(f"{block} is not of family temporal: kernels {KERNELS}, expansions {EXPANSIONS}")


def space(classes: int, clip_ms: int, features: str = "mfcc") -> Space:
    """The default space on `mfcc` (0.1 M to 10 M MACs on clips of one second), on `logmel` or `micro` (0.3 M to 7 M).

    MFCC lead where a network has less than about half a million MACs, of which a map would take most. On maps of clips
    of LONG_MS and more it is another, whose stages stride as far as a clip's frames are multiples of it: 1.3 M to 18 M
    MACs on 5120 ms, with an answer each 160 ms.
    """
    if features in MAPS and clip_ms >= LONG_MS:
        return _long_space(classes, clip_ms, features)
    heads = (32, 64, 96, 128)
    if features == "mfcc":
        stage = StageChoices(WIDTHS, (1, 2, 3, 4), KERNELS, EXPANSIONS[:3])
        return Space(
            "temporal", classes, clip_ms, (10, 20, 30, 40), (10, 20), BlockChoices(WIDTHS, (stage,) * 3, heads)
        )
    maps = StageChoices((8, 16, 24), (1, 2), (3,), (1,)), StageChoices((8, 16, 24, 32), (1, 2), (3,), (1, 2))
    stages = (*maps, *[StageChoices(WIDTHS[:4], (1, 2, 3), KERNELS, EXPANSIONS[:3])] * 2)
    steps = (10,) if features == "micro" else (10, 20)  # the noise that `micro` takes away is of each frame
    return Space("temporal", classes, clip_ms, (40,), steps, BlockChoices((8, 16), stages, heads[:3]), features)


def _long_space(classes: int, clip_ms: int, features: str) -> Space:
    strides = [2 if clip_ms // 20 % 2**number == 0 else 1 for number in (1, 2, 3)]
    stages = (
        StageChoices((8, 16, 24), (1, 2), (3,), (1, 2), strides[0]),
        StageChoices((16, 24, 32), (1, 2), (3,), (1, 2), strides[1]),
        StageChoices((32, 48, 64), (1, 2), KERNELS, EXPANSIONS[:3], strides[2]),
        StageChoices((48, 64, 96), (1, 2), KERNELS, EXPANSIONS[:3]),
    )
    step = 10 if features == "micro" else 20
    return Space("temporal", classes, clip_ms, (40,), (step,), BlockChoices((8, 16), stages, (96, 128, 192)), features)


FAMILY = Family("temporal", parts, space, True, Blocks, BlockChoices, SCHEMA, features=("mfcc", *MAPS))
