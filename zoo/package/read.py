"""Packages: one sub-network in one folder, integers only, checked when read. No torch here.

    config.json               task, labels, Arch, front end, quantisation, costs, accuracies, licence, digests
    model.safetensors         its integers, packed
    test_vectors.safetensors  samples, and the exact integers that they must give (see zoo.run.vectors)
    README.md                 the model card
    accuracy.png              its confusion matrix, where there is one
    detection.png             misses over false alarms an hour, where they are known

`config.json` holds the digests of the other files; the hub's index holds that of `config.json`. Nothing that a package
says is believed: its layout is that of `config.schema.json`, files are refused by their size before they are read, and
what can be computed from the architecture must be what is stated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from predictors import estimate
from supernet.arch import Arch
from supernet.bits import inner_bits
from supernet.errors import EarshotError, InvalidPackage
from supernet.families import family
from supernet.files import digest, load_tensors, parse_json, read_bytes, tensors_to_bytes
from supernet.frontend.base import frontend_from_dict
from supernet.integer.packing import pack, unpack
from supernet.layer import LayerSpec, layers, parts
from supernet.memory import answer_frames
from zoo.package.detected import detection_figures, has_bound
from zoo.package.entry import MEASURED, PREDICTED, Entry
from zoo.package.schema import FORMER, SCHEMA, check_values, check_version

__all__ = [
    "CARD",
    "CONFIG",
    "CURVE",
    "FILES",
    "MAX_CLIPS",
    "MODEL",
    "PICTURE",
    "REMEDY",
    "SCHEMA",
    "VECTORS",
    "Config",
    "entry_of",
    "model_bytes",
    "read_config",
    "read_tensors",
    "read_vectors",
]

CONFIG, MODEL, VECTORS, CARD = "config.json", "model.safetensors", "test_vectors.safetensors", "README.md"
PICTURE, CURVE = "accuracy.png", "detection.png"
FILES = (MODEL, VECTORS, CARD)
"""Of every package; PICTURE is there where the confusion was measured, CURVE where words were heard in a stream."""
MAX_CLIPS, STREAMED_CLIPS = 16, 2
"""Of test vectors, and of the stream in them."""
MAX_CONFIG_BYTES, MAX_ARENA_BYTES = 8_000_000, 8 * 2**20
ROUNDING = 1e-6
MAX_LOGIT_SCALE = 1.0
"""Of a step of the logits; trained networks have some hundredths."""
HEADER_BYTES, LAYER_HEADER_BYTES = 4096, 2048
"""Of a safetensors file, beside its tensors: at most so many."""
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
    def files(self) -> tuple[str, ...]:
        """Names of the files beside `config.json`."""
        return tuple(self.values["digests"])

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers of the network, with their bits."""
        return layers(self.arch)

    def entry(self, config_sha256: str) -> Entry:
        """What an index says of this package. Raises InvalidPackage for a figure of the wrong type."""
        return entry_of(self.values, self.arch, config_sha256)


def entry_of(values: dict, arch: Arch, config_sha256: str = "") -> Entry:
    """What an index says of a package. values: its `config.json`, digests not needed. Raises InvalidPackage for a
    figure of the wrong type.
    """
    cost = estimate(arch)
    costs, accuracy, quantisation = (values[key] for key in ("costs", "accuracy", "quantization_config"))
    return Entry(
        name=values["name"],
        task=values["task"],
        family=arch.family,
        bits=quantisation["weights"]["num_bits"],
        activation_bits=quantisation["activations"]["num_bits"],
        macs=costs["macs"],
        params=costs["params"],
        frontend_macs=costs["frontend_macs"],
        weight_bytes=costs["weight_bytes"],
        flash_bytes=cost.flash_bytes,
        stream_ram_bytes=cost.stream_ram_bytes,
        clip_ram_bytes=cost.clip_ram_bytes,
        streamable=values["streamable"],
        dataset=values["dataset"]["id"],
        validation=accuracy["validation"]["accuracy"],
        test=accuracy["test"]["accuracy"] if "test" in accuracy else None,
        basis=accuracy["validation"].get("basis", MEASURED),
        licence=values["licence"],
        config_sha256=config_sha256,
        labels=tuple(values["labels"]),
        **detection_figures(values.get("detection")),
    )


