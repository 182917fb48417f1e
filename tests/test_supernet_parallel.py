"""Two processes that train as one get what one process gets that works through both halves of each batch.

Within float tolerance: sums in another order, which AdamW makes larger where a gradient is next to nothing.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import parallel_run
import pytest

from supernet import load_supernet, parallel
from supernet import train as train_module
from supernet.errors import InvalidData
from supernet.files import read_json
from supernet.train import Recipe

SCRIPT = Path(parallel_run.__file__)


def torchrun(processes: int, *arguments, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([*command, *map(str, arguments)], env=environment, capture_output=True, text=True)


def test_two_processes_get_the_weights_of_one(speech_folder, speech_data, tmp_path):
    cache = speech_data.cache
    done = torchrun(2, SCRIPT, speech_folder, cache, tmp_path / "two")
    assert done.returncode == 0, done.stderr
    first, second = (np.load(tmp_path / f"weights-{rank}.npy") for rank in (0, 1))
    alone = parallel_run.train(speech_folder, cache, tmp_path / "one")
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first, alone, rtol=1e-3, atol=1e-3)
    whole = parallel_run.train(speech_folder, cache, tmp_path / "whole", replace(parallel_run.RECIPE, parts=1))
    assert np.abs(whole - alone).max() > 1e-2
    logs = [read_json(tmp_path / run / "log.json") for run in ("two", "one")]
    for row, other in zip(*logs, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert row["largest"] == other["largest"]


def test_two_processes_go_on_where_one_was_killed(speech_folder, speech_data, tmp_path, monkeypatch):
    """After the first of two epochs; the second process has nothing but what the first tells it."""
    alone = parallel_run.train(speech_folder, speech_data.cache, tmp_path / "whole")
    keep = train_module._checkpoint

    def dies(*arguments):
        keep(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "_checkpoint", dies)
    with pytest.raises(KeyboardInterrupt):
        parallel_run.train(speech_folder, speech_data.cache, tmp_path / "run")
    assert len(read_json(tmp_path / "run" / "log.json")) == 1
    done = torchrun(2, SCRIPT, speech_folder, speech_data.cache, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert len(read_json(tmp_path / "run" / "log.json")) == 2
    for rank in (0, 1):
        np.testing.assert_allclose(np.load(tmp_path / f"weights-{rank}.npy"), alone, rtol=1e-3, atol=1e-3)


def test_the_command_trains_under_torchrun_and_answers_once(speech_folder, tmp_path):
    command = ["train", "--data", speech_folder, "--task", "tones", "--epochs", "1", "--run-dir", tmp_path / "run"]
    done = torchrun(2, "-m", "zoo.cli", *command, EARSHOT_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"supernet {tmp_path / 'run' / 'supernet'}: validation ")
    assert done.stdout.count("\n") == 1
    assert load_supernet(tmp_path / "run" / "supernet", "tones").labels == ("cat", "down", "up", "_silence_")


def test_three_processes_cannot_share_two_parts(monkeypatch):
    monkeypatch.setattr(parallel, "world_size", lambda: 3)
    with pytest.raises(InvalidData, match="2 parts of a batch cannot be shared out to 3 processes"):
        parallel.own_parts(2)
    assert list(parallel.own_parts(6)) == [0, 3]


def test_parts_divide_a_batch():
    with pytest.raises(ValueError, match="a batch of 10 has no 4 equal parts"):
        Recipe(batch=10, parts=4)
