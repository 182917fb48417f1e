"""Train a small supernet: what each of the processes of `test_supernet_parallel` runs."""

import sys
from pathlib import Path

import numpy as np
import torch

from supernet import parallel
from supernet.data.speech_commands import load
from supernet.elastic import Supernet
from supernet.space import Space, StageChoices
from supernet.train import SupernetRecipe, calibration_features, fit_frontend, train_supernet

STAGE = StageChoices((8, 16), (1, 2), (3, 5), (1, 2))
SPACE = Space("temporal", 4, 1000, (20,), (10, 20), (8, 16), (STAGE,), (16, 32))
RECIPE = SupernetRecipe(epochs=2, batch=8, parts=2, bfloat16=False)


def train(folder: Path, cache: Path, run: Path, recipe: SupernetRecipe = RECIPE) -> np.ndarray:
    """All weights after training."""
    data = load(folder, ("up", "down"), cache)
    frontend = fit_frontend(data, 1)
    supernet = Supernet(SPACE, calibration_features(data, frontend, 22))
    train_supernet(supernet, data, frontend, recipe, run, progress=False)
    return torch.cat([parameter.detach().ravel() for parameter in supernet.parameters()]).numpy()


if __name__ == "__main__":
    parallel.start()
    torch.set_num_threads(1)
    folder, cache, run = map(Path, sys.argv[1:])
    np.save(run.parent / f"weights-{parallel.rank()}.npy", train(folder, cache, run))
    torch.distributed.destroy_process_group()
