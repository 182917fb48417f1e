"""A firmware project that runs a dozen networks on a board and prints what each takes: see predictors.bench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from math import prod, sqrt
from pathlib import Path

import numpy as np

from predictors.bench import BITS, CODE_BYTES, FIXED_BYTES, FORMAT, Bench, bench_networks
from supernet.arch import Arch
from supernet.cost import weight_bytes
from supernet.integer.form import Activation, IntegerLayer
from supernet.integer.packing import default_grid
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import LayerSpec, layers, parts
from supernet.memory import answer_frames, stream_ram_bytes
from supernet.ops.base import encode_multiplier
from zoo.export.c.folder import MADE
from zoo.export.c.text import array, defines
from zoo.export.c.write import FOLDER, Sources
from zoo.export.licences import licensed
from zoo.export.place import check_free, write_folder

__all__ = ["BenchSources", "export_bench", "random_network"]

BOARD = Path(__file__).with_name("board")
DIGITS = 12
"""Of a network's digest in a line."""
FNV_START, FNV_TIMES = 2166136261, 16777619
FEATURES_SEED = 2**31
"""In the place of a network's number, where features are drawn."""
SPREAD = 60.0
"""Of what a layer of random weights writes, in steps of its integers."""


def export_bench(out: str | Path, bench: Bench | None = None) -> Path:
    """Write a firmware project that measures networks on a board; see the README.md in it. Same bench, same bytes.

    out: made, or one that was exported before, which is replaced. Raises InvalidQuery where too few networks fit, or
    where the folder holds anything else.
    """
    place, bench = Path(out), bench or Bench()
    check_free(place, MADE)
    networks = [_network(bench, arch, number) for number, arch in enumerate(bench_networks(bench))]
    write_folder(place, _files(bench, networks, place.resolve().name), _report(bench, networks), "bench")
    return place


def random_network(arch: Arch, rng: np.random.Generator) -> IntegerNetwork:
    """Integers of a network at random, in whose layers values spread over their 8 bits."""
    specs = layers(arch)
    activations = {spec.name: Activation(1.0, -128 if spec.rectified else 0, spec.activation_bits) for spec in specs}
    return IntegerNetwork(arch, {spec.name: _layer(spec, rng) for spec in specs if spec.inputs}, activations)


def _layer(spec: LayerSpec, rng: np.random.Generator) -> IntegerLayer:
    if not spec.has_weights:
        count = len(spec.inputs)
        return IntegerLayer.unweighted(spec, [1.0] * count, sqrt(count))
    most = 2 ** (spec.weight_bits - 1) - 1
    weight = rng.integers(-most, most + 1, spec.weight_shape).astype(np.int8)
    terms, channels = prod(spec.weight_shape[1:]), spec.out_shape[0]
    real = rng.uniform(0.7, 1.4, channels) / (0.6 * most * sqrt(terms)) * (SPREAD if spec.logits else 1.0)
    bias = rng.integers(-(2**12), 2**12, channels).astype(np.int32)
    return IntegerLayer(*encode_multiplier(real), weight, bias)


