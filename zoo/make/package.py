"""Making packages of integer networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch

from predictors import estimate
from supernet.arch import Arch
from supernet.bits import MIXED, inner_bits
from supernet.data.augment import plain_features
from supernet.data.clips import ClipData
from supernet.errors import InvalidModel
from supernet.families import family
from supernet.files import digest
from supernet.frontend.mfcc import Mfcc
from supernet.integer.packing import default_grid
from supernet.integer.runtime import IntegerNetwork
from supernet.metrics import accuracy_interval, confusion, mean_average_precision, right
from supernet.nn.frontend import quantise_features
from supernet.nn.integer import TorchIntegers
from supernet.train.evaluate import predict
from zoo.package.read import MAX_CLIPS, model_bytes
from zoo.package.schema import SCHEMA
from zoo.package.write import exact_costs, seal
from zoo.run.conditions import condition_figures, measured_conditions
from zoo.run.known import digests_text
from zoo.run.vectors import vector_bytes

__all__ = [
    "accuracy_figures",
    "known_clips",
    "measured_as",
    "noise",
    "package_name",
    "packed",
    "pooled_figures",
    "split_figures",
    "vector_clips",
    "write_package",
]

VECTOR_CLIPS, VECTOR_SAMPLES = 2, 32_000
"""Most clips of a package's test vectors, and about how many samples they have together."""
NOISE_SEED, NOISE_SAMPLES, LOUDNESS, SAMPLES_PER_MS = 0, 16_000, (10, 8000), 16
"""Of noise in test vectors; its least and largest deviation in steps of 16 bits."""
MOST_CONFUSED = 100
"""Classes of which a confusion matrix is kept: more are no picture, and megabytes."""


def accuracy_figures(network: IntegerNetwork, features: torch.Tensor, targets: np.ndarray) -> dict:
    """Accuracy (0 to 1) of the integers, its 95 % interval, the clips, and how they are confused where classes are few;
    where a clip may have several labels, the mean average precision, too.

    features: (clips, coefficients, frames); targets: as `supernet.metrics.right` and `confusion` take them.
    """
    integers = TorchIntegers(network)
    logits = predict(lambda x: integers(quantise_features(x)), features).cpu().numpy()
    share = float(right(logits, targets).mean())
    ends = [round(end, 6) for end in accuracy_interval(share, len(targets))]
    counts = {"confusion": confusion(logits, targets).tolist()} if logits.shape[1] <= MOST_CONFUSED else {}
    if targets.ndim > 1:
        counts["mean_average_precision"] = round(mean_average_precision(logits, targets), 6)
    return {"accuracy": round(share, 6), "interval": ends, "clips": len(targets), **counts}


def split_figures(network: IntegerNetwork, frontend: Mfcc, data: ClipData, name: str) -> dict:
    """What `config.json` states of the integers on a split: `accuracy_figures`, and of test those in each condition,
    where a clip has one label (see `measured_as`).
    """
    split = data.splits[name]
    figures = accuracy_figures(network, plain_features(data, split.rows, frontend), split.targets)
    if name == "test" and not data.multi_label:
        figures["conditions"] = condition_figures(network, frontend, data, name, progress=True)
    return figures


def measured_as(data: ClipData, name: str) -> dict:
    """What `split_figures` of a split hang on, beside the network and the clips."""
    heard = name == "test" and not data.multi_label
    return {"split": name, "conditions": measured_conditions() if heard else ()}


def pooled_figures(parts: Sequence[dict], folds: Sequence[int] = ()) -> dict:
    """The figures of all clips of several `split_figures` together. folds: of the cross-validation that they are of."""
    clips = sum(one["clips"] for one in parts)
    share = sum(one["accuracy"] * one["clips"] for one in parts) / clips
    ends = [round(end, 6) for end in accuracy_interval(share, clips)]
    found = {"accuracy": round(share, 6), "interval": ends, "clips": clips}
    if all("confusion" in one for one in parts):
        found["confusion"] = np.sum([one["confusion"] for one in parts], axis=0).tolist()
    heard = [one["conditions"] for one in parts if "conditions" in one]
    names = [name for name in heard[0] if all(name in one for one in heard)] if len(heard) == len(parts) else []
    conditions = {name: pooled_figures([one[name] for one in heard]) for name in names}
    return {**found, **({"conditions": conditions} if conditions else {}), **({"folds": list(folds)} if folds else {})}


