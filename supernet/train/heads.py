"""What a network's outputs stand for: the classes of one task, or of several that share all layers but the last.

The tasks of a network are of the same clips. The first has the classes of the data; what a class is in another task
follows from its name, and is `_unknown_` where that task does not know it. Each task's outputs are a part of the last
layer's, so their losses add up, and each part is a head of its own on disk.

Rare classes are drawn more often in training than they are met. So that the outputs are not biased by it, training adds
the logarithm of how much more often (logit adjustment, Menon et al., arXiv 2007.07314).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from supernet.arch import Arch
from supernet.constants import SILENCE, UNKNOWN
from supernet.data.clips import ClipData
from supernet.errors import InvalidData
from supernet.integer.form import IntegerLayer
from supernet.integer.runtime import IntegerNetwork
from supernet.metrics import right
from supernet.nn.network import Network
from supernet.train.losses import distillation_loss, label_loss

__all__ = ["Heads", "head_of", "integer_head_of", "with_outputs"]

OTHERS = 0.1
"""How often unknown and silence are met, each, for one keyword of any kind."""


class Heads:
    """The tasks of a network whose outputs are (batch, classes of all).

    tasks: labels of the tasks beside the data's own, by name. drawn: class indexes as training draws them.
    Raises InvalidData for a task with a word that the data lack.
    """

    def __init__(self, data: ClipData, tasks: Mapping[str, tuple[str, ...]], drawn: np.ndarray) -> None:
        self.labels = {"": data.labels, **tasks}
        self.maps = {name: torch.from_numpy(_map(data.labels, labels)) for name, labels in self.labels.items()}
        ends = np.cumsum([0, *map(len, self.labels.values())])
        self.parts = {name: slice(*map(int, ends[place : place + 2])) for place, name in enumerate(self.labels)}
        self.shift = torch.cat([_shift(labels, self.maps[name].numpy()[drawn]) for name, labels in self.labels.items()])

    @property
    def classes(self) -> int:
        """Outputs of all tasks together."""
        return len(self.shift)

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Mean over the tasks of the cross entropy of logits (batch, classes) with classes of the data (batch,)."""
        logits = logits + self.shift.to(logits)
        found = [
            label_loss(logits[:, part], self.maps[name].to(targets.device)[targets], smoothing)
            for name, part in self.parts.items()
        ]
        return torch.stack(found).mean()

    def distillation(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Mean over the tasks of the cross entropy of logits with the outputs of a teacher, both (batch, classes)."""
        logits, teacher = logits + self.shift.to(logits), teacher + self.shift.to(teacher)
        found = [distillation_loss(logits[:, part], teacher[:, part]) for part in self.parts.values()]
        return torch.stack(found).mean()

    def accuracies(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Share of clips that each task names rightly: logits (clips, classes), the data's class indexes (clips,)."""
        return {
            name: float(right(logits[:, part], self.maps[name].numpy()[targets]).mean())
            for name, part in self.parts.items()
        }


@torch.no_grad()
def head_of(network: Network, part: slice) -> Network:
    """A copy of a network with some of its outputs alone, such as those of one task (see Heads.parts)."""
    own = Network(_arch_of(network.arch, part))
    own.layers = copy.deepcopy(network.layers)
    last = own.layers[own.specs[-1].name]
    last.weight, last.bias = (nn.Parameter(tensor[part].clone()) for tensor in (last.weight, last.bias))
    return own.train(network.training)


def integer_head_of(network: IntegerNetwork, part: slice) -> IntegerNetwork:
    """The same of a network of integers: it gives the same logits as the whole."""
    name = network.specs[-1].name
    last = IntegerLayer(**{key: value[part] for key, value in vars(network.tensors[name]).items() if value is not None})
    return IntegerNetwork(_arch_of(network.arch, part), {**network.tensors, name: last}, network.activations)


@torch.no_grad()
def with_outputs(network: Network, classes: int, own: slice | None = None, seed: int = 0) -> Network:
    """A network with the weights of another and a new last layer of so many outputs, of which `own` are the other's.

    seed: of the new weights. Norms are to be measured anew.
    """
    made, last = Network(dataclasses.replace(network.arch, classes=classes), seed), network.specs[-1].name
    parameters = dict(made.named_parameters())
    for name, tensor in network.named_parameters():
        if not name.startswith(f"layers.{last}."):
            parameters[name].copy_(tensor)
        elif own is not None:
            parameters[name][own] = tensor
    return made


def _arch_of(arch: Arch, part: slice) -> Arch:
    return dataclasses.replace(arch, classes=len(range(arch.classes)[part]))


def _map(known: tuple[str, ...], labels: tuple[str, ...]) -> np.ndarray:
    """The class of a task that each class of the data is."""
    missing = [label for label in labels if label not in known]
    if missing:
        raise InvalidData(f"no training clips of {', '.join(missing)}; leave them out, or complete the data set")
    return np.array([labels.index(label if label in labels else UNKNOWN) for label in known])


def _shift(labels: tuple[str, ...], drawn: np.ndarray) -> Tensor:
    """(classes,) natural logarithms of how much more often than it is met a class is drawn."""
    counts = np.maximum(np.bincount(drawn, minlength=len(labels)), 1)
    words = sum(label not in (UNKNOWN, SILENCE) for label in labels)
    met = np.array([OTHERS * words if label in (UNKNOWN, SILENCE) else 1.0 for label in labels])
    return torch.tensor(np.log(counts / counts.sum()) - np.log(met / met.sum()), dtype=torch.float32)
