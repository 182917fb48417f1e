"""Gates on the largest network are the sub-network, and architecture weights learn from them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from search import Problem, SearchSpace, search
from search.differentiable import Differentiable, GatedSupernet
from supernet.cost import macs
from supernet.nn.ops import largest_gate
from supernet.nn.supernet import Supernet
from supernet.space import default_space

SPACES = {kind: default_space("temporal", 12, 1000, kind) for kind in ("mfcc", "logmel")}
SPACES["squares"] = default_space("mbconv", 12, 1000, "logmel")
GATED = {}


def gated(kind: str) -> GatedSupernet:
    if kind not in GATED:
        GATED[kind] = GatedSupernet(Supernet(SPACES[kind]).train())
    return GATED[kind]


@examples(16)
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


@given(st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.0]), min_size=1, max_size=48), st.floats(0.1, 9.0))
def test_open_channels_share_the_gradient_of_the_largest_evenly(values, gradient):
    gate = torch.tensor(values, requires_grad=True)
    largest = largest_gate(gate)
    largest.backward(torch.tensor(gradient))
    same = np.array(values) == max(values)
    assert largest.item() == gate.max().item()
    np.testing.assert_allclose(gate.grad, gradient * same / same.sum(), rtol=1e-6)


def strategy(small_space, limit: float, seed: int = 0, **options) -> Differentiable:
    supernet = Supernet(small_space, torch.randn(16, 40, 100, generator=torch.Generator().manual_seed(1)))
    x, targets = supernet.calibration, torch.arange(16) % 4
    problem = Problem(SearchSpace(small_space, (8,)), {"max_macs": limit})
    rng, batches = np.random.default_rng(seed), lambda rng: (x, targets)
    return Differentiable(problem, rng, 16, supernet=supernet, batches=batches, steps=60, progress=False, **options)


def most_probable(of: Differentiable) -> float:
    """MACs of the network that the architecture weights are for, before any repair."""
    return float(of.problem.costs(of.propose(4)[:1])["macs"][0])


def test_the_weights_end_near_the_target(small_space):
    """The space has 0.1 to 1.1 million MACs."""
    found = [most_probable(strategy(small_space, 2e6, target=target)) for target in (0.15e6, 0.4e6)]
    assert found[0] < 0.25e6 < found[1] < 0.8e6


def test_more_weight_on_operations_gives_smaller_networks(small_space):
    assert most_probable(strategy(small_space, 2e6, beta=60.0)) < 0.5 * most_probable(
        strategy(small_space, 2e6, beta=0.0)
    )


def test_candidates_keep_the_limits(small_space):
    found = search(strategy(small_space, 0.5e6), lambda genes: np.zeros(len(genes)), 32, progress=False)
    assert len(found.scores) == 32
    assert (found.costs["macs"] <= 0.5e6).all()


def test_the_same_seed_gives_the_same_candidates(small_space):
    first, second, third = (strategy(small_space, 0.6e6, seed).ask() for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)
