"""The light install: what works without the packages of extras, and one line with a command for what does not."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from named import smallest

import zoo
from supernet.errors import InvalidPackage, MissingExtra
from supernet.extras import EXTRAS, has, lazy_names, load, need
from zoo.cli import main
from zoo.make import renew

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("torch", "torchaudio", "pyroomacoustics", "pandas", "sklearn", "scipy", "threadpoolctl", "matplotlib", "PIL")
DEVICE = "stm32f746-tflm-cmsis-nn"
MODEL = smallest(8)
RUN = """
import contextlib, io, json, sys
heavy, commands = json.load(sys.stdin)
sys.modules.update(dict.fromkeys(heavy))  # importing one fails as where it is not installed
from zoo.cli import main
done = []
for command in commands:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(command)
    done.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""


def without(heavy: tuple[str, ...], *commands: list[str]) -> list[tuple[int, str, str]]:
    """Exit status, output and messages of commands where packages are not installed."""
    asked = json.dumps([heavy, commands])
    code = [sys.executable, "-W", "error", "-c", RUN]
    done = subprocess.run(code, input=asked, capture_output=True, text=True, cwd=ROOT, check=True)
    return [tuple(one) for one in json.loads(done.stdout)]


def test_all_but_training_and_tables_works_without_any_extra(tmp_path, capsys):
    classes = tmp_path / "classes"
    for word in ("stop", "left"):
        (classes / word).mkdir(parents=True)
        shutil.copy(ROOT / "zoo" / "clips" / f"{word}.wav", classes / word)
    hub, package = str(tmp_path / "hub"), str(zoo.Hub().path(zoo.Hub().entry(MODEL)))
    commands = [
        ["get", "--task", "kws", "--max-ops", "20e6", "--bits", "4"],
        ["get", "--task", "kws", "--device", "stm32f746-tflm-cmsis-nn", "--max-latency-ms", "30", "--format", "json"],
        ["list", "--task", "kws", "--format", "csv"],
        ["info", MODEL],
        ["cost", MODEL],
        ["verify", MODEL],
        ["sync", str(zoo.Hub().folder), hub, "--name", MODEL],
        ["publish", package, "--hub", hub],
        ["rebuild", hub],
        ["verify", hub],
        ["unpublish", MODEL, "--hub", hub],
        ["run", "kws", "zoo/clips/stop.wav"],
        ["run", "kws", "zoo/clips/stop.wav", "--events"],
        ["evaluate", "kws", str(classes), "--conditions", "clean", "noise-10"],
        ["fit", "kws", "--device", DEVICE],
    ]
    found = without(HEAVY, *commands)
    assert [status for status, _, _ in found] == [0] * len(commands), found
    said = {command[0]: error for command, (_, _, error) in zip(commands, found, strict=True) if error}
    assert "figures by device were not made anew: this needs torch" in said.pop("publish").replace("; ", ": ")
    assert f"{MODEL}: holds" in found[5][1]
    assert said == {}
    [answer] = zoo.get("kws")("zoo/clips/stop.wav", top=1)
    assert found[11][1] == f"zoo/clips/stop.wav\tstop {answer['score']:.3f}\n"
    assert "accuracy 100.00%" in found[13][1]
    assert main(["fit", "kws", "--device", DEVICE]) == 0
    assert capsys.readouterr().out == found[14][1]
    assert found[2][1].count("\n") == 1 + len(zoo.find("kws"))


def test_esc_50_is_evaluated_without_any_extra(tmp_path):
    """In all conditions but rooms, too, which it says."""
    (tmp_path / "meta").mkdir()
    (tmp_path / "audio").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for number, label in enumerate(zoo.get("esc10").knows):
        soundfile.write(tmp_path / "audio" / f"5-{number}.flac", np.sin(np.arange(8000) * 0.1 * (number + 1)), 16_000)
        rows.append(f"5-{number}.wav,5,{7 * number},{label},True,{number},A")
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join(rows))
    command = ["evaluate", "esc10", str(tmp_path), "--split", "fold5"]
    [plain, varied] = without(HEAVY, command, [*command, "--conditions"])
    assert (plain[0], plain[2]) == (0, "")
    assert "of 10" in plain[1]
    assert varied[0] == 0
    assert re.fullmatch(r".*not measured in rooms; this needs pyroomacoustics.*\n", varied[2])
    assert "late-200" in varied[1]


TRAIN = [
    ["train", "--data", "none", "--task", "doors"],
    ["search", "--task", "kws"],
    ["predictor", "none", "--data", "none"],
    ["measure", "--device", "host", "--out", "none.csv"],
    ["get", "--task", "kws", "--max-flash", "1kB", "--specialize"],
    ["publish", "none", "--hub", "none", "--data", "none"],
]
PREDICT = [["profile", "list"], ["profile", "add", "mine", "none.csv"]]


