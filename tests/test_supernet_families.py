"""Every registered family: its layers fit together, and what it claims of streaming holds."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from predictors import estimate
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.cost import macs, params
from supernet.errors import InvalidArch, UnknownName
from supernet.families import family
from supernet.families.blocks import Block, Blocks, Stage
from supernet.layer import layers
from supernet.nn.network import Network, execute
from supernet.space import default_space

NETS = pd.read_csv(Path(__file__).parent / "peter2020_nets.csv").astype({"cells": str}).to_dict("records")
EVERY = [(name, kind, seed) for name in family.names for kind in family(name).features for seed in range(5)]
SOUNDS = [("temporal", kind, seed, 5120) for kind in ("logmel", "micro") for seed in range(3)]


def sampled(name: str, seed: int, kind: str | None = None, clip_ms: int = 1000):
    space = default_space(name, 12, clip_ms, features=kind)
    return space.from_genes(space.sample(np.random.default_rng(seed)))[0]


@pytest.mark.parametrize(("name", "kind", "seed"), EVERY)
def test_shapes_fit_from_layer_to_layer(name, kind, seed):
    arch = sampled(name, seed, kind)
    specs = layers(arch)
    shapes = {}
    for spec in specs:
        assert all(shapes[source] == spec.in_shape for source in spec.inputs[: 1 if spec.kind == "scale" else None])
        assert spec.kind != "scale" or shapes[spec.inputs[1]] == (spec.in_shape[0], 1, 1)
        assert spec.name not in shapes
        shapes[spec.name] = spec.out_shape
    assert specs[0].kind == "input"
    assert specs[-1].out_shape == (arch.classes, 1, 1)


@pytest.mark.parametrize(("name", "kind", "seed", "clip_ms"), [*((*one, 1000) for one in EVERY), *SOUNDS])
def test_only_layers_of_a_streamable_family_do_not_see_the_future(name, kind, seed, clip_ms):
    arch = sampled(name, seed, kind, clip_ms)
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
            if spec.causal:
                torch.testing.assert_close(before[..., :past], after[..., :past], rtol=1e-5, atol=1e-6)
            assert not torch.equal(before[..., past:], after[..., past:])
    assert all(spec.causal for spec in network.specs) == family(name).streamable


def test_networks_of_sounds_stream_in_little_memory_and_answer_each_160_ms():
    space = default_space("temporal", 50, 5120, features="logmel")
    costs = [estimate(arch) for arch in (space.smallest(), space.largest())]
    assert [round(cost.macs / 1e6, 1) for cost in costs] == [1.3, 18.5]
    assert max(cost.stream_ram_bytes for cost in costs) < 32_768
    assert next(spec for spec in layers(space.largest()) if spec.kind == "pool").in_shape[2] == 5120 / 160
    strides = [
        [stage.stride for stage in default_space("temporal", 50, clip_ms, features="logmel").shapes.stages]
        for clip_ms in (1980, 5000, 5040, 5120)
    ]
    assert strides == [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1], [2, 2, 2, 1]]


def test_frames_that_are_no_multiple_of_a_stride_are_refused():
    arch = sampled("temporal", 0, "logmel", 5120)
    with pytest.raises(InvalidArch, match=r"stage\d_block1\w*: \d+ frames are no multiple of its stride of 2"):
        layers(dataclasses.replace(arch, frames=250))


@pytest.mark.parametrize("published", NETS, ids=lambda net: net["name"])
def test_the_published_networks_are_of_family_mbconv_with_their_macs_and_parameters(published):
    """Of Peter et al. (arXiv 2012.10138): 24 that their search found."""
    arch = mbconv_of(published)
    assert (macs(arch), params(arch)) == (published["macs"], published["params"])


def changed(arch: Arch, stages: tuple[Stage, ...] | None = None, stem: int | None = None, **changes) -> Arch:
    shape = dataclasses.replace(arch.shape, stages=stages or arch.shape.stages, stem=stem or arch.shape.stem)
    return dataclasses.replace(arch, shape=shape, **changes)


def mbconv_of(net: dict) -> Arch:
    stage = Stage(72, tuple(Block(int(cell[0]), int(cell[1])) for cell in net["cells"].split()), 2)
    return Arch("mbconv", FeatureSpec("mfcc", net["mfcc"], 20), 51, 12, Blocks(72, (stage,), 144))


@pytest.mark.parametrize("kind", ["mfcc", "logmel"])
def test_a_stem_of_mbconv_takes_every_second_tap_of_what_is_coarser(kind):
    """20 ms and 20 log-mels are every second ones of 10 ms and 40; on both the next layer sees the same."""
    whole = {"mfcc": 20, "logmel": 40}[kind]
    wide = dataclasses.replace(sampled("mbconv", 0, kind), features=FeatureSpec(kind, whole, 10), frames=100)
    narrow = dataclasses.replace(wide, features=FeatureSpec(kind, 20, 20), frames=50)
    fast, slow = Network(wide), Network(narrow)
    weight, fewer = fast.layers["stem"].weight, slow.layers["stem"].weight
    place = layers(narrow)[1].taps(weight.shape[2:])
    assert weight[:, :, *place].shape == fewer.shape
    slow.load_state_dict({**fast.state_dict(), "layers.stem.weight": weight[:, :, *place]})
    mask = torch.zeros_like(weight)
    mask[:, :, *place] = 1
    with torch.no_grad():
        weight.mul_(mask)
    x = torch.randn(3, 40, 100)
    torch.testing.assert_close(fast(x), slow(x))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_smaller_square_kernel_is_the_middle_of_a_larger(stride):
    """With zeros around it, the larger one computes the same."""
    base = sampled("mbconv", 0, "logmel")
    small, large = (changed(base, stages=(Stage(16, (Block(k, 1),), stride),)) for k in (3, 7))
    networks = [Network(small), Network(large)]
    weight = torch.zeros_like(networks[1].layers["stage1_block1_depthwise"].weight)
    weight[:, :, 2:5, 2:5] = networks[0].layers["stage1_block1_depthwise"].weight
    networks[1].load_state_dict({**networks[0].state_dict(), "layers.stage1_block1_depthwise.weight": weight})
    x = torch.randn(2, 40, 100)
    torch.testing.assert_close(*(network(x) for network in networks))


def test_excitation_weighs_channels_by_the_whole_clip():
    arch = changed(sampled("mbconv", 0, "logmel"), stages=(Stage(16, (Block(3, 3),), 2, True),))
    specs = {spec.name: spec for spec in layers(arch)}
    scale = specs["stage1_block1_scale"]
    assert scale.inputs == ("stage1_block1_depthwise", "stage1_block1_excite")
    assert specs["stage1_block1_mean"].out_shape == (3 * arch.shape.stem, 1, 1)
    assert specs["stage1_block1_squeeze"].out_shape == (max(8, 3 * arch.shape.stem // 4 // 8 * 8), 1, 1)
    assert specs["stage1_block1_excite"].activation == "hard_sigmoid"
    assert specs["stage1_block1_project"].inputs == (scale.name,)
    assert scale.macs == scale.params == 0


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
    arch = changed(
        sampled("temporal", 0),
        stem=16,
        stages=(
            Stage(16, (Block(3, 1), Block(3, 2))),
            Stage(24, (Block(3, 1), Block(3, 1))),
            Stage(24, (Block(3, 1),), 2),
        ),
    )
    sums = {spec.name: spec.inputs for spec in layers(arch) if spec.kind == "add"}
    assert sums == {
        "stage1_block1_add": ("stem", "stage1_block1_project"),
        "stage1_block2_add": ("stage1_block1_add", "stage1_block2_project"),
        "stage2_block2_add": ("stage2_block1_project", "stage2_block2_project"),
    }


def test_maps_are_halved_thrice_and_gathered():
    """40 mels: 20 after the stem, 10 and 5 after the stages on maps, then all of them in channels."""
    specs = {spec.name: spec for spec in layers(sampled("temporal", 0, "logmel"))}
    heights = [specs[name].out_shape[1] for name in ("input", "stem", "stage1_block1_project", "stage2_block1_project")]
    assert heights == [40, 20, 10, 5]
    gather = specs["gather"]
    assert gather.kernel == (5, 1)
    assert gather.out_shape[1] == 1
    assert gather.pad == (0, 0, 0, 0)
    assert gather.macs == 5 * gather.in_shape[0] * gather.out_shape[0] * 50


def test_with_bits_keeps_edges_and_depthwise_layers_at_8():
    arch = with_bits(sampled("temporal", 1), 4)
    for spec in layers(arch):
        if spec.has_weights:
            edge = spec.depthwise or spec.name in ("stem", "classifier")
            assert spec.weight_bits == (8 if edge else 4)
    assert arch.activation_bits[-1] == 16
    assert set(arch.activation_bits[:-1]) == {8}


@pytest.mark.parametrize(
    "changes",
    [
        {"stages": (Stage(16, (Block(9, 1),)),)},
        {"stages": (Stage(16, (Block(3, 7),)),)},
        {"features": FeatureSpec("logmel", 30, 10)},
        {"features": FeatureSpec("logmel", 40, 40)},
        {"stages": (Stage(16, (Block(3, 1),), 3),)},
    ],
)
def test_what_family_mbconv_cannot_build_is_refused(changes):
    with pytest.raises(InvalidArch, match="mbconv"):
        layers(changed(sampled("mbconv", 0, "logmel"), **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": (Stage(16, (Block(4, 1),)),)}, "kernel=4"),
        ({"stages": (Stage(16, (Block(3, 5),)),)}, "expansion=5"),
        ({"stages": (Stage(16, (Block(3, 1),), 1, True),)}, "has no excitation"),
        ({"features": FeatureSpec("mfcc", 10, 30)}, "step_ms=30"),
        ({"features": FeatureSpec("sinc", 10, 10)}, "kind='sinc'"),
        ({"features": FeatureSpec("logmel", 40, 10), "stages": (Stage(16, (Block(3, 1),)),) * 2}, "than 2 stages"),
        ({"weight_bits": (8,)}, "1 weight_bits and 0 activation_bits"),
        ({"activation_bits": (8,)}, "0 weight_bits and 1 activation_bits"),
    ],
)
def test_what_the_family_cannot_build_is_refused(changes, said):
    with pytest.raises(InvalidArch, match=said):
        layers(changed(sampled("temporal", 0), **changes))


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean temporal"):
        family("temporel")
