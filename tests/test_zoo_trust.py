"""What comes from elsewhere: whatever a package or an index says, there is an answer or an error of the zoo."""

import contextlib
import itertools
import json
import os
import shutil
import struct

import numpy as np
import pytest
import safetensors.numpy
from fuzzing import fuzzed
from hypothesis import strategies as st

import zoo
from supernet.errors import EarshotError, InvalidPackage
from supernet.files import digest, read_json, write_bytes, write_json
from supernet.frontend.base import frontend_from_dict
from zoo.hubs.index import INDEX
from zoo.make.publish import publish
from zoo.package.entry import is_safe_name
from zoo.package.figures import COSTS
from zoo.package.read import CARD, CONFIG, MODEL, VECTORS, read_config, read_vectors

CONTROL = ["up\n", "\x1b[31mup", "up\0", "‮up", "\ud800", ""]
NUMBERS = [0, 1, -1, 8, 2**31, 2**63, 10**400, 0.5, -0.0, 1e-320, 1e308, True]
VALUES = st.one_of(
    st.none(),
    st.sampled_from(NUMBERS),
    st.integers(-300, 300),
    st.floats(-1e3, 1e3),
    st.sampled_from([*CONTROL, "../../x", "/etc/passwd", "mixed", "NaN", "x" * 10**5]),
    st.sampled_from([[], {}, [[]], [{}], {"": None}]),
    st.lists(st.integers(0, 9), max_size=4),
    st.builds(lambda depth: json.loads("[" * depth + "]" * depth), st.sampled_from([3, 50, 400])),
)
TEXTS = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 10**5, '{"a":1,"a":2}', "\x00", "'", "tru"]
"""In the place of a value: what is no JSON, or what readers of JSON read differently."""
NOTATIONS = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 3, "\t"]),
        "sort_keys": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (" ,", " :\r\n ")]),
    }
)


def paths(value, above=()) -> list[tuple]:
    """Of all values inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in inside for path in ((*above, key), *paths(item, (*above, key)))]


def fresh(value):
    """A copy that shares nothing."""
    return json.loads(json.dumps(value))


def at(values, path: tuple):
    for key in path:
        values = values[key]
    return values


@st.composite
def near(draw, value):
    """A value of the same type that may be meant as well."""
    if isinstance(value, dict | list):
        return dict(reversed(value.items())) if isinstance(value, dict) else value[::-1]
    if isinstance(value, str):
        return draw(st.text("ab ü☃", min_size=1, max_size=9))
    return value if value is None else type(value)(value * draw(st.sampled_from([1, 0.999, 1.001, 1.5])))


@st.composite
def mutated(draw, values) -> dict:
    """`values` with one to three places moved a little, or replaced, removed or exchanged."""
    values = fresh(values)
    changes = draw(st.sampled_from([["near"], ["replace", "replace", "remove", "copy", "add"]]))
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(paths(values)))
        place = at(values, above)
        other = at(values, draw(st.sampled_from(paths(values))))
        change = draw(st.sampled_from(changes))
        if change == "near":
            place[key] = draw(near(place[key]))
        elif change == "remove":
            del place[key]
        elif change == "copy":
            place[key] = fresh(other)
        elif isinstance(place, list):
            place[key:key] = [fresh(draw(VALUES))] if change == "add" else []
            place[key] = fresh(draw(VALUES))
        else:
            place[draw(st.text(max_size=3)) if change == "add" else key] = fresh(draw(VALUES))
        if not values:
            break
    return values


@st.composite
def mutated_text(draw, values) -> tuple[str, bool]:
    """JSON of `values` and whether it is that of other notation; else a value's text is another, or a key stands
    twice.
    """
    if draw(st.booleans()):
        return json.dumps(values, **draw(NOTATIONS)), True
    path = draw(st.sampled_from(paths(values)))
    mark = "<here>"
    copy = fresh(values)
    at(copy, path[:-1])[path[-1]] = mark
    text = json.dumps(copy).replace(json.dumps(mark), draw(st.sampled_from(TEXTS)))
    if isinstance(path[-1], str) and draw(st.booleans()):
        own = json.dumps(at(values, path))
        key = json.dumps(path[-1])
        text = json.dumps(copy).replace(
            f"{key}: {json.dumps(mark)}", f"{key}: {own}, {key}: {draw(st.sampled_from(['0', own]))}"
        )
    return text, False


def reseal(folder, values) -> None:
    """Write a configuration under digests that fit the files, as an attacker would."""
    if isinstance(values, dict):
        with contextlib.suppress(TypeError, AttributeError, KeyError, OSError, ValueError):
            for file in values["digests"]:
                values["digests"][file] = digest((folder / file).read_bytes())
            values["name"] = values["name"][:-8] + values["digests"][MODEL][:8]
    (folder / CONFIG).write_text(json.dumps(values))


def use(folder) -> None:
    """Take a package through everything that a user does with it; what it answers must be of its own labels."""
    model = zoo.Model.from_folder(folder)
    labels = read_json(folder / CONFIG)["labels"]
    assert list(model.labels) == labels
    frontend = model._config.values["frontend"]
    length = model.arch.frames * (frontend["sampling_rate"] * frontend["step_ms"] // 1000)
    features = model.features(np.linspace(-1, 1, length, dtype=np.float32)[None])
    assert features.shape == (1, model.arch.features.coefficients, model.arch.frames)
    assert features.dtype == np.int8
    logits = model.logits(features)
    assert logits.shape == (1, len(labels))
    assert logits.dtype == np.int16
    scores = model.scores(features)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert "\x1b" not in repr(model)
    assert model.detector().thresholds.shape == (len(labels),)
    model.verify()


def survives(act, *arguments) -> bool:
    """True where it does what it should, False where an error of the zoo says in one line why not."""
    try:
        act(*arguments)
    except EarshotError as error:
        said = str(error)
    else:
        return True
    assert said.isprintable(), said
    assert len(said) < 2000
    return False


@pytest.fixture
def copy(package, tmp_path):
    return shutil.copytree(package, tmp_path / package.name)


@pytest.fixture(scope="module")
def hub(package, tmp_path_factory):
    """A hub with one model and its figures on one device; tests that alter it copy it first."""
    folder = tmp_path_factory.mktemp("hub")
    publish(package, folder)
    figures = {"device": "board", "clock_mhz": 64.0, "runtime": "r", "version": "1", "latency_ms": 3.0, "low_ms": 2.0}
    figures |= {"high_ms": 4.0, "energy_uj": 5.0, "energy_low_uj": 4.0, "energy_high_uj": 6.0, "in_range": True}
    figures |= {"energy_in_range": True, "basis": "measured"}
    write_json(folder / "models" / package.name / COSTS, {"schema": 1, "profiles": {"board": figures}})
    return folder


@pytest.fixture
def anew(tmp_path):
    """Copies of a folder, each under another name, since indexes are kept by name, time and size."""
    count = itertools.count()

    def copied(folder):
        for old in tmp_path.iterdir():
            shutil.rmtree(old)
        return shutil.copytree(folder, tmp_path / str(next(count)))

    return copied


def stated_labels(folder) -> tuple:
    """Those of a configuration, whatever they are; () where it states none."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return tuple(read_json(folder / CONFIG)["labels"])
    return ()


