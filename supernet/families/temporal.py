"""Family `temporal`: causal inverted bottlenecks over time, with the features as channels.

Convolutions over time alone, as TC-ResNet (Choi et al., arXiv 1904.03814) and TENet (Li et al., arXiv 2010.09960)
have them: cheap, because the feature axis is channels. All padding is on the left and nothing looks at the whole clip
but the final average, so a network streams: a freshly reset stream gives the same integers as a clip.

    stem conv -> stages of [expand 1x1, depthwise k, project 1x1, + residual] -> head 1x1 -> average -> linear

The stem takes 5 taps at stride 2 of a frame each 10 ms, or every second of these taps at stride 1 of a frame each
20 ms, so that all later layers run at 20 ms either way.
"""

from __future__ import annotations

from supernet.errors import InvalidArch
from supernet.families.base import Family
from supernet.space import Arch, LayerSpec, Space, StageChoices

__all__ = ["FAMILY"]

FRONT_END_STEP = 10
STEM_TAPS, STEM_STRIDE = {10: 5, 20: 3}, {10: 2, 20: 1}
KERNELS, EXPANSIONS, WIDTHS = (3, 5, 7, 9), (1, 2, 3, 4), (16, 24, 32, 40, 48)


def layers(arch: Arch) -> tuple[LayerSpec, ...]:
    """The layers of a network. Raises InvalidArch where kernels, expansions or features are not of this family."""
    _check(arch)
    coefficients, frames, step = arch.features.coefficients, arch.frames, arch.features.step_ms
    ratio = step // FRONT_END_STEP
    map_shape, shape = (coefficients, 1, frames * ratio), (coefficients, 1, frames)
    specs = [LayerSpec("input", "input", (), map_shape, shape, stride=(1, ratio))]
    _conv(specs, "stem", arch.stem, kernel=STEM_TAPS[step], stride=STEM_STRIDE[step], tap_step=ratio)
    for number, stage in enumerate(arch.stages, 1):
        for index, block in enumerate(stage.blocks, 1):
            stride = stage.stride if index == 1 else 1
            _block(specs, f"stage{number}_block{index}", stage.width, block.kernel, block.expansion, stride)
    _conv(specs, "head", arch.head)
    shape = specs[-1].out_shape
    specs.append(LayerSpec("pool", "pool", ("head",), shape, (shape[0], 1, 1)))
    specs.append(LayerSpec("classifier", "linear", ("pool",), (shape[0], 1, 1), (arch.classes, 1, 1)))
    return tuple(specs)


def _block(specs: list[LayerSpec], name: str, width: int, kernel: int, expansion: int, stride: int) -> None:
    entry = specs[-1]
    channels = entry.out_shape[0]
    residual = stride == 1 and channels == width
    if expansion > 1:
        _conv(specs, f"{name}_expand", channels * expansion)
    _conv(specs, f"{name}_depthwise", channels * expansion, kernel=kernel, stride=stride, depthwise=True)
    _conv(specs, f"{name}_project", width, relu=False)
    if residual:
        project = specs[-1]
        shape = project.out_shape
        specs.append(LayerSpec(f"{name}_add", "add", (entry.name, project.name), shape, shape))


def _conv(
    specs: list[LayerSpec],
    name: str,
    channels: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    tap_step: int = 1,
    depthwise: bool = False,
    relu: bool = True,
) -> None:
    """Append a causal convolution with batch norm that reads the last layer."""
    in_shape = specs[-1].out_shape
    out_shape = (channels, 1, -(-in_shape[2] // stride))
    left = (out_shape[2] - 1) * stride + kernel - in_shape[2]
    specs.append(
        LayerSpec(
            name,
            "conv",
            (specs[-1].name,),
            in_shape,
            out_shape,
            kernel=(1, kernel),
            stride=(1, stride),
            pad=(0, 0, left, 0),
            groups=channels if depthwise else 1,
            tap_step=tap_step,
            relu=relu,
        )
    )


def _check(arch: Arch) -> None:
    if arch.features.kind != "mfcc" or arch.features.step_ms not in STEM_TAPS:
        raise InvalidArch(f"family temporal reads mfcc frames each 10 or 20 ms, not {arch.features}")
    for stage in arch.stages:
        for block in stage.blocks:
            if block.kernel not in KERNELS or block.expansion not in EXPANSIONS:
                raise InvalidArch(f"{block} is not of family temporal: kernels {KERNELS}, expansions {EXPANSIONS}")


def space(classes: int, clip_ms: int) -> Space:
    """The default space: 0.1 M to 10 M MACs on clips of one second."""
    stage = StageChoices(WIDTHS, (1, 2, 3, 4), KERNELS, EXPANSIONS[:3])
    return Space("temporal", classes, clip_ms, (10, 20, 30, 40), (10, 20), WIDTHS, (stage,) * 3, (32, 64, 96, 128))


FAMILY = Family("temporal", layers, space, streamable=True)
