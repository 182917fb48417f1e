"""Networks with their bits as genes."""

import numpy as np
import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from predictors import estimate
from search import SearchSpace
from supernet.bits import with_bits
from supernet.errors import InvalidArch
from supernet.layer import layers
from supernet.space import default_space

MAPS = default_space("temporal", 12, 1000, "logmel")
UNIFORM = SearchSpace(MAPS, (8, 4, 2, 1))
PER_LAYER = SearchSpace(MAPS, (8, 4, 2, 1), (8, 4), per_layer=True)
FLOATING = SearchSpace(MAPS)
SPACES = {"uniform": UNIFORM, "per layer": PER_LAYER, "floating": FLOATING}


@examples(30)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32 - 1))
def test_genes_and_networks_say_the_same(kind, seed):
    of, rng = SPACES[kind], np.random.default_rng(seed)
    genes = np.concatenate([of.sample(rng, 2), of.sample_sizes(rng, 2), of.smallest(), of.largest()])
    archs = of.from_genes(genes)
    assert (of.to_genes(archs) == genes).all()
    assert (of.canonical(genes) == genes).all()
    assert (of.from_table(of.table(genes)) == genes).all()
    costs = of.costs(genes)
    for number, arch in enumerate(archs):
        exact = estimate(arch)
        assert (costs["macs"][number], costs["weight_bytes"][number]) == (exact.macs, exact.weight_bytes)
        assert of.least_bits(genes)[number] == min(arch.weight_bits, default=32)


def test_bits_are_the_same_in_all_inner_layers_or_each_layers_own():
    genes = UNIFORM.sample(np.random.default_rng(0), 20)
    for row, arch in zip(genes, UNIFORM.from_genes(genes), strict=True):
        assert arch == with_bits(arch.without_bits(), UNIFORM.weight_bits[row[-2]])
    genes = PER_LAYER.sample(np.random.default_rng(0), 20)
    for row, arch in zip(genes, PER_LAYER.from_genes(genes), strict=True):
        chosen = dict(zip(PER_LAYER.names, row, strict=True))
        for spec in layers(arch):
            if spec.has_weights:
                own = chosen.get(f"{spec.name}_bits")
                assert spec.weight_bits == (8 if own is None else PER_LAYER.weight_bits[own])
        assert set(arch.activation_bits[1:-1]) == {PER_LAYER.activation_bits[row[-1]]}


@examples(20)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32 - 1))
def test_mutants_and_crossovers_are_networks_of_the_space(kind, seed):
    of, rng = SPACES[kind], np.random.default_rng(seed)
    first, second = of.sample(rng, 4), of.sample_sizes(rng, 4)
    for genes in (of.mutate(first, rng, 0.3), of.crossover(first, second, rng)):
        assert ((genes >= 0) & (genes < of.cardinalities)).all()
        assert (of.to_genes(of.from_genes(genes)) == genes).all()
    assert (of.mutate(first, rng, 0.0) == first).all()


def test_bits_that_no_network_has_are_refused():
    with pytest.raises(InvalidArch, match=r"weight_bits = \(0, 4\) is not possible: give whole numbers from 1 to 8"):
        SearchSpace(MAPS, (4, 0))
    with pytest.raises(InvalidArch, match="activation_bits"):
        SearchSpace(MAPS, (4,), (1,))
    with pytest.raises(InvalidArch, match="bits are not of"):
        UNIFORM.to_genes([with_bits(MAPS.largest(), 5)])