def look_up(hub, name: str, labels: tuple[str, ...]) -> None:
    """Ask a hub in every way; a model that is found answers with its labels."""
    for asked in ({}, {"name": name}, {"task": "tones", "bits": 4}, {"max_ops": 1e9}, {"device": "board"}):
        for entry in zoo.find(hub=hub, **asked):
            assert is_safe_name(entry.name)
            assert all(str(value).isprintable() for value in entry.to_dict().values())
        model = zoo.get(hub=hub, **asked)
        assert model.labels == labels
        assert repr(model).replace("\n", "").isprintable()


@fuzzed(150, data=st.data())
def test_any_configuration(package, anew, data):
    folder = anew(package)
    reseal(folder, data.draw(mutated({**read_json(package / CONFIG), "multi_label": data.draw(st.booleans())})))
    return survives(use, folder)


@st.composite
def front_ends(draw, values) -> dict:
    """Values of a front end in their ranges, which may contradict each other, and what they cost."""
    own = dict(values)
    own["sampling_rate"] = draw(st.sampled_from([1000, 8000, 16_000, 22_050, 192_000]))
    own["window_ms"], own["fft"] = draw(st.sampled_from([1, 20, 30, 1000])), draw(st.sampled_from([1, 31, 512, 8192]))
    own["mels"] = draw(st.sampled_from([1, 40, 64, 256]))
    own["low_hz"], own["high_hz"] = draw(st.floats(0, 500)), draw(st.floats(1, 96_000))
    own["floor"] = draw(st.sampled_from([1e-30, 1e-6, 1.0]))
    own["mean"] = draw(st.sampled_from([[], [0.0] * len(values["mean"]), [1e6] * len(values["mean"])]))
    own["deviation"] = draw(st.sampled_from([[], [1e-6] * len(values["mean"]), [1e6] * len(values["mean"])]))
    return own


