"""The pages say what the commands do: console blocks and Python are run, and every name in them exists."""

import ast
import re

import pytest

import docs
import zoo
from pages.names import problems
from pages.text import FIRST, PAGES, blocks, read_pages, with_tables
from zoo.cli.commands import _parser, main

TEXTS = read_pages()
TRAINS = "quantise("
"""In Python that is not run here, since it trains for minutes."""
VALUES = re.compile(r"^(?!\w+ = )(\S.*?)  # ([\[(](?!.*\.\.\.).*[\])])$", re.MULTILINE)
"""Expressions of Python, and the value that a comment gives."""
SEARCHES, SEARCHED = ("earshot search", "--specialize"), r"\bkws(-[a-z]+)+|\b[0-9a-f]{8,12}\b|\[[^]]*\]| *[\d.,]+"
"""Commands whose figures come out of searches in floating point, and what may so differ from machine to machine: names,
supernets, digests, blocks and digits, with the spaces before them, and how many networks a front has."""
FEWER = (
    (re.compile(r"^\$ earshot search .*$", re.MULTILINE), " --evaluations 500"),
    (re.compile(r"^\$ earshot get .* --specialize$", re.MULTILINE), " --family lmu"),
)
"""Commands that search, and how they try less than usual: their figures are not compared."""
REPEATED = re.compile(r"^(.*\n)\1+", re.MULTILINE)


def shown(text: str) -> list[tuple[str, str]]:
    """Every command of a page, with what is shown below it."""
    return [item for block in docs.CONSOLE.findall(text) for item in docs.commands(block)]


@pytest.mark.parametrize("page", [page for page in PAGES if docs.CONSOLE.search(TEXTS[page])])
def test_commands_print_what_is_shown(page, tmp_path):
    text = TEXTS[page]
    for search, fewer in FEWER:
        text = search.sub(lambda found, fewer=fewer: found[0] + fewer, text)
    printed = shown(docs.refreshed(text, tmp_path))
    for (command, expected), (_, made) in zip(shown(text), printed, strict=True):
        if any(part in command for part in SEARCHES):
            made, expected = (REPEATED.sub(r"\1", re.sub(SEARCHED, "#", text)) for text in (made, expected))
        assert f"$ {command}\n{made}" == f"$ {command}\n{expected}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(TEXTS[page], "python")])
def test_python_runs_as_it_stands(page, tmp_path, monkeypatch):
    docs.furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(TEXTS[page], "python"):
        if TRAINS not in block.text:
            exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
            for expression, value in VALUES.findall(block.text):
                assert rounded(eval(expression, names)) == ast.literal_eval(value), expression


