"""Arch and Space: canonical, validated, and coded as genes without loss."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.cost import macs
from supernet.errors import InvalidArch
from supernet.families.blocks import Block, BlockChoices, Blocks, Stage, StageChoices
from supernet.files import canonical_json, digest
from supernet.space import DIMENSIONS, Space, default_space

SPACE = default_space("temporal", 12)


def example(**changes) -> Arch:
    values = {
        "family": "temporal",
        "features": FeatureSpec("mfcc", 10, 20),
        "frames": 50,
        "classes": 12,
    }
    shape = {"stem": 16, "stages": (Stage(16, (Block(3, 1),)),), "head": 32}
    own = {name: changes.pop(name, value) for name, value in shape.items()}
    return Arch(**{**values, "shape": Blocks(**own), **changes})


def test_the_digest_is_the_same_on_every_platform_and_version():
    text = (
        '{"activation_bits":[],"classes":12,"family":"temporal","features":{"coefficients":10,"kind":"mfcc",'
        '"step_ms":20},"frames":50,"head":32,"stages":[{"blocks":[{"expansion":1,"kernel":3}],"stride":1,"width":16}],'
        '"stem":16,"weight_bits":[]}'
    )
    assert example().to_json() == text
    assert (
        example().digest == digest(text.encode()) == "2c51ee8323eba9e04c9201e8ec27d799d5780970b98f1daa150aa398b18f812c"
    )


@given(st.integers(0, 2**32 - 1))
def test_an_arch_survives_json_and_genes(seed):
    genes = SPACE.sample(np.random.default_rng(seed), 3)
    archs = SPACE.from_genes(genes)
    assert np.array_equal(SPACE.to_genes(archs), genes)
    for arch in archs:
        bits = with_bits(arch, 1 + seed % 8)
        assert Arch.from_json(bits.to_json()) == bits
        assert bits.without_bits() == arch
        assert bits.digest != arch.digest
        assert arch in SPACE


@given(st.integers(0, 2**32 - 1))
def test_mutants_and_crossovers_stay_in_the_space(seed):
    rng = np.random.default_rng(seed)
    parents = SPACE.sample(rng, 2)
    children = np.concatenate([SPACE.mutate(parents, rng, 0.5), SPACE.crossover(parents[:1], parents[1:], rng)])
    assert np.array_equal(SPACE.to_genes(SPACE.from_genes(children)), children)
    assert all(arch in SPACE for arch in SPACE.from_genes(children))


def test_the_size_of_a_space_is_the_number_of_its_networks():
    stage = StageChoices((8, 16), (1, 3), (3, 5), (1,))
    space = Space("temporal", 2, 1000, (10,), (10, 20), BlockChoices((8,), (stage,), (8,)))
    every = np.stack(np.meshgrid(*map(np.arange, space.cardinalities)), -1).reshape(-1, len(space.cardinalities))
    assert space.size == len(np.unique(space.canonical(every), axis=0)) == 2 * 2 * (2 + 8)


def test_smallest_and_largest_bound_all_costs():
    costs = [macs(arch) for arch in SPACE.from_genes(SPACE.sample(np.random.default_rng(0), 300))]
    assert macs(SPACE.smallest()) <= min(costs)
    assert max(costs) <= macs(SPACE.largest())
    assert macs(SPACE.smallest()) <= 0.1e6
    assert 9e6 <= macs(SPACE.largest()) <= 11e6


@given(st.sets(st.sampled_from(sorted(DIMENSIONS))), st.integers(0, 2**32 - 1))
def test_a_shrunk_space_varies_only_what_is_elastic(elastic, seed):
    shrunk = SPACE.shrink(elastic)
    arch = shrunk.from_genes(shrunk.sample(np.random.default_rng(seed)))[0]
    largest = SPACE.largest()
    assert arch in SPACE
    assert shrunk.largest() == largest
    stages, most = arch.shape.stages, largest.shape.stages
    seen = {
        "features": arch.features == largest.features,
        "depth": [len(stage.blocks) for stage in stages] == [len(stage.blocks) for stage in most],
        "width": [stage.width for stage in stages] == [stage.width for stage in most],
        "kernel": all(block.kernel == 9 for stage in stages for block in stage.blocks),
        "expansion": all(block.expansion == 3 for stage in stages for block in stage.blocks),
    }
    assert all(same for name, same in seen.items() if name not in elastic)


def test_a_space_survives_json():
    assert Space.from_dict(json.loads(canonical_json(SPACE.to_dict()))) == SPACE


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stem": 12}, "stem = 12"),
        ({"stem": True}, "stem = True"),
        ({"head": 0}, "head = 0"),
        ({"classes": 1}, "classes = 1"),
        ({"frames": 10**9}, "frames"),
        ({"stages": ()}, "stages"),
        ({"stages": (Stage(16, ()),)}, "stage1.blocks"),
        ({"stages": (Stage(16, (Block(99, 1),)),)}, "stage1.block1.kernel = 99"),
        ({"features": FeatureSpec("mfcc", 0, 10)}, "features.coefficients = 0"),
        ({"weight_bits": (17,)}, "weight_bits = 17"),
        ({"family": "../x"}, "family"),
        ({"stem": 8 * 10**9}, "stem"),
        ({"classes": 10**4000}, "classes"),
        ({"stages": (Stage(16, (Block(3, 1),) * 64),) * 3}, "blocks of all stages = 192"),
    ],
)
def test_a_wrong_value_is_named(changes, named):
    with pytest.raises(InvalidArch, match=named.replace(".", r"\.")):
        example(**changes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an architecture: Expecting value"),
        ("[]", "not an architecture: list indices"),
        ("{}", "not an architecture: 'family'"),
        ('{"family": 1}', "family = 1 is not possible: give a plain name"),
        ('{"stages": 3}', "not an architecture: 'family'"),
        ("NaN", "not an architecture: 'float'"),
    ],
)
def test_text_that_is_no_architecture_is_refused(text, said):
    with pytest.raises(InvalidArch, match=said):
        Arch.from_json(text)


def test_a_network_outside_the_space_has_no_genes():
    outside = dataclasses.replace(SPACE.smallest(), shape=dataclasses.replace(SPACE.smallest().shape, stem=64))
    assert outside not in SPACE
    with pytest.raises(InvalidArch, match="not in this space"):
        SPACE.to_genes([outside])
    assert example() not in SPACE
    shorter = dataclasses.replace(SPACE.smallest().shape, stages=SPACE.smallest().shape.stages[:2])
    for changes in ({"classes": 3}, {"frames": 51}, {"family": "other"}, {"shape": shorter}):
        changed = dataclasses.replace(SPACE.smallest(), **changes)
        assert changed not in SPACE
        with pytest.raises(InvalidArch, match="not in this space"):
            SPACE.to_genes([changed])


@pytest.mark.parametrize("depths", [(), (2, 1), (1, 1), (0,), ("1",)])
def test_choices_must_be_sorted_numbers(depths):
    with pytest.raises(InvalidArch, match=r"stage1\.depths"):
        Space("temporal", 2, 1000, (10,), (10,), BlockChoices((8,), (StageChoices((8,), depths, (3,), (1,)),), (8,)))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("classes", 10**9, "classes = 1000000000"),
        ("clip_ms", 10**12, "clip_ms = 1000000000000"),
        ("coefficients", (10**9,), "coefficients = "),
        ("steps_ms", (True,), "steps_ms = "),
        ("stems", (8, 10**9), "stems = "),
        ("heads", 3, "not a space: 'int' object"),
        ("stages", (), "stages = 0"),
        ("stages", [{"widths": [8], "depths": [10**9], "kernels": [3], "expansions": [1]}], r"stage1\.depths = "),
        ("stages", [{"widths": [8], "depths": [60], "kernels": [3], "expansions": [1]}] * 3, "of all stages = 180"),
    ],
)
def test_a_space_larger_than_any_device_is_refused_before_it_is_counted(field, value, said):
    with pytest.raises(InvalidArch, match=said):
        Space.from_dict({**SPACE.to_dict(), field: value})


def test_an_unknown_dimension_is_refused():
    with pytest.raises(InvalidArch, match="dilation"):
        SPACE.shrink({"dilation"})


def test_samples_by_size_reach_both_ends_and_leave_each_gene_uniform():
    rng = np.random.default_rng(0)
    genes, alone = SPACE.sample_sizes(rng, 4000), SPACE.sample(rng, 4000)
    for column in range(4):
        shares = np.bincount(genes[:, column], minlength=SPACE.cardinalities[column]) / 4000
        assert np.abs(shares - 1 / SPACE.cardinalities[column]).max() < 0.04
    spread = [np.percentile([macs(arch) for arch in SPACE.from_genes(item[:500])], [10, 90]) for item in (genes, alone)]
    assert spread[0][0] < spread[1][0] / 2
    assert spread[0][1] > spread[1][1] * 1.3
    assert SPACE.canonical(genes).tolist() == genes.tolist()
