"""Supernets on disk: a folder of safetensors and JSON, checked when read; and the weights of one network in a file.

config.json                name, space, front end, tasks with their labels, recipe, licence, attribution, digests
trunk.safetensors          the weights shared by all tasks
heads/TASK.safetensors     the last layer of each task
calibration.safetensors    features of training clips, to recalibrate and quantise without the data

Weights that 16 bits hold exactly, as after `round_to_half`, take 16 bits on disk.

What builds on a supernet may keep more files there (see supernet.quant.elastic).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from supernet.arch import Arch
from supernet.constants import SUPERNET_SCHEMA
from supernet.cost import params
from supernet.errors import InvalidCheckpoint, UnknownName, nearest_names
from supernet.files import digest, load_tensors, read_json, save_tensors, write_json
from supernet.frontend.base import frontend_from_dict
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features, quantise_features
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.space import Space

__all__ = [
    "StoredSupernet",
    "load_file",
    "load_network",
    "load_supernet",
    "retarget",
    "round_to_half",
    "save_network",
    "save_supernet",
]

ZERO = 128


@dataclass(frozen=True)
class StoredSupernet:
    """A supernet from disk: ready in evaluation mode, with its front end, the task's labels and its config.json."""

    supernet: Supernet
    frontend: Mfcc
    labels: tuple[str, ...]
    config: dict

    @property
    def recipe(self) -> dict:
        """What `config.json` says of how it was trained; empty where it says nothing of use."""
        training = self.config.get("training")
        recipe = training.get("recipe") if isinstance(training, dict) else None
        return recipe if isinstance(recipe, dict) else {}


def save_supernet(
    folder: str | Path,
    supernet: Supernet,
    frontend: Mfcc,
    task: str,
    labels: tuple[str, ...],
    info: dict,
    more: dict[str, dict[str, np.ndarray]] | None = None,
) -> Path:
    """Write a supernet with its calibration features. info: name, training, licence, attribution and the like.

    more: tensors of further files by the files' names, which `load_file` reads.
    """
    folder = Path(folder)
    weights = {name: _smallest(value.detach().numpy()) for name, value in supernet.network.state_dict().items()}
    last = supernet.network.specs[-1].name
    head = {name: weights.pop(name) for name in list(weights) if name.startswith(f"layers.{last}.")}
    stored = (quantise_features(supernet.calibration).numpy().astype(np.int16) + ZERO).astype(np.uint8)
    files = {
        "trunk.safetensors": weights,
        f"heads/{task}.safetensors": head,
        "calibration.safetensors": {"features": stored},
        **(more or {}),
    }
    for name, tensors in files.items():
        save_tensors(folder / name, tensors, {"supernet": info["name"], "zero_point": ZERO})
    values = {
        **info,
        "schema": SUPERNET_SCHEMA,
        "space": supernet.space.to_dict(),
        "frontend": frontend.to_dict(),
        "tasks": {task: {"labels": list(labels)}},
        "digests": {name: digest((folder / name).read_bytes()) for name in files},
    }
    write_json(folder / "config.json", values)
    return folder


@torch.no_grad()
def round_to_half(supernet: Supernet) -> Supernet:
    """Round all weights, in place, to what 16 bits of floating point hold, for half the bytes on disk."""
    for parameter in supernet.parameters():
        parameter.copy_(parameter.half().float())
    return supernet


def _smallest(weights: np.ndarray) -> np.ndarray:
    """The same numbers in 16 bits where these hold them."""
    half = weights.astype(np.float16)
    return half if np.array_equal(half.astype(weights.dtype), weights) else weights


def retarget(
    stored: StoredSupernet,
    classes: int,
    clip_ms: int,
    calibration: torch.Tensor,
    seed: int = 0,
    labels: tuple[str, ...] = (),
) -> Supernet:
    """A supernet for other classes and clips of another length, with the weights of a stored one and a new head.

    labels: of the classes, where those that the stored one knows as well shall keep their part of its head.
    """
    space = replace(stored.supernet.space, classes=classes, clip_ms=clip_ms)
    supernet = Supernet(space, calibration, seed)
    head = f"layers.{supernet.network.specs[-1].name}."
    weights = stored.supernet.network.state_dict()
    own = supernet.network.state_dict()
    kept = [label for label in labels if label in stored.labels]
    new, old = ([names.index(label) for label in kept] for names in (labels, stored.labels))
    for name in [name for name in own if name.startswith(head)]:
        own[name][new] = weights[name][old]
    supernet.network.load_state_dict({name: own[name] if name.startswith(head) else weights[name] for name in own})
    return supernet


