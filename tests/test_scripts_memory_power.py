"""The study of linear memories at fewer bits: its networks, ways and table."""

import pytest

from studies import memory_power, systems
from studies.rows import Rows
from supernet.bits import with_bits
from supernet.cost import weight_bytes

FIGURES = {"weight_bits": 4.0, "activation_bits": 8.0, "float_test": 90.0, "validation": 92.0, "seconds": 60}


@pytest.mark.parametrize(("name", "published"), memory_power.PUBLISHED.items())
def test_networks_are_near_the_published_sizes(name, published):
    """In kbit of all that is stored, at 4 bits."""
    arch = systems.archs(12)[name]
    assert 8 * weight_bytes(with_bits(arch, 4)) / 1000 == pytest.approx(published[0], rel=0.06)


def test_a_product_takes_what_a_weight_took_on_the_published_circuit():
    """8.79 uW, each of 45,125 weights once in 20 ms."""
    assert pytest.approx(memory_power.UJ_PER_MAC) == 8.79 * 0.02 / 45_125


def test_the_table_has_what_is_published_behind_each_network(tmp_path):
    rows = Rows(tmp_path)
    for net, macs in (("lmu-0.4M", 406_176), ("lmu-1.1M", 1_094_976)):
        for way, size in (("fixed 4", 13_000), ("power 0.5", 9_000)):
            keys = {"net": net, "way": way, "hours": 2.0, "seed": 0, "quant_epochs": 3}
            rows.add(
                memory_power.TABLE,
                keys,
                {**FIGURES, "macs": macs, "flash_bytes": size, "power_uw": 2.0, "test": 88.5},
            )
    header, lines = memory_power.table_of_power(rows)
    assert [line[:2] for line in lines] == [
        ["lmu-1.1M", "fixed 4"], ["lmu-1.1M", "power 0.5"], ["Blouw et al.", ""],
        ["lmu-0.4M", "fixed 4"], ["lmu-0.4M", "power 0.5"], ["Blouw et al.", ""],
    ]  # fmt: skip
    assert {len(line) for line in lines} == {len(header)}
    assert lines[0][-1] == "-1.50"
