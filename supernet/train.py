"""Training: a resumable loop over epochs, and the recipe of supernets on top of it.

A supernet's step trains random sub-networks, which all learn the labels (as in arXiv 2204.09210). Two other schedules
are here as well: the sandwich rule with in-place distillation, where the largest sub-network learns the labels, the
smallest and some random ones learn the largest one's outputs (Yu and Huang, arXiv 1903.05134), and progressive
shrinking, where the range that the random ones are drawn from widens phase by phase (Cai et al., arXiv 1908.09791).

Runs are checkpointed each epoch. One that was killed resumes from the last epoch and ends with the same weights,
because all randomness is keyed by seed, epoch, step and part of the batch. So it does whatever number of processes
work through these parts (see supernet.parallel).
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm import tqdm

from supernet.arch import Arch
from supernet.data.audio import from_int16
from supernet.data.augment import BATCH, Augmentation, Augmenter, plain_features
from supernet.data.clips import ClipData, Split
from supernet.data.scenes import Scenes
from supernet.elastic import Network, Supernet, recalibrate
from supernet.errors import Diverged, InvalidCheckpoint, InvalidData
from supernet.evaluate import accuracy
from supernet.files import canonical_json, digest, load_tensors, read_json, save_tensors, write_json
from supernet.frontend.mfcc import Mfcc
from supernet.heads import Heads
from supernet.losses import Losses, distillation_loss, label_loss
from supernet.nn.frontend import torch_twin
from supernet.parallel import average_gradients, mean_everywhere, own_parts, rank, same_everywhere, share_out, wait
from supernet.space import Space

__all__ = [
    "PROGRESSIVE_SHRINKING",
    "Phase",
    "Recipe",
    "SupernetRecipe",
    "calibration_features",
    "fit",
    "fit_frontend",
    "learning_rate",
    "losses_of",
    "prior_shift",
    "scene_features",
    "tensor_digest",
    "train_float",
    "train_network",
    "train_supernet",
    "weights_digest",
]


LOCK_SECONDS = 10
FROM_TEACHER = 0.7
"""Share of the loss of a network that learns labels and a teacher's outputs."""


@dataclass(frozen=True)
class Recipe:
    """How weights are trained: AdamW, a learning rate that rises over the share `warmup` of the run and then falls as
    a cosine to zero, label smoothing, and gradients clipped to a norm.

    unknown: how many times as many clips of the unknown class as of silence an epoch draws; 1 is the test's proportion.
    What is trained answers at that proportion all the same (logit adjustment, Menon et al., arXiv 2007.07314).
    parts: into how many equal parts a batch is split, each with batch statistics of its own; processes share them.
    bfloat16: whether convolutions and what lies between them are computed in bfloat16 while training; weights, their
    gradients and all evaluation stay float32.
    tasks: names and labels of tasks that are trained beside the data's own, with heads of their own (supernet.heads).
    """

    epochs: int = 40
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    warmup: float = 0.05
    label_smoothing: float = 0.1
    clip_gradient: float = 5.0
    unknown: int = 1
    parts: int = 1
    seed: int = 0
    bfloat16: bool = False
    augmentation: Augmentation | Scenes = field(default_factory=Augmentation)
    tasks: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        if self.parts < 1 or self.batch % self.parts:
            raise ValueError(f"a batch of {self.batch} has no {self.parts} equal parts: give a divisor")


@dataclass(frozen=True)
class Phase:
    """From this share of the run on, the named dimensions are elastic (see Space.shrink)."""

    start: float
    elastic: tuple[str, ...]


ALL_ELASTIC = (Phase(0.0, ("kernel", "features", "depth", "expansion", "excitation", "width")),)
PROGRESSIVE_SHRINKING = (
    Phase(0.0, ()),
    Phase(0.05, ("kernel", "features")),
    Phase(0.10, ("kernel", "features", "depth")),
    Phase(0.15, ("kernel", "features", "depth", "expansion", "excitation")),
    Phase(0.20, ("kernel", "features", "depth", "expansion", "excitation", "width")),
)


