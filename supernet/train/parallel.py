"""Several processes that train as one: `torchrun` starts them, on one machine or on many.

Each works through its share of the parts of every step's batch, gradients are averaged once a step, and the first
process writes what is written. Batch statistics are those of a part, so that the weights do not depend on how many
processes there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from supernet.errors import InvalidData

__all__ = [
    "average_gradients",
    "leave",
    "local_rank",
    "mean_everywhere",
    "once_a_machine",
    "own_parts",
    "rank",
    "same_everywhere",
    "share_out",
    "start",
    "wait",
    "world_size",
]

Result = TypeVar("Result")


def start() -> torch.device:
    """Join the processes that torchrun started, if it did; returns the device that this process computes on.

    Raises InvalidData where a machine has fewer GPUs than processes.
    """
    cuda = torch.cuda.is_available()
    if cuda:
        if local_rank() >= torch.cuda.device_count():
            raise InvalidData(f"process {local_rank()} of this machine has no GPU; start one process a GPU")
        torch.cuda.set_device(local_rank())
    if "RANK" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo")
    return torch.device("cuda", local_rank()) if cuda else torch.device("cpu")


def local_rank() -> int:
    """Number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def once_a_machine(work: Callable[[], Result]) -> Result:
    """What `work` gives, done by one process of each machine first, so that the others find what it keeps on disk."""
    result = work() if local_rank() == 0 else None
    wait()
    return work() if local_rank() else result


def leave() -> None:
    """Part from the other processes, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, 0 for the first or only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own_parts(parts: int) -> range:
    """The parts of a batch that this process works through. Raises InvalidData where they cannot be shared out."""
    if parts % world_size():
        raise InvalidData(f"{parts} parts of a batch cannot be shared out to {world_size()} processes; give a multiple")
    return range(rank(), parts, world_size())


def average_gradients(module: nn.Module, parts: int) -> None:
    """Make gradients that were added up over own parts those of the mean over all parts, in one exchange."""
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    if world_size() > 1:
        flat = torch.cat([gradient.ravel() for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, sums in zip(gradients, flat.split([item.numel() for item in gradients]), strict=True):
            gradient.copy_(sums.view_as(gradient))
    if parts > 1:
        for gradient in gradients:
            gradient.div_(parts)


def mean_everywhere(values: list[float]) -> float:
    """The mean of the values of all processes, which have as many each."""
    mean = torch.tensor(values, dtype=torch.float64).mean()
    if world_size() > 1:
        mean = mean.to(torch.cuda.current_device()) if dist.get_backend() == "nccl" else mean
        dist.all_reduce(mean)
        mean /= world_size()
    return float(mean)


def share_out(measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The figures of all measures, each taken by one process and told to all."""
    own = list(measures)[rank() :: world_size()]
    figures = {name: measures[name]() for name in own}
    if world_size() > 1:
        gathered: list[dict] = [{}] * world_size()
        dist.all_gather_object(gathered, figures)
        figures = {name: value for part in gathered for name, value in part.items()}
    return {name: figures[name] for name in measures}


def same_everywhere(value, tensors: list[Tensor]):
    """Give all processes the first one's value, and its numbers in `tensors`; returns the value."""
    if world_size() > 1:
        box = [value]
        dist.broadcast_object_list(box)
        value = box[0]
        for tensor in tensors:
            dist.broadcast(tensor, 0)
    return value


def wait() -> None:
    """Wait until all processes are here."""
    if world_size() > 1:
        dist.barrier()
