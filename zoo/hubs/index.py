"""The index of a hub: `index.json`, one model a line, and its models as columns, so that a million are asked at once.

Columns are sorted best first, so a look-up is a comparison a constraint and the first row that meets all. A large
index is parsed once: its columns are kept in EARSHOT_CACHE under the digest of the file. No torch or pandas here.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from supernet.constants import CACHE, SILENCE, UNKNOWN
from supernet.errors import EarshotError, InvalidPackage, InvalidQuery, UnknownName, nearest_names
from supernet.files import (
    canonical_json,
    digest,
    load_tensors,
    parse_json,
    read_bytes,
    save_tensors,
    state_of,
    write_bytes,
)
from supernet.whole import is_whole
from zoo.package.entry import KINDS, MEASURED, Entry, is_safe_name, possible

__all__ = ["INDEX", "SCHEMA", "Index", "NewerIndex", "index_bytes", "like", "merged", "read_index", "write_index"]

INDEX, SCHEMA = "index.json", 6
LABELS, RAM = "labels", ("stream_ram_bytes", "clip_ram_bytes")
DETECTION = ("detection_recall", "false_alarms_per_hour", "false_alarms_upper")
FORMER = {3: (LABELS, *RAM, *DETECTION), 4: (*RAM, *DETECTION), 5: DETECTION}
"""Former versions that are read, and the fields that they lack."""
FORMER_RAM = "peak_ram_bytes"
"""What those without RAM have: one figure, above both forms'."""
LAYOUT = 2
"""Of columns in the cache."""
MOST_BYTES, LARGE_BYTES, MOST_CACHED, MANY, FEW = 1_000_000_000, 1_000_000, 8, 20, 3
NAMES = ("name", "config_sha256")
WORDS = ("task", "family", "bits", "activation_bits", "dataset", "basis", "licence", "labels")
"""Columns that are kept as numbers of words (or of several words together); all others but NAMES are numbers."""
REBUILD = "`earshot rebuild` writes it anew"
RENEW = "`earshot rebuild`, or `earshot sync` into a hub of your own, counts them anew"


