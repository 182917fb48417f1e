"""Family `sinc` and its filters against sums and logarithms computed one by one, and against transforms in float64."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import zoo
from studies.c_networks import random_network
from supernet.arch import Arch, FeatureSpec
from supernet.bits import with_bits
from supernet.cost import macs, macs_per_second, mean_bits, params
from supernet.data.augment import plain_features
from supernet.data.scenes import Scenes
from supernet.errors import InvalidArch, InvalidModel
from supernet.families.blocks import Block, Stage
from supernet.families.sinc import FilteredBlocks
from supernet.frontend.raw import Raw
from supernet.integer.form import IntegerLayer
from supernet.integer.runtime import IntegerNetwork
from supernet.layer import layers
from supernet.memory import state_bytes, stream_ram_bytes
from supernet.nn.filters import band_edges, band_pass
from supernet.nn.frontend import dequantise_features
from supernet.nn.network import Network, recalibrate
from supernet.nn.ops import twin
from supernet.nn.store import load_supernet, save_supernet
from supernet.nn.supernet import Supernet
from supernet.ops.filters import OPERATOR, logarithms
from supernet.quant.elastic import ElasticBits, ElasticBitsRecipe, train_elastic_bits
from supernet.quant.fake import FakeQuantNetwork
from supernet.quant.finetune import QuantRecipe, quantise
from supernet.quant.widths import WidthRecipe, learn_widths
from supernet.space import default_space
from supernet.train.calibration import scene_features
from supernet.train.networks import train_float
from supernet.train.recipe import Recipe

FRAMES, RATE = 20, 16_000


def arch_of(filters: int = 8, taps: int = 64, stride: int = 16, bank: str = "sinc", frames: int = FRAMES) -> Arch:
    stages = (Stage(16, (Block(3, 1), Block(3, 2))),)
    shape = FilteredBlocks(16, stages, 16, filters, taps, stride, bank)
    return Arch("sinc", FeatureSpec("raw", 320, 10), frames, 4, shape)


def filters_of(arch: Arch):
    return layers(arch)[1]


def hard_samples(frames: int = FRAMES) -> np.ndarray:
    """(4, samples) int16: noise of rising level, rails of both kinds, silence with one impulse."""
    rng, count = np.random.default_rng(0), 160 * frames
    noise = np.clip(rng.standard_normal(count) * np.geomspace(1, 20_000, count), -32768, 32767)
    impulse = np.zeros(count)
    impulse[1234] = 1
    return np.stack([noise, np.tile([-32768, 32767], count // 2), np.full(count, -32768), impulse]).astype(np.int16)


def calibrated(arch: Arch, samples: np.ndarray, bits: int = 8) -> FakeQuantNetwork:
    features = torch.from_numpy(Raw().run(samples)).float() / 32
    return FakeQuantNetwork(recalibrate(Network(arch), features), with_bits(arch, bits)).calibrate(features).eval()


def words() -> np.ndarray:
    """(4, samples) int16: bundled words of a second."""
    paths = sorted((Path(zoo.__file__).parent / "clips").glob("*.wav"))[:4]
    found = [soundfile.read(path, dtype="int16")[0][:RATE] for path in paths]
    return np.stack([np.pad(word, (0, RATE - len(word))) for word in found])


def whole_logarithm(value: int) -> int:
    """log2 by the definition, in Python's own integers: a table of 128 steps and a straight line between them."""
    whole = value.bit_length() - 1
    fraction = (value << 64 >> whole) - (1 << 64)
    step, between = fraction >> 57, fraction >> 41 & 0xFFFF
    low, high = (int(np.floor(np.log2(1 + one / 128) * 65536 + 0.5)) for one in (step, step + 1))
    return (whole << 16) + low + ((high - low) * between + 32768 >> 16)


