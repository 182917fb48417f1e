"""Learning a new task without forgetting the one before."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from supernet.nn.network import Network, recalibrate
from supernet.space import default_space
from supernet.train.remembering import Remembering


@pytest.fixture
def pair():
    """A network of five classes, and one of three that begins with its body."""
    torch.manual_seed(0)
    arch = default_space("temporal", 5).smallest()
    features = torch.randn(64, arch.features.coefficients, arch.frames)
    start = recalibrate(Network(arch, 1), features).eval()
    network = Network(default_space("temporal", 3).smallest(), 2)
    head = f"layers.{network.specs[-1].name}."
    own = dict(start.named_parameters())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if not name.startswith(head):
                parameter.copy_(own[name])
    return recalibrate(network, features).eval(), start, features


@pytest.mark.parametrize("clips", [1, 2])
def test_nothing_is_forgotten_before_anything_is_learned(pair, clips):
    network, start, features = pair
    both = Remembering(network, start).eval()
    x = features.unflatten(0, (-1, clips)).transpose(1, 2).flatten(2)
    logits = both(x, clips)
    assert torch.equal(logits, network(x, clips))
    assert logits.shape == (64, 3)
    assert both.forgotten().item() == pytest.approx(0, abs=1e-6)


def test_what_is_forgotten_is_the_divergence_of_the_old_head(pair):
    network, start, features = pair
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    both = Remembering(network, start).eval()
    both(features)
    before = F.softmax(start(features), 1).detach().double().numpy()
    now = F.softmax(start.classify(network.embed(features)), 1).detach().double().numpy()
    expected = (before * np.log(before / now)).sum(1).mean()
    assert both.forgotten().item() == pytest.approx(expected, rel=1e-3)
    assert expected > 1e-3


def test_the_start_stays_and_is_no_part_of_what_is_trained(pair):
    network, start, features = pair
    kept = {name: one.clone() for name, one in start.state_dict().items()}
    both = Remembering(network, start)
    assert [one.shape for one in both.parameters()] == [one.shape for one in network.parameters()]
    optimiser = torch.optim.SGD(both.parameters(), 0.1)
    both.train()
    (both(features).square().mean() + both.forgotten()).backward()
    optimiser.step()
    assert not start.training
    assert all(torch.equal(kept[name], one) for name, one in start.state_dict().items())


def test_training_keeps_what_it_is_told_to_remember(pair):
    network, start, features = pair
    with torch.no_grad():
        start.layers[start.specs[-1].name].weight.mul_(10)
    forgotten = [_after_training(network, start, features, weight) for weight in (0.0, 10.0)]
    assert forgotten[1] < 0.1 * forgotten[0]


def _after_training(network, start, features, weight: float) -> float:
    """What is forgotten once a copy of a network has learned some targets."""
    both, targets = Remembering(copy.deepcopy(network), start).train(), torch.arange(64) % 3
    optimiser = torch.optim.Adam(both.parameters(), 3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        (F.cross_entropy(both(features), targets) + weight * both.forgotten()).backward()
        optimiser.step()
    recalibrate(both.network, features)
    both.eval()(features)
    return both.forgotten().item()
