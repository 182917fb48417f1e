"""Networks: one executor over `LayerSpec` lists, with floating-point weights and norms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.layer import LayerSpec, last_uses, layers
from supernet.nn.ops import Slice, float_layer, select_features, twin

__all__ = ["Layer", "MadeLayer", "Network", "execute", "recalibrate"]


class Layer(nn.Module):
    """The parameters of one layer, and its batch-norm statistics once they are calibrated (None before)."""

    def __init__(self, spec: LayerSpec, generator: torch.Generator | None = None) -> None:
        super().__init__()
        norm = twin(spec).norm
        channels = spec.out_shape[0]
        self._begin(spec, generator)
        self.gamma = nn.Parameter(torch.ones(channels)) if norm else None
        self.beta = nn.Parameter(torch.zeros(channels)) if norm else None
        self.bias = None if norm else nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", None)
        self.register_buffer("var", None)

    def _begin(self, spec: LayerSpec, generator: torch.Generator | None) -> None:
        weight = torch.empty(spec.weight_shape)
        nn.init.normal_(weight, std=twin(spec).initial_deviation(weight[0].numel()), generator=generator)
        self.weight = nn.Parameter(weight)

    def take(self, tensors: Slice) -> None:
        """Become the layer of a slice, whose parameters are copied."""
        for name, parameter in self.named_parameters():
            parameter.copy_(getattr(tensors, name))


class MadeLayer(Layer):
    """A layer whose weights are made of fewer parameters, `origin`, which begin at zero."""

    def _begin(self, spec: LayerSpec, generator: torch.Generator | None) -> None:
        self.spec, self.origin = spec, nn.Parameter(torch.zeros(twin(spec).origin_shape(spec)))

    @property
    def weight(self) -> Tensor:
        """As they are now; gradients flow back to `origin`."""
        return twin(self.spec).made(self.spec, self.origin)


def new_layer(spec: LayerSpec, generator: torch.Generator | None = None) -> Layer:
    """The parameters of a layer with weights, at random or where they begin."""
    return (MadeLayer if twin(spec).origin_shape(spec) else Layer)(spec, generator)


def execute(
    specs: tuple[LayerSpec, ...], x: Tensor, apply: Callable[[LayerSpec, list[Tensor]], Tensor], clips: int = 1
) -> Tensor:
    """Run the layers in order and return the last one's output.

    x: features (batch, coefficients, frames). apply: gives the output of one layer from those of its inputs. clips: of
    which x holds the frames in turn; the output is (batch * clips, ...), of each clip behind those before it. Where a
    layer looks ahead, each clip is heard by itself, since it would hear the one that follows.
    """
    if clips > 1 and not all(spec.causal for spec in specs):
        x, clips = x.unflatten(2, (clips, -1)).transpose(1, 2).flatten(0, 1), 1
    last, values = last_uses(specs), {}
    for number, spec in enumerate(specs):
        values[spec.name] = apply(spec, [values[name] for name in spec.inputs] or [select_features(x, spec, clips)])
        for name in spec.inputs:
            if last[name] == number:
                values.pop(name, None)
    return values[specs[-1].name]


class Network(nn.Module):
    """One network, built from its Arch.

    seed: of the initial weights. Call it with features (batch, coefficients, frames) of its own or of the full front
    end; it returns logits (batch, classes). Norms use the batch's statistics in training and before `recalibrate`.
    """

    def __init__(self, arch: Arch, seed: int = 0) -> None:
        super().__init__()
        self.arch = arch
        self.specs = layers(arch)
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleDict({spec.name: new_layer(spec, generator) for spec in self.specs if spec.has_weights})

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """(batch, coefficients, clips * frames) -> logits (batch * clips, classes), see `execute`."""
        return self.classify(self.embed(x, clips))

    def embed(self, x: Tensor, clips: int = 1) -> Tensor:
        """What the classifier reads of features, (batch * clips, channels, 1, 1)."""
        return execute(self.specs[:-1], x, self._run_layer, clips)

    def classify(self, embedding: Tensor) -> Tensor:
        """Logits (batch, classes) of what `embed` gives."""
        return self._run_layer(self.specs[-1], [embedding])

    def _run_layer(self, spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        return float_layer(spec, inputs, self.layers[spec.name] if spec.has_weights else None, self.training)


@torch.no_grad()
def recalibrate(network: Network, features: Tensor, clips: int = 1) -> Network:
    """Measure the batch-norm statistics of a network in one pass over `features` and keep them in it.

    features: (batch, coefficients, clips * frames) of training clips; some hundreds are enough. clips: how many follow
    one another in a row of the batch, as they do in a stream. Each layer sees the outputs of already calibrated ones.
    Without this a slice of a supernet is near chance.
    """

    def apply(spec: LayerSpec, inputs: list[Tensor]) -> Tensor:
        layer = network.layers[spec.name] if spec.has_weights else None
        if twin(spec).norm:
            products = twin(spec).products(spec, inputs, layer.weight)
            var, mean = torch.var_mean(products, (0, 2, 3), unbiased=False)
            layer.mean, layer.var = mean, var
        return float_layer(spec, inputs, layer, training=False)

    execute(network.specs, features, apply, clips)
    return network