@pytest.mark.parametrize(("taps", "stride", "bits", "grid"), [(64, 16, 8, "symmetric"), (256, 40, 3, "odd")])
def test_integers_are_those_of_the_definition_one_by_one(taps, stride, bits, grid):
    arch = with_bits(arch_of(3 * 8, taps, stride, "taps"), bits, edge=bits)
    network = random_network(arch, grid, np.random.default_rng(1))
    samples = hard_samples()
    found = network.run(Raw().run(samples), keep=True)["filters"]
    layer, output = network.tensors["filters"], network.activations["filters"]
    low, high = output.limits
    for clip, heard in enumerate(samples.tolist()):
        before = [0] * (taps - stride) + heard
        for frame in (0, 1, 7, FRAMES - 1):
            for channel in (0, 23):
                weight = layer.weight[channel, 0, :, 0].tolist()
                starts = range(frame * 160, (frame + 1) * 160, stride)
                sums = [sum(map(int.__mul__, weight, before[first : first + taps])) for first in starts]
                assert max(map(abs, sums)) < 2**31
                total = whole_logarithm((sum(map(abs, sums)) >> bits - 1) + 8) - (3 << 16)
                total += int(layer.bias[channel])
                shift = int(layer.shift[channel])
                scaled = total * int(layer.multiplier[channel]) + (1 << shift - 1) >> shift
                wanted = max(low, min(high, scaled + output.zero_point))
                assert found[clip, channel, 0, frame] == wanted


def test_whole_logarithms_are_within_a_step_of_real_ones():
    spec = replace(filters_of(arch_of()), weight_bits=8)
    sums = np.concatenate([np.arange(0, 100_000, 37), 2 ** np.arange(31) * 1000])
    real = np.log2((sums >> 7) / 8 + 1) * 65536
    assert np.abs(logarithms(spec, sums) - real).max() < 3


def test_multiply_accumulates_are_counted_one_by_one():
    arch = arch_of(24, 96, 16, frames=100)
    spec = filters_of(arch)
    places = [first for frame in range(100) for first in range(160 * frame, 160 * frame + 160, 16)]
    assert spec.macs == sum(24 * 96 for _ in places) == 2_304_000
    assert macs(arch) == sum(one.macs for one in layers(arch))
    assert macs_per_second(arch) > spec.macs
    assert spec.params == 24 * (2 + 2)
    assert filters_of(arch_of(24, 96, 16, "taps")).params == 24 * (96 + 2)
    assert params(arch) == sum(one.numel() for one in Network(arch).parameters())


def test_a_stream_keeps_the_samples_that_taps_look_back_on():
    for taps, stride in ((64, 16), (504, 8)):
        arch = arch_of(taps=taps, stride=stride)
        assert state_bytes(filters_of(arch)) == 2 * (taps - stride)
    assert stream_ram_bytes(arch_of(taps=256)) - stream_ram_bytes(arch_of(taps=64)) == 2 * (256 - 64)


@pytest.mark.parametrize("cuts", [[1], [2, 3, 11], list(range(1, FRAMES))])
@pytest.mark.parametrize(("taps", "stride"), [(64, 16), (504, 40)])
def test_a_stream_gives_what_a_clip_gives_in_any_cut(taps, stride, cuts):
    """Also where taps look back on more than a frame."""
    network = calibrated(arch_of(taps=taps, stride=stride), hard_samples()).to_integer()
    features = Raw().run(hard_samples())
    state, found = network.reset(4), []
    for part in np.split(features, cuts, 2):
        logits, state = network.step(part, state)
        found.append(logits)
    assert np.array_equal(np.concatenate(found, 1)[:, -1], network(features))


def test_no_sum_leaves_32_bits():
    arch = with_bits(arch_of(8, 504, 8, "taps"), 8)
    network = random_network(arch, "symmetric", np.random.default_rng(0))
    layer = network.tensors["filters"]
    worst = IntegerLayer(layer.multiplier, layer.shift, np.full_like(layer.weight, 127), layer.bias)
    largest = 504 * 127 * 32768
    assert OPERATOR.bound(filters_of(arch), worst, [128]) == largest < 2**31
    full = IntegerNetwork(arch, {**network.tensors, "filters": worst}, network.activations)
    rails = np.full((1, 160 * FRAMES), -32768, np.int16)
    assert full.run(Raw().run(rails), keep=True)["filters"].shape == (1, 8, 1, FRAMES)


