"""The training loop: epochs, checkpoints, a log.

Runs are checkpointed each epoch. One that was killed resumes from the last epoch and ends with the same weights,
because all randomness is keyed by seed, epoch, step and part of the batch. So it does whatever number of processes
work through these parts (see supernet.train.parallel).
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm import tqdm

from supernet.data.augment import Augmenter
from supernet.data.clips import ClipData, Split
from supernet.errors import Diverged, EarshotError, InvalidCheckpoint, InvalidData
from supernet.files import canonical_json, digest, load_tensors, read_json, save_tensors, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.train.parallel import average_gradients, mean_everywhere, own_parts, rank, same_everywhere, wait
from supernet.train.recipe import Recipe, learning_rate

__all__ = ["differing", "fit", "read_recipe", "tensor_digest", "weights_digest"]

LOCK_SECONDS = 10
SHORT = 20
"""Letters of a value that a message shows."""


def fit(
    module: nn.Module,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    identity: dict,
    step: Callable[[Tensor, Tensor, float, np.random.Generator], Tensor],
    measure: Callable[[], dict[str, float]],
    progress: bool = True,
    begin: Callable[[], object] = lambda: None,
    measure_every: int = 1,
) -> nn.Module:
    """Train the parameters of `module`, or go on where the run in folder `run` stopped; returns it evaluating.

    step: from features, targets, the share of the run that is done and a generator, add up gradients and give the
    loss. measure: figures after the last epoch and each `measure_every`-th; where it calibrates what training itself
    uses, leave that at 1. begin: called once, when the weights are loaded. identity: what else fixes the run, beside
    recipe, data, front end and the weights that it starts from. The folder keeps `recipe.json` (all of these),
    `checkpoint.safetensors` and `log.json` (a row each epoch). Computes where the parameters are, and together with the
    other processes that torchrun started. Raises InvalidCheckpoint where the folder holds another run, InvalidData for
    too few clips, Diverged where the loss is no longer a number.
    """
    run, optimiser = Path(run), _optimiser(module, recipe)
    steps = len(data.epoch(np.random.default_rng(0), recipe.unknown)) // recipe.batch
    if not steps:
        raise InvalidData(f"fewer training clips than a batch of {recipe.batch}; make the batch smaller")
    own_parts(recipe.parts)
    whole = {
        "recipe": dataclasses.asdict(recipe),
        "start": weights_digest(module),
        "data": data.digest,
        "frontend": frontend.to_dict(),
        **identity,
    }
    with _only_user(run):
        rows = _resume(run, module, optimiser, whole)
        augmenter, progress = recipe.augmentation.maker(data, frontend), progress and rank() == 0
        begin()
        total, done = recipe.epochs * steps, len(rows) * steps
        with tqdm(total=total, initial=done, desc=run.name, unit=" steps", disable=not progress, mininterval=1) as bar:
            for epoch in range(len(rows), recipe.epochs):
                started = time.monotonic()
                loss = _train_epoch(module, data, augmenter, optimiser, recipe, epoch, steps, step, run, bar)
                rows.append({"epoch": epoch, "loss": loss, "seconds": time.monotonic() - started})
                if (epoch + 1) % measure_every == 0 or epoch + 1 == recipe.epochs:
                    rows[-1].update(measure())
                _checkpoint(run, module, optimiser, rows)
                if progress:
                    tqdm.write("  ".join(f"{key} {value:.4g}" for key, value in rows[-1].items()), file=sys.stderr)
    return module.eval()


@contextmanager
def _only_user(run: Path) -> Iterator[None]:
    """Raise InvalidCheckpoint where another process trains in the folder for longer than it takes to see the end."""
    lock = FileLock(run / ".lock", timeout=LOCK_SECONDS)
    if rank() == 0:
        run.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise InvalidCheckpoint(f"{run}: another process trains here; wait for it or name another folder") from None
    try:
        yield
    finally:
        lock.release()


def _train_epoch(
    module: nn.Module,
    data: ClipData,
    augmenter: Augmenter,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    epoch: int,
    steps: int,
    step: Callable[[Tensor, Tensor, float, np.random.Generator], Tensor],
    run: Path,
    bar: tqdm,
) -> float:
    """One epoch, after which the module evaluates; returns the mean loss."""
    module.train()
    losses = []
    clips = data.epoch(np.random.default_rng([recipe.seed, 0, epoch]), recipe.unknown)
    for number in range(steps):
        share = (epoch + number / steps) / recipe.epochs
        rate = learning_rate(recipe, share)
        optimiser.zero_grad()
        for x, targets in _own_features(module, clips, augmenter, recipe, epoch, number):
            draws = np.random.default_rng([recipe.seed, 1, epoch, number])
            losses.append(float(step(x, targets, share, draws)))
        if not math.isfinite(losses[-1]):
            raise Diverged(f"{run}: the loss is {losses[-1]} in epoch {epoch}; lower the learning rate")
        average_gradients(module, recipe.parts)
        _descend(module, optimiser, recipe, rate)
        bar.set_postfix(epoch=epoch, loss=f"{losses[-1]:.3f}", lr=f"{rate:.2g}", refresh=False)
        bar.update()
    module.eval()
    return mean_everywhere(losses)


def _own_features(
    module: nn.Module, clips: Split, augmenter: Augmenter, recipe: Recipe, epoch: int, number: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Features and targets of this process's parts of a step's batch; what is drawn hangs on the part alone."""
    device, size = next(module.parameters()).device, recipe.batch // recipe.parts
    for part in own_parts(recipe.parts):
        rng = np.random.default_rng([recipe.seed, 2, epoch, number, part])
        torch.manual_seed(int(rng.integers(2**62)))
        first = number * recipe.batch + part * size
        rows, targets = clips.rows[first : first + size], clips.targets[first : first + size]
        if recipe.augmentation.mix_share:
            x, labels = augmenter.mixed(rows, targets, rng)
        else:
            x, labels = augmenter(rows, rng), torch.from_numpy(targets)
        yield x.to(device), labels.to(device)


