"""What holds for every family, operator and front end that is registered, and for those that the tests bring."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toys import toys

from predictors import estimate
from predictors.estimate import with_rest
from search import Evolution, Problem, SearchSpace, search
from search.differentiable import Differentiable, supernet_losses
from supernet.arch import Arch
from supernet.bits import with_bits
from supernet.cost import cost_columns, macs, params, weight_bytes
from supernet.errors import InvalidArch, UnknownName
from supernet.families import family
from supernet.frontend import front_end
from supernet.frontend.base import FrontEnd, frontend_from_dict
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import layers, parts
from supernet.memory import stream_state_bytes
from supernet.nn.frontend import quantise_features, torch_twin
from supernet.nn.integer import TorchIntegers
from supernet.nn.network import Network, recalibrate
from supernet.nn.ops import TWINS
from supernet.nn.supernet import Supernet
from supernet.ops import operator
from supernet.population import PopulationCosts
from supernet.quant.elastic import ElasticBits
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.quantisers import Lsq, Tanh
from supernet.samples import from_int16, to_int16
from supernet.space import Space, default_space
from zoo import Model
from zoo.make.package import noise, write_package
from zoo.package.schema import check_values, layout

FAMILIES = [*family.names, "toy"]
KINDS = [*front_end.names, "energies"]


@pytest.fixture(autouse=True)
def with_toys():
    """All tests here know the toys."""
    with toys():
        yield


def kind_of(name: str) -> str:
    """A front end that the family reads."""
    return family(name).features[-1]


def networks_of(name: str) -> Space:
    return default_space(name, 4, 400, kind_of(name))


def drawn(name: str, count: int = 3, seed: int = 0) -> tuple[Space, list[Arch]]:
    networks = networks_of(name)
    return networks, networks.from_genes(networks.sample_sizes(np.random.default_rng(seed), count))


def calibrated(arch: Arch, seed: int = 0) -> FakeQuantNetwork:
    features = whole_map(arch, seed)
    network = recalibrate(Network(arch, seed), features)
    return FakeQuantNetwork(network, with_bits(arch, 8)).calibrate(features).eval()


def whole_map(arch: Arch, seed: int) -> torch.Tensor:
    """Features of the front end that networks of a space choose from, random."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(16, front_end(arch.features.kind)().coefficients, 40, generator=generator)


def own_features(arch: Arch, clips: int, seed: int) -> np.ndarray:
    spec = layers(arch)[0]
    rows = spec.out_shape[0] * spec.out_shape[1]
    return np.random.default_rng(seed).integers(-128, 128, (clips, rows, arch.frames)).astype(np.int8)


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_survive_json_and_genes(name):
    networks, archs = drawn(name, 20)
    assert Space.from_dict(json.loads(json.dumps(networks.to_dict()))) == networks
    assert networks.from_genes(networks.to_genes(archs)) == archs
    assert networks.size == len(np.unique(networks.canonical(every(networks)), axis=0)) if name == "toy" else True
    for arch in archs:
        bits = with_bits(arch, 4)
        assert Arch.from_json(bits.to_json()) == bits
        assert str(arch.shape)
        schema = layout((name,), (kind_of(name),))
        jsonschema.validate(bits.to_dict(), {**schema["properties"]["arch"], "$defs": schema["$defs"]})


def every(networks: Space) -> np.ndarray:
    return np.stack(np.meshgrid(*map(np.arange, networks.cardinalities)), -1).reshape(-1, len(networks.cardinalities))


@pytest.mark.parametrize("name", FAMILIES)
def test_costs_are_those_of_what_is_built(name):
    networks, archs = drawn(name, 8)
    columns, tables = cost_columns(archs), PopulationCosts(networks)(networks.to_genes(archs))
    for column, values in columns.items():
        assert np.array_equal(values, tables[column]), column
    for number, arch in enumerate(archs):
        assert params(arch) == sum(parameter.numel() for parameter in Network(arch).parameters())
        assert columns["macs"][number] == macs(arch) == sum(spec.macs for spec in layers(arch))
        assert len(parts(arch)) <= len(networks.slots)
        cost = estimate(arch)
        rest = with_rest(cost_columns([arch]), [arch.features.kind], [arch.features.coefficients], [arch.classes])
        assert cost.ram_bytes == rest["ram_bytes"][0] > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_a_slice_of_a_supernet_is_its_network(name):
    networks, archs = drawn(name)
    calibration = whole_map(archs[0], 1)
    supernet = Supernet(networks, calibration, 0).eval()
    for arch in archs:
        with torch.no_grad():
            assert torch.equal(supernet(calibration, arch), supernet.extract(arch)(calibration))


