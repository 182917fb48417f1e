"""Code and tables of the generated C: what is added up, beside what is linked."""

import json
import re
import shutil

import numpy as np
import pytest
from conftest import bundled
from named import narrowest, smallest
from test_zoo_pack import reseal

import runtime_sizes
import zoo
from predictors.estimate import estimate, estimate_many, with_rest
from predictors.runtime import measured_with, runtime_of, sizes
from search import Problem, SearchSpace
from studies.c_identical import width_sources
from supernet.cost import cost_columns, weight_bytes
from supernet.errors import InvalidPackage, NoModelFits
from supernet.families import family
from supernet.files import read_json
from supernet.layer import layers
from supernet.space import default_space
from zoo.cli import main
from zoo.export.c.write import Sources
from zoo.hubs.folder import BUNDLED
from zoo.hubs.index import DETECTION
from zoo.package.read import CONFIG, read_config

MODELS = bundled()
STREAM, CLIP = smallest(4), "aec-mbconv-2.9M-w4a8-6dfc08e8"
needs_arm = pytest.mark.skipif(
    shutil.which(runtime_sizes.COMPILER) is None, reason="arm-none-eabi-gcc is not installed"
)


def sources_of(name):
    model = zoo.Model.from_folder(BUNDLED / "models" / name)
    return Sources(model.network, model.frontend, model.detector(), model.grids, "model")


def by_hand(arch):
    """Layer by layer."""
    streams = arch.family == "temporal"
    form, end = sizes()["forms"]["stream" if streams else "clip"], sizes()["frontends"][arch.features.kind]
    total = form["code"] + form["class"] * arch.classes + end["code"] + end["coefficient"] * arch.features.coefficients
    seen = set()
    for spec in layers(arch)[1:]:
        names = ["depthwise" if spec.kind == "conv" and spec.groups > 1 else spec.kind]
        names += ["keep"] if streams and spec.kind == "conv" and spec.kernel[1] > spec.stride[1] else []
        for name in names:
            total += form["routines"][name]["layer"] + form["routines"][name]["code"] * (name not in seen)
            seen.add(name)
    return total


@pytest.mark.parametrize("space", ["small_space", "map_space", "square_space"])
def test_the_parts_of_a_network_are_added_up_alone_and_in_populations(space, request):
    space = request.getfixturevalue(space)
    genes = space.sample(np.random.default_rng(0), 40)
    archs = space.from_genes(genes)
    found = [by_hand(arch) for arch in archs]
    assert len(set(found)) > 10
    assert [runtime_of(arch) for arch in archs] == found
    assert estimate_many(archs)["runtime_bytes"].tolist() == found
    searched = SearchSpace(space, weight_bits=(4,))
    problem = Problem(searched, {"max_flash": 1e9, "max_weights": 1e9})
    genes = searched.sample(np.random.default_rng(1), 40)
    costs = problem.costs(genes)
    for arch, flash, weights in zip(
        searched.from_genes(genes), costs["flash_bytes"], costs["weight_bytes"], strict=True
    ):
        own = estimate(arch)
        assert (flash, weights) == (own.flash_bytes, own.weight_bytes)
        assert own.runtime_bytes == flash - weights == by_hand(arch)


def test_one_kind_stands_for_all_where_one_is_given():
    archs = [read_config(BUNDLED / "models" / name).arch for name in (STREAM, CLIP)]
    both = [(arch.features.kind, arch.features.coefficients, arch.classes) for arch in archs]
    whole = with_rest(cost_columns(archs), *map(list, zip(*both, strict=True)))
    for number, arch in enumerate(archs):
        alone = with_rest(cost_columns([arch]), *([value] for value in both[number]))
        assert whole["flash_bytes"][number] == alone["flash_bytes"][0] == weight_bytes(arch) + by_hand(arch)


@pytest.mark.parametrize("name", [STREAM, CLIP, narrowest()])
def test_what_is_counted_is_what_the_c_calls(name):
    sources = sources_of(name)
    body = sources.files()["model.c"].split("static void network(")[1].split("\n}")[0]
    called = re.findall(r"^    (\w+)\(&model_", body, re.MULTILINE)
    columns = cost_columns([sources.network.arch])
    for routine in {*called, "add", "scale", "keep"}:
        known = {"average": "pool"}.get(routine, routine)
        counted = columns[f"{known}_calls"][0] if sources.streams or known != "keep" else 0
        assert called.count(routine) == counted, routine
    assert len(called) > 10


@needs_arm
@pytest.mark.parametrize("name", [STREAM, CLIP, narrowest(), "aec-mbconv-0.98M-w2a8-789d79e0"])
def test_a_linked_model_takes_what_is_stated(name):
    sources = sources_of(name)
    arch = sources.network.arch
    real = runtime_sizes.linked(sources).total - weight_bytes(arch)
    assert runtime_of(arch) == pytest.approx(real, rel=0.02)


