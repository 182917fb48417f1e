"""ESC-50: folds, a validation tenth by source recording, and tables and folders that cannot be used."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import RATE, tone

from supernet.data.esc50 import SUBSETS, is_layout, load, subset_of
from supernet.errors import InvalidData

CLASSES = ("dog", "rain", "siren")
TAKES = 30
"""Clips of a class and fold."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes, two of them of the subset, in four folds; a recording in two folds; clips of different lengths."""
    root = tmp_path_factory.mktemp("esc")
    rows = []
    (root / "audio").mkdir()
    (root / "meta").mkdir()
    for fold in range(1, 5):
        for target, label in enumerate(CLASSES):
            for take in range(TAKES):
                source = f"{fold}{target}{take // 3:02}"
                if (fold, target, take) in ((4, 0, 0), (1, 1, 1)):
                    source = "777"
                name = f"{fold}-{source}-{'ABCDEFGHIJ'[take % 10]}{take}-{target}"
                seconds, kind = (5.0, "wav") if take % 2 else (0.4, "ogg")
                soundfile.write(root / "audio" / f"{name}.{kind}", tone(300 * 2**target, seconds, seed=take), RATE)
                rows.append([f"{name}.wav", fold, target, label, label != "siren", source, "A"])
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "meta" / "esc50.csv", index=False)
    return root


@pytest.fixture(scope="module")
def table(folder):
    return pd.read_csv(folder / "meta" / "esc50.csv", dtype={"src_file": str})


@pytest.fixture(scope="module")
def data(folder, tmp_path_factory):
    return load(folder, cache=tmp_path_factory.mktemp("cache"))


def sources(data, table, split):
    """Of a split's clips: each starts with the samples of its file."""
    kept = table[~((table.src_file == "777") & (table.fold != 4))].reset_index(drop=True)
    return kept.src_file[data.splits[split].rows], kept.fold[data.splits[split].rows]


def test_one_fold_is_tested_and_a_tenth_of_the_others_by_recording_validates(data, table):
    assert data.labels == CLASSES
    counts = {name: np.bincount(split.targets).tolist() for name, split in data.splits.items()}
    assert counts["test"] == [TAKES] * 3
    assert counts["validation"] == [9, 9, 9]
    assert counts["train"] == [3 * TAKES - 9, 3 * TAKES - 10, 3 * TAKES - 9]  # a recording that is tested is left out
    found = {name: sources(data, table, name) for name in data.splits}
    assert set(found["test"][1]) == {4}
    assert not set(found["train"][0]) & (set(found["validation"][0]) | set(found["test"][0]))
    assert not set(found["validation"][0]) & set(found["test"][0])
    rows = np.concatenate([split.rows for split in data.splits.values()])
    assert sorted(rows) == list(range(len(data.audio)))


def test_any_fold_can_be_the_tested_one(folder, tmp_path):
    found = load(folder, test_fold=1, cache=tmp_path)
    assert len(found.splits["test"]) == 3 * TAKES
    with pytest.raises(InvalidData, match="must be fold 5 to test on"):
        load(folder, test_fold=5, cache=tmp_path)


def test_fold_5_is_in_no_split(folder, data, tmp_path):
    """The complete data set gives the splits of its first four folds."""
    root = tmp_path / "complete"
    shutil.copytree(folder, root)
    path = root / "meta" / "esc50.csv"
    rows = pd.read_csv(path, dtype=str)
    more = rows[rows.fold == "4"].assign(
        fold="5", filename=lambda part: "5" + part.filename.str[1:], src_file=lambda part: "5" + part.src_file
    )
    pd.concat([more, rows]).to_csv(path, index=False)
    complete = load(root, cache=tmp_path)
    assert complete.digest == data.digest
    for name, split in data.splits.items():
        np.testing.assert_array_equal(complete.splits[name].rows, split.rows)
    assert len(more) == (pd.read_csv(path).fold == 5).sum() == 3 * TAKES


def test_without_a_tested_fold_all_clips_are_trained_on_but_for_a_tenth(folder, tmp_path):
    found = load(folder, test_fold=None, cache=tmp_path, folds=(1, 2, 4))
    assert found.splits.keys() == {"train", "validation"}
    assert sum(map(len, found.splits.values())) == len(found.audio) == 3 * 3 * TAKES
    assert np.bincount(found.splits["validation"].targets).tolist() == [9, 9, 9]
    with pytest.raises(InvalidData, match="has no fold 5, 7; give those that it has"):
        load(folder, test_fold=None, cache=tmp_path, folds=(1, 5, 7))
    with pytest.raises(InvalidData, match="must be fold 4 to test on"):
        load(folder, test_fold=4, cache=tmp_path, folds=(1, 2))


def test_short_clips_are_padded_and_noise_has_three_colours(data):
    assert data.audio.shape[1] == 5 * RATE
    assert data.clip_ms == 5000
    padded = [not clip[RATE:].any() for clip in data.audio]
    assert sum(padded) == pytest.approx(len(padded) / 2, abs=1)
    assert data.silence_class is data.unknown_class is None
    slopes = []
    for noise in data.noise:
        power = np.abs(np.fft.rfft(noise.astype(float))) ** 2
        low, high = (power[first : first + 4000].mean() for first in (2000, 60_000))
        slopes.append(np.log2(low / high))
    assert slopes == sorted(slopes)
    assert abs(slopes[0]) < 0.3 < 3 < slopes[1] < slopes[2]
    assert set(np.unique(data.epoch(np.random.default_rng(0)).targets)) == {0, 1, 2}


