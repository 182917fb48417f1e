"""Clips in scenes: run through without a reset, scored one by one, and varied as the recipe says."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from supernet.bits import with_bits
from supernet.data.audio import from_int16
from supernet.data.augment import Augmentation
from supernet.data.clips import JOINED_ROW, NEGATIVE_ROW, SILENT_ROW
from supernet.data.scenes import (
    HIGH_PASS_HZ,
    LOW_PASS_HZ,
    SceneMaker,
    Scenes,
    companded,
    filtered,
    filtered_size,
    level_of,
    narrowed,
    spectrum_of,
)
from supernet.data.sounds import in_room
from supernet.errors import InvalidCheckpoint
from supernet.frontend.base import FEATURE_SCALE
from supernet.frontend.logmel import LogMel
from supernet.frontend.raw import Raw
from supernet.layer import layers
from supernet.nn.network import Network, execute, recalibrate
from supernet.nn.ops import float_layer, single_clips
from supernet.quant.fake import FakeQuantNetwork
from supernet.train.calibration import calibration_features, features_as_heard, fit_frontend, scene_features
from supernet.train.recipe import augmentation_from_dict

RATE = 16_000
PLAIN = Scenes(
    chain=2, speeds=(1.0,), warps=(1.0,), shift_ms=0, level_db=0.0, rooms=3, room_share=0.0, noise_share=0.0,
    band_share=0.0, gain_db=(0.0, 0.0), mask_share=0.0,
)  # fmt: skip


def naive_logits(network: Network, features: torch.Tensor, clip: int) -> torch.Tensor:
    """Of the clip of that number in a chain: the average of its own frames alone, behind all that came before."""
    specs = {spec.name: spec for spec in network.specs}
    frames = next(spec for spec in specs.values() if spec.kind == "pool").in_shape[2]

    def apply(spec, inputs):
        tensors = network.layers[spec.name] if spec.has_weights else None
        if spec.kind == "pool":
            return inputs[0][..., clip * frames : (clip + 1) * frames].mean((2, 3), keepdim=True)
        return float_layer(spec, inputs, tensors, training=False)

    return execute(network.specs, features, apply, 3)


@pytest.mark.parametrize("space", ["small_space", "map_space"])
def test_each_clip_of_a_chain_is_scored_behind_those_before_it(space, request):
    networks = request.getfixturevalue(space)
    for arch in networks.from_genes(networks.sample(np.random.default_rng(0), 6)):
        network = Network(arch, seed=1).eval()
        entry = layers(arch)[0].in_shape
        chain = torch.randn(3, entry[0] * entry[1], 3 * entry[2], generator=torch.Generator().manual_seed(0))
        for layer in network.layers.values():
            if layer.gamma is not None:
                layer.mean, layer.var = torch.zeros_like(layer.gamma), torch.ones_like(layer.gamma)
        with torch.no_grad():
            logits = network(chain, 3).reshape(3, 3, -1)
            for clip in range(3):
                torch.testing.assert_close(logits[:, clip], naive_logits(network, chain, clip), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(logits[:, 0], network(chain[..., : entry[2]]), rtol=1e-4, atol=1e-5)
            alone = network(chain[..., entry[2] : 2 * entry[2]])
        assert not torch.allclose(logits[:, 1], alone, rtol=1e-3)  # what came before is heard


def test_clips_of_a_chain_are_heard_apart_where_a_layer_looks_ahead(square_space):
    for arch in square_space.from_genes(square_space.sample(np.random.default_rng(0), 6)):
        network = Network(arch, seed=1).train(False)
        coefficients, height, frames = network.specs[0].in_shape
        apart = torch.randn(6, coefficients * height, frames, generator=torch.Generator().manual_seed(0))
        chain = apart.reshape(3, 2, -1, frames).transpose(1, 2).flatten(2)
        with torch.no_grad():
            torch.testing.assert_close(network(chain, 2), network(apart))


def test_clips_are_taken_apart_in_order():
    spec = dataclasses.replace(layers_of_a_pool(), in_shape=(2, 3, 4))
    x = torch.arange(2 * 2 * 3 * 12).reshape(2, 2, 3, 12)
    apart = single_clips(x, spec)
    assert apart.shape == (6, 2, 3, 4)
    for number in range(6):
        assert apart[number].equal(x[number // 3, ..., 4 * (number % 3) : 4 * (number % 3) + 4])


def layers_of_a_pool():
    from supernet.space import default_space

    return next(spec for spec in layers(default_space("temporal", 4, 1000).smallest()) if spec.kind == "pool")


def test_plain_scenes_are_the_clips_one_after_another(speech_data):
    maker = SceneMaker(speech_data, LogMel(), PLAIN)
    sound = maker.scene(np.array([1, 2]), np.random.default_rng(0))
    assert np.array_equal(np.round(sound * 32768).astype(np.int16), speech_data.audio[[1, 2]].ravel())


def test_scenes_repeat_for_a_seed_and_vary_otherwise(speech_data):
    maker, rows = SceneMaker(speech_data, LogMel(), Scenes(chain=2, rooms=3)), np.array([0, 1, SILENT_ROW, JOINED_ROW])
    made = [maker(rows, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert made[0].shape == (2, 40, 200)
    assert made[0].equal(made[1])
    assert not made[0].equal(made[2])


def test_a_gain_moves_the_level_and_clips_at_full_scale(speech_data):
    levels = []
    for gain in (-30.0, 0.0, 40.0):
        maker = SceneMaker(speech_data, LogMel(), dataclasses.replace(PLAIN, gain_db=(gain, gain)))
        sound = maker.scene(np.array([1, 2]), np.random.default_rng(0))
        assert -1 <= sound.min() <= sound.max() < 1
        levels.append(20 * np.log10(level_of(sound)))
    assert levels[1] - levels[0] == pytest.approx(30, abs=0.2)
    assert levels[2] - levels[1] < 39


@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_noise_has_the_ratio_that_is_drawn(speech_data, snr):
    quiet = SceneMaker(speech_data, LogMel(), PLAIN)
    scenes = dataclasses.replace(PLAIN, noise_share=1.0, voice_share=0.0, snr_db=(snr, snr))
    noisy = SceneMaker(speech_data, LogMel(), scenes)
    clean = quiet.scene(np.array([1, 2]), np.random.default_rng(0))
    noise = noisy._noise(clean, np.random.default_rng(5))
    assert 20 * np.log10(level_of(clean) / level_of(noise)) == pytest.approx(snr, abs=0.1)


def test_silence_is_heard_at_all_levels(speech_data):
    scenes = dataclasses.replace(PLAIN, noise_share=1.0, voice_share=0.0, quiet_db=(-90.0, -20.0))
    maker, rng = SceneMaker(speech_data, LogMel(), scenes), np.random.default_rng(0)
    levels = [20 * np.log10(level_of(maker.scene(np.full(2, SILENT_ROW), rng)) + 1e-9) for _ in range(200)]
    assert min(levels) < -80
    assert -35 > np.median(levels) > -75
    assert max(levels) > -30


def test_a_room_is_the_convolution_and_keeps_the_beginning():
    rng = np.random.default_rng(0)
    sound, response = rng.standard_normal(3000).astype(np.float32), rng.standard_normal(500).astype(np.float32)
    np.testing.assert_allclose(in_room(sound, response), np.convolve(sound, response)[:3000], atol=1e-3)


@pytest.mark.parametrize("samples", [1, 2, 999, 3000])
@pytest.mark.parametrize("taps", [1, 2, 500, 2400])
def test_a_filter_of_scenes_is_the_convolution(samples, taps):
    """Whatever lies over the middle, where the halves that are filtered together meet."""
    rng = np.random.default_rng(samples + taps)
    sound, response = (rng.standard_normal(count).astype(np.float32) for count in (samples, taps))
    heard = filtered(sound, spectrum_of(response, filtered_size(samples, taps)), taps)
    np.testing.assert_allclose(heard, np.convolve(sound, response)[:samples], atol=2e-3)


def test_rooms_of_scenes_are_those_of_the_bank_again_and_again(speech_data):
    scenes = dataclasses.replace(PLAIN, rooms=2, room_share=1.0)
    maker, plain = SceneMaker(speech_data, LogMel(), scenes), SceneMaker(speech_data, LogMel(), PLAIN)
    rng = np.random.default_rng(0)
    sound = plain.scene(np.array([1, 2]), rng)
    for _ in range(4):
        heard = maker.scene(np.array([1, 2]), rng)
        far = [np.abs(heard - in_room(sound, response)).max() for response in maker.rooms]
        assert min(far) < 1e-3 < max(far)


def test_a_narrow_band_takes_high_or_low_frequencies(speech_data):
    time = np.arange(RATE) / RATE
    for seed in range(20):
        tones = [np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (20, 1500, 7900)]
        low, middle, high = (level_of(narrowed(tone, RATE, np.random.default_rng(seed))) for tone in tones)
        assert middle > 0.6
        assert max(low, high) < 0.6 * middle


@pytest.mark.parametrize("samples", [8000, 8001])
def test_a_narrow_band_has_the_slopes_of_butterworth_filters(samples):
    """Of the fourth order below, of the eighth above, without a delay."""
    rng, drawn = np.random.default_rng(2), np.random.default_rng(2)
    low, high = (np.exp(drawn.uniform(*np.log(ends))) for ends in (HIGH_PASS_HZ, LOW_PASS_HZ))
    assert drawn.random() >= 0.3  # no telephone
    impulse = np.zeros(samples, np.float32)
    impulse[samples // 2] = 1
    heard = narrowed(impulse, RATE, rng).astype(np.float64)
    hertz = np.arange(samples // 2 + 1) * RATE / samples
    wanted = np.sqrt(hertz**8 / (hertz**8 + low**8) * high**16 / (high**16 + hertz**16))
    np.testing.assert_allclose(np.abs(np.fft.rfft(heard)), wanted, atol=2e-3)


def test_companding_is_that_of_eight_bits():
    sound = np.linspace(-1, 1, 4001, dtype=np.float32)
    heard = companded(sound)
    assert len(np.unique(heard)) <= 255
    assert np.abs(heard - sound).max() < 0.03
    small = np.abs(sound) < 0.01
    assert np.abs(heard - sound)[small].max() < 0.0006


def test_what_training_may_not_hear_is_not_heard(speech_data):
    """Speeds are made of the training clips alone."""
    maker = SceneMaker(speech_data, LogMel(), Scenes(chain=2, rooms=1))
    last = max(speech_data.splits["train"].rows.max(), speech_data.unknown.max())
    held = [row for name in ("validation", "test") for row in speech_data.splits[name].rows]
    assert {len(version) for version in maker.versions} == {last + 1}
    assert min(held) > last


def test_negatives_are_parts_of_their_recordings(speech_data):
    recordings = [np.arange(1, 30_001, dtype=np.int16)]
    maker = SceneMaker(dataclasses.replace(speech_data, negatives=recordings), LogMel(), PLAIN)
    part = np.round(maker._clip(NEGATIVE_ROW, np.random.default_rng(0)) * 32768)
    assert ((np.diff(part) == 1) | (np.diff(part) == -29_999)).all()


def test_scenes_survive_a_stored_recipe():
    stored = json.loads(json.dumps(dataclasses.asdict(Scenes(chain=2, snr_db=(-5.0, 20.0)))))
    assert augmentation_from_dict(stored) == Scenes(chain=2, snr_db=(-5.0, 20.0))
    assert augmentation_from_dict({"chain": 4}) == Scenes()
    assert augmentation_from_dict({}) == Augmentation()


@pytest.mark.parametrize(
    "changes",
    [
        {"chain": 0},
        {"chain": True},
        {"speeds": [3.0]},
        {"snr_db": [0.0]},
        {"room_share": 1.5},
        {"volume": 1},
        {"made": "3"},
    ],
)
def test_scenes_that_are_none_are_refused(changes):
    with pytest.raises(InvalidCheckpoint, match=f"scenes {next(iter(changes))} = .* are not known"):
        augmentation_from_dict({"chain": 4, **changes})


def test_norms_are_measured_on_what_is_heard_in_training(speech_data):
    scenes = Scenes(rooms=0, room_share=0.0, warps=(1.0,), speeds=(1.0,), band_share=0.0)
    heard = features_as_heard(speech_data, Raw(), scenes, 6)
    assert torch.equal(heard, scene_features(speech_data, Raw(), scenes, 4))
    plain = features_as_heard(speech_data, LogMel(), Augmentation(), 4)
    assert torch.equal(plain, calibration_features(speech_data, LogMel(), 4))


@pytest.mark.parametrize("clips", [1, 22, 512])
def test_as_many_clips_as_fill_whole_scenes_are_measured_on(speech_data, clips):
    """Few clips, and a number that leaves some over, are nothing that anybody has to think of."""
    scenes = dataclasses.replace(PLAIN, chain=4)
    there = len(speech_data.epoch(np.random.default_rng(0)).rows)
    features = features_as_heard(speech_data, fit_frontend(speech_data, 1, LogMel), scenes, clips)
    assert features.shape == (max(4, min(clips, there)) // 4 * 4, 40, 100)


def test_noise_is_made_where_none_is_recorded(speech_data):
    """A folder of one's own sounds has no recordings of noise."""
    scenes = dataclasses.replace(PLAIN, noise_share=1.0, voice_share=0.0, snr_db=(10.0, 10.0))
    quiet = dataclasses.replace(speech_data, noise=[], silence_class=None)
    maker, clean = scenes.maker(quiet, LogMel()), from_int16(speech_data.audio[0])
    for seed in range(10):
        noise = maker._noise(clean, np.random.default_rng(seed))
        assert 20 * np.log10(level_of(clean) / level_of(noise)) == pytest.approx(10, abs=0.1)


