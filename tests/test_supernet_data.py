"""The data: layout, splits, cache, augmentation, and files that cannot be used."""

import dataclasses
import json
import logging
import re
import shutil

import numpy as np
import pytest
import scipy.fft
import soundfile
import torch
from conftest import KEYWORDS, RATE, tone

from supernet.data import clips as clips_module
from supernet.data.audio import prepare_samples, read_audio
from supernet.data.augment import UNVARIED, Augmentation, Augmenter, mask, plain_features
from supernet.data.effects import at_speed
from supernet.data.speech_commands import WORDS, list_files, load
from supernet.errors import InvalidAudio, InvalidCheckpoint, InvalidData
from supernet.frontend.logmel import LogMel
from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import quantise_features, torch_twin

FRONTEND = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)


def test_the_splits_are_those_of_the_lists(speech_data, speech_folder):
    splits = speech_data.splits
    assert speech_data.labels == ("up", "down", "_unknown_", "_silence_")
    assert np.bincount(splits["train"].targets).tolist() == [9, 9]
    assert np.bincount(splits["validation"].targets).tolist() == [3, 3, 1, 1]
    assert np.bincount(splits["test"].targets).tolist() == [3, 3, 1, 1]
    assert len(speech_data.unknown) == 9
    every = np.concatenate([split.rows for split in splits.values()] + [speech_data.unknown])
    assert len(set(every)) == len(every) == len(speech_data.audio)


def test_clips_hold_what_the_files_hold(speech_data, speech_folder):
    """Row 0 is the first file of the first keyword, 0.8 s long."""
    file = sorted((speech_folder / KEYWORDS[0]).iterdir())[0]
    samples, _ = soundfile.read(file, dtype="int16")
    assert np.array_equal(speech_data.audio[0, : len(samples)], samples)
    assert not speech_data.audio[0, len(samples) :].any()


def test_validation_noise_is_never_heard_in_training(speech_data, speech_folder):
    recording, _ = soundfile.read(speech_folder / "_background_noise_" / "hiss.wav", dtype="float32")
    assert [len(item) for item in speech_data.noise] == [int(len(recording) * 0.8)]
    row = speech_data.splits["validation"].rows[-1]
    cut = speech_data.audio[row].astype(float)
    tail = np.round(recording[int(len(recording) * 0.8) :] * 32767)
    correlation = np.correlate(tail, cut, "valid") / np.linalg.norm(cut)
    norms = np.sqrt(np.convolve(tail**2, np.ones(len(cut)), "valid"))
    assert (correlation / norms).max() > 0.999


def test_an_epoch_draws_unknown_and_silence_anew(speech_data):
    first, second = (speech_data.epoch(np.random.default_rng(seed)) for seed in (1, 2))
    again = speech_data.epoch(np.random.default_rng(1))
    assert np.array_equal(first.rows, again.rows)
    assert not np.array_equal(first.rows, second.rows)
    for epoch in (first, second):
        assert np.bincount(epoch.targets).tolist() == [9, 9, 2, 2]
        assert set(epoch.rows[epoch.targets == 2]) <= set(speech_data.unknown)
        assert set(epoch.rows[epoch.targets == 3]) == {-1}
    more = speech_data.epoch(np.random.default_rng(1), unknown=2)
    assert np.bincount(more.targets).tolist() == [9, 9, 4, 2]


def test_a_second_load_decodes_nothing_and_gives_the_same(speech_data, speech_folder, tmp_path, monkeypatch):
    first = load(speech_folder, KEYWORDS, tmp_path)
    monkeypatch.setattr(clips_module, "read_audio", None)
    second = load(speech_folder, KEYWORDS, tmp_path)
    assert np.array_equal(first.audio, second.audio)
    assert np.array_equal(first.splits["test"].rows, second.splits["test"].rows)
    assert len(list((tmp_path / "audio").glob("*.npy"))) == 1


