"""Runners of this machine: our exact integers, and PyTorch in floating point. Weights are random; time hangs on shapes.

More join by the same two names: a C program on a board, ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch

from predictors.measure import Runner
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.layer import layers
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network, recalibrate
from supernet.quant.fake import FakeQuantNetwork

__all__ = ["RUNNERS", "Eager", "Integers"]

CALIBRATION_CLIPS = 4


class Eager:
    """The float network in PyTorch, one thread."""

    runtime = "PyTorch eager"

    @cached_property
    def version(self) -> str:
        """Of PyTorch."""
        return torch.__version__

    def as_run(self, arch: Arch) -> Arch:
        """In floating point."""
        return arch.without_bits()

    def prepare(self, arch: Arch) -> Callable[[], None]:
        """One answer on random features."""
        network = recalibrate(Network(arch.without_bits()), _features(arch, CALIBRATION_CLIPS)).eval()
        return _call(network, _features(arch, 1))


class Integers:
    """Our integers in PyTorch, at 8 bits, one thread."""

    runtime = "Earshot integers"

    @cached_property
    def version(self) -> str:
        """Of PyTorch, through which it computes."""
        return f"torch {torch.__version__}"

    def as_run(self, arch: Arch) -> Arch:
        """At 8 bits."""
        return with_bits(arch.without_bits(), 8)

    def prepare(self, arch: Arch) -> Callable[[], None]:
        """One answer on random features."""
        features = _features(arch, CALIBRATION_CLIPS)
        network = recalibrate(Network(arch.without_bits()), features)
        integers = FakeQuantNetwork(network, self.as_run(arch)).calibrate(features).to_integer()
        return _call(TorchIntegers(integers), quantise_features(_features(arch, 1)))


RUNNERS: dict[str, type[Runner]] = {"integers": Integers, "eager": Eager}
"""By name."""


def _features(arch: Arch, clips: int) -> torch.Tensor:
    shape = layers(arch)[0].in_shape
    generator = torch.Generator().manual_seed(0)
    return torch.randn(clips, shape[0] * shape[1], shape[2], generator=generator)


def _call(network: Callable, x: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with torch.inference_mode():
            network(x)
        torch.set_num_threads(threads)

    return run
