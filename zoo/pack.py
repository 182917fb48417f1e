"""Packages: one sub-network in one folder, integers only, checked when read. No torch here.

    config.json               task, labels, Arch, front end, quantisation, costs, accuracies, licence, digests
    model.safetensors         its integers, packed
    test_vectors.safetensors  samples, quantised features and the exact logits that they must give
    README.md                 the model card

`config.json` holds the digests of the other files; the hub's index holds that of `config.json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predictors import estimate
from supernet.errors import EarshotError
from supernet.families import inner_bits, layers
from supernet.files import load_tensors, read_json, tensors_to_bytes
from supernet.quant.packing import pack, unpack
from supernet.space import Arch, LayerSpec, digest
from zoo.entry import MEASURED, Entry, is_safe_name
from zoo.errors import InvalidPackage

__all__ = [
    "CARD",
    "CONFIG",
    "FILES",
    "MODEL",
    "REMEDY",
    "SCHEMA",
    "VECTORS",
    "Config",
    "model_bytes",
    "read_config",
    "read_tensors",
    "read_vectors",
]

SCHEMA = 1
CONFIG, MODEL, VECTORS, CARD = "config.json", "model.safetensors", "test_vectors.safetensors", "README.md"
FILES = (MODEL, VECTORS, CARD)
NEEDED_COSTS = {"macs", "params", "weight_bytes", "flash_bytes"}
REMEDY = "take the model from its source again"


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
                peak_ram_bytes=estimate(self.arch).peak_ram_bytes,
                streamable=self.values["streamable"],
                dataset=self.values["dataset"]["id"],
                validation=accuracy["validation"]["accuracy"],
                test=accuracy["test"]["accuracy"] if "test" in accuracy else None,
                basis=accuracy["validation"].get("basis", MEASURED),
                licence=self.values["licence"],
                config_sha256=config_sha256,
            )
        except (KeyError, TypeError) as error:
            raise InvalidPackage(f"{self.folder / CONFIG}: {error} is missing; {REMEDY}") from None


def model_bytes(arch: Arch, tensors: dict[str, Any], grids: dict[str, str]) -> bytes:
    """The `model.safetensors` of a network: same network in, same bytes out.

    tensors: an `IntegerLayer` by layer name. grids: of the weights, by layer name.
    """
    arrays = {}
    for spec in layers(arch):
        if spec.kind == "input":
            continue
        layer = tensors[spec.name]
        arrays[f"{spec.name}.multiplier"], arrays[f"{spec.name}.shift"] = layer.multiplier, layer.shift
        if spec.has_weights:
            arrays[f"{spec.name}.bias"] = layer.bias
            arrays[f"{spec.name}.weight_packed"] = pack(layer.weight, spec.weight_bits, grids[spec.name])
    return tensors_to_bytes(arrays, _metadata(arch, grids))


def _metadata(arch: Arch, grids: dict[str, str]) -> dict:
    """What `model.safetensors` says of its packed weights."""
    weights = {
        spec.name: {"num_bits": spec.weight_bits, "grid": grids[spec.name], "shape": list(spec.weight_shape)}
        for spec in layers(arch)
        if spec.has_weights
    }
    return {"arch": arch.digest, "weights": weights}


def read_config(folder: str | Path, config_sha256: str | None = None) -> Config:
    """The checked `config.json` of a package. config_sha256: the digest that an index gives.

    Raises InvalidPackage, naming the file, for one that is missing, altered, of another version or contradicts itself.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if not path.is_file():
        raise InvalidPackage(f"{folder}: not a model package ({CONFIG} is missing); give the folder of a package")
    if config_sha256 is not None and digest(path.read_bytes()) != config_sha256:
        raise InvalidPackage(f"{path}: not the file that the hub's index lists (its digest differs); {REMEDY}")
    try:
        values = read_json(path)
    except EarshotError as error:
        raise InvalidPackage(f"{error}; {REMEDY}") from None
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise InvalidPackage(f"{path}: not of schema {SCHEMA}; use the version of Earshot that wrote it")
    try:
        arch = Arch.from_dict(values["arch"])
        _check_config(values, arch)
    except KeyError as error:
        raise InvalidPackage(f"{path}: {error} is missing; {REMEDY}") from None
    except (EarshotError, TypeError, AttributeError) as error:
        raise InvalidPackage(f"{path}: {error}; {REMEDY}") from None
    return Config(folder, values, arch, tuple(values["labels"]))


