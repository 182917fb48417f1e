"""In which precision training computes."""

from __future__ import annotations

from functools import cache

import torch

from supernet.train.recipe import Recipe

__all__ = ["autocast", "computes_bfloat16"]


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which a training step's networks run: in bfloat16 where the recipe asks for it and the device has
    instructions for it, else in float32.
    """
    enabled = recipe.bfloat16 and computes_bfloat16(device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


@cache
def computes_bfloat16(device_type: str) -> bool:
    """Whether a kind of device is known to have instructions for bfloat16: GPUs, and x86 processors with AVX-512 or AMX
    for it. Processors without them take many times as long for a convolution as in float32.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device_type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
