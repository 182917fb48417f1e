"""Published keyword spotters, written anew from their publications, and their 8-bit form.

All read the features of Earshot's front ends, (batch, 40 coefficients, 100 frames of 10 ms), and take from them what
their publication reads: some coefficients, every second frame, or the log-mel map. Of MFCC the full cosine transform
gives back the map, and of log-mels it gives the coefficients (`reading`). `Store` marks each tensor that an integer
runtime would write to memory.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from supernet.frontend.logmel import LogMel
from supernet.frontend.mel import MelFrontEnd
from supernet.frontend.tables import cosine_transform
from supernet.quant.quantisers import within

__all__ = [
    "PEERS",
    "BcResNet",
    "Cut",
    "DsCnn",
    "MixedNet",
    "PlessNet",
    "TcResNet8",
    "flash_bytes",
    "forget_ranges",
    "macs",
    "measure_ranges",
    "reading",
    "to_8_bits",
]

PRODUCTS = (nn.Conv1d, nn.Conv2d, nn.Linear)
RESCALE_BYTES = 4 + 4 + 1
"""An int32 bias, an int32 multiplier and a shift, as in supernet.cost."""
PLESS_CELLS = {
    4: ((7, 2), (7, 2), (7, 2), (7, 1), (5, 1), (7, 1), (5, 1), (7, 1), *[(5, 1)] * 4),
    5: ((7, 2), (7, 1), (7, 1), (7, 1)),
}
"""Kernel and expansion of the blocks of `pless_sweep_mfcc20_NUMBER`."""


class Store(nn.Module):
    """The identity; once its range is set, it rounds to 8 bits, with the gradient of the identity up to its ends."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("range", None)
        self.watching = False

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape."""
        if self.watching:
            low, high = x.min().clamp(max=0.0), x.max().clamp(min=0.0)
            self.range = torch.stack([low, high]).detach()
        if self.range is None or self.watching:
            return x
        step = (self.range[1] - self.range[0]).clamp(min=1e-8) / 255
        zero = torch.round(-self.range[0] / step)
        inside = within(x, -zero * step, (255 - zero) * step)
        return inside + (torch.round(inside / step) * step - inside).detach()


class EightBits(nn.Module):
    """Weights rounded to -127 .. 127 steps, a step for each output channel, with the gradient of the identity."""

    def forward(self, weight: Tensor) -> Tensor:
        """weight: (out, ...)."""
        step = weight.detach().flatten(1).abs().amax(1).clamp(min=1e-8).view(-1, *[1] * (weight.ndim - 1)) / 127
        return weight + (torch.round(weight / step) * step - weight).detach()


@torch.no_grad()
def to_8_bits(network: nn.Module, features: Tensor) -> nn.Module:
    """Emulate 8 bits in a trained network, with the ranges that its tensors have on `features`; returns it."""
    for module in list(network.modules()):
        if isinstance(module, PRODUCTS):
            parametrize.register_parametrization(module, "weight", EightBits())
    measure_ranges(network, features)
    return network


def forget_ranges(network: nn.Module) -> None:
    """Leave all tensors unrounded until ranges are measured again."""
    for module in network.modules():
        if isinstance(module, Store):
            module.range = None


@torch.no_grad()
def measure_ranges(network: nn.Module, features: Tensor) -> None:
    """Set the ranges of all tensors to those that they have, unrounded, on `features`."""
    stores = [module for module in network.eval().modules() if isinstance(module, Store)]
    forget_ranges(network)
    for store in stores:
        store.watching = True
    network(features)
    for store in stores:
        store.watching = False


def macs(network: nn.Module) -> int:
    """Multiply-accumulates of one clip: those of its convolutions and linear layers."""
    counted = []

    def count(module: nn.Module, _, output: Tensor) -> None:
        counted.append(prod(module.weight.shape) * prod(output.shape[2:]))

    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, PRODUCTS)]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 40, 100))
    for hook in hooks:
        hook.remove()
    return sum(counted)


def flash_bytes(network: nn.Module) -> int:
    """Bytes at 8 bits: one a weight, RESCALE_BYTES for each output channel, and for each band of a norm in bands."""
    products = [module for module in network.modules() if isinstance(module, PRODUCTS)]
    bands = [module.norm.num_features for module in network.modules() if isinstance(module, SubSpectralNorm)]
    channels = sum(len(module.weight) for module in products) + sum(n - n // SubSpectralNorm.BANDS for n in bands)
    return sum(module.weight.numel() for module in products) + RESCALE_BYTES * channels


def conv_norm(*shape: int, kind: type = nn.Conv2d, **options) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    norm = nn.BatchNorm2d if kind is nn.Conv2d else nn.BatchNorm1d
    return nn.Sequential(kind(*shape, bias=False, **options), norm(shape[1]))


def conv_relu(*shape: int, kind: type = nn.Conv2d, relu: type = nn.ReLU, **options) -> nn.Sequential:
    """A convolution, its batch norm, a ReLU and the tensor that it writes."""
    return nn.Sequential(*conv_norm(*shape, kind=kind, **options), relu(), Store())


class DsCnn(nn.Module):
    """DS-CNN of MLPerf Tiny (Banbury et al., arXiv 2106.07597, after Zhang et al., arXiv 1711.07128).

    10 coefficients each 20 ms; 10 x 4 convolution to 64 channels at stride 2, four depthwise-separable blocks; dropout
    of 0.2 after the convolution and of 0.4 before the average.
    """

    def __init__(self, classes: int, frontend: MelFrontEnd) -> None:
        super().__init__()
        blocks = [conv_relu(1, 64, (10, 4), stride=2, padding=(4, 1)), nn.Dropout(0.2)]
        for _ in range(4):
            blocks += [conv_relu(64, 64, 3, padding=1, groups=64), conv_relu(64, 64, 1)]
        self.first, self.blocks, self.average = Store(), nn.Sequential(*blocks), Store()
        self.dropout, self.classifier = nn.Dropout(0.4), nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, 100) -> logits (batch, classes)."""
        x = self.first(x[:, :10, 1::2].transpose(1, 2)[:, None])
        return self.classifier(self.average(self.dropout(self.blocks(x)).mean((2, 3))))


