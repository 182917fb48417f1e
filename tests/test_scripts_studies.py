"""Studies and benches: each is found by its file, says its question, and measures what is not there."""

import re
import sys
from pathlib import Path

import pytest

from studies import base, rows

SCRIPTS = Path(__file__).parent.parent / "scripts"
ALL = [(folder, name) for folder in (base.STUDIES, base.BENCHES) for name in folder.questions()]
TOY = '''"""How much is twice a number?

    python scripts/study.py doubled 3
"""

from studies.base import SEED, Study, option, several

CALLS = []


def run(options, rows):
    for way in options.ways:
        rows.once("doubled", {"way": way, "number": options.number, "seed": options.seed}, lambda: measure(options))


def measure(options):
    CALLS.append(options.number)
    return {"twice": 2 * options.number}


def table(found):
    return ["way", "twice"], [[row.way, str(row.twice)] for row in found.read("doubled").itertuples()]


NUMBER = option("number", type=int)
STUDY = Study(__doc__, run, (NUMBER, several("--ways", ("sum", "shift"), "ways"), SEED), {"doubled": table})
'''


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A folder of studies with one file, beside one that is no study."""
    place = tmp_path / "toy_studies"
    place.mkdir()
    (place / "doubled.py").write_text(TOY)
    (place / "helper.py").write_text('"""What studies share."""')
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("toy_studies", "toy_studies.doubled"):  # of the test before
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(base.Folder, "path", property(lambda self: place))
    monkeypatch.setattr(rows, "_commit", lambda: "0123456789")
    return base.Folder("study", "toy_studies")


@pytest.mark.parametrize(("folder", "name"), ALL, ids=[f"{folder.kind}-{name}" for folder, name in ALL])
def test_each_begins_with_its_question_and_has_help(folder, name, capsys):
    study = folder.study(name)
    assert folder.questions()[name].endswith("?")
    assert f"python scripts/{folder.kind}.py {name}" in study.about
    with pytest.raises(SystemExit) as end:
        study.start(["--help"])
    assert end.value.code == 0
    assert folder.questions()[name].split()[0] in capsys.readouterr().out
    for (names, how), what in zip(study.options, study.parser()._actions[1:], strict=False):
        assert how.get("help") or what.help, names


def test_every_study_is_in_a_file_of_its_own():
    assert len(ALL) > 15
    written = {path.stem for path in [*SCRIPTS.glob("studies/*.py"), *SCRIPTS.glob("benches/*.py")]}
    assert written - {name for _, name in ALL} == {
        "__init__", "base", "bundled", "rows", "networks", "peer_nets", "c_networks", "c_programs", "heard", "float_c"
    }  # fmt: skip


def test_a_new_file_is_a_new_study_that_resumes(toys, tmp_path, capsys):
    """Listed by its question, run with its options, measured once for each way."""
    assert toys.questions() == {"doubled": "How much is twice a number?"}
    study, folder = toys.study("doubled"), tmp_path / "results"
    calls = sys.modules["toy_studies.doubled"].CALLS
    study.start(["3", "--ways", "sum"], folder=folder)
    study.start(["3"], folder=folder)
    assert calls == [3, 3]
    study.start(["3"], folder=folder)
    assert calls == [3, 3]
    study.start(["3", "--again"], folder=folder)
    assert calls == [3] * 4
    assert study.tables["doubled"](rows.Rows(folder)) == (["way", "twice"], [["shift", "6"], ["sum", "6"]])
    base.main(toys, "About.", [])
    assert re.search(r"^About\.\ndoubled +How much is twice a number\?$", capsys.readouterr().out, re.MULTILINE)


def test_a_study_that_is_none_is_told_with_those_that_are(toys, capsys):
    with pytest.raises(SystemExit) as end:
        base.main(toys, "", ["halved"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "study: no study 'halved'; there are doubled\n"


def test_a_wrong_folder_of_data_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=rf"^study peers: {tmp_path}/missing\S*: no such folder; give [^\n]*$"):
        base.main(base.STUDIES, "", ["peers", str(tmp_path / "missing")])


def test_without_pandas_a_study_of_rows_is_one_line_before_any_work(toys, monkeypatch):
    calls = sys.modules[toys.study("doubled").run.__module__].CALLS
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SystemExit, match=r"^study doubled: this needs pandas, which is not installed: [^\n]* install "):
        base.main(toys, "", ["doubled", "3"])
    assert calls == []


def test_a_study_whose_packages_are_not_installed_is_one_line(toys, monkeypatch):
    (toys.path / "doubled.py").write_text(TOY.replace("CALLS = []", "import torch\n\nCALLS = []"))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match=r"^study doubled: this needs torch, which is not installed: [^\n]* install "):
        base.main(toys, "", ["doubled", "3"])


def test_look_ups_are_timed_on_made_up_models(tmp_path, monkeypatch):
    from benches import lookup

    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path / "cache"))
    lookup._write(tmp_path / "index.json", 400)
    taken = lookup._worker(tmp_path)
    assert {"load_ms", "best_ms", "none_ms", "list_ms"} < set(taken)
    assert all(value > 0 for value in taken.values())
