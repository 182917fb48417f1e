"""Recordings to mono samples: levels and channels that are probably wrong, padding of codecs, and parts."""

import numpy as np
import pytest
import soundfile
import soxr
from conftest import RATE, tone

from supernet.data.audio import Recording, prepare_blocks, prepare_samples, read_audio
from supernet.errors import InvalidAudio, TooLong

CANCEL, FAINT = "channels cancel each other", "its loudest sample has"


def noise(seconds, channels=1, seed=0, rate=RATE):
    return np.random.default_rng(seed).normal(0, 0.1, (round(rate * seconds), channels)).astype(np.float32)


@pytest.mark.parametrize(
    ("weights", "warned"),
    [((1, -1), True), ((1, -0.99), True), ((1, -1, 1, -1), True), ((1, -0.5), False), ((1, 0), False), ((1, 1), False)],
)
@pytest.mark.parametrize("constant", [0.0, 0.2])
def test_channels_that_cancel_each_other_are_told(weights, warned, constant, caplog):
    samples = noise(1.0) * np.array(weights) + constant
    prepare_samples(samples, RATE, RATE, "two.wav")
    list(prepare_blocks(np.array_split(samples, 7), RATE, RATE, "two.wav"))
    assert caplog.text.count(f"two.wav: its {len(weights)} {CANCEL}") == 2 * warned
    assert ("--channel 1" in caplog.text) == warned


def test_independent_silent_and_chosen_channels_are_not_told(caplog):
    for samples in (noise(1.0, 2), np.zeros((RATE, 2)), np.array([[1, -1]] * RATE, np.int16)):
        prepare_samples(samples, RATE, RATE, "clip")
    assert not caplog.text


def test_a_channel_is_heard_alone(caplog):
    samples = noise(1.0, 3)
    for channel in (1, 2, 3):
        wanted = samples[:, channel - 1]
        np.testing.assert_array_equal(prepare_samples(samples, RATE, RATE, "x", channel=channel), wanted)
        parts = list(prepare_blocks(np.array_split(samples, 5), RATE, RATE, "x", channel=channel))
        np.testing.assert_array_equal(np.concatenate(parts), wanted)
    prepare_samples(noise(1.0) * [1, -1], RATE, RATE, "x", channel=2)
    assert not caplog.text
    with pytest.raises(InvalidAudio, match="x: channel 4 is not there, it has 3"):
        prepare_samples(samples, RATE, RATE, "x", channel=4)


@pytest.mark.parametrize("reach", [1, 2**15, 2**23])
def test_integers_in_the_range_of_fewer_bits_are_told(reach, caplog):
    samples = np.round(np.sin(np.arange(RATE)) * reach).astype(np.int32)
    prepare_samples(samples, RATE, RATE, "array")
    assert f"array: {FAINT}" in caplog.text
    assert ("silence" in caplog.text) == (reach <= 2**15)


@pytest.mark.parametrize(
    ("subtype", "reach", "warned"),
    [
        ("PCM_32", 2.0**-16, True), ("PCM_32", 2.0**-8, True), ("PCM_32", 0.05, False), ("PCM_24", 2.0**-8, True),
        ("FLOAT", 2.0**-15, True), ("DOUBLE", 2.0**-16, True), ("FLOAT", 2.0**-8, False), ("PCM_16", 2.0**-15, False),
        ("PCM_32", 0.0, False),
    ],
)  # fmt: skip
def test_files_in_the_range_of_fewer_bits_are_told(subtype, reach, warned, tmp_path, caplog):
    soundfile.write(tmp_path / "a.wav", np.full(RATE, reach), RATE, subtype=subtype)
    read_audio(tmp_path / "a.wav")
    assert (f"a.wav: {FAINT}" in caplog.text) == warned


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_a_block_that_a_clip_does_not_fill_is_cut_off(subtype, rate, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(440, 1.0, rate=rate), rate, subtype=subtype)
    whole, _ = read_audio(tmp_path / "a.wav")
    clip, _ = read_audio(tmp_path / "a.wav", 1.0)
    assert len(whole) > rate or (subtype, rate) == ("MS_ADPCM", 8_000)  # which fills its blocks
    assert rate <= len(clip) <= 1.01 * rate
    np.testing.assert_array_equal(clip, whole[: len(clip)])
    soundfile.write(tmp_path / "b.wav", tone(440, 1.2, rate=rate), rate, subtype=subtype)
    with pytest.raises(TooLong, match=r"1\.2\d s is too long"):
        read_audio(tmp_path / "b.wav", 1.0)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("size", [1000, 4097])
def test_parts_are_resampled_as_the_whole_is(rate, size):
    """Bit for bit, by soxr itself."""
    samples = noise(1.5, rate=rate)[:, 0]
    parts = prepare_blocks((samples[at : at + size] for at in range(0, len(samples), size)), rate, RATE, "x")
    np.testing.assert_array_equal(np.concatenate(list(parts)), soxr.resample(samples, rate, RATE))


@pytest.mark.parametrize(
    "coding", [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]
)
def test_a_file_is_decoded_in_parts_as_it_is_whole(coding, tmp_path, capfd):
    path = tmp_path / "file"
    soundfile.write(path, noise(3.0, 2), RATE, format=coding[0], subtype=coding[1])
    whole, _ = read_audio(path)
    with Recording(path) as recording:
        parts = list(recording.blocks(1234))
    assert {len(part) for part in parts[:-1]} == {1234}
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not capfd.readouterr().err
