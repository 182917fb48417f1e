"""Limits: kept by every repair, and named with the least that is possible where they cannot be."""

import numpy as np
import pytest
from fuzzing import examples, fuzzed
from hypothesis import given
from hypothesis import strategies as st

from predictors import estimate, estimate_many
from predictors.estimate import frontend_macs
from search import Problem, SearchSpace
from search.problem import LIMITS
from supernet.errors import InfeasibleBudget, InvalidQuery, UnknownName
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.frontend.logmel import LogMel
from supernet.space import Space, default_space

TINY = Space(
    "temporal",
    4,
    1000,
    (10, 20),
    (10, 20),
    BlockChoices((8, 16), (StageChoices((8, 16), (1, 2), (3, 5), (1, 2)),), (8, 16)),
)
SMALL = SearchSpace(TINY, (8, 4))
MAPS = SearchSpace(default_space("temporal", 12, 1000, "logmel"), (8, 4, 2, 1))
BOARD = "stm32f746-tflm-cmsis-nn"


def every(of: SearchSpace) -> np.ndarray:
    """All networks of a small space."""
    grid = np.stack(np.meshgrid(*map(np.arange, of.cardinalities)), -1).reshape(-1, len(of.cardinalities))
    return np.unique(of.canonical(grid), axis=0)


ALL = every(SMALL)
COSTS = Problem(SMALL, {}).costs(ALL)


def emulated(folder) -> None:
    """A profile of instructions, of which a network takes two a MAC and 300 a layer."""
    space = default_space("temporal", 12, 1000, "logmel")
    archs = space.from_genes(space.sample_sizes(np.random.default_rng(0), 60))
    table = estimate_many(archs).assign(instructions=lambda rows: 2 * rows["macs"] + 300 * rows["layers"])
    table = table.assign(arch=[arch.to_json() for arch in archs])[["arch", "instructions"]]
    table.to_csv(folder / "emulated.csv", index=False)


def test_instructions_limit_a_search_on_an_emulated_device(tmp_path):
    emulated(tmp_path)
    problem = Problem(MAPS, {"max_instructions": 6e6}, "emulated", folder=tmp_path)
    genes = MAPS.sample(np.random.default_rng(1), 60)
    repaired = problem.repair(genes, np.random.default_rng(2))
    exact = problem.costs(repaired, ["macs"])["macs"]
    front = [frontend_macs(arch) for arch in MAPS.from_genes(repaired)]
    layers = estimate_many(MAPS.from_genes(repaired))["layers"].to_numpy()
    taken = (2 * exact + 300 * layers) * (1 + np.array(front) / exact)
    assert (taken <= 1.02 * 6e6).all()
    assert (taken > 4e6).any()
    assert np.isnan(problem.costs(repaired, ["latency_ms"])["latency_ms"]).all()
    with pytest.raises(InfeasibleBudget, match=r"max_instructions = 1,000: .* instructions\)") as caught:
        _ = Problem(MAPS, {"max_instructions": 1000.0}, "emulated", folder=tmp_path).anchor
    assert "nan" not in str(caught.value)
    with pytest.raises(UnknownName, match="max_latency_ms: nobody measured it on emulated"):
        Problem(MAPS, {"max_latency_ms": 20.0}, "emulated", folder=tmp_path)
    with pytest.raises(UnknownName, match="max_instructions: nobody measured it on stm32f746"):
        Problem(MAPS, {"max_instructions": 2e6}, BOARD)
    with pytest.raises(InvalidQuery, match="max_instructions needs a device"):
        Problem(MAPS, {"max_instructions": 2e6})
    for every in (0.0, -5.0, float("nan")):
        with pytest.raises(InvalidQuery, match=r"every_ms = (0|-5|nan) is not possible"):
            Problem(MAPS, {"max_instructions": 2e6}, "emulated", folder=tmp_path, every_ms=every)


@fuzzed(
    40,
    st.integers(0, 2**32 - 1),
    st.dictionaries(
        st.sampled_from(["max_macs", "max_params", "max_weights", "max_flash", "max_ram"]),
        st.floats(-0.2, 1.0),
        min_size=1,
    ),
)
def test_every_candidate_is_repaired_into_the_limits_or_there_is_none(seed, shares):
    """Limits at shares of the way from the least to the most, some below it; against all networks of a small space."""
    limits = {}
    for name, share in shares.items():
        values = COSTS[LIMITS[name]]
        limits[name] = max(1.0, float(values.min() + share * (values.max() - values.min())))
    problem, rng = Problem(SMALL, limits), np.random.default_rng(seed)
    inside = np.logical_and.reduce([COSTS[LIMITS[name]] <= limit for name, limit in limits.items()])
    assert (problem.keeps(ALL) == inside).all()
    if not inside.any():
        with pytest.raises(InfeasibleBudget, match=f"no network meets ({'|'.join(limits)}) = "):
            _ = problem.anchor
        return False
    genes = SMALL.sample(rng, 50)
    repaired = problem.repair(genes, rng)
    assert problem.keeps(repaired).all()
    kept = problem.keeps(genes)
    assert (repaired[kept] == genes[kept]).all()
    assert (SMALL.canonical(repaired) == repaired).all()
    return True


