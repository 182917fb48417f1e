"""Every registered family: its layers fit together, and what it claims of streaming holds."""

import dataclasses

import numpy as np
import pytest
import torch

from supernet import families
from supernet.elastic import Network, execute
from supernet.errors import InvalidArch, UnknownName
from supernet.space import Block, FeatureSpec, Stage

EVERY = [(name, kind, seed) for name in families.families() for kind in ("mfcc", "logmel") for seed in range(5)]


def sampled(name: str, seed: int, kind: str = "mfcc"):
    space = families.space(name, 12, features=kind)
    return space.from_genes(space.sample(np.random.default_rng(seed)))[0]


@pytest.mark.parametrize(("name", "kind", "seed"), EVERY)
def test_shapes_fit_from_layer_to_layer(name, kind, seed):
    arch = sampled(name, seed, kind)
    specs = families.layers(arch)
    shapes = {}
    for spec in specs:
        assert all(shapes[source] == spec.in_shape for source in spec.inputs)
        assert spec.name not in shapes
        shapes[spec.name] = spec.out_shape
    assert specs[0].kind == "input"
    assert specs[-1].out_shape == (arch.classes, 1, 1)


@pytest.mark.parametrize(("name", "kind", "seed"), EVERY)
def test_no_layer_of_a_streamable_family_sees_the_future(name, kind, seed):
    assert families.family(name).streamable
    arch = sampled(name, seed, kind)
    network = Network(arch).eval()
    for layer in network.layers.values():
        if layer.gamma is not None:
            layer.mean, layer.var = torch.zeros_like(layer.gamma), torch.ones_like(layer.gamma)
    frames = arch.frames
    x = torch.randn(1, arch.features.coefficients, frames, generator=torch.Generator().manual_seed(seed))
    changed = x.clone()
    changed[..., frames // 2 :] += 1.0
    outputs = []
    for features in (x, changed):
        kept = {}

        def keep(spec, inputs, kept=kept):
            kept[spec.name] = network._run_layer(spec, inputs)
            return kept[spec.name]

        execute(network.specs, features, keep)
        outputs.append(kept)
    for spec in network.specs:
        before, after = (kept[spec.name] for kept in outputs)
        if before.ndim == 4:
            past = spec.out_shape[2] // 2
            torch.testing.assert_close(before[..., :past], after[..., :past], rtol=1e-5, atol=1e-6)
            assert not torch.equal(before[..., past:], after[..., past:])


@pytest.mark.parametrize(("kind", "coefficients"), [("mfcc", 10), ("logmel", 40)])
def test_the_stem_takes_alternate_taps_at_20_ms(kind, coefficients):
    wide = sampled("temporal", 0, kind)
    wide = dataclasses.replace(wide, features=FeatureSpec(kind, coefficients, 10), frames=100)
    narrow = dataclasses.replace(wide, features=FeatureSpec(kind, coefficients, 20), frames=50)
    fast, slow = Network(wide), Network(narrow)
    slow.load_state_dict({**fast.state_dict(), "layers.stem.weight": fast.layers["stem"].weight[..., ::2]})
    with torch.no_grad():
        fast.layers["stem"].weight[..., 1::2] = 0
    x = torch.randn(3, 40, 100)
    torch.testing.assert_close(fast(x), slow(x))


def test_a_residual_sum_stands_where_width_and_stride_allow():
    arch = dataclasses.replace(
        sampled("temporal", 0),
        stem=16,
        stages=(
            Stage(16, (Block(3, 1), Block(3, 2))),
            Stage(24, (Block(3, 1), Block(3, 1))),
            Stage(24, (Block(3, 1),), 2),
        ),
    )
    sums = {spec.name: spec.inputs for spec in families.layers(arch) if spec.kind == "add"}
    assert sums == {
        "stage1_block1_add": ("stem", "stage1_block1_project"),
        "stage1_block2_add": ("stage1_block1_add", "stage1_block2_project"),
        "stage2_block2_add": ("stage2_block1_project", "stage2_block2_project"),
    }


def test_maps_are_halved_thrice_and_gathered():
    """40 mels: 20 after the stem, 10 and 5 after the stages on maps, then all of them in channels."""
    specs = {spec.name: spec for spec in families.layers(sampled("temporal", 0, "logmel"))}
    heights = [specs[name].out_shape[1] for name in ("input", "stem", "stage1_block1_project", "stage2_block1_project")]
    assert heights == [40, 20, 10, 5]
    gather = specs["gather"]
    assert gather.kernel == (5, 1)
    assert gather.out_shape[1] == 1
    assert gather.pad == (0, 0, 0, 0)
    assert gather.macs == 5 * gather.in_shape[0] * gather.out_shape[0] * 50


def test_with_bits_keeps_edges_and_depthwise_layers_at_8():
    arch = families.with_bits(sampled("temporal", 1), 4)
    for spec in families.layers(arch):
        if spec.has_weights:
            edge = spec.depthwise or spec.name in ("stem", "classifier")
            assert spec.weight_bits == (8 if edge else 4)
    assert arch.activation_bits[-1] == 16
    assert set(arch.activation_bits[:-1]) == {8}


@pytest.mark.parametrize(
    "changes",
    [
        {"stages": (Stage(16, (Block(4, 1),)),)},
        {"stages": (Stage(16, (Block(3, 5),)),)},
        {"features": FeatureSpec("mfcc", 10, 30)},
        {"features": FeatureSpec("sinc", 10, 10)},
        {"features": FeatureSpec("logmel", 40, 10), "stages": (Stage(16, (Block(3, 1),)),) * 2},
        {"weight_bits": (8,)},
        {"activation_bits": (8,)},
    ],
)
def test_what_the_family_cannot_build_is_refused(changes):
    with pytest.raises(InvalidArch):
        families.layers(dataclasses.replace(sampled("temporal", 0), **changes))


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean temporal"):
        families.family("temporel")