log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Index:
    """Models as columns, best first: highest validation accuracy, measured before predicted, then cheaper, then name.

    columns: an array (models,) a field of `Entry`: text as bytes, numbers as they are with NaN where there is none,
    and for fields of `words` the number of the word. schema: of the file that it was read from.
    """

    columns: dict[str, np.ndarray]
    words: dict[str, tuple]
    schema: int = SCHEMA

    @staticmethod
    def of(entries: Iterable[Entry]) -> Index:
        """The index of entries, in any order."""
        known = list(entries)
        return Index.from_columns({name: [getattr(entry, name) for entry in known] for name in KINDS})

    @property
    def former(self) -> bool:
        """Whether an older version wrote it."""
        return self.schema in FORMER

    @staticmethod
    def from_columns(values: dict[str, list], schema: int = SCHEMA) -> Index:
        """values: of each field of `Entry`. Raises InvalidPackage for values that it cannot have, or a name twice."""
        if not all(possible(name, column) for name, column in values.items()):
            for row in zip(*values.values(), strict=True):
                Entry(**dict(zip(values, row, strict=True)))
        if len(set(values["name"])) != len(values["name"]):
            raise InvalidPackage("lists a name twice")
        words = {name: tuple(sorted(set(values[name]), key=str)) for name in WORDS}
        columns = {name: _column(name, values[name], words) for name in KINDS}
        return Index(columns, words, schema)._sorted()

    def _sorted(self) -> Index:
        order = np.lexsort(
            (self.columns["name"], self.columns["flash_bytes"], self.columns["macs"], -self.columns["validation"],
             ~self.has("basis", MEASURED))
        )  # fmt: skip
        return Index({name: column[order] for name, column in self.columns.items()}, self.words, self.schema)

    def __len__(self) -> int:
        return len(self.columns["name"])

    @property
    def bytes(self) -> int:
        """What the columns take of memory."""
        return sum(column.nbytes for column in self.columns.values())

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All models, best first."""
        return tuple(map(self.entry, range(len(self))))

    def entry(self, row: int) -> Entry:
        """The model of a row."""
        return Entry(**{name: self.values(name, slice(row, row + 1))[0] for name in KINDS})

    def values(self, name: str, rows: Any = slice(None)) -> list:
        """A field of some rows, as Python's own values."""
        column = self.columns[name][rows]
        if name in WORDS:
            return [self.words[name][code] for code in column.tolist()]
        if name in NAMES:
            return [text.decode() for text in column.tolist()]
        return [None if value != value else value for value in column.tolist()]

    def amounts(self, field: str) -> np.ndarray:
        """(models,) numbers of a field, or of `Entry.ram_bytes`."""
        if field == "ram_bytes":
            stream = self.columns["stream_ram_bytes"]
            return np.where(stream > 0, stream, self.columns["clip_ram_bytes"])
        return self.columns[field]

    def limited(self, field: str) -> np.ndarray:
        """The same, of a field that a look-up limits; a word of the log says once where flash is of weights alone."""
        return self._flash if field == "flash_bytes" else self.amounts(field)

    @cached_property
    def _flash(self) -> np.ndarray:
        flash = self.columns["flash_bytes"]
        if bare := int((flash <= self.columns["weight_bytes"]).sum()):
            log.warning("%d models are listed without their code in flash, which `earshot rebuild` adds", bare)
        return flash

    def find(self, name: str) -> Entry | None:
        """The model of exactly that name."""
        rows = np.flatnonzero(self.columns["name"] == name.encode()) if is_safe_name(name) else ()
        return self.entry(int(rows[0])) if len(rows) else None

    def has(self, field: str, word: Any) -> np.ndarray:
        """(models,) True where a field of words has exactly this one."""
        return self.columns[field] == (self.words[field].index(word) if word in self.words[field] else -1)

    def like(self, field: str, pattern: str) -> np.ndarray:
        """(models,) True where a name, or a word in any case, fits a pattern of `fnmatch`; `*` stands for any text.

        Raises UnknownName where none does, InvalidQuery for what is no pattern.
        """
        if not isinstance(pattern, str):
            raise InvalidQuery(f"{field} = {pattern!r:.80} is not possible: give a text, such as '*'")
        if field == "name":
            found = self._named(pattern)
        else:
            fits = [like(str(word), pattern, any_case=True) for word in self.words[field]]
            found = np.array([*fits, False])[self.columns[field]]
        if not found.any():
            known = self.values("name") if field == "name" else map(str, self.words[field])
            raise UnknownName(f"no model of {field} {pattern!r:.140}: {nearest_names(pattern, known)}")
        return found

    def knowing(self, words: Sequence[str]) -> np.ndarray:
        """(models,) how many of these words are labels of each. Raises UnknownName for one that no model knows."""
        known = _words(self.words[LABELS])
        if unsaid := int(self.has(LABELS, ()).sum()):
            log.warning("%d models are left out: listed without labels, which `earshot rebuild` adds", unsaid)
        for word in sorted(words, key=self._is_name, reverse=True):
            if word not in known:
                raise UnknownName(f"no model knows the word {word!r:.140}: {self._other_word(word, words)}")
        counts = [len(set(words).intersection(labels)) for labels in self.words[LABELS]]
        return np.array([*counts, 0])[self.columns[LABELS]]

    def _other_word(self, word: str, words: Sequence[str]) -> str:
        """A hint for a word that no model knows: words of models that know the others, or else one like it, or else of
        those that hear words (and answer `_unknown_`), not of those that hear sounds.
        """
        if self._is_name(word):
            return "it is a task or a model; name that before the words, or by --task or --name"
        told = [labels for labels in self.words[LABELS] if set(words).intersection(labels)]
        near = difflib.get_close_matches(word, _words(self.words[LABELS]), n=1)
        like = [labels for labels in self.words[LABELS] if set(near).intersection(labels)]
        spoken = [labels for labels in self.words[LABELS] if UNKNOWN in labels]
        return nearest_names(word, _words(told or like or spoken or self.words[LABELS]))

    def _is_name(self, word: str) -> bool:
        return word in self.words["task"] or self.find(word) is not None

    def other_task(self, name: str, *more: str) -> str:
        """A hint for the name of a task that is not there, which may be one of a data set. more: other known names."""
        known = [*self.words["task"], *more]
        for dataset in self.words["dataset"]:
            if _letters(dataset) == _letters(name):
                tasks = dict.fromkeys(self.values("task", np.flatnonzero(self.has("dataset", dataset))))
                return f"it is a data set, of which {', '.join(list(tasks)[:FEW])} was made; {nearest_names('', known)}"
        return nearest_names(name, known)

    def _named(self, pattern: str) -> np.ndarray:
        """Lines with the longest part of the pattern that is plain text are few, so they are looked for first."""
        found, plain = np.zeros(len(self), bool), max(re.split(r"[*?]|\[.*\]", pattern), key=len)
        if plain and self._lines.count(plain) < len(self) / MANY:
            rows = self._rows(match.start() for match in re.finditer(re.escape(plain), self._lines))
            found[[row for row in rows if like(self.columns["name"][row].decode(), pattern)]] = True
        else:
            found[self._rows(match.start() for match in _expression(pattern).finditer(self._lines))] = True
        return found

    def _rows(self, places: Iterable[int]) -> np.ndarray:
        """The rows of places in the lines of names."""
        return np.searchsorted(self._ends, np.fromiter(places, np.int64), side="left")

    @cached_property
    def _lines(self) -> str:
        return b"\n".join(self.columns["name"].tolist()).decode()

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where the line of each name ends."""
        return np.flatnonzero(np.frombuffer(f"{self._lines}\n".encode(), np.uint8) == ord("\n"))


def _words(several: Iterable[tuple[str, ...]]) -> set[str]:
    """What the labels of models name."""
    return {label for labels in several for label in labels} - {UNKNOWN, SILENCE}


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _column(name: str, values: list, words: dict[str, tuple]) -> np.ndarray:
    if name in WORDS:
        codes = {word: code for code, word in enumerate(words[name])}
        return np.fromiter(map(codes.__getitem__, values), np.int32, len(values))
    if name in NAMES:
        return np.array(values, "S") if values else np.zeros(0, "S1")
    kind = {"int": np.int64, "bool": bool}.get(KINDS[name], np.float64)
    return np.array(values, kind)


def like(word: str, pattern: str, any_case: bool = False) -> bool:
    """True where a word fits a pattern of `fnmatch`. Raises InvalidQuery for what is no pattern."""
    return _expression(pattern, any_case).fullmatch(word) is not None


@lru_cache(maxsize=64)
def _expression(pattern: str, any_case: bool = False) -> re.Pattern:
    """A pattern of `fnmatch` for one line; `fnmatch.translate` gives one that goes over lines.

    Text between two stars is taken where it comes first, and never looked for again, so no pattern takes long.
    """
    first, *rest = (_plain(part) for part in re.split(r"\*+", pattern))
    middle = "".join(f"(?>[^\n]*?{part})" for part in rest[:-1])
    last = f"[^\n]*{rest[-1]}" if rest else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            return re.compile(f"^{first}{middle}{last}$", re.MULTILINE | re.IGNORECASE * any_case)
    except (re.error, FutureWarning) as error:
        raise InvalidQuery(f"pattern {pattern!r:.80} is not possible: {error}") from None


def _plain(text: str) -> str:
    """A pattern without stars."""
    parts = re.split(r"(\?|\[!?(?:\][^]]*|[^]]+)\])", text)
    return "".join(_part(part) if number % 2 else re.escape(part) for number, part in enumerate(parts))


def _part(part: str) -> str:
    if part == "?":
        return r"[^\n]"
    if part == "[!]":
        return re.escape(part)
    inner = re.sub(r"([\\[\]^&~|])", r"\\\1", part[1:-1])
    return f"[^\n{inner[1:]}]" if inner[0] == "!" else f"[{inner}]"


@lru_cache(maxsize=8)
def merged(indexes: tuple[Index, ...]) -> Index:
    """Several indexes as one; a name that two of them have is the first one's."""
    kept, seen = [], np.zeros(0, "S1")
    for index in indexes:
        kept.append(~np.isin(index.columns["name"], seen))
        seen = np.concatenate([seen, index.columns["name"]])
    words = {name: tuple(sorted({word for index in indexes for word in index.words[name]}, key=str)) for name in WORDS}
    parts = [
        {name: _recoded(index, name, words)[rows] for name in KINDS} for index, rows in zip(indexes, kept, strict=True)
    ]
    return Index({name: np.concatenate([part[name] for part in parts]) for name in KINDS}, words)._sorted()


