"""Two processes that train as one get what one process gets that works through both halves of each batch.

Within float tolerance: sums are in another order.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import parallel_run
import pytest

from supernet import load_supernet
from supernet.errors import InvalidData
from supernet.files import read_json
from supernet.train import parallel
from supernet.train.recipe import Recipe

SCRIPT = Path(parallel_run.__file__)


def python(*arguments, **environment: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent), "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def torchrun(processes: int, *arguments, **environment: str) -> subprocess.CompletedProcess:
    return python(
        "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *arguments, **environment
    )


@pytest.fixture(scope="module")
def runs(speech_folder, speech_data, tmp_path_factory) -> SimpleNamespace:
    """Weights of the same run by one process, and by two; and of a killed one that one process takes up, and two.

    Killed by the system in the middle of the second epoch. Of two, the second has nothing but what the first tells it.
    """
    cache, place = speech_data.cache, tmp_path_factory.mktemp("runs")
    one = parallel_run.train(speech_folder, cache, place / "one")
    steps = len(speech_data.epoch(np.random.default_rng(0))) // parallel_run.RECIPE.batch
    assert steps > 1
    assert python(SCRIPT, speech_folder, cache, place / "killed", "--kill", steps + 1).returncode == -signal.SIGKILL
    assert len(read_json(place / "killed" / "log.json")) == 1
    shutil.copytree(place / "killed", place / "taken-up")
    done = torchrun(2, SCRIPT, speech_folder, cache, place / "two", place / "taken-up")
    assert done.returncode == 0, done.stderr
    two, taken_up = ([np.load(place / f"{run}-{rank}.npy") for rank in (0, 1)] for run in ("two", "taken-up"))
    return SimpleNamespace(place=place, one=one, two=two, taken_up=taken_up)


def test_two_processes_get_the_weights_of_one(runs, speech_folder, speech_data, tmp_path):
    assert np.array_equal(*runs.two)
    np.testing.assert_allclose(runs.two[0], runs.one, rtol=1e-4, atol=1e-5)
    recipe = replace(parallel_run.RECIPE, parts=1)
    whole = parallel_run.train(speech_folder, speech_data.cache, tmp_path / "whole", recipe)
    assert np.abs(whole - runs.one).max() > 1e-2
    logs = [read_json(runs.place / run / "log.json") for run in ("two", "one")]
    for row, other in zip(*logs, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert row["largest"] == other["largest"]


def test_a_killed_run_is_taken_up_by_one_process_or_by_two(runs, speech_folder, speech_data):
    """One gets the very weights of a whole run."""
    taken_up = parallel_run.train(speech_folder, speech_data.cache, runs.place / "killed")
    assert np.array_equal(taken_up, runs.one)
    assert len(read_json(runs.place / "taken-up" / "log.json")) == 2
    for weights in runs.taken_up:
        np.testing.assert_allclose(weights, runs.one, rtol=1e-4, atol=1e-5)


def test_the_command_trains_under_torchrun_and_answers_once(speech_folder, tmp_path):
    command = ["train", "--data", speech_folder, "--task", "tones", "--epochs", "1", "--run-dir", tmp_path / "run"]
    done = torchrun(2, "-m", "zoo.cli", *command, EARSHOT_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    answer = f"supernet {tmp_path / 'run' / 'supernet'}: validation "  # torch 2.9 prints lines of Gloo beside it
    assert done.stdout.count(answer) == 1
    assert load_supernet(tmp_path / "run" / "supernet", "tones").labels == ("cat", "down", "up", "_silence_")


def test_three_processes_cannot_share_two_parts(monkeypatch):
    monkeypatch.setattr(parallel, "world_size", lambda: 3)
    with pytest.raises(InvalidData, match="2 parts of a batch cannot be shared out to 3 processes"):
        parallel.own_parts(2)
    assert list(parallel.own_parts(6)) == [0, 3]


def test_parts_divide_a_batch():
    with pytest.raises(ValueError, match="a batch of 10 has no 4 equal parts"):
        Recipe(batch=10, parts=4)
