"""Costs of whole populations, from their genes. No torch here.

A network's costs are sums, and a maximum, over its parts, and a part depends on few genes: so each part is costed once,
and a population by looking its parts up in tables, without building its networks.
"""

from __future__ import annotations

from math import prod

import numpy as np

from supernet.bits import inner_layers
from supernet.cost import COLUMNS, LARGEST, packed_bytes, part_row, rescale_bytes
from supernet.layer import Part, parts
from supernet.memory import answer_frames
from supernet.space import Slot, Space

__all__ = ["PopulationCosts"]

FLOATING = len(COLUMNS)
"""In a part's row: COLUMNS of the float network, bytes that bits do not change, then the weights of each layer."""


class PopulationCosts:
    """The exact costs of networks of a space, by their genes.

    names: of all layers with weights that networks of the space have. inner: (layers,) which of them are inner ones
    (see `supernet.bits.inner_layers`).
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        found = parts(space.largest())
        specs = [spec for part in found for spec in part if spec.has_weights]
        self.names = tuple(spec.name for spec in specs)
        self.inner = np.array(inner_layers(specs))
        self._tables = [_Table(space, slot, part) for slot, part in zip(space.slots, found, strict=True)]
        self._strides = np.zeros((len(space.cardinalities), len(self._tables)))
        for number, table in enumerate(self._tables):
            self._strides[space.columns(table.slot.genes), number] = table.strides
        needs = [table.slot.needs or (space.names[0], 0) for table in self._tables]
        self._needed = space.columns([name for name, _ in needs])
        self._least = np.array([least for _, least in needs])

    def __call__(self, genes: np.ndarray, weight_bits: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """(count,) of each of `supernet.cost.COLUMNS`, of networks (count, genes).

        weight_bits: (count, layers) of the layers `names`; without, the networks are in floating point.
        """
        rows = self._rows(np.asarray(genes))
        return self._columns(rows, weight_bits)

    def with_presence(
        self, genes: np.ndarray, weight_bits: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The costs and, as `present` gives them, which layers there are."""
        rows = self._rows(np.asarray(genes))
        return self._columns(rows, weight_bits), self._present(rows)

    def present(self, genes: np.ndarray) -> np.ndarray:
        """(count, layers) True where a network has the layer of `names`."""
        return self._present(self._rows(np.asarray(genes)))

    def _present(self, rows: list[np.ndarray]) -> np.ndarray:
        return np.hstack([row[:, FLOATING + 1 :] for row in rows]) > 0

    def _columns(self, rows: list[np.ndarray], weight_bits: np.ndarray | None) -> dict[str, np.ndarray]:
        columns = dict(zip(COLUMNS, sum(row[:, : len(COLUMNS)] for row in rows).T, strict=True))
        for name in LARGEST:
            columns[name] = np.max([row[:, COLUMNS.index(name)] for row in rows], 0)
        if weight_bits is not None:
            weights = np.hstack([row[:, FLOATING + 1 :] for row in rows])
            packed = sum(row[:, FLOATING] for row in rows) + packed_bytes(weights, weight_bits).sum(1)
            columns["moved_bytes"] = columns["moved_bytes"] + packed - columns["weight_bytes"]
            columns["weight_bytes"] = packed
        return columns

    def _rows(self, genes: np.ndarray) -> list[np.ndarray]:
        """For each slot, (count, columns) the rows of the networks' parts, zeros where there is none."""
        found, all_keys = [], self._keys(genes)
        for table, keys in zip(self._tables, all_keys.T, strict=True):
            unknown = table.places[keys] < 0
            if unknown.any():
                self._cost(genes[unknown][np.unique(keys[unknown], return_index=True)[1]])
            found.append(table.rows[table.places[keys]])
        return found

    def _keys(self, genes: np.ndarray) -> np.ndarray:
        """(count, slots) a number for each part; 0 where the network has none."""
        return np.where(genes[:, self._needed] >= self._least, 1 + (genes @ self._strides).astype(np.int64), 0)

    def _cost(self, genes: np.ndarray) -> None:
        """Put all parts of these networks into the tables."""
        for own, arch in zip(self._keys(genes), self.space.from_genes(genes), strict=True):
            found = parts(arch)
            there = [(table, key) for table, key in zip(self._tables, own, strict=True) if key]
            for (table, key), part in zip(there, found, strict=True):
                table.put(key, part, answer_frames(found))
        for table in self._tables:
            table.settle()


class _Table:
    """The rows of one slot's parts. names: of the layers with weights that its parts have, of `largest` all."""

    def __init__(self, space: Space, slot: Slot, largest: Part) -> None:
        self.slot = slot
        self.names = tuple(spec.name for spec in largest if spec.has_weights)
        cards = space.cardinalities[space.columns(slot.genes)].tolist()
        self.strides = np.array([prod(cards[:number]) for number in range(len(cards))])
        self.places = np.full(1 + prod(cards), -1)
        self.places[0] = 0
        self.rows = np.zeros((1, FLOATING + 1 + len(self.names)), np.int64)
        self._new: list[list[int]] = []

    def put(self, key: int, part: Part, answers: int) -> None:
        """Cost a part, which `settle` puts into the rows. answers: see `supernet.memory.answer_frames`."""
        if self.places[key] < 0:
            sizes = {spec.name: prod(spec.weight_shape) for spec in part if spec.has_weights}
            self.places[key] = len(self.rows) + len(self._new)
            own = [
                *part_row(part, answers),
                sum(map(rescale_bytes, part)),
                *(sizes.get(name, 0) for name in self.names),
            ]
            self._new.append(own)

    def settle(self) -> None:
        if self._new:
            self.rows, self._new = np.concatenate([self.rows, self._new]), []
