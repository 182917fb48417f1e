"""How far what another runtime answers agrees with the integers of a package: counted, never assumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from zoo.export.sounds import Sounds

__all__ = ["CLIP", "STREAM", "Agreement", "Runner", "agreement", "compared"]

CLIP, STREAM = "clip", "stream"


def _same(logits: np.ndarray) -> np.ndarray:
    return logits


@dataclass(frozen=True)
class Runner:
    """A written form in a runtime.

    runtime: its name and version. form: `clip` or `stream`. logits: from features (coefficients, frames) int8, of one
    clip or of a stream from its beginning, to (answers, classes) whole numbers, one answer of a clip. own: the logits
    (answers, classes) of the package, int16, in steps of what `logits` gives, where those are others. labels: of what
    `logits` gives to (answers, labels), instead of the class with the largest.
    """

    runtime: str
    form: str
    logits: Callable[[np.ndarray], np.ndarray]
    own: Callable[[np.ndarray], np.ndarray] = _same
    labels: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Agreement:
    """What was compared, and how far it agrees.

    sounds: what was heard. answers: how many were compared. same_labels: of these, with the same label; where a clip
    may have several, with the same ones. outputs: single values of all answers; identical and within_one: of these,
    equal and at most one of their own steps apart. largest: distance in such steps. structure_bytes, stack_bytes: of
    the state, and of the stack of a call. None where that is not known.
    """

    runtime: str
    form: str
    sounds: str
    answers: int
    same_labels: int | None
    outputs: int
    identical: int
    within_one: int | None
    largest: int | None
    structure_bytes: int | None = None
    stack_bytes: int | None = None

    def to_dict(self) -> dict:
        """Plain values for JSON, with the shares of answers and outputs."""
        labels, one = self.same_labels, self.within_one
        return {
            **asdict(self),
            "label_share": None if labels is None else labels / self.answers,
            "identical_share": self.identical / self.outputs,
            "within_one_share": None if one is None else one / self.outputs,
        }

    def __str__(self) -> str:
        head, sizes = f"{self.runtime}, {self.form}, {self.sounds}: {self.answers:,} answers", self._sizes
        if self.identical == self.outputs:
            return f"{head}, all identical{sizes}"
        if self.same_labels is None:
            return f"{head}, {self.identical:,} identical{sizes}"
        return (
            f"{head}, {_share(self.same_labels, self.answers)} with equal labels; of {self.outputs:,} outputs "
            f"{_share(self.identical, self.outputs)} identical, {_share(self.within_one, self.outputs)} at most one "
            f"step apart, the largest distance {self.largest:,} steps{sizes}"
        )

    @property
    def _sizes(self) -> str:
        if self.structure_bytes is None or self.stack_bytes is None:
            return ""
        return f"; structure {self.structure_bytes:,} bytes, stack of a call {self.stack_bytes:,}"


def agreement(model, runner: Runner, sounds: Sounds) -> Agreement:
    """A runner beside the package on sounds."""
    pairs = [pair for features in sounds for pair in _pairs(model, runner, features)]
    return compared(runner, sounds.what, pairs, model.multi_label)


def compared(runner: Runner, what: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]], several: bool) -> Agreement:
    """Of (expected, found) logits (answers, classes), in the runner's steps. several: whether each may have labels of
    its own.
    """
    expected, found = (np.concatenate(some).astype(np.int64) for some in zip(*pairs, strict=True))
    labels = runner.labels or partial(_labels, several=several)
    apart, same = np.abs(found - expected), (labels(expected) == labels(found)).all(1)
    return Agreement(
        runner.runtime, runner.form, what, len(expected), int(same.sum()), expected.size,
        int((apart == 0).sum()), int((apart <= 1).sum()), int(apart.max()),
    )  # fmt: skip


def _pairs(model, runner: Runner, features: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is expected and found of the features (coefficients, frames) of one recording."""
    if runner.form == STREAM:
        logits, _ = model.network.step(features[None], model.network.reset())
        return [(runner.own(logits[0]), runner.logits(features))]
    clips = features.reshape(len(features), -1, model.arch.frames).swapaxes(0, 1)
    return list(zip(runner.own(model.logits(clips))[:, None], map(runner.logits, clips), strict=True))


def _labels(logits: np.ndarray, several: bool) -> np.ndarray:
    return logits > 0 if several else logits.argmax(1)[:, None]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.4g} %"
