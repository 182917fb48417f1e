"""Whether everything that the pages name exists.

`problems()` gives one line for each wrong name: an extra, a command, an option, a script, a study, a file, a name of
Python, a setting, a link or an anchor that does not exist. `python scripts/docs.py --check` prints them, the tests run
it too.
"""

from __future__ import annotations

import ast
import io
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pages.text import FENCE, FIRST, ROOT, Block, blocks, line_of, read_pages, spans
from studies.base import BENCHES, STUDIES, Folder

__all__ = ["MOST_LINES", "problems"]

MOST_LINES = 180
"""Of the first page, so that a newcomer reads all of it."""
PACKAGES = ("zoo", "supernet", "predictors", "search")
SHELL = ("sh", "console", "text", "")
"""Languages of blocks that may hold commands; in `console` they stand behind `$ `."""
EXTRA = re.compile(r"(?:\bearshot|\.)\[([a-z, -]+)\]")
SCRIPT = re.compile(r"\bscripts/\w+\.py\b")
FILE = re.compile(r"(?<![\w./])(?:zoo|supernet|predictors|search|scripts|tests)/[\w./-]+\.[a-z]\w*(?![\w-])")
DOTTED = re.compile(rf"(?P<name>(?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?P<call>\(?)")
IMPORT = re.compile(rf"from (?P<module>(?:{'|'.join(PACKAGES)})[.\w]*) import (?P<names>\w+(?:, \w+)*)")
SETTING = re.compile(r"\bEARSHOT_[A-Z]+\b")
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
OPERATORS = set("|&;<>()")
FOLDERS = {f"scripts/{one.kind}.py": one for one in (STUDIES, BENCHES)}


def problems(pages: dict[str, str] | None = None) -> list[str]:
    """What pages name that does not exist, as `PAGE:LINE: what`. pages: text by path (default: all, as they are)."""
    pages = read_pages() if pages is None else pages
    found = [(page, *problem) for page, text in pages.items() for problem in _page_problems(page, text, pages)]
    return [f"{page}:{line}: {what}" for page, line, what in sorted(set(found))]


Problems = Iterator[tuple[int, str]]
"""Lines, and what is wrong there."""


def _page_problems(page: str, text: str, pages: dict[str, str]) -> Problems:
    if page == FIRST and (count := len(text.splitlines())) > MOST_LINES:
        yield count, f"{count} lines; the first page has at most {MOST_LINES}"
    yield from _missing(text, EXTRA, _wrong_extra)
    yield from _missing(text, FILE, _wrong_file)
    yield from _missing(text, SETTING, _wrong_setting)
    yield from _wrong_links(page, text, pages)
    for block in blocks(text, *SHELL):
        yield from _wrong_lines(block)
    for span in spans(text):
        yield from ((span.line, what) for what in _wrong_span(span.text))


def _missing(text: str, pattern: re.Pattern, wrong) -> Problems:
    for match in pattern.finditer(text):
        yield from ((line_of(text, match.start()), what) for what in wrong(match))


def _wrong_extra(match: re.Match) -> list[str]:
    names = [name.strip() for name in match[1].split(",")]
    return [f"no extra {name!r} in pyproject.toml" for name in names if name not in _extras()]


@cache
def _extras() -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"])


def _wrong_file(match: re.Match) -> list[str]:
    """A name in capitals stands for any."""
    path = ROOT / match[0]
    return [] if path.exists() or path.stem.isupper() else [f"no file {match[0]}"]


def _wrong_setting(match: re.Match) -> list[str]:
    return [] if match[0] in _sources() else [f"no setting {match[0]}"]


