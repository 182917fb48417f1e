"""A model along a recording of any length: its logits at every hop, and no more than a part of it in memory.

A network that hears only its past computes each frame once, in a stream, wherever the hop is a multiple of its answers;
one that looks ahead, and any at another hop, hears windows of one clip. The first answer is on the first clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from supernet.frontend.base import FrontEnd
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import parts
from supernet.memory import answer_frames
from supernet.samples import as_int16
from zoo.run.causal import streams
from zoo.run.compiled import answers
from zoo.run.parts import Parts, parts_of
from zoo.run.stream import Stream

__all__ = ["answer_ms", "clip_windows", "logits_along", "shown"]

BATCH = 256
"""Windows that a network takes at most at a time, and answers of recordings that a bar is shown of."""


def answer_ms(network: IntegerNetwork) -> int:
    """Time from one answer of a stream to the next; of a network that looks ahead, from one window to the next."""
    arch = network.arch
    return round(arch.frames / _answers(network)) * arch.features.step_ms if streams(network) else arch.features.step_ms


def _answers(network: IntegerNetwork) -> int:
    """In a clip."""
    return answer_frames(parts(network.arch))


def logits_along(network: IntegerNetwork, frontend: FrontEnd, recording: Parts, hop_ms: int) -> Iterator[np.ndarray]:
    """Logits (answers, classes) int16 of a recording, one each `hop_ms`, a multiple of the front end's step.

    recording: (samples,) int16, or float32 from -1 to 1, or an iterable of such parts of it, of which no more than one
    is in memory.
    """
    clip_ms = network.arch.frames * network.arch.features.step_ms
    if streams(network) and hop_ms % answer_ms(network) == 0 and clip_ms % answer_ms(network) == 0:
        return _stream_logits(network, frontend, recording, hop_ms // answer_ms(network))
    return (network(windows) for windows in clip_windows(frontend, network.arch.frames, recording, hop_ms))


def _stream_logits(network: IntegerNetwork, frontend: FrontEnd, recording: Parts, every: int) -> Iterator[np.ndarray]:
    """Every so many answers of a stream, from that on the first whole clip on."""
    skipped = _answers(network) - 1
    for logits in answers(Stream(frontend, network), parts_of(recording)):
        yield logits[skipped::every]
        skipped = (skipped - len(logits)) % every if skipped < len(logits) else skipped - len(logits)


def clip_windows(frontend: FrontEnd, frames: int, recording: Parts, hop_ms: int) -> Iterator[np.ndarray]:
    """Quantised features (windows, coefficients, frames) int8 of the windows that each part of a recording completes, a
    batch at a time.

    Frames hear what came before them: they are those of the whole recording.
    """
    hop, state, skipped = hop_ms // frontend.step_ms, frontend.reset(), 0
    features = np.zeros((frontend.coefficients, 0), np.int8)
    for part in parts_of(recording):
        new, state = frontend.step(as_int16(part), state)
        features = np.concatenate([features, new], 1)
        first = min(skipped, features.shape[1])
        features, skipped = features[:, first:], skipped - first
        count = max(0, (features.shape[1] - frames) // hop + 1)
        for start in range(0, count, BATCH):
            some = features[:, start * hop : (min(start + BATCH, count) - 1) * hop + frames]
            yield np.lib.stride_tricks.sliding_window_view(some, frames, 1)[:, ::hop].transpose(1, 0, 2)
        skipped += count * hop


def shown(parts: Iterable[np.ndarray], hop_ms: int, progress: bool, seconds: float) -> Iterator[np.ndarray]:
    """The same logits; with a bar on a terminal, where they are of a long recording.

    progress: whether there may be one. seconds: about how long the recording is.
    """
    from tqdm import tqdm

    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of sound [{elapsed}<{remaining}]"
    hidden = None if progress and seconds * 1000 > BATCH * hop_ms else True
    with tqdm(desc="hearing", total=seconds, disable=hidden, leave=False, bar_format=form) as bar:
        for logits in parts:
            yield logits
            bar.update(len(logits) * hop_ms / 1000)