def _check_config(values: dict, arch: Arch) -> None:
    """Raise InvalidPackage for a configuration that contradicts its own architecture."""
    specs = layers(arch)
    if not arch.weight_bits:
        raise InvalidPackage("the architecture has no bits")
    quantisation, features = values["quantization_config"], values["frontend"]
    weighted = {spec.name: spec.weight_bits for spec in specs if spec.has_weights}
    for valid, what in (
        (is_safe_name(values["name"]) and is_safe_name(values["task"]), "the name or the task is not a safe name"),
        (all(isinstance(values[key], str) for key in ("licence", "attribution")), "licence or attribution is no text"),
        (_texts(values["notes"]), "the notes are not texts"),
        (_texts(values["labels"]) and len(set(values["labels"])) == len(values["labels"]), "the labels are not names"),
        (isinstance(values.get("multi_label", False), bool), "multi_label is neither true nor false"),
        (_is_detection(values.get("detection")), "the settings of detection are not numbers"),
        (len(values["labels"]) == arch.classes, f"the labels do not fit the {arch.classes} classes of the network"),
        (set(values["digests"]) == set(FILES), "the digests are not those of the package's files"),
        (_has_costs(values["costs"], asdict(estimate(arch))), "the costs are not those of the architecture"),
        (
            {name: layer["num_bits"] for name, layer in quantisation["layers"].items()} == weighted,
            "the bits are not those of the architecture",
        ),
        (
            (quantisation["weights"]["num_bits"], quantisation["activations"]["num_bits"]) == inner_bits(arch),
            "the bits are not those of the architecture",
        ),
        (
            tuple(features[key] for key in asdict(arch.features)) == tuple(asdict(arch.features).values()),
            "the front end is not that of the architecture",
        ),
    ):
        if not valid:
            raise InvalidPackage(what)


def _has_costs(stored: dict, exact: dict) -> bool:
    """True where no stored figure is another; RAM was not stated before version 0.6."""
    return all(stored.get(name, None if name in NEEDED_COSTS else value) == value for name, value in exact.items())


def _is_detection(values: Any) -> bool:
    """True for the settings and figures of a detection, and for none."""
    if values is None:
        return True
    settings = ("threshold", "smoothing", "refractory_ms", "hop_ms", "false_alarms_per_hour", "hours")
    return isinstance(values, dict) and all(
        isinstance(values.get(key), (int, float)) and values[key] >= 0 for key in settings
    )


def _texts(values: Any) -> bool:
    """True for a list of printable texts of some length."""
    return isinstance(values, list) and all(
        isinstance(text, str) and text.isprintable() and 0 < len(text) <= 1000 for text in values
    )


def _read(config: Config, name: str) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and metadata of a safetensors file of a package, after checking its digest."""
    try:
        return load_tensors(config.folder / name, config.values["digests"][name])
    except EarshotError as error:
        raise InvalidPackage(f"{error}; {REMEDY}") from None


def read_tensors(config: Config) -> dict[str, dict[str, np.ndarray]]:
    """The integers of each layer: multiplier, shift and, where the layer has them, weight and bias.

    Raises InvalidPackage for a file that is missing, altered or does not fit the architecture.
    """
    arrays, metadata = _read(config, MODEL)
    grids = {name: layer["grid"] for name, layer in config.values["quantization_config"]["layers"].items()}
    tensors: dict[str, dict[str, np.ndarray]] = {}
    try:
        if metadata != _metadata(config.arch, grids):
            raise InvalidPackage("its bits, grids or shapes are not those of the configuration")
        for spec in config.layers:
            if spec.kind == "input":
                continue
            parts = ("multiplier", "shift", "bias") if spec.has_weights else ("multiplier", "shift")
            tensors[spec.name] = {part: arrays.pop(f"{spec.name}.{part}") for part in parts}
            if spec.has_weights:
                packed = arrays.pop(f"{spec.name}.weight_packed")
                tensors[spec.name]["weight"] = unpack(packed, spec.weight_shape, spec.weight_bits, grids[spec.name])
    except KeyError as error:
        raise InvalidPackage(f"{config.folder / MODEL}: {error} is missing; {REMEDY}") from None
    except EarshotError as error:
        raise InvalidPackage(f"{config.folder / MODEL}: {error}; {REMEDY}") from None
    if arrays:
        raise InvalidPackage(f"{config.folder / MODEL}: has unknown tensors {sorted(arrays)[:3]}; {REMEDY}")
    return tensors


def read_vectors(config: Config) -> dict[str, np.ndarray]:
    """samples (clips, samples) int16, features (clips, coefficients, frames) int8, logits (clips, classes) int16."""
    return _read(config, VECTORS)[0]
