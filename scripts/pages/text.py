"""The text of the pages for readers: where they are, what blocks they have, and where tables go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST = "README.md"
PAGES = (FIRST, *(f"{folder}/README.md" for folder in ("zoo", "supernet", "predictors", "search", "scripts")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block. line: of its first line of text, counted from 1."""

    language: str
    text: str
    line: int


def read_pages() -> dict[str, str]:
    """The text of every page by its path from the root."""
    return {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}


def blocks(text: str, *languages: str) -> list[Block]:
    """The fenced blocks of a page, of these languages or of all."""
    found = [Block(match[1], match[2], line_of(text, match.start(2))) for match in FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def spans(text: str) -> list[Block]:
    """The code spans of a page's prose; one that goes over two lines has a space in their place."""
    prose = FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return [Block("span", " ".join(match[1].split()), line_of(text, match.start())) for match in SPAN.finditer(prose)]


def with_tables(pages: dict[str, str], tables: dict[str, str]) -> dict[str, str]:
    """The pages with each table between its marks, `<!-- NAME -->` and `<!-- end NAME -->`, in whichever page has them.

    Exits where no page has the marks of a table.
    """
    for name, table in tables.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not any(marks.search(text) for text in pages.values()):
            raise SystemExit(f"no page has a place for {name}: add <!-- {name} --> and <!-- end {name} --> to one")
        pages = {
            page: marks.sub(lambda match, table=table: f"{match[1]}\n{table}\n{match[2]}", text)
            for page, text in pages.items()
        }
    return pages


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table whose first column is text and whose other columns are figures."""
    rule = "| --- |" + " ---: |" * (len(columns) - 1)
    return "\n".join(["| " + " | ".join(columns) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def line_of(text: str, place: int) -> int:
    """The line of a place in a text, counted from 1."""
    return text.count("\n", 0, place) + 1
