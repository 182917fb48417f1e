"""Does Earshot work with the oldest and the newest packages that its ranges allow, and with a CPU build of torch?

    python scripts/study.py installs                            # all; half an hour, some 15 GB in a temporary folder
    python scripts/study.py installs light newest --keep envs   # some of them, in a folder that stays
    python scripts/study.py installs cpu --cpu torch==2.13.0    # where this is a CPU build in pip's own index

Each is a fresh virtual environment: what pip brings into it, its size and seconds, whether torchaudio loads beside its
torch, and what the tests say. Rows: `installs.csv`, one an environment and Python.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from functools import partial
from pathlib import Path

from studies.base import Shown, Study, option
from studies.rows import NoRows, Rows

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENTS = ("light", "oldest", "newest", "cpu", "cpu-torchaudio")
"""Without extras; every range at its lower end; pip's choice; a CPU build of torch alone, and with torchaudio."""
CPU_BUILD = "torch --index-url https://download.pytorch.org/whl/cpu"
LOOK_UP = ("-m", "zoo.cli", "get", "--task", "kws", "--max-ops", "20e6", "--bits", "4")
ABOUT = """
import importlib.metadata as about, json, sys
versions = {name: next((one.version for one in about.distributions(name=name)), "") for name in ("torch", "torchaudio")}
loads = ""
if versions["torchaudio"]:
    try:
        import torchaudio
        loads = "yes"
    except Exception as error:
        loads = "no"
print(json.dumps({**versions, "torchaudio_loads": loads}))
"""
TABLE, COLUMNS = "installs", ("passed", "failed", "skipped", "test_seconds")
COUNTS = re.compile(r"(\d+) (passed|failed|error|skipped)")


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Make the environments one after another."""
    with tempfile.TemporaryDirectory() as folder:
        for name in options.environments or ENVIRONMENTS:
            place = Path(options.keep or folder) / name
            keys = {"environment": name, "python": ".".join(map(str, sys.version_info[:2]))}
            rows.once(TABLE, keys, partial(_row, name, place, options, rows))


def _row(name: str, place: Path, options: argparse.Namespace, rows: Rows) -> dict:
    taken = kept(name, rows) if options.tests_only else installed(name, place, options.cpu)
    return {**taken, **tried(name, place, shlex.split(options.tests))}


def kept(name: str, rows: Rows) -> dict:
    """What the last row of an environment says of its installation."""
    try:
        table = rows.read(TABLE)
    except NoRows:
        return {}
    own = table[table["environment"] == name].to_dict("records")
    return {name: int(own[0][name]) for name in ("seconds", "megabytes")} if own else {}


def installed(name: str, folder: Path, cpu: str) -> dict:
    """Make an environment; returns what that took."""
    began = time.monotonic()
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    for arguments in installs(name, folder, cpu):
        subprocess.run([python, "-m", "pip", "install", "-q", *arguments], cwd=ROOT, check=True)
    return {"seconds": round(time.monotonic() - began), "megabytes": megabytes(folder)}


def tried(name: str, folder: Path, tests: list[str]) -> dict:
    """What an environment holds, and what works in it."""
    python = str(folder / "bin" / "python")
    about = subprocess.run([python, "-c", ABOUT], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    subprocess.run([python, *LOOK_UP], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    if name == "light":
        return {**json.loads(about), **dict.fromkeys(("tests", *COLUMNS), "")}
    which = "part" if any(map(is_test, tests)) else "all"
    return {**json.loads(about), "tests": which, **run_tests(python, tests)}


def installs(name: str, folder: Path, cpu: str) -> list[list[str]]:
    """Arguments of `pip install`, one list a call."""
    whole = ["-e", ".[test]"]
    if name == "light":
        return [["-e", "."]]
    if name == "oldest":
        (folder / "oldest.txt").write_text("\n".join(lower_ends()))
        return [[*whole, "-c", str(folder / "oldest.txt")]]
    if name == "newest":
        return [whole]
    extras = requirements("predict", "plots", "rooms", "test")
    wanted = [line for line in extras if not line.startswith("earshot")]
    return [shlex.split(cpu), ["-e", ".", *wanted], *[["torchaudio"]] * (name == "cpu-torchaudio")]


def requirements(*extras: str) -> list[str]:
    """Lines of `pyproject.toml`: of extras, or without any those that are always installed."""
    own = project()["optional-dependencies"]
    return [line for extra in extras for line in own[extra]] if extras else project()["dependencies"]


def project() -> dict:
    """What `pyproject.toml` says of the project."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lower_ends() -> list[str]:
    """Every range pinned to its lower end, those of all extras."""
    lines = requirements() + requirements(*project()["optional-dependencies"])
    return list(dict.fromkeys(line.replace(">=", "==") for line in lines if not line.startswith("earshot")))


def is_test(argument: str) -> bool:
    """True where an argument of pytest names tests to run."""
    return not argument.startswith("-")


def run_tests(python: str, arguments: list[str]) -> dict:
    """How many tests pass, fail and are skipped, and their seconds."""
    began = time.monotonic()
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    last = done.stdout.strip().rpartition("\n")[2]
    counts = {kind: int(count) for count, kind in COUNTS.findall(last)}
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
    if not counts:
        raise SystemExit(f"pytest ended with {done.returncode} and counted nothing")
    failed = counts.get("failed", 0) + counts.get("error", 0)
    values = counts.get("passed", 0), failed, counts.get("skipped", 0), round(time.monotonic() - began)
    return dict(zip(COLUMNS, values, strict=True))


def megabytes(folder: Path) -> int:
    """Of all files in a folder."""
    return round(sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


def table_of_environments(found: Rows) -> Shown:
    """What fresh environments hold, and what the tests say in them."""
    shown = {
        "environment": "environment", "torch": "torch", "torchaudio": "torchaudio", "torchaudio_loads": "it loads",
        "megabytes": "MB", "seconds": "seconds", "tests": "tests", "passed": "passed", "failed": "failed",
        "skipped": "skipped",
    }  # fmt: skip
    table = found.read(TABLE, dtype=str, keep_default_na=False)
    counts = ["megabytes", "seconds", "passed", "failed", "skipped"]
    table[counts] = table[counts].replace(r"\.0$", "", regex=True)
    return list(shown.values()), table[list(shown)].values.tolist()


STUDY = Study(
    __doc__,
    run,
    (
        option("environments", nargs="*", choices=ENVIRONMENTS, metavar="NAME", help="default: all"),
        option("--cpu", default=CPU_BUILD, metavar="ARGUMENTS", help="of pip, for a CPU build (%(default)s)"),
        option("--keep", metavar="FOLDER", help="of the environments (default: a temporary one)"),
        option("--tests-only", action="store_true", help="only test those that --keep has, without installing"),
        option("--tests", default="", metavar="ARGUMENTS", help="of pytest (default: all tests)"),
    ),
    tables={TABLE: table_of_environments},
)