def test_the_subset_has_its_own_classes_and_licence(folder, tmp_path):
    ten = load(folder, "esc10", cache=tmp_path)
    assert ten.labels == ("dog", "rain")
    assert ten.name == "ESC-10"
    assert ten.licence == "cc-by-3.0"
    assert SUBSETS == {"esc50": "cc-by-nc-3.0", "esc10": "cc-by-3.0"}
    assert is_layout(folder)
    assert not is_layout(tmp_path)
    assert [subset_of(range(count)) for count in (10, 50)] == ["esc10", "esc50"]


def test_a_table_from_a_spreadsheet_has_the_same_subset(folder, tmp_path):
    """It writes TRUE for True."""
    root = tmp_path / "sheet"
    shutil.copytree(folder, root)
    path = root / "meta" / "esc50.csv"
    path.write_text(path.read_text().replace("True", "TRUE").replace("False", "FALSE"))
    assert load(root, "esc10", cache=tmp_path).digest == load(folder, "esc10", cache=tmp_path).digest


def test_the_splits_are_the_same_again_and_the_digest_follows_them(folder, data, tmp_path):
    again = load(folder, cache=tmp_path)
    assert again.digest == data.digest
    assert np.array_equal(again.splits["validation"].rows, data.splits["validation"].rows)
    assert load(folder, test_fold=2, cache=tmp_path).digest != data.digest


def change(root, begin, column, value):
    """Another value in the first row whose file begins so."""
    path = root / "meta" / "esc50.csv"
    lines = path.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(begin))
    cells = lines[place].split(",")
    cells[column] = value
    lines[place] = ",".join(cells)
    path.write_text("\n".join(lines))


def keep(root, *begins):
    """Only the rows that begin so."""
    path = root / "meta" / "esc50.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if line.startswith(begins)))


def test_recordings_under_two_classes_are_in_one_split(folder, tmp_path):
    """Of the training folds, too: a recording that validates is heard under none of its classes."""
    root = tmp_path / "twice"
    shutil.copytree(folder, root)
    path = root / "meta" / "esc50.csv"
    rows = pd.read_csv(path, dtype={"src_file": str})
    rows.loc[(rows.fold == 2) & (rows.target == 2), "src_file"] = rows.src_file[
        (rows.fold == 2) & (rows.target == 0)
    ].to_numpy()
    rows.to_csv(path, index=False)
    data = load(root, cache=tmp_path)
    found = {name: set(sources(data, rows, name)[0]) for name in data.splits}
    assert not found["train"] & found["validation"]


def test_a_class_of_one_recording_is_trained_and_not_held_out(folder, tmp_path):
    root = tmp_path / "one"
    shutil.copytree(folder, root)
    path = root / "meta" / "esc50.csv"
    rows = pd.read_csv(path, dtype={"src_file": str})
    rows.loc[(rows.fold != 4) & (rows.target == 2), "src_file"] = "888"
    rows.to_csv(path, index=False)
    counts = {
        name: np.bincount(split.targets, minlength=3)[2] for name, split in load(root, cache=tmp_path).splits.items()
    }
    assert counts == {"train": 3 * TAKES, "validation": 0, "test": TAKES}
    rows.loc[rows.fold != 4, "src_file"] = rows.category[rows.fold != 4]
    rows.to_csv(path, index=False)
    with pytest.raises(InvalidData, match="too few recordings"):
        load(root, cache=tmp_path)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / "meta" / "esc50.csv").unlink(), "no such file; give the folder"),
        (lambda root: (root / "meta" / "esc50.csv").write_text("a,b\n1,2\n"), "not the table of ESC-50"),
        (lambda root: change(root, "1-100", 5, ""), "row 2 lacks a value"),
        (lambda root: change(root, "1-100", 4, "yes"), "row 2: esc10 is 'yes', neither True nor False"),
        (lambda root: keep(root, "filename"), "names no clip of esc50"),
        (lambda root: keep(root, "filename", "4-"), r"must be fold 4 to test on, and another: .* the table has \[4\]"),
        (lambda root: change(root, "1-100", 3, "wolf"), "a target has several categories"),
        (lambda root: change(root, "1-100", 2, "7"), "a target has several categories"),
        (lambda root: change(root, "1-100", 1, "one"), "not the table of ESC-50"),
        (lambda root: next((root / "audio").glob("3-*.ogg")).unlink(), "1 clips of the table are missing, such as 3-"),
    ],
)
def test_another_layout_is_refused(folder, tmp_path, break_it, message):
    root = tmp_path / "torn"
    shutil.copytree(folder, root)
    break_it(root)
    with pytest.raises(InvalidData, match=message):
        load(root, cache=tmp_path)


def test_an_unknown_subset_names_those_that_there_are(folder):
    with pytest.raises(InvalidData, match="esc10"):
        load(folder, "esc20")