def _recoded(index: Index, name: str, words: dict[str, tuple]) -> np.ndarray:
    """A column with the numbers of other words."""
    if name not in WORDS:
        return index.columns[name]
    codes = {word: code for code, word in enumerate(words[name])}
    return np.array([codes[word] for word in index.words[name]], np.int32)[index.columns[name]]


class NewerIndex(InvalidPackage):
    """An index that a later version wrote, and that is not to be lost by this one."""


def read_index(path: Path) -> Index:
    """The index in a file. Raises InvalidPackage, naming it, where it cannot be read or is of another version."""
    try:
        return _read_index(path, state_of(path))
    except OSError as error:
        raise InvalidPackage(f"{path}: {error.strerror}") from None


@lru_cache(maxsize=8)
def _read_index(path: Path, state: tuple) -> Index:
    try:
        size = state[1]
        if size > MOST_BYTES:
            raise InvalidPackage(f"of {size:,} bytes; the limit is {MOST_BYTES:,}")
        return _cached(path) if size >= LARGE_BYTES else _parsed(read_bytes(path, MOST_BYTES), path)
    except NewerIndex:
        raise
    except EarshotError as error:
        raise InvalidPackage(f"{'' if str(path) in str(error) else f'{path}: '}{error}; {REBUILD}") from None


