"""What is measured of training clips before training: the statistics of a front end, features that norms see."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from supernet.data.audio import from_int16
from supernet.data.augment import BATCH, Augmenter
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.frontend.mel import MelFrontEnd
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import torch_twin

__all__ = ["calibration_features", "fit_frontend", "scene_features"]


def fit_frontend(
    data: ClipData, stride: int = 8, kind: type[Mfcc] = Mfcc, scenes: Scenes | None = None, seed: int = 0
) -> Mfcc:
    """The front end with the mean and deviation of each coefficient over every `stride`-th training clip.

    scenes: with them, of an epoch's clips in scenes that are drawn by the seed, as they are heard in training. A kind
    that has no such settings is given as it is.
    """
    if not issubclass(kind, MelFrontEnd):
        return kind()
    if scenes is None:
        rows = data.splits["train"].rows[::stride]
        samples = torch.from_numpy(from_int16(data.audio[rows]))
    else:
        rng = np.random.default_rng([seed, 3])
        rows = data.epoch(rng).rows
        count = len(rows) // stride // scenes.chain
        maker = scenes.maker(data, kind())
        chains = rows[: count * scenes.chain].reshape(count, scenes.chain)
        samples = torch.from_numpy(np.stack([maker.scene(chain, rng) for chain in chains]))
    raw = torch.cat([torch_twin(kind())(part) for part in samples.split(BATCH)])
    mean, deviation = (tuple(round(float(v), 5) for v in fit) for fit in (raw.mean((0, 2)), raw.std((0, 2))))
    return kind(mean=mean, deviation=deviation)


def calibration_features(data: ClipData, frontend: Mfcc, clips: int = 512, seed: int = 0) -> Tensor:
    """Features of unvaried training clips in the training set's proportions: (clips, coefficients, frames)."""
    rng = np.random.default_rng([seed, 1])
    return Augmenter(data, frontend)(data.epoch(rng).rows[:clips], rng)


def scene_features(data: ClipData, frontend: Mfcc, scenes: Scenes, clips: int = 512, seed: int = 0) -> Tensor:
    """Features of training clips in scenes, each cut out: (clips, coefficients, frames).

    clips: a multiple of `scenes.chain`.
    """
    rng = np.random.default_rng([seed, 1])
    features = scenes.maker(data, frontend)(data.epoch(rng).rows[:clips], rng)
    return features.unflatten(2, (scenes.chain, -1)).transpose(1, 2).flatten(0, 1)