@dataclass(frozen=True)
class SupernetRecipe(Recipe):
    """A Recipe, and which sub-networks a step trains.

    sandwich: the largest and the smallest one in every step, and all others learn the largest one's outputs; else only
    random ones, which learn the labels. random: how many are drawn. by_size: draw them by Space.sample_sizes, as many
    large as small ones, instead of each gene by itself, which gives middling ones. phases: what is elastic, when.
    """

    bfloat16: bool = True
    sandwich: bool = False
    random: int = 2
    by_size: bool = True
    phases: tuple[Phase, ...] = ALL_ELASTIC

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.random < 1 and not self.sandwich:
            raise ValueError(f"random = {self.random} without a sandwich trains nothing: give 1 or more")

    @property
    def schedule(self) -> str:
        """What cards call it."""
        return "sandwich training with in-place distillation" if self.sandwich else "training random sub-networks"


def fit_frontend(
    data: ClipData, stride: int = 8, kind: type[Mfcc] = Mfcc, scenes: Scenes | None = None, seed: int = 0
) -> Mfcc:
    """The front end with the mean and deviation of each coefficient over every `stride`-th training clip.

    scenes: with them, of an epoch's clips in scenes that are drawn by the seed, as they are heard in training.
    """
    if scenes is None:
        rows = data.splits["train"].rows[::stride]
        samples = torch.from_numpy(from_int16(data.audio[rows]))
    else:
        rng = np.random.default_rng([seed, 3])
        rows = data.epoch(rng).rows
        count = len(rows) // stride // scenes.chain
        maker = scenes.maker(data, kind())
        chains = rows[: count * scenes.chain].reshape(count, scenes.chain)
        samples = torch.from_numpy(np.stack([maker.scene(chain, rng) for chain in chains]))
    raw = torch.cat([torch_twin(kind())(part) for part in samples.split(BATCH)])
    mean, deviation = (tuple(round(float(v), 5) for v in fit) for fit in (raw.mean((0, 2)), raw.std((0, 2))))
    return kind(mean=mean, deviation=deviation)


def calibration_features(data: ClipData, frontend: Mfcc, clips: int = 512, seed: int = 0) -> Tensor:
    """Features of unvaried training clips in the training set's proportions: (clips, coefficients, frames)."""
    rng = np.random.default_rng([seed, 1])
    return Augmenter(data, frontend)(data.epoch(rng).rows[:clips], rng)


def scene_features(data: ClipData, frontend: Mfcc, scenes: Scenes, clips: int = 512, seed: int = 0) -> Tensor:
    """Features of training clips in scenes, each cut out: (clips, coefficients, frames).

    clips: a multiple of `scenes.chain`.
    """
    rng = np.random.default_rng([seed, 1])
    features = scenes.maker(data, frontend)(data.epoch(rng).rows[:clips], rng)
    return features.unflatten(2, (scenes.chain, -1)).transpose(1, 2).flatten(0, 1)


def learning_rate(recipe: Recipe, done: float) -> float:
    """Learning rate at a share `done` (0 to 1) of the run."""
    if done < recipe.warmup:
        return recipe.learning_rate * done / recipe.warmup
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup)))


