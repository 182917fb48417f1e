"""Once-for-all audio networks: one weight-sharing supernet, its space of sub-networks, training and quantisation.

Names are loaded when they are first used, so that architectures and costs need no torch.
"""

from __future__ import annotations

from supernet.extras import lazy_names

_HOME = {
    "Arch": "supernet.arch",
    "IntegerNetwork": "supernet.integer.runtime",
    "LayerSpec": "supernet.layer",
    "Mfcc": "supernet.frontend.mfcc",
    "Network": "supernet.nn.network",
    "Recipe": "supernet.train.recipe",
    "Space": "supernet.space",
    "Supernet": "supernet.nn.supernet",
    "SupernetRecipe": "supernet.train.recipe",
    "layers": "supernet.layer",
    "load_supernet": "supernet.nn.store",
    "quantise": "supernet.quant.finetune",
    "save_supernet": "supernet.nn.store",
    "train_supernet": "supernet.train.supernets",
    "with_bits": "supernet.bits",
}

__all__ = sorted(_HOME)

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
