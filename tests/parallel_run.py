"""Train small supernets: what each of the processes of `test_supernet_parallel` runs.

python parallel_run.py FOLDER CACHE RUN ...              one after another
python parallel_run.py FOLDER CACHE RUN --kill STEPS     killed by the system after so many steps
"""

import argparse
import os
import signal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from supernet.data.speech_commands import load
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.nn.supernet import Supernet
from supernet.space import Space
from supernet.train import loop, parallel
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.recipe import SupernetRecipe
from supernet.train.supernets import train_supernet

STAGE = StageChoices((8, 16), (1, 2), (3, 5), (1, 2))
SPACE = Space("temporal", 4, 1000, (20,), (10, 20), BlockChoices((8, 16), (STAGE,), (16, 32)))
RECIPE = SupernetRecipe(epochs=2, batch=8, parts=2, bfloat16=False, sandwich=True)
EPSILON = 1e-3


def train(folder: Path, cache: Path, run: Path, recipe: SupernetRecipe = RECIPE) -> np.ndarray:
    """All weights after training on one thread.

    What AdamW divides by is kept from nothing: else it makes gradients of nothing but rounding as large as any other.
    """
    threads, optimiser = torch.get_num_threads(), loop._optimiser
    torch.set_num_threads(1)
    data = load(folder, ("up", "down"), cache)
    frontend = fit_frontend(data, 1)
    supernet = Supernet(SPACE, calibration_features(data, frontend, 22))
    with patch.object(loop, "_optimiser", lambda *arguments: with_epsilon(optimiser(*arguments))):
        train_supernet(supernet, data, frontend, recipe, run, progress=False)
    torch.set_num_threads(threads)
    return torch.cat([parameter.detach().ravel() for parameter in supernet.parameters()]).numpy()


def with_epsilon(optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimiser.param_groups:
        group["eps"] = EPSILON
    return optimiser


def kill_after(steps: int) -> None:
    """Let the system kill this process, without any warning, before the weights of the next step are changed."""
    descend, left = loop._descend, iter(range(steps))

    def step(*arguments):
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        descend(*arguments)

    loop._descend = step


if __name__ == "__main__":
    parallel.start()
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--kill", type=int)
    options = parser.parse_args()
    if options.kill:
        kill_after(options.kill)
    folder, cache, *runs = options.paths
    for run in runs:
        np.save(run.parent / f"{run.name}-{parallel.rank()}.npy", train(folder, cache, run))
    parallel.leave()
