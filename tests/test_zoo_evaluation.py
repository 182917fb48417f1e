"""Measuring a model on a folder of classes, against answers one at a time and scikit-learn's matrix."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import KEYWORDS, RATE, tone
from last_steps import AGAIN, HOWS, counted, fails
from sklearn.metrics import confusion_matrix

import zoo
import zoo.run.evaluate
from supernet.errors import InvalidData, InvalidQuery
from supernet.metrics import accuracy_interval
from zoo.cli import main
from zoo.cli import run as cli_run
from zoo.package.plots import confusion_figure
from zoo.run.evaluate import Evaluation

CLIPS = Path(zoo.__file__).parent / "clips"

MATRIX = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])


@pytest.fixture(scope="module")
def model(package) -> zoo.Model:
    return zoo.Model.from_folder(package)


@pytest.fixture
def words(speech_folder, tmp_path):
    """A copy of `speech_folder` that a test may alter."""
    return shutil.copytree(speech_folder, tmp_path / "words")


def matrix_of(model, files, truth):
    answers = [model(file)[0]["label"] for file in files]
    return confusion_matrix(truth, answers, labels=model.labels)


def test_the_matrix_is_that_of_answers_one_at_a_time(model, speech_folder):
    found = model.evaluate(speech_folder)
    files = sorted(file for word in (*KEYWORDS, "cat") for file in (speech_folder / word).iterdir())
    truth = [file.parent.name if file.parent.name in KEYWORDS else "_unknown_" for file in files]
    np.testing.assert_array_equal(found.matrix, matrix_of(model, files, truth))
    assert found.clips == len(files) == 45
    assert found.left_out == ()
    assert found.notes == ("left out, since they are no classes: _background_noise_", "counted as _unknown_: cat")


@pytest.mark.parametrize(("split", "speakers"), [("validation", (9, 10, 11)), ("test", (12, 13, 14))])
def test_a_split_is_what_its_list_names_whatever_the_files_end_with(model, speech_folder, split, speakers):
    found = model.evaluate(speech_folder, split=split)
    files = [next((speech_folder / word).glob(f"{speaker:08x}_*")) for word in KEYWORDS for speaker in speakers]
    expected = matrix_of(model, files, [file.parent.name for file in files])
    np.testing.assert_array_equal(found.matrix[:2], expected[:2])
    assert found.clips == 9


def test_silence_that_no_list_names_is_of_the_test(model, words):
    (words / "_silence_").mkdir()
    soundfile.write(words / "_silence_" / "1.wav", 0.01 * tone(50), RATE)
    found = [model.evaluate(words, split=split).matrix for split in ("train", "validation", "test")]
    assert [matrix[3].sum() for matrix in found] == [0, 0, 1]
    np.testing.assert_array_equal(np.sum(found, axis=0), model.evaluate(words).matrix)


@pytest.mark.parametrize("quiet", [1.0, 0.1, 0.0])
def test_a_long_recording_counts_once_by_its_windows_as_they_are_loud(quiet, model, tmp_path):
    """By powers that are counted clip by clip; silence alone leaves all alike."""
    (tmp_path / "up").mkdir()
    samples = np.concatenate([quiet * tone(300), quiet * tone(700), tone(2000, 0.4) * (quiet > 0)])
    soundfile.write(tmp_path / "up" / "long.wav", samples, RATE, subtype="FLOAT")
    by_label = [{one["label"]: one["score"] for one in window["answers"]} for window in model.slide(samples, RATE)]
    starts = [round(RATE * window["start_s"]) for window in model.slide(samples, RATE)]
    powers = [sum(piece.var() for piece in samples[start:][:RATE].reshape(-1, RATE // 50)) for start in starts]
    weights = powers if any(powers) else None
    means = [np.average([scores[label] for scores in by_label], weights=weights) for label in model.labels]
    found = model.evaluate(tmp_path)
    assert found.clips == found.matrix[0, int(np.argmax(means))] == 1
    assert found.recall == {"up": float(np.argmax(means) == 0), "down": None, "_unknown_": None, "_silence_": None}


def test_silence_around_a_word_does_not_hide_it(tmp_path):
    for name, path in {path.stem: path for path in CLIPS.glob("*.wav")}.items():
        (tmp_path / name).mkdir()
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(tmp_path / name / "long.wav", np.pad(samples, (rate // 2, 3 * rate // 2)), rate)
    assert zoo.get("kws").evaluate(tmp_path).accuracy == 1


def test_what_cannot_be_used_is_counted_and_lines_without_a_recording_are_said(model, words):
    (words / "up" / "bad.wav").write_text("no sound")
    soundfile.write(words / "up" / "low.wav", tone(300, rate=8_000), 8_000)
    with (words / "testing_list.txt").open("a") as file:
        file.write("up/missing_nohash_0.wav\n")
    found = model.evaluate(words)
    assert [name.rsplit("/", 1)[1] for name, _ in found.left_out] == ["bad.wav", "low.wav"]
    assert "8000 Hz holds no sound above" in found.left_out[1][1]
    assert "recordings that cannot be used, left out: 2" in str(found)
    assert found.clips + 1 == model.evaluate(words, resample=True).clips == 46
    notes = model.evaluate(words, split="test").notes
    assert "lines of testing_list.txt that name no recording: 1, such as up/missing_nohash_0" in notes


def test_a_folder_of_another_name_needs_a_class_for_it(model, words, monkeypatch):
    monkeypatch.setattr(model, "labels", ["up", "down", "_other_", "_silence_"])
    with pytest.raises(InvalidData, match=r"cat: no label of .*: known: _other_, _silence_, down, up"):
        model.evaluate(words)
    shutil.rmtree(words / "cat")
    (words / "up").rename(words / "dwn")
    with pytest.raises(InvalidData, match=r"dwn: no label of .*: did you mean down\?"):
        model.evaluate(words)


def test_what_cannot_be_evaluated_is_named(model, words, monkeypatch):
    with pytest.raises(InvalidQuery, match=r"split = 'valid' is not possible: did you mean validation\?"):
        model.evaluate(words, split="valid")
    (words / "testing_list.txt").unlink()
    with pytest.raises(InvalidData, match=r"testing_list\.txt: no such list"):
        model.evaluate(words, split="test")
    (words / "validation_list.txt").write_text("up/nobody.wav\n")
    with pytest.raises(InvalidData, match="no recordings of split validation"):
        model.evaluate(words, split="validation")
    with pytest.raises(InvalidData, match=r"testing_list\.txt: no such list; give it .* or leave --split out"):
        model.evaluate(words, split="train")
    for word in ("up", "down", "cat"):
        for path in (words / word).iterdir():
            path.write_bytes(b"")
    with pytest.raises(InvalidData, match=r"none of its 45 recordings can be used, such as .* the file is empty"):
        model.evaluate(words)
    monkeypatch.setattr(model, "multi_label", True)
    with pytest.raises(InvalidQuery, match="several labels a clip"):
        model.evaluate(words)


def test_figures_and_text_are_those_of_the_matrix():
    found = Evaluation("a-model", "a-folder", "test", ("a", "b", "c"), MATRIX, (("x.wav", "x.wav: empty"),), ("note",))
    assert (found.clips, found.accuracy) == (20, 0.85)
    assert found.interval == accuracy_interval(0.85, 20)
    assert found.recall == {"a": 0.8, "b": 0.9, "c": None}
    assert json.loads(json.dumps(found.to_dict()))["matrix"] == MATRIX.tolist()
    assert str(found) == (
        "a-model on a-folder, test\n"
        "  accuracy 85.00% (63.96% to 94.76%) of 20 clips\n"
        "  class   recall   clips\n"
        "  a       80.00%      10\n"
        "  b       90.00%      10\n"
        "  c            -       0\n"
        "  most frequent confusions: a as b 2, b as a 1\n"
        "  note\n"
        "  recordings that cannot be used, left out: 1\n"
        "    x.wav: empty"
    )
    perfect = replace(found, matrix=np.diag([3, 4, 5]), split=None, left_out=(), notes=())
    assert "confusions" not in str(perfect)


def test_the_command_says_what_python_says(package, speech_folder, tmp_path, capsys):
    expected = zoo.Model.from_folder(package).evaluate(speech_folder, split="test", progress=False)
    arguments = ["evaluate", str(package), str(speech_folder), "--split", "test"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{expected}\n"
    assert main([*arguments, "--format", "json", "--plot", str(tmp_path / "confusion.svg")]) == 0
    assert json.loads(capsys.readouterr().out) == expected.to_dict()
    assert (tmp_path / "confusion.svg").read_bytes().startswith(b"<?xml")


def cells(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_picture_shows_counts_and_recalls():
    figure = confusion_figure(MATRIX, ("a", "b", "$c$"), "a title")
    axis = figure.axes[0]
    assert cells(figure) == ["8", "2", "1", "9"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "$c$"]
    assert [label.get_text() for label in axis.child_axes[0].get_yticklabels()] == ["80.0%", "90.0%", "-"]
    np.testing.assert_allclose(axis.images[0].get_array(), [[0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0, 0]])
    assert axis.get_title() == "a title"
    figure.draw_without_rendering()


def test_a_picture_of_many_classes_has_no_counts():
    figure = confusion_figure(np.eye(21, dtype=int), [f"class {index}" for index in range(21)], "many")
    assert cells(figure) == []
    assert len(cells(confusion_figure(np.eye(20, dtype=int), range(20), "few"))) == 20


def test_esc50_is_evaluated_by_its_table(model, tmp_path):
    """Of folds 1 to 4 the last is tested, a tenth of the others validates, and fold 5 is in no split; the truth is the
    table's, whatever the files are called.
    """
    (tmp_path / "meta").mkdir()
    (tmp_path / "audio").mkdir()
    rows = []
    for fold, target, take in product(range(1, 6), range(4), range(10)):
        name, source = f"{fold}-{take}-{target}", 1000 * fold + 100 * target + take
        soundfile.write(tmp_path / "audio" / f"{name}.flac", tone(300 * 2**target, 0.5, seed=take), RATE)
        rows.append(f"{name}.wav,{fold},{target},{model.labels[target]},False,{source},A")
    table = tmp_path / "meta" / "esc50.csv"
    table.write_text("\n".join(["filename,fold,target,category,esc10,src_file,take", *rows]))
    found = model.evaluate(tmp_path, split="test", progress=False)
    files = sorted((tmp_path / "audio").glob("4-*.flac"))
    truth = [model.labels[int(file.stem[-1])] for file in files]
    np.testing.assert_array_equal(found.matrix, matrix_of(model, files, truth))
    counts = {split: model.evaluate(tmp_path, split=split).matrix.sum(1).tolist() for split in ("train", "validation")}
    assert counts == {"train": [27] * 4, "validation": [3] * 4}
    assert model.evaluate(tmp_path).clips == 200
    files = sorted((tmp_path / "audio").glob("5-*.flac"))
    truth = [model.labels[int(file.stem[-1])] for file in files]
    fifth = model.evaluate(tmp_path, split="fold5")
    np.testing.assert_array_equal(fifth.matrix, matrix_of(model, files, truth))
    assert "training" not in str(fifth)
    assert "clips of training are among them" in str(model.evaluate(tmp_path, split="fold2"))
    with pytest.raises(InvalidData, match=f"is one folder of ESC-50; give the whole, {tmp_path}"):
        model.evaluate(tmp_path / "audio", split="test")
    for wrong in ("fold 4", "fold6", "fold\uff14", 4):
        with pytest.raises(InvalidQuery, match="ESC-50 has train, validation, test and fold1 to fold5"):
            model.evaluate(tmp_path, split=wrong)
    whole = table.read_text().splitlines()
    table.write_text("\n".join([whole[0], *(line for line in whole if line.startswith("5-") and ",3," not in line)]))
    assert model.evaluate(tmp_path, split="fold5").matrix.sum(1).tolist() == [10, 10, 10, 0]
    assert model.evaluate(tmp_path).notes == ()
    with pytest.raises(InvalidData, match="has no fold 4; it has 5"):
        model.evaluate(tmp_path, split="test")
    table.write_text(whole[0])
    with pytest.raises(InvalidData, match="names no clip of esc50"):
        model.evaluate(tmp_path)
    table.write_text("\n".join([whole[0], *(line for line in whole if line.startswith("4-"))]))
    assert model.evaluate(tmp_path, split="test").clips == 40
    table.write_text("\n".join(whole))
    table.write_text(table.read_text().replace(",down,", ",dog,"))
    with pytest.raises(InvalidData, match="knows other classes than these"):
        model.evaluate(tmp_path)


@pytest.mark.parametrize("how", HOWS)
def test_recordings_are_not_heard_again_where_the_picture_cannot_be_written(
    package, words, tmp_path, monkeypatch, capsys, how
):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (words / "up" / "bad.wav").write_text("no sound")
    arguments = ["evaluate", str(package), str(words), "--plot", "picture.png", "--format", "json"]
    assert fails(monkeypatch, how, arguments, cli_run, "write_picture") == (1 if how == "full" else None)
    [run] = Path("runs").iterdir()
    if how == "full":
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.endswith(f"No space left on device; what was made is in {run}: {AGAIN}")
    heard = counted(monkeypatch, zoo.run.evaluate, "hear")
    capsys.readouterr()
    assert main(arguments) == 0
    assert [files for _, files, *_ in heard] == [[]]
    said, picture = capsys.readouterr().out, Path("picture.png").read_bytes()
    assert not Path("runs").exists()
    assert main(arguments) == 0
    assert len(heard[1][1]) == 46
    assert capsys.readouterr().out == said
    assert Path("picture.png").read_bytes() == picture


def test_a_folder_is_walked_as_in_training(model, words, tmp_path):
    """Links are followed; hidden files and empty folders are no recordings, and what is not read is said."""
    expected = model.evaluate(words)
    (words / "up").rename(tmp_path / "far")
    (words / "up").symlink_to(tmp_path / "far")
    (words / "down" / "inside").mkdir()
    for path in sorted((words / "down").glob("*_nohash_*"))[::2]:
        path.rename(words / "down" / "inside" / path.name)
    (words / "down" / "inside" / "back").symlink_to("..")
    for name in ("up/._x.wav", "_background_noise_/._x.wav", "up/x.m4a", "up/notes.txt", "loose.wav"):
        (words / name).write_bytes(b"\0")
    (words / "nothing").mkdir()
    found = model.evaluate(words)
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    assert found.notes == (
        "left out, since they are no classes: _background_noise_",
        "without a recording: nothing",
        "counted as _unknown_: cat",
        "left out: 1 .m4a (such as x.m4a), 1 .txt (such as notes.txt), 1 .wav (such as loose.wav), "
        "1 hidden (such as ._x.wav), 1 link that leads nowhere or back (such as back)",
    )
    assert model.evaluate(words, conditions=["noise-10"]).conditions[0].clips == 45


def test_noise_that_cannot_be_used_is_left_out_and_said(model, words, caplog):
    (words / "_background_noise_" / "bad\nname.wav").write_bytes(b"junk")
    assert model.evaluate(words, conditions=["early-200"]).conditions[0].clips == 45
    assert "bad\\nname.wav: not a readable audio file" in caplog.text


def test_an_empty_folder_of_another_name_is_no_error(model, words, monkeypatch):
    monkeypatch.setattr(model, "labels", ["up", "down", "_other_", "_silence_"])
    shutil.rmtree(words / "cat")
    (words / "cat").mkdir()
    assert "without a recording: cat" in model.evaluate(words).notes


def test_a_folder_that_differs_from_a_label_in_capitals_gets_a_hint(model, words):
    (words / "up").rename(words / "Up")
    notes = model.evaluate(words).notes
    assert "names that differ in capitals or spaces only, taken for different ones: Up and up" in notes
    assert "counted as _unknown_: Up, cat" in notes


@pytest.mark.parametrize(
    "change", [str, lambda text: text.replace("/", "\\").replace("\n", "\r\n"), lambda text: "\ufeff" + text]
)
def test_a_list_is_read_as_in_training(model, words, change):
    expected = model.evaluate(words, split="test")
    path = words / "testing_list.txt"
    path.write_bytes(change(path.read_text()).encode())
    found = model.evaluate(words, split="test")
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    assert found.notes == expected.notes
