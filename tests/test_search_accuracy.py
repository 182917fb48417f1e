"""Predicting accuracies: what a known function makes of networks, on ones that were not measured."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from search import SearchSpace
from search.accuracy import KINDS, AccuracyPredictor, _Model, load_predictor, save_predictor
from search.sampling import TABLE, draw
from supernet.errors import InvalidCheckpoint
from supernet.files import digest
from supernet.space import default_space

MAPS = default_space("temporal", 12, 1000, "logmel")
SPACE = SearchSpace(MAPS, (8, 4, 2, 1), per_layer=True)


def truth(genes: np.ndarray) -> np.ndarray:
    """Accuracies that rise with size and bits, and hang on the kernels."""
    macs, bits = SPACE.costs(genes)["macs"], SPACE.layer_bits(genes)
    there = SPACE.costs_of.present(genes[:, : SPACE.genes_of_network]) & SPACE.costs_of.inner
    coarse = (np.where(there, 2.0**-bits, 0).sum(1)) / there.sum(1)
    kernels = SPACE.table(genes)["stage3_block1_kernel"].to_numpy()
    return 1 - np.clip(0.05 * (macs / 7e6) ** -0.4 * (1 + 1.5 * coarse) * (1.2 - 0.03 * kernels), 0, 0.9)


def measured(count: int, noise: float = 0.002, seed: int = 0) -> pd.DataFrame:
    genes = np.array([draw(SPACE, number, seed) for number in range(count)])
    shares = truth(genes) + noise * np.random.default_rng(seed).standard_normal(count)
    return SPACE.table(genes).assign(macs=SPACE.costs(genes)["macs"], accuracy=shares.round(6))


TRAIN = measured(200)


@pytest.fixture(scope="module")
def predictor() -> AccuracyPredictor:
    return AccuracyPredictor(SPACE).fit(TRAIN)


def test_unseen_networks_are_ranked_nearly_as_the_truth_ranks_them(predictor):
    genes = np.array([draw(SPACE, number, 1) for number in range(150)])
    said = predictor.predict(SPACE, genes)
    assert kendalltau(said, truth(genes))[0] > 0.8
    assert np.abs(said - truth(genes)).mean() < 0.012
    assert ((said >= 0) & (said <= 1)).all()


def test_the_stated_quality_is_what_unseen_networks_show(predictor):
    quality = predictor.quality_
    unseen = measured(150, seed=1)
    genes = SPACE.from_table(unseen)
    said = predictor.predict(SPACE, genes)
    assert quality.kind in KINDS
    assert quality.rows == 200
    low, high = quality.kendall_interval
    assert low < quality.kendall < high
    assert low - 0.05 < kendalltau(said, unseen["accuracy"])[0] < high + 0.05
    low, high = quality.error_interval
    assert low * 0.7 < np.abs(said - unseen["accuracy"]).mean() < high * 1.3
    inside = [ends[0] <= share <= ends[1]
              for share, ends in zip(unseen["accuracy"], map(predictor.interval, said), strict=True)]  # fmt: skip
    assert 0.82 < np.mean(inside) < 0.97


def test_it_knows_bits_in_spaces_of_one_width_for_all_layers(predictor):
    uniform = SearchSpace(MAPS, (8, 4, 2, 1))
    genes = np.repeat(uniform.largest(), 4, 0)
    genes[:, -2] = range(4)
    said = predictor.predict(uniform, genes)
    same = SPACE.to_genes(uniform.from_genes(genes))
    assert said == pytest.approx(predictor.predict(SPACE, same))
    assert said[0] < said[1] < said[3]


def test_networks_in_floating_point_are_taken_for_those_of_8_bits(predictor):
    floating, eight = SearchSpace(MAPS), SearchSpace(MAPS, (8,))
    genes = floating.sample(np.random.default_rng(0), 5)
    with_genes_of_bits = eight.canonical(np.hstack([genes, np.zeros((5, 2), int)]))
    assert predictor.predict(floating, genes) == pytest.approx(predictor.predict(eight, with_genes_of_bits))


@pytest.fixture
def folder(tmp_path):
    """Of a supernet, as far as a predictor writes to it."""
    (tmp_path / "config.json").write_text(json.dumps({"digests": {}}))
    return tmp_path


def test_what_is_kept_predicts_the_same_and_is_no_pickle(predictor, folder):
    save_predictor(folder, TRAIN, predictor.quality_, {"split": "validation", "clips": 99})
    loaded, about = load_predictor(folder, SPACE)
    genes = SPACE.sample(np.random.default_rng(2), 30)
    assert (loaded.predict(SPACE, genes) == predictor.predict(SPACE, genes)).all()
    assert loaded.quality_ == predictor.quality_
    assert (about["split"], about["clips"]) == ("validation", 99)
    assert sorted(path.name for path in folder.iterdir()) == ["accuracy.csv", "accuracy.json", "config.json"]


HARMS = {
    "altered": (lambda values: values, r"accuracy\.csv: altered"),
    "missing": (lambda values: values, "No such file"),
    "no quality": (lambda values: {"sha256": values["sha256"], "clips": 9}, "'quality'"),
    "no clips": (lambda values: {key: values[key] for key in ("sha256", "quality")}, "'clips'"),
    "another kind": (lambda values: changed(values, kind="x"), "not possible: x"),
    "not numbers": (lambda values: changed(values, kernel=["a"] * 5), "not possible: .*'a'"),
    "a kernel of any size": (lambda values: changed(values, kernel=[900.0] * 5), r"not possible: .*900\.0"),
    "ends the wrong way": (lambda values: changed(values, low=2.0, high=1.0), r"not possible: .*2\.0, 1\.0"),
    "another count": (lambda values: changed(values, rows=7), "not of the table beside it"),
    "no interval": (lambda values: changed(values, kendall_interval=3), "must be an iterable"),
}
"""What is done to a predictor's description, and what is said of it."""


