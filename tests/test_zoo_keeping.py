"""What long work has made is kept: notes on errors, folders of runs, and values that are not made twice."""

import errno
import os
from argparse import Namespace
from pathlib import Path

import pytest

from supernet.errors import HubUnavailable, InvalidAudio, InvalidQuery
from zoo.keeping import (
    LAST_STEP,
    RUNS,
    Kept,
    check_folder,
    command_run,
    file_state,
    going_on,
    options_of,
    publish_command,
    with_notes,
    writable,
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def raised(error: BaseException, *places, **options) -> str:
    with pytest.raises(type(error)) as caught, going_on(*places, **options):
        raise error
    return with_notes(caught.value, str(caught.value))


def stopped(command: str, wish: dict, error: Exception) -> tuple[Path | None, Exception]:
    """The run of a command that fails when it has made something, and the error."""
    try:
        with command_run(command, wish) as run:
            Kept(run and run / "x").take(1, lambda: 2)
            raise error
    except type(error) as caught:
        return run, caught


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt("full"), HubUnavailable("full")])
def test_an_error_of_the_outside_tells_how_to_go_on(error):
    Path("run").mkdir()
    assert raised(error, "run") == "full"  # nothing was made
    Path("run/state").touch()
    assert raised(error, "run", "none") == (
        "full; what was made is in run: run the same command again, which goes on from there"
    )
    assert raised(error, "other").count(";") == 1  # a note that is there stays the only one


def test_an_error_of_what_was_given_tells_nothing_but_in_the_last_step():
    Path("made").touch()
    assert raised(InvalidQuery("wrong"), "made") == "wrong"
    assert raised(InvalidQuery("wrong"), "made", how="do this", errors=LAST_STEP) == (
        "wrong; what was made is in made: do this"
    )


def test_commands_can_be_given_to_a_shell():
    assert publish_command([Path("runs/my doors/packages/*"), "a"], "my hub") == (
        "`earshot publish 'runs/my doors/packages'/* a --hub 'my hub'`"
    )


def test_a_folder_that_cannot_be_written_is_told():
    Path("file").touch()
    assert writable("new/folder")
    assert not writable("file")
    assert not writable("file/folder")
    check_folder("--out", None)
    check_folder("--out", "new")
    with pytest.raises(InvalidQuery, match="--out file/x: not a folder that can be written; give another"):
        check_folder("--out", "file/x")
    assert not Path("new").exists()


def test_the_run_of_a_command_is_taken_away_when_all_went_well():
    wish = options_of(Namespace(command=print, files=["\udcff"], seed=0))
    assert wish == {"files": ["\udcff"], "seed": 0}
    run, error = stopped("search", wish, OSError("full"))
    assert error.__notes__ == [f"what was made is in {run}: run the same command again, which goes on from there"]
    with command_run("search", {**wish, "seed": 1}) as other:
        assert other != run
    with command_run("search", wish) as again:
        assert again == run
        assert Kept(run / "x").take(1, lambda: pytest.fail("made again")) == 2
    assert not RUNS.exists()


def test_a_folder_that_was_given_stays():
    with command_run("search", {}, "mine") as run:
        Kept(run / "x").take(1, lambda: 2)
    assert Path("mine/x").is_file()


@pytest.mark.parametrize("error", [BrokenPipeError(), InvalidAudio("torn")])
def test_what_need_not_go_on_leaves_nothing(error):
    stopped("run", {}, error)
    assert not RUNS.exists()


def test_without_a_folder_that_can_be_written_nothing_is_kept():
    RUNS.touch()
    run, error = stopped("search", {}, OSError("full"))
    assert run is None
    assert not hasattr(error, "__notes__")


def test_values_are_made_once_and_come_back_in_order(tmp_path):
    kept = Kept("run/kept")
    assert kept.take({"of": 1}, lambda: {"a": (1, 2.5)}) == {"a": [1, 2.5]}
    assert list(kept.each([2, 3, 2], "xyx", lambda new: map(str.upper, new))) == ["X", "Y", "X"]
    with Path("run/kept").open("a") as file:
        file.write('\n["torn')
    Kept("run/kept").take(4, lambda: "Z")
    made = []
    again = Kept("run/kept").each([5, 4, 3, 2], "abcd", lambda new: made.extend(new) or map(str.upper, new))
    assert list(again) == ["A", "Z", "Y", "X"]
    assert made == ["a"]
    assert Kept("run/kept").take({"of": 1}, lambda: pytest.fail("made again")) == {"a": [1, 2.5]}


def test_a_file_that_cannot_be_written_costs_time_alone(monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    assert Kept("kept").take(1, lambda: 2) == 2
    assert not Path("kept").exists()


def test_a_file_that_was_changed_is_another():
    Path("a").write_text("1")
    before = file_state("a")
    assert file_state(Path("a")) == before
    Path("a").write_text("12")
    assert file_state("a") != before
    assert file_state("none") == ["'none'"]
    assert file_state("a\0") == [ascii("a\0")]
    assert file_state(b"1") != file_state(b"2")