def load_supernet(folder: str | Path, task: str) -> StoredSupernet:
    """The supernet in a folder with the head of `task`.

    Raises UnknownName for a task that it has no head for, InvalidCheckpoint for files that are missing or altered.
    """
    folder = Path(folder)
    config = read_json(folder / "config.json")
    try:
        if config["schema"] != SUPERNET_SCHEMA:
            raise InvalidCheckpoint(f"{folder}: schema {config['schema']!r}; this version reads {SUPERNET_SCHEMA}")
        if task not in config["tasks"]:
            raise UnknownName(f"{folder}: no head for task {task!r}: {nearest_names(task, config['tasks'])}")
        _check_stated(folder, config)
        labels = tuple(config["tasks"][task]["labels"])
        head = load_file(folder, f"heads/{task}.safetensors", config)
        weights = {**load_file(folder, "trunk.safetensors", config), **head}
        features = load_file(folder, "calibration.safetensors", config)["features"]
        frontend = frontend_from_dict(config["frontend"])
        space = Space.from_dict(config["space"]).with_classes(len(labels))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidCheckpoint(f"{folder}: {error} is missing; take the supernet from its source again") from None
    _check_size(folder, space, weights)
    _check_features(folder, space, features)
    calibration = dequantise_features(torch.from_numpy((features.astype(np.int16) - ZERO).astype(np.int8)))
    supernet = Supernet(space, calibration)
    try:
        supernet.network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    except RuntimeError as error:
        raise InvalidCheckpoint(f"{folder}: the weights do not fit the space: {str(error).splitlines()[-1]}") from None
    return StoredSupernet(supernet.eval(), frontend, labels, config)


def _check_stated(folder: Path, config: dict) -> None:
    """Raise InvalidCheckpoint for what a supernet states of itself, for cards, where that is something else."""
    about = config.get("about", {})
    fits = isinstance(about, dict) and isinstance(about.get("multi_label", False), bool)
    fits = fits and isinstance(about.get("dataset", {}), dict)
    lines = [config.get(name, "") for name in ("name", "licence", "attribution")]
    for name in ("notes", "limits") if fits else ():
        fits = fits and isinstance(about.get(name, []), list)
        lines += about.get(name, []) if fits else []
    if not fits or not all(isinstance(line, str) and line.isprintable() for line in lines):
        raise InvalidCheckpoint(
            f"{folder}: what it states of itself (about, licence, attribution) is not in texts of a line; take the "
            "supernet from its source again"
        )


def _check_size(folder: Path, space: Space, weights: dict[str, np.ndarray]) -> None:
    """Raise InvalidCheckpoint where there are fewer weights than the largest network has, before that is built."""
    stored, needed = sum(array.size for array in weights.values()), params(space.largest())
    if stored < needed:
        raise InvalidCheckpoint(f"{folder}: the weights do not fit the space: {stored:,} of at least {needed:,}")


def _check_features(folder: Path, space: Space, features: np.ndarray) -> None:
    """Raise InvalidCheckpoint for features that networks of the space cannot read, of which they may leave some out."""
    coefficients, frames = space.largest().features.coefficients, space.largest().frames
    shape = features.shape
    if len(shape) != 3 or not shape[0] or shape[1] < coefficients or not shape[2] or shape[2] % frames:
        raise InvalidCheckpoint(f"{folder}: calibration has shape {shape}; clips of {coefficients, frames} are wanted")


def load_file(folder: str | Path, name: str, config: dict) -> dict[str, np.ndarray]:
    """The tensors of one file of a supernet's folder. Raises InvalidCheckpoint unless `config` has their digest."""
    if name not in config["digests"]:
        raise InvalidCheckpoint(f"{folder}: no digest of {name}; take the supernet from its source again")
    return load_tensors(Path(folder) / name, config["digests"][name])[0]


def save_network(path: str | Path, network: Network) -> None:
    """Write the parameters of a network in a file, and its Arch; norms are to be measured again."""
    numbers = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    save_tensors(path, numbers, {"arch": network.arch.to_dict()})


def load_network(path: str | Path) -> Network:
    """The network of such a file, before its norms are measured. Raises InvalidCheckpoint."""
    tensors, about = load_tensors(path)
    if not isinstance(about, dict) or "arch" not in about:
        raise InvalidCheckpoint(f"{path}: does not state its network; take it from its source again")
    network = Network(Arch.from_dict(about["arch"]))
    own = dict(network.named_parameters())
    if {name: array.shape for name, array in tensors.items()} != {name: tuple(one.shape) for name, one in own.items()}:
        raise InvalidCheckpoint(f"{path}: its tensors are not those of its network; take it from its source again")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(torch.from_numpy(tensors[name]))
    return network
