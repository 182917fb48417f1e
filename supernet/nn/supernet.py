"""The supernet: the largest network of a space, whose slices are all others.

Slices are taken by `slice_layer`, the one function behind both `supernet(x, arch)` and `supernet.extract(arch)`, so
both give the same numbers. Weight sharing after Once-for-All (Cai et al., ICLR 2020, arXiv 1908.09791).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.errors import InvalidArch
from supernet.layer import LayerSpec, layers
from supernet.nn.network import Layer, Network, execute, recalibrate
from supernet.nn.ops import Slice, float_layer, twin
from supernet.space import Space

__all__ = ["Supernet", "slice_layer"]


def slice_layer(tensors: Layer | Slice, spec: LayerSpec) -> Slice:
    """The part of a supernet's layer that a sub-network's layer uses.

    The first channels, and of the kernel the taps that LayerSpec describes: over frequency those in the middle.
    Contiguous, so that the arithmetic that follows does not depend on the supernet's size.
    """
    own, outputs = twin(spec), spec.out_shape[0]
    made = own.origin_shape(spec) is not None
    part = own.slice(spec, tensors.origin if made else tensors.weight).contiguous()
    first_channels = (None if item is None else item[:outputs] for item in (tensors.gamma, tensors.beta))
    bias = None if tensors.bias is None else tensors.bias[:outputs]
    return Slice(own.made(spec, part), *first_channels, None, None, bias, part if made else None)


class Supernet(nn.Module):
    """A weight-sharing network over a Space.

    `supernet(x, arch)` runs a sub-network in place; `supernet.extract(arch)` gives it as a Network of its own, with
    the same numbers, bit for bit at equal batch size. In training both normalise with the batch's statistics. In
    evaluation they use the statistics of that sub-network over `calibration`, measured when first needed; without
    calibration features, the batch's own.

    calibration: (clips, coefficients, frames) features of training clips.
    """

    def __init__(self, space: Space, calibration: Tensor | None = None, seed: int = 0) -> None:
        super().__init__()
        self.space = space
        self.register_buffer("calibration", calibration, persistent=False)
        self.network = Network(space.largest(), seed)
        self._statistics: dict[str, Mapping[str, tuple[Tensor, Tensor]]] = {}
        self._version = 0

    def forward(self, x: Tensor, arch: Arch, clips: int = 1) -> Tensor:
        """Logits (batch, classes) of the sub-network `arch` for features x (batch, coefficients, frames).

        Of several clips in turn, (batch, coefficients, clips * frames), logits are (batch * clips, classes).
        """
        specs = self.layers_of(arch)
        statistics = {} if self.training else self.statistics(arch)

        def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
            tensors = self.slice(spec) if spec.has_weights else None
            if spec.name in statistics:
                mean, var = statistics[spec.name]
                tensors = tensors._replace(mean=mean, var=var)
            return float_layer(spec, inputs, tensors, self.training)

        return execute(specs, x, apply, clips)

    def statistics(self, arch: Arch) -> Mapping[str, tuple[Tensor, Tensor]]:
        """Mean and variance of each norm of a sub-network over the calibration features; empty without them.

        They are measured once for each network and version of the weights.
        """
        if self.calibration is None:
            return {}
        version = sum(parameter._version for parameter in self.parameters())
        if version != self._version:
            self._statistics.clear()
            self._version = version
        key = arch.without_bits().digest
        if key not in self._statistics:
            network = recalibrate(self.slices(arch), self.calibration)
            norms = {name: layer for name, layer in network.layers.items() if layer.mean is not None}
            self._statistics[key] = {name: (layer.mean, layer.var) for name, layer in norms.items()}
        return self._statistics[key]

    @torch.no_grad()
    def extract(self, arch: Arch, calibration: Tensor | None = None) -> Network:
        """The sub-network as a Network of its own, recalibrated in this call, in the supernet's mode.

        calibration: features to measure the norms on instead of the supernet's own.
        Raises InvalidArch for an Arch outside the space.
        """
        network = self.slices(arch)
        if calibration is not None:
            recalibrate(network, calibration)
        elif not self.training:
            for name, (mean, var) in self.statistics(arch).items():
                network.layers[name].mean, network.layers[name].var = mean.clone(), var.clone()
        return network.train(self.training)

    @torch.no_grad()
    def slices(self, arch: Arch) -> Network:
        """The sub-network as a Network of its own, before any recalibration. Raises InvalidArch."""
        network = Network(arch)
        for spec in self.layers_of(arch):
            if spec.has_weights:
                network.layers[spec.name].take(self.slice(spec))
        return network.to(next(self.parameters()).device)

    def slice(self, spec: LayerSpec) -> Slice:
        """What a sub-network's layer uses of the largest network's."""
        return slice_layer(self.network.layers[spec.name], spec)

    def layers_of(self, arch: Arch) -> tuple[LayerSpec, ...]:
        """The layers of a sub-network. Raises InvalidArch for an Arch outside the space."""
        if arch not in self.space:
            raise InvalidArch(
                f"the network {arch.digest[:12]} is not in the supernet's space; draw from supernet.space"
            )
        return layers(arch)
