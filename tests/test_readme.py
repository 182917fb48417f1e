"""The README says what the commands really do: its console blocks are run, its Python too, and every option exists."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from zoo.cli import _parser, main

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```\n", TEXT, re.DOTALL)
SHELL = re.findall(r"```sh\n(.*?)```\n", TEXT, re.DOTALL)
TRAINS = "quantise("
"""In Python that is not run here, since it trains for minutes."""
SEARCHES = "earshot search", "--specialize"
"""Commands whose figures come out of searches in floating point: their digits may differ from machine to machine."""

spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts" / "readme.py")
readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readme)


def shown(text: str) -> list[tuple[str, str]]:
    """Every command of a console block, with what is shown below it."""
    return [item for block in readme.BLOCK.findall(text) for item in readme.commands(block)]


def test_commands_print_what_is_shown(tmp_path):
    printed = shown(readme.refreshed(TEXT, tmp_path))
    assert len(printed) > 20
    for (command, expected), (_, made) in zip(shown(TEXT), printed, strict=True):
        if any(part in command for part in SEARCHES):
            made, expected = (re.sub(r"-[0-9a-f]{8}\b|[\d.,]+", "#", text) for text in (made, expected))
        assert f"$ {command}\n{made}" == f"$ {command}\n{expected}"


@pytest.mark.parametrize("line", [line for block in SHELL for line in block.splitlines() if line.startswith("earshot")])
def test_a_shell_line_has_options_that_there_are(line):
    options = _parser().parse_args(shlex.split(line, comments=True)[1:])
    assert callable(options.command)


def test_python_runs_as_it_stands(tmp_path, monkeypatch):
    readme.furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {"features": torch.zeros(2, 40, 100), "evaluate": lambda genes: np.zeros(len(genes))}
    for block in PYTHON:
        if TRAINS not in block:
            exec(compile(block, "README.md", "exec"), names)
    assert names["model"].figure.latency_ms <= 30


def test_help_of_every_command_teaches_by_example(capsys):
    for command in re.findall(r"^    (\w+) +", _help([], capsys), re.MULTILINE):
        text = _help([command], capsys)
        assert f"earshot {command}" in text.split("usage:")[1].split("options:")[0], command


def _help(arguments: list[str], capsys) -> str:
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    return capsys.readouterr().out


def test_names_of_python_are_names_of_the_command():
    commands = next(action.choices for action in _parser()._actions if action.choices)
    assert {"get", "list", "info", "publish", "unpublish", "verify", "sync", "rebuild", "train"} <= set(commands)
    assert all(callable(getattr(zoo, name)) for name in commands if name in zoo.__all__)