def test_recorded_silence_is_used_for_testing(speech_folder, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(speech_folder, root)
    (root / "_silence_").mkdir()
    soundfile.write(root / "_silence_" / "a.wav", np.full(RATE, 0.25, np.float32), RATE)
    data = load(root, KEYWORDS, tmp_path)
    split = data.splits["test"]
    assert (data.audio[split.rows[split.targets == 3]] == 8192).all()


def test_the_standard_words_are_one_option(tmp_path):
    assert WORDS["kws"] == ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
    for word in (*WORDS["kws"], "cat"):
        (tmp_path / word).mkdir()
        for speaker in "abc":
            soundfile.write(tmp_path / word / f"{speaker}_nohash_0.wav", tone(500, 0.1), RATE)
    names = {"validation_list.txt": "b", "testing_list.txt": "c"}
    for file, speaker in names.items():
        (tmp_path / file).write_text("".join(f"{word}/{speaker}_nohash_0.wav\n" for word in WORDS["kws"]))
    (tmp_path / "_background_noise_").mkdir()
    soundfile.write(tmp_path / "_background_noise_" / "n.wav", np.zeros(RATE * 6, np.float32), RATE)
    data = load(tmp_path, "kws", tmp_path / "cache")
    assert data.labels == (*WORDS["kws"], "_unknown_", "_silence_")
    assert len(data.splits["train"]) == 10


def test_commands_are_the_words_that_are_not_rare(speech_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("supernet.data.speech_commands.LEAST_CLIPS", 9)
    assert load(speech_folder, "commands", tmp_path).labels[:-2] == ("cat", "down", "up")
    rare = sorted((speech_folder / "cat").iterdir())[0]
    kept = rare.read_bytes()
    rare.unlink()
    try:
        assert load(speech_folder, "commands", tmp_path).labels == ("down", "up", "_unknown_", "_silence_")
    finally:
        rare.write_bytes(kept)


def test_choosing_has_other_speakers_than_what_is_shown(tmp_path):
    words = {"up": 500, "down": 900}
    listed = []
    for word, hertz in words.items():
        (tmp_path / word).mkdir()
        for speaker in range(40):
            name = f"s{speaker}_nohash_0"
            soundfile.write(tmp_path / word / f"{name}.wav", tone(hertz, 0.1), RATE)
            if speaker >= 20:
                listed.append((f"{word}/{name}.wav", speaker))
    for file, chosen in (("validation_list.txt", range(20, 35)), ("testing_list.txt", range(35, 40))):
        (tmp_path / file).write_text("\n".join(name for name, speaker in listed if speaker in chosen))
    (tmp_path / "_background_noise_").mkdir()
    soundfile.write(tmp_path / "_background_noise_" / "n.wav", np.zeros(RATE * 6, np.float32), RATE)
    files = list_files(tmp_path, tuple(words))
    speakers = {split: {path.stem for paths in by_word.values() for path in paths} for split, by_word in files.items()}
    assert set(speakers) == {"train", "choosing", "validation", "test"}
    assert not speakers["choosing"] & speakers["validation"]
    assert len(speakers["choosing"] | speakers["validation"]) == 15
    data = load(tmp_path, tuple(words), tmp_path / "cache")
    assert data.choosing is data.splits["choosing"]
    assert len(data.choosing) + len(data.splits["validation"]) >= 30


def test_negatives_joins_and_spoken_words_are_heard_in_training_alone(speech_folder, tmp_path):
    for folder in ("orders", "spoken/up"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(6):
        soundfile.write(tmp_path / "orders" / f"{number}.wav", tone(200 + number, 1.5), RATE)
    soundfile.write(tmp_path / "spoken" / "up" / "a.wav", tone(450, 0.5), RATE)
    data = load(
        speech_folder, KEYWORDS, tmp_path, negatives=tmp_path / "orders", spoken=tmp_path / "spoken", joins=True
    )
    plain = load(speech_folder, KEYWORDS, tmp_path)
    assert np.bincount(data.splits["train"].targets).tolist() == [10, 9]
    assert [len(data.splits[name]) for name in ("validation", "test")] == [8, 8]
    assert (len(data.negatives), len(data.held_negatives)) == (4, 2)
    epoch = data.epoch(np.random.default_rng(0))
    assert [int((epoch.rows == row).sum()) for row in (-1, -2, -3)] == [2, 2, 2]
    assert set(epoch.targets[epoch.rows < -1]) == {data.unknown_class}
    assert data.digest != plain.digest
    with pytest.raises(InvalidData, match="no recordings of a second or more"):
        load(speech_folder, KEYWORDS, tmp_path, negatives=tmp_path / "spoken")


def test_other_words_from_text_are_unknown_in_training_alone(speech_folder, tmp_path):
    """Of a folder `_unknown_`, and of words that are none of the task; none of a keyword."""
    for name, hertz in (("_unknown_/robin_a", 500), ("_unknown_/up_a", 600), ("down/a", 700), ("left/a", 800)):
        (tmp_path / "spoken" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "spoken" / f"{name}.wav", tone(hertz, 1.0), RATE)
    data, plain = (load(speech_folder, KEYWORDS, tmp_path, spoken=own) for own in (tmp_path / "spoken", None))
    assert len(data.unknown) == len(plain.unknown) + 2
    heard = [np.abs(np.fft.rfft(data.audio[row].astype(float))).argmax() for row in data.unknown]
    assert {500, 800} <= set(heard)
    assert not {600, 700} & set(heard)
    assert len(data.splits["train"]) == len(plain.splits["train"]) + 1
    for name in ("validation", "test"):
        rows = [own.audio[own.splits[name].rows] for own in (data, plain)]
        assert np.array_equal(*rows)


def test_another_rate_is_resampled_and_said(speech_folder, tmp_path, caplog):
    root = tmp_path / "data"
    shutil.copytree(speech_folder, root)
    victim = sorted((root / "up").glob("*.wav"))[0]
    soundfile.write(victim, tone(300, rate=48_000), 48_000)
    with caplog.at_level(logging.WARNING):
        data = load(root, KEYWORDS, tmp_path)
    assert "resampled 1 clips from 48000 Hz" in caplog.text
    spectrum = np.abs(np.fft.rfft(data.audio[0]))
    assert spectrum.argmax() == 300


def broken(kind: str, path) -> None:
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is no sound")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:30])
    elif kind == "long":
        soundfile.write(path, tone(300, 3.0), RATE)
    elif kind == "nan":
        soundfile.write(path, np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0, np.float32), RATE)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "long", "nan", "no samples"])
