"""Clips that a model was made with are known again, wherever they lie, and told where it is evaluated on them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone

import zoo
import zoo.run.known as known_clips_file
from supernet.data.audio import read_audio, to_int16
from supernet.data.folder import load_folder
from supernet.errors import InvalidData
from supernet.frontend.mfcc import Mfcc
from zoo.make.package import known_clips, write_package
from zoo.run.known import Known, digests_text

SPLITS = ("train", "train", "validation", "test")
SECONDS = (1.0, 0.6, 1.2, 2.6)
"""A clip, a shorter one, one of which the loudest part is taken, and one that gives three."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder of two classes with recordings of several lengths, and a table with their splits."""
    root = tmp_path_factory.mktemp("recordings")
    rows = ["file,label,split"]
    for number, label in enumerate(("up", "down")):
        (root / label).mkdir()
        for take in range(16):
            seconds = SECONDS[take // 4]
            sound = tone(300 + 500 * number, seconds, seed=100 * number + take) * np.linspace(
                0.2, 1, int(seconds * RATE)
            )
            soundfile.write(root / label / f"{take}.wav", sound, RATE)
            rows.append(f"{label}/{take}.wav,{label},{SPLITS[take % 4]}")
    (root / "table.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def clips(recordings, tmp_path_factory):
    return load_folder(recordings, recordings / "table.csv", cache=tmp_path_factory.mktemp("cache"))[0]


def split_in_table(file: Path) -> str:
    return SPLITS[int(file.stem) % 4]


@pytest.fixture
def model(integers, package_info, clips, tmp_path) -> zoo.Model:
    """A model of random weights that states the clips of `recordings`."""
    info = {**package_info, "training": {"summary": ["Not trained."], **known_clips(clips)}}
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    return zoo.Model.from_folder(write_package(tmp_path / "packages", integers, frontend, clips.audio[:2], info))


def files_of(recordings: Path, *splits: str) -> list[Path]:
    return [file for file in sorted(recordings.glob("*/*.wav")) if split_in_table(file) in splits]


def test_each_recording_is_known_by_its_split_and_no_other_is(recordings, clips):
    known = Known.of(known_clips(clips))
    for file in files_of(recordings, *SPLITS):
        samples = to_int16(read_audio(file)[0][:, 0])
        assert known.split_of(samples, RATE) == split_in_table(file)
        assert known.split_of(np.pad(samples, (0, 99)), RATE) == split_in_table(file)
    assert known.split_of(to_int16(tone(300, seed=7777)), RATE) is None
    assert known.split_of(np.zeros(RATE, np.int16), RATE) is None


def test_what_a_package_states_is_not_believed(clips):
    """Anything that is no list of digests is as none; a cut one knows fewer clips, and no others."""
    for stated in (None, 3, [], {"clips": 3}, {"clips": {"train": 3, "test": ["a"]}}, {"clips": {"train": "é!"}}, {}):
        assert not Known.of(stated)
    whole = known_clips(clips)["clips"]["train"]
    cut = Known.of({"clips": {"train": whole[: len(whole) // 8 * 4]}})
    assert 0 < len(cut.splits["train"]) < len(Known.of({"clips": {"train": whole}}).splits["train"])
    assert cut.splits["train"] < Known.of({"clips": {"train": whole}}).splits["train"]


def test_of_many_clips_no_digests_are_kept(monkeypatch):
    rows = np.arange(1, 9, dtype=np.int16).reshape(8, 1)
    monkeypatch.setattr(known_clips_file, "MOST_CLIPS", 8)
    assert Known.of(digests_text({"train": rows})).split_of(rows[3], 1) == "train"
    monkeypatch.setattr(known_clips_file, "MOST_CLIPS", 7)
    assert digests_text({"train": rows}) == {}


def test_an_evaluation_on_what_trained_the_model_says_so(model, recordings, tmp_path):
    """Copies under other names in another folder are known as well."""
    warning = "warning: {} of {} recordings were heard in training, so this flatters{}"
    hint = "; --split test takes those that neither trained nor chose it"
    assert warning.format(16, 32, hint) in model.evaluate(recordings).notes
    moved = tmp_path / "moved"
    for number, file in enumerate(files_of(recordings, "train")[:3] + files_of(recordings, "test")):
        (moved / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, moved / file.parent.name / f"new-{number}.wav")
    assert warning.format(3, 11, hint) in model.evaluate(moved).notes
    for file in moved.glob("*/new-[012].wav"):
        file.unlink()
    assert not [note for note in model.evaluate(moved).notes if "warning" in note]
    shutil.copy(files_of(recordings, "validation")[0], moved / "down" / "chosen.wav")
    assert "warning: 1 of 9 recordings are of validation, by which the model was chosen" in model.evaluate(moved).notes


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_without_lists_a_split_is_that_of_the_training(model, recordings, tmp_path, split):
    found = model.evaluate(recordings, split=split)
    files = files_of(recordings, split)
    answers = [model.evaluate(_alone(file, tmp_path / f"{number}")).matrix for number, file in enumerate(files)]
    np.testing.assert_array_equal(found.matrix, np.sum(answers, axis=0))
    assert found.clips == SPLITS.count(split) * 8
    warned = ["warning: 16 of 16 recordings were heard in training, so this flatters"] if split == "train" else []
    assert [note for note in found.notes if "warning" in note] == warned
    with_lists = shutil.copytree(recordings, tmp_path / "lists")
    (with_lists / "testing_list.txt").write_text("up/0.wav\ndown/1.wav\n")
    (with_lists / "validation_list.txt").write_text("up/0.wav\ndown/1.wav\n")
    listed = model.evaluate(with_lists, split=split)
    heard, clips = (14, 30) if split == "train" else (2, 2)
    assert listed.clips == clips
    assert f"warning: {heard} of {clips} recordings were heard in training, so this flatters" in listed.notes


def _alone(file: Path, folder: Path) -> Path:
    (folder / file.parent.name).mkdir(parents=True)
    shutil.copy(file, folder / file.parent.name)
    return folder


def test_a_split_of_which_nothing_is_there_is_named(model, recordings, tmp_path):
    only = _alone(files_of(recordings, "train")[0], tmp_path / "only")
    with pytest.raises(InvalidData, match="split = 'test': none of the 1 recordings was of it when the model was made"):
        model.evaluate(only, split="test")


def test_another_share_of_the_unknown_class_is_told_with_the_accuracy_at_that_of_the_card(
    integers, package_info, recordings, tmp_path
):
    labels, matrix = package_info["labels"], np.array([[3, 1, 0, 0], [0, 4, 0, 0], [1, 0, 1, 0], [0, 0, 0, 2]])
    figures = {"accuracy": round(10 / 12, 6), "interval": [0.5, 0.96], "clips": 12, "confusion": matrix.tolist()}
    info = {**package_info, "accuracy": {"validation": figures, "test": figures}}
    frontend = Mfcc(mean=(0.0,) * 40, deviation=(5.0,) * 40)
    model = zoo.Model.from_folder(write_package(tmp_path, integers, frontend, np.zeros((1, RATE), np.int16), info))
    folder = shutil.copytree(recordings, tmp_path / "more")
    for name in ("cat", "dog", "owl"):
        shutil.copytree(folder / "up", folder / name)
    found = model.evaluate(folder)
    recall, card = found.recall, dict(zip(labels, matrix.sum(1), strict=True))
    there = ("up", "down", "_unknown_")
    expected = sum(recall[label] * card[label] for label in there) / sum(card[label] for label in there)
    told = "_unknown_ is 60% of these clips, and 17% of the card's test, where it is drawn otherwise; by the card's "
    assert f"{told}shares of these classes the accuracy is {expected:.2%}" in found.notes
    shutil.rmtree(folder / "dog"), shutil.rmtree(folder / "owl")
    for file in sorted((folder / "cat").iterdir())[7:]:
        file.unlink()
    assert not [note for note in model.evaluate(folder).notes if "card" in note]  # 18 % is near enough
    assert not [note for note in model.knowing(["up"]).evaluate(folder).notes if "card" in note]
