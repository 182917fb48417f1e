"""Measured accuracies: spread over the costs, kept as they are measured, and checked when read."""

import numpy as np
import pytest

from search import SearchSpace
from search.sampling import (
    TABLE,
    draw,
    extract,
    measured_accuracy,
    read_table,
    sample_accuracies,
    table_bytes,
    table_space,
)
from supernet.bits import with_bits
from supernet.data.augment import plain_features
from supernet.errors import InvalidCheckpoint
from supernet.nn.supernet import Supernet
from supernet.quant.elastic import ElasticBits
from supernet.space import default_space
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.evaluate import accuracy

WIDE = SearchSpace(default_space("temporal", 12, 1000, "logmel"), (8, 4, 2, 1), per_layer=True)


@pytest.fixture(scope="module")
def measured(speech_data, small_space):
    """A supernet with random weights, and features and targets to measure it on."""
    frontend = fit_frontend(speech_data, 1)
    supernet = Supernet(small_space, calibration_features(speech_data, frontend, 22)).eval()
    split = speech_data.splits["train"]
    return supernet, plain_features(speech_data, split.rows, frontend), split.targets


def test_networks_are_drawn_evenly_over_the_logarithm_of_costs():
    genes = np.array([draw(WIDE, number, 0) for number in range(64)])
    macs = np.log(WIDE.costs(genes)["macs"])
    counts = np.histogram(macs, 8)[0]
    assert counts.min() >= 5
    uniform = np.histogram(
        np.log(WIDE.costs(WIDE.sample(np.random.default_rng(0), 64))["macs"]), 8, (macs.min(), macs.max())
    )
    assert uniform[0].min() == 0
    assert (genes[:2] == np.concatenate([WIDE.smallest(), WIDE.largest()])).all()
    assert (draw(WIDE, 5, 0) == genes[5]).all()
    assert (draw(WIDE, 5, 1) != genes[5]).any()


def test_every_second_network_has_the_same_bits_in_all_inner_layers():
    inner = WIDE.costs_of.inner
    for number in range(3, 23, 2):
        genes = draw(WIDE, number, 0)[None]
        there = WIDE.costs_of.present(genes[:, : WIDE.genes_of_network])[0] & inner
        assert len(set(WIDE.layer_bits(genes)[0][there])) == 1


def test_the_accuracy_is_that_of_the_network_that_extracting_it_gives(measured, small_space):
    supernet, features, targets = measured
    for source in (supernet, ElasticBits(supernet, (8, 2))):
        of = SearchSpace(small_space, (8, 2) if isinstance(source, ElasticBits) else (8,))
        genes = of.sample(np.random.default_rng(0), 3)
        shares = measured_accuracy(source, of, features, targets)(genes)
        for arch, share in zip(of.from_genes(genes), shares, strict=True):
            fake = extract(source, arch)
            assert accuracy(fake, features, targets) == share
            integers = fake.to_integer()
            assert integers.arch == arch
    assert extract(supernet, small_space.smallest()).arch == small_space.smallest()


def test_measuring_goes_on_where_it_was_stopped_and_can_be_added_to(measured, tmp_path, monkeypatch):
    supernet, features, targets = measured
    whole = sample_accuracies(tmp_path / "whole", supernet, features, targets, 6, progress=False)
    real, done = extract, []

    def dies(*arguments, **options):
        if len(done) == 3:  # networks were measured
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr("search.sampling.extract", dies)
    with pytest.raises(KeyboardInterrupt):
        sample_accuracies(tmp_path / "part", supernet, features, targets, 5, progress=False)
    done.extend([1] * 9)
    sample_accuracies(tmp_path / "part", supernet, features, targets, 5, progress=False)
    again = sample_accuracies(tmp_path / "part", supernet, features, targets, 6, progress=False)
    assert again.equals(whole)
    assert len(sample_accuracies(tmp_path / "part", supernet, features, targets, 4, progress=False)) == 4
    with pytest.raises(InvalidCheckpoint, match="another supernet or other data"):
        sample_accuracies(tmp_path / "part", supernet, features, targets[::-1].copy(), 6, progress=False)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda table: table.assign(accuracy=1.2), "not the columns or values"),
        (lambda table: table.assign(macs=1), "MACs are not those of the networks"),
        (lambda table: table.assign(stem=24), "column stem has values that are not of"),
        (lambda table: table.drop(columns="head"), "head"),
        (lambda table: table.assign(more=1), "not the columns or values"),
    ],
)
def test_a_table_that_is_not_of_the_supernet_is_refused(measured, tmp_path, change, what):
    supernet, features, targets = measured
    of = table_space(supernet)
    table = sample_accuracies(tmp_path, supernet, features, targets, 2, progress=False)
    (tmp_path / TABLE).write_bytes(table_bytes(change(table)))
    with pytest.raises(InvalidCheckpoint, match=what):
        read_table(tmp_path / TABLE, of)


def test_elastic_bits_are_sampled_at_all_their_widths(measured):
    supernet = measured[0]
    assert table_space(ElasticBits(supernet, (8, 4, 1))).weight_bits == (1, 4, 8)
    assert table_space(supernet).weight_bits == (8,)
    assert table_space(supernet).to_genes([with_bits(supernet.space.largest(), 8)]).shape[0] == 1
