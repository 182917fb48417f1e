"""One word of a model as one output: a logistic function of how far its logit is above all others.

    output = 256 / (1 + exp(-(slope distance + offset)))    distance: the word's logit less the largest other one

With slope 1 and offset 0 that is nearly the word's score in the package, of which the softmax counts all other labels.
Both are fitted to recordings where there are some, by Platt's method (1999), whose targets keep off 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import InvalidQuery
from supernet.layer import LayerSpec
from zoo.export.tflite.build import Written
from zoo.export.tflite.graph import Tensor
from zoo.export.tflite.scales import weight_scales
from zoo.run.detection import NEVER

__all__ = ["Head", "fit", "word_of"]

REACH, WIDE = 8.0, 127
"""How far a logistic function is told apart from 0 and 1 in 8 bits, and the largest integer of them."""
SLOPES = (0.1, 10.0)
STEPS = 100
PLAIN = {
    "StrideH": 1,
    "StrideW": 1,
    "Padding": ("Padding", "VALID"),
    "FusedActivationFunction": ("ActivationFunctionType", "NONE"),
}


@dataclass(frozen=True)
class Head:
    """Of the label with a number. others: those that it must be above; none where a clip may have several labels."""

    label: int
    others: tuple[int, ...]
    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def from_report(cls, report: dict) -> Head:
        """That of an exported folder."""
        return cls(**{**report["head"], "others": tuple(report["head"]["others"])})

    def distances(self, logits: np.ndarray, scale: float) -> np.ndarray:
        """(answers,) of logits (answers, classes) int16."""
        own = logits[:, self.label].astype(np.float64)
        return scale * (own - logits[:, list(self.others)].max(1) if self.others else own)

    def outputs(self, logits: np.ndarray, scale: float) -> np.ndarray:
        """(answers,) uint8 of the package's logits: what the file is a copy of."""
        score = 1 / (1 + np.exp(-(self.slope * self.distances(logits, scale) + self.offset)))
        return np.minimum(np.floor(256 * score + 0.5), 255).astype(np.uint8)

    def write(self, written: Written, spec: LayerSpec) -> Tensor:
        """Append the nodes behind what the last layer reads; gives the output (1, 1) uint8."""
        x, rows = written.values[spec.inputs[0]], _Rows(written, spec)
        if len(self.others) < 2:
            weight, bias = rows.of(self.label)
            less = rows.of(self.others[0]) if self.others else (0.0, 0.0)
            z = _product(
                written, x, self.slope * (weight - less[0])[None], [self.slope * (bias - less[1]) + self.offset], REACH
            )
        else:
            z = self._above_all(written, x, rows)
        z = written.reshape(z, (1, 1))
        score = written.main.add("LOGISTIC", (z,), Tensor((1, 1), "int8", np.array([1 / 256], np.float32), -128))
        return written.quantise(score, "uint8", score.scale, 0, "output")

    def _above_all(self, written: Written, x: Tensor, rows: _Rows) -> Tensor:
        own = rows.of(self.label)
        differences = [[a - b for a, b in zip(rows.of(other), own, strict=True)] for other in self.others]
        weights, biases = np.stack([one[0] for one in differences]), [one[1] for one in differences]
        found = _product(written, x, weights, biases, (REACH + abs(self.offset)) / self.slope)
        apart = written.reshape(found, (1, 1, len(self.others), 1))
        nearest = Tensor((1, 1, 1, 1), "int8", apart.scale)
        options = {"FilterHeight": 1, "FilterWidth": len(self.others), **PLAIN}
        written.main.add("MAX_POOL_2D", (apart,), nearest, **options)
        return _product(written, nearest, np.array([[-self.slope * float(nearest.step)]]), [self.offset], REACH)


class _Rows:
    """Real weights and biases of the last layer, by class, of whole numbers that it reads."""

    def __init__(self, written: Written, spec: LayerSpec) -> None:
        layer, scale = written.network.tensors[spec.name], written.network.activations[spec.name].scale
        self.real = scale * layer.multiplier * np.exp2(-layer.shift.astype(np.float64))
        self.weight, self.bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)

    def of(self, label: int) -> tuple[np.ndarray, float]:
        return self.real[label] * self.weight[label], self.real[label] * self.bias[label]


def _product(written: Written, x: Tensor, weights: np.ndarray, biases: Sequence[float], reach: float) -> Tensor:
    """A CONV_2D of one place with real weights (outputs, inputs) of whole numbers, to +-reach in 8 bits."""
    out = Tensor((1, 1, 1, len(weights)), "int8", np.array([reach / WIDE], np.float32))
    step = np.maximum(np.abs(weights).max(1), 1e-12) / WIDE
    scale = weight_scales(step / np.float64(out.step), x.step, out.step)
    data = np.floor(weights / step[:, None] + 0.5).astype(np.int8).reshape(len(weights), 1, 1, -1)
    steps = (scale.astype(np.float64) * np.float64(x.step)).astype(np.float32)
    bias = Tensor((len(weights),), "int32", steps, 0, "", np.floor(np.array(biases) / step + 0.5).astype(np.int32))
    options = {**PLAIN, "DilationHFactor": 1, "DilationWFactor": 1}
    return written.main.add("CONV_2D", (x, Tensor(data.shape, "int8", scale, 0, "", data), bias), out, **options)


def word_of(knows: Sequence[str], labels: Sequence[str], word: str, several: bool) -> Head:
    """The head of a word as it is without recordings; of a model with one word that one, where none is named.

    knows: the label of each logit. labels: those that the model answers with. Raises InvalidQuery.
    """
    words = [label for label in labels if label not in NEVER]
    if not words:
        raise InvalidQuery("the model knows no word to wake by: give one that does, or use --to tflite")
    if not word and len(words) > 1:
        raise InvalidQuery(f"word is missing: ESPHome listens for one; give one of {', '.join(words)}")
    chosen = word or words[0]
    if chosen not in words:
        raise InvalidQuery(f"word = {chosen!r:.80} is not possible: the model knows {', '.join(words)}")
    number = list(knows).index(chosen)
    return Head(number, () if several else tuple(one for one in range(len(knows)) if one != number))


def fit(distances: np.ndarray, is_word: np.ndarray) -> tuple[float, float]:
    """Slope and offset of a logistic function that tells the word's recordings by their distances. Newton's method."""
    count = np.array([(~is_word).sum(), is_word.sum()])
    targets = np.where(is_word, (count[1] + 1) / (count[1] + 2), 1 / (count[0] + 2))
    values, found = np.stack([distances, np.ones(len(distances))]), np.array([1.0, 0.0])
    for _ in range(STEPS):
        score = 1 / (1 + np.exp(-np.clip(found @ values, -50, 50)))
        bent = (values * (score * (1 - score))) @ values.T + 1e-6 * np.eye(2)
        move = np.linalg.solve(bent, values @ (targets - score))
        found = found + move / max(1.0, np.abs(move).max())
    slope = float(np.clip(found[0], *SLOPES))
    return slope, float(found[1] * slope / found[0]) if found[0] > 0 else 0.0
