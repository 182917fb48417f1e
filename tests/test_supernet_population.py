"""Costs from genes, against those of the networks themselves."""

from dataclasses import dataclass, field, fields

import numpy as np
import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.bits import with_bits
from supernet.cost import COLUMNS, cost_columns
from supernet.families import family
from supernet.layer import layers, parts
from supernet.population import PopulationCosts
from supernet.space import Space, default_space

SPACES = {
    f"{name}-{kind}": default_space(name, 12, 1000, kind) for name in family.names for kind in family(name).features
}
COSTS = {kind: PopulationCosts(of) for kind, of in SPACES.items()}


@examples(40)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32 - 1), st.sampled_from([None, 8, 4, 1]))
def test_a_population_costs_what_each_of_its_networks_does(kind, seed, bits):
    space, costs, rng = SPACES[kind], COSTS[kind], np.random.default_rng(seed)
    genes = np.concatenate([space.sample(rng, 3), space.sample_sizes(rng, 3)])
    archs = space.from_genes(genes)
    each = None if bits is None else np.where(costs.inner, bits, 8) * np.ones((len(genes), 1), int)
    found = costs(genes, each)
    wanted = cost_columns(archs if bits is None else [with_bits(arch, bits) for arch in archs])
    assert tuple(found) == COLUMNS
    for name in COLUMNS:
        assert found[name].tolist() == wanted[name].tolist(), name


@examples(20)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32 - 1))
def test_layers_that_a_network_has_are_said_to_be_present(kind, seed):
    space, costs = SPACES[kind], COSTS[kind]
    genes = space.sample_sizes(np.random.default_rng(seed), 4)
    for row, arch in zip(costs.present(genes), space.from_genes(genes), strict=True):
        names = [name for name, there in zip(costs.names, row, strict=True) if there]
        assert names == [spec.name for spec in layers(arch) if spec.has_weights]


@dataclass(frozen=True)
class Counting(Space):
    """A space that keeps how many networks were built at a time."""

    built: list = field(default_factory=list)

    def from_genes(self, genes):
        self.built.append(len(genes))
        return super().from_genes(genes)


def test_networks_are_built_only_for_parts_that_are_new(monkeypatch):
    space, built = SPACES["temporal-logmel"], []
    counting = Counting(*(getattr(space, item.name) for item in fields(space)), built=built)
    costs, genes = PopulationCosts(counting), space.sample(np.random.default_rng(0), 500)
    first = costs(genes)
    after = sum(built)
    again = costs(genes[::-1])
    assert sum(built) == after < 500 * len(space.slots)
    assert (again["macs"][::-1] == first["macs"]).all()


@pytest.mark.parametrize("kind", sorted(SPACES))
def test_every_family_gives_one_part_a_slot(kind):
    """What tables of parts rest on: those slots whose needs are met."""
    space = SPACES[kind]
    for row in space.sample(np.random.default_rng(1), 20):
        chosen = dict(zip(space.names, row, strict=True))
        there = [slot.needs is None or chosen[slot.needs[0]] >= slot.needs[1] for slot in space.slots]
        assert len(parts(space.from_genes(row[None])[0])) == sum(there)
