"""The search: true optima and fronts of small spaces, hard limits, bounds on its work, and going on after a kill."""

import numpy as np
import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st
from test_search_problem import ALL, COSTS, SMALL, every

from search import Evolution, Problem, Random, SearchSpace, measure_best, search
from search.evolve import Result
from search.pareto import hypervolume, non_dominated
from supernet.errors import InfeasibleBudget, InvalidCheckpoint
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.space import Space, default_space

WIDE = SearchSpace(default_space("temporal", 12, 1000, "logmel"), (8, 4, 2, 1))
STAGES = StageChoices((8, 16), (1, 2), (3, 5, 9), (1, 2)), StageChoices((8, 16), (1, 2), (3, 7), (1, 3))
LARGER = SearchSpace(Space("temporal", 4, 1000, (10, 20), (10, 20), BlockChoices((8, 16), STAGES, (16, 32))), (8, 4))
EVERY = every(LARGER)
STRATEGIES = {"evolution": Evolution, "random": Random}


def quality(genes: np.ndarray) -> np.ndarray:
    """A score with interactions, so that the best is not simply the largest."""
    return genes.sum(1) + 3.0 * (genes[:, 0] != genes[:, 2]) - 2.0 * genes[:, 3] * genes[:, 5] + 1.5 * genes[:, -2]