@fuzzed(60, data=st.data())
def test_any_front_end(package, anew, data):
    """With its cost stated right, as who writes a package on purpose does."""
    folder, values = anew(package), read_json(package / CONFIG)
    changed = data.draw(
        st.sampled_from(["sampling_rate", "window_ms", "fft", "mels", "low_hz", "high_hz", "floor", ""])
    )
    other = data.draw(front_ends(values["frontend"]))
    values["frontend"] = {**values["frontend"], changed: other[changed]} if changed else other
    with contextlib.suppress(EarshotError):
        values["costs"]["frontend_macs"] = frontend_from_dict(values["frontend"]).macs(values["arch"]["frames"])
    reseal(folder, values)
    return survives(use, folder)


@fuzzed(60, data=st.data())
def test_any_text_of_a_configuration(package, anew, data):
    folder = anew(package)
    text, same = data.draw(mutated_text(read_json(package / CONFIG)))
    (folder / CONFIG).write_text(text)
    assert survives(use, folder) is same
    return same


@fuzzed(
    80,
    file=st.sampled_from([CONFIG, MODEL, VECTORS, CARD]),
    place=st.floats(0, 1, exclude_max=True),
    cut=st.sampled_from([0, 1, 1, 8, 100, 10**9]),
    put=st.binary(max_size=16),
    seal=st.booleans(),
)
def test_any_bytes(package, anew, file, place, cut, put, seal):
    folder = anew(package)
    data = (folder / file).read_bytes()
    first = int(place * len(data))
    write_bytes(folder / file, data[:first] + put + data[first + cut :])
    if seal and file != CONFIG:
        reseal(folder, read_json(folder / CONFIG))
    return survives(use, folder)


@fuzzed(80, data=st.data(), file=st.sampled_from([MODEL, VECTORS]))
def test_any_header_of_tensors(package, anew, data, file):
    folder = anew(package)
    old = (folder / file).read_bytes()
    end = 8 + int.from_bytes(old[:8], "little")
    header = json.loads(old[8:end])
    text = json.dumps(data.draw(st.one_of(mutated(header), st.just(header))), **data.draw(NOTATIONS)).encode()
    length = data.draw(st.sampled_from([len(text), len(text), 2**60, len(text) + 1, 0]))
    (folder / file).write_bytes(struct.pack("<Q", length) + text + old[end:])
    reseal(folder, read_json(folder / CONFIG))
    return survives(use, folder)


@fuzzed(120, data=st.data(), file=st.sampled_from([INDEX, COSTS]))
def test_any_index_or_costs(hub, package, anew, data, file):
    folder = anew(hub)
    path = folder / INDEX if file == INDEX else folder / "models" / package.name / COSTS
    values = read_json(path)
    if data.draw(st.booleans()):
        path.write_text(json.dumps(data.draw(mutated(values))))
    else:
        path.write_text(data.draw(mutated_text(values))[0])
    return survives(look_up, folder, package.name, read_config(package).labels)


@fuzzed(40, data=st.data())
def test_any_configuration_behind_an_index(hub, package, anew, data):
    """Sealed up to the index, as who owns the hub can."""
    folder = anew(hub)
    place = folder / "models" / package.name
    reseal(place, data.draw(mutated(read_json(place / CONFIG))))
    index = read_json(folder / INDEX)
    index["models"][0]["config_sha256"] = digest((place / CONFIG).read_bytes())
    write_json(folder / INDEX, index)
    return survives(look_up, folder, package.name, stated_labels(place))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "../../tones-00000000"),
        (("name",), "/etc/passwd-00000000"),
        (("task",), "../tones"),
        (("labels", 0), "up\x1b[2J"),
        (("labels", 0), "up\n"),
        (("labels", 0), "down"),
        (("arch", "stem"), 8 * 10**8),
        (("arch", "frames"), 10**9),
        (("arch", "classes"), 10**6),
        (("arch", "stages"), [{"width": 8, "stride": 1, "blocks": [{"kernel": 3, "expansion": 1}] * 64}] * 64),
        (("arch", "stages"), [{"width": 1024, "stride": 1, "blocks": [{"kernel": 3, "expansion": 4}]}] * 64),
        (("arch", "weight_bits"), [1] * 10**6),
        (("frontend", "fft"), 2**40),
        (("frontend", "sampling_rate"), 1),
        (("frontend", "mels"), 10**6),
        (("frontend", "mean", 0), 1e300),
        (("frontend", "deviation", 0), 0.0),
        (("frontend", "floor"), 0.0),
        (("costs", "weight_bytes"), 2**50),
        (("costs", "frontend_macs"), 10**9),
        (("digests", "../../x"), "0" * 64),
        (("digests", "costs.json"), "0" * 64),
        (("quantization_config", "tensors", "stem", "scale"), 0.0),
        (("quantization_config", "tensors", "stem", "scale"), -1.0),
        (("quantization_config", "tensors", "stem", "scale"), float("nan")),
        (("quantization_config", "tensors", "stem", "scale"), float("inf")),
        (("quantization_config", "tensors", "stem", "scale"), 1e-300),
        (("quantization_config", "tensors", "stem", "zero_point"), 1000),
        (("quantization_config", "tensors", "classifier", "scale"), 1e6),
        (("quantization_config", "layers", "stem", "grid"), "odd"),
        (("quantization_config", "layers", "../stem"), {"num_bits": 8, "grid": "symmetric"}),
    ],
)
def test_what_cannot_be_meant_is_refused(copy, path, value):
    values = read_json(copy / CONFIG)
    at(values, path[:-1])[path[-1]] = value
    reseal(copy, values)
    assert not survives(use, copy)


