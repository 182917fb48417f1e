"""What is built for others: the source archive, a wheel made from it, and that wheel installed elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import zoo

ROOT = Path(__file__).parent.parent
PACKAGES = ("supernet", "predictors", "search", "zoo")
SOURCES = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "scripts", "tests", *PACKAGES)
NOTICE = "zoo/NOTICE.md"


def _run(*command, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_made_from_the_source_archive_runs_elsewhere_with_the_bundled_hub(tmp_path):
    tree, built, place = (tmp_path / name for name in ("tree", "built", "place"))
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        tree.mkdir(exist_ok=True)
        copy(ROOT / name, tree / name)
    backend = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"
    _run(sys.executable, "-c", backend, "build_sdist", built, cwd=tree)
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "source", filter="data")
    [source] = (tmp_path / "source").iterdir()
    for name in ("scripts", "tests"):
        files = {path.relative_to(ROOT) for path in (ROOT / name).rglob("*.*") if "__pycache__" not in path.parts}
        assert [path for path in sorted(files) if not (source / path).exists() and path.name != ".lock"] == []
    _run(sys.executable, "-c", backend, "build_wheel", built, cwd=source)
    [wheel] = built.glob("*.whl")
    _run(
        sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", place, wheel, cwd=tmp_path
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import zoo; print(zoo.__file__); print(len(zoo.list()));"
        "m = zoo.get('kws', bits=4); print(m(sys.argv[1] + '/zoo/clips/stop.wav')[0]['label']);"
        "print({one.problem for one in zoo.verify(m.path)})"
    )
    where, models, label, problems = _run(sys.executable, "-c", code, place, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(place)
    assert (int(models), label, problems) == (len(zoo.Hub().index), "stop", "{None}")
    files = [path for path in (ROOT / "zoo" / "hub").rglob("*") if path.is_file() and path.name[0] != "."]
    bundled = {path.relative_to(ROOT) for path in files}
    assert len(bundled) > 100
    assert {path for path in bundled if not (place / path).is_file()} == set()
    [about] = place.glob("*.dist-info")
    assert (about / "licenses" / NOTICE).read_bytes() == (ROOT / NOTICE).read_bytes()
    assert Distribution.at(about).metadata["License-Expression"] == _project()["license"]


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _licences() -> dict[tuple[str, str], set[str]]:
    """The tasks of all bundled models and supernets by licence, as SPDX has it, and attribution."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in (ROOT / "zoo" / "hub").glob("*/*/config.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        tasks = values["tasks"] if "tasks" in values else [values["task"]]
        named = f"LicenseRef-{tasks[0]}" if values["licence"] == "other" else values["licence"].upper()
        found.setdefault((named, values["attribution"]), set()).update(tasks)
    return found


def test_the_notice_names_the_licence_and_the_attribution_of_all_that_is_bundled():
    rows = [
        f"| {', '.join(f'`{task}`' for task in sorted(tasks))} | {licence} | {attribution} |"
        for (licence, attribution), tasks in _licences().items()
    ]
    text = (ROOT / NOTICE).read_text(encoding="utf-8")
    assert sorted(rows) == sorted(line for line in text.splitlines() if line.startswith("| `"))
    licences = sorted({licence for licence, _ in _licences()})
    assert all(f"- {licence}: " in text or f"; {licence}, " in text for licence in licences)
    assert _project()["license"] == " AND ".join(["Apache-2.0", *licences])


def test_the_first_page_cites_the_version():
    assert f"version = {{{_project()['version']}}}" in (ROOT / "README.md").read_text(encoding="utf-8")