def write_package(
    parent: str | Path,
    network: IntegerNetwork,
    frontend: Mfcc,
    samples: np.ndarray,
    info: dict,
) -> Path:
    """Write a package into a new folder of its own name under `parent`, whole or not at all; returns the folder.

    samples: (1 to MAX_CLIPS clips, samples) int16 for the test vectors; after fewer than a clip has silence follows.
    info: task, labels, licence, attribution, notes, limits, dataset, accuracy and training, as the card shows them.
    Raises InvalidModel or InvalidPackage for what no package may hold.
    """
    if not 1 <= len(samples) <= MAX_CLIPS:
        raise InvalidModel(f"{len(samples)} clips of test vectors are not possible: give 1 to {MAX_CLIPS}")
    arch = network.arch
    frontend = frontend.select(arch.features.coefficients, arch.features.step_ms)
    whole = arch.frames * frontend.hop_samples
    if not 1 <= samples.shape[1] <= whole:
        raise InvalidModel(f"clips of {samples.shape[1]:,} samples are no test vectors: give 1 to {whole:,}")
    model, cost = packed(network), estimate(arch)
    if cost.weight_bytes != sum(array.nbytes for array in safetensors.numpy.load(model).values()):
        raise InvalidModel("the packed bytes are not those of the cost model; please report this")
    values = {
        **info,
        "schema": SCHEMA,
        "name": package_name(info["task"], network),
        "streamable": family(arch.family).streamable,
        "arch": arch.to_dict(),
        "frontend": frontend.to_dict(),
        "quantization_config": _quantisation(network),
        "costs": exact_costs(arch, frontend),
    }
    return seal(parent, values, model, vector_bytes(frontend, network, samples, model))


def package_name(task: str, network: IntegerNetwork) -> str:
    """Of a package: task, family, MACs, bits, and the beginning of the digest of its integers."""
    arch, (bits, activation_bits) = network.arch, inner_bits(network.arch)
    kind = MIXED if MIXED in (bits, activation_bits) else f"w{bits}a{activation_bits}"
    return f"{task}-{arch.family}-{_short(estimate(arch).macs)}-{kind}-{digest(packed(network))[:8]}"


def known_clips(data: ClipData) -> dict:
    """What `training` states of the clips that training heard, and of those that it was chosen and measured by."""
    rows = {name: data.splits[name].rows for name in ("train", "validation", "test") if name in data.splits}
    rows["train"] = np.concatenate([rows["train"], data.unknown])
    if "choosing" in data.splits:
        rows["validation"] = np.concatenate([rows["validation"], data.choosing.rows])
    return digests_text({name: (data.audio[row] for row in own) for name, own in rows.items()})


def packed(network: IntegerNetwork) -> bytes:
    """The `model.safetensors` of a network."""
    return model_bytes(network.arch, network.tensors, _grids(network))


def _grids(network: IntegerNetwork) -> dict[str, str]:
    """Of the weights, by layer."""
    return {spec.name: default_grid(spec.weight_bits) for spec in network.specs if spec.has_weights}


def vector_clips(samples: int) -> int:
    """How many clips of so many samples a package's test vectors are of."""
    return max(1, min(VECTOR_CLIPS, VECTOR_SAMPLES // samples))


def noise(arch: Arch) -> np.ndarray:
    """(clips, samples) int16: noise that grows louder, for test vectors, which need no recording: of a second each."""
    rng, length = np.random.default_rng(NOISE_SEED), arch.frames * arch.features.step_ms * SAMPLES_PER_MS
    count, length = vector_clips(length), min(length, NOISE_SAMPLES)
    return np.clip(rng.standard_normal((count, length)) * np.geomspace(*LOUDNESS, length), -32768, 32767).astype(
        np.int16
    )


def _quantisation(network: IntegerNetwork) -> dict:
    """Field names after compressed-tensors."""
    (bits, activation_bits), grids = inner_bits(network.arch), _grids(network)
    return {
        "quant_method": "earshot",
        "weights": {"num_bits": bits, "symmetric": True, "strategy": "channel"},
        "activations": {"num_bits": activation_bits, "symmetric": False, "strategy": "tensor"},
        "layers": {
            spec.name: {"num_bits": spec.weight_bits, "grid": grids[spec.name]}
            for spec in network.specs
            if spec.has_weights
        },
        "tensors": {
            name: {"scale": value.scale, "zero_point": value.zero_point, "num_bits": value.bits}
            for name, value in network.activations.items()
        },
    }


def _short(macs: int) -> str:
    return f"{macs / 1e6:.2g}M" if macs < 10e6 else f"{macs / 1e6:.0f}M"