def changed(values: dict, **quality) -> dict:
    return {**values, "quality": {**values["quality"], **quality}}


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("harm", HARMS)
def test_a_predictor_on_disk_that_is_not_as_written_is_refused(predictor, folder, harm, signed):
    """signed: the digest in the supernet's config is that of the altered file."""
    save_predictor(folder, TRAIN, predictor.quality_, {"clips": 9})
    table, about = folder / TABLE, folder / "accuracy.json"
    change, said = HARMS[harm]
    about.write_text(json.dumps(change(json.loads(about.read_text()))))
    if harm == "altered":
        table.write_text(table.read_text().replace("0.9", "0.8", 1))
    elif harm == "missing":
        table.unlink()
    if signed:
        (folder / "config.json").write_text(json.dumps({"digests": {"accuracy.json": digest(about.read_bytes())}}))
    with pytest.raises(InvalidCheckpoint, match=said if signed else r"accuracy\.json: altered"):
        load_predictor(folder, SPACE)


def test_networks_that_are_all_equally_good_have_no_rank_correlation():
    flat = AccuracyPredictor(SPACE).fit(TRAIN[:40].assign(accuracy=1.0))
    assert (flat.quality_.kendall, flat.quality_.error) == (0.0, 0.0)
    assert flat.predict(SPACE, SPACE.largest()) == pytest.approx(1.0)


def test_too_few_networks_are_refused():
    with pytest.raises(InvalidCheckpoint, match="19 measured networks are too few; measure 20 or more"):
        AccuracyPredictor(SPACE).fit(TRAIN[:19])


def test_the_same_table_gives_the_same_predictor(predictor):
    again = AccuracyPredictor(SPACE).fit(TRAIN)
    genes = SPACE.sample(np.random.default_rng(3), 10)
    assert again.quality_ == predictor.quality_
    assert (again.predict(SPACE, genes) == predictor.predict(SPACE, genes)).all()


def test_the_process_is_that_of_scikit_learn():
    """Its mean, computed by a formula of our own."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 5)), rng.standard_normal(60)
    model = _Model("ensemble").fit(x, y)
    asked = rng.standard_normal((9, 5))
    wanted = model.process_.predict(model.scaler_.transform(asked)) * y.std() + y.mean()
    assert model._process(model.scaler_.transform(asked)) == pytest.approx(wanted)
    assert model.predict(asked) == pytest.approx((model.trees_.predict(asked) + wanted) / 2)
