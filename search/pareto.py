"""Fronts: which candidates no other beats, how they rank, how spread out they are, and how much they cover.

All objectives are to be least. Sorting and crowding are those of NSGA-II (Deb et al., IEEE TEC 6(2), 2002).
"""

from __future__ import annotations

import numpy as np

__all__ = ["crowding", "hypervolume", "non_dominated", "ranks"]


def non_dominated(values: np.ndarray) -> np.ndarray:
    """(count,) True where no other row of `values` (count, objectives) is as good in all and better in one.

    Of equal rows all are kept.
    """
    order = np.lexsort(values.T[::-1])
    kept = np.zeros(len(values), bool)
    if values.shape[1] <= 2:
        kept[order] = _front_of_sorted(values[order])
        return kept
    front = np.empty((0, values.shape[1]))
    for place in order:  # sorted, so that none is beaten by a later one
        row = values[place]
        kept[place] = not ((front <= row).all(1) & (front < row).any(1)).any()
        if kept[place]:
            front = np.vstack([front, row])
    return kept


def _front_of_sorted(values: np.ndarray) -> np.ndarray:
    """The same for one or two objectives, of rows in lexicographic order: each must beat all before in the last."""
    if not len(values):
        return np.zeros(0, bool)
    if values.shape[1] == 1:
        return values[:, 0] == values[0, 0]
    least = np.minimum.accumulate(values[:, 1])
    before = np.concatenate([[np.inf], least[:-1]])
    better = values[:, 1] < before
    first = np.maximum.accumulate(np.where(better, np.arange(len(values)), 0))
    return better | ((values == values[first]).all(1))


def ranks(values: np.ndarray) -> np.ndarray:
    """(count,) 0 for the front, 1 for the front of the others, and so on; for populations, as it compares all pairs."""
    no_worse = np.ones((len(values), len(values)), bool)
    for column in values.T:
        no_worse &= column[:, None] <= column
    beats = no_worse & ~no_worse.T
    found, left = np.zeros(len(values), int), np.ones(len(values), bool)
    beaten_by = beats.sum(0)
    for rank in range(len(values)):
        front = left & (beaten_by == 0)
        if not front.any():
            break
        found[front], left = rank, left & ~front
        beaten_by = beaten_by - beats[front].sum(0)
    return found


def crowding(values: np.ndarray) -> np.ndarray:
    """(count,) how far each row's neighbours are from each other, summed over objectives; infinite at the ends."""
    found = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]] if len(column) else 0.0
        found[order[[0, -1]]] = np.inf
        if span > 0:
            found[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return found


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """The volume that rows of `values` (count, 1 to 3 objectives) are better in than `reference` (objectives,)."""
    values = values[(values < reference).all(1)]
    if not len(values):
        return 0.0
    if values.shape[1] == 1:
        return float(reference[0] - values.min())
    order = np.argsort(values[:, 0], kind="stable")
    values = values[order]
    widths = np.diff(np.append(values[:, 0], reference[0]))
    if values.shape[1] == 2:
        return float((widths * (reference[1] - np.minimum.accumulate(values[:, 1]))).sum())
    slices = (hypervolume(values[: number + 1, 1:], reference[1:]) for number in range(len(values)))
    return float(sum(width * area for width, area in zip(widths, slices, strict=True) if width > 0))