def rounded(value):
    """The value with two digits of each score."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return round(value, 2) if isinstance(value, float) else value


def test_every_page_begins_with_what_it_is_for():
    for page, text in TEXTS.items():
        title, purpose = text.split("\n\n")[:2]
        assert title.startswith("# "), page
        assert purpose[0].isalpha(), page
        assert page == FIRST or purpose.startswith("For whoever"), page


def test_what_pages_name_exists():
    assert problems() == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('`pip install -e ".[scripts]"`', "no extra 'scripts'"),
        ("```sh\npip install 'earshot[test, plot]'\n```", "no extra 'plot'"),
        ("```sh\nearshot gte --task kws\n```", "'gte' is not possible"),
        ("```sh\ncat x | earshot run kws - --tops 3 > y\n```", "unknown option --tops"),
        ("```console\n$ earshot list --maximum-flash 3kB\n```", "unknown option --maximum-flash"),
        ("```sh\ntorchrun -m zoo.cli train --data x\n```", "--task"),
        ("`earshot fly`", "no command 'fly'"),
        ("`earshot profile lost`", "no command 'lost'"),
        ("`earshot fit MODEL --every 3`", "no option --every"),
        ("`--max-flahs`", "no option --max-flahs"),
        ("`python scripts/nothing.py`", "no file scripts/nothing.py"),
        ("```sh\npython scripts/study.py peers x --bets 3\n```", "no option --bets of study peers"),
        ("`python scripts/study.py piers`", "no study 'piers'"),
        ("`python scripts/bench.py claim`", "no bench 'claim'"),
        ("`python scripts/study.py --quick`", "no option --quick of scripts/study.py"),
        ("`python\nscripts/docs.py --chock`", "no option --chock of scripts/docs.py"),
        ("zoo/nothing.json says", "no file zoo/nothing.json"),
        ("`zoo.gett()`", "no name zoo.gett"),
        ("`supernet.quant.quantisers.METHOD`", "no name supernet.quant.quantisers.METHOD"),
        ("`zoo.page.machine.plan`", "no name zoo.page.machine.plan"),  # zoo.page is a function
        ("`zoo.export.check(model)`", "zoo.export.check() may fail after `import zoo`"),
        ("`from zoo.export import\nchecks`", "no name zoo.export.checks"),
        ("EARSHOT_HOME", "no setting EARSHOT_HOME"),
        ("[a](nowhere.md)", "no file nowhere.md"),
        ("[a](zoo/README.md#nothing)", "no heading #nothing in zoo/README.md"),
        ("![a](#nothing)", "no heading #nothing in README.md"),
        ("a\n" * 181, "181 lines; the first page has at most 180"),
    ],
)
def test_a_wrong_name_is_told_with_its_line(text, wrong):
    [problem] = problems({FIRST: text})
    assert re.match(r"README\.md:\d+: ", problem)
    assert wrong in problem


@pytest.mark.parametrize(
    "text",
    [
        '`pip install -e ".[test]"`',
        "```sh\nX=1 .venv/bin/earshot get --task kws && earshot run kws x.wav | tee y  # --no-such\n```",
        "```python\nearshot = zoo.get('kws')\n```",
        "`earshot get ... --specialize`, `earshot profile add --help`, `earshot profile list | show`, `--format json`",
        "`zoo.export.check`, `zoo.Hub.entry('x')`, `from zoo.export import Bench, check`, `supernet.data.scenes`",
        "`earshot verify MODEL`, `zoo.get(task='kws')`, `zoo/hub/models/NAME/`, `supernet/families/NAME.py`",
        "`python scripts/study.py peers x --again`, `scripts/bench.py NAME`, `arecord -d 1 | earshot run kws -`",
        "## Here: it is!\n[a](#here-it-is) [b](https://x.org/nothing.md) [c](zoo/clips)",
    ],
)
def test_a_right_name_is_not_told(text):
    assert problems({FIRST: text}) == []


def test_the_tables_of_the_pages_are_those_of_the_results():
    assert with_tables(TEXTS, docs.tables()) == TEXTS, "run python scripts/docs.py"


def test_a_table_goes_into_the_page_that_has_its_marks():
    marks = "\n<!-- a -->\nold\n<!-- end a -->\nafter\n"
    made = with_tables({"one": "no marks\n", "two": "before" + marks}, {"a": "new\n"})
    assert made == {"one": "no marks\n", "two": "before\n<!-- a -->\n\nnew\n\n<!-- end a -->\nafter\n"}
    assert with_tables(made, {"a": "new\n"}) == made
    with pytest.raises(SystemExit, match="no page has a place for b"):
        with_tables(made, {"b": ""})


def test_help_of_every_command_teaches_by_example(capsys):
    for command in re.findall(r"^    (\w+) +", _help([], capsys), re.MULTILINE):
        text = _help([command], capsys)
        assert f"earshot {command}" in text.split("usage:")[1].split("options:")[0], command


def _help(arguments: list[str], capsys) -> str:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*arguments, "--help"])
    return capsys.readouterr().out


def test_names_of_python_are_names_of_the_command():
    commands = next(action.choices for action in _parser()._actions if action.choices)
    assert {"get", "list", "info", "publish", "unpublish", "verify", "sync", "rebuild", "train"} <= set(commands)
    assert all(callable(getattr(zoo, name)) for name in commands if name in zoo.__all__)
