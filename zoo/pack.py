"""Packages: one sub-network in one folder, integers only, checked when read. No torch here.

    config.json               task, labels, Arch, front end, quantisation, costs, accuracies, licence, digests
    model.safetensors         its integers, packed
    test_vectors.safetensors  samples, quantised features and the exact logits that they must give
    README.md                 the model card

`config.json` holds the digests of the other files; the hub's index holds that of `config.json`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supernet.errors import EarshotError
from supernet.families import layers
from supernet.files import load_tensors, read_json, tensors_to_bytes
from supernet.quant.packing import grid_limit, pack, unpack
from supernet.space import Arch, LayerSpec
from zoo.entry import Entry, is_safe_name
from zoo.errors import InvalidPackage

__all__ = [
    "CARD",
    "CONFIG",
    "FILES",
    "MODEL",
    "SCHEMA",
    "VECTORS",
    "Config",
    "model_bytes",
    "read_config",
    "read_tensors",
    "read_vectors",
    "sha256",
]

SCHEMA = 1
CONFIG, MODEL, VECTORS, CARD = "config.json", "model.safetensors", "test_vectors.safetensors", "README.md"
FILES = (MODEL, VECTORS, CARD)
MAX_FILE_BYTES = 64_000_000
REMEDY = "take the model from its source again"


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Config:
    """A package's `config.json`, checked. `values` is all of it."""

    folder: Path
    values: dict
    arch: Arch
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's name."""
        return self.values["name"]

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers of the network, with their bits."""
        return layers(self.arch)

    def entry(self, config_sha256: str) -> Entry:
        """What an index says of this package. Raises InvalidPackage where a figure is missing."""
        try:
            costs, accuracy, quantisation = (self.values[key] for key in ("costs", "accuracy", "quantization_config"))
            return Entry(
                name=self.name,
                task=self.values["task"],
                family=self.arch.family,
                bits=quantisation["weights"]["num_bits"],
                activation_bits=quantisation["activations"]["num_bits"],
                macs=costs["macs"],
                params=costs["params"],
                frontend_macs=costs["frontend_macs"],
                weight_bytes=costs["weight_bytes"],
                flash_bytes=costs["flash_bytes"],
                validation=accuracy["validation"]["accuracy"],
                test=accuracy["test"]["accuracy"],
                licence=self.values["licence"],
                config_sha256=config_sha256,
            )
        except (KeyError, TypeError) as error:
            raise InvalidPackage(f"{self.folder / CONFIG}: {error} is missing; {REMEDY}") from None


def model_bytes(arch: Arch, tensors: dict[str, Any], grids: dict[str, str]) -> bytes:
    """The `model.safetensors` of a network: same network in, same bytes out.

    tensors: an `IntegerLayer` by layer name. grids: of the weights, by layer name.
    """
    arrays, packed = {}, {}
    for spec in layers(arch):
        if spec.kind == "input":
            continue
        layer = tensors[spec.name]
        arrays[f"{spec.name}.multiplier"], arrays[f"{spec.name}.shift"] = layer.multiplier, layer.shift
        if spec.has_weights:
            grid = grids[spec.name]
            arrays[f"{spec.name}.bias"] = layer.bias
            arrays[f"{spec.name}.weight_packed"] = pack(layer.weight, spec.weight_bits, grid)
            packed[spec.name] = {"bits": spec.weight_bits, "grid": grid, "shape": list(spec.weight_shape)}
    return tensors_to_bytes(arrays, {"arch": arch.digest, "weights": packed})


def read_config(folder: str | Path, config_sha256: str | None = None) -> Config:
    """The checked `config.json` of a package. config_sha256: the digest that an index gives.

    Raises InvalidPackage, naming the file, for one that is missing, altered, of another version or contradicts itself.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if not path.is_file():
        raise InvalidPackage(f"{folder}: not a model package ({CONFIG} is missing); give the folder of a package")
    _check_size(path)
    if config_sha256 is not None and sha256(path.read_bytes()) != config_sha256:
        raise InvalidPackage(f"{path}: not the file that the hub's index lists (its digest differs); {REMEDY}")
    try:
        values = read_json(path)
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise InvalidPackage(f"written with another schema than {SCHEMA}; use the version of Earshot that wrote it")
        arch = Arch.from_dict(values["arch"])
        layers(arch)
        labels = tuple(values["labels"])
        _check_config(values, arch, labels)
    except KeyError as error:
        raise InvalidPackage(f"{path}: {error} is missing; {REMEDY}") from None
    except (EarshotError, TypeError, AttributeError) as error:
        raise InvalidPackage(f"{path}: {error}; {REMEDY}") from None
    return Config(folder, values, arch, labels)


def _check_config(values: dict, arch: Arch, labels: tuple[str, ...]) -> None:
    if not is_safe_name(values["name"]):
        raise InvalidPackage(f"{values['name']!r} is not a safe name")
    texts = all(isinstance(label, str) and label.isprintable() and 0 < len(label) <= 100 for label in labels)
    if not texts or len(set(labels)) != len(labels) or len(labels) != arch.classes:
        raise InvalidPackage(f"the labels do not fit the {arch.classes} classes of the network")
    if not arch.weight_bits:
        raise InvalidPackage("the architecture has no bits")
    if set(values["digests"]) != set(FILES):
        raise InvalidPackage("the digests are not those of the package's files")


def _check_size(path: Path) -> None:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InvalidPackage(f"{path}: larger than {MAX_FILE_BYTES:,} bytes, which no package is; {REMEDY}")


def _read(config: Config, name: str) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file of a package, after checking its digest."""
    path = config.folder / name
    if not path.is_file():
        raise InvalidPackage(f"{path}: the file is missing; {REMEDY}")
    _check_size(path)
    if sha256(path.read_bytes()) != config.values["digests"][name]:
        raise InvalidPackage(f"{path}: truncated or altered (its digest differs from {CONFIG}); {REMEDY}")
    try:
        return load_tensors(path)[0]
    except EarshotError as error:
        raise InvalidPackage(str(error)) from None


def read_tensors(config: Config) -> dict[str, dict[str, np.ndarray]]:
    """The integers of each layer: multiplier, shift and, where the layer has them, weight and bias.

    Raises InvalidPackage for a file that is missing, altered or does not fit the architecture.
    """
    arrays = _read(config, MODEL)
    tensors: dict[str, dict[str, np.ndarray]] = {}
    try:
        for spec in config.layers:
            if spec.kind == "input":
                continue
            parts = ("multiplier", "shift", "bias") if spec.has_weights else ("multiplier", "shift")
            tensors[spec.name] = {part: arrays.pop(f"{spec.name}.{part}") for part in parts}
            if spec.has_weights:
                grid = config.values["quantization_config"]["layers"][spec.name]["grid"]
                grid_limit(spec.weight_bits, grid)
                packed = arrays.pop(f"{spec.name}.weight_packed")
                tensors[spec.name]["weight"] = unpack(packed, spec.weight_shape, spec.weight_bits, grid)
    except (KeyError, TypeError) as error:
        raise InvalidPackage(f"{config.folder / MODEL}: {error} is missing; {REMEDY}") from None
    except EarshotError as error:
        raise InvalidPackage(f"{config.folder / MODEL}: {error}; {REMEDY}") from None
    if arrays:
        raise InvalidPackage(f"{config.folder / MODEL}: has unknown tensors {sorted(arrays)[:3]}; {REMEDY}")
    return tensors


def read_vectors(config: Config) -> dict[str, np.ndarray]:
    """samples (clips, samples) int16, features (clips, coefficients, frames) int8, logits (clips, classes) int16."""
    return _read(config, VECTORS)