def test_a_clip_that_cannot_be_used_is_named_and_nothing_is_left(speech_folder, tmp_path, kind):
    root = tmp_path / "data"
    shutil.copytree(speech_folder, root)
    victim = sorted((root / "down").glob("*.wav"))[1]
    broken(kind, victim)
    with pytest.raises(InvalidAudio, match=re.escape(str(victim))):
        load(root, KEYWORDS, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache" / "audio").iterdir() if path.stat().st_size]


def test_features_are_computed_once(speech_data, monkeypatch):
    rows = speech_data.splits["test"].rows
    first = plain_features(speech_data, rows, FRONTEND)
    monkeypatch.setattr(Mfcc, "run", None)
    assert plain_features(speech_data, rows, FRONTEND).equal(first)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        plain_features(speech_data, rows[::-1].copy(), FRONTEND)


def test_the_digest_follows_the_clips_and_not_their_place(speech_data, speech_folder, tmp_path):
    shutil.copytree(speech_folder, tmp_path / "moved")
    assert load(tmp_path / "moved", KEYWORDS, tmp_path).digest == speech_data.digest
    assert load(speech_folder, ("up", "cat"), tmp_path).digest != speech_data.digest


def test_a_folder_in_another_layout_is_refused(speech_folder, tmp_path):
    with pytest.raises(InvalidData, match="no such folder"):
        load(tmp_path / "missing", KEYWORDS)
    with pytest.raises(InvalidData, match="no such list"):
        load(tmp_path, KEYWORDS)
    with pytest.raises(InvalidData, match="no train clips of left"):
        load(speech_folder, (*KEYWORDS, "left"))
    with pytest.raises(InvalidData, match="did you mean commands"):
        load(speech_folder, "command")


def test_stereo_is_averaged_and_integers_are_scaled(tmp_path):
    left, right = tone(300), tone(500)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), RATE, subtype="FLOAT")
    samples, rate = read_audio(tmp_path / "stereo.wav")
    assert samples.shape == (RATE, 2)
    np.testing.assert_allclose(prepare_samples(samples, rate, RATE, "x"), (left + right) / 2, atol=1e-6)
    integers = np.array([-32768, 0, 16384], np.int16)
    assert prepare_samples(integers, RATE, RATE, "x").tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(5, np.uint8), RATE),
        (np.zeros(5, np.int64), RATE),
        (np.zeros((2, 16_000)), RATE),
        (np.full(5, 3e4), RATE),
        (np.full(5, 1e300), RATE),
        (np.zeros((2, 2, 2)), RATE),
        (np.zeros(5), 0),
        (np.zeros(5), 1.5),
        (np.array(["a"]), RATE),
        (np.array([np.inf]), RATE),
        (np.zeros(0), RATE),
    ],
)
def test_arrays_that_are_no_audio_are_refused(samples, rate):
    with pytest.raises(InvalidAudio, match=r"^clip"):
        prepare_samples(samples, rate, RATE, "clip")