def test_taps_whose_sum_could_leave_32_bits_are_refused():
    arch = with_bits(arch_of(8, 504, 8, "taps"), 8)
    network = random_network(arch, "symmetric", np.random.default_rng(0))
    layer = network.tensors["filters"]
    loud = np.full(layer.weight.shape, 127, np.int16) + 20
    altered = IntegerLayer(layer.multiplier, layer.shift, loud, layer.bias)
    with pytest.raises(InvalidModel, match="layer filters: an accumulator can reach"):
        IntegerNetwork(arch, {**network.tensors, "filters": altered}, network.activations)


@pytest.mark.parametrize("taps", [128, 256, 504])
def test_filters_pass_what_lies_between_their_cut_offs(taps):
    """By a transform in float64: half of the amplitude at the cut-offs, all between, next to nothing beyond."""
    moved = torch.tensor([[0.0, 1.0], [6.0, 1.5], [-2.0, 1.0], [0.5, 2.0]])
    low, high = (edge.double().numpy() for edge in band_edges(moved))
    response = np.abs(np.fft.rfft(band_pass(moved, taps)[:, 0, :, 0].double().numpy(), 1 << 14, axis=1))
    hertz = np.fft.rfftfreq(1 << 14)
    reach = 4 / taps
    for number in range(len(moved)):
        own, first, last = response[number], low[number], high[number]
        assert own[(hertz < first - reach) | (hertz > last + reach)].max(initial=0) < 0.01 * own.max()
        if last - first > 2 * reach and first > reach:
            middle = own[(hertz > first + reach) & (hertz < last - reach)]
            assert np.ptp(middle) < 0.02 * middle.mean()
            edges = np.interp([first, last], hertz, own)
            assert edges == pytest.approx(middle.mean() / 2, rel=0.05)


def test_the_first_filters_reach_over_all_frequencies():
    for count in (8, 16, 24, 40):
        low, high = (edge.numpy() * RATE for edge in band_edges(torch.zeros(count, 2)))
        assert (low < high).all()
        assert low.min() < 150
        assert high.max() > 5500
        middles = np.sort(2595 * np.log10(1 + (low + high) / 2 / 700))
        assert np.diff(middles).max() < 2.1 * 2840 / count


def test_gradients_of_cut_offs_are_those_of_finite_differences():
    torch.manual_seed(0)
    moved = (0.3 * torch.randn(5, 2)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: band_pass(x, 16), (moved,), eps=1e-6, atol=1e-5)


def test_training_moves_cut_offs_alone():
    network = Network(arch_of())
    layer = network.layers["filters"]
    before = layer.weight.detach().clone()
    assert {name for name, _ in layer.named_parameters()} == {"origin", "gamma", "beta"}
    features = torch.from_numpy(Raw().run(hard_samples())).float() / 32
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    torch.nn.functional.cross_entropy(network.train()(features), torch.tensor([0, 1, 2, 3])).backward()
    assert layer.origin.grad.abs().min() > 0
    optimiser.step()
    assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight, band_pass(layer.origin, 64))


@pytest.mark.parametrize("bank", ["sinc", "taps"])
def test_a_smaller_network_has_the_first_filters(bank):
    """Of cut-offs, shorter ones are made anew; of taps, those in the middle are taken."""
    space = default_space("sinc", 4, 200)
    space = replace(space, shapes=replace(space.shapes, bank=bank))
    supernet = Supernet(space, seed=3)
    whole = supernet.network.layers["filters"]
    if bank == "sinc":
        with torch.no_grad():
            whole.origin.normal_()
    part = supernet.slices(space.smallest()).layers["filters"]
    taps = space.smallest().shape.taps
    if bank == "sinc":
        assert torch.equal(part.weight, band_pass(whole.origin[:8], taps))
    else:
        spare = (256 - taps) // 2
        assert torch.equal(part.weight, whole.weight[:8, :, spare : spare + taps])