@cache
def _sources() -> str:
    return "".join(path.read_text(encoding="utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def _wrong_links(page: str, text: str, pages: dict[str, str]) -> Problems:
    prose = FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
    for match in LINK.finditer(prose):
        path, _, anchor = match[1].partition("#")
        if ":" in path:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        line = line_of(prose, match.start())
        if not target.exists():
            yield line, f"no file {path}"
        elif anchor and anchor not in _anchors(_text(target, pages)):
            yield line, f"no heading #{anchor} in {path or page}"


def _text(path: Path, pages: dict[str, str]) -> str:
    name = path.resolve().relative_to(ROOT).as_posix()
    return pages[name] if name in pages else path.read_text(encoding="utf-8")


def _anchors(text: str) -> set[str]:
    """What GitHub makes of headings: small letters, without punctuation, a hyphen for each space."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _wrong_lines(block: Block) -> Problems:
    for number, line in enumerate(block.text.splitlines(), block.line):
        if block.language == "console" and not line.startswith("$ "):
            continue
        for command in _commands(line.removeprefix("$ ").strip()):
            yield from ((number, what) for what in _wrong_command(command))


def _commands(line: str) -> list[list[str]]:
    """The simple commands of a shell line, in words; none where it is no such line."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    found: list[list[str]] = [[]]
    try:
        for word in words:
            if set(word) <= OPERATORS:
                found.append([])
            else:
                found[-1].append(word)
    except ValueError:
        return []
    return [command for command in found if command]


def _wrong_command(words: list[str]) -> list[str]:
    """Of a whole command."""
    if "zoo.cli" in words:
        return _wrong_arguments(words[words.index("zoo.cli") + 1 :])
    if Path(words[0]).name == "earshot":
        return _wrong_arguments(words[1:])
    return _wrong_script(words)


def _wrong_arguments(arguments: list[str]) -> list[str]:
    from zoo.cli.commands import _parser

    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            _parser().parse_args(arguments)
    except SystemExit as end:
        return [said.getvalue().strip()] if end.code else []
    return []


def _wrong_span(text: str) -> list[str]:
    """Of code in a sentence, which may be a part of a command, an option, or a name of Python."""
    if (dotted := DOTTED.match(text)) and not FILE.match(text):
        return _wrong_name(dotted["name"], bool(dotted["call"]))
    if taken := IMPORT.fullmatch(text):
        return [wrong for name in taken["names"].split(", ") for wrong in _wrong_name(f"{taken['module']}.{name}")]
    if text.startswith("--"):
        option = re.match(r"--[\w-]+", text)
        return [] if option is None or option[0] in _all_options() else [f"no option {option[0]}"]
    for command in _commands(text):
        if Path(command[0]).name == "earshot" and len(command) > 1:
            return _wrong_part(command[1:])
        if wrong := _wrong_script(command):
            return wrong
    return []


def _wrong_name(name: str, called: bool = False) -> list[str]:
    """Of a dotted name, which an import and dots must give. A call must do with the import of its package alone, which
    does not promise to load modules inside.
    """
    package, *parts = name.split(".")
    found: object = import_module(package)
    for number, part in enumerate(parts, 1):
        if not hasattr(found, part):
            with suppress(ModuleNotFoundError):
                import_module(".".join([package, *parts[:number]]))
        if not hasattr(found, part):
            return [f"no name {name} in Python"]
        found = getattr(found, part)
        if called and isinstance(found, ModuleType):
            return [f"{name}() may fail after `import {package}`: write {parts[-1]}() and where it is imported from"]
    return []


def _wrong_part(words: list[str]) -> list[str]:
    """Of a command of earshot that may lack arguments or have placeholders."""
    from zoo.cli.commands import _parser

    parser = _parser()
    for word in words:
        choices = _choices(parser)
        if word in choices:
            parser = choices[word]
        elif choices and re.fullmatch(r"[a-z]+", word):
            return [f"no command {word!r}"]
        elif word.startswith("--") and (option := word.partition("=")[0]) not in parser._option_string_actions:
            return [f"no option {option} of {parser.prog}"]
    return []


def _choices(parser) -> dict:
    """The commands below a parser, by their names."""
    return next((action.choices for action in parser._actions if hasattr(action, "add_parser")), {})


def _parsers(parser) -> Iterator:
    yield parser
    for below in _choices(parser).values():
        yield from _parsers(below)


@cache
def _all_options() -> set[str]:
    """Of all commands and scripts."""
    from zoo.cli.commands import _parser

    ours = {option for parser in _parsers(_parser()) for option in parser._option_string_actions}
    return ours.union(*(_script_options(path) for path in (ROOT / "scripts").rglob("*.py")))


def _wrong_script(words: list[str]) -> list[str]:
    place = next((number for number, word in enumerate(words) if SCRIPT.fullmatch(word)), None)
    if place is None:
        return []
    script, *others = words[place:]
    if not (ROOT / script).is_file():
        return [f"no file {script}"]
    if script in FOLDERS and others and re.fullmatch(r"[a-z_]+", others[0]):
        return _wrong_study(FOLDERS[script], *others)
    return _unknown(others, _script_options(ROOT / script), script)


def _wrong_study(folder: Folder, name: str, *others: str) -> list[str]:
    if name not in folder.questions():
        return [f"no {folder.kind} {name!r}"]
    return _unknown(others, folder.study(name).parser()._option_string_actions, f"{folder.kind} {name}")


def _unknown(words: Iterable[str], known: Iterable[str], of: str) -> list[str]:
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    return [f"no option {option} of {of}" for option in sorted(options.difference(known))]


@cache
def _script_options(path: Path) -> set[str]:
    """The options that a script's source names, or that of a script it imports."""
    found = {"--help"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"--[\w-]+", node.value):
            found.add(node.value)
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            beside = [path.with_name(f"{name}.py") for name in names if name]
            found |= set().union(*(_script_options(other) for other in beside if other.is_file() and other != path))
    return found
