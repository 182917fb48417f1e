"""`earshot run` as a user meets it: files, folders and pipes in; text, CSV and JSON out."""

import csv
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from last_steps import AGAIN, HOWS, counted, fails

import zoo
from zoo.cli import main
from zoo.cli import run as cli_run

CLIPS = Path(zoo.__file__).parent / "clips"
STOP, LEFT = str(CLIPS / "stop.wav"), str(CLIPS / "left.wav")


@pytest.fixture(scope="module")
def model() -> zoo.Model:
    return zoo.get(task="kws")


@pytest.fixture
def long(tmp_path):
    samples = np.concatenate([soundfile.read(path)[0] for path in (STOP, LEFT)])
    soundfile.write(tmp_path / "long.wav", samples, 16_000)
    return str(tmp_path / "long.wav")


def test_text_has_a_line_a_clip_and_a_line_a_window(model, long, capsys):
    assert main(["run", "kws", STOP, long, "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first, second = model(STOP, top=2)
    assert lines[0] == f"{STOP}\t{first['label']} {first['score']:.3f}  {second['label']} {second['score']:.3f}"
    assert [line.split("\t")[:2] for line in lines[1:]] == [
        [long, "0.00-1.00 s"], [long, "0.50-1.50 s"], [long, "1.00-2.00 s"]
    ]  # fmt: skip
    assert [line.split("\t")[2].split()[0] for line in (lines[1], lines[3])] == ["stop", "left"]


def test_json_is_what_python_gives(model, long, capsys):
    assert main(["run", "kws", STOP, long, "--hop-ms", "200", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == list(model.run([STOP, long], hop_ms=200, top=1))


def test_csv_has_a_row_a_label(model, long, capsys):
    assert main(["run", "kws", STOP, long, "--hop-ms", "1s", "--top", "2", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["file"], row["start_s"], row["end_s"], row["rank"]) for row in rows] == [
        (STOP, "", "", "1"), (STOP, "", "", "2"),
        (long, "0.0", "1.0", "1"), (long, "0.0", "1.0", "2"), (long, "1.0", "2.0", "1"), (long, "1.0", "2.0", "2"),
    ]  # fmt: skip
    assert [row["label"] for row in rows[::2]] == ["stop", "stop", "left"]
    assert float(rows[1]["score"]) == pytest.approx(model(STOP)[1]["score"], abs=1e-6)


@pytest.mark.parametrize("format", ["text", "csv", "json"])
def test_a_file_gets_what_standard_output_would(format, tmp_path, capsys):
    arguments = ["run", "kws", str(CLIPS), "--format", format]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "out").read_text() == printed
    assert printed.count("clips") == 6


def test_files_that_cannot_be_used_do_not_stop_the_others(tmp_path, capsys):
    (tmp_path / "bad.wav").write_text("no sound")
    bad = str(tmp_path / "bad.wav")
    for format, lines in (("text", 2), ("csv", 3)):
        assert main(["run", "kws", STOP, bad, LEFT, "missing.wav", "--format", format]) == 1
        captured = capsys.readouterr()
        assert len(captured.out.splitlines()) == lines
        said = captured.err.splitlines()
        assert said[0].startswith(f"earshot: {bad}: not a readable audio file")
        assert said[1].startswith("earshot: missing.wav: no such file")
        assert said[2:] == ["earshot: 2 of 4 files cannot be used"]
    assert main(["run", "kws", STOP, bad, "--format", "json", "--out", str(tmp_path / "out.json")]) == 1
    heard, failed = json.loads((tmp_path / "out.json").read_text())
    assert (heard["file"], failed["file"]) == (STOP, bad)
    assert failed["error"].startswith(f"{bad}: not a readable audio file")


def test_an_only_file_that_cannot_be_used_leaves_no_output(tmp_path, capsys):
    (tmp_path / "bad.wav").write_text("no sound")
    for format in ("text", "csv", "json"):
        out = tmp_path / f"out.{format}"
        assert main(["run", "kws", str(tmp_path / "bad.wav"), "--format", format, "--out", str(out)]) == 1
        assert not out.exists()
        assert main(["run", "kws", str(tmp_path / "bad.wav"), "--format", format]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 2


def earshot(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "zoo.cli", *arguments]
    return subprocess.run(command, capture_output=True, cwd=CLIPS.parents[1], **options)


def test_a_pipe_is_heard_beside_files(model):
    done = earshot("run", "kws", "-", STOP, "--format", "json", input=Path(LEFT).read_bytes())
    assert done.returncode == 0, done.stderr
    assert [item["file"] for item in json.loads(done.stdout)] == ["-", STOP]
    assert json.loads(done.stdout)[0]["answers"] == model(LEFT, top=1)
    empty = earshot("run", "kws", "-", input=b"")
    assert (empty.returncode, empty.stdout, empty.stderr.count(b"\n")) == (1, b"", 1)


def test_a_reader_that_stops_early_gives_no_traceback(tmp_path):
    """More clips than a batch, so that output is written after the reader has gone."""
    for index in range(200):
        (tmp_path / f"{index}.wav").write_bytes(Path(STOP).read_bytes())
    command = [sys.executable, "-m", "zoo.cli", "run", "kws", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CLIPS.parents[1]
    ) as process:
        assert "stop" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_names_that_are_not_utf_8_are_made_visible(tmp_path, capsys):
    (tmp_path / "caf\udce9.wav").write_bytes(Path(STOP).read_bytes())
    assert main(["run", "kws", str(tmp_path), STOP]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(STOP)
    assert "caf\\udce9.wav: its name is not UTF-8; rename it" in captured.err


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder that holds no more than the work of a command."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("format", ["text", "csv", "json"])
def test_what_was_heard_is_kept_where_the_answers_cannot_be_written(
    long, work, tmp_path, monkeypatch, capsys, how, format
):
    (tmp_path / "bad.wav").write_text("no sound")
    arguments = ["run", "kws", STOP, long, STOP, str(tmp_path / "bad.wav"), "--format", format, "--out", "answers"]
    assert fails(monkeypatch, how, arguments, cli_run, "write_output") == (1 if how == "full" else None)
    [run] = Path("runs").iterdir()
    if how == "full":
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message == f"earshot: answers: No space left on device; what was made is in {run}: {AGAIN}"
    heard = counted(monkeypatch, zoo.run.model, "hear")
    assert main(arguments) == 1
    assert [files for _, files, *_ in heard] == [[]]
    assert "1 of 4 files cannot be used" in capsys.readouterr().err
    assert not Path("runs").exists()
    after = Path("answers").read_bytes()
    assert main(arguments) == 1
    assert len(heard[1][1]) == 4
    assert Path("answers").read_bytes() == after


DIES = """
import os, signal, sys
import zoo.run.hear
from zoo.cli import main

hear = zoo.run.hear._hear_batch

def dies(*arguments):
    yield from hear(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

zoo.run.hear._hear_batch = dies
sys.exit(main(sys.argv[1:]))
"""


def test_recordings_that_were_heard_before_a_kill_are_not_heard_again(long, work):
    """By the signal itself, behind the answers of the only batch."""
    arguments = ["run", "kws", STOP, long, LEFT]
    killed = subprocess.run([sys.executable, "-c", DIES, *arguments], capture_output=True)
    assert (killed.returncode, len(killed.stdout.splitlines())) == (-9, 5)
    again = subprocess.run([sys.executable, "-c", DIES, *arguments], capture_output=True)  # hears no batch
    assert (again.returncode, again.stdout) == (0, killed.stdout)
    assert not Path("runs").exists()


def test_one_recording_that_cannot_be_used_leaves_no_run(work, capsys):
    Path("bad.wav").write_text("no sound")
    assert main(["run", "kws", "bad.wav", "--out", "answers"]) == 1
    assert [path.name for path in Path().iterdir()] == ["bad.wav"]


def test_another_recording_under_the_same_name_is_heard(work, monkeypatch, capsys):
    Path("clip.wav").write_bytes(Path(STOP).read_bytes())
    arguments = ["run", "kws", "clip.wav", "--out", "answers"]
    assert fails(monkeypatch, "full", arguments, cli_run, "write_output") == 1
    Path("clip.wav").write_bytes(Path(LEFT).read_bytes())
    assert main(arguments) == 0
    assert Path("answers").read_text().split()[1] == "left"


def test_a_folder_is_walked_as_in_training(model, tmp_path, capsys, caplog):
    """Linked folders and AIFF are heard, hidden files are not, and what is not read is said once."""
    far, root = tmp_path / "far", tmp_path / "words"
    (far / "deep").mkdir(parents=True)
    samples, rate = soundfile.read(STOP)
    soundfile.write(far / "stop.aiff", samples, rate)
    soundfile.write(far / "deep" / "stop.wav", samples, rate)
    for name in ("._stop.wav", "stop.m4a", "deep/stop.m4a"):
        (far / name).write_bytes(b"\0")
    root.mkdir()
    (root / "stop").symlink_to(far)
    (far / "back").symlink_to(root)
    assert main(["run", "kws", str(root), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["file"] for item in found] == [str(root / "stop" / name) for name in ("deep/stop.wav", "stop.aiff")]
    assert [item["answers"][0]["label"] for item in found] == ["stop", "stop"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        f"{root}: left out: 2 .m4a (such as stop.m4a), 1 hidden (such as ._stop.wav), "
        "1 link that leads nowhere or back (such as back)"
    )


def test_a_folder_without_recordings_says_what_it_holds(tmp_path, capsys):
    (tmp_path / "stop.m4a").write_bytes(b"\0")
    assert main(["run", "kws", str(tmp_path)]) == 1
    assert "no recordings in this folder, but 1 .m4a (such as stop.m4a); give one" in capsys.readouterr().err


def test_json_is_the_text_of_all_items_at_once(model, long, tmp_path, capsys):
    """Also with a name that JSON escapes, a file that cannot be used, and events."""
    odd = tmp_path / 'tür "1".wav'
    odd.write_bytes(Path(long).read_bytes())
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    for wish, named in (([], {"top": 2}), (["--events"], {"events": 0.5})):
        top = ["--top", "2"] if not wish else []
        files = [str(odd), STOP, str(tmp_path / "bad.wav")]
        assert main(["run", "kws", *files, "--format", "json", *top, *wish]) == 1
        items = [{**one, "error": str(one["error"])} if "error" in one else one for one in model.run(files, **named)]
        assert capsys.readouterr().out == json.dumps(items, indent=1) + "\n"


@pytest.mark.parametrize("data", [Path(STOP).read_bytes(), b"no sound", b""])
def test_standard_input_leaves_no_file(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    status = main(["run", "kws", "-", "--format", "json"])
    found = capsys.readouterr()
    assert list(tmp_path.iterdir()) == []
    assert status == (data[:4] != b"RIFF")
    if status == 0:
        assert json.loads(found.out) == [{**next(iter(zoo.get(task="kws").run(STOP, top=1))), "file": "-"}]
    else:
        assert found.err.startswith("earshot: -: ")


def test_too_much_of_standard_input_leaves_no_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cli_run, "MAX_PIPED_BYTES", 1000)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(1001))))
    assert main(["run", "kws", "-"]) == 1
    assert "-: more than 1,000 bytes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


PEAK = """
import resource, sys
from zoo.cli import main
status = main(sys.argv[1:])
print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def _peak_mb(*command: str, **pipe) -> int:
    done = subprocess.run([sys.executable, "-c", PEAK, "run", "kws", *command], capture_output=True, **pipe)
    status, peak = done.stderr.split()[-2:]
    assert int(status) == 0
    return int(peak)


def test_a_long_recording_on_standard_input_is_not_held(tmp_path):
    """Of 200 MB that are nearly all a chunk that is no sound."""
    sound, size = Path(STOP).read_bytes(), 200_000_000
    junk = b"junk" + size.to_bytes(4, "little")
    with (tmp_path / "wide.wav").open("wb") as file:
        file.write(sound[:4] + (len(sound) + size).to_bytes(4, "little") + sound[8:12] + junk)
        file.seek(size, io.SEEK_CUR)
        file.write(sound[12:])
    with (tmp_path / "wide.wav").open("rb") as file:
        piped = _peak_mb("-", stdin=file)
    assert piped < _peak_mb(STOP) + 60
