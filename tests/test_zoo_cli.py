"""The command line as a user meets it: output, one-line errors, exit statuses, and what it loads."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import zoo
from zoo.cli import main

CLIPS = Path(zoo.__file__).parent / "clips"
STOP = str(CLIPS / "stop.wav")


def test_get_answers_from_a_bare_process_without_torch():
    code = (
        "import sys; from zoo.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(status or 100 * any(m in sys.modules for m in ('torch', 'pandas', 'sklearn')))"
    )
    query = ["get", "--task", "kws", "--max-ops", "20e6", "--bits", "4", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *query], capture_output=True, text=True, env={"PATH": os.defpath}
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["bits"] == 4
    assert answer["macs"] <= 20e6
    assert (Path(answer["path"]) / "model.safetensors").is_file()


def test_text_and_python_say_the_same(capsys):
    assert main(["get", "--task", "kws", "--max-ops", "1M", "--bits", "8"]) == 0
    model = zoo.get(task="kws", max_ops=1e6, bits=8)
    output = capsys.readouterr().out
    assert output.startswith(str(model))
    assert str(model.path) in output


def test_list_shows_every_model_best_first(capsys):
    assert main(["list", "--task", "kws", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [entry.name for entry in zoo.find(task="kws")]
    assert main(["list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(zoo.find()) + 1 > len(rows) + 1


@pytest.mark.parametrize("form", ["task", "name", "folder"])
def test_run_takes_a_task_a_name_or_a_folder(form, capsys):
    model = zoo.get(task="kws")
    assert main(["run", {"task": "kws", "name": model.name, "folder": str(model.path)}[form], STOP, "--top", "2"]) == 0
    path, answers = capsys.readouterr().out.strip().split("\t")
    assert path == STOP
    assert answers.startswith("stop ")
    assert len(answers.split()) == 4


def test_a_folder_named_like_a_task_does_not_hide_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "kws").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["run", "kws", STOP]) == 0
    assert "stop" in capsys.readouterr().out


def test_run_gives_json(capsys):
    assert main(["run", "kws", STOP, str(CLIPS / "left.wav"), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["answers"][0]["label"] for row in rows] == ["stop", "left"]


@pytest.fixture
def bad_files(tmp_path):
    (tmp_path / "text.wav").write_text("this is no sound\n")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "cut.wav").write_bytes(Path(STOP).read_bytes()[:20])
    (tmp_path / "half.wav").write_bytes(Path(STOP).read_bytes()[:16_000])
    soundfile.write(tmp_path / "8k.wav", np.zeros((8000, 2)), 8000)
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    model = zoo.get(task="kws", bits=4)
    for name in ("truncated", "altered"):
        folder = shutil.copytree(model.path, tmp_path / name)
        data = (folder / "model.safetensors").read_bytes()
        changed = data[:-99] if name == "truncated" else data[:-1] + bytes([data[-1] ^ 255])
        (folder / "model.safetensors").write_bytes(changed)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "x.raw").write_bytes(bytes(1000))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["run", "kws", "{}/missing.wav"], 1, "no such file"),
        (["run", "kws", "{}/text.wav"], 1, "not a readable audio file"),
        (["run", "kws", "{}/empty.wav"], 1, "the file is empty"),
        (["run", "kws", "{}/cut.wav"], 1, "cut short (20 of 32,044 bytes)"),
        (["run", "kws", "{}/half.wav"], 1, "cut short"),
        (["run", "kws", "{}/8k.wav"], 1, "8000 Hz holds no sound above 4000 Hz"),
        (["run", "kws", "{}/nan.wav"], 1, "not numbers"),
        (["run", "kws", "{}/nothing"], 1, "no recordings in this folder"),
        (["run", "kws", STOP, "--hop-ms", "15"], 2, "hop_ms = 15 is not possible: give a multiple of 20 up to 1000"),
        (["run", "kws", STOP, "--out", "{}/no/where.csv"], 2, "--out {}/no/where.csv: not a file in a folder"),
        (["run", "kws", "-", "-"], 2, "- is given twice"),
        (["evaluate", "kws", "{}/nowhere"], 1, "no such folder"),
        (["evaluate", "kws", "{}/nothing"], 1, "no recordings"),
        (["evaluate", "kws", "{}", "--split", "tset"], 2, "did you mean test?"),
        (["evaluate", "kws", "{}", "--plot", "{}/picture.gif"], 2, "ends with one of .svg, .png, .pdf"),
        (["run", "kws", "{}/x.raw"], 1, "not a readable audio file"),
        (["run", "kws", "{}/" + 300 * "x"], 1, "File name too long"),
        (["run", "{}/" + 300 * "x", STOP], 1, "File name too long"),
        (["get", "--max-ops", "1" + 400 * "0"], 2, "max_ops"),
        (["run", "{}/truncated", STOP], 1, "truncated or altered"),
        (["run", "{}/altered", STOP], 1, "truncated or altered"),
        (["run", "{}/nothing", STOP], 1, "not a model package"),
        (["run", "kwz", STOP], 1, "no model 'kwz' and no such task"),
        (["run", "kwz", STOP], 1, "did you mean kws?"),
        (["run", "kws", STOP, "--top", "0"], 2, "top = 0"),
        (["get", "--task", "kwz"], 1, "did you mean kws"),
        (["get", "--max-ops", "-5"], 2, "max_ops = -5"),
        (["get", "--max-ops", "-20e6"], 2, "max_ops = -20e6"),
        (["get", "--max-macs", "-1M"], 2, "max_macs = -1M"),
        (["get", "--max-flash", "-64kB"], 2, "max_flash = -64kB"),
        (["get", "--max-ops=nan"], 2, "max_ops = nan"),
        (["get", "--max-flash", "10 parsecs"], 2, "max_flash = 10 parsecs"),
        (["get", "--bits", "9"], 2, "bits = 9"),
        (["get", "--min-accuracy", "95"], 2, "min_accuracy = 95"),
        (["get", "--task", "kws", "--max-ops", "10"], 1, "max_ops binds"),
        (["get", "--hub", "{}/nothing"], 2, "index.json"),
    ],
)
def test_bad_input_is_one_line_with_what_to_do(bad_files, capsys, arguments, status, said):
    before = sorted(bad_files.rglob("*"))
    assert main([argument.format(bad_files) for argument in arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("earshot: ")
    assert said.format(bad_files) in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(bad_files.rglob("*")) == before


@pytest.mark.parametrize("arguments", [[], ["fly"], ["get", "--bits", "four"], ["run"], ["get", "--max"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    error = capsys.readouterr().err
    assert "; see earshot" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "did you mean run?"),
        (["run", "kws", STOP, "--tpo", "3"], "unknown option --tpo: did you mean --top"),
        (["run", "kws", STOP, "--format", "jsn"], "did you mean json?"),
        (["run", "--words", "left", "kws", STOP], f"--words: {STOP} is a file, not a word; put files before --words"),
        (["run", "kws", "--words", "left", "songs"], "are required: FILE (--words takes what follows it: put it last)"),
        (["evaluate", "--conditions", "clean", "kws", "songs"], "required: MODEL, FOLDER (--conditions takes what"),
        (["evaluate", "kws", "--words=up", "--split", "test"], "are required: FOLDER; see"),
        (["train", "--bits", "8", "4", "--data", "songs"], "are required: --task; see"),
        (["list", "kws"], "kws: give a task by --task, as in --task kws; see earshot list --help"),
        (["verify", "one", "two"], "unrecognized arguments: two; see earshot verify --help"),
    ],
)
def test_wrong_usage_names_the_nearest_choice(arguments, said, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["get", "list", "run", "evaluate"])
def test_help_teaches_by_example(command, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main([command, "--help"])
    assert f"earshot {command} " in capsys.readouterr().out.split("usage:")[1].split("options:")[0]


def test_steps_of_long_work_are_told_but_not_those_of_libraries():
    code = "from zoo.cli.told import tell_steps; import logging; tell_steps()\n"
    code += "logging.getLogger('zoo.make.train').info('a step'); logging.getLogger('matplotlib.x').info('a font')\n"
    code += "logging.getLogger('matplotlib.x').warning('a warning')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["a step", "a warning"]
