"""What is measured of training clips before training: the statistics of a front end, features that norms see."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from supernet.data.audio import from_int16
from supernet.data.augment import BATCH, Augmentation, Augmenter
from supernet.data.clips import ClipData
from supernet.data.scenes import Scenes
from supernet.frontend.base import FrontEnd
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import torch_twin

__all__ = ["calibration_features", "features_as_heard", "fit_frontend", "scene_features"]


def fit_frontend(
    data: ClipData, stride: int = 8, kind: type[Mfcc] = Mfcc, scenes: Scenes | None = None, seed: int = 0
) -> Mfcc:
    """The front end with what it fits to every `stride`-th training clip: the mean and deviation of each coefficient.

    scenes: with them, to an epoch's clips in scenes that are drawn by the seed, as they are heard in training. A kind
    that fits nothing is given as it is.
    """
    heard = _clips(data, stride) if scenes is None else _scenes(data, stride, kind(), scenes, seed)
    return torch_twin(kind()).fitted(heard)


def _clips(data: ClipData, stride: int) -> Iterator[Tensor]:
    """Batches (clips, samples) of every `stride`-th training clip."""
    rows = data.splits["train"].rows[::stride]
    yield from torch.from_numpy(from_int16(data.audio[rows])).split(BATCH)


def _scenes(data: ClipData, stride: int, frontend: FrontEnd, scenes: Scenes, seed: int) -> Iterator[Tensor]:
    """Batches (scenes, samples) of so many clips in scenes."""
    rng = np.random.default_rng([seed, 3])
    rows = data.epoch(rng).rows
    count = len(rows) // stride // scenes.chain
    maker = scenes.maker(data, frontend)
    chains = rows[: count * scenes.chain].reshape(count, scenes.chain)
    yield from torch.from_numpy(np.stack([maker.scene(chain, rng) for chain in chains])).split(BATCH)


def calibration_features(data: ClipData, frontend: Mfcc, clips: int = 512, seed: int = 0) -> Tensor:
    """Features of unvaried training clips in the training set's proportions: (clips, coefficients, frames)."""
    rng = np.random.default_rng([seed, 1])
    return Augmenter(data, frontend)(data.epoch(rng).rows[:clips], rng)


def features_as_heard(
    data: ClipData, frontend: FrontEnd, augmentation: Augmentation | Scenes, clips: int = 512, seed: int = 0
) -> Tensor:
    """Features to measure norms and ranges on, (clips, coefficients, frames), for what is trained with an augmentation:
    of clips in its scenes, or of unvaried ones.
    """
    if isinstance(augmentation, Scenes):
        return scene_features(data, frontend, augmentation, max(clips, augmentation.chain), seed)
    return calibration_features(data, frontend, clips, seed)


def scene_features(
    data: ClipData, frontend: Mfcc, scenes: Scenes, clips: int = 512, seed: int = 0, cut: bool = True
) -> Tensor:
    """Features of training clips in scenes: (clips, coefficients, frames), each cut out.

    clips: how many at most; as many are taken as fill whole scenes. cut: or else (clips / chain, coefficients, chain *
    frames), of whole scenes.
    """
    rng = np.random.default_rng([seed, 1])
    rows = data.epoch(rng).rows[:clips]
    features = scenes.maker(data, frontend)(rows[: len(rows) // scenes.chain * scenes.chain], rng)
    return features.unflatten(2, (scenes.chain, -1)).transpose(1, 2).flatten(0, 1) if cut else features