def snr_db(real: np.ndarray, found: np.ndarray) -> float:
    """Of what changes in a clip, over what is between two ways to compute it."""
    signal = real - real.mean(axis=-1, keepdims=True)
    noise = (found - real) - (found - real).mean(axis=-1, keepdims=True)
    return 10 * np.log10(np.square(signal).mean() / np.square(noise).mean())


def real_logarithms(arch: Arch, weight: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """(clips, filters, frames) log2 of the mean size, in float64, of samples that were never rounded."""
    spec = filters_of(arch)
    taps, stride = spec.kernel[0], spec.stride[0]
    padded = np.pad(samples.astype(float), ((0, 0), (taps - stride, 0)))
    places = np.lib.stride_tricks.sliding_window_view(padded, taps, 1)[:, ::stride]
    sizes = np.abs(places @ weight.T).reshape(len(samples), arch.frames, 160 // stride, -1).mean(2)
    return np.log2(sizes * 160 / stride + 2**10 / 127).transpose(0, 2, 1)


@pytest.mark.parametrize(("bank", "loud"), [("sinc", 20), ("taps", 40)])
def test_a_voice_that_is_20_db_fainter_keeps_its_signal(bank, loud):
    """Through 8-bit taps and 8-bit logarithms, beside float64: little more is lost than 16 bits of samples lose.

    Of band-pass filters, rounded taps let pass more of what is beyond their bands. 8 bits of linear amplitudes lose it.
    """
    arch, clips = arch_of(16, 128, 16, bank, frames=100), words()
    faint = np.round(clips * 0.1).astype(np.int16)
    fake = calibrated(arch, np.concatenate([clips, faint]))
    network, layer = fake.to_integer(), fake.layers["filters"]
    gain = twin(filters_of(arch)).gain(layer.gamma) / (layer.var + 1e-5).sqrt()
    offset = (layer.beta - gain * layer.mean)[:, None]
    weight = layer.weight.detach().double().numpy()[:, 0, :, 0]
    output = network.activations["filters"]
    rounded = snr_db(*(real_logarithms(arch, weight, one) for one in (clips * 0.1, faint)))
    for heard, exact, least in ((clips, clips, loud), (faint, clips * 0.1, rounded - 3)):
        real = real_logarithms(arch, weight, exact)
        stored = network.run(Raw().run(heard), keep=True)["filters"][:, :, 0]
        found = (stored - output.zero_point) * output.scale
        found = (found - offset.detach().numpy()) / gain.detach().numpy()[:, None]
        assert snr_db(real, found) > least
    sizes, fainter = (2 ** real_logarithms(arch, weight, one) for one in (clips, clips * 0.1))
    assert rounded > 20
    step = sizes.max() / 255
    linear = np.log2(np.maximum(np.round(fainter / step) * step, step / 2))
    assert snr_db(real_logarithms(arch, weight, clips * 0.1), linear) < 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"taps": 100}, "taps = 100 is not possible: give a multiple of 8"),
        ({"taps": 16}, "taps = 16 is not possible: give a whole number from 17 to 504"),
        ({"taps": 512}, "taps = 512 is not possible: give a whole number from 17 to 504"),
        ({"stride": 15}, "stride = 15 is not possible: give one of"),
        ({"stride": True}, "stride = True is not possible"),
        ({"bank": "gabor"}, "bank = 'gabor' is not possible: give one of"),
        ({"filters": 12}, "filters = 12 is not possible: give a multiple of 8"),
        ({"filters": "8"}, "filters = '8' is not possible: give a whole number"),
    ],
)
def test_impossible_filters_are_refused(changes, said):
    with pytest.raises(InvalidArch, match=said):
        replace(arch_of().shape, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": FeatureSpec("logmel")}, "family sinc reads raw frames of 320 bytes each 10 ms"),
        ({"features": FeatureSpec("raw", 160, 10)}, "family sinc reads raw frames of 320 bytes each 10 ms"),
        ({"stages": (Stage(16, (Block(4, 1),)),)}, "kernel=4"),
        ({"stages": (Stage(16, (Block(3, 1),), 1, True),)}, "has no excitation"),
    ],
)
def test_what_the_family_cannot_build_is_refused(changes, said):
    arch = arch_of()
    if "stages" in changes:
        changes = {"shape": replace(arch.shape, **changes)}
    with pytest.raises(InvalidArch, match=said):
        layers(replace(arch, **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"filters": (32, 44)}, "filters = 44 is not possible: give a multiple of 8"),
        ({"taps": (16, 64)}, "taps = 16 is not possible: give a whole number from 17"),
        ({"taps": (64, 100)}, "taps = 100 is not possible: give a multiple of 8"),
        ({"stride": 40, "taps": (40, 64)}, "taps = 40 is not possible: give a whole number from 41"),
    ],
)
def test_choices_that_make_no_filters_are_refused(changes, said):
    with pytest.raises(InvalidArch, match=said):
        replace(default_space("sinc", 4).shapes, **changes)