class BenchSources(Sources):
    """The C of one network of a bench: a step of a stream, without front end and detector."""

    def __init__(self, network: IntegerNetwork, name: str) -> None:
        self.network, self.name, self.streams = network, name, True
        self.answers = answer_frames(parts(network.arch))
        self.input, *self.specs = layers(network.arch)
        self.grids = {spec.name: default_grid(spec.weight_bits) for spec in self.specs if spec.has_weights}

    def files(self) -> dict[str, str]:
        """Texts by file name."""
        texts = {".h": self._header(), "_internal.h": self._internal(), ".c": self._body()}
        texts |= {"_weights.c": self._weights()}
        return {f"{self.name}{ending}": self.named(text) for ending, text in texts.items()}

    def entry(self, known: int) -> str:
        """Its row in the table of networks. known: the checksum that its logits must have."""
        calls = ", ".join(f"{self.name}_{call}" for call in ("reset", "step", "logits"))
        sizes = f"{self.answers}, {self.clip_features // self.answers}, {self.network.arch.classes}"
        return f'    {{"{self.network.arch.digest[:DIGITS]}", {calls}, {sizes}, {known}U}},'

    @property
    def clip_features(self) -> int:
        """How many values of features a clip has."""
        return self.network.arch.frames * self.network.arch.features.coefficients

    def known(self, features: np.ndarray) -> int:
        """The checksum (FNV-1a) of its logits over a clip of features."""
        maps = features[: self.clip_features].reshape(1, self.network.arch.frames, -1).transpose(0, 2, 1)
        logits, _ = self.network.step(maps, self.network.reset())
        found = FNV_START
        for byte in logits.astype("<i2").tobytes():
            found = (found ^ byte) * FNV_TIMES % 2**32
        return found

    def _header(self) -> str:
        text = (FOLDER / "bench.h").read_text().replace("@MACROS\n", defines(self._sizes))
        return self._with_states(text)

    @property
    def _sizes(self) -> dict[str, int]:
        arch = self.network.arch
        own = {"CLASSES": arch.classes, "COEFFICIENTS": arch.features.coefficients, "ARENA": self.arena.size}
        return own | self._step_sizes

    @property
    def _constants(self) -> dict[str, int]:
        return self._work

    @property
    def _declared(self) -> str:
        return ""

    def _heard(self) -> list[str]:
        return []

    def _around(self) -> list[str]:
        return [(FOLDER / "bench.c").read_text()]


def _network(bench: Bench, arch: Arch, number: int) -> BenchSources:
    return BenchSources(random_network(arch, np.random.default_rng([bench.seed, number])), f"net{number:02}")


def _features(bench: Bench, networks: Sequence[BenchSources]) -> np.ndarray:
    """Random int8, as many as any of the networks hears in a clip."""
    most = max(one.clip_features for one in networks)
    return np.random.default_rng([bench.seed, FEATURES_SEED]).integers(-128, 128, most).astype(np.int8)


def _files(bench: Bench, networks: Sequence[BenchSources], folder: str) -> dict[str, str]:
    """Texts by path."""
    texts = {f"src/{file}": text for one in networks for file, text in one.files().items()}
    texts["src/networks.c"] = _table(bench, networks)
    flash, ram = _flash(networks), _ram(networks)
    values = {"COUNT": str(len(networks)), "FOLDER": folder, "FLASH": f"{flash:,}", "RAM": f"{ram:,}"}
    for file in sorted(path for path in BOARD.rglob("*") if path.is_file()):
        text = file.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}", value)
        texts[file.relative_to(BOARD).as_posix().replace("NAME", folder)] = text
    return licensed(texts)


def _table(bench: Bench, networks: Sequence[BenchSources]) -> str:
    """The C of all networks and of what they hear."""
    features = _features(bench, networks)
    states = "".join(f"    {one.name}_t {one.name};\n" for one in networks)
    rows = "".join(f"{one.entry(one.known(features))}\n" for one in networks)
    name = ",".join(map(str, ("bench", FORMAT, _version(), *bench.fields)))
    return "\n".join([
        "/* All networks, one at a time in the same memory, and the features that they hear. */",
        *(f'#include "{one.name}.h"' for one in networks),
        f"\nstatic union {{\n{states}}} state;\n",
        array("bench_features", features).removeprefix("static "),
        f"const bench_network bench_networks[] = {{\n{rows}}};\n",
        f"const uint16_t bench_count = {len(networks)};",
        f'const char *const bench_name = "{name}";',
        "void *const bench_state = &state;\n",
    ])  # fmt: skip


def _version() -> str:
    try:
        return re.sub(r"[^\w.+-]", "", version("earshot"))
    except PackageNotFoundError:
        return "source"


def _flash(networks: Sequence[BenchSources]) -> int:
    return sum(weight_bytes(one.network.arch) + CODE_BYTES for one in networks) + FIXED_BYTES


def _ram(networks: Sequence[BenchSources]) -> int:
    return max(stream_ram_bytes(one.network.arch) for one in networks)


def _report(bench: Bench, networks: Sequence[BenchSources]) -> dict:
    archs = [one.network.arch for one in networks]
    return {"bench": asdict(bench), "bits": BITS, "networks": [arch.to_dict() for arch in archs]}