def model_bytes(arch: Arch, tensors: dict[str, Any], grids: dict[str, str]) -> bytes:
    """The `model.safetensors` of a network: same network in, same bytes out.

    tensors: an `IntegerLayer` by layer name. grids: of the weights, by layer name.
    """
    arrays = {}
    for spec in layers(arch):
        if not spec.inputs:
            continue
        layer = tensors[spec.name]
        arrays |= {f"{spec.name}.{part}": getattr(layer, part) for part in spec.operator.rescaling(spec)}
        if spec.has_weights:
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
    try:
        data = read_bytes(path, MAX_CONFIG_BYTES)
    except EarshotError as error:
        raise InvalidPackage(f"{error}; {REMEDY}") from None
    if config_sha256 is not None and digest(data) != config_sha256:
        raise InvalidPackage(
            f"{path}: not the file that the hub's index lists (its digest differs); `earshot rebuild` lists it anew, "
            f"or {REMEDY}"
        )
    arch = _checked(data, path)
    values = parse_json(data, path)
    return Config(folder, values, arch, tuple(values["labels"]))


@lru_cache(maxsize=64)
def _checked(data: bytes, path: Path) -> Arch:
    """The architecture of a `config.json` that holds."""
    try:
        values = parse_json(data, path)
    except EarshotError as error:
        raise InvalidPackage(f"{error}; {REMEDY}") from None
    check_version(values, path)
    try:
        check_values(values)
        arch = Arch.from_dict(values["arch"])
        _check_config(values, arch)
    except EarshotError as error:
        raise InvalidPackage(f"{path}: {error}; {REMEDY}") from None
    return arch


def _check_config(values: dict, arch: Arch) -> None:
    """Raise InvalidPackage for a configuration that contradicts itself, or that no tiny device could run."""
    specs, exact = layers(arch), asdict(estimate(arch))
    quantisation, features, labels = values["quantization_config"], values["frontend"], values["labels"]
    weighted = {spec.name: spec.weight_bits for spec in specs if spec.has_weights}
    between = {spec.name: spec.activation_bits for spec in specs}
    inner, splits = tuple(quantisation[key]["num_bits"] for key in ("weights", "activations")), values["accuracy"]
    many, logits = values.get("multi_label", False), _logit_scale(quantisation, specs)
    for valid, what in (
        (values["name"].endswith(values["digests"][MODEL][:8]), f"the name does not end with the digest of {MODEL}"),
        (len(labels) == arch.classes, f"{len(labels)} labels do not fit the {arch.classes} classes of the network"),
        (values["streamable"] == family(arch.family).streamable, "streamable is not that of the family"),
        (_has_costs(values["costs"], exact), "the costs are not those of the architecture"),
        (exact["arena_bytes"] <= MAX_ARENA_BYTES, f"the network computes in more than {MAX_ARENA_BYTES:,} bytes"),
        (_bits(quantisation["layers"]) == weighted, "the bits of layers are not those of the architecture"),
        (_bits(quantisation["tensors"]) == between, "the bits of tensors are not those of the architecture"),
        (logits <= MAX_LOGIT_SCALE, f"the scale of the logits, {logits:g}, is over {MAX_LOGIT_SCALE:g}"),
        (inner == inner_bits(arch), "the bits are not those of the architecture"),
        (_features(features) == _features(asdict(arch.features)), "the front end is not that of the architecture"),
        (
            _is_hop(values.get("detection"), features["step_ms"]),
            "hop_ms of the detection is not whole frames",
        ),
        (has_bound(values.get("detection")), "the false alarms an hour are not those of their number and hours"),
        (all(map(_in_interval, _all_figures(splits))), "an accuracy is outside of its interval"),
        (all(_is_confusion(one, arch.classes, many) for one in splits.values()), "a confusion is not of its accuracy"),
    ):
        if not valid:
            raise InvalidPackage(what)


def _bits(tensors: dict[str, dict]) -> dict[str, int]:
    return {name: tensor["num_bits"] for name, tensor in tensors.items()}


def _logit_scale(quantisation: dict, specs: tuple[LayerSpec, ...]) -> float:
    """Of the last layer; 0 where the configuration does not name it, which is told of its bits."""
    return quantisation["tensors"].get(specs[-1].name, {"scale": 0.0})["scale"]


def _features(values: dict) -> tuple:
    return tuple(values[key] for key in ("kind", "coefficients", "step_ms"))


def _is_hop(detection: dict | None, step_ms: int) -> bool:
    """Whether a detector looks each so many whole frames."""
    return not detection or detection["hop_ms"] % step_ms == 0


def _has_costs(stored: dict, exact: dict) -> bool:
    """True where no stored figure is another; RAM was not stated before version 0.6. The runtime's is what was measured
    when the package was written, 0 before version 0.17.
    """
    exact = {**exact, "runtime_bytes": stored["runtime_bytes"]}
    exact["flash_bytes"] = stored["weight_bytes"] + stored["runtime_bytes"]
    return all(stored.get(name, value) == value for name, value in exact.items())


