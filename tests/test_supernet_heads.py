"""Several tasks on one network: losses by parts, classes by names, and outputs that rare classes do not bias."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from supernet.bits import with_bits
from supernet.data.augment import plain_features
from supernet.errors import InvalidData
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import dequantise_features
from supernet.nn.network import Network
from supernet.nn.supernet import Supernet
from supernet.quant.fake import FakeQuantNetwork
from supernet.train.calibration import fit_frontend
from supernet.train.evaluate import predict
from supernet.train.heads import Heads, head_of, integer_head_of, with_outputs
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe, SupernetRecipe
from supernet.train.supernets import train_supernet

OTHER = ("down", "_unknown_", "_silence_")


def heads(data, drawn=(0, 1, 2, 3)) -> Heads:
    return Heads(data, {"downs": OTHER}, np.array(drawn))


def test_a_class_of_the_data_is_the_one_of_its_name_or_unknown(speech_data):
    found = heads(speech_data)
    assert speech_data.labels == ("up", "down", "_unknown_", "_silence_")
    assert found.maps["downs"].tolist() == [1, 0, 1, 2]
    assert found.maps[""].tolist() == [0, 1, 2, 3]
    assert found.parts == {"": slice(0, 4), "downs": slice(4, 7)}
    assert found.classes == 7
    with pytest.raises(InvalidData, match="no training clips of yes"):
        Heads(speech_data, {"more": ("yes", "_unknown_")}, np.array([0]))


def test_the_loss_is_the_mean_of_the_tasks(speech_data):
    found, generator = heads(speech_data), torch.Generator().manual_seed(0)
    found.shift = torch.zeros(7)
    logits, targets = torch.randn(5, 7, generator=generator), torch.tensor([0, 1, 2, 3, 1])
    own = F.cross_entropy(logits[:, :4], targets), F.cross_entropy(logits[:, 4:], torch.tensor([1, 0, 1, 2, 0]))
    torch.testing.assert_close(found.loss(logits, targets), sum(own) / 2)
    teacher = torch.randn(5, 7, generator=generator)
    own = [F.cross_entropy(logits[:, part], teacher[:, part].softmax(1)) for part in (slice(4), slice(4, 7))]
    torch.testing.assert_close(found.distillation(logits, teacher), sum(own) / 2)


def test_what_is_drawn_more_often_is_not_answered_more_often(speech_data):
    """Clips that tell nothing: the logits of least loss say how often a class is met, whatever training draws."""
    drawn = np.array([0] * 60 + [1] * 20 + [2] * 10 + [3] * 10)
    found = heads(speech_data, drawn)
    logits = torch.zeros(1, 7, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200)

    def closure():
        optimiser.zero_grad()
        loss = found.loss(logits.expand(len(drawn), -1), torch.from_numpy(drawn))
        loss.backward()
        return loss

    optimiser.step(closure)
    np.testing.assert_allclose(logits[0, :4].softmax(0).detach(), np.array([1, 1, 0.2, 0.2]) / 2.4, atol=1e-3)
    np.testing.assert_allclose(logits[0, 4:].softmax(0).detach(), np.array([1, 0.1, 0.1]) / 1.2, atol=1e-3)


def test_accuracies_are_of_each_task(speech_data):
    logits = np.full((4, 7), -1.0)
    logits[[0, 1, 2, 3], [0, 0, 2, 3]] = 1.0  # down is taken for up
    logits[[0, 1, 2, 3], [5, 4, 5, 6]] = 1.0  # all right in the other task
    assert heads(speech_data).accuracies(logits, np.arange(4)) == {"": 0.75, "downs": 1.0}


def test_a_supernet_learns_two_tasks_from_a_teacher_and_resumes(speech_data, small_space, tmp_path):
    space = dataclasses.replace(small_space, classes=7)
    recipe = SupernetRecipe(epochs=2, batch=8, sandwich=True, random=1, tasks=(("downs", OTHER),), seed=3)
    teacher = Supernet(space, seed=9)
    guide = teacher.extract(space.largest()).eval()

    def trained(run, **options):
        return train_supernet(Supernet(space, seed=1), speech_data, Mfcc(), recipe, tmp_path / run, False, **options)

    first, second, alone = trained("a", teacher=guide), trained("b", teacher=guide), trained("c")
    weights = [next(one.parameters()) for one in (first, second, alone)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    wrong = dataclasses.replace(small_space, classes=5)
    with pytest.raises(InvalidData, match="5 classes, and the tasks 7"):
        train_supernet(Supernet(wrong), speech_data, Mfcc(), recipe, tmp_path / "d", False)


def test_a_network_learns_two_tasks_and_gives_one_of_them(speech_data, small_space, tmp_path):
    arch = dataclasses.replace(small_space.largest(), classes=7)
    recipe = Recipe(epochs=30, batch=8, learning_rate=1e-2, tasks=(("downs", OTHER),))
    frontend = fit_frontend(speech_data)
    features = plain_features(speech_data, speech_data.splits["train"].rows, frontend)
    calibration = dequantise_features(features)
    network = train_float(Network(arch), speech_data, frontend, recipe, tmp_path, calibration)
    targets, found = speech_data.splits["train"].targets, heads(speech_data)
    logits = predict(network, features)
    assert min(found.accuracies(logits.numpy(), targets).values()) > 0.8
    own = head_of(network, found.parts["downs"])
    assert own.arch == dataclasses.replace(arch, classes=3)
    torch.testing.assert_close(predict(own, features), logits[:, 4:], rtol=0, atol=0)
    whole = FakeQuantNetwork(network, with_bits(arch, 8)).calibrate(calibration).to_integer()
    part = integer_head_of(whole, found.parts["downs"])
    assert part.arch == dataclasses.replace(whole.arch, classes=3)
    assert np.array_equal(part(features.numpy()), whole(features.numpy())[:, 4:])
    with torch.no_grad():
        own.layers[own.specs[-1].name].bias += 1
        next(iter(own.layers.values())).weight += 1
    assert torch.equal(predict(network, features), logits)


def test_new_outputs_stand_beside_those_that_a_network_had(small_space):
    network = Network(small_space.largest(), seed=1)
    x = torch.randn(8, 40, 100, generator=torch.Generator().manual_seed(0))
    made = with_outputs(network, 9, slice(3, 7), seed=2)
    assert made.arch == dataclasses.replace(network.arch, classes=9)
    torch.testing.assert_close(made(x)[:, 3:7], network(x), rtol=0, atol=1e-6)
    alone = with_outputs(network, 9, seed=2)
    same = (alone(x) == made(x)).all(0)
    assert same.tolist() == [True] * 3 + [False] * 4 + [True] * 2