class TcBlock(nn.Module):
    """Two temporal convolutions of 9 taps, the first at stride 2, and a 1 x 1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        temporal = {"kind": nn.Conv1d, "padding": 4}
        self.first = conv_relu(inputs, outputs, 9, stride=2, **temporal)
        self.second = nn.Sequential(*conv_norm(outputs, outputs, 9, **temporal), Store())
        self.shortcut = conv_relu(inputs, outputs, 1, stride=2, kind=nn.Conv1d)
        self.store = Store()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, frames) -> (batch, outputs, frames / 2)."""
        return self.store(F.relu(self.second(self.first(x)) + self.shortcut(x)))


class TcResNet8(nn.Module):
    """TC-ResNet8 (Choi et al., Interspeech 2019, arXiv 1904.03814): 40 coefficients as channels, each 10 ms."""

    def __init__(self, classes: int, frontend: MelFrontEnd) -> None:
        super().__init__()
        stem = conv_relu(40, 16, 3, padding=1, kind=nn.Conv1d)
        self.first, self.average = Store(), Store()
        self.blocks = nn.Sequential(stem, TcBlock(16, 24), TcBlock(24, 32), TcBlock(32, 48))
        self.dropout, self.classifier = nn.Dropout(0.5), nn.Linear(48, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, 100) -> logits (batch, classes)."""
        return self.classifier(self.dropout(self.average(self.blocks(self.first(x)).mean(2))))


class SubSpectralNorm(nn.Module):
    """Batch norm of five bands of frequencies apart (Chang et al., arXiv 2103.13620)."""

    BANDS = 5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * self.BANDS)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frequencies, frames), the same shape out."""
        batch, channels, frequencies, frames = x.shape
        bands = x.reshape(batch, channels * self.BANDS, frequencies // self.BANDS, frames)
        return self.norm(bands).reshape(x.shape)


class BcBlock(nn.Module):
    """A broadcasted residual block: x + f2(x) + f1(average of f2(x) over frequency), f1 over time alone.

    One that changes width or stride (a transition) leaves x out and begins with a 1 x 1 convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int, transition: bool) -> None:
        super().__init__()
        self.transition = transition
        self.enter = conv_relu(inputs, outputs, 1) if transition else nn.Identity()
        frequency = nn.Conv2d(outputs, outputs, (3, 1), (stride, 1), (1, 0), groups=outputs, bias=False)
        self.frequency = nn.Sequential(frequency, SubSpectralNorm(outputs), Store())
        over_time = {"padding": (0, dilation), "dilation": (1, dilation), "groups": outputs}
        self.time = nn.Sequential(
            *conv_norm(outputs, outputs, (1, 3), **over_time),
            nn.SiLU(),
            Store(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
            nn.Dropout2d(0.1),
            Store(),
        )
        self.average, self.store = Store(), Store()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, frequencies, frames) -> (batch, outputs, frequencies / stride, frames)."""
        local = self.frequency(self.enter(x))
        both = local + self.time(self.average(local.mean(2, keepdim=True)))
        return self.store(F.relu(both if self.transition else x + both))


class BcResNet(nn.Module):
    """BC-ResNet-`scale` (Kim et al., Interspeech 2021, arXiv 2106.04140): 40 log-mels each 10 ms."""

    STAGES = ((8, 2, 1, 1), (12, 2, 2, 2), (16, 4, 2, 4), (20, 4, 1, 8))
    """Width, blocks, stride over frequency and dilation over time."""

    def __init__(self, classes: int, frontend: MelFrontEnd, scale: int = 1) -> None:
        super().__init__()
        basis = torch.from_numpy(cosine_transform(40, frontend.mels).T.copy())
        basis = basis * torch.tensor(frontend.deviation or (1.0,) * 40)
        self.register_buffer("to_log_mel", basis if frontend.kind == "mfcc" else torch.eye(40))
        width = 16 * scale
        blocks = [conv_relu(1, width, 5, stride=(2, 1), padding=2)]
        for base, count, stride, dilation in self.STAGES:
            for index in range(count):
                wider = base * scale
                blocks.append(BcBlock(width, wider, stride if index == 0 else 1, dilation, index == 0))
                width = wider
        self.first, self.blocks = Store(), nn.Sequential(*blocks)
        self.gather = nn.Sequential(nn.Conv2d(width, width, 5, padding=(0, 2), groups=width, bias=False), Store())
        self.head, self.average = conv_relu(width, 32 * scale, 1), Store()
        self.classifier = nn.Linear(32 * scale, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, 100) -> logits (batch, classes)."""
        with torch.autocast(x.device.type, enabled=False):
            x = self.first((self.to_log_mel @ x.float())[:, None])
        x = self.head(self.gather(self.blocks(x)))
        return self.classifier(self.average(x.mean((2, 3))))


class PlessNet(nn.Module):
    """A network of Peter et al. (arXiv 2012.10138), `pless_sweep_mfcc20_NUMBER`: 20 coefficients each 20 ms.

    5 x 11 convolution to 72 channels at stride 2 in time, inverted bottlenecks, the first at stride 2, 144 channels at
    the end.
    """

    def __init__(self, classes: int, frontend: MelFrontEnd, number: int = 5) -> None:
        super().__init__()
        blocks = [conv_relu(1, 72, (5, 11), relu=nn.ReLU6, stride=(1, 2), padding=(2, 5))]
        for index, (kernel, expansion) in enumerate(PLESS_CELLS[number]):
            blocks.append(PlessBlock(kernel, expansion, 1 if index else 2))
        self.first, self.blocks = Store(), nn.Sequential(*blocks, conv_relu(72, 144, 1, relu=nn.ReLU6))
        self.average, self.classifier = Store(), nn.Linear(144, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, 100) -> logits (batch, classes)."""
        x = self.blocks(self.first(x[:, None, :20, 1::2]))
        return self.classifier(self.average(x.mean((2, 3))))


class PlessBlock(nn.Module):
    """Expand (left out where the expansion is 1), depthwise, project; residual where the stride is 1."""

    def __init__(self, kernel: int, expansion: int, stride: int, width: int = 72) -> None:
        super().__init__()
        inner = width * expansion
        parts = [conv_relu(width, inner, 1, relu=nn.ReLU6)] if expansion > 1 else []
        square = {"stride": stride, "padding": kernel // 2, "groups": inner}
        parts.append(conv_relu(inner, inner, kernel, relu=nn.ReLU6, **square))
        parts.append(conv_relu(inner, width, 1, relu=nn.ReLU6))
        self.parts, self.residual, self.store = nn.Sequential(*parts), stride == 1, Store()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, coefficients, frames)."""
        return self.store(x + self.parts(x)) if self.residual else self.parts(x)


class MixedNet(nn.Module):
    """In the manner of microWakeWord's MixedNet (K. Ahrendt, after Tan and Le, arXiv 1907.09595): 40 log-mels a frame.

    A convolution at stride 3, four blocks of depthwise taps of mixed lengths and a 1 x 1 convolution of 64 channels. An
    average over time stands for the ring of its last frames.
    """

    TAPS = ((5,), (7, 11), (9, 15), (23,))

    def __init__(self, classes: int, frontend: MelFrontEnd) -> None:
        super().__init__()
        widths, blocks = (32, 64, 64, 64), [conv_relu(40, 32, 5, stride=3, kind=nn.Conv1d, padding=2)]
        for width, taps in zip(widths, self.TAPS, strict=True):
            blocks += [MixedTaps(width, taps), conv_relu(width, 64, 1, kind=nn.Conv1d)]
        self.first, self.blocks = Store(), nn.Sequential(*blocks)
        self.average, self.classifier = Store(), nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, 100) -> logits (batch, classes)."""
        return self.classifier(self.average(self.blocks(self.first(x)).mean(2)))


class MixedTaps(nn.Module):
    """Depthwise convolutions over time, each of its length on an equal part of the channels."""

    def __init__(self, width: int, taps: tuple[int, ...]) -> None:
        super().__init__()
        own, self.store = width // len(taps), Store()
        self.parts = nn.ModuleList(
            nn.Conv1d(own, own, count, padding=count // 2, groups=own, bias=False) for count in taps
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, frames), the same shape out."""
        parts = x.chunk(len(self.parts), 1)
        return self.store(torch.cat([own(part) for own, part in zip(self.parts, parts, strict=True)], 1))


class Cepstra(nn.Module):
    """MFCC of log-mels, each with mean 0 and deviation 1 over `features` (clips, 40, frames)."""

    def __init__(self, frontend: LogMel, features: Tensor) -> None:
        super().__init__()
        basis = torch.from_numpy(cosine_transform(40, frontend.mels).copy())
        self.register_buffer("basis", basis * torch.tensor(frontend.deviation or (1.0,) * 40))
        deviation, mean = torch.std_mean(self.basis @ features, (0, 2))
        self.register_buffer("scale", (1 / deviation)[:, None])
        self.register_buffer("mean", mean[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, frames), the same shape out."""
        with torch.autocast(x.device.type, enabled=False):
            return (self.basis @ x.float() - self.mean) * self.scale


class Cut(nn.Module):
    """A network that hears a clip at a time, of scenes that hold several in turn."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, clips: int = 1) -> Tensor:
        """(scenes, coefficients, clips * frames) -> logits (scenes * clips, classes)."""
        return self.network(x.unflatten(2, (clips, -1)).transpose(1, 2).flatten(0, 1))


PEERS = {
    "bc-resnet-1": BcResNet,
    "bc-resnet-2": lambda classes, frontend: BcResNet(classes, frontend, 2),
    "ds-cnn": DsCnn,
    "tc-resnet8": TcResNet8,
    "pless-mfcc20-4": lambda classes, frontend: PlessNet(classes, frontend, 4),
    "pless-mfcc20-5": PlessNet,
    "mixednet": MixedNet,
}
ON_LOG_MELS = ("bc-resnet-1", "bc-resnet-2", "mixednet")


def reading(name: str, classes: int, frontend: LogMel, features: Tensor) -> nn.Module:
    """One of PEERS on log-mels; what was published on MFCC transforms them, by the norms of `features`."""
    network = PEERS[name](classes, frontend)
    return network if name in ON_LOG_MELS else nn.Sequential(Cepstra(frontend, features), network)
