"""Gates on the largest network are the sub-network, and architecture weights learn from them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from search import Problem, SearchSpace, search
from search.differentiable import Differentiable, GatedSupernet
from supernet.cost import macs
from supernet.elastic import Supernet
from supernet.families import space

SPACES = {kind: space("temporal", 12, 1000, kind) for kind in ("mfcc", "logmel")}
GATED = {}


def gated(kind: str) -> GatedSupernet:
    if kind not in GATED:
        GATED[kind] = GatedSupernet(Supernet(SPACES[kind]).train())
    return GATED[kind]


@settings(max_examples=16, deadline=None)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32 - 1))
def test_gates_of_0_and_1_are_the_sub_network_itself(kind, seed):
    """Its logits, as it is in training, and its MACs, both by other code."""
    network, of = gated(kind), SPACES[kind]
    genes = of.sample_sizes(np.random.default_rng(seed), 1)[0]
    arch = of.from_genes(genes[None])[0]
    x = torch.randn(6, 40, 100, generator=torch.Generator().manual_seed(seed))
    weights = [F.one_hot(torch.tensor(int(gene)), int(count)).float()
               for gene, count in zip(genes, of.cardinalities, strict=True)]  # fmt: skip
    with torch.no_grad():
        logits, counted = network(x, weights)
        wanted = network.supernet(x, arch)
    assert torch.allclose(logits, wanted, atol=1e-4 * float(wanted.abs().max()))
    assert int(counted) == macs(arch)


@pytest.mark.parametrize("kind", sorted(SPACES))
def test_every_gene_has_a_gradient_through_gates_that_are_half_open(kind):
    network, of = gated(kind), SPACES[kind]
    logits = [torch.zeros(int(count), requires_grad=True) for count in of.cardinalities]
    x = torch.randn(4, 40, 100, generator=torch.Generator().manual_seed(0))
    output, counted = network(x, [item.softmax(0) for item in logits])
    (output.square().mean() + counted.log()).backward()
    for name, count, item in zip(of.names, of.cardinalities, logits, strict=True):
        assert count == 1 or float(item.grad.abs().sum()) > 0, name


def strategy(small_space, limit: float, beta: float, seed: int = 0) -> Differentiable:
    supernet = Supernet(small_space, torch.randn(16, 40, 100, generator=torch.Generator().manual_seed(1)))
    x, targets = supernet.calibration, torch.arange(16) % 4
    problem = Problem(SearchSpace(small_space, (8,)), {"max_macs": limit})
    rng = np.random.default_rng(seed)
    return Differentiable(
        problem, rng, 16, supernet=supernet, batches=lambda rng: (x, targets), beta=beta, steps=30, progress=False
    )


def test_more_weight_on_operations_gives_smaller_networks_and_limits_are_kept(small_space):
    def mean_macs(beta: float) -> float:
        found = search(strategy(small_space, 0.9e6, beta), lambda genes: np.zeros(len(genes)), 32, progress=False)
        assert (found.costs["macs"] <= 0.9e6).all()
        assert len(found.scores) == 32
        return float(found.costs["macs"].mean())

    assert mean_macs(60.0) < 0.8 * mean_macs(0.0)


def test_the_same_seed_gives_the_same_candidates(small_space):
    first, second, third = (strategy(small_space, 0.6e6, 4.0, seed).ask() for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)
