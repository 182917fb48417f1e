"""Accuracies of sub-networks, measured: what an accuracy predictor is fitted on, and what decides in the end.

A sub-network is extracted, its norms and ranges are measured on the supernet's calibration features, and it answers on
the validation split. At bits it has the quantised weights of a supernet that was trained at several widths, or those of
a float supernet rounded with steps of least squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from search.space import SearchSpace
from supernet.arch import Arch
from supernet.errors import InvalidCheckpoint
from supernet.files import read_json, write_bytes, write_json
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits
from supernet.quant.fake import FakeQuantNetwork
from supernet.train.evaluate import accuracy
from supernet.train.loop import tensor_digest, weights_digest
from supernet.train.parallel import rank, same_everywhere, share_out, wait, world_size

__all__ = [
    "TABLE",
    "Measure",
    "draw",
    "extract",
    "measured_accuracy",
    "read_table",
    "sample_accuracies",
    "table_bytes",
    "table_space",
]

TABLE = "accuracy.csv"
"""In the folder of a run, and beside a stored supernet."""

Measure = Callable[[np.ndarray], np.ndarray]
"""From genes (count, genes) to accuracies (count,)."""
POOL = 64
"""Networks drawn for each one that is taken."""
PLAIN_BITS = (8,)
"""At which a float supernet's slices are good without any fine-tuning."""


def extract(source: Supernet | ElasticBits, arch: Arch, exact: bool = True) -> nn.Module:
    """The sub-network at its bits, calibrated. exact: whether it rounds as the integers do, or only nearly, faster."""
    if not arch.weight_bits:
        return source.extract(arch)
    if isinstance(source, ElasticBits):
        fake = source.extract(arch)
    else:
        fake = FakeQuantNetwork(source.slices(arch.without_bits()), arch).calibrate(source.calibration).eval()
    fake.exact = exact
    return fake


def measured_accuracy(
    source: Supernet | ElasticBits, space: SearchSpace, features: Tensor, targets: np.ndarray, exact: bool = True
) -> Measure:
    """A function from genes (count, genes) of `space` to accuracies (count,) from 0 to 1.

    features: quantised, (clips, coefficients, frames) int8, and their targets (clips,): those of a validation split.
    """

    def evaluate(genes: np.ndarray) -> np.ndarray:
        networks = (extract(source, arch, exact) for arch in space.from_genes(genes))
        return np.array([accuracy(network, features, targets) for network in networks])

    return evaluate


def table_space(source: Supernet | ElasticBits) -> SearchSpace:
    """The space that a supernet's accuracies are sampled from: all its networks, at all its bits, of each layer."""
    if isinstance(source, ElasticBits):
        return SearchSpace(source.supernet.space, source.widths, per_layer=True)
    return SearchSpace(source.space, PLAIN_BITS, per_layer=True)


def draw(space: SearchSpace, number: int, seed: int) -> np.ndarray:
    """(genes,) the network of that number: over all numbers, even over the logarithm of MACs.

    Drawn uniformly, nearly all would have middling costs. Of every second network all inner layers have equal bits,
    since a space of one gene for all layers holds just these. The first two are the smallest and the largest.
    """
    if number < 2:
        return (space.smallest, space.largest)[number]()[0]
    rng = np.random.default_rng([seed, number])
    genes = np.concatenate([space.sample_sizes(rng, POOL), space.sample(rng, POOL)])
    if space.weight_bits and number % 2:
        genes[:, space.genes_of_network : -1] = rng.integers(0, len(space.weight_bits), (len(genes), 1))
        genes = space.canonical(genes)
    ends = np.log(space.costs(np.concatenate([space.smallest(), space.largest()]))["macs"])
    wanted = ends[0] + (ends[1] - ends[0]) * _van_der_corput(number - 1)
    return genes[np.abs(np.log(space.costs(genes)["macs"]) - wanted).argmin()]


def _van_der_corput(number: int) -> float:
    """Digits of the number in base 2 behind the point, backwards: every prefix of the sequence is spread evenly."""
    return int(f"{number:b}"[::-1], 2) / 2 ** len(f"{number:b}")


def sample_accuracies(
    run: Path,
    source: Supernet | ElasticBits,
    features: Tensor,
    targets: np.ndarray,
    count: int,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure so many networks, or go on where the run in folder `run` stopped; more than it holds may be asked for.

    Processes that torchrun started share the networks out. Returns a row for each network: what each gene of
    `table_space` chooses, macs, and accuracy. Raises InvalidCheckpoint where the folder holds another supernet's.
    """
    space, path = table_space(source), Path(run) / TABLE
    identity = {
        "weights": weights_digest(source),
        "validation": tensor_digest(features, torch.from_numpy(targets)),
        "genes": list(space.names),
        "seed": seed,
    }
    table = same_everywhere(_resume(path, space, identity) if rank() == 0 else None, [])
    measure = measured_accuracy(source, space, features, targets, exact=False)
    with tqdm(
        total=count, initial=len(table), desc="accuracies", unit=" networks", disable=not progress or rank() > 0
    ) as bar:
        while len(table) < count:
            numbers = range(len(table), min(count, len(table) + world_size()))
            genes = np.array([draw(space, number, seed) for number in numbers])
            shares = share_out({str(place): partial(_one, measure, row) for place, row in enumerate(genes)})
            table = pd.concat([table, _rows(space, genes, list(shares.values()))], ignore_index=True)
            if rank() == 0:
                write_bytes(path, table_bytes(table))
            bar.update(len(numbers))
    wait()
    return table.iloc[:count]


def _one(measure: Measure, genes: np.ndarray) -> float:
    return float(measure(genes[None])[0])


def _rows(space: SearchSpace, genes: np.ndarray, shares: list[float]) -> pd.DataFrame:
    return space.table(genes).assign(macs=space.costs(genes)["macs"], accuracy=np.round(shares, 6))


def _resume(path: Path, space: SearchSpace, identity: dict) -> pd.DataFrame:
    about = path.with_suffix(".json")
    if not path.is_file():
        write_json(about, identity)
        return _rows(space, np.zeros((0, len(space.names)), int), [])
    if read_json(about) != identity:
        raise InvalidCheckpoint(f"{path}: measured on another supernet or other data; name another folder or delete it")
    return read_table(path, space)


def table_bytes(table: pd.DataFrame) -> bytes:
    """The CSV of a table."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def read_table(path: Path, space: SearchSpace) -> pd.DataFrame:
    """The table in a CSV, checked: each row is a network of the space, accuracies are shares.

    Raises InvalidCheckpoint, naming the file.
    """
    try:
        table = pd.read_csv(path)
        genes = space.from_table(table)
        if list(table.columns) != [*space.names, "macs", "accuracy"] or not table["accuracy"].between(0, 1).all():
            raise ValueError("not the columns or values of such a table")
        if (table["macs"] != space.costs(genes)["macs"]).any():
            raise ValueError("MACs are not those of the networks")
    except (OSError, ValueError, KeyError) as error:
        raise InvalidCheckpoint(f"{path}: not accuracies of this supernet ({error}); measure them again") from None
    return table
