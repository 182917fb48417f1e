"""The tables of which model goes into which runtime."""

from types import SimpleNamespace

import pytest

from studies import exports
from studies.rows import Rows

COUNTS = {"answers": 200, "same_labels": 199, "outputs": 1000, "identical": 900, "within_one": 950, "largest": 7}
KEYS = {"model": "one", "export": "onnx", "sounds": exports.CLIPS, "form": "clip", "runtime": "ONNX Runtime"}


def test_counts_are_whole_beside_models_that_cannot_go(tmp_path):
    """A row without counts makes those of a table real numbers."""
    rows = Rows(tmp_path)
    rows.add(exports.TABLE, KEYS, {"weight_bytes": 10, "bytes": 20, **COUNTS, "why": ""})
    rows.add(exports.TABLE, {**KEYS, "model": "two"}, {"weight_bytes": 10, "why": "no kernels"})
    _, lines = exports.heard(rows)
    assert lines == [["one", "onnx", "clip", "ONNX Runtime", "200", "99.50%", "90.00%", "95.00%", "7"]]


@pytest.mark.parametrize(("bits", "few"), [(4, True), ("mixed", True), (8, False)])
def test_weights_of_few_bits_alone_are_exported_in_eight(bits, few):
    ways = list(exports._ways(SimpleNamespace(entry=SimpleNamespace(bits=bits)), "tflite"))
    assert any("weights" in one for one in ways) == few
    assert list(exports._ways(SimpleNamespace(entry=SimpleNamespace(bits=bits)), "onnx")) == [{}]
