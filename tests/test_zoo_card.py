"""Cards: what the Hub and people read is what config.json says."""

import copy
import dataclasses
import io

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

from supernet.errors import InvalidModel, InvalidPackage
from supernet.files import read_json
from supernet.frontend.mfcc import Mfcc
from zoo.hubs.folder import BUNDLED
from zoo.make.package import write_package
from zoo.package.card import _pictures, card, pictures
from zoo.package.figures import COSTS, DeviceFigure, read_figures
from zoo.package.read import CARD, CONFIG, FILES, PICTURE, read_config

CONFUSION = [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [1, 0, 0, 0]]
FIGURE = DeviceFigure(
    "p", "board|1", 64.0, "TFLM", "1.2", 12345.6, 5.0, 20000.0, 9.87654, 5.0, 11.0, True, True, "measured"
)


@pytest.fixture
def values(package):
    return read_json(package / CONFIG)


def written(folder, integers, info):
    samples = np.zeros((1, 16_000), np.int16)
    return write_package(folder, integers, Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40), samples, info)


def confused(info: dict) -> dict:
    figures = {"accuracy": 0.75, "interval": [0.4, 0.9], "clips": 8, "confusion": CONFUSION}
    return {**info, "accuracy": {**info["accuracy"], "test": figures}}


def test_the_hub_reads_what_the_configuration_says(values):
    values["training"]["supernet"] = "kws-temporal"
    data = ModelCard(card(values)).data
    assert data.library_name == "earshot"
    assert data.pipeline_tag == "audio-classification"
    assert data.license == values["licence"]
    assert data.datasets == [values["dataset"]["id"]]
    assert data.base_model == "kws-temporal"
    assert data.base_model_relation == "quantized"
    assert {values["task"], "quantized"} <= set(data.tags)
    assert data.model_name == values["name"]
    assert len(data.eval_results) == 2
    for result in data.eval_results:
        assert result.metric_type == "accuracy"
        assert result.metric_value == values["accuracy"][result.dataset_split]["accuracy"]
        assert (result.dataset_type, result.dataset_name) == (values["dataset"]["id"], values["dataset"]["name"])


def test_a_prediction_is_no_result(values):
    values["accuracy"] = {"validation": {**values["accuracy"]["validation"], "basis": "predicted"}}
    text = card(values)
    assert ModelCard(text).data.eval_results is None
    assert "model-index" not in text
    assert "predicted, not measured" in text


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("other", {"license": "other"}),
        ("My-Own-1.0", {"license": "other", "license_name": "my-own-1.0", "license_link": CARD}),
    ],
)
def test_a_licence_that_the_hub_does_not_know_has_a_name_and_a_link(values, licence, told):
    values["licence"] = licence
    data = ModelCard(card(values)).data.to_dict()
    assert {key: value for key, value in data.items() if key.startswith("license")} == told


def test_names_that_yaml_would_read_otherwise_stay_texts(values):
    values["task"], values["dataset"]["id"], values["dataset"]["name"] = "no", "1.0", "a: [b] # c"
    data = ModelCard(card(values)).data
    assert data.datasets == ["1.0"]
    assert "no" in data.tags
    assert {result.dataset_name for result in data.eval_results} == {"a: [b] # c"}


def test_a_card_tells_what_a_reader_asks_in_order(values):
    text = card(values, [FIGURE])
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == [
        f"# {values['name']}",
        "## What it knows",
        "## Intended use and limits",
        "## Accuracy",
        "## Costs of one answer",
        "## On devices",
        "## How it was trained and searched",
        "## How to check it",
        "## Licence and attribution",
    ]
    for said in (*values["labels"], *values["notes"], *values["limits"], *values["training"]["summary"]):
        assert said in text
    assert f'zoo.get(name="{values["name"]}")' in text
    assert f"earshot verify {values['name']}" in text
    assert f"{values['costs']['macs']:,}" in text
    assert "clip of 1 s at 16 kHz" in text


def test_bundled_cards_are_those_of_this_version():
    for folder in sorted((BUNDLED / "models").iterdir()):
        figures = read_figures(folder / COSTS) if (folder / COSTS).is_file() else {}
        made = card(read_config(folder).values, tuple(figures.values()))
        assert made == (folder / CARD).read_text(), folder.name