def told(error: str, package: str, extra: str) -> bool:
    """True for one line that names the package, this interpreter and the extra of the installed version, or the package
    where pip knows no such extra.
    """
    line = f"earshot: this needs {package}, which is not installed: {sys.executable} -m pip install "
    own = rf'"earshot\[{extra}\]==[\w.]+"'
    return re.fullmatch(rf"{re.escape(line)}({own}|{package})\n", error) is not None


def test_what_lacks_an_extra_says_so_in_one_line_with_the_command():
    commands = [*TRAIN, *PREDICT]
    for command, (status, out, error) in zip(commands, without(HEAVY, *commands), strict=True):
        package, extra = ("pandas", "predict") if command in PREDICT else ("torch", "train")
        assert (status, out) == (1, ""), command
        assert told(error, package, extra), (command, error)


@pytest.mark.parametrize(("hidden", "package"), [("pandas", "pandas"), ("sklearn", "scikit-learn"), ("PIL", "pillow")])
def test_one_package_that_is_missing_is_told_before_any_work(hidden, package):
    for command, (status, out, error) in zip(TRAIN, without((hidden,), *TRAIN), strict=True):
        assert (status, out) == (1, ""), command
        assert told(error, package, "train"), (command, error)


def test_a_picture_is_refused_before_the_work_where_nothing_draws():
    [(status, _, error)] = without(("matplotlib",), ["evaluate", "kws", "zoo/clips", "--plot", "confusion.png"])
    assert status == 1
    assert told(error, "matplotlib", "plots")


def test_a_package_is_published_under_its_own_name_and_never_with_figures_that_cannot_be_read(tmp_path, monkeypatch):
    entry = zoo.Hub().entry(MODEL)
    package, hub = tmp_path / "elsewhere" / MODEL, tmp_path / "hub"
    shutil.copytree(zoo.Hub().path(entry), package)
    monkeypatch.setattr(renew, "TRAINING", ("no_such_package",))
    monkeypatch.setattr(renew, "lacking", lambda *_: None)
    monkeypatch.chdir(package)
    assert [one.name for one in zoo.publish(".", hub).entries] == [MODEL]
    assert {one.problem for one in zoo.verify(hub)} == {None}
    (package / "costs.json").write_text('{"x": 1}')
    with pytest.raises(InvalidPackage, match="costs"):
        zoo.publish(package, tmp_path / "other")
    assert not (tmp_path / "other" / "models").exists()


@pytest.mark.parametrize(("package", "extra"), EXTRAS.items())
def test_every_package_is_brought_by_the_extra_that_is_named(package, extra):
    names = {re.split(r"[<>=\[]", line)[0] for line in PROJECT["optional-dependencies"][extra]}
    known = {"sklearn": "scikit-learn", "PIL": "pillow", "tflite_micro": "tflite-micro"}
    assert known.get(package, package) in names


def test_no_range_has_an_upper_bound_and_every_one_a_lower():
    extras = PROJECT["optional-dependencies"].values()
    lines = [line for lines in (PROJECT["dependencies"], *extras) for line in lines if not line.startswith("earshot")]
    assert len(lines) > 15
    assert [line for line in lines if not re.fullmatch(r"[a-z-]+>=[\d.]+(dev\d+)?(; .+)?", line)] == []


def test_pip_is_never_led_to_the_project_that_has_the_name_on_pypi(tmp_path, monkeypatch):
    """With the version, pip keeps this Earshot or fails; without, it may take the other project in its place."""
    monkeypatch.setitem(sys.modules, "torch", None)
    folder = tmp_path / "earshot-7.8.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: earshot\nVersion: 7.8\nProvides-Extra: train\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingExtra, match=r'pip install "earshot\[train\]==7\.8"$'):
        need("torch")
    shutil.rmtree(folder)
    with pytest.raises(MissingExtra, match=r"pip install torch$"):
        need("torch")


def test_what_is_there_is_loaded_and_what_is_not_is_named(monkeypatch):
    assert has("json", "numpy")
    need("json", "numpy")
    assert load("supernet.frontend.tables").hann_window(4)[2] == 1
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("no_such_module")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert not has("numpy", "sklearn")
    with pytest.raises(MissingExtra, match="needs scikit-learn, which is not installed"):
        need("numpy", "sklearn")
    assert issubclass(MissingExtra, ImportError)


def test_one_extra_is_named_for_all_that_lacks(monkeypatch):
    """That of ESPHome brings those of TFLite, which would otherwise be asked for first."""
    for package in ("flatbuffers", "tflite", "tflite_micro"):
        monkeypatch.setitem(sys.modules, package, None)
    for packages, extra in (
        (("flatbuffers", "tflite"), "tflite"),
        (("flatbuffers", "tflite", "tflite_micro"), "esphome"),
    ):
        with pytest.raises(MissingExtra, match=rf"needs flatbuffers.*(earshot\[{extra}\]|install flatbuffers$)"):
            need(*packages)


def test_lazy_names_are_those_that_are_named():
    get = lazy_names("here", {"hann_window": "supernet.frontend.tables"})
    assert get("hann_window")(4)[2] == 1
    with pytest.raises(AttributeError, match="module 'here' has no attribute 'nothing'"):
        get("nothing")
