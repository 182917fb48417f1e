"""Elastic bits: one supernet whose sub-networks can be had at several widths."""

import numpy as np
import pytest
import torch

from supernet import train as train_module
from supernet.data.augment import plain_features
from supernet.elastic import Supernet
from supernet.errors import InvalidModel
from supernet.families import layers, with_bits
from supernet.frontend import dequantise_features
from supernet.quant.elastic import WIDTHS, ElasticBits, ElasticBitsRecipe, draw_at_bits, train_elastic_bits
from supernet.quant.packing import default_grid
from supernet.quant.quantisers import Lsq
from supernet.train import calibration_features, distillation_loss, fit_frontend, weights_digest


@pytest.fixture
def parts(speech_data, small_space):
    """Front end, calibration features and an untrained supernet."""
    frontend = fit_frontend(speech_data, 1)
    calibration = calibration_features(speech_data, frontend, 22)
    return frontend, calibration, Supernet(small_space, calibration).eval()


def test_a_sub_network_has_slices_of_weights_and_of_its_widths_steps(parts):
    _, _, supernet = parts
    elastic = ElasticBits(supernet)
    with torch.no_grad():
        for key, steps in elastic.steps.items():
            steps.mul_(1 + int(key[-1]) / 10)
    space = supernet.space
    arch = space.from_genes(space.sample(np.random.default_rng(5)))[0]
    fake = elastic.extract(with_bits(arch, 2))
    for spec in layers(fake.arch):
        if spec.has_weights:
            largest = supernet.network.layers[spec.name].weight
            alone = Lsq(largest, spec.weight_bits, default_grid(spec.weight_bits))
            expected = alone.steps[: spec.out_shape[0]] * (1 + spec.weight_bits / 10)
            assert torch.equal(fake.quantisers[spec.name].steps, expected)
    assert fake.to_integer().arch == with_bits(arch, 2)


def test_a_step_has_every_end_and_different_widths(small_space):
    for seed in range(20):
        archs = draw_at_bits(small_space, WIDTHS, 2, np.random.default_rng(seed))
        assert [arch.without_bits() for arch in archs[:2]] == [small_space.largest(), small_space.smallest()]
        inner = [min(arch.weight_bits) for arch in archs]
        assert len(set(inner)) == 4
        assert set(inner) <= set(WIDTHS)


def test_bits_that_were_not_trained_are_refused(parts):
    elastic = ElasticBits(parts[2], (8, 4))
    for arch in (with_bits(parts[2].space.smallest(), 2), parts[2].space.smallest()):
        with pytest.raises(InvalidModel, match=r"were not trained: give some of \(8, 4\)"):
            elastic.extract(arch)


def test_training_serves_all_widths_at_once_and_goes_on_after_a_kill(parts, speech_data, tmp_path, monkeypatch):
    frontend, calibration, supernet = parts
    teacher = supernet.extract(supernet.space.largest())
    recipe = ElasticBitsRecipe(epochs=2, batch=8, learning_rate=1e-2)
    features = dequantise_features(plain_features(speech_data, speech_data.splits["train"].rows, frontend))

    @torch.no_grad()
    def loss(elastic: ElasticBits, bits: int) -> float:
        logits = elastic.extract(with_bits(supernet.space.largest(), bits))(features)
        return float(distillation_loss(logits, teacher(features)))

    def start() -> ElasticBits:
        return ElasticBits(Supernet(supernet.space, calibration).eval(), (8, 1))

    def run(folder) -> ElasticBits:
        return train_elastic_bits(start(), teacher, speech_data, frontend, recipe, folder, progress=False)

    whole = run(tmp_path / "whole")
    assert loss(whole, 1) < loss(start(), 1)
    calls, real = iter(range(3)), train_module._descend

    def dies(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(train_module, "_descend", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed")
    monkeypatch.undo()
    assert weights_digest(run(tmp_path / "killed")) == weights_digest(whole)
