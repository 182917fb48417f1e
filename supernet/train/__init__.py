"""Training: recipes, the resumable loop, supernets, single networks, several tasks, many machines."""

from __future__ import annotations

from supernet.extras import lazy_names

_HOME = {
    "PROGRESSIVE_SHRINKING": "supernet.train.recipe",
    "Learner": "supernet.train.networks",
    "Phase": "supernet.train.recipe",
    "Recipe": "supernet.train.recipe",
    "SupernetRecipe": "supernet.train.recipe",
    "calibration_features": "supernet.train.calibration",
    "draw_archs": "supernet.train.supernets",
    "fit": "supernet.train.loop",
    "fit_frontend": "supernet.train.calibration",
    "learning_rate": "supernet.train.recipe",
    "losses_of": "supernet.train.objective",
    "prior_shift": "supernet.train.objective",
    "scene_features": "supernet.train.calibration",
    "tensor_digest": "supernet.train.loop",
    "train_float": "supernet.train.networks",
    "train_network": "supernet.train.networks",
    "train_step": "supernet.train.supernets",
    "train_supernet": "supernet.train.supernets",
    "train_together": "supernet.train.networks",
    "weights_digest": "supernet.train.loop",
}

__all__ = sorted(_HOME)

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