def _all_figures(splits: dict[str, dict]) -> list[dict]:
    """Of all splits, and of all conditions of each, which are never predicted."""
    heard = [one for split in splits.values() for one in split.get("conditions", {}).values()]
    return [*splits.values(), *({**one, "basis": MEASURED} for one in heard)]


def _in_interval(figures: dict) -> bool:
    low, high = figures["interval"]
    return low <= figures["accuracy"] <= high or figures.get("basis") == PREDICTED


def _is_confusion(figures: dict, classes: int, many: bool) -> bool:
    """True where each clip of a split is counted once, by its class, and for each class where a clip may have `many`.

    Where it may, no more clips are right than of the class that is worst.
    """
    if "confusion" not in figures:
        return True
    shape, share = (classes, 2, 2) if many else (classes, classes), figures["accuracy"]
    counts, clips = _counts(figures["confusion"], shape), figures["clips"]
    if counts is None or (counts < 0).any() or not (counts.sum((1, 2) if many else None) == clips).all():
        return False
    right = np.trace(counts, axis1=-2, axis2=-1).min() / clips
    return share <= right + ROUNDING if many else abs(share - right) <= ROUNDING


def _counts(values: list, shape: tuple[int, ...]) -> np.ndarray | None:
    """Whole numbers of that shape as float64, which is exact for counts, or None where they are something else."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError):
        return None
    return array.astype(float) if array.shape == shape and array.dtype.kind == "i" else None


def _read(config: Config, name: str, most: int) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and metadata of a safetensors file of a package, of at most `most` bytes, after checking its digest."""
    try:
        return load_tensors(config.folder / name, config.values["digests"][name], most)
    except EarshotError as error:
        raise InvalidPackage(f"{error}; {REMEDY}") from None


def read_tensors(config: Config) -> dict[str, dict[str, np.ndarray]]:
    """The integers of each layer: what its sums are rescaled by and, where the layer has them, its weights.

    Raises InvalidPackage for a file that is missing, altered or does not fit the architecture.
    """
    headers = HEADER_BYTES + LAYER_HEADER_BYTES * len(config.layers)
    arrays, metadata = _read(config, MODEL, config.values["costs"]["weight_bytes"] + headers)
    grids = {name: layer["grid"] for name, layer in config.values["quantization_config"]["layers"].items()}
    tensors: dict[str, dict[str, np.ndarray]] = {}
    try:
        if metadata != _metadata(config.arch, grids):
            raise InvalidPackage("its bits, grids or shapes are not those of the configuration")
        for spec in config.layers:
            if not spec.inputs:
                continue
            rescaling = spec.operator.rescaling(spec)
            tensors[spec.name] = {part: arrays.pop(f"{spec.name}.{part}") for part in rescaling}
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
    """samples, features, layers, logits and stream, as `zoo.run.vectors` makes them; of schema 1 no layers and stream.

    Raises InvalidPackage for a file that is missing, altered or of other shapes and types; clips: 1 to MAX_CLIPS.
    """
    most = sum(prod(shape) * np.dtype(kind).itemsize for shape, kind in _vectors(config, MAX_CLIPS).values())
    arrays, _ = _read(config, VECTORS, most + HEADER_BYTES)
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    clips = arrays["samples"].shape if "samples" in arrays else ()
    if len(clips) != 2 or not (1 <= clips[0] <= MAX_CLIPS and clips[1]) or found != _vectors(config, *clips):
        raise InvalidPackage(f"{config.folder / VECTORS}: not 1 to {MAX_CLIPS} clips of the architecture; {REMEDY}")
    return arrays


def _vectors(config: Config, clips: int, samples: int | None = None) -> dict[str, tuple]:
    """Shapes and types of test vectors of so many clips, of so many samples or of as many as a clip has."""
    arch, whole = config.arch, config.arch.frames * _hop_samples(config)
    found = {
        "samples": ((clips, whole if samples is None else min(samples, whole)), np.int16),
        "features": ((clips, arch.features.coefficients, arch.frames), np.int8),
        "logits": ((clips, arch.classes), np.int16),
    }
    if config.values["schema"] in FORMER:
        return found
    found["layers"] = ((clips, len(config.layers)), np.uint32)
    if config.values["streamable"]:
        found["stream"] = ((STREAMED_CLIPS * answer_frames(parts(arch)), arch.classes), np.int16)
    return found


def _hop_samples(config: Config) -> int:
    try:
        return frontend_from_dict(config.values["frontend"]).hop_samples
    except EarshotError as error:
        raise InvalidPackage(f"{config.folder}: the front end: {error}") from None
