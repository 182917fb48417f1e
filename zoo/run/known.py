"""Which clips a model was made with: short digests of their samples by split, in its `config.json`.

They tell a recording that training heard from a new one, wherever it lies and whatever it is called, and say nothing of
what is in it. A model of more than MOST_CLIPS clips has none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supernet.constants import UNKNOWN
from supernet.data.survey import SPLITS
from supernet.errors import InvalidAudio, InvalidData
from supernet.files import read_json
from zoo.package.read import CONFIG
from zoo.run.base import Hearing
from zoo.run.hear import read_sound

__all__ = ["Known", "digests_text", "notes_of_training", "notes_of_unknown", "own_split", "splits_known"]

CLIPS = "clips"
"""The key below `training`."""
MOST_CLIPS, BYTES = 20_000, 5
SILENT = np.zeros(0, np.int16)
SHARE = 0.05
"""How far the share of the unknown class may be from that of the card's test before that is told."""


def digests_text(splits: Mapping[str, Iterable[np.ndarray]]) -> dict[str, dict[str, str]]:
    """What `training` states of the clips (samples,) int16 of each split: {"clips": {"train": ..., ...}}.

    Nothing where they are more than MOST_CLIPS.
    """
    found = {name: {_digest(clip) for clip in clips} - {_digest(SILENT)} for name, clips in splits.items()}
    if sum(map(len, found.values())) > MOST_CLIPS:
        return {}
    return {CLIPS: {name: base64.b64encode(b"".join(sorted(own))).decode() for name, own in found.items()}}


def _digest(clip: np.ndarray) -> bytes:
    """Of a clip, whatever silence follows it."""
    return hashlib.sha256(np.trim_zeros(clip, "b").astype("<i2").tobytes()).digest()[:BYTES]


@dataclass(frozen=True)
class Known:
    """Digests of the clips of each split; empty where a model states none."""

    splits: Mapping[str, frozenset[bytes]]

    @classmethod
    def of(cls, training: Any) -> Known:
        """Those that the `training` of a package or a supernet states."""
        stated = training.get(CLIPS) if isinstance(training, Mapping) else None
        stated = stated if isinstance(stated, Mapping) else {}
        return cls({name: found for name in SPLITS if (found := _digests(stated.get(name)))})

    def __bool__(self) -> bool:
        return bool(self.splits)

    def split_of(self, samples: np.ndarray, clip_samples: int) -> str | None:
        """The split of a recording (samples,) int16, cut into clips as in training; None for one that is not known."""
        from supernet.data.clips import cut_clips

        found = {_digest(clip) for clip in cut_clips(samples, clip_samples)} - {_digest(SILENT)}
        return next((name for name, own in self.splits.items() if own & found), None)


def _digests(text: Any) -> frozenset[bytes]:
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return frozenset()
    whole = len(data) - len(data) % BYTES
    return frozenset(data[place : place + BYTES] for place in range(0, whole, BYTES))


def splits_known(model: Hearing, files: Iterable[Path], resample: bool, channel: int | None = None) -> dict[Path, str]:
    """Of recordings that a model was made with, the split that each was in. channel: which was heard of each."""
    from supernet.data.audio import to_int16

    known, found = Known.of(_config(model)["training"]), {}
    for path in files if known else ():
        try:
            samples = to_int16(read_sound(path, None, model.sampling_rate, resample, channel=channel).samples)
        except InvalidAudio:  # left out where it is heard
            continue
        split = known.split_of(samples, model.clip_samples)
        if split:
            found[path] = split
    return found


def own_split(known: Mapping[Path, str], split: str, targets: dict[Path, int]) -> dict[Path, int]:
    """Those recordings that were of a split when the model was made. known: as `splits_known` gives them.

    Raises InvalidData where there are none.
    """
    found = {path: target for path, target in targets.items() if known.get(path) == split}
    if not found:
        raise InvalidData(
            f"split = {split!r}: none of the {len(targets):,} recordings was of it when the model was made"
        )
    return found


def notes_of_training(known: Mapping[Path, str], split: str | None, targets: Iterable[Path]) -> list[str]:
    """What is to be said where a model was made with some of the recordings."""
    places = [known.get(path) for path in targets]
    heard, chose = places.count("train"), places.count("validation")
    if heard:
        how = "" if split else "; --split test takes those that neither trained nor chose it"
        return [f"warning: {heard:,} of {len(places):,} recordings were heard in training, so this flatters{how}"]
    if chose and split != "validation":
        return [f"warning: {chose:,} of {len(places):,} recordings are of validation, by which the model was chosen"]
    return []


def notes_of_unknown(model: Hearing, matrix: np.ndarray) -> list[str]:
    """What is to be said where the unknown class has another share of the clips than in the card's test.

    matrix: clips (classes, classes), rows are the truth.
    """
    from supernet.metrics import accuracy_interval

    stated = _config(model)["accuracy"].get("test", {}).get("confusion")
    if stated is None or model.words or UNKNOWN not in model.labels:
        return []
    place, own, card = model.labels.index(UNKNOWN), matrix.sum(1), np.array(stated).sum(1)
    share, of_card = own[place] / own.sum(), card[place] / card.sum()
    low, high = accuracy_interval(share, int(own.sum()))
    if abs(share - of_card) < SHARE or low <= of_card <= high:
        return []
    told = f"{UNKNOWN} is {share:.0%} of these clips, and {of_card:.0%} of the card's test, where it is drawn otherwise"
    there = (own > 0) & (card > 0)
    recall = matrix.diagonal()[there] / own[there]
    alike = f"; by the card's shares of these classes the accuracy is {np.average(recall, weights=card[there]):.2%}"
    return [told + alike * bool(there.any())]


def _config(model: Hearing) -> dict:
    return read_json(model.path / CONFIG)