@pytest.mark.parametrize("name", FAMILIES)
def test_any_space_is_searched_by_gradients_with_its_bits(name):
    """Losses are of a supernet's slices at bits that were drawn; what is found is a network of the space."""
    networks, _ = drawn(name)
    coefficients, generator = front_end(kind_of(name))().coefficients, torch.Generator().manual_seed(1)
    x, targets = torch.randn(8, coefficients, 40, generator=generator), torch.arange(8) % 4
    of = SearchSpace(networks, (8, 2), (8, 4))
    losses = supernet_losses(Supernet(networks), of, lambda rng: (x, targets), F.cross_entropy)
    limit = float(np.sqrt(np.prod(of.costs(np.concatenate([of.smallest(), of.largest()]))["weight_bytes"])))
    strategy = Differentiable(Problem(of, {"max_weights": limit}), np.random.default_rng(0), 8, losses=losses, steps=2)
    found = search(strategy, lambda genes: -losses(genes, None), 8, progress=False)
    assert weight_bytes(found.arch) <= limit
    assert found.arch in networks
    assert {found.arch.activation_bits[1], *found.arch.weight_bits} <= {8, 4, 2}


@pytest.mark.parametrize("name", FAMILIES)
def test_integers_are_one_in_numpy_torch_and_training(name):
    for arch in drawn(name)[1]:
        fake = calibrated(arch)
        integers = fake.to_integer()
        assert {spec.kind for spec in integers.specs} <= {*operator.names} == {*TWINS}
        x = own_features(arch, 5, 1)
        logits = integers(x)
        assert np.array_equal(TorchIntegers(integers)(torch.from_numpy(x)).numpy(), logits)
        assert np.array_equal(np.concatenate([integers(clip[None]) for clip in x]), logits)
        with torch.no_grad():
            steps = fake(torch.from_numpy(x).float() / 32) / fake.activations[integers.specs[-1].name].scale
        assert np.array_equal(steps.round().numpy(), logits)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("quantiser", [Lsq, Tanh])
def test_networks_of_each_family_are_had_at_few_bits(name, quantiser):
    """By the methods that train a network alone; inner layers have these bits, all others 8."""
    arch = drawn(name)[1][0]
    features = whole_map(arch, 0)
    network = recalibrate(Network(arch, 0), features)
    costs = PopulationCosts(networks_of(name))
    inner = dict(zip(costs.names, costs.inner, strict=True))
    for bits in (1, 5):
        integers = FakeQuantNetwork(network, with_bits(arch, bits), quantiser).calibrate(features).eval().to_integer()
        for spec in integers.specs:
            if spec.has_weights:
                own = integers.tensors[spec.name].weight
                assert spec.weight_bits == (bits if inner[spec.name] else 8)
                assert bits > 1 or not inner[spec.name] or set(np.unique(own)) <= {-1, 1}


@pytest.mark.parametrize("name", FAMILIES)
def test_sub_networks_of_each_family_are_had_at_several_widths(name):
    networks, [arch, *_] = drawn(name)
    features = whole_map(arch, 0)
    elastic = ElasticBits(Supernet(networks, features, 0), (8, 2))
    loss = elastic(features, with_bits(arch, 2)).square().mean()
    loss.backward()
    assert all(float(steps.grad.abs().sum()) > 0 for key, steps in elastic.log_steps.items() if steps.grad is not None)
    x = own_features(arch, 4, 1)
    integers = elastic.extract(with_bits(arch, 2)).to_integer()
    assert integers(x).shape == (4, 4)
    assert len(np.unique(integers(x), axis=0)) > 1


@pytest.mark.parametrize("name", FAMILIES)
def test_a_search_keeps_limits_of_each_family(name):
    networks = SearchSpace(networks_of(name), (8, 4, 1))
    ends = [cost_columns([arch])["macs"][0] for arch in (networks.space.smallest(), networks.space.largest())]
    problem = Problem(networks, {"max_macs": float(sum(ends) / 2)})
    strategy = Evolution(problem, np.random.default_rng(0), batch=8)
    found = search(strategy, lambda genes: genes.sum(1).astype(float), 40, progress=False)
    assert ends[0] < macs(found.arch) <= sum(ends) / 2