def test_other_features_have_no_default_space():
    with pytest.raises(InvalidArch, match="family sinc has no default space on 'logmel': give raw"):
        default_space("sinc", 4, 1000, "logmel")


DRY = Scenes(rooms=0, speeds=(1.0,), warps=(1.0,), band_share=0.0)


def test_a_supernet_survives_the_disk(tmp_path):
    space = default_space("sinc", 4, 200)
    features = torch.from_numpy(Raw().run(hard_samples())).float() / 32
    supernet = Supernet(space, features, seed=1)
    with torch.no_grad():
        supernet.network.layers["filters"].origin.normal_()
    save_supernet(tmp_path, supernet, Raw(), "tones", tuple("abcd"), {"name": "tiny"})
    found = load_supernet(tmp_path, "tones")
    assert found.frontend == Raw()
    arch = space.smallest()
    with torch.no_grad():
        assert torch.equal(found.supernet(features, arch), supernet.eval()(features, arch))


def test_networks_are_trained_in_scenes_and_at_learned_widths(speech_data, tmp_path):
    """In float, then widths, then steps; what comes out are the integers that training emulated."""
    arch = replace(arch_of(frames=100), classes=len(speech_data.labels))
    calibration = scene_features(speech_data, Raw(), DRY, 8)
    recipe = Recipe(epochs=1, batch=8, augmentation=DRY)
    network = train_float(Network(arch), speech_data, Raw(), recipe, tmp_path / "float", calibration)
    assert network.layers["filters"].origin.abs().max() > 0
    targets = WidthRecipe(epochs=1, batch=8, augmentation=DRY, bfloat16=False, weight_bits=4.0, activation_bits=6.0)
    parts = network, speech_data, Raw(), calibration
    learned = learn_widths(network, *parts, targets, tmp_path / "widths", progress=False)
    assert mean_bits(learned)[0] <= 4
    assert mean_bits(learned)[1] <= 6
    tuning = QuantRecipe(epochs=1, batch=8, augmentation=DRY)
    fake = quantise(network, learned, *parts, tuning, tmp_path / "tuned", progress=False)
    integers = fake.to_integer()
    x = plain_features(speech_data, speech_data.choosing.rows[:4], Raw())
    with torch.no_grad():
        steps = fake(dequantise_features(x)) / fake.activations["classifier"].scale
    assert np.array_equal(steps.round().numpy(), integers(x.numpy()))


def test_elastic_bits_hear_scenes(speech_data, tmp_path):
    space = replace(default_space("sinc", len(speech_data.labels)), classes=len(speech_data.labels))
    space = space.shrink(set())
    small = replace(space, shapes=replace(space.shapes, filters=(8,), taps=(64,), stages=space.shapes.stages[:1]))
    elastic = ElasticBits(Supernet(small, scene_features(speech_data, Raw(), DRY, 8)), (8, 2))
    teacher = elastic.supernet.eval().extract(small.largest())
    recipe = ElasticBitsRecipe(epochs=1, batch=8, augmentation=DRY)
    train_elastic_bits(elastic, teacher, speech_data, Raw(), recipe, tmp_path, progress=False)
    integers = elastic.extract(with_bits(small.largest(), 2)).to_integer()
    assert integers.tensors["filters"].weight.shape == (8, 1, 64, 1)