def test_norms_of_a_stream_are_those_of_its_batch(small_space):
    """Measured on chains, they give in evaluation what training gives of the same batch; of clips alone they do not."""
    network = Network(small_space.largest(), seed=1)
    apart = torch.randn(12, small_space.coefficients[-1], 100, generator=torch.Generator().manual_seed(0))
    chains = apart.unflatten(0, (3, 4)).transpose(1, 2).flatten(2)
    with torch.no_grad():
        heard = network.train()(chains, 4)
        near = recalibrate(network, chains, 4).eval()(chains, 4)
        torch.testing.assert_close(near, heard, rtol=1e-3, atol=1e-4)
        far = recalibrate(network, apart).eval()(chains, 4)
    assert (far - heard).abs().max() > 10 * (near - heard).abs().max()


def test_ranges_of_a_stream_are_measured_on_it(small_space):
    """At 8 bits rounding is all that is left between a network and its integers, of the clips of a chain."""
    network, generator = Network(small_space.largest(), seed=1), torch.Generator().manual_seed(0)
    chains = torch.randint(-100, 100, (3, small_space.coefficients[-1], 400), generator=generator) * FEATURE_SCALE
    recalibrate(network, chains, 4).eval()
    fake = FakeQuantNetwork(network, with_bits(network.arch, 8)).calibrate(chains, 4).eval()
    with torch.no_grad():
        exact, near = network(chains, 4), fake(chains, 4)
        apart = chains.unflatten(2, (4, -1)).transpose(1, 2).flatten(0, 1)
        far = fake.calibrate(apart)(chains, 4)
    assert (near - exact).abs().max() < 0.1 * exact.std()
    assert (far - exact).abs().max() > 0.1 * exact.std()