def train_supernet(
    supernet: Supernet,
    data: ClipData,
    frontend: Mfcc,
    recipe: SupernetRecipe,
    run: str | Path,
    progress: bool = True,
    teacher: nn.Module | None = None,
) -> Supernet:
    """Train `supernet` in place, or go on where the run in folder `run` stopped; returns it in evaluation mode.

    The head's bias is corrected for unknown clips that were drawn more often; figures in the log are from before.
    teacher: gives outputs of the same classes for the same features, which all networks of a step learn, the first of
    them beside the labels; without one, those of a sandwich learn the first one's.
    Raises InvalidCheckpoint where the folder holds a run of another recipe or space.
    """
    space, choosing, losses = supernet.space, data.choosing, losses_of(data, recipe)
    if losses.classes != space.classes:
        raise InvalidData(f"the space has {space.classes} classes, and the tasks {losses.classes}")
    features = plain_features(data, choosing.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        return train_step(supernet, draw_archs(space, recipe, done, rng), x, targets, recipe, losses, teacher)

    def measure(arch: Arch) -> float:
        device = next(supernet.parameters()).device
        return accuracy(lambda x: supernet(x.to(device), arch)[:, : len(data.labels)], features, choosing.targets)

    def measure_ends() -> dict[str, float]:
        return share_out({name: partial(measure, getattr(space, name)()) for name in ("largest", "smallest")})

    identity = {"space": space.to_dict(), **({"teacher": weights_digest(teacher)} if teacher else {})}
    fit(supernet, data, frontend, recipe, run, identity, step, measure_ends, progress)
    if recipe.tasks:
        return supernet
    head = supernet.network.layers[supernet.network.specs[-1].name]
    with torch.no_grad():
        head.bias -= prior_shift(data, recipe).to(head.bias)
    return supernet


def prior_shift(data: ClipData, recipe: Recipe) -> Tensor:
    """How much likelier each class is drawn in training than by `data` itself: (classes,) natural logarithms."""
    shift = torch.zeros(len(data.labels))
    if len(data.unknown):
        drawn = [
            np.bincount(data.epoch(np.random.default_rng(0), times).targets)[data.unknown_class]
            for times in (1, recipe.unknown)
        ]
        shift[data.unknown_class] = math.log(drawn[1] / drawn[0])
    return shift


def draw_archs(space: Space, recipe: SupernetRecipe, done: float, rng: np.random.Generator) -> list[Arch]:
    """The networks of one step without repeats, drawn from what is elastic by now; of a sandwich, the largest first."""
    elastic = [phase.elastic for phase in recipe.phases if phase.start <= done][-1]
    current = space.shrink(set(elastic))
    draw = current.sample_sizes if recipe.by_size else current.sample
    drawn = current.from_genes(draw(rng, recipe.random))
    ends = [space.largest(), current.smallest()] if recipe.sandwich else []
    return list(dict.fromkeys([*ends, *drawn]))


def losses_of(data: ClipData, recipe: Recipe, shift: Tensor | None = None) -> Losses:
    """What is learned by a recipe: the data's own task, or several. shift: see `prior_shift`; several tasks have their
    own.
    """
    own = torch.zeros(()) if shift is None else shift
    if recipe.tasks:
        heads = Heads(data, dict(recipe.tasks), data.epoch(np.random.default_rng(0), recipe.unknown).targets)
        return Losses(heads.classes, partial(heads.loss, smoothing=recipe.label_smoothing), heads.distillation)

    def labels(logits: Tensor, targets: Tensor) -> Tensor:
        return label_loss(logits + own.to(logits), targets, recipe.label_smoothing, data.multi_label)

    def outputs(logits: Tensor, teacher: Tensor) -> Tensor:
        return distillation_loss(logits + own.to(logits), teacher + own.to(logits), data.multi_label)

    return Losses(len(data.labels), labels, outputs)


def train_step(
    supernet: Supernet,
    archs: list[Arch],
    x: Tensor,
    targets: Tensor,
    recipe: SupernetRecipe,
    losses: Losses | None = None,
    teacher: nn.Module | None = None,
) -> Tensor:
    """Add up the gradients of one step and return the first network's loss.

    x: (batch, coefficients, frames), or scenes of several clips for as many targets. archs: the first learns the
    labels, and from a teacher for a share FROM_TEACHER of its loss; the others the teacher's outputs, or else the first
    one's in a sandwich, and the labels too without one. losses: by default of one task, with one label a clip.
    """
    losses = losses or Losses(
        supernet.space.classes, partial(label_loss, smoothing=recipe.label_smoothing), distillation_loss
    )
    soft = None if teacher is None else _outputs(teacher, x, len(targets) // len(x), recipe)

    def learn(arch: Arch, loss_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = supernet(x, arch, len(targets) // len(x))
        loss = loss_of(logits.float())
        loss.backward()
        return logits.detach().float(), loss.detach()

    def from_labels(logits: Tensor) -> Tensor:
        return losses.labels(logits, targets)

    def from_both(logits: Tensor) -> Tensor:
        return (1 - FROM_TEACHER) * from_labels(logits) + FROM_TEACHER * losses.outputs(logits, soft)

    logits, loss = learn(archs[0], from_labels if soft is None else from_both)
    taught = recipe.sandwich or soft is not None
    soft = logits if soft is None else soft
    for arch in archs[1:]:
        learn(arch, (lambda logits: losses.outputs(logits, soft)) if taught else from_labels)
    return loss


@torch.no_grad()
def _outputs(teacher: nn.Module, x: Tensor, clips: int, recipe: Recipe) -> Tensor:
    with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.bfloat16):
        return teacher(x, clips).float()


def train_network(
    network: nn.Module,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    identity: dict,
    calibrate: Callable[[], object],
    teacher: nn.Module | None = None,
    distillation: float = 0.7,
    progress: bool = True,
    penalty: Callable[[], Tensor] | None = None,
    measure_every: int = 1,
) -> nn.Module:
    """Train one network in place, or go on where the run in folder `run` stopped; returns it calibrated, evaluating.

    Any module from features (batch, coefficients, frames) to logits will do. It learns the labels, and for a share
    `distillation` of the loss the outputs of `teacher`, where there is one. calibrate: measures what the network
    evaluates with (norms, ranges); called before the run, and where `fit` measures. identity: what fixes the run beside
    what `fit` keeps. penalty: added to the loss. measure_every: see `fit`.
    """
    choosing, losses = data.choosing, losses_of(data, recipe, prior_shift(data, recipe))
    features = plain_features(data, choosing.rows, frontend)

    def step(x: Tensor, targets: Tensor, done: float, rng: np.random.Generator) -> Tensor:
        chained = {"clips": len(targets) // len(x)} if len(targets) > len(x) else {}
        with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(x, **chained).float()
            with torch.no_grad():
                soft = None if teacher is None else teacher(x, **chained).float()
        loss = losses.labels(logits, targets)
        if soft is not None:
            loss = (1 - distillation) * loss + distillation * losses.outputs(logits, soft)
        if penalty is not None:
            loss = loss + penalty()
        loss.backward()
        return loss.detach()

    def measure() -> dict[str, float]:
        calibrate()
        return {"validation": accuracy(lambda x: network(x)[:, : len(data.labels)], features, choosing.targets)}

    if teacher is not None:
        teacher.eval()
        identity = {**identity, "teacher": weights_digest(teacher), "distillation": distillation}
    return fit(network, data, frontend, recipe, run, identity, step, measure, progress, calibrate, measure_every)


def train_float(
    network: Network,
    data: ClipData,
    frontend: Mfcc,
    recipe: Recipe,
    run: str | Path,
    calibration: Tensor,
    teacher: Network | None = None,
    measure_every: int = 1,
) -> Network:
    """Train a Network by `train_network`, its norms measured on `calibration` (clips, coefficients, frames)."""
    calibrate, identity = partial(recalibrate, network, calibration), {"arch": network.arch.to_dict()}
    return train_network(
        network, data, frontend, recipe, run, identity, calibrate, teacher, measure_every=measure_every
    )


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
        save_tensors(run / "checkpoint.safetensors", tensors, {"log": rows})
        write_json(run / "log.json", rows)
    wait()


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


def _read_state(run: Path, module: nn.Module, optimiser: torch.optim.Optimizer, identity: dict) -> list[dict]:
    identity, path = json.loads(canonical_json(identity)), run / "checkpoint.safetensors"
    if not path.is_file() or not (run / "recipe.json").is_file():
        write_json(run / "recipe.json", identity)
    stored = read_json(run / "recipe.json")
    if stored != identity:
        differs = [key for key in sorted({*stored, *identity}) if stored.get(key) != identity.get(key)]
        raise InvalidCheckpoint(
            f"{run}: holds another run ({', '.join(differs)} differ); name another folder or delete it"
        )
    if not path.is_file():
        return []
    tensors, metadata = load_tensors(path)
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