@examples(10)
@given(st.integers(0, 2**32 - 1), st.floats(0.4e6, 6e6))
def test_a_repair_goes_no_further_than_it_must(seed, limit):
    """One step less of its way breaks the limit, so what is left of it is less than one step is worth."""
    problem, rng = Problem(MAPS, {"max_macs": limit}), np.random.default_rng(seed)
    genes = np.repeat(MAPS.largest(), 50, 0)
    macs = problem.costs(problem.repair(genes, rng))["macs"]
    assert (macs <= limit).all()
    assert np.median(macs) > 0.8 * limit
    assert (MAPS.layer_bits(problem.repair(genes, rng))[:, MAPS.costs_of.inner] == 8).all()


@pytest.mark.parametrize("name", ["max_macs", "max_params", "max_weights", "max_flash", "max_ram"])
def test_a_limit_that_nothing_keeps_is_named_with_the_least_that_is_possible(name):
    least = COSTS[LIMITS[name]].min()
    problem = Problem(SMALL, {name: least - 1.0, "max_params": 1e9} if name != "max_params" else {name: least - 1.0})
    with pytest.raises(InfeasibleBudget, match=f"no network meets {name} = ") as caught:
        _ = problem.anchor
    assert (caught.value.constraint, caught.value.smallest) == (name, pytest.approx(least))
    found = estimate(caught.value.nearest)
    assert getattr(found, LIMITS[name]) == least
    assert (Problem(SMALL, {name: caught.value.smallest}).anchor == SMALL.to_genes([caught.value.nearest])[0]).all()


def test_what_is_asked_for_after_an_infeasible_limit_can_be_had():
    """The stated least may be typed as it is printed, though it is rounded."""
    with pytest.raises(InfeasibleBudget, match="max_latency_ms = 3") as caught:
        _ = Problem(MAPS, {"max_latency_ms": 3.0}, BOARD).anchor
    stated = str(caught.value).split("the smallest needs ")[1].split(";")[0].replace(",", "")
    _ = Problem(MAPS, {"max_latency_ms": float(stated)}, BOARD).anchor


def test_limits_that_are_possible_alone_but_not_together_name_the_others():
    """MACs that rise with a gene, and parameters that fall with it."""

    class Conflicting(Problem):
        def costs(self, genes, names=COSTS):
            return {**super().costs(genes), "macs": 10 + genes[:, 0], "params": 20 - genes[:, 0]}

    assert (Conflicting(SMALL, {"max_macs": 10, "max_params": 20}).anchor[0], SMALL.cardinalities[0]) == (0, 2)
    assert Conflicting(SMALL, {"max_params": 19}).anchor[0] == 1
    with pytest.raises(InfeasibleBudget, match="max_params = 19 beside max_macs = 10: the smallest needs 20") as caught:
        _ = Conflicting(SMALL, {"max_macs": 10, "max_params": 19}).anchor
    assert (caught.value.constraint, caught.value.smallest) == ("max_params", 20)


@pytest.mark.parametrize("limit", [0, -5.0, float("nan")])
def test_a_limit_that_is_not_above_0_is_refused(limit):
    with pytest.raises(InvalidQuery, match=f"max_macs = {limit:g} is not possible: give a number above 0"):
        Problem(SMALL, {"max_macs": limit})


def test_energy_that_nobody_measured_is_no_limit():
    with pytest.raises(UnknownName, match="max_energy_uj: nobody measured it on stm32h743-tflm"):
        Problem(SMALL, {"max_energy_uj": 5000.0}, "stm32h743-tflm")


def test_costs_are_those_of_the_predictors():
    genes = MAPS.sample_sizes(np.random.default_rng(0), 12)
    archs, found = MAPS.from_genes(genes), Problem(MAPS, {}, BOARD).costs(genes)
    table = estimate_many(archs, BOARD)
    for name in ("macs", "params", "flash_bytes", "ram_bytes"):
        assert found[name] == pytest.approx(table[name]), name
    front = [LogMel().select(arch.features.coefficients, arch.features.step_ms).macs(arch.frames) for arch in archs]
    whole = 1 + np.array(front) / table["macs"]
    for name in ("latency_ms", "energy_uj"):
        assert found[name] == pytest.approx(table[name] * whole), name
    sure = Problem(MAPS, {"max_latency_ms": 50.0}, BOARD, sure=True)
    assert sure.excesses(genes)[:, 0] == pytest.approx(table["latency_high_ms"] * whole / 50 - 1)


def test_neighbours_are_all_networks_that_one_gene_makes():
    network = SMALL.sample(np.random.default_rng(1), 1)
    near = {row.tobytes() for row in Problem(SMALL, {}).neighbours(network[0])}
    wanted = set()
    for column, count in enumerate(SMALL.cardinalities):
        for choice in range(count):
            changed = network.copy()
            changed[0, column] = choice
            wanted.add(SMALL.canonical(changed)[0].tobytes())
    assert near == wanted - {network[0].tobytes()}


def test_limits_that_there_are_not_are_refused():
    with pytest.raises(UnknownName, match="unknown limit 'max_flsh': did you mean max_flash"):
        Problem(SMALL, {"max_flsh": 1.0})
    with pytest.raises(InvalidQuery, match="max_latency_ms needs a device"):
        Problem(SMALL, {"max_latency_ms": 1.0})
    with pytest.raises(UnknownName, match="no-such"):
        Problem(SMALL, {"max_latency_ms": 1.0}, "no-such")
