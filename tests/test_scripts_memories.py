"""The study of linear memories: distances within their bound, a row each, and a table."""

import argparse

import numpy as np
import pytest

from studies import memories, rows
from supernet.ops.memory import transition


def test_each_size_is_measured_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_commit", lambda: "0123456789")
    monkeypatch.setattr(memories, "BLOCK", 300)
    found = rows.Rows(tmp_path)
    memories.run(argparse.Namespace(frames=700), found)
    head, lines = memories.table_of_distances(found)
    assert [line[:3] for line in lines] == [[str(order), str(window), "700"] for order, window in memories.SIZES]
    for line in lines:
        mean, largest, first, last, bound = map(float, line[3:])
        assert 0 < mean < largest < bound
        assert largest >= max(first, last) > 0
    assert len(head) == len(lines[0])


def test_blocks_of_inputs_are_one_stream():
    """A tone goes on from block to block."""
    whole = list(memories.blocks(25_000))
    assert [part.shape for part in whole] == [(10_000, 4), (10_000, 4), (5000, 4)]
    ends = whole[0][-1, 2], whole[1][0, 2]
    assert abs(ends[1] - ends[0]) <= 127 * 2 * 3.15 / memories.PERIOD
    assert whole[1][:, 3].tolist() == [127] * 10_000


def test_an_unrounded_memory_has_the_gain_of_a_constant():
    """It ends at what it hears in the lowest coefficient, and at nothing in the others."""
    held = transition(6, 16) / 2.0**14
    *_, last = memories.unrounded(held, np.full((400, 1), 10.0), None)
    assert last[0, 0] == pytest.approx(640, rel=0.01)
    assert abs(last[0, 1:]).max() < 12
