"""The NumPy runtime of integer networks: the truth that packages are held to. Exact at every width, clip and step.

Sums of products run in floating point only where every partial sum fits the mantissa; the rest is 64-bit integers.
"""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.errors import InvalidArch
from supernet.integer.form import IntegerForm
from supernet.layer import LayerSpec, last_uses
from supernet.ops.input import chosen

__all__ = ["IntegerNetwork"]

CACHED_VALUES = 2**17
"""Of a layer that are computed at a time: as many as caches hold."""
State = dict[str, np.ndarray]


class IntegerNetwork(IntegerForm):
    """A network of integers: features (batch, coefficients, frames) int8 -> logits (batch, classes) int16.

    `reset` and `step` answer in a stream, where nothing looks ahead. Raises InvalidModel as IntegerForm does.
    """

    def __init__(self, *form) -> None:
        super().__init__(*form)
        self._ready = {
            spec.name: spec.operator.prepare(spec, self.tensors[spec.name], self.reaches(spec))
            for spec in self.specs
            if spec.inputs
        }
        self._last = last_uses(self.specs)
        self._clips = max(1, CACHED_VALUES // max(prod(spec.out_shape) for spec in self.specs))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(batch, coefficients, frames) int8 -> (batch, classes) int16."""
        return self.run(features)[self.specs[-1].name].astype(np.int16)

    def run(self, features: np.ndarray, keep: bool = False) -> dict[str, np.ndarray]:
        """Stored integers (batch, channels, height, frames) of the last layer, or of all where `keep`, by name; int64.

        Logits are (batch, classes). Raises InvalidArch for features of another shape.
        """
        parts = [self._run(part, keep) for part in np.split(features, range(self._clips, len(features), self._clips))]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run(self, features: np.ndarray, keep: bool) -> dict[str, np.ndarray]:
        outputs: dict[str, np.ndarray] = {}
        values: dict[str, np.ndarray] = {}
        for number, spec in enumerate(self.specs):
            inputs = [values[name] for name in spec.inputs] or [self._features(features, spec)]
            values[spec.name] = self._held(spec, spec.operator.run(spec, self._ready.get(spec.name), inputs))
            if keep or number == len(self.specs) - 1:
                outputs[spec.name] = self._stored(spec, values[spec.name])
            for name in spec.inputs:
                if self._last[name] == number:
                    values.pop(name, None)
        return outputs

    def _held(self, spec: LayerSpec, found: np.ndarray) -> np.ndarray:
        """q - z within the limits of the layer, in float32: whole numbers that it cannot hold are beyond the limits."""
        values = found.astype(np.float32, copy=False)
        return np.clip(values, *map(np.float32, self.activations[spec.name].span(spec.rectified)), out=values)

    def _features(self, features: np.ndarray, spec: LayerSpec) -> np.ndarray:
        chosen = choose_features(features, spec)
        return chosen.astype(np.float32) - np.float32(self.activations[spec.name].zero_point)

    def _stored(self, spec: LayerSpec, values: np.ndarray) -> np.ndarray:
        stored = values.transpose(0, 3, 2, 1).astype(np.int64) + self.activations[spec.name].zero_point
        return stored[:, :, 0, 0] if spec.logits else stored

    def reset(self, batch: int = 1) -> State:
        """The state of a stream before its first frame. Raises InvalidArch where a layer looks ahead."""
        ahead = next((spec.name for spec in self.specs if not spec.causal), None)
        if ahead is not None:
            raise InvalidArch(f"layer {ahead} of family {self.arch.family} hears whole clips; it answers in no stream")
        kept = ((spec.name, spec.operator.reset(spec, batch)) for spec in self.specs)
        return {name: state for name, state in kept if state is not None}

    def step(self, features: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Logits (batch, answers, classes) int16 of frames that follow, and the state behind them.

        features: (batch, coefficients, any number of frames) int8, at the network's own step. There is an answer for
        each frame that reaches the average, on it and those before it; before a whole clip was heard, silence as the
        padding has it is averaged as well.
        """
        if not features.shape[2]:  # of small chunks, most complete no frame
            return np.zeros((len(features), 0, self.arch.classes), np.int16), state
        after, values = dict(state), {}
        for spec in self.specs:
            inputs = [values[name] for name in spec.inputs] or [self._frames(features, spec)]
            found, kept = spec.operator.step(spec, self._ready.get(spec.name), inputs, state.get(spec.name))
            values[spec.name] = self._held(spec, found)
            if kept is not None:
                after[spec.name] = kept
        last = self.specs[-1].name
        return (values[last][:, :, 0] + self.activations[last].zero_point).astype(np.int16), after

    def _frames(self, features: np.ndarray, spec: LayerSpec) -> np.ndarray:
        channels, height, _ = spec.out_shape
        maps = features.reshape(len(features), channels, height, -1).transpose(0, 3, 2, 1)
        return maps.astype(np.float32) - np.float32(self.activations[spec.name].zero_point)


def choose_features(features: np.ndarray, spec: LayerSpec) -> np.ndarray:
    """The features that an input layer reads, (batch, coefficients, frames) -> (batch, frames, height, channels).

    Raises InvalidArch for a map that it cannot read, as `supernet.ops.input.chosen` does.
    """
    read = features[:, *chosen(features.shape, spec)].reshape(len(features), *spec.out_shape)
    return np.ascontiguousarray(read.transpose(0, 3, 2, 1))
