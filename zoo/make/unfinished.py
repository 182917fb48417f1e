"""Runs that were stopped before they had a supernet: what they have learned so far is made one, to go on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from supernet.errors import InvalidQuery
from supernet.files import load_tensors, read_json, write_json
from supernet.frontend.base import frontend_from_dict
from supernet.frontend.mfcc import Mfcc
from supernet.nn.store import save_supernet
from supernet.nn.supernet import Supernet
from supernet.space import Space
from zoo.make.pipeline import Build, stored_info
from zoo.make.starts import BEGUN, CHECKPOINT, RECIPE, STORED

__all__ = ["note_begin", "store_unfinished"]

WEIGHT = "weight:"
"""In a checkpoint, before the names of parameters."""


def note_begin(build: Build) -> None:
    """Note in the folder of a run that has no state yet what its supernet is to state."""
    if not (build.run / CHECKPOINT).is_file():
        info = stored_info(build, build.name, build.recipe, [])
        write_json(build.run / BEGUN, {"task": build.task, "labels": list(build.data.labels), "info": info})


def store_unfinished(run: Path, clip_ms: int, calibrate: Callable[[Mfcc], Tensor]) -> str:
    """Write the supernet of a run as it was when the run was stopped, and say when that was, as "1 of 3 epochs".

    calibrate: from the front end to features of training clips of `clip_ms`. Raises InvalidQuery where nothing says
    what the run was of.
    """
    if not (run / BEGUN).is_file():
        raise InvalidQuery(
            f"extend: {run} was stopped before it had a supernet; finish it as it was begun, or name another folder"
        )
    begun, made = read_json(run / BEGUN), read_json(run / RECIPE)
    tensors, metadata = load_tensors(run / CHECKPOINT)
    frontend = frontend_from_dict(made["frontend"])
    supernet = Supernet(replace(Space.from_dict(made["space"]), clip_ms=clip_ms), calibrate(frontend))
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            parameter.copy_(torch.from_numpy(tensors[WEIGHT + name]))
    begun["info"]["training"]["log"] = metadata["log"]
    save_supernet(run / STORED, supernet, frontend, begun["task"], tuple(begun["labels"]), begun["info"])
    return f"{len(metadata['log'])} of {made['recipe']['epochs']} epochs"