def _descend(module: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip_gradient)
    optimiser.step()


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of all parameters."""
    return tensor_digest(*module.parameters())


def tensor_digest(*tensors: Tensor) -> str:
    """SHA-256 of the numbers of tensors."""
    return digest(b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in tensors))


def _optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW that decays weights, and leaves norms, biases and steps alone."""
    decayed = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in module.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def _checkpoint(run: Path, module: nn.Module, optimiser: torch.optim.Optimizer, rows: list[dict]) -> None:
    if rank() == 0:
        tensors = {}
        for name, parameter in module.named_parameters():
            tensors[f"weight:{name}"] = parameter.detach().cpu().numpy()
            for key, value in optimiser.state[parameter].items():
                tensors[f"{key}:{name}"] = value.cpu().numpy()
        save_tensors(run / "checkpoint.safetensors", tensors, {"log": rows, "sha256": _digest_of(tensors)})
        write_json(run / "log.json", rows)
    wait()


def _digest_of(tensors: dict[str, np.ndarray]) -> str:
    return tensor_digest(*(torch.from_numpy(tensors[name]) for name in sorted(tensors)))


def _resume(run: Path, module: nn.Module, optimiser: torch.optim.Optimizer, identity: dict) -> list[dict]:
    """Load the run's state, if it has one, and return its log; the first process reads, and tells the others."""
    rows = _read_state(run, module, optimiser, identity) if rank() == 0 else []
    rows = same_everywhere(rows, [parameter.data for parameter in module.parameters()])
    for parameter in module.parameters() if rows else ():
        state = optimiser.state[parameter] or {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
        same_everywhere(None, [state[key] for key in sorted(state) if key != "step"])
        optimiser.state[parameter] = {**state, "step": same_everywhere(state["step"], [])}
    return rows


def read_recipe(run: Path) -> dict:
    """What fixes the run in a folder. Raises InvalidCheckpoint, with what to do, for what cannot be read."""
    with _remedied(run):
        stored = read_json(run / "recipe.json")
        if not isinstance(stored, dict):
            raise InvalidCheckpoint(f"{run / 'recipe.json'}: not the recipe of a run")
    return stored


@contextmanager
def _remedied(run: Path) -> Iterator[None]:
    try:
        yield
    except EarshotError as error:
        raise InvalidCheckpoint(f"{error}; delete the folder {run} to start again, or name another") from None


def differing(then: dict, now: dict) -> list[str]:
    """What of a run is other than before, in words: `recipe.epochs is 25, was 24`; of what is long, its name alone."""
    found = []
    for key in sorted(key for key in {*then, *now} if then.get(key) != now.get(key)):
        own, former = now.get(key), then.get(key)
        if isinstance(own, dict) and isinstance(former, dict):
            found += [f"{key}.{text}" for text in differing(former, own)]
        elif max(len(repr(own)), len(repr(former))) <= SHORT:
            found.append(f"{key} is {own!r}, was {former!r}")
        else:
            found.append(f"{key} differs")
    return found


def _read_state(run: Path, module: nn.Module, optimiser: torch.optim.Optimizer, identity: dict) -> list[dict]:
    identity, path = json.loads(canonical_json(identity)), run / "checkpoint.safetensors"
    if not path.is_file() or not (run / "recipe.json").is_file():
        write_json(run / "recipe.json", identity)
    stored = read_recipe(run)
    if stored != identity:
        raise InvalidCheckpoint(
            f"{run}: holds another run ({', '.join(differing(stored, identity))}); name another folder or delete it"
        )
    if not path.is_file():
        return []
    with _remedied(run):
        tensors, metadata = load_tensors(path)
    if "sha256" in metadata and metadata["sha256"] != _digest_of(tensors):
        raise InvalidCheckpoint(f"{path}: altered (its digest differs); delete the folder {run} to start again")
    shapes = {name: tensor.shape for name, tensor in tensors.items() if name.startswith("weight:")}
    if shapes != {f"weight:{name}": tuple(parameter.shape) for name, parameter in module.named_parameters()}:
        raise InvalidCheckpoint(f"{path}: does not hold this network; delete the folder {run} to start again")
    write_json(run / "log.json", metadata["log"])
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.from_numpy(tensors[f"weight:{name}"]))
            keys = [key.split(":")[0] for key in tensors if key.endswith(f":{name}") and not key.startswith("weight:")]
            state = {key: torch.from_numpy(tensors[f"{key}:{name}"]) for key in keys}
            optimiser.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device) for key, value in state.items()
            }
    return metadata["log"]
