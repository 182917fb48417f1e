"""Tables and lists that name recordings, however they were written: one reader for all.

Tables are separated by commas, semicolons or tabs, have their columns in any order and capitals, and may come from a
spreadsheet (UTF-8 or UTF-16, with a mark at the beginning, any line ends). Names of files may have backslashes, and an
ending that the file itself has not.
"""

from __future__ import annotations

import csv
import io
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from supernet.data.walk import stem_of
from supernet.errors import InvalidData

__all__ = [
    "LISTS",
    "named_files",
    "read_list",
    "read_table",
    "read_text",
    "separator_of",
    "tidy_name",
    "without_hint",
]

LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""Split -> the file in a folder of classes that lists its recordings."""
FILE = "file"
ALIASES = ("filename", "file_name", "filepath", "file_path", "path")
"""Other headers of the same column; the first that is there counts."""
SEPARATORS = ",;\t"
MARKED = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""First bytes of a text that is not UTF-8, and how it is written."""


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table, by their headers in small letters. columns: those that it must have.

    The file is column `file`, whatever of ALIASES it is called. Raises InvalidData, naming the line.
    """
    text = without_hint(read_text(path))
    lines = csv.reader(io.StringIO(text), delimiter=separator_of(text), strict=True)
    try:
        cells = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InvalidData(f"{path}: line {lines.line_num} is no CSV ({error}); save the table again") from None
    if not cells:
        raise InvalidData(f"{path}: not a readable CSV (it is empty); give the columns {', '.join(columns)}")
    header = _header(path, cells[0][1], columns)
    return [dict(zip(header, _filled(path, line, row, len(header)), strict=True)) for line, row in cells[1:]]


def read_list(path: Path) -> tuple[str, ...]:
    """CLASS/NAME of each recording that a list names, as it is written there. Raises InvalidData."""
    if not path.is_file():
        raise InvalidData(f"{path}: no such list; the data set must have {' and '.join(LISTS.values())}")
    names = (tidy_name(line) for line in read_text(path).split("\n"))
    return tuple(dict.fromkeys(name for name in names if name))


def named_files(names: Iterable[str], there: Iterable[str]) -> dict[str, list[str]]:
    """Name -> the files that it means: that of the same name, or else those of another ending; none where it is
    missing. All are below one folder, as `tidy_name` writes them.
    """
    exact, like = set(there), defaultdict(list)
    for file in sorted(exact):
        like[_plain(file)].append(file)
    return {name: [name] if name in exact else like[_plain(name)] for name in names}


def tidy_name(text: str) -> str:
    r"""The name of a file with slashes, without spaces around it or dots before it.

    >>> tidy_name(".\\door\\take1.wav ")
    'door/take1.wav'
    """
    text = text.strip().replace("\\", "/")
    return posixpath.normpath(text) if text else ""


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", stem_of(name))


def read_text(path: str | Path) -> str:
    """Of a file, with line ends as here. Raises InvalidData."""
    try:
        data = Path(path).read_bytes()
        text = data.decode(MARKED.get(data[:2], "utf-8-sig"))
    except OSError as error:
        raise InvalidData(f"{path}: cannot be read ({error.strerror}); give a file of text") from None
    except UnicodeDecodeError:
        raise InvalidData(f"{path}: not a text in UTF-8; save it as such") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    before, nul, _ = text.partition("\0")
    if nul:
        line = before.count("\n") + 1
        raise InvalidData(f"{path}: line {line} holds a NUL byte, which no name has; save it as a text in UTF-8")
    return text


def without_hint(text: str) -> str:
    """Without the line by which spreadsheets name the separator."""
    first, _, rest = text.partition("\n")
    return rest if first.lower().startswith("sep=") else text


def separator_of(text: str) -> str:
    """That which stands most often in the header."""
    header = text.lstrip("\n").partition("\n")[0]
    return max(SEPARATORS, key=header.count)


def _header(path: str | Path, cells: list[str], columns: Sequence[str]) -> list[str]:
    """Names of the columns, "" for those without one."""
    names = [cell.strip().lower() for cell in cells]
    own = next((name for name in (FILE, *ALIASES) if name in names), None)
    names = [FILE if name == own else name for name in names]
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise InvalidData(f"{path}: two columns are {twice[0]!r}; rename or remove one")
    missing = [name for name in columns if name not in names]
    if missing:
        raise InvalidData(f"{path}: no column {' and '.join(missing)}; it has {', '.join(filter(None, names))}")
    return names


def _filled(path: str | Path, line: int, row: list[str], count: int) -> list[str]:
    """The cells of a row, as many as there are columns."""
    while len(row) > count and not row[-1].strip():
        row = row[:-1]
    if len(row) != count:
        raise InvalidData(f"{path}: line {line} has {len(row)} cells for {count} columns; quote what holds a separator")
    return row
