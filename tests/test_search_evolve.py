"""The search: true optima of small spaces, hard limits, bounds on its work."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search import Evolution, evolve
from supernet.cost import macs, space_macs
from supernet.errors import InfeasibleBudget
from supernet.families import space
from supernet.space import Space, StageChoices

TINY = Space(
    "temporal", 4, 1000, (10, 20), (10, 20), (8, 16), (StageChoices((8, 16), (1, 2), (3, 5), (1, 2)),), (8, 16)
)
WIDE = space("temporal", 12)


def cost(of: Space):
    return lambda genes: space_macs(of, genes)


def quality(genes: np.ndarray) -> np.ndarray:
    """A score with interactions, so that the best is not simply the largest."""
    return genes.sum(1) + 3.0 * (genes[:, 0] != genes[:, 2]) - 2.0 * genes[:, 3] * genes[:, 5]


def every(of: Space) -> np.ndarray:
    grid = np.stack(np.meshgrid(*map(np.arange, of.cardinalities)), -1).reshape(-1, len(of.cardinalities))
    return np.unique(of.canonical(grid), axis=0)


@pytest.mark.parametrize("limit", [40_000, 60_000, 100_000])
def test_it_finds_the_true_optimum_of_a_space_small_enough_to_enumerate(limit):
    genes = every(TINY)
    feasible = genes[space_macs(TINY, genes) <= limit]
    best = quality(feasible).max()
    found = evolve(TINY, quality, cost(TINY), limit, evaluations=300, seed=1, progress=False)
    assert found.score == best
    assert macs(found.arch) == found.cost <= limit


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1e6, 17e6), st.integers(1, 40))
def test_no_candidate_is_over_the_limit_and_the_work_is_bounded(seed, limit, evaluations):
    asked = []

    def count(genes):
        asked.append(len(genes))
        return genes.sum(1).astype(float)

    found = evolve(WIDE, count, cost(WIDE), limit, evaluations=evaluations, population=8, seed=seed, progress=False)
    assert sum(asked) == len(found.scores) <= evaluations
    assert (found.costs <= limit).all()
    assert len({row.tobytes() for row in found.genes}) == len(found.genes)


def test_the_same_seed_gives_the_same_search():
    runs = [evolve(WIDE, quality, cost(WIDE), 2e6, evaluations=40, seed=s, progress=False) for s in (7, 7, 8)]
    assert np.array_equal(runs[0].genes, runs[1].genes)
    assert not np.array_equal(runs[0].genes, runs[2].genes)


def test_it_ends_where_the_space_has_fewer_networks_than_evaluations():
    found = evolve(TINY.shrink(set()), quality, cost(TINY), 1e9, evaluations=50, progress=False)
    assert len(found.scores) == 1


def test_evolution_beats_sampling_at_the_same_work():
    target = WIDE.sample(np.random.default_rng(5))[0]

    def near(genes):
        return -(genes != target).sum(1).astype(float)

    found = evolve(WIDE, near, cost(WIDE), 20e6, evaluations=600, population=24, seed=0, progress=False)
    drawn = near(WIDE.sample(np.random.default_rng(0), 600)).max()
    assert found.score > drawn


def test_networks_to_start_from_are_tried_first():
    start = WIDE.to_genes([WIDE.largest(), WIDE.smallest()])
    evolution = Evolution(WIDE, cost(WIDE), 20e6, np.random.default_rng(0), seeds=start)
    assert np.array_equal(evolution.ask()[:2], start)
    small = Evolution(WIDE, cost(WIDE), 1e6, np.random.default_rng(0), seeds=start)
    assert (space_macs(WIDE, small.ask()) <= 1e6).all()


def test_a_budget_below_the_smallest_network_is_named():
    with pytest.raises(InfeasibleBudget, match=r"max_macs = 90,000: the smallest of the space needs 95,584") as caught:
        evolve(WIDE, quality, cost(WIDE), 90_000, progress=False)
    assert caught.value.smallest == 95_584
    assert caught.value.nearest == WIDE.smallest()
    assert caught.value.constraint == "max_macs"


def test_searching_a_supernet_by_measured_accuracy(speech_data, small_space):
    """The winner's score is the accuracy of the network that extracting it gives."""
    from search.accuracy import measured_accuracy
    from supernet.data.augment import plain_features
    from supernet.elastic import Supernet
    from supernet.evaluate import accuracy
    from supernet.train import calibration_features, fit_frontend

    frontend = fit_frontend(speech_data, 1)
    supernet = Supernet(small_space, calibration_features(speech_data, frontend, 22)).eval()
    split = speech_data.splits["train"]
    features = plain_features(speech_data, split.rows, frontend)
    evaluate = measured_accuracy(supernet, features, split.targets)
    found = evolve(small_space, evaluate, cost(small_space), 0.3e6, evaluations=20, population=8, progress=False)
    assert accuracy(supernet.extract(found.arch), features, split.targets) == found.score == found.scores.max()


def test_a_search_starts_across_the_whole_range_of_costs():
    """The largest network is among the first where it fits; where it does not, some come close to the limit."""
    first = Evolution(WIDE, cost(WIDE), 20e6, np.random.default_rng(0)).ask()
    assert WIDE.largest() in WIDE.from_genes(first)
    tight = space_macs(WIDE, Evolution(WIDE, cost(WIDE), 1e6, np.random.default_rng(0)).ask())
    assert tight.max() > 0.8e6