def varied(data, rows, seed=0, **options):
    return Augmenter(data, FRONTEND, dataclasses.replace(UNVARIED, **options))(rows, np.random.default_rng(seed))


def test_augmentation_repeats_for_a_seed_and_varies_otherwise(speech_data):
    rows, augmenter = np.array([0, 1, -1, 5]), Augmenter(speech_data, FRONTEND, Augmentation())
    make = [augmenter(rows, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert make[0].equal(make[1])
    assert not make[0].equal(make[2])
    assert make[0].shape == (4, 40, 100)
    assert quantise_features(make[0]).float().div(32).equal(make[0])


def test_without_variation_features_are_the_plain_ones_to_half_precision(speech_data):
    """Log-mels are cached as float16: at most 2^-8 off at magnitudes under 16, some steps of 1/32 in coefficient 0."""
    rows = np.array([3, 8])
    plain = plain_features(speech_data, rows, FRONTEND).float() / 32
    assert (varied(speech_data, rows) - plain).abs().max() < 0.1
    assert (varied(speech_data, rows) - plain).abs().mean() < 0.01


def energies(features):
    """(clips, mels, frames) from unnormalised coefficients that are not clipped."""
    basis = torch.from_numpy(scipy.fft.dct(np.eye(40, dtype=np.float32), norm="ortho", axis=0))
    return (basis.T @ features).exp()


def test_silence_has_the_level_that_is_asked_for_whatever_the_recordings(speech_data, monkeypatch):
    """Against the front end on white noise of that level; the recording is white noise of another one."""
    monkeypatch.setattr("supernet.data.augment.quantise_features", lambda x: x)
    monkeypatch.setattr("supernet.data.augment.dequantise_features", lambda x: x)
    white = np.random.default_rng(0).standard_normal((20, RATE)).astype(np.float32) * (500 / 32768)
    wanted = torch_twin(Mfcc()).log_mel(torch.from_numpy(white)).exp().mean((0, 2))
    rows = np.full(20, -1)
    silent = Augmenter(speech_data, Mfcc(), dataclasses.replace(UNVARIED, noise_rms=(500.0, 500.0)))
    torch.testing.assert_close(
        energies(silent(rows, np.random.default_rng(0))).mean((0, 2)), wanted, rtol=0.15, atol=0.0
    )


def test_levels_of_silence_are_log_uniform(speech_data):
    """Half of the silent clips are under sqrt(6000), about 77."""
    augmenter = Augmenter(speech_data, FRONTEND, Augmentation(noise_rms=(1.0, 6000.0)))
    rng = np.random.default_rng(0)
    totals = np.array([augmenter._noise(rng).sum() for _ in range(400)])
    unit = dataclasses.replace(augmenter.augmentation, noise_rms=(1.0, 1.0))
    augmenter.augmentation = unit
    level = np.sqrt(totals / np.mean([augmenter._noise(rng).sum() for _ in range(50)]))
    assert 0.9 <= level.min() < 3
    assert 2000 < level.max() <= 6600
    assert 0.4 < (level < 6000**0.5).mean() < 0.6


def test_noise_adds_its_energy_to_a_clip(speech_data, monkeypatch):
    monkeypatch.setattr("supernet.data.augment.quantise_features", lambda x: x)
    monkeypatch.setattr("supernet.data.augment.dequantise_features", lambda x: x)
    rows, options = np.zeros(30, int), {"noise_rms": (2000.0, 2000.0), "noise_gain": 0.5}
    make = lambda rows, **more: energies(  # noqa: E731
        Augmenter(speech_data, Mfcc(), dataclasses.replace(UNVARIED, **options, **more))(rows, np.random.default_rng(0))
    ).mean(0)
    clip, noise, both = make(rows), make(rows - 1), make(rows, noise_share=1.0)
    torch.testing.assert_close(both.sum(0), clip.sum(0) + noise.sum(0) / 4, rtol=0.1, atol=1e-3)


def test_a_shift_moves_the_clip_by_whole_frames(speech_data):
    """Inside, the features of a shifted clip are those of the clip some frames away, exactly."""
    rows = np.array([1] * 64)
    plain, moved = varied(speech_data, rows[:1])[0], varied(speech_data, rows, shift_ms=100)
    found = {d for d in range(-10, 11) for clip in moved if clip[:, 20:80].equal(plain[:, 20 - d : 80 - d])}
    assert all(any(clip[:, 20:80].equal(plain[:, 20 - d : 80 - d]) for d in range(-10, 11)) for clip in moved)
    assert min(found) < -5
    assert max(found) > 5


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_another_speed_moves_the_pitch_and_keeps_the_middle(speed):
    time = torch.arange(RATE) / RATE
    burst = torch.sin(2 * torch.pi * 500 * time) * torch.exp(-(((time - 0.5) / 0.1) ** 2))
    played = at_speed(burst[None], speed)[0]
    assert played.shape == (RATE,)
    assert torch.fft.rfft(played).abs().argmax().item() == pytest.approx(500 * speed, abs=2)
    centre = (played.square() * time).sum() / played.square().sum()
    assert centre.item() == pytest.approx(0.5, abs=0.002)


def test_a_recording_without_a_sound_adds_none(speech_data):
    """Digital silence has the energy floor in every band, which is no sound to be made louder."""
    mute = dataclasses.replace(speech_data, noise=[np.zeros(2 * RATE, np.int16)])
    augmenter = Augmenter(mute, FRONTEND, Augmentation(noise_rms=(6000.0, 6000.0)))
    assert augmenter._noise(np.random.default_rng(0)).max() < 1e-9


def test_a_long_recording_is_transformed_in_parts(speech_data, monkeypatch):
    """Frames are the same as of the whole, those that reach back over a cut too."""
    from supernet.data import augment
    from supernet.frontend import mel

    whole, powers = augment._noise_energies(speech_data.noise[0], FRONTEND)
    monkeypatch.setattr(mel, "PART_FRAMES", 100)
    parts, same = augment._noise_energies(speech_data.noise[0], FRONTEND)
    assert np.array_equal(powers, same)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-8)


def test_silence_needs_a_recording_of_noise(speech_data):
    with pytest.raises(InvalidData, match="no noise of 1000 ms or more"):
        Augmenter(dataclasses.replace(speech_data, noise=[]), FRONTEND)


def test_a_shift_may_be_longer_than_a_clip(speech_data):
    assert varied(speech_data, np.array([0] * 20), shift_ms=1500).shape == (20, 40, 100)


def test_what_is_rolled_out_at_one_end_comes_in_at_the_other(speech_data):
    rows = np.array([1] * 32)
    plain, moved = varied(speech_data, rows[:1])[0], varied(speech_data, rows, shift_ms=500, roll=True)
    shifts = [[shift for shift in range(-50, 51) if clip.equal(plain.roll(shift, 1))] for clip in moved]
    assert all(shifts)
    assert len({found[0] for found in shifts}) > 10


def unquantised(monkeypatch) -> None:
    monkeypatch.setattr("supernet.data.augment.quantise_features", lambda x: x)
    monkeypatch.setattr("supernet.data.augment.dequantise_features", lambda x: x)


def test_loudness_and_colour_change_energies_by_so_many_decibels(speech_data, monkeypatch):
    """Loudness that of all bands and frames of a clip alike; a colour each frame alike, and its neighbours nearly."""
    unquantised(monkeypatch)
    rows, frontend = np.ones(40, int), dataclasses.replace(Mfcc(), floor=1e-20)
    plain = energies(Augmenter(speech_data, frontend, UNVARIED)(rows[:1], np.random.default_rng(0)))
    for option in ("gain_db", "colour_db"):
        changed = dataclasses.replace(UNVARIED, **{option: 6.0})
        louder = energies(Augmenter(speech_data, frontend, changed)(rows, np.random.default_rng(0)))
        decibels = 10 * (louder / plain).log10()
        assert float(decibels.std(2).max()) < 0.01
        assert 5 < float(decibels.abs().max()) < 6.01
        assert (float(decibels.std(1).max()) < 0.01) == (option == "gain_db")
        assert float(decibels.diff(dim=1).abs().max()) < 12 / 9


def test_a_mixture_has_the_energies_and_labels_of_both_by_their_shares(speech_data, monkeypatch):
    """Amplitudes by the shares at equal loudness, the whole as loud as the first would be by itself."""
    unquantised(monkeypatch)
    rows, targets = speech_data.splits["train"].rows, speech_data.splits["train"].targets
    mixing = dataclasses.replace(UNVARIED, mix_share=1.0)
    plain = energies(Augmenter(speech_data, Mfcc(), UNVARIED)(rows, np.random.default_rng(0)))
    features, labels = Augmenter(speech_data, Mfcc(), mixing).mixed(rows, targets, np.random.default_rng(3))
    partners = np.random.default_rng(3).permutation(len(rows))
    assert labels.shape == (len(rows), 4)
    assert labels.dtype == torch.float32
    torch.testing.assert_close(labels.sum(1), torch.ones(len(rows)))
    checked = 0
    for row, (mixture, label) in enumerate(zip(energies(features), labels, strict=True)):
        own, other = plain[row], plain[partners[row]]
        if targets[row] != targets[partners[row]]:
            share = float(label[targets[row]])
            assert float(label[targets[partners[row]]]) == pytest.approx(1 - share, abs=1e-6)
            wanted = share**2 * own + (1 - share) ** 2 * other * own.mean() / other.mean()
            torch.testing.assert_close(mixture, wanted / (share**2 + (1 - share) ** 2), rtol=0.05, atol=1e-4)
            checked += 1
    assert checked > 3


def test_a_mixture_of_clips_of_several_labels_has_those_of_both(speech_data):
    rows = speech_data.splits["train"].rows[:4]
    targets = np.eye(4, dtype=np.float32)
    augmenter = Augmenter(speech_data, FRONTEND, dataclasses.replace(UNVARIED, mix_share=1.0))
    _, labels = augmenter.mixed(rows, targets, np.random.default_rng(0))
    partners = np.random.default_rng(0).permutation(4)
    assert np.array_equal(labels.numpy(), np.maximum(targets, targets[partners]))


def test_clips_that_are_not_mixed_are_as_they_are(speech_data):
    rows, targets = speech_data.splits["train"].rows[:6], speech_data.splits["train"].targets[:6]
    features, labels = Augmenter(speech_data, FRONTEND, UNVARIED).mixed(rows, targets, np.random.default_rng(0))
    assert features.equal(varied(speech_data, rows))
    assert labels.equal(torch.eye(4)[targets])


def test_noise_and_negatives_are_never_mixed_with_clips(speech_data):
    """Their sound comes after mixing, so that a mixture would have a label that nobody hears."""
    data = dataclasses.replace(speech_data, negatives=[(1000 * np.ones(2 * RATE)).astype(np.int16)])
    rows, targets = np.array([0, -1, -2, 5] * 8), np.array([0, 3, 2, 1] * 8)
    mixing = dataclasses.replace(UNVARIED, mix_share=1.0)
    _, labels = Augmenter(data, FRONTEND, mixing).mixed(rows, targets, np.random.default_rng(0))
    whole = np.eye(4, dtype=np.float32)[targets]
    made_up, partners = rows < 0, rows[np.random.default_rng(0).permutation(32)] < 0
    assert np.array_equal(labels.numpy()[made_up | partners], whole[made_up | partners])
    assert not np.array_equal(labels.numpy()[~made_up & ~partners], whole[~made_up & ~partners])


def test_digital_silence_stays_silent_at_any_gain(speech_data):
    """The end of a short clip has the energy floor, which is no sound to be made louder."""
    rows, loud = np.zeros(20, int), dataclasses.replace(UNVARIED, gain_db=20.0, mix_share=1.0)
    for augmentation in (UNVARIED, loud):
        augmenter = Augmenter(speech_data, LogMel(), augmentation)
        features, _ = augmenter.mixed(rows, np.zeros(20, int), np.random.default_rng(0))
        assert features[:, :, 90:].unique().tolist() == pytest.approx([max(-4.0, np.log(1e-6))])


@pytest.mark.parametrize(
    "values",
    [[], "roll", {"foo": 1}, {"speeds": []}, {"speeds": [0.0]}, {"speeds": "x"}, {"speeds": [9.0]}, {"shift_ms": "a"},
     {"shift_ms": 1.5}, {"roll": 1}, {"mix_share": 5}, {"mix_share": True}, {"noise_rms": [1.0]}, {"gain_db": -1}],
)  # fmt: skip
def test_an_augmentation_from_elsewhere_is_checked(values):
    with pytest.raises(InvalidCheckpoint, match="take it from its source"):
        Augmentation.from_dict(values)


def test_an_augmentation_comes_back_from_a_stored_recipe():
    whole = Augmentation(roll=True, mix_share=0.5)
    assert Augmentation.from_dict(json.loads(json.dumps(dataclasses.asdict(whole)))) == whole
    assert Augmentation.from_dict({"shift_ms": 50}) == Augmentation(shift_ms=50)


def test_masks_leave_half_of_a_clip_however_short_it_is():
    """Widths that are meant for clips of seconds, on 200 ms."""
    widest = Augmentation(time_mask=50, mel_mask=30, mask_share=1.0)
    log_mel = torch.randn(500, 40, 20)
    changed = (mask(log_mel, widest, np.random.default_rng(0)) != log_mel).numpy()
    assert changed.any(1).sum(1).max() == 20  # frames: a masked mel touches all
    times, mels = changed.all(1).sum(1), changed.all(2).sum(1)
    assert times.max() == 10
    assert mels.max() == 20
