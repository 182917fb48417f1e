"""What the pages show is what the commands print, and what they name exists.

    python scripts/docs.py                 # write tables, pictures and what commands print into the pages
    python scripts/docs.py zoo/README.md   # what commands print, into this page alone
    python scripts/docs.py --check         # list names, links and anchors that do not exist; exits with 1 for any
    python scripts/docs.py --check --run   # and pages whose commands print something else

The commands of a page run one after another in a new folder, which holds what its reader has: `zoo`, a recording of
four words called `long.flac`, a folder `my-recordings`, and a hub of one's own. A table stands between `<!-- NAME -->`
and `<!-- end NAME -->` in whichever page has these marks. Tables and pictures are those of all studies and benches,
from the rows in `scripts/results`, and those of what is bundled (`pages/hub.py`). What families and front ends say of
their values is written into the schema of packages.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import soundfile

from pages.names import problems
from pages.text import PAGES, ROOT, markdown, read_pages, with_tables
from studies.base import BENCHES, STUDIES, Folder, Study
from studies.rows import FOLDER, NoRows, Rows
from supernet.families import family
from supernet.files import write_bytes
from supernet.frontend import front_end
from zoo.package.schema import PATH, layout

CONSOLE = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
TRAINS = "earshot train "
"""Blocks of a command that takes minutes and data of one's own; they are left as they are."""
OWN_HUB = "~/.local/share/earshot/hub"
WORDS = ("stop", "left", "go", "yes")


def main() -> None:
    """Refresh or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="default: all, with tables and pictures")
    parser.add_argument("--check", action="store_true", help="write nothing, list what is wrong")
    parser.add_argument("--run", action="store_true", help="with --check: run the commands of the pages as well")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work()
    elif options.check:
        wrong = problems() + _outdated_schema() + (_outdated(options.pages or PAGES) if options.run else [])
        sys.exit("\n".join(wrong) or 0)
    else:
        _refresh(options.pages)


def _refresh(pages: list[str]) -> None:
    if not pages:
        pictures(FOLDER)
        for page, text in with_tables(read_pages(), tables()).items():
            write_bytes(ROOT / page, text.encode())
        PATH.write_text(schema_text(), encoding="utf-8")
    for page in pages or PAGES:
        (ROOT / page).write_text(_made(page), encoding="utf-8")


def tables() -> dict[str, str]:
    """The tables of the pages by their names, as Markdown; of what has been run."""
    from pages import hub

    makers = dict(hub.TABLES)
    for study in _studies():
        makers |= study.tables
    made = {name: markdown(*shown) for name, make in makers.items() if (shown := _shown(make))}
    return {**made, "studies": _questions(STUDIES), "benches": _questions(BENCHES)}


def pictures(folder: Path) -> None:
    """Write the pictures of what has been run."""
    from pages import draw, hub

    makers = dict(hub.PICTURES)
    for study in _studies():
        makers |= study.pictures
    for name, make in makers.items():
        with draw.style():
            figure = _shown(make)
        if figure:
            write_bytes(folder / f"{name}.svg", draw.svg(figure))


def _studies() -> list[Study]:
    return [folder.study(name) for folder in (STUDIES, BENCHES) for name in folder.questions()]


def _shown(make: Callable[[Rows], object]) -> object:
    """A table or a picture, or None where its rows are not measured."""
    try:
        return make(Rows())
    except NoRows:
        return None


def _questions(folder: Folder) -> str:
    return "".join(f"- `{name}`: {question}\n" for name, question in folder.questions().items())


def _outdated(pages: Iterable[str]) -> list[str]:
    texts = read_pages()
    return [
        f"{page}: its commands print something else; run scripts/docs.py {page}"
        for page in pages
        if _made(page) != texts[page]
    ]


def schema_text() -> str:
    """The schema of packages with what all families and front ends say of their values."""
    text, whole = PATH.read_text(encoding="utf-8"), layout(family.names, front_end.names)
    for name in ("arch", "frontend"):
        made = json.dumps(whole["properties"][name], indent=1).replace("\n", "\n  ")
        part = re.compile(rf'(^  "{name}": )\{{\n.*?^  \}},\n', re.DOTALL | re.MULTILINE)
        text = part.sub(lambda match, made=made: f"{match[1]}{made},\n", text, count=1)
    return text


def _outdated_schema() -> list[str]:
    same = PATH.read_text(encoding="utf-8") == schema_text()
    return [] if same else [f"{PATH.name}: families or front ends say something else; run scripts/docs.py"]


def _made(page: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return refreshed(read_pages()[page], Path(folder))


def refreshed(text: str, folder: Path) -> str:
    """A page with what its commands print. folder: an empty one, where they run."""
    furnish(folder)
    blocks = [commands(block) for block in CONSOLE.findall(text)]
    runs = [block for block in blocks if not any(command.startswith(TRAINS) for command, _ in block)]
    printed = iter(run([command for block in runs for command, _ in block], folder))

    def shown(match: re.Match) -> str:
        block = commands(match[1])
        lines = [f"$ {command}\n{next(printed) if block in runs else old}" for command, old in block]
        return f"```console\n{''.join(lines)}```\n"

    return CONSOLE.sub(shown, text)


def furnish(folder: Path) -> None:
    """Put there what the reader of a page has."""
    (folder / "zoo").symlink_to(ROOT / "zoo")
    clips = {path.stem: soundfile.read(path) for path in sorted((ROOT / "zoo" / "clips").glob("*.wav"))}
    rate = clips[WORDS[0]][1]
    soundfile.write(folder / "long.flac", np.concatenate([clips[word][0] for word in WORDS]), rate)
    for word, (samples, _) in clips.items():
        place = folder / "my-recordings" / word
        place.mkdir(parents=True)
        for number, loudness in enumerate((1, 0.5, 0.25)):
            soundfile.write(place / f"{number}.wav", loudness * samples, rate)


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with what is printed below it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def run(lines: list[str], folder: Path) -> list[str]:
    """What commands print, one after another in one process in the folder; of one that fails, its error."""
    if not lines:
        return []
    own = {"EARSHOT_HUB": folder / "own-hub", "EARSHOT_PROFILES": folder / "profiles"}
    environment = {**os.environ, **{name: str(path) for name, path in own.items()}, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, "--worker"]
    asked = json.dumps(lines)
    done = subprocess.run(
        command, input=asked, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return [
        re.sub(r"/\S*?/zoo/hub", ".../zoo/hub", printed.replace(str(folder / "own-hub"), OWN_HUB))
        for printed in json.loads(done.stdout)
    ]


def _work() -> None:
    """Run the commands that come as JSON, and give what they print as JSON."""
    from zoo.cli import main as earshot

    printed = []
    for line in json.load(sys.stdin):
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            earshot(shlex.split(line)[1:])
        printed.append(output.getvalue() or "".join(errors.getvalue().splitlines(keepends=True)[-1:]))
    print(json.dumps(printed))


if __name__ == "__main__":
    main()