@pytest.mark.parametrize("file", [MODEL, VECTORS])
def test_a_file_far_larger_than_its_architecture_is_not_read(copy, file):
    """A terabyte of nothing, with a header that claims it."""
    header = json.dumps({"x": {"dtype": "U8", "shape": [2**40], "data_offsets": [0, 2**40]}}).encode()
    with (copy / file).open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(2**40)
    with pytest.raises(InvalidPackage, match="the limit is"):
        zoo.Model.from_folder(copy).verify()


@pytest.mark.parametrize("file", [CONFIG, MODEL, VECTORS])
def test_links_lead_to_files_only_and_pipes_are_not_waited_for(copy, file):
    for other in ("/dev/zero", copy, copy / "none"):
        (copy / file).unlink()
        (copy / file).symlink_to(other)
        assert not survives(use, copy)
    (copy / file).unlink()
    os.mkfifo(copy / file)
    assert not survives(use, copy)


def test_a_link_to_other_content_is_an_altered_file(copy, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (copy / MODEL).unlink()
    (copy / MODEL).symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidPackage, match=r"digest differs|the limit"):
        use(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(samples=v["samples"].astype(np.int32)),
        lambda v: v.update(samples=v["samples"][:, 1:]),
        lambda v: v.update(samples=v["samples"][0]),
        lambda v: v.update(features=v["features"].astype(np.uint8)),
        lambda v: v.update(features=v["features"].astype(np.float32)),
        lambda v: v.update(features=v["features"][:1]),
        lambda v: v.update(logits=v["logits"].astype(np.int64)),
        lambda v: v.update(logits=v["logits"][:, :3]),
        lambda v: v.update({name: array[:0] for name, array in v.items()}),
        lambda v: v.update({name: array[[0] * 17] for name, array in v.items()}),
        lambda v: v.update(more=v["logits"]),
        lambda v: v.pop("samples"),
        lambda v: v.update(logits=v["logits"] + 1),
    ],
)
def test_vectors_of_another_kind_are_refused(copy, change):
    arrays = dict(read_vectors(read_config(copy)))
    change(arrays)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    (copy / VECTORS).write_bytes(safetensors.numpy.save(arrays))
    reseal(copy, read_json(copy / CONFIG))
    with pytest.raises(InvalidPackage, match="vectors"):
        use(copy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../../../etc"),
        ("name", "a/b"),
        ("name", "up\n"),
        ("task", "tones\x1b[31m"),
        ("licence", "cc\n"),
        ("macs", 1),
        ("macs", 10**400),
        ("macs", -1),
        ("validation", 1.5),
        ("config_sha256", "0" * 64),
    ],
)
def test_an_index_that_lies_is_refused(hub, package, anew, field, value):
    folder = anew(hub)
    index = read_json(folder / INDEX)
    index["models"][0][field] = value
    (folder / INDEX).write_text(json.dumps(index))
    assert not survives(look_up, folder, package.name, read_config(package).labels)


@pytest.mark.parametrize("schema", ["x" * 10**5, [9] * 10**5, {"x" * 10**5: None}, 10**400, None])
def test_an_index_of_any_schema_is_refused_in_a_line(hub, package, anew, schema):
    folder = anew(hub)
    (folder / INDEX).write_text(json.dumps({**read_json(folder / INDEX), "schema": schema}))
    with pytest.raises(InvalidPackage, match=r"of schema .{1,40}, this version reads") as caught:
        zoo.find(hub=folder)
    assert len(str(caught.value)) < 500


def test_nothing_of_a_package_is_imported_or_run(copy, monkeypatch):
    """A package with code beside it is used; the code is not."""
    for name in ("zoo.py", "__init__.py", "modeling_tones.py", "sitecustomize.py"):
        (copy / name).write_text("raise SystemExit(9)")
    (copy / "model.pkl").write_bytes(b"cos\nsystem\n(S'exit 9'\ntR.")
    monkeypatch.setattr("pickle.loads", None)
    monkeypatch.setattr("pickle.load", None)
    use(copy)
