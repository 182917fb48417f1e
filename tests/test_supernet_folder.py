"""Any folder of classes: splits that hold, what is found in bad data, and rarer classes drawn more often."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import RATE, tone
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st

from supernet.data import speakers as speakers_module
from supernet.data.augment import Augmenter
from supernet.data.clips import NEGATIVE_ROW
from supernet.data.folder import load_folder
from supernet.data.recordings import Recording
from supernet.data.speakers import split_groups
from supernet.data.survey import SPLITS
from supernet.data.table import LISTS
from supernet.errors import InvalidData
from supernet.nn.frontend import torch_twin
from supernet.train.calibration import fit_frontend


def write(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


def fill(root, classes=("door", "bell"), clips=30, names="take{}.wav"):
    """Two classes of tones, all different."""
    for number, label in enumerate(classes):
        for clip in range(clips):
            write(root / label / names.format(clip), tone(300 + 50 * number, seed=1000 * number + clip))
    return root


@pytest.fixture
def load(tmp_path):
    return lambda root, **options: load_folder(root, cache=tmp_path / "cache", **options)


def found(survey, text):
    """The names of the one finding that has this text."""
    (finding,) = (finding for finding in survey.findings if text in finding.text)
    return finding.names


def test_every_clip_is_in_one_split_and_every_class_in_all(load, tmp_path):
    data, survey = load(fill(tmp_path / "sounds", clips=100))
    assert data.labels == ("bell", "door")
    rows = np.concatenate([data.splits[name].rows for name in SPLITS])
    assert sorted(rows) == list(range(200))
    for name in SPLITS:
        assert set(data.splits[name].targets) == {0, 1}
    assert "hash of the name" in survey.rule
    assert survey.findings == ()
    again, _ = load(tmp_path / "sounds")
    assert all(np.array_equal(again.splits[name].rows, data.splits[name].rows) for name in SPLITS)
    assert again.digest == data.digest


def test_a_new_recording_moves_no_other(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=60)
    before = {item: name for name in SPLITS for item in heard(load(root)[0], name)}
    write(root / "door" / "late.wav", tone(900, seed=9999))
    after = {item: name for name in SPLITS for item in heard(load(root)[0], name)}
    assert before.items() <= after.items()


def heard(data, split):
    """The clips of a split by what they sound like."""
    return [data.audio[row].tobytes() for row in data.splits[split].rows]


def test_a_speaker_is_in_one_split(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=0)
    for speaker in range(20):
        for take in range(3):
            for number, label in enumerate(("yes", "no")):
                write(
                    root / label / f"s{speaker:02}_{take}.wav",
                    tone(200 + speaker, seed=100 * speaker + 10 * take + number),
                )
    data, survey = load(root)
    assert survey.rule.startswith("the speaker")
    of_speaker = {}
    for name in SPLITS:
        for row in data.splits[name].rows:
            of_speaker.setdefault(round(peak(data.audio[row])), set()).add(name)
    assert len(of_speaker) == 20
    assert all(len(splits) == 1 for splits in of_speaker.values())


def peak(samples):
    """Frequency of a clip of one second in Hz."""
    return np.abs(np.fft.rfft(samples.astype(float))).argmax() * RATE / len(samples)


@pytest.mark.parametrize("names", ["door_{}.wav", "{}.wav"])
def test_names_without_speakers_are_split_by_name(load, tmp_path, names):
    assert "hash of the name" in load(fill(tmp_path / "sounds", names=names))[1].rule


def test_one_channel_is_heard_as_if_it_were_alone(load, tmp_path):
    """Of classes and of noise; a recording that lacks it is left out by name, and the mean is decoded by itself."""
    fill(tmp_path / "right", clips=20)
    write(tmp_path / "right" / "_background_noise_" / "fan.wav", tone(90, 30.0, seed=1))
    for file in sorted((tmp_path / "right").glob("*/*.wav")):
        right, _ = soundfile.read(file, dtype="int16")
        write(tmp_path / "both" / file.relative_to(tmp_path / "right"), np.stack([right // 3, right], 1))
    expected, _ = load(tmp_path / "right")
    heard, _ = load(tmp_path / "both", channel=2)
    np.testing.assert_array_equal(heard.audio, expected.audio)
    np.testing.assert_array_equal(heard.noise[0], expected.noise[0])
    assert heard.digest == expected.digest
    assert load(tmp_path / "both")[0].digest != expected.digest
    write(tmp_path / "both" / "door" / "mono.wav", tone(90, seed=2))
    _, survey = load(tmp_path / "both", channel=2)
    (unread,) = found(survey, "unreadable recordings, left out")
    assert "mono.wav: channel 2 is not there, it has 1" in unread


def test_a_recording_in_two_formats_is_in_one_split(load, tmp_path):
    root = fill(tmp_path / "sounds")
    for path in root.rglob("*.wav"):
        soundfile.write(path.with_suffix(".ogg"), soundfile.read(path)[0], RATE)
    data, _ = load(root)
    pitch = {name: [data.audio[row][:8000].astype(float) for row in data.splits[name].rows] for name in SPLITS}
    for name, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        likeness = np.abs(np.corrcoef(pitch[name], pitch[other])[: len(pitch[name]), len(pitch[name]) :])
        assert likeness.max() < 0.999
    assert [len(own) % 2 for own in pitch.values()] == [0, 0, 0]


def test_lists_and_tables_fix_the_splits(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=4)
    (root / "validation_list.txt").write_text("door/take0.wav\nbell/take0.wav\n")
    (root / "testing_list.txt").write_text("door/take1.wav\nbell/take1.wav\n")
    data, survey = load(root)
    assert survey.rule == "validation_list.txt and testing_list.txt"
    assert [len(data.splits[name]) for name in SPLITS] == [4, 2, 2]
    table = tmp_path / "table.csv"
    rows = [f"{label}/take{clip}.wav,{label}2,{SPLITS[clip % 3]}" for label in ("door", "bell") for clip in range(4)]
    table.write_text("\n".join(["file,label,split", *rows]))
    data, survey = load(root, table=table)
    assert data.labels == ("bell2", "door2")
    assert [len(data.splits[name]) for name in SPLITS] == [4, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na,b\n", "no column file"),
        ("file,label,split\ndoor/take0.wav,a,dev\n", "split 'dev' of door/take0.wav is not one of"),
        ("file,label\n../x.wav,a\n", "is not below"),
        ("", "not a readable CSV"),
        ("file,label\ndoor/take0.wav,\n", "no recording has a label; fill the column label"),
    ],
)
def test_a_bad_table_is_refused(load, tmp_path, text, message):
    root = fill(tmp_path / "sounds", clips=1)
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InvalidData, match=message):
        load(root, table=tmp_path / "table.csv")


def test_all_that_is_wrong_is_found_and_left_out(load, tmp_path):
    root = fill(tmp_path / "sounds")
    (root / "empty").mkdir()
    (root / "door" / "notes.txt").write_text("not a sound")
    write(root / "loose.wav", tone(600))
    write(root / "_spare" / "one.wav", tone(600))
    (root / "door" / "torn.wav").write_bytes(b"RIFF")
    write(root / "door" / "silent.wav", np.zeros(RATE))
    write(root / "single" / "one.wav", tone(700, seed=5))
    write(root / "door" / "low.wav", tone(300, seed=6, rate=8000), 8000)
    write(root / "door" / "long.wav", tone(300, seconds=3.0, seed=7))
    write(root / "bell" / "twice.wav", tone(300, seed=0))
    write(root / "bell" / "again.wav", soundfile.read(root / "bell" / "take3.wav")[0])
    data, survey = load(root)
    assert found(survey, "without a recording") == ("empty",)
    assert found(survey, "files that are in no class") == ("loose.wav", "door/notes.txt")
    assert found(survey, "begin with _") == ("_spare",)
    assert found(survey, "unreadable")[0].startswith(str(root / "door" / "torn.wav"))
    assert found(survey, "silence only") == ("door/silent.wav",)
    assert found(survey, "below 16000 Hz") == ("door/low.wav",)
    assert found(survey, "cut into several") == ("door/long.wav",)
    assert set(found(survey, "in two classes")) == {"bell/twice.wav", "door/take0.wav"}
    assert len([finding for finding in survey.findings if "copies" in finding.text]) == 1
    assert "single" in found(survey, "fewer than 15 train")
    assert "single" in {*found(survey, "without a validation clip"), *found(survey, "without a test clip")}
    assert survey.counts["door"] == {name: int((data.splits[name].targets == 1).sum()) for name in SPLITS}
    assert sum(survey.counts["door"].values()) == 30 - 1 + 1 + 3
    text = str(survey)
    assert all(finding.text in text for finding in survey.findings)


def test_a_class_of_which_no_recording_can_be_used_is_named(load, tmp_path):
    root = fill(tmp_path / "sounds")
    write(root / "quiet" / "a.wav", np.zeros(RATE))
    (root / "torn").mkdir()
    (root / "torn" / "a.wav").write_bytes((root / "bell" / "take1.wav").read_bytes())
    data, survey = load(root)
    assert data.labels == ("bell", "door")
    assert found(survey, "classes of which no recording can be used") == ("quiet", "torn")


def test_a_copy_in_training_gives_way_to_the_one_that_is_measured(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=6)
    rows = [f"{label}/take{clip}.wav,{label},{SPLITS[clip % 3]}" for label in ("door", "bell") for clip in range(6)]
    write(root / "door" / "copy.wav", soundfile.read(root / "door" / "take2.wav")[0])
    (tmp_path / "table.csv").write_text("\n".join(["file,label,split", *rows, "door/copy.wav,door,train"]))
    data, survey = load(root, table=tmp_path / "table.csv")
    assert found(survey, "copies of clips of another split") == ("door/copy.wav",)
    assert not set(heard(data, "train")) & set(heard(data, "test"))


def test_of_a_recording_little_longer_than_a_clip_the_loudest_part_is_used(load, tmp_path):
    root = fill(tmp_path / "sounds")
    quiet = 0.01 * np.random.default_rng(0).standard_normal(int(0.4 * RATE))
    write(root / "door" / "late.wav", np.concatenate([quiet, tone(440, seed=1)]))
    data, _ = load(root)
    rows = np.concatenate([data.splits[name].rows for name in SPLITS])
    assert any(abs(peak(data.audio[row]) - 440) < 2 and np.abs(data.audio[row][:100]).max() > 3000 for row in rows)


def test_names_of_files_move_no_cursor(load, tmp_path):
    (fill(tmp_path / "sounds") / "door" / "a\x1b[31m\nb.wav").write_bytes(b"RIFF")
    assert r"a\x1b[31m\nb.wav" in str(load(tmp_path / "sounds")[1])


def test_negatives_that_are_not_there_are_told(load, tmp_path):
    with pytest.raises(InvalidData, match="nowhere: no such folder"):
        load(fill(tmp_path / "sounds"), negatives=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "no such folder"),
        (lambda root: root.mkdir(), "no recordings"),
        (lambda root: fill(root, ("door",)), "1 classes with a training clip"),
        (lambda root: fill(root, clips=1), "no validation clip|no test clip|classes with a training clip"),
    ],
)
def test_data_that_cannot_be_trained_is_refused_with_what_was_found(load, tmp_path, make, message):
    make(tmp_path / "sounds")
    with pytest.raises(InvalidData, match=message):
        load(tmp_path / "sounds")


def test_background_noise_gives_a_class_of_silence_from_parts_that_training_does_not_hear(load, tmp_path):
    root = fill(tmp_path / "sounds")
    noise = np.concatenate([tone(1000, seconds=8.0), tone(3000, seconds=2.0)])
    write(root / "_background_noise_" / "hum.wav", noise)
    write(root / "_background_noise_" / "short.wav", tone(100))
    data, survey = load(root)
    assert data.labels[-1] == "_silence_"
    assert found(survey, "_background_noise_") == ("short.wav",)
    assert all(peak(recording[:RATE]) == pytest.approx(1000, abs=2) for recording in data.noise)
    for name in SPLITS[1:]:
        silent = data.splits[name].rows[data.splits[name].targets == data.silence_class]
        assert len(silent) == 3
        assert all(peak(data.audio[row]) == pytest.approx(3000, abs=2) for row in silent if data.audio[row].any())


@examples(60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=3, max_size=60))
def test_no_group_is_torn_and_no_class_of_its_own_groups_lacks_a_split(clips):
    """Class `own` has groups of its own; the others share theirs, and may have to go without."""
    groups = {}
    for index, (label, speaker) in enumerate([*clips, ("own", 20), ("own", 21), ("own", 22)]):
        item = Recording(f"{label}/{index}", label, Path())
        groups.setdefault(f"s{speaker}", []).append(item)
    split_groups(groups)
    for items in groups.values():
        assert len({item.split for item in items}) == 1
    assert {item.split for items in groups.values() for item in items if item.label == "own"} == set(SPLITS)


def test_moving_a_speaker_empties_no_other_class(monkeypatch):
    """All speakers have both classes: each split is filled once, for both."""
    monkeypatch.setattr(speakers_module, "_by_hash", lambda percent: "train")
    groups = {f"s{speaker}": [Recording(f"{label}/{speaker}", label, Path()) for label in "ab"] for speaker in range(3)}
    split_groups(groups)
    assert sorted(items[0].split for items in groups.values()) == sorted(SPLITS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"validation_list.txt": "\xff", "testing_list.txt": ""}, "not a text in UTF-8"),
    ],
)
def test_bad_lists_are_refused(load, tmp_path, files, message):
    root = fill(tmp_path / "sounds", clips=2)
    for name, text in files.items():
        (root / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidData, match=message):
        load(root)


@pytest.mark.parametrize(("named", "other"), [("validation", "test"), ("test", "validation")])
def test_beside_one_list_the_other_split_is_drawn_by_speaker(load, tmp_path, named, other):
    root = tmp_path / "sounds"
    for speaker in range(20):
        for number, label in enumerate(("bell", "door")):
            write(root / label / f"s{speaker:02}_nohash_0.wav", tone(300 + 400 * number, seed=20 * number + speaker))
    listed = [f"{label}/s{speaker:02}_nohash_0.wav" for label in ("bell", "door") for speaker in (3, 4)]
    (root / LISTS[named]).write_text("\n".join(listed))
    data, survey = load(root)
    counts = {name: len(data.splits[name]) for name in SPLITS}
    assert counts[named] == len(listed)
    assert counts[other] > 0
    assert sum(counts.values()) == 40
    assert survey.rule.startswith(f"{LISTS[named]}, {other} by the speaker")


def test_lines_of_lists_are_matched_however_they_are_written(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=4)
    (root / "validation_list.txt").write_text("\ufeff./door/take0.wav\r\nbell\\take0.wav\n", encoding="utf-8")
    (root / "testing_list.txt").write_text("door/take1.flac\nbell/take1\nbell/nobody.wav\n")
    data, survey = load(root)
    assert [len(data.splits[name]) for name in SPLITS] == [4, 2, 2]
    assert found(survey, "name no recording") == ("bell/nobody",)


@pytest.mark.parametrize("spoil", ["unreadable", "header", "missing"])
def test_where_nothing_can_be_used_it_says_why(load, tmp_path, spoil):
    root, table = tmp_path / "sounds", None
    if spoil == "unreadable":
        for label in ("a", "b"):
            (root / label).mkdir(parents=True)
            (root / label / "torn.wav").write_bytes(b"RIFF")
    else:
        fill(root, clips=1)
        table = tmp_path / "table.csv"
        table.write_text("file,label\n" + "x/y.wav,a\n" * (spoil == "missing"))
    with pytest.raises(InvalidData, match=r"torn\.wav|no rows|no recording that can be used"):
        load(root, table=table)


def test_loud_recordings_are_clipped_not_wrapped(load, tmp_path):
    root = fill(tmp_path / "sounds")
    loud = 1.2 * np.sin(np.arange(20 * RATE) * 0.05)
    path = tmp_path / "radio" / "loud.wav"
    path.parent.mkdir()
    soundfile.write(path, loud, RATE, subtype="FLOAT")
    heard = load(root, negatives=path.parent)[0].negatives[0].astype(int)
    assert np.abs(np.diff(heard)).max() < 3000


def test_rarer_classes_are_drawn_more_often(load, tmp_path):
    root = fill(tmp_path / "sounds", ("door",), clips=80)
    for clip in range(20):
        write(root / "bell" / f"{clip}.wav", tone(500, seed=5000 + clip))
    data, _ = load(root)
    counts = np.bincount(data.splits["train"].targets)
    drawn = np.bincount(data.epoch(np.random.default_rng(0)).targets)
    assert drawn[1] == counts[1]
    assert drawn[0] == round(np.sqrt(counts[0] * counts[1]))
    rows = data.epoch(np.random.default_rng(0)).rows
    assert set(rows) == set(data.splits["train"].rows)


def test_a_table_may_give_a_clip_several_labels_or_none(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=12)
    labels = ("dog", "dog;car", "", "car")
    rows = [
        f"{folder}/take{clip}.wav,{labels[clip % 4]},{SPLITS[clip // 4]}"
        for folder in ("door", "bell")
        for clip in range(12)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["file,label,split", *rows]))
    data, survey = load(root, table=tmp_path / "table.csv")
    assert data.labels == ("car", "dog")
    assert data.multi_label
    for name in SPLITS:
        found_sets = sorted(map(tuple, data.splits[name].targets.tolist()))
        assert found_sets == sorted([(0, 1), (1, 1), (0, 0), (1, 0)] * 2)
        assert survey.counts["dog"][name] == 4
    assert data.epoch(np.random.default_rng(0)).targets.shape == (8, 2)


def test_classes_in_another_order_are_those_of_the_same_clips(load, tmp_path):
    root = fill(tmp_path / "sounds", clips=12)
    named = [f"{folder}/take{clip}.wav" for folder in ("door", "bell") for clip in range(12)]
    labels = ("dog", "dog;car", "fox", "car;fox")
    rows = [f"{file},{labels[clip % 4]},{SPLITS[clip % 12 // 4]}" for clip, file in enumerate(named)]
    (tmp_path / "table.csv").write_text("\n".join(["file,label,split", *rows]))
    data, _ = load(root, table=tmp_path / "table.csv")
    assert data.labels == ("car", "dog", "fox")
    turned = data.in_order(("fox", "car", "dog"))
    assert turned.labels == ("fox", "car", "dog")
    for name in SPLITS:
        ours, theirs = turned.splits[name], data.splits[name]
        assert ours.rows.tolist() == theirs.rows.tolist()
        assert ours.targets.tolist() == [[fox, car, dog] for car, dog, fox in theirs.targets.tolist()]


def test_windows_of_negatives_are_the_unknown_class(load, tmp_path):
    """Training hears the first four fifths of each, validation and test the two halves of the rest."""
    root = fill(tmp_path / "sounds")
    parts = [tone(frequency, seconds, seed=1) for frequency, seconds in ((1000, 16.0), (3000, 2.0), (5000, 2.0))]
    write(tmp_path / "radio" / "one.wav", np.concatenate(parts))
    data, survey = load(root, negatives=tmp_path / "radio")
    assert data.labels == ("bell", "door", "_unknown_")
    assert data.unknown_class == 2
    for name, frequency in (("validation", 3000), ("test", 5000)):
        rows = data.splits[name].rows[data.splits[name].targets == 2]
        assert len(rows) == survey.counts["_unknown_"][name] > 0
        assert all(peak(data.audio[row]) == pytest.approx(frequency, abs=2) for row in rows)
    epoch = data.epoch(np.random.default_rng(0))
    assert set(epoch.rows[epoch.targets == 2]) == {NEGATIVE_ROW}
    frontend = fit_frontend(data, 1)
    windows = Augmenter(data, frontend)(np.array([NEGATIVE_ROW] * 4), np.random.default_rng(0))
    samples = torch.from_numpy(data.negatives[0][5 * RATE : 6 * RATE].astype(np.float32) / 32768)
    heard, expected = windows.mean((0, 2)), torch_twin(frontend)(samples[None]).mean((0, 2))
    assert np.corrcoef(heard, expected)[0, 1] > 0.9
    with pytest.raises(InvalidData, match="no recording of 10 s or more"):
        load(root, negatives=root)


def test_copies_of_negatives_count_once_and_none_is_silence_too(load, tmp_path):
    root = fill(tmp_path / "sounds")
    radio, hum = tone(1000, 12.0, seed=1), tone(2000, 12.0, seed=2)
    for name in ("one", "two", "three"):
        write(tmp_path / "radio" / f"{name}.wav", radio)
    write(root / "_background_noise_" / "radio.wav", radio)
    write(root / "_background_noise_" / "hum.wav", hum)
    data, survey = load(root, negatives=tmp_path / "radio")
    assert (len(data.negatives), len(data.held_negatives)) == (1, 1)
    assert found(survey, "in radio that are copies of others") == ("three.wav", "two.wav")
    assert found(survey, "taken for negatives alone") == ("radio.wav",)
    assert [round(peak(one[:RATE])) for one in data.noise] == [2000]
