"""What training does to samples: playing speed (Ko et al., Interspeech 2015).

torchaudio is imported here alone, and when it is first needed, since its compiled library loads only beside the torch
that it was built for. Where it does not load, soxr resamples.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import version
from types import ModuleType

import numpy as np
import soxr
import torch
from torch import Tensor

__all__ = ["at_speed", "play", "resampler"]

log = logging.getLogger(__name__)


def play(samples: Tensor, speed: float) -> Tensor:
    """(clips, samples) played at another speed, (clips, about samples / speed): 0.9 is longer and lower."""
    rates = round(100 * speed), 100
    functional = _torchaudio()
    if functional is not None:
        return functional.resample(samples, *rates)
    return torch.from_numpy(np.ascontiguousarray(soxr.resample(samples.numpy().T, *rates).T))


def at_speed(samples: Tensor, speed: float) -> Tensor:
    """`play` about the middle of each clip, cut or padded with silence to the same length."""
    if speed == 1:
        return samples
    played = play(samples, speed)
    missing = samples.shape[1] - played.shape[1]
    return torch.nn.functional.pad(played, (missing // 2, missing - missing // 2))


def resampler() -> str:
    """Who resamples in `play`: "torchaudio", or "soxr" where torchaudio is not installed or does not load."""
    return "soxr" if _torchaudio() is None else "torchaudio"


@cache
def _torchaudio() -> ModuleType | None:
    """torchaudio.functional, or None, which is logged once with the reason."""
    try:
        from torchaudio import functional
    except ModuleNotFoundError:
        log.info("torchaudio is not installed; soxr makes playing speeds")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        beside = f"torchaudio {version('torchaudio')} does not load beside torch {torch.__version__}"
        log.info("%s (%s); soxr makes playing speeds", beside, str(error).partition("\n")[0])
    else:
        return functional
    return None