def _parsed(data: bytes, path: Path) -> Index:
    values = parse_json(data, path)
    if not isinstance(values, dict) or not isinstance(values.get("models"), list):
        raise InvalidPackage("not an index of models")
    schema, rows = values.get("schema"), values["models"]
    if is_whole(schema, SCHEMA + 1, 1000):
        raise NewerIndex(f"{path}: written by a newer Earshot (schema {schema}, not {SCHEMA}); update yours")
    if schema not in (*FORMER, SCHEMA):
        raise InvalidPackage(f"of schema {schema!r:.40}, this version reads {', '.join(map(str, (*FORMER, SCHEMA)))}")
    if schema in FORMER:
        log.warning("%s: an older Earshot wrote it, with flash and RAM as it counted them; %s", path, RENEW)
    lacking = FORMER.get(schema, ())
    fields = KINDS.keys() - {*lacking} | ({FORMER_RAM} if RAM[0] in lacking else set())
    if not all(isinstance(row, dict) and row.keys() == fields for row in rows):
        wrong = next(row for row in rows if not isinstance(row, dict) or row.keys() != fields)
        raise InvalidPackage(f"not an entry: {wrong!r:.80}")
    columns = {name: list(map(itemgetter(name), rows)) for name in KINDS if name in fields}
    columns |= {name: [None] * len(rows) for name in lacking}
    if RAM[0] in lacking:
        columns["stream_ram_bytes"] = [row[FORMER_RAM] if row["streamable"] else 0 for row in rows]
        columns["clip_ram_bytes"] = [row[FORMER_RAM] for row in rows]
    columns[LABELS] = [_labels(row.get(LABELS, [])) for row in rows]
    return Index.from_columns({name: columns[name] for name in KINDS}, schema)


def _labels(value: Any) -> tuple:
    """Of an entry in JSON. Raises InvalidPackage for what is no list of texts."""
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise InvalidPackage(f"labels {value!r:.80} are not possible")
    return tuple(value)


def _cached(path: Path) -> Index:
    """A large index, from its columns in the cache, or into it."""
    with path.open("rb") as file:
        place = _place(hashlib.file_digest(file, "sha256").hexdigest())
    try:
        return _from_cache(*load_tensors(place, read_bytes(place.with_suffix(".sha256"), 64).decode()))
    except (EarshotError, UnicodeDecodeError):
        data = read_bytes(path, MOST_BYTES)
    index = _parsed(data, path)
    with suppress(OSError):  # a cache that cannot be written costs time alone
        _keep(index, _place(digest(data)))
    return index


def _place(sha256: str) -> Path:
    return CACHE / "indexes" / f"{sha256}-{SCHEMA}-{LAYOUT}.safetensors"


def _keep(index: Index, place: Path) -> None:
    """Write columns and their digest into the cache, and take old ones out of it."""
    columns = {name: _bare(column) for name, column in index.columns.items()}
    save_tensors(place, columns, {**index.words, "schema": index.schema})
    write_bytes(place.with_suffix(".sha256"), digest(place.read_bytes()).encode())
    for old in sorted(place.parent.iterdir(), key=lambda file: file.stat().st_mtime)[: -2 * MOST_CACHED]:
        old.unlink(missing_ok=True)


def _bare(column: np.ndarray) -> np.ndarray:
    """Bytes as small numbers, which safetensors can hold."""
    return column.view(np.uint8).reshape(len(column), -1) if column.dtype.kind == "S" else column


def _from_cache(arrays: dict[str, np.ndarray], words: dict[str, Any]) -> Index:
    columns = {name: arrays[name] for name in KINDS}
    for name in NAMES:
        columns[name] = columns[name].view(f"S{columns[name].shape[1]}")[:, 0]
    words[LABELS] = map(tuple, words[LABELS])
    return Index(columns, {name: tuple(words[name]) for name in WORDS}, words["schema"])


def index_bytes(entries: Iterable[Entry]) -> bytes:
    """The text of an index: one model a line, by name, so that changes to it can be read and merged."""
    lines = ",\n".join(canonical_json(entry.to_dict()) for entry in sorted(entries, key=lambda entry: entry.name))
    return f'{{"models":[\n{lines}\n],"schema":{SCHEMA}}}\n'.encode()


def write_index(path: Path, entries: Iterable[Entry]) -> None:
    """Write an index whole or not at all."""
    write_bytes(path, index_bytes(entries))
