"""The supernet and its sub-networks: one set of weights, the same numbers."""

import numpy as np
import pytest
import reference
import torch
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.errors import InvalidArch
from supernet.layer import layers
from supernet.nn import network as networks
from supernet.nn.network import Network, execute, recalibrate
from supernet.nn.ops import DepthwiseConvolution, activate
from supernet.nn.supernet import Supernet
from supernet.space import default_space


def features(clips: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(clips, 40, 100, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return Supernet(default_space("temporal", 12), features(16, seed=1), seed=3)


@examples(20)
@given(seed=st.integers(0, 2**32 - 1), clips=st.sampled_from([1, 2, 7]), training=st.booleans())
def test_a_sub_network_in_place_and_extracted_agree_bit_for_bit(supernet, seed, clips, training):
    arch = supernet.space.from_genes(supernet.space.sample(np.random.default_rng(seed)))[0]
    supernet.train(training)
    x = features(clips, seed % 1000)
    with torch.no_grad():
        assert torch.equal(supernet(x, arch), supernet.extract(arch)(x))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["map_space", "square_space"])
def test_a_sub_network_on_maps_agrees_in_place_and_extracted(kind, training, request):
    space = request.getfixturevalue(kind)
    x = features(20)[:, :, : space.clip_ms // 10]
    supernet = Supernet(space, x[:16], seed=1).train(training)
    for arch in space.from_genes(space.sample_sizes(np.random.default_rng(0), 10)):
        with torch.no_grad():
            assert torch.equal(supernet(x[16:], arch), supernet.extract(arch)(x[16:]))


def test_the_ends_of_the_space_agree_bit_for_bit_with_and_without_calibration(supernet):
    bare = Supernet(supernet.space, seed=3)
    for net in (supernet.eval(), bare.eval()):
        for arch in (supernet.space.smallest(), supernet.space.largest()):
            with torch.no_grad():
                assert torch.equal(net(features(3), arch), net.extract(arch)(features(3)))


def test_a_slice_is_the_first_channels_and_the_last_taps(supernet):
    arch = supernet.space.smallest()
    sliced = supernet.extract(arch)
    for spec in layers(arch):
        if spec.has_weights:
            whole = supernet.network.layers[spec.name].weight
            part = sliced.layers[spec.name].weight
            if spec.name == "stem":
                expected = whole[: spec.out_shape[0], : spec.in_shape[0], :, 0::2]
            elif spec.depthwise:
                expected = whole[: spec.out_shape[0], :, :, -spec.kernel[1] :]
            else:
                expected = whole[: spec.out_shape[0], : spec.in_shape[0]]
            assert torch.equal(part, expected)


def test_gradients_reach_exactly_the_weights_of_the_sub_network(supernet):
    arch = supernet.space.smallest()
    supernet.train().zero_grad()
    supernet(features(4), arch).square().sum().backward()
    used = {spec.name for spec in layers(arch) if spec.has_weights}
    for name, layer in supernet.network.layers.items():
        gradient = layer.weight.grad
        if name not in used:
            assert gradient is None or not gradient.any()
            continue
        spec = next(spec for spec in layers(arch) if spec.name == name)
        mask = torch.zeros_like(layer.weight, dtype=torch.bool)
        first = mask[: spec.weight_shape[0], : spec.weight_shape[1]]
        taps = slice(0, None, 2) if name == "stem" else slice(-spec.kernel[1], None)
        first[..., taps if spec.kind == "conv" else slice(None)] = True
        assert not gradient[~mask].any()
        assert gradient[mask].any()
    supernet.zero_grad()


@pytest.mark.parametrize("kind", ["small_space", "map_space", "square_space"])
def test_a_network_computes_what_its_layers_say(kind, request):
    """Against a slow NumPy network in float64."""
    space = request.getfixturevalue(kind)
    whole = features(10)[:, :, : space.clip_ms // 10]
    for seed in range(4):
        arch = space.from_genes(space.sample(np.random.default_rng(seed)))[0]
        network = recalibrate(Network(arch, seed), whole[:8]).eval()
        x = whole[8:, :, arch.features.step_ms // 10 - 1 :: arch.features.step_ms // 10]
        chosen = slice(1, None, 2) if kind == "square_space" and arch.features.coefficients == 20 else slice(None)
        x = x[:, chosen][:, : arch.features.coefficients]
        with torch.no_grad():
            logits = network(x)
        for clip, row in zip(x.numpy(), logits.numpy(), strict=True):
            np.testing.assert_allclose(row, reference.float_network(network, clip), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_stop_at_the_limits_of_activations(square_space, dtype):
    """At zero, 6 and 1 exactly, which sums of zeros and bfloat16 often are."""
    genes = square_space.sample(np.random.default_rng(0), 20)
    specs = {spec.activation: spec for arch in square_space.from_genes(genes) for spec in layers(arch)}
    assert specs.keys() == {"none", "relu", "relu6", "hard_sigmoid"}
    values = np.array([-7.0, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0])
    for spec in specs.values():
        x = torch.tensor(values, dtype=dtype, requires_grad=True)
        activate(x, spec).sum().backward()
        assert x.grad.tolist() == ((spec.limits[0] < values) & (values < spec.limits[1])).astype(float).tolist()


def test_recalibration_leaves_every_norm_with_mean_beta_and_deviation_gamma(small_space):
    arch = small_space.largest()
    network = recalibrate(Network(arch), features(32))
    seen = {}

    def apply(spec, inputs):
        seen[spec.name] = network._run_layer(spec, inputs)
        return seen[spec.name]

    with torch.no_grad():
        execute(network.eval().specs, features(32), apply)
    for spec in network.specs:
        if spec.kind == "conv" and not spec.rectified:
            torch.testing.assert_close(
                seen[spec.name].mean((0, 2, 3)), torch.zeros(spec.out_shape[0]), atol=1e-4, rtol=0
            )
            variance = network.layers[spec.name].var
            expected = (variance / (variance + 1e-5)).sqrt()
            torch.testing.assert_close(seen[spec.name].std((0, 2, 3), unbiased=False), expected, atol=1e-3, rtol=1e-3)


def test_statistics_follow_the_weights(small_space):
    supernet = Supernet(small_space, features(8)).eval()
    arch = small_space.smallest()
    before = supernet(features(2), arch)
    supernet.train()
    with torch.no_grad():
        supernet.network.layers["stem"].weight.mul_(-1)
    assert not torch.equal(supernet.eval()(features(2), arch), before)
    assert torch.equal(supernet(features(2), arch), supernet.extract(arch)(features(2)))


def test_no_statistics_of_older_weights_are_kept(small_space):
    """Neither over a step in training between two extractions, nor over loading other weights."""
    supernet, arch = Supernet(small_space, features(8)).train(), small_space.largest()
    supernet.extract(arch)
    torch.optim.SGD(supernet.parameters(), 0.5).step(lambda: supernet(features(4), arch).square().sum().backward())
    fresh = recalibrate(supernet.eval().extract(arch), features(8)).eval()
    assert torch.equal(supernet(features(2), arch), fresh(features(2)))
    supernet.load_state_dict(Supernet(small_space, seed=9).state_dict())
    fresh = recalibrate(supernet.extract(arch), features(8)).eval()
    assert torch.equal(supernet(features(2), arch), fresh(features(2)))


def test_a_full_map_and_its_own_selection_give_the_same(supernet):
    arch = supernet.space.smallest()
    network = supernet.eval().extract(arch)
    full = features(3)
    with torch.no_grad():
        assert torch.equal(network(full), network(full[:, :10, 1::2]))


@pytest.mark.parametrize("shape", [(2, 5, 100), (2, 40, 99), (2, 40, 200), (40, 100), (2, 40, 0)])
def test_features_that_do_not_fit_are_refused(supernet, shape):
    with pytest.raises(InvalidArch, match="do not fit"):
        supernet(torch.zeros(shape), supernet.space.smallest())


def test_an_arch_outside_the_space_is_refused(supernet, small_space):
    with pytest.raises(InvalidArch, match="space"):
        supernet.extract(small_space.smallest())


@pytest.mark.parametrize(("pad", "stride"), [((0, 0, 4, 0), (1, 1)), ((1, 0, 2, 1), (1, 2))])
def test_the_depthwise_convolution_has_the_gradients_of_torch(pad, stride):
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(3, 8, 4, 20, generator=generator), torch.randn(8, 1, 2, 5, generator=generator)
    top, bottom, left, right = pad
    results = []
    for convolve in (
        lambda x, weight: DepthwiseConvolution.apply(x, weight, pad, stride),
        lambda x, weight: torch.conv2d(
            torch.nn.functional.pad(x, (left, right, top, bottom)), weight, None, stride, groups=8
        ),
    ):
        inputs = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
        output = convolve(*inputs)
        output.square().sum().backward()
        results.append([output, *(item.grad for item in inputs)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("space", ["small_space", "map_space", "square_space"])
def test_channels_lie_side_by_side_in_memory(space, request, monkeypatch):
    """A processor needs up to five times as long for the other layout, which one input channel used to bring on."""
    space, laid_out = request.getfixturevalue(space), {}
    run = networks.float_layer

    def keep(spec, inputs, tensors, training):
        output = run(spec, inputs, tensors, training)
        if spec.kind in ("conv", "add"):
            laid_out[spec.name] = output.is_contiguous(memory_format=torch.channels_last)
        return output

    monkeypatch.setattr(networks, "float_layer", keep)
    arch = space.largest()
    Network(arch).train()(torch.randn(4, arch.features.coefficients, arch.frames))
    assert laid_out == dict.fromkeys(laid_out, True)
    assert len(laid_out) > 5
