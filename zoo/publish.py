"""Making packages of integer networks and putting them into a hub."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch

from predictors import estimate
from predictors.estimate import RUNTIME_BYTES
from supernet.evaluate import accuracy_interval
from supernet.files import tensors_to_bytes, write_bytes, write_json
from supernet.frontend import Mfcc, quantise_features
from supernet.quant.integer import IntegerNetwork
from supernet.quant.packing import default_grid
from zoo.card import card
from zoo.errors import InvalidModel
from zoo.hub import Hub
from zoo.pack import CARD, CONFIG, MODEL, SCHEMA, VECTORS, model_bytes, sha256
from zoo.run import Model

__all__ = ["accuracy_figures", "publish", "write_package"]


def accuracy_figures(network: IntegerNetwork, features: torch.Tensor, targets: np.ndarray, batch: int = 256) -> dict:
    """Accuracy (0 to 1) of the integers, its 95 % interval and the clips; features (clips, coefficients, frames)."""
    right = sum(
        int((network(features[first : first + batch]).argmax(1).numpy() == targets[first : first + batch]).sum())
        for first in range(0, len(features), batch)
    )
    share = right / len(targets)
    low, high = accuracy_interval(share, len(targets))
    return {"accuracy": round(share, 6), "interval": [round(low, 6), round(high, 6)], "clips": len(targets)}


def write_package(
    parent: str | Path, network: IntegerNetwork, frontend: Mfcc, samples: np.ndarray, bits: int, info: dict
) -> Path:
    """Write a package into a new folder of its own name under `parent`, whole or not at all; returns the folder.

    samples: (clips, samples) int16 for the test vectors. bits: of the weights in inner layers. info: task, labels,
    licence, attribution, notes, limits, dataset, accuracy and training, as the card shows them.
    """
    arch = network.arch
    frontend = frontend.select(arch.features.coefficients, arch.features.step_ms)
    grids = {spec.name: default_grid(spec.weight_bits) for spec in network.specs if spec.has_weights}
    model = model_bytes(arch, network.tensors, grids)
    cost = estimate(arch)
    if cost.weight_bytes != sum(array.nbytes for array in safetensors.numpy.load(model).values()):
        raise InvalidModel("the packed bytes are not those of the cost model; please report this")
    features = quantise_features(frontend(torch.from_numpy(samples.astype(np.float32) / 32768)))
    vectors = {"samples": samples, "features": features.numpy(), "logits": network(features).numpy()}
    activation_bits = arch.activation_bits[1]
    name = f"{info['task']}-{arch.family}-{_short(cost.macs)}-w{bits}a{activation_bits}-{sha256(model)[:8]}"
    values = {
        **info,
        "schema": SCHEMA,
        "name": name,
        "arch": arch.to_dict(),
        "frontend": frontend.to_dict(),
        "quantization_config": _quantisation(network, grids, bits, activation_bits),
        "costs": {**asdict(cost), "runtime_bytes": RUNTIME_BYTES, "frontend_macs": frontend.macs(arch.frames)},
    }
    files = {
        MODEL: model,
        VECTORS: tensors_to_bytes(vectors, {"model": sha256(model)}),
        CARD: card(values).encode(),
    }
    values["digests"] = {file: sha256(data) for file, data in files.items()}
    return _write_folder(Path(parent), name, files, values)


def publish(package: str | Path, hub: str | Path) -> Hub:
    """Copy a package into the hub in a folder, made where there is none, and list it; its test vectors must hold."""
    package, folder = Path(package), Path(hub)
    model = Model.from_folder(package)
    model.verify()
    place = folder / "models" / model.name
    if place.resolve() != package.resolve():
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=place.parent.parent))
        shutil.copytree(package, part, dirs_exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        part.chmod(0o755)
        part.rename(place)
    return Hub.rebuild(folder)


def _write_folder(parent: Path, name: str, files: dict[str, bytes], values: dict) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=parent))
    try:
        for file, data in files.items():
            write_bytes(part / file, data)
        write_json(part / CONFIG, values)
        part.chmod(0o755)
        shutil.rmtree(parent / name, ignore_errors=True)
        part.rename(parent / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return parent / name


def _quantisation(network: IntegerNetwork, grids: dict[str, str], bits: int, activation_bits: int) -> dict:
    """Field names after compressed-tensors."""
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
