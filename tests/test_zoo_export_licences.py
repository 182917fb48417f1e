"""Which licence each file of an export is under: code of Earshot, or what was made of data."""

import json
import re

import pytest
from named import micro, smallest

import zoo
from predictors.bench import Bench
from zoo.export import export_bench
from zoo.export.licences import of_both, spdx

STREAM, CLIP, FREE = smallest(2), "esc10-mbconv-0.51M-w2a8-3692254d", "aec-mbconv-0.98M-w8a8-f6130281"
LINE = re.compile(r"/\* SPDX-License-Identifier: (.+) \*/\n")


def stated(folder):
    """The licence in the first line of each file of C, by its path."""
    files = [path for path in folder.rglob("*") if path.suffix in (".c", ".h", ".ino", ".cpp")]
    lines = {path.relative_to(folder).as_posix(): LINE.match(path.read_text()) for path in files}
    assert all(lines.values()), lines
    return {path: line[1] for path, line in lines.items()}


@pytest.mark.parametrize(("name", "own"), [(STREAM, "CC-BY-4.0"), (CLIP, "CC-BY-3.0"), (FREE, "CC-BY-NC-3.0")])
def test_code_is_apache_and_what_was_made_of_data_has_the_licence_of_the_model(name, own, tmp_path):
    model = zoo.get(name=name)
    folder = model.export("c", tmp_path / "robin")
    data = {"src/robin_weights.c", "test/known_answers.h"}
    found = stated(folder)
    assert data <= set(found)
    assert {path: own if path in data else "Apache-2.0" for path in found} == found
    library = json.loads((folder / "library.json").read_text())
    assert library["license"] == f"Apache-2.0 AND {own}"
    text = (folder / "LICENSE").read_text()
    assert f"Weights and known answers of the model {name}: src/robin_weights.c, test/known_answers.h." in text
    assert f"https://spdx.org/licenses/{own}.html\nAttribution: {model.attribution}\n" in text
    assert "http://www.apache.org/licenses/LICENSE-2.0" in text
    assert "LICENSE" in json.loads((folder / "report.json").read_text())["files"]
    assert re.search(r"code is Apache-2\.0.*`LICENSE`", (folder / "README.md").read_text(), re.DOTALL)


def test_a_library_of_arduino_has_all_fields_and_no_page_of_others(tmp_path):
    text = (zoo.get(name=STREAM).export("c", tmp_path / "robin") / "library.properties").read_text()
    fields = dict(line.split("=", 1) for line in text.splitlines())
    assert {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"} <= set(fields)
    assert fields["url"] == ""


@pytest.mark.parametrize(
    ("to", "name", "both"),
    [
        ("onnx", STREAM, set()),
        ("tflite", STREAM, set()),
        ("tflite", smallest(2, "sinc"), {"frontend/robin_features_frontend.c"}),
    ],
)
def test_front_ends_beside_other_runtimes_state_theirs(to, name, both, tmp_path):
    """Filters over samples are weights, in a file with code."""
    pytest.importorskip({"onnx": "onnx", "tflite": "flatbuffers"}[to])
    folder = zoo.get(name=name).export(to, tmp_path / "robin")
    found = stated(folder)
    assert found == {path: "Apache-2.0 AND CC-BY-4.0" if path in both else "Apache-2.0" for path in found}
    assert len(found) == 4
    models = ", ".join(sorted(path.name for path in folder.glob(f"*.{to}")))
    text = (folder / "LICENSE").read_text()
    assert f"of the model {name}: {models}." in text
    assert ("Code and weights in one file, under both: " in text) == bool(both)


def test_a_wake_word_for_esphome_names_whom_it_is_made_of(tmp_path):
    pytest.importorskip("tflite_micro")
    model = zoo.get(name=micro())
    text = (model.export("esphome", tmp_path / "robin", word="stop") / "LICENSE").read_text()
    assert f"of the model {model.name}: robin.tflite.\n" in text
    assert model.attribution in text


def test_a_bench_is_code_alone(tmp_path):
    folder = export_bench(tmp_path / "my_bench", Bench("mfcc", 3, 1, 60_000, 12_000))
    assert set(stated(folder).values()) == {"Apache-2.0"}
    assert "Weights" not in (folder / "LICENSE").read_text()


def test_a_licence_that_spdx_does_not_list_refers_to_the_file():
    """Whatever it is called, it ends no comment and no string."""
    assert (spdx("cc0-1.0"), spdx("CC-BY-4.0"), spdx("apache-2.0")) == ("CC0-1.0", "CC-BY-4.0", "Apache-2.0")
    assert of_both("apache-2.0") == "Apache-2.0"
    for name in ("other", '*/ " my own'):
        assert of_both(name) == "Apache-2.0 AND LicenseRef-weights"
