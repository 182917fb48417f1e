"""Integer networks in torch, for training on all its threads. The same integers as those of the NumPy runtime."""

from __future__ import annotations

import torch
from torch import Tensor

from supernet.integer.form import IntegerForm
from supernet.layer import LayerSpec
from supernet.nn.network import execute
from supernet.nn.ops import twin

__all__ = ["TorchIntegers"]


class TorchIntegers:
    """The integers of an IntegerForm: features (batch, coefficients, frames) int8 -> logits (batch, classes) int16."""

    def __init__(self, form: IntegerForm) -> None:
        self.form = form
        self._ready = {spec.name: self._prepare(spec) for spec in form.specs if spec.inputs}

    @torch.no_grad()
    def __call__(self, features: Tensor) -> Tensor:
        """(batch, coefficients, frames) int8 -> (batch, classes) int16."""
        with torch.autocast(features.device.type, enabled=False):
            values = execute(self.form.specs, features, self._run_layer)
        last = self.form.specs[-1].name
        return (values + self.form.activations[last].zero_point).to(torch.int16)

    def _run_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        """q - z of a layer from those of its inputs: whole numbers in float32, as convolutions take them."""
        output = self.form.activations[spec.name]
        if not spec.inputs:
            return inputs[0].to(torch.float32) - output.zero_point
        weight, multipliers, constant, shift = self._ready[spec.name]
        kind = torch.float64 if weight is None else weight.dtype
        totals = twin(spec).totals(spec, [x.to(kind) for x in inputs], weight)
        wide = sum(total.to(torch.int64).mul_(item) for total, item in zip(totals, multipliers, strict=True))
        wide.add_(constant).bitwise_right_shift_(shift)
        return wide.clamp_(*output.span(spec.rectified)).to(torch.float32)

    def _prepare(self, spec: LayerSpec) -> tuple[Tensor | None, list[Tensor], Tensor, Tensor]:
        """Weights in a type in which their sums are exact, multipliers of the sums, what is added, and the shift."""
        layer = self.form.tensors[spec.name]
        ready = spec.operator.prepare(spec, layer, self.form.reaches(spec))
        multiplier, shift = (torch.from_numpy(ready[name]) for name in ("multiplier", "shift"))
        if not spec.has_weights:
            fixed = torch.from_numpy(ready["weight"]) if "weight" in ready else None
            return fixed, list(multiplier), 1 << (shift - 1), shift
        spread, weight = twin(spec).spread, torch.from_numpy(layer.weight.astype(ready["weight"].dtype))
        return weight, [spread(multiplier)], spread(torch.from_numpy(ready["constant"])), spread(shift)
