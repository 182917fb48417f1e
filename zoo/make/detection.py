"""How a model that was just made detects in a stream: settings for it, and what they reach."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from supernet.data.clips import ClipData
from supernet.frontend.base import FrontEnd
from supernet.integer.runtime import IntegerNetwork
from supernet.samples import from_int16
from zoo.make.trials import Trials
from zoo.package.detected import rounded_up
from zoo.run.alarms import hours_to_show
from zoo.run.along import answer_ms, logits_along
from zoo.run.conditions import unheard_noise
from zoo.run.detection import NEVER, Detection, Detector
from zoo.run.events import event_hop
from zoo.run.placed import CONDITIONS, Placed
from zoo.run.scores import IntegerScores

__all__ = ["MOST_WORDS", "choose_detection", "rights"]

MOST_WORDS = 1000
"""Clips that are placed in streams: more take minutes."""
SEED = 2021

log = logging.getLogger(__name__)


def choose_detection(
    network: IntegerNetwork, frontend: FrontEnd, scores: IntegerScores, data: ClipData, false_alarms: float
) -> dict:
    """Settings for at most `false_alarms` an hour on held-out negatives, and what they reach (see zoo.make.trials).

    Words are those of validation, between parts of these negatives, clean and in noise. Where no setting is quiet
    enough, the quietest is taken. The log says where the hours cannot show as few false alarms.
    """
    clip_ms = network.arch.frames * frontend.step_ms
    hop_ms = event_hop(clip_ms, answer_ms(network))
    samples = network.arch.frames * frontend.hop_samples
    held = [recording for recording in data.held_negatives if len(recording) >= samples]

    def heard(recording) -> np.ndarray:
        return scores(np.concatenate(list(logits_along(network, frontend, recording, hop_ms))))

    streams = {name: _placed(data, held, samples, name) for name in CONDITIONS} if held else {}
    spoken = {name: (heard(one.parts), one.words) for name, one in streams.items() if len(one.clips)}

    def detector_of(settings: Detection) -> Detector:
        return Detector(settings, data.labels, scores)

    trials = Trials(detector_of, Detection(hop_ms=hop_ms), clip_ms, [heard(one) for one in held], spoken, false_alarms)
    found = trials.figures()
    if found["false_alarms_upper"] > false_alarms:
        log.warning(
            "at most %g false alarms an hour are not shown: %d in %.2g hours of negatives bound the rate at %g (95 "
            "%%); not even none in less than %.3g hours would", false_alarms, found["alarms"], found["hours"],
            rounded_up(found["false_alarms_upper"]), hours_to_show(false_alarms) if false_alarms else float("inf"),
        )  # fmt: skip
    return found


def rights(targets: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """(clips, classes) whether an event of a class is right. targets: (clips,) classes, or (clips, classes) 0 or 1."""
    own = np.eye(len(labels), dtype=bool)[targets] if targets.ndim == 1 else targets > 0
    return own & np.array([label not in NEVER for label in labels])


def _placed(data: ClipData, held: Sequence[np.ndarray], samples: int, condition: str) -> Placed:
    """Validation clips with a class that can be detected."""
    split = data.splits["validation"]
    right = rights(split.targets, data.labels)
    spoken = np.flatnonzero(right.any(1))
    chosen = spoken[np.linspace(0, len(spoken) - 1, min(len(spoken), MOST_WORDS)).round().astype(int)]
    clips = [data.audio[row] for row in split.rows[chosen]]
    noise = unheard_noise([from_int16(item) for item in data.held_noise])
    return Placed(clips, right[chosen], held, noise, data.sampling_rate, samples, condition, SEED)