def test_devices_are_a_table_with_those_in_range_first(values):
    far = dataclasses.replace(FIGURE, device="far", in_range=False, energy_uj=None, basis="indicative", clock_mhz=None)
    guess = dataclasses.replace(FIGURE, device="guess", energy_in_range=False, basis="predicted")
    text = card(values, [far, guess, FIGURE])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if " ms (" in line]
    energy = "9.877 uJ (5 to 11)"
    latency = "12,350 ms (5 to 20,000)"
    assert rows == [
        ["board&#124;1", "64 MHz", "TFLM", "1.2", latency, energy, "measured", "yes"],
        ["guess", "64 MHz", "TFLM", "1.2", latency, energy, "predicted", "latency only"],
        ["far", "not known", "TFLM", "1.2", latency, "not known", "indicative", "no"],
    ]
    assert f"`earshot info {values['name']} --device DEVICE` gives today's" in text
    assert "3 devices, 2 in range" in text
    assert "On devices" not in card(values)


def test_labels_with_backticks_stay_whole(values):
    assert "`` a`b ``" in card({**values, "labels": ["a`b", "c", "d", "e"]})


def test_a_package_with_a_confusion_has_a_picture_under_its_digest(integers, package_info, tmp_path):
    package = written(tmp_path / "one", integers, confused(package_info))
    assert set(read_config(package).files) == {*FILES, PICTURE}
    data = (package / PICTURE).read_bytes()
    assert f"]({PICTURE})" in (package / CARD).read_text()
    assert (written(tmp_path / "two", integers, confused(package_info)) / PICTURE).read_bytes() == data
    assert Image.open(io.BytesIO(data)).text == {}


def test_a_package_without_a_confusion_has_none(package):
    assert set(read_config(package).files) == set(FILES)
    assert not (package / PICTURE).exists()
    assert PICTURE not in (package / CARD).read_text()


@pytest.mark.parametrize(("classes", "most"), [(12, 40_000), (50, 100_000)])
@pytest.mark.parametrize("many", [False, True])
def test_a_picture_is_small_and_the_same_again(values, classes, most, many):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 100, (classes, 2, 2)) if many else rng.poisson(0.5, (classes, classes))
    figures = {**values["accuracy"]["test"], "confusion": counts.tolist()}
    labels = [f"class number {index}" for index in range(classes - 1)] + ["停 $x_"]
    shown = {**values, "multi_label": many, "labels": labels, "accuracy": {"test": figures}}
    data = pictures(shown)["accuracy.png"]
    _pictures.cache_clear()
    assert data == pictures(copy.deepcopy(shown))["accuracy.png"]
    assert len(data) < most


def test_what_no_package_may_hold_is_not_written(integers, package_info, tmp_path):
    with pytest.raises(InvalidPackage, match=r"labels\[0\] = 'a\\n' is not possible: give a printable text"):
        written(tmp_path, integers, {**package_info, "labels": ["a\n", "b", "c", "d"]})
    with pytest.raises(InvalidModel, match="17 clips"):
        write_package(tmp_path, integers, Mfcc(), np.zeros((17, 16_000), np.int16), package_info)
    assert list(tmp_path.iterdir()) == []


def test_conditions_are_shown_beside_the_split_that_they_vary(values):
    assert "less quiet" not in card(values)
    plain = values["accuracy"]["test"]
    share, clips = plain["accuracy"], plain["clips"]
    noisy = {"accuracy": share / 2, "interval": [share / 2, share / 2], "clips": clips}
    values["accuracy"]["test"] = {**plain, "conditions": {"room": noisy, "clean": plain, "other": noisy}}
    lines = card(values).split("## Where it is less quiet and near")[1].split("##")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")][2:]
    low, high = plain["interval"]
    assert rows[0] == ["clean", f"{share:.2%}", f"{low:.2%} to {high:.2%}", "+0.0"]
    assert [row[0] for row in rows] == ["clean", "room"]
    assert rows[1][3] == f"{-50 * share:+.1f}"


def test_only_figures_of_a_cross_validation_are_called_so(values):
    """A model that was made of all folds may have figures of its own."""
    values["dataset"]["folds"] = [1, 2, 3]
    assert "Of the integer package, on" in card(values)
    values["accuracy"] = {split: {**one, "folds": [1, 2, 3]} for split, one in values["accuracy"].items()}
    assert "By cross-validation over folds 1, 2, 3: of integer packages made in the same way" in card(values)
    values["accuracy"] = {"validation": {**values["accuracy"]["validation"], "basis": "predicted"}}
    assert "cross-validation" not in card(values)