@needs_arm
@pytest.mark.parametrize("space", ["rows", "maps", "clips", "memories"])
def test_a_network_that_was_never_measured_takes_what_is_added_up(space):
    """Small ones on random weights, with strides, maps and factors."""
    sources = width_sources(space, 4, "odd")
    arch = sources.network.arch
    real = runtime_sizes.linked(sources).total - weight_bytes(arch)
    assert runtime_of(arch) == pytest.approx(real, rel=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_bundled_packages_and_their_index_state_what_is_added_up(name):
    """Where this fails: `python scripts/runtime_sizes.py` and `earshot rebuild zoo/hub --renew`."""
    config, entry = read_config(BUNDLED / "models" / name), zoo.Hub().entry(name)
    costs, exact = config.values["costs"], estimate(config.arch)
    assert (costs["runtime_bytes"], costs["flash_bytes"]) == (exact.runtime_bytes, exact.flash_bytes)
    assert exact.flash_bytes == entry.flash_bytes == exact.weight_bytes + exact.runtime_bytes
    assert 0 < exact.runtime_bytes < 15_000
    card = (config.folder / "README.md").read_text()
    assert f"| {exact.runtime_bytes:,} bytes |" in card
    assert measured_with() in card


def test_operators_and_front_ends_keep_to_their_aims():
    """Of each family, all that its largest network calls."""
    for name in family.names:
        form = sizes()["forms"]["stream" if family(name).streamable else "clip"]
        largest = default_space(name, 12, 1000, family(name).features[0]).largest()
        called = {routine for spec in layers(largest) for routine in spec.operator.calls(spec)} & {*form["routines"]}
        assert sum(form["routines"][routine]["code"] for routine in called) + form["code"] < 6000, name
    for kind, own in sizes()["frontends"].items():
        assert own["code"] + 40 * own["coefficient"] < 8000, kind


def as_before(folder):
    """A package as it was written before its code was measured."""
    values = read_json(folder / CONFIG)
    values["costs"] |= {"runtime_bytes": 0, "flash_bytes": values["costs"]["weight_bytes"]}
    reseal(folder, values)
    return values


@pytest.fixture
def older(tmp_path):
    """A hub of one package of before."""
    package = tmp_path / "models" / STREAM
    shutil.copytree(BUNDLED / "models" / STREAM, package)
    as_before(package)
    zoo.rebuild(tmp_path)
    return tmp_path


def test_a_package_of_before_is_read_and_its_code_computed(older):
    model = zoo.Model.from_folder(older / "models" / STREAM)
    weights = model.entry.weight_bytes
    assert model.entry.flash_bytes == weights + by_hand(model.arch)
    assert zoo.get(hub=older, max_weights=weights).name == STREAM
    assert not zoo.find(hub=older, max_weights=weights)[0].flash_bytes <= weights


def test_an_index_of_before_is_read_and_says_what_it_lacks(older, caplog):
    index = json.loads((older / "index.json").read_text()) | {"schema": 5}
    for field in DETECTION:
        del index["models"][0][field]
    index["models"][0]["flash_bytes"] = index["models"][0]["weight_bytes"]
    (older / "index.json").write_text(json.dumps(index))
    assert zoo.get(hub=older, max_flash="8kB").name == STREAM
    assert caplog.text.count("1 models are listed without their code in flash, which `earshot rebuild` adds") == 1
    index["models"][0]["flash_bytes"] += 1
    (older / "index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidPackage, match="states other figures"):
        zoo.get(hub=older)
    zoo.rebuild(older)
    with pytest.raises(NoModelFits, match="max_flash binds"):
        zoo.get(hub=older, max_flash="8kB")


def test_renewing_writes_the_code_of_a_package_and_nothing_twice(older):
    package, new = older / "models" / STREAM, BUNDLED / "models" / STREAM
    zoo.rebuild(older, renew=True)
    assert read_json(package / CONFIG)["costs"] == read_json(new / CONFIG)["costs"]
    assert (package / "model.safetensors").read_bytes() == (new / "model.safetensors").read_bytes()
    written = {path: path.read_bytes() for path in older.rglob("*") if path.is_file()}
    zoo.rebuild(older, renew=True)
    assert {path: path.read_bytes() for path in older.rglob("*") if path.is_file()} == written


def test_flash_that_is_not_the_sum_of_its_parts_is_refused(older):
    package = older / "models" / STREAM
    values = as_before(package)
    values["costs"]["runtime_bytes"] = 5
    reseal(package, values)
    with pytest.raises(InvalidPackage, match="the costs are not those"):
        read_config(package)


def test_flash_is_shown_as_weights_and_code(capsys):
    entry = zoo.Hub().entry(STREAM)
    runtime = entry.flash_bytes - entry.weight_bytes
    assert main(["cost", STREAM]) == 0
    assert f"{entry.weight_bytes:,} bytes of weights, {runtime:,} of code and tables ({measured_with()})" in (
        capsys.readouterr().out
    )
    limits = ["--max-weights", str(entry.weight_bytes), "--columns", "name,weight_bytes,runtime_bytes"]
    assert main(["list", "--task", "kws", *limits, "--format", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[STREAM]["runtime_bytes"] == runtime
    assert all(row["weight_bytes"] <= entry.weight_bytes for row in rows.values())
