"""Try Earshot with the oldest and the newest packages that its ranges allow, and with a CPU build of torch.

    python scripts/installs.py                              # all; half an hour, and some 15 GB under a temporary folder
    python scripts/installs.py light newest --keep envs     # some of them, in a folder that stays
    python scripts/installs.py cpu --cpu torch==2.13.0      # where this is a CPU build in pip's own index

Each is a fresh virtual environment: what pip brings into it, its size and seconds, whether torchaudio loads beside its
torch, and what the tests say. Rows go to `scripts/results/installs.csv`; those of other machines and days stay.
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
from pathlib import Path

from results import add_row

ROOT = Path(__file__).resolve().parent.parent
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
COUNTS = re.compile(r"(\d+) (passed|failed|error|skipped)")


def main() -> None:
    """Make the environments one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environments", nargs="*", metavar="NAME", help=f"of {', '.join(ENVIRONMENTS)} (default: all)")
    parser.add_argument("--cpu", default=CPU_BUILD, metavar="ARGUMENTS", help="of pip, for a CPU build (%(default)s)")
    parser.add_argument("--keep", metavar="FOLDER", help="of the environments (default: a temporary one)")
    parser.add_argument("--tests", default="", metavar="ARGUMENTS", help="of pytest (default: all tests)")
    options = parser.parse_args()
    names = options.environments or list(ENVIRONMENTS)
    for name in names:
        if name not in ENVIRONMENTS:
            parser.error(f"unknown environment {name!r}: give some of {', '.join(ENVIRONMENTS)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            row = tried(name, Path(options.keep or folder) / name, options.cpu, shlex.split(options.tests))
            add_row("installs", {"environment": name, "python": ".".join(map(str, sys.version_info[:2]))}, row)
            print(name, row)


def tried(name: str, folder: Path, cpu: str, tests: list[str]) -> dict:
    """What an environment holds, what it took, and what works in it."""
    began = time.monotonic()
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    for arguments in installs(name, folder, cpu):
        subprocess.run([python, "-m", "pip", "install", "-q", *arguments], cwd=ROOT, check=True)
    taken = {"seconds": round(time.monotonic() - began), "megabytes": megabytes(folder)}
    about = subprocess.run([python, "-c", ABOUT], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    subprocess.run([python, *LOOK_UP], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return {**json.loads(about), **taken, **({} if name == "light" else run_tests(python, tests))}


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
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = project["optional-dependencies"]
    return [line for extra in extras for line in own[extra]] if extras else project["dependencies"]


def lower_ends() -> list[str]:
    """Every range pinned to its lower end."""
    lines = requirements() + requirements("predict", "plots", "train", "rooms", "test")
    return [line.replace(">=", "==") for line in lines if not line.startswith("earshot")]


def run_tests(python: str, arguments: list[str]) -> dict:
    """How many tests pass, fail and are skipped, and their seconds."""
    began = time.monotonic()
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    last = done.stdout.strip().rpartition("\n")[2]
    counts = {kind: int(count) for count, kind in COUNTS.findall(last)}
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
    failed = counts.get("failed", 0) + counts.get("error", 0)
    return {"passed": counts.get("passed", 0), "failed": failed, "skipped": counts.get("skipped", 0),
            "test_seconds": round(time.monotonic() - began)}  # fmt: skip


def megabytes(folder: Path) -> int:
    """Of all files in a folder."""
    return round(sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


if __name__ == "__main__":
    main()