def test_networks_that_are_tested_have_every_operator_and_may_stream_or_not():
    archs = {name: drawn(name)[1] for name in FAMILIES}
    assert {spec.kind for one in archs.values() for arch in one for spec in layers(arch)} == {*operator.names}
    assert {family(name).streamable for name in FAMILIES} == {True, False}
    assert {"toy", "magnitude", "energies"} <= {*family.names, *operator.names, *front_end.names}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_stream_gives_what_a_clip_gives(name):
    """In any cut; a family that looks ahead has none."""
    for arch in drawn(name)[1]:
        integers = calibrated(arch).to_integer()
        if not family(name).streamable:
            with pytest.raises(InvalidArch, match=f"of family {name} hears whole clips"):
                integers.reset()
            continue
        x = own_features(arch, 2, 2)
        for cuts in ([], [1, 2], [9, 30]):
            state, found = integers.reset(2), []
            for part in np.split(x, cuts, 2):
                logits, state = integers.step(part, state)
                found.append(logits)
            assert np.array_equal(np.concatenate(found, 1)[:, -1], integers(x))
        stored = {name: value[0].size * (2 if value.dtype == np.int16 else 1) for name, value in state.items()}
        assert sum(stored.values()) == stream_state_bytes(arch)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_package_holds_the_network(name, package_info, tmp_path):
    arch = drawn(name)[1][0]
    integers = calibrated(arch).to_integer()
    frontend = fitted(kind_of(name), to_int16(0.1 * np.random.default_rng(0).standard_normal((2, 16_000))))
    folder = write_package(tmp_path, integers, frontend, noise(arch), package_info)
    model = Model.from_folder(folder)
    model.verify()
    check_values(json.loads((folder / "config.json").read_text()))
    assert family(name).notice in (folder / "README.md").read_text()
    assert isinstance(model.network, IntegerNetwork)
    x = own_features(arch, 3, 3)
    assert np.array_equal(model.network(x), integers(x))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_search_keeps_its_limits_and_nears_them(name):
    networks, archs = drawn(name, 40)
    most = {"max_macs": float(np.median([macs(arch) for arch in archs])), "max_ram": 1e6, "max_weights": 1e6}
    problem = Problem(SearchSpace(networks, (8, 4)), most)
    found = search(Evolution(problem, np.random.default_rng(0)), lambda genes: genes.sum(1), 400, progress=False)
    assert 0.5 * most["max_macs"] < macs(found.arch) <= most["max_macs"]
    assert {spec.weight_bits for spec in layers(found.arch) if spec.has_weights} <= {8, 4}


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_one_in_a_clip_a_stream_and_torch(kind):
    """In any cut exactly; in floating point within a step."""
    clips = to_int16(0.1 * np.random.default_rng(0).standard_normal((4, 16_000)))
    frontend = fitted(kind, clips)
    assert frontend_from_dict(json.loads(json.dumps(frontend.to_dict()))) == frontend
    features = frontend.run(clips)
    assert (features.shape, features.dtype) == ((4, frontend.coefficients, 100), np.int8)
    assert len(np.unique(features)) > 50
    state, found = frontend.reset(), []
    for part in np.split(clips[0], [7, 480, 481, 9000]):
        one, state = frontend.step(part, state)
        found.append(one)
    assert np.array_equal(np.concatenate(found, 1), features[0])
    assert sum(part.nbytes for part in state) <= frontend.ram_bytes
    twin = quantise_features(torch_twin(frontend)(torch.from_numpy(from_int16(clips)))).numpy()
    assert np.abs(features.astype(int) - twin).max() <= 1
    assert (features == twin).mean() > 0.97
    assert frontend.macs(200) == 2 * frontend.macs(100) >= 0


@pytest.mark.parametrize(("registry", "name"), [(family, "toy"), (operator, "magnitude"), (front_end, "energies")])
def test_what_is_registered_is_found_until_it_is_forgotten(registry, name):
    entry = registry(name)
    registry.forget(name)
    with pytest.raises(UnknownName, match=name):
        registry(name)
    registry.register(name, entry)
    assert registry(name) is entry


def fitted(kind: str, clips: np.ndarray) -> FrontEnd:
    """With the mean and deviation of each coefficient over some clips, where it has such."""
    plain = front_end(kind)()
    if "mean" not in plain.to_dict():
        return plain
    raw = plain(from_int16(clips))
    return replace(plain, mean=tuple(raw.mean((0, 2)).tolist()), deviation=tuple((raw.std((0, 2)) + 0.1).tolist()))
