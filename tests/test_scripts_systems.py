"""The study of the five systems: its networks, and the rows of its table and picture."""

import pytest

from studies import systems
from studies.rows import Rows
from supernet.cost import macs

COSTS = {"frontend_macs": 1, "params": 1, "flash_bytes": 2000, "ram_bytes": 3000, "clips": 10_000, "validation": 91.0}
FIGURES = {"float_test": 90.5, "test": 90.0, "test_low": 88.0, "test_high": 92.0, "noise_10": 80.0, "seconds": 60}


@pytest.mark.parametrize(("name", "arch"), systems.archs(12).items())
def test_names_tell_the_size(name, arch):
    """As a number of M MACs at the end of each, which the count of the costs is near."""
    stated = float(name.rpartition("-")[2].removesuffix("M"))
    assert abs(macs(arch) / 1e6 - stated) <= max(0.15, 0.07 * stated)


def test_every_system_has_a_network():
    assert {systems.system_of(name) for name in systems.archs(12)} == set(systems.SYSTEMS)


def test_the_table_has_a_row_a_network_in_the_order_of_systems(tmp_path):
    rows = Rows(tmp_path)
    for net in ("map-1.2M", "mbconv-map-0.8M", "sinc-3M"):
        rows.add(
            systems.TABLE,
            {"net": net, "hours": 0.1, "seed": 0, "equal": "clips"},
            {"macs": 1_000_000, **COSTS, **FIGURES},
        )
    header, lines = systems.table_of_systems(rows)
    assert [line[1] for line in lines] == ["sinc-3M", "mbconv-map-0.8M", "map-1.2M"]
    assert {len(line) for line in lines} == {len(header)}
    labels = [text.get_text() for text in systems.picture_of_systems(rows).legends[0].get_texts()]
    assert labels == [*systems.SYSTEMS.values()]


def test_the_longest_training_is_shown_that_all_networks_have(tmp_path):
    rows, nets = Rows(tmp_path), ["sinc-3M", "map-3M"]
    for hours, done in ((0.1, nets), (1.0, nets), (2.0, nets[:1])):
        for net in done:
            rows.add(
                systems.TABLE,
                {"net": net, "hours": hours, "seed": 0, "equal": "clips"},
                {"macs": 1_000_000, **COSTS, **FIGURES},
            )
    assert set(systems.compared(rows).hours) == {1.0}