def unequal(genes: np.ndarray) -> np.ndarray:
    """The same, with something of each gene and pair of genes, so that no two networks are equally good."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((genes.shape[1], genes.shape[1]))
    return quality(genes) + 0.3 * np.einsum("ni,ij,nj->n", genes, weights, genes)


def run(problem: Problem, seed: int = 0, evaluations: int = 400, **options) -> Result:
    strategy = Evolution(problem, np.random.default_rng(seed), batch=16, **options)
    return search(strategy, quality, evaluations, progress=False)


@pytest.mark.parametrize(
    "limits",
    [{"max_macs": 200_000}, {"max_macs": 350_000, "max_weights": 4_500}, {"max_weights": 4_000, "max_ram": 8_000}],
)
def test_it_finds_the_true_optimum_of_a_space_small_enough_to_enumerate(limits):
    """With 4 % of its networks tried, in each of three runs; random search with as many finds it in none of them."""
    problem = Problem(LARGER, limits)
    inside = problem.keeps(EVERY)
    best, evaluations = unequal(EVERY)[inside].max(), int(inside.sum()) // 25
    assert inside.sum() > 20_000
    for seed in range(3):
        found = search(Evolution(problem, np.random.default_rng(seed)), unequal, evaluations, progress=False)
        assert found.score == best
        drawn = search(Random(problem, np.random.default_rng(seed)), unequal, evaluations, progress=False)
        assert drawn.score < best


@pytest.mark.parametrize("objectives", [("macs",), ("flash_bytes", "ram_bytes")])
def test_it_finds_the_true_front_of_a_space_small_enough_to_enumerate(objectives):
    """With a tenth of its networks tried: nearly all of the front against one cost, and no worse a volume than 99 %."""
    problem = Problem(LARGER, {})
    costs = problem.costs(EVERY, objectives)
    values = np.column_stack([-quality(EVERY), *costs.values()])
    found = run(problem, evaluations=len(EVERY) // 10, objectives=objectives)
    front = found.front(objectives)
    own = np.column_stack([-found.scores[front], *(found.costs[name][front] for name in objectives)])
    assert non_dominated(own).all()
    assert (np.diff(own[:, 1]) >= 0).all()
    wanted, worst = values[non_dominated(values)], values.max(0) + 1
    assert hypervolume(own, worst) > 0.99 * hypervolume(np.unique(wanted, axis=0), worst)
    true = {tuple(row) for row in wanted}
    assert np.mean([tuple(row) in true for row in own]) > 0.6


@examples(15)
@given(st.sampled_from(sorted(STRATEGIES)), st.integers(0, 2**32 - 1), st.floats(0.4e6, 7e6), st.integers(1, 60))
def test_no_candidate_is_over_a_limit_or_tried_twice_and_the_work_is_bounded(kind, seed, limit, evaluations):
    asked = []

    def count(genes):
        asked.append(len(genes))
        return genes.sum(1).astype(float)

    problem = Problem(WIDE, {"max_macs": limit, "max_flash": 40_000})
    strategy = STRATEGIES[kind](problem, np.random.default_rng(seed), batch=8)
    found = search(strategy, count, evaluations, progress=False)
    assert sum(asked) == len(found.scores) <= evaluations
    assert (found.costs["macs"] <= limit).all()
    assert (found.costs["flash_bytes"] <= 40_000).all()
    assert len({row.tobytes() for row in found.genes}) == len(found.genes)


def test_the_same_seed_gives_the_same_search():
    problem = Problem(WIDE, {"max_macs": 2e6})
    runs = [run(problem, seed, 100) for seed in (7, 7, 8)]
    assert np.array_equal(runs[0].genes, runs[1].genes)
    assert not np.array_equal(runs[0].genes, runs[2].genes)


def test_it_ends_where_the_space_has_fewer_networks_than_evaluations():
    single = SearchSpace(SMALL.space.shrink(set()), (8,))
    assert len(run(Problem(single, {})).scores) == 1
    all_of_them = run(Problem(SMALL, {}), evaluations=10 * len(ALL))
    assert len(all_of_them.scores) <= len(ALL)


def test_evolution_beats_random_search_at_the_same_work():
    target = WIDE.sample(np.random.default_rng(5), 1)[0]

    def near(genes):
        return -(genes != target).sum(1).astype(float)

    problem = Problem(WIDE, {"max_macs": 7e6})
    found = {
        kind: search(made(problem, np.random.default_rng(0)), near, 2000, progress=False).score
        for kind, made in STRATEGIES.items()
    }
    assert found["evolution"] == 0 > found["random"]


def test_a_search_starts_across_the_whole_range_of_costs():
    problem = Problem(WIDE, {"max_macs": 5e6})
    macs = problem.costs(Evolution(problem, np.random.default_rng(0)).ask())["macs"]
    assert macs.max() > 4.5e6
    assert macs.min() < 1e6


def test_a_limit_that_nothing_keeps_ends_the_search_at_once():
    with pytest.raises(
        InfeasibleBudget, match=r"max_macs = 300,000: the smallest needs 310,384; raise .* takes 310,384 MACs"
    ):
        run(Problem(WIDE, {"max_macs": 300_000}))


def test_a_search_that_was_killed_goes_on_with_the_same_result(tmp_path, monkeypatch):
    monkeypatch.setattr("search.evolve.EACH_SECONDS", -1.0)
    problem, evaluated = Problem(WIDE, {"max_macs": 2e6}), []

    def dies(genes):
        if len(evaluated) == 5:
            raise KeyboardInterrupt
        evaluated.append(len(genes))
        return quality(genes)

    def counts(genes):
        evaluated.append(len(genes))
        return quality(genes)

    def start(evaluate, seed=3):
        return search(
            Evolution(problem, np.random.default_rng(seed), batch=32), evaluate, 150, tmp_path, progress=False
        )

    with pytest.raises(KeyboardInterrupt):
        start(dies)
    found = start(counts)
    whole = search(Evolution(problem, np.random.default_rng(3), batch=32), quality, 150, progress=False)
    assert np.array_equal(found.genes, whole.genes)
    assert np.array_equal(found.scores, whole.scores)
    assert sum(evaluated) == 150
    start(lambda genes: pytest.fail("evaluated again"))
    with pytest.raises(InvalidCheckpoint, match="holds another search"):
        start(quality, seed=4)
    problem = Problem(WIDE, {"max_macs": 2e6}, task="commands")
    with pytest.raises(InvalidCheckpoint, match="holds another search"):
        start(quality)


def test_the_table_holds_every_candidate():
    found = run(Problem(WIDE, {"max_macs": 2e6}), evaluations=50)
    table = found.table()
    assert len(table) == 50
    assert (WIDE.from_table(table) == found.genes).all()
    assert (table["score"] == found.scores).all()
    assert (table["macs"] == found.costs["macs"]).all()


def test_the_last_stage_chooses_by_what_is_measured():
    """A score that flatters one gene; the truth is without it. The finalists differ in three genes or more."""
    found = run(Problem(WIDE, {"max_macs": 3e6}), evaluations=1000)
    measured = measure_best(found, lambda genes: -genes.sum(1).astype(float), count=6, progress=False)
    assert len(measured.scores) == 6
    best = measured.genes[measured.order[0]]
    assert best.sum() == measured.genes.sum(1).min()
    apart = (measured.genes[:, None] != measured.genes[None]).sum(2) + 99 * np.eye(6, dtype=int)
    assert apart.min() >= 3
    assert found.order[0] in found.finalists(6)
    few = Result(found.problem, found.genes[:3], found.scores[:3])
    assert sorted(few.finalists(8)) == [0, 1, 2]


def test_what_is_measured_is_kept(tmp_path):
    found = run(Problem(WIDE, {"max_macs": 3e6}), evaluations=100)
    first = measure_best(found, quality, count=4, run_dir=tmp_path, progress=False)
    again = measure_best(found, lambda genes: pytest.fail("measured again"), 4, tmp_path, progress=False)
    assert np.array_equal(first.scores, again.scores)


def test_of_equal_scores_the_one_of_fewest_macs_is_best():
    found = search(Evolution(Problem(SMALL, {}), np.random.default_rng(0)), lambda genes: np.ones(len(genes)), 400,
                   progress=False)  # fmt: skip
    assert found.costs["macs"][found.order[0]] == COSTS["macs"].min()


def test_a_search_of_nothing_is_refused():
    with pytest.raises(ValueError, match="evaluations = 0"):
        run(Problem(SMALL, {}), evaluations=0)
