"""A distribution over choices: its gradient, the best networks of spaces that can be enumerated, and going on."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_search_problem import BOARD, TINY, every

from search import Evolution, Problem, SearchSpace, search
from search.differentiable import LEAST_LOSS, Choices, Differentiable, supernet_losses
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.errors import InfeasibleBudget, InvalidCheckpoint
from supernet.layer import layers
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits
from supernet.space import default_space

BITS = SearchSpace(TINY, (8, 4, 2), (8, 4))
EVERY = every(BITS)
COSTS = Problem(BITS, {}).costs(EVERY)


def parts(seed: int) -> np.ndarray:
    """(genes, choices) what each choice adds to the logarithm of the loss."""
    return 0.1 * np.random.default_rng(seed).standard_normal((len(BITS.cardinalities), BITS.cardinalities.max()))


def logarithms(genes: np.ndarray, seed: int = 0) -> np.ndarray:
    """A separable objective: genes that do not count add what their first choice does."""
    return parts(seed)[np.arange(genes.shape[1]), genes].sum(1)


def losses_of(seed: int = 0, noise: float = 0.02):
    """Of a separable objective, on batches of which some are harder, with some noise."""

    def losses(genes, rng):
        return np.exp(logarithms(genes, seed) + rng.normal() + noise * rng.standard_normal(len(genes)))

    return losses


def trained(limits: dict, seed: int = 0, **options) -> Differentiable:
    of = Differentiable(
        Problem(BITS, limits, BOARD if "max_latency_ms" in limits else None), np.random.default_rng(seed), 16,
        **{"losses": losses_of(seed), **options},
    )  # fmt: skip
    of.prepare()
    return of


@pytest.mark.parametrize("seed", range(3))
def test_without_limits_the_most_probable_network_is_the_best_of_all(seed):
    """Of 3,840 with their bits, by enumeration, whatever the batches add."""
    best = EVERY[logarithms(EVERY, seed).argmin()]
    assert np.array_equal(trained({}, seed, steps=100).ask()[0], best)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_macs": 60_000},
        {"max_weights": 1_700},
        {"max_flash": 13_550, "max_ram": 4_100},
        {"max_latency_ms": 13.0, "max_macs": 90_000},
    ],
)
def test_within_limits_the_most_probable_network_is_one_of_the_best(limits):
    """Of all that keep them, by enumeration: at most one in 500 is better."""
    inside = EVERY[Problem(BITS, limits, BOARD if "max_latency_ms" in limits else None).keeps(EVERY)]
    assert 200 < len(inside) < 0.5 * len(EVERY)
    for seed in range(2):
        of = trained(limits, seed, steps=60)
        first = of.ask()[:1]
        assert of.problem.keeps(first).all()
        assert (logarithms(inside, seed) < logarithms(first, seed)).mean() < 0.002


def test_the_gradient_is_that_of_the_mean_over_all_networks():
    """By enumeration of all genes and their probabilities, within five standard errors, where the model knows much."""
    of = trained({}, steps=20, losses=losses_of(5, noise=0.0))
    grid = np.stack(np.meshgrid(*map(np.arange, BITS.cardinalities)), -1).reshape(-1, len(BITS.cardinalities))
    logs = np.log(np.exp(logarithms(BITS.canonical(grid), 5) ** 2) + LEAST_LOSS)  # not what the model was taught
    of.choices.logits.data = torch.from_numpy(np.random.default_rng(1).normal(0, 0.5, of.choices.logits.shape))
    shares = of.choices.log_shares()
    probability = shares[torch.arange(grid.shape[1]), torch.from_numpy(grid)].sum(1).exp()
    assert probability.sum().item() == pytest.approx(1)
    wanted = torch.autograd.grad(probability @ torch.from_numpy(logs), of.choices.logits)[0]
    rng, found = np.random.default_rng(2), []
    for _ in range(1_000):
        genes = of.choices.draw(rng, 8)
        loss = of._mean_loss(genes, np.exp(logarithms(BITS.canonical(genes), 5) ** 2))
        found.append(torch.autograd.grad(loss, of.choices.logits)[0])
    mean, error = torch.stack(found).mean(0), torch.stack(found).std(0) / 1_000**0.5
    assert float(wanted.abs().max()) > 10 * float(error.max())
    assert ((mean - wanted).abs() <= 5 * error + 1e-12).all()


def test_networks_are_drawn_by_their_probabilities():
    choices = Choices(np.array([1, 3, 2]))
    choices.logits.data = torch.tensor([[0.0, 9.0, 9.0], [0.0, np.log(2), np.log(5)], [np.log(3), 0.0, 9.0]])
    drawn = choices.draw(np.random.default_rng(0), 40_000)
    assert set(drawn[:, 0]) == {0}
    assert np.bincount(drawn[:, 1]) / 40_000 == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.01)
    assert np.bincount(drawn[:, 2]) / 40_000 == pytest.approx([3 / 4, 1 / 4], abs=0.01)
    assert choices.most_probable().tolist() == [[0, 2, 0]]


def test_more_of_a_given_exponent_gives_smaller_networks():
    problem = Problem(BITS, {"max_macs": 1e9})
    small, large = (trained(problem.limits, beta=beta, steps=60).ask()[:1] for beta in (20.0, 0.0))
    assert problem.costs(small)["macs"] == COSTS["macs"].min() < problem.costs(large)["macs"]


def test_candidates_keep_all_limits_and_none_comes_twice():
    of = trained({"max_macs": 60_000, "max_ram": 4_100}, steps=30)
    found = search(of, lambda genes: -logarithms(genes), 100, progress=False)
    assert of.problem.keeps(found.genes).all()
    assert len(np.unique(found.genes, axis=0)) == len(found.genes) > 50


def test_the_same_seed_gives_the_same_candidates():
    first, second, third = (trained({"max_macs": 60_000}, steps=9, seed=seed).ask() for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_equal_networks_of_a_step_run_once_all_on_one_batch():
    seen = []

    def losses(genes, rng):
        seen.append((len(genes), len(np.unique(genes, axis=0)), rng.random()))
        return np.ones(len(genes))

    trained({}, steps=3, paths=400, losses=losses)
    assert len(seen) == 3
    assert all(count == unique < 400 for count, unique, _ in seen)
    assert len({batch for _, _, batch in seen}) == 3


def test_one_path_tells_nothing_and_is_refused():
    with pytest.raises(ValueError, match="paths = 1 is not possible: give a whole number, 2 or more"):
        trained({}, paths=1)


def test_limits_that_nothing_keeps_are_told_before_anything_runs():
    of = Differentiable(Problem(BITS, {"max_macs": 10}), np.random.default_rng(0), losses=lambda *_: pytest.fail("ran"))
    with pytest.raises(InfeasibleBudget, match="max_macs"):
        search(of, logarithms, 10, progress=False)


def test_a_training_that_was_killed_goes_on_with_the_same_result(tmp_path):
    ran = []

    def start(run, losses, seed=3, **options):
        of = Differentiable(Problem(BITS, {"max_macs": 60_000}), np.random.default_rng(seed), 16, steps=12,
                            losses=losses, **options)  # fmt: skip
        return search(of, lambda genes: -logarithms(genes), 40, run, progress=False)

    def dies(genes, rng):
        if len(ran) == 5:
            raise KeyboardInterrupt
        return counts(genes, rng)

    def counts(genes, rng):
        ran.append(len(genes))
        return losses_of()(genes, rng)

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, dies)
    found, whole = start(tmp_path, counts), start(None, losses_of())
    assert np.array_equal(found.genes, whole.genes)
    assert len(ran) == 12
    again = start(tmp_path, lambda *_: pytest.fail("ran again"))
    assert np.array_equal(again.genes, whole.genes)
    (tmp_path / "evaluated.safetensors").unlink()
    for other in ({"seed": 4}, {"beta": 1.0}, {"paths": 4}):
        with pytest.raises(InvalidCheckpoint, match="holds another search"):
            start(tmp_path, losses_of(), **other)


def clips(shape: tuple[int, ...]):
    """Batches, and the one that a generator gives."""
    x = torch.randn(24, *shape, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(24) % 4

    def batch(rng):
        rows = rng.choice(24, 6, replace=False)
        return x[rows], targets[rows]

    return batch


@pytest.mark.parametrize("widths", [(), (8,), (8, 4, 2)])
def test_losses_are_those_of_the_slices_as_they_are_in_training(small_space, widths):
    """At their bits, of weights and between layers, where there is a choice of them."""
    supernet, batch = Supernet(small_space).eval(), clips((40, 100))
    of = SearchSpace(small_space, widths, (8, 4) if len(widths) > 1 else (8,))
    genes = of.sample_sizes(np.random.default_rng(0), 6)
    found = supernet_losses(supernet, of, batch, F.cross_entropy)(genes, np.random.default_rng(7))
    x, targets = batch(np.random.default_rng(7))
    elastic, wanted = ElasticBits(supernet, (8, 4, 2)), []
    for arch in of.from_genes(genes):
        with torch.no_grad():
            logits = elastic(x, arch) if len(widths) > 1 else supernet.train()(x, arch.without_bits())
        wanted.append(F.cross_entropy(logits, targets).item())
    np.testing.assert_array_equal(found, wanted)


def test_losses_leave_the_supernet_as_it_was(small_space):
    supernet = Supernet(small_space).eval()
    of = SearchSpace(small_space, (8,))
    supernet_losses(supernet, of, clips((40, 100)), F.cross_entropy)(of.largest(), np.random.default_rng(0))
    assert not supernet.training


def test_coarser_bits_lose_and_a_limit_on_weights_chooses_them(small_space):
    """A supernet at its initial weights copies its largest network best at 8 bits."""
    elastic, batch = ElasticBits(Supernet(small_space), (8, 2)), clips((40, 100))
    arch = small_space.largest()
    with torch.no_grad():
        teacher = elastic(batch(np.random.default_rng(0))[0], with_bits(arch, 8)).softmax(1)
    of = SearchSpace(small_space.shrink(set()), (8, 2), (8, 2))
    losses = supernet_losses(elastic, of, lambda rng: (batch(rng)[0], teacher), F.cross_entropy)
    problem = Problem(of, {})

    def best(limits) -> Arch:
        fixed = Differentiable(Problem(of, limits), np.random.default_rng(0), 4,
                               losses=lambda genes, rng: losses(genes, np.random.default_rng(0)), steps=60)  # fmt: skip
        return of.from_genes(fixed.ask()[:1])[0]

    ends = problem.costs(np.concatenate([of.smallest(), of.largest()]))["weight_bytes"]
    assert best({}) == with_bits(arch, 8)
    assert best({"max_weights": float(ends.mean())}) == with_bits(arch, 2)


def test_it_ends_as_evolution_does_on_losses_that_are_no_sum():
    """After no more networks than the training ran: both are among the best hundredth."""
    limits = {"max_macs": 60_000}
    inside = EVERY[Problem(BITS, limits).keeps(EVERY)]

    def worth(genes):
        return -logarithms(genes) + 0.05 * (genes[:, 0] != genes[:, 2]) - 0.05 * genes[:, 3] * genes[:, 5]

    first = trained(limits, losses=lambda genes, rng: np.exp(-worth(genes))).ask()[:1]
    evolved = search(Evolution(Problem(BITS, limits), np.random.default_rng(0)), worth, 300, progress=False)
    assert (worth(inside) > worth(first)).mean() < 0.01
    assert (worth(inside) > evolved.score).mean() < 0.01


@pytest.mark.parametrize(("name", "shape"), [("sinc", (320, 100)), ("dense", (40, 100)), ("lmu", (40, 100))])
def test_networks_and_bits_of_other_families_are_chosen_within_limits(name, shape):
    """By losses of a supernet's slices, and by what more weights are worth, which a limit on flash sells for bits."""
    space = default_space(name, 4)
    of = SearchSpace(space, (8, 2))
    ends = Problem(of, {}).costs(np.concatenate([of.smallest(), of.largest()]))
    limits = {"max_macs": float(ends["macs"].mean()), "max_weights": float(np.sqrt(ends["weight_bytes"].prod()))}
    run = supernet_losses(Supernet(space), of, clips(shape), F.cross_entropy)
    drawn = Differentiable(Problem(of, limits), np.random.default_rng(0), 8, losses=run, steps=2, paths=2).ask()
    assert Problem(of, limits).keeps(drawn).all()

    def losses(genes, rng):
        return Problem(of, {}).costs(genes)["params"] ** -0.5

    found = Differentiable(Problem(of, limits), np.random.default_rng(0), 8, losses=losses, steps=20).ask()[:1]
    assert Problem(of, limits).costs(found)["weight_bytes"] <= limits["max_weights"]
    assert {spec.weight_bits for spec in layers(of.from_genes(found)[0]) if spec.has_weights} == {8, 2}
