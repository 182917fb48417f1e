"""Fronts, ranks and volumes, against counts by brute force."""

import numpy as np
import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from search.pareto import crowding, hypervolume, non_dominated, ranks


@st.composite
def rows(draw):
    objectives = draw(st.integers(1, 3))
    count = draw(st.integers(0, 14))
    values = draw(st.lists(st.integers(0, 4), min_size=count * objectives, max_size=count * objectives))
    return np.array(values, float).reshape(count, objectives)


def beaten(row, others) -> bool:
    return any((other <= row).all() and (other < row).any() for other in others)


@examples(200)
@given(rows())
def test_the_front_is_what_nothing_beats(values):
    assert non_dominated(values).tolist() == [not beaten(row, values) for row in values]


@examples(100)
@given(rows())
def test_ranks_are_the_fronts_of_what_is_left(values):
    left, wanted = np.arange(len(values)), np.zeros(len(values), int)
    rank = 0
    while len(left):
        front = np.array([not beaten(values[place], values[left]) for place in left])
        wanted[left[front]] = rank
        left, rank = left[~front], rank + 1
    assert ranks(values).tolist() == wanted.tolist()


@examples(100)
@given(rows())
def test_the_hypervolume_is_the_count_of_unit_cells(values):
    """Between 0 and 5, on whole numbers."""
    objectives = values.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(5)] * objectives), -1).reshape(-1, objectives)
    covered = sum(any((row <= cell).all() for row in values) for cell in cells)
    assert hypervolume(values, np.full(objectives, 5.0)) == pytest.approx(covered)


def test_crowding_by_hand():
    values = np.array([[0.0, 4.0], [1.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
    assert crowding(values).tolist() == [np.inf, 3 / 4 + 3 / 4, 3 / 4 + 2 / 4, np.inf]
