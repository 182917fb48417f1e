"""Elastic bits: one supernet whose sub-networks can be had at several widths."""

import dataclasses

import numpy as np
import pytest
import torch

from supernet.bits import with_bits
from supernet.errors import InvalidArch, InvalidCheckpoint, InvalidModel
from supernet.files import read_json, write_json
from supernet.integer.packing import default_grid
from supernet.layer import layers
from supernet.nn.frontend import quantise_features
from supernet.nn.store import save_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import (
    WIDTHS,
    ElasticBits,
    ElasticBitsRecipe,
    draw_at_bits,
    load_elastic_bits,
    save_elastic_bits,
    train_elastic_bits,
)
from supernet.quant.quantisers import Lsq
from supernet.train import loop
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.loop import weights_digest
from supernet.train.losses import label_loss


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
        for key, log_steps in elastic.log_steps.items():
            log_steps.add_(int(key[-1]) / 10)
    space = supernet.space
    arch = space.from_genes(space.sample(np.random.default_rng(5)))[0]
    fake = elastic.extract(with_bits(arch, 2))
    for spec in layers(fake.arch):
        if spec.has_weights:
            largest = supernet.network.layers[spec.name].weight
            alone = Lsq(largest, spec.weight_bits, default_grid(spec.weight_bits))
            expected = alone.log_steps[: spec.out_shape[0]] + spec.weight_bits / 10
            assert torch.equal(fake.quantisers[spec.name].log_steps, expected)
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
    smallest = parts[2].space.smallest()
    for arch in (with_bits(smallest, 2), with_bits(smallest, 4, edge=4), smallest):
        with pytest.raises(InvalidModel, match=r"was not trained at (2|4|no) bits: .* with bits of \(8, 4\)"):
            elastic.extract(arch)
    other = dataclasses.replace(smallest, shape=dataclasses.replace(smallest.shape, head=1024))
    with pytest.raises(InvalidArch, match="not in the supernet's space"):
        elastic(parts[1], with_bits(other, 8))
    with pytest.raises(InvalidModel, match="need 8 as well"):
        ElasticBits(parts[2], (4, 2))


def test_weights_and_steps_of_all_widths_learn(parts):
    _, calibration, supernet = parts
    arch = supernet.space.smallest()
    elastic, wanted = ElasticBits(supernet, (8, 1)).train(), torch.arange(len(calibration)) % arch.classes
    optimiser, losses = torch.optim.Adam(elastic.parameters(), 5e-3), {8: [], 1: []}
    for _ in range(25):
        optimiser.zero_grad()
        for bits, own in losses.items():
            loss = label_loss(elastic(calibration, with_bits(arch, bits)), wanted)
            loss.backward()
            own.append(loss.item())
        optimiser.step()
    assert {bits: own[-1] < 0.85 * own[0] for bits, own in losses.items()} == {8: True, 1: True}, losses
    fresh = ElasticBits(Supernet(supernet.space), (8, 1))
    for key in ("head_w8", "head_w1", "stem_w8"):
        assert not torch.equal(elastic.log_steps[key], fresh.log_steps[key])


def test_a_killed_run_is_taken_up_with_the_same_weights(parts, speech_data, tmp_path, monkeypatch):
    frontend, calibration, supernet = parts
    teacher = supernet.extract(supernet.space.smallest())

    def run(folder) -> ElasticBits:
        elastic = ElasticBits(Supernet(supernet.space, calibration), (8, 1))
        recipe = ElasticBitsRecipe(epochs=2, batch=8)
        return train_elastic_bits(elastic, teacher, speech_data, frontend, recipe, folder, progress=False)

    whole = run(tmp_path / "whole")
    calls, real = iter(range(3)), loop._descend

    def dies(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(loop, "_descend", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed")
    monkeypatch.undo()
    assert weights_digest(run(tmp_path / "killed")) == weights_digest(whole)


def test_a_stored_supernet_gives_the_same_integers_at_every_width(parts, tmp_path):
    frontend, calibration, supernet = parts
    elastic = ElasticBits(supernet, (8, 2))
    with torch.no_grad():
        elastic.log_steps["head_w2"].add_(0.1)
    labels = tuple(f"word{number}" for number in range(supernet.space.classes))
    save_elastic_bits(tmp_path / "bits", elastic, frontend, "words", labels, {"name": "bits"})
    loaded, stored = load_elastic_bits(tmp_path / "bits", "words")
    assert (loaded.widths, stored.labels) == ((8, 2), labels)
    for bits in loaded.widths:
        arch = with_bits(supernet.space.smallest(), bits)
        first, second = (item.extract(arch, calibration).to_integer() for item in (elastic, loaded))
        stored_features = quantise_features(calibration).numpy()
        assert np.array_equal(first(stored_features), second(stored_features))


def test_stored_steps_are_checked(parts, tmp_path):
    frontend, _, supernet = parts
    labels = tuple(f"word{number}" for number in range(supernet.space.classes))
    save_supernet(tmp_path / "plain", supernet, frontend, "words", labels, {"name": "plain"})
    with pytest.raises(InvalidCheckpoint, match="not trained at several widths"):
        load_elastic_bits(tmp_path / "plain", "words")
    folder = save_elastic_bits(
        tmp_path / "bits", ElasticBits(supernet, (8, 2)), frontend, "words", labels, {"name": "b"}
    )
    config = read_json(folder / "config.json")
    digests = {name: value for name, value in config["digests"].items() if name != "steps.safetensors"}
    for changes, message in (
        ({"widths": [8, 4]}, "the steps do not fit the space"),
        ({"widths": [4]}, r"widths \[4\] are not possible"),
        ({"widths": ["a", 8]}, "are not possible"),
        ({"widths": 3}, "widths 3 are not possible"),
        ({"digests": digests}, r"no digest of steps\.safetensors"),
    ):
        write_json(folder / "config.json", {**config, **changes})
        with pytest.raises(InvalidCheckpoint, match=message):
            load_elastic_bits(folder, "words")
    write_json(folder / "config.json", config)
    (folder / "steps.safetensors").write_bytes(b"altered")
    with pytest.raises(InvalidCheckpoint, match=r"steps\.safetensors"):
        load_elastic_bits(folder, "words")
