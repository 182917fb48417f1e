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
    "Network": "supernet.elastic",
    "Recipe": "supernet.train",
    "Space": "supernet.space",
    "Supernet": "supernet.elastic",
    "SupernetRecipe": "supernet.train",
    "layers": "supernet.layer",
    "load_supernet": "supernet.store",
    "quantise": "supernet.quant.finetune",
    "save_supernet": "supernet.store",
    "train_supernet": "supernet.train",
    "with_bits": "supernet.bits",
}

__all__ = sorted(_HOME)

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
