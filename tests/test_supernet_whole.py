"""Numbers of any library are taken wherever one is asked for; booleans are none, and fractions are not whole."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import zoo
from search.space import SearchSpace
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.data.audio import prepare_samples
from supernet.errors import EarshotError, InvalidArch, InvalidModel, InvalidQuery
from supernet.families.blocks import BlockChoices, StageChoices
from supernet.files import canonical_json, write_json
from supernet.frontend.logmel import LogMel
from supernet.integer.form import Activation
from supernet.space import Space
from supernet.whole import as_whole, is_real
from zoo.ask.units import an_hour, count, size
from zoo.run.conditions import chosen_conditions
from zoo.run.events import check_floor, threshold_of
from zoo.run.hear import check_top

KINDS = (np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64)
NONE = (True, np.True_, 4.0, np.float32(4), "4", None, [4])


@pytest.mark.parametrize("kind", KINDS)
def test_integers_of_numpy_are_whole(kind):
    assert as_whole(kind(4)) == 4
    assert type(as_whole(kind(4))) is int
    query = {"bits": kind(4), "activation_bits": kind(8), "max_macs": kind(120) * np.int64(10**5)}
    assert zoo.find("kws", **query, most=kind(3)) == zoo.find("kws", bits=4, activation_bits=8, max_macs=12e6, most=3)


@pytest.mark.parametrize("value", NONE)
def test_booleans_fractions_and_texts_are_not(value):
    assert as_whole(value) is None
    if value is not None:
        for query in ({"bits": value}, {"activation_bits": value}, {"most": value}):
            with pytest.raises(InvalidQuery, match=f"{next(iter(query))} = "):
                zoo.find("kws", **query)
        with pytest.raises(InvalidQuery, match="top = "):
            check_top(value)
    with pytest.raises(InvalidArch):
        Arch("temporal", FeatureSpec(coefficients=value), 50, 12, Space.smallest(small()).shape)


@pytest.mark.parametrize("kind", [int, float, Fraction, np.float16, np.float32, np.float64, np.int8])
def test_real_numbers_are_those_of_any_library(kind):
    assert is_real(kind(1))
    assert is_real(kind(1), 0, 1)
    assert not is_real(kind(1), 2)
    assert not is_real(kind(1), 0, 0.5)
    threshold_of(kind(1))
    check_floor(-kind(1))
    assert an_hour("alarms", kind(1)) == 1
    assert Activation(kind(1), 0) == Activation(1.0, 0)


@pytest.mark.parametrize("value", [True, np.True_, "1", None, [1], 1j, np.nan, float("nan")])
def test_what_is_no_real_number_is_refused_by_name(value):
    assert not is_real(value)
    for check, name in ((threshold_of, "threshold"), (check_floor, "floor_db")):
        with pytest.raises(InvalidQuery, match=f"{name} = .* is not possible: give"):
            check(value)
    for make in (lambda: Activation(value, 0), lambda: LogMel(low_hz=value), lambda: LogMel(floor=value)):
        with pytest.raises(InvalidModel):
            make()


def test_booleans_of_numpy_are_booleans():
    choices = StageChoices((8,), (1,), (3,), (1,), 1)
    space = Space("temporal", 4, 1000, (10,), (20,), BlockChoices((8,), (choices,), (16,)))
    (stage,) = space.smallest().shape.stages
    arch = replace(
        space.smallest(), shape=replace(space.smallest().shape, stages=(replace(stage, excitation=np.True_),))
    )
    assert arch.digest == Arch.from_json(arch.to_json()).digest != space.smallest().digest
    assert arch.shape.stages[0].excitation is True
    assert chosen_conditions(np.False_) == ()


def small(kind=int) -> Space:
    """A space of four networks, of numbers of a kind."""
    stage = StageChoices((kind(8), kind(16)), (kind(1), kind(2)), (kind(3),), (kind(1),), kind(1))
    choices = BlockChoices((kind(8),), (stage,), (kind(16),))
    return Space("temporal", kind(4), 1000, (kind(10),), (kind(20),), choices)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_integers_of_numpy_are_the_same_networks(kind):
    own, plain = small(kind), small()
    assert own == plain
    assert canonical_json(own.to_dict()) == canonical_json(plain.to_dict())
    for mine, other in ((own.largest(), plain.largest()), (own.smallest(), plain.smallest())):
        assert with_bits(mine, kind(4), kind(8)).digest == with_bits(other, 4).digest
    assert SearchSpace(own, (kind(4), kind(8))).weight_bits == (4, 8)
    with pytest.raises(InvalidArch):
        SearchSpace(plain, (True,))


@pytest.mark.parametrize("kind", KINDS)
def test_front_ends_and_tensors_take_them_without_overflow(kind):
    assert LogMel(coefficients=kind(40), step_ms=kind(20), mels=kind(40)) == LogMel(step_ms=20)
    assert LogMel(step_ms=kind(20)).hop_samples == 320
    assert Activation(np.float32(0.5), kind(3), kind(8)).limits == (-128, 127)
    assert Activation(0.5, 3, kind(16)).reach == 2**15 + 3
    with pytest.raises(EarshotError):
        Activation(0.5, True, 8)


def test_sampling_rates_and_files_take_them(tmp_path):
    samples = np.zeros(1600, np.float32)
    assert prepare_samples(samples, np.uint16(16_000), 16_000, "x").shape == (1600,)
    for hertz in (True, 16_000.0, "16000"):
        with pytest.raises(EarshotError, match="sampling rate"):
            prepare_samples(samples, hertz, 16_000, "x")
    path = write_json(tmp_path / "x.json", {"bits": np.int64(4), "share": np.float64(0.5)})
    assert path.read_text() == '{\n "bits": 4,\n "share": 0.5\n}\n'
    with pytest.raises(TypeError):
        canonical_json({"x": np.True_})


@pytest.mark.parametrize(
    ("text", "amount"),
    [("64k", 64_000), ("64K", 64_000), ("64 kB", 64_000), ("64KB", 64_000), ("64KiB", 65_536), ("64 Ki", 65_536),
     ("2M", 2e6), ("2MB", 2e6), ("2MiB", 2 * 1024**2), ("1.5k", 1500), (np.int64(64_000), 64_000), ("512B", 512)],
)  # fmt: skip
def test_k_is_a_thousand_bytes_and_ki_1024(text, amount):
    assert size("max_ram", text) == amount


@pytest.mark.parametrize("text", ["64m", "64kib", "k", "64kBB", "64 k B", "-64k", "0k", True, np.True_, "64ms"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(InvalidQuery, match=r"max_ram = .*64k"):
        size("max_ram", text)
    with pytest.raises(InvalidQuery):
        count("max_ops", True)
