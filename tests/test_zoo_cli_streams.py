"""Standard streams as processes get them: closed, full, read by nobody any longer, and of other code pages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.cli import main

ROOT = Path(zoo.__file__).parents[1]
STOP = str(ROOT / "zoo/clips/stop.wav")
NAME = zoo.get(task="kws", max_ops=1e6).name
DATA = [
    ["list"],
    ["list", "--format", "csv"],
    ["get", "--task", "kws", "--format", "json"],
    ["info", NAME],
    ["cost", NAME],
    ["run", "kws", STOP],
    ["run", "kws", STOP, "--format", "json"],
    ["verify", f"./{NAME}"],
    ["evaluate", NAME, "./sounds"],
    ["profile", "list"],
]
"""What gives data, and no message."""
REFUSED = [(["get", "--task", "kwz"], 1), (["run", "kws", "none.wav"], 1), (["get", "--bits", "9"], 2), (["fly"], 2)]
STATUSES = """
import json, sys
from zoo.cli import main

def status(arguments):
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code

before = sys.stdin, sys.stdout, sys.stderr
statuses = [status(arguments) for arguments in json.loads(sys.argv[1])]
assert (sys.stdin, sys.stdout, sys.stderr) == before
with open(sys.argv[2], "w") as file:
    json.dump(statuses, file)
"""
"""Commands in one process, which is faster."""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a package, and sounds by class, one with a name that few code pages have."""
    shutil.copytree(zoo.get(task="kws", max_ops=1e6).path, tmp_path / NAME)
    for name in ("stop", "left"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        shutil.copy(ROOT / "zoo/clips" / f"{name}.wav", tmp_path / "sounds" / name / "ü☃.wav")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    return tmp_path


def redirected(redirection: str, *command: str, **options) -> subprocess.CompletedProcess:
    """A command of Python under a redirection of the shell."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(["sh", "-c", script, "sh", sys.executable, *command], capture_output=True, **options)


def earshot(redirection: str, *arguments: str, **options) -> tuple[int, str, str]:
    done = redirected(redirection, "-m", "zoo.cli", *arguments, encoding="utf-8", **options)
    return done.returncode, done.stdout, done.stderr


def statuses(redirection: str, commands: list[list[str]]) -> tuple[list[int], str, str]:
    done = redirected(redirection, "-c", STATUSES, json.dumps(commands), "statuses.json", encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(Path("statuses.json").read_text()), done.stdout, done.stderr


def every_help(capsys) -> list[list[str]]:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--help"])
    names = re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert {"get", "train", "sync", "measure"} <= set(names)
    return [["--help"], *([name, "--help"] for name in names)]


def test_data_for_a_closed_output_is_an_error_of_every_command(place, capsys):
    commands = [*DATA, *every_help(capsys)]
    found, out, err = statuses(">&-", commands)
    assert found == [1] * len(commands)
    said = "earshot: standard output: it is closed; connect it to a terminal, a file or a pipe"
    assert (out, [line[: len(said)] for line in err.splitlines()]) == ("", [said] * len(commands))


def test_what_needs_no_output_works_where_it_is_closed(place):
    to_file = ["run", "kws", STOP, "--out", "out.csv", "--format", "csv"]
    found, out, err = statuses(">&-", [to_file, *(arguments for arguments, _ in REFUSED)])
    assert found == [0, *(status for _, status in REFUSED)]
    assert (out, err.count("\n"), err.count("earshot: ")) == ("", len(REFUSED), len(REFUSED))
    assert "stop" in Path("out.csv").read_text()


def test_messages_that_cannot_be_told_never_become_data(place):
    commands, wanted = [*DATA, *(arguments for arguments, _ in REFUSED)], [status for _, status in REFUSED]
    found, out, _ = statuses("", commands)
    assert found == [0] * len(DATA) + wanted
    for closed in ("2>&-", "2>/dev/full"):
        assert statuses(closed, commands) == (found, out, "")


def test_a_closed_input_is_an_error_of_what_reads_it_alone(place):
    found, out, err = statuses("<&-", [["run", "kws", "-"], ["run", "kws", STOP]])
    assert (found, out.split("\t")[0], out.count("\n")) == ([1, 0], STOP, 1)
    assert err == "earshot: standard input: it is closed; connect it to a terminal, a file or a pipe\n"


def test_all_three_may_be_closed(place):
    commands = [["list"], ["run", "kws", "-"], ["run", "kws", STOP, "--out", "out.txt"], ["fly"]]
    assert statuses("<&- >&- 2>&-", commands)[0] == [1, 1, 0, 2]
    assert Path("out.txt").read_text().startswith(STOP)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["list"], ["--help"]])
def test_a_full_disk_is_an_error(place, monkeypatch, arguments, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    said = "earshot: standard output: No space left on device\n"
    assert earshot(">/dev/full", *arguments) == (1, "", said)


@pytest.mark.parametrize("arguments", [["list"], ["info", NAME], ["--help"]])
def test_a_reader_of_data_that_has_gone_ends_a_command_quietly(place, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "zoo.cli", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_that_has_gone_does_not_stop_the_work(place):
    """Progress is shown for more files than a batch; there is none to show it to."""
    for index in range(40):
        shutil.copy(STOP, place / f"sounds/stop/{index}.wav")
    master, terminal = os.openpty()
    os.close(master)
    command = [sys.executable, "-m", "zoo.cli", "run", "kws", "sounds", "none.wav", "--format", "csv"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, encoding="utf-8")
    os.close(terminal)
    assert done.returncode == 1  # for the file that is missing
    assert done.stdout.count("\n") == 1 + 42


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", "\\xfc\\u2603"), ("latin-1", "ü\\u2603"), ("utf-8", "ü☃")])
def test_a_code_page_shows_what_it_lacks_by_escapes(place, monkeypatch, encoding, shown):
    monkeypatch.setenv("PYTHONIOENCODING", f"{encoding}:strict")
    commands = [
        ["run", "kws", "sounds/stop"],
        ["run", "kws", "sounds/stop", "--format", "csv"],
        ["get", "--task", "ü☃"],
    ]
    done = redirected("", "-c", STATUSES, json.dumps(commands), "statuses.json")
    assert (done.returncode, json.loads(Path("statuses.json").read_text())) == (0, [0, 0, 1])
    out, err = done.stdout.decode(encoding).splitlines(), done.stderr.decode(encoding)
    assert [out[0].split("\t")[0], out[2].split(",")[0]] == [f"sounds/stop/{shown}.wav"] * 2
    assert f"'{shown}'" in err
    assert err.count("\n") == 1


def test_json_is_the_same_on_every_code_page(place, monkeypatch):
    answers = set()
    for encoding in ("ascii", "latin-1", "utf-8"):
        monkeypatch.setenv("PYTHONIOENCODING", f"{encoding}:strict")
        answers.add(earshot("", "run", "kws", "sounds/stop", "--format", "json"))
    assert len(answers) == 1
    status, out, err = answers.pop()
    assert (status, json.loads(out)[0]["file"], err) == (0, "sounds/stop/ü☃.wav", "")
