"""The schema of config.json: a second reader agrees with Earshot's, and what is refused is said in one line."""

import copy
import json
import re
import shutil

import jsonschema
import pytest
from fuzzing import fuzzed
from hypothesis import strategies as st
from named import smallest

from supernet.errors import InvalidPackage
from supernet.files import read_json, write_json
from zoo.hubs.folder import BUNDLED
from zoo.package.read import CONFIG, read_config
from zoo.package.schema import PATH, SCHEMA, check_values, check_version

LAYOUT = json.loads(PATH.read_bytes())
READER = jsonschema.Draft202012Validator(LAYOUT)
PACKAGES = sorted(BUNDLED.glob(f"models/*/{CONFIG}"))
EXAMPLE = read_json(PACKAGES[0])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20).filter(lambda text: not text.endswith("\n")),  # Python's $ matches before it, ECMAScript's not
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)


def paths(value, above=()) -> list[tuple]:
    """Of all values inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in inside for path in ((*above, key), *paths(item, (*above, key)))]


def put(values: dict, path: tuple, value) -> dict:
    """A copy with another value there, or without it where the value is `...`."""
    changed = here = copy.deepcopy(values)
    for key in path[:-1]:
        here = here[key]
    if value is ...:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return changed


def test_the_schema_is_one_and_describes_every_field():
    jsonschema.Draft202012Validator.check_schema(LAYOUT)
    assert LAYOUT["properties"]["schema"]["maximum"] == SCHEMA
    fields = [LAYOUT]
    for part in fields:
        for field in part.get("properties", {}).values():
            assert {"title", "description"} <= field.keys(), field
        known = [*part.get("properties", {}).values(), part.get("items"), part.get("additionalProperties")]
        fields += [item for item in (*known, *part.get("$defs", {}).values()) if isinstance(item, dict)]
    assert len(fields) > 90


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_bundled_packages_have_the_layout(path):
    values = read_json(path)
    check_values(values)
    READER.validate(values)


FEW = [path for path in paths(EXAMPLE) if not any(isinstance(key, int) for key in path)]
"""Places outside of lists, of which most are counts of a confusion."""


@fuzzed(200, st.one_of(st.sampled_from(FEW), st.sampled_from(paths(EXAMPLE))), st.one_of(st.just(...), VALUES))
def test_two_readers_agree(path, value):
    changed = put(EXAMPLE, path, value)
    valid = READER.is_valid(changed)
    if valid:
        check_values(changed)
    else:
        with pytest.raises(InvalidPackage, match=r"is (missing|not known|not possible)|differ") as error:
            check_values(changed)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 600
    return valid


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("labels",), ..., "'labels' is missing"),
        (
            ("arch", "stages", 0, "width"),
            9,
            "arch.stages[0].width = 9 is not possible: give a whole number from 8 to 1024",
        ),
        (("arch", "stem"), 10**9, "arch.stem = 1000000000 is not possible"),
        (("arch", "depth"), 3, "arch: 'depth' is not known; known: family, "),
        (("labels",), ["a", "a"], "give a list of 2 to 10000, all different"),
        (("labels", 1), "stop\x1b[31m", "labels[1] = 'stop\\x1b[31m' is not possible: give a printable text"),
        (("labels", 1), "stop\n", "give a printable text"),
        (("labels", 1), "a\u202eb", "give a printable text"),
        (("labels", 1), "", "give a printable text"),
        (("name",), "../../etc-12345678", "name = '../../etc-12345678' is not possible: give up to 128 letters"),
        (("digests", "../x"), "", "digests: '../x' is not known"),
        (("digests", CONFIG), "0" * 64, "is not known"),
        (("quantization_config", "tensors", "head", "scale"), 0, "give a number from 1e-12 to 1000000"),
        (("quantization_config", "weights", "num_bits"), "many", "give 1, 2, 3"),
        (("dataset",), 3, "dataset = 3 is not possible: give an object"),
        (("streamable",), 1, "streamable = 1 is not possible: give true or false"),
        (("costs", "macs"), 10**12, "costs.macs = 1000000000000 is not possible"),
        (("frontend", "fft"), 2**40, "frontend.fft = 1099511627776 is not possible"),
        (("notes",), "x" * 10**6, "...xxx"),
    ],
)
def test_what_is_refused_is_named_with_what_is_possible(path, value, said):
    with pytest.raises(InvalidPackage, match=re.escape(said)) as error:
        check_values(put(EXAMPLE, path, value))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("smoothing", 6, "give a whole number from 1 to 5"),
        ("refractory_ms", 500.5, "give a whole number from 0 to 3600000"),
        ("threshold", 0, "give a number from 1e-09 to 1"),
        ("thresholds", {"stop": 0}, "detection.thresholds.stop = 0 is not possible"),
        ("hop_ms", 5, "hop_ms of the detection is not whole frames"),
        ("hop_ms", 105, "hop_ms of the detection is not whole frames"),
    ],
)
def test_settings_that_no_detector_can_have_are_refused(tmp_path, setting, value, said):
    """All that passes makes a detector."""
    package = shutil.copytree(BUNDLED / "models" / smallest(8), tmp_path / smallest(8))
    values = read_json(package / CONFIG)
    write_json(package / CONFIG, put(values, ("detection", setting), value))
    with pytest.raises(InvalidPackage, match=re.escape(said)):
        read_config(package)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (3, "newer than 2: update Earshot"),
        (0, "older than 2: publish the model again with `earshot publish`"),
        (True, "this is no package"),
        (1.0, "this is no package"),
        ("1", "this is no package"),
        (None, "this is no package"),
    ],
)
def test_another_version_is_told_what_to_do(tmp_path, version, said):
    with pytest.raises(InvalidPackage, match=said):
        check_version({"schema": version}, tmp_path)
    for known in (1, 2):
        check_version({"schema": known}, tmp_path)


@pytest.mark.parametrize("values", [None, [], 3, "x", {}])
def test_what_is_no_object_is_no_package(tmp_path, values):
    with pytest.raises(InvalidPackage, match="no package"):
        check_version(values, tmp_path)
    with pytest.raises(InvalidPackage, match=r"give an object|'schema' is missing"):
        check_values(values)
